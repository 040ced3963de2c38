/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of owner, mode and times, asked for by path or by descriptor: who may make them, and what
 * else follows from them.
 */
#include <fcntl.h>
#include "base/assert.h"
#include "ext4/acl.h"
#include "vfs/internal.h"

/* ---- an inode by path or by descriptor */

int vfs_at_path(struct vfs *v, const char *path, bool follow, vfs_inode_fn fn, void *arg)
{
	struct dentry *d;
	int err;

	budget_throttle(v->fs->budget);
	err = path_walk(v, path, follow ? WALK_FOLLOW : 0, &d);
	if (err)
		return err;
	err = fn(v, dentry_inode(d), arg);
	dentry_put(v, d);
	return err;
}

int vfs_at_fd(struct vfs *v, int fd, vfs_inode_fn fn, void *arg)
{
	autofile f = NULL;
	int err;

	budget_throttle(v->fs->budget);
	err = file_get(v, fd, &f);
	if (err)
		return err;
	return f->flags & O_PATH ? -EBADF : fn(v, f->inode, arg);
}

/* ---- who may */

/* For the times of now it is enough to be allowed to write. */
static int may_touch(struct vfs *v, struct inode *inode)
{
	if (inode->flags & EXT4_IMMUTABLE_FL)
		return -EPERM;
	return vfs_owner_or_root(v, inode) ? 0 : vfs_permission(v, inode, MAY_WRITE);
}

static bool may_give_to_group(struct vfs *v, const struct inode *inode, uint32_t gid)
{
	return vfs_is_root(v) ||
	       (vfs_owner_or_root(v, inode) &&
		(gid == inode->gid || ext4_in_group(vfs_cred(v), gid)));
}

static int may_set(struct vfs *v, struct inode *inode, const struct ext4_setattr *a)
{
	const uint32_t owners = ATTR_MODE | ATTR_ATIME_SET | ATTR_MTIME_SET | ATTR_TIMES_SET;
	int err = ext4_writable(v->fs);

	if (err)
		return err;
	if (a->valid & (owners | ATTR_UID | ATTR_GID) &&
	    inode->flags & (EXT4_IMMUTABLE_FL | EXT4_APPEND_FL))
		return -EPERM;
	if (inode->flags & EXT4_IMMUTABLE_FL && v->fs->opt.dialect != DIALECT_4_9) /* not even ctime alone */
		return -EPERM;
	if (a->valid & ATTR_TOUCH)
		return may_touch(v, inode);
	if (a->valid & ATTR_UID && !vfs_is_root(v) &&
	    !(a->uid == inode->uid && vfs_owner_or_root(v, inode)))
		return -EPERM;
	if (a->valid & ATTR_GID && !may_give_to_group(v, inode, a->gid))
		return -EPERM;
	return a->valid & owners && !vfs_owner_or_root(v, inode) ? -EPERM : 0;
}

static int set(struct vfs *v, struct inode *inode, void *arg)
{
	const struct ext4_setattr *a = arg;
	int err;

	TRACE_SCOPE(v->fs, notify_change);
	guard_write(&inode->lock);
	err = may_set(v, inode, a);
	return err ? err : ext4_setattr(inode, a);
}

/* ---- chmod */

static int chmod_common(struct vfs *v, struct inode *inode, void *arg)
{
	struct ext4_setattr a = *(const struct ext4_setattr *)arg;
	int err;

	TRACE_SCOPE(v->fs, chmod_common, notify_change);
	if (EXT4_S_ISLNK(inode->mode))
		return -EOPNOTSUPP;
	guard_write(&inode->lock);
	err = may_set(v, inode, &a);
	if (err)
		return err;
	if (!vfs_keeps_sgid(v, inode->gid))
		a.mode = (uint16_t)(a.mode & ~02000);
	atomic_fetch_and(&inode->state, ~INODE_NO_PRIVS);
	return ext4_setattr(inode, &a);
}

