/* SPDX-License-Identifier: BSD-2-Clause */
/* The image, the devices, the mount and the judges of rig.h. */
#include "rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/assert.h"
#include "check/check.h"

#define CLOCK_START_NS (1700000000LL * NSEC_PER_SEC)
#define HASH_START 0xcbf29ce484222325ull

uint64_t rig_mix(uint64_t h, const void *p, size_t len)
{
	const uint8_t *b = p;

	for (; len >= 8; b += 8, len -= 8) {
		uint64_t w;

		memcpy(&w, b, 8);
		h = (h ^ w) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 29;
	}
	while (len--)
		h = (h ^ *b++) * 0x100000001b3ull;
	return h;
}

static void need(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(-err));
	exit(1);
}

/* ---- the image */

static int shell(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void make_image(struct rig *r)
{
	char path[] = "/tmp/extant-concurrent-XXXXXX", command[512];
	struct block_device *file;
	int fd = mkstemp(path), status;

	if (fd < 0) {
		perror(path);
		exit(1);
	}
	close(fd);
	(void)snprintf(command, sizeof(command),
		       "PATH=$PATH:/sbin:/usr/sbin; mke2fs -q -F -t ext4 -E hash_seed=01020304-0506-0708-090a-0b0c0d0e0f10 "
		       "-U 01020304-0506-0708-090a-0b0c0d0e0f11 %s %s %s", r->opt.mkfs, path, r->opt.size);
	status = shell(command);
	if (status) {
		(void)unlink(path);
		printf("%s: mke2fs is needed\n", status == 127 ? "skipped" : "failed");
		exit(status == 127 ? 77 : 1);
	}
	need(block_file_open(r->arena, path, true, 0, 0, &file), path);
	(void)unlink(path);
	need(block_cow_create(r->arena, file, &r->cow), "cow");
	need(block_stats_create(r->arena, r->cow, &r->stats), "stats");
}

/* ---- the trace */

static int take(void *arg, const char *text, size_t len)
{
	struct rig *r = arg;

	r->trace_hash = rig_mix(r->trace_hash, text, len);
	if (r->opt.line)
		r->opt.line(r->opt.arg, text, len);
	return 0;
}

void rig_drain(struct rig *r)
{
	if (r->formatter)
		need(trace_format_all(r->formatter), "trace");
}

static void drain(void *arg, struct trace *t)
{
	(void)t;
	rig_drain(arg);
}

static void make_trace(struct rig *r)
{
	struct trace_options opt = { .dialect = DIALECT_4_9, .dev_major = 7, .clock = &r->clock, .drain = drain,
				     .drain_arg = r };

	need(trace_create(r->arena, &opt, &r->trace), "trace");
	need(trace_enable(r->trace, "*", true), "trace");
	need(trace_formatter_create(r->trace, TRACE_FTRACE, take, r, &r->formatter), "trace");
}

static void end_trace(struct rig *r)
{
	rig_drain(r);
	trace_formatter_destroy(r->formatter);
	trace_destroy(r->trace);
	r->formatter = NULL;
	r->trace = NULL;
}

/* ---- up and down */

void rig_init(struct rig *r, const struct rig_options *opt)
{
	*r = (struct rig){ .opt = *opt, .trace_hash = HASH_START };
	r->arena = arena_create();
	if (!r->arena)
		need(-ENOMEM, "arena");
	make_image(r);
}

void rig_reset(struct rig *r, uint64_t seed)
{
	block_cow_reset(r->cow);
	r->opt.seed = seed;
	r->trace_hash = HASH_START;
	r->complaints = 0;
}

void rig_fini(struct rig *r)
{
	block_close(r->stats);
	arena_destroy(r->arena);
}

static void message(void *arg, enum extant_level level, const char *text)
{
	struct rig *r = arg;

	if (level != EXTANT_ERROR)
		return;
	r->complaints++;
	fprintf(stderr, "extant: %s\n", text);
}

static int put_device(struct rig *r, struct block_device **out)
{
	struct block_device *share;
	int err = block_share_create(r->arena, r->stats, &share);

	if (!err && (r->opt.write_ns || r->opt.flush_ns))
		return block_delay_create(r->arena, share, 0, r->opt.write_ns, r->opt.flush_ns, out);
	*out = share;
	return err;
}

int rig_mount(struct rig *r)
{
	struct extant_options opt;
	struct lib_mount_args args = { .image = "image", .opt = &opt, .dialect = r->opt.dialect };
	int err;

	extant_options_init(&opt);
	opt.mode = r->opt.mode;
	opt.seed = r->opt.seed;
	opt.mount_options = r->opt.mount_options;
	opt.message = message;
	opt.arg = r;
	if (r->opt.mode == EXTANT_THREADED)
		clock_init_real(&r->clock);
	else
		clock_init_virtual(&r->clock, CLOCK_START_NS, 4 * NSEC_PER_MSEC);
	args.clock = &r->clock;
	if (r->opt.trace)
		make_trace(r);
	args.trace = r->trace;
	err = put_device(r, &args.device);
	if (!err)
		err = lib_mount(&args, &r->x);
	if (err && r->trace)
		end_trace(r);
	return err;
}

int rig_unmount(struct rig *r)
{
	int err = extant_unmount(r->x);

	r->x = NULL;
	if (r->trace)
		end_trace(r);
	return err;
}

/* ---- judges */

static void problem(void *arg, const struct check_problem *p)
{
	char text[300];

	(void)arg;
	check_problem_format(p, text, sizeof(text));
	fprintf(stderr, "check: %s\n", text);
}

int rig_check(struct rig *r)
{
	struct check_options opt = { .arena = r->arena, .problems_max = 10, .problem = problem };
	struct check_report report;

	need(check_image(r->cow, &opt, &report), "check");
	return (int)report.problems + report.replay_pending;
}

static int copy_range(void *arg, uint64_t offset, const void *data, size_t len)
{
	return pwrite(*(int *)arg, data, len, (off_t)offset) == (ssize_t)len ? 0 : -EIO;
}

/* The image below was unlinked; all of it is read back, zeros left out. */
static void save(struct rig *r, int fd)
{
	static uint8_t buf[1 << 20], zeros[1 << 20];
	uint64_t size = r->cow->size_bytes;

	for (uint64_t at = 0; at < size; at += sizeof(buf)) {
		size_t n = (size_t)min((uint64_t)sizeof(buf), size - at);

		need(block_read(r->cow, at, buf, n), "read");
		if (memcmp(buf, zeros, n))
			need(copy_range(&fd, at, buf, n), "write");
	}
	need(ftruncate(fd, (off_t)size), "size");
}

int rig_e2fsck(struct rig *r)
{
	char path[] = "/tmp/extant-concurrent-XXXXXX", command[256];
	int fd = mkstemp(path), status;

	if (fd < 0)
		need(-EIO, path);
	save(r, fd);
	close(fd);
	(void)snprintf(command, sizeof(command),
		       "PATH=$PATH:/sbin:/usr/sbin; out=$(e2fsck -fn %s 2>&1) || { s=$?; echo \"$out\" >&2; exit $s; }", path);
	status = shell(command);
	(void)unlink(path);
	return status;
}

static int hash_range(void *arg, uint64_t offset, const void *data, size_t len)
{
	uint64_t *h = arg;

	*h = rig_mix(rig_mix(*h, &offset, sizeof(offset)), data, len);
	return 0;
}

uint64_t rig_image_hash(struct rig *r)
{
	uint64_t h = HASH_START;

	need(block_cow_export(r->cow, hash_range, &h), "export");
	return h;
}

uint64_t rig_flushes(const struct rig *r)
{
	struct block_stats s;

	block_stats_get(r->stats, &s);
	return s.flushes + s.fua_writes;
}
