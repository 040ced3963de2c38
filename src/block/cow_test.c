/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copy on write: below nothing changes, above everything does; a reset brings back what is below;
 * an export is the difference and nothing else; what is discarded is gone, at no cost.
 */
#include "block/testing.h"

#include "base/errors.h"
#include "base/random.h"

#define SIZE (MiB(1) + 1536)		/* the last chunk is cut */

struct pair {
	struct block_device *lower, *cow;
};

/* A base filled with pattern 1 that outlives the cow, and the cow. */
static struct pair make_pair(struct arena *a)
{
	struct block_device *share;
	struct pair p = { .lower = mem_device(a, SIZE) };

	write_pattern(p.lower, 0, SIZE, 1);
	assert_int_equal(block_share_create(a, p.lower, &share), 0);
	assert_int_equal(block_cow_create(a, share, &p.cow), 0);
	return p;
}

static void close_pair(const struct pair *p)
{
	assert_pattern(p->lower, 0, SIZE, 1);
	block_close(p->cow);
	block_close(p->lower);
}

static void below_nothing_changes(void **state)
{
	struct pair p = make_pair(*state);

	assert_pattern(p.cow, 0, SIZE, 1);
	write_pattern(p.cow, KiB(10) + 512, KiB(30), 2);
	write_pattern(p.cow, SIZE - 512, 512, 3);
	assert_pattern(p.cow, 0, KiB(10) + 512, 1);
	assert_pattern(p.cow, KiB(10) + 512, KiB(30), 2);
	assert_pattern(p.cow, KiB(40) + 512, SIZE - KiB(41), 1);
	assert_pattern(p.cow, SIZE - 512, 512, 3);
	close_pair(&p);
}

static void a_reset_forgets_and_frees(void **state)
{
	struct pair p = make_pair(*state);
	size_t before = arena_bytes(*state);

	for (unsigned i = 0; i < 3; i++) {
		write_pattern(p.cow, 512 * i, SIZE - KiB(8), 2);
		assert_int_equal(block_discard(p.cow, KiB(64), KiB(64)), 0);
		block_cow_reset(p.cow);
		assert_pattern(p.cow, 0, SIZE, 1);
		assert_int_equal(arena_bytes(*state), before);
	}
	close_pair(&p);
}

static void over_a_device_that_is_read_only(void **state)
{
	struct block_device *lower = mem_device(*state, SIZE), *cow;

	lower->read_only = true;
	assert_int_equal(block_cow_create(*state, lower, &cow), 0);
	write_pattern(cow, 512, 512, 1);
	assert_pattern(cow, 512, 512, 1);
	block_close(cow);
}

static void discarded_reads_as_zeros(void **state)
{
	struct pair p = make_pair(*state);

	assert_int_equal(block_discard(p.cow, KiB(8) - 512, KiB(16)), 0);
	assert_pattern(p.cow, 0, KiB(8) - 512, 1);
	assert_zeros(p.cow, KiB(8) - 512, KiB(16));
	assert_pattern(p.cow, KiB(24) - 512, KiB(100), 1);
	write_pattern(p.cow, KiB(12) + 512, 512, 2);	/* a sector of a chunk of zeros */
	assert_zeros(p.cow, KiB(12), 512);
	assert_pattern(p.cow, KiB(12) + 512, 512, 2);
	assert_zeros(p.cow, KiB(13), KiB(10));
	assert_int_equal(block_discard(p.cow, KiB(12), KiB(4)), 0);
	assert_zeros(p.cow, KiB(12), KiB(4));
	close_pair(&p);
}

static void a_discard_of_all_costs_little(void **state)
{
	struct block_device *cow;

	assert_int_equal(block_cow_create(*state, mem_device(*state, MiB(1024)), &cow), 0);
	assert_int_equal(block_discard(cow, 0, MiB(1024)), 0);
	assert_in_range(arena_bytes(*state), 0, MiB(4));
	block_close(cow);
}

/* ---- export */

struct seen {
	struct block_device *to;
	unsigned calls, stop_at;
	uint64_t next;			/* offsets rise */
	uint64_t bytes;
};

