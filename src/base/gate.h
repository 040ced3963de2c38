/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A gate: many pass in and out, at any time and cheaply, until somebody shuts it. Then who wants in
 * waits, and who shuts it waits until all are out. Freezing a file system is that.
 *
 * Who is inside is counted in shards, one a cache line, so that tasks passing at once share no word
 * but the flag they read. In words: who enters counts itself, then looks whether the gate is shut,
 * and if so takes itself out again and waits; who shuts sets the flag, then waits for every shard
 * to be empty. One of the two sees the other.
 *
 * A task is inside at most once: whoever is in and asks again while the gate is being shut would
 * wait for itself.
 */
#ifndef EXTANT_BASE_GATE_H
#define EXTANT_BASE_GATE_H

#include "base/sync.h"

#define GATE_SHARDS 16

struct gate {
	struct mutex lock;		/* RANK_GATE: of `shut` and of waiting */
	enum lock_rank rank;		/* constant: who enters holds nothing of it or behind it */
	struct waitq wake;
	_Atomic bool shut;		/* written under the lock */
	struct gate_shard {
		_Atomic uint32_t inside;
		char apart[60];
	} shards[GATE_SHARDS];
};

/* Who enters may have to wait long: nothing of this rank or behind it is held then. */
void gate_init(struct gate *g, enum lock_rank rank);
void gate_fini(struct gate *g);
/*
 * In; `*at` is for gate_leave. Waits while it is shut. -EDEADLK: it is shut, and this is a program's
 * thread in inline or seeded mode, which alone could open it again.
 */
must_check int gate_enter(struct gate *g, unsigned *at);
/* Does not wait, so anything may be held: false when it is shut. */
must_check bool gate_try_enter(struct gate *g, unsigned *at);
void gate_leave(struct gate *g, unsigned at);
/* One task shuts it at a time; who does is not inside. Waits until all are out. */
void gate_shut(struct gate *g);
void gate_open(struct gate *g);
static inline bool gate_is_shut(const struct gate *g)
{
	return atomic_load_explicit(&g->shut, memory_order_relaxed);
}

#endif
