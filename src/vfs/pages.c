/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages handed out: what mmap, a fault, msync and munmap are on Linux, without the processor's help.
 *
 * A page handed out is the page of the cache itself: everybody who has it, and everybody who reads or
 * writes the file, meets in the same bytes. It keeps its file open. How it is lent to be stored into,
 * and what write-back does with it then, is told in ext4/fault.c.
 *
 * Where data is journaled, the log makes a checksum over bytes that must stay as they are until they
 * are written. There a copy of the range is handed out for storing; it is written, as by write(2),
 * when it is given back and at each msync of it. The list has these copies.
 *
 * And advice (posix_fadvise).
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include "base/assert.h"
#include "vfs/internal.h"

#define OUT_PART 4	/* of the budget may be out: it cannot be reclaimed */
#define OUT_MIN	 64u

struct vfs_page {
	struct file *file;		/* referenced */
	struct page *page;		/* referenced; NULL: a copy */
	uint8_t *copy;
	uint64_t pos;			/* where in the file it begins */
	uint32_t len;
	uint32_t in_file;		/* bytes of the page (or of the copy) that were the file's when it was lent */
	bool lent;
	/* of a copy: */
	struct list link;		/* the table's lock */
	uint64_t number;		/* constant; ascending in the list */
	_Atomic int32_t refs;
};

struct page_table {
	struct mutex lock;		/* RANK_FILE_TABLE */
	struct list copies GUARDED_BY(lock);
	uint64_t last_number GUARDED_BY(lock);
	_Atomic uint32_t out;
};

int pages_create(struct vfs *v)
{
	v->pages = arena_new(v->fs->arena, struct page_table);
	if (!v->pages)
		return -ENOMEM;
	mutex_init(&v->pages->lock, RANK_FILE_TABLE);
	list_init(&v->pages->copies);
	return 0;
}

void pages_destroy(struct vfs *v)
{
	if (!v->pages)
		return;
	mutex_fini(&v->pages->lock);
	arena_free(v->fs->arena, v->pages);
	v->pages = NULL;
}

bool pages_any_out(struct vfs *v)
{
	return atomic_load(&v->pages->out);
}

/* ---- copies */

/*
 * What somebody may store into at the same time: the copy then holds some of it. To the thread
 * sanitizer that is meant.
 */
#if WITH_TSAN
racy_reader static void take_bytes(uint8_t *to, const uint8_t *from, size_t len)
{
	const volatile uint8_t *v = from;

	for (size_t i = 0; i < len; i++)
		to[i] = v[i];
}
#else
static void take_bytes(uint8_t *to, const uint8_t *from, size_t len)
{
	memcpy(to, from, len);
}
#endif

/* Under the inode's lock: as much as lies in the file now. */
static int write_copy_locked(struct inode *inode, const uint8_t *bytes, uint64_t pos, uint32_t len)
{
	uint64_t size = inode->size;
	int64_t n = ext4_update_time(inode);

	if (n || !len)
		return (int)n;
	if (pos >= size)
		return -ESTALE;
	n = generic_perform_write(inode, bytes, (size_t)min((uint64_t)len, size - pos), pos);
	return n < 0 ? (int)n : 0;
}

/* What is in the copy becomes the file's. */
static int write_copy(struct vfs_page *p)
{
	struct inode *inode = p->file->inode;
	struct arena *a = inode->fs->arena;
	uint8_t *bytes = arena_alloc(a, p->len);
	int err = ext4_writable(inode->fs);

	if (!bytes)
		return -ENOMEM;
	take_bytes(bytes, p->copy, p->len);
	if (!err) {
		guard_write(&inode->lock);
		err = write_copy_locked(inode, bytes, p->pos, p->in_file);
	}
	arena_free(a, bytes);
	return err;
}

static void copy_put(struct vfs_page *p)
{
	struct arena *a = p->file->arena;

	if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) > 1)
		return;
	budget_uncharge(p->file->inode->fs->budget, p->len);
	file_put(p->file);
	arena_free(a, p->copy);
	arena_free(a, p);
}

