/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Access control lists (acl.h).
 */
#include "cli/acl.h"

#include <stdlib.h>
#include <string.h>
#include "base/endian.h"
#include "cli/cli.h"

#define ATTRIBUTE_VERSION 2

struct attribute_entry { /* little-endian, as setxattr(2) takes it */
	le16 tag, perm;
	le32 id;
};

void acl_free(struct acl *a)
{
	free(a->items);
	*a = (struct acl){ 0 };
}

struct acl acl_copy(const struct acl *a)
{
	struct acl copy = { cli_realloc(NULL, a->count * sizeof(a->items[0])), a->count };

	if (a->count)
		memcpy(copy.items, a->items, a->count * sizeof(a->items[0]));
	return copy;
}

struct acl acl_of_mode(uint32_t mode)
{
	struct acl a = { 0 };

	acl_set(&a, ACL_USER_OBJ, 0, mode >> 6 & 7);
	acl_set(&a, ACL_GROUP_OBJ, 0, mode >> 3 & 7);
	acl_set(&a, ACL_OTHER, 0, mode & 7);
	return a;
}

struct acl_entry *acl_find(const struct acl *a, enum acl_tag tag, uint32_t id)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->items[i].tag == tag && a->items[i].id == id)
			return &a->items[i];
	return NULL;
}

void acl_set(struct acl *a, enum acl_tag tag, uint32_t id, uint32_t perm)
{
	struct acl_entry *e = acl_find(a, tag, id);
	size_t i = a->count;

	if (e) {
		e->perm = perm;
		return;
	}
	a->items = cli_realloc(a->items, (a->count + 1) * sizeof(a->items[0]));
	for (; i && (a->items[i - 1].tag > tag ||
		     (a->items[i - 1].tag == tag && a->items[i - 1].id > id));
	     i--)
		a->items[i] = a->items[i - 1];
	a->items[i] = (struct acl_entry){ tag, id, perm };
	a->count++;
}

bool acl_remove(struct acl *a, enum acl_tag tag, uint32_t id)
{
	struct acl_entry *e = acl_find(a, tag, id);

	if (!e)
		return false;
	memmove(e, e + 1, (size_t)(a->items + a->count - (e + 1)) * sizeof(*e));
	a->count--;
	return true;
}

bool acl_is_extended(const struct acl *a)
{
	return a->count > 3;
}

void acl_make_mask(struct acl *a)
{
	uint32_t perm = 0;

	for (size_t i = 0; i < a->count; i++)
		if (a->items[i].tag & (ACL_USER | ACL_GROUP_OBJ | ACL_GROUP))
			perm |= a->items[i].perm;
	acl_set(a, ACL_MASK, 0, perm);
}

bool acl_is_valid(const struct acl *a)
{
	bool named = false;

	for (size_t i = 0; i < a->count; i++)
		named |= a->items[i].tag == ACL_USER || a->items[i].tag == ACL_GROUP;
	return acl_find(a, ACL_USER_OBJ, 0) && acl_find(a, ACL_GROUP_OBJ, 0) &&
	       acl_find(a, ACL_OTHER, 0) && (!named || acl_find(a, ACL_MASK, 0)) &&
	       a->count <= ACL_ENTRIES_MAX;
}

/* ---- as an attribute */

unsigned char *acl_pack(const struct acl *a, size_t *size)
{
	unsigned char *bytes;
	struct attribute_entry e;
	le32 version;

	*size = sizeof(version) + a->count * sizeof(e);
	bytes = cli_realloc(NULL, *size);
	version = le32_of(ATTRIBUTE_VERSION);
	memcpy(bytes, &version, sizeof(version));
	for (size_t i = 0; i < a->count; i++) {
		bool named = a->items[i].tag & (ACL_USER | ACL_GROUP);

		e.tag = le16_of((uint16_t)a->items[i].tag);
		e.perm = le16_of((uint16_t)a->items[i].perm);
		e.id = le32_of(named ? a->items[i].id : UINT32_MAX);
		memcpy(bytes + sizeof(version) + i * sizeof(e), &e, sizeof(e));
	}
	return bytes;
}

