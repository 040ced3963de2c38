/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shows that each field of the superblock and of a group descriptor that must not be what it is
 * gets refused, with right checksums, and that a wrong checksum is found. Each case changes one
 * field of a valid structure made by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/bitmap.h"
#include "ext4/csum.h"
#include "ext4/disk.h"
#include "ext4/feature.h"
#include "ext4/verify.h"

#define BLOCKS       20000u
#define DEVICE_BYTES (BLOCKS * 1024ULL)

/* 3 groups of 8192 blocks of 1 KiB, all the usual features. */
static struct ext4_super_block valid_super(void)
{
	struct ext4_super_block sb = { 0 };

	sb.s_magic = le16_of(EXT4_SUPER_MAGIC);
	sb.s_rev_level = le32_of(EXT4_DYNAMIC_REV);
	sb.s_inodes_count = le32_of(3 * 512);
	sb.s_blocks_count_lo = le32_of(BLOCKS);
	sb.s_first_data_block = le32_of(1);
	sb.s_blocks_per_group = le32_of(8192);
	sb.s_clusters_per_group = le32_of(8192);
	sb.s_inodes_per_group = le32_of(512);
	sb.s_first_ino = le32_of(11);
	sb.s_inode_size = le16_of(256);
	sb.s_want_extra_isize = le16_of(32);
	sb.s_desc_size = le16_of(64);
	sb.s_log_groups_per_flex = 4;
	sb.s_reserved_gdt_blocks = le16_of(20);
	sb.s_checksum_type = EXT4_CHECKSUM_CRC32C;
	sb.s_journal_inum = le32_of(8);
	sb.s_def_hash_version = EXT4_HASH_HALF_MD4;
	sb.s_feature_compat = le32_of(0x3c);
	sb.s_feature_incompat = le32_of(0x2c2);
	sb.s_feature_ro_compat = le32_of(0x46b);
	memcpy(sb.s_uuid, "0123456789abcdef", 16);
	return sb;
}

static struct ext4_geometry valid_geometry(uint32_t incompat_off)
{
	struct ext4_super_block sb = valid_super();
	struct ext4_geometry geo;

	sb.s_feature_incompat = le32_of(le32_get(sb.s_feature_incompat) & ~incompat_off);
	ext4_super_csum_set(&sb);
	assert_int_equal(ext4_geometry_from_super(&sb, DEVICE_BYTES, &geo, NULL), 0);
	return geo;
}

static void put(void *p, size_t offset, unsigned size, uint64_t value)
{
	le64 bytes = le64_of(value);

	memcpy((uint8_t *)p + offset, bytes.b, size);
}

static void expect(int err, int want, const struct ext4_verdict *v, const char *reason)
{
	if (err != want || (want && !strstr(v->reason, reason)))
		(void)printf("%d: %s; not: %d: %s\n", err, v->reason, want,
			     reason ? reason : "-");
	assert_int_equal(err, want);
	if (want)
		assert_non_null(strstr(v->reason, reason));
}

#define FIELD(f) offsetof(struct ext4_super_block, f), sizeof(((struct ext4_super_block *)0)->f)

