/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Directories on real images, journal and allocator included: names that come and go are found, or
 * not, and listed once each, in every hash, block size and level of tree, in pieces, while others
 * come and go; look-ups read no more than they must; full trees and full disks refuse a name and
 * lose nothing; memory that fails at any point does no harm; e2fsck finds nothing afterwards.
 *
 * Names are numbers in disguise: name_of() makes number i's name, a byte for each number says
 * whether it is there.
 */
#include "base/assert.h"
#include "ext4/dir_internal.h"
#include "ext4/mount_testing.h"

#define NAMES_MAX 40000u

struct names {
	struct test_mount *m;
	struct inode *dir;
	struct random random;
	uint32_t count; /* numbers in use */
	uint32_t len_min, len_max;
	bool colliding; /* names of one hash, and none else */
	uint8_t there[NAMES_MAX], seen[NAMES_MAX];
	uint32_t dots; /* `.` and `..` seen */
	uint32_t stop_after; /* entries of a piece; 0: all */
};

static struct names names; /* too large for the stack */

/* Ten a line: names of eight bytes whose legacy hash is 0x80000000. */
static const char colliding[] =
	"iqwfr7rAU6XZJ3k9NU6LqmQdufDfRpU4QQGh1hh5YseO3ZC031xh2Thc1272gM7dAXBfxxXDI9eqlPtD"
	"62jnTPpUQWYFu9CU7AHaVg7OHEWA476owsYCeyttdfYkr5HfIb0rCVsSOEf3V50yUG92tviccdZeWHgv"
	"bYliyBgD6NZkPNo4SuabfNmJBchCIFUhUzoLCobT0QHQleFHcSMQYPoEZrFV3mfrvBdy43f3sXmVLs9c"
	"fkWfZvxiNWhYs2q6kPtjf1XaTLceYdLwlbEIHbECdyncSYP3hFTmo4UzYnHw1ai8YV7Mv11fI27gJXyX"
	"0TNNb9faQmuKxjAxAZPryxVnO7h7dpwJp69LYhX2H7gnaVslREGxpeu6hxs3Qpvkv2KmEJKBdNNZay1d"
	"fXUjqg6i2WVTUEhmtcCpXw3PGemmJRyF0DJ5XJk10tlugI6o5VeOC1E6ckjm81qBMiU6SvA2l45ozycZ"
	"TmGrlrIh8ryPZt6nOpO8h7BK0y1i6Bew0M7xBo1eKVl0b2Km6L4IiVjWa1oUdaGifEbKBsRb9d9izAXL"
	"l50OFgber0GinTuyeGdsMKcbv0sLtfDBvi2jXTzjDO3cas0OpjjqqelGvymm0ZeiB0DHifzQLo8WlHxq"
	"69KAMuWOGI8dYxwVhbcjyPgn9CnUpZ4jLVP0furk13MtG9NrAizRM5PuNleLdjdqMZUK8sK1Py1OO5tz"
	"JfIWqMgrovL9QGfzrWwXKS6Ylpznfu73EVGnvmtZtO0K5ceymqmO1AZzZ8yOY7NWjqM5jzdbeb93qnaU"
	"CqUkCgIwqbxjwMPrdcfu9FZpTChqpu1RiRXrulL3gp5q8maiRJ3dNeuhcwYxb3wxmBJMnCdMcRtp6LaT"
	"6uhHZqr4lzmMa36k33FZ7wfiYOhlUmY8VnQi6CRxDHecBuvKjLLEDwavvR8QSCaZTb25S2uktPqaQNkC"
	"SG8jaLqf0BVqQoh98UyedXdorPzQY80uwPbpyHydkO9zv0cs57V8SIdaQfJclO4LJSaP029A2eqkZQcl"
	"Vvdxg06LLt4R536MVJGOmFO2teRM8DaNaf7sP5QFCUfUo2f3sZGfcDnmof61kQW5LXvr0szsFvco55BF"
	"ZyuNWtpb7BsmAqAPzSjvb4lU2y9oqsMDC5mU54jxTBrFD4lKs8KUbircIuht8FNn24ldBal7XfJygSpY"
	"8U9c3mV888FpTfGrb2XXo9hOGPjC0yJP4jNKrRD0OO8jBeTxWEicCxOV1t8mw9IS50GdpuIFzHU6hzhS";
