/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log writer: it lays a transaction out in the log buffer and writes that, run by run, with one
 * vectored call.
 *
 *	log buffer	revoke ...  descriptor  block block ...  descriptor  block ...
 *	log		the same, at the blocks of the ring that follow each other
 *
 * Each block gets its place in the log (asked of the user, in this order) and a slot of the buffer. It is
 * copied there, sealed by its kind, escaped when it begins with the journal's magic, and summed; from
 * then on the live block is free to change. A descriptor is complete, and sealed, when it is closed.
 *
 * The buffer is made of pieces reserved with the transaction's handles (one is always there), 4 MiB at
 * most. A transaction that is larger goes in several phases. Nothing here allocates.
 */
#include "jbd2/internal.h"

#include <string.h>

#include "base/csum.h"

#define RUNS_MAX 128		/* pieces of log or of memory in one vectored call */
#define GROUP_MIN 2u		/* blocks that must fit behind each other: a descriptor and one more */

struct log_writer {
	struct journal *j;
	struct transaction *t;
	uint32_t sum_v1;		/* of descriptors and blocks so far */
	uint32_t count;			/* blocks and descriptors of the transaction */

	uint8_t *chunks[LOG_CHUNKS_MAX + 2];
	uint32_t chunk_count, base_chunks;
	uint32_t slots, used;		/* blocks that fit, blocks in it */

	uint8_t *descriptor;		/* open; NULL: none */
	uint32_t descriptor_slot;
	uint32_t tags, tags_max;
	uint8_t *tag_at;		/* where the next one goes */

	struct block_io ios[RUNS_MAX];
	struct iovec iovs[RUNS_MAX];
	int io_count, iov_count;
	uint64_t next_offset;		/* of the log device: where the last run ends */

	uint8_t *record;		/* the commit block */
};

/* ---- life */

static uint32_t slots_per_chunk(const struct journal *j)
{
	return (uint32_t)(j->chunks.piece_bytes / j->block_size);
}

/* The pieces that are always there: enough for a descriptor and a block. */
static int add_base_chunks(struct log_writer *w)
{
	while (w->base_chunks * slots_per_chunk(w->j) < GROUP_MIN) {
		uint8_t *piece = pool_take(&w->j->chunks);

		if (!piece)
			return -ENOMEM;
		w->chunks[w->base_chunks++] = piece;
	}
	return 0;
}

int log_writer_create(struct journal *j)
{
	struct log_writer *w = arena_new(j->arena, struct log_writer);
	int err;

	if (!w)
		return -ENOMEM;
	w->j = j;
	j->writer = w;
	w->record = arena_block_alloc(j->arena, j->block_size);
	err = w->record ? add_base_chunks(w) : -ENOMEM;
	if (err)
		log_writer_destroy(j);
	return err;
}

void log_writer_destroy(struct journal *j)
{
	struct log_writer *w = j->writer;

	if (!w)
		return;
	while (w->base_chunks)
		pool_give(&j->chunks, w->chunks[--w->base_chunks]);
	if (w->record)
		arena_block_free(j->arena, w->record, j->block_size);
	arena_free(j->arena, w);
	j->writer = NULL;
}

void log_writer_begin(struct log_writer *w, struct transaction *t)
{
	uint32_t extra = t->chunks;

	w->t = t;
	w->sum_v1 = ~0u;
	w->count = 0;
	w->chunk_count = w->base_chunks;
	while (extra--)
		w->chunks[w->chunk_count++] = pool_take_reserved(&w->j->chunks);
	t->chunks = 0;
	w->slots = w->chunk_count * slots_per_chunk(w->j);
	w->used = 0;
	w->descriptor = NULL;
	w->io_count = w->iov_count = 0;
}

void log_writer_end(struct log_writer *w)
{
	while (w->chunk_count > w->base_chunks)
		pool_give(&w->j->chunks, w->chunks[--w->chunk_count]);
	w->t = NULL;
}

uint32_t log_writer_count(const struct log_writer *w)
{
	return w->count;
}

/* ---- the buffer */

static uint8_t *slot(const struct log_writer *w, uint32_t i)
{
	uint32_t per = slots_per_chunk(w->j);

	return w->chunks[i / per] + (size_t)(i % per) * w->j->block_size;
}