static void each_field_of_the_superblock(void **state)
{
	static const struct {
		size_t offset;
		unsigned size;
		uint64_t value;
		int err;
		const char *reason;
	} cases[] = {
		{ FIELD(s_mtime), 1, 0, "" },
		{ FIELD(s_magic), 0x1234, -EINVAL, "0x1234" },
		{ FIELD(s_rev_level), 2, -EOPNOTSUPP, "revision 2" },
		{ FIELD(s_feature_incompat), 0x82c2, -EOPNOTSUPP, "inline_data" },
		{ FIELD(s_feature_incompat), 0x400002c2, -EOPNOTSUPP, "FEATURE_I30" },
		{ FIELD(s_feature_ro_compat), 0x100046b, 0, "" },
		{ FIELD(s_feature_ro_compat), 0x1046b, -EFSCORRUPTED, "orphan_present" },
		{ FIELD(s_feature_ro_compat), 0x66b, 0, "" },
		{ FIELD(s_feature_compat), 0x38, 0, "" },
		{ FIELD(s_checksum_type), 2, -EFSCORRUPTED, "checksum type 2" },
		{ FIELD(s_log_block_size), 7, -EFSCORRUPTED, "2^17" },
		{ FIELD(s_log_block_size), 0xfffffff6, -EFSCORRUPTED, "block size" },
		{ FIELD(s_log_block_size), 1, -EFSCORRUPTED, "cluster size" },
		{ FIELD(s_log_cluster_size), 1, -EFSCORRUPTED, "cluster size 2^11" },
		{ FIELD(s_first_data_block), 0, -EFSCORRUPTED, "first data block is 0" },
		{ FIELD(s_first_data_block), BLOCKS, -EFSCORRUPTED, "first data block" },
		{ FIELD(s_blocks_count_lo), 0, -EFSCORRUPTED, "0 blocks" },
		{ FIELD(s_blocks_count_lo), BLOCKS + 1, -EFSCORRUPTED, "20001 blocks" },
		{ FIELD(s_blocks_count_hi), 1, -EFSCORRUPTED, "do not fit" },
		{ FIELD(s_blocks_count_hi), 0xffffffff, -EFSCORRUPTED, "blocks" },
		{ FIELD(s_r_blocks_count_hi), 1, -EFSCORRUPTED, "reserved" },
		{ FIELD(s_blocks_per_group), 0, -EFSCORRUPTED, "0 blocks per group" },
		{ FIELD(s_blocks_per_group), 8, -EFSCORRUPTED, "8 blocks per group" },
		{ FIELD(s_blocks_per_group), 8191, -EFSCORRUPTED, "8191 blocks per group" },
		{ FIELD(s_blocks_per_group), 8200, -EFSCORRUPTED, "8200 blocks per group" },
		{ FIELD(s_blocks_per_group), 0xfffffff8, -EFSCORRUPTED, "blocks per group" },
		{ FIELD(s_clusters_per_group), 4096, -EFSCORRUPTED, "4096 clusters" },
		{ FIELD(s_inodes_per_group), 0, -EFSCORRUPTED, "0 inodes per group" },
		{ FIELD(s_inodes_per_group), 0xfffffff8, -EFSCORRUPTED, "inodes per group" },
		{ FIELD(s_inodes_per_group), 504, -EFSCORRUPTED, "3 groups of 504" },
		{ FIELD(s_inodes_count), 1535, -EFSCORRUPTED, "1535 inodes" },
		{ FIELD(s_first_ino), 10, -EFSCORRUPTED, "first inode is 10" },
		{ FIELD(s_first_ino), 1537, -EFSCORRUPTED, "first inode is 1537" },
		{ FIELD(s_inode_size), 64, -EFSCORRUPTED, "inode size 64" },
		{ FIELD(s_inode_size), 192, -EFSCORRUPTED, "inode size 192" },
		{ FIELD(s_inode_size), 2048, -EFSCORRUPTED, "inode size 2048" },
		{ FIELD(s_desc_size), 32, -EFSCORRUPTED, "32 bytes" },
		{ FIELD(s_desc_size), 96, -EFSCORRUPTED, "96 bytes" },
		{ FIELD(s_desc_size), 2048, -EFSCORRUPTED, "2048 bytes" },
		{ FIELD(s_reserved_gdt_blocks), 257, -EFSCORRUPTED, "257 blocks" },
		{ FIELD(s_log_groups_per_flex), 32, -EFSCORRUPTED, "2^32" },
		{ FIELD(s_journal_inum), 1537, -EFSCORRUPTED, "journal inode is 1537" },
		{ FIELD(s_feature_compat), 0x103c, -EFSCORRUPTED, "orphan file is inode 0" },
		{ FIELD(s_feature_compat), 0x23c, 0, "" },
		{ FIELD(s_def_hash_version), 6, -EFSCORRUPTED, "hash 6" },
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct ext4_super_block sb = valid_super();
		struct ext4_geometry geo = { .block_size = 7 };
		struct ext4_verdict v = { { 0 } };
		int err;

		put(&sb, cases[i].offset, cases[i].size, cases[i].value);
		ext4_super_csum_set(&sb);
		err = ext4_geometry_from_super(&sb, DEVICE_BYTES, &geo, &v);
		expect(err, cases[i].err, &v, cases[i].reason);
		assert_int_equal(geo.block_size, err ? 7 : 1024);
	}
}

