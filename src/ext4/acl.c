/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A list of rights by itself (acl.h).
 *
 * In order: owner, named users, owning group, named groups, mask, others. Owner, group and others
 * stand in every list once; a mask too where somebody is named. On disk and in system.posix_acl_*
 * the same entries have two forms: there those without a name are short.
 */
#include <string.h>
#include "base/assert.h"
#include "ext4/acl.h"

#define XATTR_VERSION	2u		/* of system.posix_acl_* */
#define ITEMS_MAX	8192u		/* more do not fit into a value */

struct acl_xattr_entry {		/* in system.posix_acl_*, behind the version */
	le16 tag, perm;
	le32 id;			/* ~0 for those without a name */
};
DISK_SIZE(struct acl_xattr_entry, 8);

struct ext4_acl *ext4_acl_new(struct arena *a, uint32_t count)
{
	struct ext4_acl *acl = arena_zalloc(a, sizeof(*acl) + count * sizeof(acl->items[0]));

	if (acl) {
		acl->arena = a;
		acl->count = count;
	}
	return acl;
}

struct ext4_acl *ext4_acl_copy(const struct ext4_acl *acl)
{
	struct ext4_acl *copy = ext4_acl_new(acl->arena, acl->count);

	if (copy)
		memcpy(copy->items, acl->items, acl->count * sizeof(acl->items[0]));
	return copy;
}

static bool is_named(uint16_t tag)
{
	return tag == EXT4_ACL_USER || tag == EXT4_ACL_GROUP;
}

static bool is_tag(uint16_t tag)
{
	return tag && !(tag & (tag - 1)) && tag <= EXT4_ACL_OTHER;
}

bool ext4_acl_valid(const struct ext4_acl *acl)
{
	uint32_t seen = 0;
	uint16_t last = 0;

	for (uint32_t i = 0; i < acl->count; i++) {
		uint16_t tag = acl->items[i].tag;

		if (acl->items[i].perm & ~7 || !is_tag(tag))
			return false;
		if (tag < last || (tag == last && !is_named(tag)))
			return false;
		if (is_named(tag) && acl->items[i].id == UINT32_MAX)
			return false;
		last = tag;
		seen |= tag;
	}
	if (seen & (EXT4_ACL_USER | EXT4_ACL_GROUP) && !(seen & EXT4_ACL_MASK))
		return false;
	return (seen & (EXT4_ACL_USER_OBJ | EXT4_ACL_GROUP_OBJ | EXT4_ACL_OTHER)) ==
	       (EXT4_ACL_USER_OBJ | EXT4_ACL_GROUP_OBJ | EXT4_ACL_OTHER);
}

/* ---- on disk */

/* Entries in `len` bytes; 0: they do not end there. */
static uint32_t count_on_disk(const uint8_t *p, size_t len)
{
	uint32_t count = 0;

	while (len >= sizeof(struct ext4_acl_entry_short)) {
		uint16_t tag = le16_get(((const struct ext4_acl_entry_short *)p)->e_tag);
		size_t size = is_named(tag) ? sizeof(struct ext4_acl_entry)
					    : sizeof(struct ext4_acl_entry_short);

		if (size > len)
			return 0;
		p += size;
		len -= size;
		count++;
	}
	return len ? 0 : count;
}

int ext4_acl_from_disk(struct arena *a, const uint8_t *value, size_t len, struct ext4_acl **out)
{
	const struct ext4_acl_header *head = (const void *)value;
	const uint8_t *p = value + sizeof(*head);
	struct ext4_acl *acl;
	uint32_t count;

	if (len < sizeof(*head) || le32_get(head->a_version) != EXT4_ACL_VERSION)
		return -EFSCORRUPTED;
	count = count_on_disk(p, len - sizeof(*head));
	if (!count)
		return -EFSCORRUPTED;
	acl = ext4_acl_new(a, count);
	if (!acl)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		const struct ext4_acl_entry *e = (const void *)p;
		uint16_t tag = le16_get(e->e_tag);

		acl->items[i] = (struct ext4_acl_item){ tag, le16_get(e->e_perm), UINT32_MAX };
		if (is_named(tag))
			acl->items[i].id = le32_get(e->e_id);
		p += is_named(tag) ? sizeof(*e) : sizeof(struct ext4_acl_entry_short);
	}
	if (!ext4_acl_valid(acl)) {
		ext4_acl_free(acl);
		return -EFSCORRUPTED;
	}
	*out = acl;
	return 0;
}

size_t ext4_acl_disk_size(const struct ext4_acl *acl)
{
	size_t size = sizeof(struct ext4_acl_header);

	for (uint32_t i = 0; i < acl->count; i++)
		size += is_named(acl->items[i].tag) ? sizeof(struct ext4_acl_entry)
						    : sizeof(struct ext4_acl_entry_short);
	return size;
}

void ext4_acl_to_disk(const struct ext4_acl *acl, uint8_t *value)
{
	uint8_t *p = value + sizeof(struct ext4_acl_header);

	((struct ext4_acl_header *)value)->a_version = le32_of(EXT4_ACL_VERSION);
	for (uint32_t i = 0; i < acl->count; i++) {
		const struct ext4_acl_item *item = &acl->items[i];
		struct ext4_acl_entry *e = (void *)p;

		e->e_tag = le16_of(item->tag);
		e->e_perm = le16_of(item->perm);
		if (is_named(item->tag))
			e->e_id = le32_of(item->id);
		p += is_named(item->tag) ? sizeof(*e) : sizeof(struct ext4_acl_entry_short);
	}
}

/* ---- as programs see it */

