/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Block maps from inside: between indirect.c (finding), indirect_grow.c (creating) and
 * indirect_remove.c (taking away). Others use map.h.
 */
#ifndef EXTANT_EXT4_INDIRECT_H
#define EXTANT_EXT4_INDIRECT_H

#include "ext4/disk.h"
#include "ext4/map.h"

#define IND_DIRECT	12u	/* pointers in the inode that lead to data */
#define IND_DEPTH_MAX	4	/* pointers on the longest way */

/* The way to a block: which pointer in the inode, which in each block below. */
struct ind_place {
	int depth;			/* pointers to follow: 1 to 4 */
	uint32_t at[IND_DEPTH_MAX];
	uint32_t behind;		/* further pointers in the last block of pointers */
};

static inline uint32_t ind_pointers(const struct inode *inode)
{
	return inode->fs->geo.block_size / (uint32_t)sizeof(le32);
}

/* False: no block map reaches so far. */
bool ext4_ind_place(uint32_t pointers, ext4_lblk_t lblk, struct ind_place *p);
/* A block of pointers, verified. */
must_check int ext4_ind_read(struct inode *inode, ext4_fsblk_t block, struct buffer **out);

/*
 * The way as far as it goes: buffer[i] holds pointer i of the way (NULL for the first, which lies
 * in the inode), block[i] is where it leads; `found` pointers are not 0. Let go with
 * ext4_ind_way_put.
 */
struct ind_way {
	struct ind_place place;
	int found;
	struct buffer *buffer[IND_DEPTH_MAX];
	ext4_fsblk_t block[IND_DEPTH_MAX];
};
must_check int ext4_ind_find(struct inode *inode, ext4_lblk_t lblk, struct ind_way *w);
void ext4_ind_way_put(struct ind_way *w);
#define IND_WAY(name) cleanup_with(ext4_ind_way_put) struct ind_way name = { .found = 0 }

/* Pointer `i` of the way, where it lies; good while the way is held and map_lock is. */
static inline le32 *ind_pointer(struct inode *inode, const struct ind_way *w, int i)
{
	le32 *first = w->buffer[i] ? (le32 *)w->buffer[i]->data : inode->i_data;

	return first + w->place.at[i];
}

/* The hole that the way ends in gets blocks; as ext4_map_blocks. map_lock held for writing. */
must_check int ext4_ind_create(struct handle *h, struct inode *inode, struct ind_way *w,
			       struct ext4_map *map, uint32_t flags);

#endif
