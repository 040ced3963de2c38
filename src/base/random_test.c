/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A seed repeats its numbers, other seeds have others, and results below a limit are equally
 * likely.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/random.h"

static void a_seed_repeats(void **state)
{
	struct random a, b, c;

	random_init_seed(&a, 1);
	random_init_seed(&b, 1);
	random_init_seed(&c, 2);
	for (int i = 0; i < 100; i++) {
		uint64_t x = random_u64(&a);

		assert_true(x == random_u64(&b));
		assert_true(x != random_u64(&c));
	}
}

/* The generator is a published one: its first numbers from a known state. */
static void the_numbers_are_those_of_the_published_generator(void **state)
{
	struct random r = { .state = { 1, 2, 3, 4 } };
	static const uint64_t expected[] = { 11520, 0, 1509978240, 1215971899390074240 };

	for (size_t i = 0; i < 4; i++)
		assert_true(random_u64(&r) == expected[i]);
}

static void limits_hold_and_are_even(void **state)
{
	struct random r;
	unsigned int counts[7] = { 0 };

	random_init_seed(&r, 42);
	for (int i = 0; i < 70000; i++)
		counts[random_below(&r, 7)]++;
	for (int i = 0; i < 7; i++) {
		assert_true(counts[i] > 9500);
		assert_true(counts[i] < 10500);
	}
	assert_int_equal(random_below(&r, 1), 0);
	assert_int_equal(random_below(&r, 0), 0);
}

static void bytes_fill_exactly(void **state)
{
	struct random r;
	uint8_t buffer[64], zeros[64] = { 0 };

	for (size_t len = 0; len <= 40; len++) {
		random_init_seed(&r, len);
		memset(buffer, 0, sizeof(buffer));
		random_bytes(&r, buffer, len);
		assert_memory_equal(buffer + len, zeros, sizeof(buffer) - len);
	}
	assert_memory_not_equal(buffer, zeros, 40);
}

static void the_system_gives_different_seeds(void **state)
{
	struct random a, b;

	random_init_system(&a);
	random_init_system(&b);
	assert_true(random_u64(&a) != random_u64(&b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_seed_repeats),
		cmocka_unit_test(the_numbers_are_those_of_the_published_generator),
		cmocka_unit_test(limits_hold_and_are_even),
		cmocka_unit_test(bytes_fill_exactly),
		cmocka_unit_test(the_system_gives_different_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
