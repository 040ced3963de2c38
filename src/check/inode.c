/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inodes: each table as far as it was ever used, each inode's fields, and its map against its size
 * and block count. An inode is in use when it has links or is an orphan; reserved ones always are.
 */
#include <inttypes.h>
#include <string.h>
#include "base/bitmap.h"
#include "check/internal.h"
#include "ext4/csum.h"

/* ---- notes */

struct inode_note *check_note(struct check *c, uint32_t ino)
{
	struct check_group *g;

	if (ino == 0 || ino > c->geo.inodes_count)
		return NULL;
	g = &c->groups[ext4_group_of_inode(&c->geo, ino)];
	return g->notes ? &g->notes[(ino - 1) % c->geo.inodes_per_group] : NULL;
}

int check_note_make(struct check *c, uint32_t ino, struct inode_note **out)
{
	struct check_group *g = &c->groups[ext4_group_of_inode(&c->geo, ino)];

	if (!g->notes)
		g->notes = arena_zalloc(c->arena, c->geo.inodes_per_group * sizeof(*g->notes));
	if (!g->notes)
		return -ENOMEM;
	*out = &g->notes[(ino - 1) % c->geo.inodes_per_group];
	return 0;
}

bool check_is_hidden(const struct check *c, uint32_t ino)
{
	bool quota = c->geo.feature_ro_compat & EXT4_FEATURE_RO_COMPAT_QUOTA;

	return (ino < c->geo.first_ino && ino != EXT4_ROOT_INO) || ino == c->geo.orphan_file_inum ||
	       ino == c->geo.journal_inum ||
	       (quota && (ino == le32_get(c->super.s_usr_quota_inum) ||
			  ino == le32_get(c->super.s_grp_quota_inum) ||
			  ino == le32_get(c->super.s_prj_quota_inum)));
}

int check_inode_read(struct check *c, uint32_t ino, struct ext4_inode *raw)
{
	const struct check_group *g = &c->groups[ext4_group_of_inode(&c->geo, ino)];
	uint32_t index = (ino - 1) % c->geo.inodes_per_group;
	int err;

	memset(raw, 0, c->geo.inode_size);
	if (!g->usable)
		return 0;
	err = check_read(c, g->d.inode_table + index / c->geo.inodes_per_block, c->table_block);
	if (!err)
		memcpy(raw,
		       c->table_block +
			       (size_t)(index % c->geo.inodes_per_block) * c->geo.inode_size,
		       c->geo.inode_size);
	return err;
}

/* ---- fields */

/* Flags that make no sense for the type. */
static int check_type_flags(struct check *c, uint32_t ino, const struct ext4_inode *raw)
{
	uint32_t flags = le32_get(raw->i_flags);
	bool dir = ext4_raw_is(raw, EXT4_S_IFDIR),
	     special = !dir && !ext4_raw_is(raw, EXT4_S_IFREG);
	const struct place at = AT_INODE(CHECK_INODE, ino);
	int err = 0;

	if (flags & EXT4_INDEX_FL && !dir)
		err = check_say(c, at, "has a hash tree, but is no directory");
	else if (flags & EXT4_INDEX_FL && !(c->geo.feature_compat & EXT4_FEATURE_COMPAT_DIR_INDEX))
		err = check_say(c, at, "has a hash tree without feature dir_index");
	if (!err && flags & EXT4_IMAGIC_FL &&
	    !(c->geo.feature_compat & EXT4_FEATURE_COMPAT_IMAGIC_INODES))
		err = check_say(c, at, "has the imagic flag without the feature");
	if (!err && special && flags & (EXT4_IMMUTABLE_FL | EXT4_APPEND_FL))
		err = check_say(c, at, "is immutable or append-only, but is no file");
	return err;
}

/* Whether the size has a high half. */
static bool may_be_large(const struct check *c, const struct ext4_inode *raw)
{
	return ext4_raw_is(raw, EXT4_S_IFREG) ||
	       (ext4_raw_is(raw, EXT4_S_IFDIR) &&
		c->geo.feature_incompat & EXT4_FEATURE_INCOMPAT_LARGEDIR);
}

