/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hash trees: every block is pointed at once, and the hashes of each are those that its place
 * allows. A block's names have hashes from its own entry's (bit 0 left out: that says only that a
 * name of the same hash began before) up to the one before the next entry's.
 */
#include <inttypes.h>
#include "check/dir.h"
#include "ext4/csum.h"

struct tree {
	struct check *c;
	struct dir_blocks *d;
	bool bad;
};

static struct place place_of(const struct tree *t, const struct dir_block *b)
{
	return AT_BLOCK(CHECK_HASH_TREE, t->d->ino, b->pblk);
}

static int verify(const struct tree *t, const struct dir_block *node, const uint8_t *buf,
		  struct ext4_verdict *v)
{
	if (node->lblk == 0)
		return ext4_verify_dx_root(&t->c->geo, t->d->seed, buf, v);
	return ext4_verify_dx_node(&t->c->geo, t->d->seed, buf, v);
}

static uint32_t entries_offset(const struct dir_block *node)
{
	return node->lblk == 0 ? EXT4_DX_ROOT_ENTRIES : EXT4_DX_NODE_ENTRIES;
}

/* A wrong checksum is reported, then made right in `buf`, so that the rest can be looked at. */
static int read_node(struct tree *t, const struct dir_block *node, uint8_t *buf)
{
	struct ext4_verdict v;
	int err = check_read(t->c, node->pblk, buf), said;

	if (err)
		return err;
	err = verify(t, node, buf, &v);
	if (err == -EFSBADCRC) {
		said = check_say(t->c, place_of(t, node), "%s", v.reason);
		if (said)
			return said;
		ext4_dx_csum_set(&t->c->geo, t->d->seed, buf, entries_offset(node));
		err = verify(t, node, buf, &v);
	}
	if (!err)
		return 0;
	t->bad = true;
	return check_say(t->c, place_of(t, node), "%s", v.reason);
}

/* The block an entry points at, if it is the first to do so. NULL and a problem else. */
static int take_block(struct tree *t, const struct dir_block *node, const struct dx_entry *e,
		      struct dir_block **out)
{
	uint32_t lblk = le32_get(e->block) & EXT4_DX_BLOCK_MASK;
	struct dir_block *b = check_dir_block(t->d, lblk);

	*out = NULL;
	if (b && lblk && !b->in_tree) {
		b->in_tree = true;
		*out = b;
		return 0;
	}
	t->bad = true;
	return check_say(t->c, place_of(t, node), "points at logical block %" PRIu32 ", which %s",
			 lblk, b ? "has its place already" : "is not there");
}

static int walk(struct tree *t, const struct dir_block *node, unsigned levels, const uint8_t *buf);

/* Entry i leads to `b`: the hashes it may hold, and what lies below it. */
static int descend(struct tree *t, const struct dir_block *node, const struct dx_entry *e,
		   uint32_t i, uint32_t count, unsigned levels, struct dir_block *b)
{
	uint8_t *buf;
	int err;

	b->lo = i ? le32_get(e[i].hash) & ~EXT4_DX_HASH_CONTINUED : node->lo;
	b->hi = i + 1 < count ? le32_get(e[i + 1].hash) : node->hi;
	if (i + 1 < count && !(b->hi & EXT4_DX_HASH_CONTINUED))
		b->hi--;
	if (levels == 0)
		return 0;
	b->is_node = true;
	buf = t->c->node_block[levels - 1];
	err = read_node(t, b, buf);
	return err || t->bad ? err : walk(t, b, levels - 1, buf);
}

/* `levels`: how many levels of nodes lie below this one. */
static int walk(struct tree *t, const struct dir_block *node, unsigned levels, const uint8_t *buf)
{
	const struct dx_entry *e = (const struct dx_entry *)(buf + entries_offset(node));
	uint32_t count = le16_get(((const struct dx_countlimit *)e)->count);
	int err = 0;

	for (uint32_t i = 0; !err && i < count; i++) {
		struct dir_block *b;
		uint32_t hash = i ? le32_get(e[i].hash) : node->lo;

		if (hash < node->lo || hash > node->hi) {
			t->bad = true;
			return check_say(t->c, place_of(t, node),
					 "hash 0x%08" PRIx32 " in a node for 0x%08" PRIx32
					 " to 0x%08" PRIx32,
					 hash, node->lo, node->hi);
		}
		err = take_block(t, node, &e[i], &b);
		if (!err && b)
			err = descend(t, node, e, i, count, levels, b);
	}
	return err;
}

int check_hash_tree(struct check *c, struct dir_blocks *d)
{
	struct tree t = { .c = c, .d = d };
	uint8_t *buf = c->node_block[EXT4_HTREE_LEVELS_LARGEDIR];
	const struct dx_root_info *info = &((const struct dx_root *)buf)->info;
	struct dir_block *root = check_dir_block(d, 0);
	int err;

	if (!root) /* a hole; reported when the blocks were collected */
		return 0;
	root->in_tree = true;
	err = read_node(&t, root, buf);
	if (!err && !t.bad) {
		root->is_node = true;
		d->hash_version = ext4_dirhash_version(info->hash_version, c->geo.unsigned_hash);
		err = walk(&t, root, info->indirect_levels, buf);
	}
	d->tree = !t.bad;
	return err;
}
