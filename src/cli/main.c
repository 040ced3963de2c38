/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant: the command line's door.
 */
#include <stdio.h>
#include <string.h>
#include "base/errors.h"
#include "cli/cli.h"

static const struct {
	const char *name;
	int (*fn)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "run", cmd_run, "run a workload script on an image" },
	{ "trace", cmd_trace, "the same, and print the call trees with their events" },
};

int cli_status(int err)
{
	switch (-err) {
	case 0:
		return CLI_OK;
	case EFSCORRUPTED:
	case EFSBADCRC:
	case EINVAL:
	case EOPNOTSUPP:
		return CLI_DAMAGED;
	case EIO:
		return CLI_IO;
	default:
		return CLI_NO;
	}
}

static int help(FILE *to, int status)
{
	fprintf(to, "usage: extant COMMAND [OPTIONS] IMAGE ...\n\n");
	for (size_t i = 0; i < array_size(commands); i++)
		fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].help);
	fprintf(to, "\nextant COMMAND --help tells more.\n");
	return status;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return help(stderr, CLI_USAGE);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))
		return help(stdout, CLI_OK);
	if (!strcmp(argv[1], "--version")) {
		printf("extant %s\n", extant_version());
		return CLI_OK;
	}
	for (size_t i = 0; i < array_size(commands); i++)
		if (!strcmp(commands[i].name, argv[1]))
			return commands[i].fn(argc - 1, argv + 1);
	fprintf(stderr, "extant: no command '%s'; extant --help lists them\n", argv[1]);
	return CLI_USAGE;
}
