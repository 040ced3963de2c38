/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The three formats: heads of lines, trees of several tasks, operations, and errors of the writer.
 * That every event comes through all of them is shown by tests/trace/events_test.py.
 */
#include "trace/trace_test.h"

/* ---- ftrace */

static void ftrace_lines(void **state)
{
	struct traced x;
	struct task *task;

	traced_open(&x, DIALECT_4_9);
	clock_advance_to(&x.base.clock, 12345678901234);
	trace_mark(x.trace, "op_begin %d %s", 1, "mkdir /d\n0755");
	task = task_enter(x.base.sched, "app");
	trace(&x, ext4_request_inode, 2, 0100644);
	task_leave(task);
	task = task_enter(x.base.sched, "a-name-longer-than-sixteen");
	clock_advance_to(&x.base.clock, 12345000000999);
	clock_advance_to(&x.base.clock, 99999999999999999);
	trace(&x, ext4_request_inode, 2, 0100644);
	task_leave(task);
	assert_string_equal(traced_text(&x, TRACE_FTRACE),
		"          extant-0       [000] ..... 12345.678901: tracing_mark_write: op_begin"
		" 1 mkdir /d 0755\n"
		"             app-1       [000] ..... 12345.678901: ext4_request_inode: dev 7,0"
		" dir 2 mode 0100644\n"
		"a-name-longer-than-sixteen-1       [000] ..... 99999999.999999:"
		" ext4_request_inode: dev 7,0"
		" dir 2 mode 0100644\n");
	traced_close(&x);
}

static void ftrace_tells_losses(void **state)
{
	struct traced x;

	traced_open_with(&x, SCHED_INLINE, &(struct trace_options){ .ring_bytes = 16384 });
	for (int i = 0; i < 1000; i++)
		trace_mark(x.trace, "twelve bytes");
	assert_int_equal(strncmp(traced_text(&x, TRACE_FTRACE), "CPU:0 [LOST ", 12), 0);
	assert_int_equal(strtoull(x.text + 12, NULL, 10), trace_lost(x.trace));
	x.len = 0;
	trace_mark(x.trace, "one more");
	assert_int_equal(trace_format_all(x.formatter), 0);
	assert_null(strstr(x.text, "LOST"));
	traced_close(&x);
}

/* ---- tree */

static void create_inode(struct traced *x)
{
	TRACE_SCOPE(x, __ext4_new_inode);

	trace(x, ext4_request_inode, 2, 0100644);
	{
		TRACE_SCOPE(x, __ext4_journal_start_sb);

		trace(x, ext4_journal_start, 35, 0, "__ext4_new_inode", 8, 4, 0);
	}
	trace(x, ext4_allocate_inode, 12, 2, 0100644);
}

static void open_file(struct traced *x)
{
	TRACE_SCOPE(x, sys_openat, do_sys_open,   lookup_open);

	create_inode(x);
}

static void commit(void *arg)
{
	struct traced *x = arg;
	TRACE_SCOPE(x, jbd2_journal_commit_transaction);

	trace(x, jbd2_start_commit, 2, 0);
	task_yield();
	trace(x, jbd2_end_commit, 2, 0, 1);
}

static const char founding_tree[] =
	"## op 1: open fd=1 /a O_CREAT -> ret=0\n"
	"[test-1]\n"
	"sys_openat\n"
	"  do_sys_open\n"
	"    lookup_open\n"
	"      __ext4_new_inode\n"
	"        { ext4_request_inode: dev 7,0 dir 2 mode 0100644 }\n"
	"        __ext4_journal_start_sb\n"
	"          { ext4_journal_start: dev 7,0 blocks, 35 rsv_blocks, 0 caller __ext4_new_inode"
	" }\n"
	"        { ext4_allocate_inode: dev 7,0 ino 12 dir 2 mode 0100644 }\n"
	"\n"
	"## op 2: syncfs -> ret=0\n"
	"[test-1]\n"
	"ext4_sync_fs\n"
	"  { ext4_sync_fs: dev 7,0 wait 1 }\n"
	"  # half way\n"
	"  { ext4_sync_file_enter: dev 7,0 ino 12 parent 2 datasync 0 }\n"
	"[jbd2/image-8-2]\n"
	"jbd2_journal_commit_transaction\n"
	"  { jbd2_start_commit: dev 7,0 transaction 2 sync 0 }\n"
	"  { jbd2_end_commit: dev 7,0 transaction 2 sync 0 head 1 }\n"
	"\n";

