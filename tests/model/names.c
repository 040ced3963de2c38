/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations on names and attributes; what to expect is in the man pages of the calls. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include "test.h"

#define CALL(x, name, ...) ((x)->target->calls->name((x)->target, ##__VA_ARGS__))

/* ---- making */

int may_create(struct test *x, const char *path, bool dir, struct place *p)
{
	int err = walk_parent(&x->tree, path, p);

	if (err)
		return err;
	if (p->last != LAST_NAME || p->node)
		return -EEXIST;
	return p->slash && !dir ? -ENOENT : 0;
}

static struct node *create(struct test *x, struct place *p, uint32_t mode)
{
	struct node *n = tree_node(&x->tree, mode);

	if (p->dir->mode & S_ISGID) {
		n->gid = p->dir->gid;
		n->mode |= is_dir(n) ? S_ISGID : 0;
	}
	dir_add(&x->tree, p->dir, p->name, n);
	test_learn(x, p->dir, p->name, n);
	test_born(x, n, p->dir);
	test_touched(x, p->dir);
	return n;
}

static uint32_t draw_mode(struct test *x)
{
	static const uint32_t modes[] = { 0644, 0755, 0600, 0777, 04755, 02755, 02644, 01777, 0, 07777 };

	return modes[below(x, sizeof(modes) / sizeof(*modes))];
}

void op_mkdir(struct test *x)
{
	char path[PATH_BYTES];
	uint32_t mode = draw_mode(x);
	struct place p;
	int want;

	draw_path(x, path);
	test_say(x, "mkdir", "%s %o", path, mode);
	want = may_create(x, path, true, &p);
	if (!want)
		want = flags_forbid_names(p.dir);
	if (!test_agree(x, want, CALL(x, mkdir, path, mode)))
		return;
	create(x, &p, S_IFDIR | (mode & 01777));
	test_changed(x);
}

void op_mknod(struct test *x)
{
	static const uint32_t kinds[] = { S_IFREG, S_IFREG, S_IFREG, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, S_IFDIR, S_IFLNK, 0 };
	char path[PATH_BYTES];
	uint32_t kind = kinds[below(x, 10)], mode = kind | draw_mode(x);
	bool device = kind == S_IFCHR || kind == S_IFBLK;
	uint32_t major = device ? below(x, chance(x, 50) ? 200 : 4000) : 0;
	uint32_t minor = device ? below(x, chance(x, 50) ? 200 : 1u << 20) : 0;
	struct place p;
	struct node *n;
	int want;

	draw_path(x, path);
	test_say(x, "mknod", "%s %o %u %u", path, mode, major, minor);
	if (kind == S_IFDIR)
		want = -EPERM;
	else if (kind == S_IFLNK)
		want = -EINVAL;
	else
		want = may_create(x, path, false, &p);
	if (!want)
		want = flags_forbid_names(p.dir);
	if (!test_agree(x, want, CALL(x, mknod, path, mode, major, minor)))
		return;
	n = create(x, &p, (kind ? kind : S_IFREG) | (mode & 07777));
	n->rdev_major = major;
	n->rdev_minor = minor;
	test_changed(x);
}

static const char *draw_target(struct test *x, char *buf)
{
	size_t len;

	switch (below(x, 6)) {
	case 0:
		return draw_path(x, buf);
	case 1:
		sprintf(buf, "n%u", below(x, 200));
		return buf;
	case 2:
		sprintf(buf, "../n%u", below(x, 200));
		return buf;
	case 3:
		return draw_dir(x, buf);
	default:
		len = 50 + below(x, chance(x, 20) ? 900 : 30);
		memset(buf, 't', len);
		buf[len] = 0;
		return buf;
	}
}

