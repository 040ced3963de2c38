/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual clock stands still until it is moved, never goes back, and stamps in ticks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"

static void virtual_clock_moves_when_told(void **state)
{
	struct clock c;

	clock_init_virtual(&c, 1000 * NSEC_PER_SEC, 0);
	assert_int_equal(clock_monotonic(&c), 0);
	assert_int_equal(clock_realtime(&c), 1000 * NSEC_PER_SEC);
	clock_advance_to(&c, 5 * NSEC_PER_SEC);
	assert_int_equal(clock_monotonic(&c), 5 * NSEC_PER_SEC);
	assert_int_equal(clock_realtime(&c), 1005 * NSEC_PER_SEC);
	clock_advance_to(&c, 2 * NSEC_PER_SEC);
	assert_int_equal(clock_monotonic(&c), 5 * NSEC_PER_SEC);
}

static void stamps_are_rounded_down_to_ticks(void **state)
{
	static const struct {
		int64_t now_ns, stamp_ns;
	} cases[] = { { 0, 0 },
		      { 3999999, 0 },
		      { 4000000, 4000000 },
		      { 11999999, 8000000 },
		      { -1, -4000000 } };
	struct clock c;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		clock_init_virtual(&c, cases[i].now_ns, 4 * NSEC_PER_MSEC);
		assert_int_equal(clock_stamp(&c), cases[i].stamp_ns);
	}
	clock_init_virtual(&c, 123, 1);
	assert_int_equal(clock_stamp(&c), 123);
}

static void the_machines_clock_runs(void **state)
{
	struct clock c;
	int64_t before;

	clock_init_real(&c);
	before = clock_monotonic(&c);
	assert_true(clock_monotonic(&c) >= before);
	assert_true(clock_realtime(&c) > 1600000000 * NSEC_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(virtual_clock_moves_when_told),
		cmocka_unit_test(stamps_are_rounded_down_to_ticks),
		cmocka_unit_test(the_machines_clock_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
