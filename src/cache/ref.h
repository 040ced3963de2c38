/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * References to things that are found inside an epoch, without a lock. The container (hash, tree)
 * holds one as long as the thing is in it; so a count of 0 is final: who finds such a thing came
 * too late, and treats it as not there.
 */
#ifndef EXTANT_CACHE_REF_H
#define EXTANT_CACHE_REF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* False when the thing is dying. Inside an epoch. */
static inline bool ref_take(_Atomic int32_t *refs)
{
	int32_t n = atomic_load_explicit(refs, memory_order_relaxed);

	do {
		if (n == 0)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(refs, &n, n + 1, memory_order_acquire,
							memory_order_relaxed));
	return true;
}

/* True for the last one: the caller frees. */
static inline bool ref_drop(_Atomic int32_t *refs)
{
	return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

/* True when nobody but the `expected` holders had it; then nobody can take it any more. */
static inline bool ref_kill(_Atomic int32_t *refs, int32_t expected)
{
	return atomic_compare_exchange_strong_explicit(refs, &expected, 0, memory_order_acq_rel,
						       memory_order_relaxed);
}

#endif
