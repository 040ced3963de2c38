/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What most tests of the journal share: a mounted toy on a device that counts its calls, and the
 * journal's events as text.
 */
#ifndef EXTANT_JBD2_RIG_H
#define EXTANT_JBD2_RIG_H

#include <stdlib.h>

#include "jbd2/toy.h"

#define RIG_EVENTS_BYTES (256u << 10)

struct rig {
	struct fixture *f;
	struct task *self;
	struct toy_shape shape;
	struct trace *trace;
	struct arena *device_arena;	/* so that the fixture's counts what the journal allocates */
	struct block_device *memory, *stats, *fault, *device;
	struct toy_model *model;
	struct toy t;
	char *events;			/* of rig_events() */
	size_t events_len;
};

static inline void must(int err)
{
	assert_int_equal(err, 0);
}

static inline void rig_mount(struct rig *r)
{
	must(toy_mount(&r->t, r->f, r->device, &r->shape, r->model));
}

/* `flush_ns`: how long the device takes to flush; 0: no time. */
static inline void rig_open(struct rig *r, struct fixture *f, const struct toy_shape *shape, int64_t flush_ns)
{
	struct trace_options opt = { .clock = &f->clock };
	struct block_device *share;

	*r = (struct rig){ .f = f, .shape = *shape };
	r->self = enter(f);
	r->device_arena = arena_create();
	r->model = toy_model_create();
	r->events = malloc(RIG_EVENTS_BYTES);
	must(trace_create(f->arena, &opt, &r->trace));
	r->shape.trace = r->trace;
	must(block_mem_create(r->device_arena, toy_device_bytes(shape), &r->memory));
	toy_format(r->memory, shape);
	must(block_share_create(r->device_arena, r->memory, &share));
	must(block_fault_create(r->device_arena, share, &r->fault));
	must(block_stats_create(r->device_arena, r->fault, &r->stats));
	r->device = r->stats;
	if (flush_ns)
		must(block_delay_create(r->device_arena, r->stats, 0, flush_ns / 50, flush_ns, &r->device));
	rig_mount(r);
}

static inline void rig_close(struct rig *r)
{
	block_close(r->device);
	block_close(r->memory);
	arena_destroy(r->device_arena);
	toy_model_destroy(r->model);
	task_leave(r->self);
	trace_destroy(r->trace);
	free(r->events);
}

/* The device holds what the first `op` operations made. */
static inline void rig_must_hold(struct rig *r, uint32_t op)
{
	uint32_t found;
	const char *bad = toy_verify(r->memory, &r->shape, r->model, &found);

	if (bad)
		print_error("%s\n", bad);
	assert_null(bad);
	assert_int_equal(found, op);
}

static inline struct block_stats rig_stats(const struct rig *r)
{
	struct block_stats s;

	block_stats_get(r->stats, &s);
	return s;
}

static inline struct journal_facts rig_facts(struct rig *r)
{
	struct journal_facts facts;

	jbd2_journal_facts(r->t.journal, &facts);
	return facts;
}

static inline void rig_operate(struct rig *r, uint64_t seed, int count)
{
	struct random random;

	random_init_seed(&random, seed);
	for (int i = 0; i < count; i++)
		must(toy_operate(&r->t, &random));
}

/* A copy of what is on the device now, as after a power failure. */
static inline struct block_device *rig_snapshot(struct rig *r)
{
	struct block_device *d;
	uint8_t *p = malloc(r->memory->size_bytes);

	must(block_mem_create(r->device_arena, r->memory->size_bytes, &d));
	must(block_read(r->memory, 0, p, r->memory->size_bytes));
	must(block_write(d, 0, p, r->memory->size_bytes, 0));
	free(p);
	return d;
}

/* ---- events: "name fields\n" of each since the last call */

/* Of each line, what stands behind task and time. */
static inline int keep_events(void *arg, const char *text, size_t len)
{
	const char *end = text + len, *line_end, *name;
	struct rig *r = arg;

	for (; text < end; text = line_end + 1) {
		line_end = memchr(text, '\n', (size_t)(end - text));
		name = memmem(text, (size_t)(line_end - text), "jbd2_", 5);
		len = (size_t)(line_end - name) + 1;
		if (!name || r->events_len + len >= RIG_EVENTS_BYTES)
			continue;
		memcpy(r->events + r->events_len, name, len);
		r->events_len += len;
	}
	return 0;
}

static inline const char *rig_events(struct rig *r)
{
	struct trace_formatter *formatter;

	r->events_len = 0;
	must(trace_formatter_create(r->trace, TRACE_FTRACE, keep_events, r, &formatter));
	must(trace_format_all(formatter));
	trace_formatter_destroy(formatter);
	r->events[r->events_len] = 0;
	return r->events;
}

static inline void rig_trace(struct rig *r, const char *pattern)
{
	must(trace_enable(r->trace, pattern, true));
}

#endif
