/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The public interface on images that mke2fs makes: two mounts at once, in each mode; an image that
 * is in use is refused; read-only changes no byte; descriptors and their errors. Skips where mke2fs
 * is missing.
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
#include <unistd.h>
#include "extant/extant.h"

static char dir[] = "/tmp/extant-lib-XXXXXX";

static void path_of(char *out, size_t size, const char *name)
{
	(void)snprintf(out, size, "%s/%s", dir, name);
}

static void make_image(const char *name)
{
	char cmd[512];

	(void)snprintf(cmd, sizeof(cmd), "truncate -s 16M %s/%s && mke2fs -q -F -t ext4 %s/%s", dir,
		       name, dir, name);
	assert_int_equal(system(cmd), 0);
}

static struct extant *mount_image(const char *name, enum extant_mode mode, const char *options)
{
	struct extant_options o;
	struct extant *x = NULL;
	char image[256];

	extant_options_init(&o);
	o.mode = mode;
	o.seed = 7;
	o.mount_options = options;
	path_of(image, sizeof(image), name);
	assert_int_equal(extant_mount(image, &o, &x), 0);
	return x;
}

static void put(struct extant *x, const char *path, const char *text)
{
	int fd = extant_open(x, path, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(extant_write(x, fd, text, strlen(text)), (int64_t)strlen(text));
	assert_int_equal(extant_fsync(x, fd), 0);
	assert_int_equal(extant_close(x, fd), 0);
}

static void expect(struct extant *x, const char *path, const char *text)
{
	char buf[64] = "";
	int fd = extant_open(x, path, O_RDONLY, 0);

	assert_true(fd >= 0);
	assert_int_equal(extant_read(x, fd, buf, sizeof(buf)), (int64_t)strlen(text));
	assert_string_equal(buf, text);
	assert_int_equal(extant_close(x, fd), 0);
}

/* Both in use at once, each call on the other one; what is written stays with its image. */
static void two_mounts(void **state)
{
	(void)state;
	for (int mode = EXTANT_THREADED; mode <= EXTANT_SEEDED; mode++) {
		struct extant *a, *b;

		make_image("a");
		make_image("b");
		a = mount_image("a", (enum extant_mode)mode, NULL);
		b = mount_image("b", EXTANT_INLINE, "cache_mb=8");
		put(a, "/one", "in a");
		put(b, "/one", "in b");
		assert_int_equal(extant_mkdir(a, "/d", 0755), 0);
		assert_int_equal(extant_access(b, "/d", 0), -ENOENT);
		expect(a, "/one", "in a");
		expect(b, "/one", "in b");
		assert_int_equal(extant_unmount(b), 0);
		put(a, "/d/two", "after b");
		assert_int_equal(extant_unmount(a), 0);
		a = mount_image("a", EXTANT_INLINE, "ro");
		expect(a, "/d/two", "after b");
		assert_int_equal(extant_unmount(a), 0);
	}
}

static void in_use_is_refused(void **state)
{
	struct extant *a, *again = NULL;
	char image[256];

	(void)state;
	make_image("a");
	path_of(image, sizeof(image), "a");
	a = mount_image("a", EXTANT_INLINE, NULL);
	assert_int_equal(extant_mount(image, NULL, &again), -EBUSY);
	assert_int_equal(extant_unmount(a), 0);
	assert_int_equal(extant_mount(image, NULL, &again), 0);
	assert_int_equal(extant_unmount(again), 0);
}

static void open_files_keep_the_mount(void **state)
{
	struct extant *a;
	int fd;

	(void)state;
	make_image("a");
	a = mount_image("a", EXTANT_INLINE, NULL);
	fd = extant_open(a, "/f", O_CREAT | O_RDWR, 0600);
	assert_true(fd >= 0);
	assert_int_equal(extant_unmount(a), -EBUSY);
	assert_int_equal(extant_write(a, fd, "x", 1), 1);
	assert_int_equal(extant_close(a, fd), 0);
	assert_int_equal(extant_close(a, fd), -EBADF);
	assert_int_equal(extant_read(a, fd, &fd, 1), -EBADF);
	assert_int_equal(extant_unmount(a), 0);
}

static unsigned long sum(const char *name)
{
	char cmd[512], out[64] = "";
	FILE *p;

	(void)snprintf(cmd, sizeof(cmd), "cksum < %s/%s", dir, name);
	p = popen(cmd, "r");
	assert_non_null(p);
	assert_non_null(fgets(out, sizeof(out), p));
	pclose(p);
	return strtoul(out, NULL, 10);
}

static void read_only_changes_nothing(void **state)
{
	struct extant *a;
	unsigned long before;

	(void)state;
	make_image("a");
	a = mount_image("a", EXTANT_INLINE, NULL);
	put(a, "/f", "kept");
	assert_int_equal(extant_shutdown(a, EXTANT_SHUTDOWN_NOLOGFLUSH), 0);
	assert_int_equal(extant_unmount(a), 0);
	before = sum("a"); /* its journal is to be replayed */
	a = mount_image("a", EXTANT_INLINE, "ro");
	expect(a, "/f", "kept");
	assert_int_equal(extant_mkdir(a, "/d", 0755), -EROFS);
	assert_int_equal(extant_open(a, "/g", O_CREAT | O_WRONLY, 0644), -EROFS);
	assert_int_equal(extant_unmount(a), 0);
	assert_int_equal(sum("a"), before);
}

static void no_ext4_is_refused(void **state)
{
	struct extant *a = NULL;
	char cmd[512], image[256];
	unsigned long before;

	(void)state;
	(void)snprintf(cmd, sizeof(cmd), "head -c 1048576 /dev/zero > %s/z", dir);
	assert_int_equal(system(cmd), 0);
	before = sum("z");
	path_of(image, sizeof(image), "z");
	assert_int_equal(extant_mount(image, NULL, &a), -EINVAL);
	assert_null(a);
	assert_int_equal(sum("z"), before);
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char cmd[256];

	(void)state;
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_mounts),
		cmocka_unit_test(in_use_is_refused),
		cmocka_unit_test(open_files_keep_the_mount),
		cmocka_unit_test(read_only_changes_nothing),
		cmocka_unit_test(no_ext4_is_refused),
	};

	if (system("mke2fs -V 2> /dev/null") != 0) {
		printf("skipped: mke2fs is missing\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
