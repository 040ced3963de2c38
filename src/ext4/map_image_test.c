/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The map of a file on real images, with the journal and the allocator below it: what debugfs wrote
 * is found block by block, in extents and in block maps; files that are mapped, converted, cut and
 * truncated at random read back as an array says, across a new mount, and e2fsck finds nothing; nor
 * does it when several tasks do that to one file at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/assert.h"
#include "ext4/data.h"
#include "ext4/map.h"
#include "ext4/names.h"
#include "ext4/test_image.h"

#define BLOCKS 1200u

struct mounted {
	struct clock clock;
	struct log log;
	struct arena *arena;
	struct sched *sched;
	struct task *task;
	struct trace *trace;
	struct ext4_fs *fs;
	struct random random;
	char path[64];
};

static void print_line(void *arg, enum log_level level, const char *text)
{
	print_message("%s\n", text);
}

/* ---- an image, mounted */

static void make_image(struct mounted *m, const char *options)
{
	struct test_image img;
	int fd;

	test_image_make(&img, options, "48M", 10);
	strcpy(m->path, "/tmp/extant-map-XXXXXX");
	fd = mkstemp(m->path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, img.bytes, img.size), img.size);
	close(fd);
	test_image_unmap(&img);
}

static void mount_as(struct mounted *m, enum sched_mode mode)
{
	struct trace_options trace_opt = { .dialect = DIALECT_4_9, .clock = &m->clock };
	struct sched_options sched_opt = { .mode = SCHED_INLINE,
					   .clock = &m->clock,
					   .log = &m->log };
	struct ext4_mount_args args = {
		.clock = &m->clock, .log = &m->log, .image_name = "image", .seed = 1
	};
	struct ext4_options opt;

	ext4_default_options(&opt);
	opt.dialect = DIALECT_4_9;
	if (mode == SCHED_THREADED)
		clock_init_real(&m->clock);
	else
		clock_init_virtual(&m->clock, 1700000000LL * NSEC_PER_SEC, 0);
	m->log.message = print_line;
	m->arena = args.arena = arena_create();
	assert_int_equal(sched_create(m->arena, &sched_opt, &m->sched), 0);
	m->task = task_enter(m->sched, "test");
	assert_int_equal(trace_create(m->arena, &trace_opt, &m->trace), 0);
	assert_int_equal(block_file_open(m->arena, m->path, false, 0, 0, &args.device), 0);
	args.sched = m->sched;
	args.trace = m->trace;
	args.opt = &opt;
	assert_int_equal(ext4_mount(&args, &m->fs), 0);
}

static void mount_image(struct mounted *m)
{
	mount_as(m, SCHED_INLINE);
}

static void unmount_image(struct mounted *m)
{
	assert_int_equal(ext4_unmount(m->fs), 0);
	trace_destroy(m->trace);
	task_leave(m->task);
	sched_destroy(m->sched);
	arena_destroy(m->arena);
}

static void check_image(struct mounted *m)
{
	char command[200];

	(void)snprintf(command, sizeof(command),
		       "PATH=$PATH:/sbin:/usr/sbin e2fsck -fn %s >%s.log 2>&1", m->path, m->path);
	if (test_shell(command)) {
		(void)snprintf(command, sizeof(command), "cat %s.log", m->path);
		test_shell(command);
		fail();
	}
	(void)snprintf(command, sizeof(command), "rm %s.log", m->path);
	test_shell(command);
}

static struct inode *find_file(struct mounted *m, const char *name)
{
	struct ext4_name n = { name, strlen(name) };
	struct inode *root, *inode;
	uint32_t ino;
	uint8_t type;

	assert_int_equal(ext4_iget(m->fs, EXT4_ROOT_INO, IGET_NORMAL, &root), 0);
	rwlock_read(&root->lock);
	assert_int_equal(ext4_lookup(root, &n, &ino, &type), 0);
	rwlock_unread(&root->lock);
	assert_int_equal(ext4_iget(m->fs, ino, IGET_NORMAL, &inode), 0);
	ext4_iput(root);
	return inode;
}

static struct inode *create_file(struct mounted *m, const char *name)
{
	struct ext4_name n = { name, strlen(name) };
	struct ext4_cred cred = { 0 };
	struct inode *root, *inode;

	assert_int_equal(ext4_iget(m->fs, EXT4_ROOT_INO, IGET_NORMAL, &root), 0);
	rwlock_write(&root->lock);
	assert_int_equal(ext4_create(root, &n, 0644, &cred, &inode), 0);
	rwlock_unwrite(&root->lock);
	ext4_iput(root);
	return inode;
}

/* ---- reading what debugfs wrote */

