/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory: does one piece of work on a mount and tells how much memory the process took at its peak.
 *
 *	memory [-o MOUNTOPTS] mount IMAGE		mounts, looks at the root, unmounts
 *	memory [-o MOUNTOPTS] stream IMAGE MIB		writes so much into a file; mounts anew; reads and compares
 *	memory [-o MOUNTOPTS] sparse IMAGE COUNT	writes and reads so many blocks of a file, each far from the others
 *	memory [-o MOUNTOPTS] make IMAGE COUNT	makes so many empty files, a thousand in each directory
 *	memory [-o MOUNTOPTS] walk IMAGE COUNT	lists and stats all of those
 *
 * Prints a JSON line: the peak of the resident size as the kernel counts it (VmHWM), the bytes that the device was
 * asked for by the mount alone, and those it was asked for in all. The mount runs as a program's does: in threads.
 * Exit 1: something that was asked for did not work.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/lib.h"

#define MIB		((size_t)1 << 20)
#define FILES_IN_DIR	1000
#define NAME_MAX_BYTES	16

struct memory {
	const char *image, *options;
	uint64_t amount;
	struct arena *arena;		/* of the device */
	struct block_device *stats;	/* outlives each mount */
	struct extant *x;
	uint64_t mount_bytes;		/* read by the first mount */
};

static void heard(void *arg, enum extant_level level, const char *text)
{
	(void)arg;
	if (level != EXTANT_INFO)
		fprintf(stderr, "memory: %s\n", text);
}

static uint64_t bytes_read(const struct memory *m)
{
	struct block_stats s;

	block_stats_get(m->stats, &s);
	return s.read_bytes;
}

static int mount_it(struct memory *m)
{
	struct extant_options opt;
	struct lib_mount_args args = { .image = m->image, .opt = &opt, .dialect = DIALECT_6_18 };
	int err = block_share_create(m->arena, m->stats, &args.device);

	extant_options_init(&opt);
	opt.mount_options = m->options;
	opt.message = heard;
	if (!err)
		err = lib_mount(&args, &m->x);
	if (!err && !m->mount_bytes)
		m->mount_bytes = bytes_read(m);
	return err;
}

/* ---- the pieces of work */

static int look(struct memory *m)
{
	struct extant_stat st;
	int err = extant_stat(m->x, "/", &st);

	return err ? err : extant_sync(m->x);
}

static void fill(uint64_t *words, uint64_t mib)
{
	for (size_t i = 0; i < MIB / sizeof(*words); i++)
		words[i] = (mib << 32 | i) * 0x9e3779b97f4a7c15ull;
}

static int write_all(struct memory *m, uint64_t *words)
{
	int fd = extant_open(m->x, "/stream", O_CREAT | O_WRONLY | O_TRUNC, 0644), err;

	if (fd < 0)
		return fd;
	for (uint64_t i = 0; i < m->amount; i++) {
		int64_t n;

		fill(words, i);
		n = extant_write(m->x, fd, words, MIB);
		if (n != (int64_t)MIB)
			return n < 0 ? (int)n : -EIO;
	}
	err = extant_fsync(m->x, fd);
	return err ? err : extant_close(m->x, fd);
}

static int read_all(struct memory *m, uint64_t *words)
{
	static uint64_t got[MIB / sizeof(uint64_t)];
	int fd = extant_open(m->x, "/stream", O_RDONLY, 0);

	if (fd < 0)
		return fd;
	for (uint64_t i = 0; i < m->amount; i++) {
		int64_t n = extant_read(m->x, fd, got, MIB);

		fill(words, i);
		if (n != (int64_t)MIB || memcmp(words, got, MIB))
			return n < 0 ? (int)n : -EIO;
	}
	return extant_close(m->x, fd);
}

static int stream(struct memory *m)
{
	static uint64_t words[MIB / sizeof(uint64_t)];
	int err = write_all(m, words);

	if (!err)
		err = extant_unmount(m->x);
	if (!err)
		err = mount_it(m);
	return err ? err : read_all(m, words);
}

/* Each page needs nodes of its own in the tree of pages, and an extent of its own. */
static int sparse(struct memory *m)
{
	static uint8_t block[4096];
	const int64_t stride = 16 << 20;
	int fd = extant_open(m->x, "/sparse", O_CREAT | O_RDWR, 0644);
	int64_t n = fd < 0 ? fd : (int64_t)sizeof(block);

	for (int64_t i = 0; i < 2 * (int64_t)m->amount && n == (int64_t)sizeof(block); i++) {
		int64_t at = i % (int64_t)m->amount * stride;

		n = i < (int64_t)m->amount ? extant_pwrite(m->x, fd, block, sizeof(block), at)
					   : extant_pread(m->x, fd, block, sizeof(block), at);
	}
	return n != (int64_t)sizeof(block) ? (n < 0 ? (int)n : -EIO) : extant_close(m->x, fd);
}

