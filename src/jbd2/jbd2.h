/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal: it makes groups of block changes atomic. It knows no ext4; what it must ask (where a log
 * block lies, where a file's ordered data is written) it asks its user through journal_ops.
 *
 *	handle        one operation's share of a transaction: credits for the blocks it may dirty
 *	transaction   RUNNING -> LOCKED (no new handles) -> FLUSH (ordered data) -> LOGGING (blocks into
 *	              the log) -> RECORD (the commit block) -> FINISHED (on the checkpoint list)
 *	checkpoint    a finished transaction's blocks reach their places; then the tail moves past it
 *
 * At most one transaction is running and one committing, side by side. Callers join the running one;
 * a buffer of the committing one that they want to change is copied out first.
 *
 * The rules J1-J10 are in docs/architecture.md; the state machine and the lists of a buffer are at the
 * top of transaction.c. What is written in place is always what a committed transaction made of a
 * block: the live buffer if nobody changed it since, else the copy that the log has.
 *
 * Waiting: jbd2_journal_start may wait for a locked transaction or for log room: hold no page lock, no
 * map, no group. Everything between start and stop waits for nothing and fails for nothing but I/O:
 * memory for the credits is set aside at the start.
 */
#ifndef EXTANT_JBD2_H
#define EXTANT_JBD2_H

#include <stdatomic.h>
#include "base/sync.h"
#include "cache/buffer.h"
#include "trace/trace.h"

typedef uint32_t tid_t;

static inline bool tid_after(tid_t a, tid_t b)
{
	return (int32_t)(a - b) > 0;
}
static inline bool tid_after_eq(tid_t a, tid_t b)
{
	return (int32_t)(a - b) >= 0;
}

struct journal;
struct transaction;

/* An inode whose data a transaction must see on disk before it commits. Lies in the user's inode. */
struct jbd2_inode {
	struct list link;			/* of a transaction; journal's */
	struct transaction *transaction;	/* whose ordered list it is on; journal's */
	struct transaction *next_transaction;	/* it is wanted there too, behind the commit */
	uint32_t flags;				/* JI_*; journal's */
	uint64_t ino;				/* for events */
	void *host;				/* the user's inode */
};
#define JI_WRITE_DATA	1u	/* the commit writes what is dirty and mapped */
#define JI_WAIT_DATA	2u	/* the commit waits for what is being written */

struct journal_ops {
	/* Block `lblk` of the log -> physical block. Called for each log block, by the task that writes or reads it. */
	int (*map_log_block)(void *user, uint64_t lblk, uint64_t *pblk);
	/* Commit task, phase FLUSH: write the dirty, already mapped data of this inode / wait until it is written. */
	int (*submit_ordered)(void *user, struct jbd2_inode *ji);
	int (*wait_ordered)(void *user, struct jbd2_inode *ji);
	/* Commit task: the transaction is stable (err 0) or lost. Freed blocks may be used again. */
	void (*committed)(void *user, struct transaction *t, int err);
	/* The journal has aborted with `err`: once. No lock held but what the failing caller holds. */
	void (*aborted)(void *user, int err);
	/* Space below which a started transaction begins to be written back early; or NULL. */
	void (*pressure)(void *user);
};

enum journal_csum { JOURNAL_CSUM_NONE, JOURNAL_CSUM_V1, JOURNAL_CSUM_V2, JOURNAL_CSUM_V3 };

struct journal_options {
	struct arena *arena;
	struct sched *sched;
	struct clock *clock;
	const struct log *log;
	struct trace *trace;
	struct buffer_cache *buffers;		/* the file system's; its user is handed to kind->seal */
	struct budget *budget;			/* blocks in place are let go when it is short; or NULL */
	struct block_device *device;		/* where log blocks lie */
	const char *device_name;		/* of the commit task: "jbd2/NAME" */
	const struct journal_ops *ops;
	void *user;
	uint64_t log_blocks;			/* the size of the journal in blocks, as its inode says */
	int64_t commit_interval_ns;		/* 5 s by default; CLOCK_NEVER: none */
	size_t memory_bytes;			/* the budget; a transaction takes at most a quarter */
	_Atomic bool barrier;				/* flushes */
	bool async_commit;
	bool read_only;				/* loaded to be looked at or replayed into a cow */
};

/* What a replay did, for messages, `extant replay` and tests. */
struct jbd2_recovery {
	tid_t first_tid, end_tid;		/* replayed: [first, end) */
	uint64_t transactions, blocks_replayed, revoke_records, blocks_revoked;
	bool stopped_at_checksum;		/* a transaction's checksum was wrong: nothing after it is applied */
	tid_t stopped_tid;
	uint64_t stopped_block;			/* log block */
};

/*
 * Reads and verifies the journal superblock. -EFSCORRUPTED (not a journal, or geometry that cannot be),
 * -EFSBADCRC, -EOPNOTSUPP (unknown incompatible feature; named in the log), -EIO, -ENOMEM.
 */
must_check int jbd2_journal_open(const struct journal_options *opt, struct journal **out);
/* UUID, feature words and errno of the journal superblock, for the user to hold against its own. */
void jbd2_journal_identity(const struct journal *j, uint8_t uuid[16], int32_t *errno_recorded);
/* True when the log holds transactions to replay. */
bool jbd2_journal_needs_recovery(const struct journal *j);
/*
 * Replays what is committed, in place, and flushes it; then the superblock names a log in which nothing
 * follows (J8: a crash at any write in here recovers the same). jbd2_journal_flush, once the user's own
 * recovery is done, says that it is empty. Blocks in the cache take on what was replayed, and are to be
 * verified again. `plan_only`: reads and counts, writes nothing.
 *
 * -EFSCORRUPTED, nothing written: the log replays blocks beyond the file system or inside the journal.
 * -EOPNOTSUPP, nothing written: it ends in fast commits. -EIO, -ENOMEM.
 */
must_check int jbd2_journal_recover(struct journal *j, bool plan_only, struct jbd2_recovery *out);
/*
 * Shows what a replay would take, in the log's order; writes nothing. `data`: the block's bytes as they lie in
 * the log (escaped), during the call. A result other than 0 ends it and is returned. Either may be NULL.
 */
struct jbd2_observer {
	int (*block)(void *arg, tid_t tid, uint64_t block, const uint8_t *data);
	int (*revoke)(void *arg, tid_t tid, uint64_t block);
	void *arg;
};
must_check int jbd2_journal_examine(struct journal *j, const struct jbd2_observer *o);
/* The superblock as it was read, verified (jbd2/format.h); for who shows it. */
struct journal_superblock_s;
const struct journal_superblock_s *jbd2_journal_super(const struct journal *j);
/* Makes it ready for handles: starts the commit task. The features asked for are set with the first commit. */
must_check int jbd2_journal_load(struct journal *j, enum journal_csum csum, bool tags_64bit);
/* Commits, checkpoints everything, empties the log, ends the commit task. The first error of its life, or 0. */
int jbd2_journal_destroy(struct journal *j);

/* ---- handles */

struct handle {
	struct journal *journal;		/* NULL: a file system without one */
	struct transaction *transaction;	/* NULL before a reserved handle is started */
	struct handle *reserved;		/* the handle that goes on behind this one */
	int credits;				/* blocks it may still dirty */
	int credits_requested;			/* at the start and by extensions */
	int credits_revoke;
	uint32_t nesting;			/* starts without stop */
	uint32_t type;				/* of events: enum handle_type of the user */
	uint32_t line;				/* of events */
	int error;				/* set: the handle is aborted */
	bool sync;				/* stop waits for the commit */
	bool is_reserved;
	int64_t started_ns;
	unsigned gate;				/* the user's, without a journal */
};

/*
 * Joins the running transaction with credits for `blocks` buffers; with `reserve_blocks` > 0 a second
 * handle is set aside (handle->reserved) for jbd2_journal_start_reserved. A task with an open handle of
 * this journal gets the same one, deeper nested; it must have enough credits left (its opener asked for
 * all). -EROFS when the journal has aborted, -ENOSPC when the log can never hold it, -ENOMEM.
 */
must_check int jbd2__journal_start(struct journal *j, int blocks, int reserve_blocks, uint32_t type,
				   uint32_t line, struct handle **out);
must_check int jbd2_journal_start_reserved(struct handle *h, uint32_t type, uint32_t line);
void jbd2_journal_free_reserved(struct handle *h);
/* The current task's open handle of this journal, or NULL. */
struct handle *jbd2_journal_current_handle(const struct journal *j);
/* More credits in this transaction: 0, 1 (it has no room: restart), or -EROFS. */
must_check int jbd2_journal_extend(struct handle *h, int blocks);
/* Ends this transaction's part and goes on in the next; what was changed so far must be consistent. */
must_check int jbd2_journal_restart(struct handle *h, int blocks);
/* The same, with room for `revokes` revokes (jbd2_journal_reserve_revokes). */
must_check int jbd2_journal_restart_revokes(struct handle *h, int blocks, uint32_t revokes);
/* Closes one nesting; the last one gives the credits back. Reports the handle's error. */
int jbd2_journal_stop(struct handle *h);
bool handle_aborted(const struct handle *h);

/* ---- blocks: in this order for each */

/* Before an existing block is changed. Reads nothing; may copy. -EROFS (aborted). */
must_check int jbd2_journal_get_write_access(struct handle *h, struct buffer *b);
/* Before a block just allocated is filled: its old content is of no interest. Cancels a revoke. */
must_check int jbd2_journal_get_create_access(struct handle *h, struct buffer *b);
/* Like get_write_access, for bitmaps: what is freed in them stays in `committed_data` until the commit. */
must_check int jbd2_journal_get_undo_access(struct handle *h, struct buffer *b);
/* With undo access: the block as it was before; until the handle is stopped. */
const uint8_t *jbd2_journal_committed_data(const struct buffer *b);
/* After the change: the block goes with the transaction. Costs a credit the first time. */
must_check int jbd2_journal_dirty_metadata(struct handle *h, struct buffer *b);
/* The block is freed in this handle: it needs no logging any more. `b` may be NULL when it is not in memory. */
must_check int jbd2_journal_forget(struct handle *h, struct buffer *b, uint64_t block);
/* The block is freed and an older copy may be in the log: no replay of it (J4). Implies forget. */
must_check int jbd2_journal_revoke(struct handle *h, uint64_t block, struct buffer *b);
/*
 * Before blocks are revoked in number: room in the log and in memory for the next `count`. 0; 1 (there is none:
 * restart, or free less); -EROFS. Without it jbd2_journal_revoke may say -ENOSPC, and when it is called more
 * often than the handle had credits -ENOMEM, with nothing changed.
 */
must_check int jbd2_journal_reserve_revokes(struct handle *h, uint32_t count);
/* A page of journaled data is dropped beyond the new end. 0 when the buffer could be let go, 1 when the commit still needs it. */
int jbd2_journal_invalidate(struct journal *j, struct buffer *b);
/* True when memory reclaim may drop the buffer (a clean one whose checkpoint is done). */
bool jbd2_journal_try_to_free(struct journal *j, struct buffer *b);

/* ---- ordered data */

void jbd2_inode_init(struct jbd2_inode *ji, uint64_t ino, void *host);
/* This handle's transaction must not commit before this inode's data is on disk. */
void jbd2_journal_inode_add(struct handle *h, struct jbd2_inode *ji, uint32_t flags);
/* The inode goes away; waits for a commit that is writing it. */
void jbd2_journal_release_inode(struct journal *j, struct jbd2_inode *ji);
/* Before data beyond a new end is dropped: write it, if the committing transaction counts on it. */
must_check int jbd2_journal_begin_ordered_truncate(struct journal *j, struct jbd2_inode *ji);

/* ---- things to do when a transaction has committed (or failed) */

struct jbd2_callback {
	struct list link;
	void (*fn)(struct jbd2_callback *cb, int err);
};
void jbd2_journal_add_callback(struct handle *h, struct jbd2_callback *cb);

/* ---- commits */

tid_t handle_tid(const struct handle *h);
tid_t transaction_tid(const struct transaction *t);
tid_t jbd2_journal_running_tid(struct journal *j);	/* the running or else the last transaction */
/* Asks the commit task to commit up to `tid`; true when that was news. */
bool jbd2_log_start_commit(struct journal *j, tid_t tid);
/* Waits until `tid` is stable. -EIO/-EROFS when it was lost. */
must_check int jbd2_log_wait_commit(struct journal *j, tid_t tid);
/* Start, if needed, and wait. */
must_check int jbd2_complete_transaction(struct journal *j, tid_t tid);
/* Commits the running transaction, if it has changes; 1 when one was started and *tid is it. */
int jbd2_journal_start_commit(struct journal *j, tid_t *tid);
must_check int jbd2_journal_force_commit(struct journal *j);
/* True when the commit of `tid`, still to come, will flush the data device: fsync needs no flush of its own. */
bool jbd2_trans_will_send_data_barrier(struct journal *j, tid_t tid);
/* Keeps new handles out until unlocked; waits for the open ones (freeze, flush). */
void jbd2_journal_lock_updates(struct journal *j);
void jbd2_journal_unlock_updates(struct journal *j);
/* Commits, checkpoints everything; the log is empty and its superblock says so. */
must_check int jbd2_journal_flush(struct journal *j);
/*
 * Behind a flush, with updates locked: what older transactions left in the log's blocks is discarded,
 * or overwritten with zeros.
 */
must_check int jbd2_journal_erase(struct journal *j, bool discard);

/* ---- checkpoint: writing in place */

/*
 * The flusher's part: writes in place what transactions left to write that committed `older_than_ns` ago or earlier (a
 * span, not a time; CLOCK_NEVER: all of them), sorted and merged. No flush; the tail moves with a later commit.
 */
must_check int jbd2_checkpoint_writeback(struct journal *j, int64_t older_than_ns);
uint64_t jbd2_checkpoint_bytes(const struct journal *j);
/*
 * Writes in place what the oldest committed transaction left to write, and moves the log's tail; holding
 * nothing. 0 when there is nothing, too.
 */
must_check int jbd2_log_do_checkpoint(struct journal *j);

/* ---- end */

/* From now on every handle gets -EROFS. The reason goes into the journal superblock unless `err` is -ESHUTDOWN. */
void jbd2_journal_abort(struct journal *j, int err);
/*
 * The same without any I/O and without a word to the user, who is the caller and may hold any lock
 * that comes before the journal's. True: it had not stopped before. The reason is written by
 * jbd2_journal_record_abort(), later, holding nothing.
 */
bool jbd2_journal_abort_quietly(struct journal *j, int err);
void jbd2_journal_record_abort(struct journal *j);
int jbd2_journal_errno(const struct journal *j);	/* 0, or why it aborted */
void jbd2_journal_clear_err(struct journal *j);
void jbd2_journal_set_commit_interval(struct journal *j, int64_t ns);
/* From now on writes are (not) ordered by flushes. */
void jbd2_journal_set_barrier(struct journal *j, bool barrier);

/* Facts for info, status and tests. */
struct journal_facts {
	tid_t running, committing, committed, tail_tid;
	uint64_t log_blocks, head, tail, free_blocks;
	uint64_t commits, handles, blocks_logged, forced_checkpoints, tail_updates;
	int open_handles;
};
void jbd2_journal_facts(struct journal *j, struct journal_facts *out);

#endif
