/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Buffers, what several tasks see: one read for all who want a block, an error for all of them, no
 * look-up that misses what is there, no write behind a forget, and a model of random work that must
 * end with the same bytes on the device. Each in all modes, the model under many seeds:
 * EXTANT_SEEDS=10000 build/cache-buffer_race.
 */
#include <stdlib.h>

#include "cache/testing.h"

#define TASKS_MAX 8

struct crew {
	struct rig *r;
	struct task *tasks[TASKS_MAX];
	int count;
};

static void crew_start(struct crew *crew, struct rig *r, void (*fn)(void *arg), void *args,
		       size_t arg_bytes, int count)
{
	crew->r = r;
	crew->count = count;
	for (int i = 0; i < count; i++)
		crew->tasks[i] = spawn(&r->f, "worker", fn, (char *)args + (size_t)i * arg_bytes);
}

static void crew_join(struct crew *crew)
{
	for (int i = 0; i < crew->count; i++)
		task_join(crew->tasks[i]);
}

/* ---- several tasks want one block */

struct wish {
	struct rig *r;
	const struct buffer_kind *kind;
	int err;
};

static void wish_for_block_5(void *arg)
{
	struct buffer_owner owner = { 7, 0 };
	struct wish *w = arg;
	struct buffer *b;

	w->err = buffer_read(w->r->c, 5, w->kind, &owner, &b);
	if (!w->err)
		buffer_put(b);
}

static void run_one_read(struct rig *r)
{
	struct wish wishes[TASKS_MAX];
	struct crew crew;

	put_stamp(r, 5, "red", 7);
	for (int i = 0; i < TASKS_MAX; i++)
		wishes[i] = (struct wish){ r, &red, -1 };
	crew_start(&crew, r, wish_for_block_5, wishes, sizeof(wishes[0]), TASKS_MAX);
	crew_join(&crew);
	for (int i = 0; i < TASKS_MAX; i++)
		assert_int_equal(wishes[i].err, 0);
	assert_int_equal(device_stats(r).reads, 1);
	assert_int_equal(r->verified, 1);
}

static void tasks_that_want_a_block_read_it_once(void **state)
{
	with_rig(run_one_read, NO_LIMIT, 100, true);
}

/*
 * In threaded mode a task may come when the first read has failed already; then it tries for
 * itself.
 */
static void run_one_error(struct rig *r)
{
	struct wish wishes[TASKS_MAX];
	struct crew crew;
	struct buffer *b;

	put_stamp(r, 5, "red", 7);
	for (int i = 0; i < TASKS_MAX; i++)
		wishes[i] = (struct wish){ r, &red, -1 };
	block_fault_at(r->fault, FAULT_READ, 0, -EIO, true);
	crew_start(&crew, r, wish_for_block_5, wishes, sizeof(wishes[0]), TASKS_MAX);
	crew_join(&crew);
	for (int i = 0; i < TASKS_MAX; i++)
		assert_int_equal(wishes[i].err, -EIO);
	if (sched_mode(r->f.sched) == SCHED_INLINE)
		assert_int_equal(device_stats(r).reads, 1);
	block_fault_at(r->fault, FAULT_READ, UINT64_MAX, 0, false);
	b = buffer_find(r->c, 5);
	assert_false(b && b->state & BUFFER_UPTODATE);
	buffer_put(b);
}

static void tasks_that_want_a_block_share_its_error(void **state)
{
	with_rig(run_one_error, NO_LIMIT, 100, true);
}

static void run_two_kinds(struct rig *r)
{
	struct wish wishes[TASKS_MAX];
	struct crew crew;

	put_stamp(r, 5, "red", 7);
	for (int i = 0; i < TASKS_MAX; i++)
		wishes[i] = (struct wish){ r, i % 2 ? &blue : &red, -1 };
	crew_start(&crew, r, wish_for_block_5, wishes, sizeof(wishes[0]), TASKS_MAX);
	crew_join(&crew);
	for (int i = 0; i < TASKS_MAX; i++)
		assert_int_equal(wishes[i].err, i % 2 ? -EFSCORRUPTED : 0);
}

static void a_wrong_wish_does_not_harm_the_right_one(void **state)
{
	with_rig(run_two_kinds, NO_LIMIT, 100, true);
}

/* ---- look-ups while the hash grows */

struct seeker {
	struct rig *r;
	_Atomic uint64_t *inserted;	/* blocks below it are there and held */
};

