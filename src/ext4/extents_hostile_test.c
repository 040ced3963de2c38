/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extent trees that no ext4 made: loops, wrong depths, children out of their place, extents over
 * each other or over the file system's own blocks. Each is refused by every operation that meets
 * it, with one report at least, and nothing is mapped through it. Then trees with bytes changed at
 * random are read, written and truncated: whatever comes out, nothing crashes and every call ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ext4/map_fake.h"

static struct map_fake *f;

static int setup(void **state)
{
	f = calloc(1, sizeof(*f));
	assert_non_null(f);
	fake_init(f, 3, FAKE_NODE_ENTRIES);
	f->hostile = true;
	return 0;
}

static int teardown(void **state)
{
	fake_fini(f);
	free(f);
	return 0;
}

/* ---- trees by hand */

struct entry {
	uint32_t lblk;
	uint64_t pblk; /* of the child, or of the extent */
	uint16_t len; /* of an extent, as on disk */
};

struct node {
	uint64_t block; /* 0: the root */
	int depth, count;
	struct entry entries[4];
	uint16_t magic, limit; /* 0: as they should be */
};

#define DATA (FAKE_META_BLOCKS + 100u)

static void put_node(const struct node *n)
{
	uint8_t bytes[FAKE_BLOCK_SIZE] = { 0 };
	struct ext4_extent_header *h = (struct ext4_extent_header *)bytes;
	uint16_t room = n->block ? FAKE_NODE_ENTRIES : EXT4_EXTENTS_IN_INODE;

	h->eh_magic = le16_of(n->magic ? n->magic : EXT4_EXT_MAGIC);
	h->eh_entries = le16_of((uint16_t)n->count);
	h->eh_max = le16_of(n->limit ? n->limit : room);
	h->eh_depth = le16_of((uint16_t)n->depth);
	for (int i = 0; i < min(n->count, 4); i++) {
		const struct entry *e = &n->entries[i];
		union ext_entry *to = ext_entry_at(h, i);

		*to = ext4_ext_index_entry(e->lblk, e->pblk);
		if (n->depth)
			continue;
		to->leaf.ee_len = le16_of(e->len);
		ext4_extent_set_start(&to->leaf, e->pblk);
	}
	if (n->block) {
		assert_int_equal(block_write(f->fs.device, n->block * FAKE_BLOCK_SIZE, bytes,
					     sizeof(bytes), 0),
				 0);
		f->used[n->block] = 1;
		f->meta_used++;
	} else {
		memcpy(f->inode.i_data, bytes, sizeof(f->inode.i_data));
	}
}

