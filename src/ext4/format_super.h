/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The superblock, the feature bits and the group descriptor (docs/on-disk.md, "Superblock" and
 * "Group descriptor"). Included through ext4/format.h.
 */
#ifndef EXTANT_EXT4_FORMAT_SUPER_H
#define EXTANT_EXT4_FORMAT_SUPER_H

#include "base/endian.h"

#define EXT4_SUPER_MAGIC	0xEF53u
#define EXT4_SUPER_OFFSET	1024u	/* bytes; at every block size */
#define EXT4_SUPER_SIZE		1024u

struct ext4_super_block { /* at byte 1024, and a copy at the start of some groups */
	le32 s_inodes_count;		/* inodes in all, used or not */
	le32 s_blocks_count_lo;		/* blocks in all */
	le32 s_r_blocks_count_lo;	/* blocks only the reserved user may take */
	le32 s_free_blocks_count_lo;	/* free blocks */
	le32 s_free_inodes_count;
	le32 s_first_data_block;	/* 1 with blocks of 1 KiB, else 0 */
	le32 s_log_block_size;		/* a block is 2^(10 + this) bytes */
	le32 s_log_cluster_size;	/* the same for clusters; without bigalloc equal to it */
	le32 s_blocks_per_group;
	le32 s_clusters_per_group;	/* without bigalloc equal to s_blocks_per_group */
	le32 s_inodes_per_group;
	le32 s_mtime;			/* last mount, seconds since 1970 */
	le32 s_wtime;			/* last write of the superblock */
	le16 s_mnt_count;		/* mounts since the last fsck */
	le16 s_max_mnt_count;		/* mounts after which one is due; 0xffff: never */
	le16 s_magic;			/* EXT4_SUPER_MAGIC */
	le16 s_state;			/* EXT4_VALID_FS and so on */
	le16 s_errors;			/* what to do about damage: EXT4_ERRORS_* */
	le16 s_minor_rev_level;
	le32 s_lastcheck;		/* last fsck */
	le32 s_checkinterval;		/* seconds after which one is due; 0: never */
	le32 s_creator_os;		/* EXT4_OS_* */
	le32 s_rev_level;		/* EXT4_GOOD_OLD_REV or EXT4_DYNAMIC_REV */
	le16 s_def_resuid;		/* who may take reserved blocks */
	le16 s_def_resgid;

	/* With EXT4_DYNAMIC_REV; before it: first inode 11, inodes of 128 bytes. */
	le32 s_first_ino;		/* first inode that is not reserved */
	le16 s_inode_size;		/* bytes; a power of two from 128 to the block */
	le16 s_block_group_nr;		/* the group this copy lies in */
	le32 s_feature_compat;		/* EXT4_FEATURE_COMPAT_* */
	le32 s_feature_incompat;	/* EXT4_FEATURE_INCOMPAT_* */
	le32 s_feature_ro_compat;	/* EXT4_FEATURE_RO_COMPAT_* */
	uint8_t s_uuid[16];
	char s_volume_name[16];		/* not terminated when full */
	char s_last_mounted[64];	/* where it was mounted last */
	le32 s_algorithm_usage_bitmap;	/* of compression; unused */
	uint8_t s_prealloc_blocks;	/* unused */
	uint8_t s_prealloc_dir_blocks;	/* unused */
	le16 s_reserved_gdt_blocks;	/* kept after the descriptors, for growth (resize_inode) */

	/* With has_journal. */
	uint8_t s_journal_uuid[16];	/* of an external journal */
	le32 s_journal_inum;		/* inode of an internal one, 8 */
	le32 s_journal_dev;		/* device number of an external one */
	le32 s_last_orphan;		/* head of the orphan list; the chain goes on in i_dtime */
	le32 s_hash_seed[4];		/* of directory hashes */
	uint8_t s_def_hash_version;	/* EXT4_HASH_*, of new hash trees */
	uint8_t s_jnl_backup_type;	/* 1: s_jnl_blocks is valid */
	le16 s_desc_size;		/* bytes of a group descriptor with 64bit; 0 means 32 */
	le32 s_default_mount_opts;	/* EXT4_DEFM_* */
	le32 s_first_meta_bg;		/* first meta group laid out as such (meta_bg) */
	le32 s_mkfs_time;
	le32 s_jnl_blocks[17];		/* the journal's i_block, size high, size low */

