/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of a file, from one place into a file of another (copy.h): stretch by stretch of data;
 * what lies between stays a hole.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/copy_internal.h"

struct stream {
	struct copy *c;
	const char *from, *to;
	int in, out;
};

/* ---- bytes */

static int write_all(struct stream *s, size_t len, int64_t at)
{
	struct place *to = &s->c->to;

	for (size_t done = 0; done < len;) {
		int64_t n = to->calls->pwrite(to, s->out, s->c->buf + done, len - done,
					      at + (int64_t)done);

		if (n == -EINTR && cli_interrupted())
			return cli_interrupt_report();
		if (n == -EINTR)
			continue;
		if (n < 0)
			return place_failed(to, s->to, (int)n, NULL);
		done += (size_t)n;
	}
	return CLI_DONE;
}

/* [*at, end) or until the end of the file; *at: where it stopped. */
static int copy_range(struct stream *s, int64_t *at, int64_t end)
{
	struct place *from = &s->c->from;
	int status = CLI_DONE;

	while (!status && *at < end) {
		int64_t n, want = min((int64_t)COPY_CHUNK_BYTES, end - *at);

		if (cli_interrupted())
			return cli_interrupt_report();
		n = from->calls->pread(from, s->in, s->c->buf, (size_t)want, *at);
		if (n == -EINTR)
			continue;
		if (n < 0)
			return place_failed(from, s->from, (int)n, NULL);
		if (!n)
			break;
		status = write_all(s, (size_t)n, *at);
		cli_progress(s->from, (uint64_t)n);
		*at += n;
	}
	/* What ends as we are told to stop may be no end: who wrote it was told too. */
	if (!status && cli_interrupted())
		return cli_interrupt_report();
	return status;
}

/* ---- holes */

/* The next stretch of data from *at on; 1, or 0: there is none. Where nobody knows, all is data. */
static int next_data(struct stream *s, int64_t *at, int64_t *end)
{
	struct place *from = &s->c->from;
	int64_t data = from->calls->seek(from, s->in, *at, SEEK_DATA);

	if (data == -ENXIO)
		return 0;
	if (data == -EINVAL || data == -EOPNOTSUPP) {
		data = *at;
		*end = INT64_MAX;
	} else if (data >= 0) {
		*end = from->calls->seek(from, s->in, data, SEEK_HOLE);
	}
	*at = data;
	return data < 0 ? (int)data : *end < 0 ? (int)*end : 1;
}

static int copy_sparse(struct stream *s, int64_t size)
{
	struct place *to = &s->c->to;
	int64_t at = 0, end = 0;
	int status = CLI_DONE, found, err;

	while (!status && (found = next_data(s, &at, &end)) != 0) {
		if (found < 0)
			return place_failed(&s->c->from, s->from, found, NULL);
		status = copy_range(s, &at, end);
		if (at < end)
			break; /* its end, or it became shorter meanwhile */
	}
	if (status)
		return status;
	err = to->calls->truncate(to, s->out, max(at, size));
	return err ? place_failed(to, s->to, err, NULL) : CLI_DONE;
}

/* Everything, into what has no holes. */
static int copy_plainly(struct stream *s)
{
	int64_t at = 0;

	return copy_range(s, &at, INT64_MAX);
}

/* ---- the file */

char *copy_beside(struct copy *c, const char *to, bool *there)
{
	char *dir = cli_dirname(to), name[64], *path = cli_strdup(to);
	struct place_file f;

	*there = !c->to.calls->stat(&c->to, path, false, &f);
	while (!c->to.calls->stat(&c->to, path, false, &f)) {
		(void)snprintf(name, sizeof(name), ".extant-%d-%u", (int)getpid(), c->made++);
		free(path);
		path = cli_join(dir, name);
	}
	free(dir);
	return path;
}

const char *copy_hint(const struct copy *c, int err)
{
	return err == -ENOENT && c->to.im ? "mkdir -p makes its directory" : NULL;
}

