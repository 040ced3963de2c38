/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One page of a write: begin and end.
 *
 *	begin   the page is found, the handle started, the page locked; its blocks are looked up and, where there is
 *	        none, promised (delayed) or allocated; what of them the write does not cover is read or zeroed
 *	(the caller copies)
 *	end     blocks and page become dirty, the size grows, the page is let go, the handle stopped
 *
 * Three kinds: delayed (the usual one: space is promised, nothing allocated), plain (nodelalloc, or
 * space is short: allocated at once), journaled (the data goes through the log). Order: page found,
 * handle, page lock, map; never another (docs/locking.md).
 */
#include <string.h>
#include "base/assert.h"
#include "ext4/data_internal.h"

/* ---- blocks of a page */

int ext4_read_page_block(struct inode *inode, struct page *p, uint32_t i, ext4_fsblk_t pblk)
{
	struct ext4_fs *fs = inode->fs;

	return block_read(fs->device, pblk << fs->geo.block_bits, ext4_page_block_data(fs, p, i),
			  fs->geo.block_size);
}

void ext4_page_block_clear(struct page_block *pb)
{
	buffer_put(pb->buffer);
	*pb = (struct page_block){ 0 };
}

void ext4_page_note_uptodate(const struct ext4_fs *fs, struct page *p)
{
	for (uint32_t i = 0; i < page_blocks(fs->pages); i++)
		if (!(p->blocks[i].state & PB_UPTODATE))
			return;
	page_mark_uptodate(p);
}

/* The part of block `i` of the page that [from, to) covers, relative to the block; false: none. */
static bool covered(const struct ext4_fs *fs, uint32_t i, uint32_t from, uint32_t to,
		    uint32_t *begin, uint32_t *end)
{
	uint32_t first = i * fs->geo.block_size, last = first + fs->geo.block_size;

	if (to <= first || from >= last)
		return false;
	*begin = max(from, first) - first;
	*end = min(to, last) - first;
	return true;
}

/* ---- begin: one block */

/*
 * Looks the block up, and gives it a place or a promise of one. Sets PB_NEW when its old bytes mean
 * nothing.
 */
static int map_for_write(struct handle *h, struct inode *inode, enum write_kind kind,
			 ext4_lblk_t lblk, struct page_block *pb)
{
	struct ext4_map map = { .lblk = lblk, .len = 1 };
	int n;

	if (kind == WRITE_DELAYED)
		n = ext4_da_map_blocks(inode, lblk, &map);
	else
		n = ext4_map_blocks(h, inode, &map, MAP_CREATE);
	if (n < 0)
		return n;
	if (map.flags & (MAPPED_MAPPED | MAPPED_UNWRITTEN)) {
		pb->pblk = map.pblk;
		/*
		 * ext4_map_blocks has taken a promise back, and converted what was unwritten: the
		 * commit writes the block, and must not take it for one that waits for write-back.
		 */
		pb->state = (pb->state & ~(PB_DELAYED | PB_UNWRITTEN)) | PB_MAPPED;
		if (map.flags & MAPPED_UNWRITTEN)
			pb->state |= PB_UNWRITTEN | PB_NEW;
		if (map.flags & MAPPED_NEW)
			pb->state |= PB_NEW;
	} else {
		pb->state |= PB_DELAYED | PB_NEW;
	}
	return 0;
}

/* What the write leaves of the block must be right: zeroes in a new one, else what lies there. */
static int fill_around(struct inode *inode, struct page *p, uint32_t i, uint32_t begin,
		       uint32_t end)
{
	struct ext4_fs *fs = inode->fs;
	struct page_block *pb = &p->blocks[i];
	uint8_t *data = ext4_page_block_data(fs, p, i);
	int err;

	if (ext4_page_is(p, PAGE_UPTODATE) || pb->state & PB_UPTODATE) {
		pb->state |= PB_UPTODATE;
		return 0;
	}
	if (pb->state & PB_NEW) {
		memset(data, 0, begin);
		memset(data + end, 0, fs->geo.block_size - end);
	} else if (begin || end < fs->geo.block_size) {
		err = ext4_read_page_block(inode, p, i, pb->pblk);
		if (err)
			return err;
		pb->state |= PB_UPTODATE;
	}
	return 0;
}

