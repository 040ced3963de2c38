/* SPDX-License-Identifier: BSD-2-Clause */
/* The runs of contents.h. */
#include "contents.h"

#include <stdlib.h>
#include <string.h>

static uint64_t word(uint64_t index, uint32_t tag)
{
	uint64_t x = (index + 1) * 0x9e3779b97f4a7c15ull ^ (uint64_t)tag * 0xc2b2ae3d27d4eb4full;

	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ull;
	return x ^ x >> 32;
}

void contents_pattern(uint8_t *buf, uint64_t at, size_t len, uint32_t tag)
{
	size_t done = 0;

	while (done < len) {
		uint64_t w = word((at + done) / 8, tag);
		size_t skip = (at + done) % 8, n = 8 - skip < len - done ? 8 - skip : len - done;

		memcpy(buf + done, (uint8_t *)&w + skip, n);
		done += n;
	}
}

void contents_free(struct contents *c)
{
	free(c->runs);
	*c = (struct contents){ 0 };
}

static uint64_t end_of(const struct run *r)
{
	return r->start + r->len;
}

/* The first run that ends behind `at`. */
static uint32_t run_at(const struct contents *c, uint64_t at)
{
	uint32_t low = 0, high = c->count;

	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (end_of(&c->runs[mid]) <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void put_run(struct contents *c, uint32_t i, struct run r)
{
	if (c->count == c->room) {
		c->room = c->room ? c->room * 2 : 8;
		c->runs = realloc(c->runs, c->room * sizeof(r));
		if (!c->runs)
			abort();
	}
	memmove(&c->runs[i + 1], &c->runs[i], (c->count - i) * sizeof(r));
	c->runs[i] = r;
	c->count++;
}

/* No run goes over `at` any more. */
static void split(struct contents *c, uint64_t at)
{
	uint32_t i = run_at(c, at);
	struct run tail;
	uint64_t head;

	if (i == c->count || c->runs[i].start >= at)
		return;
	head = at - c->runs[i].start;
	tail = c->runs[i];
	c->runs[i].len = head;
	tail.start += head;
	tail.base += head;
	tail.len -= head;
	put_run(c, i + 1, tail);
}

void contents_zero(struct contents *c, uint64_t at, uint64_t len)
{
	uint64_t end = len > UINT64_MAX - at ? UINT64_MAX : at + len;
	uint32_t first, last;

	split(c, at);
	split(c, end);
	first = run_at(c, at);
	for (last = first; last < c->count && c->runs[last].start < end; last++)
		;
	if (last == first)
		return;
	memmove(&c->runs[first], &c->runs[last], (c->count - last) * sizeof(*c->runs));
	c->count -= last - first;
}

static void add(struct contents *c, struct run r)
{
	contents_zero(c, r.start, r.len);
	put_run(c, run_at(c, r.start), r);
}

void contents_write(struct contents *c, uint64_t at, uint64_t len, uint32_t tag)
{
	if (len)
		add(c, (struct run){ at, len, at, tag });
}

void contents_collapse(struct contents *c, uint64_t at, uint64_t len)
{
	contents_zero(c, at, len);
	for (uint32_t i = run_at(c, at); i < c->count; i++)
		c->runs[i].start -= len;
}

void contents_insert(struct contents *c, uint64_t at, uint64_t len)
{
	split(c, at);
	for (uint32_t i = run_at(c, at); i < c->count; i++)
		c->runs[i].start += len;
}

void contents_copy(struct contents *c, uint64_t at, const struct contents *from, uint64_t src, uint64_t len)
{
	struct contents part = { 0 };

	for (uint32_t i = run_at(from, src); i < from->count && from->runs[i].start < src + len; i++) {
		struct run r = from->runs[i];
		uint64_t skip = r.start < src ? src - r.start : 0;

		r.start += skip;
		r.base += skip;
		r.len -= skip;
		if (end_of(&r) > src + len)
			r.len = src + len - r.start;
		r.start = r.start - src + at;
		put_run(&part, part.count, r);
	}
	contents_zero(c, at, len);
	for (uint32_t i = 0; i < part.count; i++)
		add(c, part.runs[i]);
	contents_free(&part);
}

void contents_read(const struct contents *c, uint64_t at, uint8_t *buf, size_t len)
{
	memset(buf, 0, len);
	for (uint32_t i = run_at(c, at); i < c->count && c->runs[i].start < at + len; i++) {
		const struct run *r = &c->runs[i];
		uint64_t from = r->start > at ? r->start : at;
		uint64_t to = end_of(r) < at + len ? end_of(r) : at + len;

		contents_pattern(buf + (from - at), r->base + (from - r->start), (size_t)(to - from), r->tag);
	}
}

bool contents_empty(const struct contents *c, uint64_t at, uint64_t len)
{
	uint32_t i = run_at(c, at);

	return !len || i == c->count || c->runs[i].start >= at + len;
}
