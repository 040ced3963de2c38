/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking a stretch out of a file: from its end to its beginning, leaf by leaf, extent by extent.
 *
 * Each extent is one step: credits first (and if the transaction has no more, the handle is
 * restarted); then its blocks are freed, its entry goes or becomes shorter, and the leaf is made
 * dirty. Blocks that are to be revoked go in several steps when they are many. Between two steps
 * the tree is whole, so that is where a restart may come. An emptied leaf is freed together with
 * its index entry, in the same step, and so upwards; an emptied tree is one without depth again.
 *
 * A restart lets map_lock go: whoever waits for it may have the handle that the old transaction is
 * waiting for. What the caller truncates is out of reach of others by its inode->lock and pages;
 * other parts of the tree may change meanwhile, and the way is found anew.
 */
#include "base/assert.h"
#include "ext4/alloc.h"
#include "ext4/data.h"
#include "ext4/extents.h"

/* For leaf, superblock and inode, and for bitmap and descriptor of two groups. */
#define STEP_CREDITS       7u
/* More than needed when it must be asked for at all. */
#define STEP_CREDITS_SPARE 3
/* What any journal has room for in one transaction. */
#define STEP_REVOKES       2048u

struct removal {
	struct handle *h;
	struct inode *inode;
	ext4_lblk_t start, last; /* blocks that go */
	struct ext_path path;
	bool restarted; /* the way is not good any more */
};

static bool holds_metadata(const struct inode *inode)
{
	return EXT4_S_ISDIR(inode->mode) || EXT4_S_ISLNK(inode->mode) ||
	       inode->flags & EXT4_EA_INODE_FL;
}

static bool revokes_data(const struct inode *inode)
{
	return ext4_forget_revokes(inode, holds_metadata(inode));
}

/* ---- credits */

/*
 * The handle goes on in the next transaction. What others came to know of the stretch meanwhile, from a
 * leaf that they read, is forgotten again.
 */
static int restart(struct removal *r, int need, uint32_t revokes)
{
	struct inode *inode = r->inode;
	int err = ext4_mark_inode_dirty(r->h, inode), last;

	if (err)
		return err;
	ext4_ext_path_put(&r->path);
	r->restarted = true;
	rwlock_unwrite(&inode->map_lock);
	err = jbd2_journal_restart_revokes(r->h, need, revokes);
	rwlock_write(&inode->map_lock);
	ext4_discard_preallocations(inode);
	last = ext4_es_remove_extent(inode, r->start, r->last - r->start + 1);
	return err ? err : last;
}

/*
 * Of a step that frees `len` blocks; the first of a leaf may free nodes and change keys.
 */
static int step_credits(struct removal *r, uint32_t len, bool first_of_leaf)
{
	uint32_t groups = len / r->inode->fs->geo.blocks_per_group;
	uint32_t nodes = first_of_leaf ? (uint32_t)r->path.depth : 0;
	uint32_t revokes = nodes + (revokes_data(r->inode) ? len : 0);
	int need = (int)(STEP_CREDITS + 2 * groups) + (first_of_leaf ? r->path.depth + 1 : 0);
	int more = need + STEP_CREDITS_SPARE - r->h->credits;
	int err = ext4_journal_ensure_credits(r->inode->fs, r->h, need, more);

	if (!err)
		err = ext4_journal_ensure_revokes(r->h, revokes);
	return err > 0 ? restart(r, need, revokes) : err;
}

/* ---- one extent */

static int free_blocks(struct removal *r, const struct ext_run *e, ext4_lblk_t from, ext4_lblk_t to)
{
	struct inode *inode = r->inode;
	struct ext4_fs *fs = inode->fs;
	ext4_fsblk_t block = e->pblk + (from - e->lblk);
	uint32_t count = to - from + 1, flags = FREE_1ST_CLUSTER;

	TRACE_SCOPE(fs, ext4_remove_blocks);
	if (holds_metadata(inode))
		flags |= FREE_METADATA | FREE_FORGET;
	else if (ext4_should_journal_data(inode))
		flags |= FREE_FORGET;
	trace(fs, ext4_remove_blocks, inode->ino, e->lblk, e->pblk, e->len, from, to, 0, 0, 0, 0);
	if (!ext4_inode_block_valid(fs, inode->ino, block, count))
		return ext4_error(fs, inode->ino, block,
				  "extent at %u lies over blocks of the file system's own",
				  e->lblk);
	return ext4_free_blocks(r->h, inode, block, count, flags);
}

