/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The extent status tree of an inode: what is known of each stretch of the file without asking the
 * extent tree. Entries do not overlap; a stretch without one is unknown.
 *
 *	written, unwritten	a copy of what the extent tree says
 *	hole			the extent tree has nothing there
 *	delayed			written into memory, space promised, no block yet
 *
 * All but delayed entries can be dropped at any time and are found again in the extent tree; a
 * delayed one is the only place where the promise is recorded, and stays until it is mapped or
 * truncated. An unwritten stretch that somebody has delayed data in is both.
 *
 * Neighbours of the same status are one entry where their blocks are contiguous too. The bit
 * `referenced` says that an entry was looked up since memory was last short; it is no part of the
 * status when neighbours are compared, and what is cut off an entry inherits it.
 *
 * Locks: es.lock for everything. Who changes the extent tree holds map_lock for writing and updates
 * this tree before it lets go, so both agree whenever map_lock is held. A look-up takes es.lock
 * alone.
 */
#include "base/assert.h"
#include "ext4/extent_status.h"

#define STATUS_MASK (ES_WRITTEN | ES_UNWRITTEN | ES_DELAYED | ES_HOLE)

/*
 * What a hole or delayed stretch cut off behind another bears as its block: it shows where it is
 * used.
 */
#define ES_CUT_BLOCK 0x7fdeadbeefULL

void ext4_es_init_tree(struct es_tree *t)
{
	mutex_init(&t->lock, RANK_EXTENT_STATUS);
	t->root.root = NULL;
	t->cached = NULL;
	t->spare = NULL;
	t->count = 0;
	t->delayed = 0;
	t->listed = false;
	list_init(&t->link);
}

static bool has_block(const struct extent_status *es)
{
	return es->status & (ES_WRITTEN | ES_UNWRITTEN);
}

static struct extent_status *entry_of(struct rb_node *node)
{
	return rb_entry_or_null(node, struct extent_status, node);
}

static struct extent_status *next_of(const struct extent_status *es)
{
	return entry_of(rb_next(&es->node));
}

/* The first entry that reaches to `lblk` or beyond: it covers it, or is the next one behind it. */
static struct extent_status *first_reaching(struct es_tree *t, ext4_lblk_t lblk)
{
	struct rb_node *node = t->root.root;
	struct extent_status *found = NULL;

	if (t->cached && lblk - t->cached->lblk < t->cached->len)
		return t->cached;
	while (node) {
		struct extent_status *es = entry_of(node);

		if (es_last(es) < lblk) {
			node = node->right;
			continue;
		}
		found = es;
		if (es->lblk <= lblk)
			break;
		node = node->left;
	}
	if (found)
		t->cached = found;
	return found;
}

/* ---- changing the tree */

void ext4_es_unlink(struct es_tree *t, struct extent_status *es)
{
	if (t->cached == es)
		t->cached = NULL;
	t->count--;
	t->delayed -= es_is_delayed(es);
	rb_remove(&t->root, &es->node);
}

static void drop(struct inode *inode, struct extent_status *es)
{
	ext4_es_unlink(&inode->es, es);
	ext4_es_entry_free(inode->fs, es);
}

static void link_entry(struct inode *inode, struct extent_status *es)
{
	struct es_tree *t = &inode->es;
	struct rb_node **link = &t->root.root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = es->lblk < entry_of(parent)->lblk ? &parent->left : &parent->right;
	}
	rb_insert(&t->root, &es->node, parent, link);
	t->count++;
	t->delayed += es_is_delayed(es);
	if (!t->listed && !es_is_delayed(es))
		ext4_es_enlist(inode);
}

/* The first `blocks` blocks of an entry go. */
static void cut_head(struct extent_status *es, uint32_t blocks)
{
	es->lblk += blocks;
	es->len -= blocks;
	if (has_block(es))
		es->pblk += blocks;
}

/* [lblk, last] lies inside the entry: what is behind becomes an entry of its own. */
static int cut_middle(struct inode *inode, struct extent_status *es, ext4_lblk_t lblk,
		      ext4_lblk_t last)
{
	struct extent_status *rest = ext4_es_entry_new(inode, es_is_delayed(es));

	if (!rest && es_is_delayed(es))
		return -ENOMEM;
	if (rest) {
		rest->lblk = last + 1;
		rest->len = es_last(es) - last;
		rest->status = es->status;
		rest->pblk = has_block(es) ? es->pblk + (rest->lblk - es->lblk) : ES_CUT_BLOCK;
	}
	es->len = lblk - es->lblk;
	if (rest)
		link_entry(inode, rest);
	return 0;
}

