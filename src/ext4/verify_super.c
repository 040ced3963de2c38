/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verifiers of what describes the whole: the superblock, which becomes the geometry, group
 * descriptors and bitmaps.
 *
 * The geometry is made step by step; each step trusts what the steps before it have established and
 * nothing else, so that no product overflows and no size is taken from the image unchecked.
 */
#include "ext4/verify.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/bitmap.h"
#include "ext4/csum.h"
#include "ext4/disk.h"
#include "ext4/feature.h"

#define BLOCK_BITS_MIN   10
#define BLOCK_BITS_MAX   16
#define BLOCKS_MAX       (1ULL << 48) /* what an extent can point at */
#define GROUP_BLOCKS_MIN 256u /* mke2fs makes none smaller; bounds the number of groups */

/* ---- reasons */

static void set_reason(struct ext4_verdict *v, const char *fmt, va_list args)
{
	if (v)
		(void)vsnprintf(v->reason, sizeof(v->reason), fmt, args); /* cut when too long */
}

int ext4_corrupted(struct ext4_verdict *v, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	set_reason(v, fmt, args);
	va_end(args);
	return -EFSCORRUPTED;
}

int ext4_bad_csum(struct ext4_verdict *v, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	set_reason(v, fmt, args);
	va_end(args);
	return -EFSBADCRC;
}

/* ---- superblock */

struct super_parse {
	const struct ext4_super_block *sb;
	uint64_t device_bytes;
	struct ext4_geometry *geo;
	struct ext4_verdict *v;
};

static int check_identity(const struct super_parse *p)
{
	const struct ext4_super_block *sb = p->sb;
	uint16_t magic = le16_get(sb->s_magic);

	if (magic != EXT4_SUPER_MAGIC) {
		(void)ext4_corrupted(p->v, "magic number is 0x%04x, not 0x%04x", magic,
				     EXT4_SUPER_MAGIC);
		return -EINVAL;
	}
	if (le32_get(sb->s_rev_level) > EXT4_DYNAMIC_REV) {
		(void)ext4_corrupted(p->v, "revision %u is not known", le32_get(sb->s_rev_level));
		return -EOPNOTSUPP;
	}
	if (le32_get(sb->s_rev_level) == EXT4_GOOD_OLD_REV)
		return 0;
	if (ext4_has_metadata_csum(sb) && sb->s_checksum_type != EXT4_CHECKSUM_CRC32C)
		return ext4_corrupted(p->v, "checksum type %u is not known", sb->s_checksum_type);
	if (!ext4_super_csum_ok(sb))
		return ext4_bad_csum(p->v, "superblock checksum 0x%08x is wrong",
				     le32_get(sb->s_checksum));
	return 0;
}

static int read_features(const struct super_parse *p)
{
	struct ext4_geometry *geo = p->geo;
	char names[100];

	if (ext4_feature_names(p->sb, EXT4_FEATURE_REFUSE, names, sizeof(names))) {
		(void)ext4_corrupted(p->v, "features that are not supported: %s", names);
		return -EOPNOTSUPP;
	}
	geo->feature_compat = ext4_feature_bits(p->sb, EXT4_COMPAT);
	geo->feature_incompat = ext4_feature_bits(p->sb, EXT4_INCOMPAT);
	geo->feature_ro_compat = ext4_feature_bits(p->sb, EXT4_RO_COMPAT);
	geo->metadata_csum = geo->feature_ro_compat & EXT4_FEATURE_RO_COMPAT_METADATA_CSUM;
	geo->gdt_csum =
		!geo->metadata_csum && geo->feature_ro_compat & EXT4_FEATURE_RO_COMPAT_GDT_CSUM;
	geo->has_64bit = geo->feature_incompat & EXT4_FEATURE_INCOMPAT_64BIT;
	if (geo->metadata_csum)
		geo->csum_seed = ext4_fs_csum_seed(p->sb);
	memcpy(geo->uuid, p->sb->s_uuid, sizeof(geo->uuid));
	return 0;
}

