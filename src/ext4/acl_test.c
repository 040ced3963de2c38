/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists of rights: which are valid, what they allow, how they and the mode follow each other; kept
 * on an image and inherited there.
 */
#include "ext4/acl.h"
#include "ext4/mount_testing.h"

struct entry {				/* of system.posix_acl_* */
	uint16_t tag, perm;
	uint32_t id;
} __attribute__((packed));

static size_t make(uint8_t *value, const struct entry *e, size_t count)
{
	memcpy(value, &(uint32_t){ 2 }, 4);
	memcpy(value + 4, e, count * sizeof(*e));
	return 4 + count * sizeof(*e);
}

static const struct entry plain[] = { { 1, 6, ~0u }, { 4, 4, ~0u }, { 32, 0, ~0u } };
static const struct entry rich[] = { { 1, 7, ~0u }, { 2, 6, 1000 }, { 4, 5, ~0u }, { 8, 7, 50 },
				     { 16, 6, ~0u }, { 32, 1, ~0u } };

static struct ext4_acl *parse(struct arena *a, const struct entry *e, size_t count, int err)
{
	struct ext4_acl *acl = NULL;
	uint8_t value[200];

	int got = ext4_acl_from_xattr(a, value, make(value, e, count), &acl);

	if (!got && !ext4_acl_valid(acl)) {
		ext4_acl_free(acl);
		acl = NULL;
		got = -EINVAL;
	}
	assert_int_equal(got, err);
	return acl;
}

static void only_lists_that_can_be(void **state)
{
	static const struct {
		struct entry e[6];
		size_t count;
		int err;
	} cases[] = {
		{ { { 1, 6, ~0u }, { 4, 4, ~0u } }, 2, -EINVAL },			/* no others */
		{ { { 4, 4, ~0u }, { 1, 6, ~0u }, { 32, 0, ~0u } }, 3, -EINVAL },	/* order */
		{ { { 1, 8, ~0u }, { 4, 4, ~0u }, { 32, 0, ~0u } }, 3, -EINVAL },	/* rights */
		{ { { 1, 6, ~0u }, { 1, 6, ~0u }, { 4, 4, ~0u }, { 32, 0, ~0u } }, 4, -EINVAL },
		{ { { 1, 6, ~0u }, { 2, 6, 5 }, { 4, 4, ~0u }, { 32, 0, ~0u } }, 4, -EINVAL }, /* no mask */
		{ { { 1, 6, ~0u }, { 4, 4, ~0u }, { 32, 0, ~0u }, { 64, 0, ~0u } }, 4, -EINVAL },
		{ { { 1, 6, ~0u }, { 3, 4, ~0u }, { 32, 0, ~0u } }, 3, -EINVAL },
	};
	struct arena *a = arena_create();
	uint8_t value[4] = { 1, 0, 0, 0 };
	struct ext4_acl *acl = NULL;

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++)
		assert_null(parse(a, cases[i].e, cases[i].count, cases[i].err));
	assert_int_equal(ext4_acl_from_xattr(a, value, 4, &acl), -EOPNOTSUPP);
	assert_int_equal(ext4_acl_from_xattr(a, value, 3, &acl), -EINVAL);
	assert_int_equal(ext4_acl_from_xattr(a, value, 0, &acl), 0);
	assert_null(acl);
	arena_destroy(a);
}

static void what_it_allows(void **state)
{
	static const struct {
		uint32_t uid, gid;
		unsigned mask;
		int err;
	} cases[] = {
		{ 1, 1, 7, 0 },			/* the owner */
		{ 1000, 50, 6, 0 },		/* named, as the mask lets him */
		{ 1000, 50, 1, -EACCES },
		{ 2, 9, 4, 0 },			/* the group, of whose rights the mask leaves r */
		{ 2, 9, 1, -EACCES },
		{ 2, 50, 6, 0 },		/* a named group */
		{ 2, 50, 7, -EACCES },
		{ 3, 3, 1, 0 },			/* others */
		{ 3, 3, 4, -EACCES },
	};
	struct arena *a = arena_create();
	struct ext4_acl *acl = parse(a, rich, array_size(rich), 0);

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct ext4_cred cred = { .uid = cases[i].uid, .gid = cases[i].gid };

		assert_int_equal(ext4_acl_permission(acl, 1, 9, &cred, cases[i].mask),
				 cases[i].err);
	}
	ext4_acl_free(acl);
	arena_destroy(a);
}

