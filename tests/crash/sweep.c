/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sweep: runs a workload script once, recording every write, flush and forced write, and then visits the states
 * in which a power failure could have left the disk. Each is mounted (recovery), checked whole (src/check), and
 * held against what had been promised: a file that was fsynced, and not touched since, is there with its bytes.
 * The run itself is held against the rules of watch.h, what it wrote against in_place.h.
 *
 *	sweep [-o MOUNTOPTS] [--random N] [--seed S] [--tears N] [--nested EVERY] [--letters]
 *	      [--journal BLOCKSIZE:FIRST-LAST,...] [--only N] [--from N] [--count N] [--save FILE] IMAGE SCRIPT
 *
 * --nested: every so many states, the recovery itself is recorded, and each state that a failure in it could
 * leave is recovered again: the tree must be the same (J8). --letters: the script fills each file with the letter
 * that its name begins with; another byte is somebody else's (J2). --only N --save FILE writes state N as an image.
 * Prints one JSON line; exit 1 when a state failed or a rule was broken, 2 on misuse, 3 when the script did not run.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "block/crash.h"
#include "check/check.h"
#include "cli/script.h"
#include "in_place.h"
#include "tree.h"
#include "watch.h"

#define PROMISES_MAX 4096
#define CLOCK_START_NS (1700000000LL * NSEC_PER_SEC)

/*
 * From the end of operation `from` up to the beginning of operation `to`: this file is there. From the beginning of a
 * rename on, it may be at the other path; or what was renamed over it may be at its own.
 */
struct promise {
	char path[256], other[256];
	uint64_t size, hash;
	int from, to;			/* to INT32_MAX: to the end */
	int moves, replaced, by;	/* operations; INT32_MAX: none. The promise of what is renamed over it */
};

struct sweep {
	const char *image, *script_path, *options, *save;
	uint64_t seed, random_states, only, from, count, nested;
	uint32_t tears;
	bool letters, nesting;
	struct watch watch;
	struct in_place in_place;
	struct arena *arena;
	struct block_device *file, *cow, *rec;
	struct clock clock;
	struct script script;
	char fd_path[SCRIPT_FILES][256];
	struct promise *promises;
	int promise_count;
	/* the visit */
	uint64_t visited, equal, failed, nested_visited;
	uint64_t number;		/* the state at hand */
	uint64_t tree;			/* what it held once recovered */
	char why[400];
};

/* ---- what is promised */

/* Size and bytes of a file, read without moving its access time. */
static int file_print(struct extant *x, const char *path, uint64_t *size, uint64_t *hash)
{
	static uint8_t buf[1 << 16];
	int fd = extant_open(x, path, O_RDONLY | O_NOATIME, 0);
	int64_t n;

	if (fd < 0)
		return fd;
	*size = 0;
	*hash = TREE_MIX_START;
	while ((n = extant_read(x, fd, buf, sizeof(buf))) > 0) {
		*hash = tree_mix(*hash, buf, (size_t)n);
		*size += (uint64_t)n;
	}
	(void)extant_close(x, fd); /* nothing was written */
	return n < 0 ? (int)n : 0;
}

static void promise(struct sweep *s, int op, const char *path)
{
	struct promise *p;

	if (!*path || s->promise_count == PROMISES_MAX)
		return;
	p = &s->promises[s->promise_count];
	*p = (struct promise){ .from = op, .to = INT32_MAX, .moves = INT32_MAX, .replaced = INT32_MAX };
	(void)snprintf(p->path, sizeof(p->path), "%s", path);
	if (file_print(s->script.x, path, &p->size, &p->hash) == 0)
		s->promise_count++;
}

static void end_promises(struct sweep *s, int op, const char *path)
{
	for (int i = 0; i < s->promise_count; i++)
		if (s->promises[i].to == INT32_MAX &&
		    (!strcmp(s->promises[i].path, path) || !strcmp(s->promises[i].other, path)))
			s->promises[i].to = op;
}

