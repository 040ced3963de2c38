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
 * read or written), ERROR. A buffer under the journal carries `journal_head`; then it is the journal
 * that decides when it is written in place, never the DIRTY bit.
 *
 * Who may change the bytes: with a journal, between jbd2_journal_get_write_access and
 * jbd2_journal_dirty_metadata of an open handle, under the lock that protects the structure in it
 * (inode, group, ...). Nobody else, and no lock of the buffer's own.
 */
#ifndef EXTANT_CACHE_BUFFER_H
#define EXTANT_CACHE_BUFFER_H

#include <stdatomic.h>
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
	 * 0, -EFSCORRUPTED or -EFSBADCRC; reports through the user's own door. `user` is the cache's.
	 * NULL: any bytes will do.
	 */
	int (*verify)(void *user, uint64_t block, const uint8_t *data, const struct buffer_owner *owner);
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
};

struct buffer {
	uint64_t block;			/* constant */
	uint8_t *data;			/* block_size bytes; constant while referenced */
	_Atomic uint32_t state;
	_Atomic int32_t refs;
	const struct buffer_kind *_Atomic kind;		/* NULL: not verified yet */
	struct buffer_owner owner;	/* set with kind */
	struct page *page;		/* whose bytes these are; NULL: its own */
	struct buffer_cache *cache;
	struct journal_head *_Atomic journal_head;	/* jbd2/; set and cleared under its lock */
	struct mutex state_lock;	/* RANK_BUFFER_STATE: this buffer's place in the journal */
	/* the rest is buffer.c's */
	struct buffer *hash_next;
	struct list lru;
	struct list dirty;
	struct epoch_node retire;
};

struct buffer_cache_options {
	struct arena *arena;
	struct budget *budget;
	struct block_device *device;
	uint32_t block_size;
	uint64_t block_count;		/* beyond it nothing is read: -EFSCORRUPTED */
	void *user;			/* handed to verify and seal */
};

must_check int buffer_cache_create(const struct buffer_cache_options *opt, struct buffer_cache **out);
/* Nothing is dirty any more and nobody holds a reference. */
void buffer_cache_destroy(struct buffer_cache *c);
uint32_t buffer_cache_block_size(const struct buffer_cache *c);
struct block_device *buffer_cache_device(const struct buffer_cache *c);
/* A filesystem that shrinks or grows; and the block size can be set once, before any buffer exists. */
void buffer_cache_set_geometry(struct buffer_cache *c, uint32_t block_size, uint64_t block_count);

/*
 * The buffer of a block, referenced; its bytes may not be valid yet. -ENOMEM, or -EFSCORRUPTED when
 * the block lies beyond the device.
 */
must_check int buffer_get(struct buffer_cache *c, uint64_t block, struct buffer **out);
/* The same, only if it is in memory; NULL else. */
struct buffer *buffer_find(struct buffer_cache *c, uint64_t block);
/*
 * The buffer, read and verified as `kind`. May wait for I/O. -EIO, -ENOMEM, or what verify said; then
 * there is no reference, and the next attempt reads again.
 */
must_check int buffer_read(struct buffer_cache *c, uint64_t block, const struct buffer_kind *kind,
			   const struct buffer_owner *owner, struct buffer **out);
/* Begins to read blocks that will be wanted soon; a hint. */
void buffer_readahead(struct buffer_cache *c, uint64_t block, uint32_t count);
/*
 * The buffer of a block just allocated: nothing is read, its bytes are zeroed, it is UPTODATE and of
 * that kind. The caller has (or takes) create access of its handle.
 */
must_check int buffer_create(struct buffer_cache *c, uint64_t block, const struct buffer_kind *kind,
			     const struct buffer_owner *owner, struct buffer **out);
/* A buffer whose bytes lie in a page at `offset`: journaled data. It is UPTODATE when the page is. */
must_check int buffer_attach_page(struct buffer_cache *c, uint64_t block, struct page *page, uint8_t *data,
				  struct buffer **out);

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

/* The block was freed: whatever memory holds of it is dropped now (the journal's part first: jbd2_journal_forget). */
void buffer_forget(struct buffer_cache *c, uint64_t block);

/* Without a journal: to be written in place by buffer_write_dirty. */
void buffer_mark_dirty(struct buffer *b);
/* Writes one buffer in place now, sealed. `flags`: BLOCK_FUA and so on. */
must_check int buffer_write_sync(struct buffer *b, unsigned flags);
/* Writes all dirty buffers in place, sorted and merged into vectored writes; no flush. First error. */
must_check int buffer_write_dirty(struct buffer_cache *c);

#endif
