/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attributes among the workers of work.h. Of its own files each knows mode and value; the files in
 * common carry one of few values, so that their blocks are shared and unshared all the time, and
 * whoever reads one finds all of its bytes equal. Others than root look in, too.
 */
#include "work.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include "base/compiler.h"
#include "base/errors.h"

#define VALUE_BYTES 300u		/* more than an inode holds */

static const char *path_of(char *buf, size_t size, const struct worker *me, bool own, uint32_t n)
{
	if (own)
		(void)snprintf(buf, size, "/own-%u/file-%u", me->id, n);
	else
		(void)snprintf(buf, size, "/common/file-%u", n);
	return buf;
}

/* An answer that needs no word: the file is not there just now, or the disk is full. */
static bool expected(struct worker *me, bool own, int err)
{
	return err >= 0 || worker_full(me, err) || (!own && (err == -ENOENT || err == -ENODATA));
}

static void set(struct worker *me, bool own, const char *path)
{
	uint8_t value[VALUE_BYTES];
	int err;

	memset(value, 'a' + (int)random_below(&me->random, 3), sizeof(value));
	err = extant_setxattr(me->w->x, path, "user.value", value, sizeof(value), 0);
	if (!expected(me, own, err))
		worker_fail(me, "setxattr of %s: %s", path, strerror(-err));
}

static void get(struct worker *me, bool own, const char *path)
{
	uint8_t value[VALUE_BYTES] = { 0 };
	int n = extant_getxattr(me->w->x, path, "user.value", value, sizeof(value));

	if (n < 0 && n != -ENODATA && !expected(me, own, n))
		worker_fail(me, "getxattr of %s: %s", path, strerror(-n));
	if (n > 0 && (n != VALUE_BYTES || memcmp(value, value + 1, VALUE_BYTES - 1)))
		worker_fail(me, "%s: its attribute is torn", path);
}

static void take_away(struct worker *me, bool own, const char *path)
{
	int err = extant_removexattr(me->w->x, path, "user.value");

	if (err != -ENODATA && !expected(me, own, err))
		worker_fail(me, "removexattr of %s: %s", path, strerror(-err));
}

/* The mode is what it was made: the type stays, and nobody sees half a change. */
static void change_mode(struct worker *me, bool own, const char *path)
{
	uint32_t mode = random_below(&me->random, 2) ? 0644 : 0600;
	struct extant_stat st;
	int err = extant_chmod(me->w->x, path, mode);

	if (!err)
		err = extant_stat(me->w->x, path, &st);
	if (!expected(me, own, err))
		worker_fail(me, "chmod of %s: %s", path, strerror(-err));
	if (!err && own && st.mode != (0100000 | mode))
		worker_fail(me, "%s has mode %o instead of %o", path, st.mode, 0100000 | mode);
}

/* For somebody else, whom the mode lets in or not. */
static void look_in(struct worker *me, const char *path)
{
	struct extant_identity who = { .uid = 1000 + me->id, .gid = 1000 };
	struct extant *other;
	int err = extant_as(me->w->x, &who, &other), fd;

	if (err) {
		worker_fail(me, "extant_as: %s", strerror(-err));
		return;
	}
	fd = extant_open(other, path, O_RDONLY, 0);
	if (fd >= 0)
		(void)extant_close(other, fd); /* nothing was written */
	else if (fd != -EACCES && fd != -ENOENT)
		worker_fail(me, "%s, for another user: %s", path, strerror(-fd));
	extant_as_end(other);
}

void worker_attributes(struct worker *me)
{
	uint32_t n = random_below(&me->random, WORK_FILES), what = random_below(&me->random, 100);
	bool own = random_below(&me->random, 2);
	char buf[64];
	const char *path = path_of(buf, sizeof(buf), me, own, n);

	if (own && !me->files[n].exists)
		return;
	if (what < 35)
		set(me, own, path);
	else if (what < 60)
		get(me, own, path);
	else if (what < 75)
		take_away(me, own, path);
	else if (what < 90)
		change_mode(me, own, path);
	else
		look_in(me, path);
}
