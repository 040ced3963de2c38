/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The completion for bash, from the tables: commands, options, the image, and paths in it, which
 * `extant ls` tells (it opens the image for reading only).
 */
#include <stdlib.h>
#include <string.h>
#include "cli/cli.h"

static const char head[] =
	"# SPDX-License-Identifier: BSD-2-Clause\n"
	"# bash completion for extant(1), made by extant help --completion.\n"
	"\n"
	"_extant_words()\n"
	"{\n"
	"\tCOMPREPLY+=($(compgen -W \"$1\" -- \"$cur\"))\n"
	"}\n"
	"\n"
	"_extant_files()\n"
	"{\n"
	"\tlocal IFS=$'\\n'\n"
	"\tcompopt -o filenames 2>/dev/null\n"
	"\tCOMPREPLY+=($(compgen -f -- \"$cur\"))\n"
	"}\n"
	"\n"
	"# Paths in the image $1.\n"
	"_extant_paths()\n"
	"{\n"
	"\tlocal dir= name IFS=$'\\n'\n"
	"\t[[ $cur == */* ]] && dir=${cur%/*}/\n"
	"\tcompopt -o nospace -o filenames 2>/dev/null\n"
	"\tfor name in $(extant ls -a -p -- \"$1\" \"${dir:-/}\" 2>/dev/null); do\n"
	"\t\tcase $name in ./ | ../) continue ;; esac\n"
	"\t\t[[ $dir$name == \"$cur\"* ]] && COMPREPLY+=(\"$dir$name\")\n"
	"\tdone\n"
	"}\n"
	"\n"
	"_extant()\n"
	"{\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	"\tlocal command=${COMP_WORDS[1]} options= kinds= image= n=0 i word\n"
	"\tCOMPREPLY=()\n";

static const char tail[] =
	"\tif [[ $cur == -* ]]; then\n"
	"\t\t_extant_words \"$options --help\"\n"
	"\t\treturn\n"
	"\tfi\n"
	"\t# The image is the first word that is no option and no option's argument.\n"
	"\tfor ((i = 2; i < COMP_CWORD; i++)); do\n"
	"\t\tword=${COMP_WORDS[i]}\n"
	"\t\tif [[ $word == -* ]]; then\n"
	"\t\t\t[[ \" $with \" == *\" $word \"* ]] && ((i++))\n"
	"\t\t\tcontinue\n"
	"\t\tfi\n"
	"\t\t((n++)) || image=$word\n"
	"\tdone\n"
	"\tif ((n == 0)); then\n"
	"\t\t_extant_files\n"
	"\t\treturn\n"
	"\tfi\n"
	"\tcase $kinds:$n in\n"
	"\tnone:*) ;;\n"
	"\tbut_last:1 | all:* | own:*) _extant_paths \"$image\" ;;\n"
	"\trest:1) ;;\n"
	"\trest:*) _extant_paths \"$image\" ;;\n"
	"\tlast:1) _extant_files ;;\n"
	"\tlast:* | but_last:*) _extant_files; _extant_paths \"$image\" ;;\n"
	"\t*) _extant_files ;;\n"
	"\tesac\n"
	"}\n"
	"\n"
	"complete -F _extant extant\n";

static const char *kind(const struct cli_command *c)
{
	static const char *const names[] = {
		[CLI_PATHS_NONE] = "none",         [CLI_PATHS_ALL] = "all",
		[CLI_PATHS_BUT_LAST] = "but_last", [CLI_PATHS_LAST] = "last",
		[CLI_PATHS_REST] = "rest",         [CLI_PATHS_OWN] = "own",
	};

	return c->on ? names[c->paths] : "files";
}

static void option_words(const struct cli_command *c, bool with_argument)
{
	const char *space = "";

	for (const struct cli_option *o = c->options; o->kind != CLI_END; o++) {
		if (with_argument && !o->argument)
			continue;
		if (o->letter)
			printf("%s-%c", space, o->letter);
		if (o->letter)
			space = " ";
		if (o->name)
			printf("%s--%s", space, o->name);
		space = " ";
	}
}

static void command(const struct cli_command *c)
{
	printf("\t%s)\n\t\tkinds=%s\n\t\toptions='", c->name, kind(c));
	option_words(c, false);
	fputs("'\n\t\twith='", stdout);
	option_words(c, true);
	fputs("'\n\t\t;;\n", stdout);
}

void cli_completion(void)
{
	fputs(head, stdout);
	fputs("\tlocal with=\n\tif ((COMP_CWORD == 1)); then\n\t\t_extant_words '", stdout);
	for (size_t i = 0; i < cli_commands_count; i++)
		printf("%s ", cli_commands[i]->name);
	fputs("help --help --version'\n\t\treturn\n\tfi\n\tcase $command in\n", stdout);
	for (size_t i = 0; i < cli_commands_count; i++)
		command(cli_commands[i]);
	fputs("\tesac\n\t[[ \" $with \" == *\" $prev \"* ]] && return\n", stdout);
	fputs(tail, stdout);
}
