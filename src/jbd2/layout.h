/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log's blocks, written and read: headers, tags, checksums, in whichever of the formats the
 * superblock's features choose. Commit and recovery share it, so that what one writes the other reads.
 */
#ifndef EXTANT_JBD2_LAYOUT_H
#define EXTANT_JBD2_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>
#include "jbd2/format.h"

struct log_layout {
	uint32_t block_size;
	bool sum_v1;		/* the commit block has a sum of descriptors and blocks */
	bool sealed;		/* v2 or v3: every block of the log is sealed */
	bool v3;
	bool wide;		/* 64-bit block numbers */
	bool async_commit;
	uint32_t seed;		/* crc32c of the uuid */
	uint8_t uuid[16];
};

/* One block as a descriptor tells of it. */
struct log_tag {
	uint64_t block;		/* where it belongs */
	uint32_t flags;		/* JBD2_FLAG_* */
	uint32_t checksum;	/* the low 16 bits only without v3 */
};

void log_layout_init(struct log_layout *l, const struct journal_superblock_s *s, uint32_t block_size);

uint32_t log_tag_bytes(const struct log_layout *l);
/* How many tags a descriptor takes, and records a revoke block. */
uint32_t log_tags_per_block(const struct log_layout *l);
uint32_t log_revokes_per_block(const struct log_layout *l);
/* Where tags or records end. */
uint32_t log_payload_end(const struct log_layout *l);

void log_tag_put(const struct log_layout *l, uint8_t *at, const struct log_tag *tag);
void log_tag_get(const struct log_layout *l, const uint8_t *at, struct log_tag *tag);

void log_header_put(uint8_t *block, uint32_t type, uint32_t tid);
/* The type; 0 when it is no block of the journal's own, or of another transaction. */
uint32_t log_header_type(const uint8_t *block, uint32_t tid);

/* What a tag's checksum holds: of the block as it lies in the log. */
uint32_t log_data_sum(const struct log_layout *l, uint32_t tid, const uint8_t *data);
bool log_data_sum_matches(const struct log_layout *l, const struct log_tag *tag, uint32_t tid,
			  const uint8_t *data);
/* Descriptor and revoke blocks: nothing to do, and always right, unless sealed. */
void log_block_seal(const struct log_layout *l, uint8_t *block);
bool log_block_seal_matches(const struct log_layout *l, const uint8_t *block);
/* Commit blocks; `sum_v1` is the transaction's. */
void log_commit_put(const struct log_layout *l, uint8_t *block, uint32_t tid, int64_t realtime_ns,
		    uint32_t sum_v1);
bool log_commit_matches(const struct log_layout *l, const uint8_t *block, uint32_t sum_v1);

/* The checksum of a superblock. */
uint32_t log_super_sum(const struct journal_superblock_s *s);

#endif
