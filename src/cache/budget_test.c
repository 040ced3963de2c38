/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The budget: what is charged is counted; above the soft limit the shrinkers are asked in turn, in
 * batches, and not again and again when they have nothing; above the hard limit tasks wait until
 * memory is free or clean, the flusher's task never, and nobody for ever. In all modes.
 */
#include "base/sync_test.h"
#include "cache/budget.h"

#define KIB 1024u
#define LIMIT (1024 * KIB)
#define SOFT (LIMIT / 8 * 7)

/* Clean and dirty bytes that can be given back. */
struct store {
	struct budget *b;
	struct shrinker s;
	_Atomic size_t clean, dirty;
	int calls;
};

static size_t store_shrink(void *arg, size_t want)
{
	struct store *s = arg;
	size_t freed = min(want, (size_t)s->clean);	/* reclaim is one task at a time */

	s->calls++;
	s->clean -= freed;
	budget_uncharge(s->b, freed);
	return freed;
}

static void store_init(struct store *s, struct budget *b)
{
	*s = (struct store){ .b = b, .s = { .name = "store", .shrink = store_shrink, .arg = s } };
	budget_add_shrinker(b, &s->s);
}

static void store_put(struct store *s, size_t clean, size_t dirty)
{
	s->clean += clean;
	s->dirty += dirty;
	budget_charge(s->b, clean + dirty);
}

static void store_clean(struct store *s)
{
	s->clean += atomic_exchange(&s->dirty, 0);
	budget_cleaned(s->b);
}

static void store_fini(struct store *s)
{
	budget_uncharge(s->b, s->clean + s->dirty);
	budget_remove_shrinker(s->b, &s->s);
}

static struct budget *open_budget(struct fixture *f)
{
	struct budget *b;

	assert_int_equal(budget_create(f->arena, LIMIT, &b), 0);
	assert_int_equal(budget_limit(b), LIMIT);
	return b;
}

static void run_reclaim(struct fixture *f)
{
	struct task *self = enter(f);
	struct budget *b = open_budget(f);
	struct store first, second;

	store_init(&first, b);
	store_init(&second, b);
	store_put(&first, 100 * KIB, 0);
	store_put(&second, SOFT - 100 * KIB, 0);
	budget_throttle(b);
	assert_false(budget_is_short(b));
	assert_int_equal(budget_used(b), SOFT);
	assert_int_equal(first.calls, 0);

	store_put(&second, 1, 0);
	assert_true(budget_is_short(b));
	budget_throttle(b);
	assert_int_equal(first.calls, 1);
	assert_int_equal(second.calls, 0);
	assert_true(budget_used(b) < SOFT);		/* by a batch */
	store_put(&first, SOFT - budget_used(b) + 1, 0);
	budget_throttle(b);
	assert_int_equal(first.calls, 1);
	assert_int_equal(second.calls, 1);		/* each in its turn */
	store_put(&first, LIMIT, 0);
	budget_reclaim(b);
	assert_true(budget_used(b) < SOFT);
	store_fini(&first);
	store_fini(&second);
	assert_int_equal(budget_used(b), 0);
	budget_destroy(b);
	task_leave(self);
}

static void above_the_soft_limit_clean_things_go(void **state)
{
	in_all_modes(run_reclaim);
}

/* It frees little itself, but the store's dirty bytes are clean then. */
struct keeper {
	struct shrinker s;
	struct store *store;
};

static size_t keeper_shrink(void *arg, size_t want)
{
	struct keeper *k = arg;

	k->store->clean += atomic_exchange(&k->store->dirty, 0);
	return 1;
}

static void run_rounds(struct fixture *f)
{
	struct task *self = enter(f);
	struct budget *b = open_budget(f);
	struct store s;
	struct keeper k = { { .name = "keeper", .shrink = keeper_shrink, .arg = &k }, &s };

	store_init(&s, b);
	budget_add_shrinker(b, &k.s);
	store_put(&s, 0, LIMIT);
	budget_reclaim(b);
	assert_false(budget_is_short(b));
	budget_remove_shrinker(b, &k.s);
	store_fini(&s);
	budget_destroy(b);
	task_leave(self);
}

static void what_one_lets_go_another_frees(void **state)
{
	in_all_modes(run_rounds);
}

static void run_fruitless(struct fixture *f)
{
	struct task *self = enter(f);
	struct budget *b = open_budget(f);
	struct store s;

	store_init(&s, b);
	store_put(&s, 0, SOFT + 1);
	for (int i = 0; i < 1000; i++)
		budget_throttle(b);
	assert_int_equal(s.calls, 1);
	for (int i = 0; i < 1000; i++) {
		store_put(&s, 0, (LIMIT - SOFT) / 1000);
		budget_throttle(b);
	}
	assert_true(s.calls <= 10);
	store_clean(&s);
	budget_reclaim(b);
	assert_false(budget_is_short(b));
	store_fini(&s);
	budget_destroy(b);
	task_leave(self);
}

static void a_fruitless_reclaim_is_not_repeated_at_once(void **state)
{
	in_all_modes(run_fruitless);
}

