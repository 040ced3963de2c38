/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words of a line of a workload script: operands, key=value options, numbers with K, M or G.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "cli/script_internal.h"

int script_tokenize(struct script_line *l)
{
	char *save, *t;

	l->words = l->keys = 0;
	for (t = strtok_r(l->text, " \t\n", &save); t; t = strtok_r(NULL, " \t\n", &save)) {
		char *eq = strchr(t, '=');

		if (l->words >= SCRIPT_WORDS_MAX || l->keys >= SCRIPT_WORDS_MAX)
			return -E2BIG;
		if (l->words && eq && islower((unsigned char)*t)) {
			*eq = '\0';
			l->key[l->keys] = t;
			l->value[l->keys++] = eq + 1;
		} else {
			l->word[l->words++] = t;
		}
	}
	return 0;
}

const char *script_option(const struct script_line *l, const char *key)
{
	for (int i = 0; i < l->keys; i++)
		if (!strcmp(l->key[i], key))
			return l->value[i];
	return NULL;
}

int64_t script_number(const char *text)
{
	char *end;
	int64_t n = strtoll(text, &end, 0);

	switch (*end) {
	case 'K':
	case 'k':
		return n << 10;
	case 'M':
		return n << 20;
	case 'G':
		return n << 30;
	default:
		return n;
	}
}

int64_t script_option_number(const struct script_line *l, const char *key, int64_t otherwise)
{
	const char *v = script_option(l, key);

	return v ? script_number(v) : otherwise;
}

const char *script_word(const struct script_line *l, int i)
{
	return i < l->words ? l->word[i] : "";
}

uint32_t script_mode(const struct script_line *l, int i, uint32_t otherwise)
{
	return i < l->words ? (uint32_t)strtoul(l->word[i], NULL, 8) : otherwise;
}

int *script_slot(struct script *s, const struct script_line *l)
{
	static int none = -1;
	int64_t n = script_option_number(l, "fd", -1);

	return n < 0 || n >= SCRIPT_FILES ? &none : &s->fds[n];
}
