/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pieces and blocks do not overlap and keep their bytes under random use, by one thread and by
 * several that free each other's; counters are exact; each allocation fails by number; what is
 * empty goes back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>

#include <pthread.h>

#include "base/alloc.h"
#include "base/alloc_internal.h"
#include "base/random.h"

static bool filled_with(const void *p, int byte, size_t size)
{
	const uint8_t *at = p;

	for (size_t i = 0; i < size; i++)
		if (at[i] != (uint8_t)byte)
			return false;
	return true;
}

static void pieces_of_all_sizes_are_aligned_and_apart(void **state)
{
	enum { COUNT = 5000 };
	static void *pieces[COUNT];
	struct arena *a = arena_create();
	size_t sum = 0;

	for (size_t size = 0; size < COUNT; size++) {
		pieces[size] = arena_alloc(a, size);
		assert_non_null(pieces[size]);
		assert_int_equal((uintptr_t)pieces[size] % 16, 0);
		memset(pieces[size], (int)size, size);
		sum += size;
		assert_int_equal(arena_bytes(a), sum);
	}
	assert_int_equal(arena_allocations(a), COUNT);
	for (size_t size = 0; size < COUNT; size++) {
		assert_true(filled_with(pieces[size], (int)size, size));
		arena_free(a, pieces[size]);
	}
	assert_int_equal(arena_bytes(a), 0);
	arena_free(a, NULL);
	arena_destroy(a);
}

struct slot {
	void *p;
	size_t size;
	int byte;
};

static void change_slot(struct arena *a, struct random *r, struct slot *s)
{
	size_t size = random_below(r, random_below(r, 8) ? 400 : 9000);
	void *p;

	if (s->p)
		assert_true(filled_with(s->p, s->byte, s->size));
	if (s->p && random_below(r, 3) == 0) {
		arena_free(a, s->p);
		s->p = NULL;
		return;
	}
	p = arena_realloc(a, s->p, size);
	assert_non_null(p);
	if (s->p)
		assert_true(filled_with(p, s->byte, size < s->size ? size : s->size));
	*s = (struct slot){ p, size, (int)random_below(r, 256) };
	memset(p, s->byte, size);
}

static void random_use_keeps_every_byte(void **state)
{
	enum { SLOTS = 300 };
	static struct slot slots[SLOTS];
	struct arena *a = arena_create();
	struct random r;
	size_t sum = 0;

	random_init_seed(&r, 1);
	memset(slots, 0, sizeof(slots));
	for (int step = 0; step < 50000; step++)
		change_slot(a, &r, &slots[random_below(&r, SLOTS)]);
	for (size_t i = 0; i < SLOTS; i++)
		sum += slots[i].p ? slots[i].size : 0;
	assert_int_equal(arena_bytes(a), sum);
	for (size_t i = 0; i < SLOTS; i++)
		arena_free(a, slots[i].p);
	assert_int_equal(arena_bytes(a), 0);
	arena_destroy(a);
}

static void blocks_are_aligned_to_their_size(void **state)
{
	enum { COUNT = 200 };
	static void *blocks[COUNT];
	struct arena *a = arena_create();

	for (size_t size = 512; size <= 65536; size *= 2) {
		for (int i = 0; i < COUNT; i++) {
			blocks[i] = arena_block_alloc(a, size);
			assert_non_null(blocks[i]);
			assert_int_equal((uintptr_t)blocks[i] % size, 0);
			memset(blocks[i], i, size);
		}
		assert_int_equal(arena_bytes(a), COUNT * size);
		for (int i = 0; i < COUNT; i++) {
			assert_true(filled_with(blocks[i], i, size));
			arena_block_free(a, blocks[i], size);
		}
		assert_int_equal(arena_bytes(a), 0);
	}
	arena_block_free(a, NULL, 4096);
	arena_destroy(a);
}

