/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant getfacl, extant setfacl: access control lists of files.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "cli/acl.h"
#include "cli/json.h"
#include "cli/walk.h"
#include "cli/xattr.h"

#define ACCESS_NAME  "system.posix_acl_access"
#define DEFAULT_NAME "system.posix_acl_default"

/* ---- of a file */

/* 0, -ENODATA where there is none, or another error. */
static int load(struct cli_image *im, const char *path, const char *name, struct acl *out)
{
	unsigned char *value;
	size_t size;
	bool ok;
	int err;

	*out = (struct acl){ 0 };
	value = xattr_value(im, path, name, true, &size, &err);
	if (!value)
		return err == -EOPNOTSUPP ? -ENODATA : err;
	ok = acl_unpack(value, size, out);
	free(value);
	if (!ok)
		acl_free(out);
	return ok ? 0 : -EFSCORRUPTED;
}

/* Both; where there is none, what the mode says, and an empty one. */
static int load_both(struct cli_image *im, const char *path, const struct extant_stat *st,
		     struct acl *access, struct acl *defaults)
{
	int err = load(im, path, ACCESS_NAME, access);

	*defaults = (struct acl){ 0 };
	if (err == -ENODATA) {
		*access = acl_of_mode(st->mode);
		err = 0;
	}
	if (!err && S_ISDIR(st->mode))
		err = load(im, path, DEFAULT_NAME, defaults);
	return err == -ENODATA ? 0 : err;
}

static int store(struct cli_image *im, const char *path, const char *name, const struct acl *a)
{
	unsigned char *value;
	size_t size;
	int err;

	if (!a->count) {
		err = extant_removexattr(im->x, path, name);
		return err == -ENODATA ? 0 : err;
	}
	value = acl_pack(a, &size);
	err = extant_setxattr(im->x, path, name, value, size, 0);
	free(value);
	return err;
}

/* ---- getfacl */

struct getfacl_args {
	const char *options;
	bool access, defaults, omit_header, recursive, skip_base, json;
};

struct reading {
	const struct getfacl_args *args;
	struct facts *facts;
};

static void print_header(const char *path, const struct extant_stat *st)
{
	fputs("# file: ", stdout);
	cli_print_line(path);
	printf("# owner: %u\n# group: %u\n", st->uid, st->gid);
	if (st->mode & 07000)
		printf("# flags: %c%c%c\n", st->mode & S_ISUID ? 's' : '-',
		       st->mode & S_ISGID ? 's' : '-', st->mode & S_ISVTX ? 't' : '-');
}

/* With what the mask leaves of it, where that is less. */
static void print_entry(const struct acl *a, const struct acl_entry *e, const char *prefix)
{
	const struct acl_entry *mask = acl_find(a, ACL_MASK, 0);
	char name[32], perm[4];
	int n;

	acl_entry_name(e, name);
	acl_perm_text(e->perm, perm);
	n = printf("%s%s%s", prefix, name, perm);
	if (mask && e->tag & (ACL_USER | ACL_GROUP_OBJ | ACL_GROUP) && e->perm & ~mask->perm) {
		acl_perm_text(e->perm & mask->perm, perm);
		for (int tabs = n < 32 ? (39 - n) / 8 : 1; tabs > 0; tabs--)
			putchar('\t');
		printf("#effective:%s", perm);
	}
	putchar('\n');
}

static void print_acl(const struct acl *a, const char *prefix)
{
	for (size_t i = 0; i < a->count; i++)
		print_entry(a, &a->items[i], prefix);
}

static void tell_acl(struct facts *f, const char *key, const struct acl *a)
{
	char name[32], perm[4];

	facts_array(f, key);
	for (size_t i = 0; i < a->count; i++) {
		acl_entry_name(&a->items[i], name);
		acl_perm_text(a->items[i].perm, perm);
		*strchr(name, ':') = '\0';
		facts_object(f, NULL);
		facts_string(f, "tag", name);
		if (a->items[i].tag & (ACL_USER | ACL_GROUP))
			facts_number(f, "id", a->items[i].id);
		facts_string(f, "perm", perm);
		facts_object_end(f);
	}
	facts_array_end(f);
}

