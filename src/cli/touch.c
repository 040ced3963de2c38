/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant touch, extant truncate: times of files and their sizes; both make a file that is not there.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "cli/cli.h"

/* An empty file where nothing is; 0 also when there is something. */
static int create(struct cli_image *im, const char *path)
{
	int fd = extant_open(im->x, path, O_WRONLY | O_CREAT | O_EXCL, 0644);

	return fd == -EEXIST ? 0 : fd < 0 ? fd : extant_close(im->x, fd);
}

/* ---- touch */

struct touch_args {
	const char *options, *date, *stamp, *reference;
	bool access, modify, keep, link;
};

struct stamps {
	struct extant_time atime, mtime;
};

/* [[CC]YY]MMDDhhmm[.ss] of touch -t, in the zone of the environment. */
static bool parse_stamp(const char *text, struct extant_time *out)
{
	const char *dot = strchr(text, '.');
	size_t n = dot ? (size_t)(dot - text) : strlen(text);
	struct extant_time now = cli_now();
	time_t sec = (time_t)now.sec;
	const char *form = n == 12 ? "%Y%m%d%H%M" : n == 10 ? "%y%m%d%H%M" : "%m%d%H%M";
	struct tm tm = { 0 }, today;
	const char *end;

	if ((n != 8 && n != 10 && n != 12) || !localtime_r(&sec, &today))
		return false;
	tm.tm_year = today.tm_year;
	end = strptime(text, form, &tm);
	if (end && *end == '.')
		end = strptime(end, ".%S", &tm);
	if (!end || *end)
		return false;
	tm.tm_isdst = -1;
	*out = (struct extant_time){ mktime(&tm), 0 };
	return true;
}

static bool given_time(const struct touch_args *args, struct extant_time *out)
{
	if (args->stamp)
		return parse_stamp(args->stamp, out);
	return cli_parse_time(args->date ? args->date : "now", out);
}

static int touch_check(const void *v, int count, char **words)
{
	const struct touch_args *args = v;
	struct extant_time t;

	if (!given_time(args, &t))
		return cli_usage("%s: no time; it is like \"2026-05-04 12:00\", @SECONDS or now",
				 args->stamp ? args->stamp : args->date);
	return CLI_DONE;
}

static int touch_one(struct cli_image *im, const char *word, const struct touch_args *args,
		     const struct stamps *s)
{
	bool both = args->access == args->modify;
	char *path = args->link ? cli_strdup(word) : cli_follow(im, word);
	int err = args->keep || args->link ? 0 : create(im, path);

	if (!err)
		err = extant_lutimens(im->x, path, both || args->access ? &s->atime : NULL,
				     both || args->modify ? &s->mtime : NULL);
	free(path);
	if (!err || (err == -ENOENT && args->keep))
		return CLI_DONE;
	return cli_failed(im, word, err, NULL);
}

static int find_stamps(struct cli_image *im, const struct touch_args *args, struct stamps *s)
{
	struct extant_stat st;
	char *path;
	int err;

	if (!args->reference) {
		(void)given_time(args, &s->atime); /* checked */
		s->mtime = s->atime;
		return CLI_DONE;
	}
	path = cli_at(im, args->reference);
	err = extant_stat(im->x, path, &st);
	*s = (struct stamps){ st.atime, st.mtime };
	err = err ? cli_failed(im, path, err, NULL) : CLI_DONE;
	free(path);
	return err;
}

static int touch_on(struct cli_image *im, const void *v, int count, char **words)
{
	struct stamps s;
	int status = find_stamps(im, v, &s);

	if (status)
		return status;
	for (int i = 0; i < count && !cli_interrupted(); i++)
		status = cli_worse(status, touch_one(im, words[i], v, &s));
	return status;
}

static const struct cli_option touch_options[] = {
	{ CLI_FLAG, 'a', NULL, NULL, "the time of access only",
	  offsetof(struct touch_args, access) },
	{ CLI_FLAG, 'm', NULL, NULL, "the time of modification only",
	  offsetof(struct touch_args, modify) },
	{ CLI_FLAG, 'c', "no-create", NULL, "make no file", offsetof(struct touch_args, keep) },
	{ CLI_TEXT, 'd', "date", "TIME",
	  "that time: \"2026-05-04 12:00:01.5 +0200\", @SECONDS, now",
	  offsetof(struct touch_args, date) },
	{ CLI_TEXT, 't', NULL, "STAMP", "that time: [[CC]YY]MMDDhhmm[.ss]",
	  offsetof(struct touch_args, stamp) },
	{ CLI_TEXT, 'r', "reference", "PATH", "the times of that file of the image",
	  offsetof(struct touch_args, reference) },
	{ CLI_FLAG, 'h', "no-dereference", NULL, "of a symbolic link itself",
	  offsetof(struct touch_args, link) },
	CLI_MOUNT_OPTIONS(struct touch_args, options),
	{ CLI_END },
};