static uint8_t first_byte(struct mounted *m, ext4_fsblk_t pblk)
{
	uint8_t bytes[512];

	assert_int_equal(
		block_read(m->fs->device, pblk << m->fs->geo.block_bits, bytes, sizeof(bytes)), 0);
	return bytes[0];
}

/* One byte in each third piece of 4 KiB: the rest may be holes or zeros. */
static void read_sparse(const char *options)
{
	struct mounted m = { 0 };
	struct inode *inode;
	uint32_t per_piece;

	make_image(&m, options);
	mount_image(&m);
	inode = find_file(&m, "sparse");
	per_piece = max(4096 / m.fs->geo.block_size, 1u);
	for (ext4_lblk_t b = 0; b < (702 << 12) / m.fs->geo.block_size;) {
		struct ext4_map map = { .lblk = b, .len = 100 };
		int n = ext4_map_blocks(NULL, inode, &map, 0);

		assert_true(n >= 0 && map.len > 0);
		for (uint32_t i = 0; i < map.len; i++) {
			bool written = (b + i) % (3 * per_piece) == 0 && (b + i) / per_piece <= 699;

			assert_true(n > 0 || !written);
			if (n > 0)
				assert_int_equal(first_byte(&m, map.pblk + i), written ? 'x' : 0);
		}
		b += map.len;
	}
	ext4_iput(inode);
	unmount_image(&m);
	check_image(&m);
	unlink(m.path);
}

static void what_debugfs_wrote_is_found(void **state)
{
	read_sparse("-t ext4 -b 4096");
	read_sparse("-t ext4 -b 1024");
	read_sparse("-t ext4 -b 4096 -O ^extent,^64bit");
	read_sparse("-t ext4 -b 1024 -O ^extent,^64bit");
}

/* ---- changing */

static uint8_t model[BLOCKS]; /* 0, 'W', 'U' */

static int map_some(struct inode *inode, ext4_lblk_t lblk, uint32_t len, uint32_t flags)
{
	struct ext4_fs *fs = inode->fs;
	struct ext4_map map = { .lblk = lblk, .len = len };
	struct handle *h;
	int n;

	assert_int_equal(ext4_journal_start(fs, inode->ino, HT_MAP_BLOCKS,
					    ext4_chunk_credits(inode, len), &h),
			 0);
	n = ext4_map_blocks(h, inode, &map, flags);
	for (int i = 0; i < n; i++)
		model[lblk + (uint32_t)i] = map.flags & MAPPED_UNWRITTEN ? 'U' : 'W';
	assert_int_equal(ext4_journal_stop(fs, h), 0);
	return n;
}

static void remove_some(struct inode *inode, ext4_lblk_t lblk, ext4_lblk_t last)
{
	struct ext4_fs *fs = inode->fs;
	struct handle *h;

	assert_int_equal(
		ext4_journal_start(fs, inode->ino, HT_TRUNCATE, ext4_chunk_credits(inode, 1), &h),
		0);
	rwlock_write(&inode->map_lock);
	ext4_discard_preallocations(inode);
	assert_int_equal(ext4_es_remove_extent(inode, lblk, last - lblk + 1), 0);
	assert_int_equal(ext4_ext_remove_space(h, inode, lblk, last), 0);
	rwlock_unwrite(&inode->map_lock);
	assert_int_equal(ext4_mark_inode_dirty(h, inode), 0);
	assert_int_equal(ext4_journal_stop(fs, h), 0);
	for (; lblk <= last && lblk < BLOCKS; lblk++)
		model[lblk] = 0;
}

/* All blocks lie within the size, as e2fsck wants it of written ones. */
static void set_size(struct inode *inode)
{
	struct ext4_fs *fs = inode->fs;
	struct handle *h;

	assert_int_equal(ext4_journal_start(fs, inode->ino, HT_INODE, 3, &h), 0);
	attr_write_begin(inode);
	inode->size = inode->disk_size = (uint64_t)BLOCKS << fs->geo.block_bits;
	attr_write_end(inode);
	assert_int_equal(ext4_mark_inode_dirty(h, inode), 0);
	assert_int_equal(ext4_journal_stop(fs, h), 0);
}

static void random_step(struct mounted *m, struct inode *inode)
{
	static const uint32_t ways[] = {
		MAP_CREATE,
		MAP_CREATE,
		MAP_CREATE | MAP_UNWRIT | MAP_NO_NORMALIZE,
		MAP_CREATE | MAP_METADATA_NOFAIL | MAP_IO_SUBMIT,
		MAP_CREATE | MAP_UNWRIT | MAP_TO_UNWRITTEN | MAP_NOCACHE,
	};
	ext4_lblk_t lblk = random_below(&m->random, BLOCKS);
	uint32_t len = 1 + random_below(&m->random, min(BLOCKS - lblk, 3u));
	uint32_t way = random_below(&m->random, 24);

	if (way < 20)
		assert_true(map_some(inode, lblk, len, ways[way % array_size(ways)]) > 0);
	else if (way < 23)
		remove_some(inode, lblk, lblk + len - 1);
	else if (!random_below(&m->random, 20))
		remove_some(inode, lblk, EXT4_MAX_LBLK);
}

