/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Damaged hash trees, without checksums that would tell: one field at a time with the message it must
 * give, then bytes at random. Whatever a tree says, looking up, listing, creating and removing end, and
 * touch nothing that is not theirs (the sanitizers watch).
 */
#include <stdlib.h>
#include "base/assert.h"
#include "ext4/dir_internal.h"
#include "ext4/map.h"
#include "ext4/mount_testing.h"

#define NAMES      2500u
#define BLOCK_SIZE 1024u
#define LISTED_MAX 100000u

enum { ROOT, NODE, LEAF, KINDS };

/* The image, and where the first way down its tree leads. */
static struct {
	struct test_mount m;
	struct test_image image;
	uint32_t dir_ino;
	ext4_lblk_t lblk[KINDS];
	ext4_fsblk_t pblk[KINDS];
	uint8_t *bytes; /* of the image as the next mount has it */
} base;

static struct ext4_name name_of(uint32_t i, char buf[EXT4_NAME_LEN + 1])
{
	int len = sprintf(buf, "%05u-%0*u", i, (int)(100 + i % 100), i);

	return (struct ext4_name){ buf, (size_t)len };
}

/* ---- the image */

static ext4_fsblk_t pblk_of(struct inode *dir, ext4_lblk_t lblk)
{
	struct ext4_map map = { .lblk = lblk, .len = 1 };

	assert_int_equal(ext4_map_blocks(NULL, dir, &map, 0), 1);
	return map.pblk;
}

static void note_way(struct inode *dir)
{
	struct ext4_dx_path p = { .hash.hash = 0 };

	assert_int_equal(ext4_dx_probe(dir, NULL, &p), 0);
	assert_int_equal(p.depth, 2);
	base.lblk[NODE] = le32_get(p.frame[0].entries[0].block);
	base.lblk[LEAF] = ext4_dx_leaf(&p);
	ext4_dx_put(&p);
	for (int kind = 0; kind < KINDS; kind++)
		base.pblk[kind] = pblk_of(dir, base.lblk[kind]);
}

static int make_base(void **state)
{
	char buf[EXT4_NAME_LEN + 1];
	struct inode *dir;

	test_mount_make(&base.m, "12M", "-b 1024 -N 4000 -J size=1 -O ^metadata_csum", NULL);
	test_mount_open(&base.m);
	dir = test_mount_dir(&base.m, "d");
	for (uint32_t i = 0; i < NAMES; i++) {
		struct ext4_name name = name_of(i, buf);

		assert_int_equal(test_mount_create(dir, &name), 0);
	}
	note_way(dir);
	base.dir_ino = dir->ino;
	ext4_iput(dir);
	test_mount_close(&base.m);
	test_mount_fsck(&base.m);
	test_image_map(&base.image, base.m.path);
	test_mount_remove(&base.m);
	base.bytes = malloc(base.image.size);
	assert_non_null(base.bytes);
	return 0;
}

static int drop_base(void **state)
{
	free(base.bytes);
	test_image_unmap(&base.image);
	return 0;
}

static int open_bytes(struct test_mount *m, struct block_device **out)
{
	static const uint8_t zeros[4096];
	int err = block_mem_create(m->arena, base.image.size, out);

	for (size_t at = 0; at < base.image.size && !err; at += sizeof(zeros))
		if (memcmp(base.bytes + at, zeros, sizeof(zeros)))
			err = block_write(*out, at, base.bytes + at, sizeof(zeros), 0);
	return err;
}

/* ---- what is done with it */

static int count_entry(void *arg, const struct ext4_dirent *d)
{
	uint32_t *count = arg;

	assert_true(d->name.len >= 1 && d->name.len <= EXT4_NAME_LEN && d->ino);
	return ++*count == LISTED_MAX;
}

static void expect_end(int err)
{
	assert_true(err == 0 || err == -ENOENT || err == -EEXIST || err == -ENOSPC ||
		    err == -EFSCORRUPTED || err == -EFSBADCRC || err == -ESTALE || err == -EIO);
}

