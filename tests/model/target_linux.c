/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's kernel: an image file of our own, attached to a loop device of our own, mounted in a mount namespace
 * of our own; calls are made with the mount as the root directory, so that absolute links lead where they should.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#include "target.h"

#define IOC_SHUTDOWN	_IOR('X', 125, uint32_t)
#define IOC_GETVERSION	_IOR('f', 3, long)
#define PATH_BYTES	5000

struct linux_target {
	struct target base;
	struct target_options opt;
	char folder[32], image[64], mnt[64], loop[64];
	int outside;			/* the machine's root directory */
};

static struct linux_target *of(struct target *t)
{
	return (struct linux_target *)t;
}

static int result(int64_t r)
{
	return r < 0 ? -errno : (int)r;
}

static int64_t result64(int64_t r)
{
	return r < 0 ? -errno : r;
}

static int shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int shell(const char *fmt, ...)
{
	char command[1024];
	va_list ap;
	int status;

	va_start(ap, fmt);
	(void)vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* ---- in and out */

static void enter(struct linux_target *l)
{
	if (chdir(l->mnt) || chroot(".")) {
		perror(l->mnt);
		exit(1);
	}
}

static void leave(struct linux_target *l)
{
	if (fchdir(l->outside) || chroot(".")) {
		perror("chroot");
		exit(1);
	}
}

static int mount_it(struct target *t)
{
	struct linux_target *l = of(t);

	if (mount(l->loop, l->mnt, "ext4", 0, l->opt.mount_options))
		return -errno;
	enter(l);
	return 0;
}

static int unmount_it(struct target *t)
{
	struct linux_target *l = of(t);

	leave(l);
	return umount(l->mnt) ? -errno : 0;
}

static int shut_down(struct target *t, enum extant_shutdown how)
{
	int fd = open("/", O_RDONLY), err;

	(void)t;
	err = result(ioctl(fd, IOC_SHUTDOWN, &(uint32_t){ how }));
	close(fd);
	return err;
}

static int judge(struct target *t, bool thorough)
{
	return thorough && shell("e2fsck -fn %s >%s/fsck 2>&1 || { cat %s/fsck; false; }", of(t)->image,
				 of(t)->folder, of(t)->folder);
}

static void destroy(struct target *t)
{
	struct linux_target *l = of(t);

	(void)umount2(l->mnt, MNT_DETACH); /* if a test ended early */
	if (*l->loop)
		(void)shell("losetup -d %s", l->loop);
	(void)shell("rm -r %s", l->folder);
	close(l->outside);
	free(l);
}

/* ---- calls */

static int t_open(struct target *t, const char *path, int flags, uint32_t mode)
{
	(void)t;
	return result(open(path, flags, mode));
}

static int t_close(struct target *t, int fd)
{
	(void)t;
	return result(close(fd));
}

static int64_t t_read(struct target *t, int fd, void *buf, size_t len)
{
	(void)t;
	return result64(read(fd, buf, len));
}

static int64_t t_write(struct target *t, int fd, const void *buf, size_t len)
{
	(void)t;
	return result64(write(fd, buf, len));
}

static int64_t t_pread(struct target *t, int fd, void *buf, size_t len, int64_t at)
{
	(void)t;
	return result64(pread(fd, buf, len, at));
}

static int64_t t_pwrite(struct target *t, int fd, const void *buf, size_t len, int64_t at)
{
	(void)t;
	return result64(pwrite(fd, buf, len, at));
}

static int64_t t_lseek(struct target *t, int fd, int64_t offset, int whence)
{
	(void)t;
	return result64(lseek(fd, offset, whence));
}

static int t_fsync(struct target *t, int fd)
{
	(void)t;
	return result(fsync(fd));
}

static int t_fdatasync(struct target *t, int fd)
{
	(void)t;
	return result(fdatasync(fd));
}

static int t_sync(struct target *t)
{
	int fd = open("/", O_RDONLY), err = result(syncfs(fd));

	(void)t;
	close(fd);
	return err;
}

static int t_ftruncate(struct target *t, int fd, int64_t size)
{
	(void)t;
	return result(ftruncate(fd, size));
}

static int t_truncate(struct target *t, const char *path, int64_t size)
{
	(void)t;
	return result(truncate(path, size));
}

static int t_fallocate(struct target *t, int fd, int mode, int64_t offset, int64_t len)
{
	(void)t;
	return result(fallocate(fd, mode, offset, len));
}

#define PAGE 4096

static sigjmp_buf bus;

static void on_sigbus(int signal)
{
	(void)signal;
	siglongjmp(bus, 1);
}

/* The fault that a first access makes. */
static int touch(volatile uint8_t *p, bool store)
{
	struct sigaction act = { .sa_handler = on_sigbus }, old;
	int err = 0;

	sigaction(SIGBUS, &act, &old);
	if (sigsetjmp(bus, 1))
		err = -EFAULT;
	else if (store)
		*p = *p;
	else
		(void)*p;
	sigaction(SIGBUS, &old, NULL);
	return err;
}

static int64_t t_page_get(struct target *t, int fd, int64_t at, size_t len, bool store, struct target_page *out)
{
	uint8_t *m = mmap(NULL, PAGE, store ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, at / PAGE * PAGE);
	struct stat st;
	int err, flags;

	(void)t;
	if (m == MAP_FAILED)
		return -errno;
	err = touch(m, store);
	if (err) {
		munmap(m, PAGE);
		/* A signal gives no reason: it may not change, it has ended, or the disk is full. */
		if (store && !ioctl(fd, FS_IOC_GETFLAGS, &flags) && flags & FS_IMMUTABLE_FL)
			return -EPERM;
		return !fstat(fd, &st) && at / PAGE * PAGE < st.st_size ? -ENOSPC : err;
	}
	*out = (struct target_page){ m + at % PAGE, m };
	return (int64_t)len;
}

static int t_page_put(struct target *t, struct target_page *p, bool dirty)
{
	(void)t;
	(void)dirty;
	return result(munmap(p->of, PAGE));
}

/* It is told of memory on Linux: any mapping of the same bytes will do. */
static int t_msync(struct target *t, int fd, int64_t at, int64_t len, int flags)
{
	int64_t first = at / PAGE * PAGE;
	size_t span = (size_t)(at + len - first);
	void *m = mmap(NULL, span, PROT_READ, MAP_SHARED, fd, first);
	int err;

	(void)t;
	if (m == MAP_FAILED)
		return -errno;
	err = result(msync(m, span, flags));
	munmap(m, span);
	return err;
}

static int t_mkdir(struct target *t, const char *path, uint32_t mode)
{
	(void)t;
	return result(mkdir(path, mode));
}

static int t_rmdir(struct target *t, const char *path)
{
	(void)t;
	return result(rmdir(path));
}

static int t_unlink(struct target *t, const char *path)
{
	(void)t;
	return result(unlink(path));
}

static int t_link(struct target *t, const char *from, const char *to)
{
	(void)t;
	return result(link(from, to));
}

static int t_symlink(struct target *t, const char *to, const char *path)
{
	(void)t;
	return result(symlink(to, path));
}

static int t_readlink(struct target *t, const char *path, char *buf, size_t size)
{
	(void)t;
	return result(readlink(path, buf, size));
}

static int t_mknod(struct target *t, const char *path, uint32_t mode, uint32_t major, uint32_t minor)
{
	(void)t;
	return result(mknod(path, mode, makedev(major, minor)));
}

static int t_rename(struct target *t, const char *from, const char *to, uint32_t flags)
{
	(void)t;
	return result(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags));
}

