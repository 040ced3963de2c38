/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handles: credits are a limit (J6), nested starts share, extensions and restarts, reserved handles,
 * handles kept out, the end after an abort (J7).
 */
#include "jbd2/rig.h"

static const struct toy_shape plain = { .block_size = 1024, .log_blocks = 256, .csum = JOURNAL_CSUM_V3 };

static struct handle *start(struct rig *r, int blocks)
{
	struct handle *h;

	must(jbd2__journal_start(r->t.journal, blocks, 0, 7, 70, &h));
	return h;
}

static struct buffer *get(struct rig *r, uint64_t block)
{
	struct buffer *b;

	must(buffer_read(r->t.buffers, block, NULL, NULL, &b));
	return b;
}

/* ---- credits */

static void a_handle_changes_no_more_than_it_asked_for(struct fixture *f)
{
	struct rig r;
	struct handle *h;
	struct buffer *a, *b;

	rig_open(&r, f, &plain, 0);
	a = get(&r, 2);
	b = get(&r, 3);
	h = start(&r, 1);
	must(jbd2_journal_get_write_access(h, a));
	must(jbd2_journal_dirty_metadata(h, a));
	assert_int_equal(h->credits, 0);
	assert_int_equal(jbd2_journal_get_write_access(h, b), -ENOSPC);
	must(jbd2_journal_get_write_access(h, a));
	must(jbd2_journal_dirty_metadata(h, a));
	must(jbd2_journal_stop(h));
	/* The next handle of the transaction has it for nothing. */
	h = start(&r, 1);
	must(jbd2_journal_get_write_access(h, a));
	must(jbd2_journal_dirty_metadata(h, a));
	assert_int_equal(h->credits, 1);
	must(jbd2_journal_stop(h));
	assert_int_equal(jbd2_journal_errno(r.t.journal), 0);
	buffer_put(a);
	buffer_put(b);
	must(toy_umount(&r.t));
	rig_close(&r);
}

static void a_change_without_credit_is_never_committed(struct fixture *f)
{
	struct rig r;
	struct handle *h;
	struct buffer *a, *b;

	rig_open(&r, f, &plain, 0);
	f->log.message = drop_message;
	a = get(&r, 2);
	b = get(&r, 3);
	h = start(&r, 1);
	must(jbd2_journal_get_write_access(h, a));
	must(jbd2_journal_get_write_access(h, b));
	must(jbd2_journal_dirty_metadata(h, a));
	assert_int_equal(jbd2_journal_dirty_metadata(h, b), -ENOSPC);
	assert_int_equal(jbd2_journal_stop(h), -ENOSPC);
	assert_int_equal(r.t.aborted, -ENOSPC);
	buffer_put(a);
	buffer_put(b);
	assert_int_equal(toy_umount(&r.t), -ENOSPC);
	rig_must_hold(&r, 0);
	rig_close(&r);
}

static void a_freed_block_gives_its_credit_back(struct fixture *f)
{
	struct rig r;
	struct handle *h;
	struct buffer *a;

	rig_open(&r, f, &plain, 0);
	rig_trace(&r, "jbd2_handle_*");
	a = get(&r, 50);
	h = start(&r, 3);
	must(jbd2_journal_get_create_access(h, a));
	must(jbd2_journal_dirty_metadata(h, a));
	must(jbd2_journal_stop(h));
	h = start(&r, 3);
	must(jbd2_journal_forget(h, a, 50));
	assert_int_equal(h->credits, 4);
	buffer_put(a);
	buffer_forget(r.t.buffers, 50);
	must(jbd2_journal_stop(h));
	assert_non_null(strstr(rig_events(&r), "requested_blocks 3 dirtied_blocks -1"));
	must(toy_umount(&r.t));
	rig_close(&r);
}

static void what_can_never_fit_is_refused(struct fixture *f)
{
	struct rig r;
	struct handle *h;

	rig_open(&r, f, &plain, 0);
	f->log.message = drop_message;
	assert_int_equal(jbd2__journal_start(r.t.journal, 64, 0, 1, 1, &h), -ENOSPC);
	assert_null(jbd2_journal_current_handle(r.t.journal));
	must(jbd2__journal_start(r.t.journal, 63, 0, 1, 1, &h));
	must(jbd2_journal_stop(h));
	must(toy_umount(&r.t));
	rig_close(&r);
}

