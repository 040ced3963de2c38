/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dirty buffers, and writing in place.
 *
 * Dirty buffers are kept in a tree by block, each held by it. Writing goes through it in ascending
 * order, a batch at a time: a batch is taken (BUFFER_IO set, DIRTY cleared), sealed, merged into
 * vectored transfers and written without a lock. So a change that comes while a buffer is being
 * written makes it dirty again, and the write that follows corrects what this one may have torn. A
 * buffer leaves the tree when it has been written: another who goes through it meanwhile finds it
 * and waits, so that what was dirty before buffer_write_dirty is written after it.
 *
 * Rules
 *
 *	W1  A buffer with a journal_head is not written by buffer_write_dirty. BUFFER_IO is set
 *	    before journal_head is looked at; who sets journal_head looks at BUFFER_IO after that.
 *	    One of the two sees the other.
 *	W2  Who holds BUFFER_IO of a batch takes further bits only if they are free. A busy buffer
 *	    ends the batch, and is waited for with empty hands.
 *	W3  After buffer_forget nothing is written: FORGOTTEN keeps a failed write from making it
 *	    dirty.
 */
#include "base/assert.h"
#include "cache/buffer_internal.h"

#define BATCH_BUFFERS	256

/* ---- the tree of dirty buffers */

static struct buffer *buffer_of(struct rb_node *node)
{
	return node ? rb_entry(node, struct buffer, dirty_node) : NULL;
}

static void queue(struct buffer *b) REQUIRES(b->cache->dirty_lock)
{
	struct rb_tree *tree = &b->cache->dirty;
	struct rb_node **link = &tree->root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = b->block < buffer_of(parent)->block ? &parent->left : &parent->right;
	}
	rb_insert(tree, &b->dirty_node, parent, link);
	atomic_fetch_or(&b->state, BUFFER_QUEUED);
	b->cache->dirty_count++;
	buffer_hold(b);
}

/* The tree's reference becomes the caller's. */
static void unqueue(struct buffer *b) REQUIRES(b->cache->dirty_lock)
{
	rb_remove(&b->cache->dirty, &b->dirty_node);
	atomic_fetch_and(&b->state, ~BUFFER_QUEUED);
	b->cache->dirty_count--;
}

static struct buffer *first_from(struct buffer_cache *c, uint64_t block) REQUIRES(c->dirty_lock)
{
	struct rb_node *node = c->dirty.root;
	struct buffer *found = NULL;

	while (node) {
		if (buffer_of(node)->block >= block) {
			found = buffer_of(node);
			node = node->left;
		} else {
			node = node->right;
		}
	}
	return found;
}

/*
 * DIRTY is set by an atomic exchange even where it is set already: it orders the caller's change
 * before the clearing that precedes the write.
 */
void buffer_mark_dirty(struct buffer *b)
{
	uint32_t before = atomic_fetch_or(&b->state, BUFFER_DIRTY);

	if (before & BUFFER_DIRTY && before & BUFFER_QUEUED)
		return;
	guard(&b->cache->dirty_lock);
	before = buffer_state(b);
	if (before & BUFFER_FORGOTTEN)
		atomic_fetch_and(&b->state, ~BUFFER_DIRTY);
	else if (before & BUFFER_DIRTY && !(before & BUFFER_QUEUED))
		queue(b);
}

static bool unqueue_if(struct buffer *b, bool condition) REQUIRES(b->cache->dirty_lock)
{
	bool leaves = condition && buffer_state(b) & BUFFER_QUEUED;

	if (leaves)
		unqueue(b);
	return leaves;
}

bool buffer_clear_dirty(struct buffer *b)
{
	bool was_dirty, leaves;

	mutex_lock(&b->cache->dirty_lock);
	was_dirty = atomic_fetch_and(&b->state, ~BUFFER_DIRTY) & BUFFER_DIRTY;
	leaves = unqueue_if(b, true);
	mutex_unlock(&b->cache->dirty_lock);
	if (leaves)
		buffer_put(b);
	return was_dirty;
}

void buffer_drop_dirty(struct buffer_cache *c)
{
	struct buffer *b;

	for (;;) {
		mutex_lock(&c->dirty_lock);
		b = first_from(c, 0);
		if (b)
			buffer_hold(b);
		mutex_unlock(&c->dirty_lock);
		if (!b)
			return;
		(void)buffer_clear_dirty(b); /* that it is dropped is what was asked for */
		buffer_put(b);
	}
}

/* ---- around a transfer; with BUFFER_IO */

static void seal(struct buffer *b)
{
	const struct buffer_kind *kind = atomic_load_explicit(&b->kind, memory_order_acquire);

	if (kind && kind->seal)
		kind->seal(b->cache->opt.user, b->block, b->data, &b->owner);
}

