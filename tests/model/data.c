/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations on open files and their bytes. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "test.h"

#define CALL(x, name, ...) ((x)->target->calls->name((x)->target, ##__VA_ARGS__))

/* ---- open, close */

static uint32_t draw_flags(struct test *x)
{
	static const uint32_t access[] = { O_RDONLY, O_WRONLY, O_RDWR, O_RDWR };
	uint32_t flags = access[below(x, 4)];

	if (chance(x, 60))
		flags |= O_CREAT;
	if (flags & O_CREAT && chance(x, 15))
		flags |= O_EXCL;
	if (chance(x, 10))
		flags |= O_TRUNC;
	if (chance(x, 10))
		flags |= O_APPEND;
	if (chance(x, 5))
		flags |= O_NOFOLLOW;
	if (!(flags & O_CREAT) && chance(x, 5))
		flags |= O_DIRECTORY;
	if (chance(x, 15))
		flags |= O_DIRECT;
	return flags;
}

/* Where an open that may create ends: at what is there, or at a name that is free. */
static int open_place(struct test *x, const char *path, uint32_t flags, struct place *p)
{
	int links = 0, err = walk_parent_from(&x->tree, x->tree.root, path, &links, p);
	bool slash = false;

	while (!err) {
		slash |= p->slash;
		if (flags & O_CREAT && p->last != LAST_NAME)
			return flags & O_EXCL ? -EEXIST : -EISDIR;
		if (flags & O_CREAT && p->slash)
			return -EISDIR;
		if (p->too_long)
			return -ENAMETOOLONG;
		if (!p->node)
			return flags & O_CREAT ? 0 : -ENOENT;
		if (flags & O_CREAT && flags & O_EXCL)
			return -EEXIST;
		if (!is_link(p->node))
			return slash && !is_dir(p->node) ? -ENOTDIR : 0;
		if (flags & O_NOFOLLOW && !p->slash)
			return flags & O_DIRECTORY ? -ENOTDIR : -ELOOP;
		if (++links > 40)
			return -ELOOP;
		err = walk_parent_from(&x->tree, p->dir, p->node->target, &links, p);
	}
	return err;
}

static int may_open(const struct node *n, uint32_t flags)
{
	if (flags & O_DIRECTORY && !is_dir(n))
		return -ENOTDIR;
	if (is_dir(n) && (flags & (O_CREAT | O_TRUNC) || (flags & O_ACCMODE) != O_RDONLY))
		return -EISDIR;
	return is_dir(n) && flags & O_DIRECT ? -EINVAL : 0;
}

static void truncated(struct test *x, struct node *n, uint64_t size)
{
	test_touched(x, n);
	if (size < n->size)
		contents_zero(&n->contents, size, UINT64_MAX - size);
	n->size = size;
	n->unsynced = true;
}

struct slot *test_free_slot(struct test *x)
{
	for (int i = 0; i < SLOTS; i++)
		if (!x->slots[i].node)
			return &x->slots[i];
	return NULL;
}

static struct node *create_file(struct test *x, struct place *p, uint32_t mode)
{
	struct node *n = tree_node(&x->tree, S_IFREG | (mode & 07777));

	if (p->dir->mode & S_ISGID)
		n->gid = p->dir->gid;
	dir_add(&x->tree, p->dir, p->name, n);
	n->unsynced = true;
	test_learn(x, p->dir, p->name, n);
	test_born(x, n, p->dir);
	test_touched(x, p->dir);
	return n;
}

void op_open(struct test *x)
{
	char path[PATH_BYTES];
	uint32_t flags = draw_flags(x), mode = chance(x, 50) ? 0644 : 06755;
	struct slot *s = test_free_slot(x);
	struct place p;
	int want, fd;
	bool created;

	if (!s)
		return;
	draw_path(x, path);
	test_say(x, "open", "%s %x %o", path, flags, mode);
	want = open_place(x, path, flags, &p);
	if (!want && p.node && !is_reg(p.node) && !is_dir(p.node))
		return; /* opening a device or a pipe would do something to this machine */
	if (!want && p.node)
		want = may_open(p.node, flags);
	else if (!want)
		want = flags_forbid_names(p.dir);
	if (!want && p.node)
		want = flags_forbid_open(p.node, flags);
	fd = CALL(x, open, path, (int)flags, mode);
	if (!test_agree(x, want, fd < 0 ? fd : 0))
		return;
	created = !p.node;
	if (created)
		p.node = create_file(x, &p, mode);
	else if (flags & O_TRUNC)
		truncated(x, p.node, 0);
	*s = (struct slot){ p.node, fd, (int)flags, 0 };
	p.node->opened++;
	if (created)
		test_changed(x);
}

