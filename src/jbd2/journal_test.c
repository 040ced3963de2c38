/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a journal: transactions commit, reach their places and leave an empty log; what was not
 * brought into place is there after the next mount; several sessions follow each other.
 */
#include "jbd2/toy.h"

static const struct toy_shape plain = { .block_size = 1024, .log_blocks = 256, .csum = JOURNAL_CSUM_V3 };

struct rig {
	struct fixture *f;
	struct task *self;
	struct block_device *d;
	struct toy_model *model;
	struct toy t;
};

static void rig_open(struct rig *r, struct fixture *f, const struct toy_shape *shape)
{
	r->f = f;
	r->self = enter(f);
	r->model = toy_model_create();
	assert_int_equal(block_mem_create(f->arena, toy_device_bytes(shape), &r->d), 0);
	toy_format(r->d, shape);
	assert_int_equal(toy_mount(&r->t, f, r->d, shape, r->model), 0);
}

static void rig_close(struct rig *r)
{
	block_close(r->d);
	toy_model_destroy(r->model);
	task_leave(r->self);
}

static void must_hold(struct rig *r, uint32_t op)
{
	uint32_t found;
	const char *bad = toy_verify(r->d, &r->t.shape, r->model, &found);

	if (bad)
		print_error("%s\n", bad);
	assert_null(bad);
	assert_int_equal(found, op);
}

static void operate(struct rig *r, uint64_t seed, int count)
{
	struct random random;

	random_init_seed(&random, seed);
	for (int i = 0; i < count; i++)
		assert_int_equal(toy_operate(&r->t, &random), 0);
}

static void in_place_after_umount(struct fixture *f)
{
	struct rig r;

	rig_open(&r, f, &plain);
	operate(&r, 1, 300);
	assert_int_equal(toy_umount(&r.t), 0);
	must_hold(&r, 300);
	assert_int_equal(toy_mount(&r.t, f, r.d, &plain, r.model), 0);
	assert_int_equal(r.t.recovery.transactions, 0);
	operate(&r, 2, 300);
	assert_int_equal(toy_umount(&r.t), 0);
	must_hold(&r, 600);
	rig_close(&r);
}

static void test_in_place(void **state)
{
	in_all_modes(in_place_after_umount);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
