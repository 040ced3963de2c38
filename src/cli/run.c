/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant run, extant trace: a workload script on an image, in this process, in the same order each time.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include "cli/cli.h"
#include "cli/script.h"

static const char usage[] =
	"usage: extant run [-o MOUNTOPTS] [--trace FILE] [--trace-format ftrace|tree|jsonl] [--results FILE]\n"
	"                  [--snapshots DIR] [--clock real] [--seed N] IMAGE SCRIPT\n"
	"       extant trace [-o MOUNTOPTS] IMAGE SCRIPT      (run with --trace - --trace-format tree)\n"
	"\n"
	"Runs a workload script on an image: mounts it, performs each line, unmounts. The image changes.\n"
	"\n"
	"  -o MOUNTOPTS        mount(8)'s options for ext4, and dialect=4.9 (default) or 6.18, cache_mb=N\n"
	"  --trace FILE        the events each operation fires; - is the standard output\n"
	"  --trace-format F    ftrace: Linux's own text (default); tree: call trees with events; jsonl\n"
	"  --results FILE      a JSON line for each operation: what it returned\n"
	"  --snapshots DIR     where `snapshot NAME` puts NAME.img (default: here)\n"
	"  --clock real        the machine's clock; else time stands still but for 12 ms before each operation\n"
	"  --seed N            the order of tasks and random numbers drawn from N\n"
	"\n"
	"SCRIPT - reads the standard input. Exit status: 0 the script ran to its end, whatever its operations\n"
	"returned; 2 wrong usage or an operation that is not there; 4 the image is damaged; 8 an I/O error.\n";

/* The recordings' clock: their images were made at this second. */
#define CLOCK_START_NS	(1700000000LL * NSEC_PER_SEC)
#define CLOCK_TICK_NS	(4 * NSEC_PER_MSEC)

struct run {
	const char *options, *trace_path, *results_path, *snapshots, *image, *script;
	enum trace_format format;
	bool real_clock, seeded;
	uint64_t seed;
	struct arena *arena;
	struct clock clock;
	struct trace *trace;
	struct trace_formatter *formatter;
	FILE *out;
	char said[512];			/* the last error message of the mount */
};

/* ---- the command line */

enum { OPT_TRACE = 256, OPT_FORMAT, OPT_RESULTS, OPT_SNAPSHOTS, OPT_CLOCK, OPT_SEED, OPT_HELP };

static const struct option long_options[] = {
	{ "trace", required_argument, NULL, OPT_TRACE },
	{ "trace-format", required_argument, NULL, OPT_FORMAT },
	{ "results", required_argument, NULL, OPT_RESULTS },
	{ "snapshots", required_argument, NULL, OPT_SNAPSHOTS },
	{ "clock", required_argument, NULL, OPT_CLOCK },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static int parse_format(const char *text, enum trace_format *out)
{
	if (!strcmp(text, "ftrace"))
		*out = TRACE_FTRACE;
	else if (!strcmp(text, "tree"))
		*out = TRACE_TREE;
	else if (!strcmp(text, "jsonl"))
		*out = TRACE_JSONL;
	else
		return -1;
	return 0;
}

/* 0; 1: help was asked for; -1: wrong. */
static int parse_one(struct run *r, int c)
{
	switch (c) {
	case 'o':
		r->options = optarg;
		return 0;
	case OPT_TRACE:
		r->trace_path = optarg;
		return 0;
	case OPT_FORMAT:
		return parse_format(optarg, &r->format);
	case OPT_RESULTS:
		r->results_path = optarg;
		return 0;
	case OPT_SNAPSHOTS:
		r->snapshots = optarg;
		return 0;
	case OPT_CLOCK:
		r->real_clock = true;
		return strcmp(optarg, "real") ? -1 : 0;
	case OPT_SEED:
		r->seeded = true;
		r->seed = strtoull(optarg, NULL, 0);
		return 0;
	case OPT_HELP:
		return 1;
	default:
		return -1;
	}
}

static int parse(struct run *r, int argc, char **argv)
{
	int c, said = 0;

	optind = 1;
	while (!said && (c = getopt_long(argc, argv, "o:", long_options, NULL)) != -1)
		said = parse_one(r, c);
	if (said || argc - optind != 2)
		return said ? said : -1;
	r->image = argv[optind];
	r->script = argv[optind + 1];
	return 0;
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
		.dialect = dialect_of(r->options), .dev_major = 7, .clock = &r->clock, .drain = drain_full, .drain_arg = r,
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

	if (level != EXTANT_INFO)
		(void)snprintf(r->said, sizeof(r->said), "%s", text);
}

/* ---- the run */

static int report(const struct run *r, const struct script *s, int err)
{
	if (!err)
		return CLI_OK;
	if (s->unknown) {
		fprintf(stderr, "extant: %s: operation '%s' is not there in this version\n", r->script, s->unknown);
		return CLI_USAGE;
	}
	if (*r->said)
		fprintf(stderr, "extant: %s\n", r->said);
	else
		fprintf(stderr, "extant: %s: %s\n", r->image, strerror(-err));
	return cli_status(err);
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
	s.dialect = DIALECT_4_9;
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
	if ((r->out && (fflush(r->out) || ferror(r->out))) || (results && (fflush(results) || ferror(results)))) {
		fprintf(stderr, "extant: trace or results: write error\n");
		status = status ? status : CLI_IO;
	}
	if (r->out && r->out != stdout)
		fclose(r->out);
	if (results && results != stdout)
		fclose(results);
	arena_destroy(r->arena);
	return status;
}

static int cannot_open(const char *path)
{
	fprintf(stderr, "extant: %s: %s\n", path, strerror(errno));
	return CLI_USAGE;
}

static int run(struct run *r)
{
	FILE *lines = strcmp(r->script, "-") ? fopen(r->script, "r") : stdin, *results = NULL;
	int status;

	if (!lines)
		return cannot_open(r->script);
	if (r->results_path)
		results = strcmp(r->results_path, "-") ? fopen(r->results_path, "w") : stdout;
	if (r->results_path && !results)
		return cannot_open(r->results_path);
	r->arena = arena_create();
	start_clock(r);
	if (!r->arena || start_trace(r))
		return cannot_open(r->trace_path ? r->trace_path : "trace");
	status = run_script(r, lines, results);
	if (lines != stdin)
		fclose(lines);
	return finish(r, results, status);
}

static int parse_and_run(struct run *r, int argc, char **argv)
{
	int said = parse(r, argc, argv);

	if (said) {
		fputs(usage, said > 0 ? stdout : stderr);
		return said > 0 ? CLI_OK : CLI_USAGE;
	}
	return run(r);
}

int cmd_run(int argc, char **argv)
{
	struct run r = { .format = TRACE_FTRACE };

	return parse_and_run(&r, argc, argv);
}

int cmd_trace(int argc, char **argv)
{
	struct run r = { .format = TRACE_TREE, .trace_path = "-" };

	return parse_and_run(&r, argc, argv);
}
