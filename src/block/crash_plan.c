/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The numbering of crash states. Only writes and discards change the medium, so the plan keeps the
 * recording as a list of its changes, each with the epoch it belongs to: an epoch begins at a
 * barrier (a flush, or a write that begins with one) or at the beginning, and ends at the next
 * barrier or at the end. A change is stable for certain once the barrier after its epoch has
 * happened.
 *
 *	entries   W0  F1  W2  U3  M4  W5  P6  W7          F flush, U forced write, M mark, P write
 *	epochs    |---|-------------------|-----          that begins with a flush
 *	          0   1                   6
 *
 * A state is made when it is asked for, from its number alone; nothing is kept for it.
 */
#include "block/crash.h"

#include <string.h>
#include "base/assert.h"
#include "base/errors.h"
#include "base/hash.h"
#include "base/random.h"
#include "block/record.h"

struct change {
	size_t entry;
	size_t epoch; /* where its epoch begins: the barrier, which may be itself */
	size_t epoch_before;		/* the same for a failure right before it was called */
	size_t barrier;			/* the one after its epoch, or the number of entries */
	uint64_t first_torn;		/* torn states of all changes before it */
	bool forced;			/* on the medium once it has returned */
};

struct crash_plan {			/* all constant */
	struct arena *arena;
	const struct block_device *rec;
	struct crash_options opt;
	size_t entry_count;
	size_t last_barrier;		/* 0: none */
	struct change *changes;
	size_t change_count;
	size_t *losable;		/* changes that are not forced */
	size_t losable_count;
	size_t *marks;			/* entries that are marks */
	size_t mark_count;
	size_t epoch_changes_max;	/* changes in the longest epoch */
	uint64_t torn_count;
};

/* ---- where a write may be torn: between two of its sectors, but not inside of the atomic range */

/* The borders between sectors of `e` that lie at most `len` bytes behind its beginning. */
static uint64_t borders_within(const struct block_record_entry *e, uint64_t len)
{
	return min(len, e->len - BLOCK_SECTOR_BYTES) / BLOCK_SECTOR_BYTES;
}

/* Of the borders of a write, those before the atomic range, and those inside of it. */
static void borders_of(const struct crash_plan *p, const struct block_record_entry *e,
		       uint64_t *before, uint64_t *inside)
{
	uint64_t begin = p->opt.atomic_offset, end = begin + p->opt.atomic_bytes;
	uint64_t up_to_end = end > e->offset ? borders_within(e, end - 1 - e->offset) : 0;

	*before = begin > e->offset ? borders_within(e, begin - e->offset) : 0;
	*inside = up_to_end > *before ? up_to_end - *before : 0;
}

static uint64_t tear_places(const struct crash_plan *p, const struct block_record_entry *e)
{
	uint64_t before, inside;

	if (e->kind != RECORD_WRITE)
		return 0;
	borders_of(p, e, &before, &inside);
	return borders_within(e, e->len) - inside;
}

/* Bytes of the entry before its tear place `nr`. */
static uint64_t tear_at(const struct crash_plan *p, const struct block_record_entry *e, uint64_t nr)
{
	uint64_t before, inside;

	borders_of(p, e, &before, &inside);
	return (nr < before ? nr + 1 : nr + 1 + inside) * BLOCK_SECTOR_BYTES;
}

/* How many of its places the torn states use; they are spread evenly. */
static uint64_t tears_of(const struct crash_plan *p, const struct block_record_entry *e)
{
	uint64_t places = tear_places(p, e);

	return p->opt.tears_max ? min(places, (uint64_t)p->opt.tears_max) : places;
}

static uint64_t spread(uint64_t nr, uint64_t tears, uint64_t places)
{
	return tears > 1 ? nr * (places - 1) / (tears - 1) : places / 2;
}

/* ---- making the plan */

static int alloc_lists(struct crash_plan *p)
{
	struct arena *a = p->arena;
	size_t changes = 0, marks = 0;

	for (size_t i = 0; i < p->entry_count; i++) {
		const struct block_record_entry *e = block_record_get(p->rec, i);

		changes += record_is_change(e);
		marks += e->kind == RECORD_MARK;
	}
	p->changes = arena_alloc(a, (changes + 1) * sizeof(*p->changes));
	p->losable = arena_alloc(a, (changes + 1) * sizeof(*p->losable));
	p->marks = arena_alloc(a, (marks + 1) * sizeof(*p->marks));
	return p->changes && p->losable && p->marks ? 0 : -ENOMEM;
}

static void add_change(struct crash_plan *p, size_t i, size_t epoch_before)
{
	const struct block_record_entry *e = block_record_get(p->rec, i);
	bool forced = e->flags & BLOCK_FUA;

	if (!forced)
		p->losable[p->losable_count++] = p->change_count;
	p->changes[p->change_count++] = (struct change){
		.entry = i,
		.epoch = p->last_barrier,
		.epoch_before = epoch_before,
		.first_torn = p->torn_count,
		.forced = forced,
	};
	p->torn_count += 2 * tears_of(p, e);	/* a head and a tail */
}

