/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looking at an image without mounting it (examine.h).
 */
#include "cli/examine.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "ext4/journal.h"
#include "lib/lib.h"

/* ---- what the library says */

static void message(void *arg, enum log_level level, const char *text)
{
	struct cli_examined *e = arg;

	if (level == LOG_ERROR)
		(void)snprintf(e->error, sizeof(e->error), "%s", text);
	else if (level == LOG_WARNING)
		cli_warning("%s", text);
}

/* ---- reading */

/* The superblock is shown even where the rest of the image cannot be used. */
static void read_super(struct cli_examined *e, struct block_device *dev, uint32_t sb_kib)
{
	uint64_t offset = sb_kib ? (uint64_t)sb_kib * 1024 : EXT4_SUPER_OFFSET;

	e->has_super = offset + sizeof(e->raw) <= dev->size_bytes &&
		       !block_read(dev, offset, &e->raw, sizeof(e->raw)) &&
		       le16_get(e->raw.s_magic) == EXT4_SUPER_MAGIC;
}

static int status_of_image(int err)
{
	return err == -EINVAL || err == -EOPNOTSUPP ? CLI_DAMAGED : (int)cli_status_of(err);
}

static void open_journal(struct cli_examined *e)
{
	bool needs_recovery;
	int err;

	e->has_journal = e->fs->geo.feature_compat & EXT4_FEATURE_COMPAT_HAS_JOURNAL &&
			 e->fs->geo.journal_inum;
	if (!e->has_journal)
		return;
	err = ext4_journal_open(e->fs, &needs_recovery);
	if (!err) {
		e->journal = e->fs->journal;
		return;
	}
	e->status = status_of_image(err);
	(void)snprintf(e->journal_error, sizeof(e->journal_error), "%s",
		       *e->error ? e->error : cli_why(err));
	*e->error = '\0';
}

struct examination {
	struct cli_examined *e;
	struct block_device *dev;
	struct ext4_options opt;
	int (*show)(void *arg, struct cli_examined *e);
	void *arg;
	int status;
};

/* In a task. */
static int examine(void *v)
{
	struct examination *x = v;
	struct cli_examined *e = x->e;
	struct ext4_mount_args args = {
		.arena = e->arena,
		.sched = e->sched,
		.clock = &e->clock,
		.log = &e->log,
		.trace = trace_none(),
		.device = x->dev,
		.image_name = e->path,
		.opt = &x->opt,
	};
	int err;

	read_super(e, x->dev, x->opt.sb_block);
	err = ext4_examine(&args, &e->fs);
	if (err) {
		e->status = status_of_image(err);
		if (!*e->error)
			(void)snprintf(e->error, sizeof(e->error), "%s: %s", e->path, cli_why(err));
	} else {
		open_journal(e);
	}
	x->status = x->show(x->arg, e);
	return e->fs ? ext4_unmount(e->fs) : 0;
}

static int run(struct examination *x)
{
	struct cli_examined *e = x->e;
	struct sched_options opt = { .mode = SCHED_INLINE, .clock = &e->clock, .log = &e->log };
	int err;

	clock_init_real(&e->clock);
	e->log = (struct log){ .message = message, .arg = e };
	err = sched_create(e->arena, &opt, &e->sched);
	if (err)
		block_close(x->dev);
	else
		err = task_call(e->sched, "examine", examine, x);
	sched_destroy(e->sched);
	return err ? cli_worse(x->status, cli_host_failed(e->path, -err)) : x->status;
}

int cli_examine(const char *path, const char *options,
		int (*show)(void *arg, struct cli_examined *e), void *arg)
{
	struct cli_examined e = { .path = path, .arena = arena_create() };
	struct examination x = { .e = &e, .show = show, .arg = arg };
	char rest[CLI_OPTIONS_MAX] = "", why[256];
	int status;

	if (!e.arena)
		return cli_host_failed(path, ENOMEM);
	status = cli_open_device(e.arena, path, options ? options : "", true, rest, &x.dev);
	if (!status) {
		ext4_default_options(&x.opt);
		/* cli_open_device has tried them */
		ignore_result(ext4_parse_options(rest, &x.opt, why, sizeof(why)));
		status = run(&x);
	}
	arena_destroy(e.arena);
	return status;
}