/* Unwritten pieces may have been zeroed and be written: that reads the same. */
static void compare(struct inode *inode)
{
	for (ext4_lblk_t b = 0; b < BLOCKS; b++) {
		struct ext4_map map = { .lblk = b, .len = 1 };
		int n = ext4_map_blocks(NULL, inode, &map, 0);

		assert_int_equal(n > 0, model[b] != 0);
		if (model[b] == 'W')
			assert_true(map.flags & MAPPED_MAPPED);
	}
}

static void change(const char *options)
{
	struct mounted m = { 0 };
	struct inode *inode;

	make_image(&m, options);
	random_init_seed(&m.random, 5);
	memset(model, 0, sizeof(model));
	mount_image(&m);
	inode = create_file(&m, "new");
	set_size(inode);
	for (int i = 0; i < 4000; i++)
		random_step(&m, inode);
	compare(inode);
	assert_true(ext4_ext_depth(inode) >= 1);
	ext4_iput(inode);
	unmount_image(&m);
	check_image(&m);
	mount_image(&m);
	inode = find_file(&m, "new");
	compare(inode);
	remove_some(inode, 0, EXT4_MAX_LBLK);
	assert_int_equal(ext4_ext_depth(inode), 0);
	compare(inode);
	ext4_iput(inode);
	unmount_image(&m);
	check_image(&m);
	unlink(m.path);
}

static void changed_maps_read_back_and_e2fsck_agrees(void **state)
{
	change("-t ext4 -b 4096 -O metadata_csum,64bit,orphan_file,metadata_csum_seed");
	change("-t ext4 -b 1024 -O metadata_csum,64bit");
	change("-t ext4 -b 1024 -O ^has_journal,^metadata_csum");
}

/* ---- without memory */

/* As map_some and remove_some, with one allocation that fails: the image must stay whole. */
static int try_step(struct mounted *m, struct inode *inode)
{
	struct ext4_fs *fs = inode->fs;
	struct ext4_map map = { .lblk = random_below(&m->random, BLOCKS - 4),
				.len = 1 + random_below(&m->random, 3) };
	uint32_t flags = random_below(&m->random, 2) ? MAP_CREATE : MAP_CREATE | MAP_UNWRIT;
	struct handle *h;
	int err, stop;

	if (ext4_journal_start(fs, inode->ino, HT_MAP_BLOCKS, ext4_chunk_credits(inode, map.len),
			       &h))
		return -ENOMEM;
	arena_fail_at(m->arena, random_below(&m->random, 4));
	if (random_below(&m->random, 8)) {
		err = ext4_map_blocks(h, inode, &map, flags);
	} else {
		rwlock_write(&inode->map_lock);
		ext4_discard_preallocations(inode);
		err = ext4_es_remove_extent(inode, map.lblk, map.len);
		if (!err)
			err = ext4_ext_remove_space(h, inode, map.lblk, map.lblk + map.len - 1);
		rwlock_unwrite(&inode->map_lock);
	}
	arena_fail_at(m->arena, UINT64_MAX);
	stop = ext4_journal_stop(fs, h);
	assert_int_equal(stop, 0); /* the journal goes on */
	return err;
}

static void without_memory_the_image_stays_whole(void **state)
{
	struct mounted m = { 0 };
	struct inode *inode;
	int failed = 0;

	make_image(&m, "-t ext4 -b 1024");
	random_init_seed(&m.random, 9);
	mount_image(&m);
	inode = create_file(&m, "new");
	set_size(inode);
	for (int i = 0; i < 4000; i++) {
		if (i % 50 == 0) /* so that buffers and what is known must be had again */
			budget_reclaim(m.fs->budget);
		if (i % 10 == 0)
			ext4_es_clear(inode);
		failed += try_step(&m, inode) < 0;
	}
	assert_true(failed > 10);
	ext4_iput(inode);
	unmount_image(&m);
	check_image(&m);
	unlink(m.path);
}

/* ---- several tasks */

#define TASKS 4
#define STEPS 250
#define FEW_CREDITS 9 /* a leaf cut in two, and hardly more: the rest must be asked for */

struct worker {
	struct inode *inode;
	_Atomic int *at_work;
	struct random random;
	struct task *task;
};

