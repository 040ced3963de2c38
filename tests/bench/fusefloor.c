/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fusefloor - a FUSE server that does next to nothing: the floor under the cost of
 * any FUSE file system on this machine.  Files live in memory, names in one hash
 * table, so every request is O(1) and touches no disk.
 *
 * usage: fusefloor [-m] [-w] [-o OPT] MOUNTPOINT     (stays in the foreground)
 *   -m  several threads (one lock)     -w  kernel write-back cache
 *   -o  one option for libfuse, such as io_uring
 *
 * Only what fsbench calls is there.  Needs libfuse 3.
 */
#define FUSE_USE_VERSION 35
#include <errno.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct node {
	struct node *parent, *hnext;		/* name hash chain */
	struct node *prev, *next, *first;	/* siblings; children */
	char *name;
	uint64_t nlookup, size, cap;
	uint32_t hash, mode, nlink;
	char *data;
	struct timespec mtime;
};

static struct node root = { .mode = S_IFDIR | 0755, .nlink = 2, .nlookup = 1 };
static struct node **tab;
enum { TAB = 1 << 20 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int writeback;
static const double forever = 3600;

static struct node *of(fuse_ino_t i)
{
	return i == FUSE_ROOT_ID ? &root : (struct node *)(uintptr_t)i;
}

static fuse_ino_t ino(struct node *n)
{
	return n == &root ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)n;
}

static uint32_t hash(struct node *p, const char *s)
{
	uint64_t h = (uint64_t)(uintptr_t)p * 0x9e3779b97f4a7c15u;
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3u;
	return (uint32_t)(h ^ h >> 29);
}

static struct node *find(struct node *p, const char *name)
{
	uint32_t h = hash(p, name);
	struct node *n = tab[h % TAB];
	while (n && (n->hash != h || n->parent != p || strcmp(n->name, name)))
		n = n->hnext;
	return n;
}

static void link_in(struct node *n, struct node *p, const char *name)
{
	n->parent = p;
	n->name = strdup(name);
	n->hash = hash(p, name);
	n->hnext = tab[n->hash % TAB];
	tab[n->hash % TAB] = n;
	n->prev = NULL;
	n->next = p->first;
	if (p->first)
		p->first->prev = n;
	p->first = n;
}

static void unlink_out(struct node *n)
{
	struct node **pp = &tab[n->hash % TAB];
	while (*pp != n)
		pp = &(*pp)->hnext;
	*pp = n->hnext;
	if (n->prev)
		n->prev->next = n->next;
	else
		n->parent->first = n->next;
	if (n->next)
		n->next->prev = n->prev;
	free(n->name);
	n->name = NULL;
}

static void put(struct node *n, uint64_t count)
{
	n->nlookup -= count;
	if (!n->nlookup && !n->nlink && n != &root) {
		free(n->data);
		free(n);
	}
}

static void attr(struct node *n, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = ino(n);
	st->st_mode = n->mode;
	st->st_nlink = n->nlink;
	st->st_size = (off_t)n->size;
	st->st_blocks = (blkcnt_t)((n->size + 511) / 512);
	st->st_blksize = 4096;
	st->st_mtim = st->st_ctim = st->st_atim = n->mtime;
}

static void entry(struct node *n, struct fuse_entry_param *e)
{
	memset(e, 0, sizeof(*e));
	e->ino = ino(n);
	e->attr_timeout = e->entry_timeout = forever;
	attr(n, &e->attr);
	n->nlookup++;
}

static struct node *make(fuse_ino_t parent, const char *name, mode_t mode)
{
	struct node *n = calloc(1, sizeof(*n));
	n->mode = mode;
	n->nlink = S_ISDIR(mode) ? 2 : 1;
	clock_gettime(CLOCK_REALTIME_COARSE, &n->mtime);
	link_in(n, of(parent), name);
	return n;
}

static void f_init(void *u, struct fuse_conn_info *c)
{
	(void)u;
	if (writeback && (c->capable & FUSE_CAP_WRITEBACK_CACHE))
		c->want |= FUSE_CAP_WRITEBACK_CACHE;
}

static void f_lookup(fuse_req_t q, fuse_ino_t p, const char *name)
{
	struct fuse_entry_param e = { .entry_timeout = forever };
	pthread_mutex_lock(&lock);
	struct node *n = find(of(p), name);
	if (n)
		entry(n, &e);
	pthread_mutex_unlock(&lock);
	if (n)
		fuse_reply_entry(q, &e);
	else
		fuse_reply_err(q, ENOENT);	/* not cached, as most servers */
}

