/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Images of crash states have the contents that a plain replay gives, in whatever order they are
 * built, and whatever was written to the last one; equal contents, and only those, have equal
 * hashes.
 */
#include "block/testing.h"

#include <errno.h>
#include "base/hash.h"
#include "base/random.h"
#include "block/crash.h"

#define SIZE KiB(64)

struct world {
	struct arena *arena;
	struct block_device *base, *rec;
	struct crash_plan *plan;
	struct crash_state state;
	struct crash_image *img;
};

static void world_open(struct world *w, struct arena *a, void (*record)(struct block_device *rec),
		       const struct crash_options *opt)
{
	struct block_device *share, *cow;

	*w = (struct world){ .arena = a, .base = mem_device(a, SIZE) };
	write_pattern(w->base, 0, SIZE, 1);
	assert_int_equal(block_share_create(a, w->base, &share), 0);
	assert_int_equal(block_cow_create(a, share, &cow), 0);
	assert_int_equal(block_record_create(a, cow, &w->rec), 0);
	record(w->rec);
	assert_int_equal(crash_plan_create(a, w->rec, opt, &w->plan), 0);
	assert_int_equal(crash_state_init(&w->state, w->plan), 0);
	assert_int_equal(block_share_create(a, w->base, &share), 0);
	assert_int_equal(crash_image_create(a, w->plan, share, &w->img), 0);
}

static void world_close(struct world *w)
{
	crash_image_destroy(w->img);
	crash_state_fini(&w->state, w->plan);
	crash_plan_destroy(w->plan);
	assert_pattern(w->base, 0, SIZE, 1);
	block_close(w->rec);
	block_close(w->base);
}

static void build(struct world *w, uint64_t number)
{
	crash_plan_state(w->plan, number, &w->state);
	assert_int_equal(crash_image_build(w->img, &w->state), 0);
}

/* ---- what is recorded */

static void forced(struct block_device *rec, uint64_t sector, size_t count, unsigned seed,
		   unsigned flags)
{
	static uint8_t buf[SIZE];

	pattern_fill(buf, sector * 512, count * 512, seed);
	assert_int_equal(block_write(rec, sector * 512, buf, count * 512, flags), 0);
}

/* The recording of the plan's test: W0 W10+3 F W20+2 U30 M W0 Q40+2 M */
static void record_tiny(struct block_device *rec)
{
	forced(rec, 0, 1, 2, 0);
	forced(rec, 10, 3, 2, 0);
	assert_int_equal(block_flush(rec), 0);
	forced(rec, 20, 2, 2, 0);
	forced(rec, 30, 1, 2, BLOCK_FUA);
	assert_int_equal(block_record_mark(rec, "first"), 0);
	forced(rec, 0, 1, 3, 0);
	forced(rec, 40, 2, 2, BLOCK_FUA | BLOCK_PREFLUSH);
	assert_int_equal(block_record_mark(rec, "second"), 0);
}

/* A hundred calls that overlap a lot. */
static void record_noise(struct block_device *rec)
{
	struct random r;

	random_init_seed(&r, 4);
	for (unsigned i = 0; i < 100; i++) {
		unsigned sector = random_below(&r, 60), count = 1 + random_below(&r, 20);

		switch (random_below(&r, 10)) {
		case 0:
			assert_int_equal(block_flush(rec), 0);
			break;
		case 1:
			assert_int_equal(block_discard(rec, sector * 512, count * 512), 0);
			break;
		case 2:
			assert_int_equal(block_record_mark(rec, "mark"), 0);
			break;
		case 3:
			forced(rec, sector, count, i, BLOCK_FUA);
			break;
		case 4:
			forced(rec, 0, SIZE / 512, i, 0); /* larger than what is hashed at once */
			break;
		default:
			forced(rec, sector, count, random_below(&r, 3), 0);
		}
	}
}

/* ---- contents */

/* The state by plain replay onto a device of its own. */
static struct block_device *replayed(struct world *w)
{
	struct block_device *share, *d;

	assert_int_equal(block_share_create(w->arena, w->base, &share), 0);
	assert_int_equal(block_cow_create(w->arena, share, &d), 0);
	for (size_t i = 0; i < w->state.stable; i++)
		assert_int_equal(block_replay_apply(w->rec, i, d), 0);
	for (size_t i = 0; i < w->state.piece_count; i++) {
		const struct crash_piece *c = &w->state.pieces[i];

		assert_int_equal(block_replay_part(w->rec, c->entry, c->from, c->to, d), 0);
	}
	return d;
}

/* A hash that has nothing to do with how a state came about. */
static uint64_t whole_hash(struct block_device *d)
{
	static uint8_t buf[SIZE];

	assert_int_equal(block_read(d, 0, buf, SIZE), 0);
	return hash_bytes(buf, SIZE, 0);
}

static const struct crash_options some = { .random_states = 100, .seed = 3, .tears_max = 2 };

static void images_are_what_a_replay_gives(void **state)
{
	struct world w;
	struct random r;
	uint64_t count;

	world_open(&w, *state, record_noise, &some);
	random_init_seed(&r, 8);
	count = crash_plan_count(w.plan);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t number =
			i % 3 ? i : random_u64(&r) % count; /* and jumps, back and forth */
		struct block_device *want;

		build(&w, number);
		want = replayed(&w);
		assert_same_contents(crash_image_device(w.img), want);
		block_close(want);
		write_pattern(crash_image_device(w.img), KiB(3) + 512, KiB(20), 9);
	}
	world_close(&w);
}

struct known {
	uint64_t hash, contents;
};