#define COLLIDING (sizeof(colliding) / 8)

static struct ext4_name name_of(const struct names *n, uint32_t i, char buf[EXT4_NAME_LEN + 1])
{
	struct random r;
	uint32_t len;

	if (n->colliding)
		return (struct ext4_name){ colliding + 8 * (size_t)i, 8 };
	random_init_seed(&r, i);
	len = n->len_min + random_below(&r, n->len_max - n->len_min + 1);
	(void)sprintf(buf, "%05u-", i);
	for (uint32_t at = 6; at < len; at++)
		buf[at] = (char)('\xe0' + random_below(&r, 26));
	return (struct ext4_name){ buf, max(len, 6u) };
}

static int number_of(const struct names *n, const struct ext4_name *name)
{
	char buf[EXT4_NAME_LEN + 1];
	struct ext4_name want;
	uint32_t i = 0;

	if (!n->colliding) {
		memcpy(buf, name->bytes, 5);
		buf[5] = '\0';
		i = (uint32_t)atoi(buf);
	}
	for (; i < n->count; i++) {
		want = name_of(n, i, buf);
		if (want.len == name->len && !memcmp(want.bytes, name->bytes, want.len))
			return (int)i;
		assert_true(n->colliding);
	}
	fail();
	return -1;
}

/* ---- changes */

static int create(struct names *n, uint32_t i)
{
	char buf[EXT4_NAME_LEN + 1];
	struct ext4_name name = name_of(n, i, buf);
	int err = test_mount_create(n->dir, &name);

	if (!err)
		n->there[i] = 1;
	return err;
}

static void remove_name(struct names *n, uint32_t i)
{
	char buf[EXT4_NAME_LEN + 1];
	struct ext4_name name = name_of(n, i, buf);

	assert_int_equal(test_mount_unlink(n->dir, &name), 0);
	n->there[i] = 0;
}

/* One comes, and for every fifth that comes another goes. */
static void fill(struct names *n, uint32_t to)
{
	for (uint32_t i = n->count; i < to; i++) {
		uint32_t other = random_below(&n->random, i + 1);

		n->count = i + 1;
		assert_int_equal(create(n, i), 0);
		if (i % 5 == 0 && n->there[other])
			remove_name(n, other);
	}
}

/* ---- what is there */

static void look_all_up(struct names *n)
{
	char buf[EXT4_NAME_LEN + 1];
	uint32_t ino;

	for (uint32_t i = 0; i < n->count; i++) {
		struct ext4_name name = name_of(n, i, buf);

		assert_int_equal(test_mount_lookup(n->dir, &name, &ino), n->there[i] ? 0 : -ENOENT);
	}
}

static int see(void *arg, const struct ext4_dirent *d)
{
	struct names *n = arg;

	if (n->stop_after == 1)
		return 1;
	n->stop_after -= n->stop_after > 0;
	if (d->name.len <= 2 && d->name.bytes[0] == '.')
		n->dots++;
	else
		n->seen[number_of(n, &d->name)]++;
	return 0;
}

static void forget_seen(struct names *n)
{
	memset(n->seen, 0, n->count);
	n->dots = 0;
	n->stop_after = 0;
}

static void list_all(struct names *n)
{
	uint64_t pos = 0;

	forget_seen(n);
	rwlock_read(&n->dir->lock);
	assert_int_equal(ext4_readdir(n->dir, &pos, see, n), 0);
	assert_int_equal(ext4_readdir(n->dir, &pos, see, n), 0); /* nothing behind the end */
	rwlock_unread(&n->dir->lock);
	assert_int_equal(n->dots, 2);
	assert_memory_equal(n->seen, n->there, n->count);
}

