/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ring of log blocks and its two ends.
 *
 *	      free_from       tail        in_place                head
 *	---------|-------------|-------------|----------------------|---------
 *	  free   |  freed once |  the super- |  transactions whose  |  free
 *	         |  the super- |  block may  |  blocks are not all  |
 *	         |  block that |  name this  |  in place and        |
 *	         |  says so is |  as the     |  flushed             |
 *	         |  stable     |  tail       |                      |
 *
 * The tail moves in two ways (J5: in place, flushed, said so, then used again):
 *
 * - With the commits, for nothing: the flush before a commit record makes stable what was written in
 *   place before (in_place moves); the next commit writes a superblock with that tail, whose write its
 *   own flush makes stable (free_from moves). Only when a good part of the log is won.
 * - When somebody needs the room (log_tail_cleanup): flush, forced write of the superblock.
 *
 * A start counts what its transaction may need at the worst, so a commit never finds the log full.
 */
#include "jbd2/internal.h"

uint64_t log_ring_blocks(const struct journal *j)
{
	return j->log_end - j->log_first;
}

uint64_t log_distance(const struct journal *j, uint64_t from, uint64_t to)
{
	return to >= from ? to - from : to + log_ring_blocks(j) - from;
}

uint64_t log_next(const struct journal *j, uint64_t block)
{
	return block + 1 == j->log_end ? j->log_first : block + 1;
}

uint64_t log_blocks_for(const struct journal *j, int blocks, uint32_t revokes)
{
	uint64_t n = (uint64_t)blocks, tags = log_tags_per_block(&j->layout);
	uint64_t per_block = log_revokes_per_block(&j->layout);

	return n + (n + tags - 1) / tags + (revokes + per_block - 1) / per_block + 2;
}

bool log_has_room(const struct journal *j, const struct transaction *t, int blocks, uint32_t revokes)
{
	uint64_t need = LOG_SLACK_BLOCKS;

	need += log_blocks_for(j, t->outstanding + j->reserved_credits + blocks,
			       t->revoke_count + t->revokes_promised + revokes);

	if (j->committing)
		need += j->committing->log_left;
	return need <= j->free_blocks;
}

int log_take_block(struct journal *j, struct transaction *t, uint64_t *pblk)
{
	uint64_t lblk;

	{
		guard(&j->state_lock);
		ensure(j->free_blocks > 0);
		lblk = j->head;
		j->head = log_next(j, lblk);
		j->free_blocks--;
		t->log_left -= t->log_left > 0;
	}
	return j->opt.ops->map_log_block(j->opt.user, lblk, pblk);
}

void log_oldest(struct journal *j, struct log_position *out)
{
	const struct transaction *t;

	guard(&j->list_lock);
	t = list_first(&j->checkpoints, struct transaction, link);
	if (!t || MUTANT(tail_early))
		t = j->committing;
	if (t)
		*out = (struct log_position){ t->tid, t->log_start };
	else
		*out = (struct log_position){ j->running ? j->running->tid : j->next_tid, j->head };
}

void log_free_up_to(struct journal *j, const struct log_position *p)
{
	if (!tid_after(p->tid, j->free_from.tid))
		return;
	j->free_blocks += log_distance(j, j->free_from.block, p->block);
	j->free_from = *p;
	waitq_wake_all(&j->wait_join);
}

/* The superblock says `p` from now on. With state_lock. */
static void set_tail(struct journal *j, const struct log_position *p)
{
	uint64_t freed = log_distance(j, j->tail.block, p->block);

	trace(j, jbd2_update_log_tail, j->tail.tid, p->tid, p->block, freed);
	j->tail = *p;
	j->counts.tail_updates++;
}

/* Writing it costs something: it must win a quarter of the log, or the log be short. */
static bool tail_is_worth_moving(const struct journal *j, const struct log_position *to)
{
	uint64_t won = log_distance(j, j->tail.block, to->block), ring = log_ring_blocks(j);

	if (!tid_after(to->tid, j->tail.tid))
		return false;
	return won >= ring / 4 || (j->free_blocks < ring / 2 && won >= ring / 16);
}

