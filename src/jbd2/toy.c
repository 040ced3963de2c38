/* SPDX-License-Identifier: BSD-2-Clause */
/* The toy file system of the journal's tests; toy.h says what it is. */
#include "jbd2/toy.h"

#include <stdlib.h>

#include "base/csum.h"
#include "base/errors.h"
#include "jbd2/format.h"

#define TOY_MAGIC 0x544f5921u
#define SUM_BYTES 4u

/* ---- bytes */

struct toy_map {
	uint32_t magic, ops;
	uint32_t pool[TOY_POOL_COUNT];	/* operation << 2 | enum toy_kind */
};

/* Some blocks begin as the journal's own do, and must be escaped. */
static void fill_block(uint8_t *p, uint32_t size, uint32_t block, uint32_t op)
{
	be32 magic = be32_of(JBD2_MAGIC_NUMBER);
	uint32_t x = block * 2654435761u ^ op * 40503u, i;

	for (i = 0; i + sizeof(x) <= size; i += (uint32_t)sizeof(x)) {
		x = x * 1664525u + 1013904223u;
		memcpy(p + i, &x, sizeof(x));
	}
	if (op % 5 == 0)
		memcpy(p, &magic, sizeof(magic));
	memcpy(p + 8, &op, sizeof(op));
	memset(p + size - SUM_BYTES, 0, SUM_BYTES);
}

/*
 * No plain crc: the crc of bytes that end with their own crc is always the same, and the journal, which
 * sums blocks with the same polynomial, could not tell one sealed block from another.
 */
static uint32_t block_sum(const uint8_t *p, uint32_t size)
{
	return crc32c(7, p, size - SUM_BYTES) * 2654435761u;
}

static void seal_bytes(uint8_t *p, uint32_t size)
{
	uint32_t sum = block_sum(p, size);

	memcpy(p + size - SUM_BYTES, &sum, sizeof(sum));
}

static bool is_sealed(const uint8_t *p, uint32_t size)
{
	uint32_t sum = block_sum(p, size);

	return memcmp(p + size - SUM_BYTES, &sum, sizeof(sum)) == 0;
}

static int verify_kind(void *user, uint64_t block, const uint8_t *data, const struct buffer_owner *owner)
{
	const struct toy *t = user;

	return is_sealed(data, t->shape.block_size) ? 0 : -EFSBADCRC;
}

static void seal_kind(void *user, uint64_t block, uint8_t *data, const struct buffer_owner *owner)
{
	const struct toy *t = user;

	seal_bytes(data, t->shape.block_size);
}

static const struct buffer_kind metadata = { "toy metadata", verify_kind, seal_kind };

/* ---- making one */

uint64_t toy_log_pblk(uint64_t lblk)
{
	return TOY_LOG + lblk + lblk / TOY_PIECE;
}

static uint64_t toy_blocks(const struct toy_shape *shape)
{
	return toy_log_pblk(shape->log_blocks) + 1;
}

uint64_t toy_device_bytes(const struct toy_shape *shape)
{
	return toy_blocks(shape) * shape->block_size;
}

static void write_or_fail(struct block_device *d, uint64_t offset, const void *p, size_t len)
{
	assert_int_equal(block_write(d, offset, p, len, 0), 0);
}

void toy_format(struct block_device *d, const struct toy_shape *shape)
{
	uint32_t bs = shape->block_size, i;
	uint8_t *p = calloc(1, bs);
	struct toy_map map = { .magic = TOY_MAGIC };
	struct journal_superblock_s s = { 0 };

	memcpy(p, &map, sizeof(map));
	seal_bytes(p, bs);
	write_or_fail(d, TOY_MAP * bs, p, bs);
	for (i = TOY_COUNTERS; i < TOY_COUNTERS + TOY_COUNTER_COUNT; i++) {
		fill_block(p, bs, i, 0);
		seal_bytes(p, bs);
		write_or_fail(d, i * bs, p, bs);
	}
	s.s_header.h_magic = be32_of(JBD2_MAGIC_NUMBER);
	s.s_header.h_blocktype = be32_of(JBD2_SUPERBLOCK_V2);
	s.s_blocksize = be32_of(bs);
	s.s_maxlen = be32_of((uint32_t)shape->log_blocks);
	s.s_first = be32_of(1);
	s.s_sequence = be32_of(1);
	s.s_nr_users = be32_of(1);
	memset(s.s_uuid, 0x5a, sizeof(s.s_uuid));
	write_or_fail(d, toy_log_pblk(0) * bs, &s, sizeof(s));
	free(p);
}

/* ---- the journal's questions */

