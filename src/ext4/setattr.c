/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changing attributes: size, owner, mode, times. What may be changed by whom is vfs's to ask; this
 * is what the change does.
 *
 * A new owner has a handle of its own, as it would move quotas; everything else goes with the last
 * step, which stamps ctime and writes the inode.
 */
#include "base/assert.h"
#include "ext4/acl.h"
#include "ext4/data.h"
#include "ext4/inode_internal.h"

/* ---- owner */

static bool changes_owner(const struct inode *inode, const struct ext4_setattr *a)
{
	return (a->valid & ATTR_UID && a->uid != inode->uid) ||
	       (a->valid & ATTR_GID && a->gid != inode->gid);
}

static void set_owner(struct inode *inode, const struct ext4_setattr *a)
{
	attr_write_begin(inode);
	if (a->valid & ATTR_UID)
		inode->uid = a->uid;
	if (a->valid & ATTR_GID)
		inode->gid = a->gid;
	attr_write_end(inode);
}

static int change_owner(struct inode *inode, const struct ext4_setattr *a)
{
	struct ext4_fs *fs = inode->fs;
	struct handle *h;
	int err = __ext4_journal_start(fs, inode->ino, "ext4_setattr", __LINE__, HT_QUOTA, 3, 0, &h);
	int stop;

	if (err)
		return err;
	set_owner(inode, a);
	err = __ext4_mark_inode_dirty(h, inode, "ext4_setattr");
	stop = ext4_journal_stop(fs, h);
	return err ? err : stop;
}

/* ---- the rest; ctime moves with each */

static void set_fields(struct inode *inode, const struct ext4_setattr *a)
{
	struct ext4_time now = ext4_current_time(inode->fs);

	attr_write_begin(inode);
	if (a->valid & ATTR_MODE)
		inode->mode = (uint16_t)((inode->mode & EXT4_S_IFMT) | (a->mode & 07777));
	if (a->valid & ATTR_ATIME)
		inode->atime = a->valid & ATTR_ATIME_SET ? ext4_time_kept(inode->fs, a->atime) : now;
	if (a->valid & ATTR_MTIME)
		inode->mtime = a->valid & ATTR_MTIME_SET ? ext4_time_kept(inode->fs, a->mtime) : now;
	if (a->valid & ATTR_SIZE)
		inode->mtime = now;
	inode->ctime = now;
	attr_write_end(inode);
}

int ext4_setattr(struct inode *inode, const struct ext4_setattr *a)
{
	int err = 0;

	TRACE_SCOPE(inode->fs, ext4_setattr);
	if (changes_owner(inode, a))
		err = change_owner(inode, a);
	if (!err && a->valid & ATTR_SIZE)
		err = ext4_resize_inode(inode, a->size);
	if (err || !a->valid)
		return err;
	set_fields(inode, a);
	err = ext4_dirty_inode(inode);
	return !err && a->valid & ATTR_MODE ? ext4_acl_follow_mode(inode) : err;
}
