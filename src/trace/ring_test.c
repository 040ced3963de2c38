/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records: none is lost unseen, their order is that of their making, full rings, several tasks at
 * once, and what is off leaves nothing behind.
 */
#include "trace/trace_test.h"

#define SMALL_RING 16384
#define THREADS 4

/* ---- what a reader saw */

struct seen {
	uint64_t items, lost, last_number;
	uint64_t last_of_task[THREADS + 2];	/* the counter each task emits, ascending */
	uint64_t of_task[THREADS + 2];
	bool gaps_allowed;
};

/* Events here are jbd2_checkpoint with a counter, emitted by tasks named "0", "1", ... */
static int look(void *arg, const struct trace_item *item)
{
	struct seen *s = arg;
	unsigned task = (unsigned)(item->ring->task_name[0] - '0');

	assert_int_equal(item->id, TRACE_ID_jbd2_checkpoint);
	assert_true(!s->items || item->number > s->last_number);
	assert_true(task < array_size(s->of_task));
	if (s->gaps_allowed)
		assert_true(item->values[0] > s->last_of_task[task]);
	else
		assert_int_equal(item->values[0], s->last_of_task[task] + 1);
	s->last_of_task[task] = item->values[0];
	s->last_number = item->number;
	s->of_task[task]++;
	s->items++;
	s->lost += item->lost;
	return 0;
}

static bool read_all(struct trace *t, struct seen *s)
{
	if (!trace_read_begin(t))
		return false;
	assert_int_equal(trace_read(t, look, s), 0);
	trace_read_end(t);
	return true;
}

static void emit(struct traced *x, int from, int to)
{
	for (int i = from; i <= to; i++)
		trace(x, jbd2_checkpoint, i);
}

static struct task *enter_as(struct traced *x, const char *name)
{
	struct task *task = task_enter(x->base.sched, name);

	assert_non_null(task);
	return task;
}

/* ---- on and off */

static void off_at_first(void **state)
{
	struct traced x;
	struct seen seen = { 0 };

	traced_open_with(&x, SCHED_INLINE, &(struct trace_options){ .dialect = DIALECT_4_9 });
	emit(&x, 1, 10);
	{
		TRACE_SCOPE(&x, something);
		emit(&x, 1, 10);
	}
	assert_true(read_all(x.trace, &seen));
	assert_int_equal(seen.items, 0);
	traced_close(&x);
}

static bool is_on(struct traced *x, enum trace_event_id id)
{
	return trace_on(x->trace, id);
}

static void patterns(void **state)
{
	struct traced x;

	traced_open_with(&x, SCHED_INLINE, &(struct trace_options){ .dialect = DIALECT_6_18 });
	assert_int_equal(trace_enable(x.trace, "nothing*", true), -ENOENT);
	assert_int_equal(trace_enable(x.trace, "ext4_es_*", true), 0);
	assert_true(is_on(&x, TRACE_ID_ext4_es_insert_extent));
	assert_true(is_on(&x, TRACE_ID_ext4_es_find_delayed_extent_range_enter));
	assert_false(is_on(&x, TRACE_ID_ext4_evict_inode));
	assert_int_equal(trace_enable(x.trace, "ext4_es_insert_*", false), 0);
	assert_false(is_on(&x, TRACE_ID_ext4_es_insert_extent));
	assert_true(is_on(&x, TRACE_ID_ext4_es_lookup_extent_exit));
	/* The dialect's own names are known, and what it has not stays off. */
	assert_int_equal(trace_enable(x.trace, "ext4_journal_start_sb", true), 0);
	assert_true(is_on(&x, TRACE_ID_ext4_journal_start));
	assert_int_equal(trace_enable(x.trace, "ext4_read_folio", true), 0);
	assert_true(is_on(&x, TRACE_ID_ext4_readpage));
	assert_int_equal(trace_enable(x.trace, "ext4_writepage", true), -ENOENT);
	assert_int_equal(trace_enable(x.trace, "*", true), 0);
	assert_false(is_on(&x, TRACE_ID_ext4_writepage));
	assert_true(is_on(&x, TRACE_ID_block_rq_issue));
	assert_false(trace_scopes_on(x.trace));
	traced_close(&x);

	traced_open_with(&x, SCHED_INLINE, &(struct trace_options){ .dialect = DIALECT_4_9 });
	assert_int_equal(trace_enable(x.trace, "ext4_read_folio", true), -ENOENT);
	assert_int_equal(trace_enable(x.trace, "ext4_fc_*", true), -ENOENT);
	traced_close(&x);
}