static int check_odd_fields(struct check *c, uint32_t ino, const struct ext4_inode *raw)
{
	const struct place at = AT_INODE(CHECK_INODE, ino);
	int err = 0;

	if (le32_get(raw->i_obso_faddr))
		err = check_say(c, at, "fragment address is %" PRIu32, le32_get(raw->i_obso_faddr));
	if (!err && !c->geo.has_64bit && le16_get(raw->l_i_file_acl_high))
		err = check_say(c, at, "high half of the attribute block is %u",
				le16_get(raw->l_i_file_acl_high));
	if (!err && !(c->geo.feature_ro_compat & EXT4_FEATURE_RO_COMPAT_HUGE_FILE) &&
	    le16_get(raw->l_i_blocks_high))
		err = check_say(c, at, "high half of i_blocks is %u",
				le16_get(raw->l_i_blocks_high));
	if (!err && !may_be_large(c, raw) && le32_get(raw->i_size_high))
		err = check_say(c, at, "high half of the size is %" PRIu32,
				le32_get(raw->i_size_high));
	return err;
}

/*
 * Devices and the like have no size and no map; what lies behind the number in i_block means
 * nothing.
 */
static int check_special(struct check *c, uint32_t ino, const struct ext4_inode *raw)
{
	const struct place at = AT_INODE(CHECK_INODE, ino);

	if (le32_get(raw->i_flags) & (EXT4_EXTENTS_FL | EXT4_INDEX_FL))
		return check_say(c, at, "flags 0x%" PRIx32 " of a device", le32_get(raw->i_flags));
	if (le32_get(raw->i_size_lo))
		return check_say(c, at, "size of a device is %" PRIu32, le32_get(raw->i_size_lo));
	return 0;
}

static int check_fast_symlink(struct check *c, uint32_t ino, const struct ext4_inode *raw)
{
	const char *target = (const char *)raw->i_block;
	size_t len = strnlen(target, sizeof(raw->i_block));

	if (len == 0 || len != le32_get(raw->i_size_lo))
		return check_say(c, AT_INODE(CHECK_INODE, ino),
				 "target of %zu bytes, size %" PRIu32, len,
				 le32_get(raw->i_size_lo));
	return 0;
}

static int first_block(struct map_walk *w, uint64_t lblk, ext4_fsblk_t pblk, uint32_t len,
		       bool unwritten)
{
	if (lblk == 0 && !unwritten)
		*(ext4_fsblk_t *)w->arg = pblk;
	return 0;
}

static int check_slow_symlink(struct check *c, uint32_t ino, const struct ext4_inode *raw,
			      const struct map_walk *map, ext4_fsblk_t pblk)
{
	const struct place at = AT_BLOCK(CHECK_INODE, ino, pblk);
	uint32_t size = le32_get(raw->i_size_lo);
	size_t len;
	int err;

	if (pblk == 0 || map->last_lblk != 0)
		return check_say(c, at, "symbolic link with %lld blocks",
				 (long long)map->last_lblk + 1);
	err = check_read(c, pblk, c->data_block);
	if (err)
		return err;
	len = strnlen((const char *)c->data_block, c->geo.block_size);
	if (len == 0 || len != size || len == c->geo.block_size)
		return check_say(c, at, "target of %zu bytes, size %" PRIu32, len, size);
	return 0;
}

/* ---- the map against size and count */

/* How far a map can reach, in blocks: 2^32 - 1, or what three levels of pointers hold. */
static uint64_t blocks_max(const struct check *c, const struct ext4_inode *raw)
{
	uint64_t pointers = c->geo.block_size / 4, all = EXT4_MAX_LBLK + 1ULL;

	if (le32_get(raw->i_flags) & EXT4_EXTENTS_FL)
		return all;
	return min(all, EXT4_NDIR_BLOCKS + pointers + pointers * pointers +
				pointers * pointers * pointers);
}

