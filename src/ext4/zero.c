/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes inside blocks that become zeroes: behind a new end, at the borders of a hole. It is done in
 * the page cache, in a handle; where data is ordered, the zeroes reach the device before the
 * handle's transaction commits, so that with the new size or the hole no old byte can be seen.
 *
 * The page lock ranks before the handle, and here the handle is open: nobody who holds a page waits
 * for a handle of this inode, since its lock is held for writing and its write-back starts its
 * handle first.
 */
#include "base/assert.h"
#include "ext4/data_internal.h"

/* Block `i` of a locked page: from where it lies, if need be. 0: it reads as zeroes already. */
static int find_content(struct inode *inode, struct page *p, uint32_t i)
{
	struct ext4_map map = { .lblk = ext4_page_lblk(inode->fs, p) + i, .len = 1 };
	struct page_block *pb = &p->blocks[i];
	int n;

	if (!(pb->state & (PB_MAPPED | PB_DELAYED))) {
		n = ext4_map_blocks(NULL, inode, &map, 0);
		if (n <= 0 || map.flags & MAPPED_UNWRITTEN)
			return min(n, 0); /* a hole, or as good as one */
		pb->pblk = map.pblk;
		pb->state |= PB_MAPPED;
	}
	if (ext4_page_is(p, PAGE_UPTODATE))
		pb->state |= PB_UPTODATE;
	if (pb->state & PB_UPTODATE)
		return 1;
	if (pb->state & PB_UNWRITTEN)
		return 0;
	n = ext4_read_page_block(inode, p, i, pb->pblk);
	if (n)
		return n;
	pb->state |= PB_UPTODATE;
	return 1;
}

static int zero_in_page(struct handle *h, struct inode *inode, struct page *p, uint64_t from,
			uint32_t len)
{
	struct ext4_fs *fs = inode->fs;
	uint32_t i = (uint32_t)(from % ext4_page_size(fs)) >> fs->geo.block_bits;
	int err = find_content(inode, p, i);

	if (err <= 0)
		return err;
	return ext4_zero_in_block(h, inode, p, i, (uint32_t)(from & (fs->geo.block_size - 1)), len);
}

int ext4_block_zero_page_range(struct handle *h, struct inode *inode, uint64_t from, uint32_t len)
{
	struct ext4_fs *fs = inode->fs;
	struct page *p;
	int err;

	TRACE_SCOPE(fs, ext4_block_zero_page_range);
	p = page_find(&inode->mapping, ext4_page_index(fs, from));
	if (!p) {
		err = page_find_or_create(&inode->mapping, ext4_page_index(fs, from), &p);
		if (err)
			return err;
	} else {
		page_lock(p);
	}
	/*
	 * What is on its way to the device stays as it is: the commit passes over pages that are
	 * written at the time.
	 */
	page_wait_writeback(p);
	err = ext4_page_is(p, PAGE_REMOVED) ? 0 : zero_in_page(h, inode, p, from, len);
	ext4_page_note_uptodate(fs, p);
	page_unlock(p);
	page_put(p);
	return err;
}

int ext4_block_truncate_page(struct handle *h, struct inode *inode, uint64_t from)
{
	uint32_t bs = inode->fs->geo.block_size, in_block = (uint32_t)(from & (bs - 1));

	if (!in_block)
		return 0;
	TRACE_SCOPE(inode->fs, ext4_block_truncate_page);
	return ext4_block_zero_page_range(h, inode, from, bs - in_block);
}

int ext4_zero_partial_blocks(struct handle *h, struct inode *inode, uint64_t start, uint64_t end)
{
	uint64_t bs = inode->fs->geo.block_size;
	uint32_t head = (uint32_t)(start & (bs - 1)), tail = (uint32_t)(end & (bs - 1));
	int err = 0;

	TRACE_SCOPE(inode->fs, ext4_zero_partial_blocks);
	if (start / bs == end / bs)
		return end > start ? ext4_block_zero_page_range(h, inode, start,
								(uint32_t)(end - start))
				   : 0;
	if (head)
		err = ext4_block_zero_page_range(h, inode, start, (uint32_t)bs - head);
	if (!err && tail)
		err = ext4_block_zero_page_range(h, inode, end - tail, tail);
	return err;
}
