/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A slow device: each call sleeps before it goes on, as long as calls of its kind take. The sleep
 * is the task's, so with a virtual clock the time passes without anybody waiting for it, and other
 * tasks run meanwhile. Calls of several tasks sleep side by side.
 */
#include "block/device.h"

#include "base/errors.h"
#include "base/sync.h"
#include "block/filter.h"

struct delay_device {
	struct block_filter filter;
	int64_t read_ns, write_ns, flush_ns;	/* constant */
};

static const struct delay_device *delay_of(const struct block_device *d)
{
	return container_of(d, struct delay_device, filter.dev);
}

static void take(int64_t ns)
{
	if (ns > 0)
		task_sleep(ns);
}

static int delay_read(struct block_device *d, const struct block_io *io)
{
	take(delay_of(d)->read_ns);
	return filter_read(d, io);
}

static int delay_write(struct block_device *d, const struct block_io *io)
{
	const struct delay_device *s = delay_of(d);
	int64_t ns = s->write_ns;

	if (io->flags & BLOCK_PREFLUSH)
		ns += s->flush_ns;
	if (io->flags & BLOCK_FUA)
		ns += s->flush_ns;
	take(ns);
	return filter_write(d, io);
}

static int delay_flush(struct block_device *d)
{
	take(delay_of(d)->flush_ns);
	return filter_flush(d);
}

static int delay_discard(struct block_device *d, uint64_t offset, uint64_t len)
{
	take(delay_of(d)->write_ns);
	return filter_discard(d, offset, len);
}

static const struct block_ops delay_ops = {
	.read = delay_read,
	.write = delay_write,
	.flush = delay_flush,
	.discard = delay_discard,
	.close = filter_close,
};

int block_delay_create(struct arena *a, struct block_device *lower, int64_t read_ns,
		       int64_t write_ns, int64_t flush_ns, struct block_device **out)
{
	struct delay_device *s = filter_alloc(a, sizeof(*s), &delay_ops, lower);

	if (!s)
		return -ENOMEM;
	s->read_ns = read_ns;
	s->write_ns = write_ns;
	s->flush_ns = flush_ns;
	*out = &s->filter.dev;
	return 0;
}
