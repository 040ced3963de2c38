/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ext4_map_blocks and the delayed write's get-block step over the toys of map_fake.h: what is asked
 * of whom, the credits, promises kept exactly, and the events of single operations, which are those
 * that Linux 4.9 shows for them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ext4/extent_status.h"
#include "ext4/map_fake.h"

static struct map_fake *f;

static int setup(void **state)
{
	f = calloc(1, sizeof(*f));
	assert_non_null(f);
	fake_init(f, 1, 0);
	return 0;
}

static int teardown(void **state)
{
	fake_fini(f);
	free(f);
	return 0;
}

static int map(ext4_lblk_t lblk, uint32_t len, uint32_t flags, struct ext4_map *m)
{
	return fake_map(f, lblk, len, flags, m);
}

/* ---- credits: what recordings show that Linux asks for */

static void credits_are_those_of_linux(void **state)
{
	static const struct {
		uint32_t depth, groups, gdt_blocks, blocks, extents;
		int credits;
	} cases[] = {
		{ 0, 1, 1, 1, 1, 8 },    { 0, 1, 1, 2048, 1, 8 }, { 1, 1, 1, 1, 1, 12 },
		{ 2, 1, 1, 1, 1, 16 },   { 0, 1, 1, 4, 4, 11 },   { 1, 1, 1, 4, 4, 17 },
		{ 0, 100, 2, 4, 4, 12 }, { 1, 2, 1, 1, 1, 11 },
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		EXT_PATH(p, &f->inode);

		f->fs.geo.groups_count = cases[i].groups;
		f->fs.geo.gdt_blocks = cases[i].gdt_blocks;
		ext4_ext_set_root(&p, (int)cases[i].depth, NULL, 0);
		assert_int_equal(ext4_map_credits(&f->inode, cases[i].blocks, cases[i].extents),
				 cases[i].credits);
	}
	ext4_ext_init_root(&f->inode);
	f->inode.flags = 0;
	f->fs.geo.groups_count = f->fs.geo.gdt_blocks = 1;
	f->fs.geo.block_size = 4096;
	assert_int_equal(ext4_chunk_credits(&f->inode, 2048), 6 + 1 + 7 + 6);
}

/* ---- look-ups */

static void what_is_known_asks_nobody(void **state)
{
	uint64_t allocations, calls;
	struct ext4_map m;

	assert_int_equal(map(10, 5, MAP_CREATE, &m), 5);
	allocations = arena_allocations(f->fs.arena);
	calls = block_fault_calls(f->fault);
	assert_int_equal(map(12, 9, 0, &m), 3);
	assert_int_equal(m.flags, MAPPED_MAPPED);
	assert_int_equal(map(14, 1, MAP_CREATE, &m), 1);
	assert_int_equal(arena_allocations(f->fs.arena), allocations);
	assert_int_equal(block_fault_calls(f->fault), calls);
}

static void a_hole_says_how_far_it_reaches(void **state)
{
	struct ext4_map m;

	assert_int_equal(map(100, 5, MAP_CREATE, &m), 5);
	fake_forget_all(f);
	assert_int_equal(map(90, 50, 0, &m), 0);
	assert_int_equal(m.len, 10);
	assert_int_equal(map(95, 50, 0, &m), 0); /* known now */
	assert_int_equal(m.len, 5);
	assert_int_equal(map(105, 50, 0, &m), 0);
	assert_int_equal(m.len, 50);
}

static void zeroed_blocks_are_zeros_on_the_device(void **state)
{
	uint8_t bytes[FAKE_BLOCK_SIZE];
	struct ext4_map m;

	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(block_write(f->fs.device, (FAKE_META_BLOCKS + 1) * FAKE_BLOCK_SIZE, bytes,
				     sizeof(bytes), 0),
			 0);
	assert_int_equal(map(0, 3, MAP_CREATE | MAP_ZERO, &m), 3);
	assert_int_equal(m.pblk, FAKE_META_BLOCKS + 1);
	assert_int_equal(block_read(f->fs.device, m.pblk * FAKE_BLOCK_SIZE, bytes, sizeof(bytes)),
			 0);
	for (size_t i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], 0);
}

/* ---- promises */

