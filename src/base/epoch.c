/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Epochs. A reader notes the number of the epoch it entered in, in a word of its own; nobody else
 * is written to. What is retired carries the number of its epoch. Whoever reclaims begins a new
 * epoch and frees what was retired before the oldest epoch a reader is in:
 *
 *	a reader in an epoch later than the retirement saw that epoch begin, which happened after
 *	the thing was taken out: it cannot reach it
 *
 * A reader may have read the number and not yet noted it when its word is looked at. Looking is a
 * read-modify-write, as noting is; the two have an order: either the look sees the note, or the
 * reader sees all that happened before the look, the taking out among it.
 */
#include "base/assert.h"
#include "base/sync_internal.h"

#define RECLAIM_AFTER	32	/* retirements */

void epoch_init(struct sched *s)
{
	atomic_init(&s->epoch, 1);
	pthread_mutex_init(&s->retire_lock, NULL);
	s->reclaim_at = RECLAIM_AFTER;
}

void epoch_enter(void)
{
	struct task_slot *t = current_slot();
	uint64_t now;

	ensure(t);
	if (t->epoch_depth++ > 0)
		return;
	now = atomic_load_explicit(&t->task.sched->epoch, memory_order_acquire);
	(void)atomic_exchange_explicit(&t->epoch, now, memory_order_acq_rel);
}

void epoch_leave(void)
{
	struct task_slot *t = current_slot();

	ensure(t && t->epoch_depth > 0);
	if (--t->epoch_depth > 0)
		return;
	atomic_store_explicit(&t->epoch, 0, memory_order_release);
}

/* UINT64_MAX: nobody is inside. */
static uint64_t oldest_epoch_inside(struct sched *s)
{
	uint64_t oldest = UINT64_MAX;

	for (struct task_slot *t = slot_next(s, NULL); t; t = slot_next(s, t)) {
		uint64_t e = atomic_fetch_add_explicit(&t->epoch, 0, memory_order_acq_rel);

		if (e)
			oldest = min(oldest, e);
	}
	return oldest;
}

/* Takes out of the list, which is in order of epochs, what was retired before `limit`. */
static struct epoch_node *detach_before(struct sched *s, uint64_t limit)
{
	struct epoch_node *first = s->retired_first, **end = &first;

	while (*end && (*end)->epoch < limit) {
		end = &(*end)->next;
		s->retired_count--;
	}
	s->retired_first = *end;
	if (!*end)
		s->retired_last = NULL;
	*end = NULL;
	return first;
}

static struct epoch_node *begin_epoch_and_detach(struct sched *s)
{
	struct epoch_node *list;

	atomic_fetch_add_explicit(&s->epoch, 1, memory_order_acq_rel);
	list = detach_before(s, oldest_epoch_inside(s));
	s->reclaim_at = s->retired_count + RECLAIM_AFTER;
	return list;
}

/* Who retires may hold any lock, so a callback takes none: it stands behind all ranks. */
static void run_all(struct epoch_node *list)
{
	static const char callbacks;
	struct task_slot *t = current_slot();

	if (!list)
		return;
	rank_push(t, RANK_ARENA, &callbacks);
	while (list) {
		struct epoch_node *node = list;

		list = node->next;
		node->fn(node);
	}
	rank_pop(t, &callbacks);
}

static void append(struct sched *s, struct epoch_node *node)
{
	if (s->retired_last)
		s->retired_last->next = node;
	else
		s->retired_first = node;
	s->retired_last = node;
	s->retired_count++;
}

void epoch_retire(struct epoch_node *node, void (*fn)(struct epoch_node *node))
{
	struct epoch_node *list = NULL;
	struct sched *s;

	ensure(task_current());
	s = task_current()->sched;
	node->next = NULL;
	node->fn = fn;
	pthread_mutex_lock(&s->retire_lock);
	node->epoch = atomic_load_explicit(&s->epoch, memory_order_relaxed);
	append(s, node);
	if (s->retired_count >= s->reclaim_at)
		list = begin_epoch_and_detach(s);
	pthread_mutex_unlock(&s->retire_lock);
	run_all(list);
}

void epoch_reclaim(void)
{
	struct epoch_node *list;
	struct sched *s;

	ensure(task_current());
	s = task_current()->sched;
	pthread_mutex_lock(&s->retire_lock);
	list = begin_epoch_and_detach(s);
	pthread_mutex_unlock(&s->retire_lock);
	run_all(list);
}

static bool nothing_is_retired(struct sched *s)
{
	bool nothing;

	pthread_mutex_lock(&s->retire_lock);
	nothing = !s->retired_first;
	pthread_mutex_unlock(&s->retire_lock);
	return nothing;
}

void epoch_drain(void)
{
	ensure(current_slot() && !current_slot()->epoch_depth);
	for (;;) {
		epoch_reclaim();
		if (nothing_is_retired(current_slot()->task.sched))
			return;
		task_yield();		/* a reader is still inside */
	}
}

void epoch_fini(struct sched *s)
{
	while (s->retired_first && !sched_poisoned(s))
		epoch_reclaim();
	pthread_mutex_destroy(&s->retire_lock);
}
