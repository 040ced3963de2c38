/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verifiers of extended attributes, in a block and in an inode, and of the orphan file's blocks.
 *
 * Both places hold a list of entries that grows upwards, ended by four zero bytes, and values that
 * grow downwards from the end of the room.
 */
#include "ext4/verify.h"
#include <string.h>
#include "ext4/csum.h"
#include "ext4/disk.h"

struct room {
	const uint8_t *base; /* e_value_offs counts from here */
	uint32_t first; /* offset of the first entry */
	uint32_t size; /* offset of the end */
};

static bool ends_here(const struct room *r, uint32_t offset)
{
	static const uint8_t end[4];

	return !memcmp(r->base + offset, end, sizeof(end));
}

static int check_name(const struct room *r, uint32_t offset, struct ext4_verdict *v)
{
	const struct ext4_xattr_entry *e = (const struct ext4_xattr_entry *)(r->base + offset);

	if (r->size - offset < sizeof(*e) || r->size - offset < ext4_xattr_entry_size(e))
		return ext4_corrupted(v, "attribute at %u: reaches over the end", offset);
	if (memchr(e->e_name, '\0', e->e_name_len))
		return ext4_corrupted(v, "attribute at %u: name with a zero byte", offset);
	if (le32_get(e->e_value_inum))
		return ext4_corrupted(v, "attribute at %u: value in inode %u without ea_inode",
				      offset, le32_get(e->e_value_inum));
	return 0;
}

/* Finds the end of the list: the offset behind the zeros that end it. */
static int check_names(const struct room *r, uint32_t *end, struct ext4_verdict *v)
{
	uint32_t offset = r->first;

	for (;;) {
		int err;

		if (r->size - offset < 4)
			return ext4_corrupted(v, "attributes: no end of the list");
		if (ends_here(r, offset))
			break;
		err = check_name(r, offset, v);
		if (err)
			return err;
		offset += ext4_xattr_entry_size((const void *)(r->base + offset));
	}
	*end = offset + 4;
	return 0;
}

/* Values lie between the list and the end. */
static int check_values(const struct room *r, uint32_t end, struct ext4_verdict *v)
{
	uint32_t offset = r->first;

	while (!ends_here(r, offset)) {
		const struct ext4_xattr_entry *e = (const void *)(r->base + offset);
		uint32_t at = le16_get(e->e_value_offs), size = le32_get(e->e_value_size);

		if (size && (at < end || at > r->size || size > r->size - at ||
			     EXT4_XATTR_ROUND(size) > r->size - at))
			return ext4_corrupted(v, "attribute at %u: value of %u bytes at %u", offset,
					      size, at);
		offset += ext4_xattr_entry_size(e);
	}
	return 0;
}

static int check_room(const struct room *r, struct ext4_verdict *v)
{
	uint32_t end = r->first;
	int err = check_names(r, &end, v);

	return err ? err : check_values(r, end, v);
}

int ext4_verify_xattr_block(const struct ext4_geometry *geo, ext4_fsblk_t pblk,
			    const uint8_t *block, struct ext4_verdict *v)
{
	const struct ext4_xattr_header *h = (const struct ext4_xattr_header *)block;
	const struct room r = { .base = block, .first = sizeof(*h), .size = geo->block_size };

	if (le32_get(h->h_magic) != EXT4_XATTR_MAGIC)
		return ext4_corrupted(v, "attribute block: magic number 0x%08x",
				      le32_get(h->h_magic));
	if (!ext4_xattr_block_csum_ok(geo, pblk, block))
		return ext4_bad_csum(v, "attribute block: wrong checksum");
	if (le32_get(h->h_blocks) != 1)
		return ext4_corrupted(v, "attribute block: %u blocks", le32_get(h->h_blocks));
	if (le32_get(h->h_refcount) == 0)
		return ext4_corrupted(v, "attribute block: no references");
	return check_room(&r, v);
}

int ext4_verify_xattr_inode(const struct ext4_geometry *geo, const struct ext4_inode *raw,
			    struct ext4_verdict *v)
{
	uint32_t offset = EXT4_GOOD_OLD_INODE_SIZE + ext4_raw_extra_isize(geo, raw);
	const struct ext4_xattr_ibody_header *h = (const void *)((const uint8_t *)raw + offset);
	struct room r;

	if (offset == EXT4_GOOD_OLD_INODE_SIZE || offset + sizeof(*h) > geo->inode_size)
		return 0;
	if (le32_get(h->h_magic) != EXT4_XATTR_MAGIC)
		return 0;
	r = (struct room){
		.base = (const uint8_t *)(h + 1),
		.size = geo->inode_size - offset - (uint32_t)sizeof(*h),
	};
	return check_room(&r, v);
}

int ext4_verify_orphan_block(const struct ext4_geometry *geo, uint32_t seed, ext4_fsblk_t pblk,
			     const uint8_t *block, struct ext4_verdict *v)
{
	const uint32_t entries =
		(uint32_t)((geo->block_size - sizeof(struct ext4_orphan_block_tail)) /
			   sizeof(le32));
	const le32 *inodes = (const le32 *)block;
	const struct ext4_orphan_block_tail *tail = (const void *)(inodes + entries);

	if (le32_get(tail->ob_magic) != EXT4_ORPHAN_BLOCK_MAGIC)
		return ext4_corrupted(v, "orphan file block: magic number 0x%08x",
				      le32_get(tail->ob_magic));
	if (!ext4_orphan_block_csum_ok(geo, seed, pblk, block))
		return ext4_bad_csum(v, "orphan file block: wrong checksum");
	for (uint32_t i = 0; i < entries; i++)
		if (le32_get(inodes[i]) > geo->inodes_count)
			return ext4_corrupted(v, "orphan file block: entry %u is inode %u of %u", i,
					      le32_get(inodes[i]), geo->inodes_count);
	return 0;
}