static void equal_contents_have_equal_hashes(void **state)
{
	static struct known known[2000];
	struct world w;
	unsigned equal = 0, count;

	world_open(&w, *state, record_noise, &some);
	count = (unsigned)crash_plan_count(w.plan);
	assert_in_range(count, 100, array_size(known));
	for (unsigned i = 0; i < count; i++) {
		unsigned number = i % 2 ? count - i : i;

		build(&w, number);
		known[i].hash = crash_image_hash(w.img);
		known[i].contents = whole_hash(crash_image_device(w.img));
		for (unsigned j = 0; j < i; j++) {
			assert_int_equal(known[i].hash == known[j].hash,
					 known[i].contents == known[j].contents);
			equal += known[i].hash == known[j].hash;
		}
	}
	assert_true(equal > 10);
	build(&w, 0);
	assert_int_equal(crash_image_hash(w.img), 0);
	world_close(&w);
}

/*
 * Of the 19 states of the tiny recording two have been there before: lost 1 is prefix 1, lost 6 is
 * prefix 4.
 */
static void equal_states_are_known(void **state)
{
	static const struct crash_options opt = { 0 };
	static const char want[] = "1111111" "1010" "11111111";
	struct world w;

	world_open(&w, *state, record_tiny, &opt);
	assert_int_equal(crash_plan_count(w.plan), strlen(want));
	for (unsigned n = 0; want[n]; n++) {
		build(&w, n);
		assert_int_equal(crash_image_is_new(w.img), want[n] - '0');
		assert_int_equal(crash_image_is_new(w.img), 0);
	}
	world_close(&w);
}

/* The same bytes again, but more was promised since. */
static void record_marks(struct block_device *rec)
{
	forced(rec, 5, 1, 2, 0);
	assert_int_equal(block_record_mark(rec, "a"), 0);
	forced(rec, 5, 1, 2, 0);
	assert_int_equal(block_record_mark(rec, "b"), 0);
	forced(rec, 5, 1, 2, 0);
}

static void what_was_promised_counts(void **state)
{
	static const struct crash_options opt = { 0 };
	static const char want[] = "1110"
				   "000"; /* lost ones: all at the end, with two marks */
	struct world w;

	world_open(&w, *state, record_marks, &opt);
	assert_int_equal(crash_plan_count(w.plan), strlen(want));
	for (unsigned n = 0; want[n]; n++) {
		build(&w, n);
		assert_int_equal(crash_image_is_new(w.img), want[n] - '0');
	}
	world_close(&w);
}

static void many_states_are_told_apart(void **state)
{
	static const struct crash_options opt = { .random_states = 500, .tears_max = 2 };
	unsigned fresh = 0, again = 0;
	struct world w;

	world_open(&w, *state, record_noise, &opt);
	for (uint64_t n = 0; n < crash_plan_count(w.plan); n++) {
		build(&w, n);
		fresh += crash_image_is_new(w.img) == 1;
	}
	for (uint64_t n = 0; n < crash_plan_count(w.plan); n++) {
		build(&w, n);
		again += crash_image_is_new(w.img) == 1;
	}
	assert_true(fresh > 350);
	assert_int_equal(again, 0);
	world_close(&w);
}

/* Without discards below, zeros are written. */

static void a_device_that_cannot_discard(void **state)
{
	struct block_device *rec, *plain = mem_device(*state, SIZE);
	struct block_ops ops = *plain->ops;
	const struct block_ops *real = plain->ops;

	assert_int_equal(block_record_create(*state, mem_device(*state, SIZE), &rec), 0);
	assert_int_equal(block_discard(rec, KiB(8) - 512, KiB(16)), 0);
	write_pattern(plain, 0, SIZE, 1);
	ops.discard = NULL;
	plain->ops = &ops;
	assert_int_equal(block_replay_apply(rec, 0, plain), 0);
	assert_pattern(plain, 0, KiB(8) - 512, 1);
	assert_zeros(plain, KiB(8) - 512, KiB(16));
	assert_pattern(plain, KiB(24) - 512, KiB(8), 1);
	plain->ops = real;
	block_close(plain);
	block_close(rec);
}

static void failures_lose_nothing(void **state)
{
	static const struct crash_options opt = { 0 };
	struct crash_image *img;
	struct block_device *fault;
	struct world w;

	world_open(&w, *state, record_tiny, &opt);
	assert_int_equal(block_fault_create(*state, mem_device(*state, SIZE), &fault), 0);
	for (uint64_t nth = 0;; nth++) {
		size_t before = arena_bytes(*state);
		int err;

		arena_fail_at(*state, nth);
		err = crash_image_create(*state, w.plan, fault, &img);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(arena_bytes(*state), before);
	}
	arena_fail_at(*state, UINT64_MAX);
	crash_plan_state(w.plan, 6, &w.state);
	for (uint64_t nth = 0;; nth++) {
		int err;

		block_fault_at(fault, FAULT_ANY, nth, -EIO, false);
		err = crash_image_build(img, &w.state);
		if (!err)
			break;
		assert_int_equal(err, -EIO);
	}
	block_fault_clear(fault);
	build(&w, 6);
	assert_int_not_equal(crash_image_hash(img), 0);
	crash_image_destroy(img);
	crash_image_destroy(NULL);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_with_arena(images_are_what_a_replay_gives),
		test_with_arena(equal_contents_have_equal_hashes),
		test_with_arena(equal_states_are_known),
		test_with_arena(what_was_promised_counts),
		test_with_arena(many_states_are_told_apart),
		test_with_arena(a_device_that_cannot_discard),
		test_with_arena(failures_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
