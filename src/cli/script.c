/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interpreter of workload scripts. A table of operations; each does its call, adds what else belongs to
 * the result, and returns what the call returned.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/script.h"

#define WORDS_MAX	64
#define LINE_MAX_BYTES	16384
#define GAP_NS		(12 * NSEC_PER_MSEC)	/* passes before each operation, as in the recordings */

struct line {
	char text[LINE_MAX_BYTES];
	char *word[WORDS_MAX];
	int words;
	char *key[WORDS_MAX], *value[WORDS_MAX];
	int keys;
};

typedef int64_t (*op_fn)(struct script *s, struct line *l);

/* ---- results */

__attribute__((format(printf, 2, 3))) static void add(struct script *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	for (;;) {
		va_start(ap, fmt);
		n = vsnprintf(s->info ? s->info + s->info_len : NULL, s->info_room - s->info_len, fmt, ap);
		va_end(ap);
		if (s->info && s->info_len + (size_t)n < s->info_room) {
			s->info_len += (size_t)n;
			return;
		}
		s->info_room = s->info_room * 2 + (size_t)n + 4096;
		s->info = realloc(s->info, s->info_room);
		if (!s->info)
			abort(); /* a test tool without memory for a line of text */
	}
}

/* A JSON string; bytes outside of printable ASCII become \u00XX. */
static void add_string(struct script *s, const char *p, size_t len)
{
	add(s, "\"");
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c == '"' || c == '\\')
			add(s, "\\%c", c);
		else if (c < 0x20 || c > 0x7e)
			add(s, "\\u%04x", c);
		else
			add(s, "%c", c);
	}
	add(s, "\"");
}

static uint64_t fnv1a(const uint8_t *p, size_t n)
{
	uint64_t h = 0xcbf29ce484222325ull;

	while (n--)
		h = (h ^ *p++) * 0x100000001b3ull;
	return h;
}

/* ---- words */

static int tokenize(struct line *l)
{
	char *save, *t;

	l->words = l->keys = 0;
	for (t = strtok_r(l->text, " \t\n", &save); t; t = strtok_r(NULL, " \t\n", &save)) {
		char *eq = strchr(t, '=');

		if (l->words >= WORDS_MAX || l->keys >= WORDS_MAX)
			return -E2BIG;
		if (l->words && eq && islower((unsigned char)*t)) {
			*eq = '\0';
			l->key[l->keys] = t;
			l->value[l->keys++] = eq + 1;
		} else {
			l->word[l->words++] = t;
		}
	}
	return 0;
}

static const char *option(const struct line *l, const char *key)
{
	for (int i = 0; i < l->keys; i++)
		if (!strcmp(l->key[i], key))
			return l->value[i];
	return NULL;
}

static int64_t number(const char *text)
{
	char *end;
	int64_t n = strtoll(text, &end, 0);

	switch (*end) {
	case 'K':
	case 'k':
		return n << 10;
	case 'M':
		return n << 20;
	case 'G':
		return n << 30;
	default:
		return n;
	}
}

static int64_t option_number(const struct line *l, const char *key, int64_t otherwise)
{
	const char *v = option(l, key);

	return v ? number(v) : otherwise;
}

/* Missing words read as empty: the call then says what is wrong with that. */
static const char *word(const struct line *l, int i)
{
	return i < l->words ? l->word[i] : "";
}

static int *slot(struct script *s, const struct line *l)
{
	static int none = -1;
	int64_t n = option_number(l, "fd", -1);

	return n < 0 || n >= SCRIPT_FILES ? &none : &s->fds[n];
}

static const struct {
	const char *name;
	int value;
} open_flags[] = {
	{ "O_RDONLY", O_RDONLY }, { "O_WRONLY", O_WRONLY }, { "O_RDWR", O_RDWR }, { "O_CREAT", O_CREAT },
	{ "O_EXCL", O_EXCL }, { "O_TRUNC", O_TRUNC }, { "O_APPEND", O_APPEND }, { "O_DIRECT", O_DIRECT },
	{ "O_DSYNC", O_DSYNC }, { "O_SYNC", O_SYNC }, { "O_DIRECTORY", O_DIRECTORY },
	{ "O_NOFOLLOW", O_NOFOLLOW }, { "O_NOATIME", O_NOATIME }, { "O_TMPFILE", O_TMPFILE },
	{ "O_PATH", O_PATH }, { "O_NONBLOCK", O_NONBLOCK },
};

