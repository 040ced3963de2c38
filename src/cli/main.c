/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant COMMAND [OPTION...] IMAGE ...
 *
 * The list of commands. A new one is a file of its own, and a line here.
 */
#include <string.h>
#include "cli/cli.h"

static const struct cli_command *const commands[] = {
	&cli_info,  &cli_ls, &cli_cat,    &cli_stat, &cli_get,   &cli_put,
	&cli_mkdir, &cli_rm, &cli_replay, &cli_run,  &cli_trace,
};

const char cli_exit_statuses[] =
	"0 done; 1 the file system said no; 2 the command line is wrong; 4 the image is\n"
	"damaged or not one that this version can use, and was not changed; 8 the image or a\n"
	"file of the host could not be opened, read or written.\n";

static void help(FILE *to)
{
	fputs("extant: ext4 with its journal, in user space.\n\n"
	      "  extant COMMAND [OPTION...] IMAGE ...\n\n",
	      to);
	for (size_t i = 0; i < array_size(commands); i++)
		fprintf(to, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\nAn image is a file or block device; -o offset=BYTES or -o partition=N: a part of\n"
	      "it. extant COMMAND --help says more. extant --version prints the version.\n\n"
	      "Exit status: ",
	      to);
	fputs(cli_exit_statuses, to);
}

static const struct cli_command *find(const char *name)
{
	for (size_t i = 0; i < array_size(commands); i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static int is_word(const char *word, const char *a, const char *b)
{
	return !strcmp(word, a) || !strcmp(word, b);
}

/* extant help [COMMAND], and for the build: extant help --man */
static int help_command(const char *name)
{
	const struct cli_command *c = name ? find(name) : NULL;

	if (name && !strcmp(name, "--man")) {
		cli_manual(commands, array_size(commands));
		return cli_finish_output(CLI_DONE);
	}
	if (name && !c)
		return cli_usage("there is no command %s", name);
	if (c)
		cli_help(c, stdout);
	else
		help(stdout);
	return cli_finish_output(CLI_DONE);
}

int main(int argc, char **argv)
{
	const struct cli_command *c;

	if (argc < 2) {
		help(stderr);
		return CLI_USAGE;
	}
	if (is_word(argv[1], "--help", "-h") || is_word(argv[1], "help", "help"))
		return help_command(argc > 2 ? argv[2] : NULL);
	if (is_word(argv[1], "--version", "-V")) {
		printf("extant %s\n", extant_version());
		return cli_finish_output(CLI_DONE);
	}
	c = find(argv[1]);
	if (!c)
		return cli_usage("there is no command %s", argv[1]);
	return cli_execute(c, argc - 1, argv + 1);
}
