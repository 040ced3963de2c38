/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The name cache. Names that are there, and names that are known not to be: each look-up on disk
 * leaves one.
 *
 * A hash of (directory, name), walked inside an epoch: no lock, no shared word written. Changes of
 * the table hold `lock` (RANK_DENTRY); what a name means changes under its directory's lock
 * besides.
 *
 *	refs > 0    somebody stands on it: an open file, a walker, a child
 *	refs == 0   idle: stays, until memory is wanted
 *	DEAD        out of the table, freed after the epochs
 *
 * A rename gives a dentry another name and another place in the table, and leaves the dentry: who
 * stands on it, and the names below it, move with it. Who walks a chain meanwhile is led into
 * another chain at worst, and misses: then it asks again with locks.
 */
#include <string.h>
#include "base/assert.h"
#include "base/hash.h"
#include "vfs/internal.h"

#define DEAD		INT32_MIN
#define BUCKETS_FIRST	256

struct dentry_table {
	struct epoch_node retire;
	struct arena *arena;
	uint32_t mask;
	struct dentry *_Atomic heads[];
};

struct dcache {
	struct mutex lock;		/* RANK_DENTRY */
	struct dentry_table *_Atomic table;
	struct list lru GUARDED_BY(lock);
	uint32_t count GUARDED_BY(lock);
	struct dentry *root;
	struct shrinker shrinker;
	struct vfs *vfs;
};

static uint32_t hash_of(const struct dentry *parent, const struct ext4_name *name)
{
	return (uint32_t)hash_bytes(name->bytes, name->len, (uintptr_t)parent);
}

static size_t size_of(size_t name_len)
{
	return sizeof(struct dentry) + name_len;
}

/* ---- the table */

static struct dentry_table *table_new(struct arena *a, uint32_t buckets)
{
	struct dentry_table *t = arena_zalloc(a, sizeof(*t) + buckets * sizeof(t->heads[0]));

	if (t) {
		t->mask = buckets - 1;
		t->arena = a;
	}
	return t;
}

static void table_free(struct epoch_node *node)
{
	struct dentry_table *t = container_of(node, struct dentry_table, retire);

	arena_free(t->arena, t);
}

static struct dentry_name *name_of(const struct dentry *d)
{
	return atomic_load_explicit(&((struct dentry *)d)->name, memory_order_acquire);
}

static bool is(const struct dentry *d, const struct dentry *parent, const struct ext4_name *name,
	       uint32_t hash)
{
	const struct dentry_name *n = name_of(d);

	return n->hash == hash && n->parent == parent && n->len == name->len &&
	       !memcmp(n->bytes, name->bytes, name->len);
}

struct dentry *dcache_find(struct vfs *v, struct dentry *parent, const struct ext4_name *name)
{
	struct dentry_table *t = atomic_load_explicit(&v->dcache->table, memory_order_acquire);
	uint32_t hash = hash_of(parent, name);
	struct dentry *d = atomic_load_explicit(&t->heads[hash & t->mask], memory_order_acquire);

	while (d && !is(d, parent, name, hash))
		d = atomic_load_explicit(&d->hash_next, memory_order_acquire);
	if (d && !(atomic_load_explicit(&d->state, memory_order_relaxed) & DENTRY_REFERENCED))
		atomic_fetch_or_explicit(&d->state, DENTRY_REFERENCED, memory_order_relaxed);
	return d;
}

static void link_in(struct dentry_table *t, struct dentry *d)
{
	struct dentry *_Atomic *head = &t->heads[name_of(d)->hash & t->mask];

	atomic_store_explicit(&d->hash_next, atomic_load_explicit(head, memory_order_relaxed),
			      memory_order_relaxed);
	atomic_store_explicit(head, d, memory_order_release);
}