/*
 * Blocks for it are there when it is handed out: what it shows is written as it is. Under the lock
 * of the inode, so that nobody else's write is lost between the two.
 */
static int fill_copy(struct vfs_page *p, enum ext4_advice advice)
{
	struct inode *inode = p->file->inode;
	uint32_t psize = page_size(inode->fs->pages);
	struct page *page;
	uint64_t size;
	int err;

	guard_write(&inode->lock);
	size = inode->size;
	err = ext4_filemap_fault(inode, p->pos / psize, &p->file->ra, advice, &page);
	if (err)
		return err;
	take_bytes(p->copy, page->data + p->pos % psize, p->len);
	page_put(page);
	p->in_file = size > p->pos ? (uint32_t)min((uint64_t)p->len, size - p->pos) : 0;
	return p->in_file ? write_copy_locked(inode, p->copy, p->pos, p->in_file) : 0;
}

static int hand_out_copy(struct vfs *v, struct vfs_page *p, enum ext4_advice advice)
{
	int err;

	p->copy = arena_alloc(v->fs->arena, p->len);
	if (!p->copy)
		return -ENOMEM;
	err = fill_copy(p, advice);
	if (err) {
		arena_free(v->fs->arena, p->copy);
		return err;
	}
	budget_charge(v->fs->budget, p->len);
	atomic_init(&p->refs, 1);
	guard(&v->pages->lock);
	p->number = ++v->pages->last_number;
	list_add_tail(&v->pages->copies, &p->link);
	return 0;
}

/* The next copy of the inode's with bytes in [first, last], referenced; NULL: there is none. */
static struct vfs_page *next_copy(struct page_table *t, const struct inode *inode, uint64_t first, uint64_t last,
				  uint64_t behind)
{
	struct vfs_page *p;

	guard(&t->lock);
	list_for_each(p, &t->copies, link)
		if (p->number > behind && p->file->inode == inode && p->pos <= last && p->pos + p->len > first) {
			atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
			return p;
		}
	return NULL;
}

static int write_copies(struct vfs *v, const struct inode *inode, uint64_t first, uint64_t last)
{
	struct vfs_page *p;
	uint64_t behind = 0;
	int err = 0, one;

	while ((p = next_copy(v->pages, inode, first, last, behind)) != NULL) {
		behind = p->number;
		one = write_copy(p);
		err = err || one == -ESTALE ? err : one; /* what was cut off is told when it is given back */
		copy_put(p);
	}
	return err;
}

/* ---- handing out */

/* What mmap(2) refuses, in its order. */
static int check_get(const struct file *f, int64_t offset, size_t len, int flags)
{
	int access = f->flags & O_ACCMODE;

	if (f->flags & O_PATH)
		return -EBADF;
	if (offset < 0 || !len || (uint64_t)len > (uint64_t)(INT64_MAX - offset) ||
	    flags & ~(VFS_PAGE_WRITE | VFS_PAGE_RANDOM | VFS_PAGE_SEQUENTIAL))
		return -EINVAL;
	if (flags & VFS_PAGE_WRITE && (access != O_RDWR || f->inode->flags & EXT4_APPEND_FL))
		return -EACCES;
	if (access == O_WRONLY)
		return -EACCES;
	if (!EXT4_S_ISREG(f->inode->mode))
		return -ENODEV;
	return atomic_load(&f->vfs->fs->shut_down) ? -EIO : 0;
}

static enum ext4_advice advice_of(int flags)
{
	return flags & VFS_PAGE_RANDOM ? EXT4_ADVICE_RANDOM
	       : flags & VFS_PAGE_SEQUENTIAL ? EXT4_ADVICE_SEQUENTIAL : EXT4_ADVICE_NORMAL;
}

static int find_page(struct vfs_page *p, enum ext4_advice advice)
{
	struct inode *inode = p->file->inode;

	return ext4_filemap_fault(inode, p->pos / page_size(inode->fs->pages), &p->file->ra, advice, &p->page);
}