static void delay(ext4_lblk_t lblk)
{
	struct ext4_map m;

	assert_int_equal(ext4_da_map_blocks(&f->inode, lblk, &m), 0);
	assert_int_equal(m.flags, MAPPED_NEW | MAPPED_DELAYED);
}

static void a_delayed_block_is_promised_once(void **state)
{
	struct ext4_map m;

	delay(7);
	delay(7);
	assert_int_equal(f->reserved, 1);
	assert_int_equal(map(7, 1, 0, &m), 0);
	assert_int_equal(map(7, 1, MAP_CREATE | MAP_DELALLOC | MAP_METADATA_NOFAIL, &m), 1);
	assert_int_equal(f->reserved, 0);
	assert_int_equal(ext4_da_map_blocks(&f->inode, 7, &m), 1);
	assert_int_equal(m.flags, MAPPED_MAPPED);
}

static void without_space_or_memory_nothing_is_promised(void **state)
{
	struct extent_status es;
	struct ext4_map m;

	f->no_space = true;
	assert_int_equal(ext4_da_map_blocks(&f->inode, 3, &m), -ENOSPC);
	f->no_space = false;
	ext4_es_clear(&f->inode);
	for (uint64_t nth = 0;; nth++) {
		int ret;

		arena_fail_at(f->fs.arena, nth);
		ret = ext4_da_map_blocks(&f->inode, 3, &m);
		arena_fail_at(f->fs.arena, UINT64_MAX);
		if (!ret)
			break;
		assert_int_equal(ret, -ENOMEM);
		assert_int_equal(f->reserved, 0);
		assert_false(ext4_es_next(&f->inode, 0, ES_DELAYED, &es));
		ext4_es_clear(&f->inode);
	}
	assert_int_equal(f->reserved, 1);
}

/* Unwritten blocks under delayed data: the data has its place, and nothing is promised any more. */
static void fallocate_voids_promises(void **state)
{
	struct ext4_map m;

	delay(2);
	delay(3);
	delay(9);
	for (ext4_lblk_t b = 0; b < 16; b += m.len)
		assert_true(map(b, 16 - b, MAP_CREATE | MAP_UNWRIT | MAP_NO_NORMALIZE, &m) > 0);
	assert_int_equal(f->reserved, 0);
	assert_int_equal(f->released, 3);
	assert_int_equal(ext4_es_delayed_blocks(&f->inode, 0, 15), 0);
	assert_int_equal(ext4_da_map_blocks(&f->inode, 5, &m), 1);
	assert_int_equal(m.flags, MAPPED_UNWRITTEN);
	assert_true(map(2, 2, MAP_CREATE | MAP_DELALLOC, &m) > 0);
	assert_true(map(9, 4, MAP_CREATE, &m) > 0);
	assert_int_equal(f->reserved, 0);
	assert_int_equal(f->released, 3);
}

static int map_without_memory(ext4_lblk_t lblk)
{
	struct ext4_map m;
	int ret;

	arena_fail_at(f->fs.arena, 0);
	ret = map(lblk, 1, MAP_CREATE | MAP_DELALLOC | MAP_METADATA_NOFAIL, &m);
	arena_fail_at(f->fs.arena, UINT64_MAX);
	assert_int_equal(f->reserved, ext4_es_delayed_blocks(&f->inode, 0, 9));
	return ret;
}

#define RESERVE 8 /* entries that es_shrinker.c sets aside */

/* A block that is mapped out of the middle of a delayed stretch needs an entry more. */
static void without_memory_promises_stay_counted(void **state)
{
	struct extent_status *taken[RESERVE];
	struct ext4_map m;

	for (ext4_lblk_t b = 0; b < 10; b++)
		delay(b);
	assert_int_equal(map(1, 1, MAP_CREATE | MAP_DELALLOC | MAP_METADATA_NOFAIL, &m), 1);
	for (int i = 0; i < RESERVE; i++) {
		arena_fail_at(f->fs.arena, 0);
		mutex_lock(&f->inode.es.lock);
		taken[i] = ext4_es_entry_new(&f->inode, true);
		mutex_unlock(&f->inode.es.lock);
		assert_non_null(taken[i]);
	}
	assert_int_equal(ext4_es_remove_extent(&f->inode, 1, 1), 0); /* it could be done without */
	assert_int_equal(map_without_memory(4), 1);
	assert_int_equal(ext4_es_remove_extent(&f->inode, 4, 1), 0);
	assert_int_equal(map_without_memory(6), -ENOMEM);
	assert_int_equal(map(6, 1, MAP_CREATE | MAP_DELALLOC | MAP_METADATA_NOFAIL, &m), 1);
	assert_int_equal(f->reserved, ext4_es_delayed_blocks(&f->inode, 0, 9));
	for (int i = 0; i < RESERVE; i++)
		ext4_es_entry_free(&f->fs, taken[i]);
}

