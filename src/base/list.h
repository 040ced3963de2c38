/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ring of nodes that lie inside the things they link. The head is a node too; an empty list
 * points at itself.
 */
#ifndef EXTANT_BASE_LIST_H
#define EXTANT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include "base/compiler.h"

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_insert_between(struct list *node, struct list *prev, struct list *next)
{
	node->prev = prev;
	node->next = next;
	prev->next = node;
	next->prev = node;
}

static inline void list_add_head(struct list *l, struct list *node)
{
	list_insert_between(node, l, l->next);
}

static inline void list_add_tail(struct list *l, struct list *node)
{
	list_insert_between(node, l->prev, l);
}

/* Takes the node out and leaves it empty, so that removing twice is harmless. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* Moves all of `from` to the end of `to`. */
static inline void list_splice_tail(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define list_entry(node, type, member)	container_of(node, type, member)
#define list_first(l, type, member)	(list_empty(l) ? NULL : list_entry((l)->next, type, member))
#define list_last(l, type, member)	(list_empty(l) ? NULL : list_entry((l)->prev, type, member))

#define list_for_each(pos, l, member) \
	for (pos = list_entry((l)->next, __typeof__(*pos), member); &pos->member != (l); \
	     pos = list_entry(pos->member.next, __typeof__(*pos), member))

/* The node at hand may be removed on the way. */
#define list_for_each_safe(pos, tmp, l, member) \
	for (pos = list_entry((l)->next, __typeof__(*pos), member), \
	     tmp = list_entry(pos->member.next, __typeof__(*pos), member); &pos->member != (l); \
	     pos = tmp, tmp = list_entry(tmp->member.next, __typeof__(*tmp), member))

#endif
