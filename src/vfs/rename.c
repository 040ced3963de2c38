/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rename: the names of two directories change at once.
 *
 * Order of the locks: rename_lock, when the directories differ (then nothing else can make one lie
 * in the other meanwhile); the directory that lies above the other first, else the one of the lower
 * number; then the inodes that are called so, directories first, then by number. A directory cannot
 * come to lie in itself: on the way from the upper directory down to the other lies a name, the
 * trap, which can neither move nor be replaced.
 */
#include "base/assert.h"
#include "vfs/internal.h"

struct rename {
	struct vfs *v;
	unsigned flags;
	struct path_last old, new;
	struct dentry *trap;		/* NULL: neither directory lies in the other */
	struct dentry *from, *to;	/* referenced, once looked up */
	struct inode *replaced;		/* referenced: to be let go when no lock is held */
};

/* ---- the directories */

static void lock_two(struct inode *first, struct inode *second)
{
	rwlock_write(&first->lock);
	rwlock_write_equal(&second->lock);
}

static void lock_directories(struct rename *r)
{
	struct inode *old = dentry_inode(r->old.dir), *new = dentry_inode(r->new.dir);

	if (old == new) {
		rwlock_write(&old->lock);
		return;
	}
	mutex_lock(&r->v->rename_lock);
	r->trap = dentry_child_towards(r->new.dir, r->old.dir);
	if (r->trap) {
		lock_two(new, old);
		return;
	}
	r->trap = dentry_child_towards(r->old.dir, r->new.dir);
	if (r->trap || old->ino < new->ino)
		lock_two(old, new);
	else
		lock_two(new, old);
}

static void unlock_directories(struct rename *r)
{
	struct inode *old = dentry_inode(r->old.dir), *new = dentry_inode(r->new.dir);

	rwlock_unwrite(&old->lock);
	if (old == new)
		return;
	rwlock_unwrite(&new->lock);
	mutex_unlock(&r->v->rename_lock);
}

/* ---- the inodes; they are two, or `to` is free */

static bool comes_first(const struct inode *a, const struct inode *b)
{
	bool a_is_dir = EXT4_S_ISDIR(a->mode), b_is_dir = EXT4_S_ISDIR(b->mode);

	return a_is_dir != b_is_dir ? a_is_dir : a->ino < b->ino;
}

static void lock_inodes(struct inode *from, struct inode *to)
{
	if (!to || comes_first(from, to))
		rwlock_write_equal(&from->lock);
	if (to)
		rwlock_write_equal(&to->lock);
	if (to && !comes_first(from, to))
		rwlock_write_equal(&from->lock);
}

static void unlock_inodes(struct inode *from, struct inode *to)
{
	rwlock_unwrite(&from->lock);
	if (to)
		rwlock_unwrite(&to->lock);
}

/* ---- may it be? */

static bool is_dir(const struct dentry *d)
{
	return dentry_inode(d) && EXT4_S_ISDIR(dentry_inode(d)->mode);
}

static bool is_trap(const struct rename *r, const struct dentry *d)
{
	return r->trap && dentry_inode(d) == dentry_inode(r->trap);
}

/* What the two names are, against the flags and the slashes behind them, in Linux's order. */
static int check_kinds(const struct rename *r)
{
	bool exchange = r->flags & VFS_RENAME_EXCHANGE;

	if (r->flags & VFS_RENAME_NOREPLACE && dentry_inode(r->to))
		return -EEXIST;
	if (exchange && !dentry_inode(r->to))
		return -ENOENT;
	if (exchange && !is_dir(r->to) && r->new.slash)
		return -ENOTDIR;
	if (!is_dir(r->from) && (r->old.slash || (!exchange && r->new.slash)))
		return -ENOTDIR;
	if (is_trap(r, r->from))
		return -EINVAL;
	if (is_trap(r, r->to))
		return exchange ? -EINVAL : -ENOTEMPTY;
	return 0;
}

/* An inode's name goes to another directory: its `..` changes. */
static int may_move(const struct rename *r, const struct dentry *d)
{
	return r->old.dir != r->new.dir && is_dir(d)
		       ? vfs_permission(r->v, dentry_inode(d), MAY_WRITE) : 0;
}

static int check_permissions(const struct rename *r)
{
	struct inode *old_dir = dentry_inode(r->old.dir), *new_dir = dentry_inode(r->new.dir);
	bool exchange = r->flags & VFS_RENAME_EXCHANGE;
	int err = may_change_names(r->v, old_dir, dentry_inode(r->from));

	if (!err)
		err = may_change_names(r->v, new_dir, dentry_inode(r->to));
	if (err)
		return err;
	if (!exchange && dentry_inode(r->to) && is_dir(r->from) != is_dir(r->to))
		return is_dir(r->from) ? -ENOTDIR : -EISDIR;
	err = may_move(r, r->from);
	if (!err && exchange)
		err = may_move(r, r->to);
	if (!err && r->flags & VFS_RENAME_WHITEOUT && r->v->fs->opt.dialect == DIALECT_4_9 &&
	    !vfs_is_root(r->v))
		err = -EPERM; /* a device, which was root's to make */
	return err;
}

