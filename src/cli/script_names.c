/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations of workload scripts on names: made, removed, followed, listed.
 */
#include <fcntl.h>
#include <string.h>
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
	{ "readlink", op_readlink, false },
	{ "readdir", op_readdir, false },
	{ NULL, NULL, false },
};
