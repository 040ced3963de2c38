/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A power failure, and no file shows what others had left on the disk: data that is ordered before
 * a commit reaches the device, whatever else its page holds.
 *
 * The disk is filled with 's' first. The failure is a copy of the image, mounted instead.
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

static char image[] = "/tmp/extant-stale-XXXXXX";

static struct extant *mount_it(const char *options)
{
	struct extant_options o;
	struct extant *x = NULL;

	extant_options_init(&o);
	o.mode = EXTANT_INLINE;
	o.seed = 7;
	o.mount_options = options;
	assert_int_equal(extant_mount(image, &o, &x), 0);
	return x;
}

static int open_file(struct extant *x, const char *path)
{
	int fd = extant_open(x, path, O_CREAT | O_RDWR, 0644);

	assert_true(fd >= 0);
	return fd;
}

static int64_t put(struct extant *x, int fd, int64_t at, size_t len, char fill)
{
	static char buf[8192];

	memset(buf, fill, len);
	return extant_pwrite(x, fd, buf, len, at);
}

/* Blocks of 1 KiB, four a page; all free ones hold 's'. */
static struct extant *fresh(const char *options)
{
	char cmd[256];
	struct extant *x;
	int64_t at = 0;
	int fd;

	(void)snprintf(cmd, sizeof(cmd), "mke2fs -q -F -t ext4 -b 1024 -N 64 %s 8M >/dev/null", image);
	assert_int_equal(system(cmd), 0);
	x = mount_it(options);
	fd = open_file(x, "/filler");
	while (put(x, fd, at, 1024, 's') == 1024)
		at += 1024;
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_sync(x), 0);
	assert_int_equal(extant_unlink(x, "/filler"), 0);
	assert_int_equal(extant_sync(x), 0);
	return x;
}

/* All that came before is committed, and no data written that the commit does not ask for. */
static void commit(struct extant *x)
{
	int fd = open_file(x, "/committed");

	assert_int_equal(extant_fsync(x, fd), 0);
	assert_int_equal(extant_close(x, fd), 0);
}

/* The power fails: `x` is no more. */
static struct extant *crash(struct extant *x)
{
	char cmd[256];

	(void)snprintf(cmd, sizeof(cmd), "cp %s %s.left", image, image);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(extant_unmount(x), 0);
	(void)snprintf(cmd, sizeof(cmd), "mv %s.left %s", image, image);
	assert_int_equal(system(cmd), 0);
	return mount_it(NULL);
}

/* No byte of the file from `from` on is `stale`; it is `size` bytes long. */
static void assert_none(struct extant *x, const char *path, int64_t size, int64_t from, char stale)
{
	static char buf[16384];
	int fd = open_file(x, path);

	assert_int_equal(extant_pread(x, fd, buf, sizeof(buf), 0), size);
	assert_null(memchr(buf + from, stale, (size_t)(size - from)));
	assert_int_equal(extant_close(x, fd), 0);
}

/* A block is written into preallocated space, delayed, and then written once more, not delayed. */
static void written_again_without_delay(void **state)
{
	struct extant *x = fresh("dialect=4.9");
	int fd = open_file(x, "/a");

	(void)state;
	assert_int_equal(extant_fallocate(x, fd, 0, 0, 64 << 10), 0);
	assert_int_equal(put(x, fd, 4096, 1024, 'a'), 1024);
	assert_int_equal(extant_remount(x, "dialect=4.9,nodelalloc"), 0);
	assert_int_equal(put(x, fd, 4096, 1024, 'b'), 1024);
	commit(x);
	assert_int_equal(extant_close(x, fd), 0);
	x = crash(x);
	fd = open_file(x, "/a");
	assert_int_equal(extant_ftruncate(x, fd, 8192), 0);
	assert_int_equal(extant_close(x, fd), 0);
	assert_none(x, "/a", 8192, 0, 's');
	assert_int_equal(extant_unmount(x), 0);
}

/*
 * The block that a file is cut in becomes zeroes behind the end; its page has another block, that
 * waits for its place.
 */
static void cut_beside_a_delayed_block(void **state)
{
	struct extant *x = fresh(NULL);
	int fd = open_file(x, "/a");

	(void)state;
	assert_int_equal(put(x, fd, 1024, 1024, 'a'), 1024);
	assert_int_equal(extant_fsync(x, fd), 0);
	assert_int_equal(put(x, fd, 0, 10, 'b'), 10);
	assert_int_equal(extant_ftruncate(x, fd, 1536), 0);
	assert_int_equal(extant_ftruncate(x, fd, 4096), 0);
	commit(x);
	assert_int_equal(extant_close(x, fd), 0);
	x = crash(x);
	assert_none(x, "/a", 4096, 1536, 'a');
	assert_none(x, "/a", 4096, 0, 's');
	assert_int_equal(extant_unmount(x), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_again_without_delay),
		cmocka_unit_test(cut_beside_a_delayed_block),
	};
	int fd = mkstemp(image), failed;

	if (fd < 0 || system("PATH=$PATH:/sbin:/usr/sbin command -v mke2fs >/dev/null")) {
		printf("skipped: no mke2fs\n");
		return 77;
	}
	close(fd);
	(void)setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(image);
	return failed;
}
