/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ordered data: inodes whose data must be on the device before the transaction that made it reachable
 * commits (J2). Which data, and how it is written, is the user's; the journal says when.
 *
 * An inode is on the list of one transaction, and can be wanted by the running one too while that
 * commits. While the commit asks the user to write or wait, without a lock, the inode is marked
 * JI_COMMITTING, and who wants to let go of it waits.
 */
#include "jbd2/internal.h"

#define JI_COMMITTING	(1u << 31)

void jbd2_inode_init(struct jbd2_inode *ji, uint64_t ino, void *host)
{
	*ji = (struct jbd2_inode){ .ino = ino, .host = host };
	list_init(&ji->link);
}

void jbd2_journal_inode_add(struct handle *h, struct jbd2_inode *ji, uint32_t flags)
{
	struct transaction *t = h->transaction;

	if (handle_aborted(h))
		return;
	guard(&h->journal->list_lock);
	ji->flags |= flags;
	if (ji->transaction == t || ji->next_transaction == t)
		return;
	if (ji->transaction) {
		ji->next_transaction = t;
		return;
	}
	ji->transaction = t;
	list_add_tail(&t->inodes, &ji->link);
}

void jbd2_journal_release_inode(struct journal *j, struct jbd2_inode *ji)
{
	guard(&j->list_lock);
	wait_event(&j->wait_inode, &j->list_lock, !(ji->flags & JI_COMMITTING));
	list_remove(&ji->link);
	ji->transaction = ji->next_transaction = NULL;
}

/* Whether a commit that is under way counts on this inode's data. */
static bool commit_counts_on(struct journal *j, const struct jbd2_inode *ji)
{
	guard(&j->state_lock);
	guard(&j->list_lock);
	return ji->transaction && ji->transaction == j->committing;
}

int jbd2_journal_begin_ordered_truncate(struct journal *j, struct jbd2_inode *ji)
{
	int err;

	if (!commit_counts_on(j, ji))
		return 0;
	err = j->opt.ops->submit_ordered(j->opt.user, ji);
	return err ? err : j->opt.ops->wait_ordered(j->opt.user, ji);
}

/* ---- the commit's side */

/* Calls `fn` for each inode with `flag`, without a lock. The first error. */
static int for_each_inode(struct journal *j, struct transaction *t, uint32_t flag,
			  int (*fn)(struct journal *j, struct jbd2_inode *ji))
{
	struct list done;
	struct jbd2_inode *ji;
	int err = 0, e;

	list_init(&done);
	guard(&j->list_lock);
	while ((ji = list_first(&t->inodes, struct jbd2_inode, link))) {
		list_remove(&ji->link);
		list_add_tail(&done, &ji->link);
		if (!(ji->flags & flag))
			continue;
		ji->flags |= JI_COMMITTING;
		mutex_unlock(&j->list_lock);
		e = fn(j, ji);
		mutex_lock(&j->list_lock);
		ji->flags &= ~JI_COMMITTING;
		waitq_wake_all(&j->wait_inode);
		err = err ? err : e;
	}
	list_splice_tail(&t->inodes, &done);
	return err;
}

static int submit_one(struct journal *j, struct jbd2_inode *ji)
{
	trace(j, jbd2_submit_inode_data, ji->ino);
	return j->opt.ops->submit_ordered(j->opt.user, ji);
}

static int wait_for_one(struct journal *j, struct jbd2_inode *ji)
{
	return j->opt.ops->wait_ordered(j->opt.user, ji);
}

int ordered_submit(struct journal *j, struct transaction *t)
{
	return for_each_inode(j, t, JI_WRITE_DATA, submit_one);
}

int ordered_wait(struct journal *j, struct transaction *t)
{
	return for_each_inode(j, t, JI_WAIT_DATA | JI_WRITE_DATA, wait_for_one);
}

void ordered_release(struct journal *j, struct transaction *t)
{
	struct jbd2_inode *ji, *tmp;

	guard(&j->list_lock);
	list_for_each_safe(ji, tmp, &t->inodes, link) {
		list_remove(&ji->link);
		ji->transaction = ji->next_transaction;
		ji->next_transaction = NULL;
		if (ji->transaction)
			list_add_tail(&ji->transaction->inodes, &ji->link);
		else
			ji->flags = 0;
	}
}