/* Entry `at` loses its blocks from `from` on. */
static int cut_entry(struct removal *r, int at, const struct ext_run *e, ext4_lblk_t from)
{
	struct ext_path *p = &r->path;
	struct ext_run rest = *e;
	int err;

	err = step_credits(r, ext_run_end(e) - from, at == 0);
	if (err || r->restarted)
		return err;
	err = ext4_ext_access(r->h, p, p->depth);
	if (!err)
		err = free_blocks(r, e, from, ext_run_end(e) - 1);
	if (err)
		return err;
	rest.len = from - e->lblk;
	if (rest.len)
		ext4_ext_set_entry(p, p->depth, at, ext4_ext_leaf_entry(&rest));
	else
		ext4_ext_delete_entries(p, p->depth, at, 1);
	return __ext4_ext_dirty(r->h, p, p->depth);
}

/* Entry `at` loses what lies in the stretch, which is all of it or its end. */
static int remove_entry(struct removal *r, int at)
{
	const struct ext4_extent_header *leaf = r->path.step[r->path.depth].header;
	ext4_lblk_t first, from;
	struct ext_run e;
	int err;

	do {
		e = ext_run_at(leaf, at);
		first = from = max(e.lblk, r->start);
		if (revokes_data(r->inode) && ext_run_end(&e) - from > STEP_REVOKES)
			from = ext_run_end(&e) - STEP_REVOKES;
		err = cut_entry(r, at, &e, from);
	} while (!err && !r->restarted && from > first);
	return err;
}

/* ---- nodes */

/*
 * The node at `level` is empty: it and its index entry go; and its parent, when that is empty then.
 */
static int remove_node(struct removal *r, int level)
{
	struct ext_path *p = &r->path;
	struct ext_step *parent = &p->step[level - 1];
	struct ext4_fs *fs = r->inode->fs;
	ext4_fsblk_t block = p->step[level].buffer->block;
	int err = ext4_free_blocks_prepare(r->h, r->inode, block, 1);

	if (!err)
		err = ext4_ext_access(r->h, p, level - 1);
	if (err)
		return err;
	ext4_ext_delete_entries(p, level - 1, parent->at, 1);
	err = __ext4_ext_dirty(r->h, p, level - 1);
	if (err)
		return err;
	trace(fs, ext4_ext_rm_idx, r->inode->ino, block);
	buffer_put(p->step[level].buffer);
	p->step[level].buffer = NULL;
	err = ext4_free_blocks(r->h, r->inode, block, 1, FREE_METADATA | FREE_FORGET);
	if (err || level == 1)
		return err;
	if (!ext_entries(parent->header))
		return remove_node(r, level - 1);
	return parent->at == 0 ? ext4_ext_correct_indexes(r->h, p, level - 1) : 0;
}

/*
 * From the last extent of the leaf that the way takes, backwards. Of an empty leaf the event shows
 * the header, which stands where an entry before the first would: so does Linux.
 */
static int remove_from_leaf(struct removal *r)
{
	struct ext_path *p = &r->path;
	const struct ext4_extent_header *leaf = p->step[p->depth].header;
	int at = p->step[p->depth].at, err = 0;
	bool first_changed = false;
	struct ext_run e = ext_run_at(leaf, at);

	TRACE_SCOPE(r->inode->fs, ext4_ext_rm_leaf);
	trace(r->inode->fs, ext4_ext_rm_leaf, r->inode->ino, r->start, e.lblk, e.pblk, e.len, 0, 0,
	      0, 0);
	for (; at >= 0 && !err; at--) {
		e = ext_run_at(leaf, at);
		if (ext_run_end(&e) <= r->start)
			break;
		if (e.lblk > r->last)
			continue;
		first_changed = at == 0;
		err = remove_entry(r, at);
		if (r->restarted)
			return err;
	}
	if (err)
		return err;
	if (p->depth && !ext_entries(leaf))
		return remove_node(r, p->depth);
	return first_changed && ext_entries(leaf) ? ext4_ext_correct_indexes(r->h, p, p->depth) : 0;
}

