/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file device: parts and sizes, forced writes, holes, errors; and above all whom it refuses.
 * The others who use an image are a forked process, this process, a loop device (needs root;
 * skipped where there is none) and a mount.
 */
#include "block/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SIZE MiB(1)

struct fixture {
	struct arena *arena;
	char path[TEMP_PATH_MAX];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->arena = arena_create();
	temp_file(f->path, SIZE);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	size_t left = arena_bytes(f->arena);

	unlink(f->path);
	arena_expect_leaks(f->arena);
	arena_destroy(f->arena);
	free(f);
	return left ? -1 : 0;
}

static struct block_device *open_part(struct fixture *f, uint64_t offset, uint64_t size)
{
	struct block_device *d;

	assert_int_equal(block_file_open(f->arena, f->path, false, offset, size, &d), 0);
	return d;
}

/* ---- what it is */

static void part_and_size(void **state)
{
	struct fixture *f = *state;
	static const struct {
		uint64_t offset, size;
		int want;
		uint64_t bytes;
	} rows[] = {
		{ 0, 0, 0, SIZE },
		{ 512, 0, 0, SIZE - 512 },
		{ 1024, 512, 0, 512 },
		{ SIZE, 0, 0, 0 },
		{ 0, SIZE, 0, SIZE },
		{ 0, SIZE + 512, -EINVAL, 0 },
		{ SIZE + 512, 0, -EINVAL, 0 },
		{ 512, SIZE, -EINVAL, 0 },
		{ 1, 0, -EINVAL, 0 },
		{ 0, 100, -EINVAL, 0 },
		{ 512, UINT64_MAX - 511, -EINVAL, 0 },
	};

	for (unsigned i = 0; i < array_size(rows); i++) {
		struct block_device *d;
		int ret =
			block_file_open(f->arena, f->path, false, rows[i].offset, rows[i].size, &d);

		assert_int_equal(ret, rows[i].want);
		if (ret)
			continue;
		assert_int_equal(d->size_bytes, rows[i].bytes);
		assert_string_equal(d->name, f->path);
		block_close(d);
	}
}

static void a_part_lies_where_it_was_said(void **state)
{
	struct fixture *f = *state;
	struct block_device *d = open_part(f, KiB(32) + 512, KiB(64));

	write_pattern(d, 0, KiB(64), 1);
	block_close(d);
	d = open_part(f, 0, 0);
	assert_zeros(d, 0, KiB(32) + 512);
	assert_pattern(d, 0, 0, 1);
	for (size_t pos = 0; pos < KiB(64); pos += 512) {
		uint8_t got[512], want[512];

		assert_int_equal(block_read(d, KiB(32) + 512 + pos, got, 512), 0);
		pattern_fill(want, pos, 512, 1);
		assert_memory_equal(got, want, 512);
	}
	assert_zeros(d, KiB(96) + 512, SIZE - KiB(96) - 512);
	block_close(d);
}

static void an_odd_end_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct block_device *d;

	assert_int_equal(truncate(f->path, SIZE + 300), 0);
	d = open_part(f, 0, 0);
	assert_int_equal(d->size_bytes, SIZE);
	block_close(d);
}

static void read_only_writes_nothing(void **state)
{
	struct fixture *f = *state;
	struct block_device *d;
	uint8_t buf[512] = { 1 };

	assert_int_equal(chmod(f->path, 0444), 0);
	assert_int_equal(block_file_open(f->arena, f->path, true, 0, 0, &d), 0);
	assert_true(d->read_only);
	assert_int_equal(block_write(d, 0, buf, 512, 0), -EROFS);
	assert_int_equal(block_discard(d, 0, 512), -EROFS);
	assert_int_equal(block_flush(d), 0);
	assert_zeros(d, 0, SIZE);
	block_close(d);
}

static void a_discarded_range_takes_no_room(void **state)
{
	struct fixture *f = *state;
	struct block_device *d = open_part(f, 0, 0);
	struct stat before, after;
	int ret;

	write_pattern(d, 0, SIZE, 1);
	assert_int_equal(block_flush(d), 0);
	assert_int_equal(stat(f->path, &before), 0);
	ret = block_discard(d, KiB(64), KiB(512));
	if (ret == -EOPNOTSUPP) {
		block_close(d);
		skip();
	}
	assert_int_equal(ret, 0);
	assert_zeros(d, KiB(64), KiB(512));
	assert_int_equal(stat(f->path, &after), 0);
	assert_int_equal(after.st_size, SIZE);
	assert_true(after.st_blocks < before.st_blocks);
	block_close(d);
}

static void a_file_that_shrank_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct block_device *d = open_part(f, 0, 0);
	uint8_t buf[1024];

	assert_int_equal(truncate(f->path, KiB(64)), 0);
	assert_int_equal(block_read(d, KiB(64) - 512, buf, 1024), -EIO);
	assert_int_equal(block_read(d, KiB(64) - 512, buf, 512), 0);
	block_close(d);
}

