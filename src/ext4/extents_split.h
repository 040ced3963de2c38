/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cutting extents and zeroing their blocks: between extents_split.c and extents_convert.c.
 */
#ifndef EXTANT_EXT4_EXTENTS_SPLIT_H
#define EXTANT_EXT4_EXTENTS_SPLIT_H

#include "ext4/extents.h"

enum ext_split_how {
	SPLIT_PART_UNWRITTEN =
		1, /* the part stays unwritten (of an unwritten extent); else it is written */
	SPLIT_PART_VALID = 2, /* the part holds data already: never zero it */
	SPLIT_MAY_ZEROOUT = 4, /* without space for the cut, the blocks may be zeroed instead */
};

/*
 * [lblk, lblk + len) of the extent taken becomes an extent of its own. Flags as
 * ext4_ext_insert_extent; without PRE_IO the part may then merge with the neighbours. p is not good
 * afterwards.
 */
must_check int ext4_split_extent(struct handle *h, struct ext_path *p, ext4_lblk_t lblk,
				 uint32_t len, uint32_t how, uint32_t flags);
must_check int ext4_ext_zeroout(struct inode *inode, const struct ext_run *r);
/* What was zeroed is written. */
must_check int ext4_zeroout_es(struct inode *inode, const struct ext_run *r);

#endif