static void seek(void *arg)
{
	struct seeker *s = arg;
	uint64_t limit;

	do {
		limit = atomic_load(s->inserted);
		for (uint64_t i = 0; i < limit; i += 1 + limit / 37) {
			struct buffer *b = buffer_find(s->r->c, i);

			ensure(b && b->block == i);
			buffer_put(b);
		}
		task_yield();
	} while (limit < 2000);
}

static void run_growth(struct rig *r)
{
	static struct buffer *held[2000];
	_Atomic uint64_t inserted = 0;
	struct seeker seekers[2] = { { r, &inserted }, { r, &inserted } };
	struct crew crew;

	crew_start(&crew, r, seek, seekers, sizeof(seekers[0]), 2);
	for (uint64_t i = 0; i < 2000; i++) {
		assert_int_equal(buffer_get(r->c, i, &held[i]), 0);
		atomic_store(&inserted, i + 1);
		if (i % 16 == 0)
			task_yield();
	}
	crew_join(&crew);
	for (uint64_t i = 0; i < 2000; i++)
		buffer_put(held[i]);
}

static void a_growing_hash_hides_nothing(void **state)
{
	with_rig(run_growth, NO_LIMIT, 2000, false);
}

/* ---- transfers under way */

static void write_all(void *arg)
{
	struct wish *w = arg;

	w->err = buffer_write_dirty(w->r->c);
}

static struct buffer *dirty_block(struct rig *r, uint64_t block)
{
	struct buffer_owner owner = { 7, 0 };
	struct buffer *b;

	assert_int_equal(buffer_create(r->c, block, &red, &owner, &b), 0);
	snprintf((char *)b->data, 8, "red");
	buffer_mark_dirty(b);
	return b;
}

static void run_two_writers(struct rig *r)
{
	struct wish wish = { r };
	struct buffer *b = dirty_block(r, 5);
	struct crew crew;

	crew_start(&crew, r, write_all, &wish, sizeof(wish), 1);
	task_yield();
	assert_int_equal(buffer_write_dirty(r->c), 0);	/* whoever writes it: now it is written */
	assert_string_equal(get_stamp(r, 5).kind, "red");
	crew_join(&crew);
	assert_int_equal(device_stats(r).writes, 1);
	buffer_put(b);
}

static void who_writes_all_waits_for_the_other_who_does(void **state)
{
	with_rig(run_two_writers, NO_LIMIT, 100, true);
}

static void run_forget_while_written(struct rig *r)
{
	struct wish wish = { r };
	struct buffer *b = dirty_block(r, 5);
	struct crew crew;

	crew_start(&crew, r, write_all, &wish, sizeof(wish), 1);
	task_yield();
	buffer_forget(r->c, 5);
	put_stamp(r, 5, "data", 0);		/* the block is something else now */
	crew_join(&crew);
	assert_string_equal(get_stamp(r, 5).kind, "data");
	buffer_put(b);
}

static void forget_waits_for_a_write_under_way(void **state)
{
	with_rig(run_forget_while_written, NO_LIMIT, 100, true);
}

static void run_change_while_written(struct rig *r)
{
	struct wish wish = { r };
	struct buffer *b = dirty_block(r, 5);
	struct crew crew;

	crew_start(&crew, r, write_all, &wish, sizeof(wish), 1);
	task_yield();
	buffer_wait_io(b);
	snprintf((char *)b->data, 8, "blue");
	buffer_mark_dirty(b);
	crew_join(&crew);
	assert_int_equal(buffer_write_dirty(r->c), 0);
	assert_string_equal(get_stamp(r, 5).kind, "blue");
	buffer_put(b);
}

static void a_change_behind_a_write_is_written_too(void **state)
{
	with_rig(run_change_while_written, NO_LIMIT, 100, true);
}

/* ---- random work against a model */

#define WORK_BLOCKS 256u

/* Task i owns the blocks with block % tasks == i; all read all. */
struct worker {
	struct rig *r;
	struct random random;
	uint32_t number, count, steps;
	uint64_t writes_done;
	char expected[WORK_BLOCKS][8];	/* of its own blocks */
};

static const struct buffer_owner work_owner = { 7, 0 };

/*
 * A block that is changed while it is written may be torn on the device until it is written again.
 * The thread sanitizer rightly calls that a race; for it, the two exclude each other.
 */
#ifdef __SANITIZE_THREAD__
#define EXCLUDE_WRITING(m) guard(m)
#else
#define EXCLUDE_WRITING(m) (void)(m)
#endif
static struct mutex writing;

static int work_write_all(struct rig *r)
{
	EXCLUDE_WRITING(&writing);
	return buffer_write_dirty(r->c);
}

