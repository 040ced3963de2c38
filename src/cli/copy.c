/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walk of a copy: what kind each file is, where it goes, and its attributes (copy.h). The bytes
 * are in copy_data.c.
 */
#include "cli/copy.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/copy_internal.h"

/* ---- files with several names */

static struct copy_link *find_link(struct copy *c, const struct place_file *f)
{
	for (size_t i = 0; i < c->link_count; i++)
		if (c->links[i].ino == f->st.ino && c->links[i].dev == f->dev)
			return &c->links[i];
	return NULL;
}

static void remember_link(struct copy *c, const struct place_file *f, const char *to)
{
	if (c->link_count == c->link_room) {
		c->link_room = c->link_room ? 2 * c->link_room : 16;
		c->links = cli_realloc(c->links, c->link_room * sizeof(c->links[0]));
	}
	c->links[c->link_count++] = (struct copy_link){ f->st.ino, f->dev, cli_strdup(to) };
}

/* ---- attributes */

/* On the host only root may give files away: who is not keeps what it makes. */
static int set_owner(struct copy *c, const char *to, const struct extant_stat *st, bool *refused)
{
	uint32_t uid = st->uid, gid = st->gid;
	int err;

	if (c->opt.owner)
		(void)cli_parse_owner(c->opt.owner, &uid, &gid); /* checked */
	err = c->to.calls->chown(&c->to, to, uid, gid);
	*refused = err == -EPERM && !c->to.im && geteuid() != 0;
	return *refused ? 0 : err;
}

/* What the host does not take from us, or its file system does not have: that stays behind, as with cp -a. */
static bool is_refused(const struct copy *c, int err)
{
	return !c->to.im &&
	       (err == -EPERM || err == -EACCES || err == -EOPNOTSUPP || err == -EINVAL);
}

static int copy_xattr(struct copy *c, const char *from, const char *to, const char *name)
{
	int n = c->from.calls->getxattr(&c->from, from, name, c->buf, COPY_CHUNK_BYTES), err;

	if (n < 0)
		return n == -ENODATA ? 0 : n; /* it went meanwhile, or is not for us */
	err = c->to.calls->setxattr(&c->to, to, name, c->buf, (size_t)n);
	return is_refused(c, err) ? 0 : err;
}

/* c->buf holds values, and is free between files. */
static int copy_xattrs(struct copy *c, const char *from, const char *to)
{
	int n = c->from.calls->listxattr(&c->from, from, NULL, 0), err = 0;
	char *list;

	if (n <= 0)
		return n == -EOPNOTSUPP ? 0 : n;
	list = cli_realloc(NULL, (size_t)n);
	n = c->from.calls->listxattr(&c->from, from, list, (size_t)n);
	for (char *name = list; !err && name < list + n; name += strlen(name) + 1)
		err = copy_xattr(c, from, to, name);
	free(list);
	return n < 0 ? n : err;
}

int copy_attributes(struct copy *c, const char *from, const char *to, const struct place_file *f)
{
	bool refused = false;
	uint32_t mode = f->st.mode & 07777;
	int err = set_owner(c, to, &f->st, &refused);

	/* Set-ID bits are for the owner that it had. */
	if (refused)
		mode &= ~06000u;
	if (c->opt.mode && S_ISREG(f->st.mode))
		(void)cli_parse_mode(c->opt.mode, mode, false, &mode); /* checked */
	if (!err && !S_ISLNK(f->st.mode))
		err = c->to.calls->chmod(&c->to, to, mode);
	/* A list of access says what the mode says, and a mode of the user's is the last word. */
	if (!err)
		err = copy_xattrs(c, from, to);
	if (!err && c->opt.mode && S_ISREG(f->st.mode))
		err = c->to.calls->chmod(&c->to, to, mode);
	if (!err)
		err = c->to.calls->utimens(&c->to, to, &f->st);
	return err;
}

/* ---- what is neither file nor directory */

static int make_special(struct copy *c, const char *from, const char *to,
			const struct place_file *f)
{
	char target[4097];
	int n;

	if (!S_ISLNK(f->st.mode))
		return c->to.calls->mknod(&c->to, to, &f->st);
	n = c->from.calls->readlink(&c->from, from, target, sizeof(target) - 1);
	if (n < 0)
		return n;
	target[n] = '\0';
	return c->to.calls->symlink(&c->to, target, to);
}

/* Another name of a file that was copied already, a link, or a device: made at once or not at all. */
static int make_node(struct copy *c, const char *from, const char *to, const struct place_file *f,
		     const char *same)
{
	bool there = false;
	char *at = copy_beside(c, to, &there);
	int err;

	err = same ? c->to.calls->link(&c->to, same, at) : make_special(c, from, at, f);
	if (!err && !same && (c->opt.attributes || c->opt.owner))
		err = copy_attributes(c, from, at, f);
	if (!err && there)
		err = c->to.calls->rename(&c->to, at, to);
	if (err && err != -EEXIST)
		(void)c->to.calls->unlink(&c->to, at); /* the first error is the one to tell */
	free(at);
	return err;
}

/* ---- directories */

static int copy_any(struct copy *c, const char *from, const char *to, const struct place_file *f);

static int copy_name(struct copy *c, const char *from, const char *to, const char *name)
{
	char *f = cli_join(from, name), *t = cli_join(to, name);
	struct place_file file;
	int err = c->from.calls->stat(&c->from, f, false, &file), status;

	status = err ? place_failed(&c->from, f, err, NULL) : copy_any(c, f, t, &file);
	free(f);
	free(t);
	return status;
}

