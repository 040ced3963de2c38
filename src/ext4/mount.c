/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mounting and its end.
 *
 *	read and verify the superblock            nothing is written before all of this holds
 *	buffers, groups, the file system's own blocks
 *	the journal: opened; replayed, and then everything is read again
 *	read-only: the replay goes into an overlay in memory, the image stays as it is
 *	counters, allocator, orphans, flusher
 *	marked as mounted (rw)
 *
 * The end goes backwards; a mount that failed half-way is taken down by the same function.
 */
#include <stdio.h>
#include <string.h>
#include "base/assert.h"
#include "ext4/feature.h"
#include "ext4/group.h"
#include "ext4/inode_internal.h"
#include "ext4/journal.h"
#include "ext4/kinds.h"
#include "ext4/lazyinit.h"
#include "ext4/super.h"
#include "ext4/whole.h"
#include "ext4/xattr.h"

/* ---- making it, step by step; each is undone in take_down */

static int make_caches(struct ext4_fs *fs)
{
	struct buffer_cache_options buffers = {
		.arena = fs->arena,
		.device = fs->device,
		.block_size = fs->geo.block_size,
		.block_count = fs->geo.blocks_count,
		.user = fs,
		.damaged = ext4_block_damaged,
	};
	struct page_cache_options pages = {
		.arena = fs->arena,
		.block_size = fs->geo.block_size,
		.may_release = ext4_may_release_page,
		.dirtied = ext4_flusher_dirtied,
		.user = fs,
	};
	int err = budget_create(fs->arena, (size_t)fs->opt.cache_mb << 20, &fs->budget);

	buffers.budget = pages.budget = fs->budget;
	if (!err)
		err = buffer_cache_create(&buffers, &fs->buffers);
	if (!err)
		err = page_cache_create(&pages, &fs->pages);
	if (!err)
		err = ext4_es_shrinker_create(fs);
	if (!err)
		err = ext4_xattr_cache_create(fs);
	if (!err)
		err = ext4_lazytime_create(fs);
	return err ? err : inode_cache_create(fs);
}

/* What the layout says, from the descriptors. */
static int make_layout(struct ext4_fs *fs)
{
	int err;

	fs->gdt = arena_zalloc(fs->arena, fs->geo.gdt_blocks * sizeof(fs->gdt[0]));
	fs->groups = arena_zalloc(fs->arena, fs->geo.groups_count * sizeof(fs->groups[0]));
	if (!fs->gdt || !fs->groups)
		return -ENOMEM;
	err = ext4_super_hold(fs);
	return err ? err : ext4_zones_create(fs);
}

static void drop_layout(struct ext4_fs *fs)
{
	ext4_zones_destroy(fs);
	ext4_groups_release(fs);
	buffer_put(fs->super_buffer);
	fs->super_buffer = NULL;
	fs->super = NULL;
}

/*
 * The replay changed what was read: superblock, descriptors, anything. The journal's inode stays.
 */
static int read_again(struct ext4_fs *fs)
{
	struct ext4_super_block raw;
	struct ext4_geometry geo;
	int err;

	drop_layout(fs);
	buffer_cache_invalidate(fs->buffers);
	err = ext4_super_read(fs, &raw, &geo);
	if (err)
		return err;
	if (geo.block_size != fs->geo.block_size || geo.journal_inum != fs->geo.journal_inum) {
		ext4_message(fs, LOG_ERROR,
			     "superblock: the journal holds one of another shape; run e2fsck");
		return -EFSCORRUPTED;
	}
	fs->geo = geo;
	err = make_layout(fs);
	return err ? err : ext4_zones_add_journal(fs, fs->journal_inode);
}

static int replay(struct ext4_fs *fs)
{
	struct ext4_super_errors errors;
	int err;

	ext4_errors_save(fs->super, &errors);
	err = ext4_journal_replay(fs, false, &fs->recovered);
	if (!err)
		err = read_again(fs);
	if (!err)
		ext4_errors_restore(fs->super, &errors);
	return err;
}

static bool has_journal(const struct ext4_fs *fs)
{
	return fs->geo.feature_compat & EXT4_FEATURE_COMPAT_HAS_JOURNAL && fs->geo.journal_inum;
}

static int make_journal(struct ext4_fs *fs)
{
	bool needs_recovery = false;
	int err;

	if (!has_journal(fs)) {
		if (fs->geo.feature_incompat & EXT4_FEATURE_INCOMPAT_RECOVER)
			return ext4_error(fs, 0, 0, "it needs recovery, and has no journal");
		return 0;
	}
	if (fs->opt.noload)
		return 0;
	err = ext4_journal_open(fs, &needs_recovery);
	if (!err && needs_recovery)
		err = replay(fs);
	return err;
}