static void grow(struct dcache *c)
{
	struct dentry_table *old = atomic_load_explicit(&c->table, memory_order_relaxed);
	struct dentry_table *t = table_new(c->vfs->fs->arena, (old->mask + 1) * 2);
	struct dentry *d;

	if (!t)
		return; /* longer chains are no error */
	/* A reader that is led into the new chains misses at worst, and then walks with locks. */
	list_for_each(d, &c->lru, lru)
		if (atomic_load(&d->state) & DENTRY_HASHED)
			link_in(t, d);
	atomic_store_explicit(&c->table, t, memory_order_release);
	epoch_retire(&old->retire, table_free);
}

static void insert(struct dcache *c, struct dentry *d)
{
	struct dentry_table *t = atomic_load_explicit(&c->table, memory_order_relaxed);

	link_in(t, d);
	list_add_tail(&c->lru, &d->lru);
	list_add_tail(&name_of(d)->parent->children, &d->sibling);
	atomic_fetch_or(&d->state, DENTRY_HASHED);
	if (++c->count > 2 * (t->mask + 1))
		grow(c);
}

static void unhash(struct dcache *c, struct dentry *d)
{
	struct dentry_table *t = atomic_load_explicit(&c->table, memory_order_relaxed);
	struct dentry *_Atomic *link = &t->heads[name_of(d)->hash & t->mask];

	if (!(atomic_fetch_and(&d->state, ~DENTRY_HASHED) & DENTRY_HASHED))
		return;
	while (atomic_load_explicit(link, memory_order_relaxed) != d)
		link = &atomic_load_explicit(link, memory_order_relaxed)->hash_next;
	atomic_store_explicit(link, atomic_load_explicit(&d->hash_next, memory_order_relaxed),
			      memory_order_release);
	list_remove(&d->lru);
	list_remove(&d->sibling);
	c->count--;
}

/* ---- one name */

static void name_fill(struct dentry_name *n, struct dentry *parent, const struct ext4_name *name)
{
	n->parent = parent;
	n->len = (uint8_t)name->len;
	memcpy(n->bytes, name->bytes, name->len);
	n->hash = hash_of(parent, name);
}

static struct dentry *dentry_new(struct vfs *v, struct dentry *parent, const struct ext4_name *name,
				 struct inode *inode)
{
	struct dentry *d = arena_zalloc(v->fs->arena, size_of(name->len));

	if (!d)
		return NULL;
	d->fs = v->fs;
	d->bytes = size_of(name->len);
	name_fill(&d->first_name, parent ? parent : d, name);
	atomic_init(&d->name, &d->first_name);
	list_init(&d->lru);
	list_init(&d->children);
	list_init(&d->sibling);
	atomic_init(&d->inode, inode);
	atomic_init(&d->refs, 1);
	if (parent)
		dentry_hold(parent);
	budget_charge(v->fs->budget, size_of(name->len));
	return d;
}

static void dentry_free(struct epoch_node *node)
{
	struct dentry *d = container_of(node, struct dentry, retire);
	struct dentry_name *name = name_of(d);

	if (name->arena)
		arena_free(name->arena, name);
	arena_free(d->fs->arena, d);
}

bool dentry_take(struct dentry *d)
{
	int32_t refs = atomic_load_explicit(&d->refs, memory_order_relaxed);

	while (refs >= 0)
		if (atomic_compare_exchange_weak_explicit(
			    &d->refs, &refs, refs + 1, memory_order_acq_rel, memory_order_relaxed))
			return true;
	return false;
}

void dentry_hold(struct dentry *d)
{
	ensure(atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed) >= 0);
}

/*
 * Lets one reference go. True: it was the last one of a name that is out of the table, and the caller
 * ends it. Once the count is down another task may end and free it; the epoch keeps it readable until
 * we have looked.
 */
static bool drop_reference(struct dentry *d, const struct dentry *root)
{
	int32_t idle = 0;

	guard_epoch();
	if (atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel) > 1)
		return false;
	return d != root && !(atomic_load(&d->state) & DENTRY_HASHED) &&
	       atomic_compare_exchange_strong(&d->refs, &idle, DEAD);
}