static void mode_and_list(void **state)
{
	struct arena *a = arena_create();
	struct ext4_acl *acl = parse(a, rich, array_size(rich), 0), *back;
	uint16_t mode = 0102755;
	uint8_t value[200];

	(void)state;
	assert_false(ext4_acl_to_mode(acl, &mode));
	assert_int_equal(mode, 0102761);
	ext4_acl_chmod(acl, 0640);
	assert_int_equal(acl->items[4].perm, 4); /* the mask, not the group */
	assert_int_equal(acl->items[2].perm, 5);
	ext4_acl_to_disk(acl, value);
	assert_int_equal(ext4_acl_disk_size(acl), 4 + 4 * 4 + 2 * 8);
	assert_int_equal(ext4_acl_from_disk(a, value, ext4_acl_disk_size(acl), &back), 0);
	assert_int_equal(back->count, acl->count);
	assert_memory_equal(back->items, acl->items, acl->count * sizeof(acl->items[0]));
	for (size_t len = 0; len < ext4_acl_disk_size(acl); len++) {
		struct ext4_acl *cut;

		assert_int_equal(ext4_acl_from_disk(a, value, len, &cut), -EFSCORRUPTED);
	}
	ext4_acl_free(back);
	ext4_acl_free(acl);
	acl = parse(a, plain, array_size(plain), 0);
	assert_true(ext4_acl_to_mode(acl, &mode));
	assert_int_equal(mode, 0102640);
	ext4_acl_free(acl);
	arena_destroy(a);
}

static void inherited(void **state)
{
	struct ext4_name f = { "f", 1 }, d = { "d", 1 };
	struct ext4_cred cred = { .umask = 077 };
	struct ext4_acl *acl, *got;
	struct inode *dir, *i;
	struct test_mount m;

	(void)state;
	test_mount_make(&m, "16M", "", NULL);
	test_mount_open(&m);
	dir = test_mount_dir(&m, "dir");
	acl = parse(m.fs->arena, rich, array_size(rich), 0);
	rwlock_write(&dir->lock);
	assert_int_equal(ext4_acl_set(dir, ACL_KIND_DEFAULT, acl, false), 0);
	assert_int_equal(ext4_create(dir, &f, 0666, &cred, &i), 0);
	rwlock_unwrite(&dir->lock);
	assert_int_equal(i->mode, 0100660); /* by the list, not by the umask */
	assert_int_equal(ext4_acl_get(i, ACL_KIND_ACCESS, &got), 0);
	assert_int_equal(got->count, 6);
	assert_int_equal(got->items[4].perm, 6);
	ext4_acl_free(got);
	rwlock_write(&i->lock);
	assert_int_equal(ext4_acl_set(i, ACL_KIND_ACCESS, NULL, false), 0);
	rwlock_unwrite(&i->lock);
	assert_int_equal(ext4_acl_get(i, ACL_KIND_ACCESS, &got), 0);
	assert_null(got);
	ext4_iput(i);
	rwlock_write(&dir->lock);
	assert_int_equal(ext4_mkdir(dir, &d, 0777, &cred, &i), 0);
	rwlock_unwrite(&dir->lock);
	ext4_iput(i);
	ext4_iput(dir);
	ext4_acl_free(acl);
	test_mount_close(&m);
	test_mount_fsck(&m);
	test_mount_open(&m);
	dir = test_mount_dir(&m, "dir");
	assert_int_equal(ext4_acl_get(dir, ACL_KIND_DEFAULT, &got), 0);
	assert_int_equal(got->count, 6);
	ext4_acl_free(got);
	ext4_iput(dir);
	test_mount_close(&m);
	test_mount_remove(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_lists_that_can_be),
		cmocka_unit_test(what_it_allows),
		cmocka_unit_test(mode_and_list),
		cmocka_unit_test(inherited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
