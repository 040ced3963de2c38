/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant chmod, extant chown: permission bits and owners.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/walk.h"

/* ---- chmod */

struct chmod_args {
	const char *options, *reference;
	bool recursive, verbose, changes;
};

struct change {
	const struct chmod_args *args;
	const char *mode; /* NULL: `bits`, of the reference */
	uint32_t bits;
};

static void tell(const char *path, uint32_t old, uint32_t mode)
{
	char text[11];

	cli_print_name(path);
	cli_mode_text(old, text);
	printf(": %04o (%s)", old & 07777, text + 1);
	cli_mode_text((old & S_IFMT) | mode, text);
	printf(" -> %04o (%s)\n", mode, text + 1);
}

static int chmod_file(struct walk *w, const char *path, const struct extant_stat *st,
		      enum walk_when when)
{
	struct change *c = w->arg;
	uint32_t mode = c->bits;
	int err;

	/* A link has no mode; below a directory it is passed by. */
	if (when == WALK_AFTER || S_ISLNK(st->mode))
		return CLI_DONE;
	if (c->mode)
		(void)cli_parse_mode(c->mode, st->mode, S_ISDIR(st->mode), &mode); /* checked */
	err = extant_chmod(w->im->x, path, mode);
	if (err)
		return cli_failed(w->im, path, err, NULL);
	if (c->args->verbose || (c->args->changes && mode != (st->mode & 07777)))
		tell(path, st->mode, mode);
	return CLI_DONE;
}

static int chmod_check(const void *v, int count, char **words)
{
	const struct chmod_args *args = v;
	uint32_t mode;

	if (args->reference)
		return CLI_DONE;
	if (count < 2)
		return cli_usage("it needs IMAGE MODE PATH...");
	if (!cli_parse_mode(words[0], 0, false, &mode))
		return cli_usage("%s: no mode; it is octal, or like u+rw,go=rX", words[0]);
	return CLI_DONE;
}

/* The attributes of the file that --reference names. */
static int look_at_reference(struct cli_image *im, const char *word, struct extant_stat *st)
{
	char *path = cli_at(im, word);
	int err = extant_stat(im->x, path, st), status;

	status = err ? cli_failed(im, path, err, NULL) : CLI_DONE;
	free(path);
	return status;
}

/* Trees that `words` name, from the session's directory on. */
static int walk_words(struct walk *w, int count, char **words)
{
	int status = CLI_DONE;

	for (int i = 0; i < count && !cli_interrupted(); i++) {
		char *path = cli_at(w->im, words[i]);

		status = cli_worse(status, walk_tree(w, path));
		free(path);
	}
	return status;
}

static int chmod_on(struct cli_image *im, const void *v, int count, char **words)
{
	const struct chmod_args *args = v;
	struct change c = { args, args->reference ? NULL : words[0], 0 };
	struct walk w = { .im = im,
			  .file = chmod_file,
			  .arg = &c,
			  .follow_first = true,
			  .flat = !args->recursive };
	struct extant_stat st;
	int status;

	if (!args->reference)
		return walk_words(&w, count - 1, words + 1);
	status = look_at_reference(im, args->reference, &st);
	c.bits = st.mode & 07777;
	return status ? status : walk_words(&w, count, words);
}

static const struct cli_option chmod_options[] = {
	{ CLI_FLAG, 'R', "recursive", NULL, "and what is in directories",
	  offsetof(struct chmod_args, recursive) },
	{ CLI_FLAG, 'v', "verbose", NULL, "print each file with its modes",
	  offsetof(struct chmod_args, verbose) },
	{ CLI_FLAG, 'c', "changes", NULL, "print those whose mode has changed",
	  offsetof(struct chmod_args, changes) },
	{ CLI_TEXT, 0, "reference", "PATH", "the mode of that file, instead of MODE",
	  offsetof(struct chmod_args, reference) },
	CLI_MOUNT_OPTIONS(struct chmod_args, options),
	{ CLI_END },
};

const struct cli_command cli_chmod = {
	.name = "chmod",
	.arguments = "IMAGE MODE PATH...",
	.summary = "change permission bits in an image",
	.details =
		"MODE is octal, or as chmod(1) has it: u+x, go-w, a=rX, +t, separated by commas. "
		"One that\n"
		"begins with - follows --: chmod IMAGE -- -x /file. Symbolic links are followed "
		"where they\n"
		"are named, and left alone below a directory.",
	.options = chmod_options,
	.args_size = sizeof(struct chmod_args),
	.args_min = 2,
	.paths = CLI_PATHS_OWN,
	.access = CLI_WRITE,
	.check = chmod_check,
	.on = chmod_on,
};