void op_symlink(struct test *x)
{
	char path[PATH_BYTES], target[PATH_BYTES];
	struct place p;
	struct node *n;
	int want;

	draw_path(x, path);
	draw_target(x, target);
	test_say(x, "symlink", "%s -> %s", path, target);
	if (!*target)
		want = -ENOENT;
	else
		want = may_create(x, path, false, &p);
	if (!want)
		want = flags_forbid_names(p.dir);
	if (!want && strlen(target) + 1 > x->block_size)
		want = -ENAMETOOLONG;
	if (!test_agree(x, want, CALL(x, symlink, target, path)))
		return;
	n = create(x, &p, S_IFLNK | 0777);
	n->target = strdup(target);
	n->size = strlen(target);
	test_changed(x);
}

void op_link(struct test *x)
{
	char from[PATH_BYTES], to[PATH_BYTES];
	struct place p;
	struct node *n;
	int want;

	draw_path(x, from);
	draw_path(x, to);
	test_say(x, "link", "%s %s", from, to);
	want = walk(&x->tree, from, false, &n);
	if (!want)
		want = may_create(x, to, false, &p);
	if (!want)
		want = flags_forbid_names(p.dir);
	if (!want)
		want = is_dir(n) ? -EPERM : flags_forbid_change(n);
	if (!test_agree(x, want, CALL(x, link, from, to)))
		return;
	dir_add(&x->tree, p.dir, p.name, n);
	test_stamped(x, n);
	test_touched(x, p.dir);
	test_changed(x);
}

/* ---- taking away */

void op_unlink(struct test *x)
{
	char path[PATH_BYTES];
	struct place p;
	int want;

	draw_path(x, path);
	test_say(x, "unlink", "%s", path);
	want = walk_parent(&x->tree, path, &p);
	if (!want && p.last != LAST_NAME)
		want = -EISDIR;
	if (!want && !p.node)
		want = -ENOENT;
	if (!want && p.slash)
		want = is_dir(p.node) ? -EISDIR : -ENOTDIR;
	if (!want)
		want = flags_forbid_removal(p.dir, p.node);
	if (!want && is_dir(p.node))
		want = -EISDIR;
	if (!test_agree(x, want, CALL(x, unlink, path)))
		return;
	dir_remove(&x->tree, p.dir, p.name);
	test_stamped(x, p.node);
	test_touched(x, p.dir);
	test_changed(x);
}

void op_rmdir(struct test *x)
{
	static const int of_last[] = { [LAST_DOT] = -EINVAL, [LAST_DOTDOT] = -ENOTEMPTY, [LAST_ROOT] = -EBUSY };
	char path[PATH_BYTES];
	struct place p;
	int want;

	draw_path(x, path);
	test_say(x, "rmdir", "%s", path);
	want = walk_parent(&x->tree, path, &p);
	if (!want && p.last != LAST_NAME)
		want = of_last[p.last];
	if (!want && !p.node)
		want = -ENOENT;
	if (!want)
		want = flags_forbid_removal(p.dir, p.node);
	if (!want && !is_dir(p.node))
		want = -ENOTDIR;
	if (!want && p.node->entry_count)
		want = -ENOTEMPTY;
	if (!test_agree(x, want, CALL(x, rmdir, path)))
		return;
	dir_remove(&x->tree, p.dir, p.name);
	test_stamped(x, p.node);
	test_touched(x, p.dir);
	test_changed(x);
}

/* ---- rename */

/* `a` is `n` or above it. */
static bool is_above(const struct node *a, const struct node *n)
{
	while (n != a && n->parent != n)
		n = n->parent;
	return n == a;
}

/* What flags and kinds of the two say, once the names are fine. */
static int may_replace(const struct place *from, const struct place *to, bool exchange)
{
	int err = flags_forbid_removal(from->dir, from->node);

	if (!err)
		err = to->node ? flags_forbid_removal(to->dir, to->node) : flags_forbid_names(to->dir);
	if (err || !to->node || exchange)
		return err;
	if (is_dir(from->node) && !is_dir(to->node))
		return -ENOTDIR;
	if (!is_dir(from->node) && is_dir(to->node))
		return -EISDIR;
	return is_dir(to->node) && to->node->entry_count ? -ENOTEMPTY : 0;
}