int ext4_acl_from_xattr(struct arena *a, const uint8_t *value, size_t len, struct ext4_acl **out)
{
	const struct acl_xattr_entry *e = (const void *)(value + sizeof(le32));
	struct ext4_acl *acl;
	size_t count;

	*out = NULL;
	if (!len)
		return 0;
	if (len < sizeof(le32))
		return -EINVAL;
	if (le32_get(*(const le32 *)value) != XATTR_VERSION)
		return -EOPNOTSUPP;
	count = (len - sizeof(le32)) / sizeof(*e);
	if ((len - sizeof(le32)) % sizeof(*e) || count > ITEMS_MAX)
		return -EINVAL;
	if (!count)
		return 0;
	acl = ext4_acl_new(a, (uint32_t)count);
	if (!acl)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		uint16_t tag = le16_get(e[i].tag);

		if (!is_tag(tag)) {
			ext4_acl_free(acl);
			return -EINVAL;
		}
		acl->items[i] = (struct ext4_acl_item){ tag, le16_get(e[i].perm), UINT32_MAX };
		if (is_named(tag))
			acl->items[i].id = le32_get(e[i].id);
	}
	*out = acl;
	return 0;
}

size_t ext4_acl_xattr_size(const struct ext4_acl *acl)
{
	return sizeof(le32) + acl->count * sizeof(struct acl_xattr_entry);
}

void ext4_acl_to_xattr(const struct ext4_acl *acl, uint8_t *value)
{
	struct acl_xattr_entry *e = (void *)(value + sizeof(le32));

	*(le32 *)value = le32_of(XATTR_VERSION);
	for (uint32_t i = 0; i < acl->count; i++)
		e[i] = (struct acl_xattr_entry){ le16_of(acl->items[i].tag),
						 le16_of(acl->items[i].perm),
						 le32_of(acl->items[i].id) };
}

/* ---- what it allows */

bool ext4_in_group(const struct ext4_cred *cred, uint32_t gid)
{
	bool in = cred->gid == gid;

	for (uint32_t i = 0; i < cred->group_count && !in; i++)
		in = cred->groups[i] == gid;
	return in;
}

static const struct ext4_acl_item *find(const struct ext4_acl *acl, uint16_t tag)
{
	for (uint32_t i = 0; i < acl->count; i++)
		if (acl->items[i].tag == tag)
			return &acl->items[i];
	return NULL;
}

static int allow(unsigned perm, unsigned mask)
{
	return (perm & mask) == mask ? 0 : -EACCES;
}

/* The groups the user is in: one that allows it is enough; any forbids what others may. */
static int by_groups(const struct ext4_acl *acl, uint32_t gid, const struct ext4_cred *cred,
		     unsigned limit, unsigned mask)
{
	bool found = false;

	for (uint32_t i = 0; i < acl->count; i++) {
		const struct ext4_acl_item *item = &acl->items[i];

		if (item->tag != EXT4_ACL_GROUP_OBJ && item->tag != EXT4_ACL_GROUP)
			continue;
		if (!ext4_in_group(cred, item->tag == EXT4_ACL_GROUP ? item->id : gid))
			continue;
		found = true;
		if (!allow(item->perm, mask))
			return allow(item->perm & limit, mask);
	}
	return found ? -EACCES : -EAGAIN;
}

int ext4_acl_permission(const struct ext4_acl *acl, uint32_t uid, uint32_t gid,
			const struct ext4_cred *cred, unsigned mask)
{
	const struct ext4_acl_item *limit = find(acl, EXT4_ACL_MASK);
	unsigned most = limit ? limit->perm : 7;
	int err;

	if (cred->uid == uid)
		return allow(find(acl, EXT4_ACL_USER_OBJ)->perm, mask);
	for (uint32_t i = 0; i < acl->count; i++)
		if (acl->items[i].tag == EXT4_ACL_USER && acl->items[i].id == cred->uid)
			return allow(acl->items[i].perm & most, mask);
	err = by_groups(acl, gid, cred, most, mask);
	return err == -EAGAIN ? allow(find(acl, EXT4_ACL_OTHER)->perm, mask) : err;
}

/* ---- mode and list */

/* What the mode's middle bits stand for: the mask, or the group's own rights. */
static struct ext4_acl_item *group_class(struct ext4_acl *acl)
{
	const struct ext4_acl_item *item = find(acl, EXT4_ACL_MASK);

	return (struct ext4_acl_item *)(item ? item : find(acl, EXT4_ACL_GROUP_OBJ));
}

static struct ext4_acl_item *only(struct ext4_acl *acl, uint16_t tag)
{
	return (struct ext4_acl_item *)find(acl, tag);
}

bool ext4_acl_to_mode(const struct ext4_acl *acl, uint16_t *mode)
{
	struct ext4_acl *a = (struct ext4_acl *)acl; /* looked at alone */
	unsigned bits = (unsigned)only(a, EXT4_ACL_USER_OBJ)->perm << 6 |
			(unsigned)group_class(a)->perm << 3 | only(a, EXT4_ACL_OTHER)->perm;

	*mode = (uint16_t)((*mode & ~0777) | bits);
	return acl->count == 3;
}

void ext4_acl_chmod(struct ext4_acl *acl, uint16_t mode)
{
	only(acl, EXT4_ACL_USER_OBJ)->perm = mode >> 6 & 7;
	group_class(acl)->perm = mode >> 3 & 7;
	only(acl, EXT4_ACL_OTHER)->perm = mode & 7;
}

bool ext4_acl_restrict(struct ext4_acl *acl, uint16_t *mode)
{
	only(acl, EXT4_ACL_USER_OBJ)->perm &= *mode >> 6 & 7;
	group_class(acl)->perm &= *mode >> 3 & 7;
	only(acl, EXT4_ACL_OTHER)->perm &= *mode & 7;
	return ext4_acl_to_mode(acl, mode);
}