/* -1: one of them is not known. */
static int parse_flags(const char *text)
{
	char buf[256], *save, *t;
	int flags = 0;
	size_t i;

	(void)snprintf(buf, sizeof(buf), "%s", text);
	for (t = strtok_r(buf, "|", &save); t; t = strtok_r(NULL, "|", &save)) {
		for (i = 0; i < array_size(open_flags) && strcmp(t, open_flags[i].name); i++)
			;
		if (i == array_size(open_flags))
			return -1;
		flags |= open_flags[i].value;
	}
	return flags;
}

/* fill=C: that byte; fill=pat:S: the byte at file offset o is (o*7 + (o>>8)*13 + S) & 255. */
static uint8_t *make_data(const struct line *l, int64_t offset, size_t len)
{
	const char *fill = option(l, "fill");
	uint8_t *p = malloc(len ? len : 1);
	int64_t seed;

	if (!p)
		return NULL;
	if (!fill)
		fill = "x";
	if (strncmp(fill, "pat:", 4)) {
		memset(p, fill[0], len);
		return p;
	}
	seed = number(fill + 4);
	for (size_t i = 0; i < len; i++) {
		uint64_t o = (uint64_t)offset + i;

		p[i] = (uint8_t)(o * 7 + (o >> 8) * 13 + (uint64_t)seed);
	}
	return p;
}

/* ---- operations on files */

static int64_t op_open(struct script *s, struct line *l)
{
	int *at = slot(s, l), flags = parse_flags(word(l, 2)), fd;

	if (flags < 0 || *at >= 0)
		return -EINVAL;
	fd = extant_open(s->x, word(l, 1), flags, l->words > 3 ? (uint32_t)strtoul(l->word[3], NULL, 8) : 0644);
	if (fd < 0)
		return fd;
	*at = fd;
	return 0;
}

static int64_t op_close(struct script *s, struct line *l)
{
	int *at = slot(s, l), err = extant_close(s->x, *at);

	*at = -1;
	return err;
}

/* Where a write will go, which its data depend on. An appended one goes to the end, whatever it says. */
static int64_t write_position(struct script *s, int fd, int64_t off)
{
	int flags = extant_file_flags(s->x, fd);

	if (flags >= 0 && flags & O_APPEND)
		return extant_lseek(s->x, fd, 0, SEEK_END);
	return off >= 0 ? off : extant_lseek(s->x, fd, 0, SEEK_CUR);
}

static int64_t write_chunks(struct script *s, const struct line *l, int fd, const uint8_t *data, int64_t len,
			    bool at_offset)
{
	int64_t chunk = option_number(l, "chunk", len), off = option_number(l, "off", -1), done = 0, n = 0;

	while (done < len) {
		size_t part = (size_t)min(chunk, len - done);

		n = at_offset ? extant_pwrite(s->x, fd, data + done, part, off + done)
			      : extant_write(s->x, fd, data + done, part);
		if (n <= 0)
			break;
		done += n;
	}
	return done ? done : n;
}

static int64_t op_write(struct script *s, struct line *l)
{
	bool at_offset = *l->word[0] == 'p';
	int64_t len = option_number(l, "len", -1), off = option_number(l, "off", -1), n;
	int fd = *slot(s, l);
	uint8_t *data;

	if (len < 0)
		return -EINVAL;
	if (!at_offset && off >= 0) {
		n = extant_lseek(s->x, fd, off, SEEK_SET);
		if (n < 0)
			return n;
	}
	data = make_data(l, write_position(s, fd, off), (size_t)len);
	if (!data)
		return -ENOMEM;
	n = write_chunks(s, l, fd, data, len, at_offset);
	free(data);
	return n;
}

static int64_t op_read(struct script *s, struct line *l)
{
	bool at_offset = *l->word[0] == 'p';
	int64_t len = option_number(l, "len", -1), off = option_number(l, "off", -1), n = 0;
	int fd = *slot(s, l);
	uint8_t *buf;

	if (len < 0)
		return -EINVAL;
	if (!at_offset && off >= 0)
		n = extant_lseek(s->x, fd, off, SEEK_SET);
	if (n < 0)
		return n;
	buf = malloc(len ? (size_t)len : 1);
	if (!buf)
		return -ENOMEM;
	n = at_offset ? extant_pread(s->x, fd, buf, (size_t)len, off) : extant_read(s->x, fd, buf, (size_t)len);
	if (n >= 0)
		add(s, ",\"fnv\":\"%016llx\"", (unsigned long long)fnv1a(buf, (size_t)n));
	free(buf);
	return n;
}

