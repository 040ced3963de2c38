/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading and verifying buffers.
 *
 * A buffer that is UPTODATE and of the kind and owner asked for is returned without a lock. Else
 * the asker takes BUFFER_IO, and with it reads what is not UPTODATE and verifies what is not
 * verified so. Another who wants the block meanwhile waits for the bit; when the device failed it
 * takes that error for its own, else it looks at the buffer anew.
 *
 * Bytes that fail their first verification are dropped (not UPTODATE), so that the next attempt
 * reads again. Bytes that are trusted as something else stay as they are: the new claim is what is
 * wrong. While others hold them as that, or have changed them, there is no question.
 */
#include <string.h>

#include "cache/buffer_internal.h"

#define READAHEAD_BATCH	64		/* blocks of one transfer */

static const struct buffer_owner nobody = { 0, 0 };

/*
 * kind and owner are changed with BUFFER_IO held: kind to NULL, owner, kind. A reader that sees the
 * same kind before and after has not read an owner of another.
 */
static void note_kind(struct buffer *b, const struct buffer_kind *kind,
		      const struct buffer_owner *owner)
{
	atomic_store_explicit(&b->kind, NULL, memory_order_relaxed);
	__atomic_store_n(&b->owner.ino, owner->ino, __ATOMIC_RELEASE);
	__atomic_store_n(&b->owner.csum_seed, owner->csum_seed, __ATOMIC_RELEASE);
	atomic_store_explicit(&b->kind, kind, memory_order_release);
}

static bool is_kind(struct buffer *b, const struct buffer_kind *kind,
		    const struct buffer_owner *owner)
{
	return atomic_load_explicit(&b->kind, memory_order_acquire) == kind &&
	       __atomic_load_n(&b->owner.ino, __ATOMIC_ACQUIRE) == owner->ino &&
	       __atomic_load_n(&b->owner.csum_seed, __ATOMIC_ACQUIRE) == owner->csum_seed &&
	       atomic_load_explicit(&b->kind, memory_order_relaxed) == kind;
}

static bool is_trusted(struct buffer *b, const struct buffer_kind *kind,
		       const struct buffer_owner *owner)
{
	return buffer_state(b) & BUFFER_UPTODATE && (!kind || is_kind(b, kind, owner));
}

void buffer_set_kind(struct buffer *b, const struct buffer_kind *kind,
		     const struct buffer_owner *owner)
{
	buffer_io_begin(b);
	note_kind(b, kind, owner ? owner : &nobody);
	atomic_fetch_or(&b->state, BUFFER_UPTODATE);
	buffer_io_end(b);
}

void buffer_wait_io(struct buffer *b)
{
	bit_wait_clear(&b->cache->io, b->block, &b->state, BUFFER_IO,
		       "transfer of a buffer to end");
}

/* ---- one buffer; with BUFFER_IO */

static void count_read(struct buffer_cache *c, uint64_t blocks)
{
	atomic_fetch_add_explicit(&c->reads, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->read_blocks, blocks, memory_order_relaxed);
}

static int read_bytes(struct buffer *b)
{
	struct buffer_cache *c = b->cache;
	uint32_t size = c->opt.block_size;
	int err;

	atomic_fetch_and(&b->state, ~BUFFER_ERROR);
	count_read(c, 1);
	err = block_read(c->opt.device, b->block * size, b->data, size);
	if (err) {
		atomic_store_explicit(&b->io_error, err, memory_order_relaxed);
		atomic_fetch_or(&b->state, BUFFER_ERROR);
		return err;
	}
	atomic_fetch_or(&b->state, BUFFER_UPTODATE);
	return 0;
}

/*
 * A buffer that was changed in memory lacks the checksum that its copies in the log and on the disk
 * have. So what is trusted already is verified again as a copy, sealed as what it is.
 */
static int verify_sealed(struct buffer *b, const struct buffer_kind *is,
			 const struct buffer_kind *as, const struct buffer_owner *owner)
{
	struct buffer_cache *c = b->cache;
	uint8_t *copy = arena_block_alloc(c->opt.arena, c->opt.block_size);
	int err;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, b->data, c->opt.block_size);
	if (is->seal)
		is->seal(c->opt.user, b->block, copy, &b->owner);
	err = as->verify(c->opt.user, b->block, copy, owner);
	arena_block_free(c->opt.arena, copy, c->opt.block_size);
	return err;
}

/* Besides the hash and the caller. */
static bool has_other_holders(struct buffer *b)
{
	return atomic_load_explicit(&b->refs, memory_order_relaxed) > 2;
}

/* It is trusted as something else. Who holds it as that may change it as that at any time. */
static int verify_again(struct buffer *b, const struct buffer_kind *kind,
			const struct buffer_owner *owner)
{
	const struct buffer_kind *is = atomic_load_explicit(&b->kind, memory_order_relaxed);
	int err;

	if (buffer_is_claimed(b) || (kind->verify && has_other_holders(b)))
		return buffer_damaged(b->cache, b->block, kind, owner, "claimed twice");
	if (!kind->verify)
		return 0;		/* any bytes will do: it stays what it is */
	err = verify_sealed(b, is, kind, owner);
	if (!err)
		note_kind(b, kind, owner);
	return err;
}

