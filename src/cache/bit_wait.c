/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting for a bit of a state word; see bit_wait.h.
 */
#include "cache/bit_wait.h"

static struct bit_wait_place *place_of(struct bit_wait *w, uint64_t key)
{
	return &w->places[(key * 0x9e3779b97f4a7c15u) >> 60];
}
_Static_assert(BIT_WAIT_PLACES == 16, "a place is the upper four bits of the hash");

void bit_wait_init(struct bit_wait *w)
{
	for (int i = 0; i < BIT_WAIT_PLACES; i++) {
		mutex_init(&w->places[i].lock, RANK_IO);
		waitq_init(&w->places[i].queue);
	}
}

void bit_wait_fini(struct bit_wait *w)
{
	for (int i = 0; i < BIT_WAIT_PLACES; i++) {
		waitq_fini(&w->places[i].queue);
		mutex_fini(&w->places[i].lock);
	}
}

/*
 * BIT_WAITERS is set before the last look at the bit, in the same atomic step: who clears the bit
 * later sees it, and must then come by the lock that is given up only in the sleep.
 */
void bit_wait_clear(struct bit_wait *w, uint64_t key, _Atomic uint32_t *state, uint32_t bit,
		    const char *what)
{
	struct bit_wait_place *p = place_of(w, key);

	if (!(atomic_load_explicit(state, memory_order_acquire) & bit))
		return;
	guard(&p->lock);
	while (atomic_fetch_or(state, BIT_WAITERS) & bit)
		(void)waitq_sleep(&p->queue, &p->lock, CLOCK_NEVER, what);
}

void bit_wait_lock(struct bit_wait *w, uint64_t key, _Atomic uint32_t *state, uint32_t bit,
		   const char *what)
{
	while (!bit_trylock(state, bit))
		bit_wait_clear(w, key, state, bit, what);
}

void bit_wait_wake(struct bit_wait *w, uint64_t key, _Atomic uint32_t *state)
{
	struct bit_wait_place *p = place_of(w, key);

	guard(&p->lock);
	atomic_fetch_and(state, ~BIT_WAITERS);
	waitq_wake_all(&p->queue);
}
