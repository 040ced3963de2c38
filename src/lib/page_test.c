/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages handed out: what is stored into them is the file's, is written by each write-back and never
 * lost by coming late; what takes a page from its file is told; what is refused, and what a page
 * that is out holds up. And advice.
 */
#include <errno.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/mman.h>
#include "lib/fault_testing.h"

#define FILE_BYTES 40000

struct out {
	struct extant_page *page;
	uint8_t *data;
	int64_t len;
};

static struct out must_get(struct extant *x, int fd, int64_t at, size_t len, int flags)
{
	struct out o = { 0 };
	void *data = NULL;

	o.len = extant_page_get(x, fd, at, len, flags, &o.page, &data);
	if (o.len <= 0)
		fail_msg("%lld at %lld", (long long)o.len, (long long)at);
	o.data = data;
	return o;
}

static int64_t get_fails(struct extant *x, int fd, int64_t at, size_t len, int flags)
{
	struct extant_page *page = NULL;
	void *data = NULL;
	int64_t n = extant_page_get(x, fd, at, len, flags, &page, &data);

	assert_null(page);
	return n;
}

static void store(struct extant *x, int fd, int64_t at, size_t len, char fill)
{
	struct out o = must_get(x, fd, at, len, EXTANT_PAGE_WRITE);

	memset(o.data, fill, (size_t)o.len);
	assert_int_equal(extant_page_put(x, o.page, true), 0);
}

static uint8_t byte_at(struct extant *x, int fd, int64_t at)
{
	uint8_t b = 0;

	assert_int_equal(extant_pread(x, fd, &b, 1, at), 1);
	return b;
}

/* What the file has there when the power fails now. */
static uint8_t byte_after_failure(struct rig *r, int64_t at)
{
	struct extant *x = mount_after_failure(r);
	int fd = extant_open(x, "/f", O_RDONLY, 0);
	uint8_t b = byte_at(x, fd, at);

	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unmount(x), 0);
	return b;
}

static int make_file(struct extant *x)
{
	int fd = open_file(x, "/f");

	assert_int_equal(extant_ftruncate(x, fd, FILE_BYTES), 0);
	return fd;
}

static void end(struct rig *r, struct extant *x, int fd)
{
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unmount(x), 0);
	assert_sound(r);
	rig_fini(r);
}

/* ---- on each kind of image and mount */

static const struct kind {
	const char *mkfs, *options;
	bool copies;
} kinds[] = {
	{ "-b 4096", NULL, false },
	{ "-b 1024", NULL, false },
	{ "-b 1024", "nodelalloc", false },
	{ "-b 4096", "data=writeback,dioread_nolock", false },
	{ "-b 1024 -O ^has_journal", NULL, false },
	{ "-b 1024 -O ^extent,^64bit", NULL, false },
	{ "-b 4096", "data=journal", true },
	{ "-b 1024", "data=journal", true },
};

static struct extant *mount_with(struct rig *r, const char *options)
{
	struct extant_options opt;
	struct lib_mount_args args = { .image = image, .opt = &opt, .clock = &r->clock, .device = r->fault };
	struct extant *x = NULL;

	extant_options_init(&opt);
	opt.mode = EXTANT_INLINE;
	opt.mount_options = options;
	assert_int_equal(lib_mount(&args, &x), 0);
	return x;
}

static void with_kinds(void (*run)(const struct kind *k, struct rig *r, struct extant *x))
{
	for (size_t i = 0; i < array_size(kinds); i++) {
		struct rig r;

		make_image(kinds[i].mkfs, "16M");
		rig_init(&r);
		run(&kinds[i], &r, mount_with(&r, kinds[i].options));
	}
}

static void run_stores(const struct kind *k, struct rig *r, struct extant *x)
{
	int fd = make_file(x);
	struct extant_stat st;
	struct out o;

	o = must_get(x, fd, 100, FILE_BYTES, EXTANT_PAGE_WRITE);
	assert_int_equal(o.len, extant_page_size(x) - 100);
	assert_int_equal(o.data[0], 0);
	memset(o.data, 'a', 10);
	assert_int_equal(byte_at(x, fd, 100), k->copies ? 0 : 'a');
	assert_int_equal(extant_page_put(x, o.page, true), 0);
	assert_int_equal(byte_at(x, fd, 109), 'a');
	assert_int_equal(byte_at(x, fd, 110), 0);
	store(x, fd, FILE_BYTES - 5, 10, 'e');		/* the page goes on behind the end */
	assert_int_equal(extant_fstat(x, fd, &st), 0);
	assert_int_equal(st.size, FILE_BYTES);
	assert_int_equal(extant_ftruncate(x, fd, FILE_BYTES + 100), 0);
	assert_int_equal(byte_at(x, fd, FILE_BYTES - 1), 'e');
	assert_int_equal(byte_at(x, fd, FILE_BYTES), 0);
	end(r, x, fd);
}

