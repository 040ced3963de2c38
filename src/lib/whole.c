/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The public calls on a file system as a whole: frozen, thawed, trimmed, listed, checkpointed, named,
 * shut down.
 */
#include "lib/enter.h"

int extant_freeze(struct extant *x)
{
	return (int)ENTER(x, vfs_freeze(x->vfs));
}

int extant_thaw(struct extant *x)
{
	return (int)ENTER(x, vfs_thaw(x->vfs));
}

int extant_shutdown(struct extant *x, enum extant_shutdown how)
{
	return (int)ENTER(x, vfs_shutdown(x->vfs, (enum ext4_shutdown)how));
}

int extant_checkpoint(struct extant *x, uint32_t flags)
{
	return (int)ENTER(x, vfs_checkpoint(x->vfs, flags));
}

int extant_fstrim(struct extant *x, uint64_t start, uint64_t len, uint64_t least, uint64_t *trimmed)
{
	return (int)ENTER(x, vfs_fstrim(x->vfs, start, len, least, trimmed));
}

struct fsmap_call {
	int (*fn)(void *arg, const struct extant_mapping *m);
	void *arg;
};

static int one_mapping(void *arg, const struct ext4_mapping *m)
{
	struct fsmap_call *c = arg;
	struct extant_mapping out = { m->physical, m->length, m->owner, m->flags };

	return c->fn(c->arg, &out);
}

int extant_fsmap(struct extant *x, uint64_t low, uint64_t high,
		 int (*fn)(void *arg, const struct extant_mapping *m), void *arg)
{
	struct fsmap_call c = { fn, arg };

	return (int)ENTER(x, vfs_fsmap(x->vfs, low, high, one_mapping, &c));
}

int extant_getlabel(struct extant *x, char label[EXTANT_LABEL_MAX + 1])
{
	return (int)ENTER(x, vfs_getlabel(x->vfs, label));
}

int extant_setlabel(struct extant *x, const char *label)
{
	return (int)CHANGE(x, vfs_setlabel(x->vfs, label));
}

int extant_getuuid(struct extant *x, uint8_t uuid[16])
{
	return (int)ENTER(x, vfs_getuuid(x->vfs, uuid));
}

int extant_setuuid(struct extant *x, const uint8_t uuid[16])
{
	return (int)CHANGE(x, vfs_setuuid(x->vfs, uuid));
}