static void tell(struct facts *f, const char *path, const struct extant_stat *st,
		 const struct acl *access, const struct acl *defaults)
{
	facts_object(f, NULL);
	facts_string(f, "path", path);
	facts_number(f, "uid", st->uid);
	facts_number(f, "gid", st->gid);
	facts_number(f, "mode", st->mode);
	tell_acl(f, "access", access);
	tell_acl(f, "default", defaults);
	facts_object_end(f);
}

static void print(const struct getfacl_args *args, const char *path, const struct extant_stat *st,
		  const struct acl *access, const struct acl *defaults)
{
	bool both = args->access == args->defaults;

	if (!args->omit_header)
		print_header(path, st);
	if (both || args->access)
		print_acl(access, "");
	if (both || args->defaults)
		print_acl(defaults, both ? "default:" : "");
	putchar('\n');
}

static int read_file(struct walk *w, const char *path, const struct extant_stat *st,
		     enum walk_when when)
{
	const struct reading *r = w->arg;
	struct acl access, defaults;
	int err;

	if (when == WALK_AFTER || S_ISLNK(st->mode))
		return CLI_DONE;
	err = load_both(w->im, path, st, &access, &defaults);
	if (!err && r->facts)
		tell(r->facts, path, st, &access, &defaults);
	else if (!err && !(r->args->skip_base && !acl_is_extended(&access) && !defaults.count))
		print(r->args, path, st, &access, &defaults);
	acl_free(&access);
	acl_free(&defaults);
	return err ? cli_failed(w->im, path, err, NULL) : CLI_DONE;
}

static int getfacl_on(struct cli_image *im, const void *v, int count, char **words)
{
	const struct getfacl_args *args = v;
	struct facts facts;
	struct reading r = { args, args->json ? &facts : NULL };
	struct walk w = { .im = im,
			  .file = read_file,
			  .arg = &r,
			  .flat = !args->recursive,
			  .follow_first = true };
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

#define FLAG(type, letter, name, help, field) \
	{ \
		CLI_FLAG, letter, name, NULL, help, offsetof(struct type, field) \
	}

static const struct cli_option getfacl_options[] = {
	FLAG(getfacl_args, 'a', "access", "the access list only", access),
	FLAG(getfacl_args, 'd', "default", "the default list only", defaults),
	FLAG(getfacl_args, 'c', "omit-header", "without name and owners", omit_header),
	FLAG(getfacl_args, 's', "skip-base", "only files that have more than a mode", skip_base),
	FLAG(getfacl_args, 'R', "recursive", "and what is in directories", recursive),
	{ CLI_IGNORED, 'n', "numeric", NULL, "owners as numbers, which is always so", 0 },
	{ CLI_IGNORED, 'p', "absolute-names", NULL, "paths as they were given, which is always so",
	  0 },
	CLI_JSON(struct getfacl_args, json),
	CLI_MOUNT_OPTIONS(struct getfacl_args, options),
	{ CLI_END },
};

const struct cli_command cli_getfacl = {
	.name = "getfacl",
	.arguments = "IMAGE PATH...",
	.summary = "print access control lists of files of an image",
	.options = getfacl_options,
	.args_size = sizeof(struct getfacl_args),
	.args_min = 2,
	.paths = CLI_PATHS_ALL,
	.on = getfacl_on,
};

/* ---- setfacl */

struct setfacl_args {
	const char *options, *modify, *remove, *set;
	bool remove_all, remove_default, defaults, recursive, keep_mask;
};

struct editing {
	const struct setfacl_args *args;
	struct acl access, defaults;
	bool mask_given[2]; /* by is_default: the words have a mask */
	bool changed[2];
};

typedef bool word_fn(struct editing *e, const struct acl_word *w, const struct extant_stat *st);

/* Each entry of a list, separated by commas and blanks; the first that is none, or NULL. */
static const char *each_word(const char *list, bool with_perm, word_fn *fn, struct editing *e,
			     const struct extant_stat *st)
{
	struct acl_word w;

	for (const char *p = list; p && *p;) {
		size_t n = strcspn(p, ", \t\n");

		if (n && !acl_parse_word(p, n, with_perm, &w))
			return p;
		w.is_default |= n && e->args->defaults;
		if (n && !fn(e, &w, st))
			return p;
		p += n + (p[n] != '\0');
	}
	return NULL;
}

static bool only_parse(struct editing *e, const struct acl_word *w, const struct extant_stat *st)
{
	return true;
}

static struct acl *list_of(struct editing *e, const struct acl_word *w)
{
	e->changed[w->is_default] = true;
	return w->is_default ? &e->defaults : &e->access;
}

static bool somebody_executes(const struct acl *a)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->items[i].perm & 1)
			return true;
	return false;
}

