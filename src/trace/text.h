/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A string that grows, and events printed into it as the kernel prints them. Inside trace/.
 */
#ifndef EXTANT_TRACE_TEXT_H
#define EXTANT_TRACE_TEXT_H

#include "trace/event.h"
#include "trace/ring.h"

struct string {
	struct arena *arena;
	char *bytes;			/* not terminated */
	size_t len, size;
	bool failed;			/* memory was out: the string is not whole */
};

void string_fini(struct string *s);
void string_put(struct string *s, const char *bytes, size_t len);
void string_puts(struct string *s, const char *text);
void string_put_char(struct string *s, char c);
void string_put_spaces(struct string *s, size_t count);
void string_put_unsigned(struct string *s, uint64_t v, unsigned base);
void string_put_signed(struct string *s, int64_t v);
/* Decimal, filled up to `width` characters: with zeros or blanks before it. */
void string_put_filled(struct string *s, uint64_t v, size_t width, char fill);

/* What is printed behind "NAME: ". */
void trace_print_text(struct string *s, const struct trace_item *item, const struct trace_text *x);
/* One value alone: names of bits, a symbol, a string, a device. Numbers are printed in decimal. */
void trace_print_value(struct string *s, const struct trace_item *item, const struct trace_text *x,
		       unsigned value);

/* The type of what a value prints: its field's; of flags and symbols TRACE_STR. */
enum trace_type trace_value_type(const struct trace_event *e, uint16_t value);

/* The bytes of a field of type text, terminated. */
void trace_unpack_text(uint64_t word, char out[9]);

#endif
