/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a file consists of, stretch by stretch: for SEEK_DATA and SEEK_HOLE, and for FIEMAP.
 * Allocated stretches come from the map; delayed ones, which have no place yet, from the extent
 * status tree between them.
 */
#include "ext4/data_internal.h"

#define BLOCKS_MAX (EXT4_MAX_LBLK + 1u)

/* ---- the next stretch with blocks or promises */

/* What the page cache has of [lblk, + len), as far as it is of one kind. */
static void cached_at(struct inode *inode, ext4_lblk_t lblk, uint32_t *len, bool *cached)
{
	uint32_t bpp = page_blocks(inode->fs->pages), i = lblk % bpp, n = 0;
	uint64_t index = lblk / bpp, found = index;
	struct page *p;

	if (page_find_range(&inode->mapping, &found, (lblk + *len - 1) / bpp, &p, 1) <= 0) {
		*cached = false;
		return;
	}
	if (p->index > index) {
		*cached = false;
		*len = (uint32_t)(p->index * bpp - lblk);
		page_put(p);
		return;
	}
	page_lock(p);
	*cached = ext4_page_is(p, PAGE_UPTODATE) || p->blocks[i].state & PB_UPTODATE;
	while (i + n < bpp &&
	       *cached == (ext4_page_is(p, PAGE_UPTODATE) || p->blocks[i + n].state & PB_UPTODATE))
		n++;
	page_unlock(p);
	page_put(p);
	*len = min(*len, n);
}

/* The stretch that begins at `lblk`: its length, and whether it is data. */
static int stretch_at(struct inode *inode, ext4_lblk_t lblk, uint32_t max, bool *is_data,
		      uint32_t *len)
{
	struct ext4_map map = { .lblk = lblk, .len = max };
	struct extent_status delayed;
	int n = ext4_map_blocks(NULL, inode, &map, 0);

	if (n < 0)
		return n;
	if (n > 0) {
		*len = (uint32_t)n;
		*is_data = true;
		if (map.flags & MAPPED_UNWRITTEN)
			cached_at(inode, lblk, len, is_data);
		return 0;
	}
	*len = map.len ? min(map.len, max) : 1;
	*is_data = false;
	ext4_es_find_delayed_extent_range(inode, lblk, lblk + *len - 1, &delayed);
	if (!delayed.len)
		return 0;
	if (delayed.lblk > lblk) {
		*len = delayed.lblk - lblk;
		return 0;
	}
	*is_data = true;
	*len = min(delayed.lblk + delayed.len - lblk, max);
	return 0;
}

int ext4_map_next_data(struct inode *inode, ext4_lblk_t lblk, ext4_lblk_t end, ext4_lblk_t *first,
		       uint32_t *len)
{
	bool is_data = false;
	int err = 0;

	while (lblk < end && !is_data && !err) {
		err = stretch_at(inode, lblk, end - lblk, &is_data, len);
		*first = lblk;
		lblk += *len;
	}
	return err ? err : is_data;
}

/* ---- all of them */

struct walk {
	struct inode *inode;
	ext4_lblk_t next;		/* up to here all is told */
	int (*fn)(void *arg, ext4_lblk_t lblk, uint32_t len, ext4_fsblk_t pblk, uint32_t status);
	void *arg;
};

/* Promises in [w->next, end). */
static int tell_delayed(struct walk *w, ext4_lblk_t end)
{
	struct extent_status es;
	int err = 0;

	while (w->next < end && !err) {
		ext4_es_find_delayed_extent_range(w->inode, w->next, end - 1, &es);
		if (!es.len || es.lblk >= end)
			break;
		err = w->fn(w->arg, es.lblk, es.len, 0, ES_DELAYED);
		w->next = es.lblk + es.len;
	}
	w->next = end;
	return err;
}

/* The same without events, where Linux has no extent to ask about. */
static int tell_promises_before(struct walk *w, ext4_lblk_t end)
{
	struct extent_status es;
	int err = 0;

	while (w->next < end && !err && ext4_es_next(w->inode, w->next, ES_DELAYED, &es) &&
	       es.lblk < end) {
		ext4_lblk_t from = max(es.lblk, w->next), to = min(es.lblk + es.len, end);

		err = w->fn(w->arg, from, to - from, 0, ES_DELAYED | ES_REFERENCED);
		w->next = to;
	}
	w->next = max(w->next, end);
	return err;
}

static int tell_extent(void *arg, ext4_lblk_t lblk, uint32_t len, ext4_fsblk_t pblk, bool unwritten)
{
	struct walk *w = arg;
	struct extent_status es;
	int err = tell_delayed(w, lblk);

	if (err)
		return err;
	w->next = lblk + len;
	ext4_es_find_delayed_extent_range(w->inode, w->next, EXT4_MAX_LBLK, &es);
	return w->fn(w->arg, lblk, len, pblk, unwritten ? ES_UNWRITTEN : ES_WRITTEN);
}

/*
 * Block maps have no list to walk: they are asked block by block for as much as the file has, up to
 * and with what lies behind its end, and the promises between are told on the way.
 */
static int walk_pointers(struct walk *w)
{
	struct inode *inode = w->inode;
	uint64_t bs = inode->fs->geo.block_size, size = inode->size;
	ext4_lblk_t end = (ext4_lblk_t)min((size + bs - 1) / bs, (uint64_t)BLOCKS_MAX), at = 0;
	int err = 0, n;

	do {
		struct ext4_map map = { .lblk = at, .len = (uint32_t)max(size / bs, (uint64_t)1) };

		n = ext4_map_blocks(NULL, inode, &map, 0);
		if (n == -EFBIG)
			break; /* the file is as long as its map can be */
		if (n < 0)
			return n;
		if (n > 0) {
			err = tell_promises_before(w, map.lblk);
			if (!err)
				err = w->fn(w->arg, map.lblk, map.len, map.pblk,
					    ES_WRITTEN | ES_REFERENCED);
			w->next = map.lblk + map.len;
		}
		if (at >= end && !n)
			break;
		at += map.len;
	} while (!err);
	return err ? err : tell_promises_before(w, max(end, w->next));
}

int ext4_map_walk(struct inode *inode,
		  int (*fn)(void *arg, ext4_lblk_t lblk, uint32_t len, ext4_fsblk_t pblk,
			    uint32_t status),
		  void *arg)
{
	struct walk w = { .inode = inode, .fn = fn, .arg = arg };
	int err;

	if (!(inode->flags & EXT4_EXTENTS_FL))
		return walk_pointers(&w);
	err = ext4_ext_walk(inode, 0, tell_extent, &w);
	if (err || (w.next && !inode->reserved_blocks))
		return err;
	return tell_delayed(&w, BLOCKS_MAX);
}
