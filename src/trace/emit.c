/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bodies of the functions that emit.h declares: fields become 64-bit words.
 */
#include <string.h>
#include "trace/ring.h"

/* Up to 8 bytes of a string in one word, the first in the lowest byte whatever the machine. */
static uint64_t pack_text(const char *s)
{
	uint64_t word = 0;

	for (unsigned i = 0; i < 8 && s[i]; i++)
		word |= (uint64_t)(unsigned char)s[i] << 8 * i;
	return word;
}

#define WORD_u32(v) (uint64_t)(v)
#define WORD_u64(v) (v)
#define WORD_s32(v) (uint64_t)(int64_t)(v)
#define WORD_s64(v) (uint64_t)(v)
#define WORD_flag(v) (uint64_t)(v)
#define WORD_str(v) (uint64_t)(uintptr_t)(v)
#define WORD_text(v) pack_text(v)
#define WORD_dev(v) (uint64_t)(v)

#define WORD_A(type, name) WORD_##type(name), WORD_B
#define WORD_B(type, name) WORD_##type(name), WORD_A
#define WORD_A_END
#define WORD_B_END

#define EVENT(system, name, fields, ...) \
	void trace_emit_##name(struct trace *t TRACE_EACH(TRACE_PARAMETER, fields)) \
	{ \
		const uint64_t words[] = { TRACE_EACH(WORD, fields) }; \
		trace_record(t, TRACE_ID_##name, words, array_size(words)); \
	}
#include "trace/events.def"
#undef EVENT
