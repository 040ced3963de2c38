/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extent trees from inside: nodes, the path down to a leaf, and the steps that the files share.
 *
 *	extents_path.c		finding, reading nodes, changing their entries
 *	extents.c		ext4_ext_map_blocks
 *	extents_insert.c	one more extent; extents_grow.c makes room for it
 *	extents_merge.c		neighbours that become one; a tree that fits into the inode again
 *	extents_convert.c	extents cut, written, made unwritten
 *	extents_remove.c	extents and nodes that go
 *	extents_shift.c		extents that get other block numbers in the file
 *	extents_walk.c		all of a file in order; new trees
 *
 * Rules
 *
 * - Whoever looks holds map_lock, whoever changes holds it for writing. Nodes past buffer_read are
 *   verified; that a node lies where its parent says is checked each time it is walked through.
 * - Change = ext4_ext_access, edit, __ext4_ext_dirty, for each node, in a handle with the credits.
 * What
 *   can fail comes before the first edit.
 * - The root lies in the inode and is copied into its table under attr_lock: the edits take that.
 * - The key of an index entry is the first key of the node below it.
 * - A path is good until the tree changes; who goes on after a change finds again.
 */
#ifndef EXTANT_EXT4_EXTENTS_H
#define EXTANT_EXT4_EXTENTS_H

#include "ext4/disk.h"
#include "ext4/map.h"

#define EXT_LBLK_END UINT32_MAX /* behind the last block that a file can have */

/* An extent, in numbers. */
struct ext_run {
	ext4_lblk_t lblk;
	uint32_t len;
	ext4_fsblk_t pblk;
	bool unwritten;
};

static inline ext4_lblk_t ext_run_end(const struct ext_run *r)
{
	return r->lblk + r->len;
}

/* An entry as it lies in a node: of a leaf or of an index. */
union ext_entry {
	struct ext4_extent leaf;
	struct ext4_extent_idx index;
};

struct ext_step {
	struct buffer *buffer; /* NULL: the root, in the inode */
	struct ext4_extent_header *header;
	int at; /* the entry taken; -1: the node is empty */
};

/* The way from the root to a leaf: step[depth] is the leaf. Initialise with EXT_PATH. */
struct ext_path {
	struct inode *inode;
	int depth;
	ext4_fsblk_t fresh; /* a leaf just made: remembered when it is first walked through */
	bool forgets; /* nothing of a leaf is remembered: what it says is about to be untrue */
	struct ext_step step[EXT4_EXT_MAX_DEPTH + 1];
};

/* ---- the path (extents_path.c) */

void ext4_ext_path_put(struct ext_path *p);
/* A path that lets its nodes go at the end of the block. */
#define EXT_PATH(name, of) cleanup_with(ext4_ext_path_put) struct ext_path name = { .inode = (of) }

/*
 * To the leaf whose range holds `lblk`; there, to the last extent that begins at or before it, or
 * else the first. Flags: MAP_NOCACHE. -EIO, -ENOMEM, damage; then the path is empty.
 */
must_check int ext4_ext_find(struct ext_path *p, ext4_lblk_t lblk, uint32_t flags);
/* The extent taken. False: the leaf is empty. */
bool ext4_ext_current(const struct ext_path *p, struct ext_run *out);
/*
 * Where the next extent behind the one taken begins (the key of its leaf will do); EXT_LBLK_END:
 * nowhere.
 */
ext4_lblk_t ext4_ext_next_allocated(const struct ext_path *p);
/* Where the leaf behind this one begins. */
ext4_lblk_t ext4_ext_next_leaf(const struct ext_path *p);

static inline int ext_entries(const struct ext4_extent_header *h)
{
	return le16_get(h->eh_entries);
}

static inline bool ext_is_full(const struct ext4_extent_header *h)
{
	return le16_get(h->eh_entries) >= le16_get(h->eh_max);
}

static inline union ext_entry *ext_entry_at(const struct ext4_extent_header *h, int at)
{
	return (union ext_entry *)(h + 1) + at;
}

static inline struct ext_run ext_run_at(const struct ext4_extent_header *h, int at)
{
	const struct ext4_extent *e = &ext_entry_at(h, at)->leaf;

	return (struct ext_run){ .lblk = le32_get(e->ee_block),
				 .len = ext4_extent_len(e),
				 .pblk = ext4_extent_start(e),
				 .unwritten = ext4_extent_is_unwritten(e) };
}