static void none_does_nothing(void **state)
{
	struct traced x = { .trace = trace_none() };

	emit(&x, 1, 10);
	{
		TRACE_SCOPE(&x, something);
		trace_mark(x.trace, "a mark");
	}
	assert_int_equal(trace_lost(x.trace), 0);
	trace_destroy(x.trace);
	trace_destroy(NULL);
}

/* ---- one ring */

static void wraps(void **state)
{
	struct traced x;
	struct seen seen = { 0 };
	struct task *task;

	traced_open_with(&x, SCHED_INLINE, &(struct trace_options){ .ring_bytes = SMALL_RING });
	assert_int_equal(trace_enable(x.trace, "*", true), 0);
	task = enter_as(&x, "0");
	for (int i = 0; i < 100; i++) {
		emit(&x, i * 97 + 1, i * 97 + 97);
		assert_true(read_all(x.trace, &seen));
	}
	task_leave(task);
	assert_int_equal(seen.items, 9700);
	assert_int_equal(seen.lost, 0);
	assert_int_equal(trace_lost(x.trace), 0);
	traced_close(&x);
}

static void full_ring_drops_oldest(void **state)
{
	struct traced x;
	struct seen seen = { .gaps_allowed = true };
	struct task *task;

	traced_open_with(&x, SCHED_INLINE, &(struct trace_options){ .ring_bytes = SMALL_RING });
	assert_int_equal(trace_enable(x.trace, "*", true), 0);
	task = enter_as(&x, "0");
	emit(&x, 1, 5000);
	task_leave(task);
	assert_true(read_all(x.trace, &seen));
	assert_int_equal(seen.last_of_task[0], 5000);
	assert_true(seen.items >= SMALL_RING / 24 * 3 / 4);
	assert_int_equal(seen.items + seen.lost, 5000);
	assert_int_equal(trace_lost(x.trace), seen.lost);
	traced_close(&x);
}

/* Marks of all lengths, so that records end everywhere; the last ones are there, whole. */
static void records_of_all_lengths(void **state)
{
	static char long_text[TRACE_MARK_MAX + 100];
	struct traced x;
	const char *text, *at;

	memset(long_text, 'm', sizeof(long_text) - 1);
	traced_open_with(&x, SCHED_INLINE, &(struct trace_options){ .ring_bytes = SMALL_RING });
	for (int len = 0; len < (int)sizeof(long_text); len += 7)
		trace_mark(x.trace, "%.*s", len, long_text);
	for (int len = 1000; len < 1100; len++)
		trace_mark(x.trace, "%.*s", len, long_text);
	text = traced_text(&x, TRACE_FTRACE);
	at = strrchr(text, ':') + 2;
	assert_int_equal(strspn(at, "m"), 1099);
	assert_string_equal(at + 1099, "\n");
	assert_non_null(strstr(text, " EVENTS]\n"));
	traced_close(&x);
}

/* ---- drain */

static void read_when_full(void *arg, struct trace *t)
{
	struct seen *seen = arg;

	(void)read_all(t, seen);
}

