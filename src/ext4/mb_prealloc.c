/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Space set aside. A file that grows gets its next blocks behind the last ones if more than was
 * asked for is taken at once and kept for it; small files share one stretch and so lie together.
 *
 * What is set aside is taken in the group's `taken` and free on disk: a crash loses nothing. It is
 * found again by the inode's list (its logical blocks), or, for small files, by nearness to the
 * goal.
 *
 * Locks: an inode's list is under the lock of its shard (RANK_PREALLOC), so that all of them can be
 * given back when space runs out without holding on to any inode; small files have a lock of their
 * own. The group's lock comes behind.
 */
#include <stdlib.h>
#include "base/assert.h"
#include "base/bitmap.h"
#include "ext4/mballoc_internal.h"

#define SMALL_STRETCH		512	/* mb_group_prealloc */

static struct mb_shard *shard_of(struct inode *inode)
{
	return &inode->fs->mb->shards[inode->ino % MB_SHARDS];
}

static ext4_fsblk_t block_of(struct ext4_fs *fs, const struct mb_extent *e)
{
	return ext4_group_first_block(&fs->geo, e->group) + e->start;
}

static void set_place(struct ext4_fs *fs, struct mb_extent *e, ext4_fsblk_t block)
{
	e->group = ext4_group_of_block(&fs->geo, block);
	e->start = ext4_offset_in_group(&fs->geo, block);
}

/* ---- using what is there */

static void use_inode_pa(struct mb_context *ac, struct prealloc *pa)
{
	ext4_fsblk_t start = pa->pstart + (ac->orig.logical - pa->lstart);
	ext4_fsblk_t end = min(pa->pstart + pa->len, start + ac->orig.len);

	set_place(ac->fs, &ac->best, start);
	ac->best.len = (uint32_t)(end - start);
	ac->best.logical = ac->orig.logical;
	ensure(pa->left >= ac->best.len);
	pa->left -= ac->best.len;
	pa->users++;
	ac->status = MB_FOUND;
	ac->pa = pa;
}

/* Its beginning moves on when the blocks have been marked on disk (mb_release_context). */
static void use_small_pa(struct mb_context *ac, struct prealloc *pa)
{
	set_place(ac->fs, &ac->best, pa->pstart);
	ac->best.len = ac->orig.len;
	ac->best.logical = ac->orig.logical;
	pa->pstart += ac->best.len;
	pa->len -= ac->best.len;
	pa->left -= ac->best.len;
	pa->users++;
	ac->status = MB_FOUND;
	ac->pa = pa;
}

static bool use_own(struct mb_context *ac)
{
	struct prealloc *pa;

	guard(&shard_of(ac->inode)->lock);
	list_for_each(pa, &ac->inode->preallocations, link)
		if (ac->orig.logical >= pa->lstart && ac->orig.logical < pa->lstart + pa->len &&
		    pa->left) {
			use_inode_pa(ac, pa);
			return true;
		}
	return false;
}

static uint64_t distance(ext4_fsblk_t a, ext4_fsblk_t b)
{
	return a > b ? a - b : b - a;
}

static bool use_small(struct mb_context *ac)
{
	ext4_fsblk_t goal = block_of(ac->fs, &ac->goal);
	struct prealloc *pa, *best = NULL;

	guard(&ac->fs->mb->small_lock);
	list_for_each(pa, &ac->fs->mb->small, link)
		if (pa->left >= ac->orig.len &&
		    (!best || distance(pa->pstart, goal) < distance(best->pstart, goal)))
			best = pa;
	if (best)
		use_small_pa(ac, best);
	return best;
}

bool mb_use_preallocated(struct mb_context *ac)
{
	if (!(ac->flags & MB_HINT_DATA))
		return false;
	return use_own(ac) || (ac->flags & MB_HINT_GRP_ALLOC && use_small(ac));
}

/* ---- how much to ask for */

