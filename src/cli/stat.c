/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant stat: what an inode says, and where its bytes lie.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/stat_format.h"

struct stat_args {
	const char *options, *format, *printed;
	bool follow, extents, json;
};

struct extent_list {
	struct extant_extent *items;
	size_t count, room;
};

/* ---- where its bytes lie */

static int add_extent(void *arg, const struct extant_extent *e)
{
	struct extent_list *list = arg;

	if (list->count == list->room) {
		list->room = list->room ? 2 * list->room : 16;
		list->items = cli_realloc(list->items, list->room * sizeof(list->items[0]));
	}
	list->items[list->count++] = *e;
	return 0;
}

static int get_extents(struct cli_image *im, const char *path, struct extent_list *list)
{
	int fd = extant_open(im->x, path, O_RDONLY, 0), err;

	if (fd < 0)
		return fd;
	err = extant_fiemap(im->x, fd, add_extent, list);
	extant_close(im->x, fd);
	return err;
}

/* FIEMAP_EXTENT_* of <linux/fiemap.h>. */
static const char *extent_text(uint32_t flags)
{
	if (flags & 0x800)
		return "unwritten";
	return flags & 0x4 ? "delayed" : "written";
}

/* ---- text */

static void print_time(const char *what, const struct extant_time *t)
{
	char text[64];

	cli_time_text(t, true, text, sizeof(text));
	printf("%9s: %s\n", what, text);
}

static void print_text(const char *path, const struct extant_stat *st,
		       const struct extent_list *extents)
{
	char mode[11], flags[33];

	cli_mode_text(st->mode, mode);
	cli_flags_text(st->flags, flags, sizeof(flags));
	printf("     file: ");
	cli_print_name(path);
	printf("\n     type: %s\n    inode: %llu, generation %u, %u link%s\n",
	       cli_type_text(st->mode), (unsigned long long)st->ino, st->generation, st->nlink,
	       st->nlink == 1 ? "" : "s");
	printf("     size: %llu bytes, %llu sectors of 512\n", (unsigned long long)st->size,
	       (unsigned long long)st->blocks);
	printf("     mode: %04o %s\n    owner: %u:%u\n    flags: 0x%x %s\n", st->mode & 07777, mode,
	       st->uid, st->gid, st->flags, flags);
	if (S_ISCHR(st->mode) || S_ISBLK(st->mode))
		printf("   device: %u,%u\n", st->rdev_major, st->rdev_minor);
	print_time("access", &st->atime);
	print_time("modify", &st->mtime);
	print_time("change", &st->ctime);
	print_time("birth", &st->btime);
	for (size_t i = 0; i < extents->count; i++)
		printf("   extent: bytes %llu to %llu at %llu, %s\n",
		       (unsigned long long)extents->items[i].logical,
		       (unsigned long long)(extents->items[i].logical + extents->items[i].length),
		       (unsigned long long)extents->items[i].physical,
		       extent_text(extents->items[i].flags));
}

/* ---- JSON */

static void put_extents(struct facts *f, const struct extent_list *extents)
{
	facts_array(f, "extents");
	for (size_t i = 0; i < extents->count; i++) {
		facts_object(f, NULL);
		facts_number(f, "logical", extents->items[i].logical);
		facts_number(f, "physical", extents->items[i].physical);
		facts_number(f, "length", extents->items[i].length);
		facts_string(f, "state", extent_text(extents->items[i].flags));
		facts_object_end(f);
	}
	facts_array_end(f);
}

