/* SPDX-License-Identifier: BSD-2-Clause */
/* Shows that features are named as dumpe2fs names them and that each set's rule decides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/compiler.h"
#include "ext4/feature.h"

static struct ext4_super_block super_with(uint32_t compat, uint32_t incompat, uint32_t ro_compat)
{
	struct ext4_super_block sb = { 0 };

	sb.s_rev_level = le32_of(EXT4_DYNAMIC_REV);
	sb.s_feature_compat = le32_of(compat);
	sb.s_feature_incompat = le32_of(incompat);
	sb.s_feature_ro_compat = le32_of(ro_compat);
	return sb;
}

static void names_are_dumpe2fs_s(void **state)
{
	struct ext4_super_block sb = super_with(0x103c, 0x22c2, 0x046b);
	char names[256];

	assert_int_equal(ext4_feature_names(&sb, EXT4_FEATURE_WRITE, names, sizeof(names)), 16);
	assert_string_equal(names,
			    "has_journal ext_attr resize_inode dir_index orphan_file filetype "
			    "extent 64bit flex_bg metadata_csum_seed sparse_super large_file "
			    "huge_file dir_nlink extra_isize metadata_csum");
}

static void a_short_buffer_cuts(void **state)
{
	struct ext4_super_block sb = super_with(0xc, 0, 0);
	char names[16];

	assert_int_equal(ext4_feature_names(&sb, EXT4_FEATURE_WRITE, names, sizeof(names)), 2);
	assert_string_equal(names, "has_journal ext");
	assert_int_equal(ext4_feature_names(&sb, EXT4_FEATURE_WRITE, NULL, 0), 2);
}

static void support_follows_the_set(void **state)
{
	static const struct {
		uint32_t compat, incompat, ro_compat;
		enum ext4_feature_support support;
		const char *blocking;
	} cases[] = {
		{ 0x3c, 0x2c2, 0x46b, EXT4_FEATURE_WRITE, "" },
		{ 0x80000000, 0x42, 0, EXT4_FEATURE_WRITE, "" },
		{ 0, 0x42, 0x200, EXT4_FEATURE_READ, "bigalloc" },
		{ 0, 0x42, 0x20100, EXT4_FEATURE_READ, "quota FEATURE_R17" },
		{ 0, 0x8042, 0, EXT4_FEATURE_REFUSE, "inline_data" },
		{ 0, 0x40108, 0x200, EXT4_FEATURE_REFUSE, "journal_dev mmp FEATURE_I18" },
	};
	char names[128];

	for (size_t i = 0; i < array_size(cases); i++) {
		struct ext4_super_block sb =
			super_with(cases[i].compat, cases[i].incompat, cases[i].ro_compat);
		enum ext4_feature_support s = ext4_feature_support(&sb);

		assert_int_equal(s, cases[i].support);
		ext4_feature_names(&sb, s == EXT4_FEATURE_WRITE ? EXT4_FEATURE_READ : s, names,
				   sizeof(names));
		assert_string_equal(names, cases[i].blocking);
	}
}

static void the_first_revision_has_none(void **state)
{
	struct ext4_super_block sb = super_with(0, 0xffffffff, 0);

	sb.s_rev_level = le32_of(EXT4_GOOD_OLD_REV);
	assert_int_equal(ext4_feature_support(&sb), EXT4_FEATURE_WRITE);
}

static void names_lead_back(void **state)
{
	const struct ext4_feature *f = ext4_feature_by_name("metadata_csum");

	assert_non_null(f);
	assert_int_equal(f->set, EXT4_RO_COMPAT);
	assert_int_equal(f->bit, EXT4_FEATURE_RO_COMPAT_METADATA_CSUM);
	assert_null(ext4_feature_by_name("no_such_feature"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_dumpe2fs_s),
		cmocka_unit_test(a_short_buffer_cuts),
		cmocka_unit_test(support_follows_the_set),
		cmocka_unit_test(the_first_revision_has_none),
		cmocka_unit_test(names_lead_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
