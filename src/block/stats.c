/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts what passes through, failed calls too. The counters are atomic and independent: read while
 * others write, they may be of slightly different moments.
 */
#include "block/device.h"

#include <stdatomic.h>
#include "base/assert.h"
#include "base/errors.h"
#include "block/filter.h"
#include "block/iov.h"

struct stats_device {
	struct block_filter filter;
	/* relaxed: */
	_Atomic(uint64_t) reads, read_bytes, writes, write_bytes, flushes, fua_writes, discards;
};

static const struct block_ops stats_ops;

static struct stats_device *stats_of(const struct block_device *d)
{
	ensure(d->ops == &stats_ops);
	return (struct stats_device *)(uintptr_t)d;
}

static void count(_Atomic(uint64_t) *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static uint64_t counted(const _Atomic(uint64_t) *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static int stats_read(struct block_device *d, const struct block_io *io)
{
	struct stats_device *s = stats_of(d);

	count(&s->reads, 1);
	count(&s->read_bytes, iov_bytes(io->iov, io->iov_count));
	return filter_read(d, io);
}

static int stats_write(struct block_device *d, const struct block_io *io)
{
	struct stats_device *s = stats_of(d);

	count(&s->writes, 1);
	count(&s->write_bytes, iov_bytes(io->iov, io->iov_count));
	if (io->flags & BLOCK_PREFLUSH)
		count(&s->flushes, 1);
	if (io->flags & BLOCK_FUA)
		count(&s->fua_writes, 1);
	return filter_write(d, io);
}

static int stats_flush(struct block_device *d)
{
	count(&stats_of(d)->flushes, 1);
	return filter_flush(d);
}

static int stats_discard(struct block_device *d, uint64_t offset, uint64_t len)
{
	count(&stats_of(d)->discards, 1);
	return filter_discard(d, offset, len);
}

static const struct block_ops stats_ops = {
	.read = stats_read,
	.write = stats_write,
	.flush = stats_flush,
	.discard = stats_discard,
	.close = filter_close,
};

int block_stats_create(struct arena *a, struct block_device *lower, struct block_device **out)
{
	struct stats_device *s = filter_alloc(a, sizeof(*s), &stats_ops, lower);

	if (!s)
		return -ENOMEM;
	*out = &s->filter.dev;
	return 0;
}

void block_stats_get(const struct block_device *stats, struct block_stats *out)
{
	const struct stats_device *s = stats_of(stats);

	*out = (struct block_stats){
		.reads = counted(&s->reads),
		.read_bytes = counted(&s->read_bytes),
		.writes = counted(&s->writes),
		.write_bytes = counted(&s->write_bytes),
		.flushes = counted(&s->flushes),
		.fua_writes = counted(&s->fua_writes),
		.discards = counted(&s->discards),
	};
}
