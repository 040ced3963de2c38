/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What copy.c (the walk) and copy_data.c (the bytes of a file) share.
 */
#ifndef EXTANT_CLI_COPY_INTERNAL_H
#define EXTANT_CLI_COPY_INTERNAL_H

#include "cli/copy.h"

#define COPY_CHUNK_BYTES (256u << 10)

struct copy_link {
	uint64_t ino, dev;
	char *to; /* the name that its copy has */
};

struct copy {
	struct place from, to;
	struct copy_options opt;
	char *buf;
	struct copy_link *links; /* files with several names that were copied */
	size_t link_count, link_room;
	struct cli_ino_set entered; /* of an image; a damaged tree has circles */
	struct place_file top; /* the directory that was made for what the user named */
	int depth; /* 0: what the user named */
	unsigned made; /* names beside others so far */
};

/*
 * The name under which something for `to` is made: `to` itself, or where that is there (*there), one
 * beside it that is free. To be freed.
 */
char *copy_beside(struct copy *c, const char *to, bool *there);
/* The bytes of a file, into a file at `to`. */
int copy_file(struct copy *c, const char *from, const char *to, const struct place_file *f);
int copy_attributes(struct copy *c, const char *from, const char *to, const struct place_file *f);
/* What to do about a failure in the place that is written to; NULL: what generally helps. */
const char *copy_hint(const struct copy *c, int err);

#endif
