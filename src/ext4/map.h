/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a block of a file to a block of the device: the extent status tree in memory, the extent
 * tree (or the block map) on disk, and ext4_map_blocks, which asks the one and then the other and
 * allocates when told to.
 */
#ifndef EXTANT_EXT4_MAP_H
#define EXTANT_EXT4_MAP_H

#include "ext4/inode.h"

/* ---- ext4_map_blocks */

enum ext4_map_flags {			/* as the events print them (4.9) */
		      MAP_CREATE = 0x1,
		      MAP_UNWRIT = 0x2, /* allocate as unwritten */
		      MAP_DELALLOC = 0x4, /* the blocks were reserved by a delayed write */
		      MAP_PRE_IO = 0x8,
		      MAP_CONVERT = 0x10,
		      MAP_METADATA_NOFAIL = 0x20, /* may use the reserved clusters */
		      MAP_NO_NORMALIZE = 0x40, /* exactly so many blocks: fallocate */
		      MAP_KEEP_SIZE = 0x80,
		      MAP_TO_UNWRITTEN =
			      0x100, /* turn written extents into unwritten ones: zero range */
		      MAP_ZERO = 0x200,
		      MAP_IO_SUBMIT = 0x400, /* write-back; printed as 0x400 by 4.9 */
		      MAP_NOCACHE =
			      0x40000000, /* what is read of the tree is not worth remembering */
		      MAP_CONVERT_UNWRITTEN = MAP_CONVERT | MAP_UNWRIT | MAP_CREATE,
};
enum ext4_mapped_flags {		/* mflags of the events: their values are fixed by trace/events.def */
			 MAPPED_MAPPED = 0x10,
			 MAPPED_NEW = 0x20,
			 MAPPED_DELAYED = 0x100,
			 MAPPED_BOUNDARY = 0x200,
			 MAPPED_UNWRITTEN = 0x800,
};

struct ext4_map {
	ext4_lblk_t lblk;
	uint32_t len;			/* wanted; then: mapped */
	ext4_fsblk_t pblk;
	uint32_t flags;			/* enum ext4_mapped_flags */
};

/*
 * Maps up to map->len blocks from map->lblk. Returns how many (> 0, with map->flags), 0 for a hole
 * (then map->len says how far it reaches), or an error. Without MAP_CREATE `h` may be NULL. With it
 * the handle has ext4_chunk_credits(). Takes map_lock (read, then write to create).
 */
must_check int ext4_map_blocks(struct handle *h, struct inode *inode, struct ext4_map *map,
			       uint32_t flags);
/*
 * Credits for mapping `blocks` blocks in one extent (mballoc + extent tree + inode); choices.md has
 * the arithmetic.
 */
int ext4_chunk_credits(struct inode *inode, uint32_t blocks);
/* For `extents` pieces of altogether `blocks` blocks. */
int ext4_map_credits(struct inode *inode, uint32_t blocks, uint32_t extents);
/*
 * The delayed write's get-block step (ext4_da_map_blocks): look-up, else reserve one block and
 * remember it as delayed. 1: mapped, map->flags say how; 0: delayed, MAPPED_NEW | MAPPED_DELAYED.
 * -ENOSPC, -ENOMEM: no promise was made.
 */
must_check int ext4_da_map_blocks(struct inode *inode, ext4_lblk_t lblk, struct ext4_map *map);

/* ---- the extent status tree (extent_status.c): what is known of each stretch of the file */

enum es_status {
	ES_WRITTEN = 1,
	ES_UNWRITTEN = 2,
	ES_DELAYED = 4,
	ES_HOLE = 8,
	ES_REFERENCED = 16
};
#define ES_NO_BLOCK \
	576460752303423487ULL /* what holes and delayed stretches print as their block: ~0 without the status bits */

struct extent_status {
	struct rb_node node;
	ext4_lblk_t lblk;
	uint32_t len;
	ext4_fsblk_t pblk;
	uint32_t status;
};

void ext4_es_init_tree(struct es_tree *t);
/* Copies what covers `lblk` {ext4_es_lookup_extent_enter, _exit}. True: found. */
bool ext4_es_lookup_extent(struct inode *inode, ext4_lblk_t lblk, struct extent_status *out);
/*
 * Remembers [lblk, lblk + len) {ext4_es_insert_extent}, replacing what was known; merges with
 * neighbours. -ENOMEM when a delayed stretch cannot be remembered: then nothing new is known. What
 * is also on disk is dropped silently.
 */
must_check int ext4_es_insert_extent(struct inode *inode, ext4_lblk_t lblk, uint32_t len,
				     ext4_fsblk_t pblk, uint32_t status);
/*
 * Before blocks are given to delayed stretches: remembering one that is mapped cannot fail then.
 * -ENOMEM; map_lock held for writing until it is remembered.
 */
must_check int ext4_es_set_aside(struct inode *inode);
/*
 * Remembers a hole, up to the first delayed block in it
 * {ext4_es_find_delayed_extent_range_enter, _exit, ext4_es_insert_extent}.
 */
