/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the command line share.
 *
 * A command is one file and one struct cli_command: what --help prints, what options there are and
 * what runs all come from it (main.c has the list, options.c the parser and the help). Its
 * arguments arrive in a struct of its own, filled by the parser.
 *
 * Rules
 *
 * - Facts go to stdout, everything else to stderr. An error is one line: what, where, why, what to
 *   do (report.c).
 * - The exit status says what happened: enum cli_status. Where several things failed, the highest.
 * - Who only reads mounts read-only, so the image stays as it is, byte for byte.
 */
#ifndef EXTANT_CLI_H
#define EXTANT_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "base/alloc.h"
#include "base/compiler.h"
#include "base/errors.h"
#include "extant/extant.h"

enum cli_status {
	CLI_DONE = 0,
	CLI_REFUSED = 1,		/* the file system said no */
	CLI_USAGE = 2,			/* the command line is wrong */
	CLI_DAMAGED = 4,		/* the image cannot be used as it is; it was not changed */
	CLI_IO = 8,			/* image or file of the host: not opened, read or written */
};

/* ---- commands (options.c) */

enum cli_option_kind {
	CLI_END,
	CLI_FLAG,			/* bool */
	CLI_TEXT,			/* const char *; the last one counts */
	CLI_LIST,			/* const char *; several are joined with commas */
};

struct cli_option {
	enum cli_option_kind kind;
	char letter;			/* 0: only the name */
	const char *name;		/* NULL: only the letter */
	const char *argument;		/* as the help calls it; of CLI_TEXT and CLI_LIST */
	const char *help;
	size_t offset;			/* of the field in the command's own struct */
};

struct cli_command {
	const char *name;
	const char *arguments;		/* "IMAGE PATH..." */
	const char *summary;		/* one line, no full stop */
	const char *details;		/* more lines, or NULL */
	const struct cli_option *options;	/* ends with CLI_END */
	size_t args_size;		/* of the struct that the options fill */
	int args_min, args_max;		/* words besides options; args_max 0: any number */
	/* `words` are the arguments that are no options. */
	int (*run)(const void *args, int count, char **words);
};

/* -o, which every command has that opens an image, and --json. */
#define CLI_MOUNT_OPTIONS(type, field) \
	{ \
		CLI_LIST, 'o', "options", "OPTIONS", \
			"mount options, as mount(8) has them for ext4, and offset=BYTES,\n" \
			"partition=N, sb=KIB (a backup superblock), cache_mb=N", \
			offsetof(type, field) \
	}
#define CLI_JSON(type, field) \
	{ \
		CLI_FLAG, 0, "json", NULL, "print one JSON document", offsetof(type, field) \
	}

/* Parses and runs. `argv[0]` is the command's name. */
int cli_execute(const struct cli_command *c, int argc, char **argv);
void cli_help(const struct cli_command *c, FILE *to);
/* The manual page of all commands, to stdout (manual.c). */
void cli_manual(const struct cli_command *const *commands, size_t count);
extern const char cli_exit_statuses[];

extern const struct cli_command cli_cat, cli_get, cli_info, cli_ls, cli_mkdir, cli_put, cli_replay,
	cli_rm, cli_run, cli_stat, cli_trace;

/* ---- errors (report.c) */

/* Of the command that runs; set by cli_execute, printed before each message. */
void cli_set_command(const char *name);
/* "extant ls: TEXT", in one line whatever the text holds. */
printf_like(1, 2) void cli_error(const char *fmt, ...);
printf_like(1, 2) void cli_warning(const char *fmt, ...);
/* The same, with what usage is right behind it. Yields CLI_USAGE. */
printf_like(1, 2) int cli_usage(const char *fmt, ...);
/* What an errno (positive or negative) means, in words for a user of a file system. */
const char *cli_why(int err);
/* The exit status of a call on a mounted image that failed. */
enum cli_status cli_status_of(int err);
static inline int cli_worse(int a, int b)
{
	return a > b ? a : b;
}
/* Ends the output: CLI_IO when it did not all get out, else `status`. */
int cli_finish_output(int status);

/* ---- an open image (image.c) */

struct cli_image {
	const char *path;		/* as the user named it */
	struct extant *x;
	struct arena *arena;		/* of the device */
	char error[400];		/* the last message of the library about an error */
	char warning[400];		/* and the last warning, not printed yet */
};

enum cli_access { CLI_READ, CLI_WRITE };

struct block_device;
#define CLI_OPTIONS_MAX 1024
/*
 * The first step of cli_open: the image (or the part of it that the options name) as a device, and
 * the mount options that are left, checked. CLI_DONE, or the status, reported.
 */
int cli_open_device(struct arena *a, const char *path, const char *options, bool read_only,
		    char rest[CLI_OPTIONS_MAX], struct block_device **out);

/* Opens and mounts. CLI_DONE, or the status; then it has been reported and nothing is open. */
int cli_open(struct cli_image *im, const char *path, const char *options, enum cli_access access);
/* Unmounts. The worse of `status` and what came of that, which is reported. */
int cli_close(struct cli_image *im, int status);
/*
 * Reports that something in the image failed: "extant cat: disk.img: /a: WHY; HINT". Yields the
 * status. `hint` NULL: what generally helps.
 */
int cli_failed(struct cli_image *im, const char *path, int err, const char *hint);
/*
 * Reports that an image could not be mounted, with what the library said about it ("": nothing).
 * Yields the status.
 */
int cli_mount_failed(const char *image, const char *said, int err);
/* The same for a file of the host; `err` is an errno. Yields CLI_IO. */
int cli_host_failed(const char *path, int err);

/* ---- names in an image (names.c) */

struct cli_name {
	char *name;
	uint32_t ino;
	uint8_t type;			/* DT_* */
};

struct cli_names {
	struct cli_name *items;
	size_t count, room;
};

/* All names of a directory, `.` and `..` too; those read before an error are there with it. */
must_check int cli_list(struct cli_image *im, const char *path, struct cli_names *out);
void cli_names_sort(struct cli_names *names);
void cli_names_free(struct cli_names *names);
/* "dir/name"; to be freed. */
char *cli_join(const char *dir, const char *name);
/* Behind the last '/', which is left out where it ends the path. Points into `path` or is "/". */
const char *cli_basename(const char *path);
static inline bool cli_is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}
/* realloc that does not fail: out of memory ends the process with a message and CLI_IO. */
void *cli_realloc(void *p, size_t size);
char *cli_strdup(const char *text);

/* A set of inode numbers: directories that were entered. A second way into one is damage. */
struct cli_ino_set {
	uint32_t *slots;		/* open addressing; 0: free */
	size_t count, size;
};
/* False: it was there already. */
bool cli_ino_add(struct cli_ino_set *set, uint32_t ino);
void cli_ino_free(struct cli_ino_set *set);

/* ---- text for attributes (format.c) */

/* "drwxr-xr-x" */
void cli_mode_text(uint32_t mode, char out[11]);
/* "regular file" */
const char *cli_type_text(uint32_t mode);
/* "2026-05-04 12:00:01.000000000 +0000", in the zone of the environment; without the fraction. */
void cli_time_text(const struct extant_time *t, bool precise, char *buf, size_t size);
/* chattr's letters of FS_*_FL. */
void cli_flags_text(uint32_t flags, char *buf, size_t size);
/* Octal permission bits; false: it is no such number. */
bool cli_parse_mode(const char *text, uint32_t *mode);
/*
 * A name for the eye: control characters as '?' where stdout is a terminal, so that a name in an
 * image cannot command it. Elsewhere as it is.
 */
void cli_print_name(const char *name);

#endif