static const struct hostile_case {
	const char *name;
	uint32_t lblk; /* where it is met */
	struct node nodes[4];
	bool removable; /* it does no harm to take it out */
} cases[] = {
	{ "index that points at itself",
	  0,
	  { { 0, 1, 1, { { 0, 1 } } }, { 1, 1, 1, { { 0, 1 } } } } },
	{ "loop over two levels",
	  0,
	  { { 0, 3, 1, { { 0, 1 } } }, { 1, 2, 1, { { 0, 2 } } }, { 2, 1, 1, { { 0, 1 } } } } },
	{ "leaf where an index is due",
	  0,
	  { { 0, 2, 1, { { 0, 1 } } }, { 1, 0, 1, { { 0, DATA, 1 } } } } },
	{ "node that begins behind its key",
	  5,
	  { { 0, 1, 1, { { 0, 1 } } }, { 1, 0, 1, { { 5, DATA, 1 } } } } },
	{ "node that begins before its key",
	  5,
	  { { 0, 1, 1, { { 5, 1 } } }, { 1, 0, 1, { { 0, DATA, 10 } } } } },
	{ "leaf that reaches over the next key",
	  0,
	  { { 0, 1, 2, { { 0, 1 }, { 10, 2 } } },
	    { 1, 0, 1, { { 0, DATA, 11 } } },
	    { 2, 0, 1, { { 10, DATA + 50, 1 } } } } },
	{ "index that reaches over the next key",
	  0,
	  { { 0, 2, 2, { { 0, 1 }, { 10, 3 } } },
	    { 1, 1, 2, { { 0, 2 }, { 11, 3 } } },
	    { 2, 0, 1, { { 0, DATA, 1 } } },
	    { 3, 0, 1, { { 11, DATA, 1 } } } } },
	{ "one leaf for two keys",
	  20,
	  { { 0, 1, 2, { { 0, 1 }, { 20, 1 } } }, { 1, 0, 1, { { 0, DATA, 1 } } } } },
	{ "extents over each other",
	  0,
	  { { 0, 1, 1, { { 0, 1 } } }, { 1, 0, 2, { { 0, DATA, 10 }, { 9, DATA + 20, 1 } } } } },
	{ "extents out of order",
	  0,
	  { { 0, 1, 1, { { 0, 1 } } }, { 1, 0, 2, { { 0, DATA, 1 }, { 0, DATA + 20, 1 } } } } },
	{ "keys out of order",
	  0,
	  { { 0, 2, 1, { { 0, 1 } } },
	    { 1, 1, 2, { { 0, 2 }, { 0, 3 } } },
	    { 2, 0, 1, { { 0, DATA, 1 } } },
	    { 3, 0, 1, { { 0, DATA, 1 } } } } },
	{ "extent of no length",
	  0,
	  { { 0, 1, 1, { { 0, 1 } } }, { 1, 0, 1, { { 0, DATA, 0 } } } } },
	{ "extent over the end of all files",
	  0,
	  { { 0, 1, 1, { { 0, 1 } } },
	    { 1, 0, 2, { { 0, DATA, 1 }, { 0xfffffffe, DATA + 9, 2 } } } } },
	{ "extent outside of the device",
	  0,
	  { { 0, 1, 1, { { 0, 1 } } }, { 1, 0, 1, { { 0, FAKE_BLOCKS - 1, 2 } } } } },
	{ "child outside of the device", 0, { { 0, 1, 1, { { 0, 1ULL << 40 } } } } },
	{ "child at block 0", 0, { { 0, 1, 1, { { 0, 0 } } } } },
	{ "child over the file system's own blocks", 0, { { 0, 1, 1, { { 0, 3000 } } } } },
	{ "extent over the file system's own blocks", 0, { { 0, 0, 1, { { 0, 3005, 20 } } } } },
	{ "empty leaf below an index",
	  0,
	  { { 0, 1, 1, { { 0, 1 } } }, { 1, 0, 0, { { 0 } } } },
	  true },
	{ "empty index", 0, { { 0, 2, 1, { { 0, 1 } } }, { 1, 1, 0, { { 0 } } } } },
	{ "wrong magic number",
	  0,
	  { { 0, 1, 1, { { 0, 1 } } }, { 1, 0, 1, { { 0, DATA, 1 } }, 0xf30b } } },
	{ "more entries than there is room for",
	  0,
	  { { 0, 1, 1, { { 0, 1 } } },
	    { 1, 0, 1, { { 0, DATA, 1 } }, 0, FAKE_NODE_ENTRIES + 1 } } },
	{ "room for one entry",
	  0,
	  { { 0, 1, 1, { { 0, 1 } } }, { 1, 0, 1, { { 0, DATA, 1 } }, 0, 1 } } },
	{ "more entries than it says it has room for",
	  0,
	  { { 0, 1, 1, { { 0, 1 } } }, { 1, 0, 2, { { 0, DATA, 1 }, { 3, DATA, 1 } }, 0, 1 } } },
};

static int ignore_extent(void *arg, ext4_lblk_t lblk, uint32_t len, ext4_fsblk_t pblk,
			 bool unwritten)
{
	return 0;
}

static void refused_by_all(const struct hostile_case *c)
{
	struct ext4_map m;
	uint32_t errors = 0;

	print_message("         %s\n", c->name);
	for (size_t i = 0; i < array_size(c->nodes) && (i == 0 || c->nodes[i].block); i++)
		put_node(&c->nodes[i]);
	f->own_first = 3000;
	f->own_count = 10;
	assert_int_equal(fake_map(f, c->lblk, 1, 0, &m), -EFSCORRUPTED);
	assert_true(f->errors > errors);
	errors = f->errors;
	assert_int_equal(fake_map(f, c->lblk, 1, MAP_CREATE, &m), -EFSCORRUPTED);
	assert_true(f->errors > errors);
	errors = f->errors;
	assert_int_equal(fake_remove(f, c->lblk, EXT4_MAX_LBLK), c->removable ? 0 : -EFSCORRUPTED);
	assert_true(c->removable || f->errors > errors);
	errors = f->errors;
	/* A walk does not care for an empty leaf. */
	if (ext4_ext_walk(&f->inode, 0, ignore_extent, NULL))
		assert_true(f->errors > errors);
}

