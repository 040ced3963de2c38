/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a run's own events say against the rules that no state of the device can show:
 *
 *	credits		a handle dirties no more blocks than it asked for (J6)
 *	commit task	it starts no handle and allocates no block: others wait for it for both
 */
#ifndef EXTANT_TESTS_CRASH_WATCH_H
#define EXTANT_TESTS_CRASH_WATCH_H

#include "trace/trace.h"

struct watch {
	struct trace *trace;		/* for the mount */
	struct trace_formatter *formatter;
	uint64_t handles, commits;	/* seen */
	char broken[640];		/* the first event against a rule; empty: none */
};

/* 0 or -ENOMEM. */
must_check int watch_init(struct watch *w, struct arena *a, struct clock *clock);
void watch_fini(struct watch *w);
/* Reads what the trace holds by now. */
void watch_drain(struct watch *w);

#endif
