/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names for new inodes: create, mknod, mkdir; inodes without one (O_TMPFILE); and looking names up.
 * Each operation is one handle: the inode and the entry that leads to it change together or not at
 * all.
 *
 * They go on in the handle that __ext4_new_inode started. An operation that fails after the inode
 * exists takes its link away again; the last reference then frees it in the same handle.
 *
 * link.c has names more and less for inodes that are there, symlink.c and rename.c what their names
 * say.
 */
#include "base/assert.h"
#include "ext4/csum.h"
#include "ext4/data.h"
#include "ext4/kinds.h"
#include "ext4/namei_internal.h"

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

/* ---- what the operations share */

void ext4_leave_nameless(struct handle *h, struct inode *inode)
{
	attr_write_begin(inode);
	inode->nlink = 0;
	attr_write_end(inode);
	ignore_result(ext4_orphan_add(h, inode)); /* an error is the handle's already */
	ignore_result(ext4_mark_inode_dirty(h, inode));
}

void ext4_undo_new(struct handle *h, struct inode *inode)
{
	ext4_leave_nameless(h, inode);
	ext4_inode_unlock_new(inode);
	ext4_iput(inode);
}

void ext4_sync_if_asked(struct handle *h, const struct inode *dir)
{
	if (dir->fs->opt.sync || dir->fs->opt.dirsync ||
	    dir->flags & (EXT4_SYNC_FL | EXT4_DIRSYNC_FL))
		h->sync = true;
}

int ext4_check_entry(struct inode *dir, const struct ext4_dir_place *place,
		     const struct inode *inode)
{
	if (le32_get(ext4_dir_entry_at(place->buffer, place->offset)->inode) == inode->ino)
		return 0;
	return ext4_error(dir->fs, dir->ino, place->buffer->block,
			  "the entry leads to another inode");
}

void ext4_set_links(struct inode *inode, uint32_t links)
{
	struct ext4_time now = ext4_current_time(inode->fs);

	attr_write_begin(inode);
	inode->nlink = links;
	inode->ctime = now;
	attr_write_end(inode);
}

void ext4_drop_links(struct inode *inode, uint32_t links)
{
	ext4_set_links(inode, inode->nlink - min(links, inode->nlink));
}

/* ---- how many directories lie in one */

static bool may_be_uncounted(const struct inode *dir)
{
	return dir->fs->geo.feature_ro_compat & EXT4_FEATURE_RO_COMPAT_DIR_NLINK &&
	       ext4_dir_is_indexed(dir);
}

bool ext4_dir_links_are_full(const struct inode *dir)
{
	return dir->nlink >= EXT4_LINK_MAX && !may_be_uncounted(dir);
}

void ext4_change_dir_links(struct inode *dir, int delta)
{
	uint32_t links = dir->nlink;

	if (delta > 0 && links != 1)
		links++;
	else if (delta < 0 && links > 2)
		links--;
	if (links > EXT4_LINK_MAX && may_be_uncounted(dir))
		links = 1;
	attr_write_begin(dir);
	dir->nlink = links;
	attr_write_end(dir);
}

/* ---- create */

int ext4_name_nondir(struct handle *h, struct inode *dir, const struct ext4_name *name,
		     struct inode *inode)
{
	int err = ext4_inode_get_write_access(h, inode);

	TRACE_SCOPE(dir->fs, ext4_add_nondir);
	if (!err)
		err = ext4_add_entry(h, dir, name, inode);
	return err ? err : __ext4_mark_inode_dirty(h, inode, "ext4_add_nondir");
}

int ext4_add_nondir(struct handle *h, struct inode *dir, const struct ext4_name *name,
			   struct inode *inode)
{
	int err = ext4_name_nondir(h, dir, name, inode);

	if (err)
		ext4_undo_new(h, inode);
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
					  name->len, cred, HT_DIR, ext4_create_credits(fs), &inode);
	if (err)
		return err;
	h = ext4_journal_current_handle(fs);
	err = ext4_add_nondir(h, dir, name, inode);
	ext4_sync_if_asked(h, dir);
	stop = ext4_journal_stop(fs, h);
	if (!err)
		err = stop;
	if (!err)
		*out = inode;
	return err;
}

