/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extant: ext4 with its journal, in your process.
 *
 *	struct extant *x;
 *	int err = extant_mount("disk.img", NULL, &x);
 *	int fd = extant_open(x, "/hello", O_CREAT | O_WRONLY, 0644);
 *	extant_write(x, fd, "hello\n", 6);
 *	extant_fsync(x, fd);
 *	extant_close(x, fd);
 *	extant_unmount(x);
 *
 * Caveats first
 *
 * - Results are 0 or a count, else a negative errno, as Linux's ext4 gives it (the man page of the call of
 *   that name); errno itself is not touched. -EUCLEAN: the image is damaged; -EBADMSG: a checksum is wrong.
 * - Descriptors, offsets and flags are the mount's own: open(2)'s O_ values, but not the process's numbers.
 * - A mount holds its image alone (locked against other programs); everything belongs to the mount and ends
 *   with extant_unmount, which refuses while files are open.
 * - Any number of threads may call at once on one mount, with mode EXTANT_THREADED. With the other modes one
 *   thread at a time may be inside.
 * - Nothing is printed: messages go to your callback, or nowhere.
 * - Data is safe when extant_fsync, extant_sync or a write on a file opened with O_SYNC has returned 0; else
 *   it follows within seconds, as on Linux.
 *
 * Versions: the interface only grows. Structs of options begin with their size, so that a program built
 * against an older header runs with a newer library.
 */
#ifndef EXTANT_EXTANT_H
#define EXTANT_EXTANT_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define EXTANT_API __attribute__((visibility("default")))
#else
#define EXTANT_API
#endif

#define EXTANT_VERSION_MAJOR 0
#define EXTANT_VERSION_MINOR 1
/* "0.1.0" */
EXTANT_API const char *extant_version(void);

/* A mounted file system. */
struct extant;

/* ---- mounting */

enum extant_mode {
	EXTANT_THREADED,		/* background tasks are threads; any thread may call */
	EXTANT_INLINE,			/* no threads: background work runs in the calling thread, in the same order each time */
	EXTANT_SEEDED,			/* as inline, the next task drawn from `seed`: interleavings that repeat */
};

enum extant_level { EXTANT_ERROR, EXTANT_WARNING, EXTANT_INFO };

struct extant_options {
	size_t size;			/* sizeof(struct extant_options) */
	/*
	 * mount(8)'s options for ext4, separated by commas: "ro", "data=journal", "commit=30", ...; and
	 * cache_mb=N, dialect=4.9|6.18, offset=BYTES, partition=N, sb=N. NULL: none.
	 */
	const char *mount_options;
	enum extant_mode mode;
	uint64_t seed;			/* of the scheduler and of random numbers; 0: from the system */
	int64_t virtual_time_ns;	/* inline, seeded: the clock stands there until extant_sleep; 0: the machine's clock */
	int64_t clock_tick_ns;		/* stamps move in steps of it; 0: not */
	const char *mount_point;	/* remembered in the superblock, as Linux does; NULL: not */
	/* Messages, one line each, from whatever task. NULL: dropped. */
	void (*message)(void *arg, enum extant_level level, const char *text);
	/*
	 * An assertion of the library has failed. It may return: then the mount is dead, every call on it answers
	 * -EIO and nothing is written any more. NULL: the process stops.
	 */
	void (*assertion_failed)(void *arg, const char *text);
	void *arg;			/* of both */
	uint32_t uid, gid, umask;	/* who acts: owner of what is created; uid 0 is asked no permission */
};

/* All fields at their defaults, `size` set. */
EXTANT_API void extant_options_init(struct extant_options *opt);

/*
 * Mounts an image file or block device. `opt` NULL: defaults. -EBUSY: something else has it open for writing
 * or mounted; -EINVAL: no ext4, or an option that is not known; -EOPNOTSUPP: a feature that this version does
 * not know; -EUCLEAN, -EBADMSG: damaged. In each of these cases the image is unchanged and the reason has
 * gone to the message callback.
 */
