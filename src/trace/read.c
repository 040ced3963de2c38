/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the rings of all tasks as one sequence: ring.h says why none is missed.
 */
#include <string.h>
#include "trace/ring.h"

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

/* The records below `number` that this ring still has to complete are complete now. */
static void ring_begin(struct trace_ring *r, uint64_t number)
{
	while (atomic_exchange_explicit(&r->tail_busy, true, memory_order_acquire))
		pause_briefly();
	while (atomic_load_explicit(&r->writing, memory_order_acquire) < number)
		pause_briefly();
	r->read_end = atomic_load_explicit(&r->head, memory_order_acquire);
}

static void ring_end(struct trace_ring *r)
{
	atomic_store_explicit(&r->tail_busy, false, memory_order_release);
}

static void set_tail(struct trace_ring *r, uint64_t tail)
{
	atomic_store_explicit(&r->tail, tail, memory_order_release);
}

/*
 * The word where its oldest record with a number below `end` begins, or NULL. Takes in names on the
 * way.
 */
static const uint64_t *ring_oldest(struct trace_ring *r, uint64_t end)
{
	for (;;) {
		uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
		const uint64_t *w = &r->words[tail & (r->size_words - 1)];
		unsigned id;

		if (tail == r->read_end)
			return NULL;
		id = w[0] & 0xffff;
		if (id == TRACE_NONE) {
			set_tail(r, (tail | (r->size_words - 1)) + 1);
			continue;
		}
		if (w[0] >> 16 >= end)
			return NULL;
		if (id != TRACE_TASK)
			return w;
		w += TRACE_RECORD_HEAD_WORDS;
		memcpy(r->task_name, w, TASK_NAME_MAX);
		set_tail(r, tail + TRACE_RECORD_HEAD_WORDS + trace_value_count(TRACE_TASK, w));
	}
}

static bool ring_peek(struct trace_ring *r, uint64_t end, struct trace_item *item)
{
	const uint64_t *w = ring_oldest(r, end);

	if (!w)
		return false;
	item->id = (enum trace_event_id)(w[0] & 0xffff);
	item->number = w[0] >> 16;
	item->time_ns = (int64_t)w[1];
	item->values = w + TRACE_RECORD_HEAD_WORDS;
	item->ring = r;
	return true;
}

static void ring_advance(struct trace_ring *r, const struct trace_item *item)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	set_tail(r, tail + TRACE_RECORD_HEAD_WORDS + trace_value_count(item->id, item->values));
}

static uint64_t newly_lost(struct trace_ring *r)
{
	uint64_t lost = atomic_load_explicit(&r->lost, memory_order_relaxed);
	uint64_t count = lost - r->lost_told;

	r->lost_told = lost;
	return count;
}

/* The oldest record of all, and in `*limit` the number up to which its ring may go on alone. */
static bool oldest(struct trace_ring *rings, uint64_t end, struct trace_item *out, uint64_t *limit)
{
	struct trace_item item;
	bool found = false;

	*limit = end;
	for (struct trace_ring *r = rings; r; r = r->next) {
		if (!ring_peek(r, end, &item))
			continue;
		if (!found || item.number < out->number) {
			if (found)
				*limit = out->number;
			*out = item;
			found = true;
		} else if (item.number < *limit) {
			*limit = item.number;
		}
	}
	return found;
}

static int read_rings(struct trace_ring *rings, uint64_t end,
		      int (*fn)(void *arg, const struct trace_item *item), void *arg)
{
	struct trace_item item;
	uint64_t limit;
	int err = 0;

	while (!err && oldest(rings, end, &item, &limit)) {
		struct trace_ring *r = item.ring;

		do {
			item.lost = newly_lost(r);
			err = fn(arg, &item);
			ring_advance(r, &item);
		} while (!err && ring_peek(r, limit, &item));
	}
	return err;
}

static void set_own_reading(struct trace *t, bool reading)
{
	struct task *task = task_current();

	if (task && task->ring && task->ring->trace == t)
		task->ring->reading = reading;
}

bool trace_read_begin(struct trace *t)
{
	if (atomic_exchange_explicit(&t->reading, true, memory_order_acquire))
		return false;
	set_own_reading(t, true);
	return true;
}

void trace_read_end(struct trace *t)
{
	set_own_reading(t, false);
	atomic_store_explicit(&t->reading, false, memory_order_release);
}

int trace_read(struct trace *t, int (*fn)(void *arg, const struct trace_item *item), void *arg)
{
	struct trace_ring *rings;
	uint64_t end;
	int err;

	end = atomic_load_explicit(&t->number, memory_order_acquire);
	rings = atomic_load_explicit(&t->rings, memory_order_acquire);
	for (struct trace_ring *r = rings; r; r = r->next)
		ring_begin(r, end);
	err = read_rings(rings, end, fn, arg);
	for (struct trace_ring *r = rings; r; r = r->next)
		ring_end(r);
	return err;
}
