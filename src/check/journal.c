/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal: its inode holds enough blocks without a hole, and its superblock makes sense. What
 * lies in the log is recovery's to judge.
 */
#include <inttypes.h>
#include <string.h>
#include "base/csum.h"
#include "check/internal.h"
#include "jbd2/format.h"

#define KNOWN_INCOMPAT 0x3fu /* JBD2_FEATURE_INCOMPAT_REVOKE to _FAST_COMMIT */
#define CSUM_V2_V3     (JBD2_FEATURE_INCOMPAT_CSUM_V2 | JBD2_FEATURE_INCOMPAT_CSUM_V3)

struct journal_map {
	ext4_fsblk_t first; /* the block of its superblock */
	uint64_t next; /* logical block expected next */
	bool hole;
};

static int add_blocks(struct map_walk *w, uint64_t lblk, ext4_fsblk_t pblk, uint32_t len,
		      bool unwritten)
{
	struct journal_map *m = w->arg;

	if (lblk == 0)
		m->first = pblk;
	m->hole |= lblk != m->next || unwritten;
	m->next = lblk + len;
	return 0;
}

/* Blocks at the end that are kept for fast commits. */
static uint32_t fast_commit_blocks(const struct journal_superblock_s *sb)
{
	uint32_t blocks = be32_get(sb->s_num_fc_blks);

	if (be32_get(sb->s_header.h_blocktype) == JBD2_SUPERBLOCK_V1 ||
	    !(be32_get(sb->s_feature_incompat) & JBD2_FEATURE_INCOMPAT_FAST_COMMIT))
		return 0;
	return blocks ? blocks : JBD2_DEFAULT_FAST_COMMIT_BLOCKS;
}

static int check_geometry(struct check *c, struct place at, const struct journal_superblock_s *sb,
			  const struct journal_map *m)
{
	uint32_t maxlen = be32_get(sb->s_maxlen), first = be32_get(sb->s_first),
		 start = be32_get(sb->s_start);

	if (be32_get(sb->s_blocksize) != c->geo.block_size)
		return check_say(c, at, "block size %" PRIu32, be32_get(sb->s_blocksize));
	if (maxlen < JBD2_MIN_JOURNAL_BLOCKS || maxlen > m->next)
		return check_say(c, at, "%" PRIu32 " blocks in a file of %" PRIu64, maxlen,
				 m->next);
	if (fast_commit_blocks(sb) > maxlen - JBD2_MIN_JOURNAL_BLOCKS)
		return check_say(c, at, "%" PRIu32 " of %" PRIu32 " blocks are for fast commits",
				 fast_commit_blocks(sb), maxlen);
	if (first == 0 || first >= maxlen)
		return check_say(c, at, "first block %" PRIu32 " of %" PRIu32, first, maxlen);
	if (start && (start < first || start >= maxlen))
		return check_say(c, at,
				 "the log begins with block %" PRIu32 ", not within %" PRIu32
				 " to %" PRIu32,
				 start, first, maxlen - 1);
	if (start && !(c->geo.feature_incompat & EXT4_FEATURE_INCOMPAT_RECOVER))
		return check_say(c, at, "the log is not empty, but needs_recovery is not set");
	return 0;
}

static bool csum_ok(const struct journal_superblock_s *sb)
{
	struct journal_superblock_s copy = *sb;

	copy.s_checksum = be32_of(0);
	return be32_get(sb->s_checksum) == crc32c(~0u, &copy, sizeof(copy));
}

static int check_features(struct check *c, struct place at, const struct journal_superblock_s *sb)
{
	uint32_t incompat = be32_get(sb->s_feature_incompat),
		 ro_compat = be32_get(sb->s_feature_ro_compat);

	if (incompat & ~KNOWN_INCOMPAT || ro_compat)
		return check_say(c, at, "unknown features 0x%" PRIx32 ", 0x%" PRIx32,
				 incompat & ~KNOWN_INCOMPAT, ro_compat);
	if (!(incompat & CSUM_V2_V3))
		return 0;
	if ((incompat & CSUM_V2_V3) == CSUM_V2_V3)
		return check_say(c, at, "checksums v2 and v3 at once");
	if (be32_get(sb->s_feature_compat) & JBD2_FEATURE_COMPAT_CHECKSUM)
		return check_say(c, at, "checksums v1 and later ones at once");
	if (sb->s_checksum_type != JBD2_CRC32C_CHKSUM)
		return check_say(c, at, "checksum type %u", sb->s_checksum_type);
	return csum_ok(sb) ? 0 : check_say(c, at, "checksum is wrong");
}

static int check_superblock(struct check *c, const struct journal_map *m)
{
	const struct journal_superblock_s *sb = (const void *)c->data_block;
	const struct place at = AT_BLOCK(CHECK_JOURNAL, c->geo.journal_inum, m->first);
	uint32_t type;
	int err = check_read(c, m->first, c->data_block);

	if (err)
		return err;
	type = be32_get(sb->s_header.h_blocktype);
	if (be32_get(sb->s_header.h_magic) != JBD2_MAGIC_NUMBER ||
	    (type != JBD2_SUPERBLOCK_V1 && type != JBD2_SUPERBLOCK_V2))
		return check_say(
			c, at, "no journal superblock: magic number 0x%08" PRIx32 ", type %" PRIu32,
			be32_get(sb->s_header.h_magic), type);
	if (type == JBD2_SUPERBLOCK_V2) {
		err = check_features(c, at, sb);
		if (err)
			return err;
	}
	return check_geometry(c, at, sb, m);
}

static int check_file(struct check *c, struct ext4_inode *raw)
{
	struct journal_map m = { 0 };
	struct map_walk w = {
		.c = c, .ino = c->geo.journal_inum, .raw = raw, .blocks = add_blocks, .arg = &m
	};
	const struct place at = AT_INODE(CHECK_JOURNAL, w.ino);
	int err = check_inode_read(c, w.ino, raw);

	if (err)
		return err;
	if (!ext4_raw_is(raw, EXT4_S_IFREG) || le16_get(raw->i_links_count) == 0)
		return check_say(c, at, "the journal is no file");
	err = check_map(&w);
	if (err)
		return err;
	if (m.hole || m.next == 0)
		return check_say(c, at, "the journal has holes");
	return check_superblock(c, &m);
}

int check_journal(struct check *c)
{
	const struct inode_note *n = check_note(c, c->geo.journal_inum);
	struct ext4_inode *raw;
	int err;

	if (c->geo.journal_inum == 0)
		return 0;
	if (!n || !(n->flags & NOTE_LIVE))
		return check_say(c, AT_INODE(CHECK_JOURNAL, c->geo.journal_inum),
				 "the journal is no file");
	if (n->flags & NOTE_MAP_BAD)
		return 0; /* reported */
	raw = arena_block_alloc(c->arena, c->geo.block_size);
	if (!raw)
		return -ENOMEM;
	err = check_file(c, raw);
	arena_block_free(c->arena, raw, c->geo.block_size);
	return err;
}
