/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking a stretch out of a block map: data first, then the blocks of pointers that have none left.
 *
 * A run of blocks that lie one after the other is one step: credits (where the transaction has
 * none, the handle is restarted), the pointers become 0, the blocks are freed. Between two steps
 * the map is whole. A restart lets map_lock go, as in extents_remove.c: others may add to the map
 * elsewhere meanwhile, so pointers are looked at when their turn comes and whether a block of
 * pointers is empty when all below it is done. Only who holds the inode's lock takes blocks of
 * pointers away, so those held here stay.
 */
#include <string.h>
#include "base/assert.h"
#include "ext4/alloc.h"
#include "ext4/indirect.h"

/*
 * For the block of pointers, bitmap and descriptor of two groups, inode and superblock; and to
 * spare.
 */
#define STEP_CREDITS 13

struct ind_removal {
	struct handle *h;
	struct inode *inode;
	uint64_t first, end;		/* blocks that go */
};

static uint32_t data_flags(const struct inode *inode)
{
	if (EXT4_S_ISDIR(inode->mode) || EXT4_S_ISLNK(inode->mode))
		return FREE_METADATA | FREE_FORGET;
	return FREE_VALIDATED | (ext4_should_journal_data(inode) ? FREE_FORGET : 0);
}

static bool revokes_data(const struct inode *inode)
{
	return ext4_forget_revokes(inode, data_flags(inode) & FREE_METADATA);
}

/* ---- credits */

static int restart(struct ind_removal *r, uint32_t revokes)
{
	struct inode *inode = r->inode;
	int err = __ext4_mark_inode_dirty(r->h, inode, "ext4_truncate_restart_trans"), last;

	if (err)
		return err;
	rwlock_unwrite(&inode->map_lock);
	err = jbd2_journal_restart_revokes(r->h, ext4_name_credits(inode->fs) + STEP_CREDITS,
					   revokes);
	rwlock_write(&inode->map_lock);
	ext4_discard_preallocations(inode);
	last = ext4_es_remove_extent(inode, (ext4_lblk_t)r->first, (uint32_t)(r->end - r->first));
	return err ? err : last;
}

static int step_credits(struct ind_removal *r, uint32_t revokes)
{
	int err = ext4_journal_ensure_credits(r->inode->fs, r->h, STEP_CREDITS, STEP_CREDITS);

	if (!err)
		err = ext4_journal_ensure_revokes(r->h, revokes);
	return err > 0 ? restart(r, revokes) : err;
}

/* ---- one run */

/* The pointers [at, at + count) of a block (NULL: of the inode) become 0. */
static int clear_pointers(struct ind_removal *r, struct buffer *b, uint32_t at, uint32_t count)
{
	struct inode *inode = r->inode;
	le32 *first = (b ? (le32 *)b->data : inode->i_data) + at;
	int err;

	if (b) {
		err = ext4_journal_get_write_access(inode->fs, r->h, b);
		if (err)
			return err;
		memset(first, 0, count * sizeof(*first));
		return ext4_handle_dirty_metadata(inode->fs, r->h, inode->ino, b);
	}
	mutex_lock(&inode->attr_lock);
	memset(first, 0, count * sizeof(*first));
	mutex_unlock(&inode->attr_lock);
	return 0; /* the inode goes with the handle at the end, and before a restart */
}

static ext4_fsblk_t pointer_at(const struct ind_removal *r, const struct buffer *b, uint32_t at)
{
	return le32_get(((const le32 *)(b ? b->data : (const uint8_t *)r->inode->i_data))[at]);
}

/* `count` blocks, which `pointers` pointers from `at` on lead to. */
static int free_run(struct ind_removal *r, struct buffer *b, uint32_t at, uint32_t pointers,
		    uint32_t count)
{
	ext4_fsblk_t block = pointer_at(r, b, at);
	struct inode *inode = r->inode;
	int err;

	if (!ext4_inode_block_valid(inode->fs, inode->ino, block, count))
		return ext4_error(inode->fs, inode->ino, block,
				  "block map lies over blocks of the file system's own");
	err = ext4_free_blocks_prepare(r->h, inode, block, count);
	if (!err)
		err = clear_pointers(r, b, at, pointers);
	return err ? err : ext4_free_blocks(r->h, inode, block, count, data_flags(inode));
}

