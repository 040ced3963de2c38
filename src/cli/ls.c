/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant ls: what directories hold, in the order of their bytes unless another is asked for.
 */
#include "cli/ls.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct listing {
	struct cli_image *im;
	const struct ls_args *args;
	struct facts facts;
	struct cli_ino_set entered; /* below one path each once: a damaged tree has circles */
	bool headings, printed;
};

static struct facts *facts_of(struct listing *l)
{
	return l->args->json ? &l->facts : NULL;
}

/* ---- order */

static int newest_first(const struct extant_time *a, const struct extant_time *b)
{
	if (a->sec != b->sec)
		return a->sec > b->sec ? -1 : 1;
	return a->nsec > b->nsec ? -1 : a->nsec < b->nsec;
}

static int compare(const void *x, const void *y, void *arg)
{
	const struct ls_entry *a = x, *b = y;
	const struct ls_args *args = arg;
	int order = 0;

	if (args->by_time)
		order = newest_first(ls_time(args, &a->st), ls_time(args, &b->st));
	else if (args->by_size)
		order = a->st.size > b->st.size ? -1 : a->st.size < b->st.size;
	if (!order)
		order = strcmp(a->name, b->name);
	return args->reverse ? -order : order;
}

static void sort(const struct ls_args *args, struct ls_list *list)
{
	if (list->count && !args->unsorted)
		qsort_r(list->items, list->count, sizeof(list->items[0]), compare,
			(void *)(uintptr_t)args);
}

/* ---- a directory as a list */

static bool is_listed(const struct ls_args *args, const char *name)
{
	if (args->all || name[0] != '.')
		return true;
	return args->almost_all && !cli_is_dots(name);
}

/* Attributes of each; those that cannot be had are reported. */
static int get_attributes(struct listing *l, struct ls_list *list)
{
	int status = CLI_DONE;

	for (size_t i = 0; i < list->count; i++) {
		struct ls_entry *e = &list->items[i];
		char *path = cli_join(list->dir, e->name);
		int err = extant_lstat(l->im->x, path, &e->st);

		e->known = !err;
		if (err)
			status = cli_worse(status, cli_failed(l->im, path, err, NULL));
		free(path);
	}
	return status;
}

static int read_list(struct listing *l, const char *path, struct ls_list *list)
{
	struct cli_names names;
	int err = cli_list(l->im, path, &names), status = CLI_DONE;

	if (err)
		status = cli_failed(l->im, path, err, NULL);
	*list = (struct ls_list){ .dir = path };
	list->items = cli_realloc(NULL, names.count * sizeof(list->items[0]));
	for (size_t i = 0; i < names.count; i++) {
		const struct cli_name *n = &names.items[i];

		if (is_listed(l->args, n->name))
			list->items[list->count++] =
				(struct ls_entry){ cli_strdup(n->name), n->ino, n->type };
	}
	cli_names_free(&names);
	if (ls_needs_attributes(l->args))
		status = cli_worse(status, get_attributes(l, list));
	sort(l->args, list);
	return status;
}

static void free_list(struct ls_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i].name);
	free(list->items);
}

/* ---- directories */

static void begin_directory(struct listing *l, const char *path)
{
	if (l->args->json) {
		facts_object(&l->facts, NULL);
		facts_string(&l->facts, "path", path);
		facts_array(&l->facts, "entries");
	} else if (l->headings) {
		if (l->printed)
			putchar('\n');
		cli_print_name(path);
		puts(":");
	}
	l->printed = true;
}

static void end_directory(struct listing *l)
{
	if (!l->args->json)
		return;
	facts_array_end(&l->facts);
	facts_object_end(&l->facts);
}

static int list_directory(struct listing *l, const char *path);

/* What cannot be looked at was told already, where attributes were asked for. */
static int list_if_directory(struct listing *l, const char *path, bool told)
{
	struct extant_stat st = { 0 };
	int err = extant_lstat(l->im->x, path, &st);

	if (err)
		return told ? CLI_DONE : cli_failed(l->im, path, err, NULL);
	return S_ISDIR(st.mode) ? list_directory(l, path) : CLI_DONE;
}

static int list_below(struct listing *l, const struct ls_list *list)
{
	int status = CLI_DONE;

	for (size_t i = 0; i < list->count && !cli_interrupted(); i++) {
		char *below = cli_join(list->dir, list->items[i].name);

		if (!cli_is_dots(list->items[i].name))
			status = cli_worse(status, list_if_directory(l, below, ls_needs_attributes(l->args)));
		free(below);
	}
	return status;
}