static void drain_loses_nothing(void **state)
{
	struct traced x;
	struct seen seen = { 0 };
	struct task *task;

	traced_open_with(&x, SCHED_INLINE,
			 &(struct trace_options){ .ring_bytes = SMALL_RING,
						  .drain = read_when_full,
						  .drain_arg = &seen });
	assert_int_equal(trace_enable(x.trace, "*", true), 0);
	task = enter_as(&x, "0");
	emit(&x, 1, 5000);
	assert_true(seen.items > 4000);
	task_leave(task);
	assert_true(read_all(x.trace, &seen));
	assert_int_equal(seen.items, 5000);
	assert_int_equal(trace_lost(x.trace), 0);
	traced_close(&x);
}

/* ---- several tasks */

struct worker {
	struct traced *x;
	int count;
	bool yields;
};

static void work(void *arg)
{
	struct worker *w = arg;

	for (int i = 1; i <= w->count; i++) {
		emit(w->x, i, i);
		if (w->yields && i % 3 == 0)
			task_yield();
	}
}

static void run_workers(struct traced *x, struct worker *w)
{
	struct task *tasks[THREADS];

	for (int i = 0; i < THREADS; i++) {
		const char name[] = { (char)('0' + i), '\0' };

		tasks[i] = spawn(&x->base, name, work, w);
	}
	for (int i = 0; i < THREADS; i++)
		task_join(tasks[i]);
}

static void order_over_tasks(void **state)
{
	struct traced x;
	struct seen seen = { 0 };
	struct worker w = { &x, 1000, true };

	traced_open_with(&x, SCHED_INLINE, &(struct trace_options){ 0 });
	assert_int_equal(trace_enable(x.trace, "*", true), 0);
	run_workers(&x, &w);
	assert_true(read_all(x.trace, &seen));
	assert_int_equal(seen.items, THREADS * 1000);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(seen.of_task[i], 1000);
	traced_close(&x);
}

/* Threads fill small rings and empty everybody's; each record is read once and in order. */
static void threads_drain(void **state)
{
	struct traced x;
	struct seen seen = { 0 };
	struct worker w = { &x, 20000, false };

	traced_open_with(&x, SCHED_THREADED,
			 &(struct trace_options){ .ring_bytes = SMALL_RING,
						  .drain = read_when_full,
						  .drain_arg = &seen });
	assert_int_equal(trace_enable(x.trace, "*", true), 0);
	run_workers(&x, &w);
	assert_true(read_all(x.trace, &seen));
	assert_int_equal(seen.items, THREADS * 20000);
	assert_int_equal(trace_lost(x.trace), 0);
	traced_close(&x);
}

/* Threads write while another reads: what was not read is counted. */
static void threads_overflow(void **state)
{
	struct traced x;
	struct seen seen = { .gaps_allowed = true };
	struct worker w = { &x, 20000, false };
	struct task *tasks[THREADS];

	traced_open_with(&x, SCHED_THREADED, &(struct trace_options){ .ring_bytes = SMALL_RING });
	assert_int_equal(trace_enable(x.trace, "*", true), 0);
	for (int i = 0; i < THREADS; i++)
		tasks[i] = spawn(&x.base, (const char[]){ (char)('0' + i), '\0' }, work, &w);
	for (int i = 0; i < 50; i++)
		assert_true(read_all(x.trace, &seen));
	for (int i = 0; i < THREADS; i++)
		task_join(tasks[i]);
	assert_true(read_all(x.trace, &seen));
	assert_int_equal(seen.items + trace_lost(x.trace), THREADS * 20000);
	traced_close(&x);
}

/* A slot of the scheduler is used again under another name, in the same ring. */
static void names_change(void **state)
{
	struct traced x;
	struct seen seen = { 0 };
	struct task *task;

	traced_open(&x, DIALECT_4_9);
	for (int i = 0; i < 4; i++) {
		task = enter_as(&x, i % 2 ? "1" : "0");
		emit(&x, i / 2 * 10 + 1, i / 2 * 10 + 10);
		task_leave(task);
	}
	assert_true(read_all(x.trace, &seen));
	assert_int_equal(seen.of_task[0], 20);
	assert_int_equal(seen.of_task[1], 20);
	traced_close(&x);
}