/* Reads the recording from its beginning: each change learns where its epoch began. */
static void list_entries(struct crash_plan *p)
{
	for (size_t i = 0; i < p->entry_count; i++) {
		const struct block_record_entry *e = block_record_get(p->rec, i);
		size_t epoch_before = p->last_barrier;

		if (record_is_barrier(e))
			p->last_barrier = i;
		if (record_is_change(e))
			add_change(p, i, epoch_before);
		else if (e->kind == RECORD_MARK)
			p->marks[p->mark_count++] = i;
	}
}

/* Reads it from its end: each change learns where its epoch ends. */
static void end_epochs(struct crash_plan *p)
{
	size_t barrier = p->entry_count, c = p->change_count, in_epoch = 0;

	for (size_t i = p->entry_count; i-- > 0;) {
		const struct block_record_entry *e = block_record_get(p->rec, i);

		if (record_is_change(e)) {
			p->changes[--c].barrier = barrier;
			p->epoch_changes_max = max(p->epoch_changes_max, ++in_epoch);
		}
		if (record_is_barrier(e)) {
			barrier = i;
			in_epoch = 0;
		}
	}
}

int crash_plan_create(struct arena *a, const struct block_device *rec,
		      const struct crash_options *opt, struct crash_plan **out)
{
	struct crash_plan *p = arena_new(a, struct crash_plan);
	int err;

	if (!p)
		return -ENOMEM;
	p->arena = a;
	p->rec = rec;
	p->opt = *opt;
	p->entry_count = block_record_count(rec);
	err = alloc_lists(p);
	if (err) {
		crash_plan_destroy(p);
		return err;
	}
	list_entries(p);
	end_epochs(p);
	if (!p->change_count)
		p->opt.random_states = 0;
	*out = p;
	return 0;
}

void crash_plan_destroy(struct crash_plan *p)
{
	if (!p)
		return;
	arena_free(p->arena, p->changes);
	arena_free(p->arena, p->losable);
	arena_free(p->arena, p->marks);
	arena_free(p->arena, p);
}

uint64_t crash_plan_first(const struct crash_plan *p, enum crash_family family)
{
	const uint64_t counts[] = {
		[CRASH_PREFIX] = p->change_count + 1,
		[CRASH_LOST] = p->losable_count,
		[CRASH_TORN] = p->torn_count,
		[CRASH_RANDOM] = p->opt.random_states,
	};
	uint64_t first = 0;

	for (unsigned i = 0; i < array_size(counts) && i < (unsigned)family; i++)
		first += counts[i];
	return first;
}

uint64_t crash_plan_count(const struct crash_plan *p)
{
	return crash_plan_first(p, CRASH_RANDOM) + p->opt.random_states;
}

const struct block_device *crash_plan_recording(const struct crash_plan *p)
{
	return p->rec;
}

/* ---- states */

/* An epoch has at most so many changes, and a change two pieces. */
int crash_state_init(struct crash_state *s, const struct crash_plan *p)
{
	size_t pieces = 2 * p->epoch_changes_max + 1;

	memset(s, 0, sizeof(*s));
	s->room = arena_alloc(p->arena, pieces * sizeof(*s->room));
	s->pieces = s->room;
	return s->room ? 0 : -ENOMEM;
}

void crash_state_fini(struct crash_state *s, const struct crash_plan *p)
{
	arena_free(p->arena, s->room);
}

static const struct block_record_entry *entry_of(const struct crash_plan *p, const struct change *c)
{
	return block_record_get(p->rec, c->entry);
}

static void add_piece(struct crash_state *s, const struct change *c, uint64_t from, uint64_t to)
{
	if (from < to)
		s->room[s->piece_count++] = (struct crash_piece){
			.entry = c->entry,
			.from = from,
			.to = to,
		};
}

static void add_whole(const struct crash_plan *p, struct crash_state *s, const struct change *c)
{
	add_piece(s, c, 0, entry_of(p, c)->len);
}

/* The first change at `entry` or behind it. */
static size_t change_from(const struct crash_plan *p, size_t entry)
{
	size_t low = 0, high = p->change_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->changes[middle].entry < entry)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* All changes from entry `from` up to entry `to` are there. */
static void add_all(const struct crash_plan *p, struct crash_state *s, size_t from, size_t to)
{
	for (size_t c = change_from(p, from); c < p->change_count && p->changes[c].entry < to; c++)
		add_whole(p, s, &p->changes[c]);
}

static size_t marks_before(const struct crash_plan *p, size_t point)
{
	size_t low = 0, high = p->mark_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->marks[middle] < point)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The failure comes right before change `nr`, or at the end. */
static void prefix_state(const struct crash_plan *p, uint64_t nr, struct crash_state *s)
{
	bool at_end = nr == p->change_count;

	s->point = at_end ? p->entry_count : p->changes[nr].entry;
	s->stable = at_end ? p->last_barrier : p->changes[nr].epoch_before;
	add_all(p, s, s->stable, s->point);
}

