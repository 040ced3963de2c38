/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The extent status tree against an array with one place a block: random insertions, removals,
 * look-ups and searches, with memory that fails now and then, and memory reclaim in between; after
 * each step the tree is well formed and says what the array says (or less, where memory was short:
 * never less of what is delayed). Then the cases that recordings of Linux show: what a look-up
 * marks, what is cut off, what merges.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/random.h"
#include "ext4/extent_status.h"

#define BLOCKS 96u
#define STATUSES (ES_WRITTEN | ES_UNWRITTEN | ES_DELAYED | ES_HOLE)

struct fixture {
	struct ext4_fs fs;
	struct inode inode;
	struct clock clock;
	struct random random;
};

/* What the model says of each block. */
struct known {
	uint32_t status; /* 0: nothing */
	ext4_fsblk_t pblk;
};

static struct known model[BLOCKS];

static int setup(void **state)
{
	struct fixture *f = test_calloc(1, sizeof(*f));
	struct trace_options opt = { .dialect = DIALECT_4_9, .clock = &f->clock };

	clock_init_virtual(&f->clock, 0, 0);
	random_init_seed(&f->random, 20);
	f->fs.clock = &f->clock;
	f->fs.arena = arena_create();
	assert_non_null(f->fs.arena);
	assert_int_equal(trace_create(f->fs.arena, &opt, &f->fs.trace), 0);
	assert_int_equal(budget_create(f->fs.arena, 4096, &f->fs.budget), 0);
	assert_int_equal(ext4_es_shrinker_create(&f->fs), 0);
	f->inode.fs = &f->fs;
	f->inode.ino = 12;
	ext4_es_init_tree(&f->inode.es);
	memset(model, 0, sizeof(model));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	ext4_es_clear(&f->inode);
	ext4_es_shrinker_destroy(&f->fs);
	assert_int_equal(budget_used(f->fs.budget), 0);
	budget_destroy(f->fs.budget);
	trace_destroy(f->fs.trace);
	arena_destroy(f->fs.arena);
	test_free(f);
	return 0;
}

/* ---- the tree against the model */

static ext4_fsblk_t block_in(const struct extent_status *es, ext4_lblk_t lblk)
{
	return es->status & (ES_WRITTEN | ES_UNWRITTEN) ? es->pblk + (lblk - es->lblk) : 0;
}

/* Entries in order, apart, and no two that should be one; the counts are right. */
static void check_form(struct es_tree *t)
{
	const struct extent_status *last = NULL;
	uint32_t count = 0, delayed = 0;

	for (struct rb_node *n = rb_first(&t->root); n; n = rb_next(n)) {
		const struct extent_status *es = rb_entry(n, struct extent_status, node);

		assert_true(es->len > 0 && es_last(es) >= es->lblk);
		if (last) {
			assert_true(es->lblk > es_last(last));
			assert_false(es->lblk == es_last(last) + 1 &&
				     (es->status & STATUSES) == (last->status & STATUSES) &&
				     block_in(last, es->lblk) == block_in(es, es->lblk));
		}
		count++;
		delayed += es_is_delayed(es);
		last = es;
	}
	assert_int_equal(t->count, count);
	assert_int_equal(t->delayed, delayed);
}

/* Where the tree has forgotten what it may forget, the model forgets it too. */
static void check_model(struct fixture *f)
{
	struct extent_status es;

	check_form(&f->inode.es);
	for (ext4_lblk_t b = 0; b < BLOCKS; b++) {
		if (!ext4_es_next(&f->inode, b, STATUSES, &es) || es.lblk > b) {
			assert_false(model[b].status & ES_DELAYED);
			model[b].status = 0;
			continue;
		}
		assert_int_equal(es.status & STATUSES, model[b].status);
		assert_int_equal(block_in(&es, b), model[b].pblk);
	}
}

static void put(ext4_lblk_t lblk, uint32_t len, ext4_fsblk_t pblk, uint32_t status)
{
	for (uint32_t i = 0; i < len; i++) {
		bool has_block = status & (ES_WRITTEN | ES_UNWRITTEN);

		model[lblk + i] = (struct known){ status, has_block ? pblk + i : 0 };
	}
}

