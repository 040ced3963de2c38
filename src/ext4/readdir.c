/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listing a directory.
 *
 * Where the image has hash trees, names come in the order of their hashes, and a position is a
 * hash:
 *
 *	bits 63..32  hash / 2      bits 31..0  minor hash      0x7fffffffffffffff: the end
 *
 * so that a position means the same names however the directory grows, splits or turns into a tree
 * between two calls. A directory of one block, not yet a tree, is read whole and sorted; a tree is
 * read leaf by leaf, those together in which one hash goes on. In a tree `.` and `..` stand at the
 * first two positions.
 *
 * Names of one hash and one minor hash share a position: the first of them as they lie, then the
 * others backwards, as Linux has it. A cursor counts how many of them were shown; in a directory
 * that changed meanwhile they are shown again.
 *
 * Only so many names as one block can hold are kept at a time: of more, the first in order, and the
 * leaves are read again for the rest. Names of one position are kept together, unless they alone
 * are too many; then they come as they lie.
 *
 * Elsewhere names come as they lie, and a position is the byte where an entry begins.
 *
 * The directory's lock is held for reading all the while: entries do not move.
 */
#include "base/assert.h"
#include "base/sort.h"
#include "ext4/dir_internal.h"
#include "ext4/verify.h"

#define POSITION_END 0x7fffffffffffffffull

typedef int (*entry_fn)(void *arg, const struct ext4_dirent *d);

/* `next`: the position behind it. */
static int show(struct inode *dir, const struct ext4_dir_entry_2 *de, uint64_t next, entry_fn fn,
		void *arg)
{
	bool typed = dir->fs->geo.feature_incompat & EXT4_FEATURE_INCOMPAT_FILETYPE;
	struct ext4_dirent d = {
		.next = next,
		.ino = le32_get(de->inode),
		.type = typed && de->file_type < EXT4_FT_MAX ? de->file_type : EXT4_FT_UNKNOWN,
		.name = { de->name, de->name_len },
	};

	return fn(arg, &d);
}

/* ---- by hash */

/* An entry's place in the order. `where`: block << 32 | offset in it. */
struct spot {
	uint64_t position, where;
};

struct found {
	struct spot spot;
	struct buffer *buffer;		/* referenced */
	const struct ext4_dir_entry_2 *entry;
};

/* The next stretch of the directory: what lies in [begin, end). */
struct stretch {
	struct inode *dir;
	struct spot begin, end;
	uint32_t count, room;
	struct found *found;
};

static const struct spot beyond_all = { UINT64_MAX, UINT64_MAX };

static bool is_before(const struct spot *a, const struct spot *b)
{
	return a->position != b->position ? a->position < b->position : a->where < b->where;
}

static bool found_before(const void *a, const void *b)
{
	return is_before(&((const struct found *)a)->spot, &((const struct found *)b)->spot);
}

static uint64_t position_of(uint32_t hash, uint32_t minor)
{
	return (uint64_t)(hash >> 1) << 32 | minor;
}

static uint32_t hash_of(uint64_t position)
{
	return (uint32_t)(position >> 32) << 1;
}

static void sort_stretch(struct stretch *s)
{
	sort(s->found, s->count, sizeof(*s->found), found_before);
}

static void drop_from(struct stretch *s, uint32_t first)
{
	while (s->count > first)
		buffer_put(s->found[--s->count].buffer);
}

/* Where the names that share the position of number `i` begin and end. */
static uint32_t group_begin(const struct stretch *s, uint32_t i)
{
	while (i && s->found[i - 1].spot.position == s->found[i].spot.position)
		i--;
	return i;
}

static uint32_t group_end(const struct stretch *s, uint32_t i)
{
	uint64_t position = s->found[i].spot.position;

	while (i < s->count && s->found[i].spot.position == position)
		i++;
	return i;
}

/* No room: about half is left to the next stretch. */
static void shorten(struct stretch *s)
{
	uint32_t first;

	sort_stretch(s);
	first = group_begin(s, s->count / 2);
	if (!first)
		first = group_end(s, 0);
	if (first < s->count) {
		s->end = (struct spot){ s->found[first].spot.position, 0 };
	} else {
		first = s->count / 2;
		s->end = s->found[first].spot;
	}
	drop_from(s, first);
}

/* All names of its position are here. */
static bool is_whole(const struct stretch *s, uint32_t first)
{
	uint64_t position = s->found[first].spot.position;

	return position != s->end.position && (position != s->begin.position || !s->begin.where);
}

static void reverse(struct found *f, uint32_t count)
{
	for (uint32_t i = 0; i < count / 2; i++) {
		struct found swap = f[i];

		f[i] = f[count - 1 - i];
		f[count - 1 - i] = swap;
	}
}

