/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names made and removed, links read, directories listed. Each looks the last name up and changes
 * it under the directory's lock.
 */
#include <fcntl.h>
#include "base/assert.h"
#include "vfs/internal.h"

/* May names in this directory be changed? Sticky directories keep others' names. */
static int may_change_names(struct vfs *v, const struct inode *dir, const struct inode *victim)
{
	int err = vfs_permission(v, dir, MAY_WRITE | MAY_EXEC);

	if (err)
		return err;
	if (dir->flags & EXT4_IMMUTABLE_FL)
		return -EPERM;
	if (!victim)
		return 0;
	if (dir->flags & EXT4_APPEND_FL || victim->flags & (EXT4_IMMUTABLE_FL | EXT4_APPEND_FL))
		return -EPERM;
	if (dir->mode & 01000 && v->cred.uid && v->cred.uid != victim->uid &&
	    v->cred.uid != dir->uid)
		return -EPERM;
	return 0;
}

/* ---- mkdir */

static int mkdir_in(struct vfs *v, struct path_last *last, uint32_t mode)
{
	struct inode *dir = dentry_inode(last->dir), *inode;
	struct dentry *d;
	int err;

	guard_write(&dir->lock);
	err = path_lookup(v, last->dir, &last->name, &d);
	if (err)
		return err;
	if (dentry_inode(d))
		err = -EEXIST;
	else if (!(err = ext4_writable(v->fs)))
		err = may_change_names(v, dir, NULL);
	if (!err)
		err = ext4_mkdir(dir, &last->name, (uint16_t)(mode & 01777 & ~v->cred.umask),
				 &v->cred, &inode);
	if (!err)
		dentry_set_inode(d, inode);
	dentry_put(v, d);
	return err;
}

int vfs_mkdir(struct vfs *v, const char *path, uint32_t mode)
{
	struct path_last last;
	int err;

	TRACE_SCOPE(v->fs, sys_mkdirat);
	budget_throttle(v->fs->budget);
	err = path_parent(v, path, &last);
	if (err)
		return err;
	err = last.type == LAST_NAME ? mkdir_in(v, &last, mode) : -EEXIST;
	dentry_put(v, last.dir);
	return err;
}

/* ---- unlink, rmdir */

typedef int (*remove_fn)(struct inode *dir, const struct ext4_name *name, struct inode *inode);

static int check_victim(struct vfs *v, const struct path_last *last, const struct inode *dir,
			const struct inode *inode, bool want_dir)
{
	int err;

	if (!inode)
		return -ENOENT;
	if (last->slash && !EXT4_S_ISDIR(inode->mode))
		return -ENOTDIR;
	err = ext4_writable(v->fs);
	if (!err)
		err = may_change_names(v, dir, inode);
	if (err)
		return err;
	if (want_dir && !EXT4_S_ISDIR(inode->mode))
		return -ENOTDIR;
	return !want_dir && EXT4_S_ISDIR(inode->mode) ? -EISDIR : 0;
}

/* The name goes; its inode comes back referenced, to be let go when no lock is held. */
static int remove_in(struct vfs *v, struct path_last *last, bool want_dir, remove_fn fn,
		     struct inode **out)
{
	struct inode *dir = dentry_inode(last->dir), *inode;
	struct dentry *d;
	int err;

	if (ext4_writable(v->fs) == -EROFS)
		return -EROFS;
	guard_write(&dir->lock);
	err = path_lookup(v, last->dir, &last->name, &d);
	if (err)
		return err;
	inode = dentry_inode(d);
	err = check_victim(v, last, dir, inode, want_dir);
	if (!err && want_dir)
		dcache_prune_children(v, d);
	if (!err) {
		rwlock_write_equal(&inode->lock);
		err = fn(dir, &last->name, inode);
		rwlock_unwrite(&inode->lock);
	}
	if (!err) {
		*out = ext4_ihold(inode);
		dentry_remove(v, d);
	}
	dentry_put(v, d);
	return err;
}

static int remove_name(struct vfs *v, const char *path, bool want_dir, remove_fn fn)
{
	struct path_last last;
	struct inode *inode = NULL;
	int err;

	budget_throttle(v->fs->budget);
	err = path_parent(v, path, &last);
	if (err)
		return err;
	if (last.type == LAST_NAME)
		err = remove_in(v, &last, want_dir, fn, &inode);
	else if (!want_dir)
		err = -EISDIR;
	else
		err = last.type == LAST_DOT      ? -EINVAL
		      : last.type == LAST_DOTDOT ? -ENOTEMPTY
						 : -EBUSY;
	dentry_put(v, last.dir);
	if (inode)
		ext4_iput(inode);
	return err;
}

int vfs_unlink(struct vfs *v, const char *path)
{
	TRACE_SCOPE(v->fs, sys_unlink, do_unlinkat, vfs_unlink);
	return remove_name(v, path, false, ext4_unlink);
}

int vfs_rmdir(struct vfs *v, const char *path)
{
	TRACE_SCOPE(v->fs, sys_rmdir, do_rmdir, vfs_rmdir);
	return remove_name(v, path, true, ext4_rmdir);
}

/* ---- links, listings */

int vfs_readlink(struct vfs *v, const char *path, char *buf, size_t size)
{
	struct dentry *d;
	int err = path_walk(v, path, 0, &d);

	if (err)
		return err;
	err = ext4_readlink(dentry_inode(d), buf, size);
	if (err >= 0)
		ext4_touch_atime(dentry_inode(d));
	dentry_put(v, d);
	return err;
}

int vfs_readdir(struct vfs *v, int fd, int (*fn)(void *arg, const struct ext4_dirent *d), void *arg)
{
	autofile f = NULL;
	int err = file_get(v, fd, &f);

	if (err)
		return err;
	if (!EXT4_S_ISDIR(f->inode->mode))
		return -ENOTDIR;
	if (f->flags & O_PATH)
		return -EBADF;
	TRACE_SCOPE(v->fs, sys_getdents64, iterate_dir);
	guard(&f->pos_lock);
	rwlock_read(&f->inode->lock);
	err = atomic_load(&f->inode->state) & INODE_DEAD
		      ? -ENOENT
		      : ext4_readdir_from(f->inode, &f->dir_at, fn, arg);
	rwlock_unread(&f->inode->lock);
	if (!(f->flags & O_NOATIME))
		ext4_touch_atime(f->inode);
	return err;
}
