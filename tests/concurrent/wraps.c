/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wraps: a journal of 1,024 blocks goes round again and again, with the same bitmaps dirtied in
 * every transaction, and nobody ever has to wait for room in it: the log's tail moves with the
 * commits, since what is written in place is what has committed, whatever the running transaction
 * makes of the same blocks.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "rig.h"

#define LOG_BLOCKS 1024
#define COMMITS	   3000

struct wraps {
	struct rig rig;
	int failed;
};

static void expect(struct wraps *w, bool holds, const char *what, uint64_t a, uint64_t b)
{
	if (holds)
		return;
	w->failed = 1;
	fprintf(stderr, "%s (%llu, %llu)\n", what, (unsigned long long)a, (unsigned long long)b);
}

/* A file comes and another goes: both bitmaps of the group, its descriptor, inodes, the directory. */
static int one(struct extant *x, int i)
{
	char path[32], old[32], buf[4096] = "wraps";
	int fd, err;

	(void)snprintf(path, sizeof(path), "/file-%d", i % 50);
	(void)snprintf(old, sizeof(old), "/file-%d", (i + 1) % 50);
	fd = extant_open(x, path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
	if (fd < 0)
		return fd;
	err = extant_write(x, fd, buf, sizeof(buf)) == sizeof(buf) ? 0 : -EIO;
	err = err ? err : extant_fsync(x, fd);
	(void)extant_close(x, fd);
	if (!err && i >= 50)
		err = extant_unlink(x, old);
	return err;
}

static int go_round(void *arg)
{
	struct wraps *w = arg;
	struct journal *j = w->rig.x->vfs->fs->journal;
	struct journal_facts before, after;
	uint64_t commits, rounds;
	int err = 0;

	jbd2_journal_facts(j, &before);
	for (int i = 0; i < COMMITS && !err; i++)
		err = one(w->rig.x, i);
	jbd2_journal_facts(j, &after);
	commits = after.commits - before.commits;
	rounds = (after.blocks_logged - before.blocks_logged) / LOG_BLOCKS;
	expect(w, !err, "an operation failed", (uint64_t)-err, 0);
	expect(w, after.log_blocks <= LOG_BLOCKS, "blocks of the journal", after.log_blocks, LOG_BLOCKS);
	expect(w, commits >= COMMITS, "commits", commits, COMMITS);
	expect(w, rounds >= 10, "times round the log", rounds, 10);
	expect(w, after.forced_checkpoints == before.forced_checkpoints, "checkpoints forced for log space",
	       after.forced_checkpoints - before.forced_checkpoints, 0);
	printf("%s: %llu commits, %llu times round %d blocks of log, tail moved %llu times, %llu forced\n",
	       w->rig.opt.mode == EXTANT_THREADED ? "threaded" : "inline", (unsigned long long)commits,
	       (unsigned long long)rounds, LOG_BLOCKS,
	       (unsigned long long)(after.tail_updates - before.tail_updates),
	       (unsigned long long)(after.forced_checkpoints - before.forced_checkpoints));
	return 0;
}

static int run(enum extant_mode mode)
{
	struct wraps w = { 0 };
	struct rig_options opt = { .mkfs = "-b 4096 -J size=4", .size = "64M", .mode = mode, .seed = 1,
				   .mount_options = "noinit_itable" };

	rig_init(&w.rig, &opt);
	expect(&w, !rig_mount(&w.rig), "mount", 0, 0);
	if (w.rig.x) {
		expect(&w, !task_call(w.rig.x->sched, "main", go_round, &w), "task", 0, 0);
		expect(&w, !rig_unmount(&w.rig), "umount", 0, 0);
		expect(&w, !rig_check(&w.rig), "check", 0, 0);
		expect(&w, !rig_e2fsck(&w.rig), "e2fsck", 0, 0);
	}
	rig_fini(&w.rig);
	return w.failed;
}

int main(void)
{
	return run(EXTANT_INLINE) | run(EXTANT_THREADED);
}
