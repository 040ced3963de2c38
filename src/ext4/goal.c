/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the blocks of a file begin that has none yet: at its inode's group. Flex groups of four and
 * more leave their first group to directories and have files begin in the second.
 */
#include "ext4/alloc.h"

#define FLEX_GROUPS_MIN 4u

ext4_fsblk_t ext4_inode_to_goal_block(struct inode *inode)
{
	const struct ext4_geometry *geo = &inode->fs->geo;
	ext4_group_t group = ext4_group_of_inode(geo, inode->ino);

	if (geo->flex_groups >= FLEX_GROUPS_MIN) {
		group -= group % geo->flex_groups;
		group += EXT4_S_ISREG(inode->mode);
	}
	return ext4_group_first_block(geo, group);
}
