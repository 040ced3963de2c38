/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attributes through the public interface: owner, mode, times, flags, extended attributes, lists of
 * rights, label and UUID; and who may change them. Afterwards e2fsck finds nothing. Skips where
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

static char dir[] = "/tmp/extant-attr-XXXXXX";
static struct extant *x, *user, *friend;	/* root's, 1000's, 1001's (in the user's group) */

#define ok(call) assert_int_equal(call, 0)
#define fails(err, call) assert_int_equal(call, -(err))

static void image_command(const char *before, const char *after)
{
	char cmd[512];

	(void)snprintf(cmd, sizeof(cmd), "export PATH=$PATH:/sbin:/usr/sbin; %s %s/i %s", before, dir, after);
	ok(system(cmd));
}

static struct extant *become(uint32_t uid, uint32_t gid, uint32_t group)
{
	struct extant_identity who = { uid, gid, 022, &group, 1 };
	struct extant *out;

	ok(extant_as(x, &who, &out));
	return out;
}

static void open_image(const char *options)
{
	struct extant_options o;
	char image[256];

	extant_options_init(&o);
	o.mode = EXTANT_INLINE;
	o.virtual_time_ns = 1700000000000000000;
	o.mount_options = options;
	o.umask = 0;
	(void)snprintf(image, sizeof(image), "%s/i", dir);
	ok(extant_mount(image, &o, &x));
	user = become(1000, 1000, 50);
	friend = become(1001, 1001, 1000);
}

static void close_image(void)
{
	fails(EBUSY, extant_unmount(x));
	fails(EINVAL, extant_unmount(user));
	extant_as_end(user);
	extant_as_end(friend);
	ok(extant_unmount(x));
	image_command("e2fsck -fn", "> /dev/null 2>&1");
}

static int begin(void **state)
{
	(void)state;
	image_command("truncate -s 16M", "");
	image_command("mke2fs -q -F -t ext4 -b 4096 -O metadata_csum_seed,sparse_super,^resize_inode -g 1024 -N 512", "");
	open_image(NULL);
	return 0;
}

static int end(void **state)
{
	(void)state;
	close_image();
	return 0;
}

static void again(const char *options)
{
	close_image();
	open_image(options);
}

static void make(const char *path, uint32_t mode)
{
	int fd = extant_open(x, path, O_CREAT | O_WRONLY | O_EXCL, mode);

	assert_true(fd >= 0);
	assert_int_equal(extant_write(x, fd, "x", 1), 1);
	ok(extant_close(x, fd));
}

static struct extant_stat look(const char *path)
{
	struct extant_stat st = { 0 };

	ok(extant_lstat(x, path, &st));
	return st;
}

static int opens(struct extant *who, const char *path, int flags)
{
	int fd = extant_open(who, path, flags, 0644);

	return fd < 0 ? fd : extant_close(who, fd);
}

/* ---- */

static void owner_and_mode(void **state)
{
	(void)state;
	make("/f", 0644);
	fails(EPERM, extant_chmod(user, "/f", 0600));
	fails(EPERM, extant_chown(user, "/f", 1000, UINT32_MAX));
	ok(extant_chown(x, "/f", 1000, 1000));
	ok(extant_chmod(user, "/f", 0640));
	ok(extant_chown(user, "/f", 1000, 50)); /* a group of his own */
	fails(EPERM, extant_chown(user, "/f", UINT32_MAX, 60));
	fails(EPERM, extant_chown(user, "/f", 1001, UINT32_MAX));
	assert_int_equal(look("/f").gid, 50);
	fails(EACCES, opens(friend, "/f", O_RDONLY));
	ok(extant_chown(x, "/f", UINT32_MAX, 1000));
	ok(opens(friend, "/f", O_RDONLY));
	fails(EACCES, opens(friend, "/f", O_WRONLY));
	fails(EPERM, opens(friend, "/f", O_RDONLY | O_NOATIME));
	ok(extant_symlink(x, "f", "/l"));
	ok(extant_lchown(x, "/l", 7, 7));
	assert_int_equal(look("/l").uid, 7);
	assert_int_equal(look("/f").uid, 1000);
	ok(extant_chown(x, "/l", 8, 8));
	assert_int_equal(look("/f").uid, 8);
}

