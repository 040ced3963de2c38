/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inode cache: every inode in memory, by number.
 *
 * A look-up walks a hash chain inside an epoch and takes a reference by compare-and-swap; no lock.
 * What changes the table (insert, remove, grow) holds `lock` (RANK_INODE_CACHE).
 *
 *	refs   > 0      in use
 *	refs  == 0      idle: stays, until memory is wanted or its last link is gone
 *	refs  == ASKED  the shrinker looks whether it may go: for moments only, who wants it looks again
 *	refs  == DEAD   being evicted: invisible to look-ups; who wants the number waits until it is gone
 *
 * An inode that is being read or made is INODE_NEW: found, but waited for.
 */
#include "base/assert.h"
#include "base/hash.h"
#include "ext4/acl.h"
#include "ext4/inode_internal.h"

#define DEAD		INT32_MIN
#define ASKED		(INT32_MIN + 1)
#define BUCKETS_FIRST	64

struct inode_table {
	uint32_t mask;
	struct epoch_node retire;
	struct arena *arena;
	struct inode *_Atomic heads[];
};

struct inode_cache {
	struct mutex lock;			/* RANK_INODE_CACHE */
	struct inode_table *_Atomic table;	/* published */
	uint32_t count GUARDED_BY(lock);
	struct list lru GUARDED_BY(lock);	/* all, in order of becoming known */
	struct waitq changed;			/* one ceased to be NEW, or is gone */
	struct ext4_fs *fs;
	struct shrinker shrinker;
};

static struct inode_table *table_new(struct arena *a, uint32_t buckets)
{
	struct inode_table *t = arena_zalloc(a, sizeof(*t) + buckets * sizeof(t->heads[0]));

	if (t) {
		t->mask = buckets - 1;
		t->arena = a;
	}
	return t;
}

static void table_free(struct epoch_node *node)
{
	struct inode_table *t = container_of(node, struct inode_table, retire);

	arena_free(t->arena, t);
}

static struct inode *_Atomic *bucket(struct inode_table *t, uint32_t ino)
{
	return &t->heads[hash_u64(ino) & t->mask];
}

/* Any state but gone; inside an epoch, or with the lock. */
static struct inode *find(struct inode_cache *c, uint32_t ino)
{
	struct inode_table *t = atomic_load_explicit(&c->table, memory_order_acquire);
	struct inode *i = atomic_load_explicit(bucket(t, ino), memory_order_acquire);

	while (i && i->ino != ino)
		i = atomic_load_explicit(&i->hash_next, memory_order_acquire);
	return i;
}

/* Any but ASKED, which does not last: whoever asks takes no lock and waits for nothing meanwhile. */
static int32_t refs_of(struct inode *i)
{
	int32_t refs;

	while ((refs = atomic_load_explicit(&i->refs, memory_order_relaxed)) == ASKED)
		task_yield();
	return refs;
}

bool ext4_itake(struct inode *i)
{
	int32_t refs = refs_of(i);

	while (refs >= 0) {
		if (atomic_compare_exchange_weak_explicit(
			    &i->refs, &refs, refs + 1, memory_order_acq_rel, memory_order_relaxed))
			return true;
		if (refs == ASKED)
			refs = refs_of(i);
	}
	return false;
}

static bool inode_is(struct inode *i, uint32_t state)
{
	return atomic_load_explicit(&i->state, memory_order_acquire) & state;
}

struct inode *ext4_ifind(struct ext4_fs *fs, uint32_t ino)
{
	struct inode *i;

	guard_epoch();
	i = find(fs->inodes, ino);
	return i && !inode_is(i, INODE_NEW | INODE_BAD) && ext4_itake(i) ? i : NULL;
}

/* ---- changing the table; lock held */

static void link_in(struct inode_table *t, struct inode *i)
{
	struct inode *_Atomic *head = bucket(t, i->ino);

	atomic_store_explicit(&i->hash_next, atomic_load_explicit(head, memory_order_relaxed),
			      memory_order_relaxed);
	atomic_store_explicit(head, i, memory_order_release);
}

/*
 * Twice the buckets. A reader on the old table may miss an inode whose link has moved; it then
 * looks again with the lock held, before it believes that the inode is not there.
 */
