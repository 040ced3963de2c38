/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hole in a file: its size stays, its blocks go.
 *
 *	write    what is dirty in the range, so that nothing in it is only promised
 *	drop     pages that lie whole in it
 *	zero     what of the range lies in blocks that stay, in the handle
 *	free     the blocks; the handle is extended, or restarted between two extents
 *
 * After a crash in between, a part of the range is a hole and the rest has its old content: each
 * step is true by itself, and there is nothing to finish.
 *
 * Locks: inode->lock for writing against writers and direct readers, invalidate_lock against who
 * would read the old blocks into pages again before they are gone.
 */
#include "ext4/data_internal.h"
#include "ext4/extents.h"
#include "ext4/fallocate.h"

/* Blocks whose bitmaps and descriptors freeing may touch, within what one handle may ask for. */
int ext4_truncate_credits(struct inode *inode)
{
	uint64_t blocks = inode->blocks >> (inode->fs->geo.block_bits - 9);

	if (inode->flags & EXT4_EXTENTS_FL)
		return ext4_writepage_credits(inode);
	return ext4_name_credits(inode->fs) + (int)min(max(blocks, (uint64_t)2), (uint64_t)64);
}

/* What lies behind the end is left alone, but for the rest of the end's own page. */
static uint64_t end_of_hole(const struct inode *inode, uint64_t offset, uint64_t len)
{
	uint64_t psize = ext4_page_size(inode->fs), size = inode->size;

	if (offset + len <= size)
		return offset + len;
	return size + psize - size % psize;
}

static int remove_blocks(struct handle *h, struct inode *inode, ext4_lblk_t first, ext4_lblk_t end)
{
	int err;

	guard_write(&inode->map_lock);
	ext4_discard_preallocations(inode);
	err = ext4_es_remove_extent(inode, first, end - first);
	if (err)
		return err;
	return inode->flags & EXT4_EXTENTS_FL ? ext4_ext_remove_space(h, inode, first, end - 1)
					      : ext4_ind_remove_space(h, inode, first, end - 1);
}

static int punch_in(struct handle *h, struct inode *inode, uint64_t offset, uint64_t end)
{
	struct ext4_fs *fs = inode->fs;
	uint8_t bits = fs->geo.block_bits;
	ext4_lblk_t first = (ext4_lblk_t)((offset + (1u << bits) - 1) >> bits),
		    last = (ext4_lblk_t)min(end >> bits, (uint64_t)EXT_LBLK_END);
	int err = ext4_zero_partial_blocks(h, inode, offset, end);

	if (err || first >= last)
		return err;
	err = remove_blocks(h, inode, first, last);
	if (err)
		return err;
	if (fs->opt.sync || inode->flags & EXT4_SYNC_FL)
		h->sync = true;
	ext4_touch_times(inode);
	err = __ext4_mark_inode_dirty(h, inode, "ext4_punch_hole");
	ext4_update_fsync_trans(h, inode, true);
	return err;
}

/* With invalidate_lock. */
static int punch(struct inode *inode, uint64_t offset, uint64_t end)
{
	struct ext4_fs *fs = inode->fs;
	uint64_t bs = fs->geo.block_size, start = (offset + bs - 1) & ~(bs - 1);
	struct handle *h;
	int err = 0, stop;

	if ((end & ~(bs - 1)) > start) {
		err = ext4_update_disksize_before_punch(inode, offset, end - offset);
		if (err)
			return err;
		ext4_drop_pages(inode, start, end & ~(bs - 1));
	}
	err = __ext4_journal_start(fs, inode->ino, "ext4_punch_hole", __LINE__, HT_TRUNCATE,
				   ext4_truncate_credits(inode), 0, &h);
	if (err)
		return err;
	err = punch_in(h, inode, offset, end);
	stop = ext4_journal_stop(fs, h);
	return err ? err : stop;
}

int ext4_punch_hole(struct inode *inode, uint64_t offset, uint64_t len)
{
	int err;

	TRACE_SCOPE(inode->fs, ext4_punch_hole);
	trace(inode->fs, ext4_punch_hole, inode->ino, (int64_t)offset, (int64_t)len, 0);
	err = ext4_write_dirty_range(inode, offset, offset + len - 1);
	if (err || offset >= inode->size)
		return err;
	guard_write(&inode->invalidate_lock);
	return punch(inode, offset, end_of_hole(inode, offset, len));
}
