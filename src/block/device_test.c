/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every device promises, in one table of cases that each kind of device goes through: bytes
 * come back, neighbours stay, bounds hold, flags are taken, allocations may fail.
 */
#include "block/testing.h"

#include <errno.h>
#include <limits.h>
#include "base/random.h"

#define SIZE MiB(1)

/* ---- the devices */

static int make_mem(struct arena *a, uint64_t size, struct block_device **out)
{
	return block_mem_create(a, size, out);
}

/* The file has lost its name before the test begins, so nothing is left of it. */
static int make_file_part(struct arena *a, uint64_t before, uint64_t size,
			  struct block_device **out)
{
	char path[TEMP_PATH_MAX];
	int err;

	temp_file(path, before + size + KiB(64));
	err = block_file_open(a, path, false, before, size, out);
	unlink(path);
	return err;
}

static int make_file(struct arena *a, uint64_t size, struct block_device **out)
{
	return make_file_part(a, 0, size, out);
}

static int make_part(struct arena *a, uint64_t size, struct block_device **out)
{
	return make_file_part(a, 512 * 63, size, out);
}

typedef int (*filter_fn)(struct arena *a, struct block_device *lower, struct block_device **out);

static int make_over_mem(struct arena *a, uint64_t size, filter_fn filter,
			 struct block_device **out)
{
	struct block_device *lower;
	int err = block_mem_create(a, size, &lower);

	if (err)
		return err;
	err = filter(a, lower, out);
	if (err)
		block_close(lower);
	return err;
}

static int make_cow(struct arena *a, uint64_t size, struct block_device **out)
{
	return make_over_mem(a, size, block_cow_create, out);
}

static int make_fault(struct arena *a, uint64_t size, struct block_device **out)
{
	return make_over_mem(a, size, block_fault_create, out);
}

static int make_stats(struct arena *a, uint64_t size, struct block_device **out)
{
	return make_over_mem(a, size, block_stats_create, out);
}

static int make_record(struct arena *a, uint64_t size, struct block_device **out)
{
	return make_over_mem(a, size, block_record_create, out);
}

static int delay_create(struct arena *a, struct block_device *lower, struct block_device **out)
{
	return block_delay_create(a, lower, 0, 0, 0, out);
}

static int make_delay(struct arena *a, uint64_t size, struct block_device **out)
{
	return make_over_mem(a, size, delay_create, out);
}

static int make_cow_over_cow(struct arena *a, uint64_t size, struct block_device **out)
{
	struct block_device *lower;
	int err = make_cow(a, size, &lower);

	if (err)
		return err;
	err = block_cow_create(a, lower, out);
	if (err)
		block_close(lower);
	return err;
}

static const struct maker {
	const char *name;
	int (*make)(struct arena *a, uint64_t size, struct block_device **out);
} makers[] = {
	{ "mem", make_mem },
	{ "file", make_file },
	{ "part of a file", make_part },
	{ "cow", make_cow },
	{ "cow over cow", make_cow_over_cow },
	{ "fault", make_fault },
	{ "stats", make_stats },
	{ "record", make_record },
	{ "delay", make_delay },
};

/* ---- the cases */

static void fresh_reads_zeros(struct block_device *d)
{
	assert_int_equal(d->size_bytes, SIZE);
	assert_zeros(d, 0, SIZE);
}

static void bytes_come_back(struct block_device *d)
{
	static const struct {
		uint64_t pos;
		size_t len;
	} rows[] = {
		{ 0, 512 },		    { SIZE - 512, 512 },	 { 3584, 1024 },
		{ KiB(64) - 512, 1024 },    { 512, KiB(64) },		 { KiB(128), KiB(64) },
		{ KiB(200), KiB(300) + 512 }, { KiB(4) * 150, KiB(4) },	 { 0, SIZE },
	};

	for (unsigned i = 0; i < array_size(rows); i++) {
		write_pattern(d, rows[i].pos, rows[i].len, i);
		assert_pattern(d, rows[i].pos, rows[i].len, i);
	}
}

