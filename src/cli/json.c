/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Printing facts (json.h).
 */
#include "cli/json.h"

#include <inttypes.h>
#include <string.h>
#include "base/assert.h"

#define KEY_COLUMNS 26

/* ---- JSON */

/* The length of the UTF-8 character at `p`; 0: there is none, or one that UTF-8 forbids. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = p[0] < 0x80   ? 1
		   : p[0] < 0xc0 ? 0
		   : p[0] < 0xe0 ? 2
		   : p[0] < 0xf0 ? 3
		   : p[0] < 0xf8 ? 4
				 : 0;
	uint32_t c = n > 1 ? p[0] & (0x7fu >> n) : p[0];

	if (n > left)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return n;
}

static void json_text(FILE *out, const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n;

	fputc('"', out);
	for (size_t i = 0; i < len; i += n ? n : 1) {
		n = utf8_length(p + i, len - i);
		if (!n)
			fprintf(out, "\\udc%02x", p[i]);
		else if (p[i] == '"' || p[i] == '\\')
			fprintf(out, "\\%c", p[i]);
		else if (p[i] < 0x20 || p[i] == 0x7f)
			fprintf(out, "\\u%04x", p[i]);
		else
			fwrite(p + i, 1, n, out);
	}
	fputc('"', out);
}

/* ---- what stands before a value */

static void newline(struct facts *f)
{
	fputc('\n', f->out);
	for (unsigned i = 0; i < f->depth; i++)
		fputs("  ", f->out);
}

static void json_key(struct facts *f, const char *key)
{
	if (f->used[f->depth])
		fputc(',', f->out);
	newline(f);
	if (key) {
		json_text(f->out, key, strlen(key));
		fputs(": ", f->out);
	}
}

/* "free_blocks" as "free blocks"; how many columns. */
static int words(struct facts *f, const char *key)
{
	int n = 0;

	for (; key[n]; n++)
		fputc(key[n] == '_' ? ' ' : key[n], f->out);
	return n;
}

static void text_key(struct facts *f, const char *key)
{
	int columns;

	if (!key) {
		fputs(f->used[f->depth] ? " " : "", f->out);
		return;
	}
	if (f->row) {
		fputs(f->used[f->depth] ? ", " : "  ", f->out);
		(void)words(f, key);
		fputc(' ', f->out);
		return;
	}
	for (unsigned i = 1; i < f->depth; i++)
		fputs("  ", f->out);
	columns = words(f, key) + 2 * ((int)f->depth - 1);
	fprintf(f->out, ":%*s", columns < KEY_COLUMNS ? KEY_COLUMNS - columns : 1, "");
}

static void begin_value(struct facts *f, const char *key)
{
	if (f->json)
		json_key(f, key);
	else
		text_key(f, key);
	f->used[f->depth] = true;
}

/* Values in a row or in an array stay in the line. */
static void end_value(struct facts *f, const char *key)
{
	if (!f->json && !f->row && key)
		fputc('\n', f->out);
}

static void deeper(struct facts *f)
{
	ensure(f->depth + 1 < FACTS_DEPTH_MAX);
	f->used[++f->depth] = false;
}

/* ---- objects and arrays */

void facts_begin(struct facts *f, FILE *out, bool json, unsigned version)
{
	*f = (struct facts){ .out = out, .json = json };
	if (json)
		fputc('{', out);
	f->depth = 1;
	if (json)
		facts_number(f, "version", version);
}

void facts_end(struct facts *f)
{
	f->depth = 0;
	if (f->json)
		fputs("\n}\n", f->out);
}

void facts_object(struct facts *f, const char *key)
{
	if (f->json) {
		json_key(f, key);
		fputc('{', f->out);
	} else if (key) {
		fputc('\n', f->out);
		(void)words(f, key);
		fputs(":\n", f->out);
	} else {
		fputs(f->used[f->depth] ? "" : "\n", f->out);
		f->row = true;
	}
	f->used[f->depth] = true;
	deeper(f);
}

void facts_object_end(struct facts *f)
{
	f->depth--;
	if (f->json) {
		newline(f);
		fputc('}', f->out);
	} else if (f->row) {
		fputc('\n', f->out);
		f->row = false;
	}
}

void facts_array(struct facts *f, const char *key)
{
	begin_value(f, key);
	if (f->json)
		fputc('[', f->out);
	deeper(f);
}

void facts_array_end(struct facts *f)
{
	bool used = f->used[f->depth];

	f->depth--;
	if (f->json) {
		if (used)
			newline(f);
		fputc(']', f->out);
	}
}

/* ---- values */

void facts_number(struct facts *f, const char *key, uint64_t value)
{
	begin_value(f, key);
	fprintf(f->out, "%" PRIu64, value);
	end_value(f, key);
}

void facts_signed(struct facts *f, const char *key, int64_t value)
{
	begin_value(f, key);
	fprintf(f->out, "%" PRId64, value);
	end_value(f, key);
}

void facts_bool(struct facts *f, const char *key, bool value)
{
	begin_value(f, key);
	if (f->json)
		fputs(value ? "true" : "false", f->out);
	else
		fputs(value ? "yes" : "no", f->out);
	end_value(f, key);
}

void facts_bytes(struct facts *f, const char *key, const char *value, size_t max)
{
	size_t len = strnlen(value, max);

	begin_value(f, key);
	if (f->json)
		json_text(f->out, value, len);
	for (size_t i = 0; !f->json && i < len; i++)
		fputc((unsigned char)value[i] < 0x20 ? '?' : value[i], f->out);
	end_value(f, key);
}

void facts_string(struct facts *f, const char *key, const char *value)
{
	facts_bytes(f, key, value, SIZE_MAX);
}

void facts_time(struct facts *f, const char *key, int64_t sec, uint32_t nsec)
{
	facts_object(f, key);
	facts_signed(f, "sec", sec);
	facts_number(f, "nsec", nsec);
	facts_object_end(f);
}
