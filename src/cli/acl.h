/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * POSIX access control lists: their entries, the form in which the calls of xattr(7) carry them,
 * and the words of getfacl(1) and setfacl(1). Owners are numbers, or root.
 */
#ifndef EXTANT_CLI_ACL_H
#define EXTANT_CLI_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACL_ENTRIES_MAX 4096

enum acl_tag {
	ACL_USER_OBJ = 0x01,
	ACL_USER = 0x02,
	ACL_GROUP_OBJ = 0x04,
	ACL_GROUP = 0x08,
	ACL_MASK = 0x10,
	ACL_OTHER = 0x20,
};

struct acl_entry {
	enum acl_tag tag;
	uint32_t id; /* of ACL_USER and ACL_GROUP; else 0 */
	uint32_t perm; /* rwx as 4, 2, 1 */
};

/* Sorted: owner, users, group, groups, mask, others; each (tag, id) once. */
struct acl {
	struct acl_entry *items;
	size_t count;
};

void acl_free(struct acl *a);
struct acl acl_copy(const struct acl *a);
/* The three entries that a mode is. */
struct acl acl_of_mode(uint32_t mode);
struct acl_entry *acl_find(const struct acl *a, enum acl_tag tag, uint32_t id);
void acl_set(struct acl *a, enum acl_tag tag, uint32_t id, uint32_t perm);
/* False: there is no such entry. */
bool acl_remove(struct acl *a, enum acl_tag tag, uint32_t id);
/* More than a mode says. */
bool acl_is_extended(const struct acl *a);
/* The mask, from what it masks. */
void acl_make_mask(struct acl *a);
/* Owner, group and others are there, and a mask where there are others besides. */
bool acl_is_valid(const struct acl *a);

/* ---- as an attribute: to be freed; false: it is none */
unsigned char *acl_pack(const struct acl *a, size_t *size);
bool acl_unpack(const unsigned char *bytes, size_t size, struct acl *out);

/* ---- as words */

struct acl_word {
	bool is_default;
	enum acl_tag tag;
	uint32_t id, perm;
	bool execute_some; /* X: x for directories, and where somebody has it */
};
/* "[d:]u:1000:rwx", one; `with_perm` false: as setfacl -x has it. False: it is none. */
bool acl_parse_word(const char *text, size_t len, bool with_perm, struct acl_word *out);
/* "user:1000:" */
void acl_entry_name(const struct acl_entry *e, char buf[32]);
/* "rwx" */
void acl_perm_text(uint32_t perm, char buf[4]);

#endif
