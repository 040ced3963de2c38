/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant lsattr, extant chattr: the flags of inodes.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "cli/json.h"
#include "cli/walk.h"

/* In the order in which lsattr(1) of e2fsprogs prints them. */
static const struct {
	uint32_t flag;
	char letter;
	const char *name;
} flags_table[] = {
	{ 0x1, 's', "Secure_Deletion" },
	{ 0x2, 'u', "Undelete" },
	{ 0x8, 'S', "Synchronous_Updates" },
	{ 0x10000, 'D', "Synchronous_Directory_Updates" },
	{ 0x10, 'i', "Immutable" },
	{ 0x20, 'a', "Append_Only" },
	{ 0x40, 'd', "No_Dump" },
	{ 0x80, 'A', "No_Atime" },
	{ 0x4, 'c', "Compression_Requested" },
	{ 0x800, 'E', "Encrypted" },
	{ 0x4000, 'j', "Journaled_Data" },
	{ 0x1000, 'I', "Indexed_directory" },
	{ 0x8000, 't', "No_Tailmerging" },
	{ 0x20000, 'T', "Top_of_Directory_Hierarchies" },
	{ 0x80000, 'e', "Extents" },
	{ 0x800000, 'C', "No_COW" },
	{ 0x2000000, 'x', "DAX" },
	{ 0x40000000, 'F', "Casefold" },
	{ 0x10000000, 'N', "Inline_Data" },
	{ 0x20000000, 'P', "Project_Hierarchy" },
	{ 0x100000, 'V', "Verity" },
	{ 0x400, 'm', "Dont_Compress" },
};

/* ---- lsattr */

struct lsattr_args {
	const char *options;
	bool all, directories, recursive, version, names, json;
};

struct listing {
	const struct lsattr_args *args;
	struct facts *facts;
};

static void print_flags(const struct lsattr_args *args, const char *path,
			const struct extant_stat *st)
{
	if (args->version)
		printf("%10u ", st->generation);
	for (size_t i = 0; i < array_size(flags_table); i++)
		putchar(st->flags & flags_table[i].flag ? flags_table[i].letter : '-');
	putchar(' ');
	cli_print_line(path);
}

static void print_names(const char *path, const struct extant_stat *st)
{
	const char *comma = "";

	cli_print_name(path);
	printf("%*s", (int)max(1, 29 - (int)strlen(path)), "");
	for (size_t i = 0; i < array_size(flags_table); i++) {
		if (!(st->flags & flags_table[i].flag))
			continue;
		printf("%s%s", comma, flags_table[i].name);
		comma = ", ";
	}
	puts(*comma ? "" : "---");
}

static void tell_flags(struct facts *f, const char *path, const struct extant_stat *st)
{
	char text[33];

	cli_flags_text(st->flags, text, sizeof(text));
	facts_object(f, NULL);
	facts_string(f, "path", path);
	facts_number(f, "flags", st->flags);
	facts_string(f, "flags_text", text);
	facts_number(f, "generation", st->generation);
	facts_object_end(f);
}

static int list_file(struct walk *w, const char *path, const struct extant_stat *st,
		     enum walk_when when)
{
	struct listing *l = w->arg;

	/* Directories that were named are listed, not shown, unless -d says so. */
	if (when == WALK_AFTER || (!w->depth && S_ISDIR(st->mode) && !l->args->directories))
		return CLI_DONE;
	if (l->facts)
		tell_flags(l->facts, path, st);
	else if (l->args->names)
		print_names(path, st);
	else
		print_flags(l->args, path, st);
	return CLI_DONE;
}

static bool is_listed(void *arg, const struct cli_name *name)
{
	return ((struct listing *)arg)->args->all || name->name[0] != '.';
}

static int lsattr_on(struct cli_image *im, const void *v, int count, char **words)
{
	const struct lsattr_args *args = v;
	struct facts facts;
	struct listing l = { .args = args, .facts = args->json ? &facts : NULL };
	struct walk w = { .im = im,
			  .file = list_file,
			  .arg = &l,
			  .wanted = is_listed,
			  .flat = args->directories,
			  .depth_max = args->recursive ? 0 : 1 };
	int status = CLI_DONE;

	if (args->json) {
		facts_begin(&facts, stdout, true, 1);
		facts_string(&facts, "image", im->path);
		facts_array(&facts, "files");
	}
	for (int i = 0; i < count && !cli_interrupted(); i++)
		status = cli_worse(status, walk_tree(&w, words[i]));
	if (args->json) {
		facts_array_end(&facts);
		facts_end(&facts);
	}
	return status;
}

#define FLAG(letter, name, help, field) \
	{ \
		CLI_FLAG, letter, name, NULL, help, offsetof(struct lsattr_args, field) \
	}

static const struct cli_option lsattr_options[] = {
	FLAG('a', "all", "names that begin with a dot too", all),
	FLAG('d', "directory", "directories themselves, not what they hold", directories),
	FLAG('R', "recursive", "and the directories below", recursive),
	FLAG('v', "version", "and the generation of the inode", version),
	FLAG('l', "long", "the names of the flags, not their letters", names),
	CLI_JSON(struct lsattr_args, json),
	CLI_MOUNT_OPTIONS(struct lsattr_args, options),
	{ CLI_END },
};

