/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file system as a whole, on images that mke2fs makes: frozen while threads write (nothing
 * changes in the image, a copy of it is clean, all go on behind the thaw), trimmed, listed,
 * checkpointed; new options; damage remembered and answered as errors= says. Skips where mke2fs is
 * missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/lib.h"

#define PATH_TOOLS "export PATH=$PATH:/sbin:/usr/sbin; "

static char dir[] = "/tmp/extant-whole-XXXXXX";
static char said[4096];			/* messages since the mount, one a line */

__attribute__((format(printf, 1, 2))) static int shell(const char *fmt, ...)
{
	char cmd[1024] = PATH_TOOLS;
	size_t n = strlen(cmd);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(cmd + n, sizeof(cmd) - n, fmt, ap);
	va_end(ap);
	return system(cmd);
}

static void make_image(const char *options)
{
	assert_int_equal(shell("cd %s && rm -f a && truncate -s 16M a && mke2fs -q -F -t ext4 %s a",
			       dir, options), 0);
}

static void heard(void *arg, enum extant_level level, const char *text)
{
	size_t n = strlen(said);

	(void)arg;
	(void)level;
	(void)snprintf(said + n, sizeof(said) - n, "%s\n", text);
}

static struct extant *mounted(enum extant_mode mode, const char *options)
{
	struct extant_options o;
	struct extant *x = NULL;
	char image[256];

	extant_options_init(&o);
	o.mode = mode;
	o.seed = 7;
	o.mount_options = options;
	o.message = heard;
	said[0] = '\0';
	(void)snprintf(image, sizeof(image), "%s/a", dir);
	assert_int_equal(extant_mount(image, &o, &x), 0);
	return x;
}

static void put(struct extant *x, const char *path, size_t len)
{
	char *data = malloc(len);
	int fd = extant_open(x, path, O_CREAT | O_WRONLY, 0644);

	assert_true(fd >= 0);
	memset(data, 'x', len);
	assert_int_equal(extant_write(x, fd, data, len), (int64_t)len);
	assert_int_equal(extant_close(x, fd), 0);
	free(data);
}

static void must_be_clean(const char *image)
{
	assert_int_equal(shell("cd %s && e2fsck -fn %s >log 2>&1 || { cat log; false; }", dir, image), 0);
}

/* ---- freeze */

struct writers {
	struct extant *x;
	_Atomic bool stop;
	_Atomic uint32_t done, wrong, number;
};

static void *write_often(void *arg)
{
	struct writers *w = arg;
	uint32_t me = atomic_fetch_add(&w->number, 1);

	for (uint32_t i = 0; !atomic_load(&w->stop); i++) {
		char path[32];
		int fd;

		(void)snprintf(path, sizeof(path), "/f%u-%u", me, i % 20);
		fd = extant_open(w->x, path, O_CREAT | O_RDWR, 0644);
		w->wrong += fd < 0 || extant_write(w->x, fd, path, sizeof(path)) != sizeof(path);
		w->wrong += i % 3 == 0 && extant_fsync(w->x, fd);
		w->wrong += extant_close(w->x, fd) != 0;
		if (i % 2)
			w->wrong += extant_unlink(w->x, path) != 0;
		w->done++;
	}
	return NULL;
}

static void freeze_once(struct writers *w)
{
	struct extant_stat st;
	uint32_t before;

	assert_int_equal(extant_freeze(w->x), 0);
	assert_int_equal(extant_freeze(w->x), -EBUSY);
	assert_int_equal(shell("cd %s && cp --sparse=always a one", dir), 0);
	usleep(20000);
	assert_int_equal(shell("cd %s && cmp a one", dir), 0);
	before = w->done;
	assert_int_equal(extant_stat(w->x, "/lost+found", &st), 0);
	assert_int_equal(extant_sync(w->x), 0);
	assert_int_equal(extant_remount(w->x, "noatime"), -EBUSY);
	usleep(20000);
	assert_int_equal(w->done, before);
	must_be_clean("one");
	assert_int_equal(shell("cd %s && ! dumpe2fs -h one 2>/dev/null | grep -q needs_recovery", dir), 0);
	assert_int_equal(extant_thaw(w->x), 0);
	assert_int_equal(extant_thaw(w->x), -EINVAL);
	while (w->done < before + 10)
		usleep(1000);
}

