/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lazytime on a real image: stamps that could not be written for want of memory are not lost, and each inode is asked
 * for once in a round.
 */
#include "ext4/inode.h"
#include "ext4/mount_testing.h"

static struct inode *file(struct test_mount *m, const char *name)
{
	struct ext4_name n = { name, strlen(name) };
	struct inode *root = test_mount_get(m, EXT4_ROOT_INO), *inode;
	uint32_t ino;

	if (test_mount_lookup(root, &n, &ino)) {
		assert_int_equal(test_mount_create(root, &n), 0);
		assert_int_equal(test_mount_lookup(root, &n, &ino), 0);
	}
	inode = test_mount_get(m, ino);
	ext4_iput(root);
	return inode;
}

static bool waits(struct inode *i)
{
	return atomic_load(&i->state) & INODE_DIRTY_TIME;
}

static void move_stamps(struct test_mount *m, struct inode *i, struct inode *k)
{
	clock_advance_to(&m->clock, clock_monotonic(&m->clock) + NSEC_PER_SEC);
	assert_int_equal(ext4_update_time(i), 0);
	assert_int_equal(ext4_update_time(k), 0);
}

static void errors_lose_no_stamps(void **state)
{
	uint32_t failed = 0;
	struct test_mount m;
	struct inode *i, *k;
	int64_t last;

	(void)state;
	test_mount_make(&m, "16M", "", NULL);
	test_mount_open(&m);
	m.fs->opt.lazytime = true;
	i = file(&m, "i");
	k = file(&m, "k");
	for (uint64_t n = 0; n < 100; n++) {
		int err;

		assert_int_equal(ext4_sync_filesystem(m.fs), 0);
		move_stamps(&m, i, k);
		arena_fail_at(m.arena, n);
		err = ext4_lazytime_write(m.fs);
		failed += err != 0;
		assert_int_equal(err != 0, waits(i) || waits(k));
		arena_fail_at(m.arena, UINT64_MAX);
		assert_int_equal(ext4_lazytime_write(m.fs), 0);
		assert_false(waits(i) || waits(k));
		if (!err && n > 50)
			break;
	}
	assert_true(failed);
	last = i->mtime.sec;
	ext4_iput(i);
	ext4_iput(k);
	test_mount_close(&m);
	test_mount_fsck(&m);
	test_mount_open(&m);
	i = file(&m, "i");
	assert_int_equal(i->mtime.sec, last);
	ext4_iput(i);
	test_mount_close(&m);
	test_mount_remove(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_lose_no_stamps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
