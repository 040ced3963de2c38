/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arena: pieces with a header.
 *
 *	| owner | size | state | bytes for the caller ...
 *
 * A small piece's owner is the slab it was cut from: some KiB of the C library's memory, all pieces
 * of one size class. Slabs of a class start small and double, so that a mount that needs three
 * extents costs little and one that needs a million makes few slabs: of a class with many, in a
 * large arena, each is a chunk. A slab with nothing in use goes back unless it is the last of its
 * class with room.
 *
 * The state tells a live piece from a freed one: a second free is found, not suffered.
 */
#include "base/alloc.h"
#include "base/alloc_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

enum piece_state { PIECE_SMALL = 0x5a11f00d, PIECE_LARGE = 0x1a46f00d, PIECE_FREE = 0xf4eed00d };

struct header {
	void *owner;			/* of small pieces the slab, of large ones struct large */
	uint32_t size;			/* that was asked for */
	uint32_t state;
};
_Static_assert(sizeof(struct header) == 16, "pieces are aligned to 16 bytes");

struct free_piece {
	struct header header;
	struct free_piece *next;
};

struct slab {
	struct list in_shard;
	struct list with_room;		/* empty: no room */
	struct shard *home;
	struct stretch *stretch;	/* it is a chunk of; NULL: the C library's */
	struct free_piece *free;	/* freed pieces */
	char *fresh, *end;		/* what was never used */
	uint32_t used;
	uint32_t size_class;
	size_t bytes;			/* CHUNK_BYTES: a chunk */
	char pad[8];			/* to a multiple of 16 */
};
_Static_assert(sizeof(struct slab) % 16 == 0, "pieces are aligned to 16 bytes");

#define SMALL_MAX          4096 /* header included */
#define SLAB_FIRST_BYTES   1024
#define SLAB_DOUBLINGS_MAX 5u
#define SLAB_PIECES_MIN    4
#define SLABS_FEW	   64u /* a class with more gets chunks */

/* ---- size classes */

/* Classes 0 to 6 are 32 to 128 bytes in steps of 16; then four to each power of two. */
static uint32_t class_of(size_t bytes)
{
	unsigned int log;

	if (bytes <= 128)
		return bytes <= 32 ? 0 : (uint32_t)((bytes - 17) / 16);
	log = 63 - (unsigned int)__builtin_clzll(bytes - 1);
	return 7 + (log - 7) * 4 + (uint32_t)((bytes - 1 - ((size_t)1 << log)) >> (log - 2));
}

static size_t class_bytes(uint32_t size_class)
{
	uint32_t step;

	if (size_class < 7)
		return 32 + (size_t)size_class * 16;
	step = size_class - 7;
	return (size_t)(5 + step % 4) << (step / 4 + 5);
}

/* ---- shards */

static void room_init(struct room *rooms, size_t count)
{
	for (size_t i = 0; i < count; i++)
		list_init(&rooms[i].with_room);
}

static void shard_init(struct shard *s, const pthread_mutexattr_t *attr)
{
	pthread_mutex_init(&s->lock, attr);
	list_init(&s->slabs);
	list_init(&s->regions);
	list_init(&s->large);
	list_init(&s->stretches);
	list_init(&s->stretches_with_room);
	room_init(s->classes, SIZE_CLASS_COUNT);
	room_init(s->orders, BLOCK_ORDER_COUNT);
	room_init(s->sided, BLOCK_ORDER_COUNT);
}

/*
 * Thread identities are addresses far apart; a product spreads their middle bits over the top ones.
 */
struct shard *shard_lock_mine(struct arena *a)
{
	uint64_t identity = (uint64_t)pthread_self() >> 6;
	struct shard *s = &a->shards[(identity * 0x9e3779b97f4a7c15) >> 62];

	_Static_assert(SHARD_COUNT == 4, "two bits choose the shard");
	shard_lock(s);
	return s;
}

bool arena_fails_now(struct arena *a)
{
	uint64_t left = atomic_load_explicit(&a->fail_countdown, memory_order_relaxed);

	while (left != UINT64_MAX)
		if (atomic_compare_exchange_weak(&a->fail_countdown, &left,
						 left ? left - 1 : UINT64_MAX))
			return left == 0;
	return false;
}

/* ---- small pieces */

static size_t slab_bytes(const struct room *room, uint32_t size_class)
{
	size_t bytes = (size_t)SLAB_FIRST_BYTES << min(room->count, SLAB_DOUBLINGS_MAX);

	return max(bytes, sizeof(struct slab) + SLAB_PIECES_MIN * class_bytes(size_class));
}

static struct slab *slab_create(struct shard *s, uint32_t size_class)
{
	struct room *room = &s->classes[size_class];
	bool is_chunk = room->count >= SLABS_FEW && shard_is_large(s);
	size_t bytes = is_chunk ? CHUNK_BYTES : slab_bytes(room, size_class);
	struct stretch *stretch = NULL;
	struct slab *slab = is_chunk ? chunk_alloc(s, true, &stretch) : malloc(bytes);