static void freeze_against_writers(const char *features)
{
	struct writers w = { NULL };
	pthread_t threads[4];

	make_image(features);
	w.x = mounted(EXTANT_THREADED, "noinit_itable");
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_often, &w), 0);
	for (int i = 0; i < 3; i++)
		freeze_once(&w);
	w.stop = true;
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(w.wrong, 0);
	assert_int_equal(extant_unmount(w.x), 0);
	must_be_clean("a");
}

static void writers_wait(void **state)
{
	(void)state;
	freeze_against_writers("");
	freeze_against_writers("-O orphan_file");
	freeze_against_writers("-O ^has_journal");
}

/* Nobody could thaw it: told, not left to wait. An unlinked file that is open ends later. */
static void frozen_alone(void **state)
{
	struct extant *x;
	char byte;
	int fd;

	(void)state;
	make_image("");
	x = mounted(EXTANT_INLINE, "noinit_itable");
	fd = extant_open(x, "/f", O_CREAT | O_RDWR, 0644);
	assert_int_equal(extant_write(x, fd, "x", 1), 1);
	assert_int_equal(extant_unlink(x, "/f"), 0);
	assert_int_equal(extant_freeze(x), 0);
	assert_int_equal(extant_mkdir(x, "/d", 0755), -EDEADLK);
	assert_int_equal(extant_write(x, fd, "y", 1), -EDEADLK);
	assert_int_equal(extant_pread(x, fd, &byte, 1, 0), 1);
	assert_int_equal(extant_close(x, fd), -EDEADLK);
	assert_int_equal(extant_unmount(x), -EBUSY);
	assert_int_equal(extant_thaw(x), 0);
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_mkdir(x, "/d", 0755), 0);
	assert_int_equal(extant_unmount(x), 0);
	must_be_clean("a");
}

static void read_only_freezes_too(void **state)
{
	struct extant *x;

	(void)state;
	x = mounted(EXTANT_INLINE, "ro");
	assert_int_equal(extant_freeze(x), 0);
	assert_int_equal(extant_thaw(x), 0);
	assert_int_equal(extant_unmount(x), 0);
}

/* ---- space */

static int sum_free(void *arg, const struct extant_mapping *m)
{
	uint64_t *sums = arg;		/* where the next begins; free bytes; the last's flags */

	assert_int_equal(m->physical, sums[0]);
	assert_true(m->length > 0);
	sums[0] += m->length;
	if (m->owner == 1)
		sums[1] += m->length;
	sums[2] = m->flags;
	return 0;
}

static void map_without_gaps(struct extant *x, uint64_t *free_bytes)
{
	uint64_t sums[3] = { 0 };

	assert_int_equal(extant_fsmap(x, 0, UINT64_MAX, sum_free, sums), 0);
	assert_int_equal(sums[0], 16u << 20);
	assert_int_equal(sums[2], 0x30);
	*free_bytes = sums[1];
}

static void space(void **state)
{
	static const char *const kinds[] = { "", "-b 1024 -g 1024 -G 4", "-b 1024 -O ^resize_inode,meta_bg",
					     "-b 1024 -g 1024 -O ^flex_bg,^has_journal" };

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint64_t free_before, free_after, trimmed;
		struct extant_statfs f;
		struct extant *x;

		make_image(kinds[i]);
		x = mounted(EXTANT_INLINE, "noinit_itable");
		put(x, "/f", 300000);
		assert_int_equal(extant_sync(x), 0);
		map_without_gaps(x, &free_before);
		assert_int_equal(extant_statfs(x, "/", &f), 0);
		assert_int_equal(free_before, f.free * f.block_size);
		assert_int_equal(extant_fstrim(x, 0, UINT64_MAX, 0, &trimmed), 0);
		assert_int_equal(trimmed, free_before);
		assert_int_equal(extant_fstrim(x, 0, UINT64_MAX, 0, &trimmed), 0);
		assert_int_equal(trimmed, 0);
		assert_int_equal(extant_unlink(x, "/f"), 0);
		assert_int_equal(extant_sync(x), 0);
		assert_int_equal(extant_fstrim(x, 0, UINT64_MAX, 0, &trimmed), 0);
		assert_true(trimmed >= 300000);
		map_without_gaps(x, &free_after);
		assert_true(free_after >= free_before + 300000);
		assert_int_equal(extant_unmount(x), 0);
		must_be_clean("a");
	}
}

