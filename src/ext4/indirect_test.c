/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Block maps by hand: blocks at the borders of all four levels, runs and holes and how far they
 * reach, maps that lead where no file may. Blocks are made at every level.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ext4/map_fake.h"

#define N (FAKE_BLOCK_SIZE / 4) /* pointers in a block */
#define DATA (FAKE_META_BLOCKS + 100u)

static struct map_fake *f;

static int setup(void **state)
{
	f = calloc(1, sizeof(*f));
	assert_non_null(f);
	fake_init(f, 1, 0);
	f->hostile = true;
	f->inode.flags = 0;
	memset(f->inode.i_data, 0, sizeof(f->inode.i_data));
	return 0;
}

static int teardown(void **state)
{
	fake_fini(f);
	free(f);
	return 0;
}

/* Pointer number `at` of `block` (0: of the inode). */
static void point(uint64_t block, uint32_t at, uint32_t to)
{
	le32 pointers[N];

	if (!block) {
		f->inode.i_data[at] = le32_of(to);
		return;
	}
	assert_int_equal(
		block_read(f->fs.device, block * FAKE_BLOCK_SIZE, pointers, sizeof(pointers)), 0);
	pointers[at] = le32_of(to);
	assert_int_equal(
		block_write(f->fs.device, block * FAKE_BLOCK_SIZE, pointers, sizeof(pointers), 0),
		0);
}

static int look_up(ext4_lblk_t lblk, uint32_t len, struct ext4_map *m)
{
	return fake_map(f, lblk, len, 0, m);
}

static void assert_mapped(ext4_lblk_t lblk, uint32_t wanted, ext4_fsblk_t pblk, uint32_t len)
{
	struct ext4_map m;

	assert_int_equal(look_up(lblk, wanted, &m), len);
	assert_int_equal(m.pblk, pblk);
}

static void assert_hole(ext4_lblk_t lblk, uint32_t wanted, uint32_t len)
{
	struct ext4_map m;

	assert_int_equal(look_up(lblk, wanted, &m), 0);
	assert_int_equal(m.len, len);
}

static void every_level_is_found(void **state)
{
	point(0, 0, DATA);
	point(0, 11, DATA + 1);
	point(0, 12, 1); /* one level */
	point(1, 0, DATA + 2);
	point(1, N - 1, DATA + 3);
	point(0, 13, 2); /* two */
	point(2, 0, 3);
	point(3, 0, DATA + 4);
	point(2, N - 1, 4);
	point(4, N - 1, DATA + 5);
	point(0, 14, 5); /* three */
	point(5, N - 1, 6);
	point(6, N - 1, 7);
	point(7, N - 1, DATA + 6);
	assert_mapped(0, 1, DATA, 1);
	assert_mapped(11, 9, DATA + 1, 1);
	assert_mapped(12, 9, DATA + 2, 1);
	assert_mapped(12 + N - 1, 9, DATA + 3, 1);
	assert_mapped(12 + N, 9, DATA + 4, 1);
	assert_mapped(12 + N + N * N - 1, 9, DATA + 5, 1);
	assert_mapped(12 + N + N * N + N * N * N - 1, 9, DATA + 6, 1);
	assert_hole(12 + N + N * N, 9, 9);
	assert_int_equal(look_up(12 + N + N * N + N * N * N, 1, &(struct ext4_map){ 0 }), -EFBIG);
}

static void runs_and_holes_end_with_their_block_of_pointers(void **state)
{
	struct ext4_map m;

	for (uint32_t i = 0; i < N; i++)
		point(1, i, DATA + i);
	point(0, 11, DATA - 1);
	point(0, 12, 1);
	assert_int_equal(look_up(11, 20, &m), 1);
	assert_int_equal(m.flags, MAPPED_MAPPED | MAPPED_BOUNDARY);
	assert_int_equal(look_up(12, 20, &m), 20);
	assert_int_equal(m.flags, MAPPED_MAPPED);
	ext4_es_clear(&f->inode);
	assert_int_equal(look_up(12, 2 * N, &m), N);
	assert_int_equal(m.flags, MAPPED_MAPPED | MAPPED_BOUNDARY);
	assert_hole(5, 100, 1);
	assert_hole(12 + N, 1000000, N * N);
	assert_hole(12 + N + N * N, UINT32_MAX, N * N * N);
	/* seen from its middle, a hole ends where it does from its beginning */
	assert_hole(12 + N + 3, 1000000, N * N - 3);
	assert_hole(12 + N + N * N + N + 5, UINT32_MAX, N * N * N - N - 5);
}

