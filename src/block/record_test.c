/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A recording has every call that succeeded, with its bytes, in an order that says what was stable:
 * a flush stands where it began, whatever was written while it was under way stands behind it.
 */
#include "base/sync_test.h"
#include "block/testing.h"

#include <errno.h>

#define SIZE MiB(1)

static struct block_device *record_over(struct arena *a, struct block_device *lower)
{
	struct block_device *rec;

	assert_int_equal(block_record_create(a, lower, &rec), 0);
	return rec;
}

/* The recording in short: "W512+1024", "F", "D0+512", a mark's text; P, U behind a W: flags. */
static const char *summary(struct block_device *rec)
{
	static char text[1000];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < block_record_count(rec); i++) {
		const struct block_record_entry *e = block_record_get(rec, i);
		char *at = text + len;
		size_t room = sizeof(text) - len;

		if (e->kind == RECORD_FLUSH)
			len += (size_t)snprintf(at, room, " F");
		else if (e->kind == RECORD_MARK)
			len += (size_t)snprintf(at, room, " %s", (const char *)e->data);
		else
			len += (size_t)snprintf(at, room, " %s%s%s%lu+%lu",
						e->kind == RECORD_DISCARD ? "D" : "W",
						e->flags & BLOCK_PREFLUSH ? "P" : "",
						e->flags & BLOCK_FUA ? "U" : "", e->offset, e->len);
	}
	return text;
}

static void all_kinds_in_order(void **state)
{
	struct block_device *rec = record_over(*state, mem_device(*state, SIZE));
	uint8_t buf[1024] = { 0 };

	assert_int_equal(block_record_count(rec), 0);
	write_pattern(rec, 512, 1024, 1);
	assert_int_equal(block_flush(rec), 0);
	assert_int_equal(block_record_mark(rec, "mark"), 0);
	assert_int_equal(block_discard(rec, KiB(64), KiB(8)), 0);
	assert_int_equal(block_write(rec, 0, buf, 512, BLOCK_FUA | BLOCK_META), 0);
	assert_int_equal(block_write(rec, 0, buf, 512, BLOCK_FUA | BLOCK_PREFLUSH | BLOCK_SYNC), 0);
	assert_int_equal(block_write(rec, 0, buf, 0, BLOCK_PREFLUSH), 0);
	assert_int_equal(block_write(rec, 0, buf, 0, 0), 0);
	assert_int_equal(block_read(rec, 0, buf, 1024), 0);
	assert_int_equal(block_record_mark(rec, ""), 0);
	assert_string_equal(summary(rec), " W512+1024 F mark D65536+8192 WU0+512 WPU0+512 F ");
	assert_int_equal(block_record_get(rec, 4)->flags, BLOCK_FUA | BLOCK_META);
	assert_int_equal(block_record_get(rec, 5)->flags, BLOCK_FUA | BLOCK_PREFLUSH);
	assert_int_equal(block_record_get(rec, 2)->len, 4);
	block_close(rec);
}

/* The bytes are those of the call, from all pieces, whatever becomes of the buffer. */
static void bytes_are_copied(void **state)
{
	struct block_device *rec = record_over(*state, mem_device(*state, SIZE));
	uint8_t buf[1024];
	const struct iovec iov[] = { { buf, 3 }, { buf + 3, 0 }, { buf + 3, 1021 } };
	const struct block_io io = { .offset = 1536, .iov = iov, .iov_count = 3 };

	for (unsigned i = 0; i < 200; i++) {
		pattern_fill(buf, 1536, 1024, i);
		assert_int_equal(block_writev(rec, &io), 0);
	}
	for (unsigned i = 0; i < 200; i++) {
		pattern_fill(buf, 1536, 1024, i);
		assert_memory_equal(block_record_get(rec, i)->data, buf, 1024);
	}
	assert_pattern(rec, 1536, 1024, 199);
	block_close(rec);
}

static void what_fails_is_not_kept(void **state)
{
	struct block_device *fault, *rec;
	uint8_t buf[512] = { 0 };

	assert_int_equal(block_fault_create(*state, mem_device(*state, SIZE), &fault), 0);
	rec = record_over(*state, fault);
	block_fault_at(fault, FAULT_ANY, 0, -EIO, true);
	assert_int_equal(block_write(rec, 0, buf, 512, 0), -EIO);
	assert_int_equal(block_flush(rec), -EIO);
	assert_int_equal(block_discard(rec, 0, 512), -EIO);
	block_fault_clear(fault);
	assert_int_equal(block_record_count(rec), 0);
	assert_int_equal(block_write(rec, 0, buf, 512, 0), 0);
	assert_string_equal(summary(rec), " W0+512");
	block_close(rec);
}

