/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant fallocate: space for a range of a file, or a range without space.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include "cli/cli.h"

struct fallocate_args {
	const char *options, *offset, *length;
	bool keep_size, punch, zero, collapse, insert, verbose;
};

static bool parse_range(const struct fallocate_args *args, uint64_t *offset, uint64_t *length)
{
	*offset = 0;
	return args->length && cli_parse_size(args->length, length) && *length &&
	       (!args->offset || cli_parse_size(args->offset, offset));
}

static int check(const void *v, int count, char **words)
{
	const struct fallocate_args *args = v;
	uint64_t offset, length;

	if (!args->length)
		return cli_usage("it needs -l LENGTH");
	if (!parse_range(args, &offset, &length))
		return cli_usage("-l and --offset take sizes, like 10M");
	if (args->punch + args->zero + args->collapse + args->insert > 1)
		return cli_usage("-p, -z, -c and -i exclude each other");
	return CLI_DONE;
}

static int mode_of(const struct fallocate_args *args)
{
	int keep = args->keep_size ? FALLOC_FL_KEEP_SIZE : 0;

	if (args->punch)
		return FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	if (args->zero)
		return FALLOC_FL_ZERO_RANGE | keep;
	if (args->collapse)
		return FALLOC_FL_COLLAPSE_RANGE;
	return args->insert ? FALLOC_FL_INSERT_RANGE : keep;
}

static int one(struct cli_image *im, const char *path, const struct fallocate_args *args)
{
	bool creates = !args->punch && !args->collapse && !args->insert;
	int fd = extant_open(im->x, path, O_RDWR | (creates ? O_CREAT : 0), 0644), err, closed;
	uint64_t offset, length;

	if (fd < 0)
		return cli_failed(im, path, fd, NULL);
	(void)parse_range(args, &offset, &length); /* checked */
	err = extant_fallocate(im->x, fd, mode_of(args), (int64_t)offset, (int64_t)length);
	closed = extant_close(im->x, fd);
	if (!err)
		err = closed;
	if (!err && args->verbose) {
		cli_print_name(path);
		printf(": %llu bytes from %llu\n", (unsigned long long)length,
		       (unsigned long long)offset);
	}
	return err ? cli_failed(im, path, err,
				err == -EINVAL && (args->collapse || args->insert)
					? "the range is of whole blocks, inside the file"
					: NULL)
		   : CLI_DONE;
}

static int on(struct cli_image *im, const void *v, int count, char **words)
{
	int status = CLI_DONE;

	for (int i = 0; i < count && !cli_interrupted(); i++)
		status = cli_worse(status, one(im, words[i], v));
	return status;
}

#define FLAG(letter, name, help, field) \
	{ \
		CLI_FLAG, letter, name, NULL, help, offsetof(struct fallocate_args, field) \
	}

static const struct cli_option options[] = {
	{ CLI_TEXT, 'l', "length", "SIZE", "how much", offsetof(struct fallocate_args, length) },
	{ CLI_TEXT, 0, "offset", "SIZE", "from where (0); -o is for mount options",
	  offsetof(struct fallocate_args, offset) },
	FLAG('n', "keep-size", "the size of the file stays", keep_size),
	FLAG('p', "punch-hole", "give the space of the range back; it reads as zeros", punch),
	FLAG('z', "zero-range", "the range reads as zeros, and has space", zero),
	FLAG('c', "collapse-range", "take the range out of the file", collapse),
	FLAG('i', "insert-range", "put a hole in there, and move the rest", insert),
	FLAG('v', "verbose", "print what was done", verbose),
	CLI_MOUNT_OPTIONS(struct fallocate_args, options),
	{ CLI_END },
};

const struct cli_command cli_fallocate = {
	.name = "fallocate",
	.arguments = "IMAGE -l LENGTH PATH...",
	.summary = "give a range of a file of an image space, or take it",
	.details =
		"Without -p, -z, -c or -i the range gets space, which reads as zeros; a file that "
		"is not there\n"
		"is made.",
	.options = options,
	.args_size = sizeof(struct fallocate_args),
	.args_min = 2,
	.paths = CLI_PATHS_ALL,
	.access = CLI_WRITE,
	.check = check,
	.on = on,
};
