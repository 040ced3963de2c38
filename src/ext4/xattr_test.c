/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extended attributes on real images: what is set is got, also by debugfs and after a new mount;
 * where it lies; what is shared and when it ceases to be; and e2fsck finds nothing.
 */
#include "ext4/mount_testing.h"
#include "ext4/xattr.h"

static const char *const makes[] = {
	"",
	"-I 128 -O ^metadata_csum",
	"-b 1024 -O ^has_journal",
	"-O ^ext_attr",
};

static struct inode *file(struct test_mount *m, const char *name)
{
	struct ext4_name n = { name, strlen(name) };
	struct inode *root = test_mount_get(m, EXT4_ROOT_INO), *inode;
	uint32_t ino;

	if (test_mount_lookup(root, &n, &ino)) {
		assert_int_equal(test_mount_create(root, &n), 0);
		assert_int_equal(test_mount_lookup(root, &n, &ino), 0);
	}
	inode = test_mount_get(m, ino);
	ext4_iput(root);
	return inode;
}

static struct ext4_xattr_name user(const char *name)
{
	return (struct ext4_xattr_name){ EXT4_XATTR_INDEX_USER, name, strlen(name) };
}

static int set(struct inode *i, const char *name, int byte, size_t len, unsigned flags)
{
	struct ext4_xattr_name n = user(name);
	char value[8192];

	memset(value, byte, len);
	return ext4_xattr_set(i, &n, value, len, flags);
}

static int take_away(struct inode *i, const char *name)
{
	struct ext4_xattr_name n = user(name);

	return ext4_xattr_set(i, &n, NULL, 0, EXT4_XATTR_REPLACE);
}

static void expect(struct inode *i, const char *name, int byte, int len)
{
	struct ext4_xattr_name n = user(name);
	char value[8192], want[8192];

	memset(want, byte, (size_t)len);
	assert_int_equal(ext4_xattr_get(i, &n, NULL, 0), len);
	assert_int_equal(ext4_xattr_get(i, &n, value, sizeof(value)), len);
	assert_memory_equal(value, want, (size_t)len);
	if (len > 1)
		assert_int_equal(ext4_xattr_get(i, &n, value, (size_t)len - 1), -ERANGE);
}

static int add_name(void *arg, const struct ext4_xattr_name *name)
{
	char *list = arg;

	strncat(list, name->bytes, name->len);
	strcat(list, " ");
	return 0;
}

static void expect_names(struct inode *i, const char *names)
{
	char list[1000] = "";

	assert_int_equal(ext4_xattr_list(i, add_name, list), 0);
	assert_string_equal(list, names);
}

static void again(struct test_mount *m)
{
	test_mount_close(m);
	test_mount_fsck(m);
	test_mount_open(m);
}

/* ---- */

static void set_is_got(void **state)
{
	struct test_mount m;
	struct inode *i;

	(void)state;
	for (size_t k = 0; k < array_size(makes); k++) {
		test_mount_make(&m, "16M", makes[k], NULL);
		test_mount_open(&m);
		i = file(&m, "f");
		assert_int_equal(set(i, "one", 'a', 1, EXT4_XATTR_CREATE), 0);
		assert_int_equal(set(i, "one", 'a', 1, EXT4_XATTR_CREATE), -EEXIST);
		assert_int_equal(set(i, "two", 'b', 1, EXT4_XATTR_REPLACE), -ENODATA);
		assert_int_equal(set(i, "two", 'b', 300, 0), 0);
		assert_int_equal(set(i, "empty", 0, 0, 0), 0);
		assert_int_equal(set(i, "one", 'c', 9, EXT4_XATTR_REPLACE), 0);
		assert_int_equal(set(i, "huge", 'h', 5000, 0), -ENOSPC);
		ext4_iput(i);
		again(&m);
		i = file(&m, "f");
		expect(i, "one", 'c', 9);
		expect(i, "two", 'b', 300);
		expect(i, "empty", 0, 0);
		assert_int_equal(take_away(i, "huge"), -ENODATA);
		assert_int_equal(take_away(i, "two"), 0);
		assert_int_equal(take_away(i, "one"), 0);
		assert_int_equal(take_away(i, "empty"), 0);
		expect_names(i, "");
		assert_int_equal(i->file_acl, 0);
		assert_int_equal(i->blocks, 0);
		ext4_iput(i);
		test_mount_close(&m);
		test_mount_fsck(&m);
		test_mount_remove(&m);
	}
}

