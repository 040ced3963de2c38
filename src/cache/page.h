/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages: file data by inode and offset. A page is the larger of 4 KiB and the block, so it holds
 * one block or more; for each it knows where the block lies and what is due to it.
 *
 * A mapping is the pages of one inode: a radix tree that readers walk inside an epoch. Tags find
 * dirty pages and those being written.
 *
 * Page states
 *
 *	(absent) --find_or_create--> LOCKED, not uptodate --read or overwritten--> UPTODATE
 *	UPTODATE --page_mark_dirty--> DIRTY --page_start_writeback--> WRITEBACK
 *	WRITEBACK --page_end_writeback--> UPTODATE
 *
 * Between page_clear_dirty and page_start_writeback a page keeps its tag (CLEANING), so that who
 * looks for dirty pages does not miss one that is about to be written; he waits for its lock.
 * page_unlock ends it if the page is not written after all.
 *
 * A page that is lent (page_lend) is stored into by somebody without its lock, and nobody sees
 * when. So it stays DIRTY over write-back until it is taken back: what is stored after its bytes
 * were taken is written the next time.
 *
 * A page in WRITEBACK may be dirtied again (its bytes are being written: without a checksum over
 * data that does no harm, the write that follows corrects it). Truncation waits for WRITEBACK to
 * end.
 *
 * References: the mapping holds one, the write-back under way another. Found pages are referenced;
 * one that is REMOVED keeps its bytes for its holders. Reclaim drops pages that are clean, unlocked
 * and nobody's.
 *
 * Locks: page lock (RANK_PAGE, a bit and a wait queue; several at once only in ascending index
 * order of one mapping); the tree is changed under mapping->lock (RANK_PAGE_TREE). Who holds a page
 * lock never starts a handle and never waits for log room, memory or a commit.
 */
#ifndef EXTANT_CACHE_PAGE_H
#define EXTANT_CACHE_PAGE_H

#include <stdatomic.h>
#include "base/radix.h"
#include "base/sync.h"
#include "cache/budget.h"

enum page_state {
	PAGE_LOCKED = 1u << 0,
	PAGE_UPTODATE = 1u << 1,
	PAGE_DIRTY = 1u << 2,
	PAGE_WRITEBACK = 1u << 3,
	PAGE_ERROR = 1u << 4,
	PAGE_REFERENCED = 1u << 5,	/* used since the last look of the reclaimer */
	PAGE_REMOVED = 1u << 6,		/* no longer in its mapping */
	PAGE_READAHEAD = 1u << 7,	/* reaching it starts the next read-ahead */
	PAGE_CLEANING = 1u << 8,	/* between DIRTY and WRITEBACK: still counted and tagged */
	/* 1u << 31: BIT_WAITERS */
};

/* Of each block of a page. */
enum page_block_state {
	PB_UPTODATE = 1u << 0,		/* its bytes are valid */
	PB_MAPPED = 1u << 1,		/* pblk is known */
	PB_DELAYED = 1u << 2,		/* space is reserved, no block yet */
	PB_UNWRITTEN = 1u << 3,		/* allocated, still to be converted */
	PB_DIRTY = 1u << 4,
	PB_NEW = 1u << 5,		/* just allocated: what is not written must be zeroed */
	PB_LENT = 1u << 6,		/* of a lent page: it may change at any time */
};

struct page_block {
	uint64_t pblk;
	uint32_t state;
	struct buffer *buffer;		/* data=journal: its place in the journal; referenced */
};

struct mapping;

/* What a look-up and reclaim touch comes first: one line of the processor's cache. */
struct page {
	_Atomic uint32_t state;
	_Atomic int32_t refs;
	uint8_t *data;			/* constant; the bytes: page lock or inode's lock */
	uint64_t index;			/* constant; below UINT64_MAX */
	struct mapping *mapping;	/* page lock, or WRITEBACK; NULL once removed */
	/* page*.c's: */
	struct list lru;		/* lock of the mapping's part of the LRU */
	struct page_cache *cache;	/* constant */
	uint64_t wait_key;		/* constant */
	struct epoch_node retire;
	/* page lock: */
	uint32_t lent;			/* to so many */
	struct page_block blocks[];	/* mapping->blocks_per_page */
};

struct page_cache;			/* of a mount: sizes, wait queues, LRU */

struct mapping {
	struct mutex lock;		/* RANK_PAGE_TREE */
	struct page_cache *cache;	/* constant */
	void *host;			/* the inode; constant */
	struct radix pages GUARDED_BY(lock);	/* read inside an epoch */
	_Atomic uint64_t page_count, dirty_count, writeback_count;	/* written under lock */
	_Atomic uint64_t lent_count;	/* pages of it that are lent */
	_Atomic int error;		/* of the last write-back that failed */
	_Atomic uint32_t error_seq;	/* counts those by 2; bit 0: the last one was told */
	uint64_t number;		/* of the cache's mappings; constant */
	uint64_t writeback_index;	/* where cyclic write-back goes on; write-back lock */
};
#define MAPPING_TAG_DIRTY	RADIX_TAG_0
#define MAPPING_TAG_WRITEBACK	RADIX_TAG_1

