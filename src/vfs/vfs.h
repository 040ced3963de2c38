/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system-call end: names resolved, files opened, read, written. What Linux's VFS does above
 * ext4, with its results and errno (the man page of each call is the reference).
 *
 * All functions return 0 or a count, else a negative errno, and run in a task of the mount's
 * scheduler. Paths are absolute from the root of the file system; a relative one is taken from
 * there too.
 *
 *	dcache.c   the name cache    path.c   the walk    open.c   open, close, the file table
 *	rw.c       read, write, seek, sync    direct.c  O_DIRECT    dirs.c   names and listings    rename.c
 *	pages.c    pages handed out, advice    attr.c     attributes, fiemap    whole.c    the file system as a whole
 *	setattr.c  owner, mode, times    xattr.c  extended attributes    flags.c  chattr    perm.c  who may
 */
#ifndef EXTANT_VFS_H
#define EXTANT_VFS_H

#include "ext4/alloc.h"
#include "ext4/data.h"
#include "ext4/names.h"
#include "ext4/whole.h"

struct dentry;
struct dcache;
struct file_table;

struct vfs {
	struct ext4_fs *fs;
	struct dcache *dcache;
	struct file_table *files;
	struct ext4_cred
		cred; /* who acts: the owner of what is created; uid 0 is asked no permission */
	struct mutex rename_lock;	/* RANK_RENAME */
	struct page_table *pages;	/* handed out: pages.c */
};

/* Takes the mount over: vfs_unmount ends both. */
must_check int vfs_create_mount(struct ext4_fs *fs, struct vfs **out);
/*
 * -EBUSY while files are open, and then nothing has changed. Else the mount is gone, whatever the
 * error.
 */
int vfs_unmount(struct vfs *v);
/* As ext4_remount; -EBUSY: read-only, while a file is open for writing or is one without a name. */
must_check int vfs_remount(struct vfs *v, const struct ext4_options *opt);

/*
 * The current task acts for `cred` (which outlives that) from now on, and may take from the reserved blocks as that
 * user may. Without this it acts for v->cred.
 */
void vfs_act_for(struct vfs *v, const struct ext4_cred *cred);

/* ---- open files: small numbers, the lowest free first */

/*
 * Flags are open(2)'s (Linux's values): O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_DIRECTORY,
 * O_NOFOLLOW, O_SYNC, O_DSYNC, O_DIRECT, O_NOATIME, O_PATH, O_TMPFILE.
 */
int vfs_open(struct vfs *v, const char *path, int flags, uint32_t mode);
int vfs_close(struct vfs *v, int fd);
int64_t vfs_read(struct vfs *v, int fd, void *buf, size_t len);
int64_t vfs_write(struct vfs *v, int fd, const void *buf, size_t len);
int64_t vfs_pread(struct vfs *v, int fd, void *buf, size_t len, int64_t pos);
int64_t vfs_pwrite(struct vfs *v, int fd, const void *buf, size_t len, int64_t pos);
/* whence: SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE */
int64_t vfs_lseek(struct vfs *v, int fd, int64_t offset, int whence);
int vfs_fsync(struct vfs *v, int fd, bool datasync);
int vfs_sync_file_range(struct vfs *v, int fd, int64_t offset, int64_t len);
int vfs_ftruncate(struct vfs *v, int fd, int64_t size);
/* From one open file into another, or elsewhere into the same; positions are left alone. */
int64_t vfs_copy_file_range(struct vfs *v, int fd_in, int64_t from, int fd_out, int64_t to, size_t len);
/* mode: FALLOC_FL_* as in fallocate(2), with what it refuses. */
int vfs_fallocate(struct vfs *v, int fd, int mode, int64_t offset, int64_t len);
int vfs_fadvise(struct vfs *v, int fd, int64_t offset, int64_t len, int advice);
/*
 * A page of an open file, handed out {as mmap(2) of it, and the first access}: from `offset` on as
 * much of [offset, offset + len) as lies in it, which is returned; *data shows it. The file stays
 * open for it. With VFS_PAGE_WRITE it may be stored into until it is given back; write-back takes
 * what is stored then.
 */
enum { VFS_PAGE_WRITE = 1, VFS_PAGE_RANDOM = 2, VFS_PAGE_SEQUENTIAL = 4 };
struct vfs_page;
int64_t vfs_page_get(struct vfs *v, int fd, int64_t offset, size_t len, int flags, struct vfs_page **out,
		     void **data);
/* `dirty`: it was stored into. -ESTALE: and some of that was cut off or punched meanwhile. It is given back in any case. */
int vfs_page_put(struct vfs *v, struct vfs_page *p, bool dirty);
/* msync(2) of whole pages: MS_SYNC or MS_ASYNC, perhaps MS_INVALIDATE. */
int vfs_msync(struct vfs *v, int fd, int64_t offset, int64_t len, int flags);
/* The flags it was opened with, without those that only count at the opening. */
int vfs_file_flags(struct vfs *v, int fd);
/* All: syncfs. */
int vfs_sync(struct vfs *v);

/* ---- names */