static int verify(struct buffer *b, const struct buffer_kind *kind,
		  const struct buffer_owner *owner)
{
	struct buffer_cache *c = b->cache;
	int err;

	if (b->page)
		return buffer_damaged(c, b->block, kind, owner,
				      "claimed, and is a file's data");
	if (atomic_load_explicit(&b->kind, memory_order_relaxed))
		return verify_again(b, kind, owner);
	err = kind->verify ? kind->verify(c->opt.user, b->block, b->data, owner) : 0;
	if (!err)
		note_kind(b, kind, owner);
	else if (!buffer_is_claimed(b))
		atomic_fetch_and(&b->state, ~BUFFER_UPTODATE);
	return err;
}

static int read_and_verify(struct buffer *b, const struct buffer_kind *kind,
			   const struct buffer_owner *owner)
{
	int err = 0;

	if (!(buffer_state(b) & BUFFER_UPTODATE))
		err = read_bytes(b);
	if (!err && kind && !is_kind(b, kind, owner))
		err = verify(b, kind, owner);
	return err;
}

/* The error of the read that was waited for; 0: there is none, or it was no read. */
static int error_of_other(struct buffer *b)
{
	uint32_t state = buffer_state(b);

	if (state & BUFFER_UPTODATE || !(state & BUFFER_ERROR))
		return 0;
	return atomic_load_explicit(&b->io_error, memory_order_relaxed);
}

static int make_trusted(struct buffer *b, const struct buffer_kind *kind,
			const struct buffer_owner *owner)
{
	int err;

	while (!bit_trylock(&b->state, BUFFER_IO)) {
		buffer_wait_io(b);
		if (is_trusted(b, kind, owner))
			return 0;
		err = error_of_other(b);
		if (err)
			return err;
	}
	err = read_and_verify(b, kind, owner);
	buffer_io_end(b);
	return err;
}

int buffer_read_held(struct buffer *b, const struct buffer_kind *kind,
		     const struct buffer_owner *owner)
{
	owner = owner ? owner : &nobody;
	return likely(is_trusted(b, kind, owner)) ? 0 : make_trusted(b, kind, owner);
}

int buffer_read(struct buffer_cache *c, uint64_t block, const struct buffer_kind *kind,
		const struct buffer_owner *owner, struct buffer **out)
{
	struct buffer *b;
	int err = buffer_get_for(c, block, kind, owner, &b);

	if (unlikely(err))
		return err;
	err = buffer_read_held(b, kind, owner);
	if (unlikely(err))
		buffer_put(b);
	else
		*out = b;
	return err;
}

/* ---- reading ahead */

struct run {
	struct buffer_cache *cache;
	struct buffer *buffers[READAHEAD_BATCH];
	struct iovec iov[READAHEAD_BATCH];
	int count;
};

static void run_end(struct run *r)
{
	for (int i = 0; i < r->count; i++) {
		buffer_io_end(r->buffers[i]);
		buffer_put(r->buffers[i]);
	}
	r->count = 0;
}

/* An error is not kept: who asks for one of these blocks reads it alone and learns it. */
static void run_read(struct run *r)
{
	struct buffer_cache *c = r->cache;
	struct block_io io = { .iov = r->iov, .iov_count = r->count };

	if (r->count == 0)
		return;
	io.offset = r->buffers[0]->block * c->opt.block_size;
	count_read(c, (uint64_t)r->count);
	if (!block_readv(c->opt.device, &io)) {
		for (int i = 0; i < r->count; i++)
			atomic_fetch_or(&r->buffers[i]->state, BUFFER_UPTODATE);
	}
	run_end(r);
}

/* False when memory is out. A block that is in memory, in whatever state, ends the run. */
static bool run_add(struct run *r, uint64_t block)
{
	struct buffer *b = buffer_hash_find(r->cache, block);
	bool is_new = false;

	if (!b && buffer_get_or_insert(r->cache, block, BUFFER_IO, &b, &is_new))
		return false;
	if (!is_new) {
		buffer_put(b);
		run_read(r);
		return true;
	}
	r->buffers[r->count] = b;
	r->iov[r->count++] = (struct iovec){ b->data, r->cache->opt.block_size };
	if (r->count == READAHEAD_BATCH)
		run_read(r);
	return true;
}

void buffer_readahead(struct buffer_cache *c, uint64_t block, uint32_t count)
{
	uint64_t limit = atomic_load_explicit(&c->block_count, memory_order_relaxed);
	struct run r = { .cache = c };

	for (uint32_t i = 0; i < count && block + i < limit && !budget_is_short(c->opt.budget);
	     i++) {
		if (!run_add(&r, block + i))
			break;
	}
	run_read(&r);
}
