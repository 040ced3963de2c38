/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shows what the check promises its callers: counts and kinds, where it stops, that it changes and
 * leaks nothing, that each failing allocation and each failing read ends it with that error, and that
 * no image, however it is damaged, makes it crash or take more memory than the image's bitmaps justify.
 * What it finds is held against e2fsck in tests/interop.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/random.h"
#include "check/check.h"
#include "ext4/format.h"
#include "ext4/test_image.h"

#define MUTATIONS 3000

struct fixture {
	struct test_image img;
	struct arena *arena;
	struct block_device *dev;	/* the image, below a cow */
};

static void setup(struct fixture *f, const char *options, const char *size)
{
	struct block_device *mem;

	test_image_make(&f->img, options, size, 120);
	f->arena = arena_create();
	assert_non_null(f->arena);
	assert_int_equal(block_mem_create(f->arena, f->img.size, &mem), 0);
	assert_int_equal(block_write(mem, 0, f->img.bytes, f->img.size, 0), 0);
	assert_int_equal(block_cow_create(f->arena, mem, &f->dev), 0);
}

static void teardown(struct fixture *f)
{
	block_close(f->dev);
	arena_destroy(f->arena);
	test_image_unmap(&f->img);
}

struct seen {
	char first[256];
};

static void note_first(void *arg, const struct check_problem *p)
{
	struct seen *s = arg;

	if (!s->first[0])
		check_problem_format(p, s->first, sizeof(s->first));
}

static int run(struct fixture *f, struct check_report *r, struct seen *s)
{
	const struct check_options opt = { .arena = f->arena, .problem = note_first, .arg = s };

	memset(s, 0, sizeof(*s));
	return check_image(f->dev, &opt, r);
}

static void put(struct fixture *f, uint64_t offset, const void *bytes, size_t len)
{
	uint8_t sector[512];
	uint64_t from = offset / 512 * 512;

	assert_int_equal(block_read(f->dev, from, sector, sizeof(sector)), 0);
	memcpy(sector + offset - from, bytes, len);
	assert_int_equal(block_write(f->dev, from, sector, sizeof(sector), 0), 0);
}

static void put_super(struct fixture *f, size_t field, uint32_t value)
{
	le32 bytes = le32_of(value);

	put(f, EXT4_SUPER_OFFSET + field, &bytes, sizeof(bytes));
}

#define SUPER_FIELD(name) offsetof(struct ext4_super_block, name)

/* ---- reports */

static void a_clean_image(void **state)
{
	struct fixture f;
	struct check_report r;
	struct seen s;
	size_t before;

	setup(&f, "-t ext4 -O orphan_file", "32M");
	before = arena_bytes(f.arena);
	assert_int_equal(run(&f, &r, &s), 0);
	assert_string_equal(s.first, "");
	assert_int_equal(r.problems, 0);
	assert_int_equal(r.directories, 3);	/* the root, lost+found, d */
	assert_int_equal(r.files, 3);
	assert_int_equal(r.symlinks, 122);
	assert_int_equal(r.others, 1);
	assert_false(r.stopped || r.replay_pending);
	assert_int_equal(arena_bytes(f.arena), before);
	teardown(&f);
}

static void problems_have_kind_and_place(void **state)
{
	const struct check_problem p = {
		.kind = CHECK_MAP, .group = CHECK_NO_GROUP, .ino = 12, .block = 345, .text = "is odd"
	};
	struct fixture f;
	struct check_report r;
	struct seen s;
	char text[64];

	check_problem_format(&p, text, sizeof(text));
	assert_string_equal(text, "inode 12, block 345: is odd");
	check_problem_format(&p, text, 9);
	assert_string_equal(text, "inode 12");
	assert_string_equal(check_kind_name(p.kind), "block map");

	setup(&f, "-t ext4 -O ^metadata_csum", "16M");
	put_super(&f, SUPER_FIELD(s_free_inodes_count), 7);
	assert_int_equal(run(&f, &r, &s), 0);
	assert_int_equal(r.problems, 1);
	assert_int_equal(r.by_kind[CHECK_COUNT], 1);
	assert_non_null(strstr(s.first, "7 free inodes are counted"));
	teardown(&f);
}

