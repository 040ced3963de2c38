/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant tree: directories and what is in them, drawn.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "cli/json.h"
#include "cli/walk.h"

struct tree_args {
	const char *options, *levels;
	bool all, directories, sizes, human, modes, full, json;
};

#define DEPTH_MAX 4096

struct drawing {
	const struct tree_args *args;
	bool ended[DEPTH_MAX]; /* by depth: the last one there was drawn */
	uint64_t directories, files;
	struct facts *facts;
};

static void draw_branch(const struct drawing *d, int depth)
{
	for (int i = 1; i < depth; i++)
		fputs(d->ended[i] ? "    " : "|   ", stdout);
	if (depth)
		fputs(d->ended[depth] ? "`-- " : "|-- ", stdout);
}

static void draw_attributes(const struct drawing *d, const struct extant_stat *st)
{
	char text[16];

	if (!d->args->modes && !d->args->sizes && !d->args->human)
		return;
	putchar('[');
	if (d->args->modes) {
		cli_mode_text(st->mode, text);
		fputs(text, stdout);
	}
	if (d->args->modes && (d->args->sizes || d->args->human))
		putchar(' ');
	cli_human(st->size, text);
	if (d->args->human)
		printf("%4s", text);
	else if (d->args->sizes)
		printf("%11llu", (unsigned long long)st->size);
	fputs("]  ", stdout);
}

static void draw(struct walk *w, struct drawing *d, const char *path, const struct extant_stat *st)
{
	char target[4096];
	int n = S_ISLNK(st->mode) ? extant_readlink(w->im->x, path, target, sizeof(target) - 1) : 0;

	draw_branch(d, w->depth);
	draw_attributes(d, st);
	cli_print_name(!w->depth || d->args->full ? path : cli_basename(path));
	if (n > 0) {
		target[n] = '\0';
		fputs(" -> ", stdout);
		cli_print_name(target);
	}
	putchar('\n');
}

static void tell(struct walk *w, struct drawing *d, const char *path, const struct extant_stat *st)
{
	facts_object(d->facts, NULL);
	facts_string(d->facts, "path", path);
	facts_number(d->facts, "depth", (uint64_t)w->depth);
	facts_string(d->facts, "type", cli_type_text(st->mode));
	facts_number(d->facts, "mode", st->mode);
	facts_number(d->facts, "size", st->size);
	facts_object_end(d->facts);
}

static int on_file(struct walk *w, const char *path, const struct extant_stat *st,
		   enum walk_when when)
{
	struct drawing *d = w->arg;

	if (when == WALK_AFTER)
		return CLI_DONE;
	d->ended[min(w->depth, DEPTH_MAX - 1)] = w->last;
	if (w->depth)
		*(S_ISDIR(st->mode) ? &d->directories : &d->files) += 1;
	if (d->facts)
		tell(w, d, path, st);
	else
		draw(w, d, path, st);
	return CLI_DONE;
}

static int check(const void *v, int count, char **words)
{
	const struct tree_args *args = v;
	uint64_t n;

	if (args->levels && (!cli_parse_number(args->levels, 10000, &n) || !n))
		return cli_usage("-L %s: no number above 0", args->levels);
	return CLI_DONE;
}

/* Whether a name is drawn, for the walk: the last one that is gets the corner. */
static bool is_wanted(void *arg, const struct cli_name *name)
{
	const struct tree_args *args = ((struct drawing *)arg)->args;

	return (args->all || name->name[0] != '.') && (!args->directories || name->type == DT_DIR);
}

static void print_totals(const struct drawing *d)
{
	if (d->facts) {
		facts_array_end(d->facts);
		facts_number(d->facts, "directories", d->directories);
		facts_number(d->facts, "others", d->files);
		facts_end(d->facts);
		return;
	}
	printf("\n%llu director%s", (unsigned long long)d->directories,
	       d->directories == 1 ? "y" : "ies");
	if (!d->args->directories)
		printf(", %llu file%s", (unsigned long long)d->files, d->files == 1 ? "" : "s");
	putchar('\n');
}

static int on(struct cli_image *im, const void *v, int count, char **words)
{
	const struct tree_args *args = v;
	struct drawing *d = cli_realloc(NULL, sizeof(*d));
	struct walk w = {
		.im = im, .file = on_file, .arg = d, .wanted = is_wanted, .follow_first = true
	};
	struct facts facts;
	int status = CLI_DONE;
	uint64_t levels = 0;

	*d = (struct drawing){ .args = args, .facts = args->json ? &facts : NULL };
	if (args->levels)
		(void)cli_parse_number(args->levels, 10000, &levels); /* checked */
	w.depth_max = (int)levels;
	if (args->json) {
		facts_begin(&facts, stdout, true, 1);
		facts_string(&facts, "image", im->path);
		facts_array(&facts, "files");
	}
	for (int i = 0; i < count && !cli_interrupted(); i++)
		status = cli_worse(status, walk_tree(&w, words[i]));
	print_totals(d);
	free(d);
	return status;
}

static const struct cli_option options[] = {
	{ CLI_FLAG, 'a', "all", NULL, "names that begin with a dot too",
	  offsetof(struct tree_args, all) },
	{ CLI_FLAG, 'd', "dirs-only", NULL, "directories only",
	  offsetof(struct tree_args, directories) },
	{ CLI_TEXT, 'L', "level", "N", "at most N levels", offsetof(struct tree_args, levels) },
	{ CLI_FLAG, 'f', "full-path", NULL, "whole paths", offsetof(struct tree_args, full) },
	{ CLI_FLAG, 'p', "perms", NULL, "types and permissions",
	  offsetof(struct tree_args, modes) },
	{ CLI_FLAG, 's', "size", NULL, "sizes in bytes", offsetof(struct tree_args, sizes) },
	{ CLI_FLAG, 'h', "human-readable", NULL, "sizes like 12K or 3.4M",
	  offsetof(struct tree_args, human) },
	CLI_JSON(struct tree_args, json),
	CLI_MOUNT_OPTIONS(struct tree_args, options),
	{ CLI_END },
};

const struct cli_command cli_tree = {
	.name = "tree",
	.arguments = "IMAGE [PATH...]",
	.summary = "draw directories of an image and what is in them",
	.options = options,
	.args_size = sizeof(struct tree_args),
	.args_min = 1,
	.here = true,
	.paths = CLI_PATHS_ALL,
	.check = check,
	.on = on,
};