/* A piece of `entries`; true: there may be more. */
static bool list_piece(struct names *n, struct ext4_dir_cursor *at, uint32_t entries)
{
	struct ext4_dir_cursor was = *at;

	n->stop_after = entries + 1;
	rwlock_read(&n->dir->lock);
	assert_int_equal(ext4_readdir_from(n->dir, at, see, n), 0);
	rwlock_unread(&n->dir->lock);
	assert_true(at->pos > was.pos || (at->pos == was.pos && at->shown >= was.shown) ||
		    n->stop_after > 1);
	return n->stop_after == 1;
}

static void list_in_pieces(struct names *n)
{
	struct ext4_dir_cursor at = { 0 };

	forget_seen(n);
	while (list_piece(n, &at, 1 + random_below(&n->random, 9)))
		;
	assert_int_equal(n->dots, 2);
	assert_memory_equal(n->seen, n->there, n->count);
}

static void begin(struct names *n, struct test_mount *m)
{
	n->m = m;
	n->dir = test_mount_dir(m, "d");
}

static void end(struct names *n)
{
	ext4_iput(n->dir);
	test_mount_close(n->m);
}

static void begin_new(struct names *n, struct test_mount *m, uint32_t len_min, uint32_t len_max)
{
	memset(n, 0, sizeof(*n));
	random_init_seed(&n->random, 7);
	n->len_min = len_min;
	n->len_max = len_max;
	test_mount_open(m);
	begin(n, m);
}

/* ---- names come and go */

struct shape {
	const char *options, *setting;
	uint32_t len_max, count;
};

static void try_shape(const struct shape *shape)
{
	struct test_mount m;

	test_mount_make(&m, "64M", shape->options, shape->setting);
	begin_new(&names, &m, 6, shape->len_max);
	for (uint32_t part = 1; part <= 3; part++) {
		fill(&names, shape->count * part / 3);
		look_all_up(&names);
		list_all(&names);
		list_in_pieces(&names);
	}
	end(&names);
	test_mount_fsck(&m);
	test_mount_open(&m);
	begin(&names, &m);
	look_all_up(&names);
	list_all(&names);
	end(&names);
	test_mount_remove(&m);
}

static void names_come_and_go(void **state)
{
	static const struct shape shapes[] = {
		{ "-b 4096 -N 8000", NULL, 60, 2000 },
		{ "-b 1024 -N 8000", "def_hash_version legacy", 60, 2000 },
		{ "-b 1024 -N 8000", "flags 2", 255, 1500 }, /* unsigned */
		{ "-b 1024 -N 8000 -O ^metadata_csum", "def_hash_version tea", 20, 2000 },
		{ "-b 2048 -N 8000 -O large_dir", "flags 1", 200, 2000 }, /* signed */
		{ "-b 1024 -N 8000 -O ^filetype,^64bit,^metadata_csum", NULL, 100, 2000 },
		{ "-b 1024 -N 8000 -O ^has_journal", NULL, 100, 1500 },
		{ "-b 4096 -N 8000 -O ^dir_index", NULL, 60, 1000 },
		{ "-b 1024 -N 8000 -O ^dir_index,^metadata_csum", NULL, 255, 500 },
	};

	for (size_t i = 0; i < array_size(shapes); i++)
		try_shape(&shapes[i]);
}

/* ---- listing what changes */

/*
 * Each name is touched at most once while a listing is under way: those that are not are seen
 * exactly once, those that come or go at most once.
 */
static void list_while_changing(struct names *n, uint32_t fresh)
{
	static uint8_t touched[NAMES_MAX], before[NAMES_MAX];
	struct ext4_dir_cursor at = { 0 };
	uint32_t limit = n->count + fresh;

	memset(touched, 0, sizeof(touched));
	memcpy(before, n->there, sizeof(before));
	forget_seen(n);
	memset(n->seen, 0, sizeof(n->seen));
	while (list_piece(n, &at, 1 + random_below(&n->random, 12))) {
		for (uint32_t k = 0; k < 4; k++) {
			uint32_t i = random_below(&n->random, n->count);

			if (n->there[i] && !touched[i] && k % 2) {
				remove_name(n, i);
				touched[i] = 1;
			} else if (n->count < limit) {
				touched[n->count] = 1;
				n->count++;
				assert_int_equal(create(n, n->count - 1), 0);
			}
		}
	}
	/* They change their place when the directory becomes a tree, and may be passed over then. */
	assert_true(n->dots <= 2);
	for (uint32_t i = 0; i < n->count; i++) {
		assert_true(n->seen[i] <= 1);
		assert_true(touched[i] || n->seen[i] == before[i]);
	}
}