EXTANT_API int extant_mount(const char *image, const struct extant_options *opt, struct extant **out);

/* Writes everything and ends the mount, whatever it returns: the first error. -EBUSY: files are open, pages are out, or it is frozen; the mount goes on. */
EXTANT_API int extant_unmount(struct extant *x);

/* New options for a mount; those that cannot change are refused (-EINVAL). */
EXTANT_API int extant_remount(struct extant *x, const char *mount_options);

/* ---- the file system as a whole: -EPERM unless uid is 0 */

/*
 * Waits until calls under way that change something have ended, writes everything and empties the
 * journal: until extant_thaw the image is as after an unmount, and a copy of it can be mounted
 * anywhere. Meanwhile reading goes on, and who changes something waits (inline and seeded, where
 * nobody could thaw it: -EDEADLK). -EBUSY: it is frozen, and so is a remount or an unmount then; or
 * pages are out to be stored into (extant_page_get).
 */
EXTANT_API int extant_freeze(struct extant *x);
EXTANT_API int extant_thaw(struct extant *x);

enum extant_shutdown { EXTANT_SHUTDOWN_DEFAULT, EXTANT_SHUTDOWN_LOGFLUSH, EXTANT_SHUTDOWN_NOLOGFLUSH };
/*
 * EXT4_IOC_SHUTDOWN: from now on -EIO. First everything is written (DEFAULT), or the running
 * transaction is committed (LOGFLUSH), or nothing is done (NOLOGFLUSH: a test's power cut).
 */
EXTANT_API int extant_shutdown(struct extant *x, enum extant_shutdown how);

/*
 * FITRIM: gives free space to the device back, where at least `least` bytes are free in a row within
 * [start, start + len); of an image file it becomes a hole. `trimmed`: how many bytes.
 */
EXTANT_API int extant_fstrim(struct extant *x, uint64_t start, uint64_t len, uint64_t least,
			     uint64_t *trimmed);

/* EXT4_IOC_CHECKPOINT: the journal is emptied, and its blocks discarded (1) or zeroed (2); 4: only asked whether. */
EXTANT_API int extant_checkpoint(struct extant *x, uint32_t flags);

struct extant_mapping {			/* FS_IOC_GETFSMAP: bytes, owners and flags as there */
	uint64_t physical, length, owner;
	uint32_t flags;
};
/* What lies in [low, high], in order, until fn returns other than 0. */
EXTANT_API int extant_fsmap(struct extant *x, uint64_t low, uint64_t high,
			    int (*fn)(void *arg, const struct extant_mapping *m), void *arg);

#define EXTANT_LABEL_MAX 16
/* FS_IOC_GETFSLABEL, FS_IOC_SETFSLABEL: terminated; -EINVAL: it is longer. Anybody may ask. */
EXTANT_API int extant_getlabel(struct extant *x, char label[EXTANT_LABEL_MAX + 1]);
EXTANT_API int extant_setlabel(struct extant *x, const char *label);
/* EXT4_IOC_GETFSUUID, EXT4_IOC_SETFSUUID. -EOPNOTSUPP: checksums begin with it (without metadata_csum_seed). */
EXTANT_API int extant_getuuid(struct extant *x, uint8_t uuid[16]);
EXTANT_API int extant_setuuid(struct extant *x, const uint8_t uuid[16]);

/* ---- files (open(2), read(2), ...) */

/*
 * With O_DIRECT, reads and writes go between your memory and the device, past the cache. As on Linux, offset and length are
 * multiples of 512 bytes, or the call answers -EINVAL (not where nothing is transferred: a hole, or past the end). Your
 * buffer may lie at any address, since no hardware fetches from it; dialect=4.9 wants it at a multiple of 512, as that
 * kernel does. Where ext4 cannot write directly (holes of files without extents, data=journal) the data goes through
 * the cache and is written before the call returns (data=journal: logged with the next commit). What was written this
 * way is on the device, not yet safe: for that there are extant_fsync and O_DSYNC, as ever. -EINVAL for a directory.
 */
