/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Buffers, what one task sees: bytes are read once and verified as what they are asked for, two
 * claims to one block are refused, what is dirty is written merged and sealed, what is freed is
 * forgotten. Each case runs in all modes. What several tasks see is in buffer_race_test.c.
 */
#include "cache/testing.h"

static const struct buffer_owner ino7 = { 7, 70 }, ino8 = { 8, 80 };

static struct buffer *must_read(struct rig *r, uint64_t block, const struct buffer_kind *kind,
				const struct buffer_owner *owner)
{
	struct buffer *b = NULL;

	assert_int_equal(buffer_read(r->c, block, kind, owner, &b), 0);
	assert_int_equal(b->block, block);
	assert_true(b->state & BUFFER_UPTODATE);
	return b;
}

static void must_not_read(struct rig *r, uint64_t block, const struct buffer_kind *kind,
			  const struct buffer_owner *owner, int expected)
{
	struct buffer *b = (void *)r;

	assert_int_equal(buffer_read(r->c, block, kind, owner, &b), expected);
	assert_ptr_equal(b, r);
}

static struct buffer *must_create(struct rig *r, uint64_t block, const struct buffer_kind *kind,
				  const struct buffer_owner *owner)
{
	struct buffer *b = NULL;

	assert_int_equal(buffer_create(r->c, block, kind, owner, &b), 0);
	return b;
}

/* ---- reading */

static void run_reads_once(struct rig *r)
{
	struct buffer *b, *again;

	put_stamp(r, 5, "red", 7);
	assert_null(buffer_find(r->c, 5));
	b = must_read(r, 5, &red, &ino7);
	assert_string_equal((char *)b->data, "red");
	again = must_read(r, 5, &red, &ino7);
	assert_ptr_equal(again, b);
	buffer_put(again);
	again = buffer_find(r->c, 5);
	assert_ptr_equal(again, b);
	buffer_put(again);
	buffer_put(b);
	buffer_put(NULL);
	assert_int_equal(r->verified, 1);
	assert_int_equal(device_stats(r).reads, 1);
}

static void a_block_is_read_and_verified_once(void **state)
{
	with_rig(run_reads_once, NO_LIMIT, 100, false);
}

static void run_beyond_the_end(struct rig *r)
{
	struct buffer *b;

	must_not_read(r, 100, &red, NULL, -EFSCORRUPTED);
	assert_int_equal(buffer_get(r->c, UINT64_MAX, &b), -EFSCORRUPTED);
	assert_int_equal(buffer_create(r->c, 100, &red, NULL, &b), -EFSCORRUPTED);
	assert_null(buffer_find(r->c, 100));
	assert_int_equal(r->damaged, 3);
	buffer_readahead(r->c, 95, 100);
	assert_int_equal(device_stats(r).read_bytes, 5 * BLOCK);
	buffer_cache_set_geometry(r->c, BLOCK, 50);
	must_not_read(r, 50, &raw, NULL, -EFSCORRUPTED);
}

static void a_block_beyond_the_end_is_damage(void **state)
{
	with_rig(run_beyond_the_end, NO_LIMIT, 100, false);
}

static void run_verification(struct rig *r)
{
	struct buffer *b;

	put_stamp(r, 5, "red", 7);
	must_not_read(r, 5, &blue, &ino7, -EFSCORRUPTED);
	must_not_read(r, 5, &red, &ino8, -EFSBADCRC);
	assert_int_equal(device_stats(r).reads, 2);	/* bytes that fail are not kept */
	buffer_put(must_read(r, 5, &red, &ino7));
	buffer_put(must_read(r, 5, &red, &ino7));
	assert_int_equal(r->verified, 3);

	must_not_read(r, 5, &blue, &ino7, -EFSCORRUPTED);	/* trusted as red: kept */
	buffer_put(must_read(r, 5, NULL, NULL));
	buffer_put(must_read(r, 5, &raw, NULL));
	b = must_read(r, 5, &red, &ino7);
	assert_int_equal(device_stats(r).reads, 3);
	assert_int_equal(r->verified, 4);
	assert_int_equal(r->damaged, 0);
	must_not_read(r, 5, &blue, &ino7, -EFSCORRUPTED);	/* held as red: not even tried */
	assert_int_equal(r->verified, 4);
	assert_int_equal(r->damaged, 1);
	buffer_put(b);
}

