/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the trace knows of its events, for events_test.py and for the manual.
 *
 *	events-dump			every event and table of each dialect, a JSON object a line
 *	events-dump --print < LINES	the text of events given as "DIALECT NAME FIELD=VALUE ..."
 *	events-dump --sample FORMAT DIALECT
 *					one of each event, with marks and scopes, as FORMAT (ftrace,
 *					tree or jsonl) shows them
 *	events-dump --manual		the list of events as a page of the documentation
 *
 * The words of LINES are divided by tabs; fields not given are 0.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "trace/text.h"

static const char *const dialects[] = { [DIALECT_4_9] = "4.9", [DIALECT_6_18] = "6.18" };
static const char *const types[] = {
	[TRACE_U32] = "u32",   [TRACE_U64] = "u64", [TRACE_S32] = "s32",   [TRACE_S64] = "s64",
	[TRACE_FLAG] = "flag", [TRACE_STR] = "str", [TRACE_TEXT] = "text", [TRACE_DEVICE] = "dev",
};

static void put_json(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '\n')
			fputs("\\n", stdout);
		else
			putchar(*s);
	}
	putchar('"');
}

/* ---- the list */

static const char *value_name(const struct trace_event *e, uint16_t value, char *buf, size_t size,
			      unsigned at)
{
	unsigned field = TRACE_VALUE_FIELD(value);

	if (TRACE_VALUE_KIND(value) == TRACE_VALUE_CONSTANT) {
		snprintf(buf, size, "const%u", at);
		return buf;
	}
	if (field == TRACE_FIELD_DEV)
		return "dev";
	if (field == TRACE_FIELD_COMM)
		return "comm";
	return field == TRACE_FIELD_CMD ? "cmd" : e->fields[field].name;
}

static void put_values(const struct trace_event *e, const struct trace_text *x,
		       enum trace_dialect dialect)
{
	char name[16];
	unsigned at = 0;		/* the conversion */

	for (unsigned i = 0; i < x->count; i++, at++) {
		const struct trace_names *table =
			trace_names(TRACE_VALUE_TABLE(x->values[i]), dialect);
		bool device = trace_value_type(e, x->values[i]) == TRACE_DEVICE;

		printf("%s[", i ? "," : "");
		put_json(value_name(e, x->values[i], name, sizeof(name), at));
		printf(",%d,", TRACE_VALUE_KIND(x->values[i]));
		put_json(table ? table->name : "");
		printf(",%d]", device ? 2 : 1);
		at += device;
	}
}

static void put_event(const struct trace_event *e, const struct trace_text *x,
		      enum trace_dialect dialect)
{
	printf("{\"dialect\":\"%s\",\"system\":\"%s\",\"event\":\"%s\",\"of\":\"%s\",\"printf\":",
	       dialects[dialect], e->system, x->name, e->name);
	put_json(x->printf);
	printf(",\"values\":[");
	put_values(e, x, dialect);
	printf("],\"fields\":[");
	for (unsigned i = 0; i < e->field_count; i++)
		printf("%s[\"%s\",\"%s\"]", i ? "," : "", e->fields[i].name,
		       types[e->fields[i].type]);
	printf("],\"when\":");
	put_json(x->when == TRACE_ALWAYS ? "" : e->fields[x->when].name);
	printf("}\n");
}

static void put_table(const struct trace_names *t, enum trace_dialect dialect)
{
	printf("{\"dialect\":\"%s\",\"table\":\"%s\",\"delimiter\":\"%s\",\"names\":[",
	       dialects[dialect], t->name, t->delimiter);
	for (const struct trace_name *n = t->names; n->name; n++)
		printf("%s[%llu,\"%s\"]", n == t->names ? "" : ",", (unsigned long long)n->value,
		       n->name);
	printf("]}\n");
}