static void what_is_no_file(void **state)
{
	struct fixture *f = *state;
	struct block_device *d;
	char why[BLOCK_WHY_MAX];

	assert_int_equal(block_file_open(f->arena, "/nonexistent/image", false, 0, 0, &d), -ENOENT);
	assert_int_equal(block_file_open(f->arena, "/tmp", true, 0, 0, &d), -EINVAL);
	assert_int_equal(block_file_open_why(f->arena, "/dev/null", false, 0, 0, &d, why), -EINVAL);
	assert_string_equal(why, "");
}

/* ---- who else has it */

enum holder { EXTANT_WRITES, EXTANT_READS, WRITES, READS, FLOCKS, FLOCKS_SHARED, LOCKS_A_BYTE };

/* Takes the file and keeps it; what is returned only says that it could. */
static bool hold(struct fixture *f, enum holder how)
{
	struct flock lock = { .l_type = F_RDLCK, .l_start = 100, .l_len = 1 };
	struct block_device *d;

	switch (how) {
	case EXTANT_WRITES:
	case EXTANT_READS:
		return !block_file_open(f->arena, f->path, how == EXTANT_READS, 0, 0, &d);
	case WRITES:
		return open(f->path, O_WRONLY) >= 0;
	case READS:
		return open(f->path, O_RDONLY) >= 0;
	case FLOCKS:
		return !flock(open(f->path, O_RDONLY), LOCK_EX);
	case FLOCKS_SHARED:
		return !flock(open(f->path, O_RDONLY), LOCK_SH);
	case LOCKS_A_BYTE:
		return !fcntl(open(f->path, O_RDONLY), F_SETLK, &lock);
	}
	return false;
}

/* A process that holds the file until it is killed. */
static pid_t start_holder(struct fixture *f, enum holder how)
{
	int ready[2];
	char ok = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		ok = hold(f, how);
		if (write(ready[1], &ok, 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &ok, 1), 1);
	close(ready[0]);
	close(ready[1]);
	assert_true(ok);
	return pid;
}

