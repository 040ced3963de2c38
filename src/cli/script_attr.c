/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations of workload scripts on attributes: those of a file, and the counts of the whole file system.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
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

/* Of chown(2): a number, -1 for "as it is". */
static int64_t op_chown(struct script *s, struct script_line *l)
{
	return extant_lchown(s->x, script_word(l, 1), (uint32_t)script_number(script_word(l, 2)),
			     (uint32_t)script_number(script_word(l, 3)));
}

/* seconds[.nanoseconds], now, omit */
static struct extant_time parse_time(const char *word)
{
	struct extant_time t = { 0, EXTANT_TIME_OMIT };
	char *end;

	if (!strcmp(word, "now")) {
		t.nsec = EXTANT_TIME_NOW;
	} else if (strcmp(word, "omit")) {
		t.sec = strtoll(word, &end, 10);
		t.nsec = *end == '.' ? (uint32_t)strtoul(end + 1, NULL, 10) : 0;
	}
	return t;
}

static int64_t op_utimens(struct script *s, struct script_line *l)
{
	struct extant_time atime = parse_time(script_word(l, 2)), mtime = parse_time(script_word(l, 3));

	return extant_lutimens(s->x, script_word(l, 1), &atime, &mtime);
}

static const struct {
	char letter;
	uint32_t flag;			/* FS_*_FL */
} letters[] = {
	{ 'a', 0x20 }, { 'i', 0x10 }, { 'S', 0x8 }, { 'D', 0x10000 }, { 'A', 0x80 },
	{ 'd', 0x40 }, { 'j', 0x4000 }, { 'e', 0x80000 }, { 'T', 0x20000 },
};

/* +-FLAGS in the letters of chattr(1) */
static int change_flags(const char *word, uint32_t *flags)
{
	bool set = true;

	for (; *word; word++) {
		size_t i = 0;

		if (*word == '+' || *word == '-') {
			set = *word == '+';
			continue;
		}
		while (i < array_size(letters) && letters[i].letter != *word)
			i++;
		if (i == array_size(letters))
			return -EINVAL;
		*flags = set ? *flags | letters[i].flag : *flags & ~letters[i].flag;
	}
	return 0;
}

static int64_t op_chattr(struct script *s, struct script_line *l)
{
	int fd = extant_open(s->x, script_word(l, 1), O_RDONLY, 0), err;
	uint32_t flags = 0;

	if (fd < 0)
		return fd;
	err = extant_fgetflags(s->x, fd, &flags);
	if (!err)
		err = change_flags(script_word(l, 2), &flags);
	if (!err)
		err = extant_fsetflags(s->x, fd, flags);
	(void)extant_close(s->x, fd); /* nothing was written */
	return err;
}

/* ---- extended attributes */

#define VALUE_BYTES 65536

static int hex_value(const char *hex, uint8_t *p, size_t *len)
{
	*len = strlen(hex) / 2;
	if (*len > VALUE_BYTES)
		return -E2BIG;
	for (size_t i = 0; i < *len; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &p[i]) != 1)
			return -EINVAL;
	return 0;
}

/* value=TEXT, hex=DIGITS, or len=L fill=F */
static int64_t op_setxattr(struct script *s, struct script_line *l)
{
	const char *value = script_option(l, "value"), *hex = script_option(l, "hex"),
		   *flags = script_option(l, "flags");
	size_t len = (size_t)script_option_number(l, "len", value ? (int64_t)strlen(value) : 0);
	int how = flags && !strcmp(flags, "create") ? EXTANT_XATTR_CREATE
		  : flags && !strcmp(flags, "replace") ? EXTANT_XATTR_REPLACE : 0;
	uint8_t *data = calloc(1, max(len, (size_t)VALUE_BYTES));
	int err = data ? 0 : -ENOMEM;

	if (!err && hex)
		err = hex_value(hex, data, &len);
	else if (!err && value)
		memcpy(data, value, strlen(value));
	else if (!err)
		script_make_data(l, 0, data, len);
	if (!err)
		err = extant_lsetxattr(s->x, script_word(l, 1), script_word(l, 2), data, len, how);
	free(data);
	return err;
}

static int64_t op_getxattr(struct script *s, struct script_line *l)
{
	static uint8_t value[VALUE_BYTES];
	int n = extant_lgetxattr(s->x, script_word(l, 1), script_word(l, 2), value, sizeof(value));

	if (n >= 0)
		script_add(s, ",\"fnv\":\"%016llx\"", (unsigned long long)script_fnv1a(value, (size_t)n));
	return n;
}

static int64_t op_listxattr(struct script *s, struct script_line *l)
{
	static char list[VALUE_BYTES];
	int n = extant_llistxattr(s->x, script_word(l, 1), list, sizeof(list));

	if (n < 0)
		return n;
	script_add(s, ",\"names\":[");
	for (int i = 0; i < n; i += (int)strlen(list + i) + 1) {
		script_add(s, "%s", i ? "," : "");
		script_add_string(s, list + i, strlen(list + i));
	}
	script_add(s, "]");
	return n;
}

static int64_t op_removexattr(struct script *s, struct script_line *l)
{
	return extant_lremovexattr(s->x, script_word(l, 1), script_word(l, 2));
}

const struct script_op script_attr_ops[] = {
	{ "chmod", op_chmod, false },
	{ "chown", op_chown, false },
	{ "utimens", op_utimens, false },
	{ "chattr", op_chattr, false },
	{ "setxattr", op_setxattr, false },
	{ "getxattr", op_getxattr, false },
	{ "listxattr", op_listxattr, false },
	{ "removexattr", op_removexattr, false },
	{ "access", op_access, false },
	{ "stat", op_stat, false },
	{ "lstat", op_stat, false },
	{ "fstat", op_fstat, false },
	{ "statfs", op_statfs, false },
	{ NULL, NULL, false },
};
