/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One directory as it is checked: its blocks, what its hash tree says of them, and its names.
 */
#ifndef EXTANT_CHECK_DIR_H
#define EXTANT_CHECK_DIR_H

#include "check/internal.h"
#include "ext4/hash.h"

struct dir_block {
	ext4_fsblk_t pblk;
	uint32_t lblk;
	uint32_t lo, hi;		/* hashes that names in it may have */
	bool is_node;			/* holds the tree, no names */
	bool in_tree;			/* something points at it */
};

struct name_key {			/* stands for a name */
	uint64_t a, b;
};

struct dir_blocks {
	uint32_t ino, seed;
	bool has_index;
	bool tree;			/* and the tree could be read */
	uint8_t hash_version;		/* signed or unsigned as the image says */
	struct dir_block *blocks;	/* ascending by lblk */
	size_t count, room;
	struct name_key *names;
	size_t names_count, names_room;
};

/* NULL: the directory has no such block. */
struct dir_block *check_dir_block(struct dir_blocks *d, uint32_t lblk);
/*
 * Reads the tree: which blocks are nodes, which hashes the others may hold. Sets d->tree if all is
 * well.
 */
must_check int check_hash_tree(struct check *c, struct dir_blocks *d);

#endif
