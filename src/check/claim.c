/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who uses which block: a bit for each cluster, set when something claims it. A second claim is a
 * shared block.
 */
#include "base/bitmap.h"
#include "check/internal.h"

static int claim_bits(struct check *c, ext4_group_t group, uint8_t **out)
{
	struct check_group *g = &c->groups[group];

	if (!g->claimed)
		g->claimed = arena_zalloc(c->arena, c->geo.block_size);
	*out = g->claimed;
	return g->claimed ? 0 : -ENOMEM;
}

/* Clusters [from, to] of one group; reports the first that is claimed already. */
static int claim_in_group(struct check *c, struct claim *claim, ext4_group_t group, uint32_t from,
			  uint32_t to)
{
	uint32_t count = to - from + 1, taken;
	uint8_t *bits;
	int err = claim_bits(c, group, &bits);

	if (err)
		return err;
	taken = bitmap_next_one(bits, to + 1, from);
	claim->fresh_blocks +=
		(uint64_t)(count - bitmap_count_ones(bits, from, count)) * c->geo.cluster_ratio;
	bitmap_set_range(bits, from, count);
	if (taken > to)
		return 0;
	claim->shared = true;
	if (claim->quiet || c->geo.feature_ro_compat & EXT4_FEATURE_RO_COMPAT_SHARED_BLOCKS)
		return 0;
	claim->at.block =
		ext4_group_first_block(&c->geo, group) + (uint64_t)taken * c->geo.cluster_ratio;
	return check_say(c, claim->at, "is used twice");
}

static uint64_t cluster_of(const struct check *c, ext4_fsblk_t block)
{
	return (block - c->geo.first_data_block) / c->geo.cluster_ratio;
}

int check_claim(struct check *c, struct claim *claim)
{
	uint32_t per_group = c->geo.blocks_per_group / c->geo.cluster_ratio;
	uint64_t from = cluster_of(c, claim->block),
		 to = cluster_of(c, claim->block + claim->len - 1);

	claim->fresh_blocks = 0;
	claim->shared = false;
	if (claim->last_cluster) {
		if (c->geo.cluster_ratio > 1 && *claim->last_cluster == from)
			from++;
		*claim->last_cluster = to;
	}
	while (from <= to) {
		ext4_group_t group = (ext4_group_t)(from / per_group);
		uint64_t end = min(to, (uint64_t)(group + 1) * per_group - 1);
		int err = claim_in_group(c, claim, group, (uint32_t)(from % per_group),
					 (uint32_t)(end % per_group));

		if (err)
			return err;
		from = end + 1;
	}
	return 0;
}
