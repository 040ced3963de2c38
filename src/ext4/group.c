/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Block groups: where each one's descriptor, bitmaps and inode table lie, and its numbers.
 *
 * A struct ext4_group is made when the group is first needed and stays; the array of them is
 * published entry by entry (written under groups_lock, read without). The descriptor's block stays
 * referenced from then on, so that a change of the group's numbers finds it without a look-up.
 *
 * The numbers in struct ext4_group are the truth; ext4_group_dirty copies them into the descriptor,
 * checksum included, and hands that to the journal. All under the group's lock.
 */
#include "base/assert.h"
#include "base/bitmap.h"
#include "ext4/csum.h"
#include "ext4/group.h"
#include "ext4/kinds.h"
#include "ext4/verify.h"

/* The buffer of a descriptor's block, read once and then kept. */
static int descriptor_buffer(struct ext4_fs *fs, ext4_group_t number, struct buffer **out)
{
	struct buffer *_Atomic *slot = &fs->gdt[number / fs->geo.desc_per_block];
	struct buffer_owner owner = { 0, fs->geo.csum_seed };
	struct buffer *b = atomic_load_explicit(slot, memory_order_acquire), *none = NULL;
	int err;

	if (!b) {
		err = buffer_read(fs->buffers,
				  ext4_descriptor_block(&fs->geo, number / fs->geo.desc_per_block),
				  &ext4_kind_gdt, &owner, &b);
		if (err)
			return err;
		if (!atomic_compare_exchange_strong(slot, &none, b)) {
			buffer_put(b);
			b = none;
		}
	}
	*out = b;
	return 0;
}

static struct ext4_group_desc *descriptor_in(struct ext4_fs *fs, struct buffer *b,
					     ext4_group_t number)
{
	return (void *)(b->data + (size_t)(number % fs->geo.desc_per_block) * fs->geo.desc_size);
}

int ext4_group_descriptor(struct ext4_fs *fs, ext4_group_t number, struct ext4_descriptor *out)
{
	struct buffer *b;
	struct ext4_verdict why = { 0 };
	int err = descriptor_buffer(fs, number, &b);

	if (err)
		return err;
	err = ext4_verify_descriptor(&fs->geo, number, descriptor_in(fs, b, number), &why);
	if (err)
		return ext4_error_at(fs, __func__, 0, b->block, err, "descriptor of group %u: %s",
				     number, why.reason);
	ext4_descriptor_read(&fs->geo, descriptor_in(fs, b, number), out);
	return 0;
}

/* Fills in a group that is not published yet. */
static void group_init(struct ext4_group *g, ext4_group_t number, const struct ext4_descriptor *d)
{
	mutex_init(&g->lock, RANK_GROUP);
	g->number = number;
	g->block_bitmap = d->block_bitmap;
	g->inode_bitmap = d->inode_bitmap;
	g->inode_table = d->inode_table;
	g->free_clusters = d->free_clusters;
	g->free_inodes = d->free_inodes;
	g->used_dirs = d->used_dirs;
	g->itable_unused = d->itable_unused;
	g->flags = d->flags;
}

int ext4_group_get(struct ext4_fs *fs, ext4_group_t number, struct ext4_group **out)
{
	struct ext4_descriptor d;
	struct ext4_group *g;
	int err;

	if (unlikely(number >= fs->geo.groups_count))
		return ext4_error(fs, 0, 0, "group %u does not exist", number);
	g = atomic_load_explicit(&fs->groups[number], memory_order_acquire);
	if (likely(g != NULL)) {
		*out = g;
		return 0;
	}
	err = ext4_group_descriptor(fs, number, &d);
	if (err)
		return err;
	guard(&fs->groups_lock);
	g = atomic_load_explicit(&fs->groups[number], memory_order_relaxed);
	if (!g) {
		g = arena_new(fs->arena, struct ext4_group);
		if (!g)
			return -ENOMEM;
		group_init(g, number, &d);
		atomic_store_explicit(&fs->groups[number], g, memory_order_release);
	}
	*out = g;
	return 0;
}

