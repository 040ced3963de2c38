/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the three formats share: the tasks met so far with their open scopes, the output. Inside
 * trace/.
 */
#ifndef EXTANT_TRACE_FORMAT_H
#define EXTANT_TRACE_FORMAT_H

#include "base/list.h"
#include "trace/text.h"

#define SCOPES_MAX 128			/* deeper ones are not shown */

struct format_scope {
	const char *names;		/* "one" or "outer, inner" */
	unsigned depth;			/* how many names enclose it */
};

struct format_task {
	struct list link;		/* of the formatter's tasks */
	const struct trace_ring *ring;	/* whose records, written under this name */
	char name[TASK_NAME_MAX];
	struct format_scope scopes[SCOPES_MAX];
	unsigned open;
	/* of the tree: */
	struct string tree;		/* lines of the current operation */
	bool reopen;			/* its open scopes stand in an earlier piece: repeat them */
};

/* Boxes that enclose what is emitted now. */
unsigned format_depth(const struct format_task *task);
/* The innermost of them, copied up to `size`; "" if there is none. */
void format_scope_name(const struct format_task *task, char *out, size_t size);

struct trace_formatter {
	struct trace *t;
	enum trace_format format;
	int (*write)(void *arg, const char *text, size_t len);
	void *arg;
	int err;			/* the first; then nothing more is written */
	struct string out;		/* whole lines, not yet written */
	struct list tasks;
	/* of the tree: */
	bool in_operation;
	bool continued;			/* a part of this operation is written already */
	struct string header;		/* "op N: ... -> ret=R" of the current operation */
};

void json_begin(struct trace_formatter *f);
void json_item(struct trace_formatter *f, struct format_task *task, const struct trace_item *item,
	       const char *names);

void tree_item(struct trace_formatter *f, struct format_task *task, const struct trace_item *item,
	       const char *names);
void tree_flush(struct trace_formatter *f);

/* The text that prints this item; NULL: no event, or none of this dialect. */
const struct trace_text *format_text(const struct trace_item *item);
/* The bytes of a mark. */
static inline const char *format_mark(const struct trace_item *item, size_t *len)
{
	*len = item->values[0];
	return (const char *)&item->values[1];
}

#endif
