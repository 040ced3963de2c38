/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slow: a device whose flush takes 100 ms, of the mount's virtual time.
 *
 *	overlap	while transaction N is written, handles of N + 1 start between jbd2_commit_logging and
 *		jbd2_end_commit of N, and a stat of what is cached waits for nothing: no sleep, no lock.
 *		The log holds N's bytes of what N + 1 changed meanwhile (the directory, the inode table, the
 *		bitmaps): a failure then recovers N, clean, and nothing of N + 1
 *	copied	the same while N still waits for its ordered data: what N + 1 changes then is logged as N had it
 *	append	each append with fsync costs at most two flushes
 *	group	eight tasks that sync at once share commits: fewer than one for two fsyncs
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "check/check.h"
#include "rig.h"

#define FLUSH_NS (100 * NSEC_PER_MSEC)
#define TASKS 8
#define SYNCS 20
#define MEANWHILE 10		/* files made during a commit */

/* What the trace said of the commits. */
struct heard {
	unsigned logging, ended;	/* the last tid of each event */
	unsigned overlapping;		/* handles of N + 1 between the two of N */
};

struct slow {
	struct rig rig;
	struct heard heard;
	bool early;			/* what is made meanwhile is made before N is logged */
	uint64_t stats, waits;		/* cached look-ups during a commit, and what they waited for */
	int failed;
};

static void expect(struct slow *s, bool holds, const char *what, long long a, long long b)
{
	if (holds)
		return;
	s->failed = 1;
	fprintf(stderr, "%s (%lld, %lld)\n", what, a, b);
}

static unsigned number_behind(const char *text, const char *word)
{
	const char *at = strstr(text, word);

	return at ? (unsigned)strtoul(at + strlen(word), NULL, 10) : 0;
}

static void hear_line(struct heard *h, const char *line)
{
	if (strstr(line, " jbd2_commit_logging:"))
		h->logging = number_behind(line, "transaction ");
	else if (strstr(line, " jbd2_end_commit:"))
		h->ended = number_behind(line, "transaction ");
	else if (strstr(line, " jbd2_handle_start:") && h->logging != h->ended &&
		 number_behind(line, " tid ") == h->logging + 1)
		h->overlapping++;
}

/* Whole lines, perhaps several. */
static void hear(void *arg, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		char line[512];

		stop = stop ? stop : end;
		(void)snprintf(line, sizeof(line), "%.*s", (int)(stop - text), text);
		hear_line(arg, line);
		text = stop + 1;
	}
}

static int make(struct extant *x, const char *path)
{
	char buf[4096];
	int fd = extant_open(x, path, O_CREAT | O_WRONLY | O_APPEND, 0644);

	memset(buf, 'x', sizeof(buf));
	if (fd >= 0 && extant_write(x, fd, buf, sizeof(buf)) != sizeof(buf))
		return -1;
	return fd;
}

/* ---- overlap */

static void syncer(void *arg)
{
	struct slow *s = arg;
	int fd = make(s->rig.x, "/ordered");

	(void)extant_close(s->rig.x, fd);
	fd = make(s->rig.x, "/synced");

	expect(s, fd >= 0 && !extant_fsync(s->rig.x, fd), "the syncer failed", fd, 0);
	(void)extant_close(s->rig.x, fd);
}

static uint64_t waits_of(struct extant *x)
{
	struct sched_stats st;

	sched_get_stats(x->sched, &st);
	return st.lock_waits + st.sleeps;
}

static void look_up_cached(struct slow *s)
{
	uint64_t before = waits_of(s->rig.x);
	struct extant_stat st;
	int err = extant_stat(s->rig.x, "/cached", &st);

	expect(s, !err, "stat failed", err, 0);
	s->waits += waits_of(s->rig.x) - before;
	s->stats++;
}

