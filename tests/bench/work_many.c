/* SPDX-License-Identifier: BSD-2-Clause */
/* Several threads that make files, or write one each. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fsbench.h"

struct maker {
	pthread_t thread;
	const char *root;
	unsigned id;
	int shared, sync;
	uint64_t n, size;
	struct phase part;
	double *lat;
};

static void maker_path(char *p, const struct maker *m, uint64_t i)
{
	if (m->shared)
		snprintf(p, PATHMAX, "/%s/t%u-%06llu", m->root, m->id, (unsigned long long)i);
	else
		snprintf(p, PATHMAX, "/%s/d%u/f%06llu", m->root, m->id, (unsigned long long)i);
}

static void *make_loop(void *arg_)
{
	struct maker *m = arg_;
	struct phase *p = &m->part;
	char path[PATHMAX], *buf = noise(m->size ? m->size : 1);
	void *h;
	for (uint64_t i = 0; i < m->n && more(p); i++) {
		double t = now();
		maker_path(path, m, i);
		if (failed(p, CALL(O->open(FS, path, O_RDWR | O_CREAT | O_EXCL, &h))))
			continue;
		if (m->size) {
			stamp(buf, m->size, (m->id + 1) * 1000003u + i, 0);
			ssize_t w = CALL(O->pwrite(FS, h, buf, m->size, 0));
			if (!failed(p, w))
				p->bad += (size_t)w != m->size;
			p->bytes += m->size;
		}
		if (m->sync)
			failed(p, CALL(O->fsync(FS, h)));
		failed(p, CALL(O->close(FS, h)));
		m->lat[p->ops++] = now() - t;
	}
	p->t_stop = now();
	for (uint64_t i = 0; i < p->ops && m->size; i += 7) {
		maker_path(path, m, i);
		if (failed(p, CALL(O->open(FS, path, O_RDONLY, &h))))
			continue;
		ssize_t r = CALL(O->pread(FS, h, buf, m->size, 0));
		if (!failed(p, r))
			p->bad += (size_t)r != m->size ||
				  check(buf, m->size, (m->id + 1) * 1000003u + i, 0);
		failed(p, CALL(O->close(FS, h)));
	}
	free(buf);
	return NULL;
}

/* What one thread did goes into the phase. */
static void add_part(struct phase *p, const struct phase *q, const double *lat)
{
	memcpy(p->lat + p->nlat, lat, q->ops * sizeof(double));
	p->nlat += q->ops;
	p->ops += q->ops;
	p->bytes += q->bytes;
	p->errors += q->errors;
	p->bad += q->bad;
	p->cut |= q->cut;
	if (p->t_stop < q->t_stop)
		p->t_stop = q->t_stop;
	if (!p->first_error)
		p->first_error = q->first_error;
}

/* Threads that make files, each in a directory of its own or all in one. */
void w_mcreate(const struct spec *s)
{
	enum { MAXT = 64 };
	unsigned nt = (unsigned)arg(s, "threads", 2);
	uint64_t n = arg(s, "n", 20000);
	static struct maker m[MAXT];
	static char root[64];
	char path[PATHMAX];
	if (nt < 1 || nt > MAXT)
		die("mcreate: 1 to %d threads", MAXT);
	snprintf(root, sizeof(root), "%s", arg_str(s, "root", "mt"));
	struct phase p;
	phase_begin(&p, arg_str(s, "as", "mcreate"));
	snprintf(path, PATHMAX, "/%s", root);
	failed(&p, CALL(O->mkdir(FS, path)));
	for (unsigned i = 0; i < nt; i++) {
		memset(&m[i], 0, sizeof(m[i]));
		m[i] = (struct maker){ .root = root,
				       .id = i,
				       .n = n / nt,
				       .shared = (int)arg(s, "shared", 0),
				       .sync = (int)arg(s, "fsync", 0),
				       .size = arg(s, "size", 0) };
		if (!m[i].shared) {
			snprintf(path, PATHMAX, "/%s/d%u", root, i);
			failed(&p, CALL(O->mkdir(FS, path)));
		}
		m[i].lat = xalloc((n / nt + 1) * sizeof(double));
	}
	struct phase q0 = p;
	phase_begin(&p, arg_str(s, "as", "mcreate"));
	p.errors = q0.errors;
	p.first_error = q0.first_error;
	for (unsigned i = 0; i < nt; i++) {
		m[i].part.t_end = p.t_end;
		if (pthread_create(&m[i].thread, NULL, make_loop, &m[i]))
			die("pthread_create");
	}
	for (unsigned i = 0; i < nt; i++)
		pthread_join(m[i].thread, NULL);
	p.lat = xalloc((n + 1) * sizeof(double));
	for (unsigned i = 0; i < nt; i++) {
		add_part(&p, &m[i].part, m[i].lat);
		free(m[i].lat);
	}
	phase_end(&p);
}

