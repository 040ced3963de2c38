/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arena: chunks, 256 KiB that regions and large slabs are made of.
 *
 * A small shard gets each chunk from the C library. A large one cuts them from stretches of 2 MiB,
 * which the kernel is asked to back with one huge page each: a cache of many MiB is read at random,
 * and with small pages nearly each read first waits for the processor to find out where the page
 * lies. The kernel may have none, or not do it at all; then a stretch is as good as eight chunks.
 *
 *	stretch | chunk | chunk |  free | chunk | ...		2 MiB, aligned to its size
 *
 * A chunk that is given back serves the next one who wants a chunk, whatever for. A stretch with no
 * chunk in use goes back to the kernel unless it is the last one with room.
 */
#include "base/alloc_internal.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/assert.h"

#define STRETCH_BYTES	 ((size_t)2 << 20)
#define STRETCH_CHUNKS	 (STRETCH_BYTES / CHUNK_BYTES)
#define ALL_CHUNKS	 ((1u << STRETCH_CHUNKS) - 1)
#define LARGE_FROM_BYTES ((size_t)64 << 20)	/* the footprint from which a shard is large */

struct stretch {
	struct list in_shard;
	struct list with_room;		/* empty: no room */
	char *start;
	uint32_t free_chunks;		/* a bit each */
};

bool shard_is_large(const struct shard *s)
{
	return atomic_load_explicit(&s->footprint, memory_order_relaxed) >= LARGE_FROM_BYTES;
}

/* Mapped with as much again, of which what lies before and behind the aligned part goes back. */
static char *map_aligned(void)
{
	char *start = mmap(NULL, 2 * STRETCH_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t before;

	if (start == MAP_FAILED)
		return NULL;
	before = -(uintptr_t)start % STRETCH_BYTES;
	if (before)
		(void)munmap(start, before);
	(void)munmap(start + before + STRETCH_BYTES, STRETCH_BYTES - before);
	(void)madvise(start + before, STRETCH_BYTES, MADV_HUGEPAGE);
	return start + before;
}

static struct stretch *stretch_create(struct shard *s)
{
	struct stretch *stretch = malloc(sizeof(*stretch));

	if (!stretch)
		return NULL;
	*stretch = (struct stretch){ .start = map_aligned(), .free_chunks = ALL_CHUNKS };
	if (!stretch->start) {
		free(stretch);
		return NULL;
	}
	list_add_head(&s->stretches, &stretch->in_shard);
	list_add_head(&s->stretches_with_room, &stretch->with_room);
	shard_add_footprint(s, STRETCH_BYTES);
	return stretch;
}

static void stretch_unmap(struct stretch *stretch)
{
	(void)munmap(stretch->start, STRETCH_BYTES);
	free(stretch);
}

static void stretch_destroy(struct shard *s, struct stretch *stretch)
{
	list_remove(&stretch->in_shard);
	list_remove(&stretch->with_room);
	shard_add_footprint(s, -STRETCH_BYTES);
	stretch_unmap(stretch);
}

static void *stretch_take(struct stretch *stretch)
{
	uint32_t i = (uint32_t)__builtin_ctz(stretch->free_chunks);

	stretch->free_chunks &= ~(1u << i);
	if (!stretch->free_chunks)
		list_remove(&stretch->with_room);
	return stretch->start + i * CHUNK_BYTES;
}

static void stretch_give_back(struct shard *s, struct stretch *stretch, const char *chunk)
{
	uint32_t bit = 1u << ((size_t)(chunk - stretch->start) / CHUNK_BYTES);

	ensure(!(stretch->free_chunks & bit));
	if (!stretch->free_chunks)
		list_add_head(&s->stretches_with_room, &stretch->with_room);
	stretch->free_chunks |= bit;
	if (stretch->free_chunks == ALL_CHUNKS &&
	    s->stretches_with_room.next != s->stretches_with_room.prev)
		stretch_destroy(s, stretch);
}

void *chunk_alloc(struct shard *s, bool huge, struct stretch **home)
{
	struct stretch *stretch = NULL;
	void *chunk;

	if (huge)
		stretch = list_first(&s->stretches_with_room, struct stretch, with_room);
	if (huge && !stretch)
		stretch = stretch_create(s);
	*home = stretch;
	if (stretch)
		return stretch_take(stretch);
	chunk = aligned_alloc(CHUNK_BYTES, CHUNK_BYTES);
	if (chunk)
		shard_add_footprint(s, CHUNK_BYTES);
	return chunk;
}

void chunk_free(struct shard *s, void *chunk, struct stretch *home)
{
	if (home) {
		stretch_give_back(s, home, chunk);
		return;
	}
	free(chunk);
	shard_add_footprint(s, -CHUNK_BYTES);
}

void shard_drop_stretches(struct shard *s)
{
	struct stretch *stretch, *next;

	list_for_each_safe(stretch, next, &s->stretches, in_shard)
		stretch_unmap(stretch);
}