/* The first commit into an empty log; the flush before its record makes this stable, too. */
static int first_tail(struct journal *j)
{
	struct log_position tail;
	int err;

	{
		guard(&j->state_lock);
		tail = j->tail;
		j->log_empty = false;
	}
	err = journal_super_write_tail(j, &tail, 0);
	if (err) {
		guard(&j->state_lock);
		j->log_empty = true;
	}
	return err;
}

static bool log_is_empty(struct journal *j)
{
	guard(&j->state_lock);
	return j->log_empty;
}

static int move_tail_cheaply(struct journal *j)
{
	struct log_position to;
	int err;

	{
		guard(&j->state_lock);
		to = j->in_place;
		if (MUTANT(tail_early) || MUTANT(tail_unflushed))
			log_oldest(j, &to);
		if (!tail_is_worth_moving(j, &to) || MUTANT(space_early))
			return 0;
	}
	err = journal_super_write_tail(j, &to, 0);
	if (err)
		return err;
	guard(&j->state_lock);
	set_tail(j, &to);
	return 0;
}

static bool tail_is_urgent(struct journal *j)
{
	guard(&j->state_lock);
	return j->free_blocks < log_ring_blocks(j) / 4 && tail_is_worth_moving(j, &j->in_place);
}

int log_tail_before_commit(struct journal *j)
{
	int err = 0;

	if (log_is_empty(j)) {
		guard(&j->checkpoint_lock);
		return first_tail(j);
	}
	/* Somebody writes in place: it is waited for when callers would soon have to wait for room. */
	if (!mutex_trylock(&j->checkpoint_lock)) {
		if (!tail_is_urgent(j))
			return 0;
		mutex_lock(&j->checkpoint_lock);
	}
	err = move_tail_cheaply(j);
	mutex_unlock(&j->checkpoint_lock);
	return err;
}

/* A tail that a commit wrote and nothing has flushed yet is made stable. */
static int settle_tail(struct journal *j, const struct log_position *written)
{
	int err = j->opt.barrier ? block_flush(j->log_device) : 0;

	if (err) {
		jbd2_journal_abort(j, err);
		return err;
	}
	guard(&j->state_lock);
	log_free_up_to(j, written);
	return 0;
}

static int move_tail(struct journal *j, const struct log_position *to)
{
	uint64_t flush = checkpoint_flush_begins(j);
	int err = j->opt.barrier && !MUTANT(tail_unflushed) ? block_flush(j->fs_device) : 0;

	checkpoint_flush_ends(j, flush, err);
	if (err) {
		journal_log(j, LOG_ERROR, "cannot flush what was written in place: error %d", -err);
		jbd2_journal_abort(j, err);
		return err;
	}
	err = journal_super_write_tail(j, to, BLOCK_FUA);
	if (err)
		return err;
	guard(&j->state_lock);
	set_tail(j, to);
	j->in_place = *to;
	log_free_up_to(j, to);
	return 0;
}

int log_make_empty(struct journal *j, tid_t next_tid, unsigned flags)
{
	mutex_assert_held(&j->checkpoint_lock);
	{
		guard(&j->state_lock);
		if (j->running || j->committing)
			return 1;
		if (j->log_empty)
			return 0;
		j->log_empty = true;
		j->next_tid = next_tid ? next_tid : j->next_tid;
		next_tid = j->next_tid;
		j->tail = j->free_from = j->in_place = (struct log_position){ next_tid, j->head };
		j->free_blocks = log_ring_blocks(j);
	}
	return journal_super_write_empty(j, next_tid, flags);
}

int log_tail_cleanup(struct journal *j)
{
	struct log_position oldest, tail, free_from;
	bool empty;

	mutex_assert_held(&j->checkpoint_lock);
	if (journal_aborted(j))
		return -EROFS;
	{
		guard(&j->state_lock);
		log_oldest(j, &oldest);
		tail = j->tail;
		free_from = j->free_from;
		empty = j->log_empty;
	}
	if (!empty && tid_after(oldest.tid, tail.tid))
		return move_tail(j, &oldest);
	if (tid_after(tail.tid, free_from.tid))
		return settle_tail(j, &tail);
	return 1;
}
