/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a block of an ext4 image can be verified as: the kinds of its buffers. They tie the pure
 * verifiers and checksums (verify.h, csum.h) to the mount's door for damage. The cache's user is the
 * struct ext4_fs.
 *
 * Owners: the inode and its seed for blocks of files; for bitmaps the group's number stands in `ino`; for
 * the rest 0 and the file system's seed.
 */
#ifndef EXTANT_EXT4_KINDS_H
#define EXTANT_EXT4_KINDS_H

#include "cache/buffer.h"

/* What the cache calls about a block that no verifier can judge: one line, with the inode and the block. */
void ext4_block_damaged(void *fs, const struct buffer_damage *d);

extern const struct buffer_kind ext4_kind_super, ext4_kind_gdt, ext4_kind_block_bitmap,
	ext4_kind_inode_bitmap, ext4_kind_inode_table, ext4_kind_extent, ext4_kind_indirect,
	ext4_kind_dir, ext4_kind_dx_root, ext4_kind_xattr, ext4_kind_orphan, ext4_kind_symlink,
	ext4_kind_data;

#endif
