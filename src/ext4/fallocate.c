/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fallocate: blocks before there is data for them, and blocks that are to read as zeroes.
 *
 * Allocation goes extent by extent, each in a handle of its own, with the size growing along
 * (unless it is to be kept): whenever it ends, for want of space or by a crash, what is there is
 * whole. The blocks are unwritten: they read as zeroes until something is written into them.
 *
 * ZERO_RANGE turns written blocks into unwritten ones in the same way. Blocks at the borders that
 * are only partly in the range are allocated like the rest, but zeroed in the page cache.
 *
 * Locks: inode->lock for writing; ZERO_RANGE holds invalidate_lock from the dropping of the pages
 * to the change of the last block, lest a reader keep a page of the old content.
 */
#include "base/assert.h"
#include "base/clock.h"
#include "ext4/data_internal.h"
#include "ext4/extents.h"
#include "ext4/fallocate.h"

/* ---- steps that all kinds share */

int ext4_write_dirty_range(struct inode *inode, uint64_t offset, uint64_t last)
{
	if (!atomic_load(&inode->mapping.dirty_count))
		return 0;
	return ext4_filemap_write_and_wait(inode, offset, last);
}

/*
 * The log has the newest bytes of journaled data, and the journal holds on to the blocks until they
 * are in place. Where a page goes and its block stays, that must be over: another page will have
 * the block.
 */
int ext4_settle_journaled_data(struct inode *inode)
{
	struct journal *j = inode->fs->journal;
	int err;

	if (!j || !ext4_should_journal_data(inode))
		return 0;
	err = jbd2_journal_force_commit(j);
	if (err || !atomic_load(&inode->mapping.page_count))
		return err;
	err = ext4_filemap_write_and_wait(inode, 0, INT64_MAX);
	return err ? err : jbd2_checkpoint_writeback(j, CLOCK_NEVER);
}

int ext4_update_disksize_before_punch(struct inode *inode, uint64_t offset, uint64_t len)
{
	struct ext4_fs *fs = inode->fs;
	uint64_t size = inode->size;
	struct handle *h;
	int err, stop;

	if (offset > size || offset + len < size || inode->disk_size >= size)
		return 0;
	TRACE_SCOPE(fs, ext4_update_disksize_before_punch);
	err = ext4_journal_start(fs, inode->ino, HT_MISC, 1, &h);
	if (err)
		return err;
	if (ext4_grow_disk_size(inode, size))
		err = ext4_mark_inode_dirty(h, inode);
	stop = ext4_journal_stop(fs, h);
	return err ? err : stop;
}

void ext4_touch_times(struct inode *inode)
{
	struct ext4_time now = ext4_current_time(inode->fs);

	attr_write_begin(inode);
	inode->mtime = inode->ctime = now;
	attr_write_end(inode);
}

/* ---- allocation */

/* What is asked for; blocks are counted off as they come. */
struct allocation {
	struct inode *inode;
	ext4_lblk_t lblk;
	uint32_t len_blocks;
	uint64_t new_size;		/* 0: the size stays */
	uint32_t flags;			/* MAP_* */
};

/* The size, in memory and on disk, is at least this. True: one of them grew. */
static bool grow_to(struct inode *inode, uint64_t size)
{
	bool grew = size > inode->size;

	attr_write_begin(inode);
	if (grew)
		inode->size = size;
	if (size > inode->disk_size)
		inode->disk_size = size;
	attr_write_end(inode);
	return grew;
}

/* Kernels before 5.8 say in the inode that it has blocks behind its end. */
static void note_blocks_behind_end(struct inode *inode, uint64_t end)
{
	if (inode->fs->opt.dialect != DIALECT_4_9 || end <= inode->size)
		return;
	attr_write_begin(inode);
	inode->flags |= EXT4_EOFBLOCKS_FL;
	attr_write_end(inode);
}

/* The blocks up to `lblk` are there. */
static void follow_size(const struct allocation *a, ext4_lblk_t lblk)
{
	struct inode *inode = a->inode;
	uint64_t end = (uint64_t)lblk << inode->fs->geo.block_bits;
	struct ext4_time now = ext4_current_time(inode->fs);
	bool grew = false;

	if (a->new_size)
		grew = grow_to(inode, min(end, a->new_size));
	else
		note_blocks_behind_end(inode, end);
	attr_write_begin(inode);
	inode->ctime = now;
	if (grew)
		inode->mtime = now;
	attr_write_end(inode);
}

