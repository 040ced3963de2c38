/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Freeing blocks. On disk they are free with the transaction; but until it has committed they are
 * still what the last committed state uses, so nobody may take them: in `taken` they stay, and the
 * commit's callback gives them back. With data=writeback that is not promised of data, which is
 * free at once.
 *
 * All that can fail for want of memory or of the device comes first, of all groups: it is all freed or
 * nothing is, but for a journal that has aborted.
 *
 * If there is no memory to remember a freed stretch by, the group is marked: its free space is then
 * made anew from the bitmap, when the next mount comes; until then the stretch is only not reused.
 */
#include "base/assert.h"
#include "base/bitmap.h"
#include "ext4/mballoc_internal.h"

void mb_give_back(struct ext4_fs *fs, ext4_group_t group, uint32_t start, uint32_t len)
{
	struct ext4_group *g = fs->groups[group];
	struct mb_group *m;

	mutex_lock(&g->lock);
	m = atomic_load(&g->mb);
	if (m) {
		mb_mark_free(m, start, len);
		m->pending -= len;
		if (!fs->opt.discard)
			m->trimmed_least = 0;
	}
	mutex_unlock(&g->lock);
	atomic_fetch_sub(&fs->counters.pending_clusters, len);
}

/*
 * Commit task. A lost transaction leaves them taken: the journal has aborted, nothing is allocated
 * any more.
 */
static void give_back(struct jbd2_callback *cb, int err)
{
	struct mb_freed *f = container_of(cb, struct mb_freed, callback);
	struct ext4_fs *fs = f->fs;

	if (!err && fs->opt.discard && fs->mb) {
		f->next = fs->mb->committed;
		fs->mb->committed = f;
		return;
	}
	if (!err)
		mb_give_back(fs, f->group, f->start, f->len);
	else
		atomic_fetch_sub(&fs->counters.pending_clusters, f->len);
	arena_free(fs->arena, f);
}

/* One stretch of one group. */
struct stretch {
	struct handle *handle;
	struct inode *inode;
	struct ext4_group *group;
	uint32_t start, len;
	uint32_t flags;
};

static bool waits_for_commit(const struct stretch *s)
{
	return s->handle->journal &&
	       (s->flags & FREE_METADATA || s->inode->fs->opt.data != DATA_WRITEBACK);
}

/* Under the group's lock. */
static int check_taken(const struct stretch *s, const struct buffer *bits)
{
	struct ext4_group *g = s->group;

	if (bitmap_all_ones(bits->data, s->start, s->len))
		return 0;
	g->block_bitmap_bad = true;
	return ext4_error(s->inode->fs, s->inode->ino, bits->block,
			  "group %u: blocks %u to %u are free already", g->number, s->start,
			  s->start + s->len - 1);
}

static int clear_bits(const struct stretch *s, struct buffer *bits)
{
	struct ext4_fs *fs = s->inode->fs;
	struct ext4_group *g = s->group;
	struct mb_group *m;
	int err;

	guard(&g->lock);
	m = atomic_load(&g->mb);
	err = check_taken(s, bits); /* two files may have claimed them, and one was faster */
	if (err)
		return err;
	bitmap_clear_range(bits->data, s->start, s->len);
	g->free_clusters += s->len;
	if (waits_for_commit(s))
		m->pending += s->len;
	else
		mb_mark_free(m, s->start, s->len);
	if (!waits_for_commit(s))
		m->trimmed_least = 0;
	ext4_block_bitmap_csum_set(fs, g, bits);
	err = ext4_handle_dirty_metadata(fs, s->handle, 0, bits);
	return err ? err : ext4_group_dirty(fs, s->handle, g);
}

static void remember(const struct stretch *s)
{
	struct mb_freed *f =
		waits_for_commit(s) ? arena_new(s->inode->fs->arena, struct mb_freed) : NULL;

	if (!f)
		return;
	f->fs = s->inode->fs;
	f->group = s->group->number;
	f->start = s->start;
	f->len = s->len;
	f->callback.fn = give_back;
	atomic_fetch_add(&f->fs->counters.pending_clusters, f->len);
	jbd2_journal_add_callback(s->handle, &f->callback);
}