static void totals_may_lag_after_a_crash(void **state)
{
	struct fixture f;
	struct check_report r;

	setup(&f, "-t ext4 -O ^metadata_csum", "16M");
	put_super(&f, SUPER_FIELD(s_free_blocks_count_lo), 7);
	const struct check_options opt = { .arena = f.arena, .totals_may_lag = true };
	assert_int_equal(check_image(f.dev, &opt, &r), 0);
	assert_int_equal(r.problems, 0);
	teardown(&f);
}

static void it_ends_after_enough_problems(void **state)
{
	static const uint8_t zeros[512];
	struct fixture f;
	struct check_report r;

	setup(&f, "-t ext4 -b 1024 -O ^metadata_csum", "16M");
	for (unsigned i = 0; i < 8; i++)	/* the descriptors of 1 KiB blocks follow the superblock */
		assert_int_equal(block_write(f.dev, 2048 + i * 512, zeros, sizeof(zeros), 0), 0);
	const struct check_options opt = { .arena = f.arena, .problems_max = 2 };
	assert_int_equal(check_image(f.dev, &opt, &r), 0);
	assert_int_equal(r.problems, 2);
	assert_true(r.stopped);
	teardown(&f);
}

static void a_journal_to_be_replayed(void **state)
{
	struct fixture f;
	struct check_report r;
	struct seen s;
	le32 incompat;

	setup(&f, "-t ext4 -O ^metadata_csum", "16M");
	memcpy(&incompat, f.img.bytes + EXT4_SUPER_OFFSET + SUPER_FIELD(s_feature_incompat), 4);
	put_super(&f, SUPER_FIELD(s_feature_incompat),
		  le32_get(incompat) | EXT4_FEATURE_INCOMPAT_RECOVER);
	assert_int_equal(run(&f, &r, &s), 0);
	assert_int_equal(r.problems, 1);
	assert_true(r.replay_pending && r.stopped);
	const struct check_options opt = { .arena = f.arena, .replay_pending_ok = true };
	assert_int_equal(check_image(f.dev, &opt, &r), 0);
	assert_int_equal(r.problems, 0);
	assert_true(r.replay_pending);
	teardown(&f);
}

static void what_cannot_be_judged(void **state)
{
	struct fixture f;
	struct check_report r;
	struct seen s;

	setup(&f, "-t ext4 -O ^metadata_csum", "16M");
	put_super(&f, SUPER_FIELD(s_feature_incompat), 0x82c2);
	assert_int_equal(run(&f, &r, &s), -EOPNOTSUPP);
	assert_non_null(strstr(s.first, "inline_data"));
	put(&f, EXT4_SUPER_OFFSET + SUPER_FIELD(s_magic), "no", 2);
	assert_int_equal(run(&f, &r, &s), -EINVAL);
	block_cow_reset(f.dev);
	put_super(&f, SUPER_FIELD(s_blocks_per_group), 0);
	assert_int_equal(run(&f, &r, &s), 0);
	assert_int_equal(r.problems, 1);
	assert_true(r.stopped);
	teardown(&f);
}

/* ---- failures */

static void each_allocation_fails(void **state)
{
	struct fixture f;
	struct check_report r;
	struct seen s;
	uint64_t n = 0;
	size_t before;
	int err = -ENOMEM;

	setup(&f, "-t ext4 -b 1024", "16M");
	before = arena_bytes(f.arena);
	for (; err; n++) {
		arena_fail_at(f.arena, n);
		err = run(&f, &r, &s);
		assert_true(err == 0 || err == -ENOMEM);
		assert_int_equal(arena_bytes(f.arena), before);
	}
	assert_true(n > 15);
	assert_int_equal(r.problems, 0);
	teardown(&f);
}

static void each_read_fails(void **state)
{
	struct fixture f;
	struct check_report r;
	struct seen s;
	uint64_t reads;
	size_t before;

	setup(&f, "-t ext4 -b 1024", "16M");
	assert_int_equal(block_fault_create(f.arena, f.dev, &f.dev), 0);
	before = arena_bytes(f.arena);
	reads = block_fault_calls(f.dev);
	assert_int_equal(run(&f, &r, &s), 0);
	reads = block_fault_calls(f.dev) - reads;
	assert_true(reads > 50);
	for (uint64_t n = 0; n < reads; n++) {
		block_fault_at(f.dev, FAULT_READ, n, -EIO, false);
		assert_int_equal(run(&f, &r, &s), -EIO);
		assert_int_equal(arena_bytes(f.arena), before);
	}
	teardown(&f);
}

