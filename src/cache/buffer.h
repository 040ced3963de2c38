/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Buffers: blocks of metadata (and of journaled data) by physical number.
 *
 * A buffer is a descriptor; its bytes are its own, or lie in a page. A physical block has one owner
 * at a time. A block is trusted only as what it was verified as: its `kind`. Reading it as another
 * kind verifies it again; a buffer that is journaled as one kind and wanted as another is damage
 * (two things of the image claim one block).
 *
 * State: UPTODATE (the bytes are valid), DIRTY (to be written in place, without journal), IO (being
 * read or written), ERROR. A buffer under the journal carries `journal_head`; then it is the
 * journal that decides when it is written in place, never the DIRTY bit.
 *
 * Who may change the bytes: with a journal, between jbd2_journal_get_write_access and
 * jbd2_journal_dirty_metadata of an open handle, under the lock that protects the structure in it
 * (inode, group, ...). Nobody else, and no lock of the buffer's own.
 */
#ifndef EXTANT_CACHE_BUFFER_H
#define EXTANT_CACHE_BUFFER_H

#include <stdatomic.h>
#include "base/rbtree.h"
#include "base/sync.h"
#include "block/device.h"
#include "cache/budget.h"

struct buffer;
struct buffer_cache;

/* Whose block it is, for checksums and messages. */
struct buffer_owner {
	uint64_t ino;			/* 0: the file system's own */
	uint32_t csum_seed;		/* of that inode (or of the file system) */
};

/* What a block can be verified as; one constant a kind (src/ext4/verify). */
struct buffer_kind {
	const char *name;		/* "directory block", for messages */
	/*
	 * 0, -EFSCORRUPTED or -EFSBADCRC; reports through the user's own door. `user` is the
	 * cache's. NULL: any bytes will do.
	 */
	int (*verify)(void *user, uint64_t block, const uint8_t *data,
		      const struct buffer_owner *owner);
	/* Puts the checksum into bytes that leave for the log or the disk. NULL: nothing to do. */
	void (*seal)(void *user, uint64_t block, uint8_t *data, const struct buffer_owner *owner);
};

enum buffer_state {
	BUFFER_UPTODATE = 1u << 0,
	BUFFER_DIRTY = 1u << 1,
	BUFFER_IO = 1u << 2,
	BUFFER_ERROR = 1u << 3,
	BUFFER_FORGOTTEN = 1u << 4,	/* out of the hash; goes with the last reference */
	BUFFER_NEW = 1u << 5,		/* created, not read: its kind was given, not verified */
	BUFFER_REFERENCED = 1u << 6,	/* used since the last look of the reclaimer */
	BUFFER_QUEUED = 1u << 7,	/* in the tree of dirty buffers */
	/* 1u << 31: BIT_WAITERS */
};

/* What a look-up touches comes first: one line of the processor's cache. */
struct buffer {
	uint64_t block;			/* constant */
	uint8_t *data;			/* block_size bytes; constant while referenced */
	_Atomic uint32_t state;
	_Atomic int32_t refs;		/* the cache has one while it is in the hash */
	const struct buffer_kind *_Atomic kind;		/* NULL: not verified yet */
	struct page *page;		/* whose bytes these are; NULL: its own; constant */
	struct buffer *_Atomic hash_next;	/* published: written under the shard's lock */
	struct buffer_owner owner;	/* set with kind */
	struct buffer_cache *cache;	/* constant */
	struct journal_head *_Atomic journal_head;	/* jbd2/; set and cleared under its lock */
	struct mutex state_lock;	/* RANK_BUFFER_STATE: this buffer's place in the journal */
	/* the rest is buffer*.c's */
	struct list lru;		/* shard's lock */
	struct rb_node dirty_node;	/* dirty_lock */
	_Atomic int io_error;		/* of the last read, with BUFFER_ERROR */
	struct epoch_node retire;
};

/* Damage that no verifier sees: a block beyond the device, or claimed as two things. */
struct buffer_damage {
	uint64_t block;
	const struct buffer_kind *kind;		/* what it was wanted as; NULL: not known */
	const struct buffer_owner *owner;	/* for whom; not NULL */
	const char *why;
};

struct buffer_cache_options {
	struct arena *arena;
	struct budget *budget;
	struct block_device *device;
	uint32_t block_size;
	uint64_t block_count;		/* beyond it nothing is read: -EFSCORRUPTED */
	void *user;			/* handed to verify, seal and damaged */
	/* NULL: nobody is told, the caller gets -EFSCORRUPTED all the same. */
	void (*damaged)(void *user, const struct buffer_damage *d);
};

/* The arena, the budget and the device outlive the cache; the arena outlives the scheduler too. */
must_check int buffer_cache_create(const struct buffer_cache_options *opt,
				   struct buffer_cache **out);
/* Nothing is dirty any more and nobody holds a reference. NULL: nothing. */
void buffer_cache_destroy(struct buffer_cache *c);
uint32_t buffer_cache_block_size(const struct buffer_cache *c);
uint64_t buffer_cache_block_count(const struct buffer_cache *c);
struct block_device *buffer_cache_device(const struct buffer_cache *c);
/* What it hands to verify and seal. */
void *buffer_cache_user(const struct buffer_cache *c);
/*
 * A file system that shrinks or grows; a new block size only while nobody holds a buffer (what is
 * clean goes).
 */
