/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of the journal: its structures, and what its files ask of each other.
 *
 * Who protects what (docs/locking.md has the whole order); they are taken in this order:
 *
 *	checkpoint_lock		one task at a time writes in place or moves the tail; held across
 *				device I/O
 *	state_lock		the transactions' states and counters, the log's ends
 *	buffer->state_lock	one buffer's journal_head
 *	list_lock		lists of buffers, inodes, callbacks, checkpoint transactions
 *	revoke_lock		revoke records
 *	memory_lock		pools
 *	super_lock		the journal superblock; held across device I/O
 *
 * A buffer's place (transaction, next_transaction, place, the cp_ fields) changes only with both its
 * state_lock and list_lock held, so either is enough to read it.
 */
#ifndef EXTANT_JBD2_INTERNAL_H
#define EXTANT_JBD2_INTERNAL_H

#include "base/assert.h"
#include "base/errors.h"
#include "base/list.h"
#include "base/log.h"
#include "base/rbtree.h"
#include "jbd2/format.h"
#include "jbd2/jbd2.h"
#include "jbd2/layout.h"
#include "jbd2/mutant.h"

#define LOG_CHUNK_BYTES		(64u << 10)	/* a piece of the log buffer */
#define LOG_CHUNKS_MAX		64u		/* of one vectored call: 4 MiB */
#define LOG_BLOCKS_MIN		64u		/* of the ring: less holds no transaction */
#define LOG_SLACK_BLOCKS	16u		/* always left free: what nobody counted */

/* ---- pool.c: memory set aside */

struct pool_piece {
	struct pool_piece *next;
};

/* Pieces of one size. What is reserved is there when it is taken. */
struct pool {
	struct journal *journal;	/* constant */
	size_t piece_bytes;		/* constant */
	bool is_blocks;			/* constant: bytes aligned to their size */
	/* memory_lock: */
	struct pool_piece *free;
	uint32_t free_count;
	uint32_t reserved;		/* <= free_count */
};

void pool_init(struct pool *p, struct journal *j, size_t piece_bytes, bool is_blocks);
/* All pieces have come back and nothing is reserved. */
void pool_fini(struct pool *p);
must_check int pool_reserve(struct pool *p, uint32_t count);
void pool_unreserve(struct pool *p, uint32_t count);
/* The same of two pools at once: all, or nothing. */
must_check int pool_reserve_both(struct pool *p, struct pool *q, uint32_t count);
void pool_unreserve_both(struct pool *p, uint32_t p_count, struct pool *q, uint32_t q_count);
/* One of those reserved. */
void *pool_take_reserved(struct pool *p);
/* One that was not reserved; NULL when memory is out. */
must_check void *pool_take(struct pool *p);
void pool_give(struct pool *p, void *piece);
/* Gives one up for good; takes no lock of the journal's. */
void pool_free(struct pool *p, void *piece);
/* Frees all but what is reserved and `keep` more. */
void pool_trim(struct pool *p, uint32_t keep);

/* ---- transactions */

enum transaction_state {
	T_RUNNING,		/* handles join */
	T_LOCKED,		/* no new ones; waits for those that are open */
	T_FLUSH,		/* another may run; ordered data is being written */
	T_LOGGING,		/* its blocks go into the log */
	T_RECORD,		/* the commit block is being written */
	T_FINISHED,		/* stable or lost; a checkpoint transaction while blocks are left */
};

struct transaction {
	struct journal *journal;	/* constant */
	tid_t tid;			/* constant once it runs */
	int64_t started_ns;		/* the same */
	int64_t deadline_ns;		/* the same: the commit task commits it then */

	/* state_lock: */
	enum transaction_state state;
	int updates;			/* open handles */
	int outstanding;		/* blocks dirtied, and credits of open handles */
	uint32_t revokes_promised;	/* to open handles; what of it they have used, revoke_count has too */
	uint32_t handle_count;
	uint32_t chunks;		/* of the log buffer, reserved for its commit */
	bool sync_commit;		/* a handle waits for it */
	bool restarting;		/* a handle went on behind it: no more join */
	int64_t requested_ns;		/* when its commit was asked for; 0: not yet */
	uint64_t log_start;		/* its first block in the log; from FLUSH on */
	uint64_t log_left;		/* log blocks its commit may still need; from FLUSH on */