static void another_kind_or_owner_is_verified_again(void **state)
{
	with_rig(run_verification, NO_LIMIT, 100, false);
}

static void run_two_claims(struct rig *r)
{
	struct buffer *b, *other;
	int owner_of_head;

	put_stamp(r, 5, "red", 7);
	b = must_read(r, 5, &red, &ino7);
	buffer_mark_dirty(b);
	must_not_read(r, 5, &blue, &ino7, -EFSCORRUPTED);
	must_not_read(r, 5, &red, &ino8, -EFSCORRUPTED);
	must_not_read(r, 5, &raw, NULL, -EFSCORRUPTED);
	assert_int_equal(buffer_create(r->c, 5, &blue, &ino8, &other), -EFSCORRUPTED);
	assert_int_equal(r->damaged, 4);
	assert_int_equal(buffer_write_dirty(r->c), 0);
	b->journal_head = (void *)&owner_of_head;
	must_not_read(r, 5, &raw, NULL, -EFSCORRUPTED);
	buffer_put(must_read(r, 5, &red, &ino7));
	buffer_set_kind(b, &blue, &ino7);		/* the holder may */
	buffer_put(must_read(r, 5, &blue, &ino7));
	b->journal_head = NULL;
	buffer_put(b);
	buffer_put(must_read(r, 5, &raw, NULL));
}

static void two_claims_to_one_block_are_damage(void **state)
{
	with_rig(run_two_claims, NO_LIMIT, 100, false);
}

static void run_failing_read(struct rig *r)
{
	put_stamp(r, 5, "red", 7);
	block_fault_at(r->fault, FAULT_READ, 0, -EIO, false);
	must_not_read(r, 5, &red, &ino7, -EIO);
	block_fault_at(r->fault, FAULT_READ, 0, -ENXIO, false);
	must_not_read(r, 5, &red, &ino7, -ENXIO);
	buffer_put(must_read(r, 5, &red, &ino7));
}

static void a_failed_read_is_tried_again(void **state)
{
	with_rig(run_failing_read, NO_LIMIT, 100, false);
}

static void run_readahead(struct rig *r)
{
	for (uint64_t i = 0; i < 100; i++)
		put_stamp(r, i, "red", 7);
	buffer_put(must_read(r, 20, &red, &ino7));
	buffer_readahead(r->c, 10, 20);			/* 10-19 and 21-29 */
	assert_int_equal(device_stats(r).reads, 3);
	assert_int_equal(device_stats(r).read_bytes, 20 * BLOCK);
	for (uint64_t i = 10; i < 30; i++)
		buffer_put(must_read(r, i, &red, &ino7));
	assert_int_equal(device_stats(r).reads, 3);
	assert_int_equal(r->verified, 20);
	block_fault_at(r->fault, FAULT_READ, 0, -EIO, false);
	buffer_readahead(r->c, 40, 4);			/* a hint: nobody is told */
	buffer_put(must_read(r, 41, &red, &ino7));
}

static void readahead_reads_a_run_at_once(void **state)
{
	with_rig(run_readahead, NO_LIMIT, 100, false);
}

/* It was sealed in the log and on the disk only: what it lacks in memory is no hindrance. */
static void run_unsealed(struct rig *r)
{
	struct buffer *b;

	put_stamp(r, 5, "red", 7);
	b = must_read(r, 5, &red, &ino7);
	strcpy((char *)b->data, "blue");
	((struct stamp *)(void *)b->data)->block = 0;
	buffer_put(b);
	buffer_put(must_read(r, 5, &blue, &ino7));
	assert_int_equal(r->sealed, 1);
}

static void what_is_not_sealed_in_memory_can_be_verified(void **state)
{
	with_rig(run_unsealed, NO_LIMIT, 100, false);
}

/* ---- creating and forgetting */

