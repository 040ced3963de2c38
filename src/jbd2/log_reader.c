/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the log: block by block, a window ahead. Where each block lies is asked of the user, as for
 * writing; a block ahead that cannot be had is no error until it is asked for itself.
 */
#include "jbd2/recovery.h"

#define WINDOW_BYTES (256u << 10)

struct log_reader {
	struct journal *j;
	uint8_t *bytes;
	uint32_t max;			/* blocks of the window */
	uint64_t first;			/* what it holds: [first, first + count) */
	uint32_t count;
};

int log_reader_create(struct journal *j, struct log_reader **out)
{
	struct log_reader *r = arena_new(j->arena, struct log_reader);

	if (!r)
		return -ENOMEM;
	r->j = j;
	r->max = WINDOW_BYTES / j->block_size;
	r->bytes = arena_alloc(j->arena, (size_t)r->max * j->block_size);
	if (!r->bytes) {
		arena_free(j->arena, r);
		return -ENOMEM;
	}
	*out = r;
	return 0;
}

void log_reader_destroy(struct log_reader *r)
{
	if (!r)
		return;
	arena_free(r->j->arena, r->bytes);
	arena_free(r->j->arena, r);
}

static int map(const struct log_reader *r, uint64_t lblk, uint64_t *pblk)
{
	return r->j->opt.ops->map_log_block(r->j->opt.user, lblk, pblk);
}

/* Blocks from `lblk` on, `max` at most, that follow each other on the device too. */
static int map_run(const struct log_reader *r, uint64_t lblk, uint32_t max, uint64_t *pblk, uint32_t *len)
{
	uint64_t next;
	int err = map(r, lblk, pblk);

	if (err)
		return err;
	for (*len = 1; *len < max; ++*len)
		if (map(r, lblk + *len, &next) || next != *pblk + *len)
			break;
	return 0;
}

static int read_run(struct log_reader *r, uint32_t max)
{
	struct journal *j = r->j;
	uint64_t pblk = 0;
	uint32_t len = 0;
	int err = map_run(r, r->first + r->count, max, &pblk, &len);

	if (!err)
		err = block_read(j->log_device, pblk * j->block_size,
				 r->bytes + (size_t)r->count * j->block_size, (size_t)len * j->block_size);
	if (!err)
		r->count += len;
	return err;
}

static int load(struct log_reader *r, uint64_t lblk)
{
	uint64_t end = r->j->log_end + r->j->fast_commit_blocks;
	uint32_t want = (uint32_t)min((uint64_t)r->max, end - lblk);

	r->first = lblk;
	r->count = 0;
	while (r->count < want)
		if (read_run(r, want - r->count))
			break;
	return r->count ? 0 : read_run(r, 1);
}

int log_reader_get(struct log_reader *r, uint64_t lblk, const uint8_t **data)
{
	int err;

	if (lblk < r->first || lblk >= r->first + r->count) {
		err = load(r, lblk);
		if (err)
			return err;
	}
	*data = r->bytes + (size_t)(lblk - r->first) * r->j->block_size;
	return 0;
}
