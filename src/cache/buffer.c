/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The buffer cache and the life of a buffer.
 *
 *	(absent) --get, read, create, attach--> in the hash --reclaim, of one that is idle--> gone
 *	in the hash --forget, create anew--> FORGOTTEN --last reference--> gone
 *
 * The hash holds one reference, each user and each queue of dirty buffers another. A buffer nobody
 * else holds is idle, and is reclaimed when memory is short. One that is FORGOTTEN is out of the
 * hash: its holders have the bytes to themselves, the block may already be something else.
 *
 * At the end of a buffer its bytes are free at once, since only holders look at them; the
 * descriptor stays until the look-ups that may stand on it have left their epochs. The cache itself
 * goes with the last of its things, so that epochs may end later than the cache.
 */
#include "cache/buffer.h"

#include <string.h>

#include "base/assert.h"
#include "cache/buffer_internal.h"
#include "cache/page.h"

/* ---- the cache */

int buffer_cache_create(const struct buffer_cache_options *opt, struct buffer_cache **out)
{
	struct buffer_cache *c = arena_new(opt->arena, struct buffer_cache);

	if (!c)
		return -ENOMEM;
	c->opt = *opt;
	c->block_count = opt->block_count;
	c->things = 1;
	buffer_hash_init(c);
	bit_wait_init(&c->io);
	mutex_init(&c->dirty_lock, RANK_LRU);
	c->shrinker =
		(struct shrinker){ .name = "buffers", .shrink = buffer_hash_shrink, .arg = c };
	budget_add_shrinker(opt->budget, &c->shrinker);
	*out = c;
	return 0;
}

void buffer_cache_drop_thing(struct buffer_cache *c)
{
	if (atomic_fetch_sub_explicit(&c->things, 1, memory_order_acq_rel) == 1)
		arena_free(c->opt.arena, c);
}

void buffer_cache_destroy(struct buffer_cache *c) UNCHECKED_LOCKING
{
	if (!c)
		return;
	budget_remove_shrinker(c->opt.budget, &c->shrinker);
	buffer_hash_fini(c);
	ensure(!c->dirty.root);
	mutex_fini(&c->dirty_lock);
	bit_wait_fini(&c->io);
	buffer_cache_drop_thing(c);
}

uint32_t buffer_cache_block_size(const struct buffer_cache *c)
{
	return c->opt.block_size;
}

uint64_t buffer_cache_block_count(const struct buffer_cache *c)
{
	return atomic_load_explicit(&c->block_count, memory_order_relaxed);
}

struct block_device *buffer_cache_device(const struct buffer_cache *c)
{
	return c->opt.device;
}

void *buffer_cache_user(const struct buffer_cache *c)
{
	return c->opt.user;
}

void buffer_cache_set_geometry(struct buffer_cache *c, uint32_t block_size, uint64_t block_count)
{
	if (block_size != c->opt.block_size) {
		(void)buffer_hash_shrink(c, SIZE_MAX);	/* what is left is counted next */
		ensure(buffer_hash_count(c) == 0);
		c->opt.block_size = block_size;
	}
	atomic_store_explicit(&c->block_count, block_count, memory_order_relaxed);
}

void buffer_cache_invalidate(struct buffer_cache *c)
{
	(void)buffer_hash_shrink(c, SIZE_MAX);
}

void buffer_cache_get_stats(struct buffer_cache *c, struct buffer_cache_stats *out)
{
	*out = (struct buffer_cache_stats){
		.count = buffer_hash_count(c),
		.reads = c->reads,
		.read_blocks = c->read_blocks,
		.writes = c->writes,
		.write_blocks = c->write_blocks,
		.reclaimed = c->reclaimed,
	};
	guard(&c->dirty_lock);
	out->dirty = c->dirty_count;
}

int buffer_damaged(struct buffer_cache *c, uint64_t block, const struct buffer_kind *kind,
		   const struct buffer_owner *owner, const char *why)
{
	static const struct buffer_owner nobody;
	struct buffer_damage d = { block, kind, owner ? owner : &nobody, why };

	if (c->opt.damaged)
		c->opt.damaged(c->opt.user, &d);
	return -EFSCORRUPTED;
}

/* ---- beginning and end of a buffer */

static size_t buffer_bytes(const struct buffer *b)
{
	return sizeof(*b) + (b->page ? 0 : b->cache->opt.block_size);
}

int buffer_alloc(struct buffer_cache *c, uint64_t block, struct page *page, uint8_t *data,
		 struct buffer **out)
{
	struct buffer *b = arena_new(c->opt.arena, struct buffer);

	if (!b)
		return -ENOMEM;
	b->data = page ? data : arena_block_alloc(c->opt.arena, c->opt.block_size);
	if (!b->data) {
		arena_free(c->opt.arena, b);
		return -ENOMEM;
	}
	b->page = page ? page_hold(page) : NULL;
	b->block = block;
	b->cache = c;
	b->refs = 1;
	mutex_init(&b->state_lock, RANK_BUFFER_STATE);
	list_init(&b->lru);
	atomic_fetch_add_explicit(&c->things, 1, memory_order_relaxed);
	budget_charge(c->opt.budget, buffer_bytes(b));
	*out = b;
	return 0;
}

static void descriptor_free(struct epoch_node *node)
{
	struct buffer *b = container_of(node, struct buffer, retire);
	struct buffer_cache *c = b->cache;

	arena_free(c->opt.arena, b);
	buffer_cache_drop_thing(c);
}

