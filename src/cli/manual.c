/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The manual page extant(1), from the same tables as --help: `extant help --man`. The build
 * installs what it prints.
 */
#include <ctype.h>
#include "cli/cli.h"

/* troff takes some characters for its own, and lines that begin with a dot or an apostrophe. */
static void text(const char *p)
{
	bool line_start = true;

	for (; *p; p++) {
		if (line_start && (*p == '.' || *p == '\''))
			fputs("\\&", stdout);
		if (*p == '\\' || *p == '-')
			fputs(*p == '-' ? "\\-" : "\\e", stdout);
		else
			putchar(*p);
		line_start = *p == '\n';
	}
}

static void sentence(const char *p)
{
	putchar(toupper((unsigned char)*p));
	text(p + 1);
	puts(".");
}

static void option(const struct cli_option *o)
{
	puts(".TP");
	fputs("\\fB", stdout);
	if (o->letter)
		printf("\\-%c", o->letter);
	if (o->letter && o->name)
		fputs("\\fR, \\fB", stdout);
	if (o->name) {
		fputs("\\-\\-", stdout);
		text(o->name);
	}
	fputs("\\fR", stdout);
	if (o->argument)
		printf(" \\fI%s\\fR", o->argument);
	putchar('\n');
	text(o->help);
	putchar('\n');
}

static void command(const struct cli_command *c)
{
	printf(".SS extant %s [OPTION...] ", c->name);
	text(c->arguments);
	putchar('\n');
	sentence(c->summary);
	if (c->details) {
		text(c->details);
		putchar('\n');
	}
	for (const struct cli_option *o = c->options; o->kind != CLI_END; o++)
		option(o);
}

void cli_manual(const struct cli_command *const *commands, size_t count)
{
	printf(".\\\" SPDX-License-Identifier: BSD-2-Clause\n"
	       ".TH EXTANT 1 \"\" \"extant %s\"\n"
	       ".SH NAME\nextant \\- ext4 with its journal, in user space\n"
	       ".SH SYNOPSIS\n.B extant\n.I COMMAND\n[OPTION...]\n.I IMAGE\n\\&...\n"
	       ".SH DESCRIPTION\n",
	       extant_version());
	text("Looks into ext4 images and changes them, without root and without a kernel. What it\n"
	     "writes goes through the journal, as on Linux. An image is a file or a block device;\n"
	     "-o offset=BYTES or -o partition=N names a part of it. While a command uses an image "
	     "it\n"
	     "is locked; one that another program uses is refused.\n");
	puts(".SH COMMANDS");
	for (size_t i = 0; i < count; i++)
		command(commands[i]);
	puts(".SH EXIT STATUS");
	text(cli_exit_statuses);
}
