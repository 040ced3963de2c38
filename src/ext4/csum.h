/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checksums of each kind of metadata (docs/on-disk.md, "Checksums"). Pure functions over bytes.
 *
 * Each kind has a pair: _ok tells whether the block bears the right sum, _set puts it there. On an
 * image without the feature _ok is always true and _set does nothing, so that nobody need ask.
 *
 * `seed` is geo->csum_seed for what belongs to the file system and ext4_inode_csum_seed() for what
 * belongs to an inode.
 */
#ifndef EXTANT_EXT4_CSUM_H
#define EXTANT_EXT4_CSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ext4/format.h"
#include "ext4/geometry.h"

/* Of all metadata: s_checksum_seed, or the sum of the UUID. Does not ask whether it is used. */
uint32_t ext4_fs_csum_seed(const struct ext4_super_block *sb);
/* Of an inode's own bytes and of all blocks that belong to it. */
uint32_t ext4_inode_csum_seed(const struct ext4_geometry *geo, uint32_t ino, uint32_t generation);

/* The superblock asks itself whether it is summed: it is read before there is a geometry. */
bool ext4_super_csum_ok(const struct ext4_super_block *sb);
void ext4_super_csum_set(struct ext4_super_block *sb);

/* `desc` has geo->desc_size bytes. crc32c, or crc16 with uninit_bg. */
bool ext4_descriptor_csum_ok(const struct ext4_geometry *geo, ext4_group_t group,
			     const struct ext4_group_desc *desc);
void ext4_descriptor_csum_set(const struct ext4_geometry *geo, ext4_group_t group,
			      struct ext4_group_desc *desc);

/* Bitmaps bear their sum in the descriptor: whole where it is 64 bytes long, else the low half. */
uint32_t ext4_block_bitmap_csum(const struct ext4_geometry *geo, const uint8_t *bitmap);
bool ext4_block_bitmap_csum_ok(const struct ext4_geometry *geo, const struct ext4_group_desc *desc,
			       const uint8_t *bitmap);
uint32_t ext4_inode_bitmap_csum(const struct ext4_geometry *geo, const uint8_t *bitmap);
bool ext4_inode_bitmap_csum_ok(const struct ext4_geometry *geo, const struct ext4_group_desc *desc,
			       const uint8_t *bitmap);

/* `raw` has geo->inode_size bytes; the generation is taken from it. */
bool ext4_inode_csum_ok(const struct ext4_geometry *geo, uint32_t ino,
			const struct ext4_inode *raw);
void ext4_inode_csum_set(const struct ext4_geometry *geo, uint32_t ino, struct ext4_inode *raw);

/*
 * A block of an extent tree; its header tells where the tail lies (false when outside the block).
 */
bool ext4_extent_block_csum_ok(const struct ext4_geometry *geo, uint32_t seed,
			       const uint8_t *block);
void ext4_extent_block_csum_set(const struct ext4_geometry *geo, uint32_t seed, uint8_t *block);

/* A block of directory entries. False when it has no tail: one is due. */
bool ext4_dir_block_csum_ok(const struct ext4_geometry *geo, uint32_t seed, const uint8_t *block);
/* Makes the tail too: the last 12 bytes belong to it. */
void ext4_dir_block_csum_set(const struct ext4_geometry *geo, uint32_t seed, uint8_t *block);

/*
 * A node of a hash tree whose entries begin at `entries_offset` (32 in the root, 8 in others).
 * False when limit and count leave no room for the tail.
 */
bool ext4_dx_csum_ok(const struct ext4_geometry *geo, uint32_t seed, const uint8_t *block,
		     uint32_t entries_offset);
void ext4_dx_csum_set(const struct ext4_geometry *geo, uint32_t seed, uint8_t *block,
		      uint32_t entries_offset);

/* An attribute block at `pblk`. */
bool ext4_xattr_block_csum_ok(const struct ext4_geometry *geo, ext4_fsblk_t pblk,
			      const uint8_t *block);
void ext4_xattr_block_csum_set(const struct ext4_geometry *geo, ext4_fsblk_t pblk, uint8_t *block);

/* A block of the orphan file at `pblk`; `seed` is that inode's. */
bool ext4_orphan_block_csum_ok(const struct ext4_geometry *geo, uint32_t seed, ext4_fsblk_t pblk,
			       const uint8_t *block);
void ext4_orphan_block_csum_set(const struct ext4_geometry *geo, uint32_t seed, ext4_fsblk_t pblk,
				uint8_t *block);

#endif
