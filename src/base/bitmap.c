/* SPDX-License-Identifier: BSD-2-Clause */
/* Searches look at 64 bits at a time, changes at bytes with whole runs filled at once. */
#include "base/bitmap.h"

#include <string.h>

#include "base/compiler.h"
#include "base/endian.h"

#define WORD_BITS 64u

/* Word number `index` of a bitmap of `size` bits; bits past the last byte are zeros. */
static uint64_t word_at(const uint8_t *map, uint32_t size, uint32_t index)
{
	uint32_t left_bytes = size / 8 + (size % 8 != 0) - index * (uint32_t)sizeof(le64);
	le64 word = { { 0 } };

	if (left_bytes >= sizeof(word))
		memcpy(&word, map + index * sizeof(word), sizeof(word));
	else
		memcpy(&word, map + index * sizeof(word), left_bytes);
	return le64_get(word);
}

/* The first bit that differs from the bits of `alike`, which are all zeros or all ones. */
static uint32_t next_unlike(const void *map, uint32_t size, uint32_t from, uint64_t alike)
{
	uint64_t mask = ~0ULL << from % WORD_BITS;

	if (from >= size)
		return size;
	for (uint32_t index = from / WORD_BITS; index <= (size - 1) / WORD_BITS; index++) {
		uint64_t unlike = (word_at(map, size, index) ^ alike) & mask;

		if (unlike)
			return min(size, index * WORD_BITS + (uint32_t)__builtin_ctzll(unlike));
		mask = ~0ULL;
	}
	return size;
}

uint32_t bitmap_next_one(const void *map, uint32_t size, uint32_t from)
{
	return next_unlike(map, size, from, 0);
}

uint32_t bitmap_next_zero(const void *map, uint32_t size, uint32_t from)
{
	return next_unlike(map, size, from, ~0ULL);
}

bool bitmap_all_ones(const void *map, uint32_t from, uint32_t count)
{
	return bitmap_next_zero(map, from + count, from) == from + count;
}

bool bitmap_all_zeros(const void *map, uint32_t from, uint32_t count)
{
	return bitmap_next_one(map, from + count, from) == from + count;
}

uint32_t bitmap_count_ones(const void *map, uint32_t from, uint32_t count)
{
	uint32_t end = from + count, ones = 0;
	uint64_t mask = ~0ULL << from % WORD_BITS;

	if (!count)
		return 0;
	for (uint32_t index = from / WORD_BITS; index <= (end - 1) / WORD_BITS; index++) {
		uint32_t left = end - index * WORD_BITS;

		if (left < WORD_BITS)
			mask &= (1ULL << left) - 1;
		ones += (uint32_t)__builtin_popcountll(word_at(map, end, index) & mask);
		mask = ~0ULL;
	}
	return ones;
}

/* Bits [from, to) of one byte. */
static uint8_t bits_of_byte(uint32_t from, uint32_t to)
{
	return (uint8_t)((0xff << from) & (0xff >> (8 - to)));
}

static void change_byte(uint8_t *byte, uint8_t bits, bool value)
{
	*byte = (uint8_t)(value ? *byte | bits : *byte & ~bits);
}

static void fill(uint8_t *map, uint32_t from, uint32_t count, bool value)
{
	uint32_t end = from + count;

	if (!count)
		return;
	if (from / 8 == (end - 1) / 8) {
		change_byte(&map[from / 8], bits_of_byte(from % 8, (end - 1) % 8 + 1), value);
		return;
	}
	if (from % 8) {
		change_byte(&map[from / 8], bits_of_byte(from % 8, 8), value);
		from += 8 - from % 8;
	}
	memset(map + from / 8, value ? 0xff : 0, end / 8 - from / 8);
	if (end % 8)
		change_byte(&map[end / 8], bits_of_byte(0, end % 8), value);
}

void bitmap_set_range(void *map, uint32_t from, uint32_t count)
{
	fill(map, from, count, true);
}

void bitmap_clear_range(void *map, uint32_t from, uint32_t count)
{
	fill(map, from, count, false);
}
