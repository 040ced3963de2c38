/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Walking a tree of an image (walk.h). A directory that is entered twice is damage: the tree has a
 * circle, and the walk goes on elsewhere.
 */
#include "cli/walk.h"

#include <stdlib.h>
#include <sys/stat.h>

static int visit(struct walk *w, const char *path, const struct extant_stat *st);

static int visit_name(struct walk *w, const char *dir, const char *name)
{
	char *path = cli_join(dir, name);
	struct extant_stat st;
	int err = extant_lstat(w->im->x, path, &st), status;

	status = err ? cli_failed(w->im, path, err, NULL) : visit(w, path, &st);
	free(path);
	return status;
}

static void drop_unwanted(const struct walk *w, struct cli_names *names)
{
	size_t kept = 0;

	for (size_t i = 0; i < names->count; i++) {
		const struct cli_name *name = &names->items[i];

		if (cli_is_dots(name->name) || (w->wanted && !w->wanted(w->arg, name)))
			free(names->items[i].name);
		else
			names->items[kept++] = names->items[i];
	}
	names->count = kept;
}

static int enter(struct walk *w, const char *path)
{
	struct cli_names names;
	int err = cli_list(w->im, path, &names), status = CLI_DONE;

	if (err)
		status = cli_failed(w->im, path, err, NULL);
	drop_unwanted(w, &names);
	cli_names_sort(&names);
	w->depth++;
	for (size_t i = 0; i < names.count && !cli_interrupted(); i++) {
		w->last = i + 1 == names.count;
		status = cli_worse(status, visit_name(w, path, names.items[i].name));
	}
	w->depth--;
	cli_names_free(&names);
	return status;
}

static int visit(struct walk *w, const char *path, const struct extant_stat *st)
{
	bool is_dir = S_ISDIR(st->mode);
	bool deeper = is_dir && !w->flat && (!w->depth_max || w->depth < w->depth_max);
	int status;

	if (deeper && !cli_ino_add(&w->entered, (uint32_t)st->ino)) {
		cli_error("%s: %s: inode %u is a directory with two names; run e2fsck on the image",
			  w->im->path, path, (uint32_t)st->ino);
		return CLI_DAMAGED;
	}
	status = w->file(w, path, st, WALK_BEFORE);
	if (deeper && !(status & WALK_SKIP))
		status = cli_worse(status, enter(w, path));
	status &= ~WALK_SKIP;
	if (is_dir)
		status = cli_worse(status, w->file(w, path, st, WALK_AFTER) & ~WALK_SKIP);
	return status;
}

int walk_tree(struct walk *w, const char *path)
{
	struct extant_stat st;
	int err = w->follow_first ? extant_stat(w->im->x, path, &st)
				  : extant_lstat(w->im->x, path, &st);
	int status;

	if (err)
		return cli_failed(w->im, path, err, NULL);
	w->depth = 0;
	w->last = true;
	status = visit(w, path, &st);
	cli_ino_free(&w->entered);
	return status;
}