const struct cli_command cli_lsattr = {
	.name = "lsattr",
	.arguments = "IMAGE [PATH...]",
	.summary = "print the flags of files of an image",
	.details = "The letters are those of chattr(1).",
	.options = lsattr_options,
	.args_size = sizeof(struct lsattr_args),
	.args_min = 1,
	.here = true,
	.paths = CLI_PATHS_ALL,
	.on = lsattr_on,
};

/* ---- chattr */

struct chattr_args {
	const char *options;
};

struct change {
	bool recursive, verbose, quiet, has_version, has_set;
	uint32_t set, clear, version;
};

static bool add_letters(const char *letters, uint32_t *flags)
{
	for (; *letters; letters++) {
		size_t i = 0;

		while (i < array_size(flags_table) && flags_table[i].letter != *letters)
			i++;
		if (i == array_size(flags_table))
			return false;
		*flags |= flags_table[i].flag;
	}
	return true;
}

/* "-R", "-V", "-f", several of them; false: it is flags to be cleared. */
static bool take_option(const char *word, struct change *c)
{
	if (word[1 + strspn(word + 1, "RVf")])
		return false;
	c->recursive |= strchr(word, 'R') != NULL;
	c->verbose |= strchr(word, 'V') != NULL;
	c->quiet |= strchr(word, 'f') != NULL;
	return true;
}

/* The words before the paths; how many, or -1: reported. */
static int parse_change(int count, char **words, struct change *c)
{
	uint64_t version;
	int i = 0;

	for (; i < count && strchr("+-=", words[i][0]) && words[i][0]; i++) {
		const char *w = words[i];

		if (!strcmp(w, "--"))
			return i + 1;
		if (!strcmp(w, "-v") && i + 1 < count &&
		    cli_parse_number(words[i + 1], UINT32_MAX, &version)) {
			c->has_version = true;
			c->version = (uint32_t)version;
			i++;
			continue;
		}
		if (*w == '-' && w[1] && take_option(w, c))
			continue;
		c->has_set |= *w == '=';
		if (!add_letters(w + 1, *w == '-' ? &c->clear : &c->set) || (!w[1] && *w != '=')) {
			(void)cli_usage("%s: no flags; they are letters of %s", w,
					"suSDiadAcEjItTeCxFNPVm");
			return -1;
		}
	}
	return i;
}

static int chattr_check(const void *v, int count, char **words)
{
	struct change c = { 0 };
	int n = parse_change(count, words, &c);

	if (n < 0)
		return CLI_USAGE;
	if (!c.set && !c.clear && !c.has_set && !c.has_version)
		return cli_usage("it needs flags, like +i, -a or =dA");
	if (c.set & c.clear)
		return cli_usage("a flag is set and cleared");
	return n < count ? CLI_DONE : cli_usage("it needs PATH...");
}

/* What "=" does not touch: the file's form, which is no wish. */
#define FORM_FLAGS (0x1000u | 0x80000u | 0x800u | 0x100000u | 0x10000000u)

static int change_file(struct walk *w, const char *path, const struct extant_stat *st,
		       enum walk_when when)
{
	struct change *c = w->arg;
	uint32_t flags;
	int err;

	/* Only files and directories can have them set; below a directory the others are passed by. */
	if (when == WALK_AFTER || (w->depth && !S_ISREG(st->mode) && !S_ISDIR(st->mode)))
		return CLI_DONE;
	err = extant_getflags(w->im->x, path, &flags);
	if (!err && c->has_set)
		flags &= FORM_FLAGS;
	flags = (flags | c->set) & ~c->clear;
	if (!err && (c->set || c->clear || c->has_set))
		err = extant_setflags(w->im->x, path, flags);
	if (!err && c->has_version)
		err = extant_setversion(w->im->x, path, c->version);
	if (err && !c->quiet)
		return cli_failed(w->im, path, err, NULL);
	if (!err && c->verbose) {
		struct extant_stat now = *st;

		now.flags = flags;
		print_flags(&(struct lsattr_args){ 0 }, path, &now);
	}
	return err ? CLI_REFUSED : CLI_DONE;
}

static int chattr_on(struct cli_image *im, const void *v, int count, char **words)
{
	struct change c = { 0 };
	int n = parse_change(count, words, &c), status = CLI_DONE;
	struct walk w = { .im = im, .file = change_file, .arg = &c, .flat = !c.recursive };

	for (int i = n; i < count && !cli_interrupted(); i++) {
		char *path = cli_at(im, words[i]);

		status = cli_worse(status, walk_tree(&w, path));
		free(path);
	}
	return status;
}

static const struct cli_option chattr_options[] = {
	CLI_MOUNT_OPTIONS(struct chattr_args, options),
	{ CLI_END },
};

const struct cli_command cli_chattr = {
	.name = "chattr",
	.arguments = "IMAGE [-R] [-V] [-f] [-v GENERATION] +-=FLAGS PATH...",
	.summary = "change the flags of files of an image",
	.details =
		"FLAGS are letters as chattr(1) has them: a append only, A no access times, d no "
		"dump, D\n"
		"synchronous directory, e extents, i immutable, j data through the journal, S "
		"synchronous,\n"
		"T top of a hierarchy, and others. -R: and what is in directories; -V: print "
		"them; -f: say\n"
		"nothing of failures. Options stand before IMAGE.",
	.options = chattr_options,
	.args_size = sizeof(struct chattr_args),
	.args_min = 3,
	.raw = true,
	.paths = CLI_PATHS_OWN,
	.access = CLI_WRITE,
	.check = chattr_check,
	.on = chattr_on,
};