/*
 * Nothing is known of [lblk, last] any more. -ENOMEM only when a promise would be lost; then
 * nothing has changed.
 */
static int cut(struct inode *inode, ext4_lblk_t lblk, ext4_lblk_t last)
{
	struct extent_status *es = first_reaching(&inode->es, lblk), *next;

	if (es && es->lblk < lblk) {
		if (es_last(es) > last)
			return cut_middle(inode, es, lblk, last);
		es->len = lblk - es->lblk;
		es = next_of(es);
	}
	for (; es && es_last(es) <= last; es = next) {
		next = next_of(es);
		drop(inode, es);
	}
	if (es && es->lblk <= last)
		cut_head(es, last + 1 - es->lblk);
	return 0;
}

/* `b` begins where `a` ends, and one entry can say both. */
static bool mergeable(const struct extent_status *a, const struct extent_status *b)
{
	if ((a->status ^ b->status) & STATUS_MASK || b->lblk - a->lblk != a->len)
		return false;
	if ((uint64_t)a->len + b->len > UINT32_MAX)
		return false;
	return !has_block(a) || a->pblk + a->len == b->pblk;
}

/* Puts what `e` says into the tree, where nothing is known yet. False: no memory. */
static bool add(struct inode *inode, const struct extent_status *e, bool must)
{
	struct extent_status *next = first_reaching(&inode->es, e->lblk), *prev, *es;

	prev = entry_of(next ? rb_prev(&next->node) : rb_last(&inode->es.root));
	if (prev && mergeable(prev, e)) {
		prev->len += e->len;
		if (next && mergeable(prev, next)) {
			prev->len += next->len;
			prev->status |= next->status & ES_REFERENCED;
			drop(inode, next);
		}
		return true;
	}
	if (next && mergeable(e, next)) {
		next->lblk = e->lblk;
		next->len += e->len;
		if (has_block(next))
			next->pblk = e->pblk;
		return true;
	}
	es = ext4_es_entry_new(inode, must);
	if (!es)
		return false;
	es->lblk = e->lblk;
	es->len = e->len;
	es->pblk = e->pblk;
	es->status = e->status;
	link_entry(inode, es);
	return true;
}

static int insert(struct inode *inode, ext4_lblk_t lblk, uint32_t len, ext4_fsblk_t pblk,
		  uint32_t status)
{
	struct extent_status e = { .lblk = lblk, .len = len, .pblk = pblk, .status = status };
	struct ext4_fs *fs = inode->fs;
	bool delayed = es_is_delayed(&e);
	int err;

	TRACE_SCOPE(fs, ext4_es_insert_extent);
	if (!has_block(&e))
		e.pblk = ES_NO_BLOCK;
	trace(fs, ext4_es_insert_extent, inode->ino, lblk, len, e.pblk, status,
	      delayed && !has_block(&e), false, false);
	err = cut(inode, lblk, es_last(&e));
	if (!err && !add(inode, &e, delayed && has_block(&e)) && delayed)
		err = -ENOMEM;
	return err;
}

int ext4_es_insert_extent(struct inode *inode, ext4_lblk_t lblk, uint32_t len, ext4_fsblk_t pblk,
			  uint32_t status)
{
	if (!len)
		return 0;
	ensure(lblk + len > lblk && !(status & ES_DELAYED && status & ES_WRITTEN));
	guard(&inode->es.lock);
	return insert(inode, lblk, len, pblk, status);
}

void ext4_es_cache_extent(struct inode *inode, ext4_lblk_t lblk, uint32_t len, ext4_fsblk_t pblk,
			  uint32_t status)
{
	struct extent_status e = { .lblk = lblk, .len = len, .pblk = pblk, .status = status }, *es;
	struct ext4_fs *fs = inode->fs;

	TRACE_SCOPE(fs, ext4_es_cache_extent);
	if (!len)
		return;
	ensure(lblk + len > lblk && !(status & ES_DELAYED));
	if (!has_block(&e))
		e.pblk = ES_NO_BLOCK;
	trace(fs, ext4_es_cache_extent, inode->ino, lblk, len, e.pblk, status);
	guard(&inode->es.lock);
	es = first_reaching(&inode->es, lblk);
	if (!es || es->lblk > es_last(&e))
		(void)add(inode, &e, false); /* it is on disk too */
}

