/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log shown to a stranger: which blocks each committed transaction holds and revokes. Reads
 * only. It finds the end of the log as recovery does, so what it shows is what a replay would take.
 */
#include "jbd2/recovery.h"

static int show_block(void *arg, tid_t tid, const struct log_tag *tag, const uint8_t *data)
{
	const struct jbd2_observer *o = arg;

	return o->block ? o->block(o->arg, tid, tag->block, data) : 0;
}

static int show_revoke(void *arg, tid_t tid, uint64_t block)
{
	const struct jbd2_observer *o = arg;

	return o->revoke ? o->revoke(o->arg, tid, block) : 0;
}

int jbd2_journal_examine(struct journal *j, const struct jbd2_observer *o)
{
	const struct log_visitor nothing = { .want_data = false };
	struct log_visitor v = { show_block, show_revoke, (void *)o, .want_data = true };
	struct log_reader *r;
	struct log_walk scan;
	int err;

	if (!jbd2_journal_needs_recovery(j))
		return 0;
	err = log_reader_create(j, &r);
	if (err)
		return err;
	err = log_walk_scan(j, r, &nothing, &scan);
	if (!err)
		err = log_walk_again(j, r, &v, &scan);
	log_reader_destroy(r);
	return err;
}

const struct journal_superblock_s *jbd2_journal_super(const struct journal *j)
{
	return &j->super;
}