void buffer_free(struct buffer *b)
{
	struct buffer_cache *c = b->cache;

	ensure(!(buffer_state(b) & BUFFER_QUEUED) && !b->journal_head);
	mutex_fini(&b->state_lock);
	budget_uncharge(c->opt.budget, buffer_bytes(b));
	if (b->page)
		page_put(b->page);
	else
		arena_block_free(c->opt.arena, b->data, c->opt.block_size);
	epoch_retire(&b->retire, descriptor_free);
}

/*
 * A page's buffer is of no use to anybody once its holders are gone; the page shall not wait for
 * it.
 */
static void put_attached(struct buffer *b)
{
	guard_epoch();
	if (ref_drop(&b->refs))
		buffer_free(b);
	else if (atomic_load_explicit(&b->refs, memory_order_relaxed) == 1)
		buffer_hash_drop_idle(b->cache, b);
}

void buffer_put(struct buffer *b)
{
	if (!b)
		return;
	if (unlikely(b->page))
		put_attached(b);
	else if (ref_drop(&b->refs))
		buffer_free(b);
}

/* ---- the buffer of a block */

static int check_range(struct buffer_cache *c, uint64_t block, const struct buffer_kind *kind,
		       const struct buffer_owner *owner)
{
	if (likely(block < atomic_load_explicit(&c->block_count, memory_order_relaxed)))
		return 0;
	return buffer_damaged(c, block, kind, owner, "beyond the end of the file system");
}

/* Another one is used instead, or none. */
static void discard(struct buffer *fresh)
{
	if (ref_drop(&fresh->refs))
		buffer_free(fresh);
}

int buffer_get_or_insert(struct buffer_cache *c, uint64_t block, uint32_t state,
			 struct buffer **out, bool *is_new)
{
	struct buffer *fresh, *existing;
	int err = buffer_alloc(c, block, NULL, NULL, &fresh);

	if (err)
		return err;
	atomic_store_explicit(&fresh->state, state, memory_order_relaxed);
	err = buffer_hash_insert(c, fresh, &existing);
	if (err || existing)
		discard(fresh);
	if (err)
		return err;
	*is_new = !existing;
	*out = existing ? existing : fresh;
	return 0;
}

int buffer_get_for(struct buffer_cache *c, uint64_t block, const struct buffer_kind *kind,
		   const struct buffer_owner *owner, struct buffer **out)
{
	struct buffer *b = buffer_hash_find(c, block);
	bool is_new;
	int err;

	if (likely(b)) {
		*out = b;
		return 0;
	}
	err = check_range(c, block, kind, owner);
	return err ? err : buffer_get_or_insert(c, block, 0, out, &is_new);
}

int buffer_get(struct buffer_cache *c, uint64_t block, struct buffer **out)
{
	return buffer_get_for(c, block, NULL, NULL, out);
}

struct buffer *buffer_find(struct buffer_cache *c, uint64_t block)
{
	return buffer_hash_find(c, block);
}

bool buffer_is_claimed(struct buffer *b)
{
	return b->page || atomic_load(&b->journal_head) ||
	       buffer_state(b) & (BUFFER_DIRTY | BUFFER_NEW);
}

/* What was there is out of the hash; a transfer of it may still be under way. */
static void let_go(struct buffer *old)
{
	if (!old)
		return;
	buffer_clear_dirty(old);
	buffer_wait_io(old);
	buffer_put(old);
}

static int put_in_place(struct buffer_cache *c, struct buffer *fresh, struct buffer **out)
{
	struct buffer *old;
	int err = buffer_hash_replace(c, fresh, &old);

	if (err == -EFSCORRUPTED)
		(void)buffer_damaged(c, fresh->block, fresh->kind, &fresh->owner,
				     "allocated while it is in use");
	if (err) {
		discard(fresh);
		return err;
	}
	let_go(old);
	*out = fresh;
	return 0;
}

int buffer_create(struct buffer_cache *c, uint64_t block, const struct buffer_kind *kind,
		  const struct buffer_owner *owner, struct buffer **out)
{
	struct buffer *fresh;
	int err = check_range(c, block, kind, owner);

	if (!err)
		err = buffer_alloc(c, block, NULL, NULL, &fresh);
	if (err)
		return err;
	memset(fresh->data, 0, c->opt.block_size);
	buffer_set_kind(fresh, kind, owner);
	atomic_fetch_or(&fresh->state, BUFFER_NEW);
	return put_in_place(c, fresh, out);
}

/* Whether the bytes at `data` in the page are valid. With the page lock. */
static bool page_bytes_valid(const struct page *page, const uint8_t *data, uint32_t block_size)
{
	size_t i = (size_t)(data - page->data) / block_size;

	return atomic_load(&page->state) & PAGE_UPTODATE || page->blocks[i].state & PB_UPTODATE;
}

static void note_validity(struct buffer *b, const struct page *page)
{
	if (page_bytes_valid(page, b->data, b->cache->opt.block_size))
		atomic_fetch_or(&b->state, BUFFER_UPTODATE);
}

int buffer_attach_page(struct buffer_cache *c, uint64_t block, struct page *page, uint8_t *data,
		       struct buffer **out)
{
	struct buffer *b = buffer_hash_find(c, block);
	int err;

	if (b && b->page == page && b->data == data) {
		note_validity(b, page);
		*out = b;
		return 0;
	}
	buffer_put(b);
	err = check_range(c, block, NULL, NULL);
	if (!err)
		err = buffer_alloc(c, block, page, data, &b);
	if (err)
		return err;
	note_validity(b, page);
	return put_in_place(c, b, out);
}

void buffer_forget(struct buffer_cache *c, uint64_t block)
{
	let_go(buffer_hash_remove(c, block));
}