static void run_create(struct rig *r)
{
	struct buffer *old, *b;

	put_stamp(r, 5, "red", 7);
	old = must_read(r, 5, &red, &ino7);
	b = must_create(r, 5, &blue, &ino8);
	assert_ptr_not_equal(b, old);
	assert_string_equal((char *)old->data, "red");	/* who held it is not surprised */
	assert_true(old->state & BUFFER_FORGOTTEN);
	assert_true(b->state & BUFFER_NEW && b->state & BUFFER_UPTODATE);
	for (uint32_t i = 0; i < BLOCK; i++)
		assert_int_equal(b->data[i], 0);
	must_not_read(r, 5, &red, &ino7, -EFSCORRUPTED);	/* new: somebody's */
	strcpy((char *)b->data, "blue");
	buffer_mark_dirty(b);
	assert_int_equal(buffer_write_dirty(r->c), 0);
	assert_false(b->state & BUFFER_NEW);
	assert_string_equal(get_stamp(r, 5).kind, "blue");
	buffer_put(b);
	buffer_put(old);
	assert_int_equal(device_stats(r).reads, 1);
}

static void a_created_block_is_zero_and_new(void **state)
{
	with_rig(run_create, NO_LIMIT, 100, false);
}

static void run_forget(struct rig *r)
{
	struct buffer *b, *again;

	put_stamp(r, 5, "red", 7);
	b = must_read(r, 5, &red, &ino7);
	strcpy((char *)b->data, "gone");
	buffer_mark_dirty(b);
	buffer_forget(r->c, 5);
	buffer_forget(r->c, 6);
	assert_null(buffer_find(r->c, 5));
	buffer_mark_dirty(b);				/* of no effect */
	assert_int_equal(buffer_write_dirty(r->c), 0);
	assert_int_equal(device_stats(r).writes, 0);
	assert_string_equal((char *)b->data, "gone");
	again = must_read(r, 5, &red, &ino7);
	assert_string_equal((char *)again->data, "red");
	buffer_put(b);
	buffer_put(again);
}

static void a_forgotten_block_is_not_written(void **state)
{
	with_rig(run_forget, NO_LIMIT, 100, false);
}

/* ---- writing */

static void run_write_dirty(struct rig *r)
{
	static const uint64_t order[] = { 30, 12, 50, 11, 10, 31 };
	struct buffer_cache_stats s;
	int owner_of_head;

	for (size_t i = 0; i < array_size(order); i++) {
		struct buffer *b = must_create(r, order[i], &red, &ino7);

		snprintf((char *)b->data, 8, "red");
		buffer_mark_dirty(b);
		buffer_mark_dirty(b);
		if (order[i] == 50)
			b->journal_head = (void *)&owner_of_head;
		buffer_put(b);
	}
	buffer_cache_get_stats(r->c, &s);
	assert_int_equal(s.dirty, 6);
	assert_int_equal(buffer_write_dirty(r->c), 0);
	assert_int_equal(device_stats(r).writes, 2);	/* 10-12, 30-31; 50 is the journal's */
	assert_int_equal(device_stats(r).write_bytes, 5 * BLOCK);
	assert_int_equal(r->sealed, 5);
	for (size_t i = 0; i < array_size(order); i++)
		assert_int_equal(get_stamp(r, order[i]).ino, order[i] == 50 ? 0 : 7);
	struct buffer *b = buffer_find(r->c, 50);
	b->journal_head = NULL;
	assert_int_equal(buffer_write_dirty(r->c), 0);
	assert_int_equal(device_stats(r).writes, 3);
	buffer_put(b);
	buffer_cache_get_stats(r->c, &s);
	assert_int_equal(s.dirty, 0);
	assert_int_equal(s.writes, 3);
	assert_int_equal(s.write_blocks, 6);
}

static void dirty_blocks_are_merged_and_sealed(void **state)
{
	with_rig(run_write_dirty, NO_LIMIT, 100, false);
}

