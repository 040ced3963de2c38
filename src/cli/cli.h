/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line: exit statuses, and what its commands share.
 */
#ifndef EXTANT_CLI_H
#define EXTANT_CLI_H

#include "lib/lib.h"

enum {
	CLI_OK = 0,
	CLI_NO = 1,		/* the file system said no */
	CLI_USAGE = 2,
	CLI_DAMAGED = 4,	/* the image is damaged; nothing was changed */
	CLI_IO = 8,
};

/* The exit status that an error of the library means. */
int cli_status(int err);

/* The commands: argv[0] is the command's name. */
int cmd_run(int argc, char **argv);
int cmd_trace(int argc, char **argv);

#endif
