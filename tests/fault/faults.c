/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * faults: runs a workload script again and again on the same image, each time failing one more point, by number, in a
 * loop that ends when a run no longer reaches its number.
 *
 *	faults [-o MOUNTOPTS] [--kind KIND] [--from N] [--count N] [--every N] [--only N] [--unjudged]
 *	       [--save FILE] [--save-replayed FILE] IMAGE SCRIPT
 *
 * The kinds:
 *	alloc		the Nth allocation of the mount fails
 *	io		the Nth call of the device fails with EIO; io-nospc: with ENOSPC
 *	io-forever	and all after it
 *	space		a file fills the image but for N blocks before the script begins
 *
 * After each run:
 * - nothing of the mount's memory is left (and the sanitizers, where it is built with them, had nothing to say);
 * - the image, once it is mounted again without faults (which replays the journal), is clean by src/check, and a file
 *   is created in it, written and fsynced;
 * - the mount had gone on working: before each unmount a file is created, written and fsynced. Failed allocations
 *   never stop the journal, and that work may fail only where the failure itself falls. Without room it must succeed
 *   once the filling file is gone, and what was accepted before was not lost for lack of space (no ENOSPC by fsync).
 *   Where the device failed the journal may have stopped; else, it must succeed too.
 * --unjudged leaves the second out: without a journal, what was half done when a device failed for good stays so.
 * What happened is said: --unjudged or not, a state that is not clean is not marked clean.
 *
 * The points that the loop counted are those that somebody outside (outside.h), who knows of no faults, counted in a run
 * without them. --save writes the last state as it was left, for e2fsck, --save-replayed as it is after that mount.
 * Prints one JSON line; exit 1 when a point failed.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/assert.h"
#include "check/check.h"
#include "cli/script_internal.h"
#include "ext4/super.h"
#include "outside.h"

#define CLOCK_START_NS (1700000000LL * NSEC_PER_SEC)
#define FAULT_CALLS (FAULT_READ | FAULT_WRITE | FAULT_FLUSH | FAULT_DISCARD)
#define NO_FAULT UINT64_MAX

enum kind { KIND_ALLOC, KIND_IO, KIND_IO_NOSPC, KIND_IO_FOREVER, KIND_SPACE, KINDS };
static const char *const kind_names[KINDS] = { "alloc", "io", "io-nospc", "io-forever", "space" };

struct faults {
	const char *image, *script_path, *options, *save, *save_replayed;
	enum kind kind;
	uint64_t from, count, every, only;
	struct arena *arena;		/* of the devices: never made to fail */
	struct block_device *file, *cow, *outside, *fault;
	/* the run at hand */
	struct arena *mount_arena;
	struct script script;
	uint64_t number;
	bool unjudged;
	bool down;			/* the script cut the power: nothing works until it mounts again */
	bool cold;			/* what an operation needs is read in it */
	bool stopped;			/* no journal, and the failure made the mount read-only: half done */
	bool filled;			/* the image is, but for `number` blocks */
	uint32_t met_full;		/* so many operations met ENOSPC, or wrote less */
	uint32_t full_anyway;		/* as many do where nothing fails: what no room would be enough for */
	char why[400];
	uint64_t runs, failed;
};

static int fail(struct faults *s, const char *what)
{
	if (!*s->why)
		(void)snprintf(s->why, sizeof(s->why), "%s", what);
	return 1;
}

static void problem(void *arg, const struct check_problem *p)
{
	char text[300];

	check_problem_format(p, text, sizeof(text));
	(void)fail(arg, text);
}

/* ---- a run */

/* The mount closes what it is given; the fault device stays, with its count. */
static int open_device(void *arg, struct block_device **out)
{
	struct faults *s = arg;

	return block_share_create(s->arena, s->fault, out);
}

static int create_write_fsync(struct extant *x)
{
	int fd = extant_open(x, "/after-fault", O_CREAT | O_WRONLY | O_APPEND, 0644), last, err;
	int64_t n;

	if (fd < 0)
		return fd;
	n = extant_write(x, fd, "still here\n", 11);
	err = n < 0 ? (int)n : n == 11 ? extant_fsync(x, fd) : -EIO;
	last = extant_close(x, fd);
	return err ? err : last;
}

/* The one file that takes all room, then gives some back. */
static int fill_but(struct extant *x, uint64_t blocks)
{
	static const uint8_t bytes[1 << 16];
	uint32_t block_size = x->vfs->fs->geo.block_size;
	int fd = extant_open(x, "/filler", O_CREAT | O_WRONLY, 0600), err;
	int64_t n = fd < 0 ? fd : 1, size = 0;
	size_t len = sizeof(bytes);

	for (; n >= 0 && len >= block_size; size += n) {
		n = extant_write(x, fd, bytes, len);
		n = n == -ENOSPC ? 0 : n;
		len = n < (int64_t)len ? len / 2 : len;
	}
	err = n < 0 ? (int)n : extant_fsync(x, fd);
	if (!err)
		err = extant_ftruncate(x, fd, max((int64_t)0, size - (int64_t)(blocks * block_size)));
	if (!err)
		err = extant_close(x, fd);
	return err ? err : extant_sync(x);
}

