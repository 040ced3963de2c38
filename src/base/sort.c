/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Heapsort (sort.h). The heap has its last element on top; taken off, it goes behind the rest.
 */
#include "base/sort.h"
#include <string.h>
#include "base/assert.h"

struct heap {
	unsigned char *elements;
	size_t size;
	bool (*before)(const void *a, const void *b);
};

static void *element(const struct heap *h, size_t i)
{
	return h->elements + i * h->size;
}

/* The element at `i` sinks to its place among the first `count`. */
static void sink(const struct heap *h, size_t i, size_t count)
{
	unsigned char sinking[SORT_ELEMENT_MAX];
	size_t child;

	memcpy(sinking, element(h, i), h->size);
	while ((child = 2 * i + 1) < count) {
		if (child + 1 < count && h->before(element(h, child), element(h, child + 1)))
			child++;
		if (!h->before(sinking, element(h, child)))
			break;
		memcpy(element(h, i), element(h, child), h->size);
		i = child;
	}
	memcpy(element(h, i), sinking, h->size);
}

void sort(void *elements, size_t count, size_t size, bool (*before)(const void *a, const void *b))
{
	struct heap h = { elements, size, before };
	unsigned char last[SORT_ELEMENT_MAX];

	ensure(size <= SORT_ELEMENT_MAX);
	for (size_t i = count / 2; i--;)
		sink(&h, i, count);
	while (count > 1) {
		count--;
		memcpy(last, element(&h, count), size);
		memcpy(element(&h, count), elements, size);
		memcpy(elements, last, size);
		sink(&h, 0, count);
	}
}
