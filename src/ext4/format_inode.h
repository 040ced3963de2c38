/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What belongs to one inode: the inode, its map (extents; block maps need no struct), its extended
 * attributes and access lists (docs/on-disk.md, "Inode" to "Access control list"). Included through
 * ext4/format.h.
 */
#ifndef EXTANT_EXT4_FORMAT_INODE_H
#define EXTANT_EXT4_FORMAT_INODE_H

#include "base/endian.h"

/* ---- reserved inode numbers */

#define EXT4_BAD_INO		1u	/* damaged blocks */
#define EXT4_ROOT_INO		2u	/* the root directory */
#define EXT4_USR_QUOTA_INO	3u
#define EXT4_GRP_QUOTA_INO	4u
#define EXT4_BOOT_LOADER_INO	5u
#define EXT4_UNDEL_DIR_INO	6u	/* unused */
#define EXT4_RESIZE_INO		7u	/* reserved descriptor blocks */
#define EXT4_JOURNAL_INO	8u
#define EXT4_EXCLUDE_INO	9u	/* unused */
#define EXT4_REPLICA_INO	10u	/* unused */

/* ---- inode */

#define EXT4_N_BLOCKS		15u	/* i_block: 12 direct, then one each of */
#define EXT4_NDIR_BLOCKS	12u
#define EXT4_IND_BLOCK		12u	/* single, */
#define EXT4_DIND_BLOCK		13u	/* double and */
#define EXT4_TIND_BLOCK		14u	/* triple indirection */
#define EXT4_LINK_MAX		65000u

struct ext4_inode { /* 128 bytes, then as many more as i_extra_isize says */
	le16 i_mode;			/* EXT4_S_IF* and permissions */
	le16 i_uid;
	le32 i_size_lo;			/* bytes */
	le32 i_atime;			/* seconds since 1970, signed */
	le32 i_ctime;
	le32 i_mtime;
	le32 i_dtime;			/* when deleted; of an orphan: the next one's number */
	le16 i_gid;
	le16 i_links_count;		/* of a directory 1 (dir_nlink): too many to count */
	le32 i_blocks_lo;		/* in 512 bytes, or blocks (EXT4_HUGE_FILE_FL) */
	le32 i_flags;			/* EXT4_*_FL */
	le32 l_i_version;		/* low half of the change counter (Linux) */
	le32 i_block[15];		/* extent tree, block map, device or symlink target */
	le32 i_generation;		/* tells uses of a number apart */
	le32 i_file_acl_lo;		/* attribute block */
	le32 i_size_high;		/* of files and, with large_dir, directories */
	le32 i_obso_faddr;
	le16 l_i_blocks_high;		/* with huge_file */
	le16 l_i_file_acl_high;		/* with 64bit */
	le16 l_i_uid_high;
	le16 l_i_gid_high;
	le16 l_i_checksum_lo;		/* with metadata_csum */
	le16 l_i_reserved;
	le16 i_extra_isize;		/* bytes used from here on, this field included */
	le16 i_checksum_hi;
	le32 i_ctime_extra;		/* nanoseconds << 2 | bits 32 and 33 of the seconds */
	le32 i_mtime_extra;
	le32 i_atime_extra;
	le32 i_crtime;			/* when created */
	le32 i_crtime_extra;
	le32 i_version_hi;		/* high half of the change counter */
	le32 i_projid;			/* with project */
};
DISK_SIZE(struct ext4_inode, 160);
DISK_OFFSET(struct ext4_inode, i_mode, 0x00);
DISK_OFFSET(struct ext4_inode, i_uid, 0x02);
DISK_OFFSET(struct ext4_inode, i_size_lo, 0x04);
DISK_OFFSET(struct ext4_inode, i_atime, 0x08);
DISK_OFFSET(struct ext4_inode, i_ctime, 0x0C);
DISK_OFFSET(struct ext4_inode, i_mtime, 0x10);
DISK_OFFSET(struct ext4_inode, i_dtime, 0x14);
DISK_OFFSET(struct ext4_inode, i_gid, 0x18);
DISK_OFFSET(struct ext4_inode, i_links_count, 0x1A);
DISK_OFFSET(struct ext4_inode, i_blocks_lo, 0x1C);
DISK_OFFSET(struct ext4_inode, i_flags, 0x20);
DISK_OFFSET(struct ext4_inode, l_i_version, 0x24);
DISK_OFFSET(struct ext4_inode, i_block, 0x28);
DISK_OFFSET(struct ext4_inode, i_generation, 0x64);
DISK_OFFSET(struct ext4_inode, i_file_acl_lo, 0x68);
DISK_OFFSET(struct ext4_inode, i_size_high, 0x6C);
DISK_OFFSET(struct ext4_inode, i_obso_faddr, 0x70);
DISK_OFFSET(struct ext4_inode, l_i_blocks_high, 0x74);
DISK_OFFSET(struct ext4_inode, l_i_file_acl_high, 0x76);
DISK_OFFSET(struct ext4_inode, l_i_uid_high, 0x78);
DISK_OFFSET(struct ext4_inode, l_i_gid_high, 0x7A);
DISK_OFFSET(struct ext4_inode, l_i_checksum_lo, 0x7C);
DISK_OFFSET(struct ext4_inode, l_i_reserved, 0x7E);
DISK_OFFSET(struct ext4_inode, i_extra_isize, 0x80);
DISK_OFFSET(struct ext4_inode, i_checksum_hi, 0x82);
DISK_OFFSET(struct ext4_inode, i_ctime_extra, 0x84);
DISK_OFFSET(struct ext4_inode, i_mtime_extra, 0x88);
DISK_OFFSET(struct ext4_inode, i_atime_extra, 0x8C);
DISK_OFFSET(struct ext4_inode, i_crtime, 0x90);
DISK_OFFSET(struct ext4_inode, i_crtime_extra, 0x94);
DISK_OFFSET(struct ext4_inode, i_version_hi, 0x98);
DISK_OFFSET(struct ext4_inode, i_projid, 0x9C);