/* ---- throttling */

struct flushed {
	struct fixture *f;
	struct store *store;
	_Atomic int pressures;
	_Atomic bool stop;
	struct mutex lock;
	struct waitq wanted;
	bool is_wanted;
};

static void want_flush(void *arg)
{
	struct flushed *fl = arg;

	fl->pressures++;
	guard(&fl->lock);
	fl->is_wanted = true;
	waitq_wake_all(&fl->wanted);
}

static void flusher(void *arg)
{
	struct flushed *fl = arg;

	task_current()->flags |= TASK_WRITEBACK;
	for (;;) {
		mutex_lock(&fl->lock);
		wait_event(&fl->wanted, &fl->lock, fl->is_wanted || fl->stop);
		fl->is_wanted = false;
		mutex_unlock(&fl->lock);
		if (fl->stop)
			return;
		budget_throttle(fl->store->b);		/* passes */
		task_sleep(NSEC_PER_MSEC);
		store_clean(fl->store);
	}
}

static void writer(void *arg)
{
	struct flushed *fl = arg;

	for (int i = 0; i < 500; i++) {
		budget_throttle(fl->store->b);
		ensure(budget_used(fl->store->b) <= LIMIT + 4 * 8 * KIB);
		store_put(fl->store, 0, 8 * KIB);
	}
}

static void run_throttle(struct fixture *f)
{
	struct task *self = enter(f), *flush, *writers[4];
	struct budget *b = open_budget(f);
	struct store s;
	struct flushed fl = { .f = f, .store = &s };
	int64_t began;

	store_init(&s, b);
	mutex_init(&fl.lock, RANK_WRITEBACK);
	waitq_init(&fl.wanted);
	budget_on_pressure(b, want_flush, &fl);
	began = clock_monotonic(&f->clock);
	flush = spawn(f, "flush", flusher, &fl);
	for (size_t i = 0; i < array_size(writers); i++)
		writers[i] = spawn(f, "writer", writer, &fl);
	for (size_t i = 0; i < array_size(writers); i++)
		task_join(writers[i]);
	fl.stop = true;
	want_flush(&fl);
	task_join(flush);
	assert_true(fl.pressures > 1);
	if (sched_mode(f->sched) != SCHED_THREADED)	/* nobody slept out a pause */
		assert_true(clock_monotonic(&f->clock) - began < NSEC_PER_SEC);
	store_fini(&s);
	assert_int_equal(budget_used(b), 0);
	waitq_fini(&fl.wanted);
	mutex_fini(&fl.lock);
	budget_destroy(b);
	task_leave(self);
}

static void writers_wait_for_the_flusher(void **state)
{
	in_all_modes(run_throttle);
}

static void note_pressure(void *arg)
{
	++*(int *)arg;
}

static void uncharge_later(void *arg)
{
	task_sleep(3 * NSEC_PER_MSEC);
	budget_uncharge(arg, LIMIT);
}

static void run_wake(struct fixture *f)
{
	struct task *self = enter(f), *other;
	struct budget *b = open_budget(f);
	int pressures = 0;
	int64_t began = clock_monotonic(&f->clock);

	budget_charge(b, LIMIT + 1);
	budget_on_pressure(b, note_pressure, &pressures);
	other = spawn(f, "other", uncharge_later, b);
	budget_throttle(b);
	assert_int_equal(budget_used(b), 1);
	if (sched_mode(f->sched) != SCHED_THREADED)
		assert_int_equal(clock_monotonic(&f->clock) - began, 3 * NSEC_PER_MSEC);
	task_join(other);
	budget_uncharge(b, 1);
	budget_destroy(b);
	task_leave(self);
}

static void memory_that_is_freed_wakes_who_waits(void **state)
{
	in_all_modes(run_wake);
}

static void run_patience(struct fixture *f)
{
	struct task *self = enter(f);
	struct budget *b = open_budget(f);
	int pressures = 0;
	int64_t began;

	budget_charge(b, 2 * LIMIT);
	budget_throttle(b);			/* nobody can help: no waiting */
	if (sched_mode(f->sched) != SCHED_THREADED) {
		budget_on_pressure(b, note_pressure, &pressures);
		began = clock_monotonic(&f->clock);
		budget_throttle(b);
		assert_true(pressures > 1);
		assert_int_equal(clock_monotonic(&f->clock) - began, BUDGET_PATIENCE_NS);
	}
	budget_uncharge(b, 2 * LIMIT);
	budget_destroy(b);
	task_leave(self);
}

static void nobody_waits_for_ever(void **state)
{
	in_all_modes(run_patience);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(above_the_soft_limit_clean_things_go),
		cmocka_unit_test(what_one_lets_go_another_frees),
		cmocka_unit_test(a_fruitless_reclaim_is_not_repeated_at_once),
		cmocka_unit_test(writers_wait_for_the_flusher),
		cmocka_unit_test(memory_that_is_freed_wakes_who_waits),
		cmocka_unit_test(nobody_waits_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
