/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A node covers the numbers that agree above its shift + 6 bits; its place i is for those with i in
 * the 6 bits above its shift. At shift 0 the places hold entries, above that nodes. Marks are kept
 * for each place: PRESENT, that something is there, and one a tag, that it or something below it
 * has the tag.
 *
 *	root -> [shift 6: 0 . . 3 ...]      numbers 0 and 200 (3 * 64 + 8)
 *	              |         \
 *	    [shift 0: 0]     [shift 0: 8]
 *
 * R1  A node is complete before a pointer to it is published (release), and reached through
 *     acquire: a reader sees what was put in it before.
 * R2  A place is filled before it is marked and unmarked before it is emptied: who follows a mark
 *     and finds nothing lost a race and goes on.
 * R3  A node that is taken out keeps its contents until no reader is left: a reader in it ends where
 *     it would have ended before. So an emptied node is retired, never used again.
 * R4  No node but the root is empty, and the root only while a change is under way; the root has
 *     more than its first place, or is none.
 */
#include "base/radix.h"

#include <errno.h>
#include <stddef.h>

#include "base/assert.h"

#define PLACE_BITS  6
#define PLACE_COUNT 64u
#define SHIFT_MAX   60u

enum mark { PRESENT, TAGGED, MARK_COUNT = TAGGED + RADIX_TAGS };	/* TAGGED + tag */

struct radix_node {
	struct epoch_node retired;
	struct arena *arena;
	struct radix_node *parent;
	uint32_t shift;
	uint32_t place_in_parent;
	_Atomic uint64_t marks[MARK_COUNT];
	_Atomic(void *) places[PLACE_COUNT];
};

/* ---- reading and writing of single words */

static bool is_node(const void *root)
{
	return (uintptr_t)root & 1;
}

static struct radix_node *node_of(void *root)
{
	return (struct radix_node *)((char *)root - 1);
}

static void *root_of(struct radix_node *node)
{
	return (char *)node + 1;
}

static void *get_root(const struct radix *r)
{
	return atomic_load_explicit(&r->root, memory_order_acquire);
}

static void set_root(struct radix *r, void *root)
{
	atomic_store_explicit(&r->root, root, memory_order_release);
}

static bool root_is_tagged(const struct radix *r, enum radix_tag tag)
{
	return atomic_load_explicit(&r->root_tagged[tag], memory_order_relaxed);
}

static void tag_root(struct radix *r, enum radix_tag tag, bool tagged)
{
	atomic_store_explicit(&r->root_tagged[tag], tagged, memory_order_relaxed);
}

static void *get_place(const struct radix_node *node, uint32_t place)
{
	return atomic_load_explicit(&node->places[place], memory_order_acquire);
}

static void set_place(struct radix_node *node, uint32_t place, void *p)
{
	atomic_store_explicit(&node->places[place], p, memory_order_release);
}

static uint64_t get_marks(const struct radix_node *node, enum mark mark)
{
	return atomic_load_explicit(&node->marks[mark], memory_order_acquire);
}

/* One writer: a load and a store are enough. */
static void set_mark(struct radix_node *node, enum mark mark, uint32_t place)
{
	atomic_store_explicit(&node->marks[mark], get_marks(node, mark) | 1ULL << place,
			      memory_order_release);
}

static void clear_mark(struct radix_node *node, enum mark mark, uint32_t place)
{
	atomic_store_explicit(&node->marks[mark], get_marks(node, mark) & ~(1ULL << place),
			      memory_order_release);
}

static bool has_mark(const struct radix_node *node, enum mark mark, uint32_t place)
{
	return get_marks(node, mark) >> place & 1;
}

static uint32_t place_of(uint64_t key, uint32_t shift)
{
	return (uint32_t)(key >> shift) % PLACE_COUNT;
}

/* Whether a node with that shift covers the number, as the root. */
static bool covers(uint32_t shift, uint64_t key)
{
	return key >> shift >> PLACE_BITS == 0;
}

/* ---- nodes */

static struct radix_node *node_create(struct radix *r, uint32_t shift)
{
	struct radix_node *node = arena_new(r->arena, struct radix_node);

