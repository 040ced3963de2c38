/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The superblock: read and verified at the mount, written in place at three moments: when a mount
 * that may write begins (needs_recovery is set, the mount counted), when damage is met, and at its
 * clean end. What changes in between (the orphan list, where it is mounted) goes through the
 * journal.
 *
 * The free counts in it are only written at those moments; the descriptors are the truth.
 */
#include <string.h>
#include "ext4/alloc.h"
#include "ext4/csum.h"
#include "ext4/feature.h"
#include "ext4/group.h"
#include "ext4/kinds.h"
#include "ext4/super.h"
#include "ext4/verify.h"

/*
 * -EINVAL and -EOPNOTSUPP are no damage, but the image cannot be used all the same: one exit for
 * all.
 */
static int refuse(struct ext4_fs *fs, uint64_t offset, int err, const char *reason)
{
	ext4_message(fs, LOG_ERROR, "superblock at byte %llu: %s; %s", (unsigned long long)offset,
		     reason,
		     err == -EOPNOTSUPP ? "this version cannot use the image"
		     : fs->opt.sb_block ? "try another backup superblock"
					: "try a backup superblock (-o sb=131072), or e2fsck");
	return err;
}

int ext4_super_read(struct ext4_fs *fs, struct ext4_super_block *sb, struct ext4_geometry *geo)
{
	struct ext4_verdict v = { "" };
	/* sb= counts in KiB, as mount(8) has it; the primary lies at byte 1024. */
	uint64_t offset = fs->opt.sb_block ? (uint64_t)fs->opt.sb_block * 1024 : EXT4_SUPER_OFFSET;
	int err;

	if (offset + sizeof(*sb) > fs->device->size_bytes)
		return refuse(fs, offset, -EINVAL, "the image ends before it");
	err = block_read(fs->device, offset, sb, sizeof(*sb));
	if (err) {
		ext4_message(fs, LOG_ERROR, "superblock at byte %llu: read error",
			     (unsigned long long)offset);
		return err;
	}
	err = ext4_geometry_from_super(sb, fs->device->size_bytes, geo, &v);
	if (err)
		return refuse(fs, offset, err, v.reason);
	if (fs->opt.sb_block)
		geo->super_block = offset / geo->block_size;
	return 0;
}

int ext4_super_hold(struct ext4_fs *fs)
{
	struct buffer_owner owner = { 0, fs->geo.csum_seed };
	uint32_t in_block = fs->geo.super_block ? 0 : EXT4_SUPER_OFFSET % fs->geo.block_size;
	int err = buffer_read(fs->buffers, fs->geo.super_block, &ext4_kind_super, &owner,
			      &fs->super_buffer);

	if (!err)
		fs->super = (void *)(fs->super_buffer->data + in_block);
	return err;
}

static void put_totals(struct ext4_fs *fs)
{
	struct ext4_super_block *s = fs->super;
	int64_t now = clock_realtime(fs->clock) / NSEC_PER_SEC;
	int64_t blocks = max((int64_t)0, ext4_counter_sum(&fs->counters.free_clusters));
	int64_t inodes = max((int64_t)0, ext4_counter_sum(&fs->counters.free_inodes));

	s->s_wtime = le32_of((uint32_t)now);
	s->s_wtime_hi = (uint8_t)(now >> 32);
	s->s_free_blocks_count_lo = le32_of((uint32_t)blocks);
	if (fs->geo.has_64bit)
		s->s_free_blocks_count_hi = le32_of((uint32_t)(blocks >> 32));
	s->s_free_inodes_count = le32_of((uint32_t)inodes);
}

int ext4_commit_super(struct ext4_fs *fs, bool stable)
{
	mutex_lock(&fs->super_lock);
	put_totals(fs);
	mutex_unlock(&fs->super_lock);
	return buffer_write_sync(fs->super_buffer,
				 stable && fs->opt.barrier ? BLOCK_FUA | BLOCK_META : BLOCK_META);
}

/* The orphan file may hold inodes: who does not know it must not write. */
static void set_orphan_present(struct ext4_super_block *s, bool present)
{
	uint32_t bits = le32_get(s->s_feature_ro_compat) & ~(uint32_t)EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT;

	s->s_feature_ro_compat = le32_of(present ? bits | EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT : bits);
}

