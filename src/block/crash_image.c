/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A crash state as a device: two layers of copy on write over the base.
 *
 *	top		the pieces of this state, and what is written to it afterwards
 *	stable		the entries before state.stable, whole
 *	base
 *
 * The stable layer only grows while states are built in order, so a state costs its own pieces;
 * going back costs a new beginning.
 *
 * The hash is a sum over sectors that differ from the base of hash(new) - hash(old), kept up with
 * each piece. It depends on the contents alone.
 */
#include "block/crash.h"

#include <string.h>
#include "base/assert.h"
#include "base/errors.h"
#include "base/hash.h"
#include "block/record.h"

#define PART_BYTES ((size_t)16 << 10)	/* that are hashed at a time */

struct layer {
	struct block_device *dev;	/* a cow */
	uint64_t hash;
};

struct seen {				/* an open-addressing table of hashes; 0: free */
	uint64_t *slots;
	size_t capacity;		/* 0, or a power of two of which at most half is used */
	size_t count;
};

struct crash_image {
	struct arena *arena;
	const struct block_device *rec;
	struct block_device *base;
	struct layer stable, top;
	size_t applied;			/* entries that are in the stable layer */
	size_t marks;			/* of the state that was built */
	struct seen seen;
	uint8_t part[PART_BYTES];
};

/* ---- layers */

/* Four words at a time, so that no product waits for the one before it. */
static uint64_t sector_hash(uint64_t sector, const uint8_t *p)
{
	uint64_t seed = hash_u64(sector), words[4];
	uint64_t lanes[4] = { seed, ~seed, seed ^ 0xe7037ed1a0b428db, seed ^ 0x8ebc6af09c88c6e3 };

	for (size_t i = 0; i < BLOCK_SECTOR_BYTES; i += sizeof(words)) {
		memcpy(words, p + i, sizeof(words));
		for (unsigned lane = 0; lane < 4; lane++)
			lanes[lane] = hash_fold(lanes[lane] ^ words[lane], 0xa0761d6478bd642f);
	}
	return hash_pair(hash_pair(lanes[0], lanes[1]), hash_pair(lanes[2], lanes[3]));
}

/* What the sectors of a part add to the hash once `now` has replaced `old`. */
static uint64_t hash_change(uint64_t pos, const uint8_t *old, const uint8_t *now, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i += BLOCK_SECTOR_BYTES) {
		uint64_t sector = (pos + i) / BLOCK_SECTOR_BYTES;

		if (memcmp(old + i, now + i, BLOCK_SECTOR_BYTES))
			sum += sector_hash(sector, now + i) - sector_hash(sector, old + i);
	}
	return sum;
}

/* What is there before the part is written, and after it. */
static int apply_part(struct crash_image *img, struct layer *l, size_t entry, uint64_t from,
		      uint64_t to)
{
	const struct block_record_entry *e = block_record_get(img->rec, entry);
	static const uint8_t zeros[PART_BYTES];
	const uint8_t *now = e->kind == RECORD_WRITE ? e->data + from : zeros;
	int err = block_read(l->dev, e->offset + from, img->part, to - from);

	if (err)
		return err;
	err = block_replay_part(img->rec, entry, from, to, l->dev);
	if (!err)
		l->hash += hash_change(e->offset + from, img->part, now, to - from);
	return err;
}

static int apply(struct crash_image *img, struct layer *l, const struct crash_piece *piece)
{
	int err = 0;

	for (uint64_t from = piece->from; from < piece->to && !err; from += PART_BYTES)
		err = apply_part(img, l, piece->entry, from, min(from + PART_BYTES, piece->to));
	return err;
}

static void restart(struct crash_image *img)
{
	block_cow_reset(img->stable.dev);
	img->stable.hash = 0;
	img->applied = 0;
}

/* The stable layer has the first `count` entries. */
static int grow_stable(struct crash_image *img, size_t count)
{
	int err = 0;

	if (img->applied > count)
		restart(img);
	while (img->applied < count && !err) {
		const struct block_record_entry *e = block_record_get(img->rec, img->applied);
		const struct crash_piece whole = { .entry = img->applied, .to = e->len };

		if (record_is_change(e))
			err = apply(img, &img->stable, &whole);
		if (!err)
			img->applied++;
	}
	if (err)
		restart(img);
	return err;
}

int crash_image_build(struct crash_image *img, const struct crash_state *s)
{
	int err;

	block_cow_reset(img->top.dev);
	err = grow_stable(img, s->stable);
	img->top.hash = img->stable.hash;
	img->marks = s->marks;
	for (size_t i = 0; i < s->piece_count && !err; i++)
		err = apply(img, &img->top, &s->pieces[i]);
	return err;
}

struct block_device *crash_image_device(struct crash_image *img)
{
	return img->top.dev;
}

uint64_t crash_image_hash(const struct crash_image *img)
{
	return img->top.hash;
}

/* Two layers over a share of the base, so that they can be closed without it. */
static int make_layers(struct crash_image *img)
{
	struct block_device *share;
	int err = block_share_create(img->arena, img->base, &share);

	if (err)
		return err;
	err = block_cow_create(img->arena, share, &img->stable.dev);
	if (err) {
		block_close(share);
		return err;
	}
	err = block_cow_create(img->arena, img->stable.dev, &img->top.dev);
	if (err)
		block_close(img->stable.dev);
	return err;
}

int crash_image_create(struct arena *a, const struct crash_plan *p, struct block_device *base,
		       struct crash_image **out)
{
	struct crash_image *img = arena_new(a, struct crash_image);
	int err;

	if (!img)
		return -ENOMEM;
	img->arena = a;
	img->rec = crash_plan_recording(p);
	img->base = base;
	ensure(base->size_bytes >= img->rec->size_bytes);
	err = make_layers(img);
	if (err)
		arena_free(a, img);
	else
		*out = img;
	return err;
}

void crash_image_destroy(struct crash_image *img)
{
	if (!img)
		return;
	block_close(img->top.dev);
	block_close(img->base);
	arena_free(img->arena, img->seen.slots);
	arena_free(img->arena, img);
}

/* ---- states seen before */

/* The slot of a key, or the free one where it belongs. */
static uint64_t *seen_slot(struct seen *seen, uint64_t key)
{
	size_t i = hash_u64(key) & (seen->capacity - 1);

	while (seen->slots[i] && seen->slots[i] != key)
		i = (i + 1) & (seen->capacity - 1);
	return &seen->slots[i];
}

static int seen_grow(struct seen *seen, struct arena *a)
{
	struct seen grown = { .capacity = seen->capacity ? 2 * seen->capacity : 256 };

	grown.slots = arena_zalloc(a, grown.capacity * sizeof(*grown.slots));
	if (!grown.slots)
		return -ENOMEM;
	for (size_t i = 0; i < seen->capacity; i++)
		if (seen->slots[i])
			*seen_slot(&grown, seen->slots[i]) = seen->slots[i];
	grown.count = seen->count;
	arena_free(a, seen->slots);
	*seen = grown;
	return 0;
}

int crash_image_is_new(struct crash_image *img)
{
	struct seen *seen = &img->seen;
	uint64_t key = hash_pair(img->top.hash, img->marks), *slot;
	int err = 0;

	if (2 * seen->count >= seen->capacity)
		err = seen_grow(seen, img->arena);
	if (err)
		return err;
	key += !key;			/* 0 says that a slot is free */
	slot = seen_slot(seen, key);
	if (*slot)
		return 0;
	*slot = key;
	seen->count++;
	return 1;
}
