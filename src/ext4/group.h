/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors of groups in numbers; what only the mount and its checks need (group.c). The rest of
 * what group.c offers is in fs.h.
 */
#ifndef EXTANT_EXT4_GROUP_H
#define EXTANT_EXT4_GROUP_H

#include "ext4/fs.h"

struct ext4_descriptor {
	ext4_fsblk_t block_bitmap, inode_bitmap, inode_table;
	uint32_t free_clusters, free_inodes, used_dirs, itable_unused;
	uint16_t flags;
};

/* Fields of both halves, joined (descriptor.c). */
void ext4_descriptor_read(const struct ext4_geometry *geo, const struct ext4_group_desc *d,
			  struct ext4_descriptor *out);
/* The block that holds descriptors number nr * desc_per_block and on. */
ext4_fsblk_t ext4_descriptor_block(const struct ext4_geometry *geo, uint32_t nr);
/* Reads and verifies one; makes no struct ext4_group. */
must_check int ext4_group_descriptor(struct ext4_fs *fs, ext4_group_t number, struct ext4_descriptor *out);
/* Lets all groups and descriptor buffers go, at the end of a mount. */
void ext4_groups_release(struct ext4_fs *fs);

#endif