static int may_rename(const struct place *from, const struct place *to, uint32_t flags)
{
	bool exchange = flags & RENAME_EXCHANGE;

	if (from->last != LAST_NAME)
		return -EBUSY;
	if (to->last != LAST_NAME)
		return flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	if (!from->node)
		return from->too_long ? -ENAMETOOLONG : -ENOENT;
	if (to->too_long)
		return -ENAMETOOLONG;
	if (flags & RENAME_NOREPLACE && to->node)
		return -EEXIST;
	if (exchange && !to->node)
		return -ENOENT;
	if (exchange && to->slash && !is_dir(to->node))
		return -ENOTDIR;
	if (!is_dir(from->node) && (from->slash || (!exchange && to->slash)))
		return -ENOTDIR;
	if (is_dir(from->node) && is_above(from->node, to->dir))
		return -EINVAL;
	if (to->node && is_dir(to->node) && is_above(to->node, from->dir))
		return exchange ? -EINVAL : -ENOTEMPTY;
	return to->node == from->node ? 0 : may_replace(from, to, exchange);
}

/* A name's node is replaced; the directories' link counts follow what they hold. */
static void put_name(struct node *dir, const char *name, struct node *n)
{
	struct node *old = dir_find(dir, name);

	dir->nlink -= old && is_dir(old);
	dir->nlink += n && is_dir(n);
	dir_set(dir, name, n);
}

static void do_exchange(const struct place *from, const struct place *to)
{
	put_name(from->dir, from->name, to->node);
	put_name(to->dir, to->name, from->node);
}

static void do_rename(struct test *x, const struct place *from, const struct place *to, bool whiteout)
{
	if (to->node) {
		dir_remove(&x->tree, to->dir, to->name);
		test_stamped(x, to->node);
	}
	put_name(from->dir, from->name, NULL);
	put_name(to->dir, to->name, from->node);
	if (whiteout) {
		struct place p = *from;

		p.node = NULL;
		create(x, &p, S_IFCHR);
	}
}

static uint32_t draw_rename_flags(struct test *x)
{
	static const uint32_t flags[] = { RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT,
					  RENAME_NOREPLACE | RENAME_WHITEOUT, RENAME_NOREPLACE | RENAME_EXCHANGE,
					  RENAME_EXCHANGE | RENAME_WHITEOUT, 1u << 5 };

	return chance(x, 70) ? 0 : flags[below(x, 7)];
}

void op_rename(struct test *x)
{
	char from[PATH_BYTES], to[PATH_BYTES];
	uint32_t flags = draw_rename_flags(x);
	int from_links = 0, to_links = 0, want;
	struct place a, b;

	draw_path(x, from);
	draw_path(x, to);
	test_say(x, "rename", "%s %s %x", from, to, flags);
	if (flags >> 3 || (flags & RENAME_EXCHANGE && flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)))
		want = -EINVAL;
	else
		want = walk_parent_from(&x->tree, x->tree.root, from, &from_links, &a);
	if (!want)
		want = walk_parent_from(&x->tree, x->tree.root, to, &to_links, &b);
	if (!want)
		want = may_rename(&a, &b, flags);
	if (!test_agree(x, want, CALL(x, rename, from, to, flags)) || a.node == b.node)
		return;
	test_stamped(x, a.node);
	test_touched(x, a.dir);
	test_touched(x, b.dir);
	if (flags & RENAME_EXCHANGE)
		test_stamped(x, b.node);
	if (flags & RENAME_EXCHANGE)
		do_exchange(&a, &b);
	else
		do_rename(x, &a, &b, flags & RENAME_WHITEOUT);
	test_changed(x);
}

/* ---- asking */

void op_readlink(struct test *x)
{
	char path[PATH_BYTES], buf[PATH_BYTES];
	size_t size = 1 + below(x, chance(x, 80) ? 4096 : 60);
	struct node *n;
	int want, got;

	draw_path(x, path);
	test_say(x, "readlink", "%s %zu", path, size);
	want = walk(&x->tree, path, false, &n);
	if (!want)
		want = is_link(n) ? (int)(n->size < size ? n->size : size) : -EINVAL;
	got = CALL(x, readlink, path, buf, size);
	if (test_agree(x, want, got) && memcmp(buf, n->target, (size_t)got))
		test_fail(x, "another target");
}