int vfs_chmod(struct vfs *v, const char *path, uint32_t mode)
{
	struct ext4_setattr a = { .valid = ATTR_MODE, .mode = (uint16_t)(mode & 07777) };

	return vfs_at_path(v, path, true, chmod_common, &a);
}

int vfs_fchmod(struct vfs *v, int fd, uint32_t mode)
{
	struct ext4_setattr a = { .valid = ATTR_MODE, .mode = (uint16_t)(mode & 07777) };

	return vfs_at_fd(v, fd, chmod_common, &a);
}

/* ---- chown: a file that changes hands is set-user-id for nobody any more */

static int chown_common(struct vfs *v, struct inode *inode, void *arg)
{
	struct ext4_setattr a = *(const struct ext4_setattr *)arg;
	int err;

	TRACE_SCOPE(v->fs, chown_common, notify_change);
	guard_write(&inode->lock);
	err = may_set(v, inode, &a);
	if (!err && !EXT4_S_ISDIR(inode->mode)) {
		a.mode = vfs_stripped_mode(v, inode);
		a.valid |= a.mode != inode->mode ? ATTR_MODE : 0;
		err = vfs_drop_capability(inode);
	}
	return err ? err : ext4_setattr(inode, &a);
}

static struct ext4_setattr new_owner(uint32_t uid, uint32_t gid)
{
	struct ext4_setattr a = { .valid = ATTR_CTIME, .uid = uid, .gid = gid };

	a.valid |= (uid != UINT32_MAX ? ATTR_UID : 0) | (gid != UINT32_MAX ? ATTR_GID : 0);
	return a;
}

int vfs_chown(struct vfs *v, const char *path, bool follow, uint32_t uid, uint32_t gid)
{
	struct ext4_setattr a = new_owner(uid, gid);

	return vfs_at_path(v, path, follow, chown_common, &a);
}

int vfs_fchown(struct vfs *v, int fd, uint32_t uid, uint32_t gid)
{
	struct ext4_setattr a = new_owner(uid, gid);

	return vfs_at_fd(v, fd, chown_common, &a);
}

/* ---- utimens */

static int one_time(struct ext4_setattr *a, const struct ext4_time *t, uint32_t which, uint32_t given,
		    struct ext4_time *to)
{
	if (!t || t->nsec == VFS_TIME_OMIT)
		return 0;
	a->valid |= which;
	if (t->nsec == VFS_TIME_NOW)
		return 0;
	if (t->nsec >= NSEC_PER_SEC)
		return -EINVAL;
	a->valid |= given;
	*to = *t;
	return 0;
}

/* 1: nothing is to be done. */
static int new_times(struct ext4_setattr *a, const struct ext4_time *atime,
		     const struct ext4_time *mtime)
{
	int err = one_time(a, atime, ATTR_ATIME, ATTR_ATIME_SET, &a->atime);

	if (!err)
		err = one_time(a, mtime, ATTR_MTIME, ATTR_MTIME_SET, &a->mtime);
	if (err || !a->valid)
		return err ? err : 1;
	a->valid |= a->valid == (ATTR_ATIME | ATTR_MTIME) ? ATTR_TOUCH : ATTR_TIMES_SET;
	return 0;
}

int vfs_utimens(struct vfs *v, const char *path, bool follow, const struct ext4_time *atime,
		const struct ext4_time *mtime)
{
	struct ext4_setattr a = { .valid = 0 };
	int err = new_times(&a, atime, mtime);

	if (err)
		return min(err, 0);
	return vfs_at_path(v, path, follow, set, &a);
}

int vfs_futimens(struct vfs *v, int fd, const struct ext4_time *atime, const struct ext4_time *mtime)
{
	struct ext4_setattr a = { .valid = 0 };
	int err = new_times(&a, atime, mtime);

	if (err)
		return min(err, 0);
	return vfs_at_fd(v, fd, set, &a);
}
