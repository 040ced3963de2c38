/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts from outside: what a mount asks of its arena and of its device, seen by the linker and by a device of the
 * test's own. Nothing here knows of the numbers by which calls are made to fail.
 *
 * The linker leads each call of the arena's functions that comes from another file to the ones here (--wrap), which
 * pass it on. That nobody goes to the C library behind the arena's back is for allocators.py to see.
 */
#ifndef EXTANT_TESTS_OUTSIDE_H
#define EXTANT_TESTS_OUTSIDE_H

#include "block/device.h"

/* From now on what `a` gives out is counted, from 0. */
void outside_watch(const struct arena *a);
uint64_t outside_allocations(void);

/* Passes everything on to `lower`, which is closed with it, and counts the calls. */
must_check int outside_device_create(struct arena *a, struct block_device *lower, struct block_device **out);
uint64_t outside_device_calls(const struct block_device *d);

#endif
