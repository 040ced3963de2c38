/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All extents from one block on get other block numbers in the file: smaller by `shift` after a
 * stretch was taken out, larger to make room for a hole.
 *
 *	left	from the first leaf to the last: each moves into what the one before has left
 *	right	from the last leaf to the first
 *
 * So the extents stay in order at every moment, and a leaf is one step: its entries, then the keys
 * above it. Between two steps the handle may be restarted, where map_lock is let go for a moment as
 * in extents_remove.c: the tree is whole there.
 */
#include "base/assert.h"
#include "ext4/alloc.h"
#include "ext4/extents.h"

struct shifting {
	struct handle *h;
	struct inode *inode;
	ext4_lblk_t from;		/* extents that begin before it stay */
	uint32_t shift;
	bool left, restarted, moved;
	struct ext_path path;
};

/* ---- credits */

/*
 * For the nodes on the way and the inode; joining extents frees nothing. What others came to know
 * of the tree while map_lock was let go is forgotten again.
 */
static int step_credits(struct shifting *s)
{
	struct inode *inode = s->inode;
	ext4_lblk_t first = s->left ? s->from - s->shift : s->from;
	int need = s->path.depth + 2, last;
	int err = ext4_journal_ensure_credits(inode->fs, s->h, need, need);

	if (err <= 0)
		return err;
	err = __ext4_mark_inode_dirty(s->h, inode, "ext4_ext_shift_extents");
	if (err)
		return err;
	ext4_ext_path_put(&s->path);
	s->restarted = true;
	rwlock_unwrite(&inode->map_lock);
	err = jbd2_journal_restart(s->h, ext4_map_credits(inode, 1, 1));
	rwlock_write(&inode->map_lock);
	ext4_discard_preallocations(inode);
	last = ext4_es_remove_extent(inode, first, EXT_LBLK_END - first);
	return err ? err : last;
}

/* ---- one leaf */

static void move_entry(struct shifting *s, int at)
{
	struct ext_path *p = &s->path;
	struct ext_run r = ext_run_at(p->step[p->depth].header, at);

	r.lblk = s->left ? r.lblk - s->shift : r.lblk + s->shift;
	ext4_ext_set_entry(p, p->depth, at, ext4_ext_leaf_entry(&r));
}

/* Entries from `first` on; those that have come to touch become one. */
static int move_entries(struct shifting *s, int first)
{
	struct ext_path *p = &s->path;
	const struct ext4_extent_header *leaf = p->step[p->depth].header;
	int err = ext4_ext_access(s->h, p, p->depth);

	if (err)
		return err;
	for (int at = first; at < ext_entries(leaf); at++)
		move_entry(s, at);
	s->moved = true;
	for (int at = max(first - 1, 0); s->left && at < ext_entries(leaf); at++)
		(void)ext4_ext_join_following(p, at);
	err = __ext4_ext_dirty(s->h, p, p->depth);
	return !err && first == 0 ? ext4_ext_correct_indexes(s->h, p, p->depth) : err;
}

/* The first entry that moves; the number of entries when none does. */
static int first_moving(const struct shifting *s, const struct ext4_extent_header *leaf)
{
	int at = 0;

	while (at < ext_entries(leaf) && ext_run_at(leaf, at).lblk < s->from)
		at++;
	return at;
}

/* ---- all leaves */

/*
 * To the leaf for `lblk`, with credits for it. A restart lets the way go, and who used the time may
 * have changed the tree elsewhere: it is found anew.
 */
static int find_with_credits(struct shifting *s, ext4_lblk_t lblk)
{
	int err;

	do {
		err = ext4_ext_find(&s->path, lblk, MAP_NOCACHE);
		s->restarted = false;
		if (!err)
			err = step_credits(s);
	} while (!err && s->restarted);
	return err;
}

static int shift_left(struct shifting *s)
{
	ext4_lblk_t at = s->from, next;
	int first, err;

	do {
		const struct ext4_extent_header *leaf;

		err = find_with_credits(s, at);
		if (err)
			return err;
		leaf = s->path.step[s->path.depth].header;
		next = ext4_ext_next_leaf(&s->path);
		first = first_moving(s, leaf);
		if (first < ext_entries(leaf))
			err = move_entries(s, first);
		at = next;
	} while (!err && next != EXT_LBLK_END);
	return err;
}

/* The key of the leaf on the way; 0 when there is none before it. */
static ext4_lblk_t key_unless_first(const struct ext_path *p)
{
	bool first = true;

	for (int level = 0; level < p->depth; level++)
		first &= p->step[level].at == 0;
	if (first)
		return 0;
	return le32_get(ext_entry_at(p->step[p->depth - 1].header, p->step[p->depth - 1].at)
				->index.ei_block);
}

static int shift_right(struct shifting *s)
{
	ext4_lblk_t at = EXT4_MAX_LBLK, key;
	int first, err;

	do {
		const struct ext4_extent_header *leaf;

		err = find_with_credits(s, at);
		if (err)
			return err;
		leaf = s->path.step[s->path.depth].header;
		key = key_unless_first(&s->path);
		first = first_moving(s, leaf);
		if (first < ext_entries(leaf))
			err = move_entries(s, first);
		at = key - 1;
	} while (!err && key > s->from);
	return err;
}

/* A stretch of which nothing is left must lie before what moves left. */
static int check_room(struct shifting *s)
{
	struct ext_run r;
	int err = ext4_ext_find(&s->path, s->from - 1, MAP_NOCACHE);

	if (err || !ext4_ext_current(&s->path, &r) || r.lblk >= s->from)
		return err;
	return ext_run_end(&r) > s->from - s->shift
		       ? ext4_error(s->inode->fs, s->inode->ino, r.pblk,
				    "extent at %u lies where others move to", r.lblk)
		       : 0;
}

int ext4_ext_shift_extents(struct handle *h, struct inode *inode, ext4_lblk_t from, uint32_t shift,
			   enum ext_shift_direction direction, bool *moved)
{
	struct shifting s = { h,
			      inode,
			      from,
			      shift,
			      .left = direction == EXT_SHIFT_LEFT,
			      .path = { .inode = inode } };
	int err = 0;

	TRACE_SCOPE(inode->fs, ext4_ext_shift_extents);
	ensure(shift && (!s.left || from >= shift));
	if (s.left)
		err = check_room(&s);
	if (!err)
		err = s.left ? shift_left(&s) : shift_right(&s);
	ext4_ext_path_put(&s.path);
	*moved = s.moved;
	return err;
}

bool ext4_ext_can_shift_right(struct inode *inode, uint32_t shift)
{
	EXT_PATH(p, inode);
	struct ext_run r;

	guard_read(&inode->map_lock);
	if (ext4_ext_find(&p, EXT4_MAX_LBLK, MAP_NOCACHE) || !ext4_ext_current(&p, &r))
		return true; /* what cannot be read is told by who moves it */
	return shift <= EXT_LBLK_END - ext_run_end(&r);
}