/* Without memory for the entry nothing happens below either. */
static void no_memory_no_call(void **state)
{
	struct arena *a = arena_create();
	struct block_device *fault, *rec;
	uint8_t buf[512] = { 0 };
	uint64_t calls = 0;

	assert_int_equal(block_fault_create(*state, mem_device(*state, SIZE), &fault), 0);
	rec = record_over(a, fault);
	for (unsigned nth = 0; nth < 3; nth++) {
		arena_fail_at(a, nth);
		if (!block_write(rec, 0, buf, 512, 0))
			calls++;
		arena_fail_at(a, nth);
		if (!block_flush(rec))
			calls++;
		arena_fail_at(a, UINT64_MAX);
		assert_int_equal(block_fault_calls(fault), calls);
		assert_int_equal(block_record_count(rec), calls);
	}
	assert_true(calls > 0);
	block_close(rec);
	arena_destroy(a);
}

/* ---- calls side by side: each takes time, in the virtual time of an inline scheduler */

struct script {				/* at `at_ms`, the call `what` */
	int at_ms;
	char what; /* f: flush, w: write, u: with FUA, p: with PREFLUSH, m: mark */
};

struct run {
	struct block_device *rec;
	const struct script *step;
	uint64_t offset;
};

static void do_step(void *arg)
{
	const struct run *r = arg;
	uint8_t buf[512] = { 0 };
	int err;

	task_sleep(r->step->at_ms * NSEC_PER_MSEC);
	if (r->step->what == 'f')
		err = block_flush(r->rec);
	else if (r->step->what == 'm')
		err = block_record_mark(r->rec, "m");
	else
		err = block_write(r->rec, r->offset, buf, 512,
				  r->step->what == 'u' ? BLOCK_FUA :
				  r->step->what == 'p' ? BLOCK_PREFLUSH : 0u);
	assert_int_equal(err, 0);
}

/* A flush takes 100 ms, a write 10, one with a flag 110. Step i writes sector i. */
static void assert_order(const struct script *steps, unsigned count, const char *want)
{
	struct run runs[8];
	struct task *tasks[8];
	struct block_device *delay, *rec;
	struct fixture f;

	fixture_open(&f, SCHED_INLINE, 0);
	assert_int_equal(block_delay_create(f.arena, mem_device(f.arena, SIZE), 0,
					    10 * NSEC_PER_MSEC, 100 * NSEC_PER_MSEC, &delay), 0);
	rec = record_over(f.arena, delay);
	for (unsigned i = 0; i < count; i++) {
		runs[i] = (struct run){ .rec = rec, .step = &steps[i], .offset = 512 * i };
		tasks[i] = spawn(&f, "step", do_step, &runs[i]);
	}
	for (unsigned i = 0; i < count; i++)
		task_join(tasks[i]);
	assert_string_equal(summary(rec), want);
	block_close(rec);
	fixture_close(&f);
}

#define order(want, ...) \
	do { \
		static const struct script steps_[] = { __VA_ARGS__ }; \
		assert_order(steps_, array_size(steps_), want); \
	} while (0)

static void a_flush_stands_where_it_began(void **state)
{
	/* the write returns during the flush, and at its end */
	order(" F W512+512", { 0, 'f' }, { 50, 'w' });
	order(" F W512+512", { 0, 'f' }, { 95, 'w' });
	/* it returned before, or is still on its way */
	order(" W0+512 F", { 0, 'w' }, { 20, 'f' });
	order(" F W0+512", { 0, 'w' }, { 5, 'f' });
	/* a mark made meanwhile stands behind it too */
	order(" W0+512 F m W1536+512", { 0, 'w' }, { 20, 'f' }, { 30, 'm' }, { 60, 'w' });
}

static void flushes_side_by_side(void **state)
{
	/* 0: F, 20-30: W, 50: F, 60-70: W; the second flush returns after the first */
	order(" F W512+512 F W1536+512", { 0, 'f' }, { 20, 'w' }, { 50, 'f' }, { 60, 'w' });
	order(" W0+512 F F W1536+512", { 0, 'w' }, { 20, 'f' }, { 50, 'f' }, { 60, 'w' });
}

/* Alone it is one entry. Else its flush stands where it began and its write where it returned. */
static void a_write_that_flushes(void **state)
{
	order(" W0+512 WP512+512", { 0, 'w' }, { 20, 'p' });
	order(" WP0+512 W512+512", { 0, 'p' }, { 105, 'w' });
	order(" F W512+512 W0+512", { 0, 'p' }, { 20, 'w' });
	order(" F W1024+512 F W0+512 W1536+512", { 0, 'p' }, { 40, 'f' }, { 20, 'w' },
	      { 115, 'w' });
	/* neither of two that began together makes the other stable */
	order(" F WP0+512 W512+512", { 0, 'p' }, { 5, 'p' });
	order(" F F W512+512", { 0, 'f' }, { 5, 'p' });
}

static void a_forced_write_stands_where_it_returned(void **state)
{
	order(" W512+512 WU0+512", { 0, 'u' }, { 50, 'w' });
	order(" WU0+512 W512+512", { 0, 'u' }, { 105, 'w' });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_with_arena(all_kinds_in_order),
		test_with_arena(bytes_are_copied),
		test_with_arena(what_fails_is_not_kept),
		test_with_arena(no_memory_no_call),
		cmocka_unit_test(a_flush_stands_where_it_began),
		cmocka_unit_test(flushes_side_by_side),
		cmocka_unit_test(a_write_that_flushes),
		cmocka_unit_test(a_forced_write_stands_where_it_returned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