	/* With 64bit. */
	le32 s_blocks_count_hi;
	le32 s_r_blocks_count_hi;
	le32 s_free_blocks_count_hi;

	le16 s_min_extra_isize;		/* each inode has at least these extra bytes */
	le16 s_want_extra_isize;	/* a new inode gets as many */
	le32 s_flags;			/* EXT4_FLAGS_* */
	le16 s_raid_stride;		/* blocks on a disk before the next one's turn */
	le16 s_mmp_interval;		/* seconds between MMP updates */
	le64 s_mmp_block;		/* where the MMP block lies */
	le32 s_raid_stripe_width;	/* blocks of a whole stripe */
	uint8_t s_log_groups_per_flex;	/* a flex group is 2^this groups */
	uint8_t s_checksum_type;	/* EXT4_CHECKSUM_CRC32C */
	uint8_t s_encryption_level;
	uint8_t s_reserved_pad;
	le64 s_kbytes_written;		/* KiB written in its life */
	le32 s_snapshot_inum;		/* snapshots are not in Linux */
	le32 s_snapshot_id;
	le64 s_snapshot_r_blocks_count;
	le32 s_snapshot_list;

	/* What damage was met; all zero if none since the last fsck. */
	le32 s_error_count;
	le32 s_first_error_time;
	le32 s_first_error_ino;
	le64 s_first_error_block;
	char s_first_error_func[32];	/* not terminated when full */
	le32 s_first_error_line;
	le32 s_last_error_time;
	le32 s_last_error_ino;
	le32 s_last_error_line;
	le64 s_last_error_block;
	char s_last_error_func[32];

