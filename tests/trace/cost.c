/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an event and a scope cost. cost.py runs it, under callgrind too, and prints the table of
 * docs/performance.md.
 *
 *	trace-cost FUNCTION HOW COUNT
 *
 * FUNCTION: plain, event, scope, chain (cost_step.c). HOW: out (compiled out), off, on, ftrace,
 * tree, jsonl (on, and formatted into nothing). Prints nanoseconds a call.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "cost_step.h"

__attribute__((noinline)) uint64_t cost_work(struct owner *o, uint64_t i)
{
	o->data[i & 7] += i;
	return o->data[i * 5 & 7];
}

typedef uint64_t step_fn(struct owner *o, uint64_t i);

struct function {
	const char *name;
	step_fn *with, *without;
};

static const struct function functions[] = {
#define ENTRY(name) { #name, cost_with_##name, cost_without_##name },
	COST_FUNCTIONS(ENTRY)
#undef ENTRY
};

static int drop_text(void *arg, const char *text, size_t len)
{
	*(size_t *)arg += len;
	return 0;
}

static void drain(void *arg, struct trace *t)
{
	struct trace_formatter **f = arg;

	if (*f)
		(void)trace_format_all(*f); /* its writer does not fail */
}

/* callgrind counts what happens in here. */
__attribute__((noinline)) static uint64_t cost_loop(step_fn *fn, struct owner *o, uint64_t count)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < count; i++)
		sum += fn(o, i);
	return sum;
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

struct run {
	struct arena *arena;
	struct clock clock;
	struct sched *sched;
	struct owner owner;
	struct trace_formatter *formatter;
	size_t text_bytes;
};

static int run_open(struct run *r, const char *how)
{
	bool formats = strcmp(how, "out") && strcmp(how, "off") && strcmp(how, "on");
	struct sched_options sched = { .mode = SCHED_THREADED, .clock = &r->clock };
	struct trace_options opt = { .clock = &r->clock };
	int err;

	clock_init_real(&r->clock);
	r->arena = arena_create();
	if (formats) {
		opt.drain = drain;
		opt.drain_arg = &r->formatter;
	}
	err = sched_create(r->arena, &sched, &r->sched);
	if (!err)
		err = trace_create(r->arena, &opt, &r->owner.trace);
	if (!err && formats)
		err = trace_formatter_create(r->owner.trace,
					     !strcmp(how, "ftrace") ? TRACE_FTRACE :
					     !strcmp(how, "tree")   ? TRACE_TREE :
								      TRACE_JSONL,
					     drop_text, &r->text_bytes, &r->formatter);
	if (!err && strcmp(how, "off") && strcmp(how, "out")) {
		err = trace_enable(r->owner.trace, "ext4_da_write_begin", true);
		trace_enable_scopes(r->owner.trace, true);
	}
	return err;
}

static void run_close(struct run *r)
{
	trace_formatter_destroy(r->formatter);
	sched_destroy(r->sched);
	trace_destroy(r->owner.trace);
	arena_destroy(r->arena);
}

int main(int argc, char **argv)
{
	const struct function *f = functions;
	struct run r = { 0 };
	struct task *task;
	uint64_t count, sum;
	int64_t start;

	while (f < functions + array_size(functions) && (argc != 4 || strcmp(f->name, argv[1])))
		f++;
	if (f == functions + array_size(functions)) {
		fprintf(stderr, "usage: trace-cost plain|event|scope|chain "
				"out|off|on|ftrace|tree|jsonl COUNT\n");
		return 2;
	}
	count = strtoull(argv[3], NULL, 10);
	if (run_open(&r, argv[2]) || !(task = task_enter(r.sched, "bench")))
		return 1;
	start = now_ns();
	sum = cost_loop(strcmp(argv[2], "out") ? f->with : f->without, &r.owner, count);
	if (r.formatter)
		(void)trace_format_all(r.formatter); /* its writer does not fail */
	printf("%.2f\n", (double)(now_ns() - start) / (double)count);
	task_leave(task);
	run_close(&r);
	return sum == 42;
}
