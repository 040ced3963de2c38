/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who else uses this image? Two writers that do not know of each other destroy a file system, so an
 * image is opened only when none of these is found:
 *
 *   1. a loop device that it backs, mounted or not (read only ones do not disturb a reader)
 *   2. a program that has it open for writing (the kernel grants a read lease only without those)
 *   3. a program that has locked it, this one too: with flock, or with fcntl as emulators do
 *
 * What is found open stays open: 1 and 2 are looked at before, 3 is held as long as the image is
 * open, so of two that open it at once at least one is refused, and never both succeed. A reader
 * takes shared locks, so several readers go together.
 *
 * A block special file is opened exclusively instead; the kernel refuses that while it is mounted,
 * part of something else or opened so already, even for reading.
 */
#include "block/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "base/errors.h"

/* File systems that refuse leases for reasons of their own: SMB 1 and 2. */
#define SMB1_MAGIC 0xff534d42u
#define SMB2_MAGIC 0xfe534d42u

printf_like(2, 3) static int busy(char why[BLOCK_WHY_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, BLOCK_WHY_MAX, fmt, ap);
	va_end(ap);
	return -EBUSY;
}

/* ---- 1. loop devices */

/* The first line of a file of sysfs, without its end. False: there is none. */
static bool read_line(int dir_fd, const char *path, char *line, size_t size)
{
	int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, line, size - 1);
	close(fd);
	if (n <= 0)
		return false;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return true;
}

/* Whether the loop device `name` is backed by the file `st`. */
static bool loop_backed_by(int sys_block, const char *name, const struct stat *st)
{
	char path[300], backing[4096];
	struct stat other;

	snprintf(path, sizeof(path), "%s/loop/backing_file", name);
	if (!read_line(sys_block, path, backing, sizeof(backing)) || stat(backing, &other))
		return false;
	return other.st_dev == st->st_dev && other.st_ino == st->st_ino;
}

static bool loop_is_read_only(int sys_block, const char *name)
{
	char path[300], line[16];

	snprintf(path, sizeof(path), "%s/ro", name);
	return read_line(sys_block, path, line, sizeof(line)) && !strcmp(line, "1");
}

static int check_loop_devices(const struct stat *st, bool read_only, char why[BLOCK_WHY_MAX])
{
	DIR *dir = opendir("/sys/block");
	const struct dirent *e;
	int err = 0;

	if (!dir)
		return 0;
	while (!err && (e = readdir(dir))) {
		if (strncmp(e->d_name, "loop", 4) || !loop_backed_by(dirfd(dir), e->d_name, st))
			continue;
		if (read_only && loop_is_read_only(dirfd(dir), e->d_name))
			continue;
		err = busy(
			why,
			"it is attached to /dev/%.32s: unmount it there and detach it (losetup -d)",
			e->d_name);
	}
	closedir(dir);
	return err;
}

/* ---- 2. programs that write */

static bool leases_tell_of_writers(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && (unsigned)fs.f_type != SMB1_MAGIC &&
	       (unsigned)fs.f_type != SMB2_MAGIC;
}

/*
 * Asks for a read lease of the file open at `fd`, and gives it back at once. Somebody who opens the
 * file in that moment waits for it; we would get a signal, so it is one that is ignored unless
 * asked for.
 */
static int check_writers(int fd, char why[BLOCK_WHY_MAX])
{
	if (!leases_tell_of_writers(fd))
		return 0;
	(void)fcntl(fd, F_SETSIG, SIGURG);
	if (!fcntl(fd, F_SETLEASE, F_RDLCK)) {
		(void)fcntl(fd, F_SETLEASE, F_UNLCK);
		return 0;
	}
	if (errno != EAGAIN)
		return 0;		/* no leases here, or not for us: only the locks can tell */
	return busy(why, "another program has it open for writing: close it there");
}

/* ---- 3. programs that lock */

/* Locks that fcntl knows of; asking disturbs nobody. */
static int check_locks(int fd, bool read_only, char why[BLOCK_WHY_MAX])
{
	struct flock lock = { .l_type = read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_GETLK, &lock) || lock.l_type == F_UNLCK)
		return 0;
	if (lock.l_pid > 0)
		return busy(why, "process %ld has locked it: close it there", (long)lock.l_pid);
	return busy(why, "it is open already, here or in another program: close it there");
}

/* Locks the whole file until `fd` is closed. Where the file system knows no locks, goes without. */
static int lock_whole(int fd, bool read_only, char why[BLOCK_WHY_MAX])
{
	struct flock lock = { .l_type = read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };
	int err;

	if (flock(fd, (read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) && errno == EWOULDBLOCK)
		err = -EBUSY;
	else if (fcntl(fd, F_OFD_SETLK, &lock) && (errno == EAGAIN || errno == EACCES))
		err = -EBUSY;
	else
		return 0;
	if (!check_locks(fd, read_only, why))
		busy(why, "another program has locked it (flock): close it there");
	return err;
}

/* ---- opening */

/* The file at `path` for writing, in place of `fd`, which is the same file for reading. */
static int reopen_for_writing(int fd, const char *path, const struct stat *st)
{
	struct stat now;

	close(fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!fstat(fd, &now) && now.st_dev == st->st_dev && now.st_ino == st->st_ino)
		return fd;
	close(fd);
	return -EAGAIN;			/* somebody has put another file in its place just now */
}

static int check_users(int fd, const struct stat *st, bool read_only, char why[BLOCK_WHY_MAX])
{
	int err = check_loop_devices(st, read_only, why);

	if (!err)
		err = check_locks(fd, read_only, why);
	if (!err)
		err = check_writers(fd, why);
	return err;
}

static int open_regular(const char *path, bool read_only, char why[BLOCK_WHY_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;
	struct stat st;

	if (fd < 0)
		return -errno;
	err = fstat(fd, &st) ? -errno : check_users(fd, &st, read_only, why);
	if (!err && !read_only) {
		fd = reopen_for_writing(fd, path, &st);
		if (fd < 0)
			return fd;
	}
	if (!err)
		err = lock_whole(fd, read_only, why);
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int open_special(const char *path, bool read_only, char why[BLOCK_WHY_MAX])
{
	int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_EXCL | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == EBUSY)
		return busy(why, "it is mounted, part of another device or open in another "
				 "program: unmount or close it there");
	return -errno;
}

int file_open_alone(const char *path, bool read_only, char why[BLOCK_WHY_MAX])
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	if (S_ISBLK(st.st_mode))
		return open_special(path, read_only, why);
	return S_ISREG(st.st_mode) ? open_regular(path, read_only, why) : -EINVAL;
}