static void bad_ranges(void **state)
{
	uint64_t trimmed;
	struct extant *x;

	(void)state;
	make_image("-b 4096");
	x = mounted(EXTANT_INLINE, "noinit_itable");
	assert_int_equal(extant_fstrim(x, 0, 4095, 0, &trimmed), -EINVAL);
	assert_int_equal(extant_fstrim(x, 16 << 20, UINT64_MAX, 0, &trimmed), -EINVAL);
	assert_int_equal(extant_fstrim(x, 0, UINT64_MAX, 1ull << 40, &trimmed), -EINVAL);
	assert_int_equal(extant_fstrim(x, 0, UINT64_MAX, 64 << 20, &trimmed), 0);
	assert_int_equal(trimmed, 0);
	assert_int_equal(extant_checkpoint(x, 8), -EINVAL);
	assert_int_equal(extant_checkpoint(x, 3), -EINVAL);
	assert_int_equal(extant_checkpoint(x, 4), 0);
	assert_int_equal(extant_unmount(x), 0);
}

/* What the log held is gone from the image, and it is still a journal. */
static void checkpoint_erases(void **state)
{
	(void)state;
	for (uint32_t flags = 0; flags < 3; flags++) {
		struct extant *x;
		int found;

		make_image("");
		x = mounted(EXTANT_INLINE, "noinit_itable,data=journal");
		put(x, "/a-name-that-is-not-elsewhere", 10);
		assert_int_equal(extant_sync(x), 0);
		assert_int_equal(extant_unlink(x, "/a-name-that-is-not-elsewhere"), 0);
		put(x, "/b", 100);
		assert_int_equal(extant_checkpoint(x, flags), 0);
		found = shell("cd %s && debugfs -R 'cat <8>' a 2>/dev/null | grep -q a-name-that-is", dir);
		assert_int_equal(found != 0, flags != 0);
		put(x, "/c", 100);
		assert_int_equal(extant_shutdown(x, EXTANT_SHUTDOWN_LOGFLUSH), 0);
		assert_int_equal(extant_unmount(x), 0);
		x = mounted(EXTANT_INLINE, "noinit_itable");
		assert_int_equal(extant_access(x, "/c", 0), 0);
		assert_int_equal(extant_unmount(x), 0);
		must_be_clean("a");
	}
}

/* What a transaction frees is a hole in the image once it has committed, not before. */
static void discard_behind_the_commit(void **state)
{
	struct extant *x;
	int fd;

	(void)state;
	make_image("-E nodiscard");
	x = mounted(EXTANT_INLINE, "noinit_itable,discard");
	put(x, "/f", 4 << 20);
	fd = extant_open(x, "/f", O_RDWR, 0);
	assert_int_equal(extant_fsync(x, fd), 0);
	assert_int_equal(shell("cd %s && grep -q xxxxxxxxxxxxxxxx a", dir), 0);
	assert_int_equal(extant_ftruncate(x, fd, 0), 0);
	assert_int_equal(shell("cd %s && grep -q xxxxxxxxxxxxxxxx a", dir), 0);
	assert_int_equal(extant_fsync(x, fd), 0);
	assert_int_not_equal(shell("cd %s && grep -q xxxxxxxxxxxxxxxx a", dir), 0);
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unmount(x), 0);
	must_be_clean("a");
}

static void only_root(void **state)
{
	struct extant_options o;
	struct extant *x = NULL;
	char image[256];
	uint64_t n;

	(void)state;
	make_image("");
	extant_options_init(&o);
	o.mode = EXTANT_INLINE;
	o.uid = o.gid = 1000;
	(void)snprintf(image, sizeof(image), "%s/a", dir);
	assert_int_equal(extant_mount(image, &o, &x), 0);
	assert_int_equal(extant_freeze(x), -EPERM);
	assert_int_equal(extant_thaw(x), -EPERM);
	assert_int_equal(extant_fstrim(x, 0, UINT64_MAX, 0, &n), -EPERM);
	assert_int_equal(extant_fsmap(x, 0, UINT64_MAX, sum_free, &n), -EPERM);
	assert_int_equal(extant_checkpoint(x, 0), -EPERM);
	assert_int_equal(extant_shutdown(x, EXTANT_SHUTDOWN_DEFAULT), -EPERM);
	assert_int_equal(extant_unmount(x), 0);
}

/* ---- shutdown */

