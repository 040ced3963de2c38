/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handles: how an operation joins a transaction, and leaves it.
 *
 * A start waits, holding nothing, until
 *
 *	- no commit has the running transaction locked, nobody keeps handles out (lock_updates)
 *	- the transaction has room for the credits: else it is committed and the next one joined
 *	- the log has room for all it may become: else this task moves the tail (checkpoint.c)
 *	- memory for the credits is set aside: descriptors of blocks, revoke records, copies of blocks that
 *	  the committing transaction still has to log, the log buffer of the commit to come
 *
 * The first two are counters under state_lock, the last are counters of pools; an open handle costs four
 * short locks. Log and memory are got without the lock, and then all is looked at again.
 *
 * A reserved handle is counted everywhere from the start of the one that asked for it, so that its own
 * start waits for no room.
 */
#include "jbd2/internal.h"

#define SYNC_BATCH_MAX_NS	(15 * NSEC_PER_MSEC)	/* how long a sync handle lets others join */

bool handle_aborted(const struct handle *h)
{
	return unlikely(h->error != 0) || journal_aborted(h->journal);
}

tid_t handle_tid(const struct handle *h)
{
	return h->transaction->tid;
}

struct handle *jbd2_journal_current_handle(const struct journal *j)
{
	struct handle *h = task_current()->handle;

	return h && h->journal == j ? h : NULL;
}

/* ---- memory set aside */

static void release_memory(struct open_handle *oh)
{
	struct journal *j = oh->handle.journal;

	pool_unreserve_both(&j->heads, oh->heads, &j->records, oh->records);
	if (oh->copies)
		pool_unreserve(&j->copies, oh->copies);
	oh->heads = oh->records = oh->copies = 0;
}

/* For `blocks` more credits. */
static int reserve_memory(struct open_handle *oh, int blocks)
{
	struct journal *j = oh->handle.journal;
	int err = pool_reserve_both(&j->heads, &j->records, (uint32_t)blocks);

	if (err)
		return err;
	oh->heads += (uint32_t)blocks;
	oh->records += (uint32_t)blocks;
	return 0;
}

/* Copies of blocks that the committing transaction has not logged: no more than it has. With state_lock. */
static uint32_t copies_wanted(const struct journal *j, int blocks)
{
	uint32_t unlogged = 0;

	if (j->committing)
		unlogged = atomic_load_explicit(&j->committing->unlogged, memory_order_relaxed);
	return min((uint32_t)blocks, unlogged);
}

/* Pieces of the log buffer that the commit of `t` will need with `extra` more blocks. With state_lock. */
static uint32_t chunks_wanted(const struct journal *j, const struct transaction *t, int extra)
{
	int blocks = t->outstanding + j->reserved_credits + extra;
	uint64_t bytes = log_blocks_for(j, blocks, t->revoke_count) * j->block_size;
	uint64_t n = (bytes + j->chunks.piece_bytes - 1) / j->chunks.piece_bytes;

	return (uint32_t)min(n, (uint64_t)LOG_CHUNKS_MAX);
}

/* With state_lock, which it gives up for a while. 0: nothing had to be got; 1: look again. */
static int get_copies(struct journal *j, struct open_handle *oh, int blocks)
{
	uint32_t want = copies_wanted(j, blocks);
	int err;

	if (want <= oh->copies)
		return 0;
	mutex_unlock(&j->state_lock);
	err = pool_reserve(&j->copies, want - oh->copies);
	mutex_lock(&j->state_lock);
	if (!err) {
		oh->copies = want;
		return 1;
	}
	if (!oh->handle.is_reserved)
		return err;
	/* It was promised a start: wait until the commit needs no copies. */
	wait_event(&j->wait_done, &j->state_lock, !copies_wanted(j, blocks) || journal_aborted(j));
	return 1;
}