static bool modify(struct editing *e, const struct acl_word *w, const struct extant_stat *st)
{
	struct acl *a = list_of(e, w);
	uint32_t perm = w->perm;

	if (w->execute_some && (S_ISDIR(st->mode) || somebody_executes(a)))
		perm |= 1;
	acl_set(a, w->tag, w->id, perm);
	e->mask_given[w->is_default] |= w->tag == ACL_MASK;
	return true;
}

static bool take_out(struct editing *e, const struct acl_word *w, const struct extant_stat *st)
{
	(void)acl_remove(list_of(e, w), w->tag, w->id); /* what is not there is gone */
	return true;
}

/* What a default list lacks of the three is taken from the access list. */
static void complete_default(struct editing *e)
{
	static const enum acl_tag base[] = { ACL_USER_OBJ, ACL_GROUP_OBJ, ACL_OTHER };

	for (size_t i = 0; e->defaults.count && i < array_size(base); i++) {
		const struct acl_entry *from = acl_find(&e->access, base[i], 0);

		if (from && !acl_find(&e->defaults, base[i], 0))
			acl_set(&e->defaults, base[i], 0, from->perm);
	}
}

/* As setfacl does it: a list of more than three gets a mask of what it masks, unless one was given. */
static void fit_mask(struct editing *e, struct acl *a, bool is_default)
{
	bool has_mask = acl_find(a, ACL_MASK, 0);

	if (!e->changed[is_default] || e->mask_given[is_default] || !acl_is_extended(a))
		return;
	if (!has_mask || !e->args->keep_mask)
		acl_make_mask(a);
}

static void drop_extended(struct acl *a)
{
	const struct acl_entry *mask = acl_find(a, ACL_MASK, 0);
	struct acl_entry *group = acl_find(a, ACL_GROUP_OBJ, 0);
	size_t kept = 0;

	/* The group keeps what it could do. */
	if (mask && group)
		group->perm &= mask->perm;
	for (size_t i = 0; i < a->count; i++)
		if (a->items[i].tag & (ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER))
			a->items[kept++] = a->items[i];
	a->count = kept;
}

static void edit(struct editing *e, const struct extant_stat *st)
{
	const struct setfacl_args *args = e->args;

	if (args->remove_all || args->set) {
		drop_extended(&e->access);
		e->changed[0] = true;
	}
	if (args->remove_default || args->remove_all) {
		acl_free(&e->defaults);
		e->changed[1] = true;
	}
	/* All of the words were parsed before. */
	(void)each_word(args->set, true, modify, e, st);
	(void)each_word(args->modify, true, modify, e, st);
	(void)each_word(args->remove, false, take_out, e, st);
	if (e->changed[1])
		complete_default(e);
	fit_mask(e, &e->access, false);
	fit_mask(e, &e->defaults, true);
}

static int save(struct walk *w, struct editing *e, const char *path, const struct extant_stat *st)
{
	int err = 0;

	if (!acl_is_valid(&e->access) || (e->defaults.count && !acl_is_valid(&e->defaults)))
		err = -EINVAL;
	if (!err && e->changed[0])
		err = store(w->im, path, ACCESS_NAME, &e->access);
	/* A file has no default list; below a directory that is no error. */
	if (!err && e->changed[1] && S_ISDIR(st->mode))
		err = store(w->im, path, DEFAULT_NAME, &e->defaults);
	else if (!err && e->changed[1] && e->defaults.count && !w->depth)
		err = -EACCES;
	if (!err)
		return CLI_DONE;
	return cli_failed(w->im, path, err,
			  err == -EINVAL   ? "owner, group, other and a mask have to stay"
			  : err == -EACCES ? "only directories have a default list"
					   : NULL);
}

