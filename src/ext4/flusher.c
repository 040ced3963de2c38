/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flusher: the task that writes back what nobody waits for, and what syncfs, a full memory or a
 * full disk ask for. It is the only one that writes metadata in place.
 *
 * It sleeps until there is work or its interval is over. Then, in this order: data of inodes that
 * were asked for or are old enough; blocks that committed transactions left to write. Inodes are
 * written in the order in which they became dirty. So that a long write and its way to the disk go
 * side by side, data is also written once a quarter of the memory is dirty, down to half of that.
 *
 * Work is a counter a kind: who asks takes the next number and may wait until that many are done,
 * so any number of callers share one round.
 */
#include <stdio.h>
#include "base/assert.h"
#include "ext4/data_internal.h"

#define INTERVAL_NS	(5 * NSEC_PER_SEC)	/* as Linux's dirty_writeback_centisecs */
#define OLD_NS		(30 * NSEC_PER_SEC)	/* as dirty_expire_centisecs */

#define BACKGROUND_PART 4		/* of the budget may be dirty before it is written unasked */

enum work { WORK_PRESSURE, WORK_BACKGROUND, WORK_SYNC_NONE, WORK_SYNC_ALL, WORK_COUNT };

struct flusher {
	struct mutex lock;			/* RANK_DIRTY_INODES */
	struct list dirty GUARDED_BY(lock);	/* inodes with dirty pages, oldest first; not held */
	uint32_t dirty_count GUARDED_BY(lock);
	uint64_t asked[WORK_COUNT] GUARDED_BY(lock);
	uint64_t done[WORK_COUNT] GUARDED_BY(lock);
	int error[WORK_COUNT] GUARDED_BY(lock);	/* of the last round */
	bool stop GUARDED_BY(lock);
	struct waitq work, finished;
	uint64_t background_pages;		/* constant: so many dirty ones are written unasked */
	atomic_bool in_background;		/* that is asked for, and not done; a hint */
	struct ext4_fs *fs;
	struct task *task;
};

/* ---- the list */

void ext4_flusher_dirtied(void *user, struct mapping *m)
{
	struct ext4_fs *fs = user;
	struct flusher *f = fs->flusher;
	struct inode *inode = m->host;

	if (!f || !atomic_load(&m->dirty_count))
		return;
	guard(&f->lock);
	if (!list_empty(&inode->dirty))
		return;
	inode->dirtied_ns = clock_monotonic(fs->clock);
	list_add_tail(&f->dirty, &inode->dirty);
	f->dirty_count++;
}

void ext4_flusher_forget(struct inode *inode)
{
	struct flusher *f = inode->fs->flusher;

	if (!f)
		return;
	guard(&f->lock);
	if (list_empty(&inode->dirty))
		return;
	list_remove(&inode->dirty);
	f->dirty_count--;
}

/*
 * The oldest, off the list and referenced; NULL: none, or none that old. One that is being evicted
 * is not for us.
 */
static struct inode *take_oldest(struct flusher *f, int64_t before_ns)
{
	struct inode *inode;

	guard(&f->lock);
	while ((inode = list_first(&f->dirty, struct inode, dirty)) != NULL) {
		if (inode->dirtied_ns > before_ns)
			return NULL;
		list_remove(&inode->dirty);
		f->dirty_count--;
		if (ext4_itake(inode))
			return inode;
	}
	return NULL;
}

static uint32_t dirty_inodes(struct flusher *f)
{
	guard(&f->lock);
	return f->dirty_count;
}

/* Dirty again, or still: to the end of the list, with a new age. */
static void put_back_or_drop(struct flusher *f, struct inode *inode)
{
	if (atomic_load(&inode->mapping.dirty_count))
		ext4_flusher_dirtied(f->fs, &inode->mapping);
	ext4_iput(inode);
}

/* ---- writing */

