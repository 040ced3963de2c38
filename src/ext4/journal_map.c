/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The map of the journal's file is held in memory while the journal is in use: a commit asks it where
 * each block of the log lies, and must need neither memory nor the device for the answer.
 */
#include "base/alloc.h"
#include "ext4/extents.h"
#include "ext4/indirect.h"
#include "ext4/journal.h"

struct held_map {
	struct ext4_fs *fs;
	struct buffer **buffers;	/* each referenced; in the order of the walk */
	uint32_t count, room;
};

static int make_room(struct held_map *m)
{
	uint32_t room = m->room ? 2 * m->room : 4;
	struct buffer **buffers = arena_realloc(m->fs->arena, m->buffers, room * sizeof(*buffers));

	if (!buffers)
		return -ENOMEM;
	m->buffers = buffers;
	m->room = room;
	return 0;
}

/* The nodes of a way that are not those of the way before: `known` has one of each level. */
static int hold(struct held_map *m, struct buffer *b, struct buffer **known)
{
	int err = 0;

	if (!b || b == *known)
		return 0;
	if (m->count == m->room)
		err = make_room(m);
	if (err)
		return err;
	m->buffers[m->count++] = *known = buffer_hold(b);
	return 0;
}

static int hold_block_map(struct held_map *m, struct inode *inode, uint64_t end)
{
	struct buffer *known[IND_DEPTH_MAX] = { NULL };
	int err = 0;

	for (uint64_t at = 0; at < end && !err;) {
		IND_WAY(w);

		err = ext4_ind_find(inode, (ext4_lblk_t)at, &w);
		for (int i = 0; i < IND_DEPTH_MAX && !err; i++)
			err = hold(m, w.buffer[i], &known[i]);
		at += (uint64_t)w.place.behind + 1;
	}
	return err;
}

static int hold_extent_tree(struct held_map *m, struct inode *inode, uint64_t end)
{
	struct buffer *known[EXT4_EXT_MAX_DEPTH + 1] = { NULL };
	int err = 0;

	for (uint64_t at = 0; at < end && !err;) {
		EXT_PATH(p, inode);

		err = ext4_ext_find(&p, (ext4_lblk_t)at, 0);
		for (int i = 1; i <= p.depth && !err; i++)
			err = hold(m, p.step[i].buffer, &known[i]);
		at = err ? end : ext4_ext_next_leaf(&p);
	}
	return err;
}

int ext4_journal_hold_map(struct ext4_fs *fs)
{
	struct inode *inode = fs->journal_inode;
	struct held_map *m = arena_new(fs->arena, struct held_map);
	uint64_t end = min(inode->size >> fs->geo.block_bits, (uint64_t)EXT4_MAX_LBLK);

	if (!m)
		return -ENOMEM;
	m->fs = fs;
	fs->journal_map = m;
	guard_read(&inode->map_lock);
	return inode->flags & EXT4_EXTENTS_FL ? hold_extent_tree(m, inode, end)
					      : hold_block_map(m, inode, end);
}

void ext4_journal_put_map(struct ext4_fs *fs)
{
	struct held_map *m = fs->journal_map;

	if (!m)
		return;
	for (uint32_t i = 0; i < m->count; i++)
		buffer_put(m->buffers[i]);
	arena_free(fs->arena, m->buffers);
	arena_free(fs->arena, m);
	fs->journal_map = NULL;
}
