/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the files of src/vfs. Not for others.
 */
#ifndef EXTANT_VFS_INTERNAL_H
#define EXTANT_VFS_INTERNAL_H

#include "vfs/vfs.h"

/* ---- dcache.c: names in memory */

/* What a dentry is called, and where. Constant; replaced as a whole when it is renamed. */
struct dentry_name {
	struct epoch_node retire;
	struct arena *arena;			/* NULL: it lies in the dentry that was made with it */
	struct dentry *parent;			/* of the root: itself */
	uint32_t hash;
	uint8_t len;
	char bytes[];				/* not terminated */
};

/*
 * One name in one directory; inode NULL: it is known not to be there. A dentry holds its parent and
 * its inode. Found inside an epoch without a lock; changed under the directory inode's lock, and
 * renamed under the locks of both directories.
 */
struct dentry {
	struct ext4_fs *fs;			/* constant */
	struct dentry_name *_Atomic name;	/* published; changed under the cache's lock */
	struct inode *_Atomic inode;		/* from NULL to an inode once; never back while held */
	_Atomic int32_t refs;			/* children, open files, walkers; DENTRY_DEAD: gone */
	_Atomic uint32_t state;			/* DENTRY_* */
	struct dentry *_Atomic hash_next;
	struct list lru;
	struct list children, sibling;		/* those in the table; under the cache's lock */
	struct epoch_node retire;
	size_t bytes;				/* its memory, its first name's included */
	struct dentry_name first_name;
};
#define DENTRY_HASHED		1u
#define DENTRY_REFERENCED	2u		/* used since the reclaimer last came by */

must_check int dcache_create(struct vfs *v);
/* Drops all names; nobody holds one but the root's holder. */
void dcache_destroy(struct vfs *v);
struct dentry *dcache_root(struct vfs *v);
/* Inside an epoch; not referenced. */
struct dentry *dcache_find(struct vfs *v, struct dentry *parent, const struct ext4_name *name);
/* False: it is going away. */
bool dentry_take(struct dentry *d);
void dentry_hold(struct dentry *d);
void dentry_put(struct vfs *v, struct dentry *d);
/*
 * The name with its inode (whose reference it takes over; NULL: not there), referenced. If another
 * task was quicker, that one's. Under the directory's lock. Without memory: -ENOMEM, and the
 * inode's reference is dropped.
 */
must_check int dcache_add(struct vfs *v, struct dentry *parent, const struct ext4_name *name,
			  struct inode *inode, struct dentry **out);
/* The name is there now; takes over the inode's reference. */
void dentry_set_inode(struct dentry *d, struct inode *inode);
/*
 * The name was removed. Who holds the dentry keeps it, with its inode; look-ups do not find it any
 * more. If nobody but the caller holds it, the name is known from now on not to be there.
 */
void dentry_remove(struct vfs *v, struct dentry *d);

/* A name without an inode's name in any directory (O_TMPFILE): no look-up finds it. As dcache_add. */
must_check int dcache_add_nameless(struct vfs *v, struct dentry *parent, struct inode *inode,
				   struct dentry **out);

/* Memory for a name in that directory; before the rename, which cannot fail any more when it is done. */
must_check int dentry_name_create(struct vfs *v, struct dentry *parent,
				  const struct ext4_name *name, struct dentry_name **out);
void dentry_name_destroy(struct vfs *v, struct dentry_name *name);
/*
 * `d` has that name from now on (taken over), and what is below it moves with it. `replaced`, a
 * dentry of the same name, is found no more; NULL: there is none. Both are held by the caller.
 */
void dentry_move(struct vfs *v, struct dentry *d, struct dentry_name *name,
		 struct dentry *replaced);
/* `a` gets the one name, `b` the other: each a copy of the other's (taken over). */
void dentry_exchange(struct vfs *v, struct dentry *a, struct dentry_name *name_of_a,
		     struct dentry *b, struct dentry_name *name_of_b);

/* The directory it lies in now. Inside an epoch, or when nothing can rename it. */
static inline struct dentry *dentry_parent(const struct dentry *d)
{
	return atomic_load_explicit(&((struct dentry *)d)->name, memory_order_acquire)->parent;
}
/* The same, referenced. */
struct dentry *dentry_take_parent(struct dentry *d);
/* The number of its inode. */
uint32_t dentry_parent_ino(const struct dentry *d);
/*
 * The name below `dir` through which `d` is reached, `d` itself included; NULL: by none. As above. On a
 * damaged image a directory may have two names: what counts is the inode.
 */
struct dentry *dentry_child_towards(struct dentry *dir, struct dentry *d);
/* Is the inode that of `d`, or of a directory that `d` lies in? */
bool dcache_is_above(struct vfs *v, struct dentry *d, const struct inode *inode);
/* Names below a directory that is to go: those that nobody holds, with theirs. */
void dcache_prune_children(struct vfs *v, struct dentry *d);

static inline struct inode *dentry_inode(const struct dentry *d)
{
	return atomic_load_explicit(&((struct dentry *)d)->inode, memory_order_acquire);
}

/* ---- path.c */

enum walk_flags { WALK_FOLLOW = 1 /* the last component too */, WALK_DIRECTORY = 2 };