static void use_names(struct inode *dir)
{
	char buf[EXT4_NAME_LEN + 1];
	uint32_t ino;

	for (uint32_t i = 0; i < NAMES; i += 7) {
		struct ext4_name name = name_of(i, buf);

		expect_end(test_mount_lookup(dir, &name, &ino));
	}
	for (uint32_t i = 0; i < 200; i++) {
		struct ext4_name name = name_of(NAMES + i, buf);

		expect_end(test_mount_create(dir, &name));
	}
	for (uint32_t i = 0; i < NAMES; i += 29) {
		struct ext4_name name = name_of(i, buf);

		expect_end(test_mount_unlink(dir, &name));
	}
}

static void list(struct inode *dir)
{
	uint32_t count = 0;
	uint64_t pos = 0;

	rwlock_read(&dir->lock);
	expect_end(ext4_readdir(dir, &pos, count_entry, &count));
	rwlock_unread(&dir->lock);
	assert_true(count < LISTED_MAX);
}

/* The last error is left in base.m.error. */
static void use_all(bool lists_first)
{
	struct test_mount *m = &base.m;
	struct inode *dir;

	m->expect_errors = true;
	m->error[0] = '\0';
	assert_int_equal(test_mount_device(m, open_bytes), 0);
	if (!ext4_iget(m->fs, base.dir_ino, IGET_NORMAL, &dir)) {
		if (lists_first)
			list(dir);
		use_names(dir);
		list(dir);
		ext4_iput(dir);
	}
	expect_end(ext4_unmount(m->fs));
	test_mount_leave(m);
}

/* ---- one field at a time */

struct patch {
	uint32_t offset, width;
	uint32_t value;
};

struct hostile {
	int kind;
	struct patch patch[5]; /* ends with one of width 0 */
	const char *message;
};

static void apply(const struct hostile *h)
{
	uint8_t *block = base.bytes + base.pblk[h->kind] * BLOCK_SIZE;

	for (const struct patch *p = h->patch; p->width; p++)
		for (uint32_t i = 0; i < p->width; i++)
			block[p->offset + i] = (uint8_t)(p->value >> (8 * i));
}

static void try_hostile(const struct hostile *h)
{
	char in_place[40];

	memcpy(base.bytes, base.image.bytes, base.image.size);
	apply(h);
	use_all(true);
	(void)snprintf(in_place, sizeof(in_place), "inode %u: ", base.dir_ino);
	if (!base.m.errors || !strstr(base.m.error, h->message) ||
	    !strstr(base.m.error, in_place) || !strstr(base.m.error, "block "))
		fail_msg("kind %d, offset %u, value %u: \"%s\", not \"%s\"", h->kind,
			 h->patch[0].offset, h->patch[0].value, base.m.error, h->message);
}

static void each_field_of_a_tree(void **state)
{
	const struct hostile cases[] = {
		{ ROOT, { { 4, 2, 16 } }, "records of 16 and" },
		{ ROOT, { { 24, 4, 1 } }, "zero 1" },
		{ ROOT, { { 28, 1, 6 } }, "hash 6 is not known" },
		{ ROOT, { { 29, 1, 7 } }, "length 7" },
		{ ROOT, { { 30, 1, 2 } }, "2 levels below it" },
		{ ROOT, { { 30, 1, 0 } }, "a node where names are due" },
		{ ROOT, { { 31, 1, 1 } }, "flags 1" },
		{ ROOT, { { 32, 2, 200 } }, "limit 200, with room for 124" },
		{ ROOT, { { 34, 2, 0 } }, "0 of 124 entries" },
		{ ROOT, { { 34, 2, 65535 } }, "65535 of 124 entries" },
		{ ROOT, { { 36, 4, 0 } }, "entry 0 points at the root" },
		{ ROOT, { { 36, 4, 0x0fffffff } }, "leads to block 268435455 of" },
		{ ROOT, { { 36, 4, base.lblk[LEAF] } }, "names where a node is due" },
		{ ROOT, { { 40, 4, 0xfffffff0 } }, "comes after 0xfffffff0" },
		{ NODE, { { 4, 2, 12 } }, "directory block" },
		{ NODE, { { 8, 2, 126 } }, "names where a node is due" },
		{ NODE, { { 10, 2, 0 } }, "0 of 127 entries" },
		{ NODE, { { 10, 2, 128 } }, "128 of 127 entries" },
		{ NODE, { { 12, 4, base.lblk[NODE] } }, "leads through this block twice" },
		{ NODE, { { 12, 4, 0 } }, "entry 0 points at the root" },
		{ NODE, { { 12, 4, 100000 } }, "leads to block 100000 of" },
		{ NODE, { { 16, 4, 0xfffffff0 } }, "comes after 0xfffffff0" },
		{ LEAF, { { 4, 2, 0 } }, "entry at 0: record of 0 bytes" },
		{ LEAF, { { 4, 2, 65532 } }, "entry at 0: record of 65532 bytes reaches over" },
		{ LEAF, { { 6, 1, 255 } }, "entry at 0: name of 255 bytes in a record" },
		{ LEAF, { { 0, 4, 0xffffffff } }, "entry at 0: inode 4294967295 of" },
		{ LEAF,
		  { { 0, 4, 0 }, { 4, 4, 1024 }, { 8, 4, 0x0001007f }, { 12, 4, 5 } },
		  "a node where names are due" },
	};

	for (size_t i = 0; i < array_size(cases); i++)
		try_hostile(&cases[i]);
}

