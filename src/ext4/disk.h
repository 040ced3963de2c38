/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values that lie on disk in pieces, put together and taken apart: halves of numbers, lengths with
 * a flag in them, record lengths of large blocks. Nothing is verified here.
 */
#ifndef EXTANT_EXT4_DISK_H
#define EXTANT_EXT4_DISK_H

#include <stdbool.h>
#include <stdint.h>
#include "ext4/format.h"
#include "ext4/geometry.h"

static inline uint64_t ext4_join32(le32 low, le32 high)
{
	return le32_get(low) | (uint64_t)le32_get(high) << 32;
}

static inline uint32_t ext4_join16(le16 low, le16 high)
{
	return le16_get(low) | (uint32_t)le16_get(high) << 16;
}

/* ---- superblock: the high halves count with 64bit only */

uint64_t ext4_super_blocks_count(const struct ext4_super_block *sb);
uint64_t ext4_super_r_blocks_count(const struct ext4_super_block *sb);
uint64_t ext4_super_free_blocks_count(const struct ext4_super_block *sb);
void ext4_super_set_free_blocks_count(struct ext4_super_block *sb, uint64_t blocks);

/* ---- group descriptor */

struct ext4_descriptor {
	ext4_fsblk_t block_bitmap, inode_bitmap, inode_table;
	uint32_t free_clusters, free_inodes, used_dirs, itable_unused;
	uint16_t flags;			/* EXT4_BG_*; 0 where descriptors have no sums */
};

void ext4_descriptor_read(const struct ext4_geometry *geo, const struct ext4_group_desc *d,
			  struct ext4_descriptor *out);

/* ---- inode */

static inline bool ext4_raw_is(const struct ext4_inode *raw, uint16_t type)
{
	return (le16_get(raw->i_mode) & EXT4_S_IFMT) == type;
}

/*
 * In bytes; of what is neither a file nor, with large_dir, a directory the low half alone counts.
 */
uint64_t ext4_raw_size(const struct ext4_geometry *geo, const struct ext4_inode *raw);
/* In units of 512 bytes, whichever way the inode counts. */
uint64_t ext4_raw_sectors(const struct ext4_geometry *geo, const struct ext4_inode *raw);
/* The block of extended attributes; 0: none. */
ext4_fsblk_t ext4_raw_file_acl(const struct ext4_geometry *geo, const struct ext4_inode *raw);
/* Bytes in use behind the first 128. */
uint16_t ext4_raw_extra_isize(const struct ext4_geometry *geo, const struct ext4_inode *raw);
/* The target lies in i_block. */
bool ext4_raw_is_fast_symlink(const struct ext4_geometry *geo, const struct ext4_inode *raw);
/* i_block holds a map of blocks or a tree of extents, not a device, a target or nothing. */
bool ext4_raw_has_map(const struct ext4_geometry *geo, const struct ext4_inode *raw);

static inline uint32_t ext4_raw_uid(const struct ext4_inode *raw)
{
	return ext4_join16(raw->i_uid, raw->l_i_uid_high);
}

static inline uint32_t ext4_raw_gid(const struct ext4_inode *raw)
{
	return ext4_join16(raw->i_gid, raw->l_i_gid_high);
}

/* ---- extents */

static inline bool ext4_extent_is_unwritten(const struct ext4_extent *e)
{
	return le16_get(e->ee_len) > EXT4_EXT_INIT_MAX_LEN;
}

/* In blocks. */
static inline uint32_t ext4_extent_len(const struct ext4_extent *e)
{
	uint32_t len = le16_get(e->ee_len);

	return len > EXT4_EXT_INIT_MAX_LEN ? len - EXT4_EXT_INIT_MAX_LEN : len;
}

static inline ext4_fsblk_t ext4_extent_start(const struct ext4_extent *e)
{
	return le32_get(e->ee_start_lo) | (uint64_t)le16_get(e->ee_start_hi) << 32;
}

static inline void ext4_extent_set_start(struct ext4_extent *e, ext4_fsblk_t pblk)
{
	e->ee_start_lo = le32_of((uint32_t)pblk);
	e->ee_start_hi = le16_of((uint16_t)(pblk >> 32));
}

