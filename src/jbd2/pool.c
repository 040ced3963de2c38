/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory set aside. A handle reserves pieces when it starts and takes them as it goes, so that nothing
 * in it fails for memory. Pieces come back to the pool and serve the next handle: a reservation is
 * then only a number, and the allocator is asked only when more handles are open than ever before.
 *
 * free_count counts pieces in the pool; those that are taken are not in it. reserved <= free_count.
 */
#include "jbd2/internal.h"

void pool_init(struct pool *p, struct journal *j, size_t piece_bytes, bool is_blocks)
{
	*p = (struct pool){ .journal = j, .piece_bytes = piece_bytes, .is_blocks = is_blocks };
}

static struct pool_piece *piece_alloc(struct pool *p)
{
	struct arena *a = p->journal->arena;
	void *piece = p->is_blocks ? arena_block_alloc(a, p->piece_bytes)
				   : arena_alloc(a, p->piece_bytes);

	if (piece && p->journal->opt.budget)
		budget_charge(p->journal->opt.budget, p->piece_bytes);
	return piece;
}

static void piece_free(struct pool *p, struct pool_piece *piece)
{
	struct arena *a = p->journal->arena;

	if (p->journal->opt.budget)
		budget_uncharge(p->journal->opt.budget, p->piece_bytes);
	if (p->is_blocks)
		arena_block_free(a, piece, p->piece_bytes);
	else
		arena_free(a, piece);
}

static void push(struct pool *p, struct pool_piece *piece)
{
	piece->next = p->free;
	p->free = piece;
	p->free_count++;
}

static struct pool_piece *pop(struct pool *p)
{
	struct pool_piece *piece = p->free;

	p->free = piece->next;
	p->free_count--;
	return piece;
}

/* What is got stays in the pool even when not all can be had. */
static int grow(struct pool *p, uint32_t count)
{
	while (p->free_count - p->reserved < count) {
		struct pool_piece *piece = piece_alloc(p);

		if (!piece)
			return -ENOMEM;
		push(p, piece);
	}
	return 0;
}

static int reserve(struct pool *p, uint32_t count)
{
	int err = grow(p, count);

	if (!err)
		p->reserved += count;
	return err;
}

static void unreserve(struct pool *p, uint32_t count)
{
	ensure(p->reserved >= count);
	p->reserved -= count;
}

int pool_reserve(struct pool *p, uint32_t count)
{
	guard(&p->journal->memory_lock);
	return reserve(p, count);
}

int pool_reserve_both(struct pool *p, struct pool *q, uint32_t count)
{
	int err;

	guard(&p->journal->memory_lock);
	err = reserve(p, count);
	if (err)
		return err;
	err = reserve(q, count);
	if (err)
		unreserve(p, count);
	return err;
}

void pool_unreserve(struct pool *p, uint32_t count)
{
	guard(&p->journal->memory_lock);
	unreserve(p, count);
}

void pool_unreserve_both(struct pool *p, uint32_t p_count, struct pool *q, uint32_t q_count)
{
	guard(&p->journal->memory_lock);
	unreserve(p, p_count);
	unreserve(q, q_count);
}

void *pool_take_reserved(struct pool *p)
{
	guard(&p->journal->memory_lock);
	ensure(p->reserved > 0);
	p->reserved--;
	return pop(p);
}

void *pool_take(struct pool *p)
{
	guard(&p->journal->memory_lock);
	return grow(p, 1) ? NULL : pop(p);
}

void pool_give(struct pool *p, void *piece)
{
	if (!piece)
		return;
	guard(&p->journal->memory_lock);
	push(p, piece);
}

void pool_free(struct pool *p, void *piece)
{
	piece_free(p, piece);
}

void pool_trim(struct pool *p, uint32_t keep)
{
	guard(&p->journal->memory_lock);
	while (p->free_count - p->reserved > keep)
		piece_free(p, pop(p));
}

void pool_fini(struct pool *p)
{
	ensure(p->reserved == 0);
	pool_trim(p, 0);
}
