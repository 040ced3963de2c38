/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order of locks, asserted: a task takes only ranks above all that it holds. Each task keeps what it
 * holds in a short stack of its own; release builds keep nothing.
 */
#include <assert.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/sync_internal.h"

static const char *const rank_names[] = {
	[RANK_NONE] = "none",
	[RANK_MOUNT] = "mount",
	[RANK_FILE_TABLE] = "file table",
	[RANK_FILE_POS] = "file pos",
	[RANK_RENAME] = "rename",
	[RANK_INODE] = "inode",
	[RANK_INODE_INVALIDATE] = "inode invalidate",
	[RANK_WRITEBACK] = "writeback",
	[RANK_PAGE] = "page",
	[RANK_HANDLE] = "handle",
	[RANK_ORPHAN] = "orphan",
	[RANK_XATTR] = "xattr",
	[RANK_MAP] = "map",
	[RANK_EXTENT_STATUS] = "extent status",
	[RANK_PREALLOC] = "prealloc",
	[RANK_GROUP] = "group",
	[RANK_RESERVE] = "reserve",
	[RANK_SUPER] = "super",
	[RANK_INODE_CACHE] = "inode cache",
	[RANK_DENTRY] = "dentry",
	[RANK_DIRTY_INODES] = "dirty inodes",
	[RANK_CHECKPOINT] = "checkpoint",
	[RANK_JOURNAL] = "journal",
	[RANK_JOURNAL_LIST] = "journal list",
	[RANK_BUFFER_STATE] = "buffer state",
	[RANK_REVOKE] = "revoke",
	[RANK_PAGE_TREE] = "page tree",
	[RANK_BUFFER_HASH] = "buffer hash",
	[RANK_LRU] = "lru",
	[RANK_BUDGET] = "budget",
	[RANK_IO] = "io",
	[RANK_DEVICE] = "device",
	[RANK_TRACE] = "trace",
	[RANK_ARENA] = "arena",
};
static_assert(array_size(rank_names) == RANK_COUNT, "each rank has a name");

const char *lock_rank_name(enum lock_rank rank)
{
	return rank < RANK_COUNT && rank_names[rank] ? rank_names[rank] : "?";
}

#ifdef EXTANT_SLOW_ASSERTS

static const struct held_lock *highest_held(const struct task_slot *t)
{
	const struct held_lock *highest = NULL;

	for (int i = 0; i < t->held_count; i++) {
		if (!highest || t->held[i].rank > highest->rank)
			highest = &t->held[i];
	}
	return highest;
}

void rank_check(const struct task_slot *t, enum lock_rank rank, bool equal_allowed)
{
	const struct held_lock *highest = t && rank != RANK_NONE ? highest_held(t) : NULL;
	char text[128];

	if (!highest || highest->rank < rank || (highest->rank == rank && equal_allowed))
		return;
	snprintf(text, sizeof(text), "lock order: %s taken while %s is held", lock_rank_name(rank),
		 lock_rank_name(highest->rank));
	assertion_failed(__FILE__, __LINE__, text);
}

void rank_push(struct task_slot *t, enum lock_rank rank, const void *lock)
{
	if (!t || rank == RANK_NONE)
		return;
	ensure(t->held_count < HELD_MAX);
	t->held[t->held_count++] = (struct held_lock){ .lock = lock, .rank = (uint16_t)rank };
}

/* In any order; mostly the last one goes first. */
void rank_pop(struct task_slot *t, const void *lock)
{
	int i = t ? t->held_count - 1 : -1;

	while (i >= 0 && t->held[i].lock != lock)
		i--;
	if (i < 0)
		return;
	t->held_count--;
	for (; i < t->held_count; i++)
		t->held[i] = t->held[i + 1];
}

void rank_check_none(const struct task_slot *t)
{
	char text[128];

	if (!t->held_count)
		return;
	snprintf(text, sizeof(text), "lock order: %s is still held at the end of a task",
		 lock_rank_name(t->held[0].rank));
	assertion_failed(__FILE__, __LINE__, text);
}

void rank_forget_all(struct task_slot *t)
{
	t->held_count = 0;
}

static void hold(enum lock_rank rank, const void *what, bool equal_allowed)
{
	struct task_slot *t = current_slot();

	rank_check(t, rank, equal_allowed);
	rank_push(t, rank, what);
}

void lock_rank_hold(enum lock_rank rank, const void *what)
{
	hold(rank, what, false);
}

void lock_rank_hold_equal(enum lock_rank rank, const void *what)
{
	hold(rank, what, true);
}

void lock_rank_release(const void *what)
{
	rank_pop(current_slot(), what);
}

void lock_rank_assert_below(enum lock_rank rank)
{
	rank_check(current_slot(), rank, false);
}

#endif