/* Features that make no sense without others. */
static int check_dependencies(const struct super_parse *p)
{
	const struct ext4_geometry *geo = p->geo;

	if (geo->feature_incompat & EXT4_FEATURE_INCOMPAT_RECOVER &&
	    !(geo->feature_compat & EXT4_FEATURE_COMPAT_HAS_JOURNAL))
		return ext4_corrupted(p->v, "needs_recovery without has_journal");
	if (geo->feature_ro_compat & EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT &&
	    !(geo->feature_compat & EXT4_FEATURE_COMPAT_ORPHAN_FILE))
		return ext4_corrupted(p->v, "orphan_present without orphan_file");
	if (geo->feature_ro_compat & EXT4_FEATURE_RO_COMPAT_BIGALLOC &&
	    !(geo->feature_incompat & EXT4_FEATURE_INCOMPAT_EXTENTS))
		return ext4_corrupted(p->v, "bigalloc without extent");
	return 0;
}

static int read_block_size(const struct super_parse *p)
{
	struct ext4_geometry *geo = p->geo;
	uint32_t log_block = le32_get(p->sb->s_log_block_size);
	uint32_t log_cluster = le32_get(p->sb->s_log_cluster_size);
	bool bigalloc = geo->feature_ro_compat & EXT4_FEATURE_RO_COMPAT_BIGALLOC;

	if (log_block > BLOCK_BITS_MAX - BLOCK_BITS_MIN)
		return ext4_corrupted(p->v, "block size 2^%u is above 64 KiB", log_block + 10);
	if (bigalloc ? log_cluster < log_block || log_cluster > 20 : log_cluster != log_block)
		return ext4_corrupted(p->v, "cluster size 2^%u does not go with block size 2^%u",
				      log_cluster + 10, log_block + 10);
	geo->block_bits = (uint8_t)(log_block + BLOCK_BITS_MIN);
	geo->block_size = 1u << geo->block_bits;
	geo->cluster_ratio = 1u << (log_cluster - log_block);
	geo->super_block = EXT4_SUPER_OFFSET / geo->block_size;
	geo->first_data_block = le32_get(p->sb->s_first_data_block);
	if (geo->first_data_block != (geo->cluster_ratio > 1 ? 0 : geo->super_block))
		return ext4_corrupted(p->v, "first data block is %u, with blocks of %u bytes",
				      geo->first_data_block, geo->block_size);
	return 0;
}

static int read_size(const struct super_parse *p)
{
	struct ext4_geometry *geo = p->geo;
	uint64_t blocks = ext4_super_blocks_count(p->sb);

	if (blocks <= geo->first_data_block + 1 || blocks > BLOCKS_MAX)
		return ext4_corrupted(p->v, "%llu blocks", (unsigned long long)blocks);
	if (p->device_bytes && blocks > p->device_bytes >> geo->block_bits)
		return ext4_corrupted(
			p->v, "%llu blocks of %u bytes do not fit into a device of %llu bytes",
			(unsigned long long)blocks, geo->block_size,
			(unsigned long long)p->device_bytes);
	geo->blocks_count = blocks;
	geo->r_blocks_count = ext4_super_r_blocks_count(p->sb);
	if (geo->r_blocks_count > blocks)
		return ext4_corrupted(p->v, "%llu of %llu blocks are reserved",
				      (unsigned long long)geo->r_blocks_count,
				      (unsigned long long)blocks);
	return 0;
}

static int read_groups(const struct super_parse *p)
{
	struct ext4_geometry *geo = p->geo;
	uint32_t blocks = le32_get(p->sb->s_blocks_per_group);
	uint32_t clusters = le32_get(p->sb->s_clusters_per_group);
	uint64_t groups;

	if (blocks < GROUP_BLOCKS_MIN || blocks % 8 || blocks % geo->cluster_ratio ||
	    blocks / geo->cluster_ratio > geo->block_size * 8)
		return ext4_corrupted(p->v, "%u blocks per group, with blocks of %u bytes", blocks,
				      geo->block_size);
	if (clusters != blocks / geo->cluster_ratio)
		return ext4_corrupted(p->v, "%u clusters per group, with %u blocks", clusters,
				      blocks);
	groups = (geo->blocks_count - geo->first_data_block + blocks - 1) / blocks;
	if (groups > UINT32_MAX)
		return ext4_corrupted(p->v, "%llu groups", (unsigned long long)groups);
	geo->blocks_per_group = blocks;
	geo->groups_count = (ext4_group_t)groups;
	return 0;
}

