/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests: an image file that stays as it is, below a copy in memory, below a device that can be
 * made to fail; and mounts of what lies in the copy, as a power failure would leave it.
 */
#ifndef EXTANT_LIB_FAULT_TESTING_H
#define EXTANT_LIB_FAULT_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "check/check.h"
#include "lib/lib.h"

static char image[] = "/tmp/extant-test-XXXXXX";

struct rig {
	struct arena *arena;
	struct block_device *cow, *fault;
	struct clock clock;
};

static inline void make_image(const char *options, const char *size)
{
	char cmd[256];

	(void)snprintf(cmd, sizeof(cmd), "mke2fs -q -F -t ext4 -N 64 %s %s %s >/dev/null", options,
		       image, size);
	assert_int_equal(system(cmd), 0);
}

static inline void rig_init(struct rig *r)
{
	struct block_device *file, *share;

	*r = (struct rig){ .arena = arena_create() };
	clock_init_virtual(&r->clock, 1700000000LL * NSEC_PER_SEC, 0);
	assert_int_equal(block_file_open(r->arena, image, true, 0, 0, &file), 0);
	assert_int_equal(block_cow_create(r->arena, file, &r->cow), 0);
	assert_int_equal(block_share_create(r->arena, r->cow, &share), 0);
	assert_int_equal(block_fault_create(r->arena, share, &r->fault), 0);
}

/* After the unmount. */
static inline void rig_fini(struct rig *r)
{
	block_close(r->cow);
	arena_destroy(r->arena);
}

static inline struct extant *mount_on(struct rig *r, struct block_device *device)
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

/* What the copy holds by now; it stays as it is. */
static inline struct extant *mount_after_failure(struct rig *r)
{
	struct block_device *share, *copy;

	assert_int_equal(block_share_create(r->arena, r->cow, &share), 0);
	assert_int_equal(block_cow_create(r->arena, share, &copy), 0);
	return mount_on(r, copy);
}

static inline void print_problem(void *arg, const struct check_problem *p)
{
	char text[300];

	(void)arg;
	check_problem_format(p, text, sizeof(text));
	print_message("%s\n", text);
}

/* After the unmount: the next mount ends what this one began, and the image is sound. */
static inline void assert_sound(struct rig *r)
{
	struct check_options opt = { .arena = r->arena, .problems_max = 5, .problem = print_problem };
	struct check_report report;
	struct block_device *share;

	assert_int_equal(block_share_create(r->arena, r->cow, &share), 0);
	assert_int_equal(extant_unmount(mount_on(r, share)), 0);
	assert_int_equal(check_image(r->cow, &opt, &report), 0);
	assert_int_equal(report.problems, 0);
}

static inline int forget_call(void *arg)
{
	struct ext4_fs *fs = arg;
	int err = ext4_write_in_place(fs);

	buffer_cache_invalidate(fs->buffers);
	return err;
}

/* Whatever is wanted is read again. */
static inline void forget(struct extant *x)
{
	assert_int_equal(task_call(x->sched, "forget", forget_call, x->vfs->fs), 0);
}

static inline int open_file(struct extant *x, const char *path)
{
	int fd = extant_open(x, path, O_CREAT | O_RDWR, 0644);

	assert_true(fd >= 0);
	return fd;
}

static inline int64_t put(struct extant *x, int fd, int64_t at, size_t len, char fill)
{
	static char buf[1 << 20];

	memset(buf, fill, len);
	return extant_pwrite(x, fd, buf, len, at);
}

/* The image file's name is made; 77: there is no mke2fs. */
static inline int prepare_test(void)
{
	int fd = mkstemp(image);

	if (fd < 0 || system("PATH=$PATH:/sbin:/usr/sbin command -v mke2fs >/dev/null")) {
		printf("skipped: no mke2fs\n");
		return 77;
	}
	close(fd);
	(void)setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	return 0;
}

/* After prepare_test; the image file goes. */
#define run_image_tests(tests) end_test(cmocka_run_group_tests(tests, NULL, NULL))

static inline int end_test(int failed)
{
	(void)unlink(image);
	return failed;
}

#endif
