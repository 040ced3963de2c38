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
#include <stdbool.h>
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

static int add_delayed(void *arg, const struct extant_extent *e)
{
	*(uint64_t *)arg += e->flags & 4 ? e->length : 0;	/* FIEMAP_EXTENT_DELALLOC */
	return 0;
}

static uint64_t delayed_after(struct extant *x, int fd, size_t bytes)
{
	static const char zeroes[1 << 20];
	uint64_t delayed = 0;

	for (; bytes; bytes -= sizeof(zeroes))
		assert_int_equal(extant_write(x, fd, zeroes, sizeof(zeroes)), sizeof(zeroes));
	assert_int_equal(extant_sleep(x, 1000000), 0);
	assert_int_equal(extant_fiemap(x, fd, add_delayed, &delayed), 0);
	return delayed;
}

/* Of 16 MiB a quarter may be dirty before somebody begins to write it, though nobody asked. */
static void much_is_written_unasked(void **state)
{
	struct extant *x;
	int fd;

	(void)state;
	make_image("a");
	x = mount_image("a", EXTANT_INLINE, "cache_mb=16");
	fd = extant_open(x, "/f", O_CREAT | O_WRONLY, 0644);
	assert_true(fd >= 0);
	assert_int_equal(delayed_after(x, fd, 1 << 20), 1 << 20);
	assert_int_equal(delayed_after(x, fd, 4 << 20), 0);
	assert_int_equal(delayed_after(x, fd, 1 << 20), 1 << 20);
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unmount(x), 0);
}

/* ---- a file larger than memory */

enum { LARGE = 10 << 20, PIECE = 1 << 20, HOLE = 4 << 20, CHANGED = (7 << 20) + 8192 };

static uint8_t byte_at(size_t at, bool changed)
{
	if (at >= HOLE && at < HOLE + PIECE)
		return 0;
	return (uint8_t)((at >> 12) + at % 251 + (changed && at >= CHANGED && at < CHANGED + 4096));
}

static void fill_large(struct extant *x, int fd)
{
	static uint8_t buf[PIECE];

	for (size_t at = 0; at < LARGE; at += PIECE) {
		for (size_t i = 0; i < PIECE; i++)
			buf[i] = byte_at(at + i, false);
		if (at != HOLE)
			assert_int_equal(extant_pwrite(x, fd, buf, PIECE, (int64_t)at), PIECE);
	}
	assert_int_equal(extant_pwrite(x, fd, "end", 3, LARGE), 3);
}

/* From `from` on, in pieces of `len`; how many bytes came, all of them right. */
static size_t read_large(struct extant *x, int fd, size_t from, size_t len, bool changed)
{
	static uint8_t buf[PIECE];
	size_t at = from;
	int64_t n;

	while ((n = extant_pread(x, fd, buf, len, (int64_t)at)) > 0) {
		for (size_t i = 0; i < (size_t)n && at + i < LARGE; i++)
			assert_int_equal(buf[i], byte_at(at + i, changed));
		at += (size_t)n;
	}
	assert_int_equal(n, 0);
	return at - from;
}

/* Of a file larger than memory most is read past the cache: the same bytes, what is dirty too. */
static void a_file_larger_than_memory_is_read_whole(void **state)
{
	uint8_t page[4096];
	struct extant *x;
	int fd;

	(void)state;
	make_image("a");
	x = mount_image("a", EXTANT_THREADED, "cache_mb=8");
	fd = extant_open(x, "/f", O_CREAT | O_RDWR, 0644);
	fill_large(x, fd);
	assert_int_equal(read_large(x, fd, 0, PIECE, false), LARGE + 3);
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unmount(x), 0);
	x = mount_image("a", EXTANT_THREADED, "cache_mb=8");
	fd = extant_open(x, "/f", O_RDWR, 0);
	assert_int_equal(read_large(x, fd, 0, PIECE, false), LARGE + 3);
	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = byte_at(CHANGED + i, true);
	assert_int_equal(extant_pwrite(x, fd, page, sizeof(page), CHANGED), sizeof(page));
	assert_int_equal(read_large(x, fd, 0, PIECE, true), LARGE + 3);
	assert_int_equal(read_large(x, fd, 4096, PIECE / 2, true), LARGE + 3 - 4096);
	assert_int_equal(read_large(x, fd, 100, PIECE, true), LARGE + 3 - 100);
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unmount(x), 0);
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
		cmocka_unit_test(much_is_written_unasked),
		cmocka_unit_test(a_file_larger_than_memory_is_read_whole),
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
