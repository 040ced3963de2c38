/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing records. ring.h has the layout and the rules.
 */
#include <string.h>
#include "base/assert.h"
#include "trace/event.h"
#include "trace/ring.h"

#define DRAIN_WAIT_NS 100000
#define DRAIN_TRIES 20000		/* two seconds: whoever reads meanwhile is stuck */

unsigned trace_value_count(enum trace_event_id id, const uint64_t *values)
{
	switch (id) {
	case TRACE_NONE:
		return 0;
	case TRACE_MARK:
		return 1 + (unsigned)((values[0] + 7) / 8);
	case TRACE_SCOPE_ENTER:
	case TRACE_SCOPE_LEAVE:
		return 1;
	case TRACE_TASK:
		return TASK_NAME_MAX / sizeof(uint64_t);
	default:
		return trace_event(id)->field_count;
	}
}

/* ---- which ring */

static struct trace_ring *ring_create(struct trace *t, uint32_t id)
{
	struct trace_ring *r = arena_new(t->arena, struct trace_ring);

	if (!r)
		return NULL;
	r->words = arena_alloc(t->arena, t->ring_words * sizeof(uint64_t));
	if (!r->words) {
		arena_free(t->arena, r);
		return NULL;
	}
	r->trace = t;
	r->size_words = t->ring_words;
	r->task_id = id;
	atomic_init(&r->writing, TRACE_NOT_WRITING);
	r->next = atomic_load_explicit(&t->rings, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&t->rings, &r->next, r, memory_order_release,
						      memory_order_relaxed))
		;
	return r;
}

/* The first record of a task in this trace; an earlier task with its id has ended. */
static struct trace_ring *ring_of_task(struct trace *t, struct task *task)
{
	struct trace_ring *r = atomic_load_explicit(&t->rings, memory_order_acquire);

	while (r && r->task_id != task->id)
		r = r->next;
	if (!r)
		r = ring_create(t, task->id);
	if (r)
		task->ring = r;
	return r;
}

void trace_rings_free(struct trace *t)
{
	struct trace_ring *r = atomic_load_explicit(&t->rings, memory_order_acquire);
	struct task *task = task_current();

	while (r) {
		struct trace_ring *next = r->next;

		if (task && task->ring == r)
			task->ring = NULL;
		arena_free(t->arena, r->words);
		arena_free(t->arena, r);
		r = next;
	}
}

/* ---- room */

static void lose(struct trace_ring *r, uint64_t count)
{
	atomic_fetch_add_explicit(&r->lost, count, memory_order_relaxed);
}

/*
 * Words that a record of `words` takes at `head`, with what is left unused before the ring's end.
 */
static uint64_t words_taken(const struct trace_ring *r, uint64_t head, uint64_t words)
{
	uint64_t to_end = r->size_words - (head & (r->size_words - 1));

	return words <= to_end ? words : to_end + words;
}

static bool has_room(const struct trace_ring *r, uint64_t head, uint64_t taken)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);

	return head + taken - tail <= r->size_words;
}

/* The position after the record at `at`; counts it if it is one that a reader would see. */
static uint64_t skip_record(struct trace_ring *r, uint64_t at, uint64_t *count)
{
	const uint64_t *w = &r->words[at & (r->size_words - 1)];
	enum trace_event_id id = (enum trace_event_id)(w[0] & 0xffff);

	if (id == TRACE_NONE)
		return (at | (r->size_words - 1)) + 1;
	w += TRACE_RECORD_HEAD_WORDS;
	if (id == TRACE_TASK)
		memcpy(r->task_name, w, TASK_NAME_MAX);
	else
		(*count)++;
	return at + TRACE_RECORD_HEAD_WORDS + trace_value_count(id, w);
}

/* Drops the oldest records, an eighth of the ring at a time, so that this is rare. */
static bool drop_oldest(struct trace_ring *r, uint64_t head, uint64_t taken)
{
	uint64_t tail, goal, count = 0;

	if (atomic_exchange_explicit(&r->tail_busy, true, memory_order_acquire))
		return false;
	tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	goal = head + taken - r->size_words + r->size_words / 8;
	while (tail < goal && tail < head)
		tail = skip_record(r, tail, &count);
	atomic_store_explicit(&r->tail, tail, memory_order_release);
	atomic_store_explicit(&r->tail_busy, false, memory_order_release);
	lose(r, count);
	return true;
}

