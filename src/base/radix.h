/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A map from 64-bit numbers to pointers: a tree of nodes with 64 places each, as high as the
 * largest number in it needs. Each entry may carry tags ("dirty", "being written"); a tag is known
 * all the way up, so that tagged entries are found without passing the others. A lone entry at 0
 * needs no node.
 *
 * Who changes the tree holds the lock that guards it. Who only looks (lookup, tagged, next,
 * next_tagged) holds that lock or is inside an epoch. Inside an epoch an entry that comes or goes
 * meanwhile may be seen or not, and tags may be those of a moment ago.
 *
 * Entries are aligned to two bytes or more and not NULL.
 */
#ifndef EXTANT_BASE_RADIX_H
#define EXTANT_BASE_RADIX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/alloc.h"
#include "base/sync.h"

enum radix_tag { RADIX_TAG_0, RADIX_TAG_1, RADIX_TAGS };	/* what they mean is the user's */

struct radix {
	struct arena *arena;
	/*
	 * How a node is freed once nobody reads it: epoch_retire, or NULL for at once (no readers
	 * in epochs).
	 */
	void (*retire)(struct epoch_node *node, void (*fn)(struct epoch_node *node));
	_Atomic(void *) root;		/* NULL, the entry at 0, or a node's address + 1 */
	_Atomic bool root_tagged[RADIX_TAGS];	/* of a lone entry */
};

void radix_init(struct radix *r, struct arena *a,
		void (*retire)(struct epoch_node *node, void (*fn)(struct epoch_node *node)));
/* Frees the nodes; what the entries point to is the caller's. Nobody reads any more. */
void radix_fini(struct radix *r);

/* 0, -EEXIST or -ENOMEM (nothing has changed then). A new entry has no tag. */
must_check int radix_insert(struct radix *r, uint64_t key, void *entry);
/* Puts `entry` in the place of the one that is there; its tags stay. */
void radix_replace(struct radix *r, uint64_t key, void *entry);
/* Takes the entry and its tags out; yields it, or NULL when there was none. */
void *radix_remove(struct radix *r, uint64_t key);
void *radix_lookup(const struct radix *r, uint64_t key);
/*
 * The entries at `key`, `key` + 1 and so on, up to `max` of them, up to the first that is missing;
 * how many. Perhaps fewer: those that lie in one node.
 */
uint32_t radix_lookup_run(const struct radix *r, uint64_t key, void **out, uint32_t max);
/* What is there will be looked up soon. */
void radix_prefetch(const struct radix *r, uint64_t key);

/* The entry is there. */
void radix_set_tag(struct radix *r, uint64_t key, enum radix_tag tag);
/* The entry may be there or not. */
void radix_clear_tag(struct radix *r, uint64_t key, enum radix_tag tag);
bool radix_tagged(const struct radix *r, uint64_t key, enum radix_tag tag);
bool radix_any_tagged(const struct radix *r, enum radix_tag tag);
bool radix_empty(const struct radix *r);

/*
 * The entry with the lowest number from `*key` on, whose number becomes `*key`; NULL when there is
 * none.
 */
void *radix_next(const struct radix *r, uint64_t *key);
void *radix_next_tagged(const struct radix *r, uint64_t *key, enum radix_tag tag);

/*
 * for (uint64_t key = 0; (entry = radix_next(r, &key)); key++) visits all but ends wrongly at
 * UINT64_MAX; this does not. The entry at hand may be removed on the way.
 */
#define radix_for_each(entry, key, r) \
	for ((key) = 0, (entry) = radix_next((r), &(key)); (entry); \
	     (entry) = (key) == UINT64_MAX ? NULL : ((key)++, radix_next((r), &(key))))
#define radix_for_each_tagged(entry, key, r, tag) \
	for ((key) = 0, (entry) = radix_next_tagged((r), &(key), (tag)); (entry); \
	     (entry) = (key) == UINT64_MAX ? NULL \
					   : ((key)++, radix_next_tagged((r), &(key), (tag))))

#endif
