/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hash of buffers by block.
 *
 * The upper bits of the hashed block choose a shard, further bits a chain in the shard's table. A
 * look-up walks the chain inside an epoch and takes a reference; it takes no lock and writes no
 * word but that buffer's. Insertion and removal hold the shard's lock.
 *
 * A shard doubles its table when it has more buffers than chains. Buffers move while look-ups walk:
 * one may be led into a chain of the new table and miss what it sought. It ends all the same (each
 * chain ends, moved ones are linked in front of those moved before), and `moves` tells it to look
 * again, under the lock.
 *
 * A buffer dies under the lock: its last reference, the hash's, is replaced by 0 and it is
 * unlinked. Its own link stays, for those who stand on it; its descriptor is freed after their
 * epochs.
 *
 * Reclaim is a clock with a second chance: it takes the oldest; what was used since it last came by
 * (BUFFER_REFERENCED) or is in use goes back to the front. So look-ups do not touch the list.
 */
#include "cache/buffer_internal.h"

#include "base/assert.h"

#define TABLE_FIRST	8		/* chains of the first table */
#define SCAN_BATCH	64		/* buffers looked at while holding a shard */

static uint64_t hash_of(uint64_t block)
{
	return block * 0x9e3779b97f4a7c15u;
}

static struct buffer_shard *shard_of(struct buffer_cache *c, uint64_t block)
{
	return &c->shards[hash_of(block) >> 60];
}
_Static_assert(BUFFER_SHARDS == 16, "a shard is the upper four bits of the hash");

static struct buffer *_Atomic *chain_of(struct buffer_table *t, uint64_t block)
{
	return &t->heads[(uint32_t)(hash_of(block) >> 28) & t->mask];
}

void buffer_hash_init(struct buffer_cache *c)
{
	for (int i = 0; i < BUFFER_SHARDS; i++) {
		mutex_init(&c->shards[i].lock, RANK_BUFFER_HASH);
		list_init(&c->shards[i].lru);
	}
}

/* ---- look-up */

/* Loads with acquire all the way: what is read after it is read later. */
static struct buffer *chain_find(struct buffer_shard *s, uint64_t block)
{
	struct buffer_table *t = atomic_load_explicit(&s->table, memory_order_acquire);
	struct buffer *b = NULL;

	sched_step();
	if (t)
		b = atomic_load_explicit(chain_of(t, block), memory_order_acquire);
	while (b && b->block != block)
		b = atomic_load_explicit(&b->hash_next, memory_order_acquire);
	sched_step();
	return b;
}

static struct buffer *find_locked(struct buffer_shard *s, uint64_t block) REQUIRES(s->lock)
{
	struct buffer *b = chain_find(s, block);
	bool alive = b && ref_take(&b->refs);

	ensure(!b || alive);		/* it dies and is unlinked in one */
	return b;
}

static void mark_used(struct buffer *b)
{
	if (!(atomic_load_explicit(&b->state, memory_order_relaxed) & BUFFER_REFERENCED))
		atomic_fetch_or_explicit(&b->state, BUFFER_REFERENCED, memory_order_relaxed);
}

struct buffer *buffer_hash_find(struct buffer_cache *c, uint64_t block)
{
	struct buffer_shard *s = shard_of(c, block);
	struct buffer *b;
	uint32_t moves;

	guard_epoch();
	moves = atomic_load_explicit(&s->moves, memory_order_acquire);
	b = chain_find(s, block);
	if (likely(b)) {
		b = ref_take(&b->refs) ? b : NULL;
	} else if (unlikely(moves & 1 ||
			    atomic_load_explicit(&s->moves, memory_order_relaxed) != moves)) {
		guard(&s->lock);
		b = find_locked(s, block);
	}
	if (b)
		mark_used(b);
	return b;
}

/* ---- the table */

static void table_free(struct epoch_node *node)
{
	struct buffer_table *t = container_of(node, struct buffer_table, retire);
	struct buffer_cache *c = t->cache;

	arena_free(c->opt.arena, t);
	buffer_cache_drop_thing(c);
}

static size_t table_bytes(uint32_t chains)
{
	return sizeof(struct buffer_table) + chains * sizeof(struct buffer *);
}

static struct buffer_table *table_alloc(struct buffer_cache *c, uint32_t chains)
{
	struct buffer_table *t = arena_zalloc(c->opt.arena, table_bytes(chains));