/* The last reference of a name that is out of the table ends it, and may end its parent. */
static void retire(struct dentry *d)
{
	while (d) {
		struct dentry *parent = name_of(d)->parent == d ? NULL : name_of(d)->parent;
		struct inode *inode = dentry_inode(d);

		atomic_store(&d->inode, NULL);
		budget_uncharge(d->fs->budget, d->bytes);
		epoch_retire(&d->retire, dentry_free);
		if (inode)
			ext4_iput(inode);
		if (!parent || !drop_reference(parent, NULL))
			return;
		d = parent;
	}
}

void dentry_put(struct vfs *v, struct dentry *d)
{
	if (drop_reference(d, v->dcache->root))
		retire(d);
}

int dcache_add(struct vfs *v, struct dentry *parent, const struct ext4_name *name,
	       struct inode *inode, struct dentry **out)
{
	struct dcache *c = v->dcache;
	struct dentry *d = dentry_new(v, parent, name, inode), *there;

	if (!d) {
		if (inode)
			ext4_iput(inode);
		return -ENOMEM;
	}
	mutex_lock(&c->lock);
	there = dcache_find(v, parent, name);
	if (there && dentry_take(there)) {
		mutex_unlock(&c->lock);
		dentry_put(v, d); /* not in the table: it goes, and the inode's reference with it */
		*out = there;
		return 0;
	}
	insert(c, d);
	mutex_unlock(&c->lock);
	*out = d;
	return 0;
}

void dentry_set_inode(struct dentry *d, struct inode *inode)
{
	ensure(!dentry_inode(d));
	atomic_store_explicit(&d->inode, inode, memory_order_release);
}

void dentry_remove(struct vfs *v, struct dentry *d)
{
	const struct dentry_name *n = name_of(d);
	const struct ext4_name name = { n->bytes, n->len };
	struct dcache *c = v->dcache;
	bool alone = atomic_load(&d->refs) == 1;
	struct dentry *gone;

	mutex_lock(&c->lock);
	unhash(c, d);
	mutex_unlock(&c->lock);
	if (alone && dcache_add(v, n->parent, &name, NULL, &gone) == 0)
		dentry_put(v, gone);
}

int dcache_add_nameless(struct vfs *v, struct dentry *parent, struct inode *inode,
			struct dentry **out)
{
	const struct ext4_name none = { "", 0 };

	*out = dentry_new(v, parent, &none, inode);
	if (*out)
		return 0;
	ext4_iput(inode);
	return -ENOMEM;
}

/* ---- renames */

int dentry_name_create(struct vfs *v, struct dentry *parent, const struct ext4_name *name,
		       struct dentry_name **out)
{
	struct dentry_name *n = arena_zalloc(v->fs->arena, sizeof(*n) + name->len);

	if (!n)
		return -ENOMEM;
	n->arena = v->fs->arena;
	name_fill(n, parent, name);
	dentry_hold(parent);
	*out = n;
	return 0;
}

void dentry_name_destroy(struct vfs *v, struct dentry_name *name)
{
	if (!name)
		return;
	dentry_put(v, name->parent);
	arena_free(name->arena, name);
}

static void name_free(struct epoch_node *node)
{
	struct dentry_name *n = container_of(node, struct dentry_name, retire);

	if (n->arena)
		arena_free(n->arena, n);
}

/* Under the cache's lock, and out of the table meanwhile. Yields the old name. */
static struct dentry_name *name_replace(struct dcache *c, struct dentry *d,
					struct dentry_name *name)
{
	struct dentry_name *old = name_of(d);

	unhash(c, d);
	atomic_store_explicit(&d->name, name, memory_order_release);
	insert(c, d);
	return old;
}

