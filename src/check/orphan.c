/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Orphans: inodes that the next mount will delete or truncate. They are found before anything else
 * is said about inodes: through the list that begins in the superblock and goes on in i_dtime, and
 * in the blocks of the orphan file.
 */
#include <inttypes.h>
#include "check/internal.h"
#include "ext4/csum.h"

#define ORPHAN_FILE_MAX (8u << 20) /* bytes; Linux refuses a larger one */

/* Notes one; *fresh: it was not noted yet. */
static int note_orphan(struct check *c, uint32_t ino, bool *fresh)
{
	struct inode_note *n;
	int err = check_note_make(c, ino, &n);

	if (err)
		return err;
	*fresh = !(n->flags & NOTE_ORPHAN);
	n->flags |= NOTE_ORPHAN;
	c->report->orphans += *fresh;
	return 0;
}

static bool may_be_orphan(const struct check *c, uint32_t ino)
{
	return ino >= c->geo.first_ino && ino <= c->geo.inodes_count && !check_is_hidden(c, ino);
}

static int check_list(struct check *c, struct ext4_inode *raw)
{
	uint32_t ino = le32_get(c->super.s_last_orphan);

	while (ino) {
		bool fresh;
		int err;

		if (!may_be_orphan(c, ino))
			return check_say(c, AT_INODE(CHECK_ORPHAN, ino), "is on the orphan list");
		err = note_orphan(c, ino, &fresh);
		if (err)
			return err;
		if (!fresh)
			return check_say(c, AT_INODE(CHECK_ORPHAN, ino),
					 "is on the orphan list twice");
		err = check_inode_read(c, ino, raw);
		if (err)
			return err;
		ino = le32_get(raw->i_dtime);
	}
	return 0;
}

/* ---- the orphan file */

static int check_entry(struct check *c, ext4_fsblk_t block, uint32_t ino)
{
	const struct place at = AT_BLOCK(CHECK_ORPHAN, c->geo.orphan_file_inum, block);
	bool fresh;
	int err;

	if (!(c->geo.feature_ro_compat & EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT))
		return check_say(c, at, "inode %" PRIu32 " is there, but orphan_present is not set",
				 ino);
	if (!may_be_orphan(c, ino))
		return check_say(c, at, "inode %" PRIu32 " is in the orphan file", ino);
	err = note_orphan(c, ino, &fresh);
	if (!err && !fresh)
		err = check_say(c, at, "inode %" PRIu32 " is an orphan twice", ino);
	return err;
}

static int check_file_block(struct map_walk *w, ext4_fsblk_t block)
{
	struct check *c = w->c;
	const uint32_t entries =
		(uint32_t)((c->geo.block_size - sizeof(struct ext4_orphan_block_tail)) /
			   sizeof(le32));
	uint32_t seed = ext4_inode_csum_seed(&c->geo, w->ino, le32_get(w->raw->i_generation));
	struct ext4_verdict v;
	int err = check_read(c, block, c->data_block);

	if (err)
		return err;
	if (ext4_verify_orphan_block(&c->geo, seed, block, c->data_block, &v))
		return check_say(c, AT_BLOCK(CHECK_ORPHAN, w->ino, block), "%s", v.reason);
	for (uint32_t i = 0; !err && i < entries; i++) {
		uint32_t ino = le32_get(((const le32 *)c->data_block)[i]);

		if (ino)
			err = check_entry(c, block, ino);
	}
	return err;
}

static int check_file_blocks(struct map_walk *w, uint64_t lblk, ext4_fsblk_t pblk, uint32_t len,
			     bool unwritten)
{
	int err = 0;

	if (unwritten)
		return check_say(w->c, AT_BLOCK(CHECK_ORPHAN, w->ino, pblk),
				 "a block of the orphan file is not written");
	for (uint32_t i = 0; !err && i < len; i++)
		err = check_file_block(w, pblk + i);
	return err;
}

/* Its map is walked here before it is judged with all others, so the walk must limit itself. */
static int check_file(struct check *c, struct ext4_inode *raw)
{
	uint32_t ino = c->geo.orphan_file_inum;
	struct map_walk w = { .c = c, .ino = ino, .raw = raw, .blocks = check_file_blocks };
	uint64_t size;
	int err = check_inode_read(c, ino, raw);

	if (err)
		return err;
	if (!ext4_raw_is(raw, EXT4_S_IFREG) || ext4_verify_inode(&c->lenient, ino, raw, NULL))
		return check_say(c, AT_INODE(CHECK_ORPHAN, ino), "the orphan file is no file");
	size = ext4_raw_size(&c->geo, raw);
	if (size == 0 || size > ORPHAN_FILE_MAX)
		return check_say(c, AT_INODE(CHECK_ORPHAN, ino),
				 "the orphan file has %" PRIu64 " bytes", size);
	w.nodes_max = size >> c->geo.block_bits;
	return check_map(&w);
}

int check_orphans(struct check *c)
{
	struct ext4_inode *raw = arena_block_alloc(c->arena, c->geo.block_size);
	int err;

	if (!raw)
		return -ENOMEM;
	err = check_list(c, raw);
	if (!err && c->geo.orphan_file_inum)
		err = check_file(c, raw);
	arena_block_free(c->arena, raw, c->geo.block_size);
	return err;
}
