/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making files shorter, and attributes that a call sets.
 *
 * Shrinking is three steps, each complete in itself: the new size goes to disk and the inode
 * becomes an orphan (one handle); the pages beyond go; the blocks beyond are freed (handles of
 * their own). A crash in between leaves an orphan, and the next mount does the rest (J10).
 *
 * Locks: inode->lock is held for writing. Pages are dropped under invalidate_lock, so that nobody
 * reads them back in meanwhile.
 */
#include <string.h>
#include "base/assert.h"
#include "ext4/data_internal.h"

/* ---- pages */

/*
 * Promises of a page's blocks from byte `from` on are taken back {ext4_es_remove_extent,
 * ext4_da_release_space}; a stretch at a time.
 */
static void release_promises(struct inode *inode, struct page *p, uint32_t from)
{
	struct ext4_fs *fs = inode->fs;
	uint32_t blocks = page_blocks(fs->pages), bs = fs->geo.block_size, released = 0;

	for (uint32_t i = (from + bs - 1) / bs; i < blocks; i++) {
		uint32_t n = 0;

		while (i + n < blocks && p->blocks[i + n].state & PB_DELAYED)
			p->blocks[i + n++].state &= ~(PB_DELAYED | PB_DIRTY);
		if (!n)
			continue;
		ignore_result(ext4_es_remove_extent(inode, ext4_page_lblk(fs, p) + i,
						    n)); /* delayed: never split */
		released += n;
		i += n;
	}
	ext4_da_release_space(inode, released);
}

static void trace_invalidate(struct inode *inode, const struct page *p, uint32_t from)
{
	uint32_t len = ext4_page_size(inode->fs) - from;

	if (ext4_should_journal_data(inode))
		trace(inode->fs, ext4_journalled_invalidatepage, inode->ino, p->index, from, len);
	else
		trace(inode->fs, ext4_invalidatepage, inode->ino, p->index, from, len);
}

/* What the blocks behind `from` hold is let go; a buffer the commit still needs stays with it. */
static void invalidate(struct inode *inode, struct page *p, uint32_t from)
{
	struct ext4_fs *fs = inode->fs;
	uint32_t bs = fs->geo.block_size;

	if (!ext4_page_has_blocks(fs, p))
		return;
	TRACE_SCOPE(fs, ext4_invalidatepage);
	release_promises(inode, p, from);
	trace_invalidate(inode, p, from);
	for (uint32_t i = (from + bs - 1) / bs; i < page_blocks(fs->pages); i++) {
		if (p->blocks[i].buffer)
			(void)jbd2_journal_invalidate(fs->journal, p->blocks[i].buffer);
		ext4_page_block_clear(&p->blocks[i]);
	}
	if (!from && !ext4_should_journal_data(inode))
		trace(fs, ext4_releasepage, inode->ino, p->index);
}

static void drop_page(struct inode *inode, struct page *p)
{
	page_lock(p);
	if (!ext4_page_is(p, PAGE_REMOVED)) {
		page_wait_writeback(p);
		invalidate(inode, p, 0);
		(void)page_clear_dirty(p);
		page_remove(p);
	}
	page_unlock(p);
	page_put(p);
}

/* The page that holds the new end: what is behind it reads as zeroes from now on. */
static void cut_page(struct inode *inode, uint64_t index, uint32_t from)
{
	struct ext4_fs *fs = inode->fs;
	struct page *p = page_find(&inode->mapping, index);

	if (!p)
		return;
	page_lock(p);
	if (!ext4_page_is(p, PAGE_REMOVED)) {
		page_wait_writeback(p);
		memset(p->data + from, 0, ext4_page_size(fs) - from);
		invalidate(inode, p, from);
	}
	page_unlock(p);
	page_put(p);
}

#define DROP_AT_ONCE 16

void ext4_truncate_pages(struct inode *inode, uint64_t start)
{
	uint64_t index = (start + ext4_page_size(inode->fs) - 1) / ext4_page_size(inode->fs);
	uint32_t from = (uint32_t)(start % ext4_page_size(inode->fs));
	struct page *found[DROP_AT_ONCE];
	int n;

	if (!atomic_load(&inode->mapping.page_count))
		return;
	guard_write(&inode->invalidate_lock);
	TRACE_SCOPE(inode->fs, truncate_inode_pages);
	while ((n = page_find_range(&inode->mapping, &index, UINT64_MAX - 1, found, DROP_AT_ONCE)) >
	       0)
		for (int i = 0; i < n; i++)
			drop_page(inode, found[i]);
	if (from)
		cut_page(inode, ext4_page_index(inode->fs, start), from);
}

/* ---- blocks */

