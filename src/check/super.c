/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The superblock, and its copies. From a copy only what never changes without it is held against
 * the original: counts, times and states of a copy are those of the day it was written.
 */
#include <inttypes.h>
#include <string.h>
#include "check/internal.h"
#include "ext4/csum.h"
#include "ext4/feature.h"

/* A superblock that gives no geometry ends the check: as a problem if it is damage. */
static int refuse(struct check *c, int err, const struct ext4_verdict *v)
{
	int said = check_say(c, AT(CHECK_SUPER), "%s", v->reason);

	(void)said; /* this is the end in any case */
	return err == -EFSCORRUPTED || err == -EFSBADCRC ? -ECANCELED : err;
}

static int read_geometry(struct check *c)
{
	struct ext4_verdict v;
	int err = block_read(c->dev, EXT4_SUPER_OFFSET, &c->super, sizeof(c->super));

	if (err)
		return err;
	err = ext4_geometry_from_super(&c->super, c->dev->size_bytes, &c->geo, &v);
	if (err == -EFSBADCRC) { /* go on if it is right otherwise */
		struct ext4_super_block copy = c->super;

		err = check_say(c, AT(CHECK_SUPER), "%s", v.reason);
		if (err)
			return err;
		ext4_super_csum_set(&copy);
		err = ext4_geometry_from_super(&copy, c->dev->size_bytes, &c->geo, &v);
	}
	if (err)
		return refuse(c, err, &v);
	c->lenient = c->geo;
	c->lenient.metadata_csum = c->lenient.gdt_csum = false;
	return 0;
}

/* What does no harm to a mount, but what no tool leaves like this. */
static int check_oddities(struct check *c)
{
	const struct ext4_geometry *geo = &c->geo;
	uint16_t desc_size = le16_get(c->super.s_desc_size);
	int err = 0;

	if (geo->metadata_csum && geo->feature_ro_compat & EXT4_FEATURE_RO_COMPAT_GDT_CSUM)
		err = check_say(c, AT(CHECK_SUPER), "metadata_csum and uninit_bg are both set");
	if (!err && !geo->metadata_csum && geo->feature_incompat & EXT4_FEATURE_INCOMPAT_CSUM_SEED)
		err = check_say(c, AT(CHECK_SUPER), "metadata_csum_seed without metadata_csum");
	if (!err && geo->has_64bit && !(geo->feature_incompat & EXT4_FEATURE_INCOMPAT_EXTENTS))
		err = check_say(c, AT(CHECK_SUPER), "64bit without extent");
	if (!err && (desc_size & (desc_size - 1) || desc_size > EXT4_MAX_DESC_SIZE))
		err = check_say(c, AT(CHECK_SUPER), "group descriptors of %u bytes", desc_size);
	if (!err && c->super.s_log_groups_per_flex > 31)
		err = check_say(c, AT(CHECK_SUPER), "flex groups of 2^%u groups",
				c->super.s_log_groups_per_flex);
	if (!err && geo->r_blocks_count > geo->blocks_count / 2)
		err = check_say(c, AT(CHECK_SUPER),
				"%" PRIu64 " of %" PRIu64 " blocks are reserved",
				geo->r_blocks_count, geo->blocks_count);
	return err;
}

static int check_state(struct check *c)
{
	struct check_report *r = c->report;
	int said;

	r->replay_pending = c->geo.feature_incompat & EXT4_FEATURE_INCOMPAT_RECOVER;
	if (!r->replay_pending || c->opt->replay_pending_ok)
		return 0;
	said = check_say(c, AT(CHECK_JOURNAL), "the journal must be replayed first");
	(void)said; /* this is the end: what is in place need not be consistent */
	return -ECANCELED;
}

int check_super(struct check *c)
{
	int err = read_geometry(c);

	if (!err)
		err = check_state(c);
	return err ? err : check_oddities(c);
}

/* ---- copies */

#define MUST_MATCH(f) \
	{ \
		offsetof(struct ext4_super_block, f), sizeof(((struct ext4_super_block *)0)->f), \
			#f \
	}

static const struct {
	size_t offset, size;
	const char *name;
} lasting[] = {
	MUST_MATCH(s_magic),
	MUST_MATCH(s_rev_level),
	MUST_MATCH(s_log_block_size),
	MUST_MATCH(s_blocks_count_lo),
	MUST_MATCH(s_blocks_per_group),
	MUST_MATCH(s_inodes_per_group),
	MUST_MATCH(s_inodes_count),
	MUST_MATCH(s_first_data_block),
	MUST_MATCH(s_inode_size),
	MUST_MATCH(s_uuid),
};

static int check_copy(struct check *c, ext4_group_t group, const struct ext4_super_block *copy)
{
	const struct place at = { CHECK_SUPER, group, 0, ext4_group_first_block(&c->geo, group) };

	for (size_t i = 0; i < array_size(lasting); i++)
		if (memcmp((const uint8_t *)copy + lasting[i].offset,
			   (const uint8_t *)&c->super + lasting[i].offset, lasting[i].size))
			return check_say(c, at, "the copy's %s differs", lasting[i].name);
	if (!ext4_super_csum_ok(copy))
		return check_say(c, at, "the copy's checksum 0x%08" PRIx32 " is wrong",
				 le32_get(copy->s_checksum));
	return 0;
}

static int check_copied_descriptors(struct check *c, ext4_group_t group, uint32_t nr,
				    const uint8_t *block)
{
	const struct place at = { CHECK_GROUP, group, 0, 0 };
	ext4_group_t first = nr * c->geo.desc_per_block;

	for (uint32_t i = 0; i < c->geo.desc_per_block && first + i < c->geo.groups_count; i++) {
		const struct check_group *g = &c->groups[first + i];
		struct ext4_descriptor d;

		ext4_descriptor_read(&c->geo, (const void *)(block + (size_t)i * c->geo.desc_size),
				     &d);
		if (g->usable &&
		    (d.block_bitmap != g->d.block_bitmap || d.inode_bitmap != g->d.inode_bitmap ||
		     d.inode_table != g->d.inode_table))
			return check_say(c, at,
					 "the copied descriptor of group %" PRIu32 " differs",
					 first + i);
	}
	return 0;
}

/* The descriptors that a group carries begin with this number: all of them, or its meta group's. */
static uint32_t first_copied(const struct check *c, ext4_group_t group)
{
	uint32_t meta = group / c->geo.desc_per_block;

	if (!(c->geo.feature_incompat & EXT4_FEATURE_INCOMPAT_META_BG) ||
	    meta < c->geo.first_meta_bg)
		return 0;
	return meta;
}

static int check_group_copies(struct check *c, ext4_group_t group)
{
	ext4_fsblk_t block = ext4_group_first_block(&c->geo, group);
	uint32_t count = ext4_group_gdt_blocks(&c->geo, group), nr = first_copied(c, group);
	int err;

	if (ext4_group_has_super(&c->geo, group)) {
		err = check_read(c, block, c->data_block);
		if (!err)
			err = check_copy(c, group, (const struct ext4_super_block *)c->data_block);
		if (err)
			return err;
		block++;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (ext4_descriptor_block(&c->geo, nr + i) == block + i)
			continue; /* the original */
		err = check_read(c, block + i, c->data_block);
		if (!err)
			err = check_copied_descriptors(c, group, nr + i, c->data_block);
		if (err)
			return err;
	}
	return 0;
}

int check_super_backups(struct check *c)
{
	int err = 0;

	for (ext4_group_t g = 1; !err && g < c->geo.groups_count; g++)
		err = check_group_copies(c, g);
	return err;
}
