/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walk along a path. First without references, inside one epoch, through names that are all in
 * the cache (path_peek); where that does not lead to the end, with a reference at each step,
 * looking on disk under the directory's lock (path_walk, path_parent).
 *
 * Limits as path_resolution(7): 4096 bytes for a path and for a link's target, 255 a name, 40
 * symbolic links.
 */
#include <string.h>
#include "base/assert.h"
#include "vfs/internal.h"

/* ---- components */

/* The next name of the path; moves *p behind it. False: there is none. */
static bool next_name(const char **p, struct ext4_name *name)
{
	while (**p == '/')
		++*p;
	name->bytes = *p;
	while (**p && **p != '/')
		++*p;
	name->len = (size_t)(*p - name->bytes);
	return name->len;
}

static bool is_dot(const struct ext4_name *n)
{
	return n->len == 1 && n->bytes[0] == '.';
}

static bool is_dotdot(const struct ext4_name *n)
{
	return n->len == 2 && n->bytes[0] == '.' && n->bytes[1] == '.';
}

/* Nothing but slashes follows. */
static bool at_end(const char *p)
{
	return !p[strspn(p, "/")];
}

/* ---- without references */

struct inode *path_peek(struct vfs *v, const char *path, bool follow)
{
	struct dentry *d = dcache_root(v);
	struct inode *inode = dentry_inode(d);
	const char *start = path;
	struct ext4_name name;

	if (!*path)
		return NULL;
	while (next_name(&path, &name)) {
		if (!inode || !EXT4_S_ISDIR(inode->mode) || name.len > EXT4_NAME_LEN ||
		    vfs_permission_peek(v, inode, MAY_EXEC))
			return NULL;
		if (is_dot(&name))
			continue;
		d = is_dotdot(&name) ? dentry_parent(d) : dcache_find(v, d, &name);
		if (!d)
			return NULL;
		inode = dentry_inode(d);
		if (!inode || (EXT4_S_ISLNK(inode->mode) && (follow || !at_end(path) || *path)))
			return NULL;
	}
	if (path - start >= PATH_BYTES_MAX || (inode && path[-1] == '/' && !EXT4_S_ISDIR(inode->mode)))
		return NULL;
	return inode;
}

/* ---- with references */

int path_lookup(struct vfs *v, struct dentry *dir, const struct ext4_name *name,
		struct dentry **out)
{
	struct inode *inode = NULL, *parent = dentry_inode(dir);
	struct dentry *d;
	uint32_t ino;
	uint8_t type;
	int err;

	if (name->len > EXT4_NAME_LEN)
		return -ENAMETOOLONG;
	epoch_enter();
	d = dcache_find(v, dir, name);
	if (d && !dentry_take(d))
		d = NULL;
	epoch_leave();
	if (d) {
		*out = d;
		return 0;
	}
	if (atomic_load(&parent->state) & INODE_DEAD)
		return -ENOENT;
	TRACE_SCOPE(v->fs, lookup_real);
	err = ext4_lookup(parent, name, &ino, &type);
	if (!err)
		err = ext4_iget(v->fs, ino, IGET_NORMAL, &inode);
	if (err == -ESTALE)
		err = ext4_error(v->fs, parent->ino, 0,
				 "entry '%.*s' leads to inode %u, which is free", (int)name->len,
				 name->bytes, ino);
	if (!err && EXT4_S_ISDIR(inode->mode) && dcache_is_above(v, dir, inode)) {
		err = ext4_error(v->fs, parent->ino, 0, "entry '%.*s' leads back to directory %u, above it",
				 (int)name->len, name->bytes, inode->ino);
		ext4_iput(inode);
	}
	if (err && err != -ENOENT)
		return err;
	return dcache_add(v, dir, name, inode, out);
}

/* A step down: from the cache, else under the directory's lock. */
static int step(struct vfs *v, struct dentry *dir, const struct ext4_name *name,
		struct dentry **out)
{
	struct inode *inode = dentry_inode(dir);
	struct dentry *d;

	epoch_enter();
	d = name->len <= EXT4_NAME_LEN ? dcache_find(v, dir, name) : NULL;
	if (d && !dentry_take(d))
		d = NULL;
	epoch_leave();
	if (d) {
		*out = d;
		return 0;
	}
	guard_read(&inode->lock);
	return path_lookup(v, dir, name, out);
}

struct walk {
	struct vfs *v;
	struct dentry *at;		/* referenced */
	int links;			/* followed so far */
	char *buffer;			/* the rest of the path, once a link was followed */
};

