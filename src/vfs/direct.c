/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files opened with O_DIRECT: reads and writes that go past the page cache, and agree with it.
 *
 *	before	pages of the range are written, and a write lets them go
 *	after	a write lets go of what readers have brought in meanwhile
 *
 * What cannot go past the cache (a hole in a block map) goes through it; then it is written and the
 * pages let go, so that it lies where a direct write would have put it. Journaled data goes through
 * the cache as ever, and its pages stay: the journal says when its blocks are in place.
 */
#include <fcntl.h>
#include "ext4/direct.h"
#include "vfs/internal.h"

static bool is_4_9(const struct file *f)
{
	return f->vfs->fs->opt.dialect == DIALECT_4_9;
}

static void touch_atime(const struct file *f)
{
	if (!(f->flags & O_NOATIME))
		ext4_touch_atime(f->inode);
}

/* 4.9 sets the stamp before it reads, and writes what is dirty once before that. */
static int64_t read_4_9(struct file *f, void *buf, size_t len, uint64_t pos)
{
	int64_t n = 0;

	if (ext4_may_go_direct(f->inode))
		n = ext4_filemap_write_and_wait(f->inode, pos, pos + len - 1);
	if (n)
		return n;
	touch_atime(f);
	if (!ext4_may_go_direct(f->inode))
		return ext4_read(f->inode, pos, buf, len, &f->ra);
	return ext4_direct_IO_read(f->inode, pos, buf, len);
}

int64_t vfs_direct_read(struct file *f, void *buf, size_t len, uint64_t pos)
{
	int64_t n;

	if (!len)
		return 0;
	if (is_4_9(f))
		return read_4_9(f, buf, len, pos);
	n = ext4_may_go_direct(f->inode) ? ext4_direct_IO_read(f->inode, pos, buf, len)
					 : ext4_read(f->inode, pos, buf, len, &f->ra);
	touch_atime(f);
	return n;
}

/* As much of the beginning as goes past the cache. */
static int64_t generic_file_direct_write(struct inode *inode, const void *buf, size_t len,
					 uint64_t pos)
{
	int64_t n;
	int err;

	TRACE_SCOPE(inode->fs, generic_file_direct_write);
	err = ext4_filemap_write_and_wait(inode, pos, pos + len - 1);
	if (!err)
		err = ext4_forget_clean_pages(inode, pos, pos + len - 1);
	if (err)
		return err == -EBUSY ? 0 : err;
	n = ext4_direct_IO_write(inode, pos, buf, len);
	/* One that was handed out meanwhile stays as it is: who has it knows (extant.h). */
	ignore_result(ext4_forget_clean_pages(inode, pos, pos + len - 1));
	return n;
}

/*
 * The rest, through the cache. How much of it is on the device; an error: none of it is known to
 * be.
 */
static int64_t write_rest(struct inode *inode, const uint8_t *buf, size_t len, uint64_t pos)
{
	int64_t n = generic_perform_write(inode, buf, len, pos);
	int err;

	if (n <= 0)
		return n;
	err = ext4_filemap_write_and_wait(inode, pos, pos + (uint64_t)n - 1);
	if (err)
		return err;
	/* One that is busy stays, and holds what the device does. */
	ignore_result(ext4_forget_clean_pages(inode, pos, pos + (uint64_t)n - 1));
	return n;
}

int64_t vfs_direct_write(struct file *f, const void *buf, size_t len, uint64_t pos)
{
	struct inode *inode = f->inode;
	int64_t n, rest;

	if (!ext4_may_go_direct(inode))
		return generic_perform_write(inode, buf, len, pos);
	n = generic_file_direct_write(inode, buf, len, pos);
	if (n < 0 || (size_t)n == len)
		return n;
	rest = write_rest(inode, (const uint8_t *)buf + n, len - (size_t)n, pos + (uint64_t)n);
	if (rest < 0)
		return n ? n : rest;
	return n + rest;
}
