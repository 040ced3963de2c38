/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * COLLAPSE_RANGE and INSERT_RANGE: a stretch of a file is cut out, or a hole inserted, and all
 * behind it moves, without a byte being copied: the extents get other block numbers in the file.
 *
 * All pages from the first moved byte on are written and dropped before, since pages know their
 * place. The extents move in the handle, which is restarted between two nodes when it must be: a
 * crash there leaves a sound file of which a part has moved, as on Linux. The size grows before an
 * insertion and shrinks after a collapse, so that at no time a moved block lies behind it. An
 * insertion that fails before anything has moved leaves the size as it was; later, it has grown.
 *
 * Locks: inode->lock and invalidate_lock for writing, map_lock while extents move.
 */
#include "ext4/data_internal.h"
#include "ext4/extents.h"
#include "ext4/fallocate.h"

static bool is_aligned(const struct inode *inode, uint64_t offset, uint64_t len)
{
	return !((offset | len) &
		 ((uint64_t)inode->fs->geo.block_size * inode->fs->geo.cluster_ratio - 1));
}

/* The page that the first moved byte lies in. */
static uint64_t first_page_byte(const struct inode *inode, uint64_t offset)
{
	return offset - offset % ext4_page_size(inode->fs);
}

static void drop_pages_from(struct inode *inode, uint64_t start)
{
	uint64_t end = UINT64_MAX - UINT64_MAX % ext4_page_size(inode->fs);

	ext4_drop_pages(inode, start, end);
}

static int start(struct inode *inode, const char *caller, struct handle **out)
{
	return __ext4_journal_start(inode->fs, inode->ino, caller, __LINE__, HT_TRUNCATE,
				    ext4_writepage_credits(inode), 0, out);
}

static void set_size(struct inode *inode, uint64_t size)
{
	attr_write_begin(inode);
	inode->size = size;
	inode->disk_size = size;
	attr_write_end(inode);
}

static void note_sync(struct handle *h, struct inode *inode)
{
	if (inode->fs->opt.sync || inode->flags & EXT4_SYNC_FL)
		h->sync = true;
}

/* ---- collapse */

static int collapse_extents(struct handle *h, struct inode *inode, ext4_lblk_t first,
			    ext4_lblk_t end)
{
	bool moved;
	int err;

	ext4_discard_preallocations(inode);
	err = ext4_es_remove_extent(inode, first, EXT_LBLK_END - first);
	if (!err)
		err = ext4_ext_remove_space(h, inode, first, end - 1);
	if (err)
		return err;
	ext4_discard_preallocations(inode);
	return ext4_ext_shift_extents(h, inode, end, end - first, EXT_SHIFT_LEFT, &moved);
}

static int collapse_in(struct handle *h, struct inode *inode, uint64_t offset, uint64_t len)
{
	uint8_t bits = inode->fs->geo.block_bits;
	ext4_lblk_t first = (ext4_lblk_t)(offset >> bits),
		    end = (ext4_lblk_t)((offset + len) >> bits);
	int err;

	rwlock_write(&inode->map_lock);
	err = collapse_extents(h, inode, first, end);
	if (!err)
		set_size(inode, inode->size - len);
	rwlock_unwrite(&inode->map_lock);
	if (err)
		return err;
	note_sync(h, inode);
	ext4_touch_times(inode);
	err = __ext4_mark_inode_dirty(h, inode, "ext4_collapse_range");
	ext4_update_fsync_trans(h, inode, true);
	return err;
}

static int collapse(struct inode *inode, uint64_t offset, uint64_t len)
{
	uint64_t from = first_page_byte(inode, offset);
	struct handle *h;
	int err = ext4_filemap_write_and_wait(inode, from, offset), stop;

	if (!err)
		err = ext4_filemap_write_and_wait(inode, offset + len, INT64_MAX);
	if (err)
		return err;
	drop_pages_from(inode, from);
	err = start(inode, "ext4_collapse_range", &h);
	if (err)
		return err;
	err = collapse_in(h, inode, offset, len);
	stop = ext4_journal_stop(inode->fs, h);
	return err ? err : stop;
}

