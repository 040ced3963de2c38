/* SPDX-License-Identifier: BSD-2-Clause */
/* be_posix.c - the backend for a mounted directory. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsb.h"

/* The fs pointer holds the directory's descriptor, a file pointer its own. */
static inline int fd_of(void *p)
{
	return (int)(intptr_t)p;
}
static inline void *of_fd(int fd)
{
	return (void *)(intptr_t)fd;
}
static inline int ret(int r)
{
	return r < 0 ? -errno : 0;
}

static int px_mount(const char *target, const char *opts, void **fs)
{
	(void)opts;
	int fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*fs = of_fd(fd);
	return 0;
}

static int px_umount(void *fs)
{
	return ret(close(fd_of(fs)));
}
static int px_sync(void *fs)
{
	return ret(syncfs(fd_of(fs)));
}

static int px_open(void *fs, const char *path, int flags, void **file)
{
	int fd = openat(fd_of(fs), path + 1, flags | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	*file = of_fd(fd);
	return 0;
}

static int px_close(void *fs, void *file)
{
	(void)fs;
	return ret(close(fd_of(file)));
}

static ssize_t px_pwrite(void *fs, void *file, const void *buf, size_t len, uint64_t off)
{
	(void)fs;
	ssize_t n = pwrite(fd_of(file), buf, len, (off_t)off);
	return n < 0 ? -errno : n;
}

static ssize_t px_pread(void *fs, void *file, void *buf, size_t len, uint64_t off)
{
	(void)fs;
	ssize_t n = pread(fd_of(file), buf, len, (off_t)off);
	return n < 0 ? -errno : n;
}

static int px_fsync(void *fs, void *file)
{
	(void)fs;
	return ret(fsync(fd_of(file)));
}

static int px_mkdir(void *fs, const char *path)
{
	return ret(mkdirat(fd_of(fs), path + 1, 0755));
}

static int px_rmdir(void *fs, const char *path)
{
	return ret(unlinkat(fd_of(fs), path + 1, AT_REMOVEDIR));
}

static int px_unlink(void *fs, const char *path)
{
	return ret(unlinkat(fd_of(fs), path + 1, 0));
}

static int px_rename(void *fs, const char *from, const char *to)
{
	return ret(renameat(fd_of(fs), from + 1, fd_of(fs), to + 1));
}

static int px_stat(void *fs, const char *path, struct fsb_stat *st)
{
	struct stat s;
	if (fstatat(fd_of(fs), path + 1, &s, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	st->ino = s.st_ino;
	st->size = (uint64_t)s.st_size;
	st->mode = s.st_mode;
	return 0;
}

static int px_readdir(void *fs, const char *path, fsb_dirent_fn fn, void *arg)
{
	int fd = openat(fd_of(fs), path[1] ? path + 1 : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	DIR *d = fdopendir(fd);
	if (!d) {
		int e = errno;
		close(fd);
		return -e;
	}
	int r = 0;
	for (;;) {
		errno = 0;
		struct dirent *de = readdir(d);
		if (!de) {
			r = -errno;
			break;
		}
		const char *n = de->d_name;
		if (n[0] == '.' && (!n[1] || (n[1] == '.' && !n[2])))
			continue;
		int is_dir = de->d_type == DT_DIR;
		if (de->d_type == DT_UNKNOWN) {
			struct stat s;
			is_dir = fstatat(fd, n, &s, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(s.st_mode);
		}
		r = fn(arg, n, strlen(n), is_dir);
		if (r)
			break;
	}
	closedir(d);
	return r;
}

/* FIEMAP where the file system has it, else SEEK_DATA/SEEK_HOLE segments. */
static int px_extents(void *fs, void *file, uint64_t *count)
{
	(void)fs;
	int fd = fd_of(file);
	enum { BATCH = 4096 };
	struct fiemap *fm = calloc(1, sizeof(*fm) + BATCH * sizeof(struct fiemap_extent));
	if (!fm)
		return -ENOMEM;
	uint64_t n = 0, start = 0;
	int r = 0, last = 0;
	while (!last) {
		memset(fm, 0, sizeof(*fm));
		fm->fm_start = start;
		fm->fm_length = FIEMAP_MAX_OFFSET - start;
		fm->fm_extent_count = BATCH;
		if (ioctl(fd, FS_IOC_FIEMAP, fm) < 0) {
			r = -errno;
			break;
		}
		if (!fm->fm_mapped_extents)
			break;
		n += fm->fm_mapped_extents;
		struct fiemap_extent *e = &fm->fm_extents[fm->fm_mapped_extents - 1];
		last = !!(e->fe_flags & FIEMAP_EXTENT_LAST);
		start = e->fe_logical + e->fe_length;
	}
	free(fm);
	if (r == -EOPNOTSUPP || r == -ENOTTY || r == -ENOSYS) {
		off_t o = 0;
		n = 0;
		while ((o = lseek(fd, o, SEEK_DATA)) >= 0) {
			n++;
			o = lseek(fd, o, SEEK_HOLE);
			if (o < 0)
				return -errno;
		}
		r = errno == ENXIO ? 0 : -errno;
	}
	*count = n;
	return r;
}

const struct fsb_ops fsb_posix = {
	.name = "posix",
	.thread_safe = 1,
	.mount = px_mount,
	.umount = px_umount,
	.sync = px_sync,
	.open = px_open,
	.close = px_close,
	.pwrite = px_pwrite,
	.pread = px_pread,
	.fsync = px_fsync,
	.mkdir = px_mkdir,
	.rmdir = px_rmdir,
	.unlink = px_unlink,
	.rename = px_rename,
	.stat = px_stat,
	.readdir = px_readdir,
	.extents = px_extents,
};