/* A value moves between inode and block as it grows and shrinks, and is never in both. */
static void values_move(void **state)
{
	struct test_mount m;
	struct inode *i;

	(void)state;
	test_mount_make(&m, "16M", "-b 4096", NULL);
	test_mount_open(&m);
	i = file(&m, "f");
	for (int round = 0; round < 40; round++) {
		char name[8];

		(void)snprintf(name, sizeof(name), "n%d", round % 7);
		assert_int_equal(set(i, name, 'a' + round % 26, (size_t)(round * 37 % 400), 0), 0);
		expect(i, name, 'a' + round % 26, round * 37 % 400);
	}
	assert_int_equal(set(i, "n3", 'z', 800, 0), 0);
	ext4_iput(i);
	again(&m);
	i = file(&m, "f");
	expect(i, "n3", 'z', 800);
	for (int n = 0; n < 7; n++) {
		char name[8];

		(void)snprintf(name, sizeof(name), "n%d", n);
		assert_int_equal(set(i, name, 'y', 1, 0), 0);
		expect(i, name, 'y', 1);
	}
	ext4_iput(i);
	test_mount_close(&m);
	test_mount_fsck(&m);
	test_mount_remove(&m);
}

static void same_blocks_are_shared(void **state)
{
	struct inode *a, *b, *c;
	struct test_mount m;
	uint64_t shared;

	(void)state;
	test_mount_make(&m, "16M", "", NULL);
	test_mount_open(&m);
	a = file(&m, "a");
	b = file(&m, "b");
	c = file(&m, "c");
	assert_int_equal(set(a, "x", 's', 500, 0), 0);
	assert_int_equal(set(b, "x", 't', 500, 0), 0);
	assert_int_not_equal(a->file_acl, b->file_acl);
	assert_int_equal(set(b, "x", 's', 500, 0), 0); /* its own block goes */
	assert_int_equal(set(c, "x", 's', 500, 0), 0);
	shared = a->file_acl;
	assert_int_equal(b->file_acl, shared);
	assert_int_equal(c->file_acl, shared);
	assert_int_equal(c->blocks, m.fs->geo.block_size / 512);
	assert_int_equal(set(b, "x", 'u', 500, 0), 0); /* the others keep theirs */
	assert_int_not_equal(b->file_acl, shared);
	expect(a, "x", 's', 500);
	expect(b, "x", 'u', 500);
	assert_int_equal(take_away(a, "x"), 0);
	assert_int_equal(a->file_acl, 0);
	assert_int_equal(set(c, "x", 'v', 500, 0), 0); /* alone again: in place */
	assert_int_equal(c->file_acl, shared);
	ext4_iput(a);
	ext4_iput(b);
	ext4_iput(c);
	test_mount_close(&m);
	test_mount_fsck(&m);
	test_mount_remove(&m);
}

/* More inodes than one block may count; all freed again. */
static void a_full_block_is_left_alone(void **state)
{
	struct ext4_name n;
	struct test_mount m;
	struct inode *root, *i;
	uint64_t first = 0;
	char name[16];

	(void)state;
	test_mount_make(&m, "16M", "-N 2048 -I 128 -O ^metadata_csum", NULL);
	test_mount_open(&m);
	for (uint32_t k = 0; k < EXT4_XATTR_REFCOUNT_MAX + 3; k++) {
		(void)snprintf(name, sizeof(name), "f%u", k);
		i = file(&m, name);
		assert_int_equal(set(i, "x", 'x', 100, 0), 0);
		if (!k)
			first = i->file_acl;
		assert_int_equal(i->file_acl == first, k < EXT4_XATTR_REFCOUNT_MAX);
		ext4_iput(i);
	}
	again(&m);
	root = test_mount_get(&m, EXT4_ROOT_INO);
	for (uint32_t k = 0; k < EXT4_XATTR_REFCOUNT_MAX + 3; k++) {
		(void)snprintf(name, sizeof(name), "f%u", k);
		n = (struct ext4_name){ name, strlen(name) };
		assert_int_equal(test_mount_unlink(root, &n), 0);
	}
	ext4_iput(root);
	test_mount_close(&m);
	test_mount_fsck(&m);
	test_mount_remove(&m);
}

