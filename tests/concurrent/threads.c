/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threads: eight threads create, write, read, sync, stat, list, truncate and unlink in directories of their own and
 * in a common one, for some seconds; then what each knows of its files is compared, the file system is mounted
 * again and compared again, and both checks judge the image. Built with the thread sanitizer it shows that nothing
 * races, with the address sanitizer that nothing is used after its end.
 *
 *	threads [--seconds N] [--threads N] [--seed S] [--size 64M] [--mkfs OPTS] [-o MOUNTOPTS]
 */
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "rig.h"
#include "work.h"

#define THREADS_MAX 64

static void *run(void *arg)
{
	worker_run(arg);
	return NULL;
}

static void run_all(struct work *w, struct worker *workers, int threads, int seconds)
{
	pthread_t t[THREADS_MAX];

	for (int i = 0; i < threads; i++)
		if (pthread_create(&t[i], NULL, run, &workers[i]))
			abort();
	for (int ms = 0; ms < seconds * 1000 && !atomic_load(&w->stop); ms += 50)
		(void)nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	atomic_store(&w->stop, true);
	for (int i = 0; i < threads; i++)
		(void)pthread_join(t[i], NULL);
}

static int expect(const char *what, int result)
{
	if (result)
		fprintf(stderr, "%s: %d\n", what, result);
	return result != 0;
}

static int test(struct rig *r, struct worker *workers, int threads, int seconds, uint64_t seed)
{
	struct work w = { 0 };
	int failed = expect("mount", rig_mount(r));

	if (failed)
		return failed;
	w.x = r->x;
	failed |= expect("mkdir", work_prepare(r->x));
	for (int i = 0; i < threads; i++)
		worker_init(&workers[i], &w, (uint32_t)i, seed, UINT64_MAX, 15);
	run_all(&w, workers, threads, seconds);
	for (int i = 0; i < threads; i++)
		worker_verify(&workers[i]);
	failed |= expect("umount", rig_unmount(r));
	failed |= expect("check", rig_check(r));
	failed |= expect("e2fsck", rig_e2fsck(r));
	failed |= expect("second mount", rig_mount(r));
	if (r->x) {
		w.x = r->x;
		for (int i = 0; i < threads; i++)
			worker_verify(&workers[i]);
		failed |= expect("second umount", rig_unmount(r));
	}
	printf("%llu operations of %d threads, %llu of them found the disk full, %d failures, %d complaints\n",
	       atomic_load(&w.operations), threads, atomic_load(&w.full), atomic_load(&w.failures), r->complaints);
	return failed || atomic_load(&w.failures) || r->complaints;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "seconds", 1, NULL, 's' }, { "threads", 1, NULL, 't' },
		{ "seed", 1, NULL, 'S' }, { "size", 1, NULL, 'z' }, { "mkfs", 1, NULL, 'm' }, { 0 } };
	struct rig_options opt = { .mkfs = "", .size = "64M", .mode = EXTANT_THREADED, .mount_options = "" };
	int seconds = 5, threads = 8, c, status;
	struct worker *workers;
	uint64_t seed = 1;
	struct rig r;

	while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		switch (c) {
		case 's': seconds = atoi(optarg); break;
		case 't': threads = atoi(optarg); break;
		case 'S': seed = strtoull(optarg, NULL, 0); break;
		case 'z': opt.size = optarg; break;
		case 'm': opt.mkfs = optarg; break;
		case 'o': opt.mount_options = optarg; break;
		default: return 2;
		}
	}
	workers = workers_alloc(THREADS_MAX);
	if (!workers || threads < 1 || threads > THREADS_MAX)
		return 2;
	rig_init(&r, &opt);
	status = test(&r, workers, threads, seconds, seed);
	rig_fini(&r);
	free(workers);
	return status;
}
