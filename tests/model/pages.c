/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages handed out, or mapped: looked at, and stored into while the file is written, read and made
 * stable by calls. What is stored is the file's at once, and stays when the page is given back.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include "test.h"

#define CALL(x, name, ...) ((x)->target->calls->name((x)->target, ##__VA_ARGS__))
#define PAGE 4096u			/* at most what lies in one of this size, on either target */

static uint64_t behind_end(const struct test *x, const struct node *n)
{
	uint64_t psize = x->block_size > PAGE ? x->block_size : PAGE;

	return (n->size + psize - 1) / psize * psize;
}

/* Inside the file; or in pages behind it. */
static void draw_range(struct test *x, const struct node *n, uint64_t *at, size_t *len)
{
	*at = n->size && !chance(x, 5) ? random_u64(&x->random) % n->size : behind_end(x, n) + below(x, 9000);
	*len = 1 + below(x, PAGE);
	if (*at < n->size && *len > n->size - *at)
		*len = (size_t)(n->size - *at);
	if (*len > PAGE - *at % PAGE)
		*len = (size_t)(PAGE - *at % PAGE);
}

static int64_t may_get(const struct test *x, const struct slot *s, uint64_t at, size_t len, bool store)
{
	int access = s->flags & O_ACCMODE;

	if (access == O_WRONLY || (store && (access != O_RDWR || s->node->flags & FLAG_APPEND)))
		return -EACCES;
	if (is_dir(s->node))
		return -ENODEV;
	if (store && s->node->flags & FLAG_IMMUTABLE)
		return -EPERM;
	return at >= behind_end(x, s->node) ? -EFAULT : (int64_t)len;
}

static void same(struct test *x, const struct node *n, uint64_t at, const uint8_t *bytes, size_t len, const char *where)
{
	contents_read(&n->contents, at, x->expected, len);
	if (memcmp(bytes, x->expected, len))
		test_fail(x, "other bytes %s", where);
}

/* Handed out; a full disk may come after the times have moved. */
static bool get(struct test *x, struct slot *s, uint64_t at, size_t len, bool for_stores, struct target_page *page)
{
	int64_t want = may_get(x, s, at, len, for_stores), got;

	got = CALL(x, page_get, s->fd, (int64_t)at, len, for_stores, page);
	test_was_read(s->node);
	if (got == -ENOSPC)
		test_forget_times(x);
	if (!test_agree(x, want, got))
		return false;
	same(x, s->node, at, page->data, len, "handed out");
	return true;
}

/* A part of the page is stored into. */
static void store(struct test *x, struct node *n, uint64_t at, uint8_t *data, size_t len)
{
	size_t from = below(x, (uint32_t)len), count = 1 + below(x, (uint32_t)(len - from));

	contents_pattern(data + from, at + from, count, ++x->tag);
	contents_write(&n->contents, at + from, count, x->tag);
	n->unsynced = true;
}

static void read_back(struct test *x, struct slot *s, uint64_t at, size_t len)
{
	int64_t got;

	if (s->flags & O_DIRECT) /* only sectors */
		return;
	got = CALL(x, pread, s->fd, x->buf, len, (int64_t)at);
	if (got != (int64_t)len)
		test_fail(x, "read %lld beside the page", (long long)got);
	else
		same(x, s->node, at, x->buf, len, "read beside the page");
}

/* A write of somebody else into a part of the page. Its blocks are there: no full disk is in its way. */
static void write_beside(struct test *x, struct slot *s, uint64_t at, size_t len)
{
	int64_t got;

	if (s->flags & (O_APPEND | O_DIRECT))
		return;
	contents_pattern(x->buf, at, len, ++x->tag);
	got = CALL(x, pwrite, s->fd, x->buf, len, (int64_t)at);
	s->node->unsynced = true;
	if (got == (int64_t)len)
		contents_write(&s->node->contents, at, len, x->tag);
	else if (!test_nearly_full(x))
		test_fail(x, "wrote %lld beside the page", (long long)got);
}

static void make_stable(struct test *x, struct slot *s, uint64_t at, size_t len)
{
	int err = 0;

	switch (below(x, 4)) {
	case 0:
		err = CALL(x, fsync, s->fd);
		s->node->unsynced &= x->copies;
		break;
	case 1:
		err = CALL(x, msync, s->fd, (int64_t)at, (int64_t)len, MS_SYNC);
		break;
	case 2:
		err = CALL(x, msync, s->fd, (int64_t)at, (int64_t)len, MS_ASYNC);
		break;
	default:
		break;
	}
	if (err)
		test_fail(x, "made stable beside the page: %s", strerror(-err));
}

/* While the page is out. A copy (journaled data) is the file's only when it is given back. */
static void use_page(struct test *x, struct slot *s, uint64_t at, uint8_t *data, size_t len)
{
	for (uint32_t steps = 1 + below(x, 5); steps && !x->failed; steps--) {
		store(x, s->node, at, data, len);
		make_stable(x, s, at, len);
		if (x->copies)
			continue;
		if (chance(x, 30))
			write_beside(x, s, at, 1 + below(x, (uint32_t)len));
		read_back(x, s, at, len);
		same(x, s->node, at, data, len, "in the page");
	}
}

void op_page_store(struct test *x)
{
	struct slot *s = draw_slot(x);
	struct target_page page;
	uint64_t at;
	size_t len;
	int err;

	if (!s)
		return;
	draw_range(x, s->node, &at, &len);
	test_say(x, "page_store", "fd=%d inode=%llu %llu %zu", s->fd, (unsigned long long)s->node->ino, (unsigned long long)at, len);
	if (!get(x, s, at, len, true, &page))
		return;
	use_page(x, s, at, page.data, len);
	err = CALL(x, page_put, &page, true);
	if (err)
		test_fail(x, "given back: %s", strerror(-err));
	read_back(x, s, at, len);
	test_touched(x, s->node);
}

void op_page_load(struct test *x)
{
	struct slot *s = draw_slot(x);
	struct target_page page;
	uint64_t at;
	size_t len;

	if (!s)
		return;
	draw_range(x, s->node, &at, &len);
	test_say(x, "page_load", "fd=%d inode=%llu %llu %zu", s->fd, (unsigned long long)s->node->ino, (unsigned long long)at, len);
	if (!get(x, s, at, len, false, &page))
		return;
	if (CALL(x, page_put, &page, false))
		test_fail(x, "given back");
}
