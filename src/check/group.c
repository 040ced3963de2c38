/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups: where everything lies, and in the end whether bitmaps and counts say what was found in
 * use.
 */
#include <inttypes.h>
#include <string.h>
#include "base/bitmap.h"
#include "check/internal.h"
#include "ext4/csum.h"

/* ---- descriptors and what belongs to the layout */

/*
 * With bigalloc bitmaps and tables share clusters, and only block by block could it be told that
 * they meet.
 */
static int claim_layout(struct check *c, ext4_group_t group, ext4_fsblk_t block, uint64_t len)
{
	struct claim claim = {
		.at = AT_GROUP(CHECK_SHARED, group),
		.block = block,
		.len = len,
		.quiet = c->geo.cluster_ratio > 1,
	};

	return len ? check_claim(c, &claim) : 0;
}

static int claim_group(struct check *c, ext4_group_t group)
{
	const struct ext4_descriptor *d = &c->groups[group].d;
	int err = claim_layout(c, group, d->block_bitmap, 1);

	if (!err)
		err = claim_layout(c, group, d->inode_bitmap, 1);
	return err ? err : claim_layout(c, group, d->inode_table, c->geo.itable_blocks);
}

/* Without checksums of descriptors nothing is uninitialised, and nobody may think so. */
static int check_unset(struct check *c, ext4_group_t group, const struct ext4_group_desc *desc)
{
	uint16_t flags = le16_get(desc->bg_flags) & (EXT4_BG_INODE_UNINIT | EXT4_BG_BLOCK_UNINIT);
	uint16_t unused = le16_get(desc->bg_itable_unused_lo);

	if (c->geo.metadata_csum || c->geo.gdt_csum || (!flags && !unused))
		return 0;
	return check_say(c, AT_GROUP(CHECK_GROUP, group),
			 "flags 0x%x and %u unused inodes, without checksums", flags, unused);
}

static int read_descriptor(struct check *c, ext4_group_t group, const struct ext4_group_desc *desc)
{
	struct check_group *g = &c->groups[group];
	struct ext4_verdict v;
	int err = ext4_verify_descriptor(&c->geo, group, desc, &v), say = 0;

	ext4_descriptor_read(&c->geo, desc, &g->d);
	if (err)
		say = check_say(c, AT_GROUP(CHECK_GROUP, group), "%s", v.reason);
	if (err == -EFSBADCRC)
		err = ext4_verify_descriptor(&c->lenient, group, desc, NULL);
	g->usable = !err;
	if (err)
		c->blocks_unknown = true;
	if (say || err)
		return say;
	say = check_unset(c, group, desc);
	return say ? say : claim_group(c, group);
}

static int read_descriptors(struct check *c, uint32_t nr)
{
	ext4_group_t first = nr * c->geo.desc_per_block;
	ext4_fsblk_t block = ext4_descriptor_block(&c->geo, nr);
	int err = check_read(c, block, c->table_block);

	for (uint32_t i = 0; !err && i < c->geo.desc_per_block && first + i < c->geo.groups_count;
	     i++)
		err = read_descriptor(
			c, first + i,
			(const void *)(c->table_block + (size_t)i * c->geo.desc_size));
	return err;
}

int check_groups(struct check *c)
{
	int err = 0;

	for (ext4_group_t g = 0; !err && g < c->geo.groups_count; g++)
		err = claim_layout(c, g, ext4_group_first_block(&c->geo, g),
				   ext4_group_base_meta_blocks(&c->geo, g));
	for (uint32_t nr = 0; !err && nr < c->geo.gdt_blocks; nr++)
		err = read_descriptors(c, nr);
	return err;
}

/* ---- block bitmaps against claims */

static uint32_t clusters_in(const struct check *c, ext4_group_t group)
{
	return (ext4_group_blocks(&c->geo, group) + c->geo.cluster_ratio - 1) /
	       c->geo.cluster_ratio;
}

