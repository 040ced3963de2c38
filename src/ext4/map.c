/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From blocks of a file to blocks of the device.
 *
 *	1. The extent status tree, without map_lock: what is cached is answered here.
 *	2. The extent tree (or block map), map_lock held for reading; the answer is remembered.
 *	3. When blocks are to be created or converted, the tree again, map_lock held for writing.
 *
 * What the trees say is believed only after it was held against the file system's own blocks.
 */
#include "base/assert.h"
#include "ext4/alloc.h"
#include "ext4/extents.h"
#include "ext4/extents_split.h"

static bool has_extents(const struct inode *inode)
{
	return inode->flags & EXT4_EXTENTS_FL;
}

/* ---- credits: docs/choices.md has the arithmetic */

#define META_CREDITS 6 /* the inode, the superblock and what attributes need */

/* Blocks of the tree itself that mapping `extents` pieces can change. */
static uint64_t index_credits(const struct inode *inode, uint32_t blocks, uint32_t extents)
{
	uint32_t depth, pointers = inode->fs->geo.block_size / (uint32_t)sizeof(le32);

	if (!has_extents(inode))
		return ((uint64_t)blocks + pointers - 1) / pointers + 4;
	depth = (uint32_t)ext4_ext_depth(inode);
	return (uint64_t)depth * (extents <= 1 ? 2 : 3);
}

int ext4_map_credits(struct inode *inode, uint32_t blocks, uint32_t extents)
{
	const struct ext4_geometry *geo = &inode->fs->geo;
	uint64_t index = index_credits(inode, blocks, extents);
	uint64_t groups = min(index + extents, (uint64_t)geo->groups_count);
	uint64_t descriptors = index + extents;

	if (groups > geo->gdt_blocks)
		descriptors = geo->gdt_blocks;
	return (int)min(index + groups + descriptors + META_CREDITS, (uint64_t)INT32_MAX);
}

int ext4_chunk_credits(struct inode *inode, uint32_t blocks)
{
	return ext4_map_credits(inode, blocks, 1);
}

/* ---- what is known */

/* What an entry that covers map->lblk says. */
static int map_from_es(const struct extent_status *es, struct ext4_map *map)
{
	uint32_t skip = map->lblk - es->lblk;

	map->len = min(map->len, es->len - skip);
	map->pblk = 0;
	if (!(es->status & (ES_WRITTEN | ES_UNWRITTEN)))
		return 0;
	map->pblk = es->pblk + skip;
	map->flags |= es->status & ES_WRITTEN ? MAPPED_MAPPED : MAPPED_UNWRITTEN;
	return (int)map->len;
}

/*
 * Linux 4.9 asks whether data is delayed in an unwritten stretch, and keeps the promise beside the blocks.
 * Here it is void once there are blocks, as in later kernels: nothing may be counted twice.
 */
static void look_for_promises(struct inode *inode, const struct ext4_map *map)
{
	struct extent_status es;

	TRACE_SCOPE(inode->fs, ext4_find_delalloc_range);
	ext4_es_find_delayed_extent_range(inode, map->lblk, map->lblk + map->len - 1, &es);
}

/* What the tree said; map_lock held. */
static int remember(struct inode *inode, const struct ext4_map *map, uint32_t flags)
{
	uint32_t status = map->flags & MAPPED_UNWRITTEN ? ES_UNWRITTEN : ES_WRITTEN;

	if (status == ES_UNWRITTEN && !(flags & MAP_DELALLOC))
		look_for_promises(inode, map);
	return ext4_es_insert_extent(inode, map->lblk, map->len, map->pblk, status);
}

static int check_mapped(struct inode *inode, const struct ext4_map *map)
{
	if (likely(ext4_inode_block_valid(inode->fs, inode->ino, map->pblk, map->len)))
		return 0;
	return ext4_error(inode->fs, inode->ino, map->pblk,
			  "block %u is mapped to a block of the file system's own", map->lblk);
}

static int ask_tree(struct handle *h, struct inode *inode, struct ext4_map *map, uint32_t flags)
{
	int ret = has_extents(inode) ? ext4_ext_map_blocks(h, inode, map, flags)
				     : ext4_ind_map_blocks(h, inode, map, flags);
	int err = ret > 0 ? check_mapped(inode, map) : 0;

	return err ? err : ret;
}

