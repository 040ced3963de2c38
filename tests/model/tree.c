/* SPDX-License-Identifier: BSD-2-Clause */
/* The tree of tree.h. */
#include "tree.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void *need(void *p)
{
	if (!p)
		abort();
	return p;
}

bool is_dir(const struct node *n)
{
	return S_ISDIR(n->mode);
}

bool is_reg(const struct node *n)
{
	return S_ISREG(n->mode);
}

bool is_link(const struct node *n)
{
	return S_ISLNK(n->mode);
}

/* ---- nodes */

struct node *tree_node(struct tree *t, uint32_t mode)
{
	struct node *n = need(calloc(1, sizeof(*n)));

	n->mode = mode;
	n->all = t->nodes;
	t->nodes = n;
	return n;
}

static void node_free(struct node *n)
{
	for (uint32_t i = 0; i < n->entry_count; i++)
		free(n->entries[i].name);
	while (n->xattrs)
		xattr_remove(n, n->xattrs->name);
	free(n->entries);
	free(n->target);
	contents_free(&n->contents);
	free(n);
}

struct node *tree_find(struct tree *t, uint64_t ino, uint32_t generation, uint32_t mode)
{
	for (struct node *n = t->nodes; n; n = n->all)
		if (n->ino == ino && n->generation == generation && !((n->mode ^ mode) & S_IFMT))
			return n;
	return NULL;
}

void tree_init(struct tree *t, uint64_t root_ino)
{
	*t = (struct tree){ 0 };
	t->root = tree_node(t, S_IFDIR | 0755);
	t->root->ino = root_ino;
	t->root->nlink = 2;
	t->root->parent = t->root;
}

void tree_fini(struct tree *t)
{
	struct node *n;

	while ((n = t->nodes) != NULL) {
		t->nodes = n->all;
		node_free(n);
	}
}

void tree_synced(struct tree *t)
{
	for (struct node **at = &t->nodes; *at;) {
		struct node *n = *at;

		n->unsynced = false;
		if (n->nlink || n->opened || n == t->root) {
			at = &n->all;
			continue;
		}
		*at = n->all;
		node_free(n);
	}
}

/* ---- entries */

static uint32_t name_hash(const char *name)
{
	uint32_t h = 2166136261u;

	while (*name)
		h = (h ^ (uint8_t)*name++) * 16777619u;
	return h;
}

static struct entry *entry_find(const struct node *dir, const char *name)
{
	uint32_t h = name_hash(name);

	for (uint32_t i = 0; i < dir->entry_count; i++)
		if (dir->entries[i].hash == h && !strcmp(dir->entries[i].name, name))
			return &dir->entries[i];
	return NULL;
}

struct node *dir_find(const struct node *dir, const char *name)
{
	struct entry *e = entry_find(dir, name);

	return e ? e->node : NULL;
}

void dir_set(struct node *dir, const char *name, struct node *n)
{
	struct entry *e = entry_find(dir, name);

	if (!n) {
		free(e->name);
		*e = dir->entries[--dir->entry_count];
		return;
	}
	if (is_dir(n))
		n->parent = dir;
	if (e) {
		e->node = n;
		return;
	}
	if (dir->entry_count == dir->entry_room) {
		dir->entry_room = dir->entry_room ? dir->entry_room * 2 : 16;
		dir->entries = need(realloc(dir->entries, dir->entry_room * sizeof(*e)));
	}
	dir->entries[dir->entry_count++] = (struct entry){ need(strdup(name)), n, name_hash(name) };
}

void dir_add(struct tree *t, struct node *dir, const char *name, struct node *n)
{
	if (is_dir(n)) {
		n->nlink = 2;
		dir->nlink++;
	} else {
		n->nlink++;
	}
	if (n->nlink == (is_dir(n) ? 2 : 1))
		t->node_count++;
	dir_set(dir, name, n);
}

void dir_remove(struct tree *t, struct node *dir, const char *name)
{
	struct node *n = dir_find(dir, name);

	if (is_dir(n)) {
		n->nlink = 0;
		dir->nlink--;
	} else {
		n->nlink--;
	}
	if (!n->nlink) {
		t->node_count--;
		n->unsynced |= t->frees_at_once;
	}
	dir_set(dir, name, NULL);
}

static const char *name_of(const struct node *dir)
{
	const struct node *p = dir->parent;

	for (uint32_t i = 0; i < p->entry_count; i++)
		if (p->entries[i].node == dir)
			return p->entries[i].name;
	abort();
}

char *tree_path(const struct tree *t, const struct node *dir, const char *name, char *buf)
{
	if (dir == t->root)
		*buf = 0;
	else
		tree_path(t, dir->parent, name_of(dir), buf);
	strcat(buf, "/");
	return strcat(buf, name);
}

/* ---- extended attributes */

struct xattr *xattr_find(const struct node *n, const char *name)
{
	struct xattr *x = n->xattrs;

	while (x && strcmp(x->name, name))
		x = x->next;
	return x;
}

void xattr_remove(struct node *n, const char *name)
{
	for (struct xattr **at = &n->xattrs; *at; at = &(*at)->next) {
		struct xattr *x = *at;

		if (strcmp(x->name, name))
			continue;
		*at = x->next;
		free(x->name);
		free(x->value);
		free(x);
		return;
	}
}

void xattr_set(struct node *n, const char *name, const void *value, size_t len)
{
	struct xattr *x = need(malloc(sizeof(*x)));

	xattr_remove(n, name);
	*x = (struct xattr){ need(strdup(name)), need(malloc(len + 1)), len, n->xattrs };
	memcpy(x->value, value, len);
	n->xattrs = x;
}

/* ---- the hash: a sum over entries, so that their order does not matter */

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 31;
}

static uint64_t mix_bytes(uint64_t h, const void *p, size_t len)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < len; i++)
		h = (h ^ b[i]) * 0x100000001b3ull;
	return mix(h, len);
}

static uint64_t hash_xattrs(const struct node *n)
{
	uint64_t sum = 0;

	for (const struct xattr *x = n->xattrs; x; x = x->next)
		sum += mix_bytes(mix_bytes(7, x->name, strlen(x->name)), x->value, x->len);
	return sum;
}

static uint64_t hash_node(const struct node *n)
{
	uint64_t h = mix(n->ino, n->generation);

	h = mix(h, (uint64_t)n->mode << 32 | n->nlink);
	h = mix(h, (uint64_t)n->uid << 32 | n->gid);
	h = mix(h, n->flags);
	h = mix(h, (uint64_t)n->rdev_major << 32 | n->rdev_minor);
	if (n->target)
		h = mix_bytes(h, n->target, strlen(n->target));
	return mix(h, hash_xattrs(n));
}

static uint64_t hash_dir(const struct node *dir)
{
	uint64_t sum = hash_node(dir);

	for (uint32_t i = 0; i < dir->entry_count; i++) {
		const struct entry *e = &dir->entries[i];
		uint64_t h = mix(mix_bytes(dir->ino, e->name, strlen(e->name)), hash_node(e->node));

		sum += h;
		if (is_dir(e->node))
			sum += hash_dir(e->node);
	}
	return sum;
}

uint64_t tree_hash(const struct tree *t)
{
	return hash_dir(t->root);
}