/* Without it there is nothing to mount: known before the first byte is written. */
static int check_root(struct ext4_fs *fs)
{
	struct inode *root;
	int err = ext4_iget(fs, EXT4_ROOT_INO, IGET_NORMAL, &root);

	if (err)
		return err;
	if (!EXT4_S_ISDIR(root->mode))
		err = ext4_error(fs, EXT4_ROOT_INO, 0, "the root is not a directory");
	ext4_iput(root);
	return err;
}

static void warn_of_errors(struct ext4_fs *fs)
{
	if (le16_get(fs->super->s_state) & EXT4_ERROR_FS)
		ext4_message(fs, LOG_WARNING,
			     "damage was met in it (%u times): e2fsck should look at it",
			     le32_get(fs->super->s_error_count));
}

static int make_runtime(struct ext4_fs *fs)
{
	int err = ext4_counters_init(fs);

	if (!err)
		err = ext4_mb_init(fs);
	if (!err)
		err = ext4_orphans_load(fs);
	if (!err)
		err = check_root(fs);
	if (err || fs->opt.read_only)
		return err;
	if (fs->journal)
		err = ext4_journal_begin(fs);
	if (err)
		return err;
	warn_of_errors(fs);
	err = ext4_super_mark_mounted(fs);
	if (!err)
		err = ext4_flusher_start(fs);
	if (err)
		return err;
	ext4_orphan_cleanup(fs);
	if (fs->opt.init_itable)
		err = ext4_lazyinit_start(fs);
	if (!err && fs->opt.abort)
		ext4_abort(fs, -EIO);
	return err;
}

/*
 * errors= unsaid: what the superblock says. Options that the image contradicts are refused or bent.
 */
static void settle_options(struct ext4_fs *fs)
{
	uint16_t said = le16_get(fs->super->s_errors);

	if (fs->opt.errors == ERRORS_UNSAID)
		fs->opt.errors = said == EXT4_ERRORS_RO	     ? ERRORS_REMOUNT_RO
				 : said == EXT4_ERRORS_PANIC ? ERRORS_PANIC
							     : ERRORS_CONTINUE;
	if (fs->opt.resuid != UINT32_MAX)
		fs->geo.resuid = (uint16_t)fs->opt.resuid;
	if (fs->opt.resgid != UINT32_MAX)
		fs->geo.resgid = (uint16_t)fs->opt.resgid;
	if (fs->opt.data == DATA_JOURNAL)
		fs->opt.delalloc = false;
	fs->opt.stripe = ext4_stripe(fs, fs->opt.stripe);
}

/* Why this version only reads the image; false: it may be changed. */
static bool only_reads(const struct ext4_super_block *raw, char *why, size_t size)
{
	char names[160];

	if (ext4_feature_support(raw) == EXT4_FEATURE_WRITE)
		return false;
	(void)ext4_feature_names(raw, EXT4_FEATURE_READ, names, sizeof(names));
	(void)snprintf(why, size, "with %s", names);
	return true;
}

static void check_features(struct ext4_fs *fs, const struct ext4_super_block *raw)
{
	char why[200];

	if (fs->opt.read_only || !only_reads(raw, why, sizeof(why)))
		return;
	ext4_message(fs, LOG_WARNING, "mounted read-only: this version does not write images %s",
		     why);
	fs->opt.read_only = true;
}

/* Read-only writes nothing, not even what a replay finds: that stays in memory. */
static int overlay_when_read_only(struct ext4_fs *fs)
{
	struct block_device *cow;
	int err;

	if (!fs->opt.read_only)
		return fs->device->read_only ? -EROFS : 0;
	err = block_cow_create(fs->arena, fs->device, &cow);
	if (!err)
		fs->device = cow;
	return err;
}

/* What all need that look at an image: its shape, known and verified. */
static int bring_up_layout(struct ext4_fs *fs)
{
	struct ext4_super_block raw;
	int err = ext4_super_read(fs, &raw, &fs->geo);

	if (err)
		return err;
	check_features(fs, &raw);
	err = overlay_when_read_only(fs);
	if (!err)
		err = make_caches(fs);
	if (!err)
		err = make_layout(fs);
	if (!err)
		settle_options(fs);
	return err;
}

static int bring_up(struct ext4_fs *fs)
{
	int err = bring_up_layout(fs);

	if (!err)
		err = make_journal(fs);
	return err ? err : make_runtime(fs);
}

