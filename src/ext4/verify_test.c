/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shows that each field of an inode, an extent node, a block of pointers, a directory block, a hash
 * tree node, an attribute list and an orphan block that must not be what it is gets refused, with
 * right checksums, and that a wrong checksum is found. Blocks are made by hand; a case changes
 * bytes of a valid one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "ext4/csum.h"
#include "ext4/disk.h"
#include "ext4/verify.h"

#define SEED 0x12345678u
#define INO  40u

static const struct ext4_geometry geo = {
	.block_size = 1024,
	.block_bits = 10,
	.cluster_ratio = 1,
	.first_data_block = 1,
	.super_block = 1,
	.blocks_count = 20000,
	.groups_count = 3,
	.blocks_per_group = 8192,
	.inodes_per_group = 512,
	.inodes_count = 1536,
	.first_ino = 11,
	.inode_size = 256,
	.feature_incompat = EXT4_FEATURE_INCOMPAT_EXTENTS | EXT4_FEATURE_INCOMPAT_64BIT,
	.metadata_csum = true,
	.has_64bit = true,
	.csum_seed = 99,
};

struct change {
	size_t offset;
	unsigned size;
	uint64_t value;
	const char *reason; /* NULL: still fine */
};

static void put(uint8_t *block, const struct change *c)
{
	le64 bytes = le64_of(c->value);

	memcpy(block + c->offset, bytes.b, c->size);
}

static void expect(int err, const char *reason, const struct ext4_verdict *v)
{
	if ((err == -EFSCORRUPTED) != (reason != NULL) || (reason && !strstr(v->reason, reason)))
		(void)printf("%d: %s; not: %s\n", err, v->reason, reason ? reason : "fine");
	assert_int_equal(err, reason ? -EFSCORRUPTED : 0);
	if (reason)
		assert_non_null(strstr(v->reason, reason));
}

/* How one kind of block is made, sealed and verified. */
struct kind {
	void (*make)(uint8_t *block);
	void (*seal)(uint8_t *block);
	int (*verify)(const uint8_t *block, struct ext4_verdict *v);
	size_t size;
	bool has_csum;
};

static void run_cases(const struct kind *k, const struct change *cases, size_t count)
{
	struct ext4_verdict v = { { 0 } };
	uint8_t block[1024];

	for (size_t i = 0; i < count; i++) {
		memset(block, 0, sizeof(block));
		k->make(block);
		if (k->seal)
			k->seal(block);
		expect(k->verify(block, &v), NULL, &v);
		put(block, &cases[i]);
		if (k->seal)
			k->seal(block);
		expect(k->verify(block, &v), cases[i].reason, &v);
	}
	if (!k->has_csum)
		return;
	memset(block, 0, sizeof(block));
	k->make(block);
	k->seal(block);
	block[k->size - 1] ^= 1;
	assert_int_equal(k->verify(block, &v), -EFSBADCRC);
}

/* ---- extents */

static void put_header(uint8_t *node, uint16_t entries, uint16_t limit, uint16_t depth)
{
	struct ext4_extent_header *eh = (struct ext4_extent_header *)node;

	eh->eh_magic = le16_of(EXT4_EXT_MAGIC);
	eh->eh_entries = le16_of(entries);
	eh->eh_max = le16_of(limit);
	eh->eh_depth = le16_of(depth);
}

/* Two extents: 0 to 9 at 100, and 10 to 19 at 200, unwritten. */
static void make_leaf(uint8_t *node)
{
	struct ext4_extent *e = (struct ext4_extent *)(node + 12);

	put_header(node, 2, 84, 0);
	e[0].ee_len = le16_of(10);
	ext4_extent_set_start(&e[0], 100);
	e[1].ee_block = le32_of(10);
	e[1].ee_len = le16_of(32768 + 10);
	ext4_extent_set_start(&e[1], 200);
}

static void make_index(uint8_t *node)
{
	struct ext4_extent_idx *ix = (struct ext4_extent_idx *)(node + 12);

	put_header(node, 2, 84, 1);
	ext4_idx_set_leaf(&ix[0], 300);
	ix[1].ei_block = le32_of(50);
	ext4_idx_set_leaf(&ix[1], 301);
}

static void seal_extent(uint8_t *node)
{
	ext4_extent_block_csum_set(&geo, SEED, node);
}

