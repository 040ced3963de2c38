/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between extent_status.c (what is known of a file) and es_shrinker.c (the memory it takes). Not
 * for others: they use map.h.
 */
#ifndef EXTANT_EXT4_EXTENT_STATUS_H
#define EXTANT_EXT4_EXTENT_STATUS_H

#include "ext4/map.h"

/*
 * A new entry, charged to the budget. `must`: losing it would lose a promise, so the reserve, what
 * was set aside and, at last, what this tree can do without are used up before it is NULL.
 */
struct extent_status *ext4_es_entry_new(struct inode *inode, bool must) REQUIRES(inode->es.lock);
void ext4_es_entry_free(struct ext4_fs *fs, struct extent_status *es);
/* The entry leaves its tree; it is not freed. */
void ext4_es_unlink(struct es_tree *t, struct extent_status *es) REQUIRES(t->lock);

/* The tree has something to give back from now on / goes away. */
void ext4_es_enlist(struct inode *inode) REQUIRES(inode->es.lock);
void ext4_es_delist(struct inode *inode) REQUIRES(inode->es.lock);

/* Delayed and nothing else: there is no block yet, and somebody was promised one. */
static inline bool es_is_delayed(const struct extent_status *es)
{
	return es->status & ES_DELAYED;
}

static inline ext4_lblk_t es_last(const struct extent_status *es)
{
	return es->lblk + es->len - 1;
}

#endif
