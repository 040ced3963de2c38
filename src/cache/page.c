/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page cache and the life of a page.
 *
 * A page is one allocation: a block for the bytes, whose side is the descriptor. It is found inside
 * an epoch: the tree is walked, and a reference taken with a compare-and-swap that refuses a dying
 * page. Who only copies needs none: the memory of a page is free after the epochs of those who may
 * still stand on it. The cache itself goes with the last of its pages' memory.
 */
#include "cache/page.h"

#include <string.h>
#include "base/assert.h"
#include "cache/page_internal.h"

#define PAGE_BYTES_MIN	 4096u
#define CACHE_LINE_BYTES 64
#define PREFETCH_LINES	 32		/* half of a small page: the processor does the rest itself */

/* ---- the cache */

static size_t descriptor_bytes(const struct page_cache *c)
{
	return sizeof(struct page) + c->blocks_per_page * sizeof(struct page_block);
}

int page_cache_create(const struct page_cache_options *opt, struct page_cache **out)
{
	struct page_cache *c = arena_new(opt->arena, struct page_cache);

	if (!c)
		return -ENOMEM;
	c->opt = *opt;
	c->page_bytes = max(opt->block_size, PAGE_BYTES_MIN);
	c->page_bits = (uint32_t)__builtin_ctz(c->page_bytes);
	c->blocks_per_page = c->page_bytes / opt->block_size;
	while (1u << c->descriptor_bits < descriptor_bytes(c) ||
	       c->descriptor_bits < ARENA_SIDE_BITS_MIN)
		c->descriptor_bits++;
	c->things = 1;
	bit_wait_init(&c->waits);
	lru_init(c);
	c->shrinker = (struct shrinker){ .name = "pages", .shrink = lru_shrink, .arg = c };
	budget_add_shrinker(opt->budget, &c->shrinker);
	*out = c;
	return 0;
}

static void drop_thing(struct page_cache *c)
{
	if (atomic_fetch_sub_explicit(&c->things, 1, memory_order_acq_rel) == 1)
		arena_free(c->opt.arena, c);
}

void page_cache_destroy(struct page_cache *c)
{
	if (!c)
		return;
	budget_remove_shrinker(c->opt.budget, &c->shrinker);
	lru_fini(c);
	bit_wait_fini(&c->waits);
	drop_thing(c);
}

uint32_t page_size(const struct page_cache *c)
{
	return c->page_bytes;
}

uint32_t page_blocks(const struct page_cache *c)
{
	return c->blocks_per_page;
}

uint64_t page_cache_dirty_pages(const struct page_cache *c)
{
	return atomic_load_explicit(&c->dirty_pages, memory_order_relaxed);
}

uint64_t page_cache_reclaimed_pages(const struct page_cache *c)
{
	return atomic_load_explicit(&c->reclaimed, memory_order_relaxed);
}

/* ---- beginning and end of a page */

/* LOCKED, with one reference. */
static struct page *page_alloc(struct mapping *m, uint64_t index)
{
	struct page_cache *c = m->cache;
	struct page *p;
	void *side, *data = arena_block_alloc_sided(c->opt.arena, c->page_bytes,
						    c->descriptor_bits, &side);

	if (!data)
		return NULL;
	p = memset(side, 0, descriptor_bytes(c));
	p->data = data;
	p->state = PAGE_LOCKED;
	p->refs = 1;
	p->index = index;
	p->mapping = m;
	p->cache = c;
	p->wait_key = (m->number << 32) + index;
	list_init(&p->lru);
	atomic_fetch_add_explicit(&c->things, 1, memory_order_relaxed);
	budget_charge(c->opt.budget, descriptor_bytes(c) + c->page_bytes);
	return p;
}

static void memory_free(struct epoch_node *node)
{
	struct page *p = container_of(node, struct page, retire);
	struct page_cache *c = p->cache;

	arena_block_free_sided(c->opt.arena, p->data, c->page_bytes);
	drop_thing(c);
}

void page_free(struct page *p)
{
	struct page_cache *c = p->cache;

	budget_uncharge(c->opt.budget, descriptor_bytes(c) + c->page_bytes);
	epoch_retire(&p->retire, memory_free);
}

void page_put(struct page *p)
{
	if (p && ref_drop(&p->refs))
		page_free(p);
}

/* ---- finding */

static void mark_used(struct page *p)
{
	if (!(atomic_load_explicit(&p->state, memory_order_relaxed) & PAGE_REFERENCED))
		atomic_fetch_or_explicit(&p->state, PAGE_REFERENCED, memory_order_relaxed);
}