static int write_inode(struct inode *inode, enum writeback_mode mode, bool kupdate)
{
	struct writeback wb = {
		.nr_to_write = INT64_MAX,
		.range_end = INT64_MAX,
		.sync_mode = mode,
		.for_kupdate = kupdate,
	};
	int err = ext4_writepages(inode, &wb);

	if (mode == WB_ALL)
		mapping_wait_writeback(&inode->mapping, 0, UINT64_MAX - 1);
	return err;
}

/* What was dirty has been written in the background as far as is good. */
static void background_done(struct flusher *f)
{
	atomic_store_explicit(&f->in_background, false, memory_order_relaxed);
}

/* The oldest inodes, until half of what made it begin is left. */
static int write_background(struct flusher *f, int64_t before_ns)
{
	struct inode *inode;
	int err = 0, last;

	while (page_cache_dirty_pages(f->fs->pages) > f->background_pages / 2 &&
	       (inode = take_oldest(f, before_ns)) != NULL) {
		last = write_inode(inode, WB_NONE, false);
		err = err ? err : last;
		put_back_or_drop(f, inode);
	}
	background_done(f);
	return err;
}

/*
 * All that became dirty up to `before_ns`, once each: what becomes dirty again meanwhile is not
 * waited for.
 */
static int write_inodes(struct flusher *f, enum writeback_mode mode, bool kupdate,
			int64_t before_ns)
{
	uint32_t count = dirty_inodes(f);
	struct inode *inode;
	int err = 0, last;

	while (count-- && (inode = take_oldest(f, before_ns)) != NULL) {
		last = write_inode(inode, mode, kupdate);
		err = err ? err : last;
		put_back_or_drop(f, inode);
	}
	return err;
}

/* What was left to write `older_than_ns` ago or earlier; all with CLOCK_NEVER. */
static int write_metadata(struct ext4_fs *fs, int64_t older_than_ns)
{
	return fs->journal ? jbd2_checkpoint_writeback(fs->journal, older_than_ns)
			   : ext4_write_unjournaled(fs);
}

static int round_of(struct flusher *f, enum work kind)
{
	int64_t now = clock_monotonic(f->fs->clock);
	int err, last;

	if (kind == WORK_BACKGROUND)
		return write_background(f, now);
	err = write_inodes(f, kind == WORK_SYNC_ALL ? WB_ALL : WB_NONE, false, now);

	last = ext4_lazytime_write(f->fs);
	err = err ? err : last;
	last = write_metadata(f->fs, CLOCK_NEVER);
	return err ? err : last;
}

/* Each interval: what became dirty OLD_NS ago, and what transactions left that committed so long ago. */
static void tick(struct flusher *f)
{
	int64_t before_ns = clock_monotonic(f->fs->clock) - OLD_NS;

	(void)write_inodes(f, WB_NONE, true, before_ns); /* an error is kept in the mapping for fsync */
	ignore_result(ext4_lazytime_expire(f->fs)); /* the stamps stay in memory */
	ignore_result(write_metadata(f->fs, OLD_NS)); /* the journal keeps its own */
}

/* ---- the task */

/* The kind of work asked for and not done; WORK_COUNT: none. With the lock. */
static enum work next_work(const struct flusher *f)
{
	for (int k = 0; k < WORK_COUNT; k++)
		if (f->asked[k] != f->done[k])
			return (enum work)k;
	return WORK_COUNT;
}

static void work_off(struct flusher *f, enum work kind)
{
	uint64_t upto = f->asked[kind];
	int err;

	mutex_unlock(&f->lock);
	err = round_of(f, kind);
	mutex_lock(&f->lock);
	f->done[kind] = upto;
	f->error[kind] = err;
	waitq_wake_all(&f->finished);
}

static void flusher_task(void *arg)
{
	struct flusher *f = arg;
	int64_t next = clock_monotonic(f->fs->clock) + INTERVAL_NS;

	task_current()->flags |= TASK_WRITEBACK;
	mutex_lock(&f->lock);
	while (!f->stop) {
		enum work kind = next_work(f);

		if (atomic_load(&f->fs->errors_pending) && !ext4_is_frozen(f->fs)) {
			mutex_unlock(&f->lock);
			ext4_errors_store(f->fs);
			mutex_lock(&f->lock);
		} else if (kind != WORK_COUNT) {
			work_off(f, kind);
		} else if (clock_monotonic(f->fs->clock) >= next) {
			mutex_unlock(&f->lock);
			tick(f);
			mutex_lock(&f->lock);
			next = clock_monotonic(f->fs->clock) + INTERVAL_NS;
		} else {
			(void)waitq_sleep(&f->work, &f->lock, next, "work to write back");
		}
	}
	mutex_unlock(&f->lock);
	ext4_errors_store(f->fs);
}

