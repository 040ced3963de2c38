/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The toys behind tests of the map (map_fake.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ext4/map_fake.h"

enum { FAKE_ACCESS = 1, FAKE_DIRTY = 2 };

static struct map_fake *fake_of(const struct ext4_fs *fs)
{
	return container_of(fs, struct map_fake, fs);
}

/* ---- journal */

static void spend(struct map_fake *f, bool *spent)
{
	if (!*spent)
		f->handle.credits--;
	*spent = true;
	assert_true(f->handle.credits >= 0);
}

/* Whatever changed since the last commit went through the journal. */
static void check_committed(struct map_fake *f, ext4_fsblk_t block)
{
	struct buffer *b = buffer_find(f->fs.buffers, block);

	if (!b)
		return;
	if (!(atomic_load(&b->state) & BUFFER_UPTODATE)) {
		/* it could not be read */
	} else if (f->state[block] & FAKE_DIRTY) {
		if (!f->committed[block])
			f->committed[block] = malloc(FAKE_BLOCK_SIZE);
		memcpy(f->committed[block], b->data, FAKE_BLOCK_SIZE);
	} else if (f->committed[block] && !f->hostile) {
		assert_memory_equal(b->data, f->committed[block], FAKE_BLOCK_SIZE);
	}
	buffer_put(b);
}

static void commit(struct map_fake *f)
{
	for (ext4_fsblk_t block = 1; block <= FAKE_META_BLOCKS; block++)
		check_committed(f, block);
	memset(f->state, 0, sizeof(f->state));
	f->inode_dirty = f->bitmap_dirty = false;
	if (f->hostile)
		memcpy(f->table_root, f->inode.i_data, sizeof(f->table_root));
	assert_memory_equal(f->inode.i_data, f->table_root, sizeof(f->table_root));
}

struct handle *fake_start(struct map_fake *f, int credits)
{
	f->handle =
		(struct handle){ .journal = (struct journal *)f, .credits = credits, .nesting = 1 };
	return &f->handle;
}

void fake_stop(struct map_fake *f)
{
	commit(f);
	f->handle.journal = NULL;
}

int __ext4_journal_start(struct ext4_fs *fs, uint64_t ino, const char *caller, int line,
			    enum ext4_handle_type type, int blocks, int reserve,
			    struct handle **out)
{
	struct map_fake *f = fake_of(fs);

	assert_non_null(f->handle.journal);
	f->handle.nesting++;
	*out = &f->handle;
	return 0;
}

int __ext4_journal_stop(struct ext4_fs *fs, struct handle *h, const char *caller, int line)
{
	assert_true(--h->nesting > 0);
	return 0;
}

int jbd2_journal_extend(struct handle *h, int blocks)
{
	struct map_fake *f = (struct map_fake *)h->journal;

	if (f->refuse_extend_in && !random_below(&f->random, f->refuse_extend_in))
		return 1;
	f->extends++;
	h->credits += blocks;
	return 0;
}

int ext4_journal_ensure_credits(struct ext4_fs *fs, struct handle *h, int need, int extend_by)
{
	return h->credits >= need ? 0 : jbd2_journal_extend(h, extend_by);
}

int ext4_journal_ensure_revokes(struct handle *h, uint32_t count)
{
	struct map_fake *f = (struct map_fake *)h->journal;

	return count && f->refuse_extend_in && !random_below(&f->random, f->refuse_extend_in);
}

bool ext4_forget_revokes(const struct inode *inode, bool is_metadata)
{
	return is_metadata;
}

int jbd2_journal_restart(struct handle *h, int blocks)
{
	return jbd2_journal_restart_revokes(h, blocks, 0);
}

int jbd2_journal_restart_revokes(struct handle *h, int blocks, uint32_t revokes)
{
	struct map_fake *f = (struct map_fake *)h->journal;

	assert_true(rwlock_trywrite(&f->inode.map_lock));
	rwlock_unwrite(&f->inode.map_lock);
	commit(f);
	f->restarts++;
	h->credits = blocks;
	return 0;
}

int ext4_journal_get_write_access(struct ext4_fs *fs, struct handle *h, struct buffer *b)
{
	if (fake_of(fs)->hostile && b->block > FAKE_META_BLOCKS)
		return -EROFS;
	assert_true(b->block <= FAKE_META_BLOCKS);
	fake_of(fs)->state[b->block] |= FAKE_ACCESS;
	return 0;
}

int ext4_journal_get_create_access(struct ext4_fs *fs, struct handle *h, struct buffer *b)
{
	return ext4_journal_get_write_access(fs, h, b);
}

int ext4_handle_dirty_metadata(struct ext4_fs *fs, struct handle *h, uint64_t ino, struct buffer *b)
{
	struct map_fake *f = fake_of(fs);
	bool was_dirty = f->state[b->block] & FAKE_DIRTY;

	assert_true(f->state[b->block] & FAKE_ACCESS);
	spend(f, &was_dirty);
	f->state[b->block] |= FAKE_DIRTY;
	buffer_mark_dirty(b);
	return 0;
}

void jbd2_journal_inode_add(struct handle *h, struct jbd2_inode *ji, uint32_t flags)
{
}

/* ---- inode */

int ext4_inode_get_write_access(struct handle *h, struct inode *inode)
{
	return 0;
}

int __ext4_mark_inode_dirty(struct handle *h, struct inode *inode, const char *caller)
{
	struct map_fake *f = fake_of(inode->fs);

	trace(inode->fs, ext4_mark_inode_dirty, inode->ino, caller);
	spend(f, &f->inode_dirty);
	memcpy(f->table_root, inode->i_data, sizeof(f->table_root));
	return 0;
}

void ext4_update_fsync_trans(struct handle *h, struct inode *inode, bool datasync)
{
}

bool ext4_should_journal_data(const struct inode *inode)
{
	return false;
}

bool ext4_should_order_data(const struct inode *inode)
{
	return true;
}

bool ext4_inode_block_valid(struct ext4_fs *fs, uint64_t ino, ext4_fsblk_t block, uint64_t count)
{
	struct map_fake *f = fake_of(fs);

	return block > 0 && count <= FAKE_BLOCKS && block + count <= FAKE_BLOCKS &&
	       (block + count <= f->own_first || block >= f->own_first + f->own_count);
}

int ext4_error_in(struct ext4_fs *fs, const char *function, uint32_t line, uint64_t ino,
		  uint64_t block, int err, const char *fmt, ...)
{
	struct map_fake *f = fake_of(fs);
	va_list ap;

	assert_true(ino == f->inode.ino);
	va_start(ap, fmt);
	vsnprintf(f->error_text, sizeof(f->error_text), fmt, ap);
	va_end(ap);
	f->errors++;
	return err;
}

void ext4_message(struct ext4_fs *fs, enum log_level level, const char *fmt, ...)
{
}

/* ---- allocator */

static void take(struct map_fake *f, ext4_fsblk_t block, uint32_t count, uint32_t *counter)
{
	assert_non_null(f->handle.journal);
	if (!f->bitmap_dirty)
		f->handle.credits--;
	spend(f, &f->bitmap_dirty);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(f->used[block + i], 0);
		f->used[block + i] = 1;
	}
	*counter += count;
}

