/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fast commits: ext4's own records in the tail of the journal (docs/on-disk.md, "Fast commits").
 * The area is a row of records: a head (tag, length), then the value; a tail ends one fast commit.
 * Little-endian, unlike the rest of the journal. Included through ext4/format.h.
 */
#ifndef EXTANT_EXT4_FORMAT_FC_H
#define EXTANT_EXT4_FORMAT_FC_H

#include "base/endian.h"

/* fc_tag */
#define EXT4_FC_TAG_ADD_RANGE	1u	/* ext4_fc_add_range */
#define EXT4_FC_TAG_DEL_RANGE	2u	/* ext4_fc_del_range */
#define EXT4_FC_TAG_CREAT	3u	/* ext4_fc_dentry_info: a name of a new inode */
#define EXT4_FC_TAG_LINK	4u	/* ext4_fc_dentry_info: a further name */
#define EXT4_FC_TAG_UNLINK	5u	/* ext4_fc_dentry_info: a name less */
#define EXT4_FC_TAG_INODE	6u	/* ext4_fc_inode */
#define EXT4_FC_TAG_PAD		7u	/* to the end of the block: nothing */
#define EXT4_FC_TAG_TAIL	8u	/* ext4_fc_tail */
#define EXT4_FC_TAG_HEAD	9u	/* ext4_fc_head, first of the area */

#define EXT4_FC_SUPPORTED_FEATURES 0u	/* fc_features: none is defined */

struct ext4_fc_tl {
	le16 fc_tag;
	le16 fc_len;			/* bytes of the value */
};
DISK_SIZE(struct ext4_fc_tl, 4);
DISK_OFFSET(struct ext4_fc_tl, fc_tag, 0x0);
DISK_OFFSET(struct ext4_fc_tl, fc_len, 0x2);

struct ext4_fc_head {
	le32 fc_features;
	le32 fc_tid;			/* the transaction these commits follow */
};
DISK_SIZE(struct ext4_fc_head, 8);
DISK_OFFSET(struct ext4_fc_head, fc_features, 0x0);
DISK_OFFSET(struct ext4_fc_head, fc_tid, 0x4);

struct ext4_fc_add_range {
	le32 fc_ino;
	uint8_t fc_ex[12];		/* struct ext4_extent */
};
DISK_SIZE(struct ext4_fc_add_range, 16);
DISK_OFFSET(struct ext4_fc_add_range, fc_ino, 0x0);
DISK_OFFSET(struct ext4_fc_add_range, fc_ex, 0x4);

struct ext4_fc_del_range {
	le32 fc_ino;
	le32 fc_lblk;			/* first logical block */
	le32 fc_len;			/* blocks */
};
DISK_SIZE(struct ext4_fc_del_range, 12);
DISK_OFFSET(struct ext4_fc_del_range, fc_ino, 0x0);
DISK_OFFSET(struct ext4_fc_del_range, fc_lblk, 0x4);
DISK_OFFSET(struct ext4_fc_del_range, fc_len, 0x8);

struct ext4_fc_dentry_info {
	le32 fc_parent_ino;
	le32 fc_ino;
	char fc_dname[];		/* to the end of the value */
};
DISK_SIZE(struct ext4_fc_dentry_info, 8);
DISK_OFFSET(struct ext4_fc_dentry_info, fc_parent_ino, 0x0);
DISK_OFFSET(struct ext4_fc_dentry_info, fc_ino, 0x4);
DISK_OFFSET(struct ext4_fc_dentry_info, fc_dname, 0x8);

struct ext4_fc_inode {
	le32 fc_ino;
	uint8_t fc_raw_inode[];		/* struct ext4_inode with its extra bytes */
};
DISK_SIZE(struct ext4_fc_inode, 4);
DISK_OFFSET(struct ext4_fc_inode, fc_ino, 0x0);
DISK_OFFSET(struct ext4_fc_inode, fc_raw_inode, 0x4);

struct ext4_fc_tail {
	le32 fc_tid;
	le32 fc_crc;			/* crc32c of the commit's bytes before this field */
};
DISK_SIZE(struct ext4_fc_tail, 8);
DISK_OFFSET(struct ext4_fc_tail, fc_tid, 0x0);
DISK_OFFSET(struct ext4_fc_tail, fc_crc, 0x4);

#endif
