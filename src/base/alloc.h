/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of one mount. Everything a mount allocates comes from its arena: it is counted, each
 * allocation can be made to fail by number, and the whole is dropped at once.
 *
 * Small pieces come from size classes, larger ones from the C library, blocks of bytes from regions
 * that hold blocks of one size; what is empty again goes back to the C library. An arena that is
 * not used yet takes some 4 KiB. With the address sanitizer every piece comes from the C library,
 * so that it sees each one; what was left at the end is then its report, not an assertion of ours.
 *
 * Threads: any task may call these at any time, holding any lock.
 */
#ifndef EXTANT_BASE_ALLOC_H
#define EXTANT_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"

struct arena;

/* NULL when memory is out. */
struct arena *arena_create(void);
/*
 * Frees everything that came from it. With slow assertions, asserts that nothing was left, unless
 * leaks are expected.
 */
void arena_destroy(struct arena *a);
/*
 * What is left at the end is dropped in silence: the mount was poisoned, or is dropped as a whole
 * on purpose.
 */
void arena_expect_leaks(struct arena *a);

/*
 * Pieces of up to 4 GiB, aligned to 16 bytes. NULL when memory is out or the failure of this
 * allocation was asked for; a piece that could not be made larger is still what it was.
 */
must_check void *arena_alloc(struct arena *a, size_t size);
must_check void *arena_zalloc(struct arena *a, size_t size);
must_check void *arena_realloc(struct arena *a, void *p, size_t size);
must_check char *arena_strdup(struct arena *a, const char *s);
/* free(NULL) does nothing. */
void arena_free(struct arena *a, void *p);

/* Bytes of blocks and pages: aligned to `size` (a power of two from 512 to 64 KiB), no header. */
must_check void *arena_block_alloc(struct arena *a, size_t size);
void arena_block_free(struct arena *a, void *p, size_t size);

/*
 * A block with a side: 2^side_bits bytes (128 at least, a quarter of the block at most; in one
 * arena the same for all blocks of a size) that describe it. One allocation. Both lie in the same
 * region, and the address of the side tells that of the block: who is about to read both need not
 * wait for one to know where the other is.
 */
#define ARENA_SIDE_BITS_MIN 7
must_check void *arena_block_alloc_sided(struct arena *a, size_t size, uint32_t side_bits,
					 void **side);
void arena_block_free_sided(struct arena *a, void *p, size_t size);
/* The block of a side, to be prefetched. Without regions: anywhere. */
#define ARENA_REGION_BITS 18
static inline const void *arena_block_beside(const void *side, uint32_t size_bits,
					     uint32_t side_bits)
{
	uintptr_t at = (uintptr_t)side, in_region = at & (((uintptr_t)1 << ARENA_REGION_BITS) - 1);

	return (const void *)(at - in_region + (in_region >> side_bits << size_bits));
}

/*
 * What is allocated now, in bytes, and how many allocations were made since the arena began (a piece made larger
 * where it lies is one).
 */
size_t arena_bytes(const struct arena *a);
uint64_t arena_allocations(const struct arena *a);
/*
 * Memory that is got elsewhere (a stack) is asked for here first: one more allocation, of nothing.
 * 0, or -ENOMEM when it is the one that was asked to fail.
 */
must_check int arena_note_elsewhere(struct arena *a);
/* What the arena holds of the C library's memory, used or not. */
size_t arena_footprint(const struct arena *a);
/* The allocation with number `nth` from now (0: the next one) fails, once; UINT64_MAX: none. */
void arena_fail_at(struct arena *a, uint64_t nth);
/* The failure that was asked for has not come yet. */
bool arena_fail_pending(const struct arena *a);

#define arena_new(a, type) ((type *)arena_zalloc(a, sizeof(type)))

#endif