static void neighbours_stay(struct block_device *d)
{
	write_pattern(d, 0, SIZE, 1);
	write_pattern(d, KiB(5) + 512, 512, 2);
	assert_pattern(d, 0, KiB(5) + 512, 1);
	assert_pattern(d, KiB(5) + 512, 512, 2);
	assert_pattern(d, KiB(6), SIZE - KiB(6), 1);
}

static void a_sector_alone_in_nothing(struct block_device *d)
{
	write_pattern(d, KiB(100) + 512, 512, 3);
	assert_zeros(d, 0, KiB(100) + 512);
	assert_pattern(d, KiB(100) + 512, 512, 3);
	assert_zeros(d, KiB(101), SIZE - KiB(101));
}

/* Pieces of any length, empty ones too, for writing and for reading. */
static void pieces_of_any_length(struct block_device *d)
{
	static const size_t lens[] = { 0, 1, 511, 0, 0, 4096, 3, 5000, 2677, 65536, 0 };
	static uint8_t bytes[KiB(128)];
	struct iovec iov[array_size(lens)];
	size_t total = 0;

	for (unsigned i = 0; i < array_size(lens); i++) {
		iov[i] = (struct iovec){ .iov_base = bytes + total, .iov_len = lens[i] };
		total += lens[i];
	}
	pattern_fill(bytes, 1536, total, 4);
	const struct block_io io = { .offset = 1536, .iov = iov, .iov_count = array_size(lens) };

	assert_int_equal(total % 512, 0);
	assert_int_equal(block_writev(d, &io), 0);
	assert_pattern(d, 1536, total, 4);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(block_readv(d, &io), 0);
	for (size_t i = 0; i < total; i++)
		assert_int_equal(bytes[i], pattern_byte(1536 + i, 4));
}

static void more_pieces_than_a_system_call_takes(struct block_device *d)
{
	static uint8_t bytes[(IOV_MAX + 500) * 256];
	static struct iovec iov[IOV_MAX + 500];

	for (unsigned i = 0; i < array_size(iov); i++)
		iov[i] = (struct iovec){ .iov_base = bytes + i * 256, .iov_len = 256 };
	pattern_fill(bytes, KiB(64), sizeof(bytes), 5);
	const struct block_io io = { .offset = KiB(64), .iov = iov, .iov_count = array_size(iov) };

	assert_int_equal(block_writev(d, &io), 0);
	assert_pattern(d, KiB(64), sizeof(bytes), 5);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(block_readv(d, &io), 0);
	for (size_t i = 0; i < sizeof(bytes); i += 255)
		assert_int_equal(bytes[i], pattern_byte(KiB(64) + i, 5));
}

static void bounds_hold(struct block_device *d)
{
	static uint8_t buf[1024];
	static const struct {
		uint64_t pos;
		size_t len;
		int want;
	} rows[] = {
		{ SIZE - 1024, 1024, 0 },	{ SIZE - 512, 1024, -EINVAL },
		{ SIZE, 512, -EINVAL },		{ SIZE, 0, 0 },
		{ SIZE + 512, 0, -EINVAL },	{ UINT64_MAX - 511, 512, -EINVAL },
		{ UINT64_MAX - 511, 1024, -EINVAL }, { 1, 512, -EINVAL },
		{ 0, 100, -EINVAL },		{ 256, 256, -EINVAL },
	};

	for (unsigned i = 0; i < array_size(rows); i++) {
		assert_int_equal(block_read(d, rows[i].pos, buf, rows[i].len), rows[i].want);
		assert_int_equal(block_write(d, rows[i].pos, buf, rows[i].len, 0), rows[i].want);
		if (rows[i].want)
			assert_int_equal(block_discard(d, rows[i].pos, rows[i].len), rows[i].want);
	}
}

static void a_vector_too_long_is_refused(struct block_device *d)
{
	uint8_t byte;
	const struct iovec iov[] = {
		{ .iov_base = &byte, .iov_len = SIZE_MAX - 511 },
		{ .iov_base = &byte, .iov_len = 1024 },
	};
	const struct block_io io = { .offset = 0, .iov = iov, .iov_count = 2 };

	assert_int_equal(block_readv(d, &io), -EINVAL);
	assert_int_equal(block_writev(d, &io), -EINVAL);
}