const struct cli_command cli_touch = {
	.name = "touch",
	.arguments = "IMAGE PATH...",
	.summary = "set the times of files in an image, or make them",
	.options = touch_options,
	.args_size = sizeof(struct touch_args),
	.args_min = 2,
	.paths = CLI_PATHS_ALL,
	.access = CLI_WRITE,
	.check = touch_check,
	.on = touch_on,
};

/* ---- truncate */

struct truncate_args {
	const char *options, *size, *reference;
	bool keep;
};

/* A size with what stands before it: + - < > / % or nothing. */
static bool parse_change(const char *text, char *how, uint64_t *size)
{
	*how = '\0';
	if (*text && strchr("+-<>/%", *text))
		*how = *text++;
	return cli_parse_size(text, size) && (*size || (*how != '/' && *how != '%'));
}

static uint64_t changed(uint64_t old, char how, uint64_t n)
{
	switch (how) {
	case '+':
		return old + n;
	case '-':
		return old > n ? old - n : 0;
	case '<':
		return min(old, n);
	case '>':
		return max(old, n);
	case '/':
		return old - old % n;
	case '%':
		return (old + n - 1) / n * n;
	default:
		return n;
	}
}

static int truncate_check(const void *v, int count, char **words)
{
	const struct truncate_args *args = v;
	uint64_t n;
	char how;

	if (!args->size && !args->reference)
		return cli_usage("it needs -s SIZE or -r PATH");
	if (args->size && !parse_change(args->size, &how, &n))
		return cli_usage("-s %s: no size; it is like 10M, +4K or %%512", args->size);
	return CLI_DONE;
}

static int truncate_one(struct cli_image *im, const char *path, const struct truncate_args *args,
			uint64_t base)
{
	struct extant_stat st;
	uint64_t n = base;
	char how = '\0';
	int err = args->keep ? 0 : create(im, path);

	/* -s counts from the size of the reference where there is one. */
	if (args->size)
		(void)parse_change(args->size, &how, &n); /* checked */
	if (!err)
		err = extant_stat(im->x, path, &st);
	if (!err && args->size)
		n = changed(args->reference ? base : st.size, how, n);
	if (!err)
		err = n > INT64_MAX ? -EFBIG : extant_truncate(im->x, path, (int64_t)n);
	if (!err || (err == -ENOENT && args->keep))
		return CLI_DONE;
	return cli_failed(im, path, err, NULL);
}

static int truncate_on(struct cli_image *im, const void *v, int count, char **words)
{
	const struct truncate_args *args = v;
	struct extant_stat st = { 0 };
	int status = CLI_DONE;

	if (args->reference) {
		char *path = cli_at(im, args->reference);
		int err = extant_stat(im->x, path, &st);

		status = err ? cli_failed(im, path, err, NULL) : CLI_DONE;
		free(path);
	}
	if (status)
		return status;
	for (int i = 0; i < count && !cli_interrupted(); i++)
		status = cli_worse(status, truncate_one(im, words[i], args, st.size));
	return status;
}

static const struct cli_option truncate_options[] = {
	{ CLI_TEXT, 's', "size", "SIZE",
	  "10M, or by how much: +4K, -4K, <N at most, >N at least, /N down and\n"
	  "%N up to a multiple",
	  offsetof(struct truncate_args, size) },
	{ CLI_TEXT, 'r', "reference", "PATH", "the size of that file of the image",
	  offsetof(struct truncate_args, reference) },
	{ CLI_FLAG, 'c', "no-create", NULL, "make no file", offsetof(struct truncate_args, keep) },
	CLI_MOUNT_OPTIONS(struct truncate_args, options),
	{ CLI_END },
};

const struct cli_command cli_truncate = {
	.name = "truncate",
	.arguments = "IMAGE -s SIZE PATH...",
	.summary = "shorten or lengthen files in an image",
	.details = "What is added reads as zeros and takes no space. A file that is not there is "
		   "made.",
	.options = truncate_options,
	.args_size = sizeof(struct truncate_args),
	.args_min = 2,
	.paths = CLI_PATHS_ALL,
	.access = CLI_WRITE,
	.check = truncate_check,
	.on = truncate_on,
};
