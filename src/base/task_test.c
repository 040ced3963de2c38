/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tasks: callers enter and leave, nest, and get a slot each; spawned tasks run and are joined; in
 * inline mode they take turns in order; a seed repeats a run; time passes by itself when all
 * wait.
 */
#include <errno.h>
#include <pthread.h>

#include "base/sync_test.h"

static void do_nothing(void *arg)
{
}

/* ---- callers */

static void a_caller_is_a_task_while_it_is_inside(struct fixture *f)
{
	struct task *t;

	assert_null(task_current());
	t = enter(f);
	assert_ptr_equal(task_current(), t);
	assert_string_equal(t->name, "test");
	assert_ptr_equal(t->sched, f->sched);
	assert_int_equal(t->id, 1);
	assert_false(t->daemon);
	task_leave(t);
	assert_null(task_current());
	t = task_enter(f->sched, "a name that is longer than what fits into a task");
	assert_int_equal(strlen(t->name), TASK_NAME_MAX - 1);
	assert_int_equal(t->id, 1);
	task_leave(t);
}

static void entering_again_is_the_same_task(struct fixture *f)
{
	struct task *outer = enter(f), *inner = enter(f);

	assert_ptr_equal(outer, inner);
	task_leave(inner);
	assert_ptr_equal(task_current(), outer);
	task_leave(outer);
	assert_null(task_current());
}

static void calls_nest_over_schedulers(struct fixture *f)
{
	struct fixture other;
	struct task *a, *b, *again;

	fixture_open(&other, sched_mode(f->sched), 7);
	a = enter(f);
	b = enter(&other);
	assert_ptr_equal(task_current(), b);
	again = enter(f);
	assert_ptr_not_equal(again, a);
	assert_ptr_equal(again->sched, f->sched);
	task_leave(again);
	assert_ptr_equal(task_current(), b);
	task_leave(b);
	assert_ptr_equal(task_current(), a);
	task_leave(a);
	fixture_close(&other);
}

/* ---- many callers at once */

enum { CALLERS = 24, CALLS = 500 };

struct crowd {
	struct fixture *f;
	_Atomic uint32_t inside[CALLERS + 16];	/* by id: each id is one task's at a time */
	_Atomic int wrong;
};

static void *call_often(void *arg)
{
	struct crowd *c = arg;

	for (int i = 0; i < CALLS; i++) {
		struct task *t = task_enter(c->f->sched, "caller");

		if (!t || t->id >= array_size(c->inside)) {
			c->wrong++;
			return NULL;
		}
		c->wrong += atomic_fetch_add(&c->inside[t->id], 1) != 0;
		if (i % 50 == 0)
			task_sleep(NSEC_PER_MSEC);	/* at times all of them are inside */
		atomic_fetch_sub(&c->inside[t->id], 1);
		task_leave(t);
	}
	return NULL;
}

static void each_caller_has_a_slot(void **state)
{
	pthread_t threads[CALLERS];
	struct fixture f;
	struct crowd c = { .f = &f };

	fixture_open(&f, SCHED_THREADED, 0);
	for (int i = 0; i < CALLERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, call_often, &c), 0);
	for (int i = 0; i < CALLERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(c.wrong, 0);
	fixture_close(&f);
}

static void without_memory_nobody_enters(void **state)
{
	struct task *tasks[32], *t;
	int spawned = 0, waits = 1, err;
	struct fixture f;

	fixture_open(&f, SCHED_INLINE, 0);
	arena_fail_at(f.arena, 0);
	err = task_spawn(f.sched, "task", do_nothing, &waits, &tasks[0]);
	assert_int_equal(err, -ENOMEM);		/* it has no stack */
	for (; !err || !spawned; spawned += !err) {
		arena_fail_at(f.arena, 1);	/* a stack each, and no more */
		err = task_spawn(f.sched, "task", do_nothing, &waits, &tasks[spawned]);
	}
	assert_in_range(spawned, 2, 31);	/* until the first slots were full */
	arena_fail_at(f.arena, UINT64_MAX);
	t = task_enter(f.sched, "test");	/* now there is memory */
	assert_non_null(t);
	task_leave(t);
	while (spawned > 0)
		task_join(tasks[--spawned]);
	fixture_close(&f);
}

static void each_allocation_of_a_scheduler_may_fail(void **state)
{
	struct fixture f = { .arena = arena_create() };
	struct sched_options opt = { .mode = SCHED_THREADED, .clock = &f.clock };
	uint64_t nth = 0;
	int err;

	assert_non_null(f.arena);
	do {
		arena_fail_at(f.arena, nth++);
		err = sched_create(f.arena, &opt, &f.sched);
	} while (err == -ENOMEM);
	assert_int_equal(err, 0);
	assert_true(nth > 1);
	arena_fail_at(f.arena, UINT64_MAX);
	fixture_close(&f);
}

/* ---- spawned tasks */

struct count {
	struct mutex lock;
	int value;
};

