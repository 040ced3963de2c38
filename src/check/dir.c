/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Directories: each block's entries, what they lead to, and that no name is there twice. Of one
 * with a hash tree, htree.c has told before which hashes each block may hold.
 */
#include "check/dir.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "ext4/csum.h"

/* ---- collecting the blocks */

static int add_blocks(struct map_walk *w, uint64_t lblk, ext4_fsblk_t pblk, uint32_t len,
		      bool unwritten)
{
	struct dir_blocks *d = w->arg;
	int err = check_grow(w->c, &d->blocks, &d->room, d->count + len, sizeof(*d->blocks));

	if (err)
		return err;
	if (unwritten)
		return check_say(w->c, AT_BLOCK(CHECK_DIRECTORY, d->ino, pblk), "is not written");
	if (lblk != (d->count ? d->blocks[d->count - 1].lblk + 1ULL : 0)) {
		err = check_say(w->c, AT_INODE(CHECK_DIRECTORY, d->ino),
				"has no block before logical block %" PRIu64, lblk);
		if (err)
			return err;
	}
	for (uint32_t i = 0; i < len; i++)
		d->blocks[d->count++] = (struct dir_block){ .pblk = pblk + i,
							    .lblk = (uint32_t)lblk + i,
							    .hi = UINT32_MAX };
	return 0;
}

struct dir_block *check_dir_block(struct dir_blocks *d, uint32_t lblk)
{
	size_t low = 0, high = d->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (d->blocks[middle].lblk < lblk)
			low = middle + 1;
		else
			high = middle;
	}
	return low < d->count && d->blocks[low].lblk == lblk ? &d->blocks[low] : NULL;
}

/* ---- names that are there twice */

static int add_name(struct check *c, struct dir_blocks *d, const struct ext4_dir_entry_2 *de)
{
	int err = check_grow(c, &d->names, &d->names_room, d->names_count + 1, sizeof(*d->names));

	if (!err)
		d->names[d->names_count++] =
			(struct name_key){ hash_bytes(de->name, de->name_len, 1),
					   hash_bytes(de->name, de->name_len, 2) };
	return err;
}

static int compare_names(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct name_key));
}

static int check_twice(struct check *c, struct dir_blocks *d)
{
	size_t twice = 0;

	if (d->names_count < 2)
		return 0;
	qsort(d->names, d->names_count, sizeof(*d->names), compare_names);
	for (size_t i = 1; i < d->names_count; i++)
		twice += compare_names(&d->names[i - 1], &d->names[i]) == 0;
	if (!twice)
		return 0;
	return check_say(c, AT_INODE(CHECK_DIRECTORY, d->ino), "%zu names are there twice", twice);
}

/* ---- one entry */

struct entry {
	const struct ext4_dir_entry_2 *de;
	const struct dir_block *in;
	struct place at;
	char name[EXT4_NAME_LEN * 4 + 1]; /* for messages: what does not print as \ooo */
};

static void name_for_messages(struct entry *e)
{
	char *to = e->name;

	for (unsigned i = 0; i < e->de->name_len; i++) {
		unsigned char ch = (unsigned char)e->de->name[i];

		if (ch >= ' ' && ch < 127 && ch != '\\') {
			*to++ = (char)ch;
			continue;
		}
		*to++ = '\\';
		*to++ = (char)('0' + (ch >> 6));
		*to++ = (char)('0' + (ch >> 3 & 7));
		*to++ = (char)('0' + (ch & 7));
	}
	*to = '\0';
}

/*
 * With filetype an entry tells its inode's type, or 0: made before the feature was on. Without it
 * nothing.
 */
static int check_type(struct check *c, struct entry *e, uint8_t type)
{
	bool filetype = c->geo.feature_incompat & EXT4_FEATURE_INCOMPAT_FILETYPE;
	uint8_t expected = filetype ? type : 0;

	if (e->de->file_type == expected || e->de->file_type == EXT4_FT_UNKNOWN)
		return 0;
	name_for_messages(e);
	return check_say(c, e->at, "%s: type %u, not %u", e->name, e->de->file_type, expected);
}

