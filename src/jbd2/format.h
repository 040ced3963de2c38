/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal on disk: the format and nothing else (docs/on-disk.md, "Journal"). Big-endian.
 *
 *	block 0      superblock
 *	s_first...   the log, a ring: descriptor, its blocks, [more of both], [revoke], commit; ...
 *
 * Every block of the journal's own begins with a header; a logged block that begins with the magic
 * number is escaped: its first four bytes are zeroed and its tag says so.
 *
 * Checksums: v1 (compat) sums a transaction's descriptors and blocks into the commit block with
 * crc32_be. v2 and v3 seal each block with crc32c, seeded with the crc32c of s_uuid.
 */
#ifndef EXTANT_JBD2_FORMAT_H
#define EXTANT_JBD2_FORMAT_H

#include "base/endian.h"

#define JBD2_MAGIC_NUMBER	0xc03b3998u
#define JBD2_MIN_JOURNAL_BLOCKS	1024u

struct journal_header_s {
	be32 h_magic;			/* JBD2_MAGIC_NUMBER */
	be32 h_blocktype;		/* JBD2_*_BLOCK, JBD2_SUPERBLOCK_* */
	be32 h_sequence;		/* of the transaction */
};
DISK_SIZE(struct journal_header_s, 12);
DISK_OFFSET(struct journal_header_s, h_magic, 0x0);
DISK_OFFSET(struct journal_header_s, h_blocktype, 0x4);
DISK_OFFSET(struct journal_header_s, h_sequence, 0x8);

/* h_blocktype */
#define JBD2_DESCRIPTOR_BLOCK	1u
#define JBD2_COMMIT_BLOCK	2u
#define JBD2_SUPERBLOCK_V1	3u	/* ends with s_errno */
#define JBD2_SUPERBLOCK_V2	4u
#define JBD2_REVOKE_BLOCK	5u

/* ---- superblock */

#define JBD2_USERS_MAX		48u

struct journal_superblock_s {
	struct journal_header_s s_header;
	be32 s_blocksize;		/* bytes */
	be32 s_maxlen;			/* blocks of the whole journal */
	be32 s_first;			/* first block of the log */
	be32 s_sequence;		/* first transaction expected in the log */
	be32 s_start;			/* block where it begins; 0: the log is empty */
	be32 s_errno;			/* negative errno if it was aborted */

	/* From here on v2 only. */
	be32 s_feature_compat;		/* JBD2_FEATURE_COMPAT_* */
	be32 s_feature_incompat;	/* JBD2_FEATURE_INCOMPAT_* */
	be32 s_feature_ro_compat;	/* none is defined */
	uint8_t s_uuid[16];
	be32 s_nr_users;		/* file systems that share it: 1 */
	be32 s_dynsuper;		/* unused */
	be32 s_max_transaction;		/* unused */
	be32 s_max_trans_data;		/* unused */
	uint8_t s_checksum_type;	/* JBD2_*_CHKSUM, of v2 and v3 */
	uint8_t s_padding2[3];
	be32 s_num_fc_blks;		/* fast commit blocks at the journal's end; 0 means 256 */
	be32 s_head;			/* end of the log; valid while it is empty */
	be32 s_padding[40];
	be32 s_checksum;		/* crc32c from ~0, this field as 0 */
	uint8_t s_users[768];		/* uuids of the file systems that share it */
};
DISK_SIZE(struct journal_superblock_s, 1024);
DISK_OFFSET(struct journal_superblock_s, s_header, 0x000);
DISK_OFFSET(struct journal_superblock_s, s_blocksize, 0x00C);
DISK_OFFSET(struct journal_superblock_s, s_maxlen, 0x010);
DISK_OFFSET(struct journal_superblock_s, s_first, 0x014);
DISK_OFFSET(struct journal_superblock_s, s_sequence, 0x018);
DISK_OFFSET(struct journal_superblock_s, s_start, 0x01C);
DISK_OFFSET(struct journal_superblock_s, s_errno, 0x020);
DISK_OFFSET(struct journal_superblock_s, s_feature_compat, 0x024);
DISK_OFFSET(struct journal_superblock_s, s_feature_incompat, 0x028);
DISK_OFFSET(struct journal_superblock_s, s_feature_ro_compat, 0x02C);
DISK_OFFSET(struct journal_superblock_s, s_uuid, 0x030);
DISK_OFFSET(struct journal_superblock_s, s_nr_users, 0x040);
DISK_OFFSET(struct journal_superblock_s, s_dynsuper, 0x044);
DISK_OFFSET(struct journal_superblock_s, s_max_transaction, 0x048);
DISK_OFFSET(struct journal_superblock_s, s_max_trans_data, 0x04C);
DISK_OFFSET(struct journal_superblock_s, s_checksum_type, 0x050);
DISK_OFFSET(struct journal_superblock_s, s_padding2, 0x051);
DISK_OFFSET(struct journal_superblock_s, s_num_fc_blks, 0x054);
DISK_OFFSET(struct journal_superblock_s, s_head, 0x058);
DISK_OFFSET(struct journal_superblock_s, s_padding, 0x05C);
DISK_OFFSET(struct journal_superblock_s, s_checksum, 0x0FC);
DISK_OFFSET(struct journal_superblock_s, s_users, 0x100);

#define JBD2_DEFAULT_FAST_COMMIT_BLOCKS 256u

/* s_feature_compat */
#define JBD2_FEATURE_COMPAT_CHECKSUM		0x01u	/* v1: commit blocks hold sums */