static void hostile_trees_are_refused(void **state)
{
	for (size_t i = 0; i < array_size(cases); i++) {
		setup(NULL);
		refused_by_all(&cases[i]);
		teardown(NULL);
	}
}

static void a_root_is_checked_when_it_is_loaded(void **state)
{
	static const struct node roots[] = {
		{ 0, 6, 1, { { 0, 1 } } },
		{ 0, 1, 0, { { 0, 1 } } },
		{ 0, 0, 5, { { 0, DATA, 1 } }, 0, 5 },
		{ 0, 0, 2, { { 0, DATA, 2 }, { 1, DATA, 2 } } },
		{ 0, 0, 1, { { 0, DATA, 1 } }, 0x1234 },
	};

	assert_int_equal(ext4_ext_check_root(&f->inode), 0);
	for (size_t i = 0; i < array_size(roots); i++) {
		put_node(&roots[i]);
		assert_int_equal(ext4_ext_check_root(&f->inode), -EFSCORRUPTED);
		assert_int_equal(f->errors, i + 1);
	}
	ext4_ext_init_root(&f->inode);
}

/* ---- bytes changed at random */

static void grow_tree(void)
{
	struct ext4_map m;

	f->run_max = 3;
	for (ext4_lblk_t b = 0; b < 300; b += 2 + b % 3)
		assert_true(fake_map(f, b, 1 + b % 2, b % 5 ? MAP_CREATE : MAP_CREATE | MAP_UNWRIT,
				     &m) > 0);
	fake_forget_all(f);
}

static void damage(void)
{
	uint8_t bytes[FAKE_BLOCK_SIZE];
	uint64_t block = random_below(&f->random, f->meta_used + 1);
	uint32_t room = (uint32_t)f->fs.geo.block_size, changes = 1 + random_below(&f->random, 3);

	while (changes--) {
		uint8_t value =
			(uint8_t)random_below(&f->random, random_below(&f->random, 2) ? 256 : 8);

		if (block == 0) {
			((uint8_t *)f->inode.i_data)[random_below(&f->random, 60)] = value;
			continue;
		}
		assert_int_equal(
			block_read(f->fs.device, block * FAKE_BLOCK_SIZE, bytes, sizeof(bytes)), 0);
		bytes[random_below(&f->random, room)] = value;
		assert_int_equal(
			block_write(f->fs.device, block * FAKE_BLOCK_SIZE, bytes, sizeof(bytes), 0),
			0);
	}
}

static void use_damaged(void)
{
	struct ext4_map m;

	if (ext4_ext_check_root(&f->inode))
		return; /* such an inode is not loaded */
	for (int i = 0; i < 30; i++) {
		ext4_lblk_t lblk = random_below(&f->random, 320);
		uint32_t len = 1 + random_below(&f->random, 9);

		switch (random_below(&f->random, 6)) {
		case 0:
			(void)!fake_remove(
				f, lblk, random_below(&f->random, 3) ? lblk + len : EXT4_MAX_LBLK);
			break;
		case 1:
			(void)ext4_ext_walk(&f->inode, lblk, ignore_extent, NULL);
			break;
		case 2:
			(void)!fake_map(f, lblk, len, 0, &m);
			break;
		case 3:
			(void)!fake_map(f, lblk, len, MAP_CREATE | MAP_UNWRIT | MAP_TO_UNWRITTEN,
					&m);
			break;
		default:
			(void)!fake_map(f, lblk, len, MAP_CREATE, &m);
		}
	}
}

static void damaged_trees_do_no_harm(void **state)
{
	const char *runs = getenv("EXTANT_RUNS");
	int count = runs ? atoi(runs) : 300;

	for (int i = 0; i < count; i++) {
		f = calloc(1, sizeof(*f));
		fake_init(f, 1000 + (uint64_t)i, FAKE_NODE_ENTRIES);
		f->hostile = true;
		grow_tree();
		damage();
		use_damaged();
		fake_fini(f);
		free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_trees_are_refused),
		cmocka_unit_test_setup_teardown(a_root_is_checked_when_it_is_loaded, setup,
						teardown),
		cmocka_unit_test(damaged_trees_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
