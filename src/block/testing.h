/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of this folder share: an arena that must be empty at the end, bytes that tell
 * where they belong, files that go away.
 */
#ifndef EXTANT_BLOCK_TESTING_H
#define EXTANT_BLOCK_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "block/device.h"

#define KiB(n) ((size_t)(n) << 10)
#define MiB(n) ((size_t)(n) << 20)

/* Byte `pos` of a device that was filled by `seed`. */
static inline uint8_t pattern_byte(uint64_t pos, unsigned seed)
{
	uint64_t x = (pos + 1) * 0x9e3779b97f4a7c15ull ^ (uint64_t)seed << 32;

	return (uint8_t)(x >> 29 ^ x >> 47);
}

static inline void pattern_fill(uint8_t *buf, uint64_t pos, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = pattern_byte(pos + i, seed);
}

static inline void write_pattern(struct block_device *d, uint64_t pos, size_t len, unsigned seed)
{
	uint8_t *buf = test_malloc(len);

	pattern_fill(buf, pos, len, seed);
	assert_int_equal(block_write(d, pos, buf, len, 0), 0);
	test_free(buf);
}

static inline void assert_pattern(struct block_device *d, uint64_t pos, size_t len, unsigned seed)
{
	uint8_t *buf = test_malloc(len), *want = test_malloc(len);

	pattern_fill(want, pos, len, seed);
	assert_int_equal(block_read(d, pos, buf, len), 0);
	assert_memory_equal(buf, want, len);
	test_free(want);
	test_free(buf);
}

static inline void assert_zeros(struct block_device *d, uint64_t pos, size_t len)
{
	uint8_t *buf = test_malloc(len), *want = test_calloc(1, len);

	assert_int_equal(block_read(d, pos, buf, len), 0);
	assert_memory_equal(buf, want, len);
	test_free(want);
	test_free(buf);
}

/* Every byte of the device is the same on both. */
static inline void assert_same_contents(struct block_device *a, struct block_device *b)
{
	uint8_t x[4096], y[4096];

	assert_int_equal(a->size_bytes, b->size_bytes);
	for (uint64_t pos = 0; pos < a->size_bytes; pos += sizeof(x)) {
		size_t n = min(a->size_bytes - pos, (uint64_t)sizeof(x));

		assert_int_equal(block_read(a, pos, x, n), 0);
		assert_int_equal(block_read(b, pos, y, n), 0);
		assert_memory_equal(x, y, n);
	}
}

/* A new file of `size` zero bytes; `path` (of TEMP_PATH_MAX) says where. */
#define TEMP_PATH_MAX 256
static inline void temp_file(char *path, uint64_t size)
{
	const char *dir = getenv("TMPDIR");
	int fd;

	snprintf(path, TEMP_PATH_MAX, "%s/extant-test-XXXXXX", dir ? dir : "/tmp");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

static inline struct block_device *mem_device(struct arena *a, uint64_t size)
{
	struct block_device *d;

	assert_int_equal(block_mem_create(a, size, &d), 0);
	return d;
}

/* Each test has an arena of its own as its state; what is left in it at the end fails the test. */
static inline int arena_setup(void **state)
{
	*state = arena_create();
	return *state ? 0 : -1;
}

static inline int arena_teardown(void **state)
{
	size_t left = arena_bytes(*state);

	arena_expect_leaks(*state); /* a failed test leaves things behind: that is not the news */
	arena_destroy(*state);
	return left ? -1 : 0;
}
#define test_with_arena(fn) cmocka_unit_test_setup_teardown(fn, arena_setup, arena_teardown)

#endif
