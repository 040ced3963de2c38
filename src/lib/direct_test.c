/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files opened with O_DIRECT.
 *
 *	mixed		random writes, direct and through the cache, reads, holes and cuts, against an
 *			array of bytes; on extents and block maps, pages of one block and of several,
 *			with every data mode; as both dialects
 *	large		calls of many stretches and handles
 *	alignment	what is refused, as each dialect does it
 *	failures	each call of the device fails in turn, or the disk is full of what others left:
 *			nothing of that is seen, neither by this mount nor by the one after a power
 *			failure, and the size covers no block that was not written
 *	stable		O_DSYNC keeps its word
 *	first		a commit comes between the map's change and the bytes, then the power fails
 *	together	a direct write under way, and who wants to cut the file or reads it through the
 *			cache
 *
 * DIRECT_SEED draws another sequence. Skips where mke2fs is missing.
 */
#include <errno.h>
#include <linux/falloc.h>
#include "block/filter.h"
#include "lib/fault_testing.h"

#define MODEL_BYTES (1u << 19)

static uint8_t model[MODEL_BYTES], seen[MODEL_BYTES] __attribute__((aligned(4096)));
static uint8_t bytes[MODEL_BYTES] __attribute__((aligned(4096)));
static uint64_t size, random_state = 1;

static uint64_t below(uint64_t n)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (random_state >> 33) % n;
}

static struct extant *mount_image(const char *options)
{
	struct extant_options o;
	struct extant *x = NULL;

	extant_options_init(&o);
	o.mode = EXTANT_INLINE;
	o.mount_options = options;
	assert_int_equal(extant_mount(image, &o, &x), 0);
	return x;
}

static int open_direct(struct extant *x, const char *path, int more)
{
	int fd = extant_open(x, path, O_CREAT | O_RDWR | O_DIRECT | more, 0644);

	assert_true(fd >= 0);
	return fd;
}

static void assert_clean(void)
{
	char cmd[128];

	(void)snprintf(cmd, sizeof(cmd), "e2fsck -fn %s >/dev/null 2>&1", image);
	assert_int_equal(system(cmd), 0);
}

/* ---- mixed */

struct pair {				/* of descriptors of one file */
	struct extant *x;
	int direct, cached;
	bool extents;
};

static void grow_to(uint64_t end)
{
	if (end <= size)
		return;
	memset(model + size, 0, end - size);
	size = end;
}

