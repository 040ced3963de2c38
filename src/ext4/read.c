/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading: from pages that are there, without a lock; else a window of pages is read with as few
 * transfers as the file's layout allows.
 *
 * The window follows the reader. It begins small, doubles while the reader goes on where the last
 * one ended, and carries a mark: reaching the marked page asks for the next window before it is
 * needed. A read at another place is served alone.
 *
 *	          start            start + size - async_size          start + size
 *	            |------------------------|#------------------------------|
 *	                                      the marked page
 */
#include <string.h>
#include "base/assert.h"
#include "base/copy.h"
#include "ext4/data_internal.h"

/* 128 KiB is what Linux reads ahead by default; a call that asks for more gets more at once. */
#define READAHEAD_BYTES	(128u << 10)
#define REQUEST_BYTES	(2u << 20)
#define WINDOW_PAGES	512
#define RUN_PAGES	16		/* copied in one epoch */

/* ---- reading a window */

struct window {
	struct inode *inode;
	uint32_t count;
	struct page *pages[WINDOW_PAGES];	/* locked, referenced, ascending; not uptodate */
	struct iovec iov[WINDOW_PAGES];
	struct ext4_map map;			/* the stretch found last */
	int mapped;				/* blocks of it; 0: none, or a hole */
};

/* Where a block lies: in the stretch at hand, else the map is asked, for all blocks up to `end`. */
static int where(struct window *w, ext4_lblk_t lblk, ext4_lblk_t end, ext4_fsblk_t *pblk)
{
	int n;

	if (!w->mapped || lblk < w->map.lblk || lblk >= w->map.lblk + w->map.len) {
		w->map = (struct ext4_map){ .lblk = lblk, .len = end - lblk };
		n = ext4_map_blocks(NULL, w->inode, &w->map, 0);
		if (n < 0)
			return n;
		w->mapped = n;
		w->map.len = (uint32_t)n;
	}
	*pblk = w->mapped && !(w->map.flags & MAPPED_UNWRITTEN) ? w->map.pblk + (lblk - w->map.lblk)
								: 0;
	return 0;
}

/* A transfer being gathered: neighbours on disk. */
struct transfer {
	uint64_t offset, bytes;
	int first, count;		/* in window.iov */
};

static int transfer_read(struct window *w, struct transfer *t)
{
	struct block_io io = { t->offset, &w->iov[t->first], t->count, 0 };
	int err = t->count ? block_readv(w->inode->fs->device, &io) : 0;

	*t = (struct transfer){ .first = t->first + t->count };
	return err;
}

static int gather(struct window *w, struct transfer *t, ext4_fsblk_t pblk, uint8_t *data)
{
	uint32_t size = w->inode->fs->geo.block_size;
	uint64_t offset = pblk << w->inode->fs->geo.block_bits;
	struct iovec *last = t->count ? &w->iov[t->first + t->count - 1] : NULL;
	int err = 0;

	if (t->count && offset != t->offset + t->bytes) {
		err = transfer_read(w, t);
		last = NULL;
	}
	if (!t->count) {
		t->offset = offset;
		last = NULL;
	}
	if (last && (uint8_t *)last->iov_base + last->iov_len == data) {
		last->iov_len += size;
	} else if (t->first + t->count < WINDOW_PAGES) {
		w->iov[t->first + t->count++] = (struct iovec){ data, size };
	} else {
		err = err ? err : transfer_read(w, t);
		*t = (struct transfer){ .offset = offset, .count = 1 };
		w->iov[0] = (struct iovec){ data, size };
	}
	t->bytes += size;
	return err;
}

/* The blocks up to which reading makes sense: what lies behind the size reads as zeroes. */
static ext4_lblk_t end_of_file(const struct inode *inode)
{
	return (ext4_lblk_t)((inode->size + inode->fs->geo.block_size - 1) >>
			     inode->fs->geo.block_bits);
}

uint64_t ext4_end_page(const struct inode *inode)
{
	uint32_t psize = ext4_page_size(inode->fs);

	return (inode->size + psize - 1) / psize;
}

