/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of one mount. Everything a mount allocates comes from its arena: it is counted, each
 * allocation can be made to fail by number, and the whole is dropped at once.
 *
 * Small pieces come from size classes, larger ones and blocks of bytes from the C library. With the
 * address sanitizer every piece comes from the C library, so that it sees each one.
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
/* Frees everything that came from it. In debug builds, asserts that nothing was left but for `expect_leaks`. */
void arena_destroy(struct arena *a);

/* NULL when memory is out or the failure of this allocation was asked for. */
must_check void *arena_alloc(struct arena *a, size_t size);
must_check void *arena_zalloc(struct arena *a, size_t size);
must_check void *arena_realloc(struct arena *a, void *p, size_t size);
must_check char *arena_strdup(struct arena *a, const char *s);
/* free(NULL) does nothing. */
void arena_free(struct arena *a, void *p);

/* Bytes of blocks and pages: aligned to `size` (a power of two from 512 to 64 KiB), no header. */
must_check void *arena_block_alloc(struct arena *a, size_t size);
void arena_block_free(struct arena *a, void *p, size_t size);

/* What is allocated now, in bytes, and how many allocations were made since the arena began. */
size_t arena_bytes(const struct arena *a);
uint64_t arena_allocations(const struct arena *a);
/* The allocation with number `nth` from now (0: the next one) fails, once; UINT64_MAX: none. */
void arena_fail_at(struct arena *a, uint64_t nth);

#define arena_new(a, type) ((type *)arena_zalloc(a, sizeof(type)))

#endif
