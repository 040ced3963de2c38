/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations on names. Each is one handle: the inode and the entry that leads to it change together
 * or not at all.
 *
 * create and mkdir go on in the handle that __ext4_new_inode started. An operation that fails after
 * the inode exists takes its link away again; the last reference then frees it in the same handle.
 */
#include <string.h>
#include "base/assert.h"
#include "ext4/csum.h"
#include "ext4/data.h"
#include "ext4/dir_internal.h"
#include "ext4/kinds.h"

/* create, mkdir, mknod: one name, the index above it, and three for a new inode (choices.md). */
static int create_credits(const struct ext4_fs *fs)
{
	return ext4_name_credits(fs) + 8 + 3;
}

static bool links_are_counted(const struct inode *dir)
{
	return !(dir->fs->geo.feature_ro_compat & EXT4_FEATURE_RO_COMPAT_DIR_NLINK) ||
	       dir->nlink > 1;
}

int ext4_lookup(struct inode *dir, const struct ext4_name *name, uint32_t *ino, uint8_t *file_type)
{
	struct ext4_dir_place place;
	struct ext4_dir_entry_2 *de;
	int err;

	TRACE_SCOPE(dir->fs, ext4_lookup);
	if (name->len > EXT4_NAME_LEN)
		return -ENAMETOOLONG;
	err = ext4_find_entry(dir, name, &place);
	if (err)
		return err;
	de = ext4_dir_entry_at(place.buffer, place.offset);
	*ino = le32_get(de->inode);
	*file_type = de->file_type;
	buffer_put(place.buffer);
	if (*ino == dir->ino && !(name->len <= 2 && name->bytes[0] == '.'))
		return ext4_error(dir->fs, dir->ino, 0,
				  "entry '%.*s' leads to the directory itself", (int)name->len,
				  name->bytes);
	return 0;
}

/* The new inode is not to be: its link goes, and with the reference the inode. */
static void undo_new(struct handle *h, struct inode *inode)
{
	attr_write_begin(inode);
	inode->nlink = 0;
	attr_write_end(inode);
	ignore_result(ext4_orphan_add(h, inode)); /* an error is the handle's already */
	ignore_result(ext4_mark_inode_dirty(h, inode));
	ext4_inode_unlock_new(inode);
	ext4_iput(inode);
}

static void sync_if_asked(struct handle *h, const struct inode *dir)
{
	if (dir->fs->opt.sync || dir->fs->opt.dirsync ||
	    dir->flags & (EXT4_SYNC_FL | EXT4_DIRSYNC_FL))
		h->sync = true;
}

/* A file gets its name. */
static int ext4_add_nondir(struct handle *h, struct inode *dir, const struct ext4_name *name,
			   struct inode *inode)
{
	int err;

	TRACE_SCOPE(dir->fs, ext4_add_nondir);
	err = ext4_add_entry(h, dir, name, inode);
	if (!err)
		err = ext4_mark_inode_dirty(h, inode);
	if (err)
		undo_new(h, inode);
	else
		ext4_inode_unlock_new(inode);
	return err;
}

int ext4_create(struct inode *dir, const struct ext4_name *name, uint16_t mode,
		const struct ext4_cred *cred, struct inode **out)
{
	struct ext4_fs *fs = dir->fs;
	struct inode *inode;
	struct handle *h;
	int err, stop;

	TRACE_SCOPE(fs, ext4_create);
	err = ext4_new_inode_start_handle(dir, (uint16_t)(mode | EXT4_S_IFREG), name->bytes,
					  name->len, cred, HT_DIR, create_credits(fs), &inode);
	if (err)
		return err;
	h = ext4_journal_current_handle(fs);
	err = ext4_add_nondir(h, dir, name, inode);
	sync_if_asked(h, dir);
	stop = ext4_journal_stop(fs, h);
	if (!err)
		err = stop;
	if (!err)
		*out = inode;
	return err;
}

/* ---- mkdir */

static void put_dots(struct ext4_fs *fs, struct buffer *b, uint32_t ino, uint32_t parent)
{
	const struct ext4_name dot = { ".", 1 }, dotdot = { "..", 2 };
	uint8_t type = ext4_entry_type(fs, EXT4_S_IFDIR);

	ext4_dir_init_block(fs, b);
	ext4_insert_dentry(fs, b, 0, &dot, ino, type);
	ext4_insert_dentry(fs, b, 0, &dotdot, parent, type);
}

static int ext4_init_new_dir(struct handle *h, struct inode *dir, struct inode *inode)
{
	struct ext4_fs *fs = dir->fs;
	ext4_lblk_t lblk;
	autobuffer b = NULL;
	int err;

	TRACE_SCOPE(fs, ext4_init_new_dir);
	err = ext4_append(h, inode, &lblk, &b);
	if (err)
		return err;
	put_dots(fs, b, inode->ino, dir->ino);
	attr_write_begin(inode);
	inode->nlink = 2;
	attr_write_end(inode);
	return ext4_handle_dirty_metadata(fs, h, inode->ino, b);
}