/* ---- looking up */

static int look_up(struct inode *inode, struct ext4_map *map, uint32_t flags)
{
	struct extent_status es;
	int ret;

	if (ext4_es_lookup_extent(inode, map->lblk, &es))
		return map_from_es(&es, map);
	guard_read(&inode->map_lock);
	ret = ask_tree(NULL, inode, map, flags & MAP_KEEP_SIZE);
	if (ret > 0) /* for want of memory the tree is asked again the next time */
		ignore_result(remember(inode, map, flags));
	return ret;
}

/* ---- creating */

/* Blocks that a delayed write was promised were allocated otherwise: the promise is void. */
static void release_promises(struct inode *inode, const struct ext4_map *map, uint32_t flags)
{
	if (flags & MAP_DELALLOC)
		return;
	ext4_da_release_space(inode,
			      ext4_es_delayed_blocks(inode, map->lblk, map->lblk + map->len - 1));
}

/* In a block map, which does not count them itself. */
static void keep_promises(struct inode *inode, const struct ext4_map *map)
{
	uint32_t delayed = ext4_es_delayed_blocks(inode, map->lblk, map->lblk + map->len - 1);

	if (delayed)
		ext4_da_update_reserve_space(inode, delayed, true);
}

/*
 * What reads as zeros until it is written must be zeros on the device before it counts as written.
 */
static int zero_new(struct inode *inode, const struct ext4_map *map, uint32_t flags)
{
	struct ext_run r = { map->lblk, map->len, map->pblk, false };

	if (!(flags & MAP_ZERO) || !(map->flags & MAPPED_MAPPED) || !(map->flags & MAPPED_NEW))
		return 0;
	return ext4_ext_zeroout(inode, &r);
}

/* Split before the I/O, and zeroed instead for want of space: then it is written already. */
static bool is_known_written(struct inode *inode, const struct ext4_map *map, uint32_t flags)
{
	struct extent_status es;

	return flags & MAP_PRE_IO && ext4_es_lookup_extent(inode, map->lblk, &es) &&
	       es.status & ES_WRITTEN;
}

static int create(struct handle *h, struct inode *inode, struct ext4_map *map, uint32_t flags)
{
	int ret, err;

	guard_write(&inode->map_lock);
	/* Once promises are used up or void, what is known must say so. */
	err = ext4_es_set_aside(inode);
	if (err)
		return err;
	ret = ask_tree(h, inode, map, flags);
	if (ret <= 0)
		return ret;
	err = zero_new(inode, map, flags);
	if (err)
		return err;
	if (flags & MAP_DELALLOC && !has_extents(inode))
		keep_promises(inode, map);
	release_promises(inode, map, flags);
	if (is_known_written(inode, map, flags))
		return ret;
	err = remember(inode, map, flags);
	return err ? err : ret;
}

/*
 * Blocks that become visible with this transaction must hold the file's data before it commits. In
 * write-back the data is on its way already; else the commit sees to it.
 */
static void order_data(struct handle *h, struct inode *inode, const struct ext4_map *map,
		       uint32_t flags)
{
	bool visible =
		(map->flags & (MAPPED_MAPPED | MAPPED_NEW)) == (MAPPED_MAPPED | MAPPED_NEW) &&
		!(map->flags & MAPPED_UNWRITTEN);

	if (visible && !(flags & MAP_ZERO) && ext4_should_order_data(inode))
		jbd2_journal_inode_add(h, &inode->jinode,
				       flags & MAP_IO_SUBMIT ? JI_WAIT_DATA
							     : JI_WRITE_DATA | JI_WAIT_DATA);
}

int ext4_map_blocks(struct handle *h, struct inode *inode, struct ext4_map *map, uint32_t flags)
{
	int ret;

	TRACE_SCOPE(inode->fs, ext4_map_blocks);
	ensure(map->len);
	if (map->lblk > EXT4_MAX_LBLK)
		return -EFBIG;
	map->flags = 0;
	map->len = min(map->len, EXT_LBLK_END - map->lblk);
	map->len = min(map->len, (uint32_t)INT32_MAX);
	ret = look_up(inode, map, flags);
	if (ret < 0 || !(flags & MAP_CREATE))
		return ret;
	if (map->flags & MAPPED_MAPPED && !(flags & MAP_TO_UNWRITTEN))
		return ret;
	map->flags = 0;
	ret = create(h, inode, map, flags);
	if (ret > 0)
		order_data(h, inode, map, flags);
	return ret;
}

