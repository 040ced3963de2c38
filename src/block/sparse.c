/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sparse array of chunks. An index is read six bits at a time, the highest first; the lowest
 * level's slots hold the chunks. The one chunk of zeros that may stand in many slots is never freed
 * or handed out for writing.
 */
#include "block/sparse.h"

#include <errno.h>
#include <string.h>
#include "base/assert.h"

void sparse_init(struct sparse *s, struct arena *a, size_t chunk_bytes, uint64_t count,
		 const void *zeros)
{
	memset(s, 0, sizeof(*s));
	s->arena = a;
	s->chunk_bytes = chunk_bytes;
	s->zeros = (void *)(uintptr_t)zeros;
	s->height = 1;
	while (s->height * SPARSE_FANOUT_SHIFT < 64 &&
	       count > 1ull << s->height * SPARSE_FANOUT_SHIFT)
		s->height++;
}

static void free_chunk(struct sparse *s, void *chunk)
{
	if (chunk && chunk != s->zeros)
		arena_block_free(s->arena, chunk, s->chunk_bytes);
}

/* The node that `slot` points to; made if asked for. NULL: not there, or no memory. */
static struct sparse_node *node_at(struct sparse *s, _Atomic(void *) *slot, bool make)
{
	void *there = atomic_load_explicit(slot, memory_order_acquire);
	struct sparse_node *node;

	if (there || !make)
		return there;
	node = arena_new(s->arena, struct sparse_node);
	if (!node || atomic_compare_exchange_strong(slot, &there, node))
		return node;
	arena_free(s->arena, node);
	return there;
}

/* The slot of a chunk; NULL: no node leads to it (or, making, no memory). */
static _Atomic(void *) *slot_at(struct sparse *s, uint64_t index, bool make)
{
	struct sparse_node *node = &s->root;
	unsigned shift = (s->height - 1) * SPARSE_FANOUT_SHIFT;

	for (; node && shift; shift -= SPARSE_FANOUT_SHIFT)
		node = node_at(s, &node->slot[(index >> shift) % SPARSE_FANOUT], make);
	return node ? &node->slot[index % SPARSE_FANOUT] : NULL;
}

const void *sparse_find(struct sparse *s, uint64_t index)
{
	_Atomic(void *) *slot = slot_at(s, index, false);

	return slot ? atomic_load_explicit(slot, memory_order_acquire) : NULL;
}

/* A chunk with its first bytes, not yet in the array. */
static int new_chunk(struct sparse *s, uint64_t index, bool zeros, sparse_fill_fn fill, void *arg,
		     void **out)
{
	void *chunk = arena_block_alloc(s->arena, s->chunk_bytes);
	int err = 0;

	if (!chunk)
		return -ENOMEM;
	if (fill && zeros)
		memset(chunk, 0, s->chunk_bytes);
	else if (fill)
		err = fill(arg, index, chunk);
	if (err)
		arena_block_free(s->arena, chunk, s->chunk_bytes);
	else
		*out = chunk;
	return err;
}

int sparse_make(struct sparse *s, uint64_t index, sparse_fill_fn fill, void *arg, void **out)
{
	_Atomic(void *) *slot = slot_at(s, index, true);
	void *there, *chunk = NULL;
	int err;

	if (!slot)
		return -ENOMEM;
	there = atomic_load_explicit(slot, memory_order_acquire);
	if (!there || there == s->zeros) {
		err = new_chunk(s, index, there != NULL, fill, arg, &chunk);
		if (err)
			return err;
		if (atomic_compare_exchange_strong(slot, &there, chunk))
			there = chunk;
		else
			free_chunk(s, chunk); /* somebody else was first: theirs is as good */
	}
	*out = there;
	return 0;
}

void sparse_drop(struct sparse *s, uint64_t index)
{
	_Atomic(void *) *slot = slot_at(s, index, false);

	if (slot)
		free_chunk(s, atomic_exchange(slot, NULL));
}

int sparse_zero(struct sparse *s, uint64_t index)
{
	_Atomic(void *) *slot = slot_at(s, index, true);

	ensure(s->zeros);
	if (!slot)
		return -ENOMEM;
	free_chunk(s, atomic_exchange(slot, s->zeros));
	return 0;
}

static int each_below(const struct sparse_node *node, unsigned height, uint64_t first,
		      sparse_chunk_fn fn, void *arg)
{
	int err = 0;

	for (unsigned i = 0; i < SPARSE_FANOUT && !err; i++) {
		void *there = atomic_load_explicit(&node->slot[i], memory_order_acquire);
		uint64_t index = first << SPARSE_FANOUT_SHIFT | i;

		if (there && height > 1)
			err = each_below(there, height - 1, index, fn, arg);
		else if (there)
			err = fn(arg, index, there);
	}
	return err;
}

int sparse_each(struct sparse *s, sparse_chunk_fn fn, void *arg)
{
	return each_below(&s->root, s->height, 0, fn, arg);
}

static void clear_below(struct sparse *s, struct sparse_node *node, unsigned height)
{
	for (unsigned i = 0; i < SPARSE_FANOUT; i++) {
		void *there = atomic_exchange_explicit(&node->slot[i], NULL, memory_order_relaxed);

		if (there && height > 1) {
			clear_below(s, there, height - 1);
			arena_free(s->arena, there);
		} else {
			free_chunk(s, there);
		}
	}
}

void sparse_clear(struct sparse *s)
{
	clear_below(s, &s->root, s->height);
}
