/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations of workload scripts on files and their bytes: opened, read, written, cut, made stable, mapped.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "cli/script_internal.h"

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

uint64_t script_fnv1a(const uint8_t *p, size_t n)
{
	uint64_t h = 0xcbf29ce484222325ull;

	while (n--)
		h = (h ^ *p++) * 0x100000001b3ull;
	return h;
}

/* fill=C: that byte; fill=pat:S: the byte at file offset o is (o*7 + (o>>8)*13 + S) & 255. */
void script_make_data(const struct script_line *l, int64_t offset, uint8_t *p, size_t len)
{
	const char *fill = script_option(l, "fill");
	int64_t seed;

	if (!fill)
		fill = "x";
	if (strncmp(fill, "pat:", 4)) {
		memset(p, fill[0], len);
		return;
	}
	seed = script_number(fill + 4);
	for (size_t i = 0; i < len; i++) {
		uint64_t o = (uint64_t)offset + i;

		p[i] = (uint8_t)(o * 7 + (o >> 8) * 13 + (uint64_t)seed);
	}
}

/* Aligned, as direct I/O wants it; free() ends it. */
static uint8_t *make_buffer(int64_t len)
{
	return aligned_alloc(4096, ((size_t)len / 4096 + 1) * 4096);
}

static int64_t op_open(struct script *s, struct script_line *l)
{
	int *at = script_slot(s, l), flags = parse_flags(script_word(l, 2)), fd;

	if (flags < 0 || *at >= 0)
		return -EINVAL;
	fd = extant_open(s->x, script_word(l, 1), flags, script_mode(l, 3, 0644));
	if (fd < 0)
		return fd;
	*at = fd;
	return 0;
}

