/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extended attributes as xattr(7) has them: the name's first part says who may see and change it.
 *
 *	user.		regular files and directories, by the rights on their contents
 *	trusted.	root alone; others do not even see them
 *	security.	everybody reads, root writes
 *	system.posix_acl_access, _default	lists of rights: the owner's to change
 */
#include <string.h>
#include "ext4/acl.h"
#include "ext4/xattr.h"
#include "vfs/internal.h"

static const struct {
	const char *prefix;
	uint8_t index;
	bool whole;			/* nothing follows */
} prefixes[] = {
	{ "user.", EXT4_XATTR_INDEX_USER, false },
	{ "trusted.", EXT4_XATTR_INDEX_TRUSTED, false },
	{ "security.", EXT4_XATTR_INDEX_SECURITY, false },
	{ "system.posix_acl_access", EXT4_XATTR_INDEX_POSIX_ACL_ACCESS, true },
	{ "system.posix_acl_default", EXT4_XATTR_INDEX_POSIX_ACL_DEFAULT, true },
};

struct call {
	const char *text;		/* the whole name */
	struct ext4_xattr_name name;
	bool known;
	const void *value;		/* to be set; NULL: the attribute goes */
	void *buf;			/* to be filled */
	size_t size;
	unsigned flags;
};

static int check_name(struct call *c, const char *text)
{
	size_t len = strnlen(text, EXT4_XATTR_NAME_MAX + 1);

	c->text = text;
	if (!len || len > EXT4_XATTR_NAME_MAX)
		return -ERANGE;
	for (size_t i = 0; i < array_size(prefixes); i++) {
		size_t part = strlen(prefixes[i].prefix);

		if (strncmp(text, prefixes[i].prefix, part) || (prefixes[i].whole && len != part))
			continue;
		c->name = (struct ext4_xattr_name){ prefixes[i].index, text + part, len - part };
		c->known = true;
	}
	return 0;
}

static bool is_acl(const struct call *c)
{
	return c->known && (c->name.index == EXT4_XATTR_INDEX_POSIX_ACL_ACCESS ||
			    c->name.index == EXT4_XATTR_INDEX_POSIX_ACL_DEFAULT);
}

/* ---- who may */

static int user_attribute(struct vfs *v, const struct inode *inode, bool write)
{
	bool is_dir = EXT4_S_ISDIR(inode->mode);

	if (!is_dir && !EXT4_S_ISREG(inode->mode))
		return write ? -EPERM : -ENODATA;
	if (write && is_dir && inode->mode & 01000 && !vfs_owner_or_root(v, inode))
		return -EPERM;
	return 0;
}

static int xattr_permission(struct vfs *v, struct inode *inode, const struct call *c, bool write)
{
	int err;

	if (write && inode->flags & (EXT4_IMMUTABLE_FL | EXT4_APPEND_FL))
		return -EPERM;
	if (!strncmp(c->text, "system.", 7))
		return 0;
	if (!strncmp(c->text, "security.", 9))
		return write && !vfs_is_root(v) ? -EPERM : 0;
	if (!strncmp(c->text, "trusted.", 8))
		return vfs_is_root(v) ? 0 : write ? -EPERM : -ENODATA;
	if (!strncmp(c->text, "user.", 5)) {
		err = user_attribute(v, inode, write);
		if (err)
			return err;
	}
	return vfs_permission(v, inode, write ? MAY_WRITE : MAY_READ);
}

static int check_known(const struct call *c)
{
	if (!c->known)
		return -EOPNOTSUPP;
	return c->name.len || is_acl(c) ? 0 : -EINVAL;
}

/* ---- lists of rights */

static enum ext4_acl_kind acl_kind(const struct call *c)
{
	return c->name.index == EXT4_XATTR_INDEX_POSIX_ACL_ACCESS ? ACL_KIND_ACCESS
								  : ACL_KIND_DEFAULT;
}

static int get_acl(struct inode *inode, const struct call *c)
{
	struct ext4_acl *acl;
	size_t size;
	int err;

	if (EXT4_S_ISLNK(inode->mode))
		return -EOPNOTSUPP;
	err = ext4_acl_get(inode, acl_kind(c), &acl);
	if (err || !acl)
		return err ? err : -ENODATA;
	size = ext4_acl_xattr_size(acl);
	if (c->size && c->size < size)
		err = -ERANGE;
	else if (c->size)
		ext4_acl_to_xattr(acl, c->buf);
	ext4_acl_free(acl);
	return err ? err : (int)size;
}

/* 1: there is nothing to do. */
static int may_set_acl(struct vfs *v, struct inode *inode, enum ext4_acl_kind kind,
		       const struct ext4_acl *acl)
{
	if (inode->flags & (EXT4_IMMUTABLE_FL | EXT4_APPEND_FL))
		return -EPERM;
	if (EXT4_S_ISLNK(inode->mode))
		return -EOPNOTSUPP;
	if (kind == ACL_KIND_DEFAULT && !EXT4_S_ISDIR(inode->mode))
		return acl ? -EACCES : 1;
	if (!vfs_owner_or_root(v, inode))
		return -EPERM;
	return acl && !ext4_acl_valid(acl) ? -EINVAL : 0;
}

static int set_acl(struct vfs *v, struct inode *inode, const struct call *c)
{
	enum ext4_acl_kind kind = acl_kind(c);
	struct ext4_acl *acl = NULL;
	int err = 0;

	if (c->value)
		err = ext4_acl_from_xattr(v->fs->arena, c->value, c->size, &acl);
	if (!err)
		err = may_set_acl(v, inode, kind, acl);
	if (!err)
		err = ext4_acl_set(inode, kind, acl, !vfs_keeps_sgid(v, inode->gid));
	ext4_acl_free(acl);
	return min(err, 0);
}