/* The first bit below `size` that is set in `a` and not in `b`; `size`: none. */
static uint32_t next_only_in(const uint8_t *a, const uint8_t *b, uint32_t size, uint32_t from)
{
	while (from < size) {
		if (from % 64 == 0 && from + 64 <= size && !memcmp(a + from / 8, b + from / 8, 8)) {
			from += 64;
			continue;
		}
		if (bitmap_test(a, from) && !bitmap_test(b, from))
			return from;
		from++;
	}
	return size;
}

/* Reports runs of blocks that `a` has and `b` has not. */
static int say_differences(struct check *c, ext4_group_t group, const uint8_t *a, const uint8_t *b,
			   const char *what)
{
	uint32_t size = clusters_in(c, group), bit = next_only_in(a, b, size, 0);

	while (bit < size) {
		struct place at = { CHECK_BLOCK_BITMAP, group, 0,
				    ext4_group_first_block(&c->geo, group) +
					    (uint64_t)bit * c->geo.cluster_ratio };
		uint32_t end = bit + 1;
		int err;

		while (end < size && bitmap_test(a, end) && !bitmap_test(b, end))
			end++;
		err = check_say(c, at, "%" PRIu32 " blocks are %s",
				(end - bit) * c->geo.cluster_ratio, what);
		if (err)
			return err;
		bit = next_only_in(a, b, size, end);
	}
	return 0;
}

/* What an uninitialised bitmap stands for. */
static void make_bitmap(struct check *c, ext4_group_t group, uint8_t *bits)
{
	const struct check_group *g = &c->groups[group];
	ext4_fsblk_t first = ext4_group_first_block(&c->geo, group);
	ext4_fsblk_t end = first + ext4_group_blocks(&c->geo, group);
	const struct {
		ext4_fsblk_t block;
		uint32_t len;
	} own[] = {
		{ first, ext4_group_base_meta_blocks(&c->geo, group) },
		{ g->d.block_bitmap, 1 },
		{ g->d.inode_bitmap, 1 },
		{ g->d.inode_table, c->geo.itable_blocks },
	};

	memset(bits, 0, c->geo.block_size);
	for (size_t i = 0; i < array_size(own); i++)
		for (ext4_fsblk_t b = own[i].block; b < own[i].block + own[i].len; b++)
			if (b >= first && b < end)
				bitmap_set(bits, (uint32_t)(b - first) / c->geo.cluster_ratio);
}

/* Bits behind the group's last cluster are set. */
static int check_padding(struct check *c, struct place at, const uint8_t *bits, uint32_t used)
{
	uint32_t all = c->geo.block_size * 8;

	if (bitmap_all_ones(bits, used, all - used))
		return 0;
	return check_say(c, at, "bit %" PRIu32 ", behind the last of %" PRIu32 ", is not set",
			 bitmap_next_zero(bits, all, used), used);
}

static int read_block_bitmap(struct check *c, ext4_group_t group)
{
	const struct place at = { CHECK_BLOCK_BITMAP, group, 0, c->groups[group].d.block_bitmap };
	int err;

	if (c->groups[group].d.flags & EXT4_BG_BLOCK_UNINIT) {
		make_bitmap(c, group, c->bitmap_block);
		return 0;
	}
	err = check_read(c, at.block, c->bitmap_block);
	return err ? err : check_padding(c, at, c->bitmap_block, clusters_in(c, group));
}

static int check_block_bitmap(struct check *c, ext4_group_t group, const uint8_t *claimed)
{
	int err = read_block_bitmap(c, group);

	if (!err)
		err = say_differences(c, group, claimed, c->bitmap_block,
				      "in use, but marked free");
	if (!err && !c->blocks_unknown)
		err = say_differences(c, group, c->bitmap_block, claimed,
				      "marked in use, but not used");
	return err;
}

