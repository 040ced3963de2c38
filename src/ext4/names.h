/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Directories and names: dir.c (blocks, entries, readdir), dir_index.c (hash trees), namei.c (the
 * operations). All take the directory's lock held by the caller: for reading to look up and to
 * list, for writing to change.
 */
#ifndef EXTANT_EXT4_NAMES_H
#define EXTANT_EXT4_NAMES_H

#include "ext4/alloc.h"
#include "ext4/inode.h"

struct ext4_name {
	const char *bytes;		/* not terminated; 1..255 bytes, no '/', no NUL */
	size_t len;
};

/* 0 and the number, or -ENOENT. {the directory's blocks are mapped: ext4_es_lookup_extent...} */
must_check int ext4_lookup(struct inode *dir, const struct ext4_name *name, uint32_t *ino,
			   uint8_t *file_type);
must_check int ext4_create(struct inode *dir, const struct ext4_name *name, uint16_t mode,
			   const struct ext4_cred *cred, struct inode **out);
must_check int ext4_mkdir(struct inode *dir, const struct ext4_name *name, uint16_t mode,
			  const struct ext4_cred *cred, struct inode **out);
/* The inode is the caller's (referenced, locked); it is evicted with its last reference. */
must_check int ext4_unlink(struct inode *dir, const struct ext4_name *name, struct inode *inode);
must_check int ext4_rmdir(struct inode *dir, const struct ext4_name *name, struct inode *inode);
/* Another name for it; its first one, if it had none (O_TMPFILE). Its lock is held for writing. -EMLINK. */
must_check int ext4_link(struct inode *dir, const struct ext4_name *name, struct inode *inode);
struct ext4_device {
	uint32_t major, minor;		/* below 4096; below 1048576 */
};
/* `mode` with its type: S_IFREG, S_IFCHR, S_IFBLK (these two are `device`), S_IFIFO, S_IFSOCK. */
must_check int ext4_mknod(struct inode *dir, const struct ext4_name *name, uint16_t mode,
			  const struct ext4_device *device, const struct ext4_cred *cred,
			  struct inode **out);
/* A file without a name, near `dir`: an orphan. `linkable`: it may get one. */
must_check int ext4_tmpfile(struct inode *dir, uint16_t mode, bool linkable,
			    const struct ext4_cred *cred, struct inode **out);

/* One end of a rename. Directories and inodes are locked for writing. */
struct ext4_rename_end {
	struct inode *dir;
	const struct ext4_name *name;
	struct inode *inode;		/* NULL: the name is free */
};
/*
 * The inode of `old` is called `new` from now on; what was called so loses that name (a directory must
 * be empty: -ENOTEMPTY). `whiteout_of`: the old name leads to a new device 0:0 of theirs; NULL: it goes.
 */
must_check int ext4_rename(const struct ext4_rename_end *old, const struct ext4_rename_end *new,
			   const struct ext4_cred *whiteout_of);
/* Each has the other's name. */
must_check int ext4_cross_rename(const struct ext4_rename_end *old,
				 const struct ext4_rename_end *new);

/* Not longer than a block (-ENAMETOOLONG). */
must_check int ext4_symlink(struct inode *dir, const struct ext4_name *name, const char *target,
			    const struct ext4_cred *cred, struct inode **out);
/* The target of a symbolic link into `buf` (not terminated); its length. */
must_check int ext4_readlink(struct inode *inode, char *buf, size_t size);

struct ext4_dirent {
	uint64_t next;			/* the position behind it, for the next call */
	uint32_t ino;
	uint8_t type;			/* EXT4_FT_* */
	struct ext4_name name;		/* lives during the callback */
};
/*
 * Lists from position `*pos` (0: the beginning) until fn returns other than 0, in Linux's order:
 * blocks in linear directories, hash order in hash trees (positions are hashes then, and stay
 * valid). `.` and `..` are included. *pos is the entry that fn refused, or the end. 0, also when fn
 * ended it. Where names share a position (readdir.c) a refusal between them brings the first of
 * them again: who lists in pieces uses ext4_readdir_from.
 */
must_check int ext4_readdir(struct inode *dir, uint64_t *pos,
			    int (*fn)(void *arg, const struct ext4_dirent *d), void *arg);

/*
 * Positions of this directory are hashes: any number up to INT64_MAX, which is its end. Else they are
 * offsets of bytes.
 */
bool ext4_readdir_is_by_hash(const struct inode *dir);
/* Of an open directory. { .pos = p } is position p; the rest is ext4_readdir_from's. */
struct ext4_dir_cursor {
	uint64_t pos;
	uint32_t shown;			/* names at pos that were shown */
	uint64_t version;		/* of the directory, then */
};
must_check int ext4_readdir_from(struct inode *dir, struct ext4_dir_cursor *at,
				 int (*fn)(void *arg, const struct ext4_dirent *d), void *arg);

/*
 * One block of a directory, mapped, read and verified {ext4_bread -> ext4_getblk ->
 * ext4_map_blocks}.
 */
must_check int __ext4_read_dirblock(struct inode *dir, ext4_lblk_t lblk, struct buffer **out);
#define ext4_read_dirblock __ext4_read_dirblock
/* `h` NULL: no creation. *out NULL for a hole, and on error. */
must_check int ext4_getblk(struct handle *h, struct inode *inode, ext4_lblk_t lblk, bool create,
			   struct buffer **out);
must_check int ext4_bread(struct handle *h, struct inode *inode, ext4_lblk_t lblk, bool create,
			  struct buffer **out);

#endif
