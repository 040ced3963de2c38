/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commit: a transaction becomes stable. Its steps are the events it emits.
 *
 *	jbd2_start_commit
 *	jbd2_commit_locking	handles close; what nobody dirtied leaves; the next transaction may run
 *	jbd2_commit_flushing	ordered data is written (J2); revoke records go into the log buffer
 *	jbd2_commit_logging	blocks go into the log buffer, the log buffer into the log
 *	  (the record)		flush, and the commit block, forced (J3): the one write that makes it true
 *	jbd2_run_stats		the blocks move to the checkpoint list
 *	jbd2_end_commit
 *
 * It costs two flushes: the one before the record, which also makes stable what was written in place
 * and the superblock, and the forced write of the record.
 *
 * Only the commit task is here. It allocates nothing: the log buffer was set aside with the handles. It
 * holds no lock while it writes. A failure on the way aborts the journal, and the transaction is lost
 * (J7): its blocks stay in memory as they are and are never written.
 */
#include "jbd2/internal.h"

#define KEPT_PIECES 256	/* small ones that wait in a pool between commits */
#define KEPT_CHUNKS 4

struct commit {
	struct journal *j;
	struct transaction *t;
	int64_t start_ns, locked_ns, flush_ns, logging_ns, end_ns;
	uint32_t blocks;		/* that it logs */
};

static void set_state(struct commit *c, enum transaction_state state)
{
	guard(&c->j->state_lock);
	ensure(state == c->t->state + 1);
	c->t->state = state;
}

static bool sync_of(const struct commit *c)
{
	guard(&c->j->state_lock);
	return c->t->sync_commit;
}

/* ---- begin */

static int commit_begin(struct commit *c)
{
	int err = journal_aborted(c->j) ? -EROFS : log_tail_before_commit(c->j);

	{
		guard(&c->j->state_lock);
		c->t = c->j->running;
		ensure(c->t && !c->j->committing);
	}
	c->start_ns = journal_now(c->j);
	trace(c->j, jbd2_start_commit, c->t->tid, sync_of(c));
	return err;
}

/* ---- locking */

/* No handle is open: the log knows its share, and the next transaction may run. */
static void let_next_run(struct commit *c)
{
	struct journal *j = c->j;
	struct transaction *t = c->t;

	set_state(c, T_FLUSH);
	guard(&j->state_lock);
	t->log_start = j->head;
	t->log_left = log_blocks_for(j, t->outstanding, t->revoke_count);
	j->committing = t;
	j->running = NULL;
	waitq_wake_all(&j->wait_join);
}

static void commit_locking(struct commit *c)
{
	struct journal *j = c->j;
	struct transaction *t = c->t;

	if (MUTANT(commit_allocates))
		arena_free(j->arena, arena_alloc(j->arena, 100));
	trace(j, jbd2_commit_locking, t->tid, sync_of(c));
	set_state(c, T_LOCKED);
	{
		guard(&j->state_lock);
		wait_event(&j->wait_updates, &j->state_lock, t->updates == 0);
	}
	c->locked_ns = journal_now(j);
	transaction_drop_reserved(j, t);
	checkpoint_reap(j);
	log_writer_begin(j->writer, t);
	let_next_run(c);
}

/* ---- flushing */

/* A lost write of data is the data's business: who syncs the file is told. */
static int ordered_error(struct commit *c, int err)
{
	if (err)
		journal_log(c->j, LOG_WARNING, "ordered data of transaction %u was not written: error %d",
			    c->t->tid, -err);
	return 0;
}

static int commit_flushing(struct commit *c)
{
	struct journal *j = c->j;
	int err = 0;

	c->flush_ns = journal_now(j);
	trace(j, jbd2_commit_flushing, c->t->tid, sync_of(c));
	if (!MUTANT(ordered_late))
		err = ordered_error(c, ordered_submit(j, c->t));
	return err ? err : log_writer_revokes(j->writer);
}