/* Its sum lies in the descriptor, which is read again. */
static int check_bitmap_csums(struct check *c, ext4_group_t group)
{
	const struct check_group *g = &c->groups[group];
	const struct ext4_group_desc *desc =
		(const void *)(c->table_block +
			       (size_t)(group % c->geo.desc_per_block) * c->geo.desc_size);
	int err = 0;

	if (!(g->d.flags & EXT4_BG_BLOCK_UNINIT)) {
		err = check_read(c, g->d.block_bitmap, c->bitmap_block);
		if (!err && !ext4_block_bitmap_csum_ok(&c->geo, desc, c->bitmap_block))
			err = check_say(c, AT_GROUP(CHECK_BLOCK_BITMAP, group),
					"checksum is wrong");
	}
	if (!err && !(g->d.flags & EXT4_BG_INODE_UNINIT)) {
		err = check_read(c, g->d.inode_bitmap, c->bitmap_block);
		if (!err && !ext4_inode_bitmap_csum_ok(&c->geo, desc, c->bitmap_block))
			err = check_say(c, AT_GROUP(CHECK_INODE_BITMAP, group),
					"checksum is wrong");
	}
	return err;
}

/* ---- counts */

struct totals {
	uint64_t free_clusters, free_inodes;
};

static int check_group_counts(struct check *c, ext4_group_t group, uint32_t free_clusters)
{
	const struct check_group *g = &c->groups[group];
	uint32_t free_inodes = c->geo.inodes_per_group - g->inodes_used;
	const struct place at = AT_GROUP(CHECK_COUNT, group);
	int err = 0;

	if (g->d.free_clusters != free_clusters && !c->blocks_unknown)
		err = check_say(c, at, "%" PRIu32 " free blocks are counted, %" PRIu32 " are free",
				g->d.free_clusters, free_clusters);
	if (!err && g->d.free_inodes != free_inodes)
		err = check_say(c, at, "%" PRIu32 " free inodes are counted, %" PRIu32 " are free",
				g->d.free_inodes, free_inodes);
	if (!err && g->d.used_dirs != g->dirs)
		err = check_say(c, at, "%" PRIu32 " directories are counted, there are %" PRIu32,
				g->d.used_dirs, g->dirs);
	return err;
}

static int check_group_use(struct check *c, ext4_group_t group, struct totals *t)
{
	struct check_group *g = &c->groups[group];
	uint32_t clusters = clusters_in(c, group), used = 0;
	int err = 0;

	if (g->usable) {
		const uint8_t *claimed = g->claimed;

		if (!claimed) { /* nothing is: compare with an empty one */
			memset(c->data_block, 0, c->geo.block_size);
			claimed = c->data_block;
		}
		used = bitmap_count_ones(claimed, 0, clusters);
		err = check_block_bitmap(c, group, claimed);
		if (!err)
			err = check_bitmap_csums(c, group);
		if (!err)
			err = check_group_counts(c, group, clusters - used);
	}
	c->report->blocks_used += (uint64_t)used * c->geo.cluster_ratio;
	t->free_clusters += clusters - used;
	t->free_inodes += c->geo.inodes_per_group - g->inodes_used;
	return err;
}

static int check_totals(struct check *c, const struct totals *t)
{
	uint64_t blocks = ext4_super_free_blocks_count(&c->super);
	uint32_t inodes = le32_get(c->super.s_free_inodes_count);
	int err = 0;

	if (c->blocks_unknown || c->opt->totals_may_lag)
		return 0;
	if (blocks != t->free_clusters * c->geo.cluster_ratio)
		err = check_say(c, AT(CHECK_COUNT),
				"%" PRIu64 " free blocks are counted, %" PRIu64 " are free", blocks,
				t->free_clusters * c->geo.cluster_ratio);
	if (!err && inodes != t->free_inodes)
		err = check_say(c, AT(CHECK_COUNT),
				"%" PRIu32 " free inodes are counted, %" PRIu64 " are free", inodes,
				t->free_inodes);
	return err;
}

int check_counts(struct check *c)
{
	struct totals t = { 0 };
	int err = 0;

	for (ext4_group_t g = 0; !err && g < c->geo.groups_count; g++) {
		if (g % c->geo.desc_per_block == 0)
			err = check_read(c,
					 ext4_descriptor_block(&c->geo, g / c->geo.desc_per_block),
					 c->table_block);
		if (!err)
			err = check_group_use(c, g, &t);
	}
	return err ? err : check_totals(c, &t);
}