static bool allocation_fails(struct map_fake *f)
{
	return f->allocations++ == f->fail_at;
}

int ext4_mb_new_blocks(struct handle *h, struct ext4_alloc_request *ar, ext4_fsblk_t *out)
{
	struct map_fake *f = fake_of(ar->inode->fs);
	ext4_fsblk_t block = ar->goal > FAKE_META_BLOCKS && ar->goal < FAKE_BLOCKS && f->run_max > 1
				     ? ar->goal
				     : f->next_data;
	uint32_t len = 0;

	f->last_goal = ar->goal;
	if (allocation_fails(f))
		return -ENOSPC;
	while (f->used[block])
		block = block + 1 < FAKE_BLOCKS ? block + 1 : FAKE_META_BLOCKS + 1;
	while (len < min(ar->len, f->run_max) && block + len < FAKE_BLOCKS && !f->used[block + len])
		len++;
	take(f, block, len, &f->data_used);
	f->next_data = block + len + 1 < FAKE_BLOCKS ? block + len + 1 : FAKE_META_BLOCKS + 1;
	ar->len = len;
	*out = block;
	return 0;
}

int ext4_new_meta_blocks(struct handle *h, struct inode *inode, ext4_fsblk_t goal, uint32_t flags,
			 uint32_t *count, ext4_fsblk_t *out)
{
	struct map_fake *f = fake_of(inode->fs);
	ext4_fsblk_t block = 1;

	f->last_goal = goal;
	f->last_flags = flags;
	assert_int_equal(*count, 1);
	if (allocation_fails(f))
		return -ENOSPC;
	while (f->used[block])
		block++;
	assert_true(block <= FAKE_META_BLOCKS);
	take(f, block, 1, &f->meta_used);
	*out = block;
	return 0;
}

