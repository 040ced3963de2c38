/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An image looked at without mounting it: for who shows facts of the layout and of the journal as
 * they lie on disk, where a mount would have changed them already.
 */
#ifndef EXTANT_CLI_EXAMINE_H
#define EXTANT_CLI_EXAMINE_H

#include "cli/cli.h"
#include "ext4/fs.h"
#include "jbd2/format.h"

struct cli_examined {
	const char *path;
	struct ext4_super_block raw;	/* as it lies on disk, also where the rest cannot be used */
	bool has_super;			/* `raw` is one of ext4 */
	struct ext4_fs *fs;		/* the shape of it; NULL: it cannot be used */
	/* In `fs`. NULL: none, or it cannot be used (then journal_error says why not). */
	struct journal *journal;
	bool has_journal;
	int status;			/* enum cli_status of what was found */
	char error[400], journal_error[400];
	/* read only */
	struct arena *arena;
	struct sched *sched;
	struct clock clock;
	struct log log;
};

/*
 * Opens the image for reading, reads what can be read, calls `show(arg, e)` in a task of its own
 * and closes it. The status of opening, or what `show` yields; e->status is its to report.
 */
int cli_examine(const char *path, const char *options,
		int (*show)(void *arg, struct cli_examined *e), void *arg);

/* What a block of the file system is for: "group descriptors", "inode table of group 3", ... */
struct cli_block_map;
struct cli_block_map *cli_block_map_create(struct cli_examined *e);
void cli_block_map_destroy(struct cli_block_map *m);
/* `data`: its bytes, or NULL. The text lies in `buf`. */
const char *cli_block_purpose(const struct cli_block_map *m, uint64_t block, const uint8_t *data,
			      char *buf, size_t size);

#endif
