/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant get, extant put: between an image and the host.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/copy.h"

struct transfer_args {
	const char *options, *mode, *owner;
	bool recursive, archive, preserve, keep, newer, verbose;
};

static struct copy_options copy_options(const struct transfer_args *args, uint32_t mode_mask)
{
	bool recursive = args->recursive || args->archive;

	return (struct copy_options){
		.recursive = recursive,
		.attributes = recursive || args->preserve,
		.follow = !recursive,
		.keep_existing = args->keep,
		.newer = args->newer,
		.verbose = args->verbose,
		.mode_mask = mode_mask,
		.mode = args->mode,
		.owner = args->owner,
	};
}

/* Each of the words into `to`, which several need to be a directory. */
static int copy_words(struct place from, struct place to, const struct copy_options *opt, int count,
		      char **words, const char *target)
{
	struct copy *c;
	int status = CLI_DONE;

	if (count > 1 && !place_is_directory(&to, target))
		return place_failed(&to, target, -ENOTDIR, "several files need a directory");
	c = copy_create(from, to, opt);
	for (int i = 0; i < count && !cli_interrupted(); i++) {
		bool stream = !strcmp(words[i], "-") || (!to.im && !strcmp(target, "-"));
		char *path = stream ? cli_strdup(target) : place_target(&to, words[i], target);

		status = cli_worse(status, copy_path(c, words[i], path));
		free(path);
	}
	copy_destroy(c);
	return status;
}

#define FLAG(letter, name, help, field) \
	{ \
		CLI_FLAG, letter, name, NULL, help, offsetof(struct transfer_args, field) \
	}

#define COMMON_OPTIONS \
	FLAG('r', "recursive", \
	     "directories and all that is in them, with all attributes:\n" \
	     "modes, owners, times, extended attributes, links, devices", \
	     recursive), \
		FLAG('R', NULL, "the same", recursive), FLAG('a', "archive", "the same", archive), \
		FLAG('p', "preserve", "all attributes of files too", preserve), \
		FLAG('n', "no-clobber", "leave what is there", keep), \
		FLAG('u', "update", "only over what is older", newer), \
		FLAG('v', "verbose", "print each file", verbose), \
	{ \
		CLI_IGNORED, 'f', "force", NULL, "over what is there, which is always so", 0 \
	}

/* ---- get */

static int get_check(const void *v, int count, char **words)
{
	if (count > 2 && !strcmp(words[count - 1], "-"))
		return cli_usage("-: one file at a time; extant cat prints several");
	return CLI_DONE;
}

static int get_on(struct cli_image *im, const void *v, int count, char **words)
{
	struct copy_options opt = copy_options(v, 0777);
	const char *to = count > 1 ? words[count - 1] : ".";

	return copy_words(place_of_image(im), place_of_host(), &opt, max(count - 1, 1), words, to);
}

static const struct cli_option get_options[] = {
	COMMON_OPTIONS,
	CLI_MOUNT_OPTIONS(struct transfer_args, options),
	{ CLI_END },
};

const struct cli_command cli_get = {
	.name = "get",
	.arguments = "IMAGE PATH... [FILE]",
	.summary = "copy files out of an image",
	.details =
		"FILE: where to; a directory: into it, under the same name; -: standard output; "
		"left "
		"out:\n"
		"here. Holes and permission bits are kept. A file that is there is replaced when "
		"the new\n"
		"one is whole. Who is not root owns what is made, and cannot make devices. The "
		"image is\n"
		"mounted read-only: what its journal holds is seen, and nothing is written.",
	.options = get_options,
	.args_size = sizeof(struct transfer_args),
	.args_min = 2,
	.careful = true,
	.paths = CLI_PATHS_BUT_LAST,
	.check = get_check,
	.on = get_on,
};

/* ---- put */

static int check_source(const struct transfer_args *args, const char *path)
{
	struct stat st;

	if (!strcmp(path, "-"))
		return CLI_DONE;
	if (lstat(path, &st) || (S_ISREG(st.st_mode) && access(path, R_OK)))
		return cli_host_failed(path, errno);
	if (!args->recursive && !args->archive) {
		if (stat(path, &st))
			return cli_host_failed(path, errno);
		if (S_ISDIR(st.st_mode))
			return cli_host_failed(path, EISDIR);
	}
	return CLI_DONE;
}

static int put_check(const void *v, int count, char **words)
{
	const struct transfer_args *args = v;
	uint32_t mode, uid, gid;
	int status = CLI_DONE;

	if (args->mode && !cli_parse_mode(args->mode, 0, false, &mode))
		return cli_usage("-m %s: no mode", args->mode);
	if (args->owner && !cli_parse_owner(args->owner, &uid, &gid))
		return cli_usage("--owner %s: no owner; it is UID, UID:GID or :GID", args->owner);
	if (count == 1 && !strcmp(words[0], "-"))
		return cli_usage("-: it needs PATH");
	for (int i = 0; i < max(count - 1, 1); i++)
		status = cli_worse(status, check_source(args, words[i]));
	return status;
}

static int put_on(struct cli_image *im, const void *v, int count, char **words)
{
	const struct transfer_args *args = v;
	struct copy_options opt = copy_options(args, 07777);
	char *to = count > 1 ? cli_strdup(words[count - 1]) : cli_at(im, "");
	int sources = max(count - 1, 1), status;

	for (int i = 0; i < sources; i++) {
		if (strcmp(words[i], "-") != 0)
			continue;
		opt.mode = args->mode ? args->mode : "644";
		if (im->from_stdin) {
			free(to);
			return cli_usage("-: standard input has the commands");
		}
	}
	status = copy_words(place_of_host(), place_of_image(im), &opt, sources, words, to);
	free(to);
	return status;
}

static const struct cli_option put_options[] = {
	COMMON_OPTIONS,
	{ CLI_TEXT, 'm', "mode", "MODE",
	  "permission bits of files, octal or as chmod has them (those of\n"
	  "FILE; of standard input 644)",
	  offsetof(struct transfer_args, mode) },
	{ CLI_TEXT, 0, "owner", "UID[:GID]", "who owns what is made",
	  offsetof(struct transfer_args, owner) },
	CLI_MOUNT_OPTIONS(struct transfer_args, options),
	{ CLI_END },
};

const struct cli_command cli_put = {
	.name = "put",
	.arguments = "IMAGE FILE... [PATH]",
	.summary = "copy files into an image",
	.details =
		"FILE -: standard input. PATH: its new name, or a directory to put it in; left "
		"out: "
		"the\n"
		"root. Holes and permission bits are kept. Without -p and -r a new file belongs to "
		"root.\n"
		"A file that is there is replaced when the new one is whole, and keeps its owner. "
		"It "
		"is on\n"
		"disk when the command has ended with 0.",
	.options = put_options,
	.args_size = sizeof(struct transfer_args),
	.args_min = 2,
	.paths = CLI_PATHS_LAST,
	.access = CLI_WRITE,
	.check = put_check,
	.on = put_on,
};
