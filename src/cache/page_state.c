/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dirty pages and those being written.
 *
 *	DIRTY  CLEANING  tag dirty, counted
 *	  1       -       yes                 to be written
 *	  0       1       yes                 page_clear_dirty: its lock holder is about to write it
 *	  0       0       no
 *
 * DIRTY and CLEANING change with the page lock. The tag follows under the mapping's lock. WRITEBACK
 * has a tag and a count of its own, and holds a reference. A lent page goes from CLEANING to DIRTY.
 */
#include "base/assert.h"
#include "cache/page_internal.h"

static uint32_t set(struct page *p, uint32_t bits)
{
	return atomic_fetch_or(&p->state, bits);
}

static uint32_t clear(struct page *p, uint32_t bits)
{
	return atomic_fetch_and(&p->state, ~bits);
}

void page_tell_dirtied(struct page_cache *c, struct mapping *m)
{
	if (c->opt.dirtied)
		c->opt.dirtied(c->opt.user, m);
}

/* True when it is the mapping's first. */
static bool tag_dirty(struct mapping *m, struct page *p)
{
	guard(&m->lock);
	radix_set_tag(&m->pages, p->index, MAPPING_TAG_DIRTY);
	atomic_fetch_add_explicit(&m->cache->dirty_pages, 1, memory_order_relaxed);
	return atomic_fetch_add(&m->dirty_count, 1) == 0;
}

bool page_untag_dirty(struct mapping *m, struct page *p) REQUIRES(m->lock)
{
	if (!(clear(p, PAGE_DIRTY | PAGE_CLEANING) & (PAGE_DIRTY | PAGE_CLEANING)))
		return false;
	radix_clear_tag(&m->pages, p->index, MAPPING_TAG_DIRTY);
	atomic_fetch_sub_explicit(&m->cache->dirty_pages, 1, memory_order_relaxed);
	return atomic_fetch_sub(&m->dirty_count, 1) == 1;
}

void page_mark_uptodate(struct page *p)
{
	set(p, PAGE_UPTODATE);
}

void page_mark_dirty(struct page *p)
{
	struct mapping *m = p->mapping;
	uint32_t before = set(p, PAGE_DIRTY);

	ensure(m && before & PAGE_LOCKED);
	if (before & PAGE_CLEANING)
		clear(p, PAGE_CLEANING);
	else if (!(before & PAGE_DIRTY) && tag_dirty(m, p))
		page_tell_dirtied(p->cache, m);
}

bool page_clear_dirty(struct page *p)
{
	uint32_t state = page_state(p);

	ensure(state & PAGE_LOCKED);
	if (!(state & PAGE_DIRTY))
		return false;
	set(p, PAGE_CLEANING);
	clear(p, PAGE_DIRTY);
	return true;
}

/* It is not written after all. */
static void end_cleaning(struct page *p)
{
	struct mapping *m = p->mapping;
	bool last;

	mutex_lock(&m->lock);
	last = page_untag_dirty(m, p);
	mutex_unlock(&m->lock);
	if (last)
		page_tell_dirtied(p->cache, m);
}

void page_unlock(struct page *p)
{
	uint32_t state = page_state(p);

	ensure(state & PAGE_LOCKED);
	if (unlikely(state & PAGE_CLEANING))
		end_cleaning(p);
	if (unlikely(bit_unlock(&p->state, PAGE_LOCKED)))
		bit_wait_wake(&p->cache->waits, p->wait_key, &p->state);
}

void page_lend(struct page *p)
{
	if (!p->lent++)
		atomic_fetch_add(&p->mapping->lent_count, 1);
	page_mark_dirty(p);
}

bool page_take_back(struct page *p)
{
	ensure(page_state(p) & PAGE_LOCKED && p->lent);
	if (--p->lent)
		return false;
	if (p->mapping)
		atomic_fetch_sub(&p->mapping->lent_count, 1);
	return true;
}

void page_start_writeback(struct page *p)
{
	struct mapping *m = p->mapping;
	uint32_t before = set(p, PAGE_WRITEBACK);
	bool last = false;

	ensure(m && before & PAGE_LOCKED && !(before & PAGE_WRITEBACK));
	page_hold(p);
	mutex_lock(&m->lock);
	radix_set_tag(&m->pages, p->index, MAPPING_TAG_WRITEBACK);
	atomic_fetch_add_explicit(&m->writeback_count, 1, memory_order_relaxed);
	if (before & PAGE_CLEANING && !p->lent)
		last = page_untag_dirty(m, p);
	mutex_unlock(&m->lock);
	if (p->lent)
		page_mark_dirty(p);
	clear(p, PAGE_ERROR);
	if (last)
		page_tell_dirtied(p->cache, m);
}

/* The mapping is not touched any more once WRITEBACK is clear: its last page may go then. */
void page_end_writeback(struct page *p, int err)
{
	struct page_cache *c = p->cache;
	struct mapping *m = p->mapping;

	ensure(page_state(p) & PAGE_WRITEBACK);
	if (err) {
		set(p, PAGE_ERROR);
		mapping_record_error(m, err);
	}
	mutex_lock(&m->lock);
	radix_clear_tag(&m->pages, p->index, MAPPING_TAG_WRITEBACK);
	atomic_fetch_sub_explicit(&m->writeback_count, 1, memory_order_relaxed);
	mutex_unlock(&m->lock);
	if (bit_unlock(&p->state, PAGE_WRITEBACK))
		bit_wait_wake(&c->waits, p->wait_key, &p->state);
	page_put(p);
	budget_cleaned(c->opt.budget);
}
