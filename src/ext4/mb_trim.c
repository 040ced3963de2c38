/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Free space given back to the device: on demand (FITRIM), and with the mount option `discard` each
 * time a transaction that freed some has committed.
 *
 * What is being discarded is `taken` meanwhile: nobody may be given a block whose bytes are about to
 * go. A discard may only follow the commit: until then a crash brings the blocks' last owner back.
 *
 * A group that was trimmed is passed over until something is freed in it, or shorter runs are asked
 * for.
 */
#include "base/assert.h"
#include "base/bitmap.h"
#include "ext4/mballoc_internal.h"
#include "ext4/whole.h"

/* With no lock held. */
static int discard_blocks(struct ext4_fs *fs, ext4_group_t group, uint32_t start, uint32_t len)
{
	ext4_fsblk_t block = ext4_group_first_block(&fs->geo, group) + start;

	TRACE_SCOPE(fs, ext4_issue_discard);
	trace(fs, ext4_discard_blocks, block, len);
	return block_discard(fs->device, block << fs->geo.block_bits,
			     (uint64_t)len << fs->geo.block_bits);
}

/* ---- FITRIM */

struct trim {
	struct ext4_fs *fs;
	uint32_t least;			/* blocks in a row */
	uint64_t trimmed;
};

/* [start, start + len) is free; with the group's lock, which is given up meanwhile. */
static int trim_extent(struct trim *t, struct ext4_group *g, uint32_t start, uint32_t len)
	REQUIRES(g->lock)
{
	struct mb_group *m = atomic_load(&g->mb);
	uint32_t tail, order;
	int err;

	TRACE_SCOPE(t->fs, ext4_trim_extent);
	trace(t->fs, ext4_trim_extent, g->number, (int)start, (int)len);
	mb_mark_taken(m, start, len, &tail, &order);
	mutex_unlock(&g->lock);
	err = discard_blocks(t->fs, g->number, start, len);
	mutex_lock(&g->lock);
	mb_mark_free(m, start, len);
	return err;
}

/* Free runs within [start, last] of the group. */
static int trim_runs(struct trim *t, struct ext4_group *g, uint32_t start, uint32_t last)
	REQUIRES(g->lock)
{
	struct mb_group *m = atomic_load(&g->mb);
	uint32_t end;
	int err = 0;

	while (!err && (start = bitmap_next_zero(m->taken, last + 1, start)) <= last) {
		end = bitmap_next_one(m->taken, last + 1, start);
		if (end - start >= t->least) {
			err = trim_extent(t, g, start, end - start);
			t->trimmed += err ? 0 : end - start;
		}
		start = end;
	}
	return err;
}

static int ext4_trim_all_free(struct trim *t, struct ext4_group *g, uint32_t start, uint32_t last)
{
	struct mb_group *m;
	bool whole = !start && last == ext4_group_blocks(&t->fs->geo, g->number) - 1;
	int err;

	TRACE_SCOPE(t->fs, ext4_trim_all_free);
	trace(t->fs, ext4_trim_all_free, g->number, (int)start, (int)last);
	guard(&g->lock);
	m = atomic_load(&g->mb);
	if (m->trimmed_least && t->least >= m->trimmed_least)
		return 0;
	err = trim_runs(t, g, start, last);
	if (!err && whole)
		m->trimmed_least = t->least;
	return err;
}

static int trim_group(struct trim *t, ext4_group_t number, uint32_t start, uint32_t last)
{
	struct ext4_group *g;
	int err = ext4_group_get(t->fs, number, &g);

	if (!err)
		err = mb_group_load(t->fs, g);
	if (err)
		return err;
	return g->free_clusters >= t->least ? ext4_trim_all_free(t, g, start, last) : 0;
}