EXTANT_API int extant_open(struct extant *x, const char *path, int flags, uint32_t mode);
EXTANT_API int extant_close(struct extant *x, int fd);
EXTANT_API int64_t extant_read(struct extant *x, int fd, void *buf, size_t len);
EXTANT_API int64_t extant_write(struct extant *x, int fd, const void *buf, size_t len);
EXTANT_API int64_t extant_pread(struct extant *x, int fd, void *buf, size_t len, int64_t offset);
EXTANT_API int64_t extant_pwrite(struct extant *x, int fd, const void *buf, size_t len, int64_t offset);
/* SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE */
EXTANT_API int64_t extant_lseek(struct extant *x, int fd, int64_t offset, int whence);
EXTANT_API int extant_fsync(struct extant *x, int fd);
EXTANT_API int extant_fdatasync(struct extant *x, int fd);
EXTANT_API int extant_sync_file_range(struct extant *x, int fd, int64_t offset, int64_t len);
EXTANT_API int extant_ftruncate(struct extant *x, int fd, int64_t size);
/* As copy_file_range(2) with both offsets given; the bytes copied, which may be fewer. */
EXTANT_API int64_t extant_copy_file_range(struct extant *x, int fd_in, int64_t from, int fd_out, int64_t to, size_t len);
/* As fallocate(2): mode 0, or FALLOC_FL_KEEP_SIZE, _PUNCH_HOLE, _ZERO_RANGE, _COLLAPSE_RANGE, _INSERT_RANGE. */
EXTANT_API int extant_fallocate(struct extant *x, int fd, int mode, int64_t offset, int64_t len);
/*
 * As posix_fadvise(2): POSIX_FADV_NORMAL, _SEQUENTIAL (twice as much is read ahead), _RANDOM (nothing is), _WILLNEED
 * (up to 2 MiB are read now), _DONTNEED (what is dirty begins to be written, clean pages leave the cache), _NOREUSE.
 */
EXTANT_API int extant_fadvise(struct extant *x, int fd, int64_t offset, int64_t len, int advice);
/* The flags of an open file, as fcntl(F_GETFL) tells them. */
EXTANT_API int extant_file_flags(struct extant *x, int fd);
/* syncfs(2) */
EXTANT_API int extant_sync(struct extant *x);

/* ---- pages of files: what mmap(2), an access and munmap(2) are for a process

	void *data;
	int64_t n = extant_page_get(x, fd, 8192, 100, EXTANT_PAGE_WRITE, &page, &data);
	if (n > 0) {
		memcpy(data, bytes, n);
		err = extant_page_put(x, page, true);
	}

 * A page handed out is the cache's own: everybody who has it, and everybody who reads or writes the file, meets in the
 * same bytes. It stays where it is until it is given back, also when its descriptor is closed or the file unlinked; until
 * then extant_unmount refuses. Its memory is the library's: do not touch it afterwards, nor beyond the bytes you got.
 *
 * What becomes of stores
 *
 * - Nobody sees a store, so a page that is out to be stored into counts as dirty all the time: each write-back, fsync and
 *   msync takes its bytes as they are then, and it stays dirty for the next one. So what was stored before a
 *   call of extant_msync or extant_fsync began is stable when it returns 0, whether the page is out or given back; what
 *   is stored beside it is in it or in the next one, some bytes perhaps in each. No store is lost by being late.
 * - extant_page_put(dirty) says that it was stored into, and the file's times move, as they did when it was handed out.
 *   Not dirty: nothing was stored. A page that had its blocks before is then not written for that.
 * - A truncation, a hole, or blocks shifted take the page, or the blocks they concern, out of the file. Who has it keeps
 *   the memory; what he stores there is lost, as he learns when he gives it back: -ESTALE.
 * - A write with O_DIRECT to a page that is out goes through the cache, so that both see it. A page handed out while such a
 *   write is under way may show, and keep, what was there before: as on Linux, who does both puts them in order.
 * - Behind the end of the file a page may be looked at and stored into, but that is not the file's.
 * - data=journal, and files with that flag: what you store into is a copy of the bytes asked for. It is written as by
 *   extant_pwrite, whole, by extant_msync and when it is given back dirty; until then the file has the old bytes.
 *
 * Threads: any may call, and give back what another got. Two who store into the same bytes, or look at bytes that
 * another stores into, see what two processes with shared mappings see: that is theirs to order.
 */

