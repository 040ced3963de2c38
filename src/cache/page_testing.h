/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of pages share: one mapping over the rig of testing.h, with pages of four blocks.
 */
#ifndef EXTANT_CACHE_PAGE_TESTING_H
#define EXTANT_CACHE_PAGE_TESTING_H

#include "cache/testing.h"

struct page_rig {
	struct rig rig;
	struct page_cache *pages;
	struct mapping m;
	_Atomic int dirtied, released;
	uint64_t pinned_index;		/* of a page that may not be released */
};

static inline void count_dirtied(void *user, struct mapping *m)
{
	struct page_rig *r = user;

	r->dirtied++;
}

static inline void count_release(void *arg, struct page *p)
{
	struct page_rig *r = arg;

	r->released++;
}

static inline bool may_release(void *user, struct page *p)
{
	struct page_rig *r = user;

	return p->index != r->pinned_index;
}

static inline void page_rig_open(struct page_rig *r, enum sched_mode mode, uint64_t seed,
				 size_t limit_bytes)
{
	struct page_cache_options opt = { .block_size = BLOCK, .may_release = may_release,
					  .dirtied = count_dirtied, .user = r };

	memset(r, 0, sizeof(*r));
	rig_open(&r->rig, mode, seed, limit_bytes, 100, false);
	r->pinned_index = UINT64_MAX;
	opt.arena = r->rig.f.arena;
	opt.budget = r->rig.budget;
	assert_int_equal(page_cache_create(&opt, &r->pages), 0);
	mapping_init(&r->m, r->pages, r);
}

static inline void page_rig_close(struct page_rig *r)
{
	mapping_remove_pages(&r->m, 0, UINT64_MAX, NULL, NULL);
	mapping_fini(&r->m);
	assert_int_equal(page_cache_dirty_pages(r->pages), 0);
	page_cache_destroy(r->pages);
	rig_close(&r->rig);
}

static inline void with_pages(void (*run)(struct page_rig *r), size_t limit_bytes)
{
	static const struct {
		enum sched_mode mode;
		uint64_t seed;
	} ways[] = { { SCHED_THREADED, 0 }, { SCHED_INLINE, 0 },  { SCHED_SEEDED, 1 },
		     { SCHED_SEEDED, 2 },   { SCHED_SEEDED, 3 }, { SCHED_SEEDED, 4 } };

	for (size_t i = 0; i < array_size(ways); i++) {
		static struct page_rig r;

		page_rig_open(&r, ways[i].mode, ways[i].seed, limit_bytes);
		run(&r);
		page_rig_close(&r);
	}
}

/* Locked and referenced. */
static inline struct page *must_make(struct page_rig *r, uint64_t index)
{
	struct page *p = NULL;

	assert_int_equal(page_find_or_create(&r->m, index, &p), 0);
	return p;
}

/* There, uptodate, dirty if asked for; nobody's. */
static inline void make_page(struct page_rig *r, uint64_t index, uint32_t state)
{
	struct page *p = must_make(r, index);

	page_mark_uptodate(p);
	if (state & PAGE_DIRTY)
		page_mark_dirty(p);
	page_unlock(p);
	page_put(p);
}

static inline void put_all(struct page **pages, int count)
{
	for (int i = 0; i < count; i++)
		page_put(pages[i]);
}

static inline uint64_t count_tagged(struct page_rig *r, enum radix_tag tag)
{
	struct page *found[8];
	uint64_t at = 0, total = 0;
	int count;

	while ((count = page_find_tagged(&r->m, &at, UINT64_MAX, tag, found, 8))) {
		put_all(found, count);
		total += (uint64_t)count;
	}
	return total;
}

#endif
