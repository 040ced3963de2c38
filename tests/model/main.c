/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model: random operations on a file system and on a model of it, in memory. Every result is equal to the model's; now
 * and then, after a remount and after a crash, the whole tree is.
 *
 *	model [--operations N] [--seed S] [--set NAME] [--without OPERATION]... [--linux] [--list] [-v]
 *
 * --linux asks the machine's kernel instead of extant, on a loop mount: what it answers to the same operations
 * is what the model says, or the model is wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "test.h"

#define CALL(x, name, ...) ((x)->target->calls->name((x)->target, ##__VA_ARGS__))

/* ---- kinds of images */

struct set {
	const char *name, *mkfs, *size, *options;
	uint32_t block_size;
	bool bare;			/* no journal */
	bool block_maps;
	bool ours;			/* Linux knows no such option */
	bool full;			/* all but a little of it is taken */
};

static const struct set sets[] = {
	{ "default", "-b 4096", "64M", NULL, 4096 },
	{ "1k", "-b 1024", "32M", NULL, 1024 },
	{ "2k", "-b 2048", "64M", NULL, 2048 },
	{ "8k", "-b 8192", "64M", NULL, 8192 },
	{ "16k", "-b 16384", "128M", NULL, 16384 },
	{ "64k", "-b 65536", "512M", NULL, 65536 },
	{ "full", "-b 1024 -N 400", "6M", NULL, 1024, .full = true },
	{ "small-cache", "-b 1024", "64M", "cache_mb=8", 1024, .ours = true },
	{ "as-6.18", "-b 1024", "64M", "dialect=6.18", 1024, .ours = true },
	{ "newest", "-b 4096 -O orphan_file,metadata_csum_seed", "64M", NULL, 4096 },
	{ "oldest-inodes", "-b 4096 -I 128 -O ^extra_isize", "64M", NULL, 4096 },
	{ "large-inodes", "-b 4096 -I 1024", "64M", NULL, 4096 },
	{ "no-csum", "-b 4096 -O ^metadata_csum,uninit_bg", "64M", NULL, 4096 },
	{ "no-flex", "-b 4096 -O ^flex_bg,^resize_inode", "64M", NULL, 4096 },
	{ "meta-bg", "-b 1024 -O meta_bg,^resize_inode", "64M", NULL, 1024 },
	{ "no-64bit", "-b 4096 -O ^64bit", "64M", NULL, 4096 },
	{ "no-index", "-b 4096 -O ^dir_index", "64M", NULL, 4096 },
	{ "large-dir", "-b 1024 -O large_dir", "64M", NULL, 1024 },
	{ "data-journal", "-b 1024", "64M", "data=journal", 1024 },
	{ "writeback", "-b 4096", "64M", "data=writeback", 4096 },
	{ "nodelalloc", "-b 4096", "64M", "nodelalloc", 4096 },
	{ "no-journal", "-b 4096 -O ^has_journal", "64M", NULL, 4096, .bare = true },
	{ "sparse-super2", "-b 4096 -O sparse_super2,^resize_inode", "64M", NULL, 4096 },
	{ "ext3", "-b 1024 -O ^extent,^huge_file,^dir_nlink,^extra_isize,^metadata_csum,^64bit,^flex_bg", "64M", NULL, 1024, .block_maps = true },
	{ "ext2", "-b 4096 -O ^has_journal,^extent,^huge_file,^dir_nlink,^extra_isize,^metadata_csum,^64bit,^flex_bg", "64M", NULL, 4096, .bare = true, .block_maps = true },
};
#define SET_COUNT (sizeof(sets) / sizeof(*sets))

/* ---- operations */