	/* list_lock: */
	struct list reserved;		/* access taken, not dirtied */
	struct list metadata;		/* to be logged, in the order they were dirtied */
	struct list logged;		/* in the log buffer, in the same order */
	struct list forget;		/* freed; an older copy is perhaps not in place */
	struct list inodes;		/* with ordered data */
	struct list callbacks;
	uint32_t block_count;		/* in metadata and logged */
	_Atomic uint32_t unlogged;	/* in metadata: a later handle would have to copy them out */

	/* revoke_lock: */
	struct rb_tree revokes;
	_Atomic uint32_t revoke_count;

	/* list_lock: */
	struct list link;		/* journal->checkpoints */
	struct list checkpoint;		/* blocks not in place, or not reaped */
	int64_t committed_ns;
	int64_t checkpoint_ns;		/* when its checkpoint began; 0: not yet */
	uint32_t cp_written, cp_dropped;	/* of jbd2_checkpoint_stats */
};

/* ---- a buffer under the journal */

enum jh_place {
	JH_NOWHERE,		/* in no transaction: only on a checkpoint list */
	JH_RESERVED,
	JH_METADATA,
	JH_LOGGED,
	JH_FORGET,
};

struct journal_head {
	struct buffer *buffer;			/* referenced; constant */
	struct list link;			/* the list of `transaction` that `place` names */
	struct transaction *transaction;	/* running or committing */
	struct transaction *next_transaction;	/* running, while `transaction` commits */
	enum jh_place place;
	bool modified;				/* cost a credit in `transaction` */
	bool next_modified;			/* cost a credit in `next_transaction` */
	bool next_forget;			/* freed in `next_transaction` */
	bool was_dirty;				/* waited to be written without journal before */
	bool dropped;				/* its page went while `transaction` was committing and none ran: cut by that one */
	bool only_freed;			/* FORGET, and `transaction` did nothing else to it */
	uint8_t *frozen;			/* what `transaction` made of it; next_transaction goes on */
	const struct buffer_kind *frozen_kind;
	struct buffer_owner frozen_owner;
	uint8_t *committed;			/* undo access: as it was before `transaction` */
	uint64_t log_pblk;			/* LOGGED: where the copy lies */
	bool log_escaped;			/* its first four bytes are zero instead of the magic */

	struct transaction *cp_transaction;	/* the last committed one that logged it, until reaped */
	struct list cp_link;
	uint64_t cp_log_pblk;			/* where that copy lies */
	bool cp_log_escaped;
	bool cp_dirty;				/* not in place yet */
	bool cp_writing;			/* being written in place */
	uint64_t cp_flush;			/* flushes begun when that was done: a later one makes it stable */
};

/* ---- handles */

struct open_handle {
	struct handle handle;		/* first */
	uint32_t heads, copies, records;	/* reserved in the pools, not yet taken */
	uint32_t revokes_promised;	/* room in the log: counted in the transaction */
	uint32_t revokes_left;		/* of them */
	struct transaction *spare;	/* memory of the transaction that it may begin */
	struct task *task;		/* that opened it */
};

static inline struct open_handle *open_handle_of(struct handle *h)
{
	return (struct open_handle *)h;
}

/* ---- the journal */

struct log_position {
	tid_t tid;			/* the first transaction still needed */
	uint64_t block;			/* where it begins */
};

struct journal {
	/* constant after open and load: */
	struct journal_options opt;
	struct trace *trace;
	struct arena *arena;
	struct block_device *log_device, *fs_device;
	uint32_t block_size;
	uint64_t super_pblk;
	uint64_t log_first, log_end;	/* the ring: [first, end) */
	uint64_t fast_commit_blocks;	/* behind it */
	struct log_layout layout;
	int transaction_max;		/* blocks of one, at most */
	bool loaded, recovered;
	struct task *commit_task;

	struct mutex checkpoint_lock;
	struct in_place_batch *batch GUARDED_BY(checkpoint_lock);