static bool journal_stopped(const struct faults *s)
{
	const struct journal *j = s->script.x->vfs->fs->journal;

	return j && jbd2_journal_errno(j);
}

/* The failure falls once: where it falls into this very work, the work succeeds when it is repeated. */
static void goes_on(struct faults *s)
{
	char text[120];
	int err;

	if (s->kind == KIND_SPACE && extant_unlink(s->script.x, "/filler") && s->filled)
		(void)fail(s, "the filling file cannot be deleted");
	s->filled = false;
	err = create_write_fsync(s->script.x);
	if (err == -ENOMEM || (err && s->kind != KIND_ALLOC && s->kind != KIND_SPACE))
		err = create_write_fsync(s->script.x);
	if (!err || (err == -ENOSPC && s->kind != KIND_SPACE) || (s->kind != KIND_ALLOC && journal_stopped(s)))
		return;
	(void)snprintf(text, sizeof(text), "the mount no longer works afterwards: %s", strerror(-err));
	(void)fail(s, text);
}

static bool makes_stable(const char *text)
{
	return !strncmp(text, "fsync", 5) || !strncmp(text, "fdatasync", 9) || !strncmp(text, "sync", 4);
}

/* What an operation must not have done. `op` 0 is the mount. */
static void look_after(struct faults *s, const char *text, int64_t ret)
{
	const char *len = strstr(text, "len=");
	struct ext4_fs *fs = s->script.x && !s->down ? s->script.x->vfs->fs : NULL;

	if (fs && !fs->journal && atomic_load(&fs->read_only_now))
		s->stopped = true;
	if (s->kind == KIND_ALLOC && s->script.x && !s->down && journal_stopped(s))
		(void)fail(s, "a failed allocation stopped the journal");
	if (makes_stable(text) && ret == -ENOSPC && s->kind != KIND_IO_NOSPC)
		(void)fail(s, "what was accepted found no room");
	if (ret == -ENOSPC || (ret >= 0 && len && strstr(text, "write") && ret < script_number(len + 4)))
		s->met_full++;
}

static int forget_call(void *arg)
{
	struct ext4_fs *fs = arg;
	int err = ext4_write_in_place(fs);

	buffer_cache_invalidate(fs->buffers);
	return err;
}

/* The fault is to fall into the operation: a failure here is met again there. */
static void forget(struct faults *s)
{
	struct extant *x = s->script.x;

	if (s->cold && x && !s->down && !s->stopped)
		ignore_result(task_call(x->sched, "forget", forget_call, x->vfs->fs));
}

static int around(void *arg, int op, bool begins, const char *text, int64_t ret)
{
	struct faults *s = arg;

	if (begins)
		forget(s);
	if (begins && op == 1 && s->kind == KIND_SPACE && s->number != NO_FAULT && s->script.x) {
		s->filled = true;
		if (fill_but(s->script.x, s->number))
			(void)fail(s, "the image cannot be filled");
	}
	if (begins && !strncmp(text, "umount", 6) && s->kind != KIND_IO_FOREVER && s->script.x && !s->down)
		goes_on(s);
	if (!begins)
		look_after(s, text, ret);
	if (!strncmp(text, "shutdown", 8) || (!strncmp(text, "remount", 7) && strstr(text, "ro")))
		s->down = true;
	else if (!begins && !ret && (!strncmp(text, "mount", 5) || !strncmp(text, "remount", 7)))
		s->down = false;
	return 0;
}

static void order(struct faults *s, uint64_t nth)
{
	if (nth == NO_FAULT || s->kind == KIND_SPACE)
		return;
	if (s->kind == KIND_ALLOC)
		arena_fail_at(s->mount_arena, nth);
	else
		block_fault_at(s->fault, FAULT_CALLS, nth, s->kind == KIND_IO_NOSPC ? -ENOSPC : -EIO,
			       s->kind == KIND_IO_FOREVER);
}

/* How many points the run at hand has passed, as somebody outside sees it. */
static uint64_t points(const struct faults *s)
{
	return s->kind == KIND_ALLOC ? outside_allocations()
	       : s->kind == KIND_SPACE ? 0 : outside_device_calls(s->outside);
}

static bool came_to(const struct faults *s, uint64_t nth)
{
	if (s->kind == KIND_SPACE)
		return s->met_full > s->full_anyway;
	return s->kind == KIND_ALLOC ? !arena_fail_pending(s->mount_arena) : block_fault_calls(s->fault) > nth;
}