int ext4_group_get_write_access(struct ext4_fs *fs, struct handle *h, struct ext4_group *g)
{
	return ext4_journal_get_write_access(fs, h, fs->gdt[g->number / fs->geo.desc_per_block]);
}

int ext4_group_dirty(struct ext4_fs *fs, struct handle *h, struct ext4_group *g)
{
	struct buffer *b = fs->gdt[g->number / fs->geo.desc_per_block];
	struct ext4_group_desc *d = descriptor_in(fs, b, g->number);

	d->bg_free_blocks_count_lo = le16_of((uint16_t)g->free_clusters);
	d->bg_free_inodes_count_lo = le16_of((uint16_t)g->free_inodes);
	d->bg_used_dirs_count_lo = le16_of((uint16_t)g->used_dirs);
	d->bg_itable_unused_lo = le16_of((uint16_t)g->itable_unused);
	d->bg_flags = le16_of(g->flags);
	if (fs->geo.desc_size >= EXT4_MIN_DESC_SIZE_64BIT) {
		d->bg_free_blocks_count_hi = le16_of((uint16_t)(g->free_clusters >> 16));
		d->bg_free_inodes_count_hi = le16_of((uint16_t)(g->free_inodes >> 16));
		d->bg_used_dirs_count_hi = le16_of((uint16_t)(g->used_dirs >> 16));
		d->bg_itable_unused_hi = le16_of((uint16_t)(g->itable_unused >> 16));
	}
	ext4_descriptor_csum_set(&fs->geo, g->number, d);
	return ext4_handle_dirty_metadata(fs, h, 0, b);
}

/* ---- bitmaps */

static void bitmap_csum_set(struct ext4_fs *fs, uint32_t csum, le16 *lo, le16 *hi)
{
	*lo = le16_of((uint16_t)csum);
	if (fs->geo.desc_size >= EXT4_MIN_DESC_SIZE_64BIT)
		*hi = le16_of((uint16_t)(csum >> 16));
}

void ext4_block_bitmap_csum_set(struct ext4_fs *fs, struct ext4_group *g,
				const struct buffer *bitmap)
{
	struct ext4_group_desc *d =
		descriptor_in(fs, fs->gdt[g->number / fs->geo.desc_per_block], g->number);

	if (fs->geo.metadata_csum)
		bitmap_csum_set(fs, ext4_block_bitmap_csum(&fs->geo, bitmap->data),
				&d->bg_block_bitmap_csum_lo, &d->bg_block_bitmap_csum_hi);
}

void ext4_inode_bitmap_csum_set(struct ext4_fs *fs, struct ext4_group *g,
				const struct buffer *bitmap)
{
	struct ext4_group_desc *d =
		descriptor_in(fs, fs->gdt[g->number / fs->geo.desc_per_block], g->number);

	if (fs->geo.metadata_csum)
		bitmap_csum_set(fs, ext4_inode_bitmap_csum(&fs->geo, bitmap->data),
				&d->bg_inode_bitmap_csum_lo, &d->bg_inode_bitmap_csum_hi);
}

/* Marks what of [block, block + count) lies in this group. */
static void mark_own(struct ext4_fs *fs, struct ext4_group *g, uint8_t *bits, ext4_fsblk_t block,
		     uint32_t count)
{
	ext4_fsblk_t first = ext4_group_first_block(&fs->geo, g->number);
	ext4_fsblk_t end = first + ext4_group_blocks(&fs->geo, g->number);
	ext4_fsblk_t from = max(block, first), to = min(block + count, end);

	if (from < to)
		bitmap_set_range(bits, (uint32_t)(from - first), (uint32_t)(to - from));
}

/* The bitmap of a group in which nothing but the file system's own blocks was ever used. */
static void make_block_bitmap(struct ext4_fs *fs, struct ext4_group *g, uint8_t *bits)
{
	uint32_t blocks = ext4_group_blocks(&fs->geo, g->number);

	memset(bits, 0, fs->geo.block_size);
	bitmap_set_range(bits, 0, ext4_group_base_meta_blocks(&fs->geo, g->number));
	mark_own(fs, g, bits, g->block_bitmap, 1);
	mark_own(fs, g, bits, g->inode_bitmap, 1);
	mark_own(fs, g, bits, g->inode_table, fs->geo.itable_blocks);
	bitmap_set_range(bits, blocks, fs->geo.block_size * 8 - blocks);
}

