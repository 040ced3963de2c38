/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading past the cache: a file larger than all the memory there is, read from its beginning to
 * its end, pushes each page out before it comes round again. What is not there of it goes from the
 * device straight into the caller's buffer, in whole pages and large pieces, and what is there
 * stays.
 *
 * The pages were not there when it was looked; one that is made meanwhile is written by somebody,
 * and a read beside a write may see what was there before. Blocks are not freed meanwhile: that
 * takes the invalidate lock.
 */
#include <string.h>
#include "ext4/data_internal.h"

#define PAGES_MIN 16	/* less is not worth a transfer of its own */

bool ext4_passes_cache(const struct inode *inode, uint64_t pos, size_t len)
{
	const struct ext4_fs *fs = inode->fs;

	return len >= (size_t)PAGES_MIN << ext4_page_bits(fs) &&
	       !(pos & (ext4_page_size(fs) - 1)) && inode->size > budget_limit(fs->budget);
}

/* How many pages from `first` on, up to `count`, are not there. */
static uint64_t missing(struct inode *inode, uint64_t first, uint64_t count)
{
	uint64_t at = first;
	struct page *p;

	if (page_find_range(&inode->mapping, &at, first + count - 1, &p, 1)) {
		count = p->index - first;
		page_put(p);
	}
	return count;
}

/* A stretch of blocks, or of a hole; how many of [lblk, end), or a negative errno. */
static int read_stretch(struct inode *inode, ext4_lblk_t lblk, ext4_lblk_t end, uint8_t *buf)
{
	struct ext4_fs *fs = inode->fs;
	struct ext4_map map = { .lblk = lblk, .len = end - lblk };
	int n = ext4_map_blocks(NULL, inode, &map, 0), err;

	if (n > 0 && !(map.flags & MAPPED_UNWRITTEN)) {
		err = block_read(fs->device, map.pblk << fs->geo.block_bits, buf,
				 (size_t)n << fs->geo.block_bits);
		return err ? err : n;
	}
	if (n == 0)
		n = (int)max(min(map.len, end - lblk), 1u);
	if (n > 0)
		memset(buf, 0, (size_t)n << fs->geo.block_bits);
	return n;
}

static int64_t read_pages(struct inode *inode, uint64_t first, uint64_t count, uint8_t *buf)
{
	uint8_t bits = inode->fs->geo.block_bits;
	uint32_t shift = ext4_page_bits(inode->fs) - bits;
	ext4_lblk_t start = (ext4_lblk_t)(first << shift), at = start;
	ext4_lblk_t end = (ext4_lblk_t)((first + count) << shift);

	while (at < end) {
		int n = read_stretch(inode, at, end, buf + ((size_t)(at - start) << bits));

		if (n < 0)
			return at > start ? (int64_t)(at - start) << bits : n;
		at += (ext4_lblk_t)n;
	}
	return (int64_t)(at - start) << bits;
}

int64_t ext4_read_past_cache(struct inode *inode, uint64_t pos, void *buf, size_t len)
{
	uint64_t first = ext4_page_index(inode->fs, pos), count = len >> ext4_page_bits(inode->fs);
	int64_t n = 0;

	guard_read(&inode->invalidate_lock);
	if (pos + len > inode->size)	/* cut off since the caller looked */
		return 0;
	count = missing(inode, first, count);
	if (count >= PAGES_MIN)
		n = read_pages(inode, first, count, buf);
	return n;
}
