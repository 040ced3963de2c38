/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may do what: mode bits and lists of rights against whoever acts.
 *
 * Who acts is the task's (a call made by `extant_as`'s handle), or else the mount's. uid 0 may all,
 * but execute what nobody may. There are no finer capabilities: what Linux grants by one of them is
 * granted to uid 0.
 */
#include "ext4/acl.h"
#include "ext4/xattr.h"
#include "vfs/internal.h"

const struct ext4_cred *vfs_cred(const struct vfs *v)
{
	const struct task *t = task_current();

	return t && t->actor ? t->actor : &v->cred;
}

/* Reserved blocks are root's, and those of the user and the group that the superblock or an option names. */
static bool may_use_reserved(const struct ext4_fs *fs, const struct ext4_cred *cred)
{
	const struct ext4_super_block *sb = fs->super;
	uint32_t uid = fs->opt.resuid, gid = fs->opt.resgid;

	if (!cred->uid)
		return true;
	if (uid == UINT32_MAX)
		uid = le16_get(sb->s_def_resuid);
	if (gid == UINT32_MAX)
		gid = le16_get(sb->s_def_resgid);
	return cred->uid == uid || (gid && ext4_in_group(cred, gid));
}

void vfs_act_for(struct vfs *v, const struct ext4_cred *cred)
{
	struct task *t = task_current();

	t->actor = cred;
	if (may_use_reserved(v->fs, cred))
		t->flags &= ~TASK_UNPRIVILEGED;
	else
		t->flags |= TASK_UNPRIVILEGED;
}

bool vfs_is_root(const struct vfs *v)
{
	return !vfs_cred(v)->uid;
}

bool vfs_owner_or_root(const struct vfs *v, const struct inode *inode)
{
	const struct ext4_cred *cred = vfs_cred(v);

	return !cred->uid || cred->uid == inode->uid;
}

bool vfs_keeps_sgid(const struct vfs *v, uint32_t gid)
{
	return vfs_is_root(v) || ext4_in_group(vfs_cred(v), gid);
}

static int allow(uint32_t bits, int mask)
{
	return (int)(bits & 7 & (uint32_t)mask) == mask ? 0 : -EACCES;
}

/* Inside an epoch. -EAGAIN: the list of rights was not read yet. */
static int by_rights(const struct ext4_cred *cred, struct inode *inode, int mask)
{
	uint32_t mode = inode->mode, gid = inode->gid;
	const struct ext4_acl *acl = NULL;
	int err = 0;

	if (cred->uid == inode->uid)
		return allow(mode >> 6, mask);
	if (mode & 0070) /* a list with a mask of nothing names nobody for anything */
		err = ext4_acl_peek(inode, ACL_KIND_ACCESS, &acl);
	if (err)
		return err;
	if (acl)
		return ext4_acl_permission(acl, inode->uid, gid, cred, (unsigned)mask);
	return allow(ext4_in_group(cred, gid) ? mode >> 3 : mode, mask);
}

int vfs_permission_peek(const struct vfs *v, struct inode *inode, int mask)
{
	const struct ext4_cred *cred = vfs_cred(v);
	uint32_t mode = inode->mode;

	if (mask & MAY_WRITE && inode->flags & EXT4_IMMUTABLE_FL)
		return -EPERM;
	if (cred->uid)
		return by_rights(cred, inode, mask);
	return mask & MAY_EXEC && !EXT4_S_ISDIR(mode) && !(mode & 0111) ? -EACCES : 0;
}

int vfs_permission(const struct vfs *v, struct inode *inode, int mask)
{
	int err;

	for (;;) {
		epoch_enter();
		err = vfs_permission_peek(v, inode, mask);
		epoch_leave();
		if (err != -EAGAIN)
			return err;
		err = ext4_acl_load(inode, ACL_KIND_ACCESS);
		if (err)
			return err;
	}
}

/* ---- what does not survive a change by others */

static const struct ext4_xattr_name capability = { EXT4_XATTR_INDEX_SECURITY, "capability", 10 };

static int has_capability(struct inode *inode)
{
	int err = ext4_xattr_get(inode, &capability, NULL, 0);

	return err == -ENODATA ? 0 : err < 0 ? err : 1;
}

int vfs_drop_capability(struct inode *inode)
{
	int err = has_capability(inode);

	if (err <= 0)
		return err;
	err = ext4_xattr_set(inode, &capability, NULL, 0, 0);
	return err;
}

uint16_t vfs_stripped_mode(const struct vfs *v, const struct inode *inode)
{
	uint16_t mode = inode->mode;

	mode = (uint16_t)(mode & ~04000);
	if (mode & 02000 && (mode & 0010 || !vfs_keeps_sgid(v, inode->gid)))
		mode = (uint16_t)(mode & ~02000);
	return mode;
}

int vfs_remove_privs(struct vfs *v, struct inode *inode)
{
	uint16_t mode;
	int err;

	if (likely(atomic_load_explicit(&inode->state, memory_order_relaxed) & INODE_NO_PRIVS))
		return 0;
	err = vfs_drop_capability(inode);
	if (err)
		return err;
	mode = vfs_stripped_mode(v, inode);
	if (!(inode->mode & 06000)) {
		atomic_fetch_or(&inode->state, INODE_NO_PRIVS);
		return 0;
	}
	if (vfs_is_root(v) || mode == inode->mode)
		return 0;
	attr_write_begin(inode);
	inode->mode = mode;
	attr_write_end(inode);
	return ext4_dirty_inode(inode);
}
