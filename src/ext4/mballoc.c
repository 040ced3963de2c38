/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Allocating blocks: one request from end to end.
 *
 *	claim      the clusters are promised, unless a delayed write promised them before
 *	aim        what kind of request it is, and how much to look for (mb_prealloc.c)
 *	find       in space set aside before, else by the search (mb_search.c)
 *	mark       on disk, within the handle: bitmap, descriptor, counters
 *	set aside  what was found beyond the request
 *
 * When nothing is found, all that is set aside is given back, and the search begins again.
 */
#include "base/assert.h"
#include "base/bitmap.h"
#include "ext4/data.h"
#include "ext4/mballoc_internal.h"

#define SMALL_FILE_BLOCKS 16		/* mb_stream_req */

/* ---- marking on disk */

/* A group that was never allocated from gets its bitmap with the first change. */
static void note_initialised(struct ext4_group *g)
{
	g->flags &= (uint16_t)~EXT4_BG_BLOCK_UNINIT;
}

static int mark_bits(struct mb_context *ac, struct handle *h, struct ext4_group *g,
		     struct buffer *bits)
{
	struct ext4_fs *fs = ac->fs;
	uint32_t start = ac->best.start, len = ac->best.len;
	int err;

	guard(&g->lock);
	if (!bitmap_all_zeros(bits->data, start, len) || g->free_clusters < len) {
		g->block_bitmap_bad = true;
		return ext4_error(fs, ac->inode->ino, bits->block,
				  "group %u: blocks %u to %u are used already", g->number, start,
				  start + len - 1);
	}
	bitmap_set_range(bits->data, start, len);
	g->free_clusters -= len;
	note_initialised(g);
	ext4_block_bitmap_csum_set(fs, g, bits);
	err = ext4_handle_dirty_metadata(fs, h, 0, bits);
	return err ? err : ext4_group_dirty(fs, h, g);
}

int mb_mark_used_on_disk(struct mb_context *ac, struct handle *h, uint32_t claimed)
{
	struct ext4_fs *fs = ac->fs;
	ext4_fsblk_t block = ext4_group_first_block(&fs->geo, ac->best.group) + ac->best.start;
	struct ext4_group *g;
	autobuffer bits = NULL;
	int err = ext4_group_get(fs, ac->best.group, &g);

	if (!err)
		err = ext4_read_block_bitmap(fs, g, &bits);
	if (!err)
		err = ext4_journal_get_write_access(fs, h, bits);
	if (!err)
		err = ext4_group_get_write_access(fs, h, g);
	if (err)
		return err;
	if (!ext4_inode_block_valid(fs, ac->inode->ino, block, ac->best.len))
		return ext4_error(fs, ac->inode->ino, block,
				  "allocated %u blocks of the file system's own", ac->best.len);
	err = mark_bits(ac, h, g, bits);
	if (err)
		return err;
	ext4_counter_add(&fs->counters.free_clusters, -(int64_t)ac->best.len);
	if (!(ac->flags & MB_DELALLOC_RESV))
		ext4_counter_add(&fs->counters.dirty_clusters, -(int64_t)claimed);
	ext4_flex_add(fs, g->number, -(int64_t)ac->best.len, 0, 0);
	return 0;
}

/* ---- the request */

static bool is_open_for_writing(const struct inode *inode)
{
	return atomic_load_explicit(&inode->writers, memory_order_relaxed) > 0;
}

/* Exactly at the end of a file that nobody writes; a small file; or a larger one. */
static void choose_kind(struct mb_context *ac)
{
	struct ext4_fs *fs = ac->fs;
	uint64_t end = (uint64_t)ac->orig.logical + ac->orig.len;
	uint64_t size = (ac->inode->size + fs->geo.block_size - 1) >> fs->geo.block_bits;

	if (!(ac->flags & MB_HINT_DATA) || ac->flags & MB_HINT_GOAL_ONLY)
		return;
	if (end == size && !is_open_for_writing(ac->inode))
		ac->flags |= MB_HINT_NOPREALLOC;
	else if (max(end, size) > SMALL_FILE_BLOCKS)
		ac->flags |= MB_STREAM_ALLOC;
	else
		ac->flags |= MB_HINT_GRP_ALLOC;
}

