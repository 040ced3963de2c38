/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The free space of one group as buddies: aligned powers of two, each as large as it can be. They
 * follow from the bitmap alone: a run of free blocks is cut, from its beginning, into the largest
 * aligned pieces that fit.
 *
 *	free blocks    4 5 6 7 8 9 10 11 12        buddies    4-7 (order 2), 8-11 (order 2), 12 (order 0)
 *
 * Nothing is read from disk here but the group's bitmap, verified before.
 */
#include <string.h>
#include "base/assert.h"
#include "base/bitmap.h"
#include "ext4/mballoc_internal.h"

/* ---- the set of free buddies */

static void buddy_set(struct mb_group *m, int order, uint32_t index)
{
	bitmap_set(m->order[order], index);
	m->counters[order]++;
}

static void buddy_clear(struct mb_group *m, int order, uint32_t index)
{
	bitmap_clear(m->order[order], index);
	m->counters[order]--;
}

static bool buddy_is_free(const struct mb_group *m, int order, uint32_t index)
{
	return bitmap_test(m->order[order], index);
}

/* The order of the free buddy that holds a free block. */
static int order_of(const struct mb_group *m, uint32_t block)
{
	for (uint32_t k = 0; k < m->orders; k++)
		if (buddy_is_free(m, (int)k, block >> k))
			return (int)k;
	ensure(!"a free block lies in a free buddy");
	return -1;
}

/* A free buddy joins its neighbour as long as that is free too. */
static void buddy_add(struct mb_group *m, int order, uint32_t index)
{
	while ((uint32_t)order + 1 < m->orders && buddy_is_free(m, order, index ^ 1) &&
	       ((index | 1) + 1) << order <= m->blocks) {
		buddy_clear(m, order, index ^ 1);
		index >>= 1;
		order++;
	}
	buddy_set(m, order, index);
}

/* Adds [start, start + len) as buddies. */
static void add_range(struct mb_group *m, uint32_t start, uint32_t len)
{
	while (len) {
		int order = start ? __builtin_ctz(start) : (int)m->orders - 1;

		order = min(order, (int)m->orders - 1);
		while (1u << order > len)
			order--;
		buddy_add(m, order, start >> order);
		start += 1u << order;
		len -= 1u << order;
	}
}

/* ---- changes */

/* Whether the range touches free space on its two sides: how many fragments come or go. */
static uint32_t free_sides(const struct mb_group *m, uint32_t start, uint32_t len)
{
	return (start && !bitmap_test(m->taken, start - 1)) +
	       (start + len < m->blocks && !bitmap_test(m->taken, start + len));
}

void mb_mark_free(struct mb_group *m, uint32_t start, uint32_t len)
{
	ensure(start + len <= m->blocks);
	ensure_slow(bitmap_all_ones(m->taken, start, len));
	m->fragments += 1 - free_sides(m, start, len);
	bitmap_clear_range(m->taken, start, len);
	add_range(m, start, len);
	m->free_blocks += len;
}

void mb_mark_taken(struct mb_group *m, uint32_t start, uint32_t len, uint32_t *tail,
		   uint32_t *split_order)
{
	uint32_t end = start + len;

	ensure(end <= m->blocks);
	ensure_slow(bitmap_all_zeros(m->taken, start, len));
	*tail = *split_order = 0;
	m->fragments += free_sides(m, start, len) - 1;
	for (uint32_t at = start; at < end;) {
		int order = order_of(m, at);
		uint32_t first = at >> order << order, behind = first + (1u << order);

		buddy_clear(m, order, at >> order);
		if ((first < at || behind > end) && !*tail) {
			*tail = end - at;
			*split_order = (uint32_t)order;
		}
		if (first < at)
			add_range(m, first, at - first);
		if (behind > end)
			add_range(m, end, behind - end);
		at = min(behind, end);
	}
	bitmap_set_range(m->taken, start, len);
	m->free_blocks -= len;
}

/* ---- questions */

uint32_t mb_piece(const struct mb_group *m, uint32_t start, uint32_t needed)
{
	uint32_t end;

	if (start >= m->blocks || bitmap_test(m->taken, start))
		return 0;
	end = ((start >> order_of(m, start)) + 1) << order_of(m, start);
	while (end - start < needed && end < m->blocks && !bitmap_test(m->taken, end))
		end += 1u << order_of(m, end);
	return end - start;
}

int mb_largest_order(const struct mb_group *m)
{
	for (int k = (int)m->orders - 1; k >= 0; k--)
		if (m->counters[k])
			return k;
	return -1;
}

uint32_t mb_first_buddy(const struct mb_group *m, int order)
{
	return bitmap_next_one(m->order[order], m->blocks >> order, 0) << order;
}

/* ---- making and dropping it */

static struct mb_group *group_alloc(struct ext4_fs *fs, uint32_t blocks)
{
	uint32_t bytes = fs->geo.block_size, orders = fs->geo.block_bits + 2u;
	struct mb_group *m = arena_new(fs->arena, struct mb_group);
	uint8_t *at;

	if (!m)
		return NULL;
	/* taken, order 0, and the rest, each half of the one before */
	m->memory = arena_zalloc(fs->arena, (size_t)bytes * 3 + 64);
	if (!m->memory) {
		arena_free(fs->arena, m);
		return NULL;
	}
	m->blocks = blocks;
	m->orders = min(orders, (uint32_t)MB_ORDERS);
	m->taken = m->memory;
	at = m->memory + bytes;
	for (uint32_t k = 0; k < m->orders; k++) {
		m->order[k] = at;
		at += max(bytes >> k, 1u);
	}
	budget_charge(fs->budget, (size_t)bytes * 3);
	return m;
}

static void group_free(struct ext4_fs *fs, struct mb_group *m)
{
	budget_uncharge(fs->budget, (size_t)fs->geo.block_size * 3);
	arena_free(fs->arena, m->memory);
	arena_free(fs->arena, m);
}

/* Free runs of the bitmap become buddies. */
static void build(struct mb_group *m)
{
	uint32_t at = 0, end;

	while ((at = bitmap_next_zero(m->taken, m->blocks, at)) < m->blocks) {
		end = bitmap_next_one(m->taken, m->blocks, at);
		add_range(m, at, end - at);
		m->free_blocks += end - at;
		m->fragments++;
		at = end;
	}
}

int mb_group_load(struct ext4_fs *fs, struct ext4_group *g)
{
	autobuffer bitmap = NULL;
	struct mb_group *m;
	int err;

	if (likely(atomic_load_explicit(&g->mb, memory_order_acquire) != NULL))
		return 0;
	TRACE_SCOPE(fs, ext4_mb_init_cache);
	err = ext4_read_block_bitmap(fs, g, &bitmap);
	if (err)
		return err;
	m = group_alloc(fs, ext4_group_blocks(&fs->geo, g->number));
	if (!m)
		return -ENOMEM;
	trace(fs, ext4_mb_bitmap_load, g->number);
	trace(fs, ext4_mb_buddy_bitmap_load, g->number);
	mutex_lock(&g->lock);
	if (!atomic_load(&g->mb)) {
		memcpy(m->taken, bitmap->data, fs->geo.block_size);
		build(m);
		atomic_store_explicit(&g->mb, m, memory_order_release);
		m = NULL;
	}
	mutex_unlock(&g->lock);
	if (m)
		group_free(fs, m);
	return 0;
}

void mb_group_drop(struct ext4_fs *fs, struct ext4_group *g)
{
	struct mb_group *m = atomic_load(&g->mb);

	if (!m)
		return;
	atomic_store(&g->mb, NULL);
	group_free(fs, m);
}
