/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Write-back: dirty pages of one file reach the disk.
 *
 * Delayed blocks are given their place first, a whole stretch of them in one allocation and one
 * handle:
 *
 *	look   through the dirty pages, locked in ascending order, until a stretch of blocks of one kind ends. Pages whose
 *	       blocks all have their place already need no handle's work: they are taken as they come
 *	map    the stretch: allocate, put it into the extent tree; the pages learn where their blocks are
 *	write  when the handle is stopped: all pages taken, in ascending order, neighbours on disk in one vectored
 *	       write. Meanwhile they are WRITEBACK and unlocked: the commit waits for those of its inodes (J2)
 *
 * The pages taken are held in a batch that is set aside before the handle starts. Who writes back
 * never waits for memory, and holds no page lock when it starts a handle.
 */
#include <limits.h>
#include <string.h>
#include "base/assert.h"
#include "ext4/data_internal.h"

#define EXTENT_MAX	2048	/* blocks mapped at a time */
#define BATCH_PAGES	(EXTENT_MAX + 64)
#define LOOK_AT_ONCE	16

struct batch {
	uint32_t count;
	struct page *pages[BATCH_PAGES];	/* referenced; WRITEBACK */
};

struct writer {
	struct inode *inode;
	struct writeback *wb;
	uint64_t first_page, last_page;	/* still to be looked at */
	uint64_t next_page;		/* behind the last one looked at */
	/* the stretch to be mapped; len 0: none yet */
	ext4_lblk_t lblk;
	uint32_t len, flags;		/* PB_DELAYED, PB_UNWRITTEN */
	uint32_t locked_count;
	struct page **locked;		/* its pages, referenced and locked */
	struct batch *taken;		/* to be written */
	uint64_t end_of_written;	/* bytes: what is mapped now reaches so far */
	bool full;			/* the batch has no room: the rest comes next time */
};

/* ---- taking pages */

/* Bytes beyond the size are no one's: they go to disk as zeroes. */
static void zero_beyond_size(struct inode *inode, struct page *p)
{
	uint64_t start = p->index * ext4_page_size(inode->fs);

	if (inode->size > start && inode->size - start < ext4_page_size(inode->fs))
		memset(p->data + (inode->size - start), 0,
		       ext4_page_size(inode->fs) - (inode->size - start));
}

/* A locked, dirty page whose blocks have their place: it is written in this round. Unlocks it. */
static void take_page(struct writer *w, struct page *p)
{
	zero_beyond_size(w->inode, p);
	(void)page_clear_dirty(p);
	page_start_writeback(p);
	page_unlock(p);
	w->taken->pages[w->taken->count++] = p;
	w->wb->nr_to_write--;
}

static void let_go(struct page *p)
{
	page_unlock(p);
	page_put(p);
}

/* What is lent may have changed since it was written last. */
static bool to_be_written(const struct page_block *pb)
{
	return pb->state & (PB_DIRTY | PB_LENT);
}

static bool needs_mapping(const struct page_block *pb)
{
	return to_be_written(pb) && pb->state & (PB_DELAYED | PB_UNWRITTEN);
}

/* Dirty, and it has its place. */
static bool is_ready(const struct page_block *pb)
{
	return to_be_written(pb) && !needs_mapping(pb);
}

static bool any_block(const struct ext4_fs *fs, const struct page *p,
		      bool (*is)(const struct page_block *pb))
{
	for (uint32_t i = 0; i < page_blocks(fs->pages); i++)
		if (is(&p->blocks[i]))
			return true;
	return false;
}

/* Adds the block to the stretch; false: the stretch ends before it. */
static bool extend(struct writer *w, ext4_lblk_t lblk, uint32_t flags)
{
	if (!w->len) {
		w->lblk = lblk;
		w->len = 1;
		w->flags = flags;
		return true;
	}
	if (lblk != w->lblk + w->len || flags != w->flags || w->len >= EXTENT_MAX)
		return false;
	w->len++;
	return true;
}

enum look { LOOK_ON, LOOK_ENDS };

/*
 * A locked, dirty page. Either all its blocks have their place (then it is taken, if no stretch
 * waits before it), or they go on with the stretch.
 */
static enum look look_at_page(struct writer *w, struct page *p)
{
	struct ext4_fs *fs = w->inode->fs;
	ext4_lblk_t lblk = ext4_page_lblk(fs, p);
	uint32_t before = w->len;

