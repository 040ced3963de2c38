/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lazytime: time stamps that a read or write moved are kept in memory. They are written
 *
 * - with the inode, when it is written for another reason (ext4_put_inode);
 * - by fsync of the file, by syncfs, and when the file system ends;
 * - when memory is wanted;
 * - a half day after they moved, at the latest.
 *
 * An inode in this state is INODE_DIRTY_TIME and on the list, which does not hold it. It stays so until it is copied
 * into the table (ext4_put_inode): what cannot be written now is tried again later, and an fsync that comes while the
 * flusher writes it finds it here, or knows the transaction that has it.
 */
#include "base/assert.h"
#include "ext4/data.h"
#include "ext4/inode_internal.h"

#define EXPIRE_NS (12 * 3600 * NSEC_PER_SEC)	/* as Linux's dirtytime_expire_seconds */

struct lazytimes {
	struct mutex lock;			/* RANK_DIRTY_INODES */
	struct list inodes GUARDED_BY(lock);	/* oldest first */
	uint32_t count GUARDED_BY(lock);
};

void ext4_lazytime_note(struct inode *inode)
{
	struct lazytimes *l = inode->fs->lazytimes;

	guard(&l->lock);
	if (atomic_fetch_or(&inode->state, INODE_DIRTY_TIME) & INODE_DIRTY_TIME)
		return;
	inode->lazy_ns = clock_monotonic(inode->fs->clock);
	list_add_tail(&l->inodes, &inode->lazy);
	l->count++;
}

void ext4_lazytime_forget(struct inode *inode)
{
	struct lazytimes *l = inode->fs->lazytimes;

	if (!(atomic_load(&inode->state) & INODE_DIRTY_TIME))
		return;
	guard(&l->lock);
	if (!(atomic_fetch_and(&inode->state, ~INODE_DIRTY_TIME) & INODE_DIRTY_TIME))
		return;
	list_remove(&inode->lazy);
	l->count--;
}

int ext4_lazytime_write_inode(struct inode *inode)
{
	return atomic_load(&inode->state) & INODE_DIRTY_TIME ? ext4_dirty_inode(inode) : 0;
}

static uint32_t count_of(struct lazytimes *l)
{
	guard(&l->lock);
	return l->count;
}

/*
 * The oldest, referenced, with a new age at the end of the list; NULL: none, or none that old. One that is being evicted
 * leaves the list there.
 */
static struct inode *take_oldest(struct ext4_fs *fs, int64_t before_ns)
{
	struct lazytimes *l = fs->lazytimes;
	struct inode *inode;

	guard(&l->lock);
	list_for_each(inode, &l->inodes, lazy) {
		if (inode->lazy_ns > before_ns)
			return NULL;
		if (!ext4_itake(inode))
			continue;
		list_remove(&inode->lazy);
		list_add_tail(&l->inodes, &inode->lazy);
		inode->lazy_ns = clock_monotonic(fs->clock);
		return inode;
	}
	return NULL;
}

/* Each once: those that an error leaves on the list are at its end. */
static int write_before(struct ext4_fs *fs, int64_t before_ns)
{
	uint32_t count = count_of(fs->lazytimes);
	struct inode *inode;
	int err = 0, last;

	while (count-- && (inode = take_oldest(fs, before_ns)) != NULL) {
		last = ext4_dirty_inode(inode);
		err = err ? err : last;
		ext4_iput(inode);
	}
	return err;
}

/* After an error nothing is written any more, and stamps are not worth another one. */
int ext4_lazytime_write(struct ext4_fs *fs)
{
	return ext4_writable(fs) ? 0 : write_before(fs, clock_monotonic(fs->clock));
}

int ext4_lazytime_expire(struct ext4_fs *fs)
{
	if (ext4_writable(fs) || ext4_is_frozen(fs))
		return 0;
	return write_before(fs, clock_monotonic(fs->clock) - EXPIRE_NS);
}

int ext4_lazytime_create(struct ext4_fs *fs)
{
	struct lazytimes *l = arena_new(fs->arena, struct lazytimes);

	if (!l)
		return -ENOMEM;
	mutex_init(&l->lock, RANK_DIRTY_INODES);
	list_init(&l->inodes);
	fs->lazytimes = l;
	return 0;
}

void ext4_lazytime_destroy(struct ext4_fs *fs)
{
	struct lazytimes *l = fs->lazytimes;

	if (!l)
		return;
	ensure(list_empty(&l->inodes));
	mutex_fini(&l->lock);
	arena_free(fs->arena, l);
	fs->lazytimes = NULL;
}
