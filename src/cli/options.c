/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options and help, both from a command's table.
 */
#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include "cli/cli.h"

#define OPTIONS_MAX 24
#define FIRST_NAMELESS 256		/* getopt's value of options without a letter */

/* ---- help */

/* "  -o, --options OPTIONS"; further lines of the help begin in its column. */
static void print_option(const struct cli_option *o, FILE *to)
{
	char left[64];
	int n = 0;

	n += snprintf(left, sizeof(left), o->letter ? "-%c" : "  ", o->letter);
	if (o->name)
		n += snprintf(left + n, sizeof(left) - (size_t)n, "%s--%s", o->letter ? ", " : "  ",
			      o->name);
	if (o->argument)
		(void)snprintf(left + n, sizeof(left) - (size_t)n, " %s", o->argument);
	fprintf(to, "  %-28s ", left);
	for (const char *p = o->help; *p; p++) {
		fputc(*p, to);
		if (*p == '\n')
			fprintf(to, "%31s", "");
	}
	fputc('\n', to);
}

void cli_help(const struct cli_command *c, FILE *to)
{
	fprintf(to, "extant %s [OPTION...] %s\n\n", c->name, c->arguments);
	fprintf(to, "%c%s.\n", toupper((unsigned char)c->summary[0]), c->summary + 1);
	if (c->details)
		fprintf(to, "\n%s\n", c->details);
	fputc('\n', to);
	for (const struct cli_option *o = c->options; o->kind != CLI_END; o++)
		print_option(o, to);
	fprintf(to, "  %-28s %s\n", "    --help", "print this");
}

/* ---- parsing */

static void add_letter(char **p, const struct cli_option *o)
{
	if (!o->letter)
		return;
	*(*p)++ = o->letter;
	if (o->argument)
		*(*p)++ = ':';
}

/* getopt's tables from ours. Words and options may stand in any order; -- ends the options. */
static void make_tables(const struct cli_option *from, struct option *names, char *letters)
{
	int value = FIRST_NAMELESS;

	*letters++ = ':';
	for (const struct cli_option *o = from; o->kind != CLI_END; o++, value++) {
		add_letter(&letters, o);
		if (o->name)
			*names++ = (struct option){ o->name, o->argument ? required_argument : 0,
						    NULL, value };
	}
	*names++ = (struct option){ "help", no_argument, NULL, 'h' };
	*letters++ = 'h';
	*letters = '\0';
	*names = (struct option){ NULL, 0, NULL, 0 };
}

static const struct cli_option *find(const struct cli_option *options, int value)
{
	int i = 0;

	for (; options[i].kind != CLI_END; i++)
		if (value == FIRST_NAMELESS + i ||
		    (options[i].letter && value == options[i].letter))
			return &options[i];
	return NULL;
}

/* `list`, which is freed, and one more. */
static char *append(char *list, const char *word)
{
	size_t n = list ? strlen(list) : 0, size = n + strlen(word) + 2;
	char *more = cli_realloc(list, size);

	(void)snprintf(more + n, size - n, "%s%s", n ? "," : "", word);
	return more;
}

static void set(const struct cli_option *o, void *args, const char *value)
{
	void *field = (char *)args + o->offset;

	if (o->kind == CLI_FLAG)
		*(bool *)field = true;
	else if (o->kind == CLI_TEXT)
		*(const char **)field = value;
	else
		*(char **)field = append(*(char **)field, value);
}

static void free_args(const struct cli_command *c, void *args)
{
	for (const struct cli_option *o = c->options; o->kind != CLI_END; o++)
		if (o->kind == CLI_LIST)
			free(*(char **)((char *)args + o->offset));
	free(args);
}

static int wrong_option(const struct cli_command *c, int found, int argc, char **argv)
{
	const char *word = optind > 0 && optind <= argc ? argv[optind - 1] : "";
	const struct cli_option *o = optopt ? find(c->options, optopt) : NULL;

	if (found == ':' && o)
		return cli_usage("%s needs %s", word, o->argument);
	if (optopt && optopt < FIRST_NAMELESS)
		return cli_usage("there is no option -%c", optopt);
	return cli_usage("there is no option %s", word);
}

/* -1: go on; else the exit status. */
static int parse(const struct cli_command *c, int argc, char **argv, void *args)
{
	struct option names[OPTIONS_MAX + 2];
	char letters[2 * OPTIONS_MAX + 3];
	const struct cli_option *o;
	int found;

	make_tables(c->options, names, letters);
	optind = 1;
	opterr = 0;
	while ((found = getopt_long(argc, argv, letters, names, NULL)) != -1) {
		o = find(c->options, found);
		if (o) {
			set(o, args, optarg);
			continue;
		}
		if (found != 'h')
			return wrong_option(c, found, argc, argv);
		cli_help(c, stdout);
		return cli_finish_output(CLI_DONE);
	}
	return -1;
}

int cli_execute(const struct cli_command *c, int argc, char **argv)
{
	void *args = cli_realloc(NULL, c->args_size);
	int status, count;

	memset(args, 0, c->args_size);
	cli_set_command(c->name);
	status = parse(c, argc, argv, args);
	count = argc - optind;
	if (status < 0 && count < c->args_min)
		status = cli_usage("it needs %s", c->arguments);
	if (status < 0 && c->args_max && count > c->args_max)
		status = cli_usage("%s is one too many: it takes %s", argv[optind + c->args_max],
				   c->arguments);
	if (status < 0)
		status = cli_finish_output(c->run(args, count, argv + optind));
	free_args(c, args);
	return status;
}
