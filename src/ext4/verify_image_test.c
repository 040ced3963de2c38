/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shows that the verifiers accept whatever mke2fs, debugfs and e2fsck write, and that making a
 * checksum again gives the bytes that were there: every descriptor, bitmap, inode, extent node,
 * directory block, hash tree node, attribute block and orphan block of images of many kinds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/bitmap.h"
#include "ext4/csum.h"
#include "ext4/disk.h"
#include "ext4/test_image.h"
#include "ext4/verify.h"

struct walk {
	struct test_image img;
	struct ext4_geometry geo;
	struct ext4_verdict v;
	unsigned extent_blocks, indirect_blocks, dir_blocks, dx_nodes, xattr_blocks, orphan_blocks,
		inodes;
};

static uint8_t *block_of(struct walk *w, ext4_fsblk_t pblk)
{
	assert_true(pblk < w->geo.blocks_count);
	return w->img.bytes + (pblk << w->geo.block_bits);
}

static void expect_ok(struct walk *w, int err)
{
	if (err)
		(void)printf("refused: %s\n", w->v.reason);
	assert_int_equal(err, 0);
}

/* What a _set function does to a block that is right already: nothing. */
static void expect_same(struct walk *w, const uint8_t *block,
			void (*set)(struct walk *, uint8_t *, uint64_t), size_t len, uint64_t arg)
{
	uint8_t *copy = malloc(len);

	memcpy(copy, block, len);
	set(w, copy, arg);
	assert_memory_equal(copy, block, len);
	free(copy);
}

struct file {
	struct walk *w;
	uint32_t ino, seed;
	const struct ext4_inode *raw;
	bool is_dir, has_index;
};

static void set_dir(struct walk *w, uint8_t *b, uint64_t seed)
{
	ext4_dir_block_csum_set(&w->geo, (uint32_t)seed, b);
}
static void set_root(struct walk *w, uint8_t *b, uint64_t seed)
{
	ext4_dx_csum_set(&w->geo, (uint32_t)seed, b, EXT4_DX_ROOT_ENTRIES);
}
static void set_node(struct walk *w, uint8_t *b, uint64_t seed)
{
	ext4_dx_csum_set(&w->geo, (uint32_t)seed, b, EXT4_DX_NODE_ENTRIES);
}
static void set_extent(struct walk *w, uint8_t *b, uint64_t seed)
{
	ext4_extent_block_csum_set(&w->geo, (uint32_t)seed, b);
}
static void set_xattr(struct walk *w, uint8_t *b, uint64_t pblk)
{
	ext4_xattr_block_csum_set(&w->geo, pblk, b);
}
static void set_inode(struct walk *w, uint8_t *b, uint64_t ino)
{
	ext4_inode_csum_set(&w->geo, (uint32_t)ino, (struct ext4_inode *)b);
}
static void set_descriptor(struct walk *w, uint8_t *b, uint64_t group)
{
	ext4_descriptor_csum_set(&w->geo, (uint32_t)group, (struct ext4_group_desc *)b);
}

static void check_dir_block(struct file *f, uint32_t lblk, const uint8_t *block)
{
	struct walk *w = f->w;

	if (lblk == 0)
		expect_ok(w, ext4_verify_dir_dots(&w->geo, f->ino, block, &w->v));
	if (f->has_index && lblk == 0) {
		w->dx_nodes++;
		expect_ok(w, ext4_verify_dx_root(&w->geo, f->seed, block, &w->v));
		expect_same(w, block, set_root, w->geo.block_size, f->seed);
	} else if (f->has_index && ext4_looks_like_dx_node(&w->geo, block)) {
		w->dx_nodes++;
		expect_ok(w, ext4_verify_dx_node(&w->geo, f->seed, block, &w->v));
		expect_same(w, block, set_node, w->geo.block_size, f->seed);
	} else {
		w->dir_blocks++;
		expect_ok(w, ext4_verify_dir_block(&w->geo, f->seed, block, &w->v));
		expect_same(w, block, set_dir, w->geo.block_size, f->seed);
	}
}

static void check_data(struct file *f, uint32_t lblk, ext4_fsblk_t pblk)
{
	struct walk *w = f->w;

	if (f->is_dir)
		check_dir_block(f, lblk, block_of(w, pblk));
	if (f->ino == w->geo.orphan_file_inum) {
		w->orphan_blocks++;
		expect_ok(w, ext4_verify_orphan_block(&w->geo, f->seed, pblk, block_of(w, pblk),
						      &w->v));
	}
}

