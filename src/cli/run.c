/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant run, extant trace: a workload script on an image, in this process, in the same order each
 * time.
 */
#include <stdlib.h>
#include <string.h>
#include "cli/cli.h"
#include "cli/script.h"

/* The recordings' clock: their images were made at this second. */
#define CLOCK_START_NS	(1700000000LL * NSEC_PER_SEC)
#define CLOCK_TICK_NS	(4 * NSEC_PER_MSEC)

struct run_args {
	const char *options, *trace_path, *format, *results_path, *snapshots, *clock, *seed;
	bool verbose;
};

struct run {
	const char *options, *trace_path, *results_path, *snapshots, *image, *script;
	enum trace_format format;
	bool real_clock, seeded, verbose;
	uint64_t seed;
	struct arena *arena;
	struct clock clock;
	struct trace *trace;
	struct trace_formatter *formatter;
	FILE *out;
	char said[512];			/* the last error message of the mount */
};

/* ---- the command line */

static int parse_format(const char *text, enum trace_format *out)
{
	if (!strcmp(text, "ftrace"))
		*out = TRACE_FTRACE;
	else if (!strcmp(text, "tree"))
		*out = TRACE_TREE;
	else if (!strcmp(text, "jsonl"))
		*out = TRACE_JSONL;
	else
		return cli_usage("--trace-format %s: ftrace, tree or jsonl", text);
	return CLI_DONE;
}

static int parse_seed(const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 0);
	return *text < '0' || *text > '9' || *end || errno ? cli_usage("--seed %s: no number", text)
							   : CLI_DONE;
}

static int take_args(struct run *r, const struct run_args *a, char **words)
{
	int status = CLI_DONE;

	r->options = a->options;
	r->trace_path = a->trace_path ? a->trace_path : r->trace_path;
	r->results_path = a->results_path;
	r->snapshots = a->snapshots;
	r->image = words[0];
	r->script = words[1];
	r->real_clock = a->clock != NULL;
	r->seeded = a->seed != NULL;
	r->verbose = a->verbose;
	if (a->clock && strcmp(a->clock, "real"))
		status = cli_usage("--clock %s: only real is there", a->clock);
	if (!status && a->format)
		status = parse_format(a->format, &r->format);
	if (!status && a->seed)
		status = parse_seed(a->seed, &r->seed);
	return status;
}

/* ---- set-up */

static enum trace_dialect dialect_of(const char *options)
{
	const char *d = options ? strstr(options, "dialect=") : NULL;

	return d && !strncmp(d, "dialect=6.18", 12) ? DIALECT_6_18 : DIALECT_4_9;
}

static int write_trace(void *arg, const char *text, size_t len)
{
	struct run *r = arg;

	return fwrite(text, 1, len, r->out) == len ? 0 : -EIO;
}

static int drain_after(void *arg)
{
	struct run *r = arg;

	return r->formatter ? trace_format_all(r->formatter) : 0;
}

static void drain_full(void *arg, struct trace *t)
{
	struct run *r = arg;

	(void)t;
	(void)trace_format_all(r->formatter); /* what it could not write shows at the end */
}

static int start_trace(struct run *r)
{
	struct trace_options opt = {
		.dialect = dialect_of(r->options),
		.dev_major = 7,
		.clock = &r->clock,
		.drain = drain_full,
		.drain_arg = r,
	};
	int err;

	if (!r->trace_path) {
		r->trace = trace_none();
		return 0;
	}
	r->out = strcmp(r->trace_path, "-") ? fopen(r->trace_path, "w") : stdout;
	if (!r->out)
		return -errno;
	err = trace_create(r->arena, &opt, &r->trace);
	if (!err)
		err = trace_formatter_create(r->trace, r->format, write_trace, r, &r->formatter);
	if (err)
		return err;
	(void)trace_enable(r->trace, "*", true);
	trace_enable_scopes(r->trace, r->format != TRACE_FTRACE);
	return 0;
}

static void start_clock(struct run *r)
{
	if (r->real_clock)
		clock_init_real(&r->clock);
	else
		clock_init_virtual(&r->clock, CLOCK_START_NS, CLOCK_TICK_NS);
}

static void heard(void *arg, enum extant_level level, const char *text)
{
	struct run *r = arg;

	if (r->verbose)
		fprintf(stderr, "extant: %s\n", text);
	if (level != EXTANT_INFO)
		(void)snprintf(r->said, sizeof(r->said), "%s", text);
}

/* ---- the run */

static int report(const struct run *r, const struct script *s, int err)
{
	if (!err)
		return CLI_DONE;
	if (s->unknown)
		return cli_usage("%s: operation '%s' is not there in this version", r->script,
				 s->unknown);
	return cli_mount_failed(r->image, r->said, err);
}

static int run_script(struct run *r, FILE *lines, FILE *results)
{
	struct script s;
	int err, status;

	script_init(&s);
	s.image = r->image;
	s.options = r->options;
	s.snapshots = r->snapshots;
	s.clock = &r->clock;
	s.trace = r->trace;
	s.dialect = dialect_of(r->options);
	s.opt.mode = r->seeded ? EXTANT_SEEDED : EXTANT_INLINE;
	s.opt.seed = r->seeded ? r->seed : 1;
	s.opt.mount_point = "/mnt";
	s.opt.message = heard;
	s.opt.arg = r;
	s.results = results;
	s.after_op = drain_after;
	s.after_arg = r;
	if (results)
		fprintf(results, "{\"version\":1}\n");
	err = script_run(&s, lines);
	status = report(r, &s, err);
	script_fini(&s);
	return status;
}

