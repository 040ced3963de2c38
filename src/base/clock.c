/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's clock and the virtual one. A virtual clock belongs to the one thread that runs its
 * scheduler, so that it needs no lock.
 */
#include "base/clock.h"

#include <time.h>

#include "base/assert.h"

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

void clock_init_real(struct clock *c)
{
	*c = (struct clock){ .is_virtual = false };
}

void clock_init_virtual(struct clock *c, int64_t realtime_ns, int64_t tick_ns)
{
	*c = (struct clock){ .is_virtual = true, .realtime_ns = realtime_ns, .tick_ns = tick_ns };
}

int64_t clock_monotonic(const struct clock *c)
{
	return c->is_virtual ? c->monotonic_ns : read_clock(CLOCK_MONOTONIC);
}

int64_t clock_realtime(const struct clock *c)
{
	return c->is_virtual ? c->realtime_ns : read_clock(CLOCK_REALTIME);
}

/* The machine's clock has ticks of its own; read in those, it costs next to nothing. */
int64_t clock_stamp(const struct clock *c)
{
	int64_t now = c->is_virtual ? c->realtime_ns : read_clock(CLOCK_REALTIME_COARSE);
	int64_t past_tick;

	if (c->tick_ns <= 1)
		return now;
	past_tick = now % c->tick_ns;
	if (past_tick < 0)
		past_tick += c->tick_ns;
	return now - past_tick;
}

void clock_advance_to(struct clock *c, int64_t monotonic_ns)
{
	ensure(c->is_virtual);
	if (monotonic_ns <= c->monotonic_ns)
		return;
	c->realtime_ns += monotonic_ns - c->monotonic_ns;
	c->monotonic_ns = monotonic_ns;
}
