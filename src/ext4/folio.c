/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux 6.18 writes a file in folios: up to 2 MiB, a power of two of pages, aligned to their size. The
 * blocks of a folio are had before a byte of it is copied: where the disk has no room for all of them,
 * a write ends in front of it, though some of its pages might have been written. 4.9 goes page by page.
 *
 * Pages here are what they are; only where a write ends on a disk that is nearly full is decided by the
 * folio that Linux would have made.
 */
#include "ext4/alloc.h"
#include "ext4/data.h"
#include "ext4/map.h"

#define FOLIO_MAX	(2u << 20)

/* As large as what is left to write, and as its place in the file allows. */
static uint64_t folio_size(const struct inode *inode, uint64_t at, size_t left)
{
	uint64_t psize = page_size(inode->fs->pages), size = psize, start = at - at % psize;

	while (2 * size <= min(left, (size_t)FOLIO_MAX) && start % (2 * size) == 0)
		size *= 2;
	return size;
}

/* Blocks of [first, end) that have no place yet. */
static int64_t count_missing(struct inode *inode, ext4_lblk_t first, ext4_lblk_t end)
{
	int64_t missing = 0;

	while (first < end) {
		struct ext4_map map = { .lblk = first, .len = end - first };
		struct extent_status es;
		int n;

		if (ext4_es_lookup_extent(inode, first, &es) && es.status & ES_DELAYED) {
			first = min(end, es.lblk + es.len);
			continue;
		}
		n = ext4_map_blocks(NULL, inode, &map, 0);
		if (n < 0)
			return n;
		missing += n == 0;
		first += n ? (uint32_t)n : 1;
	}
	return missing;
}

static int64_t has_room(struct inode *inode, uint64_t at, size_t len)
{
	struct ext4_fs *fs = inode->fs;
	uint64_t end = (at + len - 1) >> fs->geo.block_bits;
	ext4_lblk_t first = (ext4_lblk_t)(at >> fs->geo.block_bits);
	int64_t missing;

	if (likely(ext4_has_free_clusters(fs, (int64_t)(end - first + 1), 0)))
		return 1;
	missing = count_missing(inode, first, (ext4_lblk_t)end + 1);
	return missing < 0 ? missing : ext4_has_free_clusters(fs, missing, 0);
}

int64_t ext4_write_part(struct inode *inode, uint64_t at, size_t left)
{
	struct ext4_fs *fs = inode->fs;
	uint64_t psize = page_size(fs->pages), size;
	int retries = 0;
	int64_t room;
	size_t part;

	if (fs->opt.dialect == DIALECT_4_9 || ext4_should_journal_data(inode))
		return (int64_t)min((uint64_t)left, psize - at % psize);
	size = folio_size(inode, at, left);
	part = (size_t)min((uint64_t)left, at - at % psize + size - at);
	do
		room = size > psize ? has_room(inode, at, part) : 1;
	while (!room && ext4_should_retry_alloc(fs, &retries));
	return room < 0 ? room : room ? (int64_t)part : -ENOSPC;
}
