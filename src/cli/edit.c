/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines at a terminal with libedit: editing, history in a file, completion by the tabulator.
 */
#include <histedit.h>
#include <stdlib.h>
#include <string.h>
#include "cli/session.h"

#define HISTORY_LINES 1000

struct editor {
	EditLine *el;
	History *history;
	const char *prompt;
	char *line, *file;
	session_complete_fn *complete;
	void *arg;
};

/* ---- completion */

struct found {
	char **words;
	size_t count, room;
	bool ends; /* of the last one: nothing follows within it */
};

static void add(void *to, const char *word, bool ends)
{
	struct found *f = to;

	if (f->count == f->room) {
		f->room = f->room ? 2 * f->room : 16;
		f->words = cli_realloc(f->words, f->room * sizeof(f->words[0]));
	}
	f->words[f->count++] = cli_strdup(word);
	f->ends = ends;
}

/* How far all begin alike. */
static size_t common(const struct found *f)
{
	size_t n = strlen(f->words[0]);

	for (size_t i = 1; i < f->count; i++)
		for (size_t k = 0; k < n; k++)
			if (f->words[i][k] != f->words[0][k])
				n = k;
	return n;
}

/* The length of the word before the cursor; a blank behind a backslash belongs to it. */
static size_t typed(const LineInfo *li)
{
	const char *p = li->cursor;

	while (p > li->buffer && (p[-1] != ' ' || (p - 1 > li->buffer && p[-2] == '\\')))
		p--;
	return (size_t)(li->cursor - p);
}

static void replace(EditLine *el, const struct found *f, size_t old)
{
	size_t n = common(f);
	char *text = cli_realloc(NULL, n + 2);

	memcpy(text, f->words[0], n);
	text[n] = '\0';
	if (f->count == 1 && f->ends)
		(void)strcat(text, " ");
	el_deletestr(el, (int)old);
	(void)el_insertstr(el, text);
	free(text);
}

static void show(const struct found *f)
{
	putchar('\n');
	for (size_t i = 0; i < f->count; i++)
		cli_print_line(f->words[i]);
	fflush(stdout);
}

static unsigned char on_tab(EditLine *el, int ch)
{
	struct editor *e;
	struct found f = { 0 };
	const LineInfo *li = el_line(el);
	size_t old = typed(li);
	unsigned char then = CC_ERROR;

	if (el_get(el, EL_CLIENTDATA, &e))
		return CC_ERROR;
	e->complete(e->arg, li->buffer, (size_t)(li->cursor - li->buffer), add, &f);
	if (f.count) {
		bool longer = f.count == 1 || common(&f) > old;

		if (!longer)
			show(&f);
		else
			replace(el, &f, old);
		then = longer ? CC_REFRESH : CC_REDISPLAY;
	}
	for (size_t i = 0; i < f.count; i++)
		free(f.words[i]);
	free(f.words);
	return then;
}

/* ---- lines */

static char *prompt_of(EditLine *el)
{
	static char none[] = "";
	struct editor *e;

	return el_get(el, EL_CLIENTDATA, &e) ? none : (char *)(uintptr_t)e->prompt;
}

static void set_up(struct editor *e)
{
	HistEvent ev;

	(void)el_set(e->el, EL_CLIENTDATA, e);
	(void)el_set(e->el, EL_PROMPT, prompt_of);
	(void)el_set(e->el, EL_EDITOR, "emacs");
	(void)el_set(e->el, EL_ADDFN, "extant-complete", "complete", on_tab);
	(void)el_set(e->el, EL_BIND, "^I", "extant-complete", NULL);
	(void)history(e->history, &ev, H_SETSIZE, HISTORY_LINES);
	(void)history(e->history, &ev, H_SETUNIQUE, 1);
	(void)el_set(e->el, EL_HIST, history, e->history);
	(void)el_source(e->el, NULL); /* the user's own ~/.editrc, if there is one */
	if (*e->file)
		(void)history(e->history, &ev, H_LOAD, e->file);
}

struct editor *editor_create(const char *history_file, session_complete_fn *complete, void *arg)
{
	struct editor *e = cli_realloc(NULL, sizeof(*e));

	*e = (struct editor){ .file = cli_strdup(history_file),
			      .complete = complete,
			      .arg = arg,
			      .el = el_init("extant", stdin, stdout, stderr),
			      .history = history_init() };
	if (e->el && e->history) {
		set_up(e);
		return e;
	}
	editor_destroy(e);
	return NULL;
}

const char *editor_line(struct editor *e, const char *prompt)
{
	HistEvent ev;
	const char *line;
	int n;

	e->prompt = prompt;
	/* Before the prompt: what is typed right behind it must find the terminal so; ^D does not
	 * survive the change. */
	(void)el_set(e->el, EL_PREP_TERM, 1);
	line = el_gets(e->el, &n);
	if (!line || n <= 0)
		return NULL;
	free(e->line);
	e->line = cli_strdup(line);
	e->line[strcspn(e->line, "\n")] = '\0';
	if (*e->line)
		(void)history(e->history, &ev, H_ENTER, e->line);
	return e->line;
}

void editor_destroy(struct editor *e)
{
	HistEvent ev;

	if (!e)
		return;
	/* What cannot be kept is lost; the commands were run. */
	if (e->history && *e->file)
		(void)history(e->history, &ev, H_SAVE, e->file);
	if (e->history)
		history_end(e->history);
	if (e->el)
		el_end(e->el);
	free(e->line);
	free(e->file);
	free(e);
}