/* ---- more of one handle */

static void nested_starts_share_a_handle(struct fixture *f)
{
	const char *start_and_stats =
		"jbd2_handle_start: dev 0,0 tid 2 type 7 line_no 70 requested_blocks 5\n"
		"jbd2_handle_stats: dev 0,0 tid 2 type 7 line_no 70 interval ";
	const char *events, *behind;
	struct rig r;
	struct handle *h, *inner;

	rig_open(&r, f, &plain, 0);
	rig_trace(&r, "jbd2_handle_*");
	h = start(&r, 5);
	inner = start(&r, 2);
	assert_ptr_equal(h, inner);
	assert_ptr_equal(jbd2_journal_current_handle(r.t.journal), h);
	must(jbd2_journal_stop(inner));
	assert_ptr_equal(jbd2_journal_current_handle(r.t.journal), h);
	must(jbd2_journal_stop(h));
	assert_null(jbd2_journal_current_handle(r.t.journal));
	events = rig_events(&r);
	behind = strstr(events, " sync 0"); /* the interval is what the machine makes it */
	assert_non_null(behind);
	assert_int_equal(strncmp(events, start_and_stats, strlen(start_and_stats)), 0);
	assert_string_equal(behind, " sync 0 requested_blocks 5 dirtied_blocks 0\n");
	must(toy_umount(&r.t));
	rig_close(&r);
}

static void an_extension_is_in_the_same_transaction_or_not_at_all(struct fixture *f)
{
	struct rig r;
	struct handle *h;

	rig_open(&r, f, &plain, 0);
	rig_trace(&r, "jbd2_handle_extend");
	h = start(&r, 6);
	must(jbd2_journal_extend(h, 5));
	assert_int_equal(h->credits, 11);
	assert_int_equal(jbd2_journal_extend(h, 60), 1);
	assert_int_equal(h->credits, 11);
	must(jbd2_journal_stop(h));
	assert_string_equal(rig_events(&r), "jbd2_handle_extend: dev 0,0 tid 2 type 7 line_no 70"
					    " buffer_credits 6 requested_blocks 5\n");
	must(toy_umount(&r.t));
	rig_close(&r);
}

static void a_restart_goes_on_in_the_next_transaction(struct fixture *f)
{
	struct rig r;
	struct handle *h;
	struct buffer *a;
	tid_t first;

	rig_open(&r, f, &plain, 0);
	a = get(&r, 2);
	h = start(&r, 1);
	first = handle_tid(h);
	must(jbd2_journal_get_write_access(h, a));
	must(jbd2_journal_dirty_metadata(h, a));
	must(jbd2_journal_restart(h, 3));
	assert_int_equal(handle_tid(h), first + 1);
	assert_int_equal(h->credits, 3);
	must(jbd2_log_wait_commit(r.t.journal, first));
	must(jbd2_journal_stop(h));
	buffer_put(a);
	must(toy_umount(&r.t));
	rig_close(&r);
}

static void finish_reserved(void *arg)
{
	struct handle *h = arg;

	must(jbd2_journal_start_reserved(h, 3, 30));
	assert_int_equal(h->credits, 4);
	must(jbd2_journal_stop(h));
}

static void a_reserved_handle_starts_later_in_another_task(struct fixture *f)
{
	struct rig r;
	struct handle *h, *reserved;

	rig_open(&r, f, &plain, 0);
	rig_trace(&r, "jbd2_handle_start");
	must(jbd2__journal_start(r.t.journal, 8, 4, 7, 70, &h));
	reserved = h->reserved;
	h->reserved = NULL;
	must(jbd2_journal_stop(h));
	must(jbd2_journal_force_commit(r.t.journal));
	task_join(spawn(f, "later", finish_reserved, reserved));
	/* One that nobody takes goes with its opener. */
	must(jbd2__journal_start(r.t.journal, 8, 4, 7, 70, &h));
	must(jbd2_journal_stop(h));
	must(jbd2__journal_start(r.t.journal, 8, 4, 7, 70, &h));
	reserved = h->reserved;
	h->reserved = NULL;
	jbd2_journal_free_reserved(reserved);
	must(jbd2_journal_stop(h));
	assert_non_null(strstr(rig_events(&r), "requested_blocks 12\n"));
	must(toy_umount(&r.t));
	rig_close(&r);
}

