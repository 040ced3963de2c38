/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the command line share.
 *
 * A command is a struct cli_command: what --help, the manual page and the completion say, what
 * options there are and what runs all come from it. Its arguments arrive in a struct of its own,
 * filled by the parser (options.c); commands.c has the list.
 *
 * Most commands work on an image that is open already (`on`): the command line opens it for one of
 * them and closes it behind (execute.c), the shell and a batch keep it open for many (session.c).
 * The others open what they need themselves (`run`) and are no words of the shell.
 *
 * Rules
 *
 * - Facts go to stdout, everything else to stderr. An error is one line: what, where, why, what to
 *   do (report.c).
 * - The exit status says what happened: enum cli_status. Where several things failed, the highest.
 * - Who only reads mounts read-only, so the image stays as it is, byte for byte.
 * - Whatever can be said without the image is said before it is opened (`check`).
 * - Loops over files and over the bytes of a file end soon after cli_interrupted() is true, and
 *   leave no half-written file (interrupt.c).
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
	CLI_IGNORED,			/* habit: taken, and without effect */
};

struct cli_option {
	enum cli_option_kind kind;
	char letter;			/* 0: only the name */
	const char *name;		/* NULL: only the letter */
	const char *argument;		/* as the help calls it; of CLI_TEXT and CLI_LIST */
	const char *help;
	size_t offset;			/* of the field in the command's own struct */
};

/* Which of the words behind IMAGE are paths in it. Where none is given, the command adds ".". */
enum cli_paths {
	CLI_PATHS_NONE,
	CLI_PATHS_ALL,
	CLI_PATHS_BUT_LAST,		/* the last of several is a file of the host */
	CLI_PATHS_LAST,			/* before it, files of the host */
	CLI_PATHS_REST,			/* behind a word of another kind */
	CLI_PATHS_OWN,			/* the command tells them apart (cli_at) */
};

enum cli_access { CLI_READ, CLI_WRITE };

struct cli_image;

struct cli_command {
	const char *name;
	const char *arguments;		/* "IMAGE PATH..." */
	const char *summary;		/* one line, no full stop */
	const char *details;		/* more lines, or NULL */
	const struct cli_option *options;	/* ends with CLI_END */
	size_t args_size;		/* of the struct that the options fill */
	int args_min, args_max;		/* words besides options, IMAGE counted; args_max 0: any number */
	bool raw;			/* words that begin with '-' are the command's own, save exact options */
	bool here;			/* without a path it is about the current directory */
	bool careful;			/* ended by a signal, it has something to put in order */
	enum cli_paths paths;
	enum cli_access access;		/* what `on` needs */
	/* The same where it depends on the arguments. NULL: always `access`. */
	enum cli_access (*access_for)(const void *args, int count, char **words);
	/* Says what is wrong before the image is opened; CLI_DONE: nothing. `words` as for `on`. Or NULL. */
	int (*check)(const void *args, int count, char **words);
	/* `words` are the arguments behind IMAGE that are no options. */
	int (*on)(struct cli_image *im, const void *args, int count, char **words);
	/* Instead of it, and with IMAGE as the first word: opens what it needs. */
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

/* A command line taken apart: options.c. */
struct cli_parsed {
	void *args;
	int count;			/* of words that are no options */
	char **words;
};
/* -1: go on; else the exit status, reported. cli_parsed_free in any case. `in_session`: no IMAGE, no -o. */
int cli_parse(const struct cli_command *c, int argc, char **argv, bool in_session,
	      struct cli_parsed *out);
void cli_parsed_free(const struct cli_command *c, struct cli_parsed *p);
/* The value of -o; NULL: none. */
const char *cli_mount_options(const struct cli_command *c, const void *args);

/* Parses and runs, on an image that it opens. `argv[0]` is the command's name. */
int cli_execute(const struct cli_command *c, int argc, char **argv);
/* The same in a session: on an open image, so without IMAGE and -o among the words. */
int cli_execute_on(struct cli_image *im, const struct cli_command *c, int argc, char **argv);

void cli_help(const struct cli_command *c, FILE *to, bool in_session);
/* All commands (commands.def), in the order of the help. */
#define COMMAND(name) extern const struct cli_command cli_##name;
#include "cli/commands.def"
#undef COMMAND
extern const struct cli_command *const cli_commands[];
extern const size_t cli_commands_count;
const struct cli_command *cli_find_command(const char *name);
/* The manual page extant(1), that of one command, all of them into files of a directory (manual.c). */
void cli_manual(void);
void cli_manual_of(const struct cli_command *c);
int cli_manual_pages(const char *dir);
/* The completion for bash (completion.c). */
void cli_completion(void);
extern const char cli_exit_statuses[];

/* ---- signals (interrupt.c) */

/* SIGINT, SIGTERM and SIGHUP from now on only say so; a second one ends the process at once. */
void cli_interrupt_catch(void);
/*
 * The same for who reads lines at a terminal: SIGINT is caught even where it was ignored or held
 * back, as in what a script starts in the background; there ^C is a key.
 */
void cli_interrupt_catch_typed(void);
bool cli_interrupted(void);
/* A prompt begins: a SIGINT that came is forgotten, and one that comes ends the line; or it ends. */
void cli_interrupt_prompt(bool begins);
/* Whether that has come. */
bool cli_interrupt_ended_line(void);
/* At the end: dies of the signal that came, as who did not catch it. */
void cli_interrupt_finish(void);
/* "interrupted", once a command. Yields CLI_REFUSED. */
int cli_interrupt_report(void);

/* ---- progress, where stderr is a terminal (progress.c) */

/* So many bytes more, of what is at hand; shown now and then once it lasts. */
void cli_progress(const char *what, uint64_t bytes);
/* Wipes the line: before something else is printed, and at the end. */
void cli_progress_clear(void);

/* ---- errors (report.c) */

/* Of the command that runs; set by cli_execute, printed before each message. */
void cli_set_command(const char *name);
/* Stands before the command's name: "line 3"; "": nothing. Lives as long as it is set. */
void cli_set_place(const char *place);
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
	const char *options;		/* as the user gave them; "" */
	enum cli_access access;
	char *cwd;			/* of a session: where relative paths begin; NULL: the root */
	bool from_stdin;		/* of a session: its commands come from there */
	char error[400];		/* the last message of the library about an error */
	char warning[400];		/* and the last warning, not printed yet */
};

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
void cli_names_add(struct cli_names *names, const char *name, uint32_t ino, uint8_t type);
void cli_names_sort(struct cli_names *names);
void cli_names_free(struct cli_names *names);
/* "dir/name"; to be freed. */
char *cli_join(const char *dir, const char *name);
/* A word as a path in the image, from the session's directory on; to be freed. */
char *cli_at(const struct cli_image *im, const char *word);
/*
 * Where the symbolic links lead that a path ends in; the path itself where it ends in none, or where
 * they lead in a circle. To be freed.
 */