static void f_forget(fuse_req_t q, fuse_ino_t i, uint64_t n)
{
	pthread_mutex_lock(&lock);
	put(of(i), n);
	pthread_mutex_unlock(&lock);
	fuse_reply_none(q);
}

static void f_forget_multi(fuse_req_t q, size_t c, struct fuse_forget_data *d)
{
	pthread_mutex_lock(&lock);
	for (size_t k = 0; k < c; k++)
		put(of(d[k].ino), d[k].nlookup);
	pthread_mutex_unlock(&lock);
	fuse_reply_none(q);
}

static void f_getattr(fuse_req_t q, fuse_ino_t i, struct fuse_file_info *fi)
{
	(void)fi;
	struct stat st;
	attr(of(i), &st);
	fuse_reply_attr(q, &st, forever);
}

static int grow(struct node *n, uint64_t size)
{
	if (size <= n->cap)
		return 0;
	uint64_t cap = n->cap ? n->cap : 4096;
	while (cap < size)
		cap *= 2;
	char *d = realloc(n->data, cap);
	if (!d)
		return ENOMEM;
	memset(d + n->cap, 0, cap - n->cap);
	n->data = d;
	n->cap = cap;
	return 0;
}

static void f_setattr(fuse_req_t q, fuse_ino_t i, struct stat *a, int set,
		      struct fuse_file_info *fi)
{
	(void)fi;
	struct node *n = of(i);
	struct stat st;
	pthread_mutex_lock(&lock);
	if (set & FUSE_SET_ATTR_MODE)
		n->mode = (n->mode & S_IFMT) | (a->st_mode & 07777);
	if (set & FUSE_SET_ATTR_SIZE) {
		uint64_t s = (uint64_t)a->st_size;
		if (s < n->size && n->data)
			memset(n->data + s, 0, n->size - s);
		grow(n, s);
		n->size = s;
	}
	if (set & FUSE_SET_ATTR_MTIME)
		n->mtime = a->st_mtim;
	attr(n, &st);
	pthread_mutex_unlock(&lock);
	fuse_reply_attr(q, &st, forever);
}

static void f_mkdir(fuse_req_t q, fuse_ino_t p, const char *name, mode_t mode)
{
	struct fuse_entry_param e;
	pthread_mutex_lock(&lock);
	entry(make(p, name, S_IFDIR | mode), &e);
	pthread_mutex_unlock(&lock);
	fuse_reply_entry(q, &e);
}

static void f_create(fuse_req_t q, fuse_ino_t p, const char *name, mode_t mode,
		     struct fuse_file_info *fi)
{
	struct fuse_entry_param e;
	pthread_mutex_lock(&lock);
	entry(make(p, name, S_IFREG | mode), &e);
	pthread_mutex_unlock(&lock);
	fi->keep_cache = 1;
	fuse_reply_create(q, &e, fi);
}

static void f_unlink(fuse_req_t q, fuse_ino_t p, const char *name)
{
	pthread_mutex_lock(&lock);
	struct node *n = find(of(p), name);
	int r = !n ? ENOENT : n->first ? ENOTEMPTY : 0;
	if (!r) {
		unlink_out(n);
		n->nlink = 0;
		put(n, 0);
	}
	pthread_mutex_unlock(&lock);
	fuse_reply_err(q, r);
}

static void f_rename(fuse_req_t q, fuse_ino_t p, const char *name, fuse_ino_t p2, const char *name2,
		     unsigned flags)
{
	(void)flags;
	pthread_mutex_lock(&lock);
	struct node *n = find(of(p), name), *old = find(of(p2), name2);
	if (n && old && old != n) {
		unlink_out(old);
		old->nlink = 0;
		put(old, 0);
	}
	if (n && old != n) {
		unlink_out(n);
		link_in(n, of(p2), name2);
	}
	pthread_mutex_unlock(&lock);
	fuse_reply_err(q, n ? 0 : ENOENT);
}

static void f_open(fuse_req_t q, fuse_ino_t i, struct fuse_file_info *fi)
{
	(void)i;
	fi->keep_cache = 1;
	fuse_reply_open(q, fi);
}

/* An open directory is a cursor: one pass from the start, offsets ignored. */
struct cursor {
	struct node *at;
};

static void f_opendir(fuse_req_t q, fuse_ino_t i, struct fuse_file_info *fi)
{
	struct cursor *c = malloc(sizeof(*c));
	c->at = of(i)->first;
	fi->fh = (uintptr_t)c;
	fuse_reply_open(q, fi);
}

static void f_releasedir(fuse_req_t q, fuse_ino_t i, struct fuse_file_info *fi)
{
	(void)i;
	free((struct cursor *)(uintptr_t)fi->fh);
	fuse_reply_err(q, 0);
}