static void write_to(struct extant *x, int fd, uint64_t at, uint64_t len)
{
	for (uint64_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(1 + below(255));
	assert_int_equal(extant_pwrite(x, fd, bytes, len, (int64_t)at), (int64_t)len);
	grow_to(at + len);
	memcpy(model + at, bytes, len);
}

static void read_from(struct extant *x, int fd, uint64_t at, uint64_t len)
{
	uint64_t want = at < size ? min(len, size - at) : 0;

	assert_int_equal(extant_pread(x, fd, seen, len, (int64_t)at), (int64_t)want);
	for (uint64_t i = 0; i < want; i++)
		if (seen[i] != model[at + i])
			fail_msg("byte %llu is %02x, not %02x", (unsigned long long)(at + i),
				 seen[i], model[at + i]);
}

static void change_size(struct pair *p, uint64_t at)
{
	assert_int_equal(extant_ftruncate(p->x, p->cached, (int64_t)at), 0);
	grow_to(at);
	size = at;
}

static void change_range(struct pair *p, uint64_t at, uint64_t len)
{
	uint64_t kind = p->extents ? below(3) : 1;
	int mode = kind == 0   ? FALLOC_FL_KEEP_SIZE
		   : kind == 1 ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
			       : 0;

	assert_int_equal(extant_fallocate(p->x, p->cached, mode, (int64_t)at, (int64_t)len), 0);
	if (mode & FALLOC_FL_PUNCH_HOLE && at < size)
		memset(model + at, 0, min(len, size - at));
	if (!mode)
		grow_to(at + len);
}

static void one(struct pair *p)
{
	uint64_t len = 1 + below(30 * 1024), at = below(MODEL_BYTES - 64 * 1024);
	uint64_t whole = (1 + below(60)) * 512, sector = at / 512 * 512;

	switch (below(10)) {
	case 0:
	case 1:
	case 2:
		write_to(p->x, p->direct, below(4) ? sector : min(size / 512 * 512, sector), whole);
		break;
	case 3:
	case 4:
		read_from(p->x, p->direct, sector, whole);
		break;
	case 5:
		write_to(p->x, p->cached, at, len);
		break;
	case 6:
		read_from(p->x, p->cached, at, len);
		break;
	case 7:
		change_size(p, at);
		break;
	case 8:
		change_range(p, at, len);
		break;
	default:
		if (!below(4))
			assert_int_equal(
				below(2) ? extant_fsync(p->x, p->direct) : extant_sync(p->x), 0);
	}
}

static void run(const char *mkfs, const char *options)
{
	size = 0;
	make_image(mkfs, "32M");
	for (int round = 0; round < 3; round++) {
		struct pair p = { .x = mount_image(options), .extents = !strstr(mkfs, "^extent") };

		p.direct = open_direct(p.x, "/f", 0);
		p.cached = open_file(p.x, "/f");
		for (int i = 0; i < 120; i++) {
			if (below(2))
				read_from(p.x, p.cached, 0, MODEL_BYTES);
			one(&p);
		}
		read_from(p.x, p.direct, 0, MODEL_BYTES);
		assert_int_equal(extant_close(p.x, p.direct), 0);
		assert_int_equal(extant_close(p.x, p.cached), 0);
		assert_int_equal(extant_unmount(p.x), 0);
		assert_clean();
	}
}

static void mixed_with_extents(void **state)
{
	(void)state;
	run("-b 4096 -J size=4", NULL);
	run("-b 1024 -J size=1", "dialect=4.9");
	run("-b 1024 -J size=1 -O orphan_file", "nodelalloc,dioread_lock");
	run("-b 2048 -J size=4", "data=writeback,dioread_nolock,dialect=4.9");
	run("-b 65536 2>/dev/null", NULL);
	run("-b 1024 -O ^has_journal", NULL);
}

static void mixed_with_block_maps(void **state)
{
	(void)state;
	run("-b 1024 -J size=1 -O ^extent,^64bit", NULL);
	run("-b 4096 -J size=4 -O ^extent,^64bit", "dialect=4.9");
	run("-b 1024 -O ^extent,^64bit,^has_journal", NULL);
}

static void mixed_with_the_log(void **state)
{
	(void)state;
	run("-b 1024 -J size=4", "data=journal");
	run("-b 4096 -J size=4", "data=journal,dialect=4.9");
}

/* ---- one call of many stretches */

#define LARGE_BYTES (20u << 20)

static void assert_large(struct extant *x, int fd, const uint8_t *wanted, uint8_t *read)
{
	assert_int_equal(extant_pread(x, fd, read, LARGE_BYTES, 0), LARGE_BYTES);
	assert_memory_equal(wanted, read, LARGE_BYTES);
}

static void large_on(const char *mkfs, const char *options)
{
	uint8_t *wanted = malloc(LARGE_BYTES + 1), *read = malloc(LARGE_BYTES);
	struct extant *x;
	int fd, cached;

	assert_true(wanted && read);
	make_image(mkfs, "64M");
	x = mount_image(options);
	fd = open_direct(x, "/large", 0);
	cached = open_file(x, "/large");
	for (int round = 0; round < 3; round++) {	/* a new file, all its blocks, a hole */
		for (uint32_t i = 0; i < LARGE_BYTES; i++)
			wanted[i] = (uint8_t)((i >> 10) * 7 + i + round);
		assert_int_equal(extant_pwrite(x, fd, wanted, LARGE_BYTES, 0), LARGE_BYTES);
		assert_large(x, fd, wanted, read);
		assert_large(x, cached, wanted, read);
		if (round == 1) {
			assert_int_equal(extant_ftruncate(x, fd, 0), 0);
			assert_int_equal(extant_ftruncate(x, fd, LARGE_BYTES), 0);
		}
	}
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_close(x, cached), 0);
	assert_int_equal(extant_unmount(x), 0);
	assert_clean();
	free(wanted);
	free(read);
}

