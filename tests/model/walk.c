/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths, as path_resolution(7) has them, for a caller who may do everything. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tree.h"

#define LINKS_MAX 40

static enum last_kind kind_of(const char *name, size_t len)
{
	if (len == 1 && name[0] == '.')
		return LAST_DOT;
	if (len == 2 && name[0] == '.' && name[1] == '.')
		return LAST_DOTDOT;
	return LAST_NAME;
}

/* Where a symbolic link leads; it may not be there. */
static int follow_link(const struct tree *t, struct node *dir, const struct node *link, int *links,
		       struct node **out)
{
	struct place p;
	int err;

	if (++*links > LINKS_MAX)
		return -ELOOP;
	err = walk_parent_from(t, dir, link->target, links, &p);
	if (err)
		return err;
	if (!p.node)
		return p.too_long ? -ENAMETOOLONG : -ENOENT;
	if (is_link(p.node))
		err = follow_link(t, p.dir, p.node, links, &p.node);
	if (!err && p.slash && !is_dir(p.node))
		err = -ENOTDIR;
	if (!err)
		*out = p.node;
	return err;
}

/* One name in `dir`, which must be a directory. */
static int step(const struct node *dir, const char *name, size_t len, struct place *out)
{
	out->last = kind_of(name, len);
	out->dir = (struct node *)dir;
	if (!is_dir(dir))
		return -ENOTDIR;
	out->too_long = len > NAME_BYTES;
	out->node = NULL;
	if (out->too_long)
		return 0;
	memcpy(out->name, name, len);
	out->name[len] = 0;
	if (out->last == LAST_DOT)
		out->node = (struct node *)dir;
	else if (out->last == LAST_DOTDOT)
		out->node = dir->parent;
	else
		out->node = dir_find(dir, out->name);
	return 0;
}

int walk_parent_from(const struct tree *t, struct node *dir, const char *path, int *links, struct place *out)
{
	int err;

	if (!*path)
		return -ENOENT;
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (*path == '/')
		dir = t->root;
	*out = (struct place){ .dir = dir, .node = dir, .last = LAST_ROOT };
	while (*path == '/')
		path++;
	while (*path) {
		size_t len = strcspn(path, "/");
		const char *rest = path + len + strspn(path + len, "/");

		err = step(dir, path, len, out);
		if (err)
			return err;
		out->slash = path[len] == '/';
		if (!*rest)
			return 0;
		if (!out->node)
			return out->too_long ? -ENAMETOOLONG : -ENOENT;
		dir = out->node;
		if (is_link(dir))
			err = follow_link(t, out->dir, dir, links, &dir);
		if (!err && !is_dir(dir))
			err = -ENOTDIR;
		if (err)
			return err;
		path = rest;
	}
	return 0;
}

int walk_parent(const struct tree *t, const char *path, struct place *out)
{
	int links = 0, err = walk_parent_from(t, t->root, path, &links, out);

	return !err && out->too_long ? -ENAMETOOLONG : err;
}

int walk(const struct tree *t, const char *path, bool follow, struct node **out)
{
	int links = 0, err;
	struct place p;

	err = walk_parent_from(t, t->root, path, &links, &p);
	if (err)
		return err;
	if (!p.node)
		return p.too_long ? -ENAMETOOLONG : -ENOENT;
	if (is_link(p.node) && (follow || p.slash))
		err = follow_link(t, p.dir, p.node, &links, &p.node);
	if (!err && p.slash && !is_dir(p.node))
		err = -ENOTDIR;
	if (!err)
		*out = p.node;
	return err;
}
