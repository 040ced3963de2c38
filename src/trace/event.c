/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * events.def and tables.def as data.
 *
 * Each event becomes a function that returns its description: inside it the fields are enumerators,
 * so that texts can name them, and a name that is no field does not compile.
 */
#include <stddef.h>
#include "trace/event.h"

#define IN_4_9 (1u << DIALECT_4_9)
#define IN_6_18 (1u << DIALECT_6_18)
#define IN_BOTH (IN_4_9 | IN_6_18)

#define KIND_u32 TRACE_U32
#define KIND_u64 TRACE_U64
#define KIND_s32 TRACE_S32
#define KIND_s64 TRACE_S64
#define KIND_flag TRACE_FLAG
#define KIND_str TRACE_STR
#define KIND_text TRACE_TEXT
#define KIND_dev TRACE_DEVICE

#define ENUMERATOR_A(type, name) name, ENUMERATOR_B
#define ENUMERATOR_B(type, name) name, ENUMERATOR_A
#define ENUMERATOR_A_END
#define ENUMERATOR_B_END

#define FIELD_A(type, name) { #name, KIND_##type }, FIELD_B
#define FIELD_B(type, name) { #name, KIND_##type }, FIELD_A
#define FIELD_A_END
#define FIELD_B_END

#define VALUE(field, kind, table) \
	((field) | TRACE_VALUE_##kind << 8 | TRACE_TABLE_##table << 12)
#define FLAGS(field, table) VALUE(field, FLAGS, table)
#define SYMBOL(field, table) VALUE(field, SYMBOL, table)
#define CONSTANT(number, table) VALUE(number, CONSTANT, table)
#define IOPRIO_CLASS(field) VALUE(field, IOPRIO_CLASS, ioprio_class)
#define IOPRIO_HINT(field) VALUE(field, IOPRIO_HINT, none)
#define IOPRIO_LEVEL(field) VALUE(field, IOPRIO_LEVEL, none)

#define TEXT(in, field, printed_name, format, ...) \
	{ printed_name, format, in, field, sizeof((uint16_t[]){ __VA_ARGS__ }) / sizeof(uint16_t), \
	  { __VA_ARGS__ } }
#define BOTH(...) TEXT(IN_BOTH, TRACE_ALWAYS, event_name, __VA_ARGS__)
#define V4_9(...) TEXT(IN_4_9, TRACE_ALWAYS, event_name, __VA_ARGS__)
#define V6_18(...) TEXT(IN_6_18, TRACE_ALWAYS, event_name, __VA_ARGS__)
#define V6_18_AS(other, ...) TEXT(IN_6_18, TRACE_ALWAYS, #other, __VA_ARGS__)
#define V6_18_IF(field, other, ...) TEXT(IN_6_18, field, #other, __VA_ARGS__)

#define EVENT(event_system, id, event_fields, ...) \
	static const struct trace_event *describe_##id(void) \
	{ \
		enum { \
			TRACE_EACH(ENUMERATOR, event_fields) \
			dev = TRACE_FIELD_DEV, comm = TRACE_FIELD_COMM, cmd = TRACE_FIELD_CMD \
		}; \
		static const char event_name[] = #id; \
		static const struct trace_field fields[] = { TRACE_EACH(FIELD, event_fields) }; \
		static const struct trace_text texts[] = { __VA_ARGS__ }; \
		static const struct trace_event event = { \
			#event_system, event_name, fields, texts, array_size(fields), \
			array_size(texts) \
		}; \
		return &event; \
	}
#include "trace/events.def"
#undef EVENT

static const struct trace_event *(*const describe[TRACE_EVENT_COUNT])(void) = {
#define EVENT(system, id, ...) [TRACE_ID_##id] = describe_##id,
#include "trace/events.def"
#undef EVENT
};

const struct trace_event *trace_event(enum trace_event_id id)
{
	if ((unsigned)id >= TRACE_EVENT_COUNT || !describe[id])
		return NULL;
	return describe[id]();
}

const struct trace_text *trace_event_text(const struct trace_event *e, enum trace_dialect dialect,
					  const struct trace_text *from)
{
	for (const struct trace_text *x = from; x < e->texts + e->text_count; x++)
		if (x->dialects & 1u << dialect)
			return x;
	return NULL;
}

const struct trace_text *trace_event_choose(const struct trace_event *e, enum trace_dialect dialect,
					    const uint64_t *fields)
{
	const struct trace_text *x = trace_event_text(e, dialect, e->texts);

	while (x && x->when != TRACE_ALWAYS && !fields[x->when])
		x = trace_event_text(e, dialect, x + 1);
	return x;
}

static const struct trace_names tables[] = {
#define NAME(value, name) { value, name },
#define TABLE(id, in, delimiter, entries) \
	{ #id, delimiter, TRACE_TABLE_##id, in, \
	  (const struct trace_name[]){ entries { 0, NULL } } },
#include "trace/tables.def"
#undef TABLE
#undef NAME
};

const struct trace_names *trace_names(enum trace_table table, enum trace_dialect dialect)
{
	for (size_t i = 0; i < array_size(tables); i++)
		if (tables[i].table == table && tables[i].dialects & 1u << dialect)
			return &tables[i];
	return NULL;
}