/* s_feature_incompat */
#define JBD2_FEATURE_INCOMPAT_REVOKE		0x01u	/* the log may hold revoke blocks */
#define JBD2_FEATURE_INCOMPAT_64BIT		0x02u	/* 64-bit block numbers */
#define JBD2_FEATURE_INCOMPAT_ASYNC_COMMIT	0x04u	/* no flush before the commit */
#define JBD2_FEATURE_INCOMPAT_CSUM_V2		0x08u	/* sealed blocks; 16 bits in tags */
#define JBD2_FEATURE_INCOMPAT_CSUM_V3		0x10u	/* sealed blocks; tag3 */
#define JBD2_FEATURE_INCOMPAT_FAST_COMMIT	0x20u	/* fast commits may be there */

/* h_chksum_type, s_checksum_type */
#define JBD2_CRC32_CHKSUM	1u
#define JBD2_MD5_CHKSUM		2u	/* never used */
#define JBD2_SHA1_CHKSUM	3u	/* never used */
#define JBD2_CRC32C_CHKSUM	4u

/* ---- descriptor block: header, tags (a uuid follows unless SAME_UUID), tail with v2 and v3 */

struct journal_block_tag_s { /* without v3; 8 bytes only without 64bit */
	be32 t_blocknr;			/* where the block belongs */
	be16 t_checksum;		/* with v2: low half of the sum below */
	be16 t_flags;			/* JBD2_FLAG_* */
	be32 t_blocknr_high;		/* with 64bit */
};
DISK_SIZE(struct journal_block_tag_s, 12);
DISK_OFFSET(struct journal_block_tag_s, t_blocknr, 0x0);
DISK_OFFSET(struct journal_block_tag_s, t_checksum, 0x4);
DISK_OFFSET(struct journal_block_tag_s, t_flags, 0x6);
DISK_OFFSET(struct journal_block_tag_s, t_blocknr_high, 0x8);

struct journal_block_tag3_s { /* with v3 */
	be32 t_blocknr;
	be32 t_flags;			/* JBD2_FLAG_* */
	be32 t_blocknr_high;		/* 0 without 64bit */
	be32 t_checksum;		/* seed, sequence (be32), the block as logged, escaped */
};
DISK_SIZE(struct journal_block_tag3_s, 16);
DISK_OFFSET(struct journal_block_tag3_s, t_blocknr, 0x0);
DISK_OFFSET(struct journal_block_tag3_s, t_flags, 0x4);
DISK_OFFSET(struct journal_block_tag3_s, t_blocknr_high, 0x8);
DISK_OFFSET(struct journal_block_tag3_s, t_checksum, 0xC);

#define JBD2_TAG_SIZE32		8u	/* bytes of a tag without v3 and 64bit */
#define JBD2_TAG_SIZE64		12u	/* without v3 */
#define JBD2_TAG_UUID_SIZE	16u

/* t_flags */
#define JBD2_FLAG_ESCAPE	1u	/* the block began with the magic number */
#define JBD2_FLAG_SAME_UUID	2u	/* no uuid follows: that of the tag before */
#define JBD2_FLAG_DELETED	4u	/* never used */
#define JBD2_FLAG_LAST_TAG	8u	/* no tag follows in this block */

struct jbd2_journal_block_tail { /* last bytes of descriptor and revoke blocks */
	be32 t_checksum;		/* seed, the block with this field 0 */
};
DISK_SIZE(struct jbd2_journal_block_tail, 4);
DISK_OFFSET(struct jbd2_journal_block_tail, t_checksum, 0x0);

/* ---- revoke block: header, block numbers (be32; be64 with 64bit), tail with v2 and v3 */

struct jbd2_journal_revoke_header_s {
	struct journal_header_s r_header;
	be32 r_count;			/* bytes in use, this header included */
};
DISK_SIZE(struct jbd2_journal_revoke_header_s, 16);
DISK_OFFSET(struct jbd2_journal_revoke_header_s, r_header, 0x0);
DISK_OFFSET(struct jbd2_journal_revoke_header_s, r_count, 0xC);

/* ---- commit block */

#define JBD2_CHECKSUM_BYTES	8u	/* words of h_chksum */

struct commit_header {
	be32 h_magic;
	be32 h_blocktype;		/* JBD2_COMMIT_BLOCK */
	be32 h_sequence;
	uint8_t h_chksum_type;		/* v1: JBD2_CRC32_CHKSUM; else 0 */
	uint8_t h_chksum_size;		/* v1: 4; else 0 */
	uint8_t h_padding[2];
	be32 h_chksum[8];		/* v1: of the transaction; v2, v3: of the block */
	be64 h_commit_sec;		/* when, seconds since 1970 */
	be32 h_commit_nsec;
};
DISK_SIZE(struct commit_header, 60);
DISK_OFFSET(struct commit_header, h_magic, 0x00);
DISK_OFFSET(struct commit_header, h_blocktype, 0x04);
DISK_OFFSET(struct commit_header, h_sequence, 0x08);
DISK_OFFSET(struct commit_header, h_chksum_type, 0x0C);
DISK_OFFSET(struct commit_header, h_chksum_size, 0x0D);
DISK_OFFSET(struct commit_header, h_padding, 0x0E);
DISK_OFFSET(struct commit_header, h_chksum, 0x10);
DISK_OFFSET(struct commit_header, h_commit_sec, 0x30);
DISK_OFFSET(struct commit_header, h_commit_nsec, 0x38);

#endif
