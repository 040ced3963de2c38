/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory that extent status takes: charged to the budget, and given back when that is short.
 *
 * A tree is on the list once it has something that can be dropped. Reclaim takes the trees in turn,
 * and in each, entries that were not looked up since its last visit; a referenced one loses its
 * mark and stays. So what nobody uses goes at the first visit, what is in use at the second at the
 * earliest. Delayed entries stay.
 *
 * Cutting a delayed entry in two takes one more entry, at a moment when nothing may fail any more:
 * the block it describes is being mapped. For this a few entries are set aside at mount. Each is
 * replaced as soon as there is memory again; and when all are gone, the tree at hand gives up what
 * it knows besides.
 *
 * Locks: the list and the reserve have a lock of their own (RANK_LRU), behind es.lock. Reclaim
 * comes from the other side and only tries es.lock; a tree on the list lives as long as the list's
 * lock is held, since it leaves it under that lock.
 */
#include "base/assert.h"
#include "ext4/extent_status.h"

#define RESERVE_ENTRIES 8

struct es_shrinker {
	struct mutex lock; /* RANK_LRU */
	struct list trees GUARDED_BY(lock); /* es_tree.link, visited last at the end */
	struct rb_node *reserve GUARDED_BY(lock); /* entries, linked by node.left */
	_Atomic uint32_t reserved; /* written under lock */
	_Atomic uint32_t entries; /* in all trees */
	struct ext4_fs *fs;
	struct shrinker shrinker;
};

/* ---- entries */

/* Fills the reserve up, as far as memory goes. */
static void reserve_fill(struct es_shrinker *s)
{
	struct extent_status *es;

	guard(&s->lock);
	while (s->reserved < RESERVE_ENTRIES) {
		es = arena_new(s->fs->arena, struct extent_status);
		if (!es)
			return;
		es->node.left = s->reserve;
		s->reserve = &es->node;
		s->reserved++;
	}
}

static struct extent_status *reserve_take(struct es_shrinker *s)
{
	struct extent_status *es;

	guard(&s->lock);
	if (!s->reserve)
		return NULL;
	es = rb_entry(s->reserve, struct extent_status, node);
	s->reserve = es->node.left;
	s->reserved--;
	return es;
}

/* Takes an entry from the tree that it can do without. */
static struct extent_status *steal(struct es_tree *t)
{
	struct rb_node *node;

	if (t->delayed == t->count)
		return NULL;
	for (node = rb_first(&t->root); node; node = rb_next(node)) {
		struct extent_status *es = rb_entry(node, struct extent_status, node);

		if (es_is_delayed(es))
			continue;
		ext4_es_unlink(t, es);
		return es;
	}
	return NULL;
}

int ext4_es_set_aside(struct inode *inode)
{
	struct es_shrinker *s = inode->fs->es_shrinker;
	struct es_tree *t = &inode->es;

	guard(&t->lock);
	if (!t->delayed || t->spare)
		return 0;
	t->spare = arena_new(s->fs->arena, struct extent_status);
	if (!t->spare)
		t->spare = reserve_take(s);
	return t->spare ? 0 : -ENOMEM;
}

static struct extent_status *take_spare(struct es_tree *t)
{
	struct extent_status *es = t->spare;

	t->spare = NULL;
	return es;
}

struct extent_status *ext4_es_entry_new(struct inode *inode, bool must)
{
	struct es_shrinker *s = inode->fs->es_shrinker;
	struct extent_status *es = arena_new(s->fs->arena, struct extent_status);

	if (es && must &&
	    atomic_load_explicit(&s->reserved, memory_order_relaxed) < RESERVE_ENTRIES)
		reserve_fill(s);
	if (!es && must)
		es = reserve_take(s);
	if (!es && must)
		es = take_spare(&inode->es);
	if (es) {
		budget_charge(s->fs->budget, sizeof(*es));
		atomic_fetch_add_explicit(&s->entries, 1, memory_order_relaxed);
		return es;
	}
	return must ? steal(&inode->es) : NULL;
}

void ext4_es_entry_free(struct ext4_fs *fs, struct extent_status *es)
{
	atomic_fetch_sub_explicit(&fs->es_shrinker->entries, 1, memory_order_relaxed);
	budget_uncharge(fs->budget, sizeof(*es));
	arena_free(fs->arena, es);
}

/* ---- trees */

