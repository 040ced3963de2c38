/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between icache.c (who is in memory), inode.c (the table) and evict.c (the end). Not for others.
 */
#ifndef EXTANT_EXT4_INODE_INTERNAL_H
#define EXTANT_EXT4_INODE_INTERNAL_H

#include "ext4/alloc.h"
#include "ext4/data.h"
#include "ext4/inode.h"
#include "ext4/map.h"

/* Fills an INODE_NEW one from the table, verified. */
must_check int ext4_inode_load(struct inode *i, enum iget_flags flags);
/* 0, or what asking for an unlinked one yields; then the reference is dropped. */
must_check int ext4_inode_usable(struct inode *i, enum iget_flags flags);
/*
 * What memory still knows of it goes: extent status, journal's inode, its place among the dirty
 * ones. No event, no waiting.
 */
void ext4_inode_forget(struct inode *i);
/* Nobody finds it any more, and it has no pages: its memory goes when nobody can see it. */
void ext4_inode_retire(struct inode *i);
/* Umount: evicts every idle inode, in order of becoming known. */
void ext4_inodes_evict_all(struct ext4_fs *fs);
/* Preallocations and map of an inode that is being evicted. */
void ext4_clear_inode(struct inode *i);

#endif
