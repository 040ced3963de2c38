/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a log holds: from its start, transaction by transaction, to the first that is not complete.
 *
 *	(descriptor block block ...)* and revoke blocks, in any order, then a commit block
 *
 * All of one transaction have its number in their headers; logged blocks have none, and never look as if
 * they had, since they are escaped. The log ends at a block that is not of the transaction expected.
 *
 * The first walk tries every checksum, those of logged blocks too: a transaction of which a block is not
 * what was written must not be replayed in part (J8). A checksum that is wrong is the trace of a crash,
 * unless a commit block vouches for the transaction: then the medium has lost what it promised.
 *
 * Nothing in the log is trusted. The walk takes each block of the ring once at most, so it ends; counts
 * and offsets in a block are held against the block's size.
 */
#include "base/csum.h"
#include "jbd2/recovery.h"

#include <string.h>

enum step {
	STEP_ON,		/* the transaction goes on */
	STEP_COMMITTED,
	STEP_END,		/* the log ends here */
};

struct walker {
	struct journal *j;
	struct log_reader *reader;
	const struct log_visitor *v;
	bool verify;
	tid_t tid;
	uint64_t pos, left;		/* the next block, and how many the ring has still */
	uint32_t sum_v1;
	bool damaged;			/* a checksum of this transaction is wrong, */
	uint64_t damaged_at;		/* first here, */
	bool vouched;			/* and a commit block says that it was right */
	uint8_t *block;			/* a copy of the descriptor or revoke block at hand */
};

static int walker_init(struct walker *w, struct journal *j, struct log_reader *r,
		       const struct log_visitor *v, bool verify)
{
	*w = (struct walker){ .j = j, .reader = r, .v = v, .verify = verify };
	w->tid = be32_get(j->super.s_sequence);
	w->pos = be32_get(j->super.s_start);
	w->left = log_ring_blocks(j);
	w->block = arena_alloc(j->arena, j->block_size);
	return w->block ? 0 : -ENOMEM;
}

/* False: the ring has no more. */
static bool take(struct walker *w, uint64_t *lblk)
{
	if (!w->left)
		return false;
	w->left--;
	*lblk = w->pos;
	w->pos = log_next(w->j, w->pos);
	return true;
}

static void note_damage(struct walker *w, uint64_t lblk)
{
	if (!w->damaged)
		w->damaged_at = lblk;
	w->damaged = true;
}

/* ---- descriptors */

static bool needs_data(const struct walker *w)
{
	return w->v->want_data || (w->verify && (w->j->layout.sealed || w->j->layout.sum_v1));
}

static void verify_data(struct walker *w, const struct log_tag *tag, uint64_t lblk, const uint8_t *data)
{
	if (!w->verify)
		return;
	if (!log_data_sum_matches(&w->j->layout, tag, w->tid, data))
		note_damage(w, lblk);
	if (w->j->layout.sum_v1)
		w->sum_v1 = crc32_be(w->sum_v1, data, w->j->block_size);
}

/* 0, 1 where the ring has no more, or an error. */
static int walk_data(struct walker *w, const struct log_tag *tag)
{
	const uint8_t *data = NULL;
	uint64_t lblk;
	int err = 0;

	if (!take(w, &lblk))
		return 1;
	if (needs_data(w)) {
		err = log_reader_get(w->reader, lblk, &data);
		if (err)
			return err;
		verify_data(w, tag, lblk, data);
	}
	return w->v->block ? w->v->block(w->v->arg, w->tid, tag, data) : 0;
}

/* The tag at *at, which moves behind it; false: there is none in the block. */
static bool next_tag(const struct walker *w, uint32_t *at, struct log_tag *tag)
{
	const struct log_layout *l = &w->j->layout;

	if (*at + log_tag_bytes(l) > log_payload_end(l))
		return false;
	log_tag_get(l, w->block + *at, tag);
	*at += log_tag_bytes(l);
	if (!(tag->flags & JBD2_FLAG_SAME_UUID))
		*at += JBD2_TAG_UUID_SIZE;
	return true;
}

static int walk_descriptor(struct walker *w, enum step *step)
{
	uint32_t at = sizeof(struct journal_header_s);
	struct log_tag tag;
	int err = 0;

	*step = STEP_ON;
	if (w->verify && w->j->layout.sum_v1)
		w->sum_v1 = crc32_be(w->sum_v1, w->block, w->j->block_size);
	while (!err && next_tag(w, &at, &tag)) {
		err = walk_data(w, &tag);
		if (tag.flags & JBD2_FLAG_LAST_TAG)
			break;
	}
	if (err > 0) {
		*step = STEP_END;
		return 0;
	}
	return err;
}

/* ---- revokes */

