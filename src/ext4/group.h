/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors of groups in numbers; what only the mount and its checks need (group.c). The rest of
 * what group.c offers is in fs.h.
 */
#ifndef EXTANT_EXT4_GROUP_H
#define EXTANT_EXT4_GROUP_H

#include "ext4/disk.h"
#include "ext4/fs.h"

/* Reads and verifies one; makes no struct ext4_group. */
must_check int ext4_group_descriptor(struct ext4_fs *fs, ext4_group_t number, struct ext4_descriptor *out);
/* Lets all groups and descriptor buffers go, at the end of a mount. */
void ext4_groups_release(struct ext4_fs *fs);

#endif