	for (uint32_t i = 0; i < page_blocks(fs->pages); i++) {
		struct page_block *pb = &p->blocks[i];
		bool more = needs_mapping(pb)
				    ? extend(w, lblk + i, pb->state & (PB_DELAYED | PB_UNWRITTEN))
				    : !w->len;

		if (more)
			continue;
		if (w->len == before) { /* nothing of this page belongs to the stretch */
			let_go(p);
			return LOOK_ENDS;
		}
		w->locked[w->locked_count++] = p;
		w->next_page = p->index + 1;
		return LOOK_ENDS;
	}
	w->next_page = p->index + 1;
	if (!w->len)
		take_page(w, p);
	else
		w->locked[w->locked_count++] = p;
	return LOOK_ON;
}

/* True when the page is still there, dirty, and may be written now; else it is let go. */
static bool lock_dirty(struct writer *w, struct page *p)
{
	page_lock(p);
	if (ext4_page_is(p, PAGE_REMOVED) || !ext4_page_is(p, PAGE_DIRTY)) {
		let_go(p);
		return false;
	}
	if (ext4_page_is(p, PAGE_WRITEBACK)) {
		if (w->wb->sync_mode == WB_NONE) {
			let_go(p);
			return false;
		}
		page_wait_writeback(p);
	}
	return true;
}

static bool has_room(const struct writer *w)
{
	return w->taken->count + w->locked_count < BATCH_PAGES;
}

/* What was found but not looked at. */
static void put_rest(struct page **found, int from, int count)
{
	for (int i = from; i < count; i++)
		page_put(found[i]);
}

/*
 * mpage_prepare_extent_to_map: looks on until a stretch is complete, or nothing is left. True:
 * nothing is left.
 */
static bool look(struct writer *w)
{
	struct page *found[LOOK_AT_ONCE];
	uint64_t index = w->first_page;
	int n;

	while ((n = page_find_tagged(&w->inode->mapping, &index, w->last_page, MAPPING_TAG_DIRTY,
				     found, LOOK_AT_ONCE)) > 0)
		for (int i = 0; i < n; i++) {
			bool enough = w->wb->sync_mode == WB_NONE &&
				      w->wb->nr_to_write <= (int64_t)w->locked_count;

			w->full = !has_room(w);
			if (w->full || enough || (w->len && found[i]->index != w->next_page)) {
				put_rest(found, i, n);
				return enough && !w->len;
			}
			if (!lock_dirty(w, found[i]))
				continue;
			if (look_at_page(w, found[i]) == LOOK_ENDS) {
				put_rest(found, i + 1, n);
				return false;
			}
		}
	return true;
}

/* ---- mapping a stretch */

/*
 * The pages learn where [map->lblk, + map->len) lies. Those that have all their blocks are taken.
 */
static void learn(struct writer *w, const struct ext4_map *map)
{
	struct ext4_fs *fs = w->inode->fs;
	ext4_lblk_t end = map->lblk + map->len;
	uint32_t kept = 0;

	for (uint32_t n = 0; n < w->locked_count; n++) {
		struct page *p = w->locked[n];
		ext4_lblk_t lblk = ext4_page_lblk(fs, p);
		bool complete = true;

		for (uint32_t i = 0; i < page_blocks(fs->pages); i++) {
			struct page_block *pb = &p->blocks[i];

			if (lblk + i >= map->lblk && lblk + i < end) {
				pb->pblk = map->pblk + (lblk + i - map->lblk);
				pb->state = (pb->state & ~(PB_DELAYED | PB_UNWRITTEN)) | PB_MAPPED;
			}
			complete &= !needs_mapping(pb);
		}
		if (complete)
			take_page(w, p);
		else
			w->locked[kept++] = p;
	}
	w->locked_count = kept;
}

static int map_one(struct handle *h, struct writer *w, struct ext4_map *map)
{
	uint32_t flags = MAP_CREATE | MAP_METADATA_NOFAIL | MAP_IO_SUBMIT;

	TRACE_SCOPE(w->inode->fs, mpage_map_one_extent);
	trace(w->inode->fs, ext4_da_write_pages_extent, w->inode->ino, map->lblk, map->len,
	      w->flags & PB_DELAYED ? 0x100u : 0x800u);
	if (w->flags & PB_DELAYED)
		flags |= MAP_DELALLOC;
	return ext4_map_blocks(h, w->inode, map, flags);
}

