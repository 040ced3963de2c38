/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session: an image that stays open, and lines of commands on it. A batch reads them from a file,
 * the shell from a terminal; both have the words of the command line, without "extant" and IMAGE,
 * quoted as in sh, and a few of their own (session.c).
 */
#ifndef EXTANT_CLI_SESSION_H
#define EXTANT_CLI_SESSION_H

#include "cli/cli.h"

struct session {
	struct cli_image *im;
	bool ended; /* "exit" */
	int exit_status; /* of it; -1: that of what failed */
};

/* One line. The status of its command; of an empty one CLI_DONE. */
int session_line(struct session *s, const char *line);

struct session_word {
	const char *name, *arguments, *summary;
	int (*run)(struct session *s, int argc, char **argv);
};
/* Words that only sessions have; the last has no name. */
extern const struct session_word session_words[];

/* ---- words of a line (split.c) */

/*
 * As sh splits a line: blanks separate, '...' and "..." and \ quote, # begins a comment. The words
 * lie in one piece with the list, which is to be freed. NULL: a quote is not closed.
 */
char **session_split(const char *line, int *count);

/* ---- reading lines at a terminal (edit.c with libedit; else plain.c) */

struct editor;
/* What completes the word `text`; each proposal is one call of `add`. `first`: it is the command. */
typedef void session_complete_fn(void *arg, const char *line, size_t len,
				 void (*add)(void *to, const char *word, bool ends), void *to);

/* `in`, `out`: a terminal. NULL: it cannot be edited. */
struct editor *editor_create(const char *history, session_complete_fn *complete, void *arg);
/* The next line without its end, which lives until the next call; NULL: there is none. */
const char *editor_line(struct editor *e, const char *prompt);
void editor_destroy(struct editor *e);

#endif
