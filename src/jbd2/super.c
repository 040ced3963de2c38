/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal superblock: read and verified once, then written from memory whenever the log's tail
 * moves, the log becomes empty, or the journal aborts. Its fields that change lie in one sector.
 *
 * Nothing in it is believed: a size beyond the journal's inode, a start outside of the ring, a feature
 * nobody knows are refused here, so that recovery can trust the geometry.
 */
#include "jbd2/internal.h"

#define FEATURES_KNOWN \
	(JBD2_FEATURE_INCOMPAT_REVOKE | JBD2_FEATURE_INCOMPAT_64BIT | \
	 JBD2_FEATURE_INCOMPAT_ASYNC_COMMIT | JBD2_FEATURE_INCOMPAT_CSUM_V2 | \
	 JBD2_FEATURE_INCOMPAT_CSUM_V3 | JBD2_FEATURE_INCOMPAT_FAST_COMMIT)
#define FEATURES_CSUM (JBD2_FEATURE_INCOMPAT_CSUM_V2 | JBD2_FEATURE_INCOMPAT_CSUM_V3)

/* ---- reading */

static int refuse(const struct journal *j, int err, const char *why, uint64_t value)
{
	journal_log(j, LOG_ERROR, "journal superblock: %s (%llu)", why, (unsigned long long)value);
	return err;
}

static bool is_v1(const struct journal_superblock_s *s)
{
	return be32_get(s->s_header.h_blocktype) == JBD2_SUPERBLOCK_V1;
}

static int verify_features(const struct journal *j, const struct journal_superblock_s *s)
{
	uint32_t incompat = be32_get(s->s_feature_incompat);
	bool v1_sums = be32_get(s->s_feature_compat) & JBD2_FEATURE_COMPAT_CHECKSUM;

	if (is_v1(s))
		return 0;
	if (incompat & ~FEATURES_KNOWN)
		return refuse(j, -EOPNOTSUPP, "unknown incompatible features", incompat & ~FEATURES_KNOWN);
	if (be32_get(s->s_feature_ro_compat))
		return refuse(j, -EOPNOTSUPP, "unknown read-only compatible features",
			      be32_get(s->s_feature_ro_compat));
	if ((incompat & FEATURES_CSUM) == FEATURES_CSUM || (v1_sums && incompat & FEATURES_CSUM))
		return refuse(j, -EFSCORRUPTED, "more than one kind of checksums", incompat);
	if (be32_get(s->s_nr_users) > 1)
		return refuse(j, -EOPNOTSUPP, "shared by several file systems", be32_get(s->s_nr_users));
	if (!(incompat & FEATURES_CSUM))
		return 0;
	if (s->s_checksum_type != JBD2_CRC32C_CHKSUM)
		return refuse(j, -EOPNOTSUPP, "unknown type of checksum", s->s_checksum_type);
	if (be32_get(s->s_checksum) != log_super_sum(s))
		return refuse(j, -EFSBADCRC, "its checksum is wrong", be32_get(s->s_checksum));
	return 0;
}

static uint64_t fast_commit_blocks(const struct journal_superblock_s *s)
{
	uint32_t n = be32_get(s->s_num_fc_blks);

	if (is_v1(s) || !(be32_get(s->s_feature_incompat) & JBD2_FEATURE_INCOMPAT_FAST_COMMIT))
		return 0;
	return n ? n : JBD2_DEFAULT_FAST_COMMIT_BLOCKS;
}

static int verify_geometry(struct journal *j, const struct journal_superblock_s *s)
{
	uint64_t maxlen = be32_get(s->s_maxlen), first = be32_get(s->s_first);
	uint64_t start = be32_get(s->s_start), fast = fast_commit_blocks(s);

	if (be32_get(s->s_blocksize) != j->block_size)
		return refuse(j, -EFSCORRUPTED, "block size is not the file system's",
			      be32_get(s->s_blocksize));
	if (maxlen > j->opt.log_blocks || maxlen > j->log_device->size_bytes / j->block_size)
		return refuse(j, -EFSCORRUPTED, "longer than the journal is", maxlen);
	if (first == 0 || first + fast + LOG_BLOCKS_MIN > maxlen)
		return refuse(j, -EFSCORRUPTED, "no room for a log", maxlen);
	if (start && (start < first || start >= maxlen - fast))
		return refuse(j, -EFSCORRUPTED, "the log begins outside of itself", start);
	j->log_first = first;
	j->log_end = maxlen - fast;
	j->fast_commit_blocks = fast;
	return 0;
}

