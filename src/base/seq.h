/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Consistent copies without a lock. A writer, who holds a lock against other writers, makes the
 * count odd while it changes the fields; a reader copies them, and takes the copy again if the
 * count was odd or has moved. Readers write nothing.
 *
 *	do {
 *		seq = seq_read_begin(&x->seq);
 *		copy(x, &out);
 *	} while (seq_read_again(&x->seq, seq));
 *
 * The copy may be torn until the count says that it is not: it follows no pointers, reads each
 * field once (volatile), and is marked `racy_reader`, so that the thread sanitizer reports only
 * what is wrong.
 */
#ifndef EXTANT_BASE_SEQ_H
#define EXTANT_BASE_SEQ_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/compiler.h"
#include "base/sync.h"

struct seq {
	_Atomic uint32_t count;		/* odd: a writer is at work */
};

#define racy_reader __attribute__((noinline, no_sanitize("thread")))

/* The thread sanitizer knows no fences; a read-modify-write of the count orders as much. */
static inline void seq_fence(struct seq *s, memory_order order)
{
#if WITH_TSAN
	(void)order;
	atomic_fetch_add_explicit(&s->count, 0, memory_order_acq_rel);
#else
	(void)s;
	atomic_thread_fence(order);
#endif
}

static inline void seq_write_begin(struct seq *s)
{
	uint32_t count = atomic_load_explicit(&s->count, memory_order_relaxed);

	atomic_store_explicit(&s->count, count + 1, memory_order_relaxed);
	seq_fence(s, memory_order_release);	/* the fields change after the count */
}

static inline void seq_write_end(struct seq *s)
{
	uint32_t count = atomic_load_explicit(&s->count, memory_order_relaxed);

	atomic_store_explicit(&s->count, count + 1, memory_order_release);
}

/* Waits while a writer is at work. */
static inline uint32_t seq_read_begin(struct seq *s)
{
	uint32_t count;

	while ((count = atomic_load_explicit(&s->count, memory_order_acquire)) & 1)
		task_yield();
	return count;
}

static inline bool seq_read_again(struct seq *s, uint32_t begun)
{
	seq_fence(s, memory_order_acquire);	/* the fields were read before the count */
	return atomic_load_explicit(&s->count, memory_order_relaxed) != begun;
}

#endif
