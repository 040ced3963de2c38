/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ext4 on disk: the format and nothing else. Every struct with its size, every field at its
 * offset, every flag with its meaning, under the names the field gives them; docs/on-disk.md holds
 * the same as tables. Little-endian throughout. Read it in these parts:
 *
 *	format_super.h   superblock, features, group descriptor
 *	format_inode.h   inode, extents, extended attributes, access lists
 *	format_dir.h     directories linear and hashed, orphan file, MMP block
 *	format_fc.h      fast commit records
 *
 * Checksums (metadata_csum) are crc32c without a final inversion. The seed of the file system is
 * s_checksum_seed (metadata_csum_seed) or the sum of s_uuid from ~0; the seed of an inode adds its
 * number and its generation (le32 each). ext4/csum.h makes them.
 */
#ifndef EXTANT_EXT4_FORMAT_H
#define EXTANT_EXT4_FORMAT_H

#include "ext4/format_super.h"
#include "ext4/format_inode.h"
#include "ext4/format_dir.h"
#include "ext4/format_fc.h"

#endif