static int fill_page(struct window *w, struct transfer *t, struct page *p, ext4_lblk_t end)
{
	struct ext4_fs *fs = w->inode->fs;
	ext4_lblk_t lblk = ext4_page_lblk(fs, p);
	int err = 0;

	for (uint32_t i = 0; i < page_blocks(fs->pages) && !err; i++) {
		uint8_t *data = ext4_page_block_data(fs, p, i);
		ext4_fsblk_t pblk = 0;

		if (p->blocks[i].state & PB_UPTODATE)
			continue;
		if (lblk + i < end)
			err = where(w, lblk + i, end, &pblk);
		if (!err && pblk)
			err = gather(w, t, pblk, data);
		else
			memset(data, 0, fs->geo.block_size);
	}
	return err;
}

/* Reads all pages of the window; unlocks them. Those that could not be read stay not uptodate. */
static int window_read(struct window *w)
{
	struct ext4_fs *fs = w->inode->fs;
	struct transfer t = { 0 };
	ext4_lblk_t end = 0;
	int err = 0, last;

	if (w->count) {
		end = min(end_of_file(w->inode),
			  ext4_page_lblk(fs, w->pages[w->count - 1]) + page_blocks(fs->pages));
	}
	for (uint32_t i = 0; i < w->count && !err; i++)
		err = fill_page(w, &t, w->pages[i], end);
	last = transfer_read(w, &t);
	err = err ? err : last;
	for (uint32_t i = 0; i < w->count; i++) {
		if (!err)
			page_mark_uptodate(w->pages[i]);
		page_unlock(w->pages[i]);
		page_put(w->pages[i]);
	}
	w->count = 0;
	return err;
}

/*
 * Locks the pages of [index, index + count) that are not there; `mark`: the one that carries the
 * mark.
 */
static int window_fill(struct window *w, uint64_t index, uint64_t count, uint64_t mark)
{
	struct inode *inode = w->inode;
	uint64_t end = ext4_end_page(inode);
	struct page *p;
	int err;

	for (uint64_t at = index; at < index + count && at < end && w->count < WINDOW_PAGES; at++) {
		p = page_find(&inode->mapping, at);
		if (p) {
			page_put(p);
			continue;
		}
		err = page_find_or_create(&inode->mapping, at, &p);
		if (err)
			return err;
		if (ext4_page_is(p, PAGE_UPTODATE)) { /* made meanwhile */
			page_unlock(p);
			page_put(p);
			continue;
		}
		if (at == mark)
			atomic_fetch_or(&p->state, PAGE_READAHEAD);
		w->pages[w->count++] = p;
	}
	return 0;
}

int ext4_read_window(struct inode *inode, uint64_t index, uint64_t count, uint64_t mark)
{
	struct window *w = arena_alloc(inode->fs->arena, sizeof(*w));
	int err, last;

	if (!w)
		return -ENOMEM;
	w->inode = inode;
	w->count = 0;
	w->mapped = 0;
	rwlock_read(&inode->invalidate_lock);
	err = window_fill(w, index, count, mark);
	last = window_read(w);
	rwlock_unread(&inode->invalidate_lock);
	arena_free(inode->fs->arena, w);
	return err ? err : last;
}

/* ---- how large a window */

static uint64_t pages_of(const struct ext4_fs *fs, uint32_t bytes)
{
	return max(bytes / ext4_page_size(fs), 1u);
}

uint64_t ext4_readahead_pages(const struct inode *inode, const struct ext4_readahead *ra)
{
	return pages_of(inode->fs, ra->sequential ? 2 * READAHEAD_BYTES : READAHEAD_BYTES);
}

