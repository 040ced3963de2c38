/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile: mutated images, opened, listed, read and written to. Each seed makes one (mutate.h): some bytes or fields of
 * superblock, descriptors, bitmaps, inodes, directory blocks, nodes of extent and hash trees, attribute blocks, the
 * orphan file, the journal's superblock and its log are changed; with odd seeds every sum is made right again, so that
 * the change gets past them.
 *
 *	hostile [--from SEED] [--count N] [--seconds S] IMAGE...
 *
 * With HOSTILE_VERBOSE in the environment each seed and each message is printed.
 *
 * Every image is used read-only, which must change no byte, and read-write. Whatever the calls answer is right. What
 * must not be:
 * - a crash, an assertion, memory left behind or grown over the bound, time over the bound (SIGALRM ends the process,
 *   with the seed's number on stderr);
 * - a mount that is refused and has changed a byte, but for what a replay that was told of brought into place;
 * - damage that is answered (EUCLEAN, EBADMSG) and nothing was said before, or that is said without the image and the
 *   inode, the block, or the part of the file system.
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "lib/lib.h"
#include "mutate.h"

#define CLOCK_START_NS (1700000000LL * NSEC_PER_SEC)
#define ARENA_BYTES_MAX ((size_t)64 << 20)
#define SECONDS_MAX 30
#define DEPTH_MAX 6
#define FILES_MAX 200

struct hostile {
	struct arena *arena;		/* of the devices */
	struct block_device *cow;
	struct mutation mutation;
	const char *surveyed;		/* the image that the mutation knows */
	struct arena *mount_arena;
	struct extant *x;
	const char *image;
	size_t bytes_max;
	double seconds_max;
	uint64_t mounted, refused, replays, damaged;	/* of the mounts: how often which */
	int files;
	/* what the mount at hand said */
	uint32_t errors;
	bool replayed;
	char bad[400];			/* the first thing that must not be */
};

static char current[64] = "hostile: hangs\n";

static void hung(int signal)
{
	(void)signal;
	(void)!write(2, current, strlen(current));
	_exit(1);
}

static void complain(struct hostile *h, const char *what, const char *more)
{
	if (!*h->bad)
		(void)snprintf(h->bad, sizeof(h->bad), "%s%s", what, more);
}

/* ---- what it says */

static bool says_where(const char *text)
{
	static const char *const parts[] = { "inode", "block", "group", "superblock", "journal", "transaction", "orphan", "recover" };

	for (size_t i = 0; i < array_size(parts); i++)
		if (strstr(text, parts[i]))
			return true;
	return false;
}

static void heard(void *arg, enum extant_level level, const char *text)
{
	struct hostile *h = arg;
	size_t n = strlen(h->image);

	if (getenv("HOSTILE_VERBOSE"))
		fprintf(stderr, "%s\n", text);
	if (strstr(text, "recovered: "))
		h->replayed = true;
	if (level != EXTANT_ERROR)
		return;
	h->errors++;
	if (strncmp(text, h->image, n) || text[n] != ':' || !says_where(text + n))
		complain(h, "damage is told without a place: ", text);
}

/* Each answer goes through here. */
static int64_t answer(struct hostile *h, int64_t ret)
{
	if ((ret == -EFSCORRUPTED || ret == -EFSBADCRC) && !h->errors)
		complain(h, "damage is answered without a word", "");
	return ret;
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

static void read_file(struct hostile *h, const char *path)
{
	static uint8_t buf[1 << 16];
	struct extant *x = h->x;
	int fd = (int)answer(h, extant_open(x, path, O_RDONLY | O_NOFOLLOW, 0));

	if (fd < 0)
		return;
	for (int i = 0; i < 64 && answer(h, extant_read(x, fd, buf, sizeof(buf))) > 0; i++)
		;
	(void)answer(h, extant_close(x, fd));
}

/* Names and values, for root and for somebody whom lists of rights concern. */
static void read_attributes(struct hostile *h, const char *path)
{
	static char names[1 << 16], value[1 << 16];
	struct extant_identity who = { .uid = 1000, .gid = 1000 };
	struct extant *other;
	int len = (int)answer(h, extant_llistxattr(h->x, path, names, sizeof(names)));

	for (int i = 0; i < len; i += (int)strlen(names + i) + 1)
		(void)answer(h, extant_lgetxattr(h->x, path, names + i, value, sizeof(value)));
	(void)answer(h, extant_lgetxattr(h->x, path, "system.posix_acl_access", value, sizeof(value)));
	if (extant_as(h->x, &who, &other))
		return;
	(void)answer(h, extant_access(other, path, 7));
	extant_as_end(other);
}

static void change_attributes(struct hostile *h, const char *path)
{
	static const uint8_t acl[] = { 2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 6, 0, 232, 3, 0, 0, 4, 0, 4, 0,
				       255, 255, 255, 255, 16, 0, 6, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255 };
	static char value[3000];

	(void)answer(h, extant_setxattr(h->x, path, "user.colour", "other", 5, 0));
	(void)answer(h, extant_setxattr(h->x, path, "user.more", value, 600, 0));
	(void)answer(h, extant_setxattr(h->x, path, "system.posix_acl_access", acl, sizeof(acl), 0));
	(void)answer(h, extant_chmod(h->x, path, 0600));
	(void)answer(h, extant_removexattr(h->x, path, "user.long"));
	(void)answer(h, extant_setxattr(h->x, path, "user.long", value, sizeof(value), 0));
	(void)answer(h, extant_chown(h->x, path, 1000, 1000));
	(void)answer(h, extant_setflags(h->x, path, 0x40));
}

static void walk(struct hostile *h, const char *dir, int depth)
{
	struct names *n = calloc(1, sizeof(*n));
	struct extant *x = h->x;
	int fd = (int)answer(h, extant_open(x, *dir ? dir : "/", O_RDONLY | O_DIRECTORY, 0));
	struct extant_stat st;
	char target[4096];

	if (n && fd >= 0) {
		n->dir = dir;
		(void)answer(h, extant_readdir(x, fd, one_name, n));
		(void)answer(h, extant_close(x, fd));
	}
	for (int i = 0; n && i < n->count && h->files < FILES_MAX; i++, h->files++) {
		int err = (int)answer(h, extant_lstat(x, n->path[i], &st));

		(void)answer(h, extant_readlink(x, n->path[i], target, sizeof(target)));
		read_attributes(h, n->path[i]);
		if (!err && (st.mode & 0170000) == 0040000 && depth < DEPTH_MAX)
			walk(h, n->path[i], depth + 1);
		else
			read_file(h, n->path[i]);
	}
	free(n);
}

static void write_file(struct hostile *h, const char *path, int flags, int64_t cut)
{
	static uint8_t buf[50000];
	int fd = (int)answer(h, extant_open(h->x, path, flags, 0644));

	if (fd < 0)
		return;
	(void)answer(h, extant_write(h->x, fd, buf, sizeof(buf)));
	(void)answer(h, extant_fsync(h->x, fd));
	if (cut)
		(void)answer(h, extant_ftruncate(h->x, fd, cut));
	(void)answer(h, extant_close(h->x, fd));
}

static void change(struct hostile *h)
{
	struct extant *x = h->x;

	write_file(h, "/plain", O_RDWR | O_APPEND, 100);
	write_file(h, "/d/new", O_CREAT | O_WRONLY, 0);
	write_file(h, "/tree/new", O_CREAT | O_WRONLY, 0);
	change_attributes(h, "/attr");
	change_attributes(h, "/plain");
	(void)answer(h, extant_mkdir(x, "/d/sub", 0755));
	(void)answer(h, extant_truncate(x, "/sparse", 5000));
	(void)answer(h, extant_unlink(x, "/sparse"));
	(void)answer(h, extant_truncate(x, "/pieces", 50000));
	(void)answer(h, extant_unlink(x, "/pieces"));
	(void)answer(h, extant_unlink(x, "/attr"));
	(void)answer(h, extant_rmdir(x, "/d/sub"));
	(void)answer(h, extant_unlink(x, "/d/new"));
	(void)answer(h, extant_sync(x));
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

static void use_mount(struct hostile *h, bool read_only)
{
	walk(h, "", 0);
	if (!read_only)
		change(h);
	h->bytes_max = max(h->bytes_max, arena_footprint(h->mount_arena));
	(void)answer(h, extant_unmount(h->x));
}

static void use(struct hostile *h, bool read_only)
{
	struct extant_options opt;
	struct lib_mount_args args = { .image = h->image, .opt = &opt, .dialect = DIALECT_6_18 };
	uint64_t before = image_sum(h);
	int err;

	extant_options_init(&opt);
	opt.mode = EXTANT_INLINE;
	opt.seed = 1;
	opt.virtual_time_ns = CLOCK_START_NS;
	opt.mount_options = read_only ? "ro,cache_mb=8" : "cache_mb=8,noinit_itable";
	opt.message = heard;
	opt.arg = h;
	args.arena = h->mount_arena = arena_create();
	if (!args.arena || block_share_create(h->arena, h->cow, &args.device)) {
		complain(h, "no memory", "");
		return;
	}
	h->files = 0;
	h->errors = 0;
	h->replayed = false;
	err = (int)answer(h, lib_mount(&args, &h->x));
	if (!err)
		use_mount(h, read_only);
	*(err ? &h->refused : &h->mounted) += 1;
	h->replays += h->replayed;
	h->damaged += !err && h->errors;
	if ((read_only || (err && !h->replayed)) && image_sum(h) != before)
		complain(h, read_only ? "read-only has written" : "a mount that was refused has written", "");
	if (arena_bytes(h->mount_arena) || h->bytes_max > ARENA_BYTES_MAX)
		complain(h, "memory is left, or was too much", "");
	arena_expect_leaks(h->mount_arena);
	arena_destroy(h->mount_arena);
}

static int open_image(struct hostile *h, const char *image)
{
	struct block_device *file;
	int err;

	if (h->surveyed == image)
		return 0;
	if (h->surveyed) {
		block_close(h->cow);
		arena_destroy(h->arena);
	}
	h->image = h->surveyed = image;
	h->arena = arena_create();
	err = h->arena ? block_file_open(h->arena, image, true, 0, 0, &file) : -ENOMEM;
	if (!err)
		err = block_cow_create(h->arena, file, &h->cow);
	return err ? err : mutation_survey(&h->mutation, h->cow);
}

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool one_seed(struct hostile *h, const char *image, uint64_t seed)
{
	double began = now();

	(void)snprintf(current, sizeof(current), "hostile: seed %llu hangs\n", (unsigned long long)seed);
	*h->bad = '\0';
	if (open_image(h, image) || mutation_make(&h->mutation, seed)) {
		complain(h, "it cannot be set up", "");
	} else {
		alarm(SECONDS_MAX);
		use(h, true);
		use(h, false);
		alarm(0);
	}
	h->seconds_max = max(h->seconds_max, now() - began);
	if (*h->bad)
		fprintf(stderr, "hostile: %s: seed %llu: %s\n", image, (unsigned long long)seed, h->bad);
	return *h->bad;
}

static const struct option long_options[] = {
	{ "from", required_argument, NULL, 'f' }, { "count", required_argument, NULL, 'c' },
	{ "seconds", required_argument, NULL, 's' }, { NULL, 0, NULL, 0 },
};

/* Seeds in turns of RUN to each image, an even and an odd one together. */
#define RUN 64

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
		failed += one_seed(&h, argv[optind + (int)(seed / RUN % (uint64_t)(argc - optind))], seed);
	}
	printf("{\"images\": %llu, \"failed\": %llu, \"bytes_max\": %zu, \"seconds_max\": %.2f, \"mounted\": %llu, "
	       "\"refused\": %llu, \"replayed\": %llu, \"damage_found\": %llu}\n",
	       (unsigned long long)done, (unsigned long long)failed, h.bytes_max, h.seconds_max,
	       (unsigned long long)h.mounted, (unsigned long long)h.refused, (unsigned long long)h.replays,
	       (unsigned long long)h.damaged);
	return failed ? 1 : 0;
}
