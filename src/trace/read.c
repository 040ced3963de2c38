/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the rings of all tasks as one sequence: ring.h says why none is missed.
 */
#include <errno.h>
#include "base/assert.h"
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

/* Its oldest record, if that has a number below `end`. */
static bool ring_peek(struct trace_ring *r, uint64_t end, struct trace_item *item)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	const uint64_t *w = &r->words[tail & (r->size_words - 1)];

	if (tail == r->read_end)
		return false;
	if ((w[0] & 0xffff) == TRACE_NONE) {
		tail = (tail | (r->size_words - 1)) + 1;
		atomic_store_explicit(&r->tail, tail, memory_order_release);
		w = r->words;
	}
	if (w[0] >> 16 >= end)
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

	tail += TRACE_RECORD_HEAD_WORDS + trace_value_count(item->id, item->values);
	atomic_store_explicit(&r->tail, tail, memory_order_release);
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

int trace_read(struct trace *t, int (*fn)(void *arg, const struct trace_item *item), void *arg)
{
	struct task *task = task_current();
	struct trace_ring *rings, *own;
	uint64_t end;
	int err;

	if (atomic_exchange_explicit(&t->reading, true, memory_order_acquire))
		return -EBUSY;
	own = task && task->ring && task->ring->trace == t ? task->ring : NULL;
	if (own)
		own->reading = true;
	end = atomic_load_explicit(&t->number, memory_order_acquire);
	rings = atomic_load_explicit(&t->rings, memory_order_acquire);
	for (struct trace_ring *r = rings; r; r = r->next)
		ring_begin(r, end);
	err = read_rings(rings, end, fn, arg);
	for (struct trace_ring *r = rings; r; r = r->next)
		ring_end(r);
	if (own)
		own->reading = false;
	atomic_store_explicit(&t->reading, false, memory_order_release);
	return err;
}
