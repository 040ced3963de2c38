/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Formatters: they read the trace, follow which scopes each task is in, and hand each record to the
 * format; ftrace's own is here, the call tree in tree.c, JSON lines in json.c.
 */
#include <errno.h>
#include <string.h>
#include "base/assert.h"
#include "trace/format.h"

#define WRITE_BYTES 65536

/* ---- tasks and their scopes */

static struct format_task *task_of(struct trace_formatter *f, const struct trace_ring *ring)
{
	struct format_task *task;

	list_for_each(task, &f->tasks, link)
		if (task->ring == ring && !strcmp(task->name, ring->task_name))
			return task;
	task = arena_new(f->t->arena, struct format_task);
	if (!task)
		return NULL;
	task->ring = ring;
	memcpy(task->name, ring->task_name, TASK_NAME_MAX);
	task->tree.arena = f->t->arena;
	list_add_tail(&f->tasks, &task->link);
	return task;
}

static unsigned count_names(const char *names)
{
	unsigned count = 1;

	for (; *names; names++)
		count += *names == ',';
	return count;
}

unsigned format_depth(const struct format_task *task)
{
	const struct format_scope *top;

	if (!task->open)
		return 0;
	top = &task->scopes[task->open - 1];
	return top->depth + count_names(top->names);
}

void format_scope_name(const struct format_task *task, char *out, size_t size)
{
	const char *name = task->open ? task->scopes[task->open - 1].names : "";
	const char *comma = strrchr(name, ',');
	size_t len;

	if (comma)
		name = comma + 1 + strspn(comma + 1, " ");
	len = min(strlen(name), size - 1);
	memcpy(out, name, len);
	out[len] = '\0';
}

static void scope_enter(struct format_task *task, const char *names)
{
	unsigned depth = format_depth(task);

	if (task->open < SCOPES_MAX)
		task->scopes[task->open++] = (struct format_scope){ names, depth };
}

/* Records may have been lost: what is open above the scope that ends has ended too. */
static void scope_leave(struct format_task *task, const char *names)
{
	for (unsigned i = task->open; i > 0; i--) {
		if (!strcmp(task->scopes[i - 1].names, names)) {
			task->open = i - 1;
			return;
		}
	}
}

/* ---- output */

static void write_out(struct trace_formatter *f)
{
	if (f->out.failed && !f->err)
		f->err = -ENOMEM;
	if (!f->err && f->out.len)
		f->err = f->write(f->arg, f->out.bytes, f->out.len);
	f->out.len = 0;
}

const struct trace_text *format_text(const struct trace_item *item)
{
	const struct trace_event *e = trace_event(item->id);

	if (!e)
		return NULL;
	return trace_event_choose(e, item->ring->trace->opt.dialect, item->values);
}

/* ---- ftrace's text: no scopes */

/* "            NAME-ID      [000] .....    12.345678: " */
static void put_ftrace_head(struct string *s, const struct trace_item *item)
{
	const char *name = item->ring->task_name;
	uint64_t us = (uint64_t)item->time_ns / 1000;
	size_t width = strlen(name), id_at;

	string_put_spaces(s, width < 16 ? 16 - width : 0);
	string_puts(s, name);
	string_put_char(s, '-');
	id_at = s->len;
	string_put_unsigned(s, item->ring->task_id, 10);
	width = s->len - id_at;
	string_put_spaces(s, width < 7 ? 7 - width : 0);
	string_puts(s, " [000] ..... ");
	string_put_filled(s, us / 1000000, 5, ' ');
	string_put_char(s, '.');
	string_put_filled(s, us % 1000000, 6, '0');
	string_puts(s, ": ");
}

/* A mark is one line whatever it was given. */
static void put_mark(struct string *s, const struct trace_item *item)
{
	size_t len;
	const char *text = format_mark(item, &len);

	for (size_t i = 0; i < len; i++)
		string_put_char(s, text[i] == '\n' ? ' ' : text[i]);
}

static void ftrace_item(struct trace_formatter *f, const struct trace_item *item)
{
	const struct trace_text *x = format_text(item);
	struct string *s = &f->out;

	if (item->lost) {
		string_puts(s, "CPU:0 [LOST ");
		string_put_unsigned(s, item->lost, 10);
		string_puts(s, " EVENTS]\n");
	}
	if (!x && item->id != TRACE_MARK)
		return;
	put_ftrace_head(s, item);
	string_puts(s, x ? x->name : "tracing_mark_write");
	string_puts(s, ": ");
	if (x)
		trace_print_text(s, item, x);
	else
		put_mark(s, item);
	string_put_char(s, '\n');
}

/* ---- all formats */

static void format_item(struct trace_formatter *f, struct format_task *task,
			const struct trace_item *item, const char *names)
{
	switch (f->format) {
	case TRACE_FTRACE:
		ftrace_item(f, item);
		break;
	case TRACE_TREE:
		tree_item(f, task, item, names);
		break;
	case TRACE_JSONL:
		json_item(f, task, item, names);
		break;
	}
}

/* A scope is shown where it begins: it is entered after its line, and left before. */
static int take_item(void *arg, const struct trace_item *item)
{
	struct trace_formatter *f = arg;
	struct format_task *task = task_of(f, item->ring);
	const char *names = NULL;

	if (!task)
		return f->err = -ENOMEM;
	if (item->id == TRACE_SCOPE_ENTER || item->id == TRACE_SCOPE_LEAVE)
		names = (const char *)(uintptr_t)item->values[0];
	if (item->id == TRACE_SCOPE_LEAVE)
		scope_leave(task, names);
	format_item(f, task, item, names);
	if (item->id == TRACE_SCOPE_ENTER)
		scope_enter(task, names);
	if (f->out.failed || f->header.failed || task->tree.failed)
		f->err = -ENOMEM;
	else if (f->out.len >= WRITE_BYTES)
		write_out(f);
	return f->err;
}

int trace_formatter_create(struct trace *t, enum trace_format format,
			   int (*write)(void *arg, const char *text, size_t len), void *arg,
			   struct trace_formatter **out)
{
	struct trace_formatter *f;
	int err;

	ensure(t != trace_none());
	f = arena_new(t->arena, struct trace_formatter);
	if (!f)
		return -ENOMEM;
	f->t = t;
	f->format = format;
	f->write = write;
	f->arg = arg;
	f->out.arena = f->header.arena = t->arena;
	list_init(&f->tasks);
	if (format == TRACE_JSONL)
		json_begin(f);
	write_out(f);
	err = f->err;
	if (err)
		trace_formatter_destroy(f);
	else
		*out = f;
	return err;
}

int trace_format_all(struct trace_formatter *f)
{
	int err;

	if (!trace_read_begin(f->t))
		return -EBUSY;
	if (!f->err)
		(void)trace_read(f->t, take_item, f);	/* its errors are f->err */
	write_out(f);
	err = f->err;
	trace_read_end(f->t);
	return err;
}

void trace_formatter_destroy(struct trace_formatter *f)
{
	struct format_task *task, *next;

	if (!f)
		return;
	if (f->format == TRACE_TREE && !f->err)
		tree_flush(f);
	write_out(f);
	list_for_each_safe(task, next, &f->tasks, link) {
		string_fini(&task->tree);
		arena_free(f->t->arena, task);
	}
	string_fini(&f->out);
	string_fini(&f->header);
	arena_free(f->t->arena, f);
}
