/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tasks of a threaded scheduler. A task that waits parks on a condition variable of its own, not
 * on the waitq's: so it can be woken alone, in order, and by the poisoning of its scheduler, and
 * it comes back to life without having to take a lock that a dead task holds.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/sync_internal.h"

/* A program's signal handlers run in its own threads. */
static int create_without_signals(pthread_t *thread, void *(*fn)(void *), void *arg)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

static void *thread_main(void *arg)
{
	struct task_slot *t = arg;
	char name[16];			/* what Linux keeps of a thread's */

	snprintf(name, sizeof(name), "%.15s", t->task.name);
	pthread_setname_np(pthread_self(), name);
	task_set_current(&t->task);
	task_run(t);
	return NULL;
}

int thread_spawn(struct task_slot *t)
{
	return create_without_signals(&t->thread, thread_main, t);
}

void thread_join(struct task_slot *t)
{
	int err = pthread_join(t->thread, NULL);

	ensure(!err);
}

/* False: the time came. */
static bool park_until(struct task_slot *t, int64_t deadline)
{
	struct timespec ts = {
		.tv_sec = deadline / NSEC_PER_SEC,
		.tv_nsec = deadline % NSEC_PER_SEC,
	};

	if (deadline == CLOCK_NEVER)
		return pthread_cond_wait(&t->park_cond, &t->park_lock) == 0;
	return pthread_cond_timedwait(&t->park_cond, &t->park_lock, &ts) != ETIMEDOUT;
}

void thread_block(struct task_slot *t, int64_t deadline)
{
	pthread_mutex_lock(&t->park_lock);
	while (!t->unparked && !sched_poisoned(t->task.sched)) {
		if (!park_until(t, deadline))
			break;
	}
	pthread_mutex_unlock(&t->park_lock);
}

void thread_unblock(struct task_slot *t)
{
	pthread_mutex_lock(&t->park_lock);
	t->unparked = true;
	pthread_mutex_unlock(&t->park_lock);
	/* Who wakes takes the lock: it is free. Should it be awake and elsewhere by now, no harm is done. */
	pthread_cond_signal(&t->park_cond);
}
