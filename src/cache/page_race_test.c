/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages, what several tasks see: writers, readers, a flusher, truncation and reclaim at once. Each
 * page holds its index and a number that its writers raise under its lock; what was written last is
 * what the model of the file has in the end, whether it is in memory or was written and reclaimed.
 * Under many seeds: EXTANT_SEEDS=10000 build/cache-page_race.
 */
#include <stdlib.h>

#include "cache/page_testing.h"

#define FILE_PAGES 64u
#define TASKS_MAX 8

/* The file as it is on its disk: page `index` holds `disk[index]`. */
struct shared {
	struct page_rig *r;
	_Atomic uint64_t disk[FILE_PAGES];
	_Atomic uint64_t last[FILE_PAGES];	/* what was written last; with the page lock */
	_Atomic bool stop;
};

struct worker {
	struct shared *s;
	struct random random;
	uint32_t steps;
};

static uint64_t *value_of(struct page *p)
{
	return (uint64_t *)(void *)p->data;
}

/* Locked, uptodate and referenced; filled from the disk if it was not. */
static struct page *get_page(struct shared *s, uint64_t index)
{
	struct page *p;

	ensure(page_find_or_create(&s->r->m, index, &p) == 0);
	ensure(p->index == index && p->mapping == &s->r->m);
	if (!(atomic_load(&p->state) & PAGE_UPTODATE)) {
		value_of(p)[0] = index;
		value_of(p)[1] = s->disk[index];
		page_mark_uptodate(p);
	}
	return p;
}

static void write_page(struct shared *s, uint64_t index)
{
	struct page *p = get_page(s, index);

	page_wait_writeback(p);		/* its read would be a race */
	value_of(p)[1]++;
	s->last[index] = value_of(p)[1];
	page_mark_dirty(p);
	page_unlock(p);
	page_put(p);
}

static void read_page(struct shared *s, uint64_t index)
{
	struct page *p = page_find(&s->r->m, index);

	if (!p)
		p = get_page(s, index);
	else
		page_lock(p);
	if (atomic_load(&p->state) & PAGE_UPTODATE && !(atomic_load(&p->state) & PAGE_REMOVED)) {
		ensure(value_of(p)[0] == index);
		ensure(value_of(p)[1] == s->last[index]);
	}
	page_unlock(p);
	page_put(p);
}

static void write_back_one(struct shared *s, struct page *p)
{
	uint64_t value, index = p->index;

	page_lock(p);
	page_wait_writeback(p);
	if (atomic_load(&p->state) & PAGE_REMOVED || !page_clear_dirty(p)) {
		page_unlock(p);
		return;
	}
	page_start_writeback(p);
	value = value_of(p)[1];
	page_unlock(p);
	task_sleep(1000);
	s->disk[index] = value;
	page_end_writeback(p, 0);
}

static void write_back(struct shared *s)
{
	struct page *found[4];
	uint64_t at = 0;
	int count;

	while ((count = page_find_tagged(&s->r->m, &at, UINT64_MAX, MAPPING_TAG_DIRTY, found, 4))) {
		for (int i = 0; i < count; i++)
			write_back_one(s, found[i]);
		put_all(found, count);
	}
	mapping_wait_writeback(&s->r->m, 0, UINT64_MAX);
}

/* What is not on the disk is lost: for the model too. */
static void forget_change(void *arg, struct page *p)
{
	struct shared *s = arg;

	s->last[p->index] = s->disk[p->index];
}

static void step(struct worker *w)
{
	struct shared *s = w->s;
	uint64_t index = random_below(&w->random, FILE_PAGES);

	budget_throttle(s->r->rig.budget);
	switch (random_below(&w->random, 16)) {
	case 0:
		write_back(s);
		break;
	case 1:
		mapping_remove_pages(&s->r->m, index, index + 3, forget_change, s);
		break;
	case 2:
		budget_reclaim(s->r->rig.budget);
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		write_page(s, index);
		break;
	default:
		read_page(s, index);
	}
}

static void work(void *arg)
{
	struct worker *w = arg;

	for (uint32_t i = 0; i < w->steps; i++)
		step(w);
}

static void flush(void *arg)
{
	write_back(arg);
}

