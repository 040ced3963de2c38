/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant du, extant df: the space that trees take, and what the file system has left.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "cli/json.h"
#include "cli/walk.h"

/* ---- numbers for both */

/* Bytes in units of `unit`, rounded up; 0: for people. */
static void print_size(uint64_t bytes, uint64_t unit, int width)
{
	char text[16];

	if (!unit)
		cli_human(bytes, text);
	if (!unit)
		printf("%*s", width, text);
	else
		printf("%*llu", width, (unsigned long long)((bytes + unit - 1) / unit));
}

/* ---- du */

struct du_args {
	const char *options, *depth;
	bool summary, all, human, total, apparent, bytes, mebi, inodes, count_links, json;
};

#define DEPTH_MAX 4096 /* a path has fewer names */

struct usage {
	const struct du_args *args;
	struct cli_ino_set counted; /* files with several names: once */
	uint64_t *sums; /* by depth: what was seen in the directory at hand */
	uint64_t total, unit;
	int depth_max; /* deeper is not printed; -1: all is */
	struct facts *facts;
};

static uint64_t usage_of(const struct du_args *args, const struct extant_stat *st)
{
	if (args->inodes)
		return 1;
	if (!args->apparent && !args->bytes)
		return st->blocks * 512;
	return S_ISREG(st->mode) || S_ISLNK(st->mode) ? st->size : 0;
}

static void print_usage(struct usage *u, const char *path, uint64_t n)
{
	if (u->facts) {
		facts_object(u->facts, NULL);
		facts_string(u->facts, "path", path);
		facts_number(u->facts, u->args->inodes ? "inodes" : "bytes", n);
		facts_object_end(u->facts);
		return;
	}
	print_size(n, u->args->inodes ? 1 : u->unit, 0);
	putchar('\t');
	cli_print_line(path);
}

static int du_file(struct walk *w, const char *path, const struct extant_stat *st,
		   enum walk_when when)
{
	struct usage *u = w->arg;
	bool is_dir = S_ISDIR(st->mode);
	int d = min(w->depth, DEPTH_MAX - 2);
	uint64_t n;

	if (when == WALK_BEFORE && is_dir) {
		u->sums[d + 1] = 0;
		return CLI_DONE;
	}
	if (!is_dir && st->nlink > 1 && !u->args->count_links &&
	    !cli_ino_add(&u->counted, (uint32_t)st->ino))
		return CLI_DONE;
	n = usage_of(u->args, st) + (is_dir ? u->sums[d + 1] : 0);
	u->sums[d] += n;
	if ((is_dir || u->args->all || !d) && (u->depth_max < 0 || d <= u->depth_max))
		print_usage(u, path, n);
	return CLI_DONE;
}

static int du_check(const void *v, int count, char **words)
{
	const struct du_args *args = v;
	uint64_t n;

	if (args->depth && !cli_parse_number(args->depth, 10000, &n))
		return cli_usage("-d %s: no number", args->depth);
	if (args->summary && args->all)
		return cli_usage("-s and -a exclude each other");
	return CLI_DONE;
}

static uint64_t du_unit(const struct du_args *args)
{
	if (args->human)
		return 0;
	return args->bytes ? 1 : args->mebi ? 1 << 20 : 1 << 10;
}

static int du_on(struct cli_image *im, const void *v, int count, char **words)
{
	const struct du_args *args = v;
	struct facts facts;
	struct usage u = { .args = args,
			   .depth_max = -1,
			   .unit = du_unit(args),
			   .facts = args->json ? &facts : NULL };
	struct walk w = { .im = im, .file = du_file, .arg = &u };
	int status = CLI_DONE;
	uint64_t n = 0;

	if (args->summary || args->depth)
		u.depth_max = args->depth && cli_parse_number(args->depth, 10000, &n) ? (int)n : 0;
	u.sums = cli_realloc(NULL, DEPTH_MAX * sizeof(u.sums[0]));
	if (args->json) {
		facts_begin(&facts, stdout, true, 1);
		facts_string(&facts, "image", im->path);
		facts_array(&facts, "files");
	}
	for (int i = 0; i < count && !cli_interrupted(); i++) {
		u.sums[0] = 0;
		status = cli_worse(status, walk_tree(&w, words[i]));
		u.total += u.sums[0];
	}
	if (args->total && !args->json)
		print_usage(&u, "total", u.total);
	if (args->json) {
		facts_array_end(&facts);
		facts_number(&facts, "total", u.total);
		facts_end(&facts);
	}
	cli_ino_free(&u.counted);
	free(u.sums);
	return status;
}

