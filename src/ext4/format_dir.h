/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Directories, the orphan file and the MMP block (docs/on-disk.md, "Directory" to "MMP block").
 * Included through ext4/format.h.
 */
#ifndef EXTANT_EXT4_FORMAT_DIR_H
#define EXTANT_EXT4_FORMAT_DIR_H

#include "base/endian.h"

/* ---- directory entries: each block is filled by records that chain through rec_len */

#define EXT4_NAME_LEN		255u
#define EXT4_DIR_PAD		4u	/* records are padded to it */
#define EXT4_DIR_REC_MIN	12u	/* a record with a name of one byte */

struct ext4_dir_entry_2 { /* with filetype */
	le32 inode;			/* 0: unused */
	le16 rec_len;			/* to the next record; see ext4_rec_len below */
	uint8_t name_len;
	uint8_t file_type;		/* EXT4_FT_* */
	char name[];			/* not terminated */
};
DISK_SIZE(struct ext4_dir_entry_2, 8);
DISK_OFFSET(struct ext4_dir_entry_2, inode, 0x0);
DISK_OFFSET(struct ext4_dir_entry_2, rec_len, 0x4);
DISK_OFFSET(struct ext4_dir_entry_2, name_len, 0x6);
DISK_OFFSET(struct ext4_dir_entry_2, file_type, 0x7);
DISK_OFFSET(struct ext4_dir_entry_2, name, 0x8);

struct ext4_dir_entry { /* without filetype */
	le32 inode;
	le16 rec_len;
	le16 name_len;			/* high byte 0: as above with type unknown */
	char name[];
};
DISK_SIZE(struct ext4_dir_entry, 8);
DISK_OFFSET(struct ext4_dir_entry, inode, 0x0);
DISK_OFFSET(struct ext4_dir_entry, rec_len, 0x4);
DISK_OFFSET(struct ext4_dir_entry, name_len, 0x6);
DISK_OFFSET(struct ext4_dir_entry, name, 0x8);

/*
 * rec_len with blocks of 64 KiB, whose length does not fit: 65535 and 0 mean the whole block, else
 * bits 16 and 17 are kept in bits 0 and 1. Smaller blocks hold the length itself.
 */
#define EXT4_MAX_REC_LEN	65535u

/* file_type */
#define EXT4_FT_UNKNOWN		0u
#define EXT4_FT_REG_FILE	1u
#define EXT4_FT_DIR		2u
#define EXT4_FT_CHRDEV		3u
#define EXT4_FT_BLKDEV		4u
#define EXT4_FT_FIFO		5u
#define EXT4_FT_SOCK		6u
#define EXT4_FT_SYMLINK		7u
#define EXT4_FT_MAX		8u
#define EXT4_FT_DIR_CSUM	0xDEu	/* the record is a tail */

struct ext4_dir_entry_tail { /* last record of a block, with metadata_csum */
	le32 det_reserved_zero1;	/* as inode: unused */
	le16 det_rec_len;		/* 12 */
	uint8_t det_reserved_zero2;	/* as name_len: none */
	uint8_t det_reserved_ft;	/* EXT4_FT_DIR_CSUM */
	le32 det_checksum;		/* inode seed, the block before the tail */
};
DISK_SIZE(struct ext4_dir_entry_tail, 12);
DISK_OFFSET(struct ext4_dir_entry_tail, det_reserved_zero1, 0x0);
DISK_OFFSET(struct ext4_dir_entry_tail, det_rec_len, 0x4);
DISK_OFFSET(struct ext4_dir_entry_tail, det_reserved_zero2, 0x6);
DISK_OFFSET(struct ext4_dir_entry_tail, det_reserved_ft, 0x7);
DISK_OFFSET(struct ext4_dir_entry_tail, det_checksum, 0x8);