/* The same for the log buffer. With less of it a commit takes more calls, so a lack is no error. */
static int get_chunks(struct journal *j, int extra)
{
	struct transaction *t = j->running;
	tid_t tid = t->tid;
	uint32_t want = chunks_wanted(j, t, extra), more = want - t->chunks;
	int err;

	if (want <= t->chunks)
		return 0;
	mutex_unlock(&j->state_lock);
	err = pool_reserve(&j->chunks, more);
	mutex_lock(&j->state_lock);
	if (err)
		return 0;
	t = j->running;
	if (t && t->tid == tid && t->state == T_RUNNING && t->chunks + more <= LOG_CHUNKS_MAX)
		t->chunks += more;
	else
		pool_unreserve(&j->chunks, more);
	return 1;
}

/* ---- joining */

/* With state_lock, given up to get memory; then all is to be looked at again. */
static int new_transaction(struct journal *j, struct open_handle *oh)
{
	struct transaction *t = oh->spare;
	int64_t now = journal_now(j);

	if (!t) {
		mutex_unlock(&j->state_lock);
		oh->spare = arena_alloc(j->arena, sizeof(*t));
		mutex_lock(&j->state_lock);
		return oh->spare ? 0 : -ENOMEM;
	}
	oh->spare = NULL;
	transaction_init(t, j);
	t->tid = j->next_tid++;
	t->started_ns = now;
	t->deadline_ns = j->commit_interval_ns == CLOCK_NEVER ? CLOCK_NEVER
							     : now + j->commit_interval_ns;
	j->running = t;
	if (t->deadline_ns < j->commit_wakes_ns)
		waitq_wake_all(&j->wait_commit);
	return 0;
}

/* With state_lock. Handles are to wait until this changes. */
static bool is_closed(const struct journal *j, bool is_reserved)
{
	const struct transaction *t = j->running;

	if (j->barrier > 0 && !is_reserved)
		return true;
	return t && (t->state == T_LOCKED || t->restarting);
}

/* The transaction is large enough: on with the next one. With state_lock. */
static void wait_for_next(struct journal *j)
{
	tid_t tid = j->running->tid;

	commit_request(j, tid);
	wait_event(&j->wait_join, &j->state_lock,
		   !j->running || j->running->tid != tid || journal_aborted(j));
}

static int get_room(struct journal *j)
{
	int err;

	mutex_unlock(&j->state_lock);
	err = checkpoint_make_room(j);
	mutex_lock(&j->state_lock);
	return err;
}

/*
 * One look, with state_lock: 0 all is there; 1 something has changed, look again; or an error.
 * `room`: what is to be counted; a reserved handle was counted before.
 */
static int look(struct journal *j, struct open_handle *oh, int room)
{
	bool is_reserved = oh->handle.is_reserved;
	int err;

	if (journal_aborted(j))
		return -EROFS;
	if (is_closed(j, is_reserved)) {
		wait_event(&j->wait_join, &j->state_lock,
			   !is_closed(j, is_reserved) || journal_aborted(j));
		return 1;
	}
	if (!j->running) {
		err = new_transaction(j, oh);
		return err ? err : 1;
	}
	if (j->running->outstanding + j->reserved_credits + room > j->transaction_max) {
		wait_for_next(j);
		return 1;
	}
	if (!log_has_room(j, j->running, room, oh->revokes_promised)) {
		err = get_room(j);
		return err ? err : 1;
	}
	err = get_copies(j, oh, oh->handle.credits);
	return err ? err : get_chunks(j, room);
}

/* The handle's credits are in handle.credits; `reserve` more are set aside for a later handle. */
static int join(struct open_handle *oh, int reserve)
{
	struct handle *h = &oh->handle;
	struct journal *j = h->journal;
	int room = h->is_reserved ? 0 : h->credits + reserve, err;
	struct transaction *t;

	guard(&j->state_lock);
	do
		err = look(j, oh, room);
	while (err > 0);
	if (err)
		return err;
	t = j->running;
	t->updates++;
	t->handle_count++;
	t->outstanding += h->credits;
	t->revokes_promised += oh->revokes_promised;
	j->reserved_credits += h->is_reserved ? -h->credits : reserve;
	j->counts.handles++;
	j->counts.open_handles++;
	h->transaction = t;
	return 0;
}

