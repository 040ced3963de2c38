/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks that files give back.
 *
 *	reads fail	while a file in several groups is cut, at each read of the device in turn: nothing is free and
 *			the file's too; the next mount ends what was begun
 *	many revokes	a file whose data goes through the log has more blocks than the log has room for records of
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "check/check.h"
#include "lib/lib.h"

#define MIB (1024 * 1024)

static char image[] = "/tmp/extant-free-XXXXXX";

struct rig {
	struct arena *arena;
	struct block_device *cow, *fault;
	struct clock clock;
};

static struct extant *mount_on(struct rig *r, struct block_device *device)
{
	struct extant_options opt;
	struct lib_mount_args args = {
		.image = image, .opt = &opt, .clock = &r->clock, .device = device
	};
	struct extant *x = NULL;

	extant_options_init(&opt);
	opt.mode = EXTANT_INLINE;
	assert_int_equal(lib_mount(&args, &x), 0);
	return x;
}

static void make_image(const char *options)
{
	char cmd[256];

	(void)snprintf(cmd, sizeof(cmd), "mke2fs -q -F -t ext4 -N 64 -J size=1,location=40000 %s %s 48M >/dev/null",
		       options, image);
	assert_int_equal(system(cmd), 0);
}

static void rig_init(struct rig *r)
{
	struct block_device *file, *share;

	*r = (struct rig){ .arena = arena_create() };
	clock_init_virtual(&r->clock, 1700000000LL * NSEC_PER_SEC, 0);
	assert_int_equal(block_file_open(r->arena, image, true, 0, 0, &file), 0);
	assert_int_equal(block_cow_create(r->arena, file, &r->cow), 0);
	assert_int_equal(block_share_create(r->arena, r->cow, &share), 0);
	assert_int_equal(block_fault_create(r->arena, share, &r->fault), 0);
}

static void rig_fini(struct rig *r)
{
	block_close(r->cow);
	arena_destroy(r->arena);
}

static void problem(void *arg, const struct check_problem *p)
{
	char text[300];

	(void)arg;
	check_problem_format(p, text, sizeof(text));
	print_message("%s\n", text);
}

/* The next mount ends what this one began. */
static void assert_sound(struct rig *r)
{
	struct check_options opt = { .arena = r->arena, .problems_max = 5, .problem = problem };
	struct check_report report;
	struct block_device *share;

	assert_int_equal(block_share_create(r->arena, r->cow, &share), 0);
	assert_int_equal(extant_unmount(mount_on(r, share)), 0);
	assert_int_equal(check_image(r->cow, &opt, &report), 0);
	assert_int_equal(report.problems, 0);
}

/* ---- reads fail */

/* A file of three groups; an extent goes from one to the next. */
static void make_large_file(void)
{
	char cmd[400];

	(void)snprintf(cmd, sizeof(cmd),
		       "head -c 20M /dev/zero | tr '\\0' x >%s.a && debugfs -w -R 'write %s.a a' %s "
		       ">/dev/null 2>&1; rm %s.a", image, image, image, image);
	assert_int_equal(system(cmd), 0);
}

/* To a part of it: who has the blocks that were not freed is seen. */
static bool cut(uint64_t nth)
{
	struct extant *x;
	struct rig r;
	int err;

	rig_init(&r);
	x = mount_on(&r, r.fault);
	block_fault_at(r.fault, FAULT_READ, nth, -EIO, false);
	err = extant_truncate(x, "/a", 1000);
	block_fault_clear(r.fault);
	ignore_result(extant_unmount(x)); /* an error was seen */
	assert_sound(&r);
	rig_fini(&r);
	return err;
}

static void cut_each(const char *options)
{
	int failed = 0;

	make_image(options);
	make_large_file();
	for (uint64_t n = 0; n < 16; n++)
		failed += cut(n);
	assert_true(failed >= 4);
}

static void reads_fail_extents(void **state)
{
	(void)state;
	cut_each("-b 1024");
}

static void reads_fail_maps(void **state)
{
	(void)state;
	cut_each("-b 1024 -O ^extent,^64bit");
}

/* ---- many revokes */

static void cut_journaled(const char *options)
{
	struct extant *x;
	struct rig r;

	make_image(options);
	rig_init(&r);
	x = mount_on(&r, r.fault);
	assert_int_equal(extant_close(x, extant_open(x, "/a", O_CREAT | O_RDWR, 0644)), 0);
	assert_int_equal(extant_setflags(x, "/a", FS_JOURNAL_DATA_FL), 0);
	for (int i = 0; i < 20; i++) {
		static char buf[MIB];
		int fd = extant_open(x, "/a", O_WRONLY | O_APPEND, 0);

		assert_int_equal(extant_write(x, fd, buf, sizeof(buf)), MIB);
		assert_int_equal(extant_close(x, fd), 0);
	}
	assert_int_equal(extant_truncate(x, "/a", 0), 0);
	assert_int_equal(extant_unmount(x), 0);
	assert_sound(&r);
	rig_fini(&r);
}

static void many_revokes_extents(void **state)
{
	(void)state;
	cut_journaled("-b 1024 -O extent");
}

static void many_revokes_maps(void **state)
{
	(void)state;
	cut_journaled("-b 1024 -O ^extent,^64bit");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_fail_extents),
		cmocka_unit_test(reads_fail_maps),
		cmocka_unit_test(many_revokes_extents),
		cmocka_unit_test(many_revokes_maps),
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
