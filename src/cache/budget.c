/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory budget of a mount.
 *
 *	0 ------------------------- soft (7/8) ------ limit
 *	  charge, nothing else      | reclaim clean   | reclaim, wake the flusher, wait
 *
 * Charging is one atomic addition. The rest happens where a task holds nothing (budget_throttle):
 * one task at a time asks the shrinkers in turn for what is above the soft limit and a little more,
 * so that reclaim works in batches. A reclaim that does not get there (what is left is dirty or in
 * use) is not tried again before the budget has grown by a step: full of dirty things, it would
 * walk all of them at each call.
 *
 * Each reclaim begins with another shrinker: what the first one asked has is all that is taken, and
 * blocks of inode tables would be read again for each inode while idle inodes fill the budget.
 *
 * A shrinker is called without the lock. That it still exists is ensured by `reclaiming`: it is
 * removed only between reclaims.
 */
#include "cache/budget.h"

#include "base/assert.h"
#include "base/errors.h"

#define ROUNDS_MAX	4
#define STEP_SHIFT	6		/* a step is 1/64 of the limit */
#define PAUSE_NS	(50 * NSEC_PER_MSEC)	/* a throttled task looks again, unwoken */

struct budget {
	struct mutex lock;		/* RANK_BUDGET */
	struct arena *arena;		/* constant, like the limits */
	size_t limit, soft, step;
	struct list shrinkers GUARDED_BY(lock);
	bool reclaiming GUARDED_BY(lock);
	uint64_t cleaned GUARDED_BY(lock);	/* counts budget_cleaned */
	struct waitq changed;			/* all these, or `used` fell below the limit */
	void (*pressure)(void *arg);		/* constant once set */
	void *pressure_arg;
	_Atomic uint32_t waiters;		/* tasks in budget_throttle */
	_Atomic size_t reclaim_at;		/* relaxed: no reclaim below it */
	char pad[64];				/* used is written by everybody */
	_Atomic size_t used;
};

int budget_create(struct arena *a, size_t limit_bytes, struct budget **out)
{
	struct budget *b = arena_new(a, struct budget);

	if (!b)
		return -ENOMEM;
	mutex_init(&b->lock, RANK_BUDGET);
	waitq_init(&b->changed);
	list_init(&b->shrinkers);
	b->arena = a;
	b->limit = limit_bytes;
	b->soft = limit_bytes - limit_bytes / 8;
	b->step = limit_bytes >> STEP_SHIFT;
	b->reclaim_at = b->soft;
	*out = b;
	return 0;
}

void budget_destroy(struct budget *b)
{
	if (!b)
		return;
	ensure(list_empty(&b->shrinkers));
	waitq_fini(&b->changed);
	mutex_fini(&b->lock);
	arena_free(b->arena, b);
}

void budget_add_shrinker(struct budget *b, struct shrinker *s)
{
	guard(&b->lock);
	list_add_tail(&b->shrinkers, &s->link);
}

void budget_remove_shrinker(struct budget *b, struct shrinker *s)
{
	guard(&b->lock);
	wait_event(&b->changed, &b->lock, !b->reclaiming);
	list_remove(&s->link);
}

void budget_on_pressure(struct budget *b, void (*fn)(void *arg), void *arg)
{
	b->pressure_arg = arg;
	b->pressure = fn;
}

/* ---- counting */

size_t budget_used(const struct budget *b)
{
	return atomic_load_explicit(&b->used, memory_order_relaxed);
}

size_t budget_limit(const struct budget *b)
{
	return b->limit;
}

bool budget_is_short(const struct budget *b)
{
	return budget_used(b) > b->soft;
}

void budget_charge(struct budget *b, size_t bytes)
{
	atomic_fetch_add_explicit(&b->used, bytes, memory_order_relaxed);
}

/*
 * The order of all (seq_cst) here, in throttle_slow and in sleep_for_room: either the sleeper sees
 * what was given back, or we see the sleeper.
 */
void budget_uncharge(struct budget *b, size_t bytes)
{
	size_t before = atomic_fetch_sub(&b->used, bytes);

	ensure(before >= bytes);
	if (likely(!atomic_load(&b->waiters)) || before - bytes > b->limit)
		return;
	guard(&b->lock);
	waitq_wake_all(&b->changed);
}