static void close_slot(struct test *x, struct slot *s)
{
	test_say(x, "close", "fd=%d inode=%llu", s->fd, (unsigned long long)s->node->ino);
	s->node->opened--;
	s->node = NULL;
	(void)test_agree(x, 0, CALL(x, close, s->fd));
}

void op_close(struct test *x)
{
	struct slot *s = draw_slot(x);

	if (s)
		close_slot(x, s);
}

void test_close_all(struct test *x)
{
	for (int i = 0; i < SLOTS; i++)
		if (x->slots[i].node)
			close_slot(x, &x->slots[i]);
}

/* ---- read, write */

static bool readable(const struct slot *s)
{
	return (s->flags & O_ACCMODE) != O_WRONLY;
}

static bool writable(const struct slot *s)
{
	return (s->flags & O_ACCMODE) != O_RDONLY;
}

static size_t draw_len(struct test *x)
{
	switch (below(x, 8)) {
	case 0:
		return below(x, 20);
	case 1:
	case 2:
		return below(x, 3) * 1024 + below(x, 3) * 4096;
	case 3:
		return below(x, BUFFER_BYTES);
	default:
		return below(x, 6000);
	}
}

static uint64_t draw_pos(struct test *x, const struct node *n)
{
	switch (below(x, 8)) {
	case 0:
		return 0;
	case 1:
	case 2:
		return n->size;
	case 3:
		return n->size + below(x, 20000);
	case 4:
		return chance(x, 10) ? random_u64(&x->random) % x->size_max : below(x, 1 << 16);
	default:
		return n->size ? random_u64(&x->random) % n->size : 0;
	}
}

#define SECTOR 512u

static bool is_direct(const struct slot *s)
{
	return s->flags & O_DIRECT && is_reg(s->node);
}

/*
 * Direct I/O, mostly in sectors. What is not may be refused or done, that follows from where blocks lie; it begins in
 * the middle of a sector, so that what is refused is refused before anything is written.
 */
static void draw_sectors(struct test *x, uint64_t *at, size_t *len)
{
	*at -= *at % SECTOR;
	if (chance(x, 90))
		*len -= *len % SECTOR;
	else
		*at += 1 + below(x, SECTOR - 1);
}

static bool may_be_refused(const struct slot *s, uint64_t at, size_t len)
{
	return is_direct(s) && len && (at | len) % SECTOR;
}

void op_read(struct test *x)
{
	struct slot *s = draw_slot(x);
	size_t len = draw_len(x);
	bool here = chance(x, 50);
	int64_t want, got;
	uint64_t at;

	if (!s)
		return;
	at = here ? s->at : draw_pos(x, s->node);
	if (is_direct(s) && (!here || at % SECTOR)) {
		here = false;
		draw_sectors(x, &at, &len);
	}
	test_say(x, here ? "read" : "pread", "fd=%d inode=%llu %llu %zu", s->fd, (unsigned long long)s->node->ino, (unsigned long long)at, len);
	if (!readable(s))
		want = -EBADF;
	else if (is_dir(s->node))
		want = -EISDIR;
	else
		want = at >= s->node->size ? 0 : (int64_t)(s->node->size - at < len ? s->node->size - at : len);
	got = here ? CALL(x, read, s->fd, x->buf, len) : CALL(x, pread, s->fd, x->buf, len, (int64_t)at);
	if (got == -EINVAL && want >= 0 && may_be_refused(s, at, len))
		want = got;
	if (!test_agree(x, want, got))
		return;
	test_was_read(s->node);
	contents_read(&s->node->contents, at, x->expected, (size_t)got);
	if (memcmp(x->buf, x->expected, (size_t)got))
		test_fail(x, "other bytes");
	if (here)
		s->at += (uint64_t)got;
}

/* A write of `got` bytes was accepted. */
static void wrote(struct node *n, uint64_t at, uint64_t got, uint32_t tag)
{
	contents_write(&n->contents, at, got, tag);
	if (got && at + got > n->size)
		n->size = at + got;
	n->unsynced = true;
}

/* A full disk stopped it half way: the file is emptied, so that we know again what it holds. */
static void start_over(struct test *x, struct slot *s)
{
	int err = CALL(x, ftruncate, s->fd, 0);

	x->full++;
	truncated(x, s->node, 0);
	if (err)
		test_fail(x, "emptying it: %s", strerror(-err));
}

static void draw_direct_write(struct test *x, const struct slot *s, uint64_t *at, size_t *len)
{
	if (s->flags & O_APPEND) {
		*at = s->node->size;
		*len -= *len % SECTOR;
	} else {
		draw_sectors(x, at, len);
	}
}