static int walk_begin(struct walk *w, struct vfs *v, struct dentry *from, const char *path)
{
	if (!*path)
		return -ENOENT;
	if (strlen(path) >= PATH_BYTES_MAX)
		return -ENAMETOOLONG;
	*w = (struct walk){ .v = v, .at = from && *path != '/' ? from : dcache_root(v) };
	dentry_hold(w->at);
	return 0;
}

static void walk_end(struct walk *w)
{
	if (w->at)
		dentry_put(w->v, w->at);
	arena_free(w->v->fs->arena, w->buffer);
}

static void move_to(struct walk *w, struct dentry *d)
{
	dentry_put(w->v, w->at);
	w->at = d;
}

/* The target takes the link's place before the rest of the path. */
static int follow(struct walk *w, struct inode *link, const char *rest, const char **path)
{
	size_t rest_len = strlen(rest);
	char *joined;
	int n;

	if (++w->links > LINKS_MAX)
		return -ELOOP;
	joined = arena_alloc(w->v->fs->arena, PATH_BYTES_MAX + rest_len + 1);
	if (!joined)
		return -ENOMEM;
	n = ext4_readlink(link, joined, PATH_BYTES_MAX);
	if (n < 0) {
		arena_free(w->v->fs->arena, joined);
		return n;
	}
	memcpy(joined + n, rest, rest_len + 1);
	arena_free(w->v->fs->arena, w->buffer);
	w->buffer = joined;
	*path = joined;
	if (*joined == '/') {
		struct dentry *root = dcache_root(w->v);

		dentry_hold(root);
		move_to(w, root);
	}
	return *joined ? 0 : -ENOENT;
}

/* The directory at hand may be searched. */
static int may_search(const struct walk *w)
{
	struct inode *inode = dentry_inode(w->at);

	if (!EXT4_S_ISDIR(inode->mode))
		return -ENOTDIR;
	return vfs_permission(w->v, inode, MAY_EXEC);
}

/* One name further; a link is followed if more comes behind it, or `follow_last`. */
static int walk_step(struct walk *w, const struct ext4_name *name, const char **path,
		     bool follow_last)
{
	struct dentry *d;
	struct inode *inode;
	int err = may_search(w);

	if (err || is_dot(name))
		return err;
	if (is_dotdot(name)) {
		move_to(w, dentry_take_parent(w->at));
		return 0;
	}
	err = step(w->v, w->at, name, &d);
	if (err)
		return err;
	inode = dentry_inode(d);
	if (!inode) {
		dentry_put(w->v, d);
		return -ENOENT;
	}
	if (EXT4_S_ISLNK(inode->mode) && (follow_last || **path)) {
		err = follow(w, inode, *path, path);
		dentry_put(w->v, d);
		return err;
	}
	move_to(w, d);
	return 0;
}

int path_walk(struct vfs *v, const char *path, unsigned flags, struct dentry **out)
{
	struct ext4_name name;
	struct walk w;
	bool slash;
	int err = walk_begin(&w, v, NULL, path);

	if (err)
		return err;
	while (!err && next_name(&path, &name))
		err = walk_step(&w, &name, &path, flags & WALK_FOLLOW);
	slash = !err && path[-1] == '/';
	if (!err && (slash || flags & WALK_DIRECTORY) && !EXT4_S_ISDIR(dentry_inode(w.at)->mode))
		err = -ENOTDIR;
	if (!err) {
		*out = w.at;
		w.at = NULL;
	}
	walk_end(&w);
	return err;
}

int path_parent(struct vfs *v, const char *path, struct path_last *out)
{
	return path_parent_from(v, NULL, path, out);
}

int path_parent_from(struct vfs *v, struct dentry *from, const char *path, struct path_last *out)
{
	struct ext4_name name;
	struct walk w;
	int err = walk_begin(&w, v, from, path);

	if (err)
		return err;
	*out = (struct path_last){ .type = LAST_ROOT };
	while (!err && next_name(&path, &name)) {
		if (at_end(path)) {
			out->type = is_dot(&name)      ? LAST_DOT
				    : is_dotdot(&name) ? LAST_DOTDOT
						       : LAST_NAME;
			out->slash = *path;
			break;
		}
		err = walk_step(&w, &name, &path, true);
	}
	if (!err)
		err = may_search(&w);
	/*
	 * A name inside a link's target does not outlive the walk. Of one that is too long enough is
	 * kept to be told so by who looks it up, in its turn.
	 */
	if (!err && w.buffer && out->type == LAST_NAME) {
		name.len = min(name.len, sizeof(out->kept));
		name.bytes = memcpy(out->kept, name.bytes, name.len);
	}
	if (!err) {
		out->name = name;
		out->dir = w.at;
		w.at = NULL;
	}
	walk_end(&w);
	return err;
}
