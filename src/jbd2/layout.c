/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log's blocks; layout.h says what. Three generations of checksums:
 *
 *	v1	one crc32_be of a transaction's descriptors and blocks, in the commit block
 *	v2	crc32c in each block of the journal's own; 16 bits of one in each tag. A tag has two
 *		bytes more than its fields, which is why there is v3
 *	v3	the same with 32 bits, in tags of their own shape
 */
#include "jbd2/layout.h"

#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/csum.h"

#define CSUM_V2_TAG_EXTRA 2u	/* bytes that a v2 tag is longer than its fields */

void log_layout_init(struct log_layout *l, const struct journal_superblock_s *s, uint32_t block_size)
{
	uint32_t incompat = be32_get(s->s_feature_incompat);

	*l = (struct log_layout){ .block_size = block_size };
	memcpy(l->uuid, s->s_uuid, sizeof(l->uuid));
	l->seed = crc32c(~0u, l->uuid, sizeof(l->uuid));
	if (be32_get(s->s_header.h_blocktype) == JBD2_SUPERBLOCK_V1)
		return;
	l->v3 = incompat & JBD2_FEATURE_INCOMPAT_CSUM_V3;
	l->sealed = l->v3 || incompat & JBD2_FEATURE_INCOMPAT_CSUM_V2;
	l->sum_v1 = !l->sealed && be32_get(s->s_feature_compat) & JBD2_FEATURE_COMPAT_CHECKSUM;
	l->wide = incompat & JBD2_FEATURE_INCOMPAT_64BIT;
	l->async_commit = incompat & JBD2_FEATURE_INCOMPAT_ASYNC_COMMIT;
}

uint32_t log_tag_bytes(const struct log_layout *l)
{
	uint32_t bytes = l->wide ? JBD2_TAG_SIZE64 : JBD2_TAG_SIZE32;

	if (l->v3)
		return sizeof(struct journal_block_tag3_s);
	return l->sealed ? bytes + CSUM_V2_TAG_EXTRA : bytes;
}

uint32_t log_payload_end(const struct log_layout *l)
{
	return l->block_size - (l->sealed ? (uint32_t)sizeof(struct jbd2_journal_block_tail) : 0);
}

/* The first tag has the uuid behind it; a descriptor ends where one more such tag would not fit. */
uint32_t log_tags_per_block(const struct log_layout *l)
{
	uint32_t room = log_payload_end(l) - (uint32_t)sizeof(struct journal_header_s);

	return (room - 2 * JBD2_TAG_UUID_SIZE) / log_tag_bytes(l);
}

uint32_t log_revokes_per_block(const struct log_layout *l)
{
	uint32_t room = log_payload_end(l) - (uint32_t)sizeof(struct jbd2_journal_revoke_header_s);

	return room / (l->wide ? 8 : 4);
}

static void tag3_put(uint8_t *at, const struct log_tag *tag)
{
	struct journal_block_tag3_s t = {
		.t_blocknr = be32_of((uint32_t)tag->block),
		.t_flags = be32_of(tag->flags),
		.t_blocknr_high = be32_of((uint32_t)(tag->block >> 32)),
		.t_checksum = be32_of(tag->checksum),
	};

	memcpy(at, &t, sizeof(t));
}

void log_tag_put(const struct log_layout *l, uint8_t *at, const struct log_tag *tag)
{
	struct journal_block_tag_s t = {
		.t_blocknr = be32_of((uint32_t)tag->block),
		.t_checksum = be16_of(l->sealed ? (uint16_t)tag->checksum : 0),
		.t_flags = be16_of((uint16_t)tag->flags),
		.t_blocknr_high = be32_of((uint32_t)(tag->block >> 32)),
	};

	if (l->v3) {
		tag3_put(at, tag);
		return;
	}
	memset(at, 0, log_tag_bytes(l));
	memcpy(at, &t, l->wide ? JBD2_TAG_SIZE64 : JBD2_TAG_SIZE32);
}

static void tag3_get(const uint8_t *at, struct log_tag *tag)
{
	struct journal_block_tag3_s t;

	memcpy(&t, at, sizeof(t));
	tag->block = be32_get(t.t_blocknr) | (uint64_t)be32_get(t.t_blocknr_high) << 32;
	tag->flags = be32_get(t.t_flags);
	tag->checksum = be32_get(t.t_checksum);
}

void log_tag_get(const struct log_layout *l, const uint8_t *at, struct log_tag *tag)
{
	struct journal_block_tag_s t = { 0 };

	if (l->v3) {
		tag3_get(at, tag);
		if (!l->wide)
			tag->block &= UINT32_MAX;
		return;
	}
	memcpy(&t, at, l->wide ? JBD2_TAG_SIZE64 : JBD2_TAG_SIZE32);
	tag->block = be32_get(t.t_blocknr) | (uint64_t)be32_get(t.t_blocknr_high) << 32;
	tag->flags = be16_get(t.t_flags);
	tag->checksum = be16_get(t.t_checksum);
}