static int prepare_stretch(struct stretch *s)
{
	struct ext4_fs *fs = s->inode->fs;
	autobuffer bits = NULL;
	int err = ext4_read_block_bitmap(fs, s->group, &bits);

	if (!err)
		err = ext4_journal_get_write_access(fs, s->handle, bits);
	if (!err)
		err = ext4_group_get_write_access(fs, s->handle, s->group);
	if (!err)
		err = mb_group_load(fs, s->group);
	if (err)
		return err;
	guard(&s->group->lock);
	return check_taken(s, bits);
}

static int free_stretch(struct stretch *s)
{
	struct ext4_fs *fs = s->inode->fs;
	autobuffer bits = NULL;
	int err = ext4_read_block_bitmap(fs, s->group, &bits);

	if (err)
		return err;
	trace(fs, ext4_mballoc_free, s->inode->ino, s->group->number, (int)s->start, (int)s->len);
	if (fs->opt.discard && !waits_for_commit(s))
		mb_discard_now(fs, s->group->number, s->start, s->len);
	err = clear_bits(s, bits);
	if (err)
		return err;
	remember(s);
	ext4_flex_add(fs, s->group->number, s->len, 0, 0);
	ext4_counter_add(&fs->counters.free_clusters, s->len);
	if (!(s->flags & FREE_NO_QUOTA)) {
		ext4_inode_add_bytes(s->inode, -((int64_t)s->len << fs->geo.block_bits));
		ignore_result(ext4_dirty_inode(s->inode)); /* who takes the pointer away does it again */
	}
	return 0;
}

static int for_each_stretch(struct stretch *s, ext4_fsblk_t block, uint64_t count,
			    int (*fn)(struct stretch *))
{
	struct ext4_fs *fs = s->inode->fs;
	int err = 0;

	for (; count && !err; block += s->len, count -= s->len) {
		ext4_group_t number = ext4_group_of_block(&fs->geo, block);
		uint64_t room;

		s->start = ext4_offset_in_group(&fs->geo, block);
		room = ext4_group_blocks(&fs->geo, number) - s->start;
		s->len = (uint32_t)min(count, room);
		err = ext4_group_get(fs, number, &s->group);
		if (!err)
			err = fn(s);
	}
	return err;
}

/* Memory lets go of each block, and the log is told. */
static int forget_blocks(struct handle *h, struct inode *inode, ext4_fsblk_t block, uint64_t count,
			 uint32_t flags)
{
	struct ext4_fs *fs = inode->fs;
	int err = 0;

	for (uint64_t i = 0; i < count && !err; i++) {
		autobuffer b = buffer_find(fs->buffers, block + i);

		err = ext4_forget(fs, h, flags & FREE_METADATA, inode, b, block + i);
	}
	return err;
}

static int check_range(struct inode *inode, ext4_fsblk_t block, uint64_t count, uint32_t flags)
{
	if (flags & FREE_VALIDATED || ext4_inode_block_valid(inode->fs, inode->ino, block, count))
		return 0;
	return ext4_error(inode->fs, inode->ino, block, "%llu blocks to be freed are not the file's",
			  (unsigned long long)count);
}

int ext4_free_blocks_prepare(struct handle *h, struct inode *inode, ext4_fsblk_t block,
			     uint64_t count)
{
	struct stretch s = { .handle = h, .inode = inode };
	int err = check_range(inode, block, count, 0);

	return err ? err : for_each_stretch(&s, block, count, prepare_stretch);
}

int ext4_free_blocks(struct handle *h, struct inode *inode, ext4_fsblk_t block, uint64_t count,
		     uint32_t flags)
{
	struct ext4_fs *fs = inode->fs;
	struct stretch s = { .handle = h, .inode = inode, .flags = flags };
	int err = check_range(inode, block, count, flags);

	TRACE_SCOPE(fs, ext4_free_blocks);
	if (err)
		return err;
	trace(fs, ext4_free_blocks, inode->ino, inode->mode, block, count, (int)flags);
	err = for_each_stretch(&s, block, count, prepare_stretch);
	if (!err && flags & FREE_FORGET)
		err = forget_blocks(h, inode, block, count, flags);
	return err ? err : for_each_stretch(&s, block, count, free_stretch);
}