static int64_t op_lseek(struct script *s, struct line *l)
{
	const char *w = option(l, "whence");
	int64_t off = option_number(l, "off", 0);
	int whence = !w || !strcmp(w, "set") ? SEEK_SET : !strcmp(w, "cur") ? SEEK_CUR
		     : !strcmp(w, "end") ? SEEK_END : !strcmp(w, "data") ? SEEK_DATA : SEEK_HOLE;

	return extant_lseek(s->x, *slot(s, l), off, whence);
}

static int64_t op_fsync(struct script *s, struct line *l)
{
	return extant_fsync(s->x, *slot(s, l));
}

static int64_t op_fdatasync(struct script *s, struct line *l)
{
	return extant_fdatasync(s->x, *slot(s, l));
}

static int64_t op_sync_file_range(struct script *s, struct line *l)
{
	return extant_sync_file_range(s->x, *slot(s, l), option_number(l, "off", 0), option_number(l, "len", 0));
}

static int64_t op_sync(struct script *s, struct line *l)
{
	(void)l;
	return extant_sync(s->x);
}

static int64_t op_ftruncate(struct script *s, struct line *l)
{
	return extant_ftruncate(s->x, *slot(s, l), option_number(l, "len", -1));
}

static int64_t op_fadvise(struct script *s, struct line *l)
{
	const char *a = option(l, "advice");
	int advice = !a ? POSIX_FADV_NORMAL : !strcmp(a, "dontneed") ? POSIX_FADV_DONTNEED
		     : !strcmp(a, "willneed") ? POSIX_FADV_WILLNEED
		     : !strcmp(a, "random") ? POSIX_FADV_RANDOM : POSIX_FADV_NORMAL;

	return extant_fadvise(s->x, *slot(s, l), option_number(l, "off", 0), option_number(l, "len", 0), advice);
}

static int one_extent(void *arg, const struct extant_extent *e)
{
	struct script *s = arg;

	add(s, "%s[%llu,%llu,%llu,\"%x\"]", s->info[s->info_len - 1] == '[' ? "" : ",",
	    (unsigned long long)e->logical, (unsigned long long)e->physical, (unsigned long long)e->length, e->flags);
	return 0;
}

static int64_t op_fiemap(struct script *s, struct line *l)
{
	size_t before = s->info_len;
	int err;

	add(s, ",\"extents\":[");
	err = extant_fiemap(s->x, *slot(s, l), one_extent, s);
	add(s, "]");
	if (err)
		s->info_len = before;
	return err;
}

/* ---- operations on names */

static int64_t op_mkdir(struct script *s, struct line *l)
{
	return extant_mkdir(s->x, word(l, 1), l->words > 2 ? (uint32_t)strtoul(l->word[2], NULL, 8) : 0755);
}

static int64_t op_rmdir(struct script *s, struct line *l)
{
	return extant_rmdir(s->x, word(l, 1));
}

static int64_t op_unlink(struct script *s, struct line *l)
{
	return extant_unlink(s->x, word(l, 1));
}

static int64_t op_truncate(struct script *s, struct line *l)
{
	return extant_truncate(s->x, word(l, 1), number(word(l, 2)));
}

static int64_t op_chmod(struct script *s, struct line *l)
{
	return extant_chmod(s->x, word(l, 1), (uint32_t)strtoul(word(l, 2), NULL, 8));
}

static int64_t op_access(struct script *s, struct line *l)
{
	return extant_access(s->x, word(l, 1), 0);
}

static int64_t op_readlink(struct script *s, struct line *l)
{
	char target[4096];
	int n = extant_readlink(s->x, word(l, 1), target, sizeof(target));

	if (n >= 0) {
		add(s, ",\"target\":");
		add_string(s, target, (size_t)n);
	}
	return n;
}

/* STATX_ATTR_* of the flags that have one */
static unsigned statx_attributes(uint32_t flags)
{
	return flags & (0x4 | 0x10 | 0x20 | 0x40 | 0x800 | 0x100000);
}

static int64_t add_stat(struct script *s, int err, const struct extant_stat *st)
{
	if (err)
		return err;
	add(s, ",\"ino\":%llu,\"mode\":\"%o\",\"nlink\":%u,\"uid\":%u,\"gid\":%u,\"size\":%llu,\"blocks\":%llu,"
	    "\"blksize\":%u,\"attributes\":\"%x\",\"rdev\":\"%u:%u\"", (unsigned long long)st->ino, st->mode,
	    st->nlink, st->uid, st->gid, (unsigned long long)st->size, (unsigned long long)st->blocks, st->blksize,
	    statx_attributes(st->flags), st->rdev_major, st->rdev_minor);
	add(s, ",\"times\":{\"a\":%lld.%09u,\"m\":%lld.%09u,\"c\":%lld.%09u,\"b\":%lld.%09u}",
	    (long long)st->atime.sec, st->atime.nsec, (long long)st->mtime.sec, st->mtime.nsec,
	    (long long)st->ctime.sec, st->ctime.nsec, (long long)st->btime.sec, st->btime.nsec);
	return 0;
}

