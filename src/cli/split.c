/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line as words, quoted as in sh (session.h). No variables, patterns or pipes: what they would be
 * stands for itself.
 */
#include <stdlib.h>
#include <string.h>
#include "cli/session.h"

struct splitter {
	const char *p;
	char *out;
};

/* Up to the quote, which is passed; false: it is not there. */
static bool quoted(struct splitter *s, char quote)
{
	for (s->p++; *s->p && *s->p != quote; s->p++) {
		/* Within "": only what would end or begin something there. */
		if (quote == '"' && *s->p == '\\' && s->p[1] && strchr("\"\\$`", s->p[1]))
			s->p++;
		*s->out++ = *s->p;
	}
	return *s->p++ == quote;
}

/* One word; false: a quote in it is not closed. */
static bool word(struct splitter *s)
{
	while (*s->p && !strchr(" \t\r\n", *s->p)) {
		if (*s->p == '\'' || *s->p == '"') {
			if (!quoted(s, *s->p))
				return false;
			continue;
		}
		if (*s->p == '\\' && !*++s->p)
			return false;
		*s->out++ = *s->p++;
	}
	*s->out++ = '\0';
	return true;
}

char **session_split(const char *line, int *count)
{
	size_t n = strlen(line), words_max = n / 2 + 2;
	char **words = cli_realloc(NULL, words_max * sizeof(*words) + n + words_max);
	struct splitter s = { line, (char *)(words + words_max) };

	*count = 0;
	for (;;) {
		while (*s.p && strchr(" \t\r\n", *s.p))
			s.p++;
		if (!*s.p || *s.p == '#')
			break;
		words[(*count)++] = s.out;
		if (!word(&s)) {
			free(words);
			return NULL;
		}
	}
	words[*count] = NULL;
	return words;
}
