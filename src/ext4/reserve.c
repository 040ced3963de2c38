/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Free space and promises on it. A delayed write takes no block yet, it is promised one: `dirty`
 * counts the promises, and nobody may take a free cluster that is promised to somebody else. So a
 * write that was accepted never fails later for lack of space.
 *
 * Held back besides: root's reserved blocks (from all but root), and a small reserve from which the
 * metadata is taken that mapping a delayed block turns out to need (MB_USE_RESV).
 *
 * In a block map, a block far from the others needs up to three blocks of pointers: more than a small
 * reserve can hold. There each delayed block that begins another block of pointers than the one before
 * it is promised the whole way, `reserved_pointers`, besides. That is too much where the way is there
 * already; what is not taken goes back with the inode's last promise.
 *
 * An inode's own promises are in `reserved_blocks`, under its reserve_lock (RANK_RESERVE).
 */
#include "base/assert.h"
#include "ext4/alloc.h"
#include "ext4/data.h"
#include "ext4/indirect.h"

/* Below this many clusters to spare, the coarse counters are not good enough. */
#define FREE_WATERMARK (4 * COUNTER_BATCH)

void ext4_counter_set(struct ext4_counter *c, int64_t value)
{
	atomic_store_explicit(&c->whole, value, memory_order_relaxed);
	atomic_store_explicit(&c->share, 0, memory_order_relaxed);
}

void ext4_counter_add(struct ext4_counter *c, int64_t delta)
{
	int64_t share = atomic_fetch_add_explicit(&c->share, delta, memory_order_relaxed) + delta;

	if (share > -COUNTER_BATCH && share < COUNTER_BATCH)
		return;
	atomic_fetch_add_explicit(&c->whole, share, memory_order_relaxed);
	atomic_fetch_sub_explicit(&c->share, share, memory_order_relaxed);
}

int64_t ext4_counter_read(const struct ext4_counter *c)
{
	return max((int64_t)0, atomic_load_explicit(&c->whole, memory_order_relaxed));
}

int64_t ext4_counter_sum(const struct ext4_counter *c)
{
	return atomic_load_explicit(&c->whole, memory_order_relaxed) +
	       atomic_load_explicit(&c->share, memory_order_relaxed);
}

/* Blocks only root may take are counted in blocks; the rest in clusters. */
static int64_t root_clusters(const struct ext4_fs *fs)
{
	return (int64_t)(fs->geo.r_blocks_count / fs->geo.cluster_ratio);
}

bool ext4_has_free_clusters(struct ext4_fs *fs, int64_t clusters, unsigned alloc_flags)
{
	int64_t free_clusters = ext4_counter_read(&fs->counters.free_clusters);
	int64_t dirty = ext4_counter_read(&fs->counters.dirty_clusters);
	int64_t reserved =
		atomic_load_explicit(&fs->counters.reserved_clusters, memory_order_relaxed);
	int64_t root = root_clusters(fs);
	struct task *t = task_current();

	if (free_clusters - (clusters + reserved + root + dirty) < FREE_WATERMARK) {
		free_clusters = ext4_counter_sum(&fs->counters.free_clusters);
		dirty = ext4_counter_sum(&fs->counters.dirty_clusters);
	}
	if (free_clusters >= dirty + clusters + reserved + root)
		return true;
	if (!(t && t->flags & TASK_UNPRIVILEGED) || alloc_flags & MB_USE_ROOT_BLKS)
		if (free_clusters >= dirty + clusters + reserved)
			return true;
	return alloc_flags & MB_USE_RESV && free_clusters >= dirty + clusters;
}

bool ext4_should_retry_alloc(struct ext4_fs *fs, int *retries)
{
	if (!fs->journal || !ext4_has_free_clusters(fs, 1, 0) || (*retries)++ > 3)
		return false;
	if (!atomic_load(&fs->counters.pending_clusters))
		return true; /* another task may have given some back */
	return jbd2_journal_force_commit(fs->journal) == 0;
}

int ext4_claim_free_clusters(struct ext4_fs *fs, int64_t clusters, unsigned alloc_flags)
{
	if (!ext4_has_free_clusters(fs, clusters, alloc_flags))
		return -ENOSPC;
	ext4_counter_add(&fs->counters.dirty_clusters, clusters);
	return 0;
}