/* The page itself, found again as long as somebody takes it out of the file meanwhile. */
static int lend_page(struct vfs_page *p, enum ext4_advice advice)
{
	int err;

	do {
		err = find_page(p, advice);
		if (err)
			return err;
		err = ext4_page_mkwrite(p->file->inode, p->page, &p->in_file);
		if (err) {
			page_put(p->page);
			p->page = NULL;
		}
	} while (err == -EAGAIN);
	p->lent = !err;
	return err;
}

static int hand_out_to_store(struct vfs *v, struct vfs_page *p, enum ext4_advice advice)
{
	struct inode *inode = p->file->inode;
	int err = ext4_writable(v->fs);

	if (!err && inode->flags & EXT4_IMMUTABLE_FL)
		err = -EPERM;
	if (err)
		return err;
	if (!ext4_lend_begin(v->fs))
		return -ENOMEM;
	err = ext4_should_journal_data(inode) ? -EOPNOTSUPP : lend_page(p, advice);
	if (err == -EOPNOTSUPP)
		err = hand_out_copy(v, p, advice);
	if (err)
		ext4_lend_end(v->fs);
	return err;
}

static bool count_out(struct vfs *v)
{
	size_t pages = budget_limit(v->fs->budget) / OUT_PART / page_size(v->fs->pages);

	if (atomic_fetch_add(&v->pages->out, 1) < max(pages, (size_t)OUT_MIN))
		return true;
	atomic_fetch_sub(&v->pages->out, 1);
	return false;
}

static int hand_out(struct vfs *v, struct vfs_page *p, int flags)
{
	int err;

	if (!count_out(v))
		return -ENOMEM;
	if (!(p->file->flags & O_NOATIME))
		ext4_touch_atime(p->file->inode);
	err = flags & VFS_PAGE_WRITE ? hand_out_to_store(v, p, advice_of(flags)) : find_page(p, advice_of(flags));
	if (err)
		atomic_fetch_sub(&v->pages->out, 1);
	return err;
}

static void *bytes_of(struct vfs_page *p)
{
	return p->copy ? p->copy : p->page->data + p->pos % page_size(p->file->inode->fs->pages);
}

int64_t vfs_page_get(struct vfs *v, int fd, int64_t offset, size_t len, int flags, struct vfs_page **out,
		     void **data)
{
	uint32_t psize = page_size(v->fs->pages);
	autofile f = NULL;
	struct vfs_page *p;
	int err = file_get(v, fd, &f);

	if (!err)
		err = check_get(f, offset, len, flags);
	if (err)
		return err;
	budget_throttle(v->fs->budget);
	p = arena_new(v->fs->arena, struct vfs_page);
	if (!p)
		return -ENOMEM;
	p->file = f;
	p->pos = (uint64_t)offset;
	p->len = (uint32_t)min((uint64_t)len, psize - p->pos % psize);
	err = hand_out(v, p, flags);
	if (err) {
		arena_free(v->fs->arena, p);
		return err;
	}
	f = NULL; /* the page has it */
	*out = p;
	*data = bytes_of(p);
	return p->len;
}

/* ---- giving back */

static int put_copy(struct vfs *v, struct vfs_page *p, bool dirty)
{
	int err = dirty ? write_copy(p) : 0;

	mutex_lock(&v->pages->lock);
	list_remove(&p->link);
	mutex_unlock(&v->pages->lock);
	ext4_lend_end(v->fs);
	copy_put(p);
	return err;
}

/* Stores may be younger than the time at which it was handed out. */
static int put_lent(struct vfs *v, struct vfs_page *p, bool dirty)
{
	struct inode *inode = p->file->inode;
	uint32_t from = (uint32_t)(p->pos % page_size(v->fs->pages));
	int err = dirty ? ext4_writable(v->fs) : 0, last;

	if (dirty && !err)
		err = ext4_update_time(inode);
	last = ext4_page_give_back(inode, p->page, from, min(from + p->len, p->in_file), dirty);
	ext4_lend_end(v->fs);
	return err ? err : last;
}

int vfs_page_put(struct vfs *v, struct vfs_page *p, bool dirty)
{
	int err = 0;

	if (p->copy) {
		err = put_copy(v, p, dirty);
	} else {
		if (p->lent)
			err = put_lent(v, p, dirty);
		page_put(p->page);
		file_put(p->file);
		arena_free(v->fs->arena, p);
	}
	atomic_fetch_sub(&v->pages->out, 1);
	return err;
}

