/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ground that the filters stand on, and the plainest of them: share, which passes everything on
 * and leaves open what is below.
 */
#include "block/filter.h"

#include "base/errors.h"

void *filter_alloc(struct arena *a, size_t size, const struct block_ops *ops,
		   struct block_device *lower)
{
	struct block_filter *f = arena_zalloc(a, size);

	if (!f)
		return NULL;
	f->dev = (struct block_device){
		.ops = ops,
		.arena = a,
		.size_bytes = lower->size_bytes,
		.read_only = lower->read_only,
		.name = lower->name,
	};
	f->lower = lower;
	return f;
}

int filter_read(struct block_device *d, const struct block_io *io)
{
	return block_readv(filter_of(d)->lower, io);
}

int filter_write(struct block_device *d, const struct block_io *io)
{
	return block_writev(filter_of(d)->lower, io);
}

int filter_flush(struct block_device *d)
{
	return block_flush(filter_of(d)->lower);
}

int filter_discard(struct block_device *d, uint64_t offset, uint64_t len)
{
	return block_discard(filter_of(d)->lower, offset, len);
}

void filter_close(struct block_device *d)
{
	struct block_filter *f = filter_of(d);

	block_close(f->lower);
	arena_free(d->arena, f);
}

static void share_close(struct block_device *d)
{
	arena_free(d->arena, filter_of(d));
}

static const struct block_ops share_ops = {
	.read = filter_read,
	.write = filter_write,
	.flush = filter_flush,
	.discard = filter_discard,
	.close = share_close,
};

int block_share_create(struct arena *a, struct block_device *lower, struct block_device **out)
{
	struct block_filter *f = filter_alloc(a, sizeof(*f), &share_ops, lower);

	if (!f)
		return -ENOMEM;
	*out = &f->dev;
	return 0;
}
