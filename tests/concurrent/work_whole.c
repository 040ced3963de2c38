/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Workers do things to the whole file system while others work in it: freeze it (nothing changes until the thaw, and
 * reading goes on), trim it, empty its journal.
 */
#include "work.h"

#include <errno.h>
#include <string.h>

#define FROZEN_NS 300000		/* so long it stays frozen */

static void freeze(struct worker *me)
{
	struct extant *x = me->w->x;
	struct extant_statfs before, after;
	struct extant_stat st;
	int err = extant_freeze(x);

	if (err == -EBUSY)
		return; /* somebody else's */
	if (!err)
		err = extant_statfs(x, "/", &before);
	if (!err)
		err = extant_sleep(x, FROZEN_NS);
	if (!err)
		err = extant_stat(x, "/common", &st);
	if (!err)
		err = extant_statfs(x, "/", &after);
	if (err)
		worker_fail(me, "frozen: %s", strerror(-err));
	else if (before.free != after.free || before.files_free != after.files_free)
		worker_fail(me, "frozen: %llu blocks and %llu inodes are free, %llu and %llu were",
			    (unsigned long long)after.free, (unsigned long long)after.files_free,
			    (unsigned long long)before.free, (unsigned long long)before.files_free);
	err = extant_thaw(x);
	if (err)
		worker_fail(me, "thaw: %s", strerror(-err));
}

static void trim(struct worker *me)
{
	uint64_t trimmed;
	int err = extant_fstrim(me->w->x, 0, UINT64_MAX, 0, &trimmed);

	if (err && err != -EOPNOTSUPP)
		worker_fail(me, "fstrim: %s", strerror(-err));
}

static void empty_journal(struct worker *me)
{
	int err = extant_checkpoint(me->w->x, random_below(&me->random, 3)); /* 4.9 has none */

	if (err && err != -ENOTTY && err != -ENODEV && err != -EOPNOTSUPP)
		worker_fail(me, "checkpoint: %s", strerror(-err));
}

void worker_whole(struct worker *me)
{
	switch (random_below(&me->random, 4)) {
	case 0:
		trim(me);
		break;
	case 1:
		empty_journal(me);
		break;
	default:
		freeze(me);
	}
}