static int verify(struct journal *j, const struct journal_superblock_s *s)
{
	uint32_t type = be32_get(s->s_header.h_blocktype);
	int err;

	if (be32_get(s->s_header.h_magic) != JBD2_MAGIC_NUMBER)
		return refuse(j, -EFSCORRUPTED, "not a journal", be32_get(s->s_header.h_magic));
	if (type != JBD2_SUPERBLOCK_V1 && type != JBD2_SUPERBLOCK_V2)
		return refuse(j, -EFSCORRUPTED, "not a journal of a known version", type);
	err = verify_features(j, s);
	return err ? err : verify_geometry(j, s);
}

int journal_super_read(struct journal *j)
{
	int err = j->opt.ops->map_log_block(j->opt.user, 0, &j->super_pblk);

	if (!err)
		err = block_read(j->log_device, j->super_pblk * j->block_size, &j->super, sizeof(j->super));
	if (!err)
		err = verify(j, &j->super);
	if (err)
		return err;
	log_layout_init(&j->layout, &j->super, j->block_size);
	j->log_empty = be32_get(j->super.s_start) == 0;
	return 0;
}

/* ---- features */

void journal_super_set_features(struct journal *j, enum journal_csum csum, bool tags_64bit)
{
	struct journal_superblock_s *s = &j->super;
	uint32_t incompat = be32_get(s->s_feature_incompat);
	uint32_t compat = be32_get(s->s_feature_compat);

	if (is_v1(s))
		return;
	incompat &= ~(FEATURES_CSUM | JBD2_FEATURE_INCOMPAT_64BIT | JBD2_FEATURE_INCOMPAT_ASYNC_COMMIT);
	compat &= ~JBD2_FEATURE_COMPAT_CHECKSUM;
	incompat |= JBD2_FEATURE_INCOMPAT_REVOKE;
	if (csum == JOURNAL_CSUM_V1)
		compat |= JBD2_FEATURE_COMPAT_CHECKSUM;
	else if (csum == JOURNAL_CSUM_V2)
		incompat |= JBD2_FEATURE_INCOMPAT_CSUM_V2;
	else if (csum == JOURNAL_CSUM_V3)
		incompat |= JBD2_FEATURE_INCOMPAT_CSUM_V3;
	if (tags_64bit)
		incompat |= JBD2_FEATURE_INCOMPAT_64BIT;
	if (j->opt.async_commit && csum != JOURNAL_CSUM_NONE)
		incompat |= JBD2_FEATURE_INCOMPAT_ASYNC_COMMIT;
	s->s_feature_incompat = be32_of(incompat);
	s->s_feature_compat = be32_of(compat);
	s->s_checksum_type = incompat & FEATURES_CSUM ? JBD2_CRC32C_CHKSUM : 0;
	log_layout_init(&j->layout, s, j->block_size);
}

/* ---- writing */

/* What each kernel calls the three ways to write it. */
static uint32_t write_op(unsigned flags)
{
	if (flags & BLOCK_PREFLUSH)
		return 0x348;
	return flags & BLOCK_FUA ? 0x148 : 0x48;
}

static uint32_t write_flags(unsigned flags)
{
	if (flags & BLOCK_PREFLUSH)
		return 0x69800;
	return flags & BLOCK_FUA ? 0x29800 : 0x9800;
}

/* With super_lock. */
static int write_super(struct journal *j, unsigned flags)
{
	struct journal_superblock_s *s = &j->super;

	if (be32_get(s->s_feature_incompat) & FEATURES_CSUM && !is_v1(s))
		s->s_checksum = be32_of(log_super_sum(s));
	trace(j, jbd2_write_superblock, write_op(flags), write_flags(flags));
	if (!j->opt.barrier)
		flags &= ~(unsigned)(BLOCK_FUA | BLOCK_PREFLUSH);
	return block_write(j->log_device, j->super_pblk * j->block_size, s, sizeof(*s),
			   flags | BLOCK_META | BLOCK_SYNC);
}

static int write_start(struct journal *j, tid_t tid, uint64_t start, unsigned flags)
{
	int err;

	if (journal_aborted(j))
		return -EROFS;
	mutex_lock(&j->super_lock);
	j->super.s_sequence = be32_of(tid);
	j->super.s_start = be32_of((uint32_t)start);
	err = write_super(j, flags);
	mutex_unlock(&j->super_lock);
	if (err) {
		journal_log(j, LOG_ERROR, "cannot write the journal superblock: error %d", -err);
		jbd2_journal_abort(j, err);
	}
	return err;
}

int journal_super_write_tail(struct journal *j, const struct log_position *tail, unsigned flags)
{
	return write_start(j, tail->tid, tail->block, flags);
}

int journal_super_write_empty(struct journal *j, tid_t next_tid, unsigned flags)
{
	return write_start(j, next_tid, 0, flags);
}

int journal_super_write_errno(struct journal *j, int err)
{
	guard(&j->super_lock);
	j->super.s_errno = be32_of((uint32_t)err);
	return write_super(j, BLOCK_FUA);
}
