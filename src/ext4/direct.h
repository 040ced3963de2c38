/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Direct I/O: between the caller's memory and the device, without a copy in the page cache.
 */
#ifndef EXTANT_EXT4_DIRECT_H
#define EXTANT_EXT4_DIRECT_H

#include "ext4/data.h"

/* Offsets and lengths of what goes to the device are multiples of it. */
#define EXT4_DIRECT_ALIGN 512u

/* False: its data goes through the log, and so through the cache. */
bool ext4_may_go_direct(const struct inode *inode);
/*
 * Reads up to the size {ext4_direct_IO_enter, _exit}; bytes read. What is dirty of the range is
 * written first. -EINVAL: offset, length or (4.9) address are no multiples of the sector. Takes
 * inode->lock for reading.
 */
must_check int64_t ext4_direct_IO_read(struct inode *inode, uint64_t pos, void *buf, size_t len);
/*
 * Writes, and grows the size when it is done {ext4_direct_IO_enter, _exit}. Fewer bytes than `len`,
 * or 0: the rest lies where direct I/O may not allocate, and is to go through the cache. An error:
 * the size is as before, and of what lies within it any part may have been written. inode->lock
 * held for writing; no page of the range is in the cache.
 */
must_check int64_t ext4_direct_IO_write(struct inode *inode, uint64_t pos, const void *buf,
					size_t len);
/*
 * Pages of bytes [start, last] leave the cache {ext4_releasepage}. -EBUSY: one is dirty, or its
 * blocks are or were the journal's.
 */
must_check int ext4_forget_clean_pages(struct inode *inode, uint64_t start, uint64_t last);

#endif
