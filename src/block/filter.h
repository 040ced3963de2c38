/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all filters share: a device that has another below it and, unless it says otherwise, passes
 * everything on.
 */
#ifndef EXTANT_BLOCK_FILTER_H
#define EXTANT_BLOCK_FILTER_H

#include "block/device.h"

struct block_filter {			/* the first member of every filter */
	struct block_device dev;
	struct block_device *lower;	/* constant */
};

/* Memory for a filter of `size` bytes over `lower`, of its size and name. NULL: no memory. */
must_check void *filter_alloc(struct arena *a, size_t size, const struct block_ops *ops,
			      struct block_device *lower);

int filter_read(struct block_device *d, const struct block_io *io);
int filter_write(struct block_device *d, const struct block_io *io);
int filter_flush(struct block_device *d);
int filter_discard(struct block_device *d, uint64_t offset, uint64_t len);
/* Closes what is below and frees the filter. */
void filter_close(struct block_device *d);

static inline struct block_filter *filter_of(struct block_device *d)
{
	return container_of(d, struct block_filter, dev);
}

#endif