/* i_mode */
#define EXT4_S_IFMT	0xF000u	/* the type: one of */
#define EXT4_S_IFIFO	0x1000u
#define EXT4_S_IFCHR	0x2000u
#define EXT4_S_IFDIR	0x4000u
#define EXT4_S_IFBLK	0x6000u
#define EXT4_S_IFREG	0x8000u
#define EXT4_S_IFLNK	0xA000u
#define EXT4_S_IFSOCK	0xC000u

/* i_flags */
#define EXT4_SECRM_FL		0x00000001u	/* kept, without effect */
#define EXT4_UNRM_FL		0x00000002u	/* kept, without effect */
#define EXT4_COMPR_FL		0x00000004u	/* kept, without effect */
#define EXT4_SYNC_FL		0x00000008u	/* each write is synchronous */
#define EXT4_IMMUTABLE_FL	0x00000010u
#define EXT4_APPEND_FL		0x00000020u	/* only appended to */
#define EXT4_NODUMP_FL		0x00000040u
#define EXT4_NOATIME_FL		0x00000080u
#define EXT4_DIRTY_FL		0x00000100u	/* unused */
#define EXT4_COMPRBLK_FL	0x00000200u	/* unused */
#define EXT4_NOCOMPR_FL		0x00000400u	/* unused */
#define EXT4_ENCRYPT_FL		0x00000800u
#define EXT4_INDEX_FL		0x00001000u	/* directory with a hash tree */
#define EXT4_IMAGIC_FL		0x00002000u	/* unused */
#define EXT4_JOURNAL_DATA_FL	0x00004000u	/* data goes through the journal */
#define EXT4_NOTAIL_FL		0x00008000u	/* unused */
#define EXT4_DIRSYNC_FL		0x00010000u	/* changes of the directory are synchronous */
#define EXT4_TOPDIR_FL		0x00020000u	/* children are spread as below the root */
#define EXT4_HUGE_FILE_FL	0x00040000u	/* i_blocks counts blocks */
#define EXT4_EXTENTS_FL		0x00080000u	/* i_block is an extent tree */
#define EXT4_VERITY_FL		0x00100000u
#define EXT4_EA_INODE_FL	0x00200000u	/* data is an attribute value */
#define EXT4_EOFBLOCKS_FL	0x00400000u	/* blocks past the end; set by kernels before 5.8 */
#define EXT4_SNAPFILE_FL	0x01000000u	/* unused */
#define EXT4_DAX_FL		0x02000000u
#define EXT4_SNAPFILE_DELETED_FL 0x04000000u	/* unused */
#define EXT4_SNAPFILE_SHRUNK_FL	0x08000000u	/* unused */
#define EXT4_INLINE_DATA_FL	0x10000000u
#define EXT4_PROJINHERIT_FL	0x20000000u	/* children get its project */
#define EXT4_CASEFOLD_FL	0x40000000u
#define EXT4_RESERVED_FL	0x80000000u

