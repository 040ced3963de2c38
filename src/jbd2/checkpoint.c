/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checkpoint: the blocks of committed transactions reach their places, so that the log's tail can move
 * past these transactions.
 *
 * A committed transaction keeps a list of the blocks that it was the last to log. A block leaves it
 *
 *	dropped		a later transaction logged it again, or freed it, and is stable
 *	reaped		it is in place
 *
 * and with the last one the transaction is gone. What is written in place is a copy: of the live bytes
 * while no transaction has the buffer, else of what the log has. So the running transaction waits for
 * nothing here, and nothing here waits for a commit (J1).
 *
 * Who writes in place: the flusher (jbd2_checkpoint_writeback), block by block as they grow old; a task
 * that needs log room (checkpoint_make_room), the oldest transaction at a time; whoever empties the log.
 * Whoever it is holds checkpoint_lock meanwhile. What a write was begun for may be logged again before
 * it ends; then it is dirty still, and is written once more (J5).
 */
#include "jbd2/internal.h"

#include <stdlib.h>
#include <string.h>

#define ITEMS_MAX	2048u		/* blocks that are sorted together */
#define BOUNCE_BYTES	(512u << 10)	/* of them, written with one vectored call */
#define BOUNCE_BLOCKS_MAX 128u

/* One block on its way. While cp_writing is set nobody but its writer takes the journal_head away. */
struct item {
	struct journal_head *jh;
	uint64_t block;
	tid_t tid;			/* the transaction whose content is written */
};

struct in_place_batch {
	uint8_t *bounce;
	uint32_t bounce_blocks;
	uint32_t count;
	struct item items[ITEMS_MAX];
	struct block_io ios[BOUNCE_BLOCKS_MAX];
	struct iovec iovs[BOUNCE_BLOCKS_MAX];
};

static size_t shrink(void *arg, size_t want);

int checkpoint_init(struct journal *j)
{
	struct in_place_batch *batch = arena_alloc(j->arena, sizeof(*batch));

	if (!batch)
		return -ENOMEM;
	batch->count = 0;
	batch->bounce_blocks = min(BOUNCE_BYTES / j->block_size, BOUNCE_BLOCKS_MAX);
	batch->bounce = arena_alloc(j->arena, (size_t)batch->bounce_blocks * j->block_size);
	if (!batch->bounce) {
		arena_free(j->arena, batch);
		return -ENOMEM;
	}
	j->batch = batch;
	j->shrinker = (struct shrinker){ .name = "journal", .shrink = shrink, .arg = j };
	if (j->opt.budget)
		budget_add_shrinker(j->opt.budget, &j->shrinker);
	return 0;
}

void checkpoint_fini(struct journal *j)
{
	if (!j->batch)
		return;
	if (j->opt.budget)
		budget_remove_shrinker(j->opt.budget, &j->shrinker);
	arena_free(j->arena, j->batch->bounce);
	arena_free(j->arena, j->batch);
	j->batch = NULL;
}

/* ---- lists */

/* Its last block is gone. With list_lock. */
static void transaction_done(struct journal *j, struct transaction *t)
{
	uint32_t took_ms = t->checkpoint_ns ? elapsed_ms(t->checkpoint_ns, journal_now(j)) : 0;

	trace(j, jbd2_checkpoint_stats, t->tid, took_ms, 0, t->cp_written, t->cp_dropped);
	trace(j, jbd2_drop_transaction, t->tid, t->sync_commit);
	list_remove(&t->link);
	arena_free(j->arena, t);
}

static void set_dirty(struct journal *j, struct journal_head *jh, bool dirty)
{
	atomic_fetch_add_explicit(&j->cp_dirty_blocks, (uint64_t)dirty - (uint64_t)jh->cp_dirty,
				  memory_order_relaxed);
	jh->cp_dirty = dirty;
}

void checkpoint_remove(struct journal *j, struct journal_head *jh)
{
	struct transaction *t = jh->cp_transaction;

	set_dirty(j, jh, false);
	list_remove(&jh->cp_link);
	jh->cp_transaction = NULL;
	if (list_empty(&t->checkpoint) && t->state == T_FINISHED)
		transaction_done(j, t);
}

void checkpoint_insert(struct journal *j, struct journal_head *jh, struct transaction *t)
{
	ensure(!jh->cp_transaction);
	jh->cp_transaction = t;
	jh->cp_log_pblk = jh->log_pblk;
	jh->cp_log_escaped = jh->log_escaped;
	set_dirty(j, jh, true);
	list_add_head(&t->checkpoint, &jh->cp_link);
}

void checkpoint_need_not_write(struct journal *j, struct journal_head *jh)
{
	set_dirty(j, jh, false);
}

