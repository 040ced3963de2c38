/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant mkdir: make directories.
 */
#include <string.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "cli/cli.h"

struct mkdir_args {
	const char *options, *mode;
	bool parents, verbose;
};

static bool is_directory(struct cli_image *im, const char *path)
{
	struct extant_stat st;

	return !extant_stat(im->x, path, &st) && S_ISDIR(st.mode);
}

/* Each directory on the way to `path`; those that are there are no error. */
static int make_parents(struct cli_image *im, const char *path)
{
	char *part = cli_join(path, ""); /* each name is followed by a slash */
	int err = 0;

	for (char *p = part; *p && !err; p++) {
		if (*p != '/' || p == part)
			continue;
		*p = '\0';
		err = extant_mkdir(im->x, part, 0755);
		if (err == -EEXIST && is_directory(im, part))
			err = 0;
		*p = '/';
	}
	free(part);
	return err;
}

/* Without its last name; to be freed. NULL: there is nothing before it. */
static char *parent_of(const char *path)
{
	size_t n = strlen(path);
	char *parent = cli_strdup(path);

	while (n && path[n - 1] == '/')
		n--;
	while (n && path[n - 1] != '/')
		n--;
	parent[n] = '\0';
	if (n)
		return parent;
	free(parent);
	return NULL;
}

static int make_one(struct cli_image *im, const char *path, uint32_t mode,
		    const struct mkdir_args *args)
{
	char *parent = args->parents ? parent_of(path) : NULL;
	int err = parent ? make_parents(im, parent) : 0;

	free(parent);
	if (!err)
		err = extant_mkdir(im->x, path, mode);
	if (err == -EEXIST && args->parents && is_directory(im, path))
		return CLI_DONE;
	/* mkdir(2) leaves set-group-ID to the parent, and the mask of the mount takes part. */
	if (!err && args->mode)
		err = extant_chmod(im->x, path, mode);
	if (!err && args->verbose)
		cli_print_line(path);
	if (!err)
		return CLI_DONE;
	return cli_failed(im, path, err,
			  err == -ENOENT ? "-p makes the directories on the way" : NULL);
}

static int check(const void *v, int count, char **words)
{
	const struct mkdir_args *args = v;
	uint32_t mode;

	if (args->mode && !cli_parse_mode(args->mode, 0777, true, &mode))
		return cli_usage("-m %s: no mode", args->mode);
	return CLI_DONE;
}

static int on(struct cli_image *im, const void *v, int count, char **words)
{
	const struct mkdir_args *args = v;
	uint32_t mode = 0755;
	int status = CLI_DONE;

	if (args->mode)
		(void)cli_parse_mode(args->mode, 0777, true, &mode); /* checked */
	for (int i = 0; i < count && !cli_interrupted(); i++)
		status = cli_worse(status, make_one(im, words[i], mode, args));
	return status;
}

static const struct cli_option options[] = {
	{ CLI_FLAG, 'p', "parents", NULL,
	  "make the directories on the way too; one that is there is no error",
	  offsetof(struct mkdir_args, parents) },
	{ CLI_TEXT, 'm', "mode", "MODE", "permission bits, octal or as chmod has them (755)",
	  offsetof(struct mkdir_args, mode) },
	{ CLI_FLAG, 'v', "verbose", NULL, "print each directory that was made",
	  offsetof(struct mkdir_args, verbose) },
	CLI_MOUNT_OPTIONS(struct mkdir_args, options),
	{ CLI_END },
};

const struct cli_command cli_mkdir = {
	.name = "mkdir",
	.arguments = "IMAGE PATH...",
	.summary = "make directories in an image",
	.details = "They belong to root.",
	.options = options,
	.args_size = sizeof(struct mkdir_args),
	.args_min = 2,
	.paths = CLI_PATHS_ALL,
	.access = CLI_WRITE,
	.check = check,
	.on = on,
};