static void pointers_to_what_is_not_the_files_are_refused(void **state)
{
	struct ext4_map m;

	f->own_first = 3000;
	f->own_count = 10;
	point(0, 0, 3005);
	assert_int_equal(look_up(0, 1, &m), -EFSCORRUPTED);
	point(0, 12, 3001);
	assert_int_equal(look_up(12, 1, &m), -EFSCORRUPTED);
	point(0, 13, FAKE_BLOCKS);
	assert_int_equal(look_up(12 + N, 1, &m), -EFSCORRUPTED);
	point(0, 14, 1);
	point(1, 3, FAKE_BLOCKS + 7); /* verified as a whole, wherever it is entered */
	assert_int_equal(look_up(12 + N + N * N, 1, &m), -EFSCORRUPTED);
	assert_int_equal(f->errors, 4);
}

/* A block of pointers that points at itself is one at each level, and as data it ends. */
static void a_map_in_a_circle_ends(void **state)
{
	struct ext4_map m;

	point(0, 14, 1);
	for (uint32_t i = 0; i < N; i++)
		point(1, i, 1);
	assert_int_equal(look_up(12 + N + N * N + 5, 3, &m), 1);
	assert_int_equal(m.pblk, 1);
}

/*
 * A block at each level: what lacks is made, what is there stays; what is taken away leaves
 * nothing.
 */
static void blocks_are_made_and_taken_at_every_level(void **state)
{
	static const ext4_lblk_t at[] = {
		3, 12, 12 + N - 1, 12 + N + 5, 12 + N + N * N - 1, 12 + N + N * N + 7
	};
	ext4_fsblk_t got[array_size(at)];
	struct ext4_map m;

	for (size_t i = 0; i < array_size(at); i++) {
		assert_true(fake_map(f, at[i], 1, MAP_CREATE, &m) == 1);
		assert_true(m.flags & MAPPED_NEW);
		got[i] = m.pblk;
	}
	for (size_t i = 0; i < array_size(at); i++) {
		assert_int_equal(look_up(at[i], 1, &m), 1);
		assert_int_equal(m.pblk, got[i]);
	}
	assert_int_equal(fake_map(f, 4, 1, MAP_CREATE | MAP_UNWRIT, &m), -EOPNOTSUPP);
}

static void sizes_end_where_the_levels_do(void **state)
{
	struct ext4_geometry geo = { .block_size = 1024, .block_bits = 10 };
	uint64_t n = 256, reach = 12 + n + n * n + n * n * n;

	assert_int_equal(ext4_ind_max_size(&geo), reach << 10);
	geo = (struct ext4_geometry){ .block_size = 4096,
				      .block_bits = 12,
				      .feature_ro_compat = EXT4_FEATURE_RO_COMPAT_HUGE_FILE };
	n = 1024;
	reach = 12 + n + n * n + n * n * n;
	assert_int_equal(ext4_ind_max_size(&geo), reach << 12);
	geo.feature_ro_compat = 0; /* i_blocks ends first */
	assert_true(ext4_ind_max_size(&geo) < 1ULL << 41);
	geo = (struct ext4_geometry){ .block_size = 65536,
				      .block_bits = 16,
				      .feature_ro_compat = EXT4_FEATURE_RO_COMPAT_HUGE_FILE };
	assert_int_equal(ext4_ind_max_size(&geo), (uint64_t)UINT32_MAX << 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_level_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(runs_and_holes_end_with_their_block_of_pointers,
						setup, teardown),
		cmocka_unit_test_setup_teardown(pointers_to_what_is_not_the_files_are_refused,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_map_in_a_circle_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(blocks_are_made_and_taken_at_every_level, setup,
						teardown),
		cmocka_unit_test(sizes_end_where_the_levels_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
