/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The function of each event that writes its record:
 *
 *	void trace_emit_NAME(struct trace *t, fields...);
 *
 * made from events.def. Code calls them through trace(), which asks first whether the event is on.
 *
 * The fields of an event are a sequence (type, name)(type, name)... . TRACE_EACH(OP, fields)
 * applies OP to each pair: OP_A and OP_B expand to what the pair becomes and then name each other,
 * so that the next pair is an argument list again; OP_A_END and OP_B_END end it.
 */
#ifndef EXTANT_TRACE_EMIT_H
#define EXTANT_TRACE_EMIT_H

#include <stdbool.h>
#include <stdint.h>

struct trace;

#define TRACE_EACH(op, fields) TRACE_END(op##_A fields)
#define TRACE_END(...) TRACE_END2(__VA_ARGS__)
#define TRACE_END2(...) __VA_ARGS__##_END

#define TRACE_TYPE_u32 uint32_t
#define TRACE_TYPE_u64 uint64_t
#define TRACE_TYPE_s32 int32_t
#define TRACE_TYPE_s64 int64_t
#define TRACE_TYPE_flag bool
#define TRACE_TYPE_str const char *
#define TRACE_TYPE_text const char *
#define TRACE_TYPE_dev uint32_t

/* A device as a number, for fields of type dev. */
#define TRACE_DEV(major, minor) ((uint32_t)(major) << 20 | (uint32_t)(minor))

#define TRACE_PARAMETER_A(type, name) , TRACE_TYPE_##type name TRACE_PARAMETER_B
#define TRACE_PARAMETER_B(type, name) , TRACE_TYPE_##type name TRACE_PARAMETER_A
#define TRACE_PARAMETER_A_END
#define TRACE_PARAMETER_B_END

#define EVENT(system, name, fields, ...) \
	void trace_emit_##name(struct trace *t TRACE_EACH(TRACE_PARAMETER, fields));
#include "trace/events.def"
#undef EVENT

#endif