/* Values that share bytes are damage: nothing is moved. */
static void meeting_values_are_refused(void **state)
{
	struct test_mount m;
	struct inode *i;
	char command[300];

	(void)state;
	test_mount_make(&m, "16M", "-O ^metadata_csum", NULL);
	test_mount_open(&m);
	i = file(&m, "f");
	assert_int_equal(set(i, "a", 'a', 8, 0), 0);
	assert_int_equal(set(i, "b", 'b', 8, 0), 0);
	ext4_iput(i);
	test_mount_close(&m);
	/* the second value's offset becomes that of the first less 4: 12 bytes into the second entry */
	(void)snprintf(command, sizeof(command),
		       "python3 - %s <<'E'\n"
		       "import sys,struct\nf=open(sys.argv[1],'r+b');d=bytearray(f.read())\n"
		       "p=d.find(b'\\x01\\x01'+b'\\x54\\x00');q=d.find(b'\\x01\\x01\\x4c\\x00')\n"
		       "assert p>0 and q>0\nd[q+2]=0x50\nf.seek(0);f.write(d)\nE",
		       m.path);
	assert_int_equal(test_shell(command), 0);
	test_mount_open(&m);
	m.expect_errors = true;
	i = file(&m, "f");
	assert_int_equal(set(i, "c", 'c', 8, 0), -EFSCORRUPTED);
	assert_non_null(strstr(m.error, "meet"));
	ext4_iput(i);
	(void)ext4_unmount(m.fs);
	test_mount_leave(&m);
	test_mount_remove(&m);
}

/* The block's bytes in the image, damaged and mended from outside. */
static void flip_block(const struct test_mount *m, uint64_t block)
{
	int fd = open(m->path, O_RDWR);
	uint32_t size = m->fs->geo.block_size;
	uint8_t bytes[4096];

	assert_true(fd >= 0 && size <= sizeof(bytes));
	assert_int_equal(pread(fd, bytes, size, (off_t)(block * size)), size);
	for (uint32_t i = 0; i < size; i++)
		bytes[i] ^= 0xff;
	assert_int_equal(pwrite(fd, bytes, size, (off_t)(block * size)), size);
	(void)close(fd);
}

/* What cannot be read is not shared, and nobody who would have shared it fails. */
static void a_damaged_block_is_not_shared(void **state)
{
	struct test_mount m;
	struct inode *a, *b;
	uint64_t block;

	(void)state;
	test_mount_make(&m, "16M", "", NULL);
	test_mount_open(&m);
	a = file(&m, "a");
	b = file(&m, "b");
	assert_int_equal(set(a, "x", 's', 500, 0), 0);
	block = a->file_acl;
	assert_int_equal(ext4_sync_filesystem(m.fs), 0);
	assert_int_equal(jbd2_journal_flush(m.fs->journal), 0);
	flip_block(&m, block);
	buffer_forget(m.fs->buffers, block);
	assert_int_equal(set(b, "x", 's', 500, 0), 0);
	assert_int_not_equal(b->file_acl, block);
	expect(b, "x", 's', 500);
	flip_block(&m, block);
	expect(a, "x", 's', 500);
	ext4_iput(a);
	ext4_iput(b);
	test_mount_close(&m);
	test_mount_fsck(&m);
	test_mount_remove(&m);
}

/* Without 64bit the upper half of the block's number means nothing, and is written as 0. */
static void the_upper_half_is_left_out(void **state)
{
	struct test_mount m;
	struct inode *i;
	char command[200];

	(void)state;
	test_mount_make(&m, "16M", "-O ^64bit,^metadata_csum", NULL);
	test_mount_open(&m);
	i = file(&m, "f");
	assert_int_equal(set(i, "x", 's', 500, 0), 0);
	ext4_iput(i);
	test_mount_close(&m);
	(void)snprintf(command, sizeof(command), "PATH=$PATH:/sbin debugfs -w -R 'sif f file_acl_high 7' %s 2> /dev/null",
		       m.path);
	assert_int_equal(test_shell(command), 0);
	test_mount_open(&m);
	i = file(&m, "f");
	expect(i, "x", 's', 500);
	assert_int_equal(set(i, "x", 't', 600, 0), 0);
	ext4_iput(i);
	test_mount_close(&m);
	test_mount_fsck(&m);
	test_mount_remove(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_is_got),
		cmocka_unit_test(values_move),
		cmocka_unit_test(same_blocks_are_shared),
		cmocka_unit_test(a_full_block_is_left_alone),
		cmocka_unit_test(meeting_values_are_refused),
		cmocka_unit_test(a_damaged_block_is_not_shared),
		cmocka_unit_test(the_upper_half_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
