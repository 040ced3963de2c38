/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One budget of memory a mount: buffers, pages, inodes, names and extent status all charge it. Nothing
 * is allocated in advance. Above the soft limit clean things are reclaimed; when that is not enough,
 * the flusher is woken and callers wait (budget_throttle), holding nothing, until it is below the hard
 * limit again. Charging itself never waits and never fails: what a task holds locks for goes on.
 */
#ifndef EXTANT_CACHE_BUDGET_H
#define EXTANT_CACHE_BUDGET_H

#include "base/sync.h"

struct budget;

/* One kind of thing that can be given back. */
struct shrinker {
	struct list link;
	const char *name;
	/*
	 * Frees about `want` bytes of clean, unused things, oldest first; returns the bytes freed. Takes
	 * only locks from RANK_PAGE_TREE on by waiting; others by trylock. Never waits for I/O.
	 */
	size_t (*shrink)(void *arg, size_t want);
	void *arg;
};

must_check int budget_create(struct arena *a, size_t limit_bytes, struct budget **out);
void budget_destroy(struct budget *b);
void budget_add_shrinker(struct budget *b, struct shrinker *s);
void budget_remove_shrinker(struct budget *b, struct shrinker *s);
/* Called (from any task, holding nothing) when dirty things fill the budget: wakes the flusher. */
void budget_on_pressure(struct budget *b, void (*fn)(void *arg), void *arg);

void budget_charge(struct budget *b, size_t bytes);
void budget_uncharge(struct budget *b, size_t bytes);	/* also wakes throttled tasks */
size_t budget_used(const struct budget *b);
size_t budget_limit(const struct budget *b);
/* Reclaims clean things down to the soft limit, as far as they go. Holding nothing. */
void budget_reclaim(struct budget *b);
/* Holding nothing, before a handle: waits while the hard limit is exceeded. Not for tasks with TASK_WRITEBACK. */
void budget_throttle(struct budget *b);

#endif