static void stop_holder(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void assert_refused(struct fixture *f, const char *path, bool read_only, const char *because)
{
	char why[BLOCK_WHY_MAX];
	struct block_device *d;
	int ret = block_file_open_why(f->arena, path, read_only, 0, 0, &d, why);

	if (!ret)
		block_close(d);
	if (!because) {
		assert_int_equal(ret, 0);
		assert_string_equal(why, "");
		return;
	}
	assert_int_equal(ret, -EBUSY);
	if (!strstr(why, because))
		fail_msg("\"%s\" does not say \"%s\"", why, because);
}

/* A loop device goes with its last user, and who looks at all of them is one for a moment. */
static void assert_free_soon(struct fixture *f, const char *path)
{
	char why[BLOCK_WHY_MAX];
	struct block_device *d;

	for (int tries = 0; tries < 1000; tries++) {
		if (!block_file_open_why(f->arena, path, false, 0, 0, &d, why)) {
			block_close(d);
			return;
		}
		usleep(20000);
	}
	fail_msg("still refused: %s", why);
}

static void others_are_found(void **state)
{
	struct fixture *f = *state;
	static const struct {
		enum holder how;
		const char *writer_refused, *reader_refused;	/* NULL: not refused */
	} rows[] = {
		{ EXTANT_WRITES, "open already", "open already" },
		{ EXTANT_READS, "open already", NULL },
		{ WRITES, "open for writing", "open for writing" },
		{ READS, NULL, NULL },
		{ FLOCKS, "flock", "flock" },
		{ FLOCKS_SHARED, "flock", NULL },
		{ LOCKS_A_BYTE, "locked it", NULL },
	};

	for (unsigned i = 0; i < array_size(rows); i++) {
		pid_t pid = start_holder(f, rows[i].how);

		assert_refused(f, f->path, false, rows[i].writer_refused);
		assert_refused(f, f->path, true, rows[i].reader_refused);
		stop_holder(pid);
		assert_refused(f, f->path, false, NULL);
	}
}

static void the_process_that_locks_is_named(void **state)
{
	struct fixture *f = *state;
	pid_t pid = start_holder(f, LOCKS_A_BYTE);
	char name[32];

	snprintf(name, sizeof(name), "process %d ", (int)pid);
	assert_refused(f, f->path, false, name);
	stop_holder(pid);
}

static void twice_in_one_process(void **state)
{
	struct fixture *f = *state;
	struct block_device *first = open_part(f, 0, 0), *second;
	char other[TEMP_PATH_MAX + 8];

	assert_refused(f, f->path, false, "open already");
	assert_refused(f, f->path, true, "open already");
	snprintf(other, sizeof(other), "%s.2", f->path);
	assert_int_equal(link(f->path, other), 0);
	assert_refused(f, other, false, "open already");
	unlink(other);
	block_close(first);

	assert_int_equal(block_file_open(f->arena, f->path, true, 0, 0, &first), 0);
	assert_int_equal(block_file_open(f->arena, f->path, true, 0, 0, &second), 0);
	assert_refused(f, f->path, false, "open already");
	block_close(second);
	block_close(first);
	assert_refused(f, f->path, false, NULL);
}

/*
 * Whoever opens the file while we look for writers is not told off, and we get no signal that
 * kills.
 */
static void looking_for_writers_disturbs_nobody(void **state)
{
	struct fixture *f = *state;
	pid_t pid = fork();

	if (!pid) {
		for (int i = 0; i < 2000; i++) {
			int fd = open(f->path, O_RDWR);

			if (fd < 0)
				_exit(1);
			close(fd);
		}
		_exit(0);
	}
	for (int status = 0, done = 0; !done; done = waitpid(pid, &status, WNOHANG) == pid) {
		struct block_device *d;
		int ret = block_file_open(f->arena, f->path, true, 0, 0, &d);

		assert_true(ret == 0 || ret == -EBUSY);
		if (!ret)
			block_close(d);
		if (done)
			assert_int_equal(status, 0);
	}
}

/* ---- loop devices */

/*
 * A loop device on the file, gone with this process at the latest; skips the test where there can
 * be none.
 */
static int loop_attach(struct fixture *f, bool read_only, char *path)
{
	const struct loop_info64 info = { .lo_flags = LO_FLAGS_AUTOCLEAR };
	int control = open("/dev/loop-control", O_RDWR), nr, loop, fd, ret;

	nr = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	if (nr < 0)
		skip();
	snprintf(path, TEMP_PATH_MAX, "/dev/loop%d", nr);
	loop = open(path, read_only ? O_RDONLY : O_RDWR);
	fd = open(f->path, read_only ? O_RDONLY : O_RDWR);
	ret = ioctl(loop, LOOP_SET_FD, fd);
	close(fd);
	if (loop < 0 || ret)
		skip();
	assert_int_equal(ioctl(loop, LOOP_SET_STATUS64, &info), 0);
	return loop;
}

static void loop_detach(int loop)
{
	assert_int_equal(ioctl(loop, LOOP_CLR_FD), 0);
	close(loop);
}

static void backing_a_loop_device(void **state)
{
	struct fixture *f = *state;
	char path[TEMP_PATH_MAX];
	int loop = loop_attach(f, false, path);

	assert_refused(f, f->path, false, path);
	assert_refused(f, f->path, true, path);
	loop_detach(loop);
	assert_free_soon(f, f->path);

	loop = loop_attach(f, true, path);
	assert_refused(f, f->path, false, path);
	assert_refused(f, f->path, true, NULL);
	loop_detach(loop);
}

static void a_block_special_file(void **state)
{
	struct fixture *f = *state;
	struct block_device *d;
	char path[TEMP_PATH_MAX];
	int loop = loop_attach(f, false, path), ret;

	assert_int_equal(block_file_open(f->arena, path, false, 0, 0, &d), 0);
	assert_int_equal(d->size_bytes, SIZE);
	write_pattern(d, KiB(64) - 512, KiB(128), 1);
	assert_int_equal(block_flush(d), 0);
	assert_pattern(d, KiB(64) - 512, KiB(128), 1);
	ret = block_discard(d, KiB(64), KiB(64));
	assert_true(ret == 0 || ret == -EOPNOTSUPP);
	assert_refused(f, path, false, "mounted");
	assert_refused(f, path, true, "mounted");
	block_close(d);
	loop_detach(loop);
}

static void a_mounted_image(void **state)
{
	struct fixture *f = *state;
	char path[TEMP_PATH_MAX], command[TEMP_PATH_MAX + 64], dir[] = "/tmp/extant-mount-XXXXXX";
	int loop;

	snprintf(command, sizeof(command), "mke2fs -q -F -t ext4 %s >/dev/null 2>&1", f->path);
	if (geteuid() || system(command) || !mkdtemp(dir))
		skip();
	loop = loop_attach(f, false, path);
	if (!mount(path, dir, "ext4", MS_RDONLY, NULL)) {
		assert_refused(f, path, false, "mounted");
		assert_refused(f, path, true, "mounted");
		assert_refused(f, f->path, false, path);
		assert_int_equal(umount(dir), 0);
	}
	loop_detach(loop);
	rmdir(dir);
}

#define with_file(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_file(part_and_size),
		with_file(a_part_lies_where_it_was_said),
		with_file(an_odd_end_is_left_alone),
		with_file(read_only_writes_nothing),
		with_file(a_discarded_range_takes_no_room),
		with_file(a_file_that_shrank_is_an_error),
		with_file(what_is_no_file),
		with_file(others_are_found),
		with_file(the_process_that_locks_is_named),
		with_file(twice_in_one_process),
		with_file(looking_for_writers_disturbs_nobody),
		with_file(backing_a_loop_device),
		with_file(a_block_special_file),
		with_file(a_mounted_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
