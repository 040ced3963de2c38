/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kinds of buffers (kinds.h). A verifier's reason becomes one message with the place in it.
 */
#include "ext4/kinds.h"
#include "ext4/csum.h"
#include "ext4/disk.h"
#include "ext4/fs.h"
#include "ext4/verify.h"

static int report(struct ext4_fs *fs, const char *what, uint64_t block, uint64_t ino, int err,
		  const struct ext4_verdict *v)
{
	return err ? ext4_error_at(fs, what, ino, block, err, "%s", v->reason) : 0;
}

void ext4_block_damaged(void *user, const struct buffer_damage *d)
{
	bool is_bitmap = d->kind == &ext4_kind_block_bitmap || d->kind == &ext4_kind_inode_bitmap;

	ignore_result(ext4_error_at(user, d->kind ? d->kind->name : "block",
				    is_bitmap ? 0 : d->owner->ino, d->block, -EFSCORRUPTED, "%s",
				    d->why));
}

/*
 * The descriptor of a group whose bitmap is being read: its buffer is held since the group was
 * made.
 */
static const struct ext4_group_desc *descriptor_of(struct ext4_fs *fs, uint64_t group)
{
	struct buffer *b = fs->gdt[group / fs->geo.desc_per_block];

	return (const void *)(b->data + (group % fs->geo.desc_per_block) * fs->geo.desc_size);
}

static int verify_block_bitmap(void *user, uint64_t block, const uint8_t *data,
			       const struct buffer_owner *o)
{
	struct ext4_fs *fs = user;
	struct ext4_verdict v;

	return report(fs, "block bitmap", block, 0,
		      ext4_verify_block_bitmap(&fs->geo, (uint32_t)o->ino,
					       descriptor_of(fs, o->ino), data, &v),
		      &v);
}

static int verify_inode_bitmap(void *user, uint64_t block, const uint8_t *data,
			       const struct buffer_owner *o)
{
	struct ext4_fs *fs = user;
	struct ext4_verdict v;

	return report(fs, "inode bitmap", block, 0,
		      ext4_verify_inode_bitmap(&fs->geo, (uint32_t)o->ino,
					       descriptor_of(fs, o->ino), data, &v),
		      &v);
}

static int verify_extent(void *user, uint64_t block, const uint8_t *data,
			 const struct buffer_owner *o)
{
	struct ext4_fs *fs = user;
	struct ext4_verdict v;

	return report(fs, "extent node", block, o->ino,
		      ext4_verify_extent_block(&fs->geo, o->csum_seed, data, &v), &v);
}

static void seal_extent(void *user, uint64_t block, uint8_t *data, const struct buffer_owner *o)
{
	(void)block;
	ext4_extent_block_csum_set(&((struct ext4_fs *)user)->geo, o->csum_seed, data);
}

static int verify_indirect(void *user, uint64_t block, const uint8_t *data,
			   const struct buffer_owner *o)
{
	struct ext4_fs *fs = user;
	struct ext4_verdict v;

	return report(fs, "indirect block", block, o->ino,
		      ext4_verify_indirect_block(&fs->geo, data, &v), &v);
}

/*
 * A block of a directory is one kind whoever reads it: in an indexed one it holds entries or is an
 * inner node of the tree, and only the tree knows which.
 */
static int verify_dir(void *user, uint64_t block, const uint8_t *data, const struct buffer_owner *o)
{
	struct ext4_fs *fs = user;
	struct ext4_verdict v;

	if (ext4_is_dx_node(&fs->geo, data))
		return report(fs, "hash tree node", block, o->ino,
			      ext4_verify_dx_node(&fs->geo, o->csum_seed, data, &v), &v);
	return report(fs, "directory block", block, o->ino,
		      ext4_verify_dir_block(&fs->geo, o->csum_seed, data, &v), &v);
}

