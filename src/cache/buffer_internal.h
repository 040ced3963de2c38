/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the buffer cache share.
 *
 *	buffer.c          the cache, a buffer's life: get, create, attach, put, forget
 *	buffer_hash.c     where buffers are found, and what reclaim takes
 *	buffer_read.c     reading, verifying, reading ahead
 *	buffer_write.c    dirty buffers, writing in place
 *
 * Locks, each taken while holding only those before it:
 *
 *	shard.lock    RANK_BUFFER_HASH   what is in the shard, its order of age
 *	dirty_lock    RANK_LRU           what is dirty
 *	io            RANK_IO            waiting for BUFFER_IO
 *
 * BUFFER_IO is a lock of its own: who has set it reads, verifies or writes the buffer, alone, and
 * holds a reference. A task with the bit waits for no other: writers of many take only free ones.
 */
#ifndef EXTANT_CACHE_BUFFER_INTERNAL_H
#define EXTANT_CACHE_BUFFER_INTERNAL_H

#include "base/errors.h"
#include "cache/bit_wait.h"
#include "cache/buffer.h"
#include "cache/ref.h"

#define BUFFER_SHARDS 16		/* a power of two */

/* Chains of one shard; replaced as a whole when it grows. */
struct buffer_table {
	struct buffer_cache *cache;
	struct epoch_node retire;
	uint32_t mask;
	struct buffer *_Atomic heads[];	/* mask + 1 */
};

struct buffer_shard {
	struct buffer_table *_Atomic table;	/* published under lock; NULL: no buffer yet */
	_Atomic uint32_t moves;		/* odd while buffers move: a miss is not one then */
	char pad[48];			/* what look-ups read and what insertion writes lie apart */
	struct mutex lock;
	size_t count GUARDED_BY(lock);
	struct list lru GUARDED_BY(lock);	/* newest first, but for the second chance */
};

struct buffer_cache {
	struct buffer_cache_options opt;	/* constant but for the geometry */
	_Atomic uint64_t block_count;
	struct buffer_shard shards[BUFFER_SHARDS];
	struct bit_wait io;
	struct mutex dirty_lock;
	struct rb_tree dirty GUARDED_BY(dirty_lock);	/* by block; each is held */
	uint64_t dirty_count GUARDED_BY(dirty_lock);
	struct shrinker shrinker;
	_Atomic uint32_t hand;		/* the shard that reclaim goes on with */
	_Atomic uint64_t things;	/* with memory: buffers, tables, the cache itself */
	_Atomic uint64_t reads, read_blocks, writes, write_blocks, reclaimed;	/* relaxed */
};

/* Waits for nothing that another buffer's transfer could wait for. */
static inline void buffer_io_begin(struct buffer *b)
{
	bit_wait_lock(&b->cache->io, b->block, &b->state, BUFFER_IO, "buffer in transfer");
}

static inline void buffer_io_end(struct buffer *b)
{
	if (bit_unlock(&b->state, BUFFER_IO))
		bit_wait_wake(&b->cache->io, b->block, &b->state);
}

static inline uint32_t buffer_state(const struct buffer *b)
{
	return atomic_load_explicit(&b->state, memory_order_acquire);
}

/* ---- buffer_hash.c */

void buffer_hash_init(struct buffer_cache *c);
/* Every buffer is unreferenced; they go. */
void buffer_hash_fini(struct buffer_cache *c);
/* Referenced, or NULL. */
struct buffer *buffer_hash_find(struct buffer_cache *c, uint64_t block);
/*
 * Puts `fresh` there; the hash takes a reference of its own. If the block has one already, that one
 * is referenced in *existing and nothing is changed; the caller frees `fresh`. -ENOMEM.
 */
must_check int buffer_hash_insert(struct buffer_cache *c, struct buffer *fresh,
				  struct buffer **existing);
/*
 * The same, but one that is there is taken out for it (*existing, referenced, FORGOTTEN), unless it
 * is claimed: then -EFSCORRUPTED.
 */
must_check int buffer_hash_replace(struct buffer_cache *c, struct buffer *fresh,
				   struct buffer **existing);
/* Takes it out, FORGOTTEN and referenced; NULL when there is none. */
struct buffer *buffer_hash_remove(struct buffer_cache *c, uint64_t block);
/* Drops the buffer if nobody but its caller's epoch knows it. Inside an epoch. */
void buffer_hash_drop_idle(struct buffer_cache *c, struct buffer *b);
size_t buffer_hash_shrink(void *cache, size_t want);
uint64_t buffer_hash_count(struct buffer_cache *c);

/* ---- buffer.c */

/*
 * Not in the hash; the caller's reference is its only one. With a page (which it holds) its bytes
 * are at `data`, else its own and not zeroed.
 */
must_check int buffer_alloc(struct buffer_cache *c, uint64_t block, struct page *page,
			    uint8_t *data, struct buffer **out);
/* As buffer_get; `kind` and `owner`, which may be NULL, are for the message about a bad number. */
must_check int buffer_get_for(struct buffer_cache *c, uint64_t block, const struct buffer_kind *kind,
			      const struct buffer_owner *owner, struct buffer **out);
/* The block's buffer, which was not there just now; a new one begins with `state`. Referenced. */
must_check int buffer_get_or_insert(struct buffer_cache *c, uint64_t block, uint32_t state,
				    struct buffer **out, bool *is_new);
/* The last reference is gone. Waits for nothing. */
void buffer_free(struct buffer *b);
/* The memory of one of the cache's things is free; with the last one goes the cache. */
void buffer_cache_drop_thing(struct buffer_cache *c);
/* Tells of it; yields -EFSCORRUPTED. `kind` and `owner` may be NULL. */
int buffer_damaged(struct buffer_cache *c, uint64_t block, const struct buffer_kind *kind,
		   const struct buffer_owner *owner, const char *why);
/* True when it is under the journal, dirty, new or a page's: the block cannot be anything else. */
bool buffer_is_claimed(struct buffer *b);

#endif