int ext4_super_mark_mounted(struct ext4_fs *fs)
{
	struct ext4_super_block *s = fs->super;
	int64_t now = clock_realtime(fs->clock) / NSEC_PER_SEC;

	fs->was_clean = le16_get(s->s_state) & EXT4_VALID_FS;
	if (!fs->journal)
		s->s_state = le16_of((uint16_t)(le16_get(s->s_state) & ~EXT4_VALID_FS));
	else
		s->s_feature_incompat =
			le32_of(le32_get(s->s_feature_incompat) | EXT4_FEATURE_INCOMPAT_RECOVER);
	if (ext4_orphan_file_in_use(fs))
		set_orphan_present(s, true);
	if (!le16_get(s->s_max_mnt_count))
		s->s_max_mnt_count = le16_of(20);
	le16_add(&s->s_mnt_count, 1);
	s->s_mtime = le32_of((uint32_t)now);
	s->s_mtime_hi = (uint8_t)(now >> 32);
	return ext4_commit_super(fs, true);
}

int ext4_super_mark_clean(struct ext4_fs *fs)
{
	struct ext4_super_block *s = fs->super;

	s->s_feature_incompat =
		le32_of(le32_get(s->s_feature_incompat) & ~EXT4_FEATURE_INCOMPAT_RECOVER);
	if (fs->orphans_done)
		set_orphan_present(s, false);
	if (fs->was_clean && !atomic_load(&fs->error_seen))
		s->s_state = le16_of(le16_get(s->s_state) | EXT4_VALID_FS);
	return ext4_commit_super(fs, true);
}

int ext4_super_mark_frozen(struct ext4_fs *fs)
{
	struct ext4_super_block *s = fs->super;

	if (fs->journal)
		s->s_feature_incompat = le32_of(le32_get(s->s_feature_incompat) &
						~EXT4_FEATURE_INCOMPAT_RECOVER);
	if (ext4_orphan_file_empty(fs))
		set_orphan_present(s, false);
	return ext4_commit_super(fs, true);
}

int ext4_super_mark_thawed(struct ext4_fs *fs)
{
	struct ext4_super_block *s = fs->super;

	if (fs->journal)
		s->s_feature_incompat = le32_of(le32_get(s->s_feature_incompat) |
						EXT4_FEATURE_INCOMPAT_RECOVER);
	if (ext4_orphan_file_in_use(fs))
		set_orphan_present(s, true);
	return ext4_commit_super(fs, true);
}

uint32_t ext4_stripe(const struct ext4_fs *fs, uint32_t wanted)
{
	const struct ext4_super_block *s = fs->super;
	const uint32_t from[] = { wanted, le32_get(s->s_raid_stripe_width),
				  le16_get(s->s_raid_stride) };

	for (size_t i = 0; i < array_size(from); i++)
		if (from[i] && from[i] <= fs->geo.blocks_per_group)
			return from[i] > 1 ? from[i] : 0;
	return 0;
}

/* ---- totals */

void ext4_flex_add(struct ext4_fs *fs, ext4_group_t group, int64_t clusters, int inodes, int dirs)
{
	struct ext4_flex *f = &fs->flex[group >> fs->geo.flex_bits];

	if (clusters)
		atomic_fetch_add_explicit(&f->free_clusters, (uint64_t)clusters,
					  memory_order_relaxed);
	if (inodes)
		atomic_fetch_add_explicit(&f->free_inodes, (uint32_t)inodes, memory_order_relaxed);
	if (dirs)
		atomic_fetch_add_explicit(&f->used_dirs, (uint32_t)dirs, memory_order_relaxed);
}

int ext4_counters_init(struct ext4_fs *fs)
{
	uint32_t flexes = ((fs->geo.groups_count - 1) >> fs->geo.flex_bits) + 1;
	int64_t blocks = 0, inodes = 0, dirs = 0;
	uint64_t clusters;
	struct ext4_descriptor d;

	fs->flex = arena_zalloc(fs->arena, flexes * sizeof(fs->flex[0]));
	if (!fs->flex)
		return -ENOMEM;
	for (ext4_group_t g = 0; g < fs->geo.groups_count; g++) {
		int err = ext4_group_descriptor(fs, g, &d);

		if (err)
			return err;
		blocks += d.free_clusters;
		inodes += d.free_inodes;
		dirs += d.used_dirs;
		ext4_flex_add(fs, g, d.free_clusters, (int)d.free_inodes, (int)d.used_dirs);
	}
	ext4_counter_set(&fs->counters.free_clusters, blocks);
	ext4_counter_set(&fs->counters.dirty_clusters, 0);
	ext4_counter_set(&fs->counters.free_inodes, inodes);
	ext4_counter_set(&fs->counters.dirs, dirs);
	/* For extent trees that a write turns out to need: 2 % of the clusters, 4096 at the most. */
	clusters = fs->geo.blocks_count / fs->geo.cluster_ratio;
	if (fs->geo.feature_incompat & EXT4_FEATURE_INCOMPAT_EXTENTS)
		atomic_store(&fs->counters.reserved_clusters,
			     (int64_t)min(clusters / 50, (uint64_t)4096));
	return 0;
}
