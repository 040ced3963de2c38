/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Choosing and freeing blocks (mballoc.c, balloc.c) and inodes (ialloc.c). What is chosen, and from
 * what, is Linux 4.9's: docs/choices.md.
 */
#ifndef EXTANT_EXT4_ALLOC_H
#define EXTANT_EXT4_ALLOC_H

#include "ext4/inode.h"

enum ext4_mb_flags {			/* as the events print them */
		     MB_HINT_MERGE = 0x1,
		     MB_HINT_RESV = 0x2,
		     MB_HINT_MDATA = 0x4,
		     MB_HINT_FIRST = 0x8,
		     MB_HINT_BEST = 0x10,
		     MB_HINT_DATA = 0x20,
		     MB_HINT_NOPREALLOC = 0x40,
		     MB_HINT_GRP_ALLOC = 0x80,
		     MB_HINT_GOAL_ONLY = 0x100,
		     MB_HINT_TRY_GOAL = 0x200,
		     MB_DELALLOC_RESV = 0x400,
		     MB_STREAM_ALLOC = 0x800,
		     MB_USE_ROOT_BLKS = 0x1000,
		     MB_USE_RESV = 0x2000,
};

struct ext4_alloc_request {
	struct inode *inode;
	uint32_t len;			/* wanted; then: got */
	ext4_lblk_t logical;
	ext4_lblk_t lleft,
		lright; /* allocated neighbours: last block before, first after; 0: none */
	ext4_fsblk_t goal, pleft, pright;
	uint32_t flags;
};

must_check int ext4_mb_init(struct ext4_fs *fs);
/* Gives back the small-file preallocations, drops buddies. */
void ext4_mb_release(struct ext4_fs *fs);
/*
 * Allocates: {ext4_request_blocks} ... {ext4_allocate_blocks}. Yields the first block; ar->len says
 * how many (at least 1). -ENOSPC, -EIO, damage. The bitmap and descriptor go with the handle.
 */
must_check int ext4_mb_new_blocks(struct handle *h, struct ext4_alloc_request *ar,
				  ext4_fsblk_t *out);
/* One block of metadata for an inode's tree, near `goal`. */
must_check int ext4_new_meta_blocks(struct handle *h, struct inode *inode, ext4_fsblk_t goal,
				    uint32_t flags, uint32_t *count, ext4_fsblk_t *out);

enum ext4_free_flags {			/* as the events print them */
		       FREE_METADATA = 0x1,
		       FREE_FORGET = 0x2,
		       FREE_VALIDATED = 0x4,
		       FREE_NO_QUOTA = 0x8,
		       FREE_1ST_CLUSTER = 0x10,
		       FREE_LAST_CLUSTER = 0x20,
};
/*
 * Frees {ext4_free_blocks, ext4_forget per block with FREE_FORGET, ext4_mballoc_free}. They can be
 * used again when the transaction has committed (data of data=writeback: at once).
 */
must_check int ext4_free_blocks(struct handle *h, struct inode *inode, ext4_fsblk_t block,
				uint64_t count, uint32_t flags);
/* For who changes the map first: afterwards, in the same handle, freeing them does not fail. */
must_check int ext4_free_blocks_prepare(struct handle *h, struct inode *inode, ext4_fsblk_t block,
					uint64_t count);
/* The commit task, when a transaction is stable: what it freed is discarded, if it is to be. */
void ext4_mb_committed(struct ext4_fs *fs);
/* Gives an inode's preallocations back {ext4_discard_preallocations, ext4_mb_release_inode_pa}. */
void ext4_discard_preallocations(struct inode *inode);
/* The goal for a block of a file whose tree has no neighbour: see docs/choices.md. */
ext4_fsblk_t ext4_inode_to_goal_block(struct inode *inode);
/* Tests and tools: free extents of a group as the buddy knows them. */
int ext4_mb_walk_free(struct ext4_fs *fs, ext4_group_t group,
		      int (*fn)(void *arg, uint32_t start, uint32_t len), void *arg);

/* ---- delayed allocation's accounting (reserve.c) */

/* Its block `lblk` is promised one {ext4_da_reserve_space}, and what its map may need. -ENOSPC. */
must_check int ext4_da_reserve_space(struct inode *inode, ext4_lblk_t lblk);
/* So many blocks of pointers were allocated for promised blocks. */
void ext4_da_use_pointers(struct inode *inode, uint32_t used);
/* Blocks of pointers were freed: the next promise counts the whole way again. */
void ext4_da_forget_pointers(struct inode *inode);
/* `blocks` promised ones are not needed any more {ext4_da_release_space}. */
void ext4_da_release_space(struct inode *inode, uint32_t blocks);
/* `used` promised ones were allocated {ext4_da_update_reserve_space}. */
void ext4_da_update_reserve_space(struct inode *inode, uint32_t used, bool quota_claim);

/* ---- inodes */

/*
 * A new inode of `mode` below `dir` {ext4_request_inode, (handle), ..., ext4_allocate_inode}. It
 * starts the handle itself (ext4_new_inode_start_handle) with `credits` and leaves it open on
 * success: the caller goes on with ext4_journal_current_handle and stops it. `name`: what orlov
 * hashes for directories. `*out` is referenced and INODE_NEW.
 */
struct ext4_cred {
	uint32_t uid, gid;		/* of the new inode */
	uint32_t umask;			/* where the directory has no default list of rights */
	const uint32_t *groups;		/* further ones that the user is in */
	uint32_t group_count;
};
must_check int __ext4_new_inode(struct inode *dir, uint16_t mode, const char *name, size_t name_len,
				const struct ext4_cred *cred, enum ext4_handle_type type,
				int credits, struct inode **out);
#define ext4_new_inode_start_handle __ext4_new_inode
/*
 * The number goes back {ext4_free_inode}, and memory lets go of its map; the last step of an
 * eviction.
 */
must_check int ext4_free_inode(struct handle *h, struct inode *inode);
/* Zeroes what of an inode table was never written (lazyinit.c: its task). */
must_check int ext4_init_inode_table(struct ext4_fs *fs, ext4_group_t group, bool barrier);

/* ---- orphans (orphan.c): list or file */

must_check int ext4_orphans_load(struct ext4_fs *fs);
void ext4_orphans_unload(struct ext4_fs *fs);
/*
 * The inode will be finished by the next mount, should this one end before (J10). Under the inode's
 * lock.
 */
must_check int ext4_orphan_add(struct handle *h, struct inode *inode);
must_check int ext4_orphan_del(struct handle *h, struct inode *inode);
/*
 * It is a link of the list: the chain on disk runs through it. One that is evicted as it is (an error, or a
 * read-only end) keeps its memory until ext4_orphans_unload, or a later removal would lose it from the chain.
 */
bool ext4_orphan_linked(struct inode *inode);
/* The superblock must say that the file may hold some, and when it holds none. */
bool ext4_orphan_file_in_use(const struct ext4_fs *fs);
bool ext4_orphan_file_empty(const struct ext4_fs *fs);
/* At mount: truncates or deletes what was left over. */
void ext4_orphan_cleanup(struct ext4_fs *fs);

#endif
