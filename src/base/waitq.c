/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting for a condition. Who sleeps is linked into the queue before it lets go of the mutex, so
 * no change made under the mutex goes unnoticed; who wakes takes it out again. The count lets
 * wakers see without a lock that nobody sleeps.
 */
#include <sched.h>
#include <time.h>

#include "base/assert.h"
#include "base/sync_internal.h"

void waitq_init(struct waitq *q)
{
	pthread_mutex_init(&q->lock, NULL);
	list_init(&q->sleepers);
	atomic_init(&q->count, 0);
}

void waitq_fini(struct waitq *q)
{
	pthread_mutex_destroy(&q->lock);
}

static void change_count(struct waitq *q, int by)
{
	atomic_fetch_add_explicit(&q->count, (uint32_t)by, memory_order_relaxed);
}

static void add_sleeper(struct waitq *q, struct task_slot *t)
{
	pthread_mutex_lock(&q->lock);
	list_add_tail(&q->sleepers, &t->wait_link);
	change_count(q, 1);
	pthread_mutex_unlock(&q->lock);
}

/* True: a waker was faster. */
static bool remove_sleeper(struct waitq *q, struct task_slot *t)
{
	bool woken;

	pthread_mutex_lock(&q->lock);
	woken = list_empty(&t->wait_link);
	if (!woken) {
		list_remove(&t->wait_link);
		change_count(q, -1);
	}
	pthread_mutex_unlock(&q->lock);
	return woken;
}

static void wake_some(struct waitq *q, uint32_t count_max)
{
	if (!atomic_load_explicit(&q->count, memory_order_relaxed))
		return;
	pthread_mutex_lock(&q->lock);
	for (; count_max > 0 && !list_empty(&q->sleepers); count_max--) {
		struct task_slot *t = list_first(&q->sleepers, struct task_slot, wait_link);

		list_remove(&t->wait_link);
		change_count(q, -1);
		task_unblock(t);
	}
	pthread_mutex_unlock(&q->lock);
}

void waitq_wake_all(struct waitq *q)
{
	wake_some(q, UINT32_MAX);
}

void waitq_wake_one(struct waitq *q)
{
	wake_some(q, 1);
}

bool waitq_sleep(struct waitq *q, struct mutex *m, int64_t deadline, const char *what)
	UNCHECKED_LOCKING
{
	struct task_slot *t = current_slot();
	bool woken;

	ensure(t && !t->epoch_depth);
	rank_check_highest(t, m->rank, m);
	unwind_if_poisoned(t);
	counter_add(&t->sleeps);
	task_block_prepare(t, what);
	add_sleeper(q, t);
	mutex_release(m, t);		/* without a step: who wakes finds it waiting */
	task_block(t, deadline);
	woken = remove_sleeper(q, t);
	unwind_if_poisoned(t);
	mutex_lock(m);
	return woken;
}

/* Without a task there is no scheduler whose time could pass. */
static void sleep_outside(int64_t ns)
{
	struct timespec ts = { .tv_sec = ns / NSEC_PER_SEC, .tv_nsec = ns % NSEC_PER_SEC };

	nanosleep(&ts, NULL);
}

void task_sleep(int64_t ns)
{
	struct task_slot *t = current_slot();

	if (!t) {
		sleep_outside(ns);
		return;
	}
	ensure(!t->epoch_depth);
	unwind_if_poisoned(t);
	counter_add(&t->sleeps);
	task_block_prepare(t, "time to pass");
	task_block(t, clock_monotonic(t->task.sched->clock) + ns);
	unwind_if_poisoned(t);
}

void task_yield(void)
{
	struct task_slot *t = current_slot();

	if (t && t->coroutine)
		(void)coroutine_yield(t);
	else
		sched_yield();
	if (t)
		unwind_if_poisoned(t);	/* who it hopes for may be gone */
}

void sched_step(void)
{
	struct task_slot *t = current_slot();

	if (t && t->seeded)
		(void)coroutine_yield(t);
}
