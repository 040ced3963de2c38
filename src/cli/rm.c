/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant rm, extant rmdir: remove files; with -r directories and all that is in them; directories
 * that are empty.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "cli/cli.h"

struct rm_args {
	const char *options;
	bool recursive, force, directories, verbose;
};

struct removal {
	struct cli_image *im;
	bool verbose;
	struct cli_ino_set
		entered; /* a directory is emptied once: a damaged tree may have circles */
};

static int done(struct removal *r, const char *path, int err)
{
	if (err)
		return cli_failed(r->im, path, err, NULL);
	if (r->verbose)
		cli_print_line(path);
	return CLI_DONE;
}

/* ---- trees */

static int remove_tree(struct removal *r, const char *path);

static int remove_name(struct removal *r, const char *dir, const struct cli_name *name)
{
	char *path = cli_join(dir, name->name);
	int status, err = -EISDIR;

	/* The entry may be silent about what it names. */
	if (name->type != DT_DIR)
		err = extant_unlink(r->im->x, path);
	status = err == -EISDIR ? remove_tree(r, path) : done(r, path, err);
	free(path);
	return status;
}

static int empty_directory(struct removal *r, const char *path)
{
	struct cli_names names;
	int err = cli_list(r->im, path, &names), status = CLI_DONE;

	if (err)
		status = cli_failed(r->im, path, err, NULL);
	for (size_t i = 0; i < names.count && status < CLI_IO; i++) {
		if (cli_interrupted())
			status = CLI_REFUSED;
		else if (!cli_is_dots(names.items[i].name))
			status = cli_worse(status, remove_name(r, path, &names.items[i]));
	}
	cli_names_free(&names);
	return status;
}

static int remove_tree(struct removal *r, const char *path)
{
	struct extant_stat st;
	int err = extant_lstat(r->im->x, path, &st), status;

	if (err)
		return cli_failed(r->im, path, err, NULL);
	if (!cli_ino_add(&r->entered, (uint32_t)st.ino)) {
		cli_error("%s: %s: inode %u is a directory with two names; run e2fsck on the image",
			  r->im->path, path, (uint32_t)st.ino);
		return CLI_DAMAGED;
	}
	status = empty_directory(r, path);
	return status ? status : done(r, path, extant_rmdir(r->im->x, path));
}

int cli_remove(struct cli_image *im, const char *path)
{
	struct removal r = { .im = im };
	int err = extant_unlink(im->x, path), status;

	status = err == -EISDIR ? remove_tree(&r, path) : done(&r, path, err);
	cli_ino_free(&r.entered);
	return status;
}

/* ---- rm */

/* `/`, `.` and `..`: emptying them is hardly what was meant, and they cannot be removed. */
static bool is_kept(struct cli_image *im, const char *path)
{
	struct extant_stat st;

	return cli_is_dots(cli_basename(path)) || !strcmp(cli_basename(path), "/") ||
	       (!extant_lstat(im->x, path, &st) && st.ino == 2);
}

static int remove_one(struct removal *r, const char *path, const struct rm_args *args)
{
	int err = extant_unlink(r->im->x, path);

	if (err == -ENOENT && args->force)
		return CLI_DONE;
	if (err == -EISDIR && args->recursive && is_kept(r->im, path)) {
		cli_error("%s: %s: not removed; name what is in it", r->im->path, path);
		return CLI_REFUSED;
	}
	if (err == -EISDIR && args->recursive)
		return remove_tree(r, path);
	if (err == -EISDIR && args->directories)
		err = extant_rmdir(r->im->x, path);
	if (err == -EISDIR)
		return cli_failed(r->im, path, err, "-r removes it and all that is in it");
	return done(r, path, err);
}

static int on(struct cli_image *im, const void *v, int count, char **words)
{
	const struct rm_args *args = v;
	struct removal r = { .im = im, .verbose = args->verbose };
	int status = CLI_DONE;

	for (int i = 0; i < count && !cli_interrupted(); i++)
		status = cli_worse(status, remove_one(&r, words[i], args));
	cli_ino_free(&r.entered);
	return status;
}

static const struct cli_option options[] = {
	{ CLI_FLAG, 'r', "recursive", NULL, "remove directories, and what is in them",
	  offsetof(struct rm_args, recursive) },
	{ CLI_FLAG, 'R', NULL, NULL, "the same", offsetof(struct rm_args, recursive) },
	{ CLI_FLAG, 'f', "force", NULL, "what is not there is no error",
	  offsetof(struct rm_args, force) },
	{ CLI_FLAG, 'd', "dir", NULL, "remove empty directories",
	  offsetof(struct rm_args, directories) },
	{ CLI_FLAG, 'v', "verbose", NULL, "print what was removed",
	  offsetof(struct rm_args, verbose) },
	CLI_MOUNT_OPTIONS(struct rm_args, options),
	{ CLI_END },
};

const struct cli_command cli_rm = {
	.name = "rm",
	.arguments = "IMAGE PATH...",
	.summary = "remove files of an image",
	.options = options,
	.args_size = sizeof(struct rm_args),
	.args_min = 2,
	.paths = CLI_PATHS_ALL,
	.access = CLI_WRITE,
	.on = on,
};

/* ---- rmdir */

struct rmdir_args {
	const char *options;
	bool parents, ignore, verbose;
};

static int remove_directory(struct cli_image *im, const char *path, const struct rmdir_args *args)
{
	int err = extant_rmdir(im->x, path);

	if (!err && args->verbose)
		cli_print_line(path);
	if (err == -ENOTEMPTY && args->ignore)
		return CLI_DONE;
	if (!err)
		return CLI_DONE;
	return cli_failed(im, path, err,
			  err == -ENOTEMPTY ? "extant rm -r removes it and all that is in it"
					    : NULL);
}

static int remove_with_parents(struct cli_image *im, const char *path,
			       const struct rmdir_args *args)
{
	int status = remove_directory(im, path, args);
	char *dir = cli_dirname(path), *next;

	while (!status && args->parents && strcmp(dir, "/") != 0 && strcmp(dir, ".") != 0) {
		status = remove_directory(im, dir, args);
		next = cli_dirname(dir);
		free(dir);
		dir = next;
	}
	free(dir);
	return status;
}

static int rmdir_on(struct cli_image *im, const void *v, int count, char **words)
{
	int status = CLI_DONE;

	for (int i = 0; i < count && !cli_interrupted(); i++)
		status = cli_worse(status, remove_with_parents(im, words[i], v));
	return status;
}

static const struct cli_option rmdir_options[] = {
	{ CLI_FLAG, 'p', "parents", NULL, "then those that it was in, while they are empty",
	  offsetof(struct rmdir_args, parents) },
	{ CLI_FLAG, 0, "ignore-fail-on-non-empty", NULL,
	  "one that is not empty stays, and is no error", offsetof(struct rmdir_args, ignore) },
	{ CLI_FLAG, 'v', "verbose", NULL, "print what was removed",
	  offsetof(struct rmdir_args, verbose) },
	CLI_MOUNT_OPTIONS(struct rmdir_args, options),
	{ CLI_END },
};

const struct cli_command cli_rmdir = {
	.name = "rmdir",
	.arguments = "IMAGE PATH...",
	.summary = "remove empty directories of an image",
	.options = rmdir_options,
	.args_size = sizeof(struct rmdir_args),
	.args_min = 2,
	.paths = CLI_PATHS_ALL,
	.access = CLI_WRITE,
	.on = rmdir_on,
};