/*
 * data=journal: the block's bytes in the page become a buffer under the journal, before they
 * change.
 */
static int journal_access(struct handle *h, struct inode *inode, struct page *p, uint32_t i)
{
	struct ext4_fs *fs = inode->fs;
	struct page_block *pb = &p->blocks[i];
	int err;

	if (!pb->buffer) {
		err = buffer_attach_page(fs->buffers, pb->pblk, p, ext4_page_block_data(fs, p, i),
					 &pb->buffer);
		if (err)
			return err;
	}
	return ext4_journal_get_write_access(fs, h, pb->buffer);
}

static int prepare_block(struct handle *h, struct inode *inode, enum write_kind kind,
			 struct page *p, uint32_t i, uint32_t begin, uint32_t end)
{
	struct page_block *pb = &p->blocks[i];
	int err = 0;

	if (ext4_page_is(p, PAGE_UPTODATE))
		pb->state |= PB_UPTODATE;
	if (!(pb->state & (PB_MAPPED | PB_DELAYED)))
		err = map_for_write(h, inode, kind, ext4_page_lblk(inode->fs, p) + i, pb);
	else if (kind != WRITE_DELAYED && pb->state & (PB_DELAYED | PB_UNWRITTEN))
		err = map_for_write(h, inode, kind, ext4_page_lblk(inode->fs, p) + i, pb);
	if (!err)
		err = fill_around(inode, p, i, begin, end);
	if (!err && kind == WRITE_JOURNALED)
		err = journal_access(h, inode, p, i);
	return err;
}

int ext4_block_write_begin(struct handle *h, struct inode *inode, enum write_kind kind,
			   struct page *p, uint32_t from, uint32_t to)
{
	struct ext4_fs *fs = inode->fs;
	uint32_t begin, end;
	int err = 0;

	TRACE_SCOPE(fs, ext4_block_write_begin);
	TRACE_SCOPE(fs, ext4_get_block_write);
	for (uint32_t i = 0; i < page_blocks(fs->pages) && !err; i++)
		if (covered(fs, i, from, to, &begin, &end))
			err = prepare_block(h, inode, kind, p, i, begin, end);
	return err;
}

/* They hold zeroes where nothing was written, and the device must learn of it. */
int ext4_zero_new_blocks(struct handle *h, struct inode *inode, enum write_kind kind,
			 struct page *p, uint32_t from, uint32_t to)
{
	struct ext4_fs *fs = inode->fs;
	bool dirty = false;
	uint32_t begin, end;
	int err = 0;

	for (uint32_t i = 0; i < page_blocks(fs->pages) && !err; i++) {
		struct page_block *pb = &p->blocks[i];

		if (!(pb->state & PB_NEW) || !covered(fs, i, from, to, &begin, &end))
			continue;
		if (!(pb->state & PB_UPTODATE))
			memset(ext4_page_block_data(fs, p, i) + begin, 0, end - begin);
		pb->state = (pb->state & ~PB_NEW) | PB_UPTODATE;
		if (kind == WRITE_JOURNALED) {
			err = journal_access(h, inode, p, i);
			if (!err)
				err = ext4_handle_dirty_metadata(fs, h, inode->ino, pb->buffer);
			continue;
		}
		pb->state |= PB_DIRTY;
		dirty = true;
	}
	if (dirty)
		page_mark_dirty(p);
	if (dirty && kind == WRITE_PLAIN && ext4_should_order_data(inode))
		jbd2_journal_inode_add(h, &inode->jinode, JI_WRITE_DATA | JI_WAIT_DATA);
	return err;
}

/* ---- begin */

enum write_kind ext4_kind_of_write(struct inode *inode)
{
	if (ext4_should_journal_data(inode))
		return WRITE_JOURNALED;
	if (!inode->fs->opt.delalloc || ext4_nonda_switch(inode->fs))
		return WRITE_PLAIN;
	return WRITE_DELAYED;
}

