/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stat -c FORMAT: what stat(1) calls a format, for the inodes of an image.
 */
#ifndef EXTANT_CLI_STAT_FORMAT_H
#define EXTANT_CLI_STAT_FORMAT_H

#include "cli/cli.h"

/* CLI_DONE, or CLI_USAGE, reported. */
int stat_format_check(const char *format);
/* `escapes`: \n and the like stand for what they do in C (--printf). */
void stat_format_print(const char *format, bool escapes, struct cli_image *im, const char *path,
		       const struct extant_stat *st);

#endif
