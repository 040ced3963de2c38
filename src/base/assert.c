/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A failed assertion outside of any task: the process stops. The definition is weak: the one that
 * knows tasks and poisons their mount takes its place where it is linked in.
 */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

__attribute__((weak)) void assertion_failed(const char *file, int line, const char *condition)
{
	fprintf(stderr, "extant: %s:%d: assertion failed: %s\n", file, line, condition);
	abort();
}