/* The whole path: a dentry that is there, referenced. */
must_check int path_walk(struct vfs *v, const char *path, unsigned flags, struct dentry **out);
/*
 * All but the last component: the directory, referenced, and the last name (pointing into `path`,
 * or kept).
 */
struct path_last {
	struct dentry *dir;
	struct ext4_name name;
	bool slash;			/* the path ends in one: it must be a directory */
	enum { LAST_NAME, LAST_ROOT, LAST_DOT, LAST_DOTDOT } type;
	char kept[EXT4_NAME_LEN + 1];	/* the name, when it came from a link's target; cut off when too long for any */
};
must_check int path_parent(struct vfs *v, const char *path, struct path_last *out);
/* The same from that directory on (NULL: the root), when the path does not begin at the root. */
must_check int path_parent_from(struct vfs *v, struct dentry *from, const char *path,
				struct path_last *out);
/*
 * One name in a directory whose lock is held, from the cache or from disk; referenced, its inode
 * NULL when not there.
 */
must_check int path_lookup(struct vfs *v, struct dentry *dir, const struct ext4_name *name,
			   struct dentry **out);
/*
 * May names in this directory be made (victim NULL), or that one's be taken away? Sticky directories
 * keep others' names, dead ones take none.
 */
must_check int may_change_names(struct vfs *v, struct inode *dir, const struct inode *victim);
/*
 * inode found in the cache by the whole path, without a lock or a reference; inside an epoch. NULL:
 * walk.
 */
struct inode *path_peek(struct vfs *v, const char *path, bool follow);
/* What a symbolic link in a path may lead to. */
#define PATH_BYTES_MAX	4096
#define LINKS_MAX	40

/* ---- perm.c: who acts, and what he may */

enum { MAY_EXEC = 1, MAY_WRITE = 2, MAY_READ = 4 };
/* Who acts: the task's, or the mount's. */
const struct ext4_cred *vfs_cred(const struct vfs *v);
bool vfs_is_root(const struct vfs *v);
bool vfs_owner_or_root(const struct vfs *v, const struct inode *inode);
/* He may keep set-group-id on a file of that group. */
bool vfs_keeps_sgid(const struct vfs *v, uint32_t gid);
/* May he do this (MAY_*)? May read the inode's list of rights. */
must_check int vfs_permission(const struct vfs *v, struct inode *inode, int mask);
/* The same inside an epoch, without waiting; -EAGAIN: that list is not known yet. */
must_check int vfs_permission_peek(const struct vfs *v, struct inode *inode, int mask);
/* Contents are about to change: set-id bits and capabilities go. inode->lock for writing. */
must_check int vfs_remove_privs(struct vfs *v, struct inode *inode);
/* The mode without the set-id bits that do not survive a new owner. */
uint16_t vfs_stripped_mode(const struct vfs *v, const struct inode *inode);
must_check int vfs_drop_capability(struct inode *inode);

/* ---- setattr.c: fn on the inode that a path leads to, or that is open */

typedef int (*vfs_inode_fn)(struct vfs *v, struct inode *inode, void *arg);
must_check int vfs_at_path(struct vfs *v, const char *path, bool follow, vfs_inode_fn fn, void *arg);
must_check int vfs_at_fd(struct vfs *v, int fd, vfs_inode_fn fn, void *arg);

/* ---- open.c */

struct file {
	struct inode *inode;		/* referenced */
	struct dentry *dentry;		/* referenced */
	int flags;			/* O_* */
	struct mutex pos_lock;		/* RANK_FILE_POS */
	int64_t pos;
	struct ext4_dir_cursor dir_at;
	uint32_t error_seen;		/* of the mapping */
	struct ext4_readahead ra;	/* under pos_lock, or racy: hints */
	_Atomic int32_t refs;
	struct epoch_node retire;
	struct vfs *vfs;
	struct arena *arena;		/* outlives the vfs */
};

must_check int files_create(struct vfs *v);
void files_destroy(struct vfs *v);
bool files_any_open(struct vfs *v);
/* One is open for writing, or was removed and goes with its last descriptor. */
bool files_keep_writable(struct vfs *v);
/* Referenced; -EBADF. */
must_check int file_get(struct vfs *v, int fd, struct file **out);
void file_put(struct file *f);
static inline void file_put_scope(struct file **f)
{
	if (*f)
		file_put(*f);
}
#define autofile cleanup_with(file_put_scope) struct file *
/* ---- rw.c, direct.c */

/* The pages of a write, one after the other; as many bytes as were taken. inode->lock held for writing. */
must_check int64_t generic_perform_write(struct inode *inode, const uint8_t *buf, size_t len, uint64_t pos);
/* The same of a file opened with O_DIRECT; and a read, with the stamp. */
must_check int64_t vfs_direct_write(struct file *f, const void *buf, size_t len, uint64_t pos);
must_check int64_t vfs_direct_read(struct file *f, void *buf, size_t len, uint64_t pos);

/* ---- pages.c */

must_check int pages_create(struct vfs *v);
void pages_destroy(struct vfs *v);
/* Some are handed out. */
bool pages_any_out(struct vfs *v);
/* do_truncate, with the inode's lock taken here. */
must_check int truncate_inode(struct vfs *v, struct inode *inode, int64_t size, uint32_t valid);

#endif
