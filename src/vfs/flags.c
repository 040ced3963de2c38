/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flags of inodes in their two forms (FS_IOC_GETFLAGS, FS_IOC_FSGETXATTR) and the generation: who
 * may change them. Pipes, sockets and devices have none: their ioctls are not the file system's.
 */
#include "ext4/flags.h"
#include "vfs/internal.h"

static bool has_flags(const struct inode *inode)
{
	return EXT4_S_ISREG(inode->mode) || EXT4_S_ISDIR(inode->mode);
}

static int get_flags(struct vfs *v, struct inode *inode, void *arg)
{
	(void)v;
	if (!has_flags(inode))
		return -ENOTTY;
	*(uint32_t *)arg = ext4_flags_visible(inode);
	return 0;
}

static int may_set_flags(struct vfs *v, const struct inode *inode, uint32_t flags)
{
	const uint32_t roots = EXT4_IMMUTABLE_FL | EXT4_APPEND_FL | EXT4_JOURNAL_DATA_FL;

	if (!vfs_owner_or_root(v, inode))
		return v->fs->opt.dialect == DIALECT_4_9 ? -EACCES : -EPERM;
	return (inode->flags ^ flags) & roots && !vfs_is_root(v) ? -EPERM : 0;
}

static int change_flags(struct vfs *v, struct inode *inode, uint32_t flags)
{
	int err = may_set_flags(v, inode, flags);

	if (!err)
		err = ext4_flags_check(inode, flags);
	return err ? err : ext4_ioctl_setflags(inode, flags);
}

static int set_flags(struct vfs *v, struct inode *inode, void *arg)
{
	int err = ext4_writable(v->fs);

	if (!has_flags(inode))
		return -ENOTTY;
	if (err)
		return err;
	guard_write(&inode->lock);
	return change_flags(v, inode, *(const uint32_t *)arg);
}

int vfs_getflags(struct vfs *v, const char *path, uint32_t *flags)
{
	return vfs_at_path(v, path, true, get_flags, flags);
}

int vfs_fgetflags(struct vfs *v, int fd, uint32_t *flags)
{
	return vfs_at_fd(v, fd, get_flags, flags);
}

int vfs_setflags(struct vfs *v, const char *path, uint32_t flags)
{
	return vfs_at_path(v, path, true, set_flags, &flags);
}

int vfs_fsetflags(struct vfs *v, int fd, uint32_t flags)
{
	return vfs_at_fd(v, fd, set_flags, &flags);
}

/* ---- the form of XFS */

static int get_fsx(struct vfs *v, struct inode *inode, void *arg)
{
	struct vfs_fsxattr *x = arg;

	(void)v;
	if (!has_flags(inode))
		return -ENOTTY;
	*x = (struct vfs_fsxattr){ .xflags = ext4_xflags(inode) };
	return 0;
}

static int set_fsx(struct vfs *v, struct inode *inode, void *arg)
{
	const struct vfs_fsxattr *x = arg;
	int err = ext4_writable(v->fs);
	uint32_t flags;

	if (!has_flags(inode))
		return -ENOTTY;
	if (err)
		return err;
	guard_write(&inode->lock);
	err = ext4_flags_of_xflags(inode, x->xflags, &flags);
	if (!err && x->project)
		err = -EOPNOTSUPP; /* without feature project */
	return err ? err : change_flags(v, inode, flags);
}

int vfs_fsgetxattr(struct vfs *v, const char *path, struct vfs_fsxattr *x)
{
	return vfs_at_path(v, path, true, get_fsx, x);
}

int vfs_fssetxattr(struct vfs *v, const char *path, const struct vfs_fsxattr *x)
{
	struct vfs_fsxattr copy = *x;

	return vfs_at_path(v, path, true, set_fsx, &copy);
}

/* ---- generation */

static int set_generation(struct vfs *v, struct inode *inode, void *arg)
{
	int err = ext4_writable(v->fs);

	if (!has_flags(inode))
		return -ENOTTY;
	if (!vfs_owner_or_root(v, inode))
		return -EPERM;
	if (err)
		return err;
	guard_write(&inode->lock);
	return ext4_set_generation(inode, *(const uint32_t *)arg);
}

int vfs_setversion(struct vfs *v, const char *path, uint32_t generation)
{
	return vfs_at_path(v, path, true, set_generation, &generation);
}