bool page_take(struct page *p)
{
	sched_step();
	return ref_take(&p->refs);
}

struct page *page_find(struct mapping *m, uint64_t index)
{
	struct page *p;

	guard_epoch();
	p = radix_lookup(&m->pages, index);
	if (!p || !page_take(p))
		return NULL;
	mark_used(p);
	return p;
}


/* Its bytes are fetched beside the descriptor that says where they are. */
static void prefetch_first(const struct page_cache *c, const struct page *p)
{
	const char *data = arena_block_beside(p, c->page_bits, c->descriptor_bits);

	__builtin_prefetch(p);
	for (int line = 0; line < PREFETCH_LINES; line++)
		__builtin_prefetch(data + line * CACHE_LINE_BYTES);
}

uint32_t page_peek_run(struct mapping *m, uint64_t index, struct page **out, uint32_t max)
{
	uint32_t count = radix_lookup_run(&m->pages, index, (void **)out, max);

	sched_step();
	if (count)
		prefetch_first(m->cache, out[0]);
	for (uint32_t i = 1; i < count; i++)
		__builtin_prefetch(out[i]);
	for (uint32_t i = 0; i < count; i++)
		mark_used(out[i]);
	return count;
}

/* *existing is referenced; NULL: `fresh` is in the tree. */
static int insert(struct mapping *m, struct page *fresh, struct page **existing)
{
	int err;

	guard(&m->lock);
	*existing = radix_lookup(&m->pages, fresh->index);
	if (*existing) {
		page_hold(*existing);	/* in the tree, so alive: it leaves under the lock */
		return 0;
	}
	err = radix_insert(&m->pages, fresh->index, fresh);
	if (err)
		return err;
	page_hold(fresh);
	atomic_fetch_add_explicit(&m->page_count, 1, memory_order_relaxed);
	return 0;
}

/* A new page is locked, and *is_new. */
static int find_or_insert(struct mapping *m, uint64_t index, struct page **out, bool *is_new)
{
	struct page *fresh, *existing;
	int err;

	*is_new = false;
	*out = page_find(m, index);
	if (*out)
		return 0;
	fresh = page_alloc(m, index);
	if (!fresh)
		return -ENOMEM;
	err = insert(m, fresh, &existing);
	if (err || existing)
		page_put(fresh);
	else
		lru_add(fresh, m);
	*is_new = !err && !existing;
	*out = existing ? existing : fresh;
	return err;
}

int page_find_or_create(struct mapping *m, uint64_t index, struct page **out)
{
	struct page *p;
	bool is_new;
	int err;

	for (;;) {
		err = find_or_insert(m, index, &p, &is_new);
		if (err)
			return err;
		if (!is_new)
			page_lock(p);
		if (likely(!(page_state(p) & PAGE_REMOVED)))
			break;
		page_unlock(p);
		page_put(p);
	}
	*out = p;
	return 0;
}

/* ---- the lock */

void page_lock(struct page *p)
{
	lock_rank_assert_below(RANK_PAGE + 1);	/* of pages the order is the caller's */
	if (unlikely(!bit_trylock(&p->state, PAGE_LOCKED)))
		bit_wait_lock(&p->cache->waits, p->wait_key, &p->state, PAGE_LOCKED, "page lock");
}

bool page_trylock(struct page *p)
{
	return bit_trylock(&p->state, PAGE_LOCKED);
}

void page_wait_writeback(struct page *p)
{
	bit_wait_clear(&p->cache->waits, p->wait_key, &p->state, PAGE_WRITEBACK,
		       "write-back of a page");
}

/* ---- the end in a mapping */

void page_detach(struct mapping *m, struct page *p) REQUIRES(m->lock)
{
	atomic_fetch_or(&p->state, PAGE_REMOVED);
	ensure(radix_remove(&m->pages, p->index) == p);
	p->mapping = NULL;
	if (p->lent)
		atomic_fetch_sub(&m->lent_count, 1);
	atomic_fetch_sub_explicit(&m->page_count, 1, memory_order_relaxed);
}

void page_remove(struct page *p)
{
	struct mapping *m = p->mapping;
	bool last;

	ensure(m && (page_state(p) & (PAGE_LOCKED | PAGE_WRITEBACK)) == PAGE_LOCKED);
	mutex_lock(&m->lock);
	last = page_untag_dirty(m, p);
	page_detach(m, p);
	mutex_unlock(&m->lock);
	lru_remove(p, m->number);
	if (last)
		page_tell_dirtied(p->cache, m);
	page_put(p);
}