void ext4_ext_put_gap_in_cache(struct inode *inode, ext4_lblk_t start, ext4_lblk_t end);
/* Remembers a stretch only where nothing is known yet {ext4_es_cache_extent}; never fails. */
void ext4_es_cache_extent(struct inode *inode, ext4_lblk_t lblk, uint32_t len, ext4_fsblk_t pblk,
			  uint32_t status);
/*
 * Forgets [lblk, lblk + len) {ext4_es_remove_extent}; delayed blocks in it are the caller's to
 * release. -ENOMEM when a delayed stretch would have to be cut in two and all memory, the reserve
 * too, is used up: nothing has changed.
 */
must_check int ext4_es_remove_extent(struct inode *inode, ext4_lblk_t lblk, uint32_t len);
/*
 * The first delayed stretch in [lblk, end] {ext4_es_find_delayed_extent_range_enter, _exit};
 * out->len 0: none.
 */
void ext4_es_find_delayed_extent_range(struct inode *inode, ext4_lblk_t lblk, ext4_lblk_t end,
				       struct extent_status *out);
/* No event: the next stretch of any of `statuses` at or after lblk; false: none. */
bool ext4_es_next(struct inode *inode, ext4_lblk_t lblk, uint32_t statuses,
		  struct extent_status *out);
uint32_t ext4_es_delayed_blocks(struct inode *inode, ext4_lblk_t lblk, ext4_lblk_t end);
/* All of it goes, at eviction. */
void ext4_es_clear(struct inode *inode);
/*
 * Of a mount: what can be given back when memory is short, and a few entries for when it is out.
 * -ENOMEM.
 */
must_check int ext4_es_shrinker_create(struct ext4_fs *fs);
/* All trees are empty. Does nothing when there is none. */
void ext4_es_shrinker_destroy(struct ext4_fs *fs);

/* ---- extent trees (extents.c and its siblings) */

/* An empty tree in a new inode {ext4_mark_inode_dirty below it}. */
must_check int ext4_ext_tree_init(struct handle *h, struct inode *inode);
/*
 * As ext4_map_blocks, in the tree {ext4_ext_map_blocks_enter, ext4_ext_show_extent,
 * ext4_ext_map_blocks_exit}. map_lock held.
 */
must_check int ext4_ext_map_blocks(struct handle *h, struct inode *inode, struct ext4_map *map,
				   uint32_t flags);
/*
 * Removes [start, end] from the tree and frees its blocks {ext4_ext_remove_space, ...}. map_lock
 * held for writing; extends `h`, or restarts it: then map_lock is let go meanwhile.
 */
must_check int ext4_ext_remove_space(struct handle *h, struct inode *inode, ext4_lblk_t start,
				     ext4_lblk_t end);
/* Turns unwritten extents in the range into written ones; `h` NULL: in handles of its own. */
must_check int ext4_convert_unwritten_extents(struct handle *h, struct inode *inode,
					      ext4_lblk_t lblk, uint32_t len);
/*
 * Walks the extents of the tree in order, from `lblk`; fn returns 0 to go on. For fiemap, SEEK_DATA
 * and checks. map_lock is held for reading meanwhile.
 */
int ext4_ext_walk(struct inode *inode, ext4_lblk_t lblk,
		  int (*fn)(void *arg, ext4_lblk_t lblk, uint32_t len, ext4_fsblk_t pblk,
			    bool unwritten),
		  void *arg);
int ext4_ext_depth(const struct inode *inode);
/* Verifies the root in the inode when it is loaded. */
must_check int ext4_ext_check_root(struct inode *inode);

/* ---- block maps (indirect.c): ext2 and ext3 files. The same promises. */
must_check int ext4_ind_map_blocks(struct handle *h, struct inode *inode, struct ext4_map *map,
				   uint32_t flags);
/* Mapped stretches up to the size, in order, without events; fn returns 0 to go on. */
int ext4_ind_walk(struct inode *inode, int (*fn)(void *arg, ext4_lblk_t lblk, uint32_t len, ext4_fsblk_t pblk),
		  void *arg);
/* The bytes that three levels of pointers, and the 32 bits of a block's number, reach. */
uint64_t ext4_ind_reach(const struct ext4_geometry *geo);
/* How large a file may be made. */
uint64_t ext4_ind_max_size(const struct ext4_geometry *geo);
must_check int ext4_ind_remove_space(struct handle *h, struct inode *inode, ext4_lblk_t start,
				     ext4_lblk_t end);

/* ---- what a stretch is (map_walk.c): for SEEK_DATA, SEEK_HOLE and FIEMAP */

/*
 * The next stretch of data (written, delayed, or unwritten and in the page cache) in [lblk, end): 1 and where it
 * begins and how long it is, 0 when there is none.
 */
must_check int ext4_map_next_data(struct inode *inode, ext4_lblk_t lblk, ext4_lblk_t end, ext4_lblk_t *first,
				  uint32_t *len);
/*
 * Every stretch that has blocks or promises, in order; `status` of enum es_status, with ES_REFERENCED where a
 * block map was put together to that stretch. fn other than 0 ends it.
 */
int ext4_map_walk(struct inode *inode,
		  int (*fn)(void *arg, ext4_lblk_t lblk, uint32_t len, ext4_fsblk_t pblk, uint32_t status), void *arg);

#endif