/* The words of a line, as far as promises go: the operation, its descriptor, its first path, its flags. */
struct words {
	char op[32], path[256], flags[128], more[32];
	int fd;
	int64_t off, len;
	bool synced;			/* sync=sync */
};

static void read_words(const char *text, struct words *w)
{
	char buf[1024], *save, *t;
	int n = 0;

	*w = (struct words){ .fd = -1 };
	(void)snprintf(buf, sizeof(buf), "%s", text);
	for (t = strtok_r(buf, " \t", &save); t; t = strtok_r(NULL, " \t", &save)) {
		if (!strncmp(t, "fd=", 3))
			w->fd = atoi(t + 3);
		else if (!strncmp(t, "off=", 4))
			w->off = atoll(t + 4);
		else if (!strncmp(t, "len=", 4))
			w->len = atoll(t + 4);
		else if (!strcmp(t, "sync=sync"))
			w->synced = true;
		else if (!strncmp(t, "fd2=", 4)) /* where copy_file_range copies to */
			w->fd = atoi(t + 4);
		else if (strchr(t, '='))
			continue;
		else if (n++ == 0)
			(void)snprintf(w->op, sizeof(w->op), "%s", t);
		else if (n == 2)
			(void)snprintf(w->path, sizeof(w->path), "%s", t);
		else if (n == 3)
			(void)snprintf(w->flags, sizeof(w->flags), "%s", t);
		else if (n == 4)
			(void)snprintf(w->more, sizeof(w->more), "%s", t);
	}
	if (w->fd >= SCRIPT_FILES)
		w->fd = -1;
}

/* After it, all there is of the file is stable. */
static bool makes_stable(const struct words *w, struct extant *x, int fd)
{
	struct extant_stat st;

	if (!strcmp(w->op, "fsync"))
		return true;
	return !strcmp(w->op, "mmapwrite") && w->synced && !w->off && !extant_fstat(x, fd, &st) && (uint64_t)w->len >= st.size;
}

static const char *path_of(const struct sweep *s, const struct words *w)
{
	return w->fd >= 0 ? s->fd_path[w->fd] : w->path;
}

static bool changes(const struct words *w)
{
	static const char *const ops[] = { "write", "pwrite", "mmapwrite", "fallocate", "copy_file_range", "ftruncate", "truncate",
					   "unlink", "rmdir" };

	for (size_t i = 0; i < array_size(ops); i++)
		if (!strcmp(w->op, ops[i]))
			return true;
	return !strcmp(w->op, "open") && strstr(w->flags, "O_TRUNC");
}

/* The promise of this path that no rename has touched; -1: there is none. */
static int promise_of(const struct sweep *s, const char *path)
{
	for (int i = s->promise_count - 1; i >= 0; i--)
		if (s->promises[i].to == INT32_MAX && !strcmp(s->promises[i].path, path) &&
		    !*s->promises[i].other && s->promises[i].replaced == INT32_MAX)
			return i;
	return -1;
}

static void promise_moves(struct sweep *s, int op, int i, const char *to)
{
	if (i < 0)
		return;
	s->promises[i].moves = op;
	(void)snprintf(s->promises[i].other, sizeof(s->promises[i].other), "%s", to);
}

/* rename w->path w->flags: a file is under its old name or the new one, whatever happens; no more is known of others. */
static void rename_promises(struct sweep *s, int op, const struct words *w)
{
	int from = promise_of(s, w->path), to = promise_of(s, w->flags);
	bool exchange = !strcmp(w->more, "exchange");

	for (int i = 0; i < s->promise_count; i++)
		if (i != from && i != to && s->promises[i].to == INT32_MAX &&
		    (strstr(s->promises[i].path, w->path) || strstr(s->promises[i].path, w->flags) ||
		     !strcmp(s->promises[i].other, w->path) || !strcmp(s->promises[i].other, w->flags)))
			s->promises[i].to = op;
	promise_moves(s, op, from, w->flags);
	if (exchange)
		promise_moves(s, op, to, w->path);
	else if (to >= 0 && from < 0)
		s->promises[to].to = op;
	else if (to >= 0) {
		s->promises[to].replaced = op;
		s->promises[to].by = from;
	}
}

