/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal as a whole: open, load, flush, abort, destroy.
 *
 *	open --(recover)--> load --> handles, commits, checkpoints --> destroy
 *
 * After an abort (J7) every handle gets -EROFS, the commit task throws the running transaction away, and
 * nothing is written any more, in the log or in place, but the reason in the superblock. What was
 * committed is in the log still; the next mount replays it.
 */
#include "jbd2/internal.h"

#include <stdio.h>
#include <string.h>

void journal_log(const struct journal *j, enum log_level level, const char *fmt, ...)
{
	char text[200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	log_message(j->opt.log, level, "%s: journal: %s", j->log_device->name, text);
}

/* ---- open */

static void locks_init(struct journal *j)
{
	mutex_init(&j->checkpoint_lock, RANK_CHECKPOINT);
	mutex_init(&j->state_lock, RANK_JOURNAL);
	mutex_init(&j->list_lock, RANK_JOURNAL_LIST);
	mutex_init(&j->revoke_lock, RANK_REVOKE);
	mutex_init(&j->memory_lock, RANK_JOURNAL_MEMORY);
	mutex_init(&j->super_lock, RANK_JOURNAL_SUPER);
	waitq_init(&j->wait_join);
	waitq_init(&j->wait_updates);
	waitq_init(&j->wait_commit);
	waitq_init(&j->wait_done);
	waitq_init(&j->wait_in_place);
	waitq_init(&j->wait_inode);
}

static void locks_fini(struct journal *j)
{
	waitq_fini(&j->wait_inode);
	waitq_fini(&j->wait_in_place);
	waitq_fini(&j->wait_done);
	waitq_fini(&j->wait_commit);
	waitq_fini(&j->wait_updates);
	waitq_fini(&j->wait_join);
	mutex_fini(&j->super_lock);
	mutex_fini(&j->memory_lock);
	mutex_fini(&j->revoke_lock);
	mutex_fini(&j->list_lock);
	mutex_fini(&j->state_lock);
	mutex_fini(&j->checkpoint_lock);
}

static void pools_init(struct journal *j)
{
	size_t chunk = max((size_t)LOG_CHUNK_BYTES, (size_t)j->block_size);

	pool_init(&j->heads, j, sizeof(struct journal_head), false);
	pool_init(&j->records, j, sizeof(struct revoke_record), false);
	pool_init(&j->copies, j, j->block_size, true);
	pool_init(&j->chunks, j, chunk, true);
}

static void pools_fini(struct journal *j)
{
	pool_fini(&j->heads);
	pool_fini(&j->records);
	pool_fini(&j->copies);
	pool_fini(&j->chunks);
}

static void journal_free(struct journal *j)
{
	pools_fini(j);
	locks_fini(j);
	arena_free(j->arena, j);
}

int jbd2_journal_open(const struct journal_options *opt, struct journal **out)
{
	struct journal *j = arena_new(opt->arena, struct journal);
	int err;

	if (!j)
		return -ENOMEM;
	j->opt = *opt;
	j->trace = opt->trace;
	j->arena = opt->arena;
	j->log_device = opt->device;
	j->fs_device = buffer_cache_device(opt->buffers);
	j->block_size = buffer_cache_block_size(opt->buffers);
	j->commit_interval_ns = opt->commit_interval_ns;
	list_init(&j->checkpoints);
	locks_init(j);
	pools_init(j);
	err = journal_super_read(j);
	if (err) {
		journal_free(j);
		return err;
	}
	*out = j;
	return 0;
}

void jbd2_journal_identity(const struct journal *j, uint8_t uuid[16], int32_t *errno_recorded)
{
	memcpy(uuid, j->super.s_uuid, sizeof(j->super.s_uuid));
	*errno_recorded = (int32_t)be32_get(j->super.s_errno);
}

bool jbd2_journal_needs_recovery(const struct journal *j)
{
	return !j->recovered && be32_get(j->super.s_start) != 0;
}

/* ---- load */

static int transaction_limit(const struct journal *j)
{
	uint64_t blocks = log_ring_blocks(j) / 4;

	if (j->opt.memory_bytes)
		blocks = min(blocks, (uint64_t)(j->opt.memory_bytes / 4 / j->block_size));
	return (int)max(blocks, (uint64_t)LOG_BLOCKS_MIN / 4);
}

/* An empty log, at its beginning. */
static void reset(struct journal *j)
{
	if (!j->recovered)
		j->next_tid = be32_get(j->super.s_sequence) + 1;
	j->commit_request = j->commit_done = j->stable_tid = j->next_tid - 1;
	j->head = j->log_first;
	j->free_blocks = log_ring_blocks(j);
	j->tail = j->free_from = j->in_place = (struct log_position){ j->next_tid, j->head };
}

static void unload(struct journal *j)
{
	checkpoint_fini(j);
	log_writer_destroy(j);
	pool_trim(&j->chunks, 0);
}

int jbd2_journal_load(struct journal *j, enum journal_csum csum, bool tags_64bit)
{
	int err;

	ensure(!jbd2_journal_needs_recovery(j) && !j->loaded);
	journal_super_set_features(j, csum, tags_64bit);
	j->transaction_max = transaction_limit(j);
	reset(j);
	err = log_writer_create(j);
	if (!err)
		err = checkpoint_init(j);
	if (!err)
		err = task_spawn(j->opt.sched, j->opt.device_name, commit_task_main, j, &j->commit_task);
	if (err) {
		unload(j);
		return err;
	}
	j->loaded = true;
	return 0;
}

/* ---- flush */

static int flush_once(struct journal *j)
{
	int err = jbd2_journal_force_commit(j);

	if (!err)
		err = checkpoint_everything(j);
	if (err)
		return err;
	guard(&j->checkpoint_lock);
	err = log_tail_cleanup(j);
	return err < 0 ? err : log_make_empty(j, 0, BLOCK_FUA);
}

int jbd2_journal_flush(struct journal *j)
{
	int err;

	if (journal_aborted(j))
		return -EROFS;
	do
		err = flush_once(j);
	while (err > 0);
	return err;
}

/* ---- abort */

static void wake_everybody(struct journal *j)
{
	waitq_wake_all(&j->wait_join);
	waitq_wake_all(&j->wait_updates);
	waitq_wake_all(&j->wait_commit);
	waitq_wake_all(&j->wait_done);
}

bool jbd2_journal_abort_quietly(struct journal *j, int err)
{
	guard(&j->state_lock);
	if (journal_aborted(j))
		return false;
	atomic_store(&j->error, err);
	wake_everybody(j);
	return true;
}

void jbd2_journal_record_abort(struct journal *j)
{
	int err = jbd2_journal_errno(j);

	/* Should even this fail, there is nobody left to be told. */
	if (err && err != -ESHUTDOWN)
		(void)journal_super_write_errno(j, err);
}

void jbd2_journal_abort(struct journal *j, int err)
{
	if (!jbd2_journal_abort_quietly(j, err))
		return;
	if (err != -ESHUTDOWN)
		journal_log(j, LOG_ERROR, "aborted, error %d: read-only from here on", -err);
	jbd2_journal_record_abort(j);
	if (j->opt.ops->aborted)
		j->opt.ops->aborted(j->opt.user, err);
}

int jbd2_journal_errno(const struct journal *j)
{
	return atomic_load(&j->error);
}

void jbd2_journal_clear_err(struct journal *j)
{
	/* A failure shows with the next write of the superblock. */
	if (!journal_aborted(j))
		(void)journal_super_write_errno(j, 0);
}

void jbd2_journal_set_barrier(struct journal *j, bool barrier)
{
	j->opt.barrier = barrier;
}

/* ---- destroy */

static void stop_commit_task(struct journal *j)
{
	{
		guard(&j->state_lock);
		ensure(j->counts.open_handles == 0);
		j->stopping = true;
		waitq_wake_all(&j->wait_commit);
	}
	task_join(j->commit_task);
}

/* The log is empty; one number is left out, so that what lies in it can never be taken for new. */
static int make_empty(struct journal *j)
{
	guard(&j->checkpoint_lock);
	return log_make_empty(j, j->next_tid + 1, BLOCK_PREFLUSH | BLOCK_FUA);
}

static int shut_down(struct journal *j)
{
	int err;

	stop_commit_task(j);
	err = journal_aborted(j) ? -EROFS : checkpoint_everything(j);
	if (!err)
		err = make_empty(j);
	checkpoint_drop_everything(j);
	unload(j);
	return err;
}

int jbd2_journal_destroy(struct journal *j)
{
	int err = 0;

	if (!j)
		return 0;
	if (j->loaded)
		err = shut_down(j);
	else if (j->recovered && !journal_aborted(j))
		err = journal_super_write_empty(j, j->next_tid, BLOCK_PREFLUSH | BLOCK_FUA);
	if (journal_aborted(j))
		err = jbd2_journal_errno(j);
	journal_free(j);
	return err;
}

/* ---- facts */

void jbd2_journal_facts(struct journal *j, struct journal_facts *out)
{
	guard(&j->state_lock);
	*out = j->counts;
	out->running = j->running ? j->running->tid : 0;
	out->committing = j->committing ? j->committing->tid : 0;
	out->committed = j->stable_tid;
	out->tail_tid = j->tail.tid;
	out->log_blocks = log_ring_blocks(j);
	out->head = j->head;
	out->tail = j->tail.block;
	out->free_blocks = j->free_blocks;
}
