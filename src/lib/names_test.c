/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names through the public interface: links, symbolic links, devices, renames of every kind, files
 * without a name; who may do it; positions in listings. Afterwards e2fsck finds nothing. Skips where
 * e2fsprogs are missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "extant/extant.h"

#ifndef O_TMPFILE
#define O_TMPFILE (020000000 | O_DIRECTORY)
#endif

static char dir[] = "/tmp/extant-names-XXXXXX";
static struct extant *x;

#define ok(call) assert_int_equal(call, 0)
#define fails(err, call) assert_int_equal(call, -(err))

static void image_command(const char *before, const char *after)
{
	char cmd[512];

	(void)snprintf(cmd, sizeof(cmd), "export PATH=$PATH:/sbin:/usr/sbin; %s %s/i %s", before, dir, after);
	ok(system(cmd));
}

static void mount_as(const char *options, uint32_t uid, uint32_t gid)
{
	struct extant_options o;
	char image[256];

	extant_options_init(&o);
	o.mode = EXTANT_INLINE;
	o.mount_options = options;
	o.uid = uid;
	o.gid = gid;
	o.umask = 0;
	(void)snprintf(image, sizeof(image), "%s/i", dir);
	ok(extant_mount(image, &o, &x));
}

/* Every test begins with an empty image and ends with one that e2fsck finds nothing in. */
static int begin(void **state)
{
	(void)state;
	image_command("truncate -s 16M", "");
	image_command("mke2fs -q -F -t ext4 -N 512", "");
	mount_as(NULL, 0, 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	ok(extant_unmount(x));
	image_command("e2fsck -fn", "> /dev/null 2>&1");
	return 0;
}

static void remount(const char *options, uint32_t uid, uint32_t gid)
{
	ok(extant_unmount(x));
	mount_as(options, uid, gid);
}

static void touch(const char *path)
{
	int fd = extant_open(x, path, O_CREAT | O_WRONLY | O_EXCL, 0644);

	assert_true(fd >= 0);
	ok(extant_close(x, fd));
}

static struct extant_stat look(const char *path)
{
	struct extant_stat st = { 0 };

	ok(extant_lstat(x, path, &st));
	return st;
}

static void gone(const char *path)
{
	struct extant_stat st;

	fails(ENOENT, extant_lstat(x, path, &st));
}

/* ---- links */

static void a_link_is_the_same_file(void **state)
{
	(void)state;
	touch("/f");
	ok(extant_mkdir(x, "/d", 0755));
	ok(extant_link(x, "/f", "/d/g"));
	assert_int_equal(look("/f").ino, look("/d/g").ino);
	assert_int_equal(look("/f").nlink, 2);
	fails(EEXIST, extant_link(x, "/f", "/d/g"));
	fails(EEXIST, extant_link(x, "/f", "/d"));
	fails(EEXIST, extant_link(x, "/f", "/"));
	fails(ENOENT, extant_link(x, "/f", "/h/"));
	fails(ENOENT, extant_link(x, "/missing", "/h"));
	fails(EPERM, extant_link(x, "/d", "/h"));
	fails(ENOTDIR, extant_link(x, "/f/", "/h"));
	ok(extant_unlink(x, "/f"));
	assert_int_equal(look("/d/g").nlink, 1);
	remount(NULL, 0, 0);
	assert_int_equal(look("/d/g").nlink, 1);
}

static void links_end_at_65000(void **state)
{
	(void)state;
	touch("/f");
	ok(extant_unmount(x));
	image_command("debugfs -w -R 'sif /f links_count 64999'", "2> /dev/null");
	mount_as(NULL, 0, 0);
	ok(extant_link(x, "/f", "/g"));
	fails(EMLINK, extant_link(x, "/f", "/h"));
	gone("/h");
	ok(extant_unlink(x, "/g"));
	ok(extant_unmount(x));
	image_command("debugfs -w -R 'sif /f links_count 1'", "2> /dev/null");
	mount_as(NULL, 0, 0);
}

/* ---- symbolic links */

static void expect_target(const char *path, const char *target)
{
	char buf[4200];
	int n = extant_readlink(x, path, buf, sizeof(buf));

	assert_int_equal(n, strlen(target));
	assert_memory_equal(buf, target, (size_t)n);
	assert_int_equal(look(path).size, n);
	assert_int_equal(look(path).mode, S_IFLNK | 0777);
}

static void targets_of_every_length(void **state)
{
	static const size_t lengths[] = { 1, 58, 59, 60, 61, 1000, 1023 };
	char target[8200], path[32];

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		memset(target, 'a' + (int)i, lengths[i]);
		target[lengths[i]] = '\0';
		(void)snprintf(path, sizeof(path), "/l%zu", lengths[i]);
		ok(extant_symlink(x, target, path));
		expect_target(path, target);
		assert_int_equal(look(path).blocks != 0, lengths[i] >= 60);
		assert_int_equal(look(path).nlink, 1);
	}
	remount(NULL, 0, 0);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		memset(target, 'a' + (int)i, lengths[i]);
		target[lengths[i]] = '\0';
		(void)snprintf(path, sizeof(path), "/l%zu", lengths[i]);
		expect_target(path, target);
		if (i % 2)
			ok(extant_unlink(x, path));
	}
	memset(target, 't', sizeof(target));
	target[4096] = '\0';
	fails(ENAMETOOLONG, extant_symlink(x, target, "/long"));
	target[1024] = '\0';
	fails(ENAMETOOLONG, extant_symlink(x, target, "/long")); /* does not fit into the block */
	fails(ENOENT, extant_symlink(x, "", "/empty"));
	fails(EEXIST, extant_symlink(x, "t", "/l1"));
	fails(ENOENT, extant_symlink(x, "t", "/new/"));
}