	if (!t)
		return NULL;
	t->cache = c;
	t->mask = chains - 1;
	budget_charge(c->opt.budget, table_bytes(chains));
	atomic_fetch_add_explicit(&c->things, 1, memory_order_relaxed);
	return t;
}

static void table_retire(struct buffer_table *t)
{
	budget_uncharge(t->cache->opt.budget, table_bytes(t->mask + 1));
	epoch_retire(&t->retire, table_free);
}

static void link_in(struct buffer_table *t, struct buffer *b)
{
	struct buffer *_Atomic *head = chain_of(t, b->block);

	atomic_store_explicit(&b->hash_next, atomic_load_explicit(head, memory_order_relaxed),
			      memory_order_release);
	atomic_store_explicit(head, b, memory_order_release);
}

static void move_all(struct buffer_table *from, struct buffer_table *to)
{
	struct buffer *b, *next;

	for (uint32_t i = 0; i <= from->mask; i++) {
		for (b = atomic_load_explicit(&from->heads[i], memory_order_relaxed); b; b = next) {
			next = atomic_load_explicit(&b->hash_next, memory_order_relaxed);
			link_in(to, b);
			sched_step();
		}
	}
}

/* Without memory for it the chains just grow longer. */
static void grow(struct buffer_cache *c, struct buffer_shard *s) REQUIRES(s->lock)
{
	struct buffer_table *old = s->table, *t = table_alloc(c, 2 * (old->mask + 1));

	if (!t)
		return;
	atomic_fetch_add_explicit(&s->moves, 1, memory_order_acq_rel);
	move_all(old, t);
	atomic_store_explicit(&s->table, t, memory_order_release);
	atomic_fetch_add_explicit(&s->moves, 1, memory_order_release);
	table_retire(old);
}

static int make_table(struct buffer_cache *c, struct buffer_shard *s) REQUIRES(s->lock)
{
	struct buffer_table *t;

	if (atomic_load_explicit(&s->table, memory_order_relaxed))
		return 0;
	t = table_alloc(c, TABLE_FIRST);
	if (!t)
		return -ENOMEM;
	atomic_store_explicit(&s->table, t, memory_order_release);
	return 0;
}

/* ---- insertion and removal */

static void insert(struct buffer_cache *c, struct buffer_shard *s, struct buffer *b)
	REQUIRES(s->lock)
{
	buffer_hold(b);
	link_in(s->table, b);
	list_add_head(&s->lru, &b->lru);
	s->count++;
	if (s->count > s->table->mask)
		grow(c, s);
}

static void unlink(struct buffer_shard *s, struct buffer *b) REQUIRES(s->lock)
{
	struct buffer *_Atomic *link = chain_of(s->table, b->block);
	struct buffer *at = atomic_load_explicit(link, memory_order_relaxed);

	while (at != b) {
		ensure(at);
		link = &at->hash_next;
		at = atomic_load_explicit(link, memory_order_relaxed);
	}
	atomic_store_explicit(link, atomic_load_explicit(&b->hash_next, memory_order_relaxed),
			      memory_order_release);
	list_remove(&b->lru);
	s->count--;
}

/* It leaves the hash with references on it; the hash's own becomes the caller's. */
static void take_out(struct buffer_shard *s, struct buffer *b) REQUIRES(s->lock)
{
	atomic_fetch_or(&b->state, BUFFER_FORGOTTEN);
	unlink(s, b);
}

int buffer_hash_insert(struct buffer_cache *c, struct buffer *fresh, struct buffer **existing)
{
	struct buffer_shard *s = shard_of(c, fresh->block);
	int err;

	guard(&s->lock);
	err = make_table(c, s);
	if (err)
		return err;
	*existing = find_locked(s, fresh->block);
	if (!*existing)
		insert(c, s, fresh);
	return 0;
}

int buffer_hash_replace(struct buffer_cache *c, struct buffer *fresh, struct buffer **existing)
{
	struct buffer_shard *s = shard_of(c, fresh->block);
	struct buffer *old;
	int err;

	guard(&s->lock);
	err = make_table(c, s);
	if (err)
		return err;
	old = chain_find(s, fresh->block);
	if (old && buffer_is_claimed(old))
		return -EFSCORRUPTED;
	if (old)
		take_out(s, old);
	insert(c, s, fresh);
	*existing = old;
	return 0;
}

struct buffer *buffer_hash_remove(struct buffer_cache *c, uint64_t block)
{
	struct buffer_shard *s = shard_of(c, block);
	struct buffer *b;

	guard(&s->lock);
	b = chain_find(s, block);
	if (b)
		take_out(s, b);
	return b;
}

