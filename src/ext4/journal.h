/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal of a mount (journal.c): found through its inode, opened, replayed, loaded, and the
 * questions it asks (journal_ops) answered.
 */
#ifndef EXTANT_EXT4_JOURNAL_H
#define EXTANT_EXT4_JOURNAL_H

#include "ext4/inode.h"

/* Reads its inode and its superblock. *needs_recovery: the log holds what is not in place. */
must_check int ext4_journal_open(struct ext4_fs *fs, bool *needs_recovery);
/* Replays it in place, with a message that says what was done. */
must_check int ext4_journal_replay(struct ext4_fs *fs, bool plan_only, struct jbd2_recovery *out);
/* Makes it ready for handles. */
must_check int ext4_journal_begin(struct ext4_fs *fs);
/*
 * Ends it: committed, checkpointed, empty; or, after an abort, as it is. The first error of its
 * life.
 */
int ext4_journal_end(struct ext4_fs *fs);

/* journal_map.c: the map of its file stays in memory, so that a commit needs none; and goes. */
must_check int ext4_journal_hold_map(struct ext4_fs *fs);
void ext4_journal_put_map(struct ext4_fs *fs);

#endif