/* What a file gets that is copied without all its attributes. `old`: what it replaces, or NULL. */
static int set_mode(struct copy *c, const char *path, const struct place_file *f,
		    const struct place_file *old)
{
	uint32_t mode = S_ISREG(f->st.mode) ? f->st.mode & c->opt.mode_mask : 0644;
	uint32_t uid = old ? old->st.uid : UINT32_MAX, gid = old ? old->st.gid : UINT32_MAX;
	int err = 0;

	if (c->opt.owner)
		(void)cli_parse_owner(c->opt.owner, &uid, &gid); /* checked */
	if (c->opt.mode)
		(void)cli_parse_mode(c->opt.mode, mode, false, &mode); /* checked */
	if ((old || c->opt.owner) && (c->to.im || geteuid() == 0))
		err = c->to.calls->chown(&c->to, path, uid, gid);
	return err ? err : c->to.calls->chmod(&c->to, path, mode);
}

/* `path` is open as s->out, and closed here. */
static int fill(struct stream *s, const char *path, const struct place_file *f,
		const struct place_file *old)
{
	struct copy *c = s->c;
	bool sparse = S_ISREG(f->st.mode) && strcmp(s->from, "-") != 0;
	int status = sparse ? copy_sparse(s, (int64_t)f->st.size) : copy_plainly(s);
	int err = c->to.calls->close(&c->to, s->out);

	if (!err && !status)
		err = c->opt.attributes && S_ISREG(f->st.mode)
			      ? copy_attributes(c, s->from, path, f)
			      : set_mode(c, path, f, old);
	return err ? cli_worse(status, place_failed(&c->to, s->to, err, NULL)) : status;
}

/* Into something that is no file: a terminal, a pipe, a device of the host. */
static int into_stream(struct stream *s)
{
	struct place *to = &s->c->to;
	int status, err;

	s->out = to->calls->open(to, s->to, O_WRONLY, 0);
	if (s->out < 0)
		return place_failed(to, s->to, s->out, NULL);
	status = copy_plainly(s);
	err = to->calls->close(to, s->out);
	return err ? cli_worse(status, place_failed(to, s->to, err, NULL)) : status;
}

/* A new file at `s->to`, or one beside what is there (`old`) that takes its place when it is whole. */
static int into_file(struct stream *s, const struct place_file *f, const struct place_file *old)
{
	struct place *to = &s->c->to;
	bool there;
	char *path = copy_beside(s->c, s->to, &there);
	int status, err;

	s->out = to->calls->open(to, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (s->out < 0) {
		free(path);
		return place_failed(to, s->to, s->out, copy_hint(s->c, s->out));
	}
	status = fill(s, path, f, old);
	if (!status && there) {
		err = to->calls->rename(to, path, s->to);
		status = err ? place_failed(to, s->to, err, NULL) : CLI_DONE;
	}
	if (status)
		(void)to->calls->unlink(to, path); /* the first error is the one to tell */
	free(path);
	return status;
}

/* Where links lead that the user named as the target: it is written through them. To be freed. */
static char *real_target(struct copy *c, const char *to)
{
	char *path;

	if (c->depth)
		return cli_strdup(to);
	if (c->to.im)
		return cli_follow(c->to.im, to);
	path = realpath(to, NULL);
	return path ? path : cli_strdup(to);
}

static int put_bytes(struct stream *s, const struct place_file *f)
{
	struct copy *c = s->c;
	struct place_file old;
	bool there = !c->to.calls->stat(&c->to, s->to, false, &old);

	if (there && S_ISDIR(old.st.mode))
		return place_failed(&c->to, s->to, -EISDIR, NULL);
	if (there && !c->to.im && !S_ISREG(old.st.mode) && !S_ISLNK(old.st.mode))
		return into_stream(s);
	return into_file(s, f, there ? &old : NULL);
}

int copy_file(struct copy *c, const char *from, const char *to, const struct place_file *f)
{
	struct stream s = { .c = c, .from = from };
	bool to_stdout = !c->to.im && !strcmp(to, "-");
	char *path = to_stdout ? cli_strdup(to) : real_target(c, to);
	int status;

	s.to = path;
	s.in = c->from.calls->open(&c->from, from, O_RDONLY, 0);
	if (s.in < 0) {
		status = place_failed(&c->from, from, s.in, NULL);
	} else {
		status = to_stdout ? into_stream(&s) : put_bytes(&s, f);
		(void)c->from.calls->close(&c->from, s.in); /* only read */
	}
	free(path);
	return status;
}
