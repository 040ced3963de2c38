/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fallocate: what the call refuses before the file system is asked, in the order of Linux.
 */
#include <fcntl.h>
#include "ext4/fallocate.h"
#include "vfs/internal.h"

#define KINDS (FALLOC_PUNCH_HOLE | FALLOC_COLLAPSE_RANGE | FALLOC_ZERO_RANGE | FALLOC_INSERT_RANGE)

/* Which kinds go together. What 4.9 calls invalid, later kernels call unsupported. */
static int check_mode(const struct vfs *v, uint32_t mode)
{
	uint32_t kind = mode & KINDS;
	bool alone = kind == FALLOC_COLLAPSE_RANGE || kind == FALLOC_INSERT_RANGE;
	bool old = v->fs->opt.dialect == DIALECT_4_9;

	if (mode & ~(uint32_t)(KINDS | FALLOC_KEEP_SIZE))
		return -EOPNOTSUPP;
	if (kind == FALLOC_PUNCH_HOLE)
		return mode & FALLOC_KEEP_SIZE ? 0 : -EOPNOTSUPP;
	if (alone && !(mode & FALLOC_KEEP_SIZE))
		return 0;
	if (!kind || kind == FALLOC_ZERO_RANGE)
		return 0;
	if (old && kind & (FALLOC_COLLAPSE_RANGE | FALLOC_INSERT_RANGE) &&
	    !(kind & FALLOC_PUNCH_HOLE))
		return -EINVAL;
	return -EOPNOTSUPP;
}

static int check_file(struct vfs *v, const struct file *f, uint32_t mode, int64_t offset,
		      int64_t len)
{
	const struct inode *inode = f->inode;
	uint64_t end = (uint64_t)offset + (uint64_t)len;

	if (f->flags & O_PATH || (f->flags & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	if (mode & ~(uint32_t)FALLOC_KEEP_SIZE && inode->flags & EXT4_APPEND_FL)
		return -EPERM;
	if (inode->flags & EXT4_IMMUTABLE_FL)
		return -EPERM;
	if (EXT4_S_ISDIR(inode->mode))
		return -EISDIR;
	if (!EXT4_S_ISREG(inode->mode))
		return -ENODEV;
	if (end > INT64_MAX || end > ext4_size_max_any(v->fs))
		return -EFBIG;
	return ext4_writable(v->fs);
}

/*
 * As after a write, and first, whatever comes of the rest: set-id bits and capabilities fall, the stamps move. Linux 4.9
 * left the bits alone, and moved the stamps of what it changed.
 */
static int modified(struct vfs *v, struct inode *inode)
{
	int err;

	if (v->fs->opt.dialect == DIALECT_4_9)
		return 0;
	err = vfs_remove_privs(v, inode);
	return err ? err : ext4_update_time(inode);
}

int vfs_fallocate(struct vfs *v, int fd, int mode, int64_t offset, int64_t len)
{
	autofile f = NULL;
	int err = file_get(v, fd, &f);
	bool sync;

	if (err)
		return err;
	if (offset < 0 || len <= 0)
		return f->flags & O_PATH ? -EBADF : -EINVAL;
	err = f->flags & O_PATH ? -EBADF : check_mode(v, (uint32_t)mode);
	if (!err)
		err = check_file(v, f, (uint32_t)mode, offset, len);
	if (err)
		return err;
	TRACE_SCOPE(v->fs, vfs_fallocate);
	budget_throttle(v->fs->budget);
	sync = f->flags & O_DSYNC; /* O_SYNC includes it */
	guard_write(&f->inode->lock);
	err = modified(v, f->inode);
	return err ? err : ext4_fallocate(f->inode, (uint32_t)mode, (uint64_t)offset, (uint64_t)len, sync);
}
