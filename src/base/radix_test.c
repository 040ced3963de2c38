/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random changes against a plain list of numbers, dense and sparse; each allocation of an insertion
 * failed in turn; readers that look while a writer changes always find what stays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>

#include "base/radix.h"
#include "base/random.h"

enum { KEYS = 256 };

struct model {
	uint64_t keys[KEYS];		/* ascending */
	bool present[KEYS], tagged[RADIX_TAGS][KEYS];
	long entries[KEYS];
};

/* The numbers of a model: `spread` 0 in a row, else ever further apart up to the last of all. */
static void model_init(struct model *m, bool spread)
{
	memset(m, 0, sizeof(*m));
	for (uint64_t i = 0; i < KEYS; i++) {
		uint64_t top = i < 64 ? 0 : UINT64_MAX >> (KEYS - 1 - i) / 3;

		m->keys[i] = i;
		if (spread)
			m->keys[i] = i < 64 ? i * 37 : top - top / 4 * ((KEYS - 1 - i) % 3);
		if (i && m->keys[i] <= m->keys[i - 1])
			m->keys[i] = m->keys[i - 1] + 1;
	}
}

/* `tag` RADIX_TAGS: of all entries. */
static void check_next(const struct radix *r, const struct model *m, int from, enum radix_tag tag)
{
	const bool *wanted = tag < RADIX_TAGS ? m->tagged[tag] : m->present;
	uint64_t key = m->keys[from], before = key;
	void *entry = tag < RADIX_TAGS ? radix_next_tagged(r, &key, tag) : radix_next(r, &key);

	while (from < KEYS && !wanted[from])
		from++;
	if (from == KEYS) {
		assert_null(entry);
		assert_true(key == before);
	} else {
		assert_ptr_equal(entry, &m->entries[from]);
		assert_true(key == m->keys[from]);
	}
}

static void check_tag(const struct radix *r, const struct model *m, enum radix_tag tag)
{
	int seen = 0, count = 0;
	uint64_t key;
	void *entry;

	for (int i = 0; i < KEYS; i++) {
		assert_int_equal(radix_tagged(r, m->keys[i], tag), m->tagged[tag][i]);
		check_next(r, m, i, tag);
		count += m->tagged[tag][i];
	}
	radix_for_each_tagged(entry, key, r, tag)
		seen++;
	assert_int_equal(seen, count);
	assert_int_equal(radix_any_tagged(r, tag), count != 0);
}

static void check_all(const struct radix *r, const struct model *m)
{
	int seen = 0, count = 0;
	uint64_t key;
	void *entry;

	for (int i = 0; i < KEYS; i++) {
		assert_ptr_equal(radix_lookup(r, m->keys[i]),
				 m->present[i] ? &m->entries[i] : NULL);
		check_next(r, m, i, RADIX_TAGS);
		count += m->present[i];
	}
	radix_for_each(entry, key, r)
		seen++;
	assert_int_equal(seen, count);
	assert_int_equal(radix_empty(r), count == 0);
	for (enum radix_tag tag = 0; tag < RADIX_TAGS; tag++)
		check_tag(r, m, tag);
}

static void forget(struct model *m, uint32_t i)
{
	m->present[i] = false;
	for (enum radix_tag tag = 0; tag < RADIX_TAGS; tag++)
		m->tagged[tag][i] = false;
}

static void change(struct radix *r, struct model *m, struct random *rnd)
{
	uint32_t i = random_below(rnd, KEYS);
	enum radix_tag tag = random_below(rnd, RADIX_TAGS);
	uint64_t key = m->keys[i];

	switch (random_below(rnd, 5)) {
	case 0:
	case 1:
		assert_int_equal(radix_insert(r, key, &m->entries[i]), m->present[i] ? -EEXIST : 0);
		m->present[i] = true;
		break;
	case 2:
		assert_ptr_equal(radix_remove(r, key), m->present[i] ? &m->entries[i] : NULL);
		forget(m, i);
		break;
	case 3:
		if (m->present[i])
			radix_set_tag(r, key, tag);
		m->tagged[tag][i] = m->present[i];
		break;
	default:
		radix_clear_tag(r, key, tag);
		m->tagged[tag][i] = false;
	}
}

static void empty_out(struct radix *r, struct model *m)
{
	for (int i = 0; i < KEYS; i++) {
		radix_remove(r, m->keys[i]);
		forget(m, (uint32_t)i);
		if (i % 16 == 0)
			check_all(r, m);
	}
	assert_true(radix_empty(r));
	assert_int_equal(arena_bytes(r->arena), 0);
}