/* Open files go with their names. */
static void rename_descriptors(struct sweep *s, const struct words *w)
{
	for (int i = 0; i < SCRIPT_FILES; i++)
		if (!strcmp(s->fd_path[i], w->path))
			(void)snprintf(s->fd_path[i], sizeof(s->fd_path[i]), "%s", w->flags);
		else if (strstr(s->fd_path[i], w->path) || strstr(s->fd_path[i], w->flags))
			*s->fd_path[i] = '\0'; /* of it no more is promised */
}

/* Both sides of an operation leave a mark in the recording; promises begin and end with them. */
static int around(void *arg, int op, bool begins, const char *text, int64_t ret)
{
	struct sweep *s = arg;
	struct words w;

	read_words(text, &w);
	if (begins && changes(&w))
		end_promises(s, op, !strcmp(w.op, "open") ? w.path : path_of(s, &w));
	if (begins && !strcmp(w.op, "rename"))
		rename_promises(s, op, &w);
	if (!begins && !ret && !strcmp(w.op, "rename"))
		rename_descriptors(s, &w);
	if (!begins && ret >= 0 && !strcmp(w.op, "open") && w.fd >= 0)
		(void)snprintf(s->fd_path[w.fd], sizeof(s->fd_path[0]), "%s", w.path);
	if (!begins && ret >= 0 && w.fd >= 0 && makes_stable(&w, s->script.x, s->script.fds[w.fd]))
		promise(s, op, s->fd_path[w.fd]);
	return block_record_mark(s->rec, begins ? "begin" : "end");
}

static int open_device(void *arg, struct block_device **out)
{
	struct sweep *s = arg;

	return block_share_create(s->arena, s->rec, out);
}

/* ---- one state */

static int fail(struct sweep *s, const char *what)
{
	if (!*s->why)
		(void)snprintf(s->why, sizeof(s->why), "state %llu: %s", (unsigned long long)s->number, what);
	return 1;
}

static void heard(void *arg, enum extant_level level, const char *text)
{
	struct sweep *s = arg;

	if (level == EXTANT_ERROR)
		(void)fail(s, text);
}

static void problem(void *arg, const struct check_problem *p)
{
	char text[300];

	check_problem_format(p, text, sizeof(text));
	(void)fail(arg, text);
}

static bool content_is(const struct promise *p, int err, uint64_t size, uint64_t hash)
{
	return !err && size == p->size && hash == p->hash;
}

/* It is where it was, or what replaces it is; or it is where a rename takes it. */
static bool is_kept(struct sweep *s, struct extant *x, const struct promise *p, size_t marks, int *err)
{
	uint64_t size = 0, hash = 0;

	*err = file_print(x, p->path, &size, &hash);
	if (content_is(p, *err, size, hash))
		return true;
	if (p->replaced != INT32_MAX && marks >= 2 * (size_t)p->replaced + 1 &&
	    content_is(&s->promises[p->by], *err, size, hash))
		return true;
	if (p->moves == INT32_MAX || marks < 2 * (size_t)p->moves + 1)
		return false;
	*err = file_print(x, p->other, &size, &hash);
	return content_is(p, *err, size, hash);
}

static int check_promises(struct sweep *s, struct extant *x, size_t marks)
{
	for (int i = 0; i < s->promise_count; i++) {
		const struct promise *p = &s->promises[i];
		char text[350];
		int err;

		if (marks < 2 * (size_t)p->from + 2 || marks >= 2 * (size_t)p->to + 1)
			continue;
		if (is_kept(s, x, p, marks, &err))
			continue;
		(void)snprintf(text, sizeof(text), "%s was fsynced in operation %d and is %s", p->path, p->from,
			       err ? "not there" : "other");
		return fail(s, text);
	}
	return 0;
}

