/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The check of a whole image: what `fsck -n` says, and the judge of every crash state.
 *
 * It reads the device and trusts the verifiers (ext4/verify.h), nothing else: not the caches, not
 * the journal, not what a mount believes. It changes nothing. It looks at every structure and at
 * what holds between them: bitmaps and what uses blocks and inodes, counts, link counts and names,
 * maps and sizes, shared blocks, hash trees and the names in them, attribute blocks and who refers
 * to them, orphans, checksums.
 *
 * Memory: a bit for each block and eight bytes for each inode, of groups in which any is in use;
 * the directories' numbers; and of one directory at a time, its blocks and names. Never more than
 * the image itself has set aside for such things.
 *
 * What it does not judge: the content of quota files, of the journal's log and of file data; images
 * with features that extant refuses.
 */
#ifndef EXTANT_CHECK_CHECK_H
#define EXTANT_CHECK_CHECK_H

#include "base/alloc.h"
#include "block/device.h"

enum check_kind {
	CHECK_SUPER,			/* superblock or a copy of it */
	CHECK_JOURNAL,			/* journal superblock; a journal to be replayed first */
	CHECK_GROUP,			/* descriptor or a copy of it */
	CHECK_COUNT,			/* free blocks, free inodes, directories */
	CHECK_BLOCK_BITMAP,
	CHECK_INODE_BITMAP,
	CHECK_INODE,			/* fields of an inode */
	CHECK_MAP,			/* extents, block maps, and how many blocks there are */
	CHECK_SHARED,			/* a block that two things claim */
	CHECK_DIRECTORY,		/* entries */
	CHECK_HASH_TREE,
	CHECK_LINKS,			/* link counts, unreachable inodes, loops */
	CHECK_XATTR,
	CHECK_ORPHAN,
	CHECK_KINDS
};

#define CHECK_NO_GROUP UINT32_MAX

struct check_problem {
	enum check_kind kind;
	uint32_t group;			/* CHECK_NO_GROUP: none */
	uint32_t ino;			/* 0: none */
	uint64_t block;			/* of the device; 0: none */
	const char *text;		/* one line, without the place; lives during the call */
};

struct check_options {
	struct arena *arena;
	bool replay_pending_ok;		/* judge it though the journal is still to be replayed */
	bool totals_may_lag;		/* the superblock's free counts may be old, as after a crash */
	uint64_t problems_max;		/* ends after so many; 0: never */
	void (*problem)(void *arg, const struct check_problem *p);	/* may be NULL */
	void *arg;
};

struct check_report {
	uint64_t problems;
	uint64_t by_kind[CHECK_KINDS];
	bool replay_pending;		/* the journal is to be replayed */
	bool stopped;			/* it did not look at everything */
	uint64_t orphans;		/* inodes that the next mount will finish; no problem */
	uint64_t inodes_used, directories, files, symlinks, others;
	uint64_t blocks_used;
};

/*
 * 0: looked at; what is wrong is in the report. Else nothing can be said: -EINVAL (no ext4),
 * -EOPNOTSUPP (features; the reason is reported as a problem), -EIO, -ENOMEM.
 */
must_check int check_image(struct block_device *dev, const struct check_options *opt,
			   struct check_report *out);

const char *check_kind_name(enum check_kind kind);
/* "inode 12, block 345: text" into `buf`, cut when it does not fit. */
void check_problem_format(const struct check_problem *p, char *buf, size_t size);

#endif
