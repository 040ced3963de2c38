/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way from the root of an extent tree to a leaf, and the edits of single nodes.
 *
 * A node is read and verified once, by its buffer's kind. What only the way shows is checked here
 * at each step: the depth falls by one a level (so that no loop is possible), the node begins with
 * the key that led to it and ends before the next one, and it lies in no block of the file system's
 * own.
 *
 * When a leaf comes from the disk, all its extents and the holes between them are remembered at
 * once.
 */
#include <string.h>
#include "base/assert.h"
#include "ext4/extents.h"
#include "ext4/kinds.h"
#include "ext4/verify.h"

static struct ext4_extent_header *root_of(struct inode *inode)
{
	return (struct ext4_extent_header *)inode->i_data;
}

/* The depth is at most 5: one byte, which can be read without map_lock. */
int ext4_ext_depth(const struct inode *inode)
{
	const struct ext4_extent_header *root = (const void *)inode->i_data;

	return __atomic_load_n(&root->eh_depth.b[0], __ATOMIC_RELAXED);
}

void ext4_ext_path_put(struct ext_path *p)
{
	for (int i = 1; i <= (int)EXT4_EXT_MAX_DEPTH; i++) {
		buffer_put(p->step[i].buffer);
		p->step[i].buffer = NULL;
	}
}

/* ---- reading a node */

/*
 * The holes between extents are as certain as the extents. An extent that lies over blocks of the
 * file system's own is left to whoever asks for it.
 */
static void remember_leaf(struct inode *inode, const struct ext4_extent_header *leaf)
{
	ext4_lblk_t known_to = EXT_LBLK_END;

	for (int i = 0; i < ext_entries(leaf); i++) {
		struct ext_run r = ext_run_at(leaf, i);

		if (!ext4_inode_block_valid(inode->fs, inode->ino, r.pblk, r.len))
			return;
		if (known_to < r.lblk)
			ext4_es_cache_extent(inode, known_to, r.lblk - known_to, ES_NO_BLOCK,
					     ES_HOLE);
		ext4_es_cache_extent(inode, r.lblk, r.len, r.pblk,
				     r.unwritten ? ES_UNWRITTEN : ES_WRITTEN);
		known_to = ext_run_end(&r);
	}
}

/* The node is in memory, and trusted. */
static bool is_known(struct ext4_fs *fs, uint64_t ino, ext4_fsblk_t block)
{
	autobuffer b = buffer_find(fs->buffers, block);
	bool uptodate = b && atomic_load(&b->state) & BUFFER_UPTODATE;

	if (!uptodate)
		trace(fs, ext4_ext_load_extent, ino, (uint32_t)block, 0);
	return uptodate && atomic_load(&b->kind) == &ext4_kind_extent;
}

static int check_place(struct inode *inode, const struct buffer *b, int depth, ext4_lblk_t first,
		       ext4_lblk_t last)
{
	struct ext4_verdict v;

	if (likely(!ext4_verify_extent_place(b->data, (uint16_t)depth, first, last, &v)))
		return 0;
	return ext4_error(inode->fs, inode->ino, b->block, "%s", v.reason);
}

/* The child that step `level` took: its range begins with that entry's key and ends with `last`. */
static int read_child(struct ext_path *p, int level, ext4_lblk_t last, uint32_t flags)
{
	const struct ext4_extent_idx *ix =
		&ext_entry_at(p->step[level].header, p->step[level].at)->index;
	struct inode *inode = p->inode;
	struct buffer_owner owner = { inode->ino, inode->csum_seed };
	int depth = p->depth - level - 1, err;
	ext4_fsblk_t block = ext4_idx_leaf(ix);
	struct buffer *b;
	bool known;

	if (!ext4_inode_block_valid(inode->fs, inode->ino, block, 1))
		return ext4_error(inode->fs, inode->ino, block,
				  "extent index points at a block of the file system's own");
	known = is_known(inode->fs, inode->ino, block);
	err = buffer_read(inode->fs->buffers, block, &ext4_kind_extent, &owner, &b);
	if (err)
		return err;
	p->step[level + 1].buffer = b;
	p->step[level + 1].header = (struct ext4_extent_header *)b->data;
	err = check_place(inode, b, depth, le32_get(ix->ei_block), last);
	if (!err && depth == 0 && (!known || block == p->fresh) && !(flags & MAP_NOCACHE) && !p->forgets)
		remember_leaf(inode, p->step[level + 1].header);
	return err;
}