/* What was stored behind the end is zeroes when the file grows over it, be the page given back or not. */
static void run_behind_end(const struct kind *k, struct rig *r, struct extant *x)
{
	int fd = make_file(x);
	int64_t size = FILE_BYTES;
	struct out o = must_get(x, fd, size - 5, 1000, EXTANT_PAGE_WRITE);

	for (int way = 0; way < 3; way++) {
		memset(o.data, 'e', 900);
		if (way == 0)
			assert_int_equal(extant_ftruncate(x, fd, size + 10), 0);
		else if (way == 1)
			assert_int_equal(put(x, fd, size + 9, 1, 'p'), 1);
		else
			assert_int_equal(extant_fallocate(x, fd, 0, size, 10), strstr(k->mkfs, "^extent") ? -EOPNOTSUPP : 0);
		if (way == 2 && strstr(k->mkfs, "^extent"))
			break;
		for (int i = 0; i < 9; i++)
			assert_int_equal(byte_at(x, fd, size + i), 0);
		size += 10;
	}
	memset(o.data, 'e', 900);
	assert_int_equal(extant_page_put(x, o.page, true), 0);
	assert_int_equal(byte_at(x, fd, FILE_BYTES - 1), 'e');
	assert_int_equal(extant_ftruncate(x, fd, size + 10), 0);
	assert_int_equal(byte_at(x, fd, size), 0);
	if (k->copies)
		assert_int_equal(byte_at(x, fd, FILE_BYTES), 0);
	assert_int_equal(extant_ftruncate(x, fd, 36864 + 100), 0);
	store(x, fd, 36864 + 2000, 1, 'e');	/* with 1 KiB, in a block that is not the file's */
	end(r, x, fd);
}

static void nothing_stored_behind_the_end_comes_back(void **state)
{
	(void)state;
	with_kinds(run_behind_end);
}

static void what_is_stored_is_the_file_s(void **state)
{
	(void)state;
	with_kinds(run_stores);
}

/* One page, out all the time: each store is stable after the next msync or fsync. */
static void run_late(const struct kind *k, struct rig *r, struct extant *x)
{
	int fd = make_file(x);
	struct out o = must_get(x, fd, 8192, 4096, EXTANT_PAGE_WRITE);

	for (int i = 0; i < 6; i++) {
		memset(o.data, 'a' + i, 4096);
		assert_int_equal(i % 2 && !k->copies ? extant_fsync(x, fd) :
				 extant_msync(x, fd, 8192 + 77, 1, MS_SYNC), 0);
		assert_int_equal(byte_after_failure(r, 8192), 'a' + i);
		assert_int_equal(byte_after_failure(r, 8192 + 4095), 'a' + i);
	}
	o.data[3] = 'z';
	assert_int_equal(extant_page_put(x, o.page, true), 0);
	assert_int_equal(byte_at(x, fd, 8195), 'z');
	assert_int_equal(extant_fdatasync(x, fd), 0);
	assert_int_equal(byte_after_failure(r, 8195), 'z');
	end(r, x, fd);
}

static void no_store_comes_too_late(void **state)
{
	(void)state;
	with_kinds(run_late);
}

/* Blocks given to a page at once are zeroes on the disk before they are the file's. */
static void run_fresh(const struct kind *k, struct rig *r, struct extant *x)
{
	int fd = open_file(x, "/s"), f;
	struct out o;

	(void)k;
	assert_int_equal(put(x, fd, 0, 1 << 20, 's'), 1 << 20);
	assert_int_equal(extant_fsync(x, fd), 0);
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unlink(x, "/s"), 0);
	assert_int_equal(extant_sync(x), 0);
	f = make_file(x);
	o = must_get(x, f, 4096, 1, EXTANT_PAGE_WRITE);
	assert_int_equal(extant_page_put(x, o.page, false), 0);
	assert_int_equal(extant_sync(x), 0);
	for (int64_t at = 4096; at < 8192; at += 512)
		assert_int_equal(byte_after_failure(r, at), 0);
	end(r, x, f);
}

