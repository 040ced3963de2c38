/* SPDX-License-Identifier: BSD-2-Clause */
/* Doing again, on another device, what a recording says was done. */
#include "block/crash.h"

#include "base/assert.h"
#include "base/errors.h"
#include "block/record.h"

static const uint8_t zeros[4096];

static int write_zeros(struct block_device *dst, uint64_t pos, uint64_t len)
{
	int err = 0;

	while (len && !err) {
		size_t n = min(len, (uint64_t)sizeof(zeros));

		err = block_write(dst, pos, zeros, n, 0);
		pos += n;
		len -= n;
	}
	return err;
}

static int discard(struct block_device *dst, uint64_t pos, uint64_t len)
{
	int err = block_discard(dst, pos, len);

	return err == -EOPNOTSUPP ? write_zeros(dst, pos, len) : err;
}

int block_replay_part(const struct block_device *rec, size_t i, uint64_t from, uint64_t to,
		      struct block_device *dst)
{
	const struct block_record_entry *e = block_record_get(rec, i);

	if (!record_is_change(e))
		return 0;
	ensure(from <= to && to <= e->len);
	if (e->kind == RECORD_DISCARD)
		return discard(dst, e->offset + from, to - from);
	return block_write(dst, e->offset + from, e->data + from, to - from, 0);
}

int block_replay_apply(const struct block_device *rec, size_t i, struct block_device *dst)
{
	return block_replay_part(rec, i, 0, block_record_get(rec, i)->len, dst);
}