/* The size in the inode may have to pass 2 GiB: then the superblock changes too. */
static int da_write_credits(const struct inode *inode, uint64_t pos, uint32_t len)
{
	if (inode->fs->geo.feature_ro_compat & EXT4_FEATURE_RO_COMPAT_LARGE_FILE ||
	    pos + len <= 0x7fffffff)
		return 1;
	return 2;
}

static int start_handle(struct inode *inode, enum write_kind kind, struct ext4_write *w)
{
	struct ext4_fs *fs = inode->fs;
	int credits = kind == WRITE_DELAYED ? da_write_credits(inode, w->pos, w->len)
					    : ext4_writepage_credits(inode) + 1;
	const char *caller = kind == WRITE_DELAYED ? "ext4_da_write_begin" : "ext4_write_begin";

	return __ext4_journal_start(fs, inode->ino, caller, __LINE__, HT_WRITE_PAGE, credits, 0,
				    &w->handle);
}

/* The page, found and referenced but not locked: the handle comes before the lock. */
static int find_page(struct inode *inode, uint64_t index, struct page **out)
{
	int err;

	*out = page_find(&inode->mapping, index);
	if (*out)
		return 0;
	err = page_find_or_create(&inode->mapping, index, out);
	if (!err)
		page_unlock(*out);
	return err;
}

/*
 * The write failed: blocks that were given to it beyond the size must not stay, nor pages without
 * content.
 */
static void undo_begin(struct inode *inode, const struct ext4_write *w)
{
	if (w->pos + w->len <= inode->size)
		return;
	ext4_truncate_pages(inode, inode->size);
	if (!w->delayed)
		ignore_result(ext4_truncate(inode)); /* the first error is the one to tell */
}

static int try_begin(struct inode *inode, enum write_kind kind, struct ext4_write *w)
{
	struct ext4_fs *fs = inode->fs;
	uint32_t from = (uint32_t)(w->pos % ext4_page_size(fs));
	int err = find_page(inode, ext4_page_index(fs, w->pos), &w->page);

	if (err)
		return err;
	err = start_handle(inode, kind, w);
	if (err) {
		page_put(w->page);
		return err;
	}
	page_lock(w->page);
	if (ext4_page_is(w->page, PAGE_REMOVED))
		err = -EAGAIN; /* truncated or reclaimed meanwhile */
	if (!err) {
		/* What is on its way to the device stays as it is: bytes, and where the blocks are. */
		page_wait_writeback(w->page);
		err = ext4_block_write_begin(w->handle, inode, kind, w->page, from, from + w->len);
		if (err) /* the first error is the one to tell */
			ignore_result(ext4_zero_new_blocks(w->handle, inode, kind, w->page, from,
							   from + w->len));
	}
	if (!err)
		return 0;
	page_unlock(w->page);
	page_put(w->page);
	(void)ext4_journal_stop(fs, w->handle);
	if (err != -EAGAIN)
		undo_begin(inode, w);
	return err;
}

static int begin(struct inode *inode, enum write_kind kind, struct ext4_write *w)
{
	int retries = 0, err;

	do
		err = try_begin(inode, kind, w);
	while (err == -EAGAIN || (err == -ENOSPC && ext4_should_retry_alloc(inode->fs, &retries)));
	return err;
}

static int ext4_da_write_begin(struct inode *inode, struct ext4_write *w)
{
	TRACE_SCOPE(inode->fs, ext4_da_write_begin);
	trace(inode->fs, ext4_da_write_begin, inode->ino, (int64_t)w->pos, w->len, 0);
	return begin(inode, WRITE_DELAYED, w);
}

#define LINK_FLAGS	5u	/* as 4.9 writes a link's target: not to be interrupted, memory without I/O */

int ext4_write_begin(struct inode *inode, uint64_t pos, uint32_t len, struct ext4_write *w)
{
	enum write_kind kind = ext4_kind_of_write(inode);

	*w = (struct ext4_write){ .pos = pos, .len = len, .delayed = kind == WRITE_DELAYED };
	if (pos + len > inode->size)
		ext4_settle_lent_end(inode);
	if (w->delayed)
		return ext4_da_write_begin(inode, w);
	TRACE_SCOPE(inode->fs, ext4_write_begin);
	trace(inode->fs, ext4_write_begin, inode->ino, (int64_t)pos, len,
	      EXT4_S_ISLNK(inode->mode) ? LINK_FLAGS : 0);
	return begin(inode, kind, w);
}

