/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making files shorter, and attributes that a call sets.
 *
 * Shrinking is three steps, each complete in itself: the new size goes to disk and the inode
 * becomes an orphan (one handle); the pages beyond go; the blocks beyond are freed (handles of
 * their own). A crash in between leaves an orphan, and the next mount does the rest (J10).
 *
 * Locks: inode->lock is held for writing. Pages are dropped (invalidate.c) under invalidate_lock, so that
 * nobody reads them back in meanwhile.
 */
#include "ext4/data_internal.h"
#include "ext4/fallocate.h"

/* ---- blocks */

/* From the first block that is all beyond the end, to the last a file can have. */
static int ext4_ext_truncate(struct handle *h, struct inode *inode)
{
	struct ext4_fs *fs = inode->fs;
	uint64_t first = (inode->size + fs->geo.block_size - 1) >> fs->geo.block_bits;
	int err = 0;

	TRACE_SCOPE(fs, ext4_ext_truncate);
	attr_write_begin(inode);
	inode->disk_size = inode->size;
	attr_write_end(inode);
	if (inode->flags & EXT4_EXTENTS_FL) /* a block map's goes with the handle at the end, and before a restart */
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

/* A symbolic link has a block unless its target lies in the inode. */
static bool can_truncate(const struct inode *inode)
{
	if (EXT4_S_ISREG(inode->mode) || EXT4_S_ISDIR(inode->mode))
		return true;
	return EXT4_S_ISLNK(inode->mode) && (inode->flags & EXT4_EXTENTS_FL || ext4_has_mapped_blocks(inode));
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

	err = __ext4_journal_start(fs, inode->ino, "ext4_truncate", __LINE__, HT_TRUNCATE, ext4_truncate_credits(inode),
				   0, &h);
	if (err)
		return err;
	err = truncate_in(h, inode);
	stop = ext4_journal_stop(fs, h);
	trace(fs, ext4_truncate_exit, inode->ino, inode->blocks);
	return err ? err : stop;
}

/*
 * The size is another one already. What fails for want of memory is tried once more; so is, without a
 * journal, what fails at all: there are no orphans, and nobody else would free the rest. e2fsck must,
 * then.
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
	if (ext4_is_tried_again(fs, err))
		err = truncate_once(inode);
	if (err)
		atomic_fetch_or(&inode->state, INODE_CUT_OWED);
	else
		atomic_fetch_and(&inode->state, ~INODE_CUT_OWED);
	if (err && !fs->journal)
		ignore_result(ext4_error(fs, inode->ino, 0,
					 "what lies behind its end cannot be freed (error %d)", -err));
	return err;
}

int ext4_finish_cut(struct inode *inode)
{
	return unlikely(atomic_load(&inode->state) & INODE_CUT_OWED) ? ext4_truncate(inode) : 0;
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
	err = ext4_inode_get_write_access(h, inode);
	if (!err && shrinks)
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

/* Extents count 2^32 - 1 blocks. */
uint64_t ext4_size_max_any(const struct ext4_fs *fs)
{
	return (uint64_t)UINT32_MAX << fs->geo.block_bits;
}

/* Block maps: what three levels of pointers reach. */
uint64_t ext4_size_max(const struct inode *inode)
{
	return inode->flags & EXT4_EXTENTS_FL ? ext4_size_max_any(inode->fs) : ext4_ind_max_size(&inode->fs->geo);
}

int ext4_resize_inode(struct inode *inode, uint64_t size)
{
	struct ext4_fs *fs = inode->fs;
	bool shrinks = size <= inode->size; /* as Linux: an equal size cuts what lies behind it */
	int err;

	if (size > ext4_size_max(inode))
		return -EFBIG;
	err = shrinks ? 0 : ext4_finish_cut(inode);
	if (err)
		return err;
	if (shrinks && ext4_should_order_data(inode)) {
		trace(fs, ext4_begin_ordered_truncate, inode->ino, (int64_t)size);
		err = jbd2_journal_begin_ordered_truncate(fs->journal, &inode->jinode);
		if (err)
			return err;
	}
	if (!shrinks)
		ext4_settle_lent_end(inode);
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