static void new_blocks_show_nothing_old(void **state)
{
	(void)state;
	with_kinds(run_fresh);
}

/* ---- dirty or not */

static uint64_t dirty_pages(struct extant *x)
{
	return page_cache_dirty_pages(x->vfs->fs->pages);
}

static struct extant *begin(struct rig *r, const char *mkfs, int *fd)
{
	struct extant *x;

	make_image(mkfs, "16M");
	rig_init(r);
	x = mount_on(r, r->fault);
	*fd = make_file(x);
	return x;
}

static void what_was_not_stored_into_is_not_written(void **state)
{
	struct out a, b;
	struct rig r;
	int fd;
	struct extant *x = begin(&r, "-b 1024", &fd);

	(void)state;
	a = must_get(x, fd, 0, 1, EXTANT_PAGE_WRITE);	/* its blocks are promised: they will be written */
	assert_int_equal(extant_page_put(x, a.page, false), 0);
	assert_int_equal(dirty_pages(x), 1);
	assert_int_equal(extant_fsync(x, fd), 0);
	assert_int_equal(dirty_pages(x), 0);
	a = must_get(x, fd, 0, 1, EXTANT_PAGE_WRITE);
	b = must_get(x, fd, 0, 1, EXTANT_PAGE_WRITE);
	assert_ptr_equal(a.data, b.data);
	assert_int_equal(dirty_pages(x), 1);		/* it may be stored into at any time */
	assert_int_equal(extant_fsync(x, fd), 0);
	assert_int_equal(dirty_pages(x), 1);
	assert_int_equal(extant_page_put(x, a.page, false), 0);
	assert_int_equal(dirty_pages(x), 1);
	assert_int_equal(extant_page_put(x, b.page, false), 0);
	assert_int_equal(dirty_pages(x), 0);
	store(x, fd, 0, 1, 'x');
	assert_int_equal(dirty_pages(x), 1);
	a = must_get(x, fd, 0, 1, 0);			/* to look at: as it is */
	assert_int_equal(extant_page_put(x, a.page, false), 0);
	assert_int_equal(dirty_pages(x), 1);
	end(&r, x, fd);
}

/* ---- what takes a page from its file */

static void cut_off(struct extant *x, int fd)
{
	assert_int_equal(extant_ftruncate(x, fd, 0), 0);
}

static void cut_block(struct extant *x, int fd)
{
	assert_int_equal(extant_ftruncate(x, fd, 4096 + 1024), 0);
}

static void punch(struct extant *x, int fd)
{
	assert_int_equal(extant_fallocate(x, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096), 0);
}

static void punch_block(struct extant *x, int fd)
{
	assert_int_equal(extant_fallocate(x, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096 + 2048, 1024), 0);
}

static void shift(struct extant *x, int fd)
{
	assert_int_equal(extant_fallocate(x, fd, FALLOC_FL_COLLAPSE_RANGE, 0, 1024), 0);
}

static void stores_into_what_is_gone_are_told(void **state)
{
	static void (*const ways[])(struct extant *x, int fd) = { cut_off, cut_block, punch, punch_block, shift };

	(void)state;
	for (size_t i = 0; i < array_size(ways); i++) {
		struct out o, look;
		struct rig r;
		int fd;
		struct extant *x = begin(&r, "-b 1024", &fd);

		assert_int_equal(put(x, fd, 0, FILE_BYTES, 'o'), FILE_BYTES);
		o = must_get(x, fd, 4096, 4096, EXTANT_PAGE_WRITE);
		look = must_get(x, fd, 4096, 4096, 0);
		ways[i](x, fd);
		memset(o.data, 'l', 4096); /* the memory is there */
		assert_int_equal(extant_sync(x), 0);
		assert_int_equal(extant_page_put(x, o.page, true), -ESTALE);
		assert_int_equal(extant_page_put(x, look.page, false), 0);
		assert_int_equal(extant_sync(x), 0);
		assert_int_equal(dirty_pages(x), 0);
		if (ways[i] == punch || ways[i] == punch_block)
			assert_int_equal(byte_after_failure(&r, 4096 + 2048), 0);
		end(&r, x, fd);
	}
}