static int finish(struct run *r, FILE *results, int status)
{
	if (r->formatter) {
		(void)trace_format_all(r->formatter);
		trace_formatter_destroy(r->formatter);
	}
	trace_destroy(r->trace);
	if ((r->out && (fflush(r->out) || ferror(r->out))) ||
	    (results && (fflush(results) || ferror(results)))) {
		cli_error("trace or results: cannot be written");
		status = status ? status : CLI_IO;
	}
	if (r->out && r->out != stdout)
		fclose(r->out);
	if (results && results != stdout)
		fclose(results);
	arena_destroy(r->arena);
	return status;
}

/* Whether the image and the options are such that a mount can be tried. */
static int look(struct run *r)
{
	struct arena *a = arena_create();
	char rest[CLI_OPTIONS_MAX];
	struct block_device *dev;
	int status;

	if (!a)
		return cli_host_failed(r->image, ENOMEM);
	status = cli_open_device(a, r->image, r->options ? r->options : "", true, rest, &dev);
	if (!status)
		block_close(dev);
	arena_destroy(a);
	return status;
}

static int perform(struct run *r)
{
	FILE *lines = strcmp(r->script, "-") ? fopen(r->script, "r") : stdin, *results = NULL;
	int status;

	if (!lines)
		return cli_host_failed(r->script, errno);
	if (r->results_path)
		results = strcmp(r->results_path, "-") ? fopen(r->results_path, "w") : stdout;
	if (r->results_path && !results)
		return cli_host_failed(r->results_path, errno);
	r->arena = arena_create();
	start_clock(r);
	if (!r->arena || start_trace(r))
		return cli_host_failed(r->trace_path ? r->trace_path : "trace", errno);
	status = run_script(r, lines, results);
	if (lines != stdin)
		fclose(lines);
	return finish(r, results, status);
}

/* ---- the commands */

static int run(const void *v, int count, char **words)
{
	struct run r = { .format = TRACE_FTRACE };
	int status = take_args(&r, v, words);

	(void)count;
	if (!status)
		status = look(&r);
	return status ? status : perform(&r);
}

static int trace_run(const void *v, int count, char **words)
{
	struct run r = { .format = TRACE_TREE, .trace_path = "-" };
	int status = take_args(&r, v, words);

	(void)count;
	if (!status)
		status = look(&r);
	return status ? status : perform(&r);
}

static const struct cli_option options[] = {
	{ CLI_TEXT, 0, "trace", "FILE", "the events each operation fires; - is standard output",
	  offsetof(struct run_args, trace_path) },
	{ CLI_TEXT, 0, "trace-format", "FORMAT",
	  "ftrace: Linux's own text; tree: call trees with their events;\n"
	  "jsonl: a JSON object a line",
	  offsetof(struct run_args, format) },
	{ CLI_TEXT, 0, "results", "FILE", "a JSON line for each operation: what it returned",
	  offsetof(struct run_args, results_path) },
	{ CLI_TEXT, 0, "snapshots", "DIR", "where `snapshot NAME` puts NAME.img (here)",
	  offsetof(struct run_args, snapshots) },
	{ CLI_TEXT, 0, "clock", "real",
	  "the machine's clock; else time stands still but for 12 ms\n"
	  "before each operation",
	  offsetof(struct run_args, clock) },
	{ CLI_TEXT, 0, "seed", "N", "the order of tasks and random numbers, drawn from N",
	  offsetof(struct run_args, seed) },
	{ CLI_FLAG, 'v', "verbose", NULL, "the mount's messages, as they come, on standard error",
	  offsetof(struct run_args, verbose) },
	{ CLI_LIST, 'o', "options", "OPTIONS",
	  "mount options, as mount(8) has them for ext4, and\n"
	  "dialect=4.9 (the default here) or 6.18, cache_mb=N",
	  offsetof(struct run_args, options) },
	{ CLI_END },
};

const struct cli_command cli_run = {
	.name = "run",
	.arguments = "IMAGE SCRIPT",
	.summary = "run a workload script on an image",
	.details = "Mounts it, performs each line, unmounts; in one process and in the same order "
		   "each time.\n"
		   "SCRIPT -: standard input. The language: tests/oracle/README.md. The status is "
		   "0 when the\n"
		   "script ran to its end, whatever its operations returned, 2 for an operation "
		   "that is not\n"
		   "there.",
	.options = options,
	.args_size = sizeof(struct run_args),
	.args_min = 2,
	.args_max = 2,
	.run = run,
};

const struct cli_command cli_trace = {
	.name = "trace",
	.arguments = "IMAGE SCRIPT",
	.summary = "run a script, and print the call trees with their events",
	.details = "extant run with --trace - --trace-format tree.",
	.options = options,
	.args_size = sizeof(struct run_args),
	.args_min = 2,
	.args_max = 2,
	.run = trace_run,
};
