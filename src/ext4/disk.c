/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values that lie on disk in pieces: those whose pieces depend on features or types.
 */
#include "ext4/disk.h"
#include <string.h>
#include "ext4/feature.h"

/* ---- superblock */

static uint64_t super_count(const struct ext4_super_block *sb, le32 low, le32 high)
{
	if (!ext4_has_incompat(sb, EXT4_FEATURE_INCOMPAT_64BIT))
		return le32_get(low);
	return ext4_join32(low, high);
}

uint64_t ext4_super_blocks_count(const struct ext4_super_block *sb)
{
	return super_count(sb, sb->s_blocks_count_lo, sb->s_blocks_count_hi);
}

uint64_t ext4_super_r_blocks_count(const struct ext4_super_block *sb)
{
	return super_count(sb, sb->s_r_blocks_count_lo, sb->s_r_blocks_count_hi);
}

uint64_t ext4_super_free_blocks_count(const struct ext4_super_block *sb)
{
	return super_count(sb, sb->s_free_blocks_count_lo, sb->s_free_blocks_count_hi);
}

void ext4_super_set_free_blocks_count(struct ext4_super_block *sb, uint64_t blocks)
{
	sb->s_free_blocks_count_lo = le32_of((uint32_t)blocks);
	if (ext4_has_incompat(sb, EXT4_FEATURE_INCOMPAT_64BIT))
		sb->s_free_blocks_count_hi = le32_of((uint32_t)(blocks >> 32));
}

/* ---- group descriptor */

void ext4_descriptor_read(const struct ext4_geometry *geo, const struct ext4_group_desc *d,
			  struct ext4_descriptor *out)
{
	*out = (struct ext4_descriptor){
		.block_bitmap = le32_get(d->bg_block_bitmap_lo),
		.inode_bitmap = le32_get(d->bg_inode_bitmap_lo),
		.inode_table = le32_get(d->bg_inode_table_lo),
		.free_clusters = le16_get(d->bg_free_blocks_count_lo),
		.free_inodes = le16_get(d->bg_free_inodes_count_lo),
		.used_dirs = le16_get(d->bg_used_dirs_count_lo),
		.itable_unused = le16_get(d->bg_itable_unused_lo),
	};
	if (geo->metadata_csum || geo->gdt_csum)
		out->flags = le16_get(d->bg_flags);
	else
		out->itable_unused = 0;
	if (geo->desc_size < EXT4_MIN_DESC_SIZE_64BIT)
		return;
	out->block_bitmap = ext4_join32(d->bg_block_bitmap_lo, d->bg_block_bitmap_hi);
	out->inode_bitmap = ext4_join32(d->bg_inode_bitmap_lo, d->bg_inode_bitmap_hi);
	out->inode_table = ext4_join32(d->bg_inode_table_lo, d->bg_inode_table_hi);
	out->free_clusters = ext4_join16(d->bg_free_blocks_count_lo, d->bg_free_blocks_count_hi);
	out->free_inodes = ext4_join16(d->bg_free_inodes_count_lo, d->bg_free_inodes_count_hi);
	out->used_dirs = ext4_join16(d->bg_used_dirs_count_lo, d->bg_used_dirs_count_hi);
	if (geo->metadata_csum || geo->gdt_csum)
		out->itable_unused = ext4_join16(d->bg_itable_unused_lo, d->bg_itable_unused_hi);
}

/* ---- inode */

uint64_t ext4_raw_size(const struct ext4_geometry *geo, const struct ext4_inode *raw)
{
	if (ext4_raw_is(raw, EXT4_S_IFREG) ||
	    (ext4_raw_is(raw, EXT4_S_IFDIR) &&
	     geo->feature_incompat & EXT4_FEATURE_INCOMPAT_LARGEDIR))
		return ext4_join32(raw->i_size_lo, raw->i_size_high);
	return le32_get(raw->i_size_lo);
}

uint64_t ext4_raw_sectors(const struct ext4_geometry *geo, const struct ext4_inode *raw)
{
	uint64_t blocks = le32_get(raw->i_blocks_lo);

	if (!(geo->feature_ro_compat & EXT4_FEATURE_RO_COMPAT_HUGE_FILE))
		return blocks;
	blocks |= (uint64_t)le16_get(raw->l_i_blocks_high) << 32;
	if (le32_get(raw->i_flags) & EXT4_HUGE_FILE_FL)
		return blocks << (geo->block_bits - 9);
	return blocks;
}