static void fields_that_need_two(void **state)
{
	struct ext4_super_block sb = valid_super();
	struct ext4_geometry geo;
	struct ext4_verdict v;

	sb.s_feature_compat = le32_of(0x238); /* sparse_super2, no journal */
	sb.s_backup_bgs[1] = le32_of(3);
	ext4_super_csum_set(&sb);
	expect(ext4_geometry_from_super(&sb, 0, &geo, &v), -EFSCORRUPTED, &v,
	       "backup group 3 of 3");

	sb = valid_super();
	sb.s_feature_compat = le32_of(0x38);
	sb.s_feature_incompat = le32_of(0x2c6);
	ext4_super_csum_set(&sb);
	expect(ext4_geometry_from_super(&sb, 0, &geo, &v), -EFSCORRUPTED, &v, "needs_recovery");

	sb = valid_super();
	sb.s_feature_incompat = le32_of(0x2d2);
	sb.s_first_meta_bg = le32_of(2);
	ext4_super_csum_set(&sb);
	expect(ext4_geometry_from_super(&sb, 0, &geo, &v), -EFSCORRUPTED, &v,
	       "first meta group is 2");
}

static void the_superblock_s_checksum(void **state)
{
	struct ext4_super_block sb = valid_super();
	struct ext4_geometry geo;
	struct ext4_verdict v;

	expect(ext4_geometry_from_super(&sb, 0, &geo, &v), -EFSBADCRC, &v, "checksum");
	sb.s_feature_ro_compat = le32_of(0x7b);
	expect(ext4_geometry_from_super(&sb, 0, &geo, &v), 0, &v, "");
	assert_true(geo.gdt_csum && !geo.metadata_csum);
}

static void the_geometry_in_numbers(void **state)
{
	struct ext4_geometry geo = valid_geometry(0);

	assert_int_equal(geo.block_bits, 10);
	assert_int_equal(geo.groups_count, 3);
	assert_int_equal(geo.itable_blocks, 128);
	assert_int_equal(geo.desc_per_block, 16);
	assert_int_equal(geo.gdt_blocks, 1);
	assert_int_equal(geo.flex_groups, 16);
	assert_int_equal(geo.want_extra_isize, 32);
	assert_int_equal(ext4_group_blocks(&geo, 2), BLOCKS - 1 - 2 * 8192);
	assert_int_equal(ext4_group_base_meta_blocks(&geo, 0), 22);
	assert_int_equal(ext4_group_base_meta_blocks(&geo, 1), 22);
	assert_int_equal(ext4_group_base_meta_blocks(&geo, 2), 0);
	assert_true(ext4_group_has_super(&geo, 49) && !ext4_group_has_super(&geo, 15));
	assert_int_equal(ext4_descriptor_block(&geo, 0), 2);
	assert_int_equal(valid_geometry(EXT4_FEATURE_INCOMPAT_64BIT).desc_size, 32);
}

/* ---- descriptors; group 1 begins with block 8193 */

static struct ext4_group_desc valid_descriptor(void)
{
	struct ext4_group_desc d = { 0 };

	d.bg_block_bitmap_lo = le32_of(8300);
	d.bg_inode_bitmap_lo = le32_of(8301);
	d.bg_inode_table_lo = le32_of(8302);
	d.bg_free_blocks_count_lo = le16_of(8000);
	d.bg_free_inodes_count_lo = le16_of(500);
	d.bg_used_dirs_count_lo = le16_of(12);
	d.bg_itable_unused_lo = le16_of(500);
	return d;
}

