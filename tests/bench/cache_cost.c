/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the steps of src/cache cost, in nanoseconds of processor time each, threaded:
 *
 *	cache_cost [THOUSANDS]		each step, one task
 *	cache_cost look THOUSANDS	two tasks look up cached pages and buffers, nothing else:
 *					`strace -f -c` shows one futex at most, of the join
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache/buffer.h"
#include "cache/page.h"

#define PAGES	4096u			/* of the file that is looked at; and buffers */
#define BLOCKS	(1u << 20)

struct bench {
	struct arena *arena;
	struct clock clock;
	struct sched *sched;
	struct budget *budget;
	struct block_device *device;
	struct buffer_cache *buffers;
	struct page_cache *pages;
	struct mapping file;
	uint64_t next;			/* block or page not used yet */
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static int64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static void make_page(struct bench *b, uint64_t index)
{
	struct page *p;

	must(!page_find_or_create(&b->file, index, &p));
	page_mark_uptodate(p);
	page_unlock(p);
	page_put(p);
}

/* ---- steps */

static const struct buffer_kind any = { "any", NULL, NULL };

static void look_at_pages(struct bench *b, long n)
{
	for (long i = 0; i < n; i++)
		page_put(page_find(&b->file, (uint64_t)i % PAGES));
}

static void look_at_random_pages(struct bench *b, long n)
{
	uint64_t x = 1;

	for (long i = 0; i < n; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		page_put(page_find(&b->file, x >> 52));
	}
}

static void look_and_copy(struct bench *b, long n)
{
	uint8_t bytes[4096];

	for (long i = 0; i < n; i++) {
		struct page *p = page_find(&b->file, (uint64_t)i % PAGES);

		memcpy(bytes, p->data, sizeof(bytes));
		__asm__ volatile("" : : "r"(bytes) : "memory");
		page_put(p);
	}
}

static void lock_a_page(struct bench *b, long n)
{
	struct page *p = page_find(&b->file, 1);

	for (long i = 0; i < n; i++) {
		page_lock(p);
		page_unlock(p);
	}
	page_put(p);
}

static void dirty_and_write_back(struct bench *b, long n)
{
	for (long i = 0; i < n; i++) {
		struct page *p = page_find(&b->file, (uint64_t)i % PAGES);

		page_lock(p);
		page_mark_dirty(p);
		must(page_clear_dirty(p));
		page_start_writeback(p);
		page_unlock(p);
		page_end_writeback(p, 0);
		page_put(p);
	}
}

static void stream_pages(struct bench *b, long n)
{
	for (long i = 0; i < n; i++) {
		budget_throttle(b->budget);
		make_page(b, PAGES + b->next++);
	}
}

static void look_at_buffers(struct bench *b, long n)
{
	for (long i = 0; i < n; i++)
		buffer_put(buffer_find(b->buffers, (uint64_t)i % PAGES));
}

static void read_cached_buffers(struct bench *b, long n)
{
	struct buffer *buffer;

	for (long i = 0; i < n; i++) {
		must(!buffer_read(b->buffers, (uint64_t)i % PAGES, &any, NULL, &buffer));
		buffer_put(buffer);
	}
}

static void stream_buffers(struct bench *b, long n)
{
	struct buffer *buffer;

	for (long i = 0; i < n; i++) {
		budget_throttle(b->budget);
		must(!buffer_read(b->buffers, PAGES + b->next++ % (BLOCKS - PAGES), &any, NULL,
				  &buffer));
		buffer_put(buffer);
	}
}

static void dirty_and_write_buffers(struct bench *b, long n)
{
	struct buffer *buffer;

	for (long i = 0; i < n; i++) {
		must(!buffer_get(b->buffers, (uint64_t)i % PAGES, &buffer));
		buffer_mark_dirty(buffer);
		buffer_put(buffer);
		if (i % PAGES == PAGES - 1)
			must(!buffer_write_dirty(b->buffers));
	}
	must(!buffer_write_dirty(b->buffers));
}

static const struct {
	const char *name;
	void (*run)(struct bench *b, long n);
} steps[] = {
	{ "page_find + put, in order", look_at_pages },
	{ "page_find + put, at random", look_at_random_pages },
	{ "page_find + copy of 4 KiB + put", look_and_copy },
	{ "page_lock + unlock", lock_a_page },
	{ "page dirty, written, clean", dirty_and_write_back },
	{ "buffer_find + put", look_at_buffers },
	{ "buffer_read + put, cached", read_cached_buffers },
	{ "buffer dirty, written (memory)", dirty_and_write_buffers },
	{ "page made, another reclaimed", stream_pages },
	{ "buffer read, another reclaimed", stream_buffers },
};

/* ---- set-up */

static void bench_open(struct bench *b)
{
	struct sched_options sched = { .mode = SCHED_THREADED, .clock = &b->clock };
	struct buffer_cache_options buffers = { .block_size = 4096, .block_count = BLOCKS };
	struct page_cache_options pages = { .block_size = 4096 };

	clock_init_real(&b->clock);
	sched.clock = &b->clock;
	b->arena = arena_create();
	must(b->arena && !sched_create(b->arena, &sched, &b->sched));
	must(task_enter(b->sched, "bench"));
	must(!budget_create(b->arena, (size_t)64 << 20, &b->budget));
	must(!block_mem_create(b->arena, (uint64_t)BLOCKS * 4096, &b->device));
	buffers.arena = pages.arena = b->arena;
	buffers.budget = pages.budget = b->budget;
	buffers.device = b->device;
	must(!buffer_cache_create(&buffers, &b->buffers));
	must(!page_cache_create(&pages, &b->pages));
	mapping_init(&b->file, b->pages, b);
	for (uint64_t i = 0; i < PAGES; i++)
		make_page(b, i);
	read_cached_buffers(b, PAGES);
}

static void bench_close(struct bench *b)
{
	mapping_remove_pages(&b->file, 0, UINT64_MAX, NULL, NULL);
	mapping_fini(&b->file);
	page_cache_destroy(b->pages);
	buffer_cache_destroy(b->buffers);
	block_close(b->device);
	budget_destroy(b->budget);
	task_leave(task_current());
	sched_destroy(b->sched);
	arena_destroy(b->arena);
}

static void measure(struct bench *b, long n)
{
	for (size_t i = 0; i < array_size(steps); i++) {
		int64_t before = cpu_ns();

		steps[i].run(b, n);
		printf("%-32s %8.1f ns\n", steps[i].name, (double)(cpu_ns() - before) / (double)n);
	}
}

struct looker {
	struct bench *b;
	long n;
};

static void look(void *arg)
{
	struct looker *l = arg;

	look_at_pages(l->b, l->n);
	look_at_buffers(l->b, l->n);
}

static void look_together(struct bench *b, long n)
{
	struct looker l = { b, n / 2 };
	struct task *other;
	int64_t before = cpu_ns();

	must(!task_spawn(b->sched, "other", look, &l, &other));
	look(&l);
	task_join(other);
	printf("%ld look-ups of pages and as many of buffers, two tasks: %.1f ns of processor time "
	       "each\n",
	       n, (double)(cpu_ns() - before) / (double)n);
}

int main(int argc, char **argv)
{
	bool together = argc > 1 && !strcmp(argv[1], "look");
	long thousands = argc > 1 + together ? strtol(argv[1 + together], NULL, 10) : 1000;
	static struct bench b;

	bench_open(&b);
	if (together)
		look_together(&b, thousands * 1000);
	else
		measure(&b, thousands * 1000);
	bench_close(&b);
	return 0;
}
