/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hash trees that grow: a directory of one full block becomes a tree, a full leaf is split, a full
 * node is split, and when every node on the way is full the tree becomes one level deeper.
 *
 *	leaf L full                           leaf L          leaf N, new
 *	| b . . d a . e . c f |      ->       | b a c     |   | d e f     |
 *
 *	node: ... (a, L) (g, M) ...  ->       node: ... (a, L) (d, N) (g, M) ...
 *
 * Half of the bytes, those of the higher hashes, go to the new leaf. Where the cut falls between
 * names of one hash, the new leaf's entry says that the hash goes on there (bit 0).
 *
 * Nodes are split from the top: the lowest one with room takes in the upper half of the full one
 * below it, as often as it takes until the node above the leaf has room. The way that was found is
 * kept right all the while, so that nothing is read again.
 *
 * Every step leaves a whole tree behind: a directory that cannot grow any further (no free block,
 * no further level) has lost nothing, and the name is refused.
 */
#include <string.h>
#include "base/assert.h"
#include "base/sort.h"
#include "ext4/dir_internal.h"
#include "ext4/kinds.h"
#include "ext4/verify.h"

/* ---- entries of a node */

static void set_count(struct dx_entry *entries, uint32_t count)
{
	((struct dx_countlimit *)entries)->count = le16_of((uint16_t)count);
}

static bool has_room(const struct ext4_dx_frame *f)
{
	return ext4_dx_count(f->entries) < ext4_dx_limit_of(f->entries);
}

/* Behind the one that is followed. */
static void insert_entry(struct ext4_dx_frame *f, uint32_t hash, ext4_lblk_t lblk)
{
	struct dx_entry *e = &f->entries[f->at + 1];
	uint32_t count = ext4_dx_count(f->entries);

	ensure(has_room(f) && f->at < count);
	memmove(e + 1, e, (count - f->at - 1) * sizeof(*e));
	e->hash = le32_of(hash);
	e->block = le32_of(lblk);
	set_count(f->entries, count + 1);
}

/* The entries from `first` on become all of an empty node. */
static void move_entries(struct ext4_dx_frame *to, struct ext4_dx_frame *from, uint32_t first)
{
	uint32_t count = ext4_dx_count(from->entries) - first;
	le32 lowest = from->entries[first].block;

	memcpy(to->entries + 1, from->entries + first + 1, (count - 1) * sizeof(*to->entries));
	to->entries[0].block = lowest;
	set_count(to->entries, count);
}

/* A new node without entries. */
static int append_node(struct handle *h, struct inode *dir, ext4_lblk_t *lblk,
		       struct ext4_dx_frame *out)
{
	struct ext4_fs *fs = dir->fs;
	struct dx_node *node;
	int err = ext4_append(h, dir, lblk, &out->buffer);

	if (err)
		return err;
	node = (void *)out->buffer->data;
	node->fake_rec_len = ext4_rec_len_of(&fs->geo, fs->geo.block_size);
	out->entries = node->entries;
	out->at = 0;
	((struct dx_countlimit *)node->entries)->limit =
		le16_of(ext4_dx_limit(&fs->geo, EXT4_DX_NODE_ENTRIES));
	return 0;
}

static int dirty_frame(struct handle *h, struct inode *dir, const struct ext4_dx_frame *f)
{
	return ext4_handle_dirty_metadata(dir->fs, h, dir->ino, f->buffer);
}

/* ---- nodes */

/* The way leads through the upper half now. */
static void follow_upper_half(struct ext4_dx_path *p, uint32_t level, struct ext4_dx_frame *upper,
			      uint32_t first)
{
	struct ext4_dx_frame *f = &p->frame[level], lower = *f;

	f->buffer = upper->buffer;
	f->entries = upper->entries;
	f->at -= first;
	p->frame[level - 1].at++;
	*upper = lower;
}

/* The full node at `level`, whose parent has room, gives its upper half to a new one. */
static int split_node(struct handle *h, struct ext4_dx_path *p, uint32_t level)
{
	struct ext4_fs *fs = p->dir->fs;
	struct ext4_dx_frame *parent = &p->frame[level - 1], *full = &p->frame[level], upper;
	uint32_t first = ext4_dx_count(full->entries) / 2;
	uint32_t hash = le32_get(full->entries[first].hash);
	ext4_lblk_t lblk;
	int err = ext4_journal_get_write_access(fs, h, full->buffer);

	if (!err)
		err = ext4_journal_get_write_access(fs, h, parent->buffer);
	if (!err)
		err = append_node(h, p->dir, &lblk, &upper);
	if (err)
		return err;
	move_entries(&upper, full, first);
	set_count(full->entries, first);
	insert_entry(parent, hash, lblk);
	if (full->at >= first)
		follow_upper_half(p, level, &upper, first);
	err = dirty_frame(h, p->dir, &upper);
	if (!err)
		err = dirty_frame(h, p->dir, full);
	buffer_put(upper.buffer);
	return err ? err : dirty_frame(h, p->dir, parent);
}

