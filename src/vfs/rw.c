/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading and writing: the write loop at the top of the founding tree of write.
 *
 * A write holds its file's inode lock from the check of the size to the last page; between the
 * pages it waits, if memory is short, for the flusher, which never needs that lock. What the call
 * made durable by its flags (O_SYNC, O_DSYNC, sync) follows when the lock is free.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "base/assert.h"
#include "ext4/map.h"
#include "vfs/internal.h"

#define COUNT_MAX 0x7ffff000u	/* as read(2) and write(2) have it */

static bool can_read(const struct file *f)
{
	return !(f->flags & O_PATH) && (f->flags & O_ACCMODE) != O_WRONLY;
}

static bool can_write(const struct file *f)
{
	return !(f->flags & O_PATH) && (f->flags & O_ACCMODE) != O_RDONLY;
}

/* ---- read */

static int64_t do_read(struct file *f, void *buf, size_t len, int64_t pos)
{
	struct inode *inode = f->inode;
	int64_t n;

	TRACE_SCOPE(f->vfs->fs, vfs_read, ext4_file_read_iter);
	if (!can_read(f))
		return -EBADF;
	if (pos < 0 || (int64_t)len < 0 || pos > INT64_MAX - (int64_t)len)
		return -EINVAL; /* it would end behind the last byte there can be */
	if (EXT4_S_ISDIR(inode->mode))
		return -EISDIR;
	if (atomic_load_explicit(&f->vfs->fs->shut_down, memory_order_relaxed))
		return -EIO;
	budget_throttle(f->vfs->fs->budget);
	if (f->flags & O_DIRECT)
		return vfs_direct_read(f, buf, min(len, (size_t)COUNT_MAX), (uint64_t)pos);
	n = ext4_read(inode, (uint64_t)pos, buf, min(len, (size_t)COUNT_MAX), &f->ra);
	if (len && !(f->flags & O_NOATIME))
		ext4_touch_atime(inode);
	return n;
}

static int file_get_to_read(struct vfs *v, int fd, int64_t pos, struct file **out)
{
	int err;

	guard_epoch();
	err = file_get(v, fd, out);
	if (!err)
		ext4_read_soon((*out)->inode, (uint64_t)pos);
	return err;
}

int64_t vfs_pread(struct vfs *v, int fd, void *buf, size_t len, int64_t pos)
{
	autofile f = NULL;
	int err = pos < 0 ? -EINVAL : file_get_to_read(v, fd, pos, &f);

	return err ? err : do_read(f, buf, len, pos);
}

int64_t vfs_read(struct vfs *v, int fd, void *buf, size_t len)
{
	autofile f = NULL;
	int64_t n = file_get(v, fd, &f);

	if (n)
		return n;
	guard(&f->pos_lock);
	n = do_read(f, buf, len, f->pos);
	if (n > 0)
		f->pos += n;
	return n;
}

/* ---- write */

/* Where the write begins and how much of it there may be. */
static int64_t write_checks(struct file *f, size_t len, uint64_t *pos)
{
	struct inode *inode = f->inode;
	uint64_t limit = ext4_size_max(inode);
	int err = ext4_finish_cut(inode);

	if (err)
		return err;
	if (f->flags & O_APPEND)
		*pos = inode->size;
	if (*pos >= limit)
		return -EFBIG;
	len = min(len, (size_t)COUNT_MAX);
	return (int64_t)min((uint64_t)len, limit - *pos);
}

/* One page's part of the write. */
static int64_t write_page(struct inode *inode, const uint8_t *buf, uint64_t pos, uint32_t len)
{
	struct ext4_write w;
	int err = ext4_write_begin(inode, pos, len, &w);

	if (err)
		return err;
	memcpy(w.page->data + pos % page_size(inode->fs->pages), buf, len);
	err = ext4_write_end(inode, &w, len);
	return err ? err : (int64_t)len;
}

