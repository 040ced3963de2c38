/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A sparse array of chunks of bytes, all of one size: what a device in memory has for a medium. A
 * radix tree; what was never made costs nothing.
 *
 * Threads: finding, making and dropping chunks takes no lock. Chunks and nodes are published by one
 * atomic exchange; nodes stay until sparse_clear(). A dropped chunk is freed at once: the callers
 * have ordered a drop against all use of the same chunk, as block/device.h asks of them.
 * sparse_each() and sparse_clear() need the array for themselves.
 */
#ifndef EXTANT_BLOCK_SPARSE_H
#define EXTANT_BLOCK_SPARSE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include "base/alloc.h"
#include "base/compiler.h"

#define SPARSE_FANOUT_SHIFT	6
#define SPARSE_FANOUT		(1u << SPARSE_FANOUT_SHIFT)

struct sparse_node {
	_Atomic(void *) slot[SPARSE_FANOUT]; /* nodes, or chunks in the lowest level; NULL: none */
};

struct sparse {
	struct arena *arena;		/* constant, as all but `root` */
	size_t chunk_bytes;		/* a power of two, at most 64 KiB */
	unsigned height;		/* levels of nodes */
	void *zeros;			/* see sparse_zero(); NULL: no such chunk */
	struct sparse_node root;
};

/*
 * An array of `count` chunks, none made. `zeros`: a chunk of zero bytes that outlives it, or NULL.
 */
void sparse_init(struct sparse *s, struct arena *a, size_t chunk_bytes, uint64_t count,
		 const void *zeros);

/* The chunk for reading; NULL: never made. */
const void *sparse_find(struct sparse *s, uint64_t index);
/*
 * The chunk for writing, in `*out`; made if it is not there. `fill` gives a new one its bytes
 * before others see it; NULL: the caller overwrites all of it. 0, -ENOMEM or what `fill` returned.
 */
typedef int (*sparse_fill_fn)(void *arg, uint64_t index, void *chunk);
must_check int sparse_make(struct sparse *s, uint64_t index, sparse_fill_fn fill, void *arg,
			   void **out);
/* The chunk is as if never made. */
void sparse_drop(struct sparse *s, uint64_t index);
/* The chunk reads as zeros, at the cost of a slot. Needs `zeros`. 0 or -ENOMEM. */
must_check int sparse_zero(struct sparse *s, uint64_t index);

/*
 * Calls `fn` for all chunks that are there, by index; stops at the first result that is not 0 and
 * returns it.
 */
typedef int (*sparse_chunk_fn)(void *arg, uint64_t index, const void *chunk);
must_check int sparse_each(struct sparse *s, sparse_chunk_fn fn, void *arg);
/*
 * Frees all chunks and nodes, in time proportional to their number. What sparse_init() made is used
 * on, or left.
 */
void sparse_clear(struct sparse *s);

#endif
