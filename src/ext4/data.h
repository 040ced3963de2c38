/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * File data: pages filled, written into, written back, truncated. The write loop above
 * (vfs: generic_perform_write) calls write_begin and write_end for each page.
 */
#ifndef EXTANT_EXT4_DATA_H
#define EXTANT_EXT4_DATA_H

#include "ext4/inode.h"

/* A piece of a write inside one page, between begin and end. */
struct ext4_write {
	uint64_t pos;
	uint32_t len;
	struct page *page;		/* locked, from begin to end */
	struct handle *handle;		/* open, from begin to end */
	bool delayed;			/* the da pair, not the plain one */
};

/*
 * Of `left` bytes to be written at `at`, those whose blocks Linux would look for at once (folio.c): at least
 * to the page's end. -ENOSPC: there is no room for all of them.
 */
must_check int64_t ext4_write_part(struct inode *inode, uint64_t at, size_t left);
/*
 * ext4_da_write_begin, ext4_write_begin; _end: ext4_da_write_end, ext4_write_end,
 * ext4_journalled_write_end: which pair, the inode's mode and the free space say. inode->lock held
 * for writing. -ENOSPC, -EIO, -ENOMEM. end takes `copied` bytes (it may be less), grows the size,
 * stops the handle, lets the page go.
 */
must_check int ext4_write_begin(struct inode *inode, uint64_t pos, uint32_t len,
				struct ext4_write *w);
must_check int ext4_write_end(struct inode *inode, struct ext4_write *w, uint32_t copied);

/*
 * The page at `index`, uptodate and referenced; reads it, and ahead of it, when it is not there.
 * NULL: it lies behind the end of the file.
 */
struct ext4_readahead {			/* of an open file */
	uint64_t start, size, async_size, prev_index;
	uint32_t misses;		/* of faults, less their hits */
	bool random, sequential;	/* POSIX_FADV_RANDOM, _SEQUENTIAL */
};
must_check int ext4_read_page(struct inode *inode, uint64_t index, struct ext4_readahead *ra,
			      uint64_t wanted_pages, struct page **out);
/* The page at `index` of an inode that is small: uptodate and referenced, read alone {ext4_readpage}. */
must_check int ext4_read_single_page(struct inode *inode, uint64_t index, struct page **out);
/* A read at `pos` is on its way: what it looks at first is fetched meanwhile. Inside an epoch. */
void ext4_read_soon(struct inode *inode, uint64_t pos);
/* Copies from pages (or holes) up to the size; returns bytes. Takes no lock where all is cached. */
must_check int64_t ext4_read(struct inode *inode, uint64_t pos, void *buf, size_t len,
			     struct ext4_readahead *ra);

/* Begins to have pages [first, last] read, as many as one request is worth; an error is met by who needs them. */
void ext4_will_need(struct inode *inode, uint64_t first, uint64_t last);

/* ---- fault.c: pages that others look at and store into */

enum ext4_advice { EXT4_ADVICE_NORMAL, EXT4_ADVICE_RANDOM, EXT4_ADVICE_SEQUENTIAL };
/*
 * {ext4_filemap_fault} The page at `index`, uptodate and referenced; what is not there is read, by
 * advice alone, around it, or ahead. -EFAULT: the file ends before it.
 */
must_check int ext4_filemap_fault(struct inode *inode, uint64_t index, struct ext4_readahead *ra,
				  enum ext4_advice advice, struct page **out);
/*
 * One more page, or copy of one, is to be stored into, until ext4_lend_end. False: there are as many
 * as memory allows.
 */
must_check bool ext4_lend_begin(struct ext4_fs *fs);
void ext4_lend_end(struct ext4_fs *fs);
/*
 * {ext4_page_mkwrite} An uptodate page is lent, to be stored into: each block of it up to the end of
 * the file (`bytes` of the page) gets its place or the promise of one, the times of the file move,
 * and the page is dirty until ext4_page_give_back. Holding nothing. -EAGAIN: the page is no longer
 * the file's, find it again; -EFAULT: the file ends before it; -ENOSPC. -EOPNOTSUPP: the file's data
 * is journaled: the log must know the bytes, so ext4_write_begin and _end alone write it.
 */
must_check int ext4_page_mkwrite(struct inode *inode, struct page *p, uint32_t *bytes);
/*
 * Bytes [from, to) of it may have been stored into (`dirty`). -ESTALE: some of them were cut off or
 * punched meanwhile, what was stored there is lost; given back it is in any case.
 */
must_check int ext4_page_give_back(struct inode *inode, struct page *p, uint32_t from, uint32_t to, bool dirty);