/* How many pointers from `at` on belong to one run of blocks; holes among them do not end it. */
static uint32_t run_at(const struct ind_removal *r, const struct buffer *b, uint32_t at,
		       uint32_t end, uint32_t *count)
{
	ext4_fsblk_t block = pointer_at(r, b, at);
	uint32_t last = at;

	*count = 1;
	for (uint32_t i = at + 1; i < end; i++) {
		ext4_fsblk_t next = pointer_at(r, b, i);

		if (next && next != block + *count)
			break;
		if (next) {
			(*count)++;
			last = i;
		}
	}
	return last + 1 - at;
}

/* Data behind the pointers [at, end). */
static int remove_data(struct ind_removal *r, struct buffer *b, uint32_t at, uint32_t end)
{
	uint32_t pointers, count;
	int err = 0;

	for (; at < end && !err; at += pointers) {
		pointers = 1;
		if (!pointer_at(r, b, at))
			continue;
		err = step_credits(r, revokes_data(r->inode) ? ind_pointers(r->inode) : 0);
		if (err || !pointer_at(r, b, at))
			continue;
		pointers = run_at(r, b, at, end, &count);
		err = free_run(r, b, at, pointers, count);
	}
	return err;
}

/* ---- blocks of pointers */

static bool is_empty(const struct buffer *b, uint32_t pointers)
{
	const le32 *p = (const le32 *)b->data;

	for (uint32_t i = 0; i < pointers; i++)
		if (le32_get(p[i]))
			return false;
	return true;
}

static int remove_below(struct ind_removal *r, struct buffer *b, int level, uint64_t begin);

/*
 * What hangs from one pointer: a block of pointers `level` levels above the data, whose first is
 * `begin`.
 */
static int remove_child(struct ind_removal *r, struct buffer *parent, uint32_t at, int level,
			uint64_t begin)
{
	struct inode *inode = r->inode;
	ext4_fsblk_t block = pointer_at(r, parent, at);
	struct buffer *b;
	bool empty;
	int err;

	if (!block)
		return 0;
	err = ext4_ind_read(inode, block, &b);
	if (err)
		return err;
	err = remove_below(r, b, level, begin);
	if (!err)
		err = step_credits(r, 1);
	empty = is_empty(b, ind_pointers(inode));
	buffer_put(b);
	if (err || !empty)
		return err;
	err = ext4_free_blocks_prepare(r->h, inode, block, 1);
	if (!err)
		err = clear_pointers(r, parent, at, 1);
	return err ? err : ext4_free_blocks(r->h, inode, block, 1, FREE_METADATA | FREE_FORGET);
}

/*
 * Of a block of pointers all that lies in the stretch: data from the front, nodes from the back, as
 * Linux.
 */
static int remove_below(struct ind_removal *r, struct buffer *b, int level, uint64_t begin)
{
	uint32_t pointers = ind_pointers(r->inode), first, end;
	uint64_t reach = 1;
	int err = 0;

	for (int i = 1; i < level; i++)
		reach *= pointers;
	first = r->first > begin ? (uint32_t)min((r->first - begin) / reach, (uint64_t)pointers)
				 : 0;
	end = r->end > begin
		      ? (uint32_t)min((r->end - begin + reach - 1) / reach, (uint64_t)pointers)
		      : 0;
	if (level == 1)
		return remove_data(r, b, first, end);
	for (uint32_t at = end; at > first && !err; at--)
		err = remove_child(r, b, at - 1, level - 1, begin + (at - 1) * reach);
	return err;
}

int ext4_ind_remove_space(struct handle *h, struct inode *inode, ext4_lblk_t start,
			  ext4_lblk_t last)
{
	struct ind_removal r = { h, inode, start, (uint64_t)last + 1 };
	uint32_t pointers = ind_pointers(inode);
	uint64_t begin = IND_DIRECT, reach = pointers;
	int err = 0;

	TRACE_SCOPE(inode->fs, ext4_ind_remove_space);
	ensure(start <= last);
	ext4_da_forget_pointers(inode);
	if (r.first < IND_DIRECT)
		err = remove_data(&r, NULL, (uint32_t)r.first,
				  (uint32_t)min(r.end, (uint64_t)IND_DIRECT));
	for (int level = 1; level < IND_DEPTH_MAX && !err; level++) {
		if (r.first < begin + reach && r.end > begin)
			err = remove_child(&r, NULL, IND_DIRECT + (uint32_t)level - 1, level,
					   begin);
		begin += reach;
		reach *= pointers;
	}
	return err;
}
