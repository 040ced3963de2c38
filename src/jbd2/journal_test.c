/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a journal: transactions commit, reach their places and leave an empty log; what was not
 * brought into place is there after the next mount; several sessions follow each other.
 */
#include "jbd2/rig.h"

static const struct toy_shape plain = { .block_size = 1024, .log_blocks = 256, .csum = JOURNAL_CSUM_V3 };

static void in_place_after_umount(struct fixture *f)
{
	struct rig r;

	rig_open(&r, f, &plain, 0);
	rig_operate(&r, 1, 300);
	assert_int_equal(toy_umount(&r.t), 0);
	rig_must_hold(&r, 300);
	rig_mount(&r);
	assert_int_equal(r.t.recovery.transactions, 0);
	rig_operate(&r, 2, 300);
	assert_int_equal(toy_umount(&r.t), 0);
	rig_must_hold(&r, 600);
	rig_close(&r);
}

static void test_in_place(void **state)
{
	in_all_modes(in_place_after_umount);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
