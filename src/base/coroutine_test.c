/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Coroutines: switches are quick, stacks are whole and guarded, a scheduler may be entered by one
 * thread after the other but not by two at once, and thousands of schedulers come and go.
 */
#include <pthread.h>

#include "base/sync_test.h"

/* ---- switches */

static void yield_often(void *arg)
{
	for (int n = *(const int *)arg; n > 0; n--)
		task_yield();
}

static void a_hundred_thousand_switches_are_quick(void **state)
{
	struct sched_stats stats;
	struct task *tasks[4];
	struct fixture f;
	struct clock real;
	int each = 25000;
	int64_t before;

	clock_init_real(&real);
	before = clock_monotonic(&real);
	fixture_open(&f, SCHED_INLINE, 0);
	for (int i = 0; i < 4; i++)
		tasks[i] = spawn(&f, "task", yield_often, &each);
	for (int i = 0; i < 4; i++)
		task_join(tasks[i]);
	sched_get_stats(f.sched, &stats);
	assert_true(stats.switches >= 100000);
	fixture_close(&f);
	/* It takes 2 ms, but for sanitizers and busy machines. */
	assert_true(clock_monotonic(&real) - before < 10 * NSEC_PER_SEC);
}

/* ---- stacks */

struct deep {
	uint32_t result;
	int depth;
};

/* Uses some stack, and lets others run while it is in use. */
static uint32_t sum_deep(int depth)
{
	volatile uint8_t bytes[256];
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(depth + (int)i);
	if (depth % 50 == 0)
		task_yield();
	if (depth > 0)
		sum = sum_deep(depth - 1);
	for (size_t i = 0; i < sizeof(bytes); i++)
		sum += bytes[i];
	return sum;
}

static void go_deep(void *arg)
{
	struct deep *d = arg;

	d->result = sum_deep(d->depth);
}

static void stacks_keep_what_is_on_them(void **state)
{
	uint32_t expected = sum_deep(400);
	struct deep d[8];
	struct task *tasks[8];
	struct fixture f;

	fixture_open(&f, SCHED_INLINE, 0);
	for (int round = 0; round < 3; round++) {	/* on the same stacks again */
		for (int i = 0; i < 8; i++) {
			d[i] = (struct deep){ .depth = 400 };
			tasks[i] = spawn(&f, "deep", go_deep, &d[i]);
		}
		for (int i = 0; i < 8; i++) {
			task_join(tasks[i]);
			assert_int_equal(d[i].result, expected);
		}
	}
	fixture_close(&f);
}

static void floats_survive(void *arg)
{
	double *x = arg, y = *x;

	for (int i = 0; i < 10; i++) {
		y = y * 1.5 + 1;
		task_yield();
	}
	*x = y;
}

static void numbers_in_registers_survive(void **state)
{
	double x[4] = { 1, 2, 3, 4 }, expected[4];
	struct task *tasks[4];
	struct fixture f;

	fixture_open(&f, SCHED_INLINE, 0);
	for (int i = 0; i < 4; i++) {
		expected[i] = x[i];
		floats_survive(&expected[i]);
		tasks[i] = spawn(&f, "floats", floats_survive, &x[i]);
	}
	for (int i = 0; i < 4; i++) {
		task_join(tasks[i]);
		assert_true(x[i] == expected[i]);
	}
	fixture_close(&f);
}

static void overflow_the_stack(void *arg)
{
	sum_deep(1000000);
}

static void a_stack_that_overflows_stops_the_process(void **state)
{
	struct fixture f;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		close(STDERR_FILENO);	/* sanitizers have something to say */
		signal(SIGSEGV, SIG_DFL);
		fixture_open(&f, SCHED_INLINE, 0);
		task_join(spawn(&f, "deep", overflow_the_stack, NULL));
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- threads */

struct relay {
	struct fixture *f;
	struct mutex lock;
	struct waitq q;
	int turns;
};

static void count_turns(void *arg)
{
	struct relay *r = arg;

	for (int i = 1; i <= 10; i++) {
		guard(&r->lock);
		wait_event(&r->q, &r->lock, r->turns >= i);
	}
}

static void *take_a_turn(void *arg)
{
	struct relay *r = arg;
	struct task *t = task_enter(r->f->sched, "runner");

	mutex_lock(&r->lock);
	r->turns++;
	waitq_wake_all(&r->q);
	mutex_unlock(&r->lock);
	task_yield();			/* the counter goes on in this thread */
	task_leave(t);
	return NULL;
}

static void one_thread_after_the_other_may_enter(void **state)
{
	struct relay r = { .turns = 0 };
	struct fixture f;
	struct task *counter;

	fixture_open(&f, SCHED_INLINE, 0);
	r.f = &f;
	mutex_init(&r.lock, RANK_INODE);
	waitq_init(&r.q);
	counter = spawn(&f, "counter", count_turns, &r);
	for (int i = 0; i < 10; i++) {
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, take_a_turn, &r), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
	}
	task_join(counter);
	waitq_fini(&r.q);
	mutex_fini(&r.lock);
	fixture_close(&f);
}

static void *enter_too(void *arg)
{
	(void)!task_enter(arg, "second");
	return NULL;
}

static void enter_from_two_threads(void)
{
	struct fixture f;
	pthread_t thread;

	fixture_open(&f, SCHED_INLINE, 0);
	enter(&f);
	pthread_create(&thread, NULL, enter_too, f.sched);
	pthread_join(thread, NULL);
}

static void two_threads_at_once_stop_the_process(void **state)
{
	char said[2048];

	must_abort(enter_from_two_threads, said, sizeof(said));
	assert_non_null(strstr(said, "this_thread"));
}

/* ---- many schedulers */

static void wait_until_told(void *arg)
{
	struct relay *r = arg;

	guard(&r->lock);
	wait_event(&r->q, &r->lock, r->turns > 0);
}

static void many_schedulers_at_once(void **state)
{
	enum { COUNT = 100 };
	static struct fixture f[COUNT];
	static struct relay r[COUNT];
	static struct task *t[COUNT];

	for (int i = 0; i < COUNT; i++) {
		fixture_open(&f[i], (enum sched_mode)(i % 3), (uint64_t)i);
		r[i] = (struct relay){ .f = &f[i] };
		mutex_init(&r[i].lock, RANK_INODE);
		waitq_init(&r[i].q);
		t[i] = spawn(&f[i], "waiter", wait_until_told, &r[i]);
	}
	for (int i = COUNT - 1; i >= 0; i--) {
		take_a_turn(&r[i]);
		task_join(t[i]);
		waitq_fini(&r[i].q);
		mutex_fini(&r[i].lock);
		fixture_close(&f[i]);
	}
}

static void schedulers_come_and_go(void **state)
{
	int once = 1;

	for (int i = 0; i < 1000; i++) {
		struct fixture f;

		fixture_open(&f, SCHED_INLINE, 0);
		task_join(spawn(&f, "short", yield_often, &once));
		fixture_close(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hundred_thousand_switches_are_quick),
		cmocka_unit_test(stacks_keep_what_is_on_them),
		cmocka_unit_test(numbers_in_registers_survive),
		cmocka_unit_test(a_stack_that_overflows_stops_the_process),
		cmocka_unit_test(one_thread_after_the_other_may_enter),
		cmocka_unit_test(two_threads_at_once_stop_the_process),
		cmocka_unit_test(many_schedulers_at_once),
		cmocka_unit_test(schedulers_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
