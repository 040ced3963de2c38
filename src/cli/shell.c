/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant shell: commands typed one after the other on an open image. At a terminal lines can be
 * edited, completed and called back (edit.c, where it was built with libedit); without one they are
 * read plainly, and nothing but what the commands print appears.
 *
 * What a command changed is on disk when the prompt comes back.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/session.h"

struct shell_args {
	const char *options;
	bool read_only;
};

/* ---- completion */

struct proposals {
	const char *begin; /* what is typed of the word */
	void (*add)(void *to, const char *word, bool ends);
	void *to;
};

static void propose(const struct proposals *p, const char *word, bool ends)
{
	if (!strncmp(word, p->begin, strlen(p->begin)))
		p->add(p->to, word, ends);
}

static void propose_commands(const struct proposals *p)
{
	for (size_t i = 0; i < cli_commands_count; i++)
		if (cli_commands[i]->on)
			propose(p, cli_commands[i]->name, true);
	for (const struct session_word *w = session_words; w->name; w++)
		propose(p, w->name, true);
}

static void propose_options(const struct proposals *p, const char *command)
{
	const struct cli_command *c = cli_find_command(command);
	char word[64];

	for (const struct cli_option *o = c ? c->options : NULL; o && o->kind != CLI_END; o++) {
		if (!o->name)
			continue;
		(void)snprintf(word, sizeof(word), "--%s", o->name);
		propose(p, word, true);
	}
}

/* As it has to be typed; to be freed. */
static char *escaped(const char *word)
{
	char *out = cli_realloc(NULL, 2 * strlen(word) + 1);
	size_t n = 0;

	for (; *word; word++) {
		if (strchr(" \t'\"\\#", *word))
			out[n++] = '\\';
		out[n++] = *word;
	}
	out[n] = '\0';
	return out;
}

/* A name with what stands before it in the word; a directory's with a slash. */
static void propose_name(const struct proposals *p, const char *before, const char *name,
			 bool is_dir)
{
	size_t size = strlen(before) + strlen(name) + 2;
	char *word = cli_realloc(NULL, size), *typed;

	(void)snprintf(word, size, "%s%s%s", before, name, is_dir ? "/" : "");
	if (!strncmp(word, p->begin, strlen(p->begin))) {
		typed = escaped(word);
		p->add(p->to, typed, !is_dir);
		free(typed);
	}
	free(word);
}

static void propose_paths(const struct proposals *p, struct cli_image *im)
{
	const char *slash = strrchr(p->begin, '/');
	size_t n = slash ? (size_t)(slash - p->begin) + 1 : 0;
	char *before = cli_strdup(p->begin), *dir;
	struct cli_names names;

	before[n] = '\0';
	dir = cli_at(im, before);
	if (!cli_list(im, dir, &names)) {
		cli_names_sort(&names);
		for (size_t i = 0; i < names.count; i++)
			if (!cli_is_dots(names.items[i].name))
				propose_name(p, before, names.items[i].name,
					     names.items[i].type == DT_DIR);
	}
	cli_names_free(&names);
	free(dir);
	free(before);
}

/* The commands whose first word is a file of the host. */
static bool is_host_word(const char *command, int i)
{
	const struct cli_command *c = cli_find_command(command);

	if (!strcmp(command, "lcd"))
		return true;
	return c && ((c->paths == CLI_PATHS_LAST && i == 1) ||
		     (c->paths == CLI_PATHS_BUT_LAST && i > 1));
}

static void propose_files(const struct proposals *p)
{
	const char *slash = strrchr(p->begin, '/');
	size_t n = slash ? (size_t)(slash - p->begin) + 1 : 0;
	char *before = cli_strdup(p->begin);
	struct dirent *d;
	DIR *dir;

	before[n] = '\0';
	dir = opendir(n ? before : ".");
	while (dir && (d = readdir(dir)))
		if (!cli_is_dots(d->d_name))
			propose_name(p, before, d->d_name, d->d_type == DT_DIR);
	if (dir)
		(void)closedir(dir);
	free(before);
}

static void complete(void *arg, const char *line, size_t len,
		     void (*add)(void *to, const char *word, bool ends), void *to)
{
	char *text = cli_strdup(line);
	struct proposals p = { "", add, to };
	char **words;
	int count;

	text[len] = '\0';
	words = session_split(text, &count);
	/* A blank before the cursor begins another word. */
	if (words && count && len && text[len - 1] != ' ')
		p.begin = words[--count];
	if (words && !count)
		propose_commands(&p);
	else if (words && *p.begin == '-')
		propose_options(&p, words[0]);
	else if (words && is_host_word(words[0], count))
		propose_files(&p);
	else if (words)
		propose_paths(&p, arg);
	free(words);
	free(text);
}

