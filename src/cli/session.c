/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines of a session, and the words that only sessions have.
 */
#include "cli/session.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the current directory */

/* Without "." and "..", from the root on: what pwd shows. To be freed. */
static char *normal(const char *path)
{
	char *out = cli_realloc(NULL, strlen(path) + 2);
	size_t n = 0;

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && !memcmp(path, "..", 2)) {
			while (n && out[--n] != '/')
				;
		} else if (len && !(len == 1 && *path == '.')) {
			out[n++] = '/';
			memcpy(out + n, path, len);
			n += len;
		}
		path += len + (path[len] == '/');
	}
	if (!n)
		out[n++] = '/';
	out[n] = '\0';
	return out;
}

static int cd(struct session *s, int argc, char **argv)
{
	char *to = cli_at(s->im, argc > 1 ? argv[1] : "/"), *path = normal(to);
	struct extant_stat st;
	int err = extant_stat(s->im->x, path, &st);

	free(to);
	if (!err && !S_ISDIR(st.mode))
		err = -ENOTDIR;
	if (err) {
		err = cli_failed(s->im, path, err, NULL);
		free(path);
		return err;
	}
	free(s->im->cwd);
	s->im->cwd = path;
	return CLI_DONE;
}

static int pwd(struct session *s, int argc, char **argv)
{
	cli_print_line(s->im->cwd);
	return CLI_DONE;
}

static int lcd(struct session *s, int argc, char **argv)
{
	const char *home = getenv("HOME"), *to = argc > 1 ? argv[1] : home ? home : "/";

	return chdir(to) ? cli_host_failed(to, errno) : CLI_DONE;
}

static int lpwd(struct session *s, int argc, char **argv)
{
	char *path = getcwd(NULL, 0);

	if (!path)
		return cli_host_failed(".", errno);
	cli_print_line(path);
	free(path);
	return CLI_DONE;
}

/* ---- others */

static int sync_all(struct session *s, int argc, char **argv)
{
	int err = extant_sync(s->im->x);

	return err ? cli_failed(s->im, "", err, NULL) : CLI_DONE;
}

static int leave(struct session *s, int argc, char **argv)
{
	uint64_t status;

	s->ended = true;
	if (argc > 1) {
		if (!cli_parse_number(argv[1], 255, &status))
			return cli_usage("%s: no exit status", argv[1]);
		s->exit_status = (int)status;
	}
	return CLI_DONE;
}

static int help(struct session *s, int argc, char **argv)
{
	const struct cli_command *c = argc > 1 ? cli_find_command(argv[1]) : NULL;

	if (c && c->on) {
		cli_help(c, stdout, true);
		return CLI_DONE;
	}
	if (argc > 1)
		return cli_usage("there is no command %s", argv[1]);
	for (size_t i = 0; i < cli_commands_count; i++)
		if (cli_commands[i]->on)
			printf("  %-11s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
	for (const struct session_word *w = session_words; w->name; w++)
		printf("  %-11s %s\n", w->name, w->summary);
	fputs("\nCOMMAND --help says more.\n", stdout);
	return CLI_DONE;
}

const struct session_word session_words[] = {
	{ "cd", "[PATH]", "go to a directory of the image (the root)", cd },
	{ "pwd", "", "print which directory that is", pwd },
	{ "lcd", "[DIR]", "go to a directory of the host", lcd },
	{ "lpwd", "", "print which directory that is", lpwd },
	{ "sync", "", "write everything to the image", sync_all },
	{ "help", "[COMMAND]", "what there is", help },
	{ "exit", "[STATUS]", "end; quit and q are the same", leave },
	{ "quit", "[STATUS]", "end", leave },
	{ "q", "[STATUS]", "end", leave },
	{ NULL },
};

/* ---- a line */

static const struct session_word *find_word(const char *name)
{
	for (const struct session_word *w = session_words; w->name; w++)
		if (!strcmp(w->name, name))
			return w;
	return NULL;
}

static int run_own(struct session *s, const struct session_word *w, int argc, char **argv)
{
	cli_set_command(w->name);
	if (argc > 1 && !strcmp(argv[1], "--help")) {
		printf("%s %s\n\n%s.\n", w->name, w->arguments, w->summary);
		return CLI_DONE;
	}
	if (argc > (*w->arguments ? 2 : 1))
		return cli_usage("%s is one too many: it takes %s", argv[*w->arguments ? 2 : 1],
				 *w->arguments ? w->arguments : "nothing");
	return cli_finish_output(w->run(s, argc, argv));
}

static int run_words(struct session *s, int argc, char **argv)
{
	const struct session_word *w = find_word(argv[0]);
	const struct cli_command *c;

	if (w)
		return run_own(s, w, argc, argv);
	/* `extant` and IMAGE were typed from habit: say so instead of "there is no command extant". */
	cli_set_command("");
	if (!strcmp(argv[0], "extant"))
		return cli_usage("leave out \"extant\" and the image: it is open");
	c = cli_find_command(argv[0]);
	return c ? cli_execute_on(s->im, c, argc, argv)
		 : cli_usage("there is no command %s", argv[0]);
}

int session_line(struct session *s, const char *line)
{
	int count, status = CLI_DONE;
	char **words = session_split(line, &count);

	if (!s->im->cwd)
		s->im->cwd = cli_strdup("/");
	if (!words) {
		cli_set_command("");
		return cli_usage("a quote is not closed");
	}
	if (count)
		status = run_words(s, count, words);
	free(words);
	return status;
}
