/* SPDX-License-Identifier: BSD-2-Clause */
/* What a mounted file system holds, by name: to compare two, and to see bytes that belong to nobody. */
#ifndef EXTANT_TESTS_CRASH_TREE_H
#define EXTANT_TESTS_CRASH_TREE_H

#include "extant/extant.h"

/*
 * Walks everything. *print is of names, modes, owners, links, sizes and bytes: equal trees have equal ones. With
 * `letters`, each file holds nothing but zeroes and the letter that its name begins with; the first that does not is
 * named in `stranger` (of `room` bytes). 0, 1 (a stranger), or a negative errno.
 */
int tree_walk(struct extant *x, bool letters, uint64_t *print, char *stranger, size_t room);

/* `h` and `len` bytes more: FNV-1a. */
uint64_t tree_mix(uint64_t h, const void *bytes, size_t len);
#define TREE_MIX_START 0xcbf29ce484222325ull

#endif
