/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gates in each mode: while one is shut nobody is inside, whoever passed before is out, and all go
 * on when it opens. A program's thread that alone could open it is told so.
 */
#include "base/errors.h"
#include "base/gate.h"
#include "base/sync_test.h"

enum { TASKS = 6, PASSES = 400, SHUTS = 30 };

struct scene {
	struct gate gate;
	_Atomic int inside, passed, left;
	bool shut;			/* the shutter's: nobody may see it from inside */
	_Atomic int wrong;
};

static void pass(void *arg)
{
	struct scene *s = arg;

	for (int i = 0; i < PASSES; i++) {
		unsigned at;

		s->wrong += gate_enter(&s->gate, &at) != 0;
		s->inside++;
		s->wrong += s->shut;
		if (i % 7 == 0)
			task_yield();
		s->inside--;
		s->passed++;
		gate_leave(&s->gate, at);
		if (i % 5 == 0)
			task_yield();
	}
	s->left--;
}

static void shut_often(void *arg)
{
	struct scene *s = arg;

	for (int i = 0; i < SHUTS && s->left; i++) {
		int passed;

		gate_shut(&s->gate);
		s->shut = true;
		passed = s->passed;
		s->wrong += s->inside != 0;
		task_yield();
		s->wrong += s->inside != 0 || s->passed != passed;
		s->shut = false;
		gate_open(&s->gate);
		task_yield();
	}
}

static void nobody_inside_while_shut(struct fixture *f)
{
	struct scene s = { .left = TASKS };
	struct task *t = enter(f), *tasks[TASKS + 1];

	gate_init(&s.gate, RANK_MOUNT);
	for (int i = 0; i < TASKS; i++)
		tasks[i] = spawn(f, "pass", pass, &s);
	tasks[TASKS] = spawn(f, "shut", shut_often, &s);
	for (int i = 0; i <= TASKS; i++)
		task_join(tasks[i]);
	assert_int_equal(s.wrong, 0);
	assert_int_equal(s.passed, TASKS * PASSES);
	gate_fini(&s.gate);
	task_leave(t);
}

static void nobody_inside(void **state)
{
	in_all_modes(nobody_inside_while_shut);
}

static void shut_to_itself(void **state)
{
	struct fixture f;
	struct gate gate;
	struct task *t;
	unsigned at;

	fixture_open(&f, SCHED_INLINE, 0);
	t = enter(&f);
	gate_init(&gate, RANK_MOUNT);
	assert_int_equal(gate_enter(&gate, &at), 0);
	gate_leave(&gate, at);
	gate_shut(&gate);
	assert_true(gate_is_shut(&gate));
	assert_false(gate_try_enter(&gate, &at));
	assert_int_equal(gate_enter(&gate, &at), -EDEADLK);
	gate_open(&gate);
	assert_true(gate_try_enter(&gate, &at));
	gate_leave(&gate, at);
	gate_fini(&gate);
	task_leave(t);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_inside),
		cmocka_unit_test(shut_to_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