/* Who still reads it does so in an epoch; the first name goes with its dentry. */
static void name_retire(struct vfs *v, struct dentry_name *name)
{
	dentry_put(v, name->parent);
	if (name->arena)
		epoch_retire(&name->retire, name_free);
}

void dentry_move(struct vfs *v, struct dentry *d, struct dentry_name *name,
		 struct dentry *replaced)
{
	struct dcache *c = v->dcache;
	struct dentry_name *old;

	mutex_lock(&c->lock);
	if (replaced)
		unhash(c, replaced);
	old = name_replace(c, d, name);
	mutex_unlock(&c->lock);
	name_retire(v, old);
}

void dentry_exchange(struct vfs *v, struct dentry *a, struct dentry_name *name_of_a,
		     struct dentry *b, struct dentry_name *name_of_b)
{
	struct dcache *c = v->dcache;
	struct dentry_name *old_a, *old_b;

	mutex_lock(&c->lock);
	old_a = name_replace(c, a, name_of_a);
	old_b = name_replace(c, b, name_of_b);
	mutex_unlock(&c->lock);
	name_retire(v, old_a);
	name_retire(v, old_b);
}

struct dentry *dentry_take_parent(struct dentry *d)
{
	struct dentry *parent;

	guard_epoch();
	do
		parent = dentry_parent(d);
	while (!dentry_take(parent)); /* it was renamed meanwhile, and the one it left is gone */
	return parent;
}

uint32_t dentry_parent_ino(const struct dentry *d)
{
	guard_epoch();
	return dentry_inode(dentry_parent(d))->ino;
}

struct dentry *dentry_child_towards(struct dentry *dir, struct dentry *d)
{
	guard_epoch();
	while (dentry_inode(dentry_parent(d)) != dentry_inode(dir)) {
		if (dentry_parent(d) == d)
			return NULL;
		d = dentry_parent(d);
	}
	return dentry_parent(d) == d ? NULL : d;
}

bool dcache_is_above(struct vfs *v, struct dentry *d, const struct inode *inode)
{
	guard(&v->dcache->lock); /* a rename beside it shows all or nothing */
	while (dentry_inode(d) != inode) {
		if (dentry_parent(d) == d)
			return false;
		d = dentry_parent(d);
	}
	return true;
}

/* ---- memory */

/* Idle, out of the table, dead: the caller retires them outside of the lock. */
static size_t collect(struct dcache *c, size_t want, bool (*may)(struct dentry *d, void *arg),
		      void *arg, struct list *out)
{
	struct dentry *d, *tmp;
	size_t freed = 0;
	uint32_t looks = c->count;

	list_for_each_safe(d, tmp, &c->lru, lru) {
		int32_t idle = 0;

		if (freed >= want || !looks--)
			break;
		if (atomic_load(&d->refs) || !may(d, arg) ||
		    !atomic_compare_exchange_strong(&d->refs, &idle, DEAD))
			continue;
		unhash(c, d);
		list_add_tail(out, &d->lru);
		freed += d->bytes;
	}
	return freed;
}

static size_t drop(struct dcache *c, size_t want, bool (*may)(struct dentry *d, void *arg),
		   void *arg)
{
	struct list dead;
	struct dentry *d;
	size_t freed;

	list_init(&dead);
	mutex_lock(&c->lock);
	freed = collect(c, want, may, arg, &dead);
	mutex_unlock(&c->lock);
	while ((d = list_first(&dead, struct dentry, lru)) != NULL) {
		list_remove(&d->lru);
		retire(d);
	}
	return freed;
}

/* Who takes the last link away holds the name: what changes meanwhile is another's. */
racy_reader static bool has_links(const struct inode *inode)
{
	return *(const volatile uint32_t *)&inode->nlink;
}

/*
 * Used since last time: once more around. The last reference of an unlinked inode must not end
 * here.
 */
static bool may_shrink(struct dentry *d, void *arg)
{
	struct inode *inode = dentry_inode(d);

	(void)arg;
	if (inode && !has_links(inode))
		return false;
	return !(atomic_fetch_and(&d->state, ~DENTRY_REFERENCED) & DENTRY_REFERENCED);
}