/* Two tasks in turn; each has a tree of its own. */
static void trees_of_operations(void **state)
{
	struct traced x;
	struct task *task, *committer;

	traced_open(&x, DIALECT_4_9);
	trace_enable_scopes(x.trace, true);
	task = enter(&x.base);
	trace_mark(x.trace, "op_begin 1 open fd=1 /a O_CREAT");
	open_file(&x);
	trace_mark(x.trace, "op_end 1 ret=0");
	trace_mark(x.trace, "op_begin 2 syncfs");
	{
		TRACE_SCOPE(&x, ext4_sync_fs);

		trace(&x, ext4_sync_fs, 1);
		committer = spawn(&x.base, "jbd2/image-8", commit, &x);
		task_yield();
		trace_mark(x.trace, "half way");
		trace(&x, ext4_sync_file_enter, 12, 2, 0);
		trace_mark(x.trace, "op_end 2 ret=0");
		task_join(committer);
	}
	task_leave(task);
	assert_string_equal(traced_text(&x, TRACE_TREE), founding_tree);
	traced_close(&x);
}

/* A scope that is open when an operation ends stands again where its task goes on. */
static void tree_goes_on(void **state)
{
	struct traced x;

	traced_open(&x, DIALECT_4_9);
	trace_enable_scopes(x.trace, true);
	traced_format(&x, TRACE_TREE);
	{
		TRACE_SCOPE(&x, outer, inner);

		trace_mark(x.trace, "op_begin 1 a");
		trace(&x, jbd2_checkpoint, 1);
		trace_mark(x.trace, "op_begin 2 b");
		trace(&x, jbd2_checkpoint, 2);
	}
	trace(&x, jbd2_checkpoint, 3);
	trace_mark(x.trace, "op_begin 3 c");
	assert_string_equal(traced_text(&x, TRACE_TREE),
		"[extant-0]\nouter\n  inner\n"
		"## op 1: a\n[extant-0]\nouter\n  inner\n    { jbd2_checkpoint: dev 7,0 result 1"
		" }\n\n"
		"## op 2: b\n[extant-0]\nouter\n  inner\n    { jbd2_checkpoint: dev 7,0 result 2"
		" }\n"
		"{ jbd2_checkpoint: dev 7,0 result 3 }\n\n"
		"## op 3: c\n\n");
	traced_close(&x);
}

/* A program that marks no operations sees a tree as soon as its outermost scope has ended. */
static void trees_without_operations(void **state)
{
	struct traced x;
	struct task *task;

	traced_open(&x, DIALECT_4_9);
	trace_enable_scopes(x.trace, true);
	traced_format(&x, TRACE_TREE);
	task = enter(&x.base);
	{
		TRACE_SCOPE(&x, first);

		assert_int_equal(trace_format_all(x.formatter), 0);
		assert_int_equal(x.len, 0);
		trace(&x, jbd2_checkpoint, 1);
	}
	assert_int_equal(trace_format_all(x.formatter), 0);
	assert_string_equal(x.text, "[test-1]\nfirst\n  { jbd2_checkpoint: dev 7,0 result 1 }\n");
	x.len = 0;
	trace(&x, jbd2_checkpoint, 2);
	assert_int_equal(trace_format_all(x.formatter), 0);
	assert_string_equal(x.text, "[test-1]\n{ jbd2_checkpoint: dev 7,0 result 2 }\n");
	task_leave(task);
	traced_close(&x);
}

/* After a loss, ends of scopes without a beginning and beginnings without an end do no harm. */
static void tree_after_losses(void **state)
{
	struct traced x;

	traced_open(&x, DIALECT_4_9);
	traced_format(&x, TRACE_TREE);
	trace_scope_leave(x.trace, "never entered");
	trace_scope_enter(x.trace, "outer");
	trace_scope_enter(x.trace, "its end is lost");
	trace_scope_leave(x.trace, "outer");
	for (int i = 0; i < 200; i++)
		trace_scope_enter(x.trace, "deep");
	for (int i = 0; i < 200; i++)
		trace_scope_leave(x.trace, "deep");
	trace(&x, jbd2_checkpoint, 2);
	traced_text(&x, TRACE_TREE);
	assert_non_null(strstr(x.text, "[extant-0]\nouter\n  its end is lost\n"
				       "[extant-0]\ndeep\n  deep\n"));
	assert_non_null(strstr(x.text, "\n{ jbd2_checkpoint: dev 7,0 result 2 }\n"));
	traced_close(&x);
}

