/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages among the workers of work.h. In a page of its own file a worker stores while write-back goes on, and knows
 * every byte afterwards. A page of a common file it keeps over some of its other operations, and stores into it now and
 * then; others cut that file, write past the cache, or have the same page: then stores may be lost, and that is told.
 *
 * Stores and write-back are not in anybody's order; so they are hidden from the thread sanitizer.
 */
#include "work.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include "base/compiler.h"
#include "base/errors.h"
#include "base/seq.h"

#define KEEP_STEPS 4			/* a page is kept over so many operations at most */

racy_reader static void store_words(void *data, uint64_t word, size_t bytes)
{
	volatile uint64_t *to = data;

	for (size_t i = 0; i < bytes / sizeof(word); i++)
		to[i] = word;
}

/* The first `stamped` bytes are the word, the rest is zero; or, stamped SIZE_MAX: each may be either. */
racy_reader static bool words_are(const void *data, uint64_t word, size_t stamped)
{
	const volatile uint64_t *from = data;

	for (size_t i = 0; i < WORK_BLOCK_BYTES / sizeof(word); i++) {
		uint64_t got = from[i];

		if (stamped == SIZE_MAX ? got && got != word : got != (i * sizeof(word) < stamped ? word : 0))
			return false;
	}
	return true;
}

/* The file ended, was not there, the disk is full, or so much is out already: answers like any other. */
static bool expected(struct worker *me, bool own, int64_t err)
{
	return err >= 0 || worker_full(me, err) || err == -ENOMEM || (!own && (err == -EFAULT || err == -ESTALE));
}

static int64_t get(struct worker *me, bool own, int fd, uint64_t lblk, int flags, struct extant_page **page, void **data)
{
	int64_t n = extant_page_get(me->w->x, fd, (int64_t)(lblk * WORK_BLOCK_BYTES), WORK_BLOCK_BYTES, flags, page, data);

	if (!expected(me, own, n) || (n >= 0 && n != WORK_BLOCK_BYTES))
		worker_fail(me, "a page of a file: %s", n < 0 ? strerror((int)-n) : "it is short");
	return n;
}

static void put(struct worker *me, bool own, struct extant_page *page, bool dirty)
{
	int err = extant_page_put(me->w->x, page, dirty);

	if (!expected(me, own, err))
		worker_fail(me, "a page given back: %s", strerror(-err));
}

/* ---- its own */

/* More of the block gets its stamp, as far as the file goes. */
static void store_more(struct worker *me, struct work_file *f, uint64_t lblk, uint64_t word, void *data)
{
	uint64_t in_file = min((f->size - lblk * WORK_BLOCK_BYTES) / 512, (uint64_t)WORK_SECTORS);
	uint64_t sectors = random_below(&me->random, (uint32_t)in_file + 1);

	store_words(data, word, sectors * 512);
	f->stamped[lblk] = (uint8_t)max((uint64_t)f->stamped[lblk], sectors);
}

static void use_own(struct worker *me, uint32_t n, int fd)
{
	struct work_file *f = &me->files[n];
	uint64_t lblk = random_below(&me->random, (uint32_t)((f->size + WORK_BLOCK_BYTES - 1) / WORK_BLOCK_BYTES));
	uint64_t word = work_stamp(me->id, n, lblk);
	bool stores = random_below(&me->random, 3);
	struct extant_page *page;
	void *data;
	int err = 0;

	if (get(me, true, fd, lblk, stores ? EXTANT_PAGE_WRITE : 0, &page, &data) < 0)
		return;
	for (int i = 0; stores && i < 3; i++) {
		store_more(me, f, lblk, word, data);
		if (!random_below(&me->random, 3))
			err = extant_msync(me->w->x, fd, (int64_t)(lblk * WORK_BLOCK_BYTES), 1, MS_SYNC);
		if (err)
			worker_fail(me, "msync of file-%u: %s", n, strerror(-err));
	}
	if (!words_are(data, word, f->stamped[lblk] * 512u))
		worker_fail(me, "file-%u: the page of block %llu is not what was stored", n, (unsigned long long)lblk);
	put(me, true, page, stores);
}

/* ---- of a common file */

static void keep(struct worker *me, uint32_t n, int fd)
{
	uint64_t lblk = random_below(&me->random, WORK_BLOCKS - 4);

	me->kept_word = work_stamp(WORK_COMMON, n, lblk);
	if (get(me, false, fd, lblk, EXTANT_PAGE_WRITE, &me->kept, &me->kept_data) < 0)
		me->kept = NULL;
	me->kept_steps = 1 + random_below(&me->random, KEEP_STEPS);
}

void worker_pages_go_on(struct worker *me, bool ends)
{
	if (!me->kept)
		return;
	if (!words_are(me->kept_data, me->kept_word, SIZE_MAX))
		worker_fail(me, "a page that was kept has strange bytes");
	if (random_below(&me->random, 2))
		store_words(me->kept_data, me->kept_word, 512 * random_below(&me->random, WORK_SECTORS + 1));
	if (--me->kept_steps && !ends)
		return;
	put(me, false, me->kept, true);
	me->kept = NULL;
}

void worker_pages(struct worker *me)
{
	uint32_t n = random_below(&me->random, WORK_FILES);
	bool own = random_below(&me->random, 4) || me->kept;
	char path[64];
	int fd, err;

	if (own && (!me->files[n].exists || !me->files[n].size))
		return;
	if (own)
		(void)snprintf(path, sizeof(path), "/own-%u/file-%u", me->id, n);
	else
		(void)snprintf(path, sizeof(path), "/common/file-%u", n);
	fd = extant_open(me->w->x, path, O_RDWR, 0);
	if (fd < 0) {
		if (own || fd != -ENOENT)
			worker_fail(me, "open of %s: %s", path, strerror(-fd));
		return;
	}
	own ? use_own(me, n, fd) : keep(me, n, fd);
	err = extant_close(me->w->x, fd);
	if (err)
		worker_fail(me, "close of %s: %s", path, strerror(-err));
}
