/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recovery: what was committed is brought into place.
 *
 *	scan	find where the log ends, trying every checksum; refuse what would write where it must not
 *	revoke	collect which blocks were freed, and in which transaction last
 *	replay	write each logged block into place, unless that transaction or a later one revoked it
 *
 * Nothing is written before the whole scan has succeeded, and the superblock names the old log until
 * what was replayed is flushed: a crash on the way finds the same log, and replays it again (J8).
 *
 * Memory is bounded whatever the log says: blocks go through a small batch, and when there are more
 * revoke records than may be held at once, the blocks are divided into parts by number, and revoke and
 * replay run once for each part.
 */
#include "jbd2/recovery.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_BLOCKS	128u
#ifndef RECORDS_MAX
#define RECORDS_MAX	(512u << 10)	/* revoke records held at once; a test has less */
#endif
#define RUNS_MAX	65536u		/* pieces of a journal */

/* A piece of the journal on the file system's device. */
struct run {
	uint64_t first, count;
};

struct batch_item {
	uint64_t block;
	uint32_t slot;
};

struct recovery {
	struct journal *j;
	struct log_reader *reader;
	struct log_walk scan;
	struct jbd2_recovery out;
	bool plan_only;

	struct run *runs;		/* sorted */
	uint32_t run_count, run_max;
	bool refused;			/* the first block that must not be written: */
	tid_t refused_tid;
	uint64_t refused_block;

	uint64_t records;		/* seen in the scan */
	uint32_t part, parts;
	struct rb_tree revokes;

	uint8_t *bytes;			/* of the batch */
	uint32_t count;
	struct batch_item items[BATCH_BLOCKS];
	struct block_io ios[BATCH_BLOCKS];
	struct iovec iovs[BATCH_BLOCKS];
};

/* ---- where replay must not write */

static int add_run(struct recovery *r, uint64_t pblk)
{
	struct run *last = r->run_count ? &r->runs[r->run_count - 1] : NULL, *more;

	if (last && last->first + last->count == pblk) {
		last->count++;
		return 0;
	}
	if (r->run_count == r->run_max) {
		if (r->run_max == RUNS_MAX) {
			journal_log(r->j, LOG_ERROR, "it lies in more than %u pieces", RUNS_MAX);
			return -EFSCORRUPTED;
		}
		r->run_max = r->run_max ? r->run_max * 2 : 16;
		more = arena_realloc(r->j->arena, r->runs, r->run_max * sizeof(*more));
		if (!more)
			return -ENOMEM;
		r->runs = more;
	}
	r->runs[r->run_count++] = (struct run){ pblk, 1 };
	return 0;
}

static int by_first(const void *a, const void *b)
{
	uint64_t x = ((const struct run *)a)->first, y = ((const struct run *)b)->first;

	return x < y ? -1 : x > y;
}

/* Where the journal itself lies, if it lies on the same device. */
static int find_journal(struct recovery *r)
{
	struct journal *j = r->j;
	uint64_t lblk, pblk = 0;
	int err = 0;

	if (j->log_device != j->fs_device)
		return 0;
	for (lblk = 0; lblk < j->log_end + j->fast_commit_blocks && !err; lblk++) {
		err = j->opt.ops->map_log_block(j->opt.user, lblk, &pblk);
		if (!err)
			err = add_run(r, pblk);
	}
	if (!err)
		qsort(r->runs, r->run_count, sizeof(*r->runs), by_first);
	return err;
}

static bool is_in_journal(const struct recovery *r, uint64_t block)
{
	uint32_t low = 0, high = r->run_count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (r->runs[mid].first + r->runs[mid].count <= block)
			low = mid + 1;
		else
			high = mid;
	}
	return low < r->run_count && r->runs[low].first <= block;
}

static bool may_be_written(const struct recovery *r, uint64_t block)
{
	return block < buffer_cache_block_count(r->j->opt.buffers) && !is_in_journal(r, block);
}

/* ---- scan */

static int scan_block(void *arg, tid_t tid, const struct log_tag *tag, const uint8_t *data)
{
	struct recovery *r = arg;

	if (r->refused || may_be_written(r, tag->block))
		return 0;
	r->refused = true;
	r->refused_tid = tid;
	r->refused_block = tag->block;
	return 0;
}

static int scan_revoke(void *arg, tid_t tid, uint64_t block)
{
	struct recovery *r = arg;

	r->records++;
	return 0;
}