/* ---- taking it down */

static void take_down(struct ext4_fs *fs)
{
	struct arena *a = fs->arena;

	if (fs->lazyinit)
		ext4_lazyinit_stop(fs);
	if (fs->flusher)
		ext4_flusher_stop(fs);
	if (fs->inodes)
		ext4_inodes_evict_all(fs);
	if (fs->orphans)
		ext4_orphans_unload(fs);
	if (fs->mb)
		ext4_mb_release(fs);
	(void)ext4_journal_end(fs);
	inode_cache_destroy(fs);
	epoch_drain(); /* what was retired knows of the mount */
	ext4_es_shrinker_destroy(fs);
	ext4_xattr_cache_destroy(fs);
	ext4_lazytime_destroy(fs);
	drop_layout(fs);
	arena_free(a, fs->flex);
	if (fs->pages)
		page_cache_destroy(fs->pages);
	if (fs->buffers) {
		buffer_drop_dirty(fs->buffers); /* what failed to be written has been told */
		buffer_cache_destroy(fs->buffers);
	}
	epoch_drain();
	if (fs->budget)
		budget_destroy(fs->budget);
	block_close(fs->device);
	mutex_fini(&fs->unjournaled_lock);
	gate_fini(&fs->unjournaled);
	gate_fini(&fs->changes);
	mutex_fini(&fs->life_lock);
	mutex_fini(&fs->super_lock);
	mutex_fini(&fs->groups_lock);
	mutex_fini(&fs->orphan_lock);
	waitq_fini(&fs->zeroed);
	arena_free(a, fs);
}

static struct ext4_fs *fs_new(const struct ext4_mount_args *args)
{
	struct ext4_fs *fs = arena_new(args->arena, struct ext4_fs);
	const char *last = strrchr(args->image_name, '/');

	if (!fs)
		return NULL;
	fs->trace = args->trace;
	fs->arena = args->arena;
	fs->sched = args->sched;
	fs->clock = args->clock;
	fs->log = args->log;
	fs->device = args->device;
	fs->image_name = args->image_name;
	fs->mount_point = args->mount_point;
	fs->opt = *args->opt;
	(void)snprintf(fs->device_name, sizeof(fs->device_name), "%s",
		       last ? last + 1 : args->image_name);
	if (args->seed)
		random_init_seed(&fs->random, args->seed);
	else
		random_init_system(&fs->random);
	atomic_store(&fs->next_generation, (uint32_t)random_u64(&fs->random));
	atomic_store(&fs->read_only_now, fs->opt.read_only);
	mutex_init(&fs->life_lock, RANK_MOUNT);
	gate_init(&fs->changes, RANK_MOUNT);
	gate_init(&fs->unjournaled, RANK_HANDLE);
	mutex_init(&fs->unjournaled_lock, RANK_CHECKPOINT);
	mutex_init(&fs->super_lock, RANK_SUPER);
	mutex_init(&fs->groups_lock, RANK_SUPER);
	mutex_init(&fs->orphan_lock, RANK_ORPHAN);
	waitq_init(&fs->zeroed);
	return fs;
}

int ext4_mount(const struct ext4_mount_args *args, struct ext4_fs **out)
{
	struct ext4_fs *fs = fs_new(args);
	int err;

	if (!fs) {
		block_close(args->device);
		return -ENOMEM;
	}
	TRACE_SCOPE(fs, ext4_mount);
	err = bring_up(fs);
	if (err) {
		atomic_store(&fs->read_only_now, true);
		if (fs->journal)
			jbd2_journal_abort(fs->journal, -ESHUTDOWN);
		take_down(fs);
		return err;
	}
	atomic_store(&fs->read_only_now, fs->opt.read_only);
	*out = fs;
	return 0;
}

int ext4_examine(const struct ext4_mount_args *args, struct ext4_fs **out)
{
	struct ext4_options opt = *args->opt;
	struct ext4_mount_args ro = *args;
	struct ext4_fs *fs;
	int err;

	opt.read_only = true;
	ro.opt = &opt;
	fs = fs_new(&ro);
	if (!fs) {
		block_close(args->device);
		return -ENOMEM;
	}
	err = bring_up_layout(fs);
	if (err)
		take_down(fs);
	else
		*out = fs;
	return err;
}