/* A damaged image: a name leads back to a directory that leads to it. */
static int check_loops(const struct rename *r, const struct inode *inode)
{
	const struct inode *old = dentry_inode(r->old.dir), *new = dentry_inode(r->new.dir);

	if (inode != old && inode != new)
		return 0;
	return ext4_error(r->v->fs, inode->ino, 0, "the directory lies in itself");
}

/* ---- and is */

static struct ext4_rename_end end_of(const struct path_last *last, const struct dentry *d)
{
	return (struct ext4_rename_end){ dentry_inode(last->dir), &last->name, dentry_inode(d) };
}

static int change_disk(const struct rename *r)
{
	struct ext4_rename_end old = end_of(&r->old, r->from), new = end_of(&r->new, r->to);
	int err;

	TRACE_SCOPE(r->v->fs, vfs_rename, ext4_rename2);
	lock_inodes(old.inode, new.inode);
	err = r->flags & VFS_RENAME_EXCHANGE
		      ? ext4_cross_rename(&old, &new)
		      : ext4_rename(&old, &new, r->flags & VFS_RENAME_WHITEOUT ? vfs_cred(r->v) : NULL);
	unlock_inodes(old.inode, new.inode);
	return err;
}

static int exchange(struct rename *r, struct dentry_name *new_name)
{
	struct dentry_name *old_name;
	int err = dentry_name_create(r->v, r->old.dir, &r->old.name, &old_name);

	if (err)
		return err;
	err = change_disk(r);
	if (err)
		dentry_name_destroy(r->v, old_name);
	else
		dentry_exchange(r->v, r->from, new_name, r->to, old_name);
	return err;
}

static int move(struct rename *r, struct dentry_name *new_name)
{
	int err;

	if (is_dir(r->to))
		dcache_prune_children(r->v, r->to);
	err = change_disk(r);
	if (err)
		return err;
	if (dentry_inode(r->to))
		r->replaced = ext4_ihold(dentry_inode(r->to));
	dentry_move(r->v, r->from, new_name, r->to);
	return 0;
}

/* Memory comes first: when the disk has changed, the names in memory must follow. */
static int change_both(struct rename *r)
{
	struct dentry_name *name;
	int err = dentry_name_create(r->v, r->new.dir, &r->new.name, &name);

	if (err)
		return err;
	err = r->flags & VFS_RENAME_EXCHANGE ? exchange(r, name) : move(r, name);
	if (err)
		dentry_name_destroy(r->v, name);
	return err;
}

/* Both are called so, in locked directories. */
static int rename_found(struct rename *r)
{
	struct inode *from = dentry_inode(r->from), *to = dentry_inode(r->to);
	int err = check_kinds(r);

	if (err || from == to)
		return err;
	err = check_permissions(r);
	if (!err)
		err = check_loops(r, from);
	if (!err && to)
		err = check_loops(r, to);
	return err ? err : change_both(r);
}

static int rename_locked(struct rename *r)
{
	int err = path_lookup(r->v, r->old.dir, &r->old.name, &r->from);

	if (!err && !dentry_inode(r->from))
		err = -ENOENT;
	if (!err)
		err = path_lookup(r->v, r->new.dir, &r->new.name, &r->to);
	if (!err)
		err = rename_found(r);
	if (r->to)
		dentry_put(r->v, r->to);
	if (r->from)
		dentry_put(r->v, r->from);
	return err;
}

/* Both directories are held. */
static int rename_between(struct rename *r)
{
	int err;

	if (r->old.type != LAST_NAME)
		return -EBUSY;
	if (r->new.type != LAST_NAME)
		return r->flags & VFS_RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	if (ext4_writable(r->v->fs))
		return ext4_writable(r->v->fs);
	lock_directories(r);
	err = rename_locked(r);
	unlock_directories(r);
	if (r->replaced)
		ext4_iput(r->replaced);
	return err;
}

int vfs_rename(struct vfs *v, const char *old, const char *path, unsigned flags)
{
	const unsigned others = VFS_RENAME_NOREPLACE | VFS_RENAME_WHITEOUT;
	struct rename r = { .v = v, .flags = flags };
	int err;

	TRACE_SCOPE(v->fs, sys_renameat2);
	if (flags & ~(others | VFS_RENAME_EXCHANGE) ||
	    (flags & VFS_RENAME_EXCHANGE && flags & others))
		return -EINVAL;
	budget_throttle(v->fs->budget);
	err = path_parent(v, old, &r.old);
	if (err)
		return err;
	err = path_parent(v, path, &r.new);
	if (!err) {
		err = rename_between(&r);
		dentry_put(v, r.new.dir);
	}
	dentry_put(v, r.old.dir);
	return err;
}
