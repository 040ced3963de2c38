/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One run: a target and the tree it must show. Each operation is drawn, its result foretold from the tree, made on
 * the target, compared; if it was done, the tree follows. A full disk may say ENOSPC where the tree says
 * nothing: then nothing has changed, or, for a write, less.
 */
#ifndef EXTANT_TESTS_MODEL_TEST_H
#define EXTANT_TESTS_MODEL_TEST_H

#include "base/random.h"
#include "target.h"
#include "tree.h"

#define SLOTS		16
#define PATH_BYTES	6000
#define BUFFER_BYTES	(1u << 18)
#define ERRNOS		140
#define KINDS_MAX	48

struct slot {				/* an open file */
	struct node *node;		/* NULL: free */
	int fd, flags;
	uint64_t at;			/* its position */
};

struct test {
	struct target *target;
	struct tree tree;
	struct random random;
	struct slot slots[SLOTS];
	const char *kind;		/* the operation under way, and its words */
	char words[1024];
	bool verbose, failed;
	bool may_crash;			/* there is a journal */
	bool block_maps;		/* files have no extents */
	bool copies;			/* data is journaled: what is handed out is a copy */
	bool blind_seek;		/* Linux does not find delayed data in block maps by SEEK_DATA */
	uint32_t names;			/* about so many */
	uint32_t block_size;
	uint64_t size_max;
	uint32_t tag;			/* of the last write */
	int64_t begun;			/* when this operation was, in ns, as stamps tell the time */
	int64_t time_unit;		/* of stamps in the inodes */
	uint64_t *history;		/* tree_hash() after each change since the last sync */
	uint32_t history_count, history_room;
	uint64_t operations, full, crashes, remounts;
	uint64_t counts[KINDS_MAX][ERRNOS];
	_Alignas(512) uint8_t buf[BUFFER_BYTES]; /* as direct I/O wants it */
	uint8_t expected[BUFFER_BYTES];
};

void test_fail(struct test *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What is about to be done. */
void test_say(struct test *x, const char *kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* True: it was done, as foretold, and the tree has to follow. */
bool test_agree(struct test *x, int64_t want, int64_t got);
/* So little is free that a call may say ENOSPC. */
bool test_nearly_full(struct test *x);
/* The names or attributes of the tree have changed; all of it is safe. */
void test_changed(struct test *x);
void test_synced(struct test *x);
/* An operation begins, at this time. */
void test_begins(struct test *x);
/* Bytes or names of it have changed; the inode alone; it is new. */
void test_touched(struct test *x, struct node *n);
void test_stamped(struct test *x, struct node *n);
void test_born(struct test *x, struct node *n, const struct node *dir);
/* It was read, which may have moved atime. */
void test_was_read(const struct node *n);
/* Nobody knows what an operation that failed half way, or a crash, has left there: in one node, in all. */
void test_forget_stamps(struct node *n);
void test_forget_times(struct test *x);
void test_times_equal(struct test *x, const struct node *n, const struct extant_stat *st);
/* The file system has given a node its number. */
void test_learn(struct test *x, const struct node *dir, const char *name, struct node *n);
void test_stat_equals(struct test *x, const struct node *n, const struct extant_stat *st);
void test_content_equals(struct test *x, const struct node *n, int fd);
/* All that can be reached. */
void test_tree_equals(struct test *x);
/* After a crash: the tree is one of those since the last sync; what was safe is there. */
void test_recovered(struct test *x);
void test_close_all(struct test *x);

/* ---- drawing */

bool chance(struct test *x, uint32_t percent);
uint32_t below(struct test *x, uint32_t limit);
const char *draw_path(struct test *x, char *buf);	/* of PATH_BYTES; of something, or of nothing */
const char *draw_dir(struct test *x, char *buf);	/* mostly of a directory */
struct slot *draw_slot(struct test *x);		/* NULL: none is open */

/* ---- what flags forbid: 0 or -EPERM */

int flags_forbid_change(const struct node *n);			/* of its attributes */
int flags_forbid_names(const struct node *dir);			/* new ones */
int flags_forbid_removal(const struct node *dir, const struct node *n);
int flags_forbid_open(const struct node *n, uint32_t flags);

/* ---- shared by operations */

/* May a name be made there, as far as names go? `dir`: of a directory, for which a slash at the end is fine. */
int may_create(struct test *x, const char *path, bool dir, struct place *p);
struct slot *test_free_slot(struct test *x);
size_t xattr_bytes(const struct node *n);
/* The list of rights after chmod; what is new takes the directory's, and the mode follows. */
void acl_follows_mode(struct node *n);
void acl_inherit(struct node *n, const struct node *dir);

/* ---- operations: each draws and makes one */

struct operation {
	const char *name;
	void (*run)(struct test *x);
	uint32_t weight;
};
extern const struct operation operations[];
extern const uint32_t operation_count;

void op_mkdir(struct test *x);
void op_rmdir(struct test *x);
void op_unlink(struct test *x);
void op_link(struct test *x);
void op_symlink(struct test *x);
void op_readlink(struct test *x);
void op_mknod(struct test *x);
void op_rename(struct test *x);
void op_readdir(struct test *x);
void op_stat(struct test *x);
void op_chmod(struct test *x);
void op_chown(struct test *x);
void op_setxattr(struct test *x);
void op_getxattr(struct test *x);
void op_utimens(struct test *x);
void op_chattr(struct test *x);
void op_setacl(struct test *x);
void op_removexattr(struct test *x);

void op_open(struct test *x);
void op_tmpfile(struct test *x);
void op_flink(struct test *x);
void op_close(struct test *x);
void op_read(struct test *x);
void op_write(struct test *x);
void op_lseek(struct test *x);
void op_truncate(struct test *x);
void op_ftruncate(struct test *x);
void op_fallocate(struct test *x);
void op_page_store(struct test *x);
void op_page_load(struct test *x);
void op_fsync(struct test *x);
void op_sync(struct test *x);
void op_fstat(struct test *x);

void op_remount(struct test *x);
void op_crash(struct test *x);

#endif