static void set_id_bits_fall(void **state)
{
	int fd;

	(void)state;
	make("/f", 0666);
	ok(extant_chmod(x, "/f", 06777));
	fd = extant_open(x, "/f", O_WRONLY, 0);
	assert_int_equal(extant_write(x, fd, "y", 1), 1);
	ok(extant_close(x, fd));
	assert_int_equal(look("/f").mode & 07777, 06777); /* not by root */
	fd = extant_open(user, "/f", O_WRONLY, 0);
	assert_int_equal(extant_write(user, fd, "y", 1), 1);
	ok(extant_close(user, fd));
	assert_int_equal(look("/f").mode & 07777, 0777);
	ok(extant_chmod(x, "/f", 06777));
	ok(extant_truncate(user, "/f", 0));
	assert_int_equal(look("/f").mode & 07777, 0777);
	ok(extant_chmod(x, "/f", 06777));
	fd = extant_open(user, "/f", O_WRONLY, 0);
	ok(extant_fallocate(user, fd, FALLOC_FL_KEEP_SIZE, 0, 1));
	ok(extant_close(user, fd));
	assert_int_equal(look("/f").mode & 07777, 0777);
	ok(extant_chmod(x, "/f", 06767)); /* without x for the group it means something else */
	ok(extant_chown(x, "/f", 1000, 1000));
	assert_int_equal(look("/f").mode & 07777, 02767);
	ok(extant_chown(x, "/f", UINT32_MAX, 60)); /* not his: he cannot keep the bit */
	ok(extant_chmod(user, "/f", 02755));
	assert_int_equal(look("/f").mode & 07777, 0755);
}

/* Who is of the directory's group, though it is not his first, may make programs that act for it. */
static void groups_are_inherited(void **state)
{
	int fd;

	(void)state;
	ok(extant_mkdir(x, "/d", 0755));
	ok(extant_chown(x, "/d", UINT32_MAX, 50));
	ok(extant_chmod(x, "/d", 02777));
	fd = extant_open(user, "/d/his", O_CREAT | O_WRONLY, 02750);
	ok(extant_close(user, fd));
	assert_int_equal(look("/d/his").gid, 50);
	assert_int_equal(look("/d/his").mode & 07777, 02750);
	fd = extant_open(friend, "/d/theirs", O_CREAT | O_WRONLY, 02750);
	ok(extant_close(friend, fd));
	assert_int_equal(look("/d/theirs").gid, 50);
	assert_int_equal(look("/d/theirs").mode & 07777, 0750);
}

static void times(void **state)
{
	struct extant_time t = { 1000000000, 5 }, now = { 0, EXTANT_TIME_NOW }, omit = { 0, EXTANT_TIME_OMIT };
	struct extant_time bad = { 1, 1000000000 }, far = { 1ll << 40, 0 };

	(void)state;
	make("/f", 0666);
	ok(extant_utimens(x, "/f", &t, NULL));
	assert_int_equal(look("/f").atime.sec, 1000000000);
	assert_int_equal(look("/f").atime.nsec, 5);
	fails(EPERM, extant_utimens(user, "/f", &t, &t));
	fails(EPERM, extant_utimens(user, "/f", &now, &omit));
	ok(extant_utimens(user, "/f", &now, &now)); /* he may write */
	assert_int_equal(look("/f").mtime.sec, 1700000000);
	ok(extant_utimens(x, "/missing", &omit, &omit));
	fails(EINVAL, extant_utimens(x, "/f", &bad, &omit));
	ok(extant_chmod(x, "/f", 0644));
	fails(EACCES, extant_utimens(user, "/f", &now, &now));
	ok(extant_utimens(x, "/f", &far, &far));
	assert_int_equal(look("/f").mtime.sec, 0x37fffffff);
}

static void lazy_times(void **state)
{
	char byte;
	int fd;

	(void)state;
	make("/f", 0644);
	again("lazytime,strictatime");
	ok(extant_sleep(x, 5000000000));
	fd = extant_open(x, "/f", O_RDONLY, 0);
	assert_int_equal(extant_read(x, fd, &byte, 1), 1);
	assert_int_equal(look("/f").atime.sec, 1700000005);
	ok(extant_close(x, fd));
	ok(extant_shutdown(x, EXTANT_SHUTDOWN_LOGFLUSH)); /* nothing had written it */
	again("noatime");
	assert_int_equal(look("/f").atime.sec, 1700000000);
	again("lazytime,strictatime");
	ok(extant_sleep(x, 6000000000));
	fd = extant_open(x, "/f", O_RDONLY, 0);
	assert_int_equal(extant_read(x, fd, &byte, 1), 1);
	ok(extant_fsync(x, fd));
	ok(extant_close(x, fd));
	ok(extant_shutdown(x, EXTANT_SHUTDOWN_NOLOGFLUSH));
	again("noatime");
	assert_int_equal(look("/f").atime.sec, 1700000006);
}

