/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Walking over the pieces of a vectored transfer. The vector itself is never changed; a cursor
 * remembers how far it has come.
 */
#ifndef EXTANT_BLOCK_IOV_H
#define EXTANT_BLOCK_IOV_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include "base/compiler.h"

struct iov_cursor {
	const struct iovec *iov;	/* the piece it stands in */
	size_t done;			/* bytes of that piece behind it */
};

static inline struct iov_cursor iov_begin(const struct iovec *iov)
{
	return (struct iov_cursor){ .iov = iov };
}

/*
 * The longest run of bytes that lies in one piece, at most `len`, and steps over it. The vector has
 * `len` more bytes.
 */
static inline uint8_t *iov_next(struct iov_cursor *c, size_t *len)
{
	uint8_t *p;

	while (c->done == c->iov->iov_len) {
		c->iov++;
		c->done = 0;
	}
	p = (uint8_t *)c->iov->iov_base + c->done;
	*len = min(*len, c->iov->iov_len - c->done);
	c->done += *len;
	return p;
}

/* The next `len` bytes of the vector go to `to`. */
static inline void iov_gather(struct iov_cursor *c, void *to, size_t len)
{
	uint8_t *p = to;

	while (len) {
		size_t n = len;
		const uint8_t *from = iov_next(c, &n);

		memcpy(p, from, n);
		p += n;
		len -= n;
	}
}

/* `from` goes to the next `len` bytes of the vector; NULL: zeros. */
static inline void iov_scatter(struct iov_cursor *c, const void *from, size_t len)
{
	const uint8_t *p = from;

	while (len) {
		size_t n = len;
		uint8_t *to = iov_next(c, &n);

		if (p) {
			memcpy(to, p, n);
			p += n;
		} else {
			memset(to, 0, n);
		}
		len -= n;
	}
}

static inline void iov_skip(struct iov_cursor *c, size_t len)
{
	while (len) {
		size_t n = len;

		(void)iov_next(c, &n);
		len -= n;
	}
}

/* The length of the whole vector; SIZE_MAX when that does not fit. */
static inline size_t iov_bytes(const struct iovec *iov, int count)
{
	size_t sum = 0;

	for (int i = 0; i < count; i++)
		if (__builtin_add_overflow(sum, iov[i].iov_len, &sum))
			return SIZE_MAX;
	return sum;
}

#endif
