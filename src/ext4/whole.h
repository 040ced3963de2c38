/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is asked of a mounted file system as a whole: where its space goes (fsmap.c), that free
 * space be given back to the device (mb_trim.c), that the log be emptied (journal.c), what it is
 * called (label.c).
 */
#ifndef EXTANT_EXT4_WHOLE_H
#define EXTANT_EXT4_WHOLE_H

#include "ext4/fs.h"

/*
 * FITRIM: discards free space of at least `least` bytes in a row within [start, start + len) bytes
 * {ext4_trim_all_free, ext4_trim_extent, ext4_discard_blocks}. `*trimmed` counts what was, also when
 * it ends early. -EINVAL: beyond the end, `len` below a block, `least` above a group. -EOPNOTSUPP:
 * the device cannot; -EROFS.
 */
must_check int ext4_trim_fs(struct ext4_fs *fs, uint64_t start, uint64_t len, uint64_t least,
			    uint64_t *trimmed);

/*
 * EXT4_IOC_CHECKPOINT: everything in place and the log empty; then, as the flags say, its blocks
 * discarded or zeroed. -EINVAL: flags; -ENODEV: no journal.
 */
#define CHECKPOINT_DISCARD	1u
#define CHECKPOINT_ZEROOUT	2u
#define CHECKPOINT_DRY_RUN	4u
must_check int ext4_checkpoint(struct ext4_fs *fs, uint32_t flags);

/* FS_IOC_GETFSMAP: owners and flags are those of <linux/fsmap.h> and ext4's own. */
struct ext4_mapping {
	uint64_t physical, length;	/* bytes */
	uint64_t owner;			/* OWNED_BY_* */
	uint32_t flags;			/* MAPPING_* */
};
#define OWNED_BY(type, code)	((uint64_t)(type) << 32 | (code))
#define OWNED_BY_NONE		1u	/* free */
#define OWNED_BY_SOMEBODY	2u	/* a file, a directory, the journal */
#define OWNED_BY_SUPER		OWNED_BY('X', 1)
#define OWNED_BY_INODES	OWNED_BY('X', 5)
#define OWNED_BY_DESCRIPTORS	OWNED_BY('f', 1)
#define OWNED_BY_RESERVED_DESCRIPTORS OWNED_BY('f', 2)
#define OWNED_BY_BLOCK_BITMAP	OWNED_BY('f', 3)
#define OWNED_BY_INODE_BITMAP	OWNED_BY('f', 4)
#define MAPPING_SPECIAL		0x10u	/* the owner is one of these, no inode */
#define MAPPING_LAST		0x20u	/* nothing follows */
typedef int (*ext4_mapping_fn)(void *arg, const struct ext4_mapping *m);
/*
 * In order, all that lies in [low, high] bytes, in part or whole. -EINVAL: low > high. Stops at the first result of fn that is not 0 and
 * returns it.
 */
must_check int ext4_fsmap(struct ext4_fs *fs, uint64_t low, uint64_t high, ext4_mapping_fn fn,
			  void *arg);

/* Terminated. */
#define EXT4_LABEL_MAX 16
void ext4_get_label(struct ext4_fs *fs, char label[EXT4_LABEL_MAX + 1]);
/* FS_IOC_SETFSLABEL. -EINVAL: it is too long; -EROFS. */
must_check int ext4_set_label(struct ext4_fs *fs, const char *label);
void ext4_get_uuid(struct ext4_fs *fs, uint8_t uuid[16]);
/* EXT4_IOC_SETFSUUID. -EOPNOTSUPP: checksums of blocks begin with it, or stable_inodes; -EROFS. */
must_check int ext4_set_uuid(struct ext4_fs *fs, const uint8_t uuid[16]);

#endif