void buffer_cache_set_geometry(struct buffer_cache *c, uint32_t block_size, uint64_t block_count);

/*
 * The device has changed under the cache: what nobody holds is dropped, and read again when it is
 * wanted.
 */
void buffer_cache_invalidate(struct buffer_cache *c);

/*
 * The buffer of a block, referenced; its bytes may not be valid yet. -ENOMEM, or -EFSCORRUPTED when
 * the block lies beyond the device.
 */
must_check int buffer_get(struct buffer_cache *c, uint64_t block, struct buffer **out);
/* The same, only if it is in memory; NULL else. */
struct buffer *buffer_find(struct buffer_cache *c, uint64_t block);
/*
 * The buffer, read and verified as `kind` of `owner`. May wait for I/O: two tasks that want the
 * same block read it once, and both get the error. -EIO, -ENOMEM, or what verify said; then there
 * is no reference, and the next attempt reads again.
 *
 * `owner` NULL is { 0, 0 }. A block that several inodes share must be asked for with one owner by
 * all. A block verified as something else, or for another owner, is verified again; if somebody
 * holds it as that, if it is under the journal, DIRTY or NEW, or its bytes are a page's, it is
 * claimed twice: -EFSCORRUPTED. A kind that takes any bytes takes these, and they stay what they
 * are. `kind` NULL: just the bytes, with no such question; nothing is verified or noted.
 */
must_check int buffer_read(struct buffer_cache *c, uint64_t block, const struct buffer_kind *kind,
			   const struct buffer_owner *owner, struct buffer **out);
/* The same of a buffer that the caller holds, and goes on holding also on error. */
must_check int buffer_read_held(struct buffer *b, const struct buffer_kind *kind,
				const struct buffer_owner *owner);
/*
 * Reads blocks that will be wanted soon, those that are not in memory, with one transfer a run;
 * they are verified when they are asked for. A hint: it reports nothing and does less when memory
 * is short.
 */
void buffer_readahead(struct buffer_cache *c, uint64_t block, uint32_t count);
/*
 * The buffer of a block just allocated: nothing is read, its bytes are zeroed, it is UPTODATE, NEW
 * and of that kind. What memory held of the block before is forgotten; holders of it keep harmless
 * bytes. The caller has (or takes) create access of its handle. -ENOMEM; -EFSCORRUPTED when the
 * block is under the journal, dirty or a page's: it was not free.
 */
must_check int buffer_create(struct buffer_cache *c, uint64_t block, const struct buffer_kind *kind,
			     const struct buffer_owner *owner, struct buffer **out);
/*
 * The holder made something else of the block, in its handle (a leaf became an index), or filled it
 * in memory: it is UPTODATE and of that kind now.
 */
void buffer_set_kind(struct buffer *b, const struct buffer_kind *kind,
		     const struct buffer_owner *owner);
/*
 * A buffer whose bytes lie in a page, at `data`: journaled data. It has no kind, holds the page,
 * and is UPTODATE when the page or its block there is. It leaves the hash with its last holder.
 * With the page lock. -ENOMEM, or -EFSCORRUPTED as buffer_create.
 */
must_check int buffer_attach_page(struct buffer_cache *c, uint64_t block, struct page *page,
				  uint8_t *data, struct buffer **out);

static inline struct buffer *buffer_hold(struct buffer *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}
/* put(NULL) does nothing. */
void buffer_put(struct buffer *b);
static inline void buffer_put_scope(struct buffer **b)
{
	buffer_put(*b);
}
#define autobuffer cleanup_with(buffer_put_scope) struct buffer *

/*
 * The block was freed: whatever memory holds of it is dropped now (the journal's part first:
 * jbd2_journal_forget). It is not in the hash any more, nor dirty, and no I/O to it is under way
 * when this returns; so it may wait for I/O.
 */
void buffer_forget(struct buffer_cache *c, uint64_t block);

/*
 * Without a journal: to be written in place by buffer_write_dirty. A dirty buffer is held by that.
 * No effect on a forgotten one.
 */
void buffer_mark_dirty(struct buffer *b);
/* Not to be written by that any more (the journal takes it over). False: it was not dirty. */
bool buffer_clear_dirty(struct buffer *b);
/* A transfer of it that is under way has ended. Who sets journal_head waits so for one in place. */
void buffer_wait_io(struct buffer *b);
/*
 * Writes one buffer in place now, sealed. `flags`: BLOCK_FUA and so on. It obeys: also when the
 * buffer is the journal's, or forgotten. On error it is ERROR, and DIRTY if it was.
 */
must_check int buffer_write_sync(struct buffer *b, unsigned flags);
/*
 * Writes all dirty buffers that are not the journal's in place, sealed, in ascending order and
 * merged into vectored writes; no flush. First error; what failed is dirty again. Those dirtied
 * meanwhile may be left.
 */
must_check int buffer_write_dirty(struct buffer_cache *c);
/* Before the end, when they cannot be written: what is dirty is dirty no more, and lost. */
void buffer_drop_dirty(struct buffer_cache *c);

struct buffer_cache_stats {
	uint64_t count;			/* buffers in the hash */
	uint64_t dirty;
	uint64_t reads, read_blocks;	/* transfers from the device, and blocks in them */
	uint64_t writes, write_blocks;
	uint64_t reclaimed;		/* dropped by the shrinker */
};
void buffer_cache_get_stats(struct buffer_cache *c, struct buffer_cache_stats *out);

#endif
