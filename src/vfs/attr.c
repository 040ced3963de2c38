/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attributes: stat, chmod, truncate and their like; where a file's blocks lie.
 */
#include <fcntl.h>
#include <linux/fiemap.h>
#include "base/assert.h"
#include "ext4/map.h"
#include "vfs/internal.h"

/* ---- stat: with all names in the cache it takes no lock and no reference */

int vfs_stat(struct vfs *v, const char *path, bool follow, struct ext4_attributes *out)
{
	struct inode *inode;
	struct dentry *d;
	int err;

	epoch_enter();
	inode = path_peek(v, path, follow);
	if (inode)
		ext4_inode_snapshot(inode, out);
	epoch_leave();
	if (inode)
		return 0;
	budget_throttle(v->fs->budget);
	err = path_walk(v, path, follow ? WALK_FOLLOW : 0, &d);
	if (err)
		return err;
	ext4_inode_snapshot(dentry_inode(d), out);
	dentry_put(v, d);
	return 0;
}

int vfs_fstat(struct vfs *v, int fd, struct ext4_attributes *out)
{
	autofile f = NULL;
	int err = file_get(v, fd, &f);

	if (!err)
		ext4_inode_snapshot(f->inode, out);
	return err;
}

int vfs_access(struct vfs *v, const char *path, int mode)
{
	struct dentry *d;
	int err = mode & ~(MAY_READ | MAY_WRITE | MAY_EXEC) ? -EINVAL
							    : path_walk(v, path, WALK_FOLLOW, &d);

	if (err)
		return err;
	if (mode)
		err = vfs_permission(v, dentry_inode(d), mode);
	if (!err && mode & MAY_WRITE && ext4_writable(v->fs) == -EROFS)
		err = -EROFS;
	dentry_put(v, d);
	return err;
}

/* ---- changes */

int truncate_inode(struct vfs *v, struct inode *inode, int64_t size, uint32_t valid)
{
	struct ext4_setattr a = { .valid = ATTR_SIZE | valid, .size = (uint64_t)size };
	int err;

	TRACE_SCOPE(inode->fs, do_truncate, notify_change);
	guard_write(&inode->lock);
	err = vfs_remove_privs(v, inode);
	return err ? err : ext4_setattr(inode, &a);
}

static int may_truncate(struct vfs *v, const struct inode *inode, int64_t size)
{
	int err = ext4_writable(v->fs);

	if (size < 0)
		return -EINVAL;
	if (EXT4_S_ISDIR(inode->mode))
		return -EISDIR;
	if (!EXT4_S_ISREG(inode->mode))
		return -EINVAL;
	if (err)
		return err;
	return inode->flags & (EXT4_IMMUTABLE_FL | EXT4_APPEND_FL) ? -EPERM : 0;
}

int vfs_truncate(struct vfs *v, const char *path, int64_t size)
{
	struct inode *inode;
	struct dentry *d;
	int err = size < 0 ? -EINVAL : path_walk(v, path, WALK_FOLLOW, &d);

	if (err)
		return err;
	inode = dentry_inode(d);
	err = may_truncate(v, inode, size);
	if (!err)
		err = vfs_permission(v, inode, MAY_WRITE);
	if (!err)
		err = truncate_inode(v, inode, size, 0);
	dentry_put(v, d);
	return err;
}

int vfs_ftruncate(struct vfs *v, int fd, int64_t size)
{
	autofile f = NULL;
	int err = size < 0 ? -EINVAL : file_get(v, fd, &f);

	if (err)
		return err;
	if (f->flags & O_PATH)
		return -EBADF;
	if (!EXT4_S_ISREG(f->inode->mode) || (f->flags & O_ACCMODE) == O_RDONLY)
		return -EINVAL;
	err = may_truncate(v, f->inode, size);
	return err ? err : truncate_inode(v, f->inode, size, ATTR_FROM_FD);
}

int vfs_statfs(struct vfs *v, const char *path, struct ext4_statfs *out)
{
	struct dentry *d;
	int err = path_walk(v, path, WALK_FOLLOW, &d);

	if (err)
		return err;
	ext4_statfs(v->fs, out);
	dentry_put(v, d);
	return 0;
}

/* ---- where the blocks lie */

struct fiemap_walk {
	uint8_t bits;
	int (*fn)(void *arg, const struct vfs_extent *e);
	void *arg;
	struct vfs_extent held;		/* the last one waits: it may have to be marked as such */
	bool any;
};

static int give_held(struct fiemap_walk *w, bool last)
{
	if (!w->any)
		return 0;
	if (last)
		w->held.flags |= FIEMAP_EXTENT_LAST;
	return w->fn(w->arg, &w->held);
}

static int one_stretch(void *arg, ext4_lblk_t lblk, uint32_t len, ext4_fsblk_t pblk,
		       uint32_t status)
{
	struct fiemap_walk *w = arg;
	int err = give_held(w, false);

	w->any = true;
	w->held = (struct vfs_extent){ (uint64_t)lblk << w->bits, pblk << w->bits,
				       (uint64_t)len << w->bits, 0 };
	if (status & ES_DELAYED) {
		w->held.physical = 0;
		w->held.flags = FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC;
	}
	if (status & ES_UNWRITTEN)
		w->held.flags |= FIEMAP_EXTENT_UNWRITTEN;
	if (status & ES_REFERENCED)
		w->held.flags |= FIEMAP_EXTENT_MERGED;
	return err;
}

int vfs_fiemap(struct vfs *v, int fd, int (*fn)(void *arg, const struct vfs_extent *e), void *arg)
{
	struct fiemap_walk w = { .bits = v->fs->geo.block_bits, .fn = fn, .arg = arg };
	autofile f = NULL;
	int err = file_get(v, fd, &f);

	if (err)
		return err;
	if (f->flags & O_PATH)
		return -EBADF;
	TRACE_SCOPE(v->fs, ext4_fiemap);
	guard_read(&f->inode->lock);
	err = ext4_map_walk(f->inode, one_stretch, &w);
	return err ? err : give_held(&w, true);
}

/* ---- the mount */

int vfs_create_mount(struct ext4_fs *fs, struct vfs **out)
{
	struct vfs *v = arena_new(fs->arena, struct vfs);
	int err;

	if (!v)
		return -ENOMEM;
	v->fs = fs;
	mutex_init(&v->rename_lock, RANK_RENAME);
	err = files_create(v);
	if (!err)
		err = pages_create(v);
	if (!err)
		err = dcache_create(v);
	if (err) {
		pages_destroy(v);
		files_destroy(v);
		mutex_fini(&v->rename_lock);
		arena_free(fs->arena, v);
		return err;
	}
	*out = v;
	return 0;
}

int vfs_unmount(struct vfs *v)
{
	struct ext4_fs *fs = v->fs;

	if (files_any_open(v) || pages_any_out(v) || ext4_is_frozen(fs))
		return -EBUSY;
	TRACE_SCOPE(fs, generic_shutdown_super);
	dcache_destroy(v);
	pages_destroy(v);
	files_destroy(v);
	mutex_fini(&v->rename_lock);
	arena_free(fs->arena, v);
	return ext4_unmount(fs);
}

int vfs_remount(struct vfs *v, const struct ext4_options *opt)
{
	bool written = files_keep_writable(v) || atomic_load(&v->fs->pages_lent);

	if (opt->read_only && !ext4_is_read_only(v->fs) && written)
		return -EBUSY;
	return ext4_remount(v->fs, opt);
}