	char s_mount_opts[64];		/* terminated; options a mount begins with */
	le32 s_usr_quota_inum;		/* with quota */
	le32 s_grp_quota_inum;
	le32 s_overhead_clusters;	/* taken by the layout; 0: to be computed */
	le32 s_backup_bgs[2];		/* the groups with copies (sparse_super2) */
	uint8_t s_encrypt_algos[4];
	uint8_t s_encrypt_pw_salt[16];
	le32 s_lpf_ino;			/* lost+found; unused */
	le32 s_prj_quota_inum;		/* with project */
	le32 s_checksum_seed;		/* with metadata_csum_seed; else crc32c of s_uuid */
	uint8_t s_wtime_hi;		/* bits 32 to 39 of the times above */
	uint8_t s_mtime_hi;
	uint8_t s_mkfs_time_hi;
	uint8_t s_lastcheck_hi;
	uint8_t s_first_error_time_hi;
	uint8_t s_last_error_time_hi;
	uint8_t s_first_error_errcode;	/* EXT4_ERR_* */
	uint8_t s_last_error_errcode;
	le16 s_encoding;		/* of names, with casefold: EXT4_ENC_UTF8_12_1 */
	le16 s_encoding_flags;
	le32 s_orphan_file_inum;	/* with orphan_file */
	le32 s_reserved[94];
	le32 s_checksum;		/* of all bytes before it (metadata_csum) */
};
DISK_SIZE(struct ext4_super_block, 1024);
DISK_OFFSET(struct ext4_super_block, s_inodes_count, 0x000);
DISK_OFFSET(struct ext4_super_block, s_blocks_count_lo, 0x004);
DISK_OFFSET(struct ext4_super_block, s_r_blocks_count_lo, 0x008);
DISK_OFFSET(struct ext4_super_block, s_free_blocks_count_lo, 0x00C);
DISK_OFFSET(struct ext4_super_block, s_free_inodes_count, 0x010);
DISK_OFFSET(struct ext4_super_block, s_first_data_block, 0x014);
DISK_OFFSET(struct ext4_super_block, s_log_block_size, 0x018);
DISK_OFFSET(struct ext4_super_block, s_log_cluster_size, 0x01C);
DISK_OFFSET(struct ext4_super_block, s_blocks_per_group, 0x020);
DISK_OFFSET(struct ext4_super_block, s_clusters_per_group, 0x024);
DISK_OFFSET(struct ext4_super_block, s_inodes_per_group, 0x028);
DISK_OFFSET(struct ext4_super_block, s_mtime, 0x02C);
DISK_OFFSET(struct ext4_super_block, s_wtime, 0x030);
DISK_OFFSET(struct ext4_super_block, s_mnt_count, 0x034);
DISK_OFFSET(struct ext4_super_block, s_max_mnt_count, 0x036);
DISK_OFFSET(struct ext4_super_block, s_magic, 0x038);
DISK_OFFSET(struct ext4_super_block, s_state, 0x03A);
DISK_OFFSET(struct ext4_super_block, s_errors, 0x03C);
DISK_OFFSET(struct ext4_super_block, s_minor_rev_level, 0x03E);
DISK_OFFSET(struct ext4_super_block, s_lastcheck, 0x040);
DISK_OFFSET(struct ext4_super_block, s_checkinterval, 0x044);
DISK_OFFSET(struct ext4_super_block, s_creator_os, 0x048);
DISK_OFFSET(struct ext4_super_block, s_rev_level, 0x04C);
DISK_OFFSET(struct ext4_super_block, s_def_resuid, 0x050);
DISK_OFFSET(struct ext4_super_block, s_def_resgid, 0x052);
DISK_OFFSET(struct ext4_super_block, s_first_ino, 0x054);
DISK_OFFSET(struct ext4_super_block, s_inode_size, 0x058);
DISK_OFFSET(struct ext4_super_block, s_block_group_nr, 0x05A);
DISK_OFFSET(struct ext4_super_block, s_feature_compat, 0x05C);
DISK_OFFSET(struct ext4_super_block, s_feature_incompat, 0x060);
DISK_OFFSET(struct ext4_super_block, s_feature_ro_compat, 0x064);
DISK_OFFSET(struct ext4_super_block, s_uuid, 0x068);
DISK_OFFSET(struct ext4_super_block, s_volume_name, 0x078);
DISK_OFFSET(struct ext4_super_block, s_last_mounted, 0x088);
DISK_OFFSET(struct ext4_super_block, s_algorithm_usage_bitmap, 0x0C8);
DISK_OFFSET(struct ext4_super_block, s_prealloc_blocks, 0x0CC);
DISK_OFFSET(struct ext4_super_block, s_prealloc_dir_blocks, 0x0CD);
DISK_OFFSET(struct ext4_super_block, s_reserved_gdt_blocks, 0x0CE);
DISK_OFFSET(struct ext4_super_block, s_journal_uuid, 0x0D0);
DISK_OFFSET(struct ext4_super_block, s_journal_inum, 0x0E0);
DISK_OFFSET(struct ext4_super_block, s_journal_dev, 0x0E4);
DISK_OFFSET(struct ext4_super_block, s_last_orphan, 0x0E8);
DISK_OFFSET(struct ext4_super_block, s_hash_seed, 0x0EC);
DISK_OFFSET(struct ext4_super_block, s_def_hash_version, 0x0FC);
DISK_OFFSET(struct ext4_super_block, s_jnl_backup_type, 0x0FD);
DISK_OFFSET(struct ext4_super_block, s_desc_size, 0x0FE);
DISK_OFFSET(struct ext4_super_block, s_default_mount_opts, 0x100);
DISK_OFFSET(struct ext4_super_block, s_first_meta_bg, 0x104);
DISK_OFFSET(struct ext4_super_block, s_mkfs_time, 0x108);
DISK_OFFSET(struct ext4_super_block, s_jnl_blocks, 0x10C);
DISK_OFFSET(struct ext4_super_block, s_blocks_count_hi, 0x150);
DISK_OFFSET(struct ext4_super_block, s_r_blocks_count_hi, 0x154);
DISK_OFFSET(struct ext4_super_block, s_free_blocks_count_hi, 0x158);
DISK_OFFSET(struct ext4_super_block, s_min_extra_isize, 0x15C);
DISK_OFFSET(struct ext4_super_block, s_want_extra_isize, 0x15E);
DISK_OFFSET(struct ext4_super_block, s_flags, 0x160);
DISK_OFFSET(struct ext4_super_block, s_raid_stride, 0x164);
DISK_OFFSET(struct ext4_super_block, s_mmp_interval, 0x166);
DISK_OFFSET(struct ext4_super_block, s_mmp_block, 0x168);
DISK_OFFSET(struct ext4_super_block, s_raid_stripe_width, 0x170);
DISK_OFFSET(struct ext4_super_block, s_log_groups_per_flex, 0x174);
DISK_OFFSET(struct ext4_super_block, s_checksum_type, 0x175);
DISK_OFFSET(struct ext4_super_block, s_encryption_level, 0x176);
DISK_OFFSET(struct ext4_super_block, s_reserved_pad, 0x177);
DISK_OFFSET(struct ext4_super_block, s_kbytes_written, 0x178);
DISK_OFFSET(struct ext4_super_block, s_snapshot_inum, 0x180);
DISK_OFFSET(struct ext4_super_block, s_snapshot_id, 0x184);
DISK_OFFSET(struct ext4_super_block, s_snapshot_r_blocks_count, 0x188);
DISK_OFFSET(struct ext4_super_block, s_snapshot_list, 0x190);
DISK_OFFSET(struct ext4_super_block, s_error_count, 0x194);
DISK_OFFSET(struct ext4_super_block, s_first_error_time, 0x198);
DISK_OFFSET(struct ext4_super_block, s_first_error_ino, 0x19C);
DISK_OFFSET(struct ext4_super_block, s_first_error_block, 0x1A0);
DISK_OFFSET(struct ext4_super_block, s_first_error_func, 0x1A8);
DISK_OFFSET(struct ext4_super_block, s_first_error_line, 0x1C8);
DISK_OFFSET(struct ext4_super_block, s_last_error_time, 0x1CC);
DISK_OFFSET(struct ext4_super_block, s_last_error_ino, 0x1D0);
DISK_OFFSET(struct ext4_super_block, s_last_error_line, 0x1D4);
DISK_OFFSET(struct ext4_super_block, s_last_error_block, 0x1D8);
DISK_OFFSET(struct ext4_super_block, s_last_error_func, 0x1E0);
DISK_OFFSET(struct ext4_super_block, s_mount_opts, 0x200);
DISK_OFFSET(struct ext4_super_block, s_usr_quota_inum, 0x240);
DISK_OFFSET(struct ext4_super_block, s_grp_quota_inum, 0x244);
DISK_OFFSET(struct ext4_super_block, s_overhead_clusters, 0x248);
DISK_OFFSET(struct ext4_super_block, s_backup_bgs, 0x24C);
DISK_OFFSET(struct ext4_super_block, s_encrypt_algos, 0x254);
DISK_OFFSET(struct ext4_super_block, s_encrypt_pw_salt, 0x258);
DISK_OFFSET(struct ext4_super_block, s_lpf_ino, 0x268);
DISK_OFFSET(struct ext4_super_block, s_prj_quota_inum, 0x26C);
DISK_OFFSET(struct ext4_super_block, s_checksum_seed, 0x270);
DISK_OFFSET(struct ext4_super_block, s_wtime_hi, 0x274);
DISK_OFFSET(struct ext4_super_block, s_mtime_hi, 0x275);
DISK_OFFSET(struct ext4_super_block, s_mkfs_time_hi, 0x276);
DISK_OFFSET(struct ext4_super_block, s_lastcheck_hi, 0x277);
DISK_OFFSET(struct ext4_super_block, s_first_error_time_hi, 0x278);
DISK_OFFSET(struct ext4_super_block, s_last_error_time_hi, 0x279);
DISK_OFFSET(struct ext4_super_block, s_first_error_errcode, 0x27A);
DISK_OFFSET(struct ext4_super_block, s_last_error_errcode, 0x27B);
DISK_OFFSET(struct ext4_super_block, s_encoding, 0x27C);
DISK_OFFSET(struct ext4_super_block, s_encoding_flags, 0x27E);
DISK_OFFSET(struct ext4_super_block, s_orphan_file_inum, 0x280);
DISK_OFFSET(struct ext4_super_block, s_reserved, 0x284);
DISK_OFFSET(struct ext4_super_block, s_checksum, 0x3FC);

