/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the superblock says about the shape of the file system, verified and in numbers. Constant
 * while mounted. Made by ext4_geometry_from_super (verify.c), which refuses what cannot be.
 */
#ifndef EXTANT_EXT4_GEOMETRY_H
#define EXTANT_EXT4_GEOMETRY_H

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t ext4_lblk_t;		/* a block of a file */
typedef uint64_t ext4_fsblk_t;		/* a block of the device */
typedef uint32_t ext4_group_t;

#define EXT4_MAX_LBLK 0xfffffffeu	/* the last block a file can have */

struct ext4_geometry {
	uint32_t block_size;
	uint8_t block_bits;		/* log2 */
	uint32_t cluster_ratio;		/* blocks in a cluster; 1 without bigalloc */
	uint32_t first_data_block;
	ext4_fsblk_t super_block;	/* the block that holds the superblock in use */
	uint64_t blocks_count;
	ext4_group_t groups_count;
	uint32_t blocks_per_group;
	uint32_t inodes_per_group;
	uint32_t inodes_count;
	uint32_t first_ino;		/* the first that is not reserved */
	uint16_t inode_size;
	uint16_t want_extra_isize;
	uint32_t inodes_per_block;
	uint32_t itable_blocks;		/* blocks of a group's inode table */
	uint16_t desc_size;
	uint32_t desc_per_block;
	uint32_t gdt_blocks;		/* blocks of all descriptors */
	uint32_t reserved_gdt_blocks;
	uint32_t first_meta_bg;
	uint32_t flex_groups;		/* groups in a flex group; 1 without flex_bg */
	uint8_t flex_bits;
	uint32_t feature_compat, feature_incompat, feature_ro_compat;
	bool metadata_csum;		/* crc32c everywhere */
	bool gdt_csum;			/* crc16 of descriptors only (uninit_bg) */
	bool has_64bit;
	uint32_t csum_seed;		/* of all metadata checksums: crc32c of the UUID, or s_checksum_seed */
	uint32_t hash_seed[4];
	uint8_t def_hash_version;
	bool unsigned_hash;
	uint8_t uuid[16];
	uint32_t journal_inum, orphan_file_inum;
	uint64_t r_blocks_count;	/* root's */
	uint16_t resuid, resgid;
	uint32_t backup_groups[2];	/* sparse_super2: the groups with copies */
	uint32_t raid_stride, raid_stripe_width;
};

static inline ext4_group_t ext4_group_of_block(const struct ext4_geometry *g, ext4_fsblk_t b)
{
	return (ext4_group_t)((b - g->first_data_block) / g->blocks_per_group);
}

static inline uint32_t ext4_offset_in_group(const struct ext4_geometry *g, ext4_fsblk_t b)
{
	return (uint32_t)((b - g->first_data_block) % g->blocks_per_group);
}

static inline ext4_fsblk_t ext4_group_first_block(const struct ext4_geometry *g, ext4_group_t group)
{
	return g->first_data_block + (uint64_t)group * g->blocks_per_group;
}

/* The last group may be short. */
static inline uint32_t ext4_group_blocks(const struct ext4_geometry *g, ext4_group_t group)
{
	uint64_t left = g->blocks_count - ext4_group_first_block(g, group);

	return left < g->blocks_per_group ? (uint32_t)left : g->blocks_per_group;
}

static inline ext4_group_t ext4_group_of_inode(const struct ext4_geometry *g, uint32_t ino)
{
	return (ino - 1) / g->inodes_per_group;
}

/* ---- what a group begins with (geometry.c): superblock, descriptors, room for more */

bool ext4_group_has_super(const struct ext4_geometry *geo, ext4_group_t group);
/* Blocks of descriptors, not counting those kept for growth. */
uint32_t ext4_group_gdt_blocks(const struct ext4_geometry *geo, ext4_group_t group);
/* All of it. */
uint32_t ext4_group_base_meta_blocks(const struct ext4_geometry *geo, ext4_group_t group);
/* The block that holds descriptors number nr * desc_per_block and on, of the superblock in use. */
ext4_fsblk_t ext4_descriptor_block(const struct ext4_geometry *geo, uint32_t nr);

#endif
