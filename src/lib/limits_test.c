/* SPDX-License-Identifier: BSD-2-Clause */
/* Files as large as they can be: their last blocks behave like any other. */
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

#define BLOCK	1024
#define SIZE_MAX_1K	((int64_t)UINT32_MAX * BLOCK)

static char image[] = "/tmp/extant-limits-XXXXXX";

static struct extant *fresh(void)
{
	struct extant_options o;
	struct extant *x = NULL;
	char cmd[256];

	(void)snprintf(cmd, sizeof(cmd), "mke2fs -q -F -t ext4 -b 1024 -N 64 %s 8M >/dev/null", image);
	assert_int_equal(system(cmd), 0);
	extant_options_init(&o);
	o.mode = EXTANT_INLINE;
	assert_int_equal(extant_mount(image, &o, &x), 0);
	return x;
}

static void finish(struct extant *x)
{
	char cmd[256];

	assert_int_equal(extant_unmount(x), 0);
	(void)snprintf(cmd, sizeof(cmd), "e2fsck -fn %s >/dev/null 2>&1", image);
	assert_int_equal(system(cmd), 0);
}

/* A hole over the end goes on to the end of the page, which has one block more than there can be. */
static void last_blocks_are_punched(void **state)
{
	int64_t size = SIZE_MAX_1K - BLOCK, start = size - 2 * BLOCK;
	struct extant *x = fresh();
	int fd = extant_open(x, "/a", O_CREAT | O_RDWR, 0644);
	struct extant_stat st;
	char buf[2 * BLOCK];

	(void)state;
	memset(buf, 'a', sizeof(buf));
	assert_true(fd >= 0);
	assert_int_equal(extant_pwrite(x, fd, buf, 1, SIZE_MAX_1K), -EFBIG);
	assert_int_equal(extant_pwrite(x, fd, buf, sizeof(buf), start), sizeof(buf));
	assert_int_equal(extant_fallocate(x, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					  start + BLOCK, 2 * BLOCK), 0);
	assert_int_equal(extant_fstat(x, fd, &st), 0);
	assert_int_equal(st.size, size);
	assert_int_equal(st.blocks, BLOCK / 512);
	assert_int_equal(extant_pread(x, fd, buf, sizeof(buf), start), sizeof(buf));
	assert_int_equal(buf[0], 'a');
	assert_null(memchr(buf + BLOCK, 'a', BLOCK));
	assert_int_equal(extant_close(x, fd), 0);
	finish(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(last_blocks_are_punched),
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