/* Another task may be reading: it empties this ring too, so its end is waited for. */
static bool drain(struct trace *t, struct trace_ring *r, uint64_t head, uint64_t taken)
{
	for (int i = 0; i < DRAIN_TRIES; i++) {
		t->opt.drain(t->opt.drain_arg, t);
		if (has_room(r, head, taken))
			return true;
		if (!atomic_load_explicit(&t->reading, memory_order_relaxed) || !task_current())
			return false;
		task_sleep(DRAIN_WAIT_NS);
	}
	return false;
}

static bool make_room(struct trace *t, struct trace_ring *r, uint64_t head, uint64_t taken)
{
	if (has_room(r, head, taken))
		return true;
	return t->opt.drain ? drain(t, r, head, taken) : drop_oldest(r, head, taken);
}

/* ---- a record */

/* The place for a record of `count` values; NULL: it is lost. Ends with record_end(). */
static uint64_t *record_begin(struct trace *t, struct trace_ring *r, enum trace_event_id id,
			      unsigned count)
{
	uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	uint64_t words = TRACE_RECORD_HEAD_WORDS + count;
	uint64_t taken = words_taken(r, head, words);
	uint64_t number, *w = &r->words[head & (r->size_words - 1)];

	if (unlikely(r->reading || !make_room(t, r, head, taken))) {
		lose(r, 1);
		return NULL;
	}
	if (unlikely(taken != words)) {
		w[0] = TRACE_NONE;
		w = r->words;
	}
	r->head_next = head + taken;
	number = atomic_load_explicit(&t->number, memory_order_relaxed);
	atomic_store_explicit(&r->writing, number, memory_order_relaxed);
	number = atomic_fetch_add_explicit(&t->number, 1, memory_order_acq_rel);
	w[0] = number << 16 | id;
	w[1] = (uint64_t)clock_monotonic(t->opt.clock);
	return w + TRACE_RECORD_HEAD_WORDS;
}

static void record_end(struct trace_ring *r)
{
	atomic_store_explicit(&r->head, r->head_next, memory_order_release);
	atomic_store_explicit(&r->writing, TRACE_NOT_WRITING, memory_order_release);
}

static bool record(struct trace *t, struct trace_ring *r, enum trace_event_id id,
		   const uint64_t *values, unsigned count)
{
	uint64_t *w = record_begin(t, r, id, count);

	if (!w)
		return false;
	for (unsigned i = 0; i < count; i++)
		w[i] = values[i];
	record_end(r);
	return true;
}

static void record_name(struct trace *t, struct trace_ring *r, const struct task *task)
{
	uint64_t words[TASK_NAME_MAX / sizeof(uint64_t)];

	memcpy(words, task->name, TASK_NAME_MAX);
	if (record(t, r, TRACE_TASK, words, array_size(words)))
		memcpy(r->name_written, task->name, TASK_NAME_MAX);
}

static void lose_unplaced(struct trace *t)
{
	atomic_fetch_add_explicit(&t->lost, 1, memory_order_relaxed);
}

/*
 * In no task there may be several threads at once: they take turns. Who has the turn may be reading
 * the trace, and what reads it may be what comes here: then the record is dropped.
 */
static void record_outside(struct trace *t, enum trace_event_id id, const uint64_t *values,
			   unsigned count)
{
	while (atomic_exchange_explicit(&t->outside_busy, true, memory_order_acquire)) {
		if (atomic_load_explicit(&t->reading, memory_order_relaxed)) {
			lose_unplaced(t);
			return;
		}
	}
	if (!t->outside) {
		t->outside = ring_create(t, 0);
		if (t->outside)
			strcpy(t->outside->task_name, "extant");
	}
	if (t->outside)
		(void)record(t, t->outside, id, values, count);	/* lost: counted */
	else
		lose_unplaced(t);
	atomic_store_explicit(&t->outside_busy, false, memory_order_release);
}

void trace_record(struct trace *t, enum trace_event_id id, const uint64_t *values, unsigned count)
{
	struct task *task = task_current();
	struct trace_ring *r;

	if (unlikely(!task)) {
		record_outside(t, id, values, count);
		return;
	}
	r = task->ring;
	if (unlikely(!r || r->trace != t))
		r = ring_of_task(t, task);
	if (unlikely(!r)) {
		lose_unplaced(t);
		return;
	}
	if (unlikely(memcmp(r->name_written, task->name, TASK_NAME_MAX)))
		record_name(t, r, task);
	(void)record(t, r, id, values, count);	/* lost: counted */
}
