/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which blocks hold which attributes: an index from the hash of a block's content to its number, of
 * those blocks that this mount has seen and that one more inode may use. It is a hint: who finds a
 * block here looks at its bytes before using it.
 *
 * Not in here: blocks that carry as many users as they may, and those whose hash is 0.
 *
 * The locks of blocks are a few for all: who looks at how many use a block, and acts on it, holds
 * the block's.
 */
#include "base/assert.h"
#include "base/hash.h"
#include "ext4/xattr_internal.h"

#define LOCK_BITS	4u

struct cached {
	struct rb_node node;
	struct list age;
	ext4_fsblk_t block;
	uint32_t hash;
};

struct ext4_xattr_cache {
	struct mutex lock;			/* RANK_LRU */
	struct rb_tree tree GUARDED_BY(lock);	/* by hash, then block */
	struct list age GUARDED_BY(lock);	/* oldest first */
	struct mutex block_locks[1u << LOCK_BITS];	/* RANK_XATTR_BLOCK */
	struct ext4_fs *fs;
	struct shrinker shrinker;
};

struct mutex *xattr_cache_block_lock(struct ext4_fs *fs, ext4_fsblk_t block)
{
	return &fs->xattr_cache->block_locks[hash_bucket(hash_u64(block), LOCK_BITS)];
}

static bool before(const struct cached *c, uint32_t hash, ext4_fsblk_t block)
{
	return c->hash < hash || (c->hash == hash && c->block < block);
}

/* The first that is not before (hash, block). */
static struct cached *find(struct ext4_xattr_cache *x, uint32_t hash, ext4_fsblk_t block)
{
	struct rb_node *at = x->tree.root;
	struct cached *best = NULL;

	while (at) {
		struct cached *c = rb_entry(at, struct cached, node);

		if (before(c, hash, block)) {
			at = at->right;
		} else {
			best = c;
			at = at->left;
		}
	}
	return best;
}

static struct cached *find_exactly(struct ext4_xattr_cache *x, uint32_t hash, ext4_fsblk_t block)
{
	struct cached *c = find(x, hash, block);

	return c && c->hash == hash && c->block == block ? c : NULL;
}

static void insert(struct ext4_xattr_cache *x, struct cached *c)
{
	struct rb_node **link = &x->tree.root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = before(rb_entry(parent, struct cached, node), c->hash, c->block)
			       ? &parent->right
			       : &parent->left;
	}
	rb_insert(&x->tree, &c->node, parent, link);
	list_add_tail(&x->age, &c->age);
}

static void drop(struct ext4_xattr_cache *x, struct cached *c)
{
	rb_remove(&x->tree, &c->node);
	list_remove(&c->age);
	budget_uncharge(x->fs->budget, sizeof(*c));
	arena_free(x->fs->arena, c);
}

/* Without memory the block is not shared, which is no error. */
void xattr_cache_add(struct ext4_fs *fs, uint32_t hash, ext4_fsblk_t block)
{
	struct ext4_xattr_cache *x = fs->xattr_cache;
	struct cached *c;

	if (!hash || fs->opt.no_mbcache)
		return;
	guard(&x->lock);
	c = find_exactly(x, hash, block);
	if (c) { /* as good as new */
		list_remove(&c->age);
		list_add_tail(&x->age, &c->age);
		return;
	}
	c = arena_new(fs->arena, struct cached);
	if (!c)
		return;
	c->hash = hash;
	c->block = block;
	budget_charge(fs->budget, sizeof(*c));
	insert(x, c);
}

void xattr_cache_remove(struct ext4_fs *fs, uint32_t hash, ext4_fsblk_t block)
{
	struct ext4_xattr_cache *x = fs->xattr_cache;
	struct cached *c;

	guard(&x->lock);
	c = find_exactly(x, hash, block);
	if (c)
		drop(x, c);
}

ext4_fsblk_t xattr_cache_next(struct ext4_fs *fs, uint32_t hash, ext4_fsblk_t after)
{
	struct ext4_xattr_cache *x = fs->xattr_cache;
	struct cached *c;

	if (!hash)
		return 0;
	guard(&x->lock);
	c = find(x, hash, after + 1);
	return c && c->hash == hash ? c->block : 0;
}

/* ---- of a mount */

static size_t shrink(void *arg, size_t want)
{
	struct ext4_xattr_cache *x = arg;
	struct cached *c;
	size_t freed = 0;

	guard(&x->lock);
	while (freed < want && (c = list_first(&x->age, struct cached, age)) != NULL) {
		drop(x, c);
		freed += sizeof(*c);
	}
	return freed;
}

int ext4_xattr_cache_create(struct ext4_fs *fs)
{
	struct ext4_xattr_cache *x = arena_new(fs->arena, struct ext4_xattr_cache);

	if (!x)
		return -ENOMEM;
	mutex_init(&x->lock, RANK_LRU);
	for (unsigned i = 0; i < array_size(x->block_locks); i++)
		mutex_init(&x->block_locks[i], RANK_XATTR_BLOCK);
	list_init(&x->age);
	x->fs = fs;
	x->shrinker = (struct shrinker){ .name = "attribute blocks", .shrink = shrink, .arg = x };
	budget_add_shrinker(fs->budget, &x->shrinker);
	fs->xattr_cache = x;
	return 0;
}

void ext4_xattr_cache_destroy(struct ext4_fs *fs)
{
	struct ext4_xattr_cache *x = fs->xattr_cache;

	if (!x)
		return;
	budget_remove_shrinker(fs->budget, &x->shrinker);
	(void)shrink(x, SIZE_MAX);
	for (unsigned i = 0; i < array_size(x->block_locks); i++)
		mutex_fini(&x->block_locks[i]);
	mutex_fini(&x->lock);
	arena_free(fs->arena, x);
	fs->xattr_cache = NULL;
}