static int check_file_size(struct check *c, uint32_t ino, const struct ext4_inode *raw,
			   const struct map_walk *map)
{
	uint64_t size = ext4_raw_size(&c->geo, raw);

	if (size > blocks_max(c, raw) << c->geo.block_bits)
		return check_say(c, AT_INODE(CHECK_MAP, ino),
				 "size %" PRIu64 " is more than its map can hold", size);

	if (le32_get(raw->i_flags) & EXT4_VERITY_FL || map->last_written_lblk < 0 ||
	    size >= (uint64_t)map->last_written_lblk << c->geo.block_bits)
		return 0;
	return check_say(c, AT_INODE(CHECK_MAP, ino),
			 "size %" PRIu64 ", but logical block %lld is written", size,
			 (long long)map->last_written_lblk);
}

static int check_dir_size(struct check *c, uint32_t ino, const struct ext4_inode *raw,
			  const struct map_walk *map)
{
	uint64_t blocks = ext4_raw_size(&c->geo, raw) >> c->geo.block_bits;

	if (blocks == (uint64_t)(map->last_lblk + 1))
		return 0;
	return check_say(c, AT_INODE(CHECK_MAP, ino), "directory of %" PRIu64 " blocks has %lld",
			 blocks, (long long)map->last_lblk + 1);
}

static int check_blocks_count(struct check *c, uint32_t ino, const struct ext4_inode *raw,
			      uint64_t blocks)
{
	uint64_t sectors = ext4_raw_sectors(&c->geo, raw),
		 found = blocks << (c->geo.block_bits - 9);

	if (sectors == found || ino == EXT4_BAD_INO)
		return 0;
	return check_say(c, AT_INODE(CHECK_MAP, ino),
			 "i_blocks is %" PRIu64 ", %" PRIu64 " are in use", sectors, found);
}

/* Size rules by type. The size of an orphan is what it is to be cut to. */
static int check_size(struct check *c, uint32_t ino, const struct ext4_inode *raw,
		      const struct map_walk *map, ext4_fsblk_t first)
{
	if (ext4_raw_is(raw, EXT4_S_IFLNK) && !ext4_raw_is_fast_symlink(&c->geo, raw))
		return check_slow_symlink(c, ino, raw, map, first);
	if (check_note(c, ino)->flags & NOTE_ORPHAN)
		return 0;
	if (ext4_raw_is(raw, EXT4_S_IFREG))
		return check_file_size(c, ino, raw, map);
	if (ext4_raw_is(raw, EXT4_S_IFDIR))
		return check_dir_size(c, ino, raw, map);
	return 0;
}

static int check_mapping(struct check *c, uint32_t ino, const struct ext4_inode *raw)
{
	ext4_fsblk_t first = 0;
	struct map_walk map = {
		.c = c, .ino = ino, .raw = raw, .claim = true, .blocks = first_block, .arg = &first
	};
	uint64_t blocks;
	int err = check_map(&map);

	if (err)
		return err;
	if (map.bad) {
		check_note(c, ino)->flags |= NOTE_MAP_BAD;
		c->blocks_unknown = true;
		return 0;
	}
	blocks = map.blocks_count + (ext4_raw_file_acl(&c->geo, raw) ? c->geo.cluster_ratio : 0);
	err = check_size(c, ino, raw, &map, first);
	return err ? err : check_blocks_count(c, ino, raw, blocks);
}

/* ---- one inode in use */

static int note_dir(struct check *c, uint32_t ino)
{
	int err = check_grow(c, &c->dirs, &c->dirs_room, c->dirs_count + 1, sizeof(*c->dirs));

	if (!err)
		c->dirs[c->dirs_count++] = (struct dir_note){ .ino = ino };
	return err;
}

static void count_type(struct check *c, const struct inode_note *n)
{
	switch (n->type) {
	case EXT4_FT_DIR:
		c->report->directories++;
		break;
	case EXT4_FT_REG_FILE:
		c->report->files++;
		break;
	case EXT4_FT_SYMLINK:
		c->report->symlinks++;
		break;
	default:
		c->report->others++;
	}
}

static int note_inode(struct check *c, uint32_t ino, const struct ext4_inode *raw)
{
	struct inode_note *n;
	int err = check_note_make(c, ino, &n);

	if (err)
		return err;
	n->links = le16_get(raw->i_links_count);
	n->type = ext4_file_type_of_mode(le16_get(raw->i_mode));
	n->flags |= NOTE_LIVE;
	if (le32_get(raw->i_flags) & EXT4_INDEX_FL)
		n->flags |= NOTE_INDEX;
	if (check_is_hidden(c, ino))
		return 0;
	count_type(c, n);
	if (n->type != EXT4_FT_DIR)
		return 0;
	c->groups[ext4_group_of_inode(&c->geo, ino)].dirs++;
	return note_dir(c, ino);
}

