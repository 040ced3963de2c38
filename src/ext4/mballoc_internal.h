/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the files of the block allocator: buddy.c (free space of one group), mballoc.c (a request
 * from end to end), mb_search.c (which space it gets), mb_prealloc.c (space set aside), mb_free.c,
 * mb_trim.c (given back to the device).
 * Not for others.
 */
#ifndef EXTANT_EXT4_MBALLOC_INTERNAL_H
#define EXTANT_EXT4_MBALLOC_INTERNAL_H

#include "ext4/alloc.h"

/* ---- buddy.c: what of a group may be taken */

#define MB_ORDERS 18			/* blocks of 64 KiB have orders 0 to 17 */

/*
 * `taken` is the group's bitmap as an allocation sees it: what is used on disk, and what is set
 * aside or was freed in a transaction that has not committed. Free space is kept as buddies: the
 * largest aligned powers of two that are free; order[k] has a bit for each that is free and is not
 * part of a larger one. All under the group's lock.
 */
struct mb_group {
	uint32_t blocks;		/* of the group */
	uint32_t orders;		/* 0 .. orders - 1 */
	uint8_t *taken;			/* a block's worth of bits */
	uint8_t *order[MB_ORDERS];	/* in one block's worth; order[0] is apart */
	uint32_t counters[MB_ORDERS];	/* free buddies of each order */
	uint32_t free_blocks, fragments;
	uint32_t pending;		/* blocks freed, waiting for a commit */
	uint32_t trimmed_least;		/* all free runs so long are discarded; 0: not so */
	uint8_t *memory;
};

struct mb_extent {
	ext4_group_t group;
	uint32_t start, len;		/* in the group */
	ext4_lblk_t logical;
};

/*
 * Makes it from the disk's bitmap {ext4_mb_bitmap_load, ext4_mb_buddy_bitmap_load}, once. Takes the
 * group's lock.
 */
must_check int mb_group_load(struct ext4_fs *fs, struct ext4_group *g);
void mb_group_drop(struct ext4_fs *fs, struct ext4_group *g);
/*
 * Taken now. Yields what the event prints: blocks left when a buddy had to be split first, and its
 * order.
 */
void mb_mark_taken(struct mb_group *m, uint32_t start, uint32_t len, uint32_t *tail,
		   uint32_t *order);
void mb_mark_free(struct mb_group *m, uint32_t start, uint32_t len);
/*
 * The piece of free space that begins at `start`: to the end of the buddy that holds it, and over
 * those right behind it until `needed` are there. 0: not free.
 */
uint32_t mb_piece(const struct mb_group *m, uint32_t start, uint32_t needed);
/* The order of the largest free buddy; -1: none. */
int mb_largest_order(const struct mb_group *m);
uint32_t mb_first_buddy(const struct mb_group *m, int order);

/* ---- a request on its way */

enum mb_status { MB_SEARCHING, MB_GIVE_UP, MB_FOUND };
enum mb_history { MB_HISTORY_ALLOC, MB_HISTORY_PREALLOC };

struct prealloc;

struct mb_context {
	struct ext4_fs *fs;
	struct inode *inode;
	struct mb_extent orig, goal, best, first;	/* wanted; looked for; found; as it was found */
	uint32_t flags;
	enum mb_status status;
	enum mb_history history;
	int round;				/* cr */
	int order;				/* of round 0; 0: none */
	uint32_t found, groups, tail, buddy;
	struct prealloc *pa;			/* the one it comes from */
};

/* ---- mb_search.c */

must_check int mb_search(struct mb_context *ac);

/* ---- mb_prealloc.c: space set aside for one inode, or for small files */

struct prealloc {
	struct list link;			/* of its inode, or of the small files */
	struct list shard;			/* of all */
	struct inode *inode;			/* NULL: for small files */
	ext4_group_t group;
	ext4_fsblk_t pstart;
	ext4_lblk_t lstart;
	uint32_t len, left;
	uint32_t users;				/* requests whose blocks are not on disk yet: it stays */
};

#define MB_SHARDS 16

struct mb_shard {
	struct mutex lock;			/* RANK_PREALLOC: lists of the inodes whose number falls here */
	struct list all;
};

struct mballoc {
	struct mb_shard shards[MB_SHARDS];
	struct mutex small_lock;		/* RANK_PREALLOC */
	struct list small;			/* preallocations for small files */
	struct mutex stream_lock;		/* RANK_RESERVE: where the last stream allocation began */
	ext4_group_t stream_group;
	uint32_t stream_start;
	struct mb_freed *committed;		/* to be discarded; the commit task's */
};

/* ---- mb_free.c, mb_trim.c */

struct mb_freed {				/* free on disk, and taken until the commit */
	struct jbd2_callback callback;
	struct ext4_fs *fs;
	ext4_group_t group;
	uint32_t start, len;
	struct mb_freed *next;
};
/* They can be taken again. */
void mb_give_back(struct ext4_fs *fs, ext4_group_t group, uint32_t start, uint32_t len);
/* Where no commit is waited for: the blocks are still marked as used. */
void mb_discard_now(struct ext4_fs *fs, ext4_group_t group, uint32_t start, uint32_t len);

/* True: the request is served from space set aside before. */
bool mb_use_preallocated(struct mb_context *ac);
/* The request grows to what shall be set aside with it. */
void mb_normalize(struct mb_context *ac, const struct ext4_alloc_request *ar);
/*
 * What was found beyond the request is set aside {ext4_mb_new_group_pa, ext4_mb_new_inode_pa}.
 * Without memory: it is free again.
 */
void mb_new_preallocation(struct mb_context *ac);
/* The blocks found could not be marked on disk: they can be found again. */
void mb_take_back(struct mb_context *ac);
/* The blocks taken from a preallocation are used now; a small-file one that is used up goes. */
void mb_release_context(struct mb_context *ac);
/* Gives everything set aside back; blocks that became free. */
uint32_t mb_discard_all(struct ext4_fs *fs, uint32_t needed);
void mb_discard_small(struct ext4_fs *fs);

/* ---- mballoc.c */

/* Marks them used on disk, within the handle. */
must_check int mb_mark_used_on_disk(struct mb_context *ac, struct handle *h, uint32_t claimed);

#endif
