/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * New options for a mount: those that may change (options.c knows which), from read-only to
 * writable and back, and `abort`.
 */
#include "ext4/alloc.h"
#include "ext4/data.h"
#include "ext4/lazyinit.h"
#include "ext4/super.h"

/* Everything in place, the log empty, the superblock clean: as after an unmount. */
static int become_read_only(struct ext4_fs *fs)
{
	int err = ext4_sync_filesystem(fs);

	if (err)
		return err;
	if (fs->lazyinit)
		ext4_lazyinit_stop(fs);
	atomic_store(&fs->read_only_now, true);
	err = ext4_write_in_place(fs);
	if (!err && fs->opt.barrier)
		err = block_flush(fs->device);
	fs->orphans_done = ext4_orphan_file_empty(fs);
	return err ? err : ext4_super_mark_clean(fs);
}

static int become_writable(struct ext4_fs *fs)
{
	int err;

	if (fs->opt.read_only || fs->device->read_only)
		return -EROFS; /* what lies below was opened to be read */
	if (atomic_load(&fs->error_seen) || atomic_load(&fs->shut_down))
		return -EROFS;
	err = ext4_super_mark_mounted(fs);
	if (!err)
		atomic_store(&fs->read_only_now, false);
	if (!err && fs->opt.init_itable)
		err = ext4_lazyinit_start(fs);
	return err;
}

static int check_new_options(struct ext4_fs *fs, const struct ext4_options *opt)
{
	const char *fixed = ext4_options_fixed_differ(&fs->opt, opt);

	if (fixed) {
		ext4_message(fs, LOG_ERROR, "mount option %s: not in a remount", fixed);
		return -EINVAL;
	}
	if (opt->data == DATA_JOURNAL && opt->delalloc)
		return -EINVAL;
	/* 6.18 does not leave delayed allocation any more. */
	if (fs->opt.dialect != DIALECT_4_9 && fs->opt.delalloc && !opt->delalloc)
		return -EINVAL;
	return 0;
}

static void take_new_options(struct ext4_fs *fs, const struct ext4_options *opt)
{
	enum ext4_errors errors = fs->opt.errors;

	ext4_options_take(&fs->opt, opt);
	if (opt->errors == ERRORS_UNSAID)
		fs->opt.errors = errors;
	fs->opt.stripe = ext4_stripe(fs, opt->stripe);
	if (!fs->journal)
		return;
	jbd2_journal_set_barrier(fs->journal, opt->barrier);
	jbd2_journal_set_commit_interval(fs->journal, (opt->commit_s ? opt->commit_s : 5) *
							      NSEC_PER_SEC);
}

static int change_options(struct ext4_fs *fs, const struct ext4_options *opt)
{
	bool read_only = atomic_load(&fs->read_only_now);
	int err = check_new_options(fs, opt);

	if (!err && opt->abort)
		ext4_abort(fs, -EIO);
	else if (!err && opt->read_only && !read_only)
		err = become_read_only(fs);
	else if (!err && !opt->read_only && read_only)
		err = become_writable(fs);
	if (!err)
		take_new_options(fs, opt);
	return err;
}

int ext4_remount(struct ext4_fs *fs, const struct ext4_options *opt)
{
	guard(&fs->life_lock);
	return fs->frozen ? -EBUSY : change_options(fs, opt);
}

bool ext4_is_read_only(struct ext4_fs *fs)
{
	return atomic_load(&fs->read_only_now);
}
