/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions as the core has them, with events or a scope in them. Compiled twice: as they are, and
 * without tracing (EXTANT_NO_TRACE); the difference is what tracing costs.
 */
#include "cost_step.h"

__attribute__((noinline)) uint64_t COST(plain)(struct owner *o, uint64_t i)
{
	uint64_t a = cost_work(o, i);

	if (a == 0x123456789)
		return 0;
	return cost_work(o, a + i);
}

__attribute__((noinline)) uint64_t COST(event)(struct owner *o, uint64_t i)
{
	uint64_t a = cost_work(o, i);

	if (a == 0x123456789)
		return 0;
	trace(o, ext4_da_write_begin, 12, (int64_t)i, 4096, 0);
	return cost_work(o, a + i);
}

__attribute__((noinline)) uint64_t COST(scope)(struct owner *o, uint64_t i)
{
	uint64_t a;
	TRACE_SCOPE(o, ext4_da_write_begin);

	a = cost_work(o, i);
	if (a == 0x123456789)
		return 0;
	return cost_work(o, a + i);
}

__attribute__((noinline)) uint64_t COST(chain)(struct owner *o, uint64_t i)
{
	uint64_t a;
	TRACE_SCOPE(o, sys_openat, do_sys_open, do_filp_open, path_openat, do_last);

	a = cost_work(o, i);
	if (a == 0x123456789)
		return 0;
	return cost_work(o, a + i);
}
