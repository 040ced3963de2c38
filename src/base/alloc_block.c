/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arena: blocks of bytes, aligned to their size and without a header. They lie in regions, each
 * a chunk, so that a block's address tells its region. The region's description lies where its
 * first block would be; of that only the first page is ever touched, so that it costs a
 * sixty-fourth at most. (Of a huge page all is there: blocks larger than a page get none.)
 *
 * Blocks with a side: the sides lie together where the first blocks would be, in the order of the
 * blocks; the description lies where the sides of those first blocks would be.
 *
 *	| description, side 2, side 3, ... side 63 | block 2 | block 3 | ... block 63 |
 *
 * Free blocks are linked through their own first bytes. An empty region is given back unless it is
 * the last of its size with room.
 *
 * With the address sanitizer a block is a piece of the C library's of twice its size: its
 * description lies at the start, the block in the second half, and what is between is poisoned.
 */
#include "base/alloc.h"
#include "base/alloc_internal.h"

#include <stdlib.h>

#include "base/assert.h"

#define REGION_BYTES CHUNK_BYTES
#define REGION_MAGIC 0x4e610123u
#define HUGE_ORDER_MAX 12		/* of blocks that may lie in huge pages: 4 KiB */

struct free_block {
	struct free_block *next;
};

struct region {
	struct list in_shard;
	struct list with_room;		/* empty: no room */
	struct shard *home;
	struct stretch *stretch;	/* it is a chunk of; NULL: the C library's */
	struct free_block *free;
	uint32_t magic;
	uint32_t order;			/* log2 of the size of its blocks */
	uint32_t side_bits;		/* log2 of the size of their sides; 0: they have none */
	uint32_t used;
	uint32_t fresh;			/* blocks from here on were never used */
};
_Static_assert(sizeof(struct region) <= (size_t)1 << BLOCK_ORDER_MIN &&
		       sizeof(struct region) <= (size_t)1 << ARENA_SIDE_BITS_MIN,
	       "a region's description lies in one block, or one side");

static uint32_t order_of(size_t size)
{
	uint32_t order = (uint32_t)__builtin_ctzll(size | (size_t)1 << 63);

	ensure(size == (size_t)1 << order);
	ensure(order >= BLOCK_ORDER_MIN && order < BLOCK_ORDER_MIN + BLOCK_ORDER_COUNT);
	return order;
}

static struct room *room_of(struct shard *s, uint32_t order, uint32_t side_bits)
{
	return &(side_bits ? s->sided : s->orders)[order - BLOCK_ORDER_MIN];
}

/* The first one that is a block: before it lie the description and the sides. */
static uint32_t first_block(uint32_t order, uint32_t side_bits)
{
	size_t sides = side_bits ? REGION_BYTES >> order << side_bits : 1;

	return (uint32_t)((sides + ((size_t)1 << order) - 1) >> order);
}

static struct region *region_create(struct shard *s, uint32_t order, uint32_t side_bits)
{
	struct room *room = room_of(s, order, side_bits);
	struct stretch *stretch;
	struct region *region =
		chunk_alloc(s, order <= HUGE_ORDER_MAX && shard_is_large(s), &stretch);

	if (!region)
		return NULL;
	*region = (struct region){
		.home = s,
		.stretch = stretch,
		.magic = REGION_MAGIC,
		.order = order,
		.side_bits = side_bits,
		.fresh = first_block(order, side_bits),
	};
	list_add_head(&s->regions, &region->in_shard);
	list_add_head(&room->with_room, &region->with_room);
	room->count++;
	return region;
}

static void region_destroy(struct region *region)
{
	struct shard *s = region->home;

	list_remove(&region->in_shard);
	list_remove(&region->with_room);
	room_of(s, region->order, region->side_bits)->count--;
	chunk_free(s, region, region->stretch);
}

static bool region_has_room(const struct region *region)
{
	return region->free || region->fresh < REGION_BYTES >> region->order;
}

static void *region_take(struct region *region)
{
	void *p = region->free;

	if (p)
		region->free = region->free->next;
	else
		p = (char *)region + ((size_t)region->fresh++ << region->order);
	region->used++;
	if (!region_has_room(region))
		list_remove(&region->with_room);
	return p;
}

static void region_give_back(struct region *region, void *p)
{
	struct room *room = room_of(region->home, region->order, region->side_bits);
	struct free_block *block = p;

	if (!region_has_room(region))
		list_add_head(&room->with_room, &region->with_room);
	block->next = region->free;
	region->free = block;
	region->used--;
	if (region->used == 0 && room->with_room.next != room->with_room.prev)
		region_destroy(region);
}