static void report_scan(struct recovery *r)
{
	r->out.first_tid = r->scan.first;
	r->out.end_tid = r->scan.end;
	r->out.transactions = r->scan.end - r->scan.first;
	r->out.stopped_at_checksum = r->scan.bad_checksum;
	if (!r->scan.bad_checksum)
		return;
	r->out.stopped_tid = r->scan.end;
	r->out.stopped_block = r->scan.bad_block;
	journal_log(r->j, LOG_ERROR,
		    "transaction %u is committed but not what was written (log block %llu): "
		    "it and what follows is not replayed", r->scan.end,
		    (unsigned long long)r->scan.bad_block);
}

static int refuse_fast_commits(struct recovery *r)
{
	bool follow;
	int err = fast_commits_follow(r->j, r->reader, r->scan.end, &follow);

	if (err || !follow)
		return err;
	journal_log(r->j, LOG_ERROR,
		    "fast commits follow transaction %u: they cannot be replayed here, mount it with Linux once",
		    r->scan.end - 1);
	return -EOPNOTSUPP;
}

static int scan(struct recovery *r)
{
	struct log_visitor v = { .block = scan_block, .revoke = scan_revoke, .arg = r };
	int err = find_journal(r);

	if (!err)
		err = log_walk_scan(r->j, r->reader, &v, &r->scan);
	if (err)
		return err;
	if (r->refused && tid_after(r->scan.end, r->refused_tid)) {
		journal_log(r->j, LOG_ERROR, "transaction %u would write block %llu, which is %s", r->refused_tid,
			    (unsigned long long)r->refused_block,
			    is_in_journal(r, r->refused_block) ? "the journal's own" : "beyond the end");
		return -EFSCORRUPTED;
	}
	report_scan(r);
	return refuse_fast_commits(r);
}

/* ---- revoke */

static bool is_in_part(const struct recovery *r, uint64_t block)
{
	return block % r->parts == r->part;
}

static int note_revoke(void *arg, tid_t tid, uint64_t block)
{
	struct recovery *r = arg;
	struct revoke_record *record;

	if (!is_in_part(r, block) || block >= buffer_cache_block_count(r->j->opt.buffers))
		return 0;
	r->out.revoke_records++;
	record = revoke_find(&r->revokes, block);
	if (record) {
		record->tid = tid;
		return 0;
	}
	record = arena_new(r->j->arena, struct revoke_record);
	if (!record)
		return -ENOMEM;
	record->block = block;
	record->tid = tid;
	revoke_insert(&r->revokes, record);
	return 0;
}

static void drop_revokes(struct recovery *r)
{
	struct rb_node *n;

	while ((n = r->revokes.root)) {
		rb_remove(&r->revokes, n);
		arena_free(r->j->arena, rb_entry(n, struct revoke_record, node));
	}
}

static bool is_revoked(const struct recovery *r, uint64_t block, tid_t tid)
{
	const struct revoke_record *record = revoke_find(&r->revokes, block);

	return record && tid_after_eq(record->tid, tid);
}

/* ---- replay */

static int by_block_and_slot(const void *a, const void *b)
{
	const struct batch_item *x = a, *y = b;

	if (x->block != y->block)
		return x->block < y->block ? -1 : 1;
	return x->slot < y->slot ? -1 : 1;
}

static uint8_t *slot(const struct recovery *r, uint32_t i)
{
	return r->bytes + (size_t)i * r->j->block_size;
}

/* Of a block that is there more than once, the last. */
static void sort_batch(struct recovery *r)
{
	uint32_t i, n = 0;

	qsort(r->items, r->count, sizeof(r->items[0]), by_block_and_slot);
	for (i = 0; i < r->count; i++)
		if (i + 1 == r->count || r->items[i].block != r->items[i + 1].block)
			r->items[n++] = r->items[i];
	r->count = n;
}

static int build_ios(struct recovery *r)
{
	struct journal *j = r->j;
	uint32_t i;
	int n = 0;

	for (i = 0; i < r->count; i++) {
		r->iovs[i] = (struct iovec){ slot(r, r->items[i].slot), j->block_size };
		if (i && r->items[i].block == r->items[i - 1].block + 1)
			r->ios[n - 1].iov_count++;
		else
			r->ios[n++] = (struct block_io){ .offset = r->items[i].block * j->block_size,
							 .iov = &r->iovs[i],
							 .iov_count = 1,
							 .flags = BLOCK_META };
	}
	return n;
}

