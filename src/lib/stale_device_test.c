/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Write-back in trouble; then what there is is committed, and the power fails. No file shows what
 * others had left on the disk, or what it was itself before.
 *
 *	reads fail	in the middle of a page, at each read of the device in turn. The page's two blocks are mapped
 *			each for itself, in a leaf of the extent tree of its own; with the second, the next leaf is
 *			looked at
 *	writes last	while a page is on its way to the device, a part of it is punched out
 *
 * The disk is filled with 's' first. Pages hold four blocks.
 */
#include <errno.h>
#include <linux/falloc.h>
#include "block/filter.h"
#include "lib/fault_testing.h"

/* A write has taken its bytes, and goes on for a while. */
struct late {
	struct block_filter filter;
	int64_t write_ns;
};

static int late_write(struct block_device *d, const struct block_io *io)
{
	int64_t ns = container_of(d, struct late, filter.dev)->write_ns;
	int err = filter_write(d, io);

	if (ns)
		task_sleep(ns);
	return err;
}

static const struct block_ops late_ops = {
	.read = filter_read,
	.write = late_write,
	.flush = filter_flush,
	.discard = filter_discard,
	.close = filter_close,
};

/* A mount that may get into trouble. */
struct trial {
	struct rig rig;
	struct late *late;
	struct extant *x;
};

static void trial_init(struct trial *t)
{
	rig_init(&t->rig);
	t->late = filter_alloc(t->rig.arena, sizeof(*t->late), &late_ops, t->rig.fault);
	assert_non_null(t->late);
	t->x = mount_on(&t->rig, &t->late->filter.dev);
}

static void trial_fini(struct trial *t)
{
	ignore_result(extant_unmount(t->x)); /* it may have failed for good */
	rig_fini(&t->rig);
}

static void fill_disk(void)
{
	struct extant *x = NULL;
	int64_t at = 0;
	int fd;

	make_image("-b 1024", "8M");
	assert_int_equal(extant_mount(image, NULL, &x), 0);
	fd = open_file(x, "/filler");
	while (put(x, fd, at, 1024, 's') == 1024)
		at += 1024;
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_sync(x), 0);
	assert_int_equal(extant_unlink(x, "/filler"), 0);
	assert_int_equal(extant_unmount(x), 0);
}

#define LEAF_ENTRIES 84
#define SECOND_LEAF	(2 * LEAF_ENTRIES + 1) /* its first block, the second of its page */
#define THIRD_LEAF	(4 * LEAF_ENTRIES + 1)

static int64_t at_block(int64_t block)
{
	return block * 1024;
}

static void punch(struct extant *x, int fd, int64_t first, int64_t end)
{
	assert_int_equal(extant_fallocate(x, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					  at_block(first), at_block(end - first)), 0);
}

/* Every other block has an extent; the first leaf has one place left, the second one extent. */
static void make_pieces(struct extant *x, int fd)
{
	for (int i = 1; i <= THIRD_LEAF; i += 2)
		assert_int_equal(put(x, fd, at_block(i), 1024, 'p'), 1024);
	assert_int_equal(extant_fsync(x, fd), 0);
	punch(x, fd, SECOND_LEAF - 2, SECOND_LEAF - 1);
	punch(x, fd, SECOND_LEAF + 1, THIRD_LEAF);
	assert_int_equal(extant_fsync(x, fd), 0);
}

static void make_empty(struct extant *x, int fd)
{
	assert_int_equal(extant_fsync(x, fd), 0);
}

static int commit(void *arg)
{
	struct ext4_fs *fs = arg;

	ignore_result(jbd2_journal_force_commit(fs->journal)); /* it may have aborted */
	return 0;
}

/* What the power failure left of the file, to `len` bytes of it. */
static int64_t read_after_failure(struct trial *t, uint8_t *buf, size_t len)
{
	struct extant *x = mount_after_failure(&t->rig);
	int fd = open_file(x, "/a");
	int64_t n = extant_pread(x, fd, buf, len, 0);

	assert_true(n >= 0);
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unmount(x), 0);
	return n;
}