static int enter(struct listing *l, const char *path)
{
	struct extant_stat st;
	int err = extant_stat(l->im->x, path, &st);

	if (err)
		return cli_failed(l->im, path, err, NULL);
	if (!l->args->recursive || cli_ino_add(&l->entered, (uint32_t)st.ino))
		return CLI_DONE;
	cli_error("%s: %s: inode %u is a directory with two names; run e2fsck on the image",
		  l->im->path, path, (uint32_t)st.ino);
	return CLI_DAMAGED;
}

static int list_directory(struct listing *l, const char *path)
{
	struct ls_list list;
	int status = enter(l, path);

	if (status)
		return status;
	status = read_list(l, path, &list);
	begin_directory(l, path);
	ls_print(l->im, l->args, facts_of(l), &list);
	end_directory(l);
	if (l->args->recursive)
		status = cli_worse(status, list_below(l, &list));
	free_list(&list);
	return status;
}

/* ---- what the user named */

/* Itself, in a list of its own. */
static void list_file(struct listing *l, char *path, const struct extant_stat *st)
{
	struct ls_entry e = { path, (uint32_t)st->ino, IFTODT(st->mode),
			      ls_needs_attributes(l->args), *st };
	struct ls_list list = { "", &e, 1 };

	if (l->args->json)
		begin_directory(l, path);
	ls_print(l->im, l->args, facts_of(l), &list);
	end_directory(l);
	l->printed = true;
}

static int list_one(struct listing *l, char *path)
{
	struct extant_stat st;
	int err = extant_lstat(l->im->x, path, &st);

	cli_ino_free(&l->entered); /* the user may name one twice */
	/* A link is listed itself with -l and -d, else what it leads to. */
	if (!err && S_ISLNK(st.mode) && !l->args->details && !l->args->directories)
		err = extant_stat(l->im->x, path, &st);
	if (err)
		return cli_failed(l->im, path, err, NULL);
	if (S_ISDIR(st.mode) && !l->args->directories)
		return list_directory(l, path);
	list_file(l, path, &st);
	return CLI_DONE;
}

static int on(struct cli_image *im, const void *v, int count, char **words)
{
	struct ls_args args = *(const struct ls_args *)v;
	struct listing l = { .im = im, .args = &args, .headings = count > 1 || args.recursive };
	int status = CLI_DONE;

	args.details |= args.full_time;
	if (args.json) {
		facts_begin(&l.facts, stdout, true, 1);
		facts_string(&l.facts, "image", im->path);
		facts_array(&l.facts, "listings");
	}
	for (int i = 0; i < count && !cli_interrupted(); i++)
		status = cli_worse(status, list_one(&l, words[i]));
	if (args.json) {
		facts_array_end(&l.facts);
		facts_end(&l.facts);
	}
	cli_ino_free(&l.entered);
	return status;
}

#define FLAG(letter, name, help, field) \
	{ \
		CLI_FLAG, letter, name, NULL, help, offsetof(struct ls_args, field) \
	}

static const struct cli_option options[] = {
	FLAG('l', "long", "mode, links, owner, group, size, time, and where links lead", details),
	FLAG('a', "all", "names that begin with a dot too", all),
	FLAG('A', "almost-all", "the same, without . and ..", almost_all),
	FLAG('R', "recursive", "and the directories below", recursive),
	FLAG('d', "directory", "directories themselves, not what they hold", directories),
	FLAG('i', "inode", "inode numbers", inodes),
	FLAG('s', "size", "the space it takes, in KiB", blocks),
	FLAG('h', "human-readable", "with -l: sizes like 12K or 3.4M", human),
	FLAG('F', "classify", "behind the name / * @ | = for its kind", classify),
	FLAG('p', NULL, "a slash behind directories", slashes),
	FLAG('t', NULL, "newest first", by_time),
	FLAG('S', NULL, "largest first", by_size),
	FLAG('r', "reverse", "the other way round", reverse),
	FLAG('U', NULL, "as they lie in the directory", unsorted),
	FLAG('u', NULL, "the time of access, also for -t", access_time),
	FLAG('c', NULL, "the time of change, also for -t", change_time),
	FLAG(0, "full-time", "as -l, with times to the nanosecond", full_time),
	{ CLI_IGNORED, 'n', "numeric-uid-gid", NULL, "owners as numbers, which is always so", 0 },
	{ CLI_IGNORED, '1', NULL, NULL, "one in a line, which is always so", 0 },
	CLI_JSON(struct ls_args, json),
	CLI_MOUNT_OPTIONS(struct ls_args, options),
	{ CLI_END },
};

const struct cli_command cli_ls = {
	.name = "ls",
	.arguments = "IMAGE [PATH...]",
	.summary = "list directories of an image",
	.details = "Without a path, the root. The image is mounted read-only: what its journal "
		   "holds is\n"
		   "seen, and nothing is written.",
	.options = options,
	.args_size = sizeof(struct ls_args),
	.args_min = 1,
	.here = true,
	.paths = CLI_PATHS_ALL,
	.on = on,
};