static int64_t op_stat(struct script *s, struct line *l)
{
	struct extant_stat st;
	int err = *l->word[0] == 'l' ? extant_lstat(s->x, word(l, 1), &st) : extant_stat(s->x, word(l, 1), &st);

	return add_stat(s, err, &st);
}

static int64_t op_fstat(struct script *s, struct line *l)
{
	struct extant_stat st;
	int err = extant_fstat(s->x, *slot(s, l), &st);

	return add_stat(s, err, &st);
}

static int64_t op_statfs(struct script *s, struct line *l)
{
	struct extant_statfs f;
	int err = extant_statfs(s->x, word(l, 1), &f);

	if (!err)
		add(s, ",\"bsize\":%u,\"blocks\":%llu,\"bfree\":%llu,\"bavail\":%llu,\"files\":%llu,\"ffree\":%llu",
		    f.block_size, (unsigned long long)f.blocks, (unsigned long long)f.free,
		    (unsigned long long)f.available, (unsigned long long)f.files, (unsigned long long)f.files_free);
	return err;
}

struct listing {
	struct script *s;
	int count;
};

static int one_entry(void *arg, const struct extant_dirent *d)
{
	struct listing *l = arg;

	add(l->s, l->count++ ? "," : "");
	add_string(l->s, d->name, strlen(d->name));
	return 0;
}

static int64_t op_readdir(struct script *s, struct line *l)
{
	struct listing list = { s, 0 };
	int fd = extant_open(s->x, word(l, 1), O_RDONLY | O_DIRECTORY, 0), err;

	if (fd < 0)
		return fd;
	add(s, ",\"entries\":[");
	err = extant_readdir(s->x, fd, one_entry, &list);
	add(s, "]");
	(void)extant_close(s->x, fd); /* nothing was written */
	return err ? err : list.count;
}

/* ---- operations on the mount */

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

static int64_t op_mount(struct script *s, struct line *l)
{
	return mount_now(s, l->words > 1 ? l->word[1] : s->options);
}

static int64_t op_umount(struct script *s, struct line *l)
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
static int64_t op_remount(struct script *s, struct line *l)
{
	char options[1024];

	if (snprintf(options, sizeof(options), "rw,async,%s", word(l, 1)) >= (int)sizeof(options))
		return -EINVAL;
	return extant_remount(s->x, options);
}

static int64_t op_shutdown(struct script *s, struct line *l)
{
	const char *how = l->words > 1 ? l->word[1] : "default";

	return extant_shutdown(s->x, !strcmp(how, "logflush") ? EXTANT_SHUTDOWN_LOGFLUSH
				     : !strcmp(how, "nologflush") ? EXTANT_SHUTDOWN_NOLOGFLUSH
								  : EXTANT_SHUTDOWN_DEFAULT);
}