static int run_script(struct faults *s, FILE *lines)
{
	struct clock clock;
	int err;

	clock_init_virtual(&clock, CLOCK_START_NS, 4 * NSEC_PER_MSEC);
	script_init(&s->script);
	s->script.image = s->image;
	s->script.options = s->options;
	s->script.clock = &clock;
	s->script.trace = trace_none();
	s->script.dialect = DIALECT_6_18;
	s->script.opt.mode = EXTANT_INLINE;
	s->script.opt.seed = 1;
	s->script.arena = s->mount_arena;
	s->script.around_op = around;
	s->script.open_device = open_device;
	s->script.around_arg = s;
	err = script_run(&s->script, lines);
	if (s->script.unknown)
		err = fail(s, "an operation of the script is not known");
	else if (err == s->script.mount_error)
		err = 0;
	script_fini(&s->script);
	return err ? fail(s, "the script does not run") : 0;
}

/* The script once, its point number `nth` failing; NO_FAULT: none. */
static int run(struct faults *s, uint64_t nth, uint64_t *passed, bool *reached)
{
	struct block_device *share;
	FILE *lines = fopen(s->script_path, "r");
	int err;

	s->mount_arena = arena_create();
	s->down = s->stopped = s->filled = false;
	s->met_full = 0;
	if (!lines || !s->mount_arena || block_share_create(s->arena, s->cow, &share) ||
	    outside_device_create(s->arena, share, &s->outside) ||
	    block_fault_create(s->arena, s->outside, &s->fault))
		return fail(s, "it cannot be set up");
	outside_watch(s->mount_arena);
	order(s, nth);
	err = run_script(s, lines);
	*passed = points(s);
	*reached = came_to(s, nth);
	if (arena_bytes(s->mount_arena))
		err = fail(s, "memory of the mount is left");
	arena_expect_leaks(s->mount_arena); /* they are told above */
	arena_destroy(s->mount_arena);
	block_close(s->fault);
	fclose(lines);
	return err;
}

/* ---- afterwards */

static void heard(void *arg, enum extant_level level, const char *text)
{
	if (level == EXTANT_ERROR)
		(void)fail(arg, text);
}

static int replay(struct faults *s)
{
	struct extant_options opt;
	struct lib_mount_args args = { .image = "state", .opt = &opt, .dialect = DIALECT_6_18 };
	struct extant *x;
	int err;

	extant_options_init(&opt);
	opt.mode = EXTANT_INLINE;
	opt.seed = 1;
	opt.virtual_time_ns = CLOCK_START_NS;
	opt.message = heard;
	opt.arg = s;
	opt.mount_options = "noinit_itable";
	if (block_share_create(s->arena, s->cow, &args.device))
		return fail(s, "no memory");
	if (lib_mount(&args, &x))
		return fail(s, "it cannot be mounted afterwards");
	err = create_write_fsync(x);
	if (err && err != -ENOSPC)
		(void)fail(s, "the next mount does not work");
	return extant_unmount(x) ? fail(s, "it cannot be unmounted afterwards") : 0;
}

static int check_whole(struct faults *s)
{
	struct check_options opt = { .arena = s->arena, .problems_max = 5, .problem = problem, .arg = s };
	struct check_report report;
	int err = check_image(s->cow, &opt, &report);

	return err || report.problems ? fail(s, "the check finds it damaged") : 0;
}

static int save_state(struct faults *s, const char *path)
{
	static uint8_t buf[1 << 16];
	int out = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644), err = out < 0 ? -1 : 0;

	for (uint64_t at = 0; !err && at < s->cow->size_bytes; at += sizeof(buf)) {
		size_t n = (size_t)min((uint64_t)sizeof(buf), s->cow->size_bytes - at);

		err = block_read(s->cow, at, buf, n);
		if (!err && (buf[0] || memcmp(buf, buf + 1, n - 1)))
			err = pwrite(out, buf, n, (off_t)at) == (ssize_t)n ? 0 : -1;
	}
	if (!err)
		err = ftruncate(out, (off_t)s->cow->size_bytes);
	if (out >= 0)
		close(out);
	return err ? fail(s, "cannot save it") : 0;
}

/* Damage is not hidden: an image that was left half done says that it must be looked at. */
static int check_mark(struct faults *s)
{
	struct check_options opt = { .arena = s->arena, .problems_max = 1 };
	struct check_report report;
	struct ext4_super_block sb;
	int err = block_read(s->cow, EXT4_SUPER_OFFSET, &sb, sizeof(sb));

	if (!err)
		err = check_image(s->cow, &opt, &report);
	if (err)
		return fail(s, "it cannot be read afterwards");
	if (report.problems && le16_get(sb.s_state) == EXT4_VALID_FS)
		return fail(s, "it is damaged and marked as clean");
	return 0;
}

