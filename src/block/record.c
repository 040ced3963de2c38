/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeps what happened to a device, in an order that says what was stable when:
 *
 *   a write, discard or mark stands where it returned
 *   a flush stands where it was called
 *
 * so that everything before a flush had returned before the flush was called, and is stable from
 * there on. What was written while the flush was under way stands behind it: it may or may not be.
 * A write that begins with a flush is one entry; only when something else returned while it was
 * under way, it is two, a flush and a write.
 *
 * Memory for an entry is taken before the call goes on: what happened below is always recorded.
 */
#include "block/record.h"

#include <string.h>
#include "base/assert.h"
#include "base/errors.h"
#include "base/sync.h"
#include "block/filter.h"
#include "block/iov.h"

struct record_device {
	struct block_filter filter;
	struct mutex lock;
	struct block_record_entry **entries GUARDED_BY(lock);
	size_t count GUARDED_BY(lock);
	size_t reserved GUARDED_BY(lock);	/* places promised to calls under way */
	size_t capacity GUARDED_BY(lock);	/* >= count + reserved */
};

static const struct block_ops record_ops;

static struct record_device *record_of(const struct block_device *d)
{
	ensure(d->ops == &record_ops);
	return (struct record_device *)(uintptr_t)d;
}

/* A call under way. */
struct call {
	struct block_record_entry *entry;
	struct block_record_entry *flush;	/* that it begins with; NULL: it does not */
	const struct block_record_entry *last;	/* the last entry when it began; NULL: none */
};

static const struct block_record_entry flush_form = { .kind = RECORD_FLUSH };

/* The bytes of an entry lie behind it. */
static uint8_t *entry_data(struct block_record_entry *e)
{
	return (uint8_t *)(e + 1);
}

static struct block_record_entry *entry_new(struct arena *a, const struct block_record_entry *form,
					    size_t data_bytes)
{
	struct block_record_entry *e = arena_alloc(a, sizeof(*e) + data_bytes);

	if (!e)
		return NULL;
	*e = *form;
	e->data = data_bytes ? entry_data(e) : NULL;
	return e;
}

/* Promises two places, and remembers where the recording ends now. 0 or -ENOMEM. */
static int reserve(struct record_device *r, struct call *c)
{
	guard(&r->lock);
	if (r->count + r->reserved + 2 > r->capacity) {
		size_t capacity = r->capacity ? 2 * r->capacity : 64;
		void *grown = arena_realloc(r->filter.dev.arena, r->entries,
					    capacity * sizeof(*r->entries));

		if (!grown)
			return -ENOMEM;
		r->entries = grown;
		r->capacity = capacity;
	}
	r->reserved += 2;
	c->last = r->count ? r->entries[r->count - 1] : NULL;
	return 0;
}

static void call_free(struct record_device *r, struct call *c)
{
	arena_free(r->filter.dev.arena, c->entry);
	arena_free(r->filter.dev.arena, c->flush);
}

/* A call begins; its entry has room for `data_bytes`. 0 or -ENOMEM. */
static int call_begin(struct record_device *r, const struct block_record_entry *form,
		      size_t data_bytes, struct call *c)
{
	struct arena *a = r->filter.dev.arena;
	bool flushes = form->flags & BLOCK_PREFLUSH;

	c->entry = entry_new(a, form, data_bytes);
	c->flush = flushes ? entry_new(a, &flush_form, 0) : NULL;
	if (c->entry && (c->flush || !flushes) && !reserve(r, c))
		return 0;
	call_free(r, c);
	return -ENOMEM;
}

static void insert(struct record_device *r, size_t at, struct block_record_entry *e)
	REQUIRES(r->lock)
{
	memmove(&r->entries[at + 1], &r->entries[at], (r->count - at) * sizeof(*r->entries));
	r->entries[at] = e;
	r->count++;
}

/* The place right behind where the recording ended when the call began. */
static size_t place_at_begin(const struct record_device *r, const struct call *c) REQUIRES(r->lock)
{
	size_t i = r->count;

	while (i && r->entries[i - 1] != c->last)
		i--;
	ensure(i || !c->last);
	return i;
}