static void print_json(struct facts *f, const char *path, const struct extant_stat *st,
		       const struct extent_list *extents)
{
	char text[33];

	facts_object(f, NULL);
	facts_string(f, "path", path);
	facts_number(f, "ino", st->ino);
	facts_number(f, "generation", st->generation);
	facts_string(f, "type", cli_type_text(st->mode));
	facts_number(f, "mode", st->mode);
	cli_mode_text(st->mode, text);
	facts_string(f, "mode_text", text);
	facts_number(f, "nlink", st->nlink);
	facts_number(f, "uid", st->uid);
	facts_number(f, "gid", st->gid);
	facts_number(f, "size", st->size);
	facts_number(f, "sectors", st->blocks);
	facts_number(f, "block_size", st->blksize);
	facts_number(f, "flags", st->flags);
	cli_flags_text(st->flags, text, sizeof(text));
	facts_string(f, "flags_text", text);
	facts_number(f, "rdev_major", st->rdev_major);
	facts_number(f, "rdev_minor", st->rdev_minor);
	facts_time(f, "atime", st->atime.sec, st->atime.nsec);
	facts_time(f, "mtime", st->mtime.sec, st->mtime.nsec);
	facts_time(f, "ctime", st->ctime.sec, st->ctime.nsec);
	facts_time(f, "btime", st->btime.sec, st->btime.nsec);
	if (extents)
		put_extents(f, extents);
	facts_object_end(f);
}

/* ---- the command */

static int stat_one(struct cli_image *im, const char *path, const struct stat_args *args,
		    struct facts *f)
{
	struct extent_list extents = { 0 };
	struct extant_stat st;
	int err = args->follow ? extant_stat(im->x, path, &st) : extant_lstat(im->x, path, &st);

	/* Of what has blocks; opening a link would follow it. */
	if (!err && args->extents && (S_ISREG(st.mode) || S_ISDIR(st.mode)))
		err = get_extents(im, path, &extents);
	if (!err && args->printed)
		stat_format_print(args->printed, true, im, path, &st);
	else if (!err && args->format)
		stat_format_print(args->format, false, im, path, &st);
	else if (!err && args->json)
		print_json(f, path, &st, args->extents ? &extents : NULL);
	else if (!err)
		print_text(path, &st, &extents);
	free(extents.items);
	return err ? cli_failed(im, path, err, NULL) : CLI_DONE;
}

static int check(const void *v, int count, char **words)
{
	const struct stat_args *args = v;

	if ((args->printed || args->format) && args->json)
		return cli_usage("--json has a form of its own; leave out -c");
	return stat_format_check(args->printed ? args->printed : args->format ? args->format : "");
}

static int on(struct cli_image *im, const void *v, int count, char **words)
{
	const struct stat_args *args = v;
	struct facts f;
	int status = CLI_DONE;

	if (args->json) {
		facts_begin(&f, stdout, true, 1);
		facts_string(&f, "image", im->path);
		facts_array(&f, "files");
	}
	for (int i = 0; i < count; i++)
		status = cli_worse(status, stat_one(im, words[i], args, &f));
	if (args->json) {
		facts_array_end(&f);
		facts_end(&f);
	}
	return status;
}

static const struct cli_option options[] = {
	{ CLI_FLAG, 'L', "dereference", NULL, "of what a symbolic link leads to, not of the link",
	  offsetof(struct stat_args, follow) },
	{ CLI_FLAG, 'x', "extents", NULL, "and where the bytes lie in the image",
	  offsetof(struct stat_args, extents) },
	{ CLI_TEXT, 'c', "format", "FORMAT",
	  "in that form, as stat(1) has it: %n name, %s size, %a mode, %A in\n"
	  "letters, %u %g owners, %h links, %i inode, %F kind, %x %y %z %w\n"
	  "times, %X %Y %Z %W in seconds, %b sectors, %t %T device, %N quoted",
	  offsetof(struct stat_args, format) },
	{ CLI_TEXT, 0, "printf", "FORMAT",
	  "the same, without the end of the line, and \\n and so on",
	  offsetof(struct stat_args, printed) },
	CLI_JSON(struct stat_args, json),
	CLI_MOUNT_OPTIONS(struct stat_args, options),
	{ CLI_END },
};

const struct cli_command cli_stat = {
	.name = "stat",
	.arguments = "IMAGE PATH...",
	.summary = "print what the inodes of an image say",
	.details = "The image is mounted read-only: what its journal holds is seen, and nothing is "
		   "written.",
	.options = options,
	.args_size = sizeof(struct stat_args),
	.args_min = 2,
	.paths = CLI_PATHS_ALL,
	.check = check,
	.on = on,
};