ext4_fsblk_t ext4_raw_file_acl(const struct ext4_geometry *geo, const struct ext4_inode *raw)
{
	ext4_fsblk_t block = le32_get(raw->i_file_acl_lo);

	if (geo->has_64bit)
		block |= (uint64_t)le16_get(raw->l_i_file_acl_high) << 32;
	return block;
}

uint16_t ext4_raw_extra_isize(const struct ext4_geometry *geo, const struct ext4_inode *raw)
{
	return geo->inode_size > EXT4_GOOD_OLD_INODE_SIZE ? le16_get(raw->i_extra_isize) : 0;
}

bool ext4_raw_is_fast_symlink(const struct ext4_geometry *geo, const struct ext4_inode *raw)
{
	return ext4_raw_is(raw, EXT4_S_IFLNK) && ext4_raw_size(geo, raw) < sizeof(raw->i_block) &&
	       !(le32_get(raw->i_flags) & EXT4_EXTENTS_FL);
}

bool ext4_raw_has_map(const struct ext4_geometry *geo, const struct ext4_inode *raw)
{
	switch (le16_get(raw->i_mode) & EXT4_S_IFMT) {
	case EXT4_S_IFREG:
	case EXT4_S_IFDIR:
		return true;
	case EXT4_S_IFLNK:
		return !ext4_raw_is_fast_symlink(geo, raw);
	case 0: /* reserved inodes have no type */
		return true;
	default:
		return false;
	}
}

uint8_t ext4_file_type_of_mode(uint16_t mode)
{
	switch (mode & EXT4_S_IFMT) {
	case EXT4_S_IFREG:
		return EXT4_FT_REG_FILE;
	case EXT4_S_IFDIR:
		return EXT4_FT_DIR;
	case EXT4_S_IFCHR:
		return EXT4_FT_CHRDEV;
	case EXT4_S_IFBLK:
		return EXT4_FT_BLKDEV;
	case EXT4_S_IFIFO:
		return EXT4_FT_FIFO;
	case EXT4_S_IFSOCK:
		return EXT4_FT_SOCK;
	case EXT4_S_IFLNK:
		return EXT4_FT_SYMLINK;
	default:
		return EXT4_FT_UNKNOWN;
	}
}

/* ---- hashes of extended attributes */

/* Rotates by 5 a byte of the name, by 16 a word of the value. */
static uint32_t hash_value(uint32_t hash, const struct ext4_xattr_entry *e, const uint8_t *value)
{
	const le32 *words = (const le32 *)value;
	uint32_t count = EXT4_XATTR_ROUND(le32_get(e->e_value_size)) / (uint32_t)sizeof(le32);

	for (uint32_t i = 0; i < count; i++)
		hash = (hash << 16 | hash >> 16) ^ le32_get(words[i]);
	return hash;
}

uint32_t ext4_xattr_hash_entry(const struct ext4_xattr_entry *e, const uint8_t *value)
{
	uint32_t hash = 0;

	for (unsigned i = 0; i < e->e_name_len; i++)
		hash = (hash << 5 | hash >> 27) ^ (uint32_t)(unsigned char)e->e_name[i];
	return hash_value(hash, e, value);
}

uint32_t ext4_xattr_hash_entry_signed(const struct ext4_xattr_entry *e, const uint8_t *value)
{
	uint32_t hash = 0;

	for (unsigned i = 0; i < e->e_name_len; i++)
		hash = (hash << 5 | hash >> 27) ^ (uint32_t)(signed char)e->e_name[i];
	return hash_value(hash, e, value);
}

uint32_t ext4_xattr_hash_block(const uint8_t *block)
{
	const struct ext4_xattr_entry *e = (const void *)(block + sizeof(struct ext4_xattr_header));
	static const uint8_t end[4];
	uint32_t hash = 0;

	while (memcmp(e, end, sizeof(end)) != 0) {
		if (le32_get(e->e_hash) == 0)
			return 0;
		hash = (hash << 16 | hash >> 16) ^ le32_get(e->e_hash);
		e = (const void *)((const uint8_t *)e + ext4_xattr_entry_size(e));
	}
	return hash;
}