/* s_state */
#define EXT4_VALID_FS		0x0001u	/* unmounted cleanly, or protected by its journal */
#define EXT4_ERROR_FS		0x0002u	/* damage was met */
#define EXT4_ORPHAN_FS		0x0004u	/* orphans are being recovered */

/* s_errors */
#define EXT4_ERRORS_CONTINUE	1u
#define EXT4_ERRORS_RO		2u	/* remount read-only */
#define EXT4_ERRORS_PANIC	3u

/* s_creator_os: who defines i_osd1 and i_osd2 */
#define EXT4_OS_LINUX		0u
#define EXT4_OS_HURD		1u
#define EXT4_OS_MASIX		2u
#define EXT4_OS_FREEBSD		3u
#define EXT4_OS_LITES		4u

/* s_rev_level */
#define EXT4_GOOD_OLD_REV	0u
#define EXT4_DYNAMIC_REV	1u
#define EXT4_GOOD_OLD_FIRST_INO	11u
#define EXT4_GOOD_OLD_INODE_SIZE 128u

/* s_default_mount_opts */
#define EXT4_DEFM_DEBUG		0x0001u	/* debug */
#define EXT4_DEFM_BSDGROUPS	0x0002u	/* grpid: a new file takes the directory's group */
#define EXT4_DEFM_XATTR_USER	0x0004u	/* user_xattr */
#define EXT4_DEFM_ACL		0x0008u	/* acl */
#define EXT4_DEFM_UID16		0x0010u	/* nouid32 */
#define EXT4_DEFM_JMODE		0x0060u	/* data=: the three values below, 0: unsaid */
#define EXT4_DEFM_JMODE_DATA	0x0020u
#define EXT4_DEFM_JMODE_ORDERED	0x0040u
#define EXT4_DEFM_JMODE_WBACK	0x0060u
#define EXT4_DEFM_NOBARRIER	0x0100u	/* nobarrier */
#define EXT4_DEFM_BLOCK_VALIDITY 0x0200u /* block_validity */
#define EXT4_DEFM_DISCARD	0x0400u	/* discard */
#define EXT4_DEFM_NODELALLOC	0x0800u	/* nodelalloc */

