/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Assertions are for our own mistakes; they stay on in release builds. One that fails in a task of
 * a mount calls the program's handler and poisons that mount (sync.c): nothing more is written,
 * every call answers EIO. Without a handler, or outside of any task, the process stops.
 */
#ifndef EXTANT_BASE_ASSERT_H
#define EXTANT_BASE_ASSERT_H

#include "base/compiler.h"

__attribute__((noreturn)) void assertion_failed(const char *file, int line, const char *condition);

#define ensure(condition) \
	do { \
		if (unlikely(!(condition))) \
			assertion_failed(__FILE__, __LINE__, #condition); \
	} while (0)

/* Costly ones: in debug builds and tests. */
#ifdef EXTANT_SLOW_ASSERTS
#define ensure_slow(condition) ensure(condition)
#else
#define ensure_slow(condition) ((void)0)
#endif

#endif