/* ---- a delayed write */

/* One more block is promised, and remembered as delayed; neither without the other. */
static int delay(struct inode *inode, struct ext4_map *map)
{
	int err;

	err = ext4_da_reserve_space(inode, map->lblk);
	if (err)
		return err;
	err = ext4_es_insert_extent(inode, map->lblk, 1, ES_NO_BLOCK, ES_DELAYED);
	if (err) {
		ext4_da_release_space(inode, 1);
		return err;
	}
	map->flags = MAPPED_NEW | MAPPED_DELAYED;
	map->pblk = 0;
	return 0;
}

/* What was seen without map_lock still holds. */
static bool is_known_hole(struct inode *inode, ext4_lblk_t lblk)
{
	struct extent_status es;

	return ext4_es_next(inode, lblk, ES_HOLE, &es) && es.lblk <= lblk;
}

static int map_or_delay(struct inode *inode, struct ext4_map *map, bool hole)
{
	int ret, err;

	guard_read(&inode->map_lock);
	if (hole && is_known_hole(inode, map->lblk))
		return delay(inode, map);
	map->len = 1;
	ret = ask_tree(NULL, inode, map, 0);
	if (ret < 0)
		return ret;
	if (ret == 0)
		return delay(inode, map);
	err = remember(inode, map, 0);
	return err ? err : ret;
}

int ext4_da_map_blocks(struct inode *inode, ext4_lblk_t lblk, struct ext4_map *map)
{
	struct extent_status es;
	bool known;

	TRACE_SCOPE(inode->fs, ext4_da_map_blocks);
	if (lblk > EXT4_MAX_LBLK)
		return -EFBIG;
	*map = (struct ext4_map){ .lblk = lblk, .len = 1 };
	known = ext4_es_lookup_extent(inode, lblk, &es);
	if (known && map_from_es(&es, map) > 0)
		return 1;
	if (known && es.status & ES_DELAYED) {
		map->flags = MAPPED_NEW | MAPPED_DELAYED;
		return 0;
	}
	return map_or_delay(inode, map, known);
}

/* ---- data written into unwritten extents */

static int convert_some(struct handle *h, struct inode *inode, ext4_lblk_t lblk, uint32_t len)
{
	struct ext4_map map = { .lblk = lblk, .len = len };
	int ret = ext4_map_blocks(h, inode, &map, MAP_CONVERT_UNWRITTEN), err;

	if (ret == 0)
		ret = ext4_error(inode->fs, inode->ino, 0, "block %u was written and is not mapped",
				 lblk);
	err = __ext4_mark_inode_dirty(h, inode, "ext4_convert_unwritten_extents");
	return ret > 0 && err ? err : ret;
}

/* In a handle of its own. */
static int convert_some_alone(struct inode *inode, ext4_lblk_t lblk, uint32_t len)
{
	struct ext4_fs *fs = inode->fs;
	struct handle *h;
	int ret, err;

	err = __ext4_journal_start(fs, inode->ino, "ext4_convert_unwritten_extents", __LINE__,
				      HT_MAP_BLOCKS, ext4_chunk_credits(inode, len), 0, &h);
	if (err)
		return err;
	ret = convert_some(h, inode, lblk, len);
	err = ext4_journal_stop(fs, h);
	return ret > 0 && err ? err : ret;
}

int ext4_convert_unwritten_extents(struct handle *h, struct inode *inode, ext4_lblk_t lblk,
				   uint32_t len)
{
	int done = 0;

	TRACE_SCOPE(inode->fs, ext4_convert_unwritten_extents);
	for (; len; lblk += (uint32_t)done, len -= (uint32_t)done) {
		done = h ? convert_some(h, inode, lblk, len) : convert_some_alone(inode, lblk, len);
		if (done < 0)
			return done;
	}
	return 0;
}
