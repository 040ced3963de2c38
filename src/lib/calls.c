/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The public calls: each enters the mount's scheduler as a task, passes to the function of src/vfs
 * that does the work, and leaves. A mount that a failed assertion has poisoned answers -EIO.
 */
#include <fcntl.h>
#include <string.h>
#include "lib/enter.h"

static int open_and_change(struct extant *x, const char *path, int flags, uint32_t mode)
{
	return (int)CHANGE(x, vfs_open(x->vfs, path, flags, mode));
}

int extant_open(struct extant *x, const char *path, int flags, uint32_t mode)
{
	if (flags & (O_CREAT | O_TRUNC) || (flags & O_TMPFILE) == O_TMPFILE)
		return open_and_change(x, path, flags, mode);
	return (int)ENTER(x, vfs_open(x->vfs, path, flags, mode));
}

int extant_close(struct extant *x, int fd)
{
	return (int)ENTER(x, vfs_close(x->vfs, fd));
}

int64_t extant_read(struct extant *x, int fd, void *buf, size_t len)
{
	return ENTER(x, vfs_read(x->vfs, fd, buf, len));
}

int64_t extant_write(struct extant *x, int fd, const void *buf, size_t len)
{
	return CHANGE(x, vfs_write(x->vfs, fd, buf, len));
}

int64_t extant_pread(struct extant *x, int fd, void *buf, size_t len, int64_t offset)
{
	return ENTER(x, vfs_pread(x->vfs, fd, buf, len, offset));
}

int64_t extant_pwrite(struct extant *x, int fd, const void *buf, size_t len, int64_t offset)
{
	return CHANGE(x, vfs_pwrite(x->vfs, fd, buf, len, offset));
}

int64_t extant_lseek(struct extant *x, int fd, int64_t offset, int whence)
{
	return ENTER(x, vfs_lseek(x->vfs, fd, offset, whence));
}

int extant_fsync(struct extant *x, int fd)
{
	return (int)ENTER(x, vfs_fsync(x->vfs, fd, false));
}

int extant_fdatasync(struct extant *x, int fd)
{
	return (int)ENTER(x, vfs_fsync(x->vfs, fd, true));
}

int extant_sync_file_range(struct extant *x, int fd, int64_t offset, int64_t len)
{
	return (int)ENTER(x, vfs_sync_file_range(x->vfs, fd, offset, len));
}

int extant_ftruncate(struct extant *x, int fd, int64_t size)
{
	return (int)CHANGE(x, vfs_ftruncate(x->vfs, fd, size));
}

int64_t extant_copy_file_range(struct extant *x, int fd_in, int64_t from, int fd_out, int64_t to, size_t len)
{
	return CHANGE(x, vfs_copy_file_range(x->vfs, fd_in, from, fd_out, to, len));
}

int extant_fallocate(struct extant *x, int fd, int mode, int64_t offset, int64_t len)
{
	return (int)CHANGE(x, vfs_fallocate(x->vfs, fd, mode, offset, len));
}

int extant_fadvise(struct extant *x, int fd, int64_t offset, int64_t len, int advice)
{
	return (int)ENTER(x, vfs_fadvise(x->vfs, fd, offset, len, advice));
}

int extant_file_flags(struct extant *x, int fd)
{
	return (int)ENTER(x, vfs_file_flags(x->vfs, fd));
}

int extant_sync(struct extant *x)
{
	return (int)ENTER(x, vfs_sync(x->vfs));
}

int extant_mkdir(struct extant *x, const char *path, uint32_t mode)
{
	return (int)CHANGE(x, vfs_mkdir(x->vfs, path, mode));
}

int extant_rmdir(struct extant *x, const char *path)
{
	return (int)CHANGE(x, vfs_rmdir(x->vfs, path));
}

int extant_unlink(struct extant *x, const char *path)
{
	return (int)CHANGE(x, vfs_unlink(x->vfs, path));
}

int extant_mknod(struct extant *x, const char *path, uint32_t mode, uint32_t major, uint32_t minor)
{
	return (int)CHANGE(x, vfs_mknod(x->vfs, path, mode, major, minor));
}

int extant_symlink(struct extant *x, const char *target, const char *path)
{
	return (int)CHANGE(x, vfs_symlink(x->vfs, target, path));
}

int extant_link(struct extant *x, const char *old_path, const char *path)
{
	return (int)CHANGE(x, vfs_link(x->vfs, old_path, path));
}

int extant_flink(struct extant *x, int fd, const char *path)
{
	return (int)CHANGE(x, vfs_flink(x->vfs, fd, path));
}

int extant_rename(struct extant *x, const char *old_path, const char *path, unsigned flags)
{
	return (int)CHANGE(x, vfs_rename(x->vfs, old_path, path, flags));
}

int extant_readlink(struct extant *x, const char *path, char *buf, size_t size)
{
	return (int)ENTER(x, vfs_readlink(x->vfs, path, buf, size));
}

int extant_truncate(struct extant *x, const char *path, int64_t size)
{
	return (int)CHANGE(x, vfs_truncate(x->vfs, path, size));
}

static int64_t sleep_for(int64_t ns)
{
	task_sleep(ns);
	return 0;
}

int extant_sleep(struct extant *x, int64_t ns)
{
	return (int)ENTER(x, sleep_for(ns));
}

/* ---- calls whose results have another form here */

struct readdir_call {
	int (*fn)(void *arg, const struct extant_dirent *d);
	void *arg;
};

static int one_entry(void *arg, const struct ext4_dirent *d)
{
	/* EXT4_FT_* -> DT_* */
	static const uint8_t types[] = { 0, 8, 4, 2, 6, 1, 12, 10 };
	struct readdir_call *c = arg;
	char name[EXT4_NAME_LEN + 1];
	struct extant_dirent e = { d->next, d->ino, d->type < sizeof(types) ? types[d->type] : 0,
				   name };

	memcpy(name, d->name.bytes, d->name.len);
	name[d->name.len] = '\0';
	return c->fn(c->arg, &e);
}

int extant_readdir(struct extant *x, int fd, int (*fn)(void *arg, const struct extant_dirent *d),
		   void *arg)
{
	struct readdir_call c = { fn, arg };

	return (int)ENTER(x, vfs_readdir(x->vfs, fd, one_entry, &c));
}

struct fiemap_call {
	int (*fn)(void *arg, const struct extant_extent *e);
	void *arg;
};

static int one_extent(void *arg, const struct vfs_extent *e)
{
	struct fiemap_call *c = arg;
	struct extant_extent out = { e->logical, e->physical, e->length, e->flags };

	return c->fn(c->arg, &out);
}

int extant_fiemap(struct extant *x, int fd, int (*fn)(void *arg, const struct extant_extent *e),
		  void *arg)
{
	struct fiemap_call c = { fn, arg };

	return (int)ENTER(x, vfs_fiemap(x->vfs, fd, one_extent, &c));
}