static void three_shutdowns(void **state)
{
	(void)state;
	for (int how = EXTANT_SHUTDOWN_DEFAULT; how <= EXTANT_SHUTDOWN_NOLOGFLUSH; how++) {
		bool there = how != EXTANT_SHUTDOWN_NOLOGFLUSH;
		struct extant *x;

		make_image("");
		x = mounted(EXTANT_INLINE, "noinit_itable");
		assert_int_equal(extant_mkdir(x, "/d", 0755), 0);
		put(x, "/f", 10);
		assert_int_equal(extant_shutdown(x, (enum extant_shutdown)how), 0);
		assert_int_equal(extant_mkdir(x, "/e", 0755), -EIO);
		assert_int_equal(extant_shutdown(x, (enum extant_shutdown)how), 0);
		assert_int_equal(extant_unmount(x), 0);
		if (how == EXTANT_SHUTDOWN_DEFAULT)
			must_be_clean("a");
		x = mounted(EXTANT_INLINE, "noinit_itable");
		assert_int_equal(extant_access(x, "/d", 0), there ? 0 : -ENOENT);
		assert_int_equal(extant_unmount(x), 0);
		must_be_clean("a");
	}
}

/* ---- damage */

static void damage(void)
{
	struct extant *x = mounted(EXTANT_INLINE, "noinit_itable");

	assert_int_equal(extant_mkdir(x, "/d", 0755), 0);
	assert_int_equal(extant_mkdir(x, "/d/e", 0755), 0);
	assert_int_equal(extant_unmount(x), 0);
	assert_int_equal(shell("cd %s && debugfs -w -R 'sif /d block[0] 0x1234f30b' a 2>/dev/null", dir), 0);
}

static int count_of_errors(void)
{
	return shell("cd %s && exit $(dumpe2fs -h a 2>/dev/null | sed -n 's/^FS Error count: *//p' | grep . || echo 0)",
		     dir) >> 8;
}

static void errors_continue(void **state)
{
	struct extant *x;

	(void)state;
	make_image("");
	damage();
	x = mounted(EXTANT_INLINE, "noinit_itable,errors=continue");
	assert_int_equal(extant_access(x, "/d/e", 0), -EUCLEAN);
	assert_int_equal(extant_mkdir(x, "/f", 0755), 0);
	assert_int_equal(extant_sync(x), 0);
	assert_int_equal(extant_shutdown(x, EXTANT_SHUTDOWN_NOLOGFLUSH), 0);
	assert_int_equal(extant_unmount(x), 0);
	x = mounted(EXTANT_INLINE, "noinit_itable"); /* from the log */
	assert_non_null(strstr(said, "damage was met"));
	assert_int_equal(extant_unmount(x), 0);
	assert_int_equal(count_of_errors(), 1);
	assert_int_equal(shell("cd %s && dumpe2fs -h a 2>/dev/null | grep -q 'state: *clean with errors'", dir), 0);
	assert_int_equal(shell("cd %s && dumpe2fs -h a 2>/dev/null | grep -q 'First error err: *EFSCORRUPTED'", dir), 0);
	x = mounted(EXTANT_INLINE, "noinit_itable");
	assert_int_equal(extant_access(x, "/d/e", 0), -EUCLEAN);
	assert_int_equal(extant_unmount(x), 0);
	assert_int_equal(count_of_errors(), 2);
}

static void errors_remount_ro(void **state)
{
	struct extant *x;

	(void)state;
	make_image("");
	damage();
	x = mounted(EXTANT_INLINE, "noinit_itable,errors=remount-ro");
	assert_int_equal(extant_mkdir(x, "/g", 0755), 0);
	assert_int_equal(extant_sync(x), 0);
	assert_int_equal(extant_mkdir(x, "/lost", 0755), 0);
	assert_int_equal(extant_access(x, "/d/e", 0), -EUCLEAN);
	assert_int_equal(extant_mkdir(x, "/h", 0755), -EROFS);
	assert_int_equal(extant_remount(x, "rw"), -EROFS);
	assert_int_not_equal(extant_unmount(x), 0);
	assert_int_equal(count_of_errors(), 1);
	assert_int_equal(shell("cd %s && dumpe2fs -h a 2>/dev/null | grep -q 'Journal errno: *-5'", dir), 0);
	x = mounted(EXTANT_INLINE, "noinit_itable");
	assert_int_equal(extant_access(x, "/g", 0), 0);
	assert_int_equal(extant_access(x, "/lost", 0), -ENOENT); /* it had not committed */
	assert_int_equal(extant_unmount(x), 0);
	assert_int_equal(count_of_errors(), 1);
}

static void errors_panic(void **state)
{
	struct extant *x;

	(void)state;
	make_image("");
	damage();
	x = mounted(EXTANT_INLINE, "noinit_itable,errors=panic");
	assert_int_equal(extant_access(x, "/d/e", 0), -EUCLEAN);
	assert_non_null(strstr(said, "this mount is dead"));
	assert_int_equal(extant_mkdir(x, "/h", 0755), -EIO);
	(void)extant_unmount(x);
	assert_int_equal(count_of_errors(), 1);
}