/* Everything there is, as one number; and whose bytes they are. */
static int look_at_tree(struct sweep *s, struct extant *x)
{
	char path[300], text[350];
	int err = tree_walk(x, s->letters, &s->tree, path, sizeof(path));

	if (err <= 0)
		return err ? fail(s, "its tree cannot be read") : 0;
	(void)snprintf(text, sizeof(text), "%s holds bytes that were never written to it", path);
	return fail(s, text);
}

/* Mounts (which recovers), looks at the promises and the tree, unmounts. */
static int recover(struct sweep *s, struct block_device *dev, size_t marks)
{
	struct extant_options opt;
	struct lib_mount_args args = { .image = "state", .opt = &opt, .device = dev, .clock = &s->clock,
				       .dialect = DIALECT_6_18 };
	struct extant *x;
	int err;

	extant_options_init(&opt);
	opt.mode = EXTANT_INLINE;
	opt.seed = 1;
	opt.message = heard;
	opt.arg = s;
	opt.mount_options = "cache_mb=16,noinit_itable";
	err = lib_mount(&args, &x);
	if (err)
		return fail(s, "it cannot be mounted");
	err = check_promises(s, x, marks);
	if (!err && (s->letters || s->nesting))
		err = look_at_tree(s, x);
	return extant_unmount(x) && !err ? fail(s, "it cannot be unmounted") : err;
}

static int check_whole(struct sweep *s, struct block_device *dev)
{
	struct check_options opt = { .arena = s->arena, .problems_max = 5, .problem = problem, .arg = s };
	struct check_report report;
	int err = check_image(dev, &opt, &report);

	return err || report.problems ? fail(s, "the check finds it damaged") : 0;
}

/* Recovered and checked on a copy of its own; the image below stays. */
static int try_state(struct sweep *s, struct block_device *image, size_t marks)
{
	struct block_device *share, *cow, *again;
	int err = block_share_create(s->arena, image, &share);

	if (err || block_cow_create(s->arena, share, &cow))
		return fail(s, "no memory");
	err = block_share_create(s->arena, cow, &again) ? fail(s, "no memory") : recover(s, again, marks);
	if (!err)
		err = check_whole(s, cow);
	block_close(cow);
	return err;
}

/* A failure at any point of the recovery: recovered again, it is whole and holds the same tree. */
static int try_nested(struct sweep *s, struct block_device *image, size_t marks)
{
	struct crash_options opt = { .seed = s->seed, .random_states = 20, .tears_max = 2,
				     .atomic_offset = CRASH_ATOMIC_OFFSET, .atomic_bytes = CRASH_ATOMIC_BYTES };
	struct block_device *share, *cow, *rec, *base, *run;
	struct crash_plan *plan;
	struct crash_state state;
	struct crash_image *img;
	uint64_t tree;
	int err;

	if (block_share_create(s->arena, image, &share) || block_cow_create(s->arena, share, &cow) ||
	    block_record_create(s->arena, cow, &rec) || block_share_create(s->arena, rec, &run))
		return fail(s, "no memory");
	s->nesting = true;
	err = recover(s, run, marks);
	tree = s->tree;
	if (err || block_share_create(s->arena, image, &base) || crash_plan_create(s->arena, rec, &opt, &plan) ||
	    crash_image_create(s->arena, plan, base, &img) || crash_state_init(&state, plan)) {
		block_close(rec);
		s->nesting = false;
		return err ? err : fail(s, "no memory");
	}
	for (uint64_t n = 0; n < crash_plan_count(plan) && !err; n++) {
		crash_plan_state(plan, n, &state);
		if (crash_image_build(img, &state))
			err = fail(s, "no memory");
		else if (crash_image_is_new(img) == 1) {
			s->nested_visited++;
			err = try_state(s, crash_image_device(img), marks);
			if (!err && s->tree != tree)
				err = fail(s, "a failure in its recovery changes what it holds");
		}
	}
	crash_state_fini(&state, plan);
	crash_image_destroy(img);
	crash_plan_destroy(plan);
	block_close(rec);
	s->nesting = false;
	return err;
}

/* ---- all of them */