static void check_node(struct file *f, const uint8_t *node)
{
	const struct ext4_extent_header *eh = (const struct ext4_extent_header *)node;
	const struct ext4_extent *e = (const struct ext4_extent *)(eh + 1);
	const struct ext4_extent_idx *ix = (const struct ext4_extent_idx *)(eh + 1);
	unsigned count = le16_get(eh->eh_entries), depth = le16_get(eh->eh_depth);

	for (unsigned i = 0; i < count && depth == 0; i++)
		for (uint32_t k = 0; k < ext4_extent_len(&e[i]); k++)
			check_data(f, le32_get(e[i].ee_block) + k, ext4_extent_start(&e[i]) + k);
	for (unsigned i = 0; i < count && depth > 0; i++) {
		const uint8_t *child = block_of(f->w, ext4_idx_leaf(&ix[i]));
		uint32_t last = i + 1 < count ? le32_get(ix[i + 1].ei_block) - 1 : EXT4_MAX_LBLK;

		f->w->extent_blocks++;
		expect_ok(f->w, ext4_verify_extent_block(&f->w->geo, f->seed, child, &f->w->v));
		expect_ok(f->w, ext4_verify_extent_place(child, (uint16_t)(depth - 1),
							 le32_get(ix[i].ei_block), last, &f->w->v));
		expect_same(f->w, child, set_extent, f->w->geo.block_size, f->seed);
		check_node(f, child);
	}
}

static void check_pointers(struct file *f, ext4_fsblk_t pblk, unsigned level, uint64_t *lblk)
{
	uint64_t pointers = f->w->geo.block_size / 4, span = 1;

	for (unsigned i = 0; i < level; i++)
		span *= pointers;
	if (pblk == 0) {
		*lblk += span;
	} else if (level == 0) {
		check_data(f, (uint32_t)(*lblk)++, pblk);
	} else {
		const le32 *p = (const le32 *)block_of(f->w, pblk);

		f->w->indirect_blocks++;
		expect_ok(f->w,
			  ext4_verify_indirect_block(&f->w->geo, (const uint8_t *)p, &f->w->v));
		for (uint64_t i = 0; i < pointers; i++)
			check_pointers(f, le32_get(p[i]), level - 1, lblk);
	}
}

static void check_map(struct file *f)
{
	uint64_t lblk = 0;

	if (!ext4_raw_has_map(&f->w->geo, f->raw))
		return;
	if (le32_get(f->raw->i_flags) & EXT4_EXTENTS_FL) {
		check_node(f, (const uint8_t *)f->raw->i_block);
		return;
	}
	for (unsigned i = 0; i < EXT4_N_BLOCKS; i++)
		check_pointers(f, le32_get(f->raw->i_block[i]),
			       i < EXT4_NDIR_BLOCKS ? 0 : i - EXT4_NDIR_BLOCKS + 1, &lblk);
}

static void check_inode(struct walk *w, uint32_t ino, const struct ext4_inode *raw)
{
	struct file f = { .w = w, .ino = ino, .raw = raw };
	ext4_fsblk_t acl = ext4_raw_file_acl(&w->geo, raw);

	if (ino < w->geo.first_ino && ino != EXT4_ROOT_INO && ino != EXT4_JOURNAL_INO)
		return;
	w->inodes++;
	f.seed = ext4_inode_csum_seed(&w->geo, ino, le32_get(raw->i_generation));
	f.is_dir = ext4_raw_is(raw, EXT4_S_IFDIR);
	f.has_index = le32_get(raw->i_flags) & EXT4_INDEX_FL;
	expect_ok(w, ext4_verify_inode(&w->geo, ino, raw, &w->v));
	expect_same(w, (const uint8_t *)raw, set_inode, w->geo.inode_size, ino);
	check_map(&f);
	if (acl) {
		w->xattr_blocks++;
		expect_ok(w, ext4_verify_xattr_block(&w->geo, acl, block_of(w, acl), &w->v));
		expect_same(w, block_of(w, acl), set_xattr, w->geo.block_size, acl);
	}
}