char *cli_follow(struct cli_image *im, const char *path);
/* The path of the directory that holds it: "/" or "." where the path has no other. To be freed. */
char *cli_dirname(const char *path);
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

/* Removes a file, or a directory with all that is in it; reported (rm.c). */
int cli_remove(struct cli_image *im, const char *path);

/* ---- text for attributes (format.c) */

/* "drwxr-xr-x" */
void cli_mode_text(uint32_t mode, char out[11]);
/* "regular file" */
const char *cli_type_text(uint32_t mode);
/* "2026-05-04 12:00:01.000000000 +0000", in the zone of the environment; without the fraction. */
void cli_time_text(const struct extant_time *t, bool precise, char *buf, size_t size);
/* chattr's letters of FS_*_FL. */
void cli_flags_text(uint32_t flags, char *buf, size_t size);
/*
 * A name for the eye: control characters as '?' where stdout is a terminal, so that a name in an
 * image cannot command it. Elsewhere as it is.
 */
void cli_print_name(const char *name);
/* The same and the end of the line. */
void cli_print_line(const char *name);


/* ---- values in arguments (values.c, mode.c) */

/* Octal or as chmod(1) has it ("u+x,g=rX"), on `old`; false: it is neither. The umask counts as there. */
bool cli_parse_mode(const char *text, uint32_t old, bool is_directory, uint32_t *mode);
/* "UID[:GID]", ":GID", with root for 0; what is left out is UINT32_MAX (chmod.c). */
bool cli_parse_owner(const char *text, uint32_t *uid, uint32_t *gid);
/* "10", "4K", "1GiB" (1024), "5MB" (1000); false: it is none, or does not fit. */
bool cli_parse_size(const char *text, uint64_t *out);
/* All of it a decimal number of at most `max`. */
bool cli_parse_number(const char *text, uint64_t max, uint64_t *out);
/* "@SECONDS", "now", "2026-05-04 12:00[:01[.5]] [+0200|Z]", "2026-05-04T12:00Z". */
bool cli_parse_time(const char *text, struct extant_time *out);
/* The machine's clock. */
struct extant_time cli_now(void);
/* 1536 as "1.5K", as du -h has it: rounded up. */
void cli_human(uint64_t bytes, char buf[16]);

#endif