/* The directory that a name leads to has no other name. */
static int note_parent(struct check *c, struct dir_blocks *d, struct entry *e, uint32_t ino)
{
	struct dir_note *n = check_dir_note(c, ino);

	if (!n)
		return 0;
	if (n->parent == 0 && ino != EXT4_ROOT_INO) {
		n->parent = d->ino;
		return 0;
	}
	name_for_messages(e);
	return check_say(c, e->at, "%s: a further name of directory %" PRIu32, e->name, ino);
}

static void count_name(struct inode_note *n)
{
	if (n->found < UINT16_MAX)
		n->found++;
}

static int check_target(struct check *c, struct dir_blocks *d, struct entry *e)
{
	uint32_t ino = le32_get(e->de->inode);
	struct inode_note *n = check_note(c, ino);
	int err;

	if (check_is_hidden(c, ino)) {
		name_for_messages(e);
		return check_say(c, e->at, "%s: leads to reserved inode %" PRIu32, e->name, ino);
	}
	if (!n || !(n->flags & NOTE_LIVE)) {
		name_for_messages(e);
		return check_say(c, e->at, "%s: leads to inode %" PRIu32 ", which is not in use",
				 e->name, ino);
	}
	count_name(n);
	err = check_type(c, e, n->type);
	if (!err && n->type == EXT4_FT_DIR)
		err = note_parent(c, d, e, ino);
	return err;
}

static int check_hash(struct check *c, struct dir_blocks *d, struct entry *e)
{
	struct ext4_dirhash h;

	if (!d->tree ||
	    ext4_dirhash(d->hash_version, c->geo.hash_seed, e->de->name, e->de->name_len, &h))
		return 0;
	if (h.hash >= e->in->lo && h.hash <= e->in->hi)
		return 0;
	name_for_messages(e);
	e->at.kind = CHECK_HASH_TREE;
	return check_say(c, e->at,
			 "%s: hash 0x%08" PRIx32 " is in a block for 0x%08" PRIx32
			 " to 0x%08" PRIx32,
			 e->name, h.hash, e->in->lo, e->in->hi);
}

static bool is_dots(const struct ext4_dir_entry_2 *de)
{
	return de->name[0] == '.' &&
	       (de->name_len == 1 || (de->name_len == 2 && de->name[1] == '.'));
}

static int check_entry(struct check *c, struct dir_blocks *d, struct entry *e)
{
	int err;

	if (is_dots(e->de))
		return check_say(c, e->at, "%.*s is there again", e->de->name_len, e->de->name);
	err = add_name(c, d, e->de);
	if (!err)
		err = check_target(c, d, e);
	return err ? err : check_hash(c, d, e);
}

/* ---- . and .. */

static int check_dots(struct check *c, struct dir_blocks *d, const uint8_t *block, uint32_t *behind)
{
	struct entry e = { .at = AT_BLOCK(CHECK_DIRECTORY, d->ino, d->blocks[0].pblk) };
	struct dir_note *dir = check_dir_note(c, d->ino);
	struct inode_note *parent;
	struct ext4_verdict v;
	int err;

	*behind = 0;
	if (ext4_verify_dir_dots(&c->geo, d->ino, block, &v))
		return check_say(c, e.at, "%s", v.reason);
	e.de = (const struct ext4_dir_entry_2 *)block;
	*behind = ext4_rec_len_get(&c->geo, e.de->rec_len);
	count_name(check_note(c, d->ino));
	err = check_type(c, &e, EXT4_FT_DIR);
	if (err)
		return err;
	e.de = (const struct ext4_dir_entry_2 *)(block + *behind);
	*behind += ext4_rec_len_get(&c->geo, e.de->rec_len);
	dir->dotdot = le32_get(e.de->inode);
	parent = check_note(c, dir->dotdot);
	if (parent)
		count_name(parent);
	return check_type(c, &e, EXT4_FT_DIR);
}

/* ---- blocks */

/* A wrong checksum is reported, and the block used if it is right otherwise. */
static int judge_block(struct check *c, struct dir_blocks *d, const struct dir_block *b,
		       const uint8_t *block, bool *usable)
{
	const struct place at = AT_BLOCK(CHECK_DIRECTORY, d->ino, b->pblk);
	struct ext4_verdict v;
	int err = ext4_verify_dir_block(&c->geo, d->seed, block, &v), say = 0;

	if (err == -EFSBADCRC) {
		say = check_say(c, at, "%s", v.reason);
		err = ext4_verify_dir_block(&c->lenient, d->seed, block, &v);
	}
	*usable = !err;
	if (err && !say)
		say = check_say(c, at, "%s", v.reason);
	return say;
}