/* Told once of a directory. */
static int index_is_full(struct ext4_dx_path *p)
{
	struct ext4_fs *fs = p->dir->fs;

	if (!(atomic_fetch_or(&p->dir->state, INODE_INDEX_FULL) & INODE_INDEX_FULL))
		ext4_message(fs, LOG_WARNING, "inode %u: the directory's hash tree is full%s",
			     p->dir->ino,
			     p->depth < EXT4_HTREE_LEVELS_LARGEDIR
				     ? ": with the feature large_dir it could grow a level more"
				     : "");
	return -ENOSPC;
}

/* The root's entries go to a new node, the only one below it. */
static int add_level(struct handle *h, struct ext4_dx_path *p)
{
	struct ext4_fs *fs = p->dir->fs;
	struct ext4_dx_frame *root = &p->frame[0], below;
	ext4_lblk_t lblk;
	int err;

	if (p->depth >= ext4_dx_levels_max(&fs->geo))
		return index_is_full(p);
	err = ext4_journal_get_write_access(fs, h, root->buffer);
	if (!err)
		err = append_node(h, p->dir, &lblk, &below);
	if (err)
		return err;
	move_entries(&below, root, 0);
	below.at = root->at;
	set_count(root->entries, 1);
	root->entries[0].block = le32_of(lblk);
	root->at = 0;
	((struct dx_root *)root->buffer->data)->info.indirect_levels++;
	memmove(&p->frame[2], &p->frame[1], (p->depth - 1) * sizeof(p->frame[0]));
	p->frame[1] = below;
	p->depth++;
	err = dirty_frame(h, p->dir, &below);
	return err ? err : dirty_frame(h, p->dir, root);
}

/* Room for one more entry in the lowest node. */
static int make_room(struct handle *h, struct ext4_dx_path *p)
{
	int err = 0;

	while (!err && !has_room(&p->frame[p->depth - 1])) {
		uint32_t level = p->depth - 1;

		while (level && !has_room(&p->frame[level - 1]))
			level--;
		err = level ? split_node(h, p, level) : add_level(h, p);
	}
	return err;
}

/* ---- leaves */

/* An entry of a leaf, as it is before the split. */
struct leaf_entry {
	uint32_t hash;
	uint32_t offset, len;
};

static bool leaf_entry_before(const void *a, const void *b)
{
	const struct leaf_entry *x = a, *y = b;

	return x->hash != y->hash ? x->hash < y->hash : x->offset < y->offset;
}

/* All entries in the order of their hashes; how many. */
static uint32_t map_leaf(const struct ext4_dx_path *p, const struct buffer *leaf,
			 struct leaf_entry *map)
{
	struct ext4_fs *fs = p->dir->fs;
	uint32_t space = ext4_dir_space(fs), count = 0, len;

	for (uint32_t at = 0; at < space; at += len) {
		const struct ext4_dir_entry_2 *de = ext4_dir_entry_at(leaf, at);
		struct ext4_name name = { de->name, de->name_len };
		struct ext4_dirhash hash;

		len = ext4_rec_len(fs, de);
		if (!le32_get(de->inode))
			continue;
		ensure(!ext4_dx_hash(fs, p->hash_version, &name, &hash)); /* the root's is known */
		map[count++] = (struct leaf_entry){ hash.hash, at, len };
	}
	sort(map, count, sizeof(*map), leaf_entry_before);
	return count;
}

/*
 * The first entry that moves. From the highest down, entries move until the middle one of them
 * would lie beyond half of a block. Each side keeps one.
 */
static uint32_t split_point(const struct leaf_entry *map, uint32_t count, uint32_t block_size)
{
	uint32_t first = count, bytes = 0;

	while (first > 1 && bytes + map[first - 1].len / 2 <= block_size / 2)
		bytes += map[--first].len;
	return min(first, count - 1);
}

/* Appends an entry at *end, in just the bytes it needs; *last: where it is. */
static void pack_entry(struct ext4_fs *fs, struct buffer *to, const struct ext4_dir_entry_2 *de,
		       uint32_t *end, uint32_t *last)
{
	uint32_t len = ext4_dir_rec_min(de->name_len);

	*last = *end;
	memmove(ext4_dir_entry_at(to, *end), de, sizeof(*de) + de->name_len);
	ext4_rec_len_set(fs, ext4_dir_entry_at(to, *end), len);
	*end += len;
}

/* The last record reaches to the end of the block. */
static void close_block(struct ext4_fs *fs, struct buffer *b, uint32_t last)
{
	ext4_rec_len_set(fs, ext4_dir_entry_at(b, last), ext4_dir_space(fs) - last);
}