/* One extent, in a handle with credits for the tree as it is by now. */
static int allocate_some(struct allocation *a)
{
	struct inode *inode = a->inode;
	struct ext4_fs *fs = inode->fs;
	struct ext4_map map = { .lblk = a->lblk, .len = a->len_blocks };
	struct handle *h;
	int n, err, stop;

	err = __ext4_journal_start(fs, inode->ino, "ext4_alloc_file_blocks", __LINE__,
				   HT_MAP_BLOCKS, ext4_chunk_credits(inode, a->len_blocks), 0, &h);
	if (err)
		return err;
	n = ext4_map_blocks(h, inode, &map, a->flags);
	if (n == 0)
		n = ext4_error(fs, inode->ino, 0, "block %u was allocated and is not mapped",
			       a->lblk);
	if (n > 0) {
		a->lblk += (uint32_t)n;
		a->len_blocks -= (uint32_t)n;
		follow_size(a, a->lblk);
	}
	err = __ext4_mark_inode_dirty(h, inode, "ext4_alloc_file_blocks");
	stop = ext4_journal_stop(fs, h);
	return n < 0 ? n : err ? err : stop;
}

static int ext4_alloc_file_blocks(struct allocation a)
{
	int retries = 0, err = 0;

	TRACE_SCOPE(a.inode->fs, ext4_alloc_file_blocks);
	/* A stretch that one extent holds is wanted in one piece and no longer. */
	if (a.len_blocks <= EXT4_EXT_UNWRITTEN_MAX_LEN)
		a.flags |= MAP_NO_NORMALIZE;
	while (a.len_blocks && !err) {
		err = allocate_some(&a);
		if (err == -ENOSPC && ext4_should_retry_alloc(a.inode->fs, &retries))
			err = 0;
	}
	return err;
}

/* The blocks that [offset, offset + len) touches. */
static struct allocation of_range(struct inode *inode, uint32_t mode, uint64_t offset, uint64_t len)
{
	uint8_t bits = inode->fs->geo.block_bits;
	uint64_t end = offset + len, last = (end + (1ull << bits) - 1) >> bits;
	bool grows = !(mode & FALLOC_KEEP_SIZE) && (end > inode->size || end > inode->disk_size);
	ext4_lblk_t lblk = (ext4_lblk_t)(offset >> bits);

	return (struct allocation){ .inode = inode,
				    .lblk = lblk,
				    .len_blocks = (uint32_t)(last - lblk),
				    .new_size = grows ? end : 0,
				    .flags = MAP_CREATE | MAP_UNWRIT |
					     (mode & FALLOC_KEEP_SIZE ? MAP_KEEP_SIZE : 0) };
}

static int allocate(struct inode *inode, uint32_t mode, uint64_t offset, uint64_t len)
{
	struct allocation a = of_range(inode, mode, offset, len);
	int err = -EOPNOTSUPP;

	trace(inode->fs, ext4_fallocate_enter, inode->ino, (int64_t)offset, (int64_t)len,
	      (int)mode);
	if (inode->flags & EXT4_EXTENTS_FL)
		err = ext4_alloc_file_blocks(a);
	trace(inode->fs, ext4_fallocate_exit, inode->ino, (int64_t)offset, a.len_blocks, err);
	return err;
}

/* ---- zeroes */

/* Whole blocks [a.lblk, + a.len_blocks): their pages go, and they are unwritten. */
static int make_unwritten(struct allocation a, uint64_t offset, uint64_t len)
{
	struct inode *inode = a.inode;
	uint8_t bits = inode->fs->geo.block_bits;
	uint64_t start = (uint64_t)a.lblk << bits;
	int err;

	guard_write(&inode->invalidate_lock);
	err = ext4_update_disksize_before_punch(inode, offset, len);
	if (err)
		return err;
	ext4_drop_pages(inode, start, start + ((uint64_t)a.len_blocks << bits));
	ext4_touch_times(inode);
	a.flags |= MAP_TO_UNWRITTEN | MAP_NOCACHE;
	return ext4_alloc_file_blocks(a);
}

