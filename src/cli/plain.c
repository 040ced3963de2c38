/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines at a terminal where libedit was not there at build time: as the terminal gives them.
 */
#include <stdlib.h>
#include <string.h>
#include "cli/session.h"

struct editor {
	char *line;
	size_t room;
};

struct editor *editor_create(const char *history, session_complete_fn *complete, void *arg)
{
	struct editor *e = cli_realloc(NULL, sizeof(*e));

	*e = (struct editor){ 0 };
	return e;
}

const char *editor_line(struct editor *e, const char *prompt)
{
	ssize_t n;

	fputs(prompt, stdout);
	fflush(stdout);
	clearerr(stdin);
	n = getline(&e->line, &e->room, stdin);
	if (n < 0)
		return NULL;
	e->line[strcspn(e->line, "\n")] = '\0';
	return e->line;
}

void editor_destroy(struct editor *e)
{
	if (e)
		free(e->line);
	free(e);
}
