/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The superblock of a mount (super.c): read at the mount, written with the totals at its marks.
 */
#ifndef EXTANT_EXT4_SUPER_H
#define EXTANT_EXT4_SUPER_H

#include "ext4/fs.h"

/*
 * Reads and verifies it, and yields the geometry. Reports through ext4_message: there is no
 * fs->super yet.
 */
must_check int ext4_super_read(struct ext4_fs *fs, struct ext4_super_block *sb,
			       struct ext4_geometry *geo);
/* Its buffer, once the cache has the block size. */
must_check int ext4_super_hold(struct ext4_fs *fs);
/* Writes it in place, at once, with the free counts. Not while a transaction holds it. */
must_check int ext4_commit_super(struct ext4_fs *fs, bool stable);
/* The marks of a mount that may write, and of its clean end. */
must_check int ext4_super_mark_mounted(struct ext4_fs *fs);
must_check int ext4_super_mark_clean(struct ext4_fs *fs);
/* The counters of the whole, from the descriptors. */
must_check int ext4_counters_init(struct ext4_fs *fs);

/*
 * What the superblock remembers of damage, taken over a replay, which brings back an older one. Only
 * more errors replace fewer.
 */
struct ext4_super_errors {
	uint8_t bytes[0x200 - 0x194];	/* s_error_count to s_last_error_func */
	uint8_t time_hi[2], code[2];
	uint32_t count;
};
void ext4_errors_save(const struct ext4_super_block *s, struct ext4_super_errors *out);
void ext4_errors_restore(struct ext4_super_block *s, const struct ext4_super_errors *saved);
/* The marks of a freeze and of its end; the log is empty. */
must_check int ext4_super_mark_frozen(struct ext4_fs *fs);
must_check int ext4_super_mark_thawed(struct ext4_fs *fs);
/* The stripe that the allocator takes heed of: the option's, else the superblock's; 0: none. */
uint32_t ext4_stripe(const struct ext4_fs *fs, uint32_t wanted);

#endif
