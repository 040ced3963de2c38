/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names made and removed, links read, directories listed. Each looks the last name up and changes
 * it under the directory's lock. rename.c has what changes two.
 */
#include <fcntl.h>
#include <string.h>
#include "base/assert.h"
#include "ext4/disk.h"
#include "vfs/internal.h"

int may_change_names(struct vfs *v, struct inode *dir, const struct inode *victim)
{
	int err = vfs_permission(v, dir, MAY_WRITE | MAY_EXEC);

	if (err)
		return err;
	if (dir->flags & EXT4_IMMUTABLE_FL)
		return -EPERM;
	if (atomic_load(&dir->state) & INODE_DEAD)
		return -ENOENT;
	if (!victim)
		return 0;
	if (dir->flags & EXT4_APPEND_FL || victim->flags & (EXT4_IMMUTABLE_FL | EXT4_APPEND_FL))
		return -EPERM;
	if (dir->mode & 01000 && !vfs_owner_or_root(v, victim) && !vfs_owner_or_root(v, dir))
		return -EPERM;
	return 0;
}

/* ---- new names: mkdir, mknod, symlink, link */

/* What is to be made. */
struct creation {
	/* Under the directory's lock; *out is referenced, for the name's dentry. */
	int (*make)(struct vfs *v, const struct path_last *last, const struct creation *c,
		    struct inode **out);
	bool is_dir;			/* slashes may follow its name */
	uint16_t mode;			/* with the type, without what the umask takes away */
	struct ext4_device device;
	const char *target;
	struct inode *inode;		/* that gets another name */
};

static int create_in(struct vfs *v, const struct path_last *last, const struct creation *c)
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
	else if (last->slash && !c->is_dir)
		err = -ENOENT;
	else if (!(err = ext4_writable(v->fs)))
		err = may_change_names(v, dir, NULL);
	if (!err)
		err = c->make(v, last, c, &inode);
	if (!err)
		dentry_set_inode(d, inode);
	dentry_put(v, d);
	return err;
}

static int create_name(struct vfs *v, const char *path, const struct creation *c)
{
	struct path_last last;
	int err;

	TRACE_SCOPE(v->fs, filename_create);
	budget_throttle(v->fs->budget);
	err = path_parent(v, path, &last);
	if (err)
		return err;
	err = last.type == LAST_NAME ? create_in(v, &last, c) : -EEXIST;
	dentry_put(v, last.dir);
	return err;
}

static int make_dir(struct vfs *v, const struct path_last *last, const struct creation *c,
		    struct inode **out)
{
	return ext4_mkdir(dentry_inode(last->dir), &last->name, c->mode, vfs_cred(v), out);
}

int vfs_mkdir(struct vfs *v, const char *path, uint32_t mode)
{
	const struct creation c = {
		.make = make_dir,
		.is_dir = true,
		.mode = (uint16_t)(mode & 01777),
	};

	TRACE_SCOPE(v->fs, sys_mkdirat);
	return create_name(v, path, &c);
}

/* Devices are root's to make; but 0:0, a whiteout, leads to nothing. */
static int may_make(const struct vfs *v, const struct creation *c)
{
	bool whiteout = (c->mode & EXT4_S_IFMT) == EXT4_S_IFCHR && !c->device.major &&
			!c->device.minor;

	switch (c->mode & EXT4_S_IFMT) {
	case EXT4_S_IFCHR:
	case EXT4_S_IFBLK:
		return !vfs_is_root(v) && !whiteout ? -EPERM : 0;
	default:
		return 0;
	}
}

static int make_node(struct vfs *v, const struct path_last *last, const struct creation *c,
		     struct inode **out)
{
	struct inode *dir = dentry_inode(last->dir);
	int err = may_make(v, c);

	if (err)
		return err;
	TRACE_SCOPE(v->fs, vfs_mknod);
	if (EXT4_S_ISREG(c->mode))
		return ext4_create(dir, &last->name, c->mode & 07777, vfs_cred(v), out);
	return ext4_mknod(dir, &last->name, c->mode, &c->device, vfs_cred(v), out);
}

int vfs_mknod(struct vfs *v, const char *path, uint32_t mode, uint32_t major, uint32_t minor)
{
	uint32_t type = mode & EXT4_S_IFMT ? mode & EXT4_S_IFMT : EXT4_S_IFREG;
	const struct creation c = {
		.make = make_node,
		.mode = (uint16_t)(type | (mode & 07777)),
		.device = { major, minor },
	};

	TRACE_SCOPE(v->fs, sys_mknodat);
	if (type == EXT4_S_IFDIR)
		return -EPERM;
	if (type == EXT4_S_IFLNK || ext4_file_type_of_mode((uint16_t)type) == EXT4_FT_UNKNOWN ||
	    mode & ~0177777u || major > 0xfff || minor > 0xfffff)
		return -EINVAL;
	return create_name(v, path, &c);
}

static int make_symlink(struct vfs *v, const struct path_last *last, const struct creation *c,
			struct inode **out)
{
	TRACE_SCOPE(v->fs, vfs_symlink);
	return ext4_symlink(dentry_inode(last->dir), &last->name, c->target, vfs_cred(v), out);
}

int vfs_symlink(struct vfs *v, const char *target, const char *path)
{
	const struct creation c = { .make = make_symlink, .target = target };

	TRACE_SCOPE(v->fs, sys_symlinkat);
	if (!*target)
		return -ENOENT;
	if (strlen(target) >= PATH_BYTES_MAX)
		return -ENAMETOOLONG;
	return create_name(v, path, &c);
}

static int make_link(struct vfs *v, const struct path_last *last, const struct creation *c,
		     struct inode **out)
{
	struct inode *inode = c->inode;
	int err;

	(void)v;
	if (inode->flags & (EXT4_IMMUTABLE_FL | EXT4_APPEND_FL) || EXT4_S_ISDIR(inode->mode))
		return -EPERM;
	TRACE_SCOPE(v->fs, vfs_link);
	rwlock_write_equal(&inode->lock);
	if (!inode->nlink && !(atomic_load(&inode->state) & INODE_LINKABLE))
		err = -ENOENT;
	else
		err = ext4_link(dentry_inode(last->dir), &last->name, inode);
	if (!err)
		atomic_fetch_and(&inode->state, ~INODE_LINKABLE);
	rwlock_unwrite(&inode->lock);
	if (!err)
		*out = ext4_ihold(inode);
	return err;
}

int vfs_link(struct vfs *v, const char *old, const char *path)
{
	struct creation c = { .make = make_link };
	struct dentry *d;
	int err;

	TRACE_SCOPE(v->fs, sys_linkat);
	err = path_walk(v, old, 0, &d);
	if (err)
		return err;
	c.inode = dentry_inode(d);
	err = create_name(v, path, &c);
	dentry_put(v, d);
	return err;
}

int vfs_flink(struct vfs *v, int fd, const char *path)
{
	struct creation c = { .make = make_link };
	autofile f = NULL;
	int err = file_get(v, fd, &f);

	if (err)
		return err;
	TRACE_SCOPE(v->fs, sys_linkat);
	c.inode = f->inode;
	return create_name(v, path, &c);
}

/* ---- unlink, rmdir */

typedef int (*remove_fn)(struct inode *dir, const struct ext4_name *name, struct inode *inode);

static int check_victim(struct vfs *v, const struct path_last *last, struct inode *dir,
			const struct inode *inode, bool want_dir)
{
	int err;

	if (!inode)
		return -ENOENT;
	if (last->slash && !want_dir)
		return EXT4_S_ISDIR(inode->mode) ? -EISDIR : -ENOTDIR;
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