/* ---- JSON lines */

static void json_lines(void **state)
{
	struct traced x;
	struct task *task;

	traced_open(&x, DIALECT_6_18);
	trace_enable_scopes(x.trace, true);
	clock_advance_to(&x.base.clock, 1000);
	task = task_enter(x.base.sched, "a\"b");
	trace_mark(x.trace, "op_begin 1 open /\xc3\xa4\xff\t");
	{
		TRACE_SCOPE(&x, outer, inner);

		trace(&x, ext4_es_insert_extent, 12, 0, 1, 5, 0x11, true, true, false);
	}
	task_leave(task);
	assert_string_equal(traced_text(&x, TRACE_JSONL),
		"{\"format\":\"extant-trace\",\"version\":1,\"dialect\":\"6.18\","
		"\"device\":\"7,0\"}\n"
		"{\"seq\":1,\"time_ns\":1000,\"task\":\"a\\\"b\",\"task_id\":1,\"depth\":0,"
		"\"mark\":\"op_begin 1 open /\xc3\xa4\\u00ff\\u0009\"}\n"
		"{\"seq\":2,\"time_ns\":1000,\"task\":\"a\\\"b\",\"task_id\":1,\"depth\":0,"
		"\"enter\":\"outer, inner\"}\n"
		"{\"seq\":3,\"time_ns\":1000,\"task\":\"a\\\"b\",\"task_id\":1,\"depth\":2,"
		"\"scope\":\"inner\",\"event\":\"ext4_es_insert_delayed_extent\","
		"\"fields\":{\"ino\":12,\"lblk\":0,\"len\":1,\"pblk\":5,\"status\":\"WR\","
		"\"lclu_allocated\":true,\"end_allocated\":false}}\n"
		"{\"seq\":4,\"time_ns\":1000,\"task\":\"a\\\"b\",\"task_id\":1,\"depth\":0,"
		"\"leave\":\"outer, inner\"}\n");
	traced_close(&x);
}

/* ---- errors */

static void writer_fails(void **state)
{
	struct traced x;
	struct trace_formatter *f;

	traced_open(&x, DIALECT_4_9);
	x.write_err = -ENOSPC;
	assert_int_equal(trace_formatter_create(x.trace, TRACE_JSONL, take_text, &x, &f), -ENOSPC);
	x.write_err = 0;
	traced_format(&x, TRACE_FTRACE);
	trace_mark(x.trace, "one");
	x.write_err = -ENOSPC;
	assert_int_equal(trace_format_all(x.formatter), -ENOSPC);
	x.write_err = 0;
	assert_int_equal(trace_format_all(x.formatter), -ENOSPC);
	assert_int_equal(x.len, 0);
	traced_close(&x);
}

/* Each allocation fails in turn: an error, or everything is there; nothing in between. */
static void memory_fails(void **state)
{
	static const enum trace_format formats[] = { TRACE_FTRACE, TRACE_TREE, TRACE_JSONL };
	bool whole = false;

	for (uint64_t nth = 0; nth < 3 || !whole; nth++) {
		for (size_t i = 0; i < array_size(formats); i++) {
			struct traced x;
			int err;

			traced_open(&x, DIALECT_4_9);
			trace_mark(x.trace, "op_begin 1 a");
			for (int n = 0; n < 100; n++)
				trace(&x, jbd2_checkpoint, n);
			arena_fail_at(x.base.arena, nth);
			err = trace_formatter_create(x.trace, formats[i], take_text, &x,
						     &x.formatter);
			if (!err)
				err = trace_format_all(x.formatter);
			arena_fail_at(x.base.arena, UINT64_MAX);
			assert_true(!err || err == -ENOMEM);
			trace_formatter_destroy(x.formatter);
			x.formatter = NULL;
			if (!err)
				assert_non_null(strstr(x.text, "99"));
			whole = !err;
			traced_close(&x);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ftrace_lines),
		cmocka_unit_test(ftrace_tells_losses),
		cmocka_unit_test(trees_of_operations),
		cmocka_unit_test(tree_goes_on),
		cmocka_unit_test(trees_without_operations),
		cmocka_unit_test(tree_after_losses),
		cmocka_unit_test(json_lines),
		cmocka_unit_test(writer_fails),
		cmocka_unit_test(memory_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
