/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant cp, extant mv: within an image, and between images.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "cli/copy.h"
#include "cli/others.h"

struct cp_args {
	const char *options, *directory;
	bool recursive, archive, preserve, dereference, links, keep, newer, verbose, plain,
		exchange;
};

/* A command under way: what it does with each of its words, and where to. */
struct task {
	const struct cp_args *args;
	enum cli_access sources; /* what is done with the images of the sources */
	struct others others;
	struct cli_image *to_im;
	char *to;
	bool into; /* `to` is a directory to put them in */
};

typedef int each_fn(struct task *t, struct cli_image *im, const char *from, const char *to);

/* ---- words: sources, and the target last or as -t */

static int check(const void *v, int count, char **words)
{
	const struct cp_args *args = v;

	if (count < (args->directory ? 1 : 2))
		return cli_usage("it needs FROM... TO");
	if (args->plain && (args->directory || count > 2))
		return cli_usage("-T: one FROM and one TO");
	if (args->exchange && (args->directory || count != 2))
		return cli_usage("--exchange: two paths");
	return CLI_DONE;
}

static int find_target(struct task *t, const char *word, int sources)
{
	int status = others_find(&t->others, word, CLI_WRITE, &t->to_im, &t->to);
	struct place to;

	if (status)
		return status;
	to = place_of_image(t->to_im);
	t->into = !t->args->plain && !t->args->exchange && place_is_directory(&to, t->to);
	if (!t->into && (sources > 1 || t->args->directory))
		return cli_failed(t->to_im, t->to, -ENOTDIR, NULL);
	return CLI_DONE;
}

static int do_one(struct task *t, const char *word, each_fn *each)
{
	struct cli_image *im;
	struct place to = place_of_image(t->to_im);
	char *from = NULL, *path;
	int status = others_find(&t->others, word, t->sources, &im, &from);

	if (status)
		return status;
	path = t->into ? place_target(&to, from, t->to) : cli_strdup(t->to);
	status = each(t, im, from, path);
	free(path);
	free(from);
	return status;
}

static int do_words(struct cli_image *im, const struct cp_args *args, int count, char **words,
		    enum cli_access access, each_fn *each)
{
	struct task t = { .args = args, .sources = access, .others = { .main = im } };
	int sources = args->directory ? count : count - 1;
	int status = find_target(&t, args->directory ? args->directory : words[count - 1], sources);
	bool found = !status;

	for (int i = 0; found && i < sources && !cli_interrupted(); i++)
		status = cli_worse(status, do_one(&t, words[i], each));
	free(t.to);
	return others_close(&t.others, status);
}

/* ---- cp */

static int copy_one(struct task *t, struct cli_image *im, const char *from, const char *to)
{
	const struct cp_args *args = t->args;
	bool recursive = args->recursive || args->archive;
	struct copy_options opt = {
		.recursive = recursive,
		.attributes = recursive || args->preserve,
		.follow = args->dereference || (!recursive && !args->links),
		.keep_existing = args->keep,
		.newer = args->newer,
		.verbose = args->verbose,
		.mode_mask = 0777,
	};
	struct copy *c = copy_create(place_of_image(im), place_of_image(t->to_im), &opt);
	int status = copy_path(c, from, to);

	copy_destroy(c);
	return status;
}

static int cp_on(struct cli_image *im, const void *v, int count, char **words)
{
	return do_words(im, v, count, words, CLI_READ, copy_one);
}

/* IMAGE is only read where the copy goes to another one. */
static enum cli_access cp_access(const void *v, int count, char **words)
{
	const struct cp_args *args = v;
	const char *to = args->directory ? args->directory : count ? words[count - 1] : "";

	return others_is_one(to) ? CLI_READ : CLI_WRITE;
}

#define FLAG(letter, name, help, field) \
	{ \
		CLI_FLAG, letter, name, NULL, help, offsetof(struct cp_args, field) \
	}

#define COMMON_OPTIONS \
	FLAG('n', "no-clobber", "leave what is there", keep), \
		FLAG('u', "update", "only over what is older", newer), \
		FLAG('v', "verbose", "print each file", verbose), \
		FLAG('T', "no-target-directory", \
		     "TO is the new name, also where it is a directory", plain), \
		{ CLI_TEXT, \
		  't', \
		  "target-directory", \
		  "PATH", \
		  "into that directory; all words are FROM", \
		  offsetof(struct cp_args, directory) }, \
	{ \
		CLI_IGNORED, 'f', "force", NULL, "over what is there, which is always so", 0 \
	}

#define PLACES \
	"A word with \":/\" in it names a place in another image: OTHER.img:/path; :/path is in " \
	"IMAGE,\n" \
	"whatever it holds. -o is for all of the images."

