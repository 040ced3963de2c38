/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of recovery share: a reader of the log, and a walk over its transactions.
 */
#ifndef EXTANT_JBD2_RECOVERY_H
#define EXTANT_JBD2_RECOVERY_H

#include "jbd2/internal.h"

/* ---- log_reader.c: the log, block by block, read ahead */

struct log_reader;

must_check int log_reader_create(struct journal *j, struct log_reader **out);
void log_reader_destroy(struct log_reader *r);
/* The bytes of log block `lblk`, valid until the next call. */
must_check int log_reader_get(struct log_reader *r, uint64_t lblk, const uint8_t **data);

/* ---- log_walk.c: what a log holds */

/*
 * Called on the way, in the order of the log. Each may be NULL; an error ends the walk. A block is
 * reported before its transaction is known to be complete: the first walk finds where the log ends.
 */
struct log_visitor {
	int (*block)(void *arg, tid_t tid, const struct log_tag *tag, const uint8_t *data);
	int (*revoke)(void *arg, tid_t tid, uint64_t block);
	void *arg;
	bool want_data;			/* `data` is wanted; without it the blocks need not be read */
};

struct log_walk {
	tid_t first, end;		/* complete transactions: [first, end) */
	uint64_t blocks;		/* of the ring that they take */
	bool bad_checksum;		/* transaction `end` is committed and not what was written */
	uint64_t bad_block;		/* log block that showed it */
};

/* Finds the end of the log: every checksum is tried. */
must_check int log_walk_scan(struct journal *j, struct log_reader *r, const struct log_visitor *v,
			     struct log_walk *walk);
/* Goes over the transactions of a scan again. */
must_check int log_walk_again(struct journal *j, struct log_reader *r, const struct log_visitor *v,
			      const struct log_walk *scan);

/* ---- fast_commit.c */

/* Whether there are fast commits to replay behind a log that ends before transaction `end`. */
must_check int fast_commits_follow(struct journal *j, struct log_reader *r, tid_t end, bool *follow);

#endif