bool ext4_nonda_switch(struct ext4_fs *fs)
{
	int64_t free_clusters = ext4_counter_read(&fs->counters.free_clusters);
	int64_t dirty = ext4_counter_read(&fs->counters.dirty_clusters);

	if (dirty && free_clusters < 2 * dirty) {
		ext4_flusher_wake(fs);
		task_yield(); /* what it writes is no promise any more */
	}
	return 2 * free_clusters < 3 * dirty || free_clusters < dirty + FREE_WATERMARK;
}

/* The blocks of pointers that may lack on the way to the block; *first: where the last one begins. */
static uint32_t pointers_for(struct inode *inode, ext4_lblk_t lblk, ext4_lblk_t *first)
{
	struct ind_place place;
	ext4_lblk_t begin;

	*first = inode->pointers_first;
	if (inode->flags & EXT4_EXTENTS_FL || !ext4_ind_place(ind_pointers(inode), lblk, &place))
		return 0;
	begin = lblk - place.at[place.depth - 1];
	if (place.depth == 1 || (inode->reserved_blocks && inode->pointers_first == begin))
		return 0;
	*first = begin;
	return (uint32_t)place.depth - 1;
}

/* Under reserve_lock. */
static void release_pointers(struct inode *inode, uint32_t count)
{
	inode->reserved_pointers -= count;
	ext4_counter_add(&inode->fs->counters.dirty_clusters, -(int64_t)count);
}

void ext4_da_use_pointers(struct inode *inode, uint32_t used)
{
	guard(&inode->reserve_lock);
	release_pointers(inode, min(used, inode->reserved_pointers));
}

void ext4_da_forget_pointers(struct inode *inode)
{
	guard(&inode->reserve_lock);
	inode->pointers_first = EXT4_MAX_LBLK;
}

int ext4_da_reserve_space(struct inode *inode, ext4_lblk_t lblk)
{
	struct ext4_fs *fs = inode->fs;
	ext4_lblk_t first;
	uint32_t pointers;
	int err;

	TRACE_SCOPE(fs, ext4_da_reserve_space);
	guard(&inode->reserve_lock);
	pointers = pointers_for(inode, lblk, &first);
	err = ext4_claim_free_clusters(fs, 1 + (int64_t)pointers, 0);
	if (err)
		return err;
	inode->pointers_first = first;
	inode->reserved_pointers += pointers;
	inode->reserved_blocks++;
	trace(fs, ext4_da_reserve_space, inode->ino, inode->mode, inode->blocks,
	      (int)inode->reserved_blocks, 0, 1);
	return 0;
}

void ext4_da_release_space(struct inode *inode, uint32_t blocks)
{
	struct ext4_fs *fs = inode->fs;

	if (!blocks)
		return;
	guard(&inode->reserve_lock);
	trace(fs, ext4_da_release_space, inode->ino, inode->mode, inode->blocks, (int)blocks,
	      inode->reserved_blocks, 0, 0);
	ensure(inode->reserved_blocks >= blocks);
	inode->reserved_blocks -= blocks;
	ext4_counter_add(&fs->counters.dirty_clusters, -(int64_t)blocks);
	if (!inode->reserved_blocks)
		release_pointers(inode, inode->reserved_pointers);
}

/*
 * What was promised and is now allocated is no promise any more; the allocator took it off `free`.
 */
void ext4_da_update_reserve_space(struct inode *inode, uint32_t used, bool quota_claim)
{
	struct ext4_fs *fs = inode->fs;
	bool none_left;

	mutex_lock(&inode->reserve_lock);
	trace(fs, ext4_da_update_reserve_space, inode->ino, inode->mode, inode->blocks, (int)used,
	      inode->reserved_blocks, 0, 0, quota_claim);
	ensure(inode->reserved_blocks >= used);
	inode->reserved_blocks -= used;
	ext4_counter_add(&fs->counters.dirty_clusters, -(int64_t)used);
	none_left = !inode->reserved_blocks;
	if (none_left)
		release_pointers(inode, inode->reserved_pointers);
	mutex_unlock(&inode->reserve_lock);
	/* The blocks now counted as the inode's own must reach its table entry. */
	if (quota_claim) {
		ext4_inode_add_bytes(inode, (int64_t)used << fs->geo.block_bits);
		(void)ext4_dirty_inode(inode); /* joins the open handle, which has the credit */
	}
	if (none_left && atomic_load_explicit(&inode->writers, memory_order_relaxed) == 0)
		ext4_discard_preallocations(inode);
}