	if (node) {
		node->arena = r->arena;
		node->shift = shift;
	}
	return node;
}

static void node_free(struct epoch_node *retired)
{
	struct radix_node *node = container_of(retired, struct radix_node, retired);

	arena_free(node->arena, node);
}

static void node_retire(struct radix *r, struct radix_node *node)
{
	if (r->retire)
		r->retire(&node->retired, node_free);
	else
		node_free(&node->retired);
}

static void attach(struct radix_node *parent, uint32_t place, struct radix_node *child)
{
	child->parent = parent;
	child->place_in_parent = place;
	set_place(parent, place, child);
	set_mark(parent, PRESENT, place);
}

/* ---- looking */

/*
 * A reader loads the root once: between two loads an entry could move from a node to the root
 * itself. A node's shift follows from the root's: that spares a reader the first line of each.
 */
static struct radix_node *leaf_below(void *root, uint64_t key)
{
	struct radix_node *node;

	if (!is_node(root) || !covers(node_of(root)->shift, key))
		return NULL;
	node = node_of(root);
	for (uint32_t shift = node->shift; node && shift; shift -= PLACE_BITS)
		node = get_place(node, place_of(key, shift));
	return node;
}

void *radix_lookup(const struct radix *r, uint64_t key)
{
	void *root = get_root(r);
	struct radix_node *leaf;

	if (!is_node(root))
		return key == 0 ? root : NULL;
	leaf = leaf_below(root, key);
	return leaf ? get_place(leaf, place_of(key, 0)) : NULL;
}

void radix_prefetch(const struct radix *r, uint64_t key)
{
	const struct radix_node *leaf = leaf_below(get_root(r), key);

	if (leaf)
		__builtin_prefetch(&leaf->places[place_of(key, 0)]);
}

uint32_t radix_lookup_run(const struct radix *r, uint64_t key, void **out, uint32_t max)
{
	void *root = get_root(r);
	struct radix_node *leaf = leaf_below(root, key);
	uint32_t place = place_of(key, 0), count = 0;

	if (!leaf) {
		out[0] = !is_node(root) && key == 0 && max ? root : NULL;
		return out[0] != NULL;
	}
	while (count < max && place < PLACE_COUNT && (out[count] = get_place(leaf, place++)))
		count++;
	return count;
}

bool radix_empty(const struct radix *r)
{
	return !get_root(r);
}

bool radix_tagged(const struct radix *r, uint64_t key, enum radix_tag tag)
{
	void *root = get_root(r);
	struct radix_node *leaf;

	if (!is_node(root))
		return key == 0 && root_is_tagged(r, tag);
	leaf = leaf_below(root, key);
	return leaf && has_mark(leaf, TAGGED + tag, place_of(key, 0));
}

bool radix_any_tagged(const struct radix *r, enum radix_tag tag)
{
	void *root = get_root(r);

	if (!is_node(root))
		return root_is_tagged(r, tag);
	return get_marks(node_of(root), TAGGED + tag) != 0;
}

/*
 * Moves the number to the first one past the 2^shift numbers that it lies among; false past the
 * last of all.
 */
static bool step_over(uint64_t *key, uint32_t shift)
{
	if (shift > SHIFT_MAX)
		return false;
	*key = ((*key >> shift) + 1) << shift;
	return *key != 0;
}

/*
 * Follows the marks down from the root. Where there is none left in a node, or a mark leads to
 * nothing (R2), the number moves past it; then `*again` is set and the walk begins at the root once
 * more.
 */
static void *follow_marks(struct radix_node *node, uint64_t *key, enum mark mark, bool *again)
{
	for (;;) {
		uint32_t place = place_of(*key, node->shift);
		uint64_t marks = get_marks(node, mark) >> place << place;
		uint32_t found = marks ? (uint32_t)__builtin_ctzll(marks) : PLACE_COUNT;
		void *below;

		if (found == PLACE_COUNT) {
			*again = step_over(key, node->shift + PLACE_BITS);
			return NULL;
		}
		if (found > place)
			*key = ((*key >> node->shift) - place + found) << node->shift;
		below = get_place(node, found);
		if (!below)
			*again = step_over(key, node->shift);
		if (!below || !node->shift)
			return below;
		node = below;
	}
}

