/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commits: two transactions at once, what a commit costs, commits that are shared, the events in
 * Linux's order with Linux's numbers, and a log that goes round and round without a commit that nobody
 * asked for.
 *
 * Argument: how many times the log goes round.
 */
#include "jbd2/rig.h"

static const struct toy_shape plain = { .block_size = 1024, .log_blocks = 256, .csum = JOURNAL_CSUM_V3 };
static uint64_t rounds = 60;

#define FLUSH_NS (100 * NSEC_PER_MSEC)

/* ---- two at once */

static int64_t now(const struct rig *r)
{
	return clock_monotonic(&r->f->clock);
}

static uint64_t sleeps(const struct rig *r)
{
	struct sched_stats s;

	sched_get_stats(r->f->sched, &s);
	return s.sleeps;
}

static bool is_committing(struct rig *r, tid_t tid)
{
	return rig_facts(r).committing == tid;
}

static void start_first_commit(struct rig *r)
{
	must(toy_change_counters(&r->t, 0, 4));
	assert_true(jbd2_log_start_commit(r->t.journal, 2));
	/* Into the flush before the record: 2 ms for each write, 100 for each flush. */
	task_sleep(FLUSH_NS / 4);
	assert_true(is_committing(r, 2));
}

static void the_next_transaction_waits_for_nothing(struct rig *r)
{
	int64_t began = now(r);
	uint64_t slept = sleeps(r);

	for (uint32_t i = 0; i < 8; i++)
		must(toy_change_counters(&r->t, i, 4));
	assert_true(is_committing(r, 2));
	assert_int_equal(rig_facts(r).running, 3);
	assert_int_equal(sleeps(r), slept);
	assert_int_equal(now(r), began);
}

static void two_transactions_at_once(void **state)
{
	struct block_device *copy;
	struct fixture f;
	struct rig r;
	uint32_t op;

	fixture_open(&f, SCHED_INLINE, 0);
	rig_open(&r, &f, &plain, FLUSH_NS);
	rig_trace(&r, "jbd2_*");
	start_first_commit(&r);
	the_next_transaction_waits_for_nothing(&r);
	must(jbd2_log_wait_commit(r.t.journal, 2));
	/* The log has what the first made of the blocks that the second has changed since. */
	copy = rig_snapshot(&r);
	assert_null(toy_recover_and_verify(&f, copy, &plain, r.model, &op));
	assert_int_equal(op, 1);
	block_close(copy);
	must(toy_umount(&r.t));
	rig_must_hold(&r, 9);
	rig_close(&r);
	fixture_close(&f);
}

/* Copies are made only of what is not logged yet: here, while ordered data is being written. */
static void a_block_is_copied_out_before_it_is_logged(void **state)
{
	struct block_device *copy;
	struct fixture f;
	struct rig r;
	uint32_t op;

	fixture_open(&f, SCHED_INLINE, 0);
	rig_open(&r, &f, &plain, FLUSH_NS);
	must(toy_change_counters(&r.t, 0, 4));
	must(toy_alloc(&r.t, TOY_POOL, TOY_DATA));
	assert_true(jbd2_log_start_commit(r.t.journal, 2));
	/* Behind the superblock, into the data. */
	task_sleep(3 * NSEC_PER_MSEC);
	assert_true(is_committing(&r, 2));
	assert_int_equal(rig_facts(&r).blocks_logged, 0);
	for (uint32_t i = 0; i < 8; i++)
		must(toy_change_counters(&r.t, i, 4));
	must(jbd2_log_wait_commit(r.t.journal, 2));
	copy = rig_snapshot(&r);
	assert_null(toy_recover_and_verify(&f, copy, &plain, r.model, &op));
	assert_int_equal(op, 2);
	block_close(copy);
	must(toy_umount(&r.t));
	rig_must_hold(&r, 10);
	rig_close(&r);
	fixture_close(&f);
}

/* ---- what it costs */

