/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The expressions of extant find: words made into a tree, and asked for each file.
 */
#ifndef EXTANT_CLI_FIND_H
#define EXTANT_CLI_FIND_H

#include "cli/json.h"
#include "cli/walk.h"

struct find {
	struct cli_image *im;
	struct walk *walk;
	struct facts *facts; /* NULL: as text */
	struct find_node *root; /* NULL: true of all, which are printed */
	int depth_min, depth_max; /* -1: any */
	bool after, acts; /* directories behind what is in them; an action is among it */
	bool quit;
	struct extant_time now;
	int status;
};

/* The file that is asked about. */
struct find_file {
	const char *path;
	const struct extant_stat *st;
	bool prune; /* set by -prune */
};

/*
 * `words` is the expression, without the paths. CLI_DONE, or CLI_USAGE, reported. Files it compares with
 * (-newer) are looked at where `im` is there; without it the words are only checked.
 */
int find_parse(struct find *f, struct cli_image *im, int count, char **words);
bool find_matches(struct find *f, struct find_file *file);
/* The action of who gives none, and of -print. */
void find_print(struct find *f, const struct find_file *file);
void find_free(struct find *f);

#endif
