/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device that fails when it is told to: the nth call of some kinds, or every call of some kinds
 * that touches a range. A failed call is not passed on, so a failed write has written nothing; what
 * a torn one does is for the crash plans (replay.h) to try.
 */
#include "block/device.h"

#include <stdatomic.h>
#include "base/assert.h"
#include "base/errors.h"
#include "block/filter.h"
#include "block/iov.h"

struct order_at {			/* constant while calls are under way, but for `seen` */
	unsigned what;			/* 0: no order */
	uint64_t nth;
	int err;
	bool forever;
	_Atomic(uint64_t) seen;		/* calls in `what` since the order was given */
};

struct order_range {			/* constant while calls are under way */
	unsigned what;			/* 0: no order */
	uint64_t offset, len;
	int err;
};

struct fault_device {
	struct block_filter filter;
	_Atomic(uint64_t) calls;
	struct order_at at;
	struct order_range range;
};

static const struct block_ops fault_ops;

static struct fault_device *fault_of(const struct block_device *d)
{
	ensure(d->ops == &fault_ops);
	return (struct fault_device *)(uintptr_t)d;
}

/* Takes a number for the call; the error if that number was ordered to fail. */
static int fail_by_number(struct order_at *o, enum block_fault_what what)
{
	uint64_t n;

	if (!(o->what & what))
		return 0;
	n = atomic_fetch_add(&o->seen, 1);
	return n == o->nth || (o->forever && n > o->nth) ? o->err : 0;
}

static int fail_by_place(const struct order_range *o, enum block_fault_what what, uint64_t offset,
			 uint64_t len)
{
	if (!(o->what & what))
		return 0;
	return offset < o->offset + o->len && o->offset < offset + len ? o->err : 0;
}

/* Every call goes through here; 0: it goes on. A flush has no place. */
static int fault_call(struct block_device *d, enum block_fault_what what, uint64_t offset,
		      uint64_t len)
{
	struct fault_device *f = fault_of(d);
	int err;

	atomic_fetch_add(&f->calls, 1);
	err = fail_by_number(&f->at, what);
	return err ? err : fail_by_place(&f->range, what, offset, len);
}

static int fault_read(struct block_device *d, const struct block_io *io)
{
	int err = fault_call(d, FAULT_READ, io->offset, iov_bytes(io->iov, io->iov_count));

	return err ? err : filter_read(d, io);
}

static int fault_write(struct block_device *d, const struct block_io *io)
{
	int err = fault_call(d, FAULT_WRITE, io->offset, iov_bytes(io->iov, io->iov_count));

	return err ? err : filter_write(d, io);
}

static int fault_flush(struct block_device *d)
{
	int err = fault_call(d, FAULT_FLUSH, 0, 0);

	return err ? err : filter_flush(d);
}

static int fault_discard(struct block_device *d, uint64_t offset, uint64_t len)
{
	int err = fault_call(d, FAULT_DISCARD, offset, len);

	return err ? err : filter_discard(d, offset, len);
}

static const struct block_ops fault_ops = {
	.read = fault_read,
	.write = fault_write,
	.flush = fault_flush,
	.discard = fault_discard,
	.close = filter_close,
};

int block_fault_create(struct arena *a, struct block_device *lower, struct block_device **out)
{
	struct fault_device *f = filter_alloc(a, sizeof(*f), &fault_ops, lower);

	if (!f)
		return -ENOMEM;
	*out = &f->filter.dev;
	return 0;
}

void block_fault_at(struct block_device *fault, unsigned what, uint64_t nth, int err, bool forever)
{
	struct order_at *o = &fault_of(fault)->at;

	o->what = what;
	o->nth = nth;
	o->err = err;
	o->forever = forever;
	atomic_store(&o->seen, 0);
}

void block_fault_range(struct block_device *fault, unsigned what, uint64_t offset, uint64_t len,
		       int err)
{
	fault_of(fault)->range = (struct order_range){
		.what = what,
		.offset = offset,
		.len = len,
		.err = err,
	};
}

void block_fault_clear(struct block_device *fault)
{
	fault_of(fault)->at.what = 0;
	fault_of(fault)->range.what = 0;
}

uint64_t block_fault_calls(const struct block_device *fault)
{
	return atomic_load(&fault_of(fault)->calls);
}