int ext4_es_remove_extent(struct inode *inode, ext4_lblk_t lblk, uint32_t len)
{
	struct ext4_fs *fs = inode->fs;

	TRACE_SCOPE(fs, ext4_es_remove_extent);
	trace(fs, ext4_es_remove_extent, inode->ino, lblk, len);
	if (!len)
		return 0;
	ensure(lblk + len > lblk);
	guard(&inode->es.lock);
	return cut(inode, lblk, lblk + len - 1);
}

void ext4_es_clear(struct inode *inode)
{
	struct extent_status *es;

	guard(&inode->es.lock);
	while ((es = entry_of(rb_first(&inode->es.root))) != NULL)
		drop(inode, es);
	arena_free(inode->fs->arena, inode->es.spare);
	inode->es.spare = NULL;
	if (inode->es.listed)
		ext4_es_delist(inode);
}

/* ---- looking */

/* The copy shows whether it was referenced before this look-up. */
static bool look_up(struct inode *inode, ext4_lblk_t lblk, struct extent_status *out)
{
	struct extent_status *es;

	guard(&inode->es.lock);
	es = first_reaching(&inode->es, lblk);
	if (!es || es->lblk > lblk)
		return false;
	*out = *es;
	if (!(es->status & ES_REFERENCED))
		es->status |= ES_REFERENCED;
	return true;
}

bool ext4_es_lookup_extent(struct inode *inode, ext4_lblk_t lblk, struct extent_status *out)
{
	struct ext4_fs *fs = inode->fs;
	bool found;

	TRACE_SCOPE(fs, ext4_es_lookup_extent);
	trace(fs, ext4_es_lookup_extent_enter, inode->ino, lblk);
	found = look_up(inode, lblk, out);
	if (!found)
		out->lblk = 0, out->len = 0, out->pblk = 0, out->status = 0;
	trace(fs, ext4_es_lookup_extent_exit, inode->ino, found, out->lblk, out->len, out->pblk,
	      out->status);
	return found;
}

static const struct extent_status *next_with(struct inode *inode, ext4_lblk_t lblk,
					     uint32_t statuses)
{
	const struct extent_status *es = first_reaching(&inode->es, lblk);

	while (es && !(es->status & statuses))
		es = next_of(es);
	return es;
}

bool ext4_es_next(struct inode *inode, ext4_lblk_t lblk, uint32_t statuses,
		  struct extent_status *out)
{
	const struct extent_status *es;

	guard(&inode->es.lock);
	es = next_with(inode, lblk, statuses);
	if (es)
		*out = *es;
	return es != NULL;
}

/* The entry that is delayed, or says nothing; with the events. */
static void find_delayed(struct inode *inode, ext4_lblk_t lblk, ext4_lblk_t end,
			 struct extent_status *out)
{
	struct ext4_fs *fs = inode->fs;
	const struct extent_status *es;

	TRACE_SCOPE(fs, ext4_es_find_delayed_extent_range);
	trace(fs, ext4_es_find_delayed_extent_range_enter, inode->ino, lblk);
	es = next_with(inode, lblk, ES_DELAYED);
	*out = es && es->lblk <= end ? *es : (struct extent_status){ 0 };
	trace(fs, ext4_es_find_delayed_extent_range_exit, inode->ino, out->lblk, out->len,
	      out->pblk, out->status);
}

void ext4_es_find_delayed_extent_range(struct inode *inode, ext4_lblk_t lblk, ext4_lblk_t end,
				       struct extent_status *out)
{
	guard(&inode->es.lock);
	find_delayed(inode, lblk, end, out);
}

/*
 * One step under the lock: somebody may be making a block of the hole delayed, which must not be
 * forgotten. Delayed stretches behind the first are left out with it: what is there is a hole on
 * disk.
 */
void ext4_ext_put_gap_in_cache(struct inode *inode, ext4_lblk_t start, ext4_lblk_t end)
{
	struct extent_status es;

	TRACE_SCOPE(inode->fs, ext4_ext_put_gap_in_cache);
	guard(&inode->es.lock);
	find_delayed(inode, start, end - 1, &es);
	if (es.len)
		end = max(es.lblk, start);
	if (end > start)
		ignore_result(insert(inode, start, end - start, ES_NO_BLOCK, ES_HOLE));
}

uint32_t ext4_es_delayed_blocks(struct inode *inode, ext4_lblk_t lblk, ext4_lblk_t end)
{
	const struct extent_status *es;
	uint32_t blocks = 0;

	guard(&inode->es.lock);
	if (!inode->es.delayed)
		return 0;
	for (es = first_reaching(&inode->es, lblk); es && es->lblk <= end; es = next_of(es))
		if (es_is_delayed(es))
			blocks += min(es_last(es), end) - max(es->lblk, lblk) + 1;
	return blocks;
}
