/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant COMMAND [OPTION...] IMAGE ...
 */
#include <string.h>
#include "cli/cli.h"

const char cli_exit_statuses[] =
	"0 done; 1 the file system said no; 2 the command line is wrong; 4 the image is\n"
	"damaged or not one that this version can use, and was not changed; 8 the image or a\n"
	"file of the host could not be opened, read or written.\n";

static void help(FILE *to)
{
	fputs("extant: ext4 with its journal, in user space.\n\n"
	      "  extant COMMAND [OPTION...] IMAGE ...\n\n",
	      to);
	for (size_t i = 0; i < cli_commands_count; i++)
		fprintf(to, "  %-9s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
	fputs("\nAn image is a file or block device; -o offset=BYTES or -o partition=N: a part of\n"
	      "it. extant COMMAND --help says more. extant --version prints the version.\n\n"
	      "Exit status: ",
	      to);
	fputs(cli_exit_statuses, to);
}

static int is_word(const char *word, const char *a, const char *b)
{
	return !strcmp(word, a) || !strcmp(word, b);
}

/* What the build installs: pages and completion. -1: no such word. */
static int print_installed(int count, char **words)
{
	const struct cli_command *c = count > 1 ? cli_find_command(words[1]) : NULL;

	if (!strcmp(words[0], "--man-pages") && count > 1)
		return cli_manual_pages(words[1]);
	if (!strcmp(words[0], "--completion"))
		cli_completion();
	else if (!strcmp(words[0], "--man") && c)
		cli_manual_of(c);
	else if (!strcmp(words[0], "--man") && count == 1)
		cli_manual();
	else
		return -1;
	return cli_finish_output(CLI_DONE);
}

/* extant help [COMMAND], help --man [COMMAND], help --man-pages DIR, help --completion */
static int help_command(int count, char **words)
{
	const struct cli_command *c = count ? cli_find_command(words[0]) : NULL;
	int status = count ? print_installed(count, words) : -1;

	if (status >= 0)
		return status;
	if (count && !c)
		return cli_usage("there is no command %s", words[0]);
	if (c)
		cli_help(c, stdout, false);
	else
		help(stdout);
	return cli_finish_output(CLI_DONE);
}

int main(int argc, char **argv)
{
	const struct cli_command *c;
	int status;

	if (argc < 2) {
		help(stderr);
		return CLI_USAGE;
	}
	if (is_word(argv[1], "--help", "-h") || is_word(argv[1], "help", "help"))
		return help_command(argc - 2, argv + 2);
	if (is_word(argv[1], "--version", "-V")) {
		printf("extant %s\n", extant_version());
		return cli_finish_output(CLI_DONE);
	}
	c = cli_find_command(argv[1]);
	if (!c)
		return cli_usage("there is no command %s", argv[1]);
	status = cli_execute(c, argc - 1, argv + 1);
	cli_progress_clear();
	cli_interrupt_finish();
	return status;
}