/* One link more or less from below; beyond 65,000 they are not counted any more (dir_nlink). */
static void change_links(struct inode *dir, int delta)
{
	bool counted = links_are_counted(dir);

	attr_write_begin(dir);
	if (counted)
		dir->nlink = (uint32_t)((int)dir->nlink + delta);
	if (dir->nlink >= EXT4_LINK_MAX &&
	    dir->fs->geo.feature_ro_compat & EXT4_FEATURE_RO_COMPAT_DIR_NLINK)
		dir->nlink = 1;
	attr_write_end(dir);
}

static int name_new_dir(struct handle *h, struct inode *dir, const struct ext4_name *name,
			struct inode *inode)
{
	int err = ext4_init_new_dir(h, dir, inode);

	if (!err)
		err = ext4_mark_inode_dirty(h, inode);
	if (!err)
		err = ext4_add_entry(h, dir, name, inode);
	if (err) {
		undo_new(h, inode);
		return err;
	}
	change_links(dir, 1);
	ext4_inode_unlock_new(inode);
	return __ext4_mark_inode_dirty(h, dir, "ext4_mkdir");
}

int ext4_mkdir(struct inode *dir, const struct ext4_name *name, uint16_t mode,
	       const struct ext4_cred *cred, struct inode **out)
{
	struct ext4_fs *fs = dir->fs;
	struct inode *inode;
	struct handle *h;
	int err, stop;

	TRACE_SCOPE(fs, ext4_mkdir);
	if (dir->nlink >= EXT4_LINK_MAX &&
	    !(fs->geo.feature_ro_compat & EXT4_FEATURE_RO_COMPAT_DIR_NLINK))
		return -EMLINK;
	err = ext4_new_inode_start_handle(dir, (uint16_t)(mode | EXT4_S_IFDIR), name->bytes,
					  name->len, cred, HT_DIR, create_credits(fs), &inode);
	if (err)
		return err;
	h = ext4_journal_current_handle(fs);
	err = name_new_dir(h, dir, name, inode);
	sync_if_asked(h, dir);
	stop = ext4_journal_stop(fs, h);
	if (!err)
		err = stop;
	if (!err)
		*out = inode;
	return err;
}

/* ---- unlink, rmdir */

/* The entry must still lead where the caller looked. */
static int check_entry(struct inode *dir, const struct ext4_dir_place *place,
		       const struct inode *inode)
{
	if (le32_get(ext4_dir_entry_at(place->buffer, place->offset)->inode) == inode->ino)
		return 0;
	return ext4_error(dir->fs, dir->ino, place->buffer->block,
			  "the entry leads to another inode");
}

static void drop_link(struct inode *inode, uint32_t links)
{
	struct ext4_time now = ext4_current_time(inode->fs);

	attr_write_begin(inode);
	inode->nlink -= min(links, inode->nlink);
	inode->ctime = now;
	attr_write_end(inode);
}

static int unlink_in(struct handle *h, struct inode *dir, const struct ext4_dir_place *place,
		     struct inode *inode)
{
	int err = ext4_delete_entry(h, dir, place);

	if (err)
		return err;
	ext4_dir_touch(dir);
	err = __ext4_mark_inode_dirty(h, dir, "ext4_unlink");
	if (err)
		return err;
	if (!inode->nlink)
		ext4_message(dir->fs, LOG_WARNING, "inode %u has a name and no links", inode->ino);
	drop_link(inode, 1);
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
	int err = check_entry(dir, place, inode), stop;

	if (!err)
		err = __ext4_journal_start(fs, dir->ino, caller, __LINE__, HT_DIR,
					      ext4_name_credits(fs), 0, &h);
	if (err)
		return err;
	sync_if_asked(h, dir);
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
	int err = ext4_delete_entry(h, dir, place);

	if (err)
		return err;
	attr_write_begin(inode);
	inode->size = 0;
	attr_write_end(inode);
	drop_link(inode, inode->nlink);
	atomic_fetch_or(&inode->state, INODE_DEAD);
	err = ext4_orphan_add(h, inode);
	if (!err)
		err = __ext4_mark_inode_dirty(h, inode, "ext4_rmdir");
	if (err)
		return err;
	change_links(dir, -1);
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

/* ---- readlink */

int ext4_readlink(struct inode *inode, char *buf, size_t size)
{
	size_t len = (size_t)min(inode->size, (uint64_t)size);
	autobuffer b = NULL;
	int err;

	if (!EXT4_S_ISLNK(inode->mode))
		return -EINVAL;
	if (inode->size >= inode->fs->geo.block_size)
		return ext4_error(inode->fs, inode->ino, 0, "symbolic link of %llu bytes",
				  (unsigned long long)inode->size);
	if (inode->size < sizeof(inode->i_data) && !(inode->flags & EXT4_EXTENTS_FL)) {
		memcpy(buf, inode->i_data, len);
		return (int)len;
	}
	err = ext4_bread(NULL, inode, 0, false, &b);
	if (err || !b)
		return err ? err
			   : ext4_error(inode->fs, inode->ino, 0,
					"symbolic link without its block");
	memcpy(buf, b->data, len);
	return (int)len;
}