static void seal_dir(void *user, uint64_t block, uint8_t *data, const struct buffer_owner *o)
{
	struct ext4_fs *fs = user;

	(void)block;
	if (ext4_is_dx_node(&fs->geo, data))
		ext4_dx_csum_set(&fs->geo, o->csum_seed, data, EXT4_DX_NODE_ENTRIES);
	else
		ext4_dir_block_csum_set(&fs->geo, o->csum_seed, data);
}

static int verify_dx_root(void *user, uint64_t block, const uint8_t *data,
			  const struct buffer_owner *o)
{
	struct ext4_fs *fs = user;
	struct ext4_verdict v;

	return report(fs, "hash tree root", block, o->ino,
		      ext4_verify_dx_root(&fs->geo, o->csum_seed, data, &v), &v);
}

static void seal_dx_root(void *user, uint64_t block, uint8_t *data, const struct buffer_owner *o)
{
	(void)block;
	ext4_dx_csum_set(&((struct ext4_fs *)user)->geo, o->csum_seed, data, EXT4_DX_ROOT_ENTRIES);
}

static int verify_xattr(void *user, uint64_t block, const uint8_t *data,
			const struct buffer_owner *o)
{
	struct ext4_fs *fs = user;
	struct ext4_verdict v;

	return report(fs, "attribute block", block, o->ino,
		      ext4_verify_xattr_block(&fs->geo, block, data, &v), &v);
}

static void seal_xattr(void *user, uint64_t block, uint8_t *data, const struct buffer_owner *o)
{
	(void)o;
	ext4_xattr_block_csum_set(&((struct ext4_fs *)user)->geo, block, data);
}

static int verify_orphan(void *user, uint64_t block, const uint8_t *data,
			 const struct buffer_owner *o)
{
	struct ext4_fs *fs = user;
	struct ext4_verdict v;

	return report(fs, "orphan file", block, o->ino,
		      ext4_verify_orphan_block(&fs->geo, o->csum_seed, block, data, &v), &v);
}

static void seal_orphan(void *user, uint64_t block, uint8_t *data, const struct buffer_owner *o)
{
	ext4_orphan_block_csum_set(&((struct ext4_fs *)user)->geo, o->csum_seed, block, data);
}

/* The primary superblock: byte 1024, wherever its block begins. */
static void seal_super(void *user, uint64_t block, uint8_t *data, const struct buffer_owner *o)
{
	struct ext4_fs *fs = user;
	uint32_t in_block = block ? 0 : EXT4_SUPER_OFFSET % fs->geo.block_size;

	(void)o;
	ext4_super_csum_set((void *)(data + in_block));
}

const struct buffer_kind ext4_kind_super = { "superblock", NULL, seal_super };
const struct buffer_kind ext4_kind_gdt = { "group descriptors", NULL, NULL };
const struct buffer_kind ext4_kind_block_bitmap = { "block bitmap", verify_block_bitmap, NULL };
const struct buffer_kind ext4_kind_inode_bitmap = { "inode bitmap", verify_inode_bitmap, NULL };
const struct buffer_kind ext4_kind_inode_table = { "inode table", NULL, NULL };
const struct buffer_kind ext4_kind_extent = { "extent node", verify_extent, seal_extent };
const struct buffer_kind ext4_kind_indirect = { "indirect block", verify_indirect, NULL };
const struct buffer_kind ext4_kind_dir = { "directory block", verify_dir, seal_dir };
const struct buffer_kind ext4_kind_dx_root = { "hash tree root", verify_dx_root, seal_dx_root };
const struct buffer_kind ext4_kind_xattr = { "attribute block", verify_xattr, seal_xattr };
const struct buffer_kind ext4_kind_orphan = { "orphan file block", verify_orphan, seal_orphan };
const struct buffer_kind ext4_kind_symlink = { "symbolic link", NULL, NULL };
const struct buffer_kind ext4_kind_data = { "journaled data", NULL, NULL };
