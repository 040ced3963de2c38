/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names under way: what the workers of work.h do to them.
 *
 *	tokens      files of one worker's own that go from one directory to another: it knows where each is, so every
 *	            look-up has one right answer, whoever renames beside it
 *	/mv/current replaced again and again by a rename: there is always one, and it is whole
 *	dir-N       directories that all move, nest, exchange and remove: whatever happens, it is one of the errors
 *	            that can be, the directories' locks are taken in an order, and the tree stays one
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/compiler.h"
#include "work.h"

#define PATH(...) path_in((char[96]){ 0 }, __VA_ARGS__)

__attribute__((format(printf, 2, 3))) static const char *path_in(char *buf, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(buf, 96, fmt, ap);
	va_end(ap);
	return buf;
}

static uint32_t below(struct worker *me, uint32_t n)
{
	return (uint32_t)random_below(&me->random, n);
}

/* An answer that the work must be ready for; else the worker fails. */
static bool expected(struct worker *me, const char *what, int64_t err, const int *errors)
{
	if (err >= 0 || worker_full(me, err))
		return err >= 0;
	for (; *errors; errors++)
		if (err == -*errors)
			return false;
	worker_fail(me, "%s: %s", what, strerror(-(int)err));
	return false;
}

static const int none[] = { 0 };

/* ---- tokens */

static const char *token(char *buf, const struct worker *me, uint32_t n, uint32_t at)
{
	(void)snprintf(buf, 96, "/mv/%u/token-%u-%u", at, me->id, n);
	return buf;
}
#define TOKEN(n, at) token((char[96]){ 0 }, me, (n), (at))

static void look_for_token(struct worker *me, uint32_t n)
{
	for (uint32_t at = 0; at < WORK_DIRS; at++) {
		bool is_there = me->token_at[n] == at + 1;
		struct extant_stat st;
		int err = extant_lstat(me->w->x, TOKEN(n, at), &st);

		if (err != (is_there ? 0 : -ENOENT))
			worker_fail(me, "token %u in directory %u: %s", n, at, err ? strerror(-err) : "it is gone from there");
		else if (!err && st.ino != me->token_ino[n])
			worker_fail(me, "token %u is another file", n);
	}
}

static void make_token(struct worker *me, uint32_t n, uint32_t at)
{
	struct extant_stat st = { 0 };
	int err = below(me, 2) ? extant_mknod(me->w->x, TOKEN(n, at), 0010600, 0, 0)
			       : extant_symlink(me->w->x, "target", TOKEN(n, at));

	if (!expected(me, "a token", err, none))
		return;
	me->token_at[n] = (uint8_t)(at + 1);
	if (extant_lstat(me->w->x, TOKEN(n, at), &st))
		worker_fail(me, "token %u was made and is not there", n);
	me->token_ino[n] = st.ino;
}

static void exchange_tokens(struct worker *me, uint32_t n, uint32_t m)
{
	uint64_t ino = me->token_ino[n];
	int err = extant_rename(me->w->x, TOKEN(n, me->token_at[n] - 1u), TOKEN(m, me->token_at[m] - 1u),
				EXTANT_RENAME_EXCHANGE);

	if (!expected(me, "exchange of tokens", err, none))
		return;
	me->token_ino[n] = me->token_ino[m];
	me->token_ino[m] = ino;
}

static void move_token(struct worker *me, uint32_t n, uint32_t to)
{
	uint32_t at = me->token_at[n] - 1u;
	int err = extant_rename(me->w->x, TOKEN(n, at), TOKEN(n, to), 0);

	if (expected(me, "rename of a token", err, none))
		me->token_at[n] = (uint8_t)(to + 1);
}

static void use_token(struct worker *me)
{
	uint32_t n = below(me, WORK_TOKENS), m = below(me, WORK_TOKENS), what = below(me, 10);

	if (!me->token_at[n])
		make_token(me, n, below(me, WORK_DIRS));
	else if (what == 0 && expected(me, "unlink of a token", extant_unlink(me->w->x, TOKEN(n, me->token_at[n] - 1u)), none))
		me->token_at[n] = 0;
	else if (what < 3 && n != m && me->token_at[m])
		exchange_tokens(me, n, m);
	else if (what < 8 && me->token_at[n])
		move_token(me, n, below(me, WORK_DIRS));
	look_for_token(me, n);
}

/* ---- what is replaced */

#define CURRENT_WORDS 128

