/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations of workload scripts on names: made, removed, followed, listed.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "cli/script_internal.h"

static int64_t op_mkdir(struct script *s, struct script_line *l)
{
	return extant_mkdir(s->x, script_word(l, 1), script_mode(l, 2, 0755));
}

static int64_t op_rmdir(struct script *s, struct script_line *l)
{
	return extant_rmdir(s->x, script_word(l, 1));
}

static int64_t op_unlink(struct script *s, struct script_line *l)
{
	return extant_unlink(s->x, script_word(l, 1));
}

/* mknod PATH f|p|s|c|b [MODE] [MAJOR MINOR] */
static int64_t op_mknod(struct script *s, struct script_line *l)
{
	static const struct {
		char letter;
		uint32_t type;
	} types[] = { { 'f', S_IFREG }, { 'p', S_IFIFO }, { 's', S_IFSOCK }, { 'c', S_IFCHR }, { 'b', S_IFBLK } };
	uint32_t mode = script_mode(l, 3, 0644);

	for (size_t i = 0; i < array_size(types); i++)
		if (*script_word(l, 2) == types[i].letter)
			return extant_mknod(s->x, script_word(l, 1), mode | types[i].type,
					    (uint32_t)script_number(script_word(l, 4)),
					    (uint32_t)script_number(script_word(l, 5)));
	return -EINVAL;
}

/* symlink TARGET PATH, or symlink len=N PATH: a target of that many letters */
static int64_t op_symlink(struct script *s, struct script_line *l)
{
	int64_t len = script_option_number(l, "len", -1);
	char target[2 * 4096];

	if (len < 0)
		return extant_symlink(s->x, script_word(l, 1), script_word(l, 2));
	len = min(len, (int64_t)sizeof(target) - 1);
	memset(target, 't', (size_t)len);
	target[len] = '\0';
	return extant_symlink(s->x, target, script_word(l, 1));
}

static int64_t op_link(struct script *s, struct script_line *l)
{
	return extant_link(s->x, script_word(l, 1), script_word(l, 2));
}

static int64_t op_flink(struct script *s, struct script_line *l)
{
	return extant_flink(s->x, *script_slot(s, l), script_word(l, 1));
}

static int64_t op_rename(struct script *s, struct script_line *l)
{
	const char *how = script_word(l, 3);
	unsigned flags = !strcmp(how, "noreplace") ? EXTANT_RENAME_NOREPLACE
			 : !strcmp(how, "exchange") ? EXTANT_RENAME_EXCHANGE
			 : !strcmp(how, "whiteout") ? EXTANT_RENAME_WHITEOUT : 0;

	return extant_rename(s->x, script_word(l, 1), script_word(l, 2), flags);
}

static int64_t op_readlink(struct script *s, struct script_line *l)
{
	char target[4096];
	int n = extant_readlink(s->x, script_word(l, 1), target, sizeof(target));

	if (n >= 0) {
		script_add(s, ",\"target\":");
		script_add_string(s, target, (size_t)n);
	}
	return n;
}

struct listing {
	struct script *s;
	int count;
};

static int one_entry(void *arg, const struct extant_dirent *d)
{
	struct listing *l = arg;

	script_add(l->s, l->count++ ? "," : "");
	script_add_string(l->s, d->name, strlen(d->name));
	return 0;
}

static int64_t op_readdir(struct script *s, struct script_line *l)
{
	struct listing list = { s, 0 };
	int fd = extant_open(s->x, script_word(l, 1), O_RDONLY | O_DIRECTORY, 0), err;

	if (fd < 0)
		return fd;
	script_add(s, ",\"entries\":[");
	err = extant_readdir(s->x, fd, one_entry, &list);
	script_add(s, "]");
	(void)extant_close(s->x, fd); /* nothing was written */
	return err ? err : list.count;
}

const struct script_op script_names_ops[] = {
	{ "mkdir", op_mkdir, false },
	{ "rmdir", op_rmdir, false },
	{ "unlink", op_unlink, false },
	{ "mknod", op_mknod, false },
	{ "symlink", op_symlink, false },
	{ "link", op_link, false },
	{ "flink", op_flink, false },
	{ "rename", op_rename, false },
	{ "readlink", op_readlink, false },
	{ "readdir", op_readdir, false },
	{ NULL, NULL, false },
};