static int count_outside(void *arg, const struct trace_item *item)
{
	assert_string_equal(item->ring->task_name, "extant");
	assert_int_equal(item->ring->task_id, 0);
	++*(int *)arg;
	return 0;
}

static void outside_of_tasks(void **state)
{
	struct traced x;
	int count = 0;

	traced_open(&x, DIALECT_4_9);
	emit(&x, 1, 10);
	assert_true(trace_read_begin(x.trace));
	assert_false(trace_read_begin(x.trace));
	assert_int_equal(trace_read(x.trace, count_outside, &count), 0);
	trace_read_end(x.trace);
	assert_int_equal(count, 10);
	traced_close(&x);
}

/* The turn of those in no task is held while its ring is drained: who emits there does not wait. */
static void emit_when_full(void *arg, struct trace *t)
{
	struct traced *x = arg;
	int count = 0;

	assert_true(trace_read_begin(t));
	emit(x, 1, 1);
	assert_int_equal(trace_read(t, count_outside, &count), 0);
	trace_read_end(t);
	assert_true(count > 100);
}

static void outside_and_full(void **state)
{
	struct traced x;

	traced_open_with(&x, SCHED_INLINE, &(struct trace_options){ .ring_bytes = SMALL_RING,
								    .drain = emit_when_full,
								    .drain_arg = &x });
	assert_int_equal(trace_enable(x.trace, "*", true), 0);
	emit(&x, 1, 2000);
	assert_int_equal(trace_lost(x.trace), 2000 / (SMALL_RING / 24));
	traced_close(&x);
}

static int emit_and_count(void *arg, const struct trace_item *item)
{
	struct traced *x = arg;

	emit(x, 1, 1);
	return item->values[0] == 5 ? 17 : 0;
}

/* A reader that emits would never end; and one that stops finds the rest the next time. */
static void reader_stops(void **state)
{
	struct traced x;
	struct seen seen = { .last_of_task = { 5 } };
	struct task *task;

	traced_open(&x, DIALECT_4_9);
	task = enter_as(&x, "0");
	emit(&x, 1, 10);
	assert_true(trace_read_begin(x.trace));
	assert_int_equal(trace_read(x.trace, emit_and_count, &x), 17);
	trace_read_end(x.trace);
	assert_int_equal(trace_lost(x.trace), 5);
	assert_true(read_all(x.trace, &seen));
	assert_int_equal(seen.items, 5);
	task_leave(task);
	traced_close(&x);
}

static void without_memory(void **state)
{
	struct traced x;
	struct seen seen = { .last_of_task = { 20 } };
	struct task *task;

	traced_open(&x, DIALECT_4_9);
	task = enter_as(&x, "0");
	for (uint64_t nth = 0; nth < 2; nth++) {
		arena_fail_at(x.base.arena, nth);
		emit(&x, 1, 1);
	}
	arena_fail_at(x.base.arena, UINT64_MAX);
	assert_int_equal(trace_lost(x.trace), 2);
	emit(&x, 21, 30);
	assert_true(read_all(x.trace, &seen));
	assert_int_equal(seen.items, 10);
	task_leave(task);
	traced_close(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(off_at_first),
		cmocka_unit_test(patterns),
		cmocka_unit_test(none_does_nothing),
		cmocka_unit_test(wraps),
		cmocka_unit_test(full_ring_drops_oldest),
		cmocka_unit_test(records_of_all_lengths),
		cmocka_unit_test(drain_loses_nothing),
		cmocka_unit_test(order_over_tasks),
		cmocka_unit_test(threads_drain),
		cmocka_unit_test(threads_overflow),
		cmocka_unit_test(names_change),
		cmocka_unit_test(outside_of_tasks),
		cmocka_unit_test(outside_and_full),
		cmocka_unit_test(reader_stops),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