#define DFIELD(f) offsetof(struct ext4_group_desc, f), sizeof(((struct ext4_group_desc *)0)->f)

static void each_field_of_a_descriptor(void **state)
{
	static const struct {
		size_t offset;
		unsigned size;
		uint64_t value;
		const char *reason, *flex_reason; /* NULL: fine */
	} cases[] = {
		{ DFIELD(bg_reserved), 0, NULL, NULL },
		{ DFIELD(bg_block_bitmap_lo), 8192, "outside its group", NULL },
		{ DFIELD(bg_block_bitmap_lo), 1, "outside the file system",
		  "outside the file system" },
		{ DFIELD(bg_block_bitmap_lo), 10, "outside its group",
		  "superblock or descriptors of group 0" },
		{ DFIELD(bg_block_bitmap_lo), 8193, "descriptors of group 1",
		  "descriptors of group 1" },
		{ DFIELD(bg_block_bitmap_lo), 8214, "descriptors of group 1",
		  "descriptors of group 1" },
		{ DFIELD(bg_block_bitmap_lo), 8215, NULL, NULL },
		{ DFIELD(bg_block_bitmap_lo), 8301, "block bitmap and inode bitmap meet",
		  "block bitmap and inode bitmap meet" },
		{ DFIELD(bg_block_bitmap_lo), 8429, "block bitmap and inode table meet",
		  "block bitmap and inode table meet" },
		{ DFIELD(bg_block_bitmap_hi), 1, "outside the file system",
		  "outside the file system" },
		{ DFIELD(bg_inode_bitmap_lo), BLOCKS, "inode bitmap at block 20000",
		  "inode bitmap" },
		{ DFIELD(bg_inode_bitmap_hi), 1, "inode bitmap at", "inode bitmap at" },
		{ DFIELD(bg_inode_table_lo), 16384, "outside its group", NULL },
		{ DFIELD(bg_inode_table_lo), 8190, "outside its group", "descriptors of group 1" },
		{ DFIELD(bg_inode_table_lo), BLOCKS - 127, "outside the file system",
		  "outside the file system" },
		{ DFIELD(bg_inode_table_hi), 0xffff, "inode table at", "inode table at" },
		{ DFIELD(bg_free_blocks_count_lo), 8193, "8193 of 8192 clusters",
		  "8193 of 8192 clusters" },
		{ DFIELD(bg_free_blocks_count_hi), 1, "clusters are free", "clusters are free" },
		{ DFIELD(bg_free_inodes_count_lo), 513, "513 of 512 inodes", "513 of 512 inodes" },
		{ DFIELD(bg_itable_unused_lo), 501, "never used", "never used" },
		{ DFIELD(bg_used_dirs_count_lo), 13, "13 directories", "13 directories" },
	};

	for (size_t i = 0; i < 2 * array_size(cases); i++) {
		bool flex = i % 2;
		struct ext4_geometry geo = valid_geometry(flex ? 0 : EXT4_FEATURE_INCOMPAT_FLEX_BG);
		struct ext4_group_desc d = valid_descriptor();
		const char *reason = flex ? cases[i / 2].flex_reason : cases[i / 2].reason;
		struct ext4_verdict v = { { 0 } };

		put(&d, cases[i / 2].offset, cases[i / 2].size, cases[i / 2].value);
		ext4_descriptor_csum_set(&geo, 1, &d);
		expect(ext4_verify_descriptor(&geo, 1, &d, &v), reason ? -EFSCORRUPTED : 0, &v,
		       reason);
	}
}