static void move_upper(struct ext4_fs *fs, struct buffer *to, struct buffer *from,
		       const struct leaf_entry *map, uint32_t count)
{
	uint32_t end = 0, last = 0;

	ext4_dir_init_block(fs, to);
	for (uint32_t i = 0; i < count; i++) {
		struct ext4_dir_entry_2 *de = ext4_dir_entry_at(from, map[i].offset);

		pack_entry(fs, to, de, &end, &last);
		de->inode = le32_of(0);
	}
	close_block(fs, to, last);
}

/* What is left keeps its order. */
static void pack_block(struct ext4_fs *fs, struct buffer *b)
{
	uint32_t space = ext4_dir_space(fs), end = 0, last = 0, len;

	for (uint32_t at = 0; at < space; at += len) {
		const struct ext4_dir_entry_2 *de = ext4_dir_entry_at(b, at);

		len = ext4_rec_len(fs, de);
		if (le32_get(de->inode))
			pack_entry(fs, b, de, &end, &last);
	}
	close_block(fs, b, last);
}

/* Two leaves and the node above them, whose entry follows from the entries that move. */
static int change_leaves(struct handle *h, struct ext4_dx_path *p, struct buffer *leaf,
			 const struct leaf_entry *map, uint32_t count, struct buffer **target)
{
	struct ext4_fs *fs = p->dir->fs;
	struct ext4_dx_frame *node = &p->frame[p->depth - 1];
	uint32_t first = split_point(map, count, fs->geo.block_size), hash = map[first].hash;
	uint32_t goes_on = hash == map[first - 1].hash ? EXT4_DX_HASH_CONTINUED : 0;
	autobuffer upper = NULL;
	ext4_lblk_t lblk;
	int err = ext4_append(h, p->dir, &lblk, &upper);

	if (err)
		return err;
	move_upper(fs, upper, leaf, map + first, count - first);
	pack_block(fs, leaf);
	insert_entry(node, hash | goes_on, lblk);
	err = ext4_handle_dirty_metadata(fs, h, p->dir->ino, upper);
	if (!err)
		err = ext4_handle_dirty_metadata(fs, h, p->dir->ino, leaf);
	if (!err)
		err = dirty_frame(h, p->dir, node);
	if (!err)
		*target = buffer_hold(p->hash.hash >= hash ? upper : leaf);
	return err;
}

/*
 * The leaf gives its upper half to a new one. *target: where names of p->hash go now; referenced.
 */
static int split_leaf(struct handle *h, struct ext4_dx_path *p, struct buffer *leaf,
		      struct buffer **target)
{
	struct ext4_fs *fs = p->dir->fs;
	struct leaf_entry *map;
	uint32_t count;
	int err = ext4_journal_get_write_access(fs, h, leaf);

	TRACE_SCOPE(fs, do_split);
	if (!err)
		err = ext4_journal_get_write_access(fs, h, p->frame[p->depth - 1].buffer);
	if (err)
		return err;
	map = arena_alloc(fs->arena, fs->geo.block_size / EXT4_DIR_REC_MIN * sizeof(*map));
	if (!map)
		return -ENOMEM;
	count = map_leaf(p, leaf, map);
	ensure(count > 1); /* two of the longest names fit into the smallest block */
	err = change_leaves(h, p, leaf, map, count, target);
	arena_free(fs->arena, map);
	return err;
}

/* ---- names */

/* The leaf is full. What has grown stays, even where the name then finds no place. */
static int split_and_add(struct handle *h, struct ext4_dx_path *p, struct buffer *leaf,
			 const struct ext4_name *name, struct inode *inode)
{
	struct buffer *target;
	int err = make_room(h, p), kept;

	if (!err)
		err = split_leaf(h, p, leaf, &target);
	if (!err) {
		err = add_dirent_to_buf(h, p->dir, target, name, inode);
		buffer_put(target);
	}
	if (!err)
		return 0;
	kept = ext4_mark_inode_dirty(h, p->dir);
	return err == -ENOSPC && kept ? kept : err;
}

static int add_on_way(struct handle *h, struct ext4_dx_path *p, const struct ext4_name *name,
		      struct inode *inode)
{
	autobuffer leaf = NULL;
	int err = ext4_dx_read_leaf(p, &leaf);

	if (!err)
		err = add_dirent_to_buf(h, p->dir, leaf, name, inode);
	return err == -ENOSPC ? split_and_add(h, p, leaf, name, inode) : err;
}

int ext4_dx_add_entry(struct handle *h, struct inode *dir, const struct ext4_name *name,
		      struct inode *inode)
{
	struct ext4_dx_path p;
	int err;

	TRACE_SCOPE(dir->fs, ext4_dx_add_entry);
	err = ext4_dx_probe(dir, name, &p);
	if (!err)
		err = add_on_way(h, &p, name, inode);
	ext4_dx_put(&p);
	return err;
}

