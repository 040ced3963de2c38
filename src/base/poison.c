/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Failed assertions. With a handler of the program's, the scheduler is poisoned: the task that
 * failed goes back to its recovery point, and so does every other one as soon as it waits, or at
 * once if it waits already. Nobody cleans up on the way, so what they held stays held and what
 * they were changing stays half changed: nothing of this mount is used again.
 *
 * Without a handler, or outside of any task, the process stops.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/sync_internal.h"

#define TEXT_MAX 512

bool sched_poisoned(const struct sched *s)
{
	return atomic_load_explicit(&s->poisoned, memory_order_acquire);
}

void sched_report(const struct sched *s, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (s->log && s->log->message)
		log_message(s->log, LOG_ERROR, "%s", text);
	else
		fprintf(stderr, "extant: %s\n", text);
}

__attribute__((noreturn)) static void stop(const char *text)
{
	fprintf(stderr, "extant: %s\n", text);
	abort();
}

/* A coroutine that waits for anything can run from now on; what it waited in is given up. */
static void wake_coroutines(struct sched *s)
{
	for (struct task_slot *t = slot_next(s, NULL); t; t = slot_next(s, t)) {
		if (!t->waits_for)
			continue;
		list_remove(&t->wait_link);
		coroutine_unblock(t);
	}
}

/* A thread looks for poison under its park_lock: the signal comes before that or while it waits. */
static void wake_threads(struct sched *s)
{
	for (struct task_slot *t = slot_next(s, NULL); t; t = slot_next(s, t)) {
		pthread_mutex_lock(&t->park_lock);
		pthread_cond_signal(&t->park_cond);
		pthread_mutex_unlock(&t->park_lock);
	}
}

static void poison(struct sched *s)
{
	if (atomic_exchange_explicit(&s->poisoned, true, memory_order_acq_rel))
		return;
	if (s->coroutine)
		wake_coroutines(s);
	else
		wake_threads(s);
}

void sched_fail(struct sched *s, const char *file, int line, const char *condition)
{
	const struct task *t = task_current();
	char text[TEXT_MAX];

	snprintf(text, sizeof(text), "%s:%d: assertion failed: %s (in %s)", file, line, condition,
		 t ? t->name : "no task");
	if (!s || !s->log || !s->log->assertion_failed)
		stop(text);
	if (!atomic_exchange_explicit(&s->failing, true, memory_order_acq_rel))
		s->log->assertion_failed(s->log->arg, text);
	poison(s);
}

void assertion_failed(const char *file, int line, const char *condition)
{
	struct task *t = task_current();

	sched_fail(t ? t->sched : NULL, file, line, condition);
	task_unwind(slot_of(t));
}

/* ---- recovery points */

jmp_buf *task_guard_arm(struct task *task)
{
	struct task_slot *t = slot_of(task);

	if (t->guarded)
		return NULL;
	t->guarded = true;
	t->guarded_depth = t->depth;
	return &t->recovery;
}

void task_unwind(struct task_slot *t)
{
	if (!t->guarded)
		stop("a task without a recovery point cannot be unwound");
	t->depth = t->guarded_depth;
	if (t->coroutine)
		list_remove(&t->wait_link);	/* a thread has taken itself out, under the lock */
	t->waits_for = NULL;
	t->waits_mutex = NULL;
	t->task.handle = NULL;
	t->epoch_depth = 0;
	atomic_store_explicit(&t->epoch, 0, memory_order_release);
	rank_forget_all(t);
	_longjmp(t->recovery, 1);
}

int task_call(struct sched *s, const char *name, int (*fn)(void *arg), void *arg)
{
	struct task *t = task_enter(s, name);
	int err = -EIO;

	if (!t)
		return -ENOMEM;
	if (!task_guard(t))
		err = fn(arg);
	task_leave(t);
	return err;
}
