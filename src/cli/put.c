/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant put: a file of the host into an image.
 *
 * Holes stay holes and the permission bits are kept. It is on disk when the command has ended with
 * 0. What was begun and failed is removed again, if it was not there before.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/cli.h"

#define CHUNK_BYTES (256u << 10)

struct put_args {
	const char *options, *mode;
};

struct copy {
	struct cli_image *im;
	const char *from, *to; /* of the host; in the image */
	int in, out;
	uint32_t mode;
	char *buf;
};

/* ---- bytes */

static int write_all(struct copy *c, size_t len, int64_t at)
{
	for (size_t done = 0; done < len;) {
		int64_t n = extant_pwrite(c->im->x, c->out, c->buf + done, len - done,
					  at + (int64_t)done);

		if (n < 0)
			return cli_failed(c->im, c->to, (int)n, NULL);
		done += (size_t)n;
	}
	return CLI_DONE;
}

/* From where the host's file stands, to its end or to `end`; *at: where that is in the image. */
static int copy_stream(struct copy *c, int64_t *at, int64_t end)
{
	int status = CLI_DONE;

	while (!status && *at < end) {
		ssize_t n;

		if (cli_interrupted())
			return cli_interrupt_report();
		n = read(c->in, c->buf, (size_t)min((int64_t)CHUNK_BYTES, end - *at));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cli_host_failed(c->from, errno);
		if (!n)
			break;
		status = write_all(c, (size_t)n, *at);
		*at += n;
	}
	return status;
}

/*
 * The next stretch of data from *at on; 1, 0: there is none, or an error. Where nobody knows, all
 * is data.
 */
static int next_data(struct copy *c, int64_t *at, int64_t *end, int64_t size)
{
	int64_t data = lseek(c->in, *at, SEEK_DATA);

	if (data < 0 && errno == ENXIO)
		return 0;
	if (data < 0) {
		*end = size;
		return *at < size ? 1 : 0;
	}
	*at = data;
	*end = lseek(c->in, data, SEEK_HOLE);
	return *end < 0 || lseek(c->in, data, SEEK_SET) < 0 ? -errno : 1;
}

static int copy_sparse(struct copy *c, int64_t size)
{
	int64_t at = 0, end = 0;
	int status = CLI_DONE, found, err;

	while (!status && (found = next_data(c, &at, &end, size)) != 0) {
		if (found < 0)
			return cli_host_failed(c->from, -found);
		status = copy_stream(c, &at, end);
		if (at < end)
			break; /* it became shorter meanwhile */
	}
	if (status)
		return status;
	err = extant_ftruncate(c->im->x, c->out, max(at, size));
	return err ? cli_failed(c->im, c->to, err, NULL) : CLI_DONE;
}

static int fill(struct copy *c, const struct stat *host)
{
	int64_t at = 0;

	if (S_ISREG(host->st_mode) && c->in != STDIN_FILENO)
		return copy_sparse(c, host->st_size);
	return copy_stream(c, &at, INT64_MAX);
}

/* ---- the file in the image */

static int close_and_chmod(struct copy *c)
{
	int err = extant_close(c->im->x, c->out);

	if (!err)
		err = extant_chmod(c->im->x, c->to, c->mode);
	return err ? cli_failed(c->im, c->to, err, NULL) : CLI_DONE;
}

static int into_image(struct copy *c, const struct stat *host)
{
	struct extant_stat st;
	bool is_new = extant_lstat(c->im->x, c->to, &st) == -ENOENT;
	int status;

	c->out = extant_open(c->im->x, c->to, O_WRONLY | O_CREAT | O_TRUNC, c->mode);
	if (c->out < 0)
		return cli_failed(c->im, c->to, c->out,
				  c->out == -ENOENT ? "extant mkdir -p makes its directory" : NULL);
	status = fill(c, host);
	status = cli_worse(status, close_and_chmod(c));
	if (status && is_new)
		(void)extant_unlink(c->im->x, c->to); /* the first error is the one to tell */
	return status;
}

/* Where it goes: into a directory under its own name. To be freed. */
static char *destination(const struct copy *c, const char *to)
{
	struct extant_stat st;

	if (c->in != STDIN_FILENO && !extant_stat(c->im->x, to, &st) && S_ISDIR(st.mode))
		return cli_join(to, cli_basename(c->from));
	return cli_strdup(to);
}

/* ---- the command */

static int put(struct copy *c, const struct stat *host)
{
	const char *to = c->to;
	char *path;
	int status;

	c->to = path = destination(c, to);
	c->buf = cli_realloc(NULL, CHUNK_BYTES);
	status = into_image(c, host);
	free(c->buf);
	free(path);
	return status;
}

/* Opened before the image is, and once more for the copy: what is not there leaves the image alone. */
static int open_source(struct copy *c, const struct put_args *args, struct stat *host)
{
	bool from_stdin = !strcmp(c->from, "-");

	c->in = from_stdin ? STDIN_FILENO : open(c->from, O_RDONLY | O_CLOEXEC);
	if (from_stdin)
		c->from = "standard input";
	if (c->in < 0 || fstat(c->in, host))
		return cli_host_failed(c->from, errno);
	if (S_ISDIR(host->st_mode))
		return cli_host_failed(c->from, EISDIR);
	c->mode = from_stdin ? 0644 : host->st_mode & 07777;
	if (args->mode && !cli_parse_mode(args->mode, c->mode, false, &c->mode))
		return cli_usage("-m %s: no mode", args->mode);
	return CLI_DONE;
}

static void close_source(struct copy *c)
{
	if (c->in > STDIN_FILENO)
		close(c->in);
}

static int check(const void *v, int count, char **words)
{
	struct copy c = { .from = words[0] };
	struct stat host;
	int status = open_source(&c, v, &host);

	close_source(&c);
	return status;
}

static int on(struct cli_image *im, const void *v, int count, char **words)
{
	struct copy c = { .im = im, .from = words[0], .to = words[1] };
	struct stat host;
	int status;

	if (im->from_stdin && !strcmp(c.from, "-"))
		return cli_usage("-: standard input has the commands");
	status = open_source(&c, v, &host);
	if (!status)
		status = put(&c, &host);
	close_source(&c);
	return status;
}

static const struct cli_option options[] = {
	{ CLI_TEXT, 'm', "mode", "MODE",
	  "permission bits, octal or as chmod has them (those of FILE; of\n"
	  "standard input 644)",
	  offsetof(struct put_args, mode) },
	CLI_MOUNT_OPTIONS(struct put_args, options),
	{ CLI_END },
};

const struct cli_command cli_put = {
	.name = "put",
	.arguments = "IMAGE FILE PATH",
	.summary = "copy a file into an image",
	.details = "FILE -: standard input. PATH: its new name, or a directory to put it in. A "
		   "file that is\n"
		   "there gets the new bytes. It belongs to root; holes and permission bits are "
		   "kept. It is\n"
		   "on disk when the command has ended with 0.",
	.options = options,
	.args_size = sizeof(struct put_args),
	.args_min = 3,
	.args_max = 3,
	.paths = CLI_PATHS_LAST,
	.access = CLI_WRITE,
	.check = check,
	.on = on,
};