static void a_descriptor_s_checksum(void **state)
{
	struct ext4_geometry geo = valid_geometry(0);
	struct ext4_group_desc d = valid_descriptor();
	struct ext4_verdict v;

	expect(ext4_verify_descriptor(&geo, 1, &d, &v), -EFSBADCRC, &v, "0x0000");
	ext4_descriptor_csum_set(&geo, 2, &d); /* another group's */
	expect(ext4_verify_descriptor(&geo, 1, &d, &v), -EFSBADCRC, &v, "checksum");
	geo.metadata_csum = false;
	geo.gdt_csum = true;
	expect(ext4_verify_descriptor(&geo, 1, &d, &v), -EFSBADCRC, &v, "checksum");
	ext4_descriptor_csum_set(&geo, 1, &d);
	expect(ext4_verify_descriptor(&geo, 1, &d, &v), 0, &v, "");
}

/* ---- bitmaps */

static void seal_bitmaps(const struct ext4_geometry *geo, struct ext4_group_desc *d,
			 const uint8_t *bits)
{
	uint32_t blocks = ext4_block_bitmap_csum(geo, bits),
		 inodes = ext4_inode_bitmap_csum(geo, bits);

	d->bg_block_bitmap_csum_lo = le16_of((uint16_t)blocks);
	d->bg_block_bitmap_csum_hi = le16_of((uint16_t)(blocks >> 16));
	d->bg_inode_bitmap_csum_lo = le16_of((uint16_t)inodes);
	d->bg_inode_bitmap_csum_hi = le16_of((uint16_t)(inodes >> 16));
}

static void a_block_bitmap(void **state)
{
	static const struct {
		uint32_t block;
		const char *reason;
	} cases[] = {
		{ 8193, "block 8193 of the descriptors" },
		{ 8214, "block 8214 of the descriptors" },
		{ 8300, "block bitmap is marked free" },
		{ 8301, "inode bitmap is marked free" },
		{ 8302, "block 8302 of the inode table" },
		{ 8429, "block 8429 of the inode table" },
	};
	struct ext4_geometry geo = valid_geometry(0);
	struct ext4_group_desc d = valid_descriptor();
	uint8_t bits[1024];
	struct ext4_verdict v;

	for (size_t i = 0; i < array_size(cases); i++) {
		memset(bits, 0xff, sizeof(bits));
		seal_bitmaps(&geo, &d, bits);
		expect(ext4_verify_block_bitmap(&geo, 1, &d, bits, &v), 0, &v, "");
		bitmap_clear(bits, cases[i].block - 8193);
		expect(ext4_verify_block_bitmap(&geo, 1, &d, bits, &v), -EFSBADCRC, &v, "checksum");
		seal_bitmaps(&geo, &d, bits);
		expect(ext4_verify_block_bitmap(&geo, 1, &d, bits, &v), -EFSCORRUPTED, &v,
		       cases[i].reason);
	}
}

static void an_inode_bitmap(void **state)
{
	struct ext4_geometry geo = valid_geometry(0);
	struct ext4_group_desc d = valid_descriptor();
	uint8_t bits[1024] = { 0xff, 0x03 };
	struct ext4_verdict v;

	expect(ext4_verify_inode_bitmap(&geo, 0, &d, bits, &v), -EFSBADCRC, &v, "checksum");
	seal_bitmaps(&geo, &d, bits);
	expect(ext4_verify_inode_bitmap(&geo, 0, &d, bits, &v), 0, &v, "");
	bitmap_clear(bits, 9);
	seal_bitmaps(&geo, &d, bits);
	expect(ext4_verify_inode_bitmap(&geo, 0, &d, bits, &v), -EFSCORRUPTED, &v, "inode 10");
	expect(ext4_verify_inode_bitmap(&geo, 1, &d, bits, &v), 0, &v, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field_of_the_superblock),
		cmocka_unit_test(fields_that_need_two),
		cmocka_unit_test(the_superblock_s_checksum),
		cmocka_unit_test(the_geometry_in_numbers),
		cmocka_unit_test(each_field_of_a_descriptor),
		cmocka_unit_test(a_descriptor_s_checksum),
		cmocka_unit_test(a_block_bitmap),
		cmocka_unit_test(an_inode_bitmap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