/* Waits until a commit is at its flush, makes files meanwhile and looks at others. */
static void worker(void *arg)
{
	struct slow *s = arg;
	struct journal_facts f;

	for (int i = 0; i < 200; i++) {
		jbd2_journal_facts(s->rig.x->vfs->fs->journal, &f);
		if (f.committing)
			break;
		task_sleep(NSEC_PER_MSEC);
	}
	expect(s, f.committing, "there was no commit", 0, 0);
	if (!s->early)
		task_sleep(10 * NSEC_PER_MSEC);
	for (int i = 0; i < MEANWHILE; i++) {
		char path[32];
		int fd;

		(void)snprintf(path, sizeof(path), "/meanwhile-%d", i);
		fd = make(s->rig.x, path);
		expect(s, fd >= 0, "a file could not be made", fd, i);
		(void)extant_close(s->rig.x, fd);
		look_up_cached(s);
	}
	jbd2_journal_facts(s->rig.x->vfs->fs->journal, &f);
	expect(s, f.committing, "the commit was over before the work", f.committed, f.running);
}

/* Mounts what a failure would leave now: `/synced` is there, nothing that was made meanwhile. */
static void look_at_recovered(struct slow *s, struct block_device *copy)
{
	struct extant_options opt;
	struct clock clock;
	struct lib_mount_args args = { .image = "failed", .opt = &opt, .clock = &clock, .dialect = DIALECT_4_9 };
	struct extant *x;
	struct extant_stat st;
	int err = block_share_create(s->rig.arena, copy, &args.device);

	extant_options_init(&opt);
	opt.mode = EXTANT_INLINE;
	opt.mount_options = "noinit_itable";
	clock_init_virtual(&clock, 1700001000LL * NSEC_PER_SEC, 4 * NSEC_PER_MSEC);
	err = err ? err : lib_mount(&args, &x);
	expect(s, !err, "what a failure leaves cannot be mounted", -err, 0);
	if (err)
		return;
	err = extant_stat(x, "/synced", &st);
	expect(s, !err, "what was synced is not in the log", err, 0);
	for (int i = 0; i < MEANWHILE; i++) {
		char path[32];

		(void)snprintf(path, sizeof(path), "/meanwhile-%d", i);
		err = extant_stat(x, path, &st);
		expect(s, err == -ENOENT, "the log of N holds what N + 1 made", err, i);
	}
	expect(s, !extant_unmount(x), "what a failure leaves cannot be unmounted", 0, 0);
}

static void one_problem(void *arg, const struct check_problem *p)
{
	char text[300];

	(void)arg;
	check_problem_format(p, text, sizeof(text));
	fprintf(stderr, "after a failure: %s\n", text);
}

/* N is committed, N + 1 only in memory. */
static void fail_between(struct slow *s)
{
	struct check_options opt = { .arena = s->rig.arena, .problems_max = 5, .problem = one_problem };
	struct check_report report = { 0 };
	struct block_device *below, *copy;
	int err = block_share_create(s->rig.arena, s->rig.cow, &below);

	if (err || block_cow_create(s->rig.arena, below, &copy))
		abort();
	look_at_recovered(s, copy);
	err = check_image(copy, &opt, &report);
	expect(s, !err && !report.problems, "what a failure leaves is damaged", err, (long long)report.problems);
	block_close(copy);
}

static int overlap(void *arg)
{
	struct slow *s = arg;
	struct task *a, *b;
	struct extant_stat st;
	int fd = make(s->rig.x, "/cached");

	(void)extant_close(s->rig.x, fd);
	expect(s, !extant_sync(s->rig.x) && !extant_stat(s->rig.x, "/cached", &st), "sync", 0, 0);
	if (task_spawn(s->rig.x->sched, "syncer", syncer, s, &a) || task_spawn(s->rig.x->sched, "worker", worker, s, &b))
		abort();
	task_join(a);
	task_join(b);
	fail_between(s);
	rig_drain(&s->rig);
	expect(s, s->early || s->heard.overlapping >= 10, "handles of N + 1 during the commit of N", s->heard.overlapping, 10);
	expect(s, s->stats && !s->waits, "cached look-ups waited", (long long)s->waits, (long long)s->stats);
	printf("%s: %u handles of N + 1 since N was logged; %llu cached look-ups, %llu waits\n",
	       s->early ? "copied" : "overlap", s->heard.overlapping, (unsigned long long)s->stats, (unsigned long long)s->waits);
	return 0;
}

/* Without delayed allocation the other file's data is the commit's to write, which takes a while. */
static int copied(void *arg)
{
	struct slow *s = arg;

	s->early = true;
	return overlap(arg);
}

