/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arrays of all small lengths, in each order that random numbers make, with many equal elements,
 * come out in order and with the elements they had.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/random.h"
#include "base/sort.h"

struct thing {
	uint32_t key;
	uint32_t serial;
	uint8_t rest[5];
};

static bool thing_before(const void *a, const void *b)
{
	return ((const struct thing *)a)->key < ((const struct thing *)b)->key;
}

static void check_length(struct random *r, size_t count, uint32_t keys)
{
	struct thing things[200], was[200];
	bool seen[200] = { false };

	memset(things, 0, sizeof(things));
	for (size_t i = 0; i < count; i++) {
		things[i].key = (uint32_t)random_below(r, keys);
		things[i].serial = (uint32_t)i;
		things[i].rest[4] = (uint8_t)i;
		was[i] = things[i];
	}
	sort(things, count, sizeof(things[0]), thing_before);
	for (size_t i = 0; i < count; i++) {
		assert_false(seen[things[i].serial]);
		seen[things[i].serial] = true;
		assert_memory_equal(&things[i], &was[things[i].serial], sizeof(things[i]));
		assert_false(i && thing_before(&things[i], &things[i - 1]));
	}
}

static void all_lengths(void **state)
{
	struct random r;

	(void)state;
	random_init_seed(&r, 4);
	for (size_t count = 0; count < 200; count++)
		for (uint32_t keys = 1; keys < 2000; keys *= 6)
			check_length(&r, count, keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(all_lengths) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
