/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extended attributes: names with values that hang from an inode. They lie in the inode's own place
 * in the table, behind its fields, and, when that is full, in one block. Inodes with the same
 * attributes in their blocks share one.
 *
 *	xattr_room.c	entries and values in one of the two places: find, put, take out
 *	xattr.c		which place: get, list, set; the end of an inode's attributes
 *	xattr_block.c	the block: shared, changed in place, made and let go
 *	xattr_cache.c	which blocks have what content, so that they can be shared
 *
 * All of an inode's attributes are guarded by its xattr_lock, taken here. What a name means (who may
 * read it, what its value must be) is vfs's; lists of access rights are acl.c's.
 */
#ifndef EXTANT_EXT4_XATTR_H
#define EXTANT_EXT4_XATTR_H

#include "ext4/inode.h"

struct ext4_xattr_name {
	uint8_t index;			/* EXT4_XATTR_INDEX_*: the name's first part */
	const char *bytes;		/* the rest; not terminated */
	size_t len;
};

/* Limits of xattr(7). */
#define EXT4_XATTR_SIZE_MAX	65536u
#define EXT4_XATTR_LIST_MAX	65536u

enum ext4_xattr_flags { EXT4_XATTR_CREATE = 1, EXT4_XATTR_REPLACE = 2 };	/* setxattr(2)'s */

/*
 * The value into `buf`; its length. `size` 0: just the length. -ENODATA; -ERANGE: it does not fit.
 */
must_check int ext4_xattr_get(struct inode *inode, const struct ext4_xattr_name *name, void *buf,
			      size_t size);
/*
 * All names, those in the inode first. fn other than 0 ends the list and is returned. The name lives
 * during the callback, which takes no lock.
 */
must_check int ext4_xattr_list(struct inode *inode,
			       int (*fn)(void *arg, const struct ext4_xattr_name *name), void *arg);
/*
 * Sets the value, or takes the attribute away (`value` NULL), in a handle of its own {ext4_xattr_set}.
 * -EEXIST with CREATE, -ENODATA with REPLACE or nothing to take away, -ENOSPC: neither place has room.
 */
must_check int ext4_xattr_set(struct inode *inode, const struct ext4_xattr_name *name,
			      const void *value, size_t len, unsigned flags);
/* The same in an open handle, which has ext4_name_credits for it. */
must_check int ext4_xattr_set_handle(struct handle *h, struct inode *inode,
				     const struct ext4_xattr_name *name, const void *value,
				     size_t len, unsigned flags);
/* The inode is being freed: its block loses a user, or goes. */
must_check int ext4_xattr_delete_inode(struct handle *h, struct inode *inode);
/* False: it has none, as far as can be told without reading. */
bool ext4_xattr_any(const struct inode *inode);

must_check int ext4_xattr_cache_create(struct ext4_fs *fs);
void ext4_xattr_cache_destroy(struct ext4_fs *fs);

#endif