static void make_inode_bitmap(struct ext4_fs *fs, uint8_t *bits)
{
	memset(bits, 0, fs->geo.block_size);
	bitmap_set_range(bits, fs->geo.inodes_per_group,
			 fs->geo.block_size * 8 - fs->geo.inodes_per_group);
}

/* An uninitialised bitmap is made in memory; it reaches the disk with the first change. */
static int bitmap_make(struct ext4_fs *fs, struct ext4_group *g, ext4_fsblk_t block, bool inodes,
		       struct buffer **out)
{
	struct buffer *b;
	int err = buffer_get(fs->buffers, block, &b);

	if (err)
		return err;
	guard(&g->lock);
	if (!(atomic_load_explicit(&b->state, memory_order_acquire) & BUFFER_UPTODATE)) {
		if (inodes)
			make_inode_bitmap(fs, b->data);
		else
			make_block_bitmap(fs, g, b->data);
		b->owner = (struct buffer_owner){ g->number, fs->geo.csum_seed };
		atomic_store(&b->kind, inodes ? &ext4_kind_inode_bitmap : &ext4_kind_block_bitmap);
		atomic_fetch_or(&b->state, BUFFER_UPTODATE);
	}
	*out = b;
	return 0;
}

int ext4_read_block_bitmap(struct ext4_fs *fs, struct ext4_group *g, struct buffer **out)
{
	struct buffer_owner owner = { g->number, fs->geo.csum_seed };
	struct buffer *b;
	int err;

	TRACE_SCOPE(fs, ext4_read_block_bitmap);
	if (g->block_bitmap_bad)
		return -EFSCORRUPTED;
	if (g->flags & EXT4_BG_BLOCK_UNINIT)
		return bitmap_make(fs, g, g->block_bitmap, false, out);
	b = buffer_find(fs->buffers, g->block_bitmap);
	if (!b || !(atomic_load(&b->state) & BUFFER_UPTODATE))
		trace(fs, ext4_read_block_bitmap_load, g->number, false);
	buffer_put(b);
	err = buffer_read(fs->buffers, g->block_bitmap, &ext4_kind_block_bitmap, &owner, out);
	if (err == -EFSBADCRC || err == -EFSCORRUPTED)
		g->block_bitmap_bad = true;
	return err;
}

int ext4_read_inode_bitmap(struct ext4_fs *fs, struct ext4_group *g, struct buffer **out)
{
	struct buffer_owner owner = { g->number, fs->geo.csum_seed };
	struct buffer *b;
	int err;

	TRACE_SCOPE(fs, ext4_read_inode_bitmap);
	if (g->inode_bitmap_bad)
		return -EFSCORRUPTED;
	if (g->flags & EXT4_BG_INODE_UNINIT)
		return bitmap_make(fs, g, g->inode_bitmap, true, out);
	b = buffer_find(fs->buffers, g->inode_bitmap);
	if (!b || !(atomic_load(&b->state) & BUFFER_UPTODATE))
		trace(fs, ext4_load_inode_bitmap, g->number);
	buffer_put(b);
	err = buffer_read(fs->buffers, g->inode_bitmap, &ext4_kind_inode_bitmap, &owner, out);
	if (err == -EFSBADCRC || err == -EFSCORRUPTED)
		g->inode_bitmap_bad = true;
	return err;
}

void ext4_groups_release(struct ext4_fs *fs)
{
	for (uint32_t i = 0; fs->gdt && i < fs->geo.gdt_blocks; i++)
		buffer_put(fs->gdt[i]);
	for (ext4_group_t i = 0; fs->groups && i < fs->geo.groups_count; i++) {
		struct ext4_group *g = fs->groups[i];

		if (!g)
			continue;
		mutex_fini(&g->lock);
		arena_free(fs->arena, g);
	}
	arena_free(fs->arena, fs->gdt);
	arena_free(fs->arena, fs->groups);
	fs->gdt = NULL;
	fs->groups = NULL;
}
