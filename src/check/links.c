/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names against inodes: each inode has as many names as it counts, each directory one name, and a
 * way up to the root.
 */
#include <inttypes.h>
#include "check/internal.h"

struct dir_note *check_dir_note(struct check *c, uint32_t ino)
{
	size_t low = 0, high = c->dirs_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (c->dirs[middle].ino < ino)
			low = middle + 1;
		else
			high = middle;
	}
	return low < c->dirs_count && c->dirs[low].ino == ino ? &c->dirs[low] : NULL;
}

/* ---- the tree of directories */

#define SEEN_GOOD UINT32_MAX /* has a way up to the root, or its way was reported */

static int check_dotdot(struct check *c, const struct dir_note *d)
{
	uint32_t parent = d->ino == EXT4_ROOT_INO ? EXT4_ROOT_INO : d->parent;

	if (d->dotdot == 0 || parent == 0 || d->dotdot == parent)
		return 0;
	return check_say(c, AT_INODE(CHECK_LINKS, d->ino),
			 ".. is %" PRIu32 ", but the name is in %" PRIu32, d->dotdot, parent);
}

/* Goes up from `d`, marking the way with `walk`; a way that meets itself is a loop. */
static int check_way_up(struct check *c, struct dir_note *d, uint32_t walk)
{
	struct dir_note *at = d;
	int err = 0;

	while (at && at->seen != SEEN_GOOD && at->ino != EXT4_ROOT_INO) {
		if (at->seen == walk) {
			err = check_say(c, AT_INODE(CHECK_LINKS, at->ino), "lies below itself");
			break;
		}
		at->seen = walk;
		at = at->parent ? check_dir_note(c, at->parent) : NULL;
	}
	for (at = d; at && at->seen == walk; at = at->parent ? check_dir_note(c, at->parent) : NULL)
		at->seen = SEEN_GOOD;
	return err;
}

static int check_tree(struct check *c)
{
	int err = 0;

	for (size_t i = 0; !err && i < c->dirs_count; i++) {
		err = check_dotdot(c, &c->dirs[i]);
		if (!err)
			err = check_way_up(c, &c->dirs[i], (uint32_t)i + 1);
	}
	return err;
}

/* ---- link counts */

/* A directory with more subdirectories than can be counted has a link count of 1. */
static bool links_match(const struct check *c, const struct inode_note *n)
{
	if (n->links == n->found)
		return true;
	return n->type == EXT4_FT_DIR && n->links == 1 &&
	       c->geo.feature_ro_compat & EXT4_FEATURE_RO_COMPAT_DIR_NLINK;
}

/* Whether a name leads to it; a directory's own . and the .. of those below it do not. */
static bool has_name(struct check *c, uint32_t ino, const struct inode_note *n)
{
	if (ino == EXT4_ROOT_INO)
		return true;
	return n->type == EXT4_FT_DIR ? check_dir_note(c, ino)->parent != 0 : n->found != 0;
}

static int check_inode_links(struct check *c, uint32_t ino, const struct inode_note *n)
{
	const struct place at = AT_INODE(CHECK_LINKS, ino);

	if (!has_name(c, ino, n)) {
		if (n->links)
			return check_say(c, at, "no name leads to it");
		return 0; /* an orphan; a removed directory may still have its . */
	}
	if (links_match(c, n))
		return 0;
	return check_say(c, at, "%u links are counted, there are %u", n->links, n->found);
}

static int check_group_links(struct check *c, ext4_group_t group)
{
	const struct inode_note *notes = c->groups[group].notes;
	uint32_t first = group * c->geo.inodes_per_group + 1;
	int err = 0;

	for (uint32_t i = 0; notes && !err && i < c->geo.inodes_per_group; i++) {
		if (!(notes[i].flags & NOTE_LIVE) || check_is_hidden(c, first + i))
			continue;
		if (notes[i].type == EXT4_FT_DIR && notes[i].flags & NOTE_MAP_BAD)
			continue; /* its . was not seen */
		err = check_inode_links(c, first + i, &notes[i]);
	}
	return err;
}

/* An orphan that was noted and then not found in use. */
static int check_lost_orphans(struct check *c, ext4_group_t group)
{
	const struct inode_note *notes = c->groups[group].notes;
	int err = 0;

	for (uint32_t i = 0; notes && !err && i < c->geo.inodes_per_group; i++)
		if ((notes[i].flags & (NOTE_ORPHAN | NOTE_LIVE)) == NOTE_ORPHAN)
			err = check_say(
				c, AT_INODE(CHECK_ORPHAN, group * c->geo.inodes_per_group + i + 1),
				"is an orphan, but its table does not reach it");
	return err;
}

int check_links(struct check *c)
{
	int err = check_tree(c);

	for (ext4_group_t g = 0; !err && g < c->geo.groups_count; g++) {
		err = check_group_links(c, g);
		if (!err)
			err = check_lost_orphans(c, g);
	}
	return err;
}
