/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locks: they exclude, in every mode and outside of tasks; coroutines get them in the order they
 * came; a writer is not overtaken by later readers; breaking the order of ranks stops with both
 * names.
 */
#include "base/sync_test.h"

/* Several tasks work on this; what they do is noted in `text`. */
struct scene {
	struct fixture *f;
	struct mutex mutex;
	struct rwlock rwlock;
	char text[64];
	size_t len;
};

static void scene_init(struct scene *s, struct fixture *f)
{
	*s = (struct scene){ .f = f };
	mutex_init(&s->mutex, RANK_INODE);
	rwlock_init(&s->rwlock, RANK_MAP);
}

static void scene_fini(struct scene *s)
{
	mutex_fini(&s->mutex);
	rwlock_fini(&s->rwlock);
}

static void note(struct scene *s, char letter)
{
	s->text[s->len++] = letter;
}

struct actor {
	struct scene *scene;
	char letter;
	bool failed;
	_Atomic bool holds, may_let_go;
	uint64_t waits_before;
};

/* Runs `fn` as tasks a, b, c, ... until all have ended. */
static void play(struct scene *s, void (*const fns[])(void *arg), int count)
{
	struct actor actors[8];
	struct task *tasks[8];

	for (int i = 0; i < count; i++) {
		actors[i] = (struct actor){ .scene = s, .letter = (char)('a' + i) };
		tasks[i] = spawn(s->f, "actor", fns[i], &actors[i]);
	}
	for (int i = 0; i < count; i++) {
		task_join(tasks[i]);
		assert_false(actors[i].failed);
	}
}

/* ---- exclusion */

struct shared {
	struct rwlock lock;
	uint64_t a, b;			/* equal whenever nobody writes */
	_Atomic bool torn;
};

static void write_often(void *arg)
{
	struct shared *s = arg;

	for (int i = 0; i < 300; i++) {
		guard_write(&s->lock);
		rwlock_assert_written(&s->lock);
		s->a++;
		task_yield();
		s->b++;
	}
}

static void read_often(void *arg)
{
	struct shared *s = arg;

	for (int i = 0; i < 300; i++) {
		guard_read(&s->lock);
		if (s->a != s->b)
			s->torn = true;
		task_yield();
		if (s->a != s->b)
			s->torn = true;
	}
}

static void readers_never_see_half_a_write(struct fixture *f)
{
	struct shared s = { .a = 0 };
	struct task *tasks[4];

	rwlock_init(&s.lock, RANK_MAP);
	for (int i = 0; i < 4; i++)
		tasks[i] = spawn(f, "task", i % 2 ? write_often : read_often, &s);
	for (int i = 0; i < 4; i++)
		task_join(tasks[i]);
	assert_false(s.torn);
	assert_int_equal(s.a, 600);
	rwlock_fini(&s.lock);
}

static uint64_t lock_waits(const struct sched *s)
{
	struct sched_stats stats;

	sched_get_stats(s, &stats);
	return stats.lock_waits;
}

/* Until somebody says so or waits for one of them. */
static void hold_both_and_wait(void *arg)
{
	struct actor *a = arg;
	guard(&a->scene->mutex);
	guard_write(&a->scene->rwlock);

	mutex_assert_held(&a->scene->mutex);
	a->holds = true;
	while (!a->may_let_go && lock_waits(task_current()->sched) == a->waits_before)
		task_sleep(NSEC_PER_MSEC);
}

static void trylock_says_no(struct fixture *f)
{
	struct scene s;
	struct actor holder = { .scene = &s };
	struct task *me, *t;

	scene_init(&s, f);
	me = enter(f);
	t = spawn(f, "holder", hold_both_and_wait, &holder);
	while (!holder.holds)
		task_sleep(NSEC_PER_MSEC);
	assert_false(mutex_trylock(&s.mutex));
	assert_false(rwlock_tryread(&s.rwlock));
	assert_false(rwlock_trywrite(&s.rwlock));
	holder.may_let_go = true;
	task_join(t);
	assert_true(mutex_trylock(&s.mutex));
	assert_true(rwlock_tryread(&s.rwlock));
	assert_false(rwlock_trywrite(&s.rwlock));
	rwlock_unread(&s.rwlock);
	assert_true(rwlock_trywrite(&s.rwlock));
	rwlock_unwrite(&s.rwlock);
	mutex_unlock(&s.mutex);
	task_leave(me);
	scene_fini(&s);
}

static void outside_of_tasks_locks_work(void **state)
{
	struct scene s;

	scene_init(&s, NULL);
	mutex_lock(&s.mutex);
	mutex_assert_held(&s.mutex);
	assert_false(mutex_trylock(&s.mutex));
	mutex_unlock(&s.mutex);
	rwlock_read(&s.rwlock);
	rwlock_unread(&s.rwlock);
	rwlock_write(&s.rwlock);
	rwlock_unwrite(&s.rwlock);
	scene_fini(&s);
}

