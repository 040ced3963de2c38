/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shows that names hash to what debugfs says (dx_hash, and htree_dump of a directory on an image
 * whose names are unsigned).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/compiler.h"
#include "ext4/format.h"
#include "ext4/hash.h"

#define X20  "xxxxxxxxxxxxxxxxxxxx"
#define X100 X20 X20 X20 X20 X20

static const uint32_t seed[4] = { 0x04030201, 0x08070605, 0x0c0b0a09, 0x100f0e0d };
static const uint32_t no_seed[4];

static void names_hash_as_debugfs_says(void **state)
{
	static const struct {
		uint8_t version;
		const uint32_t *seed;
		const char *name;
		uint32_t hash, minor;
	} cases[] = {
		{ EXT4_HASH_LEGACY, seed, "a", 0xe74b53e2, 0 },
		{ EXT4_HASH_LEGACY, seed, "hello.txt", 0x65a05776, 0 },
		{ EXT4_HASH_LEGACY, seed, "h\xc3\xa4nsel", 0xc8c37b30, 0 },
		{ EXT4_HASH_LEGACY, seed, X100, 0xf985a9f6, 0 },
		{ EXT4_HASH_HALF_MD4, seed, "a", 0x8d08ec4c, 0x2fbccd78 },
		{ EXT4_HASH_HALF_MD4, seed, "hello.txt", 0xac15d19c, 0x0021f363 },
		{ EXT4_HASH_HALF_MD4, seed, "h\xc3\xa4nsel", 0xf149e04a, 0x615c247c },
		{ EXT4_HASH_HALF_MD4, seed, X100, 0xb0946622, 0x046bd63f },
		{ EXT4_HASH_HALF_MD4, no_seed, "a", 0xd5fa7d7a, 0xacb48187 },
		{ EXT4_HASH_TEA, seed, "a", 0xf53528f0, 0xea54fb01 },
		{ EXT4_HASH_TEA, seed, "hello.txt", 0x8912606c, 0x9fdd508e },
		{ EXT4_HASH_TEA, seed, "h\xc3\xa4nsel", 0x66fe4176, 0xef6a9520 },
		{ EXT4_HASH_TEA, seed, X100, 0x5969a09e, 0xb0a8af0f },
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct ext4_dirhash h;

		assert_int_equal(ext4_dirhash(cases[i].version, cases[i].seed, cases[i].name,
					      strlen(cases[i].name), &h),
				 0);
		assert_int_equal(h.hash, cases[i].hash);
		assert_int_equal(h.minor, cases[i].minor);
	}
}

static void unsigned_names_hash_as_htree_dump_says(void **state)
{
	static const char longer[] = "\xe9\xe8long-long-long-long-long-name-1";
	static const struct {
		uint8_t version;
		const char *name;
		uint32_t hash, minor;
	} cases[] = {
		{ EXT4_HASH_LEGACY, "h\xc3\xa4nsel", 0x07ffa130, 0 },
		{ EXT4_HASH_LEGACY, longer, 0x411d31f0, 0 },
		{ EXT4_HASH_HALF_MD4, "h\xc3\xa4nsel", 0xfe853cbc, 0xb55f0dd7 },
		{ EXT4_HASH_HALF_MD4, longer, 0x446ef024, 0x7b6b23ac },
		{ EXT4_HASH_TEA, "h\xc3\xa4nsel", 0x850299d8, 0xace0486a },
		{ EXT4_HASH_TEA, longer, 0x67f8b868, 0xfdb254a8 },
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct ext4_dirhash h;
		uint8_t version = ext4_dirhash_version(cases[i].version, true);

		assert_int_equal(version, cases[i].version + 3);
		assert_int_equal(
			ext4_dirhash(version, seed, cases[i].name, strlen(cases[i].name), &h), 0);
		assert_int_equal(h.hash, cases[i].hash);
		assert_int_equal(h.minor, cases[i].minor);
	}
}

static void other_versions_are_refused(void **state)
{
	struct ext4_dirhash h;

	assert_int_equal(ext4_dirhash(EXT4_HASH_SIPHASH, seed, "a", 1, &h), -EINVAL);
	assert_int_equal(ext4_dirhash_version(EXT4_HASH_TEA, false), EXT4_HASH_TEA);
	assert_int_equal(ext4_dirhash_version(EXT4_HASH_TEA_UNSIGNED, true),
			 EXT4_HASH_TEA_UNSIGNED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_hash_as_debugfs_says),
		cmocka_unit_test(unsigned_names_hash_as_htree_dump_says),
		cmocka_unit_test(other_versions_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
