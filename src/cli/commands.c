/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of commands, made from commands.def.
 */
#include <string.h>
#include "cli/cli.h"

const struct cli_command *const cli_commands[] = {
#define COMMAND(name) &cli_##name,
#include "cli/commands.def"
#undef COMMAND
};
const size_t cli_commands_count = array_size(cli_commands);

const struct cli_command *cli_find_command(const char *name)
{
	for (size_t i = 0; i < cli_commands_count; i++)
		if (!strcmp(cli_commands[i]->name, name))
			return cli_commands[i];
	return NULL;
}
