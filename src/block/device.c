/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The door to every block device: what is asked for is checked here, once, so that a device sees
 * only transfers that lie within it, are whole sectors and are allowed.
 */
#include "block/device.h"

#include "base/errors.h"
#include "base/sync.h"
#include "block/iov.h"

static int check_range(const struct block_device *d, uint64_t offset, uint64_t len)
{
	if (offset % BLOCK_SECTOR_BYTES || len % BLOCK_SECTOR_BYTES)
		return -EINVAL;
	if (offset > d->size_bytes || len > d->size_bytes - offset)
		return -EINVAL;
	return 0;
}

/*
 * After a failed assertion nothing more of a mount is written. Tasks that wait are unwound; one that
 * was on its way meets the end here.
 */
static bool may_not_write(void)
{
	const struct task *t = task_current();

	return unlikely(t && sched_poisoned(t->sched));
}

int block_readv(struct block_device *d, const struct block_io *io)
{
	size_t len = iov_bytes(io->iov, io->iov_count);
	int err = check_range(d, io->offset, len);

	if (err || !len)
		return err;
	lock_rank_assert_io();
	return d->ops->read(d, io);
}

int block_writev(struct block_device *d, const struct block_io *io)
{
	size_t len = iov_bytes(io->iov, io->iov_count);
	int err = check_range(d, io->offset, len);

	if (err)
		return err;
	if (d->read_only)
		return -EROFS;
	if (may_not_write())
		return -EIO;
	lock_rank_assert_io();
	if (!len)
		return io->flags & BLOCK_PREFLUSH ? d->ops->flush(d) : 0;
	return d->ops->write(d, io);
}

int block_read(struct block_device *d, uint64_t offset, void *buf, size_t len)
{
	const struct iovec iov = { .iov_base = buf, .iov_len = len };
	const struct block_io io = { .offset = offset, .iov = &iov, .iov_count = 1 };

	return block_readv(d, &io);
}

int block_write(struct block_device *d, uint64_t offset, const void *buf, size_t len,
		unsigned flags)
{
	const struct iovec iov = { .iov_base = (void *)(uintptr_t)buf, .iov_len = len };
	const struct block_io io = {.offset = offset, .iov = &iov, .iov_count = 1, .flags = flags};

	return block_writev(d, &io);
}

int block_writev_batch(struct block_device *d, const struct block_io *ios, int count)
{
	int first_err = 0;

	for (int i = 0; i < count; i++) {
		int err = block_writev(d, &ios[i]);

		if (err && !first_err)
			first_err = err;
	}
	return first_err;
}

/* A device that is read only has nothing to flush; that is no error. */
int block_flush(struct block_device *d)
{
	if (d->read_only)
		return 0;
	if (may_not_write())
		return -EIO;
	lock_rank_assert_io();
	return d->ops->flush(d);
}

int block_discard(struct block_device *d, uint64_t offset, uint64_t len)
{
	int err = check_range(d, offset, len);

	if (err)
		return err;
	if (d->read_only)
		return -EROFS;
	if (!d->ops->discard)
		return -EOPNOTSUPP;
	if (may_not_write())
		return -EIO;
	lock_rank_assert_io();
	return len ? d->ops->discard(d, offset, len) : 0;
}

void block_close(struct block_device *d)
{
	if (d)
		d->ops->close(d);
}