static void a_commit_costs_two_flushes(struct fixture *f)
{
	struct block_stats before, after;
	struct rig r;

	rig_open(&r, f, &plain, 0);
	for (uint32_t i = 1; i <= 300; i++) {
		must(i % 3 ? toy_change_counters(&r.t, i, 3)
			   : toy_alloc(&r.t, TOY_POOL + i / 3 % TOY_POOL_COUNT,
				       i % 2 ? TOY_DATA : TOY_META));
		if (i % 20 == 0)
			must(jbd2_checkpoint_writeback(r.t.journal, CLOCK_NEVER));
		before = rig_stats(&r);
		must(toy_sync(&r.t, i));
		after = rig_stats(&r);
		assert_true(after.flushes + after.fua_writes - before.flushes - before.fua_writes <= 2);
	}
	assert_int_equal(rig_facts(&r).forced_checkpoints, 0);
	assert_true(rig_facts(&r).tail_updates > 0);
	must(toy_umount(&r.t));
	rig_must_hold(&r, 300);
	rig_close(&r);
}

static void the_commit_task_allocates_nothing(struct fixture *f)
{
	uint64_t before;
	struct rig r;

	rig_open(&r, f, &plain, 0);
	for (uint32_t i = 1; i <= 50; i++) {
		must(toy_change_counters(&r.t, i, 10));
		must(toy_alloc(&r.t, TOY_POOL + i, TOY_META));
		before = arena_allocations(f->arena);
		must(toy_sync(&r.t, 2 * i));
		assert_int_equal(arena_allocations(f->arena), before);
	}
	must(toy_umount(&r.t));
	rig_close(&r);
}

/* ---- commits are shared */

struct syncer {
	struct rig *r;
	uint64_t seed;
	int syncs;
};

static void operate_and_sync(void *arg)
{
	struct syncer *s = arg;
	struct random random;
	uint32_t op;

	random_init_seed(&random, s->seed);
	for (int i = 0; i < s->syncs; i++) {
		must(toy_operate(&s->r->t, &random));
		{
			guard(&s->r->t.lock);
			op = s->r->model->ops;
		}
		must(toy_sync(&s->r->t, op));
	}
}

static void callers_share_commits(struct fixture *f)
{
	enum { TASKS = 8, SYNCS = 12 };
	struct syncer syncers[TASKS];
	struct task *tasks[TASKS];
	struct rig r;
	int64_t flush_ns = sched_mode(f->sched) == SCHED_THREADED ? 4 * NSEC_PER_MSEC : FLUSH_NS;

	rig_open(&r, f, &plain, flush_ns);
	for (size_t i = 0; i < TASKS; i++) {
		syncers[i] = (struct syncer){ &r, i + 1, SYNCS };
		tasks[i] = spawn(f, "syncer", operate_and_sync, &syncers[i]);
	}
	for (size_t i = 0; i < TASKS; i++)
		task_join(tasks[i]);
	assert_true(rig_facts(&r).commits * 2 < TASKS * SYNCS);
	must(toy_umount(&r.t));
	rig_must_hold(&r, TASKS * SYNCS);
	rig_close(&r);
}

/* ---- events */

static void expect(struct rig *r, const char *events)
{
	assert_string_equal(rig_events(r), events);
}