static void check_group(struct walk *w, ext4_group_t group)
{
	const struct ext4_geometry *geo = &w->geo;
	const struct ext4_group_desc *desc =
		(const void *)(block_of(w,
					ext4_descriptor_block(geo, group / geo->desc_per_block)) +
			       group % geo->desc_per_block * geo->desc_size);
	struct ext4_descriptor d;
	const uint8_t *inodes;

	expect_ok(w, ext4_verify_descriptor(geo, group, desc, &w->v));
	expect_same(w, (const uint8_t *)desc, set_descriptor, geo->desc_size, group);
	ext4_descriptor_read(geo, desc, &d);
	if (!(d.flags & EXT4_BG_BLOCK_UNINIT))
		expect_ok(w, ext4_verify_block_bitmap(geo, group, desc, block_of(w, d.block_bitmap),
						      &w->v));
	if (d.flags & EXT4_BG_INODE_UNINIT)
		return;
	inodes = block_of(w, d.inode_bitmap);
	expect_ok(w, ext4_verify_inode_bitmap(geo, group, desc, inodes, &w->v));
	for (uint32_t i = 0; i < geo->inodes_per_group; i++)
		if (bitmap_test(inodes, i))
			check_inode(w, group * geo->inodes_per_group + i + 1,
				    (const void *)(block_of(w, d.inode_table) +
						   (size_t)i * geo->inode_size));
}

static void walk_image(struct walk *w, const char *options, const char *size, unsigned names)
{
	const struct ext4_super_block *sb;
	struct ext4_super_block copy;

	*w = (struct walk){ 0 };
	test_image_make(&w->img, options, size, names);
	sb = (const void *)(w->img.bytes + EXT4_SUPER_OFFSET);
	expect_ok(w, ext4_geometry_from_super(sb, w->img.size, &w->geo, &w->v));
	copy = *sb;
	ext4_super_csum_set(&copy);
	assert_memory_equal(&copy, sb, sizeof(copy));
	for (ext4_group_t g = 0; g < w->geo.groups_count; g++)
		check_group(w, g);
	test_image_unmap(&w->img);
	assert_true(w->inodes > 10 && w->dir_blocks > 1 && w->xattr_blocks > 0);
}

static void a_default_image(void **state)
{
	struct walk w;

	walk_image(&w, "-t ext4", "64M", 300);
	assert_true(w.extent_blocks > 0 && w.dx_nodes > 0);
}

static void a_newer_image_of_small_blocks(void **state)
{
	struct walk w;

	walk_image(&w, "-t ext4 -b 1024 -O orphan_file,metadata_csum_seed", "64M", 5000);
	assert_true(w.extent_blocks > 1 && w.dx_nodes > 2 && w.orphan_blocks > 0);
}

static void an_image_of_large_blocks(void **state)
{
	struct walk w;

	walk_image(&w, "-t ext4 -b 65536 -O orphan_file -N 8192", "128M", 6000);
	assert_true(w.dx_nodes > 0 && w.orphan_blocks > 0);
}

static void images_without_extents(void **state)
{
	struct walk w;

	walk_image(&w, "-t ext3 -b 1024 -I 128", "32M", 100);
	assert_true(w.indirect_blocks > 2 && w.dx_nodes > 0);
	walk_image(&w, "-t ext2 -b 2048 -O ^dir_index", "32M", 100);
	assert_true(w.indirect_blocks > 1 && w.dx_nodes == 0);
}

static void images_of_other_layouts(void **state)
{
	static const char *const options[] = {
		"-t ext4 -b 1024 -O ^metadata_csum,uninit_bg",
		"-t ext4 -b 1024 -O ^metadata_csum,^64bit,^flex_bg",
		"-t ext4 -b 1024 -O ^64bit,^flex_bg,^resize_inode -I 128",
		"-t ext4 -b 2048 -O meta_bg,^resize_inode -g 1024",
		"-t ext4 -b 1024 -O sparse_super2,^resize_inode -I 512",
		"-t ext4 -b 1024 -O ^sparse_super,^resize_inode -g 2048",
		"-t ext4 -b 4096 -O bigalloc -C 16384",
		"-t ext4 -b 1024 -O bigalloc -C 8192",
	};
	struct walk w;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		walk_image(&w, options[i], "48M", 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_default_image),
		cmocka_unit_test(a_newer_image_of_small_blocks),
		cmocka_unit_test(an_image_of_large_blocks),
		cmocka_unit_test(images_without_extents),
		cmocka_unit_test(images_of_other_layouts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
