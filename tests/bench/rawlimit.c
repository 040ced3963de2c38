/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rawlimit - what memory, system calls and one preallocated file can do here.
 *
 * usage: rawlimit FILE [MB]
 *
 * FILE is created, written in full and synced first, so that no measured write
 * allocates.  Output: one tab-separated line per measure: name, value, unit,
 * p50 us, p99 us, max us.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void die(const char *what)
{
	fprintf(stderr, "rawlimit: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *pages(size_t n)
{
	void *p = aligned_alloc(4096, n);
	if (!p)
		die("memory");
	memset(p, 0x5a, n);
	return p;
}

static uint64_t rs = 88172645463325252u;
static uint64_t rnd(void)
{
	rs ^= rs << 13;
	rs ^= rs >> 7;
	rs ^= rs << 17;
	return rs;
}

static int cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void out(const char *name, double v, const char *unit, double *lat, size_t n)
{
	double a = 0, b = 0, c = 0;
	if (lat && n) {
		qsort(lat, n, sizeof(*lat), cmp);
		a = lat[n / 2];
		b = lat[n * 99 / 100];
		c = lat[n - 1];
	}
	printf("%s\t%.1f\t%s\t%.1f\t%.1f\t%.1f\n", name, v, unit, a * 1e6, b * 1e6, c * 1e6);
	fflush(stdout);
}

static uint64_t size;

static void put(int fd, const void *b, size_t n, uint64_t off)
{
	if (pwrite(fd, b, n, (off_t)off) != (ssize_t)n)
		die("pwrite");
}

static void get(int fd, void *b, size_t n, uint64_t off)
{
	if (pread(fd, b, n, (off_t)off) != (ssize_t)n)
		die("pread");
}

/* count times: pwrite of bs at successive offsets, then fdatasync. */
static void sync_writes(const char *name, const char *path, int flags, size_t bs, int count)
{
	int fd = open(path, O_RDWR | flags);
	if (fd < 0)
		die(path);
	char *b = pages(bs < 4096 ? 4096 : bs);
	double *lat = malloc(sizeof(*lat) * (size_t)count), t0 = now();
	for (int i = 0; i < count; i++) {
		double t = now();
		put(fd, b, bs, (uint64_t)i * bs % size);
		if (!(flags & O_DSYNC) && fdatasync(fd))
			die("fdatasync");
		lat[i] = now() - t;
	}
	double t1 = now();
	out(name, count / (t1 - t0), "ops/s", lat, (size_t)count);
	free(lat);
	free(b);
	close(fd);
}

struct worker {
	pthread_t t;
	const char *path;
	uint64_t base;
	int count;
};

static void *worker_run(void *a)
{
	struct worker *w = a;
	int fd = open(w->path, O_RDWR);
	char *b = pages(4096);
	if (fd < 0)
		die(w->path);
	for (int i = 0; i < w->count; i++) {
		put(fd, b, 4096, w->base + (uint64_t)i * 4096);
		if (fdatasync(fd))
			die("fdatasync");
	}
	free(b);
	close(fd);
	return NULL;
}

static void seq(const char *name, const char *path, int flags, size_t bs, int writing,
		int sync_at_end)
{
	int fd = open(path, O_RDWR | flags);
	if (fd < 0)
		die(path);
	char *b = pages(bs);
	double t0 = now();
	for (uint64_t o = 0; o < size; o += bs) {
		if (writing)
			put(fd, b, bs, o);
		else
			get(fd, b, bs, o);
	}
	if (sync_at_end && fdatasync(fd))
		die("fdatasync");
	double t1 = now();
	out(name, (double)size / (t1 - t0) / 1e6, "MB/s", NULL, 0);
	free(b);
	close(fd);
}

static void randio(const char *name, const char *path, int flags, int writing, int ops)
{
	int fd = open(path, O_RDWR | flags);
	if (fd < 0)
		die(path);
	char *b = pages(4096);
	double t0 = now();
	for (int i = 0; i < ops; i++) {
		uint64_t o = rnd() % (size / 4096) * 4096;
		if (writing)
			put(fd, b, 4096, o);
		else
			get(fd, b, 4096, o);
	}
	if (writing && fdatasync(fd))
		die("fdatasync");
	double t1 = now();
	out(name, ops / (t1 - t0), "ops/s", NULL, 0);
	free(b);
	close(fd);
}

static void drop(const char *path)
{
	int fd = open(path, O_RDWR);
	if (fd < 0 || fdatasync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		die("drop");
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: rawlimit FILE [MB]\n");
		return 2;
	}
	const char *path = argv[1];
	size = (argc > 2 ? strtoull(argv[2], NULL, 0) : 1024) << 20;

	{	/* memory */
		size_t n = 256u << 20;
		char *a = pages(n), *b = pages(n);
		double t = now();
		for (int i = 0; i < 8; i++) {
			memcpy(b, a, n);
			__asm__ volatile("" ::"r"(b) : "memory");
		}
		out("memcpy 256MiB", 8.0 * (double)n / (now() - t) / 1e6, "MB/s", NULL, 0);
		t = now();
		for (int i = 0; i < 2000000; i++) {
			memcpy(b + (i & 63) * 4096, a + (i & 63) * 4096, 4096);
			__asm__ volatile("" ::"r"(b) : "memory");
		}
		out("memcpy 4KiB in cache", 2e6 * 4096 / (now() - t) / 1e6, "MB/s", NULL, 0);
		free(a);
		free(b);
		t = now();
		for (int i = 0; i < 2000000; i++)
			syscall(SYS_getppid);
		out("getppid", 2e6 / (now() - t), "ops/s", NULL, 0);
	}

	int fd = open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		die(path);
	char *b = pages(1 << 20);
	for (uint64_t o = 0; o < size; o += 1 << 20)
		put(fd, b, 1 << 20, o);
	if (fsync(fd))
		die("fsync");
	close(fd);
	free(b);

	sync_writes("pwrite 512B+fdatasync", path, 0, 512, 1000);
	sync_writes("pwrite 4KiB+fdatasync", path, 0, 4096, 2000);
	sync_writes("pwrite 64KiB+fdatasync", path, 0, 65536, 1000);
	sync_writes("O_DIRECT pwrite 4KiB+fdatasync", path, O_DIRECT, 4096, 2000);
	sync_writes("O_DIRECT pwrite 64KiB+fdatasync", path, O_DIRECT, 65536, 1000);
	sync_writes("O_DIRECT|O_DSYNC pwrite 4KiB", path, O_DIRECT | O_DSYNC, 4096, 2000);
	{
		struct worker w[4];
		double t = now();
		for (int i = 0; i < 4; i++) {
			w[i] = (struct worker){ .path = path,
						.count = 500,
						.base = (uint64_t)i * (size / 4) };
			pthread_create(&w[i].t, NULL, worker_run, &w[i]);
		}
		for (int i = 0; i < 4; i++)
			pthread_join(w[i].t, NULL);
		out("4 threads pwrite 4KiB+fdatasync", 2000 / (now() - t), "ops/s", NULL, 0);
	}

	seq("seq pwrite 128KiB cached", path, 0, 131072, 1, 0);
	drop(path);
	seq("seq pwrite 128KiB + fdatasync", path, 0, 131072, 1, 1);
	seq("seq pread 128KiB cached", path, 0, 131072, 0, 0);
	drop(path);
	seq("seq pread 128KiB cold", path, 0, 131072, 0, 0);
	seq("seq pwrite 1MiB O_DIRECT + fdatasync", path, O_DIRECT, 1 << 20, 1, 1);
	seq("seq pread 1MiB O_DIRECT", path, O_DIRECT, 1 << 20, 0, 0);
	seq("seq pread 128KiB warm up", path, 0, 131072, 0, 0);
	randio("rand pread 4KiB cached", path, 0, 0, 200000);
	randio("rand pwrite 4KiB + one fdatasync", path, 0, 1, 100000);
	randio("rand pread 4KiB O_DIRECT", path, O_DIRECT, 0, 10000);
	randio("rand pwrite 4KiB O_DIRECT + fdatasync", path, O_DIRECT, 1, 10000);
	return 0;
}