static void forget(struct map_fake *f, ext4_fsblk_t block)
{
	if (f->state[block] & FAKE_DIRTY)
		f->handle.credits++;
	f->state[block] = 0;
	free(f->committed[block]);
	f->committed[block] = NULL;
	buffer_forget(f->fs.buffers, block);
}

int ext4_free_blocks_prepare(struct handle *h, struct inode *inode, ext4_fsblk_t block,
			     uint64_t count)
{
	return 0;
}

int ext4_free_blocks(struct handle *h, struct inode *inode, ext4_fsblk_t block, uint64_t count,
		     uint32_t flags)
{
	struct map_fake *f = fake_of(inode->fs);
	bool is_meta = block <= FAKE_META_BLOCKS;

	if (f->hostile && is_meta != ((flags & FREE_METADATA) != 0))
		return ext4_error(inode->fs, inode->ino, block, "block of another kind");
	assert_int_equal(is_meta, (flags & FREE_METADATA) != 0);
	for (uint64_t i = 0; f->hostile && i < count; i++)
		if (!f->used[block + i])
			return ext4_error(inode->fs, inode->ino, block, "block is free already");
	if (!f->bitmap_dirty)
		f->handle.credits--;
	spend(f, &f->bitmap_dirty);
	for (uint64_t i = 0; i < count; i++) {
		assert_int_equal(f->used[block + i], 1);
		f->used[block + i] = 0;
		if (is_meta)
			forget(f, block + i);
	}
	*(is_meta ? &f->meta_used : &f->data_used) -= (uint32_t)count;
	return 0;
}

void ext4_discard_preallocations(struct inode *inode)
{
}

ext4_fsblk_t ext4_inode_to_goal_block(struct inode *inode)
{
	return 1;
}

/* ---- delayed blocks */

int ext4_da_reserve_space(struct inode *inode, ext4_lblk_t lblk)
{
	struct map_fake *f = fake_of(inode->fs);

	if (f->no_space)
		return -ENOSPC;
	f->reserved++;
	return 0;
}

void ext4_da_release_space(struct inode *inode, uint32_t blocks)
{
	struct map_fake *f = fake_of(inode->fs);

	assert_true(f->reserved >= blocks);
	f->reserved -= blocks;
	f->released += blocks;
}

void ext4_da_update_reserve_space(struct inode *inode, uint32_t used, bool quota_claim)
{
	struct map_fake *f = fake_of(inode->fs);

	assert_true(f->reserved >= used);
	f->reserved -= used;
}

void ext4_da_use_pointers(struct inode *inode, uint32_t used)
{
}

void ext4_da_forget_pointers(struct inode *inode)
{
}

/* ---- the whole */

static void init_geometry(struct map_fake *f, int entries)
{
	struct ext4_geometry *geo = &f->fs.geo;

	geo->block_size = FAKE_BLOCK_SIZE;
	geo->block_bits = 9;
	geo->blocks_count = FAKE_BLOCKS;
	geo->blocks_per_group = FAKE_BLOCKS;
	geo->groups_count = 1;
	geo->gdt_blocks = 1;
	geo->cluster_ratio = 1;
	geo->first_data_block = 0;
	/* A node's room follows from the size of a block, which nothing else here looks at. */
	if (entries)
		geo->block_size = (uint32_t)(sizeof(struct ext4_extent_header) +
					     (size_t)entries * sizeof(struct ext4_extent));
}

static void init_inode(struct map_fake *f)
{
	struct inode *inode = &f->inode;

	inode->fs = &f->fs;
	inode->ino = 12;
	inode->mode = EXT4_S_IFREG | 0644;
	inode->flags = EXT4_EXTENTS_FL;
	rwlock_init(&inode->map_lock, RANK_MAP);
	mutex_init(&inode->attr_lock, RANK_ATTR);
	ext4_es_init_tree(&inode->es);
}

