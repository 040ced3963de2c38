/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verifiers of inodes and of what maps their blocks: extent nodes and blocks of pointers.
 */
#include "ext4/verify.h"
#include "ext4/csum.h"
#include "ext4/disk.h"
#include "ext4/map.h"

/* ---- extents */

/* What a node may hold is given by its room: the inode's i_block or a block. */
static int check_header(const struct ext4_extent_header *eh, uint32_t room, struct ext4_verdict *v)
{
	uint32_t entries = le16_get(eh->eh_entries), limit = le16_get(eh->eh_max);
	uint32_t depth = le16_get(eh->eh_depth);

	if (le16_get(eh->eh_magic) != EXT4_EXT_MAGIC)
		return ext4_corrupted(v, "extent node: magic number 0x%04x",
				      le16_get(eh->eh_magic));
	if (limit == 0 || limit > room || limit + 2 < room) /* a tool may have left out a few */
		return ext4_corrupted(v, "extent node: %u entries at most, with room for %u", limit,
				      room);
	if (entries > limit)
		return ext4_corrupted(v, "extent node: %u of %u entries", entries, limit);
	if (depth > EXT4_EXT_MAX_DEPTH)
		return ext4_corrupted(v, "extent node: depth %u", depth);
	if (depth > 0 && entries == 0)
		return ext4_corrupted(v, "extent node: no entry at depth %u", depth);
	return 0;
}

static int check_leaf(const struct ext4_geometry *geo, const struct ext4_extent_header *eh,
		      struct ext4_verdict *v)
{
	const struct ext4_extent *e = (const struct ext4_extent *)(eh + 1);
	uint64_t next = 0; /* first logical block that is not covered yet */

	for (unsigned i = 0; i < le16_get(eh->eh_entries); i++, e++) {
		uint64_t lblk = le32_get(e->ee_block), end = lblk + ext4_extent_len(e);

		if (end == lblk)
			return ext4_corrupted(v, "extent %u: no blocks", i);
		if (end - 1 > EXT4_MAX_LBLK)
			return ext4_corrupted(v, "extent %u: ends with logical block %llu", i,
					      (unsigned long long)end - 1);
		if (lblk < next)
			return ext4_corrupted(v, "extent %u: logical block %llu comes after %llu",
					      i, (unsigned long long)lblk,
					      (unsigned long long)next - 1);
		if (!ext4_blocks_inside(geo, ext4_extent_start(e), end - lblk))
			return ext4_corrupted(
				v, "extent %u: blocks %llu to %llu lie outside the file system", i,
				(unsigned long long)ext4_extent_start(e),
				(unsigned long long)(ext4_extent_start(e) + end - lblk - 1));
		next = end;
	}
	return 0;
}

static int check_index(const struct ext4_geometry *geo, const struct ext4_extent_header *eh,
		       struct ext4_verdict *v)
{
	const struct ext4_extent_idx *ix = (const struct ext4_extent_idx *)(eh + 1);

	for (unsigned i = 0; i < le16_get(eh->eh_entries); i++, ix++) {
		if (i > 0 && le32_get(ix->ei_block) <= le32_get(ix[-1].ei_block))
			return ext4_corrupted(v, "extent index %u: logical block %u comes after %u",
					      i, le32_get(ix->ei_block), le32_get(ix[-1].ei_block));
		if (!ext4_blocks_inside(geo, ext4_idx_leaf(ix), 1))
			return ext4_corrupted(
				v, "extent index %u: block %llu lies outside the file system", i,
				(unsigned long long)ext4_idx_leaf(ix));
	}
	return 0;
}

static int check_entries(const struct ext4_geometry *geo, const struct ext4_extent_header *eh,
			 struct ext4_verdict *v)
{
	return le16_get(eh->eh_depth) ? check_index(geo, eh, v) : check_leaf(geo, eh, v);
}

int ext4_verify_extent_root(const struct ext4_geometry *geo, const le32 i_block[15],
			    struct ext4_verdict *v)
{
	const struct ext4_extent_header *eh = (const struct ext4_extent_header *)i_block;
	int err = check_header(eh, EXT4_EXTENTS_IN_INODE, v);

