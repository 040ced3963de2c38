/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fsync: data written, then the transaction that holds what leads to it is stable, and the device
 * has flushed (J9). Also what the commit asks about ordered data.
 */
#include "ext4/data_internal.h"
#include "jbd2/mutant.h"

int ext4_filemap_write_and_wait(struct inode *inode, uint64_t start, uint64_t end)
{
	struct writeback wb = {
		.nr_to_write = INT64_MAX,
		.range_start = start,
		.range_end = end,
		.sync_mode = WB_ALL,
	};
	int err = 0;

	if (!atomic_load(&inode->mapping.page_count))
		return 0;
	err = ext4_writepages(inode, &wb);
	mapping_wait_writeback(&inode->mapping, ext4_page_index(inode->fs, start),
			       ext4_page_index(inode->fs, end));
	return err;
}

int ext4_filemap_start(struct inode *inode, uint64_t start, uint64_t end)
{
	struct writeback wb = {
		.nr_to_write = INT64_MAX,
		.range_start = start,
		.range_end = end,
		.sync_mode = WB_NONE,
	};

	return atomic_load(&inode->mapping.page_count) ? ext4_writepages(inode, &wb) : 0;
}

int ext4_filemap_start_and_wait(struct inode *inode, uint64_t start, uint64_t end)
{
	uint64_t first = ext4_page_index(inode->fs, start), last = ext4_page_index(inode->fs, end);
	int err;

	if (!atomic_load(&inode->mapping.page_count))
		return 0;
	/* What is being written now may be older than what is dirty: it is waited for first. */
	mapping_wait_writeback(&inode->mapping, first, last);
	err = ext4_filemap_start(inode, start, end);
	mapping_wait_writeback(&inode->mapping, first, last);
	return err;
}

static int commit_for(struct inode *inode, bool datasync)
{
	struct ext4_fs *fs = inode->fs;
	tid_t tid = datasync ? inode->datasync_tid : inode->sync_tid;
	bool flush = fs->opt.barrier && !jbd2_trans_will_send_data_barrier(fs->journal, tid);
	int err = jbd2_complete_transaction(fs->journal, tid);

	return !err && flush ? block_flush(fs->device) : err;
}

int ext4_sync_unjournaled(struct ext4_fs *fs)
{
	int err = ext4_write_unjournaled(fs);

	return !err && fs->opt.barrier ? block_flush(fs->device) : err;
}

static int sync_file(struct inode *inode, uint64_t start, uint64_t end, bool datasync)
{
	struct ext4_fs *fs = inode->fs;
	int err;

	if (atomic_load(&fs->shut_down))
		return -EIO;
	if (atomic_load(&fs->read_only_now))
		return atomic_load(&fs->error_seen) ? -EROFS : 0; /* all was written before */
	err = ext4_filemap_write_and_wait(inode, start, end);
	if (!err && !datasync)
		err = ext4_lazytime_write_inode(inode);
	if (err)
		return err;
	if (!fs->journal)
		return ext4_sync_unjournaled(fs);
	/* Journaled data, and with it every directory: what is in the log is what there is to wait for. */
	if (ext4_should_journal_data(inode))
		return jbd2_journal_force_commit(fs->journal);
	return commit_for(inode, datasync);
}

int ext4_sync_file(struct inode *inode, uint64_t start, uint64_t end, bool datasync,
		   uint64_t parent_ino)
{
	int err;

	TRACE_SCOPE(inode->fs, ext4_sync_file);
	trace(inode->fs, ext4_sync_file_enter, inode->ino, parent_ino, datasync);
	err = sync_file(inode, start, end, datasync);
	trace(inode->fs, ext4_sync_file_exit, inode->ino, err);
	return err;
}

/* ---- the commit's questions */

/*
 * Write what is dirty and mapped; what is still delayed belongs to a later transaction. Runs in the
 * commit task: no allocation, no handle.
 */
int ext4_submit_ordered(void *user, struct jbd2_inode *ji)
{
	(void)user;
	if (MUTANT(commit_maps))
		return ext4_filemap_write_and_wait(ji->host, 0, UINT64_MAX);
	return ext4_write_mapped_pages(ji->host);
}

int ext4_wait_ordered(void *user, struct jbd2_inode *ji)
{
	struct inode *inode = ji->host;

	(void)user;
	mapping_wait_writeback(&inode->mapping, 0, UINT64_MAX - 1);
	/*
	 * A failed write is the file's error, told to its fsync; the transaction itself is sound.
	 */
	return atomic_load(&inode->mapping.error);
}
