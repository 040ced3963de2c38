/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Power failures: operations run on a device that is recorded, while a flusher and a slow disk make
 * commits overlap what runs. Then each state that a failure may have left is recovered, and must hold
 * exactly what some first operations made, at least those that were synced (J1-J5). A failure during
 * the recovery, at any of its writes, recovers to the same (J8). And life goes on after a recovery, to
 * the next failure.
 *
 * Arguments: operations, random states, first seed, seeds. What a build with a deliberate fault must
 * find, it finds with the defaults; it stops at the first state that is wrong.
 */
#include "jbd2/toy.h"

#include <stdlib.h>

#include "block/crash.h"

#define MARKS_MAX 4096

static struct {
	int operations;
	uint64_t states, seed;
	int seeds;
} limits = { 120, 300, 1, 2 };

struct run {
	struct fixture f;
	struct task *self;
	const struct toy_shape *shape;
	struct random random;
	struct block_device *base, *rec, *device;
	struct toy_model *model;
	struct toy t;
	uint32_t synced[MARKS_MAX];	/* after so many marks, these operations were stable */
	size_t marks;
	uint64_t visited;
};

/* ---- the recorded part */

static void must(int err)
{
	assert_int_equal(err, 0);
}

static void stack_devices(struct run *r)
{
	struct block_device *d;

	must(block_share_create(r->f.arena, r->base, &d));
	must(block_cow_create(r->f.arena, d, &d));
	must(block_record_create(r->f.arena, d, &r->rec));
	must(block_share_create(r->f.arena, r->rec, &d));
	must(block_delay_create(r->f.arena, d, 0, 50000, 500000, &r->device));
}

static void unstack_devices(struct run *r)
{
	block_close(r->device);
	block_close(r->rec);
}

static void note_synced(struct run *r, uint32_t op)
{
	assert_true(r->marks + 1 < MARKS_MAX);
	must(block_record_mark(r->rec, "synced"));
	r->synced[++r->marks] = op;
}

static void something_else(struct run *r)
{
	uint32_t op = r->model->ops;

	switch (random_below(&r->random, 40)) {
	case 0 ... 3:
		must(toy_sync(&r->t, op));
		note_synced(r, op);
		break;
	case 4 ... 6:
		jbd2_log_start_commit(r->t.journal, jbd2_journal_running_tid(r->t.journal));
		break;
	case 7 ... 14:
		task_sleep((int64_t)random_below(&r->random, 1000000));
		break;
	case 15:
		must(jbd2_checkpoint_writeback(r->t.journal, CLOCK_NEVER));
		break;
	case 16:
		must(jbd2_log_do_checkpoint(r->t.journal));
		break;
	case 17:
		if (random_below(&r->random, 4) == 0)
			must(jbd2_journal_flush(r->t.journal));
		break;
	default:
		break;
	}
}

static void flusher(void *arg)
{
	struct run *r = arg;

	for (int i = 0; i < 8; i++) {
		task_sleep(3 * NSEC_PER_MSEC);
		if (jbd2_checkpoint_writeback(r->t.journal, NSEC_PER_MSEC))
			return;
	}
}

static void another_writer(void *arg)
{
	struct run *r = arg;
	struct random random;

	random_init_seed(&random, limits.seed + 77);
	for (int i = 0; i < limits.operations / 3; i++) {
		must(toy_operate(&r->t, &random));
		task_sleep((int64_t)random_below(&random, 300000));
	}
}

static void record_run(struct run *r)
{
	struct task *writer, *flush;

	stack_devices(r);
	r->marks = 0;
	r->synced[0] = r->model->ops;
	must(toy_mount(&r->t, &r->f, r->device, r->shape, r->model));
	flush = spawn(&r->f, "flush-toy", flusher, r);
	writer = spawn(&r->f, "writer", another_writer, r);
	for (int i = 0; i < limits.operations; i++) {
		must(toy_operate(&r->t, &r->random));
		something_else(r);
	}
	task_join(writer);
	task_join(flush);
	must(toy_umount(&r->t));
	note_synced(r, r->model->ops);
}

/* ---- the states */

static void fail_state(struct run *r, const struct crash_state *s, const char *bad)
{
	print_error("%s\n", bad);
	print_error("state %llu (family %d, point %zu, stable %zu)\n", (unsigned long long)s->number,
		    (int)s->family, s->point, s->stable);
	fail();
}

