/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flags of inodes (flags.h).
 *
 * Most are only kept. Two change how the inode's data is kept, and are changed by themselves: the
 * data goes through the journal or not; the map is an extent tree or pointers, which is decided
 * anew only while the inode has no blocks.
 */
#include <string.h>
#include <linux/fs.h>
#include "base/assert.h"
#include "ext4/data.h"
#include "ext4/extents.h"
#include "ext4/flags.h"
#include "ext4/inode_internal.h"

#define KEPT \
	(EXT4_SECRM_FL | EXT4_UNRM_FL | EXT4_COMPR_FL | EXT4_SYNC_FL | EXT4_IMMUTABLE_FL | \
	 EXT4_APPEND_FL | EXT4_NODUMP_FL | EXT4_NOATIME_FL | EXT4_NOTAIL_FL | EXT4_DIRSYNC_FL | \
	 EXT4_TOPDIR_FL | EXT4_EOFBLOCKS_FL | EXT4_DAX_FL | EXT4_PROJINHERIT_FL)
#define OF_DIRS (EXT4_DIRSYNC_FL | EXT4_TOPDIR_FL | EXT4_PROJINHERIT_FL | EXT4_CASEFOLD_FL)
/* May be asked for as they are; asking for something else changes nothing. */
#define READ_ONLY \
	(EXT4_DIRTY_FL | EXT4_COMPRBLK_FL | EXT4_NOCOMPR_FL | EXT4_ENCRYPT_FL | EXT4_INDEX_FL | \
	 EXT4_VERITY_FL | EXT4_INLINE_DATA_FL)
#define VISIBLE (KEPT | READ_ONLY | EXT4_JOURNAL_DATA_FL | EXT4_EXTENTS_FL | EXT4_CASEFOLD_FL)

uint32_t ext4_flags_visible(const struct inode *inode)
{
	uint32_t flags = inode->flags & VISIBLE;

	return EXT4_S_ISREG(inode->mode) ? flags & ~EXT4_PROJINHERIT_FL : flags;
}

/* Those that this inode keeps when it is asked to. */
static uint32_t kept_by(const struct inode *inode)
{
	if (EXT4_S_ISDIR(inode->mode))
		return KEPT;
	return EXT4_S_ISREG(inode->mode) ? KEPT & ~OF_DIRS : EXT4_NODUMP_FL | EXT4_NOATIME_FL;
}

int ext4_flags_check(const struct inode *inode, uint32_t flags)
{
	uint32_t known = KEPT | READ_ONLY | EXT4_JOURNAL_DATA_FL | EXT4_EXTENTS_FL;
	uint32_t old = ext4_flags_visible(inode);

	if (inode->fs->opt.dialect == DIALECT_4_9) /* it takes away what the inode cannot keep */
		return 0;
	if (flags & ~known || (flags & OF_DIRS && !EXT4_S_ISDIR(inode->mode)))
		return -EOPNOTSUPP;
	if (old & flags & EXT4_IMMUTABLE_FL && (old ^ flags) & (KEPT & ~EXT4_IMMUTABLE_FL))
		return -EPERM;
	return 0;
}

static int set_kept(struct inode *inode, uint32_t flags)
{
	struct ext4_fs *fs = inode->fs;
	struct ext4_time now = ext4_current_time(fs);
	uint32_t kept = kept_by(inode);
	struct handle *h;
	int err = __ext4_journal_start(fs, inode->ino, "ext4_ioctl_setflags", __LINE__, HT_INODE, 1, 0,
				       &h);
	int stop;

	if (err)
		return err;
	if (fs->opt.sync || inode->flags & EXT4_SYNC_FL)
		h->sync = true;
	attr_write_begin(inode);
	inode->flags = (inode->flags & ~kept) | (flags & kept);
	inode->ctime = now;
	attr_write_end(inode);
	err = ext4_put_inode(h, inode);
	stop = ext4_journal_stop(fs, h);
	return err ? err : stop;
}