#define EXTANT_PAGE_WRITE	1	/* to be stored into: the file is open for reading and writing */
#define EXTANT_PAGE_RANDOM	2	/* madvise(2)'s advice: only this page is read, */
#define EXTANT_PAGE_SEQUENTIAL	4	/* or it and those behind it; else some around it */
struct extant_page;
/* Bytes of a page; pages begin at multiples of it. The larger of 4096 and the block. */
EXTANT_API uint32_t extant_page_size(struct extant *x);
/*
 * The page in which the byte at `offset` lies: *data shows it from there on, and the result says how many of the `len`
 * bytes lie in the page. To store into it, blocks are given to it, or promised, as a write would, but the size stays.
 * -EACCES: the file is not open for that, or append-only; -ENODEV: no file; -EFAULT: the file ends before the
 * page; -ENOSPC, -EDQUOT; -EPERM: immutable; -EROFS; -ENOMEM: also when a quarter of cache_mb is out, or a sixteenth
 * of it to be stored into; -EIO. Times: read, and with EXTANT_PAGE_WRITE changed.
 */
EXTANT_API int64_t extant_page_get(struct extant *x, int fd, int64_t offset, size_t len, int flags,
				   struct extant_page **page, void **data);
/* Given back it is, whatever it returns. -ESTALE: see above; -EROFS, -EIO: what was stored cannot be written any more. */
EXTANT_API int extant_page_put(struct extant *x, struct extant_page *page, bool dirty);
/*
 * msync(2), of the pages that the bytes lie in. MS_SYNC: written and stable, with what leads to them, as by
 * extant_fdatasync; MS_ASYNC: nothing is waited for, and as dirty pages are written within seconds, nothing is done;
 * MS_INVALIDATE besides: nothing either, all see the same bytes.
 */
EXTANT_API int extant_msync(struct extant *x, int fd, int64_t offset, int64_t len, int flags);

/* ---- names */

EXTANT_API int extant_mkdir(struct extant *x, const char *path, uint32_t mode);
EXTANT_API int extant_rmdir(struct extant *x, const char *path);
EXTANT_API int extant_unlink(struct extant *x, const char *path);
/* mknod(2): a FIFO, a socket, a device, or a file (type 0 too). Major below 4096, minor below 1048576. */
EXTANT_API int extant_mknod(struct extant *x, const char *path, uint32_t mode, uint32_t major, uint32_t minor);
EXTANT_API int extant_symlink(struct extant *x, const char *target, const char *path);
/* Another name for a file; a symbolic link itself, not what it leads to. */
EXTANT_API int extant_link(struct extant *x, const char *old_path, const char *path);
/* A name for an open file: one made with O_TMPFILE (and not O_EXCL), or one that has a name already. */
EXTANT_API int extant_flink(struct extant *x, int fd, const char *path);

#define EXTANT_RENAME_NOREPLACE	1u	/* -EEXIST, if the new name is there */
#define EXTANT_RENAME_EXCHANGE	2u	/* both are there, and each gets the other's name */
#define EXTANT_RENAME_WHITEOUT	4u	/* the old name is left to a device 0:0, as overlays want it */
/* renameat2(2). After a crash there is the old name or the new one. */
EXTANT_API int extant_rename(struct extant *x, const char *old_path, const char *path, unsigned flags);
/* Not terminated; its length. */
EXTANT_API int extant_readlink(struct extant *x, const char *path, char *buf, size_t size);

