/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of an inode in memory and, when its last link is gone, on disk: its blocks are freed, it
 * leaves the orphans, its number goes back. The transactions in between may each be the last one
 * before a crash: the inode is an orphan all that time, and the next mount goes on where this one
 * stopped (J10).
 */
#include "base/assert.h"
#include "ext4/inode_internal.h"

/* Blocks of bitmaps and descriptors that freeing may touch, within what one handle may ask for. */
static int blocks_for_truncate(const struct inode *i)
{
	uint64_t blocks = i->blocks >> (i->fs->geo.block_bits - 9);

	return (int)min(max(blocks, (uint64_t)2), (uint64_t)64);
}

/* One name operation's worth of credits, without which no inode can be freed. */
static int free_inode_credits(const struct inode *i)
{
	return ext4_name_credits(i->fs) + 3 + blocks_for_truncate(i);
}

/* What memory keeps of it: preallocations and the map. */
void ext4_clear_inode(struct inode *i)
{
	TRACE_SCOPE(i->fs, ext4_clear_inode);
	ext4_discard_preallocations(i);
	ignore_result(ext4_es_remove_extent(i, 0, UINT32_MAX)); /* nothing to split: cannot fail */
	ext4_inode_forget(i);
}

/*
 * What follows the freeing of the blocks: inode, its bitmap, descriptor and orphan, and the block of attributes with
 * its bitmap and descriptor. Truncating may have used up what the handle began with.
 */
#define LAST_CREDITS 10

static int ensure_last_credits(struct handle *h, struct inode *i)
{
	int err = ext4_journal_ensure_credits(i->fs, h, LAST_CREDITS, LAST_CREDITS);

	return err > 0 ? jbd2_journal_restart(h, LAST_CREDITS) : err;
}

static int delete_in(struct handle *h, struct inode *i)
{
	int err;

	attr_write_begin(i);
	i->size = 0;
	attr_write_end(i);
	err = __ext4_mark_inode_dirty(h, i, "ext4_evict_inode");
	if (!err && i->blocks)
		err = ext4_truncate(i);
	if (!err)
		err = ensure_last_credits(h, i);
	if (err)
		return err;
	err = ext4_orphan_del(h, i);
	attr_write_begin(i);
	i->dtime_or_next_orphan = (uint32_t)ext4_current_time(i->fs).sec;
	attr_write_end(i);
	if (!err)
		err = __ext4_mark_inode_dirty(h, i, "ext4_evict_inode");
	return err ? err : ext4_free_inode(h, i);
}

/* After an error it is an orphan again; should that fail too, e2fsck finds it. */
static int delete_once(struct inode *i)
{
	struct ext4_fs *fs = i->fs;
	struct handle *h;
	int err = __ext4_journal_start(fs, i->ino, "ext4_evict_inode", __LINE__, HT_TRUNCATE,
				       free_inode_credits(i), 0, &h);

	if (err)
		return err;
	err = delete_in(h, i);
	if (err)
		ignore_result(ext4_orphan_add(h, i));
	(void)ext4_journal_stop(fs, h); /* the journal has reported it */
	return err;
}

/*
 * An error leaves it an orphan: the next mount tries again. Without a journal there are no orphans
 * and nobody tries again, so what fails is tried once more, as is, with one, what fails for want of memory.
 */
static void delete (struct inode *i)
{
	struct ext4_fs *fs = i->fs;
	int err;

	if (fs->journal && EXT4_S_ISREG(i->mode) && ext4_should_order_data(i)) {
		trace(fs, ext4_begin_ordered_truncate, i->ino, 0);
		/* What cannot be written is thrown away next. */
		ignore_result(jbd2_journal_begin_ordered_truncate(fs->journal, &i->jinode));
	}
	ext4_truncate_pages(i, 0);
	err = delete_once(i);
	if (ext4_is_tried_again(fs, err))
		err = delete_once(i);
	if (err)
		ext4_clear_inode(i);
}

void ext4_evict_inode(struct inode *i)
{
	TRACE_SCOPE(i->fs, ext4_evict_inode);
	trace(i->fs, ext4_evict_inode, i->ino, (int)i->nlink);
	ext4_flusher_forget(i);
	if (!i->nlink && i->ino >= i->fs->geo.first_ino && !ext4_writable(i->fs)) {
		delete (i);
		return;
	}
	ext4_truncate_pages(i, 0);
	ext4_clear_inode(i);
}
