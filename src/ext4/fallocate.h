/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Space of a file by range: allocated, zeroed, punched out, cut out, inserted.
 */
#ifndef EXTANT_EXT4_FALLOCATE_H
#define EXTANT_EXT4_FALLOCATE_H

#include "ext4/data.h"

enum ext4_falloc_mode {			/* as FALLOC_FL_* and the events have them */
			FALLOC_KEEP_SIZE = 0x01,
			FALLOC_PUNCH_HOLE = 0x02,
			FALLOC_COLLAPSE_RANGE = 0x08,
			FALLOC_ZERO_RANGE = 0x10,
			FALLOC_INSERT_RANGE = 0x20,
};

/*
 * Of a regular file, inode->lock held for writing; `mode` is one that the caller has found to make
 * sense, the range lies within what a file can have. 0: allocated, as unwritten blocks, which the
 * size grows over unless KEEP_SIZE {ext4_fallocate_enter, _exit}. -EOPNOTSUPP: not with a block map
 * (but punching). -EINVAL: not at block borders, or not inside the file, where it must be. -ENOSPC:
 * what was allocated till then stays. `sync`: what was done is stable at the end.
 */
must_check int ext4_fallocate(struct inode *inode, uint32_t mode, uint64_t offset, uint64_t len,
			      bool sync);

/* ---- the kinds; each as ext4_fallocate */

must_check int ext4_punch_hole(struct inode *inode, uint64_t offset, uint64_t len);
must_check int ext4_zero_range(struct inode *inode, uint32_t mode, uint64_t offset, uint64_t len);
must_check int ext4_collapse_range(struct inode *inode, uint64_t offset, uint64_t len);
must_check int ext4_insert_range(struct inode *inode, uint64_t offset, uint64_t len);

/* ---- between the files */

/* What is dirty in [offset, last] is written first, so that no promise is left in it. */
must_check int ext4_write_dirty_range(struct inode *inode, uint64_t offset, uint64_t last);
/*
 * Journaled data is in place, and nothing of it is under the journal. inode->lock held for writing.
 */
must_check int ext4_settle_journaled_data(struct inode *inode);
/*
 * Pages of the range are about to be dropped; where it reaches to the end of the file, the size on
 * disk would wait for their write-back, which does not come: it is brought up to date.
 */
must_check int ext4_update_disksize_before_punch(struct inode *inode, uint64_t offset,
						 uint64_t len);
/* mtime and ctime are now; the caller marks the inode dirty. */
void ext4_touch_times(struct inode *inode);
/* Credits to free blocks at the end of a file, or in it. */
int ext4_truncate_credits(struct inode *inode);

#endif