struct ext4_dir_entry_hash { /* behind the name, with encrypt and casefold */
	le32 hash;
	le32 minor_hash;
};
DISK_SIZE(struct ext4_dir_entry_hash, 8);
DISK_OFFSET(struct ext4_dir_entry_hash, hash, 0x0);
DISK_OFFSET(struct ext4_dir_entry_hash, minor_hash, 0x4);

/* ---- hash trees: block 0 is the root; to a linear reader each node is one unused record */

#define EXT4_HTREE_LEVELS	2u	/* levels of indices, the root's included */
#define EXT4_HTREE_LEVELS_LARGEDIR 3u	/* with large_dir */
#define EXT4_DX_BLOCK_MASK	0x0fffffffu	/* the bits of `block` that count */
#define EXT4_DX_HASH_CONTINUED	1u	/* in an entry's hash: began a block before */

struct dx_entry {
	le32 hash;			/* the lowest below it; in the first entry, dx_countlimit */
	le32 block;			/* logical block of the directory */
};
DISK_SIZE(struct dx_entry, 8);
DISK_OFFSET(struct dx_entry, hash, 0x0);
DISK_OFFSET(struct dx_entry, block, 0x4);

struct dx_countlimit { /* lies in the first entry's hash, which is 0 */
	le16 limit;			/* entries that fit, this one included */
	le16 count;			/* entries in use, this one included */
};
DISK_SIZE(struct dx_countlimit, 4);
DISK_OFFSET(struct dx_countlimit, limit, 0x0);
DISK_OFFSET(struct dx_countlimit, count, 0x2);

struct dx_root_info {
	le32 reserved_zero;
	uint8_t hash_version;		/* EXT4_HASH_* */
	uint8_t info_length;		/* 8 */
	uint8_t indirect_levels;	/* 0: the entries point at blocks of names */
	uint8_t unused_flags;
};
DISK_SIZE(struct dx_root_info, 8);
DISK_OFFSET(struct dx_root_info, reserved_zero, 0x0);
DISK_OFFSET(struct dx_root_info, hash_version, 0x4);
DISK_OFFSET(struct dx_root_info, info_length, 0x5);
DISK_OFFSET(struct dx_root_info, indirect_levels, 0x6);
DISK_OFFSET(struct dx_root_info, unused_flags, 0x7);

struct dx_root { /* the root up to its entries */
	le32 dot_inode;			/* the directory itself */
	le16 dot_rec_len;		/* 12 */
	uint8_t dot_name_len;		/* 1 */
	uint8_t dot_file_type;
	char dot_name[4];		/* "." */
	le32 dotdot_inode;		/* the parent */
	le16 dotdot_rec_len;		/* to the end of the block */
	uint8_t dotdot_name_len;	/* 2 */
	uint8_t dotdot_file_type;
	char dotdot_name[4];		/* ".." */
	struct dx_root_info info;
	struct dx_entry entries[];
};
DISK_SIZE(struct dx_root, 32);
DISK_OFFSET(struct dx_root, dot_inode, 0x00);
DISK_OFFSET(struct dx_root, dot_rec_len, 0x04);
DISK_OFFSET(struct dx_root, dot_name_len, 0x06);
DISK_OFFSET(struct dx_root, dot_file_type, 0x07);
DISK_OFFSET(struct dx_root, dot_name, 0x08);
DISK_OFFSET(struct dx_root, dotdot_inode, 0x0C);
DISK_OFFSET(struct dx_root, dotdot_rec_len, 0x10);
DISK_OFFSET(struct dx_root, dotdot_name_len, 0x12);
DISK_OFFSET(struct dx_root, dotdot_file_type, 0x13);
DISK_OFFSET(struct dx_root, dotdot_name, 0x14);
DISK_OFFSET(struct dx_root, info, 0x18);
DISK_OFFSET(struct dx_root, entries, 0x20);

