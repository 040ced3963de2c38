/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seeds: four tasks write, sync and fill a small disk, with a cache of 8 MiB, once for each seed; the scheduler and
 * the work are drawn from it. Each run ends without a deadlock (the scheduler finds one, and stops the process), keeps
 * what was written and leaves a clean image; every few seeds the run is repeated, and must be the same bit for
 * bit: the image, the trace, who ran when.
 *
 *	seeds [--seeds N] [--from S] [--tasks N] [--operations N] [--repeat EVERY] [--inline] [-o MOUNTOPTS]
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "rig.h"
#include "work.h"

#define TASKS_MAX 16

struct result {
	uint64_t image, trace, switches, operations, full;
	int failed;
};

struct seeds {
	struct rig rig;
	struct worker *workers;
	int tasks;
	uint64_t operations;
	struct work w;
};

static void run(void *arg)
{
	worker_run(arg);
}

static int run_tasks(void *arg)
{
	struct seeds *s = arg;
	struct task *t[TASKS_MAX];

	for (int i = 0; i < s->tasks; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "worker-%d", i);
		if (task_spawn(s->rig.x->sched, name, run, &s->workers[i], &t[i]))
			abort();
	}
	for (int i = 0; i < s->tasks; i++)
		task_join(t[i]);
	for (int i = 0; i < s->tasks; i++)
		worker_verify(&s->workers[i]);
	return 0;
}

#define LEFT_BYTES 500000u

/* All but a little of the disk is taken, so that the tasks soon find it full. */
static int fill_disk(struct extant *x)
{
	static uint8_t zeros[1 << 16];
	struct extant_statfs st;
	int64_t at = 0, n = 0;
	int fd = extant_open(x, "/filler", O_CREAT | O_WRONLY, 0600), err = fd < 0 ? fd : 0;

	while (!err) {
		err = extant_statfs(x, "/", &st);
		if (err || st.free * st.block_size < LEFT_BYTES)
			break;
		n = extant_pwrite(x, fd, zeros, sizeof(zeros), at);
		err = n < 0 ? (int)n : 0;
		at += n;
	}
	if (!err)
		err = extant_fsync(x, fd);
	return fd < 0 || extant_close(x, fd) ? -EIO : err;
}

static struct result run_seed(struct seeds *s, uint64_t seed)
{
	struct result res = { 0 };
	struct sched_stats stats;

	rig_reset(&s->rig, seed);
	s->w = (struct work){ 0 };
	if (rig_mount(&s->rig))
		return (struct result){ .failed = 1 };
	s->w.x = s->rig.x;
	res.failed |= work_prepare(s->rig.x) != 0;
	for (int i = 0; i < s->tasks; i++)
		worker_init(&s->workers[i], &s->w, (uint32_t)i, seed, s->operations, 20);
	res.failed |= fill_disk(s->rig.x) != 0;
	res.failed |= task_call(s->rig.x->sched, "main", run_tasks, s) != 0;
	sched_get_stats(s->rig.x->sched, &stats);
	res.switches = stats.switch_hash;
	res.failed |= rig_unmount(&s->rig) != 0;
	res.failed |= rig_check(&s->rig) != 0 || s->rig.complaints || atomic_load(&s->w.failures);
	res.image = rig_image_hash(&s->rig);
	res.trace = s->rig.trace_hash;
	res.operations = atomic_load(&s->w.operations);
	res.full = atomic_load(&s->w.full);
	return res;
}

static int compare(uint64_t seed, const struct result *a, const struct result *b)
{
	int differ = 0;

	if (a->switches != b->switches)
		differ = fprintf(stderr, "seed %llu: other switches\n", (unsigned long long)seed);
	if (a->trace != b->trace)
		differ = fprintf(stderr, "seed %llu: another trace\n", (unsigned long long)seed);
	if (a->image != b->image)
		differ = fprintf(stderr, "seed %llu: another image\n", (unsigned long long)seed);
	return differ != 0;
}

static int run_seeds(struct seeds *s, uint64_t from, uint64_t count, uint64_t repeat)
{
	uint64_t operations = 0, full = 0, repeated = 0, failed = 0;

	for (uint64_t seed = from; seed < from + count; seed++) {
		struct result a, b;
		int bad;

		/* A deadlock ends the process; this says where. */
		fprintf(stderr, "\rseed %llu ", (unsigned long long)seed);
		a = run_seed(s, seed);
		bad = a.failed;
		if (repeat && seed % repeat == 0) {
			b = run_seed(s, seed);
			bad |= compare(seed, &a, &b);
			repeated++;
		}
		if (bad)
			fprintf(stderr, "FAILED: repeat with --from %llu --seeds 1 --repeat 1\n",
				(unsigned long long)seed);
		failed += bad != 0;
		operations += a.operations;
		full += a.full;
	}
	fprintf(stderr, "\r");
	printf("%llu seeds, %llu repeated, %llu operations, %llu of them found the disk full, %llu failed\n",
	       (unsigned long long)count, (unsigned long long)repeated, (unsigned long long)operations,
	       (unsigned long long)full, (unsigned long long)failed);
	if (!full)
		fprintf(stderr, "the disk was never full\n");
	return failed || !full;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "seeds", 1, NULL, 'n' }, { "from", 1, NULL, 'f' },
		{ "tasks", 1, NULL, 't' }, { "operations", 1, NULL, 'p' }, { "repeat", 1, NULL, 'r' },
		{ "inline", 0, NULL, 'i' }, { 0 } };
	struct rig_options opt = { .mkfs = "-b 4096 -J size=4 -N 128", .size = "9M", .mode = EXTANT_SEEDED,
				   .mount_options = "cache_mb=8", .trace = true, .write_ns = 20000,
				   .flush_ns = 2 * NSEC_PER_MSEC };
	uint64_t seeds = 100, from = 1, repeat = 10;
	struct seeds s = { .tasks = 4, .operations = 60 };
	int c, status;

	while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		switch (c) {
		case 'n': seeds = strtoull(optarg, NULL, 0); break;
		case 'f': from = strtoull(optarg, NULL, 0); break;
		case 't': s.tasks = atoi(optarg); break;
		case 'p': s.operations = strtoull(optarg, NULL, 0); break;
		case 'r': repeat = strtoull(optarg, NULL, 0); break;
		case 'i': opt.mode = EXTANT_INLINE; break;
		case 'o': opt.mount_options = optarg; break;
		default: return 2;
		}
	}
	s.workers = workers_alloc(TASKS_MAX);
	if (!s.workers || s.tasks < 1 || s.tasks > TASKS_MAX)
		return 2;
	rig_init(&s.rig, &opt);
	status = run_seeds(&s, from, seeds, repeat);
	rig_fini(&s.rig);
	free(s.workers);
	return status;
}