/* Takes what is in place off its list, unless that has changed; `b` is referenced by the caller. */
static void reap_one(struct journal *j, struct buffer *b, bool even_in_transaction)
{
	struct journal_head *jh;
	struct buffer *put = NULL;

	mutex_lock(&b->state_lock);
	mutex_lock(&j->list_lock);
	jh = atomic_load(&b->journal_head);
	if (jh && jh->cp_transaction && !jh->cp_dirty && !jh->cp_writing &&
	    (even_in_transaction || !jh->transaction)) {
		checkpoint_remove(j, jh);
		put = jh_release(j, jh);
	}
	mutex_unlock(&j->list_lock);
	mutex_unlock(&b->state_lock);
	buffer_put(put);
	buffer_put(b);
}

static struct transaction *oldest(struct journal *j)
{
	return list_first(&j->checkpoints, struct transaction, link);
}

/* The first block of the oldest transaction, if it is stable in place and nobody is at it; referenced. */
static struct buffer *first_to_reap(struct journal *j)
{
	struct transaction *t;
	struct journal_head *jh;

	guard(&j->list_lock);
	t = oldest(j);
	if (!t)
		return NULL;
	jh = list_first(&t->checkpoint, struct journal_head, cp_link);
	if (jh->transaction || jh->cp_dirty || jh->cp_writing || jh->cp_flush >= j->flushes_done)
		return NULL;
	return buffer_hold(jh->buffer);
}

void checkpoint_reap(struct journal *j)
{
	struct buffer *b;

	while ((b = first_to_reap(j)))
		reap_one(j, b, false);
}

/* ---- flushes */

uint64_t checkpoint_flush_begins(struct journal *j)
{
	guard(&j->list_lock);
	return ++j->flushes_begun;
}

void checkpoint_flush_ends(struct journal *j, uint64_t flush, int err)
{
	guard(&j->list_lock);
	if (!err)
		j->flushes_done = max(j->flushes_done, flush);
}

/* ---- collecting */

static void collect(struct in_place_batch *batch, struct journal_head *jh)
{
	jh->cp_writing = true;
	batch->items[batch->count++] = (struct item){
		.jh = jh, .block = jh->buffer->block, .tid = jh->cp_transaction->tid
	};
}

/* What of `t` waits to be written. With list_lock. Blocks in a transaction come from the log: `from_log`. */
static void collect_from(struct in_place_batch *batch, struct transaction *t, bool from_log)
{
	struct journal_head *jh;

	list_for_each(jh, &t->checkpoint, cp_link) {
		if (batch->count == ITEMS_MAX)
			return;
		if (jh->cp_dirty && !jh->cp_writing && (from_log || !jh->transaction))
			collect(batch, jh);
	}
}

static int by_block(const void *a, const void *b)
{
	uint64_t x = ((const struct item *)a)->block, y = ((const struct item *)b)->block;

	return x < y ? -1 : x > y;
}

/* ---- writing */

static int copy_from_log(struct journal *j, uint64_t pblk, bool escaped, uint8_t *to)
{
	be32 magic = be32_of(JBD2_MAGIC_NUMBER);
	int err = block_read(j->log_device, pblk * j->block_size, to, j->block_size);

	if (!err && escaped)
		memcpy(to, &magic, sizeof(magic));
	return err;
}

/*
 * The committed content of one block, sealed. What the log has cannot be written over meanwhile: the
 * tail does not move while checkpoint_lock is held.
 */
static int copy_committed(struct journal *j, const struct item *item, uint8_t *to)
{
	struct journal_head *jh = item->jh;
	struct buffer *b = jh->buffer;
	const struct buffer_kind *kind;
	struct buffer_owner owner;
	uint64_t pblk;
	bool live, escaped;

	mutex_lock(&b->state_lock);
	live = !jh->transaction || MUTANT(live_in_place);
	if (live)
		memcpy(to, b->data, j->block_size);
	kind = atomic_load_explicit(&b->kind, memory_order_relaxed);
	owner = b->owner;
	pblk = jh->cp_log_pblk;
	escaped = jh->cp_log_escaped;
	mutex_unlock(&b->state_lock);
	if (!live)
		return copy_from_log(j, pblk, escaped, to);
	if (kind && kind->seal)
		kind->seal(buffer_cache_user(j->opt.buffers), item->block, to, &owner);
	return 0;
}

/* One transfer for each run of blocks that follow each other. */
static int write_bounce(struct journal *j, const struct item *items, uint32_t n)
{
	struct in_place_batch *batch = j->batch;
	int count = 0;
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct iovec *iov = count ? &batch->iovs[count - 1] : NULL;

		if (iov && items[i].block == items[i - 1].block + 1) {
			iov->iov_len += j->block_size;
			continue;
		}
		batch->iovs[count] = (struct iovec){ .iov_base = batch->bounce + (size_t)i * j->block_size,
						     .iov_len = j->block_size };
		batch->ios[count] = (struct block_io){ .offset = items[i].block * j->block_size,
						       .iov = &batch->iovs[count],
						       .iov_count = 1,
						       .flags = BLOCK_META };
		count++;
	}
	return block_writev_batch(j->fs_device, batch->ios, count);
}

