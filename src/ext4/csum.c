/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checksums of metadata: a seed, then the bytes of the structure with the sum's own field counted
 * as zero or left out. Fields of 16 bits hold the low half.
 */
#include "ext4/csum.h"
#include "base/csum.h"
#include "ext4/feature.h"

static const uint8_t zeros[4];

/* ---- seeds */

uint32_t ext4_fs_csum_seed(const struct ext4_super_block *sb)
{
	if (ext4_has_incompat(sb, EXT4_FEATURE_INCOMPAT_CSUM_SEED))
		return le32_get(sb->s_checksum_seed);
	return crc32c(~0u, sb->s_uuid, sizeof(sb->s_uuid));
}

static uint32_t add_le32(uint32_t crc, uint32_t x)
{
	le32 bytes = le32_of(x);

	return crc32c(crc, &bytes, sizeof(bytes));
}

static uint32_t add_le64(uint32_t crc, uint64_t x)
{
	le64 bytes = le64_of(x);

	return crc32c(crc, &bytes, sizeof(bytes));
}

/* [from, to) of `p`. */
static uint32_t add_range(uint32_t crc, const void *p, size_t from, size_t to)
{
	return crc32c(crc, (const uint8_t *)p + from, to - from);
}

uint32_t ext4_inode_csum_seed(const struct ext4_geometry *geo, uint32_t ino, uint32_t generation)
{
	return add_le32(add_le32(geo->csum_seed, ino), generation);
}

/* ---- superblock */

static uint32_t super_csum(const struct ext4_super_block *sb)
{
	return crc32c(~0u, sb, offsetof(struct ext4_super_block, s_checksum));
}

bool ext4_super_csum_ok(const struct ext4_super_block *sb)
{
	return !ext4_has_metadata_csum(sb) || le32_get(sb->s_checksum) == super_csum(sb);
}

void ext4_super_csum_set(struct ext4_super_block *sb)
{
	if (ext4_has_metadata_csum(sb))
		sb->s_checksum = le32_of(super_csum(sb));
}

/* ---- group descriptor */

static uint16_t desc_crc32c(const struct ext4_geometry *geo, ext4_group_t group, const void *desc)
{
	const size_t field = offsetof(struct ext4_group_desc, bg_checksum);
	uint32_t crc = add_le32(geo->csum_seed, group);

	crc = add_range(crc, desc, 0, field);
	crc = crc32c(crc, zeros, sizeof(le16));
	crc = add_range(crc, desc, field + sizeof(le16), geo->desc_size);
	return (uint16_t)crc;
}

static uint16_t desc_crc16(const struct ext4_geometry *geo, ext4_group_t group, const void *desc)
{
	const size_t field = offsetof(struct ext4_group_desc, bg_checksum);
	const size_t rest = field + sizeof(le16);
	le32 number = le32_of(group);
	uint16_t crc = crc16(0xffff, geo->uuid, sizeof(geo->uuid));

	crc = crc16(crc, &number, sizeof(number));
	crc = crc16(crc, desc, field);
	return crc16(crc, (const uint8_t *)desc + rest, geo->desc_size - rest);
}

static uint16_t desc_csum(const struct ext4_geometry *geo, ext4_group_t group, const void *desc)
{
	return geo->metadata_csum ? desc_crc32c(geo, group, desc) : desc_crc16(geo, group, desc);
}

bool ext4_descriptor_csum_ok(const struct ext4_geometry *geo, ext4_group_t group,
			     const struct ext4_group_desc *desc)
{
	if (!geo->metadata_csum && !geo->gdt_csum)
		return true;
	return le16_get(desc->bg_checksum) == desc_csum(geo, group, desc);
}

void ext4_descriptor_csum_set(const struct ext4_geometry *geo, ext4_group_t group,
			      struct ext4_group_desc *desc)
{
	if (geo->metadata_csum || geo->gdt_csum)
		desc->bg_checksum = le16_of(desc_csum(geo, group, desc));
}

/* ---- bitmaps */

uint32_t ext4_block_bitmap_csum(const struct ext4_geometry *geo, const uint8_t *bitmap)
{
	return crc32c(geo->csum_seed, bitmap, geo->blocks_per_group / geo->cluster_ratio / 8);
}

uint32_t ext4_inode_bitmap_csum(const struct ext4_geometry *geo, const uint8_t *bitmap)
{
	return crc32c(geo->csum_seed, bitmap, geo->inodes_per_group / 8);
}

static bool halves_are(const struct ext4_geometry *geo, le16 low, le16 high, uint32_t crc)
{
	return le16_get(low) == (uint16_t)crc &&
	       (geo->desc_size < EXT4_MIN_DESC_SIZE_64BIT || le16_get(high) == crc >> 16);
}