	if (!slab)
		return NULL;
	*slab = (struct slab){
		.home = s,
		.stretch = stretch,
		.size_class = size_class,
		.bytes = bytes,
	};
	slab->fresh = (char *)(slab + 1);
	slab->end = (char *)slab + bytes;
	list_add_head(&s->slabs, &slab->in_shard);
	list_add_head(&room->with_room, &slab->with_room);
	room->count++;
	if (!is_chunk)
		shard_add_footprint(s, bytes);
	return slab;
}

static void slab_destroy(struct slab *slab)
{
	struct shard *s = slab->home;

	list_remove(&slab->in_shard);
	list_remove(&slab->with_room);
	s->classes[slab->size_class].count--;
	if (slab->bytes == CHUNK_BYTES) {
		chunk_free(s, slab, slab->stretch);
		return;
	}
	shard_add_footprint(s, -slab->bytes);
	free(slab);
}

static bool slab_has_room(const struct slab *slab)
{
	return slab->free || slab->end - slab->fresh >= (ptrdiff_t)class_bytes(slab->size_class);
}

static struct header *slab_take(struct slab *slab)
{
	struct header *h;

	if (slab->free) {
		h = &slab->free->header;
		slab->free = slab->free->next;
	} else {
		h = (struct header *)slab->fresh;
		slab->fresh += class_bytes(slab->size_class);
	}
	slab->used++;
	if (!slab_has_room(slab))
		list_remove(&slab->with_room);
	return h;
}

static void slab_give_back(struct slab *slab, struct header *h)
{
	struct room *room = &slab->home->classes[slab->size_class];
	struct free_piece *piece = (struct free_piece *)h;

	if (!slab_has_room(slab))
		list_add_head(&room->with_room, &slab->with_room);
	piece->next = slab->free;
	slab->free = piece;
	slab->used--;
	if (slab->used == 0 && room->with_room.next != room->with_room.prev)
		slab_destroy(slab);
}

static struct header *small_alloc(struct arena *a, size_t size)
{
	uint32_t size_class = class_of(size + sizeof(struct header));
	struct shard *s = shard_lock_mine(a);
	struct slab *slab = list_first(&s->classes[size_class].with_room, struct slab, with_room);
	struct header *h = NULL;

	if (!slab)
		slab = slab_create(s, size_class);
	if (slab) {
		h = slab_take(slab);
		*h = (struct header){ .owner = slab, .size = (uint32_t)size, .state = PIECE_SMALL };
		shard_add_bytes(s, size);
		shard_count_allocation(s);
	}
	shard_unlock(s);
	return h;
}

static void small_free(struct header *h)
{
	struct slab *slab = h->owner;
	struct shard *s = slab->home;

	shard_lock(s);
	shard_add_bytes(s, -(size_t)h->size);
	h->state = PIECE_FREE;
	slab_give_back(slab, h);
	shard_unlock(s);
}

/* ---- large pieces */

void large_link(struct arena *a, struct large *self)
{
	struct shard *s = shard_lock_mine(a);

	self->home = s;
	list_add_head(&s->large, &self->in_shard);
	shard_add_bytes(s, self->size);
	shard_add_footprint(s, self->footprint);
	shard_count_allocation(s);
	shard_unlock(s);
}

void large_unlink(struct large *self)
{
	struct shard *s = self->home;

	shard_lock(s);
	list_remove(&self->in_shard);
	shard_add_bytes(s, -self->size);
	shard_add_footprint(s, -self->footprint);
	shard_unlock(s);
}

struct large_piece {
	struct large large;
	struct header header;
};
_Static_assert(sizeof(struct large_piece) % 16 == 0, "pieces are aligned to 16 bytes");

static struct header *large_alloc(struct arena *a, size_t size)
{
	struct large_piece *piece = malloc(sizeof(*piece) + size);

	if (!piece)
		return NULL;
	piece->large =
		(struct large){ .start = piece, .size = size, .footprint = sizeof(*piece) + size };
	piece->header = (struct header){ .owner = &piece->large,
					 .size = (uint32_t)size,
					 .state = PIECE_LARGE };
	large_link(a, &piece->large);
	return &piece->header;
}

static void large_free(struct header *h)
{
	struct large *large = h->owner;

	h->state = PIECE_FREE;
	large_unlink(large);
	free(large->start);
}

/* ---- the public functions */

struct arena *arena_create(void)
{
	struct arena *a = aligned_alloc(_Alignof(struct arena), sizeof(*a));
	pthread_mutexattr_t attr;

