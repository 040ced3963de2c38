/* SPDX-License-Identifier: BSD-2-Clause */
/* Gates (gate.h). */
#include "base/gate.h"

#include "base/assert.h"
#include "base/errors.h"

void gate_init(struct gate *g, enum lock_rank rank)
{
	mutex_init(&g->lock, RANK_GATE);
	g->rank = rank;
	waitq_init(&g->wake);
	atomic_init(&g->shut, false);
	for (unsigned i = 0; i < GATE_SHARDS; i++)
		atomic_init(&g->shards[i].inside, 0);
}

void gate_fini(struct gate *g)
{
	waitq_fini(&g->wake);
	mutex_fini(&g->lock);
}

/* Tasks' numbers are dense: neighbours pass through different shards. */
static unsigned shard_of_task(void)
{
	struct task *t = task_current();

	return t ? t->id % GATE_SHARDS : 0;
}

bool gate_try_enter(struct gate *g, unsigned *at)
{
	*at = shard_of_task();
	atomic_fetch_add(&g->shards[*at].inside, 1);
	sched_step();
	if (likely(!atomic_load(&g->shut)))
		return true;
	gate_leave(g, *at);
	return false;
}

/* Nobody else can come in and open it. */
static bool waits_for_itself(void)
{
	struct task *t = task_current();

	return !t || (!t->daemon && sched_mode(t->sched) != SCHED_THREADED);
}

int gate_enter(struct gate *g, unsigned *at)
{
	lock_rank_assert_below(g->rank);
	while (!gate_try_enter(g, at)) {
		if (waits_for_itself())
			return -EDEADLK;
		guard(&g->lock);
		wait_event(&g->wake, &g->lock, !atomic_load(&g->shut));
	}
	return 0;
}

void gate_leave(struct gate *g, unsigned at)
{
	uint32_t was = atomic_fetch_sub(&g->shards[at].inside, 1);

	ensure(was > 0);
	if (unlikely(was == 1 && atomic_load(&g->shut))) {
		guard(&g->lock); /* who shuts it looks under the lock: it sees this, or is woken */
		waitq_wake_all(&g->wake);
	}
}

static bool is_empty(const struct gate *g)
{
	for (unsigned i = 0; i < GATE_SHARDS; i++)
		if (atomic_load(&g->shards[i].inside))
			return false;
	return true;
}

void gate_shut(struct gate *g)
{
	guard(&g->lock);
	ensure(!atomic_load(&g->shut));
	atomic_store(&g->shut, true);
	wait_event(&g->wake, &g->lock, is_empty(g));
}

void gate_open(struct gate *g)
{
	guard(&g->lock);
	atomic_store(&g->shut, false);
	waitq_wake_all(&g->wake);
}
