/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant batch: commands from a file or a pipe, all on one mount.
 */
#include <stdlib.h>
#include <string.h>
#include "cli/session.h"

struct batch_args {
	const char *options;
	bool keep_going;
};

static int run_lines(struct session *s, FILE *from, bool keep_going)
{
	char place[40], *line = NULL;
	int status = CLI_DONE, first = CLI_DONE;
	size_t room = 0;

	for (unsigned long n = 1; !s->ended && getline(&line, &room, from) >= 0; n++) {
		(void)snprintf(place, sizeof(place), "batch: line %lu", n);
		cli_set_place(place);
		status = session_line(s, line);
		if (!first)
			first = status;
		if ((status && !keep_going) || cli_interrupted())
			break;
	}
	cli_set_place("");
	cli_set_command("batch");
	if (ferror(from) && !cli_interrupted())
		first = cli_worse(first, cli_host_failed("commands", errno));
	if (cli_interrupted())
		first = cli_worse(first, cli_interrupt_report());
	free(line);
	return s->exit_status >= 0 ? s->exit_status : first;
}

static bool read_only(const char *options)
{
	char *copy = cli_strdup(options ? options : ""), *save, *o;
	bool found = false;

	for (o = strtok_r(copy, ",", &save); o; o = strtok_r(NULL, ",", &save))
		found |= !strcmp(o, "ro");
	free(copy);
	return found;
}

static int run(const void *v, int count, char **words)
{
	const struct batch_args *args = v;
	bool from_stdin = count < 2 || !strcmp(words[1], "-");
	FILE *from = from_stdin ? stdin : fopen(words[1], "re");
	struct cli_image im;
	struct session s = { .im = &im, .exit_status = -1 };
	int status;

	if (!from)
		return cli_host_failed(words[1], errno);
	cli_interrupt_catch();
	status = cli_open(&im, words[0], args->options,
			  read_only(args->options) ? CLI_READ : CLI_WRITE);
	if (!status) {
		im.from_stdin = from_stdin;
		status = run_lines(&s, from, args->keep_going);
		status = cli_close(&im, status);
	}
	if (!from_stdin)
		(void)fclose(from); /* only read */
	return status;
}

static const struct cli_option options[] = {
	{ CLI_FLAG, 'k', "keep-going", NULL, "go on behind a command that failed",
	  offsetof(struct batch_args, keep_going) },
	CLI_MOUNT_OPTIONS(struct batch_args, options),
	{ CLI_END },
};

const struct cli_command cli_batch = {
	.name = "batch",
	.arguments = "IMAGE [FILE]",
	.summary = "run many commands on an image, mounted once",
	.details = "One command a line, from FILE or standard input (-, or none), as on the "
		   "command line, but\n"
		   "without \"extant\" and IMAGE: put README /readme. Words are quoted as in sh; # "
		   "begins a\n"
		   "comment. cd, pwd, lcd, lpwd, sync and exit are commands too. The first that "
		   "fails ends it,\n"
		   "and its status is that of the batch; everything before it is done and on disk.",
	.options = options,
	.args_size = sizeof(struct batch_args),
	.args_min = 1,
	.args_max = 2,
	.run = run,
};
