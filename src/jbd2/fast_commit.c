/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fast commits: records of the file system's own behind the log. They follow the last full commit, and
 * count only while no later one has been made. The journal does not replay them; it only tells whether
 * there are any, so that nobody goes on from a state that lacks what was promised to be stable.
 *
 * The area begins one block behind the log's ring. It is a row of records { le16 tag, le16 length,
 * value }, none across the end of a block. The first is a head { le32 features, le32 tid }; a tail
 * { le32 tid, le32 crc } ends each fast commit, and its crc (from 0) is that of all records since the
 * last tail, up to itself.
 */
#include "base/csum.h"
#include "jbd2/recovery.h"

#include <string.h>

enum { TAG_PAD = 7, TAG_TAIL = 8, TAG_HEAD = 9 };

struct fc_record {
	le16 tag;
	le16 len;
};
struct fc_pair {		/* the value of heads and tails */
	le32 first, second;
};

struct fc_scan {
	struct journal *j;
	tid_t tid;
	uint32_t crc;
	bool begun, done, follow;
};

static void head(struct fc_scan *s, const struct fc_pair *value)
{
	s->begun = le32_get(value->second) == s->tid;
	s->done = !s->begun;
}

static void tail(struct fc_scan *s, const struct fc_pair *value)
{
	uint32_t crc = crc32c(s->crc, &value->first, sizeof(value->first));

	s->follow = s->begun && le32_get(value->first) == s->tid && le32_get(value->second) == crc;
	s->done = true;
}

/* One record at `p`, which has `room` bytes to the block's end; its length, 0 for the end of the block. */
static uint32_t record(struct fc_scan *s, const uint8_t *p, uint32_t room)
{
	struct fc_record r;
	struct fc_pair value;
	uint32_t len, tag;

	if (room < sizeof(r))
		return 0;
	memcpy(&r, p, sizeof(r));
	tag = le16_get(r.tag);
	len = le16_get(r.len);
	if (tag == 0 || tag > TAG_HEAD || len > room - sizeof(r) || (!s->begun && tag != TAG_HEAD)) {
		s->done = true;
		return 0;
	}
	if (tag == TAG_HEAD || tag == TAG_TAIL) {
		if (len < sizeof(value)) {
			s->done = true;
			return 0;
		}
		memcpy(&value, p + sizeof(r), sizeof(value));
	}
	if (tag == TAG_HEAD)
		head(s, &value);
	if (tag == TAG_TAIL) {
		s->crc = crc32c(s->crc, p, sizeof(r));
		tail(s, &value);
		return 0;
	}
	s->crc = crc32c(s->crc, p, sizeof(r) + len);
	return (uint32_t)sizeof(r) + len;
}

static void scan_block(struct fc_scan *s, const uint8_t *block)
{
	uint32_t at = 0, len;

	do {
		len = record(s, block + at, s->j->block_size - at);
		at += len;
	} while (len && !s->done);
}

int fast_commits_follow(struct journal *j, struct log_reader *r, tid_t end, bool *follow)
{
	struct fc_scan s = { .j = j, .tid = end };
	const uint8_t *block;
	uint64_t i;
	int err = 0;

	for (i = 1; i < j->fast_commit_blocks && !s.done && !err; i++) {
		err = log_reader_get(r, j->log_end + i, &block);
		if (!err)
			scan_block(&s, block);
	}
	*follow = s.follow;
	return err;
}
