/* SPDX-License-Identifier: BSD-2-Clause */
/* What to do to what: names that are there and names that are not, short ones, long ones, odd ones. */
#include <stdio.h>
#include <string.h>
#include "test.h"

uint32_t below(struct test *x, uint32_t limit)
{
	return random_below(&x->random, limit);
}

bool chance(struct test *x, uint32_t percent)
{
	return below(x, 100) < percent;
}

static void odd_name(struct test *x, char *name)
{
	size_t len = 1 + below(x, 20);

	for (size_t i = 0; i < len; i++) {
		do
			name[i] = (char)(1 + below(x, 255));
		while (name[i] == '/');
	}
	name[len] = 0;
}

static void long_name(struct test *x, char *name)
{
	size_t len = chance(x, 10) ? NAME_BYTES + 1 : 240 + below(x, 16);

	memset(name, 'l', len);
	name[0] = (char)('a' + below(x, 8));
	name[len] = 0;
}

/* At most NAME_BYTES + 1, terminated. */
static void draw_name(struct test *x, char *name)
{
	uint32_t what = below(x, 100);

	if (what < 3)
		odd_name(x, name);
	else if (what < 8)
		long_name(x, name);
	else if (what < 9)
		strcpy(name, chance(x, 50) ? "." : "..");
	else
		sprintf(name, "n%u", below(x, 200));
}

static const char *entry_name(struct test *x, const struct node *dir)
{
	const char *name = dir->entries[below(x, dir->entry_count)].name;

	return *name == '.' ? "n0" : name; /* not the one that fills the disk */
}

/* The same place said at more length. */
static void decorate(struct test *x, char *path)
{
	uint32_t what = below(x, 100);

	if (what < 2)
		strcat(path, "/.");
	else if (what < 4)
		strcat(path, "/");
	else if (what < 5 && *path)
		strcat(path, "/..");
}

const char *draw_dir(struct test *x, char *buf)
{
	struct node *dir = x->tree.root, *n;
	char *end;

	*buf = 0;
	for (int depth = 0; depth < 7 && dir->entry_count && chance(x, 65); depth++) {
		end = buf + strlen(buf);
		sprintf(end, "/%s", entry_name(x, dir));
		if (!walk(&x->tree, buf, true, &n) && is_dir(n))
			dir = n;
		else if (chance(x, 97))
			*end = 0; /* else through what is no directory */
		else
			break;
		decorate(x, buf);
	}
	return buf;
}

const char *draw_path(struct test *x, char *buf)
{
	char name[NAME_BYTES + 2];
	struct node *dir;

	draw_dir(x, buf);
	if (!walk(&x->tree, *buf ? buf : "/", true, &dir) && is_dir(dir) && dir->entry_count && chance(x, 75))
		strcpy(name, entry_name(x, dir));
	else
		draw_name(x, name);
	strcat(buf, "/");
	strcat(buf, name);
	if (chance(x, 2))
		strcat(buf, "/");
	if (chance(x, 1) && chance(x, 5))
		*buf = 0;
	return buf;
}

struct slot *draw_slot(struct test *x)
{
	uint32_t first = below(x, SLOTS);

	for (uint32_t i = 0; i < SLOTS; i++)
		if (x->slots[(first + i) % SLOTS].node)
			return &x->slots[(first + i) % SLOTS];
	return NULL;
}
