/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Symbolic links. A target of up to 59 bytes lies in the inode, where other files have their map; a
 * longer one is the data of the file, one block, which goes through the journal as the metadata that
 * it is.
 *
 * The long kind takes three handles, as in Linux 4.9: the inode, an orphan; its data; its name. A
 * crash between them leaves an orphan, which the next mount deletes.
 */
#include <string.h>
#include "ext4/data.h"
#include "ext4/namei_internal.h"

#define SHORT_MAX	(sizeof(((struct inode *)0)->i_data) - 1)
#define LINK_MODE	((uint16_t)(EXT4_S_IFLNK | 0777))

/* ---- short: in the inode */

static void put_short(struct inode *inode, const char *target, size_t len)
{
	attr_write_begin(inode);
	inode->flags &= ~EXT4_EXTENTS_FL;
	memset(inode->i_data, 0, sizeof(inode->i_data));
	memcpy(inode->i_data, target, len);
	inode->size = inode->disk_size = len;
	attr_write_end(inode);
}

static int make_short(struct inode *dir, const struct ext4_name *name, const char *target,
		      size_t len, const struct ext4_cred *cred, struct inode **out)
{
	struct ext4_fs *fs = dir->fs;
	struct handle *h;
	int err = ext4_new_inode_start_handle(dir, LINK_MODE, name->bytes, name->len, cred, HT_DIR,
					      ext4_create_credits(fs), out),
	    stop;

	if (err)
		return err;
	h = ext4_journal_current_handle(fs);
	put_short(*out, target, len);
	err = ext4_add_nondir(h, dir, name, *out);
	ext4_sync_if_asked(h, dir);
	stop = ext4_journal_stop(fs, h);
	return err ? err : stop;
}

/* ---- long: in a block */

/* The inode, which nothing leads to. */
static int make_orphan(struct inode *dir, const struct ext4_name *name,
		       const struct ext4_cred *cred, struct inode **out)
{
	struct ext4_fs *fs = dir->fs;
	struct handle *h;
	int err = ext4_new_inode_start_handle(dir, LINK_MODE, name->bytes, name->len, cred, HT_DIR,
					      EXT4_NAMELESS_CREDITS, out),
	    stop;

	if (err)
		return err;
	h = ext4_journal_current_handle(fs);
	ext4_set_links(*out, 0);
	err = ext4_orphan_add(h, *out);
	stop = ext4_journal_stop(fs, h);
	return err ? err : stop;
}

static int write_target(struct inode *inode, const char *target, size_t len)
{
	struct ext4_write w;
	int err;

	TRACE_SCOPE(inode->fs, __page_symlink);
	err = ext4_write_begin(inode, 0, (uint32_t)len, &w);
	if (err)
		return err;
	memcpy(w.page->data, target, len);
	err = ext4_write_end(inode, &w, (uint32_t)len);
	return err ? err : ext4_dirty_inode(inode);
}

static int name_orphan(struct inode *dir, const struct ext4_name *name, struct inode *inode)
{
	struct ext4_fs *fs = dir->fs;
	struct handle *h;
	int err = __ext4_journal_start(fs, dir->ino, "ext4_symlink", __LINE__, HT_DIR,
				       ext4_name_credits(fs) + 8 + 1, 0, &h),
	    stop;

	if (err)
		return err;
	ext4_set_links(inode, 1);
	err = ext4_orphan_del(h, inode);
	if (!err)
		err = ext4_name_nondir(h, dir, name, inode);
	if (err)
		ext4_leave_nameless(h, inode);
	ext4_sync_if_asked(h, dir);
	stop = ext4_journal_stop(fs, h);
	return err ? err : stop;
}

static int make_long(struct inode *dir, const struct ext4_name *name, const char *target, size_t len,
		     const struct ext4_cred *cred, struct inode **out)
{
	struct inode *inode = NULL;
	int err = make_orphan(dir, name, cred, &inode);

	if (!err) {
		rwlock_write_equal(&inode->lock);
		err = write_target(inode, target, len);
		rwlock_unwrite(&inode->lock);
	}
	if (!err)
		err = name_orphan(dir, name, inode);
	if (inode)
		ext4_inode_unlock_new(inode);
	if (!err)
		*out = inode;
	else if (inode)
		ext4_iput(inode);
	return err;
}

int ext4_symlink(struct inode *dir, const struct ext4_name *name, const char *target,
		 const struct ext4_cred *cred, struct inode **out)
{
	size_t len = strlen(target);

	TRACE_SCOPE(dir->fs, ext4_symlink);
	if (len >= dir->fs->geo.block_size)
		return -ENAMETOOLONG;
	return len <= SHORT_MAX ? make_short(dir, name, target, len, cred, out)
				: make_long(dir, name, target, len, cred, out);
}

/* ---- readlink */

static int read_long(struct inode *inode, char *buf, size_t len)
{
	struct page *p;
	int err = ext4_read_single_page(inode, 0, &p);

	if (err)
		return err;
	len = strnlen((const char *)p->data, len);
	memcpy(buf, p->data, len);
	page_put(p);
	return (int)len;
}

int ext4_readlink(struct inode *inode, char *buf, size_t size)
{
	size_t len = (size_t)min(inode->size, (uint64_t)size);

	if (!EXT4_S_ISLNK(inode->mode))
		return -EINVAL;
	if (inode->size >= inode->fs->geo.block_size)
		return ext4_error(inode->fs, inode->ino, 0, "symbolic link of %llu bytes",
				  (unsigned long long)inode->size);
	if (inode->size >= sizeof(inode->i_data) || inode->flags & EXT4_EXTENTS_FL)
		return read_long(inode, buf, len);
	len = strnlen((const char *)inode->i_data, len);
	memcpy(buf, inode->i_data, len);
	return (int)len;
}