/* Ends the transfer; the caller has a reference of its own. */
static void written(struct buffer *b, int err, bool was_dirty)
{
	bool leaves;

	if (err) {
		atomic_fetch_or(&b->state, BUFFER_ERROR);
		if (was_dirty)
			buffer_mark_dirty(b);
	} else {
		atomic_fetch_and(&b->state, ~(BUFFER_NEW | BUFFER_ERROR));
	}
	mutex_lock(&b->cache->dirty_lock);
	leaves = unqueue_if(b, !(buffer_state(b) & BUFFER_DIRTY));
	mutex_unlock(&b->cache->dirty_lock);
	buffer_io_end(b);
	if (leaves)
		buffer_put(b);
}

static void count_writes(struct buffer_cache *c, uint64_t transfers, uint64_t blocks)
{
	atomic_fetch_add_explicit(&c->writes, transfers, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->write_blocks, blocks, memory_order_relaxed);
}

int buffer_write_sync(struct buffer *b, unsigned flags)
{
	struct buffer_cache *c = b->cache;
	uint32_t size = c->opt.block_size;
	bool was_dirty;
	int err;

	buffer_io_begin(b);
	was_dirty = atomic_fetch_and(&b->state, ~BUFFER_DIRTY) & BUFFER_DIRTY;
	seal(b);
	count_writes(c, 1, 1);
	err = block_write(c->opt.device, b->block * size, b->data, size, flags);
	written(b, err, was_dirty);
	return err;
}

/* ---- all of them */

struct batch {
	struct buffer_cache *cache;
	uint64_t next;			/* where the walk goes on */
	struct buffer *busy;		/* referenced: in transfer, to be waited for */
	int count, io_count;
	struct buffer *buffers[BATCH_BUFFERS];
	struct iovec iov[BATCH_BUFFERS];
	struct block_io ios[BATCH_BUFFERS];
};

/*
 * With BUFFER_IO; it goes with the batch unless the journal has it, or somebody has just written
 * it.
 */
static void batch_take(struct batch *batch, struct buffer *b) REQUIRES(batch->cache->dirty_lock)
{
	batch->next = b->block + 1;
	if (atomic_load(&b->journal_head) || !(buffer_state(b) & BUFFER_DIRTY)) {
		buffer_io_end(b);
		return;
	}
	atomic_fetch_and(&b->state, ~BUFFER_DIRTY);
	batch->buffers[batch->count++] = buffer_hold(b);
}

/* Fills the batch from `next` on. False: there is nothing more. */
static bool batch_fill(struct batch *batch)
{
	struct buffer *b;

	guard(&batch->cache->dirty_lock);
	for (b = first_from(batch->cache, batch->next); b && batch->count < BATCH_BUFFERS;
	     b = buffer_of(rb_next(&b->dirty_node))) {
		if (atomic_load(&b->journal_head))
			continue;
		if (!bit_trylock(&b->state, BUFFER_IO)) {
			batch->next = b->block;
			batch->busy = batch->count == 0 ? buffer_hold(b) : NULL;
			return true;
		}
		batch_take(batch, b);
	}
	return batch->count > 0;
}

/* One transfer for each run of neighbours. */
static void batch_merge(struct batch *batch)
{
	uint32_t size = batch->cache->opt.block_size;
	struct block_io *io = NULL;

	batch->io_count = 0;
	for (int i = 0; i < batch->count; i++) {
		struct buffer *b = batch->buffers[i];

		seal(b);
		batch->iov[i] = (struct iovec){ b->data, size };
		if (!io || batch->buffers[i - 1]->block + 1 != b->block) {
			io = &batch->ios[batch->io_count++];
			*io = (struct block_io){ .offset = b->block * size, .iov = &batch->iov[i],
						 .flags = BLOCK_META };
		}
		io->iov_count++;
	}
}

static int batch_write(struct batch *batch)
{
	int err;

	if (batch->count == 0)
		return 0;
	batch_merge(batch);
	count_writes(batch->cache, (uint64_t)batch->io_count, (uint64_t)batch->count);
	err = block_writev_batch(batch->cache->opt.device, batch->ios, batch->io_count);
	for (int i = 0; i < batch->count; i++) {
		written(batch->buffers[i], err, true);
		buffer_put(batch->buffers[i]);
	}
	batch->count = 0;
	return err;
}

static void batch_wait_busy(struct batch *batch)
{
	if (!batch->busy)
		return;
	buffer_wait_io(batch->busy);
	buffer_put(batch->busy);
	batch->busy = NULL;
}

int buffer_write_dirty(struct buffer_cache *c)
{
	struct batch batch;
	int err, first = 0;

	batch.cache = c;
	batch.next = 0;
	batch.busy = NULL;
	batch.count = 0;
	while (batch_fill(&batch)) {
		batch_wait_busy(&batch);
		err = batch_write(&batch);
		first = first ? first : err;
	}
	budget_cleaned(c->opt.budget);
	return first;
}
