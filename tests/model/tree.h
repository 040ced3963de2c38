/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tree as the calls left it: what any file system with Linux's calls has to show afterwards. It knows names,
 * attributes and bytes, and nothing of blocks.
 *
 * A node lives as long as anything may come back to it: a name, an open file, or a crash that undoes what was
 * done since the last sync; tree_synced() frees those that nothing can bring back.
 */
#ifndef EXTANT_TESTS_MODEL_TREE_H
#define EXTANT_TESTS_MODEL_TREE_H

#include "contents.h"

#define NAME_BYTES 255u

struct xattr {
	char *name;
	uint8_t *value;
	size_t len;
	struct xattr *next;
};

struct entry {
	char *name;
	struct node *node;
	uint32_t hash;
};

/* A time, as far as it is known: somewhere in here, in ns. Once it has been looked at, it must stay what it was. */
struct span {
	int64_t from, to;
};

/* Of chattr's flags, those that are looked at. */
#define FLAG_IMMUTABLE	0x10u
#define FLAG_APPEND	0x20u
#define FLAG_NODUMP	0x40u		/* goes on to what is made in a directory */
#define FLAGS_ALL	(FLAG_IMMUTABLE | FLAG_APPEND | FLAG_NODUMP)

struct node {
	struct node *all;		/* in tree.nodes */
	uint32_t mode, uid, gid, nlink, rdev_major, rdev_minor;
	uint64_t ino;			/* as the file system has numbered it */
	uint32_t generation;
	uint32_t flags;			/* FLAG_* */
	struct span atime, mtime, ctime;
	uint64_t size;
	struct contents contents;	/* of a regular file */
	char *target;			/* of a symbolic link */
	struct xattr *xattrs;
	struct node *parent;		/* of a directory */
	struct entry *entries;		/* of a directory */
	uint32_t entry_count, entry_room;
	uint32_t opened;		/* descriptors */
	bool linkable;			/* made without a name, and may get one */
	bool unsynced;			/* bytes or size changed since they were last made safe */
	bool seen;			/* scratch of a walk */
};

struct tree {
	struct node *nodes, *root;
	uint32_t node_count;		/* with a name */
	bool frees_at_once;		/* data=writeback: others may have a file's blocks before its end is safe */
};

void tree_init(struct tree *t, uint64_t root_ino);
void tree_fini(struct tree *t);

struct node *tree_node(struct tree *t, uint32_t mode);
/* Of that number, generation and kind of file (mode). */
struct node *tree_find(struct tree *t, uint64_t ino, uint32_t generation, uint32_t mode);

struct node *dir_find(const struct node *dir, const char *name);
/* Link counts are kept by these: of the node, and of `dir` for a directory's `..`. */
void dir_add(struct tree *t, struct node *dir, const char *name, struct node *n);
void dir_remove(struct tree *t, struct node *dir, const char *name);
/* The same without touching link counts. */
void dir_set(struct node *dir, const char *name, struct node *n);

bool is_dir(const struct node *n);
bool is_reg(const struct node *n);
bool is_link(const struct node *n);

struct xattr *xattr_find(const struct node *n, const char *name);
void xattr_set(struct node *n, const char *name, const void *value, size_t len);
void xattr_remove(struct node *n, const char *name);

/* The plain path of a name: no dots, no links. Returns buf. */
char *tree_path(const struct tree *t, const struct node *dir, const char *name, char *buf);

/* Names, kinds, owners, link counts, targets and attributes of all that can be reached: equal trees, equal hashes. */
uint64_t tree_hash(const struct tree *t);
/* All is safe: what has no name and is not open is forgotten. */
void tree_synced(struct tree *t);

/* ---- a path */

enum last_kind { LAST_NAME, LAST_DOT, LAST_DOTDOT, LAST_ROOT };
struct place {
	struct node *dir;		/* of the last name */
	char name[NAME_BYTES + 1];
	enum last_kind last;
	bool slash;			/* at the end */
	bool too_long;			/* the last name, which no directory takes */
	struct node *node;		/* NULL: there is none of that name */
};
/* Up to the last name, which is looked up and not followed. 0 or a negative errno. */
int walk_parent(const struct tree *t, const char *path, struct place *out);
/* To what a path names; follow: through a symbolic link at its end. */
int walk(const struct tree *t, const char *path, bool follow, struct node **out);
/* From `dir`, with `links` symbolic links passed already; too_long is for the caller to look at. */
int walk_parent_from(const struct tree *t, struct node *dir, const char *path, int *links, struct place *out);

#endif