static void flags_are_taken(struct block_device *d)
{
	static const unsigned flags[] = { BLOCK_FUA, BLOCK_PREFLUSH, BLOCK_FUA | BLOCK_PREFLUSH,
					  BLOCK_META | BLOCK_SYNC };
	uint8_t buf[512];

	for (unsigned i = 0; i < array_size(flags); i++) {
		pattern_fill(buf, i * 512, 512, 6);
		assert_int_equal(block_write(d, i * 512, buf, 512, flags[i]), 0);
		assert_int_equal(block_write(d, 0, buf, 0, flags[i]), 0);
	}
	assert_int_equal(block_flush(d), 0);
	assert_pattern(d, 0, 512 * array_size(flags), 6);
}

static void a_batch_tries_all(struct block_device *d)
{
	static uint8_t bytes[4 * 512];
	static const uint64_t pos[] = { 512, SIZE, 1024, SIZE + 1 };
	struct iovec iov[4];
	struct block_io ios[4];

	for (unsigned i = 0; i < 4; i++) {
		pattern_fill(bytes + i * 512, pos[i], 512, 7);
		iov[i] = (struct iovec){ .iov_base = bytes + i * 512, .iov_len = 512 };
		ios[i] = (struct block_io){ .offset = pos[i], .iov = &iov[i], .iov_count = 1 };
	}
	assert_int_equal(block_writev_batch(d, ios, 4), -EINVAL);
	assert_pattern(d, 512, 1024, 7);
	assert_int_equal(block_writev_batch(d, ios, 1), 0);
	assert_int_equal(block_writev_batch(d, ios, 0), 0);
}

static void what_is_discarded_can_be_written(struct block_device *d)
{
	int ret;

	write_pattern(d, 0, SIZE, 8);
	ret = block_discard(d, KiB(63), KiB(130));
	assert_true(ret == 0 || ret == -EOPNOTSUPP);
	assert_int_equal(block_discard(d, SIZE, 0), ret);
	assert_pattern(d, 0, KiB(63), 8);
	assert_pattern(d, KiB(193), SIZE - KiB(193), 8);
	write_pattern(d, KiB(70), 1536, 9);
	assert_pattern(d, KiB(70), 1536, 9);
}

/* A thousand writes and reads agree with a plain array. */
static void random_use_agrees_with_memory(struct block_device *d)
{
	uint8_t *model = test_calloc(1, SIZE), *buf = test_malloc(KiB(128));
	struct random r;

	random_init_seed(&r, 1);
	for (unsigned i = 0; i < 1000; i++) {
		size_t len = 512 * (1 + random_below(&r, 1 << random_below(&r, 9)));
		size_t pos = 512 * random_below(&r, (uint32_t)((SIZE - len) / 512 + 1));

		if (random_below(&r, 2)) {
			random_bytes(&r, model + pos, len);
			assert_int_equal(block_write(d, pos, model + pos, len, 0), 0);
		} else {
			assert_int_equal(block_read(d, pos, buf, len), 0);
			assert_memory_equal(buf, model + pos, len);
		}
	}
	test_free(buf);
	test_free(model);
}

static const struct device_case {
	const char *name;
	void (*run)(struct block_device *d);
} cases[] = {
	{ "fresh reads zeros", fresh_reads_zeros },
	{ "bytes come back", bytes_come_back },
	{ "neighbours stay", neighbours_stay },
	{ "a sector alone in nothing", a_sector_alone_in_nothing },
	{ "pieces of any length", pieces_of_any_length },
	{ "more pieces than a system call takes", more_pieces_than_a_system_call_takes },
	{ "bounds hold", bounds_hold },
	{ "a vector too long is refused", a_vector_too_long_is_refused },
	{ "flags are taken", flags_are_taken },
	{ "a batch tries all", a_batch_tries_all },
	{ "what is discarded can be written", what_is_discarded_can_be_written },
	{ "random use agrees with memory", random_use_agrees_with_memory },
};

/* ---- running them */

struct cell {				/* a row of the one table and one of the other */
	const struct maker *maker;
	const struct device_case *c;
	char name[80];
};

