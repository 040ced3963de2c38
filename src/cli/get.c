/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant get: a file out of an image.
 *
 * Into a file of the host, holes stay holes and the permission bits are kept. What was begun and
 * failed is removed again, if it was not there before.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/cli.h"

#define CHUNK_BYTES (256u << 10)

struct get_args {
	const char *options;
};

struct copy {
	struct cli_image *im;
	const char *from, *to; /* in the image; of the host */
	int in, out;
	char *buf;
};

/* ---- bytes */

static int write_all(struct copy *c, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(c->out, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cli_host_failed(c->to, errno);
		p += n;
		len -= (size_t)n;
	}
	return CLI_DONE;
}

/* [at, end), written where the host's file stands. */
static int copy_range(struct copy *c, int64_t at, int64_t end)
{
	int status = CLI_DONE;

	while (!status && at < end) {
		size_t want = (size_t)min((int64_t)CHUNK_BYTES, end - at);
		int64_t n = extant_pread(c->im->x, c->in, c->buf, want, at);

		if (n < 0)
			return cli_failed(c->im, c->from, (int)n, NULL);
		if (!n)
			break;
		status = write_all(c, c->buf, (size_t)n);
		at += n;
	}
	return status;
}

/* Stretch by stretch of data; what lies between is a hole there too. */
static int copy_sparse(struct copy *c, int64_t size)
{
	int64_t at, hole = 0;
	int status = CLI_DONE;

	while (!status && (at = extant_lseek(c->im->x, c->in, hole, SEEK_DATA)) >= 0) {
		hole = extant_lseek(c->im->x, c->in, at, SEEK_HOLE);
		if (hole < 0)
			return cli_failed(c->im, c->from, (int)hole, NULL);
		if (lseek(c->out, at, SEEK_SET) < 0)
			return cli_host_failed(c->to, errno);
		status = copy_range(c, at, hole);
	}
	if (!status && at != -ENXIO)
		return cli_failed(c->im, c->from, (int)at, NULL);
	if (!status && ftruncate(c->out, size))
		return cli_host_failed(c->to, errno);
	return status;
}

/* ---- the file of the host */

static int fill(struct copy *c, const struct extant_stat *st)
{
	struct stat host;
	int status;

	if (fstat(c->out, &host))
		return cli_host_failed(c->to, errno);
	if (!S_ISREG(host.st_mode))
		return copy_range(c, 0, (int64_t)st->size);
	status = copy_sparse(c, (int64_t)st->size);
	if (!status && fchmod(c->out, st->mode & 0777))
		status = cli_host_failed(c->to, errno);
	return status;
}

static int to_file(struct copy *c, const struct extant_stat *st)
{
	bool is_new = access(c->to, F_OK) != 0;
	int status;

	c->out = open(c->to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (c->out < 0)
		return cli_host_failed(c->to, errno);
	status = fill(c, st);
	if (close(c->out) && !status)
		status = cli_host_failed(c->to, errno);
	if (status && is_new)
		(void)unlink(c->to); /* the first error is the one to tell */
	return status;
}

/* Where it goes: into a directory under its own name. To be freed. */
static char *destination(const char *from, const char *to)
{
	struct stat st;

	if (!stat(to, &st) && S_ISDIR(st.st_mode))
		return cli_join(to, cli_basename(from));
	return cli_strdup(to);
}

/* ---- the command */

static int get(struct copy *c, const char *to)
{
	struct extant_stat st;
	int err = extant_fstat(c->im->x, c->in, &st), status;
	char *path;

	if (!err && S_ISDIR(st.mode))
		err = -EISDIR;
	if (err)
		return cli_failed(c->im, c->from, err, NULL);
	if (!strcmp(to, "-")) {
		c->to = "standard output";
		c->out = STDOUT_FILENO;
		return copy_range(c, 0, (int64_t)st.size);
	}
	c->to = path = destination(c->from, to);
	status = to_file(c, &st);
	free(path);
	return status;
}

static int on(struct cli_image *im, const void *v, int count, char **words)
{
	struct copy c = { .im = im, .from = words[0] };
	int status;

	c.in = extant_open(im->x, c.from, O_RDONLY, 0);
	if (c.in < 0)
		return cli_failed(im, c.from, c.in, NULL);
	c.buf = cli_realloc(NULL, CHUNK_BYTES);
	status = get(&c, count > 1 ? words[1] : ".");
	free(c.buf);
	extant_close(im->x, c.in);
	return status;
}

static const struct cli_option options[] = {
	CLI_MOUNT_OPTIONS(struct get_args, options),
	{ CLI_END },
};

const struct cli_command cli_get = {
	.name = "get",
	.arguments = "IMAGE PATH [FILE]",
	.summary = "copy a file out of an image",
	.details = "FILE: where to; a directory: into it, under the same name; -: standard output; "
		   "left out:\n"
		   "here. Holes and permission bits are kept. The image is mounted read-only: what "
		   "its\n"
		   "journal holds is seen, and nothing is written.",
	.options = options,
	.args_size = sizeof(struct get_args),
	.args_min = 2,
	.args_max = 3,
	.careful = true,
	.paths = CLI_PATHS_FIRST,
	.on = on,
};
