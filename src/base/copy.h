/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies between a program's buffer and a page. A C library's copy uses the widest registers there
 * are; where the two sides lie differently within a cache line, each of those accesses touches two
 * lines, which halves its speed, and a buffer from malloc always lies differently. Pieces of 16
 * bytes do not mind.
 */
#ifndef EXTANT_BASE_COPY_H
#define EXTANT_BASE_COPY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t copy_piece __attribute__((vector_size(16), aligned(1), may_alias));

/* They do not overlap. */
static inline void copy_bytes(void *to, const void *from, size_t len)
{
	const uint8_t *s = from;
	uint8_t *d = to;

	if ((((uintptr_t)to ^ (uintptr_t)from) & 63) == 0 || len < 256) {
		memcpy(to, from, len);
		return;
	}
	for (; len >= 64; len -= 64, s += 64, d += 64) {
		copy_piece a = *(const copy_piece *)s, b = *(const copy_piece *)(s + 16);
		copy_piece c = *(const copy_piece *)(s + 32), e = *(const copy_piece *)(s + 48);

		*(copy_piece *)d = a;
		*(copy_piece *)(d + 16) = b;
		*(copy_piece *)(d + 32) = c;
		*(copy_piece *)(d + 48) = e;
	}
	memcpy(d, s, len);
}

#endif