static int t_readdir(struct target *t, int fd, int (*fn)(void *arg, const struct extant_dirent *d), void *arg)
{
	DIR *d = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY));
	struct dirent *e;

	(void)t;
	if (!d)
		return -errno;
	while ((errno = 0, e = readdir(d)) != NULL) {
		struct extant_dirent out = { (uint64_t)e->d_off, (uint32_t)e->d_ino, e->d_type, e->d_name };

		if (fn(arg, &out))
			break;
	}
	return closedir(d) ? -errno : 0;
}

static void from_stat(const struct stat *st, struct extant_stat *out)
{
	*out = (struct extant_stat){
		.ino = st->st_ino, .size = (uint64_t)st->st_size, .blocks = (uint64_t)st->st_blocks, .mode = st->st_mode,
		.nlink = (uint32_t)st->st_nlink, .uid = st->st_uid, .gid = st->st_gid, .blksize = (uint32_t)st->st_blksize,
		.rdev_major = major(st->st_rdev), .rdev_minor = minor(st->st_rdev),
		.atime = { st->st_atim.tv_sec, (uint32_t)st->st_atim.tv_nsec },
		.mtime = { st->st_mtim.tv_sec, (uint32_t)st->st_mtim.tv_nsec },
		.ctime = { st->st_ctim.tv_sec, (uint32_t)st->st_ctim.tv_nsec },
	};
}

