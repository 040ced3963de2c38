/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every function against the same thing done bit by bit, at all starts and lengths of a bitmap that
 * is allocated exactly, so that the address sanitizer sees a byte read too many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/bitmap.h"
#include "base/random.h"

static uint32_t plain_next(const uint8_t *map, uint32_t size, uint32_t from, bool value)
{
	for (uint32_t bit = from; bit < size; bit++)
		if (bitmap_test(map, bit) == value)
			return bit;
	return size;
}

static void check_searches(const uint8_t *map, uint32_t size)
{
	for (uint32_t from = 0; from <= size; from++) {
		uint32_t ones = 0;

		assert_int_equal(bitmap_next_one(map, size, from),
				 plain_next(map, size, from, true));
		assert_int_equal(bitmap_next_zero(map, size, from),
				 plain_next(map, size, from, false));
		for (uint32_t count = 0; count <= size - from; count++) {
			assert_int_equal(bitmap_count_ones(map, from, count), ones);
			assert_int_equal(bitmap_all_ones(map, from, count), ones == count);
			assert_int_equal(bitmap_all_zeros(map, from, count), ones == 0);
			if (from + count < size)
				ones += bitmap_test(map, from + count);
		}
	}
}

static void searches_agree_with_single_bits(void **state)
{
	struct random r;

	random_init_seed(&r, 5);
	for (uint32_t size = 0; size <= 200; size += 1 + size / 16) {
		uint8_t *map = malloc((size + 7) / 8);

		for (uint32_t density = 0; density <= 8; density++) {
			for (uint32_t i = 0; i < size / 8 + (size % 8 != 0); i++)
				map[i] = (uint8_t)(random_below(&r, 8) < density ? 0xff
										 : random_u64(&r));
			if (density == 8)
				memset(map, 0, (size + 7) / 8);
			check_searches(map, size);
		}
		free(map);
	}
}

static void ranges_change_what_they_name(void **state)
{
	enum { SIZE = 80 };

	for (uint32_t from = 0; from < SIZE; from++) {
		for (uint32_t count = 0; count <= SIZE - from; count++) {
			uint8_t ones[SIZE / 8], zeros[SIZE / 8];

			memset(ones, 0xff, sizeof(ones));
			memset(zeros, 0, sizeof(zeros));
			bitmap_clear_range(ones, from, count);
			bitmap_set_range(zeros, from, count);
			for (uint32_t bit = 0; bit < SIZE; bit++) {
				bool inside = bit >= from && bit < from + count;

				assert_int_equal(bitmap_test(zeros, bit), inside);
				assert_int_equal(bitmap_test(ones, bit), !inside);
			}
		}
	}
}

static void single_bits(void **state)
{
	uint8_t map[2] = { 0 };

	bitmap_set(map, 0);
	bitmap_set(map, 11);
	assert_int_equal(map[0], 0x01);
	assert_int_equal(map[1], 0x08);
	bitmap_clear(map, 0);
	assert_false(bitmap_test(map, 0));
	assert_true(bitmap_test(map, 11));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(searches_agree_with_single_bits),
		cmocka_unit_test(ranges_change_what_they_name),
		cmocka_unit_test(single_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
