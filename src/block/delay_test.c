/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A slow device takes exactly its time, in the time of the scheduler; calls of several tasks take
 * theirs side by side.
 */
#include "base/sync_test.h"
#include "block/testing.h"

#define MS NSEC_PER_MSEC

static struct block_device *slow_device(struct fixture *f)
{
	struct block_device *d;

	assert_int_equal(block_delay_create(f->arena, mem_device(f->arena, MiB(1)), 2 * MS, 5 * MS,
					    100 * MS, &d), 0);
	return d;
}

static void each_call_takes_its_time(void **state)
{
	static const struct {
		unsigned flags;
		int64_t want_ms;
	} writes[] = {
		{ 0, 5 }, { BLOCK_FUA, 105 }, { BLOCK_PREFLUSH, 105 },
		{ BLOCK_FUA | BLOCK_PREFLUSH, 205 },
	};
	uint8_t buf[512] = { 0 };
	struct fixture f;
	struct block_device *d;
	struct task *t;
	int64_t at;

	fixture_open(&f, SCHED_INLINE, 0);
	t = enter(&f);
	d = slow_device(&f);
	at = clock_monotonic(&f.clock);
	assert_int_equal(block_read(d, 0, buf, 512), 0);
	assert_int_equal(clock_monotonic(&f.clock), at += 2 * MS);
	for (unsigned i = 0; i < array_size(writes); i++) {
		assert_int_equal(block_write(d, 0, buf, 512, writes[i].flags), 0);
		assert_int_equal(clock_monotonic(&f.clock), at += writes[i].want_ms * MS);
	}
	assert_int_equal(block_flush(d), 0);
	assert_int_equal(clock_monotonic(&f.clock), at += 100 * MS);
	assert_int_equal(block_discard(d, 0, 512), 0);
	assert_int_equal(clock_monotonic(&f.clock), at + 5 * MS);
	block_close(d);
	task_leave(t);
	fixture_close(&f);
}

static void flush_it(void *arg)
{
	assert_int_equal(block_flush(arg), 0);
}

static void tasks_wait_side_by_side(void **state)
{
	struct fixture f;
	struct block_device *d;
	struct task *t, *tasks[4];
	int64_t at;

	fixture_open(&f, SCHED_INLINE, 0);
	t = enter(&f);
	d = slow_device(&f);
	at = clock_monotonic(&f.clock);
	for (unsigned i = 0; i < 4; i++)
		tasks[i] = spawn(&f, "flusher", flush_it, d);
	for (unsigned i = 0; i < 4; i++)
		task_join(tasks[i]);
	assert_int_equal(clock_monotonic(&f.clock), at + 100 * MS);
	block_close(d);
	task_leave(t);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_call_takes_its_time),
		cmocka_unit_test(tasks_wait_side_by_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
