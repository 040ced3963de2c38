/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks for a hole of a block map.
 *
 *	1. Numbers: a block of pointers for each level that the way lacks, then as many data blocks as lie one
 *	   after the other behind the same block of pointers. Each is wanted near the one before.
 *	2. The new blocks of pointers are filled, from the first to the last, and go with the handle.
 *	3. The one pointer (or, where no level lacks, the pointers) that the hole hung from is set: only now
 *	   can anybody find the new branch.
 *
 * What fails before 3 leaves the map as it was, and the numbers go back.
 */
#include "base/assert.h"
#include "ext4/alloc.h"
#include "ext4/indirect.h"
#include "ext4/kinds.h"

struct branch {
	int missing;			/* levels that lack */
	ext4_fsblk_t node[IND_DEPTH_MAX];	/* their blocks */
	int nodes;
	ext4_fsblk_t data;
	uint32_t data_count;
};

/* ---- 1: numbers */

/* The nearest pointer before it; else the block it lies in; else where files of the inode begin. */
static ext4_fsblk_t find_near(struct inode *inode, const struct ind_way *w)
{
	const le32 *pointer = ind_pointer(inode, w, w->found);

	for (uint32_t i = w->place.at[w->found]; i-- > 0;)
		if (le32_get(*--pointer))
			return le32_get(*pointer);
	return w->buffer[w->found] ? w->buffer[w->found]->block : ext4_inode_to_goal_block(inode);
}

/* Of the blocks wanted, those whose pointers lie together and are free. */
static uint32_t wanted_count(struct inode *inode, const struct ind_way *w, uint32_t wanted)
{
	uint32_t limit = min(wanted, w->place.behind + 1), count = 1;
	const le32 *pointer = ind_pointer(inode, w, w->found);

	if (w->found < w->place.depth - 1)
		return limit;
	while (count < limit && !le32_get(pointer[count]))
		count++;
	return count;
}

static uint32_t data_flags(const struct inode *inode, uint32_t flags)
{
	return (EXT4_S_ISREG(inode->mode) ? MB_HINT_DATA : 0) |
	       (flags & MAP_NO_NORMALIZE ? MB_HINT_NOPREALLOC : 0) |
	       (flags & MAP_DELALLOC ? MB_DELALLOC_RESV : 0) |
	       (flags & MAP_METADATA_NOFAIL ? MB_USE_RESV : 0);
}

/* Pointers have 32 bits. */
static int check_reach(ext4_fsblk_t block, uint32_t count)
{
	return block + count - 1 <= UINT32_MAX ? 0 : -ENOSPC;
}

static int allocate(struct handle *h, struct inode *inode, const struct ind_way *w,
		    const struct ext4_map *map, uint32_t flags, struct branch *b)
{
	struct ext4_alloc_request ar = { .inode = inode,
					 .logical = map->lblk,
					 .goal = find_near(inode, w),
					 .flags = data_flags(inode, flags) };
	int err = 0;

	for (; b->nodes < b->missing && !err; b->nodes++) {
		uint32_t one = 1;

		err = ext4_new_meta_blocks(h, inode, ar.goal, ar.flags & MB_DELALLOC_RESV, &one,
					   &b->node[b->nodes]);
		if (err)
			return err;
		err = check_reach(b->node[b->nodes], 1);
		ar.goal = b->node[b->nodes];
	}
	if (err)
		return err;
	ar.len = wanted_count(inode, w, map->len);
	err = ext4_mb_new_blocks(h, &ar, &b->data);
	if (err)
		return err;
	b->data_count = ar.len;
	return check_reach(b->data, ar.len);
}

static void give_back(struct handle *h, struct inode *inode, const struct branch *b, uint32_t flags)
{
	/* Else the next try takes the same block of a preallocation, which is not free yet. */
	ext4_discard_preallocations(inode);
	/* Another error is on its way to the caller. Delayed blocks stay promised. */
	for (int i = 0; i < b->nodes; i++)
		ignore_result(
			ext4_free_blocks(h, inode, b->node[i], 1, FREE_METADATA | FREE_FORGET));
	if (b->data_count)
		ignore_result(ext4_free_blocks(h, inode, b->data, b->data_count,
					       flags & MAP_DELALLOC ? FREE_NO_QUOTA : 0));
}

/* ---- 2: the new blocks of pointers */

static void set_pointers(le32 *at, ext4_fsblk_t block, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		at[i] = le32_of((uint32_t)(block + i));
}

static int make_node(struct handle *h, struct inode *inode, const struct ind_way *w,
		     const struct branch *b, int n)
{
	struct buffer_owner owner = { inode->ino, inode->csum_seed };
	struct ext4_fs *fs = inode->fs;
	uint32_t at = w->place.at[w->found + 1 + n];
	bool last = n == b->missing - 1;
	autobuffer buffer = NULL;
	int err = buffer_create(fs->buffers, b->node[n], &ext4_kind_indirect, &owner, &buffer);

	if (!err)
		err = ext4_journal_get_create_access(fs, h, buffer);
	if (err)
		return err;
	set_pointers((le32 *)buffer->data + at, last ? b->data : b->node[n + 1],
		     last ? b->data_count : 1);
	return ext4_handle_dirty_metadata(fs, h, inode->ino, buffer);
}

/* ---- 3: the branch is hung in */

static int splice(struct handle *h, struct inode *inode, const struct ind_way *w,
		  const struct branch *b)
{
	struct buffer *parent = w->buffer[w->found];
	ext4_fsblk_t first = b->missing ? b->node[0] : b->data;
	uint32_t count = b->missing ? 1 : b->data_count;
	int err;

	if (parent) {
		err = ext4_journal_get_write_access(inode->fs, h, parent);
		if (err)
			return err;
		set_pointers(ind_pointer(inode, w, w->found), first, count);
		return ext4_handle_dirty_metadata(inode->fs, h, inode->ino, parent);
	}
	mutex_lock(&inode->attr_lock);
	set_pointers(ind_pointer(inode, w, w->found), first, count);
	mutex_unlock(&inode->attr_lock);
	return __ext4_mark_inode_dirty(h, inode, "ext4_ind_map_blocks");
}

int ext4_ind_create(struct handle *h, struct inode *inode, struct ind_way *w, struct ext4_map *map,
		    uint32_t flags)
{
	struct branch b = { .missing = w->place.depth - 1 - w->found };
	int err;

	if (flags & MAP_UNWRIT)
		return -EOPNOTSUPP; /* a pointer cannot say that its block reads as zeroes */
	err = ext4_inode_get_write_access(h, inode);
	if (!err)
		err = allocate(h, inode, w, map, flags, &b);
	for (int n = 0; n < b.missing && !err; n++)
		err = make_node(h, inode, w, &b, n);
	if (!err)
		err = splice(h, inode, w, &b);
	if (err) {
		give_back(h, inode, &b, flags);
		return err;
	}
	if (flags & MAP_DELALLOC)
		ext4_da_use_pointers(inode, (uint32_t)b.missing);
	map->pblk = b.data;
	map->len = b.data_count;
	map->flags |=
		MAPPED_NEW | MAPPED_MAPPED | (b.data_count > w->place.behind ? MAPPED_BOUNDARY : 0);
	ext4_update_fsync_trans(h, inode, true);
	return (int)b.data_count;
}
