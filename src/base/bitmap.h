/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bitmaps as the disk has them: bit n is bit n % 8 of byte n / 8. They are bytes at any alignment,
 * worked on a word at a time; bytes past the last bit of a search are never read.
 *
 * Not atomic: the caller holds what guards the bitmap.
 */
#ifndef EXTANT_BASE_BITMAP_H
#define EXTANT_BASE_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

static inline bool bitmap_test(const void *map, uint32_t bit)
{
	return ((const uint8_t *)map)[bit / 8] >> bit % 8 & 1;
}

static inline void bitmap_set(void *map, uint32_t bit)
{
	((uint8_t *)map)[bit / 8] |= (uint8_t)(1 << bit % 8);
}

static inline void bitmap_clear(void *map, uint32_t bit)
{
	((uint8_t *)map)[bit / 8] &= (uint8_t)~(1 << bit % 8);
}

void bitmap_set_range(void *map, uint32_t from, uint32_t count);
void bitmap_clear_range(void *map, uint32_t from, uint32_t count);

/* The first such bit from `from` on below `size`; `size` when there is none. */
uint32_t bitmap_next_one(const void *map, uint32_t size, uint32_t from);
uint32_t bitmap_next_zero(const void *map, uint32_t size, uint32_t from);

/* How many of the bits from `from` on are ones. */
uint32_t bitmap_count_ones(const void *map, uint32_t from, uint32_t count);

/* Whether the bits from `from` on are all alike; true of no bits at all. */
bool bitmap_all_ones(const void *map, uint32_t from, uint32_t count);
bool bitmap_all_zeros(const void *map, uint32_t from, uint32_t count);

#endif