static void init_device(struct map_fake *f)
{
	struct buffer_cache_options opt = { .arena = f->fs.arena,
					    .block_size = FAKE_BLOCK_SIZE,
					    .block_count = FAKE_BLOCKS,
					    .user = &f->fs };
	struct block_device *mem;

	assert_int_equal(block_mem_create(f->fs.arena, FAKE_BLOCKS * FAKE_BLOCK_SIZE, &mem), 0);
	assert_int_equal(block_fault_create(f->fs.arena, mem, &f->fault), 0);
	f->fs.device = f->fault;
	assert_int_equal(budget_create(f->fs.arena, 64 << 20, &f->fs.budget), 0);
	opt.budget = f->fs.budget;
	opt.device = f->fs.device;
	assert_int_equal(buffer_cache_create(&opt, &f->fs.buffers), 0);
}

void fake_init(struct map_fake *f, uint64_t seed, int entries)
{
	struct trace_options trace_opt = { .dialect = DIALECT_4_9, .clock = &f->clock };
	struct sched_options sched_opt = { .mode = SCHED_INLINE, .clock = &f->clock };

	clock_init_virtual(&f->clock, 0, 0);
	random_init_seed(&f->random, seed);
	f->fs.clock = &f->clock;
	f->fs.log = &f->log;
	f->fs.arena = arena_create();
	assert_non_null(f->fs.arena);
	assert_int_equal(sched_create(f->fs.arena, &sched_opt, &f->fs.sched), 0);
	f->task = task_enter(f->fs.sched, "test");
	assert_non_null(f->task);
	assert_int_equal(trace_create(f->fs.arena, &trace_opt, &f->fs.trace), 0);
	init_geometry(f, entries);
	init_device(f);
	assert_int_equal(ext4_es_shrinker_create(&f->fs), 0);
	init_inode(f);
	f->next_data = FAKE_META_BLOCKS + 1;
	f->run_max = 32768;
	f->fail_at = UINT64_MAX;
	assert_int_equal(ext4_ext_tree_init(fake_start(f, 1), &f->inode), 0);
	fake_stop(f);
}

void fake_fini(struct map_fake *f)
{
	ext4_es_clear(&f->inode);
	ext4_es_shrinker_destroy(&f->fs);
	for (ext4_fsblk_t block = 1; block <= FAKE_META_BLOCKS; block++)
		free(f->committed[block]);
	assert_int_equal(buffer_write_dirty(f->fs.buffers), 0);
	buffer_cache_destroy(f->fs.buffers);
	budget_destroy(f->fs.budget);
	block_close(f->fs.device);
	trace_destroy(f->fs.trace);
	rwlock_fini(&f->inode.map_lock);
	mutex_fini(&f->inode.attr_lock);
	task_leave(f->task);
	sched_destroy(f->fs.sched);
	arena_destroy(f->fs.arena);
}

void fake_forget_all(struct map_fake *f)
{
	assert_int_equal(buffer_write_dirty(f->fs.buffers), 0);
	for (ext4_fsblk_t block = 1; block <= FAKE_META_BLOCKS; block++)
		buffer_forget(f->fs.buffers, block);
	ext4_es_clear(&f->inode);
}

int fake_map(struct map_fake *f, ext4_lblk_t lblk, uint32_t len, uint32_t flags,
	     struct ext4_map *got)
{
	struct handle *h = NULL;
	int ret;

	*got = (struct ext4_map){ .lblk = lblk, .len = len };
	if (flags & MAP_CREATE)
		h = fake_start(f, ext4_chunk_credits(&f->inode, len));
	ret = ext4_map_blocks(h, &f->inode, got, flags);
	if (h)
		fake_stop(f);
	return ret;
}

int fake_remove(struct map_fake *f, ext4_lblk_t start, ext4_lblk_t last)
{
	int credits = f->remove_credits ? f->remove_credits : ext4_chunk_credits(&f->inode, 1), err;
	struct handle *h = fake_start(f, credits);

	rwlock_write(&f->inode.map_lock);
	err = __ext4_mark_inode_dirty(h, &f->inode, "fake_remove");
	if (!err)
		err = ext4_es_remove_extent(&f->inode, start, last - start + 1);
	if (!err)
		err = ext4_ext_remove_space(h, &f->inode, start, last);
	rwlock_unwrite(&f->inode.map_lock);
	fake_stop(f);
	return err;
}