static void a_plain_write_over_a_promise_voids_it(void **state)
{
	struct ext4_map m;

	delay(4);
	delay(5);
	assert_int_equal(map(4, 1, MAP_CREATE, &m), 1);
	assert_int_equal(f->reserved, 1);
	assert_int_equal(f->released, 1);
	assert_int_equal(map(5, 1, MAP_CREATE | MAP_DELALLOC, &m), 1);
	assert_int_equal(f->reserved, 0);
}

/* ---- neighbours and goals, as the allocator is told */

static void goals_follow_the_extent_before(void **state)
{
	struct ext4_map m;
	ext4_fsblk_t at;

	assert_int_equal(map(10, 5, MAP_CREATE, &m), 5);
	assert_int_equal(f->last_goal, 1);
	at = m.pblk;
	assert_int_equal(map(20, 1, MAP_CREATE, &m), 1);
	assert_int_equal(f->last_goal, at + 10);
	assert_int_equal(map(5, 1, MAP_CREATE, &m), 1);
	assert_int_equal(f->last_goal, at - 5);
}

/* ---- events */

struct lines {
	const char *const *expected;
	size_t count;
	bool any;
};

static void one_line(struct lines *l, const char *line, size_t len)
{
	const char *event = memmem(line, len, "ext4_", 5);
	size_t event_len = event ? len - (size_t)(event - line) : 0;

	if (l->any || !event)
		return;
	if (!l->count)
		fail_msg("more than expected: %.*s", (int)event_len, event);
	if (strlen(*l->expected) != event_len || memcmp(*l->expected, event, event_len))
		fail_msg("got %.*s, not %s", (int)event_len, event, *l->expected);
	l->expected++;
	l->count--;
}

static int some_lines(void *arg, const char *text, size_t len)
{
	const char *end;

	for (; len && (end = memchr(text, '\n', len));
	     len -= (size_t)(end + 1 - text), text = end + 1)
		one_line(arg, text, (size_t)(end - text));
	return 0;
}

static void drain(struct lines *l)
{
	struct trace_formatter *out;

	assert_int_equal(trace_formatter_create(f->fs.trace, TRACE_FTRACE, some_lines, l, &out), 0);
	assert_int_equal(trace_format_all(out), 0);
	trace_formatter_destroy(out);
}

static void listen(void)
{
	struct lines all = { .any = true };

	assert_int_equal(trace_enable(f->fs.trace, "ext4_*", true), 0);
	drain(&all);
}

#define EXPECT(...) \
	do { \
		static const char *const expected_[] = { __VA_ARGS__ }; \
		struct lines lines_ = { expected_, array_size(expected_), false }; \
		drain(&lines_); \
		assert_int_equal(lines_.count, 0); \
	} while (0)
#define INO ": dev 0,0 ino 12 "

static void events_of_a_first_delayed_write(void **state)
{
	listen();
	delay(0);
	EXPECT("ext4_es_lookup_extent_enter" INO "lblk 0",
	       "ext4_es_lookup_extent_exit" INO "found 0 [0/0) 0 ",
	       "ext4_ext_map_blocks_enter" INO "lblk 0 len 1 flags ",
	       "ext4_es_find_delayed_extent_range_enter" INO "lblk 0",
	       "ext4_es_find_delayed_extent_range_exit" INO "es [0/0) mapped 0 status ",
	       "ext4_es_insert_extent" INO "es [0/4294967295) mapped 576460752303423487 status H",
	       "ext4_ext_map_blocks_exit" INO "flags  lblk 0 pblk 0 len 1 mflags  ret 0",
	       "ext4_es_insert_extent" INO "es [0/1) mapped 576460752303423487 status D");
	delay(1);
	EXPECT("ext4_es_lookup_extent_enter" INO "lblk 1",
	       "ext4_es_lookup_extent_exit" INO "found 1 [1/4294967294) 576460752303423487 H",
	       "ext4_es_insert_extent" INO "es [1/1) mapped 576460752303423487 status D");
}