static void check_state(struct run *r, struct crash_image *image, const struct crash_state *s, uint32_t *op)
{
	const char *bad = toy_recover_and_verify(&r->f, crash_image_device(image), r->shape, r->model, op);

	r->visited++;
	if (bad)
		fail_state(r, s, bad);
	if (*op < r->synced[s->marks])
		fail_state(r, s, "an operation that was synced is lost");
}

static void make_plan(struct run *r, struct block_device *rec, struct block_device *base, uint64_t random_states,
		      struct crash_plan **plan, struct crash_image **image, struct crash_state *s)
{
	struct crash_options opt = { .seed = limits.seed, .random_states = random_states, .tears_max = 2 };
	struct block_device *share;

	must(crash_plan_create(r->f.arena, rec, &opt, plan));
	must(block_share_create(r->f.arena, base, &share));
	must(crash_image_create(r->f.arena, *plan, share, image));
	must(crash_state_init(s, *plan));
}

static void drop_plan(struct crash_plan *plan, struct crash_image *image, struct crash_state *s)
{
	crash_state_fini(s, plan);
	crash_image_destroy(image);
	crash_plan_destroy(plan);
}

/* The recovery of what `base` holds fails at each of its writes; each time the same comes out (J8). */
static void check_crashes_of_recovery(struct run *r, struct block_device *base, uint32_t want)
{
	struct block_device *d, *rec;
	struct crash_plan *plan;
	struct crash_image *image;
	struct crash_state s;
	uint32_t op;
	const char *bad;

	must(block_share_create(r->f.arena, base, &d));
	must(block_cow_create(r->f.arena, d, &d));
	must(block_record_create(r->f.arena, d, &rec));
	bad = toy_recover_and_verify(&r->f, rec, r->shape, r->model, &op);
	assert_null(bad);
	make_plan(r, rec, base, 20, &plan, &image, &s);
	for (uint64_t n = 0; n < crash_plan_count(plan); n++) {
		crash_plan_state(plan, n, &s);
		must(crash_image_build(image, &s));
		if (crash_image_is_new(image) != 1)
			continue;
		bad = toy_recover_and_verify(&r->f, crash_image_device(image), r->shape, r->model, &op);
		r->visited++;
		if (bad)
			fail_state(r, &s, bad);
		assert_int_equal(op, want);
	}
	drop_plan(plan, image, &s);
	block_close(rec);
}

static void check_states(struct run *r)
{
	struct crash_plan *plan;
	struct crash_image *image;
	struct crash_state s;
	uint64_t n, every;
	uint32_t op;

	make_plan(r, r->rec, r->base, limits.states, &plan, &image, &s);
	every = crash_plan_count(plan) / 6 + 1;
	for (n = 0; n < crash_plan_count(plan); n++) {
		crash_plan_state(plan, n, &s);
		must(crash_image_build(image, &s));
		if (crash_image_is_new(image) != 1)
			continue;
		check_state(r, image, &s, &op);
		if (n % every)
			continue;
		must(crash_image_build(image, &s));
		check_crashes_of_recovery(r, crash_image_device(image), op);
	}
	drop_plan(plan, image, &s);
}

/* ---- runs */

static void run_open(struct run *r, enum sched_mode mode, uint64_t seed, const struct toy_shape *shape)
{
	memset(r, 0, sizeof(*r));
	fixture_open(&r->f, mode, seed);
	r->self = enter(&r->f);
	r->shape = shape;
	r->model = toy_model_create();
	random_init_seed(&r->random, seed);
	must(block_mem_create(r->f.arena, toy_device_bytes(shape), &r->base));
	toy_format(r->base, shape);
}

static void run_close(struct run *r)
{
	block_close(r->base);
	toy_model_destroy(r->model);
	task_leave(r->self);
	fixture_close(&r->f);
}