/* Its bytes are to go to `offset` of the log device. */
static void add_run(struct log_writer *w, uint8_t *bytes, uint64_t offset)
{
	uint32_t len = w->j->block_size;
	struct iovec *last = w->iov_count ? &w->iovs[w->iov_count - 1] : NULL;

	if (!w->io_count || offset != w->next_offset) {
		w->ios[w->io_count++] = (struct block_io){ .offset = offset,
							   .iov = &w->iovs[w->iov_count],
							   .flags = BLOCK_META | BLOCK_SYNC };
		last = NULL;
	}
	if (last && (uint8_t *)last->iov_base + last->iov_len == bytes) {
		last->iov_len += len;
	} else {
		w->iovs[w->iov_count++] = (struct iovec){ .iov_base = bytes, .iov_len = len };
		w->ios[w->io_count - 1].iov_count++;
	}
	w->next_offset = offset + len;
}

/* The next block of the log, and its bytes in the buffer, which has room. */
static int take_slot(struct log_writer *w, uint8_t **bytes, uint64_t *pblk)
{
	int err = log_take_block(w->j, w->t, pblk);

	if (err)
		return err;
	*bytes = slot(w, w->used++);
	add_run(w, *bytes, *pblk * w->j->block_size);
	return 0;
}

/* Room for `n` more blocks, at the worst each a run of its own, in log and memory. */
static bool has_room(const struct log_writer *w, uint32_t n)
{
	return w->used + n <= w->slots && w->iov_count + (int)n <= RUNS_MAX;
}

/* ---- descriptors */

static void sum_group(struct log_writer *w)
{
	uint32_t i;

	if (!w->j->layout.sum_v1)
		return;
	for (i = w->descriptor_slot; i <= w->descriptor_slot + w->tags; i++)
		w->sum_v1 = crc32_be(w->sum_v1, slot(w, i), w->j->block_size);
}

static void mark_last_tag(const struct log_writer *w, uint8_t *at)
{
	struct log_tag tag;

	log_tag_get(&w->j->layout, at, &tag);
	tag.flags |= JBD2_FLAG_LAST_TAG;
	log_tag_put(&w->j->layout, at, &tag);
}

static void close_descriptor(struct log_writer *w)
{
	const struct log_layout *l = &w->j->layout;
	uint32_t back = log_tag_bytes(l);

	if (!w->descriptor)
		return;
	if (w->tags == 1)
		back += JBD2_TAG_UUID_SIZE;
	mark_last_tag(w, w->tag_at - back);
	log_block_seal(l, w->descriptor);
	sum_group(w);
	w->descriptor = NULL;
}

static int open_descriptor(struct log_writer *w)
{
	uint64_t pblk;
	int err;

	w->descriptor_slot = w->used;
	err = take_slot(w, &w->descriptor, &pblk);
	if (err) {
		w->descriptor = NULL;
		return err;
	}
	memset(w->descriptor, 0, w->j->block_size);
	log_header_put(w->descriptor, JBD2_DESCRIPTOR_BLOCK, w->t->tid);
	w->tag_at = w->descriptor + sizeof(struct journal_header_s);
	w->tags = 0;
	w->tags_max = log_tags_per_block(&w->j->layout);
	w->count++;
	return 0;
}

/* One descriptor for the next block: the open one, or, that full, a new one. */
static int make_place(struct log_writer *w)
{
	int err;

	if (w->descriptor && w->tags < w->tags_max && has_room(w, 1))
		return 0;
	close_descriptor(w);
	if (!has_room(w, GROUP_MIN)) {
		err = log_writer_flush(w);
		if (err)
			return err;
	}
	return open_descriptor(w);
}

static void add_tag(struct log_writer *w, struct log_tag *tag)
{
	const struct log_layout *l = &w->j->layout;

	if (w->tags > 0)
		tag->flags |= JBD2_FLAG_SAME_UUID;
	log_tag_put(l, w->tag_at, tag);
	w->tag_at += log_tag_bytes(l);
	if (w->tags == 0) {
		memcpy(w->tag_at, l->uuid, sizeof(l->uuid));
		w->tag_at += JBD2_TAG_UUID_SIZE;
	}
	w->tags++;
}

/* ---- blocks */

struct sealing {
	const struct buffer_kind *kind;
	struct buffer_owner owner;
};

/* What the transaction made of the block: its copy, or the live bytes. The buffer is LOGGED then. */
static void copy_block(struct log_writer *w, struct journal_head *jh, uint8_t *to, uint64_t pblk,
		       struct sealing *seal)
{
	struct buffer *b = jh->buffer;
	struct journal *j = w->j;

