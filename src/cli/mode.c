/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Modes as chmod(1) takes them: octal, or clauses "WHO OP PERMS [OP PERMS]..." separated by commas.
 * Without WHO the umask holds back what it names. An octal mode of up to four digits leaves
 * set-user-ID and set-group-ID of a directory as they are unless it has a digit for them, as
 * coreutils does.
 */
#include <string.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "cli/cli.h"

#define ALL_BITS 07777u

static uint32_t process_umask(void)
{
	mode_t mask = umask(0);

	(void)umask(mask);
	return mask;
}

static bool octal(const char *text, uint32_t old, bool is_directory, uint32_t *mode)
{
	char *end;
	unsigned long n = strtoul(text, &end, 8);

	if (*end || n > ALL_BITS)
		return false;
	*mode = (uint32_t)n;
	if (is_directory && strlen(text) < 5)
		*mode |= old & (S_ISUID | S_ISGID);
	return true;
}

struct clause {
	uint32_t who; /* bits of the classes named */
	bool named; /* some were */
	bool directory;
};

static const char *read_who(const char *p, struct clause *c)
{
	for (c->who = 0, c->named = false;; p++) {
		switch (*p) {
		case 'u':
			c->who |= S_ISUID | S_IRWXU;
			break;
		case 'g':
			c->who |= S_ISGID | S_IRWXG;
			break;
		case 'o':
			c->who |= S_ISVTX | S_IRWXO;
			break;
		case 'a':
			c->who |= ALL_BITS;
			break;
		default:
			if (!c->named)
				c->who = ALL_BITS;
			return p;
		}
		c->named = true;
	}
}

/* The three bits of one class, for each of them. */
static uint32_t spread(uint32_t three)
{
	return three << 6 | three << 3 | three;
}

static bool read_permission(char letter, const struct clause *c, uint32_t mode, uint32_t *bits)
{
	switch (letter) {
	case 'r':
		*bits |= spread(4);
		return true;
	case 'w':
		*bits |= spread(2);
		return true;
	case 'x':
		*bits |= spread(1);
		return true;
	case 'X':
		*bits |= c->directory || mode & spread(1) ? spread(1) : 0;
		return true;
	case 's':
		*bits |= S_ISUID | S_ISGID;
		return true;
	case 't':
		*bits |= S_ISVTX;
		return true;
	case 'u':
		*bits |= spread(mode >> 6 & 7);
		return true;
	case 'g':
		*bits |= spread(mode >> 3 & 7);
		return true;
	case 'o':
		*bits |= spread(mode & 7);
		return true;
	default:
		return false;
	}
}

static uint32_t change(uint32_t mode, char op, uint32_t bits, const struct clause *c)
{
	uint32_t kept = c->directory ? S_ISUID | S_ISGID : 0; /* '=' without a word about them */

	bits &= c->who;
	if (!c->named)
		bits &= ~process_umask();
	if (op == '+')
		return mode | bits;
	if (op == '-')
		return mode & ~bits;
	return (mode & (~c->who | kept)) | bits;
}

/* "OP PERMS", several; where it ends, NULL: it is wrong. */
static const char *apply(const char *p, const struct clause *c, uint32_t *mode)
{
	while (*p == '+' || *p == '-' || *p == '=') {
		char op = *p++;
		uint32_t bits = 0;

		while (*p && !strchr("+-=,", *p))
			if (!read_permission(*p++, c, *mode, &bits))
				return NULL;
		*mode = change(*mode, op, bits, c);
	}
	return p;
}

bool cli_parse_mode(const char *text, uint32_t old, bool is_directory, uint32_t *mode)
{
	struct clause c = { .directory = is_directory };
	uint32_t result = old & ALL_BITS;
	const char *p = text;

	if (*p >= '0' && *p <= '7')
		return octal(text, old, is_directory, mode);
	do {
		p = read_who(p, &c);
		if (!*p || !strchr("+-=", *p))
			return false;
		p = apply(p, &c, &result);
		if (!p)
			return false;
	} while (*p++ == ',');
	if (p[-1])
		return false;
	*mode = result;
	return true;
}