void op_write(struct test *x)
{
	struct slot *s = draw_slot(x);
	size_t len = draw_len(x);
	bool here = chance(x, 50);
	int64_t want, got;
	uint64_t at;

	if (!s || (is_direct(s) && s->node->flags & FLAG_APPEND)) /* could not start over */
		return;
	at = here ? s->at : draw_pos(x, s->node);
	if (is_direct(s)) {
		here = false;
		draw_direct_write(x, s, &at, &len);
	}
	want = (int64_t)len;
	test_say(x, here ? "write" : "pwrite", "fd=%d inode=%llu %llu %zu", s->fd, (unsigned long long)s->node->ino, (unsigned long long)at, len);
	if (!writable(s))
		want = -EBADF;
	else if (s->node->flags & FLAG_IMMUTABLE)
		want = -EPERM;
	else if (s->flags & O_APPEND)
		contents_pattern(x->buf, s->node->size, len, ++x->tag);
	else
		contents_pattern(x->buf, at, len, ++x->tag);
	got = here ? CALL(x, write, s->fd, x->buf, len) : CALL(x, pwrite, s->fd, x->buf, len, (int64_t)at);
	if (want > 0 && got > 0 && got < want && test_nearly_full(x)) {
		x->full++;
		want = got;
	}
	if (want > 0 && got == -EINVAL && may_be_refused(s, at, len)) {
		want = got;
		test_forget_stamps(s->node); /* they move before it is refused */
	}
	if (want > 0 && got == -ENOSPC && is_direct(s) && test_nearly_full(x)) {
		start_over(x, s);
		return;
	}
	if (!test_agree(x, want, got))
		return;
	if (s->flags & O_APPEND)
		at = s->node->size;
	if (got)
		test_touched(x, s->node);
	wrote(s->node, at, (uint64_t)got, x->tag);
	if (here && got)
		s->at = at + (uint64_t)got;
}

/* ---- position */

/* What is data and what a hole is the file system's choice, but bytes other than zero lie in no hole. */
static void check_seek(struct test *x, struct slot *s, int64_t from, int whence, int64_t got)
{
	const struct node *n = s->node;

	if ((uint64_t)from >= n->size ? got != -ENXIO : got < from && !(whence == SEEK_DATA && got == -ENXIO))
		test_fail(x, "%lld", (long long)got);
	else if (whence == SEEK_DATA && got >= 0 && !contents_empty(&n->contents, (uint64_t)from, (uint64_t)(got - from)))
		test_fail(x, "data begins at %lld, and there is some before", (long long)got);
	else if (whence == SEEK_DATA && got == -ENXIO && (uint64_t)from < n->size &&
		 !contents_empty(&n->contents, (uint64_t)from, n->size - (uint64_t)from))
		test_fail(x, "no data, and there is some");
	else if (whence == SEEK_HOLE && got >= 0 && (uint64_t)got < n->size && !contents_empty(&n->contents, (uint64_t)got, 1))
		test_fail(x, "a hole at %lld, and there is data", (long long)got);
	else if (got >= 0)
		s->at = (uint64_t)got;
}

void op_lseek(struct test *x)
{
	static const int whences[] = { SEEK_SET, SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE };
	struct slot *s = draw_slot(x);
	int whence = whences[below(x, 6)];
	int64_t offset, want, got;

	if (!s || is_dir(s->node))
		return;
	offset = chance(x, 60) ? (int64_t)draw_pos(x, s->node) : (int64_t)below(x, 10000) - 5000;
	test_say(x, "lseek", "fd=%d inode=%llu %lld %d", s->fd, (unsigned long long)s->node->ino, (long long)offset, whence);
	got = CALL(x, lseek, s->fd, offset, whence);
	if (whence == SEEK_DATA || whence == SEEK_HOLE) {
		if (!x->blind_seek)
			check_seek(x, s, offset < 0 ? INT64_MAX : offset, whence, got);
		else if (got >= 0)
			s->at = (uint64_t)got;
		return;
	}
	want = offset + (whence == SEEK_CUR ? (int64_t)s->at : whence == SEEK_END ? (int64_t)s->node->size : 0);
	if (want < 0 || (uint64_t)want > x->size_max)
		want = got < 0 ? -EINVAL : want;
	if (test_agree(x, want, got))
		s->at = (uint64_t)got;
}

/* ---- size */

void op_truncate(struct test *x)
{
	char path[PATH_BYTES];
	struct node *n = NULL;
	uint64_t size;
	int want;

	draw_path(x, path);
	want = walk(&x->tree, path, true, &n);
	size = n ? draw_pos(x, n) : below(x, 10000);
	test_say(x, "truncate", "%s %llu", path, (unsigned long long)size);
	if (!want && is_dir(n))
		want = -EISDIR;
	if (!want && !is_reg(n))
		want = -EINVAL;
	if (!want)
		want = flags_forbid_change(n);
	if (test_agree(x, want, CALL(x, truncate, path, (int64_t)size)))
		truncated(x, n, size);
}

