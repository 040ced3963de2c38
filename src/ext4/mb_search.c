/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which free space a request gets: Linux 4.9's search (docs/choices.md, "The search").
 *
 * First the goal itself, if the request touches its neighbour there. Then rounds over all groups,
 * from the goal's on: round 0 takes a free buddy of the right order, round 1 looks in groups whose
 * free pieces are long enough on average, round 2 where there is enough in all, round 3 anywhere.
 * In a group, pieces of free space are held against the request one after the other, and the best
 * is kept.
 *
 * A group is locked while it is looked through; what is found is taken in `taken` before it is
 * unlocked.
 */
#include "base/assert.h"
#include "base/bitmap.h"
#include "ext4/mballoc_internal.h"

#define PIECES_MAX	200	/* mb_max_to_scan */
#define PIECES_ENOUGH	10	/* mb_min_to_scan: once one is long enough */
#define FLEX_WITH_DIRS	4	/* flex groups so large keep their first group for directories */

/* ---- taking it */

static void use_best(struct mb_context *ac, struct mb_group *m)
{
	struct mballoc *mb = ac->fs->mb;

	ac->best.len = min(ac->best.len, ac->goal.len);
	ac->best.logical = ac->goal.logical;
	mb_mark_taken(m, ac->best.start, ac->best.len, &ac->tail, &ac->buddy);
	ac->first = ac->best;
	ac->status = MB_FOUND;
	if (!(ac->flags & MB_STREAM_ALLOC))
		return;
	guard(&mb->stream_lock);
	mb->stream_group = ac->first.group;
	mb->stream_start = ac->first.start;
}

/* ---- pieces */

/*
 * Enough was looked at: the search ends, or the best piece is taken if it is in this group and
 * still there.
 */
static void check_limits(struct mb_context *ac, struct ext4_group *g, struct mb_group *m,
			 bool group_ends)
{
	if (ac->status != MB_SEARCHING)
		return;
	if (ac->found > PIECES_MAX && !(ac->flags & MB_HINT_FIRST)) {
		ac->status = MB_GIVE_UP;
		return;
	}
	if (ac->best.len < ac->goal.len || ac->best.group != g->number)
		return;
	if ((group_ends || ac->found > PIECES_ENOUGH) &&
	    mb_piece(m, ac->best.start, ac->goal.len) >= ac->goal.len)
		use_best(ac, m);
}

/*
 * Exactly right; or better than the best: longer while that is too short, shorter once it is long
 * enough.
 */
static bool is_better(const struct mb_context *ac, uint32_t len)
{
	uint32_t best = ac->best.len, wanted = ac->goal.len;

	if (!best)
		return true;
	return best < wanted ? len > best : len > wanted && len < best;
}

static void measure(struct mb_context *ac, struct ext4_group *g, struct mb_group *m, uint32_t start,
		    uint32_t len)
{
	struct mb_extent piece = { g->number, start, len, ac->goal.logical };

	ac->found++;
	if (ac->flags & MB_HINT_FIRST || len == ac->goal.len) {
		ac->best = piece;
		use_best(ac, m);
		return;
	}
	if (is_better(ac, len))
		ac->best = piece;
	check_limits(ac, g, m, false);
}

static void scan_pieces(struct mb_context *ac, struct ext4_group *g, struct mb_group *m)
{
	uint32_t at = 0, left = m->free_blocks;

	while (left && ac->status == MB_SEARCHING) {
		uint32_t len;

		at = bitmap_next_zero(m->taken, m->blocks, at);
		if (at >= m->blocks)
			break;
		len = mb_piece(m, at, ac->goal.len);
		measure(ac, g, m, at, len);
		at += len;
		left -= min(left, len);
	}
	check_limits(ac, g, m, true);
}

/* Round 0: the first free buddy of the order, else of the next larger one. */
static void scan_buddies(struct mb_context *ac, struct ext4_group *g, struct mb_group *m)
{
	for (int k = ac->order; k < (int)m->orders; k++) {
		if (!m->counters[k])
			continue;
		ac->found++;
		ac->best = (struct mb_extent){ g->number, mb_first_buddy(m, k), 1u << k,
					       ac->goal.logical };
		use_best(ac, m);
		return;
	}
}

/* Round 1 with a stripe: space that begins at a multiple of it. */
static void scan_stripes(struct mb_context *ac, struct ext4_group *g, struct mb_group *m)
{
	ext4_fsblk_t first = ext4_group_first_block(&ac->fs->geo, g->number);
	uint32_t stripe = ac->fs->opt.stripe;
	uint64_t at = (first + stripe - 1) / stripe * stripe - first;

	for (; at < m->blocks; at += stripe) {
		if (mb_piece(m, (uint32_t)at, stripe) < stripe)
			continue;
		ac->found++;
		ac->best = (struct mb_extent){ g->number, (uint32_t)at, stripe, ac->goal.logical };
		use_best(ac, m);
		return;
	}
}

/* ---- groups */

/* Enough free blocks to look at its buddies at all; read without the lock: a hint. */
static bool worth_loading(const struct mb_context *ac, const struct ext4_group *g)
{
	return g->free_clusters && !g->block_bitmap_bad &&
	       (ac->round > 2 || g->free_clusters >= ac->goal.len || atomic_load(&g->mb));
}

