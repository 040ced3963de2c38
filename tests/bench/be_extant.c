/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The backend of the speed harness that calls libextant in the process: TARGET is an image.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "extant/extant.h"
#include "fsb.h"

/* A descriptor travels as a pointer; 0 is one too. */
static int fd_of(void *file)
{
	return (int)(intptr_t)file - 1;
}

static void say(void *arg, enum extant_level level, const char *text)
{
	(void)arg;
	if (level != EXTANT_INFO)
		fprintf(stderr, "extant: %s\n", text);
}

static int be_mount(const char *target, const char *opts, void **fs)
{
	struct extant_options o;

	extant_options_init(&o);
	o.mount_options = opts && *opts ? opts : NULL;
	o.message = say;
	return extant_mount(target, &o, (struct extant **)fs);
}

static int be_umount(void *fs)
{
	return extant_unmount(fs);
}

static int be_sync(void *fs)
{
	return extant_sync(fs);
}

static int be_open(void *fs, const char *path, int flags, void **file)
{
	int fd = extant_open(fs, path, flags, 0644);

	if (fd < 0)
		return fd;
	*file = (void *)(intptr_t)(fd + 1);
	return 0;
}

static int be_close(void *fs, void *file)
{
	return extant_close(fs, fd_of(file));
}

static ssize_t be_pwrite(void *fs, void *file, const void *buf, size_t len, uint64_t off)
{
	return extant_pwrite(fs, fd_of(file), buf, len, (int64_t)off);
}

static ssize_t be_pread(void *fs, void *file, void *buf, size_t len, uint64_t off)
{
	return extant_pread(fs, fd_of(file), buf, len, (int64_t)off);
}

static int be_fsync(void *fs, void *file)
{
	return extant_fsync(fs, fd_of(file));
}

static int be_mkdir(void *fs, const char *path)
{
	return extant_mkdir(fs, path, 0755);
}

static int be_rmdir(void *fs, const char *path)
{
	return extant_rmdir(fs, path);
}

static int be_unlink(void *fs, const char *path)
{
	return extant_unlink(fs, path);
}

static int be_rename(void *fs, const char *from, const char *to)
{
	return extant_rename(fs, from, to, 0);
}

static int be_stat(void *fs, const char *path, struct fsb_stat *st)
{
	struct extant_stat s;
	int err = extant_stat(fs, path, &s);

	if (!err)
		*st = (struct fsb_stat){ s.ino, s.size, s.mode };
	return err;
}

struct listing {
	fsb_dirent_fn fn;
	void *arg;
};

static int one(void *arg, const struct extant_dirent *d)
{
	struct listing *l = arg;

	if (!strcmp(d->name, ".") || !strcmp(d->name, ".."))
		return 0;
	return l->fn(l->arg, d->name, strlen(d->name), d->type == 4);
}

static int be_readdir(void *fs, const char *path, fsb_dirent_fn fn, void *arg)
{
	struct listing l = { fn, arg };
	int fd = extant_open(fs, path, O_RDONLY | O_DIRECTORY, 0), err;

	if (fd < 0)
		return fd;
	err = extant_readdir(fs, fd, one, &l);
	extant_close(fs, fd);
	return err;
}

static int count(void *arg, const struct extant_extent *e)
{
	(void)e;
	++*(uint64_t *)arg;
	return 0;
}

static int be_extents(void *fs, void *file, uint64_t *n)
{
	*n = 0;
	return extant_fiemap(fs, fd_of(file), count, n);
}

static const struct fsb_ops ops = {
	.name = "extant", .thread_safe = 1,
	.mount = be_mount, .umount = be_umount, .sync = be_sync,
	.open = be_open, .close = be_close, .pwrite = be_pwrite, .pread = be_pread, .fsync = be_fsync,
	.mkdir = be_mkdir, .rmdir = be_rmdir, .unlink = be_unlink, .rename = be_rename, .stat = be_stat,
	.readdir = be_readdir, .extents = be_extents,
};

const struct fsb_ops *const fsb_default_ops = &ops;
