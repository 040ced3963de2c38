/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory forgets: before each operation everything is written in place and every block that nobody
 * holds is dropped, as under pressure. Whatever is wanted is read again, and with slow assertions a
 * read under a lock that must not wait for the device fails. Skips where mke2fs is missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <unistd.h>
#include "lib/lib.h"

static int forget_call(void *arg)
{
	struct ext4_fs *fs = arg;
	int err = ext4_sync_filesystem(fs);

	if (!err)
		err = fs->journal ? jbd2_journal_flush(fs->journal) : buffer_write_dirty(fs->buffers);
	buffer_cache_invalidate(fs->buffers);
	return err;
}

static void forget(struct extant *x)
{
	assert_int_equal(task_call(x->sched, "forget", forget_call, x->vfs->fs), 0);
}

static void put(struct extant *x, int fd, size_t len)
{
	static const char bytes[300000];

	forget(x);
	assert_int_equal(extant_write(x, fd, bytes, len), (int64_t)len);
}

static void use(struct extant *x)
{
	int a, b;

	assert_true((a = extant_open(x, "/a", O_CREAT | O_WRONLY, 0644)) >= 0);
	put(x, a, 100000);
	assert_int_equal(extant_fsync(x, a), 0);	/* more is set aside for it */
	forget(x);
	assert_true((b = extant_open(x, "/b", O_CREAT | O_WRONLY, 0644)) >= 0);
	put(x, b, 5000);
	assert_int_equal(extant_fsync(x, b), 0);
	put(x, a, 300000);
	forget(x);
	assert_int_equal(extant_ftruncate(x, a, 20000), 0);
	forget(x);
	assert_int_equal(extant_close(x, a), 0);	/* and given back now */
	forget(x);
	assert_int_equal(extant_close(x, b), 0);
	forget(x);
	assert_int_equal(extant_mkdir(x, "/d", 0755), 0);
	forget(x);
	assert_int_equal(extant_unlink(x, "/b"), 0);
	forget(x);
	assert_int_equal(extant_truncate(x, "/a", 0), 0);
	forget(x);
	assert_int_equal(extant_rmdir(x, "/d"), 0);
}

/* The last room: what is set aside for other files must be given back. */
static void fill(struct extant *x)
{
	static const char bytes[1 << 16];
	int a, b;

	assert_true((a = extant_open(x, "/a", O_WRONLY, 0)) >= 0);
	put(x, a, 100000);
	assert_int_equal(extant_fsync(x, a), 0);
	assert_true((b = extant_open(x, "/b", O_CREAT | O_WRONLY, 0644)) >= 0);
	forget(x);
	while (extant_write(x, b, bytes, sizeof(bytes)) > 0)
		forget(x);
	assert_int_equal(extant_close(x, b), 0);
	assert_int_equal(extant_close(x, a), 0);
}

static void with(const char *make, enum extant_mode mode)
{
	char path[] = "/tmp/extant-pressure-XXXXXX", cmd[256];
	int fd = mkstemp(path);
	struct extant_options o;
	struct extant *x = NULL;

	assert_true(fd >= 0);
	(void)close(fd);
	(void)snprintf(cmd, sizeof(cmd), "truncate -s 8M %s && mke2fs -q -F -t ext4 %s %s", path, make, path);
	assert_int_equal(system(cmd), 0);
	extant_options_init(&o);
	o.mode = mode;
	o.seed = 7;
	assert_int_equal(extant_mount(path, &o, &x), 0);
	use(x);
	fill(x);
	assert_int_equal(extant_unmount(x), 0);
	(void)snprintf(cmd, sizeof(cmd), "e2fsck -fn %s > /dev/null 2>&1", path);
	assert_int_equal(system(cmd), 0);
	(void)unlink(path);
}

static void what_is_forgotten_is_read_again(void **state)
{
	static const char *const makes[] = { "", "-b 1024", "-O ^has_journal", "-b 1024 -O ^metadata_csum,uninit_bg" };

	(void)state;
	for (size_t i = 0; i < array_size(makes); i++)
		for (int mode = EXTANT_THREADED; mode <= EXTANT_SEEDED; mode++)
			with(makes[i], (enum extant_mode)mode);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_forgotten_is_read_again) };

	if (system("mke2fs -V 2> /dev/null") != 0) {
		printf("skipped: mke2fs is missing\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