static void context_init(struct mb_context *ac, const struct ext4_alloc_request *ar)
{
	struct ext4_fs *fs = ar->inode->fs;
	ext4_fsblk_t goal = ar->goal;

	if (goal < fs->geo.first_data_block || goal >= fs->geo.blocks_count)
		goal = fs->geo.first_data_block;
	*ac = (struct mb_context){ .fs = fs, .inode = ar->inode, .flags = ar->flags };
	ac->orig.group = ext4_group_of_block(&fs->geo, goal);
	ac->orig.start = ext4_offset_in_group(&fs->geo, goal);
	ac->orig.len = ar->len;
	ac->orig.logical = ar->logical;
	ac->goal = ac->orig;
	ac->best.logical = ar->logical;
	choose_kind(ac);
}

/* What is not promised yet is promised now; half as much where there is not enough. */
static int claim(const struct ext4_alloc_request *ar, uint32_t *len)
{
	struct ext4_fs *fs = ar->inode->fs;

	for (*len = ar->len; *len; *len /= 2)
		if (ext4_claim_free_clusters(fs, *len, ar->flags) == 0)
			return 0;
	return -ENOSPC;
}

static void trace_result(const struct mb_context *ac)
{
	const struct mb_extent *o = &ac->orig, *g = &ac->goal, *r = &ac->first, *b = &ac->best;

	if (ac->history == MB_HISTORY_PREALLOC)
		trace(ac->fs, ext4_mballoc_prealloc, ac->inode->ino, o->group, (int)o->start,
		      (int)o->len, o->logical, b->group, (int)b->start, (int)b->len, b->logical);
	else
		trace(ac->fs, ext4_mballoc_alloc, ac->inode->ino, o->group, (int)o->start,
		      (int)o->len, o->logical, g->group, (int)g->start, (int)g->len, g->logical,
		      r->group, (int)r->start, (int)r->len, r->logical, ac->found, ac->groups,
		      (uint32_t)ac->round, ac->flags, ac->tail, ac->buddy ? 1u << ac->buddy : 0);
}

/* Searches, and once more when giving back what is set aside has freed something. */
static int find_space(struct mb_context *ac, const struct ext4_alloc_request *ar)
{
	int err;

	if (mb_use_preallocated(ac)) {
		ac->history = MB_HISTORY_PREALLOC;
		return 0;
	}
	mb_normalize(ac, ar);
	do {
		ac->status = MB_SEARCHING;
		ac->best.len = 0;
		err = mb_search(ac);
		if (err || ac->status == MB_FOUND)
			break;
	} while (mb_discard_all(ac->fs, ac->orig.len));
	if (!err && ac->status == MB_FOUND && ac->best.len > ac->orig.len)
		mb_new_preallocation(ac);
	if (err)
		return err;
	return ac->status == MB_FOUND ? 0 : -ENOSPC;
}

/* The blocks count as the inode's from now on; what was not got goes off again. */
static int account(struct inode *inode, int64_t blocks)
{
	ext4_inode_add_bytes(inode, blocks * inode->fs->geo.block_size);
	return ext4_dirty_inode(inode);
}

static int allocate(struct handle *h, struct ext4_alloc_request *ar, uint32_t claimed,
		    ext4_fsblk_t *out)
{
	struct ext4_fs *fs = ar->inode->fs;
	struct mb_context ac;
	int err;

	context_init(&ac, ar);
	err = find_space(&ac, ar);
	if (!err) {
		err = mb_mark_used_on_disk(&ac, h, claimed);
		if (err && err != -EFSCORRUPTED) /* then the bitmap says that they are used */
			mb_take_back(&ac);
		mb_release_context(&ac);
	}
	trace_result(&ac);
	if (err)
		return err;
	*out = ext4_group_first_block(&fs->geo, ac.best.group) + ac.best.start;
	ar->len = ac.best.len;
	return 0;
}

