/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The extent tree against an array with one place a block: random mappings, conversions and
 * removals on a tree of small nodes, so that it is up to four levels deep. After each step every
 * node is in order, the tree says what the array says, what the extent status tree knows is true,
 * and exactly the blocks of the file and its tree are in use; the toys below (map_fake.h) see that
 * all changes went through the journal and within the credits. Then the same with allocations,
 * reads and space that fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ext4/map_fake.h"
#include "ext4/verify.h"

#define BLOCKS 1500u

struct place {
	uint8_t state; /* 0: a hole; 'W', 'U' */
	ext4_fsblk_t pblk;
};

static struct map_fake *f;
static struct place model[BLOCKS];

static int setup_with(uint64_t seed, int entries)
{
	f = calloc(1, sizeof(*f));
	assert_non_null(f);
	fake_init(f, seed, entries);
	memset(model, 0, sizeof(model));
	return 0;
}

static int setup(void **state)
{
	const char *seed = getenv("EXTANT_SEED");
	uint64_t n = seed ? strtoull(seed, NULL, 0) : 1;

	print_message("EXTANT_SEED=%llu\n", (unsigned long long)n);
	return setup_with(n, FAKE_NODE_ENTRIES);
}

static int setup_large(void **state)
{
	return setup_with(1, 0);
}

static int teardown(void **state)
{
	fake_fini(f);
	free(f);
	return 0;
}

/* ---- what must hold after each step */

struct audit {
	uint32_t nodes, data;
	ext4_lblk_t next; /* first block not seen yet */
	bool any_model; /* the array is of no interest */
};

static void audit_leaf(struct audit *a, const struct ext4_extent_header *leaf)
{
	for (int i = 0; i < ext_entries(leaf); i++) {
		struct ext_run r = ext_run_at(leaf, i);

		assert_true(r.lblk >= a->next);
		for (; !a->any_model && a->next < r.lblk && a->next < BLOCKS; a->next++)
			assert_int_equal(model[a->next].state, 0);
		for (uint32_t b = 0; b < r.len; b++) {
			assert_int_equal(f->used[r.pblk + b], 1);
			if (a->any_model)
				continue;
			assert_int_equal(model[r.lblk + b].state, r.unwritten ? 'U' : 'W');
			assert_int_equal(model[r.lblk + b].pblk, r.pblk + b);
		}
		a->data += r.len;
		a->next = ext_run_end(&r);
	}
}

static void audit_node(struct audit *a, const struct ext4_extent_header *node, ext4_lblk_t last)
{
	if (!le16_get(node->eh_depth)) {
		audit_leaf(a, node);
		return;
	}
	for (int i = 0; i < ext_entries(node); i++) {
		const struct ext4_extent_idx *ix = &ext_entry_at(node, i)->index;
		struct buffer_owner owner = { f->inode.ino, f->inode.csum_seed };
		ext4_lblk_t end = last;
		struct ext4_verdict v;
		struct buffer *b;

		if (i + 1 < ext_entries(node))
			end = le32_get(ext_entry_at(node, i + 1)->index.ei_block) - 1;
		assert_int_equal(buffer_read(f->fs.buffers, ext4_idx_leaf(ix), NULL, &owner, &b),
				 0);
		assert_int_equal(ext4_verify_extent_block(&f->fs.geo, 0, b->data, &v), 0);
		assert_int_equal(ext4_verify_extent_place(b->data, le16_get(node->eh_depth) - 1,
							  le32_get(ix->ei_block), end, &v),
				 0);
		assert_true(ext_entries((void *)b->data) > 0);
		a->nodes++;
		audit_node(a, (void *)b->data, end);
		buffer_put(b);
	}
}

