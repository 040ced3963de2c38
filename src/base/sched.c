/* SPDX-License-Identifier: BSD-2-Clause */
/* A scheduler: what all its tasks share, made and dropped, and the sum of what they counted. */
#include <errno.h>
#include <time.h>

#include "base/assert.h"
#include "base/sync_internal.h"

/* Sanitizers widen every frame. */
#if WITH_ASAN || WITH_TSAN
#define STACK_BYTES	(1024 * 1024)
#else
#define STACK_BYTES	(256 * 1024)
#endif

static void sched_init(struct sched *s, struct arena *a, const struct sched_options *opt)
{
	s->mode = opt->mode;
	s->coroutine = opt->mode != SCHED_THREADED;
	s->arena = a;
	s->clock = opt->clock;
	s->log = opt->log;
	list_init(&s->ready);
	list_init(&s->timers);
	stack_cache_init(&s->stacks, a, opt->stack_bytes ? opt->stack_bytes : STACK_BYTES);
	random_init_seed(&s->random, opt->seed);
	epoch_init(s);
}

int sched_create(struct arena *a, const struct sched_options *opt, struct sched **out)
{
	void *memory = arena_zalloc(a, sizeof(struct sched) + CACHE_LINE);
	struct sched *s = cache_line_up(memory);
	int err;

	ensure(opt->mode != SCHED_THREADED || !opt->clock->is_virtual);
	if (!memory)
		return -ENOMEM;
	s->memory = memory;
	sched_init(s, a, opt);
	err = slots_init(s);
	if (err) {
		arena_free(a, memory);
		return err;
	}
	*out = s;
	return 0;
}

/* Of a poisoned scheduler: spawned tasks are on their way out. */
static void join_all_spawned(struct sched *s)
{
	for (struct task_slot *t = slot_next(s, NULL); t; t = slot_next(s, t)) {
		if (t->fn)
			task_join(&t->task);
	}
}

static bool is_busy(const struct task_slot *t)
{
	return atomic_load_explicit(&t->busy, memory_order_acquire);
}

/* Callers of a poisoned scheduler are on their way out too; others have left. */
static void wait_for_callers(struct sched *s)
{
	const struct timespec ms = { .tv_nsec = NSEC_PER_MSEC };

	for (struct task_slot *t = slot_next(s, NULL); t; t = slot_next(s, t)) {
		while (is_busy(t) && &t->task != task_current()) {
			ensure(sched_poisoned(s) && !s->coroutine);
			nanosleep(&ms, NULL);
		}
	}
}

void sched_destroy(struct sched *s)
{
	struct task *visitor;

	if (!s)
		return;
	visitor = enter_as_visitor(s);
	ensure(visitor);		/* a task cannot destroy its own scheduler */
	if (sched_poisoned(s)) {
		join_all_spawned(s);
		arena_expect_leaks(s->arena);
	}
	wait_for_callers(s);
	epoch_fini(s);
	task_leave(visitor);
	slots_fini(s);
	stack_cache_fini(&s->stacks);
	arena_free(s->arena, s->memory);
}

enum sched_mode sched_mode(const struct sched *s)
{
	return s->mode;
}

struct clock *sched_clock(const struct sched *s)
{
	return s->clock;
}

struct arena *sched_arena(const struct sched *s)
{
	return s->arena;
}

void sched_settle(struct sched *s)
{
	struct task *visitor;

	if (!s->coroutine)
		return;
	visitor = enter_as_visitor(s);
	while (coroutine_yield(current_slot()))
		;
	if (visitor)
		task_leave(visitor);
}

static uint64_t counter(const _Atomic uint64_t *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

void sched_get_stats(const struct sched *s, struct sched_stats *out)
{
	struct sched_stats sum = { .switch_hash = s->switch_hash };

	for (struct task_slot *t = slot_next(s, NULL); t; t = slot_next(s, t)) {
		sum.lock_waits += counter(&t->lock_waits);
		sum.sleeps += counter(&t->sleeps);
		sum.switches += counter(&t->switches);
	}
	*out = sum;
}