static size_t bytes_of(uint32_t order, uint32_t side_bits)
{
	return ((size_t)1 << order) + (side_bits ? (size_t)1 << side_bits : 0);
}

static void *region_block_alloc(struct arena *a, uint32_t order, uint32_t side_bits)
{
	struct shard *s = shard_lock_mine(a);
	struct region *region = list_first(&room_of(s, order, side_bits)->with_room, struct region,
					   with_room);
	void *p = NULL;

	if (!region)
		region = region_create(s, order, side_bits);
	if (region) {
		ensure(region->side_bits == side_bits);
		p = region_take(region);
		shard_add_bytes(s, bytes_of(order, side_bits));
		shard_count_allocation(s);
	}
	shard_unlock(s);
	return p;
}

static void region_block_free(void *p, uint32_t order)
{
	struct region *region = (struct region *)((uintptr_t)p & ~(uintptr_t)(REGION_BYTES - 1));
	struct shard *s = region->home;

	ensure(region->magic == REGION_MAGIC && region->order == order);
	ensure(((uintptr_t)p & (((size_t)1 << order) - 1)) == 0);
	shard_lock(s);
	shard_add_bytes(s, -bytes_of(order, region->side_bits));
	region_give_back(region, p);
	shard_unlock(s);
}

void shard_drop_regions(struct shard *s)
{
	struct region *region, *next;

	list_for_each_safe(region, next, &s->regions, in_shard)
		if (!region->stretch)
			free(region);
}

#if ARENA_PASSES_THROUGH

#include <sanitizer/asan_interface.h>

static void *block_alloc(struct arena *a, uint32_t order)
{
	size_t size = (size_t)1 << order;
	struct large *large = aligned_alloc(size, 2 * size);

	(void)region_block_alloc;
	if (!large)
		return NULL;
	*large = (struct large){ .start = large, .size = size, .footprint = 2 * size };
	large_link(a, large);
	ASAN_POISON_MEMORY_REGION(large + 1, size - sizeof(*large));
	return (char *)large + size;
}

static void block_free(void *p, uint32_t order)
{
	size_t size = (size_t)1 << order;
	struct large *large = (struct large *)((char *)p - size);

	(void)region_block_free;
	ensure(large->size == size);
	large_unlink(large);
	ASAN_UNPOISON_MEMORY_REGION(large + 1, size - sizeof(*large));
	free(large);
}

/* The side lies right before the block. */
static void *sided_alloc(struct arena *a, uint32_t order, uint32_t side_bits, void **side)
{
	char *p = block_alloc(a, order);

	*side = p ? p - ((size_t)1 << side_bits) : NULL;
	if (p)
		ASAN_UNPOISON_MEMORY_REGION(*side, (size_t)1 << side_bits);
	return p;
}

static void sided_free(void *p, uint32_t order)
{
	block_free(p, order);
}

#else

static void *block_alloc(struct arena *a, uint32_t order)
{
	return region_block_alloc(a, order, 0);
}

static void block_free(void *p, uint32_t order)
{
	region_block_free(p, order);
}

static void *sided_alloc(struct arena *a, uint32_t order, uint32_t side_bits, void **side)
{
	char *p = region_block_alloc(a, order, side_bits);
	size_t at = (uintptr_t)p & (REGION_BYTES - 1);

	*side = p ? p - at + (at >> order << side_bits) : NULL;
	return p;
}

static void sided_free(void *p, uint32_t order)
{
	region_block_free(p, order);
}

#endif

void *arena_block_alloc(struct arena *a, size_t size)
{
	uint32_t order = order_of(size);

	return arena_fails_now(a) ? NULL : block_alloc(a, order);
}

void arena_block_free(struct arena *a, void *p, size_t size)
{
	if (p)
		block_free(p, order_of(size));
}

void *arena_block_alloc_sided(struct arena *a, size_t size, uint32_t side_bits, void **side)
{
	ensure(side_bits >= ARENA_SIDE_BITS_MIN && (size_t)4 << side_bits <= size);
	return arena_fails_now(a) ? NULL : sided_alloc(a, order_of(size), side_bits, side);
}

void arena_block_free_sided(struct arena *a, void *p, size_t size)
{
	if (p)
		sided_free(p, order_of(size));
}
