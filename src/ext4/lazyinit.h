/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lazy initialisation: zeroes the inode tables that mke2fs left as they were, in the background
 * (lazyinit.c: the task "ext4lazyinit").
 */
#ifndef EXTANT_EXT4_LAZYINIT_H
#define EXTANT_EXT4_LAZYINIT_H

#include "ext4/fs.h"

/* Starts the task, when a group's table is not zeroed. */
must_check int ext4_lazyinit_start(struct ext4_fs *fs);
/* Waits, before a handle is started, while the group is being zeroed. */
void ext4_wait_zeroed(struct ext4_fs *fs, struct ext4_group *g);
void ext4_lazyinit_stop(struct ext4_fs *fs);

#endif
