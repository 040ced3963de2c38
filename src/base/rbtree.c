/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A red-black tree. Each node is red or black, and two rules keep every path to a leaf within twice
 * the length of any other:
 *
 *   R1  a red node has no red child
 *   R2  all paths from a node down to an empty place pass the same number of black nodes
 *
 * An insertion adds a red node, which can only break R1; a removal of a black node can only break
 * R2. Both are mended from the place upwards by colouring and at most three rotations. An empty
 * place counts as black. Left and right are one code: `side()` of a node names the link to it.
 */
#include "base/rbtree.h"

#include <stddef.h>

enum side { LEFT, RIGHT };

static struct rb_node **child_link(struct rb_node *node, enum side side)
{
	return side == LEFT ? &node->left : &node->right;
}

static struct rb_node *child(struct rb_node *node, enum side side)
{
	return *child_link(node, side);
}

static enum side side(const struct rb_node *node)
{
	return node->parent->left == node ? LEFT : RIGHT;
}

static enum side other(enum side s)
{
	return s == LEFT ? RIGHT : LEFT;
}

static bool is_red(const struct rb_node *node)
{
	return node && node->red;
}

/* Whatever pointed at `old` points at `new` instead. */
static void replace(struct rb_tree *t, struct rb_node *old, struct rb_node *new)
{
	if (!old->parent)
		t->root = new;
	else
		*child_link(old->parent, side(old)) = new;
	if (new)
		new->parent = old->parent;
}

/* The child opposite of `to` rises, the node sinks to the side `to`. */
static void rotate(struct rb_tree *t, struct rb_node *node, enum side to)
{
	struct rb_node *riser = child(node, other(to));
	struct rb_node *inner = child(riser, to);

	replace(t, node, riser);
	*child_link(node, other(to)) = inner;
	if (inner)
		inner->parent = node;
	*child_link(riser, to) = node;
	node->parent = riser;
}

/*
 * `node` is red and so is its parent: the parent is not the root. Yields the node to look at next,
 * or NULL.
 */
static struct rb_node *mend_red_pair(struct rb_tree *t, struct rb_node *node)
{
	struct rb_node *parent = node->parent, *grand = parent->parent;
	enum side s = side(parent);
	struct rb_node *uncle = child(grand, other(s));

	if (is_red(uncle)) {
		parent->red = uncle->red = false;
		grand->red = true;
		return grand;
	}
	if (side(node) != s) {
		rotate(t, parent, s);
		parent = node;
	}
	parent->red = false;
	grand->red = true;
	rotate(t, grand, other(s));
	return NULL;
}

void rb_insert(struct rb_tree *t, struct rb_node *node, struct rb_node *parent,
	       struct rb_node **link)
{
	*node = (struct rb_node){ .parent = parent, .red = true };
	*link = node;
	while (node && is_red(node->parent))
		node = mend_red_pair(t, node);
	t->root->red = false;
}

/*
 * Paths through the `s` child of `parent` lack one black node. Mends it here or passes the lack up:
 * yields the node whose own paths lack it now, or NULL when nothing is lacking.
 */
static struct rb_node *mend_black_lack(struct rb_tree *t, struct rb_node *parent, enum side s)
{
	struct rb_node *sibling = child(parent, other(s));

	if (is_red(sibling)) {
		sibling->red = false;
		parent->red = true;
		rotate(t, parent, s);
		sibling = child(parent, other(s));
	}
	if (!is_red(sibling->left) && !is_red(sibling->right)) {
		sibling->red = true;
		if (!parent->red)
			return parent;
		parent->red = false;
		return NULL;
	}
	if (!is_red(child(sibling, other(s)))) {
		child(sibling, s)->red = false;
		sibling->red = true;
		rotate(t, sibling, other(s));
		sibling = child(parent, other(s));
	}
	sibling->red = parent->red;
	parent->red = false;
	child(sibling, other(s))->red = false;
	rotate(t, parent, s);
	return NULL;
}

/* The next node in order takes place and colour of `node`, which has two children. */
static void swap_with_next(struct rb_tree *t, struct rb_node *node)
{
	struct rb_node *next = node->right;
	struct rb_node copy;

	while (next->left)
		next = next->left;
	copy = *next;
	replace(t, node, next);
	next->red = node->red;
	next->left = node->left;
	next->left->parent = next;
	if (copy.parent == node) {
		next->right = node;
		node->parent = next;
	} else {
		next->right = node->right;
		next->right->parent = next;
		node->parent = copy.parent;
		copy.parent->left = node;
	}
	node->red = copy.red;
	node->left = NULL;
	node->right = copy.right;
	if (node->right)
		node->right->parent = node;
}

void rb_remove(struct rb_tree *t, struct rb_node *node)
{
	struct rb_node *only, *parent;
	enum side s = LEFT;

	if (node->left && node->right)
		swap_with_next(t, node);
	only = node->left ? node->left : node->right;
	parent = node->parent;
	if (parent)
		s = side(node);
	replace(t, node, only);
	if (only) {
		/* By R2 an only child is red and childless, its parent black. */
		only->red = false;
		return;
	}
	if (node->red)
		return;
	while (parent) {
		struct rb_node *lacking = mend_black_lack(t, parent, s);

		if (!lacking)
			return;
		parent = lacking->parent;
		if (parent)
			s = side(lacking);
	}
}

static struct rb_node *outermost(struct rb_node *node, enum side s)
{
	while (node && child(node, s))
		node = child(node, s);
	return node;
}

static struct rb_node *neighbour(const struct rb_node *from, enum side s)
{
	struct rb_node *node = (struct rb_node *)from;

	if (child(node, s))
		return outermost(child(node, s), other(s));
	while (node->parent && side(node) == s)
		node = node->parent;
	return node->parent;
}

struct rb_node *rb_first(const struct rb_tree *t)
{
	return outermost(t->root, LEFT);
}

struct rb_node *rb_last(const struct rb_tree *t)
{
	return outermost(t->root, RIGHT);
}

struct rb_node *rb_next(const struct rb_node *node)
{
	return neighbour(node, RIGHT);
}

struct rb_node *rb_prev(const struct rb_node *node)
{
	return neighbour(node, LEFT);
}
