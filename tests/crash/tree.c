/* SPDX-License-Identifier: BSD-2-Clause */
/* Walks a mounted file system, see tree.h: a directory's names first, then what each is, below it last. */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_ROOM 4096
#define NAMES_MAX 65536

struct walk {
	struct extant *x;
	bool letters;
	uint64_t print;
	char *stranger;
	size_t room;
};

struct names {
	char **list;
	size_t count;
	int err;
};

uint64_t tree_mix(uint64_t h, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len--)
		h = (h ^ *p++) * 0x100000001b3ull;
	return h;
}

static int add_name(void *arg, const struct extant_dirent *d)
{
	struct names *n = arg;
	char **more;

	if (!strcmp(d->name, ".") || !strcmp(d->name, ".."))
		return 0;
	more = n->count < NAMES_MAX ? realloc(n->list, (n->count + 1) * sizeof(*n->list)) : NULL;
	if (!more)
		return n->err = -ENOMEM;
	n->list = more;
	n->list[n->count] = strdup(d->name);
	if (!n->list[n->count])
		return n->err = -ENOMEM;
	n->count++;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void drop_names(struct names *n)
{
	for (size_t i = 0; i < n->count; i++)
		free(n->list[i]);
	free(n->list);
}

/* Sorted: the order in a directory depends on how it came about. */
static int read_names(struct walk *w, const char *path, struct names *n)
{
	int fd = extant_open(w->x, path, O_RDONLY | O_DIRECTORY | O_NOATIME, 0);
	int err = fd < 0 ? fd : extant_readdir(w->x, fd, add_name, n);

	if (fd >= 0)
		(void)extant_close(w->x, fd); /* nothing was written */
	if (n->count)
		qsort(n->list, n->count, sizeof(*n->list), by_name);
	return err < 0 ? err : n->err;
}

static bool all_of(const uint8_t *p, size_t len, uint8_t letter)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] && p[i] != letter)
			return false;
	return true;
}

/* What lies in holes is zero by definition: only data is read. */
static int walk_file(struct walk *w, const char *path, uint8_t letter)
{
	static uint8_t buf[1 << 16];
	int fd = extant_open(w->x, path, O_RDONLY | O_NOATIME, 0), strange = 0;
	int64_t at = 0, n = 1;

	if (fd < 0)
		return fd;
	while (n > 0 && (at = extant_lseek(w->x, fd, at, SEEK_DATA)) >= 0) {
		at -= at % (int64_t)sizeof(buf);
		n = extant_pread(w->x, fd, buf, sizeof(buf), at);
		if (n > 0 && !all_of(buf, (size_t)n, 0))
			w->print = tree_mix(tree_mix(w->print, &at, sizeof(at)), buf, (size_t)n);
		if (n > 0 && w->letters && !all_of(buf, (size_t)n, letter))
			strange = 1;
		at += sizeof(buf);
	}
	(void)extant_close(w->x, fd); /* nothing was written */
	if (strange && w->stranger && !*w->stranger)
		(void)snprintf(w->stranger, w->room, "%s", path);
	return at < 0 && at != -ENXIO ? (int)at : n < 0 ? (int)n : strange;
}

static int walk_link(struct walk *w, const char *path)
{
	char target[PATH_ROOM];
	int len = extant_readlink(w->x, path, target, sizeof(target));

	if (len > 0)
		w->print = tree_mix(w->print, target, (size_t)len);
	return len < 0 ? len : 0;
}

static int walk_directory(struct walk *w, const char *path);

static int walk_one(struct walk *w, const char *path, const char *name)
{
	struct extant_stat st;
	int err = extant_lstat(w->x, path, &st);

	if (err)
		return err;
	w->print = tree_mix(w->print, path, strlen(path));
	w->print = tree_mix(w->print, (uint32_t[]){ st.mode, st.nlink, st.uid, st.gid }, 16);
	if (S_ISDIR(st.mode))
		return walk_directory(w, path);
	w->print = tree_mix(w->print, &st.size, sizeof(st.size));
	if (S_ISLNK(st.mode))
		return walk_link(w, path);
	return S_ISREG(st.mode) ? walk_file(w, path, (uint8_t)*name) : 0;
}

static int walk_directory(struct walk *w, const char *path)
{
	struct names n = { 0 };
	int err = read_names(w, path, &n), strange = 0;
	char *below = malloc(PATH_ROOM);

	if (!below)
		err = -ENOMEM;
	for (size_t i = 0; i < n.count && err >= 0; i++) {
		(void)snprintf(below, PATH_ROOM, "%s/%s", strcmp(path, "/") ? path : "", n.list[i]);
		err = walk_one(w, below, n.list[i]);
		strange |= err > 0;
	}
	free(below);
	drop_names(&n);
	return err < 0 ? err : strange;
}

int tree_walk(struct extant *x, bool letters, uint64_t *print, char *stranger, size_t room)
{
	struct walk w = { x, letters, TREE_MIX_START, stranger, room };
	int err;

	if (stranger)
		*stranger = '\0';
	err = walk_directory(&w, "/");
	*print = w.print;
	return err;
}
