/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A string that grows.
 */
#include <string.h>
#include "trace/text.h"

void string_fini(struct string *s)
{
	arena_free(s->arena, s->bytes);
	s->bytes = NULL;
	s->len = s->size = 0;
}

static bool reserve(struct string *s, size_t more)
{
	size_t size = s->size ? s->size : 256;
	char *bytes;

	if (s->len + more <= s->size)
		return true;
	while (size < s->len + more)
		size *= 2;
	bytes = arena_realloc(s->arena, s->bytes, size);
	if (!bytes) {
		s->failed = true;
		return false;
	}
	s->bytes = bytes;
	s->size = size;
	return true;
}

void string_put(struct string *s, const char *bytes, size_t len)
{
	if (!len || !reserve(s, len))
		return;
	memcpy(s->bytes + s->len, bytes, len);
	s->len += len;
}

void string_puts(struct string *s, const char *text)
{
	string_put(s, text, strlen(text));
}

void string_put_char(struct string *s, char c)
{
	string_put(s, &c, 1);
}

void string_put_spaces(struct string *s, size_t count)
{
	if (!count || !reserve(s, count))
		return;
	memset(s->bytes + s->len, ' ', count);
	s->len += count;
}

void string_put_unsigned(struct string *s, uint64_t v, unsigned base)
{
	char digits[24];		/* 2^64 has 22 octal ones */
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	string_put(s, digits + at, sizeof(digits) - at);
}

void string_put_signed(struct string *s, int64_t v)
{
	if (v < 0)
		string_put_char(s, '-');
	string_put_unsigned(s, v < 0 ? -(uint64_t)v : (uint64_t)v, 10);
}

void string_put_filled(struct string *s, uint64_t v, size_t width, char fill)
{
	uint64_t limit = 10;

	for (; width > 1; width--, limit *= 10)
		if (v < limit)
			break;
	for (; width > 1; width--)
		string_put_char(s, fill);
	string_put_unsigned(s, v, 10);
}