static void large(void **state)
{
	(void)state;
	large_on("-b 1024 -J size=1", NULL);
	large_on("-b 1024 -J size=1 -O ^extent,^64bit", NULL);
}

/* ---- alignment */

static void refused_by_6_18(struct extant *x)
{
	int fd = open_direct(x, "/a", 0);

	assert_int_equal(extant_pwrite(x, fd, bytes + 1, 8192, 0), 8192); /* memory: any address */
	assert_int_equal(extant_pread(x, fd, seen + 3, 8192, 0), 8192);
	assert_int_equal(extant_pwrite(x, fd, bytes, 512, 100), -EINVAL);
	assert_int_equal(extant_pwrite(x, fd, bytes, 100, 512), -EINVAL);
	assert_int_equal(extant_pread(x, fd, seen, 100, 0), -EINVAL);
	assert_int_equal(extant_pread(x, fd, seen, 100, 8192), 0); /* nothing there to be refused */
	assert_int_equal(extant_pread(x, fd, seen, 0, 1), 0);
	assert_int_equal(extant_ftruncate(x, fd, 1 << 20), 0);
	assert_int_equal(extant_pread(x, fd, seen, 100, 65537), 100); /* a hole */
	assert_int_equal(extant_pwrite(x, fd, bytes, 100, 65537), -EINVAL);
	assert_int_equal(extant_close(x, fd), 0);
}

static void refused_by_4_9(struct extant *x)
{
	int fd = open_direct(x, "/b", 0);

	assert_int_equal(extant_pwrite(x, fd, bytes + 1, 8192, 0), -EINVAL);
	assert_int_equal(extant_pwrite(x, fd, bytes + 512, 8192, 0), 8192);
	assert_int_equal(extant_pread(x, fd, seen + 3, 8192, 0), -EINVAL);
	assert_int_equal(extant_pread(x, fd, seen, 100, 8192), -EINVAL);
	assert_int_equal(extant_pread(x, fd, seen, 512, 8192), 0);
	assert_int_equal(extant_ftruncate(x, fd, 1 << 20), 0);
	assert_int_equal(extant_pread(x, fd, seen, 100, 65536), -EINVAL);
	assert_int_equal(extant_close(x, fd), 0);
}

static void alignment(void **state)
{
	struct extant *x;
	int fd;

	(void)state;
	make_image("-b 4096", "8M");
	x = mount_image("dialect=6.18");
	refused_by_6_18(x);
	assert_int_equal(extant_open(x, "/", O_RDONLY | O_DIRECT, 0), -EINVAL);
	fd = open_direct(x, "/c", O_APPEND);
	assert_int_equal(extant_write(x, fd, bytes, 512), 512);
	assert_int_equal(extant_ftruncate(x, fd, 700), 0);
	assert_int_equal(extant_write(x, fd, bytes, 512), -EINVAL);
	assert_int_equal(extant_pread(x, fd, seen, 512, 512), 188);
	assert_int_equal(extant_file_flags(x, fd) & O_DIRECT, O_DIRECT);
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unmount(x), 0);
	x = mount_image("dialect=4.9");
	refused_by_4_9(x);
	assert_int_equal(extant_unmount(x), 0);
	assert_clean();
}

/* ---- failures */

/* The disk holds 's' wherever nothing else lies. */
static void fill_disk(const char *mkfs)
{
	struct extant *x = NULL;
	int64_t at = 0;
	int fd;

	make_image(mkfs, "8M");
	assert_int_equal(extant_mount(image, NULL, &x), 0);
	fd = open_file(x, "/filler");
	while (put(x, fd, at, 4096, 's') == 4096)
		at += 4096;
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_sync(x), 0);
	assert_int_equal(extant_unlink(x, "/filler"), 0);
	assert_int_equal(extant_unmount(x), 0);
}

