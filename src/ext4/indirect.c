/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Block maps: files of ext2 and ext3, and of ext4 images without extents.
 *
 *	i_data[0..11]	blocks 0 to 11
 *	i_data[12]	a block of pointers: the next n blocks (n = block size / 4)
 *	i_data[13]	pointers to blocks of pointers: n * n
 *	i_data[14]	one level more: n * n * n
 *
 * A pointer of 0 is a hole, at any level. Every block of pointers is verified when it is read, and
 * each block that a pointer leads to is held against the file system's own; at most three are
 * followed, so no map, however made, leads in circles.
 *
 * Here blocks are found; indirect_grow.c and indirect_remove.c change the map.
 */
#include "base/assert.h"
#include "ext4/indirect.h"
#include "ext4/kinds.h"

bool ext4_ind_place(uint32_t pointers, ext4_lblk_t lblk, struct ind_place *p)
{
	uint64_t left = lblk, reach = pointers;
	int level;

	if (left < IND_DIRECT) {
		*p = (struct ind_place){ 1, { lblk }, IND_DIRECT - 1 - lblk };
		return true;
	}
	left -= IND_DIRECT;
	for (level = 1; level <= 3 && left >= reach; level++) {
		left -= reach;
		reach *= pointers;
	}
	if (level > 3)
		return false;
	*p = (struct ind_place){ .depth = level + 1, .at = { IND_DIRECT + (uint32_t)level - 1 } };
	for (int i = level; i > 0; i--) {
		p->at[i] = (uint32_t)(left % pointers);
		left /= pointers;
	}
	p->behind = pointers - 1 - p->at[level];
	return true;
}

uint64_t ext4_ind_reach(const struct ext4_geometry *geo)
{
	uint64_t n = geo->block_size / sizeof(le32);
	uint64_t blocks = IND_DIRECT + n + n * n + n * n * n;

	return min(blocks, (uint64_t)EXT4_MAX_LBLK + 1) << geo->block_bits;
}

/*
 * The inode's count of blocks bounds it too: in units of 512 bytes it has 32 bits, on an image with
 * huge_file 48, and pointers count as well.
 */
uint64_t ext4_ind_max_size(const struct ext4_geometry *geo)
{
	uint64_t n = geo->block_size / sizeof(le32), pointers = 3 + 2 * n + n * n;
	uint64_t counted = UINT32_MAX;

	if (geo->feature_ro_compat & EXT4_FEATURE_RO_COMPAT_HUGE_FILE)
		counted = (1ULL << 48) - 1;
	else
		counted >>= geo->block_bits - 9;
	return min(ext4_ind_reach(geo), (counted - pointers) << geo->block_bits);
}

int ext4_ind_read(struct inode *inode, ext4_fsblk_t block, struct buffer **out)
{
	struct buffer_owner owner = { inode->ino, inode->csum_seed };

	if (!ext4_inode_block_valid(inode->fs, inode->ino, block, 1))
		return ext4_error(inode->fs, inode->ino, block,
				  "indirect block lies over one of the file system's own");
	return buffer_read(inode->fs->buffers, block, &ext4_kind_indirect, &owner, out);
}

/* How many blocks are mapped one after the other from here on, at most `limit`. */
static uint32_t count_run(const le32 *pointer, uint32_t limit)
{
	uint32_t first = le32_get(*pointer), count = 1;

	while (count < limit && le32_get(pointer[count]) == first + count)
		count++;
	return count;
}

/*
 * The pointer number `i` of the way is 0: all below it is a hole, from the block to the end of what
 * the pointer would reach.
 */
static int map_hole(struct ext4_map *map, uint32_t pointers, const struct ind_place *p, int i)
{
	uint64_t reach = 1, passed = 0;

	for (int level = p->depth - 1; level > i; level--) {
		passed += p->at[level] * reach;
		reach *= pointers;
	}
	map->pblk = 0;
	map->len = (uint32_t)min((uint64_t)map->len, reach - passed);
	return 0;
}

void ext4_ind_way_put(struct ind_way *w)
{
	for (int i = 1; i < IND_DEPTH_MAX; i++) {
		buffer_put(w->buffer[i]);
		w->buffer[i] = NULL;
	}
}

int ext4_ind_find(struct inode *inode, ext4_lblk_t lblk, struct ind_way *w)
{
	*w = (struct ind_way){ .found = 0 };
	if (!ext4_ind_place(ind_pointers(inode), lblk, &w->place))
		return -EFBIG;
	for (int i = 0; i < w->place.depth; i++) {
		int err = i ? ext4_ind_read(inode, w->block[i - 1], &w->buffer[i]) : 0;

		if (err)
			return err;
		w->block[i] = le32_get(*ind_pointer(inode, w, i));
		if (!w->block[i])
			break;
		w->found++;
	}
	return 0;
}

/* What the way leads to. */
static int map_found(struct inode *inode, struct ind_way *w, struct ext4_map *map)
{
	int last = w->place.depth - 1;

	if (w->found <= last)
		return map_hole(map, ind_pointers(inode), &w->place, w->found);
	map->pblk = w->block[last];
	map->len = count_run(ind_pointer(inode, w, last), min(map->len, w->place.behind + 1));
	map->flags |= MAPPED_MAPPED | (map->len > w->place.behind ? MAPPED_BOUNDARY : 0);
	return (int)map->len;
}

static int map_blocks(struct handle *h, struct inode *inode, struct ext4_map *map, uint32_t flags)
{
	uint32_t wanted = map->len;
	IND_WAY(w);
	int ret = ext4_ind_find(inode, map->lblk, &w);

	if (!ret)
		ret = map_found(inode, &w, map);
	if (ret || !(flags & MAP_CREATE))
		return ret;
	map->len = wanted;
	return ext4_ind_create(h, inode, &w, map, flags);
}

int ext4_ind_map_blocks(struct handle *h, struct inode *inode, struct ext4_map *map, uint32_t flags)
{
	struct ext4_fs *fs = inode->fs;
	int ret;

	TRACE_SCOPE(fs, ext4_ind_map_blocks);
	trace(fs, ext4_ind_map_blocks_enter, inode->ino, map->lblk, map->len, flags);
	ensure(map->len);
	ret = map_blocks(h, inode, map, flags);
	trace(fs, ext4_ind_map_blocks_exit, inode->ino, flags, map->lblk, map->pblk, map->len,
	      map->flags, ret);
	return ret;
}

int ext4_ind_walk(struct inode *inode,
		  int (*fn)(void *arg, ext4_lblk_t lblk, uint32_t len, ext4_fsblk_t pblk),
		  void *arg)
{
	uint64_t bytes = inode->size + inode->fs->geo.block_size - 1;
	ext4_lblk_t end = (ext4_lblk_t)min(bytes >> inode->fs->geo.block_bits,
					   (uint64_t)EXT4_MAX_LBLK + 1),
		    at = 0;
	int ret = 0;

	guard_read(&inode->map_lock);
	while (at < end && !ret) {
		struct ext4_map map = { .lblk = at, .len = end - at };
		IND_WAY(w);

		ret = ext4_ind_find(inode, at, &w);
		if (ret)
			break;
		if (map_found(inode, &w, &map) > 0)
			ret = fn(arg, at, map.len, map.pblk);
		at += map.len;
	}
	return ret;
}