static void events_of_its_write_back(void **state)
{
	struct ext4_map m;

	delay(0);
	delay(1);
	listen();
	assert_int_equal(
		map(0, 2, MAP_CREATE | MAP_DELALLOC | MAP_METADATA_NOFAIL | MAP_IO_SUBMIT, &m), 2);
	EXPECT("ext4_es_lookup_extent_enter" INO "lblk 0",
	       "ext4_es_lookup_extent_exit" INO "found 1 [0/2) 576460752303423487 D",
	       "ext4_ext_map_blocks_enter" INO
	       "lblk 0 len 2 flags CREATE|DELALLOC|METADATA_NOFAIL|0x400",
	       "ext4_mark_inode_dirty" INO "caller __ext4_ext_dirty",
	       "ext4_get_reserved_cluster_alloc" INO "lblk 0 len 2",
	       "ext4_ext_map_blocks_exit" INO
	       "flags CREATE|DELALLOC|METADATA_NOFAIL|0x400 lblk 0 pblk 4097 len 2 mflags NM ret 2",
	       "ext4_es_insert_extent" INO "es [0/2) mapped 4097 status W");
}

static void events_of_a_root_that_moves_into_a_leaf(void **state)
{
	struct ext4_map m;

	f->run_max = 1;
	for (ext4_lblk_t b = 0; b < 64; b += 16)
		assert_int_equal(map(b, 1, MAP_CREATE, &m), 1);
	listen();
	assert_int_equal(map(64, 1, MAP_CREATE, &m), 1);
	EXPECT("ext4_es_lookup_extent_enter" INO "lblk 64",
	       "ext4_es_lookup_extent_exit" INO "found 1 [49/4294967246) 549196775151 H0x10",
	       "ext4_ext_map_blocks_enter" INO "lblk 64 len 1 flags CREATE",
	       "ext4_ext_show_extent" INO "lblk 48 pblk 4103 len 1",
	       "ext4_mark_inode_dirty" INO "caller ext4_ext_insert_extent",
	       "ext4_es_cache_extent" INO "es [0/1) mapped 4097 status W",
	       "ext4_es_cache_extent" INO "es [1/15) mapped 576460752303423487 status H",
	       "ext4_es_cache_extent" INO "es [16/1) mapped 4099 status W",
	       "ext4_es_cache_extent" INO "es [17/15) mapped 576460752303423487 status H",
	       "ext4_es_cache_extent" INO "es [32/1) mapped 4101 status W",
	       "ext4_es_cache_extent" INO "es [33/15) mapped 576460752303423487 status H",
	       "ext4_es_cache_extent" INO "es [48/1) mapped 4103 status W",
	       "ext4_ext_map_blocks_exit" INO
	       "flags CREATE lblk 64 pblk 4105 len 1 mflags NM ret 1",
	       "ext4_es_insert_extent" INO "es [64/1) mapped 4105 status W");
	assert_int_equal(fake_remove(f, 17, EXT4_MAX_LBLK), 0);
	assert_int_equal(fake_remove(f, 0, EXT4_MAX_LBLK), 0);
	EXPECT("ext4_mark_inode_dirty" INO "caller fake_remove",
	       "ext4_es_remove_extent" INO "es [17/4294967278)",
	       "ext4_ext_remove_space" INO "since 17 end 4294967294 depth 1",
	       "ext4_ext_rm_leaf" INO "start_lblk 17 last_extent [64(4105), 1]partial_cluster 0",
	       "ext4_remove_blocks" INO "extent [64(4105), 1]from 64 to 64 partial_cluster 0",
	       "ext4_remove_blocks" INO "extent [48(4103), 1]from 48 to 48 partial_cluster 0",
	       "ext4_remove_blocks" INO "extent [32(4101), 1]from 32 to 32 partial_cluster 0",
	       "ext4_ext_remove_space_done" INO
	       "since 17 end 4294967294 depth 1 partial 0 remaining_entries 1",
	       "ext4_mark_inode_dirty" INO "caller fake_remove",
	       "ext4_es_remove_extent" INO "es [0/4294967295)",
	       "ext4_ext_remove_space" INO "since 0 end 4294967294 depth 1",
	       "ext4_ext_rm_leaf" INO "start_lblk 0 last_extent [16(4099), 1]partial_cluster 0",
	       "ext4_remove_blocks" INO "extent [16(4099), 1]from 16 to 16 partial_cluster 0",
	       "ext4_remove_blocks" INO "extent [0(4097), 1]from 0 to 0 partial_cluster 0",
	       "ext4_mark_inode_dirty" INO "caller __ext4_ext_dirty",
	       "ext4_ext_rm_idx" INO "index_pblk 1",
	       "ext4_ext_remove_space_done" INO
	       "since 0 end 4294967294 depth 1 partial 0 remaining_entries 0",
	       "ext4_mark_inode_dirty" INO "caller __ext4_ext_dirty");
}