bool ext4_block_bitmap_csum_ok(const struct ext4_geometry *geo, const struct ext4_group_desc *desc,
			       const uint8_t *bitmap)
{
	return !geo->metadata_csum ||
	       halves_are(geo, desc->bg_block_bitmap_csum_lo, desc->bg_block_bitmap_csum_hi,
			  ext4_block_bitmap_csum(geo, bitmap));
}

bool ext4_inode_bitmap_csum_ok(const struct ext4_geometry *geo, const struct ext4_group_desc *desc,
			       const uint8_t *bitmap)
{
	return !geo->metadata_csum ||
	       halves_are(geo, desc->bg_inode_bitmap_csum_lo, desc->bg_inode_bitmap_csum_hi,
			  ext4_inode_bitmap_csum(geo, bitmap));
}

/* ---- inode */

/* The upper half has a place only where the extra bytes reach over it. */
static bool inode_has_high_half(const struct ext4_geometry *geo, const struct ext4_inode *raw)
{
	return geo->inode_size > EXT4_GOOD_OLD_INODE_SIZE && le16_get(raw->i_extra_isize) >= 4;
}

static uint32_t inode_csum(const struct ext4_geometry *geo, uint32_t ino,
			   const struct ext4_inode *raw)
{
	const size_t low = offsetof(struct ext4_inode, l_i_checksum_lo);
	const size_t high = offsetof(struct ext4_inode, i_checksum_hi);
	uint32_t crc = ext4_inode_csum_seed(geo, ino, le32_get(raw->i_generation));
	size_t done = low + sizeof(le16);

	crc = add_range(crc, raw, 0, low);
	crc = crc32c(crc, zeros, sizeof(le16));
	if (inode_has_high_half(geo, raw)) {
		crc = add_range(crc, raw, done, high);
		crc = crc32c(crc, zeros, sizeof(le16));
		done = high + sizeof(le16);
	}
	return add_range(crc, raw, done, geo->inode_size);
}

bool ext4_inode_csum_ok(const struct ext4_geometry *geo, uint32_t ino, const struct ext4_inode *raw)
{
	uint32_t crc;

	if (!geo->metadata_csum)
		return true;
	crc = inode_csum(geo, ino, raw);
	return le16_get(raw->l_i_checksum_lo) == (uint16_t)crc &&
	       (!inode_has_high_half(geo, raw) || le16_get(raw->i_checksum_hi) == crc >> 16);
}

void ext4_inode_csum_set(const struct ext4_geometry *geo, uint32_t ino, struct ext4_inode *raw)
{
	uint32_t crc;

	if (!geo->metadata_csum)
		return;
	crc = inode_csum(geo, ino, raw);
	raw->l_i_checksum_lo = le16_of((uint16_t)crc);
	if (inode_has_high_half(geo, raw))
		raw->i_checksum_hi = le16_of((uint16_t)(crc >> 16));
}

/* ---- extent block */

/* Behind the room for eh_max entries; NULL when that is outside the block. */
static struct ext4_extent_tail *extent_tail(const struct ext4_geometry *geo, const uint8_t *block)
{
	const struct ext4_extent_header *eh = (const struct ext4_extent_header *)block;
	size_t offset = sizeof(*eh) + le16_get(eh->eh_max) * sizeof(struct ext4_extent);

	if (offset + sizeof(struct ext4_extent_tail) > geo->block_size)
		return NULL;
	return (struct ext4_extent_tail *)(block + offset);
}

bool ext4_extent_block_csum_ok(const struct ext4_geometry *geo, uint32_t seed, const uint8_t *block)
{
	const struct ext4_extent_tail *tail = extent_tail(geo, block);

	if (!geo->metadata_csum)
		return true;
	return tail && le32_get(tail->eb_checksum) ==
			       add_range(seed, block, 0, (size_t)((const uint8_t *)tail - block));
}

void ext4_extent_block_csum_set(const struct ext4_geometry *geo, uint32_t seed, uint8_t *block)
{
	struct ext4_extent_tail *tail = extent_tail(geo, block);

	if (geo->metadata_csum && tail)
		tail->eb_checksum =
			le32_of(add_range(seed, block, 0, (size_t)((uint8_t *)tail - block)));
}

/* ---- directory block */

bool ext4_dir_block_csum_ok(const struct ext4_geometry *geo, uint32_t seed, const uint8_t *block)
{
	const size_t offset = geo->block_size - sizeof(struct ext4_dir_entry_tail);
	const struct ext4_dir_entry_tail *tail =
		(const struct ext4_dir_entry_tail *)(block + offset);

	if (!geo->metadata_csum)
		return true;
	return le32_get(tail->det_reserved_zero1) == 0 &&
	       le16_get(tail->det_rec_len) == sizeof(*tail) && tail->det_reserved_zero2 == 0 &&
	       tail->det_reserved_ft == EXT4_FT_DIR_CSUM &&
	       le32_get(tail->det_checksum) == crc32c(seed, block, offset);
}