/* Everything on disk, the log empty; then the superblock may say that it is clean. */
static int write_out(struct ext4_fs *fs)
{
	int err = ext4_sync_filesystem(fs), last;

	if (fs->lazyinit)
		ext4_lazyinit_stop(fs);
	ext4_flusher_stop(fs);
	/* Journaled data may be in the log alone: it goes to its place before its pages go. The journal's end tells errors. */
	if (fs->journal)
		ignore_result(jbd2_journal_flush(fs->journal));
	ext4_inodes_evict_all(fs);
	fs->orphans_done = ext4_orphan_file_empty(fs);
	ext4_orphans_unload(fs);
	ext4_mb_release(fs);
	ext4_errors_store(fs); /* what was met since the flusher ended */
	last = ext4_journal_end(fs);
	return err ? err : last;
}

static int finish(struct ext4_fs *fs)
{
	int err = write_out(fs);

	if (atomic_load(&fs->shut_down))
		return 0;
	if (!err)
		err = ext4_write_unjournaled(fs);
	if (!err && fs->opt.barrier)
		err = block_flush(fs->device);
	if (!err)
		err = ext4_super_mark_clean(fs);
	return err;
}

int ext4_unmount(struct ext4_fs *fs)
{
	int err = fs->opt.read_only ? 0 : finish(fs);

	take_down(fs);
	return err;
}

/* ---- sync, statfs */

int ext4_sync_fs(struct ext4_fs *fs, bool wait)
{
	tid_t tid = 0;
	bool barrier = fs->opt.barrier;
	int err = 0;

	TRACE_SCOPE(fs, ext4_sync_fs);
	trace(fs, ext4_sync_fs, wait);
	if (atomic_load(&fs->shut_down))
		return 0;
	if (fs->journal) {
		if (barrier && jbd2_trans_will_send_data_barrier(
				       fs->journal, jbd2_journal_running_tid(fs->journal)))
			barrier = false;
		if (jbd2_journal_start_commit(fs->journal, &tid) && wait)
			err = jbd2_log_wait_commit(fs->journal, tid);
	} else if (wait) {
		err = ext4_write_unjournaled(fs);
	}
	if (!err && wait && barrier)
		err = block_flush(fs->device);
	return err;
}

int ext4_sync_filesystem(struct ext4_fs *fs)
{
	int err, last;

	if (fs->opt.read_only)
		return 0;
	err = ext4_flusher_sync(fs, WB_NONE, true);
	last = ext4_sync_fs(fs, false);
	err = err ? err : last;
	last = ext4_flusher_sync(fs, WB_ALL, true);
	err = err ? err : last;
	last = ext4_sync_fs(fs, true);
	return err ? err : last;
}

/* Blocks the layout itself takes: Linux leaves them out of the total. */
static uint64_t overhead(const struct ext4_fs *fs)
{
	uint64_t blocks = fs->geo.first_data_block;
	uint32_t said = le32_get(fs->super->s_overhead_clusters);

	/* Clusters that the layout takes in part: mke2fs has counted them. */
	if (fs->geo.cluster_ratio > 1 && said && said < fs->geo.blocks_count / fs->geo.cluster_ratio)
		return (uint64_t)said * fs->geo.cluster_ratio;
	for (ext4_group_t g = 0; g < fs->geo.groups_count; g++)
		blocks += ext4_group_base_meta_blocks(&fs->geo, g) + 2 + fs->geo.itable_blocks;
	if (has_journal(fs) && fs->journal_inode)
		blocks += fs->journal_inode->size >> fs->geo.block_bits;
	return blocks;
}

static uint64_t fsid(struct ext4_fs *fs)
{
	uint8_t uuid[16];
	le64 half[2];

	ext4_get_uuid(fs, uuid);
	memcpy(half, uuid, sizeof(uuid));
	return le64_get(half[0]) ^ le64_get(half[1]);
}

void ext4_statfs(struct ext4_fs *fs, struct ext4_statfs *out)
{
	int64_t ratio = fs->geo.cluster_ratio;
	int64_t free_blocks = (ext4_counter_sum(&fs->counters.free_clusters) -
			       ext4_counter_sum(&fs->counters.dirty_clusters)) * ratio;
	int64_t held = (int64_t)fs->geo.r_blocks_count +
		       atomic_load(&fs->counters.reserved_clusters) * ratio;

	free_blocks = max((int64_t)0, free_blocks);
	out->block_size = fs->geo.block_size;
	out->blocks = fs->geo.blocks_count - (fs->opt.minixdf ? 0 : overhead(fs));
	out->free = (uint64_t)free_blocks;
	out->available = free_blocks > held ? (uint64_t)(free_blocks - held) : 0;
	out->files = fs->geo.inodes_count;
	out->files_free = (uint64_t)max((int64_t)0, ext4_counter_sum(&fs->counters.free_inodes));
	out->fsid = fsid(fs);
}