/* The blocks up to here are allocated: the size on disk may follow, up to the file's size. */
static int grow_to_mapped(struct handle *h, struct writer *w)
{
	struct inode *inode = w->inode;

	if (w->end_of_written <= inode->disk_size)
		return 0;
	ext4_grow_disk_size(inode, min(w->end_of_written, inode->size));
	return __ext4_mark_inode_dirty(h, inode, "ext4_writepages");
}

/* The first stretch of a page that has no place yet. False: there is none. */
static bool stretch_of(struct writer *w, struct page *p)
{
	struct ext4_fs *fs = w->inode->fs;

	w->len = 0;
	for (uint32_t i = 0; i < page_blocks(fs->pages); i++) {
		struct page_block *pb = &p->blocks[i];

		if (needs_mapping(pb) ? !extend(w, ext4_page_lblk(fs, p) + i,
						pb->state & (PB_DELAYED | PB_UNWRITTEN))
				      : w->len)
			break;
	}
	return w->len;
}

/*
 * A page that the piece just mapped ends in must be mapped whole in this handle, which has credits
 * for as many pieces as a page has blocks: what of it has no place yet is the next piece. False:
 * there is none, and what else was looked at waits for the next handle. So pieces come in order.
 */
static bool page_goes_on(struct writer *w)
{
	struct page *p = w->locked_count ? w->locked[0] : NULL;

	return p && w->lblk > ext4_page_lblk(w->inode->fs, p) && stretch_of(w, p);
}

/*
 * Mapping failed in the middle of a page: some of its blocks are visible with this transaction, and
 * it is not written in this round. So the commit writes them.
 */
static void order_rest(struct handle *h, struct writer *w)
{
	struct page *p = w->locked_count ? w->locked[0] : NULL;

	if (p && any_block(w->inode->fs, p, is_ready) && ext4_should_order_data(w->inode))
		jbd2_journal_inode_add(h, &w->inode->jinode, JI_WRITE_DATA | JI_WAIT_DATA);
}

/* One piece of the stretch, as much as the allocator gives; the handle has credits for no more. */
static int map_stretch(struct handle *h, struct writer *w)
{
	struct ext4_fs *fs = w->inode->fs;
	int err = 0, n, last;

	do {
		struct ext4_map map = { .lblk = w->lblk, .len = w->len };

		n = map_one(h, w, &map);
		if (n <= 0) {
			err = n ? n
				: ext4_error(fs, w->inode->ino, 0,
					     "block %u cannot be mapped", w->lblk);
			break;
		}
		map.len = (uint32_t)n;
		w->lblk += map.len;
		w->len -= map.len;
		w->end_of_written = (uint64_t)w->lblk << fs->geo.block_bits;
		learn(w, &map);
	} while (page_goes_on(w));
	if (err)
		order_rest(h, w);
	if (w->locked_count)
		w->first_page = w->locked[0]->index;
	last = grow_to_mapped(h, w);
	return err ? err : last;
}

/* Pages that could not be mapped stay dirty: another attempt may find space. */
static void unlock_rest(struct writer *w)
{
	for (uint32_t i = 0; i < w->locked_count; i++)
		let_go(w->locked[i]);
	w->locked_count = 0;
	w->len = 0;
}

/* ---- writing what was taken */

/* Collects neighbours on disk into one vectored write. */
struct run {
	struct block_device *device;
	struct iovec iov[256];
	int count;
	uint64_t offset, bytes;
	unsigned flags;
	int err;
};

static void run_write(struct run *r)
{
	struct block_io io = { r->offset, r->iov, r->count, r->flags };
	int err = r->count ? block_writev(r->device, &io) : 0;

	if (err && !r->err)
		r->err = err;
	r->count = 0;
	r->bytes = 0;
}

static void run_add(struct run *r, uint64_t offset, uint8_t *data, uint32_t len)
{
	struct iovec *last = r->count ? &r->iov[r->count - 1] : NULL;

	if (r->count && offset != r->offset + r->bytes) {
		run_write(r);
		last = NULL;
	}
	if (last && (uint8_t *)last->iov_base + last->iov_len == data) {
		last->iov_len += len;
	} else {
		if (r->count == (int)array_size(r->iov))
			run_write(r);
		if (!r->count)
			r->offset = offset;
		r->iov[r->count++] = (struct iovec){ data, len };
	}
	r->bytes += len;
}