static int verify_extent(const uint8_t *node, struct ext4_verdict *v)
{
	return ext4_verify_extent_block(&geo, SEED, node, v);
}

static void each_field_of_an_extent_leaf(void **state)
{
	static const struct kind leaf = { make_leaf, seal_extent, verify_extent, 1024, true };
	static const struct change cases[] = {
		{ 0, 2, 0xf30b, "magic number 0xf30b" },
		{ 2, 2, 85, "85 of 84" },
		{ 2, 2, 0, NULL },
		{ 4, 2, 0, "0 entries at most" },
		{ 4, 2, 85, "85 entries at most" },
		{ 4, 2, 83, NULL },
		{ 6, 2, 6, "depth 6" },
		{ 6, 2, 5, "depth 5 below the root" },
		{ 12, 4, 1, "comes after 10" },
		{ 16, 2, 0, "extent 0: no blocks" },
		{ 16, 2, 11, "extent 1: logical block 10 comes after 10" },
		{ 16, 2, 9, NULL },
		{ 18, 2, 1, "outside the file system" },
		{ 20, 4, 1, "outside the file system" },
		{ 20, 4, 19990, NULL },
		{ 20, 4, 19991, "blocks 19991 to 20000 lie outside" },
		{ 24, 4, 0xfffffff5, NULL },
		{ 24, 4, 0xfffffff6, "ends with logical block 4294967295" },
		{ 28, 2, 32768, "outside the file system" },
		{ 28, 2, 32769, NULL },
	};

	run_cases(&leaf, cases, array_size(cases));
}

static void each_field_of_an_extent_index(void **state)
{
	static const struct kind index = { make_index, seal_extent, verify_extent, 1024, true };
	static const struct change cases[] = {
		{ 2, 2, 0, "no entry at depth 1" },
		{ 16, 4, 0, "index 0: block 0" },
		{ 16, 4, 20000, "index 0: block 20000" },
		{ 20, 2, 1, "outside the file system" },
		{ 24, 4, 0, "index 1: logical block 0 comes after 0" },
		{ 24, 4, 0xfffffffe, NULL },
	};

	run_cases(&index, cases, array_size(cases));
}

static void a_node_and_its_place(void **state)
{
	uint8_t leaf[1024] = { 0 }, index[1024] = { 0 };
	struct ext4_verdict v;

	make_leaf(leaf);
	make_index(index);
	expect(ext4_verify_extent_place(leaf, 0, 0, 19, &v), NULL, &v);
	expect(ext4_verify_extent_place(leaf, 0, 0, 18, &v), "block 19, over 18", &v);
	expect(ext4_verify_extent_place(leaf, 0, 1, 30, &v), "block 0, not 1", &v);
	expect(ext4_verify_extent_place(leaf, 1, 0, 30, &v), "depth 0, not 1", &v);
	expect(ext4_verify_extent_place(index, 1, 0, 50, &v), NULL, &v);
	expect(ext4_verify_extent_place(index, 1, 0, 49, &v), "block 50, over 49", &v);
}

static void a_block_of_pointers(void **state)
{
	uint8_t block[1024] = { 0 };
	struct change c = { 1020, 4, 19999, NULL };
	struct ext4_verdict v;

	put(block, &c);
	expect(ext4_verify_indirect_block(&geo, block, &v), NULL, &v);
	c.value = 20000;
	put(block, &c);
	expect(ext4_verify_indirect_block(&geo, block, &v), "pointer 255: block 20000", &v);
}

/* ---- inode */

static void make_file(uint8_t *bytes)
{
	struct ext4_inode *raw = (struct ext4_inode *)bytes;

	raw->i_mode = le16_of(EXT4_S_IFREG | 0644);
	raw->i_links_count = le16_of(1);
	raw->i_size_lo = le32_of(20000);
	raw->i_flags = le32_of(EXT4_EXTENTS_FL);
	raw->i_extra_isize = le16_of(32);
	make_leaf((uint8_t *)raw->i_block);
	put_header((uint8_t *)raw->i_block, 2, 4, 0);
}