static void events_are_those_of_linux(void **state)
{
	struct fixture f;
	struct rig r;

	fixture_open(&f, SCHED_INLINE, 0);
	rig_open(&r, &f, &plain, 0);
	rig_trace(&r, "jbd2_*");
	must(trace_enable(r.trace, "jbd2_handle_*", false));
	must(toy_change_counters(&r.t, 0, 4));
	must(toy_change_counters(&r.t, 0, 5));
	must(toy_sync(&r.t, 2));
	expect(&r, "jbd2_write_superblock: dev 0,0 write_op 48\n"
		   "jbd2_start_commit: dev 0,0 transaction 2 sync 0\n"
		   "jbd2_commit_locking: dev 0,0 transaction 2 sync 0\n"
		   "jbd2_commit_flushing: dev 0,0 transaction 2 sync 0\n"
		   "jbd2_commit_logging: dev 0,0 transaction 2 sync 0\n"
		   "jbd2_run_stats: dev 0,0 tid 2 wait 0 request_delay 0 running 0 locked 0 flushing 0"
		   " logging 0 handle_count 2 blocks 6 blocks_logged 7\n"
		   "jbd2_end_commit: dev 0,0 transaction 2 sync 0 head 2\n");
	must(toy_change_counters(&r.t, 0, 4));
	must(toy_alloc(&r.t, TOY_POOL, TOY_DATA));
	must(toy_sync(&r.t, 4));
	expect(&r, "jbd2_start_commit: dev 0,0 transaction 3 sync 0\n"
		   "jbd2_commit_locking: dev 0,0 transaction 3 sync 0\n"
		   "jbd2_commit_flushing: dev 0,0 transaction 3 sync 0\n"
		   "jbd2_submit_inode_data: dev 0,0 ino 101\n"
		   "jbd2_commit_logging: dev 0,0 transaction 3 sync 0\n"
		   "jbd2_run_stats: dev 0,0 tid 3 wait 0 request_delay 0 running 0 locked 0 flushing 0"
		   " logging 0 handle_count 2 blocks 5 blocks_logged 6\n"
		   "jbd2_end_commit: dev 0,0 transaction 3 sync 0 head 2\n");
	must(jbd2_checkpoint_writeback(r.t.journal, CLOCK_NEVER));
	must(toy_umount(&r.t));
	expect(&r, "jbd2_checkpoint: dev 0,0 result 1\n"
		   "jbd2_checkpoint_stats: dev 0,0 tid 2 chp_time 0 forced_to_close 0 written 0 dropped 5\n"
		   "jbd2_drop_transaction: dev 0,0 transaction 2 sync 0\n"
		   "jbd2_write_superblock: dev 0,0 write_op 148\n"
		   "jbd2_update_log_tail: dev 0,0 from 2 to 3 offset 9 freed 8\n"
		   "jbd2_checkpoint: dev 0,0 result 1\n"
		   "jbd2_checkpoint_stats: dev 0,0 tid 3 chp_time 0 forced_to_close 0 written 0 dropped 0\n"
		   "jbd2_drop_transaction: dev 0,0 transaction 3 sync 0\n"
		   "jbd2_write_superblock: dev 0,0 write_op 148\n"
		   "jbd2_update_log_tail: dev 0,0 from 3 to 4 offset 16 freed 7\n"
		   "jbd2_write_superblock: dev 0,0 write_op 348\n");
	rig_close(&r);
	fixture_close(&f);
}

/* Of several transactions that one commit empties, the one whose block was logged last goes first. */
static void transactions_go_in_the_order_of_linux(void **state)
{
	struct fixture f;
	struct rig r;

	fixture_open(&f, SCHED_INLINE, 0);
	rig_open(&r, &f, &plain, 0);
	must(toy_change_counters(&r.t, 10, 3));
	must(toy_sync(&r.t, 1));
	must(toy_change_counters(&r.t, 12, 1));
	must(toy_sync(&r.t, 2));
	rig_trace(&r, "jbd2_drop_transaction");
	rig_trace(&r, "jbd2_checkpoint_stats");
	must(toy_change_counters(&r.t, 10, 3));
	must(toy_sync(&r.t, 3));
	expect(&r, "jbd2_checkpoint_stats: dev 0,0 tid 3 chp_time 0 forced_to_close 0 written 0 dropped 2\n"
		   "jbd2_drop_transaction: dev 0,0 transaction 3 sync 0\n"
		   "jbd2_checkpoint_stats: dev 0,0 tid 2 chp_time 0 forced_to_close 0 written 0 dropped 4\n"
		   "jbd2_drop_transaction: dev 0,0 transaction 2 sync 0\n");
	must(toy_umount(&r.t));
	rig_close(&r);
	fixture_close(&f);
}