/* What of the page is dirty and has its place. */
static void add_page(struct ext4_fs *fs, struct run *r, struct page *p)
{
	for (uint32_t i = 0; i < page_blocks(fs->pages); i++)
		if (is_ready(&p->blocks[i])) {
			p->blocks[i].state &= ~PB_DIRTY;
			run_add(r, p->blocks[i].pblk << fs->geo.block_bits,
				ext4_page_block_data(fs, p, i), fs->geo.block_size);
		}
}

/*
 * A failed write is recorded in the mapping, for every open file's next fsync; the pages are not
 * dirty again: what the medium refuses would fill the memory.
 */
static int write_taken(struct ext4_fs *fs, struct batch *b, bool sync)
{
	struct run r = { .device = fs->device, .flags = sync ? BLOCK_SYNC : 0 };

	for (uint32_t i = 0; i < b->count; i++)
		add_page(fs, &r, b->pages[i]);
	run_write(&r);
	for (uint32_t i = 0; i < b->count; i++) {
		page_end_writeback(b->pages[i], r.err);
		page_put(b->pages[i]);
	}
	b->count = 0;
	return r.err;
}

/* ---- one handle's worth */

static int start_handle(struct writer *w, struct handle **out)
{
	struct ext4_fs *fs = w->inode->fs;
	uint32_t bpp = page_blocks(fs->pages);

	return __ext4_journal_start(fs, w->inode->ino, "ext4_writepages", __LINE__, HT_WRITE_PAGE,
				    ext4_map_credits(w->inode, EXTENT_MAX + bpp - 1, bpp), 0, out);
}

/* *done: nothing is left. */
static int write_some(struct writer *w, bool *done)
{
	struct ext4_fs *fs = w->inode->fs;
	struct handle *h;
	int err = start_handle(w, &h), stop;
	bool nothing_left;

	if (err)
		return err;
	trace(fs, ext4_da_write_pages, w->inode->ino, w->first_page, w->wb->nr_to_write,
	      (int)w->wb->sync_mode, (int64_t)(w->first_page * ext4_page_size(fs)),
	      (int64_t)(w->first_page * ext4_page_size(fs)));
	w->len = 0;
	w->next_page = w->first_page;
	nothing_left = look(w);
	w->first_page = w->next_page;
	if (w->len)
		err = map_stretch(h, w);
	else
		*done = nothing_left || !w->full;
	unlock_rest(w);
	stop = ext4_journal_stop(fs, h);
	err = err ? err : stop;
	stop = write_taken(fs, w->taken, w->wb->sync_mode == WB_ALL);
	return err ? err : stop;
}

static int write_range(struct writer *w, uint64_t first, uint64_t last)
{
	uint64_t short_at = UINT64_MAX;
	bool done = false;
	int err = 0;

	w->first_page = first;
	w->last_page = last;
	while (!done && w->first_page <= w->last_page && !err) {
		err = write_some(w, &done);
		/*
		 * What a commit frees may be what is missing; the data is promised its space in any
		 * case. Where a commit did not help, the image has promised what it has not got.
		 */
		if (err == -ENOSPC && w->inode->fs->journal && w->first_page != short_at) {
			short_at = w->first_page;
			err = jbd2_journal_force_commit(w->inode->fs->journal);
		}
	}
	return err;
}

/* ---- data=journal: the log has the data; write-back writes in place what has committed */

static int write_journaled(struct writer *w, uint64_t first, uint64_t last)
{
	struct ext4_fs *fs = w->inode->fs;
	struct page *found[LOOK_AT_ONCE];
	int n, err = 0;

	while (!err && (n = page_find_tagged(&w->inode->mapping, &first, last, MAPPING_TAG_DIRTY,
					     found, LOOK_AT_ONCE)) > 0)
		for (int i = 0; i < n; i++) {
			if (!err && lock_dirty(w, found[i])) {
				page_hold(found[i]);
				trace(fs, ext4_writepage, w->inode->ino, found[i]->index);
				take_page(w, found[i]);
				err = write_taken(fs, w->taken, true);
			}
			page_put(found[i]);
		}
	return err;
}

/* ---- ordered data, in the commit task */

/*
 * One page at a time, from the stack: the commit allocates nothing. Blocks that wait for their
 * place are left, and the page stays dirty for them.
 */
