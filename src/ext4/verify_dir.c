/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verifiers of directory blocks: blocks of entries, and the nodes of hash trees.
 */
#include "ext4/verify.h"
#include <string.h>
#include "ext4/csum.h"
#include "ext4/disk.h"

/* ---- blocks of entries */

static const struct ext4_dir_entry_2 *entry_at(const uint8_t *block, uint32_t offset)
{
	return (const struct ext4_dir_entry_2 *)(block + offset);
}

/* The record at `offset` of a chain that ends at `end` fits into what is left. */
static int check_record(const struct ext4_geometry *geo, const struct ext4_dir_entry_2 *de,
			uint32_t offset, uint32_t end, struct ext4_verdict *v)
{
	uint32_t len = ext4_rec_len_get(geo, de->rec_len), left = end - offset - len;

	if (len < EXT4_DIR_REC_MIN || len % EXT4_DIR_PAD)
		return ext4_corrupted(v, "entry at %u: record of %u bytes", offset, len);
	if (len > end - offset)
		return ext4_corrupted(v, "entry at %u: record of %u bytes reaches over %u", offset,
				      len, end);
	if (left && left < EXT4_DIR_REC_MIN)
		return ext4_corrupted(v, "entry at %u: record of %u bytes leaves %u", offset, len,
				      left);
	return 0;
}

static int check_name(const struct ext4_geometry *geo, const struct ext4_dir_entry_2 *de,
		      uint32_t offset, struct ext4_verdict *v)
{
	uint32_t ino = le32_get(de->inode), len = ext4_rec_len_get(geo, de->rec_len);

	if (ext4_dir_rec_min(de->name_len) > len)
		return ext4_corrupted(v, "entry at %u: name of %u bytes in a record of %u", offset,
				      de->name_len, len);
	if (ino == 0)
		return 0;
	if (ino > geo->inodes_count)
		return ext4_corrupted(v, "entry at %u: inode %u of %u", offset, ino,
				      geo->inodes_count);
	if (de->name_len == 0)
		return ext4_corrupted(v, "entry at %u: inode %u without a name", offset, ino);
	if (memchr(de->name, '/', de->name_len) || memchr(de->name, '\0', de->name_len))
		return ext4_corrupted(v, "entry at %u: name with a slash or a zero byte", offset);
	return 0;
}

static int check_entries(const struct ext4_geometry *geo, const uint8_t *block, uint32_t end,
			 struct ext4_verdict *v)
{
	for (uint32_t offset = 0; offset < end;) {
		const struct ext4_dir_entry_2 *de = entry_at(block, offset);
		int err = check_record(geo, de, offset, end, v);

		if (!err)
			err = check_name(geo, de, offset, v);
		if (err)
			return err;
		offset += ext4_rec_len_get(geo, de->rec_len);
	}
	return 0;
}

int ext4_verify_dir_block(const struct ext4_geometry *geo, uint32_t seed, const uint8_t *block,
			  struct ext4_verdict *v)
{
	if (!ext4_dir_block_csum_ok(geo, seed, block))
		return ext4_bad_csum(v, "directory block checksum is wrong or missing");
	return check_entries(geo, block, geo->block_size - ext4_dir_tail_size(geo), v);
}

int ext4_verify_dir_dots(const struct ext4_geometry *geo, uint32_t ino, const uint8_t *block,
			 struct ext4_verdict *v)
{
	const struct ext4_dir_entry_2 *dot = entry_at(block, 0), *dotdot;
	uint32_t len = ext4_rec_len_get(geo, dot->rec_len);

	if (dot->name_len != 1 || dot->name[0] != '.')
		return ext4_corrupted(v, "the first entry is not .");
	if (le32_get(dot->inode) != ino)
		return ext4_corrupted(v, ". is inode %u, not %u", le32_get(dot->inode), ino);
	if (len > geo->block_size - EXT4_DIR_REC_MIN - ext4_dir_tail_size(geo))
		return ext4_corrupted(v, "nothing follows .");
	dotdot = entry_at(block, len);
	if (dotdot->name_len != 2 || memcmp(dotdot->name, "..", 2))
		return ext4_corrupted(v, "the second entry is not ..");
	if (le32_get(dotdot->inode) == 0 || le32_get(dotdot->inode) > geo->inodes_count)
		return ext4_corrupted(v, ".. is inode %u of %u", le32_get(dotdot->inode),
				      geo->inodes_count);
	return 0;
}

/* ---- hash trees */