static int copy_range(void *arg, uint64_t offset, const void *data, size_t len)
{
	struct seen *s = arg;

	assert_true(offset >= s->next);
	s->next = offset + len;
	s->bytes += len;
	if (++s->calls == s->stop_at)
		return -ECANCELED;
	return block_write(s->to, offset, data, len, 0);
}

static void an_export_is_the_difference(void **state)
{
	struct pair p = make_pair(*state);
	struct seen seen = { .to = mem_device(*state, SIZE) };

	assert_int_equal(block_cow_export(p.cow, copy_range, &seen), 0);
	assert_int_equal(seen.calls, 0);
	write_pattern(p.cow, SIZE - 512, 512, 2);
	write_pattern(p.cow, KiB(512), KiB(8), 3);
	write_pattern(p.cow, KiB(4) + 512, 512, 4);
	assert_int_equal(block_discard(p.cow, KiB(100), KiB(4)), 0);
	write_pattern(seen.to, 0, SIZE, 1);
	assert_int_equal(block_cow_export(p.cow, copy_range, &seen), 0);
	assert_same_contents(p.cow, seen.to);
	assert_int_equal(seen.calls, 5);
	assert_int_equal(seen.bytes, KiB(16) + 1536);

	seen = (struct seen){ .to = seen.to, .stop_at = 2 };
	assert_int_equal(block_cow_export(p.cow, copy_range, &seen), -ECANCELED);
	assert_int_equal(seen.calls, 2);
	block_close(seen.to);
	close_pair(&p);
}

static void read_errors_from_below_are_passed_on(void **state)
{
	struct block_device *fault, *cow;
	uint8_t buf[1024] = { 0 };

	assert_int_equal(block_fault_create(*state, mem_device(*state, SIZE), &fault), 0);
	assert_int_equal(block_cow_create(*state, fault, &cow), 0);
	block_fault_at(fault, FAULT_READ, 0, -EIO, true);
	assert_int_equal(block_read(cow, 0, buf, 1024), -EIO);
	assert_int_equal(block_write(cow, 0, buf, 512, 0), -EIO);	/* cannot copy up */
	assert_int_equal(block_discard(cow, 0, 512), -EIO);
	write_pattern(cow, KiB(4), KiB(8), 1);				/* needs not to */
	assert_pattern(cow, KiB(4), KiB(8), 1);
	block_close(cow);
}

/* Random writes, discards, resets and exports agree with a plain array. */
static void random_use_agrees_with_memory(void **state)
{
	struct pair p = make_pair(*state);
	uint8_t *base = test_malloc(SIZE), *model = test_malloc(SIZE), *buf = test_malloc(SIZE);
	struct random r;

	pattern_fill(base, 0, SIZE, 1);
	memcpy(model, base, SIZE);
	random_init_seed(&r, 3);
	for (unsigned i = 0; i < 3000; i++) {
		size_t len = 512 * (1 + random_below(&r, 40));
		size_t pos = 512 * random_below(&r, (uint32_t)((SIZE - len) / 512 + 1));
		unsigned what = random_below(&r, 100);

		if (what < 40) {
			random_bytes(&r, model + pos, len);
			assert_int_equal(block_write(p.cow, pos, model + pos, len, 0), 0);
		} else if (what < 60) {
			memset(model + pos, 0, len);
			assert_int_equal(block_discard(p.cow, pos, len), 0);
		} else if (what < 99) {
			assert_int_equal(block_read(p.cow, pos, buf, len), 0);
			assert_memory_equal(buf, model + pos, len);
		} else {
			block_cow_reset(p.cow);
			memcpy(model, base, SIZE);
		}
	}
	assert_int_equal(block_read(p.cow, 0, buf, SIZE), 0);
	assert_memory_equal(buf, model, SIZE);
	test_free(buf);
	test_free(model);
	test_free(base);
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_with_arena(below_nothing_changes),
		test_with_arena(a_reset_forgets_and_frees),
		test_with_arena(over_a_device_that_is_read_only),
		test_with_arena(discarded_reads_as_zeros),
		test_with_arena(a_discard_of_all_costs_little),
		test_with_arena(an_export_is_the_difference),
		test_with_arena(read_errors_from_below_are_passed_on),
		test_with_arena(random_use_agrees_with_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
