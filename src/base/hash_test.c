/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Buckets fill evenly with numbers in a row and with names that differ little; seed and length
 * count.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/hash.h"

enum { BITS = 8, BUCKETS = 1 << BITS, KEYS = BUCKETS * 64 };

static void check_even(const unsigned int *counts)
{
	for (int i = 0; i < BUCKETS; i++) {
		assert_true(counts[i] > 24);
		assert_true(counts[i] < 120);
	}
}

static void numbers_in_a_row_spread(void **state)
{
	for (int shift = 0; shift <= 24; shift += 4) {
		unsigned int singles[BUCKETS] = { 0 }, pairs[BUCKETS] = { 0 };

		for (uint64_t i = 0; i < KEYS; i++) {
			singles[hash_bucket(hash_u64(i << shift), BITS)]++;
			pairs[hash_bucket(hash_pair(i % 100, i / 100), BITS)]++;
		}
		check_even(singles);
		check_even(pairs);
	}
}

static void names_spread(void **state)
{
	unsigned int counts[BUCKETS] = { 0 };

	for (int i = 0; i < KEYS; i++) {
		char name[32];
		size_t len = (size_t)snprintf(name, sizeof(name), "file%06d.txt", i);

		counts[hash_bucket(hash_bytes(name, len, 1), BITS)]++;
	}
	check_even(counts);
}

static void seed_length_and_every_byte_count(void **state)
{
	char text[40] = { 0 };

	for (size_t len = 0; len < sizeof(text); len++) {
		uint64_t hash = hash_bytes(text, len, 7);

		assert_true(hash == hash_bytes(text, len, 7));
		assert_true(hash != hash_bytes(text, len, 8));
		assert_true(hash != hash_bytes(text, len + 1, 7));
		for (size_t i = 0; i < len; i++) {
			text[i] = 1;
			assert_true(hash != hash_bytes(text, len, 7));
			text[i] = 0;
		}
	}
	assert_int_equal(hash_bucket(~0ULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_in_a_row_spread),
		cmocka_unit_test(names_spread),
		cmocka_unit_test(seed_length_and_every_byte_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