static void flags(void **state)
{
	struct extant_statx sx = { .size = sizeof(sx) };
	struct extant_fsxattr fsx;
	uint32_t f;
	int fd;

	(void)state;
	make("/f", 0666);
	ok(extant_mkdir(x, "/d", 0777));
	ok(extant_getflags(x, "/f", &f));
	fails(EPERM, extant_setflags(user, "/f", f | 0x40));
	ok(extant_setflags(x, "/f", f | 0x20));
	fails(EPERM, opens(x, "/f", O_WRONLY));
	ok(opens(x, "/f", O_WRONLY | O_APPEND));
	fails(EPERM, extant_unlink(x, "/f"));
	fails(EPERM, extant_chmod(x, "/f", 0));
	ok(extant_chown(x, "/f", UINT32_MAX, UINT32_MAX)); /* the stamp alone */
	fd = extant_open(x, "/f", O_WRONLY | O_APPEND, 0);
	ok(extant_setflags(x, "/f", f | 0x10));
	fails(EPERM, extant_write(x, fd, "", 0));
	fails(EPERM, extant_write(x, fd, "w", 1));
	ok(extant_close(x, fd));
	fails(EPERM, extant_chown(x, "/f", UINT32_MAX, UINT32_MAX));
	fails(EPERM, extant_setxattr(x, "/f", "user.a", "", 0, 0));
	fails(EPERM, extant_access(x, "/f", 2));
	fails(EPERM, extant_link(x, "/f", "/g"));
	fails(EPERM, extant_setflags(x, "/f", f | 0x50));
	ok(extant_fsgetxattr(x, "/f", &fsx));
	assert_int_equal(fsx.xflags, 0x8);
	ok(extant_statx(x, "/f", 0, &sx));
	assert_int_equal(sx.mask & 0x2000, 0x2000); /* STATX_DIOALIGN */
	assert_int_equal(sx.dio_offset_align, 512);
	assert_int_equal(sx.attributes, 0x10);
	ok(extant_setflags(x, "/f", f));
	fails(EOPNOTSUPP, extant_setflags(x, "/f", f | 0x20000)); /* a directory's */
	ok(extant_getflags(x, "/d", &f));
	ok(extant_setflags(x, "/d", f | 0x20));
	make("/d/n", 0644);
	fails(EPERM, extant_unlink(x, "/d/n"));
	fails(EPERM, extant_rmdir(x, "/d/n/"));
	fails(EPERM, extant_unlink(x, "/d"));
	fails(EISDIR, extant_unlink(x, "/d/")); /* before anybody asks for the flags */
	ok(extant_setflags(x, "/d", f | 0x10));
	fails(EPERM, opens(x, "/d/m", O_CREAT | O_WRONLY));
	ok(extant_setflags(x, "/d", f));
	fails(ENOTTY, extant_setversion(x, "/f", 5));
}

/* What has no blocks may get another kind of map, unless that does not reach to its end. */
static void kinds_of_maps(void **state)
{
	const uint32_t extents = 0x80000;
	char byte = 0;
	uint32_t f;
	int fd;

	(void)state;
	fd = extant_open(x, "/f", O_CREAT | O_RDWR, 0644);
	ok(extant_getflags(x, "/f", &f));
	assert_true(f & extents);
	ok(extant_ftruncate(x, fd, 5000000000000));
	fails(EFBIG, extant_setflags(x, "/f", f & ~extents));
	ok(extant_ftruncate(x, fd, 5000000000));
	ok(extant_setflags(x, "/f", f & ~extents));
	assert_int_equal(extant_pwrite(x, fd, "m", 1, 4999999999), 1);
	ok(extant_fsync(x, fd));
	fails(EOPNOTSUPP, extant_setflags(x, "/f", f));
	ok(extant_close(x, fd));
	again(NULL);
	ok(extant_getflags(x, "/f", &f));
	assert_false(f & extents);
	fd = extant_open(x, "/f", O_RDWR, 0644);
	assert_int_equal(extant_pread(x, fd, &byte, 1, 4999999999), 1);
	assert_int_equal(byte, 'm');
	ok(extant_ftruncate(x, fd, 0));
	ok(extant_setflags(x, "/f", f | extents));
	assert_int_equal(extant_pwrite(x, fd, "x", 1, 4999999999), 1);
	ok(extant_close(x, fd));
}

