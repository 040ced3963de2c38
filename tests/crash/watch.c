/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the events as text, line by line, see watch.h. */
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long number_behind(const char *line, const char *word)
{
	const char *at = strstr(line, word);

	return at ? strtol(at + strlen(word), NULL, 10) : 0;
}

static void broken(struct watch *w, const char *rule, const char *line)
{
	if (!*w->broken)
		(void)snprintf(w->broken, sizeof(w->broken), "%s: %s", rule, line);
}

static void hear_line(struct watch *w, const char *line)
{
	bool commits = strstr(line, " jbd2_commit_logging:") != NULL;
	const char *task = line + strspn(line, " ");

	w->commits += commits;
	if (strstr(line, " jbd2_handle_stats:")) { /* who forgets more blocks than it dirties has dirtied less than none */
		w->handles++;
		if (number_behind(line, " dirtied_blocks ") > number_behind(line, " requested_blocks "))
			broken(w, "a handle dirtied more than it asked for", line);
	}
	if (!strncmp(task, "jbd2/", 5) && (strstr(line, " jbd2_handle_start:") || strstr(line, " ext4_allocate_blocks:")))
		broken(w, "the commit task starts a handle or allocates", line);
}

/* Whole lines, perhaps several. */
static int hear(void *arg, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		char line[512];

		stop = stop ? stop : end;
		(void)snprintf(line, sizeof(line), "%.*s", (int)(stop - text), text);
		hear_line(arg, line);
		text = stop + 1;
	}
	return 0;
}

void watch_drain(struct watch *w)
{
	if (trace_format_all(w->formatter))
		broken(w, "the trace", "cannot be read");
}

static void drain_full(void *arg, struct trace *t)
{
	(void)t;
	watch_drain(arg);
}

int watch_init(struct watch *w, struct arena *a, struct clock *clock)
{
	struct trace_options opt = { .dialect = DIALECT_4_9, .dev_major = 7, .clock = clock, .drain = drain_full,
				     .drain_arg = w };
	int err;

	*w = (struct watch){ 0 };
	err = trace_create(a, &opt, &w->trace);
	if (!err)
		err = trace_enable(w->trace, "*", true);
	return err ? err : trace_formatter_create(w->trace, TRACE_FTRACE, hear, w, &w->formatter);
}

void watch_fini(struct watch *w)
{
	trace_formatter_destroy(w->formatter);
	trace_destroy(w->trace);
}