static void waits_are_counted(struct fixture *f)
{
	struct scene s;
	struct actor holder = { .scene = &s };
	struct sched_stats stats;
	struct task *me, *t;

	scene_init(&s, f);
	me = enter(f);
	t = spawn(f, "holder", hold_both_and_wait, &holder);
	while (!holder.holds)
		task_sleep(NSEC_PER_MSEC);
	mutex_lock(&s.mutex);
	mutex_unlock(&s.mutex);
	task_join(t);
	task_leave(me);
	sched_get_stats(f->sched, &stats);
	assert_int_equal(stats.lock_waits, sched_mode(f->sched) == SCHED_INLINE ||
		sched_mode(f->sched) == SCHED_THREADED ? 1 : stats.lock_waits);
	assert_true(stats.sleeps >= 1);
	scene_fini(&s);
}

static void exclusion(void **state)
{
	in_all_modes(readers_never_see_half_a_write);
	in_all_modes(trylock_says_no);
	in_all_modes(waits_are_counted);
}

/* ---- the order of coroutines */

static void lock_note_twice(void *arg)
{
	struct actor *a = arg;

	for (int i = 0; i < 2; i++) {
		guard(&a->scene->mutex);
		note(a->scene, a->letter);
		task_yield();		/* the others come to the lock and wait in line */
	}
}

static void read_note(void *arg)
{
	struct actor *a = arg;
	guard_read(&a->scene->rwlock);

	note(a->scene, a->letter);
	task_yield();
}

static void write_note(void *arg)
{
	struct actor *a = arg;
	guard_write(&a->scene->rwlock);

	note(a->scene, (char)(a->letter - 'a' + 'A'));
	task_yield();
}

static void read_when_a_writer_waits(void *arg)
{
	struct actor *a = arg;

	a->failed = rwlock_tryread(&a->scene->rwlock);
	read_note(arg);
}

/* What tasks a, b, c, ... do, and the order they get through in; writers in capitals. */
static const struct {
	void (*fns[5])(void *arg);
	const char *order;
} lines[] = {
	{ { lock_note_twice, lock_note_twice }, "abab" },
	{ { lock_note_twice, lock_note_twice, lock_note_twice }, "abcabc" },
	{ { read_note, read_note, read_note }, "abc" },
	{ { read_note, write_note, read_note }, "aBc" },
	{ { write_note, read_note, read_note, write_note, read_note }, "AbcDe" },
	{ { read_note, write_note, read_when_a_writer_waits }, "aBc" },
	{ { write_note, write_note, read_note }, "ABc" },
};

static void who_comes_first_goes_first(void **state)
{
	for (size_t i = 0; i < array_size(lines); i++) {
		struct fixture f;
		struct scene s;
		int count = 0;

		while (count < 5 && lines[i].fns[count])
			count++;
		fixture_open(&f, SCHED_INLINE, 0);
		scene_init(&s, &f);
		play(&s, lines[i].fns, count);
		assert_string_equal(s.text, lines[i].order);
		scene_fini(&s);
		fixture_close(&f);
	}
}

static void seeds_try_other_orders(void **state)
{
	void (*const fns[])(void *arg) = { lock_note_twice, lock_note_twice, lock_note_twice };
	int same = 0;

	for (uint64_t seed = 0; seed < 20; seed++) {
		struct fixture f;
		struct scene s;

		fixture_open(&f, SCHED_SEEDED, seed);
		scene_init(&s, &f);
		play(&s, fns, 3);
		assert_int_equal(s.len, 6);
		same += strcmp(s.text, "abcabc") == 0;
		scene_fini(&s);
		fixture_close(&f);
	}
	assert_true(same < 10);
}

/* ---- ranks */

#ifdef EXTANT_SLOW_ASSERTS

static void in_a_task(enum sched_mode mode, void (*steps)(struct mutex *low, struct mutex *high))
{
	struct mutex low, high;
	struct fixture f;
	struct task *t;

	fixture_open(&f, mode, 0);
	mutex_init(&low, RANK_INODE);
	mutex_init(&high, RANK_GROUP);
	t = enter(&f);
	steps(&low, &high);
	task_leave(t);
	mutex_fini(&low);
	mutex_fini(&high);
	fixture_close(&f);
}

static void downwards(struct mutex *low, struct mutex *high)
{
	mutex_lock(high);
	mutex_lock(low);
}

static void equal_without_saying_so(struct mutex *low, struct mutex *high)
{
	struct mutex other;

	mutex_init(&other, RANK_INODE);
	mutex_lock(low);
	mutex_lock(&other);
}