/* ---- logging */

static struct journal_head *next_to_log(struct commit *c)
{
	guard(&c->j->list_lock);
	return list_first(&c->t->metadata, struct journal_head, link);
}

/* The record needs none of this, should that be the fault asked for. */
static int record_first(struct commit *c)
{
	return MUTANT(record_first) ? log_writer_record(c->j->writer, BLOCK_FUA) : 0;
}

static int commit_logging(struct commit *c)
{
	struct journal *j = c->j;
	struct journal_head *jh;
	int err = record_first(c);

	c->logging_ns = journal_now(j);
	set_state(c, T_LOGGING);
	trace(j, jbd2_commit_logging, c->t->tid, sync_of(c));
	c->blocks = c->t->block_count;
	while (!err && (jh = next_to_log(c)))
		err = log_writer_block(j->writer, jh);
	return err ? err : log_writer_flush(j->writer);
}

/* ---- the record */

/* What the flush before the record makes stable, taken before that flush. */
static void note_in_place(struct commit *c, struct log_position *in_place, struct log_position *tail)
{
	guard(&c->j->state_lock);
	log_oldest(c->j, in_place);
	*tail = c->j->tail;
}

static void flushed_in_place(struct commit *c, const struct log_position *in_place,
			     const struct log_position *tail)
{
	guard(&c->j->state_lock);
	if (tid_after(in_place->tid, c->j->in_place.tid))
		c->j->in_place = *in_place;
	log_free_up_to(c->j, MUTANT(space_early) ? in_place : tail);
}

/* With an async commit, the record is written with no flush before it; the checksums vouch for the blocks. */
static bool goes_async(const struct commit *c)
{
	return c->j->layout.async_commit && list_empty(&c->t->inodes);
}

static int write_record(struct commit *c)
{
	struct journal *j = c->j;
	unsigned flags = j->opt.barrier ? BLOCK_PREFLUSH | BLOCK_FUA : 0;
	int err;

	if (MUTANT(record_first))
		return j->opt.barrier ? block_flush(j->log_device) : 0;
	if (MUTANT(flush_left_out))
		flags &= ~(unsigned)BLOCK_PREFLUSH;
	if (!goes_async(c))
		return log_writer_record(j->writer, flags);
	err = log_writer_record(j->writer, 0);
	return err || !j->opt.barrier ? err : block_flush(j->log_device);
}

static int ordered_late(struct commit *c)
{
	int err = MUTANT(ordered_late) ? ordered_submit(c->j, c->t) : 0;

	return err || !MUTANT(ordered_late) ? err : ordered_wait(c->j, c->t);
}

static int commit_record(struct commit *c)
{
	struct journal *j = c->j;
	struct log_position in_place, tail;
	uint64_t flush;
	int err = 0;

	set_state(c, T_RECORD);
	if (!MUTANT(ordered_late))
		err = ordered_error(c, ordered_wait(j, c->t));
	note_in_place(c, &in_place, &tail);
	flush = checkpoint_flush_begins(j);
	if (!err && j->opt.barrier && j->fs_device != j->log_device)
		err = block_flush(j->fs_device);
	if (!err)
		err = write_record(c);
	checkpoint_flush_ends(j, flush, err);
	if (!err)
		flushed_in_place(c, &in_place, &tail);
	return err ? err : ordered_late(c);
}

/* ---- end: the blocks' way out of the transaction */

/* Where the running transaction wants it. Both locks. */
static void move_to_next(struct journal *j, struct journal_head *jh)
{
	struct transaction *next = jh->next_transaction;

	pool_give(&j->copies, jh->committed);
	pool_give(&j->copies, jh->frozen);
	jh->committed = jh->frozen = NULL;
	jh_unfile(jh);
	jh->dropped = false;
	jh->modified = jh->next_modified;
	if (next && jh->next_forget && !jh->cp_transaction)
		jh->modified = false;
	else if (next)
		jh_file(jh, next, jh->next_forget ? JH_FORGET : jh->modified ? JH_METADATA : JH_RESERVED);
	jh->next_transaction = NULL;
	jh->next_modified = jh->next_forget = false;
}

