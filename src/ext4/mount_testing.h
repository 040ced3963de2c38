/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests: an image that mke2fs makes in a file, mounted in this process, and e2fsck's word on it
 * afterwards. Everything runs inline, on a clock that stands still. Without the tools the test
 * skips.
 */
#ifndef EXTANT_EXT4_MOUNT_TESTING_H
#define EXTANT_EXT4_MOUNT_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "ext4/names.h"
#include "ext4/test_image.h"

struct test_mount {
	char path[64];
	struct clock clock;
	struct log log;
	struct arena *arena;
	struct sched *sched;
	struct task *task;
	struct trace *trace;
	struct ext4_fs *fs;
	uint32_t errors;		/* messages of that level, and the last */
	char error[300];
	bool expect_errors;		/* else they are printed */
};

static inline void test_mount_message(void *arg, enum log_level level, const char *text)
{
	struct test_mount *m = arg;

	if (level != LOG_ERROR)
		return;
	m->errors++;
	(void)snprintf(m->error, sizeof(m->error), "%s", text);
	if (!m->expect_errors)
		print_message("%s\n", text);
}

/* `setting`: what debugfs sets in the superblock ("flags 2"), or NULL. */
static inline void test_mount_make(struct test_mount *m, const char *size, const char *options,
				   const char *setting)
{
	char command[600];
	int fd;

	memset(m, 0, sizeof(*m));
	strcpy(m->path, "/tmp/extant-mount-XXXXXX");
	fd = mkstemp(m->path);
	assert_true(fd >= 0);
	(void)close(fd);
	(void)snprintf(command, sizeof(command),
		       "export PATH=$PATH:/sbin:/usr/sbin; truncate -s %s %s && "
		       "mke2fs -q -F -t ext4 -E hash_seed=01020304-0506-0708-090a-0b0c0d0e0f10 %s %s "
		       "&& if [ -n \"%s\" ]; then debugfs -w -R \"ssv %s\" %s 2>/dev/null; fi",
		       size, m->path, options, m->path, setting ? setting : "",
		       setting ? setting : "", m->path);
	assert_int_equal(test_shell(command), 0);
}

/* On a device instead of the file; it is closed with the mount. */
static inline int test_mount_device(struct test_mount *m,
				    int (*open)(struct test_mount *, struct block_device **))
{
	struct trace_options trace_opt = { .dialect = DIALECT_6_18, .clock = &m->clock };
	struct sched_options sched_opt = { .mode = SCHED_INLINE,
					   .clock = &m->clock,
					   .log = &m->log };
	struct ext4_mount_args args = {
		.clock = &m->clock, .log = &m->log, .image_name = "image", .seed = 1
	};
	struct ext4_options opt;

	ext4_default_options(&opt);
	opt.cache_mb = 64;
	clock_init_virtual(&m->clock, 1700000000LL * NSEC_PER_SEC, 0);
	m->log = (struct log){ .message = test_mount_message, .arg = m };
	m->errors = 0;
	m->arena = args.arena = arena_create();
	assert_int_equal(sched_create(m->arena, &sched_opt, &m->sched), 0);
	m->task = task_enter(m->sched, "test");
	assert_int_equal(trace_create(m->arena, &trace_opt, &m->trace), 0);
	assert_int_equal(open(m, &args.device), 0);
	args.sched = m->sched;
	args.trace = m->trace;
	args.opt = &opt;
	return ext4_mount(&args, &m->fs);
}

static inline int test_mount_open_file(struct test_mount *m, struct block_device **out)
{
	return block_file_open(m->arena, m->path, false, 0, 0, out);
}

static inline void test_mount_open(struct test_mount *m)
{
	assert_int_equal(test_mount_device(m, test_mount_open_file), 0);
}

static inline void test_mount_leave(struct test_mount *m)
{
	trace_destroy(m->trace);
	task_leave(m->task);
	sched_destroy(m->sched);
	arena_destroy(m->arena);
}

static inline void test_mount_close(struct test_mount *m)
{
	assert_int_equal(ext4_unmount(m->fs), 0);
	test_mount_leave(m);
}

/* e2fsck finds nothing; not while it is mounted. */
static inline void test_mount_fsck(const struct test_mount *m)
{
	char command[300];

	(void)snprintf(command, sizeof(command),
		       "export PATH=$PATH:/sbin:/usr/sbin; "
		       "if e2fsck -fn %s >%s.log 2>&1; then rm %s.log; else cat %s.log; false; fi",
		       m->path, m->path, m->path, m->path);
	assert_int_equal(test_shell(command), 0);
}

static inline void test_mount_remove(const struct test_mount *m)
{
	(void)unlink(m->path);
}

/* ---- files and directories below the root */

static inline struct inode *test_mount_get(struct test_mount *m, uint32_t ino)
{
	struct inode *inode;

	assert_int_equal(ext4_iget(m->fs, ino, IGET_NORMAL, &inode), 0);
	return inode;
}

static inline int test_mount_lookup(struct inode *dir, const struct ext4_name *name, uint32_t *ino)
{
	uint8_t type;
	int err;

	rwlock_read(&dir->lock);
	err = ext4_lookup(dir, name, ino, &type);
	rwlock_unread(&dir->lock);
	return err;
}

/* The directory of that name in the root; made if it is not there. */
static inline struct inode *test_mount_dir(struct test_mount *m, const char *name)
{
	struct ext4_name n = { name, strlen(name) };
	struct ext4_cred cred = { 0 };
	struct inode *root = test_mount_get(m, EXT4_ROOT_INO), *dir;
	uint32_t ino;

	if (!test_mount_lookup(root, &n, &ino)) {
		dir = test_mount_get(m, ino);
	} else {
		rwlock_write(&root->lock);
		assert_int_equal(ext4_mkdir(root, &n, 0755, &cred, &dir), 0);
		rwlock_unwrite(&root->lock);
	}
	ext4_iput(root);
	return dir;
}

static inline int test_mount_create(struct inode *dir, const struct ext4_name *name)
{
	struct ext4_cred cred = { 0 };
	struct inode *inode;
	int err;

	rwlock_write(&dir->lock);
	err = ext4_create(dir, name, 0644, &cred, &inode);
	rwlock_unwrite(&dir->lock);
	if (!err)
		ext4_iput(inode);
	return err;
}

static inline int test_mount_unlink(struct inode *dir, const struct ext4_name *name)
{
	struct inode *inode;
	uint32_t ino;
	int err = test_mount_lookup(dir, name, &ino);

	if (!err)
		err = ext4_iget(dir->fs, ino, IGET_NORMAL, &inode);
	if (err)
		return err;
	rwlock_write(&dir->lock);
	rwlock_write_equal(&inode->lock);
	err = ext4_unlink(dir, name, inode);
	rwlock_unwrite(&inode->lock);
	rwlock_unwrite(&dir->lock);
	ext4_iput(inode);
	return err;
}

#endif