static void work_change(struct worker *w, uint32_t block, struct buffer *b)
{
	EXCLUDE_WRITING(&writing);
	snprintf((char *)b->data + 64, 8, "%u", (uint32_t)++w->writes_done);
	snprintf(w->expected[block], 8, "%s", (char *)b->data + 64);
	buffer_mark_dirty(b);
}

static void work_write(struct worker *w, uint32_t block, bool fresh)
{
	struct buffer *b;
	int err = fresh ? buffer_create(w->r->c, block, &red, &work_owner, &b) :
			  buffer_read(w->r->c, block, &raw, NULL, &b);

	if (err == -EFSCORRUPTED)	/* still dirty, as another kind */
		return;
	ensure(!err);
	work_change(w, block, b);
	buffer_put(b);
}

static void work_step(struct worker *w)
{
	uint32_t any = random_below(&w->random, WORK_BLOCKS);
	uint32_t own = any - any % w->count + w->number;
	struct buffer *b;

	budget_throttle(w->r->budget);
	switch (random_below(&w->random, 8)) {
	case 0:
		if (own < WORK_BLOCKS)
			work_write(w, own, true);
		break;
	case 1:
		if (own < WORK_BLOCKS)
			work_write(w, own, false);
		break;
	case 2:
		if (own < WORK_BLOCKS && w->expected[own][0] == 0)
			buffer_forget(w->r->c, own);
		break;
	case 3:
		buffer_readahead(w->r->c, any, 8);
		break;
	case 4:
		if (random_below(&w->random, 4) == 0)
			ensure(work_write_all(w->r) == 0);
		break;
	default:
		if (buffer_read(w->r->c, any, NULL, NULL, &b))
			break;
		ensure(b->block == any && b->state & BUFFER_UPTODATE);
		buffer_put(b);
	}
}

static void work(void *arg)
{
	struct worker *w = arg;

	for (uint32_t i = 0; i < w->steps; i++)
		work_step(w);
}

static void check_device(struct rig *r, const struct worker *workers, uint32_t count)
{
	_Alignas(8) char bytes[BLOCK];

	for (uint32_t i = 0; i < WORK_BLOCKS; i++) {
		const char *expected = workers[i % count].expected[i];

		assert_int_equal(block_read(r->memory, (uint64_t)i * BLOCK, bytes, BLOCK), 0);
		assert_string_equal(bytes + 64, expected);
	}
}

static void work_pressure(void *arg)
{
	struct rig *r = arg;

	ensure(work_write_all(r) == 0);		/* in place of a flusher */
	budget_reclaim(r->budget);
}

static void random_work(enum sched_mode mode, uint64_t seed, uint32_t tasks, uint32_t steps)
{
	static struct worker workers[TASKS_MAX];
	static struct rig r;
	struct crew crew;

	rig_open(&r, mode, seed, 64 * BLOCK, WORK_BLOCKS, seed % 2);
	mutex_init(&writing, RANK_INODE);
	budget_on_pressure(r.budget, work_pressure, &r);
	memset(workers, 0, sizeof(workers));
	for (uint32_t i = 0; i < tasks; i++) {
		workers[i] =
			(struct worker){ .r = &r, .number = i, .count = tasks, .steps = steps };
		random_init_seed(&workers[i].random, seed * 100 + i);
	}
	crew_start(&crew, &r, work, workers, sizeof(workers[0]), (int)tasks);
	crew_join(&crew);
	mutex_fini(&writing);
	assert_int_equal(buffer_write_dirty(r.c), 0);
	check_device(&r, workers, tasks);
	rig_close(&r);
}

static void random_work_ends_with_the_right_bytes(void **state)
{
	const char *wanted = getenv("EXTANT_SEEDS");
	uint64_t seeds = wanted ? strtoull(wanted, NULL, 10) : 50;

	for (uint64_t seed = 1; seed <= seeds; seed++) {
		random_work(SCHED_SEEDED, seed, 2 + (uint32_t)(seed % 3), 300);
		if (seed % 10 == 0)
			random_work(SCHED_THREADED, seed, 4, 2000);
	}
	random_work(SCHED_INLINE, 1, 4, 1000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_that_want_a_block_read_it_once),
		cmocka_unit_test(tasks_that_want_a_block_share_its_error),
		cmocka_unit_test(a_wrong_wish_does_not_harm_the_right_one),
		cmocka_unit_test(a_growing_hash_hides_nothing),
		cmocka_unit_test(who_writes_all_waits_for_the_other_who_does),
		cmocka_unit_test(forget_waits_for_a_write_under_way),
		cmocka_unit_test(a_change_behind_a_write_is_written_too),
		cmocka_unit_test(random_work_ends_with_the_right_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