static const struct cli_option du_options[] = {
	{ CLI_FLAG, 's', "summarize", NULL, "only what was named",
	  offsetof(struct du_args, summary) },
	{ CLI_FLAG, 'a', "all", NULL, "files too, not only directories",
	  offsetof(struct du_args, all) },
	{ CLI_TEXT, 'd', "max-depth", "N", "print what is at most N levels below",
	  offsetof(struct du_args, depth) },
	{ CLI_FLAG, 'c', "total", NULL, "and the sum of all", offsetof(struct du_args, total) },
	{ CLI_FLAG, 'h', "human-readable", NULL, "like 12K or 3.4M",
	  offsetof(struct du_args, human) },
	{ CLI_IGNORED, 'k', NULL, NULL, "in KiB, which is always so without -h, -m or -b", 0 },
	{ CLI_FLAG, 'm', NULL, NULL, "in MiB", offsetof(struct du_args, mebi) },
	{ CLI_FLAG, 'b', "bytes", NULL, "sizes in bytes, not the space they take",
	  offsetof(struct du_args, bytes) },
	{ CLI_FLAG, 0, "apparent-size", NULL, "sizes, not the space they take",
	  offsetof(struct du_args, apparent) },
	{ CLI_FLAG, 0, "inodes", NULL, "how many inodes", offsetof(struct du_args, inodes) },
	{ CLI_FLAG, 'l', "count-links", NULL, "files with several names each time",
	  offsetof(struct du_args, count_links) },
	CLI_JSON(struct du_args, json),
	CLI_MOUNT_OPTIONS(struct du_args, options),
	{ CLI_END },
};

const struct cli_command cli_du = {
	.name = "du",
	.arguments = "IMAGE [PATH...]",
	.summary = "print the space that files of an image take",
	.details = "In KiB. A file with several names counts once.",
	.options = du_options,
	.args_size = sizeof(struct du_args),
	.args_min = 1,
	.here = true,
	.paths = CLI_PATHS_ALL,
	.check = du_check,
	.on = du_on,
};

/* ---- df */

struct df_args {
	const char *options;
	bool human, inodes, mebi, json;
};

/* As df has it: of what ordinary users may use. */
static unsigned percent(uint64_t used, uint64_t available)
{
	uint64_t all = used + available;

	return all ? (unsigned)((used * 100 + all - 1) / all) : 0;
}

static void df_json(const struct cli_image *im, const struct extant_statfs *s)
{
	struct facts f;

	facts_begin(&f, stdout, true, 1);
	facts_string(&f, "image", im->path);
	facts_number(&f, "block_size", s->block_size);
	facts_number(&f, "blocks", s->blocks);
	facts_number(&f, "free", s->free);
	facts_number(&f, "available", s->available);
	facts_number(&f, "inodes", s->files);
	facts_number(&f, "inodes_free", s->files_free);
	facts_end(&f);
}

static void df_inodes(const struct cli_image *im, const struct extant_statfs *s)
{
	uint64_t used = s->files - s->files_free;

	printf("%-20s %11s %11s %11s IUse%%\n", "Filesystem", "Inodes", "IUsed", "IFree");
	printf("%-20s %11llu %11llu %11llu %4u%%\n", im->path, (unsigned long long)s->files,
	       (unsigned long long)used, (unsigned long long)s->files_free,
	       percent(used, s->files_free));
}

static void df_blocks(const struct cli_image *im, const struct extant_statfs *s,
		      const struct df_args *args)
{
	uint64_t unit = args->human ? 0 : args->mebi ? 1 << 20 : 1 << 10, bytes = s->block_size;
	uint64_t used = s->blocks - s->free;

	printf("%-20s %11s %11s %11s Use%%\n", "Filesystem",
	       args->human  ? "Size"
	       : args->mebi ? "1M-blocks"
			    : "1K-blocks",
	       "Used", "Available");
	printf("%-20s ", im->path);
	print_size(s->blocks * bytes, unit, 11);
	putchar(' ');
	print_size(used * bytes, unit, 11);
	putchar(' ');
	print_size(s->available * bytes, unit, 11);
	printf(" %3u%%\n", percent(used, s->available));
}

static int df_on(struct cli_image *im, const void *v, int count, char **words)
{
	const struct df_args *args = v;
	struct extant_statfs s;
	int err = extant_statfs(im->x, "/", &s);

	if (err)
		return cli_failed(im, "", err, NULL);
	if (args->json)
		df_json(im, &s);
	else if (args->inodes)
		df_inodes(im, &s);
	else
		df_blocks(im, &s, args);
	return CLI_DONE;
}

static const struct cli_option df_options[] = {
	{ CLI_FLAG, 'h', "human-readable", NULL, "like 12K or 3.4M",
	  offsetof(struct df_args, human) },
	{ CLI_FLAG, 'i', "inodes", NULL, "inodes, not space", offsetof(struct df_args, inodes) },
	{ CLI_IGNORED, 'k', NULL, NULL, "in KiB, which is always so without -h or -m", 0 },
	{ CLI_FLAG, 'm', NULL, NULL, "in MiB", offsetof(struct df_args, mebi) },
	CLI_JSON(struct df_args, json),
	CLI_MOUNT_OPTIONS(struct df_args, options),
	{ CLI_END },
};

const struct cli_command cli_df = {
	.name = "df",
	.arguments = "IMAGE",
	.summary = "print how much space an image has left",
	.details = "In KiB. Available is what is left to others than root; --json counts blocks.",
	.options = df_options,
	.args_size = sizeof(struct df_args),
	.args_min = 1,
	.args_max = 1,
	.on = df_on,
};
