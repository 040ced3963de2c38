/* SPDX-License-Identifier: BSD-2-Clause */
/* extant on a device in memory, without threads, on a clock of its own (tests/concurrent/rig.h). */
#include <stdio.h>
#include <stdlib.h>
#include "../concurrent/rig.h"
#include "target.h"

struct extant_target {
	struct target base;
	struct rig rig;
};

static struct extant_target *of(struct target *t)
{
	return (struct extant_target *)t;
}

static struct extant *x_of(struct target *t)
{
	return of(t)->rig.x;
}

static int mount_it(struct target *t)
{
	of(t)->rig.opt.seed++; /* else each mount would give out the same generations */
	return rig_mount(&of(t)->rig);
}

static int unmount_it(struct target *t)
{
	return rig_unmount(&of(t)->rig);
}

static int judge(struct target *t, bool thorough)
{
	int found = rig_check(&of(t)->rig) != 0;

	return found + (thorough && rig_e2fsck(&of(t)->rig));
}

static void destroy(struct target *t)
{
	rig_fini(&of(t)->rig);
	free(t);
}

static int shut_down(struct target *t, enum extant_shutdown how)
{
	return extant_shutdown(x_of(t), how);
}

static int t_open(struct target *t, const char *path, int flags, uint32_t mode)
{
	return extant_open(x_of(t), path, flags, mode);
}

static int t_close(struct target *t, int fd)
{
	return extant_close(x_of(t), fd);
}

static int64_t t_read(struct target *t, int fd, void *buf, size_t len)
{
	return extant_read(x_of(t), fd, buf, len);
}

static int64_t t_write(struct target *t, int fd, const void *buf, size_t len)
{
	return extant_write(x_of(t), fd, buf, len);
}

static int64_t t_pread(struct target *t, int fd, void *buf, size_t len, int64_t at)
{
	return extant_pread(x_of(t), fd, buf, len, at);
}

static int64_t t_pwrite(struct target *t, int fd, const void *buf, size_t len, int64_t at)
{
	return extant_pwrite(x_of(t), fd, buf, len, at);
}

static int64_t t_lseek(struct target *t, int fd, int64_t offset, int whence)
{
	return extant_lseek(x_of(t), fd, offset, whence);
}

static int t_fsync(struct target *t, int fd)
{
	return extant_fsync(x_of(t), fd);
}

static int t_fdatasync(struct target *t, int fd)
{
	return extant_fdatasync(x_of(t), fd);
}

static int t_sync(struct target *t)
{
	return extant_sync(x_of(t));
}

static int t_ftruncate(struct target *t, int fd, int64_t size)
{
	return extant_ftruncate(x_of(t), fd, size);
}

static int t_truncate(struct target *t, const char *path, int64_t size)
{
	return extant_truncate(x_of(t), path, size);
}

static int t_fallocate(struct target *t, int fd, int mode, int64_t offset, int64_t len)
{
	return extant_fallocate(x_of(t), fd, mode, offset, len);
}

static int64_t t_page_get(struct target *t, int fd, int64_t at, size_t len, bool store, struct target_page *out)
{
	struct extant_page *page = NULL;
	void *data = NULL;
	int64_t n = extant_page_get(x_of(t), fd, at, len, store ? EXTANT_PAGE_WRITE : 0, &page, &data);

	*out = (struct target_page){ data, page };
	return n;
}

static int t_page_put(struct target *t, struct target_page *p, bool dirty)
{
	return extant_page_put(x_of(t), p->of, dirty);
}

static int t_msync(struct target *t, int fd, int64_t at, int64_t len, int flags)
{
	return extant_msync(x_of(t), fd, at, len, flags);
}

static int t_mkdir(struct target *t, const char *path, uint32_t mode)
{
	return extant_mkdir(x_of(t), path, mode);
}

static int t_rmdir(struct target *t, const char *path)
{
	return extant_rmdir(x_of(t), path);
}

static int t_unlink(struct target *t, const char *path)
{
	return extant_unlink(x_of(t), path);
}

static int t_link(struct target *t, const char *from, const char *to)
{
	return extant_link(x_of(t), from, to);
}

static int t_symlink(struct target *t, const char *to, const char *path)
{
	return extant_symlink(x_of(t), to, path);
}

static int t_readlink(struct target *t, const char *path, char *buf, size_t size)
{
	return extant_readlink(x_of(t), path, buf, size);
}

static int t_mknod(struct target *t, const char *path, uint32_t mode, uint32_t major, uint32_t minor)
{
	return extant_mknod(x_of(t), path, mode, major, minor);
}