/* Data goes another way from now on, and comes back whole. */
static void journaled_data(void **state)
{
	char buf[5000], got[5000];
	uint32_t f;
	int fd;

	(void)state;
	memset(buf, 'j', sizeof(buf));
	make("/f", 0666);
	ok(extant_getflags(x, "/f", &f));
	for (int round = 0; round < 4; round++) {
		ok(extant_setflags(x, "/f", round % 2 ? f : f | 0x4000));
		fd = extant_open(x, "/f", O_RDWR, 0);
		assert_int_equal(extant_pwrite(x, fd, buf, sizeof(buf), round * 3000), sizeof(buf));
		if (round == 2)
			ok(extant_fsync(x, fd));
		ok(extant_close(x, fd));
	}
	ok(extant_sync(x));
	again(NULL);
	fd = extant_open(x, "/f", O_RDONLY, 0);
	assert_int_equal(extant_pread(x, fd, got, sizeof(got), 9000), sizeof(got));
	assert_memory_equal(got, buf, sizeof(got));
	ok(extant_close(x, fd));
}

static void names_of_attributes(void **state)
{
	uint8_t caps[20] = { 1, 0, 0, 2 };
	char list[200], value[10];
	int fd;

	(void)state;
	make("/f", 0666);
	ok(extant_mkdir(x, "/t", 01777));
	ok(extant_setxattr(user, "/f", "user.a", "1", 1, 0));
	ok(extant_setxattr(x, "/f", "trusted.b", "2", 1, EXTANT_XATTR_CREATE));
	fails(EPERM, extant_setxattr(user, "/f", "trusted.c", "2", 1, 0));
	fails(EPERM, extant_setxattr(user, "/f", "security.c", "2", 1, 0));
	fails(EPERM, extant_setxattr(user, "/t", "user.a", "1", 1, 0)); /* sticky, and not his */
	fails(ENODATA, extant_getxattr(user, "/f", "trusted.b", value, sizeof(value)));
	assert_int_equal(extant_listxattr(user, "/f", list, sizeof(list)), 7);
	assert_int_equal(extant_listxattr(x, "/f", NULL, 0), 7 + 10);
	fails(ERANGE, extant_listxattr(x, "/f", list, 10));
	fails(EOPNOTSUPP, extant_setxattr(x, "/f", "other.a", "1", 1, 0));
	fails(EFAULT, extant_setxattr(x, "/f", "other.a", NULL, 1, 0));
	fails(EFAULT, extant_setxattr(x, "/missing", "user.a", NULL, 1, 0));
	fails(E2BIG, extant_setxattr(x, "/f", "user.a", NULL, 70000, 0));
	ok(extant_setxattr(x, "/f", "user.a", NULL, 0, 0));
	fails(EINVAL, extant_setxattr(x, "/f", "user.", "1", 1, 0));
	fails(EINVAL, extant_setxattr(x, "/f", "user.a", "1", 1, 4));
	fails(ERANGE, extant_setxattr(x, "/f", "", "1", 1, 0));
	fails(E2BIG, extant_setxattr(x, "/f", "user.a", list, 65537, 0));
	fails(EINVAL, extant_setxattr(x, "/f", "security.capability", "x", 1, 0));
	ok(extant_setxattr(x, "/f", "security.capability", caps, sizeof(caps), 0));
	fd = extant_open(x, "/f", O_WRONLY, 0);
	assert_int_equal(extant_fgetxattr(x, fd, "security.capability", NULL, 0), 20);
	assert_int_equal(extant_write(x, fd, "z", 1), 1);
	fails(ENODATA, extant_fgetxattr(x, fd, "security.capability", NULL, 0));
	ok(extant_fremovexattr(x, fd, "user.a"));
	ok(extant_close(x, fd));
	ok(extant_symlink(x, "f", "/l"));
	fails(EPERM, extant_lsetxattr(x, "/l", "user.a", "1", 1, 0));
	assert_int_equal(extant_getxattr(x, "/l", "trusted.b", value, sizeof(value)), 1);
	fails(ENODATA, extant_lgetxattr(x, "/l", "trusted.b", value, sizeof(value)));
}

struct acl {
	uint32_t version;
	struct {
		uint16_t tag, perm;
		uint32_t id;
	} e[5];
};