/* Blocks [first, last]. */
static int trim_blocks(struct trim *t, ext4_fsblk_t first, ext4_fsblk_t last)
{
	const struct ext4_geometry *geo = &t->fs->geo;
	ext4_group_t end = ext4_group_of_block(geo, last);
	int err = 0;

	for (ext4_group_t g = ext4_group_of_block(geo, first); g <= end && !err; g++) {
		ext4_fsblk_t from = ext4_group_first_block(geo, g);
		uint32_t upto = ext4_group_blocks(geo, g) - 1;

		if (g == end)
			upto = ext4_offset_in_group(geo, last);
		err = trim_group(t, g, first > from ? (uint32_t)(first - from) : 0, upto);
	}
	return err;
}

int ext4_trim_fs(struct ext4_fs *fs, uint64_t start, uint64_t len, uint64_t least,
		 uint64_t *trimmed)
{
	const struct ext4_geometry *geo = &fs->geo;
	struct trim t = { .fs = fs };
	ext4_fsblk_t first = start >> geo->block_bits, last;
	int err;

	TRACE_SCOPE(fs, ext4_trim_fs);
	*trimmed = 0;
	if (fs->opt.read_only)
		return -EROFS;
	if (atomic_load(&fs->shut_down))
		return -EIO;
	if (!fs->device->ops->discard)
		return -EOPNOTSUPP;
	if (least >> geo->block_bits > geo->blocks_per_group || first >= geo->blocks_count ||
	    len < geo->block_size)
		return -EINVAL;
	t.least = max((uint32_t)(least >> geo->block_bits), 1u);
	last = first + min(len >> geo->block_bits, geo->blocks_count - first) - 1;
	first = max(first, (ext4_fsblk_t)geo->first_data_block);
	err = last >= first ? trim_blocks(&t, first, last) : 0;
	*trimmed = t.trimmed << geo->block_bits;
	return err;
}

/* ---- with every commit */

static bool in_order(const struct mb_freed *a, const struct mb_freed *b)
{
	return a->group != b->group ? a->group < b->group : a->start <= b->start;
}

/* Merges two sorted chains. */
static struct mb_freed *merge(struct mb_freed *a, struct mb_freed *b)
{
	struct mb_freed *first = NULL, **end = &first;

	while (a && b) {
		struct mb_freed **least = in_order(a, b) ? &a : &b;

		*end = *least;
		end = &(*least)->next;
		*least = *end;
	}
	*end = a ? a : b;
	return first;
}

/* Runs of 1, 2, 4, ... that wait to be merged with another as long. */
static struct mb_freed *sort(struct mb_freed *chain)
{
	struct mb_freed *runs[32] = { NULL }, *all = NULL;

	while (chain) {
		struct mb_freed *one = chain;
		int k = 0;

		chain = one->next;
		one->next = NULL;
		for (; runs[k] && k < 31; k++) {
			one = merge(runs[k], one);
			runs[k] = NULL;
		}
		runs[k] = one;
	}
	for (int k = 0; k < 32; k++)
		all = merge(runs[k], all);
	return all;
}

static void discard_and_give(struct ext4_fs *fs, ext4_group_t group, uint32_t start, uint32_t len)
{
	int err = discard_blocks(fs, group, start, len);

	if (err == -EOPNOTSUPP && fs->opt.discard) {
		ext4_message(fs, LOG_WARNING, "discard: the device cannot; it is not asked again");
		fs->opt.discard = false;
	}
	mb_give_back(fs, group, start, len);
}

void ext4_mb_committed(struct ext4_fs *fs)
{
	struct mb_freed *at = fs->mb ? sort(fs->mb->committed) : NULL;

	if (at)
		fs->mb->committed = NULL;
	while (at) {
		struct mb_freed *next = at->next;
		uint32_t len = at->len;

		/* Neighbours go with one call. */
		while (next && next->group == at->group && next->start == at->start + len) {
			struct mb_freed *behind = next->next;

			len += next->len;
			arena_free(fs->arena, next);
			next = behind;
		}
		discard_and_give(fs, at->group, at->start, len);
		arena_free(fs->arena, at);
		at = next;
	}
}

void mb_discard_now(struct ext4_fs *fs, ext4_group_t group, uint32_t start, uint32_t len)
{
	/* What the device does not do for it is not lost: the blocks are free all the same. */
	ignore_result(discard_blocks(fs, group, start, len));
}
