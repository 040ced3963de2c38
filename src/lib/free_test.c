/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks that files give back.
 *
 *	reads fail	while a file in several groups is cut, at each read of the device in turn: nothing is free and
 *			the file's too; the next mount ends what was begun
 *	many revokes	a file whose data goes through the log has more blocks than the log has room for records of
 */
#include <errno.h>
#include <linux/fs.h>
#include "lib/fault_testing.h"

#define MIB (1024 * 1024)
#define JOURNAL "-J size=1,location=40000 "

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

	make_image(options, "48M");
	make_large_file();
	for (uint64_t n = 0; n < 16; n++)
		failed += cut(n);
	assert_true(failed >= 4);
}

static void reads_fail_extents(void **state)
{
	(void)state;
	cut_each(JOURNAL "-b 1024");
}

static void reads_fail_maps(void **state)
{
	(void)state;
	cut_each(JOURNAL "-b 1024 -O ^extent,^64bit");
}

/* ---- many revokes */

static void cut_journaled(const char *options)
{
	struct extant *x;
	struct rig r;
	int fd;

	make_image(options, "48M");
	rig_init(&r);
	x = mount_on(&r, r.fault);
	assert_int_equal(extant_close(x, open_file(x, "/a")), 0);
	assert_int_equal(extant_setflags(x, "/a", FS_JOURNAL_DATA_FL), 0);
	fd = open_file(x, "/a");
	for (int i = 0; i < 20; i++)
		assert_int_equal(put(x, fd, (int64_t)i * MIB, MIB, 'j'), MIB);
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_truncate(x, "/a", 0), 0);
	assert_int_equal(extant_unmount(x), 0);
	assert_sound(&r);
	rig_fini(&r);
}

static void many_revokes_extents(void **state)
{
	(void)state;
	cut_journaled(JOURNAL "-b 1024 -O extent");
}

static void many_revokes_maps(void **state)
{
	(void)state;
	cut_journaled(JOURNAL "-b 1024 -O ^extent,^64bit");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_fail_extents),
		cmocka_unit_test(reads_fail_maps),
		cmocka_unit_test(many_revokes_extents),
		cmocka_unit_test(many_revokes_maps),
	};
	int failed = prepare_test();

	return failed ? failed : run_image_tests(tests);
}