static void a_direct_write_meets_the_page(void **state)
{
	_Alignas(4096) static uint8_t buf[4096];
	struct out o;
	struct rig r;
	int fd, direct;
	struct extant *x = begin(&r, "", &fd);

	(void)state;
	assert_int_equal(put(x, fd, 0, FILE_BYTES, 'o'), FILE_BYTES);
	o = must_get(x, fd, 4096, 4096, EXTANT_PAGE_WRITE);
	direct = extant_open(x, "/f", O_RDWR | O_DIRECT, 0);
	memset(buf, 'd', sizeof(buf));
	assert_int_equal(extant_pwrite(x, direct, buf, sizeof(buf), 4096), (int64_t)sizeof(buf));
	assert_int_equal(o.data[0], 'd');
	o.data[1] = 'l';
	assert_int_equal(extant_pread(x, direct, buf, sizeof(buf), 4096), (int64_t)sizeof(buf));
	assert_memory_equal(buf, "dld", 3);
	assert_int_equal(extant_page_put(x, o.page, true), 0);
	assert_int_equal(extant_close(x, direct), 0);
	end(&r, x, fd);
}

/* ---- what is refused */

static void what_mmap_refuses(void **state)
{
	struct rig r;
	int fd, other;
	struct extant *x = begin(&r, "", &fd);

	(void)state;
	assert_int_equal(get_fails(x, 99, 0, 1, 0), -EBADF);
	assert_int_equal(get_fails(x, fd, 0, 0, 0), -EINVAL);
	assert_int_equal(get_fails(x, fd, -1, 1, 0), -EINVAL);
	assert_int_equal(get_fails(x, fd, 0, 1, 64), -EINVAL);
	assert_int_equal(get_fails(x, fd, FILE_BYTES + 4096, 1, 0), -EFAULT);
	assert_int_equal(get_fails(x, fd, FILE_BYTES + 4096, 1, EXTANT_PAGE_WRITE), -EFAULT);
	assert_int_equal(get_fails(x, fd, INT64_MAX - 1, 1, 0), -EFAULT);
	other = extant_open(x, "/f", O_RDONLY, 0);
	assert_int_equal(get_fails(x, other, 0, 1, EXTANT_PAGE_WRITE), -EACCES);
	assert_int_equal(extant_close(x, other), 0);
	other = extant_open(x, "/f", O_WRONLY, 0);
	assert_int_equal(get_fails(x, other, 0, 1, 0), -EACCES);
	assert_int_equal(get_fails(x, other, 0, 1, EXTANT_PAGE_WRITE), -EACCES);
	assert_int_equal(extant_close(x, other), 0);
	other = extant_open(x, "/f", O_PATH, 0);
	assert_int_equal(get_fails(x, other, 0, 1, 0), -EBADF);
	assert_int_equal(extant_msync(x, other, 0, 1, MS_SYNC), -EBADF);
	assert_int_equal(extant_close(x, other), 0);
	other = extant_open(x, "/", O_RDONLY, 0);
	assert_int_equal(get_fails(x, other, 0, 1, 0), -ENODEV);
	assert_int_equal(extant_close(x, other), 0);
	assert_int_equal(extant_msync(x, fd, 0, 1, MS_SYNC | MS_ASYNC), -EINVAL);
	assert_int_equal(extant_msync(x, fd, 0, 1, 64), -EINVAL);
	assert_int_equal(extant_msync(x, fd, 0, 1, MS_ASYNC | MS_INVALIDATE), 0);
	assert_int_equal(extant_setflags(x, "/f", EXT4_EXTENTS_FL | FS_APPEND_FL), 0);
	assert_int_equal(get_fails(x, fd, 0, 1, EXTANT_PAGE_WRITE), -EACCES);
	assert_int_equal(extant_setflags(x, "/f", EXT4_EXTENTS_FL | FS_IMMUTABLE_FL), 0);
	assert_int_equal(get_fails(x, fd, 0, 1, EXTANT_PAGE_WRITE), -EPERM);
	assert_int_equal(extant_setflags(x, "/f", EXT4_EXTENTS_FL), 0);
	end(&r, x, fd);
}