static uint64_t round_up_pow2(uint64_t n)
{
	uint64_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

static uint64_t first_size(uint64_t wanted, uint64_t most)
{
	uint64_t n = round_up_pow2(wanted);

	if (n <= most / 32)
		return n * 4;
	return n <= most / 4 ? n * 2 : most;
}

static uint64_t next_size(uint64_t size, uint64_t most)
{
	return min(size < most / 16 ? size * 4 : size * 2, most);
}

/* A new sequence begins at `index`. */
static void begin_sequence(struct ext4_readahead *ra, uint64_t index, uint64_t wanted,
			   uint64_t most)
{
	ra->start = index;
	ra->size = first_size(wanted, most);
	ra->async_size = ra->size > wanted ? ra->size - wanted : ra->size;
}

/* The next window of a sequence: behind the last one. */
static void go_on(struct ext4_readahead *ra, uint64_t most)
{
	ra->start += ra->size;
	ra->size = next_size(ra->size, most);
	ra->async_size = ra->size;
}

/* True: a window of a sequence was chosen; false: a read at another place. */
static bool choose_window(struct ext4_readahead *ra, uint64_t index, uint64_t wanted, uint64_t most)
{
	if (index &&
	    (index == ra->start + ra->size - ra->async_size || index == ra->start + ra->size)) {
		go_on(ra, most);
	} else if (!index || wanted > most || index - ra->prev_index <= 1) {
		begin_sequence(ra, index, wanted, most);
	} else {
		return false;
	}
	if (index == ra->start && ra->size == ra->async_size) {
		/* The reader is here already: this window and the next in one. */
		uint64_t more = next_size(ra->size, most);

		if (ra->size + more <= most) {
			ra->async_size = more;
			ra->size += more;
		} else {
			ra->size = most;
			ra->async_size = most / 2;
		}
	}
	return true;
}

int ext4_read_ahead(struct inode *inode, struct ext4_readahead *ra, uint64_t index, uint64_t wanted)
{
	struct ext4_fs *fs = inode->fs;
	uint64_t most = ext4_readahead_pages(inode, ra);

	if (wanted > most)
		most = min(wanted, pages_of(fs, REQUEST_BYTES));
	if (ra->random || !choose_window(ra, index, wanted, most))
		return ext4_read_window(inode, index, min(wanted, most), UINT64_MAX);
	return ext4_read_window(inode, ra->start, ra->size, ra->start + ra->size - ra->async_size);
}

void ext4_read_next(struct inode *inode, struct ext4_readahead *ra, struct page *p)
{
	uint64_t most = ext4_readahead_pages(inode, ra);

	if (!(atomic_fetch_and(&p->state, ~PAGE_READAHEAD) & PAGE_READAHEAD))
		return;
	if (p->index != ra->start + ra->size - ra->async_size && p->index != ra->start + ra->size)
		begin_sequence(ra, p->index, 1, most);
	else
		go_on(ra, most);
	/* A hint: what fails here is met again by who needs it. */
	ignore_result(
		ext4_read_window(inode, ra->start, ra->size, ra->start + ra->size - ra->async_size));
}

/* ---- one page */

int ext4_read_alone(struct inode *inode, struct page *p)
{
	struct window w = { .inode = inode };
	int err;

	page_lock(p);
	if (ext4_page_is(p, PAGE_UPTODATE | PAGE_REMOVED)) {
		err = ext4_page_is(p, PAGE_REMOVED) ? -EAGAIN : 0;
		page_unlock(p);
		return err;
	}
	trace(inode->fs, ext4_readpage, inode->ino, p->index);
	w.pages[0] = page_hold(p);
	w.count = 1;
	return window_read(&w);
}

int ext4_read_page(struct inode *inode, uint64_t index, struct ext4_readahead *ra, uint64_t wanted,
		   struct page **out)
{
	struct page *p;
	int err = 0;

	for (;;) {
		if (index >= ext4_end_page(inode)) { /* cut off since the caller looked */
			*out = NULL;
			return 0;
		}
		p = page_find(&inode->mapping, index);
		if (!p) {
			err = ext4_read_ahead(inode, ra, index, max(wanted, (uint64_t)1));
			p = page_find(&inode->mapping, index);
			if (!p && err)
				return err;
			if (!p)
				continue; /* reclaimed at once: memory is short */
		} else if (ext4_page_is(p, PAGE_READAHEAD)) {
			ext4_read_next(inode, ra, p);
		}
		if (likely(ext4_page_is(p, PAGE_UPTODATE))) {
			*out = p;
			return 0;
		}
		err = ext4_read_alone(inode, p);
		if (!err && ext4_page_is(p, PAGE_UPTODATE)) {
			*out = p;
			return 0;
		}
		page_put(p);
		if (err != -EAGAIN)
			return err ? err : -EIO;
	}
}

int ext4_read_single_page(struct inode *inode, uint64_t index, struct page **out)
{
	struct page *p;
	int err;

	do {
		err = page_find_or_create(&inode->mapping, index, &p);
		if (err)
			return err;
		page_unlock(p);
		err = ext4_page_is(p, PAGE_UPTODATE) ? 0 : ext4_read_alone(inode, p);
		if (!err) {
			*out = p;
			return 0;
		}
		page_put(p);
	} while (err == -EAGAIN);
	return err;
}

/* ---- a call's worth */

/*
 * Readers take no lock of the file: a write to the same bytes may be under way, and the copy then
 * holds some of it, as on Linux. To the thread sanitizer that is meant.
 */
#if WITH_TSAN
racy_reader static void copy_out(uint8_t *to, const uint8_t *from, size_t len)
{
	const volatile uint8_t *v = from;

	for (size_t i = 0; i < len; i++)
		to[i] = v[i];
}
#else
static void copy_out(uint8_t *to, const uint8_t *from, size_t len)
{
	copy_bytes(to, from, len);
}
#endif

/* The part of a read that lies in the page, at its beginning. */
static size_t copy_page(const struct ext4_fs *fs, const struct page *p, uint64_t pos, void *buf,
			size_t len)
{
	size_t from = pos & (ext4_page_size(fs) - 1), n = min(ext4_page_size(fs) - from, len);

	copy_out(buf, p->data + from, n);
	return n;
}

/*
 * As much of the beginning of a read as lies in pages that are there, found several at a time. It
 * stops at a page that has to be read, and at one that carries the mark.
 */
static size_t read_cached(struct inode *inode, uint64_t pos, uint8_t *buf, size_t len)
{
	struct ext4_fs *fs = inode->fs;
	uint64_t first = ext4_page_index(fs, pos), last = ext4_page_index(fs, pos + len - 1);
	struct page *pages[RUN_PAGES];
	uint32_t count;
	size_t done = 0;

	guard_epoch();
	count = page_peek_run(&inode->mapping, first, pages,
			      (uint32_t)min(last - first + 1, (uint64_t)RUN_PAGES));
	for (uint32_t i = 0; i < count; i++) {
		if ((atomic_load_explicit(&pages[i]->state, memory_order_acquire) &
		     (PAGE_UPTODATE | PAGE_READAHEAD)) != PAGE_UPTODATE)
			break;
		done += copy_page(fs, pages[i], pos + done, buf + done, len - done);
	}
	return done;
}

/* The beginning of a read from its first page, which is read when need be. 0: the file ends. */
static int64_t read_one(struct inode *inode, uint64_t pos, uint8_t *buf, size_t len,
			struct ext4_readahead *ra)
{
	struct ext4_fs *fs = inode->fs;
	uint64_t index = ext4_page_index(fs, pos);
	struct page *p;
	int64_t n = ext4_read_page(inode, index, ra,
				   ext4_page_index(fs, pos + len - 1) - index + 1, &p);

	if (n || !p)
		return n;
	n = (int64_t)copy_page(fs, p, pos, buf, len);
	page_put(p);
	return n;
}

void ext4_read_soon(struct inode *inode, uint64_t pos)
{
	radix_prefetch(&inode->mapping.pages, ext4_page_index(inode->fs, pos));
}

int64_t ext4_read(struct inode *inode, uint64_t pos, void *buf, size_t len,
		  struct ext4_readahead *ra)
{
	uint64_t size = inode->size, done = 0;
	int64_t n = 0;

	if (pos >= size)
		return 0;
	len = (size_t)min((uint64_t)len, size - pos);
	while (done < len) {
		uint8_t *to = (uint8_t *)buf + done;

		n = (int64_t)read_cached(inode, pos + done, to, len - done);
		if (!n && ext4_passes_cache(inode, pos + done, len - done))
			n = ext4_read_past_cache(inode, pos + done, to, len - done);
		if (!n)
			n = read_one(inode, pos + done, to, len - done, ra);
		if (n <= 0)
			break;
		done += (uint64_t)n;
		ra->prev_index = ext4_page_index(inode->fs, pos + done - 1);
	}
	return done ? (int64_t)done : n;
}