/* ---- extents: a tree whose root is i_block, further nodes are blocks */

#define EXT4_EXT_MAGIC		0xF30Au
#define EXT4_EXT_MAX_DEPTH	5u	/* enough for 2^32 blocks at every block size */
#define EXT4_EXT_INIT_MAX_LEN	32768u	/* the longest written extent */
#define EXT4_EXT_UNWRITTEN_MAX_LEN 32767u

struct ext4_extent_header { /* begins each node */
	le16 eh_magic;			/* EXT4_EXT_MAGIC */
	le16 eh_entries;		/* in use */
	le16 eh_max;			/* there is room for */
	le16 eh_depth;			/* 0: a leaf */
	le32 eh_generation;		/* unused */
};
DISK_SIZE(struct ext4_extent_header, 12);
DISK_OFFSET(struct ext4_extent_header, eh_magic, 0x0);
DISK_OFFSET(struct ext4_extent_header, eh_entries, 0x2);
DISK_OFFSET(struct ext4_extent_header, eh_max, 0x4);
DISK_OFFSET(struct ext4_extent_header, eh_depth, 0x6);
DISK_OFFSET(struct ext4_extent_header, eh_generation, 0x8);

struct ext4_extent_idx { /* entry of an index node */
	le32 ei_block;			/* first logical block below it */
	le32 ei_leaf_lo;		/* block of the node one level down */
	le16 ei_leaf_hi;
	le16 ei_unused;
};
DISK_SIZE(struct ext4_extent_idx, 12);
DISK_OFFSET(struct ext4_extent_idx, ei_block, 0x0);
DISK_OFFSET(struct ext4_extent_idx, ei_leaf_lo, 0x4);
DISK_OFFSET(struct ext4_extent_idx, ei_leaf_hi, 0x8);
DISK_OFFSET(struct ext4_extent_idx, ei_unused, 0xA);

struct ext4_extent { /* entry of a leaf */
	le32 ee_block;			/* first logical block */
	le16 ee_len;			/* above 32768: unwritten, 32768 less */
	le16 ee_start_hi;
	le32 ee_start_lo;		/* first physical block */
};
DISK_SIZE(struct ext4_extent, 12);
DISK_OFFSET(struct ext4_extent, ee_block, 0x0);
DISK_OFFSET(struct ext4_extent, ee_len, 0x4);
DISK_OFFSET(struct ext4_extent, ee_start_hi, 0x6);
DISK_OFFSET(struct ext4_extent, ee_start_lo, 0x8);

struct ext4_extent_tail { /* with metadata_csum, behind eh_max entries */
	le32 eb_checksum;		/* inode seed, the block before the tail */
};
DISK_SIZE(struct ext4_extent_tail, 4);
DISK_OFFSET(struct ext4_extent_tail, eb_checksum, 0x0);

/* ---- extended attributes: behind the inode's extra bytes, and in one block */

#define EXT4_XATTR_MAGIC	0xEA020000u
#define EXT4_XATTR_REFCOUNT_MAX	1024u	/* inodes that share one block */
#define EXT4_XATTR_PAD		4u	/* entries and values are padded to it */
#define EXT4_XATTR_NAME_MAX	255u

struct ext4_xattr_ibody_header { /* e_value_offs counts from behind it */
	le32 h_magic;
};
DISK_SIZE(struct ext4_xattr_ibody_header, 4);
DISK_OFFSET(struct ext4_xattr_ibody_header, h_magic, 0x0);

