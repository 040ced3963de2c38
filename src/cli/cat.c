/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant cat: the bytes of files.
 */
#include <fcntl.h>
#include <stdlib.h>
#include "cli/cli.h"

#define CHUNK_BYTES (256u << 10)

struct cat_args {
	const char *options;
};

static int copy_out(struct cli_image *im, const char *path, int fd, char *buf)
{
	int64_t n = 0;

	while (!cli_interrupted() && (n = extant_read(im->x, fd, buf, CHUNK_BYTES)) > 0)
		if (fwrite(buf, 1, (size_t)n, stdout) != (size_t)n)
			return CLI_IO; /* reported at the end */
	if (n < 0)
		return cli_failed(im, path, (int)n, NULL);
	return CLI_DONE;
}

static int cat_one(struct cli_image *im, const char *path, char *buf)
{
	int fd = extant_open(im->x, path, O_RDONLY, 0), status;

	if (fd < 0)
		return cli_failed(im, path, fd, NULL);
	status = copy_out(im, path, fd, buf);
	extant_close(im->x, fd);
	return status;
}

static int on(struct cli_image *im, const void *v, int count, char **words)
{
	char *buf = cli_realloc(NULL, CHUNK_BYTES);
	int status = CLI_DONE;

	for (int i = 0; i < count; i++)
		status = cli_worse(status, cat_one(im, words[i], buf));
	free(buf);
	return status;
}

static const struct cli_option options[] = {
	CLI_MOUNT_OPTIONS(struct cat_args, options),
	{ CLI_END },
};

const struct cli_command cli_cat = {
	.name = "cat",
	.arguments = "IMAGE PATH...",
	.summary = "print files of an image, one after the other",
	.details = "The image is mounted read-only: what its journal holds is seen, and nothing is "
		   "written.",
	.options = options,
	.args_size = sizeof(struct cat_args),
	.args_min = 2,
	.paths = CLI_PATHS_ALL,
	.on = on,
};