int ext4_mb_new_blocks(struct handle *h, struct ext4_alloc_request *ar, ext4_fsblk_t *out)
{
	struct ext4_fs *fs = ar->inode->fs;
	bool delayed = ar->flags & MB_DELALLOC_RESV;
	uint32_t claimed = 0;
	int err = 0;

	TRACE_SCOPE(fs, ext4_mb_new_blocks);
	trace(fs, ext4_request_blocks, ar->inode->ino, ar->flags, ar->len, ar->logical, ar->goal,
	      ar->lleft, ar->lright, ar->pleft, ar->pright);
	if (!delayed) {
		err = claim(ar, &claimed);
		if (err)
			return err;
		ar->len = claimed;
		err = account(ar->inode, claimed);
	}
	if (!err)
		err = allocate(h, ar, claimed, out);
	if (!delayed && (err || ar->len < claimed)) /* the table must not keep the larger number */
		ignore_result(account(ar->inode, -(int64_t)(err ? claimed : claimed - ar->len)));
	if (err) {
		if (!delayed)
			ext4_counter_add(&fs->counters.dirty_clusters, -(int64_t)claimed);
		return err;
	}
	trace(fs, ext4_allocate_blocks, ar->inode->ino, ar->flags, ar->len, *out, ar->logical,
	      ar->goal, ar->lleft, ar->lright, ar->pleft, ar->pright);
	return 0;
}

int ext4_new_meta_blocks(struct handle *h, struct inode *inode, ext4_fsblk_t goal, uint32_t flags,
			 uint32_t *count, ext4_fsblk_t *out)
{
	struct ext4_alloc_request ar = {
		.inode = inode, .goal = goal, .len = count ? *count : 1, .flags = flags
	};
	int err;

	TRACE_SCOPE(inode->fs, ext4_new_meta_blocks);
	err = ext4_mb_new_blocks(h, &ar, out);
	if (err)
		return err;
	/* What a delayed write promised are data blocks: those of the tree count from here on. */
	if (flags & MB_DELALLOC_RESV)
		ignore_result(account(inode, ar.len));
	if (count)
		*count = ar.len;
	return 0;
}

/* ---- its life */

int ext4_mb_init(struct ext4_fs *fs)
{
	struct mballoc *mb = arena_new(fs->arena, struct mballoc);

	if (!mb)
		return -ENOMEM;
	for (int i = 0; i < MB_SHARDS; i++) {
		mutex_init(&mb->shards[i].lock, RANK_PREALLOC);
		list_init(&mb->shards[i].all);
	}
	mutex_init(&mb->small_lock, RANK_PREALLOC);
	mutex_init(&mb->stream_lock, RANK_RESERVE);
	list_init(&mb->small);
	fs->mb = mb;
	return 0;
}

void ext4_mb_release(struct ext4_fs *fs)
{
	struct mballoc *mb = fs->mb;

	if (!mb)
		return;
	mb_discard_small(fs);
	for (ext4_group_t i = 0; i < fs->geo.groups_count; i++)
		if (fs->groups[i])
			mb_group_drop(fs, fs->groups[i]);
	for (int i = 0; i < MB_SHARDS; i++) {
		ensure(list_empty(&mb->shards[i].all));
		mutex_fini(&mb->shards[i].lock);
	}
	mutex_fini(&mb->small_lock);
	mutex_fini(&mb->stream_lock);
	arena_free(fs->arena, mb);
	fs->mb = NULL;
}

int ext4_mb_walk_free(struct ext4_fs *fs, ext4_group_t group,
		      int (*fn)(void *arg, uint32_t start, uint32_t len), void *arg)
{
	struct ext4_group *g;
	struct mb_group *m;
	uint32_t at = 0, end;
	int err = ext4_group_get(fs, group, &g);

	if (!err)
		err = mb_group_load(fs, g);
	if (err)
		return err;
	guard(&g->lock);
	m = atomic_load(&g->mb);
	while (!err && (at = bitmap_next_zero(m->taken, m->blocks, at)) < m->blocks) {
		end = bitmap_next_one(m->taken, m->blocks, at);
		err = fn(arg, at, end - at);
		at = end;
	}
	return err;
}