static int64_t op_sleep(struct script *s, struct line *l)
{
	int64_t ns = number(word(l, 1)) * NSEC_PER_MSEC;

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

static int64_t op_snapshot(struct script *s, struct line *l)
{
	char path[4096];
	int in = open(s->image, O_RDONLY | O_CLOEXEC), out;
	int64_t err;

	if (in < 0)
		return -errno;
	(void)snprintf(path, sizeof(path), "%s/%s.img", s->snapshots ? s->snapshots : ".", word(l, 1));
	out = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
	err = out < 0 ? -errno : copy_image(in, out);
	if (out >= 0)
		close(out);
	close(in);
	return err;
}

/* ---- the table */

static const struct {
	const char *name;
	op_fn fn;
	bool unmounted;			/* works without a mount */
} ops[] = {
	{ "open", op_open, false }, { "close", op_close, false }, { "write", op_write, false },
	{ "pwrite", op_write, false }, { "read", op_read, false }, { "pread", op_read, false },
	{ "lseek", op_lseek, false }, { "fsync", op_fsync, false }, { "fdatasync", op_fdatasync, false },
	{ "sync_file_range", op_sync_file_range, false }, { "sync", op_sync, false },
	{ "syncfs", op_sync, false }, { "ftruncate", op_ftruncate, false }, { "fadvise", op_fadvise, false },
	{ "fiemap", op_fiemap, false }, { "mkdir", op_mkdir, false }, { "rmdir", op_rmdir, false },
	{ "unlink", op_unlink, false }, { "truncate", op_truncate, false }, { "chmod", op_chmod, false },
	{ "access", op_access, false }, { "readlink", op_readlink, false }, { "stat", op_stat, false },
	{ "lstat", op_stat, false }, { "fstat", op_fstat, false }, { "statfs", op_statfs, false },
	{ "readdir", op_readdir, false }, { "remount", op_remount, false }, { "shutdown", op_shutdown, false },
	{ "mount", op_mount, true }, { "umount", op_umount, true }, { "sleep", op_sleep, true },
	{ "snapshot", op_snapshot, true },
};

/* ---- one line */

static void print_result(struct script *s, int op, const char *text, int64_t ret)
{
	size_t info_len = s->info_len;
	const char *e = ret < 0 ? strerrorname_np((int)-ret) : NULL;

	if (!s->results)
		return;
	add_string(s, text, strlen(text));
	fprintf(s->results, "{\"op\":%d,\"cmd\":%s,\"ret\":%lld", op, s->info + info_len,
		(long long)(ret < 0 ? -1 : ret));
	if (ret < 0)
		fprintf(s->results, ",\"errno\":\"%s\"", e ? e : "?");
	fprintf(s->results, "%.*s}\n", (int)info_len, s->info);
	s->info_len = info_len;
}

static void mark_end(struct script *s, int op, int64_t ret)
{
	const char *e = ret < 0 ? strerrorname_np((int)-ret) : NULL;

	if (ret < 0)
		trace_mark(s->trace, "op_end %d ret=-1 %s", op, e ? e : "?");
	else
		trace_mark(s->trace, "op_end %d ret=%lld", op, (long long)ret);
}

static void pass_gap(struct script *s)
{
	if (s->x)
		(void)extant_sleep(s->x, GAP_NS);
	else
		clock_advance_to(s->clock, clock_monotonic(s->clock) + GAP_NS);
}

static op_fn find_op(const char *name, bool *unmounted)
{
	for (size_t i = 0; i < array_size(ops); i++)
		if (!strcmp(ops[i].name, name)) {
			*unmounted = ops[i].unmounted;
			return ops[i].fn;
		}
	return NULL;
}

static int one_op(struct script *s, int op, const char *text, int64_t *ret)
{
	static struct line l;
	bool unmounted = false;
	op_fn fn;
	int err;

	(void)snprintf(l.text, sizeof(l.text), "%s", text);
	err = tokenize(&l);
	if (err)
		return err;
	fn = find_op(l.word[0], &unmounted);
	if (!fn) {
		s->unknown = strdup(l.word[0]);
		return -EINVAL;
	}
	pass_gap(s);
	s->info_len = 0;
	add(s, "%s", "");
	trace_mark(s->trace, "op_begin %d %.900s", op, text);
	err = s->around_op ? s->around_op(s->around_arg, op, true, text, 0) : 0;
	*ret = s->x || unmounted ? fn(s, &l) : -ENOENT;
	if (!err && s->around_op)
		err = s->around_op(s->around_arg, op, false, text, *ret);
	mark_end(s, op, *ret);
	print_result(s, op, text, *ret);
	return !err && s->after_op ? s->after_op(s->after_arg) : err;
}

/* ---- all lines */

static int run_lines(struct script *s, FILE *lines, int *op)
{
	static char text[LINE_MAX_BYTES];
	int err = 0;

	while (!err && fgets(text, sizeof(text), lines)) {
		char *p = text + strspn(text, " \t");
		int64_t ret;

		p[strcspn(p, "\n")] = '\0';
		if (*p && *p != '#' && *p != '%')
			err = one_op(s, (*op)++, p, &ret);
	}
	return err;
}

static void close_all(struct script *s)
{
	for (int i = 0; i < SCRIPT_FILES; i++) {
		if (s->fds[i] >= 0 && s->x)
			(void)extant_close(s->x, s->fds[i]);
		s->fds[i] = -1;
	}
}

int script_run(struct script *s, FILE *lines)
{
	int64_t ret = 0;
	int op = 0, err = one_op(s, op++, "mount", &ret), last;

	if (!err && ret) {
		s->mount_error = (int)ret;
		return s->mount_error;
	}
	if (!err)
		err = run_lines(s, lines, &op);
	close_all(s);
	if (s->x) {
		last = one_op(s, op, "umount", &ret);
		err = err ? err : last;
	}
	return err;
}

void script_init(struct script *s)
{
	memset(s, 0, sizeof(*s));
	for (int i = 0; i < SCRIPT_FILES; i++)
		s->fds[i] = -1;
	extant_options_init(&s->opt);
}

void script_fini(struct script *s)
{
	free(s->info);
	s->info = NULL;
}