/* s_flags */
#define EXT4_FLAGS_SIGNED_HASH	 0x0001u /* names are hashed as signed chars */
#define EXT4_FLAGS_UNSIGNED_HASH 0x0002u /* as unsigned ones */
#define EXT4_FLAGS_TEST_FILESYS	 0x0004u /* to test development code */

#define EXT4_CHECKSUM_CRC32C	1u	/* s_checksum_type; no other is defined */
#define EXT4_ENC_UTF8_12_1	1u	/* s_encoding */
#define EXT4_ENC_STRICT_FL	1u	/* s_encoding_flags: refuse names that are not valid */

/* s_first_error_errcode, s_last_error_errcode: Linux's errno, folded into a byte of its own */
#define EXT4_ERR_UNKNOWN	1u
#define EXT4_ERR_EIO		2u
#define EXT4_ERR_ENOMEM		3u
#define EXT4_ERR_EFSBADCRC	4u
#define EXT4_ERR_EFSCORRUPTED	5u
#define EXT4_ERR_ENOSPC		6u
#define EXT4_ERR_ENOKEY		7u
#define EXT4_ERR_EROFS		8u
#define EXT4_ERR_EFBIG		9u
#define EXT4_ERR_EEXIST		10u
#define EXT4_ERR_ERANGE		11u
#define EXT4_ERR_EOVERFLOW	12u
#define EXT4_ERR_EBUSY		13u
#define EXT4_ERR_ENOTDIR	14u
#define EXT4_ERR_ENOTEMPTY	15u
#define EXT4_ERR_ESHUTDOWN	16u
#define EXT4_ERR_EFAULT		17u

/* Compatible features: an implementation that does not know one may write all the same. */
#define EXT4_FEATURE_COMPAT_DIR_PREALLOC	0x0001u	/* unused */
#define EXT4_FEATURE_COMPAT_IMAGIC_INODES	0x0002u	/* unused */
#define EXT4_FEATURE_COMPAT_HAS_JOURNAL		0x0004u
#define EXT4_FEATURE_COMPAT_EXT_ATTR		0x0008u	/* attribute blocks may be there */
#define EXT4_FEATURE_COMPAT_RESIZE_INODE	0x0010u	/* inode 7 keeps descriptor blocks */
#define EXT4_FEATURE_COMPAT_DIR_INDEX		0x0020u	/* directories may have hash trees */
#define EXT4_FEATURE_COMPAT_LAZY_BG		0x0040u	/* unused */
#define EXT4_FEATURE_COMPAT_EXCLUDE_INODE	0x0080u	/* unused */
#define EXT4_FEATURE_COMPAT_EXCLUDE_BITMAP	0x0100u	/* unused */
#define EXT4_FEATURE_COMPAT_SPARSE_SUPER2	0x0200u	/* copies only in the two s_backup_bgs */
#define EXT4_FEATURE_COMPAT_FAST_COMMIT		0x0400u	/* the journal may hold fast commits */
#define EXT4_FEATURE_COMPAT_STABLE_INODES	0x0800u	/* inode numbers never change */
#define EXT4_FEATURE_COMPAT_ORPHAN_FILE		0x1000u	/* s_orphan_file_inum is valid */