struct extant_dirent {
	uint64_t next;			/* position behind it, for extant_lseek */
	uint32_t ino;
	uint8_t type;			/* DT_* of <dirent.h> */
	const char *name;		/* terminated; lives during the callback */
};
/*
 * Entries of an open directory from its position on, `.` and `..` among them, until the end or until fn returns
 * other than 0: that entry comes again next time.
 */
EXTANT_API int extant_readdir(struct extant *x, int fd, int (*fn)(void *arg, const struct extant_dirent *d), void *arg);

/* ---- attributes */

struct extant_time {
	int64_t sec;
	uint32_t nsec;
};
struct extant_stat {			/* stat(2) */
	uint64_t ino, size;
	uint64_t blocks;		/* of 512 bytes, those of delayed writes included */
	uint32_t mode, nlink, uid, gid, blksize, generation;
	uint32_t flags;			/* chattr's FS_*_FL */
	uint32_t rdev_major, rdev_minor;
	struct extant_time atime, mtime, ctime, btime;
};
EXTANT_API int extant_stat(struct extant *x, const char *path, struct extant_stat *out);
EXTANT_API int extant_lstat(struct extant *x, const char *path, struct extant_stat *out);
EXTANT_API int extant_fstat(struct extant *x, int fd, struct extant_stat *out);

struct extant_statx {			/* statx(2) */
	size_t size;			/* sizeof(struct extant_statx): set it before the call */
	struct extant_stat stat;	/* all of it; blksize, times with the birth */
	uint64_t attributes;		/* STATX_ATTR_* */
	uint64_t attributes_mask;	/* those that there can be */
	uint32_t mask;			/* STATX_*: what is filled in */
	uint32_t dio_mem_align;		/* STATX_DIOALIGN, of files: what suits O_DIRECT; 0: that goes through the cache */
	uint32_t dio_offset_align;
};
#define EXTANT_NOFOLLOW 1		/* a link at the end is looked at itself */
EXTANT_API int extant_statx(struct extant *x, const char *path, int flags, struct extant_statx *out);
EXTANT_API int extant_fstatx(struct extant *x, int fd, struct extant_statx *out);

EXTANT_API int extant_access(struct extant *x, const char *path, int mode);
EXTANT_API int extant_chmod(struct extant *x, const char *path, uint32_t mode);
EXTANT_API int extant_fchmod(struct extant *x, int fd, uint32_t mode);
/* UINT32_MAX: as it is. */
EXTANT_API int extant_chown(struct extant *x, const char *path, uint32_t uid, uint32_t gid);
EXTANT_API int extant_lchown(struct extant *x, const char *path, uint32_t uid, uint32_t gid);
EXTANT_API int extant_fchown(struct extant *x, int fd, uint32_t uid, uint32_t gid);
/* As nsec: the time of now, or as it is. NULL instead of a time: as it is. */
#define EXTANT_TIME_NOW		0x3fffffffu
#define EXTANT_TIME_OMIT	0x3ffffffeu
EXTANT_API int extant_utimens(struct extant *x, const char *path, const struct extant_time *atime,
			      const struct extant_time *mtime);
EXTANT_API int extant_lutimens(struct extant *x, const char *path, const struct extant_time *atime,
			       const struct extant_time *mtime);
EXTANT_API int extant_futimens(struct extant *x, int fd, const struct extant_time *atime,
			       const struct extant_time *mtime);
EXTANT_API int extant_truncate(struct extant *x, const char *path, int64_t size);

struct extant_statfs {
	uint32_t block_size;
	uint64_t blocks, free, available, files, files_free;
	uint32_t type, name_max;	/* 0xEF53, 255 */
	uint64_t fsid;			/* f_fsid: made of the UUID; the first word is the lower one */
};
EXTANT_API int extant_statfs(struct extant *x, const char *path, struct extant_statfs *out);