/*
 * A wrong checksum is reported, and the inode looked at if it is right otherwise. *usable: it is.
 */
static int judge_inode(struct check *c, uint32_t ino, const struct ext4_inode *raw, bool *usable)
{
	struct ext4_verdict v;
	int err = ext4_verify_inode(&c->geo, ino, raw, &v), say = 0;

	if (err == -EFSBADCRC) {
		say = check_say(c, AT_INODE(CHECK_INODE, ino), "%s", v.reason);
		if (say)
			return say;
		err = ext4_verify_inode(&c->lenient, ino, raw, &v);
	}
	*usable = !err;
	if (err) {
		c->blocks_unknown = true;
		check_note(c, ino)->flags |= NOTE_MAP_BAD;
		say = check_say(c, AT_INODE(CHECK_INODE, ino), "%s", v.reason);
	}
	return say;
}

static int check_deletion_time(struct check *c, uint32_t ino, const struct ext4_inode *raw)
{
	if (le32_get(raw->i_dtime) == 0 || check_note(c, ino)->flags & NOTE_ORPHAN ||
	    check_is_hidden(c, ino))
		return 0;
	return check_say(c, AT_INODE(CHECK_INODE, ino), "is in use, but has a deletion time");
}

static int check_fields(struct check *c, uint32_t ino, const struct ext4_inode *raw)
{
	uint8_t type = check_note(c, ino)->type;
	int err = check_type_flags(c, ino, raw);

	if (!err)
		err = check_odd_fields(c, ino, raw);
	if (!err)
		err = check_deletion_time(c, ino, raw);
	if (err)
		return err;
	if (type >= EXT4_FT_CHRDEV && type <= EXT4_FT_SOCK)
		return check_special(c, ino, raw);
	return ext4_raw_is_fast_symlink(&c->geo, raw) ? check_fast_symlink(c, ino, raw) : 0;
}

static int check_live_inode(struct check *c, uint32_t ino, const struct ext4_inode *raw)
{
	bool usable;
	int err = note_inode(c, ino, raw);

	if (!err)
		err = judge_inode(c, ino, raw, &usable);
	if (err || !usable)
		return err;
	err = check_fields(c, ino, raw);
	if (!err)
		err = check_mapping(c, ino, raw);
	return err ? err : check_xattrs(c, ino, raw);
}

/* ---- reserved inodes */

static bool is_blank(const struct ext4_inode *raw)
{
	static const le32 zeros[EXT4_N_BLOCKS];

	return le16_get(raw->i_mode) == 0 && le16_get(raw->i_links_count) == 0 &&
	       le32_get(raw->i_blocks_lo) == 0 && !memcmp(raw->i_block, zeros, sizeof(zeros));
}

/* Whether a reserved number is in the use it is reserved for. */
static bool is_expected(const struct check *c, uint32_t ino)
{
	bool quota = c->geo.feature_ro_compat & EXT4_FEATURE_RO_COMPAT_QUOTA;

	switch (ino) {
	case EXT4_BAD_INO:
	case EXT4_ROOT_INO:
	case EXT4_BOOT_LOADER_INO:
	case EXT4_UNDEL_DIR_INO:
		return true;
	case EXT4_USR_QUOTA_INO:
	case EXT4_GRP_QUOTA_INO:
		return quota;
	case EXT4_RESIZE_INO:
		return c->geo.feature_compat & EXT4_FEATURE_COMPAT_RESIZE_INODE;
	default:
		return ino == c->geo.journal_inum;
	}
}

