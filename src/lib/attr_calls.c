/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The public calls on attributes (calls.c has the others).
 */
#include <linux/stat.h>
#include <string.h>
#include "ext4/direct.h"
#include "ext4/format.h"
#include "lib/enter.h"

/* ---- stat */

static struct extant_time time_out(struct ext4_time t)
{
	return (struct extant_time){ t.sec, t.nsec };
}

static void stat_out(const struct extant *x, const struct ext4_attributes *a, struct extant_stat *out)
{
	*out = (struct extant_stat){
		.ino = a->ino,
		.size = a->size,
		.blocks = a->blocks,
		.mode = a->mode,
		.nlink = a->nlink,
		.uid = a->uid,
		.gid = a->gid,
		.blksize = x->vfs->fs->geo.block_size,
		.generation = a->generation,
		.flags = a->flags,
		.rdev_major = a->rdev_major,
		.rdev_minor = a->rdev_minor,
		.atime = time_out(a->atime),
		.mtime = time_out(a->mtime),
		.ctime = time_out(a->ctime),
		.btime = time_out(a->crtime),
	};
}

static int stat_path(struct extant *x, const char *path, bool follow, struct extant_stat *out)
{
	struct ext4_attributes a;
	int err = (int)ENTER(x, vfs_stat(x->vfs, path, follow, &a));

	if (!err)
		stat_out(x, &a, out);
	return err;
}

int extant_stat(struct extant *x, const char *path, struct extant_stat *out)
{
	return stat_path(x, path, true, out);
}

int extant_lstat(struct extant *x, const char *path, struct extant_stat *out)
{
	return stat_path(x, path, false, out);
}

int extant_fstat(struct extant *x, int fd, struct extant_stat *out)
{
	struct ext4_attributes a;
	int err = (int)ENTER(x, vfs_fstat(x->vfs, fd, &a));

	if (!err)
		stat_out(x, &a, out);
	return err;
}

/* As far as the caller's struct goes. */
/* What direct I/O asks of a file's reader, as Linux says it: 0 where the data goes through the log. */
static uint32_t direct_align(const struct extant *x, const struct extant_stat *st)
{
	const struct ext4_fs *fs = x->vfs->fs;
	bool logged = fs->journal && (fs->opt.data == DATA_JOURNAL || st->flags & EXT4_JOURNAL_DATA_FL);

	return logged ? 0 : EXT4_DIRECT_ALIGN;
}

static int statx_out(const struct extant *x, const struct extant_stat *st, struct extant_statx *out)
{
	const uint64_t known = STATX_ATTR_COMPRESSED | STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND |
			       STATX_ATTR_NODUMP | STATX_ATTR_ENCRYPTED | STATX_ATTR_VERITY;
	size_t size = min(out->size, sizeof(*out));
	struct extant_statx full = {
		.size = size,
		.stat = *st,
		.attributes = st->flags & known, /* their numbers are those of the flags */
		.attributes_mask = known,
		.mask = STATX_BASIC_STATS,
	};

	if (x->vfs->fs->geo.inode_size > EXT4_GOOD_OLD_INODE_SIZE)
		full.mask |= STATX_BTIME;
	if (EXT4_S_ISREG(st->mode) && size == sizeof(full)) { /* else the program does not know of it */
		full.mask |= STATX_DIOALIGN;
		full.dio_mem_align = full.dio_offset_align = direct_align(x, st);
	}
	if (size < offsetof(struct extant_statx, attributes))
		return -EINVAL;
	memcpy(out, &full, size);
	return 0;
}

int extant_statx(struct extant *x, const char *path, int flags, struct extant_statx *out)
{
	struct extant_stat st;
	int err = flags & ~EXTANT_NOFOLLOW ? -EINVAL
					   : stat_path(x, path, !(flags & EXTANT_NOFOLLOW), &st);

	return err ? err : statx_out(x, &st, out);
}

int extant_fstatx(struct extant *x, int fd, struct extant_statx *out)
{
	struct extant_stat st;
	int err = extant_fstat(x, fd, &st);

	return err ? err : statx_out(x, &st, out);
}

int extant_statfs(struct extant *x, const char *path, struct extant_statfs *out)
{
	struct ext4_statfs s;
	int err = (int)ENTER(x, vfs_statfs(x->vfs, path, &s));

	if (!err)
		*out = (struct extant_statfs){
			.block_size = s.block_size,
			.blocks = s.blocks,
			.free = s.free,
			.available = s.available,
			.files = s.files,
			.files_free = s.files_free,
			.type = EXT4_SUPER_MAGIC,
			.name_max = EXT4_NAME_LEN,
			.fsid = s.fsid,
		};
	return err;
}

/* ---- owner, mode, times */

int extant_access(struct extant *x, const char *path, int mode)
{
	return (int)ENTER(x, vfs_access(x->vfs, path, mode));
}

int extant_chmod(struct extant *x, const char *path, uint32_t mode)
{
	return (int)CHANGE(x, vfs_chmod(x->vfs, path, mode));
}

int extant_fchmod(struct extant *x, int fd, uint32_t mode)
{
	return (int)CHANGE(x, vfs_fchmod(x->vfs, fd, mode));
}

int extant_chown(struct extant *x, const char *path, uint32_t uid, uint32_t gid)
{
	return (int)CHANGE(x, vfs_chown(x->vfs, path, true, uid, gid));
}