static void random_changes(bool spread)
{
	struct arena *a = arena_create();
	static struct model m;
	struct random rnd;
	struct radix r;

	model_init(&m, spread);
	assert_true(!spread || m.keys[KEYS - 1] == UINT64_MAX);
	radix_init(&r, a, NULL);
	random_init_seed(&rnd, spread);
	for (int round = 0; round < 3; round++) {
		for (int step = 0; step < 3000; step++) {
			change(&r, &m, &rnd);
			if (step % 50 == 0)
				check_all(&r, &m);
		}
		empty_out(&r, &m);
	}
	assert_int_equal(radix_insert(&r, m.keys[KEYS - 1], &m), 0);
	radix_fini(&r);
	arena_destroy(a);
}

static void changes_in_a_row(void **state)
{
	random_changes(false);
}

static void changes_far_apart(void **state)
{
	random_changes(true);
}

static void a_lone_entry_at_zero_needs_no_node(void **state)
{
	struct arena *a = arena_create();
	struct radix r;
	long one, two;

	radix_init(&r, a, NULL);
	assert_int_equal(radix_insert(&r, 0, &one), 0);
	radix_set_tag(&r, 0, RADIX_TAG_1);
	assert_int_equal(arena_bytes(a), 0);
	assert_int_equal(radix_insert(&r, 7, &two), 0);
	assert_true(arena_bytes(a) > 0);
	assert_true(radix_tagged(&r, 0, RADIX_TAG_1));
	assert_false(radix_tagged(&r, 7, RADIX_TAG_1));
	radix_replace(&r, 7, &one);
	assert_ptr_equal(radix_remove(&r, 7), &one);
	assert_int_equal(arena_bytes(a), 0);
	assert_true(radix_tagged(&r, 0, RADIX_TAG_1));
	radix_replace(&r, 0, &two);
	assert_true(radix_tagged(&r, 0, RADIX_TAG_1));
	assert_ptr_equal(radix_remove(&r, 0), &two);
	assert_int_equal(radix_insert(&r, 0, &one), 0);
	assert_false(radix_any_tagged(&r, RADIX_TAG_0));
	assert_false(radix_any_tagged(&r, RADIX_TAG_1));
	radix_fini(&r);
	arena_destroy(a);
}

static void a_failed_insertion_changes_nothing(void **state)
{
	static const uint64_t keys[] = { 0, 5, 64, 1000000, 1ULL << 63, UINT64_MAX };
	struct arena *a = arena_create();
	static struct model m;
	struct radix r;

	model_init(&m, true);
	radix_init(&r, a, NULL);
	for (size_t with = 0; with <= KEYS; with += KEYS / 4) {
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
			size_t before = arena_bytes(a);
			uint64_t nth = 0;

			if (radix_lookup(&r, keys[i]))
				continue;
			for (;; nth++) {
				arena_fail_at(a, nth);
				if (!radix_insert(&r, keys[i], &m.entries[0]))
					break;
				assert_int_equal(arena_bytes(a), before);
				assert_null(radix_lookup(&r, keys[i]));
			}
			arena_fail_at(a, UINT64_MAX);
			assert_ptr_equal(radix_remove(&r, keys[i]), &m.entries[0]);
			assert_int_equal(arena_bytes(a), before);
		}
		for (size_t i = with; i < with + KEYS / 4 && i < KEYS; i++)
			assert_int_equal(radix_insert(&r, m.keys[i], &m.entries[i]), 0);
	}
	radix_fini(&r);
	arena_destroy(a);
}

/* ---- readers beside a writer; retired nodes are kept to the end */

static struct epoch_node *graveyard;

static void keep(struct epoch_node *node, void (*fn)(struct epoch_node *node))
{
	node->fn = fn;
	node->next = graveyard;
	graveyard = node;
}

struct reading {
	struct radix *r;
	struct model *m;
	_Atomic bool stop;
	bool wrong;
};

/* Entries with even places stay all the time. */
static void *read_all_the_time(void *arg)
{
	struct reading *reading = arg;

	while (!atomic_load(&reading->stop)) {
		for (int i = 0; i < KEYS; i += 2) {
			uint64_t key = reading->m->keys[i];

			if (radix_lookup(reading->r, key) != &reading->m->entries[i] ||
			    radix_next(reading->r, &key) != &reading->m->entries[i])
				reading->wrong = true;
		}
	}
	return NULL;
}