/* ---- extended attributes (xattr(7)): user., trusted., security., system.posix_acl_access and _default */

enum { EXTANT_XATTR_CREATE = 1, EXTANT_XATTR_REPLACE = 2 };
EXTANT_API int extant_setxattr(struct extant *x, const char *path, const char *name, const void *value, size_t size,
			       int flags);
EXTANT_API int extant_lsetxattr(struct extant *x, const char *path, const char *name, const void *value, size_t size,
				int flags);
EXTANT_API int extant_fsetxattr(struct extant *x, int fd, const char *name, const void *value, size_t size, int flags);
/* The length; `size` 0: nothing is copied. */
EXTANT_API int extant_getxattr(struct extant *x, const char *path, const char *name, void *value, size_t size);
EXTANT_API int extant_lgetxattr(struct extant *x, const char *path, const char *name, void *value, size_t size);
EXTANT_API int extant_fgetxattr(struct extant *x, int fd, const char *name, void *value, size_t size);
/* Names one after the other, each terminated. The length; `size` 0: nothing is copied. */
EXTANT_API int extant_listxattr(struct extant *x, const char *path, char *list, size_t size);
EXTANT_API int extant_llistxattr(struct extant *x, const char *path, char *list, size_t size);
EXTANT_API int extant_flistxattr(struct extant *x, int fd, char *list, size_t size);
EXTANT_API int extant_removexattr(struct extant *x, const char *path, const char *name);
EXTANT_API int extant_lremovexattr(struct extant *x, const char *path, const char *name);
EXTANT_API int extant_fremovexattr(struct extant *x, int fd, const char *name);

/* ---- flags of files: chattr(1)'s FS_*_FL (FS_IOC_GETFLAGS, FS_IOC_SETFLAGS) */

EXTANT_API int extant_getflags(struct extant *x, const char *path, uint32_t *flags);
EXTANT_API int extant_fgetflags(struct extant *x, int fd, uint32_t *flags);
EXTANT_API int extant_setflags(struct extant *x, const char *path, uint32_t flags);
EXTANT_API int extant_fsetflags(struct extant *x, int fd, uint32_t flags);
struct extant_fsxattr {			/* FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR */
	uint32_t xflags;		/* FS_XFLAG_* */
	uint32_t extent_size, extents, project, cow_extent_size; /* 0 here */
};
EXTANT_API int extant_fsgetxattr(struct extant *x, const char *path, struct extant_fsxattr *out);
EXTANT_API int extant_fssetxattr(struct extant *x, const char *path, const struct extant_fsxattr *in);
/* FS_IOC_SETVERSION: the generation. -ENOTTY with metadata_csum. */
EXTANT_API int extant_setversion(struct extant *x, const char *path, uint32_t generation);

/* ---- for whom a call is made */

struct extant_identity {
	uint32_t uid, gid, umask;
	const uint32_t *groups;		/* further ones */
	size_t group_count;
};
/*
 * The same mount for somebody else: each call on *out acts with this identity, until extant_as_end, which comes before
 * extant_unmount (-EBUSY else). Descriptors are those of the mount.
 */
EXTANT_API int extant_as(struct extant *x, const struct extant_identity *who, struct extant **out);
EXTANT_API void extant_as_end(struct extant *x);

/* ---- where the blocks lie */

struct extant_extent {			/* FS_IOC_FIEMAP: bytes, FIEMAP_EXTENT_* */
	uint64_t logical, physical, length;
	uint32_t flags;
};
EXTANT_API int extant_fiemap(struct extant *x, int fd, int (*fn)(void *arg, const struct extant_extent *e), void *arg);

/* ---- time: inline and seeded mounts with a virtual clock */

/* Lets time pass; what is due in it (commits, write-back) runs. With the machine's clock, it sleeps. */
EXTANT_API int extant_sleep(struct extant *x, int64_t ns);

#ifdef __cplusplus
}
#endif
#endif
