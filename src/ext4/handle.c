/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handles as ext4 starts them: the journal's own, with ext4's events around them; and, on a file
 * system without a journal, one that only counts its nesting, so that no caller has to ask.
 *
 * A change of a block is always: access, change, dirty. Without a journal the first is nothing and
 * the last marks the buffer to be written in place.
 */
#include "base/assert.h"
#include "ext4/inode.h"

/* The handle of a task on a file system without a journal. */
static int start_unjournaled(struct ext4_fs *fs, struct handle **out)
{
	struct task *t = task_current();
	struct handle *h = t->handle;
	unsigned at;
	int err;

	if (!h) {
		err = gate_enter(&fs->unjournaled, &at);
		if (err)
			return err;
		h = arena_new(fs->arena, struct handle);
		if (!h) {
			gate_leave(&fs->unjournaled, at);
			return -ENOMEM;
		}
		h->gate = at;
		t->handle = h;
	}
	h->nesting++;
	*out = h;
	return 0;
}

/*
 * Without a journal a block is written as it lies in memory: so nobody may be changing it meanwhile, or half
 * a change, with the checksum of neither half, would be on the device until the next time.
 */
int ext4_write_unjournaled(struct ext4_fs *fs)
{
	bool kept_out;
	int err;

	guard(&fs->unjournaled_lock);
	kept_out = gate_is_shut(&fs->unjournaled); /* it is frozen */
	if (!kept_out)
		gate_shut(&fs->unjournaled);
	err = buffer_write_dirty(fs->buffers);
	if (!kept_out)
		gate_open(&fs->unjournaled);
	return err;
}

int ext4_write_in_place(struct ext4_fs *fs)
{
	return fs->journal ? jbd2_journal_flush(fs->journal) : ext4_write_unjournaled(fs);
}

static int stop_unjournaled(struct ext4_fs *fs, struct handle *h)
{
	int err = h->error;

	if (--h->nesting)
		return err;
	task_current()->handle = NULL;
	gate_leave(&fs->unjournaled, h->gate);
	arena_free(fs->arena, h);
	return err;
}

int __ext4_journal_start_sb(struct ext4_fs *fs, uint64_t ino, const char *caller, int line,
			    enum ext4_handle_type type, int blocks, int reserve,
			    struct handle **out)
{
	bool nested = task_current()->handle;
	int err;

	TRACE_SCOPE(fs, __ext4_journal_start_sb);
	trace(fs, ext4_journal_start, blocks, reserve, caller, 0, (int)type, ino);
	err = nested ? 0 : ext4_writable(fs);
	if (err)
		return err;
	if (!fs->journal)
		return start_unjournaled(fs, out);
	err = jbd2__journal_start(fs->journal, blocks, reserve, type, (uint32_t)line, out);
	if (err || nested)
		return err;
	/*
	 * Asked again, now that a remount read-only has to wait for this handle: either it sees the
	 * handle, or the handle sees it. What has begun may end.
	 */
	err = ext4_writable(fs);
	if (err)
		ignore_result(jbd2_journal_stop(*out)); /* nothing was done in it */
	return err;
}

int __ext4_journal_start(struct ext4_fs *fs, uint64_t ino, const char *caller, int line,
			 enum ext4_handle_type type, int blocks, int reserve, struct handle **out)
{
	TRACE_SCOPE(fs, ext4_journal_start, __ext4_journal_start);
	return __ext4_journal_start_sb(fs, ino, caller, line, type, blocks, reserve, out);
}

int __ext4_journal_stop(struct ext4_fs *fs, struct handle *h, const char *caller, int line)
{
	TRACE_SCOPE(fs, ext4_journal_stop, __ext4_journal_stop);
	(void)caller;
	(void)line;
	if (!h->journal)
		return stop_unjournaled(fs, h);
	return jbd2_journal_stop(h);
}

struct handle *ext4_journal_current_handle(struct ext4_fs *fs)
{
	TRACE_SCOPE(fs, ext4_journal_current_handle);
	return task_current()->handle;
}

int ext4_journal_ensure_credits(struct ext4_fs *fs, struct handle *h, int need, int extend_by)
{
	(void)fs;
	if (!h->journal || h->credits >= need)
		return 0;
	return jbd2_journal_extend(h, extend_by);
}

int ext4_journal_ensure_revokes(struct handle *h, uint32_t count)
{
	return h->journal && count ? jbd2_journal_reserve_revokes(h, count) : 0;
}

int ext4_journal_get_write_access(struct ext4_fs *fs, struct handle *h, struct buffer *b)
{
	if (!h->journal)
		return 0;
	(void)fs;
	return jbd2_journal_get_write_access(h, b);
}

int ext4_journal_get_create_access(struct ext4_fs *fs, struct handle *h, struct buffer *b)
{
	if (!h->journal)
		return 0;
	(void)fs;
	return jbd2_journal_get_create_access(h, b);
}

int ext4_handle_dirty_metadata(struct ext4_fs *fs, struct handle *h, uint64_t ino, struct buffer *b)
{
	(void)fs;
	(void)ino;
	if (!h->journal) {
		buffer_mark_dirty(b);
		return 0;
	}
	return jbd2_journal_dirty_metadata(h, b);
}

/*
 * Journaled data and metadata were logged, so an old copy may be in the log: revoke. A data block
 * of data=ordered never was. data=journal itself logs all data, but a freed data block can only
 * come back as data there, which goes through the log again (and is never zeroed past it:
 * may_zeroout in extents_convert.c): nothing to revoke.
 */
bool ext4_forget_revokes(const struct inode *inode, bool is_metadata)
{
	const struct ext4_fs *fs = inode->fs;

	if (!fs->journal)
		return false;
	return is_metadata ||
	       (fs->opt.data != DATA_JOURNAL && inode->flags & EXT4_JOURNAL_DATA_FL);
}

int ext4_forget(struct ext4_fs *fs, struct handle *h, bool is_metadata, struct inode *inode,
		struct buffer *b, ext4_fsblk_t block)
{
	int err = 0;

	TRACE_SCOPE(fs, ext4_forget);
	trace(fs, ext4_forget, inode->ino, inode->mode, is_metadata, block);
	if (ext4_forget_revokes(inode, is_metadata))
		err = jbd2_journal_revoke(h, block, b);
	else if (h->journal)
		err = jbd2_journal_forget(h, b, block);
	if (!err)
		buffer_forget(fs->buffers, block); /* what comes into the block next starts afresh */
	return err;
}