const struct operation operations[] = {
	{ "mkdir", op_mkdir, 30 }, { "rmdir", op_rmdir, 20 }, { "unlink", op_unlink, 60 }, { "link", op_link, 25 },
	{ "symlink", op_symlink, 25 }, { "readlink", op_readlink, 10 }, { "mknod", op_mknod, 25 },
	{ "rename", op_rename, 80 }, { "readdir", op_readdir, 10 }, { "stat", op_stat, 40 }, { "chmod", op_chmod, 15 },
	{ "chown", op_chown, 15 }, { "setxattr", op_setxattr, 25 }, { "getxattr", op_getxattr, 15 },
	{ "removexattr", op_removexattr, 10 }, { "utimens", op_utimens, 15 }, { "chattr", op_chattr, 20 }, { "setacl", op_setacl, 15 },
	{ "tmpfile", op_tmpfile, 15 }, { "flink", op_flink, 15 }, { "open", op_open, 90 }, { "close", op_close, 60 },
	{ "read", op_read, 60 }, { "write", op_write, 120 }, { "lseek", op_lseek, 20 }, { "truncate", op_truncate, 20 },
	{ "ftruncate", op_ftruncate, 20 }, { "fallocate", op_fallocate, 40 },
	{ "page_store", op_page_store, 40 }, { "page_load", op_page_load, 20 }, { "fsync", op_fsync, 20 },
	{ "syncfs", op_sync, 4 }, { "fstat", op_fstat, 15 }, { "remount", op_remount, 1 }, { "crash", op_crash, 2 },
};
const uint32_t operation_count = sizeof(operations) / sizeof(*operations);

static bool left_out[KINDS_MAX];

static uint32_t weight_of(const struct test *x, const struct operation *op)
{
	bool takes = op->run == op_unlink || op->run == op_rmdir;

	if (left_out[op - operations])
		return 0;
	return takes && x->tree.node_count > x->names ? op->weight * 4 : op->weight;
}

static void leave_out(const char *name)
{
	for (uint32_t i = 0; i < operation_count; i++)
		left_out[i] |= !strcmp(operations[i].name, name);
}

static void step(struct test *x)
{
	uint32_t sum = 0, at;

	test_begins(x);
	for (uint32_t i = 0; i < operation_count; i++)
		sum += weight_of(x, &operations[i]);
	at = below(x, sum);
	for (uint32_t i = 0; i < operation_count; i++) {
		uint32_t w = weight_of(x, &operations[i]);

		if (at < w) {
			operations[i].run(x);
			break;
		}
		at -= w;
	}
	x->operations++;
}

/* ---- test.h */

void test_say(struct test *x, const char *kind, const char *fmt, ...)
{
	va_list ap;

	x->kind = kind;
	va_start(ap, fmt);
	(void)vsnprintf(x->words, sizeof(x->words), fmt, ap);
	va_end(ap);
	if (x->verbose)
		printf("%llu %s %s\n", (unsigned long long)x->operations, kind, x->words);
}