static void punch(struct worker *w, ext4_lblk_t lblk, uint32_t len)
{
	struct ext4_fs *fs = w->inode->fs;
	struct handle *h;

	ensure(!ext4_journal_start(fs, w->inode->ino, HT_TRUNCATE, FEW_CREDITS, &h));
	rwlock_write(&w->inode->map_lock);
	ext4_discard_preallocations(w->inode);
	ensure(!ext4_es_remove_extent(w->inode, lblk, len));
	ensure(!ext4_ext_remove_space(h, w->inode, lblk, lblk + len - 1));
	rwlock_unwrite(&w->inode->map_lock);
	ensure(!ext4_journal_stop(fs, h));
}

static void work(void *arg)
{
	struct worker *w = arg;
	struct ext4_fs *fs = w->inode->fs;

	for (int i = 0; i < STEPS; i++) {
		struct ext4_map map = { .lblk = random_below(&w->random, BLOCKS - 4) };
		uint32_t flags = random_below(&w->random, 2) ? MAP_CREATE : MAP_CREATE | MAP_UNWRIT;
		struct handle *h;

		map.len = 1 + random_below(&w->random, 3);
		ensure(ext4_map_blocks(NULL, w->inode, &map, 0) >= 0);
		if (random_below(&w->random, 20) == 0)
			punch(w, map.lblk,
			      1 + random_below(&w->random, min(BLOCKS - map.lblk, 200u)));
		ensure(!ext4_journal_start(fs, w->inode->ino, HT_MAP_BLOCKS,
					   ext4_chunk_credits(w->inode, map.len) + 8, &h));
		ensure(ext4_map_blocks(h, w->inode, &map, flags) > 0);
		ensure(!ext4_journal_stop(fs, h));
	}
	atomic_fetch_sub(w->at_work, 1);
}

/*
 * While a commit waits for the open handles, they cannot be extended: removals go on in the next.
 */
static void commit_often(void *arg)
{
	struct worker *w = arg;

	while (atomic_load(w->at_work) > 1)
		ensure(!ext4_sync_fs(w->inode->fs, true));
}

static void tasks_share(enum sched_mode mode)
{
	struct worker workers[TASKS];
	_Atomic int at_work = TASKS;
	struct mounted m = { 0 };
	struct inode *inode;

	make_image(&m, "-t ext4 -b 1024");
	mount_as(&m, mode);
	inode = create_file(&m, "new");
	set_size(inode);
	for (uint32_t i = 0; i < TASKS; i++) {
		workers[i].inode = inode;
		workers[i].at_work = &at_work;
		random_init_seed(&workers[i].random, i);
		assert_int_equal(task_spawn(m.sched, "worker", i ? work : commit_often, &workers[i],
					    &workers[i].task),
				 0);
	}
	for (uint32_t i = 0; i < TASKS; i++)
		task_join(workers[i].task);
	ext4_iput(inode);
	unmount_image(&m);
	check_image(&m);
	unlink(m.path);
}

static void commit_once(void *arg)
{
	ensure(!ext4_sync_fs(arg, true));
}

/*
 * The commit waits for the handle, which needs more credits than it has: it leaves the transaction.
 */
static void a_removal_goes_on_in_the_next_transaction(void **state)
{
	struct mounted m = { 0 };
	struct task *committer;
	struct inode *inode;
	struct handle *h;
	tid_t tid;

	make_image(&m, "-t ext4 -b 1024");
	mount_image(&m);
	inode = create_file(&m, "new");
	set_size(inode);
	for (ext4_lblk_t b = 0; b < BLOCKS; b += 7)
		assert_true(map_some(inode, b, 1, MAP_CREATE) > 0);
	assert_int_equal(ext4_journal_start(m.fs, inode->ino, HT_TRUNCATE, 4, &h), 0);
	tid = handle_tid(h);
	assert_int_equal(task_spawn(m.sched, "committer", commit_once, m.fs, &committer), 0);
	sched_settle(m.sched);
	rwlock_write(&inode->map_lock);
	assert_int_equal(ext4_es_remove_extent(inode, 0, UINT32_MAX), 0);
	assert_int_equal(ext4_ext_remove_space(h, inode, 0, EXT4_MAX_LBLK), 0);
	rwlock_unwrite(&inode->map_lock);
	assert_true(tid_after(handle_tid(h), tid));
	assert_int_equal(ext4_journal_stop(m.fs, h), 0);
	task_join(committer);
	assert_int_equal(ext4_ext_depth(inode), 0);
	ext4_iput(inode);
	unmount_image(&m);
	check_image(&m);
	unlink(m.path);
}

static void tasks_share_a_file(void **state)
{
	tasks_share(SCHED_SEEDED);
	tasks_share(SCHED_THREADED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_debugfs_wrote_is_found),
		cmocka_unit_test(changed_maps_read_back_and_e2fsck_agrees),
		cmocka_unit_test(without_memory_the_image_stays_whole),
		cmocka_unit_test(a_removal_goes_on_in_the_next_transaction),
		cmocka_unit_test(tasks_share_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