static void a_full_disk_refuses_before_anything_is_stored(void **state)
{
	struct rig r;
	int fd, filler;
	int64_t at = 0;
	struct extant *x = begin(&r, "", &fd);

	(void)state;
	store(x, fd, 0, 4096, 'a');
	filler = open_file(x, "/filler");
	while (put(x, filler, at, 4096, 's') == 4096)
		at += 4096;
	assert_int_equal(get_fails(x, fd, 4096, 1, EXTANT_PAGE_WRITE), -ENOSPC);
	store(x, fd, 0, 4096, 'b');		/* what has its blocks may be stored into */
	assert_int_equal(extant_fsync(x, fd), 0);
	assert_int_equal(byte_after_failure(&r, 0), 'b');
	assert_int_equal(extant_close(x, filler), 0);
	assert_int_equal(extant_unlink(x, "/filler"), 0);
	store(x, fd, 4096, 4096, 'c');
	end(&r, x, fd);
}

static void what_a_page_holds_up(void **state)
{
	struct out o, look;
	struct rig r;
	int fd;
	struct extant *x = begin(&r, "", &fd);

	(void)state;
	o = must_get(x, fd, 0, 1, EXTANT_PAGE_WRITE);
	look = must_get(x, fd, 0, 1, 0);
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unmount(x), -EBUSY);
	assert_int_equal(extant_freeze(x), -EBUSY);
	assert_int_equal(extant_remount(x, "ro"), -EBUSY);
	assert_int_equal(extant_setflags(x, "/f", EXT4_EXTENTS_FL | FS_JOURNAL_DATA_FL), -EBUSY);
	o.data[0] = 'u';
	assert_int_equal(extant_unlink(x, "/f"), 0);
	assert_int_equal(extant_sync(x), 0);
	assert_int_equal(extant_page_put(x, o.page, true), 0);
	assert_int_equal(extant_freeze(x), 0);
	assert_int_equal(extant_thaw(x), 0);
	assert_int_equal(look.data[0], 'u');
	assert_int_equal(extant_unmount(x), -EBUSY);
	assert_int_equal(extant_page_put(x, look.page, false), 0);
	assert_int_equal(extant_unmount(x), 0);
	assert_sound(&r);
	rig_fini(&r);
}

static void so_many_are_out_at_a_time(void **state)
{
	static struct out o[1 << 17];
	struct rig r;
	int fd;
	struct extant *x = begin(&r, "", &fd);

	(void)state;
	for (int flags = 0; flags <= EXTANT_PAGE_WRITE; flags++) {
		size_t most = (256u << 20) / (flags ? 16 : 4) / 4096;
		void *data;

		for (size_t i = 0; i < most; i++)
			o[i] = must_get(x, fd, 0, 1, flags);
		assert_int_equal(extant_page_get(x, fd, 0, 1, flags, &o[most].page, &data), -ENOMEM);
		for (size_t i = 0; i < most; i++)
			assert_int_equal(extant_page_put(x, o[i].page, false), 0);
	}
	store(x, fd, 0, 1, 'x');
	end(&r, x, fd);
}

/* ---- times */

static void times_move_with_stores(void **state)
{
	struct extant_stat before, got, after;
	struct out o;
	struct rig r;
	int fd;
	struct extant *x = begin(&r, "", &fd);

	(void)state;
	assert_int_equal(extant_fstat(x, fd, &before), 0);
	assert_int_equal(extant_sleep(x, NSEC_PER_SEC), 0);
	o = must_get(x, fd, 0, 1, EXTANT_PAGE_WRITE);
	assert_int_equal(extant_fstat(x, fd, &got), 0);
	assert_int_equal(got.mtime.sec, before.mtime.sec + 1);
	assert_int_equal(got.atime.sec, before.mtime.sec + 1);
	assert_int_equal(extant_sleep(x, NSEC_PER_SEC), 0);
	o.data[0] = 1;
	assert_int_equal(extant_page_put(x, o.page, true), 0);
	assert_int_equal(extant_fstat(x, fd, &after), 0);
	assert_int_equal(after.mtime.sec, before.mtime.sec + 2);
	assert_int_equal(after.ctime.sec, before.mtime.sec + 2);
	end(&r, x, fd);
}

/* ---- advice */

struct ask {
	struct ext4_fs *fs;
	uint32_t ino;
	uint64_t pages;
};

static int count_pages(void *arg)
{
	struct ask *a = arg;
	struct inode *inode = ext4_ifind(a->fs, a->ino);

	if (!inode)
		return -ENOENT;
	a->pages = atomic_load(&inode->mapping.page_count);
	ext4_iput(inode);
	return 0;
}

static uint64_t pages_of_file(struct extant *x, int fd)
{
	struct ask a = { .fs = x->vfs->fs };
	struct extant_stat st;

	assert_int_equal(extant_fstat(x, fd, &st), 0);
	a.ino = (uint32_t)st.ino;
	assert_int_equal(task_call(x->sched, "count", count_pages, &a), 0);
	return a.pages;
}

