/* SPDX-License-Identifier: BSD-2-Clause */
/* How long until it is stable: appending, replacing and overwriting with fsync. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fsbench.h"

struct appender {
	pthread_t thread;
	unsigned id;
	uint64_t ops, bs;
	struct phase part;	/* ops, bytes, errors of this thread only */
	double *lat;
};

static void *append_loop(void *arg_)
{
	struct appender *a = arg_;
	struct phase *p = &a->part;
	char path[PATHMAX], *buf = noise(a->bs);
	void *h;
	snprintf(path, PATHMAX, "/log%u", a->id);
	if (failed(p, CALL(O->open(FS, path, O_RDWR | O_CREAT | O_TRUNC, &h))))
		return NULL;
	for (uint64_t i = 0; i < a->ops && more(p); i++) {
		double t = now();
		stamp(buf, a->bs, 100 + a->id, i * a->bs);
		ssize_t w = CALL(O->pwrite(FS, h, buf, a->bs, i * a->bs));
		if (!failed(p, w))
			p->bad += (size_t)w != a->bs;
		failed(p, CALL(O->fsync(FS, h)));
		a->lat[p->ops++] = now() - t;
		p->bytes += a->bs;
	}
	p->t_stop = now();
	/* What was appended must be there. */
	for (uint64_t i = 0; i < p->ops; i++) {
		ssize_t r = CALL(O->pread(FS, h, buf, a->bs, i * a->bs));
		if (!failed(p, r))
			p->bad += (size_t)r != a->bs || check(buf, a->bs, 100 + a->id, i * a->bs);
	}
	failed(p, CALL(O->close(FS, h)));
	free(buf);
	return NULL;
}

void w_append(const struct spec *s)
{
	enum { MAXT = 64 };
	unsigned nt = (unsigned)arg(s, "threads", 1);
	uint64_t n = arg(s, "n", 2000), per = n / nt;
	static struct appender a[MAXT];
	if (nt < 1 || nt > MAXT)
		die("append: 1 to %d threads", MAXT);
	struct phase p;
	phase_begin(&p, arg_str(s, "as", nt > 1 ? "append_mt" : "append"));
	for (unsigned i = 0; i < nt; i++) {
		memset(&a[i], 0, sizeof(a[i]));
		a[i].id = i;
		a[i].ops = per;
		a[i].bs = arg(s, "bs", BLK);
		a[i].part.t_end = p.t_end;
		a[i].lat = xalloc(per * sizeof(double));
		if (pthread_create(&a[i].thread, NULL, append_loop, &a[i]))
			die("pthread_create");
	}
	for (unsigned i = 0; i < nt; i++)
		pthread_join(a[i].thread, NULL);
	p.lat = xalloc(n * sizeof(double));
	for (unsigned i = 0; i < nt; i++) {
		struct phase *q = &a[i].part;
		memcpy(p.lat + p.nlat, a[i].lat, q->ops * sizeof(double));
		p.nlat += q->ops;
		p.ops += q->ops;
		p.bytes += q->bytes;
		p.errors += q->errors;
		p.bad += q->bad;
		p.cut |= q->cut;
		if (p.t_stop < q->t_stop)
			p.t_stop = q->t_stop;
		if (!p.first_error)
			p.first_error = q->first_error;
		free(a[i].lat);
	}
	phase_end(&p);
}

