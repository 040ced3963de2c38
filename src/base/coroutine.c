/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tasks of an inline or seeded scheduler: contexts in the thread that is inside it.
 *
 *	running --coroutine_block--> waiting --unblocked, deadline--> ready --chosen--> running
 *
 * A task that stops chooses who goes on: the first in `ready` (inline), or one drawn (seeded).
 * When nobody is ready, time goes on to the earliest deadline: a virtual clock is moved there at
 * once, with a real one the thread sleeps. When there is no deadline either, that is a deadlock:
 * it is reported and is a failed assertion, whose poison wakes all.
 *
 * A caller of task_enter() runs on its thread's own stack and is a context like the others. While
 * no caller is inside, nobody runs. Nothing here needs a lock: a switch happens only where it is
 * asked for.
 */
#include <time.h>

#include "base/assert.h"
#include "base/sync_internal.h"

/* ---- one thread at a time */

static uintptr_t this_thread(void)
{
	return (uintptr_t)pthread_self();
}

void coroutine_enter(struct sched *s)
{
	uintptr_t inside = 0;
	bool was_empty = atomic_compare_exchange_strong_explicit(&s->inside_thread, &inside,
			this_thread(), memory_order_acquire, memory_order_relaxed);

	ensure(was_empty || inside == this_thread());	/* one thread at a time is inside */
	s->inside_count++;
}

static void ensure_no_other_thread_inside(struct sched *s)
{
	uintptr_t inside = atomic_load_explicit(&s->inside_thread, memory_order_relaxed);

	ensure(!inside || inside == this_thread());
}

void coroutine_leave(struct sched *s)
{
	if (--s->inside_count == 0)
		atomic_store_explicit(&s->inside_thread, 0, memory_order_release);
}

/* ---- ready and timed tasks */

static void make_ready(struct sched *s, struct task_slot *t)
{
	list_add_tail(&s->ready, &t->ready_link);
	s->ready_count++;
}

static void take_ready(struct sched *s, struct task_slot *t)
{
	list_remove(&t->ready_link);
	s->ready_count--;
}

static struct task_slot *timer_of(struct list *link)
{
	return list_entry(link, struct task_slot, timer_link);
}

static void add_timer(struct sched *s, struct task_slot *t, int64_t deadline)
{
	struct list *before = s->timers.prev;

	/* Most deadlines are later than those before; of equal ones the first stays the first. */
	while (before != &s->timers && timer_of(before)->deadline > deadline)
		before = before->prev;
	t->deadline = deadline;
	list_add_head(before, &t->timer_link);
}

static void expire_timers(struct sched *s)
{
	int64_t now;

	if (list_empty(&s->timers))
		return;
	now = clock_monotonic(s->clock);
	while (!list_empty(&s->timers)) {
		struct task_slot *t = list_first(&s->timers, struct task_slot, timer_link);

		if (t->deadline > now)
			break;
		list_remove(&t->timer_link);
		make_ready(s, t);
	}
}

