/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant ln, extant mknod: further names for files, symbolic links; devices, FIFOs and sockets.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "cli/place.h"

struct ln_args {
	const char *options, *directory;
	bool symbolic, force, no_follow, plain, verbose;
};

static int make_link(struct cli_image *im, const char *target, const char *path, bool symbolic)
{
	char *from;
	int err;

	if (symbolic)
		return extant_symlink(im->x, target, path);
	from = cli_at(im, target);
	err = extant_link(im->x, from, path);
	free(from);
	return err;
}

static bool is_same(struct cli_image *im, const char *target, const char *path)
{
	char *from = cli_at(im, target);
	struct extant_stat a, b;
	bool same =
		!extant_lstat(im->x, from, &a) && !extant_lstat(im->x, path, &b) && a.ino == b.ino;

	free(from);
	return same;
}

/* With -f: made beside what is there, and renamed over it. */
static int replace(struct cli_image *im, const char *target, const char *path, bool symbolic)
{
	char *dir = cli_dirname(path), *beside = cli_join(dir, ".extant-link");
	int err = -EEXIST;

	/* Two names of one file: rename(2) would do nothing and leave both. */
	if (symbolic || !is_same(im, target, path))
		err = make_link(im, target, beside, symbolic);
	if (!err)
		err = extant_rename(im->x, beside, path, 0);
	if (err && err != -EEXIST)
		(void)extant_unlink(im->x, beside); /* the first error is the one to tell */
	free(beside);
	free(dir);
	return err;
}

static int link_one(struct cli_image *im, const char *target, const char *path,
		    const struct ln_args *args)
{
	int err = make_link(im, target, path, args->symbolic);

	if (err == -EEXIST && args->force)
		err = replace(im, target, path, args->symbolic);
	if (err)
		return cli_failed(im, path, err,
				  err == -EEXIST ? "-f replaces it"
				  : err == -EPERM
					  ? "a directory has one name; -s makes a symbolic link"
					  : NULL);
	if (args->verbose) {
		cli_print_name(path);
		fputs(args->symbolic ? " -> " : " => ", stdout);
		cli_print_line(target);
	}
	return CLI_DONE;
}

static bool is_directory(struct cli_image *im, const char *path, const struct ln_args *args)
{
	struct extant_stat st;
	int err = args->no_follow ? extant_lstat(im->x, path, &st) : extant_stat(im->x, path, &st);

	return !err && S_ISDIR(st.mode);
}

static int ln_check(const void *v, int count, char **words)
{
	const struct ln_args *args = v;

	if (args->plain && (args->directory || count != 2))
		return cli_usage("-T: one TARGET and one NAME");
	return CLI_DONE;
}

static int ln_on(struct cli_image *im, const void *v, int count, char **words)
{
	const struct ln_args *args = v;
	bool here = count == 1 && !args->directory;
	const char *last = args->directory ? args->directory : here ? "" : words[count - 1];
	char *to = cli_at(im, last);
	struct place place = place_of_image(im);
	int targets = args->directory || here ? count : count - 1, status = CLI_DONE;
	bool into = !args->plain && is_directory(im, to, args);

	if (!into && targets > 1)
		status = cli_failed(im, to, -ENOTDIR, NULL);
	for (int i = 0; i < targets && (into || targets == 1) && !cli_interrupted(); i++) {
		char *path = into ? place_target(&place, words[i], to) : cli_strdup(to);

		status = cli_worse(status, link_one(im, words[i], path, args));
		free(path);
	}
	free(to);
	return status;
}

#define FLAG(letter, name, help, field) \
	{ \
		CLI_FLAG, letter, name, NULL, help, offsetof(struct ln_args, field) \
	}

static const struct cli_option ln_options[] = {
	FLAG('s', "symbolic", "a symbolic link, which holds TARGET as it is written", symbolic),
	FLAG('f', "force", "replace what is there", force),
	FLAG('n', "no-dereference", "NAME is no directory if it is a link to one", no_follow),
	FLAG('T', "no-target-directory", "NAME is the new name, also where it is a directory",
	     plain),
	FLAG('v', "verbose", "print each link", verbose),
	{ CLI_TEXT, 't', "target-directory", "PATH", "into that directory; all words are TARGET",
	  offsetof(struct ln_args, directory) },
	CLI_MOUNT_OPTIONS(struct ln_args, options),
	{ CLI_END },
};