static void try_listing(const char *options, const char *setting, uint32_t len_max)
{
	struct test_mount m;

	test_mount_make(&m, "64M", options, setting);
	begin_new(&names, &m, 6, len_max);
	fill(&names, 8);
	while (names.count < 1500)
		list_while_changing(&names, names.count);
	list_while_changing(&names, 0);
	list_all(&names);
	end(&names);
	test_mount_fsck(&m);
	test_mount_remove(&m);
}

static void a_listing_survives_changes(void **state)
{
	try_listing("-b 1024 -N 8000", NULL, 60);
	try_listing("-b 1024 -N 8000 -O ^metadata_csum", "def_hash_version legacy", 200);
	try_listing("-b 4096 -N 8000", NULL, 255);
	try_listing("-b 1024 -N 8000 -O ^dir_index", NULL, 60);
}

/* ---- names of one hash */

static uint32_t continued_entries(struct inode *dir)
{
	struct ext4_dx_path p = { .hash.hash = 0 };
	uint32_t count = 0;

	rwlock_read(&dir->lock);
	assert_int_equal(ext4_dx_probe(dir, NULL, &p), 0);
	while (ext4_dx_next_hash(&p) != UINT32_MAX) {
		count += ext4_dx_next_hash(&p) & EXT4_DX_HASH_CONTINUED;
		assert_int_equal(ext4_dx_next_leaf(&p), 0);
	}
	ext4_dx_put(&p);
	rwlock_unread(&dir->lock);
	return count;
}

static void a_hash_over_several_leaves(void **state)
{
	struct test_mount m;

	test_mount_make(&m, "16M", "-b 1024", "def_hash_version legacy");
	begin_new(&names, &m, 8, 8);
	names.colliding = true;
	fill(&names, COLLIDING);
	for (uint32_t i = 0; i < COLLIDING; i++)
		if (!names.there[i])
			assert_int_equal(create(&names, i), 0);
	assert_true(continued_entries(names.dir) >= 2);
	look_all_up(&names);
	list_all(&names);
	list_in_pieces(&names);
	for (uint32_t i = 0; i < COLLIDING; i += 1 + random_below(&names.random, 3))
		remove_name(&names, i);
	look_all_up(&names);
	list_in_pieces(&names);
	end(&names);
	test_mount_fsck(&m);
	test_mount_remove(&m);
}

/* ---- the limits */

static uint32_t levels_of(struct inode *dir)
{
	struct ext4_dx_path p = { .hash.hash = 0 };
	uint32_t depth;

	rwlock_read(&dir->lock);
	assert_int_equal(ext4_dx_probe(dir, NULL, &p), 0);
	depth = p.depth;
	ext4_dx_put(&p);
	rwlock_unread(&dir->lock);
	return depth;
}

/* Up to the first name that is refused, or `most`. */
static int fill_up(struct names *n, uint32_t most)
{
	int err = 0;

	while (!err && n->count < most) {
		n->count++;
		err = create(n, n->count - 1);
	}
	return err;
}

static void a_full_tree_refuses_names(void **state)
{
	struct test_mount m;

	test_mount_make(&m, "1G", "-b 1024 -N 40000", NULL);
	begin_new(&names, &m, 240, 255);
	assert_int_equal(fill_up(&names, NAMES_MAX), -ENOSPC);
	assert_int_equal(levels_of(names.dir), 2);
	for (uint32_t k = 0; k < 100 && names.count < NAMES_MAX; k++) {
		names.count++;
		ignore_result(create(&names, names.count - 1)); /* there is room in some leaves */
	}
	look_all_up(&names);
	list_all(&names);
	end(&names);
	test_mount_fsck(&m);
	test_mount_remove(&m);
}