	struct mutex state_lock;
	struct transaction *running GUARDED_BY(state_lock);
	struct transaction *committing GUARDED_BY(state_lock);
	tid_t next_tid GUARDED_BY(state_lock);
	tid_t commit_request GUARDED_BY(state_lock);	/* commit up to this one */
	int64_t commit_wakes_ns GUARDED_BY(state_lock);	/* when the commit task looks, unasked */
	tid_t commit_done GUARDED_BY(state_lock);	/* stable, or lost */
	tid_t stable_tid GUARDED_BY(state_lock);
	int barrier GUARDED_BY(state_lock);		/* nested lock_updates */
	int reserved_credits GUARDED_BY(state_lock);	/* of reserved handles, not started */
	_Atomic int error;				/* why it aborted; written under state_lock */
	bool stopping GUARDED_BY(state_lock);
	int64_t commit_interval_ns GUARDED_BY(state_lock);
	int64_t commit_average_ns GUARDED_BY(state_lock);
	const struct task *last_sync_task GUARDED_BY(state_lock);	/* compared, never looked into */
	struct waitq wait_join;		/* who wants to start: unlocked, barrier down, room */
	struct waitq wait_updates;	/* the last open handle of a transaction closed */
	struct waitq wait_commit;	/* the commit task's bell */
	struct waitq wait_done;		/* commit_done moved */
	struct journal_facts counts GUARDED_BY(state_lock);	/* the counters in it */

	/* the ends of the log: log_space.c */
	uint64_t head GUARDED_BY(state_lock);		/* where the next block goes */
	uint64_t free_blocks GUARDED_BY(state_lock);
	struct log_position tail GUARDED_BY(state_lock);	/* what the superblock says, perhaps not stable */
	struct log_position free_from GUARDED_BY(state_lock);	/* what lies before it is free */
	struct log_position in_place GUARDED_BY(state_lock);	/* all before it is in place and flushed */
	bool log_empty GUARDED_BY(state_lock);		/* the superblock says so */

	struct mutex list_lock;
	struct list checkpoints GUARDED_BY(list_lock);	/* transactions, oldest first */
	_Atomic uint64_t cp_dirty_blocks;	/* written under list_lock */
	uint64_t flushes_begun, flushes_done GUARDED_BY(list_lock);	/* of what is in place */
	struct waitq wait_in_place;	/* with list_lock: a write in place has ended */
	struct waitq wait_inode;	/* with list_lock: the commit is done with an inode */

	struct mutex revoke_lock;

	struct mutex memory_lock;
	struct pool heads;		/* struct journal_head */
	struct pool records;		/* struct revoke_record */
	struct pool copies;		/* blocks: frozen, committed */
	struct pool chunks;		/* of the log buffer */

	struct mutex super_lock;
	struct journal_superblock_s super GUARDED_BY(super_lock);

	struct log_writer *writer;	/* the commit task's */
	struct shrinker shrinker;
};

static inline bool journal_aborted(const struct journal *j)
{
	return unlikely(atomic_load_explicit(&j->error, memory_order_relaxed) != 0);
}

static inline int64_t journal_now(const struct journal *j)
{
	return clock_monotonic(j->opt.clock);
}

static inline uint32_t elapsed_ms(int64_t from_ns, int64_t to_ns)
{
	return to_ns > from_ns ? (uint32_t)((to_ns - from_ns) / NSEC_PER_MSEC) : 0;
}

printf_like(3, 4) void journal_log(const struct journal *j, enum log_level level, const char *fmt, ...);

/* ---- super.c: the journal superblock */

must_check int journal_super_read(struct journal *j);
/* Features that commits use; written with the next superblock. */
void journal_super_set_features(struct journal *j, enum journal_csum csum, bool tags_64bit);
/* The log begins at `tail`; aborts the journal when that cannot be written. */
must_check int journal_super_write_tail(struct journal *j, const struct log_position *tail, unsigned flags);
/* The log is empty, and `next_tid` follows. */
must_check int journal_super_write_empty(struct journal *j, tid_t next_tid, unsigned flags);
int journal_super_write_errno(struct journal *j, int err);

/* ---- log_space.c: the ring */

uint64_t log_ring_blocks(const struct journal *j);
uint64_t log_distance(const struct journal *j, uint64_t from, uint64_t to);
uint64_t log_next(const struct journal *j, uint64_t block);
/* Log blocks that so many blocks and revoke records need, descriptors and commit block included. */
uint64_t log_blocks_for(const struct journal *j, int blocks, uint32_t revokes);
/* Room for so many more blocks, and revokes, in `t`. With state_lock. */
bool log_has_room(const struct journal *j, const struct transaction *t, int blocks, uint32_t revokes);
/* Commit task: the next block of the ring for `t`, and where it lies. */
must_check int log_take_block(struct journal *j, struct transaction *t, uint64_t *pblk);
/* The oldest transaction still needed. With state_lock. */
void log_oldest(struct journal *j, struct log_position *out);
/* What lies before `p` may be written again. With state_lock. */
void log_free_up_to(struct journal *j, const struct log_position *p);
/* Commit task, before it starts a commit: the superblock names a tail, the newest that is stable in place. */
must_check int log_tail_before_commit(struct journal *j);
/* Moves the tail now, with flushes: 0 moved, 1 nothing to move. With checkpoint_lock. */
must_check int log_tail_cleanup(struct journal *j);