struct dx_node { /* an inner node up to its entries */
	le32 fake_inode;		/* 0 */
	le16 fake_rec_len;		/* the block */
	uint8_t fake_name_len;		/* 0 */
	uint8_t fake_file_type;		/* 0 */
	struct dx_entry entries[];
};
DISK_SIZE(struct dx_node, 8);
DISK_OFFSET(struct dx_node, fake_inode, 0x0);
DISK_OFFSET(struct dx_node, fake_rec_len, 0x4);
DISK_OFFSET(struct dx_node, fake_name_len, 0x6);
DISK_OFFSET(struct dx_node, fake_file_type, 0x7);
DISK_OFFSET(struct dx_node, entries, 0x8);

struct dx_tail { /* with metadata_csum, behind room for `limit` entries */
	le32 dt_reserved;		/* 0 */
	le32 dt_checksum;		/* inode seed, block up to `count`, tail with 0 */
};
DISK_SIZE(struct dx_tail, 8);
DISK_OFFSET(struct dx_tail, dt_reserved, 0x0);
DISK_OFFSET(struct dx_tail, dt_checksum, 0x4);

/* hash_version; s_flags says which of the first two triples 0 to 2 stand for */
#define EXT4_HASH_LEGACY		0u
#define EXT4_HASH_HALF_MD4		1u
#define EXT4_HASH_TEA			2u
#define EXT4_HASH_LEGACY_UNSIGNED	3u
#define EXT4_HASH_HALF_MD4_UNSIGNED	4u
#define EXT4_HASH_TEA_UNSIGNED		5u
#define EXT4_HASH_SIPHASH		6u	/* of encrypted casefolded directories */

/* ---- orphan file: blocks of inode numbers (le32, 0: free), each ending in a tail */

#define EXT4_ORPHAN_BLOCK_MAGIC	0x0b10ca04u

struct ext4_orphan_block_tail {
	le32 ob_magic;			/* EXT4_ORPHAN_BLOCK_MAGIC */
	le32 ob_checksum;		/* inode seed, pblk (le64), the entries */
};
DISK_SIZE(struct ext4_orphan_block_tail, 8);
DISK_OFFSET(struct ext4_orphan_block_tail, ob_magic, 0x0);
DISK_OFFSET(struct ext4_orphan_block_tail, ob_checksum, 0x4);

/* ---- MMP block */

#define EXT4_MMP_MAGIC		0x004D4D50u	/* "MMP" */
#define EXT4_MMP_SEQ_CLEAN	0xFF4D4D50u	/* mmp_seq: not in use */
#define EXT4_MMP_SEQ_FSCK	0xE24D4D50u	/* fsck is at work */
#define EXT4_MMP_SEQ_MAX	0xE24D4D4Fu	/* the highest of a mount */

struct mmp_struct {
	le32 mmp_magic;			/* EXT4_MMP_MAGIC */
	le32 mmp_seq;
	le64 mmp_time;			/* seconds since 1970 */
	char mmp_nodename[64];
	char mmp_bdevname[32];
	le16 mmp_check_interval;	/* seconds */
	le16 mmp_pad1;
	le32 mmp_pad2[226];
	le32 mmp_checksum;		/* seed, the bytes before */
};
DISK_SIZE(struct mmp_struct, 1024);
DISK_OFFSET(struct mmp_struct, mmp_magic, 0x000);
DISK_OFFSET(struct mmp_struct, mmp_seq, 0x004);
DISK_OFFSET(struct mmp_struct, mmp_time, 0x008);
DISK_OFFSET(struct mmp_struct, mmp_nodename, 0x010);
DISK_OFFSET(struct mmp_struct, mmp_bdevname, 0x050);
DISK_OFFSET(struct mmp_struct, mmp_check_interval, 0x070);
DISK_OFFSET(struct mmp_struct, mmp_pad1, 0x072);
DISK_OFFSET(struct mmp_struct, mmp_pad2, 0x074);
DISK_OFFSET(struct mmp_struct, mmp_checksum, 0x3FC);

#endif
