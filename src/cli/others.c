/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Other images (others.h).
 */
#include "cli/others.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool others_is_one(const char *word)
{
	const char *divider = strstr(word, ":/");

	return divider && divider != word;
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat x, y;

	if (!strcmp(a, b))
		return true;
	return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static struct cli_image *find_open(struct others *o, const char *name)
{
	if (is_same_file(o->main->path, name))
		return o->main;
	for (int i = 0; i < o->count; i++)
		if (is_same_file(o->items[i]->path, name))
			return o->items[i];
	return NULL;
}

/* `name` is taken over. */
static int open_other(struct others *o, char *name, enum cli_access access, struct cli_image **out)
{
	struct cli_image *im;
	int status;

	if (o->count == OTHERS_MAX) {
		status = cli_usage("%s: more than %d images", name, OTHERS_MAX);
		free(name);
		return status;
	}
	im = cli_realloc(NULL, sizeof(*im));
	status = cli_open(im, name, o->main->options, access);
	if (status) {
		free(im);
		free(name);
		return status;
	}
	o->items[o->count++] = *out = im;
	return CLI_DONE;
}

int others_find(struct others *o, const char *word, enum cli_access access, struct cli_image **im,
		char **path)
{
	const char *divider = strstr(word, ":/");
	int status = CLI_DONE;
	char *name;

	*im = o->main;
	if (!others_is_one(word)) {
		*path = divider ? cli_strdup(word + 1) : cli_at(o->main, word);
		return CLI_DONE;
	}
	name = cli_strdup(word);
	name[divider - word] = '\0';
	*im = find_open(o, name);
	if (!*im)
		status = open_other(o, name, access, im);
	else
		free(name);
	if (status)
		return status;
	if (access == CLI_WRITE && (*im)->access == CLI_READ)
		return cli_usage("%s: it is read from too; make it the first image, and write :%s",
				 word, divider + 1);
	*path = cli_strdup(divider + 1);
	return CLI_DONE;
}

int others_close(struct others *o, int status)
{
	while (o->count) {
		struct cli_image *im = o->items[--o->count];
		char *name = (char *)(uintptr_t)im->path;

		status = cli_close(im, status);
		free(im);
		free(name);
	}
	return status;
}