/* ---- start */

static struct open_handle *handle_alloc(struct journal *j, int credits)
{
	struct open_handle *oh = arena_new(j->arena, struct open_handle);

	if (!oh)
		return NULL;
	oh->handle.journal = j;
	oh->handle.credits = oh->handle.credits_requested = credits;
	return oh;
}

/* It never joined, or has left. */
static void handle_free(struct open_handle *oh)
{
	if (!oh)
		return;
	release_memory(oh);
	arena_free(oh->handle.journal->arena, oh->spare);
	arena_free(oh->handle.journal->arena, oh);
}

static void open_in_task(struct open_handle *oh)
{
	struct task *task = task_current();

	ensure(!task->handle);
	lock_rank_hold(RANK_HANDLE, oh);
	task->handle = &oh->handle;
	oh->task = task;
	oh->handle.nesting = 1;
}

static int start_nested(struct journal *j, struct handle *h, struct handle **out)
{
	ensure(h->journal == j);
	if (handle_aborted(h))
		return -EROFS;
	h->nesting++;
	*out = h;
	return 0;
}

/* It may be the first of a transaction, and must not fail for that either. */
static int prepare_reserved(struct open_handle *r, int reserve)
{
	r->spare = arena_alloc(r->handle.journal->arena, sizeof(*r->spare));
	return r->spare ? reserve_memory(r, reserve) : -ENOMEM;
}

/* Memory for both; *rsv is NULL when nothing is to be reserved. */
static int prepare(struct journal *j, int blocks, int reserve, struct open_handle **out,
		   struct open_handle **rsv)
{
	struct open_handle *oh = handle_alloc(j, blocks);
	struct open_handle *r = reserve ? handle_alloc(j, reserve) : NULL;
	int err = !oh || (reserve && !r) ? -ENOMEM : reserve_memory(oh, blocks);

	if (!err && r)
		err = prepare_reserved(r, reserve);
	if (err) {
		handle_free(oh);
		handle_free(r);
		return err;
	}
	*out = oh;
	*rsv = r;
	return 0;
}

static int start(struct journal *j, int blocks, int reserve, struct open_handle **out)
{
	struct open_handle *oh, *rsv;
	int err = prepare(j, blocks, reserve, &oh, &rsv);

	if (err)
		return err;
	err = join(oh, reserve);
	if (err) {
		handle_free(oh);
		handle_free(rsv);
		return err;
	}
	if (rsv) {
		rsv->handle.is_reserved = true;
		oh->handle.reserved = &rsv->handle;
	}
	*out = oh;
	return 0;
}

/* The clock is asked only where the answer is shown. */
static void note_start(struct handle *h, int blocks)
{
	struct journal *j = h->journal;

	if (trace_on(j->trace, TRACE_ID_jbd2_handle_stats))
		h->started_ns = journal_now(j);
	trace(j, jbd2_handle_start, h->transaction->tid, h->type, h->line, blocks);
}

int jbd2__journal_start(struct journal *j, int blocks, int reserve_blocks, uint32_t type, uint32_t line,
			struct handle **out)
{
	struct handle *current = task_current()->handle;
	struct open_handle *oh;
	int err;