static void links_are_followed_where_linux_does(void **state)
{
	int fd;

	(void)state;
	ok(extant_mkdir(x, "/d", 0755));
	ok(extant_symlink(x, "d/../made", "/to"));
	ok(extant_symlink(x, "loop", "/loop"));
	fd = extant_open(x, "/to", O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	ok(extant_close(x, fd));
	assert_int_equal(look("/made").mode, S_IFREG | 0600);
	fails(EEXIST, extant_open(x, "/to", O_CREAT | O_EXCL | O_WRONLY, 0600));
	fails(ELOOP, extant_open(x, "/to", O_RDONLY | O_NOFOLLOW, 0));
	fails(ELOOP, extant_open(x, "/loop", O_RDONLY, 0));
	fails(ELOOP, extant_open(x, "/loop", O_CREAT | O_WRONLY, 0600));
	fd = extant_open(x, "/to", O_PATH | O_NOFOLLOW, 0);
	assert_true(fd >= 0);
	fails(EBADF, extant_read(x, fd, &fd, 1));
	ok(extant_close(x, fd));
	ok(extant_link(x, "/to", "/to2"));
	assert_int_equal(look("/to2").ino, look("/to").ino);
}

/* ---- mknod */

static void devices_of_both_encodings(void **state)
{
	static const struct {
		uint32_t type, major, minor;
	} nodes[] = {
		{ S_IFIFO, 0, 0 }, { S_IFSOCK, 0, 0 }, { S_IFCHR, 1, 3 }, { S_IFCHR, 255, 255 },
		{ S_IFBLK, 256, 1 }, { S_IFBLK, 8, 256 }, { S_IFBLK, 4095, 1048575 }, { S_IFREG, 0, 0 },
	};
	char path[32];

	(void)state;
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
			struct extant_stat st;

			(void)snprintf(path, sizeof(path), "/n%zu", i);
			if (!pass)
				ok(extant_mknod(x, path, nodes[i].type | 0640, nodes[i].major, nodes[i].minor));
			st = look(path);
			assert_int_equal(st.mode, nodes[i].type | 0640);
			assert_int_equal(st.rdev_major, nodes[i].major);
			assert_int_equal(st.rdev_minor, nodes[i].minor);
		}
		remount(NULL, 0, 0);
	}
	fails(EPERM, extant_mknod(x, "/no", S_IFDIR | 0755, 0, 0));
	fails(EINVAL, extant_mknod(x, "/no", S_IFLNK | 0755, 0, 0));
	fails(EINVAL, extant_mknod(x, "/no", 0030000 | 0755, 0, 0));
	fails(EINVAL, extant_mknod(x, "/no", S_IFCHR, 4096, 0));
	ok(extant_mknod(x, "/typeless", 0600, 0, 0));
	assert_int_equal(look("/typeless").mode, S_IFREG | 0600);
}