/* Incompatible features: who does not know one must not even read. */
#define EXT4_FEATURE_INCOMPAT_COMPRESSION	0x00001u	/* unused */
#define EXT4_FEATURE_INCOMPAT_FILETYPE		0x00002u	/* entries tell the type */
#define EXT4_FEATURE_INCOMPAT_RECOVER		0x00004u	/* the journal must be replayed */
#define EXT4_FEATURE_INCOMPAT_JOURNAL_DEV	0x00008u	/* the device is a journal */
#define EXT4_FEATURE_INCOMPAT_META_BG		0x00010u	/* spread descriptor blocks */
#define EXT4_FEATURE_INCOMPAT_EXTENTS		0x00040u
#define EXT4_FEATURE_INCOMPAT_64BIT		0x00080u	/* blocks beyond 2^32 */
#define EXT4_FEATURE_INCOMPAT_MMP		0x00100u	/* multiple mount protection */
#define EXT4_FEATURE_INCOMPAT_FLEX_BG		0x00200u	/* bitmaps, tables in any group */
#define EXT4_FEATURE_INCOMPAT_EA_INODE		0x00400u	/* attribute values in inodes */
#define EXT4_FEATURE_INCOMPAT_DIRDATA		0x01000u	/* unused */
#define EXT4_FEATURE_INCOMPAT_CSUM_SEED		0x02000u	/* s_checksum_seed is valid */
#define EXT4_FEATURE_INCOMPAT_LARGEDIR		0x04000u	/* directories of 3 levels, 2 GiB */
#define EXT4_FEATURE_INCOMPAT_INLINE_DATA	0x08000u	/* small files in the inode */
#define EXT4_FEATURE_INCOMPAT_ENCRYPT		0x10000u
#define EXT4_FEATURE_INCOMPAT_CASEFOLD		0x20000u	/* names without case */

/* Read-only compatible features: who does not know one may read, not write. */
#define EXT4_FEATURE_RO_COMPAT_SPARSE_SUPER	0x00001u	/* copies in 0, 1, 3^n, 5^n, 7^n */
#define EXT4_FEATURE_RO_COMPAT_LARGE_FILE	0x00002u	/* files above 2 GiB */
#define EXT4_FEATURE_RO_COMPAT_BTREE_DIR	0x00004u	/* unused */
#define EXT4_FEATURE_RO_COMPAT_HUGE_FILE	0x00008u	/* i_blocks of 48 bits */
#define EXT4_FEATURE_RO_COMPAT_GDT_CSUM		0x00010u	/* uninit_bg: crc16 of groups */
#define EXT4_FEATURE_RO_COMPAT_DIR_NLINK	0x00020u	/* links 1: too many to count */
#define EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE	0x00040u	/* s_min_extra_isize holds */
#define EXT4_FEATURE_RO_COMPAT_HAS_SNAPSHOT	0x00080u	/* unused */
#define EXT4_FEATURE_RO_COMPAT_QUOTA		0x00100u
#define EXT4_FEATURE_RO_COMPAT_BIGALLOC		0x00200u	/* bitmaps count clusters */
#define EXT4_FEATURE_RO_COMPAT_METADATA_CSUM	0x00400u	/* crc32c on all metadata */
#define EXT4_FEATURE_RO_COMPAT_REPLICA		0x00800u	/* unused */
#define EXT4_FEATURE_RO_COMPAT_READONLY		0x01000u	/* not to be written */
#define EXT4_FEATURE_RO_COMPAT_PROJECT		0x02000u	/* project quota */
#define EXT4_FEATURE_RO_COMPAT_SHARED_BLOCKS	0x04000u	/* files share blocks */
#define EXT4_FEATURE_RO_COMPAT_VERITY		0x08000u
#define EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT	0x10000u	/* orphan file not empty */

/* ---- group descriptor: an array in the blocks after the superblock's, or per meta group */

#define EXT4_MIN_DESC_SIZE	32u	/* ends with bg_checksum */
#define EXT4_MIN_DESC_SIZE_64BIT 64u
#define EXT4_MAX_DESC_SIZE	1024u

