/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An empty log's blocks made empty too: old transactions hold names and data that were removed
 * since. The blocks lie in runs; each run goes with one discard, or is written in large pieces.
 */
#include "jbd2/internal.h"

#define ZEROES_BYTES (1u << 20)

struct erase {
	struct journal *j;
	bool discard;
	uint8_t *zeroes;		/* NULL when discarding */
	uint64_t first, count;		/* the run so far; physical blocks */
};

static int erase_run(const struct erase *e)
{
	struct journal *j = e->j;
	uint64_t at = e->first * j->block_size, left = e->count * j->block_size;
	int err = 0;

	if (e->discard && left)
		return block_discard(j->log_device, at, left);
	while (left && !err) {
		size_t n = (size_t)min(left, (uint64_t)ZEROES_BYTES);

		err = block_write(j->log_device, at, e->zeroes, n, BLOCK_META);
		at += n;
		left -= n;
	}
	return err;
}

static int erase_block(struct erase *e, uint64_t lblk)
{
	uint64_t pblk;
	int err = e->j->opt.ops->map_log_block(e->j->opt.user, lblk, &pblk);

	if (err)
		return err;
	if (e->count && pblk == e->first + e->count) {
		e->count++;
		return 0;
	}
	err = erase_run(e);
	e->first = pblk;
	e->count = 1;
	return err;
}

/* Nothing is in the log, and nothing can begin. */
static bool is_quiet(struct journal *j)
{
	guard(&j->state_lock);
	return j->log_empty && !j->running && !j->committing;
}

int jbd2_journal_erase(struct journal *j, bool discard)
{
	struct erase e = { .j = j, .discard = discard };
	int err = 0;

	if (!is_quiet(j))
		return -EBUSY;
	if (!discard) {
		e.zeroes = arena_zalloc(j->arena, ZEROES_BYTES);
		if (!e.zeroes)
			return -ENOMEM;
	}
	for (uint64_t lblk = j->log_first; lblk < j->log_end && !err; lblk++)
		err = erase_block(&e, lblk);
	if (!err)
		err = erase_run(&e);
	arena_free(j->arena, e.zeroes);
	return err || !j->opt.barrier ? err : block_flush(j->log_device);
}