/* ---- how data is kept */

static int toggle(struct inode *inode, uint32_t flag, const char *caller)
{
	struct ext4_fs *fs = inode->fs;
	struct handle *h;
	int err = __ext4_journal_start(fs, inode->ino, caller, __LINE__, HT_INODE, 1, 0, &h), stop;

	if (err)
		return err;
	attr_write_begin(inode);
	inode->flags ^= flag;
	attr_write_end(inode);
	err = __ext4_mark_inode_dirty(h, inode, caller);
	h->sync = true;
	stop = ext4_journal_stop(fs, h);
	return err ? err : stop;
}

/*
 * Nothing of its data is on the way, in memory or in the log, when the way changes: a copy that is
 * still in the log would be replayed over data written past it.
 */
static int ext4_change_inode_journal_flag(struct inode *inode)
{
	struct ext4_fs *fs = inode->fs;
	int err;

	TRACE_SCOPE(fs, ext4_change_inode_journal_flag);
	if (!fs->journal)
		return -EOPNOTSUPP;
	err = EXT4_S_ISREG(inode->mode) ? ext4_filemap_write_and_wait(inode, 0, INT64_MAX) : 0;
	if (err)
		return err;
	guard_write(&inode->invalidate_lock);
	if (atomic_load(&inode->mapping.lent_count))
		return -EBUSY; /* the log would not know what is stored into them */
	guard(&inode->writeback_lock);
	if (inode->flags & EXT4_JOURNAL_DATA_FL) {
		jbd2_journal_lock_updates(fs->journal);
		err = jbd2_journal_flush(fs->journal);
		jbd2_journal_unlock_updates(fs->journal);
	}
	return err ? err : toggle(inode, EXT4_JOURNAL_DATA_FL, "ext4_change_inode_journal_flag");
}

/*
 * An empty map of the other kind, and the flag that says so: nobody sees one without the other. An inode that has
 * blocks, or is promised some, keeps the kind it has. map_lock held for writing.
 */
static int swap_map(struct inode *inode)
{
	if (ext4_has_mapped_blocks(inode) || inode->reserved_blocks)
		return -EOPNOTSUPP;
	if (inode->flags & EXT4_EXTENTS_FL)
		memset(inode->i_data, 0, sizeof(inode->i_data));
	else
		ext4_ext_init_root(inode);
	attr_write_begin(inode);
	inode->flags ^= EXT4_EXTENTS_FL;
	attr_write_end(inode);
	ignore_result(ext4_es_remove_extent(inode, 0, UINT32_MAX)); /* holes alone: cannot fail */
	return 0;
}

static int change_map(struct inode *inode)
{
	struct ext4_fs *fs = inode->fs;
	struct handle *h;
	int err, stop;

	if (!(fs->geo.feature_incompat & EXT4_FEATURE_INCOMPAT_EXTENTS) || !EXT4_S_ISREG(inode->mode))
		return -EOPNOTSUPP;
	/* A block map reaches less far, and a file that is larger would be damage. */
	if (inode->flags & EXT4_EXTENTS_FL && inode->size > ext4_ind_max_size(&fs->geo))
		return -EFBIG;
	err = __ext4_journal_start(fs, inode->ino, "ext4_ioctl_setflags", __LINE__, HT_INODE, 1, 0, &h);
	if (err)
		return err;
	rwlock_write(&inode->map_lock);
	err = swap_map(inode);
	rwlock_unwrite(&inode->map_lock);
	if (!err)
		err = __ext4_mark_inode_dirty(h, inode, "ext4_ioctl_setflags");
	h->sync = true;
	stop = ext4_journal_stop(fs, h);
	return err ? err : stop;
}