static int check_limits(const struct ext4_geometry *geo, const uint8_t *block,
			uint32_t entries_offset, struct ext4_verdict *v)
{
	const struct dx_countlimit *c = (const struct dx_countlimit *)(block + entries_offset);
	uint32_t limit = le16_get(c->limit), count = le16_get(c->count);

	if (limit != ext4_dx_limit(geo, entries_offset))
		return ext4_corrupted(v, "hash tree node: limit %u, with room for %u", limit,
				      ext4_dx_limit(geo, entries_offset));
	if (count == 0 || count > limit)
		return ext4_corrupted(v, "hash tree node: %u of %u entries", count, limit);
	return 0;
}

/* The first entry's hash is 0 and not stored. Equal hashes occur where one goes on (bit 0). */
static int check_hashes(const uint8_t *block, uint32_t entries_offset, struct ext4_verdict *v)
{
	const struct dx_entry *e = (const struct dx_entry *)(block + entries_offset);
	uint32_t count = le16_get(((const struct dx_countlimit *)e)->count), before = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t hash = i ? le32_get(e[i].hash) : 0;

		if (i > 0 &&
		    (hash < before || (hash == before && !(hash & EXT4_DX_HASH_CONTINUED))))
			return ext4_corrupted(v, "hash tree node: hash 0x%08x comes after 0x%08x",
					      hash, before);
		if ((le32_get(e[i].block) & EXT4_DX_BLOCK_MASK) == 0)
			return ext4_corrupted(v, "hash tree node: entry %u points at the root", i);
		before = hash;
	}
	return 0;
}

static int check_dx(const struct ext4_geometry *geo, uint32_t seed, const uint8_t *block,
		    uint32_t entries_offset, struct ext4_verdict *v)
{
	int err = check_limits(geo, block, entries_offset, v);

	if (err)
		return err;
	if (!ext4_dx_csum_ok(geo, seed, block, entries_offset))
		return ext4_bad_csum(v, "hash tree node: wrong checksum");
	return check_hashes(block, entries_offset, v);
}

int ext4_verify_dx_root(const struct ext4_geometry *geo, uint32_t seed, const uint8_t *block,
			struct ext4_verdict *v)
{
	const struct dx_root *r = (const struct dx_root *)block;
	const struct dx_root_info *info = &r->info;

	if (le16_get(r->dot_rec_len) != EXT4_DIR_REC_MIN ||
	    ext4_rec_len_get(geo, r->dotdot_rec_len) != geo->block_size - EXT4_DIR_REC_MIN)
		return ext4_corrupted(v, "hash tree root: records of %u and %u bytes",
				      le16_get(r->dot_rec_len),
				      ext4_rec_len_get(geo, r->dotdot_rec_len));
	if (le32_get(info->reserved_zero) || info->info_length != sizeof(*info) ||
	    info->unused_flags & 1)
		return ext4_corrupted(v, "hash tree root: zero %u, length %u, flags %u",
				      le32_get(info->reserved_zero), info->info_length,
				      info->unused_flags);
	if (info->hash_version > EXT4_HASH_TEA_UNSIGNED)
		return ext4_corrupted(v, "hash tree root: hash %u is not known",
				      info->hash_version);
	if (info->indirect_levels >= ext4_dx_levels_max(geo))
		return ext4_corrupted(v, "hash tree root: %u levels below it",
				      info->indirect_levels);
	return check_dx(geo, seed, block, EXT4_DX_ROOT_ENTRIES, v);
}

bool ext4_looks_like_dx_node(const struct ext4_geometry *geo, const uint8_t *block)
{
	const struct dx_node *n = (const struct dx_node *)block;

	return le32_get(n->fake_inode) == 0 && n->fake_name_len == 0 &&
	       ext4_rec_len_get(geo, n->fake_rec_len) == geo->block_size;
}

bool ext4_is_dx_node(const struct ext4_geometry *geo, const uint8_t *block)
{
	const struct dx_countlimit *c =
		(const struct dx_countlimit *)(block + EXT4_DX_NODE_ENTRIES);

	return ext4_looks_like_dx_node(geo, block) &&
	       (geo->metadata_csum ||
		le16_get(c->limit) == ext4_dx_limit(geo, EXT4_DX_NODE_ENTRIES));
}

int ext4_verify_dx_node(const struct ext4_geometry *geo, uint32_t seed, const uint8_t *block,
			struct ext4_verdict *v)
{
	const struct dx_node *n = (const struct dx_node *)block;

	if (!ext4_looks_like_dx_node(geo, block) || n->fake_file_type)
		return ext4_corrupted(v, "hash tree node: inode %u, record of %u bytes, name of %u",
				      le32_get(n->fake_inode),
				      ext4_rec_len_get(geo, n->fake_rec_len), n->fake_name_len);
	return check_dx(geo, seed, block, EXT4_DX_NODE_ENTRIES, v);
}