static void make_mapped_dir(uint8_t *bytes)
{
	struct ext4_inode *raw = (struct ext4_inode *)bytes;

	make_file(bytes);
	raw->i_mode = le16_of(EXT4_S_IFDIR | 0755);
	raw->i_flags = le32_of(0);
	raw->i_size_lo = le32_of(2048);
	memset(raw->i_block, 0, sizeof(raw->i_block));
	raw->i_block[14] = le32_of(19999);
}

static void seal_inode(uint8_t *bytes)
{
	ext4_inode_csum_set(&geo, INO, (struct ext4_inode *)bytes);
}

static int verify_inode(const uint8_t *bytes, struct ext4_verdict *v)
{
	return ext4_verify_inode(&geo, INO, (const struct ext4_inode *)bytes, v);
}

static void each_field_of_an_inode(void **state)
{
	static const struct kind file = { make_file, seal_inode, verify_inode, 256, true };
	static const struct change cases[] = {
		{ 0x00, 2, 0644, "mode 0000644" },
		{ 0x00, 2, 0xb000, "mode 0130000" },
		{ 0x00, 2, 0x4000, "directory of 20000 bytes" },
		{ 0x00, 2, 0xa000, "symbolic link of 20000 bytes" },
		{ 0x00, 2, 0x1000, NULL },
		{ 0x6c, 4, 0x80000000, "size 9223372036854795808" },
		{ 0x6c, 4, 0x400, "size 4398046531104" },
		{ 0x6c, 4, 0x3ff, NULL },
		{ 0x20, 4, 0x280000, "ea_inode" },
		{ 0x20, 4, 0x10080000, "inline_data" },
		{ 0x20, 4, 0x80800, "encrypt" },
		{ 0x20, 4, 0x40080000, "casefold" },
		{ 0x20, 4, 0, "pointer 0: block 193290" },
		{ 0x28, 2, 0, "magic number 0x0000" },
		{ 0x2c, 2, 5, "5 entries at most" },
		{ 0x68, 4, 20000, "attribute block 20000" },
		{ 0x68, 4, 19999, NULL },
		{ 0x76, 2, 1, "attribute block 4294967296" },
		{ 0x80, 2, 132, "extra size 132" },
		{ 0x80, 2, 128, NULL },
		{ 0x80, 2, 30, "extra size 30" },
		{ 0xa0, 4, EXT4_XATTR_MAGIC, NULL },
	};

	run_cases(&file, cases, array_size(cases));
}

static void make_mapped_file(uint8_t *bytes)
{
	struct ext4_inode *raw = (struct ext4_inode *)bytes;

	make_mapped_dir(bytes);
	raw->i_mode = le16_of(EXT4_S_IFREG | 0644);
}

static void size_of_a_mapped_file(void **state)
{
	static const struct kind file = { make_mapped_file, seal_inode, verify_inode, 256, true };
	static const struct change cases[] = {
		{ 0x6c, 4, 4, NULL },
		{ 0x6c, 4, 5, "size 21474838528" },
	};

	run_cases(&file, cases, array_size(cases));
}

static void each_field_of_a_mapped_directory(void **state)
{
	static const struct kind dir = { make_mapped_dir, seal_inode, verify_inode, 256, true };
	static const struct change cases[] = {
		{ 0x04, 4, 2049, "2049 bytes" },
		{ 0x04, 4, 0, "directory of 0 bytes" },
		{ 0x04, 4, 20001 * 1024, "bytes in a file system of 20000 blocks" },
		{ 0x60, 4, 20000, "pointer 14: block 20000" },
		{ 0x20, 4, EXT4_EXTENTS_FL, "magic number" },
	};

	run_cases(&dir, cases, array_size(cases));
}

static void a_removed_directory(void **state)
{
	uint8_t bytes[256] = { 0 };
	struct ext4_verdict v;

	make_mapped_dir(bytes);
	put(bytes, &(struct change){ 0x04, 4, 0, NULL });
	put(bytes, &(struct change){ 0x1a, 2, 0, NULL });
	seal_inode(bytes);
	expect(verify_inode(bytes, &v), NULL, &v);
}

/* ---- directory */

static uint32_t put_entry(uint8_t *block, uint32_t at, uint32_t ino, uint32_t rec_len,
			  const char *name)
{
	struct ext4_dir_entry_2 *de = (struct ext4_dir_entry_2 *)(block + at);

	de->inode = le32_of(ino);
	de->rec_len = ext4_rec_len_of(&geo, rec_len);
	de->name_len = (uint8_t)strlen(name);
	de->file_type = EXT4_FT_REG_FILE;
	memcpy(de->name, name, strlen(name));
	return at + rec_len;
}