void ext4_es_enlist(struct inode *inode)
{
	struct es_shrinker *s = inode->fs->es_shrinker;

	inode->es.listed = true;
	guard(&s->lock);
	list_add_tail(&s->trees, &inode->es.link);
}

void ext4_es_delist(struct inode *inode)
{
	struct es_shrinker *s = inode->fs->es_shrinker;

	inode->es.listed = false;
	guard(&s->lock);
	list_remove(&inode->es.link);
}

/* One visit; returns the bytes freed. */
static size_t shrink_tree(struct ext4_fs *fs, struct es_tree *t, size_t want)
{
	struct rb_node *node = rb_first(&t->root), *next;
	size_t freed = 0;

	for (; node && freed < want; node = next) {
		struct extent_status *es = rb_entry(node, struct extent_status, node);

		next = rb_next(node);
		if (es_is_delayed(es))
			continue;
		if (es->status & ES_REFERENCED) {
			es->status &= ~(uint32_t)ES_REFERENCED;
			continue;
		}
		ext4_es_unlink(t, es);
		ext4_es_entry_free(fs, es);
		freed += sizeof(*es);
	}
	return freed;
}

/* Visits each tree once at most; those that have nothing to give leave the list. */
static size_t shrink_round(struct es_shrinker *s, size_t want, uint32_t *skipped) REQUIRES(s->lock)
{
	struct list visited;
	size_t freed = 0;

	list_init(&visited);
	while (freed < want && !list_empty(&s->trees)) {
		struct es_tree *t = list_first(&s->trees, struct es_tree, link);

		list_remove(&t->link);
		if (!mutex_trylock(&t->lock)) {
			list_add_tail(&visited, &t->link);
			++*skipped;
			continue;
		}
		freed += shrink_tree(s->fs, t, want - freed);
		if (t->count > t->delayed)
			list_add_tail(&visited, &t->link);
		else
			t->listed = false;
		mutex_unlock(&t->lock);
	}
	list_splice_tail(&s->trees, &visited);
	return freed;
}

static size_t shrink(void *arg, size_t want)
{
	struct es_shrinker *s = arg;
	struct ext4_fs *fs = s->fs;
	uint32_t wanted = (uint32_t)min(want / sizeof(struct extent_status) + 1, (size_t)INT32_MAX);
	int64_t start = clock_monotonic(fs->clock);
	uint32_t skipped = 0;
	bool again;
	size_t freed;

	trace(fs, ext4_es_shrink_scan_enter, (int32_t)wanted, (int32_t)s->entries);
	mutex_lock(&s->lock);
	freed = shrink_round(s, want, &skipped);
	again = freed < want && !list_empty(&s->trees);
	if (again) /* what was referenced is not any more */
		freed += shrink_round(s, want - freed, &skipped);
	mutex_unlock(&s->lock);
	trace(fs, ext4_es_shrink, (int32_t)(freed / sizeof(struct extent_status)),
	      (uint64_t)(clock_monotonic(fs->clock) - start), (int32_t)skipped, again);
	trace(fs, ext4_es_shrink_scan_exit, (int32_t)(freed / sizeof(struct extent_status)),
	      (int32_t)s->entries);
	return freed;
}

/* ---- of a mount */

int ext4_es_shrinker_create(struct ext4_fs *fs)
{
	struct es_shrinker *s = arena_new(fs->arena, struct es_shrinker);

	if (!s)
		return -ENOMEM;
	mutex_init(&s->lock, RANK_LRU);
	list_init(&s->trees);
	s->fs = fs;
	s->shrinker.name = "extent status";
	s->shrinker.shrink = shrink;
	s->shrinker.arg = s;
	fs->es_shrinker = s;
	reserve_fill(s);
	budget_add_shrinker(fs->budget, &s->shrinker);
	if (s->reserved == RESERVE_ENTRIES)
		return 0;
	ext4_es_shrinker_destroy(fs);
	return -ENOMEM;
}

void ext4_es_shrinker_destroy(struct ext4_fs *fs)
{
	struct es_shrinker *s = fs->es_shrinker;
	struct extent_status *es;

	if (!s)
		return;
	ensure(list_empty(&s->trees) && !s->entries);
	budget_remove_shrinker(fs->budget, &s->shrinker);
	while ((es = reserve_take(s)) != NULL)
		arena_free(fs->arena, es);
	mutex_fini(&s->lock);
	arena_free(fs->arena, s);
	fs->es_shrinker = NULL;
}
