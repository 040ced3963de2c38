/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A truncate that the device does not let finish: the file ends where it was told to, and when it grows
 * again there are zeros, in memory and after a power failure.
 */
#include "lib/fault_testing.h"

#define BLOCKS 400

/* Every other block, so that the tree of extents has leaves to be read. */
static void make_file(struct extant *x, int fd)
{
	for (int i = 0; i < BLOCKS; i += 2)
		assert_int_equal(put(x, fd, i * 1024, 1024, 'a'), 1024);
	assert_int_equal(extant_fsync(x, fd), 0);
}

static void assert_zeros(struct extant *x, int64_t from, int64_t end)
{
	static char buf[BLOCKS * 1024];
	int fd = open_file(x, "/f");

	assert_int_equal(extant_pread(x, fd, buf, (size_t)(end - from), from), end - from);
	for (int64_t i = 0; i < end - from; i++)
		assert_int_equal(buf[i], 0);
	assert_int_equal(extant_close(x, fd), 0);
}

static bool grow(struct extant *x, int fd, bool direct)
{
	static char buf[1024] __attribute__((aligned(4096)));
	int64_t at = BLOCKS * 1024;

	if (!direct)
		return put(x, fd, at, 1024, 'b') == 1024 && !extant_fsync(x, fd);
	return !extant_ftruncate(x, fd, at) && !extant_fsync(x, fd) &&
	       extant_pwrite(x, fd, buf, sizeof(buf), at) == 1024;
}

#define CALLS 30 /* a truncate has fewer */

static bool fail_truncate_at(uint64_t nth, bool direct)
{
	struct extant *x, *later;
	struct extant_stat st;
	struct rig rig;
	int fd, err;

	rig_init(&rig);
	x = mount_on(&rig, rig.fault);
	fd = open_file(x, "/f");
	make_file(x, fd);
	forget(x);
	block_fault_at(rig.fault, FAULT_ANY, nth, -EIO, false);
	err = extant_ftruncate(x, fd, 30000);
	block_fault_at(rig.fault, FAULT_ANY, UINT64_MAX, 0, false);
	assert_int_equal(extant_fstat(x, fd, &st), 0);
	if (err && st.size == 30000 && grow(x, fd, direct)) {
		assert_zeros(x, 30000, BLOCKS * 1024);
		later = mount_after_failure(&rig);
		assert_zeros(later, 30720, BLOCKS * 1024);
		assert_int_equal(extant_unmount(later), 0);
	}
	assert_int_equal(extant_close(x, fd), 0);
	ignore_result(extant_unmount(x)); /* the journal may have stopped */
	if (err != -EROFS)
		assert_sound(&rig);
	rig_fini(&rig);
	return err != 0;
}

static void what_was_cut_off_does_not_come_back(void **state)
{
	int failed = 0;

	(void)state;
	make_image("-b 1024", "8M");
	for (int direct = 0; direct < 2; direct++)
		for (uint64_t nth = 0; nth < CALLS; nth++)
			failed += fail_truncate_at(nth, direct);
	assert_in_range(failed, 4, CALLS);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_was_cut_off_does_not_come_back) };
	int failed = prepare_test();

	return failed ? failed : run_image_tests(tests);
}