/* ---- reclaim */

/* Dirty ones and those in transfer are held by that; the journal holds its own. */
static bool kill_idle(struct buffer_shard *s, struct buffer *b) REQUIRES(s->lock)
{
	if (atomic_load_explicit(&b->journal_head, memory_order_relaxed) || !ref_kill(&b->refs, 1))
		return false;
	unlink(s, b);
	return true;
}

void buffer_hash_drop_idle(struct buffer_cache *c, struct buffer *b)
{
	struct buffer_shard *s = shard_of(c, b->block);
	bool killed;

	mutex_lock(&s->lock);
	killed = !(buffer_state(b) & BUFFER_FORGOTTEN) && kill_idle(s, b);
	mutex_unlock(&s->lock);
	if (killed)
		buffer_free(b);
}

/* Killed, or sent to the front. */
static bool reclaim_one(struct buffer_shard *s, struct buffer *b) REQUIRES(s->lock)
{
	uint32_t state =
		atomic_fetch_and_explicit(&b->state, ~BUFFER_REFERENCED, memory_order_relaxed);

	if (!(state & BUFFER_REFERENCED) && kill_idle(s, b))
		return true;
	list_remove(&b->lru);
	list_add_head(&s->lru, &b->lru);
	return false;
}

static size_t free_dead(struct buffer_cache *c, struct list *dead)
{
	size_t freed = 0;
	struct buffer *b;

	while ((b = list_first(dead, struct buffer, lru))) {
		list_remove(&b->lru);
		freed += sizeof(*b) + (b->page ? 0 : c->opt.block_size);
		buffer_free(b);
		atomic_fetch_add_explicit(&c->reclaimed, 1, memory_order_relaxed);
	}
	return freed;
}

/*
 * Looks at the oldest of a shard, at most SCAN_BATCH of the *left that are still to be looked at.
 */
static size_t shrink_batch(struct buffer_cache *c, struct buffer_shard *s, size_t want,
			   size_t *left)
{
	size_t wanted = want / (sizeof(struct buffer) + c->opt.block_size) + 1;
	struct list dead;
	struct buffer *b;

	list_init(&dead);
	mutex_lock(&s->lock);
	for (int i = 0; i < SCAN_BATCH && *left > 0 && wanted > 0; i++, --*left) {
		*left = min(*left, 2 * s->count);
		if (*left == 0)
			break;
		b = list_last(&s->lru, struct buffer, lru);
		__builtin_prefetch(list_entry(b->lru.prev, struct buffer, lru));
		if (!reclaim_one(s, b))
			continue;
		list_add_tail(&dead, &b->lru);
		wanted--;
	}
	mutex_unlock(&s->lock);
	return free_dead(c, &dead);
}

static size_t shard_count(struct buffer_shard *s)
{
	guard(&s->lock);
	return s->count;
}

uint64_t buffer_hash_count(struct buffer_cache *c)
{
	uint64_t count = 0;

	for (int i = 0; i < BUFFER_SHARDS; i++)
		count += shard_count(&c->shards[i]);
	return count;
}

/*
 * The shards in turn, a batch of each, so that all ages fall evenly. Each buffer is looked at twice
 * at most: what is used then is in use.
 */
size_t buffer_hash_shrink(void *cache, size_t want)
{
	struct buffer_cache *c = cache;
	size_t left[BUFFER_SHARDS], total = 0, freed = 0;

	for (int i = 0; i < BUFFER_SHARDS; i++)
		total += left[i] = 2 * shard_count(&c->shards[i]);
	while (freed < want && total > 0) {
		uint32_t i = atomic_fetch_add_explicit(&c->hand, 1, memory_order_relaxed) %
			     BUFFER_SHARDS;
		size_t before = left[i];

		freed += shrink_batch(c, &c->shards[i], want - freed, &left[i]);
		total -= before - left[i];
	}
	return freed;
}

void buffer_hash_fini(struct buffer_cache *c)
{
	struct buffer_shard *s;

	for (int i = 0; i < BUFFER_SHARDS; i++) {
		struct list dead;

		s = &c->shards[i];
		list_init(&dead);
		mutex_lock(&s->lock);
		for (struct buffer *b; (b = list_first(&s->lru, struct buffer, lru));) {
			ensure(kill_idle(s, b));
			list_add_tail(&dead, &b->lru);
		}
		mutex_unlock(&s->lock);
		free_dead(c, &dead);
		if (s->table)
			table_retire(s->table);
		mutex_fini(&s->lock);
	}
}