static int map_log_block(void *user, uint64_t lblk, uint64_t *pblk)
{
	*pblk = toy_log_pblk(lblk);
	return 0;
}

static int write_data(struct toy *t, uint32_t block, uint32_t op)
{
	uint32_t bs = t->shape.block_size;
	uint8_t *p = malloc(bs);
	int err;

	fill_block(p, bs, block, op);
	err = block_write(t->device, (uint64_t)block * bs, p, bs, 0);
	free(p);
	return err;
}

/* One block that waits to be written; block 0: none. */
static struct toy_pending next_pending(struct toy *t, size_t inode)
{
	struct toy_pending found = { 0 };

	guard(&t->lock);
	for (size_t i = 0; i < TOY_POOL_COUNT && !found.block; i++) {
		found = t->pending[inode][i];
		t->pending[inode][i].block = 0;
	}
	return found;
}

static int submit_ordered(void *user, struct jbd2_inode *ji)
{
	struct toy *t = user;
	size_t inode = (size_t)(ji - t->inodes);
	struct toy_pending p;
	int err = 0, e;

	while ((p = next_pending(t, inode)).block) {
		e = write_data(t, p.block, p.op);
		if (e)
			t->model->lost[p.block] = p.op;
		err = err ? err : e;
	}
	return err;
}

static int wait_ordered(void *user, struct jbd2_inode *ji)
{
	return 0;
}

static void committed(void *user, struct transaction *transaction, int err)
{
	struct toy *t = user;

	t->commits++;
}

static void note_abort(void *user, int err)
{
	struct toy *t = user;

	t->aborted = err;
}

static const struct journal_ops ops = {
	.map_log_block = map_log_block,
	.submit_ordered = submit_ordered,
	.wait_ordered = wait_ordered,
	.committed = committed,
	.aborted = note_abort,
};

/* ---- mount */

static int open_cache(struct toy *t)
{
	struct buffer_cache_options opt = {
		.arena = t->f->arena,
		.budget = t->budget,
		.device = t->device,
		.block_size = t->shape.block_size,
		.block_count = toy_blocks(&t->shape),
		.user = t,
	};

	return buffer_cache_create(&opt, &t->buffers);
}

static int open_journal(struct toy *t)
{
	struct journal_options opt = {
		.arena = t->f->arena,
		.sched = t->f->sched,
		.clock = &t->f->clock,
		.log = &t->f->log,
		.trace = t->trace,
		.buffers = t->buffers,
		.budget = t->budget,
		.device = t->shape.log_device ? t->shape.log_device : t->device,
		.device_name = "jbd2/toy",
		.ops = &ops,
		.user = t,
		.log_blocks = t->shape.log_blocks,
		.commit_interval_ns = t->shape.commit_interval_ns ? t->shape.commit_interval_ns
								  : CLOCK_NEVER,
		.memory_bytes = t->shape.memory_bytes,
		.barrier = !t->shape.no_barrier,
		.async_commit = t->shape.async_commit,
	};

	return jbd2_journal_open(&opt, &t->journal);
}

static int start_journal(struct toy *t)
{
	int err = jbd2_journal_recover(t->journal, false, &t->recovery);

	return err ? err : jbd2_journal_load(t->journal, t->shape.csum, t->shape.wide);
}

static void close_all(struct toy *t)
{
	buffer_cache_destroy(t->buffers);
	budget_destroy(t->budget);
	mutex_fini(&t->lock);
}

int toy_open(struct toy *t, struct fixture *f, struct block_device *d, const struct toy_shape *shape)
{
	int err;

	*t = (struct toy){ .f = f, .shape = *shape, .device = d,
			   .trace = shape->trace ? shape->trace : trace_none() };
	mutex_init(&t->lock, RANK_MAP);
	for (size_t i = 0; i < TOY_INODES; i++)
		jbd2_inode_init(&t->inodes[i], 100 + i, t);
	err = budget_create(f->arena, (size_t)64 << 20, &t->budget);
	if (!err)
		err = open_cache(t);
	if (!err)
		err = open_journal(t);
	if (err)
		close_all(t);
	return err;
}

int toy_mount(struct toy *t, struct fixture *f, struct block_device *d, const struct toy_shape *shape,
	      struct toy_model *model)
{
	int err = toy_open(t, f, d, shape);

	if (err)
		return err;
	t->model = model;
	if (model)
		memset(model->freed, 0, sizeof(model->freed));
	err = start_journal(t);
	if (err)
		(void)toy_umount(t);
	return err;
}

int toy_umount(struct toy *t)
{
	int err = jbd2_journal_destroy(t->journal);

	close_all(t);
	return err;
}

/* ---- the model */