static void path_of(char *path, size_t size, uint64_t i)
{
	(void)snprintf(path, size, "/d%llu/f%llu", (unsigned long long)(i / FILES_IN_DIR), (unsigned long long)i);
}

static int make(struct memory *m)
{
	char path[64];
	int err = 0;

	for (uint64_t i = 0; i < m->amount && !err; i++) {
		int fd;

		if (i % FILES_IN_DIR == 0) {
			(void)snprintf(path, sizeof(path), "/d%llu", (unsigned long long)(i / FILES_IN_DIR));
			err = extant_mkdir(m->x, path, 0755);
		}
		path_of(path, sizeof(path), i);
		fd = err ? err : extant_open(m->x, path, O_CREAT | O_WRONLY, 0644);
		err = fd < 0 ? fd : extant_close(m->x, fd);
	}
	return err;
}

struct listing {
	char names[FILES_IN_DIR][NAME_MAX_BYTES];
	int count;
};

static int one_name(void *arg, const struct extant_dirent *d)
{
	struct listing *l = arg;

	if (*d->name == '.' || l->count == FILES_IN_DIR)
		return 0;
	(void)snprintf(l->names[l->count++], NAME_MAX_BYTES, "%.*s", NAME_MAX_BYTES - 1, d->name);
	return 0;
}

static int walk_dir(struct memory *m, uint64_t dir, uint64_t *seen)
{
	static struct listing l;
	struct extant_stat st;
	char path[64];
	int fd, err;

	(void)snprintf(path, sizeof(path), "/d%llu", (unsigned long long)dir);
	fd = extant_open(m->x, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	l.count = 0;
	err = extant_readdir(m->x, fd, one_name, &l);
	for (int i = 0; i < l.count && !err; i++, ++*seen) {
		(void)snprintf(path, sizeof(path), "/d%llu/%s", (unsigned long long)dir, l.names[i]);
		err = extant_lstat(m->x, path, &st);
	}
	return err ? err : extant_close(m->x, fd);
}

static int walk(struct memory *m)
{
	uint64_t seen = 0;
	int err = 0;

	for (uint64_t dir = 0; dir * FILES_IN_DIR < m->amount && !err; dir++)
		err = walk_dir(m, dir, &seen);
	return err ? err : seen == m->amount ? 0 : -ENOENT;
}

static const struct {
	const char *name;
	int (*fn)(struct memory *m);
} works[] = { { "mount", look }, { "stream", stream }, { "sparse", sparse },
	    { "make", make }, { "walk", walk } };

/* ---- around them */

static long peak_kib(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kib = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %ld kB", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

static int open_device(struct memory *m)
{
	struct block_device *file;
	int err;

	m->arena = arena_create();
	if (!m->arena)
		return -ENOMEM;
	err = block_file_open(m->arena, m->image, false, 0, 0, &file);
	return err ? err : block_stats_create(m->arena, file, &m->stats);
}

static int perform(struct memory *m, int (*fn)(struct memory *m))
{
	int err = open_device(m), last;

	if (!err)
		err = mount_it(m);
	if (err)
		return err;
	err = fn(m);
	last = extant_unmount(m->x);
	return err ? err : last;
}

int main(int argc, char **argv)
{
	struct memory m = { .options = "" };
	int (*fn)(struct memory *m) = NULL;
	int c, err;

	while ((c = getopt(argc, argv, "o:")) != -1) {
		if (c != 'o')
			return 2;
		m.options = optarg;
	}
	for (size_t i = 0; i < array_size(works) && optind < argc; i++)
		if (!strcmp(argv[optind], works[i].name))
			fn = works[i].fn;
	if (!fn || argc - optind < 2) {
		fprintf(stderr, "usage: memory [-o MOUNTOPTS] mount|stream|sparse|make|walk IMAGE [AMOUNT]\n");
		return 2;
	}
	m.image = argv[optind + 1];
	m.amount = argc - optind > 2 ? strtoull(argv[optind + 2], NULL, 0) : 0;
	err = perform(&m, fn);
	if (err)
		fprintf(stderr, "memory: %s: %s\n", m.image, strerror(-err));
	printf("{\"work\": \"%s\", \"peak_kib\": %ld, \"mount_read_bytes\": %llu, \"read_bytes\": %llu}\n", argv[optind],
	       peak_kib(), (unsigned long long)m.mount_bytes, m.stats ? (unsigned long long)bytes_read(&m) : 0ull);
	return err ? 1 : 0;
}
