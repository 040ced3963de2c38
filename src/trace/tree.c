/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The call tree: function names indented under each other, events in braces at their place, one
 * tree per task and operation, the operation as the header.
 *
 *	## op 2: open fd=1 /hello.txt O_CREAT|O_RDWR 0644 -> ret=0
 *	[app-1]
 *	path_openat
 *	  ext4_create
 *	    __ext4_new_inode
 *	      { ext4_request_inode: dev 7,0 dir 2 mode 0100644 }
 *
 * Tasks run at the same time, so the lines of an operation are kept, task by task, until the next
 * operation begins (or there are too many). Before the first operation, and where a program marks
 * none, a tree is written when its outermost scope ends.
 */
#include <string.h>
#include "trace/format.h"

#define KEEP_BYTES (8u << 20)		/* then the trees so far are written, and continued */

static void indent(struct string *s, unsigned depth)
{
	string_put_spaces(s, 2 * (size_t)depth);
}

/* One line for each name of "outer, inner", each deeper than the one before. */
static void put_names(struct string *s, unsigned depth, const char *names)
{
	while (*names) {
		size_t len = strcspn(names, ",");

		indent(s, depth++);
		string_put(s, names, len);
		string_put_char(s, '\n');
		names += len;
		names += strspn(names, ", ");
	}
}

/* Where a line of this task goes. Its first line makes its tree the last of the operation's. */
static struct string *tree_of(struct trace_formatter *f, struct format_task *task)
{
	struct string *s = &task->tree;

	if (s->len)
		return s;
	list_remove(&task->link);
	list_add_tail(&f->tasks, &task->link);
	if (task->reopen)
		for (unsigned i = 0; i < task->open; i++)
			put_names(s, task->scopes[i].depth, task->scopes[i].names);
	task->reopen = false;
	return s;
}

static void put_event(struct string *s, unsigned depth, const struct trace_item *item,
		      const struct trace_text *x)
{
	size_t start;

	indent(s, depth);
	string_puts(s, "{ ");
	string_puts(s, x->name);
	string_puts(s, ": ");
	start = s->len;
	trace_print_text(s, item, x);
	for (size_t i = start; i < s->len; i++)
		if (s->bytes[i] == '\n')
			s->bytes[i] = ' ';
	while (s->len > start && s->bytes[s->len - 1] == ' ')
		s->len--;
	string_puts(s, " }\n");
}

/* ---- writing */

static void write_header(struct trace_formatter *f)
{
	string_puts(&f->out, "## ");
	string_put(&f->out, f->header.bytes, f->header.len);
	string_puts(&f->out, f->continued ? " (continued)\n" : "\n");
}

static void write_tree(struct trace_formatter *f, struct format_task *task)
{
	struct string *s = &task->tree;

	if (!s->len)
		return;
	string_put_char(&f->out, '[');
	string_puts(&f->out, task->name);
	string_put_char(&f->out, '-');
	string_put_unsigned(&f->out, task->ring->task_id, 10);
	string_puts(&f->out, "]\n");
	string_put(&f->out, s->bytes, s->len);
	s->len = 0;
	task->reopen = task->open > 0;
}

void tree_flush(struct trace_formatter *f)
{
	struct format_task *task;

	if (f->in_operation)
		write_header(f);
	list_for_each(task, &f->tasks, link)
		write_tree(f, task);
	if (f->in_operation)
		string_put_char(&f->out, '\n');
	f->continued = true;
}

/* ---- marks */

static bool begins_with(const char *text, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len >= n && !memcmp(text, word, n);
}

/* "op_begin N TEXT" becomes the header "op N: TEXT". */
static void begin_operation(struct trace_formatter *f, const char *text, size_t len)
{
	const char *blank = memchr(text, ' ', len);
	size_t number = blank ? (size_t)(blank - text) : len;
	size_t rest = blank ? number + 1 : len;

	tree_flush(f);
	f->in_operation = true;
	f->continued = false;
	f->header.len = 0;
	string_puts(&f->header, "op ");
	string_put(&f->header, text, number);
	string_puts(&f->header, ": ");
	string_put(&f->header, text + rest, len - rest);
}

/* "op_end N RESULT": the result goes behind the header. */
static void end_operation(struct trace_formatter *f, const char *text, size_t len)
{
	const char *blank = memchr(text, ' ', len);

	if (!blank || !f->in_operation)
		return;
	string_puts(&f->header, " -> ");
	string_put(&f->header, blank + 1, len - (size_t)(blank + 1 - text));
}

static void put_mark(struct trace_formatter *f, struct format_task *task,
		     const struct trace_item *item)
{
	size_t len;
	const char *text = format_mark(item, &len);
	struct string *s;

	if (begins_with(text, len, "op_begin ")) {
		begin_operation(f, text + 9, len - 9);
	} else if (begins_with(text, len, "op_end ")) {
		end_operation(f, text + 7, len - 7);
	} else {
		s = tree_of(f, task);
		indent(s, format_depth(task));
		string_puts(s, "# ");
		string_put(s, text, len);
		string_put_char(s, '\n');
	}
}

/* ---- records */

static size_t kept_bytes(const struct trace_formatter *f)
{
	const struct format_task *task;
	size_t bytes = 0;

	list_for_each(task, &f->tasks, link)
		bytes += task->tree.len;
	return bytes;
}

static void put_lost(struct string *s, unsigned depth, uint64_t count)
{
	indent(s, depth);
	string_puts(s, "... ");
	string_put_unsigned(s, count, 10);
	string_puts(s, " records lost\n");
}

void tree_item(struct trace_formatter *f, struct format_task *task, const struct trace_item *item,
	       const char *names)
{
	const struct trace_text *x = format_text(item);
	unsigned depth = format_depth(task);
	size_t before = task->tree.len;

	if (item->lost)
		put_lost(tree_of(f, task), depth, item->lost);
	if (item->id == TRACE_MARK)
		put_mark(f, task, item);
	else if (item->id == TRACE_SCOPE_ENTER)
		put_names(tree_of(f, task), depth, names);
	else if (x)
		put_event(tree_of(f, task), depth, item, x);
	if (!f->in_operation && !depth && item->id != TRACE_SCOPE_ENTER)
		write_tree(f, task);
	else if (task->tree.len / (KEEP_BYTES / 8) != before / (KEEP_BYTES / 8) &&
		 kept_bytes(f) > KEEP_BYTES)
		tree_flush(f);
}
