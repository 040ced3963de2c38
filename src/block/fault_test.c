/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults come exactly where they were ordered, reach nothing below, and every call is counted.
 */
#include "block/testing.h"

#include <errno.h>

#define SIZE MiB(1)

static struct block_device *make_fault(struct arena *a)
{
	struct block_device *d;

	assert_int_equal(block_fault_create(a, mem_device(a, SIZE), &d), 0);
	return d;
}

/* Ten calls, one letter each: Read, Write, Flush, Discard. */
static const char calls[] = "RWFDRWFWRD";

static int do_call(struct block_device *d, char what)
{
	static uint8_t buf[512];

	switch (what) {
	case 'R':
		return block_read(d, 0, buf, sizeof(buf));
	case 'W':
		return block_write(d, 0, buf, sizeof(buf), BLOCK_FUA | BLOCK_PREFLUSH);
	case 'F':
		return block_flush(d);
	default:
		return block_discard(d, 0, 512);
	}
}

static void numbers(void **state)
{
	static const struct {
		unsigned what;
		uint64_t nth;
		bool forever;
		const char *want;	/* x: that call fails */
	} rows[] = {
		{ FAULT_ANY, 0, false, "x........." },
		{ FAULT_ANY, 9, false, ".........x" },
		{ FAULT_ANY, 10, false, ".........." },
		{ FAULT_ANY, 4, true, "....xxxxxx" },
		{ FAULT_READ, 0, false, "x........." },
		{ FAULT_READ, 2, false, "........x." },
		{ FAULT_WRITE, 1, false, ".....x...." },
		{ FAULT_WRITE, 1, true, ".....x.x.." },
		{ FAULT_FLUSH, 1, false, "......x..." },
		{ FAULT_DISCARD, 0, true, "...x.....x" },
		{ FAULT_READ | FAULT_FLUSH, 1, true, "..x.x.x.x." },
		{ 0, 0, true, ".........." },
	};
	struct block_device *d = make_fault(*state);
	uint64_t count = 0;

	for (unsigned i = 0; i < array_size(rows); i++) {
		block_fault_at(d, rows[i].what, rows[i].nth, -ENOSPC, rows[i].forever);
		for (unsigned j = 0; calls[j]; j++) {
			int want = rows[i].want[j] == 'x' ? -ENOSPC : 0;

			assert_int_equal(do_call(d, calls[j]), want);
			assert_int_equal(block_fault_calls(d), ++count);
		}
	}
	block_close(d);
}

static void places(void **state)
{
	static const struct {
		uint64_t pos, len;
		bool fails;
	} rows[] = {
		{0, 512, false},      {KiB(64) - 512, 512, false}, {KiB(64) - 512, 1024, true},
		{KiB(64), 512, true}, {KiB(65) - 512, 512, true},  {KiB(65), 512, false},
		{0, KiB(128), true},
	};
	struct block_device *d = make_fault(*state);
	static uint8_t buf[KiB(128)];

	block_fault_range(d, FAULT_WRITE, KiB(64), KiB(1), -EIO);
	for (unsigned i = 0; i < array_size(rows); i++) {
		int want = rows[i].fails ? -EIO : 0;

		assert_int_equal(block_write(d, rows[i].pos, buf, rows[i].len, 0), want);
		assert_int_equal(block_read(d, rows[i].pos, buf, rows[i].len), 0);
		assert_int_equal(block_discard(d, rows[i].pos, rows[i].len), 0);
		assert_int_equal(block_flush(d), 0);
	}
	block_fault_range(d, FAULT_READ | FAULT_DISCARD, KiB(64), 512, -EBADMSG);
	assert_int_equal(block_write(d, KiB(64), buf, 512, 0), 0);
	assert_int_equal(block_read(d, KiB(64), buf, 512), -EBADMSG);
	assert_int_equal(block_discard(d, KiB(64), 512), -EBADMSG);
	block_fault_clear(d);
	assert_int_equal(block_read(d, KiB(64), buf, 512), 0);
	block_close(d);
}

static void what_fails_does_not_happen(void **state)
{
	struct block_device *d = make_fault(*state);
	uint8_t buf[512] = { 1 };

	write_pattern(d, 0, SIZE, 1);
	block_fault_at(d, FAULT_ANY, 0, -EIO, true);
	assert_int_equal(block_write(d, 512, buf, 512, 0), -EIO);
	assert_int_equal(block_discard(d, 512, 512), -EIO);
	block_fault_clear(d);
	assert_pattern(d, 0, SIZE, 1);
	block_close(d);
}

/* What never reaches the device (out of bounds, empty) is no call. */
static void refused_at_the_door(void **state)
{
	struct block_device *d = make_fault(*state);
	uint8_t buf[512] = { 0 };

	assert_int_equal(block_read(d, SIZE, buf, 512), -EINVAL);
	assert_int_equal(block_write(d, 0, buf, 0, 0), 0);
	assert_int_equal(block_fault_calls(d), 0);
	assert_int_equal(block_write(d, 0, buf, 0, BLOCK_PREFLUSH), 0);
	assert_int_equal(block_fault_calls(d), 1);
	block_close(d);
}

static void a_loop_over_all_numbers_ends(void **state)
{
	struct block_device *d = make_fault(*state);
	uint64_t failed = 0;

	for (uint64_t nth = 0;; nth++) {
		bool any = false;

		block_fault_at(d, FAULT_ANY, nth, -EIO, false);
		for (unsigned j = 0; calls[j]; j++)
			any |= do_call(d, calls[j]) != 0;
		if (!any)
			break;
		failed++;
	}
	assert_int_equal(failed, strlen(calls));
	block_close(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_with_arena(numbers),
		test_with_arena(places),
		test_with_arena(what_fails_does_not_happen),
		test_with_arena(refused_at_the_door),
		test_with_arena(a_loop_over_all_numbers_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