/* What the cache has of them is what was read before: it takes on the new bytes, unverified. */
static void refresh_cache(struct recovery *r)
{
	uint32_t i;

	for (i = 0; i < r->count; i++) {
		struct buffer *b = buffer_find(r->j->opt.buffers, r->items[i].block);

		if (b && atomic_load(&b->state) & BUFFER_UPTODATE) {
			memcpy(b->data, slot(r, r->items[i].slot), r->j->block_size);
			atomic_store(&b->kind, NULL);
		}
		buffer_put(b);
	}
}

static int write_batch(struct recovery *r)
{
	int err;

	sort_batch(r);
	err = block_writev_batch(r->j->fs_device, r->ios, build_ios(r));
	if (!err)
		refresh_cache(r);
	r->count = 0;
	return err;
}

static int replay_block(void *arg, tid_t tid, const struct log_tag *tag, const uint8_t *data)
{
	struct recovery *r = arg;
	be32 magic = be32_of(JBD2_MAGIC_NUMBER);
	uint8_t *to = slot(r, r->count);

	if (!is_in_part(r, tag->block))
		return 0;
	if (is_revoked(r, tag->block, tid)) {
		r->out.blocks_revoked++;
		return 0;
	}
	r->out.blocks_replayed++;
	if (r->plan_only)
		return 0;
	memcpy(to, data, r->j->block_size);
	if (tag->flags & JBD2_FLAG_ESCAPE)
		memcpy(to, &magic, sizeof(magic));
	r->items[r->count] = (struct batch_item){ tag->block, r->count };
	r->count++;
	return r->count == BATCH_BLOCKS ? write_batch(r) : 0;
}

static int replay_part(struct recovery *r)
{
	struct log_visitor revokes = { .revoke = note_revoke, .arg = r };
	struct log_visitor blocks = { .block = replay_block, .arg = r, .want_data = !r->plan_only };
	int err = log_walk_again(r->j, r->reader, &revokes, &r->scan);

	if (!err)
		err = log_walk_again(r->j, r->reader, &blocks, &r->scan);
	if (!err && r->count)
		err = write_batch(r);
	drop_revokes(r);
	return err;
}

static int replay(struct recovery *r)
{
	int err = 0;

	r->parts = 1 + (uint32_t)(r->records / RECORDS_MAX);
	for (r->part = 0; r->part < r->parts && !err; r->part++)
		err = replay_part(r);
	return err;
}

/* ---- the whole */

/* A number is left out: what a lost transaction left in the log can never be taken for a new one. */
static int finish(struct recovery *r)
{
	struct journal *j = r->j;
	struct log_position tail = { r->scan.end + 1, j->log_first };
	int err = j->opt.barrier ? block_flush(j->fs_device) : 0;

	if (!err)
		err = journal_super_write_tail(j, &tail, BLOCK_FUA);
	if (err)
		return err;
	j->next_tid = tail.tid;
	j->recovered = true;
	return 0;
}

static int recovery_create(struct journal *j, bool plan_only, struct recovery **out)
{
	struct recovery *r = arena_new(j->arena, struct recovery);
	int err;

	if (!r)
		return -ENOMEM;
	r->j = j;
	r->plan_only = plan_only;
	r->bytes = arena_alloc(j->arena, (size_t)BATCH_BLOCKS * j->block_size);
	err = r->bytes ? log_reader_create(j, &r->reader) : -ENOMEM;
	if (err) {
		arena_free(j->arena, r->bytes);
		arena_free(j->arena, r);
		return err;
	}
	*out = r;
	return 0;
}

static void recovery_destroy(struct recovery *r)
{
	struct journal *j = r->j;

	log_reader_destroy(r->reader);
	arena_free(j->arena, r->runs);
	arena_free(j->arena, r->bytes);
	arena_free(j->arena, r);
}

int jbd2_journal_recover(struct journal *j, bool plan_only, struct jbd2_recovery *out)
{
	struct recovery *r;
	int err;

	TRACE_SCOPE(j, jbd2_journal_recover);
	*out = (struct jbd2_recovery){ 0 };
	if (!jbd2_journal_needs_recovery(j))
		return 0;
	err = recovery_create(j, plan_only, &r);
	if (err)
		return err;
	err = scan(r);
	if (!err)
		err = replay(r);
	if (!err && !plan_only)
		err = finish(r);
	*out = r->out;
	recovery_destroy(r);
	return err;
}