/* The structure's own fields, and what the superblock asks for, as far as the inode has room. */
static uint16_t extra_isize(const struct super_parse *p)
{
	uint32_t room = p->geo->inode_size - EXT4_GOOD_OLD_INODE_SIZE;
	uint32_t own = sizeof(struct ext4_inode) - EXT4_GOOD_OLD_INODE_SIZE, want = own;

	if (room == 0)
		return 0;
	if (p->geo->feature_ro_compat & EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE) {
		want = max(want, (uint32_t)le16_get(p->sb->s_want_extra_isize));
		want = max(want, (uint32_t)le16_get(p->sb->s_min_extra_isize));
	}
	return (uint16_t)(want <= room && want % 4 == 0 ? want : own);
}

static int read_inode_size(const struct super_parse *p)
{
	struct ext4_geometry *geo = p->geo;
	uint32_t size = EXT4_GOOD_OLD_INODE_SIZE;

	geo->first_ino = EXT4_GOOD_OLD_FIRST_INO;
	if (le32_get(p->sb->s_rev_level) != EXT4_GOOD_OLD_REV) {
		size = le16_get(p->sb->s_inode_size);
		geo->first_ino = le32_get(p->sb->s_first_ino);
	}
	if (size < EXT4_GOOD_OLD_INODE_SIZE || size > geo->block_size || size & (size - 1))
		return ext4_corrupted(p->v, "inode size %u, with blocks of %u bytes", size,
				      geo->block_size);
	geo->inode_size = (uint16_t)size;
	geo->inodes_per_block = geo->block_size / size;
	geo->want_extra_isize = extra_isize(p);
	return 0;
}

static int read_inodes(const struct super_parse *p)
{
	struct ext4_geometry *geo = p->geo;
	uint32_t per_group = le32_get(p->sb->s_inodes_per_group);

	if (per_group < geo->inodes_per_block || per_group > geo->block_size * 8 || per_group % 8)
		return ext4_corrupted(p->v, "%u inodes per group, with blocks of %u bytes",
				      per_group, geo->block_size);
	geo->inodes_per_group = per_group;
	geo->itable_blocks = (per_group + geo->inodes_per_block - 1) / geo->inodes_per_block;
	geo->inodes_count = le32_get(p->sb->s_inodes_count);
	if (geo->inodes_count != (uint64_t)per_group * geo->groups_count)
		return ext4_corrupted(p->v, "%u inodes, but %u groups of %u", geo->inodes_count,
				      geo->groups_count, per_group);
	if (geo->first_ino < EXT4_GOOD_OLD_FIRST_INO || geo->first_ino > geo->inodes_count)
		return ext4_corrupted(p->v, "first inode is %u of %u", geo->first_ino,
				      geo->inodes_count);
	if (geo->itable_blocks + 2 >= geo->blocks_per_group)
		return ext4_corrupted(p->v, "inode table of %u blocks in groups of %u blocks",
				      geo->itable_blocks, geo->blocks_per_group);
	return 0;
}

static int read_descriptor_size(const struct super_parse *p)
{
	struct ext4_geometry *geo = p->geo;
	uint32_t size = le16_get(p->sb->s_desc_size);

	if (!geo->has_64bit)
		size = EXT4_MIN_DESC_SIZE;
	else if (size < EXT4_MIN_DESC_SIZE_64BIT || size > EXT4_MAX_DESC_SIZE || size & (size - 1))
		return ext4_corrupted(p->v, "group descriptors of %u bytes, with 64bit", size);
	geo->desc_size = (uint16_t)size;
	geo->desc_per_block = geo->block_size / size;
	geo->gdt_blocks = (uint32_t)(((uint64_t)geo->groups_count + geo->desc_per_block - 1) /
				     geo->desc_per_block);
	return 0;
}

