/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Places (place.h): an image by its mount, the host by its system calls.
 */
#include "cli/place.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- an image */

static int image_stat(struct place *p, const char *path, bool follow, struct place_file *out)
{
	out->dev = 0;
	return follow ? extant_stat(p->im->x, path, &out->st)
		      : extant_lstat(p->im->x, path, &out->st);
}

static int image_list(struct place *p, const char *path, struct cli_names *out)
{
	return cli_list(p->im, path, out);
}

static int image_open(struct place *p, const char *path, int flags, uint32_t mode)
{
	return extant_open(p->im->x, path, flags, mode);
}

static int image_close(struct place *p, int fd)
{
	return extant_close(p->im->x, fd);
}

static int64_t image_pread(struct place *p, int fd, void *buf, size_t len, int64_t at)
{
	return extant_pread(p->im->x, fd, buf, len, at);
}

static int64_t image_pwrite(struct place *p, int fd, const void *buf, size_t len, int64_t at)
{
	return extant_pwrite(p->im->x, fd, buf, len, at);
}

static int64_t image_seek(struct place *p, int fd, int64_t at, int whence)
{
	return extant_lseek(p->im->x, fd, at, whence);
}

static int image_truncate(struct place *p, int fd, int64_t size)
{
	return extant_ftruncate(p->im->x, fd, size);
}

static int image_readlink(struct place *p, const char *path, char *buf, size_t size)
{
	return extant_readlink(p->im->x, path, buf, size);
}

static int image_mkdir(struct place *p, const char *path, uint32_t mode)
{
	return extant_mkdir(p->im->x, path, mode);
}

static int image_symlink(struct place *p, const char *target, const char *path)
{
	return extant_symlink(p->im->x, target, path);
}

static int image_link(struct place *p, const char *from, const char *to)
{
	return extant_link(p->im->x, from, to);
}

static int image_mknod(struct place *p, const char *path, const struct extant_stat *like)
{
	return extant_mknod(p->im->x, path, (like->mode & S_IFMT) | 0600, like->rdev_major,
			    like->rdev_minor);
}

static int image_unlink(struct place *p, const char *path)
{
	return extant_unlink(p->im->x, path);
}

static int image_rename(struct place *p, const char *from, const char *to)
{
	return extant_rename(p->im->x, from, to, 0);
}

static int image_chmod(struct place *p, const char *path, uint32_t mode)
{
	return extant_chmod(p->im->x, path, mode);
}

static int image_chown(struct place *p, const char *path, uint32_t uid, uint32_t gid)
{
	return extant_lchown(p->im->x, path, uid, gid);
}

static int image_utimens(struct place *p, const char *path, const struct extant_stat *like)
{
	return extant_lutimens(p->im->x, path, &like->atime, &like->mtime);
}

static int image_listxattr(struct place *p, const char *path, char *list, size_t size)
{
	return extant_llistxattr(p->im->x, path, list, size);
}

static int image_getxattr(struct place *p, const char *path, const char *name, void *value,
			  size_t size)
{
	return extant_lgetxattr(p->im->x, path, name, value, size);
}

static int image_setxattr(struct place *p, const char *path, const char *name, const void *value,
			  size_t size)
{
	return extant_lsetxattr(p->im->x, path, name, value, size, 0);
}

static const struct place_calls of_image = {
	.stat = image_stat,
	.list = image_list,
	.open = image_open,
	.close = image_close,
	.pread = image_pread,
	.pwrite = image_pwrite,
	.seek = image_seek,
	.truncate = image_truncate,
	.readlink = image_readlink,
	.mkdir = image_mkdir,
	.symlink = image_symlink,
	.link = image_link,
	.mknod = image_mknod,
	.unlink = image_unlink,
	.rename = image_rename,
	.chmod = image_chmod,
	.chown = image_chown,
	.utimens = image_utimens,
	.listxattr = image_listxattr,
	.getxattr = image_getxattr,
	.setxattr = image_setxattr,
};

struct place place_of_image(struct cli_image *im)
{
	return (struct place){ &of_image, im };
}

/* ---- the host */

static int result(int64_t n)
{
	return n < 0 ? -errno : (int)n;
}

static struct extant_time time_of(const struct timespec *t)
{
	return (struct extant_time){ t->tv_sec, (uint32_t)t->tv_nsec };
}

static int host_stat(struct place *p, const char *path, bool follow, struct place_file *out)
{
	struct stat st;
	int err;

	if (!strcmp(path, "-"))
		err = fstat(STDIN_FILENO, &st);
	else
		err = fstatat(AT_FDCWD, path, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW);
	if (err)
		return -errno;
	*out = (struct place_file){
		.dev = st.st_dev,
		.st = { .ino = st.st_ino,
			.size = (uint64_t)st.st_size,
			.blocks = (uint64_t)st.st_blocks,
			.mode = st.st_mode,
			.nlink = (uint32_t)st.st_nlink,
			.uid = st.st_uid,
			.gid = st.st_gid,
			.blksize = (uint32_t)st.st_blksize,
			.rdev_major = major(st.st_rdev),
			.rdev_minor = minor(st.st_rdev),
			.atime = time_of(&st.st_atim),
			.mtime = time_of(&st.st_mtim),
			.ctime = time_of(&st.st_ctim) },
	};
	return 0;
}

