/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the workloads of fsbench share: the file system under test, the phase that counts and times,
 * contents that can be checked, and the parameters of a workload.
 */
#ifndef FSBENCH_H
#define FSBENCH_H

#include <pthread.h>
#include <stdint.h>

#include "fsb.h"

enum { BLK = 4096, IOMAX = 1 << 20, PATHMAX = 512, ERRMAX = 100 };

extern const struct fsb_ops *O;
extern void *FS;
extern pthread_mutex_t big;

/* What the last create, tree and frag really made (a limit may cut them). */
extern uint64_t last_n, last_per, last_tree, last_frag;

/* Calls into the backend, serialised when it asks for that. */
#define CALL(expr) \
	__extension__({ \
		if (!O->thread_safe) \
			pthread_mutex_lock(&big); \
		__typeof__(expr) r_ = (expr); \
		if (!O->thread_safe) \
			pthread_mutex_unlock(&big); \
		r_; \
	})

__attribute__((noreturn, format(printf, 1, 2))) void die(const char *fmt, ...);
void *xalloc(size_t n);
double now(void);

struct rng {
	uint64_t s;
};
uint64_t mix(uint64_t x);
uint64_t rnd(struct rng *r);
double rnd01(struct rng *r);

struct phase {
	const char *name;
	uint64_t ops, bytes;
	uint64_t errors, bad;	/* failed calls; wrong answers or contents */
	int first_error, cut;
	double t0, t_end, t_stop, user0, sys0, server0, busy0;
	double *lat;		/* seconds per op, or NULL */
	uint64_t nlat;
};

void phase_begin(struct phase *p, const char *name);
void phase_end(struct phase *p);
/* To be asked before each operation: is there time (and patience) left? */
int more(struct phase *p);
/* Counts a failed call; returns non-zero when r is an error. */
int failed(struct phase *p, long r);
void unsupported(const char *name);

/*
 * Each 4 KiB block of a file starts with 8 bytes that depend on the file and
 * the block, so lost, stale or misplaced blocks show.  The rest of the buffer
 * is noise made once.
 */
void stamp(char *buf, size_t len, uint64_t file, uint64_t off);
uint64_t check(const char *buf, size_t len, uint64_t file, uint64_t off);
char *noise(size_t len);

struct spec {
	const char *name;
	char buf[256];
};
const char *arg_str(const struct spec *s, const char *key, const char *def);
uint64_t arg(const struct spec *s, const char *key, uint64_t def);

/* The workloads; the table of names is in fsbench.c. */
void w_create(const struct spec *s);
void w_stat(const struct spec *s);
void w_readfiles(const struct spec *s);
void w_readdir(const struct spec *s);
void w_unlink(const struct spec *s);
void w_lookup(const struct spec *s);
void w_sync(const struct spec *s);
void w_seqwrite(const struct spec *s);
void w_seqread(const struct spec *s);
void w_randwrite(const struct spec *s);
void w_randread(const struct spec *s);
void w_append(const struct spec *s);
void w_replace(const struct spec *s);
void w_overwrite(const struct spec *s);
void w_mcreate(const struct spec *s);
void w_mwrite(const struct spec *s);
void w_tree(const struct spec *s);
void w_walk(const struct spec *s);
void w_frag(const struct spec *s);
void w_fragmap(const struct spec *s);
void w_fragread(const struct spec *s);

#endif