int extant_lchown(struct extant *x, const char *path, uint32_t uid, uint32_t gid)
{
	return (int)CHANGE(x, vfs_chown(x->vfs, path, false, uid, gid));
}

int extant_fchown(struct extant *x, int fd, uint32_t uid, uint32_t gid)
{
	return (int)CHANGE(x, vfs_fchown(x->vfs, fd, uid, gid));
}

static struct ext4_time time_in(const struct extant_time *t)
{
	return t ? (struct ext4_time){ t->sec, t->nsec } : (struct ext4_time){ 0, VFS_TIME_OMIT };
}

static int utimens(struct extant *x, const char *path, bool follow, const struct extant_time *atime,
		   const struct extant_time *mtime)
{
	struct ext4_time at = time_in(atime), mt = time_in(mtime);

	return (int)CHANGE(x, vfs_utimens(x->vfs, path, follow, &at, &mt));
}

int extant_utimens(struct extant *x, const char *path, const struct extant_time *atime,
		   const struct extant_time *mtime)
{
	return utimens(x, path, true, atime, mtime);
}

int extant_lutimens(struct extant *x, const char *path, const struct extant_time *atime,
		    const struct extant_time *mtime)
{
	return utimens(x, path, false, atime, mtime);
}

int extant_futimens(struct extant *x, int fd, const struct extant_time *atime,
		    const struct extant_time *mtime)
{
	struct ext4_time at = time_in(atime), mt = time_in(mtime);

	return (int)CHANGE(x, vfs_futimens(x->vfs, fd, &at, &mt));
}

/* ---- extended attributes */

int extant_setxattr(struct extant *x, const char *path, const char *name, const void *value, size_t size,
		    int flags)
{
	return (int)CHANGE(x, vfs_setxattr(x->vfs, path, true, name, value, size, flags));
}

int extant_lsetxattr(struct extant *x, const char *path, const char *name, const void *value,
		     size_t size, int flags)
{
	return (int)CHANGE(x, vfs_setxattr(x->vfs, path, false, name, value, size, flags));
}

int extant_fsetxattr(struct extant *x, int fd, const char *name, const void *value, size_t size,
		     int flags)
{
	return (int)CHANGE(x, vfs_fsetxattr(x->vfs, fd, name, value, size, flags));
}

int extant_getxattr(struct extant *x, const char *path, const char *name, void *value, size_t size)
{
	return (int)ENTER(x, vfs_getxattr(x->vfs, path, true, name, value, size));
}

int extant_lgetxattr(struct extant *x, const char *path, const char *name, void *value, size_t size)
{
	return (int)ENTER(x, vfs_getxattr(x->vfs, path, false, name, value, size));
}

int extant_fgetxattr(struct extant *x, int fd, const char *name, void *value, size_t size)
{
	return (int)ENTER(x, vfs_fgetxattr(x->vfs, fd, name, value, size));
}

int extant_listxattr(struct extant *x, const char *path, char *list, size_t size)
{
	return (int)ENTER(x, vfs_listxattr(x->vfs, path, true, list, size));
}

int extant_llistxattr(struct extant *x, const char *path, char *list, size_t size)
{
	return (int)ENTER(x, vfs_listxattr(x->vfs, path, false, list, size));
}

int extant_flistxattr(struct extant *x, int fd, char *list, size_t size)
{
	return (int)ENTER(x, vfs_flistxattr(x->vfs, fd, list, size));
}

int extant_removexattr(struct extant *x, const char *path, const char *name)
{
	return (int)CHANGE(x, vfs_removexattr(x->vfs, path, true, name));
}

int extant_lremovexattr(struct extant *x, const char *path, const char *name)
{
	return (int)CHANGE(x, vfs_removexattr(x->vfs, path, false, name));
}

int extant_fremovexattr(struct extant *x, int fd, const char *name)
{
	return (int)CHANGE(x, vfs_fremovexattr(x->vfs, fd, name));
}

/* ---- flags */

int extant_getflags(struct extant *x, const char *path, uint32_t *flags)
{
	return (int)ENTER(x, vfs_getflags(x->vfs, path, flags));
}

int extant_fgetflags(struct extant *x, int fd, uint32_t *flags)
{
	return (int)ENTER(x, vfs_fgetflags(x->vfs, fd, flags));
}

int extant_setflags(struct extant *x, const char *path, uint32_t flags)
{
	return (int)CHANGE(x, vfs_setflags(x->vfs, path, flags));
}

int extant_fsetflags(struct extant *x, int fd, uint32_t flags)
{
	return (int)CHANGE(x, vfs_fsetflags(x->vfs, fd, flags));
}

int extant_fsgetxattr(struct extant *x, const char *path, struct extant_fsxattr *out)
{
	struct vfs_fsxattr fsx;
	int err = (int)ENTER(x, vfs_fsgetxattr(x->vfs, path, &fsx));

	if (!err)
		*out = (struct extant_fsxattr){ .xflags = fsx.xflags };
	return err;
}

int extant_fssetxattr(struct extant *x, const char *path, const struct extant_fsxattr *in)
{
	struct vfs_fsxattr fsx = { .xflags = in->xflags, .project = in->project };

	return (int)CHANGE(x, vfs_fssetxattr(x->vfs, path, &fsx));
}

int extant_setversion(struct extant *x, const char *path, uint32_t generation)
{
	return (int)CHANGE(x, vfs_setversion(x->vfs, path, generation));
}
