/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One extent cut into two or three, as a step of making a part of it written or unwritten, or of
 * taking a part out.
 *
 * Each cut shortens the extent and inserts the rest behind it. The insertion may need a block for
 * the tree and find none. Then, where that shows nobody anything wrong, the unwritten blocks are
 * zeroed on the device and the whole extent becomes written: it takes more time, but no space. Else
 * the extent gets its length back.
 */
#include "base/assert.h"
#include "ext4/extents_split.h"

#define ZERO_BYTES  65536u
#define ZERO_PIECES 64

static const uint8_t zeros[ZERO_BYTES];

/*
 * Zeroes blocks in place. What was written by the time the transaction commits is flushed before
 * its commit record, so no crash shows what the blocks held before.
 */
int ext4_ext_zeroout(struct inode *inode, const struct ext_run *r)
{
	struct ext4_fs *fs = inode->fs;
	uint64_t offset = r->pblk << fs->geo.block_bits;
	uint64_t left = (uint64_t)r->len << fs->geo.block_bits;

	while (left) {
		struct iovec iov[ZERO_PIECES];
		struct block_io io = { .offset = offset, .iov = iov };
		int err;

		for (; left && io.iov_count < ZERO_PIECES; io.iov_count++) {
			size_t bytes = (size_t)min(left, (uint64_t)ZERO_BYTES);

			iov[io.iov_count] = (struct iovec){ (void *)zeros, bytes };
			left -= bytes;
			offset += bytes;
		}
		err = block_writev(fs->device, &io);
		if (err)
			return err;
	}
	return 0;
}

int ext4_zeroout_es(struct inode *inode, const struct ext_run *r)
{
	TRACE_SCOPE(inode->fs, ext4_zeroout_es);
	return ext4_es_insert_extent(inode, r->lblk, r->len, r->pblk, ES_WRITTEN);
}

/* ---- one cut */

struct cut {
	ext4_lblk_t at; /* the right part begins here */
	bool left_unwritten, right_unwritten;
	bool may_zeroout; /* nothing in the extent lies past the end of the file */
	ext4_lblk_t
		valid; /* from here on, `valid_len` blocks hold data already: not to be zeroed */
	uint32_t valid_len;
};

/* Puts the extent back as one entry. */
static int put_whole(struct handle *h, struct ext_path *p, const struct ext_run *r, bool merge)
{
	struct ext_run now;
	int err = ext4_ext_find(p, r->lblk, MAP_NOCACHE);

	if (!err && (!ext4_ext_current(p, &now) || now.lblk != r->lblk))
		err = ext4_error(p->inode->fs, p->inode->ino, 0, "extent at %u was lost", r->lblk);
	if (!err)
		err = ext4_ext_access(h, p, p->depth);
	if (err)
		return err;
	ext4_ext_set_entry(p, p->depth, p->step[p->depth].at, ext4_ext_leaf_entry(r));
	if (merge)
		ext4_ext_merge(h, p, p->step[p->depth].at);
	return __ext4_ext_dirty(h, p, p->depth);
}

/* The part of `whole` from `lblk` up to `end`. */
static int zero_part(struct inode *inode, const struct ext_run *whole, ext4_lblk_t lblk,
		     ext4_lblk_t end)
{
	struct ext_run r = { .lblk = lblk,
			     .len = end - lblk,
			     .pblk = whole->pblk + (lblk - whole->lblk) };
	int err;

	if (!r.len)
		return 0;
	err = ext4_ext_zeroout(inode, &r);
	return err ? err : ext4_zeroout_es(inode, &r);
}

/* No space for the cut: the whole becomes written, with zeros where no data is. */
static int zero_instead(struct handle *h, struct ext_path *p, const struct ext_run *whole,
			const struct cut *c)
{
	ext4_lblk_t end = ext_run_end(whole);
	ext4_lblk_t valid = c->valid_len ? c->valid : end;
	struct ext_run written = *whole;
	int err = zero_part(p->inode, whole, whole->lblk, valid);

	if (!err && c->valid_len)
		err = zero_part(p->inode, whole, c->valid + c->valid_len, end);
	if (err)
		return err;
	written.unwritten = false;
	return put_whole(h, p, &written, true);
}