static int save_state(struct sweep *s, struct block_device *image)
{
	static uint8_t buf[1 << 16];
	int out = open(s->save, O_CREAT | O_TRUNC | O_WRONLY, 0644), err = out < 0 ? -1 : 0;

	for (uint64_t at = 0; !err && at < image->size_bytes; at += sizeof(buf)) {
		size_t n = (size_t)min((uint64_t)sizeof(buf), image->size_bytes - at);

		err = block_read(image, at, buf, n);
		if (!err && (buf[0] || memcmp(buf, buf + 1, n - 1)))
			err = pwrite(out, buf, n, (off_t)at) == (ssize_t)n ? 0 : -1;
	}
	if (!err)
		err = ftruncate(out, (off_t)image->size_bytes);
	if (out >= 0)
		close(out);
	return err ? fail(s, "cannot save it") : 0;
}

static int visit(struct sweep *s, struct crash_image *img, const struct crash_state *state)
{
	int err = crash_image_build(img, state) ? fail(s, "cannot build it") : 0;

	if (!err && s->save)
		return save_state(s, crash_image_device(img));
	if (!err && crash_image_is_new(img) == 0 && s->only == UINT64_MAX) {
		s->equal++;
		return 0;
	}
	s->visited++;
	if (!err)
		err = try_state(s, crash_image_device(img), state->marks);
	if (!err && s->nested && s->visited % s->nested == 0)
		err = try_nested(s, crash_image_device(img), state->marks);
	return err;
}

static int sweep(struct sweep *s)
{
	struct crash_options opt = { .seed = s->seed, .random_states = s->random_states, .tears_max = s->tears,
				     .atomic_offset = CRASH_ATOMIC_OFFSET, .atomic_bytes = CRASH_ATOMIC_BYTES };
	struct crash_plan *plan;
	struct crash_state state;
	struct crash_image *img;
	struct block_device *base;
	uint64_t end;

	if (crash_plan_create(s->arena, s->rec, &opt, &plan) || block_share_create(s->arena, s->file, &base) ||
	    crash_image_create(s->arena, plan, base, &img) || crash_state_init(&state, plan))
		return 3;
	end = min(crash_plan_count(plan), s->count == UINT64_MAX ? UINT64_MAX : s->from + s->count);
	for (s->number = s->from; s->number < end; s->number++) {
		if (s->only != UINT64_MAX && s->number != s->only)
			continue;
		*s->why = '\0';
		crash_plan_state(plan, s->number, &state);
		if (visit(s, img, &state)) {
			s->failed++;
			if (s->failed <= 5)
				fprintf(stderr, "sweep: %s (repeat: --seed %llu --random %llu --tears %u --only %llu)\n",
					s->why, (unsigned long long)s->seed, (unsigned long long)s->random_states,
					s->tears, (unsigned long long)s->number);
		}
	}
	printf("{\"script\": \"%s\", \"states\": %llu, \"equal\": %llu, \"all\": %llu, \"nested\": %llu, "
	       "\"promises\": %d, \"handles\": %llu, \"commits\": %llu, \"in_place\": %llu, \"failed\": %llu}\n", s->script_path,
	       (unsigned long long)s->visited, (unsigned long long)s->equal,
	       (unsigned long long)crash_plan_count(plan), (unsigned long long)s->nested_visited, s->promise_count,
	       (unsigned long long)s->watch.handles, (unsigned long long)s->watch.commits,
	       (unsigned long long)s->in_place.checked,
	       (unsigned long long)s->failed);
	crash_state_fini(&state, plan);
	crash_image_destroy(img);
	crash_plan_destroy(plan);
	return s->failed ? 1 : 0;
}

/* ---- set-up */

/* What no state shows. */
static int check_rules(struct sweep *s)
{
	int err = s->in_place.block_size ? in_place_check(&s->in_place, s->rec) : 0;

	watch_drain(&s->watch);
	if (*s->watch.broken)
		fprintf(stderr, "sweep: %s\n", s->watch.broken);
	if (*s->in_place.broken)
		fprintf(stderr, "sweep: %s\n", s->in_place.broken);
	s->failed += *s->watch.broken || *s->in_place.broken;
	return err;
}

