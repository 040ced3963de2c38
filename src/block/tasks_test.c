/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several tasks use one device at once, in each mode: on ranges of their own that share chunks,
 * each finds what it wrote; and a recording has all of it. The thread sanitizer runs this one too.
 */
#include <errno.h>
#include "base/random.h"
#include "base/sync_test.h"
#include "block/testing.h"

#define TASKS	4u
#define ROUNDS	400u
#define SECTORS 1024u			/* of the device; sector i belongs to task i mod TASKS */

struct user {
	struct block_device *d;
	unsigned nr;
	unsigned written[SECTORS]; /* the seed that its sector was last written with; 0: never */
	uint64_t writes, flushes;
};

static void use_one_sector(struct user *u, struct random *r, unsigned round)
{
	unsigned mine = u->nr + TASKS * random_below(r, SECTORS / TASKS);
	uint8_t got[512], want[512] = { 0 };

	if (u->written[mine])
		pattern_fill(want, mine * 512, 512, u->written[mine]);
	assert_int_equal(block_read(u->d, mine * 512, got, 512), 0);
	assert_memory_equal(got, want, 512);
	u->written[mine] = 1 + round;
	pattern_fill(got, mine * 512, 512, 1 + round);
	assert_int_equal(block_write(u->d, mine * 512, got, 512, round % 7 ? 0 : BLOCK_FUA), 0);
	u->writes++;
	if (round % 16 == 0) {
		assert_int_equal(block_flush(u->d), 0);
		u->flushes++;
	}
	task_yield();
}

static void use(void *arg)
{
	struct user *u = arg;
	struct random r;

	random_init_seed(&r, u->nr);
	for (unsigned round = 0; round < ROUNDS; round++)
		use_one_sector(u, &r, round);
}

static void use_by_all(struct fixture *f, struct block_device *d, struct user *users)
{
	struct task *tasks[TASKS];

	for (unsigned i = 0; i < TASKS; i++) {
		users[i] = (struct user){ .d = d, .nr = i };
		tasks[i] = spawn(f, "user", use, &users[i]);
	}
	for (unsigned i = 0; i < TASKS; i++)
		task_join(tasks[i]);
}

static void assert_all_there(struct block_device *d, const struct user *users)
{
	for (unsigned s = 0; s < SECTORS; s++) {
		unsigned seed = users[s % TASKS].written[s];

		if (seed)
			assert_pattern(d, s * 512, 512, seed);
		else
			assert_zeros(d, s * 512, 512);
	}
}

static struct block_device *file_device(struct arena *a)
{
	char path[TEMP_PATH_MAX];
	struct block_device *d;

	temp_file(path, SECTORS * 512);
	assert_int_equal(block_file_open(a, path, false, 0, 0, &d), 0);
	unlink(path);
	return d;
}

/* fault over stats over cow over memory */
static struct block_device *stack_of_filters(struct arena *a)
{
	struct block_device *d = mem_device(a, SECTORS * 512);

	assert_int_equal(block_cow_create(a, d, &d), 0);
	assert_int_equal(block_stats_create(a, d, &d), 0);
	assert_int_equal(block_fault_create(a, d, &d), 0);
	return d;
}

static void use_device(struct fixture *f, struct block_device *d)
{
	static struct user users[TASKS];

	use_by_all(f, d, users);
	assert_all_there(d, users);
	block_close(d);
}

static void on_memory(struct fixture *f)
{
	use_device(f, mem_device(f->arena, SECTORS * 512));
}

static void on_a_file(struct fixture *f)
{
	use_device(f, file_device(f->arena));
}

static void through_filters(struct fixture *f)
{
	use_device(f, stack_of_filters(f->arena));
}

/* Played again in its order, the recording makes the same device. */
static void recorded(struct fixture *f)
{
	static struct user users[TASKS];
	struct block_device *rec, *again = mem_device(f->arena, SECTORS * 512);
	uint64_t writes = 0, flushes = 0;

	assert_int_equal(block_record_create(f->arena, mem_device(f->arena, SECTORS * 512), &rec),
			 0);
	use_by_all(f, rec, users);
	for (size_t i = 0; i < block_record_count(rec); i++) {
		const struct block_record_entry *e = block_record_get(rec, i);

		writes += e->kind == RECORD_WRITE;
		flushes += e->kind == RECORD_FLUSH;
		if (e->kind == RECORD_WRITE)
			assert_int_equal(block_write(again, e->offset, e->data, e->len, 0), 0);
	}
	for (unsigned i = 0; i < TASKS; i++) {
		writes -= users[i].writes;
		flushes -= users[i].flushes;
	}
	assert_int_equal(writes, 0);
	assert_int_equal(flushes, 0);
	assert_same_contents(rec, again);
	block_close(again);
	block_close(rec);
}

static void in_memory(void **state)
{
	in_all_modes(on_memory);
}

static void in_a_file(void **state)
{
	in_all_modes(on_a_file);
}

static void filtered(void **state)
{
	in_all_modes(through_filters);
}

static void played_again(void **state)
{
	in_all_modes(recorded);
}

/* ---- a failed assertion */

struct late {
	struct fixture *f;
	struct block_device *d;
	pthread_barrier_t inside, poisoned;
};

/* It was in the mount when another task failed, and waits for nothing. */
static int write_late(void *arg)
{
	struct late *l = arg;
	uint8_t sector[512] = { 1 };

	(void)pthread_barrier_wait(&l->inside);
	(void)pthread_barrier_wait(&l->poisoned);
	assert_int_equal(block_write(l->d, 0, sector, sizeof(sector), 0), -EIO);
	assert_int_equal(block_write(l->d, 0, NULL, 0, BLOCK_PREFLUSH), -EIO);
	assert_int_equal(block_flush(l->d), -EIO);
	assert_int_equal(block_discard(l->d, 0, sizeof(sector)), -EIO);
	assert_int_equal(block_read(l->d, 0, sector, sizeof(sector)), 0);
	assert_int_equal(sector[0], 0);
	return 7;
}

static void *late_thread(void *arg)
{
	struct late *l = arg;

	assert_int_equal(task_call(l->f->sched, "late", write_late, l), 7);
	return NULL;
}

static int fail_now(void *arg)
{
	ensure(arg == NULL && "one and one are three");
	return 0;
}

static void who_is_on_the_way_writes_nothing(void **state)
{
	struct fixture f;
	struct late l = { .f = &f };
	pthread_t thread;

	fixture_open(&f, SCHED_THREADED, 0);
	fixture_handle_assertions(&f);
	assert_int_equal(block_mem_create(f.arena, 1 << 20, &l.d), 0);
	assert_int_equal(pthread_barrier_init(&l.inside, NULL, 2), 0);
	assert_int_equal(pthread_barrier_init(&l.poisoned, NULL, 2), 0);
	assert_int_equal(pthread_create(&thread, NULL, late_thread, &l), 0);
	(void)pthread_barrier_wait(&l.inside);
	assert_int_equal(task_call(f.sched, "test", fail_now, &l), -EIO);
	(void)pthread_barrier_wait(&l.poisoned);
	assert_int_equal(pthread_join(thread, NULL), 0);
	block_close(l.d);
	arena_expect_leaks(f.arena);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_memory),
		cmocka_unit_test(in_a_file),
		cmocka_unit_test(filtered),
		cmocka_unit_test(played_again),
		cmocka_unit_test(who_is_on_the_way_writes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
