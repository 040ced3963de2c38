/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant ls: what directories hold, in the order of their bytes.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "cli/cli.h"
#include "cli/json.h"

struct ls_args {
	const char *options;
	bool all, details, recursive, json;
};

struct listing {
	struct cli_image *im;
	const struct ls_args *args;
	struct facts facts;
	struct cli_ino_set entered;	/* below one path each once: a damaged tree has circles */
	bool headings, printed;
};

struct widths {
	int links, uid, gid, size;
};

/* ---- one name */

/* "-> TARGET" of a link; terminated, "" where there is none. */
static void read_target(struct listing *l, const char *path, uint32_t mode, char buf[4096])
{
	int n = S_ISLNK(mode) ? extant_readlink(l->im->x, path, buf, 4095) : 0;

	buf[n > 0 ? n : 0] = '\0';
}

static int digits(uint64_t n)
{
	return snprintf(NULL, 0, "%llu", (unsigned long long)n);
}

static void print_details(const struct extant_stat *st, const struct widths *w)
{
	char mode[11], date[64];

	cli_mode_text(st->mode, mode);
	cli_time_text(&st->mtime, false, date, sizeof(date));
	printf("%s %*u %*u %*u ", mode, w->links, st->nlink, w->uid, st->uid, w->gid, st->gid);
	if (S_ISCHR(st->mode) || S_ISBLK(st->mode))
		printf("%*u,%u ", w->size - digits(st->rdev_minor) - 1, st->rdev_major,
		       st->rdev_minor);
	else
		printf("%*llu ", w->size, (unsigned long long)st->size);
	printf("%s ", date);
}

static void widen(struct widths *w, const struct extant_stat *st)
{
	w->links = max(w->links, digits(st->nlink));
	w->uid = max(w->uid, digits(st->uid));
	w->gid = max(w->gid, digits(st->gid));
	w->size = max(w->size, digits(st->size));
	if (S_ISCHR(st->mode) || S_ISBLK(st->mode))
		w->size = max(w->size, digits(st->rdev_major) + 1 + digits(st->rdev_minor));
}

static void print_text(const char *name, const struct extant_stat *st, const struct widths *w,
		       const char *target)
{
	if (st)
		print_details(st, w);
	cli_print_name(name);
	if (*target) {
		fputs(" -> ", stdout);
		cli_print_name(target);
	}
	putchar('\n');
}

static const char *type_of_entry(uint8_t type)
{
	static const uint8_t of[] = { DT_REG, DT_DIR, DT_LNK, DT_CHR, DT_BLK, DT_FIFO, DT_SOCK };

	for (size_t i = 0; i < array_size(of); i++)
		if (of[i] == type)
			return cli_type_text(DTTOIF(type));
	return "unknown";
}

static void print_json(struct facts *f, const struct cli_name *name, const struct extant_stat *st,
		       const char *target)
{
	facts_object(f, NULL);
	facts_string(f, "name", name->name);
	facts_number(f, "ino", name->ino);
	facts_string(f, "type", st ? cli_type_text(st->mode) : type_of_entry(name->type));
	if (st) {
		facts_number(f, "mode", st->mode);
		facts_number(f, "nlink", st->nlink);
		facts_number(f, "uid", st->uid);
		facts_number(f, "gid", st->gid);
		facts_number(f, "size", st->size);
		facts_time(f, "mtime", st->mtime.sec, st->mtime.nsec);
	}
	if (*target)
		facts_string(f, "target", target);
	facts_object_end(f);
}

/* ---- several */

/* The attributes of each name; where they cannot be had, nlink is 0 and that was reported. */
static int get_attributes(struct listing *l, const char *dir, const struct cli_names *names,
			  struct extant_stat *stats, struct widths *w)
{
	int status = CLI_DONE;

	for (size_t i = 0; i < names->count; i++) {
		char *path = cli_join(dir, names->items[i].name);
		int err = extant_lstat(l->im->x, *dir ? path : names->items[i].name, &stats[i]);

		if (err)
			status = cli_worse(status, cli_failed(l->im, path, err, NULL));
		else
			widen(w, &stats[i]);
		free(path);
	}
	return status;
}

static void print_names(struct listing *l, const char *dir, const struct cli_names *names,
			const struct extant_stat *stats, const struct widths *w)
{
	char target[4096] = "";

	for (size_t i = 0; i < names->count; i++) {
		const struct cli_name *name = &names->items[i];
		const struct extant_stat *st = stats && stats[i].nlink ? &stats[i] : NULL;
		char *path = cli_join(dir, name->name);

		read_target(l, *dir ? path : name->name, st ? st->mode : 0, target);
		if (l->args->json)
			print_json(&l->facts, name, st, target);
		else
			print_text(name->name, st, w, target);
		free(path);
	}
}

/* The names below `dir`; "": they are paths themselves. */
static int print_list(struct listing *l, const char *dir, const struct cli_names *names)
{
	struct extant_stat *stats = NULL;
	struct widths w = { 1, 1, 1, 1 };
	int status = CLI_DONE;

	if (l->args->details) {
		stats = cli_realloc(NULL, names->count * sizeof(*stats));
		memset(stats, 0, names->count * sizeof(*stats));
		status = get_attributes(l, dir, names, stats, &w);
	}
	print_names(l, dir, names, stats, &w);
	free(stats);
	return status;
}

