/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hash trees: the way from the root to a block of names. What makes them grow is in dir_grow.c.
 *
 *	             root (block 0)            entries: the lowest hash below each, and its block
 *	            /     |      \
 *	       node     node      node         0 to 2 levels of inner nodes
 *	      /   \    /    \    /    \
 *	    leaf  leaf ...           leaf      blocks of entries, in no order of their own
 *
 * The first entry of a node stands for hash 0, since its place holds count and limit. Where names
 * of one hash do not fit into one leaf, the entry of the next has bit 0 set: the hash began a leaf
 * before. A hash itself never has it.
 *
 * A node is verified when it enters memory. What one block cannot tell is checked on the way: that
 * it is a node where one is due and a block of names where one is due, that it lies within the
 * directory, and that no block comes twice on the way. How deep the tree is says its root, so a
 * look-up ends; a walk from leaf to leaf ends when it has seen more than the directory has.
 */
#include "base/assert.h"
#include "ext4/dir_internal.h"
#include "ext4/verify.h"

int ext4_dx_hash(const struct ext4_fs *fs, uint8_t version, const struct ext4_name *name,
		 struct ext4_dirhash *out)
{
	return ext4_dirhash(ext4_dirhash_version(version, fs->geo.unsigned_hash), fs->geo.hash_seed,
			    name->bytes, name->len, out);
}

/* ---- down */

/* The last entry whose hash is not above `hash`. */
static uint32_t search_node(const struct dx_entry *entries, uint32_t hash)
{
	uint32_t low = 1, high = ext4_dx_count(entries);

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (le32_get(entries[middle].hash) > hash)
			high = middle;
		else
			low = middle + 1;
	}
	return low - 1;
}

static ext4_lblk_t child_of(const struct ext4_dx_frame *f)
{
	return le32_get(f->entries[f->at].block) & EXT4_DX_BLOCK_MASK;
}

/* No block comes twice on the way: neither by its number nor as what another number maps to. */
static int check_way(const struct ext4_dx_path *p, const struct buffer *b)
{
	for (uint32_t i = 0; i < p->depth; i++)
		if (p->frame[i].buffer == b)
			return ext4_error(p->dir->fs, p->dir->ino, b->block,
					  "hash tree: the way leads through this block twice");
	return 0;
}

/* What the last frame's entry points at, read: a node, or a block of names. NULL on error. */
static int read_child(const struct ext4_dx_path *p, bool want_node, struct buffer **out)
{
	struct ext4_fs *fs = p->dir->fs;
	const struct ext4_dx_frame *f = &p->frame[p->depth - 1];
	ext4_lblk_t lblk = child_of(f), blocks = ext4_dir_blocks(p->dir);
	int err;

	*out = NULL;
	if (lblk == 0 || lblk >= blocks)
		return ext4_error(fs, p->dir->ino, f->buffer->block,
				  "hash tree: entry %u leads to block %u of %u", f->at, lblk, blocks);
	err = ext4_read_dirblock(p->dir, lblk, out);
	if (err)
		return err;
	err = check_way(p, *out);
	if (!err && ext4_is_dx_node(&fs->geo, (*out)->data) != want_node)
		err = ext4_error(fs, p->dir->ino, (*out)->block, "hash tree: %s",
				 want_node ? "names where a node is due" : "a node where names are due");
	if (err) {
		buffer_put(*out);
		*out = NULL;
	}
	return err;
}

/* One level lower. */
static int enter_node(struct ext4_dx_path *p)
{
	struct buffer *b;
	int err = read_child(p, true, &b);

	if (!err)
		p->frame[p->depth++] =
			(struct ext4_dx_frame){ b, ((struct dx_node *)b->data)->entries, 0 };
	return err;
}

/* From the last frame on, to the lowest: the entry for p->hash, or the first one of each. */
static int descend(struct ext4_dx_path *p, uint32_t levels, bool to_first)
{
	int err = 0;

	while (!err && p->depth < levels) {
		err = enter_node(p);
		if (!err && !to_first) {
			struct ext4_dx_frame *f = &p->frame[p->depth - 1];

			f->at = search_node(f->entries, p->hash.hash);
		}
	}
	return err;
}

