/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events as text: the kernel's own printf text is read here, conversion by conversion, against the
 * words of the record. Only what occurs in events.def is understood: d u x o s and pS, with l, ll,
 * z.
 */
#include <string.h>
#include "base/assert.h"
#include "trace/text.h"

void trace_unpack_text(uint64_t word, char out[9])
{
	for (unsigned i = 0; i < 8; i++)
		out[i] = (char)(word >> 8 * i & 0xff);
	out[8] = '\0';
}

/* Linux's rule: each name whose bits are all set takes them away; what is left is a number. */
static void put_flags(struct string *s, const struct trace_names *table, uint64_t flags)
{
	size_t start = s->len;

	for (const struct trace_name *n = table->names; n->name; n++) {
		if (!n->value || (flags & n->value) != n->value)
			continue;
		flags &= ~n->value;
		if (s->len != start && *n->name)
			string_puts(s, table->delimiter);
		string_puts(s, n->name);
	}
	if (!flags)
		return;
	if (s->len != start)
		string_puts(s, table->delimiter);
	string_puts(s, "0x");
	string_put_unsigned(s, flags, 16);
}

static void put_symbol(struct string *s, const struct trace_names *table, uint64_t v)
{
	for (const struct trace_name *n = table->names; n->name; n++) {
		if (n->value == v) {
			string_puts(s, n->name);
			return;
		}
	}
	string_puts(s, "0x");
	string_put_unsigned(s, v, 16);
}

static void put_pointer_text(struct string *s, uint64_t word)
{
	const char *text = (const char *)(uintptr_t)word;

	string_puts(s, text ? text : "(null)");
}

/* ---- where values come from */

static const struct trace_options *options(const struct trace_item *item)
{
	return &item->ring->trace->opt;
}

static const struct trace_field *field_of(const struct trace_item *item, unsigned field)
{
	return &trace_event(item->id)->fields[field];
}

static bool is_device(const struct trace_item *item, uint16_t value)
{
	unsigned field = TRACE_VALUE_FIELD(value);

	if (TRACE_VALUE_KIND(value) != TRACE_VALUE_PLAIN || field >= TRACE_FIELD_COMM)
		return false;
	return field == TRACE_FIELD_DEV || field_of(item, field)->type == TRACE_DEVICE;
}

static uint32_t device_number(const struct trace_item *item, uint16_t value, bool minor)
{
	unsigned field = TRACE_VALUE_FIELD(value);
	uint64_t word;

	if (field == TRACE_FIELD_DEV)
		return minor ? options(item)->dev_minor : options(item)->dev_major;
	word = item->values[field];
	return minor ? (uint32_t)word & 0xfffff : (uint32_t)word >> 20;
}

/* A value printed by %s or %pS. */
static void put_string_value(struct string *s, const struct trace_item *item, uint16_t value)
{
	const struct trace_names *table =
		trace_names(TRACE_VALUE_TABLE(value), options(item)->dialect);
	unsigned field = TRACE_VALUE_FIELD(value);
	char text[9];

	switch (TRACE_VALUE_KIND(value)) {
	case TRACE_VALUE_FLAGS:
		put_flags(s, table, item->values[field]);
		return;
	case TRACE_VALUE_SYMBOL:
		put_symbol(s, table, item->values[field]);
		return;
	case TRACE_VALUE_CONSTANT:
		put_symbol(s, table, field);
		return;
	case TRACE_VALUE_IOPRIO_CLASS:
		put_symbol(s, table, item->values[field] >> 13 & 7);
		return;
	default:
		break;
	}
	if (field == TRACE_FIELD_COMM) {
		string_puts(s, item->ring->task_name);
	} else if (field < TRACE_FIELD_DEV && field_of(item, field)->type == TRACE_TEXT) {
		trace_unpack_text(item->values[field], text);
		string_puts(s, text);
	} else if (field < TRACE_FIELD_DEV) {
		put_pointer_text(s, item->values[field]);
	}
}

