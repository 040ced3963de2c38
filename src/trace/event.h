/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What events.def says of each event, as data: for printing, filters, tests and the manual. Inside
 * trace/ and for tools that list the events.
 */
#ifndef EXTANT_TRACE_EVENT_H
#define EXTANT_TRACE_EVENT_H

#include "trace/trace.h"

enum trace_type {
	TRACE_U32, TRACE_U64, TRACE_S32, TRACE_S64, TRACE_FLAG, TRACE_STR, TRACE_TEXT, TRACE_DEVICE
};

struct trace_field {
	const char *name;
	enum trace_type type;
};

/*
 * A value that a text prints: the field in the low byte, above it how it is printed, and a table.
 */
enum trace_value_kind {
	TRACE_VALUE_PLAIN,
	TRACE_VALUE_FLAGS,		/* names of bits */
	TRACE_VALUE_SYMBOL,		/* the name of the value */
	TRACE_VALUE_CONSTANT,		/* the name of the number that stands in place of a field */
	TRACE_VALUE_IOPRIO_CLASS,
	TRACE_VALUE_IOPRIO_HINT,
	TRACE_VALUE_IOPRIO_LEVEL,
};
#define TRACE_VALUE_FIELD(v) ((v) & 0xffu)
#define TRACE_VALUE_KIND(v) ((enum trace_value_kind)((v) >> 8 & 0xfu))
#define TRACE_VALUE_TABLE(v) ((enum trace_table)((v) >> 12))

enum {					/* in place of a field */
	TRACE_FIELD_DEV = 253,		/* the mount's device: prints two numbers */
	TRACE_FIELD_COMM = 254,		/* the task's name */
	TRACE_FIELD_CMD = 255,		/* the command of a request: always empty */
};

#define TRACE_VALUES_MAX 26
#define TRACE_ALWAYS 0xff

struct trace_text {
	const char *name;		/* what the kernel calls the event */
	const char *printf;
	uint8_t dialects;		/* bits 1 << enum trace_dialect */
	uint8_t when;			/* the field that must not be 0, or TRACE_ALWAYS */
	uint8_t count;			/* of values */
	uint16_t values[TRACE_VALUES_MAX];
};

struct trace_event {
	const char *system, *name;
	const struct trace_field *fields;
	const struct trace_text *texts;	/* in the order in which they are tried */
	uint8_t field_count, text_count;
};

/* NULL unless it is an event of events.def (not a mark or a scope). */
const struct trace_event *trace_event(enum trace_event_id id);
/* The first text of the dialect at or after `from`, whatever its condition; NULL: no more. */
const struct trace_text *trace_event_text(const struct trace_event *e, enum trace_dialect dialect,
					  const struct trace_text *from);
/* The text that prints these fields; NULL: the dialect has no such event. */
const struct trace_text *trace_event_choose(const struct trace_event *e, enum trace_dialect dialect,
					    const uint64_t *fields);

/* ---- tables of names */

enum trace_table {
	TRACE_TABLE_none,
	TRACE_TABLE_es_status,
	TRACE_TABLE_falloc_mode,
	TRACE_TABLE_free_flags,
	TRACE_TABLE_map_flags,
	TRACE_TABLE_mballoc_flags,
	TRACE_TABLE_mflags,
	TRACE_TABLE_criteria,
	TRACE_TABLE_fc_reason,
	TRACE_TABLE_ioprio_class,
};

struct trace_name {
	uint64_t value;
	const char *name;
};

struct trace_names {
	const char *name;
	const char *delimiter;
	enum trace_table table;
	uint8_t dialects;
	const struct trace_name *names;	/* ends with a name of NULL */
};

/* NULL when the dialect has no such table. */
const struct trace_names *trace_names(enum trace_table table, enum trace_dialect dialect);

#endif