static void lists_of_rights(void **state)
{
	struct acl a = { 2, { { 1, 6, ~0u }, { 2, 6, 1001 }, { 4, 0, ~0u }, { 16, 6, ~0u }, { 32, 0, ~0u } } };
	const char *access = "system.posix_acl_access", *def = "system.posix_acl_default";
	struct acl got;

	(void)state;
	make("/f", 0600);
	ok(extant_chown(x, "/f", 1000, 1000));
	fails(EACCES, opens(friend, "/f", O_RDWR));
	fails(EPERM, extant_setxattr(friend, "/f", access, &a, sizeof(a), 0));
	ok(extant_setxattr(user, "/f", access, &a, sizeof(a), 0));
	assert_int_equal(look("/f").mode & 07777, 0660);
	ok(opens(friend, "/f", O_RDWR));
	ok(extant_chmod(user, "/f", 0640)); /* the mask */
	fails(EACCES, opens(friend, "/f", O_RDWR));
	ok(opens(friend, "/f", O_RDONLY));
	assert_int_equal(extant_getxattr(x, "/f", access, &got, sizeof(got)), sizeof(got));
	assert_int_equal(got.e[3].perm, 4);
	ok(extant_removexattr(user, "/f", access));
	fails(ENODATA, extant_getxattr(x, "/f", access, &got, sizeof(got)));
	fails(EACCES, extant_setxattr(user, "/f", def, &a, sizeof(a), 0));
	ok(extant_mkdir(x, "/d", 0777));
	ok(extant_setxattr(x, "/d", def, &a, sizeof(a), 0));
	ok(opens(user, "/d/n", O_CREAT | O_WRONLY));
	assert_int_equal(look("/d/n").mode & 07777, 0640); /* not by the umask */
	again(NULL);
	ok(opens(friend, "/d/n", O_RDONLY));
	fails(EACCES, opens(friend, "/d/n", O_WRONLY));
}

static void reserved_blocks(void **state)
{
	static char buf[1 << 16];
	struct extant_statfs s;
	int64_t n = 0;
	int fd;

	(void)state;
	ok(extant_mkdir(x, "/d", 0777));
	fd = extant_open(user, "/d/f", O_CREAT | O_WRONLY, 0644);
	while ((n = extant_write(user, fd, buf, sizeof(buf))) > 0)
		;
	assert_int_equal(n, -ENOSPC);
	ok(extant_statfs(x, "/", &s));
	assert_true(s.free > 50 && s.available < 20);
	ok(extant_close(user, fd));
	fd = extant_open(x, "/d/g", O_CREAT | O_WRONLY, 0644);
	assert_int_equal(extant_write(x, fd, buf, sizeof(buf)), sizeof(buf));
	ok(extant_fsync(x, fd));
	ok(extant_close(x, fd));
}

static void label_and_uuid(void **state)
{
	uint8_t uuid[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 }, got[16];
	struct extant_statfs s;
	char label[17];

	(void)state;
	fails(EPERM, extant_setlabel(user, "no"));
	fails(EINVAL, extant_setlabel(x, "seventeen letters"));
	ok(extant_setlabel(x, "sixteen  letters"));
	ok(extant_getlabel(x, label));
	assert_string_equal(label, "sixteen  letters");
	ok(extant_setuuid(x, uuid));
	ok(extant_setlabel(x, "short"));
	again(NULL);
	ok(extant_getuuid(x, got));
	ok(extant_statfs(x, "/", &s));
	assert_int_equal(s.fsid, 0x0807060504030201 ^ 0x100f0e0d0c0b0a09);
	assert_int_equal(s.name_max, 255);
	assert_memory_equal(got, uuid, 16);
	close_image();
	image_command("dumpe2fs -h", "2>&1 | grep -q 'volume name: *short$'");
	image_command("dumpe2fs -h -o superblock=1024 -o blocksize=4096", "2>&1 | grep -q 'volume name: *short$'");
	image_command("dumpe2fs -h -o superblock=1024 -o blocksize=4096", "2>&1 | grep -q 01020304-0506-0708-090a");
	open_image(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(owner_and_mode, begin, end),
		cmocka_unit_test_setup_teardown(set_id_bits_fall, begin, end),
		cmocka_unit_test_setup_teardown(groups_are_inherited, begin, end),
		cmocka_unit_test_setup_teardown(times, begin, end),
		cmocka_unit_test_setup_teardown(lazy_times, begin, end),
		cmocka_unit_test_setup_teardown(flags, begin, end),
		cmocka_unit_test_setup_teardown(kinds_of_maps, begin, end),
		cmocka_unit_test_setup_teardown(journaled_data, begin, end),
		cmocka_unit_test_setup_teardown(names_of_attributes, begin, end),
		cmocka_unit_test_setup_teardown(lists_of_rights, begin, end),
		cmocka_unit_test_setup_teardown(reserved_blocks, begin, end),
		cmocka_unit_test_setup_teardown(label_and_uuid, begin, end),
	};
	char cmd[100];
	int failed;

	if (system("export PATH=$PATH:/sbin:/usr/sbin; command -v mke2fs > /dev/null"))
		return 77;
	if (!mkdtemp(dir))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	return system(cmd) || failed;
}
