/* SPDX-License-Identifier: BSD-2-Clause */
/* What cost.c measures: the same functions with tracing compiled in and out. */
#ifndef EXTANT_TESTS_TRACE_COST_STEP_H
#define EXTANT_TESTS_TRACE_COST_STEP_H

#include "trace/trace.h"

struct owner {
	struct trace *trace;
	uint64_t data[8];
};

/* The rest of the program, to the compiler. */
uint64_t cost_work(struct owner *o, uint64_t i);

#ifdef EXTANT_NO_TRACE
#define COST(name) cost_without_##name
#else
#define COST(name) cost_with_##name
#endif

#define COST_FUNCTIONS(X) X(plain) X(event) X(scope) X(chain)
#define COST_DECLARE(name) \
	uint64_t cost_with_##name(struct owner *o, uint64_t i); \
	uint64_t cost_without_##name(struct owner *o, uint64_t i);
COST_FUNCTIONS(COST_DECLARE)

#endif