static void audit_status(void)
{
	struct extent_status es;
	ext4_lblk_t at = 0;

	while (ext4_es_next(&f->inode, at, ES_WRITTEN | ES_UNWRITTEN | ES_HOLE, &es)) {
		for (ext4_lblk_t b = es.lblk; b < es.lblk + es.len && b < BLOCKS; b++) {
			uint8_t state = es.status & ES_WRITTEN     ? 'W'
					: es.status & ES_UNWRITTEN ? 'U'
								   : 0;

			assert_int_equal(model[b].state, state);
			if (state)
				assert_int_equal(model[b].pblk, es.pblk + (b - es.lblk));
		}
		at = es.lblk + es.len;
		if (at < es.lblk || at >= BLOCKS)
			break;
	}
}

static void audit_as(bool any_model)
{
	struct audit a = { .any_model = any_model };
	struct ext4_verdict v;

	assert_int_equal(ext4_verify_extent_root(&f->fs.geo, f->inode.i_data, &v), 0);
	audit_node(&a, (void *)f->inode.i_data, EXT4_MAX_LBLK);
	for (; !any_model && a.next < BLOCKS; a.next++)
		assert_int_equal(model[a.next].state, 0);
	assert_int_equal(a.nodes, f->meta_used);
	assert_int_equal(a.data, f->data_used);
	assert_int_equal(f->errors, 0);
	if (!any_model)
		audit_status();
}

static void audit(void)
{
	audit_as(false);
}

/* ---- steps */

static void disarm(void)
{
	arena_fail_at(f->fs.arena, UINT64_MAX);
	block_fault_at(f->fault, FAULT_READ, UINT64_MAX, 0, false);
}

/* What was zeroed instead of cut off is written too, besides what was asked for. */
static ext4_lblk_t asked, asked_len;

/* What a successful mapping says must be what the array says, or be new. */
static void note_mapped(const struct ext4_map *m, int n, uint32_t flags)
{
	assert_true(n > 0 && m->flags & (MAPPED_MAPPED | MAPPED_UNWRITTEN));
	for (uint32_t b = 0; b < (uint32_t)n; b++) {
		struct place *p = &model[m->lblk + b];

		if (p->state)
			assert_int_equal(p->pblk, m->pblk + b);
		else
			assert_true(flags & MAP_CREATE && m->flags & MAPPED_NEW);
		*p = (struct place){ m->flags & MAPPED_UNWRITTEN ? 'U' : 'W', m->pblk + b };
	}
}

static int note_zeroed(void *arg, ext4_lblk_t lblk, uint32_t len, ext4_fsblk_t pblk, bool unwritten)
{
	static const uint8_t zeros[FAKE_BLOCK_SIZE];
	uint8_t bytes[FAKE_BLOCK_SIZE];

	for (uint32_t b = 0; b < len && lblk + b < BLOCKS; b++) {
		struct place *p = &model[lblk + b];

		if (unwritten || p->state != 'U' ||
		    (lblk + b >= asked && lblk + b < asked + asked_len))
			continue;
		assert_int_equal(block_read(f->fs.device, (pblk + b) * FAKE_BLOCK_SIZE, bytes,
					    sizeof(bytes)),
				 0);
		assert_memory_equal(bytes, zeros, sizeof(bytes));
		p->state = 'W';
	}
	return 0;
}

static int map_step(ext4_lblk_t lblk, uint32_t len, uint32_t flags)
{
	struct ext4_map m;
	uint8_t before = model[lblk].state;
	int n = fake_map(f, lblk, len, flags, &m);

	disarm();
	asked = lblk;
	asked_len = n > 0 && flags & MAP_CREATE ? (uint32_t)n : 0;
	assert_int_equal(ext4_ext_walk(&f->inode, 0, note_zeroed, NULL), 0);
	if (n < 0)
		return n;
	if (n == 0) {
		assert_false(flags & MAP_CREATE);
		for (uint32_t b = 0; b < m.len; b++)
			assert_int_equal(model[lblk + b].state, 0);
		return 0;
	}
	if (!(flags & MAP_CREATE))
		assert_int_equal(m.flags & MAPPED_UNWRITTEN ? 'U' : 'W', before);
	note_mapped(&m, n, flags);
	return n;
}

