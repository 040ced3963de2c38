/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations of workload scripts on the mount, on time and on the image.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "cli/script_internal.h"

static int64_t mount_now(struct script *s, const char *options)
{
	struct lib_mount_args args = {
		.image = s->image,
		.opt = &s->opt,
		.clock = s->clock,
		.trace = s->trace,
		.arena = s->arena,
		.dialect = s->dialect,
	};
	int err = 0;

	if (s->x)
		return -EBUSY;
	s->opt.mount_options = options;
	if (s->open_device)
		err = s->open_device(s->around_arg, &args.device);
	return err ? err : lib_mount(&args, &s->x);
}

static int64_t op_mount(struct script *s, struct script_line *l)
{
	return mount_now(s, l->words > 1 ? l->word[1] : s->options);
}

static int64_t op_umount(struct script *s, struct script_line *l)
{
	int err;

	(void)l;
	if (!s->x)
		return -EINVAL;
	err = extant_unmount(s->x);
	if (err != -EBUSY)
		s->x = NULL;
	return err;
}

/* As mount(2): what is not said is off, unlike mount(8)'s, which adds what there was. */
static int64_t op_remount(struct script *s, struct script_line *l)
{
	char options[1024];

	if (snprintf(options, sizeof(options), "rw,async,%s", script_word(l, 1)) >= (int)sizeof(options))
		return -EINVAL;
	return extant_remount(s->x, options);
}

static int64_t op_shutdown(struct script *s, struct script_line *l)
{
	const char *how = l->words > 1 ? l->word[1] : "default";

	return extant_shutdown(s->x, !strcmp(how, "logflush") ? EXTANT_SHUTDOWN_LOGFLUSH
				     : !strcmp(how, "nologflush") ? EXTANT_SHUTDOWN_NOLOGFLUSH
								  : EXTANT_SHUTDOWN_DEFAULT);
}

static int64_t op_freeze(struct script *s, struct script_line *l)
{
	(void)l;
	return extant_freeze(s->x);
}

static int64_t op_thaw(struct script *s, struct script_line *l)
{
	(void)l;
	return extant_thaw(s->x);
}

static int64_t op_fstrim(struct script *s, struct script_line *l)
{
	int64_t off = script_option_number(l, "off", -1), len = script_option_number(l, "len", -1);
	uint64_t trimmed = len < 0 ? UINT64_MAX : (uint64_t)len, done;
	int err = extant_fstrim(s->x, off < 0 ? 0 : (uint64_t)off, trimmed, 0, &done);

	/* As the ioctl's structure has it: what was asked for, when nothing was done. */
	script_add(s, ",\"trimmed\":%llu", (unsigned long long)(err ? trimmed : done));
	return err;
}

static int one_mapping(void *arg, const struct extant_mapping *m)
{
	struct script *s = arg;

	script_add(s, "%s[%llu,%llu,\"%llx\",\"%x\"]", s->info[s->info_len - 1] == '[' ? "" : ",",
		   (unsigned long long)m->physical, (unsigned long long)m->length,
		   (unsigned long long)m->owner, m->flags);
	return 0;
}

static int64_t op_fsmap(struct script *s, struct script_line *l)
{
	size_t before = s->info_len;
	int err;

	(void)l;
	script_add(s, ",\"fsmap\":[");
	err = extant_fsmap(s->x, 0, UINT64_MAX, one_mapping, s);
	script_add(s, "]");
	if (err)
		s->info_len = before;
	return err;
}

static int64_t op_checkpoint(struct script *s, struct script_line *l)
{
	return extant_checkpoint(s->x, (uint32_t)script_option_number(l, "flags", 0));
}

static int64_t op_sleep(struct script *s, struct script_line *l)
{
	int64_t ns = script_number(script_word(l, 1)) * NSEC_PER_MSEC;

	if (s->x)
		return extant_sleep(s->x, ns);
	clock_advance_to(s->clock, clock_monotonic(s->clock) + ns);
	return 0;
}

/* The image as it is now, with its holes. */
static int64_t copy_image(int in, int out)
{
	static uint8_t buf[1 << 16];
	int64_t off = 0;
	ssize_t n;

	while ((n = pread(in, buf, sizeof(buf), off)) > 0) {
		bool zero = !buf[0] && !memcmp(buf, buf + 1, (size_t)n - 1);

		if (!zero && pwrite(out, buf, (size_t)n, off) != n)
			return -errno;
		off += n;
	}
	return n < 0 || ftruncate(out, off) ? -errno : 0;
}

static int64_t op_snapshot(struct script *s, struct script_line *l)
{
	char path[4096];
	int in = open(s->image, O_RDONLY | O_CLOEXEC), out;
	int64_t err;

	if (in < 0)
		return -errno;
	(void)snprintf(path, sizeof(path), "%s/%s.img", s->snapshots ? s->snapshots : ".", script_word(l, 1));
	out = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
	err = out < 0 ? -errno : copy_image(in, out);
	if (out >= 0)
		close(out);
	close(in);
	return err;
}

static int64_t op_sync(struct script *s, struct script_line *l)
{
	(void)l;
	return extant_sync(s->x);
}

const struct script_op script_mount_ops[] = {
	{ "mount", op_mount, true },
	{ "umount", op_umount, true },
	{ "remount", op_remount, false },
	{ "shutdown", op_shutdown, false },
	{ "freeze", op_freeze, false },
	{ "thaw", op_thaw, false },
	{ "fstrim", op_fstrim, false },
	{ "fsmap", op_fsmap, false },
	{ "checkpoint", op_checkpoint, false },
	{ "sync", op_sync, false },
	{ "syncfs", op_sync, false },
	{ "sleep", op_sleep, true },
	{ "snapshot", op_snapshot, true },
	{ NULL, NULL, false },
};
