/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * POSIX access control lists: more rights than a mode can say, for named users and groups, with a
 * mask over them; and lists that a directory hands on to what is made in it (acl(5)).
 *
 *	acl.c		a list by itself: its forms, its rules, what it allows
 *	acl_inode.c	the lists of an inode: read once and kept, changed, inherited
 *
 * The mode's group bits are the mask, where there is one; mode and list always agree.
 */
#ifndef EXTANT_EXT4_ACL_H
#define EXTANT_EXT4_ACL_H

#include "ext4/alloc.h"

struct ext4_acl_item {
	uint16_t tag;			/* EXT4_ACL_* */
	uint16_t perm;			/* rwx */
	uint32_t id;			/* of a named user or group */
};

struct ext4_acl {
	struct epoch_node retire;	/* acl_inode.c, which publishes lists */
	struct arena *arena;
	uint32_t count;
	struct ext4_acl_item items[];
};

enum ext4_acl_kind { ACL_KIND_ACCESS, ACL_KIND_DEFAULT, ACL_KINDS };

/* ---- acl.c */

struct ext4_acl *ext4_acl_new(struct arena *a, uint32_t count);
struct ext4_acl *ext4_acl_copy(const struct ext4_acl *acl);
static inline void ext4_acl_free(struct ext4_acl *acl)
{
	if (acl)
		arena_free(acl->arena, acl);
}
/* As it lies on disk. -EFSCORRUPTED, -ENOMEM. */
must_check int ext4_acl_from_disk(struct arena *a, const uint8_t *value, size_t len,
				  struct ext4_acl **out);
size_t ext4_acl_disk_size(const struct ext4_acl *acl);
void ext4_acl_to_disk(const struct ext4_acl *acl, uint8_t *value);
/*
 * As programs pass it in system.posix_acl_*. *out NULL: no list. -EOPNOTSUPP: another version;
 * -EINVAL: not of this form. What is in it may still be nonsense: ext4_acl_valid.
 */
must_check int ext4_acl_from_xattr(struct arena *a, const uint8_t *value, size_t len,
				   struct ext4_acl **out);
/* Rights, order, what must be there and what must be there once. */
bool ext4_acl_valid(const struct ext4_acl *acl);
size_t ext4_acl_xattr_size(const struct ext4_acl *acl);
void ext4_acl_to_xattr(const struct ext4_acl *acl, uint8_t *value);

/* The user is in the group, by any of his groups. */
bool ext4_in_group(const struct ext4_cred *cred, uint32_t gid);
/* 0 or -EACCES: may `cred` do `mask` (rwx) to what belongs to uid and gid? */
must_check int ext4_acl_permission(const struct ext4_acl *acl, uint32_t uid, uint32_t gid,
				   const struct ext4_cred *cred, unsigned mask);
/* The rights bits of *mode as the list has them; true: the list says no more than the mode. */
bool ext4_acl_to_mode(const struct ext4_acl *acl, uint16_t *mode);
/* chmod: the list says what the mode says. */
void ext4_acl_chmod(struct ext4_acl *acl, uint16_t mode);
/* A new file: list and mode allow what both allowed. True: the list says no more than the mode. */
bool ext4_acl_restrict(struct ext4_acl *acl, uint16_t *mode);

/* ---- acl_inode.c */

/*
 * The list, for a look inside the epoch the caller is in; *out NULL: none. -EAGAIN: not known yet,
 * ext4_acl_load (which may wait) first.
 */
must_check int ext4_acl_peek(struct inode *inode, enum ext4_acl_kind kind,
			     const struct ext4_acl **out);
must_check int ext4_acl_load(struct inode *inode, enum ext4_acl_kind kind);
/* A copy for the caller; NULL: none. */
must_check int ext4_acl_get(struct inode *inode, enum ext4_acl_kind kind, struct ext4_acl **out);
/*
 * Sets (NULL: takes away) the list; with the access list the mode follows, and loses set-group-id
 * when `drop_sgid`. inode->lock for writing.
 */
must_check int ext4_acl_set(struct inode *inode, enum ext4_acl_kind kind,
			    const struct ext4_acl *acl, bool drop_sgid);
/* The mode has changed: the access list follows. inode->lock for writing. */
must_check int ext4_acl_follow_mode(struct inode *inode);
/* A new inode, not yet to be seen: rights from the directory's default list, or else by the umask. */
must_check int ext4_acl_inherit(struct handle *h, struct inode *inode, struct inode *dir,
				const struct ext4_cred *cred);
/* What memory knows of its lists goes: an inode is freed. */
void ext4_acl_forget(struct inode *inode);

#endif
