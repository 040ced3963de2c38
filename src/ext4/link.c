/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names more and less for inodes that are there: link, unlink, rmdir.
 *
 * With its last name an inode becomes an orphan in the same handle, and goes when nobody holds it
 * any more (evict.c). One without a name (O_TMPFILE) is an orphan from its beginning, and none with
 * its first name.
 */
#include "ext4/namei_internal.h"

/* ---- link */

static int link_in(struct handle *h, struct inode *dir, const struct ext4_name *name,
		   struct inode *inode)
{
	uint32_t links = inode->nlink;
	int err = ext4_inode_get_write_access(h, inode);

	if (err)
		return err;
	ext4_set_links(inode, links + 1);
	err = ext4_add_entry(h, dir, name, inode);
	if (err) {
		ext4_set_links(inode, links);
		return err;
	}
	err = __ext4_mark_inode_dirty(h, inode, "ext4_link");
	return err || links ? err : ext4_orphan_del(h, inode);
}

int ext4_link(struct inode *dir, const struct ext4_name *name, struct inode *inode)
{
	struct ext4_fs *fs = dir->fs;
	struct handle *h;
	int err, stop;

	TRACE_SCOPE(fs, ext4_link);
	if (inode->nlink >= EXT4_LINK_MAX)
		return -EMLINK;
	err = ext4_journal_start(fs, dir->ino, HT_DIR, ext4_name_credits(fs) + 8 + 1, &h);
	if (err)
		return err;
	ext4_sync_if_asked(h, dir);
	err = link_in(h, dir, name, inode);
	stop = ext4_journal_stop(fs, h);
	return err ? err : stop;
}

/* ---- unlink, rmdir */

/* The entry goes; what else changes is the handle's by then. */
static int take_entry(struct handle *h, struct inode *dir, const struct ext4_dir_place *place,
		      struct inode *inode)
{
	int err = ext4_inode_get_write_access(h, dir);

	if (!err)
		err = ext4_inode_get_write_access(h, inode);
	return err ? err : ext4_delete_entry(h, dir, place);
}

static int unlink_in(struct handle *h, struct inode *dir, const struct ext4_dir_place *place,
		     struct inode *inode)
{
	int err = take_entry(h, dir, place, inode);

	if (err)
		return err;
	ext4_dir_touch(dir);
	err = __ext4_mark_inode_dirty(h, dir, "ext4_unlink");
	if (err)
		return err;
	if (!inode->nlink)
		ext4_message(dir->fs, LOG_WARNING, "inode %u has a name and no links", inode->ino);
	ext4_drop_links(inode, 1);
	if (!inode->nlink)
		err = ext4_orphan_add(h, inode);
	return err ? err : __ext4_mark_inode_dirty(h, inode, "ext4_unlink");
}

static int unlink_place(struct inode *dir, const struct ext4_dir_place *place, struct inode *inode,
			int (*change)(struct handle *, struct inode *,
				      const struct ext4_dir_place *, struct inode *),
			const char *caller)
{
	struct ext4_fs *fs = dir->fs;
	struct handle *h;
	int err = ext4_check_entry(dir, place, inode), stop;

	if (!err)
		err = __ext4_journal_start(fs, dir->ino, caller, __LINE__, HT_DIR,
					      ext4_name_credits(fs), 0, &h);
	if (err)
		return err;
	ext4_sync_if_asked(h, dir);
	err = change(h, dir, place, inode);
	stop = ext4_journal_stop(fs, h);
	return err ? err : stop;
}

int ext4_unlink(struct inode *dir, const struct ext4_name *name, struct inode *inode)
{
	struct ext4_fs *fs = dir->fs;
	struct ext4_dir_place place;
	int err;

	TRACE_SCOPE(fs, ext4_unlink);
	trace(fs, ext4_unlink_enter, inode->ino, (int64_t)inode->size, dir->ino);
	err = ext4_find_entry(dir, name, &place);
	if (!err) {
		err = unlink_place(dir, &place, inode, unlink_in, "ext4_unlink");
		buffer_put(place.buffer);
	}
	trace(fs, ext4_unlink_exit, inode->ino, err);
	return err;
}

static int rmdir_in(struct handle *h, struct inode *dir, const struct ext4_dir_place *place,
		    struct inode *inode)
{
	int err = take_entry(h, dir, place, inode);

	if (err)
		return err;
	attr_write_begin(inode);
	inode->size = 0;
	attr_write_end(inode);
	ext4_drop_links(inode, inode->nlink);
	atomic_fetch_or(&inode->state, INODE_DEAD);
	err = ext4_orphan_add(h, inode);
	if (!err)
		err = __ext4_mark_inode_dirty(h, inode, "ext4_rmdir");
	if (err)
		return err;
	ext4_change_dir_links(dir, -1);
	ext4_dir_touch(dir);
	return __ext4_mark_inode_dirty(h, dir, "ext4_rmdir");
}

int ext4_rmdir(struct inode *dir, const struct ext4_name *name, struct inode *inode)
{
	struct ext4_dir_place place;
	int err;

	TRACE_SCOPE(dir->fs, ext4_rmdir);
	err = ext4_find_entry(dir, name, &place);
	if (err)
		return err;
	err = ext4_empty_dir(inode);
	if (!err)
		err = unlink_place(dir, &place, inode, rmdir_in, "ext4_rmdir");
	buffer_put(place.buffer);
	return err;
}