static void check_end(struct shared *s)
{
	struct mapping *m = &s->r->m;

	write_back(s);
	for (uint64_t i = 0; i < FILE_PAGES; i++) {
		assert_int_equal(s->disk[i], s->last[i]);
		read_page(s, i);
	}
	assert_int_equal(m->dirty_count, 0);
	assert_int_equal(m->writeback_count, 0);
	assert_false(radix_any_tagged(&m->pages, MAPPING_TAG_DIRTY));
	assert_false(radix_any_tagged(&m->pages, MAPPING_TAG_WRITEBACK));
	assert_int_equal(m->page_count, FILE_PAGES);
}

/* What the scheduler did, in a number. */
static uint64_t random_work(enum sched_mode mode, uint64_t seed, uint32_t count, uint32_t steps)
{
	static struct page_rig r;
	static struct shared s;
	struct worker workers[TASKS_MAX];
	struct task *tasks[TASKS_MAX];
	struct sched_stats stats;

	page_rig_open(&r, mode, seed, (size_t)32 * 4096);	/* half of the file */
	memset(&s, 0, sizeof(s));
	s.r = &r;
	budget_on_pressure(r.rig.budget, flush, &s);
	for (uint32_t i = 0; i < count; i++) {
		workers[i] = (struct worker){ .s = &s, .steps = steps };
		random_init_seed(&workers[i].random, seed * 100 + i);
		tasks[i] = spawn(&r.rig.f, "worker", work, &workers[i]);
	}
	for (uint32_t i = 0; i < count; i++)
		task_join(tasks[i]);
	check_end(&s);
	sched_get_stats(r.rig.f.sched, &stats);
	page_rig_close(&r);
	return stats.switch_hash;
}

static void random_work_ends_with_the_right_bytes(void **state)
{
	const char *wanted = getenv("EXTANT_SEEDS");
	uint64_t seeds = wanted ? strtoull(wanted, NULL, 10) : 50;

	for (uint64_t seed = 1; seed <= seeds; seed++) {
		random_work(SCHED_SEEDED, seed, 2 + (uint32_t)(seed % 3), 200);
		if (seed % 10 == 0)
			random_work(SCHED_THREADED, seed, 4, 2000);
	}
	random_work(SCHED_INLINE, 1, 4, 1000);
}

static void a_seed_repeats_its_run(void **state)
{
	uint64_t hash = random_work(SCHED_SEEDED, 7, 3, 300);

	assert_int_equal(random_work(SCHED_SEEDED, 7, 3, 300), hash);
	assert_int_not_equal(random_work(SCHED_SEEDED, 8, 3, 300), hash);
}

/* ---- look-ups take no lock */

struct looker {
	struct page_rig *r;
	uint64_t found;
};

static void look_up(void *arg)
{
	struct looker *l = arg;

	for (uint32_t i = 0; i < 20000; i++) {
		struct page *p = page_find(&l->r->m, i % FILE_PAGES);
		struct buffer *b = buffer_find(l->r->rig.c, i % 100);

		l->found += p && b;
		page_put(p);
		buffer_put(b);
	}
}

static void run_lookups(struct page_rig *r)
{
	struct looker lookers[2] = { { r }, { r } };
	struct sched_stats before, after;
	struct task *tasks[2];
	struct buffer *b;

	for (uint64_t i = 0; i < 100; i++) {
		make_page(r, i, PAGE_UPTODATE);
		assert_int_equal(buffer_get(r->rig.c, i, &b), 0);
		buffer_put(b);
	}
	sched_get_stats(r->rig.f.sched, &before);
	for (int i = 0; i < 2; i++)
		tasks[i] = spawn(&r->rig.f, "looker", look_up, &lookers[i]);
	for (int i = 0; i < 2; i++) {
		task_join(tasks[i]);
		assert_int_equal(lookers[i].found, 20000);
	}
	sched_get_stats(r->rig.f.sched, &after);
	assert_int_equal(after.lock_waits, before.lock_waits);
}

static void a_cached_look_up_waits_for_nothing(void **state)
{
	with_pages(run_lookups, NO_LIMIT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_work_ends_with_the_right_bytes),
		cmocka_unit_test(a_seed_repeats_its_run),
		cmocka_unit_test(a_cached_look_up_waits_for_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
