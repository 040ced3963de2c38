/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device that is a file or a block special file, or a part of one. Whether it may be used at all
 * is file_lock.c's to say.
 *
 * Writes go through the host's page cache; a flush is fdatasync, which is also what a forced write
 * (BLOCK_FUA) ends with and a write with BLOCK_PREFLUSH begins with. A transfer is as few system
 * calls as the host allows; one that is cut short or interrupted goes on where it stopped.
 */
#include "block/file.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/errors.h"
#include "block/transfer.h"

struct file_device {			/* all constant */
	struct block_device dev;
	int fd;
	bool is_block_special;
	uint64_t start;			/* where in the file the device begins */
};

static struct file_device *file_of(struct block_device *d)
{
	return container_of(d, struct file_device, dev);
}

/* ---- transfers */

static int transfer(struct file_device *f, const struct block_io *io, vector_call call)
{
	return transfer_whole(f->fd, io->iov, io->iov_count, (off_t)(f->start + io->offset), call);
}

static int file_read(struct block_device *d, const struct block_io *io)
{
	return transfer(file_of(d), io, preadv);
}

static int file_flush(struct block_device *d)
{
	while (fdatasync(file_of(d)->fd))
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int file_write(struct block_device *d, const struct block_io *io)
{
	int err = 0;

	if (io->flags & BLOCK_PREFLUSH)
		err = file_flush(d);
	if (!err)
		err = transfer(file_of(d), io, pwritev);
	if (!err && io->flags & BLOCK_FUA)
		err = file_flush(d);
	return err;
}

static int file_discard(struct block_device *d, uint64_t offset, uint64_t len)
{
	struct file_device *f = file_of(d);
	uint64_t range[2] = { f->start + offset, len };
	int ret;

	do {
		if (f->is_block_special)
			ret = ioctl(f->fd, BLKDISCARD, range);
		else
			ret = fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					(off_t)range[0], (off_t)range[1]);
	} while (ret && errno == EINTR);
	if (!ret)
		return 0;
	return errno == ENOSYS || errno == ENOTTY ? -EOPNOTSUPP : -errno;
}

static void file_close(struct block_device *d)
{
	struct file_device *f = file_of(d);

	close(f->fd);
	arena_free(d->arena, (char *)(uintptr_t)d->name);
	arena_free(d->arena, f);
}

static const struct block_ops file_ops = {
	.read = file_read,
	.write = file_write,
	.flush = file_flush,
	.discard = file_discard,
	.close = file_close,
};

/* ---- opening */

static int file_size(int fd, bool *is_block_special, uint64_t *size)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	*is_block_special = S_ISBLK(st.st_mode);
	*size = (uint64_t)st.st_size;
	if (*is_block_special && ioctl(fd, BLKGETSIZE64, size))
		return -errno;
	return 0;
}

/* The part of a file of `file_bytes` that the device is; whole sectors. */
static int take_part(struct file_device *f, uint64_t file_bytes, uint64_t offset, uint64_t size)
{
	if (offset % BLOCK_SECTOR_BYTES || size % BLOCK_SECTOR_BYTES)
		return -EINVAL;
	if (offset > file_bytes || size > file_bytes - offset)
		return -EINVAL;
	if (!size)
		size = file_bytes - offset;
	f->start = offset;
	f->dev.size_bytes = size - size % BLOCK_SECTOR_BYTES;
	return 0;
}

static int fill_device(struct file_device *f, int fd, uint64_t offset, uint64_t size)
{
	uint64_t file_bytes;
	int err = file_size(fd, &f->is_block_special, &file_bytes);

	return err ? err : take_part(f, file_bytes, offset, size);
}

int block_file_open_why(struct arena *a, const char *path, bool read_only, uint64_t offset,
			uint64_t size, struct block_device **out, char why[BLOCK_WHY_MAX])
{
	struct file_device *f = arena_new(a, struct file_device);
	char *name = arena_strdup(a, path);
	int fd = -1, err = -ENOMEM;

	why[0] = '\0';
	if (!f || !name)
		goto undo_alloc;
	fd = file_open_alone(path, read_only, why);
	err = fd;
	if (fd < 0)
		goto undo_alloc;
	f->dev = (struct block_device){
		.ops = &file_ops,
		.arena = a,
		.read_only = read_only,
		.name = name,
	};
	f->fd = fd;
	err = fill_device(f, fd, offset, size);
	if (err)
		goto undo_open;
	*out = &f->dev;
	return 0;

undo_open:
	close(fd);
undo_alloc:
	arena_free(a, name);
	arena_free(a, f);
	return err;
}

int block_file_open(struct arena *a, const char *path, bool read_only, uint64_t offset,
		    uint64_t size, struct block_device **out)
{
	char why[BLOCK_WHY_MAX];

	return block_file_open_why(a, path, read_only, offset, size, out, why);
}