/* ---- the log goes round */

/* Block 1 is in every transaction, as a bitmap is; the others in some. */
static void change_blocks(struct rig *r, uint32_t number, uint32_t count)
{
	struct handle *h;

	must(jbd2__journal_start(r->t.journal, (int)count, 0, 1, 1, &h));
	for (uint32_t i = 0; i < count; i++) {
		autobuffer b = NULL;
		uint64_t block = i ? 2 + (number * 7 + i) % 150 : 1;

		must(buffer_read(r->t.buffers, block, NULL, NULL, &b));
		must(jbd2_journal_get_write_access(h, b));
		memcpy(b->data, &number, sizeof(number));
		must(jbd2_journal_dirty_metadata(h, b));
	}
	must(jbd2_journal_stop(h));
}

static void must_have_the_last_number(struct rig *r, uint32_t last, uint32_t count)
{
	uint32_t found;

	for (uint32_t number = last; number > last - 3; number--)
		for (uint32_t i = number == last ? 0 : 1; i < count; i++) {
			uint64_t block = i ? 2 + (number * 7 + i) % 150 : 1;

			must(block_read(r->memory, block * 1024, r->events, 1024));
			memcpy(&found, r->events, sizeof(found));
			assert_true(found >= number && found <= last);
		}
}

static void no_commit_is_forced_for_room(void **state)
{
	struct toy_shape shape = { .block_size = 1024, .log_blocks = 1024, .csum = JOURNAL_CSUM_V3 };
	enum { COUNT = 30 };
	struct fixture f;
	struct rig r;
	uint32_t number = 0;

	fixture_open(&f, SCHED_INLINE, 0);
	rig_open(&r, &f, &shape, 0);
	while (rig_facts(&r).blocks_logged < rounds * 1024) {
		change_blocks(&r, ++number, COUNT);
		must(jbd2_journal_force_commit(r.t.journal));
		assert_int_equal(rig_facts(&r).commits, number);
		if (number % 50 == 0)
			must(jbd2_checkpoint_writeback(r.t.journal, 0));
	}
	assert_true(rig_facts(&r).tail_updates > rounds / 2);
	must(toy_umount(&r.t));
	must_have_the_last_number(&r, number, COUNT);
	rig_close(&r);
	fixture_close(&f);
}

/* Nobody writes back: whoever needs room makes it, and still no commit is forced. */
static void who_needs_room_makes_it(struct fixture *f)
{
	struct rig r;
	uint32_t op = 0;

	rig_open(&r, f, &plain, 0);
	for (uint32_t commits = 1; commits <= 400; commits++) {
		uint32_t block = TOY_POOL + commits % TOY_POOL_COUNT;

		/* One block that will not be logged again for long. */
		must(commits <= TOY_POOL_COUNT ? toy_alloc(&r.t, block, TOY_META)
					       : toy_rewrite(&r.t, block));
		op++;
		for (int i = 0; i < 4; i++, op++)
			must(toy_change_counters(&r.t, op * 3, 3));
		must(toy_sync(&r.t, op));
		assert_int_equal(rig_facts(&r).commits, commits);
	}
	assert_true(rig_facts(&r).forced_checkpoints > 0);
	must(toy_umount(&r.t));
	rig_must_hold(&r, op);
	rig_close(&r);
}

static void all_modes(void **state)
{
	in_all_modes(a_commit_costs_two_flushes);
	in_all_modes(the_commit_task_allocates_nothing);
	in_all_modes(callers_share_commits);
	in_all_modes(who_needs_room_makes_it);
}

static int run_all(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_transactions_at_once),
		cmocka_unit_test(a_block_is_copied_out_before_it_is_logged),
		cmocka_unit_test(all_modes),
		cmocka_unit_test(events_are_those_of_linux),
		cmocka_unit_test(transactions_go_in_the_order_of_linux),
		cmocka_unit_test(no_commit_is_forced_for_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		rounds = strtoull(argv[1], NULL, 0);
	return toy_main(run_all);
}
