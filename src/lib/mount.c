/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mounting for programs: an arena, a scheduler, a clock, the device, the file system, the names;
 * and the same in the other direction.
 */
#include <stdio.h>
#include <string.h>
#include "base/assert.h"
#include "lib/lib.h"

const char *extant_version(void)
{
	return "0.1.0";
}

void extant_options_init(struct extant_options *opt)
{
	*opt = (struct extant_options){ .size = sizeof(*opt) };
}

/* ---- messages */

static void message(void *arg, enum log_level level, const char *text)
{
	struct extant *x = arg;

	if (x->opt.message)
		x->opt.message(x->opt.arg, (enum extant_level)level, text);
}

static void failed(void *arg, const char *text)
{
	struct extant *x = arg;

	x->opt.assertion_failed(x->opt.arg, text);
}

static void say(struct extant *x, const char *why)
{
	log_message(&x->log, LOG_ERROR, "%s: %s", x->image, why);
}

/* ---- up */

static int take_options(struct extant *x, const struct extant_options *opt)
{
	extant_options_init(&x->opt);
	if (!opt)
		return 0;
	if (opt->size < sizeof(opt->size) + sizeof(opt->mount_options) || opt->size > 4096)
		return -EINVAL;
	memcpy(&x->opt, opt, min(opt->size, sizeof(x->opt)));
	x->opt.size = sizeof(x->opt);
	return 0;
}

static void choose_clock(struct extant *x, struct clock *given)
{
	x->clock = given ? given : &x->own_clock;
	if (given)
		return;
	if (x->opt.mode != EXTANT_THREADED && x->opt.virtual_time_ns)
		clock_init_virtual(&x->own_clock, x->opt.virtual_time_ns, x->opt.clock_tick_ns);
	else
		clock_init_real(&x->own_clock);
	x->own_clock.tick_ns = x->opt.clock_tick_ns;
}

static int start(struct extant *x, const struct lib_mount_args *args)
{
	struct sched_options s = {
		.mode = (enum sched_mode)x->opt.mode,
		.seed = x->opt.seed,
		.clock = x->clock,
		.log = &x->log,
	};

	x->log = (struct log){ message, x->opt.assertion_failed ? failed : NULL, x };
	x->trace = args->trace ? args->trace : trace_none();
	x->image = arena_strdup(x->arena, args->image);
	x->mount_point = x->opt.mount_point ? arena_strdup(x->arena, x->opt.mount_point) : NULL;
	if (!x->image || (x->opt.mount_point && !x->mount_point))
		return -ENOMEM;
	return sched_create(x->arena, &s, &x->sched);
}

/* The image, opened as the options say, unless the caller brought a device. */
static int open_device(struct extant *x, const struct lib_mount_args *args,
		       struct ext4_options *fs_opt, struct block_device **dev)
{
	const char *options = x->opt.mount_options ? x->opt.mount_options : "";
	char rest[1024] = "", why[256] = "";
	struct ext4_options probe = *fs_opt;
	int err = 0;