/* ---- end */

bool ext4_grow_disk_size(struct inode *inode, uint64_t size)
{
	bool grows;

	attr_write_begin(inode);
	grows = size > inode->disk_size;
	if (grows)
		inode->disk_size = size;
	attr_write_end(inode);
	return grows;
}

static bool grow_size(struct inode *inode, uint64_t size)
{
	bool grows = size > inode->size;

	if (grows) {
		attr_write_begin(inode);
		inode->size = size;
		attr_write_end(inode);
	}
	return grows;
}

/*
 * The block that the write ends in has its place, so no allocation comes after which the size on
 * disk would follow: it grows now.
 */
static bool end_is_allocated(const struct ext4_fs *fs, const struct page *p, uint32_t to)
{
	uint32_t state = p->blocks[(to - 1) / fs->geo.block_size].state;

	return (state & (PB_MAPPED | PB_DELAYED | PB_UNWRITTEN)) == PB_MAPPED;
}

static void mark_written(const struct ext4_fs *fs, struct page *p, uint32_t from, uint32_t to)
{
	uint32_t begin, end;

	for (uint32_t i = 0; i < page_blocks(fs->pages); i++)
		if (covered(fs, i, from, to, &begin, &end))
			p->blocks[i].state = (p->blocks[i].state & ~PB_NEW) | PB_UPTODATE | PB_DIRTY;
	ext4_page_note_uptodate(fs, p);
	page_mark_dirty(p);
}

static void let_page_go(struct ext4_write *w)
{
	page_unlock(w->page);
	page_put(w->page);
	w->page = NULL;
}

/* Only the size in memory grows; the one on disk follows the allocation. */
static int ext4_da_write_end(struct inode *inode, struct ext4_write *w, uint32_t copied)
{
	struct ext4_fs *fs = inode->fs;
	uint32_t from = (uint32_t)(w->pos % ext4_page_size(fs)), to = from + copied;
	int err = 0;
	bool grew;

	TRACE_SCOPE(fs, ext4_da_write_end);
	trace(fs, ext4_da_write_end, inode->ino, (int64_t)w->pos, w->len, copied);
	if (copied && w->pos + copied > inode->disk_size && end_is_allocated(fs, w->page, to)) {
		ext4_grow_disk_size(inode, w->pos + copied);
		err = __ext4_mark_inode_dirty(w->handle, inode, "ext4_da_write_end");
	}
	if (copied)
		mark_written(fs, w->page, from, to);
	grew = copied && grow_size(inode, w->pos + copied);
	let_page_go(w);
	return !err && grew ? ext4_dirty_inode(inode) : err;
}

static int plain_write_end(struct inode *inode, struct ext4_write *w, uint32_t copied)
{
	struct ext4_fs *fs = inode->fs;
	uint32_t from = (uint32_t)(w->pos % ext4_page_size(fs));
	bool grew = false;

	TRACE_SCOPE(fs, ext4_write_end);
	trace(fs, ext4_write_end, inode->ino, (int64_t)w->pos, w->len, copied);
	if (copied) {
		mark_written(fs, w->page, from, from + copied);
		if (ext4_should_order_data(inode))
			jbd2_journal_inode_add(w->handle, &inode->jinode,
					       JI_WRITE_DATA | JI_WAIT_DATA);
		grew = grow_size(inode, w->pos + copied);
		grew |= ext4_grow_disk_size(inode, w->pos + copied);
	}
	let_page_go(w);
	return grew ? __ext4_mark_inode_dirty(w->handle, inode, "ext4_write_end") : 0;
}