/* ---- the first tree */

/* All behind `.` and `..` goes to the beginning of a new block. */
static void move_names(struct ext4_fs *fs, struct buffer *to, const struct buffer *from,
		       uint32_t first)
{
	uint32_t space = ext4_dir_space(fs), last = 0, len;

	ext4_dir_init_block(fs, to);
	memcpy(to->data, from->data + first, space - first);
	for (uint32_t at = 0; at < space - first; at += len) {
		len = ext4_rec_len(fs, ext4_dir_entry_at(to, at));
		last = at;
	}
	close_block(fs, to, last);
}

/* The records of `.` and `..`, with the tree's entries inside the second, and one leaf. */
static void make_root(struct inode *dir, struct buffer *b, ext4_lblk_t leaf)
{
	struct ext4_fs *fs = dir->fs;
	const struct ext4_dir_entry_2 *dot = ext4_dir_entry_at(b, 0);
	const struct ext4_dir_entry_2 *dotdot = ext4_dir_entry_at(b, ext4_rec_len(fs, dot));
	struct dx_root *root = (void *)b->data, head = {
		.dot_inode = dot->inode,
		.dot_rec_len = le16_of(EXT4_DIR_REC_MIN),
		.dot_name_len = 1,
		.dot_file_type = dot->file_type,
		.dot_name = ".",
		.dotdot_inode = dotdot->inode,
		.dotdot_rec_len = ext4_rec_len_of(&fs->geo, fs->geo.block_size - EXT4_DIR_REC_MIN),
		.dotdot_name_len = 2,
		.dotdot_file_type = dotdot->file_type,
		.dotdot_name = "..",
		.info = { .hash_version = fs->geo.def_hash_version,
			  .info_length = sizeof(struct dx_root_info) },
	};

	memset(b->data, 0, fs->geo.block_size);
	*root = head;
	((struct dx_countlimit *)root->entries)->limit =
		le16_of(ext4_dx_limit(&fs->geo, EXT4_DX_ROOT_ENTRIES));
	set_count(root->entries, 1);
	root->entries[0].block = le32_of(leaf);
}

static void become_indexed(struct inode *dir, struct buffer *root)
{
	struct buffer_owner owner = { dir->ino, dir->csum_seed };

	attr_write_begin(dir);
	dir->flags |= EXT4_INDEX_FL;
	attr_write_end(dir);
	buffer_set_kind(root, &ext4_kind_dx_root, &owner);
}

/* A tree of the root and one leaf, which is as full as the block was. */
static int make_tree(struct handle *h, struct inode *dir, struct buffer *first,
		     struct buffer **leaf)
{
	struct ext4_fs *fs = dir->fs;
	const struct ext4_dir_entry_2 *dot = ext4_dir_entry_at(first, 0), *dotdot;
	uint32_t names_at;
	struct ext4_verdict v;
	ext4_lblk_t lblk;
	int err;

	if (ext4_verify_dir_dots(&fs->geo, dir->ino, first->data, &v))
		return ext4_error(fs, dir->ino, first->block, "%s", v.reason);
	dotdot = ext4_dir_entry_at(first, ext4_rec_len(fs, dot));
	names_at = ext4_rec_len(fs, dot) + ext4_rec_len(fs, dotdot);
	err = ext4_journal_get_write_access(fs, h, first);
	if (!err)
		err = ext4_append(h, dir, &lblk, leaf);
	if (err)
		return err;
	move_names(fs, *leaf, first, names_at);
	make_root(dir, first, lblk);
	become_indexed(dir, first);
	err = ext4_handle_dirty_metadata(fs, h, dir->ino, *leaf);
	if (!err)
		err = ext4_handle_dirty_metadata(fs, h, dir->ino, first);
	if (err)
		buffer_put(*leaf);
	return err;
}

int ext4_make_indexed_dir(struct handle *h, struct inode *dir, struct buffer *first,
			  const struct ext4_name *name, struct inode *inode)
{
	struct ext4_fs *fs = dir->fs;
	struct ext4_dx_path p = { .dir = dir, .hash_version = fs->geo.def_hash_version };
	struct buffer *leaf;
	int err;

	TRACE_SCOPE(fs, make_indexed_dir);
	err = ext4_dx_hash(fs, p.hash_version, name, &p.hash);
	if (err)
		return ext4_error(fs, dir->ino, 0, "hash version %u is not known", p.hash_version);
	err = make_tree(h, dir, first, &leaf);
	if (err)
		return err;
	p.frame[p.depth++] = (struct ext4_dx_frame){ buffer_hold(first),
						     ((struct dx_root *)first->data)->entries, 0 };
	err = split_and_add(h, &p, leaf, name, inode);
	ext4_dx_put(&p);
	buffer_put(leaf);
	return err;
}