static int change_file(struct walk *w, const char *path, const struct extant_stat *st,
		       enum walk_when when)
{
	struct editing e = { .args = w->arg };
	int err, status;

	if (when == WALK_AFTER || S_ISLNK(st->mode))
		return CLI_DONE;
	err = load_both(w->im, path, st, &e.access, &e.defaults);
	if (err) {
		status = cli_failed(w->im, path, err, NULL);
	} else {
		edit(&e, st);
		status = save(w, &e, path, st);
	}
	acl_free(&e.access);
	acl_free(&e.defaults);
	return status;
}

static int setfacl_check(const void *v, int count, char **words)
{
	const struct setfacl_args *args = v;
	struct editing e = { .args = args };
	const char *wrong;

	if (!args->modify && !args->remove && !args->set && !args->remove_all &&
	    !args->remove_default)
		return cli_usage("it needs -m, -x, -b, -k or --set");
	wrong = each_word(args->modify, true, only_parse, &e, NULL);
	if (!wrong)
		wrong = each_word(args->set, true, only_parse, &e, NULL);
	if (!wrong)
		wrong = each_word(args->remove, false, only_parse, &e, NULL);
	return wrong ? cli_usage("%s: no entry; it is like u:1000:rwx or d:g::r-x", wrong)
		     : CLI_DONE;
}

static int setfacl_on(struct cli_image *im, const void *v, int count, char **words)
{
	const struct setfacl_args *args = v;
	struct walk w = { .im = im,
			  .file = change_file,
			  .arg = (void *)(uintptr_t)args,
			  .flat = !args->recursive,
			  .follow_first = true };
	int status = CLI_DONE;

	for (int i = 0; i < count && !cli_interrupted(); i++)
		status = cli_worse(status, walk_tree(&w, words[i]));
	return status;
}

static const struct cli_option setfacl_options[] = {
	{ CLI_TEXT, 'm', "modify", "ENTRIES", "set those, like u:1000:rwx,g::r-x,d:o::-",
	  offsetof(struct setfacl_args, modify) },
	{ CLI_TEXT, 'x', "remove", "ENTRIES", "remove those, like u:1000",
	  offsetof(struct setfacl_args, remove) },
	{ CLI_TEXT, 0, "set", "ENTRIES", "these instead of all that there are",
	  offsetof(struct setfacl_args, set) },
	FLAG(setfacl_args, 'b', "remove-all", "only what the mode says is left", remove_all),
	FLAG(setfacl_args, 'k', "remove-default", "the default list goes", remove_default),
	FLAG(setfacl_args, 'd', "default", "the entries are of the default list", defaults),
	FLAG(setfacl_args, 'n', "no-mask", "the mask stays as it is", keep_mask),
	FLAG(setfacl_args, 'R', "recursive", "and what is in directories", recursive),
	CLI_MOUNT_OPTIONS(struct setfacl_args, options),
	{ CLI_END },
};

const struct cli_command cli_setfacl = {
	.name = "setfacl",
	.arguments = "IMAGE PATH...",
	.summary = "change access control lists of files of an image",
	.details =
		"Entries are [d:]u:UID:rwx, g:GID:rwx, m::rwx, o::rwx; u:: and g:: are the owner "
		"and its\n"
		"group; X is x where it is a directory or somebody has it. The mask follows what "
		"it masks,\n"
		"unless it is given.",
	.options = setfacl_options,
	.args_size = sizeof(struct setfacl_args),
	.args_min = 2,
	.paths = CLI_PATHS_ALL,
	.access = CLI_WRITE,
	.check = setfacl_check,
	.on = setfacl_on,
};
