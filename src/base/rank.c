/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order of locks, asserted: a task takes only ranks above all that it holds. Each task keeps
 * what it holds in a short stack of its own; release builds keep nothing.
 */
#include <stdio.h>

#include "base/assert.h"
#include "base/sync_internal.h"

static const char *const rank_names[] = {
	[RANK_NONE] = "RANK_NONE",
#define RANK(name, held_over_io) [name] = #name,
#include "base/lock_ranks.def"
#undef RANK
};

const char *lock_rank_name(enum lock_rank rank)
{
	return rank < RANK_COUNT ? rank_names[rank] : "?";
}

#ifdef EXTANT_SLOW_ASSERTS

static const bool held_over_io[] = {
	[RANK_NONE] = true,
#define yes true
#define no false
#define RANK(name, held) [name] = held,
#include "base/lock_ranks.def"
#undef RANK
#undef yes
#undef no
};

static const struct held_lock *highest_held(const struct task_slot *t)
{
	const struct held_lock *highest = NULL;

	for (int i = 0; i < t->held_count; i++) {
		if (!highest || t->held[i].rank > highest->rank)
			highest = &t->held[i];
	}
	return highest;
}

/* "lock order: map is taken while group is held" */
__attribute__((noreturn)) static void fail_order(const char *what, const char *happens,
						  uint16_t held)
{
	char text[128];

	snprintf(text, sizeof(text), "lock order: %s is %s while %s is held", what, happens,
		 lock_rank_name(held));
	assertion_failed(__FILE__, __LINE__, text);
}

void rank_check(const struct task_slot *t, enum lock_rank rank, bool equal_allowed)
{
	const struct held_lock *highest = t && rank != RANK_NONE ? highest_held(t) : NULL;

	if (!highest || highest->rank < rank || (highest->rank == rank && equal_allowed))
		return;
	fail_order(lock_rank_name(rank), "taken", highest->rank);
}

void rank_check_highest(const struct task_slot *t, enum lock_rank rank, const void *lock)
{
	for (int i = 0; i < t->held_count; i++) {
		if (t->held[i].lock != lock && t->held[i].rank >= rank)
			fail_order(lock_rank_name(rank), "waited in", t->held[i].rank);
	}
}

void rank_push(struct task_slot *t, enum lock_rank rank, const void *lock)
{
	if (!t || rank == RANK_NONE)
		return;
	ensure(t->held_count < HELD_MAX);
	t->held[t->held_count++] = (struct held_lock){ .lock = lock, .rank = (uint16_t)rank };
}

/* In any order; mostly the last one goes first. */
void rank_pop(struct task_slot *t, const void *lock)
{
	int i = t ? t->held_count - 1 : -1;

	while (i >= 0 && t->held[i].lock != lock)
		i--;
	if (i < 0)
		return;
	t->held_count--;
	for (; i < t->held_count; i++)
		t->held[i] = t->held[i + 1];
}

void rank_check_none(const struct task_slot *t)
{
	if (t->held_count)
		fail_order("a task", "ended", t->held[0].rank);
}

void rank_forget_all(struct task_slot *t)
{
	t->held_count = 0;
}

static void hold(enum lock_rank rank, const void *what, bool equal_allowed)
{
	struct task_slot *t = current_slot();

	rank_check(t, rank, equal_allowed);
	rank_push(t, rank, what);
}

void lock_rank_hold(enum lock_rank rank, const void *what)
{
	hold(rank, what, false);
}

void lock_rank_hold_equal(enum lock_rank rank, const void *what)
{
	hold(rank, what, true);
}

void lock_rank_release(const void *what)
{
	rank_pop(current_slot(), what);
}

void lock_rank_assert_io(void)
{
	const struct task_slot *t = current_slot();

	for (int i = 0; t && i < t->held_count; i++) {
		if (!held_over_io[t->held[i].rank])
			fail_order("a device", "waited for", t->held[i].rank);
	}
}

void lock_rank_assert_below(enum lock_rank rank)
{
	rank_check(current_slot(), rank, false);
}

#endif