	guard(&b->state_lock);
	memcpy(to, jh->frozen ? jh->frozen : b->data, j->block_size);
	seal->kind = jh->frozen ? jh->frozen_kind
				: atomic_load_explicit(&b->kind, memory_order_relaxed);
	seal->owner = jh->frozen ? jh->frozen_owner : b->owner;
	pool_give(&j->copies, jh->frozen);
	jh->frozen = NULL;
	jh->log_pblk = pblk;
	guard(&j->list_lock);
	jh_file(jh, w->t, JH_LOGGED);
}

static bool escape(uint8_t *block)
{
	be32 magic = be32_of(JBD2_MAGIC_NUMBER);

	if (memcmp(block, &magic, sizeof(magic)) != 0)
		return false;
	memset(block, 0, sizeof(magic));
	return true;
}

int log_writer_block(struct log_writer *w, struct journal_head *jh)
{
	struct journal *j = w->j;
	struct log_tag tag = { .block = jh->buffer->block };
	struct sealing seal;
	uint8_t *bytes;
	uint64_t pblk;
	int err = make_place(w);

	if (!err)
		err = take_slot(w, &bytes, &pblk);
	if (err)
		return err;
	copy_block(w, jh, bytes, pblk, &seal);
	if (seal.kind && seal.kind->seal)
		seal.kind->seal(buffer_cache_user(j->opt.buffers), tag.block, bytes, &seal.owner);
	jh->log_escaped = escape(bytes);
	if (jh->log_escaped)
		tag.flags |= JBD2_FLAG_ESCAPE;
	if (j->layout.sealed)
		tag.checksum = log_data_sum(&j->layout, w->t->tid, bytes);
	add_tag(w, &tag);
	w->count++;
	return 0;
}

/* ---- revoke blocks */

static uint8_t *put_record(const struct log_layout *l, uint8_t *at, uint64_t block)
{
	be32 narrow = be32_of((uint32_t)block);
	be64 wide = be64_of(block);
	size_t len = l->wide ? sizeof(wide) : sizeof(narrow);

	memcpy(at, l->wide ? (void *)&wide : (void *)&narrow, len);
	return at + len;
}

/* Fills one block with the records from *n on; *n is the next one then. */
static void fill_revoke_block(struct log_writer *w, uint8_t *bytes, struct rb_node **n)
{
	const struct log_layout *l = &w->j->layout;
	uint32_t left = log_revokes_per_block(l);
	uint8_t *at = bytes + sizeof(struct jbd2_journal_revoke_header_s);
	be32 count;

	memset(bytes, 0, w->j->block_size);
	log_header_put(bytes, JBD2_REVOKE_BLOCK, w->t->tid);
	for (; *n && left; *n = rb_next(*n), left--)
		at = put_record(l, at, rb_entry(*n, struct revoke_record, node)->block);
	count = be32_of((uint32_t)(at - bytes));
	memcpy(bytes + offsetof(struct jbd2_journal_revoke_header_s, r_count), &count, sizeof(count));
	log_block_seal(l, bytes);
}

/* The transaction is locked: nobody adds a record. */
int log_writer_revokes(struct log_writer *w)
{
	struct rb_node *n = rb_first(&w->t->revokes);
	uint8_t *bytes;
	uint64_t pblk;
	int err;

	while (n) {
		err = has_room(w, 1) ? 0 : log_writer_flush(w);
		if (!err)
			err = take_slot(w, &bytes, &pblk);
		if (err)
			return err;
		fill_revoke_block(w, bytes, &n);
	}
	return 0;
}

/* ---- writing */

int log_writer_flush(struct log_writer *w)
{
	int err = 0;

	close_descriptor(w);
	if (w->io_count)
		err = block_writev_batch(w->j->log_device, w->ios, w->io_count);
	w->io_count = w->iov_count = 0;
	w->used = 0;
	return err;
}

int log_writer_record(struct log_writer *w, unsigned flags)
{
	struct journal *j = w->j;
	uint64_t pblk;
	int err = log_take_block(j, w->t, &pblk);

	if (err)
		return err;
	log_commit_put(&j->layout, w->record, w->t->tid, clock_realtime(j->opt.clock), w->sum_v1);
	return block_write(j->log_device, pblk * j->block_size, w->record, j->block_size,
			   flags | BLOCK_META | BLOCK_SYNC);
}
