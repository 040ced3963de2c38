/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Workload scripts: one operation a line, as tests/oracle/README.md describes the language. What `extant run`
 * runs here, wlrun runs on Linux; results and marks have the same form.
 */
#ifndef EXTANT_CLI_SCRIPT_H
#define EXTANT_CLI_SCRIPT_H

#include <stdio.h>
#include "lib/lib.h"

#define SCRIPT_FILES 64

struct script {
	/* set by the caller */
	const char *image, *options, *snapshots;
	struct clock *clock;
	struct trace *trace;
	enum trace_dialect dialect;
	struct extant_options opt;	/* how to mount */
	FILE *results;			/* NULL: none */
	int (*after_op)(void *arg);	/* drains the trace */
	void *after_arg;
	/* Around each operation, for tests: its words are valid, and the mount, where there is one. Or NULL. */
	int (*around_op)(void *arg, int op, bool begins, const char *text, int64_t ret);
	/* What a mount works on, instead of opening `image`; or NULL. */
	int (*open_device)(void *arg, struct block_device **out);
	void *around_arg;
	struct arena *arena;		/* of each mount, for tests; NULL: each has its own */
	/* the state of the run */
	struct extant *x;		/* NULL: not mounted */
	int fds[SCRIPT_FILES];		/* the mount's descriptors; -1: free */
	char *info;			/* further members of the result at hand */
	size_t info_len, info_room;
	const char *unknown;		/* an operation that this version does not run */
	int mount_error;
};

void script_init(struct script *s);
void script_fini(struct script *s);
/*
 * Runs all lines: the mount before them (operation 0), the unmount after them. 0; -EINVAL: s->unknown or a line
 * that is no operation (told on stderr); s->mount_error when the first mount failed.
 */
int script_run(struct script *s, FILE *lines);

#endif