/* ---- finding */

/*
 * The last entry whose key is at most `lblk`, else the first. Keys lie at the same place in both
 * sorts.
 */
static int choose(const struct ext4_extent_header *h, ext4_lblk_t lblk)
{
	int low = 0, high = ext_entries(h);

	if (high == 0)
		return -1;
	while (high - low > 1) {
		int middle = (low + high) / 2;

		if (le32_get(ext_entry_at(h, middle)->leaf.ee_block) <= lblk)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static ext4_lblk_t key_at(const struct ext4_extent_header *h, int at)
{
	return le32_get(ext_entry_at(h, at)->leaf.ee_block);
}

/* The key behind the entry taken at `level`, or `end` when it is the last there. */
static ext4_lblk_t key_behind(const struct ext_step *s, ext4_lblk_t end)
{
	return s->at + 1 < ext_entries(s->header) ? key_at(s->header, s->at + 1) : end;
}

int ext4_ext_find(struct ext_path *p, ext4_lblk_t lblk, uint32_t flags)
{
	ext4_lblk_t end = EXT_LBLK_END;
	int err;

	ext4_ext_path_put(p);
	p->depth = ext4_ext_depth(p->inode);
	p->step[0].header = root_of(p->inode);
	for (int level = 0;; level++) {
		struct ext_step *s = &p->step[level];

		s->at = choose(s->header, lblk);
		if (level == p->depth)
			break;
		end = key_behind(s, end);
		err = s->at < 0 ? ext4_error(p->inode->fs, p->inode->ino, 0, "extent index: empty")
				: read_child(p, level, end - 1, flags);
		if (err) {
			ext4_ext_path_put(p);
			return err;
		}
	}
	p->fresh = 0;
	return 0;
}

bool ext4_ext_current(const struct ext_path *p, struct ext_run *out)
{
	const struct ext_step *leaf = &p->step[p->depth];

	if (leaf->at < 0)
		return false;
	*out = ext_run_at(leaf->header, leaf->at);
	return true;
}

/* The key behind the way, from `level` upwards. */
static ext4_lblk_t next_key(const struct ext_path *p, int level)
{
	for (; level >= 0; level--) {
		const struct ext_step *s = &p->step[level];

		if (s->at >= 0 && s->at + 1 < ext_entries(s->header))
			return key_at(s->header, s->at + 1);
	}
	return EXT_LBLK_END;
}

ext4_lblk_t ext4_ext_next_allocated(const struct ext_path *p)
{
	return next_key(p, p->depth);
}

ext4_lblk_t ext4_ext_next_leaf(const struct ext_path *p)
{
	return next_key(p, p->depth - 1);
}

/* ---- entries */

union ext_entry ext4_ext_leaf_entry(const struct ext_run *r)
{
	uint32_t len = r->len + (r->unwritten ? EXT4_EXT_INIT_MAX_LEN : 0);
	union ext_entry e;

	ensure(r->len > 0 &&
	       r->len <= (r->unwritten ? EXT4_EXT_UNWRITTEN_MAX_LEN : EXT4_EXT_INIT_MAX_LEN));
	e.leaf.ee_block = le32_of(r->lblk);
	e.leaf.ee_len = le16_of((uint16_t)len);
	ext4_extent_set_start(&e.leaf, r->pblk);
	return e;
}

union ext_entry ext4_ext_index_entry(ext4_lblk_t lblk, ext4_fsblk_t node)
{
	union ext_entry e;

	e.index.ei_block = le32_of(lblk);
	ext4_idx_set_leaf(&e.index, node);
	e.index.ei_unused = le16_of(0);
	return e;
}

bool ext4_ext_joinable(const struct ext_run *left, const struct ext_run *right)
{
	uint32_t limit = left->unwritten ? EXT4_EXT_UNWRITTEN_MAX_LEN : EXT4_EXT_INIT_MAX_LEN;

	return left->unwritten == right->unwritten && ext_run_end(left) == right->lblk &&
	       left->pblk + left->len == right->pblk && left->len + right->len <= limit;
}

/* ---- changing a node */

int ext4_ext_access(struct handle *h, struct ext_path *p, int level)
{
	struct buffer *b = p->step[level].buffer;

	return b ? ext4_journal_get_write_access(p->inode->fs, h, b)
		 : ext4_inode_get_write_access(h, p->inode);
}

int __ext4_ext_dirty(struct handle *h, struct ext_path *p, int level)
{
	struct ext4_fs *fs = p->inode->fs;
	struct buffer *b = p->step[level].buffer;

	TRACE_SCOPE(fs, __ext4_ext_dirty);
	return b ? ext4_handle_dirty_metadata(fs, h, p->inode->ino, b)
		 : ext4_mark_inode_dirty(h, p->inode);
}

static void edit_begin(struct ext_path *p, int level)
{
	if (level == 0)
		mutex_lock(&p->inode->attr_lock);
}

static void edit_end(struct ext_path *p, int level)
{
	if (level == 0)
		mutex_unlock(&p->inode->attr_lock);
}

void ext4_ext_set_entry(struct ext_path *p, int level, int at, union ext_entry e)
{
	edit_begin(p, level);
	*ext_entry_at(p->step[level].header, at) = e;
	edit_end(p, level);
}

void ext4_ext_insert_entry(struct ext_path *p, int level, int at, union ext_entry e)
{
	struct ext4_extent_header *h = p->step[level].header;
	int count = ext_entries(h);

	ensure(!ext_is_full(h) && at >= 0 && at <= count);
	edit_begin(p, level);
	memmove(ext_entry_at(h, at + 1), ext_entry_at(h, at), (size_t)(count - at) * sizeof(e));
	*ext_entry_at(h, at) = e;
	h->eh_entries = le16_of((uint16_t)(count + 1));
	edit_end(p, level);
}

void ext4_ext_delete_entries(struct ext_path *p, int level, int at, int count)
{
	struct ext4_extent_header *h = p->step[level].header;
	int left = ext_entries(h) - at - count;

	ensure(at >= 0 && count >= 0 && left >= 0);
	edit_begin(p, level);
	memmove(ext_entry_at(h, at), ext_entry_at(h, at + count),
		(size_t)left * sizeof(union ext_entry));
	memset(ext_entry_at(h, at + left), 0, (size_t)count * sizeof(union ext_entry));
	h->eh_entries = le16_of((uint16_t)(at + left));
	edit_end(p, level);
}

static void init_header(struct ext4_extent_header *h, uint16_t limit, int depth)
{
	h->eh_magic = le16_of(EXT4_EXT_MAGIC);
	h->eh_entries = le16_of(0);
	h->eh_max = le16_of(limit);
	h->eh_depth = le16_of((uint16_t)depth);
	h->eh_generation = le32_of(0);
}

void ext4_ext_init_root(struct inode *inode)
{
	memset(inode->i_data, 0, sizeof(inode->i_data));
	init_header(root_of(inode), EXT4_EXTENTS_IN_INODE, 0);
}

void ext4_ext_init_node(const struct ext4_geometry *geo, struct ext4_extent_header *h, int depth)
{
	init_header(h, ext4_extents_per_block(geo), depth);
}

void ext4_ext_set_root(struct ext_path *p, int depth, const union ext_entry *entries, int count)
{
	struct ext4_extent_header *root = root_of(p->inode);

	ensure(depth <= (int)EXT4_EXT_MAX_DEPTH && count <= (int)EXT4_EXTENTS_IN_INODE);
	edit_begin(p, 0);
	__atomic_store_n(&root->eh_depth.b[0], (uint8_t)depth, __ATOMIC_RELAXED);
	root->eh_max = le16_of(EXT4_EXTENTS_IN_INODE);
	root->eh_entries = le16_of((uint16_t)count);
	memset(root + 1, 0, EXT4_EXTENTS_IN_INODE * sizeof(*entries));
	if (count)
		memcpy(root + 1, entries, (size_t)count * sizeof(*entries));
	edit_end(p, 0);
}

/*
 * Linux writes the key of a leaf's parent whenever the leaf's first extent was touched, changed or
 * not, and goes on upwards while the node below is the first of its parent.
 */
int ext4_ext_correct_indexes(struct handle *h, struct ext_path *p, int level)
{
	ext4_lblk_t key = key_at(p->step[level].header, 0);

	while (level-- > 0) {
		struct ext_step *s = &p->step[level];
		const struct ext4_extent_idx *ix = &ext_entry_at(s->header, s->at)->index;
		int err = ext4_ext_access(h, p, level);

		if (err)
			return err;
		ext4_ext_set_entry(p, level, s->at, ext4_ext_index_entry(key, ext4_idx_leaf(ix)));
		err = __ext4_ext_dirty(h, p, level);
		if (err || s->at != 0)
			return err;
	}
	return 0;
}