/* Of a removal that failed, blocks may be mapped as before or be free. */
static void note_removed(ext4_lblk_t start, ext4_lblk_t last)
{
	for (ext4_lblk_t b = start; b <= last && b < BLOCKS; b++)
		if (model[b].state && !f->used[model[b].pblk])
			model[b] = (struct place){ 0, 0 };
}

static int remove_step(ext4_lblk_t start, ext4_lblk_t last)
{
	int err = fake_remove(f, start, last);

	note_removed(start, last);
	for (ext4_lblk_t b = start; !err && b <= last && b < BLOCKS; b++)
		assert_int_equal(model[b].state, 0);
	return err;
}

static int random_step(void)
{
	static const uint32_t ways[] = {
		0,
		MAP_CREATE,
		MAP_CREATE,
		MAP_CREATE,
		MAP_CREATE | MAP_UNWRIT | MAP_NO_NORMALIZE,
		MAP_CREATE | MAP_UNWRIT | MAP_TO_UNWRITTEN | MAP_NOCACHE,
		MAP_CREATE | MAP_METADATA_NOFAIL | MAP_IO_SUBMIT,
		MAP_CREATE | MAP_UNWRIT | MAP_PRE_IO,
		MAP_CONVERT_UNWRITTEN,
	};
	ext4_lblk_t lblk = random_below(&f->random, BLOCKS);
	uint32_t len =
		1 + random_below(&f->random, min(BLOCKS - lblk, 1 + random_below(&f->random, 30)));
	uint32_t way = random_below(&f->random, array_size(ways) + 2);

	f->run_max = 1 + random_below(&f->random, 8);
	f->inode.size = random_below(&f->random, BLOCKS) * f->fs.geo.block_size;
	if (way == array_size(ways))
		return remove_step(lblk,
				   random_below(&f->random, 40) ? lblk + len - 1 : EXT4_MAX_LBLK);
	if (way > array_size(ways)) {
		disarm();
		fake_forget_all(f);
		return 0;
	}
	if (ways[way] & MAP_CONVERT && model[lblk].state != 'U')
		return 0;
	return map_step(lblk, len, ways[way]);
}

/* ---- tests */

static void random_steps_agree_with_an_array(void **state)
{
	int depth = 0;

	for (int i = 0; i < 6000; i++) {
		assert_true(random_step() >= 0);
		audit();
		depth = max(depth, ext4_ext_depth(&f->inode));
	}
	assert_true(depth >= 3);
}

static void removals_go_on_in_the_next_transaction(void **state)
{
	f->refuse_extend_in = 2;
	f->remove_credits = 12;
	for (int i = 0; i < 1000; i++) {
		ext4_lblk_t lblk = random_below(&f->random, BLOCKS);

		assert_true(random_step() >= 0);
		if (i % 8 == 0)
			assert_int_equal(remove_step(lblk, lblk + random_below(&f->random, 200)),
					 0);
		audit();
	}
	assert_true(f->restarts > 5);
}

/* Isolated blocks, in the order given by a step that has no divisor in common with BLOCKS. */
static void fill_isolated(uint32_t step)
{
	f->run_max = 1;
	for (uint32_t i = 0, b = 0; i < BLOCKS; i++, b = (b + step) % BLOCKS)
		if (b % 2 == 0)
			assert_int_equal(map_step(b, 1, MAP_CREATE), 1);
	audit();
}

