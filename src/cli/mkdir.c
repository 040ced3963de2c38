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
	bool parents;
};

static bool is_directory(struct cli_image *im, const char *path)
{
	struct extant_stat st;

	return !extant_stat(im->x, path, &st) && S_ISDIR(st.mode);
}

/* Each directory on the way to `path`; those that are there are no error. */
static int make_parents(struct cli_image *im, const char *path)
{
	char *part = cli_join(path, "");	/* each name is followed by a slash */
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

static int make_one(struct cli_image *im, const char *path, uint32_t mode, bool parents)
{
	char *parent = parents ? parent_of(path) : NULL;
	int err = parent ? make_parents(im, parent) : 0;

	free(parent);
	if (!err)
		err = extant_mkdir(im->x, path, mode);
	if (err == -EEXIST && parents && is_directory(im, path))
		return CLI_DONE;
	if (!err)
		return CLI_DONE;
	return cli_failed(im, path, err,
			  err == -ENOENT ? "-p makes the directories on the way" : NULL);
}

static int run(const void *v, int count, char **words)
{
	const struct mkdir_args *args = v;
	struct cli_image im;
	uint32_t mode = 0755;
	int status;

	if (args->mode && !cli_parse_mode(args->mode, &mode))
		return cli_usage("-m %s: no octal mode", args->mode);
	status = cli_open(&im, words[0], args->options, CLI_WRITE);
	if (status)
		return status;
	for (int i = 1; i < count; i++)
		status = cli_worse(status, make_one(&im, words[i], mode, args->parents));
	return cli_close(&im, status);
}

static const struct cli_option options[] = {
	{ CLI_FLAG, 'p', "parents", NULL,
	  "make the directories on the way too; one that is there is no error",
	  offsetof(struct mkdir_args, parents) },
	{ CLI_TEXT, 'm', "mode", "MODE", "octal permission bits (755)",
	  offsetof(struct mkdir_args, mode) },
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
	.run = run,
};