static int write_one(struct inode *inode, struct page *p)
{
	struct run r = { .device = inode->fs->device, .flags = BLOCK_SYNC };

	zero_beyond_size(inode, p);
	if (!any_block(inode->fs, p, needs_mapping))
		(void)page_clear_dirty(p);
	page_start_writeback(p);
	add_page(inode->fs, &r, p);
	page_unlock(p);
	run_write(&r);
	page_end_writeback(p, r.err);
	page_put(p);
	return r.err;
}

int ext4_write_mapped_pages(struct inode *inode)
{
	struct page *found[LOOK_AT_ONCE];
	uint64_t index = 0;
	int n, err = 0, last;

	while ((n = page_find_tagged(&inode->mapping, &index, UINT64_MAX - 1, MAPPING_TAG_DIRTY,
				     found, LOOK_AT_ONCE)) > 0)
		for (int i = 0; i < n; i++) {
			page_lock(found[i]);
			if (ext4_page_is(found[i], PAGE_REMOVED | PAGE_WRITEBACK) ||
			    !ext4_page_is(found[i], PAGE_DIRTY) ||
			    !any_block(inode->fs, found[i], is_ready)) {
				let_go(found[i]);
				continue;
			}
			last = write_one(inode, found[i]);
			err = err ? err : last;
		}
	return err;
}

/* ---- the whole */

static bool nothing_dirty(struct inode *inode)
{
	return !atomic_load(&inode->mapping.page_count) ||
	       !atomic_load(&inode->mapping.dirty_count);
}

static struct writer *writer_create(struct inode *inode, struct writeback *wb)
{
	struct arena *a = inode->fs->arena;
	struct writer *w = arena_new(a, struct writer);

	if (!w)
		return NULL;
	w->inode = inode;
	w->wb = wb;
	w->taken = arena_new(a, struct batch);
	w->locked = arena_alloc(a, BATCH_PAGES * sizeof(w->locked[0]));
	if (w->taken && w->locked)
		return w;
	arena_free(a, w->taken);
	arena_free(a, w->locked);
	arena_free(a, w);
	return NULL;
}

static void writer_destroy(struct writer *w)
{
	struct arena *a = w->inode->fs->arena;

	arena_free(a, w->taken);
	arena_free(a, w->locked);
	arena_free(a, w);
}

/* From the cyclic mark to the end, then from the beginning to the mark. */
static int write_cyclic(struct writer *w)
{
	struct mapping *m = &w->inode->mapping;
	uint64_t mark = m->writeback_index;
	int err = write_range(w, mark, UINT64_MAX - 1);

	if (!err && mark && w->wb->nr_to_write > 0)
		err = write_range(w, 0, mark - 1);
	m->writeback_index = w->first_page;
	return err;
}

static int write_pages(struct writer *w)
{
	struct ext4_fs *fs = w->inode->fs;
	struct writeback *wb = w->wb;
	uint64_t first = ext4_page_index(fs, wb->range_start),
		 last = ext4_page_index(fs, wb->range_end);
	bool whole = wb->range_start == 0 && wb->range_end == INT64_MAX;
	int err;

	if (ext4_should_journal_data(w->inode))
		return write_journaled(w, wb->range_cyclic ? 0 : first, last);
	if (wb->range_cyclic)
		return write_cyclic(w);
	err = write_range(w, first, last);
	if (whole && wb->nr_to_write > 0)
		w->inode->mapping.writeback_index = w->first_page;
	return err;
}

int ext4_writepages(struct inode *inode, struct writeback *wb)
{
	struct ext4_fs *fs = inode->fs;
	int64_t wanted = wb->nr_to_write;
	struct writer *w;
	int err = 0;

	TRACE_SCOPE(fs, ext4_writepages);
	guard(&inode->writeback_lock);
	trace(fs, ext4_writepages, inode->ino, wb->nr_to_write, wb->pages_skipped,
	      (int64_t)wb->range_start, (int64_t)wb->range_end, (int)wb->sync_mode, wb->for_kupdate,
	      wb->range_cyclic, inode->mapping.writeback_index);
	if (!nothing_dirty(inode)) {
		w = writer_create(inode, wb);
		if (w) {
			err = write_pages(w);
			writer_destroy(w);
		} else {
			err = -ENOMEM;
		}
	}
	trace(fs, ext4_writepages_result, inode->ino, err, (int)(wanted - wb->nr_to_write),
	      wb->pages_skipped, (int)wb->sync_mode, inode->mapping.writeback_index);
	return err;
}
