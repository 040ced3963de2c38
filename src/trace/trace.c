/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A trace: what is on, where it goes, marks and scopes.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/assert.h"
#include "trace/event.h"
#include "trace/ring.h"

static const struct trace_public nothing_on;

struct trace *trace_none(void)
{
	return (struct trace *)(uintptr_t)&nothing_on;
}

static bool is_none(const struct trace *t)
{
	return &t->public == &nothing_on;
}

static uint64_t ring_words(size_t bytes)
{
	size_t size = TRACE_RING_MIN_BYTES;

	if (!bytes)
		bytes = TRACE_RING_DEFAULT_BYTES;
	while (size < bytes && size <= SIZE_MAX / 2)
		size *= 2;
	return size / sizeof(uint64_t);
}

int trace_create(struct arena *a, const struct trace_options *opt, struct trace **out)
{
	struct trace *t = arena_new(a, struct trace);

	if (!t)
		return -ENOMEM;
	t->arena = a;
	t->opt = *opt;
	t->ring_words = ring_words(opt->ring_bytes);
	*out = t;
	return 0;
}

void trace_destroy(struct trace *t)
{
	if (!t || is_none(t))
		return;
	trace_rings_free(t);
	arena_free(t->arena, t);
}

enum trace_dialect trace_dialect(const struct trace *t)
{
	return is_none(t) ? DIALECT_6_18 : t->opt.dialect;
}

/* The pattern is held against the event's own name and the names that the dialect prints. */
static bool event_matches(const struct trace_event *e, enum trace_dialect dialect,
			  const char *pattern)
{
	const struct trace_text *x = trace_event_text(e, dialect, e->texts);

	if (x && !fnmatch(pattern, e->name, 0))
		return true;
	for (; x; x = trace_event_text(e, dialect, x + 1))
		if (!fnmatch(pattern, x->name, 0))
			return true;
	return false;
}

int trace_enable(struct trace *t, const char *pattern, bool on)
{
	int err = -ENOENT;

	ensure(!is_none(t));
	for (unsigned id = 0; id < TRACE_EVENT_COUNT; id++) {
		const struct trace_event *e = trace_event((enum trace_event_id)id);

		if (!e || !event_matches(e, t->opt.dialect, pattern))
			continue;
		atomic_store_explicit(&t->public.on[id], on, memory_order_relaxed);
		err = 0;
	}
	return err;
}

void trace_enable_scopes(struct trace *t, bool on)
{
	ensure(!is_none(t));
	atomic_store_explicit(&t->public.scopes, on, memory_order_relaxed);
}

void trace_mark(struct trace *t, const char *fmt, ...)
{
	uint64_t words[1 + TRACE_MARK_MAX / 8] = { 0 };
	va_list ap;
	int len;

	if (is_none(t))
		return;
	va_start(ap, fmt);
	len = vsnprintf((char *)&words[1], TRACE_MARK_MAX, fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	words[0] = min((uint64_t)len, (uint64_t)TRACE_MARK_MAX - 1);
	trace_record(t, TRACE_MARK, words, trace_value_count(TRACE_MARK, words));
}

void trace_scope_enter(struct trace *t, const char *names)
{
	const uint64_t word = (uintptr_t)names;

	trace_record(t, TRACE_SCOPE_ENTER, &word, 1);
}

void trace_scope_leave(struct trace *t, const char *names)
{
	const uint64_t word = (uintptr_t)names;

	trace_record(t, TRACE_SCOPE_LEAVE, &word, 1);
}

uint64_t trace_lost(const struct trace *t)
{
	uint64_t lost;

	if (is_none(t))
		return 0;
	lost = atomic_load_explicit(&t->lost, memory_order_relaxed);
	for (const struct trace_ring *r = atomic_load_explicit(&t->rings, memory_order_acquire); r;
	     r = r->next)
		lost += atomic_load_explicit(&r->lost, memory_order_relaxed);
	return lost;
}

void trace_scope_begin(struct trace_scope *s, struct trace *t, const char *names)
{
	s->t = t;
	s->names = names;
	trace_scope_enter(t, names);
}

void trace_scope_finish(const struct trace_scope *s)
{
	trace_scope_leave(s->t, s->names);
}
