/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random insertions and removals against a plain array of flags; after each the rules of the tree
 * hold (order, links back, no red pair, equal black heights).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "base/rbtree.h"

#define KEYS 200

struct item {
	struct rb_node node;
	int key;
};

static struct item *item_of(struct rb_node *node)
{
	return rb_entry_or_null(node, struct item, node);
}

static void insert(struct rb_tree *t, struct item *item)
{
	struct rb_node **link = &t->root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = item->key < item_of(parent)->key ? &parent->left : &parent->right;
	}
	rb_insert(t, &item->node, parent, link);
}

/* The number of black nodes on each path down. */
static int check_subtree(const struct rb_node *node, const struct rb_node *parent)
{
	int left, right;

	if (!node)
		return 0;
	assert_ptr_equal(node->parent, parent);
	if (node->red) {
		assert_false(node->left && node->left->red);
		assert_false(node->right && node->right->red);
	}
	left = check_subtree(node->left, node);
	right = check_subtree(node->right, node);
	assert_int_equal(left, right);
	return left + !node->red;
}

static void check_tree(const struct rb_tree *t, const bool *present)
{
	struct rb_node *node = rb_first(t), *back = rb_last(t);

	assert_false(t->root && t->root->red);
	check_subtree(t->root, NULL);
	for (int key = 0; key < KEYS; key++) {
		if (!present[key])
			continue;
		assert_non_null(node);
		assert_int_equal(item_of(node)->key, key);
		node = rb_next(node);
	}
	assert_null(node);
	for (int key = KEYS - 1; key >= 0; key--) {
		if (!present[key])
			continue;
		assert_int_equal(item_of(back)->key, key);
		back = rb_prev(back);
	}
	assert_null(back);
}

static void random_changes_keep_the_rules(void **state)
{
	static struct item items[KEYS];
	bool present[KEYS] = { false };
	struct rb_tree t = { NULL };
	struct random r;

	random_init_seed(&r, 7);
	for (int i = 0; i < KEYS; i++)
		items[i].key = i;
	for (int step = 0; step < 20000; step++) {
		uint32_t key = random_below(&r, KEYS);

		if (present[key])
			rb_remove(&t, &items[key].node);
		else
			insert(&t, &items[key]);
		present[key] = !present[key];
		if (step % 7 == 0)
			check_tree(&t, present);
	}
}

static void ascending_insertions_and_removals(void **state)
{
	static struct item items[KEYS];
	bool present[KEYS] = { false };
	struct rb_tree t = { NULL };

	for (int i = 0; i < KEYS; i++) {
		items[i].key = i;
		insert(&t, &items[i]);
		present[i] = true;
		check_tree(&t, present);
	}
	for (int i = 0; i < KEYS; i++) {
		rb_remove(&t, &items[i].node);
		present[i] = false;
		check_tree(&t, present);
	}
	assert_null(t.root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_changes_keep_the_rules),
		cmocka_unit_test(ascending_insertions_and_removals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