static void under_a_trylock(struct mutex *low, struct mutex *high)
{
	struct mutex between;

	mutex_init(&between, RANK_MAP);
	mutex_lock(high);
	if (mutex_trylock(low))
		mutex_lock(&between);
}

static void reading_downwards(struct mutex *low, struct mutex *high)
{
	struct rwlock l;

	rwlock_init(&l, RANK_MAP);
	mutex_lock(high);
	rwlock_read(&l);
}

static void with_a_handle(struct mutex *low, struct mutex *high)
{
	lock_rank_hold(RANK_HANDLE, high);
	mutex_lock(low);
}

static void assert_below(struct mutex *low, struct mutex *high)
{
	mutex_lock(high);
	lock_rank_assert_below(RANK_HANDLE);
}

static void over_io(struct mutex *low, struct mutex *high)
{
	mutex_lock(low);
	lock_rank_assert_io();		/* an inode may wait for a device, a group may not */
	mutex_lock(high);
	lock_rank_assert_io();
}

static void left_locked(struct mutex *low, struct mutex *high)
{
	mutex_lock(low);
}

static void unlocked_by_another(struct mutex *low, struct mutex *high)
{
	mutex_unlock(low);
}

static void not_held(struct mutex *low, struct mutex *high)
{
	mutex_assert_held(low);
}

static const struct {
	void (*steps)(struct mutex *low, struct mutex *high);
	const char *said;
} violations[] = {
	{ downwards, "RANK_INODE is taken while RANK_GROUP is held" },
	{ equal_without_saying_so, "RANK_INODE is taken while RANK_INODE is held" },
	{ under_a_trylock, "RANK_MAP is taken while RANK_GROUP is held" },
	{ reading_downwards, "RANK_MAP is taken while RANK_GROUP is held" },
	{ with_a_handle, "RANK_INODE is taken while RANK_HANDLE is held" },
	{ assert_below, "RANK_HANDLE is taken while RANK_GROUP is held" },
	{ over_io, "a device is waited for while RANK_GROUP is held" },
	{ left_locked, "a task is ended while RANK_INODE is held" },
	{ unlocked_by_another, "mutex_owner" },
	{ not_held, "mutex_owner" },
};
static size_t violation;		/* which of them the child process commits */
static enum sched_mode violation_mode;

static void violate(void)
{
	in_a_task(violation_mode, violations[violation].steps);
}

static void violations_stop_with_both_names(void **state)
{
	char said[2048];

	for (int mode = SCHED_THREADED; mode <= SCHED_SEEDED; mode++) {
		for (size_t i = 0; i < array_size(violations); i++) {
			violation = i;
			violation_mode = (enum sched_mode)mode;
			must_abort(violate, said, sizeof(said));
			if (!strstr(said, violations[i].said))
				fail_msg("case %zu: %s", i, said);
		}
	}
}

static void in_order(struct mutex *low, struct mutex *high)
{
	struct mutex other;

	mutex_init(&other, RANK_INODE);
	mutex_lock(low);
	mutex_lock_equal(&other);
	lock_rank_hold(RANK_HANDLE, &other);
	lock_rank_hold_equal(RANK_HANDLE, low);
	mutex_lock(high);
	mutex_unlock(low);		/* in any order */
	lock_rank_release(&other);
	lock_rank_release(low);
	lock_rank_assert_below(RANK_RESERVE);
	mutex_unlock(high);
	mutex_unlock(&other);
	mutex_lock(low);
	mutex_unlock(low);
	mutex_fini(&other);
}

static void trylock_in_any_order(struct mutex *low, struct mutex *high)
{
	mutex_lock(high);
	assert_true(mutex_trylock(low));
	mutex_unlock(high);
	mutex_unlock(low);
}

static void what_is_in_order_passes(void **state)
{
	for (int mode = SCHED_THREADED; mode <= SCHED_SEEDED; mode++) {
		in_a_task((enum sched_mode)mode, in_order);
		in_a_task((enum sched_mode)mode, trylock_in_any_order);
	}
}

#endif

static void ranks_have_their_names(void **state)
{
	assert_string_equal(lock_rank_name(RANK_NONE), "RANK_NONE");
	assert_string_equal(lock_rank_name(RANK_MOUNT), "RANK_MOUNT");
	assert_string_equal(lock_rank_name(RANK_ARENA), "RANK_ARENA");
	assert_string_equal(lock_rank_name(RANK_COUNT), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exclusion),
		cmocka_unit_test(outside_of_tasks_locks_work),
		cmocka_unit_test(who_comes_first_goes_first),
		cmocka_unit_test(seeds_try_other_orders),
		cmocka_unit_test(ranks_have_their_names),
#ifdef EXTANT_SLOW_ASSERTS
		cmocka_unit_test(violations_stop_with_both_names),
		cmocka_unit_test(what_is_in_order_passes),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
