/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A failed assertion: with a handler of the program's the scheduler is poisoned, every call
 * answers EIO, everybody who waits is woken and unwound, and the scheduler can be destroyed.
 * Without one, or without a recovery point, the process stops.
 */
#include <errno.h>

#include "base/sync_test.h"

struct scene {
	struct fixture *f;
	struct mutex mutex, held;
	struct rwlock rwlock;
	struct waitq q;
	_Atomic int got_through;	/* who should not have */
	bool came_late;
	struct task *tasks[8];
};

static void scene_init(struct scene *s, struct fixture *f)
{
	*s = (struct scene){ .f = f };
	mutex_init(&s->mutex, RANK_INODE);
	mutex_init(&s->held, RANK_INODE);
	rwlock_init(&s->rwlock, RANK_INODE);
	waitq_init(&s->q);
	fixture_handle_assertions(f);
}

static int fail_holding(void *arg)
{
	struct scene *s = arg;
	guard(&s->mutex);
	guard_epoch();

	ensure(!"the sky is green");
	return 0;
}

static int succeed(void *arg)
{
	return 17;
}

static void calls_answer_eio_from_then_on(struct fixture *f)
{
	struct scene s;

	scene_init(&s, f);
	assert_int_equal(task_call(f->sched, "test", succeed, NULL), 17);
	assert_false(sched_poisoned(f->sched));
	assert_int_equal(task_call(f->sched, "test", fail_holding, &s), -EIO);
	assert_true(sched_poisoned(f->sched));
	assert_null(task_current());
	assert_int_equal(f->assertions, 1);
	assert_non_null(strstr(f->text, "the sky is green"));
	assert_non_null(strstr(f->text, "poison_test.c"));
	assert_int_equal(task_call(f->sched, "test", succeed, NULL), -EIO);
	assert_int_equal(f->assertions, 1);
}

/* ---- who waits */

static void wait_in_waitq(void *arg)
{
	struct scene *s = arg;

	mutex_lock(&s->held);
	(void)waitq_sleep(&s->q, &s->held, CLOCK_NEVER, "nothing");
	s->got_through++;
}

static void wait_for_mutex(void *arg)
{
	struct scene *s = arg;

	mutex_lock(&s->mutex);
	s->got_through++;
}

static void wait_for_reading(void *arg)
{
	struct scene *s = arg;

	rwlock_read(&s->rwlock);
	s->got_through++;
}

static void wait_for_writing(void *arg)
{
	struct scene *s = arg;

	rwlock_write(&s->rwlock);
	s->got_through++;
}

static void wait_for_time(void *arg)
{
	struct scene *s = arg;

	task_sleep(3600 * NSEC_PER_SEC);
	s->got_through++;
}

static void (*const waits[])(void *arg) = { wait_in_waitq, wait_for_mutex, wait_for_reading,
					    wait_for_writing, wait_for_time };

/* Holds what the others wait for, starts them, gives them time to come, and fails. */
static int start_waiters_and_fail(void *arg)
{
	struct scene *s = arg;

	mutex_lock(&s->mutex);
	rwlock_write_equal(&s->rwlock);
	for (size_t i = 0; i < array_size(waits); i++)
		s->tasks[i] = spawn(s->f, "waiter", waits[i], s);
	task_sleep(20 * NSEC_PER_MSEC);
	ensure(!"now");
	return 0;
}

static void who_waits_is_woken_and_ends(struct fixture *f)
{
	struct scene s;

	scene_init(&s, f);
	assert_int_equal(task_call(f->sched, "test", start_waiters_and_fail, &s), -EIO);
	for (size_t i = 0; i < array_size(waits); i++)
		task_join(s.tasks[i]);
	assert_int_equal(s.got_through, 0);
}

static void the_scheduler_goes_with_whoever_is_left(struct fixture *f)
{
	struct scene s;

	scene_init(&s, f);
	assert_int_equal(task_call(f->sched, "test", start_waiters_and_fail, &s), -EIO);
	sched_destroy(f->sched);	/* joins them: `s` lies on this stack */
	f->sched = NULL;
	assert_int_equal(s.got_through, 0);
}

static void fail_soon(void *arg)
{
	task_sleep(20 * NSEC_PER_MSEC);
	ensure(!"in the background");
}

static int wait_for_ever(void *arg)
{
	wait_in_waitq(arg);
	return 0;
}

static void a_caller_that_waits_comes_back(struct fixture *f)
{
	struct task *t;
	struct scene s;

	scene_init(&s, f);
	t = spawn(f, "daemon", fail_soon, &s);
	assert_int_equal(task_call(f->sched, "test", wait_for_ever, &s), -EIO);
	task_join(t);
	assert_int_equal(s.got_through, 0);
	assert_non_null(strstr(f->text, "daemon"));
}

/* ---- who goes on although it is poisoned: until it waits, everybody may */

static void lock_after_poison(void *arg)
{
	struct scene *s = arg;

	while (!sched_poisoned(s->f->sched))
		sched_step();
	s->came_late = true;
	mutex_lock(&s->mutex);
	s->got_through++;
}

static void fail_at_once(void *arg)
{
	ensure(!"early");
}

static int hold_and_let_go(void *arg)
{
	struct scene *s = arg;

	mutex_lock(&s->mutex);
	s->tasks[0] = spawn(s->f, "late", lock_after_poison, s);
	s->tasks[1] = spawn(s->f, "early", fail_at_once, s);
	while (!s->came_late)
		sched_step();
	for (int i = 0; i < 10; i++)
		sched_step();		/* it has come to the lock and was unwound */
	mutex_unlock(&s->mutex);
	return 3;
}