int64_t generic_perform_write(struct inode *inode, const uint8_t *buf, size_t len, uint64_t pos)
{
	uint32_t psize = page_size(inode->fs->pages);
	size_t done = 0, sure = 0;
	int64_t n = 0;

	TRACE_SCOPE(inode->fs, generic_perform_write);
	while (done < len) {
		uint64_t at = pos + done;

		if (done == sure) {
			n = ext4_write_part(inode, at, len - done);
			if (n < 0)
				break;
			sure += (size_t)n;
		}
		n = write_page(inode, buf + done, at,
			       (uint32_t)min((uint64_t)(psize - at % psize), len - done));
		if (n < 0)
			break;
		done += (size_t)n;
		ext4_flusher_background(inode->fs);
		budget_throttle(inode->fs->budget);
	}
	return done ? (int64_t)done : n;
}

static int64_t __generic_file_write_iter(struct file *f, const void *buf, size_t len, uint64_t pos)
{
	struct inode *inode = f->inode;
	int err;

	TRACE_SCOPE(inode->fs, __generic_file_write_iter);
	err = vfs_remove_privs(f->vfs, inode);
	if (!err)
		err = ext4_update_time(inode);
	if (err)
		return err;
	return f->flags & O_DIRECT ? vfs_direct_write(f, buf, len, pos) : generic_perform_write(inode, buf, len, pos);
}

static bool is_sync(const struct file *f)
{
	return f->flags & O_DSYNC || f->vfs->fs->opt.sync || f->inode->flags & EXT4_SYNC_FL;
}

static int64_t generic_write_sync(struct file *f, uint64_t pos, int64_t n)
{
	bool datasync = !((f->flags & O_SYNC) == O_SYNC || f->vfs->fs->opt.sync ||
			  f->inode->flags & EXT4_SYNC_FL);
	int err;

	TRACE_SCOPE(f->vfs->fs, generic_write_sync);
	if (n <= 0 || !is_sync(f))
		return n;
	err = ext4_sync_file(f->inode, pos, pos + (uint64_t)n - 1, datasync,
			     dentry_parent_ino(f->dentry));
	return err ? err : n;
}

static int64_t ext4_file_write_iter(struct file *f, const void *buf, size_t len, uint64_t *pos)
{
	struct inode *inode = f->inode;
	int64_t n;

	TRACE_SCOPE(inode->fs, ext4_file_write_iter);
	rwlock_write(&inode->lock);
	n = write_checks(f, len, pos);
	if (n > 0)
		n = __generic_file_write_iter(f, buf, (size_t)n, *pos);
	rwlock_unwrite(&inode->lock);
	return generic_write_sync(f, *pos, n);
}

static int64_t do_write(struct file *f, const void *buf, size_t len, int64_t *pos)
{
	uint64_t at = (uint64_t)*pos;
	int64_t n;

	TRACE_SCOPE(f->vfs->fs, vfs_write, __vfs_write, new_sync_write);
	if (!can_write(f))
		return -EBADF;
	if (*pos < 0 || (int64_t)len < 0 || *pos > INT64_MAX - (int64_t)len)
		return -EINVAL;
	n = ext4_writable(f->vfs->fs);
	if (n)
		return n;
	/* Even of nothing. To 4.9 it only mattered when the file was opened. */
	if (f->inode->flags & EXT4_IMMUTABLE_FL && f->vfs->fs->opt.dialect != DIALECT_4_9)
		return -EPERM;
	if (!len)
		return 0;
	budget_throttle(f->vfs->fs->budget);
	n = ext4_file_write_iter(f, buf, len, &at);
	if (n > 0)
		*pos = (int64_t)at + n;
	return n;
}

int64_t vfs_pwrite(struct vfs *v, int fd, const void *buf, size_t len, int64_t pos)
{
	autofile f = NULL;
	int err = pos < 0 ? -EINVAL : file_get(v, fd, &f);

	return err ? err : do_write(f, buf, len, &pos);
}

int64_t vfs_write(struct vfs *v, int fd, const void *buf, size_t len)
{
	autofile f = NULL;
	int err = file_get(v, fd, &f);

	if (err)
		return err;
	guard(&f->pos_lock);
	return do_write(f, buf, len, &f->pos);
}