	return err ? err : check_entries(geo, eh, v);
}

int ext4_verify_extent_block(const struct ext4_geometry *geo, uint32_t seed, const uint8_t *block,
			     struct ext4_verdict *v)
{
	const struct ext4_extent_header *eh = (const struct ext4_extent_header *)block;
	int err = check_header(eh, ext4_extents_per_block(geo), v);

	if (err)
		return err;
	if (le16_get(eh->eh_depth) == EXT4_EXT_MAX_DEPTH)
		return ext4_corrupted(v, "extent node: depth %u below the root",
				      EXT4_EXT_MAX_DEPTH);
	if (!ext4_extent_block_csum_ok(geo, seed, block))
		return ext4_bad_csum(v, "extent node: wrong checksum");
	return check_entries(geo, eh, v);
}

int ext4_verify_extent_place(const uint8_t *node, uint16_t depth, ext4_lblk_t first,
			     ext4_lblk_t last, struct ext4_verdict *v)
{
	const struct ext4_extent_header *eh = (const struct ext4_extent_header *)node;
	const struct ext4_extent *e = (const struct ext4_extent *)(eh + 1);
	uint32_t entries = le16_get(eh->eh_entries), begin, end;

	if (le16_get(eh->eh_depth) != depth)
		return ext4_corrupted(v, "extent node: depth %u, not %u", le16_get(eh->eh_depth),
				      depth);
	if (entries == 0)
		return 0;
	begin = le32_get(e->ee_block); /* lies where ei_block does */
	if (begin != first)
		return ext4_corrupted(v, "extent node: begins with logical block %u, not %u", begin,
				      first);
	e += entries - 1;
	end = le32_get(e->ee_block);
	if (depth == 0)
		end += ext4_extent_len(e) - 1;
	if (end > last)
		return ext4_corrupted(v, "extent node: reaches logical block %u, over %u", end,
				      last);
	return 0;
}

/* ---- block maps */

static int check_pointers(const struct ext4_geometry *geo, const le32 *pointers, unsigned count,
			  struct ext4_verdict *v)
{
	for (unsigned i = 0; i < count; i++) {
		uint32_t block = le32_get(pointers[i]);

		if (block && !ext4_blocks_inside(geo, block, 1))
			return ext4_corrupted(
				v, "pointer %u: block %u lies outside the file system", i, block);
	}
	return 0;
}

int ext4_verify_indirect_block(const struct ext4_geometry *geo, const uint8_t *block,
			       struct ext4_verdict *v)
{
	return check_pointers(geo, (const le32 *)block, geo->block_size / sizeof(le32), v);
}

/* ---- inode */

static int check_extra_size(const struct ext4_geometry *geo, const struct ext4_inode *raw,
			    struct ext4_verdict *v)
{
	uint32_t extra = ext4_raw_extra_isize(geo, raw);

	if (extra % 4 || extra > geo->inode_size - EXT4_GOOD_OLD_INODE_SIZE)
		return ext4_corrupted(v, "extra size %u in an inode of %u bytes", extra,
				      geo->inode_size);
	return 0;
}

static int check_type(const struct ext4_geometry *geo, uint32_t ino, const struct ext4_inode *raw,
		      struct ext4_verdict *v)
{
	uint16_t mode = le16_get(raw->i_mode);

	if (ext4_file_type_of_mode(mode) == EXT4_FT_UNKNOWN &&
	    ((mode & EXT4_S_IFMT) || ino >= geo->first_ino))
		return ext4_corrupted(v, "mode 0%06o has no type", mode);
	return 0;
}

