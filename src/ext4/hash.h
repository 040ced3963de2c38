/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Directory hashes: the number under which a name is found in a hash tree (docs/on-disk.md,
 * "Directory hash"). Pure functions.
 */
#ifndef EXTANT_EXT4_HASH_H
#define EXTANT_EXT4_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ext4_dirhash {
	uint32_t hash;			/* major: orders the tree; bit 0 is always 0 */
	uint32_t minor;			/* orders names of one hash, for readdir positions */
};

/* No name has a hash above this: what would lie there is taken for the end of a directory. */
#define EXT4_DIRHASH_MAX 0xfffffffcu

/*
 * Hashes a name. `version` is EXT4_HASH_LEGACY to EXT4_HASH_TEA_UNSIGNED as a tree's root says it
 * (ext4_dirhash_version applied), `seed` the superblock's, all zero: the algorithm's own.
 * 0, or -EINVAL for a version that is not known.
 */
int ext4_dirhash(uint8_t version, const uint32_t seed[4], const char *name, size_t len,
		 struct ext4_dirhash *out);

/* The version that a tree's root means on an image whose s_flags say that names are unsigned. */
uint8_t ext4_dirhash_version(uint8_t version, bool unsigned_hash);

#endif