static void apply(struct toy_state *s, const struct toy_op *op, uint32_t number)
{
	for (uint32_t i = 0; i < op->count; i++) {
		s->kind[op->effects[i].block] = op->effects[i].kind;
		s->op[op->effects[i].block] = number;
	}
}

static void state_after(const struct toy_model *m, uint32_t op, struct toy_state *s)
{
	memset(s, 0, sizeof(*s));
	for (uint32_t i = TOY_COUNTERS; i < TOY_COUNTERS + TOY_COUNTER_COUNT; i++)
		s->kind[i] = TOY_META;
	for (uint32_t i = 1; i <= op; i++)
		apply(s, &m->log[i], i);
}

struct toy_model *toy_model_create(void)
{
	struct toy_model *m = calloc(1, sizeof(*m));

	m->log = calloc(TOY_OPS_MAX, sizeof(*m->log));
	toy_model_rewind(m, 0);
	return m;
}

void toy_model_destroy(struct toy_model *m)
{
	free(m->log);
	free(m);
}

void toy_model_rewind(struct toy_model *m, uint32_t op)
{
	m->ops = op;
	state_after(m, op, &m->now);
}

/* ---- operations */

/*
 * One operation being done: its handle, the buffers it has access to, and what it will have done. All
 * that can fail comes first; then the bytes change.
 */
struct doing {
	struct toy *t;
	struct handle *h;
	uint32_t number;
	struct toy_op op;
	struct buffer *map, *buffers[TOY_EFFECTS];
	uint32_t created;		/* the block of a buffer made anew; 0: none */
	int err;
};

static void note_effect(struct doing *d, uint32_t block, enum toy_kind kind)
{
	assert_true(d->op.count < TOY_EFFECTS);
	d->op.effects[d->op.count++] = (struct toy_effect){ (uint16_t)block, (uint8_t)kind };
}

/* Access to a block of metadata that exists, or is made; it will be filled. */
static void write_metadata(struct doing *d, uint32_t block, bool create)
{
	struct toy *t = d->t;
	struct buffer *b = NULL;

	if (d->err)
		return;
	d->err = create ? buffer_create(t->buffers, block, &metadata, NULL, &b)
			: buffer_read(t->buffers, block, &metadata, NULL, &b);
	if (d->err)
		return;
	d->created = create ? block : d->created;
	d->buffers[d->op.count] = b;
	note_effect(d, block, TOY_META);
	d->err = create ? jbd2_journal_get_create_access(d->h, b)
			: jbd2_journal_get_write_access(d->h, b);
}

/* With the toy's lock: the handle is open. */
static void begin(struct doing *d, struct toy *t, struct handle *h)
{
	*d = (struct doing){ .t = t, .h = h, .number = t->model->ops + 1 };
	assert_true(d->number < TOY_OPS_MAX);
	d->op.tid = handle_tid(h);
	d->err = buffer_read(t->buffers, TOY_MAP, &metadata, NULL, &d->map);
	if (!d->err)
		d->err = jbd2_journal_get_write_access(h, d->map);
}

static void keep_error(struct doing *d, int err)
{
	d->err = d->err ? d->err : err;
}

static void fill_map(struct doing *d)
{
	struct toy_map map;

	memcpy(&map, d->map->data, sizeof(map));
	map.ops = d->number;
	for (uint32_t i = 0; i < d->op.count; i++)
		if (d->op.effects[i].block >= TOY_POOL)
			map.pool[d->op.effects[i].block - TOY_POOL] = d->number << 2 |
								      d->op.effects[i].kind;
	memcpy(d->map->data, &map, sizeof(map));
	keep_error(d, jbd2_journal_dirty_metadata(d->h, d->map));
}

static void change_bytes(struct doing *d)
{
	for (uint32_t i = 0; i < d->op.count; i++) {
		if (!d->buffers[i])
			continue;
		fill_block(d->buffers[i]->data, d->t->shape.block_size, d->op.effects[i].block,
			   d->number);
		keep_error(d, jbd2_journal_dirty_metadata(d->h, d->buffers[i]));
	}
	fill_map(d);
}

/* What a new block was made for has failed: it is free, and memory forgets it. */
static void undo_create(struct doing *d, struct buffer *b)
{
	assert_true(jbd2_journal_forget(d->h, b, b->block) == 0 || handle_aborted(d->h));
	buffer_forget(d->t->buffers, b->block);
}

