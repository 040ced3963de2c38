/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Room for one more entry in a full leaf.
 *
 * Going up from the leaf, the first index node with a free place takes one more child: a chain of
 * new nodes is hung in there, one a level, and what lies behind the way moves into them.
 *
 *	        | a  b  .  |                    | a  b  b' |
 *	             |                               |   \
 *	        | b1 b2 b3 |         ->         | b1 b2 |  | b3 |
 *	             way
 *
 * The leaf is cut behind the extent taken, not in the middle: files mostly grow at their end, and
 * then the old leaf stays full and the new one is empty. With no free place up to the root, the
 * root's content moves into a new block and the tree is one level higher.
 *
 * All new blocks are allocated and made, and access to all old ones is got, before anything moves:
 * a failure leaves the tree as it was.
 */
#include <string.h>
#include "base/assert.h"
#include "ext4/alloc.h"
#include "ext4/extents.h"
#include "ext4/kinds.h"

/* ---- new nodes */

static uint32_t alloc_flags(uint32_t flags)
{
	return (flags & MAP_METADATA_NOFAIL ? MB_USE_RESV : 0) |
	       (flags & MAP_DELALLOC ? MB_DELALLOC_RESV : 0);
}

static void free_node(struct handle *h, struct ext_path *p, struct buffer *b)
{
	ext4_fsblk_t block = b->block;

	buffer_put(b);
	/* Another error is on its way to the caller. */
	ignore_result(ext4_free_blocks(h, p->inode, block, 1, FREE_METADATA | FREE_FORGET));
}

/* An empty node at `depth`, in the handle. */
static int new_node(struct handle *h, struct ext_path *p, int depth, ext4_fsblk_t goal,
		    uint32_t flags, struct buffer **out)
{
	struct inode *inode = p->inode;
	struct buffer_owner owner = { inode->ino, inode->csum_seed };
	struct ext4_fs *fs = inode->fs;
	uint32_t count = 1;
	ext4_fsblk_t block;
	int err = ext4_new_meta_blocks(h, inode, goal, flags, &count, &block);

	if (err)
		return err;
	err = buffer_create(fs->buffers, block, &ext4_kind_extent, &owner, out);
	if (err) {
		ignore_result(ext4_free_blocks(h, inode, block, 1, FREE_METADATA));
		return err;
	}
	err = ext4_journal_get_create_access(fs, h, *out);
	if (err) {
		free_node(h, p, *out);
		return err;
	}
	ext4_ext_init_node(&fs->geo, (void *)(*out)->data, depth);
	return 0;
}

/* ---- a higher tree */

/*
 * The first node lies where new files of the inode's group begin; further ones before the first
 * child.
 */
static ext4_fsblk_t goal_of_growth(const struct ext_path *p, uint32_t *flags)
{
	ext4_fsblk_t first;

	if (p->depth == 0)
		return ext4_inode_to_goal_block(p->inode);
	first = ext4_idx_leaf(&ext_entry_at(p->step[0].header, 0)->index);
	if (first <= p->inode->fs->geo.first_data_block)
		return ext4_inode_to_goal_block(p->inode);
	*flags |= MB_HINT_TRY_GOAL;
	return first - 1;
}

static int grow(struct handle *h, struct ext_path *p, uint32_t flags)
{
	struct ext4_extent_header *root = p->step[0].header;
	uint32_t mb_flags = alloc_flags(flags);
	ext4_fsblk_t goal = goal_of_growth(p, &mb_flags);
	int count = ext_entries(root), err;
	struct ext4_extent_header *node;
	union ext_entry child;
	autobuffer b = NULL;

	if (p->depth == (int)EXT4_EXT_MAX_DEPTH)
		return ext4_error(p->inode->fs, p->inode->ino, 0, "extent tree of depth %d is full",
				  p->depth);
	err = new_node(h, p, p->depth, goal, mb_flags, &b);
	if (err)
		return err;
	node = (struct ext4_extent_header *)b->data;
	memcpy(node + 1, root + 1, (size_t)count * sizeof(union ext_entry));
	node->eh_entries = root->eh_entries;
	err = ext4_handle_dirty_metadata(p->inode->fs, h, p->inode->ino, b);
	if (err)
		return err;
	child = ext4_ext_index_entry(le32_get(ext_entry_at(root, 0)->leaf.ee_block), b->block);
	ext4_ext_set_root(p, p->depth + 1, &child, 1);
	if (p->depth == 0)
		p->fresh = b->block;
	/* It happens in the box that Linux calls ext4_ext_insert_extent. */
	return __ext4_mark_inode_dirty(h, p->inode, "ext4_ext_insert_extent");
}

/* ---- a split */

