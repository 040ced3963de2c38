/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pages of one inode together: walks by index or tag, removal, waiting for write-back, and the
 * errors of write-back.
 *
 * An error is told once to each open file. The mapping counts its errors; an open file remembers
 * the count it was told of, or found when it was opened. One that nobody was told of yet is told to
 * files opened later too: their count begins before it.
 */
#include "base/assert.h"
#include "cache/page_internal.h"

#define BATCH_PAGES 16

void mapping_init(struct mapping *m, struct page_cache *c, void *host)
{
	*m = (struct mapping){ .cache = c, .host = host };
	m->number = atomic_fetch_add_explicit(&c->last_mapping, 1, memory_order_relaxed) + 1;
	mutex_init(&m->lock, RANK_PAGE_TREE);
	radix_init(&m->pages, c->opt.arena, epoch_retire);
}

/* Reclaim may just have taken the last page out: it has left once the lock was to be had. */
void mapping_fini(struct mapping *m)
{
	mutex_lock(&m->lock);
	ensure(radix_empty(&m->pages) && !m->page_count && !m->dirty_count && !m->writeback_count);
	mutex_unlock(&m->lock);
	radix_fini(&m->pages);
	mutex_fini(&m->lock);
}

/* ---- walks */

#define ALL_PAGES RADIX_TAGS		/* instead of a tag */

static struct page *next_page(struct mapping *m, uint64_t *index, enum radix_tag tag)
{
	return tag == ALL_PAGES ? radix_next(&m->pages, index) :
				  radix_next_tagged(&m->pages, index, tag);
}

static int find(struct mapping *m, uint64_t *index, uint64_t last, enum radix_tag tag,
		struct page **out, int max)
{
	uint64_t at = *index;
	struct page *p;
	int count = 0;

	guard_epoch();
	for (; count < max && at <= last && (p = next_page(m, &at, tag)) && at <= last; at++) {
		if (!page_take(p))
			continue;
		out[count++] = p;
		*index = at + 1;
	}
	return count;
}

int page_find_tagged(struct mapping *m, uint64_t *index, uint64_t last, enum radix_tag tag,
		     struct page **out, int max)
{
	return find(m, index, last, tag, out, max);
}

int page_find_range(struct mapping *m, uint64_t *index, uint64_t last, struct page **out, int max)
{
	return find(m, index, last, ALL_PAGES, out, max);
}

static void remove_one(struct page *p, void (*release)(void *arg, struct page *p), void *arg)
{
	page_lock(p);
	if (!(page_state(p) & PAGE_REMOVED)) {
		page_wait_writeback(p);
		if (release)
			release(arg, p);
		page_remove(p);
	}
	page_unlock(p);
}

void mapping_remove_pages(struct mapping *m, uint64_t first, uint64_t last,
			  void (*release)(void *arg, struct page *p), void *arg)
{
	struct page *pages[BATCH_PAGES];
	int count;

	while ((count = page_find_range(m, &first, last, pages, BATCH_PAGES))) {
		for (int i = 0; i < count; i++) {
			remove_one(pages[i], release, arg);
			page_put(pages[i]);
		}
	}
}

void mapping_wait_writeback(struct mapping *m, uint64_t first, uint64_t last)
{
	struct page *pages[BATCH_PAGES];
	int count;

	while ((count = page_find_tagged(m, &first, last, MAPPING_TAG_WRITEBACK, pages,
					 BATCH_PAGES))) {
		for (int i = 0; i < count; i++) {
			page_wait_writeback(pages[i]);
			page_put(pages[i]);
		}
	}
}

/* ---- errors of write-back */

void mapping_record_error(struct mapping *m, int err)
{
	guard(&m->lock);
	atomic_store_explicit(&m->error, err, memory_order_relaxed);
	atomic_store_explicit(&m->error_seq, (m->error_seq & ~1u) + 2, memory_order_release);
}

uint32_t mapping_sample_error(const struct mapping *m)
{
	uint32_t seq = atomic_load_explicit(&m->error_seq, memory_order_acquire);

	return seq && !(seq & 1) ? seq - 2 : seq;
}

int mapping_report_error(struct mapping *m, uint32_t *seen)
{
	if (atomic_load_explicit(&m->error_seq, memory_order_acquire) >> 1 == *seen >> 1)
		return 0;
	guard(&m->lock);
	*seen = atomic_fetch_or(&m->error_seq, 1) | 1;
	return m->error;
}
