/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the steps of base/sync cost, in nanoseconds each, in every mode: `sync_cost [MILLIONS]`.
 * The C library's own mutex stands beside ours. Nobody contends: it is the price of being able
 * to.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/sync.h"

struct bench {
	struct sched *sched;
	struct mutex mutex;
	struct rwlock rwlock;
	struct waitq waitq;
	pthread_mutex_t plain;
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static void plain_lock(struct bench *b, long n)
{
	for (long i = 0; i < n; i++) {
		pthread_mutex_lock(&b->plain);
		pthread_mutex_unlock(&b->plain);
	}
}

static void current(struct bench *b, long n)
{
	for (long i = 0; i < n; i++)
		(void)task_current();
}

static void enter_leave(struct bench *b, long n)
{
	struct task *inside = task_current();

	task_leave(inside);
	for (long i = 0; i < n; i++)
		task_leave(task_enter(b->sched, "bench"));
	if (!task_enter(b->sched, "bench"))
		abort();
}

static void lock_unlock(struct bench *b, long n)
{
	for (long i = 0; i < n; i++) {
		mutex_lock(&b->mutex);
		mutex_unlock(&b->mutex);
	}
}

static void read_unread(struct bench *b, long n)
{
	for (long i = 0; i < n; i++) {
		rwlock_read(&b->rwlock);
		rwlock_unread(&b->rwlock);
	}
}

static void write_unwrite(struct bench *b, long n)
{
	for (long i = 0; i < n; i++) {
		rwlock_write(&b->rwlock);
		rwlock_unwrite(&b->rwlock);
	}
}

static void epoch(struct bench *b, long n)
{
	for (long i = 0; i < n; i++) {
		epoch_enter();
		epoch_leave();
	}
}

static void wake_nobody(struct bench *b, long n)
{
	for (long i = 0; i < n; i++)
		waitq_wake_all(&b->waitq);
}

static void guard_a_call(struct bench *b, long n)
{
	struct task *inside = task_current();

	task_leave(inside);
	for (long i = 0; i < n; i++) {
		struct task *t = task_enter(b->sched, "bench");

		if (task_guard(t))
			abort();
		task_leave(t);
	}
	if (!task_enter(b->sched, "bench"))
		abort();
}

static void make_and_drop(struct bench *b, long n)
{
	struct mutex m;

	for (long i = 0; i < n; i++) {
		mutex_init(&m, RANK_INODE);
		mutex_fini(&m);
	}
}

static void yield_often(void *arg)
{
	for (long n = *(long *)arg; n > 0; n--)
		task_yield();
}

/* Two tasks take turns: each yield is one switch. */
static void switches(struct bench *b, long n)
{
	struct task *t;
	long half = n / 2;

	if (task_spawn(b->sched, "other", yield_often, &half, &t))
		abort();
	yield_often(&half);
	task_join(t);
}

static const struct {
	const char *name;
	void (*run)(struct bench *b, long n);
	bool coroutines_only;
} steps[] = {
	{ "pthread_mutex_lock + unlock", plain_lock, false },
	{ "task_current", current, false },
	{ "task_enter + task_leave", enter_leave, false },
	{ "the same with task_guard", guard_a_call, false },
	{ "mutex_lock + unlock", lock_unlock, false },
	{ "rwlock_read + unread", read_unread, false },
	{ "rwlock_write + unwrite", write_unwrite, false },
	{ "mutex_init + fini", make_and_drop, false },
	{ "epoch_enter + leave", epoch, false },
	{ "waitq_wake_all, nobody sleeps", wake_nobody, false },
	{ "switch to another coroutine", switches, true },
};

static void bench_mode(struct arena *a, enum sched_mode mode, const char *name, long n)
{
	struct clock clock;
	struct sched_options opt = { .mode = mode, .clock = &clock };
	struct bench b = { .plain = PTHREAD_MUTEX_INITIALIZER };
	struct task *t;

	clock_init_real(&clock);
	if (sched_create(a, &opt, &b.sched))
		abort();
	mutex_init(&b.mutex, RANK_INODE);
	rwlock_init(&b.rwlock, RANK_INODE);
	waitq_init(&b.waitq);
	t = task_enter(b.sched, "bench");
	for (size_t i = 0; i < array_size(steps); i++) {
		int64_t before = now_ns();

		if (steps[i].coroutines_only && mode == SCHED_THREADED)
			continue;
		steps[i].run(&b, n);
		printf("%-9s %-32s %7.1f ns\n", name, steps[i].name,
		       (double)(now_ns() - before) / (double)n);
	}
	task_leave(t);
	sched_destroy(b.sched);
}

int main(int argc, char **argv)
{
	long n = (argc > 1 ? strtol(argv[1], NULL, 10) : 5) * 1000 * 1000;
	struct arena *a = arena_create();

	if (!a)
		return 1;
	bench_mode(a, SCHED_THREADED, "threaded", n);
	bench_mode(a, SCHED_INLINE, "inline", n);
	bench_mode(a, SCHED_SEEDED, "seeded", n);
	arena_destroy(a);
	return 0;
}
