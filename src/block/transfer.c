/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole transfers. The caller's vector is passed on as it is; only a piece that was cut in the
 * middle gets a call of its own for its rest.
 */
#include "block/transfer.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>

/* Where a transfer stands: what is left of one piece, and the pieces behind it. */
struct progress {
	const struct iovec *iov;
	int count;			/* pieces left, the one at hand too */
	size_t done;			/* bytes of the piece at hand that are through */
	off_t pos;
};

/* `n` more bytes are through; stops at a piece that has something left, or at the end. */
static void advance(struct progress *p, size_t n)
{
	p->pos += (off_t)n;
	p->done += n;
	while (p->count && p->done >= p->iov->iov_len) {
		p->done -= p->iov->iov_len;
		p->iov++;
		p->count--;
	}
}

static ssize_t transfer_some(int fd, const struct progress *p, vector_call call)
{
	const struct iovec rest = {
		.iov_base = (uint8_t *)p->iov->iov_base + p->done,
		.iov_len = p->iov->iov_len - p->done,
	};

	if (p->done)
		return call(fd, &rest, 1, p->pos);
	return call(fd, p->iov, min(p->count, IOV_MAX), p->pos);
}

int transfer_whole(int fd, const struct iovec *iov, int count, off_t pos, vector_call call)
{
	struct progress p = { .iov = iov, .count = count, .pos = pos };

	advance(&p, 0);
	while (p.count) {
		ssize_t n = transfer_some(fd, &p, call);

		if (n > 0)
			advance(&p, (size_t)n);
		else if (n == 0)
			return -EIO;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}