int ext4_ioctl_setflags(struct inode *inode, uint32_t flags)
{
	uint32_t differ = flags ^ inode->flags;
	int err;

	TRACE_SCOPE(inode->fs, ext4_ioctl_setflags);
	if (!EXT4_S_ISREG(inode->mode) && !EXT4_S_ISDIR(inode->mode))
		differ &= ~(EXT4_JOURNAL_DATA_FL | EXT4_EXTENTS_FL);
	if (flags & ~inode->flags & EXT4_EXTENTS_FL &&
	    !(inode->fs->geo.feature_incompat & EXT4_FEATURE_INCOMPAT_EXTENTS))
		return inode->fs->opt.dialect == DIALECT_4_9 ? -EOPNOTSUPP : -EINVAL;
	err = set_kept(inode, flags);
	if (!err && differ & EXT4_JOURNAL_DATA_FL)
		err = ext4_change_inode_journal_flag(inode);
	if (!err && differ & EXT4_EXTENTS_FL && EXT4_S_ISREG(inode->mode))
		err = change_map(inode);
	return err;
}

/* ---- the form of XFS */

static const struct {
	uint32_t xflag, flag;
} xflag_table[] = {
	{ FS_XFLAG_IMMUTABLE, EXT4_IMMUTABLE_FL },
	{ FS_XFLAG_APPEND, EXT4_APPEND_FL },
	{ FS_XFLAG_SYNC, EXT4_SYNC_FL },
	{ FS_XFLAG_NOATIME, EXT4_NOATIME_FL },
	{ FS_XFLAG_NODUMP, EXT4_NODUMP_FL },
	{ FS_XFLAG_PROJINHERIT, EXT4_PROJINHERIT_FL },
	{ FS_XFLAG_DAX, EXT4_DAX_FL },
};

uint32_t ext4_xflags(const struct inode *inode)
{
	uint32_t flags = ext4_flags_visible(inode), x = 0;

	for (size_t i = 0; i < array_size(xflag_table); i++)
		if (flags & xflag_table[i].flag)
			x |= xflag_table[i].xflag;
	return x;
}

int ext4_flags_of_xflags(const struct inode *inode, uint32_t xflags, uint32_t *flags)
{
	/* Of a real-time device, of extent sizes, of defragmentation: they mean nothing here. */
	uint32_t known = FS_XFLAG_REALTIME | FS_XFLAG_PREALLOC | FS_XFLAG_RTINHERIT |
			 FS_XFLAG_NOSYMLINKS | FS_XFLAG_EXTSIZE | FS_XFLAG_EXTSZINHERIT |
			 FS_XFLAG_NODEFRAG | FS_XFLAG_FILESTREAM | FS_XFLAG_COWEXTSIZE |
			 FS_XFLAG_HASATTR;
	bool is_dir = EXT4_S_ISDIR(inode->mode);

	*flags = ext4_flags_visible(inode);
	for (size_t i = 0; i < array_size(xflag_table); i++) {
		known |= xflag_table[i].xflag;
		*flags = xflags & xflag_table[i].xflag ? *flags | xflag_table[i].flag
						       : *flags & ~xflag_table[i].flag;
	}
	if (xflags & ~known)
		return -EOPNOTSUPP;
	if (xflags & (is_dir ? FS_XFLAG_EXTSIZE : FS_XFLAG_EXTSZINHERIT))
		return -EINVAL;
	return 0;
}

/* ---- generation */

int ext4_set_generation(struct inode *inode, uint32_t generation)
{
	struct ext4_fs *fs = inode->fs;
	struct ext4_time now = ext4_current_time(fs);
	struct handle *h;
	int err, stop;

	if (fs->geo.metadata_csum)
		return -ENOTTY;
	err = __ext4_journal_start(fs, inode->ino, "ext4_ioctl", __LINE__, HT_INODE, 1, 0, &h);
	if (err)
		return err;
	attr_write_begin(inode);
	inode->generation = generation;
	inode->ctime = now;
	attr_write_end(inode);
	err = ext4_put_inode(h, inode);
	stop = ext4_journal_stop(fs, h);
	return err ? err : stop;
}