/* At 0 ".", at 12 "..", at 24 "file", at 40 the rest; the tail at 1012. */
static void make_dir(uint8_t *block)
{
	uint32_t at = put_entry(block, 0, INO, 12, ".");

	at = put_entry(block, at, 2, 12, "..");
	at = put_entry(block, at, 41, 16, "file");
	(void)put_entry(block, at, 0, 1012 - at, "");
}

static void seal_dir(uint8_t *block)
{
	ext4_dir_block_csum_set(&geo, SEED, block);
}

static int verify_dir(const uint8_t *block, struct ext4_verdict *v)
{
	int err = ext4_verify_dir_block(&geo, SEED, block, v);

	return err ? err : ext4_verify_dir_dots(&geo, INO, block, v);
}

static void each_field_of_a_directory_block(void **state)
{
	static const struct kind dir = { make_dir, seal_dir, verify_dir, 1024, true };
	static const struct change cases[] = {
		{ 0, 4, 41, ". is inode 41" },
		{ 4, 2, 8, "record of 8 bytes" },
		{ 6, 1, 2, "zero byte" },
		{ 8, 1, 'x', "first entry" },
		{ 12, 4, 0, ".. is inode 0" },
		{ 12, 4, 1537, "inode 1537" },
		{ 20, 2, 0x2f2f, "slash" },
		{ 20, 1, 'x', "second entry" },
		{ 18, 1, 3, "zero byte" },
		{ 24, 4, 1537, "entry at 24: inode 1537" },
		{ 28, 2, 18, "record of 18 bytes" },
		{ 28, 2, 0, "record of 0 bytes" },
		{ 28, 2, 988, NULL },
		{ 28, 2, 992, "reaches over 1012" },
		{ 28, 2, 980, "leaves 8" },
		{ 30, 1, 0, "without a name" },
		{ 30, 1, 9, "name of 9 bytes in a record of 16" },
		{ 33, 1, '/', "slash" },
		{ 34, 1, 0, "zero byte" },
		{ 4, 2, 1012, "nothing follows" },
	};

	run_cases(&dir, cases, array_size(cases));
}

static void a_directory_block_without_tail(void **state)
{
	uint8_t block[1024] = { 0 };
	struct ext4_verdict v;

	make_dir(block);
	seal_dir(block);
	block[1019] = 0; /* det_reserved_ft */
	assert_int_equal(verify_dir(block, &v), -EFSBADCRC);
}

static void record_lengths_of_large_blocks(void **state)
{
	struct ext4_geometry large = geo;
	static const uint32_t lens[] = { 12, 4096, 65532, 65536 };

	large.block_size = 65536;
	for (size_t i = 0; i < array_size(lens); i++)
		assert_int_equal(ext4_rec_len_get(&large, ext4_rec_len_of(&large, lens[i])),
				 lens[i]);
	assert_int_equal(ext4_rec_len_get(&large, le16_of(0)), 65536);
	assert_int_equal(ext4_rec_len_get(&geo, le16_of(65535)), 65535);
}

/* ---- hash tree */

static void put_dx(uint8_t *block, uint32_t offset, uint16_t limit)
{
	struct dx_entry *e = (struct dx_entry *)(block + offset);
	struct dx_countlimit c = { .limit = le16_of(limit), .count = le16_of(3) };

	memcpy(e, &c, sizeof(c));
	e[0].block = le32_of(1);
	e[1] = (struct dx_entry){ .hash = le32_of(0x40000000), .block = le32_of(2) };
	e[2] = (struct dx_entry){ .hash = le32_of(0x40000001), .block = le32_of(3) };
}

static void make_root(uint8_t *block)
{
	struct dx_root *r = (struct dx_root *)block;

	(void)put_entry(block, 0, INO, 12, ".");
	(void)put_entry(block, 12, 2, 1012, "..");
	r->info.hash_version = EXT4_HASH_HALF_MD4;
	r->info.info_length = 8;
	put_dx(block, 32, 123);
}

static void seal_root(uint8_t *block)
{
	ext4_dx_csum_set(&geo, SEED, block, EXT4_DX_ROOT_ENTRIES);
}

