/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commit task, and how others ask for commits and wait for them.
 *
 * Everybody who asks names a transaction and waits for that: those who ask for the running one while it
 * waits for the commit before it all share one commit.
 */
#include "jbd2/internal.h"

/* ---- the task */

/*
 * When it must do something by itself. A transaction that begins while it sleeps is due an interval
 * later: who looks once an interval need not be woken by each. (In the virtual time of coroutines
 * nobody looks at a clock for nothing.) With state_lock.
 */
static int64_t next_deadline(const struct journal *j)
{
	if (j->running)
		return j->running->deadline_ns;
	if (j->commit_interval_ns == CLOCK_NEVER || sched_mode(j->opt.sched) != SCHED_THREADED)
		return CLOCK_NEVER;
	return journal_now(j) + j->commit_interval_ns;
}

/* With state_lock. */
static bool commit_is_due(const struct journal *j)
{
	if (!j->running)
		return false;
	return tid_after_eq(j->commit_request, j->running->tid) || journal_aborted(j) || j->stopping ||
	       journal_now(j) >= j->running->deadline_ns;
}

/* Sleeps until there is something to commit; false: the journal ends. */
static bool wait_for_work(struct journal *j)
{
	guard(&j->state_lock);
	while (!commit_is_due(j) && !j->stopping) {
		j->commit_wakes_ns = next_deadline(j);
		(void)waitq_sleep(&j->wait_commit, &j->state_lock, j->commit_wakes_ns,
				  "a commit is asked for or due");
	}
	return commit_is_due(j);
}

void commit_task_main(void *journal)
{
	struct journal *j = journal;

	while (wait_for_work(j))
		jbd2_journal_commit_transaction(j);
}

/* ---- asking */

/* True: the commit task has to be woken. With state_lock. */
static bool note_request(struct journal *j, tid_t tid)
{
	struct transaction *t = j->running;

	if (!t || t->tid != tid || tid_after_eq(j->commit_request, tid))
		return false;
	j->commit_request = tid;
	t->requested_ns = journal_now(j);
	return true;
}

bool commit_request(struct journal *j, tid_t tid)
{
	if (!note_request(j, tid))
		return false;
	waitq_wake_all(&j->wait_commit);
	return true;
}

bool jbd2_log_start_commit(struct journal *j, tid_t tid)
{
	guard(&j->state_lock);
	return commit_request(j, tid);
}

int jbd2_log_wait_commit(struct journal *j, tid_t tid)
{
	bool asked;

	{
		guard(&j->state_lock);
		if (tid_after_eq(tid, j->next_tid))
			return 0;
		asked = note_request(j, tid);
	}
	if (asked)
		waitq_wake_all(&j->wait_commit);	/* it takes the lock at once: it is free */
	guard(&j->state_lock);
	wait_event(&j->wait_done, &j->state_lock,
		   tid_after_eq(j->commit_done, tid) || journal_aborted(j));
	return tid_after_eq(j->stable_tid, tid) ? 0 : -EIO;
}

int jbd2_complete_transaction(struct journal *j, tid_t tid)
{
	return jbd2_log_wait_commit(j, tid);
}

int jbd2_journal_start_commit(struct journal *j, tid_t *tid)
{
	const struct transaction *t;

	guard(&j->state_lock);
	t = j->running ? j->running : j->committing;
	if (!t)
		return 0;
	*tid = t->tid;
	commit_request(j, t->tid);
	return 1;
}

int jbd2_journal_force_commit(struct journal *j)
{
	tid_t tid;

	if (jbd2_journal_start_commit(j, &tid))
		return jbd2_log_wait_commit(j, tid);
	return journal_aborted(j) ? -EROFS : 0;
}

tid_t transaction_tid(const struct transaction *t)
{
	return t->tid;
}

tid_t jbd2_journal_running_tid(struct journal *j)
{
	guard(&j->state_lock);
	return j->running ? j->running->tid : j->next_tid - 1;
}

bool jbd2_trans_will_send_data_barrier(struct journal *j, tid_t tid)
{
	const struct transaction *t;

	guard(&j->state_lock);
	if (!j->opt.barrier || journal_aborted(j) || tid_after_eq(j->commit_done, tid))
		return false;
	t = j->committing;
	return !t || t->tid != tid || t->state < T_RECORD;
}

void jbd2_journal_set_commit_interval(struct journal *j, int64_t ns)
{
	guard(&j->state_lock);
	j->commit_interval_ns = ns;
}

void jbd2_journal_add_callback(struct handle *h, struct jbd2_callback *cb)
{
	guard(&h->journal->list_lock);
	list_add_tail(&h->transaction->callbacks, &cb->link);
}