static void advice_moves_pages(void **state)
{
	struct rig r;
	int fd;
	struct out o;
	struct extant *x = begin(&r, "", &fd);

	(void)state;
	assert_int_equal(put(x, fd, 0, 1 << 20, 'o'), 1 << 20);
	assert_int_equal(extant_fadvise(x, fd, 0, 0, 77), -EINVAL);
	assert_int_equal(extant_fadvise(x, fd, 0, -1, POSIX_FADV_NORMAL), -EINVAL);
	assert_int_equal(extant_fsync(x, fd), 0);
	assert_int_equal(pages_of_file(x, fd), 256);
	assert_int_equal(extant_fadvise(x, fd, 100, 8092, POSIX_FADV_DONTNEED), 0);
	assert_int_equal(pages_of_file(x, fd), 255);	/* the second one, whole */
	o = must_get(x, fd, 40960, 1, 0);
	assert_int_equal(extant_fadvise(x, fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	assert_int_equal(pages_of_file(x, fd), 1);	/* who has it keeps it */
	assert_int_equal(o.data[0], 'o');
	assert_int_equal(extant_page_put(x, o.page, false), 0);
	assert_int_equal(extant_fadvise(x, fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	assert_int_equal(pages_of_file(x, fd), 0);
	assert_int_equal(extant_fadvise(x, fd, 65536, 8192, POSIX_FADV_WILLNEED), 0);
	assert_int_equal(pages_of_file(x, fd), 2);
	assert_int_equal(extant_fadvise(x, fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	o = must_get(x, fd, 0x80000, 1, EXTANT_PAGE_RANDOM);
	assert_int_equal(pages_of_file(x, fd), 1);
	assert_int_equal(extant_page_put(x, o.page, false), 0);
	o = must_get(x, fd, 0xc0000, 1, 0);
	assert_int_equal(pages_of_file(x, fd), 33);	/* 128 KiB around it */
	assert_int_equal(extant_page_put(x, o.page, false), 0);
	assert_int_equal(extant_fadvise(x, fd, 0, 0, POSIX_FADV_SEQUENTIAL), 0);
	assert_int_equal(extant_fadvise(x, fd, 0, 0, POSIX_FADV_RANDOM), 0);
	assert_int_equal(extant_fadvise(x, fd, 0, 0, POSIX_FADV_NOREUSE), 0);
	end(&r, x, fd);
}

/* A page that is the last its transaction has, and goes: the transaction goes with it. */
static void the_last_block_of_a_transaction_goes(void **state)
{
	struct rig r;
	struct extant *x;
	int fd;

	(void)state;
	make_image("-b 4096", "16M");
	rig_init(&r);
	x = mount_with(&r, "data=journal");
	fd = open_file(x, "/f");
	for (int i = 0; i < 4; i++) {
		assert_int_equal(put(x, fd, 0, 4096, (char)('a' + i)), 4096);	/* at the same time: the inode stays */
		assert_int_equal(extant_sync(x), 0);
		assert_int_equal(extant_fadvise(x, fd, 0, 0, POSIX_FADV_DONTNEED), 0);
		assert_int_equal(pages_of_file(x, fd), 0);
		assert_int_equal(byte_at(x, fd, 0), 'a' + i);
	}
	end(&r, x, fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_stored_is_the_file_s),
		cmocka_unit_test(nothing_stored_behind_the_end_comes_back),
		cmocka_unit_test(no_store_comes_too_late),
		cmocka_unit_test(new_blocks_show_nothing_old),
		cmocka_unit_test(what_was_not_stored_into_is_not_written),
		cmocka_unit_test(stores_into_what_is_gone_are_told),
		cmocka_unit_test(a_direct_write_meets_the_page),
		cmocka_unit_test(what_mmap_refuses),
		cmocka_unit_test(a_full_disk_refuses_before_anything_is_stored),
		cmocka_unit_test(what_a_page_holds_up),
		cmocka_unit_test(so_many_are_out_at_a_time),
		cmocka_unit_test(times_move_with_stores),
		cmocka_unit_test(advice_moves_pages),
		cmocka_unit_test(the_last_block_of_a_transaction_goes),
	};
	int failed = prepare_test();

	return failed ? failed : run_image_tests(tests);
}