/* The window by the size of the file, including this request: bytes, and where it begins. */
static uint64_t window_bytes(const struct mb_context *ac, uint64_t size, uint64_t *start)
{
	uint8_t bits = ac->fs->geo.block_bits;
	uint64_t at = (uint64_t)ac->orig.logical << bits, request = (uint64_t)ac->orig.len << bits;
	uint64_t most = 2ull << bits; /* blocks that a buddy can have, more or less */

	*start = 0;
	for (uint64_t n = 16 << 10; n <= 1 << 20; n *= 2)
		if (size <= n)
			return n;
	if (size <= 4 << 20 || most <= 2 << 10) {
		*start = at >> 21 << 21;
		return 2 << 20;
	}
	if (size <= 8 << 20 || most <= 4 << 10) {
		*start = at >> 22 << 22;
		return 4 << 20;
	}
	if (request <= 8 << 20 || most <= 8 << 10) {
		*start = at >> 23 << 23;
		return 8 << 20;
	}
	*start = at;
	return request;
}

/* The window gives way to what is set aside already. */
static void avoid_preallocations(struct mb_context *ac, uint64_t *start, uint64_t *end)
{
	struct prealloc *pa;

	guard(&shard_of(ac->inode)->lock);
	list_for_each(pa, &ac->inode->preallocations, link) {
		uint64_t pa_end = (uint64_t)pa->lstart + pa->len;

		if (pa->lstart >= *end || pa_end <= *start)
			continue;
		if (pa_end <= ac->orig.logical)
			*start = pa_end;
		else if (pa->lstart > ac->orig.logical)
			*end = pa->lstart;
	}
}

/* The window touches a neighbour: then the goal is the block beside it. */
static void aim_at_neighbours(struct mb_context *ac, const struct ext4_alloc_request *ar,
			      uint64_t start, uint64_t len)
{
	if (ar->pright && ar->lright == start + len && ar->pright >= len) {
		set_place(ac->fs, &ac->goal, ar->pright - len);
		ac->flags |= MB_HINT_TRY_GOAL;
	}
	if (ar->pleft && (uint64_t)ar->lleft + 1 == start &&
	    ar->pleft + 1 < ac->fs->geo.blocks_count) {
		set_place(ac->fs, &ac->goal, ar->pleft + 1);
		ac->flags |= MB_HINT_TRY_GOAL;
	}
}

static void normalize_own(struct mb_context *ac, const struct ext4_alloc_request *ar)
{
	uint8_t bits = ac->fs->geo.block_bits;
	uint64_t size = ((uint64_t)ac->orig.logical + ac->orig.len) << bits, start, len, end;

	len = window_bytes(ac, max(size, ac->inode->size), &start) >> bits;
	start >>= bits;
	if (ar->pleft && start <= ar->lleft) {
		len -= (uint64_t)ar->lleft + 1 - start;
		start = (uint64_t)ar->lleft + 1;
	}
	if (ar->pright && start + len - 1 >= ar->lright)
		len -= start + len - ar->lright;
	len = min(len, (uint64_t)ac->fs->geo.blocks_per_group);
	end = start + len;
	avoid_preallocations(ac, &start, &end);
	if (start > ac->orig.logical || end <= ac->orig.logical)
		return; /* neighbours that the map did not tell of: the request as it is */
	ac->goal.logical = (ext4_lblk_t)start;
	ac->goal.len = (uint32_t)(end - start);
	aim_at_neighbours(ac, ar, start, end - start);
}

/* Which of the three kinds the request is; tested in this order. */
void mb_normalize(struct mb_context *ac, const struct ext4_alloc_request *ar)
{
	if (!(ac->flags & MB_HINT_DATA) || ac->flags & (MB_HINT_GOAL_ONLY | MB_HINT_NOPREALLOC))
		return;
	if (ac->flags & MB_HINT_GRP_ALLOC)
		ac->goal.len = max((uint32_t)SMALL_STRETCH, ac->orig.len);
	else
		normalize_own(ac, ar);
}

/* ---- setting aside what was found beyond the request */

static struct prealloc *pa_new(struct mb_context *ac)
{
	struct prealloc *pa = arena_new(ac->fs->arena, struct prealloc);

	if (!pa)
		return NULL;
	pa->group = ac->best.group;
	pa->pstart = block_of(ac->fs, &ac->best);
	pa->len = pa->left = ac->best.len;
	list_init(&pa->link);
	list_init(&pa->shard);
	return pa;
}