static void undo_access_keeps_what_was(struct fixture *f)
{
	struct rig r;
	struct handle *h;
	struct buffer *a;
	uint8_t before[1024];

	rig_open(&r, f, &plain, 0);
	a = get(&r, 2);
	memcpy(before, a->data, sizeof(before));
	h = start(&r, 2);
	must(jbd2_journal_get_undo_access(h, a));
	memset(a->data + 16, 0xee, 100);
	must(jbd2_journal_dirty_metadata(h, a));
	assert_memory_equal(jbd2_journal_committed_data(a), before, sizeof(before));
	must(jbd2_journal_stop(h));
	must(jbd2_journal_force_commit(r.t.journal));
	assert_null(jbd2_journal_committed_data(a));
	buffer_put(a);
	must(toy_umount(&r.t));
	rig_close(&r);
}

/* ---- waiting */

struct latecomer {
	struct rig *r;
	_Atomic bool started;
};

static void start_late(void *arg)
{
	struct latecomer *l = arg;
	struct handle *h;

	must(jbd2__journal_start(l->r->t.journal, 2, 0, 1, 1, &h));
	l->started = true;
	must(jbd2_journal_stop(h));
}

static void handles_can_be_kept_out(struct fixture *f)
{
	struct rig r;
	struct latecomer l = { &r, false };
	struct task *late;

	rig_open(&r, f, &plain, 0);
	jbd2_journal_lock_updates(r.t.journal);
	late = spawn(f, "late", start_late, &l);
	sched_settle(f->sched);
	task_sleep(NSEC_PER_MSEC);
	assert_false(l.started);
	must(jbd2_journal_flush(r.t.journal));
	jbd2_journal_unlock_updates(r.t.journal);
	task_join(late);
	assert_true(l.started);
	must(toy_umount(&r.t));
	rig_close(&r);
}

static void a_sync_handle_returns_when_its_commit_is_done(struct fixture *f)
{
	struct rig r;
	struct handle *h;
	tid_t tid;

	rig_open(&r, f, &plain, 0);
	rig_trace(&r, "jbd2_*");
	h = start(&r, 2);
	tid = handle_tid(h);
	h->sync = true;
	must(jbd2_journal_stop(h));
	assert_int_equal(rig_facts(&r).committed, tid);
	assert_non_null(strstr(rig_events(&r), "jbd2_commit_logging: dev 0,0 transaction 2 sync 1\n"));
	must(toy_umount(&r.t));
	rig_close(&r);
}

static void a_commit_comes_by_itself(struct fixture *f)
{
	struct toy_shape shape = plain;
	struct rig r;

	shape.commit_interval_ns = 20 * NSEC_PER_MSEC;
	rig_open(&r, f, &shape, 0);
	must(toy_change_counters(&r.t, 0, 2));
	task_sleep(10 * NSEC_PER_MSEC);
	if (sched_mode(f->sched) != SCHED_THREADED)
		assert_int_equal(r.t.commits, 0);
	for (int i = 0; i < 100 && !rig_facts(&r).commits; i++)
		task_sleep(15 * NSEC_PER_MSEC);
	assert_int_equal(rig_facts(&r).commits, 1);
	must(toy_umount(&r.t));
	rig_must_hold(&r, 1);
	rig_close(&r);
}

struct told {
	struct jbd2_callback cb;
	int calls, err;
};

static void tell(struct jbd2_callback *cb, int err)
{
	struct told *told = container_of(cb, struct told, cb);

	told->calls++;
	told->err = err;
}