	if (!a)
		return NULL;
	memset(a, 0, sizeof(*a));
	atomic_store(&a->fail_countdown, UINT64_MAX);
	/* Sections are short: a thread that meets another one waits awake at first. */
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
	for (size_t i = 0; i < SHARD_COUNT; i++)
		shard_init(&a->shards[i], &attr);
	pthread_mutexattr_destroy(&attr);
	return a;
}

static void shard_fini(struct shard *s)
{
	struct slab *slab, *next_slab;
	struct large *large, *next_large;

	list_for_each_safe(slab, next_slab, &s->slabs, in_shard)
		if (!slab->stretch)
			free(slab);
	list_for_each_safe(large, next_large, &s->large, in_shard)
		free(large->start);
	shard_drop_regions(s);
	shard_drop_stretches(s);
	pthread_mutex_destroy(&s->lock);
}

void arena_destroy(struct arena *a)
{
	if (!a)
		return;
	if (!atomic_load(&a->leaks_expected) && arena_bytes(a) != 0) {
		/*
		 * The address sanitizer knows who allocated what is left and reports it if we do
		 * not free it.
		 */
		if (ARENA_PASSES_THROUGH) {
			free(a);
			return;
		}
		ensure_slow(!"memory was left in an arena");
	}
	for (size_t i = 0; i < SHARD_COUNT; i++)
		shard_fini(&a->shards[i]);
	free(a);
}

void arena_expect_leaks(struct arena *a)
{
	atomic_store(&a->leaks_expected, true);
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct header *h;

	if (arena_fails_now(a) || size > UINT32_MAX)
		return NULL;
	if (ARENA_PASSES_THROUGH || size > SMALL_MAX - sizeof(struct header))
		h = large_alloc(a, size);
	else
		h = small_alloc(a, size);
	return h ? h + 1 : NULL;
}

void *arena_zalloc(struct arena *a, size_t size)
{
	void *p = arena_alloc(a, size);

	return p ? memset(p, 0, size) : NULL;
}

static struct header *live_header(void *p)
{
	struct header *h = (struct header *)p - 1;

	ensure(h->state == PIECE_SMALL || h->state == PIECE_LARGE);
	return h;
}

/* Whether the piece can be of that size where it is. */
static bool fits_in_place(const struct header *h, size_t size)
{
	const size_t total = size + sizeof(*h);

	return h->state == PIECE_SMALL && total <= SMALL_MAX &&
	       class_of(total) == ((const struct slab *)h->owner)->size_class;
}

static void resize_in_place(struct header *h, size_t size)
{
	struct shard *s = ((struct slab *)h->owner)->home;

	shard_lock(s);
	shard_add_bytes(s, size - h->size);
	h->size = (uint32_t)size;
	shard_count_allocation(s);
	shard_unlock(s);
}

void *arena_realloc(struct arena *a, void *p, size_t size)
{
	struct header *h;
	void *moved;

	if (!p)
		return arena_alloc(a, size);
	h = live_header(p);
	if (fits_in_place(h, size)) {
		if (arena_fails_now(a))
			return NULL;
		resize_in_place(h, size);
		return p;
	}
	moved = arena_alloc(a, size);
	if (!moved)
		return NULL;
	memcpy(moved, p, min(size, (size_t)h->size));
	arena_free(a, p);
	return moved;
}

char *arena_strdup(struct arena *a, const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy = arena_alloc(a, size);

	return copy ? memcpy(copy, s, size) : NULL;
}

void arena_free(struct arena *a, void *p)
{
	struct header *h;

	if (!p)
		return;
	h = live_header(p);
	if (h->state == PIECE_SMALL)
		small_free(h);
	else
		large_free(h);
}

int arena_note_elsewhere(struct arena *a)
{
	struct shard *s;

	if (arena_fails_now(a))
		return -ENOMEM;
	s = shard_lock_mine(a);
	shard_count_allocation(s);
	shard_unlock(s);
	return 0;
}

size_t arena_bytes(const struct arena *a)
{
	size_t sum = 0;

	for (size_t i = 0; i < SHARD_COUNT; i++)
		sum += atomic_load_explicit(&a->shards[i].bytes, memory_order_relaxed);
	return sum;
}

uint64_t arena_allocations(const struct arena *a)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < SHARD_COUNT; i++)
		sum += atomic_load_explicit(&a->shards[i].allocations, memory_order_relaxed);
	return sum;
}

size_t arena_footprint(const struct arena *a)
{
	size_t sum = sizeof(*a);

	for (size_t i = 0; i < SHARD_COUNT; i++)
		sum += atomic_load_explicit(&a->shards[i].footprint, memory_order_relaxed);
	return sum;
}

void arena_fail_at(struct arena *a, uint64_t nth)
{
	atomic_store(&a->fail_countdown, nth);
}

bool arena_fail_pending(const struct arena *a)
{
	return atomic_load(&a->fail_countdown) != UINT64_MAX;
}
