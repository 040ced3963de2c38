/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FS_IOC_GETFSMAP: what each block of the device is for.
 *
 * Two sorted rows are merged: the file system's own blocks, from the descriptors, and the free runs
 * of each group, as the allocator sees them (what it set aside counts as used). What lies between
 * them belongs to somebody: ext4 keeps no map back from a block to its file. Free runs that meet at
 * a group's border are one; so are neighbours in the first row that are of one kind.
 */
#include <stdlib.h>
#include <string.h>
#include "base/bitmap.h"
#include "ext4/group.h"
#include "ext4/mballoc_internal.h"
#include "ext4/whole.h"

struct run {
	ext4_fsblk_t first, count;
	uint64_t owner;
};

struct walk {
	struct ext4_fs *fs;
	struct run *own;		/* the file system's, sorted */
	size_t own_count, own_at;
	uint8_t *taken;			/* of the group at hand */
	ext4_fsblk_t next;		/* all before it is told */
	struct run free;		/* may go on in the next group */
	struct ext4_mapping held;	/* given when the next one comes; length 0: none */
	uint64_t low, high;		/* bytes */
	ext4_mapping_fn fn;
	void *arg;
};

/* ---- the file system's own blocks */

static void add(struct walk *w, ext4_fsblk_t first, uint64_t count, uint64_t owner)
{
	if (count)
		w->own[w->own_count++] = (struct run){ first, count, owner };
}

static int add_group(struct walk *w, ext4_group_t g)
{
	const struct ext4_geometry *geo = &w->fs->geo;
	ext4_fsblk_t first = ext4_group_first_block(geo, g);
	uint32_t super = ext4_group_has_super(geo, g), gdt = ext4_group_gdt_blocks(geo, g);
	uint32_t base = ext4_group_base_meta_blocks(geo, g);
	struct ext4_descriptor d;
	int err = ext4_group_descriptor(w->fs, g, &d);

	if (err)
		return err;
	add(w, first, super, OWNED_BY_SUPER);
	add(w, first + super, gdt, OWNED_BY_DESCRIPTORS);
	add(w, first + super + gdt, base - super - gdt, OWNED_BY_RESERVED_DESCRIPTORS);
	add(w, d.block_bitmap, 1, OWNED_BY_BLOCK_BITMAP);
	add(w, d.inode_bitmap, 1, OWNED_BY_INODE_BITMAP);
	add(w, d.inode_table, geo->itable_blocks, OWNED_BY_INODES);
	return 0;
}

static int by_first(const void *a, const void *b)
{
	const struct run *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

static void merge_neighbours(struct walk *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->own_count; i++) {
		struct run *last = n ? &w->own[n - 1] : NULL, *at = &w->own[i];

		if (last && last->first + last->count == at->first && last->owner == at->owner)
			last->count += at->count;
		else
			w->own[n++] = *at;
	}
	w->own_count = n;
}

static int list_own(struct walk *w)
{
	ext4_group_t groups = w->fs->geo.groups_count;
	int err = 0;

	w->own = arena_alloc(w->fs->arena, (size_t)groups * 6 * sizeof(w->own[0]));
	if (!w->own)
		return -ENOMEM;
	for (ext4_group_t g = 0; g < groups && !err; g++)
		err = add_group(w, g);
	qsort(w->own, w->own_count, sizeof(w->own[0]), by_first);
	merge_neighbours(w);
	return err;
}

/* ---- telling */

static int give_held(struct walk *w, uint32_t flags)
{
	struct ext4_mapping m = w->held;

	w->held.length = 0;
	m.flags |= flags;
	return m.length ? w->fn(w->arg, &m) : 0;
}

static int tell(struct walk *w, ext4_fsblk_t first, uint64_t count, uint64_t owner)
{
	uint8_t bits = w->fs->geo.block_bits;
	uint64_t at = first << bits, len = count << bits;
	int err = 0;

	if (!count || at > w->high || at + len <= w->low)
		return 0;
	err = give_held(w, 0);
	w->held = (struct ext4_mapping){ at, len, owner, MAPPING_SPECIAL };
	return err;
}

/* A run, and before it what somebody has. */
static int tell_run(struct walk *w, const struct run *r)
{
	int err = 0;

	if (r->first > w->next)
		err = tell(w, w->next, r->first - w->next, OWNED_BY_SOMEBODY);
	if (!err)
		err = tell(w, r->first, r->count, r->owner);
	w->next = r->first + r->count;
	return err;
}

static int tell_own_before(struct walk *w, ext4_fsblk_t block)
{
	int err = 0;

	while (!err && w->own_at < w->own_count && w->own[w->own_at].first < block)
		err = tell_run(w, &w->own[w->own_at++]);
	return err;
}

/* The free run that nothing was added to. */
static int end_free(struct walk *w)
{
	struct run r = w->free;
	int err = 0;

	w->free.count = 0;
	if (r.count)
		err = tell_own_before(w, r.first);
	return err || !r.count ? err : tell_run(w, &r);
}

static int add_free(struct walk *w, ext4_fsblk_t first, uint64_t count)
{
	int err = 0;

	if (w->free.count && w->free.first + w->free.count == first) {
		w->free.count += count;
		return 0;
	}
	err = end_free(w);
	w->free = (struct run){ first, count, OWNED_BY_NONE };
	return err;
}

/* ---- the groups */

static int walk_group(struct walk *w, ext4_group_t number)
{
	ext4_fsblk_t first = ext4_group_first_block(&w->fs->geo, number);
	uint32_t blocks = ext4_group_blocks(&w->fs->geo, number), at = 0, end;
	struct ext4_group *g;
	int err = ext4_group_get(w->fs, number, &g);

	if (!err)
		err = mb_group_load(w->fs, g);
	if (err)
		return err;
	mutex_lock(&g->lock);
	memcpy(w->taken, atomic_load(&g->mb)->taken, w->fs->geo.block_size);
	mutex_unlock(&g->lock);
	while (!err && (at = bitmap_next_zero(w->taken, blocks, at)) < blocks) {
		end = bitmap_next_one(w->taken, blocks, at);
		err = add_free(w, first + at, end - at);
		at = end;
	}
	return err;
}

static bool is_wanted(const struct walk *w, ext4_group_t number)
{
	const struct ext4_geometry *geo = &w->fs->geo;
	ext4_fsblk_t first = ext4_group_first_block(geo, number);

	return first << geo->block_bits <= w->high;
}

static int walk(struct walk *w)
{
	const struct run end = { w->fs->geo.blocks_count, 0, 0 };
	int err = 0;

	for (ext4_group_t g = 0; g < w->fs->geo.groups_count && !err && is_wanted(w, g); g++)
		err = walk_group(w, g);
	if (!err)
		err = end_free(w);
	if (!err)
		err = tell_own_before(w, end.first);
	if (!err)
		err = tell_run(w, &end);
	return err ? err : give_held(w, MAPPING_LAST);
}

int ext4_fsmap(struct ext4_fs *fs, uint64_t low, uint64_t high, ext4_mapping_fn fn, void *arg)
{
	struct walk w = { .fs = fs, .low = low, .high = high, .fn = fn, .arg = arg };
	int err;

	TRACE_SCOPE(fs, ext4_ioc_getfsmap);
	if (atomic_load(&fs->shut_down))
		return -EIO;
	if (low > high)
		return -EINVAL;
	w.taken = arena_alloc(fs->arena, fs->geo.block_size);
	err = w.taken ? list_own(&w) : -ENOMEM;
	if (!err)
		err = walk(&w);
	arena_free(fs->arena, w.own);
	arena_free(fs->arena, w.taken);
	return err;
}