static void what_is_empty_goes_back(void **state)
{
	enum { COUNT = 2000 };
	static void *pieces[COUNT], *blocks[COUNT];
	struct arena *a = arena_create();
	size_t at_start = arena_footprint(a), full;

	assert_true(at_start < 6000);
	for (int i = 0; i < COUNT; i++) {
		pieces[i] = arena_alloc(a, 100);
		blocks[i] = arena_block_alloc(a, 4096);
	}
	full = arena_footprint(a);
	assert_true(full >= at_start + arena_bytes(a));
	for (int i = 0; i < COUNT; i++) {
		arena_free(a, pieces[i]);
		arena_block_free(a, blocks[i], 4096);
	}
	assert_true(arena_footprint(a) <= at_start + (256 << 10) + (32 << 10));
	arena_destroy(a);
}

/* Of 110 MiB some lies in huge pages, if the machine has any; it comes and goes all the same. */
static void a_large_arena_is_as_exact_as_a_small_one(void **state)
{
	enum { COUNT = 24 << 10 };
	static void *pieces[COUNT], *blocks[COUNT];
	struct arena *a = arena_create();
	size_t at_start = arena_footprint(a);

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < COUNT; i++) {
			pieces[i] = arena_alloc(a, 600);
			blocks[i] = arena_block_alloc(a, 4096);
			assert_int_equal((uintptr_t)blocks[i] % 4096, 0);
			memset(pieces[i], i, 600);
			memset(blocks[i], i, 4096);
		}
		assert_int_equal(arena_bytes(a), COUNT * (600 + 4096));
		assert_true(ARENA_PASSES_THROUGH ||
			    arena_footprint(a) <= arena_bytes(a) + arena_bytes(a) / 4);
		for (int i = round; i < COUNT; i += 2) {
			assert_true(filled_with(pieces[i], i, 600));
			assert_true(filled_with(blocks[i], i, 4096));
			arena_free(a, pieces[i]);
			arena_block_free(a, blocks[i], 4096);
		}
		for (int i = 1 - round; i < COUNT; i += 2) {
			assert_true(filled_with(pieces[i], i, 600));
			arena_free(a, pieces[i]);
			arena_block_free(a, blocks[i], 4096);
		}
		assert_int_equal(arena_bytes(a), 0);
		assert_true(arena_footprint(a) <= at_start + (4 << 20));
	}
	arena_destroy(a);
}

static void sides_and_blocks_lead_to_each_other(void **state)
{
	enum { COUNT = 300 };
	static void *blocks[COUNT], *sides[COUNT];

	for (uint32_t bits = 12; bits <= 16; bits++) {
		struct arena *a = arena_create();

		arena_fail_at(a, 0);
		assert_null(arena_block_alloc_sided(a, (size_t)1 << bits, 8, &sides[0]));
		for (int i = 0; i < COUNT; i++) {
			blocks[i] = arena_block_alloc_sided(a, (size_t)1 << bits, 8, &sides[i]);
			assert_int_equal((uintptr_t)blocks[i] % ((size_t)1 << bits), 0);
			memset(blocks[i], i, (size_t)1 << bits);
			memset(sides[i], i + 1, 256);
			if (!ARENA_PASSES_THROUGH)
				assert_ptr_equal(arena_block_beside(sides[i], bits, 8), blocks[i]);
		}
		for (int i = 0; i < COUNT; i++) {
			assert_true(filled_with(blocks[i], i, (size_t)1 << bits));
			assert_true(filled_with(sides[i], i + 1, 256));
			arena_block_free_sided(a, blocks[i], (size_t)1 << bits);
		}
		arena_block_free_sided(a, NULL, 4096);
		assert_int_equal(arena_bytes(a), 0);
		arena_destroy(a);
	}
}