void op_stat(struct test *x)
{
	char path[PATH_BYTES];
	bool follow = chance(x, 50);
	struct extant_stat st;
	struct node *n;
	int want;

	draw_path(x, path);
	test_say(x, "stat", "%s %s", path, follow ? "" : "nofollow");
	want = walk(&x->tree, path, follow, &n);
	if (test_agree(x, want, CALL(x, stat, path, follow, &st)))
		test_stat_equals(x, n, &st);
}

struct listing {
	struct test *x;
	const struct node *dir;
	uint32_t count;
};

static int check_entry(void *arg, const struct extant_dirent *d)
{
	struct listing *l = arg;
	const struct node *n = dir_find(l->dir, d->name);

	if (!strcmp(d->name, "."))
		n = l->dir;
	else if (!strcmp(d->name, ".."))
		n = l->dir->parent;
	l->count++;
	if (!n)
		test_fail(l->x, "lists \"%s\", which is not there", d->name);
	else if (d->ino != n->ino)
		test_fail(l->x, "lists \"%s\" as inode %u, not %llu", d->name, d->ino, (unsigned long long)n->ino);
	else if (d->type != DT_UNKNOWN && d->type != (n->mode & S_IFMT) >> 12)
		test_fail(l->x, "lists \"%s\" as of type %u", d->name, d->type);
	return l->x->failed;
}

void op_readdir(struct test *x)
{
	char path[PATH_BYTES];
	struct listing l = { x, NULL, 0 };
	struct node *n;
	int want, fd, err;

	draw_dir(x, path);
	if (!*path)
		strcpy(path, "/");
	test_say(x, "readdir", "%s", path);
	want = walk(&x->tree, path, true, &n);
	if (!want && !is_dir(n))
		want = -ENOTDIR;
	fd = CALL(x, open, path, O_RDONLY | O_DIRECTORY, 0);
	if (!test_agree(x, want, fd < 0 ? fd : 0))
		return;
	l.dir = n;
	test_was_read(n);
	err = CALL(x, readdir, fd, check_entry, &l);
	if (err)
		test_fail(x, "%s", strerror(-err));
	else if (!x->failed && l.count != n->entry_count + 2)
		test_fail(x, "lists %u entries of %u", l.count, n->entry_count + 2);
	if (CALL(x, close, fd))
		test_fail(x, "close");
}

/* ---- attributes */

void op_chmod(struct test *x)
{
	char path[PATH_BYTES];
	uint32_t mode = draw_mode(x);
	struct node *n;
	int want;

	draw_path(x, path);
	test_say(x, "chmod", "%s %o", path, mode);
	want = walk(&x->tree, path, true, &n);
	if (!want)
		want = flags_forbid_change(n);
	if (!test_agree(x, want, CALL(x, chmod, path, mode)))
		return;
	test_stamped(x, n);
	n->mode = (n->mode & S_IFMT) | mode;
	acl_follows_mode(n);
	test_changed(x);
}

void op_chown(struct test *x)
{
	char path[PATH_BYTES];
	uint32_t uid = chance(x, 20) ? UINT32_MAX : below(x, 100000), gid = chance(x, 20) ? UINT32_MAX : below(x, 100000);
	struct node *n;
	int want;

	draw_path(x, path);
	test_say(x, "chown", "%s %d %d", path, (int)uid, (int)gid);
	want = walk(&x->tree, path, false, &n);
	if (!want && (uid != UINT32_MAX || gid != UINT32_MAX || n->flags & FLAG_IMMUTABLE))
		want = flags_forbid_change(n);
	if (!test_agree(x, want, CALL(x, chown, path, uid, gid)))
		return;
	test_stamped(x, n);
	n->uid = uid == UINT32_MAX ? n->uid : uid;
	n->gid = gid == UINT32_MAX ? n->gid : gid;
	if (!is_dir(n))
		n->mode &= ~(uint32_t)(S_ISUID | ((n->mode & S_IXGRP) ? S_ISGID : 0));
	test_changed(x);
}