static uint64_t record_at(const struct walker *w, uint32_t at)
{
	be32 narrow;
	be64 wide;

	memcpy(&narrow, w->block + at, sizeof(narrow));
	if (!w->j->layout.wide)
		return be32_get(narrow);
	memcpy(&wide, w->block + at, sizeof(wide));
	return be64_get(wide);
}

static int walk_revokes(struct walker *w, uint64_t lblk)
{
	uint32_t at = sizeof(struct jbd2_journal_revoke_header_s), size = w->j->layout.wide ? 8 : 4;
	struct jbd2_journal_revoke_header_s h;
	uint32_t end;
	int err = 0;

	memcpy(&h, w->block, sizeof(h));
	end = be32_get(h.r_count);
	if (end < at || end > log_payload_end(&w->j->layout)) {
		note_damage(w, lblk);
		return 0;
	}
	for (; !err && w->v->revoke && at + size <= end; at += size)
		err = w->v->revoke(w->v->arg, w->tid, record_at(w, at));
	return err;
}

/* ---- transactions */

/*
 * A block of the journal's own is not what was written, and what follows it cannot be told. Whether the
 * transaction was committed shows all the same: no other block looks like its commit block.
 */
static int look_for_commit(struct walker *w)
{
	const uint8_t *data;
	uint64_t lblk;
	int err;

	while (!w->vouched && take(w, &lblk)) {
		err = log_reader_get(w->reader, lblk, &data);
		if (err)
			return err;
		w->vouched = log_header_type(data, w->tid) == JBD2_COMMIT_BLOCK &&
			     log_commit_matches(&w->j->layout, data, 0);
	}
	return 0;
}

static enum step walk_commit(struct walker *w, uint64_t lblk)
{
	bool right = !w->verify || log_commit_matches(&w->j->layout, w->block, w->sum_v1);

	if (right && !w->damaged)
		return STEP_COMMITTED;
	if (!right)
		note_damage(w, lblk);
	/* A commit block whose own seal is wrong was never finished, and vouches for nothing. */
	w->vouched = right || !w->j->layout.sealed;
	return STEP_END;
}

static int walk_block(struct walker *w, enum step *step)
{
	const uint8_t *data;
	uint64_t lblk;
	uint32_t type;
	int err;

	*step = STEP_END;
	if (!take(w, &lblk))
		return 0;
	err = log_reader_get(w->reader, lblk, &data);
	if (err)
		return err;
	memcpy(w->block, data, w->j->block_size);
	type = log_header_type(w->block, w->tid);
	if (type == JBD2_COMMIT_BLOCK) {
		*step = walk_commit(w, lblk);
		return 0;
	}
	if (type != JBD2_DESCRIPTOR_BLOCK && type != JBD2_REVOKE_BLOCK)
		return 0;
	if (w->verify && !log_block_seal_matches(&w->j->layout, w->block)) {
		note_damage(w, lblk);
		return look_for_commit(w);
	}
	*step = STEP_ON;
	return type == JBD2_DESCRIPTOR_BLOCK ? walk_descriptor(w, step) : walk_revokes(w, lblk);
}

static int walk_transaction(struct walker *w, enum step *step)
{
	int err;

	w->sum_v1 = ~0u;
	w->damaged = w->vouched = false;
	do
		err = walk_block(w, step);
	while (!err && *step == STEP_ON);
	return err;
}

int log_walk_scan(struct journal *j, struct log_reader *r, const struct log_visitor *v, struct log_walk *walk)
{
	enum step step = STEP_COMMITTED;
	struct walker w;
	int err = walker_init(&w, j, r, v, true);

	if (err)
		return err;
	*walk = (struct log_walk){ .first = w.tid, .end = w.tid };
	while (!err && step == STEP_COMMITTED) {
		err = walk_transaction(&w, &step);
		if (err || step != STEP_COMMITTED)
			break;
		walk->end = ++w.tid;
		walk->blocks = log_ring_blocks(j) - w.left;
	}
	/* With async commit, a commit block may well reach the disk before its blocks. */
	walk->bad_checksum = w.vouched && !j->layout.async_commit;
	walk->bad_block = w.damaged_at;
	arena_free(j->arena, w.block);
	return err;
}

int log_walk_again(struct journal *j, struct log_reader *r, const struct log_visitor *v,
		   const struct log_walk *scan)
{
	enum step step = STEP_COMMITTED;
	struct walker w;
	int err = walker_init(&w, j, r, v, false);

	if (err)
		return err;
	while (!err && w.tid != scan->end) {
		err = walk_transaction(&w, &step);
		/* What was read once reads the same again, or the device is broken. */
		if (!err && step != STEP_COMMITTED)
			err = -EIO;
		w.tid++;
	}
	arena_free(j->arena, w.block);
	return err;
}