/* ---- rename */

static void rename_over_what_may_be(void **state)
{
	uint64_t ino;

	(void)state;
	ok(extant_mkdir(x, "/a", 0755));
	ok(extant_mkdir(x, "/b", 0755));
	ok(extant_mkdir(x, "/a/full", 0755));
	touch("/a/full/x");
	ok(extant_mkdir(x, "/a/empty", 0755));
	touch("/a/f");
	touch("/b/g");
	ino = look("/a/f").ino;
	ok(extant_rename(x, "/a/f", "/b/g", 0));
	gone("/a/f");
	assert_int_equal(look("/b/g").ino, ino);
	fails(ENOTEMPTY, extant_rename(x, "/a/empty", "/a/full", 0));
	fails(ENOTDIR, extant_rename(x, "/a/empty", "/b/g", 0));
	fails(EISDIR, extant_rename(x, "/b/g", "/a/empty", 0));
	fails(ENOTDIR, extant_rename(x, "/b/g", "/b/h/", 0));
	fails(ENOTDIR, extant_rename(x, "/b/g/", "/b/h", 0));
	fails(EBUSY, extant_rename(x, "/b/.", "/c", 0));
	fails(EBUSY, extant_rename(x, "/b", "/a/..", 0));
	fails(EEXIST, extant_rename(x, "/b", "/a/..", EXTANT_RENAME_NOREPLACE));
	ok(extant_rename(x, "/a/full", "/a/empty/", 0));
	assert_int_equal(look("/a").nlink, 3);
	ok(extant_rename(x, "/a/empty", "/b/moved", 0));
	assert_int_equal(look("/a").nlink, 2);
	assert_int_equal(look("/b").nlink, 3);
	look("/b/moved/x");
	ok(extant_link(x, "/b/g", "/b/h"));
	ok(extant_rename(x, "/b/g", "/b/h", 0)); /* one file already: nothing happens */
	look("/b/g");
}

static void no_directory_comes_to_lie_in_itself(void **state)
{
	(void)state;
	ok(extant_mkdir(x, "/a", 0755));
	ok(extant_mkdir(x, "/a/b", 0755));
	ok(extant_mkdir(x, "/a/b/c", 0755));
	fails(EINVAL, extant_rename(x, "/a", "/a/x", 0));
	fails(EINVAL, extant_rename(x, "/a", "/a/b/c/x", 0));
	fails(EINVAL, extant_rename(x, "/a", "/a/b", EXTANT_RENAME_EXCHANGE));
	fails(EINVAL, extant_rename(x, "/a/b/c", "/a", EXTANT_RENAME_EXCHANGE));
	fails(ENOTEMPTY, extant_rename(x, "/a/b/c", "/a", 0));
	fails(ENOTEMPTY, extant_rename(x, "/a/b", "/a", 0));
	ok(extant_rename(x, "/a", "/a", 0));
	look("/a/b/c");
}