/* The entries of a call that succeeded get their places. */
static void settle(struct record_device *r, struct call *c) REQUIRES(r->lock)
{
	size_t at = place_at_begin(r, c);

	if (c->entry->kind == RECORD_FLUSH) {
		insert(r, at, c->entry);
		return;
	}
	if (c->flush && at < r->count) {
		c->entry->flags &= ~BLOCK_PREFLUSH;
		insert(r, at, c->flush);
		c->flush = NULL;
	}
	insert(r, r->count, c->entry);
}

/* The call has returned `err`, which is passed on; what failed is not kept. */
static int call_end(struct record_device *r, struct call *c, int err)
{
	guard(&r->lock);
	r->reserved -= 2;
	if (!err) {
		settle(r, c);
		c->entry = NULL;
	}
	call_free(r, c);
	return err;
}

static int record_write(struct block_device *d, const struct block_io *io)
{
	struct record_device *r = record_of(d);
	const struct block_record_entry form = {
		.kind = RECORD_WRITE,
		.flags = io->flags & RECORD_FLAGS,
		.offset = io->offset,
		.len = iov_bytes(io->iov, io->iov_count),
	};
	struct iov_cursor from = iov_begin(io->iov);
	struct call c;
	int err = call_begin(r, &form, form.len, &c);

	if (err)
		return err;
	iov_gather(&from, entry_data(c.entry), form.len);
	return call_end(r, &c, filter_write(d, io));
}

static int record_flush(struct block_device *d)
{
	struct record_device *r = record_of(d);
	struct call c;
	int err = call_begin(r, &flush_form, 0, &c);

	return err ? err : call_end(r, &c, filter_flush(d));
}

static int record_discard(struct block_device *d, uint64_t offset, uint64_t len)
{
	struct record_device *r = record_of(d);
	const struct block_record_entry form = {
		.kind = RECORD_DISCARD, .offset = offset, .len = len};
	struct call c;
	int err = call_begin(r, &form, 0, &c);

	return err ? err : call_end(r, &c, filter_discard(d, offset, len));
}

/* The last one closes it. */
static void free_entries(struct record_device *r) UNCHECKED_LOCKING
{
	struct arena *a = r->filter.dev.arena;

	for (size_t i = 0; i < r->count; i++)
		arena_free(a, r->entries[i]);
	arena_free(a, r->entries);
	mutex_fini(&r->lock);
}

static void record_close(struct block_device *d)
{
	free_entries(record_of(d));
	filter_close(d);
}

void record_abandon(struct block_device *rec)
{
	struct record_device *r = record_of(rec);

	free_entries(r);
	arena_free(rec->arena, r);
}

static const struct block_ops record_ops = {
	.read = filter_read,
	.write = record_write,
	.flush = record_flush,
	.discard = record_discard,
	.close = record_close,
};

int block_record_create(struct arena *a, struct block_device *lower, struct block_device **out)
{
	struct record_device *r = filter_alloc(a, sizeof(*r), &record_ops, lower);

	if (!r)
		return -ENOMEM;
	mutex_init(&r->lock, RANK_DEVICE);
	*out = &r->filter.dev;
	return 0;
}

int record_append(struct block_device *rec, const struct block_record_entry *form,
		  size_t data_bytes, void **data)
{
	struct record_device *r = record_of(rec);
	struct call c;
	int err = call_begin(r, form, data_bytes, &c);

	if (err)
		return err;
	*data = entry_data(c.entry);
	return call_end(r, &c, 0);
}

int block_record_mark(struct block_device *rec, const char *text)
{
	struct record_device *r = record_of(rec);
	const struct block_record_entry form = { .kind = RECORD_MARK, .len = strlen(text) };
	struct call c;
	int err = call_begin(r, &form, form.len + 1, &c);

	if (err)
		return err;
	memcpy(entry_data(c.entry), text, form.len + 1);
	return call_end(r, &c, 0);
}

size_t block_record_count(const struct block_device *rec)
{
	struct record_device *r = record_of(rec);

	guard(&r->lock);
	return r->count;
}

const struct block_record_entry *block_record_get(const struct block_device *rec, size_t i)
{
	struct record_device *r = record_of(rec);

	guard(&r->lock);
	ensure(i < r->count);
	return r->entries[i];
}