/* The blocks go with the transaction; the page is not dirty before that has committed. */
static int log_blocks(struct inode *inode, struct ext4_write *w, uint32_t from, uint32_t to)
{
	struct ext4_fs *fs = inode->fs;
	uint32_t begin, end;
	int err = 0;

	for (uint32_t i = 0; i < page_blocks(fs->pages) && !err; i++) {
		if (!covered(fs, i, from, to, &begin, &end))
			continue;
		w->page->blocks[i].state = (w->page->blocks[i].state & ~PB_NEW) | PB_UPTODATE;
		err = ext4_handle_dirty_metadata(fs, w->handle, inode->ino,
						 w->page->blocks[i].buffer);
	}
	ext4_page_note_uptodate(fs, w->page);
	return err;
}

static int journalled_write_end(struct inode *inode, struct ext4_write *w, uint32_t copied)
{
	struct ext4_fs *fs = inode->fs;
	uint32_t from = (uint32_t)(w->pos % ext4_page_size(fs));
	bool grew;
	int err;

	TRACE_SCOPE(fs, ext4_journalled_write_end);
	trace(fs, ext4_journalled_write_end, inode->ino, (int64_t)w->pos, w->len, copied);
	err = log_blocks(inode, w, from, from + copied);
	grew = copied && grow_size(inode, w->pos + copied);
	if (copied)
		grew |= ext4_grow_disk_size(inode, w->pos + copied);
	ext4_update_fsync_trans(w->handle, inode, true);
	let_page_go(w);
	return !err && grew ? __ext4_mark_inode_dirty(w->handle, inode, "ext4_journalled_write_end")
			    : err;
}

int ext4_write_end(struct inode *inode, struct ext4_write *w, uint32_t copied)
{
	enum write_kind kind = w->delayed ? WRITE_DELAYED
			       : ext4_should_journal_data(inode) ? WRITE_JOURNALED
								 : WRITE_PLAIN;
	uint32_t from = (uint32_t)(w->pos % ext4_page_size(inode->fs));
	int err = 0, stop;

	/* What was not written and is not right must not be believed later. */
	if (copied < w->len && !ext4_page_is(w->page, PAGE_UPTODATE))
		copied = 0;
	if (copied < w->len)
		err = ext4_zero_new_blocks(w->handle, inode, kind, w->page, from + copied,
					   from + w->len);
	if (!err)
		err = kind == WRITE_JOURNALED ? journalled_write_end(inode, w, copied)
		      : kind == WRITE_DELAYED ? ext4_da_write_end(inode, w, copied)
					      : plain_write_end(inode, w, copied);
	else
		let_page_go(w);
	stop = ext4_journal_stop(inode->fs, w->handle);
	if (copied < w->len)
		undo_begin(inode, w);
	return err ? err : stop;
}

/* ---- blocks of which a part becomes zeroes */

int ext4_zero_in_block(struct handle *h, struct inode *inode, struct page *p, uint32_t i,
		       uint32_t in_block, uint32_t len)
{
	struct ext4_fs *fs = inode->fs;
	bool journaled = ext4_should_journal_data(inode);
	int err = journaled ? journal_access(h, inode, p, i) : 0;

	if (err)
		return err;
	memset(ext4_page_block_data(fs, p, i) + in_block, 0, len);
	if (journaled)
		return ext4_handle_dirty_metadata(fs, h, inode->ino, p->blocks[i].buffer);
	p->blocks[i].state |= PB_DIRTY;
	page_mark_dirty(p);
	if (ext4_should_order_data(inode))
		jbd2_journal_inode_add(h, &inode->jinode, JI_WRITE_DATA | JI_WAIT_DATA);
	return 0;
}

bool ext4_may_release_page(void *user, struct page *p)
{
	struct ext4_fs *fs = user;

	for (uint32_t i = 0; i < page_blocks(fs->pages); i++)
		if (p->blocks[i].buffer && !jbd2_journal_try_to_free(fs->journal, p->blocks[i].buffer))
			return false;
	for (uint32_t i = 0; i < page_blocks(fs->pages); i++)
		ext4_page_block_clear(&p->blocks[i]);
	return true;
}

int ext4_writepage_credits(struct inode *inode)
{
	uint32_t blocks = page_blocks(inode->fs->pages);
	int credits = ext4_map_credits(inode, blocks, blocks);

	return ext4_should_journal_data(inode) ? credits + (int)blocks : credits;
}
