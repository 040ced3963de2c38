/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extended attributes: values that do not meet, hashes, and blocks that inodes share, each counting
 * who refers to it.
 */
#include <inttypes.h>
#include <string.h>
#include "base/bitmap.h"
#include "base/hash.h"
#include "check/internal.h"

/* ---- blocks that were seen */

static struct xattr_note *find_slot(struct xattr_note *notes, size_t room, uint64_t block)
{
	size_t i = (size_t)hash_u64(block) & (room - 1);

	while (notes[i].block && notes[i].block != block)
		i = (i + 1) & (room - 1);
	return &notes[i];
}

/* Room for one more, with at least half of the table empty. */
static int make_room(struct check *c)
{
	size_t room = max(c->xattrs_room * 2, (size_t)64);
	struct xattr_note *larger;

	if (c->xattrs_count * 2 < c->xattrs_room)
		return 0;
	larger = arena_zalloc(c->arena, room * sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	for (size_t i = 0; i < c->xattrs_room; i++)
		if (c->xattrs[i].block)
			*find_slot(larger, room, c->xattrs[i].block) = c->xattrs[i];
	arena_free(c->arena, c->xattrs);
	c->xattrs = larger;
	c->xattrs_room = room;
	return 0;
}

/* ---- one list of entries, verified */

struct list_room {
	const uint8_t *base; /* e_value_offs counts from here */
	uint32_t first, size;
	struct place at;
	bool hashes_may_be_zero; /* in inodes kernels leave them so */
};

static const struct ext4_xattr_entry *entry_at(const struct list_room *r, uint32_t offset)
{
	return (const void *)(r->base + offset);
}

static bool is_end(const struct ext4_xattr_entry *e)
{
	static const uint8_t end[4];

	return !memcmp(e, end, sizeof(end));
}

static int check_entry_hash(struct check *c, const struct list_room *r,
			    const struct ext4_xattr_entry *e)
{
	const uint8_t *value = r->base + le16_get(e->e_value_offs);
	uint32_t hash = le32_get(e->e_hash);

	if ((hash == 0 && r->hashes_may_be_zero) || hash == ext4_xattr_hash_entry(e, value) ||
	    hash == ext4_xattr_hash_entry_signed(e, value))
		return 0;
	return check_say(c, r->at, "attribute %.*s: hash 0x%08" PRIx32 " is wrong",
			 (int)e->e_name_len, e->e_name, hash);
}

/* No two values share bytes: a bit for each four, as values are padded to that. */
static int check_overlap(struct check *c, const struct list_room *r,
			 const struct ext4_xattr_entry *e, uint8_t *taken)
{
	uint32_t from = le16_get(e->e_value_offs) / EXT4_XATTR_PAD;
	uint32_t count = EXT4_XATTR_ROUND(le32_get(e->e_value_size)) / EXT4_XATTR_PAD;

	if (count == 0)
		return 0;
	if (!bitmap_all_zeros(taken, from, count))
		return check_say(c, r->at, "attribute %.*s: its value meets another",
				 (int)e->e_name_len, e->e_name);
	bitmap_set_range(taken, from, count);
	return 0;
}

static int check_list(struct check *c, const struct list_room *r)
{
	uint8_t taken[65536 / EXT4_XATTR_PAD / 8 + 1] = { 0 };
	const struct ext4_xattr_entry *e;

	for (uint32_t offset = r->first; !is_end(e = entry_at(r, offset));
	     offset += ext4_xattr_entry_size(e)) {
		int err = 0;

		if (e->e_name_index == 0)
			err = check_say(c, r->at, "attribute %.*s has no kind", (int)e->e_name_len,
					e->e_name);
		if (!err)
			err = check_entry_hash(c, r, e);
		if (!err)
			err = check_overlap(c, r, e, taken);
		if (err)
			return err;
	}
	return 0;
}

/* ---- attributes of an inode */

static int check_in_inode(struct check *c, uint32_t ino, const struct ext4_inode *raw)
{
	uint32_t extra = ext4_raw_extra_isize(&c->geo, raw),
		 offset = EXT4_GOOD_OLD_INODE_SIZE + extra;
	const struct ext4_xattr_ibody_header *h = (const void *)((const uint8_t *)raw + offset);
	struct list_room r;

	if (extra == 0 || offset + sizeof(*h) > c->geo.inode_size ||
	    le32_get(h->h_magic) != EXT4_XATTR_MAGIC)
		return 0;
	r = (struct list_room){
		.base = (const uint8_t *)(h + 1),
		.size = c->geo.inode_size - offset - (uint32_t)sizeof(*h),
		.at = AT_INODE(CHECK_XATTR, ino),
		.hashes_may_be_zero = true,
	};
	return check_list(c, &r);
}

/* 0 keeps a block from being shared. */
static int check_block_hash(struct check *c, struct place at)
{
	uint32_t hash = le32_get(((const struct ext4_xattr_header *)c->data_block)->h_hash);

	if (hash == 0 || hash == ext4_xattr_hash_block(c->data_block))
		return 0;
	return check_say(c, at, "hash 0x%08" PRIx32 " of the block is wrong", hash);
}

/* The first reference to a block: it is claimed and looked at. */
static int check_block(struct check *c, uint32_t ino, struct xattr_note *note)
{
	struct claim claim = { .at = AT_INODE(CHECK_SHARED, ino), .block = note->block, .len = 1 };
	struct list_room r = {
		.base = c->data_block,
		.first = sizeof(struct ext4_xattr_header),
		.size = c->geo.block_size,
		.at = AT_BLOCK(CHECK_XATTR, ino, note->block),
	};
	struct ext4_verdict v;
	int err = check_claim(c, &claim), say;

	if (!err)
		err = check_read(c, note->block, c->data_block);
	if (err)
		return err;
	err = ext4_verify_xattr_block(&c->geo, note->block, c->data_block, &v);
	note->refcount = le32_get(((const struct ext4_xattr_header *)c->data_block)->h_refcount);
	if (!err) {
		err = check_list(c, &r);
		return err ? err : check_block_hash(c, r.at);
	}
	say = check_say(c, r.at, "%s", v.reason);
	if (err == -EFSCORRUPTED)
		note->refcount = 0; /* nothing to compare */
	return say;
}

int check_xattrs(struct check *c, uint32_t ino, const struct ext4_inode *raw)
{
	ext4_fsblk_t block = ext4_raw_file_acl(&c->geo, raw);
	struct xattr_note *note;
	int err = check_in_inode(c, ino, raw);

	if (err || block == 0)
		return err;
	if (!(c->geo.feature_compat & EXT4_FEATURE_COMPAT_EXT_ATTR))
		return check_say(c, AT_BLOCK(CHECK_XATTR, ino, block),
				 "attributes without feature ext_attr");
	err = make_room(c);
	if (err)
		return err;
	note = find_slot(c->xattrs, c->xattrs_room, block);
	note->found++;
	if (note->block)
		return 0;
	note->block = block;
	c->xattrs_count++;
	return check_block(c, ino, note);
}

int check_xattr_refcounts(struct check *c)
{
	int err = 0;

	for (size_t i = 0; !err && i < c->xattrs_room; i++) {
		const struct xattr_note *n = &c->xattrs[i];

		if (n->block && n->refcount && n->refcount != n->found)
			err = check_say(c, AT_BLOCK(CHECK_XATTR, 0, n->block),
					"%" PRIu32 " inodes refer to it, it counts %" PRIu32,
					n->found, n->refcount);
	}
	return err;
}