/* ---- what one block cannot tell */

static struct ext4_inode *raw_dir(void)
{
	const struct ext4_super_block *sb = (const void *)(base.bytes + EXT4_SUPER_OFFSET);
	const struct ext4_group_desc *d = (const void *)(base.bytes + 2 * BLOCK_SIZE);
	uint32_t per_group = le32_get(sb->s_inodes_per_group), at = base.dir_ino - 1;

	d = (const void *)((const uint8_t *)d + at / per_group * le16_get(sb->s_desc_size));
	return (void *)(base.bytes + (uint64_t)le32_get(d->bg_inode_table_lo) * BLOCK_SIZE +
			at % per_group * le16_get(sb->s_inode_size));
}

/* The directory is shorter than its map: the tree leads behind the end, and so does growth. */
static void blocks_behind_the_end(void **state)
{
	struct ext4_inode *raw;

	memcpy(base.bytes, base.image.bytes, base.image.size);
	raw = raw_dir();
	assert_true(ext4_raw_is(raw, EXT4_S_IFDIR));
	raw->i_size_lo = le32_of(le32_get(raw->i_size_lo) - 20 * BLOCK_SIZE);
	use_all(false);
	assert_true(base.m.errors > 0);
}

/* All entries of a node lead to the same leaf, as if one hash went on for ever. */
static void a_hash_without_an_end(void **state)
{
	struct dx_entry *entries;

	memcpy(base.bytes, base.image.bytes, base.image.size);
	for (int kind = ROOT; kind <= NODE; kind++) {
		uint8_t *block = base.bytes + base.pblk[kind] * BLOCK_SIZE;

		entries = (void *)(block +
				   (kind == ROOT ? EXT4_DX_ROOT_ENTRIES : EXT4_DX_NODE_ENTRIES));
		((struct dx_countlimit *)entries)->count = ((struct dx_countlimit *)entries)->limit;
		for (uint32_t i = 0; i < ext4_dx_count(entries); i++) {
			entries[i].block = le32_of(base.lblk[kind + 1]);
			if (i)
				entries[i].hash = le32_of(EXT4_DX_HASH_CONTINUED);
		}
	}
	use_all(true);
	assert_non_null(strstr(base.m.error, "more leaves than the directory has blocks"));
}

/* ---- at random */

static uint32_t rounds = 60; /* or the program's argument */

static void bytes_at_random(void **state)
{
	struct random r;

	random_init_seed(&r, 11);
	for (uint32_t round = 0; round < rounds; round++) {
		memcpy(base.bytes, base.image.bytes, base.image.size);
		for (uint32_t k = 1 + random_below(&r, 4); k--;) {
			uint64_t block = base.pblk[random_below(&r, KINDS)];
			uint32_t offset = random_below(&r, random_below(&r, 2) ? 64 : BLOCK_SIZE);

			base.bytes[block * BLOCK_SIZE + offset] = (uint8_t)random_u64(&r);
		}
		use_all(round % 2);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field_of_a_tree),
		cmocka_unit_test(blocks_behind_the_end),
		cmocka_unit_test(a_hash_without_an_end),
		cmocka_unit_test(bytes_at_random),
	};

	if (argc > 1)
		rounds = (uint32_t)atoi(argv[1]);
	return cmocka_run_group_tests(tests, make_base, drop_base);
}
