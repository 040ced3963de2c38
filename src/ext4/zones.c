/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The blocks that are the file system's own: superblock and descriptor copies, bitmaps, inode
 * tables, the journal. No file may map them, whatever an image says: each mapping is held against
 * this table.
 *
 * The table is built at the mount from the descriptors, sorted, neighbours merged: with flex groups
 * it is a few entries for each. It never changes afterwards, and is searched by halves.
 */
#include <stdlib.h>
#include "base/assert.h"
#include "ext4/group.h"
#include "ext4/map.h"

struct zone {
	ext4_fsblk_t first, end;
	uint32_t ino;			/* who may map it; 0: nobody */
};

struct system_zones {
	uint32_t count, room;
	struct zone *zones;
};

static int zone_add(struct ext4_fs *fs, ext4_fsblk_t first, uint64_t count, uint32_t ino)
{
	struct system_zones *z = fs->zones;
	struct zone *last = z->count ? &z->zones[z->count - 1] : NULL;
	struct zone *more;

	if (!count)
		return 0;
	if (last && last->ino == ino && last->end == first) {
		last->end += count;
		return 0;
	}
	if (z->count == z->room) {
		more = arena_realloc(fs->arena, z->zones, (z->room * 2 + 16) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		z->zones = more;
		z->room = z->room * 2 + 16;
	}
	z->zones[z->count++] = (struct zone){ first, first + count, ino };
	return 0;
}

static int by_first(const void *a, const void *b)
{
	const struct zone *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Two owners of one block: the image contradicts itself. */
static int sort_and_merge(struct ext4_fs *fs)
{
	struct system_zones *z = fs->zones;
	uint32_t n = 0;

	qsort(z->zones, z->count, sizeof(z->zones[0]), by_first);
	for (uint32_t i = 0; i < z->count; i++) {
		struct zone *last = n ? &z->zones[n - 1] : NULL, *at = &z->zones[i];

		if (last && last->end > at->first)
			return ext4_error(fs, at->ino, at->first,
					  "two parts of the layout claim one block");
		if (last && last->end == at->first && last->ino == at->ino)
			last->end = at->end;
		else
			z->zones[n++] = *at;
	}
	z->count = n;
	return 0;
}

static int add_group(struct ext4_fs *fs, ext4_group_t group)
{
	struct ext4_descriptor d;
	int err = ext4_group_descriptor(fs, group, &d);

	if (!err)
		err = zone_add(fs, ext4_group_first_block(&fs->geo, group),
			       ext4_group_base_meta_blocks(&fs->geo, group), 0);
	if (!err)
		err = zone_add(fs, d.block_bitmap, 1, 0);
	if (!err)
		err = zone_add(fs, d.inode_bitmap, 1, 0);
	return err ? err : zone_add(fs, d.inode_table, fs->geo.itable_blocks, 0);
}

int ext4_zones_create(struct ext4_fs *fs)
{
	int err = 0;

	fs->zones = arena_new(fs->arena, struct system_zones);
	if (!fs->zones)
		return -ENOMEM;
	for (ext4_group_t g = 0; g < fs->geo.groups_count && !err; g++)
		err = add_group(fs, g);
	return err ? err : sort_and_merge(fs);
}

static int add_extent(void *arg, ext4_lblk_t lblk, uint32_t len, ext4_fsblk_t pblk, bool unwritten)
{
	(void)lblk;
	(void)unwritten;
	return zone_add(arg, pblk, len, EXT4_JOURNAL_INO);
}

static int add_mapped(void *arg, ext4_lblk_t lblk, uint32_t len, ext4_fsblk_t pblk)
{
	return add_extent(arg, lblk, len, pblk, false);
}

int ext4_zones_add_journal(struct ext4_fs *fs, struct inode *journal)
{
	int err = journal->flags & EXT4_EXTENTS_FL ? ext4_ext_walk(journal, 0, add_extent, fs)
						   : ext4_ind_walk(journal, add_mapped, fs);

	return err < 0 ? err : sort_and_merge(fs);
}

void ext4_zones_destroy(struct ext4_fs *fs)
{
	if (!fs->zones)
		return;
	arena_free(fs->arena, fs->zones->zones);
	arena_free(fs->arena, fs->zones);
	fs->zones = NULL;
}

bool ext4_inode_block_valid(struct ext4_fs *fs, uint64_t ino, ext4_fsblk_t block, uint64_t count)
{
	const struct system_zones *z = fs->zones;
	uint32_t lo = 0, hi = z ? z->count : 0;

	if (block <= fs->geo.first_data_block || count > fs->geo.blocks_count ||
	    block > fs->geo.blocks_count - count)
		return false;
	while (lo < hi) { /* the first zone that ends behind `block` */
		uint32_t mid = lo + (hi - lo) / 2;

		if (z->zones[mid].end <= block)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; z && lo < z->count && z->zones[lo].first < block + count; lo++)
		if (z->zones[lo].ino != ino || !ino)
			return false;
	return true;
}
