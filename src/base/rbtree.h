/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A balanced tree of nodes that lie inside the things they order. The caller walks down to the
 * place, links the node there and lets the tree balance itself:
 *
 *	struct rb_node **link = &tree->root, *parent = NULL;
 *	while (*link) { parent = *link; link = less ? &parent->left : &parent->right; }
 *	rb_insert(tree, node, parent, link);
 */
#ifndef EXTANT_BASE_RBTREE_H
#define EXTANT_BASE_RBTREE_H

#include <stdbool.h>
#include "base/compiler.h"

struct rb_node {
	struct rb_node *parent, *left, *right;
	bool red;
};

struct rb_tree {
	struct rb_node *root;
};

void rb_insert(struct rb_tree *t, struct rb_node *node, struct rb_node *parent,
	       struct rb_node **link);
void rb_remove(struct rb_tree *t, struct rb_node *node);
struct rb_node *rb_first(const struct rb_tree *t);
struct rb_node *rb_last(const struct rb_tree *t);
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);

#define rb_entry(node, type, member) container_of(node, type, member)
#define rb_entry_or_null(node, type, member) \
	({ \
		struct rb_node *rb_n_ = (node); \
		rb_n_ ? rb_entry(rb_n_, type, member) : NULL; \
	})

#endif
