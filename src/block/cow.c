/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copy on write: what is written stays in memory, in chunks of 4 KiB, and what was never written is
 * read from below. A write of part of a chunk first copies the chunk up. What is discarded reads as
 * zeros, so that a discard of something still needed shows.
 *
 * A thousand crash states cost little with it: each is one reset and a few chunks.
 */
#include "block/device.h"

#include <string.h>
#include "base/assert.h"
#include "base/errors.h"
#include "block/filter.h"
#include "block/iov.h"
#include "block/sparse.h"

#define CHUNK_BYTES ((size_t)4096)

struct cow_device {
	struct block_filter filter;
	struct sparse chunks;
};

static const uint8_t zeros[CHUNK_BYTES];
static const struct block_ops cow_ops;

static struct cow_device *cow_of(struct block_device *d)
{
	ensure(d->ops == &cow_ops);
	return container_of(filter_of(d), struct cow_device, filter);
}

static uint64_t chunk_index(uint64_t pos)
{
	return pos / CHUNK_BYTES;
}

/* From `pos` on, the bytes of its chunk, or up to `end`. */
static size_t rest_of_chunk(uint64_t pos, uint64_t end)
{
	return min(CHUNK_BYTES - pos % CHUNK_BYTES, end - pos);
}

static bool all_written(struct cow_device *c, uint64_t pos, uint64_t end)
{
	while (pos < end && sparse_find(&c->chunks, chunk_index(pos)))
		pos += rest_of_chunk(pos, end);
	return pos >= end;
}

/* Reads all from below, then lays what was written over it. */
static int cow_read(struct block_device *d, const struct block_io *io)
{
	struct cow_device *c = cow_of(d);
	struct iov_cursor to = iov_begin(io->iov);
	uint64_t pos = io->offset, end = pos + iov_bytes(io->iov, io->iov_count);

	if (!all_written(c, pos, end)) {
		int err = block_readv(c->filter.lower, io);

		if (err)
			return err;
	}
	while (pos < end) {
		const uint8_t *chunk = sparse_find(&c->chunks, chunk_index(pos));
		size_t n = rest_of_chunk(pos, end);

		if (chunk)
			iov_scatter(&to, chunk + pos % CHUNK_BYTES, n);
		else
			iov_skip(&to, n);
		pos += n;
	}
	return 0;
}

/* Copies a chunk up; behind the end of the device it is zeros. */
static int fill_from_lower(void *arg, uint64_t index, void *chunk)
{
	struct cow_device *c = arg;
	uint64_t pos = index * CHUNK_BYTES;
	size_t n = rest_of_chunk(pos, c->filter.dev.size_bytes);

	memset((uint8_t *)chunk + n, 0, CHUNK_BYTES - n);
	return block_read(c->filter.lower, pos, chunk, n);
}

static int chunk_to_write(struct cow_device *c, uint64_t pos, size_t n, uint8_t **out)
{
	void *chunk;
	int err = sparse_make(&c->chunks, chunk_index(pos),
			      n < CHUNK_BYTES ? fill_from_lower : NULL, c, &chunk);

	if (!err)
		*out = (uint8_t *)chunk + pos % CHUNK_BYTES;
	return err;
}

static int cow_write(struct block_device *d, const struct block_io *io)
{
	struct cow_device *c = cow_of(d);
	struct iov_cursor from = iov_begin(io->iov);
	uint64_t pos = io->offset, end = pos + iov_bytes(io->iov, io->iov_count);

	while (pos < end) {
		size_t n = rest_of_chunk(pos, end);
		uint8_t *to;
		int err = chunk_to_write(c, pos, n, &to);

		if (err)
			return err;
		iov_gather(&from, to, n);
		pos += n;
	}
	return 0;
}

static int cow_flush(struct block_device *d)
{
	return 0;
}

static int discard_in_chunk(struct cow_device *c, uint64_t pos, size_t n)
{
	uint8_t *to;
	int err;

	if (n == CHUNK_BYTES)
		return sparse_zero(&c->chunks, chunk_index(pos));
	err = chunk_to_write(c, pos, n, &to);
	if (!err)
		memset(to, 0, n);
	return err;
}

static int cow_discard(struct block_device *d, uint64_t offset, uint64_t len)
{
	struct cow_device *c = cow_of(d);
	uint64_t pos = offset, end = offset + len;
	int err = 0;

	while (pos < end && !err) {
		size_t n = rest_of_chunk(pos, end);

		err = discard_in_chunk(c, pos, n);
		pos += n;
	}
	return err;
}

void block_cow_reset(struct block_device *cow)
{
	sparse_clear(&cow_of(cow)->chunks);
}

struct export {
	struct cow_device *cow;
	block_range_fn fn;
	void *arg;
};

static int export_chunk(void *arg, uint64_t index, const void *chunk)
{
	const struct export *e = arg;
	uint64_t pos = index * CHUNK_BYTES;

	return e->fn(e->arg, pos, chunk, rest_of_chunk(pos, e->cow->filter.dev.size_bytes));
}

int block_cow_export(struct block_device *cow, block_range_fn fn, void *arg)
{
	struct export e = { .cow = cow_of(cow), .fn = fn, .arg = arg };

	return sparse_each(&e.cow->chunks, export_chunk, &e);
}

static void cow_close(struct block_device *d)
{
	sparse_clear(&cow_of(d)->chunks);
	filter_close(d);
}

static const struct block_ops cow_ops = {
	.read = cow_read,
	.write = cow_write,
	.flush = cow_flush,
	.discard = cow_discard,
	.close = cow_close,
};

int block_cow_create(struct arena *a, struct block_device *lower, struct block_device **out)
{
	struct cow_device *c = filter_alloc(a, sizeof(*c), &cow_ops, lower);

	if (!c)
		return -ENOMEM;
	c->filter.dev.read_only = false;
	sparse_init(&c->chunks, a, CHUNK_BYTES, chunk_index(lower->size_bytes) + 1, zeros);
	*out = &c->filter.dev;
	return 0;
}
