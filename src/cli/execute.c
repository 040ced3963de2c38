/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Running a command: on an image that is opened for it and closed behind it, or on the one that a
 * session has open.
 */
#include <stdlib.h>
#include <string.h>
#include "cli/cli.h"

/* ---- the words */

static bool is_path(const struct cli_command *c, int i, int count)
{
	switch (c->paths) {
	case CLI_PATHS_ALL:
		return true;
	case CLI_PATHS_BUT_LAST:
		return count == 1 || i < count - 1;
	case CLI_PATHS_LAST:
		return count > 1 && i == count - 1;
	case CLI_PATHS_REST:
		return i > 0;
	case CLI_PATHS_NONE:
	case CLI_PATHS_OWN:
		break;
	}
	return false;
}

/* Paths from the session's directory on; without any, that directory where the command is about one. */
static int run_words(struct cli_image *im, const struct cli_command *c, const void *args, int count,
		     char **words)
{
	static char here[] = "";
	char *only[] = { here, NULL };
	char **paths;
	int status;

	if (!count && c->here) {
		words = only;
		count = 1;
	}
	paths = cli_realloc(NULL, ((size_t)count + 1) * sizeof(*paths));
	for (int i = 0; i < count; i++)
		paths[i] = is_path(c, i, count) ? cli_at(im, words[i]) : words[i];
	paths[count] = NULL;
	status = c->on(im, args, count, paths);
	for (int i = 0; i < count; i++)
		if (is_path(c, i, count))
			free(paths[i]);
	free(paths);
	if (cli_interrupted())
		status = cli_worse(status, cli_interrupt_report());
	return status;
}

static int check(const struct cli_command *c, const void *args, int count, char **words)
{
	return c->check ? c->check(args, count, words) : CLI_DONE;
}

/* ---- the command line */

static enum cli_access access_of(const struct cli_command *c, const void *args, int count,
				 char **words)
{
	return c->access_for ? c->access_for(args, count, words) : c->access;
}

static int open_and_run(const struct cli_command *c, const struct cli_parsed *p)
{
	enum cli_access access = access_of(c, p->args, p->count - 1, p->words + 1);
	int status = check(c, p->args, p->count - 1, p->words + 1);
	struct cli_image im;

	if (status)
		return status;
	if (access == CLI_WRITE || c->careful)
		cli_interrupt_catch();
	status = cli_open(&im, p->words[0], cli_mount_options(c, p->args), access);
	if (status)
		return status;
	status = run_words(&im, c, p->args, p->count - 1, p->words + 1);
	return cli_close(&im, status);
}

int cli_execute(const struct cli_command *c, int argc, char **argv)
{
	struct cli_parsed p;
	int status;

	cli_set_command(c->name);
	status = cli_parse(c, argc, argv, false, &p);
	if (status < 0)
		status = c->run ? c->run(p.args, p.count, p.words) : open_and_run(c, &p);
	cli_parsed_free(c, &p);
	return cli_finish_output(status);
}

/* ---- a session */

int cli_execute_on(struct cli_image *im, const struct cli_command *c, int argc, char **argv)
{
	struct cli_parsed p;
	int status;

	cli_set_command(c->name);
	if (!c->on)
		return cli_usage("%s works on images that are not in use", c->name);
	status = cli_parse(c, argc, argv, true, &p);
	if (status < 0) {
		status = check(c, p.args, p.count, p.words);
		if (!status)
			status = run_words(im, c, p.args, p.count, p.words);
	}
	cli_parsed_free(c, &p);
	return cli_finish_output(status);
}
