/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages that go because their blocks go: all behind a new end of the file, or those of a hole.
 *
 *	   start                                   end
 *	-----|###########|###########|##########|---|-----
 *	 cut  dropped      dropped     dropped    cut
 *
 * A page that lies in the stretch is dropped, whatever it holds; of one that only a part lies in,
 * that part reads as zeroes from now on, and its whole blocks are let go of. Promises of delayed
 * blocks are taken back. Write-back of a page is waited for first.
 *
 * Direct I/O lets pages go too, whose blocks stay: those that are clean, and what they hold is on the device.
 *
 * invalidate_lock is held for writing (but for that last kind), so that nobody reads the pages back in meanwhile: who also
 * takes the blocks away and leaves the size as it is holds it until they are gone.
 */
#include <string.h>
#include "base/assert.h"
#include "ext4/data_internal.h"
#include "ext4/direct.h"

/* The blocks of a page that lie whole in bytes [from, to) of it. */
struct whole_blocks {
	uint32_t first, end;
};

static struct whole_blocks whole_blocks(const struct ext4_fs *fs, uint32_t from, uint32_t to)
{
	uint32_t bs = fs->geo.block_size;

	return (struct whole_blocks){ (from + bs - 1) / bs, to / bs };
}

/*
 * Promises of the page's blocks are taken back {ext4_es_remove_extent, ext4_da_release_space}; a
 * stretch at a time.
 */
static void release_promises(struct inode *inode, struct page *p, struct whole_blocks b)
{
	struct ext4_fs *fs = inode->fs;
	uint32_t released = 0;

	for (uint32_t i = b.first; i < b.end; i++) {
		ext4_lblk_t lblk = ext4_page_lblk(fs, p) + i;
		uint32_t n = 0;

		while (i + n < b.end && p->blocks[i + n].state & PB_DELAYED)
			p->blocks[i + n++].state &= ~(PB_DELAYED | PB_DIRTY);
		if (!n)
			continue;
		/* Where blocks were allocated meanwhile, the promise is void already. */
		released += ext4_es_delayed_blocks(inode, lblk, lblk + n - 1);
		ignore_result(ext4_es_remove_extent(inode, lblk, n)); /* delayed: never split */
		i += n;
	}
	ext4_da_release_space(inode, released);
}

static void trace_invalidate(struct inode *inode, const struct page *p, uint32_t from, uint32_t len)
{
	if (ext4_should_journal_data(inode))
		trace(inode->fs, ext4_journalled_invalidatepage, inode->ino, p->index, from, len);
	else
		trace(inode->fs, ext4_invalidatepage, inode->ino, p->index, from, len);
}

/* What the blocks in [from, to) hold is let go; a buffer the commit still needs stays with it. */
static void invalidate(struct inode *inode, struct page *p, uint32_t from, uint32_t to)
{
	struct ext4_fs *fs = inode->fs;
	struct whole_blocks b = whole_blocks(fs, from, to);

	if (!ext4_page_has_blocks(fs, p))
		return;
	TRACE_SCOPE(fs, ext4_invalidatepage);
	release_promises(inode, p, b);
	trace_invalidate(inode, p, from, to - from);
	for (uint32_t i = b.first; i < b.end; i++) {
		if (p->blocks[i].buffer)
			(void)jbd2_journal_invalidate(fs->journal, p->blocks[i].buffer);
		ext4_page_block_clear(&p->blocks[i]);
	}
	if (!from && to == ext4_page_size(fs) && !ext4_should_journal_data(inode))
		trace(fs, ext4_releasepage, inode->ino, p->index);
}

static void drop_page(struct inode *inode, struct page *p)
{
	page_lock(p);
	if (!ext4_page_is(p, PAGE_REMOVED)) {
		page_wait_writeback(p);
		invalidate(inode, p, 0, ext4_page_size(inode->fs));
		(void)page_clear_dirty(p);
		page_remove(p);
	}
	page_unlock(p);
	page_put(p);
}

/* Bytes [from, to) of a page that stays. */
static void cut_page(struct inode *inode, uint64_t index, uint32_t from, uint32_t to)
{
	struct page *p = page_find(&inode->mapping, index);

	if (!p)
		return;
	page_lock(p);
	if (!ext4_page_is(p, PAGE_REMOVED)) {
		page_wait_writeback(p);
		memset(p->data + from, 0, to - from);
		invalidate(inode, p, from, to);
	}
	page_unlock(p);
	page_put(p);
}

#define DROP_AT_ONCE 16

/* Pages [first, end). */
static void drop_pages(struct inode *inode, uint64_t first, uint64_t end)
{
	struct page *found[DROP_AT_ONCE];
	int n;

	while (first < end &&
	       (n = page_find_range(&inode->mapping, &first, end - 1, found, DROP_AT_ONCE)) > 0)
		for (int i = 0; i < n; i++)
			drop_page(inode, found[i]);
}

void ext4_drop_pages(struct inode *inode, uint64_t start, uint64_t end)
{
	uint32_t psize = ext4_page_size(inode->fs);
	uint64_t first = start / psize, last = end / psize;
	uint32_t from = (uint32_t)(start % psize), to = (uint32_t)(end % psize);

	if (start >= end || !atomic_load(&inode->mapping.page_count))
		return;
	TRACE_SCOPE(inode->fs, truncate_inode_pages);
	drop_pages(inode, first + (from != 0), last);
	if (first == last) {
		cut_page(inode, first, from, to);
		return;
	}
	if (from)
		cut_page(inode, first, from, psize);
	if (to)
		cut_page(inode, last, 0, to);
}

void ext4_truncate_pages(struct inode *inode, uint64_t start)
{
	uint64_t end = UINT64_MAX - UINT64_MAX % ext4_page_size(inode->fs);

	if (!atomic_load(&inode->mapping.page_count))
		return;
	guard_write(&inode->invalidate_lock);
	ext4_drop_pages(inode, start, end);
}

/* ---- clean pages, before and after the device is written past them */

/* Journaled once, before the file's flags changed: whether that is in place, the journal knows. */
static bool has_buffers(const struct ext4_fs *fs, const struct page *p)
{
	for (uint32_t i = 0; i < page_blocks(fs->pages); i++)
		if (p->blocks[i].buffer)
			return true;
	return false;
}

static bool forget_clean_page(struct inode *inode, struct page *p)
{
	bool had_blocks;

	page_wait_writeback(p);
	had_blocks = ext4_page_has_blocks(inode->fs, p);
	if (ext4_page_is(p, PAGE_DIRTY) || has_buffers(inode->fs, p) ||
	    !ext4_may_release_page(inode->fs, p))
		return false;
	if (had_blocks)
		trace(inode->fs, ext4_releasepage, inode->ino, p->index);
	page_remove(p);
	return true;
}

int ext4_forget_clean_pages(struct inode *inode, uint64_t start, uint64_t last)
{
	uint64_t index = ext4_page_index(inode->fs, start), end = ext4_page_index(inode->fs, last);
	struct page *found[DROP_AT_ONCE];
	int n, err = 0;

	if (!atomic_load(&inode->mapping.page_count))
		return 0;
	TRACE_SCOPE(inode->fs, invalidate_mapping_pages);
	while (index <= end && (n = page_find_range(&inode->mapping, &index, end, found, DROP_AT_ONCE)) > 0)
		for (int i = 0; i < n; i++) {
			page_lock(found[i]);
			if (!ext4_page_is(found[i], PAGE_REMOVED) && !forget_clean_page(inode, found[i]))
				err = -EBUSY;
			page_unlock(found[i]);
			page_put(found[i]);
		}
	return err;
}
