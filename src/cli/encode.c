/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values of extended attributes as text (encode.h).
 */
#include "cli/encode.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "cli/cli.h"

static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool encode_parse(const char *name, enum encoding *out)
{
	static const char *const names[] = { NULL, "text", "hex", "base64" };

	*out = ENCODE_ANY;
	for (int i = 1; name && i < (int)array_size(names); i++)
		if (!strcmp(name, names[i]))
			*out = (enum encoding)i;
	return !name || *out != ENCODE_ANY;
}

bool encode_is_text(const unsigned char *value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (value[i] < 0x20 || value[i] == 0x7f)
			return false;
	return true;
}

/* ---- writing */

char *encode_base64(const unsigned char *value, size_t size)
{
	char *out = cli_realloc(NULL, (size + 2) / 3 * 4 + 1), *p = out;

	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		unsigned n = (unsigned)value[i] << 16 |
			     (left > 1 ? (unsigned)value[i + 1] << 8 : 0) |
			     (left > 2 ? value[i + 2] : 0);

		*p++ = digits64[n >> 18 & 63];
		*p++ = digits64[n >> 12 & 63];
		*p++ = left > 1 ? digits64[n >> 6 & 63] : '=';
		*p++ = left > 2 ? digits64[n & 63] : '=';
	}
	*p = '\0';
	return out;
}

static void print_quoted(FILE *to, const unsigned char *value, size_t size)
{
	fputc('"', to);
	for (size_t i = 0; i < size; i++) {
		if (value[i] == '"' || value[i] == '\\')
			fprintf(to, "\\%c", value[i]);
		else if (value[i] < 0x20 || value[i] == 0x7f)
			fprintf(to, "\\%03o", value[i]);
		else
			fputc(value[i], to);
	}
	fputc('"', to);
}

void encode_print(FILE *to, enum encoding how, const unsigned char *value, size_t size)
{
	char *base64;

	if (how == ENCODE_TEXT || (how == ENCODE_ANY && encode_is_text(value, size))) {
		print_quoted(to, value, size);
		return;
	}
	if (how == ENCODE_HEX) {
		fputs("0x", to);
		for (size_t i = 0; i < size; i++)
			fprintf(to, "%02x", value[i]);
		return;
	}
	base64 = encode_base64(value, size);
	fprintf(to, "0s%s", base64);
	free(base64);
}

/* ---- reading */

static bool read_hex(const char *p, unsigned char *out, size_t *size)
{
	unsigned byte;

	for (; *p; p += 2) {
		if (!isxdigit((unsigned char)p[0]) || !isxdigit((unsigned char)p[1]) ||
		    sscanf(p, "%2x", &byte) != 1)
			return false;
		out[(*size)++] = (unsigned char)byte;
	}
	return true;
}

static bool read_base64(const char *p, unsigned char *out, size_t *size)
{
	size_t n = strlen(p);
	unsigned bits = 0, have = 0;

	while (n && p[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++) {
		const char *at = strchr(digits64, p[i]);

		if (!at)
			return false;
		bits = bits << 6 | (unsigned)(at - digits64);
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[(*size)++] = (unsigned char)(bits >> have);
		}
	}
	return n % 4 != 1;
}

/* \\ \" and \ooo; with quotes around it or without. */
static bool read_text(const char *p, unsigned char *out, size_t *size)
{
	size_t n = strlen(p), end = n;
	bool quoted = n >= 2 && *p == '"' && p[n - 1] == '"';

	if (*p == '"' && !quoted)
		return false;
	if (quoted)
		end--;
	for (size_t i = quoted; i < end; i++) {
		if (p[i] != '\\' || i + 1 == end) {
			out[(*size)++] = (unsigned char)p[i];
		} else if (p[i + 1] >= '0' && p[i + 1] <= '3' && i + 3 < end) {
			out[(*size)++] = (unsigned char)((p[i + 1] - '0') << 6 |
							 (p[i + 2] & 7) << 3 | (p[i + 3] & 7));
			i += 3;
		} else {
			out[(*size)++] = (unsigned char)p[++i];
		}
	}
	return true;
}

unsigned char *encode_read(const char *text, size_t *size)
{
	unsigned char *out = cli_realloc(NULL, strlen(text) + 1);
	bool ok;

	*size = 0;
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		ok = read_hex(text + 2, out, size);
	else if (text[0] == '0' && (text[1] == 's' || text[1] == 'S'))
		ok = read_base64(text + 2, out, size);
	else
		ok = read_text(text, out, size);
	if (ok)
		return out;
	free(out);
	return NULL;
}