/* ---- chown */

struct chown_args {
	const char *options, *reference;
	bool recursive, verbose, links;
};

struct ownership {
	const struct chown_args *args;
	uint32_t uid, gid; /* UINT32_MAX: as it is */
};

/* "root" is the one name that is the same everywhere; others live in the image's own /etc. */
static bool parse_id(const char *text, uint32_t *id)
{
	uint64_t n = 0;

	if (*text && strcmp(text, "root") != 0 && !cli_parse_number(text, UINT32_MAX - 1, &n))
		return false;
	*id = *text ? (uint32_t)n : UINT32_MAX;
	return true;
}

bool cli_parse_owner(const char *text, uint32_t *uid, uint32_t *gid)
{
	char *owner = cli_strdup(text), *group = strpbrk(owner, ":.");
	bool ok;

	if (group)
		*group++ = '\0';
	ok = *text && parse_id(owner, uid) && parse_id(group ? group : "", gid);
	free(owner);
	return ok;
}

static int chown_file(struct walk *w, const char *path, const struct extant_stat *st,
		      enum walk_when when)
{
	struct ownership *o = w->arg;
	int err;

	if (when == WALK_AFTER)
		return CLI_DONE;
	/* A link that was named is followed, unless -h; below a directory none is. */
	err = o->args->links || (w->depth && S_ISLNK(st->mode))
		      ? extant_lchown(w->im->x, path, o->uid, o->gid)
		      : extant_chown(w->im->x, path, o->uid, o->gid);
	if (err)
		return cli_failed(w->im, path, err, NULL);
	if (o->args->verbose) {
		cli_print_name(path);
		printf(": %u:%u -> %u:%u\n", st->uid, st->gid,
		       o->uid == UINT32_MAX ? st->uid : o->uid,
		       o->gid == UINT32_MAX ? st->gid : o->gid);
	}
	return CLI_DONE;
}

static int chown_check(const void *v, int count, char **words)
{
	const struct chown_args *args = v;
	uint32_t uid, gid;

	if (args->reference)
		return CLI_DONE;
	if (count < 2)
		return cli_usage("it needs IMAGE OWNER[:GROUP] PATH...");
	if (!cli_parse_owner(words[0], &uid, &gid))
		return cli_usage("%s: no owner; it is UID, UID:GID or :GID, in numbers or root",
				 words[0]);
	return CLI_DONE;
}

static int chown_on(struct cli_image *im, const void *v, int count, char **words)
{
	const struct chown_args *args = v;
	struct ownership o = { .args = args };
	struct walk w = { .im = im,
			  .file = chown_file,
			  .arg = &o,
			  .follow_first = !args->links,
			  .flat = !args->recursive };
	struct extant_stat st;
	int status;

	if (!args->reference) {
		(void)cli_parse_owner(words[0], &o.uid, &o.gid); /* checked */
		return walk_words(&w, count - 1, words + 1);
	}
	status = look_at_reference(im, args->reference, &st);
	o.uid = st.uid;
	o.gid = st.gid;
	return status ? status : walk_words(&w, count, words);
}

static const struct cli_option chown_options[] = {
	{ CLI_FLAG, 'R', "recursive", NULL, "and what is in directories",
	  offsetof(struct chown_args, recursive) },
	{ CLI_FLAG, 'h', "no-dereference", NULL,
	  "a symbolic link that is named, not what it leads to",
	  offsetof(struct chown_args, links) },
	{ CLI_FLAG, 'v', "verbose", NULL, "print each file with its owners",
	  offsetof(struct chown_args, verbose) },
	{ CLI_TEXT, 0, "reference", "PATH", "the owners of that file, instead of OWNER",
	  offsetof(struct chown_args, reference) },
	CLI_MOUNT_OPTIONS(struct chown_args, options),
	{ CLI_END },
};

const struct cli_command cli_chown = {
	.name = "chown",
	.arguments = "IMAGE OWNER[:GROUP] PATH...",
	.summary = "change owners in an image",
	.details = "OWNER and GROUP are numbers, or root; one of them may be left out (:GROUP). A "
		   "symbolic\n"
		   "link is followed where it is named, and changed itself below a directory.",
	.options = chown_options,
	.args_size = sizeof(struct chown_args),
	.args_min = 2,
	.paths = CLI_PATHS_OWN,
	.access = CLI_WRITE,
	.check = chown_check,
	.on = chown_on,
};
