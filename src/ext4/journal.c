/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal of a mount lies in a file, inode 8. Where each of its blocks lies is asked block by
 * block while the log is written, through the same map as any file's.
 */
#include <stdio.h>
#include "ext4/alloc.h"
#include "ext4/data.h"
#include "ext4/journal.h"
#include "ext4/map.h"
#include "ext4/super.h"
#include "ext4/whole.h"

/* ---- what the journal asks */

static int ext4_journal_bmap(void *user, uint64_t lblk, uint64_t *pblk)
{
	struct ext4_fs *fs = user;
	struct ext4_map map = { .lblk = (ext4_lblk_t)lblk, .len = 1 };
	int n;

	TRACE_SCOPE(fs, jbd2_journal_bmap);
	n = ext4_map_blocks(NULL, fs->journal_inode, &map, 0);
	if (n < 0)
		return n;
	if (!n || map.flags & MAPPED_UNWRITTEN)
		return ext4_error(fs, fs->geo.journal_inum, 0, "the journal has no block %llu",
				  (unsigned long long)lblk);
	*pblk = map.pblk;
	return 0;
}

static void aborted(void *user, int err)
{
	struct ext4_fs *fs = user;

	if (err == -ESHUTDOWN)
		return;
	ext4_message(fs, LOG_ERROR,
		     "the journal has stopped (error %d): nothing is written any more", -err);
	atomic_store(&fs->error_seen, true);
	atomic_store(&fs->errors_pending, true);
	if (fs->opt.errors == ERRORS_PANIC)
		atomic_store(&fs->shut_down, true);
	if (fs->opt.errors != ERRORS_CONTINUE)
		atomic_store(&fs->read_only_now, true);
	ext4_flusher_wake_for_errors(fs);
}

static void pressure(void *user)
{
	ext4_flusher_wake(user);
}

/* data_err=abort: a commit must not vouch for data that was not written. */
static int wait_ordered(void *user, struct jbd2_inode *ji)
{
	struct ext4_fs *fs = user;
	int err = ext4_wait_ordered(user, ji);

	if (err && fs->opt.data_err_abort) {
		ext4_message(fs, LOG_ERROR, "inode %llu: ordered data was not written (data_err=abort)",
			     (unsigned long long)ji->ino);
		jbd2_journal_abort(fs->journal, err);
	}
	return err;
}

static void committed(void *user, struct transaction *t, int err)
{
	(void)t;
	(void)err; /* of a lost one nothing was handed on */
	ext4_mb_committed(user);
}

static const struct journal_ops ops = {
	.map_log_block = ext4_journal_bmap,
	.submit_ordered = ext4_submit_ordered,
	.wait_ordered = wait_ordered,
	.committed = committed,
	.aborted = aborted,
	.pressure = pressure,
};

/* ---- its life */

static int journal_inode(struct ext4_fs *fs)
{
	int err = ext4_iget(fs, fs->geo.journal_inum, IGET_SPECIAL, &fs->journal_inode);

	if (err == -ESTALE)
		return ext4_error(fs, fs->geo.journal_inum, 0,
				  "the journal's inode is free; e2fsck makes a new one");
	if (err)
		return err;
	if (!EXT4_S_ISREG(fs->journal_inode->mode))
		return ext4_error(fs, fs->geo.journal_inum, 0, "the journal is not a regular file");
	return ext4_zones_add_journal(fs, fs->journal_inode);
}

