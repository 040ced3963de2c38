/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening and closing: the top of the founding tree of open(O_CREAT).
 *
 * A descriptor is an index into a table that grows and never shrinks; an entry is read inside an
 * epoch and its file referenced, so that a close beside a read ends the file only when the read is
 * over.
 */
#include <fcntl.h>
#include <string.h>
#include "base/assert.h"
#include "vfs/internal.h"

/* ---- the table */

static bool is_writer(const struct file *f)
{
	return (f->flags & O_ACCMODE) != O_RDONLY && !(f->flags & O_PATH);
}

struct file_slots {
	struct epoch_node retire;
	struct arena *arena;
	uint32_t count;
	struct file *_Atomic at[];
};

struct file_table {
	struct mutex lock;		/* RANK_FILE_TABLE */
	struct file_slots *_Atomic slots;
	uint32_t open GUARDED_BY(lock);
};

#define SLOTS_FIRST	64
#define SLOTS_MAX	65536u

static struct file_slots *slots_new(struct arena *a, uint32_t count)
{
	struct file_slots *s = arena_zalloc(a, sizeof(*s) + count * sizeof(s->at[0]));

	if (s) {
		s->count = count;
		s->arena = a;
	}
	return s;
}

static void slots_free(struct epoch_node *node)
{
	struct file_slots *s = container_of(node, struct file_slots, retire);

	arena_free(s->arena, s);
}

int files_create(struct vfs *v)
{
	struct file_table *t = arena_new(v->fs->arena, struct file_table);
	struct file_slots *s = slots_new(v->fs->arena, SLOTS_FIRST);

	if (!t || !s) {
		arena_free(v->fs->arena, t);
		arena_free(v->fs->arena, s);
		return -ENOMEM;
	}
	mutex_init(&t->lock, RANK_FILE_TABLE);
	atomic_init(&t->slots, s);
	v->files = t;
	return 0;
}

void files_destroy(struct vfs *v)
{
	if (!v->files)
		return;
	arena_free(v->fs->arena, atomic_load(&v->files->slots));
	mutex_fini(&v->files->lock);
	arena_free(v->fs->arena, v->files);
	v->files = NULL;
}

bool files_any_open(struct vfs *v)
{
	guard(&v->files->lock);
	return v->files->open;
}

/* What an open file still has to write keeps the file system writable. */
static bool keeps_writable(const struct file *f)
{
	return is_writer(f) || !f->inode->nlink;
}

bool files_keep_writable(struct vfs *v)
{
	struct file_table *t = v->files;
	struct file_slots *s;

	guard(&t->lock);
	s = atomic_load(&t->slots);
	for (uint32_t i = 0; i < s->count; i++) {
		struct file *f = atomic_load(&s->at[i]);

		if (f && keeps_writable(f))
			return true;
	}
	return false;
}

/* Twice the slots; the old ones are read to the end by who reads them now. */
static struct file_slots *slots_grow(struct vfs *v, struct file_slots *old)
{
	struct file_slots *s;

	if (old->count >= SLOTS_MAX)
		return NULL;
	s = slots_new(v->fs->arena, old->count * 2);
	if (!s)
		return NULL;
	for (uint32_t i = 0; i < old->count; i++)
		atomic_init(&s->at[i], atomic_load(&old->at[i]));
	atomic_store_explicit(&v->files->slots, s, memory_order_release);
	epoch_retire(&old->retire, slots_free);
	return s;
}

static int file_install(struct vfs *v, struct file *f)
{
	struct file_table *t = v->files;
	struct file_slots *s;

	guard(&t->lock);
	s = atomic_load(&t->slots);
	for (uint32_t i = 0;; i++) {
		if (i == s->count && !(s = slots_grow(v, s)))
			return -EMFILE;
		if (atomic_load(&s->at[i]))
			continue;
		atomic_store_explicit(&s->at[i], f, memory_order_release);
		t->open++;
		return (int)i;
	}
}