static int try_point(struct faults *s, uint64_t nth, uint64_t *passed, bool *reached)
{
	int err;

	*s->why = '\0';
	block_cow_reset(s->cow);
	s->runs++;
	err = run(s, nth, passed, reached);
	if (!err && s->save)
		err = save_state(s, s->save);
	if (!err && (s->unjudged || s->stopped))
		err = check_mark(s);
	else if (!err)
		err = replay(s);
	if (!err && !s->unjudged && !s->stopped)
		err = check_whole(s);
	if (!err && s->save_replayed)
		err = save_state(s, s->save_replayed);
	return err || *s->why;
}

static void tell(struct faults *s)
{
	s->failed++;
	if (s->failed <= 5)
		fprintf(stderr, "faults: %s %s: point %lld: %s\n", s->script_path, kind_names[s->kind],
			(long long)s->number, s->why);
}

/* Ends by itself when a run does not come as far as its number. */
static int all_points(struct faults *s)
{
	bool reached = true;
	uint64_t whole = 0, passed, end = s->count == UINT64_MAX ? UINT64_MAX : s->from + s->count;
	uint64_t first = s->only == UINT64_MAX ? s->from : s->only;

	s->number = NO_FAULT; /* nothing fails: counts, and all must be well */
	if (try_point(s, NO_FAULT, &whole, &reached))
		tell(s);
	s->full_anyway = s->met_full;
	for (s->number = first; s->number < end && !(s->only != UINT64_MAX && s->number > s->only);
	     s->number += s->every) {
		if (try_point(s, s->number, &passed, &reached))
			tell(s);
		if (!reached)
			break;
	}
	if (s->kind == KIND_SPACE)
		whole = s->number;
	else if (!reached && s->only == UINT64_MAX && s->every == 1 && s->number != whole) {
		(void)snprintf(s->why, sizeof(s->why), "the loop ended after %llu points, there are %llu",
			       (unsigned long long)s->number, (unsigned long long)whole);
		tell(s);
	}
	printf("{\"script\": \"%s\", \"kind\": \"%s\", \"points\": %llu, \"runs\": %llu, \"failed\": %llu}\n",
	       s->script_path, kind_names[s->kind], (unsigned long long)whole, (unsigned long long)s->runs,
	       (unsigned long long)s->failed);
	return s->failed ? 1 : 0;
}

/* ---- set-up */

static const struct option long_options[] = {
	{ "kind", required_argument, NULL, 'k' },  { "from", required_argument, NULL, 'f' },
	{ "count", required_argument, NULL, 'c' }, { "every", required_argument, NULL, 'e' },
	{ "only", required_argument, NULL, 'y' },  { "save", required_argument, NULL, 'w' },
	{ "unjudged", no_argument, NULL, 'u' },    { "save-replayed", required_argument, NULL, 'r' },
	{ "cold", no_argument, NULL, 'd' },	   { NULL, 0, NULL, 0 },
};

static int parse_kind(struct faults *s, const char *name)
{
	for (int k = 0; k < KINDS; k++)
		if (!strcmp(kind_names[k], name)) {
			s->kind = (enum kind)k;
			return 0;
		}
	return -1;
}

static int parse(struct faults *s, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "o:", long_options, NULL)) != -1) {
		uint64_t n = optarg ? strtoull(optarg, NULL, 0) : 0;

		switch (c) {
		case 'o': s->options = optarg; break;
		case 'k':
			if (parse_kind(s, optarg))
				return -1;
			break;
		case 'f': s->from = n; break;
		case 'c': s->count = n; break;
		case 'e': s->every = n ? n : 1; break;
		case 'y': s->only = n; break;
		case 'w': s->save = optarg; break;
		case 'r': s->save_replayed = optarg; break;
		case 'd': s->cold = true; break;
		case 'u': s->unjudged = true; break;
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
	static struct faults s = { .only = UINT64_MAX, .count = UINT64_MAX, .every = 1 };
	int status;

	if (parse(&s, argc, argv)) {
		fprintf(stderr, "usage: faults [-o MOUNTOPTS] [--kind alloc|io|io-nospc|io-forever|space] [--from N] "
				"[--count N] [--every N] [--only N] [--cold] [--unjudged] [--save FILE] "
				"[--save-replayed FILE] IMAGE SCRIPT\n");
		return 2;
	}
	s.arena = arena_create();
	if (!s.arena || block_file_open(s.arena, s.image, true, 0, 0, &s.file)) {
		fprintf(stderr, "faults: %s: cannot be opened\n", s.image);
		return 3;
	}
	if (block_cow_create(s.arena, s.file, &s.cow))
		return 3;
	status = all_points(&s);
	block_close(s.cow);
	arena_destroy(s.arena);
	return status;
}
