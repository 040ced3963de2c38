/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attributes in one place: entries grow upwards from the front, values downwards from the end.
 *
 *	base                                             base + size
 *	| header | entry entry entry 0000 |   free   | value value value |
 *
 * Both are without gaps: what is taken out is closed. In a block the entries are sorted (by kind,
 * length of the name, name), so that the same attributes make the same bytes whatever order they
 * were set in; in an inode they stand as they came.
 *
 * Works on verified bytes, and changes nothing but them.
 */
#include <string.h>
#include "base/assert.h"
#include "ext4/disk.h"
#include "ext4/xattr_internal.h"

static struct ext4_xattr_entry *entry_at(const struct xattr_room *r, uint32_t offset)
{
	return (void *)(r->base + offset);
}

static uint32_t offset_of(const struct xattr_room *r, const struct ext4_xattr_entry *e)
{
	return (uint32_t)((const uint8_t *)e - r->base);
}

static bool is_end(const struct ext4_xattr_entry *e)
{
	static const uint8_t end[4];

	return !memcmp(e, end, sizeof(end));
}

struct ext4_xattr_entry *xattr_room_first(const struct xattr_room *r)
{
	struct ext4_xattr_entry *e = entry_at(r, r->first);

	return is_end(e) ? NULL : e;
}

struct ext4_xattr_entry *xattr_room_next(const struct xattr_room *r, const struct ext4_xattr_entry *e)
{
	struct ext4_xattr_entry *next = entry_at(r, offset_of(r, e) + ext4_xattr_entry_size(e));

	return is_end(next) ? NULL : next;
}

/* Below 0, 0, above 0: `name` stands before, is, or stands behind the entry. */
static int compare(const struct ext4_xattr_name *name, const struct ext4_xattr_entry *e)
{
	int diff = (int)name->index - (int)e->e_name_index;

	if (!diff)
		diff = (int)name->len - (int)e->e_name_len;
	return diff ? diff : memcmp(name->bytes, e->e_name, name->len);
}

struct ext4_xattr_entry *xattr_room_find(const struct xattr_room *r,
					 const struct ext4_xattr_name *name)
{
	struct ext4_xattr_entry *e = xattr_room_first(r);

	while (e && compare(name, e))
		e = xattr_room_next(r, e);
	return e;
}

bool xattr_room_has_value(const struct xattr_room *r, const struct ext4_xattr_entry *e,
			  const void *value, size_t len)
{
	return le32_get(e->e_value_size) == len &&
	       (!len || !memcmp(xattr_room_value(r, e), value, len));
}

/* ---- room */

/* The offset of the four zeros behind the entries. */
static uint32_t end_of_entries(const struct xattr_room *r)
{
	uint32_t at = r->first;

	while (!is_end(entry_at(r, at)))
		at += ext4_xattr_entry_size(entry_at(r, at));
	return at;
}

/* Where the lowest value begins. */
static uint32_t start_of_values(const struct xattr_room *r)
{
	uint32_t lowest = r->size;

	for (struct ext4_xattr_entry *e = xattr_room_first(r); e; e = xattr_room_next(r, e))
		if (le32_get(e->e_value_size))
			lowest = min(lowest, (uint32_t)le16_get(e->e_value_offs));
	return lowest;
}

static uint32_t padded_size(const struct ext4_xattr_entry *e)
{
	return EXT4_XATTR_ROUND(le32_get(e->e_value_size));
}

/* ---- changes */

static void write_value(struct xattr_room *r, struct ext4_xattr_entry *e, const void *value,
			uint32_t len)
{
	uint8_t *to = xattr_room_value(r, e);

	e->e_value_size = le32_of(len);
	if (len) {
		memcpy(to, value, len);
		memset(to + len, 0, EXT4_XATTR_ROUND(len) - len);
	}
	e->e_hash = le32_of(r->in_block ? ext4_xattr_hash_entry(e, to) : 0);
}

/* The entry's value goes; those below it move up. */
static void drop_value(struct xattr_room *r, struct ext4_xattr_entry *e)
{
	uint32_t lowest = start_of_values(r), size = padded_size(e);
	uint32_t at = le16_get(e->e_value_offs);

	if (!size)
		return;
	memmove(r->base + lowest + size, r->base + lowest, at - lowest);
	memset(r->base + lowest, 0, size);
	for (struct ext4_xattr_entry *o = xattr_room_first(r); o; o = xattr_room_next(r, o)) {
		uint32_t other = le16_get(o->e_value_offs);

		if (le32_get(o->e_value_size) && other < at)
			o->e_value_offs = le16_of((uint16_t)(other + size));
	}
	e->e_value_size = le32_of(0);
	e->e_value_offs = le16_of(0);
}

static struct ext4_xattr_entry *add_entry(struct xattr_room *r, const struct ext4_xattr_name *name)
{
	uint32_t end = end_of_entries(r), at = r->first;
	uint32_t size = EXT4_XATTR_ROUND((uint32_t)(sizeof(struct ext4_xattr_entry) + name->len));
	struct ext4_xattr_entry *e;

	while (at < end && (!r->in_block || compare(name, entry_at(r, at)) > 0))
		at += ext4_xattr_entry_size(entry_at(r, at));
	e = entry_at(r, at);
	memmove(r->base + at + size, e, end + 4 - at);
	memset(e, 0, size);
	e->e_name_index = name->index;
	e->e_name_len = (uint8_t)name->len;
	memcpy(e->e_name, name->bytes, name->len);
	return e;
}

int xattr_room_put(struct xattr_room *r, const struct ext4_xattr_name *name, const void *value,
		   size_t len)
{
	struct ext4_xattr_entry *e = xattr_room_find(r, name);
	size_t padded = EXT4_XATTR_ROUND(len), old = e ? padded_size(e) : 0;
	size_t entry = e ? 0 : EXT4_XATTR_ROUND(sizeof(*e) + name->len);
	uint32_t lowest = start_of_values(r);

	if (lowest - end_of_entries(r) - 4 + old < entry + padded)
		return -ENOSPC;
	if (!e)
		e = add_entry(r, name);
	if (padded != old) {
		drop_value(r, e);
		lowest += (uint32_t)old;
		if (len)
			e->e_value_offs = le16_of((uint16_t)(lowest - padded));
	}
	write_value(r, e, value, (uint32_t)len);
	return 0;
}

void xattr_room_take_out(struct xattr_room *r, struct ext4_xattr_entry *e)
{
	uint32_t at = offset_of(r, e), size = ext4_xattr_entry_size(e), end;

	drop_value(r, e);
	end = end_of_entries(r) + 4;
	memmove(e, r->base + at + size, end - at - size);
	memset(r->base + end - size, 0, size);
}