static void f_readdir(fuse_req_t q, fuse_ino_t i, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)i;
	struct cursor *c = (struct cursor *)(uintptr_t)fi->fh;
	char *buf = malloc(size);
	size_t at = 0;
	pthread_mutex_lock(&lock);
	for (; c->at; c->at = c->at->next) {
		struct stat st = { .st_ino = ino(c->at), .st_mode = c->at->mode };
		size_t k = fuse_add_direntry(q, buf + at, size - at, c->at->name, &st, ++off);
		if (k > size - at)
			break;
		at += k;
	}
	pthread_mutex_unlock(&lock);
	fuse_reply_buf(q, buf, at);
	free(buf);
}

static void f_read(fuse_req_t q, fuse_ino_t i, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)fi;
	struct node *n = of(i);
	uint64_t o = (uint64_t)off;
	if (o >= n->size)
		size = 0;
	else if (size > n->size - o)
		size = n->size - o;
	fuse_reply_buf(q, size ? n->data + o : NULL, size);
}

static void f_write(fuse_req_t q, fuse_ino_t i, const char *buf, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	(void)fi;
	struct node *n = of(i);
	uint64_t end = (uint64_t)off + size;
	pthread_mutex_lock(&lock);
	int r = grow(n, end);
	if (!r) {
		memcpy(n->data + off, buf, size);
		if (end > n->size)
			n->size = end;
	}
	pthread_mutex_unlock(&lock);
	if (r)
		fuse_reply_err(q, r);
	else
		fuse_reply_write(q, size);
}

static void f_ok(fuse_req_t q, fuse_ino_t i, struct fuse_file_info *fi)
{
	(void)i;
	(void)fi;
	fuse_reply_err(q, 0);
}

static void f_nosys(fuse_req_t q, fuse_ino_t i, struct fuse_file_info *fi)
{
	(void)i;
	(void)fi;
	fuse_reply_err(q, ENOSYS);	/* asked once, then never again */
}

static void f_fsync(fuse_req_t q, fuse_ino_t i, int datasync, struct fuse_file_info *fi)
{
	(void)i;
	(void)datasync;
	(void)fi;
	fuse_reply_err(q, 0);
}

static void f_statfs(fuse_req_t q, fuse_ino_t i)
{
	(void)i;
	struct statvfs s = { .f_bsize = 4096,
			     .f_frsize = 4096,
			     .f_blocks = 1 << 20,
			     .f_bfree = 1 << 20,
			     .f_bavail = 1 << 20,
			     .f_namemax = 255 };
	fuse_reply_statfs(q, &s);
}

static const struct fuse_lowlevel_ops ops = {
	.init = f_init,
	.lookup = f_lookup,
	.forget = f_forget,
	.forget_multi = f_forget_multi,
	.getattr = f_getattr,
	.setattr = f_setattr,
	.mkdir = f_mkdir,
	.create = f_create,
	.unlink = f_unlink,
	.rmdir = f_unlink,
	.rename = f_rename,
	.open = f_open,
	.read = f_read,
	.write = f_write,
	.flush = f_nosys,
	.release = f_ok,
	.fsync = f_fsync,
	.opendir = f_opendir,
	.readdir = f_readdir,
	.releasedir = f_releasedir,
	.statfs = f_statfs,
};

int main(int argc, char **argv)
{
	int c, threads = 0;
	char more[128] = "-ofsname=floor";
	while ((c = getopt(argc, argv, "mwo:")) != -1) {
		if (c == 'm')
			threads = 1;
		else if (c == 'w')
			writeback = 1;
		else if (c == 'o')
			snprintf(more, sizeof(more), "-ofsname=floor,%s", optarg);
		else
			return 2;
	}
	if (optind + 1 != argc) {
		fprintf(stderr, "usage: fusefloor [-m] [-w] [-o OPT] MOUNTPOINT\n");
		return 2;
	}
	tab = calloc(TAB, sizeof(*tab));
	char *fargv[] = { argv[0], "-odefault_permissions", more, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, fargv);
	struct fuse_session *s = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	if (!s || fuse_set_signal_handlers(s) || fuse_session_mount(s, argv[optind]))
		return 1;
	int r;
	if (threads) {
		struct fuse_loop_config cfg = { .clone_fd = 0, .max_idle_threads = 4 };
		r = fuse_session_loop_mt(s, &cfg);
	} else {
		r = fuse_session_loop(s);
	}
	fuse_session_unmount(s);
	fuse_remove_signal_handlers(s);
	fuse_session_destroy(s);
	return r ? 1 : 0;
}
