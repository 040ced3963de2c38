/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the files of extended attributes (xattr.h). Not for others.
 */
#ifndef EXTANT_EXT4_XATTR_INTERNAL_H
#define EXTANT_EXT4_XATTR_INTERNAL_H

#include "ext4/xattr.h"

/* ---- xattr_room.c: bytes alone; verified */

struct xattr_room {
	uint8_t *base;			/* e_value_offs counts from here */
	uint32_t first;			/* offset of the first entry */
	uint32_t size;			/* offset of the end */
	bool in_block;			/* entries are sorted and carry hashes */
};

struct ext4_xattr_entry *xattr_room_find(const struct xattr_room *r,
					 const struct ext4_xattr_name *name);
/* The first entry, and the one behind another; NULL: the end. */
struct ext4_xattr_entry *xattr_room_first(const struct xattr_room *r);
struct ext4_xattr_entry *xattr_room_next(const struct xattr_room *r,
					 const struct ext4_xattr_entry *e);
static inline uint8_t *xattr_room_value(const struct xattr_room *r, const struct ext4_xattr_entry *e)
{
	return r->base + le16_get(e->e_value_offs);
}
bool xattr_room_has_value(const struct xattr_room *r, const struct ext4_xattr_entry *e,
			  const void *value, size_t len);
/* Makes the entry or changes its value; -ENOSPC, and then nothing has changed. */
must_check int xattr_room_put(struct xattr_room *r, const struct ext4_xattr_name *name,
			      const void *value, size_t len);
void xattr_room_take_out(struct xattr_room *r, struct ext4_xattr_entry *e);

/* ---- xattr_block.c; the inode's xattr_lock held */

static inline struct xattr_room xattr_block_room(const struct ext4_fs *fs, uint8_t *block)
{
	return (struct xattr_room){ block, sizeof(struct ext4_xattr_header), fs->geo.block_size, true };
}
/* The inode's block, verified; NULL: it has none. */
must_check int xattr_block_read(struct inode *inode, struct buffer **out);
/*
 * The inode's attributes in a block are those of `content` (a whole block whose header is filled in
 * here) from now on; NULL: it has none any more. The inode is the caller's to write.
 */
must_check int xattr_block_store(struct handle *h, struct inode *inode, uint8_t *content);

/* ---- xattr_cache.c: blocks that another inode may share, by the hash of their content */

void xattr_cache_add(struct ext4_fs *fs, uint32_t hash, ext4_fsblk_t block);
void xattr_cache_remove(struct ext4_fs *fs, uint32_t hash, ext4_fsblk_t block);
/* The first with this hash behind `after`; 0: none. */
ext4_fsblk_t xattr_cache_next(struct ext4_fs *fs, uint32_t hash, ext4_fsblk_t after);
/* Held while one looks at how many use the block and acts on it. */
struct mutex *xattr_cache_block_lock(struct ext4_fs *fs, ext4_fsblk_t block);

#endif
