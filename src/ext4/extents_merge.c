/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extents that have become neighbours in every respect are made one. When that leaves a tree of one
 * leaf with no more extents than the inode can hold, they go back into the inode and the leaf is
 * freed.
 */
#include "ext4/alloc.h"
#include "ext4/extents.h"

bool ext4_ext_join_following(struct ext_path *p, int at)
{
	const struct ext4_extent_header *leaf = p->step[p->depth].header;
	struct ext_run r = ext_run_at(leaf, at);
	int taken = 0;

	while (at + taken + 1 < ext_entries(leaf)) {
		struct ext_run next = ext_run_at(leaf, at + taken + 1);

		if (!ext4_ext_joinable(&r, &next))
			break;
		r.len += next.len;
		taken++;
	}
	if (!taken)
		return false;
	ext4_ext_set_entry(p, p->depth, at, ext4_ext_leaf_entry(&r));
	ext4_ext_delete_entries(p, p->depth, at + 1, taken);
	return true;
}

static bool fits_into_inode(const struct ext_path *p)
{
	return p->depth == 1 && ext_entries(p->step[0].header) == 1 &&
	       ext_entries(p->step[1].header) <= (int)EXT4_EXTENTS_IN_INODE;
}

/*
 * Freeing the leaf changes a bitmap and a descriptor more than the caller asked credits for. Where
 * there are none left in the transaction, the tree stays as it is: it is only a little larger.
 */
static void move_into_inode(struct handle *h, struct ext_path *p)
{
	struct buffer *leaf = p->step[1].buffer;
	ext4_fsblk_t block = leaf->block;

	if (h->journal && jbd2_journal_extend(h, 2))
		return;
	ext4_ext_set_root(p, 0, ext_entry_at(p->step[1].header, 0), ext_entries(p->step[1].header));
	p->step[0].at = p->step[1].at;
	p->depth = 0;
	p->step[1].buffer = NULL;
	buffer_put(leaf);
	/*
	 * A block that cannot be given back is lost, no more: the error was reported where it
	 * happened.
	 */
	ignore_result(ext4_free_blocks(h, p->inode, block, 1, FREE_METADATA | FREE_FORGET));
}

void ext4_ext_merge(struct handle *h, struct ext_path *p, int at)
{
	if (at == 0 || !ext4_ext_join_following(p, at - 1))
		(void)ext4_ext_join_following(p, at);
	if (fits_into_inode(p))
		move_into_inode(h, p);
}