void ext4_dir_block_csum_set(const struct ext4_geometry *geo, uint32_t seed, uint8_t *block)
{
	const size_t offset = geo->block_size - sizeof(struct ext4_dir_entry_tail);
	struct ext4_dir_entry_tail *tail = (struct ext4_dir_entry_tail *)(block + offset);

	if (!geo->metadata_csum)
		return;
	*tail = (struct ext4_dir_entry_tail){
		.det_rec_len = le16_of(sizeof(*tail)),
		.det_reserved_ft = EXT4_FT_DIR_CSUM,
		.det_checksum = le32_of(crc32c(seed, block, offset)),
	};
}

/* ---- hash tree node */

/* Where the used entries and the room for entries end; false when the tail does not fit behind. */
static bool dx_ends(const struct ext4_geometry *geo, const uint8_t *block, uint32_t entries_offset,
		    size_t *used, size_t *room)
{
	const struct dx_countlimit *c = (const struct dx_countlimit *)(block + entries_offset);
	size_t limit = le16_get(c->limit), count = le16_get(c->count);

	*used = entries_offset + count * sizeof(struct dx_entry);
	*room = entries_offset + limit * sizeof(struct dx_entry);
	return count <= limit && *room + sizeof(struct dx_tail) <= geo->block_size;
}

static uint32_t dx_csum(uint32_t seed, const uint8_t *block, size_t used,
			const struct dx_tail *tail)
{
	uint32_t crc = crc32c(seed, block, used);

	crc = crc32c(crc, &tail->dt_reserved, sizeof(tail->dt_reserved));
	return crc32c(crc, zeros, sizeof(tail->dt_checksum));
}

bool ext4_dx_csum_ok(const struct ext4_geometry *geo, uint32_t seed, const uint8_t *block,
		     uint32_t entries_offset)
{
	const struct dx_tail *tail;
	size_t used, room;

	if (!geo->metadata_csum)
		return true;
	if (!dx_ends(geo, block, entries_offset, &used, &room))
		return false;
	tail = (const struct dx_tail *)(block + room);
	return le32_get(tail->dt_checksum) == dx_csum(seed, block, used, tail);
}

void ext4_dx_csum_set(const struct ext4_geometry *geo, uint32_t seed, uint8_t *block,
		      uint32_t entries_offset)
{
	struct dx_tail *tail;
	size_t used, room;

	if (!geo->metadata_csum || !dx_ends(geo, block, entries_offset, &used, &room))
		return;
	tail = (struct dx_tail *)(block + room);
	tail->dt_checksum = le32_of(dx_csum(seed, block, used, tail));
}

/* ---- attribute block */

static uint32_t xattr_csum(const struct ext4_geometry *geo, ext4_fsblk_t pblk, const uint8_t *block)
{
	const size_t field = offsetof(struct ext4_xattr_header, h_checksum);
	uint32_t crc = add_le64(geo->csum_seed, pblk);

	crc = add_range(crc, block, 0, field);
	crc = crc32c(crc, zeros, sizeof(le32));
	return add_range(crc, block, field + sizeof(le32), geo->block_size);
}

bool ext4_xattr_block_csum_ok(const struct ext4_geometry *geo, ext4_fsblk_t pblk,
			      const uint8_t *block)
{
	const struct ext4_xattr_header *h = (const struct ext4_xattr_header *)block;

	return !geo->metadata_csum || le32_get(h->h_checksum) == xattr_csum(geo, pblk, block);
}

void ext4_xattr_block_csum_set(const struct ext4_geometry *geo, ext4_fsblk_t pblk, uint8_t *block)
{
	struct ext4_xattr_header *h = (struct ext4_xattr_header *)block;

	if (geo->metadata_csum)
		h->h_checksum = le32_of(xattr_csum(geo, pblk, block));
}

/* ---- orphan file block */

static uint32_t orphan_csum(const struct ext4_geometry *geo, uint32_t seed, ext4_fsblk_t pblk,
			    const uint8_t *block)
{
	return crc32c(add_le64(seed, pblk), block,
		      geo->block_size - sizeof(struct ext4_orphan_block_tail));
}

static struct ext4_orphan_block_tail *orphan_tail(const struct ext4_geometry *geo,
						  const uint8_t *block)
{
	return (struct ext4_orphan_block_tail *)(block + geo->block_size -
						 sizeof(struct ext4_orphan_block_tail));
}

bool ext4_orphan_block_csum_ok(const struct ext4_geometry *geo, uint32_t seed, ext4_fsblk_t pblk,
			       const uint8_t *block)
{
	return !geo->metadata_csum || le32_get(orphan_tail(geo, block)->ob_checksum) ==
					      orphan_csum(geo, seed, pblk, block);
}

void ext4_orphan_block_csum_set(const struct ext4_geometry *geo, uint32_t seed, ext4_fsblk_t pblk,
				uint8_t *block)
{
	if (geo->metadata_csum)
		orphan_tail(geo, block)->ob_checksum = le32_of(orphan_csum(geo, seed, pblk, block));
}