static void large_dir_adds_a_level(void **state)
{
	struct test_mount m;

	test_mount_make(&m, "1G", "-b 1024 -N 40000 -O large_dir", NULL);
	begin_new(&names, &m, 240, 255);
	while (names.count < NAMES_MAX - 1000 &&
	       (names.count % 1000 || names.count < 20000 || levels_of(names.dir) < 3))
		assert_int_equal(fill_up(&names, names.count + 500), 0);
	assert_int_equal(levels_of(names.dir), 3);
	assert_int_equal(fill_up(&names, names.count + 1000), 0);
	look_all_up(&names);
	list_all(&names);
	end(&names);
	test_mount_fsck(&m);
	test_mount_remove(&m);
}

static void a_full_disk_refuses_names(void **state)
{
	struct test_mount m;
	uint32_t refused = 0;

	test_mount_make(&m, "2400K", "-b 1024 -N 3000 -J size=1 -m 0", NULL);
	begin_new(&names, &m, 200, 255);
	while (refused < 200 && names.count < 2800) {
		names.count++;
		refused += create(&names, names.count - 1) != 0;
	}
	assert_true(refused > 0);
	look_all_up(&names);
	list_all(&names);
	for (uint32_t i = 0; i < names.count; i += 3)
		if (names.there[i])
			remove_name(&names, i);
	for (uint32_t i = 0; i < names.count; i += 9)
		if (!names.there[i])
			ignore_result(create(&names, i)); /* some find the room of those gone */
	look_all_up(&names);
	list_all(&names);
	end(&names);
	test_mount_fsck(&m);
	test_mount_remove(&m);
}

/* ---- what it costs, and what fails */

static uint64_t blocks_read(struct test_mount *m)
{
	struct buffer_cache_stats stats;

	buffer_cache_get_stats(m->fs->buffers, &stats);
	return stats.read_blocks;
}

static void a_look_up_reads_root_and_leaf(void **state)
{
	struct test_mount m;
	char buf[EXT4_NAME_LEN + 1];
	uint64_t before;
	uint32_t ino;

	test_mount_make(&m, "64M", "-b 4096 -N 8000", NULL);
	begin_new(&names, &m, 30, 60);
	fill(&names, 2000);
	end(&names);
	test_mount_open(&m);
	begin(&names, &m);
	for (uint32_t i = 0; i < 3; i++) {
		struct ext4_name name = name_of(&names, i * 700, buf);

		before = blocks_read(&m);
		assert_int_equal(test_mount_lookup(names.dir, &name, &ino),
				 names.there[i * 700] ? 0 : -ENOENT);
		assert_true(blocks_read(&m) - before <= (i ? 1 : 2));
	}
	end(&names);
	test_mount_remove(&m);
}

/* Each allocation of each creation fails in turn; the second attempt, or a later one, succeeds. */
static void memory_may_fail_anywhere(void **state)
{
	struct test_mount m;
	uint32_t failures = 0;

	test_mount_make(&m, "32M", "-b 1024 -N 8000", NULL);
	begin_new(&names, &m, 200, 255);
	while (names.count < 200) {
		int err;

		names.count++;
		for (uint64_t nth = 0;
		     (arena_fail_at(m.arena, nth), err = create(&names, names.count - 1)); nth++) {
			assert_int_equal(err, -ENOMEM);
			failures++;
		}
		arena_fail_at(m.arena, UINT64_MAX);
	}
	assert_true(failures > 0);
	look_all_up(&names);
	list_all(&names);
	assert_int_equal(m.errors, 0);
	end(&names);
	test_mount_fsck(&m);
	test_mount_remove(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_come_and_go),
		cmocka_unit_test(a_listing_survives_changes),
		cmocka_unit_test(a_hash_over_several_leaves),
		cmocka_unit_test(a_full_tree_refuses_names),
		cmocka_unit_test(large_dir_adds_a_level),
		cmocka_unit_test(a_full_disk_refuses_names),
		cmocka_unit_test(a_look_up_reads_root_and_leaf),
		cmocka_unit_test(memory_may_fail_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
