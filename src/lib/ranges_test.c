/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files changed by range, against an array of bytes: random writes, reads, holes, zeroes, cuts and
 * insertions on files with extents, on pages of one block and of several, with a journal so small
 * that a call goes through several transactions; remounted in between, and found clean by e2fsck.
 *
 * RANGES_SEED draws another sequence. Skips where mke2fs is missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "extant/extant.h"

#define MODEL_BYTES (1u << 20)

static char image[] = "/tmp/extant-ranges-XXXXXX";
static uint8_t model[MODEL_BYTES], seen[MODEL_BYTES];
static uint64_t size, random_state;
static uint32_t block;
static bool has_extents; /* else only holes can be punched */

static uint64_t below(uint64_t n)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (random_state >> 33) % n;
}

static int shell(const char *fmt, const char *a, const char *b)
{
	char cmd[400];

	(void)snprintf(cmd, sizeof(cmd), fmt, a, b);
	return system(cmd);
}

static struct extant *mount_it(const char *options)
{
	struct extant_options o;
	struct extant *x = NULL;

	extant_options_init(&o);
	o.mode = EXTANT_INLINE;
	o.mount_options = options;
	assert_int_equal(extant_mount(image, &o, &x), 0);
	return x;
}

static void check(struct extant *x, int fd)
{
	struct extant_stat st;

	assert_int_equal(extant_fstat(x, fd, &st), 0);
	assert_int_equal(st.size, size);
	assert_int_equal(extant_pread(x, fd, seen, MODEL_BYTES, 0), (int64_t)size);
	for (uint64_t i = 0; i < size; i++)
		if (seen[i] != model[i])
			fail_msg("byte %llu of %llu is %02x, not %02x", (unsigned long long)i,
				 (unsigned long long)size, seen[i], model[i]);
}

/* ---- operations on both */

static void grow_to(uint64_t end)
{
	if (end <= size)
		return;
	memset(model + size, 0, end - size);
	size = end;
}

