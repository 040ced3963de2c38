/* SPDX-License-Identifier: BSD-2-Clause */
/* A nested tree of files of mixed sizes, written and walked. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fsbench.h"

struct tree {
	uint64_t n, dirs, seed;
};

static struct tree tree_of(const struct spec *s)
{
	struct tree t = { arg(s, "n", 20000), arg(s, "dirs", 600), arg(s, "seed", 3) };
	return t;
}

/* Directory k hangs under (k-1)/8: eight wide, four deep for 600. */
static size_t tree_dir(char *p, uint64_t k)
{
	if (!k)
		return (size_t)snprintf(p, PATHMAX, "/tree");
	size_t n = tree_dir(p, (k - 1) / 8);
	return n + (size_t)snprintf(p + n, PATHMAX - n, "/d%llu", (unsigned long long)k);
}

/* Log-normal around 8 KiB, at most 1 MiB. */
static uint64_t tree_size(const struct tree *t, uint64_t i)
{
	struct rng r = { (t->seed << 40) + i * 2 };
	double u = rnd01(&r), v = rnd01(&r);
	double z = sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
	double x = 8192 * exp(1.2 * z);
	return x > IOMAX ? IOMAX : x < 1 ? 1 : (uint64_t)x;
}

void w_tree(const struct spec *s)
{
	struct tree t = tree_of(s);
	char path[PATHMAX], *buf = noise(IOMAX);
	uint64_t d = 0, made = 0;
	struct phase p;
	phase_begin(&p, arg_str(s, "as", "tree_write"));
	for (uint64_t i = 0; i < t.n && more(&p); i++) {
		uint64_t dir = i * t.dirs / t.n;
		for (; d <= dir; d++) {
			tree_dir(path, d);
			failed(&p, CALL(O->mkdir(FS, path)));
		}
		size_t l = tree_dir(path, dir);
		snprintf(path + l, PATHMAX - l, "/f%07llu", (unsigned long long)i);
		void *h;
		if (failed(&p, CALL(O->open(FS, path, O_RDWR | O_CREAT | O_EXCL, &h))))
			continue;
		uint64_t size = tree_size(&t, i);
		stamp(buf, size, i, 0);
		ssize_t w = CALL(O->pwrite(FS, h, buf, size, 0));
		if (!failed(&p, w))
			p.bad += (uint64_t)w != size;
		failed(&p, CALL(O->close(FS, h)));
		p.bytes += size;
		p.ops++;
		made = i + 1;
	}
	phase_end(&p);
	free(buf);
	last_tree = made;
}

struct names {
	char (*v)[24];
	unsigned char *dir;
	size_t n, cap;
};

static int keep_name(void *a, const char *name, size_t len, int is_dir)
{
	struct names *l = a;
	if (len >= 24)
		return 0;	/* lost+found and the like are not ours */
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->v = realloc(l->v, l->cap * sizeof(*l->v));
		l->dir = realloc(l->dir, l->cap);
		if (!l->v || !l->dir)
			die("out of memory");
	}
	memcpy(l->v[l->n], name, len);
	l->v[l->n][len] = 0;
	l->dir[l->n++] = (unsigned char)is_dir;
	return 0;
}

static void walk_dir(struct phase *p, const struct tree *t, char *path, size_t l, char *buf)
{
	struct names list = { 0 };
	failed(p, CALL(O->readdir(FS, path, keep_name, &list)));
	for (size_t k = 0; k < list.n && more(p); k++) {
		size_t m = l + (size_t)snprintf(path + l, PATHMAX - l, "/%s", list.v[k]);
		if (list.dir[k]) {
			walk_dir(p, t, path, m, buf);
			continue;
		}
		uint64_t id = strtoull(list.v[k] + 1, NULL, 10);
		uint64_t size = tree_size(t, id);
		struct fsb_stat st;
		void *h;
		if (!failed(p, CALL(O->stat(FS, path, &st))))
			p->bad += st.size != size;
		if (failed(p, CALL(O->open(FS, path, O_RDONLY, &h))))
			continue;
		ssize_t r = 0;
		for (uint64_t o = 0; o < size; o += (uint64_t)r) {
			r = CALL(O->pread(FS, h, buf, 131072, o));
			if (failed(p, r) || !r)
				break;
			p->bad += check(buf, (size_t)r, id, o);
			p->bytes += (size_t)r;
		}
		failed(p, CALL(O->close(FS, h)));
		p->ops++;
	}
	path[l] = 0;
	free(list.v);
	free(list.dir);
}

void w_walk(const struct spec *s)
{
	struct tree t = tree_of(s);
	uint64_t want = arg(s, "made", last_tree ? last_tree : t.n);
	char path[PATHMAX], *buf = xalloc(IOMAX);
	struct phase p;
	phase_begin(&p, arg_str(s, "as", "tree_walk"));
	walk_dir(&p, &t, path, tree_dir(path, 0), buf);
	if (!p.cut && p.ops != want)
		p.bad += p.ops > want ? p.ops - want : want - p.ops;
	phase_end(&p);
	free(buf);
}