static int verify_root(const uint8_t *block, struct ext4_verdict *v)
{
	return ext4_verify_dx_root(&geo, SEED, block, v);
}

static void each_field_of_a_hash_tree_root(void **state)
{
	static const struct kind root = { make_root, seal_root, verify_root, 1024, true };
	static const struct change cases[] = {
		{ 4, 2, 16, "records of 16 and 1012" },
		{ 16, 2, 1000, "records of 12 and 1000" },
		{ 24, 4, 1, "zero 1" },
		{ 28, 1, 6, "hash 6" },
		{ 28, 1, 5, NULL },
		{ 29, 1, 12, "length 12" },
		{ 30, 1, 2, "2 levels" },
		{ 30, 1, 1, NULL },
		{ 31, 1, 1, "flags 1" },
		{ 32, 2, 124, "limit 124, with room for 123" },
		{ 32, 2, 0, "limit 0" },
		{ 34, 2, 0, "0 of 123" },
		{ 34, 2, 124, "124 of 123" },
		{ 36, 4, 0, "entry 0 points at the root" },
		{ 40, 4, 0, "0x00000000 comes after 0x00000000" },
		{ 40, 4, 0x40000001, NULL },
		{ 40, 4, 0x40000002, "0x40000001 comes after 0x40000002" },
		{ 44, 4, 0x10000000, "entry 1 points at the root" },
	};

	run_cases(&root, cases, array_size(cases));
}

static void make_node(uint8_t *block)
{
	(void)put_entry(block, 0, 0, 1024, "");
	((struct dx_node *)block)->fake_file_type = 0;
	put_dx(block, 8, 126);
}

static void seal_node(uint8_t *block)
{
	ext4_dx_csum_set(&geo, SEED, block, EXT4_DX_NODE_ENTRIES);
}

static int verify_node(const uint8_t *block, struct ext4_verdict *v)
{
	return ext4_verify_dx_node(&geo, SEED, block, v);
}

static void each_field_of_a_hash_tree_node(void **state)
{
	static const struct kind node = { make_node, seal_node, verify_node, 1024, true };
	static const struct change cases[] = {
		{ 0, 4, 5, "inode 5" },
		{ 4, 2, 1020, "record of 1020" },
		{ 6, 1, 1, "name of 1" },
		{ 7, 1, 1, "inode 0" },
		{ 8, 2, 127, "limit 127, with room for 126" },
		{ 10, 2, 127, "127 of 126" },
		{ 16, 4, 0xffffffff, "comes after 0xffffffff" },
	};

	run_cases(&node, cases, array_size(cases));
}

/* ---- attributes */

/*
 * One attribute "ab" with a value of 5 bytes at the end, from `first` on in a room of `size` bytes.
 */
static void put_attribute(uint8_t *base, uint32_t first, uint32_t size)
{
	struct ext4_xattr_entry *e = (struct ext4_xattr_entry *)(base + first);

	e->e_name_len = 2;
	e->e_name_index = EXT4_XATTR_INDEX_USER;
	e->e_value_offs = le16_of((uint16_t)(size - 8));
	e->e_value_size = le32_of(5);
	memcpy(e->e_name, "ab", 2);
}

static void make_xattr(uint8_t *block)
{
	struct ext4_xattr_header *h = (struct ext4_xattr_header *)block;

	h->h_magic = le32_of(EXT4_XATTR_MAGIC);
	h->h_refcount = le32_of(1);
	h->h_blocks = le32_of(1);
	put_attribute(block, 32, 1024);
}

static void seal_xattr(uint8_t *block)
{
	ext4_xattr_block_csum_set(&geo, 500, block);
}

static int verify_xattr(const uint8_t *block, struct ext4_verdict *v)
{
	return ext4_verify_xattr_block(&geo, 500, block, v);
}

