/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages of a file that others look at and store into: the two faults of a shared mapping, without
 * the mapping.
 *
 *	fault      the page is found, or read: alone, with those around it, or with those that follow
 *	mkwrite    its blocks get their place, or the promise of one, before anything is stored; the
 *	           page is lent from now on (cache/page.h) and each write-back takes it along
 *	give back  what was stored is written the next time, and then the page is as clean as others
 *
 * Linux takes away the right to store when it writes a page back, and the next store faults again.
 * Nobody sees a store here. So a lent page is never clean: its lent blocks (PB_LENT) go to the
 * device with every write-back, and the page stays dirty for the next one. A store beside a
 * write-back is in it or in the next.
 *
 * Truncation and punching take a lent page out of the file, or blocks out of it (PB_LENT goes with
 * them): who has it keeps its memory, and is told when he gives it back.
 *
 * Order: invalidate_lock (against who cuts the file), handle, page lock.
 */
#include <string.h>
#include "base/assert.h"
#include "ext4/data_internal.h"

/* ---- looking */

#define MISSES_MAX 100	/* more misses than hits: what is read around a fault is not used */

/* Nothing may cut the file between the look at its size and the reading. */
static int fault_alone(struct inode *inode, uint64_t index)
{
	struct page *p;
	int err = 0;

	guard_read(&inode->invalidate_lock);
	if (index >= ext4_end_page(inode))
		return -EFAULT;
	err = page_find_or_create(&inode->mapping, index, &p);
	if (err)
		return err;
	page_unlock(p);
	err = ext4_read_alone(inode, p);
	page_put(p);
	return err == -EAGAIN ? 0 : err; /* reclaimed at once: looked for again */
}

/* Half of the window before the page, half behind it; its last quarter fetches the next one. */
static int fault_around(struct inode *inode, uint64_t index, struct ext4_readahead *ra)
{
	uint64_t size = ext4_readahead_pages(inode, ra);

	ra->start = index > size / 2 ? index - size / 2 : 0;
	ra->size = size;
	ra->async_size = size / 4;
	return ext4_read_window(inode, ra->start, size, ra->start + size - ra->async_size);
}

static int read_missing(struct inode *inode, uint64_t index, struct ext4_readahead *ra,
			enum ext4_advice advice)
{
	if (advice == EXT4_ADVICE_SEQUENTIAL)
		return ext4_read_ahead(inode, ra, index, 1);
	if (advice == EXT4_ADVICE_RANDOM)
		return fault_alone(inode, index);
	if (ra->misses < 10 * MISSES_MAX)
		ra->misses++;
	return ra->misses > MISSES_MAX ? fault_alone(inode, index) : fault_around(inode, index, ra);
}

static void note_hit(struct inode *inode, struct ext4_readahead *ra, struct page *p, enum ext4_advice advice)
{
	if (advice == EXT4_ADVICE_RANDOM)
		return;
	if (ra->misses)
		ra->misses--;
	if (ext4_page_is(p, PAGE_READAHEAD))
		ext4_read_next(inode, ra, p);
}

/* *out NULL, and 0: look again. */
static int find_or_read(struct inode *inode, uint64_t index, struct ext4_readahead *ra,
			enum ext4_advice advice, struct page **out)
{
	struct page *p = page_find(&inode->mapping, index);
	int err = 0;

	if (p) {
		note_hit(inode, ra, p, advice);
	} else {
		err = read_missing(inode, index, ra, advice);
		p = page_find(&inode->mapping, index);
	}
	if (p && !ext4_page_is(p, PAGE_UPTODATE)) {
		err = fault_alone(inode, index);
		if (err || !ext4_page_is(p, PAGE_UPTODATE)) {
			page_put(p);
			p = NULL;
		}
	}
	*out = p;
	return p ? 0 : err;
}

int ext4_filemap_fault(struct inode *inode, uint64_t index, struct ext4_readahead *ra,
		       enum ext4_advice advice, struct page **out)
{
	int err;

	TRACE_SCOPE(inode->fs, ext4_filemap_fault);
	do {
		if (index >= ext4_end_page(inode))
			return -EFAULT;
		err = find_or_read(inode, index, ra, advice, out);
	} while (!err && !*out);
	return err;
}

