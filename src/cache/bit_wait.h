/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A lock that is one bit of a state word, and places to wait for it. Buffers and pages are too many
 * to carry a mutex and a queue each; so a cache has a few places, and a thing waits at the one its
 * key falls to.
 *
 * Taking a free bit and giving back one that nobody waits for is one atomic step. Who must wait
 * sets BIT_WAITERS under the place's lock and sleeps; who clears a bit and finds BIT_WAITERS wakes
 * the place. All wake and look again: several bits, and several things, may share a place.
 *
 * The key orders nothing but comes from block or index, never from an address, so that inline runs
 * repeat.
 */
#ifndef EXTANT_CACHE_BIT_WAIT_H
#define EXTANT_CACHE_BIT_WAIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/sync.h"

#define BIT_WAITERS	(1u << 31)	/* in the state word: somebody may sleep for a bit of it */
#define BIT_WAIT_PLACES	16

struct bit_wait_place {
	struct mutex lock;		/* RANK_IO */
	struct waitq queue;
};

struct bit_wait {
	struct bit_wait_place places[BIT_WAIT_PLACES];
};

void bit_wait_init(struct bit_wait *w);
void bit_wait_fini(struct bit_wait *w);

/* Sleeps until the bit is clear; `what` says so in a report of a deadlock. */
void bit_wait_clear(struct bit_wait *w, uint64_t key, _Atomic uint32_t *state, uint32_t bit,
		    const char *what);
/* Sets the bit, alone; sleeps while another task has it. */
void bit_wait_lock(struct bit_wait *w, uint64_t key, _Atomic uint32_t *state, uint32_t bit,
		   const char *what);
/* Wakes who waits for a bit of `state`. */
void bit_wait_wake(struct bit_wait *w, uint64_t key, _Atomic uint32_t *state);

static inline bool bit_trylock(_Atomic uint32_t *state, uint32_t bit)
{
	return !(atomic_fetch_or(state, bit) & bit);
}

/* What was done under the bit is visible to who takes it next. True: call bit_wait_wake. */
static inline must_check bool bit_unlock(_Atomic uint32_t *state, uint32_t bit)
{
	return atomic_fetch_and(state, ~bit) & BIT_WAITERS;
}

#endif
