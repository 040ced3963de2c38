/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time. The core asks a clock and nothing else; which clock it is, is chosen when the mount is
 * opened: the machine's, or a virtual one that moves only when it is told to, so that a run repeats
 * bit for bit.
 *
 * All times are nanoseconds. `realtime` counts since 1970 and stamps inodes; `monotonic` measures
 * intervals and deadlines.
 */
#ifndef EXTANT_BASE_CLOCK_H
#define EXTANT_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define NSEC_PER_MSEC	1000000LL
#define NSEC_PER_SEC	1000000000LL
#define CLOCK_NEVER	INT64_MAX	/* a deadline that does not come */

struct clock {
	bool is_virtual;
	int64_t tick_ns;		/* stamps are rounded down to it; 0 or 1: not rounded */
	/* of a virtual clock: */
	int64_t realtime_ns;
	int64_t monotonic_ns;
};

/* The machine's clock. */
void clock_init_real(struct clock *c);
/* A clock that stands at `realtime_ns` until clock_advance(). */
void clock_init_virtual(struct clock *c, int64_t realtime_ns, int64_t tick_ns);

int64_t clock_monotonic(const struct clock *c);
int64_t clock_realtime(const struct clock *c);
/* The time to stamp inodes with: realtime, in ticks; the machine's clock in the kernel's ticks. */
int64_t clock_stamp(const struct clock *c);
/*
 * Moves a virtual clock to the monotonic time `ns`; never backwards. The scheduler calls it when
 * all tasks wait.
 */
void clock_advance_to(struct clock *c, int64_t monotonic_ns);

#endif