/* The block the new end lies in, as it lies on disk: zeroed behind the end, in this transaction. */
static int zero_in_page(struct handle *h, struct inode *inode, struct page *p, uint64_t from)
{
	struct ext4_fs *fs = inode->fs;
	uint32_t i = (uint32_t)(from % ext4_page_size(fs)) >> fs->geo.block_bits;
	uint32_t in_block = (uint32_t)(from & (fs->geo.block_size - 1));
	struct page_block *pb = &p->blocks[i];
	struct ext4_map map = { .lblk = ext4_page_lblk(fs, p) + i, .len = 1 };
	int n;

	if (!(pb->state & (PB_MAPPED | PB_DELAYED))) {
		n = ext4_map_blocks(NULL, inode, &map, 0);
		if (n <= 0)
			return n; /* a hole reads as zeroes already */
		pb->pblk = map.pblk;
		pb->state |= PB_MAPPED | (map.flags & MAPPED_UNWRITTEN ? PB_UNWRITTEN : 0);
	}
	if (ext4_page_is(p, PAGE_UPTODATE))
		pb->state |= PB_UPTODATE;
	if (!(pb->state & PB_UPTODATE) && pb->state & PB_UNWRITTEN)
		return 0;
	if (!(pb->state & PB_UPTODATE)) {
		n = ext4_read_page_block(inode, p, i, pb->pblk);
		if (n)
			return n;
		pb->state |= PB_UPTODATE;
	}
	return ext4_zero_block_tail(h, inode, p, i, in_block);
}

int ext4_block_truncate_page(struct handle *h, struct inode *inode, uint64_t from)
{
	struct ext4_fs *fs = inode->fs;
	struct page *p;
	int err;

	if (!(from & (fs->geo.block_size - 1)))
		return 0;
	TRACE_SCOPE(fs, ext4_block_truncate_page);
	/*
	 * The page lock ranks before the handle, and here the handle is open: nobody who holds a
	 * page waits for this inode's handle, since its lock is held for writing and its write-back
	 * is over.
	 */
	p = page_find(&inode->mapping, ext4_page_index(fs, from));
	if (!p) {
		err = page_find_or_create(&inode->mapping, ext4_page_index(fs, from), &p);
		if (err)
			return err;
	} else {
		page_lock(p);
	}
	err = ext4_page_is(p, PAGE_REMOVED) ? 0 : zero_in_page(h, inode, p, from);
	ext4_page_note_uptodate(fs, p);
	page_unlock(p);
	page_put(p);
	return err;
}

/* From the first block that is all beyond the end, to the last a file can have. */
static int ext4_ext_truncate(struct handle *h, struct inode *inode)
{
	struct ext4_fs *fs = inode->fs;
	uint64_t first = (inode->size + fs->geo.block_size - 1) >> fs->geo.block_bits;
	int err;

	TRACE_SCOPE(fs, ext4_ext_truncate);
	attr_write_begin(inode);
	inode->disk_size = inode->size;
	attr_write_end(inode);
	err = __ext4_mark_inode_dirty(h, inode, "ext4_ext_truncate");
	if (err || first > EXT4_MAX_LBLK)
		return err;
	err = ext4_es_remove_extent(inode, (ext4_lblk_t)first, UINT32_MAX - (uint32_t)first);
	if (err)
		return err;
	return inode->flags & EXT4_EXTENTS_FL
		       ? ext4_ext_remove_space(h, inode, (ext4_lblk_t)first, EXT4_MAX_LBLK)
		       : ext4_ind_remove_space(h, inode, (ext4_lblk_t)first, EXT4_MAX_LBLK);
}

static bool can_truncate(const struct inode *inode)
{
	if (EXT4_S_ISREG(inode->mode) || EXT4_S_ISDIR(inode->mode))
		return true;
	return EXT4_S_ISLNK(inode->mode) && inode->flags & EXT4_EXTENTS_FL;
}

/* One handle to begin with; freeing extends or restarts it. */
static int truncate_in(struct handle *h, struct inode *inode)
{
	struct ext4_time now = ext4_current_time(inode->fs);
	int err = ext4_block_truncate_page(h, inode, inode->size), last;

	if (!err)
		err = ext4_orphan_add(h, inode);
	if (err)
		return err;
	rwlock_write(&inode->map_lock);
	ext4_discard_preallocations(inode);
	err = ext4_ext_truncate(h, inode);
	rwlock_unwrite(&inode->map_lock);
	if (inode->fs->opt.sync || inode->flags & EXT4_SYNC_FL)
		h->sync = true;
	if (!err && inode->nlink) /* else an orphan: the next mount frees the rest */
		err = ext4_orphan_del(h, inode);
	attr_write_begin(inode);
	inode->mtime = inode->ctime = now;
	attr_write_end(inode);
	last = __ext4_mark_inode_dirty(h, inode, "ext4_truncate");
	return err ? err : last;
}

