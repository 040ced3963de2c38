/* SPDX-License-Identifier: BSD-2-Clause */
/* A set of files in directories: created, asked for, read, listed, looked up and removed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fsbench.h"

struct fileset {
	const char *root;
	uint64_t n, dirs, size;
};

static struct fileset fileset_of(const struct spec *s)
{
	static char root[64];
	snprintf(root, sizeof(root), "%s", arg_str(s, "root", "set"));
	struct fileset f = { root, arg(s, "n", last_n ? last_n : 50000), arg(s, "dirs", 1),
			     arg(s, "size", 0) };
	return f;
}

/* Directories are filled one after the other, as an archiver would. With a set
 * cut short n differs between create and use, so the split uses "per". */
static uint64_t per_dir(const struct spec *s, const struct fileset *f)
{
	uint64_t per = arg(s, "per", 0);
	return per ? per : (f->n + f->dirs - 1) / f->dirs;
}

static void file_path(char *p, const struct fileset *f, uint64_t per, uint64_t i)
{
	if (f->dirs > 1)
		snprintf(p, PATHMAX, "/%s/d%03llu/f%07llu", f->root, (unsigned long long)(i / per),
			 (unsigned long long)i);
	else
		snprintf(p, PATHMAX, "/%s/f%07llu", f->root, (unsigned long long)i);
}

void w_create(const struct spec *s)
{
	struct fileset f = fileset_of(s);
	uint64_t per = per_dir(s, &f), made = 0;
	char path[PATHMAX], *buf = noise(f.size ? f.size : 1);
	struct phase p;
	phase_begin(&p, arg_str(s, "as", f.size ? "create_write" : "create"));
	snprintf(path, PATHMAX, "/%s", f.root);
	failed(&p, CALL(O->mkdir(FS, path)));
	for (uint64_t i = 0; i < f.n && more(&p); i++) {
		if (f.dirs > 1 && i % per == 0) {
			snprintf(path, PATHMAX, "/%s/d%03llu", f.root,
				 (unsigned long long)(i / per));
			failed(&p, CALL(O->mkdir(FS, path)));
		}
		file_path(path, &f, per, i);
		void *h;
		if (failed(&p, CALL(O->open(FS, path, O_RDWR | O_CREAT | O_EXCL, &h))))
			continue;
		if (f.size) {
			stamp(buf, f.size, i, 0);
			ssize_t w = CALL(O->pwrite(FS, h, buf, f.size, 0));
			if (!failed(&p, w))
				p.bad += (size_t)w != f.size;
			p.bytes += f.size;
		}
		failed(&p, CALL(O->close(FS, h)));
		p.ops++;
		made = i + 1;
	}
	phase_end(&p);
	free(buf);
	last_n = made;
	last_per = per;
}

void w_sync(const struct spec *s)
{
	struct phase p;
	phase_begin(&p, arg_str(s, "as", "sync"));
	failed(&p, CALL(O->sync(FS)));
	p.ops = 1;
	phase_end(&p);
}

static uint64_t use_per(const struct spec *s, const struct fileset *f)
{
	return last_per ? last_per : per_dir(s, f);
}

void w_stat(const struct spec *s)
{
	struct fileset f = fileset_of(s);
	uint64_t per = use_per(s, &f);
	char path[PATHMAX];
	struct phase p;
	phase_begin(&p, arg_str(s, "as", "stat"));
	for (uint64_t i = 0; i < f.n && more(&p); i++) {
		struct fsb_stat st;
		file_path(path, &f, per, i);
		if (!failed(&p, CALL(O->stat(FS, path, &st))))
			p.bad += st.size != f.size || !S_ISREG(st.mode);
		p.ops++;
	}
	phase_end(&p);
}

void w_readfiles(const struct spec *s)
{
	struct fileset f = fileset_of(s);
	uint64_t per = use_per(s, &f);
	char path[PATHMAX], *buf = xalloc(IOMAX);
	struct phase p;
	phase_begin(&p, arg_str(s, "as", "readfiles"));
	for (uint64_t i = 0; i < f.n && more(&p); i++) {
		void *h;
		file_path(path, &f, per, i);
		if (failed(&p, CALL(O->open(FS, path, O_RDONLY, &h))))
			continue;
		ssize_t r = CALL(O->pread(FS, h, buf, IOMAX, 0));
		if (!failed(&p, r)) {
			p.bad += (size_t)r != f.size || check(buf, (size_t)r, i, 0);
			p.bytes += (size_t)r;
		}
		failed(&p, CALL(O->close(FS, h)));
		p.ops++;
	}
	phase_end(&p);
	free(buf);
}

static int count_entry(void *a, const char *name, size_t len, int is_dir)
{
	(void)name;
	(void)len;
	(void)is_dir;
	++*(uint64_t *)a;
	return 0;
}

void w_readdir(const struct spec *s)
{
	struct fileset f = fileset_of(s);
	uint64_t per = use_per(s, &f), seen = 0;
	char path[PATHMAX];
	struct phase p;
	phase_begin(&p, arg_str(s, "as", "readdir"));
	for (uint64_t d = 0; d * per < f.n && more(&p); d++) {
		if (f.dirs > 1)
			snprintf(path, PATHMAX, "/%s/d%03llu", f.root, (unsigned long long)d);
		else
			snprintf(path, PATHMAX, "/%s", f.root);
		failed(&p, CALL(O->readdir(FS, path, count_entry, &seen)));
	}
	p.ops = seen;
	if (!p.cut)
		p.bad = seen > f.n ? seen - f.n : f.n - seen;
	phase_end(&p);
}

void w_unlink(const struct spec *s)
{
	struct fileset f = fileset_of(s);
	uint64_t per = use_per(s, &f);
	char path[PATHMAX];
	struct phase p;
	phase_begin(&p, arg_str(s, "as", "unlink"));
	for (uint64_t i = 0; i < f.n && more(&p); i++) {
		file_path(path, &f, per, i);
		failed(&p, CALL(O->unlink(FS, path)));
		p.ops++;
	}
	phase_end(&p);
}

/* Random names in one directory: present ones, or absent ones. */
void w_lookup(const struct spec *s)
{
	struct fileset f = fileset_of(s);
	uint64_t per = use_per(s, &f), count = arg(s, "count", 100000);
	int hit = (int)arg(s, "hit", 1);
	struct rng r = { arg(s, "seed", 1) << 32 };
	char path[PATHMAX];
	struct phase p;
	phase_begin(&p, arg_str(s, "as", hit ? "lookup_hit" : "lookup_miss"));
	for (uint64_t i = 0; i < count && more(&p); i++) {
		struct fsb_stat st;
		uint64_t k = rnd(&r) % f.n;
		if (hit) {
			file_path(path, &f, per, k);
			failed(&p, CALL(O->stat(FS, path, &st)));
		} else {
			snprintf(path, PATHMAX, "/%s/x%07llu", f.root, (unsigned long long)k);
			int e = CALL(O->stat(FS, path, &st));
			if (e == 0)
				p.bad++;
			else if (e != -ENOENT)
				failed(&p, e);
		}
		p.ops++;
	}
	phase_end(&p);
}
