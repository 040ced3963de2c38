/* SPDX-License-Identifier: BSD-2-Clause */
/* The workers of work.h. */
#include "work.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/compiler.h"
#include "base/errors.h"

void worker_fail(struct worker *me, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (atomic_fetch_add(&me->w->failures, 1) < 5)
		fprintf(stderr, "worker %u: %s\n", me->id, text);
	atomic_store(&me->w->stop, true);
}

/* ---- contents */

uint64_t work_stamp(uint32_t owner, uint32_t file, uint64_t lblk)
{
	return (((uint64_t)owner << 40 | (uint64_t)file << 32 | lblk) + 1) * 0x9e3779b97f4a7c15ull | 1;
}

static void stamp(uint8_t *buf, uint32_t owner, uint32_t file, uint64_t lblk, size_t blocks)
{
	for (size_t b = 0; b < blocks; b++) {
		uint64_t s = work_stamp(owner, file, lblk + b);

		for (size_t i = 0; i < WORK_BLOCK_BYTES; i += sizeof(s))
			memcpy(buf + b * WORK_BLOCK_BYTES + i, &s, sizeof(s));
	}
}

/* The first `stamped` bytes of a block are its stamps, the rest is zero. */
static bool block_is(const uint8_t *p, size_t len, uint64_t s, size_t stamped)
{
	for (size_t i = 0; i < len; i += sizeof(s)) {
		uint64_t word;

		memcpy(&word, p + i, sizeof(word));
		if (word != (i < stamped ? s : 0))
			return false;
	}
	return true;
}

static bool words_are(const uint8_t *p, size_t len, uint64_t s)
{
	for (size_t i = 0; i + sizeof(s) <= len; i += sizeof(s)) {
		uint64_t word;

		memcpy(&word, p + i, sizeof(word));
		if (word && word != s)
			return false;
	}
	return true;
}

/* ---- names */

static const char *path_of(char *buf, size_t size, uint32_t owner, uint32_t file)
{
	if (owner == WORK_COMMON)
		(void)snprintf(buf, size, "/common/file-%u", file);
	else
		(void)snprintf(buf, size, "/own-%u/file-%u", owner, file);
	return buf;
}
#define PATH(owner, file) path_of((char[64]){ 0 }, 64, (owner), (file))

bool worker_full(struct worker *me, int64_t err)
{
	if (err != -ENOSPC)
		return false;
	atomic_fetch_add(&me->w->full, 1);
	return true;
}

/* ---- files of its own */

static int open_own(struct worker *me, uint32_t n, int flags)
{
	struct work_file *f = &me->files[n];
	int fd = extant_open(me->w->x, PATH(me->id, n), flags, 0644);

	if (fd >= 0 && !f->exists) {
		if (!(flags & O_CREAT))
			worker_fail(me, "file-%u was unlinked and opens", n);
		*f = (struct work_file){ .exists = true };
	} else if (fd < 0 && !worker_full(me, fd) && (fd != -ENOENT || f->exists || flags & O_CREAT)) {
		worker_fail(me, "open of file-%u: %s", n, strerror(-fd));
	}
	return fd;
}

static void close_file(struct worker *me, int fd)
{
	int err = extant_close(me->w->x, fd);

	if (err)
		worker_fail(me, "close: %s", strerror(-err));
}

/* What a write of `n` bytes from block `lblk` on did to the file as we know it. */
static void note_write(struct work_file *f, uint64_t lblk, uint64_t n)
{
	uint64_t end = lblk * WORK_BLOCK_BYTES + n;

	for (uint64_t b = lblk; n; b++) {
		uint64_t part = min(n, (uint64_t)WORK_BLOCK_BYTES);

		f->stamped[b] = (uint8_t)max((uint64_t)f->stamped[b], part / 512);
		n -= part;
	}
	f->size = max(f->size, end);
}

/* A part of all reads and writes goes past the cache. */
static int draw_direct(struct worker *me)
{
	return random_below(&me->random, 100) < WORK_DIRECT_PERCENT ? O_DIRECT : 0;
}

static void unlink_own(struct worker *me, uint32_t n)
{
	struct work_file *f = &me->files[n];
	int err = extant_unlink(me->w->x, PATH(me->id, n));

	if (err && worker_full(me, err))
		return;
	if (err != (f->exists ? 0 : -ENOENT))
		worker_fail(me, "unlink of file-%u: %s", n, strerror(-err));
	*f = (struct work_file){ 0 };
}

static void write_own(struct worker *me, uint32_t n, int fd)
{
	uint64_t lblk = random_below(&me->random, WORK_BLOCKS - 4);
	size_t blocks = 1 + random_below(&me->random, 4);
	int64_t ret;

	stamp(me->buf, me->id, n, lblk, blocks);
	ret = extant_pwrite(me->w->x, fd, me->buf, blocks * WORK_BLOCK_BYTES, (int64_t)(lblk * WORK_BLOCK_BYTES));
	if (ret > 0)
		note_write(&me->files[n], lblk, (uint64_t)ret);
	else if (!worker_full(me, ret))
		worker_fail(me, "write to file-%u: %s", n, strerror(-(int)ret));
	else if (extant_file_flags(me->w->x, fd) & O_DIRECT)
		unlink_own(me, n); /* any part of it may have been written */
}