/* ---- the stretch */

/* Where to begin: with the extent that holds the last block, cut behind it if it goes on. */
static int begin(struct removal *r, ext4_lblk_t *lblk)
{
	struct ext_run e;
	int err;

	*lblk = r->last;
	if (r->last >= EXT4_MAX_LBLK)
		return 0;
	err = ext4_ext_find(&r->path, r->last, MAP_NOCACHE);
	if (err || !ext4_ext_current(&r->path, &e))
		return err;
	if (r->last < e.lblk || r->last >= ext_run_end(&e) - 1)
		return 0;
	*lblk = r->last + 1;
	/* Taking blocks away must not fail for want of one. */
	return ext4_force_split_extent_at(r->h, &r->path, r->last + 1, true);
}

/* The first block that the leaf on the way can hold. */
static ext4_lblk_t leaf_begin(const struct ext_path *p)
{
	const struct ext_step *parent = &p->step[p->depth - 1];

	return le32_get(ext_entry_at(parent->header, parent->at)->index.ei_block);
}

/* Leaf by leaf to the left, as long as there is one that can hold blocks of the stretch. */
static int remove_leaves(struct removal *r)
{
	ext4_lblk_t lblk, leaf;
	int err = begin(r, &lblk);

	for (bool first = true; !err; first = false) {
		err = ext4_ext_find(&r->path, lblk, MAP_NOCACHE);
		if (err)
			break;
		leaf = r->path.depth ? leaf_begin(&r->path) : 0;
		if (leaf > lblk && !first)
			break;
		err = remove_from_leaf(r);
		if (err || r->restarted || leaf <= r->start || !ext_entries(r->path.step[0].header))
			break;
		lblk = min(lblk, leaf - 1);
	}
	return err;
}

static int empty_tree(struct removal *r)
{
	if (ext_entries(r->path.step[0].header))
		return 0;
	ext4_ext_set_root(&r->path, 0, NULL, 0);
	r->path.depth = 0;
	return __ext4_ext_dirty(r->h, &r->path, 0);
}

static int remove_space(struct removal *r)
{
	struct ext4_fs *fs = r->inode->fs;
	uint64_t ino = r->inode->ino;
	int err;

	do {
		int depth = ext4_ext_depth(r->inode);

		r->restarted = false;
		trace(fs, ext4_ext_remove_space, ino, r->start, r->last, depth);
		err = remove_leaves(r);
	} while (!err && r->restarted);
	ext4_ext_path_put(&r->path);
	trace(fs, ext4_ext_remove_space_done, ino, r->start, r->last, ext4_ext_depth(r->inode), 0,
	      (uint32_t)ext_entries((const void *)r->inode->i_data), 0, 0, 0);
	return err ? err : empty_tree(r);
}

int ext4_ext_remove_space(struct handle *h, struct inode *inode, ext4_lblk_t start, ext4_lblk_t end)
{
	struct removal r = {
		.inode = inode, .start = start, .last = end, .path = { .inode = inode, .forgets = true }
	};
	int err, stop;

	TRACE_SCOPE(inode->fs, ext4_ext_remove_space);
	ensure(start <= end);
	err = ext4_journal_start(inode->fs, inode->ino, HT_TRUNCATE, ext4_ext_depth(inode) + 1,
				 &r.h);
	if (err)
		return err;
	ensure(r.h == h);
	err = remove_space(&r);
	stop = ext4_journal_stop(inode->fs, r.h);
	return err ? err : stop;
}
