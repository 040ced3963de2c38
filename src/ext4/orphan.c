/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Orphans: inodes whose end, or shrinking, takes more than one transaction. Should the mount end before, the
 * next one finds them and finishes (J10). They are kept in one of two ways:
 *
 *	the list   the superblock names the first, and each inode's i_dtime the next one. In memory the list runs in
 *	           the same order; taking one out changes the one before it
 *	the file   (orphan_file) blocks of slots, each a number or 0: nothing but the slot changes, so that many
 *	           tasks do not meet at the superblock
 *
 * Both are read at the mount, whichever this mount goes on to use. orphan_lock (RANK_ORPHAN) guards the list
 * and the slots; the handle is open before it is taken.
 */
#include <string.h>
#include "base/assert.h"
#include "ext4/inode_internal.h"
#include "ext4/kinds.h"
#include "ext4/names.h"

struct orphans {
	struct list list;		/* of inodes, the superblock's first in front; under orphan_lock */
	struct inode *file;		/* NULL: no orphan file, or not used */
	uint32_t blocks, per_block;
	struct buffer **buffers;	/* of the file, each held */
	uint32_t *free_slots;		/* in each block */
};

static bool inode_is(const struct inode *i, uint32_t state)
{
	return atomic_load(&i->state) & state;
}

/* ---- the file */

static le32 *slot_at(struct orphans *o, uint32_t slot)
{
	return (le32 *)o->buffers[slot / o->per_block]->data + slot % o->per_block;
}

/* A free slot, from a place that differs from inode to inode; false: all are taken. */
static bool find_slot(struct orphans *o, uint32_t ino, uint32_t *slot)
{
	for (uint32_t n = 0; n < o->blocks; n++) {
		uint32_t block = (ino + n) % o->blocks;

		if (!o->free_slots[block])
			continue;
		for (uint32_t i = 0; i < o->per_block; i++) {
			*slot = block * o->per_block + i;
			if (!le32_get(*slot_at(o, *slot)))
				return true;
		}
	}
	return false;
}

static int set_slot(struct handle *h, struct inode *i, uint32_t slot, uint32_t ino)
{
	struct ext4_fs *fs = i->fs;
	struct buffer *b = fs->orphans->buffers[slot / fs->orphans->per_block];
	int err = ext4_journal_get_write_access(fs, h, b);

	if (err)
		return err;
	*slot_at(fs->orphans, slot) = le32_of(ino);
	fs->orphans->free_slots[slot / fs->orphans->per_block] += ino ? -1u : 1u;
	return ext4_handle_dirty_metadata(fs, h, fs->orphans->file->ino, b);
}

/* 0; -ENOSPC: no slot, use the list. */
static int file_add(struct handle *h, struct inode *i)
{
	struct orphans *o = i->fs->orphans;
	uint32_t slot;
	int err;

	if (!ext4_orphan_file_in_use(i->fs) || !find_slot(o, i->ino, &slot))
		return -ENOSPC;
	err = set_slot(h, i, slot, i->ino);
	if (err)
		return err;
	i->orphan_slot = slot;
	atomic_fetch_or(&i->state, INODE_ORPHAN | INODE_ORPHAN_FILE);
	return 0;
}

/* ---- the list */

static int set_first(struct handle *h, struct ext4_fs *fs, uint32_t ino)
{
	int err = ext4_journal_get_write_access(fs, h, fs->super_buffer);

	if (err)
		return err;
	fs->super->s_last_orphan = le32_of(ino);
	return ext4_handle_dirty_metadata(fs, h, 0, fs->super_buffer);
}

static void set_next(struct inode *i, uint32_t ino)
{
	attr_write_begin(i);
	i->dtime_or_next_orphan = ino;
	attr_write_end(i);
}

static int list_add(struct handle *h, struct inode *i)
{
	struct ext4_fs *fs = i->fs;
	uint32_t first = le32_get(fs->super->s_last_orphan);
	int err = set_first(h, fs, i->ino);

	if (err)
		return err;
	set_next(i, first);
	err = ext4_put_inode(h, i);
	if (err) {
		ignore_result(set_first(h, fs, first)); /* the buffer is the handle's already */
		return err;
	}
	list_add_head(&fs->orphans->list, &i->orphan);
	atomic_fetch_or(&i->state, INODE_ORPHAN);
	return 0;
}