	TRACE_SCOPE(j, jbd2__journal_start);
	ensure(blocks > 0 && reserve_blocks >= 0);
	if (current)
		return start_nested(j, current, out);
	if (MUTANT(credits_short))
		blocks = 1;
	if (blocks + reserve_blocks > j->transaction_max || reserve_blocks > j->transaction_max / 2) {
		journal_log(j, LOG_ERROR, "a handle wants %d blocks, a transaction holds %d",
			    blocks + reserve_blocks, j->transaction_max);
		return -ENOSPC;
	}
	err = start(j, blocks, reserve_blocks, &oh);
	if (err)
		return err;
	open_in_task(oh);
	oh->handle.type = type;
	oh->handle.line = line;
	note_start(&oh->handle, blocks + reserve_blocks);
	*out = &oh->handle;
	return 0;
}

int jbd2_journal_start_reserved(struct handle *h, uint32_t type, uint32_t line)
{
	struct open_handle *oh = open_handle_of(h);
	int err;

	ensure(h->is_reserved && !h->transaction);
	err = join(oh, 0);
	if (err) {
		jbd2_journal_free_reserved(h);
		return err;
	}
	h->is_reserved = false;
	open_in_task(oh);
	h->type = type;
	h->line = line;
	note_start(h, h->credits);
	return 0;
}

void jbd2_journal_free_reserved(struct handle *h)
{
	struct journal *j = h->journal;

	ensure(h->is_reserved && !h->transaction);
	{
		guard(&j->state_lock);
		j->reserved_credits -= h->credits;
		waitq_wake_all(&j->wait_join);
	}
	handle_free(open_handle_of(h));
}

/* ---- more, and elsewhere */

/* With state_lock. False: the transaction cannot take more, or memory is out. */
static bool extend_locked(struct open_handle *oh, int blocks)
{
	struct handle *h = &oh->handle;
	struct journal *j = h->journal;
	struct transaction *t = h->transaction;
	int more;

	do {
		if (t->state != T_RUNNING || t->restarting)
			return false;
		if (t->outstanding + j->reserved_credits + blocks > j->transaction_max)
			return false;
		if (!log_has_room(j, t, blocks, 0))
			return false;
		more = get_copies(j, oh, h->credits + blocks);
		if (more == 0)
			more = get_chunks(j, blocks);
	} while (more > 0);
	if (more < 0)
		return false;
	t->outstanding += blocks;
	return true;
}

int jbd2_journal_extend(struct handle *h, int blocks)
{
	struct open_handle *oh = open_handle_of(h);
	struct journal *j = h->journal;
	bool done;

	if (handle_aborted(h))
		return -EROFS;
	if (reserve_memory(oh, blocks))
		return 1;
	mutex_lock(&j->state_lock);
	done = extend_locked(oh, blocks);
	mutex_unlock(&j->state_lock);
	if (!done)
		return 1;
	trace(j, jbd2_handle_extend, h->transaction->tid, h->type, h->line, h->credits, blocks);
	h->credits += blocks;
	h->credits_requested += blocks;
	return 0;
}

/* Gives back what is left; the transaction may go on without it. With state_lock. */
static void leave(struct handle *h)
{
	struct transaction *t = h->transaction;
	struct journal *j = h->journal;

	t->outstanding -= h->credits;
	t->revokes_promised -= open_handle_of(h)->revokes_promised;
	j->counts.open_handles--;
	if (--t->updates == 0)
		waitq_wake_all(&j->wait_updates);
	h->transaction = NULL;
	h->credits = 0;
}

/* A record for each credit, and more where more blocks are to be revoked. */
static int reserve_for_restart(struct open_handle *oh, int blocks, uint32_t revokes)
{
	uint32_t more = revokes > (uint32_t)blocks ? revokes - (uint32_t)blocks : 0;
	int err = reserve_memory(oh, blocks);

	if (!err)
		err = pool_reserve(&oh->handle.journal->records, more);
	if (!err)
		oh->records += more;
	return err;
}

int jbd2_journal_restart(struct handle *h, int blocks)
{
	return jbd2_journal_restart_revokes(h, blocks, 0);
}

