/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One more extent in the tree.
 *
 *	1. A neighbour that it continues grows by it.
 *	2. Else it becomes an entry: in its leaf; where that is full and the extent comes last, in
 *	   the next leaf if that has room; else after room was made.
 *	3. What has become joinable is joined, and the keys above follow.
 *
 * While a larger extent is being cut up (PRE_IO) neither 1 nor 3 happens: they would undo it.
 */
#include "base/assert.h"
#include "ext4/alloc.h"
#include "ext4/extents.h"

static struct ext4_extent_header *leaf_of(const struct ext_path *p)
{
	return p->step[p->depth].header;
}

/* ---- 1: a neighbour grows */

/*
 * The way may lead to the extent on the left or on the right of the new one. Which entry to try:
 * the one taken, unless another lies between.
 */
static int candidate(const struct ext_path *p, const struct ext_run *r)
{
	const struct ext4_extent_header *leaf = leaf_of(p);
	int at = p->step[p->depth].at;
	struct ext_run taken = ext_run_at(leaf, at);

	if (at + 1 < ext_entries(leaf) && ext_run_end(&taken) < r->lblk)
		return at + 1;
	if (at > 0 && ext_run_end(r) < taken.lblk)
		return at - 1;
	return at;
}

/* *at: the entry that has grown by `r`, or -1. */
static int grow_neighbour(struct handle *h, struct ext_path *p, const struct ext_run *r, int *at)
{
	int other_at = candidate(p, r), err;
	struct ext_run other = ext_run_at(leaf_of(p), other_at), joined;

	*at = -1;
	if (ext4_ext_joinable(&other, r))
		joined = other;
	else if (ext4_ext_joinable(r, &other))
		joined = *r;
	else
		return 0;
	joined.len = other.len + r->len;
	err = ext4_ext_access(h, p, p->depth);
	if (err)
		return err;
	ext4_ext_set_entry(p, p->depth, other_at, ext4_ext_leaf_entry(&joined));
	*at = other_at;
	return 0;
}

/* ---- 2: a new entry */

/* True: p leads to the next leaf, where the extent will come first. */
static int try_next_leaf(struct ext_path *p, const struct ext_run *r, uint32_t flags, bool *moved)
{
	const struct ext4_extent_header *leaf = leaf_of(p);
	struct ext_run last = ext_run_at(leaf, ext_entries(leaf) - 1);
	ext4_lblk_t next = ext4_ext_next_leaf(p);
	int err;

	*moved = false;
	if (r->lblk < last.lblk || next == EXT_LBLK_END)
		return 0;
	err = ext4_ext_find(p, next, flags);
	if (err)
		return err;
	*moved = !ext_is_full(leaf_of(p));
	return *moved ? 0 : ext4_ext_find(p, r->lblk, flags);
}

static int find_room(struct handle *h, struct ext_path *p, const struct ext_run *r, uint32_t flags)
{
	bool moved;
	int err;

	if (!ext_is_full(leaf_of(p)))
		return 0;
	err = try_next_leaf(p, r, flags, &moved);
	if (err || moved)
		return err;
	return ext4_ext_make_room(h, p, r->lblk, flags);
}

/* Behind the extent taken, or before it. */
static int place_for(const struct ext_path *p, const struct ext_run *r)
{
	struct ext_run taken;

	if (!ext4_ext_current(p, &taken))
		return 0;
	ensure(r->lblk != taken.lblk);
	return p->step[p->depth].at + (r->lblk > taken.lblk);
}

static int add_entry(struct handle *h, struct ext_path *p, const struct ext_run *r, uint32_t flags,
		     int *at)
{
	int err = find_room(h, p, r, flags);

	if (!err)
		err = ext4_ext_access(h, p, p->depth);
	if (err)
		return err;
	*at = place_for(p, r);
	ext4_ext_insert_entry(p, p->depth, *at, ext4_ext_leaf_entry(r));
	p->step[p->depth].at = *at;
	return 0;
}

/* ---- 3 */

int ext4_ext_insert_extent(struct handle *h, struct ext_path *p, const struct ext_run *r,
			   uint32_t flags)
{
	bool alone = flags & MAP_PRE_IO;
	struct ext_run taken;
	int at = -1, err = 0;

	TRACE_SCOPE(p->inode->fs, ext4_ext_insert_extent);
	flags &=
		MAP_DELALLOC | MAP_METADATA_NOFAIL; /* a leaf just made is remembered in any case */
	if (!alone && ext4_ext_current(p, &taken))
		err = grow_neighbour(h, p, r, &at);
	if (!err && at < 0)
		err = add_entry(h, p, r, flags, &at);
	if (err)
		return err;
	if (!alone)
		ext4_ext_merge(h, p, at);
	if (p->step[p->depth].at == 0)
		err = ext4_ext_correct_indexes(h, p, p->depth);
	return err ? err : __ext4_ext_dirty(h, p, p->depth);
}

ext4_fsblk_t ext4_ext_find_goal(const struct ext_path *p, ext4_lblk_t lblk)
{
	struct buffer *leaf = p->step[p->depth].buffer;
	struct ext_run taken;

	if (ext4_ext_current(p, &taken))
		return lblk > taken.lblk ? taken.pblk + (lblk - taken.lblk)
					 : taken.pblk - (taken.lblk - lblk);
	return leaf ? leaf->block : ext4_inode_to_goal_block(p->inode);
}
