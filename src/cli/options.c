/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options and help, both from a command's table.
 */
#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include "cli/cli.h"

#define OPTIONS_MAX    40
#define HELP 255			/* getopt's value of --help */
#define FIRST_NAMELESS 256 /* getopt's value of options without a letter */

static bool is_mount_option(const struct cli_option *o)
{
	return o->kind == CLI_LIST && o->letter == 'o';
}

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

/* "IMAGE PATH..." is "PATH..." where the image is open already. */
static const char *arguments(const struct cli_command *c, bool in_session)
{
	const char *rest = c->arguments + strlen("IMAGE");

	if (!in_session || !c->on)
		return c->arguments;
	return *rest ? rest + 1 : rest;
}

void cli_help(const struct cli_command *c, FILE *to, bool in_session)
{
	fprintf(to, "%s%s [OPTION...] %s\n\n", in_session ? "" : "extant ", c->name,
		arguments(c, in_session));
	fprintf(to, "%c%s.\n", toupper((unsigned char)c->summary[0]), c->summary + 1);
	if (c->details)
		fprintf(to, "\n%s\n", c->details);
	fputc('\n', to);
	for (const struct cli_option *o = c->options; o->kind != CLI_END; o++)
		if (!in_session || !is_mount_option(o))
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
	*names++ = (struct option){ "help", no_argument, NULL, HELP };
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

	if (o->kind == CLI_IGNORED)
		return;
	if (o->kind == CLI_FLAG)
		*(bool *)field = true;
	else if (o->kind == CLI_TEXT)
		*(const char **)field = value;
	else
		*(char **)field = append(*(char **)field, value);
}

void cli_parsed_free(const struct cli_command *c, struct cli_parsed *p)
{
	for (const struct cli_option *o = c->options; o->kind != CLI_END; o++)
		if (o->kind == CLI_LIST)
			free(*(char **)((char *)p->args + o->offset));
	free(p->args);
	free(p->words);
	*p = (struct cli_parsed){ 0 };
}

const char *cli_mount_options(const struct cli_command *c, const void *args)
{
	for (const struct cli_option *o = c->options; o->kind != CLI_END; o++)
		if (is_mount_option(o))
			return *(char *const *)((const char *)args + o->offset);
	return NULL;
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

static int print_help(const struct cli_command *c, bool in_session)
{
	cli_help(c, stdout, in_session);
	return cli_finish_output(CLI_DONE);
}

/* Options anywhere among the words. -1: go on; else the exit status. */
static int parse_options(const struct cli_command *c, int argc, char **argv, bool in_session,
			 struct cli_parsed *out)
{
	struct option names[OPTIONS_MAX + 2];
	char letters[2 * OPTIONS_MAX + 3];
	const struct cli_option *o;
	int found;

	make_tables(c->options, names, letters);
	optind = 0; /* begins anew, also where the last line ended in the middle */
	opterr = 0;
	while ((found = getopt_long(argc, argv, letters, names, NULL)) != -1) {
		o = find(c->options, found);
		if (found == HELP || (found == 'h' && !o))
			return print_help(c, in_session);
		if (!o)
			return wrong_option(c, found, argc, argv);
		if (in_session && is_mount_option(o))
			return cli_usage("-o: the image is mounted already");
		set(o, out->args, optarg);
	}
	for (int i = optind; i < argc; i++)
		out->words[out->count++] = argv[i];
	return -1;
}

/* Which option a word is, name or (before IMAGE) letter and nothing else. */
static const struct cli_option *exact(const struct cli_command *c, const char *word, bool letters)
{
	for (const struct cli_option *o = c->options; o->kind != CLI_END; o++) {
		if (letters && word[0] == '-' && o->letter && word[1] == o->letter && !word[2])
			return o;
		if (!strncmp(word, "--", 2) && o->name && !strcmp(word + 2, o->name))
			return o;
	}
	return NULL;
}

/* Where words have a '-' of their own: options are what is one exactly. */
static int parse_raw(const struct cli_command *c, int argc, char **argv, bool in_session,
		     struct cli_parsed *out)
{
	for (int i = 1; i < argc; i++) {
		const struct cli_option *o = exact(c, argv[i], !in_session && !out->count);

		if (!strcmp(argv[i], "--help"))
			return print_help(c, in_session);
		if (!o && !in_session && !out->count && argv[i][0] == '-')
			return cli_usage("there is no option %s before the image", argv[i]);
		if (!o) {
			out->words[out->count++] = argv[i];
			continue;
		}
		if (in_session && is_mount_option(o))
			return cli_usage("-o: the image is mounted already");
		if (o->argument && i + 1 == argc)
			return cli_usage("%s needs %s", argv[i], o->argument);
		set(o, out->args, o->argument ? argv[++i] : NULL);
	}
	return -1;
}

int cli_parse(const struct cli_command *c, int argc, char **argv, bool in_session,
	      struct cli_parsed *out)
{
	int fewer = in_session, status;

	out->args = cli_realloc(NULL, c->args_size);
	memset(out->args, 0, c->args_size);
	out->words = cli_realloc(NULL, ((size_t)argc + 1) * sizeof(out->words[0]));
	out->count = 0;
	status = (c->raw ? parse_raw : parse_options)(c, argc, argv, in_session, out);
	if (status >= 0)
		return status;
	if (out->count < c->args_min - fewer)
		return cli_usage("it needs %s", arguments(c, in_session));
	if (c->args_max && out->count > c->args_max - fewer)
		return cli_usage("%s is one too many: it takes %s", out->words[c->args_max - fewer],
				 arguments(c, in_session));
	return -1;
}