static void truncate_own(struct worker *me, uint32_t n, int fd)
{
	struct work_file *f = &me->files[n];
	uint64_t size = random_below(&me->random, WORK_BLOCKS * WORK_SECTORS) * 512ull;
	int err = extant_ftruncate(me->w->x, fd, (int64_t)size);

	if (err) {
		if (!worker_full(me, err))
			worker_fail(me, "truncate of file-%u: %s", n, strerror(-err));
		return;
	}
	f->size = size;
	for (uint64_t b = size / WORK_BLOCK_BYTES; b < WORK_BLOCKS; b++)
		if (b > size / WORK_BLOCK_BYTES)
			f->stamped[b] = 0;
		else if (f->stamped[b] > size % WORK_BLOCK_BYTES / 512)
			f->stamped[b] = (uint8_t)(size % WORK_BLOCK_BYTES / 512);
}

static void read_own(struct worker *me, uint32_t n, int fd, uint64_t lblk)
{
	const struct work_file *f = &me->files[n];
	uint64_t pos = lblk * WORK_BLOCK_BYTES;
	size_t expected = pos < f->size ? (size_t)min(f->size - pos, (uint64_t)4 * WORK_BLOCK_BYTES) : 0;
	int64_t ret = extant_pread(me->w->x, fd, me->buf, (size_t)4 * WORK_BLOCK_BYTES, (int64_t)pos);

	if (ret != (int64_t)expected) {
		worker_fail(me, "read of file-%u at %llu: %lld instead of %zu", n, (unsigned long long)pos, (long long)ret,
		     expected);
		return;
	}
	for (size_t at = 0; at < expected; at += WORK_BLOCK_BYTES, lblk++)
		if (!block_is(me->buf + at, min(expected - at, (size_t)WORK_BLOCK_BYTES),
			      work_stamp(me->id, n, lblk), f->stamped[lblk] * 512u))
			worker_fail(me, "file-%u: block %llu is not what was written", n, (unsigned long long)lblk);
}

static void fsync_file(struct worker *me, int fd)
{
	int err = random_below(&me->random, 2) ? extant_fsync(me->w->x, fd) : extant_fdatasync(me->w->x, fd);

	if (err)
		worker_fail(me, "fsync: %s", strerror(-err));
}

static void stat_own(struct worker *me, uint32_t n)
{
	const struct work_file *f = &me->files[n];
	struct extant_stat st;
	int err = extant_stat(me->w->x, PATH(me->id, n), &st);

	if (err != (f->exists ? 0 : -ENOENT))
		worker_fail(me, "stat of file-%u: %s", n, err ? strerror(-err) : "it was unlinked");
	else if (!err && st.size != f->size)
		worker_fail(me, "file-%u has %llu bytes instead of %llu", n, (unsigned long long)st.size,
		     (unsigned long long)f->size);
}

static void use_own(struct worker *me, uint32_t n, uint32_t what)
{
	bool creates = what < 40;
	int fd = open_own(me, n, O_RDWR | (creates ? O_CREAT : 0) | draw_direct(me));

	if (fd < 0)
		return;
	if (what < 40)
		write_own(me, n, fd);
	else if (what < 50)
		truncate_own(me, n, fd);
	else
		read_own(me, n, fd, random_below(&me->random, WORK_BLOCKS - 4));
	if (random_below(&me->random, 100) < me->fsync_percent)
		fsync_file(me, fd);
	close_file(me, fd);
}

/* ---- what all have in common: whatever happens to it, words are stamps or zero */

static void use_common(struct worker *me, uint32_t n, uint32_t what)
{
	int fd = extant_open(me->w->x, PATH(WORK_COMMON, n), O_RDWR | (what < 40 ? O_CREAT : 0) | draw_direct(me), 0644);
	uint64_t lblk = random_below(&me->random, WORK_BLOCKS - 4);
	int64_t pos = (int64_t)(lblk * WORK_BLOCK_BYTES), ret = 0;

	if (fd < 0) {
		if (!worker_full(me, fd) && (fd != -ENOENT || what < 40))
			worker_fail(me, "open of common file-%u: %s", n, strerror(-fd));
		return;
	}
	if (what < 40) {
		stamp(me->buf, WORK_COMMON, n, lblk, 2);
		ret = extant_pwrite(me->w->x, fd, me->buf, (size_t)2 * WORK_BLOCK_BYTES, pos);
	} else if (what < 50) {
		ret = extant_ftruncate(me->w->x, fd, pos + 512 * random_below(&me->random, 8));
	} else {
		ret = extant_pread(me->w->x, fd, me->buf, (size_t)2 * WORK_BLOCK_BYTES, pos);
		for (int64_t at = 0; at < ret; at += WORK_BLOCK_BYTES, lblk++)
			if (!words_are(me->buf + at, (size_t)min(ret - at, (int64_t)WORK_BLOCK_BYTES),
				       work_stamp(WORK_COMMON, n, lblk)))
				worker_fail(me, "common file-%u: block %llu has strange bytes", n, (unsigned long long)lblk);
	}
	if (ret < 0 && !worker_full(me, ret))
		worker_fail(me, "common file-%u: %s", n, strerror(-(int)ret));
	if (random_below(&me->random, 100) < me->fsync_percent)
		fsync_file(me, fd);
	close_file(me, fd);
}

