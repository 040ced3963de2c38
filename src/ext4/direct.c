/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Direct I/O.
 *
 *	read	what is dirty of the range is written; then, stretch by stretch of the map, from the
 *		device into the caller's memory, or zeroes where there is nothing
 *
 *	write	1. past the end: the file becomes an orphan; a crash takes back what is allocated
 *		2. stretch by stretch: blocks are found or allocated in a handle, and written when
 *		   it is stopped
 *		3. blocks that were unwritten until now become written
 *		4. past the end: the size grows, and the file is no orphan any more
 *
 * So no moment shows a block that was allocated and not written: within the size it is unwritten
 * until step 3, past it nobody reads before step 4, and what fails before is cut off again. Blocks
 * are filled in whole: around what does not fill its first or last block go zeroes, in the same
 * transfer.
 *
 * Not everything can go directly. A block map cannot say that a block is unwritten: its holes
 * within the size are left to the cache. So is, as in Linux 4.9, all of an empty file. The caller
 * does that with what is left of the write.
 *
 * Alignment. Offset and length are multiples of the sector, since no smaller piece can be written
 * without reading the rest of it. Memory has no such bounds here: devices of this library read and
 * write any address. Linux 4.9 has the hardware move the bytes and demands it of the address too,
 * and before all else; 6.18 looks at each stretch when it comes to it, so that a hole may be read
 * at any offset.
 *
 * Locks: inode->lock, for reading or writing, over all of it: neither truncation nor a buffered
 * write of the same file comes between. Who reads pages in holds no lock of the file, so a transfer
 * to the device holds invalidate_lock, and no two transfers of the same bytes are under way at
 * once.
 */
#include <string.h>
#include "ext4/alloc.h"
#include "ext4/data_internal.h"
#include "ext4/direct.h"

#define BLOCKS_MAX	4096u		/* in one handle, or one transfer */
#define ZERO_BYTES	4096u
#define BLOCK_BYTES_MAX	65536u		/* of a file system */
#define PIECES_MAX	(1 + 2 * (BLOCK_BYTES_MAX / ZERO_BYTES))

struct direct {
	struct inode *inode;
	uint8_t *buf;			/* of what is left */
	uint64_t pos, end;		/* what is left */
	uint64_t size;			/* of the file, as it was at the start */
	uint64_t start;			/* of the whole call */
	bool unwritten;			/* some of it went into blocks that are still unwritten */
};

bool ext4_may_go_direct(const struct inode *inode)
{
	return !ext4_should_journal_data(inode);
}

static bool is_4_9(const struct inode *inode)
{
	return inode->fs->opt.dialect == DIALECT_4_9;
}

static bool is_aligned(uint64_t bits)
{
	return !(bits & (EXT4_DIRECT_ALIGN - 1));
}

/* ---- stretches */

/* The blocks of what is left, as many as one step takes. */
static struct ext4_map stretch_left(const struct direct *d)
{
	uint8_t bits = d->inode->fs->geo.block_bits;
	uint64_t first = d->pos >> bits, last = (d->end - 1) >> bits;

	return (struct ext4_map){ .lblk = (ext4_lblk_t)min(first, (uint64_t)UINT32_MAX),
				  .len = (uint32_t)min(last - first + 1, (uint64_t)BLOCKS_MAX) };
}

/* What is left of the call up to the end of `blocks` from the one on that it stands in. */
static size_t bytes_in(const struct direct *d, uint64_t blocks)
{
	uint8_t bits = d->inode->fs->geo.block_bits;
	uint64_t end = ((d->pos >> bits) + blocks) << bits;

	return (size_t)(min(end, d->end) - d->pos);
}

static uint64_t device_offset(const struct direct *d, const struct ext4_map *map)
{
	const struct ext4_geometry *geo = &d->inode->fs->geo;

	return (map->pblk << geo->block_bits) + (d->pos & (geo->block_size - 1));
}

