/* SPDX-License-Identifier: BSD-2-Clause */
/* A freeze that the device does not let finish; what is written after it survives a power failure. */
#include "lib/fault_testing.h"

/* An orphan: the superblock leads to it, goes with a transaction and to its place. */
static void write_superblock(struct extant *x)
{
	int fd = extant_open(x, "/orphan", O_CREAT | O_RDWR, 0644);

	if (fd < 0)
		return;
	ignore_result(extant_unlink(x, "/orphan"));
	ignore_result(task_call(x->sched, "flush", forget_call, x->vfs->fs));
	ignore_result(extant_close(x, fd));
}

/* Others, and Linux, throw away a log that the superblock says nothing about. */
static void assert_to_be_recovered(const struct rig *r)
{
	struct ext4_super_block s;

	assert_int_equal(block_read(r->cow, EXT4_SUPER_OFFSET, &s, sizeof(s)), 0);
	assert_true(le32_get(s.s_feature_incompat) & EXT4_FEATURE_INCOMPAT_RECOVER);
}

/* False: the freeze did not come to call number `nth`. */
static bool fail_freeze_at(uint64_t nth)
{
	struct extant_stat st;
	struct extant *x;
	struct rig rig;
	int fd, err;

	rig_init(&rig);
	x = mount_on(&rig, rig.fault);
	fd = open_file(x, "/before");
	assert_int_equal(put(x, fd, 0, 5000, 'b'), 5000);
	block_fault_at(rig.fault, FAULT_ANY, nth, -EIO, false);
	err = extant_freeze(x);
	block_fault_at(rig.fault, FAULT_ANY, UINT64_MAX, 0, false);
	assert_int_equal(extant_thaw(x), err ? -EINVAL : 0);
	assert_int_equal(extant_close(x, fd), 0);
	write_superblock(x);
	fd = extant_open(x, "/after", O_CREAT | O_RDWR, 0644);
	if (fd >= 0 && put(x, fd, 0, 5000, 'a') == 5000 && !extant_fsync(x, fd)) {
		struct extant *later = mount_after_failure(&rig);

		assert_to_be_recovered(&rig);
		assert_int_equal(extant_stat(later, "/after", &st), 0);
		assert_int_equal(st.size, 5000);
		assert_int_equal(extant_unmount(later), 0);
	}
	if (fd >= 0)
		ignore_result(extant_close(x, fd));
	ignore_result(extant_unmount(x)); /* the journal may have stopped */
	rig_fini(&rig);
	return err != 0;
}

static void nothing_is_lost_after_a_failed_freeze(void **state)
{
	uint64_t nth = 0;

	(void)state;
	make_image("", "8M");
	while (fail_freeze_at(nth))
		nth++;
	assert_true(nth > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_is_lost_after_a_failed_freeze) };
	int failed = prepare_test();

	return failed ? failed : run_image_tests(tests);
}