static void order_groups(struct stretch *s)
{
	for (uint32_t i = 0, next; i < s->count; i = next) {
		next = group_end(s, i);
		if (is_whole(s, i))
			reverse(&s->found[i + 1], next - i - 1);
	}
}

/* So far reaches what was looked at, unless there was more than room. */
static void end_at(struct stretch *s, uint64_t position)
{
	if (s->end.position == beyond_all.position)
		s->end = (struct spot){ position, 0 };
}

static bool is_inside(const struct stretch *s, const struct spot *spot)
{
	return !is_before(spot, &s->begin) && is_before(spot, &s->end);
}

static void consider(struct stretch *s, struct buffer *b, ext4_lblk_t lblk, uint32_t offset,
		     uint64_t position)
{
	struct spot spot = { position, (uint64_t)lblk << 32 | offset };

	if (is_inside(s, &spot) && s->count == s->room)
		shorten(s);
	if (is_inside(s, &spot))
		s->found[s->count++] =
			(struct found){ spot, buffer_hold(b), ext4_dir_entry_at(b, offset) };
}

static int consider_block(struct stretch *s, struct buffer *b, ext4_lblk_t lblk, uint8_t version)
{
	struct ext4_fs *fs = s->dir->fs;
	uint32_t space = ext4_dir_space(fs);
	int err = 0;

	for (uint32_t at = 0; at < space && !err;
	     at += ext4_rec_len(fs, ext4_dir_entry_at(b, at))) {
		const struct ext4_dir_entry_2 *de = ext4_dir_entry_at(b, at);
		struct ext4_name name = { de->name, de->name_len };
		struct ext4_dirhash hash;

		if (!le32_get(de->inode))
			continue;
		err = ext4_dx_hash(fs, version, &name, &hash);
		if (!err)
			consider(s, b, lblk, at, position_of(hash.hash, hash.minor));
	}
	return err;
}

/* `.` and `..` of a tree lie in its root. */
static int consider_dots(struct stretch *s, struct buffer *root)
{
	struct ext4_verdict v;

	if (ext4_verify_dir_dots(&s->dir->fs->geo, s->dir->ino, root->data, &v))
		return ext4_error(s->dir->fs, s->dir->ino, root->block, "%s", v.reason);
	consider(s, root, 0, 0, position_of(0, 0));
	consider(s, root, 0, offsetof(struct dx_root, dotdot_inode), position_of(2, 0));
	return 0;
}

static int htree_dirblock_to_tree(struct stretch *s, struct ext4_dx_path *p)
{
	autobuffer leaf = NULL;
	int err;

	TRACE_SCOPE(s->dir->fs, htree_dirblock_to_tree);
	err = ext4_dx_read_leaf(p, &leaf);
	return err ? err : consider_block(s, leaf, ext4_dx_leaf(p), p->hash_version);
}

/* The leaf where the stretch begins, and those in which its last hash goes on. */
static int fill_from_leaves(struct stretch *s, struct ext4_dx_path *p)
{
	uint32_t next;
	int err = htree_dirblock_to_tree(s, p);

	next = ext4_dx_next_hash(p);
	while (!err && next != UINT32_MAX && next & EXT4_DX_HASH_CONTINUED) {
		err = ext4_dx_next_leaf(p);
		if (!err)
			err = htree_dirblock_to_tree(s, p);
		next = ext4_dx_next_hash(p);
	}
	if (next == UINT32_MAX)
		end_at(s, POSITION_END);
	else
		end_at(s, position_of(next, 0));
	return err;
}

static int fill_from_tree(struct stretch *s)
{
	struct ext4_dx_path p = { .hash.hash = hash_of(s->begin.position) };
	int err = ext4_dx_probe(s->dir, NULL, &p);

	if (!err)
		err = consider_dots(s, p.frame[0].buffer);
	if (!err)
		err = fill_from_leaves(s, &p);
	ext4_dx_put(&p);
	return err;
}

/* A directory of one block. */
static int fill_from_block(struct stretch *s)
{
	struct ext4_fs *fs = s->dir->fs;
	autobuffer b = NULL;
	int err;

	TRACE_SCOPE(fs, htree_dirblock_to_tree);
	err = ext4_read_dirblock(s->dir, 0, &b);
	if (err)
		return err;
	err = consider_block(s, b, 0, fs->geo.def_hash_version);
	if (err)
		return ext4_error(fs, s->dir->ino, b->block, "hash version %u is not known",
				  fs->geo.def_hash_version);
	end_at(s, POSITION_END);
	return 0;
}

/* What lies from s->begin on, as far as one look reaches: s->end. */
static int ext4_htree_fill_tree(struct stretch *s)
{
	int err;

	TRACE_SCOPE(s->dir->fs, ext4_htree_fill_tree);
	s->end = beyond_all;
	err = ext4_dir_is_indexed(s->dir) ? fill_from_tree(s) : fill_from_block(s);
	if (!err) {
		sort_stretch(s);
		order_groups(s);
	}
	return err;
}