static int recover(struct handle *h, struct ext_path *p, const struct ext_run *whole,
		   const struct cut *c, int err)
{
	int again;

	if (err == -ENOSPC && c->may_zeroout && !zero_instead(h, p, whole, c))
		return 0;
	again = put_whole(h, p, whole, false);
	return again ? again : err;
}

/* The extent begins where the cut would be: only what it is may change. */
static int mark_whole(struct handle *h, struct ext_path *p, struct ext_run r, const struct cut *c,
		      uint32_t flags)
{
	int at = p->step[p->depth].at;

	r.unwritten = c->right_unwritten;
	ext4_ext_set_entry(p, p->depth, at, ext4_ext_leaf_entry(&r));
	if (!(flags & MAP_PRE_IO))
		ext4_ext_merge(h, p, at);
	return __ext4_ext_dirty(h, p, p->depth);
}

static int split_at(struct handle *h, struct ext_path *p, const struct cut *c, uint32_t flags)
{
	struct ext_run whole, left, right;
	int err;

	TRACE_SCOPE(p->inode->fs, ext4_split_extent_at);
	ensure(ext4_ext_current(p, &whole) && c->at - whole.lblk < whole.len);
	err = ext4_ext_access(h, p, p->depth);
	if (err)
		return err;
	if (c->at == whole.lblk)
		return mark_whole(h, p, whole, c, flags);
	left = right = whole;
	left.len = c->at - whole.lblk;
	left.unwritten = c->left_unwritten;
	right.lblk += left.len;
	right.pblk += left.len;
	right.len -= left.len;
	right.unwritten = c->right_unwritten;
	ext4_ext_set_entry(p, p->depth, p->step[p->depth].at, ext4_ext_leaf_entry(&left));
	err = __ext4_ext_dirty(h, p, p->depth);
	if (!err)
		err = ext4_ext_insert_extent(h, p, &right, flags);
	return err ? recover(h, p, &whole, c, err) : 0;
}

/* ---- a part of an extent */

int ext4_split_extent(struct handle *h, struct ext_path *p, ext4_lblk_t lblk, uint32_t len,
		      uint32_t how, uint32_t flags)
{
	struct cut c = { .may_zeroout = how & SPLIT_MAY_ZEROOUT, .valid = lblk };
	struct ext_run r;
	bool unwritten;
	int err = 0;

	TRACE_SCOPE(p->inode->fs, ext4_split_extent);
	ensure(ext4_ext_current(p, &r) && lblk - r.lblk < r.len);
	len = min(len, ext_run_end(&r) - lblk);
	c.at = lblk + len;
	c.valid_len = how & SPLIT_PART_VALID ? len : 0;
	unwritten = c.left_unwritten = c.right_unwritten = r.unwritten;
	if (c.at < ext_run_end(&r))
		err = split_at(h, p, &c, flags | MAP_PRE_IO);
	if (!err) /* it may lie in another leaf now */
		err = ext4_ext_find(p, lblk, flags);
	if (err)
		return err;
	if (!ext4_ext_current(p, &r) || lblk - r.lblk >= r.len)
		return ext4_error(p->inode->fs, p->inode->ino, 0, "extent at %u was lost", lblk);
	if (unwritten && !r.unwritten) /* the whole was zeroed */
		return 0;
	c.at = lblk;
	c.right_unwritten = unwritten && how & SPLIT_PART_UNWRITTEN;
	return split_at(h, p, &c, flags);
}

int ext4_force_split_extent_at(struct handle *h, struct ext_path *p, ext4_lblk_t at, bool nofail)
{
	struct ext_run r;
	struct cut c = { .at = at };

	TRACE_SCOPE(p->inode->fs, ext4_force_split_extent_at);
	ensure(ext4_ext_current(p, &r));
	c.left_unwritten = c.right_unwritten = r.unwritten;
	return split_at(h, p, &c, MAP_PRE_IO | (nofail ? MAP_METADATA_NOFAIL : 0));
}