static void run_cell(void **state)
{
	const struct cell *cell = *state;
	struct arena *a = arena_create();
	struct block_device *d;

	assert_non_null(a);
	assert_int_equal(cell->maker->make(a, SIZE, &d), 0);
	cell->c->run(d);
	block_close(d);
	assert_int_equal(arena_bytes(a), 0);
	arena_destroy(a);
}

/* Each allocation of making a device and of a first write fails in turn; nothing is lost. */
static void allocations_may_fail(void **state)
{
	const struct cell *cell = *state;
	struct arena *a = arena_create();
	uint8_t buf[1024] = { 1 };
	int err;

	assert_non_null(a);
	for (uint64_t nth = 0;; nth++) {
		uint64_t before = arena_allocations(a);
		struct block_device *d;

		arena_fail_at(a, nth);
		err = cell->maker->make(a, SIZE, &d);
		if (!err) {
			err = block_write(d, KiB(64) - 512, buf, sizeof(buf), 0);
			block_close(d);
		}
		assert_int_equal(arena_bytes(a), 0);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_in_range(arena_allocations(a) - before, 0, 100);
	}
	arena_fail_at(a, UINT64_MAX);
	arena_destroy(a);
}

static void close_of_nothing(void **state)
{
	block_close(NULL);
}

static void a_size_is_whole_sectors(void **state)
{
	struct block_device *d = mem_device(*state, 5000);

	assert_int_equal(d->size_bytes, 9 * 512);
	write_pattern(d, 0, 9 * 512, 1);
	block_close(d);
}

/* Petabytes cost only what is written, and not even that once it is discarded. */
static void memory_is_sparse(void **state)
{
	static const uint64_t huge = 1ull << 51;
	static const uint64_t places[] = { 0, 1ull << 20, 1ull << 33, 1ull << 50, huge - 4096 };
	struct block_device *d = mem_device(*state, huge);

	for (unsigned i = 0; i < array_size(places); i++) {
		write_pattern(d, places[i], 4096, i);
		assert_in_range(arena_bytes(*state), 0, (i + 1) * KiB(70) + KiB(8));
	}
	for (unsigned i = 0; i < array_size(places); i++) {
		assert_pattern(d, places[i], 4096, i);
		assert_int_equal(block_discard(d, places[i] / KiB(64) * KiB(64), KiB(64)), 0);
		assert_zeros(d, places[i], 4096);
	}
	assert_in_range(arena_bytes(*state), 0, KiB(40));
	block_close(d);
}

static void shared_stays_open(void **state)
{
	struct block_device *d = mem_device(*state, SIZE), *share;

	assert_int_equal(block_share_create(*state, d, &share), 0);
	write_pattern(share, 512, 512, 1);
	assert_pattern(d, 512, 512, 1);
	assert_int_equal(block_flush(share), 0);
	assert_int_equal(block_discard(share, 512, 512), 0);
	block_close(share);
	assert_zeros(d, 512, 512);
	block_close(d);
}

int main(void)
{
	enum { CELLS = array_size(makers) * (array_size(cases) + 1), SINGLES = 4 };
	static struct cell cells[CELLS];
	struct CMUnitTest tests[CELLS + SINGLES] = {
		cmocka_unit_test(close_of_nothing),
		test_with_arena(a_size_is_whole_sectors),
		test_with_arena(memory_is_sparse),
		test_with_arena(shared_stays_open),
	};

	for (unsigned i = 0; i < CELLS; i++) {
		struct cell *cell = &cells[i];
		unsigned nr = i % (array_size(cases) + 1);

		cell->maker = &makers[i / (array_size(cases) + 1)];
		cell->c = nr < array_size(cases) ? &cases[nr] : NULL;
		snprintf(cell->name, sizeof(cell->name), "%s: %s", cell->maker->name,
			 cell->c ? cell->c->name : "allocations may fail");
		tests[SINGLES + i] = (struct CMUnitTest){
			.name = cell->name,
			.test_func = cell->c ? run_cell : allocations_may_fail,
			.initial_state = cell,
		};
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