	*dev = args->device;
	/*
	 * Read-only is known before the image is opened: a first look at the list, place options
	 * left out below.
	 */
	if (!*dev) {
		bool ro = false;

		for (const char *p = options; p && *p;
		     p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
			ro = ro ? strncmp(p, "rw", 2) || (p[2] && p[2] != ',')
				: !strncmp(p, "ro", 2) && (!p[2] || p[2] == ',');
		err = lib_open_image(x->arena, x->image, options, ro, rest, dev, why, sizeof(why));
	} else {
		(void)snprintf(rest, sizeof(rest), "%s", options);
	}
	if (!err)
		err = ext4_parse_options(rest, &probe, why, sizeof(why));
	if (err) {
		say(x, why);
		block_close(*dev);
		return err;
	}
	*fs_opt = probe;
	return 0;
}

/* In a task of the scheduler. */
static int mount_fs(struct extant *x, const struct lib_mount_args *args)
{
	struct ext4_options fs_opt;
	struct ext4_mount_args m = {
		.arena = x->arena,
		.sched = x->sched,
		.clock = x->clock,
		.log = &x->log,
		.trace = x->trace,
		.image_name = x->image,
		.opt = &fs_opt,
		.mount_point = x->mount_point,
		.seed = x->opt.seed,
	};
	struct ext4_fs *fs;
	int err;

	ext4_default_options(&fs_opt);
	fs_opt.dialect = args->dialect;
	err = open_device(x, args, &fs_opt, &m.device);
	if (!err)
		err = ext4_mount(&m, &fs);
	if (err)
		return err;
	err = vfs_create_mount(fs, &x->vfs);
	if (err) {
		ignore_result(ext4_unmount(fs)); /* the first error is the one to tell */
		return err;
	}
	x->cred = (struct ext4_cred){ .uid = x->opt.uid, .gid = x->opt.gid, .umask = x->opt.umask };
	x->vfs->cred = x->cred;
	return 0;
}

struct mount_call {
	struct extant *x;
	const struct lib_mount_args *args;
	bool began;			/* the device is in the mount's hands */
};

static int mount_call(void *arg)
{
	struct mount_call *c = arg;

	c->began = true;
	return mount_fs(c->x, c->args);
}

/* Everything that is left: the scheduler, then all memory at once. */
static void drop(struct extant *x)
{
	struct arena *a = x->arena;
	bool own = x->own_arena;

	if (x->sched && sched_poisoned(x->sched))
		arena_expect_leaks(a);
	sched_destroy(x->sched);
	arena_free(a, x->image);
	arena_free(a, x->mount_point);
	arena_free(a, x);
	if (own)
		arena_destroy(a);
}

int lib_mount(const struct lib_mount_args *args, struct extant **out)
{
	struct arena *a = args->arena ? args->arena : arena_create();
	struct extant *x = a ? arena_new(a, struct extant) : NULL;
	struct mount_call call = { x, args, false };
	int err;

	if (!x) {
		block_close(args->device);
		if (a && !args->arena)
			arena_destroy(a);
		return -ENOMEM;
	}
	x->arena = a;
	x->own_arena = !args->arena;
	err = take_options(x, args->opt);
	if (!err) {
		choose_clock(x, args->clock);
		err = start(x, args);
	}
	if (!err)
		err = task_call(x->sched, "mount", mount_call, &call);
	if (err && !call.began)
		block_close(args->device);
	if (err)
		drop(x);
	else
		*out = x;
	return err;
}

int extant_mount(const char *image, const struct extant_options *opt, struct extant **out)
{
	struct lib_mount_args args = { .image = image, .opt = opt, .dialect = DIALECT_6_18 };

	return lib_mount(&args, out);
}

/* ---- down */

static int unmount_call(void *arg)
{
	struct extant *x = arg;
	int err = vfs_unmount(x->vfs);

	if (err != -EBUSY)
		x->vfs = NULL;
	return err;
}

int extant_unmount(struct extant *x)
{
	int err;

	if (x->whole)
		return -EINVAL;
	if (atomic_load(&x->others))
		return -EBUSY;
	err = task_call(x->sched, "umount", unmount_call, x);
	if (err == -EBUSY && x->vfs)
		return err;
	drop(x);
	return err;
}

struct remount_call {
	struct extant *x;
	const char *options;
};

static int remount_call(void *arg)
{
	struct remount_call *c = arg;
	struct ext4_options opt = c->x->vfs->fs->opt;
	char why[256] = "";
	int err;

	opt.read_only = ext4_is_read_only(c->x->vfs->fs);
	err = ext4_parse_options(c->options, &opt, why, sizeof(why));
	if (err)
		say(c->x, why);
	return err ? err : vfs_remount(c->x->vfs, &opt);
}

int extant_remount(struct extant *x, const char *mount_options)
{
	struct remount_call call = { x->whole ? x->whole : x, mount_options };

	return task_call(x->sched, "mount", remount_call, &call);
}
