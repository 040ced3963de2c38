/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attributes as text.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "cli/cli.h"

static const struct {
	uint32_t type;
	char letter;
	const char *text;
} types[] = {
	{ S_IFREG, '-', "regular file" },  { S_IFDIR, 'd', "directory" },
	{ S_IFLNK, 'l', "symbolic link" }, { S_IFCHR, 'c', "character device" },
	{ S_IFBLK, 'b', "block device" },  { S_IFIFO, 'p', "fifo" },
	{ S_IFSOCK, 's', "socket" },
};

const char *cli_type_text(uint32_t mode)
{
	for (size_t i = 0; i < array_size(types); i++)
		if (types[i].type == (mode & S_IFMT))
			return types[i].text;
	return "unknown";
}

static char type_letter(uint32_t mode)
{
	for (size_t i = 0; i < array_size(types); i++)
		if (types[i].type == (mode & S_IFMT))
			return types[i].letter;
	return '?';
}

/* The x of a triple, or the letter of setuid, setgid or sticky in its place. */
static char execute_letter(bool x, bool special, char letter)
{
	if (!special)
		return x ? 'x' : '-';
	return x ? letter : (char)(letter - 'a' + 'A');
}

void cli_mode_text(uint32_t mode, char out[11])
{
	out[0] = type_letter(mode);
	for (int i = 0; i < 3; i++) {
		uint32_t bits = mode >> (6 - 3 * i);

		out[1 + 3 * i] = bits & 4 ? 'r' : '-';
		out[2 + 3 * i] = bits & 2 ? 'w' : '-';
		out[3 + 3 * i] = execute_letter(bits & 1, mode & (S_ISUID >> i), "sst"[i]);
	}
	out[10] = '\0';
}

void cli_time_text(const struct extant_time *t, bool precise, char *buf, size_t size)
{
	char date[40] = "?", zone[16] = "";
	time_t sec = (time_t)t->sec;
	struct tm tm;

	if (localtime_r(&sec, &tm)) {
		(void)strftime(date, sizeof(date), precise ? "%F %T" : "%F %H:%M", &tm);
		(void)strftime(zone, sizeof(zone), "%z", &tm);
	}
	if (precise)
		(void)snprintf(buf, size, "%s.%09u %s", date, t->nsec, zone);
	else
		(void)snprintf(buf, size, "%s", date);
}

void cli_flags_text(uint32_t flags, char *buf, size_t size)
{
	static const struct {
		uint32_t flag;
		char letter;
	} letters[] = {
		{ 0x1, 's' },        { 0x2, 'u' },        { 0x8, 'S' },        { 0x10000, 'D' },
		{ 0x10, 'i' },       { 0x20, 'a' },       { 0x40, 'd' },       { 0x80, 'A' },
		{ 0x4, 'c' },        { 0x800, 'E' },      { 0x4000, 'j' },     { 0x1000, 'I' },
		{ 0x8000, 't' },     { 0x20000, 'T' },    { 0x80000, 'e' },    { 0x100000, 'V' },
		{ 0x40000000, 'F' }, { 0x10000000, 'N' }, { 0x20000000, 'P' },
	};
	size_t n = 0;

	for (size_t i = 0; i < array_size(letters) && n + 1 < size; i++)
		if (flags & letters[i].flag)
			buf[n++] = letters[i].letter;
	buf[n] = '\0';
}

void cli_print_name(const char *name)
{
	if (!isatty(STDOUT_FILENO)) {
		fputs(name, stdout);
		return;
	}
	for (const char *p = name; *p; p++)
		putchar((unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p);
}

void cli_print_line(const char *name)
{
	cli_print_name(name);
	putchar('\n');
}