static int truncate_once(struct inode *inode)
{
	struct ext4_fs *fs = inode->fs;
	struct handle *h;
	int err, stop;

	err = ext4_journal_start(fs, inode->ino, HT_TRUNCATE, ext4_writepage_credits(inode), &h);
	if (err)
		return err;
	err = truncate_in(h, inode);
	stop = ext4_journal_stop(fs, h);
	trace(fs, ext4_truncate_exit, inode->ino, inode->blocks);
	return err ? err : stop;
}

/*
 * The size is another one already. What fails for want of memory is tried once more: without a
 * journal there are no orphans, and nobody else would free the rest.
 */
int ext4_truncate(struct inode *inode)
{
	struct ext4_fs *fs = inode->fs;
	int err;

	TRACE_SCOPE(fs, ext4_truncate);
	trace(fs, ext4_truncate_enter, inode->ino, inode->blocks);
	if (!can_truncate(inode))
		return 0;
	if (!inode->size && fs->opt.auto_da_alloc)
		atomic_fetch_or(&inode->state, INODE_DA_CLOSE);
	err = truncate_once(inode);
	return err == -ENOMEM ? truncate_once(inode) : err;
}

/* ---- setattr */

/* The new size, alone: after this handle the file ends there, whatever lies behind. */
static int set_size(struct inode *inode, uint64_t size)
{
	struct ext4_fs *fs = inode->fs;
	bool shrinks = size < inode->size;
	struct ext4_time now = ext4_current_time(fs);
	struct handle *h;
	int err = __ext4_journal_start(fs, inode->ino, "ext4_setattr", __LINE__, HT_INODE, 3, 0,
				       &h),
	    stop;

	if (err)
		return err;
	if (shrinks)
		err = ext4_orphan_add(h, inode);
	if (err)
		goto stop;
	rwlock_write(&inode->map_lock);
	attr_write_begin(inode);
	if (!shrinks)
		inode->mtime = inode->ctime = now;
	inode->disk_size = size;
	attr_write_end(inode);
	err = __ext4_mark_inode_dirty(h, inode, "ext4_setattr");
	attr_write_begin(inode);
	if (!err)
		inode->size = size;
	attr_write_end(inode);
	rwlock_unwrite(&inode->map_lock);
stop:
	stop = ext4_journal_stop(fs, h);
	return err ? err : stop;
}

uint64_t ext4_size_max(const struct inode *inode)
{
	const struct ext4_geometry *g = &inode->fs->geo;

	/* extents count 2^32 - 1 blocks; block maps, what three levels of pointers reach */
	if (inode->flags & EXT4_EXTENTS_FL)
		return (uint64_t)UINT32_MAX << g->block_bits;
	return ext4_ind_max_size(g);
}

int ext4_resize_inode(struct inode *inode, uint64_t size)
{
	struct ext4_fs *fs = inode->fs;
	bool shrinks = size <= inode->size; /* as Linux: an equal size cuts what lies behind it */
	int err;

	if (size > ext4_size_max(inode))
		return -EFBIG;
	if (shrinks && ext4_should_order_data(inode)) {
		trace(fs, ext4_begin_ordered_truncate, inode->ino, (int64_t)size);
		err = jbd2_journal_begin_ordered_truncate(fs->journal, &inode->jinode);
		if (err)
			return err;
	}
	if (size != inode->size) {
		err = set_size(inode, size);
		if (err)
			return err;
	}
	ext4_truncate_pages(inode, size);
	return shrinks ? ext4_truncate(inode) : 0;
}

/* ---- the last writer closes */

void ext4_alloc_da_blocks(struct inode *inode)
{
	struct writeback wb = { .nr_to_write = INT64_MAX,
				.range_end = INT64_MAX,
				.sync_mode = WB_NONE };

	TRACE_SCOPE(inode->fs, ext4_alloc_da_blocks);
	trace(inode->fs, ext4_alloc_da_blocks, inode->ino, inode->reserved_blocks, 0);
	if (inode->reserved_blocks) /* an error is kept in the mapping, for fsync */
		ignore_result(ext4_writepages(inode, &wb));
}

void ext4_release_file(struct inode *inode, bool was_writer)
{
	TRACE_SCOPE(inode->fs, ext4_release_file);
	/*
	 * Replaced by truncating and writing anew: the new content goes out now, lest a crash leave
	 * neither.
	 */
	if (atomic_fetch_and(&inode->state, ~INODE_DA_CLOSE) & INODE_DA_CLOSE)
		ext4_alloc_da_blocks(inode);
	if (!was_writer || atomic_fetch_sub(&inode->writers, 1) != 1 || inode->reserved_blocks)
		return;
	rwlock_write(&inode->map_lock);
	ext4_discard_preallocations(inode);
	rwlock_unwrite(&inode->map_lock);
}
