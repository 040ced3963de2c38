/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file system for tests of the map that consists of one inode: real buffers on a device in
 * memory, and, in place of journal, allocator and inode table, toys that watch:
 *
 *	journal		a change without write access, or without being made dirty, is found at
 *			the next commit; a handle that dirties more blocks than it has credits, at
 *			once
 *	allocator	which blocks are in use; blocks for trees lie in a region of their own
 *	inode table	holds the root as it was when the inode was last made dirty
 *
 * The toys replace the functions of the real ones at link time. Every handle is one transaction.
 */
#ifndef EXTANT_EXT4_MAP_FAKE_H
#define EXTANT_EXT4_MAP_FAKE_H

#include "base/random.h"
#include "ext4/alloc.h"
#include "ext4/extents.h"

#define FAKE_BLOCK_SIZE 512u
#define FAKE_META_BLOCKS 4096u /* blocks 1 to this are for trees */
#define FAKE_BLOCKS 65536u
#define FAKE_NODE_ENTRIES 7 /* so that few extents make a deep tree */

struct map_fake {
	struct ext4_fs fs;
	struct inode inode;
	struct clock clock;
	struct log log;
	struct task *task;
	struct random random;
	struct block_device *fault; /* block_fault_at() */
	struct handle handle;
	/* allocator */
	uint8_t used[FAKE_BLOCKS];
	uint32_t data_used, meta_used;
	ext4_fsblk_t next_data; /* where it looks first, whatever the goal */
	uint32_t run_max; /* longest piece it gives */
	uint64_t allocations; /* so far */
	uint64_t fail_at; /* this one fails with -ENOSPC */
	ext4_fsblk_t last_goal;
	uint32_t last_flags;
	/* journal */
	uint8_t state[FAKE_META_BLOCKS + 1]; /* FAKE_* */
	uint8_t *committed[FAKE_META_BLOCKS + 1];
	bool inode_dirty, bitmap_dirty; /* in this transaction */
	uint32_t restarts, extends;
	int remove_credits; /* what fake_remove starts with; 0: what is due */
	uint32_t refuse_extend_in; /* one of so many extensions is refused; 0: none */
	le32 table_root[15];
	uint32_t errors; /* ext4_error was called */
	char error_text[200];
	ext4_fsblk_t own_first, own_count; /* blocks that no file may map */
	uint32_t reserved, released; /* delayed blocks */
	bool no_space; /* ext4_da_reserve_space fails */
	bool hostile; /* damage is expected: what is freed may be free, changes may be lost */
};

/* `entries` to a node; 0: as many as fit. */
void fake_init(struct map_fake *f, uint64_t seed, int entries);
void fake_fini(struct map_fake *f);

struct handle *fake_start(struct map_fake *f, int credits);
void fake_stop(struct map_fake *f);
/* Everything that memory knows of the tree goes: the next look-up reads it. */
void fake_forget_all(struct map_fake *f);

/* ext4_map_blocks in a handle with the credits that are due. `*got` is what it said. */
int fake_map(struct map_fake *f, ext4_lblk_t lblk, uint32_t len, uint32_t flags,
	     struct ext4_map *got);
/* Truncates (last: EXT4_MAX_LBLK) or punches. */
int fake_remove(struct map_fake *f, ext4_lblk_t start, ext4_lblk_t last);

#endif