static int list_del(struct handle *h, struct inode *i)
{
	struct ext4_fs *fs = i->fs;
	uint32_t next = i->dtime_or_next_orphan;
	struct inode *before = i->orphan.prev == &fs->orphans->list
				       ? NULL : list_entry(i->orphan.prev, struct inode, orphan);
	int err;

	if (before) {
		set_next(before, next);
		err = ext4_put_inode(h, before);
		if (err)
			set_next(before, i->ino);
	} else {
		err = set_first(h, fs, next);
	}
	if (err)
		return err; /* the chain on disk still runs through it */
	list_remove(&i->orphan);
	atomic_fetch_and(&i->state, ~INODE_ORPHAN);
	set_next(i, 0);
	return ext4_put_inode(h, i);
}

/* ---- both */

int ext4_orphan_add(struct handle *h, struct inode *i)
{
	struct ext4_fs *fs = i->fs;
	int err;

	if (!h->journal || inode_is(i, INODE_ORPHAN))
		return 0;
	guard(&fs->orphan_lock);
	err = file_add(h, i);
	return err == -ENOSPC ? list_add(h, i) : err;
}

int ext4_orphan_del(struct handle *h, struct inode *i)
{
	struct ext4_fs *fs = i->fs;
	int err;

	if (!inode_is(i, INODE_ORPHAN))
		return 0;
	guard(&fs->orphan_lock);
	if (!inode_is(i, INODE_ORPHAN_FILE))
		return list_del(h, i);
	err = set_slot(h, i, i->orphan_slot, 0);
	if (!err)
		atomic_fetch_and(&i->state, ~(INODE_ORPHAN | INODE_ORPHAN_FILE));
	return err;
}

bool ext4_orphan_linked(struct inode *i)
{
	return inode_is(i, INODE_ORPHAN) && !inode_is(i, INODE_ORPHAN_FILE);
}

/* ---- what the last mount left */

/* One orphan: cut to its size, or deleted with its last reference. */
static int finish(struct ext4_fs *fs, struct inode *i, uint32_t *cut, uint32_t *deleted)
{
	int err = 0;

	(void)fs;
	if (i->nlink) {
		rwlock_write(&i->lock);
		ext4_truncate_pages(i, i->size);
		err = ext4_truncate(i);
		rwlock_unwrite(&i->lock);
		++*cut;
	} else {
		++*deleted;
	}
	ext4_iput(i);
	return err;
}

/* The list cannot be followed any further: cut off, with a word. What it held is lost space, e2fsck finds it. */
static void abandon_list(struct ext4_fs *fs, uint32_t ino)
{
	struct handle *h;

	ext4_message(fs, LOG_WARNING, "orphan list: inode %u is no orphan; the rest of it is dropped, run e2fsck", ino);
	fs->super->s_state = le16_of(le16_get(fs->super->s_state) | EXT4_ERROR_FS);
	if (ext4_journal_start(fs, 0, HT_MISC, 1, &h))
		return;
	ignore_result(set_first(h, fs, 0));
	(void)ext4_journal_stop(fs, h);
}

static void clean_list(struct ext4_fs *fs, uint32_t *cut, uint32_t *deleted)
{
	struct inode *i;
	uint32_t ino;

	for (uint32_t n = 0; n < fs->geo.inodes_count && (ino = le32_get(fs->super->s_last_orphan)); n++) {
		if (ext4_iget(fs, ino, IGET_SPECIAL, &i)) {
			abandon_list(fs, ino);
			return;
		}
		mutex_lock(&fs->orphan_lock);
		list_add_head(&fs->orphans->list, &i->orphan);
		atomic_fetch_or(&i->state, INODE_ORPHAN);
		mutex_unlock(&fs->orphan_lock);
		if (finish(fs, i, cut, deleted) || le32_get(fs->super->s_last_orphan) == ino) {
			abandon_list(fs, ino);
			return;
		}
	}
}

static void clean_file(struct ext4_fs *fs, uint32_t *cut, uint32_t *deleted)
{
	struct orphans *o = fs->orphans;
	struct inode *i;

	for (uint32_t slot = 0; slot < o->blocks * o->per_block; slot++) {
		uint32_t ino = le32_get(*slot_at(o, slot));

		if (!ino)
			continue;
		if (ext4_iget(fs, ino, IGET_SPECIAL, &i)) {
			ext4_message(fs, LOG_WARNING, "orphan file: inode %u is no orphan; run e2fsck", ino);
			continue;
		}
		i->orphan_slot = slot;
		atomic_fetch_or(&i->state, INODE_ORPHAN | INODE_ORPHAN_FILE);
		(void)finish(fs, i, cut, deleted); /* what cannot be finished stays in its slot */
	}
}