/* Only regular files and directories can be asked; the others have 0, as far as this test is concerned. */
static void ask_generation(int fd, struct extant_stat *out)
{
	long generation = 0;
	int flags = 0;

	if (fd >= 0 && !ioctl(fd, IOC_GETVERSION, &generation))
		out->generation = (uint32_t)generation;
	if (fd >= 0 && !ioctl(fd, FS_IOC_GETFLAGS, &flags))
		out->flags = (uint32_t)flags;
}

static int t_stat(struct target *t, const char *path, bool follow, struct extant_stat *out)
{
	struct stat st;
	int fd;

	(void)t;
	if (follow ? stat(path, &st) : lstat(path, &st))
		return -errno;
	from_stat(&st, out);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return 0;
	fd = open(path, O_RDONLY | O_NOATIME);
	ask_generation(fd, out);
	if (fd >= 0)
		close(fd);
	return 0;
}

static int t_fstat(struct target *t, int fd, struct extant_stat *out)
{
	struct stat st;

	(void)t;
	if (fstat(fd, &st))
		return -errno;
	from_stat(&st, out);
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		ask_generation(fd, out);
	return 0;
}

static int t_chmod(struct target *t, const char *path, uint32_t mode)
{
	(void)t;
	return result(chmod(path, mode));
}

static int t_chown(struct target *t, const char *path, uint32_t uid, uint32_t gid)
{
	(void)t;
	return result(lchown(path, uid, gid));
}

static struct timespec as_spec(const struct extant_time *t)
{
	long nsec = t->nsec == EXTANT_TIME_NOW ? UTIME_NOW : t->nsec == EXTANT_TIME_OMIT ? UTIME_OMIT : t->nsec;

	return (struct timespec){ t->sec, nsec };
}

static int t_utimens(struct target *t, const char *path, const struct extant_time *atime, const struct extant_time *mtime)
{
	(void)t;
	return result(utimensat(AT_FDCWD, path, (struct timespec[]){ as_spec(atime), as_spec(mtime) }, 0));
}

static int t_set_flags(struct target *t, const char *path, uint32_t mask, uint32_t flags)
{
	int fd = open(path, O_RDONLY | O_NOATIME), old, err;

	(void)t;
	if (fd < 0)
		return -errno;
	err = result(ioctl(fd, FS_IOC_GETFLAGS, &old));
	old = (int)(((uint32_t)old & ~mask) | flags);
	if (!err)
		err = result(ioctl(fd, FS_IOC_SETFLAGS, &old));
	close(fd);
	return err;
}

static int t_flink(struct target *t, int fd, const char *path)
{
	(void)t;
	return result(linkat(fd, "", AT_FDCWD, path, AT_EMPTY_PATH));
}

static void t_pass(struct target *t, int64_t ns)
{
	(void)t;
	(void)ns; /* it passes by itself */
}