/* True: fn wants no more, and `at` is where it stopped. *skip: names that were shown before. */
static bool show_stretch(struct stretch *s, struct ext4_dir_cursor *at, uint32_t *skip, entry_fn fn,
			 void *arg)
{
	for (uint32_t i = 0; i < s->count; i++) {
		const struct spot *next = i + 1 < s->count ? &s->found[i + 1].spot : &s->end;

		if (s->found[i].spot.position != at->pos) {
			at->pos = s->found[i].spot.position;
			at->shown = *skip = 0;
		}
		if (*skip) {
			(*skip)--;
			continue;
		}
		if (show(s->dir, s->found[i].entry, next->position, fn, arg))
			return true;
		at->shown++;
	}
	if (s->end.position != at->pos) {
		at->pos = s->end.position;
		at->shown = *skip = 0;
	}
	return false;
}

static int ext4_dx_readdir(struct inode *dir, struct ext4_dir_cursor *at, entry_fn fn, void *arg)
{
	struct ext4_fs *fs = dir->fs;
	struct stretch s = { .dir = dir, .begin = { at->pos, 0 } };
	uint32_t skip = at->version == dir->version ? at->shown : 0;
	bool stopped = false;
	int err = 0;

	TRACE_SCOPE(fs, ext4_dx_readdir);
	if (at->pos >= POSITION_END)
		return 0;
	s.room = fs->geo.block_size / EXT4_DIR_REC_MIN + 2;
	s.found = arena_alloc(fs->arena, s.room * sizeof(*s.found));
	if (!s.found)
		return -ENOMEM;
	at->shown = skip;
	at->version = dir->version;
	while (!err && !stopped && s.begin.position < POSITION_END) {
		err = ext4_htree_fill_tree(&s);
		if (!err)
			stopped = show_stretch(&s, at, &skip, fn, arg);
		s.begin = s.end;
		drop_from(&s, 0);
	}
	arena_free(fs->arena, s.found);
	return err;
}

/* ---- as they lie */

/* The first entry that begins at `offset` or behind it; the end of the space if there is none. */
static uint32_t entry_from(const struct ext4_fs *fs, const struct buffer *b, uint32_t offset)
{
	uint32_t space = ext4_dir_space(fs), at = 0;

	while (at < offset && at < space)
		at += ext4_rec_len(fs, ext4_dir_entry_at(b, at));
	return at;
}

/* True: fn wants no more. Else *pos is the next block. */
static bool show_block(struct inode *dir, const struct buffer *b, uint64_t *pos, entry_fn fn,
		       void *arg)
{
	struct ext4_fs *fs = dir->fs;
	uint64_t block = *pos & ~(uint64_t)(fs->geo.block_size - 1);
	uint32_t space = ext4_dir_space(fs), next;

	for (uint32_t at = entry_from(fs, b, (uint32_t)(*pos - block)); at < space; at = next) {
		const struct ext4_dir_entry_2 *de = ext4_dir_entry_at(b, at);

		next = at + ext4_rec_len(fs, de);
		*pos = block + at;
		if (le32_get(de->inode) &&
		    show(dir, de, block + (next < space ? next : fs->geo.block_size), fn, arg))
			return true;
	}
	*pos = block + fs->geo.block_size;
	return false;
}

static int read_linear(struct inode *dir, uint64_t *pos, entry_fn fn, void *arg)
{
	bool stopped = false;

	while (!stopped && *pos < dir->size) {
		autobuffer b = NULL;
		int err =
			ext4_read_dirblock(dir, (ext4_lblk_t)(*pos >> dir->fs->geo.block_bits), &b);

		if (err)
			return err;
		stopped = show_block(dir, b, pos, fn, arg);
	}
	return 0;
}

/* ---- */

bool ext4_readdir_is_by_hash(const struct inode *dir)
{
	return dir->fs->geo.feature_compat & EXT4_FEATURE_COMPAT_DIR_INDEX &&
	       (dir->flags & EXT4_INDEX_FL || ext4_dir_blocks(dir) == 1);
}

int ext4_readdir_from(struct inode *dir, struct ext4_dir_cursor *at, entry_fn fn, void *arg)
{
	TRACE_SCOPE(dir->fs, ext4_readdir);
	if (!dir->size) /* removed, but still open */
		return 0;
	return ext4_readdir_is_by_hash(dir) ? ext4_dx_readdir(dir, at, fn, arg)
					    : read_linear(dir, &at->pos, fn, arg);
}

int ext4_readdir(struct inode *dir, uint64_t *pos, entry_fn fn, void *arg)
{
	struct ext4_dir_cursor at = { .pos = *pos };
	int err = ext4_readdir_from(dir, &at, fn, arg);

	*pos = at.pos;
	return err;
}
