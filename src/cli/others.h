/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Places in other images than the one a command works on: OTHER:/PATH. The first ":/" of a word
 * divides it; ":/PATH" is in IMAGE itself, for paths that have such a pair of characters.
 */
#ifndef EXTANT_CLI_OTHERS_H
#define EXTANT_CLI_OTHERS_H

#include "cli/cli.h"

#define OTHERS_MAX 16

struct others {
	struct cli_image *main;
	struct cli_image *items[OTHERS_MAX]; /* opened on the way */
	int count;
};

/*
 * The image and the path that a word names; the image is opened if it is another one, with the
 * options of the first. CLI_DONE and *path, to be freed; else the status, reported.
 */
int others_find(struct others *o, const char *word, enum cli_access access, struct cli_image **im,
		char **path);
/* Closes them. The worse of `status` and what came of that. */
int others_close(struct others *o, int status);
/* Whether a word names a place in another image. */
bool others_is_one(const char *word);

#endif