/* Nothing is left in it, and its superblock says so: 0; 1: a transaction has begun. With checkpoint_lock. */
must_check int log_make_empty(struct journal *j, tid_t next_tid, unsigned flags);

/* ---- revoke.c */

struct revoke_record {
	struct rb_node node;
	uint64_t block;
	tid_t tid;			/* recovery: the last transaction that revoked it */
};

struct revoke_record *revoke_find(const struct rb_tree *tree, uint64_t block);
/* Into its place; one of the same block must not be there. */
void revoke_insert(struct rb_tree *tree, struct revoke_record *r);
/* Log room for one more. Holding no lock. */
bool revoke_has_room(struct handle *h);
must_check int revoke_add(struct handle *h, uint64_t block);
/* The block is in use again in the handle's transaction. */
void revoke_cancel(struct handle *h, uint64_t block);
void revoke_drop_all(struct transaction *t);

/* ---- transaction.c: places */

void transaction_init(struct transaction *t, struct journal *j);
/* With buffer->state_lock and list_lock. */
void jh_file(struct journal_head *jh, struct transaction *t, enum jh_place place);
void jh_unfile(struct journal_head *jh);
/*
 * Takes it off its buffer if it is in no transaction and on no checkpoint list: then the buffer, to be
 * put once the locks are gone; else NULL. With buffer->state_lock and list_lock.
 */
must_check struct buffer *jh_release(struct journal *j, struct journal_head *jh);
/* The same when memory is short, of one that is in place, off its checkpoint list; locks nothing more. */
must_check struct buffer *jh_reclaim(struct journal *j, struct journal_head *jh);
/* Commit task, transaction locked: what was accessed and not dirtied leaves it. */
void transaction_drop_reserved(struct journal *j, struct transaction *t);

/* ---- checkpoint.c */

/* Takes it off its checkpoint list; emits the transaction's end when it was the last. Both locks. */
void checkpoint_remove(struct journal *j, struct journal_head *jh);
/* Onto the list of `t`, which has logged it. Both locks. */
void checkpoint_insert(struct journal *j, struct journal_head *jh, struct transaction *t);
/* What waited to be written in place is wanted no more. Both locks. */
void checkpoint_need_not_write(struct journal *j, struct journal_head *jh);
/* Reaps what is stable in place, oldest transaction first, up to the first block that is not. Commit task. */
void checkpoint_reap(struct journal *j);
/* Around a flush of the file system's device; `err`: how it went. */
uint64_t checkpoint_flush_begins(struct journal *j);
void checkpoint_flush_ends(struct journal *j, uint64_t flush, int err);
/* Until there may be room: 0, or an error. Holding nothing. */
must_check int checkpoint_make_room(struct journal *j);
must_check int checkpoint_everything(struct journal *j);
/* The journal ends: what is left is dropped unwritten. */
void checkpoint_drop_everything(struct journal *j);
must_check int checkpoint_init(struct journal *j);
void checkpoint_fini(struct journal *j);

/* ---- commit.c, commit_task.c, log_writer.c */

/* Commits the running transaction. Commit task. */
void jbd2_journal_commit_transaction(struct journal *j);
/* With state_lock: asks for the commit of the running transaction if it is `tid`. */
bool commit_request(struct journal *j, tid_t tid);
void commit_task_main(void *journal);

must_check int log_writer_create(struct journal *j);
void log_writer_destroy(struct journal *j);
void log_writer_begin(struct log_writer *w, struct transaction *t);
must_check int log_writer_revokes(struct log_writer *w);
/* One block into the log buffer; from then on the live one may be changed. */
must_check int log_writer_block(struct log_writer *w, struct journal_head *jh);
/* Writes what is in the log buffer. */
must_check int log_writer_flush(struct log_writer *w);
must_check int log_writer_record(struct log_writer *w, unsigned flags);
/* Blocks and descriptors written for the transaction. */
uint32_t log_writer_count(const struct log_writer *w);
void log_writer_end(struct log_writer *w);

/* ---- ordered.c */

must_check int ordered_submit(struct journal *j, struct transaction *t);
must_check int ordered_wait(struct journal *j, struct transaction *t);
void ordered_release(struct journal *j, struct transaction *t);

#endif
