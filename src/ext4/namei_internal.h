/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between namei.c (names for new inodes), link.c (names more and less), symlink.c and rename.c. Not
 * for others.
 */
#ifndef EXTANT_EXT4_NAMEI_INTERNAL_H
#define EXTANT_EXT4_NAMEI_INTERNAL_H

#include "ext4/dir_internal.h"

/* create, mkdir, mknod: one name, the index above it, and three for a new inode (choices.md). */
static inline int ext4_create_credits(const struct ext4_fs *fs)
{
	return ext4_name_credits(fs) + 8 + 3;
}

/* A new inode that gets no name yet (no name operation is asked for): it goes to the orphans. */
#define EXT4_NAMELESS_CREDITS 10

/* A file that has none gets its name. */
must_check int ext4_name_nondir(struct handle *h, struct inode *dir, const struct ext4_name *name,
				struct inode *inode);
/* It loses its links and is an orphan: what its last reference does, out of the handle, takes it away. */
void ext4_leave_nameless(struct handle *h, struct inode *inode);
/* A file that is new gets its name; if it cannot, it goes (ext4_undo_new). */
must_check int ext4_add_nondir(struct handle *h, struct inode *dir, const struct ext4_name *name,
			       struct inode *inode);
/* The new inode is not to be: its link goes, and with the reference the inode. */
void ext4_undo_new(struct handle *h, struct inode *inode);
/* The handle waits for its commit where the mount or the directory say so. */
void ext4_sync_if_asked(struct handle *h, const struct inode *dir);
/* The entry must still lead where the caller looked. */
must_check int ext4_check_entry(struct inode *dir, const struct ext4_dir_place *place,
				const struct inode *inode);
/* So many links less (not below 0), and ctime. */
void ext4_drop_links(struct inode *inode, uint32_t links);
/* Sets ctime, and the number of links. */
void ext4_set_links(struct inode *inode, uint32_t links);

/* ---- how many directories lie in one */

/* None can be added: they are counted, and these are as many as can be (-EMLINK). */
bool ext4_dir_links_are_full(const struct inode *dir);
/*
 * One link more or less from below. Beyond 65,000 they are not counted any more (dir_nlink, with a
 * hash tree): a directory of 1 link stays one of 1 link.
 */
void ext4_change_dir_links(struct inode *dir, int delta);

#endif
