/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations of workload scripts on attributes: those of a file, and the counts of the whole file system.
 */
#include "cli/script_internal.h"

static int64_t op_chmod(struct script *s, struct script_line *l)
{
	return extant_chmod(s->x, script_word(l, 1), script_mode(l, 2, 0));
}

static int64_t op_access(struct script *s, struct script_line *l)
{
	return extant_access(s->x, script_word(l, 1), 0);
}

#define ATTR_MOUNT_ROOT 0x2000u	/* STATX_ATTR_MOUNT_ROOT, which kernels have since 5.8 */

/* STATX_ATTR_* of the flags that have one, and of the root */
static unsigned statx_attributes(const struct script *s, const struct extant_stat *st)
{
	bool root = s->dialect != DIALECT_4_9 && st->ino == 2;

	return (st->flags & (0x4 | 0x10 | 0x20 | 0x40 | 0x800 | 0x100000)) | (root ? ATTR_MOUNT_ROOT : 0);
}

static int64_t add_stat(struct script *s, int err, const struct extant_stat *st)
{
	if (err)
		return err;
	script_add(s, ",\"ino\":%llu,\"mode\":\"%o\",\"nlink\":%u,\"uid\":%u,\"gid\":%u,\"size\":%llu,\"blocks\":%llu,"
	    "\"blksize\":%u,\"attributes\":\"%x\",\"rdev\":\"%u:%u\"", (unsigned long long)st->ino, st->mode,
	    st->nlink, st->uid, st->gid, (unsigned long long)st->size, (unsigned long long)st->blocks, st->blksize,
	    statx_attributes(s, st), st->rdev_major, st->rdev_minor);
	script_add(s, ",\"times\":{\"a\":%lld.%09u,\"m\":%lld.%09u,\"c\":%lld.%09u,\"b\":%lld.%09u}",
	    (long long)st->atime.sec, st->atime.nsec, (long long)st->mtime.sec, st->mtime.nsec,
	    (long long)st->ctime.sec, st->ctime.nsec, (long long)st->btime.sec, st->btime.nsec);
	return 0;
}

static int64_t op_stat(struct script *s, struct script_line *l)
{
	struct extant_stat st;
	int err = *l->word[0] == 'l' ? extant_lstat(s->x, script_word(l, 1), &st) : extant_stat(s->x, script_word(l, 1), &st);

	return add_stat(s, err, &st);
}

static int64_t op_fstat(struct script *s, struct script_line *l)
{
	struct extant_stat st;
	int err = extant_fstat(s->x, *script_slot(s, l), &st);

	return add_stat(s, err, &st);
}

static int64_t op_statfs(struct script *s, struct script_line *l)
{
	struct extant_statfs f;
	int err = extant_statfs(s->x, script_word(l, 1), &f);

	if (!err)
		script_add(s, ",\"bsize\":%u,\"blocks\":%llu,\"bfree\":%llu,\"bavail\":%llu,\"files\":%llu,\"ffree\":%llu",
		    f.block_size, (unsigned long long)f.blocks, (unsigned long long)f.free,
		    (unsigned long long)f.available, (unsigned long long)f.files, (unsigned long long)f.files_free);
	return err;
}

const struct script_op script_attr_ops[] = {
	{ "chmod", op_chmod, false },
	{ "access", op_access, false },
	{ "stat", op_stat, false },
	{ "lstat", op_stat, false },
	{ "fstat", op_fstat, false },
	{ "statfs", op_statfs, false },
	{ NULL, NULL, false },
};
