/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of directories, collected; paths put together; directories that were entered.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "cli/cli.h"

void *cli_realloc(void *p, size_t size)
{
	p = realloc(p, size ? size : 1);
	if (p)
		return p;
	cli_error("out of memory");
	exit(CLI_IO);
}

char *cli_strdup(const char *text)
{
	size_t n = strlen(text) + 1;

	return memcpy(cli_realloc(NULL, n), text, n);
}

/* ---- lists */

void cli_names_add(struct cli_names *names, const char *name, uint32_t ino, uint8_t type)
{
	if (names->count == names->room) {
		names->room = names->room ? 2 * names->room : 64;
		names->items = cli_realloc(names->items, names->room * sizeof(names->items[0]));
	}
	names->items[names->count++] = (struct cli_name){ cli_strdup(name), ino, type };
}

static int add(void *arg, const struct extant_dirent *d)
{
	cli_names_add(arg, d->name, d->ino, d->type);
	return 0;
}

int cli_list(struct cli_image *im, const char *path, struct cli_names *out)
{
	int fd = extant_open(im->x, path, O_RDONLY | O_DIRECTORY | O_NOATIME, 0), err;

	*out = (struct cli_names){ 0 };
	if (fd < 0)
		return fd;
	err = extant_readdir(im->x, fd, add, out);
	extant_close(im->x, fd);
	return err;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct cli_name *)a)->name, ((const struct cli_name *)b)->name);
}

void cli_names_sort(struct cli_names *names)
{
	if (names->count)
		qsort(names->items, names->count, sizeof(names->items[0]), by_name);
}

void cli_names_free(struct cli_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i].name);
	free(names->items);
	*names = (struct cli_names){ 0 };
}

/* ---- paths */

char *cli_join(const char *dir, const char *name)
{
	size_t n = strlen(dir), size = n + strlen(name) + 2;
	const char *slash = n && dir[n - 1] == '/' ? "" : "/";
	char *path = cli_realloc(NULL, size);

	(void)snprintf(path, size, "%s%s%s", dir, slash, name);
	return path;
}

char *cli_at(const struct cli_image *im, const char *word)
{
	if (!im->cwd || *word == '/')
		return cli_strdup(im->cwd || *word ? word : "/");
	return *word ? cli_join(im->cwd, word) : cli_strdup(im->cwd);
}

char *cli_dirname(const char *path)
{
	size_t n = strlen(path);
	char *dir = cli_strdup(path);

	while (n > 1 && dir[n - 1] == '/')
		n--;
	while (n && dir[n - 1] != '/')
		n--;
	while (n > 1 && dir[n - 1] == '/')
		n--;
	dir[n] = '\0';
	if (n)
		return dir;
	free(dir);
	return cli_strdup(".");
}

#define LINKS_MAX 40

char *cli_follow(struct cli_image *im, const char *path)
{
	char *at = cli_strdup(path), *dir, target[4096];

	for (int i = 0; i < LINKS_MAX; i++) {
		int n = extant_readlink(im->x, at, target, sizeof(target) - 1);

		if (n < 0)
			return at;
		target[n] = '\0';
		dir = *target == '/' ? cli_strdup("/") : cli_dirname(at);
		free(at);
		at = *target == '/' ? cli_strdup(target) : cli_join(dir, target);
		free(dir);
	}
	free(at);
	return cli_strdup(path);
}

const char *cli_basename(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* ---- directories that were entered */

static uint32_t *slot_of(struct cli_ino_set *set, uint32_t ino)
{
	size_t i = (ino * 2654435761u) & (set->size - 1);

	while (set->slots[i] && set->slots[i] != ino)
		i = (i + 1) & (set->size - 1);
	return &set->slots[i];
}

static void grow(struct cli_ino_set *set)
{
	struct cli_ino_set larger = { NULL, set->count, set->size ? 2 * set->size : 64 };

	larger.slots = cli_realloc(NULL, larger.size * sizeof(larger.slots[0]));
	memset(larger.slots, 0, larger.size * sizeof(larger.slots[0]));
	for (size_t i = 0; i < set->size; i++)
		if (set->slots[i])
			*slot_of(&larger, set->slots[i]) = set->slots[i];
	free(set->slots);
	*set = larger;
}

bool cli_ino_add(struct cli_ino_set *set, uint32_t ino)
{
	uint32_t *slot;

	if (2 * set->count >= set->size)
		grow(set);
	slot = slot_of(set, ino);
	if (*slot)
		return false;
	*slot = ino;
	set->count++;
	return true;
}

void cli_ino_free(struct cli_ino_set *set)
{
	free(set->slots);
	*set = (struct cli_ino_set){ 0 };
}