static int record(struct sweep *s)
{
	struct block_device *share;
	FILE *lines = fopen(s->script_path, "r");
	int err;

	if (!lines || block_file_open(s->arena, s->image, true, 0, 0, &s->file))
		return 3;
	if (block_share_create(s->arena, s->file, &share) || block_cow_create(s->arena, share, &s->cow) ||
	    block_record_create(s->arena, s->cow, &s->rec))
		return 3;
	clock_init_virtual(&s->clock, CLOCK_START_NS, 4 * NSEC_PER_MSEC);
	if (watch_init(&s->watch, s->arena, &s->clock))
		return 3;
	script_init(&s->script);
	s->script.image = s->image;
	s->script.options = s->options;
	s->script.clock = &s->clock;
	s->script.trace = s->watch.trace;
	s->script.dialect = DIALECT_4_9;
	s->script.opt.mode = EXTANT_INLINE;
	s->script.opt.seed = 1;
	s->script.around_op = around;
	s->script.open_device = open_device;
	s->script.around_arg = s;
	err = script_run(&s->script, lines);
	script_fini(&s->script);
	fclose(lines);
	if (!err)
		err = check_rules(s);
	if (err)
		fprintf(stderr, "sweep: %s: the script does not run (%s%s)\n", s->script_path,
			s->script.unknown ? "unknown operation " : strerror(-err),
			s->script.unknown ? s->script.unknown : "");
	return err ? 3 : 0;
}

static const struct option long_options[] = {
	{ "random", required_argument, NULL, 'r' }, { "seed", required_argument, NULL, 's' },
	{ "tears", required_argument, NULL, 't' },  { "nested", required_argument, NULL, 'n' },
	{ "only", required_argument, NULL, 'y' },   { "from", required_argument, NULL, 'f' },
	{ "count", required_argument, NULL, 'c' },  { "save", required_argument, NULL, 'w' },
	{ "letters", no_argument, NULL, 'l' },	    { "journal", required_argument, NULL, 'j' },
	{ NULL, 0, NULL, 0 },
};

static int parse(struct sweep *s, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "o:", long_options, NULL)) != -1) {
		uint64_t n = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (c) {
		case 'o': s->options = optarg; break;
		case 'r': s->random_states = n; break;
		case 's': s->seed = n; break;
		case 't': s->tears = (uint32_t)n; break;
		case 'n': s->nested = n; break;
		case 'y': s->only = n; break;
		case 'f': s->from = n; break;
		case 'c': s->count = n; break;
		case 'w': s->save = optarg; break;
		case 'l': s->letters = true; break;
		case 'j': if (in_place_parse(&s->in_place, optarg)) break; return -1;
		default: return -1;
		}
	}
	if (argc - optind != 2)
		return -1;
	s->image = argv[optind];
	s->script_path = argv[optind + 1];
	return 0;
}

int main(int argc, char **argv)
{
	static struct sweep s = { .seed = 1, .random_states = 1000, .tears = 4, .only = UINT64_MAX,
				  .count = UINT64_MAX };
	int status;

	if (parse(&s, argc, argv)) {
		fprintf(stderr, "usage: sweep [-o MOUNTOPTS] [--random N] [--seed S] [--tears N] [--nested EVERY] "
				"[--letters] [--journal BLOCKSIZE:FIRST-LAST,...] [--only N] [--from N] [--count N] [--save FILE] IMAGE SCRIPT\n");
		return 2;
	}
	s.arena = arena_create();
	s.promises = calloc(PROMISES_MAX, sizeof(*s.promises));
	if (!s.arena || !s.promises)
		return 3;
	status = record(&s);
	if (!status)
		status = sweep(&s);
	if (s.watch.trace)
		watch_fini(&s.watch);
	block_close(s.rec);
	block_close(s.file);
	free(s.promises);
	arena_destroy(s.arena);
	return status;
}