static size_t shrink(void *arg, size_t want)
{
	return drop(arg, want, may_shrink, NULL);
}

static bool any(struct dentry *d, void *arg)
{
	(void)d;
	(void)arg;
	return true;
}

/*
 * Idle children go; one with children of its own is handed out, held, to be pruned first. NULL:
 * there is none.
 */
static struct dentry *drop_children(struct dcache *c, struct dentry *d, const struct dentry *tried)
{
	struct dentry *child, *tmp, *next = NULL;
	struct list dead;

	list_init(&dead);
	mutex_lock(&c->lock);
	list_for_each_safe(child, tmp, &d->children, sibling) {
		int32_t idle = 0;

		if (!list_empty(&child->children) && child != tried) {
			if (!next && dentry_take(child))
				next = child;
		} else if (atomic_compare_exchange_strong(&child->refs, &idle, DEAD)) {
			unhash(c, child);
			list_add_tail(&dead, &child->lru);
		}
	}
	mutex_unlock(&c->lock);
	while ((child = list_first(&dead, struct dentry, lru)) != NULL) {
		list_remove(&child->lru);
		retire(child);
	}
	return next;
}

#define PRUNE_DEPTH	32		/* what lies deeper, or is more, waits until memory is wanted */
#define PRUNE_DIRS	256

static void prune(struct vfs *v, struct dentry *d, int depth)
{
	struct dentry *child = NULL;

	for (int n = 0; n < PRUNE_DIRS; n++) {
		child = drop_children(v->dcache, d,
				      child); /* the last one, if it is still held, stays */
		if (!child)
			return;
		if (depth < PRUNE_DEPTH)
			prune(v, child, depth + 1);
		dentry_put(v, child);
	}
}

void dcache_prune_children(struct vfs *v, struct dentry *d)
{
	prune(v, d, 0);
}

/* ---- its life */

struct dentry *dcache_root(struct vfs *v)
{
	return v->dcache->root;
}

int dcache_create(struct vfs *v)
{
	const struct ext4_name none = { "", 0 };
	struct dcache *c = arena_new(v->fs->arena, struct dcache);
	struct dentry_table *t = table_new(v->fs->arena, BUCKETS_FIRST);
	struct inode *root = NULL;
	int err = c && t ? ext4_iget(v->fs, EXT4_ROOT_INO, IGET_NORMAL, &root) : -ENOMEM;

	if (!err && !EXT4_S_ISDIR(root->mode))
		err = ext4_error(v->fs, EXT4_ROOT_INO, 0, "the root is not a directory");
	if (!err) {
		c->root = dentry_new(v, NULL, &none, root);
		err = c->root ? 0 : -ENOMEM;
	}
	if (err) {
		if (root)
			ext4_iput(root);
		arena_free(v->fs->arena, c);
		arena_free(v->fs->arena, t);
		return err;
	}
	mutex_init(&c->lock, RANK_DENTRY);
	list_init(&c->lru);
	atomic_init(&c->table, t);
	c->vfs = v;
	c->shrinker = (struct shrinker){ .name = "names", .shrink = shrink, .arg = c };
	budget_add_shrinker(v->fs->budget, &c->shrinker);
	v->dcache = c;
	return 0;
}

void dcache_destroy(struct vfs *v)
{
	struct dcache *c = v->dcache;

	if (!c)
		return;
	budget_remove_shrinker(v->fs->budget, &c->shrinker);
	while (drop(c, SIZE_MAX, any, NULL))
		;
	ensure(list_empty(&c->lru));
	atomic_store(&c->root->refs, DEAD);
	retire(c->root);
	arena_free(v->fs->arena, atomic_load(&c->table));
	mutex_fini(&c->lock);
	arena_free(v->fs->arena, c);
	v->dcache = NULL;
}