/* ---- copy */

#define COPY_BYTES (64u << 10)

/* What copy_file_range refuses, in the order of Linux. *len: as much as there is to copy. */
static int check_copy(const struct file *in, int64_t from, const struct file *out, int64_t to, uint64_t *len)
{
	uint64_t size = in->inode->size, limit = ext4_size_max(out->inode);

	if (EXT4_S_ISDIR(in->inode->mode) || EXT4_S_ISDIR(out->inode->mode))
		return -EISDIR;
	if (!EXT4_S_ISREG(in->inode->mode) || !EXT4_S_ISREG(out->inode->mode))
		return -EINVAL;
	if (!can_read(in) || !can_write(out) || out->flags & O_APPEND)
		return -EBADF;
	if (out->inode->flags & EXT4_IMMUTABLE_FL)
		return -EPERM;
	if ((uint64_t)from + *len < (uint64_t)from || (uint64_t)to + *len < (uint64_t)to)
		return -EOVERFLOW;
	*len = (uint64_t)from < size ? min(*len, size - (uint64_t)from) : 0;
	if (*len && (uint64_t)to >= limit)
		return -EFBIG;
	if (*len)
		*len = min(*len, limit - (uint64_t)to);
	if (in->inode == out->inode && (uint64_t)to + *len > (uint64_t)from && (uint64_t)from + *len > (uint64_t)to)
		return -EINVAL;
	return from < 0 || to < 0 ? -EINVAL : 0;
}

static int64_t copy_pieces(struct file *in, int64_t from, struct file *out, int64_t to, uint64_t len, uint8_t *buf)
{
	int64_t done = 0, n = 0;

	while ((uint64_t)done < len) {
		int64_t got = do_read(in, buf, (size_t)min(len - (uint64_t)done, (uint64_t)COPY_BYTES), from + done);
		int64_t at = to + done;

		n = got > 0 ? do_write(out, buf, (size_t)got, &at) : got;
		if (n <= 0)
			break;
		done += n;
		if (n < got)
			break;
	}
	return done ? done : n;
}

int64_t vfs_copy_file_range(struct vfs *v, int fd_in, int64_t from, int fd_out, int64_t to, size_t len)
{
	autofile in = NULL;
	autofile out = NULL;
	uint64_t bytes = len;
	int64_t n = file_get(v, fd_in, &in);
	uint8_t *buf;

	if (!n)
		n = file_get(v, fd_out, &out);
	if (n)
		return n;
	if ((in->flags | out->flags) & O_PATH)
		return -EBADF;
	n = check_copy(in, from, out, to, &bytes);
	if (n || !bytes)
		return n;
	TRACE_SCOPE(v->fs, vfs_copy_file_range);
	buf = arena_block_alloc(v->fs->arena, COPY_BYTES); /* aligned, as direct I/O wants it */
	if (!buf)
		return -ENOMEM;
	n = copy_pieces(in, from, out, to, min(bytes, (uint64_t)COUNT_MAX), buf);
	arena_block_free(v->fs->arena, buf, COPY_BYTES);
	return n;
}

/* ---- seek */

/*
 * Data and holes by what is known of each stretch: allocated and delayed is data; unwritten is, where
 * the page cache has it, as on Linux (it may have been written into); the rest is a hole, and so is the end.
 */
static int64_t seek_data_or_hole(struct inode *inode, int64_t offset, bool want_data)
{
	uint8_t bits = inode->fs->geo.block_bits;
	uint64_t size = inode->size, at = (uint64_t)offset;
	ext4_lblk_t end = (ext4_lblk_t)((size + (1u << bits) - 1) >> bits),
		    lblk = (ext4_lblk_t)(at >> bits), first;
	uint32_t len;
	int found;

	if (offset < 0 || at >= size)
		return -ENXIO;
	while ((found = ext4_map_next_data(inode, lblk, end, &first, &len)) > 0) {
		if (want_data)
			return (int64_t)max((uint64_t)first << bits, at);
		if (first > lblk)
			break;
		lblk = first + len;
	}
	if (found < 0)
		return found;
	return want_data ? -ENXIO : (int64_t)min(max((uint64_t)lblk << bits, at), size);
}

