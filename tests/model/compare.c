/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole tree, as the target shows it, against ours; and which of the trees since the last sync a crash left. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "test.h"

#define CALL(x, name, ...) ((x)->target->calls->name((x)->target, ##__VA_ARGS__))
#define LIST_BYTES 8192u

/* A generation is told of files and directories alone. */
static uint32_t generation_of(const struct extant_stat *st)
{
	return S_ISREG(st->mode) || S_ISDIR(st->mode) ? st->generation : 0;
}

/* Flags too. */
static uint32_t flags_of(const struct extant_stat *st)
{
	return S_ISREG(st->mode) || S_ISDIR(st->mode) ? st->flags & FLAGS_ALL : 0;
}

void test_learn(struct test *x, const struct node *dir, const char *name, struct node *n)
{
	char path[PATH_BYTES];
	struct extant_stat st;
	int err = CALL(x, stat, tree_path(&x->tree, dir, name, path), false, &st);

	if (err) {
		test_fail(x, "stat of what was made: %s", strerror(-err));
		return;
	}
	n->ino = st.ino;
	n->generation = generation_of(&st);
}

void test_stat_equals(struct test *x, const struct node *n, const struct extant_stat *st)
{
	struct { const char *name; uint64_t want, got; } fields[] = {
		{ "inode", n->ino, st->ino }, { "mode", n->mode, st->mode }, { "links", n->nlink, st->nlink },
		{ "uid", n->uid, st->uid }, { "gid", n->gid, st->gid },
		{ "size", is_dir(n) ? st->size : n->size, st->size },
		{ "major", n->rdev_major, st->rdev_major }, { "minor", n->rdev_minor, st->rdev_minor },
		{ "generation", n->generation, generation_of(st) },
		{ "flags", n->flags, flags_of(st) },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (fields[i].want != fields[i].got)
			test_fail(x, "%s of inode %llu is %llu, not %llu", fields[i].name, (unsigned long long)n->ino,
				  (unsigned long long)fields[i].got, (unsigned long long)fields[i].want);
	test_times_equal(x, n, st);
}

/* ---- bytes: what is said to be data is read, what is said to be a hole was not written */

static size_t first_other(const struct test *x, size_t len)
{
	size_t i = 0;

	while (i < len && x->buf[i] == x->expected[i])
		i++;
	return i;
}

static void range_equals(struct test *x, const struct node *n, int fd, uint64_t at, uint64_t end)
{
	while (at < end && !x->failed) {
		size_t len = (size_t)(end - at < BUFFER_BYTES ? end - at : BUFFER_BYTES);
		int64_t got = CALL(x, pread, fd, x->buf, len, (int64_t)at);

		contents_read(&n->contents, at, x->expected, len);
		if (got != (int64_t)len)
			test_fail(x, "inode %llu: reading at %llu: %lld", (unsigned long long)n->ino, (unsigned long long)at,
				  (long long)got);
		else if (memcmp(x->buf, x->expected, len))
			test_fail(x, "inode %llu: another byte at %llu: %02x, not %02x", (unsigned long long)n->ino,
				  (unsigned long long)(at + first_other(x, len)), x->buf[first_other(x, len)],
				  x->expected[first_other(x, len)]);
		at += len;
	}
}

void test_content_equals(struct test *x, const struct node *n, int fd)
{
	uint64_t at = 0;

	test_was_read(n);
	if (x->blind_seek)
		(void)CALL(x, fsync, fd);
	while (at < n->size && !x->failed) {
		int64_t data = CALL(x, lseek, fd, (int64_t)at, SEEK_DATA);
		uint64_t from = data == -ENXIO ? n->size : (uint64_t)data;
		int64_t end;

		if (data < 0 && data != -ENXIO)
			test_fail(x, "SEEK_DATA: %s", strerror((int)-data));
		if (!contents_empty(&n->contents, at, from - at))
			test_fail(x, "inode %llu: a hole at %llu, and there was data", (unsigned long long)n->ino,
				  (unsigned long long)at);
		if (from >= n->size || x->failed)
			return;
		end = CALL(x, lseek, fd, (int64_t)from, SEEK_HOLE);
		if (end <= (int64_t)from)
			test_fail(x, "SEEK_HOLE from %llu: %lld", (unsigned long long)from, (long long)end);
		else
			range_equals(x, n, fd, from, (uint64_t)end);
		at = (uint64_t)end;
	}
}

static void file_equals(struct test *x, const struct node *n, const char *path)
{
	int fd = CALL(x, open, path, O_RDONLY, 0);

	if (fd < 0) {
		test_fail(x, "opening \"%s\": %s", path, strerror(-fd));
		return;
	}
	test_content_equals(x, n, fd);
	if (CALL(x, close, fd))
		test_fail(x, "close");
}

static void link_equals(struct test *x, const struct node *n, const char *path)
{
	char buf[PATH_BYTES];
	int got = CALL(x, readlink, path, buf, sizeof(buf));

	if (got != (int)n->size || memcmp(buf, n->target, n->size))
		test_fail(x, "readlink of \"%s\": %d, or another target", path, got);
}

static void xattrs_equal(struct test *x, const struct node *n, const char *path)
{
	char list[LIST_BYTES];
	int64_t len = CALL(x, listxattr, path, list, sizeof(list)), want = 0, got;

	for (const struct xattr *a = n->xattrs; a; a = a->next) {
		want += (int64_t)strlen(a->name) + 1;
		got = CALL(x, getxattr, path, a->name, x->buf, sizeof(x->buf));
		if (got != (int64_t)a->len || memcmp(x->buf, a->value, a->len))
			test_fail(x, "attribute %s of \"%s\": %lld, or another value", a->name, path, (long long)got);
	}
	if (len != want)
		test_fail(x, "attributes of \"%s\": their names take %lld bytes, not %lld", path, (long long)len,
			  (long long)want);
}

/* ---- the tree */

static void dir_equals(struct test *x, const struct node *dir, const char *path);

static void node_equals(struct test *x, const struct node *n, const char *path)
{
	struct extant_stat st;
	int err = CALL(x, stat, path, false, &st);

	if (err) {
		test_fail(x, "stat of \"%s\": %s", path, strerror(-err));
		return;
	}
	test_stat_equals(x, n, &st);
	xattrs_equal(x, n, path);
	if (is_dir(n))
		dir_equals(x, n, path);
	else if (is_reg(n))
		file_equals(x, n, path);
	else if (is_link(n))
		link_equals(x, n, path);
}

struct names {
	char (*names)[NAME_BYTES + 1];
	uint32_t count, room;
};

static int take_name(void *arg, const struct extant_dirent *d)
{
	struct names *l = arg;

	if (!strcmp(d->name, ".") || !strcmp(d->name, ".."))
		return 0;
	if (l->count == l->room) {
		l->room = l->room ? l->room * 2 : 64;
		l->names = realloc(l->names, l->room * sizeof(*l->names));
		if (!l->names)
			abort();
	}
	strcpy(l->names[l->count++], d->name);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Sorted: whatever the order on the disk, the run goes the same way. */
static struct names list_dir(struct test *x, const char *path)
{
	struct names l = { 0 };
	int fd = CALL(x, open, *path ? path : "/", O_RDONLY | O_DIRECTORY, 0), err;

	if (fd < 0) {
		test_fail(x, "opening directory \"%s\": %s", path, strerror(-fd));
		return l;
	}
	err = CALL(x, readdir, fd, take_name, &l);
	if (err)
		test_fail(x, "reading directory \"%s\": %s", path, strerror(-err));
	(void)CALL(x, close, fd);
	if (l.count)
		qsort(l.names, l.count, sizeof(*l.names), by_name);
	return l;
}

static void dir_equals(struct test *x, const struct node *dir, const char *path)
{
	struct names l = list_dir(x, path);
	char sub[PATH_BYTES];

	test_was_read(dir);
	if (!x->failed && l.count != dir->entry_count)
		test_fail(x, "directory \"%s\" has %u names, not %u", path, l.count, dir->entry_count);
	for (uint32_t i = 0; i < l.count && !x->failed; i++) {
		const struct node *n = dir_find(dir, l.names[i]);

		(void)snprintf(sub, sizeof(sub), "%s/%s", strcmp(path, "/") ? path : "", l.names[i]);
		if (!n)
			test_fail(x, "there is \"%s\"", sub);
		else
			node_equals(x, n, sub);
	}
	free(l.names);
}

/* Any byte of it can be read there: not by direct I/O. */
static bool can_compare(const struct slot *s)
{
	return s->node && is_reg(s->node) && (s->flags & O_ACCMODE) != O_WRONLY && !(s->flags & O_DIRECT);
}

void test_tree_equals(struct test *x)
{
	node_equals(x, x->tree.root, "/");
	for (int i = 0; i < SLOTS && !x->failed; i++)
		if (can_compare(&x->slots[i])) {
			test_content_equals(x, x->slots[i].node, x->slots[i].fd);
			(void)CALL(x, lseek, x->slots[i].fd, (int64_t)x->slots[i].at, SEEK_SET);
		}
}

/* ---- after a crash */

static void adopt_xattrs(struct test *x, struct node *n, const char *path)
{
	char list[LIST_BYTES];
	int64_t len = CALL(x, listxattr, path, list, sizeof(list)), got;

	while (n->xattrs)
		xattr_remove(n, n->xattrs->name);
	for (char *name = list; name < list + len; name += strlen(name) + 1) {
		got = CALL(x, getxattr, path, name, x->buf, sizeof(x->buf));
		if (got < 0)
			test_fail(x, "attribute %s of \"%s\": %s", name, path, strerror((int)-got));
		else
			xattr_set(n, name, x->buf, (size_t)got);
	}
}

static void adopt_target(struct test *x, struct node *n, const char *path)
{
	char buf[PATH_BYTES];
	int got = CALL(x, readlink, path, buf, sizeof(buf) - 1);

	if (got < 0) {
		test_fail(x, "readlink of \"%s\": %s", path, strerror(-got));
		return;
	}
	buf[got] = 0;
	free(n->target);
	n->target = strdup(buf);
	n->size = (uint64_t)got;
}

static struct node *adopt(struct test *x, const char *path)
{
	struct extant_stat st;
	int err = CALL(x, stat, path, false, &st);
	struct node *n;

	if (err) {
		test_fail(x, "stat of \"%s\": %s", path, strerror(-err));
		return NULL;
	}
	n = tree_find(&x->tree, st.ino, generation_of(&st), st.mode);
	if (!n) {
		test_fail(x, "\"%s\" is inode %llu, which was never made", path, (unsigned long long)st.ino);
		return NULL;
	}
	n->mode = st.mode;
	n->uid = st.uid;
	n->gid = st.gid;
	n->nlink = st.nlink;
	n->flags = flags_of(&st);
	n->rdev_major = st.rdev_major;
	n->rdev_minor = st.rdev_minor;
	adopt_xattrs(x, n, path);
	if (is_link(n))
		adopt_target(x, n, path);
	if (!n->seen && !is_dir(n))
		x->tree.node_count++;
	n->seen = true;
	return n;
}

static void adopt_dir(struct test *x, struct node *dir, const char *path)
{
	struct names l = list_dir(x, path);
	char sub[PATH_BYTES];

	for (uint32_t i = 0; i < l.count && !x->failed; i++) {
		struct node *n;

		(void)snprintf(sub, sizeof(sub), "%s/%s", path, l.names[i]);
		n = adopt(x, sub);
		if (!n)
			break;
		dir_set(dir, l.names[i], n);
		if (is_dir(n)) {
			x->tree.node_count++;
			adopt_dir(x, n, sub);
		}
	}
	free(l.names);
}

static void forget_names(struct tree *t)
{
	for (struct node *n = t->nodes; n; n = n->all) {
		while (n->entry_count)
			dir_set(n, n->entries[0].name, NULL);
		n->seen = false;
		n->nlink = n == t->root ? n->nlink : 0;
	}
	t->node_count = 0;
}

/* What was not safe may be there in part: it is emptied. */
static void empty_unsynced(struct test *x, struct node *dir, const char *path)
{
	char sub[PATH_BYTES];

	for (uint32_t i = 0; i < dir->entry_count && !x->failed; i++) {
		struct node *n = dir->entries[i].node;
		int err;

		(void)snprintf(sub, sizeof(sub), "%s/%s", path, dir->entries[i].name);
		if (is_dir(n))
			empty_unsynced(x, n, sub);
		if (!is_reg(n) || !n->unsynced)
			continue;
		err = CALL(x, set_flags, sub, FLAGS_ALL, 0);
		n->flags = 0;
		if (!err)
			err = CALL(x, truncate, sub, 0);
		if (err)
			test_fail(x, "emptying \"%s\": %s", sub, strerror(-err));
		contents_free(&n->contents);
		n->size = 0;
	}
}

void test_recovered(struct test *x)
{
	uint64_t hash;
	uint32_t i;

	forget_names(&x->tree);
	test_forget_times(x);
	if (!adopt(x, "/"))
		return;
	adopt_dir(x, x->tree.root, "");
	if (x->failed)
		return;
	hash = tree_hash(&x->tree);
	for (i = 0; i < x->history_count && x->history[i] != hash; i++)
		;
	if (i == x->history_count) {
		test_fail(x, "after the crash: a tree that never was");
		return;
	}
	empty_unsynced(x, x->tree.root, "");
	test_forget_times(x);
	op_sync(x);
	test_tree_equals(x);
}