static void callbacks_run_once_when_all_is_stable(struct fixture *f)
{
	struct told told = { .cb.fn = tell };
	struct rig r;
	struct handle *h;

	rig_open(&r, f, &plain, 0);
	h = start(&r, 2);
	jbd2_journal_add_callback(h, &told.cb);
	must(jbd2_journal_stop(h));
	assert_int_equal(told.calls, 0);
	must(jbd2_journal_force_commit(r.t.journal));
	assert_int_equal(told.calls, 1);
	assert_int_equal(told.err, 0);
	must(toy_umount(&r.t));
	rig_close(&r);
}

/* ---- abort */

static void after_an_abort_nothing_changes(struct fixture *f)
{
	struct told told = { .cb.fn = tell };
	struct rig r;
	struct handle *h, *other;
	struct buffer *a;
	uint8_t uuid[16];
	int32_t recorded;
	tid_t tid;

	rig_open(&r, f, &plain, 0);
	f->log.message = drop_message;
	must(toy_change_counters(&r.t, 0, 3));
	must(toy_sync(&r.t, 1));
	a = get(&r, 9);
	h = start(&r, 2);
	tid = handle_tid(h);
	jbd2_journal_add_callback(h, &told.cb);
	jbd2_journal_abort(r.t.journal, -EIO);
	jbd2_journal_abort(r.t.journal, -ENOMEM);
	assert_true(handle_aborted(h));
	assert_int_equal(jbd2_journal_get_write_access(h, a), -EROFS);
	assert_int_equal(jbd2_journal_extend(h, 1), -EROFS);
	assert_int_equal(jbd2_journal_stop(h), -EROFS);
	assert_int_equal(jbd2__journal_start(r.t.journal, 1, 0, 1, 1, &other), -EROFS);
	assert_int_equal(jbd2_log_wait_commit(r.t.journal, tid), -EIO);
	assert_int_equal(jbd2_checkpoint_writeback(r.t.journal, CLOCK_NEVER), -EROFS);
	assert_int_equal(jbd2_journal_errno(r.t.journal), -EIO);
	buffer_put(a);
	assert_int_equal(toy_umount(&r.t), -EIO);
	assert_int_equal(told.calls, 1);
	assert_true(told.err < 0);
	/* What was committed before is there; the reason is in the superblock. */
	r.shape.trace = NULL;
	rig_mount(&r);
	assert_int_equal(r.t.recovery.transactions, 1);
	jbd2_journal_identity(r.t.journal, uuid, &recorded);
	assert_int_equal(recorded, -EIO);
	jbd2_journal_clear_err(r.t.journal);
	must(toy_umount(&r.t));
	rig_must_hold(&r, 1);
	rig_close(&r);
}

static void a_shutdown_leaves_no_reason(struct fixture *f)
{
	struct rig r;
	uint8_t uuid[16];
	int32_t recorded;

	rig_open(&r, f, &plain, 0);
	must(toy_change_counters(&r.t, 0, 3));
	jbd2_journal_abort(r.t.journal, -ESHUTDOWN);
	assert_int_equal(toy_umount(&r.t), -ESHUTDOWN);
	rig_mount(&r);
	jbd2_journal_identity(r.t.journal, uuid, &recorded);
	assert_int_equal(recorded, 0);
	must(toy_umount(&r.t));
	rig_must_hold(&r, 0);
	rig_close(&r);
}

static void (*const cases[])(struct fixture *f) = {
	a_handle_changes_no_more_than_it_asked_for,
	a_change_without_credit_is_never_committed,
	a_freed_block_gives_its_credit_back,
	what_can_never_fit_is_refused,
	nested_starts_share_a_handle,
	an_extension_is_in_the_same_transaction_or_not_at_all,
	a_restart_goes_on_in_the_next_transaction,
	a_reserved_handle_starts_later_in_another_task,
	undo_access_keeps_what_was,
	handles_can_be_kept_out,
	a_sync_handle_returns_when_its_commit_is_done,
	a_commit_comes_by_itself,
	callbacks_run_once_when_all_is_stable,
	after_an_abort_nothing_changes,
	a_shutdown_leaves_no_reason,
};

static void all_cases_in_all_modes(void **state)
{
	for (size_t i = 0; i < array_size(cases); i++)
		in_all_modes(cases[i]);
}

static int run_all(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_cases_in_all_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return toy_main(run_all);
}