/* ---- lines */

/* 0 and the status of the line, or 1: it has ended. */
static int run_line(struct session *s, const char *line, int *status)
{
	int now = session_line(s, line), err = 0;

	if (s->im->access == CLI_WRITE && !s->ended)
		err = extant_sync(s->im->x);
	if (err && err != -EROFS)
		now = cli_worse(now, cli_failed(s->im, "", err, NULL));
	*status = now;
	return s->ended;
}

/* NULL: no more; ^C is an empty line. */
static const char *line_at_prompt(struct session *s, struct editor *e)
{
	char prompt[300];
	const char *line;

	(void)snprintf(prompt, sizeof(prompt), "%s:%s> ", cli_basename(s->im->path), s->im->cwd);
	cli_interrupt_prompt(true);
	line = cli_interrupted() ? NULL : editor_line(e, prompt);
	cli_interrupt_prompt(false);
	if (!line && cli_interrupt_ended_line()) {
		putchar('\n');
		line = "";
	}
	return line;
}

static int talk(struct session *s, struct editor *e)
{
	int status = CLI_DONE;
	const char *line;

	do {
		line = line_at_prompt(s, e);
	} while (line && !run_line(s, line, &status));
	if (!line)
		putchar('\n');
	status = cli_interrupted() ? cli_interrupt_report() : CLI_DONE;
	return s->exit_status >= 0 ? s->exit_status : status;
}

/* The status of the last line, as a shell has it. */
static int read_plainly(struct session *s)
{
	int status = CLI_DONE;
	size_t room = 0;
	char *line = NULL;

	s->im->from_stdin = true;
	while (!cli_interrupted() && getline(&line, &room, stdin) >= 0 &&
	       !run_line(s, line, &status))
		;
	free(line);
	if (cli_interrupted())
		status = cli_worse(status, cli_interrupt_report());
	return s->exit_status >= 0 ? s->exit_status : status;
}

static bool at_terminal(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

/* Where earlier lines are kept; "": nowhere. */
static void history_path(char *buf, size_t size)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	*buf = '\0';
	if (state && *state)
		(void)snprintf(buf, size, "%s/extant_history", state);
	else if (home && *home)
		(void)snprintf(buf, size, "%s/.extant_history", home);
}

static int run_lines(struct session *s)
{
	struct editor *e = NULL;
	char history[4096];
	int status;

	s->im->cwd = cli_strdup("/");
	history_path(history, sizeof(history));
	if (at_terminal())
		e = editor_create(history, complete, s->im);
	status = e ? talk(s, e) : read_plainly(s);
	editor_destroy(e);
	return status;
}

static int run(const void *v, int count, char **words)
{
	const struct shell_args *args = v;
	struct cli_image im;
	struct session s = { .im = &im, .exit_status = -1 };
	int status;

	if (at_terminal())
		cli_interrupt_catch_typed();
	else
		cli_interrupt_catch();
	status = cli_open(&im, words[0], args->options, args->read_only ? CLI_READ : CLI_WRITE);
	if (status)
		return status;
	status = run_lines(&s);
	cli_set_command("shell");
	return cli_close(&im, status);
}

static const struct cli_option options[] = {
	{ CLI_FLAG, 'r', "read-only", NULL, "look only; the image stays as it is",
	  offsetof(struct shell_args, read_only) },
	CLI_MOUNT_OPTIONS(struct shell_args, options),
	{ CLI_END },
};

const struct cli_command cli_shell = {
	.name = "shell",
	.arguments = "IMAGE",
	.summary = "type commands on an image, mounted once",
	.details =
		"The commands of extant, without \"extant\" and IMAGE, and cd, pwd, lcd, lpwd, "
		"sync, help\n"
		"and exit. Words are quoted as in sh. The tabulator completes; earlier lines are "
		"kept in\n"
		"~/.extant_history. What a command changed is on disk when the prompt comes back. "
		"Without\n"
		"a terminal, lines are read as they come; each is tried, whatever came of the "
		"one before.",
	.options = options,
	.args_size = sizeof(struct shell_args),
	.args_min = 1,
	.args_max = 1,
	.run = run,
};