void ext4_will_need(struct inode *inode, uint64_t first, uint64_t last)
{
	const uint64_t most = (2u << 20) / ext4_page_size(inode->fs);

	last = min(last, ext4_end_page(inode));
	if (first <= last && !budget_is_short(inode->fs->budget))
		ignore_result(ext4_read_window(inode, first, min(last - first + 1, most), UINT64_MAX));
}

/* ---- storing */

/* So much of the budget may be lent: what is lent can be neither written for good nor reclaimed. */
#define LENT_PART 16
#define LENT_MIN  16u

bool ext4_lend_begin(struct ext4_fs *fs)
{
	size_t pages = budget_limit(fs->budget) / LENT_PART / ext4_page_size(fs);

	if (atomic_fetch_add(&fs->pages_lent, 1) < max(pages, (size_t)LENT_MIN))
		return true;
	atomic_fetch_sub(&fs->pages_lent, 1);
	return false;
}

void ext4_lend_end(struct ext4_fs *fs)
{
	atomic_fetch_sub(&fs->pages_lent, 1);
}

/* How much of the page lies in the file. */
static uint32_t bytes_in_file(const struct inode *inode, const struct page *p)
{
	uint64_t start = p->index * ext4_page_size(inode->fs), size = inode->size;

	return size > start ? (uint32_t)min(size - start, (uint64_t)ext4_page_size(inode->fs)) : 0;
}

static uint32_t blocks_of(const struct ext4_fs *fs, uint32_t bytes)
{
	return (bytes + fs->geo.block_size - 1) >> fs->geo.block_bits;
}

/* Each of its blocks has its place or was promised one: nothing is to be asked for. */
static bool is_provided(const struct ext4_fs *fs, const struct page *p, uint32_t bytes)
{
	for (uint32_t i = 0; i < blocks_of(fs, bytes); i++)
		if (!(p->blocks[i].state & (PB_MAPPED | PB_DELAYED)))
			return false;
	return true;
}

/* Blocks that are new hold zeroes, and the device must learn of it even if nothing is stored. */
static void lend(struct handle *h, struct inode *inode, struct page *p, uint32_t bytes)
{
	const uint32_t fresh = PB_NEW | PB_DELAYED | PB_UNWRITTEN;
	struct ext4_fs *fs = inode->fs;
	bool any_fresh = false;

	for (uint32_t i = 0; i < blocks_of(fs, bytes); i++) {
		struct page_block *pb = &p->blocks[i];

		if (pb->state & fresh) {
			any_fresh = true;
			pb->state |= PB_DIRTY;
		}
		pb->state = (pb->state & ~PB_NEW) | PB_UPTODATE | PB_LENT;
	}
	if (h && any_fresh && ext4_should_order_data(inode))
		jbd2_journal_inode_add(h, &inode->jinode, JI_WRITE_DATA | JI_WAIT_DATA);
	page_lend(p);
}

/* With the page lock. What is on its way to the device stays as it is: bytes, and where they go. */
static int prepare(struct handle *h, struct inode *inode, enum write_kind kind, struct page *p,
		   uint32_t *bytes)
{
	int err;

	*bytes = bytes_in_file(inode, p);
	if (ext4_page_is(p, PAGE_REMOVED))
		return -EAGAIN;
	if (!*bytes)
		return -EFAULT;
	page_wait_writeback(p);
	err = ext4_block_write_begin(h, inode, kind, p, 0, *bytes);
	if (!err)
		lend(h, inode, p, *bytes);
	else /* the first error is the one to tell */
		ignore_result(ext4_zero_new_blocks(h, inode, kind, p, 0, *bytes));
	return err;
}

static int prepare_locked(struct handle *h, struct inode *inode, enum write_kind kind, struct page *p,
			  uint32_t *bytes)
{
	int err;

	page_lock(p);
	err = prepare(h, inode, kind, p, bytes);
	page_unlock(p);
	return err;
}

static int start_handle(struct inode *inode, struct handle **h)
{
	return __ext4_journal_start(inode->fs, inode->ino, "ext4_page_mkwrite", __LINE__, HT_WRITE_PAGE,
				    ext4_writepage_credits(inode), 0, h);
}