static int t_rename(struct target *t, const char *from, const char *to, uint32_t flags)
{
	return extant_rename(x_of(t), from, to, flags);
}

static int t_readdir(struct target *t, int fd, int (*fn)(void *arg, const struct extant_dirent *d), void *arg)
{
	int64_t at = extant_lseek(x_of(t), fd, 0, SEEK_SET);

	return at < 0 ? (int)at : extant_readdir(x_of(t), fd, fn, arg);
}

static int t_stat(struct target *t, const char *path, bool follow, struct extant_stat *out)
{
	return follow ? extant_stat(x_of(t), path, out) : extant_lstat(x_of(t), path, out);
}

static int t_fstat(struct target *t, int fd, struct extant_stat *out)
{
	return extant_fstat(x_of(t), fd, out);
}

static int t_chmod(struct target *t, const char *path, uint32_t mode)
{
	return extant_chmod(x_of(t), path, mode);
}

static int t_chown(struct target *t, const char *path, uint32_t uid, uint32_t gid)
{
	return extant_lchown(x_of(t), path, uid, gid);
}

static int t_utimens(struct target *t, const char *path, const struct extant_time *atime, const struct extant_time *mtime)
{
	return extant_utimens(x_of(t), path, atime, mtime);
}

static int t_set_flags(struct target *t, const char *path, uint32_t mask, uint32_t flags)
{
	uint32_t old;
	int err = extant_getflags(x_of(t), path, &old);

	return err ? err : extant_setflags(x_of(t), path, (old & ~mask) | flags);
}

static int t_flink(struct target *t, int fd, const char *path)
{
	return extant_flink(x_of(t), fd, path);
}

static void t_pass(struct target *t, int64_t ns)
{
	(void)extant_sleep(x_of(t), ns);
}

/* The clock stands still during a call. */
static int64_t t_stamp(struct target *t)
{
	return clock_stamp(&of(t)->rig.clock);
}

static int t_statfs(struct target *t, struct extant_statfs *out)
{
	return extant_statfs(x_of(t), "/", out);
}

static int t_setxattr(struct target *t, const char *path, const char *name, const void *value, size_t len, int flags)
{
	return extant_lsetxattr(x_of(t), path, name, value, len, flags);
}

static int64_t t_getxattr(struct target *t, const char *path, const char *name, void *value, size_t len)
{
	return extant_lgetxattr(x_of(t), path, name, value, len);
}

static int64_t t_listxattr(struct target *t, const char *path, char *list, size_t len)
{
	return extant_llistxattr(x_of(t), path, list, len);
}

static int t_removexattr(struct target *t, const char *path, const char *name)
{
	return extant_lremovexattr(x_of(t), path, name);
}

static const struct target_calls calls = {
	.mount = mount_it, .unmount = unmount_it, .shutdown = shut_down, .judge = judge, .destroy = destroy,
	.open = t_open, .close = t_close, .read = t_read, .write = t_write, .pread = t_pread, .pwrite = t_pwrite,
	.lseek = t_lseek, .fsync = t_fsync, .fdatasync = t_fdatasync, .sync = t_sync, .ftruncate = t_ftruncate,
	.truncate = t_truncate, .fallocate = t_fallocate, .page_get = t_page_get,
	.page_put = t_page_put, .msync = t_msync, .mkdir = t_mkdir, .rmdir = t_rmdir, .unlink = t_unlink,
	.link = t_link, .symlink = t_symlink, .readlink = t_readlink, .mknod = t_mknod, .rename = t_rename,
	.readdir = t_readdir, .stat = t_stat, .fstat = t_fstat, .chmod = t_chmod, .chown = t_chown, .utimens = t_utimens,
	.set_flags = t_set_flags, .flink = t_flink, .pass = t_pass, .earliest = t_stamp, .latest = t_stamp, .statfs = t_statfs,
	.setxattr = t_setxattr, .getxattr = t_getxattr, .listxattr = t_listxattr, .removexattr = t_removexattr,
};

struct target *target_extant(const struct target_options *opt)
{
	struct extant_target *e = calloc(1, sizeof(*e));
	struct rig_options rig = { .mkfs = opt->mkfs, .size = opt->size, .mode = EXTANT_INLINE, .seed = opt->seed,
				   .mount_options = opt->mount_options, .dialect = DIALECT_6_18 };

	if (!e)
		abort();
	e->base.calls = &calls;
	rig_init(&e->rig, &rig);
	return &e->base;
}