static void flags_of_rename(void **state)
{
	uint64_t f, g;

	(void)state;
	ok(extant_mkdir(x, "/d", 0755));
	touch("/f");
	touch("/d/g");
	f = look("/f").ino;
	g = look("/d/g").ino;
	fails(EEXIST, extant_rename(x, "/f", "/d/g", EXTANT_RENAME_NOREPLACE));
	fails(EEXIST, extant_rename(x, "/f", "/f", EXTANT_RENAME_NOREPLACE));
	fails(EINVAL, extant_rename(x, "/f", "/d/g", EXTANT_RENAME_NOREPLACE | EXTANT_RENAME_EXCHANGE));
	fails(EINVAL, extant_rename(x, "/f", "/d/g", 8));
	fails(ENOENT, extant_rename(x, "/f", "/new", EXTANT_RENAME_EXCHANGE));
	ok(extant_rename(x, "/f", "/d/g", EXTANT_RENAME_EXCHANGE));
	assert_int_equal(look("/f").ino, g);
	assert_int_equal(look("/d/g").ino, f);
	ok(extant_mkdir(x, "/e", 0755));
	touch("/e/in");
	ok(extant_rename(x, "/e", "/d/g", EXTANT_RENAME_EXCHANGE));
	look("/d/g/in");
	assert_int_equal(look("/e").ino, f);
	assert_int_equal(look("/").nlink, 4); /* lost+found, d */
	assert_int_equal(look("/d").nlink, 3);
	ok(extant_rename(x, "/f", "/d/white", EXTANT_RENAME_WHITEOUT));
	assert_int_equal(look("/d/white").ino, g);
	assert_int_equal(look("/f").mode & S_IFMT, S_IFCHR);
	assert_int_equal(look("/f").rdev_major | look("/f").rdev_minor, 0);
}

/* Who stands in a directory goes with it: its names in memory, open files, and `..` of it. */
static void what_is_below_moves_along(void **state)
{
	int fd;

	(void)state;
	ok(extant_mkdir(x, "/a", 0755));
	ok(extant_mkdir(x, "/a/b", 0755));
	ok(extant_mkdir(x, "/c", 0755));
	touch("/a/b/f");
	gone("/a/b/missing");
	fd = extant_open(x, "/a/b/f", O_RDWR, 0);
	assert_true(fd >= 0);
	ok(extant_rename(x, "/a/b", "/c/d", 0));
	gone("/a/b/f");
	gone("/a/b");
	look("/c/d/f");
	gone("/c/d/missing");
	assert_int_equal(look("/c/d/..").ino, look("/c").ino);
	assert_int_equal(extant_write(x, fd, "x", 1), 1);
	ok(extant_fsync(x, fd));
	ok(extant_close(x, fd));
	ok(extant_rename(x, "/c", "/a/c", 0));
	assert_int_equal(look("/a/c/d/f").size, 1);
	ok(extant_mkdir(x, "/a/b", 0755));
	ok(extant_rename(x, "/a/b", "/a/c/d", EXTANT_RENAME_EXCHANGE));
	look("/a/b/f");
	gone("/a/c/d/f");
}

/* A tree of names that splits while one of them gets another: no name is lost or comes twice. */
static void renames_in_a_growing_directory(void **state)
{
	char old[300], new[300];

	(void)state;
	ok(extant_mkdir(x, "/d", 0755));
	for (int i = 0; i < 300; i++) {
		(void)snprintf(old, sizeof(old), "/d/%d", i);
		(void)snprintf(new, sizeof(new), "/d/%0200d", i);
		touch(old);
		ok(extant_rename(x, old, new, 0));
		gone(old);
	}
	for (int i = 0; i < 300; i++) {
		(void)snprintf(old, sizeof(old), "/d/%0200d", i);
		look(old);
		ok(extant_unlink(x, old));
	}
	ok(extant_rmdir(x, "/d"));
}

