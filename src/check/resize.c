/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inode 7 holds the blocks kept for descriptors to come, so that nothing else takes them. Its
 * double indirect block names those of the first group, at the place their number among all
 * descriptor blocks gives them; each of these names its copies in the other groups that carry
 * copies.
 */
#include <inttypes.h>
#include "check/internal.h"

struct resize {
	struct check *c;
	uint64_t blocks; /* found, all of which i_blocks counts */
	bool bad;
};

/* The k-th kept block of the first group. */
static ext4_fsblk_t kept_block(const struct check *c, uint32_t k)
{
	return c->geo.super_block + 1 + c->geo.gdt_blocks + k;
}

static uint32_t pointers_per_block(const struct check *c)
{
	return c->geo.block_size / (uint32_t)sizeof(le32);
}

/* A pointer at `i` of a block is not what it must be. */
static int say_pointer(struct resize *r, ext4_fsblk_t block, uint32_t i, uint32_t is,
		       uint64_t must_be)
{
	r->bad = true;
	return check_say(r->c, AT_BLOCK(CHECK_MAP, EXT4_RESIZE_INO, block),
			 "pointer %" PRIu32 " is block %" PRIu32 ", not %" PRIu64, i, is, must_be);
}

/* The copies that a kept block names, in order of groups. */
static int check_copies(struct resize *r, ext4_fsblk_t kept)
{
	struct check *c = r->c;
	const le32 *pointers = (const le32 *)c->data_block;
	uint32_t i = 0;
	int err = check_read(c, kept, c->data_block);

	if (err)
		return err;
	for (ext4_group_t g = 1; g < c->geo.groups_count && i < pointers_per_block(c); g++) {
		uint64_t copy = kept + (uint64_t)g * c->geo.blocks_per_group;

		if (!ext4_group_has_super(&c->geo, g))
			continue;
		if (le32_get(pointers[i]) != (uint32_t)copy)
			return say_pointer(r, kept, i, le32_get(pointers[i]), copy);
		i++;
	}
	r->blocks += 1 + i;
	return 0;
}

/* The double indirect block names the kept blocks and nothing else. */
static int check_pointers(struct resize *r, ext4_fsblk_t dind, const le32 *pointers)
{
	uint32_t per_block = pointers_per_block(r->c), first = r->c->geo.gdt_blocks % per_block;

	for (uint32_t i = 0; i < per_block; i++) {
		uint32_t k = (i + per_block - first) % per_block;
		bool kept = k < r->c->geo.reserved_gdt_blocks;
		ext4_fsblk_t must_be = kept ? kept_block(r->c, k) : 0;
		int err = 0;

		if (le32_get(pointers[i]) != must_be)
			return say_pointer(r, dind, i, le32_get(pointers[i]), must_be);
		if (kept)
			err = check_copies(r, must_be);
		if (err)
			return err;
	}
	return 0;
}

int check_resize_inode(struct check *c, const struct ext4_inode *raw)
{
	const struct place at = AT_INODE(CHECK_MAP, EXT4_RESIZE_INO);
	ext4_fsblk_t dind = le32_get(raw->i_block[EXT4_DIND_BLOCK]);
	struct claim claim = { .at = AT_INODE(CHECK_SHARED, EXT4_RESIZE_INO),
			       .block = dind,
			       .len = 1 };
	struct resize r = { .c = c, .blocks = 1 };
	uint64_t sectors = ext4_raw_sectors(&c->geo, raw), found;
	int err;

	if (!ext4_raw_is(raw, EXT4_S_IFREG) || le16_get(raw->i_links_count) == 0)
		return check_say(c, at, "is no file");
	for (unsigned i = 0; i < EXT4_N_BLOCKS; i++)
		if (i != EXT4_DIND_BLOCK && le32_get(raw->i_block[i]))
			return check_say(c, at, "pointer %u is block %" PRIu32, i,
					 le32_get(raw->i_block[i]));
	if (dind == 0)
		return check_say(c, at, "no double indirect block");
	err = check_claim(c, &claim);
	if (!err)
		err = check_read(c, dind, c->node_block[0]);
	if (!err)
		err = check_pointers(&r, dind, (const le32 *)c->node_block[0]);
	found = r.blocks * c->geo.cluster_ratio << (c->geo.block_bits - 9);
	if (err || r.bad || sectors == found)
		return err;
	return check_say(c, at, "i_blocks is %" PRIu64 ", %" PRIu64 " are in use", sectors, found);
}
