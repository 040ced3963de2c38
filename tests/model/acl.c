/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists of rights (acl(5)). The model keeps them as the attributes that programs see: a version, then entries in their
 * order, each with a tag, rights and the id of whom it names.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "test.h"

#define CALL(x, name, ...) ((x)->target->calls->name((x)->target, ##__VA_ARGS__))
#define ACCESS	"system.posix_acl_access"
#define DEFAULT	"system.posix_acl_default"

enum { OWNER = 1, USER = 2, OWNING_GROUP = 4, GROUP = 8, MASK = 16, OTHER = 32 };

#define ITEMS_MAX 12
struct item {
	uint16_t tag, perm;
	uint32_t id;
};
struct acl {				/* as in the attribute, on a machine that has its order of bytes */
	uint32_t version;
	struct item items[ITEMS_MAX];
};

static size_t items_of(const struct xattr *a)
{
	return (a->len - sizeof(uint32_t)) / sizeof(struct item);
}

static struct item *find_tag(struct item *items, size_t count, uint16_t tag)
{
	for (size_t i = 0; i < count; i++)
		if (items[i].tag == tag)
			return &items[i];
	return NULL;
}

/* The entry that the group's bits of the mode stand for. */
static struct item *group_class(struct item *items, size_t count)
{
	struct item *mask = find_tag(items, count, MASK);

	return mask ? mask : find_tag(items, count, OWNING_GROUP);
}

static bool says_more_than_mode(const struct item *items, size_t count)
{
	(void)items;
	return count > 3;
}

static uint32_t mode_of(struct item *items, size_t count, uint32_t mode)
{
	return (mode & ~0777u) | (uint32_t)find_tag(items, count, OWNER)->perm << 6 |
	       (uint32_t)group_class(items, count)->perm << 3 | find_tag(items, count, OTHER)->perm;
}

void acl_follows_mode(struct node *n)
{
	struct xattr *a = xattr_find(n, ACCESS);
	struct item *items;

	if (!a)
		return;
	items = (struct item *)(a->value + sizeof(uint32_t));
	find_tag(items, items_of(a), OWNER)->perm = n->mode >> 6 & 7;
	group_class(items, items_of(a))->perm = n->mode >> 3 & 7;
	find_tag(items, items_of(a), OTHER)->perm = n->mode & 7;
}

/* What is new allows what the directory's list and its own mode both allow. */
void acl_inherit(struct node *n, const struct node *dir)
{
	const struct xattr *a = xattr_find(dir, DEFAULT);
	struct acl acl;
	size_t count;

	if (!a || is_link(n))
		return;
	if (is_dir(n))
		xattr_set(n, DEFAULT, a->value, a->len);
	count = items_of(a);
	memcpy(&acl, a->value, a->len);
	find_tag(acl.items, count, OWNER)->perm &= (uint16_t)(n->mode >> 6);
	group_class(acl.items, count)->perm &= (uint16_t)(n->mode >> 3);
	find_tag(acl.items, count, OTHER)->perm &= (uint16_t)n->mode;
	n->mode = mode_of(acl.items, count, n->mode);
	if (says_more_than_mode(acl.items, count))
		xattr_set(n, ACCESS, &acl, a->len);
}

/* ---- setting one */

static void add_item(struct test *x, struct acl *acl, size_t *count, uint16_t tag, uint32_t id)
{
	acl->items[(*count)++] = (struct item){ tag, (uint16_t)below(x, 8), id };
}

/* In order; now and then without what must be there. The number of entries. */
static size_t draw_acl(struct test *x, struct acl *acl, bool *valid)
{
	uint32_t users = below(x, 3), groups = below(x, 3);
	size_t count = 0;
	bool mask = users || groups ? chance(x, 95) : chance(x, 30), other = chance(x, 97);

	acl->version = 2;
	*valid = other && (mask || !(users || groups));
	if (chance(x, 3))
		return 0;
	add_item(x, acl, &count, OWNER, UINT32_MAX);
	for (uint32_t i = 0; i < users; i++)
		add_item(x, acl, &count, USER, 1000 + i);
	add_item(x, acl, &count, OWNING_GROUP, UINT32_MAX);
	for (uint32_t i = 0; i < groups; i++)
		add_item(x, acl, &count, GROUP, 100 + i);
	if (mask)
		add_item(x, acl, &count, MASK, UINT32_MAX);
	if (other)
		add_item(x, acl, &count, OTHER, UINT32_MAX);
	return count;
}

static int may_set_acl(const struct node *n, bool access, size_t count, bool valid)
{
	if (flags_forbid_change(n))
		return -EPERM;
	if (is_link(n))
		return -EOPNOTSUPP;
	if (!access && !is_dir(n))
		return count ? -EACCES : 0;
	return count && !valid ? -EINVAL : 0;
}

static void acl_was_set(struct test *x, struct node *n, bool access, struct acl *acl, size_t count)
{
	size_t len = sizeof(uint32_t) + count * sizeof(struct item);

	if (access && count)
		n->mode = mode_of(acl->items, count, n->mode);
	if (count && (!access || says_more_than_mode(acl->items, count)))
		xattr_set(n, access ? ACCESS : DEFAULT, acl, len);
	else
		xattr_remove(n, access ? ACCESS : DEFAULT);
	test_forget_stamps(n); /* ctime moves or not, as the list changes or not */
	test_changed(x);
}

void op_setacl(struct test *x)
{
	bool access = chance(x, 60), valid;
	char path[PATH_BYTES];
	struct acl acl;
	size_t count = draw_acl(x, &acl, &valid);
	struct node *n;
	int want, got;

	draw_path(x, path);
	test_say(x, "setacl", "%s %s %zu entries", path, access ? "access" : "default", count);
	want = walk(&x->tree, path, false, &n);
	if (!want)
		want = may_set_acl(n, access, count, valid);
	got = CALL(x, setxattr, path, access ? ACCESS : DEFAULT, &acl, sizeof(uint32_t) + count * sizeof(struct item), 0);
	if (!want && got == -ENOSPC && xattr_bytes(n) + 700 > x->block_size) {
		x->full++;
		test_forget_times(x);
		return;
	}
	if (test_agree(x, want, got) && (access || is_dir(n)))
		acl_was_set(x, n, access, &acl, count);
}
