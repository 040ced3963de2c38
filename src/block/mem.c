/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device in memory: a sparse array of 64 KiB chunks. A chunk never written reads as zeros.
 * Nothing is ever in flight: a write is stable when it returns, a flush has nothing to do.
 */
#include "block/device.h"

#include <string.h>
#include "base/errors.h"
#include "block/iov.h"
#include "block/sparse.h"

#define CHUNK_BYTES ((size_t)64 << 10)

struct mem_device {
	struct block_device dev;
	struct sparse chunks;
};

static struct mem_device *mem_of(struct block_device *d)
{
	return container_of(d, struct mem_device, dev);
}

static int mem_read(struct block_device *d, const struct block_io *io)
{
	struct mem_device *m = mem_of(d);
	struct iov_cursor to = iov_begin(io->iov);
	uint64_t pos = io->offset, end = pos + iov_bytes(io->iov, io->iov_count);

	while (pos < end) {
		size_t skip = pos % CHUNK_BYTES, n = min(CHUNK_BYTES - skip, end - pos);
		const uint8_t *chunk = sparse_find(&m->chunks, pos / CHUNK_BYTES);

		iov_scatter(&to, chunk ? chunk + skip : NULL, n);
		pos += n;
	}
	return 0;
}

static int fill_zeros(void *arg, uint64_t index, void *chunk)
{
	memset(chunk, 0, CHUNK_BYTES);
	return 0;
}

static int mem_write(struct block_device *d, const struct block_io *io)
{
	struct mem_device *m = mem_of(d);
	struct iov_cursor from = iov_begin(io->iov);
	uint64_t pos = io->offset, end = pos + iov_bytes(io->iov, io->iov_count);

	while (pos < end) {
		size_t skip = pos % CHUNK_BYTES, n = min(CHUNK_BYTES - skip, end - pos);
		void *chunk;
		int err = sparse_make(&m->chunks, pos / CHUNK_BYTES,
				      n < CHUNK_BYTES ? fill_zeros : NULL, NULL, &chunk);

		if (err)
			return err;
		iov_gather(&from, (uint8_t *)chunk + skip, n);
		pos += n;
	}
	return 0;
}

static int mem_flush(struct block_device *d)
{
	return 0;
}

/* What does not cover a chunk is zeroed in it. */
static int mem_discard(struct block_device *d, uint64_t offset, uint64_t len)
{
	struct mem_device *m = mem_of(d);
	uint64_t pos = offset, end = offset + len;

	while (pos < end) {
		size_t skip = pos % CHUNK_BYTES, n = min(CHUNK_BYTES - skip, end - pos);
		uint8_t *chunk = (uint8_t *)(uintptr_t)sparse_find(&m->chunks, pos / CHUNK_BYTES);

		if (n == CHUNK_BYTES)
			sparse_drop(&m->chunks, pos / CHUNK_BYTES);
		else if (chunk)
			memset(chunk + skip, 0, n);
		pos += n;
	}
	return 0;
}

static void mem_close(struct block_device *d)
{
	struct mem_device *m = mem_of(d);

	sparse_clear(&m->chunks);
	arena_free(d->arena, m);
}

static const struct block_ops mem_ops = {
	.read = mem_read,
	.write = mem_write,
	.flush = mem_flush,
	.discard = mem_discard,
	.close = mem_close,
};

int block_mem_create(struct arena *a, uint64_t size_bytes, struct block_device **out)
{
	struct mem_device *m = arena_new(a, struct mem_device);

	if (!m)
		return -ENOMEM;
	m->dev = (struct block_device){
		.ops = &mem_ops,
		.arena = a,
		.size_bytes = size_bytes - size_bytes % BLOCK_SECTOR_BYTES,
		.name = "memory",
	};
	sparse_init(&m->chunks, a, CHUNK_BYTES, size_bytes / CHUNK_BYTES + 1, NULL);
	*out = &m->dev;
	return 0;
}