/* The operation has happened, in memory and in the model, or not at all. */
static int end(struct doing *d)
{
	struct toy *t = d->t;
	bool failed = d->err != 0;

	if (!failed)
		change_bytes(d);
	for (uint32_t i = 0; i < d->op.count; i++) {
		if (failed && d->buffers[i] && d->buffers[i]->block == d->created)
			undo_create(d, d->buffers[i]);
		buffer_put(d->buffers[i]);
	}
	buffer_put(d->map);
	if (d->err)
		return d->err;
	t->model->ops = d->number;
	t->model->log[d->number] = d->op;
	apply(&t->model->now, &d->op, d->number);
	return 0;
}

static int start(struct toy *t, int credits, struct handle **h)
{
	return jbd2__journal_start(t->journal, credits, 0, 1, 1, h);
}

static int stop(struct handle *h, int err)
{
	int e = jbd2_journal_stop(h);

	return err ? err : e;
}

int toy_change_counters(struct toy *t, uint32_t first, uint32_t count)
{
	struct handle *h;
	struct doing d;
	int err = start(t, (int)count + 1, &h);

	if (err)
		return err;
	mutex_lock(&t->lock);
	begin(&d, t, h);
	for (uint32_t i = 0; i < count; i++)
		write_metadata(&d, TOY_COUNTERS + (first + i) % TOY_COUNTER_COUNT, false);
	err = end(&d);
	mutex_unlock(&t->lock);
	return stop(h, err);
}

static void add_pending(struct toy *t, struct handle *h, uint32_t block, uint32_t op)
{
	size_t inode = block % TOY_INODES;

	t->pending[inode][block - TOY_POOL] = (struct toy_pending){ block, op };
	jbd2_journal_inode_add(h, &t->inodes[inode], JI_WRITE_DATA | JI_WAIT_DATA);
}

int toy_alloc(struct toy *t, uint32_t block, enum toy_kind kind)
{
	struct handle *h;
	struct doing d;
	int err = start(t, 2, &h);

	if (err)
		return err;
	mutex_lock(&t->lock);
	begin(&d, t, h);
	/* Another task may have taken it. */
	if (t->model->now.kind[block] != TOY_FREE)
		keep_error(&d, -EAGAIN);
	else if (kind == TOY_META)
		write_metadata(&d, block, true);
	else
		note_effect(&d, block, TOY_DATA);
	err = end(&d);
	if (!err && kind == TOY_DATA)
		add_pending(t, h, block, d.number);
	mutex_unlock(&t->lock);
	return stop(h, err);
}

int toy_rewrite(struct toy *t, uint32_t block)
{
	struct handle *h;
	struct doing d;
	int err = start(t, 2, &h);

	if (err)
		return err;
	mutex_lock(&t->lock);
	begin(&d, t, h);
	if (t->model->now.kind[block] != TOY_META)
		keep_error(&d, -EAGAIN);
	else
		write_metadata(&d, block, false);
	err = end(&d);
	mutex_unlock(&t->lock);
	return stop(h, err);
}

static int free_metadata(struct toy *t, struct handle *h, uint32_t block)
{
	struct buffer *b = buffer_find(t->buffers, block);
	int err = jbd2_journal_revoke(h, block, b);

	buffer_put(b);
	if (!err)
		buffer_forget(t->buffers, block);
	return err;
}

int toy_free(struct toy *t, uint32_t block)
{
	struct handle *h;
	struct doing d;
	int err = start(t, 2, &h);

	if (err)
		return err;
	/* A commit under way may count on data that is to be dropped here. */
	err = jbd2_journal_begin_ordered_truncate(t->journal, &t->inodes[block % TOY_INODES]);
	if (err)
		return stop(h, err);
	mutex_lock(&t->lock);
	begin(&d, t, h);
	if (t->model->now.kind[block] == TOY_FREE)
		keep_error(&d, -EAGAIN);
	else if (!d.err && t->model->now.kind[block] == TOY_META)
		d.err = free_metadata(t, h, block);
	note_effect(&d, block, TOY_FREE);
	err = end(&d);
	if (!err) {
		t->model->freed[block] = d.op.tid;
		t->pending[block % TOY_INODES][block - TOY_POOL].block = 0;
	}
	mutex_unlock(&t->lock);
	return stop(h, err);
}

/* What was freed can be used once that is stable. */
static bool may_change(struct toy *t, uint32_t block, tid_t committed_tid)
{
	return t->model->now.kind[block] != TOY_FREE || !t->model->freed[block] ||
	       tid_after_eq(committed_tid, t->model->freed[block]);
}

uint32_t toy_find(struct toy *t, enum toy_kind kind, uint32_t from)
{
	struct journal_facts facts;

	jbd2_journal_facts(t->journal, &facts);
	guard(&t->lock);
	for (uint32_t i = 0; i < TOY_POOL_COUNT; i++) {
		uint32_t block = TOY_POOL + (from + i) % TOY_POOL_COUNT;

		if (t->model->now.kind[block] == kind && may_change(t, block, facts.committed))
			return block;
	}
	return 0;
}