static int64_t seek_from(int64_t base, int64_t offset)
{
	int64_t to;

	return __builtin_add_overflow(base, offset, &to) ? -EINVAL : to;
}

/* A listing by hash is as large as hashes can be, and all of it is data. */
static int64_t seek_in_hashes(int64_t offset, int whence)
{
	if (whence == SEEK_END)
		return offset > 0 ? -EINVAL : INT64_MAX + offset;
	if (offset < 0 || offset == INT64_MAX)
		return -ENXIO;
	return whence == SEEK_DATA ? offset : INT64_MAX;
}

static int64_t seek_target(struct file *f, int64_t offset, int whence)
{
	bool by_hash = EXT4_S_ISDIR(f->inode->mode) && ext4_readdir_is_by_hash(f->inode);

	if (by_hash && (whence == SEEK_END || whence == SEEK_DATA || whence == SEEK_HOLE))
		return seek_in_hashes(offset, whence);
	switch (whence) {
	case SEEK_SET:
		return offset;
	case SEEK_CUR:
		return seek_from(f->pos, offset);
	case SEEK_END:
		return seek_from((int64_t)f->inode->size, offset);
	case SEEK_DATA:
	case SEEK_HOLE: {
		guard_read(&f->inode->lock);
		return seek_data_or_hole(f->inode, offset, whence == SEEK_DATA);
	}
	default:
		return -EINVAL;
	}
}

int64_t vfs_lseek(struct vfs *v, int fd, int64_t offset, int whence)
{
	autofile f = NULL;
	int64_t to = file_get(v, fd, &f);

	if (to)
		return to;
	if (f->flags & O_PATH)
		return -EBADF;
	guard(&f->pos_lock);
	to = seek_target(f, offset, whence);
	if (to < 0)
		return whence == SEEK_DATA || whence == SEEK_HOLE ? to : -EINVAL;
	if ((uint64_t)to > ext4_size_max(f->inode) && EXT4_S_ISREG(f->inode->mode))
		return -EINVAL;
	f->pos = to;
	if (EXT4_S_ISDIR(f->inode->mode))
		f->dir_at = (struct ext4_dir_cursor){ .pos = (uint64_t)to };
	return to;
}

/* ---- sync */

int vfs_fsync(struct vfs *v, int fd, bool datasync)
{
	autofile f = NULL;
	int err = file_get(v, fd, &f), seen;

	if (err)
		return err;
	if (f->flags & O_PATH)
		return -EBADF;
	TRACE_SCOPE(v->fs, do_fsync, vfs_fsync_range);
	err = ext4_sync_file(f->inode, 0, INT64_MAX, datasync,
			     dentry_parent_ino(f->dentry));
	/* What write-back met since this file was last told, here or in the flusher. */
	seen = mapping_report_error(&f->inode->mapping, &f->error_seen);
	return err ? err : seen;
}

int vfs_sync_file_range(struct vfs *v, int fd, int64_t offset, int64_t len)
{
	autofile f = NULL;
	int err = file_get(v, fd, &f), seen;
	uint64_t end;

	if (err)
		return err;
	if (f->flags & O_PATH)
		return -EBADF;
	if (offset < 0 || len < 0 || offset > INT64_MAX - len)
		return -EINVAL;
	if (!EXT4_S_ISREG(f->inode->mode) && !EXT4_S_ISDIR(f->inode->mode))
		return -ESPIPE;
	end = len ? (uint64_t)(offset + len - 1) : INT64_MAX;
	err = ext4_filemap_start_and_wait(f->inode, (uint64_t)offset, end);
	seen = mapping_report_error(&f->inode->mapping, &f->error_seen);
	return err ? err : seen;
}

int vfs_sync(struct vfs *v)
{
	return ext4_sync_filesystem(v->fs);
}