void log_header_put(uint8_t *block, uint32_t type, uint32_t tid)
{
	struct journal_header_s h = {
		.h_magic = be32_of(JBD2_MAGIC_NUMBER),
		.h_blocktype = be32_of(type),
		.h_sequence = be32_of(tid),
	};

	memcpy(block, &h, sizeof(h));
}

uint32_t log_header_type(const uint8_t *block, uint32_t tid)
{
	struct journal_header_s h;

	memcpy(&h, block, sizeof(h));
	if (be32_get(h.h_magic) != JBD2_MAGIC_NUMBER || be32_get(h.h_sequence) != tid)
		return 0;
	return be32_get(h.h_blocktype);
}

uint32_t log_data_sum(const struct log_layout *l, uint32_t tid, const uint8_t *data)
{
	be32 sequence = be32_of(tid);

	return crc32c(crc32c(l->seed, &sequence, sizeof(sequence)), data, l->block_size);
}

bool log_data_sum_matches(const struct log_layout *l, const struct log_tag *tag, uint32_t tid,
			  const uint8_t *data)
{
	uint32_t sum;

	if (!l->sealed)
		return true;
	sum = log_data_sum(l, tid, data);
	return l->v3 ? sum == tag->checksum : (sum & 0xffff) == tag->checksum;
}

/* The sum of a block in which the four bytes at `hole` count as zero. */
static uint32_t sum_with_hole(uint32_t seed, const uint8_t *p, size_t len, size_t hole)
{
	static const uint8_t zero[4];
	uint32_t crc = crc32c(seed, p, hole);

	crc = crc32c(crc, zero, sizeof(zero));
	return crc32c(crc, p + hole + sizeof(zero), len - hole - sizeof(zero));
}

static uint32_t tail_sum(const struct log_layout *l, const uint8_t *block)
{
	return sum_with_hole(l->seed, block, l->block_size, log_payload_end(l));
}

void log_block_seal(const struct log_layout *l, uint8_t *block)
{
	be32 sum;

	if (!l->sealed)
		return;
	sum = be32_of(tail_sum(l, block));
	memcpy(block + log_payload_end(l), &sum, sizeof(sum));
}

bool log_block_seal_matches(const struct log_layout *l, const uint8_t *block)
{
	be32 sum;

	if (!l->sealed)
		return true;
	memcpy(&sum, block + log_payload_end(l), sizeof(sum));
	return be32_get(sum) == tail_sum(l, block);
}

static uint32_t commit_sum(const struct log_layout *l, const uint8_t *block)
{
	return sum_with_hole(l->seed, block, l->block_size,
			     offsetof(struct commit_header, h_chksum));
}

void log_commit_put(const struct log_layout *l, uint8_t *block, uint32_t tid, int64_t realtime_ns,
		    uint32_t sum_v1)
{
	struct commit_header h = { 0 };

	memset(block, 0, l->block_size);
	h.h_commit_sec = be64_of((uint64_t)(realtime_ns / NSEC_PER_SEC));
	h.h_commit_nsec = be32_of((uint32_t)(realtime_ns % NSEC_PER_SEC));
	if (l->sum_v1) {
		h.h_chksum_type = JBD2_CRC32_CHKSUM;
		h.h_chksum_size = sizeof(h.h_chksum[0]);
		h.h_chksum[0] = be32_of(sum_v1);
	}
	memcpy(block, &h, sizeof(h));
	log_header_put(block, JBD2_COMMIT_BLOCK, tid);
	if (l->sealed) {
		be32 sum = be32_of(commit_sum(l, block));

		memcpy(block + offsetof(struct commit_header, h_chksum), &sum, sizeof(sum));
	}
}

/* A commit block of a v1 log may also have been written before the feature was set: no type, no sum. */
static bool commit_v1_matches(const struct commit_header *h, uint32_t sum_v1)
{
	if (h->h_chksum_type == JBD2_CRC32_CHKSUM && h->h_chksum_size == sizeof(h->h_chksum[0]))
		return be32_get(h->h_chksum[0]) == sum_v1;
	return h->h_chksum_type == 0 && h->h_chksum_size == 0 && be32_get(h->h_chksum[0]) == 0;
}

bool log_commit_matches(const struct log_layout *l, const uint8_t *block, uint32_t sum_v1)
{
	struct commit_header h;

	memcpy(&h, block, sizeof(h));
	if (l->sealed)
		return be32_get(h.h_chksum[0]) == commit_sum(l, block);
	return !l->sum_v1 || commit_v1_matches(&h, sum_v1);
}

uint32_t log_super_sum(const struct journal_superblock_s *s)
{
	return sum_with_hole(~0u, (const uint8_t *)s, sizeof(*s),
			     offsetof(struct journal_superblock_s, s_checksum));
}