static int write_some(struct journal *j, const struct item *items, uint32_t n)
{
	uint32_t i;
	int err = 0;

	for (i = 0; i < n && !err; i++)
		err = copy_committed(j, &items[i], j->batch->bounce + (size_t)i * j->block_size);
	/* What an aborted commit left in memory is no committed content. */
	if (!err && journal_aborted(j))
		return -EROFS;
	return err ? err : write_bounce(j, items, n);
}

static void end_one(struct journal *j, const struct item *item, int err)
{
	struct journal_head *jh = item->jh;
	struct buffer *b = jh->buffer;

	mutex_lock(&b->state_lock);
	mutex_lock(&j->list_lock);
	jh->cp_writing = false;
	jh->cp_flush = j->flushes_begun;
	if (!err && jh->cp_transaction->tid == item->tid)
		set_dirty(j, jh, false);
	mutex_unlock(&j->list_lock);
	mutex_unlock(&b->state_lock);
}

/* Writes what was collected, and empties the batch. A failure aborts the journal (J7). */
static int write_collected(struct journal *j)
{
	struct in_place_batch *batch = j->batch;
	uint32_t done = 0, n, i;
	int err = 0, e;

	qsort(batch->items, batch->count, sizeof(batch->items[0]), by_block);
	for (; done < batch->count; done += n) {
		n = min(batch->count - done, batch->bounce_blocks);
		e = err ? err : write_some(j, batch->items + done, n);
		for (i = done; i < done + n; i++)
			end_one(j, &batch->items[i], e);
		err = err ? err : e;
	}
	batch->count = 0;
	{
		guard(&j->list_lock);
		waitq_wake_all(&j->wait_in_place);
	}
	if (j->opt.budget)
		budget_cleaned(j->opt.budget);
	if (err && !journal_aborted(j)) {
		journal_log(j, LOG_ERROR, "cannot write blocks in place: error %d", -err);
		jbd2_journal_abort(j, err);
	}
	return err;
}

/* ---- the flusher's part */

/* Whether the log is so full that blocks which every transaction has are worth a read of the log. */
static bool log_presses(struct journal *j, tid_t *last)
{
	guard(&j->state_lock);
	*last = j->stable_tid;
	return j->free_blocks < log_ring_blocks(j) / 2;
}

static bool collect_old(struct journal *j, int64_t committed_before_ns, tid_t last, bool from_log)
{
	struct transaction *t;

	guard(&j->list_lock);
	list_for_each(t, &j->checkpoints, link) {
		if (tid_after(t->tid, last) || t->committed_ns > committed_before_ns)
			break;
		collect_from(j->batch, t, from_log);
	}
	return j->batch->count > 0;
}

int jbd2_checkpoint_writeback(struct journal *j, int64_t older_than_ns)
{
	int64_t before = older_than_ns == CLOCK_NEVER ? INT64_MAX : journal_now(j) - older_than_ns;
	bool more = true;
	tid_t last;
	bool from_log = log_presses(j, &last);
	int err = 0;

	while (more && !err) {
		guard(&j->checkpoint_lock);
		if (journal_aborted(j))
			return -EROFS;
		more = collect_old(j, before, last, from_log);
		if (more)
			err = write_collected(j);
	}
	return err;
}

uint64_t jbd2_checkpoint_bytes(const struct journal *j)
{
	return atomic_load_explicit(&j->cp_dirty_blocks, memory_order_relaxed) * j->block_size;
}

/* ---- one transaction */

/* What is in place of the oldest transaction `tid`; referenced. */
static struct buffer *any_to_reap(struct journal *j, tid_t tid)
{
	struct transaction *t;
	struct journal_head *jh;

	guard(&j->list_lock);
	t = oldest(j);
	if (!t || t->tid != tid)
		return NULL;
	list_for_each(jh, &t->checkpoint, cp_link)
		if (!jh->cp_dirty && !jh->cp_writing)
			return buffer_hold(jh->buffer);
	return NULL;
}

static bool collect_oldest(struct journal *j, tid_t tid)
{
	struct transaction *t;

	guard(&j->list_lock);
	t = oldest(j);
	if (!t || t->tid != tid)
		return false;
	if (!t->checkpoint_ns)
		t->checkpoint_ns = journal_now(j);
	collect_from(j->batch, t, true);
	t->cp_written += j->batch->count;
	return j->batch->count > 0;
}