union ext_entry ext4_ext_leaf_entry(const struct ext_run *r);
union ext_entry ext4_ext_index_entry(ext4_lblk_t lblk, ext4_fsblk_t node);
/* The two can be one extent: contiguous, of one sort, not too long together. */
bool ext4_ext_joinable(const struct ext_run *left, const struct ext_run *right);

/* ---- changing a node */

must_check int ext4_ext_access(struct handle *h, struct ext_path *p, int level);
/* The node goes with the handle {the root: ext4_mark_inode_dirty}. */
must_check int __ext4_ext_dirty(struct handle *h, struct ext_path *p, int level);
void ext4_ext_set_entry(struct ext_path *p, int level, int at, union ext_entry e);
void ext4_ext_insert_entry(struct ext_path *p, int level, int at, union ext_entry e);
void ext4_ext_delete_entries(struct ext_path *p, int level, int at, int count);
/* A root of that depth with those entries. */
void ext4_ext_set_root(struct ext_path *p, int depth, const union ext_entry *entries, int count);
/* An empty node; an empty tree in an inode that nobody else knows yet. */
void ext4_ext_init_root(struct inode *inode);
void ext4_ext_init_node(const struct ext4_geometry *geo, struct ext4_extent_header *h, int depth);
/* The first entry of the leaf may have another key now: the keys above follow. */
must_check int ext4_ext_correct_indexes(struct handle *h, struct ext_path *p, int level);

/* ---- steps */

/*
 * Puts `r`, of which no block is mapped yet, into the tree; p was found for r->lblk and is not good
 * afterwards. Flags: PRE_IO (not merged with neighbours), DELALLOC and METADATA_NOFAIL (where the
 * blocks of the tree may come from). -ENOSPC and others before anything was changed.
 */
must_check int ext4_ext_insert_extent(struct handle *h, struct ext_path *p, const struct ext_run *r,
				      uint32_t flags);
/*
 * The leaf is full: it is split, or the tree grows. Then p leads to the leaf for `lblk`, with room
 * in it.
 */
must_check int ext4_ext_make_room(struct handle *h, struct ext_path *p, ext4_lblk_t lblk,
				  uint32_t flags);
/* Entry `at` of the leaf becomes one with its neighbours where it can; with write access. */
void ext4_ext_merge(struct handle *h, struct ext_path *p, int at);
/* Entry `at` of the leaf takes in those behind it that it can be one extent with. True: some. */
bool ext4_ext_join_following(struct ext_path *p, int at);
/* Where the extent before `lblk` would go on: what the allocator tries first. */
ext4_fsblk_t ext4_ext_find_goal(const struct ext_path *p, ext4_lblk_t lblk);

/* The extent that holds `at` is cut there: `at` begins one. Neither part merges. */
must_check int ext4_force_split_extent_at(struct handle *h, struct ext_path *p, ext4_lblk_t at,
					  bool nofail);
enum ext_shift_direction { EXT_SHIFT_LEFT, EXT_SHIFT_RIGHT };
/*
 * Extents from block `from` on move by `shift` blocks; to the left, into a hole. map_lock held for writing;
 * extends `h`, or restarts it: then map_lock is let go meanwhile. *moved: what has moved when it ends, with
 * an error too.
 */
must_check int ext4_ext_shift_extents(struct handle *h, struct inode *inode, ext4_lblk_t from, uint32_t shift,
				      enum ext_shift_direction direction, bool *moved);
/* The last extent would still end within what a file can have. */
bool ext4_ext_can_shift_right(struct inode *inode, uint32_t shift);
/*
 * The unwritten extent taken, asked for with `flags`; `allocated` of its blocks lie from map->lblk
 * on. As ext4_map_blocks.
 */
must_check int ext4_ext_handle_unwritten_extents(struct handle *h, struct ext_path *p,
						 struct ext4_map *map, uint32_t flags,
						 uint32_t allocated, ext4_fsblk_t newblock);
/* The written extent taken: `map` of it becomes unwritten. */
must_check int ext4_ext_convert_initialized(struct handle *h, struct ext_path *p,
					    struct ext4_map *map, uint32_t flags,
					    uint32_t allocated, ext4_fsblk_t newblock);
/*
 * The inode may bear a flag that blocks past its size are allocated (kernels before 5.8 set it). It
 * goes when what is mapped is, or lies behind, the last extent. p is found again. Where that fails,
 * the flag stays, which does no harm.
 */
void ext4_ext_check_eofblocks(struct handle *h, struct ext_path *p, const struct ext4_map *map);
/* Delayed blocks among these were just allocated: their promise is kept. */
void ext4_ext_claim_delayed(struct inode *inode, ext4_lblk_t lblk, uint32_t len, bool quota_claim);

#endif
