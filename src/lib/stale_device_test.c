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
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "block/filter.h"
#include "lib/lib.h"

static char image[] = "/tmp/extant-stale-XXXXXX";

/* A write has taken its bytes, and goes on for a while. */
struct late {
	struct block_filter filter;
	int64_t write_ns;
};

struct rig {
	struct arena *arena;
	struct block_device *cow, *fault;
	struct late *late;
	struct clock clock;
	struct extant *x;
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

static struct extant *mount_on(struct rig *r, struct block_device *device)
{
	struct extant_options opt;
	struct lib_mount_args args = {
		.image = image, .opt = &opt, .clock = &r->clock, .device = device
	};
	struct extant *x = NULL;

	extant_options_init(&opt);
	opt.mode = EXTANT_INLINE;
	assert_int_equal(lib_mount(&args, &x), 0);
	return x;
}

static void rig_init(struct rig *r)
{
	struct block_device *file, *share;

	*r = (struct rig){ .arena = arena_create() };
	clock_init_virtual(&r->clock, 1700000000LL * NSEC_PER_SEC, 0);
	assert_int_equal(block_file_open(r->arena, image, true, 0, 0, &file), 0);
	assert_int_equal(block_cow_create(r->arena, file, &r->cow), 0);
	assert_int_equal(block_share_create(r->arena, r->cow, &share), 0);
	assert_int_equal(block_fault_create(r->arena, share, &r->fault), 0);
	r->late = filter_alloc(r->arena, sizeof(*r->late), &late_ops, r->fault);
	assert_non_null(r->late);
	r->x = mount_on(r, &r->late->filter.dev);
}

static void rig_fini(struct rig *r)
{
	ignore_result(extant_unmount(r->x)); /* it may have failed for good */
	block_close(r->cow);
	arena_destroy(r->arena);
}

static int open_file(struct extant *x, const char *path)
{
	int fd = extant_open(x, path, O_CREAT | O_RDWR, 0644);

	assert_true(fd >= 0);
	return fd;
}

static int64_t put(struct extant *x, int fd, int64_t at, size_t len, char fill)
{
	static char buf[8192];

	memset(buf, fill, len);
	return extant_pwrite(x, fd, buf, len, at);
}

static void fill_disk(void)
{
	char cmd[256];
	struct extant *x = NULL;
	int64_t at = 0;
	int fd;

	(void)snprintf(cmd, sizeof(cmd), "mke2fs -q -F -t ext4 -b 1024 -N 64 %s 8M >/dev/null", image);
	assert_int_equal(system(cmd), 0);
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

/* Whatever is wanted is read again. */
static int forget(void *arg)
{
	struct ext4_fs *fs = arg;
	int err = jbd2_journal_flush(fs->journal);

	buffer_cache_invalidate(fs->buffers);
	return err;
}

static int commit(void *arg)
{
	struct ext4_fs *fs = arg;

	ignore_result(jbd2_journal_force_commit(fs->journal)); /* it may have aborted */
	return 0;
}

/* What the power failure left of the file, to `len` bytes of it. */
static int64_t read_after_failure(struct rig *r, uint8_t *buf, size_t len)
{
	struct block_device *share, *copy;
	struct extant *x;
	int64_t n;
	int fd;

	assert_int_equal(block_share_create(r->arena, r->cow, &share), 0);
	assert_int_equal(block_cow_create(r->arena, share, &copy), 0);
	x = mount_on(r, copy);
	fd = open_file(x, "/a");
	n = extant_pread(x, fd, buf, len, 0);
	assert_true(n >= 0);
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unmount(x), 0);
	return n;
}

static void assert_nothing_stale(struct rig *r)
{
	static uint8_t buf[1 << 19];
	int64_t n = read_after_failure(r, buf, sizeof(buf));

	assert_null(memchr(buf, 's', (size_t)n));
}

struct file {
	void (*make)(struct extant *x, int fd);
	int64_t first, second; /* blocks to be written, of one page */
};

/* True: a read failed. */
static bool write_back(const struct file *f, uint64_t nth)
{
	bool failed;
	struct rig r;
	int fd;

	rig_init(&r);
	fd = open_file(r.x, "/a");
	f->make(r.x, fd);
	assert_int_equal(put(r.x, fd, at_block(f->first), 10, 'a'), 10);
	assert_int_equal(put(r.x, fd, at_block(f->second), 10, 'b'), 10);
	assert_int_equal(task_call(r.x->sched, "forget", forget, r.x->vfs->fs), 0);
	block_fault_at(r.fault, FAULT_READ, nth, -EIO, false);
	failed = extant_fsync(r.x, fd) != 0;
	block_fault_clear(r.fault);
	assert_int_equal(task_call(r.x->sched, "commit", commit, r.x->vfs->fs), 0);
	assert_nothing_stale(&r);
	ignore_result(extant_close(r.x, fd));
	rig_fini(&r);
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
	struct rig rig;
	int fd;
};

static void sync_it(void *arg)
{
	struct slow *s = arg;

	assert_int_equal(extant_fsync(s->rig.x, s->fd), 0);
}

static int punch_meanwhile(void *arg)
{
	struct slow *s = arg;
	struct task *t;

	s->rig.late->write_ns = WRITE_NS;
	assert_int_equal(task_spawn(s->rig.x->sched, "sync", sync_it, s, &t), 0);
	task_sleep(WRITE_NS / 5);
	assert_int_equal(extant_fallocate(s->rig.x, s->fd,
					  FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PUNCH_FROM,
					  PUNCH_LEN), 0);
	ignore_result(commit(s->rig.x->vfs->fs));
	task_join(t);
	return 0;
}

static void punched_while_written(void **state)
{
	static uint8_t buf[4096];
	struct slow s;

	(void)state;
	rig_init(&s.rig);
	s.fd = open_file(s.rig.x, "/a");
	assert_int_equal(put(s.rig.x, s.fd, 0, 4096, 'a'), 4096);
	assert_int_equal(extant_fsync(s.rig.x, s.fd), 0);
	assert_int_equal(put(s.rig.x, s.fd, 0, 4096, 'b'), 4096);
	assert_int_equal(task_call(s.rig.x->sched, "main", punch_meanwhile, &s), 0);
	assert_int_equal(read_after_failure(&s.rig, buf, sizeof(buf)), 4096);
	assert_int_equal(buf[PUNCH_FROM - 1], 'b');
	assert_null(memchr(buf + PUNCH_FROM, 'b', PUNCH_LEN));
	assert_int_equal(extant_close(s.rig.x, s.fd), 0);
	rig_fini(&s.rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_fail),
		cmocka_unit_test(reads_fail_without_a_tree),
		cmocka_unit_test(punched_while_written),
	};
	int fd = mkstemp(image), failed;

	if (fd < 0 || system("PATH=$PATH:/sbin:/usr/sbin command -v mke2fs >/dev/null")) {
		printf("skipped: no mke2fs\n");
		return 77;
	}
	close(fd);
	(void)setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	fill_disk();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(image);
	return failed;
}
