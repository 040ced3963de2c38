/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sorting in place, without memory of its own: n log n steps whatever the order was (heapsort). Not
 * stable: who needs that makes the order whole.
 */
#ifndef EXTANT_BASE_SORT_H
#define EXTANT_BASE_SORT_H

#include <stdbool.h>
#include <stddef.h>

/* `before(a, b)`: a belongs in front of b. Elements of up to SORT_ELEMENT_MAX bytes. */
#define SORT_ELEMENT_MAX 64
void sort(void *elements, size_t count, size_t size, bool (*before)(const void *a, const void *b));

#endif