/* ---- mknod */

/* As Linux keeps it: 8 and 8 bits in the first word, or 12 and 20 in the second. */
static void put_rdev(struct inode *inode, uint32_t major, uint32_t minor)
{
	bool old = major < 256 && minor < 256;
	uint32_t now = (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;

	attr_write_begin(inode);
	inode->rdev_major = major;
	inode->rdev_minor = minor;
	inode->i_data[0] = le32_of(old ? major << 8 | minor : 0);
	inode->i_data[1] = le32_of(old ? 0 : now);
	attr_write_end(inode);
}

int ext4_mknod(struct inode *dir, const struct ext4_name *name, uint16_t mode,
	       const struct ext4_device *device, const struct ext4_cred *cred, struct inode **out)
{
	struct ext4_fs *fs = dir->fs;
	uint16_t type = mode & EXT4_S_IFMT;
	struct inode *inode;
	struct handle *h;
	int err, stop;

	TRACE_SCOPE(fs, ext4_mknod);
	err = ext4_new_inode_start_handle(dir, mode, name->bytes, name->len, cred, HT_DIR,
					  ext4_create_credits(fs), &inode);
	if (err)
		return err;
	h = ext4_journal_current_handle(fs);
	if (type == EXT4_S_IFCHR || type == EXT4_S_IFBLK)
		put_rdev(inode, device->major, device->minor);
	err = ext4_add_nondir(h, dir, name, inode);
	ext4_sync_if_asked(h, dir);
	stop = ext4_journal_stop(fs, h);
	if (!err)
		err = stop;
	if (!err)
		*out = inode;
	return err;
}

/* ---- O_TMPFILE */

/* An orphan from the beginning. */
static int make_nameless(struct handle *h, struct inode *inode)
{
	int err;

	ext4_set_links(inode, 0);
	err = ext4_dirty_inode(inode);
	if (!err)
		err = ext4_orphan_add(h, inode);
	return err ? err : ext4_dirty_inode(inode);
}

int ext4_tmpfile(struct inode *dir, uint16_t mode, bool linkable, const struct ext4_cred *cred,
		 struct inode **out)
{
	struct ext4_fs *fs = dir->fs;
	struct inode *inode;
	struct handle *h;
	int err, stop;

	TRACE_SCOPE(fs, ext4_tmpfile);
	err = ext4_new_inode_start_handle(dir, (uint16_t)(mode | EXT4_S_IFREG), NULL, 0, cred,
					  HT_DIR, EXT4_NAMELESS_CREDITS, &inode);
	if (err)
		return err;
	h = ext4_journal_current_handle(fs);
	err = make_nameless(h, inode);
	if (linkable)
		atomic_fetch_or(&inode->state, INODE_LINKABLE);
	if (err)
		ext4_undo_new(h, inode);
	else
		ext4_inode_unlock_new(inode);
	ext4_sync_if_asked(h, dir);
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

static int name_new_dir(struct handle *h, struct inode *dir, const struct ext4_name *name,
			struct inode *inode)
{
	int err = ext4_init_new_dir(h, dir, inode);

	if (!err)
		err = __ext4_mark_inode_dirty(h, inode, "ext4_mkdir");
	if (!err)
		err = ext4_add_entry(h, dir, name, inode);
	if (err) {
		ext4_undo_new(h, inode);
		return err;
	}
	ext4_change_dir_links(dir, 1);
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
	if (ext4_dir_links_are_full(dir))
		return -EMLINK;
	err = ext4_new_inode_start_handle(dir, (uint16_t)(mode | EXT4_S_IFDIR), name->bytes,
					  name->len, cred, HT_DIR, ext4_create_credits(fs), &inode);
	if (err)
		return err;
	h = ext4_journal_current_handle(fs);
	err = name_new_dir(h, dir, name, inode);
	ext4_sync_if_asked(h, dir);
	stop = ext4_journal_stop(fs, h);
	if (!err)
		err = stop;
	if (!err)
		*out = inode;
	return err;
}
