/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fsbench - file system workloads through one small table of functions (fsb.h).
 *
 * usage: fsbench [-o OPTS] [-t SECONDS] [-p SERVER_PID] TARGET SPEC...
 *
 * TARGET is a mounted directory (plain binary) or an image (a library's binary).
 * Each SPEC is NAME[:key=value,...]; they run in order on one mount.
 * One tab-separated line per phase goes to stdout; see README.md.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "fsbench.h"

/* ------------------------------------------------------------------ basics */

const struct fsb_ops *O;
void *FS;
pthread_mutex_t big = PTHREAD_MUTEX_INITIALIZER;
static double limit_s;	/* 0: none */
static int server_pid;

uint64_t last_n, last_per, last_tree, last_frag;

void die(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs("fsbench: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(2);
}

void *xalloc(size_t n)
{
	void *p = aligned_alloc(BLK, (n + BLK - 1) / BLK * BLK);
	if (!p)
		die("out of memory");
	memset(p, 0, n);
	return p;
}

double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

uint64_t mix(uint64_t x)		/* splitmix64's finaliser */
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

uint64_t rnd(struct rng *r)
{
	return mix(r->s++);
}

double rnd01(struct rng *r)
{
	return ((double)(rnd(r) >> 11) + 0.5) / 9007199254740992.0;
}

/* ------------------------------------------------------------------ phases */

/* CPU seconds of the server process, all threads; 10 ms resolution. */
static double server_cpu(void)
{
	if (!server_pid)
		return 0;
	char path[64], buf[1024];
	snprintf(path, sizeof(path), "/proc/%d/stat", server_pid);
	FILE *f = fopen(path, "r");
	if (!f)
		return 0;
	size_t n = fread(buf, 1, sizeof(buf) - 1, f);
	fclose(f);
	buf[n] = 0;
	char *p = strrchr(buf, ')');
	unsigned long ut = 0, st = 0;
	if (!p || sscanf(p + 1,
			 " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
			 "%lu %lu",
			 &ut, &st) != 2)
		return 0;
	return (double)(ut + st) / (double)sysconf(_SC_CLK_TCK);
}

/* Busy CPU seconds of the whole machine: the only view of kernel threads. */
static double machine_busy(void)
{
	FILE *f = fopen("/proc/stat", "r");
	if (!f)
		return 0;
	unsigned long u = 0, n = 0, s = 0, i = 0, w = 0, q = 0, sq = 0;
	int k = fscanf(f, "cpu %lu %lu %lu %lu %lu %lu %lu", &u, &n, &s, &i, &w, &q, &sq);
	fclose(f);
	if (k != 7)
		return 0;
	return (double)(u + n + s + q + sq) / (double)sysconf(_SC_CLK_TCK);
}

static void cpu_self(double *user, double *sys)
{
	struct rusage r;
	getrusage(RUSAGE_SELF, &r);
	*user = (double)r.ru_utime.tv_sec + (double)r.ru_utime.tv_usec * 1e-6;
	*sys = (double)r.ru_stime.tv_sec + (double)r.ru_stime.tv_usec * 1e-6;
}

void phase_begin(struct phase *p, const char *name)
{
	memset(p, 0, sizeof(*p));
	p->name = name;
	p->server0 = server_cpu();
	p->busy0 = machine_busy();
	cpu_self(&p->user0, &p->sys0);
	p->t0 = now();
	p->t_end = limit_s > 0 ? p->t0 + limit_s : INFINITY;
}

int more(struct phase *p)
{
	if (p->errors >= ERRMAX)
		return 0;
	if (isfinite(p->t_end) && now() > p->t_end) {
		p->cut = 1;
		return 0;
	}
	return 1;
}

int failed(struct phase *p, long r)
{
	if (r >= 0)
		return 0;
	if (!p->errors++)
		p->first_error = (int)-r;
	return 1;
}

static int cmp_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

void phase_end(struct phase *p)
{
	double t = (p->t_stop > 0 ? p->t_stop : now()) - p->t0, user, sys;
	double server = server_cpu() - p->server0;
	double busy = machine_busy() - p->busy0;
	cpu_self(&user, &sys);
	double p50 = 0, p99 = 0, max = 0;
	if (p->lat && p->nlat) {
		qsort(p->lat, p->nlat, sizeof(double), cmp_double);
		p50 = p->lat[p->nlat / 2];
		p99 = p->lat[p->nlat * 99 / 100];
		max = p->lat[p->nlat - 1];
	}
	free(p->lat);
	printf("R\t%s\t%llu\t%llu\t%.6f\t%.3f\t%.3f\t%.2f\t%.2f\t%.1f\t%.1f\t"
	       "%.1f\t%llu\t%llu\t%d\t%s\n",
	       p->name, (unsigned long long)p->ops, (unsigned long long)p->bytes, t,
	       user - p->user0, sys - p->sys0, server, busy, p50 * 1e6, p99 * 1e6, max * 1e6,
	       (unsigned long long)p->errors, (unsigned long long)p->bad, p->cut,
	       p->first_error ? strerrorname_np(p->first_error) : "-");
	fflush(stdout);
}

void unsupported(const char *name)
{
	struct phase p;
	phase_begin(&p, name);
	failed(&p, -EOPNOTSUPP);
	phase_end(&p);
}

/* ---------------------------------------------------------------- contents */

static uint64_t stamp_of(uint64_t file, uint64_t block)
{
	return mix(file * 0x100000001b3u ^ mix(block));
}

void stamp(char *buf, size_t len, uint64_t file, uint64_t off)
{
	for (size_t o = 0; o + 8 <= len; o += BLK) {
		uint64_t v = stamp_of(file, (off + o) / BLK);
		memcpy(buf + o, &v, 8);
	}
}

uint64_t check(const char *buf, size_t len, uint64_t file, uint64_t off)
{
	uint64_t bad = 0;
	for (size_t o = 0; o + 8 <= len; o += BLK) {
		uint64_t v;
		memcpy(&v, buf + o, 8);
		bad += v != stamp_of(file, (off + o) / BLK);
	}
	return bad;
}

char *noise(size_t len)
{
	char *b = xalloc(len);
	for (size_t i = 0; i + 8 <= len; i += 8) {
		uint64_t v = mix(i);
		memcpy(b + i, &v, 8);
	}
	return b;
}

/* -------------------------------------------------------------- parameters */

const char *arg_str(const struct spec *s, const char *key, const char *def)
{
	static _Thread_local char val[4][64];
	static _Thread_local int slot;
	size_t kl = strlen(key);
	for (const char *p = s->buf; p && *p; p = strchr(p, ','), p += !!p)
		if (!strncmp(p, key, kl) && p[kl] == '=') {
			char *v = val[slot++ & 3];
			size_t n = strcspn(p + kl + 1, ",");
			snprintf(v, 64, "%.*s", (int)n, p + kl + 1);
			return v;
		}
	return def;
}

uint64_t arg(const struct spec *s, const char *key, uint64_t def)
{
	const char *v = arg_str(s, key, NULL);
	return v ? strtoull(v, NULL, 0) : def;
}

/* --------------------------------------------------------------------- main */

static const struct {
	const char *name, *help;
	void (*run)(const struct spec *);
} workloads[] = {
	{ "create", "root=set n=50000 dirs=1 size=0: new files", w_create },
	{ "stat", "root n dirs size: stat each", w_stat },
	{ "readfiles", "root n dirs size: open, read, close each", w_readfiles },
	{ "readdir", "root n dirs: list the directories", w_readdir },
	{ "unlink", "root n dirs: unlink each", w_unlink },
	{ "lookup", "root n count=100000 hit=1|0: stat random names", w_lookup },
	{ "sync", "make everything durable", w_sync },
	{ "seqwrite", "file=big mb=1024 bs=131072, fsync included", w_seqwrite },
	{ "seqread", "file=big mb=1024 bs=131072", w_seqread },
	{ "randwrite", "file=big mb=1024 bs=4096 ops=100000, fsync included", w_randwrite },
	{ "randread", "file=big mb=1024 bs=4096 ops=100000", w_randread },
	{ "append", "n=2000 threads=1 bs=4096: pwrite+fsync, file per thread", w_append },
	{ "replace", "n=1000 size=4096: create+write+fsync+rename over", w_replace },
	{ "overwrite", "n=2000 mb=64: random 4 KiB of a written file, fsync each", w_overwrite },
	{ "mcreate", "root threads=2 n=20000 size=0 fsync=0 shared=0: new files", w_mcreate },
	{ "mwrite", "root threads=2 mb=512 bs=16384 file_mb=8: new blocks, each thread in its group", w_mwrite },
	{ "tree", "n=20000 dirs=600 seed=3: mixed sizes, nested", w_tree },
	{ "walk", "n dirs seed (of tree): readdir+stat+read all", w_walk },
	{ "frag", "mb=400: every other block, fsync included", w_frag },
	{ "fragmap", "list the extents of that file", w_fragmap },
	{ "fragread", "mb=400: read it all, holes too", w_fragread },
};

enum { NWORK = sizeof(workloads) / sizeof(workloads[0]) };

static void usage(void)
{
	fprintf(stderr, "usage: fsbench [-o OPTS] [-t SECONDS] [-p SERVER_PID] "
			"TARGET SPEC...\n");
	for (int i = 0; i < NWORK; i++)
		fprintf(stderr, "  %-10s %s\n", workloads[i].name, workloads[i].help);
	exit(2);
}

static int find(const char *name)
{
	for (int i = 0; i < NWORK; i++)
		if (!strcmp(name, workloads[i].name))
			return i;
	die("no workload '%s'", name);
	return -1;
}

int main(int argc, char **argv)
{
	const char *opts = "";
	int c;
	while ((c = getopt(argc, argv, "+o:t:p:h")) != -1)
		switch (c) {
		case 'o':
			opts = optarg;
			break;
		case 't':
			limit_s = atof(optarg);
			break;
		case 'p':
			server_pid = atoi(optarg);
			break;
		default:
			usage();
		}
	if (argc - optind < 2)
		usage();

	O = fsb_default_ops;
	struct phase p;
	phase_begin(&p, "mount");
	int r = O->mount(argv[optind], opts, &FS);
	if (r)
		die("mount %s: %s", argv[optind], strerror(-r));
	p.ops = 1;
	phase_end(&p);

	for (int i = optind + 1; i < argc; i++) {
		struct spec s;
		char name[32];
		size_t n = strcspn(argv[i], ":");
		snprintf(name, sizeof(name), "%.*s", (int)n, argv[i]);
		snprintf(s.buf, sizeof(s.buf), "%s", argv[i][n] ? argv[i] + n + 1 : "");
		s.name = name;
		workloads[find(name)].run(&s);
	}

	phase_begin(&p, "umount");
	failed(&p, O->umount(FS));
	p.ops = 1;
	phase_end(&p);
	return 0;
}