static void run_many_dirty(struct rig *r)
{
	for (uint64_t i = 0; i < 3000; i++) {
		struct buffer *b = must_create(r, i, &red, &ino7);

		buffer_mark_dirty(b);
		buffer_put(b);
	}
	assert_int_equal(buffer_write_dirty(r->c), 0);
	assert_int_equal(device_stats(r).write_bytes, 3000 * BLOCK);
	assert_true(device_stats(r).writes <= 3000 / 256 + 1);
	assert_int_equal(get_stamp(r, 2999).block, 2999);
}

static void more_than_a_batch_is_written(void **state)
{
	with_rig(run_many_dirty, NO_LIMIT, 3000, false);
}

static void run_failing_write(struct rig *r)
{
	struct buffer *b = must_create(r, 5, &red, &ino7), *other = must_create(r, 50, &red, &ino7);

	buffer_mark_dirty(b);
	buffer_mark_dirty(other);
	block_fault_range(r->fault, FAULT_WRITE, 5 * BLOCK, BLOCK, -EIO);
	assert_int_equal(buffer_write_dirty(r->c), -EIO);
	assert_int_equal(get_stamp(r, 50).ino, 7);	/* all were tried */
	assert_true(b->state & BUFFER_DIRTY && b->state & BUFFER_ERROR &&
		    b->state & BUFFER_UPTODATE);
	assert_int_equal(buffer_write_sync(b, 0), -EIO);
	assert_true(b->state & BUFFER_DIRTY);
	block_fault_range(r->fault, FAULT_WRITE, 0, 0, 0);
	assert_int_equal(buffer_write_dirty(r->c), 0);
	assert_false(b->state & (BUFFER_DIRTY | BUFFER_ERROR));
	buffer_put(b);
	buffer_put(other);
}

static void what_failed_to_be_written_is_dirty_again(void **state)
{
	with_rig(run_failing_write, NO_LIMIT, 100, false);
}

static void run_write_sync(struct rig *r)
{
	struct buffer *b = must_create(r, 5, &red, &ino7);
	struct buffer_cache_stats s;

	buffer_mark_dirty(b);
	assert_int_equal(buffer_write_sync(b, BLOCK_FUA), 0);
	assert_int_equal(device_stats(r).fua_writes, 1);
	assert_false(b->state & (BUFFER_DIRTY | BUFFER_NEW));
	assert_int_equal(get_stamp(r, 5).seals, 1);
	buffer_cache_get_stats(r->c, &s);
	assert_int_equal(s.dirty, 0);
	buffer_mark_dirty(b);
	assert_true(buffer_clear_dirty(b));
	assert_false(buffer_clear_dirty(b));
	assert_int_equal(buffer_write_dirty(r->c), 0);
	assert_int_equal(device_stats(r).writes, 1);
	buffer_put(b);
}

static void one_block_is_written_at_once(void **state)
{
	with_rig(run_write_sync, NO_LIMIT, 100, false);
}

/* ---- reclaim */

/* Block 2 has its second chance each time; the first and the last block are in use. */
static void run_streaming(struct rig *r, uint64_t blocks)
{
	struct buffer *pinned = must_create(r, blocks, &red, &ino7),
		      *held = must_read(r, 1, &raw, NULL);
	int owner_of_head;

	buffer_mark_dirty(pinned);
	buffer_put(pinned);
	held->journal_head = (void *)&owner_of_head;
	for (uint64_t i = 2; i < blocks; i++) {
		budget_throttle(r->budget);
		buffer_put(must_read(r, i, &raw, NULL));
		assert_true(budget_used(r->budget) <= budget_limit(r->budget));
		assert_true(arena_bytes(r->f.arena) <= 2 * budget_limit(r->budget));
		if (i % 100 == 0)
			buffer_put(must_read(r, 2, &raw, NULL));
	}
	assert_int_equal(device_stats(r).reads, blocks - 1);
	assert_ptr_equal(buffer_find(r->c, 1), held);
	assert_ptr_equal(buffer_find(r->c, blocks), pinned);
	buffer_put(held);
	held->journal_head = NULL;
	buffer_put(held);
	assert_true(buffer_clear_dirty(pinned));
	buffer_put(pinned);
}