/* Flags that change how the inode is read need their feature. */
static int check_flags(const struct ext4_geometry *geo, const struct ext4_inode *raw,
		       struct ext4_verdict *v)
{
	static const struct {
		uint32_t flag, incompat;
		const char *name;
	} needs[] = {
		{ EXT4_EXTENTS_FL, EXT4_FEATURE_INCOMPAT_EXTENTS, "extent" },
		{ EXT4_EA_INODE_FL, EXT4_FEATURE_INCOMPAT_EA_INODE, "ea_inode" },
		{ EXT4_INLINE_DATA_FL, EXT4_FEATURE_INCOMPAT_INLINE_DATA, "inline_data" },
		{ EXT4_ENCRYPT_FL, EXT4_FEATURE_INCOMPAT_ENCRYPT, "encrypt" },
		{ EXT4_CASEFOLD_FL, EXT4_FEATURE_INCOMPAT_CASEFOLD, "casefold" },
	};

	for (size_t i = 0; i < array_size(needs); i++)
		if (le32_get(raw->i_flags) & needs[i].flag &&
		    !(geo->feature_incompat & needs[i].incompat))
			return ext4_corrupted(v, "flag 0x%x without feature %s", needs[i].flag,
					      needs[i].name);
	return 0;
}

/* What the map can reach: behind it, blocks of the file have no number. */
static uint64_t size_limit(const struct ext4_geometry *geo, const struct ext4_inode *raw)
{
	if (!ext4_raw_has_map(geo, raw))
		return INT64_MAX;
	return le32_get(raw->i_flags) & EXT4_EXTENTS_FL
		       ? ((uint64_t)EXT4_MAX_LBLK + 1) << geo->block_bits
		       : ext4_ind_reach(geo);
}

/* A removed directory that is still open has size 0. */
static int check_size(const struct ext4_geometry *geo, const struct ext4_inode *raw,
		      struct ext4_verdict *v)
{
	uint64_t size = ext4_raw_size(geo, raw);

	if (size > size_limit(geo, raw))
		return ext4_corrupted(v, "size %llu", (unsigned long long)size);
	if (ext4_raw_is(raw, EXT4_S_IFDIR) &&
	    (size % geo->block_size || (size == 0 && le16_get(raw->i_links_count))))
		return ext4_corrupted(v, "directory of %llu bytes, with blocks of %u",
				      (unsigned long long)size, geo->block_size);
	if (ext4_raw_is(raw, EXT4_S_IFDIR) && size >> geo->block_bits > geo->blocks_count)
		return ext4_corrupted(v, "directory of %llu bytes in a file system of %llu blocks",
				      (unsigned long long)size,
				      (unsigned long long)geo->blocks_count);
	if (ext4_raw_is(raw, EXT4_S_IFLNK) && size > geo->block_size)
		return ext4_corrupted(v, "symbolic link of %llu bytes", (unsigned long long)size);
	return 0;
}

static int check_map(const struct ext4_geometry *geo, const struct ext4_inode *raw,
		     struct ext4_verdict *v)
{
	if (!ext4_raw_has_map(geo, raw))
		return 0;
	if (le32_get(raw->i_flags) & EXT4_EXTENTS_FL)
		return ext4_verify_extent_root(geo, raw->i_block, v);
	return check_pointers(geo, raw->i_block, EXT4_N_BLOCKS, v);
}

static int check_attributes(const struct ext4_geometry *geo, const struct ext4_inode *raw,
			    struct ext4_verdict *v)
{
	ext4_fsblk_t acl = ext4_raw_file_acl(geo, raw);

	if (acl && !ext4_blocks_inside(geo, acl, 1))
		return ext4_corrupted(v, "attribute block %llu lies outside the file system",
				      (unsigned long long)acl);
	return ext4_verify_xattr_inode(geo, raw, v);
}

int ext4_verify_inode(const struct ext4_geometry *geo, uint32_t ino, const struct ext4_inode *raw,
		      struct ext4_verdict *v)
{
	int err;

	if (!ext4_inode_csum_ok(geo, ino, raw))
		return ext4_bad_csum(v, "inode checksum is wrong");
	err = check_extra_size(geo, raw, v);
	if (!err)
		err = check_type(geo, ino, raw, v);
	if (!err)
		err = check_flags(geo, raw, v);
	if (!err)
		err = check_size(geo, raw, v);
	if (!err)
		err = check_map(geo, raw, v);
	return err ? err : check_attributes(geo, raw, v);
}