/* The base becomes one of the states, recovered. */
static void go_on_from_a_state(struct run *r)
{
	struct crash_plan *plan;
	struct crash_image *image;
	struct crash_state s;
	uint8_t bytes[4096];
	uint32_t op;

	make_plan(r, r->rec, r->base, 50, &plan, &image, &s);
	crash_plan_state(plan, random_u64(&r->random) % crash_plan_count(plan), &s);
	must(crash_image_build(image, &s));
	check_state(r, image, &s, &op);
	must(crash_image_build(image, &s));
	for (uint64_t at = 0; at < r->base->size_bytes; at += r->shape->block_size) {
		must(block_read(crash_image_device(image), at, bytes, r->shape->block_size));
		must(block_write(r->base, at, bytes, r->shape->block_size, 0));
	}
	drop_plan(plan, image, &s);
	toy_model_rewind(r->model, op);
}

static const struct toy_shape shapes[] = {
	{ 1024, 120, JOURNAL_CSUM_V3, true, false, false, 0, 0, NULL, NULL },
	{ 1024, 256, JOURNAL_CSUM_NONE, false, false, false, 0, 0, NULL, NULL },
	{ 2048, 128, JOURNAL_CSUM_V2, false, false, false, 0, 0, NULL, NULL },
	{ 1024, 128, JOURNAL_CSUM_V2, true, false, false, 0, 0, NULL, NULL },
	{ 1024, 128, JOURNAL_CSUM_V1, true, false, false, 0, 0, NULL, NULL },
	{ 1024, 128, JOURNAL_CSUM_V3, false, true, false, 0, 0, NULL, NULL },
	{ 1024, 128, JOURNAL_CSUM_V1, false, true, false, 0, 0, NULL, NULL },
	{ 4096, 128, JOURNAL_CSUM_V3, true, false, false, 0, 0, NULL, NULL },
};

static void every_state_recovers(void **state)
{
	static struct run r;

	for (size_t i = 0; i < array_size(shapes); i++)
		for (int n = 0; n < limits.seeds; n++) {
			enum sched_mode mode = n % 2 ? SCHED_SEEDED : SCHED_INLINE;

			run_open(&r, mode, limits.seed + (uint64_t)n, &shapes[i]);
			record_run(&r);
			check_states(&r);
			unstack_devices(&r);
			print_message("shape %zu, seed %llu: %llu states\n", i,
				      (unsigned long long)limits.seed + (unsigned)n,
				      (unsigned long long)r.visited);
			run_close(&r);
		}
}

static void life_goes_on_after_each_failure(void **state)
{
	static struct run r;

	for (size_t i = 0; i < array_size(shapes); i++) {
		run_open(&r, SCHED_SEEDED, limits.seed + i, &shapes[i]);
		for (int generation = 0; generation < 12; generation++) {
			record_run(&r);
			go_on_from_a_state(&r);
			unstack_devices(&r);
		}
		run_close(&r);
	}
}

static void synced(struct run *r, int err)
{
	must(err);
	must(toy_sync(&r->t, r->model->ops));
	note_synced(r, r->model->ops);
}

/*
 * J4, without luck: a block is logged as metadata, freed, and file data in place, each stable, while
 * all of it is in the log. A replay of the metadata would take the data away.
 */
static void a_freed_block_is_not_replayed(void **state)
{
	static struct run r;

	for (size_t i = 0; i < array_size(shapes); i++) {
		run_open(&r, SCHED_INLINE, limits.seed, &shapes[i]);
		stack_devices(&r);
		must(toy_mount(&r.t, &r.f, r.device, r.shape, r.model));
		for (uint32_t block = TOY_POOL; block < TOY_POOL + 3; block++) {
			synced(&r, toy_alloc(&r.t, block, TOY_META));
			synced(&r, toy_free(&r.t, block));
			synced(&r, toy_alloc(&r.t, block, TOY_DATA));
		}
		must(toy_umount(&r.t));
		note_synced(&r, r.model->ops);
		check_states(&r);
		unstack_devices(&r);
		run_close(&r);
	}
}

static int run_all(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_freed_block_is_not_replayed),
		cmocka_unit_test(every_state_recovers),
		cmocka_unit_test(life_goes_on_after_each_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		limits.operations = atoi(argv[1]);
	if (argc > 2)
		limits.states = strtoull(argv[2], NULL, 0);
	if (argc > 3)
		limits.seed = strtoull(argv[3], NULL, 0);
	if (argc > 4)
		limits.seeds = atoi(argv[4]);
	return toy_main(run_all);
}