static uint64_t ask(struct flusher *f, enum work kind)
{
	uint64_t number = ++f->asked[kind];

	waitq_wake_all(&f->work);
	return number;
}

int ext4_flusher_sync(struct ext4_fs *fs, enum writeback_mode mode, bool wait)
{
	struct flusher *f = fs->flusher;
	enum work kind = mode == WB_ALL ? WORK_SYNC_ALL : WORK_SYNC_NONE;
	uint64_t number;

	guard(&f->lock);
	number = ask(f, kind);
	if (!wait)
		return 0;
	wait_event(&f->finished, &f->lock, f->done[kind] >= number);
	return f->error[kind];
}

/* Pressure: one round is enough for all who ask while it is under way. */
void ext4_flusher_wake(struct ext4_fs *fs)
{
	struct flusher *f = fs->flusher;

	if (!f)
		return;
	guard(&f->lock);
	if (f->asked[WORK_PRESSURE] == f->done[WORK_PRESSURE])
		(void)ask(f, WORK_PRESSURE);
}

void ext4_flusher_background(struct ext4_fs *fs)
{
	struct flusher *f = fs->flusher;

	if (!f || page_cache_dirty_pages(fs->pages) <= f->background_pages ||
	    atomic_load_explicit(&f->in_background, memory_order_relaxed))
		return;
	atomic_store_explicit(&f->in_background, true, memory_order_relaxed);
	guard(&f->lock);
	(void)ask(f, WORK_BACKGROUND);
}

/*
 * Whoever calls may hold any lock, so none is taken: should the flusher just be falling asleep, its
 * next tick is soon enough.
 */
void ext4_flusher_wake_for_errors(struct ext4_fs *fs)
{
	struct flusher *f = fs->flusher;

	if (f)
		waitq_wake_all(&f->work);
}

static void pressed(void *arg)
{
	ext4_flusher_wake(arg);
}

int ext4_flusher_start(struct ext4_fs *fs)
{
	struct flusher *f = arena_new(fs->arena, struct flusher);
	char name[TASK_NAME_MAX];
	int err;

	if (!f)
		return -ENOMEM;
	f->fs = fs;
	f->background_pages = budget_limit(fs->budget) / BACKGROUND_PART / page_size(fs->pages);
	mutex_init(&f->lock, RANK_DIRTY_INODES);
	list_init(&f->dirty);
	waitq_init(&f->work);
	waitq_init(&f->finished);
	fs->flusher = f;
	(void)snprintf(name, sizeof(name), "flush-%s", fs->device_name);
	err = task_spawn(fs->sched, name, flusher_task, f, &f->task);
	if (err) {
		fs->flusher = NULL;
		arena_free(fs->arena, f);
		return err;
	}
	budget_on_pressure(fs->budget, pressed, fs);
	return 0;
}

void ext4_flusher_stop(struct ext4_fs *fs)
{
	struct flusher *f = fs->flusher;
	struct inode *inode;

	if (!f)
		return;
	budget_on_pressure(fs->budget, NULL, NULL);
	mutex_lock(&f->lock);
	f->stop = true;
	waitq_wake_all(&f->work);
	mutex_unlock(&f->lock);
	task_join(f->task);
	fs->flusher = NULL; /* what becomes dirty from now on is not listed */
	while ((inode = list_first(&f->dirty, struct inode, dirty)) != NULL)
		list_remove(&inode->dirty);
	waitq_fini(&f->work);
	waitq_fini(&f->finished);
	mutex_fini(&f->lock);
	arena_free(fs->arena, f);
}