/* The file is about to grow: what was stored into a lent page behind its end is zeroes. inode->lock, no page. */
void ext4_settle_lent_end(struct inode *inode);

enum writeback_mode { WB_NONE = 0, WB_ALL = 1 };	/* sync_mode: start it, or see each page written */
struct writeback {
	int64_t nr_to_write;		/* pages; INT64_MAX: all */
	uint64_t range_start, range_end;	/* bytes; 0, INT64_MAX */
	enum writeback_mode sync_mode;
	bool for_kupdate, range_cyclic;
	int64_t pages_skipped;
};
/*
 * Maps delayed blocks and writes dirty pages of the range {ext4_writepages ... _result}. Does not
 * wait for I/O of others.
 */
must_check int ext4_writepages(struct inode *inode, struct writeback *wb);
/*
 * Writes and waits: [start, end] bytes are on the device (not yet flushed). Errors of earlier
 * write-back are not reported here.
 */
must_check int ext4_filemap_write_and_wait(struct inode *inode, uint64_t start, uint64_t end);
/* Begins to write what is dirty there. */
must_check int ext4_filemap_start(struct inode *inode, uint64_t start, uint64_t end);
/* sync_file_range: the same in three steps, as Linux does it {sync_mode 0}. */
must_check int ext4_filemap_start_and_wait(struct inode *inode, uint64_t start, uint64_t end);
/*
 * fsync and fdatasync {ext4_sync_file_enter, _exit}. `parent` is the directory it was opened
 * through, for the event.
 */
must_check int ext4_sync_file(struct inode *inode, uint64_t start, uint64_t end, bool datasync,
			      uint64_t parent_ino);

/* The journal's questions (journal_ops). */
int ext4_submit_ordered(void *user, struct jbd2_inode *ji);
int ext4_wait_ordered(void *user, struct jbd2_inode *ji);

/* What the largest file of this kind (extents, block map) can have, in bytes. */
uint64_t ext4_size_max(const struct inode *inode);
/* The same of any file here: what an offset is checked against before it is known of what kind it is. */
uint64_t ext4_size_max_any(const struct ext4_fs *fs);
/*
 * Pages from `start` bytes on go {ext4_invalidatepage}; the last one is cut. Waits for their
 * write-back.
 */
void ext4_truncate_pages(struct inode *inode, uint64_t start);
/* The size, with pages and blocks beyond it; not the times. inode->lock held. */
must_check int ext4_resize_inode(struct inode *inode, uint64_t size);
/* The same for bytes [start, end), with invalidate_lock held for writing. */
void ext4_drop_pages(struct inode *inode, uint64_t start, uint64_t end);
/* Blocks beyond the size go {ext4_truncate_enter, _exit}. inode->lock held. */
must_check int ext4_truncate(struct inode *inode);
/*
 * Before a file grows: what a truncate that failed left behind its end is freed now, lest it become part
 * of the file.
 */
must_check int ext4_finish_cut(struct inode *inode);
/* The rest of the block at `from` is zeroed, in its handle. */
must_check int ext4_block_truncate_page(struct handle *h, struct inode *inode, uint64_t from);
/* What of it is delayed gets its blocks and begins to be written {ext4_alloc_da_blocks}. */
void ext4_alloc_da_blocks(struct inode *inode);
/* What of [start, end) lies in blocks that do not lie whole in it is zeroed. */
must_check int ext4_zero_partial_blocks(struct handle *h, struct inode *inode, uint64_t start, uint64_t end);
/*
 * Close of a file that wrote {ext4_discard_preallocations}, and write-back of one replaced by
 * truncate.
 */
void ext4_release_file(struct inode *inode, bool was_writer);

/* The page cache asks before it drops a clean page: nothing of it is under the journal. */
bool ext4_may_release_page(void *user, struct page *p);

/* ---- the flusher (flusher.c): task "flush-NAME" */

must_check int ext4_flusher_start(struct ext4_fs *fs);
void ext4_flusher_stop(struct ext4_fs *fs);
/* An inode's first page became dirty, its last one clean. */
void ext4_flusher_dirtied(void *user, struct mapping *m);
/* The inode is being evicted. */
void ext4_flusher_forget(struct inode *inode);
/* Work for it: everything that is dirty now (sync), or what space needs. `wait`: until done. */
int ext4_flusher_sync(struct ext4_fs *fs, enum writeback_mode mode, bool wait);
void ext4_flusher_wake(struct ext4_fs *fs);
/* Something became dirty: if there is much of it by now, it begins to be written. Holding nothing. */
void ext4_flusher_background(struct ext4_fs *fs);
/* There is damage to be written down (ext4_errors_store). Any lock may be held. */
void ext4_flusher_wake_for_errors(struct ext4_fs *fs);

#endif
