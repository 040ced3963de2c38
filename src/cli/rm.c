/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant rm: remove files, and with -r directories and all that is in them.
 */
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "cli/cli.h"

struct rm_args {
	const char *options;
	bool recursive, force;
};

struct removal {
	struct cli_image *im;
	struct cli_ino_set
		entered; /* a directory is emptied once: a damaged tree may have circles */
};

static int remove_tree(struct removal *r, const char *path);

static int remove_name(struct removal *r, const char *dir, const struct cli_name *name)
{
	char *path = cli_join(dir, name->name);
	int status, err;

	if (name->type == DT_DIR) {
		status = remove_tree(r, path);
	} else {
		err = extant_unlink(r->im->x, path);
		/* The entry may be silent about what it names. */
		if (err == -EISDIR)
			status = remove_tree(r, path);
		else
			status = err ? cli_failed(r->im, path, err, NULL) : CLI_DONE;
	}
	free(path);
	return status;
}

static int empty_directory(struct removal *r, const char *path)
{
	struct cli_names names;
	int err = cli_list(r->im, path, &names), status = CLI_DONE;

	if (err)
		status = cli_failed(r->im, path, err, NULL);
	for (size_t i = 0; i < names.count && status < CLI_IO; i++)
		if (!cli_is_dots(names.items[i].name))
			status = cli_worse(status, remove_name(r, path, &names.items[i]));
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
	if (status)
		return status;
	err = extant_rmdir(r->im->x, path);
	return err ? cli_failed(r->im, path, err, NULL) : CLI_DONE;
}

static int remove_one(struct removal *r, const char *path, const struct rm_args *args)
{
	int err = extant_unlink(r->im->x, path);

	if (!err || (err == -ENOENT && args->force))
		return CLI_DONE;
	if (err != -EISDIR)
		return cli_failed(r->im, path, err, NULL);
	if (!args->recursive)
		return cli_failed(r->im, path, err, "-r removes it and all that is in it");
	return remove_tree(r, path);
}

static int run(const void *v, int count, char **words)
{
	const struct rm_args *args = v;
	struct cli_image im;
	struct removal r = { .im = &im };
	int status = cli_open(&im, words[0], args->options, CLI_WRITE);

	if (status)
		return status;
	for (int i = 1; i < count; i++)
		status = cli_worse(status, remove_one(&r, words[i], args));
	cli_ino_free(&r.entered);
	return cli_close(&im, status);
}

static const struct cli_option options[] = {
	{ CLI_FLAG, 'r', "recursive", NULL, "remove directories, and what is in them",
	  offsetof(struct rm_args, recursive) },
	{ CLI_FLAG, 'f', "force", NULL, "what is not there is no error",
	  offsetof(struct rm_args, force) },
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
	.run = run,
};
