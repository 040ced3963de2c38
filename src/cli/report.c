/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors and the exit status. One error is one line on stderr: what was done, where (image, path,
 * inode, block), why it failed, and what to do about it.
 */
#include <stdarg.h>
#include <string.h>
#include "cli/cli.h"

/* The process runs one command; its name is what every message begins with. */
static const char *command = "", *place = "";

void cli_set_command(const char *name)
{
	command = name;
}

void cli_set_place(const char *text)
{
	place = text;
}

/* Names in images and arguments may hold anything; a message stays one line. */
static void print_line(const char *prefix, const char *fmt, va_list args, const char *end)
{
	char text[1024];

	(void)vsnprintf(text, sizeof(text), fmt, args);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	cli_progress_clear();
	fflush(stdout);
	fprintf(stderr, "extant%s%s%s%s: %s%s%s\n", *place ? " " : "", place,
		*command ? (*place ? ": " : " ") : "", command, prefix, text, end);
}

void cli_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_line("", fmt, args, "");
	va_end(args);
}

void cli_warning(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_line("warning: ", fmt, args, "");
	va_end(args);
}

int cli_usage(const char *fmt, ...)
{
	char end[80];
	va_list args;

	(void)snprintf(end, sizeof(end), "; see extant %s%s--help", command, *command ? " " : "");
	va_start(args, fmt);
	print_line("", fmt, args, end);
	va_end(args);
	return CLI_USAGE;
}

/* ---- what an error means */

static const struct {
	int err;
	const char *why, *hint; /* hint NULL: it needs none */
} meanings[] = {
	{ EFSCORRUPTED, "the file system is damaged", "run e2fsck on the image" },
	{ EFSBADCRC, "a checksum is wrong: the file system is damaged", "run e2fsck on the image" },
	{ EIO, "I/O error", "see whether the disk under the image is well and has room" },
	{ ENOSPC, "no space left in the file system",
	  "remove something, or enlarge it (truncate -s, e2fsck -f, resize2fs)" },
	{ EROFS, "mounted read-only", "leave out -o ro, and see extant info" },
	{ ENOENT, "no such file or directory", NULL },
	{ ENOTDIR, "a part of the path is no directory", NULL },
	{ EISDIR, "is a directory", NULL },
	{ EEXIST, "is there already", NULL },
	{ ENOTEMPTY, "the directory is not empty", NULL },
	{ ELOOP, "too many symbolic links, or they lead in a circle", NULL },
	{ ENAMETOOLONG, "the name is too long (255 bytes, a path 4095)", NULL },
	{ EMLINK, "too many directories in one (65,000, without dir_nlink)", NULL },
	{ EFBIG, "the file would be too large for this file system", NULL },
	{ ENOMEM, "out of memory", "give it a smaller cache (-o cache_mb=N)" },
	{ EBUSY, "in use", NULL },
	{ EOPNOTSUPP, "this version does not support that", NULL },
};

const char *cli_why(int err)
{
	err = err < 0 ? -err : err;
	for (size_t i = 0; i < array_size(meanings); i++)
		if (meanings[i].err == err)
			return meanings[i].why;
	return strerror(err);
}

static const char *general_hint(int err)
{
	for (size_t i = 0; i < array_size(meanings); i++)
		if (meanings[i].err == -err)
			return meanings[i].hint;
	return NULL;
}

enum cli_status cli_status_of(int err)
{
	switch (-err) {
	case EFSCORRUPTED:
	case EFSBADCRC:
		return CLI_DAMAGED;
	case EIO:
	case ENOMEM:
		return CLI_IO;
	default:
		return CLI_REFUSED;
	}
}

/* The library's message without the image's name, which stands before it already. */
static const char *detail(const struct cli_image *im)
{
	size_t n = strlen(im->path);

	if (!strncmp(im->error, im->path, n) && !strncmp(im->error + n, ": ", 2))
		return im->error + n + 2;
	return im->error;
}

/* What the library said is about this failure when it is one of damage or of I/O. */
static const char *reason(const struct cli_image *im, int err)
{
	return *im->error && cli_status_of(err) != CLI_REFUSED ? detail(im) : cli_why(err);
}

int cli_failed(struct cli_image *im, const char *path, int err, const char *hint)
{
	const char *why = reason(im, err);

	if (err == -EROFS && *im->warning) {
		cli_error("%s: %s", path, im->warning);
		*im->warning = '\0';
		return cli_status_of(err);
	}
	if (!hint && !strstr(why, "e2fsck"))
		hint = general_hint(err);
	cli_error("%s: %s%s%s%s%s", im->path, path, *path ? ": " : "", why, hint ? "; " : "",
		  hint ? hint : "");
	*im->error = '\0';
	return cli_status_of(err);
}

int cli_mount_failed(const char *image, const char *said, int err)
{
	bool of_image = err == -EINVAL || err == -EOPNOTSUPP;
	const char *hint = of_image || strstr(said, "e2fsck") ? NULL : general_hint(err);

	if (*said)
		cli_error("%s%s%s", said, hint ? "; " : "", hint ? hint : "");
	else
		cli_error("%s: cannot be mounted: %s%s%s", image, cli_why(err), hint ? "; " : "",
			  hint ? hint : "");
	if (of_image)
		return CLI_DAMAGED;
	return cli_status_of(err) == CLI_REFUSED ? CLI_IO : cli_status_of(err);
}

int cli_host_failed(const char *path, int err)
{
	cli_error("%s: %s", path, strerror(err));
	return CLI_IO;
}

int cli_finish_output(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	cli_error("standard output: cannot be written");
	return cli_worse(status, CLI_IO);
}
