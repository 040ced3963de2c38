/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Freezing, and the end of writing.
 *
 *	ext4_freeze	changes are kept out (the gate fs->changes), those under way end
 *			everything is written: data, then the transaction, then metadata in place
 *			handles are kept out: the flusher, lazy initialisation, a last close
 *			the log is emptied, the superblock says that nothing is to be recovered
 *	ext4_thaw	the same backwards
 *
 * While it lasts the image is as after an unmount: a copy of it can be mounted anywhere. Reading
 * goes on; it does not note when (ext4_touch_atime).
 *
 * Who waits for the end of a freeze may hold what comes before a handle in the order of waiting,
 * if it got past the gate (a last close): nothing of that is needed to freeze or to thaw.
 */
#include "base/assert.h"
#include "ext4/data.h"
#include "ext4/super.h"

int ext4_begin_change(struct ext4_fs *fs, unsigned *at)
{
	return gate_enter(&fs->changes, at);
}

void ext4_end_change(struct ext4_fs *fs, unsigned at)
{
	gate_leave(&fs->changes, at);
}

/* ---- freeze */

static void keep_handles_out(struct ext4_fs *fs)
{
	if (fs->journal) {
		jbd2_journal_lock_updates(fs->journal);
		return;
	}
	guard(&fs->unjournaled_lock);
	gate_shut(&fs->unjournaled);
}

static void let_handles_in(struct ext4_fs *fs)
{
	if (fs->journal) {
		jbd2_journal_unlock_updates(fs->journal);
		return;
	}
	guard(&fs->unjournaled_lock);
	gate_open(&fs->unjournaled);
}

/* The log is in use again. Nothing may change in an image that says that it is clean. */
static int mark_thawed(struct ext4_fs *fs)
{
	int err = ext4_super_mark_thawed(fs);

	if (err) {
		ext4_message(fs, LOG_ERROR, "thaw: the superblock cannot be written: read-only");
		ext4_abort(fs, err);
	}
	return err;
}

/* Everything in place, and nothing in the log. */
static int settle(struct ext4_fs *fs)
{
	int err = ext4_write_in_place(fs);

	if (!err && !fs->journal && fs->opt.barrier)
		err = block_flush(fs->device);
	if (err)
		return err;
	err = ext4_super_mark_frozen(fs);
	if (err) /* who knows what the device has of it */
		ignore_result(mark_thawed(fs));
	return err;
}

static int freeze_writable(struct ext4_fs *fs)
{
	int err;

	gate_shut(&fs->changes);
	/* Who has a page stores into it without asking. */
	err = atomic_load(&fs->pages_lent) ? -EBUSY : ext4_sync_filesystem(fs);
	if (!err) {
		keep_handles_out(fs);
		fs->handles_kept_out = true;
		err = settle(fs);
		if (!err)
			return 0;
		let_handles_in(fs);
		fs->handles_kept_out = false;
	}
	gate_open(&fs->changes);
	return err;
}

/* With life_lock. */
static int freeze_locked(struct ext4_fs *fs)
{
	int err = 0;

	if (fs->frozen)
		return -EBUSY;
	if (atomic_load(&fs->read_only_now))
		gate_shut(&fs->changes); /* there is nothing to write */
	else
		err = freeze_writable(fs);
	fs->frozen = !err;
	return err;
}

int ext4_freeze(struct ext4_fs *fs)
{
	TRACE_SCOPE(fs, freeze_super);
	guard(&fs->life_lock);
	if (atomic_load(&fs->shut_down))
		return -EIO;
	return freeze_locked(fs);
}

/* ---- thaw */

/* With life_lock. */
static int thaw_locked(struct ext4_fs *fs)
{
	bool writable = !atomic_load(&fs->read_only_now);
	int err = 0;

	if (!fs->frozen)
		return -EINVAL;
	if (writable && !atomic_load(&fs->shut_down))
		err = mark_thawed(fs);
	if (fs->handles_kept_out)
		let_handles_in(fs);
	fs->handles_kept_out = false;
	gate_open(&fs->changes);
	fs->frozen = false;
	return err;
}

int ext4_thaw(struct ext4_fs *fs)
{
	TRACE_SCOPE(fs, thaw_super);
	guard(&fs->life_lock);
	return thaw_locked(fs);
}

/* ---- shutdown */

int ext4_shutdown(struct ext4_fs *fs, enum ext4_shutdown how)
{
	int err = 0;

	guard(&fs->life_lock);
	if (atomic_load(&fs->shut_down))
		return 0;
	if (how == SHUTDOWN_DEFAULT && !fs->frozen)
		err = freeze_locked(fs);
	if (err)
		return err;
	if (how == SHUTDOWN_LOGFLUSH && fs->journal && !fs->frozen)
		err = jbd2_journal_force_commit(fs->journal);
	atomic_store(&fs->shut_down, true);
	if (fs->journal)
		jbd2_journal_abort(fs->journal, -ESHUTDOWN);
	if (how == SHUTDOWN_DEFAULT)
		ignore_result(thaw_locked(fs)); /* writes nothing: nobody writes any more */
	return err;
}
