/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is tested: extant on a device in memory, or Linux on a loop mount. The same calls with the same results: 0, a
 * count or a negative errno.
 */
#ifndef EXTANT_TESTS_MODEL_TARGET_H
#define EXTANT_TESTS_MODEL_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "extant/extant.h"

struct target_options {
	const char *mkfs, *size;	/* of mke2fs */
	const char *mount_options;
	uint64_t seed;
};

struct target {
	const struct target_calls *calls;
};

struct target_page {			/* handed out */
	uint8_t *data;
	void *of;			/* the target's */
};

/* The calls of extant.h of these names. */
struct target_calls {
	int (*mount)(struct target *t);
	int (*unmount)(struct target *t);
	int (*shutdown)(struct target *t, enum extant_shutdown how);
	/* The image after an unmount: the number of judges that found something, which they have printed. */
	int (*judge)(struct target *t, bool thorough);
	void (*destroy)(struct target *t);

	int (*open)(struct target *t, const char *path, int flags, uint32_t mode);
	int (*close)(struct target *t, int fd);
	int64_t (*read)(struct target *t, int fd, void *buf, size_t len);
	int64_t (*write)(struct target *t, int fd, const void *buf, size_t len);
	int64_t (*pread)(struct target *t, int fd, void *buf, size_t len, int64_t at);
	int64_t (*pwrite)(struct target *t, int fd, const void *buf, size_t len, int64_t at);
	int64_t (*lseek)(struct target *t, int fd, int64_t offset, int whence);
	int (*fsync)(struct target *t, int fd);
	int (*fdatasync)(struct target *t, int fd);
	int (*sync)(struct target *t);
	int (*ftruncate)(struct target *t, int fd, int64_t size);
	int (*truncate)(struct target *t, const char *path, int64_t size);
	int (*fallocate)(struct target *t, int fd, int mode, int64_t offset, int64_t len);

	int64_t (*page_get)(struct target *t, int fd, int64_t at, size_t len, bool store, struct target_page *out);
	int (*page_put)(struct target *t, struct target_page *p, bool dirty);
	int (*msync)(struct target *t, int fd, int64_t at, int64_t len, int flags);

	int (*mkdir)(struct target *t, const char *path, uint32_t mode);
	int (*rmdir)(struct target *t, const char *path);
	int (*unlink)(struct target *t, const char *path);
	int (*link)(struct target *t, const char *from, const char *to);
	int (*symlink)(struct target *t, const char *to, const char *path);
	int (*readlink)(struct target *t, const char *path, char *buf, size_t size);
	int (*mknod)(struct target *t, const char *path, uint32_t mode, uint32_t major, uint32_t minor);
	int (*rename)(struct target *t, const char *from, const char *to, uint32_t flags);
	int (*readdir)(struct target *t, int fd, int (*fn)(void *arg, const struct extant_dirent *d), void *arg);

	int (*stat)(struct target *t, const char *path, bool follow, struct extant_stat *out);
	int (*fstat)(struct target *t, int fd, struct extant_stat *out);
	int (*chmod)(struct target *t, const char *path, uint32_t mode);
	int (*chown)(struct target *t, const char *path, uint32_t uid, uint32_t gid);
	/* NULL: to the time of now; see extant_utimens */
	int (*utimens)(struct target *t, const char *path, const struct extant_time *atime, const struct extant_time *mtime);
	int (*set_flags)(struct target *t, const char *path, uint32_t mask, uint32_t flags);	/* chattr's */
	int (*flink)(struct target *t, int fd, const char *path);
	/* Time passes, where it is ours to tell; the time that stamps get, at the earliest and at the latest. */
	void (*pass)(struct target *t, int64_t ns);
	int64_t (*earliest)(struct target *t);
	int64_t (*latest)(struct target *t);
	int (*statfs)(struct target *t, struct extant_statfs *out);
	int (*setxattr)(struct target *t, const char *path, const char *name, const void *value, size_t len, int flags);
	int64_t (*getxattr)(struct target *t, const char *path, const char *name, void *value, size_t len);
	int64_t (*listxattr)(struct target *t, const char *path, char *list, size_t len);
	int (*removexattr)(struct target *t, const char *path, const char *name);
};

/* NULL: it cannot be tested here; the reason has been printed. */
struct target *target_extant(const struct target_options *opt);
struct target *target_linux(const struct target_options *opt);

#endif