static void grow(struct inode_cache *c)
{
	struct inode_table *old = atomic_load_explicit(&c->table, memory_order_relaxed);
	struct inode_table *t = table_new(c->fs->arena, (old->mask + 1) * 2);
	struct inode *i;

	if (!t)
		return; /* longer chains are no error */
	list_for_each(i, &c->lru, lru)
		link_in(t, i);
	atomic_store_explicit(&c->table, t, memory_order_release);
	epoch_retire(&old->retire, table_free);
}

static void insert(struct inode_cache *c, struct inode *i)
{
	struct inode_table *t = atomic_load_explicit(&c->table, memory_order_relaxed);

	link_in(t, i);
	list_add_tail(&c->lru, &i->lru);
	if (++c->count > 2 * (t->mask + 1))
		grow(c);
}

static void unlink_out(struct inode_cache *c, struct inode *i)
{
	struct inode *_Atomic *link =
		bucket(atomic_load_explicit(&c->table, memory_order_relaxed), i->ino);

	while (atomic_load_explicit(link, memory_order_relaxed) != i)
		link = &atomic_load_explicit(link, memory_order_relaxed)->hash_next;
	atomic_store_explicit(link, atomic_load_explicit(&i->hash_next, memory_order_relaxed),
			      memory_order_release);
	list_remove(&i->lru);
	c->count--;
}

/* ---- one inode */

static struct inode *inode_alloc(struct ext4_fs *fs, uint32_t ino)
{
	struct inode *i = arena_new(fs->arena, struct inode);

	if (!i)
		return NULL;
	i->fs = fs;
	i->ino = ino;
	i->last_group = ~0u;
	mutex_init(&i->attr_lock, RANK_ATTR);
	rwlock_init(&i->lock, RANK_INODE);
	rwlock_init(&i->xattr_lock, RANK_XATTR);
	rwlock_init(&i->map_lock, RANK_MAP);
	rwlock_init(&i->invalidate_lock, RANK_INODE_INVALIDATE);
	mutex_init(&i->writeback_lock, RANK_WRITEBACK);
	mutex_init(&i->reserve_lock, RANK_RESERVE);
	ext4_es_init_tree(&i->es);
	mapping_init(&i->mapping, fs->pages, i);
	list_init(&i->preallocations);
	list_init(&i->orphan);
	list_init(&i->dirty);
	list_init(&i->lru);
	list_init(&i->lazy);
	atomic_init(&i->refs, 1);
	atomic_init(&i->state, INODE_NEW);
	budget_charge(fs->budget, sizeof(*i));
	return i;
}

static void inode_free(struct epoch_node *node)
{
	struct inode *i = container_of(node, struct inode, retire);
	struct ext4_fs *fs = i->fs;

	ext4_acl_forget(i);
	mutex_fini(&i->es.lock);
	mutex_fini(&i->attr_lock);
	rwlock_fini(&i->lock);
	rwlock_fini(&i->xattr_lock);
	rwlock_fini(&i->map_lock);
	rwlock_fini(&i->invalidate_lock);
	mutex_fini(&i->writeback_lock);
	mutex_fini(&i->reserve_lock);
	arena_free(fs->arena, i);
}

/* Nobody finds it any more; who saw it in a chain may still look at its number. It has no pages. */
void ext4_inode_retire(struct inode *i)
{
	/* These two take locks: not at the end of an epoch. */
	mapping_fini(&i->mapping);
	budget_uncharge(i->fs->budget, sizeof(*i));
	epoch_retire(&i->retire, inode_free);
}

void ext4_inode_unlock_new(struct inode *i)
{
	struct inode_cache *c = i->fs->inodes;

	guard(&c->lock);
	atomic_fetch_and(&i->state, ~INODE_NEW);
	waitq_wake_all(&c->changed);
}

/* Out of the table; the memory goes when nobody can see it any more. */
static void inode_gone(struct inode *i)
{
	struct inode_cache *c = i->fs->inodes;

	mutex_lock(&c->lock);
	unlink_out(c, i);
	waitq_wake_all(&c->changed);
	mutex_unlock(&c->lock);
	if (!ext4_orphan_linked(i))
		ext4_inode_retire(i);
}