bool acl_unpack(const unsigned char *bytes, size_t size, struct acl *out)
{
	struct attribute_entry e;
	le32 version;

	*out = (struct acl){ 0 };
	if (size < sizeof(version) || (size - sizeof(version)) % sizeof(e))
		return false;
	memcpy(&version, bytes, sizeof(version));
	if (le32_get(version) != ATTRIBUTE_VERSION)
		return false;
	for (size_t at = sizeof(version); at < size; at += sizeof(e)) {
		enum acl_tag tag;

		memcpy(&e, bytes + at, sizeof(e));
		tag = (enum acl_tag)le16_get(e.tag);
		acl_set(out, tag, tag & (ACL_USER | ACL_GROUP) ? le32_get(e.id) : 0,
			le16_get(e.perm) & 7u);
	}
	return true;
}

/* ---- as words */

void acl_perm_text(uint32_t perm, char buf[4])
{
	for (int i = 0; i < 3; i++)
		buf[i] = perm & (4u >> i) ? "rwx"[i] : '-';
	buf[3] = '\0';
}

void acl_entry_name(const struct acl_entry *e, char buf[32])
{
	static const struct {
		enum acl_tag tag;
		const char *name;
		bool named;
	} names[] = {
		{ ACL_USER_OBJ, "user:", false },   { ACL_USER, "user:", true },
		{ ACL_GROUP_OBJ, "group:", false }, { ACL_GROUP, "group:", true },
		{ ACL_MASK, "mask:", false },       { ACL_OTHER, "other:", false },
	};

	*buf = '\0';
	for (size_t i = 0; i < array_size(names); i++) {
		if (names[i].tag != e->tag)
			continue;
		(void)snprintf(buf, 32, names[i].named ? "%s%u:" : "%s:", names[i].name, e->id);
	}
}

/* "rwx", "r-x", "7", "rX". */
static bool parse_perm(const char *text, struct acl_word *out)
{
	out->perm = 0;
	if (text[0] >= '0' && text[0] <= '7' && !text[1]) {
		out->perm = (uint32_t)(text[0] - '0');
		return true;
	}
	for (; *text; text++) {
		static const char letters[] = "xwr";
		const char *at = strchr(letters, *text);

		if (at)
			out->perm |= 1u << (at - letters);
		else if (*text == 'X')
			out->execute_some = true;
		else if (*text != '-')
			return false;
	}
	return true;
}

/* The name of an entry, whole or its first letter. */
static bool is_name(const char *text, const char *name)
{
	return !strcmp(text, name) || (text[0] == name[0] && !text[1]);
}

static bool parse_tag(const char *kind, const char *id, struct acl_word *out)
{
	uint32_t uid, gid;
	bool named = *id;

	if (named && (!cli_parse_owner(id, &uid, &gid) || uid == UINT32_MAX || gid != UINT32_MAX))
		return false;
	out->id = named ? uid : 0;
	if (is_name(kind, "user"))
		out->tag = named ? ACL_USER : ACL_USER_OBJ;
	else if (is_name(kind, "group"))
		out->tag = named ? ACL_GROUP : ACL_GROUP_OBJ;
	else if (is_name(kind, "mask") && !named)
		out->tag = ACL_MASK;
	else if (is_name(kind, "other") && !named)
		out->tag = ACL_OTHER;
	else
		return false;
	return true;
}

bool acl_parse_word(const char *text, size_t len, bool with_perm, struct acl_word *out)
{
	char copy[80], *parts[5] = { copy }, *p;
	int n = 1, first;

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	while ((p = strchr(parts[n - 1], ':')) != NULL) {
		if (n == (int)array_size(parts))
			return false;
		*p = '\0';
		parts[n++] = p + 1;
	}
	*out = (struct acl_word){ .is_default = n > 1 && is_name(parts[0], "default") };
	first = out->is_default;
	n -= first;
	/* "m:rwx" and "o:r" leave the empty owner out; "1000:rwx" is a user. */
	if (!with_perm)
		return n <= 3 && (n < 3 || !*parts[first + 2]) &&
		       parse_tag(parts[first], n > 1 ? parts[first + 1] : "", out);
	if (n == 2 && (is_name(parts[first], "mask") || is_name(parts[first], "other")))
		return parse_tag(parts[first], "", out) && parse_perm(parts[first + 1], out);
	if (n == 2)
		return parse_tag("user", parts[first], out) && parse_perm(parts[first + 1], out);
	return n == 3 && parse_tag(parts[first], parts[first + 1], out) &&
	       parse_perm(parts[first + 2], out);
}
