/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies of files and trees between places: the one engine of get, put, cp and mv.
 *
 * What it promises
 *
 * - A file that was there is replaced as a whole by its new content, or stays as it was: the copy is
 *   made under another name beside it and renamed. (Its other names keep the old content.)
 * - A file that was not there and whose copy fails or is cut off is removed again.
 * - Holes stay holes.
 * - With `attributes`: mode, owners, times, extended attributes, and that several names are one file.
 * - Below what the user named, a symbolic link is never followed, in neither place.
 */
#ifndef EXTANT_CLI_COPY_H
#define EXTANT_CLI_COPY_H

#include "cli/place.h"

struct copy_options {
	bool recursive; /* directories and what is in them, links and devices as such */
	bool attributes; /* all of them; else of files the permission bits */
	bool follow; /* links that the user named: copy what they lead to */
	bool keep_existing; /* what is there stays, and is no error */
	bool newer; /* only over what is older */
	bool verbose;
	uint32_t mode_mask; /* which bits are kept without `attributes` */
	const char *mode; /* for files, instead of what they have; NULL: none */
	const char *owner; /* for everything, instead; NULL: none */
};

struct copy;
struct copy *copy_create(struct place from, struct place to, const struct copy_options *opt);
void copy_destroy(struct copy *c);
/* `to` is the new name itself. The status; what failed was reported. */
int copy_path(struct copy *c, const char *from, const char *to);

#endif
