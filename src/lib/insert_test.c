/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An insertion into a file of several leaves fails, at each read of the device in turn: where
 * nothing has moved, the file is as it was; else it has grown, and no byte is lost.
 */
#include <errno.h>
#include <linux/falloc.h>
#include "lib/fault_testing.h"

#define BLOCK	1024
#define PIECES	200		/* every other block: of leaves with 84 entries each */
#define SIZE	(2 * PIECES * BLOCK)
#define GAP	(4 * BLOCK)

static uint8_t bytes[SIZE + GAP];

static void make_pieces(struct extant *x, int fd)
{
	for (int i = 0; i < PIECES; i++)
		assert_int_equal(put(x, fd, (2 * i + 1) * BLOCK, BLOCK, (char)(i + 1)), BLOCK);
	assert_int_equal(extant_fsync(x, fd), 0);
}

/* Each piece is where it was, or GAP further; who has moved lies behind who has not. */
static void check_pieces(int64_t size)
{
	bool moved = false;

	for (int i = 0; i < PIECES; i++) {
		const uint8_t *p = &bytes[(2 * i + 1) * BLOCK];

		moved |= size > SIZE && p[GAP] == (uint8_t)(i + 1);
		assert_int_equal(p[moved ? GAP : 0], (uint8_t)(i + 1));
	}
	assert_int_equal(size, moved ? SIZE + GAP : SIZE);
}

static int insert(uint64_t nth)
{
	struct extant *x;
	struct rig r;
	int fd, err;

	rig_init(&r);
	x = mount_on(&r, r.fault);
	fd = open_file(x, "/a");
	make_pieces(x, fd);
	forget(x);
	block_fault_at(r.fault, FAULT_READ, nth, -EIO, false);
	err = extant_fallocate(x, fd, FALLOC_FL_INSERT_RANGE, 0, GAP);
	block_fault_clear(r.fault);
	check_pieces(extant_pread(x, fd, bytes, sizeof(bytes), 0));
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unmount(x), 0);
	assert_sound(&r);
	rig_fini(&r);
	return err;
}

static void reads_fail(void **state)
{
	int failed = 0;

	(void)state;
	make_image("-b 1024", "8M");
	for (uint64_t n = 0; n < 8; n++)
		failed += insert(n) != 0;
	assert_true(failed >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_fail),
	};
	int failed = prepare_test();

	return failed ? failed : run_image_tests(tests);
}