int vfs_mkdir(struct vfs *v, const char *path, uint32_t mode);
/* mknod(2); a type of 0 is that of a file. Devices: major below 4096, minor below 1048576. */
int vfs_mknod(struct vfs *v, const char *path, uint32_t mode, uint32_t major, uint32_t minor);
int vfs_symlink(struct vfs *v, const char *target, const char *path);
/* `old` is not followed if it is a link. */
int vfs_link(struct vfs *v, const char *old, const char *path);
/* A name for an open file, as linkat(2) with AT_EMPTY_PATH: the first one of O_TMPFILE's. */
int vfs_flink(struct vfs *v, int fd, const char *path);
enum { VFS_RENAME_NOREPLACE = 1, VFS_RENAME_EXCHANGE = 2, VFS_RENAME_WHITEOUT = 4 };
/* renameat2(2) */
int vfs_rename(struct vfs *v, const char *old, const char *path, unsigned flags);
int vfs_unlink(struct vfs *v, const char *path);
int vfs_rmdir(struct vfs *v, const char *path);
int vfs_readlink(struct vfs *v, const char *path, char *buf, size_t size);
/* From the position of the open directory on; fn other than 0 stops before that entry is taken. */
int vfs_readdir(struct vfs *v, int fd, int (*fn)(void *arg, const struct ext4_dirent *d),
		void *arg);

/* ---- attributes */

int vfs_stat(struct vfs *v, const char *path, bool follow, struct ext4_attributes *out);
int vfs_fstat(struct vfs *v, int fd, struct ext4_attributes *out);
int vfs_access(struct vfs *v, const char *path, int mode);
int vfs_chmod(struct vfs *v, const char *path, uint32_t mode);
int vfs_truncate(struct vfs *v, const char *path, int64_t size);
int vfs_fchmod(struct vfs *v, int fd, uint32_t mode);
/* UINT32_MAX: as it is. */
int vfs_chown(struct vfs *v, const char *path, bool follow, uint32_t uid, uint32_t gid);
int vfs_fchown(struct vfs *v, int fd, uint32_t uid, uint32_t gid);
/* NULL, or nsec VFS_TIME_OMIT: as it is; nsec VFS_TIME_NOW: now. */
#define VFS_TIME_NOW	0x3fffffffu
#define VFS_TIME_OMIT	0x3ffffffeu
int vfs_utimens(struct vfs *v, const char *path, bool follow, const struct ext4_time *atime,
		const struct ext4_time *mtime);
int vfs_futimens(struct vfs *v, int fd, const struct ext4_time *atime, const struct ext4_time *mtime);
int vfs_statfs(struct vfs *v, const char *path, struct ext4_statfs *out);

/* ---- extended attributes (xattr.c); `size` 0: how long it would be */

int vfs_getxattr(struct vfs *v, const char *path, bool follow, const char *name, void *buf, size_t size);
int vfs_fgetxattr(struct vfs *v, int fd, const char *name, void *buf, size_t size);
int vfs_setxattr(struct vfs *v, const char *path, bool follow, const char *name, const void *value,
		 size_t size, int flags);
int vfs_fsetxattr(struct vfs *v, int fd, const char *name, const void *value, size_t size, int flags);
int vfs_removexattr(struct vfs *v, const char *path, bool follow, const char *name);
int vfs_fremovexattr(struct vfs *v, int fd, const char *name);
/* Names one after the other, each terminated. */
int vfs_listxattr(struct vfs *v, const char *path, bool follow, char *buf, size_t size);
int vfs_flistxattr(struct vfs *v, int fd, char *buf, size_t size);

/* ---- flags of inodes (flags.c) */

int vfs_getflags(struct vfs *v, const char *path, uint32_t *flags);
int vfs_fgetflags(struct vfs *v, int fd, uint32_t *flags);
int vfs_setflags(struct vfs *v, const char *path, uint32_t flags);
int vfs_fsetflags(struct vfs *v, int fd, uint32_t flags);
struct vfs_fsxattr {			/* FS_IOC_FSGETXATTR */
	uint32_t xflags;		/* FS_XFLAG_* */
	uint32_t extent_size, extents, project, cow_extent_size;
};
int vfs_fsgetxattr(struct vfs *v, const char *path, struct vfs_fsxattr *x);
int vfs_fssetxattr(struct vfs *v, const char *path, const struct vfs_fsxattr *x);
/* FS_IOC_SETVERSION; the generation is among the attributes. */
int vfs_setversion(struct vfs *v, const char *path, uint32_t generation);

struct vfs_extent {			/* as FS_IOC_FIEMAP has it: bytes, FIEMAP_EXTENT_* */
	uint64_t logical, physical, length;
	uint32_t flags;
};
int vfs_fiemap(struct vfs *v, int fd, int (*fn)(void *arg, const struct vfs_extent *e), void *arg);

/* ---- the whole (whole.c): root's. Changes are bracketed by ext4_begin_change, ext4_end_change. */

/* FIFREEZE, FITHAW */
int vfs_freeze(struct vfs *v);
int vfs_thaw(struct vfs *v);
/* EXT4_IOC_SHUTDOWN, EXT4_IOC_CHECKPOINT, FITRIM, FS_IOC_GETFSMAP */
int vfs_shutdown(struct vfs *v, enum ext4_shutdown how);
int vfs_checkpoint(struct vfs *v, uint32_t flags);
int vfs_fstrim(struct vfs *v, uint64_t start, uint64_t len, uint64_t least, uint64_t *trimmed);
int vfs_fsmap(struct vfs *v, uint64_t low, uint64_t high, ext4_mapping_fn fn, void *arg);
/* As ext4_set_label and ext4_set_uuid; anybody may ask. */
int vfs_getlabel(struct vfs *v, char label[EXT4_LABEL_MAX + 1]);
int vfs_setlabel(struct vfs *v, const char *label);
int vfs_getuuid(struct vfs *v, uint8_t uuid[16]);
int vfs_setuuid(struct vfs *v, const uint8_t uuid[16]);

#endif
