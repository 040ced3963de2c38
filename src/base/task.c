/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tasks: the slots they lie in, the current one, callers that enter and leave, spawning and
 * joining.
 *
 * A slot is claimed by one compare-and-swap on its own cache line. A thread remembers which slot
 * it had last and tries that one first, so that two threads that call again and again write no
 * shared line. In coroutine modes slots are taken from the first on, so that equal runs have
 * equal task ids.
 */
#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "base/sync_internal.h"

/* A plain load relative to the thread pointer, in a shared library too. */
#define THREAD_LOCAL static _Thread_local __attribute__((tls_model("initial-exec")))

THREAD_LOCAL struct task *current;
THREAD_LOCAL uint32_t slot_hint;	/* index + 1 of the slot this thread had last; 0: none */

/*
 * A coroutine may go on in another thread than it stopped in; so no caller may keep the address of
 * `current` from one call to the next.
 */
__attribute__((noinline)) struct task *task_current(void)
{
	return current;
}

__attribute__((noinline)) void task_set_current(struct task *t)
{
	current = t;
}

/* ---- slots */

static void park_init(struct task_slot *t)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->park_cond, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&t->park_lock, NULL);
}

static void slot_init(struct sched *s, struct task_slot *t)
{
	t->task.sched = s;
	t->coroutine = s->coroutine;
	t->seeded = s->mode == SCHED_SEEDED;
	list_init(&t->wait_link);
	list_init(&t->ready_link);
	list_init(&t->timer_link);
	list_init(&t->joiners);
	if (!s->coroutine)
		park_init(t);
}

static struct slot_chunk *chunk_create(struct sched *s)
{
	void *memory = arena_zalloc(s->arena, sizeof(struct slot_chunk) + CACHE_LINE);
	struct slot_chunk *c = cache_line_up(memory);

	if (!memory)
		return NULL;
	c->memory = memory;
	for (int i = 0; i < SLOTS_A_CHUNK; i++)
		slot_init(s, &c->slots[i]);
	return c;
}

static void chunk_destroy(struct sched *s, struct slot_chunk *c)
{
	for (int i = 0; !s->coroutine && i < SLOTS_A_CHUNK; i++) {
		pthread_cond_destroy(&c->slots[i].park_cond);
		pthread_mutex_destroy(&c->slots[i].park_lock);
	}
	arena_free(s->arena, c->memory);
}

int slots_init(struct sched *s)
{
	s->first_chunk = chunk_create(s);
	return s->first_chunk ? 0 : -ENOMEM;
}

void slots_fini(struct sched *s)
{
	struct slot_chunk *c = s->first_chunk;

	while (c) {
		struct slot_chunk *next = atomic_load_explicit(&c->next, memory_order_acquire);

		chunk_destroy(s, c);
		c = next;
	}
}

static struct slot_chunk *chunk_next(const struct slot_chunk *c)
{
	return atomic_load_explicit(&c->next, memory_order_acquire);
}

struct task_slot *slot_next(const struct sched *s, const struct task_slot *t)
{
	struct slot_chunk *c = s->first_chunk;

	if (!t)
		return &c->slots[0];
	while (t < &c->slots[0] || t >= &c->slots[SLOTS_A_CHUNK])
		c = chunk_next(c);
	if (t + 1 < &c->slots[SLOTS_A_CHUNK])
		return &c->slots[t + 1 - c->slots];
	c = chunk_next(c);
	return c ? &c->slots[0] : NULL;
}

static struct task_slot *slot_at(const struct sched *s, uint32_t index)
{
	struct slot_chunk *c = s->first_chunk;

	for (; c && index >= SLOTS_A_CHUNK; index -= SLOTS_A_CHUNK)
		c = chunk_next(c);
	return c ? &c->slots[index] : NULL;
}

static bool slot_claim(struct task_slot *t)
{
	uint32_t is_free = 0;

	if (atomic_load_explicit(&t->busy, memory_order_relaxed))
		return false;
	return atomic_compare_exchange_strong_explicit(&t->busy, &is_free, 1, memory_order_acquire,
						       memory_order_relaxed);
}

static void slot_release(struct task_slot *t)
{
	atomic_store_explicit(&t->busy, 0, memory_order_release);
}

/* Adds a chunk behind `last`, unless somebody else was faster. */
static int slots_grow(struct sched *s, struct slot_chunk *last)
{
	struct slot_chunk *c = chunk_create(s), *none = NULL;

	if (!c)
		return -ENOMEM;
	if (!atomic_compare_exchange_strong_explicit(&last->next, &none, c, memory_order_acq_rel,
						     memory_order_acquire))
		chunk_destroy(s, c);
	return 0;
}

/* Any free slot but the visitor's; its index goes to *index. NULL: memory is out. */
static struct task_slot *slot_find(struct sched *s, uint32_t *index)
{
	struct slot_chunk *c = s->first_chunk;

	for (*index = 0;; c = chunk_next(c)) {
		for (int i = 0; i < SLOTS_A_CHUNK; i++, (*index)++) {
			if (*index != VISITOR_SLOT && slot_claim(&c->slots[i]))
				return &c->slots[i];
		}
		if (!chunk_next(c) && slots_grow(s, c))
			return NULL;
	}
}