static const struct cli_option cp_options[] = {
	FLAG('r', "recursive",
	     "directories and all that is in them, with all attributes:\n"
	     "modes, owners, times, extended attributes, links, devices",
	     recursive),
	FLAG('R', NULL, "the same", recursive),
	FLAG('a', "archive", "the same", archive),
	FLAG('p', "preserve", "all attributes of files too", preserve),
	FLAG('L', "dereference", "what the links that are named lead to", dereference),
	FLAG('d', NULL, "links as links", links),
	FLAG('P', "no-dereference", "the same", links),
	COMMON_OPTIONS,
	CLI_MOUNT_OPTIONS(struct cp_args, options),
	{ CLI_END },
};

const struct cli_command cli_cp = {
	.name = "cp",
	.arguments = "IMAGE FROM... TO",
	.summary = "copy files within an image, or to and from another image",
	.details =
		"TO: the new name, or a directory to copy into. Holes are kept; without -p and "
		"-r the\n"
		"copy belongs to root. A file that is there is replaced when the new one is whole, "
		"and\n"
		"keeps its owner.\n" PLACES,
	.options = cp_options,
	.args_size = sizeof(struct cp_args),
	.args_min = 2,
	.careful = true,
	.paths = CLI_PATHS_OWN,
	.access = CLI_WRITE,
	.access_for = cp_access,
	.check = check,
	.on = cp_on,
};

/* ---- mv */

/* Between images: a copy of all of it, and then the old one goes. */
static int move_across(struct task *t, struct cli_image *im, const char *from, const char *to)
{
	struct copy_options opt = { .recursive = true, .attributes = true, .mode_mask = 07777 };
	struct place target = place_of_image(t->to_im);
	struct place_file there;
	struct copy *c;
	int status;

	if (!target.calls->stat(&target, to, false, &there)) {
		if (t->args->keep)
			return CLI_DONE;
		if (S_ISDIR(there.st.mode))
			return cli_failed(t->to_im, to, -EEXIST, "directories are not merged");
	}
	c = copy_create(place_of_image(im), target, &opt);
	status = copy_path(c, from, to);
	copy_destroy(c);
	return status || cli_interrupted() ? status : cli_remove(im, from);
}

/* Whether `to` is there and not older. */
static bool is_newer(struct cli_image *im, const char *from, const char *to)
{
	struct extant_stat old, new;

	if (extant_lstat(im->x, to, &old) || extant_lstat(im->x, from, &new))
		return false;
	return old.mtime.sec > new.mtime.sec ||
	       (old.mtime.sec == new.mtime.sec &&old.mtime.nsec >= new.mtime.nsec);
}

static int rename_one(struct task *t, struct cli_image *im, const char *from, const char *to)
{
	const struct cp_args *args = t->args;
	unsigned flags = args->exchange ? EXTANT_RENAME_EXCHANGE
			 : args->keep   ? EXTANT_RENAME_NOREPLACE
					: 0;
	int err;

	if (args->newer && is_newer(im, from, to))
		return CLI_DONE;
	err = extant_rename(im->x, from, to, flags);
	if (err == -EEXIST && args->keep)
		return CLI_DONE;
	if (err)
		return cli_failed(im, err == -ENOENT ? from : to, err,
				  err == -EINVAL ? "a directory does not go into itself" : NULL);
	if (args->verbose) {
		cli_print_name(from);
		fputs(" -> ", stdout);
		cli_print_line(to);
	}
	return CLI_DONE;
}

static int move_one(struct task *t, struct cli_image *im, const char *from, const char *to)
{
	if (im == t->to_im)
		return rename_one(t, im, from, to);
	return t->args->exchange ? cli_usage("--exchange: within one image")
				 : move_across(t, im, from, to);
}

static int mv_on(struct cli_image *im, const void *v, int count, char **words)
{
	return do_words(im, v, count, words, CLI_WRITE, move_one);
}

static const struct cli_option mv_options[] = {
	COMMON_OPTIONS,
	FLAG(0, "exchange", "both are there, and each gets the other's name", exchange),
	CLI_MOUNT_OPTIONS(struct cp_args, options),
	{ CLI_END },
};

const struct cli_command cli_mv = {
	.name = "mv",
	.arguments = "IMAGE FROM... TO",
	.summary = "rename and move files within an image, or to and from another image",
	.details =
		"TO: the new name, or a directory to move into. Within one image it is one step: "
		"after a\n"
		"crash there is the old name or the new one. To another image it is a copy, and "
		"then the\n"
		"old file is removed.\n" PLACES,
	.options = mv_options,
	.args_size = sizeof(struct cp_args),
	.args_min = 2,
	.paths = CLI_PATHS_OWN,
	.access = CLI_WRITE,
	.check = check,
	.on = mv_on,
};
