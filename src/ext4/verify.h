/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verifiers: what stands between the bytes of an image and everything that trusts them. One for
 * each kind of block, pure functions over bytes and the geometry, no state, nothing reported: who
 * calls them knows the image, the inode and the block, and puts the reason behind those.
 *
 * Each yields 0, -EFSCORRUPTED (the structure is not what it must be) or -EFSBADCRC (the checksum
 * is wrong; looked at after the magic number and whatever tells where it lies). With an error `v`,
 * which may be NULL, holds the reason: one line, with numbers, no full stop.
 *
 * A verifier looks at one block. What needs two (parent and child, a map and the bitmap, names and
 * link counts) belongs to whoever walks, or to src/check.
 */
#ifndef EXTANT_EXT4_VERIFY_H
#define EXTANT_EXT4_VERIFY_H

#include "base/compiler.h"
#include "base/errors.h"
#include "ext4/format.h"
#include "ext4/geometry.h"

struct ext4_verdict {
	char reason[160];
};

/* Fill in the reason and yield the code; for verifiers and for walkers with more to say. */
printf_like(2, 3) int ext4_corrupted(struct ext4_verdict *v, const char *fmt, ...);
printf_like(2, 3) int ext4_bad_csum(struct ext4_verdict *v, const char *fmt, ...);

/* ---- superblock and groups (verify_super.c) */

/*
 * The geometry, or why there is none. `device_bytes` 0: size unknown, not held against the image.
 * super_block is the primary one's; who reads a copy puts the copy's there afterwards.
 * -EINVAL: no ext4 (magic number); -EOPNOTSUPP: features that this version refuses, by name.
 */
must_check int ext4_geometry_from_super(const struct ext4_super_block *sb, uint64_t device_bytes,
					struct ext4_geometry *out, struct ext4_verdict *v);

/* `desc` has geo->desc_size bytes: checksum, places (inside the file system, without flex_bg inside
 * the group, apart from each other and from superblocks and descriptors), counts. */
must_check int ext4_verify_descriptor(const struct ext4_geometry *geo, ext4_group_t group,
				      const struct ext4_group_desc *desc, struct ext4_verdict *v);
/*
 * Bitmaps that were read from the image; not of uninitialised groups, whose bitmaps are not
 * written.
 */
must_check int ext4_verify_block_bitmap(const struct ext4_geometry *geo, ext4_group_t group,
					const struct ext4_group_desc *desc, const uint8_t *bitmap,
					struct ext4_verdict *v);
must_check int ext4_verify_inode_bitmap(const struct ext4_geometry *geo, ext4_group_t group,
					const struct ext4_group_desc *desc, const uint8_t *bitmap,
					struct ext4_verdict *v);

/* True when [block, block + count) lies in the file system, behind the primary superblock. */
bool ext4_blocks_inside(const struct ext4_geometry *geo, ext4_fsblk_t block, uint64_t count);

/* ---- inodes and extents (verify_inode.c) */

/*
 * An inode in use: checksum, extra size, type, flags against features, size, map root, attributes
 * in it.
 */
must_check int ext4_verify_inode(const struct ext4_geometry *geo, uint32_t ino,
				 const struct ext4_inode *raw, struct ext4_verdict *v);
/* The tree's root in i_block. */
must_check int ext4_verify_extent_root(const struct ext4_geometry *geo, const le32 i_block[15],
				       struct ext4_verdict *v);
/* A further node; `seed` of the inode. */
must_check int ext4_verify_extent_block(const struct ext4_geometry *geo, uint32_t seed,
					const uint8_t *block, struct ext4_verdict *v);
/*
 * A verified node against the entry that led to it: it lies one level lower, at `depth`, begins
 * with block `first` exactly and does not reach over `last`.
 */
must_check int ext4_verify_extent_place(const uint8_t *node, uint16_t depth, ext4_lblk_t first,
					ext4_lblk_t last, struct ext4_verdict *v);
/* A block of pointers of a block map: each inside the file system, or 0. */
must_check int ext4_verify_indirect_block(const struct ext4_geometry *geo, const uint8_t *block,
					  struct ext4_verdict *v);

/* ---- directories (verify_dir.c); `seed` of the directory's inode */

/* A block of entries: the chain of records, names, inode numbers, the tail. */
must_check int ext4_verify_dir_block(const struct ext4_geometry *geo, uint32_t seed,
				     const uint8_t *block, struct ext4_verdict *v);
/*
 * The first block of a directory, verified as one of entries or as a root: it begins with . and ..
 */
must_check int ext4_verify_dir_dots(const struct ext4_geometry *geo, uint32_t ino,
				    const uint8_t *block, struct ext4_verdict *v);
/* Nodes of a hash tree: limits, counts, order of hashes. */
must_check int ext4_verify_dx_root(const struct ext4_geometry *geo, uint32_t seed,
				   const uint8_t *block, struct ext4_verdict *v);
must_check int ext4_verify_dx_node(const struct ext4_geometry *geo, uint32_t seed,
				   const uint8_t *block, struct ext4_verdict *v);
/*
 * An inner node looks like one unused record that fills the block; no block of entries with a tail
 * does.
 */
bool ext4_looks_like_dx_node(const struct ext4_geometry *geo, const uint8_t *block);
/*
 * It is one. Without metadata_csum an empty block of entries looks alike, but a node has the limit it
 * must have.
 */
bool ext4_is_dx_node(const struct ext4_geometry *geo, const uint8_t *block);

/* ---- attributes and orphans (verify_xattr.c) */

must_check int ext4_verify_xattr_block(const struct ext4_geometry *geo, ext4_fsblk_t pblk,
				       const uint8_t *block, struct ext4_verdict *v);
/* The attributes behind the extra bytes of an inode, if there are any. */
must_check int ext4_verify_xattr_inode(const struct ext4_geometry *geo,
				       const struct ext4_inode *raw, struct ext4_verdict *v);
/* A block of the orphan file; `seed` of that inode. */
must_check int ext4_verify_orphan_block(const struct ext4_geometry *geo, uint32_t seed,
					ext4_fsblk_t pblk, const uint8_t *block,
					struct ext4_verdict *v);

#endif