/* ---- extended attributes */

static const char *draw_xattr(struct test *x, char *name)
{
	static const char *spaces[] = { "user.", "user.", "user.", "trusted.", "security.", "odd." };

	sprintf(name, "%s%s%u", spaces[below(x, 6)], chance(x, 5) ? "a-name-that-is-somewhat-longer-than-the-others-" : "a",
		below(x, 12));
	return name;
}

/* What the name, the kind of file and its flags say. */
static int xattr_allowed(const struct node *n, const char *name, bool set)
{
	if (set && flags_forbid_change(n))
		return -EPERM;
	if (!strncmp(name, "odd.", 4))
		return -EOPNOTSUPP;
	if (!strncmp(name, "user.", 5) && !is_reg(n) && !is_dir(n))
		return set ? -EPERM : -ENODATA;
	return 0;
}

size_t xattr_bytes(const struct node *n)
{
	size_t sum = 0;

	for (const struct xattr *a = n->xattrs; a; a = a->next)
		sum += strlen(a->name) + a->len + 24;
	return sum;
}

void op_setxattr(struct test *x)
{
	char path[PATH_BYTES], name[300];
	int flags = chance(x, 60) ? 0 : chance(x, 50) ? XATTR_CREATE : XATTR_REPLACE, want, got;
	size_t len = below(x, chance(x, 80) ? 60 : chance(x, 80) ? 900 : 5000);
	struct node *n;

	draw_path(x, path);
	draw_xattr(x, name);
	contents_pattern(x->buf, 0, len, ++x->tag);
	test_say(x, "setxattr", "%s %s len=%zu flags=%d", path, name, len, flags);
	want = walk(&x->tree, path, false, &n);
	if (!want)
		want = xattr_allowed(n, name, true);
	if (!want && flags == XATTR_CREATE && xattr_find(n, name))
		want = -EEXIST;
	if (!want && flags == XATTR_REPLACE && !xattr_find(n, name))
		want = -ENODATA;
	got = CALL(x, setxattr, path, name, x->buf, len, flags);
	if (!want && got == -ENOSPC && xattr_bytes(n) + len + 300 > x->block_size) {
		x->full++;
		return;
	}
	if (!test_agree(x, want, got))
		return;
	if (len || !xattr_find(n, name) || xattr_find(n, name)->len)
		test_stamped(x, n);
	xattr_set(n, name, x->buf, len);
	test_changed(x);
}

void op_removexattr(struct test *x)
{
	char path[PATH_BYTES], name[300];
	struct node *n;
	int want;

	draw_path(x, path);
	draw_xattr(x, name);
	test_say(x, "removexattr", "%s %s", path, name);
	want = walk(&x->tree, path, false, &n);
	if (!want)
		want = xattr_allowed(n, name, true);
	if (!want && !xattr_find(n, name))
		want = -ENODATA;
	if (!test_agree(x, want, CALL(x, removexattr, path, name)))
		return;
	xattr_remove(n, name);
	test_stamped(x, n);
	test_changed(x);
}

void op_getxattr(struct test *x)
{
	char path[PATH_BYTES], name[300];
	struct xattr *a = NULL;
	struct node *n;
	int64_t want, got;

	draw_path(x, path);
	draw_xattr(x, name);
	test_say(x, "getxattr", "%s %s", path, name);
	want = walk(&x->tree, path, false, &n);
	if (!want)
		want = xattr_allowed(n, name, false);
	if (!want)
		a = xattr_find(n, name);
	if (!want)
		want = a ? (int64_t)a->len : -ENODATA;
	got = CALL(x, getxattr, path, name, x->buf, sizeof(x->buf));
	if (test_agree(x, want, got) && a && memcmp(x->buf, a->value, a->len))
		test_fail(x, "another value");
}