/* Less was found than looked for: the window is moved so that it still covers the request. */
static void place_window(struct mb_context *ac)
{
	uint32_t before, room, off;

	if (ac->best.len >= ac->goal.len)
		return;
	before = ac->orig.logical - ac->goal.logical;
	room = ac->best.len - ac->orig.len;
	before = min(before, room);
	off = ac->orig.logical % ac->best.len;
	if (off && off < before)
		before = off;
	ac->best.logical = ac->orig.logical - before;
}

static void set_aside_own(struct mb_context *ac, struct prealloc *pa)
{
	struct mb_shard *s = shard_of(ac->inode);

	place_window(ac);
	ac->first = ac->best;
	pa->lstart = ac->best.logical;
	pa->inode = ac->inode;
	trace(ac->fs, ext4_mb_new_inode_pa, ac->inode->ino, pa->pstart, pa->len, pa->lstart);
	guard(&s->lock);
	use_inode_pa(ac, pa);
	list_add_head(&ac->inode->preallocations, &pa->link);
	list_add_tail(&s->all, &pa->shard);
}

static void set_aside_small(struct mb_context *ac, struct prealloc *pa)
{
	struct mballoc *mb = ac->fs->mb;

	ac->first = ac->best;
	trace(ac->fs, ext4_mb_new_group_pa, ac->inode->ino, pa->pstart, pa->len, pa->pstart);
	guard(&mb->small_lock);
	use_small_pa(ac, pa);
	list_add_tail(&mb->small, &pa->link);
}

/* Without memory for it: only what was asked for is kept. */
static void keep_request_only(struct mb_context *ac)
{
	struct ext4_group *g = ac->fs->groups[ac->best.group];

	guard(&g->lock);
	mb_mark_free(atomic_load(&g->mb), ac->best.start + ac->orig.len,
		     ac->best.len - ac->orig.len);
	ac->best.len = ac->orig.len;
	ac->best.logical = ac->orig.logical;
}

void mb_new_preallocation(struct mb_context *ac)
{
	struct prealloc *pa = pa_new(ac);

	if (!pa)
		keep_request_only(ac);
	else if (ac->flags & MB_HINT_GRP_ALLOC)
		set_aside_small(ac, pa);
	else
		set_aside_own(ac, pa);
}

void mb_take_back(struct mb_context *ac)
{
	struct ext4_group *g = ac->fs->groups[ac->best.group];

	if (ac->pa && ac->pa->inode) {
		guard(&shard_of(ac->pa->inode)->lock);
		ac->pa->left += ac->best.len;
		return;
	}
	guard(&g->lock);
	mb_mark_free(atomic_load(&g->mb), ac->best.start, ac->best.len);
}

void mb_release_context(struct mb_context *ac)
{
	struct prealloc *pa = ac->pa;
	struct mutex *lock;
	bool used_up;

	if (!pa)
		return;
	lock = pa->inode ? &shard_of(pa->inode)->lock : &ac->fs->mb->small_lock;
	mutex_lock(lock);
	pa->users--;
	used_up = !pa->inode && !pa->users && !pa->left;
	if (used_up)
		list_remove(&pa->link);
	mutex_unlock(lock);
	if (used_up)
		arena_free(ac->fs->arena, pa);
}

/* ---- giving back */

/* What of it was never used is free again: what is free on disk, as far as it reaches. */
static uint32_t release_inode_pa(struct ext4_fs *fs, struct prealloc *pa, const struct buffer *bits)
{
	struct ext4_group *g = fs->groups[pa->group];
	uint32_t at = ext4_offset_in_group(&fs->geo, pa->pstart), end = at + pa->len, next,
		 freed = 0;
	ext4_fsblk_t first = ext4_group_first_block(&fs->geo, pa->group);

	guard(&g->lock);
	while ((at = bitmap_next_zero(bits->data, end, at)) < end) {
		next = bitmap_next_one(bits->data, end, at);
		trace(fs, ext4_mballoc_discard, 0, pa->group, (int)at, (int)(next - at));
		trace(fs, ext4_mb_release_inode_pa, pa->inode->ino, first + at, next - at);
		mb_mark_free(atomic_load(&g->mb), at, next - at);
		freed += next - at;
		at = next;
	}
	return freed;
}