static uint64_t number_of(const struct trace_item *item, uint16_t value)
{
	uint64_t word = item->values[TRACE_VALUE_FIELD(value)];

	switch (TRACE_VALUE_KIND(value)) {
	case TRACE_VALUE_IOPRIO_HINT:
		return word >> 3 & 0x3ff;
	case TRACE_VALUE_IOPRIO_LEVEL:
		return word & 7;
	default:
		return word;
	}
}

/* ---- conversions */

struct conversion {
	char verb;			/* d u x o s; pS is s */
	bool wide;			/* 64 bits, else 32 */
};

/* `p` stands behind the '%'; returns what follows the conversion. */
static const char *parse_conversion(const char *p, struct conversion *c)
{
	c->wide = *p == 'l' || *p == 'z';
	while (*p == 'l' || *p == 'z')
		p++;
	if (p[0] == 'p' && p[1] == 'S') {
		c->verb = 's';
		return p + 2;
	}
	ensure(*p && strchr("duxos", *p));
	c->verb = *p;
	return p + 1;
}

static void put_number(struct string *s, struct conversion c, uint64_t v)
{
	if (!c.wide)
		v = (uint32_t)v;
	switch (c.verb) {
	case 'd':
		string_put_signed(s, c.wide ? (int64_t)v : (int32_t)v);
		break;
	case 'x':
		string_put_unsigned(s, v, 16);
		break;
	case 'o':
		string_put_unsigned(s, v, 8);
		break;
	default:
		string_put_unsigned(s, v, 10);
		break;
	}
}

void trace_print_text(struct string *s, const struct trace_item *item, const struct trace_text *x)
{
	struct conversion c;
	unsigned value = 0;
	bool minor = false;		/* the second number of a device is next */
	const char *p = x->printf;

	while (*p) {
		size_t literal = strcspn(p, "%");

		string_put(s, p, literal);
		p += literal;
		if (!*p)
			break;
		p = parse_conversion(p + 1, &c);
		ensure(value < x->count);
		if (is_device(item, x->values[value])) {
			put_number(s, c, device_number(item, x->values[value], minor));
			value += minor;
			minor = !minor;
			continue;
		}
		if (c.verb == 's')
			put_string_value(s, item, x->values[value]);
		else
			put_number(s, c, number_of(item, x->values[value]));
		value++;
	}
	ensure(value == x->count);
}

/* ---- single values, for JSON */

enum trace_type trace_value_type(const struct trace_event *e, uint16_t value)
{
	unsigned field = TRACE_VALUE_FIELD(value);

	switch (TRACE_VALUE_KIND(value)) {
	case TRACE_VALUE_FLAGS:
	case TRACE_VALUE_SYMBOL:
	case TRACE_VALUE_CONSTANT:
		return TRACE_STR;
	default:
		break;
	}
	if (field == TRACE_FIELD_DEV)
		return TRACE_DEVICE;
	return field >= TRACE_FIELD_COMM ? TRACE_STR : e->fields[field].type;
}

void trace_print_value(struct string *s, const struct trace_item *item, const struct trace_text *x,
		       unsigned value)
{
	uint16_t v = x->values[value];
	uint64_t word;

	switch (trace_value_type(trace_event(item->id), v)) {
	case TRACE_STR:
	case TRACE_TEXT:
		put_string_value(s, item, v);
		return;
	case TRACE_DEVICE:
		string_put_unsigned(s, device_number(item, v, false), 10);
		string_put_char(s, ',');
		string_put_unsigned(s, device_number(item, v, true), 10);
		return;
	default:
		break;
	}
	word = item->values[TRACE_VALUE_FIELD(v)];
	switch (trace_value_type(trace_event(item->id), v)) {
	case TRACE_S32:
	case TRACE_S64:
		string_put_signed(s, (int64_t)word);
		return;
	case TRACE_FLAG:
		string_puts(s, word ? "true" : "false");
		return;
	default:
		string_put_unsigned(s, word, 10);
		return;
	}
}