#define STREAM_BLOCKS	   (16u << 10)
#define LONG_STREAM_BLOCKS (1u << 20)	/* 1 GiB through 1 MiB */

static void run_stream(struct rig *r)
{
	run_streaming(r, STREAM_BLOCKS);
}

static void memory_is_flat_while_blocks_stream(void **state)
{
	static struct rig r;

	with_rig(run_stream, 1 << 20, STREAM_BLOCKS + 1, false);
	rig_open(&r, SCHED_THREADED, 0, 1 << 20, LONG_STREAM_BLOCKS + 1, false);
	run_streaming(&r, LONG_STREAM_BLOCKS);
	rig_close(&r);
}

static void run_geometry(struct rig *r)
{
	buffer_put(must_read(r, 3, &raw, NULL));
	buffer_cache_set_geometry(r->c, 4 * BLOCK, 25);
	assert_int_equal(buffer_cache_block_size(r->c), 4 * BLOCK);
	put_stamp(r, 12, "red", 7);
	struct buffer *b = must_read(r, 3, NULL, NULL);

	assert_string_equal((char *)b->data, "red");
	buffer_put(b);
	assert_ptr_equal(buffer_cache_device(r->c), r->device);
}

static void the_block_size_can_be_learned(void **state)
{
	with_rig(run_geometry, NO_LIMIT, 100, false);
}

/* ---- memory that runs out */

static int use_everything(struct rig *r)
{
	struct buffer *b;
	int err = buffer_read(r->c, 5, &red, &ino7, &b);

	if (err)
		return err;
	buffer_put(b);
	err = buffer_create(r->c, 6, &red, &ino7, &b);
	if (err)
		return err;
	buffer_mark_dirty(b);
	buffer_put(b);
	err = buffer_write_dirty(r->c);
	buffer_readahead(r->c, 20, 10);
	for (uint64_t i = 30; !err && i < 330; i++) {
		err = buffer_get(r->c, i, &b);
		if (!err)
			buffer_put(b);
	}
	return err;
}

static void run_failing_allocations(struct rig *r)
{
	uint64_t before, fails = 0;
	int err;

	put_stamp(r, 5, "red", 7);
	do {
		before = arena_allocations(r->f.arena);
		arena_fail_at(r->f.arena, fails++);
		err = use_everything(r);
		assert_true(err == 0 || err == -ENOMEM);
		buffer_cache_set_geometry(r->c, 2 * BLOCK, 200);	/* empties the cache */
		buffer_cache_set_geometry(r->c, BLOCK, 400);
		assert_int_equal(budget_used(r->budget) % sizeof(void *), 0);
	} while (arena_allocations(r->f.arena) - before >= fails - 1);	/* it was reached */
	arena_fail_at(r->f.arena, UINT64_MAX);
	assert_int_equal(use_everything(r), 0);
	assert_true(fails > 100);
}

static void each_allocation_may_fail(void **state)
{
	with_rig(run_failing_allocations, NO_LIMIT, 400, false);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_is_read_and_verified_once),
		cmocka_unit_test(a_block_beyond_the_end_is_damage),
		cmocka_unit_test(another_kind_or_owner_is_verified_again),
		cmocka_unit_test(what_is_not_sealed_in_memory_can_be_verified),
		cmocka_unit_test(two_claims_to_one_block_are_damage),
		cmocka_unit_test(a_failed_read_is_tried_again),
		cmocka_unit_test(readahead_reads_a_run_at_once),
		cmocka_unit_test(a_created_block_is_zero_and_new),
		cmocka_unit_test(a_forgotten_block_is_not_written),
		cmocka_unit_test(dirty_blocks_are_merged_and_sealed),
		cmocka_unit_test(more_than_a_batch_is_written),
		cmocka_unit_test(what_failed_to_be_written_is_dirty_again),
		cmocka_unit_test(one_block_is_written_at_once),
		cmocka_unit_test(memory_is_flat_while_blocks_stream),
		cmocka_unit_test(the_block_size_can_be_learned),
		cmocka_unit_test(each_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