/* What is asked of the whole call. */
static int check_whole(const struct direct *d)
{
	return is_4_9(d->inode) && !is_aligned(d->pos | d->end | (uintptr_t)d->buf) ? -EINVAL : 0;
}

/* Steps until all is done, one answers 0, or -ENOTBLK: the rest is not for us. */
static int64_t do_direct_IO(struct direct *d, int64_t (*step)(struct direct *d))
{
	int64_t n = 0;

	TRACE_SCOPE(d->inode->fs, __blockdev_direct_IO, do_direct_IO);
	while (d->pos < d->end && (n = step(d)) > 0) {
		d->pos += (uint64_t)n;
		d->buf += n;
	}
	return n < 0 && n != -ENOTBLK ? n : (int64_t)(d->pos - d->start);
}

/* ---- read */

/* As far as a hole reaches. 4.9 steps over it block by block. */
static int64_t read_hole(struct direct *d, uint32_t blocks)
{
	size_t n = bytes_in(d, is_4_9(d->inode) ? 1 : max(blocks, 1u));

	if (d->pos >= d->size)
		return 0;
	memset(d->buf, 0, n);
	return (int64_t)n;
}

/* Bytes behind the end are nobody's: not read, but for the rest of the last sector. */
static int64_t read_blocks(struct direct *d, const struct ext4_map *map)
{
	size_t n = bytes_in(d, map->len);
	int err;

	if (!is_aligned(d->pos | n))
		return -EINVAL;
	if (d->pos >= d->size)
		return 0;
	n = (size_t)min((uint64_t)n, (d->size - d->pos + EXT4_DIRECT_ALIGN - 1) &
					     ~(uint64_t)(EXT4_DIRECT_ALIGN - 1));
	err = block_read(d->inode->fs->device, device_offset(d, map), d->buf, n);
	return err ? err : (int64_t)n;
}

static int64_t read_step(struct direct *d)
{
	struct ext4_map map = stretch_left(d);
	int n;

	if (d->pos >= ext4_size_max(d->inode))
		return 0;
	n = ext4_map_blocks(NULL, d->inode, &map, 0);
	if (n < 0)
		return n;
	return n && map.flags & MAPPED_MAPPED ? read_blocks(d, &map) : read_hole(d, map.len);
}

static int64_t read_range(struct inode *inode, uint64_t pos, void *buf, size_t len)
{
	struct direct d = {
		.inode = inode, .buf = buf, .pos = pos, .start = pos, .end = pos + len
	};
	int64_t n;
	int err;

	guard_read(&inode->lock);
	d.size = inode->size;
	err = pos < d.size ? ext4_filemap_write_and_wait(inode, pos, pos + len - 1) : 0;
	if (!err)
		err = check_whole(&d);
	if (err || pos >= d.size)
		return err;
	n = do_direct_IO(&d, read_step);
	return n > 0 ? (int64_t)min((uint64_t)n, d.size - pos) : n;
}

int64_t ext4_direct_IO_read(struct inode *inode, uint64_t pos, void *buf, size_t len)
{
	int64_t n;

	TRACE_SCOPE(inode->fs, ext4_direct_IO, ext4_direct_IO_read);
	trace(inode->fs, ext4_direct_IO_enter, inode->ino, (int64_t)pos, len, 0);
	n = read_range(inode, pos, buf, len);
	trace(inode->fs, ext4_direct_IO_exit, inode->ino, (int64_t)pos, len, 0, (int32_t)n);
	return n;
}

/* ---- write: where the blocks come from */

/*
 * How a block may be allocated: as unwritten within the size, to be converted once it is written;
 * as it is past it. 0: not at all. 4.9 decides once for the whole write, and takes an empty file
 * for one that has a block.
 */