int ext4_collapse_range(struct inode *inode, uint64_t offset, uint64_t len)
{
	int err;

	TRACE_SCOPE(inode->fs, ext4_collapse_range);
	if (!(inode->flags & EXT4_EXTENTS_FL))
		return -EOPNOTSUPP;
	if (!is_aligned(inode, offset, len))
		return -EINVAL;
	trace(inode->fs, ext4_collapse_range, inode->ino, (int64_t)offset, (int64_t)len);
	err = ext4_settle_journaled_data(inode);
	if (err)
		return err;
	if (offset + len >= inode->size) /* that would be a truncation */
		return -EINVAL;
	guard_write(&inode->invalidate_lock);
	return collapse(inode, offset, len);
}

/* ---- insert */

/* The extent that reaches over the border is cut there. */
static int cut_at(struct handle *h, struct inode *inode, ext4_lblk_t lblk)
{
	EXT_PATH(p, inode);
	struct ext_run r;
	int err = ext4_ext_find(&p, lblk, MAP_NOCACHE);

	if (err || !ext4_ext_current(&p, &r) || lblk <= r.lblk || lblk >= ext_run_end(&r))
		return err;
	return ext4_force_split_extent_at(h, &p, lblk, true);
}

/* With map_lock. */
static int make_room(struct handle *h, struct inode *inode, ext4_lblk_t first, uint32_t len_blocks,
		     bool *moved)
{
	int err;

	*moved = false;
	ext4_discard_preallocations(inode);
	err = cut_at(h, inode, first);
	if (!err)
		err = ext4_es_remove_extent(inode, first, EXT_LBLK_END - first);
	return err ? err : ext4_ext_shift_extents(h, inode, first, len_blocks, EXT_SHIFT_RIGHT, moved);
}

static int insert_in(struct handle *h, struct inode *inode, uint64_t offset, uint64_t len)
{
	uint8_t bits = inode->fs->geo.block_bits;
	uint64_t size = inode->size;
	bool moved;
	int err;

	set_size(inode, size + len);
	ext4_touch_times(inode);
	err = __ext4_mark_inode_dirty(h, inode, "ext4_insert_range");
	if (err) {
		set_size(inode, size);
		return err;
	}
	rwlock_write(&inode->map_lock);
	err = make_room(h, inode, (ext4_lblk_t)(offset >> bits), (uint32_t)(len >> bits), &moved);
	rwlock_unwrite(&inode->map_lock);
	if (err && !moved) {
		set_size(inode, size);
		ignore_result(__ext4_mark_inode_dirty(h, inode, "ext4_insert_range"));
	}
	note_sync(h, inode);
	ext4_update_fsync_trans(h, inode, true);
	return err;
}

static int insert(struct inode *inode, uint64_t offset, uint64_t len)
{
	uint64_t from = first_page_byte(inode, offset);
	struct handle *h;
	int err = ext4_filemap_write_and_wait(inode, from, INT64_MAX), stop;

	if (err)
		return err;
	drop_pages_from(inode, from);
	err = start(inode, "ext4_insert_range", &h);
	if (err)
		return err;
	err = insert_in(h, inode, offset, len);
	stop = ext4_journal_stop(inode->fs, h);
	return err ? err : stop;
}

int ext4_insert_range(struct inode *inode, uint64_t offset, uint64_t len)
{
	int err;

	TRACE_SCOPE(inode->fs, ext4_insert_range);
	if (!(inode->flags & EXT4_EXTENTS_FL))
		return -EOPNOTSUPP;
	if (!is_aligned(inode, offset, len))
		return -EINVAL;
	trace(inode->fs, ext4_insert_range, inode->ino, (int64_t)offset, (int64_t)len);
	err = ext4_settle_journaled_data(inode);
	if (err)
		return err;
	if (len > ext4_size_max(inode) - inode->size)
		return -EFBIG;
	if (offset >= inode->size)
		return -EINVAL;
	/* Blocks behind the end move too, and may have nowhere to go. */
	if (!ext4_ext_can_shift_right(inode, (uint32_t)(len >> inode->fs->geo.block_bits)))
		return -EINVAL;
	guard_write(&inode->invalidate_lock);
	return insert(inode, offset, len);
}