/* A damaged image whose tree leads back into itself: an error, before any lock is taken twice. */
static void a_loop_is_damage(void **state)
{
	(void)state;
	ok(extant_mkdir(x, "/a", 0755));
	ok(extant_mkdir(x, "/a/b", 0755));
	touch("/a/f");
	ok(extant_unmount(x));
	image_command("debugfs -w -R 'ln /a /a/b/up'", "2> /dev/null");
	image_command("debugfs -w -R 'ln / /a/b/root'", "2> /dev/null");
	mount_as("errors=continue", 0, 0);
	fails(EUCLEAN, extant_rename(x, "/a/b/up/b", "/c", 0));
	fails(EUCLEAN, extant_rename(x, "/a/b", "/a/b/up/q", 0));
	fails(EUCLEAN, extant_rename(x, "/a/b/up", "/up", 0));
	fails(EUCLEAN, extant_rmdir(x, "/a/b/root"));
	fails(EUCLEAN, extant_link(x, "/a/f", "/a/b/root/f"));
	ok(extant_rename(x, "/a/f", "/g", 0));
	ok(extant_unmount(x));
	image_command("debugfs -w -R 'unlink /a/b/up'", "2> /dev/null");
	image_command("debugfs -w -R 'unlink /a/b/root'", "2> /dev/null");
	image_command("debugfs -w -R 'ssv state 1'", "2> /dev/null");
	mount_as(NULL, 0, 0);
}

/* ---- O_TMPFILE */

static void a_file_without_a_name(void **state)
{
	struct extant_stat st;
	int fd, hidden;

	(void)state;
	ok(extant_mkdir(x, "/d", 0755));
	fails(EINVAL, extant_open(x, "/d", O_TMPFILE | O_RDONLY, 0600));
	fails(EINVAL, extant_open(x, "/d", O_TMPFILE | O_CREAT | O_RDWR, 0600));
	fails(ENOENT, extant_open(x, "/no", O_TMPFILE | O_RDWR, 0600));
	fd = extant_open(x, "/d", O_TMPFILE | O_RDWR, 0640);
	hidden = extant_open(x, "/d", O_TMPFILE | O_WRONLY | O_EXCL, 0600);
	assert_true(fd >= 0 && hidden >= 0);
	ok(extant_fstat(x, fd, &st));
	assert_int_equal(st.nlink, 0);
	assert_int_equal(st.mode, S_IFREG | 0640);
	assert_int_equal(extant_write(x, fd, "text", 4), 4);
	assert_int_equal(extant_write(x, hidden, "text", 4), 4);
	fails(ENOENT, extant_flink(x, hidden, "/shown"));
	ok(extant_flink(x, fd, "/shown"));
	assert_int_equal(look("/shown").nlink, 1);
	assert_int_equal(look("/shown").ino, st.ino);
	ok(extant_unlink(x, "/shown"));
	fails(ENOENT, extant_flink(x, fd, "/again"));
	ok(extant_close(x, fd));
	ok(extant_close(x, hidden));
	fd = extant_open(x, "/d", O_TMPFILE | O_RDWR, 0640);
	ok(extant_flink(x, fd, "/kept"));
	ok(extant_flink(x, fd, "/twice"));
	ok(extant_close(x, fd));
	assert_int_equal(look("/kept").nlink, 2);
}

/* ---- names, removed directories, who may */

static void names_of_any_bytes(void **state)
{
	char path[300];

	(void)state;
	for (int c = 1; c < 256; c++) {
		(void)snprintf(path, sizeof(path), "/x%c", c);
		if (c != '/')
			touch(path);
	}
	remount(NULL, 0, 0);
	for (int c = 1; c < 256; c++) {
		(void)snprintf(path, sizeof(path), "/x%c", c);
		if (c != '/')
			look(path);
	}
	memset(path, 'n', sizeof(path));
	*path = '/';
	path[256] = '\0';
	ok(extant_mkdir(x, path, 0755));
	path[256] = 'n';
	path[257] = '\0';
	fails(ENAMETOOLONG, extant_mkdir(x, path, 0755));
	fails(ENAMETOOLONG, extant_rename(x, "/xa", path, 0));
	fails(ENAMETOOLONG, extant_link(x, "/xa", path));
	ok(extant_symlink(x, "/", "/here"));
	memmove(path + 5, path, strlen(path) + 1);
	memcpy(path, "/here", 5);
	fails(ENAMETOOLONG, extant_rename(x, "/xa", path, 0));
	fails(ENOENT, extant_rename(x, "/missing", path, 0)); /* that is asked first */
	ok(extant_unlink(x, "/here"));
}