static void assert_nothing_stale(struct trial *t)
{
	static uint8_t buf[1 << 19];
	int64_t n = read_after_failure(t, buf, sizeof(buf));

	assert_null(memchr(buf, 's', (size_t)n));
}

struct file {
	void (*make)(struct extant *x, int fd);
	int64_t first, second; /* blocks to be written, of one page */
};

/* True: a read failed. */
static bool write_back(const struct file *f, uint64_t nth)
{
	struct trial t;
	bool failed;
	int fd;

	trial_init(&t);
	fd = open_file(t.x, "/a");
	f->make(t.x, fd);
	assert_int_equal(put(t.x, fd, at_block(f->first), 10, 'a'), 10);
	assert_int_equal(put(t.x, fd, at_block(f->second), 10, 'b'), 10);
	forget(t.x);
	block_fault_at(t.rig.fault, FAULT_READ, nth, -EIO, false);
	failed = extant_fsync(t.x, fd) != 0;
	block_fault_clear(t.rig.fault);
	assert_int_equal(task_call(t.x->sched, "commit", commit, t.x->vfs->fs), 0);
	assert_nothing_stale(&t);
	ignore_result(extant_close(t.x, fd));
	trial_fini(&t);
	return failed;
}

static int write_backs(const struct file *f)
{
	int failed = 0;

	for (uint64_t n = 0; n < 10; n++)
		failed += write_back(f, n);
	return failed;
}

static void reads_fail(void **state)
{
	(void)state;
	/* The bitmap and three leaves. */
	assert_true(write_backs(&(struct file){ make_pieces, SECOND_LEAF - 1, SECOND_LEAF + 1 }) >=
		    4);
}

static void reads_fail_without_a_tree(void **state)
{
	(void)state;
	assert_true(write_backs(&(struct file){ make_empty, 0, 2 }) >= 1);
}

/* ---- writes last */

#define WRITE_NS	(50 * NSEC_PER_MSEC)
#define PUNCH_FROM	512
#define PUNCH_LEN	200

struct slow {
	struct trial trial;
	int fd;
};

static void sync_it(void *arg)
{
	struct slow *s = arg;

	assert_int_equal(extant_fsync(s->trial.x, s->fd), 0);
}

static int punch_meanwhile(void *arg)
{
	struct slow *s = arg;
	struct extant *x = s->trial.x;
	struct task *t;

	s->trial.late->write_ns = WRITE_NS;
	assert_int_equal(task_spawn(x->sched, "sync", sync_it, s, &t), 0);
	task_sleep(WRITE_NS / 5);
	assert_int_equal(extant_fallocate(x, s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					  PUNCH_FROM, PUNCH_LEN), 0);
	ignore_result(commit(x->vfs->fs));
	task_join(t);
	return 0;
}

static void punched_while_written(void **state)
{
	static uint8_t buf[4096];
	struct slow s;

	(void)state;
	trial_init(&s.trial);
	s.fd = open_file(s.trial.x, "/a");
	assert_int_equal(put(s.trial.x, s.fd, 0, 4096, 'a'), 4096);
	assert_int_equal(extant_fsync(s.trial.x, s.fd), 0);
	assert_int_equal(put(s.trial.x, s.fd, 0, 4096, 'b'), 4096);
	assert_int_equal(task_call(s.trial.x->sched, "main", punch_meanwhile, &s), 0);
	assert_int_equal(read_after_failure(&s.trial, buf, sizeof(buf)), 4096);
	assert_int_equal(buf[PUNCH_FROM - 1], 'b');
	assert_null(memchr(buf + PUNCH_FROM, 'b', PUNCH_LEN));
	assert_int_equal(extant_close(s.trial.x, s.fd), 0);
	trial_fini(&s.trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_fail),
		cmocka_unit_test(reads_fail_without_a_tree),
		cmocka_unit_test(punched_while_written),
	};
	int failed = prepare_test();

	if (failed)
		return failed;
	fill_disk();
	return run_image_tests(tests);
}