struct ext4_group_desc { /* the first 32 bytes only without 64bit */
	le32 bg_block_bitmap_lo;	/* block of the block bitmap */
	le32 bg_inode_bitmap_lo;	/* block of the inode bitmap */
	le32 bg_inode_table_lo;		/* first block of the inode table */
	le16 bg_free_blocks_count_lo;	/* in clusters, with bigalloc */
	le16 bg_free_inodes_count_lo;
	le16 bg_used_dirs_count_lo;	/* directories among its inodes */
	le16 bg_flags;			/* EXT4_BG_* */
	le32 bg_exclude_bitmap_lo;	/* snapshots; unused */
	le16 bg_block_bitmap_csum_lo;	/* with metadata_csum */
	le16 bg_inode_bitmap_csum_lo;
	le16 bg_itable_unused_lo;	/* inodes at the table's end that were never used */
	le16 bg_checksum;		/* crc16, or the low half of crc32c */
	le32 bg_block_bitmap_hi;
	le32 bg_inode_bitmap_hi;
	le32 bg_inode_table_hi;
	le16 bg_free_blocks_count_hi;
	le16 bg_free_inodes_count_hi;
	le16 bg_used_dirs_count_hi;
	le16 bg_itable_unused_hi;
	le32 bg_exclude_bitmap_hi;
	le16 bg_block_bitmap_csum_hi;
	le16 bg_inode_bitmap_csum_hi;
	le32 bg_reserved;
};
DISK_SIZE(struct ext4_group_desc, 64);
DISK_OFFSET(struct ext4_group_desc, bg_block_bitmap_lo, 0x00);
DISK_OFFSET(struct ext4_group_desc, bg_inode_bitmap_lo, 0x04);
DISK_OFFSET(struct ext4_group_desc, bg_inode_table_lo, 0x08);
DISK_OFFSET(struct ext4_group_desc, bg_free_blocks_count_lo, 0x0C);
DISK_OFFSET(struct ext4_group_desc, bg_free_inodes_count_lo, 0x0E);
DISK_OFFSET(struct ext4_group_desc, bg_used_dirs_count_lo, 0x10);
DISK_OFFSET(struct ext4_group_desc, bg_flags, 0x12);
DISK_OFFSET(struct ext4_group_desc, bg_exclude_bitmap_lo, 0x14);
DISK_OFFSET(struct ext4_group_desc, bg_block_bitmap_csum_lo, 0x18);
DISK_OFFSET(struct ext4_group_desc, bg_inode_bitmap_csum_lo, 0x1A);
DISK_OFFSET(struct ext4_group_desc, bg_itable_unused_lo, 0x1C);
DISK_OFFSET(struct ext4_group_desc, bg_checksum, 0x1E);
DISK_OFFSET(struct ext4_group_desc, bg_block_bitmap_hi, 0x20);
DISK_OFFSET(struct ext4_group_desc, bg_inode_bitmap_hi, 0x24);
DISK_OFFSET(struct ext4_group_desc, bg_inode_table_hi, 0x28);
DISK_OFFSET(struct ext4_group_desc, bg_free_blocks_count_hi, 0x2C);
DISK_OFFSET(struct ext4_group_desc, bg_free_inodes_count_hi, 0x2E);
DISK_OFFSET(struct ext4_group_desc, bg_used_dirs_count_hi, 0x30);
DISK_OFFSET(struct ext4_group_desc, bg_itable_unused_hi, 0x32);
DISK_OFFSET(struct ext4_group_desc, bg_exclude_bitmap_hi, 0x34);
DISK_OFFSET(struct ext4_group_desc, bg_block_bitmap_csum_hi, 0x38);
DISK_OFFSET(struct ext4_group_desc, bg_inode_bitmap_csum_hi, 0x3A);
DISK_OFFSET(struct ext4_group_desc, bg_reserved, 0x3C);

/* bg_flags; valid with a checksum of descriptors (uninit_bg or metadata_csum) */
#define EXT4_BG_INODE_UNINIT	0x0001u	/* no inode in use, bitmap not written */
#define EXT4_BG_BLOCK_UNINIT	0x0002u	/* only the layout's own blocks in use, no bitmap */
#define EXT4_BG_INODE_ZEROED	0x0004u	/* the table is zeroed behind what is used */

#endif