static uint32_t release_small_pa(struct ext4_fs *fs, struct prealloc *pa)
{
	struct ext4_group *g = fs->groups[pa->group];
	uint32_t start = ext4_offset_in_group(&fs->geo, pa->pstart);

	trace(fs, ext4_mb_release_group_pa, pa->pstart, pa->len);
	trace(fs, ext4_mballoc_discard, 0, pa->group, (int)start, (int)pa->len);
	guard(&g->lock);
	if (pa->len)
		mb_mark_free(atomic_load(&g->mb), start, pa->len);
	return pa->len;
}

/* Those to give back, found anew each time: the first of an inode, or the first unused of a shard. */
struct discard {
	struct ext4_fs *fs;
	struct mb_shard *shard;
	struct inode *inode;		/* NULL: whosever they are */
};

static struct prealloc *discard_next(const struct discard *d) REQUIRES(d->shard->lock)
{
	struct prealloc *pa;

	if (d->inode)
		return list_first(&d->inode->preallocations, struct prealloc, link);
	list_for_each(pa, &d->shard->all, shard)
		if (!pa->users)
			return pa;
	return NULL;
}

static bool discard_group(const struct discard *d, ext4_group_t *group)
{
	struct prealloc *pa;

	guard(&d->shard->lock);
	pa = discard_next(d);
	if (pa)
		*group = pa->group;
	return pa;
}

/* Those at the front that lie in the group. Without its bitmap they come back with the next mount. */
static uint32_t discard_in_group(const struct discard *d, ext4_group_t group, const struct buffer *bits)
{
	struct prealloc *pa;
	uint32_t freed = 0;

	guard(&d->shard->lock);
	while ((pa = discard_next(d)) != NULL && pa->group == group) {
		freed += bits ? release_inode_pa(d->fs, pa, bits) : 0;
		list_remove(&pa->link);
		list_remove(&pa->shard);
		arena_free(d->fs->arena, pa);
	}
	return freed;
}

/*
 * A bitmap that memory has not got is read before the lock is taken, and held: under the lock
 * nothing waits for the device.
 */
static uint32_t discard(const struct discard *d)
{
	ext4_group_t group;
	uint32_t freed = 0;

	while (discard_group(d, &group)) {
		autobuffer bits = NULL;

		if (ext4_read_block_bitmap(d->fs, d->fs->groups[group], &bits))
			bits = NULL;
		freed += discard_in_group(d, group, bits);
	}
	return freed;
}

void ext4_discard_preallocations(struct inode *inode)
{
	struct ext4_fs *fs = inode->fs;
	struct discard d = { .fs = fs, .inode = inode };

	if (!EXT4_S_ISREG(inode->mode))
		return;
	TRACE_SCOPE(fs, ext4_discard_preallocations);
	trace(fs, ext4_discard_preallocations, inode->ino, 0);
	if (list_empty(&inode->preallocations)) /* also at the end of a mount, when there are no shards */
		return;
	d.shard = shard_of(inode);
	(void)discard(&d);
}

void mb_discard_small(struct ext4_fs *fs)
{
	struct prealloc *pa;

	guard(&fs->mb->small_lock);
	while ((pa = list_first(&fs->mb->small, struct prealloc, link)) != NULL) {
		(void)release_small_pa(fs, pa);
		list_remove(&pa->link);
		arena_free(fs->arena, pa);
	}
}

uint32_t mb_discard_all(struct ext4_fs *fs, uint32_t needed)
{
	struct prealloc *pa, *tmp;
	uint32_t freed = 0;

	trace(fs, ext4_mb_discard_preallocations, (int)needed);
	for (int i = 0; i < MB_SHARDS; i++) {
		struct discard d = { fs, &fs->mb->shards[i], NULL };

		freed += discard(&d);
	}
	mutex_lock(&fs->mb->small_lock);
	list_for_each_safe(pa, tmp, &fs->mb->small, link) {
		if (pa->users)
			continue;
		freed += release_small_pa(fs, pa);
		list_remove(&pa->link);
		arena_free(fs->arena, pa);
	}
	mutex_unlock(&fs->mb->small_lock);
	return freed;
}
