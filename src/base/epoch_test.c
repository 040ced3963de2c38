/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Epochs: what a reader may still see is not freed, what nobody sees is freed soon, and nothing
 * is left when the scheduler goes. The sanitizers watch the readers.
 */
#include <stdlib.h>

#include "base/sync_test.h"

struct thing {
	struct epoch_node node;
	struct fixture *f;
	uint64_t a, b;			/* equal while it lives */
	_Atomic int *freed;
};

static void free_thing(struct epoch_node *node)
{
	struct thing *t = container_of(node, struct thing, node);

	atomic_fetch_add(t->freed, 1);
	t->b = t->a + 1;
	arena_free(t->f->arena, t);
}

static struct thing *make_thing(struct fixture *f, uint64_t value, _Atomic int *freed)
{
	struct thing *t = arena_new(f->arena, struct thing);

	assert_non_null(t);
	t->f = f;
	t->a = t->b = value;
	t->freed = freed;
	return t;
}

/* ---- one after the other */

struct visit {
	struct mutex lock;
	struct waitq q;
	bool inside, may_leave;
};

static void set(struct visit *v, bool *what)
{
	guard(&v->lock);

	*what = true;
	waitq_wake_all(&v->q);
}

static void wait_for(struct visit *v, const bool *what)
{
	guard(&v->lock);

	wait_event(&v->q, &v->lock, *what);
}

/* A reader does not sleep in its epoch, but it may take its time. */
static void stay_inside(void *arg)
{
	struct visit *v = arg;
	bool leave = false;

	epoch_enter();
	set(v, &v->inside);
	while (!leave) {
		task_yield();
		mutex_lock(&v->lock);
		leave = v->may_leave;
		mutex_unlock(&v->lock);
	}
	epoch_leave();
}

static void what_a_reader_sees_stays(struct fixture *f)
{
	struct visit v = { .inside = false };
	struct task *me = enter(f), *reader;
	_Atomic int freed = 0;

	mutex_init(&v.lock, RANK_INODE);
	waitq_init(&v.q);
	reader = spawn(f, "reader", stay_inside, &v);
	wait_for(&v, &v.inside);
	epoch_retire(&make_thing(f, 1, &freed)->node, free_thing);
	epoch_reclaim();
	epoch_reclaim();
	assert_int_equal(freed, 0);
	set(&v, &v.may_leave);
	task_join(reader);
	epoch_reclaim();
	assert_int_equal(freed, 1);
	task_leave(me);
	waitq_fini(&v.q);
	mutex_fini(&v.lock);
}

static void enter_and_leave(void *arg)
{
	struct visit *v = arg;

	epoch_enter();
	set(v, &v->inside);
	for (int i = 0; i < 100; i++)
		task_yield();
	epoch_leave();
}

static void draining_waits_for_readers(struct fixture *f)
{
	struct visit v = { .inside = false };
	struct task *me = enter(f), *reader;
	_Atomic int freed = 0;

	mutex_init(&v.lock, RANK_INODE);
	waitq_init(&v.q);
	reader = spawn(f, "reader", enter_and_leave, &v);
	wait_for(&v, &v.inside);
	epoch_retire(&make_thing(f, 1, &freed)->node, free_thing);
	epoch_drain();
	assert_int_equal(freed, 1);
	task_join(reader);
	task_leave(me);
	waitq_fini(&v.q);
	mutex_fini(&v.lock);
}

static void epochs_nest(struct fixture *f)
{
	struct task *me = enter(f);
	_Atomic int freed = 0;

	epoch_enter();
	{
		guard_epoch();
		epoch_retire(&make_thing(f, 1, &freed)->node, free_thing);
	}
	epoch_reclaim();
	assert_int_equal(freed, 0);
	epoch_leave();
	epoch_reclaim();
	assert_int_equal(freed, 1);
	task_leave(me);
}

static void a_later_reader_holds_up_nothing(struct fixture *f)
{
	struct task *me = enter(f);
	_Atomic int freed = 0;

	epoch_retire(&make_thing(f, 1, &freed)->node, free_thing);
	epoch_reclaim();
	assert_int_equal(freed, 1);
	epoch_retire(&make_thing(f, 2, &freed)->node, free_thing);
	epoch_enter();	/* in the epoch of the retirement: it might have come before */
	epoch_reclaim();
	assert_int_equal(freed, 1);
	epoch_leave();
	epoch_reclaim();
	assert_int_equal(freed, 2);
	task_leave(me);
}