int file_get(struct vfs *v, int fd, struct file **out)
{
	struct file_slots *s;
	struct file *f = NULL;
	int32_t refs;

	*out = NULL;
	guard_epoch();
	s = atomic_load_explicit(&v->files->slots, memory_order_acquire);
	if (fd >= 0 && (uint32_t)fd < s->count)
		f = atomic_load_explicit(&s->at[fd], memory_order_acquire);
	if (!f)
		return -EBADF;
	refs = atomic_load_explicit(&f->refs, memory_order_relaxed);
	while (refs > 0)
		if (atomic_compare_exchange_weak_explicit(&f->refs, &refs, refs + 1,
							  memory_order_acq_rel,
							  memory_order_relaxed)) {
			*out = f;
			return 0;
		}
	return -EBADF;
}

static void file_free(struct epoch_node *node)
{
	struct file *f = container_of(node, struct file, retire);

	mutex_fini(&f->pos_lock);
	arena_free(f->arena, f);
}

void file_put(struct file *f)
{
	struct vfs *v = f->vfs;

	if (atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) > 1)
		return;
	if (EXT4_S_ISREG(f->inode->mode) && !(f->flags & O_PATH))
		ext4_release_file(f->inode, is_writer(f));
	dentry_put(v, f->dentry);
	ext4_iput(f->inode);
	epoch_retire(&f->retire, file_free);
}

static int close_now(struct vfs *v, int fd)
{
	struct file_table *t = v->files;
	struct file *f = NULL;
	struct file_slots *s;

	mutex_lock(&t->lock);
	s = atomic_load(&t->slots);
	if (fd >= 0 && (uint32_t)fd < s->count)
		f = atomic_exchange(&s->at[fd], NULL);
	t->open -= f != NULL;
	mutex_unlock(&t->lock);
	if (!f)
		return -EBADF;
	file_put(f);
	return 0;
}

/* With it the last name's inode may go: that is a change, which a freeze keeps out. */
static bool frees_inode(struct vfs *v, int fd)
{
	struct ext4_attributes a;
	autofile f = NULL;

	if (file_get(v, fd, &f))
		return false;
	ext4_inode_snapshot(f->inode, &a);
	return !a.nlink;
}

int vfs_close(struct vfs *v, int fd)
{
	unsigned at;
	int err;

	TRACE_SCOPE(v->fs, close, sys_close);
	if (likely(!ext4_is_frozen(v->fs) || !frees_inode(v, fd)))
		return close_now(v, fd);
	err = ext4_begin_change(v->fs, &at);
	if (err)
		return err;
	err = close_now(v, fd);
	ext4_end_change(v->fs, at);
	return err;
}

/* ---- one file */

/* The first open of a mount leaves in the superblock where it is mounted. */
static int store_mount_point(struct ext4_fs *fs)
{
	struct handle *h;
	int err, stop;

	if (!fs->mount_point || ext4_writable(fs) || ext4_is_frozen(fs) ||
	    atomic_exchange(&fs->mount_point_stored, true))
		return 0;
	err = __ext4_journal_start(fs, 0, "ext4_file_open", __LINE__, HT_MISC, 1, 0, &h);
	if (err)
		return err;
	err = ext4_journal_get_write_access(fs, h, fs->super_buffer);
	if (!err) {
		mutex_lock(&fs->super_lock);
		memset(fs->super->s_last_mounted, 0, sizeof(fs->super->s_last_mounted));
		memcpy(fs->super->s_last_mounted, fs->mount_point,
		       strnlen(fs->mount_point, sizeof(fs->super->s_last_mounted) - 1));
		mutex_unlock(&fs->super_lock);
		err = ext4_handle_dirty_metadata(fs, h, 0, fs->super_buffer);
	}
	stop = ext4_journal_stop(fs, h);
	return err ? err : stop;
}

static int ext4_file_open(struct file *f)
{
	TRACE_SCOPE(f->vfs->fs, vfs_open, do_dentry_open, ext4_file_open);
	if (is_writer(f))
		atomic_fetch_add(&f->inode->writers, 1);
	return store_mount_point(f->vfs->fs);
}

/* Takes over the dentry's reference, also when it fails. */
static int file_create(struct vfs *v, struct dentry *d, int flags, struct file **out)
{
	struct file *f = arena_new(v->fs->arena, struct file);

	if (!f) {
		dentry_put(v, d);
		return -ENOMEM;
	}
	f->vfs = v;
	f->arena = v->fs->arena;
	f->dentry = d;
	f->inode = ext4_ihold(dentry_inode(d));
	f->flags = flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY | O_CLOEXEC);
	f->error_seen = mapping_sample_error(&f->inode->mapping);
	atomic_init(&f->refs, 1);
	mutex_init(&f->pos_lock, RANK_FILE_POS);
	*out = f;
	return 0;
}

