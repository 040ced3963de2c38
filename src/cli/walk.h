/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Trees of an image, walked: each file before what is in it, names in the order of their bytes.
 */
#ifndef EXTANT_CLI_WALK_H
#define EXTANT_CLI_WALK_H

#include "cli/cli.h"

enum walk_when {
	WALK_BEFORE, /* a directory before what is in it; anything else */
	WALK_AFTER, /* a directory behind what was in it */
};

struct walk {
	struct cli_image *im;
	/* Status of what was done with a file; WALK_SKIP beside it: not into this directory. */
	int (*file)(struct walk *w, const char *path, const struct extant_stat *st,
		    enum walk_when when);
	/* Which names of a directory are walked; NULL: all. */
	bool (*wanted)(void *arg, const struct cli_name *name);
	void *arg; /* of both */
	bool follow_first; /* a link that the user named: to where it leads */
	bool flat; /* only what the user named */
	int depth_max; /* 0: any */
	/* the walk's own */
	int depth; /* of the file at hand; 0: what the user named */
	bool last; /* it is the last one in its directory */
	struct cli_ino_set entered;
};

#define WALK_SKIP 0x100

/* The worst status. */
int walk_tree(struct walk *w, const char *path);

#endif
