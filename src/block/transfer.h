/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Moving the whole of a vector through system calls that may move less.
 */
#ifndef EXTANT_BLOCK_TRANSFER_H
#define EXTANT_BLOCK_TRANSFER_H

#include <sys/types.h>
#include <sys/uio.h>
#include "base/compiler.h"

/* preadv, pwritev, or what behaves like them. */
typedef ssize_t (*vector_call)(int fd, const struct iovec *iov, int count, off_t pos);

/*
 * Transfers all pieces from `pos` on: in runs of IOV_MAX, going on where a call was cut short or
 * interrupted. 0, or negative errno; -EIO: the file ended before the vector did.
 */
must_check int transfer_whole(int fd, const struct iovec *iov, int count, off_t pos,
			      vector_call call);

#endif