static int write_current(struct worker *me, const char *path)
{
	uint32_t words[CURRENT_WORDS];
	int fd = extant_open(me->w->x, path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
	int64_t n;

	if (fd < 0)
		return fd;
	for (size_t i = 0; i < CURRENT_WORDS; i++)
		words[i] = me->id;
	n = extant_write(me->w->x, fd, words, sizeof(words));
	(void)extant_close(me->w->x, fd);
	return n < 0 ? (int)n : n == sizeof(words) ? 0 : -ENOSPC;
}

static void replace_current(struct worker *me)
{
	const char *mine = PATH("/mv/new-%u", me->id);

	if (expected(me, "a new current file", write_current(me, mine), none))
		(void)expected(me, "replacing the current file", extant_rename(me->w->x, mine, "/mv/current", 0), none);
}

static void read_current(struct worker *me)
{
	uint32_t words[CURRENT_WORDS];
	int fd = extant_open(me->w->x, "/mv/current", O_RDONLY, 0);
	int64_t n;

	if (fd < 0) {
		worker_fail(me, "the current file: %s", strerror(-fd));
		return;
	}
	n = extant_read(me->w->x, fd, words, sizeof(words));
	(void)extant_close(me->w->x, fd);
	if (n != (int64_t)sizeof(words)) {
		worker_fail(me, "the current file has %lld bytes", (long long)n);
		return;
	}
	for (size_t i = 1; i < CURRENT_WORDS; i++)
		if (words[i] != words[0])
			worker_fail(me, "the current file is of two workers");
}

/* ---- directories that move */

static const char *moving(char *buf, struct worker *me)
{
	uint32_t at = below(me, WORK_DIRS), n = below(me, 3), m = below(me, 3);

	if (below(me, 3))
		(void)snprintf(buf, 96, "/mv/%u/dir-%u", at, n);
	else
		(void)snprintf(buf, 96, "/mv/%u/dir-%u/dir-%u", at, n, m);
	return buf;
}
#define MOVING moving((char[96]){ 0 }, me)

static void move_directory(struct worker *me)
{
	static const int may[] = { ENOENT, EEXIST, ENOTEMPTY, EINVAL, 0 };
	static const unsigned flags[] = { 0, 0, EXTANT_RENAME_NOREPLACE, EXTANT_RENAME_EXCHANGE };
	const char *old = MOVING, *new = MOVING;

	(void)expected(me, "rename of a directory", extant_rename(me->w->x, old, new, flags[below(me, 4)]), may);
}

static void change_directory(struct worker *me)
{
	static const int may[] = { ENOENT, EEXIST, ENOTEMPTY, 0 };
	const char *path = MOVING;

	if (below(me, 3))
		(void)expected(me, "mkdir", extant_mkdir(me->w->x, path, 0755), may);
	else
		(void)expected(me, "rmdir", extant_rmdir(me->w->x, path), may);
}

static void use_directory(struct worker *me)
{
	static const int may[] = { ENOENT, 0 };
	char path[128];
	struct extant_stat st;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", MOVING, below(me, 2) ? "f" : "..");
	if (!expected(me, "stat below a directory that moves", extant_stat(me->w->x, path, &st), may) && below(me, 2)) {
		(void)snprintf(path, sizeof(path), "%s/f", MOVING);
		fd = extant_open(me->w->x, path, O_CREAT | O_WRONLY, 0644);
		if (expected(me, "a file in a directory that moves", fd, may))
			(void)extant_close(me->w->x, fd);
	}
	(void)snprintf(path, sizeof(path), "%s/f", MOVING);
	if (below(me, 2))
		(void)expected(me, "unlink in a directory that moves", extant_unlink(me->w->x, path), may);
}

/* ---- listings */

struct tokens_seen {
	struct worker *me;
	uint32_t seen[WORK_TOKENS];
};

static int one_token(void *arg, const struct extant_dirent *d)
{
	struct tokens_seen *t = arg;
	unsigned id, n;

	if (sscanf(d->name, "token-%u-%u", &id, &n) == 2 && id == t->me->id && n < WORK_TOKENS)
		t->seen[n]++;
	return 0;
}

static void list_tokens(struct worker *me, uint32_t at)
{
	struct tokens_seen t = { .me = me };
	int fd = extant_open(me->w->x, PATH("/mv/%u", at), O_RDONLY | O_DIRECTORY, 0);
	int err = fd < 0 ? fd : extant_readdir(me->w->x, fd, one_token, &t);

	if (err)
		worker_fail(me, "listing of directory %u: %s", at, strerror(-err));
	for (uint32_t n = 0; n < WORK_TOKENS && !err; n++)
		if (t.seen[n] != (me->token_at[n] == at + 1))
			worker_fail(me, "directory %u lists token %u %u times", at, n, t.seen[n]);
	if (fd >= 0)
		(void)extant_close(me->w->x, fd);
}

/* ---- */

void worker_names(struct worker *me)
{
	uint32_t what = below(me, 100);

	if (what < 40)
		use_token(me);
	else if (what < 48)
		replace_current(me);
	else if (what < 60)
		read_current(me);
	else if (what < 75)
		move_directory(me);
	else if (what < 83)
		change_directory(me);
	else if (what < 94)
		use_directory(me);
	else
		list_tokens(me, below(me, WORK_DIRS));
}

int worker_names_prepare(struct extant *x)
{
	struct work w = { .x = x };
	struct worker nobody = { .w = &w };
	int err = extant_mkdir(x, "/mv", 0755);

	for (uint32_t at = 0; at < WORK_DIRS && !err; at++)
		err = extant_mkdir(x, PATH("/mv/%u", at), 0755);
	return err ? err : write_current(&nobody, "/mv/current");
}

void worker_names_verify(struct worker *me)
{
	for (uint32_t n = 0; n < WORK_TOKENS; n++)
		look_for_token(me, n);
	for (uint32_t at = 0; at < WORK_DIRS; at++)
		list_tokens(me, at);
	read_current(me);
}
