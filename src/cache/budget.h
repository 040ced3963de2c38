/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One budget of memory a mount: buffers, pages, inodes, names and extent status all charge it.
 * Nothing is allocated in advance. Above the soft limit clean things are reclaimed; when that is
 * not enough, the flusher is woken and callers wait (budget_throttle), holding nothing, until it is
 * below the hard limit again. Charging itself never waits and never fails: what a task holds locks
 * for goes on.
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
	 * Frees about `want` bytes of clean, unused things, oldest first; returns the bytes freed.
	 * Takes only locks from RANK_PAGE_TREE on by waiting; others by trylock. Never waits for
	 * I/O.
	 */
	size_t (*shrink)(void *arg, size_t want);
	void *arg;
};

/* Nothing to reclaim, nobody to wake: the soft limit is 7/8 of `limit_bytes`. -ENOMEM. */
must_check int budget_create(struct arena *a, size_t limit_bytes, struct budget **out);
/* No shrinker is left. */
void budget_destroy(struct budget *b);
void budget_add_shrinker(struct budget *b, struct shrinker *s);
/* Waits for a reclaim under way; afterwards `s` is not called any more. Holding nothing. */
void budget_remove_shrinker(struct budget *b, struct shrinker *s);
/*
 * `fn` is called, from any task that holds nothing, when what cannot be reclaimed fills the budget:
 * it wakes the flusher and returns. Set once, before throttling begins; NULL: nobody can help, so
 * nobody waits either.
 */
void budget_on_pressure(struct budget *b, void (*fn)(void *arg), void *arg);

void budget_charge(struct budget *b, size_t bytes);
void budget_uncharge(struct budget *b, size_t bytes);	/* also wakes throttled tasks */
size_t budget_used(const struct budget *b);
size_t budget_limit(const struct budget *b);
/* True above the soft limit: hints (read-ahead) are not worth memory now. */
bool budget_is_short(const struct budget *b);
/*
 * Dirty things have become clean: throttled tasks reclaim them. Who ends write-back calls it; one
 * load when nobody waits.
 */
void budget_cleaned(struct budget *b);
/* Reclaims clean things down to the soft limit, as far as they go. Holding nothing. */
void budget_reclaim(struct budget *b);
/*
 * Holding nothing, before a handle and between the pieces of a long read or write: reclaims above
 * the soft limit, waits above the hard one. Tasks with TASK_WRITEBACK pass. It waits for memory,
 * not for ever: after BUDGET_PATIENCE_NS in which nothing was freed it returns, since what is held
 * by the callers themselves nobody can free for them.
 */
#define BUDGET_PATIENCE_NS	(2 * NSEC_PER_SEC)
void budget_throttle(struct budget *b);

#endif