static uint32_t create_flags(const struct direct *d, ext4_lblk_t lblk)
{
	bool extents = d->inode->flags & EXT4_EXTENTS_FL;
	uint8_t bits = d->inode->fs->geo.block_bits;
	uint64_t decides = is_4_9(d->inode) && extents ? d->start >> bits : lblk;

	if (decides << bits >= d->size)
		return !d->size && is_4_9(d->inode) ? 0 : MAP_CREATE;
	return extents ? MAP_CREATE | MAP_UNWRIT | MAP_PRE_IO : 0;
}

static int map_in_handle(struct inode *inode, struct ext4_map *map, uint32_t flags)
{
	struct ext4_fs *fs = inode->fs;
	struct handle *h;
	int n, err = __ext4_journal_start(fs, inode->ino, "ext4_get_block_trans", __LINE__,
					  HT_MAP_BLOCKS, ext4_chunk_credits(inode, map->len), 0,
					  &h);

	if (err)
		return err;
	n = ext4_map_blocks(h, inode, map, flags);
	err = ext4_journal_stop(fs, h);
	return n > 0 && err ? err : n;
}

static int ext4_get_block_trans(struct inode *inode, struct ext4_map *map, uint32_t flags)
{
	uint32_t len = map->len;
	int retries = 0, n;

	TRACE_SCOPE(inode->fs, get_more_blocks, ext4_get_block_trans);
	do {
		map->len = len;
		n = map_in_handle(inode, map, flags);
	} while (n == -ENOSPC && ext4_should_retry_alloc(inode->fs, &retries));
	return n;
}

/* What is written already needs no handle; 4.9 starts one to find that out. */
static int map_for_write(const struct direct *d, struct ext4_map *map)
{
	uint32_t flags = create_flags(d, map->lblk), len = map->len;
	int n;

	if (!flags || !is_4_9(d->inode)) {
		n = ext4_map_blocks(NULL, d->inode, map, 0);
		if (n < 0 || (n > 0 && map->flags & MAPPED_MAPPED))
			return n;
		if (!flags)
			return -ENOTBLK;
		map->len = len;
	}
	return ext4_get_block_trans(d->inode, map, flags);
}

/* ---- write: the bytes */

static const uint8_t zeroes[ZERO_BYTES];

static void add_zeroes(struct iovec *iov, int *count, uint32_t len)
{
	for (; len; len -= (uint32_t)iov[(*count)++].iov_len)
		iov[*count] = (struct iovec){ (void *)zeroes, min(len, ZERO_BYTES) };
}

/* One transfer. Blocks that hold nothing yet are filled in whole. */
static int write_blocks(const struct direct *d, const struct ext4_map *map, size_t len)
{
	uint64_t offset = device_offset(d, map), mask = d->inode->fs->geo.block_size - 1;
	bool fresh = map->flags & (MAPPED_NEW | MAPPED_UNWRITTEN);
	uint32_t before = fresh ? (uint32_t)(d->pos & mask) : 0,
		 behind = fresh ? (uint32_t)(-(d->pos + len) & mask) : 0;
	struct iovec iov[PIECES_MAX];
	struct block_io io = { .offset = offset - before, .iov = iov, .flags = BLOCK_SYNC };

	add_zeroes(iov, &io.iov_count, before);
	iov[io.iov_count++] = (struct iovec){ d->buf, len };
	add_zeroes(iov, &io.iov_count, behind);
	guard_write(&d->inode->invalidate_lock);
	return block_writev(d->inode->fs->device, &io);
}

static int64_t write_step(struct direct *d)
{
	struct ext4_map map = stretch_left(d);
	int n = map_for_write(d, &map), err;
	size_t len;

	if (n < 0)
		return n;
	if (!n)
		return ext4_error(d->inode->fs, d->inode->ino, 0,
				  "block %u was allocated and is not mapped", map.lblk);
	len = bytes_in(d, (uint32_t)n);
	if (!is_aligned(d->pos | len))
		return -EINVAL;
	d->unwritten |= map.flags & MAPPED_UNWRITTEN;
	err = write_blocks(d, &map, len);
	return err ? err : (int64_t)len;
}

