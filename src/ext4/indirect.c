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
 * This version reads block maps. Creating blocks in them, and removing them, is refused: the file
 * can be read, not written.
 */
#include "base/assert.h"
#include "ext4/kinds.h"
#include "ext4/map.h"

#define DIRECT_BLOCKS 12u

/* The way to a block: which pointer in the inode, which in each block below. */
struct place {
	int depth; /* pointers to follow: 1 to 4 */
	uint32_t at[4];
	uint32_t behind; /* further pointers in the last block of pointers */
};

/* False: no block map reaches so far. */
static bool find_place(uint32_t pointers, ext4_lblk_t lblk, struct place *p)
{
	uint64_t left = lblk, reach = pointers;
	int level;

	if (left < DIRECT_BLOCKS) {
		*p = (struct place){ 1, { lblk }, DIRECT_BLOCKS - 1 - lblk };
		return true;
	}
	left -= DIRECT_BLOCKS;
	for (level = 1; level <= 3 && left >= reach; level++) {
		left -= reach;
		reach *= pointers;
	}
	if (level > 3)
		return false;
	*p = (struct place){ .depth = level + 1, .at = { DIRECT_BLOCKS + (uint32_t)level - 1 } };
	for (int i = level; i > 0; i--) {
		p->at[i] = (uint32_t)(left % pointers);
		left /= pointers;
	}
	p->behind = pointers - 1 - p->at[level];
	return true;
}

/*
 * As far as three levels reach, the 32 bits of a block's number, and the inode's count of blocks:
 * in units of 512 bytes it has 32 bits, on an image with huge_file 48, and pointers count too.
 */
uint64_t ext4_ind_max_size(const struct ext4_geometry *geo)
{
	uint64_t n = geo->block_size / sizeof(le32), pointers = 3 + 2 * n + n * n;
	uint64_t blocks = DIRECT_BLOCKS + n + n * n + n * n * n, counted = UINT32_MAX;

	if (geo->feature_ro_compat & EXT4_FEATURE_RO_COMPAT_HUGE_FILE)
		counted = (1ULL << 48) - 1;
	else
		counted >>= geo->block_bits - 9;
	blocks = min(blocks, counted - pointers);
	return min(blocks, (uint64_t)EXT4_MAX_LBLK + 1) << geo->block_bits;
}

static int read_pointers(struct inode *inode, ext4_fsblk_t block, struct buffer **out)
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
static int map_hole(struct ext4_map *map, uint32_t pointers, const struct place *p, int i)
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

static int look_up(struct inode *inode, struct ext4_map *map)
{
	uint32_t pointers = inode->fs->geo.block_size / (uint32_t)sizeof(le32), block;
	const le32 *pointer = inode->i_data;
	autobuffer b = NULL;
	struct place p;

	if (!find_place(pointers, map->lblk, &p))
		return -EFBIG;
	for (int i = 0;; i++) {
		struct buffer *next;
		int err;

		pointer += p.at[i];
		block = le32_get(*pointer);
		if (!block)
			return map_hole(map, pointers, &p, i);
		if (i == p.depth - 1)
			break;
		err = read_pointers(inode, block, &next);
		if (err)
			return err;
		buffer_put(b);
		b = next;
		pointer = (const le32 *)b->data;
	}
	map->pblk = block;
	map->len = count_run(pointer, min(map->len, p.behind + 1));
	map->flags |= MAPPED_MAPPED | (map->len > p.behind ? MAPPED_BOUNDARY : 0);
	return (int)map->len;
}

static int refuse(struct inode *inode, const char *what)
{
	ext4_message(
		inode->fs, LOG_ERROR,
		"inode %u: %s in a file without extents (feature \"extent\" off) is not supported; "
		"chattr +e on Linux turns the file into one with extents",
		inode->ino, what);
	return -EOPNOTSUPP;
}

int ext4_ind_map_blocks(struct handle *h, struct inode *inode, struct ext4_map *map, uint32_t flags)
{
	struct ext4_fs *fs = inode->fs;
	int ret;

	(void)h;
	TRACE_SCOPE(fs, ext4_ind_map_blocks);
	trace(fs, ext4_ind_map_blocks_enter, inode->ino, map->lblk, map->len, flags);
	ensure(map->len);
	ret = look_up(inode, map);
	if (ret == 0 && flags & MAP_CREATE)
		ret = refuse(inode, "allocating blocks");
	trace(fs, ext4_ind_map_blocks_exit, inode->ino, flags, map->lblk, map->pblk, map->len,
	      map->flags, ret);
	return ret;
}

int ext4_ind_remove_space(struct handle *h, struct inode *inode, ext4_lblk_t start, ext4_lblk_t end)
{
	(void)h;
	(void)start;
	(void)end;
	return refuse(inode, "freeing blocks");
}