/*
 * Depths that the two borders of the range may change, and the inode; the data too, where it is
 * journaled.
 */
static int border_credits(struct inode *inode)
{
	return 6 * ext4_ext_depth(inode) + 1 + (ext4_should_journal_data(inode) ? 2 : 0);
}

static int zero_borders(struct inode *inode, const struct allocation *a, uint64_t offset,
			uint64_t len)
{
	struct ext4_fs *fs = inode->fs;
	struct handle *h;
	int stop, err = __ext4_journal_start(fs, inode->ino, "ext4_fallocate", __LINE__, HT_MISC,
					     border_credits(inode), 0, &h);

	if (err)
		return err;
	ext4_touch_times(inode);
	if (a->new_size)
		grow_to(inode, a->new_size);
	else
		note_blocks_behind_end(inode, offset + len);
	err = __ext4_mark_inode_dirty(h, inode, "ext4_fallocate");
	if (!err)
		err = ext4_zero_partial_blocks(h, inode, offset, offset + len);
	if (inode->fs->opt.sync || inode->flags & EXT4_SYNC_FL)
		h->sync = true;
	stop = ext4_journal_stop(fs, h);
	return err ? err : stop;
}

int ext4_zero_range(struct inode *inode, uint32_t mode, uint64_t offset, uint64_t len)
{
	uint64_t mask = inode->fs->geo.block_size - 1;
	struct allocation all = of_range(inode, mode, offset, len), whole = all;
	bool has_borders = (offset | (offset + len)) & mask;
	uint8_t bits = inode->fs->geo.block_bits;
	ext4_lblk_t end = (ext4_lblk_t)((offset + len) >> bits);
	int err;

	TRACE_SCOPE(inode->fs, ext4_zero_range);
	trace(inode->fs, ext4_zero_range, inode->ino, (int64_t)offset, (int64_t)len, (int)mode);
	err = ext4_settle_journaled_data(inode);
	if (!err)
		err = ext4_write_dirty_range(inode, offset, offset + len - 1);
	if (err)
		return err;
	if (!(inode->flags & EXT4_EXTENTS_FL))
		return -EOPNOTSUPP;
	whole.lblk = (ext4_lblk_t)((offset + mask) >> bits);
	whole.len_blocks = end > whole.lblk ? end - whole.lblk : 0;
	if (has_borders)
		err = ext4_alloc_file_blocks(all);
	if (!err && whole.len_blocks)
		err = make_unwritten(whole, offset, len);
	return !err && has_borders ? zero_borders(inode, &all, offset, len) : err;
}

/* ---- which kind */

static int by_kind(struct inode *inode, uint32_t mode, uint64_t offset, uint64_t len)
{
	if (mode & FALLOC_PUNCH_HOLE)
		return ext4_punch_hole(inode, offset, len);
	if (mode & FALLOC_COLLAPSE_RANGE)
		return ext4_collapse_range(inode, offset, len);
	if (mode & FALLOC_INSERT_RANGE)
		return ext4_insert_range(inode, offset, len);
	if (mode & FALLOC_ZERO_RANGE)
		return ext4_zero_range(inode, mode, offset, len);
	return allocate(inode, mode, offset, len);
}

/* Zeroes at the borders too: with a journal they are ordered before its commit, or logged. */
static int make_stable(struct inode *inode, uint64_t offset, uint64_t len)
{
	struct ext4_fs *fs = inode->fs;
	int err;

	if (fs->journal)
		return jbd2_complete_transaction(fs->journal, inode->sync_tid);
	err = ext4_filemap_write_and_wait(inode, offset, offset + len - 1);
	return err ? err : ext4_sync_unjournaled(fs);
}

int ext4_fallocate(struct inode *inode, uint32_t mode, uint64_t offset, uint64_t len, bool sync)
{
	struct ext4_fs *fs = inode->fs;
	int err;

	TRACE_SCOPE(fs, ext4_fallocate);
	ensure(len && offset + len > offset);
	ext4_settle_lent_end(inode);
	err = ext4_finish_cut(inode);
	if (!err)
		err = by_kind(inode, mode, offset, len);
	return !err && sync ? make_stable(inode, offset, len) : err;
}