static void readers_find_what_stays(bool spread)
{
	struct arena *a = arena_create();
	static struct model m;
	struct reading reading = { .m = &m };
	struct random rnd;
	struct radix r;
	pthread_t thread;

	model_init(&m, spread);
	radix_init(&r, a, keep);
	reading.r = &r;
	for (int i = 0; i < KEYS; i += 2)
		assert_int_equal(radix_insert(&r, m.keys[i], &m.entries[i]), 0);
	assert_int_equal(pthread_create(&thread, NULL, read_all_the_time, &reading), 0);
	random_init_seed(&rnd, 9);
	for (int step = 0; step < 5000; step++) {
		uint32_t i = random_below(&rnd, KEYS) | 1;

		if (!radix_remove(&r, m.keys[i]))
			assert_int_equal(radix_insert(&r, m.keys[i], &m.entries[i]), 0);
	}
	atomic_store(&reading.stop, true);
	pthread_join(thread, NULL);
	assert_false(reading.wrong);
	radix_fini(&r);
	while (graveyard) {
		struct epoch_node *node = graveyard;

		graveyard = node->next;
		node->fn(node);
	}
	arena_destroy(a);
}

static void readers_beside_a_writer(void **state)
{
	readers_find_what_stays(false);
	readers_find_what_stays(true);
}

/* The entry at 0 moves between root and node all the time, and is always found. */
static void *read_zero(void *arg)
{
	struct reading *reading = arg;

	while (!atomic_load(&reading->stop)) {
		uint64_t key = 0;

		if (!radix_lookup(reading->r, 0) || !radix_next(reading->r, &key) || key)
			reading->wrong = true;
	}
	return NULL;
}

static void a_reader_finds_a_moving_entry(void **state)
{
	struct arena *a = arena_create();
	struct reading reading = { 0 };
	struct radix r;
	pthread_t thread;
	long entry;

	radix_init(&r, a, keep);
	reading.r = &r;
	assert_int_equal(radix_insert(&r, 0, &entry), 0);
	assert_int_equal(pthread_create(&thread, NULL, read_zero, &reading), 0);
	for (int step = 0; step < 3000; step++) {
		assert_int_equal(radix_insert(&r, step % 2 ? 5 : 5000, &entry), 0);
		assert_ptr_equal(radix_remove(&r, step % 2 ? 5 : 5000), &entry);
	}
	atomic_store(&reading.stop, true);
	pthread_join(thread, NULL);
	assert_false(reading.wrong);
	radix_fini(&r);
	while (graveyard) {
		struct epoch_node *node = graveyard;

		graveyard = node->next;
		node->fn(node);
	}
	arena_destroy(a);
}

static void runs_end_at_the_first_gap(void **state)
{
	struct arena *a = arena_create();
	struct radix r;
	static int entries[200];
	void *out[64];

	radix_init(&r, a, NULL);
	assert_int_equal(radix_lookup_run(&r, 0, out, 1), 0);
	assert_int_equal(radix_insert(&r, 0, &entries[0]), 0);
	assert_int_equal(radix_lookup_run(&r, 0, out, 3), 1);	/* a lone entry */
	assert_ptr_equal(out[0], &entries[0]);
	assert_int_equal(radix_lookup_run(&r, 1, out, 3), 0);
	for (uint64_t key = 1; key < 200; key++) {
		if (key != 100)
			assert_int_equal(radix_insert(&r, key, &entries[key]), 0);
	}
	assert_int_equal(radix_lookup_run(&r, 0, out, 10), 10);
	assert_int_equal(radix_lookup_run(&r, 60, out, 10), 4);	/* to the end of a node */
	assert_int_equal(radix_lookup_run(&r, 90, out, 64), 10);	/* to the gap */
	assert_ptr_equal(out[9], &entries[99]);
	assert_int_equal(radix_lookup_run(&r, 100, out, 64), 0);
	assert_int_equal(radix_lookup_run(&r, 1000000, out, 64), 0);
	radix_prefetch(&r, 50);
	radix_prefetch(&r, 1000000);
	radix_fini(&r);
	arena_destroy(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_in_a_row),
		cmocka_unit_test(changes_far_apart),
		cmocka_unit_test(a_lone_entry_at_zero_needs_no_node),
		cmocka_unit_test(a_failed_insertion_changes_nothing),
		cmocka_unit_test(runs_end_at_the_first_gap),
		cmocka_unit_test(readers_beside_a_writer),
		cmocka_unit_test(a_reader_finds_a_moving_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
