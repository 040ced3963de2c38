/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes that end in the middle of something: a block that was there, a disk that is full. */
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

static char image[] = "/tmp/extant-write-XXXXXX";

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

/* On blocks of 1 KiB. */
static struct extant *fresh(const char *options)
{
	char cmd[256];

	(void)snprintf(cmd, sizeof(cmd), "mke2fs -q -F -t ext4 -b 1024 -N 64 %s 8M >/dev/null", image);
	assert_int_equal(system(cmd), 0);
	return mount_it(options);
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

/* The block that the append ends in is there, others of its page are holes. */
static void size_follows_an_append_to_an_old_block(void **state)
{
	struct extant *x = fresh(NULL);
	struct extant_stat st;
	int fd = open_file(x, "/a");

	(void)state;
	assert_int_equal(put(x, fd, 3000, 100, 'a'), 100);
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unmount(x), 0);
	x = mount_it(NULL);
	fd = open_file(x, "/a");
	assert_int_equal(put(x, fd, 3100, 7, 'b'), 7);
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unmount(x), 0);
	x = mount_it(NULL);
	assert_int_equal(extant_stat(x, "/a", &st), 0);
	assert_int_equal(st.size, 3107);
	assert_int_equal(extant_unmount(x), 0);
}

static void fill_disk(struct extant *x)
{
	int fd = open_file(x, "/filler");
	int64_t at = 0;

	while (put(x, fd, at, 1024, 's') == 1024)
		at += 1024;
	assert_int_equal(extant_close(x, fd), 0);
}

/*
 * Of two blocks the first is made, the second finds no room: the first holds zeroes, not what lay
 * there before.
 */
static void a_write_cut_short_shows_nothing_old(void **state)
{
	struct extant *x = fresh("nodelalloc");
	struct extant_stat st;
	char buf[1024];
	int fd = open_file(x, "/a");

	(void)state;
	assert_int_equal(extant_ftruncate(x, fd, 8192), 0);
	fill_disk(x);
	assert_int_equal(extant_stat(x, "/filler", &st), 0);
	assert_int_equal(extant_truncate(x, "/filler", (int64_t)st.size - 1024), 0);
	assert_int_equal(extant_sync(x), 0);
	assert_int_equal(put(x, fd, 1020, 8, 'n'), -ENOSPC);
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unmount(x), 0);
	x = mount_it(NULL);
	fd = open_file(x, "/a");
	for (int64_t at = 0; at < 8192; at += 1024) {
		assert_int_equal(extant_pread(x, fd, buf, sizeof(buf), at), 1024);
		assert_null(memchr(buf, 's', sizeof(buf)));
	}
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unmount(x), 0);
}

/* ZERO_RANGE made an unwritten block, and zeroed a part of it; then another part is written. */
static void a_zeroed_border_shows_nothing_old(void **state)
{
	struct extant *x = fresh(NULL);
	char buf[1024];
	int fd;

	(void)state;
	fill_disk(x);
	assert_int_equal(extant_sync(x), 0);
	assert_int_equal(extant_unlink(x, "/filler"), 0);
	assert_int_equal(extant_sync(x), 0);
	fd = open_file(x, "/a");
	assert_int_equal(put(x, fd, 0, 3722, 'a'), 3722);
	assert_int_equal(extant_fallocate(x, fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
					  2712, 3515), 0);
	assert_int_equal(put(x, fd, 6300, 7, 'n'), 7);
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unmount(x), 0);
	x = mount_it(NULL);
	fd = open_file(x, "/a");
	for (int64_t at = 0; at < 6144; at += 1024) {
		assert_int_equal(extant_pread(x, fd, buf, sizeof(buf), at), 1024);
		assert_null(memchr(buf, 's', sizeof(buf)));
	}
	assert_int_equal(extant_pread(x, fd, buf, sizeof(buf), 6144), 163);
	assert_null(memchr(buf, 's', 163));
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unmount(x), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(size_follows_an_append_to_an_old_block),
		cmocka_unit_test(a_write_cut_short_shows_nothing_old),
		cmocka_unit_test(a_zeroed_border_shows_nothing_old),
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