static void a_deep_tree_is_filled_and_emptied(void **state)
{
	static const uint32_t steps[] = { 1, 7, BLOCKS - 1 };

	for (size_t i = 0; i < array_size(steps); i++) {
		fill_isolated(steps[i]);
		assert_true(ext4_ext_depth(&f->inode) >= 3);
		fake_forget_all(f);
		for (ext4_lblk_t b = 0; b < BLOCKS; b++)
			assert_true(map_step(b, 1, 0) >= 0);
		for (ext4_lblk_t b = BLOCKS; i == 0 && b > 40; b -= min(b, 40u)) {
			assert_int_equal(remove_step(b - 40, EXT4_MAX_LBLK), 0);
			audit();
		}
		for (ext4_lblk_t b = 0; b < BLOCKS; b += 33) {
			assert_int_equal(remove_step(b, b + 32), 0);
			audit();
		}
		assert_int_equal(ext4_ext_depth(&f->inode), 0);
		assert_int_equal(f->meta_used, 0);
	}
}

static void a_file_that_grows_at_its_end_leaves_full_leaves(void **state)
{
	f->run_max = 1;
	for (ext4_lblk_t b = 0; b < 28; b++)
		assert_int_equal(map_step(b * 2, 1, MAP_CREATE), 1);
	assert_int_equal(ext4_ext_depth(&f->inode), 1);
	assert_int_equal(f->meta_used, 28 / FAKE_NODE_ENTRIES);
	audit();
}

static void a_tree_that_fits_goes_back_into_the_inode(void **state)
{
	for (ext4_lblk_t b = 0; b < 10; b += 2)
		assert_int_equal(map_step(b, 1, MAP_CREATE), 1);
	assert_int_equal(ext4_ext_depth(&f->inode), 1);
	/* The blocks between lie between on the device too. */
	f->next_data = model[0].pblk + 1;
	assert_int_equal(map_step(1, 1, MAP_CREATE), 1);
	audit();
	assert_int_equal(ext4_ext_depth(&f->inode), 0);
	assert_int_equal(f->meta_used, 0);
}

/* ---- failures */

/* Fills a tree with unwritten extents that fills its leaves. */
static void fill_unwritten(void)
{
	f->run_max = 9;
	for (ext4_lblk_t b = 0; b + 10 < BLOCKS / 4; b += 10) {
		assert_true(map_step(b, 9, MAP_CREATE | MAP_UNWRIT) > 0);
		f->next_data += 3;
	}
	f->inode.size = BLOCKS * f->fs.geo.block_size;
	audit();
}

static void without_space_for_the_tree_nothing_changes_but_zeros(void **state)
{
	fill_unwritten();
	for (int i = 0; i < 300; i++) {
		ext4_lblk_t lblk = random_below(&f->random, BLOCKS / 4);
		uint32_t flags = random_below(&f->random, 2) ? MAP_CREATE : MAP_CREATE | MAP_UNWRIT;
		int n;

		if (random_below(&f->random, 3) == 0 && model[lblk].state == 'W')
			flags = MAP_CREATE | MAP_UNWRIT | MAP_TO_UNWRITTEN;
		f->run_max = 1 + random_below(&f->random, 4);
		f->fail_at = f->allocations + random_below(&f->random, 3);
		n = map_step(lblk, 1 + random_below(&f->random, 3), flags);
		assert_true(n > 0 || n == -ENOSPC);
		audit();
	}
}

static void failed_memory_and_reads_leave_a_whole_tree(void **state)
{
	uint32_t failed = 0;

	fill_isolated(7);
	for (int i = 0; i < 3000; i++) {
		int err;

		if (random_below(&f->random, 2))
			fake_forget_all(f);
		if (random_below(&f->random, 2))
			arena_fail_at(f->fs.arena, random_below(&f->random, 12));
		else
			block_fault_at(f->fault, FAULT_READ, random_below(&f->random, 5), -EIO,
				       false);
		err = random_step();
		disarm();
		failed += err < 0;
		audit();
	}
	assert_true(failed > 300);
}

/* ---- limits */

