/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records of one task, and all records of a trace in their order. Inside trace/.
 *
 * A ring belongs to one task and is written by it alone, without a lock; `head` says how far. When
 * the task has ended, the next one with its id goes on, under its own name (TRACE_TASK). Whoever
 * reads (or drops) moves `tail`. Positions count 64-bit words and only grow; a word's place is its
 * position modulo the size. A record is
 *
 *	number << 16 | id	the number orders the records of all rings
 *	time			monotonic, ns
 *	values ...		as many as the event has fields; a mark: its length, then its bytes;
 *				TRACE_TASK: a name
 *
 * and lies in one piece; where it would not fit before the end of the ring, a word of 0
 * (TRACE_NONE) sends the reader to the beginning.
 *
 * Order: a number is drawn before the record is complete. So that a reader misses none below the
 * number it stops at, a task says in `writing`, before it draws, that it is about to (a number not
 * above the one it will get), and takes it back when `head` has moved. A reader first reads the
 * counter, then waits for each ring that is writing below it (some ten nanoseconds), then reads the
 * heads.
 *
 * Full: with a drain callback the task calls it; without, it drops its oldest records, or, while
 * somebody reads them, the new one.
 */
#ifndef EXTANT_TRACE_RING_H
#define EXTANT_TRACE_RING_H

#include <stdatomic.h>
#include "trace/trace.h"

#define TRACE_RECORD_HEAD_WORDS 2
#define TRACE_MARK_MAX 4608		/* bytes: a path, and a line of a script around it */
#define TRACE_RING_MIN_BYTES 16384
#define TRACE_RING_DEFAULT_BYTES (1u << 20)

struct trace_ring {
	struct trace_ring *next;	/* set before it is linked, then constant */
	struct trace *trace;		/* these four: constant */
	uint64_t *words;
	uint64_t size_words;		/* a power of two */
	uint32_t task_id;

	_Atomic uint64_t head;		/* the task's; release */
	_Atomic uint64_t writing;	/* the task's; TRACE_NOT_WRITING: none is being written */
	uint64_t head_next;		/* the task's: head when that record is complete */
	bool reading;			/* the task's: it reads; what it emits is dropped */
	char name_written[TASK_NAME_MAX];	/* the task's: of the last TRACE_TASK */

	_Atomic uint64_t tail;		/* of who holds `tail_busy`; release */
	atomic_bool tail_busy;
	char task_name[TASK_NAME_MAX];	/* who wrote what is at the tail; as `tail` */
	_Atomic uint64_t lost;		/* records dropped; relaxed */

	/* these belong to the reader (struct trace's `reading`) */
	uint64_t read_end;
	uint64_t lost_told;
};
#define TRACE_NOT_WRITING UINT64_MAX

struct trace {
	struct trace_public public;	/* first: the macros look there */
	struct arena *arena;
	struct trace_options opt;
	uint64_t ring_words;
	_Atomic uint64_t number;	/* of the next record */
	_Atomic(struct trace_ring *) rings;	/* all that were ever made, the newest first */
	struct trace_ring *outside;	/* for code that runs in no task; under outside_busy */
	atomic_bool outside_busy;
	_Atomic uint64_t lost;		/* records that found no ring */
	atomic_bool reading;		/* between trace_read_begin() and _end() */
};

/* Writes one record into the ring of the current task. */
void trace_record(struct trace *t, enum trace_event_id id, const uint64_t *values, unsigned count);
/* The records of a scope's two ends. */
void trace_scope_enter(struct trace *t, const char *names);
void trace_scope_leave(struct trace *t, const char *names);
void trace_rings_free(struct trace *t);

/* How many values follow the head of a record. */
unsigned trace_value_count(enum trace_event_id id, const uint64_t *values);

struct trace_item {			/* a record, as it is read */
	enum trace_event_id id;
	uint64_t number;
	int64_t time_ns;
	const uint64_t *values;
	struct trace_ring *ring;	/* whose: name and id of the task */
	uint64_t lost;			/* records of this ring dropped since the last item of it */
};

/*
 * One reads at a time: false, somebody else does. What the reading task emits meanwhile is dropped.
 */
must_check bool trace_read_begin(struct trace *t);
void trace_read_end(struct trace *t);
/*
 * Between the two: calls fn for all records so far, of all tasks, in their order; what was read is
 * gone. fn returns 0 to go on; anything else ends the reading and is returned, and the later
 * records stay.
 */
int trace_read(struct trace *t, int (*fn)(void *arg, const struct trace_item *item), void *arg);

#endif