static int read_layout(const struct super_parse *p)
{
	struct ext4_geometry *geo = p->geo;

	geo->reserved_gdt_blocks = le16_get(p->sb->s_reserved_gdt_blocks);
	if (geo->reserved_gdt_blocks > geo->block_size / 4)
		return ext4_corrupted(p->v,
				      "%u blocks kept for descriptors, with blocks of %u bytes",
				      geo->reserved_gdt_blocks, geo->block_size);
	if (geo->feature_incompat & EXT4_FEATURE_INCOMPAT_META_BG) {
		geo->first_meta_bg = le32_get(p->sb->s_first_meta_bg);
		if (geo->first_meta_bg > geo->gdt_blocks)
			return ext4_corrupted(p->v, "first meta group is %u, of %u",
					      geo->first_meta_bg, geo->gdt_blocks);
	}
	for (unsigned i = 0; i < 2; i++) {
		geo->backup_groups[i] = le32_get(p->sb->s_backup_bgs[i]);
		if (geo->feature_compat & EXT4_FEATURE_COMPAT_SPARSE_SUPER2 &&
		    geo->backup_groups[i] >= geo->groups_count)
			return ext4_corrupted(p->v, "backup group %u of %u", geo->backup_groups[i],
					      geo->groups_count);
	}
	if (ext4_group_base_meta_blocks(geo, 0) >= ext4_group_blocks(geo, 0))
		return ext4_corrupted(p->v,
				      "%u blocks of descriptors do not fit into the first group",
				      geo->gdt_blocks + geo->reserved_gdt_blocks);
	return 0;
}

static int read_flex(const struct super_parse *p)
{
	struct ext4_geometry *geo = p->geo;

	geo->flex_groups = 1;
	if (!(geo->feature_incompat & EXT4_FEATURE_INCOMPAT_FLEX_BG))
		return 0;
	if (p->sb->s_log_groups_per_flex > 31)
		return ext4_corrupted(p->v, "flex groups of 2^%u groups",
				      p->sb->s_log_groups_per_flex);
	geo->flex_bits = p->sb->s_log_groups_per_flex;
	geo->flex_groups = 1u << geo->flex_bits;
	return 0;
}

static int read_special_inodes(const struct super_parse *p)
{
	struct ext4_geometry *geo = p->geo;

	if (geo->feature_compat & EXT4_FEATURE_COMPAT_HAS_JOURNAL)
		geo->journal_inum = le32_get(p->sb->s_journal_inum);
	if (geo->feature_compat & EXT4_FEATURE_COMPAT_HAS_JOURNAL && !geo->journal_inum &&
	    le32_get(p->sb->s_journal_dev)) {
		(void)snprintf(p->v->reason, sizeof(p->v->reason),
			       "its journal is on another device, which is not supported");
		return -EOPNOTSUPP;
	}
	if (geo->journal_inum > geo->inodes_count)
		return ext4_corrupted(p->v, "journal inode is %u of %u", geo->journal_inum,
				      geo->inodes_count);
	if (!(geo->feature_compat & EXT4_FEATURE_COMPAT_ORPHAN_FILE))
		return 0;
	geo->orphan_file_inum = le32_get(p->sb->s_orphan_file_inum);
	if (geo->orphan_file_inum < geo->first_ino || geo->orphan_file_inum > geo->inodes_count)
		return ext4_corrupted(p->v, "orphan file is inode %u of %u", geo->orphan_file_inum,
				      geo->inodes_count);
	return 0;
}

static int read_hash(const struct super_parse *p)
{
	struct ext4_geometry *geo = p->geo;

	for (unsigned i = 0; i < 4; i++)
		geo->hash_seed[i] = le32_get(p->sb->s_hash_seed[i]);
	geo->def_hash_version = p->sb->s_def_hash_version;
	geo->unsigned_hash = le32_get(p->sb->s_flags) & EXT4_FLAGS_UNSIGNED_HASH;
	if (geo->feature_compat & EXT4_FEATURE_COMPAT_DIR_INDEX &&
	    geo->def_hash_version > EXT4_HASH_TEA_UNSIGNED)
		return ext4_corrupted(p->v, "directory hash %u is not known",
				      geo->def_hash_version);
	return 0;
}