/* Write a new file, fsync it, rename it over the old one. */
void w_replace(const struct spec *s)
{
	uint64_t n = arg(s, "n", 1000), size = arg(s, "size", BLK);
	uint64_t names = arg(s, "names", 16);
	char to[PATHMAX], *buf = noise(size);
	struct phase p;
	phase_begin(&p, arg_str(s, "as", "replace"));
	p.lat = xalloc(n * sizeof(double));
	failed(&p, CALL(O->mkdir(FS, "/rep")));
	for (uint64_t i = 0; i < n && more(&p); i++) {
		double t = now();
		void *h;
		if (failed(&p, CALL(O->open(FS, "/rep/tmp", O_RDWR | O_CREAT | O_TRUNC, &h))))
			continue;
		stamp(buf, size, i, 0);
		ssize_t w = CALL(O->pwrite(FS, h, buf, size, 0));
		if (!failed(&p, w))
			p.bad += (size_t)w != size;
		failed(&p, CALL(O->fsync(FS, h)));
		failed(&p, CALL(O->close(FS, h)));
		snprintf(to, PATHMAX, "/rep/t%llu", (unsigned long long)(i % names));
		failed(&p, CALL(O->rename(FS, "/rep/tmp", to)));
		p.lat[p.nlat++] = now() - t;
		p.bytes += size;
		p.ops++;
	}
	p.t_stop = now();
	/* Every name must hold the last version written to it. */
	for (uint64_t k = 0; k < names && k < p.ops; k++) {
		uint64_t last = (p.ops - 1 - k) / names * names + k;
		void *h;
		snprintf(to, PATHMAX, "/rep/t%llu", (unsigned long long)k);
		if (failed(&p, CALL(O->open(FS, to, O_RDONLY, &h))))
			continue;
		ssize_t r = CALL(O->pread(FS, h, buf, size, 0));
		p.bad += r != (ssize_t)size || check(buf, size, last, 0);
		failed(&p, CALL(O->close(FS, h)));
	}
	phase_end(&p);
	free(buf);
}

/* Random whole blocks of one written file, fsync after each. */
void w_overwrite(const struct spec *s)
{
	uint64_t n = arg(s, "n", 2000), blocks = arg(s, "mb", 64) << 8;
	struct rng r = { arg(s, "seed", 4) << 32 };
	char *buf = noise(BLK);
	uint64_t *version = xalloc(blocks * sizeof(*version));
	void *h;
	struct phase p;
	phase_begin(&p, arg_str(s, "as", "overwrite"));
	if (failed(&p, CALL(O->open(FS, "/over", O_RDWR | O_CREAT, &h))))
		goto out;
	for (uint64_t b = 0; b < blocks; b++) {	/* before the clock starts */
		stamp(buf, BLK, 1000, b * BLK);
		version[b] = 1000;
		ssize_t w = CALL(O->pwrite(FS, h, buf, BLK, b * BLK));
		if (!failed(&p, w))
			p.bad += w != BLK;
	}
	failed(&p, CALL(O->fsync(FS, h)));
	uint64_t errors = p.errors, bad = p.bad;
	int first = p.first_error;
	phase_begin(&p, arg_str(s, "as", "overwrite"));
	p.errors = errors;
	p.bad = bad;
	p.first_error = first;
	p.lat = xalloc(n * sizeof(double));
	for (uint64_t i = 0; i < n && more(&p); i++) {
		uint64_t b = rnd(&r) % blocks;
		double t = now();
		version[b] = 1001 + i;
		stamp(buf, BLK, 1001 + i, b * BLK);
		/* stamp() counts blocks from the offset, so this is block b */
		ssize_t w = CALL(O->pwrite(FS, h, buf, BLK, b * BLK));
		if (!failed(&p, w))
			p.bad += w != BLK;
		failed(&p, CALL(O->fsync(FS, h)));
		p.lat[p.nlat++] = now() - t;
		p.bytes += BLK;
		p.ops++;
	}
	p.t_stop = now();
	for (uint64_t b = 0; b < blocks && p.errors < ERRMAX; b++) {
		ssize_t w = CALL(O->pread(FS, h, buf, BLK, b * BLK));
		if (!failed(&p, w))
			p.bad += w != BLK || check(buf, BLK, version[b], b * BLK);
	}
	failed(&p, CALL(O->close(FS, h)));
out:
	phase_end(&p);
	free(version);
	free(buf);
}