static void list_dialect(enum trace_dialect dialect)
{
	for (unsigned id = 0; id < TRACE_EVENT_COUNT; id++) {
		const struct trace_event *e = trace_event((enum trace_event_id)id);

		for (const struct trace_text *x = e ? trace_event_text(e, dialect, e->texts) : NULL;
		     x; x = trace_event_text(e, dialect, x + 1))
			put_event(e, x, dialect);
	}
	for (int table = 0; table <= TRACE_TABLE_ioprio_class; table++) {
		const struct trace_names *t = trace_names((enum trace_table)table, dialect);

		if (t)
			put_table(t, dialect);
	}
}

/* ---- the manual */

static void put_manual_row(const struct trace_event *e, const struct trace_text *x)
{
	bool both = x->dialects == (1u << DIALECT_4_9 | 1u << DIALECT_6_18);

	printf("| `%s`", x->name);
	if (x->when != TRACE_ALWAYS)
		printf(" if `%s`", e->fields[x->when].name);
	printf(" | %s | `", both ? "both" : x->dialects & 1u << DIALECT_4_9 ? "4.9" : "6.18");
	for (const char *p = x->printf; *p; p++)
		putchar(*p == '\n' ? ' ' : *p);
	printf("` |\n");
}

static void put_manual(void)
{
	printf("# Trace events\n\n"
	       "Made by `events-dump --manual` from `src/trace/events.def`. An event has the\n"
	       "name and the text of the kernel whose dialect is chosen; `both` print it alike.\n"
	       "Rows that follow each other under one name, or where the second name is the\n"
	       "newer one, are one event.\n\n"
	       "| event | kernel | text |\n|---|---|---|\n");
	for (unsigned id = 0; id < TRACE_EVENT_COUNT; id++) {
		const struct trace_event *e = trace_event((enum trace_event_id)id);

		for (unsigned i = 0; e && i < e->text_count; i++)
			put_manual_row(e, &e->texts[i]);
	}
}

/* ---- printing given events */

static enum trace_event_id find_event(const char *name)
{
	for (unsigned id = 0; id < TRACE_EVENT_COUNT; id++) {
		const struct trace_event *e = trace_event((enum trace_event_id)id);

		if (e && !strcmp(e->name, name))
			return (enum trace_event_id)id;
	}
	fprintf(stderr, "no event %s\n", name);
	exit(1);
}

static uint64_t word_of(enum trace_type type, const char *value)
{
	uint64_t word = 0;

	if (type == TRACE_STR)
		return (uint64_t)(uintptr_t)value;
	if (type == TRACE_TEXT) {
		for (unsigned i = 0; i < 8 && value[i]; i++)
			word |= (uint64_t)(unsigned char)value[i] << 8 * i;
		return word;
	}
	return *value == '-' ? (uint64_t)strtoll(value, NULL, 10) : strtoull(value, NULL, 10);
}

static void set_field(const struct trace_event *e, uint64_t *words, char *assignment)
{
	char *value = strchr(assignment, '=');

	*value++ = '\0';
	for (unsigned i = 0; i < e->field_count; i++) {
		if (!strcmp(e->fields[i].name, assignment)) {
			words[i] = word_of(e->fields[i].type, value);
			return;
		}
	}
	fprintf(stderr, "%s: no field %s\n", e->name, assignment);
	exit(1);
}

static void print_line(struct arena *a, char *line)
{
	struct trace t = { .opt = { .dev_major = 7, .dev_minor = 0 } };
	struct trace_ring ring = { .trace = &t, .task_name = "task" };
	struct string s = { .arena = a };
	uint64_t words[32] = { 0 };
	struct trace_item item = { .values = words, .ring = &ring };
	char *at = line, *word = strsep(&at, "\t");
	const struct trace_text *x;

	t.opt.dialect = strcmp(word, "4.9") ? DIALECT_6_18 : DIALECT_4_9;
	item.id = find_event(strsep(&at, "\t"));
	while ((word = strsep(&at, "\t")))
		set_field(trace_event(item.id), words, word);
	x = trace_event_choose(trace_event(item.id), t.opt.dialect, words);
	if (x) {
		trace_print_text(&s, &item, x);
		printf("%s: ", x->name);
		put_json((string_put(&s, "", 1), s.bytes));
	}
	printf("\n");
	string_fini(&s);
}