struct page_cache_options {
	struct arena *arena;
	struct budget *budget;
	uint32_t block_size;
	/*
	 * Reclaim asks before it drops a clean page, locked; the user lets its buffers go. False:
	 * not now (one is under the journal). It waits for nothing. NULL: always.
	 */
	bool (*may_release)(void *user, struct page *p);
	/*
	 * A mapping's dirty_count left 0 or came back to it; called with a lock of one of its pages
	 * and no other. Calls of several tasks may overtake each other: what counts is dirty_count.
	 * NULL: nobody.
	 */
	void (*dirtied)(void *user, struct mapping *m);
	void *user;
};

/* The arena and the budget outlive the cache; the arena outlives the scheduler too. */
must_check int page_cache_create(const struct page_cache_options *opt, struct page_cache **out);
/* No mapping has a page. NULL: nothing. */
void page_cache_destroy(struct page_cache *c);
uint32_t page_size(const struct page_cache *c);
uint32_t page_blocks(const struct page_cache *c);		/* blocks in a page */
uint64_t page_cache_dirty_pages(const struct page_cache *c);
uint64_t page_cache_reclaimed_pages(const struct page_cache *c);

void mapping_init(struct mapping *m, struct page_cache *c, void *host);
/* No page is left. */
void mapping_fini(struct mapping *m);

/*
 * Referenced, or NULL. No lock is taken; reads no shared word but the page's own count. One that is
 * being removed at this moment may be found or not.
 */
struct page *page_find(struct mapping *m, uint64_t index);
/*
 * Pages that follow each other, from `index` on up to the first that is not there, and up to `max`;
 * how many. Perhaps fewer: what is found at one go. Inside an epoch of the caller's, and not
 * referenced: until he leaves it they keep their bytes, also when they are removed.
 */
uint32_t page_peek_run(struct mapping *m, uint64_t index, struct page **out, uint32_t max);
/*
 * Referenced and locked; made, not uptodate and its bytes not zeroed, when it is not there.
 * -ENOMEM.
 */
must_check int page_find_or_create(struct mapping *m, uint64_t index, struct page **out);
/*
 * Up to `max` pages of [*index, last] that carry the tag, in ascending order, referenced; moves
 * *index behind the last of them. Inside it no lock is taken; a page that comes or goes meanwhile
 * may be missed.
 */
int page_find_tagged(struct mapping *m, uint64_t *index, uint64_t last, enum radix_tag tag,
		     struct page **out, int max);
/* The same, of all pages. */
int page_find_range(struct mapping *m, uint64_t *index, uint64_t last, struct page **out, int max);

static inline struct page *page_hold(struct page *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}
/* put(NULL) does nothing. */
void page_put(struct page *p);
static inline void page_put_scope(struct page **p)
{
	page_put(*p);
}
#define autopage cleanup_with(page_put_scope) struct page *

/* Who waited looks whether the page is REMOVED now. */
void page_lock(struct page *p);
bool page_trylock(struct page *p);
void page_unlock(struct page *p);
/* With the page lock no other write-back of it can begin after this. */
void page_wait_writeback(struct page *p);

/* With the page lock. */
void page_mark_uptodate(struct page *p);
void page_mark_dirty(struct page *p);
/* False when it was clean. Then page_start_writeback, page_mark_dirty again, or page_remove. */
bool page_clear_dirty(struct page *p);
void page_start_writeback(struct page *p);
/* Without it. `err`: recorded in the mapping. */
void page_end_writeback(struct page *p, int err);
/* It may be stored into without its lock, and so is dirty, until it was taken back as often as lent. */
void page_lend(struct page *p);
/* True: nobody has it any more; then it is as dirty as it is. It may be REMOVED. */
bool page_take_back(struct page *p);
/* Takes it out of the mapping; locked, not in WRITEBACK. Its blocks' buffers have been let go. */
void page_remove(struct page *p);

/*
 * Takes out all pages of [first, last], dirty or not: each is locked, its write-back has ended and
 * `release` (or NULL) has let its blocks' buffers go.
 */
void mapping_remove_pages(struct mapping *m, uint64_t first, uint64_t last,
			  void (*release)(void *arg, struct page *p), void *arg);
/* Those pages of [first, last] go that reclaim could take: clean, unlocked and nobody's. */
void mapping_drop_clean(struct mapping *m, uint64_t first, uint64_t last);
/* Write-back of [first, last] that is under way now has ended. */
void mapping_wait_writeback(struct mapping *m, uint64_t first, uint64_t last);
/*
 * What an open file begins its `seen` with: it will be told of an error that nobody was told of
 * yet.
 */
uint32_t mapping_sample_error(const struct mapping *m);
/* An error of write-back since `*seen`, or 0: once for each caller's `seen`. */
int mapping_report_error(struct mapping *m, uint32_t *seen);
/* Records one that page_end_writeback did not see (a block could not be mapped). */
void mapping_record_error(struct mapping *m, int err);

#endif
