/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hash trees that grow. Not yet: a directory that needs it gets -EOPNOTSUPP, before anything of it is
 * changed.
 */
#include "ext4/dir_internal.h"

int ext4_dx_add_entry(struct handle *h, struct inode *dir, const struct ext4_name *name,
		      struct inode *inode)
{
	(void)h;
	(void)dir;
	(void)name;
	(void)inode;
	return -EOPNOTSUPP;
}

int ext4_make_indexed_dir(struct handle *h, struct inode *dir, struct buffer *first,
			  const struct ext4_name *name, struct inode *inode)
{
	(void)first;
	return ext4_dx_add_entry(h, dir, name, inode);
}