static int check_entries(struct check *c, struct dir_blocks *d, const struct dir_block *b,
			 const uint8_t *block)
{
	uint32_t offset = 0;
	int err = b->lblk == 0 ? check_dots(c, d, block, &offset) : 0;

	while (!err && offset < c->geo.block_size) {
		struct entry e = {
			.de = (const struct ext4_dir_entry_2 *)(block + offset),
			.in = b,
			.at = AT_BLOCK(CHECK_DIRECTORY, d->ino, b->pblk),
		};

		if (le32_get(e.de->inode))
			err = check_entry(c, d, &e);
		offset += ext4_rec_len_get(&c->geo, e.de->rec_len);
	}
	return err;
}

/* A node is no block of entries, but for the root's . and .. */
static int check_node_dots(struct check *c, struct dir_blocks *d, const struct dir_block *b,
			   const uint8_t *block)
{
	uint32_t behind;

	return b->lblk == 0 ? check_dots(c, d, block, &behind) : 0;
}

static int check_block(struct check *c, struct dir_blocks *d, const struct dir_block *b)
{
	uint8_t *block = c->data_block;
	bool usable;
	int err = check_read(c, b->pblk, block);

	if (err)
		return err;
	if (b->is_node)
		return check_node_dots(c, d, b, block);
	if (d->has_index && !d->tree && ext4_looks_like_dx_node(&c->geo, block))
		return 0; /* of a tree that is reported as bad */
	if (d->tree && !b->in_tree) {
		err = check_say(c, AT_BLOCK(CHECK_HASH_TREE, d->ino, b->pblk),
				"logical block %" PRIu32 " is not in the tree", b->lblk);
		if (err)
			return err;
	}
	err = judge_block(c, d, b, block, &usable);
	return err || !usable ? err : check_entries(c, d, b, block);
}

/* ---- one directory */

static int check_dir(struct check *c, struct dir_blocks *d, const struct ext4_inode *raw)
{
	struct map_walk w = { .c = c, .ino = d->ino, .raw = raw, .blocks = add_blocks, .arg = d };
	int err = check_map(&w);

	if (err)
		return err;
	d->seed = ext4_inode_csum_seed(&c->geo, d->ino, le32_get(raw->i_generation));
	d->has_index = check_note(c, d->ino)->flags & NOTE_INDEX &&
		       c->geo.feature_compat & EXT4_FEATURE_COMPAT_DIR_INDEX;
	if (d->has_index && d->count)
		err = check_hash_tree(c, d);
	for (size_t i = 0; !err && i < d->count; i++)
		err = check_block(c, d, &d->blocks[i]);
	return err ? err : check_twice(c, d);
}

/* Forgets one directory and begins the next; its arrays stay. */
static void begin_dir(struct dir_blocks *d, uint32_t ino)
{
	d->ino = ino;
	d->count = d->names_count = 0;
	d->has_index = d->tree = false;
}

static int check_all(struct check *c, struct ext4_inode *raw)
{
	int err = 0;

	for (size_t i = 0; !err && i < c->dirs_count; i++) {
		uint32_t ino = c->dirs[i].ino;
		const struct inode_note *n = check_note(c, ino);

		if (n->flags & NOTE_MAP_BAD || n->links == 0)
			continue; /* a removed directory's entries count no more */
		begin_dir(c->dir_blocks, ino);
		err = check_inode_read(c, ino, raw);
		if (!err)
			err = check_dir(c, c->dir_blocks, raw);
	}
	return err;
}

int check_dirs(struct check *c)
{
	struct ext4_inode *raw = arena_block_alloc(c->arena, c->geo.block_size);
	int err = -ENOMEM;

	c->dir_blocks = arena_new(c->arena, struct dir_blocks);
	if (raw && c->dir_blocks)
		err = check_all(c, raw);
	arena_block_free(c->arena, raw, c->geo.block_size);
	return err;
}

void check_dirs_fini(struct check *c)
{
	if (!c->dir_blocks)
		return;
	arena_free(c->arena, c->dir_blocks->blocks);
	arena_free(c->arena, c->dir_blocks->names);
	arena_free(c->arena, c->dir_blocks);
}