static inline ext4_fsblk_t ext4_idx_leaf(const struct ext4_extent_idx *ix)
{
	return le32_get(ix->ei_leaf_lo) | (uint64_t)le16_get(ix->ei_leaf_hi) << 32;
}

static inline void ext4_idx_set_leaf(struct ext4_extent_idx *ix, ext4_fsblk_t pblk)
{
	ix->ei_leaf_lo = le32_of((uint32_t)pblk);
	ix->ei_leaf_hi = le16_of((uint16_t)(pblk >> 32));
}

static inline uint16_t ext4_extents_per_block(const struct ext4_geometry *geo)
{
	return (uint16_t)((geo->block_size - sizeof(struct ext4_extent_header)) /
			  sizeof(struct ext4_extent));
}
#define EXT4_EXTENTS_IN_INODE 4u

/* ---- directories */

/* Bytes that a record with a name of `name_len` needs. */
static inline uint32_t ext4_dir_rec_min(uint32_t name_len)
{
	return (8 + name_len + EXT4_DIR_PAD - 1) & ~(EXT4_DIR_PAD - 1);
}

static inline uint32_t ext4_rec_len_get(const struct ext4_geometry *geo, le16 rec_len)
{
	uint32_t len = le16_get(rec_len);

	if (geo->block_size <= EXT4_MAX_REC_LEN)
		return len;
	if (len == EXT4_MAX_REC_LEN || len == 0)
		return geo->block_size;
	return (len & 0xfffc) | (len & 3) << 16;
}

static inline le16 ext4_rec_len_of(const struct ext4_geometry *geo, uint32_t len)
{
	if (len < 65536)
		return le16_of((uint16_t)len);
	if (len == geo->block_size)
		return le16_of(EXT4_MAX_REC_LEN);
	return le16_of((uint16_t)((len & 0xfffc) | (len >> 16 & 3)));
}

/* Bytes at the end of a block of entries that belong to the checksum. */
static inline uint32_t ext4_dir_tail_size(const struct ext4_geometry *geo)
{
	return geo->metadata_csum ? (uint32_t)sizeof(struct ext4_dir_entry_tail) : 0;
}

/* Entries that fit into a node of a hash tree whose entries begin at `entries_offset`. */
static inline uint16_t ext4_dx_limit(const struct ext4_geometry *geo, uint32_t entries_offset)
{
	uint32_t tail = geo->metadata_csum ? (uint32_t)sizeof(struct dx_tail) : 0;

	return (uint16_t)((geo->block_size - entries_offset - tail) / sizeof(struct dx_entry));
}
#define EXT4_DX_ROOT_ENTRIES ((uint32_t)sizeof(struct dx_root))
#define EXT4_DX_NODE_ENTRIES ((uint32_t)sizeof(struct dx_node))

static inline uint8_t ext4_dx_levels_max(const struct ext4_geometry *geo)
{
	return geo->feature_incompat & EXT4_FEATURE_INCOMPAT_LARGEDIR ? EXT4_HTREE_LEVELS_LARGEDIR :
									EXT4_HTREE_LEVELS;
}

/* The type of an entry whose inode has this mode (EXT4_FT_*). */
uint8_t ext4_file_type_of_mode(uint16_t mode);

/* ---- extended attributes */

#define EXT4_XATTR_ROUND(n) (((n) + EXT4_XATTR_PAD - 1) & ~(EXT4_XATTR_PAD - 1))

static inline uint32_t ext4_xattr_entry_size(const struct ext4_xattr_entry *e)
{
	return EXT4_XATTR_ROUND((uint32_t)sizeof(*e) + e->e_name_len);
}

/* What e_hash must be. `value`: e_value_size bytes and the padding behind them. */
uint32_t ext4_xattr_hash_entry(const struct ext4_xattr_entry *e, const uint8_t *value);
/* As kernels made it that took the name's bytes as signed; equal for plain ASCII names. */
uint32_t ext4_xattr_hash_entry_signed(const struct ext4_xattr_entry *e, const uint8_t *value);
/* What h_hash must be, unless it is 0: from the entries' hashes. `block` is verified. */
uint32_t ext4_xattr_hash_block(const uint8_t *block);

#endif