static uint32_t random_status(struct random *r)
{
	static const uint32_t some[] = {
		ES_WRITTEN, ES_UNWRITTEN, ES_DELAYED, ES_HOLE, ES_UNWRITTEN | ES_DELAYED,
		ES_DELAYED,
	};

	return some[random_below(r, array_size(some))];
}

/* ---- steps */

static void insert(struct fixture *f, ext4_lblk_t lblk, uint32_t len)
{
	uint32_t status = random_status(&f->random);
	ext4_fsblk_t pblk = random_below(&f->random, 2) ? 1000 + lblk : 5000 - lblk;
	int err = ext4_es_insert_extent(&f->inode, lblk, len, pblk, status);

	if (!err) {
		put(lblk, len, pblk, status);
		return;
	}
	assert_int_equal(err, -ENOMEM);
	assert_true(status & ES_DELAYED);
	for (uint32_t i = 0; i < len; i++) /* nothing new is known of these */
		model[lblk + i].status = 0;
}

static void cache(struct fixture *f, ext4_lblk_t lblk, uint32_t len)
{
	uint32_t status = random_below(&f->random, 2) ? ES_WRITTEN : ES_HOLE;

	ext4_es_cache_extent(&f->inode, lblk, len, 1000 + lblk, status);
	for (uint32_t i = 0; i < len; i++)
		if (model[lblk + i].status)
			return;
	put(lblk, len, 1000 + lblk, status);
}

static void look_up(struct fixture *f, ext4_lblk_t lblk)
{
	struct extent_status first, second;
	bool found = ext4_es_lookup_extent(&f->inode, lblk, &first);

	assert_int_equal(found, model[lblk].status != 0);
	if (!found)
		return;
	assert_int_equal(first.status & STATUSES, model[lblk].status);
	assert_true(ext4_es_lookup_extent(&f->inode, lblk, &second));
	assert_int_equal(second.status, first.status | ES_REFERENCED);
}

static void find_delayed(struct fixture *f, ext4_lblk_t lblk, uint32_t len)
{
	struct extent_status es;
	ext4_lblk_t b = lblk, end = lblk + len - 1;
	uint32_t blocks = 0;

	while (b <= end && !(model[b].status & ES_DELAYED))
		b++;
	ext4_es_find_delayed_extent_range(&f->inode, lblk, end, &es);
	assert_int_equal(es.len > 0, b <= end);
	if (b <= end)
		assert_true(es.lblk <= b && es_last(&es) >= b);
	for (; b <= end; b++)
		blocks += (model[b].status & ES_DELAYED) != 0;
	assert_int_equal(ext4_es_delayed_blocks(&f->inode, lblk, end), blocks);
}

static void step(struct fixture *f)
{
	ext4_lblk_t lblk = random_below(&f->random, BLOCKS);
	uint32_t len = 1 + random_below(&f->random, min(BLOCKS - lblk, 12u));

	switch (random_below(&f->random, 8)) {
	case 0:
		assert_int_equal(ext4_es_remove_extent(&f->inode, lblk, len), 0);
		put(lblk, len, 0, 0);
		break;
	case 1:
		look_up(f, lblk);
		break;
	case 2:
		find_delayed(f, lblk, len);
		break;
	case 3:
		cache(f, lblk, len);
		break;
	default:
		insert(f, lblk, len);
	}
}

static void random_steps_agree_with_an_array(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 20000; i++) {
		step(f);
		check_model(f);
	}
}

static void one_failed_allocation_loses_no_promise(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 20000; i++) {
		arena_fail_at(f->fs.arena, random_below(&f->random, 3));
		step(f);
		arena_fail_at(f->fs.arena, UINT64_MAX);
		check_model(f);
	}
}

static void reclaim_takes_what_is_not_delayed(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 3000; i++) {
		step(f);
		budget_reclaim(f->fs.budget);
		check_model(f);
		assert_true(budget_used(f->fs.budget) <= budget_limit(f->fs.budget) ||
			    f->inode.es.count == f->inode.es.delayed);
	}
}

/* ---- single cases */

static struct extent_status looked_up(struct fixture *f, ext4_lblk_t lblk)
{
	struct extent_status es;

	(void)ext4_es_lookup_extent(&f->inode, lblk, &es);
	return es;
}