/* Allocated at once, with a handle, unless there is nothing to allocate. */
static int prepare_plain(struct inode *inode, struct page *p, uint32_t *bytes)
{
	struct handle *h;
	bool provided;
	int err, stop;

	page_lock(p);
	provided = !ext4_page_is(p, PAGE_REMOVED) && is_provided(inode->fs, p, bytes_in_file(inode, p));
	err = provided ? prepare(NULL, inode, WRITE_DELAYED, p, bytes) : 0;
	page_unlock(p);
	if (provided)
		return err;
	err = start_handle(inode, &h);
	if (err)
		return err;
	err = prepare_locked(h, inode, WRITE_PLAIN, p, bytes);
	stop = ext4_journal_stop(inode->fs, h);
	if (!err && stop) /* nothing was stored */
		ignore_result(ext4_page_give_back(inode, p, 0, 0, false));
	return err ? err : stop;
}

static int mkwrite_once(struct inode *inode, struct page *p, uint32_t *bytes)
{
	enum write_kind kind;

	guard_read(&inode->invalidate_lock);
	kind = ext4_kind_of_write(inode);
	if (kind == WRITE_JOURNALED)
		return -EOPNOTSUPP;
	return kind == WRITE_DELAYED ? prepare_locked(NULL, inode, kind, p, bytes)
				     : prepare_plain(inode, p, bytes);
}

int ext4_page_mkwrite(struct inode *inode, struct page *p, uint32_t *bytes)
{
	int err, retries = 0;

	TRACE_SCOPE(inode->fs, ext4_page_mkwrite);
	err = ext4_update_time(inode);
	if (err)
		return err;
	do
		err = mkwrite_once(inode, p, bytes);
	while (err == -ENOSPC && ext4_should_retry_alloc(inode->fs, &retries));
	return err;
}

/* ---- giving back */

/* Nobody has it any more: it is dirty if a block of it is. */
static void end_lending(const struct ext4_fs *fs, struct page *p)
{
	bool dirty = false;

	for (uint32_t i = 0; i < page_blocks(fs->pages); i++) {
		p->blocks[i].state &= ~PB_LENT;
		dirty |= (p->blocks[i].state & PB_DIRTY) != 0;
	}
	if (!dirty && !ext4_page_is(p, PAGE_REMOVED))
		(void)page_clear_dirty(p); /* and with its lock its tag goes */
}

/* What lies behind the end of the file is nobody's, and zeroes when the file grows over it. With the page lock. */
static void zero_behind_end(const struct inode *inode, struct page *p)
{
	uint32_t bytes = bytes_in_file(inode, p);

	memset(p->data + bytes, 0, ext4_page_size(inode->fs) - bytes);
}

void ext4_settle_lent_end(struct inode *inode)
{
	struct page *p;

	if (!atomic_load(&inode->mapping.lent_count))
		return;
	p = page_find(&inode->mapping, ext4_page_index(inode->fs, inode->size));
	if (!p)
		return;
	page_lock(p);
	if (p->lent && !ext4_page_is(p, PAGE_REMOVED)) {
		page_wait_writeback(p);
		zero_behind_end(inode, p);
	}
	page_unlock(p);
	page_put(p);
}

/* The blocks of [from, to) are to be written; -ESTALE: one is not lent any more. */
static int note_stores(const struct ext4_fs *fs, struct page *p, uint32_t from, uint32_t to)
{
	int err = 0;

	if (from >= to)
		return 0; /* all of it lies behind the end */
	for (uint32_t i = from >> fs->geo.block_bits; i < blocks_of(fs, to); i++)
		if (p->blocks[i].state & PB_LENT)
			p->blocks[i].state |= PB_DIRTY;
		else
			err = -ESTALE;
	return err;
}

int ext4_page_give_back(struct inode *inode, struct page *p, uint32_t from, uint32_t to, bool dirty)
{
	struct ext4_fs *fs = inode->fs;
	int err = 0;

	page_lock(p);
	page_wait_writeback(p);
	if (dirty)
		err = ext4_page_is(p, PAGE_REMOVED) ? -ESTALE : note_stores(fs, p, from, to);
	if (!ext4_page_is(p, PAGE_REMOVED))
		zero_behind_end(inode, p);
	if (page_take_back(p))
		end_lending(fs, p);
	page_unlock(p);
	return err;
}
