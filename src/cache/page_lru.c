/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The age of pages, and their reclaim.
 *
 * A clock with a second chance, in parts by mapping: reclaim looks at the oldest page of a part and
 * sends it to the front; if it was not used since the last look (PAGE_REFERENCED), is clean and
 * nobody's, it is a candidate. So look-ups do not touch the list.
 *
 * The lock of a part ranks behind a page's lock and its mapping's. So candidates are only
 * referenced under it; then, without it, each is locked if that needs no waiting, asked about
 * (may_release), and dropped under its mapping's lock if nobody else has it by then. A locked page
 * that has a mapping keeps it alive.
 */
#include "base/assert.h"
#include "cache/page_internal.h"

#define SCAN_BATCH	64		/* pages looked at while holding a part */
#define BUSY (PAGE_LOCKED | PAGE_DIRTY | PAGE_CLEANING | PAGE_WRITEBACK)

static struct lru_part *part_of(struct page_cache *c, uint64_t mapping_number)
{
	return &c->lru[mapping_number % LRU_PARTS];
}

void lru_init(struct page_cache *c)
{
	for (int i = 0; i < LRU_PARTS; i++) {
		mutex_init(&c->lru[i].lock, RANK_LRU);
		list_init(&c->lru[i].pages);
	}
}

void lru_fini(struct page_cache *c)
{
	for (int i = 0; i < LRU_PARTS; i++) {
		ensure(list_empty(&c->lru[i].pages));
		mutex_fini(&c->lru[i].lock);
	}
}

/* The page is locked: nobody removes it before it is here. */
void lru_add(struct page *p, struct mapping *m)
{
	struct lru_part *part = part_of(p->cache, m->number);

	guard(&part->lock);
	list_add_head(&part->pages, &p->lru);
	part->count++;
}

void lru_remove(struct page *p, uint64_t mapping_number)
{
	struct lru_part *part = part_of(p->cache, mapping_number);

	guard(&part->lock);
	list_remove(&p->lru);
	part->count--;
}

/* ---- reclaim */

/* True when it is referenced as a candidate. */
static bool look_at(struct lru_part *part, struct page *p) REQUIRES(part->lock)
{
	uint32_t state = atomic_load_explicit(&p->state, memory_order_relaxed);

	list_remove(&p->lru);
	list_add_head(&part->pages, &p->lru);
	if (state & PAGE_REFERENCED) {
		atomic_fetch_and_explicit(&p->state, ~PAGE_REFERENCED, memory_order_relaxed);
		return false;
	}
	return !(state & BUSY) && atomic_load_explicit(&p->refs, memory_order_relaxed) == 1 &&
	       ref_take(&p->refs);
}

/* Candidates among the oldest SCAN_BATCH, at most *left of which are still to be looked at. */
static int pick(struct lru_part *part, int wanted, struct page **out, size_t *left)
{
	struct page *p;
	int count = 0;

	guard(&part->lock);
	*left = min(*left, 2 * part->count);
	for (int i = 0; i < SCAN_BATCH && *left > 0 && count < wanted; i++, --*left) {
		p = list_last(&part->pages, struct page, lru);
		__builtin_prefetch(list_entry(p->lru.prev, struct page, lru));
		if (look_at(part, p))
			out[count++] = p;
	}
	return count;
}

/* The page is locked, and the caller has a reference: with the tree's that makes two. */
static bool drop_locked(struct page *p)
{
	struct page_cache *c = p->cache;
	struct mapping *m = p->mapping;
	uint64_t number;
	bool killed;

	if (!m || page_state(p) & (BUSY & ~PAGE_LOCKED))
		return false;
	if (c->opt.may_release && !c->opt.may_release(c->opt.user, p))
		return false;
	number = m->number;
	mutex_lock(&m->lock);
	killed = ref_kill(&p->refs, 2);
	if (killed)
		page_detach(m, p);
	mutex_unlock(&m->lock);
	if (killed)
		lru_remove(p, number);
	return killed;
}

static bool drop(struct page *p)
{
	if (page_trylock(p)) {
		if (drop_locked(p)) {
			page_free(p);
			return true;
		}
		page_unlock(p);
	}
	page_put(p);
	return false;
}

void mapping_drop_clean(struct mapping *m, uint64_t first, uint64_t last)
{
	struct page *pages[SCAN_BATCH];
	int count;

	while ((count = page_find_range(m, &first, last, pages, SCAN_BATCH)))
		for (int i = 0; i < count; i++)
			(void)drop(pages[i]);
}

static size_t shrink_batch(struct page_cache *c, struct lru_part *part, size_t want, size_t *left)
{
	struct page *pages[SCAN_BATCH];
	size_t freed = 0, wanted = want / c->page_bytes + 1;
	int count = pick(part, (int)min(wanted, (size_t)SCAN_BATCH), pages, left);

	for (int i = 0; i < count; i++) {
		if (!drop(pages[i]))
			continue;
		freed += c->page_bytes;
		atomic_fetch_add_explicit(&c->reclaimed, 1, memory_order_relaxed);
	}
	return freed;
}

static size_t part_count(struct lru_part *part)
{
	guard(&part->lock);
	return part->count;
}

/* The parts in turn, a batch of each; each page is looked at twice at most. */
size_t lru_shrink(void *cache, size_t want)
{
	struct page_cache *c = cache;
	size_t left[LRU_PARTS], total = 0, freed = 0;

	for (int i = 0; i < LRU_PARTS; i++)
		total += left[i] = 2 * part_count(&c->lru[i]);
	while (freed < want && total > 0) {
		uint32_t i =
			atomic_fetch_add_explicit(&c->hand, 1, memory_order_relaxed) % LRU_PARTS;
		size_t before = left[i];

		freed += shrink_batch(c, &c->lru[i], want - freed, &left[i]);
		total -= before - left[i];
	}
	return freed;
}