static bool oldest_tid(struct journal *j, tid_t *tid)
{
	guard(&j->list_lock);
	if (!oldest(j))
		return false;
	*tid = oldest(j)->tid;
	return true;
}

static int finish_oldest(struct journal *j)
{
	struct buffer *b;
	tid_t tid;
	int err;

	if (!oldest_tid(j, &tid))
		return 0;
	for (;;) {
		while ((b = any_to_reap(j, tid)))
			reap_one(j, b, true);
		if (!collect_oldest(j, tid))
			return 0;
		err = write_collected(j);
		if (err)
			return err;
	}
}

/* With checkpoint_lock. */
static int do_checkpoint(struct journal *j)
{
	int result = log_tail_cleanup(j);

	trace(j, jbd2_checkpoint, result);
	if (result <= 0)
		return result;
	result = finish_oldest(j);
	if (!result)
		result = log_tail_cleanup(j);
	return result < 0 ? result : 0;
}

int jbd2_log_do_checkpoint(struct journal *j)
{
	TRACE_SCOPE(j, jbd2_log_do_checkpoint);
	guard(&j->checkpoint_lock);
	return do_checkpoint(j);
}

int checkpoint_everything(struct journal *j)
{
	tid_t tid;
	int err = 0;

	while (!err && oldest_tid(j, &tid))
		err = jbd2_log_do_checkpoint(j);
	return err;
}

/* ---- room in the log */

static uint64_t free_blocks(struct journal *j)
{
	guard(&j->state_lock);
	return j->free_blocks;
}

/* Nothing could be freed: what there is belongs to the commit that is under way. */
static int wait_for_commit(struct journal *j)
{
	tid_t tid;

	guard(&j->state_lock);
	if (!j->committing) {
		journal_log(j, LOG_ERROR, "no room in the log, and nothing to free");
		return -ENOSPC;
	}
	tid = j->committing->tid;
	wait_event(&j->wait_done, &j->state_lock,
		   tid_after_eq(j->commit_done, tid) || journal_aborted(j));
	return 0;
}

int checkpoint_make_room(struct journal *j)
{
	uint64_t before = free_blocks(j);
	tid_t tid;
	int err;

	{
		guard(&j->state_lock);
		j->counts.forced_checkpoints++;
	}
	err = jbd2_log_do_checkpoint(j);
	if (err || free_blocks(j) != before || oldest_tid(j, &tid))
		return err;
	return wait_for_commit(j);
}

/* ---- the end */

static struct buffer *any_left(struct journal *j)
{
	struct transaction *t;

	guard(&j->list_lock);
	t = oldest(j);
	return t ? buffer_hold(list_first(&t->checkpoint, struct journal_head, cp_link)->buffer) : NULL;
}

void checkpoint_drop_everything(struct journal *j)
{
	struct buffer *b;

	while ((b = any_left(j))) {
		{
			guard(&b->state_lock);
			guard(&j->list_lock);
			set_dirty(j, atomic_load(&b->journal_head), false);
		}
		reap_one(j, b, true);
	}
}

/* ---- memory is short */

#define RECLAIM_AT_ONCE 32

struct reclaimed {
	struct buffer *buffers[RECLAIM_AT_ONCE];
	int count;
};

/* With list_lock. The transaction is gone with its last block. */
static void reclaim_from(struct journal *j, struct transaction *t, struct reclaimed *r)
{
	struct journal_head *jh, *tmp;
	struct buffer *b, *put;

	list_for_each_safe(jh, tmp, &t->checkpoint, cp_link) {
		bool last = jh->cp_link.next == &t->checkpoint;

		b = jh->buffer;
		if (r->count == RECLAIM_AT_ONCE)
			return;
		if (!mutex_trylock(&b->state_lock))
			continue;
		put = jh_reclaim(j, jh);
		mutex_unlock(&b->state_lock);
		if (put)
			r->buffers[r->count++] = put;
		if (last) /* the list may be gone, too */
			return;
	}
}

/* Lets go of blocks that are in place, so that the cache can drop them. Locks only what is free. */
static size_t shrink(void *arg, size_t want)
{
	struct journal *j = arg;
	struct reclaimed r = { .count = RECLAIM_AT_ONCE };
	struct transaction *t, *tmp;
	size_t freed = 0;

	while (r.count == RECLAIM_AT_ONCE && freed < want && mutex_trylock(&j->list_lock)) {
		r.count = 0;
		list_for_each_safe(t, tmp, &j->checkpoints, link)
			reclaim_from(j, t, &r);
		mutex_unlock(&j->list_lock);
		freed += (size_t)r.count * sizeof(struct journal_head);
		for (int i = 0; i < r.count; i++)
			buffer_put(r.buffers[i]);
	}
	return freed;
}