struct split {
	int top; /* the level that takes the new child */
	struct buffer *node[EXT4_EXT_MAX_DEPTH +
			    1]; /* the new sibling of the way's node at each level below */
};

static void split_undo(struct handle *h, struct ext_path *p, struct split *s)
{
	for (int level = s->top + 1; level <= p->depth; level++)
		if (s->node[level])
			free_node(h, p, s->node[level]);
}

/* Everything that can fail. The leaf comes last, so that it lies behind its indexes. */
static int split_prepare(struct handle *h, struct ext_path *p, struct split *s, ext4_lblk_t lblk,
			 uint32_t flags)
{
	ext4_fsblk_t goal = ext4_ext_find_goal(p, lblk);
	int err;

	for (int level = s->top + 1; level <= p->depth; level++) {
		err = new_node(h, p, p->depth - level, goal, alloc_flags(flags), &s->node[level]);
		if (err)
			return err;
	}
	for (int level = p->depth; level >= s->top; level--) {
		err = ext4_ext_access(h, p, level);
		if (err)
			return err;
	}
	return 0;
}

/* What lies behind the way in this node moves into its sibling. */
static int move_rest(struct handle *h, struct ext_path *p, int level, struct buffer *sibling)
{
	struct ext_step *old = &p->step[level];
	struct ext4_extent_header *node = (struct ext4_extent_header *)sibling->data;
	int from = old->at + 1, count = ext_entries(old->header) - from;
	int to = ext_entries(node); /* an index begins with the child just made */
	int err;

	memcpy(ext_entry_at(node, to), ext_entry_at(old->header, from),
	       (size_t)count * sizeof(union ext_entry));
	node->eh_entries = le16_of((uint16_t)(to + count));
	err = ext4_handle_dirty_metadata(p->inode->fs, h, p->inode->ino, sibling);
	if (err || count == 0)
		return err;
	ext4_ext_delete_entries(p, level, from, count);
	return __ext4_ext_dirty(h, p, level);
}

/* From the leaf upwards: each new index begins with the new node below it. */
static int split_move(struct handle *h, struct ext_path *p, struct split *s, ext4_lblk_t border)
{
	union ext_entry child;
	int err;

	for (int level = p->depth; level > s->top; level--) {
		struct ext4_extent_header *node = (void *)s->node[level]->data;

		if (level < p->depth) {
			child = ext4_ext_index_entry(border, s->node[level + 1]->block);
			*ext_entry_at(node, 0) = child;
			node->eh_entries = le16_of(1);
		}
		err = move_rest(h, p, level, s->node[level]);
		if (err)
			return err;
	}
	child = ext4_ext_index_entry(border, s->node[s->top + 1]->block);
	ext4_ext_insert_entry(p, s->top, p->step[s->top].at + 1, child);
	return __ext4_ext_dirty(h, p, s->top);
}

/*
 * Where the new leaf begins: with what moves into it, or, when nothing does, with the new extent.
 * That one comes behind the extent taken then: it comes before only in front of the first of all,
 * and a full leaf has more than one.
 */
static ext4_lblk_t border_of(const struct ext_path *p, ext4_lblk_t lblk)
{
	const struct ext_step *leaf = &p->step[p->depth];

	if (leaf->at + 1 < ext_entries(leaf->header))
		return ext_run_at(leaf->header, leaf->at + 1).lblk;
	ensure(lblk > ext_run_at(leaf->header, leaf->at).lblk);
	return lblk;
}

static int split(struct handle *h, struct ext_path *p, int top, ext4_lblk_t lblk, uint32_t flags)
{
	struct split s = { .top = top };
	ext4_lblk_t border = border_of(p, lblk);
	int err = split_prepare(h, p, &s, lblk, flags);

	if (err) {
		split_undo(h, p, &s);
		return err;
	}
	err = split_move(h, p, &s, border);
	p->fresh = s.node[p->depth]->block;
	for (int level = top + 1; level <= p->depth; level++)
		buffer_put(s.node[level]);
	return err;
}

/* The lowest index node on the way with a free place; -1: none. */
static int level_with_room(const struct ext_path *p)
{
	int level = p->depth - 1;

	while (level >= 0 && ext_is_full(p->step[level].header))
		level--;
	return level;
}

int ext4_ext_make_room(struct handle *h, struct ext_path *p, ext4_lblk_t lblk, uint32_t flags)
{
	while (ext_is_full(p->step[p->depth].header)) {
		int level = level_with_room(p);
		int err = level >= 0 ? split(h, p, level, lblk, flags) : grow(h, p, flags);

		if (!err)
			err = ext4_ext_find(p, lblk, flags);
		if (err)
			return err;
	}
	return 0;
}