/* ---- write: past the end */

/* The inode, and what else the list of orphans or a size above 2 GiB changes. */
static int start_handle(struct inode *inode, uint64_t end, struct handle **out)
{
	bool large = end > 0x7fffffff &&
		     !(inode->fs->geo.feature_ro_compat & EXT4_FEATURE_RO_COMPAT_LARGE_FILE);

	return __ext4_journal_start(inode->fs, inode->ino, "ext4_direct_IO", __LINE__, HT_INODE,
				    large ? 3 : 2, 0, out);
}

static int begin_extension(struct inode *inode, uint64_t end)
{
	struct handle *h;
	int err = start_handle(inode, end, &h), stop;

	if (err)
		return err;
	err = ext4_orphan_add(h, inode);
	stop = ext4_journal_stop(inode->fs, h);
	return err ? err : stop;
}

static int grow(struct handle *h, struct inode *inode, uint64_t end)
{
	attr_write_begin(inode);
	inode->size = end;
	inode->disk_size = max((uint64_t)inode->disk_size, end);
	attr_write_end(inode);
	return __ext4_mark_inode_dirty(h, inode, "ext4_direct_IO");
}

/* `n` bytes from `pos` on are there. No more than that becomes the file's. */
static int finish_extension(struct inode *inode, uint64_t pos, int64_t n)
{
	uint64_t end = n > 0 ? pos + (uint64_t)n : 0;
	struct handle *h;
	int err = start_handle(inode, end, &h), stop;

	if (err)
		return err;
	err = ext4_inode_get_write_access(h, inode);
	if (!err && inode->nlink) /* else it is one anyway */
		err = ext4_orphan_del(h, inode);
	if (!err && end > inode->size)
		err = grow(h, inode, end);
	stop = ext4_journal_stop(inode->fs, h);
	return err ? err : stop;
}

/*
 * What was allocated past the end goes. Where that fails the inode stays an orphan: the next mount
 * does it.
 */
static int64_t give_up_extension(struct inode *inode, int64_t n)
{
	TRACE_SCOPE(inode->fs, ext4_truncate_failed_write);
	ext4_truncate_pages(inode, inode->size);
	if (!ext4_truncate(inode))
		ignore_result(
			finish_extension(inode, 0, 0)); /* the first error is the one to tell */
	return n;
}

/* ---- write */

static int64_t write_range(struct inode *inode, uint64_t pos, const void *buf, size_t len)
{
	struct direct d = { .inode = inode,
			    .buf = (uint8_t *)buf,
			    .pos = pos,
			    .start = pos,
			    .end = pos + len,
			    .size = inode->size };
	bool extends = d.end > d.size;
	uint8_t bits = inode->fs->geo.block_bits;
	int err = extends ? begin_extension(inode, d.end) : 0;
	int64_t n;

	if (err)
		return err;
	n = check_whole(&d);
	if (!n)
		n = do_direct_IO(&d, write_step);
	if (n > 0 && d.unwritten)
		err = ext4_convert_unwritten_extents(
			NULL, inode, (ext4_lblk_t)(pos >> bits),
			(uint32_t)(((pos + (uint64_t)n - 1) >> bits) - (pos >> bits) + 1));
	n = err ? err : n;
	if (!extends)
		return n;
	err = n < 0 ? (int)n : finish_extension(inode, pos, n);
	return err ? give_up_extension(inode, err) : n;
}

int64_t ext4_direct_IO_write(struct inode *inode, uint64_t pos, const void *buf, size_t len)
{
	int64_t n;

	TRACE_SCOPE(inode->fs, ext4_direct_IO, ext4_direct_IO_write);
	trace(inode->fs, ext4_direct_IO_enter, inode->ino, (int64_t)pos, len, 1);
	n = write_range(inode, pos, buf, len);
	trace(inode->fs, ext4_direct_IO_exit, inode->ino, (int64_t)pos, len, 1, (int32_t)n);
	return n;
}