/* ---- append */

static int append(void *arg)
{
	struct slow *s = arg;
	int fd = make(s->rig.x, "/appended");
	uint64_t most = 0, all = 0;

	expect(s, !extant_fsync(s->rig.x, fd), "fsync", 0, 0);
	for (int i = 0; i < 50; i++) {
		uint64_t before = rig_flushes(&s->rig);
		char buf[4096] = "appended";

		expect(s, extant_write(s->rig.x, fd, buf, sizeof(buf)) == sizeof(buf) && !extant_fsync(s->rig.x, fd),
		       "append", i, 0);
		all += rig_flushes(&s->rig) - before;
		most = max(most, rig_flushes(&s->rig) - before);
	}
	(void)extant_close(s->rig.x, fd);
	expect(s, most <= 2, "flushes of an append with fsync", (long long)most, 2);
	printf("append: at most %llu flushes each, %llu in 50\n", (unsigned long long)most, (unsigned long long)all);
	return 0;
}

/* ---- group */

struct member {
	struct slow *s;
	int number;
};

static void member(void *arg)
{
	struct member *m = arg;
	struct extant *x = m->s->rig.x;
	char path[32], buf[4096] = "member";
	int fd;

	(void)snprintf(path, sizeof(path), "/member-%d", m->number);
	fd = make(x, path);
	for (int i = 0; i < SYNCS; i++)
		expect(m->s, extant_write(x, fd, buf, sizeof(buf)) == sizeof(buf) && !extant_fsync(x, fd), "fsync", i,
		       m->number);
	(void)extant_close(x, fd);
}

static int group(void *arg)
{
	struct slow *s = arg;
	struct member members[TASKS];
	struct journal_facts before, after;
	struct task *t[TASKS];

	jbd2_journal_facts(s->rig.x->vfs->fs->journal, &before);
	for (int i = 0; i < TASKS; i++) {
		members[i] = (struct member){ s, i };
		if (task_spawn(s->rig.x->sched, "member", member, &members[i], &t[i]))
			abort();
	}
	for (int i = 0; i < TASKS; i++)
		task_join(t[i]);
	jbd2_journal_facts(s->rig.x->vfs->fs->journal, &after);
	expect(s, 2 * (after.commits - before.commits) < TASKS * SYNCS, "commits for that many fsyncs",
	       (long long)(after.commits - before.commits), TASKS * SYNCS);
	printf("group: %llu commits for %d fsyncs of %d tasks\n", (unsigned long long)(after.commits - before.commits),
	       TASKS * SYNCS, TASKS);
	return 0;
}

/* ---- */

static int run(enum extant_mode mode, uint64_t seed, int (*test)(void *arg))
{
	struct slow s = { 0 };
	struct rig_options opt = { .mkfs = "", .size = "64M", .mode = mode, .seed = seed,
				   .mount_options = test == copied ? "noinit_itable,nodelalloc" : "noinit_itable",
				   .write_ns = test == copied ? 20 * NSEC_PER_MSEC : 100000, .flush_ns = FLUSH_NS, .trace = true, .line = hear,
				   .arg = &s.heard };

	rig_init(&s.rig, &opt);
	expect(&s, !rig_mount(&s.rig), "mount", 0, 0);
	if (s.rig.x) {
		expect(&s, !task_call(s.rig.x->sched, "main", test, &s), "task", 0, 0);
		expect(&s, !rig_unmount(&s.rig), "umount", 0, 0);
		expect(&s, !rig_check(&s.rig), "check", 0, 0);
	}
	rig_fini(&s.rig);
	return s.failed;
}

int main(void)
{
	int failed = 0;

	failed |= run(EXTANT_INLINE, 1, overlap);
	failed |= run(EXTANT_INLINE, 1, copied);
	failed |= run(EXTANT_INLINE, 1, append);
	failed |= run(EXTANT_INLINE, 1, group);
	for (uint64_t seed = 1; seed <= 5; seed++) {
		failed |= run(EXTANT_SEEDED, seed, overlap);
		failed |= run(EXTANT_SEEDED, seed, copied);
		failed |= run(EXTANT_SEEDED, seed, group);
	}
	return failed;
}