static bool root_is_marked(const struct radix *r, enum mark mark)
{
	return mark == PRESENT || root_is_tagged(r, mark - TAGGED);
}

static void *next_marked(const struct radix *r, uint64_t *key, enum mark mark)
{
	uint64_t at = *key;
	void *entry;
	bool again;

	do {
		void *root = get_root(r);

		if (!is_node(root)) {
			entry = at == 0 && root_is_marked(r, mark) ? root : NULL;
			break;
		}
		if (!covers(node_of(root)->shift, at))
			return NULL;
		again = false;
		entry = follow_marks(node_of(root), &at, mark, &again);
	} while (again);
	if (entry)
		*key = at;
	return entry;
}

void *radix_next(const struct radix *r, uint64_t *key)
{
	return next_marked(r, key, PRESENT);
}

void *radix_next_tagged(const struct radix *r, uint64_t *key, enum radix_tag tag)
{
	return next_marked(r, key, TAGGED + tag);
}

/* ---- changing */

void radix_init(struct radix *r, struct arena *a,
		void (*retire)(struct epoch_node *node, void (*fn)(struct epoch_node *node)))
{
	r->arena = a;
	r->retire = retire;
	atomic_init(&r->root, NULL);
	for (enum radix_tag tag = 0; tag < RADIX_TAGS; tag++)
		atomic_init(&r->root_tagged[tag], false);
}

static void free_below(struct radix_node *node)
{
	for (uint32_t place = 0; node->shift && place < PLACE_COUNT; place++) {
		struct radix_node *child = get_place(node, place);

		if (child)
			free_below(child);
	}
	arena_free(node->arena, node);
}

void radix_fini(struct radix *r)
{
	void *root = get_root(r);

	if (is_node(root))
		free_below(node_of(root));
	set_root(r, NULL);
}

/* Makes the tree minimal again (R4) from a node that may have lost its last entry. */
static void prune(struct radix *r, struct radix_node *node)
{
	while (node && !get_marks(node, PRESENT)) {
		struct radix_node *parent = node->parent;

		if (parent) {
			clear_mark(parent, PRESENT, node->place_in_parent);
			set_place(parent, node->place_in_parent, NULL);
		} else {
			set_root(r, NULL);
		}
		node_retire(r, node);
		node = parent;
	}
}

static void lower_root(struct radix *r)
{
	void *root = get_root(r);

	while (is_node(root) && get_marks(node_of(root), PRESENT) == 1) {
		struct radix_node *node = node_of(root);
		void *first = get_place(node, 0);

		if (node->shift) {
			((struct radix_node *)first)->parent = NULL;
			root = root_of(first);
		} else {
			for (enum radix_tag tag = 0; tag < RADIX_TAGS; tag++)
				tag_root(r, tag, has_mark(node, TAGGED + tag, 0));
			root = first;
		}
		set_root(r, root);
		node_retire(r, node);
	}
}

/* The shift of the lowest node that covers the number. */
static uint32_t shift_for(uint64_t key)
{
	uint32_t shift = 0;

	while (!covers(shift, key))
		shift += PLACE_BITS;
	return shift;
}

/*
 * The root becomes a node: for the lone entry that was there, or as high as the number to come
 * needs.
 */
static int make_root_node(struct radix *r, uint64_t key)
{
	void *lone = get_root(r);
	struct radix_node *node = node_create(r, lone ? 0 : shift_for(key));

	if (!node)
		return -ENOMEM;
	if (lone) {
		set_place(node, 0, lone);
		set_mark(node, PRESENT, 0);
		for (enum radix_tag tag = 0; tag < RADIX_TAGS; tag++) {
			if (root_is_tagged(r, tag))
				set_mark(node, TAGGED + tag, 0);
		}
	}
	set_root(r, root_of(node));
	return 0;
}

