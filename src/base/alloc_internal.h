/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of the arena share. An arena is cut into shards, each with a lock of its own; a
 * thread allocates from the shard that its identity falls into, and a piece goes back to the shard
 * it came from. So threads seldom meet at a lock, and memory that one thread allocates and another
 * frees comes round.
 */
#ifndef EXTANT_BASE_ALLOC_INTERNAL_H
#define EXTANT_BASE_ALLOC_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/alloc.h"
#include "base/compiler.h"
#include "base/list.h"

#define ARENA_PASSES_THROUGH WITH_ASAN

#define SHARD_COUNT       4
#define SIZE_CLASS_COUNT  27		/* 32, 48 ... 128, then four to a doubling, to 4096 */
#define BLOCK_ORDER_MIN   9 /* 512 bytes */
#define BLOCK_ORDER_COUNT  8		/* to 64 KiB */
#define CHUNK_BYTES        ((size_t)1 << ARENA_REGION_BITS)

/* Slabs or regions of one size that have room; those that are full are in the shard's list only. */
struct room {
	struct list with_room;
	uint32_t count;			/* of all, full ones too */
};

struct shard {
	pthread_mutex_t lock;
	/* The rest is guarded by lock; counters are atomic to be read without it. */
	struct list slabs;
	struct list regions;
	struct list large;
	struct list stretches, stretches_with_room;
	_Atomic size_t bytes;
	_Atomic size_t footprint;
	_Atomic uint64_t allocations;
	struct room classes[SIZE_CLASS_COUNT];
	struct room orders[BLOCK_ORDER_COUNT], sided[BLOCK_ORDER_COUNT];
} __attribute__((aligned(64)));

struct arena {
	struct shard shards[SHARD_COUNT];
	_Atomic uint64_t fail_countdown;	/* UINT64_MAX: no failure is asked for */
	_Atomic bool leaks_expected;
};

/* Takes the lock of the calling thread's shard. */
struct shard *shard_lock_mine(struct arena *a);
static inline void shard_lock(struct shard *s)
{
	pthread_mutex_lock(&s->lock);
}
static inline void shard_unlock(struct shard *s)
{
	pthread_mutex_unlock(&s->lock);
}

/* Counting, under the shard's lock: one writer, so that a load and a store make an addition. */
static inline void shard_add_bytes(struct shard *s, size_t change)
{
	atomic_store_explicit(&s->bytes,
			      atomic_load_explicit(&s->bytes, memory_order_relaxed) + change,
			      memory_order_relaxed);
}
static inline void shard_add_footprint(struct shard *s, size_t change)
{
	atomic_store_explicit(&s->footprint,
			      atomic_load_explicit(&s->footprint, memory_order_relaxed) + change,
			      memory_order_relaxed);
}
static inline void shard_count_allocation(struct shard *s)
{
	atomic_store_explicit(&s->allocations,
			      atomic_load_explicit(&s->allocations, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

/* Whether the allocation about to be made is the one that was asked to fail. */
bool arena_fails_now(struct arena *a);

/* Gives all regions of a shard back that are no chunk of a stretch (alloc_block.c). */
void shard_drop_regions(struct shard *s);

/*
 * Chunks of CHUNK_BYTES, aligned to their size (alloc_chunk.c); they count their footprint.
 * `huge`: from a stretch, which is *home then; NULL: from the C library. With the shard's lock.
 */
struct stretch;
void *chunk_alloc(struct shard *s, bool huge, struct stretch **home);
void chunk_free(struct shard *s, void *chunk, struct stretch *home);
/* It holds so much that whole stretches are worth their while. */
bool shard_is_large(const struct shard *s);
void shard_drop_stretches(struct shard *s);

/*
 * A piece that comes straight from the C library (alloc.c). `start` is what the C library gave,
 * `self` lies in it.
 */
struct large {
	struct list in_shard;
	struct shard *home;
	void *start;
	size_t size;
	size_t footprint;
};
void large_link(struct arena *a, struct large *self);
void large_unlink(struct large *self);

#endif