static int print_lines(void)
{
	struct arena *a = arena_create();
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	while ((len = getline(&line, &size, stdin)) > 0) {
		line[strcspn(line, "\n")] = '\0';
		print_line(a, line);
	}
	free(line);
	arena_destroy(a);
	return 0;
}

/* ---- one of each */

static uint64_t sample_of(const struct trace_event *e, unsigned field)
{
	switch (e->fields[field].type) {
	case TRACE_STR:
		return (uint64_t)(uintptr_t)"some_function";
	case TRACE_TEXT:
		return word_of(TRACE_TEXT, "FWFSM");
	case TRACE_DEVICE:
		return TRACE_DEV(8, 3);
	case TRACE_FLAG:
		return 1;
	case TRACE_S32:
	case TRACE_S64:
		return (uint64_t)-(int64_t)(field + 1);
	case TRACE_U64:
		return 5000000000u + field;
	default:
		return field + 1;
	}
}

static void record_samples(struct trace *t)
{
	trace_mark(t, "op_begin 1 touch /a \"b\\c\x01\xff\xc3\xa4\xed\xa0\x80\x7f");
	for (unsigned id = 0; id < TRACE_EVENT_COUNT; id++) {
		const struct trace_event *e = trace_event((enum trace_event_id)id);
		uint64_t words[32] = { 0 };

		if (!e || !trace_on(t, (enum trace_event_id)id))
			continue;
		for (unsigned i = 0; i < e->field_count; i++)
			words[i] = sample_of(e, i);
		trace_scope_enter(t, "outer, inner");
		trace_record(t, (enum trace_event_id)id, words, e->field_count);
		for (unsigned i = 0; i < e->field_count; i++)
			words[i] = e->fields[i].type == TRACE_STR ? words[i] : 0;
		trace_record(t, (enum trace_event_id)id, words, e->field_count);
		trace_scope_leave(t, "outer, inner");
	}
	trace_mark(t, "op_end 1 ret=0");
}

static int write_stdout(void *arg, const char *text, size_t len)
{
	return fwrite(text, 1, len, stdout) == len ? 0 : -EIO;
}

static int print_samples(const char *format_name, const char *dialect)
{
	struct arena *a = arena_create();
	struct clock clock;
	struct trace_options opt = { .dialect = strcmp(dialect, "4.9") ? DIALECT_6_18 : DIALECT_4_9,
				     .dev_major = 7, .clock = &clock };
	enum trace_format format = !strcmp(format_name, "ftrace") ? TRACE_FTRACE :
				   !strcmp(format_name, "tree") ? TRACE_TREE : TRACE_JSONL;
	struct trace_formatter *f;
	struct trace *t;
	int err;

	clock_init_virtual(&clock, 0, 0);
	clock_advance_to(&clock, 1234567890);
	err = trace_create(a, &opt, &t);
	if (!err)
		err = trace_formatter_create(t, format, write_stdout, NULL, &f);
	if (err)
		return 1;
	trace_enable(t, "*", true);
	record_samples(t);
	err = trace_format_all(f);
	trace_formatter_destroy(f);
	trace_destroy(t);
	arena_destroy(a);
	return err ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--print"))
		return print_lines();
	if (argc == 2 && !strcmp(argv[1], "--manual")) {
		put_manual();
		return 0;
	}
	if (argc == 4 && !strcmp(argv[1], "--sample"))
		return print_samples(argv[2], argv[3]);
	if (argc != 1) {
		fprintf(stderr,
			"usage: events-dump [--print | --sample FORMAT DIALECT | --manual]\n");
		return 2;
	}
	list_dialect(DIALECT_4_9);
	list_dialect(DIALECT_6_18);
	return 0;
}