void ext4_orphan_cleanup(struct ext4_fs *fs)
{
	uint32_t cut = 0, deleted = 0;

	if (!fs->journal)
		return;
	TRACE_SCOPE(fs, ext4_orphan_cleanup);
	clean_list(fs, &cut, &deleted);
	clean_file(fs, &cut, &deleted);
	fs->orphans_cut = cut;
	fs->orphans_deleted = deleted;
	if (deleted || cut)
		ext4_message(fs, LOG_INFO, "orphans: %u deleted, %u truncated", deleted, cut);
}

bool ext4_orphan_file_in_use(const struct ext4_fs *fs)
{
	return fs->orphans && fs->orphans->file && fs->opt.dialect != DIALECT_4_9;
}

bool ext4_orphan_file_empty(const struct ext4_fs *fs)
{
	const struct orphans *o = fs->orphans;

	for (uint32_t i = 0; o && i < o->blocks; i++)
		if (o->free_slots[i] != o->per_block)
			return false;
	return true;
}

/* ---- its life */

static int load_block(struct ext4_fs *fs, struct orphans *o, uint32_t lblk)
{
	struct buffer_owner owner = { o->file->ino, o->file->csum_seed };
	autobuffer where = NULL;
	int err = ext4_getblk(NULL, o->file, lblk, false, &where);

	if (!err && !where)
		err = ext4_error(fs, o->file->ino, 0, "the orphan file has a hole at block %u", lblk);
	if (!err)
		err = buffer_read(fs->buffers, where->block, &ext4_kind_orphan, &owner, &o->buffers[lblk]);
	if (err)
		return err;
	for (uint32_t i = 0; i < o->per_block; i++)
		o->free_slots[lblk] += !le32_get(*slot_at(o, lblk * o->per_block + i));
	return 0;
}

#define FILE_BLOCKS_MAX 512u	/* as Linux has it: more is no orphan file */

static int load_file(struct ext4_fs *fs, struct orphans *o)
{
	uint64_t blocks;
	int err = ext4_iget(fs, fs->geo.orphan_file_inum, IGET_SPECIAL, &o->file);

	if (err)
		return err;
	blocks = o->file->size >> fs->geo.block_bits;
	if (!blocks || blocks > FILE_BLOCKS_MAX)
		return ext4_error(fs, o->file->ino, 0, "orphan file of %llu blocks", (unsigned long long)blocks);
	o->per_block = (fs->geo.block_size - (uint32_t)sizeof(struct ext4_orphan_block_tail)) / 4;
	o->buffers = arena_zalloc(fs->arena, blocks * sizeof(o->buffers[0]));
	o->free_slots = arena_zalloc(fs->arena, blocks * sizeof(o->free_slots[0]));
	if (!o->buffers || !o->free_slots)
		return -ENOMEM;
	o->blocks = (uint32_t)blocks;
	for (uint32_t i = 0; i < o->blocks && !err; i++)
		err = load_block(fs, o, i);
	return err;
}

int ext4_orphans_load(struct ext4_fs *fs)
{
	struct orphans *o = arena_new(fs->arena, struct orphans);

	if (!o)
		return -ENOMEM;
	list_init(&o->list);
	fs->orphans = o;
	if (!(fs->geo.feature_compat & EXT4_FEATURE_COMPAT_ORPHAN_FILE) || !fs->geo.orphan_file_inum)
		return 0;
	return load_file(fs, o);
}

void ext4_orphans_unload(struct ext4_fs *fs)
{
	struct orphans *o = fs->orphans;
	struct inode *left, *tmp;

	if (!o)
		return;
	list_for_each_safe(left, tmp, &o->list, orphan)
		ext4_inode_retire(left);
	for (uint32_t i = 0; i < o->blocks; i++)
		buffer_put(o->buffers[i]);
	if (o->file)
		ext4_iput(o->file);
	arena_free(fs->arena, o->buffers);
	arena_free(fs->arena, o->free_slots);
	arena_free(fs->arena, o);
	fs->orphans = NULL;
}
