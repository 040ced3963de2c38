/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What can fail, fails, by number, each once: every allocation, every call of the device, in a run of
 * operations, commits, write-back, umount and mount. Nothing crashes or leaks (the fixture sees to that),
 * and what is on the device recovers to what some first operations made, at least those that were
 * synced. A failed allocation is an answer of the call that made it; it never aborts the journal.
 */
#include "jbd2/rig.h"

static const struct toy_shape plain = { .block_size = 1024, .log_blocks = 120, .csum = JOURNAL_CSUM_V3 };

/* What a run came to. */
struct outcome {
	uint32_t synced;		/* operations that are stable for sure */
	bool failed;			/* something did */
};

static void attempt(struct outcome *o, int err)
{
	o->failed |= err != 0;
}

static void sync_all(struct rig *r, struct outcome *o)
{
	uint32_t op = r->model->ops;
	int err = toy_sync(&r->t, op);

	attempt(o, err);
	if (!err)
		o->synced = op;
}

/* Operations that fail have not happened; those after them may still work. */
static void run_operations(struct rig *r, struct outcome *o)
{
	struct random random;

	random_init_seed(&random, 5);
	for (int i = 1; i <= 60; i++) {
		attempt(o, toy_operate(&r->t, &random));
		if (i % 6 == 0)
			sync_all(r, o);
		if (i % 15 == 0)
			attempt(o, jbd2_checkpoint_writeback(r->t.journal, CLOCK_NEVER));
		if (i % 25 == 0)
			attempt(o, jbd2_log_do_checkpoint(r->t.journal));
		if (i == 40)
			attempt(o, jbd2_journal_flush(r->t.journal));
	}
}

static void run(struct rig *r, struct outcome *o)
{
	int err;

	run_operations(r, o);
	err = toy_umount(&r->t);
	attempt(o, err);
	if (!err)
		o->synced = r->model->ops;
	err = toy_mount(&r->t, r->f, r->device, &r->shape, r->model);
	attempt(o, err);
	if (err)
		return;
	attempt(o, toy_umount(&r->t));
}

static void must_recover(struct rig *r, const struct outcome *o)
{
	const char *bad;
	uint32_t op;

	block_fault_clear(r->fault);
	arena_fail_at(r->f->arena, UINT64_MAX);
	bad = toy_recover_and_verify(r->f, r->memory, &r->shape, r->model, &op);
	if (bad)
		print_error("%s\n", bad);
	assert_null(bad);
	assert_true(op >= o->synced);
}

static void open_quietly(struct rig *r, struct fixture *f)
{
	fixture_open(f, SCHED_INLINE, 0);
	f->log.message = drop_message;
	rig_open(r, f, &plain, 0);
}

/* ---- memory */

static bool fail_allocation(uint64_t nth)
{
	struct outcome o = { 0 };
	struct fixture f;
	struct rig r;

	open_quietly(&r, &f);
	arena_fail_at(f.arena, nth);
	run_operations(&r, &o);
	assert_int_equal(r.t.aborted, 0);
	assert_int_equal(jbd2_journal_errno(r.t.journal), 0);
	/* Whatever failed has been told; all goes on. */
	arena_fail_at(f.arena, UINT64_MAX);
	must(toy_sync(&r.t, r.model->ops));
	must(toy_umount(&r.t));
	rig_must_hold(&r, r.model->ops);
	rig_close(&r);
	fixture_close(&f);
	return o.failed;
}

static void every_allocation_of_operations_fails_once(void **state)
{
	uint64_t nth, failures = 0, quiet = 0;

	/* An allocation that is not missed (the log buffer grows less) fails without a sign. */
	for (nth = 0; quiet < 40; nth++) {
		bool failed = fail_allocation(nth);

		failures += failed;
		quiet = failed ? 0 : quiet + 1;
	}
	print_message("%llu allocations, %llu that were missed\n", (unsigned long long)nth - quiet,
		      (unsigned long long)failures);
	assert_true(failures > 50);
}

static bool fail_allocation_of_mount(uint64_t nth)
{
	struct outcome o = { 0 };
	struct fixture f;
	struct rig r;
	int err;

	open_quietly(&r, &f);
	run_operations(&r, &o);
	must(toy_sync(&r.t, r.model->ops));
	o.synced = r.model->ops;
	jbd2_journal_abort(r.t.journal, -ESHUTDOWN);
	assert_int_equal(toy_umount(&r.t), -ESHUTDOWN);
	arena_fail_at(f.arena, nth);
	err = toy_mount(&r.t, &f, r.device, &r.shape, r.model);
	arena_fail_at(f.arena, UINT64_MAX);
	if (!err)
		must(toy_umount(&r.t));
	else
		assert_int_equal(err, -ENOMEM);
	must_recover(&r, &o);
	rig_close(&r);
	fixture_close(&f);
	return err != 0;
}

static void every_allocation_of_mount_fails_once(void **state)
{
	uint64_t nth;

	for (nth = 0; fail_allocation_of_mount(nth); nth++)
		;
	assert_true(nth > 10);
}

/* ---- the device */

static bool fail_call(uint64_t nth, int err, bool forever)
{
	struct outcome o = { 0 };
	struct fixture f;
	struct rig r;
	bool reached;

	open_quietly(&r, &f);
	block_fault_at(r.fault, FAULT_ANY, nth, err, forever);
	run(&r, &o);
	reached = o.failed;
	if (r.t.aborted)
		assert_int_equal(r.t.aborted, err);
	must_recover(&r, &o);
	rig_close(&r);
	fixture_close(&f);
	return reached;
}

/* A read that is only ahead of what is wanted may fail without a sign. */
static void every_call_of_the_device_fails(int err, bool forever)
{
	uint64_t nth, failures = 0, quiet = 0;

	for (nth = 0; quiet < 20; nth++) {
		bool failed = fail_call(nth, err, forever);

		failures += failed;
		quiet = failed ? 0 : quiet + 1;
	}
	print_message("%llu calls, %llu whose failure showed\n", (unsigned long long)nth - quiet,
		      (unsigned long long)failures);
	assert_true(failures > 50);
}

static void every_call_of_the_device_fails_once(void **state)
{
	every_call_of_the_device_fails(-EIO, false);
}

static void the_device_fails_for_good(void **state)
{
	every_call_of_the_device_fails(-EIO, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_of_operations_fails_once),
		cmocka_unit_test(every_allocation_of_mount_fails_once),
		cmocka_unit_test(every_call_of_the_device_fails_once),
		cmocka_unit_test(the_device_fails_for_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
