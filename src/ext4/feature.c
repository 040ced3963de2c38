/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of features, and what follows from it. A bit that is not in the table falls under the
 * rule of its set: compatible ones do not matter, incompatible ones refuse, read-only ones forbid
 * writing.
 */
#include "ext4/feature.h"
#include <stdio.h>
#include <string.h>
#include "base/compiler.h"

#define C(bit, support, name) \
	{ \
		EXT4_COMPAT, EXT4_FEATURE_COMPAT_##bit, EXT4_FEATURE_##support, name \
	}
#define I(bit, support, name) \
	{ \
		EXT4_INCOMPAT, EXT4_FEATURE_INCOMPAT_##bit, EXT4_FEATURE_##support, name \
	}
#define R(bit, support, name) \
	{ \
		EXT4_RO_COMPAT, EXT4_FEATURE_RO_COMPAT_##bit, EXT4_FEATURE_##support, name \
	}

static const struct ext4_feature features[] = {
	C(DIR_PREALLOC, WRITE, "dir_prealloc"),
	C(IMAGIC_INODES, WRITE, "imagic_inodes"),
	C(HAS_JOURNAL, WRITE, "has_journal"),
	C(EXT_ATTR, WRITE, "ext_attr"),
	C(RESIZE_INODE, WRITE, "resize_inode"),
	C(DIR_INDEX, WRITE, "dir_index"),
	C(LAZY_BG, WRITE, "lazy_bg"),
	C(EXCLUDE_BITMAP, WRITE, "snapshot_bitmap"),
	C(SPARSE_SUPER2, WRITE, "sparse_super2"),
	C(FAST_COMMIT, WRITE, "fast_commit"),
	C(STABLE_INODES, WRITE, "stable_inodes"),
	C(ORPHAN_FILE, WRITE, "orphan_file"),

	I(COMPRESSION, REFUSE, "compression"),
	I(FILETYPE, WRITE, "filetype"),
	I(RECOVER, WRITE, "needs_recovery"),
	I(JOURNAL_DEV, REFUSE, "journal_dev"),
	I(META_BG, WRITE, "meta_bg"),
	I(EXTENTS, WRITE, "extent"),
	I(64BIT, WRITE, "64bit"),
	I(MMP, REFUSE, "mmp"),
	I(FLEX_BG, WRITE, "flex_bg"),
	I(EA_INODE, REFUSE, "ea_inode"),
	I(DIRDATA, REFUSE, "dirdata"),
	I(CSUM_SEED, WRITE, "metadata_csum_seed"),
	I(LARGEDIR, WRITE, "large_dir"),
	I(INLINE_DATA, REFUSE, "inline_data"),
	I(ENCRYPT, REFUSE, "encrypt"),
	I(CASEFOLD, REFUSE, "casefold"),

	R(SPARSE_SUPER, WRITE, "sparse_super"),
	R(LARGE_FILE, WRITE, "large_file"),
	R(HUGE_FILE, WRITE, "huge_file"),
	R(GDT_CSUM, WRITE, "uninit_bg"),
	R(DIR_NLINK, WRITE, "dir_nlink"),
	R(EXTRA_ISIZE, WRITE, "extra_isize"),
	R(QUOTA, READ, "quota"),
	R(BIGALLOC, READ, "bigalloc"),
	R(METADATA_CSUM, WRITE, "metadata_csum"),
	R(REPLICA, READ, "replica"),
	R(READONLY, READ, "read-only"),
	R(PROJECT, READ, "project"),
	R(SHARED_BLOCKS, READ, "shared_blocks"),
	R(VERITY, READ, "verity"),
	R(ORPHAN_PRESENT, WRITE, "orphan_present"),
};

uint32_t ext4_feature_bits(const struct ext4_super_block *sb, enum ext4_feature_set set)
{
	if (le32_get(sb->s_rev_level) == EXT4_GOOD_OLD_REV)
		return 0;
	switch (set) {
	case EXT4_COMPAT:
		return le32_get(sb->s_feature_compat);
	case EXT4_INCOMPAT:
		return le32_get(sb->s_feature_incompat);
	default:
		return le32_get(sb->s_feature_ro_compat);
	}
}

const struct ext4_feature *ext4_feature_find(enum ext4_feature_set set, uint32_t bit)
{
	for (size_t i = 0; i < array_size(features); i++)
		if (features[i].set == set && features[i].bit == bit)
			return &features[i];
	return NULL;
}

const struct ext4_feature *ext4_feature_by_name(const char *name)
{
	for (size_t i = 0; i < array_size(features); i++)
		if (!strcmp(features[i].name, name))
			return &features[i];
	return NULL;
}

enum ext4_feature_support ext4_feature_bit_support(enum ext4_feature_set set, uint32_t bit)
{
	const struct ext4_feature *f = ext4_feature_find(set, bit);

	if (f)
		return f->support;
	switch (set) {
	case EXT4_COMPAT:
		return EXT4_FEATURE_WRITE;
	case EXT4_INCOMPAT:
		return EXT4_FEATURE_REFUSE;
	default:
		return EXT4_FEATURE_READ;
	}
}

struct name_list {
	char *buf;
	size_t size, used;
};

static void append_name(struct name_list *l, enum ext4_feature_set set, unsigned bit_index)
{
	const struct ext4_feature *f = ext4_feature_find(set, 1u << bit_index);
	const char *space = l->used ? " " : "";
	int n;

	if (f)
		n = snprintf(l->buf + l->used, l->size - l->used, "%s%s", space, f->name);
	else
		n = snprintf(l->buf + l->used, l->size - l->used, "%sFEATURE_%c%u", space,
			     "CIR"[set], bit_index);
	if (n > 0)
		l->used = min(l->used + (size_t)n, l->size - 1);
}

unsigned ext4_feature_names(const struct ext4_super_block *sb, enum ext4_feature_support least,
			    char *buf, size_t size)
{
	struct name_list l = { .buf = buf, .size = size };
	unsigned count = 0;

	if (size)
		buf[0] = '\0';
	for (enum ext4_feature_set set = EXT4_COMPAT; set <= EXT4_RO_COMPAT; set++) {
		uint32_t bits = ext4_feature_bits(sb, set);

		for (unsigned i = 0; i < 32; i++) {
			if (!(bits & (1u << i)) || ext4_feature_bit_support(set, 1u << i) < least)
				continue;
			count++;
			if (size)
				append_name(&l, set, i);
		}
	}
	return count;
}

enum ext4_feature_support ext4_feature_support(const struct ext4_super_block *sb)
{
	if (ext4_feature_names(sb, EXT4_FEATURE_REFUSE, NULL, 0))
		return EXT4_FEATURE_REFUSE;
	if (ext4_feature_names(sb, EXT4_FEATURE_READ, NULL, 0))
		return EXT4_FEATURE_READ;
	return EXT4_FEATURE_WRITE;
}