/* An older copy that waited to be written in place is not wanted any more. Both locks. */
static void drop_older_copy(struct journal *j, struct journal_head *jh)
{
	if (!jh->cp_transaction)
		return;
	jh->cp_transaction->cp_dropped++;
	checkpoint_remove(j, jh);
}

/* One that the transaction only freed is reaped later, as in Linux; there is nothing to write. Both locks. */
static void finish_freed(struct journal *j, struct journal_head *jh)
{
	if (jh->only_freed)
		checkpoint_need_not_write(j, jh);
	else
		drop_older_copy(j, jh);
	jh->only_freed = false;
}

/*
 * Takes the locks of a block of the transaction. A freed block may be used for something else once the
 * commit is over, so a write in place that is still under way must end first.
 */
static void lock_to_finish(struct journal *j, struct journal_head *jh)
{
	struct buffer *b = jh->buffer;

	for (;;) {
		mutex_lock(&b->state_lock);
		mutex_lock(&j->list_lock);
		if (jh->place != JH_FORGET || !jh->cp_writing)
			return;
		mutex_unlock(&b->state_lock);
		wait_event(&j->wait_in_place, &j->list_lock, !jh->cp_writing);
		mutex_unlock(&j->list_lock);
	}
}

/* One block of the transaction, which is stable (`err` 0) or lost. */
static void finish_block(struct commit *c, struct journal_head *jh, int err)
{
	struct journal *j = c->j;
	struct buffer *b = jh->buffer, *put;

	lock_to_finish(j, jh);
	if (!err && jh->place == JH_LOGGED) {
		drop_older_copy(j, jh);
		if (!jh->dropped)
			checkpoint_insert(j, jh, c->t);
	} else if (!err && jh->place == JH_FORGET) {
		finish_freed(j, jh);
	}
	move_to_next(j, jh);
	put = jh_release(j, jh);
	mutex_unlock(&j->list_lock);
	mutex_unlock(&b->state_lock);
	buffer_put(put);
}

static struct journal_head *next_to_finish(struct commit *c)
{
	struct transaction *t = c->t;
	struct journal_head *jh;

	guard(&c->j->list_lock);
	jh = list_first(&t->forget, struct journal_head, link);
	if (!jh)
		jh = list_last(&t->logged, struct journal_head, link);
	return jh ? jh : list_first(&t->metadata, struct journal_head, link);
}

/* Those freed first, then those logged, the last first: so each checkpoint list is in the order of the log. */
static void finish_blocks(struct commit *c, int err)
{
	struct journal_head *jh;

	while ((jh = next_to_finish(c)))
		finish_block(c, jh, err);
}

/* ---- end: everything else */

static void run_callbacks(struct commit *c, int err)
{
	struct journal *j = c->j;
	struct jbd2_callback *cb;
	struct list callbacks;

	list_init(&callbacks);
	{
		guard(&j->list_lock);
		list_splice_tail(&callbacks, &c->t->callbacks);
	}
	while ((cb = list_first(&callbacks, struct jbd2_callback, link))) {
		list_remove(&cb->link);
		cb->fn(cb, err);
	}
	if (j->opt.ops->committed)
		j->opt.ops->committed(j->opt.user, c->t, err);
}

static void emit_run_stats(struct commit *c)
{
	const struct transaction *t = c->t;
	uint32_t delay = t->requested_ns ? elapsed_ms(t->requested_ns, c->start_ns) : 0;

	trace(c->j, jbd2_run_stats, t->tid, 0, delay, elapsed_ms(t->started_ns, c->start_ns),
	      elapsed_ms(c->start_ns, c->locked_ns), elapsed_ms(c->flush_ns, c->logging_ns),
	      elapsed_ms(c->logging_ns, c->end_ns), t->handle_count, c->blocks,
	      log_writer_count(c->j->writer));
}

