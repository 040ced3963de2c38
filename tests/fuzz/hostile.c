/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile: mutated images, opened, listed, read and written to. Each seed makes one: some bytes or fields of the
 * superblock, descriptors, bitmaps, inodes, directory blocks, extents and the log are changed; with odd seeds the sums
 * of superblock, descriptors, bitmaps and inodes are made right again, so that the change gets past them.
 *
 *	hostile [--from SEED] [--count N] [--seconds S] IMAGE...
 *
 * Every image is used read-only, which must change no byte, and read-write. Whatever the calls answer is right; what
 * must not be is a crash, an assertion, memory that grows over the bound, time over the bound (SIGALRM ends the
 * process, with the seed's number on stderr), or memory left behind. Sums of directory and extent blocks stay wrong.
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/random.h"
#include "ext4/csum.h"
#include "ext4/disk.h"
#include "ext4/verify.h"
#include "lib/lib.h"

#define CLOCK_START_NS (1700000000LL * NSEC_PER_SEC)
#define ARENA_BYTES_MAX ((size_t)64 << 20)
#define SECONDS_MAX 30
#define DEPTH_MAX 6
#define FILES_MAX 200

struct hostile {
	struct arena *arena;		/* of the devices */
	struct block_device *cow;
	struct ext4_geometry geo;
	struct random random;
	struct arena *mount_arena;
	size_t bytes_max;
	int files;
};

static char current[64] = "hostile: hangs\n";

static void hung(int signal)
{
	(void)signal;
	(void)!write(2, current, strlen(current));
	_exit(1);
}

static uint64_t below(struct hostile *h, uint64_t n)
{
	return n ? random_u64(&h->random) % n : 0;
}

/* ---- making one */

static int change_at(struct hostile *h, uint64_t at, size_t len)
{
	static const uint8_t extremes[] = { 0, 1, 0x7f, 0x80, 0xff };
	uint8_t sector[512];
	uint64_t from = at & ~(uint64_t)511;
	int err = block_read(h->cow, from, sector, sizeof(sector));

	for (size_t i = at - from; !err && len-- && i < sizeof(sector); i++)
		sector[i] = below(h, 2) ? extremes[below(h, sizeof(extremes))] : (uint8_t)random_u64(&h->random);
	return err ? err : block_write(h->cow, from, sector, sizeof(sector), 0);
}

/* Where a change goes: most into what the mount looks at first. */
static uint64_t choose_place(struct hostile *h, const struct ext4_descriptor *d)
{
	const struct ext4_geometry *g = &h->geo;

	switch (below(h, 8)) {
	case 0: return EXT4_SUPER_OFFSET + below(h, 1024);
	case 1: return (g->super_block + 1) * g->block_size + below(h, (uint64_t)g->groups_count * g->desc_size);
	case 2: return d->block_bitmap * g->block_size + below(h, g->block_size);
	case 3: return d->inode_bitmap * g->block_size + below(h, g->block_size);
	case 4:
	case 5: return d->inode_table * g->block_size + below(h, 24ull * g->inode_size);
	case 6: return d->inode_table * g->block_size + below(h, (uint64_t)g->itable_blocks * g->block_size * 3);
	default: return below(h, h->cow->size_bytes);
	}
}

static int mend_group(struct hostile *h, ext4_group_t group)
{
	const struct ext4_geometry *g = &h->geo;
	uint64_t at = (g->super_block + 1) * g->block_size + (uint64_t)group * g->desc_size;
	uint64_t sector = at & ~(uint64_t)511;
	uint8_t table[512], bitmap[65536];
	struct ext4_group_desc *d = (struct ext4_group_desc *)(void *)(table + (at - sector));
	struct ext4_descriptor where;
	uint32_t sum;

	if (block_read(h->cow, sector, table, sizeof(table)))
		return -EIO;
	ext4_descriptor_read(g, d, &where);
	if (!block_read(h->cow, where.block_bitmap * g->block_size, bitmap, g->block_size)) {
		sum = ext4_block_bitmap_csum(g, bitmap);
		d->bg_block_bitmap_csum_lo = le16_of((uint16_t)sum);
		if (g->desc_size >= 64)
			d->bg_block_bitmap_csum_hi = le16_of((uint16_t)(sum >> 16));
	}
	if (!block_read(h->cow, where.inode_bitmap * g->block_size, bitmap, g->block_size)) {
		sum = ext4_inode_bitmap_csum(g, bitmap);
		d->bg_inode_bitmap_csum_lo = le16_of((uint16_t)sum);
		if (g->desc_size >= 64)
			d->bg_inode_bitmap_csum_hi = le16_of((uint16_t)(sum >> 16));
	}
	ext4_descriptor_csum_set(g, group, d);
	return block_write(h->cow, sector, table, sizeof(table), 0);
}

static int mend_inodes(struct hostile *h, const struct ext4_descriptor *d)
{
	const struct ext4_geometry *g = &h->geo;
	uint8_t table[65536];

	for (uint32_t b = 0; b < min(g->itable_blocks, 4u); b++) {
		uint64_t at = (d->inode_table + b) * g->block_size;

		if (block_read(h->cow, at, table, g->block_size))
			return -EIO;
		for (uint32_t i = 0; i < g->inodes_per_block; i++)
			ext4_inode_csum_set(g, b * g->inodes_per_block + i + 1,
					    (struct ext4_inode *)(void *)(table + (size_t)i * g->inode_size));
		if (block_write(h->cow, at, table, g->block_size, 0))
			return -EIO;
	}
	return 0;
}

static int mend_super(struct hostile *h)
{
	struct ext4_super_block sb;
	int err = block_read(h->cow, EXT4_SUPER_OFFSET, &sb, sizeof(sb));

	ext4_super_csum_set(&sb);
	return err ? err : block_write(h->cow, EXT4_SUPER_OFFSET, &sb, sizeof(sb), 0);
}

static int make_image(struct hostile *h, uint64_t seed)
{
	struct ext4_super_block sb;
	struct ext4_verdict verdict;
	uint8_t first[512];
	struct ext4_descriptor d;
	int err;

	block_cow_reset(h->cow);
	random_init_seed(&h->random, seed);
	err = block_read(h->cow, EXT4_SUPER_OFFSET, &sb, sizeof(sb));
	if (!err)
		err = ext4_geometry_from_super(&sb, h->cow->size_bytes, &h->geo, &verdict);
	if (!err)
		err = block_read(h->cow, (h->geo.super_block + 1) * h->geo.block_size, first, sizeof(first));
	if (err)
		return err;
	ext4_descriptor_read(&h->geo, (struct ext4_group_desc *)(void *)first, &d);
	for (uint64_t n = 1 + below(h, 8); n && !err; n--)
		err = change_at(h, min(choose_place(h, &d), h->cow->size_bytes - 8), 1 + below(h, 4));
	if (err || !(seed & 1))
		return err;
	err = mend_inodes(h, &d);
	for (ext4_group_t g = 0; g < h->geo.groups_count && !err; g++)
		err = mend_group(h, g);
	return err ? err : mend_super(h);
}

/* ---- using it; whatever is answered is right */

struct names {
	char path[DEPTH_MAX * 16][300];
	int count;
	const char *dir;
};

static int one_name(void *arg, const struct extant_dirent *d)
{
	struct names *n = arg;

	if (n->count == (int)array_size(n->path))
		return 1;
	if (strcmp(d->name, ".") && strcmp(d->name, "..") && strlen(n->dir) + strlen(d->name) < 298)
		(void)snprintf(n->path[n->count++], sizeof(n->path[0]), "%s/%.255s", n->dir, d->name);
	return 0;
}

static void read_file(struct extant *x, const char *path)
{
	static uint8_t buf[1 << 16];
	int fd = extant_open(x, path, O_RDONLY | O_NOFOLLOW, 0);

	if (fd < 0)
		return;
	for (int i = 0; i < 64 && extant_read(x, fd, buf, sizeof(buf)) > 0; i++)
		;
	(void)extant_close(x, fd);
}

static void walk(struct hostile *h, struct extant *x, const char *dir, int depth)
{
	struct names *n = calloc(1, sizeof(*n));
	int fd = extant_open(x, *dir ? dir : "/", O_RDONLY | O_DIRECTORY, 0);
	struct extant_stat st;
	char target[4096];

	if (n && fd >= 0) {
		n->dir = dir;
		(void)extant_readdir(x, fd, one_name, n);
		(void)extant_close(x, fd);
	}
	for (int i = 0; n && i < n->count && h->files < FILES_MAX; i++, h->files++) {
		int err = extant_lstat(x, n->path[i], &st);

		(void)extant_readlink(x, n->path[i], target, sizeof(target));
		if (!err && (st.mode & 0170000) == 0040000 && depth < DEPTH_MAX)
			walk(h, x, n->path[i], depth + 1);
		else
			read_file(x, n->path[i]);
	}
	free(n);
}

static void change(struct extant *x)
{
	static uint8_t buf[50000];
	int fd = extant_open(x, "/plain", O_RDWR | O_APPEND, 0);

	if (fd >= 0) {
		(void)extant_write(x, fd, buf, sizeof(buf));
		(void)extant_fsync(x, fd);
		(void)extant_ftruncate(x, fd, 100);
		(void)extant_close(x, fd);
	}
	fd = extant_open(x, "/d/new", O_CREAT | O_WRONLY, 0644);
	if (fd >= 0) {
		(void)extant_write(x, fd, buf, sizeof(buf));
		(void)extant_fsync(x, fd);
		(void)extant_close(x, fd);
	}
	(void)extant_mkdir(x, "/d/sub", 0755);
	(void)extant_truncate(x, "/sparse", 5000);
	(void)extant_unlink(x, "/sparse");
	(void)extant_unlink(x, "/attr");
	(void)extant_rmdir(x, "/d/sub");
	(void)extant_unlink(x, "/d/new");
	(void)extant_sync(x);
}

static int use(struct hostile *h, bool read_only)
{
	struct extant_options opt;
	struct lib_mount_args args = { .image = "hostile", .opt = &opt, .dialect = DIALECT_6_18 };
	struct extant *x;
	int bad;

	extant_options_init(&opt);
	opt.mode = EXTANT_INLINE;
	opt.seed = 1;
	opt.virtual_time_ns = CLOCK_START_NS;
	opt.mount_options = read_only ? "ro,cache_mb=8" : "cache_mb=8,noinit_itable";
	args.arena = h->mount_arena = arena_create();
	if (!args.arena || block_share_create(h->arena, h->cow, &args.device))
		return 1;
	h->files = 0;
	if (!lib_mount(&args, &x)) {
		walk(h, x, "", 0);
		if (!read_only)
			change(x);
		h->bytes_max = max(h->bytes_max, arena_footprint(h->mount_arena));
		(void)extant_unmount(x);
	}
	bad = arena_bytes(h->mount_arena) != 0 || h->bytes_max > ARENA_BYTES_MAX;
	arena_expect_leaks(h->mount_arena);
	arena_destroy(h->mount_arena);
	return bad;
}

static uint64_t image_sum(struct hostile *h)
{
	static uint64_t words[1 << 13];
	uint64_t sum = 0;

	for (uint64_t at = 0; at + sizeof(words) <= h->cow->size_bytes; at += sizeof(words))
		for (size_t i = block_read(h->cow, at, words, sizeof(words)) ? SIZE_MAX : 0; i < array_size(words); i++)
			sum = (sum ^ words[i]) * 0x9e3779b97f4a7c15ull;
	return sum;
}

static int one_seed(struct hostile *h, const char *image, uint64_t seed)
{
	struct block_device *file;
	uint64_t before;
	int bad = 1;

	(void)snprintf(current, sizeof(current), "hostile: seed %llu hangs\n", (unsigned long long)seed);
	h->arena = arena_create();
	if (!h->arena || block_file_open(h->arena, image, true, 0, 0, &file) ||
	    block_cow_create(h->arena, file, &h->cow))
		return 1;
	if (!make_image(h, seed)) {
		before = image_sum(h);
		alarm(SECONDS_MAX);
		bad = use(h, true) || image_sum(h) != before;
		bad |= use(h, false);
		alarm(0);
	}
	block_close(h->cow);
	arena_destroy(h->arena);
	if (bad)
		fprintf(stderr, "hostile: %s: seed %llu: memory is left or too much, or read-only wrote\n", image,
			(unsigned long long)seed);
	return bad;
}

static const struct option long_options[] = {
	{ "from", required_argument, NULL, 'f' }, { "count", required_argument, NULL, 'c' },
	{ "seconds", required_argument, NULL, 's' }, { NULL, 0, NULL, 0 },
};

int main(int argc, char **argv)
{
	static struct hostile h;
	uint64_t from = 0, count = UINT64_MAX, done = 0, failed = 0;
	time_t end = INT64_MAX;
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (c == '?')
			return 2;
		*(c == 'f' ? &from : c == 'c' ? &count : &done) = strtoull(optarg, NULL, 0);
		if (c == 's')
			end = time(NULL) + (time_t)done;
	}
	done = 0;
	if (optind == argc)
		return 2;
	(void)signal(SIGALRM, hung);
	for (uint64_t seed = from; done < count && time(NULL) < end; seed++, done++) {
		if (getenv("HOSTILE_VERBOSE"))
			fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
		failed += (uint64_t)one_seed(&h, argv[optind + (int)(seed / 2 % (uint64_t)(argc - optind))], seed) ? 1 : 0;
	}
	printf("{\"images\": %llu, \"failed\": %llu, \"bytes_max\": %zu}\n", (unsigned long long)done,
	       (unsigned long long)failed, h.bytes_max);
	return failed ? 1 : 0;
}