static int64_t by_clock(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* Stamps may be as old as the last tick. */
static int64_t t_earliest(struct target *t)
{
	(void)t;
	return by_clock(CLOCK_REALTIME_COARSE);
}

static int64_t t_latest(struct target *t)
{
	(void)t;
	return by_clock(CLOCK_REALTIME);
}

static int t_statfs(struct target *t, struct extant_statfs *out)
{
	struct statfs st;

	(void)t;
	if (statfs("/", &st))
		return -errno;
	*out = (struct extant_statfs){ .block_size = (uint32_t)st.f_bsize, .blocks = st.f_blocks, .free = st.f_bfree,
				       .available = st.f_bavail, .files = st.f_files, .files_free = st.f_ffree };
	return 0;
}

static int t_setxattr(struct target *t, const char *path, const char *name, const void *value, size_t len, int flags)
{
	(void)t;
	return result(lsetxattr(path, name, value, len, flags));
}

static int64_t t_getxattr(struct target *t, const char *path, const char *name, void *value, size_t len)
{
	(void)t;
	return result64(lgetxattr(path, name, value, len));
}

static int64_t t_listxattr(struct target *t, const char *path, char *list, size_t len)
{
	(void)t;
	return result64(llistxattr(path, list, len));
}

static int t_removexattr(struct target *t, const char *path, const char *name)
{
	(void)t;
	return result(lremovexattr(path, name));
}

static const struct target_calls calls = {
	.mount = mount_it, .unmount = unmount_it, .shutdown = shut_down, .judge = judge, .destroy = destroy,
	.open = t_open, .close = t_close, .read = t_read, .write = t_write, .pread = t_pread, .pwrite = t_pwrite,
	.lseek = t_lseek, .fsync = t_fsync, .fdatasync = t_fdatasync, .sync = t_sync, .ftruncate = t_ftruncate,
	.truncate = t_truncate, .fallocate = t_fallocate, .page_get = t_page_get,
	.page_put = t_page_put, .msync = t_msync, .mkdir = t_mkdir, .rmdir = t_rmdir, .unlink = t_unlink,
	.link = t_link, .symlink = t_symlink, .readlink = t_readlink, .mknod = t_mknod, .rename = t_rename,
	.readdir = t_readdir, .stat = t_stat, .fstat = t_fstat, .chmod = t_chmod, .chown = t_chown, .utimens = t_utimens,
	.set_flags = t_set_flags, .flink = t_flink, .pass = t_pass, .earliest = t_earliest, .latest = t_latest, .statfs = t_statfs,
	.setxattr = t_setxattr, .getxattr = t_getxattr, .listxattr = t_listxattr, .removexattr = t_removexattr,
};

/* ---- up */

static bool attach(struct linux_target *l)
{
	FILE *f;
	char command[200];

	(void)snprintf(command, sizeof(command), "losetup --show -f %s 2>&1", l->image);
	f = popen(command, "r");
	if (!f || !fgets(l->loop, sizeof(l->loop), f) || strncmp(l->loop, "/dev/", 5))
		*l->loop = 0;
	l->loop[strcspn(l->loop, "\n")] = 0;
	return pclose(f) == 0 && *l->loop;
}

struct target *target_linux(const struct target_options *opt)
{
	struct linux_target *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	l->base.calls = &calls;
	l->opt = *opt;
	(void)setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	(void)umask(0);
	if (geteuid() || unshare(CLONE_NEWNS)) {
		printf("skipped: mounting needs root\n");
		return NULL;
	}
	(void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL); /* cannot be in a chroot */
	l->outside = open("/", O_RDONLY | O_DIRECTORY); /* of this namespace */
	(void)snprintf(l->folder, sizeof(l->folder), "/tmp/extant-model-XXXXXX");
	if (!mkdtemp(l->folder))
		abort();
	(void)snprintf(l->image, sizeof(l->image), "%s/image", l->folder);
	(void)snprintf(l->mnt, sizeof(l->mnt), "%s/mnt", l->folder);
	if (mkdir(l->mnt, 0755) ||
	    shell("mke2fs -q -F -t ext4 %s %s %s >/dev/null", l->opt.mkfs, l->image, l->opt.size) || !attach(l)) {
		printf("skipped: no mke2fs or no loop devices\n");
		destroy(&l->base);
		return NULL;
	}
	return &l->base;
}