static uint32_t levels_of(const struct ext4_dx_path *p)
{
	return ((const struct dx_root *)p->frame[0].buffer->data)->info.indirect_levels + 1u;
}

static int enter_root(struct ext4_dx_path *p, const struct ext4_name *name)
{
	struct ext4_dx_frame *f = &p->frame[0];
	struct dx_root *root;
	int err = ext4_read_dirblock(p->dir, 0, &f->buffer);

	if (err)
		return err;
	p->depth = 1;
	root = (void *)f->buffer->data;
	p->hash_version = root->info.hash_version;
	f->entries = root->entries;
	if (name) {
		err = ext4_dx_hash(p->dir->fs, p->hash_version, name, &p->hash);
		ensure(!err); /* the root was verified */
	}
	f->at = search_node(f->entries, p->hash.hash);
	return 0;
}

int ext4_dx_probe(struct inode *dir, const struct ext4_name *name, struct ext4_dx_path *p)
{
	int err;

	TRACE_SCOPE(dir->fs, dx_probe);
	p->dir = dir;
	p->depth = 0;
	p->leaves_seen = 1;
	err = enter_root(p, name);
	return err ? err : descend(p, levels_of(p), false);
}

/* Leaves the lowest node. */
static void leave_node(struct ext4_dx_path *p)
{
	buffer_put(p->frame[--p->depth].buffer);
}

void ext4_dx_put(struct ext4_dx_path *p)
{
	while (p->depth)
		leave_node(p);
}

/* ---- along the leaves */

ext4_lblk_t ext4_dx_leaf(const struct ext4_dx_path *p)
{
	return child_of(&p->frame[p->depth - 1]);
}

int ext4_dx_read_leaf(const struct ext4_dx_path *p, struct buffer **out)
{
	return read_child(p, false, out);
}

static bool has_next(const struct ext4_dx_frame *f)
{
	return f->at + 1 < ext4_dx_count(f->entries);
}

uint32_t ext4_dx_next_hash(const struct ext4_dx_path *p)
{
	for (uint32_t i = p->depth; i--;)
		if (has_next(&p->frame[i]))
			return le32_get(p->frame[i].entries[p->frame[i].at + 1].hash);
	return UINT32_MAX;
}

int ext4_dx_next_leaf(struct ext4_dx_path *p)
{
	uint32_t levels = levels_of(p);

	if (p->leaves_seen++ > ext4_dir_blocks(p->dir))
		return ext4_error(p->dir->fs, p->dir->ino, 0,
				  "hash tree: more leaves than the directory has blocks");
	while (!has_next(&p->frame[p->depth - 1])) {
		ensure(p->depth > 1);
		leave_node(p);
	}
	p->frame[p->depth - 1].at++;
	return descend(p, levels, true);
}

/* ---- a name */

/* Names of the hash that was looked for may be in the next leaf too. */
static bool goes_on(const struct ext4_dx_path *p)
{
	return ext4_dx_next_hash(p) == (p->hash.hash | EXT4_DX_HASH_CONTINUED);
}

static int search_leaf(struct ext4_dx_path *p, const struct ext4_name *name,
		       struct ext4_dir_place *out)
{
	int err = ext4_dx_read_leaf(p, &out->buffer);

	if (err)
		return err;
	err = ext4_search_dirblock(p->dir, out->buffer, name, &out->offset);
	if (err)
		buffer_put(out->buffer);
	return err;
}

int ext4_dx_find_entry(struct inode *dir, const struct ext4_name *name, struct ext4_dir_place *out)
{
	struct ext4_dx_path p;
	int err;

	TRACE_SCOPE(dir->fs, ext4_dx_find_entry);
	err = ext4_dx_probe(dir, name, &p);
	if (!err)
		err = search_leaf(&p, name, out);
	while (err == -ENOENT && goes_on(&p)) {
		err = ext4_dx_next_leaf(&p);
		if (!err)
			err = search_leaf(&p, name, out);
	}
	ext4_dx_put(&p);
	return err;
}