static int copy_names(struct copy *c, const char *from, const char *to)
{
	struct cli_names names;
	int err = c->from.calls->list(&c->from, from, &names), status = CLI_DONE;

	if (err)
		status = place_failed(&c->from, from, err, NULL);
	cli_names_sort(&names);
	for (size_t i = 0; i < names.count && status < CLI_IO; i++) {
		if (cli_interrupted())
			status = cli_interrupt_report();
		else if (!cli_is_dots(names.items[i].name))
			status = cli_worse(status, copy_name(c, from, to, names.items[i].name));
	}
	cli_names_free(&names);
	return status;
}

/* Empty and only ours, until what belongs into it is there. */
static int make_directory(struct copy *c, const char *to)
{
	struct place_file there;
	int err = c->to.calls->mkdir(&c->to, to, 0700);

	if (err == -EEXIST && !c->to.calls->stat(&c->to, to, c->depth == 0, &there))
		err = S_ISDIR(there.st.mode) ? 0 : -ENOTDIR;
	if (!err && !c->depth && !c->to.calls->stat(&c->to, to, true, &there))
		c->top = there;
	return err;
}

static int end_directory(struct copy *c, const char *from, const char *to,
			 const struct place_file *f)
{
	int err;

	if (c->opt.attributes || c->opt.owner)
		err = copy_attributes(c, from, to, f);
	else
		err = c->to.calls->chmod(&c->to, to, f->st.mode & c->opt.mode_mask);
	return err ? place_failed(&c->to, to, err, NULL) : CLI_DONE;
}

static int copy_directory(struct copy *c, const char *from, const char *to,
			  const struct place_file *f)
{
	int err, status;

	if (!c->opt.recursive)
		return place_failed(&c->from, from, -EISDIR, "-r copies it and all that is in it");
	if (c->depth && place_is_same(&c->from, &c->to) && f->st.ino == c->top.st.ino &&
	    f->dev == c->top.dev) {
		cli_error("%s: a directory is not copied into itself", from);
		return CLI_REFUSED;
	}
	if (c->from.im && !cli_ino_add(&c->entered, (uint32_t)f->st.ino)) {
		cli_error("%s: %s: inode %u is a directory with two names; run e2fsck on the image",
			  c->from.im->path, from, (uint32_t)f->st.ino);
		return CLI_DAMAGED;
	}
	err = make_directory(c, to);
	if (err)
		return place_failed(&c->to, to, err, copy_hint(c, err));
	c->depth++;
	status = copy_names(c, from, to);
	c->depth--;
	return cli_worse(status, end_directory(c, from, to, f));
}

/* ---- each file */

/* Whether what is there stays: the user said so. */
static bool is_kept(struct copy *c, const char *to, const struct place_file *f)
{
	struct place_file old;

	if (!c->opt.keep_existing && !c->opt.newer)
		return false;
	if (S_ISDIR(f->st.mode) || c->to.calls->stat(&c->to, to, false, &old))
		return false;
	if (c->opt.keep_existing)
		return true;
	return old.st.mtime.sec > f->st.mtime.sec ||
	       (old.st.mtime.sec == f->st.mtime.sec && old.st.mtime.nsec >= f->st.mtime.nsec);
}

static bool is_itself(struct copy *c, const char *to, const struct place_file *f)
{
	struct place_file there;

	return place_is_same(&c->from, &c->to) &&
	       !c->to.calls->stat(&c->to, to, !c->depth, &there) && there.st.ino == f->st.ino &&
	       there.dev == f->dev && f->st.ino;
}

static void tell(struct copy *c, const char *from, const char *to)
{
	if (!c->opt.verbose)
		return;
	cli_print_name(from);
	fputs(" -> ", stdout);
	cli_print_line(to);
}

static int copy_any(struct copy *c, const char *from, const char *to, const struct place_file *f)
{
	bool several = c->opt.attributes && f->st.nlink > 1 && !S_ISDIR(f->st.mode);
	struct copy_link *same = several ? find_link(c, f) : NULL;
	int err = 0, status = CLI_DONE;

	if (is_kept(c, to, f))
		return CLI_DONE;
	if (is_itself(c, to, f)) {
		cli_error("%s and %s are the same", from, to);
		return CLI_REFUSED;
	}
	tell(c, from, to);
	if (S_ISDIR(f->st.mode))
		return copy_directory(c, from, to, f);
	/* Without -r, a pipe or a device is read as if it were a file. */
	if (!same && (S_ISREG(f->st.mode) || (!c->opt.recursive && !S_ISLNK(f->st.mode))))
		status = copy_file(c, from, to, f);
	else
		err = make_node(c, from, to, f, same ? same->to : NULL);
	if (err)
		return place_failed(&c->to, to, err, copy_hint(c, err));
	if (!status && several && !same)
		remember_link(c, f, to);
	return status;
}

int copy_path(struct copy *c, const char *from, const char *to)
{
	struct place_file f;
	int err = c->from.calls->stat(&c->from, from, c->opt.follow, &f);

	if (err)
		return place_failed(&c->from, from, err, NULL);
	c->depth = 0;
	cli_ino_free(&c->entered); /* the user may name one twice */
	return copy_any(c, from, to, &f);
}

struct copy *copy_create(struct place from, struct place to, const struct copy_options *opt)
{
	struct copy *c = cli_realloc(NULL, sizeof(*c));

	*c = (struct copy){ .from = from, .to = to, .opt = *opt };
	c->buf = cli_realloc(NULL, COPY_CHUNK_BYTES);
	return c;
}

void copy_destroy(struct copy *c)
{
	cli_progress_clear();
	for (size_t i = 0; i < c->link_count; i++)
		free(c->links[i].to);
	free(c->links);
	cli_ino_free(&c->entered);
	free(c->buf);
	free(c);
}