static void drop_hidden(struct cli_names *names)
{
	size_t kept = 0;

	for (size_t i = 0; i < names->count; i++) {
		if (names->items[i].name[0] == '.')
			free(names->items[i].name);
		else
			names->items[kept++] = names->items[i];
	}
	names->count = kept;
}

/* ---- directories */

static void begin_directory(struct listing *l, const char *path)
{
	if (l->args->json) {
		facts_object(&l->facts, NULL);
		facts_string(&l->facts, "path", path);
		facts_array(&l->facts, "entries");
	} else if (l->headings) {
		printf("%s%s:\n", l->printed ? "\n" : "", path);
	}
	l->printed = true;
}

static void end_directory(struct listing *l)
{
	if (!l->args->json)
		return;
	facts_array_end(&l->facts);
	facts_object_end(&l->facts);
}

static int list_directory(struct listing *l, const char *path);

static int list_below(struct listing *l, const char *path, const struct cli_names *names)
{
	int status = CLI_DONE;

	for (size_t i = 0; i < names->count; i++) {
		struct extant_stat st = { 0 };
		char *below = cli_join(path, names->items[i].name);

		if (!cli_is_dots(names->items[i].name) && !extant_lstat(l->im->x, below, &st) &&
		    S_ISDIR(st.mode))
			status = cli_worse(status, list_directory(l, below));
		free(below);
	}
	return status;
}

static int enter(struct listing *l, const char *path)
{
	struct extant_stat st;
	int err = extant_stat(l->im->x, path, &st);

	if (err)
		return cli_failed(l->im, path, err, NULL);
	if (!l->args->recursive || cli_ino_add(&l->entered, (uint32_t)st.ino))
		return CLI_DONE;
	cli_error("%s: %s: inode %u is a directory with two names; run e2fsck on the image",
		  l->im->path, path, (uint32_t)st.ino);
	return CLI_DAMAGED;
}

static int list_directory(struct listing *l, const char *path)
{
	struct cli_names names;
	int status = enter(l, path), err;

	if (status)
		return status;
	err = cli_list(l->im, path, &names);
	if (err)
		status = cli_failed(l->im, path, err, NULL);
	if (!l->args->all)
		drop_hidden(&names);
	cli_names_sort(&names);
	begin_directory(l, path);
	status = cli_worse(status, print_list(l, path, &names));
	end_directory(l);
	if (l->args->recursive)
		status = cli_worse(status, list_below(l, path, &names));
	cli_names_free(&names);
	return status;
}

/* A path that is no directory, in a list of its own. */
static int list_file(struct listing *l, char *path, const struct extant_stat *st)
{
	struct cli_name name = { path, (uint32_t)st->ino, IFTODT(st->mode) };
	struct cli_names names = { &name, 1, 1 };
	int status;

	if (l->args->json)
		begin_directory(l, path);
	status = print_list(l, "", &names);
	end_directory(l);
	l->printed = true;
	return status;
}

static int list_one(struct listing *l, char *path)
{
	struct extant_stat st;
	int err = extant_lstat(l->im->x, path, &st);

	cli_ino_free(&l->entered);	/* the user may name one twice */
	/* A link is listed itself with -l, else what it leads to. */
	if (!err && S_ISLNK(st.mode) && !l->args->details)
		err = extant_stat(l->im->x, path, &st);
	if (err)
		return cli_failed(l->im, path, err, NULL);
	return S_ISDIR(st.mode) ? list_directory(l, path) : list_file(l, path, &st);
}

static int run(const void *v, int count, char **words)
{
	static char root[] = "/";
	const struct ls_args *args = v;
	struct cli_image im;
	struct listing l = { .im = &im, .args = args, .headings = count > 2 || args->recursive };
	int status = cli_open(&im, words[0], args->options, CLI_READ);

	if (status)
		return status;
	if (args->json) {
		facts_begin(&l.facts, stdout, true, 1);
		facts_string(&l.facts, "image", words[0]);
		facts_array(&l.facts, "listings");
	}
	if (count == 1)
		status = list_one(&l, root);
	for (int i = 1; i < count; i++)
		status = cli_worse(status, list_one(&l, words[i]));
	if (args->json) {
		facts_array_end(&l.facts);
		facts_end(&l.facts);
	}
	cli_ino_free(&l.entered);
	return cli_close(&im, status);
}

static const struct cli_option options[] = {
	{ CLI_FLAG, 'l', "long", NULL,
	  "mode, links, owner, group, size, time, and where links lead",
	  offsetof(struct ls_args, details) },
	{ CLI_FLAG, 'a', "all", NULL, "names that begin with a dot too",
	  offsetof(struct ls_args, all) },
	{ CLI_FLAG, 'R', "recursive", NULL, "and the directories below",
	  offsetof(struct ls_args, recursive) },
	CLI_JSON(struct ls_args, json),
	CLI_MOUNT_OPTIONS(struct ls_args, options),
	{ CLI_END },
};

const struct cli_command cli_ls = {
	.name = "ls",
	.arguments = "IMAGE [PATH...]",
	.summary = "list directories of an image",
	.details = "Without a path, the root. The image is mounted read-only: what its journal "
		   "holds is\n"
		   "seen, and nothing is written.",
	.options = options,
	.args_size = sizeof(struct ls_args),
	.args_min = 1,
	.run = run,
};