static struct task_slot *slot_find_for_thread(struct sched *s)
{
	struct task_slot *t = slot_hint ? slot_at(s, slot_hint - 1) : NULL;
	uint32_t index;

	if (t && slot_claim(t))
		return t;
	t = slot_find(s, &index);
	if (t)
		slot_hint = index + 1;
	return t;
}

/* Names of callers are short: this is less work than a call. The last byte stays 0. */
static void copy_name(char *to, const char *from)
{
	for (int i = 0; i < TASK_NAME_MAX - 1; i++)
		if (!(to[i] = from[i]))
			break;
}

static void slot_begin(struct task_slot *t, const char *name)
{
	struct sched *s = t->task.sched;

	if (!t->task.id)
		t->task.id = atomic_fetch_add_explicit(&s->last_id, 1, memory_order_relaxed) + 1;
	copy_name(t->task.name, name);
	t->depth = 1;
}

/* ---- callers */

static struct task *become(struct task_slot *t, const char *name)
{
	slot_begin(t, name);
	t->outer = current;
	context_init_native(&t->context);
	current = &t->task;
	return &t->task;
}

static struct task *enter_coroutines(struct sched *s, const char *name)
{
	struct task_slot *t;
	uint32_t index;

	coroutine_enter(s);
	t = slot_find(s, &index);
	if (t)
		return become(t, name);
	coroutine_leave(s);
	return NULL;
}

static struct task *enter_threads(struct sched *s, const char *name)
{
	struct task_slot *t = slot_find_for_thread(s);

	return t ? become(t, name) : NULL;
}

struct task *task_enter(struct sched *s, const char *name)
{
	struct task *t = current;

	if (!t || t->sched != s)
		return s->coroutine ? enter_coroutines(s, name) : enter_threads(s, name);
	slot_of(t)->depth++;
	return t;
}

void task_leave(struct task *task)
{
	struct task_slot *t = slot_of(task);

	ensure(task == current);
	if (t->depth == t->guarded_depth)
		t->guarded = false;	/* the frame it is in goes */
	if (--t->depth > 0)
		return;
	ensure(!t->task.handle && !t->epoch_depth);
	rank_check_none(t);
	t->task.flags = 0;
	current = t->outer;
	if (t->coroutine)
		coroutine_leave(t->task.sched);
	slot_release(t);
}

struct task *enter_as_visitor(struct sched *s)
{
	struct task_slot *t = slot_at(s, VISITOR_SLOT);
	bool claimed;

	if (current && current->sched == s)
		return NULL;
	if (s->coroutine)
		coroutine_enter(s);
	claimed = slot_claim(t);
	ensure(claimed);		/* one at a time joins, settles or destroys from outside */
	return become(t, "visitor");
}

/* ---- spawned tasks */

void task_run(struct task_slot *t)
{
	if (!_setjmp(t->recovery)) {
		t->guarded = true;
		t->guarded_depth = t->depth;
		t->fn(t->arg);
		ensure(!t->task.handle && !t->epoch_depth);
		rank_check_none(t);
	}
	t->guarded = false;
}

static void slot_end_spawned(struct task_slot *t)
{
	t->task.daemon = false;
	t->task.flags = 0;
	t->fn = NULL;
	slot_release(t);
}

int task_spawn(struct sched *s, const char *name, void (*fn)(void *arg), void *arg,
	       struct task **out)
{
	uint32_t index;
	struct task_slot *t = slot_find(s, &index);
	int err;

	if (!t)
		return -ENOMEM;
	slot_begin(t, name);
	t->task.daemon = true;
	t->fn = fn;
	t->arg = arg;
	t->done = false;
	err = t->coroutine ? coroutine_spawn(t) : thread_spawn(t);
	if (err) {
		slot_end_spawned(t);
		return err;
	}
	*out = &t->task;
	return 0;
}

static void join_coroutine(struct task_slot *t)
{
	struct task *entered = enter_as_visitor(t->task.sched);

	coroutine_join(t);
	if (entered)
		task_leave(entered);
}

void task_join(struct task *task)
{
	struct task_slot *t = slot_of(task);

	if (t->coroutine)
		join_coroutine(t);
	else
		thread_join(t);
	slot_end_spawned(t);
}

/* ---- blocking */

void task_block_prepare(struct task_slot *t, const char *waits_for)
{
	t->waits_for = waits_for;
	if (t->coroutine)
		return;
	pthread_mutex_lock(&t->park_lock);
	t->unparked = false;
	pthread_mutex_unlock(&t->park_lock);
}

void task_block(struct task_slot *t, int64_t deadline)
{
	if (t->coroutine)
		coroutine_block(t, deadline);
	else
		thread_block(t, deadline);
	t->waits_for = NULL;
	t->waits_mutex = NULL;
}

void task_unblock(struct task_slot *t)
{
	if (t->coroutine)
		coroutine_unblock(t);
	else
		thread_unblock(t);
}