static void it_writes_nothing(void **state)
{
	struct fixture f;
	struct check_report r;
	struct seen s;

	setup(&f, "-t ext4", "16M");
	f.dev->read_only = true;
	assert_int_equal(run(&f, &r, &s), 0);
	assert_int_equal(r.problems, 0);
	f.dev->read_only = false;
	teardown(&f);
}

/* ---- damage of every sort */

/* Blocks of 1 KiB that are not all zeros: metadata, for the most part. */
static uint32_t used_blocks(const struct fixture *f, uint32_t *out, uint32_t max_count)
{
	static const uint8_t zeros[1024];
	uint32_t count = 0;

	for (uint32_t b = 0; b < f->img.size / 1024 && count < max_count; b++)
		if (memcmp(f->img.bytes + b * 1024ULL, zeros, sizeof(zeros)))
			out[count++] = b;
	return count;
}

static void damage(struct random *rng, struct fixture *f, uint64_t at)
{
	uint8_t block[1024];
	unsigned changes = 1 + random_below(rng, 4);

	assert_int_equal(block_read(f->dev, at, block, sizeof(block)), 0);
	for (unsigned i = 0; i < changes; i++) {
		uint32_t offset = random_below(rng, sizeof(block) / 2) * 2;
		static const uint16_t values[] = { 0, 1, 2, 0xffff, 0x7fff, 0x8000, 0xf30a };

		if (random_below(rng, 2)) {
			le16 v = le16_of(values[random_below(rng, array_size(values))]);

			memcpy(block + offset, &v, sizeof(v));
		} else {
			block[offset] ^= (uint8_t)(1u << random_below(rng, 8));
		}
	}
	assert_int_equal(block_write(f->dev, at, block, sizeof(block), 0), 0);
}

static void survive(const char *options)
{
	struct fixture f;
	struct random rng;
	size_t before;
	uint32_t blocks[4096], count, found = 0;

	setup(&f, options, "8M");
	count = used_blocks(&f, blocks, array_size(blocks));
	random_init_seed(&rng, 1);
	before = arena_bytes(f.arena);
	for (unsigned i = 0; i < MUTATIONS; i++) {
		struct check_report r;
		struct seen s;
		unsigned times = 1 + random_below(&rng, 3);
		int err;

		block_cow_reset(f.dev);
		while (times--)
			damage(&rng, &f, 1024ULL * blocks[random_below(&rng, count)]);
		err = run(&f, &r, &s);
		assert_true(err == 0 || err == -EINVAL || err == -EOPNOTSUPP);
		found += err || r.problems;
	}
	block_cow_reset(f.dev);
	assert_true(found > MUTATIONS / 10);
	assert_true(arena_bytes(f.arena) <= before);
	teardown(&f);
}

static void damage_of_extents(void **state)
{
	survive("-t ext4 -b 1024 -O ^metadata_csum,orphan_file -J size=1 -N 512");
}

static void damage_of_block_maps(void **state)
{
	survive("-t ext3 -b 1024 -J size=1 -N 512");
}

static void damage_below_checksums(void **state)
{
	survive("-t ext4 -b 1024 -J size=1 -N 512");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clean_image),
		cmocka_unit_test(problems_have_kind_and_place),
		cmocka_unit_test(totals_may_lag_after_a_crash),
		cmocka_unit_test(it_ends_after_enough_problems),
		cmocka_unit_test(a_journal_to_be_replayed),
		cmocka_unit_test(what_cannot_be_judged),
		cmocka_unit_test(each_allocation_fails),
		cmocka_unit_test(each_read_fails),
		cmocka_unit_test(it_writes_nothing),
		cmocka_unit_test(damage_of_extents),
		cmocka_unit_test(damage_of_block_maps),
		cmocka_unit_test(damage_below_checksums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
