/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting: nothing that happens under the mutex goes unnoticed, who sleeps first wakes first,
 * deadlines come on time, a deadlock is found and tells who waits for what.
 */
#include "base/sync_test.h"

/* ---- a queue of numbers between tasks */

struct pipe_of_numbers {
	struct mutex lock;
	struct waitq not_full, not_empty;
	int slots[4];
	int count, first;
	_Atomic int64_t sum;
};

enum { NUMBERS = 500 };

static void pipe_init(struct pipe_of_numbers *p)
{
	*p = (struct pipe_of_numbers){ .count = 0 };
	mutex_init(&p->lock, RANK_JOURNAL);
	waitq_init(&p->not_full);
	waitq_init(&p->not_empty);
}

static void pipe_fini(struct pipe_of_numbers *p)
{
	waitq_fini(&p->not_full);
	waitq_fini(&p->not_empty);
	mutex_fini(&p->lock);
}

static void produce(void *arg)
{
	struct pipe_of_numbers *p = arg;

	for (int i = 1; i <= NUMBERS; i++) {
		mutex_lock(&p->lock);
		wait_event(&p->not_full, &p->lock, p->count < 4);
		p->slots[(p->first + p->count++) % 4] = i;
		mutex_unlock(&p->lock);
		waitq_wake_one(&p->not_empty);	/* having let go: that may not lose anybody */
	}
}

static void consume(void *arg)
{
	struct pipe_of_numbers *p = arg;

	for (int i = 1; i <= NUMBERS; i++) {
		guard(&p->lock);
		wait_event(&p->not_empty, &p->lock, p->count > 0);
		p->sum += p->slots[p->first];
		p->first = (p->first + 1) % 4;
		p->count--;
		waitq_wake_one(&p->not_full);
	}
}

static void nothing_is_lost(struct fixture *f)
{
	struct pipe_of_numbers p;
	struct task *tasks[6];

	pipe_init(&p);
	for (int i = 0; i < 6; i++)
		tasks[i] = spawn(f, "task", i % 2 ? produce : consume, &p);
	for (int i = 0; i < 6; i++)
		task_join(tasks[i]);
	assert_int_equal(p.sum, 3 * NUMBERS * (NUMBERS + 1) / 2);
	pipe_fini(&p);
}

/* ---- order and deadlines */

struct room {
	struct mutex lock;
	struct waitq q;
	bool open;
	char text[16];
	size_t len;
};

static void room_init(struct room *r)
{
	*r = (struct room){ .open = false };
	mutex_init(&r->lock, RANK_JOURNAL);
	waitq_init(&r->q);
}

static void room_fini(struct room *r)
{
	waitq_fini(&r->q);
	mutex_fini(&r->lock);
}

struct guest {
	struct room *room;
	char letter;
};

static void sleep_once(void *arg)
{
	struct guest *g = arg;
	guard(&g->room->lock);

	(void)waitq_sleep(&g->room->q, &g->room->lock, CLOCK_NEVER, "a turn");
	g->room->text[g->room->len++] = g->letter;
}

static void first_to_sleep_first_to_wake(void **state)
{
	struct guest g[3];
	struct task *tasks[3];
	struct fixture f;
	struct room r;

	fixture_open(&f, SCHED_INLINE, 0);
	room_init(&r);
	for (int i = 0; i < 3; i++) {
		g[i] = (struct guest){ &r, (char)('a' + i) };
		tasks[i] = spawn(&f, "guest", sleep_once, &g[i]);
	}
	sched_settle(f.sched);
	waitq_wake_one(&r.q);
	sched_settle(f.sched);
	assert_string_equal(r.text, "a");
	waitq_wake_all(&r.q);
	sched_settle(f.sched);
	assert_string_equal(r.text, "abc");
	for (int i = 0; i < 3; i++)
		task_join(tasks[i]);
	room_fini(&r);
	fixture_close(&f);
}

static void open_later(void *arg)
{
	struct room *r = arg;

	task_sleep(10 * NSEC_PER_MSEC);
	guard(&r->lock);
	r->open = true;
	waitq_wake_all(&r->q);
}

static bool wait_until_open(struct fixture *f, struct room *r, int64_t timeout_ms)
{
	int64_t deadline = clock_monotonic(&f->clock) + timeout_ms * NSEC_PER_MSEC;
	guard(&r->lock);

	return wait_event_until(&r->q, &r->lock, r->open, deadline);
}

static void deadlines_come(struct fixture *f)
{
	int64_t before = clock_monotonic(&f->clock);
	struct task *me = enter(f);
	struct room r;

	room_init(&r);
	assert_false(wait_until_open(f, &r, 15));
	if (f->clock.is_virtual)
		assert_int_equal(clock_monotonic(&f->clock) - before, 15 * NSEC_PER_MSEC);
	else
		assert_true(clock_monotonic(&f->clock) - before >= 15 * NSEC_PER_MSEC);
	assert_false(wait_until_open(f, &r, -1));
	task_leave(me);
	room_fini(&r);
}

static void who_is_woken_before_goes_on_at_once(struct fixture *f)
{
	int64_t before = clock_monotonic(&f->clock);
	struct task *me = enter(f), *t;
	struct room r;

	room_init(&r);
	t = spawn(f, "opener", open_later, &r);
	assert_true(wait_until_open(f, &r, 3600 * 1000));
	assert_true(clock_monotonic(&f->clock) - before < 3600 * NSEC_PER_SEC);
	if (f->clock.is_virtual)
		assert_int_equal(clock_monotonic(&f->clock) - before, 10 * NSEC_PER_MSEC);
	task_join(t);
	task_leave(me);
	room_fini(&r);
}