static void unlink_common(struct worker *me, uint32_t n)
{
	int err = extant_unlink(me->w->x, PATH(WORK_COMMON, n));

	if (err && err != -ENOENT && !worker_full(me, err))
		worker_fail(me, "unlink of common file-%u: %s", n, strerror(-err));
}

/* ---- directories */

struct listing {
	struct worker *me;
	bool own;
	uint32_t seen;			/* bit n: file-n */
};

static int one_entry(void *arg, const struct extant_dirent *d)
{
	struct listing *l = arg;
	unsigned n;

	if (!strcmp(d->name, ".") || !strcmp(d->name, ".."))
		return 0;
	if (sscanf(d->name, "file-%u", &n) != 1 || n >= WORK_FILES)
		worker_fail(l->me, "a name that nobody made: %s", d->name);
	else if (l->own && l->seen & 1u << n)
		worker_fail(l->me, "%s is listed twice", d->name);
	else
		l->seen |= 1u << n;
	return 0;
}

static void list(struct worker *me, bool own)
{
	struct listing l = { me, own, 0 };
	char path[64] = "/common";
	uint32_t expected = 0;
	int fd, err;

	if (own)
		(void)snprintf(path, sizeof(path), "/own-%u", me->id);
	fd = extant_open(me->w->x, path, O_RDONLY | O_DIRECTORY, 0);
	err = fd < 0 ? fd : extant_readdir(me->w->x, fd, one_entry, &l);
	if (err)
		worker_fail(me, "listing of %s: %s", path, strerror(-err));
	for (uint32_t n = 0; n < WORK_FILES; n++)
		expected |= (uint32_t)me->files[n].exists << n;
	if (own && !err && l.seen != expected)
		worker_fail(me, "%s lists %x instead of %x", path, l.seen, expected);
	if (fd >= 0)
		close_file(me, fd);
}

/* ---- a worker */

static void step(struct worker *me)
{
	uint32_t what = random_below(&me->random, 100), n = random_below(&me->random, WORK_FILES);
	bool own = random_below(&me->random, 100) < 65;

	if (random_below(&me->random, 1000) < WORK_WHOLE_PER_MILLE)
		worker_whole(me);
	else if (random_below(&me->random, 100) < WORK_NAMES_PERCENT)
		worker_names(me);
	else if (random_below(&me->random, 100) < WORK_PAGES_PERCENT)
		worker_pages(me);
	else if (random_below(&me->random, 100) < WORK_ATTRIBUTES_PERCENT)
		worker_attributes(me);
	else if (what >= 94)
		list(me, own);
	else if (what >= 80 && what < 87)
		own ? unlink_own(me, n) : unlink_common(me, n);
	else if (what >= 87)
		stat_own(me, n);
	else
		own ? use_own(me, n, what) : use_common(me, n, what);
}

struct worker *workers_alloc(size_t count)
{
	struct worker *w = aligned_alloc(_Alignof(struct worker), count * sizeof(*w));

	return w ? memset(w, 0, count * sizeof(*w)) : NULL;
}

int work_prepare(struct extant *x)
{
	int err = extant_mkdir(x, "/common", 0755);

	return err ? err : worker_names_prepare(x);
}

void worker_init(struct worker *me, struct work *w, uint32_t id, uint64_t seed, uint64_t operations,
		 uint32_t fsync_percent)
{
	char path[64];
	int err;

	*me = (struct worker){ .w = w, .id = id, .operations = operations, .fsync_percent = fsync_percent };
	random_init_seed(&me->random, seed * 1000 + id);
	(void)snprintf(path, sizeof(path), "/own-%u", id);
	err = extant_mkdir(w->x, path, 0755);
	if (err)
		worker_fail(me, "mkdir %s: %s", path, strerror(-err));
}

void worker_run(struct worker *me)
{
	for (uint64_t i = 0; i < me->operations && !atomic_load(&me->w->stop); i++) {
		step(me);
		worker_pages_go_on(me, false);
		atomic_fetch_add(&me->w->operations, 1);
	}
	worker_pages_go_on(me, true);
}

void worker_verify(struct worker *me)
{
	worker_names_verify(me);
	for (uint32_t n = 0; n < WORK_FILES; n++) {
		int fd;

		stat_own(me, n);
		if (!me->files[n].exists)
			continue;
		fd = open_own(me, n, O_RDONLY);
		for (uint64_t b = 0; fd >= 0 && b < WORK_BLOCKS; b += 4)
			read_own(me, n, fd, b);
		if (fd >= 0)
			close_file(me, fd);
	}
}