int ext4_journal_open(struct ext4_fs *fs, bool *needs_recovery)
{
	struct journal_options opt = {
		.arena = fs->arena,
		.sched = fs->sched,
		.clock = fs->clock,
		.log = fs->log,
		.trace = fs->trace,
		.buffers = fs->buffers,
		.budget = fs->budget,
		.device = fs->device,
		.device_name = fs->journal_name,
		.ops = &ops,
		.user = fs,
		.commit_interval_ns = (fs->opt.commit_s ? fs->opt.commit_s : 5) * NSEC_PER_SEC,
		.memory_bytes = (size_t)fs->opt.cache_mb << 20,
		.barrier = fs->opt.barrier,
		.async_commit = fs->opt.journal_async_commit,
		.read_only = fs->opt.read_only,
	};
	int err = journal_inode(fs);

	if (err)
		return err;
	opt.log_blocks = fs->journal_inode->size >> fs->geo.block_bits;
	(void)snprintf(fs->journal_name, sizeof(fs->journal_name), "jbd2/%.15s-%u", fs->device_name,
		       fs->geo.journal_inum);
	err = jbd2_journal_open(&opt, &fs->journal);
	if (err)
		return err;
	*needs_recovery = jbd2_journal_needs_recovery(fs->journal);
	return 0;
}

int ext4_journal_replay(struct ext4_fs *fs, bool plan_only, struct jbd2_recovery *out)
{
	int err = jbd2_journal_recover(fs->journal, plan_only, out);

	if (err || plan_only)
		return err;
	ext4_message(fs, LOG_INFO, "recovered: %llu transactions, %llu blocks, %llu revoked",
		     (unsigned long long)out->transactions,
		     (unsigned long long)out->blocks_replayed,
		     (unsigned long long)out->blocks_revoked);
	return 0;
}

/* An error the last mount's journal met is the file system's: it must be checked. */
static void take_over_errno(struct ext4_fs *fs)
{
	uint8_t uuid[16];
	int32_t recorded = 0;

	jbd2_journal_identity(fs->journal, uuid, &recorded);
	if (!recorded)
		return;
	ext4_message(fs, LOG_WARNING,
		     "the journal stopped in an earlier mount (error %d): run e2fsck", -recorded);
	fs->super->s_state = le16_of(le16_get(fs->super->s_state) | EXT4_ERROR_FS);
	jbd2_journal_clear_err(fs->journal);
}

int ext4_journal_begin(struct ext4_fs *fs)
{
	enum journal_csum csum = fs->geo.metadata_csum	      ? JOURNAL_CSUM_V3
				 : fs->opt.journal_checksum || fs->opt.journal_async_commit
					 ? JOURNAL_CSUM_V1
					 : JOURNAL_CSUM_NONE;
	int err = ext4_journal_hold_map(fs);

	if (!err)
		err = jbd2_journal_load(fs->journal, csum, fs->geo.has_64bit);
	if (!err)
		take_over_errno(fs);
	return err;
}

int ext4_checkpoint(struct ext4_fs *fs, uint32_t flags)
{
	const uint32_t all = CHECKPOINT_DISCARD | CHECKPOINT_ZEROOUT | CHECKPOINT_DRY_RUN;
	const uint32_t both = CHECKPOINT_DISCARD | CHECKPOINT_ZEROOUT;
	int err;

	if (flags & ~all || (flags & both) == both)
		return -EINVAL;
	if (!fs->journal)
		return -ENODEV;
	if (flags & CHECKPOINT_DISCARD && !fs->device->ops->discard)
		return -EOPNOTSUPP;
	if (flags & CHECKPOINT_DRY_RUN)
		return 0;
	TRACE_SCOPE(fs, ext4_ioctl_checkpoint);
	jbd2_journal_lock_updates(fs->journal);
	err = jbd2_journal_flush(fs->journal);
	if (!err && flags & both)
		err = jbd2_journal_erase(fs->journal, flags & CHECKPOINT_DISCARD);
	jbd2_journal_unlock_updates(fs->journal);
	return err;
}

int ext4_journal_end(struct ext4_fs *fs)
{
	int err = 0;

	if (fs->journal)
		err = jbd2_journal_destroy(fs->journal);
	fs->journal = NULL;
	ext4_journal_put_map(fs);
	if (fs->journal_inode)
		ext4_iput(fs->journal_inode);
	fs->journal_inode = NULL;
	return err;
}
