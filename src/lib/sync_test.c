/* SPDX-License-Identifier: BSD-2-Clause */
/* What a file opened with O_SYNC or O_DSYNC was told to allocate is there after a power failure. */
#include <linux/falloc.h>
#include "lib/fault_testing.h"

#define LEN	(64 << 10)

static void assert_there_after_failure(struct rig *r)
{
	struct extant *x = mount_after_failure(r);
	struct extant_stat st;

	assert_int_equal(extant_stat(x, "/a", &st), 0);
	assert_int_equal(st.size, LEN);
	assert_int_equal(st.blocks, LEN / 512);
	assert_int_equal(extant_unmount(x), 0);
}

static void allocate(const char *options, int flags)
{
	struct extant *x;
	struct rig r;
	int fd;

	make_image(options, "8M");
	rig_init(&r);
	x = mount_on(&r, r.fault);
	assert_int_equal(extant_close(x, open_file(x, "/a")), 0);
	assert_int_equal(extant_sync(x), 0);
	fd = extant_open(x, "/a", O_RDWR | flags, 0);
	assert_true(fd >= 0);
	assert_int_equal(extant_fallocate(x, fd, 0, 0, LEN), 0);
	assert_there_after_failure(&r);
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unmount(x), 0);
	assert_sound(&r);
	rig_fini(&r);
}

static void with_a_journal(void **state)
{
	(void)state;
	allocate("-b 1024", O_SYNC);
	allocate("-b 1024", O_DSYNC);
}

static void without_one(void **state)
{
	(void)state;
	allocate("-b 1024 -O ^has_journal", O_SYNC);
	allocate("-b 1024 -O ^has_journal", O_DSYNC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_a_journal),
		cmocka_unit_test(without_one),
	};
	int failed = prepare_test();

	return failed ? failed : run_image_tests(tests);
}
