/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extended attributes of a file of an image, read whole.
 */
#ifndef EXTANT_CLI_XATTR_H
#define EXTANT_CLI_XATTR_H

#include "cli/cli.h"

#define XATTR_VALUE_MAX 65536
#define XATTR_NAMES_MAX 65536

/* Names, each terminated, sorted by their bytes; To be freed. NULL: *err. */
char **xattr_names(struct cli_image *im, const char *path, bool follow, size_t *count, int *err);
/* The value, to be freed. NULL: *err. */
unsigned char *xattr_value(struct cli_image *im, const char *path, const char *name, bool follow,
			   size_t *size, int *err);

#endif