/* A file with a beginning, a hole, unwritten blocks, and an end in the middle of a block. */
static int make_file(struct extant *x)
{
	int fd = open_direct(x, "/f", 0);

	assert_int_equal(put(x, fd, 0, 1024, 'a'), 1024);
	assert_int_equal(put(x, fd, 65536, 1536, 'a'), 1536);
	ignore_result(extant_fallocate(x, fd, FALLOC_FL_KEEP_SIZE, 32768,
				       16384)); /* not with block maps */
	ignore_result(extant_fallocate(x, fd, FALLOC_FL_KEEP_SIZE, 262144, 16384));
	assert_int_equal(extant_fsync(x, fd), 0);
	return fd;
}

/* In block maps, what lies in a hole within the size goes through the cache: another test's. */
static const struct {
	int64_t at;
	size_t len;
	bool hole;
} places[] = {
	{ 0, 1024 },           { 512, 512 },          { 67072, 512 },        { 69632, 8192 },
	{ 100352, 1536 },      { 262144, 8192 },      { 267776, 512 },       { 20480, 4096, true },
	{ 20992, 1024, true }, { 32768, 4096, true }, { 36352, 9216, true }, { 40960, 40960, true },
};

/* Bytes that were never written read as zeroes. */
static void assert_nothing_stale(struct extant *x, int fd)
{
	struct extant_stat st;

	assert_int_equal(extant_fstat(x, fd, &st), 0);
	assert_int_equal(extant_pread(x, fd, seen, sizeof(seen), 0), (int64_t)st.size);
	assert_null(memchr(seen, 's', st.size));
	/* The size covers what was written, and no more. */
	assert_true(seen[st.size - 1] == 'd' || (st.size == 67072 && seen[67071] == 'a'));
}

static int commit(void *arg)
{
	struct ext4_fs *fs = arg;

	return fs->journal ? jbd2_journal_force_commit(fs->journal) : 0;
}

static void look_after_failure(struct rig *rig)
{
	struct extant *x = mount_after_failure(rig);
	int fd = open_file(x, "/f");

	assert_nothing_stale(x, fd);
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unmount(x), 0);
}

/* One write with the call number `nth` failing. False: there was no such call. */
static bool write_fails(size_t place, uint64_t nth, unsigned what)
{
	uint64_t calls;
	struct rig rig;
	struct extant *x;
	int64_t n;
	int fd;

	rig_init(&rig);
	x = mount_on(&rig, rig.fault);
	fd = make_file(x);
	calls = block_fault_calls(rig.fault);
	block_fault_at(rig.fault, what, nth, -EIO, false);
	n = put(x, fd, places[place].at, places[place].len, 'd');
	calls = block_fault_calls(rig.fault) - calls;
	block_fault_clear(rig.fault);
	assert_true(n == (int64_t)places[place].len || n == -EIO);
	assert_nothing_stale(x, fd);
	ignore_result(task_call(x->sched, "commit", commit, x->vfs->fs));
	look_after_failure(&rig);
	ignore_result(extant_close(x, fd));
	ignore_result(extant_unmount(x)); /* it may have failed for good */
	assert_sound(&rig);
	rig_fini(&rig);
	return calls > nth;
}

static void failures_on(const char *mkfs)
{
	fill_disk(mkfs);
	for (size_t i = 0; i < array_size(places) && !(places[i].hole && strstr(mkfs, "^extent"));
	     i++)
		for (uint64_t nth = 0; nth < 8 && write_fails(i, nth, FAULT_WRITE | FAULT_READ);
		     nth++)
			;
}

static void device_fails(void **state)
{
	(void)state;
	failures_on("-b 4096");
	failures_on("-b 1024");
	failures_on("-b 1024 -O ^extent,^64bit");
}