static void assert_entry(struct extent_status es, ext4_lblk_t lblk, uint32_t len, ext4_fsblk_t pblk,
			 uint32_t status)
{
	assert_int_equal(es.lblk, lblk);
	assert_int_equal(es.len, len);
	assert_int_equal(es.pblk, pblk);
	assert_int_equal(es.status, status);
}

static void insert_ok(struct fixture *f, ext4_lblk_t lblk, uint32_t len, ext4_fsblk_t pblk,
		      uint32_t status)
{
	assert_int_equal(ext4_es_insert_extent(&f->inode, lblk, len, pblk, status), 0);
}

static void what_is_cut_off_a_hole_inherits_the_mark(void **state)
{
	struct fixture *f = *state;

	insert_ok(f, 0, UINT32_MAX, 0, ES_HOLE);
	insert_ok(f, 0, 1, 0, ES_DELAYED);
	assert_entry(looked_up(f, 16), 1, UINT32_MAX - 1, ES_NO_BLOCK, ES_HOLE);
	insert_ok(f, 16, 1, 0, ES_DELAYED);
	assert_entry(looked_up(f, 32), 17, UINT32_MAX - 17, 0x7fdeadbeef, ES_HOLE | ES_REFERENCED);
	assert_entry(looked_up(f, 1), 1, 15, ES_NO_BLOCK, ES_HOLE | ES_REFERENCED);
	assert_entry(looked_up(f, 0), 0, 1, ES_NO_BLOCK, ES_DELAYED);
}

static void neighbours_merge_where_their_blocks_do(void **state)
{
	struct fixture *f = *state;

	insert_ok(f, 0, 2, 100, ES_WRITTEN);
	insert_ok(f, 3, 2, 103, ES_WRITTEN);
	assert_entry(looked_up(f, 4), 3, 2, 103, ES_WRITTEN);
	insert_ok(f, 2, 1, 102, ES_WRITTEN);
	assert_entry(looked_up(f, 0), 0, 5, 100, ES_WRITTEN | ES_REFERENCED);
	insert_ok(f, 5, 1, 200, ES_WRITTEN);
	assert_entry(looked_up(f, 5), 5, 1, 200, ES_WRITTEN);
	insert_ok(f, 6, 1, 201, ES_UNWRITTEN);
	assert_entry(looked_up(f, 6), 6, 1, 201, ES_UNWRITTEN);
}

static void cached_extents_do_not_replace(void **state)
{
	struct fixture *f = *state;

	insert_ok(f, 8, 1, 0, ES_DELAYED);
	ext4_es_cache_extent(&f->inode, 6, 4, 0, ES_HOLE);
	assert_false(ext4_es_next(&f->inode, 0, ES_HOLE, &(struct extent_status){ 0 }));
	ext4_es_cache_extent(&f->inode, 6, 2, 0, ES_HOLE);
	assert_entry(looked_up(f, 7), 6, 2, ES_NO_BLOCK, ES_HOLE);
}

static void a_promise_outlives_all_memory(void **state)
{
	struct fixture *f = *state;

	insert_ok(f, 0, 9, 0, ES_DELAYED);
	insert_ok(f, 20, 1, 100, ES_WRITTEN);
	for (ext4_lblk_t b = 1; b < 8; b += 2) {
		arena_fail_at(f->fs.arena, 0);
		assert_int_equal(ext4_es_insert_extent(&f->inode, b, 1, 50 + b, ES_WRITTEN), 0);
	}
	arena_fail_at(f->fs.arena, UINT64_MAX);
	assert_int_equal(ext4_es_delayed_blocks(&f->inode, 0, 20), 5);
	check_form(&f->inode.es);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(random_steps_agree_with_an_array, setup, teardown),
		cmocka_unit_test_setup_teardown(one_failed_allocation_loses_no_promise, setup,
						teardown),
		cmocka_unit_test_setup_teardown(reclaim_takes_what_is_not_delayed, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_cut_off_a_hole_inherits_the_mark, setup,
						teardown),
		cmocka_unit_test_setup_teardown(neighbours_merge_where_their_blocks_do, setup,
						teardown),
		cmocka_unit_test_setup_teardown(cached_extents_do_not_replace, setup, teardown),
		cmocka_unit_test_setup_teardown(a_promise_outlives_all_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
