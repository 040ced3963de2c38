/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Published results, and agreement of all ways to compute crc32c with a bit-by-bit one at all short
 * lengths and alignments and around the lengths of the lanes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/csum.h"
#include "base/csum_internal.h"
#include "base/random.h"

static uint32_t bit_by_bit(uint32_t crc, const uint8_t *p, size_t len)
{
	for (; len; p++, len--) {
		crc ^= *p;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

static void known_results(void **state)
{
	uint8_t bytes[32];

	assert_int_equal(crc32c(~0U, "123456789", 9), ~0xe3069283U);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(crc32c(~0U, bytes, sizeof(bytes)), ~0x8a9136aaU);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(crc32c(~0U, bytes, sizeof(bytes)), ~0x62a8ab43U);
	for (uint8_t i = 0; i < 32; i++)
		bytes[i] = i;
	assert_int_equal(crc32c(~0U, bytes, sizeof(bytes)), ~0x46dd794eU);
	assert_int_equal(crc16(0xffff, "123456789", 9), 0x4b37);
	assert_int_equal(crc16(0, "123456789", 9), 0xbb3d);
	assert_int_equal(crc32_be(~0U, "123456789", 9), 0x0376e6e7);
}

static void check_range(const uint8_t *p, size_t len, uint32_t seed)
{
	uint32_t expected = bit_by_bit(seed, p, len);

	assert_int_equal(crc32c(seed, p, len), expected);
	assert_int_equal(crc32c_by_table(seed, p, len), expected);
	if (crc32c_has_instruction())
		assert_int_equal(crc32c_by_instruction(seed, p, len), expected);
}

static void all_ways_agree(void **state)
{
	static uint8_t buffer[9000];
	static const size_t lengths[] = { 1007, 1008, 1023, 1024, 1025, 4079,
					  4080, 4095, 4096, 5088, 8160, 8192 };
	struct random r;

	random_init_seed(&r, 3);
	random_bytes(&r, buffer, sizeof(buffer));
	for (size_t align = 0; align < 8; align++) {
		for (size_t len = 0; len <= 300; len++)
			check_range(buffer + align, len, (uint32_t)random_u64(&r));
		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
			check_range(buffer + align, lengths[i], (uint32_t)random_u64(&r));
	}
}

static void results_feed_into_the_next_call(void **state)
{
	static uint8_t buffer[5000];
	struct random r;

	random_init_seed(&r, 4);
	random_bytes(&r, buffer, sizeof(buffer));
	for (int i = 0; i < 200; i++) {
		size_t cut = random_below(&r, sizeof(buffer) + 1), rest = sizeof(buffer) - cut;

		assert_int_equal(crc32c(crc32c(5, buffer, cut), buffer + cut, rest),
				 crc32c(5, buffer, sizeof(buffer)));
		assert_int_equal(crc16(crc16(5, buffer, cut), buffer + cut, rest),
				 crc16(5, buffer, sizeof(buffer)));
		assert_int_equal(crc32_be(crc32_be(5, buffer, cut), buffer + cut, rest),
				 crc32_be(5, buffer, sizeof(buffer)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_results),
		cmocka_unit_test(all_ways_agree),
		cmocka_unit_test(results_feed_into_the_next_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