/* How long commits take, for those who wait a little so that others may join. */
static void note_duration(struct commit *c)
{
	int64_t took = c->end_ns - c->start_ns;
	struct journal *j = c->j;

	j->commit_average_ns = j->commit_average_ns ? (took + j->commit_average_ns * 3) / 4 : took;
}

/* The transaction is on the checkpoint list from here, or, with no block left, gone. */
static void retire(struct commit *c, int err)
{
	struct journal *j = c->j;
	struct transaction *t = c->t;
	bool empty;

	guard(&j->state_lock);
	guard(&j->list_lock);
	t->state = T_FINISHED;
	t->committed_ns = c->end_ns;
	empty = list_empty(&t->checkpoint);
	if (!empty)
		list_add_tail(&j->checkpoints, &t->link);
	j->committing = NULL;
	j->counts.commits++;
	j->counts.blocks_logged += log_writer_count(j->writer);
	note_duration(c);
	if (!empty)
		return;
	if (!err)
		trace(j, jbd2_drop_transaction, t->tid, t->sync_commit);
	arena_free(j->arena, t);
}

/* Who waits for the commit goes on; freed blocks can be used by now. */
static void announce(struct journal *j, tid_t tid, int err)
{
	{
		guard(&j->state_lock);
		j->commit_done = tid;
		if (!err)
			j->stable_tid = tid;
	}
	/* Not before the lock is free: those who wake take it. */
	waitq_wake_all(&j->wait_done);
	waitq_wake_all(&j->wait_join);
}

static bool log_is_short(struct journal *j)
{
	guard(&j->state_lock);
	return j->free_blocks < log_ring_blocks(j) / 2;
}

static tid_t tail_tid(struct journal *j)
{
	guard(&j->state_lock);
	return j->tail.tid;
}

/* What no handle has reserved, but for what the next transaction will want again. */
static void give_memory_back(struct journal *j)
{
	pool_trim(&j->heads, KEPT_PIECES);
	pool_trim(&j->records, KEPT_PIECES);
	pool_trim(&j->copies, 0);
	pool_trim(&j->chunks, KEPT_CHUNKS);
}

static void commit_end(struct commit *c, int err)
{
	struct journal *j = c->j;
	tid_t tid = c->t->tid;

	if (err && !journal_aborted(j)) {
		journal_log(j, LOG_ERROR, "commit of transaction %u failed: error %d", tid, -err);
		jbd2_journal_abort(j, err);
	}
	finish_blocks(c, err);
	ordered_release(j, c->t);
	revoke_drop_all(c->t);
	c->end_ns = journal_now(j);
	if (!err)
		emit_run_stats(c);
	run_callbacks(c, err);
	if (!err)
		trace(j, jbd2_end_commit, tid, sync_of(c), tail_tid(j));
	retire(c, err);
	log_writer_end(j->writer);
	give_memory_back(j);
	announce(j, tid, err);
	if (!err && j->opt.ops->pressure && log_is_short(j))
		j->opt.ops->pressure(j->opt.user);
}

void jbd2_journal_commit_transaction(struct journal *j)
{
	struct commit c = { .j = j };
	int err;

	TRACE_SCOPE(j, jbd2_journal_commit_transaction);
	err = commit_begin(&c);			/* jbd2_start_commit */
	commit_locking(&c);			/* wait for open handles */
	if (!err)
		err = commit_flushing(&c);	/* ordered data reaches the disk first */
	if (!err)
		err = commit_logging(&c);	/* revokes, descriptors, blocks */
	if (!err)
		err = commit_record(&c);	/* the one write that makes it true */
	commit_end(&c, err);			/* jbd2_end_commit, or abort */
}