static void pass_time_until(struct sched *s, int64_t monotonic_ns)
{
	struct timespec ts = {
		.tv_sec = monotonic_ns / NSEC_PER_SEC,
		.tv_nsec = monotonic_ns % NSEC_PER_SEC,
	};

	if (s->clock->is_virtual)
		clock_advance_to(s->clock, monotonic_ns);
	else
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

/* ---- who runs next */

static struct task_slot *first_or_drawn(struct sched *s)
{
	struct list *at = s->ready.next;

	if (s->mode == SCHED_SEEDED && s->ready_count > 1) {
		for (uint32_t n = random_below(&s->random, s->ready_count); n > 0; n--)
			at = at->next;
	}
	return list_entry(at, struct task_slot, ready_link);
}

/* Takes the next task from the ready ones, waiting for one if need be. NULL: a deadlock. */
static struct task_slot *choose_next(struct sched *s)
{
	struct task_slot *t;

	for (;;) {
		expire_timers(s);
		if (s->ready_count)
			break;
		if (list_empty(&s->timers))
			return NULL;
		pass_time_until(s, list_first(&s->timers, struct task_slot, timer_link)->deadline);
	}
	t = first_or_drawn(s);
	take_ready(s, t);
	return t;
}

static void report_waiting(struct sched *s, const struct task_slot *t)
{
	const struct task *owner = t->waits_mutex ? mutex_owner(t->waits_mutex) : NULL;

	if (owner)
		sched_report(s, "deadlock: %s-%u waits for lock %s, which %s-%u holds",
			     t->task.name, t->task.id, t->waits_for, owner->name, owner->id);
	else
		sched_report(s, "deadlock: %s-%u waits for %s", t->task.name, t->task.id,
			     t->waits_for);
}

/* Who goes on when the running task has stopped. A deadlock wakes all, who find it poisoned. */
static struct task_slot *choose_next_or_fail(struct sched *s)
{
	struct task_slot *next = choose_next(s);

	if (next)
		return next;
	sched_report(s, "deadlock: no task can run and none has a deadline");
	for (struct task_slot *t = slot_next(s, NULL); t; t = slot_next(s, t)) {
		if (t->waits_for)
			report_waiting(s, t);
	}
	sched_fail(s, __FILE__, __LINE__, "deadlock");
	return choose_next(s);
}

static void note_switch(struct sched *s, struct task_slot *from, struct task_slot *to)
{
	counter_add(&from->switches);
	s->switch_hash = (s->switch_hash ^ to->task.id) * 0x100000001b3;	/* FNV-1a */
	task_set_current(&to->task);
}

/* Goes on when somebody switches back; that may be in another thread than before. */
static void go_on_with(struct sched *s, struct task_slot *from, struct task_slot *to)
{
	if (to == from)
		return;
	note_switch(s, from, to);
	context_switch(&from->context, &to->context);
}

void coroutine_block(struct task_slot *t, int64_t deadline)
{
	struct sched *s = t->task.sched;

	if (sched_poisoned(s))
		return;
	if (deadline != CLOCK_NEVER)
		add_timer(s, t, deadline);
	go_on_with(s, t, choose_next_or_fail(s));
}

void coroutine_unblock(struct task_slot *t)
{
	struct sched *s = t->task.sched;

	ensure_no_other_thread_inside(s);
	list_remove(&t->timer_link);
	if (list_empty(&t->ready_link))
		make_ready(s, t);
}

bool coroutine_yield(struct task_slot *t)
{
	struct sched *s = t->task.sched;

	expire_timers(s);
	if (!s->ready_count)
		return false;
	make_ready(s, t);
	go_on_with(s, t, choose_next(s));
	return true;
}

/* ---- beginning and end */

static void coroutine_main(void *arg)
{
	struct task_slot *t = arg, *next;
	struct sched *s = t->task.sched;

	task_run(t);
	t->done = true;
	while (!list_empty(&t->joiners)) {
		struct task_slot *joiner = list_first(&t->joiners, struct task_slot, wait_link);

		list_remove(&joiner->wait_link);
		coroutine_unblock(joiner);
	}
	next = choose_next_or_fail(s);
	note_switch(s, t, next);
	context_exit(&t->context, &next->context, &s->stacks);
}

int coroutine_spawn(struct task_slot *t)
{
	struct sched *s = t->task.sched;
	int err;

	ensure_no_other_thread_inside(s);
	err = context_init(&t->context, &s->stacks, coroutine_main, t);
	if (!err)
		make_ready(s, t);
	return err;
}

void coroutine_join(struct task_slot *t)
{
	struct task_slot *me = current_slot();

	while (!t->done) {
		if (sched_poisoned(t->task.sched)) {
			coroutine_yield(me);
			continue;
		}
		task_block_prepare(me, "the end of a task");
		list_add_tail(&t->joiners, &me->wait_link);
		task_block(me, CLOCK_NEVER);
	}
}