struct ext4_xattr_header { /* of a block; e_value_offs counts from its start */
	le32 h_magic;
	le32 h_refcount;		/* inodes that point at the block */
	le32 h_blocks;			/* 1 */
	le32 h_hash;			/* of all entries; 0: not to be shared */
	le32 h_checksum;		/* seed, block number (le64), the block with this field 0 */
	le32 h_reserved[3];
};
DISK_SIZE(struct ext4_xattr_header, 32);
DISK_OFFSET(struct ext4_xattr_header, h_magic, 0x00);
DISK_OFFSET(struct ext4_xattr_header, h_refcount, 0x04);
DISK_OFFSET(struct ext4_xattr_header, h_blocks, 0x08);
DISK_OFFSET(struct ext4_xattr_header, h_hash, 0x0C);
DISK_OFFSET(struct ext4_xattr_header, h_checksum, 0x10);
DISK_OFFSET(struct ext4_xattr_header, h_reserved, 0x14);

struct ext4_xattr_entry { /* name follows; four zero bytes end the list */
	uint8_t e_name_len;
	uint8_t e_name_index;		/* EXT4_XATTR_INDEX_* */
	le16 e_value_offs;
	le32 e_value_inum;		/* with ea_inode: the value's inode */
	le32 e_value_size;		/* bytes */
	le32 e_hash;			/* of name and value; in inodes 0 is allowed */
	char e_name[];			/* without the prefix, not terminated */
};
DISK_SIZE(struct ext4_xattr_entry, 16);
DISK_OFFSET(struct ext4_xattr_entry, e_name_len, 0x0);
DISK_OFFSET(struct ext4_xattr_entry, e_name_index, 0x1);
DISK_OFFSET(struct ext4_xattr_entry, e_value_offs, 0x2);
DISK_OFFSET(struct ext4_xattr_entry, e_value_inum, 0x4);
DISK_OFFSET(struct ext4_xattr_entry, e_value_size, 0x8);
DISK_OFFSET(struct ext4_xattr_entry, e_hash, 0xC);
DISK_OFFSET(struct ext4_xattr_entry, e_name, 0x10);

/* e_name_index: the prefix that is not stored */
#define EXT4_XATTR_INDEX_USER			1u	/* user. */
#define EXT4_XATTR_INDEX_POSIX_ACL_ACCESS	2u	/* system.posix_acl_access */
#define EXT4_XATTR_INDEX_POSIX_ACL_DEFAULT	3u	/* system.posix_acl_default */
#define EXT4_XATTR_INDEX_TRUSTED		4u	/* trusted. */
#define EXT4_XATTR_INDEX_LUSTRE			5u	/* unused */
#define EXT4_XATTR_INDEX_SECURITY		6u	/* security. */
#define EXT4_XATTR_INDEX_SYSTEM			7u	/* system. (inline data) */
#define EXT4_XATTR_INDEX_RICHACL		8u	/* system.richacl */
#define EXT4_XATTR_INDEX_ENCRYPTION		9u	/* encryption context */
#define EXT4_XATTR_INDEX_HURD			10u	/* gnu. */

/* ---- access control list: the value of system.posix_acl_* */

#define EXT4_ACL_VERSION	1u

struct ext4_acl_header {
	le32 a_version;			/* EXT4_ACL_VERSION */
};
DISK_SIZE(struct ext4_acl_header, 4);
DISK_OFFSET(struct ext4_acl_header, a_version, 0x0);

struct ext4_acl_entry { /* of a named user or group */
	le16 e_tag;			/* EXT4_ACL_* */
	le16 e_perm;			/* rwx */
	le32 e_id;			/* uid or gid */
};
DISK_SIZE(struct ext4_acl_entry, 8);
DISK_OFFSET(struct ext4_acl_entry, e_tag, 0x0);
DISK_OFFSET(struct ext4_acl_entry, e_perm, 0x2);
DISK_OFFSET(struct ext4_acl_entry, e_id, 0x4);

struct ext4_acl_entry_short { /* of all other tags */
	le16 e_tag;
	le16 e_perm;
};
DISK_SIZE(struct ext4_acl_entry_short, 4);
DISK_OFFSET(struct ext4_acl_entry_short, e_tag, 0x0);
DISK_OFFSET(struct ext4_acl_entry_short, e_perm, 0x2);

#define EXT4_ACL_USER_OBJ	0x01u	/* the owner */
#define EXT4_ACL_USER		0x02u	/* a named user */
#define EXT4_ACL_GROUP_OBJ	0x04u	/* the owning group */
#define EXT4_ACL_GROUP		0x08u	/* a named group */
#define EXT4_ACL_MASK		0x10u	/* limits all but owner and others */
#define EXT4_ACL_OTHER		0x20u

#endif
