/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a group begins with: copies of the superblock and of descriptors, and room for descriptors
 * to come. Where the copies lie is a matter of features; docs/on-disk.md, "Layout", draws it.
 */
#include "ext4/geometry.h"
#include "base/compiler.h"
#include "ext4/format.h"

static bool power_of(uint32_t n, uint32_t base)
{
	while (n > 1 && n % base == 0)
		n /= base;
	return n == 1;
}

bool ext4_group_has_super(const struct ext4_geometry *geo, ext4_group_t group)
{
	if (group == 0)
		return true;
	if (geo->feature_compat & EXT4_FEATURE_COMPAT_SPARSE_SUPER2)
		return group == geo->backup_groups[0] || group == geo->backup_groups[1];
	if (group == 1 || !(geo->feature_ro_compat & EXT4_FEATURE_RO_COMPAT_SPARSE_SUPER))
		return true;
	return group % 2 == 1 && (power_of(group, 3) || power_of(group, 5) || power_of(group, 7));
}

/* Groups whose descriptors share one block: a meta group. */
static bool group_is_meta(const struct ext4_geometry *geo, ext4_group_t group)
{
	return geo->feature_incompat & EXT4_FEATURE_INCOMPAT_META_BG &&
	       group / geo->desc_per_block >= geo->first_meta_bg;
}

/* A meta group keeps its descriptors in its first, second and last group. */
static uint32_t meta_group_gdt_blocks(const struct ext4_geometry *geo, ext4_group_t group)
{
	uint32_t place = group % geo->desc_per_block;

	return place == 0 || place == 1 || place == geo->desc_per_block - 1;
}

uint32_t ext4_group_gdt_blocks(const struct ext4_geometry *geo, ext4_group_t group)
{
	bool has_super = ext4_group_has_super(geo, group);

	if (group_is_meta(geo, group))
		return meta_group_gdt_blocks(geo, group);
	if (!has_super)
		return 0;
	if (geo->feature_incompat & EXT4_FEATURE_INCOMPAT_META_BG)
		return min(geo->gdt_blocks, geo->first_meta_bg);
	return geo->gdt_blocks;
}

uint32_t ext4_group_base_meta_blocks(const struct ext4_geometry *geo, ext4_group_t group)
{
	bool has_super = ext4_group_has_super(geo, group);
	uint32_t blocks = has_super + ext4_group_gdt_blocks(geo, group);

	if (has_super && !group_is_meta(geo, group))
		blocks += geo->reserved_gdt_blocks;
	if (group == 0) /* with bigalloc, block 0 comes before a superblock in block 1 */
		blocks += EXT4_SUPER_OFFSET / geo->block_size - geo->first_data_block;
	return blocks;
}

ext4_fsblk_t ext4_descriptor_block(const struct ext4_geometry *geo, uint32_t nr)
{
	ext4_group_t group = nr * geo->desc_per_block;

	if (!(geo->feature_incompat & EXT4_FEATURE_INCOMPAT_META_BG) || nr < geo->first_meta_bg)
		return geo->super_block + 1 + nr;
	return ext4_group_first_block(geo, group) + ext4_group_has_super(geo, group);
}