int toy_operate(struct toy *t, struct random *r)
{
	uint32_t what = random_below(r, 10), from = random_below(r, TOY_POOL_COUNT), block;
	int err = -EAGAIN;

	if (what < 3 || (what < 6 && !(block = toy_find(t, TOY_FREE, from))))
		return toy_change_counters(t, from, 1 + random_below(r, 4));
	if (what < 6)
		err = toy_alloc(t, block, what == 5 ? TOY_DATA : TOY_META);
	else if (what < 8 && (block = toy_find(t, TOY_META, from)))
		err = what == 6 ? toy_rewrite(t, block) : toy_free(t, block);
	else if ((block = toy_find(t, what == 8 ? TOY_DATA : TOY_META, from)))
		err = toy_free(t, block);
	return err == -EAGAIN ? toy_change_counters(t, from, 1) : err;
}

int toy_sync(struct toy *t, uint32_t op)
{
	tid_t tid;

	{
		guard(&t->lock);
		tid = t->model->log[op].tid;
	}
	return op ? jbd2_complete_transaction(t->journal, tid) : 0;
}

/* ---- what a device must hold */

static const char *wrong(const char *what, uint32_t block, uint32_t op)
{
	static _Thread_local char text[100];

	snprintf(text, sizeof(text), "%s: block %u, operation %u", what, block, op);
	return text;
}

static const char *verify_block(struct block_device *d, const struct toy_shape *shape, uint32_t block,
				enum toy_kind kind, uint32_t op)
{
	uint8_t got[4096], want[4096];
	uint32_t bs = shape->block_size;

	if (kind == TOY_FREE)
		return NULL;
	fill_block(want, bs, block, op);
	if (kind == TOY_META)
		seal_bytes(want, bs);
	assert_int_equal(block_read(d, (uint64_t)block * bs, got, bs), 0);
	if (!memcmp(got, want, bs))
		return NULL;
	if (kind == TOY_META && !is_sealed(got, bs))
		return wrong("metadata is not sealed", block, op);
	return wrong(kind == TOY_META ? "metadata differs" : "data differs", block, op);
}

static const char *verify_map(const uint8_t *p, const struct toy_shape *shape, const struct toy_state *s,
			      uint32_t op)
{
	struct toy_map map;

	memcpy(&map, p, sizeof(map));
	if (!is_sealed(p, shape->block_size))
		return wrong("the map is not sealed", TOY_MAP, op);
	for (uint32_t i = 0; i < TOY_POOL_COUNT; i++) {
		uint32_t want = s->op[TOY_POOL + i] << 2 | s->kind[TOY_POOL + i];

		if (map.pool[i] != want)
			return wrong("the map differs", TOY_POOL + i, op);
	}
	return NULL;
}

const char *toy_verify(struct block_device *d, const struct toy_shape *shape, const struct toy_model *model,
		       uint32_t *op)
{
	struct toy_state s;
	uint8_t p[4096];
	struct toy_map map;
	const char *bad;

	assert_int_equal(block_read(d, TOY_MAP * shape->block_size, p, shape->block_size), 0);
	memcpy(&map, p, sizeof(map));
	*op = map.ops;
	if (map.magic != TOY_MAGIC || map.ops > model->ops)
		return wrong("no map", TOY_MAP, map.ops);
	state_after(model, map.ops, &s);
	bad = verify_map(p, shape, &s, map.ops);
	for (uint32_t i = TOY_COUNTERS; i < TOY_LOG && !bad; i++)
		if (s.kind[i] != TOY_DATA || model->lost[i] != s.op[i])
			bad = verify_block(d, shape, i, s.kind[i], s.op[i]);
	return bad;
}

const char *toy_recover_and_verify(struct fixture *f, struct block_device *d, const struct toy_shape *shape,
				   const struct toy_model *model, uint32_t *op)
{
	struct toy t;
	int err = toy_mount(&t, f, d, shape, NULL);

	if (err)
		return wrong("mount failed", 0, (uint32_t)-err);
	err = toy_umount(&t);
	return err ? wrong("umount failed", 0, (uint32_t)-err) : toy_verify(d, shape, model, op);
}

/* ---- deliberate faults */

#ifdef JBD2_MUTANT
int toy_main(int (*run)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		alarm(120);
		_exit(run() != 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		print_error("the fault was not found\n");
		return 1;
	}
	return 0;
}
#else
int toy_main(int (*run)(void))
{
	return run();
}
#endif
