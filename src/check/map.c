/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The blocks of an inode in logical order: down an extent tree or a block map. The walk that judges
 * an inode claims each block and says what is wrong; a node that is claimed already is not
 * followed, so that no loop and no shared subtree is walked twice. Walks without claims are of maps
 * that were found good, or limit themselves.
 */
#include "check/internal.h"
#include "ext4/csum.h"

/* ---- one run of data, one node */

static int visit_blocks(struct map_walk *w, uint64_t lblk, ext4_fsblk_t pblk, uint32_t len,
			bool unwritten)
{
	struct claim claim = {
		.at = AT_INODE(CHECK_SHARED, w->ino),
		.block = pblk,
		.len = len,
		.quiet = w->ino == EXT4_BAD_INO, /* what is damaged may be anything's */
		.last_cluster = &w->last_cluster,
	};
	int err;

	w->last_lblk = (int64_t)(lblk + len) - 1;
	if (!unwritten)
		w->last_written_lblk = w->last_lblk;
	if (w->claim) {
		err = check_claim(w->c, &claim);
		w->blocks_count += claim.fresh_blocks;
		w->bad |= claim.shared && !claim.quiet;
		if (err)
			return err;
	}
	return w->blocks ? w->blocks(w, lblk, pblk, len, unwritten) : 0;
}

/* Claims and reads a node into the buffer of its level. *follow: it may be looked into. */
static int visit_node(struct map_walk *w, ext4_fsblk_t pblk, unsigned level, bool *follow)
{
	struct claim claim = { .at = AT_INODE(CHECK_SHARED, w->ino), .block = pblk, .len = 1 };
	int err;

	*follow = !w->nodes_max || w->nodes++ < w->nodes_max;
	if (!*follow)
		w->bad = true;
	if (w->claim) {
		err = check_claim(w->c, &claim);
		if (err)
			return err;
		w->blocks_count += claim.fresh_blocks;
		w->bad |= claim.shared;
		*follow = !claim.shared;
	}
	return *follow ? check_read(w->c, pblk, w->c->node_block[level]) : 0;
}

/* ---- extents */

/* The depth first: with another one, everything in the node would be misread. */
static int verify_node(const struct ext4_geometry *geo, const struct map_walk *w,
		       const uint8_t *node, uint16_t depth, struct ext4_verdict *v)
{
	const struct ext4_extent_header *eh = (const struct ext4_extent_header *)node;

	if (le16_get(eh->eh_magic) == EXT4_EXT_MAGIC && le16_get(eh->eh_depth) != depth)
		return ext4_corrupted(v, "extent node: depth %u, not %u", le16_get(eh->eh_depth),
				      depth);
	return ext4_verify_extent_block(geo, w->seed, node, v);
}

/* A wrong checksum is reported, and the node used if it is right otherwise. */
static int judge_node(struct map_walk *w, ext4_fsblk_t pblk, const uint8_t *node, uint16_t depth,
		      ext4_lblk_t first, ext4_lblk_t last, bool *usable)
{
	const struct place at = AT_BLOCK(CHECK_MAP, w->ino, pblk);
	struct ext4_verdict v;
	int err = verify_node(&w->c->geo, w, node, depth, &v), say = 0;

	if (err == -EFSBADCRC) {
		if (w->claim)
			say = check_say(w->c, at, "%s", v.reason);
		err = verify_node(&w->c->lenient, w, node, depth, &v);
	}
	if (!err)
		err = ext4_verify_extent_place(node, depth, first, last, &v);
	*usable = !err;
	w->bad |= err != 0;
	if (err && w->claim && !say)
		say = check_say(w->c, at, "%s", v.reason);
	return say;
}

static int walk_leaf(struct map_walk *w, const struct ext4_extent_header *eh)
{
	const struct ext4_extent *e = (const struct ext4_extent *)(eh + 1);

	for (unsigned i = 0; i < le16_get(eh->eh_entries); i++, e++) {
		int err = visit_blocks(w, le32_get(e->ee_block), ext4_extent_start(e),
				       ext4_extent_len(e), ext4_extent_is_unwritten(e));

		if (err)
			return err;
	}
	return 0;
}