static void disk_is_full(void **state)
{
	struct extant *x;
	int64_t at = 0, n;
	int fd;

	(void)state;
	fill_disk("-b 1024");
	x = mount_image(NULL);
	fd = open_direct(x, "/full", 0);
	while ((n = put(x, fd, at, 65536, 'd')) > 0)
		at += n;
	assert_int_equal(n, -ENOSPC);
	n = extant_lseek(x, fd, 0, SEEK_END);
	assert_int_equal(n, at); /* nothing of the one that failed */
	assert_int_equal(extant_ftruncate(x, fd, n + 65536), 0);
	assert_int_equal(put(x, fd, n, 65536, 'd'), -ENOSPC);
	assert_int_equal(extant_pread(x, fd, seen, 65536, n), 65536);
	assert_null(memchr(seen, 's', 65536));
	assert_int_equal(extant_ftruncate(x, fd, 0), 0);
	assert_int_equal(put(x, fd, 0, 65536, 'd'), 65536);
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unmount(x), 0);
	assert_clean();
}

/* ---- stable */

static void word_is_kept(void **state)
{
	struct extant_stat st;
	struct extant *x;
	struct rig rig;
	int fd;

	(void)state;
	fill_disk("-b 1024");
	rig_init(&rig);
	x = mount_on(&rig, rig.fault);
	fd = make_file(x);
	assert_int_equal(extant_close(x, fd), 0);
	fd = open_direct(x, "/f", O_DSYNC);
	assert_int_equal(put(x, fd, 67072, 1024, 'd'), 1024);
	assert_int_equal(put(x, fd, 36864, 1024, 'd'), 1024);
	look_after_failure(&rig);
	assert_int_equal(extant_fstat(x, fd, &st), 0);
	assert_int_equal(st.size, 68096);
	assert_int_equal(seen[68095], 'd'); /* by the mount after the failure */
	assert_int_equal(seen[36864], 'd');
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unmount(x), 0);
	rig_fini(&rig);
}

/* ---- together */

#define WRITE_NS (50 * NSEC_PER_MSEC)

struct slow {				/* a device whose writes take a while before they begin */
	struct block_filter filter;
	int64_t write_ns;
	bool once;			/* the next one alone */
};

static int slow_write(struct block_device *d, const struct block_io *io)
{
	struct slow *s = container_of(d, struct slow, filter.dev);
	int64_t ns = s->write_ns;

	if (s->once)
		s->write_ns = 0;
	if (ns)
		task_sleep(ns);
	return filter_write(d, io);
}

static const struct block_ops slow_ops = {
	.read = filter_read,
	.write = slow_write,
	.flush = filter_flush,
	.discard = filter_discard,
	.close = filter_close,
};

struct meeting {
	struct rig rig;
	struct slow *slow;
	struct extant *x;
	int direct, cached;
	size_t place;			/* of the write */
};

static void write_direct(void *arg)
{
	struct meeting *m = arg;

	assert_int_equal(put(m->x, m->direct, 8192, 16384, 'd'), 16384);
}

/*
 * The writer is in the middle of it: who reads through the cache sees old bytes or new, and new
 * ones afterwards.
 */
static int meet(void *arg)
{
	struct meeting *m = arg;
	struct task *t;

	m->slow->write_ns = WRITE_NS;
	assert_int_equal(task_spawn(m->x->sched, "writer", write_direct, m, &t), 0);
	task_sleep(WRITE_NS / 5);
	assert_int_equal(extant_pread(m->x, m->cached, seen, 8192, 8192), 8192);
	assert_true(seen[0] == 'a' || seen[0] == 'd');
	task_join(t);
	assert_int_equal(extant_pread(m->x, m->cached, seen, 16384, 8192), 16384);
	assert_int_equal(seen[0], 'd');
	assert_int_equal(seen[16383], 'd');

	assert_int_equal(task_spawn(m->x->sched, "writer", write_direct, m, &t), 0);
	task_sleep(WRITE_NS / 5);
	assert_int_equal(extant_ftruncate(m->x, m->cached, 9000), 0);
	task_join(t);
	m->slow->write_ns = 0;
	assert_int_equal(extant_pread(m->x, m->direct, seen, 16384, 0), 9000);
	return 0;
}

