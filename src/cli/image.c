/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening and closing an image for a command, and what the library says about it meanwhile.
 *
 * In steps, because each has an exit status of its own: the options (2), the image (8), the mount
 * (4 when it is the image's fault). Of the library's messages the last error is kept: it becomes
 * the reason of the failure that follows. Warnings are printed at the end, unless one turns out to
 * be the reason.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "cli/cli.h"
#include "lib/lib.h"

/* ---- messages */

static void flush_warning(struct cli_image *im)
{
	if (*im->warning)
		cli_warning("%s", im->warning);
	*im->warning = '\0';
}

static void message(void *arg, enum extant_level level, const char *text)
{
	struct cli_image *im = arg;

	if (level == EXTANT_ERROR) {
		(void)snprintf(im->error, sizeof(im->error), "%s", text);
	} else if (level == EXTANT_WARNING) {
		flush_warning(im);
		(void)snprintf(im->warning, sizeof(im->warning), "%s", text);
	}
}

/* ---- the image */

static int look_at_image(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return cli_host_failed(path, errno);
	if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
		return CLI_DONE;
	return cli_usage("%s: neither a file nor a block device", path);
}

/* What to do when an image cannot be opened; the reason may say it already. */
static int image_failed(const char *path, int err, const char *why)
{
	switch (-err) {
	case EINVAL:
	case ENODATA:
	case ENOENT:
		return cli_usage("%s: %s", path, why);
	case EFSCORRUPTED:
	case EFSBADCRC:
		cli_error("%s: %s", path, why);
		return CLI_DAMAGED;
	default:
		cli_error("%s: %s", path, why);
		return CLI_IO;
	}
}

int cli_open_device(struct arena *a, const char *path, const char *options, bool read_only,
		    char rest[CLI_OPTIONS_MAX], struct block_device **out)
{
	char why[256] = "";
	struct ext4_options parsed;
	int status = look_at_image(path), err;

	if (status)
		return status;
	if (strlen(options) + sizeof(",ro") > CLI_OPTIONS_MAX)
		return cli_usage("the mount options are too long");
	err = lib_open_image(a, path, options, read_only, rest, out, why, sizeof(why));
	if (err)
		return image_failed(path, err, *why ? why : cli_why(err));
	if (read_only)
		(void)strcat(strcat(rest, *rest ? "," : ""), "ro");
	ext4_default_options(&parsed);
	if (ext4_parse_options(rest, &parsed, why, sizeof(why)) == 0)
		return CLI_DONE;
	block_close(*out);
	return cli_usage("%s", why);
}

/* ---- the mount */

static int mount_device(struct cli_image *im, struct block_device *dev, const char *options)
{
	struct extant_options opt;
	struct lib_mount_args args = {
		.image = im->path,
		.opt = &opt,
		.device = dev,
		.dialect = DIALECT_6_18,
	};
	int err;

	extant_options_init(&opt);
	opt.mount_options = options;
	opt.mode = EXTANT_INLINE;
	opt.message = message;
	opt.arg = im;
	err = lib_mount(&args, &im->x);
	return err ? cli_mount_failed(im->path, im->error, err) : CLI_DONE;
}

int cli_open(struct cli_image *im, const char *path, const char *options, enum cli_access access)
{
	char rest[CLI_OPTIONS_MAX] = "";
	struct block_device *dev;
	int status;

	*im = (struct cli_image){ .path = path,
				  .arena = arena_create(),
				  .options = options ? options : "",
				  .access = access };
	if (!im->arena)
		return cli_host_failed(path, ENOMEM);
	status = cli_open_device(im->arena, path, im->options, access == CLI_READ, rest, &dev);
	if (!status)
		status = mount_device(im, dev, rest);
	if (status) {
		flush_warning(im);
		arena_destroy(im->arena);
	}
	return status;
}

int cli_close(struct cli_image *im, int status)
{
	int err = extant_unmount(im->x);

	if (err)
		status = cli_worse(status, cli_failed(im, "", err, NULL));
	flush_warning(im);
	free(im->cwd);
	arena_destroy(im->arena);
	return status;
}