void budget_cleaned(struct budget *b)
{
	if (likely(!atomic_load(&b->waiters)))
		return;
	guard(&b->lock);
	b->cleaned++;
	waitq_wake_all(&b->changed);
}

/* ---- reclaim */

static bool reclaim_begin(struct budget *b)
{
	guard(&b->lock);
	if (b->reclaiming)
		return false;
	return b->reclaiming = true;
}

static void reclaim_end(struct budget *b)
{
	size_t used = budget_used(b);
	size_t next = used > b->soft ? min(used + b->step, b->limit) : b->soft;
	struct list *first;

	atomic_store_explicit(&b->reclaim_at, next, memory_order_relaxed);
	guard(&b->lock);
	first = b->shrinkers.next;
	if (first != &b->shrinkers) {
		list_remove(first);
		list_add_tail(&b->shrinkers, first);
	}
	b->reclaiming = false;
	waitq_wake_all(&b->changed);
}

/* The shrinker behind `s` (NULL: the first); NULL at the end. */
static struct shrinker *shrinker_next(struct budget *b, struct shrinker *s)
{
	struct list *next;

	guard(&b->lock);
	next = s ? s->link.next : b->shrinkers.next;
	return next == &b->shrinkers ? NULL : list_entry(next, struct shrinker, link);
}

static size_t excess(const struct budget *b)
{
	size_t used = budget_used(b), target = b->soft - b->step;

	return used > target ? used - target : 0;
}

/* Asks each once, as long as there is an excess; what they freed. */
static size_t ask_shrinkers(struct budget *b)
{
	size_t freed = 0, want;

	for (struct shrinker *s = shrinker_next(b, NULL); s; s = shrinker_next(b, s)) {
		want = excess(b);
		if (!want)
			break;
		freed += s->shrink(s->arg, want);
	}
	return freed;
}

/*
 * One shrinker may let go of what another holds on to (the journal of buffers, buffers of pages):
 * they are asked again while it helps. `used` decides: meanwhile other tasks free, and charge.
 */
void budget_reclaim(struct budget *b)
{
	int rounds = ROUNDS_MAX;

	if (!budget_is_short(b) || !reclaim_begin(b))
		return;
	while (ask_shrinkers(b) && excess(b) && --rounds)
		;
	reclaim_end(b);
}

/* ---- throttling */

static uint64_t cleaned_count(struct budget *b)
{
	guard(&b->lock);
	return b->cleaned;
}

/*
 * Sleeps until there is room, or something became clean since `cleaned` was read. False: neither
 * happened for PAUSE_NS.
 */
static bool sleep_for_room(struct budget *b, uint64_t cleaned)
{
	int64_t deadline = clock_monotonic(sched_clock(task_current()->sched)) + PAUSE_NS;

	guard(&b->lock);
	return wait_event_until(&b->changed, &b->lock,
				b->cleaned != cleaned || atomic_load(&b->used) <= b->limit,
				deadline);
}

/* True when the task may go on; else what it may wait for has been set going. */
static bool make_room(struct budget *b)
{
	budget_reclaim(b);
	if (budget_is_short(b) && b->pressure)
		b->pressure(b->pressure_arg);
	return budget_used(b) <= b->limit || !b->pressure;
}

static void throttle_slow(struct budget *b)
{
	int64_t patience = BUDGET_PATIENCE_NS;
	size_t least = SIZE_MAX;
	uint64_t cleaned;

	atomic_fetch_add(&b->waiters, 1);
	while (cleaned = cleaned_count(b), !make_room(b)) {
		if (budget_used(b) < least)
			patience = BUDGET_PATIENCE_NS;
		least = min(least, budget_used(b));
		if (!sleep_for_room(b, cleaned))
			patience -= PAUSE_NS;
		if (patience <= 0)
			break;
	}
	atomic_fetch_sub(&b->waiters, 1);
}

void budget_throttle(struct budget *b)
{
	if (likely(budget_used(b) <= atomic_load_explicit(&b->reclaim_at, memory_order_relaxed)))
		return;
	if (!(task_current()->flags & TASK_WRITEBACK))
		throttle_slow(b);
}