static void a_removed_directory_takes_no_names(void **state)
{
	int fd;

	(void)state;
	ok(extant_mkdir(x, "/d", 0755));
	gone("/d/x");
	fd = extant_open(x, "/d", O_RDONLY | O_DIRECTORY, 0);
	ok(extant_rmdir(x, "/d"));
	fails(ENOENT, extant_mkdir(x, "/d/x", 0755));
	fails(ENOENT, extant_open(x, "/d", O_TMPFILE | O_RDWR, 0600));
	ok(extant_close(x, fd));
}

static void groups_and_others_names(void **state)
{
	int fd;

	(void)state;
	ok(extant_mkdir(x, "/sticky", 0755));
	ok(extant_chmod(x, "/sticky", 01777));
	ok(extant_mkdir(x, "/shared", 0755));
	ok(extant_chown(x, "/shared", 0, 77));
	ok(extant_chmod(x, "/shared", 02777));
	touch("/sticky/roots");
	remount(NULL, 1000, 100);
	fails(EPERM, extant_unlink(x, "/sticky/roots"));
	fails(EPERM, extant_rename(x, "/sticky/roots", "/sticky/mine", 0));
	touch("/sticky/mine");
	fails(EPERM, extant_rename(x, "/sticky/mine", "/sticky/roots", 0));
	ok(extant_rename(x, "/sticky/mine", "/sticky/too", 0));
	fails(EACCES, extant_mkdir(x, "/no", 0755));
	fails(EACCES, extant_symlink(x, "t", "/no"));
	fails(EACCES, extant_rename(x, "/sticky/too", "/no", 0));
	fails(EACCES, extant_open(x, "/", O_TMPFILE | O_RDWR, 0600));
	fails(EPERM, extant_mknod(x, "/sticky/dev", S_IFBLK | 0600, 8, 0));
	ok(extant_mkdir(x, "/shared/d", 0755));
	assert_int_equal(look("/shared/d").gid, 77);
	assert_int_equal(look("/shared/d").mode, S_IFDIR | 02755);
	fd = extant_open(x, "/shared/d/f", O_CREAT | O_WRONLY, 02775);
	ok(extant_close(x, fd));
	assert_int_equal(look("/shared/d/f").gid, 77);
	assert_int_equal(look("/shared/d/f").mode, S_IFREG | 0775); /* not of that group */
	remount(NULL, 0, 0);
}

/* ---- listings */

static int remember(void *arg, const struct extant_dirent *d)
{
	uint64_t *next = arg;

	if (strlen(d->name) != 20)
		return 0;
	next[strtoul(d->name, NULL, 10)] = d->next;
	return 0;
}

/* Not `.` and `..`: a tree has them at its first two positions. */
static int count(void *arg, const struct extant_dirent *d)
{
	*(int *)arg += strlen(d->name) == 20;
	return 0;
}