static int check_reserved_inode(struct check *c, uint32_t ino, const struct ext4_inode *raw)
{
	bool usable;
	int err;

	if (ino == EXT4_ROOT_INO && !ext4_raw_is(raw, EXT4_S_IFDIR))
		return check_say(c, AT_INODE(CHECK_INODE, ino), "the root is no directory");
	if (is_blank(raw))
		return 0;
	if (!is_expected(c, ino))
		return check_say(c, AT_INODE(CHECK_INODE, ino), "is reserved, but not blank");
	if (ino != EXT4_RESIZE_INO)
		return check_live_inode(c, ino, raw);
	err = note_inode(c, ino, raw);
	if (!err)
		err = judge_inode(c, ino, raw, &usable);
	return err || !usable ? err : check_resize_inode(c, raw);
}

/* ---- tables */

static int check_inode(struct check *c, uint32_t ino, const struct ext4_inode *raw, bool marked)
{
	const struct inode_note *n = check_note(c, ino);
	struct check_group *g = &c->groups[ext4_group_of_inode(&c->geo, ino)];
	bool orphan = n && n->flags & NOTE_ORPHAN;
	int err = 0;

	if (ino < c->geo.first_ino) {
		g->inodes_used++;
		if (!marked)
			err = check_say(c, AT_INODE(CHECK_INODE_BITMAP, ino),
					"is reserved, but marked free");
		return err ? err : check_reserved_inode(c, ino, raw);
	}
	if (le16_get(raw->i_links_count) == 0 && !orphan) {
		if (marked)
			err = check_say(c, AT_INODE(CHECK_INODE_BITMAP, ino),
					"is marked in use, but has no links and is no orphan");
		return err;
	}
	g->inodes_used++;
	c->report->inodes_used++;
	if (!marked)
		err = check_say(c, AT_INODE(CHECK_INODE_BITMAP, ino), "is in use, but marked free");
	return err ? err : check_live_inode(c, ino, raw);
}

/* The first `count` inodes of the group's table. */
static int check_table(struct check *c, ext4_group_t group, const uint8_t *bitmap, uint32_t count)
{
	uint32_t per_block = c->geo.inodes_per_block,
		 first_ino = group * c->geo.inodes_per_group + 1;
	ext4_fsblk_t table = c->groups[group].d.inode_table;
	int err = 0;

	for (uint32_t i = 0; !err && i < count; i++) {
		if (i % per_block == 0)
			err = check_read(c, table + i / per_block, c->table_block);
		if (!err)
			err = check_inode(
				c, first_ino + i,
				(const void *)(c->table_block +
					       (size_t)(i % per_block) * c->geo.inode_size),
				bitmap_test(bitmap, i));
	}
	return err;
}

static int check_unused_part(struct check *c, ext4_group_t group, const uint8_t *bitmap,
			     uint32_t from)
{
	uint32_t per_group = c->geo.inodes_per_group, i = bitmap_next_one(bitmap, per_group, from);
	uint32_t ino = group * per_group + i + 1;

	if (i == per_group)
		return 0;
	return check_say(c, AT_INODE(CHECK_INODE_BITMAP, ino),
			 "is marked in use, but lies where the table was never used");
}

static int check_bitmap_padding(struct check *c, ext4_group_t group, const uint8_t *bitmap)
{
	uint32_t used = c->geo.inodes_per_group, all = c->geo.block_size * 8;

	if (bitmap_all_ones(bitmap, used, all - used))
		return 0;
	return check_say(c, AT_GROUP(CHECK_INODE_BITMAP, group),
			 "bit %" PRIu32 ", behind the last of %" PRIu32 ", is not set",
			 bitmap_next_zero(bitmap, all, used), used);
}

static int check_group_inodes(struct check *c, ext4_group_t group)
{
	const struct check_group *g = &c->groups[group];
	uint32_t used = c->geo.inodes_per_group - g->d.itable_unused;
	int err;

	if (!g->usable)
		return 0;
	if (g->d.flags & EXT4_BG_INODE_UNINIT)
		return 0;
	err = check_read(c, g->d.inode_bitmap, c->bitmap_block);
	if (!err)
		err = check_bitmap_padding(c, group, c->bitmap_block);
	if (!err)
		err = check_unused_part(c, group, c->bitmap_block, used);
	return err ? err : check_table(c, group, c->bitmap_block, used);
}

int check_inodes(struct check *c)
{
	int err = 0;

	for (ext4_group_t g = 0; !err && g < c->geo.groups_count; g++)
		err = check_group_inodes(c, g);
	return err;
}