static void each_field_of_an_attribute_block(void **state)
{
	static const struct kind xattr = { make_xattr, seal_xattr, verify_xattr, 1024, true };
	static const struct change cases[] = {
		{ 0, 4, 1, "magic number 0x00000001" },
		{ 4, 4, 0, "no references" },
		{ 8, 4, 2, "2 blocks" },
		{ 32, 1, 3, "zero byte" },
		{ 34, 2, 48, "value of 5 bytes at 48" },
		{ 34, 2, 56, NULL },
		{ 34, 2, 1020, "at 1020" },
		{ 34, 2, 2000, "at 2000" },
		{ 36, 4, 7, "value in inode 7" },
		{ 40, 4, 9, "value of 9 bytes" },
		{ 40, 4, 0xfffffffd, "value of 4294967293 bytes" },
		{ 40, 4, 0, NULL },
		{ 48, 1, 0, "zero byte" },
	};

	run_cases(&xattr, cases, array_size(cases));
}

static void a_list_without_end(void **state)
{
	uint8_t block[1024];
	struct ext4_verdict v;

	memset(block, 0x41, sizeof(block));
	make_xattr(block);
	((struct ext4_xattr_entry *)(block + 32))->e_value_inum = le32_of(0);
	seal_xattr(block);
	expect(verify_xattr(block, &v), "value in inode 1094795585", &v);
	for (uint32_t at = 52; at < 1024; at++)
		block[at] = at % 4 < 2 ? 1 : 0xff;
	for (uint32_t at = 52; at + 20 <= 1024; at += 20)
		memset(block + at + 4, 0, 12);
	seal_xattr(block);
	expect(verify_xattr(block, &v), "attribute", &v);
}

static void make_inode_attributes(uint8_t *bytes)
{
	struct ext4_xattr_ibody_header *h = (struct ext4_xattr_ibody_header *)(bytes + 160);

	make_file(bytes);
	h->h_magic = le32_of(EXT4_XATTR_MAGIC);
	put_attribute(bytes + 164, 0, 92);
}

static void each_field_of_attributes_in_an_inode(void **state)
{
	static const struct kind xattr = { make_inode_attributes, seal_inode, verify_inode, 256,
					   true };
	static const struct change cases[] = {
		{ 160, 4, 0, NULL },
		{ 164, 1, 80, "reaches over the end" },
		{ 166, 2, 20, "value of 5 bytes at 20" },
		{ 166, 2, 92, "at 92" },
		{ 168, 4, 1, "value in inode 1" },
		{ 172, 4, 93, "value of 93 bytes" },
		{ 180, 2, 0, "zero byte" },
	};

	run_cases(&xattr, cases, array_size(cases));
}

/* ---- orphan file */

static void make_orphans(uint8_t *block)
{
	put(block, &(struct change){ 8, 4, 100, NULL });
	put(block, &(struct change){ 1016, 4, EXT4_ORPHAN_BLOCK_MAGIC, NULL });
}

static void seal_orphans(uint8_t *block)
{
	ext4_orphan_block_csum_set(&geo, SEED, 600, block);
}

static int verify_orphans(const uint8_t *block, struct ext4_verdict *v)
{
	return ext4_verify_orphan_block(&geo, SEED, 600, block, v);
}

static void each_field_of_an_orphan_block(void **state)
{
	static const struct kind orphans = { make_orphans, seal_orphans, verify_orphans, 1024,
					     true };
	static const struct change cases[] = {
		{ 1016, 4, 1, "magic number 0x00000001" },
		{ 1012, 4, 1537, "entry 253 is inode 1537" },
		{ 1012, 4, 1536, NULL },
	};

	run_cases(&orphans, cases, array_size(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field_of_an_extent_leaf),
		cmocka_unit_test(each_field_of_an_extent_index),
		cmocka_unit_test(a_node_and_its_place),
		cmocka_unit_test(a_block_of_pointers),
		cmocka_unit_test(each_field_of_an_inode),
		cmocka_unit_test(size_of_a_mapped_file),
		cmocka_unit_test(each_field_of_a_mapped_directory),
		cmocka_unit_test(a_removed_directory),
		cmocka_unit_test(each_field_of_a_directory_block),
		cmocka_unit_test(a_directory_block_without_tail),
		cmocka_unit_test(record_lengths_of_large_blocks),
		cmocka_unit_test(each_field_of_a_hash_tree_root),
		cmocka_unit_test(each_field_of_a_hash_tree_node),
		cmocka_unit_test(each_field_of_an_attribute_block),
		cmocka_unit_test(a_list_without_end),
		cmocka_unit_test(each_field_of_attributes_in_an_inode),
		cmocka_unit_test(each_field_of_an_orphan_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