/*
 * The number's inode, referenced: found (*made false), or made and INODE_NEW. Waits for one that is
 * being evicted, or that another task is reading.
 */
static int find_or_make(struct ext4_fs *fs, uint32_t ino, struct inode **out, bool *made)
{
	struct inode_cache *c = fs->inodes;
	struct inode *i;

	*made = false;
	guard(&c->lock);
	for (;;) {
		i = find(c, ino);
		if (!i)
			break;
		if (!inode_is(i, INODE_NEW) && ext4_itake(i)) {
			*out = i;
			return 0;
		}
		(void)waitq_sleep(&c->changed, &c->lock, CLOCK_NEVER, "an inode becomes ready");
	}
	i = inode_alloc(fs, ino);
	if (!i)
		return -ENOMEM;
	insert(c, i);
	*out = i;
	*made = true;
	return 0;
}

int ext4_iget(struct ext4_fs *fs, uint32_t ino, enum iget_flags flags, struct inode **out)
{
	bool made;
	int err;

	*out = ext4_ifind(fs, ino);
	if (*out)
		return ext4_inode_usable(*out, flags);
	if (ino == 0 || ino > fs->geo.inodes_count ||
	    (flags != IGET_SPECIAL && ino < fs->geo.first_ino && ino != EXT4_ROOT_INO))
		return flags == IGET_HANDLE ? -ESTALE
					    : ext4_error(fs, ino, 0, "no such inode can be named");
	err = find_or_make(fs, ino, out, &made);
	if (err || !made)
		return err ? err : ext4_inode_usable(*out, flags);
	err = ext4_inode_load(*out, flags);
	if (!err) {
		ext4_inode_unlock_new(*out);
		return 0;
	}
	atomic_fetch_or(&(*out)->state, INODE_BAD);
	atomic_store(&(*out)->refs, DEAD);
	inode_gone(*out);
	*out = NULL;
	return err;
}

struct inode *ext4_inode_prepare(struct ext4_fs *fs)
{
	return inode_alloc(fs, 0);
}

void ext4_inode_unprepare(struct inode *i)
{
	mapping_fini(&i->mapping);
	budget_uncharge(i->fs->budget, sizeof(*i));
	inode_free(&i->retire);
}

/* With `ino` free in the cache, or false: it is in use there. What is being evicted is waited for. */
static bool insert_unless_used(struct inode *i, uint32_t ino)
{
	struct inode_cache *c = i->fs->inodes;
	struct inode *old;

	guard(&c->lock);
	while ((old = find(c, ino)) != NULL) {
		if (atomic_load(&old->refs) >= 0)
			return false;
		(void)waitq_sleep(&c->changed, &c->lock, CLOCK_NEVER, "an inode is gone");
	}
	i->ino = ino;
	insert(c, i);
	return true;
}

int ext4_inode_insert_new(struct inode *i, uint32_t ino)
{
	if (insert_unless_used(i, ino))
		return 0;
	return ext4_error(i->fs, ino, 0, "inode is free in its bitmap and in use");
}

/*
 * Lets one reference go. True: it was the last one of an inode without links, and the caller evicts
 * it. Once the count is down another task may take, drop and free the inode; the epoch keeps it
 * readable until we have looked.
 */
static bool drop_reference(struct inode *i)
{
	int32_t idle = 0;

	guard_epoch();
	if (atomic_fetch_sub_explicit(&i->refs, 1, memory_order_acq_rel) > 1)
		return false;
	trace(i->fs, ext4_drop_inode, i->ino, !i->nlink);
	if (i->nlink)
		return false; /* it stays idle */
	while (!atomic_compare_exchange_strong(&i->refs, &idle, DEAD)) {
		if (idle != ASKED)
			return false; /* somebody took it again, and will be the last */
		task_yield();
		idle = 0;
	}
	return true;
}

void ext4_iput(struct inode *i)
{
	if (!drop_reference(i))
		return;
	atomic_fetch_or(&i->state, INODE_EVICTING);
	ext4_evict_inode(i);
	inode_gone(i);
}

/* ---- all of them */

