/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The same mount for different users: each has a struct extant of his own that leads to the one mount.
 */
#include <string.h>
#include "lib/lib.h"

#define GROUPS_MAX 65536u	/* as Linux's NGROUPS_MAX */

int extant_as(struct extant *x, const struct extant_identity *who, struct extant **out)
{
	struct extant *whole = x->whole ? x->whole : x, *other;
	uint32_t *groups;

	if (who->group_count > GROUPS_MAX)
		return -EINVAL;
	other = arena_new(whole->arena, struct extant);
	groups = arena_alloc(whole->arena, (who->group_count + 1) * sizeof(*groups));
	if (!other || !groups) {
		arena_free(whole->arena, other);
		arena_free(whole->arena, groups);
		return -ENOMEM;
	}
	if (who->group_count)
		memcpy(groups, who->groups, who->group_count * sizeof(*groups));
	other->arena = whole->arena;
	other->sched = whole->sched;
	other->clock = whole->clock;
	other->log = whole->log;
	other->trace = whole->trace;
	other->vfs = whole->vfs;
	other->whole = whole;
	other->cred = (struct ext4_cred){ who->uid, who->gid, who->umask & 0777, groups,
					  (uint32_t)who->group_count };
	atomic_fetch_add(&whole->others, 1);
	*out = other;
	return 0;
}

void extant_as_end(struct extant *x)
{
	struct extant *whole;

	if (!x || !x->whole)
		return;
	whole = x->whole;
	arena_free(whole->arena, (void *)x->cred.groups);
	arena_free(whole->arena, x);
	atomic_fetch_sub(&whole->others, 1);
}
