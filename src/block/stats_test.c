/* SPDX-License-Identifier: BSD-2-Clause */
/* Every call is counted once, as what it is, with its bytes. */
#include "block/testing.h"

#include <errno.h>

static void each_call_counts(void **state)
{
	static uint8_t buf[4096];
	struct block_device *d, *fault;
	struct block_stats s;

	assert_int_equal(block_fault_create(*state, mem_device(*state, MiB(1)), &fault), 0);
	assert_int_equal(block_stats_create(*state, fault, &d), 0);
	assert_int_equal(block_read(d, 0, buf, 4096), 0);
	assert_int_equal(block_read(d, 0, buf, 512), 0);
	assert_int_equal(block_write(d, 0, buf, 1024, 0), 0);
	assert_int_equal(block_write(d, 0, buf, 512, BLOCK_FUA), 0);
	assert_int_equal(block_write(d, 0, buf, 512, BLOCK_FUA | BLOCK_PREFLUSH), 0);
	assert_int_equal(block_flush(d), 0);
	assert_int_equal(block_discard(d, 0, KiB(64)), 0);
	block_fault_at(fault, FAULT_ANY, 0, -EIO, false);
	assert_int_equal(block_flush(d), -EIO);		/* failed ones too */
	block_stats_get(d, &s);
	assert_int_equal(s.reads, 2);
	assert_int_equal(s.read_bytes, 4608);
	assert_int_equal(s.writes, 3);
	assert_int_equal(s.write_bytes, 2048);
	assert_int_equal(s.fua_writes, 2);
	assert_int_equal(s.flushes, 3);
	assert_int_equal(s.discards, 1);
	block_close(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_with_arena(each_call_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
