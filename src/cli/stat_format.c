/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stat -c FORMAT (stat_format.h): "%", flags, width and precision as in printf, and a letter. Every
 * value is made a text first, and padded then.
 */
#include "cli/stat_format.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define LETTERS   "aAbBdfFgGhinNorstTuUwWxXyYzZ%"
#define VALUE_MAX 8500 /* a name and where it leads */

struct value {
	const char *path;
	const struct extant_stat *st;
	struct cli_image *im;
	char *buf; /* of VALUE_MAX */
};

static void number(struct value *v, const char *form, unsigned long long n)
{
	(void)snprintf(v->buf, VALUE_MAX, form, n);
}

static void quoted_name(struct value *v)
{
	char target[4096];
	int n = S_ISLNK(v->st->mode)
			? extant_readlink(v->im->x, v->path, target, sizeof(target) - 1)
			: 0;

	target[n > 0 ? n : 0] = '\0';
	(void)snprintf(v->buf, VALUE_MAX, n > 0 ? "'%s' -> '%s'" : "'%s'", v->path, target);
}

static void time_value(struct value *v, char letter)
{
	const struct extant_stat *st = v->st;
	char lower = (char)tolower((unsigned char)letter);
	const struct extant_time *t = lower == 'x'   ? &st->atime
				      : lower == 'y' ? &st->mtime
				      : lower == 'z' ? &st->ctime
						     : &st->btime;

	if (isupper((unsigned char)letter))
		(void)snprintf(v->buf, VALUE_MAX, "%lld", (long long)t->sec);
	else
		cli_time_text(t, true, v->buf, VALUE_MAX);
}

static const char *type_text(const struct extant_stat *st)
{
	return S_ISREG(st->mode) && !st->size ? "regular empty file" : cli_type_text(st->mode);
}

static void numbers(struct value *v, char letter)
{
	const struct extant_stat *st = v->st;

	switch (letter) {
	case 'a':
		return number(v, "%llo", st->mode & 07777);
	case 'b':
		return number(v, "%llu", st->blocks);
	case 'B':
		return number(v, "%llu", 512);
	case 'd':
		return number(v, "%llu", 0);
	case 'f':
		return number(v, "%llx", st->mode);
	case 'g':
	case 'G':
		return number(v, "%llu", st->gid);
	case 'h':
		return number(v, "%llu", st->nlink);
	case 'i':
		return number(v, "%llu", st->ino);
	case 'o':
		return number(v, "%llu", st->blksize);
	case 'r':
		return number(v, "%llu", makedev(st->rdev_major, st->rdev_minor));
	case 's':
		return number(v, "%llu", st->size);
	case 't':
		return number(v, "%llx", st->rdev_major);
	case 'T':
		return number(v, "%llx", st->rdev_minor);
	default:
		return number(v, "%llu", st->uid);
	}
}

static void set_value(struct value *v, char letter)
{
	switch (letter) {
	case '%':
		(void)snprintf(v->buf, VALUE_MAX, "%%");
		break;
	case 'A':
		cli_mode_text(v->st->mode, v->buf);
		break;
	case 'F':
		(void)snprintf(v->buf, VALUE_MAX, "%s", type_text(v->st));
		break;
	case 'n':
		(void)snprintf(v->buf, VALUE_MAX, "%s", v->path);
		break;
	case 'N':
		quoted_name(v);
		break;
	default:
		if (strchr("wxyzWXYZ", letter))
			time_value(v, letter);
		else
			numbers(v, letter);
	}
}

/* "-8.3" before the letter, which it yields; NULL: there is none that is known. */
static const char *field(const char *p, bool *left, int *width, int *precision)
{
	*left = false;
	*width = 0;
	*precision = -1;
	for (; *p && strchr("-0+ #", *p); p++)
		*left |= *p == '-';
	for (; isdigit((unsigned char)*p) && *width < 10000; p++)
		*width = *width * 10 + (*p - '0');
	if (*p == '.')
		for (p++, *precision = 0; isdigit((unsigned char)*p) && *precision < 10000; p++)
			*precision = *precision * 10 + (*p - '0');
	return *p && strchr(LETTERS, *p) ? p : NULL;
}

int stat_format_check(const char *format)
{
	int width, precision;
	bool left;

	for (const char *p = format; *p; p++) {
		const char *at = p;

		if (*p != '%')
			continue;
		p = field(p + 1, &left, &width, &precision);
		if (!p)
			return cli_usage("%s: it knows no such field", at);
	}
	return CLI_DONE;
}

/* The character behind a backslash; where it ends. */
static const char *escape(const char *p)
{
	static const char from[] = "abefnrtv\\\"", to[] = "\a\b\033\f\n\r\t\v\\\"";
	const char *at = *p ? strchr(from, *p) : NULL;
	int n = 0, digits = 0;

	if (at) {
		putchar(to[at - from]);
		return p + 1;
	}
	for (; digits < 3 && *p >= '0' && *p <= '7'; p++, digits++)
		n = n * 8 + (*p - '0');
	if (digits)
		putchar(n);
	else
		putchar('\\');
	return p;
}

void stat_format_print(const char *format, bool escapes, struct cli_image *im, const char *path,
		       const struct extant_stat *st)
{
	struct value v = { path, st, im, cli_realloc(NULL, VALUE_MAX) };
	int width, precision;
	bool left;

	for (const char *p = format; *p;) {
		if (escapes && *p == '\\') {
			p = escape(p + 1);
			continue;
		}
		if (*p != '%') {
			putchar(*p++);
			continue;
		}
		p = field(p + 1, &left, &width, &precision);
		set_value(&v, *p++);
		printf(left ? "%-*.*s" : "%*.*s", width, precision < 0 ? VALUE_MAX : precision,
		       v.buf);
	}
	if (!escapes)
		putchar('\n');
	free(v.buf);
}