static void add_thousand(void *arg)
{
	struct count *c = arg;

	for (int i = 0; i < 1000; i++) {
		guard(&c->lock);
		c->value++;
	}
}

static void spawned_tasks_run_to_their_end(struct fixture *f)
{
	struct task *tasks[20];
	struct count c = { .value = 0 };

	mutex_init(&c.lock, RANK_DEVICE);
	for (size_t i = 0; i < array_size(tasks); i++) {
		tasks[i] = spawn(f, "adder", add_thousand, &c);
		assert_true(tasks[i]->daemon);
	}
	for (size_t i = 0; i < array_size(tasks); i++)
		task_join(tasks[i]);
	assert_int_equal(c.value, 20 * 1000);
	mutex_fini(&c.lock);
}

static void a_task_joins_another(struct fixture *f)
{
	struct count c = { .value = 0 };
	struct task *me = enter(f), *t;

	mutex_init(&c.lock, RANK_DEVICE);
	t = spawn(f, "adder", add_thousand, &c);
	assert_int_not_equal(t->id, me->id);
	task_join(t);
	assert_int_equal(c.value, 1000);
	task_leave(me);
	mutex_fini(&c.lock);
}

/* ---- order and repetition */

struct letters {
	char text[64];
	size_t len;
};

struct writer {
	struct letters *to;
	char letter;
};

static void write_three(void *arg)
{
	struct writer *w = arg;

	for (int i = 0; i < 3; i++) {
		w->to->text[w->to->len++] = w->letter;
		task_yield();
	}
}

static void run_writers(struct fixture *f, struct letters *l)
{
	struct writer w[3];
	struct task *tasks[3];

	for (int i = 0; i < 3; i++) {
		w[i] = (struct writer){ l, (char)('a' + i) };
		tasks[i] = spawn(f, "writer", write_three, &w[i]);
	}
	sched_settle(f->sched);
	for (int i = 0; i < 3; i++)
		task_join(tasks[i]);
}

static void inline_tasks_take_turns(void **state)
{
	struct letters l = { .len = 0 };
	struct fixture f;

	fixture_open(&f, SCHED_INLINE, 0);
	run_writers(&f, &l);
	assert_string_equal(l.text, "abcabcabc");
	fixture_close(&f);
}

static uint64_t seeded_run(uint64_t seed, struct letters *l)
{
	struct sched_stats stats;
	struct fixture f;

	fixture_open(&f, SCHED_SEEDED, seed);
	run_writers(&f, l);
	sched_get_stats(f.sched, &stats);
	fixture_close(&f);
	return stats.switch_hash;
}

static void a_seed_repeats_its_run(void **state)
{
	int differ = 0;

	for (uint64_t seed = 0; seed < 50; seed++) {
		struct letters first = { .len = 0 }, again = { .len = 0 }, other = { .len = 0 };
		uint64_t hash = seeded_run(seed, &first);

		assert_int_equal(hash, seeded_run(seed, &again));
		assert_string_equal(first.text, again.text);
		differ += hash != seeded_run(seed + 1000, &other);
	}
	assert_true(differ > 40);
}

/* ---- time */

static void virtual_time_passes_when_all_wait(void **state)
{
	struct fixture f;
	struct task *t;

	fixture_open(&f, SCHED_INLINE, 0);
	t = enter(&f);
	task_sleep(3600 * NSEC_PER_SEC);
	assert_int_equal(clock_monotonic(&f.clock), 3600 * NSEC_PER_SEC);
	task_leave(t);
	fixture_close(&f);
}

static void real_time_passes(void **state)
{
	struct fixture f;
	struct task *t;
	int64_t before;

	for (int mode = SCHED_THREADED; mode <= SCHED_SEEDED; mode++) {
		fixture_open(&f, (enum sched_mode)mode, 0);
		clock_init_real(&f.clock);
		before = clock_monotonic(&f.clock);
		t = enter(&f);
		task_sleep(20 * NSEC_PER_MSEC);
		task_leave(t);
		assert_true(clock_monotonic(&f.clock) - before >= 20 * NSEC_PER_MSEC);
		fixture_close(&f);
	}
}

static void callers(void **state)
{
	in_all_modes(a_caller_is_a_task_while_it_is_inside);
	in_all_modes(entering_again_is_the_same_task);
	in_all_modes(calls_nest_over_schedulers);
}

static void spawned(void **state)
{
	in_all_modes(spawned_tasks_run_to_their_end);
	in_all_modes(a_task_joins_another);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(callers),
		cmocka_unit_test(each_caller_has_a_slot),
		cmocka_unit_test(without_memory_nobody_enters),
		cmocka_unit_test(each_allocation_of_a_scheduler_may_fail),
		cmocka_unit_test(spawned),
		cmocka_unit_test(inline_tasks_take_turns),
		cmocka_unit_test(a_seed_repeats_its_run),
		cmocka_unit_test(virtual_time_passes_when_all_wait),
		cmocka_unit_test(real_time_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