/* ---- get */

static int get(struct vfs *v, struct inode *inode, void *arg)
{
	struct call *c = arg;
	int err;

	if (is_acl(c))
		return get_acl(inode, c);
	err = xattr_permission(v, inode, c, false);
	if (!err)
		err = check_known(c);
	return err ? err : ext4_xattr_get(inode, &c->name, c->buf, c->size);
}

int vfs_getxattr(struct vfs *v, const char *path, bool follow, const char *name, void *buf, size_t size)
{
	struct call c = { .buf = buf, .size = size };
	int err = check_name(&c, name);

	return err ? err : vfs_at_path(v, path, follow, get, &c);
}

int vfs_fgetxattr(struct vfs *v, int fd, const char *name, void *buf, size_t size)
{
	struct call c = { .buf = buf, .size = size };
	int err = check_name(&c, name);

	return err ? err : vfs_at_fd(v, fd, get, &c);
}

/* ---- set, remove */

/* security.capability has a form (capabilities(7)): revision 2 or 3, and as long as that is. */
static bool is_capability(const struct call *c)
{
	uint32_t revision;

	if (c->size < sizeof(le32))
		return false;
	revision = le32_get(*(const le32 *)c->value) >> 24;
	return (revision == 2 && c->size == 20) || (revision == 3 && c->size == 24);
}

static int set(struct vfs *v, struct inode *inode, void *arg)
{
	struct call *c = arg;
	int err = ext4_writable(v->fs);

	TRACE_SCOPE(v->fs, vfs_setxattr);
	if (err)
		return err;
	guard_write(&inode->lock);
	if (is_acl(c))
		return set_acl(v, inode, c);
	err = xattr_permission(v, inode, c, true);
	if (!err)
		err = check_known(c);
	if (!err && c->value && !strcmp(c->text, "security.capability") && !is_capability(c))
		err = -EINVAL;
	if (err)
		return err;
	atomic_fetch_and(&inode->state, ~INODE_NO_PRIVS);
	return ext4_xattr_set(inode, &c->name, c->value, c->size, c->flags);
}

static int prepare_set(struct call *c, const char *name, const void *value, size_t size, int flags)
{
	int err = flags & ~(EXT4_XATTR_CREATE | EXT4_XATTR_REPLACE) ? -EINVAL : check_name(c, name);

	*c = (struct call){ c->text, c->name, c->known };
	c->value = value ? value : "";
	c->size = size;
	c->flags = (unsigned)flags;
	if (!err && size > EXT4_XATTR_SIZE_MAX)
		err = -E2BIG;
	return !err && size && !value ? -EFAULT : err;
}

int vfs_setxattr(struct vfs *v, const char *path, bool follow, const char *name, const void *value,
		 size_t size, int flags)
{
	struct call c = { .text = NULL };
	int err = prepare_set(&c, name, value, size, flags);

	return err ? err : vfs_at_path(v, path, follow, set, &c);
}

int vfs_fsetxattr(struct vfs *v, int fd, const char *name, const void *value, size_t size, int flags)
{
	struct call c = { .text = NULL };
	int err = prepare_set(&c, name, value, size, flags);

	return err ? err : vfs_at_fd(v, fd, set, &c);
}

int vfs_removexattr(struct vfs *v, const char *path, bool follow, const char *name)
{
	struct call c = { .flags = EXT4_XATTR_REPLACE };
	int err = check_name(&c, name);

	return err ? err : vfs_at_path(v, path, follow, set, &c);
}

int vfs_fremovexattr(struct vfs *v, int fd, const char *name)
{
	struct call c = { .flags = EXT4_XATTR_REPLACE };
	int err = check_name(&c, name);

	return err ? err : vfs_at_fd(v, fd, set, &c);
}

/* ---- list */

struct listing {
	char *buf;
	size_t size, used;		/* size 0: only counted */
	bool root;
};

static int add_name(void *arg, const struct ext4_xattr_name *name)
{
	struct listing *l = arg;

	for (size_t i = 0; i < array_size(prefixes); i++) {
		size_t part = strlen(prefixes[i].prefix), len = part + name->len + 1;

		if (prefixes[i].index != name->index ||
		    (name->index == EXT4_XATTR_INDEX_TRUSTED && !l->root))
			continue;
		if (l->size && len > l->size - l->used)
			return -ERANGE;
		if (l->size) {
			memcpy(l->buf + l->used, prefixes[i].prefix, part);
			memcpy(l->buf + l->used + part, name->bytes, name->len);
			l->buf[l->used + len - 1] = '\0';
		}
		l->used += len;
	}
	return 0;
}

static int list(struct vfs *v, struct inode *inode, void *arg)
{
	struct listing *l = arg;
	int err;

	l->root = vfs_is_root(v);
	l->used = 0;
	err = ext4_xattr_list(inode, add_name, l);
	return err ? err : (int)l->used;
}

int vfs_listxattr(struct vfs *v, const char *path, bool follow, char *buf, size_t size)
{
	struct listing l = { .buf = buf, .size = size };

	return vfs_at_path(v, path, follow, list, &l);
}

int vfs_flistxattr(struct vfs *v, int fd, char *buf, size_t size)
{
	struct listing l = { .buf = buf, .size = size };

	return vfs_at_fd(v, fd, list, &l);
}
