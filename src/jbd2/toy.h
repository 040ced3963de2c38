/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A toy file system for the tests of the journal: blocks that say which operation made them.
 *
 *	block 1		the map: how many operations were done, and what each pool block is
 *	2...		counters, changed by operations; each has the number of the last
 *	40...		the pool: blocks that become metadata, are freed, become file data, ...
 *	160...		the journal, in pieces
 *
 * Every operation is one handle; it changes the map and a few others, all derived from its number. So
 * what a recovered device must hold follows from the number in its map alone: exactly what the first so
 * many operations made. Metadata carries a checksum that only its seal puts there, so bytes that got to
 * the device without it are seen; file data is written as ordered data.
 */
#ifndef EXTANT_JBD2_TOY_H
#define EXTANT_JBD2_TOY_H

#include "base/errors.h"
#include "base/random.h"
#include "base/sync_test.h"
#include "block/device.h"
#include "jbd2/jbd2.h"

#define TOY_MAP		1u
#define TOY_COUNTERS	2u
#define TOY_COUNTER_COUNT 32u
#define TOY_POOL	40u
#define TOY_POOL_COUNT	100u
#define TOY_LOG		160u
#define TOY_PIECE	50u		/* log blocks that follow each other */
#define TOY_INODES	3u
#define TOY_OPS_MAX	65536u
#define TOY_EFFECTS	12u

struct toy_shape {
	uint32_t block_size;
	uint64_t log_blocks;
	enum journal_csum csum;
	bool wide, async_commit, no_barrier;
	size_t memory_bytes;
	int64_t commit_interval_ns;
	struct trace *trace;		/* NULL: none */
	struct block_device *log_device;	/* NULL: the same */
};

/* What a pool block is. */
enum toy_kind { TOY_FREE, TOY_META, TOY_DATA };

/* An operation made block `index` of counters or pool (counted from 2) what it is. */
struct toy_effect {
	uint16_t block;
	uint8_t kind;
};
struct toy_op {
	struct toy_effect effects[TOY_EFFECTS];
	uint32_t count;
	tid_t tid;
};

/* What each block is, and which operation made it so. */
struct toy_state {
	uint8_t kind[TOY_LOG];
	uint32_t op[TOY_LOG];
};

/* All operations ever done, and what they led to. It outlives mounts and crashes. */
struct toy_model {
	uint32_t ops;			/* done: 1 .. ops */
	struct toy_op *log;		/* [TOY_OPS_MAX] */
	struct toy_state now;
	tid_t freed[TOY_LOG];		/* the transaction that freed the pool block, in this mount */
	uint32_t lost[TOY_LOG];		/* data of this operation could not be written */
};

struct toy_model *toy_model_create(void);
void toy_model_destroy(struct toy_model *m);
/* Only the first `op` operations were ever done. */
void toy_model_rewind(struct toy_model *m, uint32_t op);

struct toy_pending {
	uint32_t block, op;		/* block 0: none */
};

struct toy {
	struct fixture *f;
	struct toy_shape shape;
	struct trace *trace;
	struct budget *budget;
	struct block_device *device;	/* not the toy's */
	struct buffer_cache *buffers;
	struct journal *journal;
	struct jbd2_recovery recovery;	/* what the mount replayed */
	int aborted;			/* 0, or why */
	int commits;

	struct mutex lock;		/* RANK_MAP: one operation's changes at a time; and: */
	struct toy_model *model;
	struct jbd2_inode inodes[TOY_INODES];
	struct toy_pending pending[TOY_INODES][TOY_POOL_COUNT];
};

uint64_t toy_device_bytes(const struct toy_shape *shape);
uint64_t toy_log_pblk(uint64_t lblk);
/* An empty toy with an empty journal. */
void toy_format(struct block_device *d, const struct toy_shape *shape);
/*
 * Replays the log. 0, or what went wrong; then nothing is left. `model`: what the device holds, for
 * operations; NULL: there will be none.
 */
int toy_mount(struct toy *t, struct fixture *f, struct block_device *d, const struct toy_shape *shape,
	      struct toy_model *model);
/* Only cache and journal, opened; neither recovered nor loaded. */
int toy_open(struct toy *t, struct fixture *f, struct block_device *d, const struct toy_shape *shape);
/* What jbd2_journal_destroy said. Buffers that are left must be clean. */
int toy_umount(struct toy *t);

/* One operation drawn from `r`: 0, or the handle's error; then it has not happened. */
int toy_operate(struct toy *t, struct random *r);
/* The kinds of them, one by one. */
int toy_change_counters(struct toy *t, uint32_t first, uint32_t count);
int toy_alloc(struct toy *t, uint32_t block, enum toy_kind kind);
int toy_free(struct toy *t, uint32_t block);
int toy_rewrite(struct toy *t, uint32_t block);
/* The first pool block from `from` on of that kind that may be changed now; 0: none. */
uint32_t toy_find(struct toy *t, enum toy_kind kind, uint32_t from);
/* Waits until operation `op` is stable. */
int toy_sync(struct toy *t, uint32_t op);

/*
 * The device holds exactly what the first *op operations of `model` made. Reads the device as it is:
 * for one that was recovered and closed. Says what is wrong, or NULL.
 */
const char *toy_verify(struct block_device *d, const struct toy_shape *shape, const struct toy_model *model,
		       uint32_t *op);
/* Recovers it first, in place. */
const char *toy_recover_and_verify(struct fixture *f, struct block_device *d, const struct toy_shape *shape,
				   const struct toy_model *model, uint32_t *op);

/*
 * What main() returns for a test program. Built with a deliberate fault (mutant.h), the program must
 * fail: then this is 0 when it does, in a process of its own, and 1 when the fault goes unseen.
 */
int toy_main(int (*run)(void));

#endif
