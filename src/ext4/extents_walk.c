/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extent trees as wholes: made, checked, walked from end to end.
 */
#include "ext4/extents.h"
#include "ext4/verify.h"

int ext4_ext_tree_init(struct handle *h, struct inode *inode)
{
	TRACE_SCOPE(inode->fs, ext4_ext_tree_init);
	ext4_ext_init_root(inode);
	return ext4_mark_inode_dirty(h, inode);
}

int ext4_ext_check_root(struct inode *inode)
{
	struct ext4_verdict v;

	if (likely(!ext4_verify_extent_root(&inode->fs->geo, inode->i_data, &v)))
		return 0;
	return ext4_error(inode->fs, inode->ino, 0, "%s", v.reason);
}

/* What lies at or behind `lblk` in the leaf on the way. */
static int walk_leaf(const struct ext_path *p, ext4_lblk_t lblk,
		     int (*fn)(void *arg, ext4_lblk_t lblk, uint32_t len, ext4_fsblk_t pblk,
			       bool unwritten),
		     void *arg)
{
	const struct ext4_extent_header *leaf = p->step[p->depth].header;
	struct inode *inode = p->inode;
	int ret = 0;

	for (int i = 0; i < ext_entries(leaf) && !ret; i++) {
		struct ext_run r = ext_run_at(leaf, i);

		if (ext_run_end(&r) <= lblk)
			continue;
		if (!ext4_inode_block_valid(inode->fs, inode->ino, r.pblk, r.len))
			return ext4_error(inode->fs, inode->ino, r.pblk,
					  "extent at %u lies over blocks of the file system's own",
					  r.lblk);
		ret = fn(arg, r.lblk, r.len, r.pblk, r.unwritten);
	}
	return ret;
}

int ext4_ext_walk(struct inode *inode, ext4_lblk_t lblk,
		  int (*fn)(void *arg, ext4_lblk_t lblk, uint32_t len, ext4_fsblk_t pblk,
			    bool unwritten),
		  void *arg)
{
	EXT_PATH(p, inode);
	ext4_lblk_t at = lblk;
	int ret;

	guard_read(&inode->map_lock);
	do {
		ret = ext4_ext_find(&p, at, MAP_NOCACHE);
		if (!ret)
			ret = walk_leaf(&p, lblk, fn, arg);
		if (ret)
			return ret;
		at = ext4_ext_next_leaf(&p);
	} while (at != EXT_LBLK_END);
	return 0;
}