static int read_rest(const struct super_parse *p)
{
	p->geo->resuid = le16_get(p->sb->s_def_resuid);
	p->geo->resgid = le16_get(p->sb->s_def_resgid);
	p->geo->raid_stride = le16_get(p->sb->s_raid_stride);
	p->geo->raid_stripe_width = le32_get(p->sb->s_raid_stripe_width);
	return 0;
}

int ext4_geometry_from_super(const struct ext4_super_block *sb, uint64_t device_bytes,
			     struct ext4_geometry *out, struct ext4_verdict *v)
{
	static int (*const steps[])(const struct super_parse *p) = {
		check_identity,  read_features, check_dependencies,
		read_block_size, read_size,     read_groups,
		read_inode_size, read_inodes,   read_descriptor_size,
		read_layout,     read_flex,     read_special_inodes,
		read_hash,       read_rest,
	};
	struct ext4_geometry geo = { 0 };
	const struct super_parse p = {
		.sb = sb, .device_bytes = device_bytes, .geo = &geo, .v = v
	};

	for (size_t i = 0; i < array_size(steps); i++) {
		int err = steps[i](&p);

		if (err)
			return err;
	}
	*out = geo;
	return 0;
}

bool ext4_blocks_inside(const struct ext4_geometry *geo, ext4_fsblk_t block, uint64_t count)
{
	return block > geo->first_data_block && block < geo->blocks_count &&
	       count <= geo->blocks_count - block;
}

/* ---- group descriptor */

struct span {
	const char *name;
	ext4_fsblk_t block;
	uint32_t len;
};

static bool spans_meet(const struct span *a, const struct span *b)
{
	return a->len && b->len && a->block < b->block + b->len && b->block < a->block + a->len;
}

/*
 * Of the group, without flex_bg; inside the file system anyway. Apart from what a group begins
 * with.
 */
static int check_place(const struct ext4_geometry *geo, ext4_group_t group, const struct span *s,
		       struct ext4_verdict *v)
{
	ext4_fsblk_t first = ext4_group_first_block(geo, group);
	ext4_group_t in;

	if (!ext4_blocks_inside(geo, s->block, s->len))
		return ext4_corrupted(v, "%s at block %llu lies outside the file system", s->name,
				      (unsigned long long)s->block);
	if (!(geo->feature_incompat & EXT4_FEATURE_INCOMPAT_FLEX_BG) &&
	    (s->block < first || s->block + s->len > first + ext4_group_blocks(geo, group)))
		return ext4_corrupted(v, "%s at block %llu lies outside its group", s->name,
				      (unsigned long long)s->block);
	in = ext4_group_of_block(geo, s->block);
	for (; in <= ext4_group_of_block(geo, s->block + s->len - 1); in++) {
		struct span base = { "", ext4_group_first_block(geo, in),
				     ext4_group_base_meta_blocks(geo, in) };

		if (spans_meet(&base, s))
			return ext4_corrupted(
				v, "%s at block %llu lies on superblock or descriptors of group %u",
				s->name, (unsigned long long)s->block, in);
	}
	return 0;
}

static int check_places(const struct ext4_geometry *geo, ext4_group_t group,
			const struct ext4_descriptor *d, struct ext4_verdict *v)
{
	const struct span spans[3] = {
		{ "block bitmap", d->block_bitmap, 1 },
		{ "inode bitmap", d->inode_bitmap, 1 },
		{ "inode table", d->inode_table, geo->itable_blocks },
	};

	for (unsigned i = 0; i < 3; i++) {
		int err = check_place(geo, group, &spans[i], v);

		if (err)
			return err;
		for (unsigned k = 0; k < i; k++)
			if (spans_meet(&spans[i], &spans[k]))
				return ext4_corrupted(v, "%s and %s meet at block %llu",
						      spans[k].name, spans[i].name,
						      (unsigned long long)spans[i].block);
	}
	return 0;
}