static void lost_state(const struct crash_plan *p, uint64_t nr, struct crash_state *s)
{
	const struct change *lost = &p->changes[p->losable[nr]];

	s->point = lost->barrier;
	s->stable = lost->epoch;
	add_all(p, s, s->stable, lost->entry);
	add_all(p, s, lost->entry + 1, s->point);
}

/* The change that torn state `nr` is of. */
static const struct change *torn_change(const struct crash_plan *p, uint64_t nr)
{
	size_t low = 0, high = p->change_count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (p->changes[middle].first_torn <= nr)
			low = middle;
		else
			high = middle;
	}
	return &p->changes[low];
}

/* Even numbers keep the head, odd ones the tail. */
static void torn_state(const struct crash_plan *p, uint64_t nr, struct crash_state *s)
{
	const struct change *torn = torn_change(p, nr);
	const struct block_record_entry *e = entry_of(p, torn);
	uint64_t tear = spread((nr - torn->first_torn) / 2, tears_of(p, e), tear_places(p, e));
	uint64_t at = tear_at(p, e, tear);
	bool head = (nr - torn->first_torn) % 2 == 0;

	s->point = torn->forced ? torn->entry + 1 : torn->barrier;
	s->stable = torn->epoch;
	add_all(p, s, s->stable, torn->entry);
	add_piece(s, torn, head ? 0 : at, head ? at : e->len);
	add_all(p, s, torn->entry + 1, s->point);
}

/* ---- random states */

/* A random range of the write stays, or is what is lost. */
static void add_torn(const struct crash_plan *p, struct crash_state *s, const struct change *c,
		     struct random *r)
{
	const struct block_record_entry *e = entry_of(p, c);
	uint64_t places = tear_places(p, e);
	uint64_t x = tear_at(p, e, random_u64(r) % places);
	uint64_t y = random_below(r, 2) ? e->len : tear_at(p, e, random_u64(r) % places);

	if (random_below(r, 2)) {
		add_piece(s, c, min(x, y), max(x, y));
	} else {
		add_piece(s, c, 0, min(x, y));
		add_piece(s, c, max(x, y), e->len);
	}
}

/* Of 16 changes, `losses` are lost or torn. Yields whether this one is there whole. */
static bool add_perhaps(const struct crash_plan *p, struct crash_state *s, const struct change *c,
			unsigned losses, struct random *r)
{
	if (random_below(r, 16) >= losses) {
		add_whole(p, s, c);
		return true;
	}
	if (random_below(r, 3) == 0 && tear_places(p, entry_of(p, c)))
		add_torn(p, s, c, r);
	return false;
}

/* The point is after one of the changes, later ones for later numbers. */
static size_t random_change(const struct crash_plan *p, uint64_t nr, struct random *r)
{
	size_t low = nr * p->change_count / p->opt.random_states;
	size_t high = (nr + 1) * p->change_count / p->opt.random_states;

	return high > low ? low + random_u64(r) % (high - low) : low;
}

/*
 * The failure comes after change `last` was called: before the next change or barrier, or, when it
 * was forced and is not whole, before it returned.
 */
static size_t point_after(const struct crash_plan *p, size_t last, bool whole)
{
	const struct change *c = &p->changes[last];

	if (c->forced && !whole)
		return c->entry + 1;
	return last + 1 < p->change_count ? min(c->barrier, c[1].entry) : c->barrier;
}

static void random_state(const struct crash_plan *p, uint64_t nr, struct crash_state *s)
{
	static const unsigned losses[] = { 1, 4, 8, 12, 15 };
	struct random r;
	size_t last;
	unsigned mood;
	bool whole = true;

	random_init_seed(&r, hash_pair(p->opt.seed, nr));
	last = random_change(p, nr, &r);
	mood = losses[random_below(&r, array_size(losses))];
	s->stable = p->changes[last].epoch;
	for (size_t c = change_from(p, s->stable); c <= last; c++) {
		if (p->changes[c].forced && c != last)
			add_whole(p, s, &p->changes[c]);
		else
			whole = add_perhaps(p, s, &p->changes[c], mood, &r);
	}
	s->point = point_after(p, last, whole);
}

void crash_plan_state(const struct crash_plan *p, uint64_t number, struct crash_state *s)
{
	static void (*const make[])(const struct crash_plan *, uint64_t, struct crash_state *) = {
		[CRASH_PREFIX] = prefix_state,
		[CRASH_LOST] = lost_state,
		[CRASH_TORN] = torn_state,
		[CRASH_RANDOM] = random_state,
	};
	unsigned family = CRASH_RANDOM;

	ensure(number < crash_plan_count(p));
	while (number < crash_plan_first(p, (enum crash_family)family))
		family--;
	s->number = number;
	s->family = (enum crash_family)family;
	s->piece_count = 0;
	make[family](p, number - crash_plan_first(p, s->family), s);
	s->marks = marks_before(p, s->point);
}