const struct cli_command cli_ln = {
	.name = "ln",
	.arguments = "IMAGE TARGET... [NAME]",
	.summary = "give files of an image further names, or make symbolic links",
	.details = "NAME: the new name, or a directory for links of the same names; left out: the "
		   "root. A\n"
		   "symbolic link itself gets the further name, not what it leads to.",
	.options = ln_options,
	.args_size = sizeof(struct ln_args),
	.args_min = 2,
	.paths = CLI_PATHS_OWN,
	.access = CLI_WRITE,
	.check = ln_check,
	.on = ln_on,
};

/* ---- mknod */

struct mknod_args {
	const char *options, *mode;
};

/* "p", "s", or "b|c MAJOR MINOR": the words behind PATH. */
static bool parse_node(int count, char **words, uint32_t *type, uint32_t *major, uint32_t *minor)
{
	static const struct {
		const char *word;
		uint32_t type;
		bool device;
	} kinds[] = { { "b", S_IFBLK, true },
		      { "c", S_IFCHR, true },
		      { "u", S_IFCHR, true },
		      { "p", S_IFIFO, false },
		      { "s", S_IFSOCK, false } };
	uint64_t numbers[2] = { 0, 0 };

	for (size_t i = 0; i < array_size(kinds); i++) {
		if (strcmp(words[0], kinds[i].word) != 0)
			continue;
		if (count != (kinds[i].device ? 3 : 1))
			return false;
		if (count == 3 && (!cli_parse_number(words[1], 4095, &numbers[0]) ||
				   !cli_parse_number(words[2], 1048575, &numbers[1])))
			return false;
		*type = kinds[i].type;
		*major = (uint32_t)numbers[0];
		*minor = (uint32_t)numbers[1];
		return true;
	}
	return false;
}

static int mknod_check(const void *v, int count, char **words)
{
	const struct mknod_args *args = v;
	uint32_t mode, major, minor;

	if (args->mode && !cli_parse_mode(args->mode, 0666, false, &mode))
		return cli_usage("-m %s: no mode", args->mode);
	if (!parse_node(count - 1, words + 1, &mode, &major, &minor))
		return cli_usage("%s: it is p, s, or b or c with MAJOR (to 4095) and MINOR "
				 "(to 1048575)",
				 words[1]);
	return CLI_DONE;
}

static int mknod_on(struct cli_image *im, const void *v, int count, char **words)
{
	const struct mknod_args *args = v;
	uint32_t mode = 0644, type = 0, major = 0, minor = 0;
	char *path = cli_at(im, words[0]);
	int err, status;

	(void)parse_node(count - 1, words + 1, &type, &major, &minor); /* both checked */
	if (args->mode)
		(void)cli_parse_mode(args->mode, 0666, false, &mode);
	err = extant_mknod(im->x, path, type | mode, major, minor);
	if (!err && args->mode)
		err = extant_chmod(im->x, path, mode);
	status = err ? cli_failed(im, path, err, NULL) : CLI_DONE;
	free(path);
	return status;
}

static const struct cli_option mknod_options[] = {
	{ CLI_TEXT, 'm', "mode", "MODE", "permission bits, octal or as chmod has them (644)",
	  offsetof(struct mknod_args, mode) },
	CLI_MOUNT_OPTIONS(struct mknod_args, options),
	{ CLI_END },
};

const struct cli_command cli_mknod = {
	.name = "mknod",
	.arguments = "IMAGE PATH KIND [MAJOR MINOR]",
	.summary = "make a device, a FIFO or a socket in an image",
	.details =
		"KIND: b block device, c character device (both with MAJOR and MINOR), p FIFO, s "
		"socket.",
	.options = mknod_options,
	.args_size = sizeof(struct mknod_args),
	.args_min = 3,
	.args_max = 5,
	.paths = CLI_PATHS_OWN,
	.access = CLI_WRITE,
	.check = mknod_check,
	.on = mknod_on,
};