int ext4_inode_for_each(struct ext4_fs *fs, int (*fn)(struct inode *i, void *arg), void *arg)
{
	struct inode_cache *c = fs->inodes;
	struct inode *i, *held = NULL;
	int err = 0;

	mutex_lock(&c->lock);
	for (struct list *at = c->lru.next; at != &c->lru && !err; at = at->next) {
		i = list_entry(at, struct inode, lru);
		if (inode_is(i, INODE_NEW) || !ext4_itake(i))
			continue;
		mutex_unlock(&c->lock);
		if (held)
			ext4_iput(held);
		held = i; /* keeps the place in the list */
		err = fn(i, arg);
		mutex_lock(&c->lock);
	}
	mutex_unlock(&c->lock);
	if (held)
		ext4_iput(held);
	return err;
}

/* Nothing hangs from it that only a waiting task could undo. */
static bool can_drop(struct inode *i)
{
	return i->nlink && !atomic_load(&i->mapping.page_count) && list_empty(&i->preallocations) &&
	       !i->reserved_blocks && !i->jinode.transaction &&
	       !inode_is(i, INODE_NEW | INODE_ORPHAN | INODE_DIRTY_TIME);
}

/*
 * It is idle, and may go: DEAD then. What can be dropped is asked only once nobody can take it, or who does in between
 * could leave something in it.
 */
static bool take_for_dropping(struct inode *i)
{
	int32_t idle = 0;
	bool drop;

	if (!atomic_compare_exchange_strong(&i->refs, &idle, ASKED))
		return false;
	drop = can_drop(i);
	atomic_store(&i->refs, drop ? DEAD : 0);
	return drop;
}

static size_t shrink(void *arg, size_t want)
{
	struct inode_cache *c = arg;
	struct inode *i, *tmp;
	size_t freed = 0;
	struct list dropped;
	uint32_t looks = 0;

	list_init(&dropped);
	mutex_lock(&c->lock);
	list_for_each_safe(i, tmp, &c->lru, lru) {
		if (freed >= want || ++looks > c->count + 16)
			break;
		if (!take_for_dropping(i))
			continue;
		unlink_out(c, i);
		list_add_tail(&dropped, &i->lru);
		freed += sizeof(*i);
	}
	if (freed)
		waitq_wake_all(&c->changed);
	mutex_unlock(&c->lock);
	list_for_each_safe(i, tmp, &dropped, lru) {
		ext4_inode_forget(i);
		ext4_inode_retire(i);
	}
	return freed;
}

int inode_cache_create(struct ext4_fs *fs)
{
	struct inode_cache *c = arena_new(fs->arena, struct inode_cache);
	struct inode_table *t = table_new(fs->arena, BUCKETS_FIRST);

	if (!c || !t) {
		arena_free(fs->arena, c);
		arena_free(fs->arena, t);
		return -ENOMEM;
	}
	mutex_init(&c->lock, RANK_INODE_CACHE);
	waitq_init(&c->changed);
	list_init(&c->lru);
	atomic_init(&c->table, t);
	c->fs = fs;
	c->shrinker = (struct shrinker){ .name = "inodes", .shrink = shrink, .arg = c };
	budget_add_shrinker(fs->budget, &c->shrinker);
	fs->inodes = c;
	return 0;
}

void ext4_inodes_evict_all(struct ext4_fs *fs)
{
	struct inode_cache *c = fs->inodes;
	struct inode *i;

	for (;;) {
		int32_t idle = 0;

		mutex_lock(&c->lock);
		list_for_each(i, &c->lru, lru)
			if (atomic_compare_exchange_strong(&i->refs, &idle, DEAD))
				break;
			else
				idle = 0;
		mutex_unlock(&c->lock);
		if (&i->lru == &c->lru)
			return;
		ext4_evict_inode(i);
		inode_gone(i);
	}
}

void inode_cache_destroy(struct ext4_fs *fs)
{
	struct inode_cache *c = fs->inodes;

	if (!c)
		return;
	ext4_inodes_evict_all(fs);
	ensure(list_empty(&c->lru));
	budget_remove_shrinker(fs->budget, &c->shrinker);
	arena_free(fs->arena, atomic_load(&c->table));
	waitq_fini(&c->changed);
	mutex_fini(&c->lock);
	arena_free(fs->arena, c);
	fs->inodes = NULL;
}
