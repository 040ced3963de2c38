/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mapping through the extent tree: what is there, what is not, and new blocks for what is not.
 *
 *	found, written		its block, unless it is to be made unwritten (zero range)
 *	found, unwritten	extents_convert.c
 *	hole, looked up		how far it reaches; remembered, as far as nothing in it is delayed
 *	hole, to be created	blocks from the allocator, near the neighbours, and an extent
 */
#include "base/assert.h"
#include "ext4/alloc.h"
#include "ext4/extents.h"

/* ---- holes */

/* The hole around `lblk`: all of it behind an extent, from lblk on before the first. */
static void hole_around(const struct ext_path *p, ext4_lblk_t lblk, ext4_lblk_t *start,
			ext4_lblk_t *end)
{
	struct ext_run r;

	if (!ext4_ext_current(p, &r)) {
		*start = 0;
		*end = EXT_LBLK_END;
	} else if (lblk < r.lblk) {
		*start = lblk;
		*end = r.lblk;
	} else {
		*start = ext_run_end(&r);
		*end = ext4_ext_next_allocated(p);
	}
}

static int map_hole(struct ext_path *p, struct ext4_map *map)
{
	ext4_lblk_t start, end;

	hole_around(p, map->lblk, &start, &end);
	ext4_ext_put_gap_in_cache(p->inode, start, end);
	map->pblk = 0;
	map->len = min(map->len, end - map->lblk);
	return 0;
}

/* ---- neighbours */

/* The last block mapped before `lblk`. *lblk stays and *pblk is 0 where there is none. */
static void search_left(const struct ext_path *p, ext4_lblk_t *lblk, ext4_fsblk_t *pblk)
{
	struct ext_run r;

	*pblk = 0;
	if (!ext4_ext_current(p, &r) || *lblk < r.lblk)
		return;
	*lblk = ext_run_end(&r) - 1;
	*pblk = r.pblk + r.len - 1;
}

/* The first one behind. It may lie in the next leaf, which is read then. */
static int search_right(const struct ext_path *p, ext4_lblk_t *lblk, ext4_fsblk_t *pblk)
{
	const struct ext_step *leaf = &p->step[p->depth];
	EXT_PATH(other, p->inode);
	ext4_lblk_t next;
	struct ext_run r;
	int err;

	*pblk = 0;
	if (!ext4_ext_current(p, &r))
		return 0;
	if (r.lblk < *lblk) {
		next = ext4_ext_next_leaf(p);
		if (leaf->at + 1 < ext_entries(leaf->header)) {
			r = ext_run_at(leaf->header, leaf->at + 1);
		} else if (next == EXT_LBLK_END) {
			return 0;
		} else {
			err = ext4_ext_find(&other, next, 0);
			if (err)
				return err;
			if (!ext4_ext_current(&other, &r))
				return 0;
		}
	}
	*lblk = r.lblk;
	*pblk = r.pblk;
	return 0;
}

/* ---- new blocks */

static uint32_t alloc_flags(const struct inode *inode, uint32_t flags)
{
	return (EXT4_S_ISREG(inode->mode) ? MB_HINT_DATA : 0) |
	       (flags & MAP_NO_NORMALIZE ? MB_HINT_NOPREALLOC : 0) |
	       (flags & MAP_DELALLOC ? MB_DELALLOC_RESV : 0) |
	       (flags & MAP_METADATA_NOFAIL ? MB_USE_RESV : 0);
}

/* As many as one extent holds, and no further than to the next. */
static uint32_t wanted_len(const struct ext_path *p, const struct ext4_map *map, uint32_t flags)
{
	uint32_t limit = flags & MAP_UNWRIT ? EXT4_EXT_UNWRITTEN_MAX_LEN : EXT4_EXT_INIT_MAX_LEN;
	ext4_lblk_t next = ext4_ext_next_allocated(p);
	struct ext_run r;

	if (ext4_ext_current(p, &r) && map->lblk < r.lblk)
		next = r.lblk;
	limit = min(limit, next - map->lblk);
	return min(map->len, limit);
}

static int allocate(struct handle *h, struct ext_path *p, const struct ext4_map *map,
		    uint32_t flags, struct ext_run *out)
{
	struct ext4_alloc_request ar = { .inode = p->inode,
					 .logical = map->lblk,
					 .lleft = map->lblk,
					 .lright = map->lblk,
					 .goal = ext4_ext_find_goal(p, map->lblk),
					 .flags = alloc_flags(p->inode, flags) };
	ext4_fsblk_t block;
	int err;

	search_left(p, &ar.lleft, &ar.pleft);
	err = search_right(p, &ar.lright, &ar.pright);
	if (err)
		return err;
	ar.len = wanted_len(p, map, flags);
	err = ext4_mb_new_blocks(h, &ar, &block);
	if (err)
		return err;
	*out = (struct ext_run){ map->lblk, ar.len, block, flags & MAP_UNWRIT };
	return 0;
}