/* Not deeper than EXT4_EXT_MAX_DEPTH: each level's depth is one less, and verified. */
static int walk_extents(struct map_walk *w, const struct ext4_extent_header *eh, ext4_lblk_t last)
{
	const struct ext4_extent_idx *ix = (const struct ext4_extent_idx *)(eh + 1);
	uint16_t depth = le16_get(eh->eh_depth);
	unsigned entries = le16_get(eh->eh_entries);

	if (depth == 0)
		return walk_leaf(w, eh);
	for (unsigned i = 0; i < entries; i++) {
		const uint8_t *node = w->c->node_block[depth - 1];
		ext4_lblk_t end = i + 1 < entries ? le32_get(ix[i + 1].ei_block) - 1 : last;
		bool follow, usable;
		int err = visit_node(w, ext4_idx_leaf(&ix[i]), depth - 1u, &follow);

		if (err)
			return err;
		if (!follow)
			continue;
		err = judge_node(w, ext4_idx_leaf(&ix[i]), node, (uint16_t)(depth - 1),
				 le32_get(ix[i].ei_block), end, &usable);
		if (!err && usable)
			err = walk_extents(w, (const struct ext4_extent_header *)node, end);
		if (err)
			return err;
	}
	return 0;
}

/* ---- block maps */

static uint64_t span_of(const struct check *c, unsigned level)
{
	return 1ULL << level * (c->geo.block_bits - 2);
}

static int walk_pointers(struct map_walk *w, const le32 *pointers, unsigned count, unsigned level,
			 uint64_t lblk);

static int walk_indirect(struct map_walk *w, uint32_t pblk, unsigned level, uint64_t lblk)
{
	const uint8_t *block = w->c->node_block[level - 1];
	struct ext4_verdict v;
	bool follow;
	int err = visit_node(w, pblk, level - 1, &follow);

	if (err || !follow)
		return err;
	if (ext4_verify_indirect_block(&w->c->geo, block, &v)) {
		w->bad = true;
		return !w->claim
			       ? 0
			       : check_say(w->c, AT_BLOCK(CHECK_MAP, w->ino, pblk), "%s", v.reason);
	}
	return walk_pointers(w, (const le32 *)block, w->c->geo.block_size / sizeof(le32), level - 1,
			     lblk);
}

/* How many pointers from the first on name blocks in a row. */
static unsigned run_length(const le32 *pointers, unsigned count)
{
	unsigned n = 1;

	while (n < count && le32_get(pointers[n]) == le32_get(pointers[0]) + n)
		n++;
	return n;
}

static int walk_pointers(struct map_walk *w, const le32 *pointers, unsigned count, unsigned level,
			 uint64_t lblk)
{
	uint64_t span = span_of(w->c, level);
	int err = 0;

	for (unsigned i = 0, n; !err && i < count; i += n, lblk += n * span) {
		uint32_t pblk = le32_get(pointers[i]);

		n = 1;
		if (pblk == 0)
			continue;
		if (lblk > EXT4_MAX_LBLK) {
			w->bad = true;
			return !w->claim ? 0
					 : check_say(w->c, AT_BLOCK(CHECK_MAP, w->ino, pblk),
						     "lies behind the last block a file can have");
		}
		if (level > 0) {
			err = walk_indirect(w, pblk, level, lblk);
			continue;
		}
		n = run_length(pointers + i, count - i);
		err = visit_blocks(w, lblk, pblk, n, false);
	}
	return err;
}

static int walk_block_map(struct map_walk *w)
{
	uint64_t lblk = EXT4_NDIR_BLOCKS;
	int err = walk_pointers(w, w->raw->i_block, EXT4_NDIR_BLOCKS, 0, 0);

	for (unsigned level = 1; !err && level <= 3; level++) {
		uint32_t pblk = le32_get(w->raw->i_block[EXT4_NDIR_BLOCKS + level - 1]);

		if (pblk)
			err = walk_indirect(w, pblk, level, lblk);
		lblk += span_of(w->c, level);
	}
	return err;
}

int check_map(struct map_walk *w)
{
	w->bad = false;
	w->blocks_count = w->nodes = 0;
	w->last_lblk = w->last_written_lblk = -1;
	w->last_cluster = UINT64_MAX;
	w->seed = ext4_inode_csum_seed(&w->c->geo, w->ino, le32_get(w->raw->i_generation));
	if (!ext4_raw_has_map(&w->c->geo, w->raw))
		return 0;
	if (!(le32_get(w->raw->i_flags) & EXT4_EXTENTS_FL))
		return walk_block_map(w);
	return walk_extents(w, (const struct ext4_extent_header *)w->raw->i_block, EXT4_MAX_LBLK);
}
