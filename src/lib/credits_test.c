/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fallocate makes many extents in one call, and the tree grows on the way: the handles of the later
 * ones ask for the credits of the tree as it is by then.
 */
#include <linux/falloc.h>
#include "lib/fault_testing.h"
#include "trace/text.h"

#define BLOCK	1024
#define PIECES	400
#define WANTED	(300 * BLOCK)	/* more than the allocator holds back in one piece */

/* What the handles of fallocate asked for. */
struct asked {
	int first, last;
};

static int take(void *arg, const char *text, size_t len)
{
	static const char event[] = "ext4_journal_start:", blocks[] = "blocks, ";
	struct asked *a = arg;
	char *copy = strndup(text, len), *rest = copy;

	assert_non_null(copy);
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		const char *n = strstr(line, event) ? strstr(line, blocks) : NULL;

		if (!n || !strstr(line, "ext4_alloc_file_blocks"))
			continue;
		a->last = atoi(n + strlen(blocks));
		a->first = a->first ? a->first : a->last;
	}
	free(copy);
	return 0;
}

static struct extant *mount_traced(struct rig *r, struct trace *trace)
{
	struct extant_options opt;
	struct lib_mount_args args = { .image = image,
				       .opt = &opt,
				       .clock = &r->clock,
				       .device = r->fault,
				       .trace = trace };
	struct extant *x = NULL;

	extant_options_init(&opt);
	opt.mode = EXTANT_INLINE;
	opt.mount_options = "dialect=4.9";
	assert_int_equal(lib_mount(&args, &x), 0);
	return x;
}

/* The disk is full but for single blocks. */
static void break_space_up(struct extant *x)
{
	int fd = open_file(x, "/a");
	int64_t len = 8 << 20;

	while (extant_fallocate(x, fd, 0, 0, len))
		len -= BLOCK;
	for (int i = 0; i < PIECES; i++)
		assert_int_equal(extant_fallocate(x, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
						  (2 * i + 1) * BLOCK, BLOCK), 0);
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_sync(x), 0);
}

static void credits_follow_the_tree(void **state)
{
	struct asked asked = { 0 };
	struct trace_formatter *formatter;
	struct trace *trace;
	struct extant *x;
	struct rig r;
	int fd;

	(void)state;
	make_image("-b 1024 -J size=1", "8M");
	rig_init(&r);
	assert_int_equal(trace_create(r.arena, &(struct trace_options){ .dialect = DIALECT_4_9,
									.clock = &r.clock },
				      &trace), 0);
	x = mount_traced(&r, trace);
	break_space_up(x);
	fd = open_file(x, "/b");
	assert_int_equal(trace_enable(trace, "ext4_journal_start", true), 0);
	assert_int_equal(trace_formatter_create(trace, TRACE_FTRACE, take, &asked, &formatter), 0);
	assert_int_equal(extant_fallocate(x, fd, 0, 0, WANTED), 0);
	assert_int_equal(trace_format_all(formatter), 0);
	assert_true(asked.first > 0 && asked.last > asked.first);
	trace_formatter_destroy(formatter);
	assert_int_equal(extant_close(x, fd), 0);
	assert_int_equal(extant_unmount(x), 0);
	trace_destroy(trace);
	assert_sound(&r);
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(credits_follow_the_tree),
	};
	int failed = prepare_test();

	return failed ? failed : run_image_tests(tests);
}