void test_fail(struct test *x, const char *fmt, ...)
{
	struct extant_statfs st;
	va_list ap;

	if (x->failed)
		return;
	x->failed = true;
	if (!CALL(x, statfs, &st))
		printf("%llu of %llu blocks free, %llu available, %llu inodes free\n", (unsigned long long)st.free,
		       (unsigned long long)st.blocks, (unsigned long long)st.available, (unsigned long long)st.files_free);
	printf("operation %llu: %s %s: ", (unsigned long long)x->operations, x->kind, x->words);
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

bool test_nearly_full(struct test *x)
{
	struct extant_statfs st;

	return CALL(x, statfs, &st) == 0 && (st.available * 8 < st.blocks || st.files_free < 20);
}

static const char *kinds[KINDS_MAX];

static void count(struct test *x, int err)
{
	for (uint32_t i = 0; i < KINDS_MAX; i++) {
		if (!kinds[i])
			kinds[i] = x->kind;
		if (!strcmp(kinds[i], x->kind)) {
			x->counts[i][err]++;
			return;
		}
	}
}

static const char *say_result(int64_t r, char *buf, size_t size)
{
	if (r < 0)
		return strerrorname_np((int)-r);
	(void)snprintf(buf, size, "%lld", (long long)r);
	return buf;
}

bool test_agree(struct test *x, int64_t want, int64_t got)
{
	char a[40], b[40];

	count(x, got < 0 ? (int)-got : 0);
	if (x->verbose)
		printf("  -> %s\n", say_result(got, a, sizeof(a)));
	if (got == want)
		return got >= 0;
	if (got == -ENOSPC && want >= 0 && test_nearly_full(x)) {
		x->full++;
		test_forget_times(x);
		return false;
	}
	test_fail(x, "%s, and %s was foretold", say_result(got, a, sizeof(a)), say_result(want, b, sizeof(b)));
	return false;
}

void test_changed(struct test *x)
{
	if (x->history_count == x->history_room) {
		x->history_room = x->history_room ? x->history_room * 2 : 1024;
		x->history = realloc(x->history, x->history_room * sizeof(*x->history));
		if (!x->history)
			abort();
	}
	if (x->may_crash)
		x->history[x->history_count++] = tree_hash(&x->tree);
}

void test_synced(struct test *x)
{
	tree_synced(&x->tree);
	x->history_count = 0;
	test_changed(x);
}

/* ---- remount and crash */

static void judge(struct test *x)
{
	if (CALL(x, judge, (x->remounts + x->crashes) % 4 == 0))
		test_fail(x, "the image is not as it should be");
}

static void mount_again(struct test *x)
{
	int err = CALL(x, mount);

	if (!err)
		return;
	test_fail(x, "mount: %s", strerror(-err));
	exit(1);
}

void op_remount(struct test *x)
{
	int err;

	test_close_all(x);
	test_say(x, "remount", "-");
	err = CALL(x, unmount);
	if (err)
		test_fail(x, "unmount: %s", strerror(-err));
	count(x, -err);
	judge(x);
	mount_again(x);
	x->remounts++;
	test_synced(x);
	test_tree_equals(x);
}

void op_crash(struct test *x)
{
	static const enum extant_shutdown how[] = { EXTANT_SHUTDOWN_DEFAULT, EXTANT_SHUTDOWN_LOGFLUSH,
						    EXTANT_SHUTDOWN_NOLOGFLUSH, EXTANT_SHUTDOWN_NOLOGFLUSH };
	int kind = (int)below(x, 4);

	if (!x->may_crash)
		return;
	test_say(x, "crash", "%d", kind);
	(void)test_agree(x, 0, CALL(x, shutdown, how[kind]));
	for (int i = 0; i < SLOTS; i++) {
		struct slot *s = &x->slots[i];

		if (!s->node)
			continue;
		(void)CALL(x, close, s->fd);
		s->node->opened--;
		s->node = NULL;
	}
	(void)CALL(x, unmount);
	mount_again(x);
	x->crashes++;
	test_recovered(x);
	test_say(x, "crash", "%d", kind);
}

/* ---- a run */

static void report(const struct test *x, const char *set)
{
	printf("%s: %llu operations, %llu found no space, %llu remounts, %llu crashes\n", set,
	       (unsigned long long)x->operations, (unsigned long long)x->full, (unsigned long long)x->remounts,
	       (unsigned long long)x->crashes);
	for (uint32_t i = 0; i < KINDS_MAX && kinds[i]; i++) {
		printf("  %-12s", kinds[i]);
		for (int e = 0; e < ERRNOS; e++)
			if (x->counts[i][e])
				printf(" %s=%llu", e ? strerrorname_np(e) : "ok", (unsigned long long)x->counts[i][e]);
		printf("\n");
	}
}

#define LEFT_BYTES (700u << 10)

/* A file that no operation draws takes the space. */
static void fill(struct test *x)
{
	struct node *n = tree_node(&x->tree, S_IFREG | 0600);
	struct extant_statfs st;
	int fd = CALL(x, open, "/.filler", O_CREAT | O_RDWR, 0600);
	uint64_t len;

	if (fd < 0 || CALL(x, statfs, &st))
		exit(1);
	test_forget_times(x);
	dir_add(&x->tree, x->tree.root, ".filler", n);
	test_learn(x, x->tree.root, ".filler", n);
	for (len = st.free * st.block_size - LEFT_BYTES; len > n->size;) {
		size_t part = (size_t)(len - n->size < BUFFER_BYTES ? len - n->size : BUFFER_BYTES);

		contents_pattern(x->buf, n->size, part, 1);
		if (CALL(x, pwrite, fd, x->buf, part, (int64_t)n->size) != (int64_t)part)
			exit(1);
		contents_write(&n->contents, n->size, part, 1);
		n->size += part;
	}
	(void)CALL(x, close, fd);
}

static void begin(struct test *x, const struct set *s)
{
	struct extant_stat st;

	mount_again(x);
	x->block_size = s->block_size;
	x->may_crash = !s->bare;
	x->block_maps = s->block_maps;
	x->copies = s->options && strstr(s->options, "data=journal");
	x->names = 300;
	x->size_max = s->block_maps ? 1u << 30 : 1ull << 40;
	x->time_unit = strstr(s->mkfs, "-I 128") ? 1000000000 : 1;
	if (CALL(x, stat, "/", true, &st))
		exit(1);
	tree_init(&x->tree, st.ino);
	test_forget_times(x);
	x->tree.frees_at_once = s->options && strstr(s->options, "data=writeback");
	x->tree.root->generation = st.generation;
	test_say(x, "rmdir", "/lost+found");
	(void)test_agree(x, 0, CALL(x, rmdir, "/lost+found"));
	test_forget_times(x);
	test_say(x, "begin", "-");
	if (s->full)
		fill(x);
	op_sync(x);
}

static int run_set(const struct set *s, uint64_t count, uint64_t seed, bool linux_kernel, bool verbose)
{
	struct target_options opt = { s->mkfs, s->size, s->options, seed };
	struct test *x = aligned_alloc(_Alignof(struct test), sizeof(*x));
	int failed;

	if (!x)
		abort();
	memset(x, 0, sizeof(*x));
	x->verbose = verbose;
	x->target = linux_kernel ? target_linux(&opt) : target_extant(&opt);
	if (!x->target)
		return 77;
	random_init_seed(&x->random, seed);
	x->blind_seek = linux_kernel && s->block_maps;
	begin(x, s);
	while (x->operations < count && !x->failed)
		step(x);
	if (!x->failed) {
		test_tree_equals(x);
		op_remount(x);
	}
	test_close_all(x);
	failed = x->failed;
	report(x, s->name);
	if (CALL(x, unmount) && !failed)
		failed = 1;
	CALL(x, destroy);
	tree_fini(&x->tree);
	free(x->history);
	free(x);
	if (failed)
		printf("FAILED: --set %s --seed %llu --operations %llu\n", s->name, (unsigned long long)seed,
		       (unsigned long long)count);
	return failed;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "operations", 1, 0, 'n' }, { "seed", 1, 0, 's' }, { "set", 1, 0, 'k' }, { "linux", 0, 0, 'l' }, { "without", 1, 0, 'w' },
		{ "list", 0, 0, 'L' }, { 0 },
	};
	uint64_t count = 2000, seed = 1;
	const char *only = NULL;
	bool linux_kernel = false, verbose = false;
	int c, status = 0, ret;

	while ((c = getopt_long(argc, argv, "v", longs, NULL)) != -1) {
		switch (c) {
		case 'n': count = strtoull(optarg, NULL, 0); break;
		case 's': seed = strtoull(optarg, NULL, 0); break;
		case 'k': only = optarg; break;
		case 'w': leave_out(optarg); break;
		case 'l': linux_kernel = true; break;
		case 'v': verbose = true; break;
		case 'L':
			for (size_t i = 0; i < SET_COUNT; i++)
				printf("%s\n", sets[i].name);
			return 0;
		default: return 2;
		}
	}
	for (size_t i = 0; i < SET_COUNT; i++) {
		if (only && strcmp(only, sets[i].name))
			continue;
		if (linux_kernel && (sets[i].block_size > 4096 || sets[i].ours))
			continue;
		ret = run_set(&sets[i], count, seed, linux_kernel, verbose);
		if (ret == 77)
			return 77;
		status |= ret;
	}
	return status;
}