static void extents_are_as_long_as_the_format_allows(void **state)
{
	struct ext4_map m;

	assert_int_equal(fake_map(f, 0, 40000, MAP_CREATE, &m), 32768);
	f->next_data = m.pblk + 32768;
	assert_int_equal(fake_map(f, 32768, 10, MAP_CREATE, &m), 10);
	assert_int_equal(ext_entries((void *)f->inode.i_data), 2);
	assert_int_equal(fake_remove(f, 0, EXT4_MAX_LBLK), 0);
	f->next_data = FAKE_META_BLOCKS + 1;
	assert_int_equal(fake_map(f, 0, 40000, MAP_CREATE | MAP_UNWRIT, &m), 32767);
	audit_as(true);
	/* All of a written extent of full length made unwritten: it is cut. */
	assert_int_equal(fake_remove(f, 0, EXT4_MAX_LBLK), 0);
	f->next_data = FAKE_META_BLOCKS + 1;
	assert_int_equal(fake_map(f, 0, 32768, MAP_CREATE, &m), 32768);
	assert_true(fake_map(f, 0, 32768, MAP_CREATE | MAP_UNWRIT | MAP_TO_UNWRITTEN, &m) > 0);
	assert_true(m.flags & MAPPED_UNWRITTEN);
	audit_as(true);
}

static void the_last_block_of_a_file_can_be_mapped(void **state)
{
	struct ext4_map m;

	assert_int_equal(fake_map(f, EXT4_MAX_LBLK, 10, 0, &m), 0);
	assert_int_equal(m.len, 1);
	assert_int_equal(fake_map(f, EXT4_MAX_LBLK - 1, 10, MAP_CREATE, &m), 2);
	assert_int_equal(fake_map(f, EXT4_MAX_LBLK, 1, 0, &m), 1);
	assert_int_equal(fake_map(f, EXT4_MAX_LBLK + 1u, 1, 0, &m), -EFBIG);
	assert_int_equal(fake_map(f, 5, UINT32_MAX, 0, &m), 0);
	assert_int_equal(m.len, INT32_MAX);
	assert_int_equal(fake_remove(f, EXT4_MAX_LBLK, EXT4_MAX_LBLK), 0);
	assert_int_equal(f->data_used, 1);
	assert_int_equal(fake_remove(f, 0, EXT4_MAX_LBLK), 0);
	audit_as(true);
}

static int count_run(void *arg, ext4_lblk_t lblk, uint32_t len, ext4_fsblk_t pblk, bool unwritten)
{
	ext4_lblk_t *next = arg;

	assert_true(lblk >= *next);
	for (uint32_t b = 0; b < len; b++) {
		assert_int_equal(model[lblk + b].pblk, pblk + b);
		assert_int_equal(model[lblk + b].state, unwritten ? 'U' : 'W');
	}
	*next = lblk + len;
	return lblk + len > 1000 ? -77 : 0;
}

static void a_walk_passes_all_extents_in_order(void **state)
{
	ext4_lblk_t next = 0;

	for (int i = 0; i < 1000; i++)
		assert_true(random_step() >= 0);
	for (ext4_lblk_t b = 0; b < 1100; b++)
		if (!model[b].state)
			assert_true(map_step(b, 1, MAP_CREATE) == 1);
	assert_int_equal(ext4_ext_walk(&f->inode, 500, count_run, &next), -77);
	assert_true(next > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(random_steps_agree_with_an_array, setup, teardown),
		cmocka_unit_test_setup_teardown(removals_go_on_in_the_next_transaction, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_deep_tree_is_filled_and_emptied, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_that_grows_at_its_end_leaves_full_leaves,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_tree_that_fits_goes_back_into_the_inode, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			without_space_for_the_tree_nothing_changes_but_zeros, setup, teardown),
		cmocka_unit_test_setup_teardown(failed_memory_and_reads_leave_a_whole_tree, setup,
						teardown),
		cmocka_unit_test_setup_teardown(extents_are_as_long_as_the_format_allows,
						setup_large, teardown),
		cmocka_unit_test_setup_teardown(the_last_block_of_a_file_can_be_mapped, setup_large,
						teardown),
		cmocka_unit_test_setup_teardown(a_walk_passes_all_extents_in_order, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