static int64_t op_close(struct script *s, struct script_line *l)
{
	int *at = script_slot(s, l), err = extant_close(s->x, *at);

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

/* In calls of `chunk` bytes each, whose data are made one by one: memory is bounded by the chunk. */
static int64_t write_chunks(struct script *s, const struct script_line *l, int fd, int64_t len, bool at_offset)
{
	int64_t chunk = min(script_option_number(l, "chunk", len), len), off = script_option_number(l, "off", -1);
	int64_t start = write_position(s, fd, off), done = 0, n = 0;
	uint8_t *data = make_buffer(max(chunk, (int64_t)0));

	if (!data)
		return -ENOMEM;
	while (done < len) {
		size_t part = (size_t)min(chunk, len - done);

		script_make_data(l, start + done, data, part);
		n = at_offset ? extant_pwrite(s->x, fd, data, part, off + done) : extant_write(s->x, fd, data, part);
		if (n <= 0)
			break;
		done += n;
	}
	free(data);
	return done ? done : n;
}

static int64_t op_write(struct script *s, struct script_line *l)
{
	bool at_offset = *l->word[0] == 'p';
	int64_t len = script_option_number(l, "len", -1), off = script_option_number(l, "off", -1), n;
	int fd = *script_slot(s, l);

	if (len < 0)
		return -EINVAL;
	if (!at_offset && off >= 0) {
		n = extant_lseek(s->x, fd, off, SEEK_SET);
		if (n < 0)
			return n;
	}
	return write_chunks(s, l, fd, len, at_offset);
}

static int64_t op_read(struct script *s, struct script_line *l)
{
	bool at_offset = *l->word[0] == 'p';
	int64_t len = script_option_number(l, "len", -1), off = script_option_number(l, "off", -1), n = 0;
	int fd = *script_slot(s, l);
	uint8_t *buf;

	if (len < 0)
		return -EINVAL;
	if (!at_offset && off >= 0)
		n = extant_lseek(s->x, fd, off, SEEK_SET);
	if (n < 0)
		return n;
	buf = make_buffer(len);
	if (!buf)
		return -ENOMEM;
	n = at_offset ? extant_pread(s->x, fd, buf, (size_t)len, off) : extant_read(s->x, fd, buf, (size_t)len);
	if (n >= 0)
		script_add(s, ",\"fnv\":\"%016llx\"", (unsigned long long)script_fnv1a(buf, (size_t)n));
	free(buf);
	return n;
}

static int64_t op_lseek(struct script *s, struct script_line *l)
{
	const char *w = script_option(l, "whence");
	int64_t off = script_option_number(l, "off", 0);
	int whence = !w || !strcmp(w, "set") ? SEEK_SET : !strcmp(w, "cur") ? SEEK_CUR
		     : !strcmp(w, "end") ? SEEK_END : !strcmp(w, "data") ? SEEK_DATA : SEEK_HOLE;

	return extant_lseek(s->x, *script_slot(s, l), off, whence);
}

static int64_t op_fsync(struct script *s, struct script_line *l)
{
	return extant_fsync(s->x, *script_slot(s, l));
}

static int64_t op_fdatasync(struct script *s, struct script_line *l)
{
	return extant_fdatasync(s->x, *script_slot(s, l));
}

static int64_t op_sync_file_range(struct script *s, struct script_line *l)
{
	return extant_sync_file_range(s->x, *script_slot(s, l), script_option_number(l, "off", 0), script_option_number(l, "len", 0));
}

static int64_t op_ftruncate(struct script *s, struct script_line *l)
{
	return extant_ftruncate(s->x, *script_slot(s, l), script_option_number(l, "len", -1));
}

static const struct {
	const char *name;
	int mode;
} fallocate_modes[] = {
	{ "keep", FALLOC_FL_KEEP_SIZE }, { "punch", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE },
	{ "zero", FALLOC_FL_ZERO_RANGE }, { "collapse", FALLOC_FL_COLLAPSE_RANGE },
	{ "insert", FALLOC_FL_INSERT_RANGE },
};

static int64_t op_fallocate(struct script *s, struct script_line *l)
{
	const char *m = script_option(l, "mode");
	int mode = 0;

	for (size_t i = 0; m && i < array_size(fallocate_modes); i++)
		if (strstr(m, fallocate_modes[i].name))
			mode |= fallocate_modes[i].mode;
	return extant_fallocate(s->x, *script_slot(s, l), mode, script_option_number(l, "off", -1),
				script_option_number(l, "len", -1));
}

static int64_t op_copy_file_range(struct script *s, struct script_line *l)
{
	int64_t off = script_option_number(l, "off", 0), to = script_option_number(l, "to", 0);
	int64_t fd2 = script_option_number(l, "fd2", -1);
	int out = fd2 >= 0 && fd2 < SCRIPT_FILES ? s->fds[fd2] : -1;

	return extant_copy_file_range(s->x, *script_slot(s, l), off < 0 ? 0 : off, out, to,
				      (size_t)script_option_number(l, "len", -1));
}

static int64_t op_fadvise(struct script *s, struct script_line *l)
{
	const char *a = script_option(l, "advice");
	int advice = !a ? POSIX_FADV_NORMAL : !strcmp(a, "dontneed") ? POSIX_FADV_DONTNEED
		     : !strcmp(a, "willneed") ? POSIX_FADV_WILLNEED
		     : !strcmp(a, "random") ? POSIX_FADV_RANDOM
		     : !strcmp(a, "sequential") ? POSIX_FADV_SEQUENTIAL
		     : !strcmp(a, "noreuse") ? POSIX_FADV_NOREUSE : POSIX_FADV_NORMAL;

	return extant_fadvise(s->x, *script_slot(s, l), script_option_number(l, "off", 0), script_option_number(l, "len", 0), advice);
}

/* ---- mapped: page by page, as the faults of a process come */

/* What mmap itself refuses is its errno; what a fault meets is a signal to a process, whatever the reason. */
static int64_t as_signal(int64_t err)
{
	return err == -EBADF || err == -EACCES || err == -ENODEV || err == -EINVAL ? err : -EFAULT;
}

/* Into the file, or out of it. */
static int64_t copy_mapped(struct script *s, const struct script_line *l, int64_t off, uint8_t *bytes, int64_t len,
			   bool store)
{
	const char *advice = script_option(l, "advice");
	int flags = (store ? EXTANT_PAGE_WRITE : 0) |
		    (advice && !strcmp(advice, "random") ? EXTANT_PAGE_RANDOM : 0);
	struct extant_page *page;
	int64_t n, done = 0;
	void *data;
	int err;

	for (; done < len; done += n) {
		n = extant_page_get(s->x, *script_slot(s, l), off + done, (size_t)(len - done), flags, &page, &data);
		if (n < 0)
			return as_signal(n);
		memcpy(store ? data : bytes + done, store ? bytes + done : data, (size_t)n);
		err = extant_page_put(s->x, page, store);
		if (err)
			return err;
	}
	return 0;
}

static int64_t op_mapped(struct script *s, struct script_line *l)
{
	int64_t off = script_option_number(l, "off", -1), len = script_option_number(l, "len", -1), err;
	bool store = !strcmp(l->word[0], "mmapwrite");
	const char *sync = script_option(l, "sync");
	uint8_t *bytes;

	if (off < 0 || len <= 0)
		return -EINVAL;
	bytes = malloc((size_t)len);
	if (!bytes)
		return -ENOMEM;
	if (store)
		script_make_data(l, off, bytes, (size_t)len);
	err = copy_mapped(s, l, off, bytes, len, store);
	if (!err && !store)
		script_add(s, ",\"fnv\":\"%016llx\"", (unsigned long long)script_fnv1a(bytes, (size_t)len));
	free(bytes);
	if (!err && sync)
		err = extant_msync(s->x, *script_slot(s, l), off, len, strcmp(sync, "async") ? MS_SYNC : MS_ASYNC);
	return err ? err : len;
}

static int one_extent(void *arg, const struct extant_extent *e)
{
	struct script *s = arg;

	script_add(s, "%s[%llu,%llu,%llu,\"%x\"]", s->info[s->info_len - 1] == '[' ? "" : ",",
	    (unsigned long long)e->logical, (unsigned long long)e->physical, (unsigned long long)e->length, e->flags);
	return 0;
}

static int64_t op_fiemap(struct script *s, struct script_line *l)
{
	size_t before = s->info_len;
	int err;

	script_add(s, ",\"extents\":[");
	err = extant_fiemap(s->x, *script_slot(s, l), one_extent, s);
	script_add(s, "]");
	if (err)
		s->info_len = before;
	return err;
}

static int64_t op_truncate(struct script *s, struct script_line *l)
{
	return extant_truncate(s->x, script_word(l, 1), script_number(script_word(l, 2)));
}

const struct script_op script_data_ops[] = {
	{ "open", op_open, false },
	{ "close", op_close, false },
	{ "write", op_write, false },
	{ "pwrite", op_write, false },
	{ "read", op_read, false },
	{ "pread", op_read, false },
	{ "lseek", op_lseek, false },
	{ "fsync", op_fsync, false },
	{ "fdatasync", op_fdatasync, false },
	{ "sync_file_range", op_sync_file_range, false },
	{ "ftruncate", op_ftruncate, false },
	{ "truncate", op_truncate, false },
	{ "fallocate", op_fallocate, false },
	{ "copy_file_range", op_copy_file_range, false },
	{ "fadvise", op_fadvise, false },
	{ "mmapwrite", op_mapped, false },
	{ "mmapread", op_mapped, false },
	{ "fiemap", op_fiemap, false },
	{ NULL, NULL, false },
};
