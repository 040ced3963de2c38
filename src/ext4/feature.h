/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Features: their names, and what this version can do with an image that has them. One table serves
 * messages, `info` and the decision whether to mount. Names are spelled as dumpe2fs spells them.
 */
#ifndef EXTANT_EXT4_FEATURE_H
#define EXTANT_EXT4_FEATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "ext4/format.h"

enum ext4_feature_set { EXT4_COMPAT, EXT4_INCOMPAT, EXT4_RO_COMPAT };

enum ext4_feature_support {		/* more is less */
	EXT4_FEATURE_WRITE,		/* fully supported */
	EXT4_FEATURE_READ,		/* the image can be read, not changed */
	EXT4_FEATURE_REFUSE		/* the image cannot be used */
};

struct ext4_feature {
	enum ext4_feature_set set;
	uint32_t bit;
	enum ext4_feature_support support;
	const char *name;
};

static inline bool ext4_has_compat(const struct ext4_super_block *sb, uint32_t bit)
{
	return (le32_get(sb->s_feature_compat) & bit) != 0;
}

static inline bool ext4_has_incompat(const struct ext4_super_block *sb, uint32_t bit)
{
	return (le32_get(sb->s_feature_incompat) & bit) != 0;
}

static inline bool ext4_has_ro_compat(const struct ext4_super_block *sb, uint32_t bit)
{
	return (le32_get(sb->s_feature_ro_compat) & bit) != 0;
}

/* Descriptors have checksums, and groups may be uninitialised. */
static inline bool ext4_has_group_csum(const struct ext4_super_block *sb)
{
	return ext4_has_ro_compat(sb, EXT4_FEATURE_RO_COMPAT_GDT_CSUM |
				      EXT4_FEATURE_RO_COMPAT_METADATA_CSUM);
}

static inline bool ext4_has_metadata_csum(const struct ext4_super_block *sb)
{
	return ext4_has_ro_compat(sb, EXT4_FEATURE_RO_COMPAT_METADATA_CSUM);
}

/* The features of the image, without those of a revision that has none. */
uint32_t ext4_feature_bits(const struct ext4_super_block *sb, enum ext4_feature_set set);

/* NULL: not known. `bit` is a single one. */
const struct ext4_feature *ext4_feature_find(enum ext4_feature_set set, uint32_t bit);
/* NULL: no feature has that name. */
const struct ext4_feature *ext4_feature_by_name(const char *name);
/* What may be done with an image that has this bit, known or not. */
enum ext4_feature_support ext4_feature_bit_support(enum ext4_feature_set set, uint32_t bit);

/*
 * Writes the names of all features that allow no more than `least` (EXT4_FEATURE_WRITE: of all),
 * separated by spaces, compatible ones first; an unknown one is called FEATURE_C13, I5 or R7. Cuts
 * what does not fit. Returns how many there are.
 */
unsigned ext4_feature_names(const struct ext4_super_block *sb, enum ext4_feature_support least,
			    char *buf, size_t size);
/* What may be done with the image: the least that any of its features allows. */
enum ext4_feature_support ext4_feature_support(const struct ext4_super_block *sb);

#endif