struct sleeper {
	struct room *room;
	int64_t ns;
	char letter;
};

static void sleep_and_note(void *arg)
{
	struct sleeper *s = arg;

	task_sleep(s->ns);
	s->room->text[s->room->len++] = s->letter;
}

static void the_earliest_deadline_is_first(void **state)
{
	struct sleeper s[] = {
		{ NULL, 300, 'c' },
		{ NULL, 100, 'a' },
		{ NULL, 300, 'd' },
		{ NULL, 200, 'b' },
	};
	struct task *tasks[4];
	struct fixture f;
	struct room r;

	fixture_open(&f, SCHED_INLINE, 0);
	room_init(&r);
	for (int i = 0; i < 4; i++) {
		s[i].room = &r;
		tasks[i] = spawn(&f, "sleeper", sleep_and_note, &s[i]);
	}
	for (int i = 0; i < 4; i++)
		task_join(tasks[i]);
	assert_string_equal(r.text, "abcd");
	assert_int_equal(clock_monotonic(&f.clock), 300);
	room_fini(&r);
	fixture_close(&f);
}

static void settling_moves_no_time(void **state)
{
	struct sleeper s = { NULL, 100, 'a' };
	struct fixture f;
	struct task *t;
	struct room r;

	fixture_open(&f, SCHED_INLINE, 0);
	room_init(&r);
	s.room = &r;
	t = spawn(&f, "sleeper", sleep_and_note, &s);
	sched_settle(f.sched);
	assert_int_equal(r.len, 0);
	clock_advance_to(&f.clock, 100);	/* whoever runs the scheduler may move the clock */
	sched_settle(f.sched);
	assert_int_equal(r.len, 1);
	task_join(t);
	room_fini(&r);
	fixture_close(&f);
}

static void waiting(void **state)
{
	in_all_modes(nothing_is_lost);
	in_all_modes(deadlines_come);
	in_all_modes(who_is_woken_before_goes_on_at_once);
}

/* ---- mistakes */

struct deadlock {
	struct mutex a, b;
	struct room room;
};

static void hold_a_want_b(void *arg)
{
	struct deadlock *d = arg;

	mutex_lock(&d->a);
	task_yield();
	mutex_lock_equal(&d->b);
}

static void hold_b_want_a(void *arg)
{
	struct deadlock *d = arg;

	mutex_lock(&d->b);
	task_yield();
	mutex_lock_equal(&d->a);
}

static void wait_for_nothing(void *arg)
{
	struct deadlock *d = arg;

	mutex_lock(&d->room.lock);
	wait_event(&d->room.q, &d->room.lock, d->room.open);
}

static void run_into_a_deadlock(void)
{
	struct deadlock d;
	struct fixture f;

	fixture_open(&f, SCHED_INLINE, 0);
	mutex_init(&d.a, RANK_INODE);
	mutex_init(&d.b, RANK_INODE);
	room_init(&d.room);
	spawn(&f, "waiter", wait_for_nothing, &d);
	spawn(&f, "left", hold_a_want_b, &d);
	task_join(spawn(&f, "right", hold_b_want_a, &d));
}

static void a_deadlock_tells_who_waits_for_what(void **state)
{
	char said[4096];

	must_abort(run_into_a_deadlock, said, sizeof(said));
	assert_non_null(strstr(said, "waiter-1 waits for d->room.open"));
	assert_non_null(strstr(said, "left-2 waits for lock RANK_INODE, which right-3 holds"));
	assert_non_null(strstr(said, "right-3 waits for lock RANK_INODE, which left-2 holds"));
	assert_non_null(strstr(said, "visitor-4 waits for the end of a task"));
	assert_non_null(strstr(said, "assertion failed: deadlock"));
}

#ifdef EXTANT_SLOW_ASSERTS
static void sleep_with_a_higher_lock(void)
{
	struct mutex higher;
	struct fixture f;
	struct task *t;
	struct room r;

	fixture_open(&f, SCHED_INLINE, 0);
	room_init(&r);
	mutex_init(&higher, RANK_DEVICE);
	t = enter(&f);
	mutex_lock(&r.lock);
	mutex_lock(&higher);
	(void)waitq_sleep(&r.q, &r.lock, 10, "trouble");
	task_leave(t);
}

static void sleeping_with_a_higher_lock_stops(void **state)
{
	char said[2048];

	must_abort(sleep_with_a_higher_lock, said, sizeof(said));
	assert_non_null(strstr(said, "RANK_JOURNAL is waited in while RANK_DEVICE is held"));
}
#endif

static void sleep_inside_an_epoch(void)
{
	struct fixture f;

	fixture_open(&f, SCHED_THREADED, 0);
	enter(&f);
	epoch_enter();
	task_sleep(1);
}

static void sleeping_inside_an_epoch_stops(void **state)
{
	char said[2048];

	must_abort(sleep_inside_an_epoch, said, sizeof(said));
	assert_non_null(strstr(said, "epoch_depth"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waiting),
		cmocka_unit_test(first_to_sleep_first_to_wake),
		cmocka_unit_test(the_earliest_deadline_is_first),
		cmocka_unit_test(settling_moves_no_time),
		cmocka_unit_test(a_deadlock_tells_who_waits_for_what),
		cmocka_unit_test(sleeping_inside_an_epoch_stops),
#ifdef EXTANT_SLOW_ASSERTS
		cmocka_unit_test(sleeping_with_a_higher_lock_stops),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