static bool is_for_directories(const struct mb_context *ac, const struct ext4_group *g)
{
	uint32_t flex = ac->fs->geo.flex_groups;

	return ac->flags & MB_HINT_DATA && flex >= FLEX_WITH_DIRS && g->number % flex == 0;
}

static bool good_group(const struct mb_context *ac, const struct ext4_group *g,
		       const struct mb_group *m)
{
	if (!m->free_blocks || !m->fragments || (ac->round <= 2 && m->free_blocks < ac->goal.len))
		return false;
	switch (ac->round) {
	case 0:
		if (is_for_directories(ac, g))
			return false;
		return ac->order >= (int)m->orders ||
		       m->free_blocks / m->fragments >= ac->goal.len ||
		       mb_largest_order(m) >= ac->order;
	case 1:
		return m->free_blocks / m->fragments >= ac->goal.len;
	default:
		return true;
	}
}

static void scan(struct mb_context *ac, struct ext4_group *g, struct mb_group *m)
{
	uint32_t stripe = ac->fs->opt.stripe;

	if (ac->round == 0)
		scan_buddies(ac, g, m);
	else if (ac->round == 1 && stripe > 1 && ac->goal.len % stripe == 0)
		scan_stripes(ac, g, m);
	else
		scan_pieces(ac, g, m);
}

static int search_group(struct mb_context *ac, ext4_group_t number)
{
	struct ext4_group *g;
	int err = ext4_group_get(ac->fs, number, &g);

	if (err)
		return err;
	if (!worth_loading(ac, g))
		return 0;
	err = mb_group_load(ac->fs, g);
	if (err) /* a damaged group is passed over; the rest of the file system goes on */
		return err == -EFSCORRUPTED || err == -EFSBADCRC ? 0 : err;
	guard(&g->lock);
	if (!good_group(ac, g, atomic_load(&g->mb)))
		return 0;
	ac->groups++;
	scan(ac, g, atomic_load(&g->mb));
	return 0;
}

static int search_round(struct mb_context *ac)
{
	uint32_t groups = ac->fs->geo.groups_count;
	int err = 0;

	for (uint32_t i = 0; i < groups && ac->status == MB_SEARCHING && !err; i++)
		err = search_group(ac, (ac->goal.group + i) % groups);
	return err;
}

/* The goal, if all of it is free. */
static int try_goal(struct mb_context *ac)
{
	struct ext4_group *g;
	struct mb_group *m;
	int err;

	if (!(ac->flags & MB_HINT_TRY_GOAL))
		return 0;
	err = ext4_group_get(ac->fs, ac->goal.group, &g);
	if (!err)
		err = mb_group_load(ac->fs, g);
	if (err)
		return err == -EFSCORRUPTED || err == -EFSBADCRC ? 0 : err;
	guard(&g->lock);
	m = atomic_load(&g->mb);
	if (mb_piece(m, ac->goal.start, ac->goal.len) < ac->goal.len)
		return 0;
	ac->found++;
	ac->best = (struct mb_extent){ g->number, ac->goal.start, ac->goal.len, ac->goal.logical };
	use_best(ac, m);
	return 0;
}

/* The search was cut short: the best piece so far, if nobody took it meanwhile. */
static int try_best(struct mb_context *ac)
{
	struct ext4_group *g;
	struct mb_group *m;
	uint32_t len;
	int err = ext4_group_get(ac->fs, ac->best.group, &g);

	if (err)
		return err;
	guard(&g->lock);
	m = atomic_load(&g->mb);
	len = mb_piece(m, ac->best.start, ac->best.len);
	if (!len)
		return 0;
	ac->best.len = min(len, ac->best.len);
	use_best(ac, m);
	return 0;
}

/* Round 0 serves powers of two from 2 on. */
static int order_wanted(uint32_t len)
{
	return len >= 2 && !(len & (len - 1)) ? __builtin_ctz(len) : 0;
}

static void start_at_stream(struct mb_context *ac)
{
	struct mballoc *mb = ac->fs->mb;

	if (!(ac->flags & MB_STREAM_ALLOC))
		return;
	guard(&mb->stream_lock);
	ac->goal.group = mb->stream_group;
	ac->goal.start = mb->stream_start;
}

static int search_rounds(struct mb_context *ac, int first)
{
	int err = 0;

	for (ac->round = first; ac->round < 4 && ac->status == MB_SEARCHING && !err;) {
		err = search_round(ac);
		if (ac->status == MB_SEARCHING)
			ac->round++;
	}
	return err;
}

int mb_search(struct mb_context *ac)
{
	int err = try_goal(ac);

	TRACE_SCOPE(ac->fs, ext4_mb_regular_allocator);
	if (err || ac->status == MB_FOUND)
		return err;
	ac->order = order_wanted(ac->goal.len);
	start_at_stream(ac);
	err = search_rounds(ac, ac->order ? 0 : 1);
	if (err || ac->status == MB_FOUND || !ac->best.len)
		return err;
	err = try_best(ac);
	if (err || ac->status == MB_FOUND)
		return err;
	/* Somebody was quicker: the first that comes. */
	ac->best.len = 0;
	ac->status = MB_SEARCHING;
	ac->flags |= MB_HINT_FIRST;
	return search_rounds(ac, 3);
}
