/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON lines: one object a record. The first line says what it is:
 *
 *	{"format":"extant-trace","version":1,"dialect":"4.9","device":"7,0"}
 *	{"seq":7,"time_ns":2746689000,"task":"app","task_id":1,"depth":5,"scope":"__ext4_new_inode",
 *	 "event":"ext4_request_inode","fields":{"dir":2,"mode":33188}}
 *
 * (each on one line). Instead of `event` and `fields` stand `enter` or `leave` with a function's
 * name, or `mark` with its text. `depth` counts the scopes around it, `scope` is the innermost;
 * `lost`, where it stands, counts the records of this task that were dropped before this one.
 * Numbers are numbers, flags and callers strings as the kernel prints them. New members may come;
 * these stay.
 */
#include <string.h>
#include "trace/format.h"

/* How many bytes of well-formed UTF-8 begin here; 0: none. */
static size_t utf8_length(const unsigned char *p, size_t len)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 :
		   p[0] < 0xf5 ? 4 : 0;

	if (!n || n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static void put_escape(struct string *s, unsigned char c)
{
	string_puts(s, "\\u00");
	string_put_char(s, "0123456789abcdef"[c >> 4]);
	string_put_char(s, "0123456789abcdef"[c & 15]);
}

/* Bytes that are no UTF-8 (file names may hold any) stand as the character of that number. */
static void put_quoted(struct string *s, const char *text, size_t len)
{
	string_put_char(s, '"');
	while (len) {
		unsigned char c = (unsigned char)*text;
		size_t n = utf8_length((const unsigned char *)text, len);

		if (c == '"' || c == '\\') {
			string_put_char(s, '\\');
			string_put_char(s, (char)c);
		} else if (c < 0x20 || c == 0x7f || !n) {
			put_escape(s, c);
		} else {
			string_put(s, text, n);
		}
		n = n ? n : 1;
		text += n;
		len -= n;
	}
	string_put_char(s, '"');
}

static void put_name(struct string *s, const char *name)
{
	string_put_char(s, '"');
	string_puts(s, name);
	string_puts(s, "\":");
}

static void put_string(struct string *s, const char *name, const char *text)
{
	string_put_char(s, ',');
	put_name(s, name);
	put_quoted(s, text, strlen(text));
}

static void put_unsigned(struct string *s, const char *name, uint64_t v)
{
	string_put_char(s, ',');
	put_name(s, name);
	string_put_unsigned(s, v, 10);
}

void json_begin(struct trace_formatter *f)
{
	const struct trace_options *opt = &f->t->opt;
	struct string *s = &f->out;

	string_puts(s, "{\"format\":\"extant-trace\",\"version\":1");
	put_string(s, "dialect", opt->dialect == DIALECT_4_9 ? "4.9" : "6.18");
	string_puts(s, ",\"device\":\"");
	string_put_unsigned(s, opt->dev_major, 10);
	string_put_char(s, ',');
	string_put_unsigned(s, opt->dev_minor, 10);
	string_puts(s, "\"}\n");
}

static bool is_string(enum trace_type type)
{
	return type == TRACE_STR || type == TRACE_TEXT || type == TRACE_DEVICE;
}

static void put_value(struct string *s, const struct trace_item *item, const struct trace_text *x,
		      unsigned i)
{
	struct string text = { .arena = s->arena };

	if (!is_string(trace_value_type(trace_event(item->id), x->values[i]))) {
		trace_print_value(s, item, x, i);
		return;
	}
	trace_print_value(&text, item, x, i);
	put_quoted(s, text.bytes, text.len);
	s->failed |= text.failed;
	string_fini(&text);
}

/* What the text prints of the record, each field once. */
static void put_fields(struct string *s, const struct trace_item *item, const struct trace_text *x)
{
	const struct trace_event *e = trace_event(item->id);
	uint64_t done = 0;
	const char *comma = "";

	string_puts(s, ",\"fields\":{");
	for (unsigned i = 0; i < x->count; i++) {
		unsigned field = TRACE_VALUE_FIELD(x->values[i]);

		if (TRACE_VALUE_KIND(x->values[i]) == TRACE_VALUE_CONSTANT ||
		    field >= TRACE_FIELD_DEV || done >> field & 1)
			continue;
		done |= 1ull << field;
		string_puts(s, comma);
		put_name(s, e->fields[field].name);
		put_value(s, item, x, i);
		comma = ",";
	}
	string_put_char(s, '}');
}

static void put_scope(struct string *s, const char *what, const char *names)
{
	string_put_char(s, ',');
	put_name(s, what);
	put_quoted(s, names, strlen(names));
}

static void put_head(struct string *s, struct format_task *task, const struct trace_item *item)
{
	char scope[64];

	string_puts(s, "{\"seq\":");
	string_put_unsigned(s, item->number, 10);
	string_puts(s, ",\"time_ns\":");
	string_put_signed(s, item->time_ns);
	put_string(s, "task", item->ring->task_name);
	put_unsigned(s, "task_id", item->ring->task_id);
	put_unsigned(s, "depth", format_depth(task));
	format_scope_name(task, scope, sizeof(scope));
	if (*scope)
		put_string(s, "scope", scope);
	if (item->lost)
		put_unsigned(s, "lost", item->lost);
}

void json_item(struct trace_formatter *f, struct format_task *task, const struct trace_item *item,
	       const char *names)
{
	const struct trace_text *x = format_text(item);
	struct string *s = &f->out;
	size_t len;
	const char *mark;

	if (trace_event(item->id) && !x)
		return;
	put_head(s, task, item);
	if (item->id == TRACE_SCOPE_ENTER) {
		put_scope(s, "enter", names);
	} else if (item->id == TRACE_SCOPE_LEAVE) {
		put_scope(s, "leave", names);
	} else if (item->id == TRACE_MARK) {
		mark = format_mark(item, &len);
		string_puts(s, ",\"mark\":");
		put_quoted(s, mark, len);
	} else {
		put_string(s, "event", x->name);
		put_fields(s, item, x);
	}
	string_puts(s, "}\n");
}
