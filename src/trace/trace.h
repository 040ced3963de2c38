/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Trace events and scopes. Every event is declared once, in events.def; what is emitted is a binary
 * record in the ring of the current task, and text (ftrace's, the call tree, JSON lines) is made
 * when it is read. Off, an event or a scope costs one load and one predictable branch.
 *
 *	trace(fs, ext4_da_write_begin, inode->ino, pos, len, flags);
 *	TRACE_SCOPE(fs, ext4_da_write_begin);		to the end of the block
 *	TRACE_SCOPE(fs, do_last, lookup_open);		two boxes, one inside the other
 *
 * `fs` is anything with a member `struct trace *trace`. The arguments of an event are its fields,
 * in the order of events.def.
 *
 * The events of events.def carry the union of the fields of both dialects; for each dialect stands
 * the name and the text that kernel prints, or nothing where it has no such event.
 *
 * Threads: events, scopes and marks may come from any task at any time, holding any lock; they wait
 * for nothing (but for the drain callback of a full ring). A trace serves one scheduler at a time,
 * and outlives it: tasks keep their ring as long as their scheduler lives. So does a task that is
 * used again.
 */
#ifndef EXTANT_TRACE_TRACE_H
#define EXTANT_TRACE_TRACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"
#include "base/sync.h"

enum trace_dialect { DIALECT_4_9, DIALECT_6_18 };

enum trace_event_id {
	TRACE_NONE,
	TRACE_MARK,			/* tracing_mark_write: free text, op_begin and op_end */
	TRACE_SCOPE_ENTER,
	TRACE_SCOPE_LEAVE,
	TRACE_TASK,			/* from here on the ring is that of a task of this name */
#define EVENT(system, name, ...) TRACE_ID_##name,
#include "trace/events.def"
#undef EVENT
	TRACE_EVENT_COUNT
};

struct trace;

struct trace_options {
	enum trace_dialect dialect;
	uint32_t dev_major, dev_minor;	/* what events print as dev */
	struct clock *clock;
	size_t ring_bytes;		/* a task's, rounded up to 16 KiB, 32 ...; 0: 1 MiB */
	/*
	 * NULL: a full ring drops its oldest records (counted). Else called, by the task itself,
	 * with its full ring, so that nothing is lost. It reads the trace (trace_format_all) and
	 * takes no lock of the mount: the task may hold any.
	 */
	void (*drain)(void *arg, struct trace *t);
	void *drain_arg;
};

/* Nothing is on. 0 or -ENOMEM. */
must_check int trace_create(struct arena *a, const struct trace_options *opt, struct trace **out);
/*
 * After the scheduler it served, or when no task of that will emit again. NULL and trace_none() are
 * left alone.
 */
void trace_destroy(struct trace *t);
enum trace_dialect trace_dialect(const struct trace *t);

/*
 * For whoever wants no trace: nothing is ever on, nothing can be switched on, it costs no memory.
 */
struct trace *trace_none(void);

/*
 * Switches events on or off by shell pattern ("ext4_es_*", "jbd2_*", "*"); scopes apart. A pattern
 * is held against the names of events.def and those of the dialect; what the dialect does not have
 * stays off. -ENOENT: no event matches.
 */
int trace_enable(struct trace *t, const char *pattern, bool on);
void trace_enable_scopes(struct trace *t, bool on);

/* Always recorded, up to some 4,600 bytes. */
printf_like(2, 3) void trace_mark(struct trace *t, const char *fmt, ...);

/*
 * ---- reading: all records so far of all tasks, in the order they were made; then the rings are
 * empty
 */

enum trace_format { TRACE_FTRACE, TRACE_TREE, TRACE_JSONL };

/*
 * `write(arg, text, len)` gets whole lines. The formatter keeps the indentation of each task
 * between calls, so one is made for a whole run.
 */
struct trace_formatter;
must_check int trace_formatter_create(struct trace *t, enum trace_format format,
				      int (*write)(void *arg, const char *text, size_t len),
				      void *arg, struct trace_formatter **out);
int trace_format_all(struct trace_formatter *f);
void trace_formatter_destroy(struct trace_formatter *f);
/* Records dropped because a ring was full. */
uint64_t trace_lost(const struct trace *t);

/* ---- emitting; the macros below call these */

struct trace_public {			/* the first member of struct trace */
	atomic_uchar on[TRACE_EVENT_COUNT];	/* relaxed: a switch is seen soon, not at once */
	atomic_bool scopes;
};

static inline const struct trace_public *trace_public(const struct trace *t)
{
	if (!t)
		__builtin_unreachable();	/* not to be seen from an atomic load */
	return (const struct trace_public *)t;
}

static inline bool trace_on(const struct trace *t, enum trace_event_id id)
{
	return unlikely(atomic_load_explicit(&trace_public(t)->on[id], memory_order_relaxed));
}

static inline bool trace_scopes_on(const struct trace *t)
{
	return unlikely(atomic_load_explicit(&trace_public(t)->scopes, memory_order_relaxed));
}

/*
 * Kernel-style record functions: trace_emit_NAME(t, fields...), made from events.def
 * (trace/emit.h).
 */
#include "trace/emit.h"

/*
 * A scope lies in memory, so that the way through a function with scopes off keeps nothing in
 * registers for it and is not compiled twice.
 */
struct trace_scope {
	struct trace *t;		/* NULL: scopes were off at the start */
	const char *names;
};

/*
 * `names`: of one box, or of several, each inside the one before: "do_last, lookup_open". Not
 * copied.
 */
void trace_scope_begin(struct trace_scope *s, struct trace *t, const char *names);
void trace_scope_finish(const struct trace_scope *s);

static inline void trace_scope_end(const struct trace_scope *s)
{
	if (unlikely(s->t != NULL))
		trace_scope_finish(s);
}

#ifdef EXTANT_NO_TRACE
#define TRACE_COMPILED_IN 0
#else
#define TRACE_COMPILED_IN 1
#endif

#define trace(owner, name, ...) \
	do { \
		if (TRACE_COMPILED_IN && trace_on((owner)->trace, TRACE_ID_##name)) \
			trace_emit_##name((owner)->trace, ##__VA_ARGS__); \
	} while (0)

#define TRACE_SCOPE_VAR2(line) trace_scope_##line
#define TRACE_SCOPE_VAR(line) TRACE_SCOPE_VAR2(line)
#define TRACE_SCOPE(owner, ...) \
	cleanup_with(trace_scope_end) struct trace_scope TRACE_SCOPE_VAR(__LINE__); \
	TRACE_SCOPE_VAR(__LINE__).t = NULL; \
	if (TRACE_COMPILED_IN && trace_scopes_on((owner)->trace)) \
		trace_scope_begin(&TRACE_SCOPE_VAR(__LINE__), (owner)->trace, #__VA_ARGS__)

#endif