static void the_chosen_allocation_fails_once(void **state)
{
	struct arena *a = arena_create();
	void *p, *q;

	arena_fail_at(a, 2);
	p = arena_alloc(a, 10);
	q = arena_block_alloc(a, 1024);
	assert_non_null(p);
	assert_non_null(q);
	assert_null(arena_strdup(a, "third"));
	assert_int_equal(arena_allocations(a), 2);
	arena_fail_at(a, 0);
	assert_null(arena_realloc(a, p, 5000));
	arena_fail_at(a, 0);
	assert_null(arena_realloc(a, p, 11));
	arena_fail_at(a, 0);
	assert_null(arena_block_alloc(a, 4096));
	arena_fail_at(a, 0);
	assert_int_equal(arena_note_elsewhere(a), -ENOMEM);
	assert_int_equal(arena_allocations(a), 2);
	assert_int_equal(arena_note_elsewhere(a), 0);
	assert_int_equal(arena_allocations(a), 3);
	arena_fail_at(a, 0);
	arena_fail_at(a, UINT64_MAX);
	p = arena_realloc(a, p, 11);
	assert_non_null(p);
	assert_int_equal(arena_bytes(a), 11 + 1024);
	arena_free(a, p);
	arena_block_free(a, q, 1024);
	arena_destroy(a);
}

static void copies_and_zeros(void **state)
{
	struct arena *a = arena_create();
	char *s = arena_strdup(a, "text");
	struct slot *zero = arena_new(a, struct slot);

	assert_string_equal(s, "text");
	assert_true(filled_with(zero, 0, sizeof(*zero)));
	assert_null(arena_alloc(a, (size_t)5 << 30));
	arena_free(a, s);
	arena_free(a, zero);
	arena_destroy(a);
}

static void an_arena_is_dropped_as_a_whole(void **state)
{
	struct arena *a = arena_create();

	for (int i = 0; i < 100; i++) {
		assert_non_null(arena_alloc(a, (size_t)i * 100));
		assert_non_null(arena_block_alloc(a, 4096));
	}
	arena_expect_leaks(a);
	arena_destroy(a);
	arena_destroy(NULL);
}

/* ---- several threads; each frees what the one before it has allocated */

enum { THREADS = 4, ROUNDS = 200, BATCH = 64 };

struct worker {
	struct arena *arena;
	pthread_barrier_t *barrier;
	void **mine, **others;
	int number;
};

static void *work(void *arg)
{
	struct worker *w = arg;

	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < BATCH; i += 2) {
			w->mine[i] = arena_alloc(w->arena, 64);
			w->mine[i + 1] = arena_block_alloc(w->arena, 512);
			memset(w->mine[i], w->number, 64);
			memset(w->mine[i + 1], w->number, 512);
		}
		pthread_barrier_wait(w->barrier);
		for (int i = 0; i < BATCH; i += 2) {
			if (!filled_with(w->others[i], (w->number + 1) % THREADS, 64) ||
			    !filled_with(w->others[i + 1], (w->number + 1) % THREADS, 512))
				return w;
			arena_free(w->arena, w->others[i]);
			arena_block_free(w->arena, w->others[i + 1], 512);
		}
		pthread_barrier_wait(w->barrier);
	}
	return NULL;
}

static void threads_free_each_others_pieces(void **state)
{
	static void *pieces[THREADS][BATCH];
	struct arena *a = arena_create();
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	pthread_barrier_t barrier;
	void *failed;

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (int i = 0; i < THREADS; i++) {
		workers[i] =
			(struct worker){ a, &barrier, pieces[i], pieces[(i + 1) % THREADS], i };
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	pthread_barrier_destroy(&barrier);
	assert_int_equal(arena_bytes(a), 0);
	assert_int_equal(arena_allocations(a), THREADS * ROUNDS * BATCH);
	arena_destroy(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_of_all_sizes_are_aligned_and_apart),
		cmocka_unit_test(random_use_keeps_every_byte),
		cmocka_unit_test(blocks_are_aligned_to_their_size),
		cmocka_unit_test(what_is_empty_goes_back),
		cmocka_unit_test(a_large_arena_is_as_exact_as_a_small_one),
		cmocka_unit_test(sides_and_blocks_lead_to_each_other),
		cmocka_unit_test(the_chosen_allocation_fails_once),
		cmocka_unit_test(copies_and_zeros),
		cmocka_unit_test(an_arena_is_dropped_as_a_whole),
		cmocka_unit_test(threads_free_each_others_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