static void an_unwound_task_is_not_in_line(void **state)
{
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct fixture f;
		struct scene s;

		fixture_open(&f, SCHED_SEEDED, seed);
		scene_init(&s, &f);
		assert_int_equal(task_call(f.sched, "test", hold_and_let_go, &s), 3);
		task_join(s.tasks[0]);
		task_join(s.tasks[1]);
		assert_int_equal(s.got_through, 0);
		fixture_close(&f);
	}
}

static void poisoned(void **state)
{
	in_all_modes(calls_answer_eio_from_then_on);
	in_all_modes(a_caller_that_waits_comes_back);
	in_all_modes(the_scheduler_goes_with_whoever_is_left);
}

static void waiters(void **state)
{
	in_all_modes(who_waits_is_woken_and_ends);
}

/* ---- nesting */

static int call_other_and_fail(void *arg)
{
	struct fixture *other = arg;
	struct scene s;

	scene_init(&s, other);
	assert_int_equal(task_call(other->sched, "inner", fail_holding, &s), -EIO);
	return 5;
}

static void another_scheduler_goes_on(struct fixture *f)
{
	struct fixture other;

	fixture_open(&other, sched_mode(f->sched), 9);
	assert_int_equal(task_call(f->sched, "outer", call_other_and_fail, &other), 5);
	assert_true(sched_poisoned(other.sched));
	assert_false(sched_poisoned(f->sched));
	fixture_close(&other);
}

static int call_same_and_fail(void *arg)
{
	struct scene *s = arg;

	(void)!task_call(s->f->sched, "inner", fail_holding, s);
	s->got_through++;
	return 0;
}

static void both_frames_of_one_task_go_at_once(struct fixture *f)
{
	struct scene s;

	scene_init(&s, f);
	assert_int_equal(task_call(f->sched, "outer", call_same_and_fail, &s), -EIO);
	assert_int_equal(s.got_through, 0);
	assert_null(task_current());
}

/* From so far down the stack that what is called next runs over its frames. */
__attribute__((noinline)) static int succeed_deep_down(struct fixture *f)
{
	volatile char room[256];

	room[0] = 0;
	return task_call(f->sched, "inner", succeed, NULL) + room[0];
}

__attribute__((noinline)) static int overwrite_and_fail(void *arg)
{
	volatile char room[1024];

	for (size_t i = 0; i < sizeof(room); i++)
		room[i] = 0;
	return fail_holding(arg) + room[0];
}

static void a_guard_goes_with_its_frame(struct fixture *f)
{
	struct task *me = enter(f);
	struct scene s;

	scene_init(&s, f);
	assert_int_equal(succeed_deep_down(f), 17);
	assert_int_equal(task_call(f->sched, "inner", overwrite_and_fail, &s), -EIO);
	assert_ptr_equal(task_current(), me);
	assert_int_equal(task_call(f->sched, "inner", succeed, NULL), -EIO);
	task_leave(me);
	assert_null(task_current());
}

static void nesting(void **state)
{
	in_all_modes(a_guard_goes_with_its_frame);
	in_all_modes(another_scheduler_goes_on);
	in_all_modes(both_frames_of_one_task_go_at_once);
}

static void a_deadlock_poisons_too(void **state)
{
	for (int mode = SCHED_INLINE; mode <= SCHED_SEEDED; mode++) {
		struct fixture f;
		struct scene s;
		struct task *t;

		fixture_open(&f, (enum sched_mode)mode, 0);
		scene_init(&s, &f);
		t = spawn(&f, "waiter", wait_in_waitq, &s);
		assert_int_equal(task_call(f.sched, "test", wait_for_ever, &s), -EIO);
		assert_non_null(strstr(f.text, "deadlock"));
		task_join(t);
		fixture_close(&f);
	}
}

static void do_nothing(void *arg)
{
}

/* The caller waits already when the last task that could have woken it ends. */
static void a_deadlock_at_the_end_of_a_task_poisons_too(void **state)
{
	struct fixture f;
	struct scene s;
	struct task *t;

	fixture_open(&f, SCHED_INLINE, 0);
	scene_init(&s, &f);
	t = spawn(&f, "short", do_nothing, &s);
	assert_int_equal(task_call(f.sched, "test", wait_for_ever, &s), -EIO);
	assert_int_equal(f.assertions, 1);
	assert_non_null(strstr(f.text, "deadlock (in short)"));
	task_join(t);
	fixture_close(&f);
}

/* ---- the process stops */

static void without_handler(void)
{
	struct fixture f;
	struct scene s;

	fixture_open(&f, SCHED_THREADED, 0);
	scene_init(&s, &f);
	f.log.assertion_failed = NULL;
	(void)!task_call(f.sched, "test", fail_holding, &s);
}

static void without_recovery_point(void)
{
	struct fixture f;
	struct scene s;

	fixture_open(&f, SCHED_INLINE, 0);
	scene_init(&s, &f);
	enter(&f);
	fail_holding(&s);
}

static void outside_of_any_task(void)
{
	ensure(!"nobody is here");
}

static void otherwise_the_process_stops(void **state)
{
	char said[2048];

	must_abort(without_handler, said, sizeof(said));
	assert_non_null(strstr(said, "the sky is green"));
	assert_non_null(strstr(said, "(in test)"));
	must_abort(without_recovery_point, said, sizeof(said));
	assert_non_null(strstr(said, "without a recovery point"));
	must_abort(outside_of_any_task, said, sizeof(said));
	assert_non_null(strstr(said, "nobody is here"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(poisoned),
		cmocka_unit_test(waiters),
		cmocka_unit_test(an_unwound_task_is_not_in_line),
		cmocka_unit_test(nesting),
		cmocka_unit_test(a_deadlock_poisons_too),
		cmocka_unit_test(a_deadlock_at_the_end_of_a_task_poisons_too),
		cmocka_unit_test(otherwise_the_process_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
