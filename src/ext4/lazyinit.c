/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The task "ext4lazyinit": zeroes, group after group, what mke2fs left unwritten of the inode tables, so that
 * no check ever takes old bytes for inodes. It starts a second after the mount and rests between groups, ten
 * times (init_itable=) as long as a group took.
 *
 * While a group is being zeroed (g->zeroing), no new inode is taken from it: the zeroes go straight to the
 * device, past the journal, and must not meet an inode on its way there.
 */
#include "base/assert.h"
#include "ext4/alloc.h"
#include "ext4/lazyinit.h"

#define START_DELAY_NS	NSEC_PER_SEC
#define ZERO_AT_ONCE	(1u << 20)

struct lazyinit {
	struct mutex lock;	/* RANK_MOUNT */
	struct waitq wake;
	bool stop;
	struct ext4_fs *fs;
	struct task *task;
	uint8_t *zeroes;
};

/* The first block of the table that no used inode reaches. */
static uint32_t first_unused(const struct ext4_fs *fs, const struct ext4_group *g)
{
	uint32_t used = fs->geo.inodes_per_group - g->itable_unused;

	if (g->flags & EXT4_BG_INODE_UNINIT)
		used = 0;
	return (used + fs->geo.inodes_per_block - 1) / fs->geo.inodes_per_block;
}

static int zero_blocks(struct ext4_fs *fs, ext4_fsblk_t block, uint64_t count)
{
	uint64_t at = block << fs->geo.block_bits, bytes = count << fs->geo.block_bits;
	int err = 0;

	while (bytes && !err) {
		size_t n = (size_t)min(bytes, (uint64_t)ZERO_AT_ONCE);

		err = block_write(fs->device, at, fs->lazyinit->zeroes, n, 0);
		at += n;
		bytes -= n;
	}
	return err;
}

static void set_zeroing(struct ext4_fs *fs, struct ext4_group *g, bool on)
{
	mutex_lock(&g->lock);
	atomic_store(&g->zeroing, on);
	waitq_wake_all(&fs->zeroed);
	mutex_unlock(&g->lock);
}

int ext4_init_inode_table(struct ext4_fs *fs, ext4_group_t number, bool barrier)
{
	struct ext4_group *g;
	struct handle *h;
	uint32_t first;
	int err = ext4_group_get(fs, number, &g), stop;

	if (err || g->flags & EXT4_BG_INODE_ZEROED)
		return err;
	TRACE_SCOPE(fs, ext4_init_inode_table);
	err = ext4_journal_start(fs, 0, HT_MISC, 1, &h);
	if (err)
		return err;
	set_zeroing(fs, g, true);
	err = ext4_group_get_write_access(fs, h, g);
	first = first_unused(fs, g);
	if (!err)
		err = zero_blocks(fs, g->inode_table + first, fs->geo.itable_blocks - first);
	if (!err && barrier)
		err = block_flush(fs->device);
	if (!err) {
		mutex_lock(&g->lock);
		g->flags |= EXT4_BG_INODE_ZEROED;
		err = ext4_group_dirty(fs, h, g);
		mutex_unlock(&g->lock);
	}
	set_zeroing(fs, g, false);
	stop = ext4_journal_stop(fs, h);
	return err ? err : stop;
}

void ext4_wait_zeroed(struct ext4_fs *fs, struct ext4_group *g)
{
	if (likely(!atomic_load_explicit(&g->zeroing, memory_order_relaxed)))
		return;
	guard(&g->lock);
	wait_event(&fs->zeroed, &g->lock, !atomic_load(&g->zeroing));
}

/* ---- the task */

/* False: it is to stop. */
static bool rest(struct lazyinit *l, int64_t ns)
{
	int64_t until = clock_monotonic(l->fs->clock) + ns;

	guard(&l->lock);
	(void)wait_event_until(&l->wake, &l->lock, l->stop, until);
	return !l->stop;
}

static void lazyinit_task(void *arg)
{
	struct lazyinit *l = arg;
	struct ext4_fs *fs = l->fs;
	int64_t pause = START_DELAY_NS;

	for (ext4_group_t g = 0; g < fs->geo.groups_count; g++) {
		struct ext4_group *group;
		int64_t began;

		if (ext4_group_get(fs, g, &group) || group->flags & EXT4_BG_INODE_ZEROED)
			continue;
		if (!rest(l, pause))
			return;
		began = clock_monotonic(fs->clock);
		if (ext4_init_inode_table(fs, g, fs->opt.barrier))
			return; /* read-only by now, or the journal has stopped: another mount goes on */
		pause = (clock_monotonic(fs->clock) - began) * fs->opt.init_itable_wait;
	}
}

static bool is_needed(struct ext4_fs *fs)
{
	struct ext4_group *g;

	if (!fs->geo.metadata_csum && !fs->geo.gdt_csum)
		return false;
	for (ext4_group_t i = 0; i < fs->geo.groups_count; i++)
		if (ext4_group_get(fs, i, &g) == 0 && !(g->flags & EXT4_BG_INODE_ZEROED))
			return true;
	return false;
}

int ext4_lazyinit_start(struct ext4_fs *fs)
{
	struct lazyinit *l;
	int err;

	if (!is_needed(fs))
		return 0;
	l = arena_new(fs->arena, struct lazyinit);
	if (!l)
		return -ENOMEM;
	l->zeroes = arena_zalloc(fs->arena, ZERO_AT_ONCE);
	if (!l->zeroes) {
		arena_free(fs->arena, l);
		return -ENOMEM;
	}
	l->fs = fs;
	mutex_init(&l->lock, RANK_MOUNT);
	waitq_init(&l->wake);
	fs->lazyinit = l;
	err = task_spawn(fs->sched, "ext4lazyinit", lazyinit_task, l, &l->task);
	if (err) {
		arena_free(fs->arena, l->zeroes);
		arena_free(fs->arena, l);
		fs->lazyinit = NULL;
	}
	return err;
}

void ext4_lazyinit_stop(struct ext4_fs *fs)
{
	struct lazyinit *l = fs->lazyinit;

	if (!l)
		return;
	mutex_lock_equal(&l->lock); /* a remount holds the mount's */
	l->stop = true;
	waitq_wake_all(&l->wake);
	mutex_unlock(&l->lock);
	task_join(l->task);
	waitq_fini(&l->wake);
	mutex_fini(&l->lock);
	arena_free(fs->arena, l->zeroes);
	arena_free(fs->arena, l);
	fs->lazyinit = NULL;
}