/* ---- msync */

static int sync_pages(struct vfs *v, struct file *f, uint64_t first, uint64_t last)
{
	int err = write_copies(v, f->inode, first, last), one, seen;

	one = ext4_sync_file(f->inode, first, last, true, dentry_parent_ino(f->dentry));
	err = err ? err : one;
	seen = mapping_report_error(&f->inode->mapping, &f->error_seen);
	return err ? err : seen;
}

int vfs_msync(struct vfs *v, int fd, int64_t offset, int64_t len, int flags)
{
	uint64_t psize = page_size(v->fs->pages), first, last;
	autofile f = NULL;
	int err = file_get(v, fd, &f);

	if (err)
		return err;
	if (f->flags & O_PATH)
		return -EBADF;
	if (flags & ~(MS_SYNC | MS_ASYNC | MS_INVALIDATE) || (flags & MS_SYNC && flags & MS_ASYNC) || offset < 0 ||
	    len < 0 || len > INT64_MAX - offset)
		return -EINVAL;
	if (!EXT4_S_ISREG(f->inode->mode))
		return -ENODEV;
	first = (uint64_t)offset - (uint64_t)offset % psize;
	last = (uint64_t)offset + (uint64_t)len + psize - 1;
	last -= last % psize;
	if (!(flags & MS_SYNC) || last <= first)
		return 0; /* it is dirty already, and write-back knows */
	TRACE_SCOPE(v->fs, sys_msync);
	return sync_pages(v, f, first, min(last - 1, (uint64_t)INT64_MAX));
}

/* ---- advice */

/* The last byte of `len` (0: all there are) from `offset` on. */
static uint64_t range_last(int64_t offset, int64_t len)
{
	uint64_t last = (uint64_t)offset + (uint64_t)len - 1;

	return len && last >= (uint64_t)offset && last <= INT64_MAX ? last : INT64_MAX;
}

/* Dirty pages begin to be written, and those that lie whole in the range and are clean go. */
static void dont_need(struct inode *inode, uint64_t first, uint64_t last)
{
	uint64_t psize = page_size(inode->fs->pages), end = last == INT64_MAX ? UINT64_MAX : (last + 1) / psize;
	uint64_t begin = first / psize + (first % psize != 0);

	/* An error is the next fsync's to tell. */
	ignore_result(ext4_filemap_start(inode, first, last));
	if (last < INT64_MAX && last + 1 >= inode->size)
		end = (last + psize) / psize; /* up to the end of the file its last page is whole */
	if (begin < end)
		mapping_drop_clean(&inode->mapping, begin, min(end - 1, UINT64_MAX - 1));
}

static void take_advice(struct file *f, uint64_t first, uint64_t last, int advice)
{
	uint64_t psize = page_size(f->vfs->fs->pages);

	if (advice == POSIX_FADV_DONTNEED)
		dont_need(f->inode, first, last);
	else if (advice == POSIX_FADV_WILLNEED)
		ext4_will_need(f->inode, first / psize, last / psize);
	if (advice == POSIX_FADV_RANDOM) {
		f->ra.random = true;
	} else if (advice == POSIX_FADV_SEQUENTIAL || advice == POSIX_FADV_NORMAL) {
		f->ra.random = false;
		f->ra.sequential = advice == POSIX_FADV_SEQUENTIAL;
	}
}

int vfs_fadvise(struct vfs *v, int fd, int64_t offset, int64_t len, int advice)
{
	autofile f = NULL;
	int err = file_get(v, fd, &f);

	if (err)
		return err;
	if (len < 0 || f->flags & O_PATH)
		return f->flags & O_PATH ? -EBADF : -EINVAL;
	if (advice < POSIX_FADV_NORMAL || advice > POSIX_FADV_NOREUSE)
		return -EINVAL;
	if (EXT4_S_ISREG(f->inode->mode))
		take_advice(f, (uint64_t)offset, range_last(offset, len), advice);
	return 0;
}