static int host_list(struct place *p, const char *path, struct cli_names *out)
{
	struct dirent *d;
	DIR *dir = opendir(path);
	int err;

	*out = (struct cli_names){ 0 };
	if (!dir)
		return -errno;
	while (errno = 0, (d = readdir(dir)) != NULL)
		cli_names_add(out, d->d_name, (uint32_t)d->d_ino, d->d_type);
	err = -errno;
	(void)closedir(dir);
	return err;
}

/* Standard input and output are streams, wherever their files stand. */
static bool is_stream(int fd)
{
	return fd <= STDERR_FILENO;
}

static int host_open(struct place *p, const char *path, int flags, uint32_t mode)
{
	if (!strcmp(path, "-"))
		return (flags & O_ACCMODE) == O_RDONLY ? STDIN_FILENO : STDOUT_FILENO;
	return result(open(path, flags | O_CLOEXEC | O_NOCTTY, mode));
}

static int host_close(struct place *p, int fd)
{
	return is_stream(fd) ? 0 : result(close(fd));
}

static int64_t host_pread(struct place *p, int fd, void *buf, size_t len, int64_t at)
{
	ssize_t n = -1;

	errno = ESPIPE;
	if (!is_stream(fd))
		n = pread(fd, buf, len, at);
	if (n < 0 && errno == ESPIPE)
		n = read(fd, buf, len);
	return n < 0 ? -errno : n;
}

static int64_t host_pwrite(struct place *p, int fd, const void *buf, size_t len, int64_t at)
{
	ssize_t n = -1;

	errno = ESPIPE;
	if (!is_stream(fd))
		n = pwrite(fd, buf, len, at);
	if (n < 0 && errno == ESPIPE)
		n = write(fd, buf, len);
	return n < 0 ? -errno : n;
}

static int64_t host_seek(struct place *p, int fd, int64_t at, int whence)
{
	off_t n = is_stream(fd) ? -1 : lseek(fd, at, whence);

	return is_stream(fd) ? -ESPIPE : n < 0 ? -errno : n;
}

static int host_truncate(struct place *p, int fd, int64_t size)
{
	return is_stream(fd) ? 0 : result(ftruncate(fd, size));
}

static int host_readlink(struct place *p, const char *path, char *buf, size_t size)
{
	return result(readlink(path, buf, size));
}

static int host_mkdir(struct place *p, const char *path, uint32_t mode)
{
	return result(mkdir(path, mode));
}

static int host_symlink(struct place *p, const char *target, const char *path)
{
	return result(symlink(target, path));
}

static int host_link(struct place *p, const char *from, const char *to)
{
	return result(link(from, to));
}

static int host_mknod(struct place *p, const char *path, const struct extant_stat *like)
{
	return result(mknod(path, (like->mode & S_IFMT) | 0600,
			    makedev(like->rdev_major, like->rdev_minor)));
}

static int host_unlink(struct place *p, const char *path)
{
	return result(unlink(path));
}

static int host_rename(struct place *p, const char *from, const char *to)
{
	return result(rename(from, to));
}

static int host_chmod(struct place *p, const char *path, uint32_t mode)
{
	return result(chmod(path, mode));
}

static int host_chown(struct place *p, const char *path, uint32_t uid, uint32_t gid)
{
	return result(lchown(path, uid, gid));
}

static int host_utimens(struct place *p, const char *path, const struct extant_stat *like)
{
	const struct timespec times[2] = { { like->atime.sec, like->atime.nsec },
					   { like->mtime.sec, like->mtime.nsec } };

	return result(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
}

static int host_listxattr(struct place *p, const char *path, char *list, size_t size)
{
	return result(llistxattr(path, list, size));
}

static int host_getxattr(struct place *p, const char *path, const char *name, void *value,
			 size_t size)
{
	return result(lgetxattr(path, name, value, size));
}

static int host_setxattr(struct place *p, const char *path, const char *name, const void *value,
			 size_t size)
{
	return result(lsetxattr(path, name, value, size, 0));
}

static const struct place_calls of_host = {
	.stat = host_stat,
	.list = host_list,
	.open = host_open,
	.close = host_close,
	.pread = host_pread,
	.pwrite = host_pwrite,
	.seek = host_seek,
	.truncate = host_truncate,
	.readlink = host_readlink,
	.mkdir = host_mkdir,
	.symlink = host_symlink,
	.link = host_link,
	.mknod = host_mknod,
	.unlink = host_unlink,
	.rename = host_rename,
	.chmod = host_chmod,
	.chown = host_chown,
	.utimens = host_utimens,
	.listxattr = host_listxattr,
	.getxattr = host_getxattr,
	.setxattr = host_setxattr,
};

struct place place_of_host(void)
{
	return (struct place){ &of_host, NULL };
}

/* ---- both */

int place_failed(struct place *p, const char *path, int err, const char *hint)
{
	if (p->im)
		return cli_failed(p->im, path, err, hint);
	return cli_host_failed(strcmp(path, "-") != 0 ? path : "standard input or output", -err);
}

bool place_is_directory(struct place *p, const char *path)
{
	struct place_file f;

	return !p->calls->stat(p, path, true, &f) && S_ISDIR(f.st.mode);
}

char *place_target(struct place *p, const char *from, const char *to)
{
	char *name, *path;
	size_t n = strlen(from);

	if (!place_is_directory(p, to))
		return cli_strdup(to);
	name = cli_strdup(from);
	while (n > 1 && name[n - 1] == '/')
		name[--n] = '\0';
	path = cli_join(to, cli_basename(name));
	free(name);
	return path;
}
