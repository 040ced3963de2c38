/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wraps: the log of the smallest journal (1,024 blocks) is gone through again and again, while each transaction changes
 * the same block bitmap. That must not cost anything but what was asked for: as many commits as fsyncs, none of them
 * forced to free log space, nobody who has to wait for it. The bitmap reaches its place as committed
 * transactions made it, so the tail passes it though the running transaction has changed it again.
 *
 *	wraps [--wraps N] [--seed S]	inline on a slow device, then a tenth of it with threads
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/random.h"
#include "rig.h"

#define FILES 400		/* their inodes lie in a hundred blocks */
#define CHANGED 60		/* of them in each transaction */
#define FSYNC_FLUSHES_MAX 2

struct wraps {
	struct rig rig;
	struct random random;
	uint64_t wanted, wraps, rounds, flushes_most;
	int failed;
};

static void expect(struct wraps *s, bool holds, const char *what, uint64_t a, uint64_t b)
{
	if (holds)
		return;
	s->failed = 1;
	fprintf(stderr, "%s (%llu, %llu)\n", what, (unsigned long long)a, (unsigned long long)b);
}

static const char *name(char *room, size_t size, uint64_t n)
{
	(void)snprintf(room, size, "/file-%llu", (unsigned long long)n);
	return room;
}

static int make_files(struct extant *x)
{
	char path[64];

	for (uint64_t i = 0; i < FILES; i++) {
		int fd = extant_open(x, name(path, sizeof(path), i), O_CREAT | O_WRONLY, 0644);

		if (fd < 0 || extant_close(x, fd))
			return -EIO;
	}
	return extant_sync(x);
}

/* Another block of the bitmap's group is taken, or all that were taken are given back. */
static int change_bitmap(struct wraps *s, int fd)
{
	char block[1024];
	int64_t at = (int64_t)(s->rounds % 200) * 1024;

	memset(block, (int)s->rounds, sizeof(block));
	if (!at && extant_ftruncate(s->rig.x, fd, 0))
		return -EIO;
	return extant_pwrite(s->rig.x, fd, block, sizeof(block), at) == sizeof(block) ? 0 : -EIO;
}

static int one_round(struct wraps *s, int fd)
{
	struct extant *x = s->rig.x;
	uint64_t flushes;
	char path[64];
	int err = change_bitmap(s, fd);

	for (int i = 0; i < CHANGED && !err; i++)
		err = extant_chmod(x, name(path, sizeof(path), random_below(&s->random, FILES)),
				   0600 | random_below(&s->random, 64));
	flushes = rig_flushes(&s->rig);
	if (!err)
		err = extant_fsync(x, fd);
	s->flushes_most = max(s->flushes_most, rig_flushes(&s->rig) - flushes);
	s->rounds++;
	return err;
}

static int run(void *arg)
{
	struct wraps *s = arg;
	struct journal *j = s->rig.x->vfs->fs->journal;
	struct journal_facts before, now, last;
	int fd, err = make_files(s->rig.x);

	fd = extant_open(s->rig.x, "/changed", O_CREAT | O_RDWR, 0644);
	if (err || fd < 0 || extant_fsync(s->rig.x, fd))
		return -EIO;
	jbd2_journal_facts(j, &before);
	last = before;
	while (!err && s->wraps < s->wanted) {
		err = one_round(s, fd);
		jbd2_journal_facts(j, &now);
		s->wraps += now.head < last.head;
		last = now;
	}
	expect(s, !err, "an operation failed", (uint64_t)-err, s->rounds);
	expect(s, now.log_blocks == 1023, "the log has other than 1,023 blocks", now.log_blocks, 0);
	expect(s, now.commits - before.commits == s->rounds, "commits for that many fsyncs", now.commits - before.commits,
	       s->rounds);
	if (s->rig.opt.mode == EXTANT_INLINE) { /* a thread that is given no processor writes nothing in place */
		expect(s, now.forced_checkpoints == before.forced_checkpoints, "waits for log space",
		       now.forced_checkpoints - before.forced_checkpoints, 0);
		expect(s, s->flushes_most <= FSYNC_FLUSHES_MAX, "flushes of one fsync", s->flushes_most,
		       FSYNC_FLUSHES_MAX);
	}
	printf("%s: %llu wraps of 1,024 blocks, %llu blocks logged; %llu commits for %llu fsyncs, %llu waits for log space, "
	       "at most %llu flushes each\n", s->rig.opt.mode == EXTANT_THREADED ? "threaded" : "inline",
	       (unsigned long long)s->wraps,
	       (unsigned long long)(now.blocks_logged - before.blocks_logged),
	       (unsigned long long)(now.commits - before.commits), (unsigned long long)s->rounds,
	       (unsigned long long)(now.forced_checkpoints - before.forced_checkpoints),
	       (unsigned long long)s->flushes_most);
	return extant_close(s->rig.x, fd);
}

static int test(struct wraps *s, enum extant_mode mode)
{
	bool slow = mode == EXTANT_INLINE;
	struct rig_options opt = { .mkfs = "-b 1024 -J size=1 -N 1024", .size = "16M", .mode = mode, .seed = 1,
				   .mount_options = "noinit_itable,commit=600", .write_ns = slow ? 20000 : 0,
				   .flush_ns = slow ? NSEC_PER_MSEC : 0 };

	rig_init(&s->rig, &opt);
	expect(s, !rig_mount(&s->rig), "mount", 0, 0);
	if (s->rig.x) {
		expect(s, !task_call(s->rig.x->sched, "main", run, s), "task", 0, 0);
		expect(s, !rig_unmount(&s->rig), "umount", 0, 0);
		expect(s, !rig_check(&s->rig), "check", 0, 0);
		expect(s, !rig_e2fsck(&s->rig), "e2fsck", 0, 0);
	}
	rig_fini(&s->rig);
	return s->failed;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "wraps", 1, NULL, 'w' }, { "seed", 1, NULL, 's' }, { 0 } };
	struct wraps s = { .wanted = 100 }, threaded;
	uint64_t seed = 1;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'w': s.wanted = strtoull(optarg, NULL, 0); break;
		case 's': seed = strtoull(optarg, NULL, 0); break;
		default: return 2;
		}
	}
	random_init_seed(&s.random, seed);
	threaded = s;
	threaded.wanted = s.wanted / 10;
	return test(&s, EXTANT_INLINE) | test(&threaded, EXTANT_THREADED);
}