void op_ftruncate(struct test *x)
{
	struct slot *s = draw_slot(x);
	uint64_t size;
	int want = 0;

	if (!s)
		return;
	size = draw_pos(x, s->node);
	test_say(x, "ftruncate", "fd=%d inode=%llu %llu", s->fd, (unsigned long long)s->node->ino, (unsigned long long)size);
	if (!writable(s) || is_dir(s->node))
		want = -EINVAL;
	if (!want)
		want = flags_forbid_change(s->node);
	if (test_agree(x, want, CALL(x, ftruncate, s->fd, (int64_t)size)))
		truncated(x, s->node, size);
}

static int may_fallocate(struct test *x, const struct slot *s, int mode, uint64_t at, uint64_t len)
{
	bool moves = mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE);

	if (!len)
		return -EINVAL;
	if (!writable(s))
		return -EBADF;
	if (s->node->flags & FLAG_IMMUTABLE || (s->node->flags & FLAG_APPEND && mode & ~FALLOC_FL_KEEP_SIZE))
		return -EPERM;
	if (x->block_maps && !(mode & FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	if (moves && (at % x->block_size || len % x->block_size))
		return -EINVAL;
	if (mode == FALLOC_FL_COLLAPSE_RANGE && at + len >= s->node->size)
		return -EINVAL;
	if (mode == FALLOC_FL_INSERT_RANGE && at >= s->node->size)
		return -EINVAL;
	return 0;
}

static void fallocated(struct node *n, int mode, uint64_t at, uint64_t len)
{
	if (mode & FALLOC_FL_COLLAPSE_RANGE) {
		contents_collapse(&n->contents, at, len);
		n->size -= len;
	} else if (mode & FALLOC_FL_INSERT_RANGE) {
		contents_insert(&n->contents, at, len);
		n->size += len;
	} else if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) {
		contents_zero(&n->contents, at, len);
	}
	if (!(mode & (FALLOC_FL_KEEP_SIZE | FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE)) && at + len > n->size)
		n->size = at + len;
	n->unsynced = true;
}

void op_fallocate(struct test *x)
{
	static const int modes[] = { 0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
				     FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_COLLAPSE_RANGE,
				     FALLOC_FL_INSERT_RANGE };
	struct slot *s = draw_slot(x);
	int mode = modes[below(x, 8)], want, got;
	uint64_t at, len;

	if (!s || is_dir(s->node) || (!mode && s->node->flags & FLAG_APPEND)) /* could not start over */
		return;
	at = s->node->size ? random_u64(&x->random) % (s->node->size + s->node->size / 8) : below(x, 50000);
	len = chance(x, 3) ? 0 : 1 + below(x, chance(x, 80) ? 20000 : 400000);
	if (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE) && chance(x, 90)) {
		at -= at % x->block_size;
		len += x->block_size - len % x->block_size;
	}
	test_say(x, "fallocate", "fd=%d inode=%llu mode=%x %llu %llu", s->fd, (unsigned long long)s->node->ino, (unsigned)mode, (unsigned long long)at,
		 (unsigned long long)len);
	want = may_fallocate(x, s, mode, at, len);
	got = CALL(x, fallocate, s->fd, mode, (int64_t)at, (int64_t)len);
	if (want != -EBADF && want != -EPERM && len) /* whatever comes of it */
		test_touched(x, s->node);
	if (!want && got == -ENOSPC && !(s->node->flags & FLAG_APPEND) && test_nearly_full(x))
		start_over(x, s);
	else if (test_agree(x, want, got))
		fallocated(s->node, mode, at, len);
}

/* ---- safe */

void op_fsync(struct test *x)
{
	struct slot *s = draw_slot(x);
	bool data = chance(x, 50);
	int err;

	if (!s)
		return;
	test_say(x, data ? "fdatasync" : "fsync", "fd=%d inode=%llu", s->fd, (unsigned long long)s->node->ino);
	err = data ? CALL(x, fdatasync, s->fd) : CALL(x, fsync, s->fd);
	if (test_agree(x, 0, err))
		s->node->unsynced = false;
}

void op_sync(struct test *x)
{
	test_say(x, "syncfs", "-");
	if (test_agree(x, 0, CALL(x, sync)))
		test_synced(x);
}

void op_fstat(struct test *x)
{
	struct slot *s = draw_slot(x);
	struct extant_stat st;

	if (!s)
		return;
	test_say(x, "fstat", "fd=%d inode=%llu", s->fd, (unsigned long long)s->node->ino);
	if (test_agree(x, 0, CALL(x, fstat, s->fd, &st)))
		test_stat_equals(x, s->node, &st);
}
