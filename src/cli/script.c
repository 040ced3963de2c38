/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interpreter of workload scripts: the lines one after the other, each with its marks in the trace and its
 * result. What the operations do is in script_*.c.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "cli/script_internal.h"

#define GAP_NS		(12 * NSEC_PER_MSEC)	/* passes before each operation, as in the recordings */

/* ---- results */

void script_add(struct script *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	for (;;) {
		va_start(ap, fmt);
		n = vsnprintf(s->info ? s->info + s->info_len : NULL, s->info_room - s->info_len, fmt, ap);
		va_end(ap);
		if (s->info && s->info_len + (size_t)n < s->info_room) {
			s->info_len += (size_t)n;
			return;
		}
		s->info_room = s->info_room * 2 + (size_t)n + 4096;
		s->info = realloc(s->info, s->info_room);
		if (!s->info)
			abort(); /* a test tool without memory for a line of text */
	}
}

void script_add_string(struct script *s, const char *p, size_t len)
{
	script_add(s, "\"");
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c == '"' || c == '\\')
			script_add(s, "\\%c", c);
		else if (c < 0x20 || c > 0x7e)
			script_add(s, "\\u%04x", c);
		else
			script_add(s, "%c", c);
	}
	script_add(s, "\"");
}

/* ---- one line */

static void print_result(struct script *s, int op, const char *text, int64_t ret)
{
	size_t info_len = s->info_len;
	const char *e = ret < 0 ? strerrorname_np((int)-ret) : NULL;

	if (!s->results)
		return;
	script_add_string(s, text, strlen(text));
	fprintf(s->results, "{\"op\":%d,\"cmd\":%s,\"ret\":%lld", op, s->info + info_len,
		(long long)(ret < 0 ? -1 : ret));
	if (ret < 0)
		fprintf(s->results, ",\"errno\":\"%s\"", e ? e : "?");
	fprintf(s->results, "%.*s}\n", (int)info_len, s->info);
	s->info_len = info_len;
}

static void mark_end(struct script *s, int op, int64_t ret)
{
	const char *e = ret < 0 ? strerrorname_np((int)-ret) : NULL;

	if (ret < 0)
		trace_mark(s->trace, "op_end %d ret=-1 %s", op, e ? e : "?");
	else
		trace_mark(s->trace, "op_end %d ret=%lld", op, (long long)ret);
}

static void pass_gap(struct script *s)
{
	if (s->x)
		(void)extant_sleep(s->x, GAP_NS);
	else
		clock_advance_to(s->clock, clock_monotonic(s->clock) + GAP_NS);
}

static const struct script_op *find_op(const char *name)
{
	static const struct script_op *const tables[] = {
		script_names_ops, script_data_ops, script_attr_ops, script_mount_ops,
	};

	for (size_t i = 0; i < array_size(tables); i++)
		for (const struct script_op *op = tables[i]; op->name; op++)
			if (!strcmp(op->name, name))
				return op;
	return NULL;
}

static int one_op(struct script *s, int op, const char *text, int64_t *ret)
{
	static struct script_line l;
	const struct script_op *o;
	int err;

	(void)snprintf(l.text, sizeof(l.text), "%s", text);
	err = script_tokenize(&l);
	if (err)
		return err;
	o = find_op(l.word[0]);
	if (!o) {
		s->unknown = strdup(l.word[0]);
		return -EINVAL;
	}
	pass_gap(s);
	s->info_len = 0;
	script_add(s, "%s", "");
	trace_mark(s->trace, "op_begin %d %.900s", op, text);
	err = s->around_op ? s->around_op(s->around_arg, op, true, text, 0) : 0;
	*ret = s->x || o->unmounted ? o->fn(s, &l) : -ENOENT;
	if (!err && s->around_op)
		err = s->around_op(s->around_arg, op, false, text, *ret);
	mark_end(s, op, *ret);
	print_result(s, op, text, *ret);
	return !err && s->after_op ? s->after_op(s->after_arg) : err;
}

/* ---- all lines */

static int run_lines(struct script *s, FILE *lines, int *op)
{
	static char text[SCRIPT_LINE_BYTES];
	int err = 0;

	while (!err && fgets(text, sizeof(text), lines)) {
		char *p = text + strspn(text, " \t");
		int64_t ret;

		p[strcspn(p, "\n")] = '\0';
		if (*p && *p != '#' && *p != '%')
			err = one_op(s, (*op)++, p, &ret);
	}
	return err;
}

static void close_all(struct script *s)
{
	for (int i = 0; i < SCRIPT_FILES; i++) {
		if (s->fds[i] >= 0 && s->x)
			(void)extant_close(s->x, s->fds[i]);
		s->fds[i] = -1;
	}
}

int script_run(struct script *s, FILE *lines)
{
	int64_t ret = 0;
	int op = 0, err = one_op(s, op++, "mount", &ret), last;

	if (!err && ret) {
		s->mount_error = (int)ret;
		return s->mount_error;
	}
	if (!err)
		err = run_lines(s, lines, &op);
	close_all(s);
	if (s->x) {
		last = one_op(s, op, "umount", &ret);
		err = err ? err : last;
	}
	return err;
}

void script_init(struct script *s)
{
	memset(s, 0, sizeof(*s));
	for (int i = 0; i < SCRIPT_FILES; i++)
		s->fds[i] = -1;
	extant_options_init(&s->opt);
}

void script_fini(struct script *s)
{
	free(s->info);
	s->info = NULL;
}