/* ---- writers */

struct writer {
	pthread_t thread;
	const char *root;
	unsigned id;
	uint64_t n, bs, per_file;
	struct phase part;
	double *lat;
};

/* Files of per_file pieces, one after the other, each removed before the next: they stay in memory. */
static void *write_loop(void *arg_)
{
	struct writer *w = arg_;
	struct phase *p = &w->part;
	char path[PATHMAX], *buf = noise(w->bs);
	void *h = NULL;
	snprintf(path, PATHMAX, "/%s/d%u/file", w->root, w->id);
	for (uint64_t i = 0; i < w->n && more(p); i++) {
		double t = now();
		uint64_t at = i % w->per_file * w->bs;
		if (!at) {
			if (h) {
				failed(p, CALL(O->close(FS, h)));
				failed(p, CALL(O->unlink(FS, path)));
			}
			if (failed(p, CALL(O->open(FS, path, O_RDWR | O_CREAT | O_EXCL, &h))))
				break;
		}
		stamp(buf, w->bs, w->id, at);
		ssize_t n = CALL(O->pwrite(FS, h, buf, w->bs, at));
		if (!failed(p, n))
			p->bad += (size_t)n != w->bs;
		p->bytes += w->bs;
		w->lat[p->ops++] = now() - t;
	}
	p->t_stop = now();
	for (uint64_t i = 0; h && p->ops && i <= (p->ops - 1) % w->per_file; i++) {
		ssize_t n = CALL(O->pread(FS, h, buf, w->bs, i * w->bs));
		if (!failed(p, n))
			p->bad += (size_t)n != w->bs || check(buf, w->bs, w->id, i * w->bs);
	}
	if (h)
		failed(p, CALL(O->close(FS, h)));
	free(buf);
	return NULL;
}

/*
 * Threads that write new blocks, each in a directory, and so a group, of its own. Mounted with
 * nodelalloc each write allocates its blocks at once, in its own thread.
 */
void w_mwrite(const struct spec *s)
{
	enum { MAXT = 16 };
	unsigned nt = (unsigned)arg(s, "threads", 2);
	uint64_t bs = arg(s, "bs", 16384), n = (arg(s, "mb", 512) << 20) / bs / nt;
	static struct writer w[MAXT];
	static char root[64];
	char path[PATHMAX];
	struct phase p = { 0 };
	if (nt < 1 || nt > MAXT)
		die("mwrite: 1 to %d threads", MAXT);
	snprintf(root, sizeof(root), "%s", arg_str(s, "root", "mw"));
	snprintf(path, PATHMAX, "/%s", root);
	failed(&p, CALL(O->mkdir(FS, path)));
	for (unsigned i = 0; i < nt; i++) {
		w[i] = (struct writer){ .root = root, .id = i, .n = n, .bs = bs,
					.per_file = (arg(s, "file_mb", 8) << 20) / bs };
		snprintf(path, PATHMAX, "/%s/d%u", root, i);
		failed(&p, CALL(O->mkdir(FS, path)));
		w[i].lat = xalloc((n + 1) * sizeof(double));
	}
	struct phase q0 = p;
	phase_begin(&p, arg_str(s, "as", "mwrite"));
	p.errors = q0.errors;
	p.first_error = q0.first_error;
	for (unsigned i = 0; i < nt; i++) {
		w[i].part.t_end = p.t_end;
		if (pthread_create(&w[i].thread, NULL, write_loop, &w[i]))
			die("pthread_create");
	}
	for (unsigned i = 0; i < nt; i++)
		pthread_join(w[i].thread, NULL);
	p.lat = xalloc((n * nt + 1) * sizeof(double));
	for (unsigned i = 0; i < nt; i++) {
		add_part(&p, &w[i].part, w[i].lat);
		free(w[i].lat);
	}
	phase_end(&p);
}
