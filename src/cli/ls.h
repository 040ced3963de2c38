/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the two files of extant ls share: which names are listed (ls.c), and how (ls_print.c).
 */
#ifndef EXTANT_CLI_LS_H
#define EXTANT_CLI_LS_H

#include "cli/cli.h"
#include "cli/json.h"

struct ls_args {
	const char *options;
	bool all, almost_all, details, recursive, json;
	bool inodes, human, directories, blocks, classify, slashes, full_time;
	bool reverse, by_time, by_size, unsorted, access_time, change_time;
};

struct ls_entry {
	char *name; /* in its directory; a path where the user named it */
	uint32_t ino;
	uint8_t type; /* DT_* */
	bool known; /* st is there */
	struct extant_stat st;
};

struct ls_list {
	const char *dir; /* "": names are paths */
	struct ls_entry *items;
	size_t count;
};

/* Whether a listing with these options needs more than what a directory says. */
bool ls_needs_attributes(const struct ls_args *args);
const struct extant_time *ls_time(const struct ls_args *args, const struct extant_stat *st);
/* `f` NULL: as text. */
void ls_print(struct cli_image *im, const struct ls_args *args, struct facts *f,
	      const struct ls_list *list);

#endif