static void do_write(struct extant *x, int fd, uint64_t at, uint64_t len)
{
	static uint8_t buf[MODEL_BYTES];

	for (uint64_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(1 + below(255));
	assert_int_equal(extant_pwrite(x, fd, buf, len, (int64_t)at), (int64_t)len);
	grow_to(at + len);
	memcpy(model + at, buf, len);
}

static void do_truncate(struct extant *x, int fd, uint64_t at)
{
	assert_int_equal(extant_ftruncate(x, fd, (int64_t)at), 0);
	grow_to(at);
	size = at;
}

static void zero_model(uint64_t at, uint64_t len)
{
	if (at < size)
		memset(model + at, 0, at + len < size ? len : size - at);
}

static void do_collapse(struct extant *x, int fd, uint64_t at, uint64_t len)
{
	bool fits = at + len < size;

	assert_int_equal(
		extant_fallocate(x, fd, FALLOC_FL_COLLAPSE_RANGE, (int64_t)at, (int64_t)len),
		fits ? 0 : -EINVAL);
	if (!fits)
		return;
	memmove(model + at, model + at + len, size - at - len);
	size -= len;
}

static void do_insert(struct extant *x, int fd, uint64_t at, uint64_t len)
{
	bool fits = at < size;

	if (size + len > MODEL_BYTES)
		return;
	assert_int_equal(extant_fallocate(x, fd, FALLOC_FL_INSERT_RANGE, (int64_t)at, (int64_t)len),
			 fits ? 0 : -EINVAL);
	if (!fits)
		return;
	memmove(model + at + len, model + at, size - at);
	memset(model + at, 0, len);
	size += len;
}

static void do_fallocate(struct extant *x, int fd, uint64_t at, uint64_t len)
{
	uint64_t kind = has_extents ? below(4) : 2;
	int mode = kind == 0   ? 0
		   : kind == 1 ? FALLOC_FL_KEEP_SIZE
		   : kind == 2 ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
			       : FALLOC_FL_ZERO_RANGE;

	assert_int_equal(extant_fallocate(x, fd, mode, (int64_t)at, (int64_t)len), 0);
	if (mode == 0 || mode == FALLOC_FL_ZERO_RANGE)
		grow_to(at + len);
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		zero_model(at, len);
}

static void one(struct extant *x, int fd)
{
	uint64_t len = 1 + below(40 * 1024), at = below(MODEL_BYTES - len - block);
	uint64_t whole = (1 + below(20)) * block;

	switch (has_extents ? below(8) : (uint64_t[]){ 0, 1, 2, 5, 6, 7 }[below(6)]) {
	case 0:
	case 1:
		do_write(x, fd, at, len);
		break;
	case 2:
		do_truncate(x, fd, at);
		break;
	case 3:
		do_collapse(x, fd, at / block * block, whole);
		break;
	case 4:
		do_insert(x, fd, at / block * block, whole);
		break;
	case 5:
		assert_int_equal(below(2) ? extant_fsync(x, fd) : extant_sync(x), 0);
		break;
	default:
		do_fallocate(x, fd, at, len);
	}
}

/* ---- runs */

/* Every second block: what follows has many extents to walk, and nodes to cut. */
static void in_pieces(struct extant *x, int fd)
{
	for (uint64_t at = 0; at + block < MODEL_BYTES; at += 2 * block)
		do_write(x, fd, at, block);
	assert_int_equal(extant_fsync(x, fd), 0);
}

static void run(const char *mkfs, const char *options, int rounds)
{
	size = 0;
	has_extents = !strstr(mkfs, "^extent");
	assert_int_equal(shell("export PATH=$PATH:/sbin:/usr/sbin; mke2fs -q -F -t ext4 %s %s 32M "
			       ">/dev/null",
			       mkfs, image),
			 0);
	for (int round = 0; round < rounds; round++) {
		struct extant *x = mount_it(options);
		int fd = extant_open(x, "/f", O_CREAT | O_RDWR, 0644);

		assert_true(fd >= 0);
		check(x, fd);
		if (round % 3 == 1)
			in_pieces(x, fd);
		for (int i = 0; i < 60; i++) {
			one(x, fd);
			if (i % 7 == 0)
				check(x, fd);
		}
		check(x, fd);
		assert_int_equal(extant_close(x, fd), 0);
		assert_int_equal(extant_unmount(x), 0);
		assert_int_equal(
			shell("export PATH=$PATH:/sbin:/usr/sbin; e2fsck -fn %s >%s.log 2>&1",
			      image, image),
			0);
	}
}

static void blocks_of_a_page(void **state)
{
	(void)state;
	block = 4096;
	run("-b 4096 -J size=4", NULL, 6);
}

static void pages_of_blocks(void **state)
{
	(void)state;
	block = 1024;
	run("-b 1024 -J size=1", NULL, 6);
}

static void without_delay(void **state)
{
	(void)state;
	block = 1024;
	run("-b 1024 -J size=1 -O orphan_file", "nodelalloc", 3);
}

static void journaled_data(void **state)
{
	(void)state;
	block = 1024;
	run("-b 1024 -J size=4", "data=journal", 4);
}

static void without_journal(void **state)
{
	(void)state;
	block = 2048;
	run("-b 2048 -O ^has_journal", NULL, 3);
}

/* Far enough for all levels of pointers but the last. */
static void block_maps(void **state)
{
	(void)state;
	block = 1024;
	run("-b 1024 -J size=1 -O ^extent,^64bit", NULL, 6);
	run("-b 1024 -O ^extent,^64bit,^has_journal", "nodelalloc", 3);
	block = 4096;
	run("-b 4096 -J size=4 -O ^extent,^64bit", NULL, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_of_a_page), cmocka_unit_test(pages_of_blocks),
		cmocka_unit_test(without_delay),    cmocka_unit_test(journaled_data),
		cmocka_unit_test(without_journal), cmocka_unit_test(block_maps),
	};
	const char *seed = getenv("RANGES_SEED");
	int fd = mkstemp(image), failed;
	char log[64];

	if (fd < 0 || system("PATH=$PATH:/sbin:/usr/sbin mke2fs -V >/dev/null 2>&1")) {
		(void)printf("skipped: needs mke2fs\n");
		return 77;
	}
	(void)close(fd);
	random_state = seed ? strtoull(seed, NULL, 0) : 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)snprintf(log, sizeof(log), "%s.log", image);
	(void)unlink(log);
	(void)unlink(image);
	return failed;
}