/* ---- open */

static int mask_of(int flags)
{
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return MAY_READ;
	case O_WRONLY:
		return MAY_WRITE;
	default:
		return MAY_READ | MAY_WRITE;
	}
}

/* What kind it is against the flags; then the permissions; then what cannot be changed. */
static int may_open(struct vfs *v, struct inode *inode, int flags, bool created)
{
	bool writes = (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
	int err;

	if (EXT4_S_ISLNK(inode->mode))
		return flags & O_PATH ? 0 : -ELOOP;
	if (flags & O_DIRECTORY && !EXT4_S_ISDIR(inode->mode))
		return -ENOTDIR;
	if (flags & O_PATH)
		return 0;
	if (EXT4_S_ISDIR(inode->mode) && (writes || flags & O_CREAT))
		return -EISDIR;
	if (!EXT4_S_ISDIR(inode->mode) && !EXT4_S_ISREG(inode->mode))
		return -ENXIO; /* devices, pipes and sockets have no other end here */
	err = created ? 0 : vfs_permission(v, inode, mask_of(flags));
	if (!err && flags & O_NOATIME && !vfs_owner_or_root(v, inode))
		err = -EPERM;
	if (!err && flags & O_DIRECT && EXT4_S_ISDIR(inode->mode))
		err = -EINVAL;
	if (err || !writes)
		return err;
	if (ext4_writable(v->fs) == -EROFS)
		return -EROFS;
	if (inode->flags & EXT4_IMMUTABLE_FL)
		return -EPERM;
	if (inode->flags & EXT4_APPEND_FL && (!(flags & O_APPEND) || flags & O_TRUNC))
		return -EPERM;
	return 0;
}

/* An open dentry (its reference is taken over) becomes a descriptor. */
static int finish_open(struct vfs *v, struct dentry *d, int flags, bool created)
{
	struct inode *inode = dentry_inode(d);
	struct file *f;
	int err = may_open(v, inode, flags, created), fd;

	if (err) {
		dentry_put(v, d);
		return err;
	}
	err = file_create(v, d, flags, &f);
	if (err)
		return err;
	if (EXT4_S_ISREG(inode->mode) && !(flags & O_PATH)) {
		err = ext4_file_open(f);
		if (!err && flags & O_TRUNC && !created)
			err = truncate_inode(v, inode, 0, ATTR_OPEN);
	}
	fd = err ? err : file_install(v, f);
	if (fd < 0)
		file_put(f);
	return fd;
}

static int open_existing(struct vfs *v, const char *path, int flags)
{
	unsigned walk =
		(flags & O_NOFOLLOW ? 0 : WALK_FOLLOW) | (flags & O_DIRECTORY ? WALK_DIRECTORY : 0);
	struct dentry *d;
	int err = path_walk(v, path, walk, &d);

	return err ? err : finish_open(v, d, flags, false);
}

/* ---- O_CREAT */

static int vfs_create(struct vfs *v, const struct path_last *last, struct dentry *d, uint32_t mode)
{
	struct inode *parent = dentry_inode(last->dir), *inode;
	int err = ext4_writable(v->fs);

	TRACE_SCOPE(v->fs, vfs_create);
	if (!err)
		err = vfs_permission(v, parent, MAY_WRITE | MAY_EXEC);
	if (!err)
		err = ext4_create(parent, &last->name, (uint16_t)(mode & 07777), vfs_cred(v), &inode);
	if (!err)
		dentry_set_inode(d, inode);
	return err;
}

/* Under the directory's lock: the name, made if it is not there. */
static int lookup_open(struct vfs *v, const struct path_last *last, int flags, uint32_t mode,
		       struct dentry **out, bool *created)
{
	struct inode *dir = dentry_inode(last->dir);
	struct dentry *d;
	int err;

	TRACE_SCOPE(v->fs, do_last, lookup_open);
	guard_write(&dir->lock);
	err = path_lookup(v, last->dir, &last->name, &d);
	if (err)
		return err;
	if (dentry_inode(d) && flags & O_EXCL)
		err = -EEXIST;
	else if (!dentry_inode(d)) {
		err = vfs_create(v, last, d, mode);
		*created = !err;
	}
	if (err)
		dentry_put(v, d);
	else
		*out = d;
	return err;
}

static int open_create(struct vfs *v, struct dentry *from, const char *path, int flags,
		       uint32_t mode, int links);

/* The name is a link: where it leads, there the file is made. */
static int create_through_link(struct vfs *v, struct dentry *link, int flags, uint32_t mode,
			       int links)
{
	char *target = arena_alloc(v->fs->arena, PATH_BYTES_MAX);
	struct dentry *from;
	int n;

	if (!target)
		return -ENOMEM;
	n = ext4_readlink(dentry_inode(link), target, PATH_BYTES_MAX - 1);
	if (n >= 0) {
		target[n] = '\0';
		from = dentry_take_parent(link);
		n = open_create(v, from, target, flags, mode, links + 1);
		dentry_put(v, from);
	}
	arena_free(v->fs->arena, target);
	return n;
}

static int open_create(struct vfs *v, struct dentry *from, const char *path, int flags,
		       uint32_t mode, int links)
{
	struct path_last last;
	struct dentry *d = NULL;
	bool created = false;
	int err = links > LINKS_MAX ? -ELOOP : path_parent_from(v, from, path, &last);

	if (err)
		return err;
	if (last.type != LAST_NAME)
		err = flags & O_EXCL ? -EEXIST : -EISDIR;
	else if (last.slash)
		err = -EISDIR;
	else
		err = lookup_open(v, &last, flags, mode, &d, &created);
	if (!err && EXT4_S_ISLNK(dentry_inode(d)->mode)) {
		err = flags & O_NOFOLLOW ? -ELOOP : create_through_link(v, d, flags, mode, links);
		dentry_put(v, d);
	} else if (!err) {
		err = finish_open(v, d, flags, created);
	}
	dentry_put(v, last.dir);
	return err;
}

/* ---- O_TMPFILE */

/* In that directory, but without a name; its dentry, or an error. */
static int make_nameless(struct vfs *v, struct dentry *dir, int flags, uint32_t mode,
			 struct dentry **out)
{
	struct inode *parent = dentry_inode(dir), *inode;
	int err = vfs_permission(v, parent, MAY_WRITE | MAY_EXEC);

	if (!err && ext4_writable(v->fs))
		err = ext4_writable(v->fs);
	if (!err) {
		guard_write(&parent->lock);
		err = ext4_tmpfile(parent, (uint16_t)(mode & 07777),
				   !(flags & O_EXCL), vfs_cred(v), &inode);
	}
	return err ? err : dcache_add_nameless(v, dir, inode, out);
}

static int do_tmpfile(struct vfs *v, const char *path, int flags, uint32_t mode)
{
	struct dentry *dir, *d;
	int err;

	TRACE_SCOPE(v->fs, do_tmpfile);
	if ((flags & O_ACCMODE) == O_RDONLY || flags & O_CREAT)
		return -EINVAL;
	err = path_walk(v, path, (flags & O_NOFOLLOW ? 0 : WALK_FOLLOW) | WALK_DIRECTORY, &dir);
	if (err)
		return err;
	err = make_nameless(v, dir, flags, mode, &d);
	dentry_put(v, dir);
	return err ? err : finish_open(v, d, flags & ~O_TMPFILE, true);
}

int vfs_open(struct vfs *v, const char *path, int flags, uint32_t mode)
{
	TRACE_SCOPE(v->fs, open, sys_openat, do_sys_open, do_filp_open, path_openat);
	budget_throttle(v->fs->budget);
	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW;
	if ((flags & O_TMPFILE) == O_TMPFILE)
		return do_tmpfile(v, path, flags, mode);
	if (flags & O_CREAT && flags & O_DIRECTORY)
		return -EINVAL;
	return flags & O_CREAT ? open_create(v, NULL, path, flags, mode, 0)
			       : open_existing(v, path, flags);
}

int vfs_file_flags(struct vfs *v, int fd)
{
	autofile f = NULL;
	int err = file_get(v, fd, &f);

	return err ? err : f->flags;
}
