/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tree of files, in an image or of the host, behind the same calls: what the copying commands
 * work between (copy.c). Calls return 0 or a count, else a negative errno; paths are whole.
 */
#ifndef EXTANT_CLI_PLACE_H
#define EXTANT_CLI_PLACE_H

#include "cli/cli.h"

struct place {
	const struct place_calls *calls;
	struct cli_image *im; /* NULL: of the host */
};

struct place_file {
	struct extant_stat st;
	uint64_t dev; /* of the host; tells inodes of the same number apart */
};

struct place_calls {
	int (*stat)(struct place *p, const char *path, bool follow, struct place_file *out);
	int (*list)(struct place *p, const char *path, struct cli_names *out);
	/* Of the host, "-" is standard input or output. */
	int (*open)(struct place *p, const char *path, int flags, uint32_t mode);
	int (*close)(struct place *p, int fd);
	int64_t (*pread)(struct place *p, int fd, void *buf, size_t len, int64_t at);
	int64_t (*pwrite)(struct place *p, int fd, const void *buf, size_t len, int64_t at);
	/* Where data (or a hole) begins from `at` on; -ENXIO: behind the last. */
	int64_t (*seek)(struct place *p, int fd, int64_t at, int whence);
	int (*truncate)(struct place *p, int fd, int64_t size);
	int (*readlink)(struct place *p, const char *path, char *buf, size_t size);
	int (*mkdir)(struct place *p, const char *path, uint32_t mode);
	int (*symlink)(struct place *p, const char *target, const char *path);
	int (*link)(struct place *p, const char *from, const char *to);
	/* A device, FIFO or socket of that kind. */
	int (*mknod)(struct place *p, const char *path, const struct extant_stat *like);
	int (*unlink)(struct place *p, const char *path);
	int (*rename)(struct place *p, const char *from, const char *to);
	int (*chmod)(struct place *p, const char *path, uint32_t mode);
	/* The rest of a link itself, where it is one. */
	int (*chown)(struct place *p, const char *path, uint32_t uid, uint32_t gid);
	int (*utimens)(struct place *p, const char *path, const struct extant_stat *like);
	int (*listxattr)(struct place *p, const char *path, char *list, size_t size);
	int (*getxattr)(struct place *p, const char *path, const char *name, void *value,
			size_t size);
	int (*setxattr)(struct place *p, const char *path, const char *name, const void *value,
			size_t size);
};

struct place place_of_image(struct cli_image *im);
struct place place_of_host(void);
static inline bool place_is_same(const struct place *a, const struct place *b)
{
	return a->im == b->im;
}
/* Reports that something failed there; yields the status. */
int place_failed(struct place *p, const char *path, int err, const char *hint);
/* Whether a directory is there, links followed. */
bool place_is_directory(struct place *p, const char *path);
/* Where `from` goes when it is copied to `to`: into it, if that is a directory. To be freed. */
char *place_target(struct place *p, const char *from, const char *to);

#endif