static int check_counts(const struct ext4_geometry *geo, ext4_group_t group,
			const struct ext4_descriptor *d, struct ext4_verdict *v)
{
	uint32_t clusters =
		(ext4_group_blocks(geo, group) + geo->cluster_ratio - 1) / geo->cluster_ratio;
	uint32_t inodes = geo->inodes_per_group;

	if (d->free_clusters > clusters)
		return ext4_corrupted(v, "%u of %u clusters are free", d->free_clusters, clusters);
	if (d->free_inodes > inodes)
		return ext4_corrupted(v, "%u of %u inodes are free", d->free_inodes, inodes);
	if (d->itable_unused > d->free_inodes)
		return ext4_corrupted(v, "%u inodes were never used, but only %u are free",
				      d->itable_unused, d->free_inodes);
	if (d->used_dirs > inodes - d->free_inodes)
		return ext4_corrupted(v, "%u directories among %u inodes", d->used_dirs,
				      inodes - d->free_inodes);
	return 0;
}

int ext4_verify_descriptor(const struct ext4_geometry *geo, ext4_group_t group,
			   const struct ext4_group_desc *desc, struct ext4_verdict *v)
{
	struct ext4_descriptor d;
	int err;

	if (!ext4_descriptor_csum_ok(geo, group, desc))
		return ext4_bad_csum(v, "descriptor checksum 0x%04x is wrong",
				     le16_get(desc->bg_checksum));
	ext4_descriptor_read(geo, desc, &d);
	err = check_places(geo, group, &d, v);
	return err ? err : check_counts(geo, group, &d, v);
}

/* ---- bitmaps */

/* What of the file system's own lies in this group is in use. */
static int check_own(const struct ext4_geometry *geo, ext4_group_t group, const uint8_t *bitmap,
		     const struct span *s, struct ext4_verdict *v)
{
	ext4_fsblk_t first = ext4_group_first_block(geo, group);
	ext4_fsblk_t from = max(s->block, first);
	ext4_fsblk_t end = min(s->block + s->len, first + ext4_group_blocks(geo, group));
	uint32_t bit, bit_end;

	if (from >= end)
		return 0;
	bit = (uint32_t)(from - first) / geo->cluster_ratio;
	bit_end = (uint32_t)(end - 1 - first) / geo->cluster_ratio + 1;
	if (bitmap_all_ones(bitmap, bit, bit_end - bit))
		return 0;
	bit = bitmap_next_zero(bitmap, bit_end, bit);
	return ext4_corrupted(v, "block %llu of the %s is marked free",
			      (unsigned long long)(first + (uint64_t)bit * geo->cluster_ratio),
			      s->name);
}

int ext4_verify_block_bitmap(const struct ext4_geometry *geo, ext4_group_t group,
			     const struct ext4_group_desc *desc, const uint8_t *bitmap,
			     struct ext4_verdict *v)
{
	struct ext4_descriptor d;
	int err = 0;

	if (!ext4_block_bitmap_csum_ok(geo, desc, bitmap))
		return ext4_bad_csum(v, "block bitmap checksum 0x%04x is wrong",
				     le16_get(desc->bg_block_bitmap_csum_lo));
	ext4_descriptor_read(geo, desc, &d);
	const struct span own[] = {
		{ "descriptors", ext4_group_first_block(geo, group),
		  ext4_group_base_meta_blocks(geo, group) },
		{ "block bitmap", d.block_bitmap, 1 },
		{ "inode bitmap", d.inode_bitmap, 1 },
		{ "inode table", d.inode_table, geo->itable_blocks },
	};
	for (size_t i = 0; !err && i < array_size(own); i++)
		err = check_own(geo, group, bitmap, &own[i], v);
	return err;
}

int ext4_verify_inode_bitmap(const struct ext4_geometry *geo, ext4_group_t group,
			     const struct ext4_group_desc *desc, const uint8_t *bitmap,
			     struct ext4_verdict *v)
{
	if (!ext4_inode_bitmap_csum_ok(geo, desc, bitmap))
		return ext4_bad_csum(v, "inode bitmap checksum 0x%04x is wrong",
				     le16_get(desc->bg_inode_bitmap_csum_lo));
	for (uint32_t ino = 1; group == 0 && ino < geo->first_ino; ino++)
		if (!bitmap_test(bitmap, ino - 1))
			return ext4_corrupted(v, "reserved inode %u is marked free", ino);
	return 0;
}