static void the_retired_is_freed_on_the_way(struct fixture *f)
{
	struct task *me = enter(f);
	_Atomic int freed = 0;

	for (uint64_t i = 0; i < 1000; i++)
		epoch_retire(&make_thing(f, i, &freed)->node, free_thing);
	assert_true(freed > 900);
	epoch_reclaim();
	assert_int_equal(freed, 1000);
	task_leave(me);
}

static void nothing_is_left_at_the_end(void **state)
{
	_Atomic int freed = 0;

	for (int mode = SCHED_THREADED; mode <= SCHED_SEEDED; mode++) {
		struct fixture f;
		struct task *me;

		fixture_open(&f, (enum sched_mode)mode, 0);
		me = enter(&f);
		for (uint64_t i = 0; i < 5; i++)
			epoch_retire(&make_thing(&f, i, &freed)->node, free_thing);
		task_leave(me);
		fixture_close(&f);
	}
	assert_int_equal(freed, 15);
}

/* ---- readers and writers at once */

struct published {
	struct fixture *f;
	struct mutex lock;
	struct thing *_Atomic things[4];	/* written under lock, read inside an epoch */
	_Atomic int made, freed, wrong;
	_Atomic bool stop;
};

static void replace_often(void *arg)
{
	struct published *p = arg;

	/* A reader that is not running keeps everything alive: go on until something was freed. */
	for (uint64_t i = 0; i < 2000 || !p->freed; i++) {
		struct thing *new = make_thing(p->f, i, &p->freed), *old;
		guard(&p->lock);

		atomic_fetch_add(&p->made, 1);
		old = atomic_exchange_explicit(&p->things[i % 4], new, memory_order_acq_rel);
		if (old)
			epoch_retire(&old->node, free_thing);
		task_yield();
	}
}

static void look_often(void *arg)
{
	struct published *p = arg;

	for (uint64_t i = 0; !p->stop; i++) {
		const struct thing *t;
		guard_epoch();

		t = atomic_load_explicit(&p->things[i % 4], memory_order_acquire);
		sched_step();
		if (t && t->a != t->b)
			p->wrong++;
		task_yield();
	}
}

static void readers_see_only_what_lives(struct fixture *f)
{
	struct published p = { .f = f };
	struct task *readers[3], *writers[2], *me;

	mutex_init(&p.lock, RANK_INODE);
	for (int i = 0; i < 3; i++)
		readers[i] = spawn(f, "reader", look_often, &p);
	for (int i = 0; i < 2; i++)
		writers[i] = spawn(f, "writer", replace_often, &p);
	for (int i = 0; i < 2; i++)
		task_join(writers[i]);
	p.stop = true;
	for (int i = 0; i < 3; i++)
		task_join(readers[i]);
	assert_int_equal(p.wrong, 0);
	assert_true(p.freed > 0 && p.freed <= p.made - 4);
	me = enter(f);
	epoch_reclaim();
	assert_int_equal(p.freed, p.made - 4);
	task_leave(me);
	for (int i = 0; i < 4; i++)
		arena_free(f->arena, p.things[i]);
	mutex_fini(&p.lock);
}

#ifdef EXTANT_SLOW_ASSERTS
static struct mutex any;		/* of the child process */

static void free_and_lock(struct epoch_node *node)
{
	mutex_lock(&any);
}

static void retire_what_locks(void)
{
	struct fixture f;
	struct epoch_node node;

	fixture_open(&f, SCHED_THREADED, 0);
	mutex_init(&any, RANK_TRACE);
	enter(&f);
	epoch_retire(&node, free_and_lock);
	epoch_reclaim();
}

static void a_callback_that_locks_stops(void **state)
{
	char said[2048];

	must_abort(retire_what_locks, said, sizeof(said));
	assert_non_null(strstr(said, "RANK_TRACE is taken while RANK_ARENA is held"));
}
#endif

static void readers(void **state)
{
	in_all_modes(what_a_reader_sees_stays);
	in_all_modes(draining_waits_for_readers);
	in_all_modes(epochs_nest);
	in_all_modes(a_later_reader_holds_up_nothing);
	in_all_modes(readers_see_only_what_lives);
}

static void reclaiming(void **state)
{
	in_all_modes(the_retired_is_freed_on_the_way);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers),
		cmocka_unit_test(reclaiming),
		cmocka_unit_test(nothing_is_left_at_the_end),
#ifdef EXTANT_SLOW_ASSERTS
		cmocka_unit_test(a_callback_that_locks_stops),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
