/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the files of the data path: data.c (write_begin, write_end), read.c, writepages.c,
 * truncate.c. Not for others.
 */
#ifndef EXTANT_EXT4_DATA_INTERNAL_H
#define EXTANT_EXT4_DATA_INTERNAL_H

#include "ext4/alloc.h"
#include "ext4/data.h"
#include "ext4/kinds.h"
#include "ext4/map.h"

/* The page is the larger of 4 KiB and the block. */
static inline uint32_t ext4_page_bits(const struct ext4_fs *fs)
{
	return max((uint32_t)fs->geo.block_bits, 12u);
}

static inline uint32_t ext4_page_size(const struct ext4_fs *fs)
{
	return 1u << ext4_page_bits(fs);
}

static inline uint64_t ext4_page_index(const struct ext4_fs *fs, uint64_t pos)
{
	return pos >> ext4_page_bits(fs);
}

/* The first block of a page. */
static inline ext4_lblk_t ext4_page_lblk(const struct ext4_fs *fs, const struct page *p)
{
	return (ext4_lblk_t)(p->index * page_blocks(fs->pages));
}

static inline uint8_t *ext4_page_block_data(const struct ext4_fs *fs, const struct page *p,
					    uint32_t i)
{
	return p->data + (size_t)i * fs->geo.block_size;
}

static inline bool ext4_page_is(const struct page *p, uint32_t state)
{
	return atomic_load_explicit(&p->state, memory_order_acquire) & state;
}

/*
 * It was written into, so its blocks are known one by one; a page that was only read has nothing to
 * let go.
 */
static inline bool ext4_page_has_blocks(const struct ext4_fs *fs, const struct page *p)
{
	for (uint32_t i = 0; i < page_blocks(fs->pages); i++)
		if (p->blocks[i].state)
			return true;
	return false;
}

/*
 * read_past.c: a read of whole pages of a file that memory cannot hold; and its beginning, as far
 * as no page of it is there. 0: it goes the usual way.
 */
bool ext4_passes_cache(const struct inode *inode, uint64_t pos, size_t len);
must_check int64_t ext4_read_past_cache(struct inode *inode, uint64_t pos, void *buf, size_t len);

/* ---- data.c: blocks of a page that is written into, or may be from now on */

enum write_kind { WRITE_DELAYED, WRITE_PLAIN, WRITE_JOURNALED };
/* As the inode's mode, the mount and the free space say at this moment. */
enum write_kind ext4_kind_of_write(struct inode *inode);
/*
 * The blocks that [from, to) of a locked page not in write-back touches get their place or a promise
 * of one (PB_NEW where their old bytes mean nothing), and what [from, to) leaves of them is right
 * then. A handle, but for delayed ones.
 */
must_check int ext4_block_write_begin(struct handle *h, struct inode *inode, enum write_kind kind,
				      struct page *p, uint32_t from, uint32_t to);
/* What comes after it is not done, and blocks made for [from, to) are the file's already. */
must_check int ext4_zero_new_blocks(struct handle *h, struct inode *inode, enum write_kind kind,
				    struct page *p, uint32_t from, uint32_t to);

/* ---- read.c: reading pages that are not there */

/* The page behind the last one of the file. */
uint64_t ext4_end_page(const struct inode *inode);
/*
 * Reads those of pages [index, index + count) that are not there and lie in the file; `mark`: the one
 * whose reader is to fetch the next window.
 */
must_check int ext4_read_window(struct inode *inode, uint64_t index, uint64_t count, uint64_t mark);
/* The window that a reader of page `index` is served with, who wants so many pages of it. */
must_check int ext4_read_ahead(struct inode *inode, struct ext4_readahead *ra, uint64_t index,
			       uint64_t wanted);
/* The marked page was reached: the next window, while this one is still being read. */
void ext4_read_next(struct inode *inode, struct ext4_readahead *ra, struct page *p);
/*
 * A page alone, under its lock, if its content is not there yet {ext4_readpage}. -EAGAIN: it is
 * removed.
 */
must_check int ext4_read_alone(struct inode *inode, struct page *p);
/* How many pages a window has at most: twice as many for who reads in sequence. */
uint64_t ext4_readahead_pages(const struct inode *inode, const struct ext4_readahead *ra);

/* Reads one block of a locked page from where it lies. */
must_check int ext4_read_page_block(struct inode *inode, struct page *p, uint32_t i,
				    ext4_fsblk_t pblk);
/*
 * Lets go of what a block of a locked page promises or holds; delayed ones are not released here.
 */
void ext4_page_block_clear(struct page_block *pb);
/* All of the page is in it, or was written over. */
void ext4_page_note_uptodate(const struct ext4_fs *fs, struct page *p);
/*
 * Zeroes `len` bytes of a block of a locked page from `in_block` on, and sees that this reaches the
 * disk with the handle's transaction.
 */
must_check int ext4_zero_in_block(struct handle *h, struct inode *inode, struct page *p, uint32_t i,
				  uint32_t in_block, uint32_t len);
/* The same where the block is not at hand; [from, from + len) lies in one block. */
must_check int ext4_block_zero_page_range(struct handle *h, struct inode *inode, uint64_t from,
					  uint32_t len);
/*
 * Commit task: writes dirty pages whose blocks have their place. Allocates nothing, starts no
 * handle.
 */
must_check int ext4_write_mapped_pages(struct inode *inode);
/* Without a journal: what handles have changed is in place and stable. Holding no handle. */
must_check int ext4_sync_unjournaled(struct ext4_fs *fs);
/*
 * Credits to map the blocks of one page, each in an extent of its own, and to log them where data
 * is journaled.
 */
int ext4_writepage_credits(struct inode *inode);
/* disk_size grows to `size`; true when it did. */
bool ext4_grow_disk_size(struct inode *inode, uint64_t size);

#endif