static int raise_root(struct radix *r, uint64_t key)
{
	struct radix_node *old = node_of(get_root(r));

	while (!covers(old->shift, key)) {
		struct radix_node *node = node_create(r, old->shift + PLACE_BITS);

		if (!node)
			return -ENOMEM;
		for (enum radix_tag tag = 0; tag < RADIX_TAGS; tag++) {
			if (get_marks(old, TAGGED + tag))
				set_mark(node, TAGGED + tag, 0);
		}
		attach(node, 0, old);
		set_root(r, root_of(node));
		old = node;
	}
	return 0;
}

/* The leaf for the number, with the nodes on the way to it; `*at` is how far it came. */
static int make_leaf(struct radix *r, uint64_t key, struct radix_node **at)
{
	struct radix_node *node = node_of(get_root(r));

	while (node->shift) {
		uint32_t place = place_of(key, node->shift);
		struct radix_node *child = get_place(node, place);

		*at = node;
		if (!child) {
			child = node_create(r, node->shift - PLACE_BITS);
			if (!child)
				return -ENOMEM;
			attach(node, place, child);
		}
		node = child;
	}
	*at = node;
	return 0;
}

static int insert_below_root(struct radix *r, uint64_t key, void *entry)
{
	struct radix_node *node = node_of(get_root(r));
	int err = raise_root(r, key);

	if (!err)
		err = make_leaf(r, key, &node);
	if (!err && get_place(node, place_of(key, 0)))
		return -EEXIST;
	if (!err) {
		set_place(node, place_of(key, 0), entry);
		set_mark(node, PRESENT, place_of(key, 0));
		return 0;
	}
	prune(r, node);
	lower_root(r);
	return err;
}

static void clear_all_tags(struct radix *r, uint64_t key)
{
	for (enum radix_tag tag = 0; tag < RADIX_TAGS; tag++)
		radix_clear_tag(r, key, tag);
}

int radix_insert(struct radix *r, uint64_t key, void *entry)
{
	void *root = get_root(r);

	ensure(entry && !is_node(entry));
	if (!root && key == 0) {
		clear_all_tags(r, 0);
		set_root(r, entry);
		return 0;
	}
	if (!is_node(root)) {
		int err = key == 0 ? -EEXIST : make_root_node(r, key);

		if (err)
			return err;
	}
	return insert_below_root(r, key, entry);
}

void radix_replace(struct radix *r, uint64_t key, void *entry)
{
	struct radix_node *leaf = leaf_below(get_root(r), key);

	ensure(entry && !is_node(entry) && radix_lookup(r, key));
	if (leaf)
		set_place(leaf, place_of(key, 0), entry);
	else
		set_root(r, entry);
}

void *radix_remove(struct radix *r, uint64_t key)
{
	void *entry = radix_lookup(r, key);
	struct radix_node *leaf = leaf_below(get_root(r), key);

	if (!entry)
		return NULL;
	clear_all_tags(r, key);
	if (!leaf) {
		set_root(r, NULL);
		return entry;
	}
	clear_mark(leaf, PRESENT, place_of(key, 0));
	set_place(leaf, place_of(key, 0), NULL);
	prune(r, leaf);
	lower_root(r);
	return entry;
}

void radix_set_tag(struct radix *r, uint64_t key, enum radix_tag tag)
{
	struct radix_node *node = leaf_below(get_root(r), key);
	uint32_t place = place_of(key, 0);

	ensure(radix_lookup(r, key));
	if (!node)
		tag_root(r, tag, true);
	while (node && !has_mark(node, TAGGED + tag, place)) {
		set_mark(node, TAGGED + tag, place);
		place = node->place_in_parent;
		node = node->parent;
	}
}

void radix_clear_tag(struct radix *r, uint64_t key, enum radix_tag tag)
{
	struct radix_node *node = leaf_below(get_root(r), key);
	uint32_t place = place_of(key, 0);

	if (!node && key == 0)
		tag_root(r, tag, false);
	while (node && has_mark(node, TAGGED + tag, place)) {
		clear_mark(node, TAGGED + tag, place);
		if (get_marks(node, TAGGED + tag))
			break;
		place = node->place_in_parent;
		node = node->parent;
	}
}
