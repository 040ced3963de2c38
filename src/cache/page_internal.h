/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the page cache share.
 *
 *	page.c         the cache, a page's life: find, create, lock, put, remove
 *	page_state.c   dirty, write-back
 *	page_lru.c     the order of age, and what reclaim takes
 *	mapping.c      the pages of one inode together; errors of write-back
 *
 * Locks, each taken while holding only those before it:
 *
 *	page lock      RANK_PAGE        a bit of the page's state
 *	mapping.lock   RANK_PAGE_TREE   tree, tags, counts
 *	lru_part.lock  RANK_LRU         the order of age of some mappings' pages
 *	waits          RANK_IO          waiting for LOCKED and WRITEBACK
 */
#ifndef EXTANT_CACHE_PAGE_INTERNAL_H
#define EXTANT_CACHE_PAGE_INTERNAL_H

#include "base/errors.h"
#include "cache/bit_wait.h"
#include "cache/page.h"
#include "cache/ref.h"

#define LRU_PARTS 16			/* a power of two */

/* Writers into different files seldom meet in one. */
struct lru_part {
	struct mutex lock;
	struct list pages GUARDED_BY(lock);	/* newest first, but for the second chance */
	size_t count GUARDED_BY(lock);
};

struct page_cache {
	struct page_cache_options opt;	/* constant */
	uint32_t page_bytes, page_bits;	/* constant */
	uint32_t descriptor_bits;	/* constant; log2 of what a page's description takes */
	uint32_t blocks_per_page;	/* constant */
	struct bit_wait waits;
	struct lru_part lru[LRU_PARTS];
	struct shrinker shrinker;
	_Atomic uint32_t hand;		/* the part that reclaim goes on with */
	_Atomic uint64_t last_mapping;	/* number */
	_Atomic uint64_t dirty_pages, reclaimed;
	_Atomic uint64_t things;	/* pages and the cache itself, until their memory is free */
};

static inline uint32_t page_state(const struct page *p)
{
	return atomic_load_explicit(&p->state, memory_order_acquire);
}

/* ---- page.c */

/* Takes a reference, unless it is dying. Inside an epoch. */
must_check bool page_take(struct page *p);
/* The last reference is gone. Waits for nothing. */
void page_free(struct page *p);
/* Takes it out of the tree; its mapping's reference is the caller's to drop. */
void page_detach(struct mapping *m, struct page *p) REQUIRES(m->lock);

/* ---- page_state.c */

/* The page is not dirty any more: its tag and its count. True when the mapping has none left. */
bool page_untag_dirty(struct mapping *m, struct page *p) REQUIRES(m->lock);
void page_tell_dirtied(struct page_cache *c, struct mapping *m);

/* ---- page_lru.c */

void lru_init(struct page_cache *c);
void lru_fini(struct page_cache *c);
void lru_add(struct page *p, struct mapping *m);
/* It is REMOVED. */
void lru_remove(struct page *p, uint64_t mapping_number);
size_t lru_shrink(void *cache, size_t want);

#endif