static int note_end(void *arg, const struct extant_extent *e)
{
	*(uint64_t *)arg = e->physical + e->length;
	return 0;
}

/* Ordered data that cannot be written: its file is told; data_err=abort stops the journal too. */
static void append_to_a_bad_place(const char *option, int then)
{
	struct arena *a = arena_create();
	struct extant_options o;
	struct lib_mount_args args = { .image = "a", .opt = &o, .dialect = DIALECT_6_18 };
	struct block_device *file, *fault;
	struct extant *x = NULL;
	char path[256], block[4096];
	uint64_t end = 0;
	int fd;

	make_image("-b 4096");
	(void)snprintf(path, sizeof(path), "%s/a", dir);
	assert_int_equal(block_file_open(a, path, false, 0, 0, &file), 0);
	assert_int_equal(block_fault_create(a, file, &fault), 0);
	extant_options_init(&o);
	o.mode = EXTANT_INLINE;
	o.mount_options = option;
	args.device = fault;
	assert_int_equal(lib_mount(&args, &x), 0);
	put(x, "/f", 65536);
	fd = extant_open(x, "/f", O_RDWR | O_APPEND, 0);
	assert_int_equal(extant_fsync(x, fd), 0);
	assert_int_equal(extant_fiemap(x, fd, note_end, &end), 0);
	block_fault_range(fault, FAULT_WRITE, end, (16 << 20) - end, -EIO); /* the log lies before */
	memset(block, 'z', sizeof(block));
	assert_int_equal(extant_write(x, fd, block, sizeof(block)), sizeof(block));
	assert_int_not_equal(extant_fsync(x, fd), 0);
	(void)extant_sync(x);
	block_fault_clear(fault);
	assert_int_equal(extant_mkdir(x, "/d", 0755), then);
	assert_int_equal(extant_close(x, fd), 0);
	(void)extant_unmount(x);
	arena_destroy(a);
}

static void data_err(void **state)
{
	(void)state;
	append_to_a_bad_place("noinit_itable,data_err=ignore", 0);
	append_to_a_bad_place("noinit_itable,data_err=abort", -EROFS);
}

static void abort_option(void **state)
{
	struct extant *x;

	(void)state;
	make_image("");
	x = mounted(EXTANT_INLINE, "noinit_itable");
	assert_int_equal(extant_mkdir(x, "/d", 0755), 0);
	assert_int_equal(extant_remount(x, "abort"), 0);
	assert_int_equal(extant_mkdir(x, "/e", 0755), -EROFS);
	(void)extant_unmount(x);
}

static void remounts(void **state)
{
	static const char *const fixed[] = { "data=writeback", "noload,ro", "sb=8193", "cache_mb=9",
					     "journal_checksum", "nodelalloc" };
	struct extant *x;

	(void)state;
	make_image("");
	x = mounted(EXTANT_INLINE, "noinit_itable");
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		assert_int_equal(extant_remount(x, fixed[i]), -EINVAL);
	assert_int_equal(extant_remount(x, "commit=9,nobarrier,discard,noatime,errors=panic"), 0);
	assert_int_equal(extant_remount(x, "ro"), 0);
	must_be_clean("a");
	assert_int_equal(extant_mkdir(x, "/d", 0755), -EROFS);
	assert_int_equal(extant_remount(x, "rw"), 0);
	assert_int_equal(extant_mkdir(x, "/d", 0755), 0);
	assert_int_equal(extant_unmount(x), 0);
	must_be_clean("a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writers_wait),
		cmocka_unit_test(frozen_alone),
		cmocka_unit_test(read_only_freezes_too),
		cmocka_unit_test(space),
		cmocka_unit_test(bad_ranges),
		cmocka_unit_test(checkpoint_erases),
		cmocka_unit_test(discard_behind_the_commit),
		cmocka_unit_test(only_root),
		cmocka_unit_test(three_shutdowns),
		cmocka_unit_test(errors_continue),
		cmocka_unit_test(errors_remount_ro),
		cmocka_unit_test(errors_panic),
		cmocka_unit_test(data_err),
		cmocka_unit_test(abort_option),
		cmocka_unit_test(remounts),
	};
	int failed;

	if (system(PATH_TOOLS "command -v mke2fs >/dev/null && command -v debugfs >/dev/null")) {
		print_message("skipped: needs e2fsprogs\n");
		return 77;
	}
	assert_non_null(mkdtemp(dir));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)shell("rm -rf %s", dir);
	return failed;
}