static void give_back(struct handle *h, struct inode *inode, const struct ext_run *r,
		      uint32_t flags)
{
	ext4_discard_preallocations(inode);
	/* Another error is on its way to the caller. Delayed blocks stay promised. */
	ignore_result(ext4_free_blocks(h, inode, r->pblk, r->len,
				       flags & MAP_DELALLOC ? FREE_NO_QUOTA : 0));
}

void ext4_ext_claim_delayed(struct inode *inode, ext4_lblk_t lblk, uint32_t len, bool quota_claim)
{
	uint32_t delayed = ext4_es_delayed_blocks(inode, lblk, lblk + len - 1);

	{
		TRACE_SCOPE(inode->fs, get_reserved_cluster_alloc);
		trace(inode->fs, ext4_get_reserved_cluster_alloc, inode->ino, lblk, len);
	}
	if (delayed)
		ext4_da_update_reserve_space(inode, delayed, quota_claim);
}

static int map_new(struct handle *h, struct ext_path *p, struct ext4_map *map, uint32_t flags)
{
	struct inode *inode = p->inode;
	struct ext_run r;
	int err = allocate(h, p, map, flags, &r);

	if (err)
		return err;
	if (r.unwritten)
		map->flags |= MAPPED_UNWRITTEN;
	err = ext4_ext_insert_extent(h, p, &r, flags);
	if (err) {
		give_back(h, inode, &r, flags);
		return err;
	}
	map->flags |= MAPPED_NEW | MAPPED_MAPPED;
	map->pblk = r.pblk;
	map->len = r.len;
	if (!(flags & MAP_KEEP_SIZE))
		ext4_ext_check_eofblocks(h, p, map);
	if (flags & MAP_DELALLOC)
		ext4_ext_claim_delayed(inode, r.lblk, r.len, true);
	ext4_update_fsync_trans(h, inode, !r.unwritten);
	return (int)r.len;
}

void ext4_ext_check_eofblocks(struct handle *h, struct ext_path *p, const struct ext4_map *map)
{
	struct inode *inode = p->inode;
	struct ext_run last;

	if (likely(!(inode->flags & EXT4_EOFBLOCKS_FL)))
		return;
	if (ext4_ext_find(p, EXT_LBLK_END, MAP_NOCACHE))
		return;
	if (ext4_ext_current(p, &last) && map->lblk + map->len < ext_run_end(&last))
		return;
	attr_write_begin(inode);
	inode->flags &= ~EXT4_EOFBLOCKS_FL;
	attr_write_end(inode);
	ignore_result(
		ext4_mark_inode_dirty(h, inode)); /* an aborted journal answers the next call */
}

/* ---- the tree's answer */

/* `map` begins in the extent taken. */
static int map_extent(struct handle *h, struct ext_path *p, struct ext4_map *map, uint32_t flags,
		      const struct ext_run *r)
{
	uint32_t skip = map->lblk - r->lblk, allocated = r->len - skip;
	ext4_fsblk_t newblock = r->pblk + skip;

	if (r->unwritten)
		return ext4_ext_handle_unwritten_extents(h, p, map, flags, allocated, newblock);
	if (flags & MAP_TO_UNWRITTEN)
		return ext4_ext_convert_initialized(h, p, map, flags, allocated, newblock);
	map->flags |= MAPPED_MAPPED;
	map->pblk = newblock;
	map->len = min(map->len, allocated);
	return (int)map->len;
}

static int map_blocks(struct handle *h, struct ext_path *p, struct ext4_map *map, uint32_t flags)
{
	struct inode *inode = p->inode;
	struct ext_run r;
	int err = ext4_ext_find(p, map->lblk, 0);

	if (err)
		return err;
	if (ext4_ext_current(p, &r)) {
		trace(inode->fs, ext4_ext_show_extent, inode->ino, r.lblk, r.pblk, r.len);
		if (map->lblk >= r.lblk && map->lblk - r.lblk < r.len)
			return map_extent(h, p, map, flags, &r);
	} else if (p->depth) {
		return ext4_error(inode->fs, inode->ino, p->step[p->depth].buffer->block,
				  "extent node: empty at depth %d", p->depth);
	}
	return flags & MAP_CREATE ? map_new(h, p, map, flags) : map_hole(p, map);
}

int ext4_ext_map_blocks(struct handle *h, struct inode *inode, struct ext4_map *map, uint32_t flags)
{
	struct ext4_fs *fs = inode->fs;
	EXT_PATH(p, inode);
	int ret;

	TRACE_SCOPE(fs, ext4_ext_map_blocks);
	trace(fs, ext4_ext_map_blocks_enter, inode->ino, map->lblk, map->len, flags);
	ensure(map->len && map->lblk + map->len > map->lblk);
	ret = map_blocks(h, &p, map, flags);
	trace(fs, ext4_ext_map_blocks_exit, inode->ino, flags, map->lblk, map->pblk, map->len,
	      map->flags, ret);
	return ret;
}