static void events_of_writing_into_unwritten_blocks(void **state)
{
	struct ext4_map m;

	f->fs.geo.block_size = 4096; /* so that 8 blocks are zeroed rather than cut off */
	f->fs.geo.block_bits = 12;
	f->inode.size = 16 * 4096;
	assert_int_equal(map(0, 16, MAP_CREATE | MAP_UNWRIT | MAP_NO_NORMALIZE, &m), 16);
	listen();
	assert_int_equal(map(2, 1, MAP_CREATE | MAP_METADATA_NOFAIL | MAP_IO_SUBMIT, &m), 1);
	EXPECT("ext4_es_lookup_extent_enter" INO "lblk 2",
	       "ext4_es_lookup_extent_exit" INO "found 1 [0/16) 4097 U",
	       "ext4_ext_map_blocks_enter" INO "lblk 2 len 1 flags CREATE|METADATA_NOFAIL|0x400",
	       "ext4_ext_show_extent" INO "lblk 0 pblk 4097 len 16",
	       "ext4_ext_handle_unwritten_extents" INO
	       "m_lblk 2 m_pblk 4099 m_len 1 flags CREATE|METADATA_NOFAIL|0x400 allocated 14 "
	       "newblock 4099",
	       "ext4_ext_convert_to_initialized_enter" INO
	       "m_lblk 2 m_len 1 u_lblk 0 u_len 16 u_pblk 4097",
	       "ext4_mark_inode_dirty" INO "caller __ext4_ext_dirty",
	       "ext4_mark_inode_dirty" INO "caller __ext4_ext_dirty",
	       "ext4_mark_inode_dirty" INO "caller __ext4_ext_dirty",
	       "ext4_es_insert_extent" INO "es [0/2) mapped 4097 status W",
	       "ext4_ext_map_blocks_exit" INO
	       "flags CREATE|METADATA_NOFAIL|0x400 lblk 2 pblk 4099 len 1 mflags NM ret 1",
	       "ext4_es_insert_extent" INO "es [2/1) mapped 4099 status W");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(credits_are_those_of_linux, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_known_asks_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(a_hole_says_how_far_it_reaches, setup, teardown),
		cmocka_unit_test_setup_teardown(zeroed_blocks_are_zeros_on_the_device, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_delayed_block_is_promised_once, setup, teardown),
		cmocka_unit_test_setup_teardown(without_space_or_memory_nothing_is_promised, setup,
						teardown),
		cmocka_unit_test_setup_teardown(fallocate_voids_promises, setup, teardown),
		cmocka_unit_test_setup_teardown(without_memory_promises_stay_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(a_plain_write_over_a_promise_voids_it, setup,
						teardown),
		cmocka_unit_test_setup_teardown(goals_follow_the_extent_before, setup, teardown),
		cmocka_unit_test_setup_teardown(events_of_a_first_delayed_write, setup, teardown),
		cmocka_unit_test_setup_teardown(events_of_its_write_back, setup, teardown),
		cmocka_unit_test_setup_teardown(events_of_a_root_that_moves_into_a_leaf, setup,
						teardown),
		cmocka_unit_test_setup_teardown(events_of_writing_into_unwritten_blocks, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
