/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant find: the files of a tree that an expression is true of.
 */
#include "cli/find.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct find_args {
	const char *options;
	bool json;
};

void find_print(struct find *f, const struct find_file *file)
{
	if (!f->facts) {
		cli_print_line(file->path);
		return;
	}
	facts_object(f->facts, NULL);
	facts_string(f->facts, "path", file->path);
	facts_number(f->facts, "ino", file->st->ino);
	facts_string(f->facts, "type", cli_type_text(file->st->mode));
	facts_number(f->facts, "mode", file->st->mode);
	facts_number(f->facts, "nlink", file->st->nlink);
	facts_number(f->facts, "uid", file->st->uid);
	facts_number(f->facts, "gid", file->st->gid);
	facts_number(f->facts, "size", file->st->size);
	facts_time(f->facts, "mtime", file->st->mtime.sec, file->st->mtime.nsec);
	facts_object_end(f->facts);
}

static int on_file(struct walk *w, const char *path, const struct extant_stat *st,
		   enum walk_when when)
{
	struct find *f = w->arg;
	struct find_file file = { path, st, false };
	bool is_dir = S_ISDIR(st->mode);

	if (f->quit)
		return WALK_SKIP;
	if (when == (f->after && is_dir ? WALK_BEFORE : WALK_AFTER))
		return CLI_DONE;
	if (f->depth_min < 0 || w->depth >= f->depth_min)
		if (find_matches(f, &file) && !f->acts)
			find_print(f, &file);
	return file.prune && is_dir ? WALK_SKIP : CLI_DONE;
}

/* How many of the words are paths: those before the expression. */
static int count_paths(int count, char **words)
{
	int n = 0;

	while (n < count && words[n][0] != '-' && strcmp(words[n], "!") != 0 &&
	       strcmp(words[n], "(") != 0)
		n++;
	return n;
}

static int check(const void *v, int count, char **words)
{
	int paths = count_paths(count, words), status;
	struct find f = { 0 };

	status = find_parse(&f, NULL, count - paths, words + paths);
	find_free(&f);
	return status;
}

static enum cli_access access_for(const void *v, int count, char **words)
{
	for (int i = count_paths(count, words); i < count; i++)
		if (!strcmp(words[i], "-delete"))
			return CLI_WRITE;
	return CLI_READ;
}

static int walk_paths(struct find *f, int count, char **words)
{
	static char here[] = "";
	char *only[] = { here };
	int status = CLI_DONE;

	if (!count)
		words = only;
	for (int i = 0; i < max(count, 1) && !f->quit && !cli_interrupted(); i++) {
		char *path = cli_at(f->im, words[i]);

		status = cli_worse(status, walk_tree(f->walk, path));
		free(path);
	}
	return cli_worse(status, f->status);
}

static int on(struct cli_image *im, const void *v, int count, char **words)
{
	const struct find_args *args = v;
	int paths = count_paths(count, words), status;
	struct facts facts;
	struct find f = { .im = im, .facts = args->json ? &facts : NULL, .now = cli_now() };
	struct walk w = { .im = im, .file = on_file, .arg = &f };

	f.walk = &w;
	status = find_parse(&f, im, count - paths, words + paths);
	if (status)
		return status;
	w.flat = f.depth_max == 0;
	w.depth_max = max(f.depth_max, 0);
	if (args->json) {
		facts_begin(&facts, stdout, true, 1);
		facts_string(&facts, "image", im->path);
		facts_array(&facts, "files");
	}
	status = walk_paths(&f, paths, words);
	if (args->json) {
		facts_array_end(&facts);
		facts_end(&facts);
	}
	find_free(&f);
	return status;
}

static const struct cli_option options[] = {
	CLI_JSON(struct find_args, json),
	CLI_MOUNT_OPTIONS(struct find_args, options),
	{ CLI_END },
};

const struct cli_command cli_find = {
	.name = "find",
	.arguments = "IMAGE [PATH...] [EXPRESSION]",
	.summary = "look for files in an image",
	.details =
		"The expressions of find(1), with their meaning there:\n"
		"  tests: -name -iname -path -ipath -lname GLOB; -type fdlcbps; -size "
		"[+-]N[cwbkMG]; -empty;\n"
		"    -perm [-/]MODE; -uid -gid -user -group -links -inum [+-]N; -mtime -atime "
		"-ctime\n"
		"    -mmin -amin -cmin [+-]N; -newer -samefile PATH; -newermt TIME; -true -false\n"
		"  actions: -print -print0 -ls -delete -prune -quit\n"
		"  settings: -maxdepth N -mindepth N -depth -xdev\n"
		"  between them: ( ) ! -not -a -and -o -or\n"
		"Options stand before IMAGE. Owners are numbers, or root.",
	.options = options,
	.args_size = sizeof(struct find_args),
	.args_min = 1,
	.raw = true,
	.paths = CLI_PATHS_OWN,
	.access_for = access_for,
	.check = check,
	.on = on,
};
