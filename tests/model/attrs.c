/* SPDX-License-Identifier: BSD-2-Clause */
/* Times that are given, flags of chattr(1) and what they forbid, files made without a name. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "test.h"

#define CALL(x, name, ...) ((x)->target->calls->name((x)->target, ##__VA_ARGS__))
#define NSEC 1000000000ll

/* ---- what flags forbid */

int flags_forbid_change(const struct node *n)
{
	return n->flags & (FLAG_IMMUTABLE | FLAG_APPEND) ? -EPERM : 0;
}

int flags_forbid_names(const struct node *dir)
{
	return dir->flags & FLAG_IMMUTABLE ? -EPERM : 0;
}

int flags_forbid_removal(const struct node *dir, const struct node *n)
{
	int err = flags_forbid_change(dir);

	return err ? err : flags_forbid_change(n);
}

int flags_forbid_open(const struct node *n, uint32_t flags)
{
	bool writes = (flags & O_ACCMODE) != O_RDONLY;

	if (n->flags & FLAG_IMMUTABLE && (writes || flags & O_TRUNC))
		return -EPERM;
	return n->flags & FLAG_APPEND && ((writes && !(flags & O_APPEND)) || flags & O_TRUNC) ? -EPERM : 0;
}

/* ---- chattr: what forbids something does not stay for long */

static uint32_t draw_file_flags(struct test *x, const struct node *n)
{
	static const uint32_t some[] = { FLAG_APPEND, FLAG_IMMUTABLE, FLAG_NODUMP, FLAG_APPEND | FLAG_NODUMP, FLAGS_ALL, 0 };

	if (n->flags & (FLAG_IMMUTABLE | FLAG_APPEND) && chance(x, 80))
		return n->flags & FLAG_NODUMP;
	return some[below(x, 6)];
}

void op_chattr(struct test *x)
{
	char path[PATH_BYTES];
	struct node *n;
	uint32_t flags;
	int want;

	draw_path(x, path);
	if (walk(&x->tree, path, true, &n) || n == x->tree.root || (!is_reg(n) && !is_dir(n)))
		return; /* others have none, and asking would open them */
	flags = draw_file_flags(x, n);
	test_say(x, "chattr", "%s %x", path, flags);
	want = n->flags & flags & FLAG_IMMUTABLE && n->flags != flags ? -EPERM : 0;
	if (!test_agree(x, want, CALL(x, set_flags, path, FLAGS_ALL, flags)))
		return;
	n->flags = flags;
	test_stamped(x, n);
	test_changed(x);
}

/* ---- utimens */

/* Which of the stamps are given, which are to be now, which are to stay; in what an inode of 128 bytes can say. */
static void draw_time(struct test *x, struct extant_time *t)
{
	uint32_t what = below(x, 10);

	if (what < 2)
		*t = (struct extant_time){ 0, EXTANT_TIME_NOW };
	else if (what < 4)
		*t = (struct extant_time){ 0, EXTANT_TIME_OMIT };
	else
		*t = (struct extant_time){ (int64_t)below(x, 0x7fffffff) - (int64_t)below(x, 1u << 30), below(x, NSEC) };
}

static bool is_given(const struct extant_time *t)
{
	return t->nsec < NSEC;
}

static void set_time(struct test *x, struct span *s, const struct extant_time *t)
{
	int64_t at = t->sec * NSEC + (x->time_unit == 1 ? t->nsec : 0);

	if (is_given(t))
		*s = (struct span){ at, at };
	else if (t->nsec == EXTANT_TIME_NOW)
		*s = (struct span){ x->begun, CALL(x, latest) };
}

void op_utimens(struct test *x)
{
	char path[PATH_BYTES];
	struct extant_time a, m;
	struct node *n;
	bool touch;
	int want;

	draw_path(x, path);
	draw_time(x, &a);
	draw_time(x, &m);
	touch = a.nsec == EXTANT_TIME_NOW && m.nsec == EXTANT_TIME_NOW;
	test_say(x, "utimens", "%s %lld.%09u %lld.%09u", path, (long long)a.sec, a.nsec, (long long)m.sec, m.nsec);
	if (a.nsec == EXTANT_TIME_OMIT && m.nsec == EXTANT_TIME_OMIT) {
		(void)test_agree(x, 0, CALL(x, utimens, path, &a, &m));
		return;
	}
	want = walk(&x->tree, path, true, &n);
	if (!want && !(touch && !(n->flags & FLAG_IMMUTABLE)))
		want = flags_forbid_change(n);
	if (!test_agree(x, want, CALL(x, utimens, path, &a, &m)))
		return;
	set_time(x, &n->atime, &a);
	set_time(x, &n->mtime, &m);
	test_stamped(x, n);
}

/* ---- without a name */

static struct node *nameless(struct test *x, const struct node *dir, uint32_t mode, int fd)
{
	struct node *n = tree_node(&x->tree, S_IFREG | mode);
	struct extant_stat st;
	int err = CALL(x, fstat, fd, &st);

	if (err)
		test_fail(x, "fstat of what was made: %s", strerror(-err));
	if (dir->mode & S_ISGID)
		n->gid = dir->gid;
	n->ino = st.ino;
	n->generation = st.generation;
	n->unsynced = true;
	test_born(x, n, dir);
	return n;
}

void op_tmpfile(struct test *x)
{
	uint32_t flags = O_TMPFILE | (chance(x, 90) ? O_RDWR : O_RDONLY) | (chance(x, 20) ? O_EXCL : 0);
	uint32_t mode = chance(x, 50) ? 0640 : 02750;
	struct slot *s = test_free_slot(x);
	char path[PATH_BYTES];
	struct node *dir;
	int want, fd;

	if (!s)
		return;
	if (chance(x, 90))
		draw_dir(x, path);
	else
		draw_path(x, path);
	test_say(x, "tmpfile", "%s %x %o", path, flags, mode);
	want = (flags & O_ACCMODE) == O_RDONLY ? -EINVAL : walk(&x->tree, path, true, &dir);
	if (!want && !is_dir(dir))
		want = -ENOTDIR;
	if (!want)
		want = flags_forbid_names(dir);
	fd = CALL(x, open, path, (int)flags, mode);
	if (!test_agree(x, want, fd < 0 ? fd : 0))
		return;
	*s = (struct slot){ nameless(x, dir, mode, fd), fd, (int)(flags & ~(uint32_t)O_TMPFILE), 0 };
	s->node->linkable = !(flags & O_EXCL);
	s->node->opened++;
}

/* A name for an open file: of one that never had any, or another one. */
void op_flink(struct test *x)
{
	struct slot *s = draw_slot(x);
	char path[PATH_BYTES];
	struct place p;
	int want;

	if (!s)
		return;
	draw_path(x, path);
	test_say(x, "flink", "fd=%d inode=%llu %s", s->fd, (unsigned long long)s->node->ino, path);
	want = may_create(x, path, false, &p);
	if (!want)
		want = flags_forbid_names(p.dir);
	if (!want)
		want = is_dir(s->node) ? -EPERM : flags_forbid_change(s->node);
	if (!want && !s->node->nlink && !s->node->linkable)
		want = -ENOENT;
	if (!test_agree(x, want, CALL(x, flink, s->fd, path)))
		return;
	s->node->linkable = false;
	dir_add(&x->tree, p.dir, p.name, s->node);
	test_stamped(x, s->node);
	test_touched(x, p.dir);
	test_changed(x);
}
