/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of traces share: a scheduler (base/sync_test.h) with a trace, and the text that
 * came out.
 */
#ifndef EXTANT_TRACE_TRACE_TEST_H
#define EXTANT_TRACE_TRACE_TEST_H

#include <errno.h>
#include <stdlib.h>
#include "base/sync_test.h"
#include "trace/text.h"

struct traced {
	struct fixture base;		/* arena, clock, scheduler */
	struct trace *trace;		/* the name that the macros want */
	struct trace_formatter *formatter;
	char *text;			/* all that was written, terminated */
	size_t len;
	int write_err;			/* what the next write returns */
};

static inline int take_text(void *arg, const char *text, size_t len)
{
	struct traced *x = arg;

	if (x->write_err)
		return x->write_err;
	assert_true(len && text[len - 1] == '\n');
	x->text = realloc(x->text, x->len + len + 1);
	assert_non_null(x->text);
	memcpy(x->text + x->len, text, len);
	x->len += len;
	x->text[x->len] = '\0';
	return 0;
}

static inline void traced_open_with(struct traced *x, enum sched_mode mode,
				    const struct trace_options *given)
{
	struct trace_options opt = *given;

	*x = (struct traced){ 0 };
	fixture_open(&x->base, mode, 1);
	opt.clock = &x->base.clock;
	opt.dev_major = 7;
	assert_int_equal(trace_create(x->base.arena, &opt, &x->trace), 0);
}

static inline void traced_open(struct traced *x, enum trace_dialect dialect)
{
	traced_open_with(x, SCHED_INLINE, &(struct trace_options){ .dialect = dialect });
	assert_int_equal(trace_enable(x->trace, "*", true), 0);
}

static inline void traced_format(struct traced *x, enum trace_format format)
{
	assert_int_equal(trace_formatter_create(x->trace, format, take_text, x, &x->formatter), 0);
}

static inline void traced_close(struct traced *x)
{
	trace_formatter_destroy(x->formatter);
	sched_destroy(x->base.sched);
	trace_destroy(x->trace);
	arena_destroy(x->base.arena);
	free(x->text);
}

/* What the trace so far is in this format. */
static inline const char *traced_text(struct traced *x, enum trace_format format)
{
	x->len = 0;
	if (!x->formatter)
		traced_format(x, format);
	assert_int_equal(trace_format_all(x->formatter), 0);
	if (format == TRACE_TREE) {
		trace_formatter_destroy(x->formatter);
		x->formatter = NULL;
	}
	return x->len ? x->text : "";
}

#endif
