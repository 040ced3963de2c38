/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What chattr(1) sets, and its relatives: flags of an inode, the same as FS_IOC_FSGETXATTR has them,
 * its generation. Who may do it is asked by vfs.
 */
#ifndef EXTANT_EXT4_FLAGS_H
#define EXTANT_EXT4_FLAGS_H

#include "ext4/inode.h"

/* Of FS_IOC_GETFLAGS: the flags that programs see. */
uint32_t ext4_flags_visible(const struct inode *inode);
/* -EOPNOTSUPP, -EPERM (immutable, and stays so): these flags cannot be those of this inode. */
must_check int ext4_flags_check(const struct inode *inode, uint32_t flags);
/*
 * Of FS_IOC_SETFLAGS {ext4_ioctl_setflags}; checked. What cannot be changed stays as it is. With
 * inode->lock for writing.
 */
must_check int ext4_ioctl_setflags(struct inode *inode, uint32_t flags);

/* FS_XFLAG_* of FS_IOC_FSGETXATTR, from flags; and back: what they make of the inode's flags now. */
uint32_t ext4_xflags(const struct inode *inode);
must_check int ext4_flags_of_xflags(const struct inode *inode, uint32_t xflags, uint32_t *flags);

/* FS_IOC_SETVERSION. -ENOTTY with metadata_csum, whose seeds hang on it. */
must_check int ext4_set_generation(struct inode *inode, uint32_t generation);

#endif
