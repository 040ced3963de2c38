/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many at once: tasks that change, sync, free and allocate, with a flusher, memory that is short and a
 * small log. Threads for the thread sanitizer; seeds that each end without deadlock and leave what the
 * operations made; a seed that repeats bit for bit.
 *
 * Argument: how many seeds.
 */
#include "jbd2/rig.h"

#include "base/csum.h"

static uint64_t seeds = 150;

static const struct toy_shape small = { .block_size = 1024, .log_blocks = 120, .csum = JOURNAL_CSUM_V3 };

enum { TASKS = 4 };

struct worker {
	struct rig *r;
	uint64_t seed;
	int operations;
};

static uint32_t operations_done(struct rig *r)
{
	guard(&r->t.lock);
	return r->model->ops;
}

/* A handle that takes access, and then changes its mind. */
static void touch_nothing(struct rig *r, struct random *random)
{
	uint64_t block = TOY_COUNTERS + random_below(random, TOY_COUNTER_COUNT);
	autobuffer b = NULL;
	struct handle *h;

	must(buffer_read(r->t.buffers, block, NULL, NULL, &b));
	must(jbd2__journal_start(r->t.journal, 2, 0, 1, 1, &h));
	must(jbd2_journal_get_write_access(h, b));
	must(jbd2_journal_stop(h));
	(void)jbd2_journal_try_to_free(r->t.journal, b);
}

static void restart_once(struct rig *r)
{
	struct handle *h;

	must(jbd2__journal_start(r->t.journal, 2, 1, 1, 1, &h));
	if (jbd2_journal_extend(h, 3))
		must(jbd2_journal_restart(h, 4));
	must(jbd2_journal_stop(h));
}

static void something_else(struct rig *r, struct random *random)
{
	tid_t tid;

	switch (random_below(random, 24)) {
	case 0 ... 3:
		must(toy_sync(&r->t, operations_done(r)));
		break;
	case 4:
		touch_nothing(r, random);
		break;
	case 5:
		restart_once(r);
		break;
	case 6:
		(void)jbd2_journal_start_commit(r->t.journal, &tid);
		break;
	case 7:
		budget_reclaim(r->t.budget);
		break;
	case 8:
		must(jbd2_log_do_checkpoint(r->t.journal));
		break;
	case 9:
		jbd2_journal_lock_updates(r->t.journal);
		jbd2_journal_unlock_updates(r->t.journal);
		break;
	case 10:
		if (random_below(random, 8) == 0)
			must(jbd2_journal_flush(r->t.journal));
		break;
	default:
		task_yield();
		break;
	}
}

static void work(void *arg)
{
	struct worker *w = arg;
	struct random random;

	random_init_seed(&random, w->seed);
	for (int i = 0; i < w->operations; i++) {
		must(toy_operate(&w->r->t, &random));
		something_else(w->r, &random);
	}
}

static void flush_now_and_then(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < w->operations / 8; i++) {
		task_sleep(NSEC_PER_MSEC / 2);
		must(jbd2_checkpoint_writeback(w->r->t.journal, i % 3 ? 0 : CLOCK_NEVER));
	}
}

static void run_tasks(struct rig *r, uint64_t seed, int operations)
{
	struct worker workers[TASKS + 1];
	struct task *tasks[TASKS + 1];

	for (size_t i = 0; i <= TASKS; i++) {
		workers[i] = (struct worker){ r, seed * 100 + i, operations };
		tasks[i] = spawn(r->f, "worker", i < TASKS ? work : flush_now_and_then, &workers[i]);
	}
	for (size_t i = 0; i <= TASKS; i++)
		task_join(tasks[i]);
}

/* A value for all of it: the order of the tasks and every byte. */
static uint64_t run_once(enum sched_mode mode, uint64_t seed, int operations)
{
	struct sched_stats stats;
	struct fixture f;
	struct rig r;
	uint64_t value;
	uint8_t *p;

	fixture_open(&f, mode, seed);
	rig_open(&r, &f, &small, seed % 2 ? 100000 : 0);
	run_tasks(&r, seed, operations);
	must(toy_umount(&r.t));
	rig_must_hold(&r, r.model->ops);
	sched_get_stats(f.sched, &stats);
	p = malloc(r.memory->size_bytes);
	must(block_read(r.memory, 0, p, r.memory->size_bytes));
	value = stats.switch_hash ^ crc32c(0, p, r.memory->size_bytes);
	free(p);
	rig_close(&r);
	fixture_close(&f);
	return value;
}

static void threads(void **state)
{
	for (uint64_t seed = 1; seed <= 4; seed++)
		(void)run_once(SCHED_THREADED, seed, 150);
}

static void every_seed_ends(void **state)
{
	for (uint64_t seed = 1; seed <= seeds; seed++)
		(void)run_once(SCHED_SEEDED, seed, 25);
}

static void a_seed_repeats(void **state)
{
	assert_int_equal(run_once(SCHED_SEEDED, 3, 60), run_once(SCHED_SEEDED, 3, 60));
	assert_int_not_equal(run_once(SCHED_SEEDED, 3, 60), run_once(SCHED_SEEDED, 4, 60));
	assert_int_equal(run_once(SCHED_INLINE, 1, 60), run_once(SCHED_INLINE, 1, 60));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads),
		cmocka_unit_test(every_seed_ends),
		cmocka_unit_test(a_seed_repeats),
	};

	if (argc > 1)
		seeds = strtoull(argv[1], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
