/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The manual pages, from the same tables as --help: extant(1), and extant-COMMAND(1) of each. The
 * build installs what `extant help --man-pages DIR` writes; `extant help --man [COMMAND]` prints one.
 */
#include <ctype.h>
#include <string.h>
#include <stdlib.h>
#include "cli/cli.h"

/* troff takes some characters for its own, and lines that begin with a dot or an apostrophe. */
static void text(FILE *to, const char *p)
{
	bool line_start = true;

	for (; *p; p++) {
		if (line_start && (*p == '.' || *p == '\''))
			fputs("\\&", to);
		if (*p == '\\' || *p == '-')
			fputs(*p == '-' ? "\\-" : "\\e", to);
		else
			fputc(*p, to);
		line_start = *p == '\n';
	}
}

static void sentence(FILE *to, const char *p)
{
	fputc(toupper((unsigned char)*p), to);
	text(to, p + 1);
	fputs(".\n", to);
}

static void option(FILE *to, const struct cli_option *o)
{
	fputs(".TP\n\\fB", to);
	if (o->letter)
		fprintf(to, "\\-%c", o->letter);
	if (o->letter && o->name)
		fputs("\\fR, \\fB", to);
	if (o->name) {
		fputs("\\-\\-", to);
		text(to, o->name);
	}
	fputs("\\fR", to);
	if (o->argument)
		fprintf(to, " \\fI%s\\fR", o->argument);
	fputc('\n', to);
	text(to, o->help);
	fputc('\n', to);
}

/* What --help says of it, its heading aside. Lines keep their ends where they are indented. */
static void body(FILE *to, const struct cli_command *c)
{
	bool verbatim = c->details && strstr(c->details, "\n  ");

	sentence(to, c->summary);
	if (c->details) {
		fputs(verbatim ? ".PP\n.nf\n" : ".PP\n", to);
		text(to, c->details);
		fputs(verbatim ? "\n.fi\n" : "\n", to);
	}
}

static void options(FILE *to, const struct cli_command *c)
{
	for (const struct cli_option *o = c->options; o->kind != CLI_END; o++)
		option(to, o);
}

static void page_head(FILE *to, const char *name)
{
	fprintf(to,
		".\\\" SPDX-License-Identifier: BSD-2-Clause\n"
		".TH %s 1 \"\" \"extant %s\" \"extant\"\n",
		name, extant_version());
}

static void exit_status(FILE *to)
{
	fputs(".SH EXIT STATUS\n", to);
	text(to, cli_exit_statuses);
}

/* ---- of one command */

static void page(FILE *to, const struct cli_command *c)
{
	char name[40];
	int n = snprintf(name, sizeof(name), "extant\\-%s", c->name);

	for (int i = 0; i < n; i++)
		name[i] = (char)toupper((unsigned char)name[i]);
	page_head(to, name);
	fprintf(to, ".SH NAME\nextant\\-%s \\- ", c->name);
	text(to, c->summary);
	fprintf(to, "\n.SH SYNOPSIS\n.B extant %s\n[OPTION...] ", c->name);
	text(to, c->arguments);
	fputs("\n.SH DESCRIPTION\n", to);
	body(to, c);
	fputs(".SH OPTIONS\n", to);
	options(to, c);
	exit_status(to);
	fputs(".SH SEE ALSO\n.BR extant (1)\n", to);
}

void cli_manual_of(const struct cli_command *c)
{
	page(stdout, c);
}

/* ---- of all */

static void command(FILE *to, const struct cli_command *c)
{
	fprintf(to, ".SS extant %s [OPTION...] ", c->name);
	text(to, c->arguments);
	fputc('\n', to);
	body(to, c);
	options(to, c);
}

static void whole(FILE *to)
{
	page_head(to, "EXTANT");
	fputs(".SH NAME\nextant \\- ext4 with its journal, in user space\n"
	      ".SH SYNOPSIS\n.B extant\n.I COMMAND\n[OPTION...]\n.I IMAGE\n\\&...\n"
	      ".SH DESCRIPTION\n",
	      to);
	text(to,
	     "Looks into ext4 images and changes them, without root and without a kernel. What it\n"
	     "writes goes through the journal, as on Linux. An image is a file or a block device;\n"
	     "-o offset=BYTES or -o partition=N names a part of it. While a command uses an image "
	     "it\n"
	     "is locked; one that another program uses is refused.\n");
	fputs(".SH COMMANDS\n", to);
	for (size_t i = 0; i < cli_commands_count; i++)
		command(to, cli_commands[i]);
	exit_status(to);
}

void cli_manual(void)
{
	whole(stdout);
}

/* ---- into files */

static int page_into(const char *dir, const struct cli_command *c)
{
	char *path = cli_realloc(NULL, 4096);
	FILE *to;
	int status = CLI_DONE;

	(void)snprintf(path, 4096, c ? "%s/extant-%s.1" : "%s/extant.1", dir, c ? c->name : "");
	to = fopen(path, "w");
	if (to && c)
		page(to, c);
	else if (to)
		whole(to);
	if (!to || fclose(to))
		status = cli_host_failed(path, errno);
	free(path);
	return status;
}

int cli_manual_pages(const char *dir)
{
	int status = page_into(dir, NULL);

	for (size_t i = 0; i < cli_commands_count; i++)
		status = cli_worse(status, page_into(dir, cli_commands[i]));
	return status;
}