static void meeting_init(struct meeting *m)
{
	rig_init(&m->rig);
	m->slow = filter_alloc(m->rig.arena, sizeof(*m->slow), &slow_ops, m->rig.fault);
	assert_non_null(m->slow);
	m->slow->write_ns = 0;
	m->slow->once = false;
	m->x = mount_on(&m->rig, &m->slow->filter.dev);
}

static void together(void **state)
{
	struct meeting m;

	(void)state;
	make_image("-b 4096", "8M");
	meeting_init(&m);
	m.cached = open_file(m.x, "/m");
	m.direct = open_direct(m.x, "/m", 0);
	assert_int_equal(put(m.x, m.cached, 0, 65536, 'a'), 65536);
	assert_int_equal(extant_fsync(m.x, m.cached), 0);
	assert_int_equal(task_call(m.x->sched, "main", meet, &m), 0);
	assert_int_equal(extant_close(m.x, m.direct), 0);
	assert_int_equal(extant_close(m.x, m.cached), 0);
	assert_int_equal(extant_unmount(m.x), 0);
	assert_sound(&m.rig);
	rig_fini(&m.rig);
}

/* ---- the power fails between a commit and the bytes of what it made of the map */

static void write_in_vain(void *arg)
{
	struct meeting *m = arg;

	assert_int_equal(put(m->x, m->direct, places[m->place].at, places[m->place].len, 'd'), -EIO);
}

static int commit_first(void *arg)
{
	struct meeting *m = arg;
	struct task *t;

	m->slow->write_ns = WRITE_NS;
	assert_int_equal(task_spawn(m->x->sched, "writer", write_in_vain, m, &t), 0);
	task_sleep(WRITE_NS / 5);
	assert_int_equal(commit(m->x->vfs->fs), 0);
	block_fault_at(m->rig.fault, FAULT_WRITE, 0, -EIO, true);
	task_join(t);
	return 0;
}

static void commits_come_first(const char *mkfs)
{
	struct meeting m;

	fill_disk(mkfs);
	for (m.place = 0; m.place < array_size(places); m.place++) {
		if (places[m.place].hole && strstr(mkfs, "^extent"))
			continue;
		meeting_init(&m);
		m.direct = make_file(m.x);
		m.slow->once = true;
		assert_int_equal(task_call(m.x->sched, "main", commit_first, &m), 0);
		ignore_result(extant_close(m.x, m.direct)); /* nothing can be written any more */
		ignore_result(extant_unmount(m.x));
		memset(seen, 0, sizeof(seen));
		look_after_failure(&m.rig);
		assert_null(memchr(seen, 'd', sizeof(seen)));
		assert_sound(&m.rig);
		rig_fini(&m.rig);
	}
}

static void commit_comes_first(void **state)
{
	(void)state;
	commits_come_first("-b 4096");
	commits_come_first("-b 1024");
	commits_come_first("-b 1024 -O ^extent,^64bit");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mixed_with_extents), cmocka_unit_test(mixed_with_block_maps),
		cmocka_unit_test(mixed_with_the_log), cmocka_unit_test(alignment),
		cmocka_unit_test(large),
		cmocka_unit_test(device_fails),       cmocka_unit_test(disk_is_full),
		cmocka_unit_test(word_is_kept),       cmocka_unit_test(together),
		cmocka_unit_test(commit_comes_first),
	};
	const char *seed = getenv("DIRECT_SEED");
	int failed = prepare_test();

	if (failed)
		return failed;
	if (seed)
		random_state = strtoull(seed, NULL, 0);
	return run_image_tests(tests);
}