int jbd2_journal_restart_revokes(struct handle *h, int blocks, uint32_t revokes)
{
	struct open_handle *oh = open_handle_of(h);
	struct journal *j = h->journal;
	int err;

	if (handle_aborted(h))
		return -EROFS;
	trace(j, jbd2_handle_restart, h->transaction->tid, h->type, h->line, blocks);
	{
		guard(&j->state_lock);
		commit_request(j, h->transaction->tid);
		h->transaction->restarting |= h->transaction->state == T_RUNNING;
		leave(h);
	}
	release_memory(oh);
	h->credits = blocks;
	oh->revokes_promised = oh->revokes_left = revokes;
	err = reserve_for_restart(oh, blocks, revokes);
	if (!err)
		err = join(oh, 0);
	if (err) {
		h->credits = 0;
		h->error = err;
		return err;
	}
	h->credits_requested = blocks;
	return 0;
}

/* ---- stop */

/* Linux lets a sync handle linger, so that handles of others come into its commit. */
static void let_others_join(struct journal *j)
{
	int64_t ns;

	if (sched_mode(j->opt.sched) != SCHED_THREADED)
		return;
	{
		guard(&j->state_lock);
		ns = j->last_sync_task == task_current() ? 0 : min(j->commit_average_ns, SYNC_BATCH_MAX_NS);
		j->last_sync_task = task_current();
	}
	if (ns > 0)
		task_sleep(ns);
}

/* Whether this end calls for a commit; its age is the commit task's to watch. With state_lock. */
static bool wants_commit(const struct handle *h)
{
	const struct transaction *t = h->transaction;

	return h->sync || t->outstanding > h->journal->transaction_max;
}

static void close_in_task(struct open_handle *oh)
{
	ensure(oh->task == task_current() && oh->task->handle == &oh->handle);
	oh->task->handle = NULL;
	lock_rank_release(oh);
}

static void note_stop(const struct handle *h)
{
	if (!trace_on(h->journal->trace, TRACE_ID_jbd2_handle_stats))
		return;
	trace(h->journal, jbd2_handle_stats, h->transaction->tid, h->type, h->line,
	      (int32_t)elapsed_ms(h->started_ns, journal_now(h->journal)), h->sync,
	      h->credits_requested, h->credits_requested - h->credits);
}

/* Leaves the transaction; with `sync` the commit of *tid has been asked for. */
static void close_handle(struct handle *h, tid_t *tid)
{
	struct journal *j = h->journal;

	note_stop(h);
	guard(&j->state_lock);
	*tid = h->transaction->tid;
	h->transaction->sync_commit |= h->sync;
	if (wants_commit(h))
		commit_request(j, *tid);
	leave(h);
}

static int error_of(const struct handle *h)
{
	if (h->error)
		return h->error;
	return journal_aborted(h->journal) ? -EROFS : 0;
}

int jbd2_journal_stop(struct handle *h)
{
	struct open_handle *oh = open_handle_of(h);
	struct journal *j = h->journal;
	bool sync = h->sync && h->transaction;
	int err;
	tid_t tid = 0;

	if (--h->nesting > 0)
		return error_of(h);
	TRACE_SCOPE(j, jbd2_journal_stop);
	if (sync)
		let_others_join(j);
	if (h->transaction)
		close_handle(h, &tid);
	err = error_of(h);
	if (h->reserved)
		jbd2_journal_free_reserved(h->reserved);
	close_in_task(oh);
	handle_free(oh);
	return sync && !err ? jbd2_log_wait_commit(j, tid) : err;
}

/* ---- keeping handles out */

void jbd2_journal_lock_updates(struct journal *j)
{
	guard(&j->state_lock);
	j->barrier++;
	wait_event(&j->wait_updates, &j->state_lock, !j->running || j->running->updates == 0);
}

void jbd2_journal_unlock_updates(struct journal *j)
{
	guard(&j->state_lock);
	ensure(j->barrier > 0);
	if (--j->barrier == 0)
		waitq_wake_all(&j->wait_join);
}