/* A position means the same names after others came and went, and the tree has grown. */
static void positions_stay_valid(void **state)
{
	uint64_t next[100] = { 0 };
	char path[64];
	int fd, before[100], after;

	(void)state;
	ok(extant_mkdir(x, "/d", 0755));
	for (int i = 0; i < 20; i++) {
		(void)snprintf(path, sizeof(path), "/d/%020d", i);
		touch(path);
	}
	fd = extant_open(x, "/d", O_RDONLY | O_DIRECTORY, 0);
	ok(extant_readdir(x, fd, remember, next));
	for (int i = 0; i < 20; i++) {
		before[i] = 0;
		assert_int_equal(extant_lseek(x, fd, (int64_t)next[i], SEEK_SET), next[i]);
		ok(extant_readdir(x, fd, count, &before[i]));
	}
	for (int i = 100; i < 400; i++) {
		(void)snprintf(path, sizeof(path), "/d/%d", i);
		touch(path);
	}
	for (int i = 100; i < 400; i++) {
		(void)snprintf(path, sizeof(path), "/d/%d", i);
		ok(extant_unlink(x, path));
	}
	for (int i = 0; i < 20; i++) {
		after = 0;
		assert_int_equal(extant_lseek(x, fd, (int64_t)next[i], SEEK_SET), next[i]);
		ok(extant_readdir(x, fd, count, &after));
		assert_int_equal(after, before[i]);
	}
	ok(extant_close(x, fd));
}

/* ---- directories of many */

static void directories_beyond_65000(void **state)
{
	char path[64];

	(void)state;
	ok(extant_mkdir(x, "/d", 0755));
	for (int i = 0; i < 120; i++) {
		(void)snprintf(path, sizeof(path), "/d/%060d", i);
		touch(path); /* a hash tree */
	}
	ok(extant_unmount(x));
	image_command("debugfs -w -R 'sif /d links_count 64999'", "2> /dev/null");
	mount_as(NULL, 0, 0);
	ok(extant_mkdir(x, "/d/a", 0755));
	assert_int_equal(look("/d").nlink, 65000);
	ok(extant_mkdir(x, "/d/b", 0755));
	assert_int_equal(look("/d").nlink, 1);
	ok(extant_mkdir(x, "/d/c", 0755));
	assert_int_equal(look("/d").nlink, 1);
	ok(extant_rmdir(x, "/d/a"));
	assert_int_equal(look("/d").nlink, 1);
	ok(extant_rmdir(x, "/d/b"));
	ok(extant_rmdir(x, "/d/c"));
	ok(extant_unmount(x));
	image_command("debugfs -w -R 'sif /d links_count 2'", "2> /dev/null");
	mount_as(NULL, 0, 0);
}

/* It is looked up after the old name, by way of a link too. */
static void a_new_name_too_long_is_told_after_an_old_one_missing(void **state)
{
	char path[300] = "/link/";

	(void)state;
	memset(path + 6, 'x', 256);
	ok(extant_mkdir(x, "/d", 0755));
	ok(extant_symlink(x, "d", "/link"));
	touch("/there");
	fails(ENAMETOOLONG, extant_rename(x, "/there", path, 0));
	fails(ENOENT, extant_rename(x, "/missing", path, 0));
	path[6 + 255] = '\0';
	ok(extant_rename(x, "/there", path, 0));
}

int main(void)
{
#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		test(a_new_name_too_long_is_told_after_an_old_one_missing),
		test(a_link_is_the_same_file),
		test(links_end_at_65000),
		test(targets_of_every_length),
		test(links_are_followed_where_linux_does),
		test(devices_of_both_encodings),
		test(rename_over_what_may_be),
		test(no_directory_comes_to_lie_in_itself),
		test(flags_of_rename),
		test(what_is_below_moves_along),
		test(renames_in_a_growing_directory),
		test(a_loop_is_damage),
		test(a_file_without_a_name),
		test(names_of_any_bytes),
		test(a_removed_directory_takes_no_names),
		test(groups_and_others_names),
		test(positions_stay_valid),
		test(directories_beyond_65000),
	};
	char cmd[64];
	int failed;

	if (system("PATH=$PATH:/sbin:/usr/sbin; mke2fs -V 2> /dev/null") != 0) {
		printf("skipped: mke2fs is missing\n");
		return 77;
	}
	if (!mkdtemp(dir))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd) || failed;
}
