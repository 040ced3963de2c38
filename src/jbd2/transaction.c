/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a buffer stands in the journal, and how a handle moves it.
 *
 * A transaction
 *
 *	          start of the first handle
 *	(none) ----------------------------> RUNNING      handles join and leave
 *	                                        |         commit asked for: fsync, age, size
 *	                                     LOCKED       no new handles; those open finish
 *	                                        |         now the next transaction may run
 *	                                     FLUSH        ordered data is written
 *	                                        |
 *	                                     LOGGING      blocks go into the log buffer and the log
 *	                                        |
 *	                                     RECORD       flush, commit block
 *	                                        |
 *	                                     FINISHED     on journal->checkpoints until its blocks are
 *	                                                  in place or logged again by a later one
 *
 * A buffer, in one transaction
 *
 *	             get_write_access            dirty_metadata              commit copies it
 *	(NOWHERE) ------------------> RESERVED -----------------> METADATA -----------------> LOGGED
 *	                                 |                            |                          |
 *	                 never dirtied,  |            forget, revoke  |           transaction is stable
 *	             transaction locked  v                            v                          v
 *	                             (NOWHERE)                      FORGET                   (NOWHERE),
 *	                                                              | stable      on the checkpoint list
 *	                                                              v
 *	                                            off any checkpoint list, gone
 *
 * While a buffer is in the committing transaction, the running one is its next_transaction. If it is not
 * yet LOGGED its bytes are copied out first (frozen); after that the live bytes belong to the running one.
 * When the commit ends, the buffer moves over: METADATA if the running one dirtied it, RESERVED if not,
 * FORGET if it freed it.
 *
 * Apart from that a buffer is on the checkpoint list of the last committed transaction that logged it,
 * until its committed content is in place (cp_dirty) and reaped. That content is
 *
 *	the live bytes		while the buffer is in no transaction: nobody may change it then
 *	the copy in the log	otherwise (cp_log_pblk)
 *
 * so it can always be written in place without waiting for a commit (J1).
 *
 * Rules
 *
 * - A buffer has a journal_head while it is in a transaction or on a checkpoint list; the journal_head
 *   holds a reference to it.
 * - Only the commit task takes buffers out of the committing transaction.
 * - The first access to a block in a transaction takes memory that was reserved for one of the handle's
 *   credits; with no credit left, there is no access (J6).
 */
#include "jbd2/internal.h"

#include <string.h>

/* ---- lists */

void transaction_init(struct transaction *t, struct journal *j)
{
	*t = (struct transaction){ .journal = j };
	list_init(&t->reserved);
	list_init(&t->metadata);
	list_init(&t->logged);
	list_init(&t->forget);
	list_init(&t->inodes);
	list_init(&t->callbacks);
	list_init(&t->link);
	list_init(&t->checkpoint);
}

static struct list *list_of(struct transaction *t, enum jh_place place)
{
	switch (place) {
	case JH_RESERVED:
		return &t->reserved;
	case JH_METADATA:
		return &t->metadata;
	case JH_LOGGED:
		return &t->logged;
	case JH_FORGET:
		return &t->forget;
	case JH_NOWHERE:
		break;
	}
	ensure(!"a buffer in a transaction has a place");
	return NULL;
}

static bool counts_as_block(enum jh_place place)
{
	return place == JH_METADATA || place == JH_LOGGED;
}

void jh_unfile(struct journal_head *jh)
{
	struct transaction *t = jh->transaction;

	if (!t)
		return;
	list_remove(&jh->link);
	t->block_count -= counts_as_block(jh->place);
	if (jh->place == JH_METADATA)
		atomic_fetch_sub_explicit(&t->unlogged, 1, memory_order_relaxed);
	jh->transaction = NULL;
	jh->place = JH_NOWHERE;
}

void jh_file(struct journal_head *jh, struct transaction *t, enum jh_place place)
{
	jh_unfile(jh);
	list_add_tail(list_of(t, place), &jh->link);
	t->block_count += counts_as_block(place);
	if (place == JH_METADATA)
		atomic_fetch_add_explicit(&t->unlogged, 1, memory_order_relaxed);
	jh->transaction = t;
	jh->place = place;
}

static bool jh_is_used(const struct journal_head *jh)
{
	return jh->transaction || jh->cp_transaction;
}

static void jh_detach(struct journal_head *jh)
{
	struct buffer *b = jh->buffer;

	ensure(!jh->next_transaction && !jh->cp_writing && !jh->frozen);
	atomic_store(&b->journal_head, NULL);
	if (jh->was_dirty)
		buffer_mark_dirty(b);
}

struct buffer *jh_release(struct journal *j, struct journal_head *jh)
{
	struct buffer *b = jh->buffer;

	if (jh_is_used(jh))
		return NULL;
	jh_detach(jh);
	pool_give(&j->copies, jh->committed);
	pool_give(&j->heads, jh);
	return b;
}

struct buffer *jh_reclaim(struct journal *j, struct journal_head *jh)
{
	struct buffer *b = jh->buffer;

	if (jh->transaction || jh->committed || jh->cp_dirty || jh->cp_writing)
		return NULL;
	checkpoint_remove(j, jh);
	jh_detach(jh);
	pool_free(&j->heads, jh);
	return b;
}

static void drop_one_reserved(struct journal *j, struct journal_head *jh)
{
	struct buffer *b = jh->buffer, *put;

	mutex_lock(&b->state_lock);
	mutex_lock(&j->list_lock);
	jh_unfile(jh);
	put = jh_release(j, jh);
	mutex_unlock(&j->list_lock);
	mutex_unlock(&b->state_lock);
	buffer_put(put);
}

static struct journal_head *first_of(struct journal *j, struct list *l)
{
	guard(&j->list_lock);
	return list_first(l, struct journal_head, link);
}

void transaction_drop_reserved(struct journal *j, struct transaction *t)
{
	struct journal_head *jh;

	while ((jh = first_of(j, &t->reserved)))
		drop_one_reserved(j, jh);
}

/* ---- access */

/* It must be written without journal no more; a write that is under way has ended. */
static bool take_from_cache(struct buffer *b)
{
	bool dirty;

	if (atomic_load(&b->journal_head))
		return false;
	dirty = buffer_clear_dirty(b);
	buffer_wait_io(b);
	return dirty;
}

static struct journal_head *take_head(struct open_handle *oh)
{
	struct pool *p = &oh->handle.journal->heads;

	if (!oh->heads)
		return pool_take(p);
	oh->heads--;
	return pool_take_reserved(p);
}

/* With its state_lock. NULL: no memory. */
static struct journal_head *attach(struct handle *h, struct buffer *b)
{
	struct journal_head *jh = take_head(open_handle_of(h));

	if (!jh)
		return NULL;
	*jh = (struct journal_head){ .buffer = buffer_hold(b) };
	list_init(&jh->link);
	list_init(&jh->cp_link);
	atomic_store(&b->journal_head, jh);
	return jh;
}

static uint8_t *take_copy(struct handle *h)
{
	struct open_handle *oh = open_handle_of(h);
	struct pool *p = &h->journal->copies;

	if (!oh->copies)
		return pool_take(p);
	oh->copies--;
	return pool_take_reserved(p);
}

/* The committing transaction keeps what it made of the block; the live bytes may be changed. */
static int copy_out(struct handle *h, struct journal_head *jh)
{
	struct buffer *b = jh->buffer;
	uint8_t *copy;

	if (jh->place != JH_METADATA || jh->frozen || MUTANT(no_copy_out))
		return 0;
	copy = take_copy(h);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, b->data, h->journal->block_size);
	jh->frozen_kind = atomic_load_explicit(&b->kind, memory_order_relaxed);
	jh->frozen_owner = b->owner;
	jh->frozen = copy;
	return 0;
}

/* The handle's transaction has it already, and not as one that it freed. */
static bool is_in(const struct journal_head *jh, const struct transaction *t)
{
	if (jh->transaction == t)
		return jh->place != JH_FORGET;
	return jh->next_transaction == t && !jh->next_forget;
}

static bool is_modified_in(const struct journal_head *jh, const struct transaction *t)
{
	return jh->transaction == t ? jh->modified : jh->next_transaction == t && jh->next_modified;
}

/* With its state_lock. */
static int enter_transaction(struct handle *h, struct journal_head *jh)
{
	struct transaction *t = h->transaction;
	struct journal *j = h->journal;
	int err;

	if (jh->transaction && jh->transaction != t) {
		err = copy_out(h, jh);
		if (err)
			return err;
		guard(&j->list_lock);
		jh->next_transaction = t;
		jh->next_modified = jh->next_forget = false;
	} else {
		guard(&j->list_lock);
		jh_file(jh, t, JH_RESERVED);
		jh->modified = jh->only_freed = false;
	}
	revoke_cancel(h, jh->buffer->block);
	return 0;
}

/* With its state_lock. A journal_head made here that cannot enter goes again. */
static int enter_new(struct handle *h, struct buffer *b, bool was_dirty)
{
	struct journal_head *jh = attach(h, b);
	int err;

	if (!jh)
		return -ENOMEM;
	err = enter_transaction(h, jh);
	ensure(!err);
	jh->was_dirty = was_dirty;
	return 0;
}

static bool out_of_credits(const struct handle *h)
{
	return h->credits <= 0 && !MUTANT(credit_unchecked) && !MUTANT(credits_short);
}

static int take_access_locked(struct handle *h, struct buffer *b, bool was_dirty)
{
	struct journal_head *jh = atomic_load(&b->journal_head);

	if (jh && was_dirty)
		jh->was_dirty = true;
	if (jh && is_modified_in(jh, h->transaction))
		return 0;
	if (out_of_credits(h))
		return -ENOSPC;
	if (!jh)
		return enter_new(h, b, was_dirty);
	return is_in(jh, h->transaction) ? 0 : enter_transaction(h, jh);
}

static int take_access(struct handle *h, struct buffer *b)
{
	bool was_dirty;
	int err;

	if (handle_aborted(h))
		return -EROFS;
	was_dirty = take_from_cache(b);
	mutex_lock(&b->state_lock);
	err = take_access_locked(h, b, was_dirty);
	mutex_unlock(&b->state_lock);
	if (err && was_dirty && !atomic_load(&b->journal_head))
		buffer_mark_dirty(b);
	return err;
}

int jbd2_journal_get_write_access(struct handle *h, struct buffer *b)
{
	return take_access(h, b);
}

int jbd2_journal_get_create_access(struct handle *h, struct buffer *b)
{
	return take_access(h, b);
}

int jbd2_journal_get_undo_access(struct handle *h, struct buffer *b)
{
	struct journal_head *jh;
	int err = take_access(h, b);

	if (err)
		return err;
	guard(&b->state_lock);
	jh = atomic_load(&b->journal_head);
	if (jh->committed)
		return 0;
	jh->committed = pool_take(&h->journal->copies);
	if (!jh->committed)
		return -ENOMEM;
	memcpy(jh->committed, b->data, h->journal->block_size);
	return 0;
}

const uint8_t *jbd2_journal_committed_data(const struct buffer *b)
{
	const struct journal_head *jh = atomic_load(&b->journal_head);

	return jh ? jh->committed : NULL;
}

/* ---- change */

/* With its state_lock. */
static int mark_modified(struct handle *h, struct journal_head *jh)
{
	struct transaction *t = h->transaction;
	struct journal *j = h->journal;

	ensure(is_in(jh, t));
	if (is_modified_in(jh, t))
		return 0;
	if (out_of_credits(h))
		return -ENOSPC;
	h->credits--;
	guard(&j->list_lock);
	if (jh->transaction == t) {
		jh_file(jh, t, JH_METADATA);
		jh->modified = true;
	} else {
		jh->next_modified = true;
	}
	jh->was_dirty = false;
	return 0;
}

int jbd2_journal_dirty_metadata(struct handle *h, struct buffer *b)
{
	struct journal_head *jh;
	int err;

	if (handle_aborted(h))
		return -EROFS;
	mutex_lock(&b->state_lock);
	jh = atomic_load(&b->journal_head);
	ensure(jh);
	err = mark_modified(h, jh);
	mutex_unlock(&b->state_lock);
	if (err) {
		/* The bytes are changed already, without a credit for them: they must not be committed. */
		journal_log(h->journal, LOG_ERROR, "block %llu dirtied beyond the credits of a handle",
			    (unsigned long long)b->block);
		h->error = err;
		jbd2_journal_abort(h->journal, err);
	}
	return err;
}

/* ---- free */

/* The credit that it cost goes back. Both locks. */
static void return_credit(struct handle *h, bool *modified)
{
	h->credits += *modified;
	*modified = false;
}

/*
 * Both locks. What of it is still to be kept until the handle's transaction is stable, is kept. A block
 * that is in place stays on its checkpoint list, as in Linux, until that is reaped.
 */
static void forget_locked(struct handle *h, struct journal_head *jh)
{
	struct transaction *t = h->transaction;

	jh->was_dirty = jh->only_freed = false;
	if (jh->transaction == t) {
		return_credit(h, &jh->modified);
		if (jh->cp_transaction)
			jh_file(jh, t, JH_FORGET);
		else
			jh_unfile(jh);
	} else if (jh->transaction) {
		if (jh->next_transaction == t)
			return_credit(h, &jh->next_modified);
		jh->next_transaction = t;
		jh->next_forget = true;
	} else if (jh->cp_dirty || jh->cp_writing) {
		jh_file(jh, t, JH_FORGET);
		jh->only_freed = true;
	}
}

static void forget_buffer(struct handle *h, struct buffer *b)
{
	struct journal *j = h->journal;
	struct journal_head *jh;
	struct buffer *put = NULL;

	mutex_lock(&b->state_lock);
	jh = atomic_load(&b->journal_head);
	if (jh) {
		mutex_lock(&j->list_lock);
		forget_locked(h, jh);
		put = jh_release(j, jh);
		mutex_unlock(&j->list_lock);
	}
	mutex_unlock(&b->state_lock);
	buffer_put(put);
}

int jbd2_journal_forget(struct handle *h, struct buffer *b, uint64_t block)
{
	struct buffer *found = NULL;

	if (handle_aborted(h))
		return -EROFS;
	if (!b)
		b = found = buffer_find(h->journal->opt.buffers, block);
	if (b)
		forget_buffer(h, b);
	buffer_put(found);
	return 0;
}

int jbd2_journal_revoke(struct handle *h, uint64_t block, struct buffer *b)
{
	int err;

	if (handle_aborted(h))
		return -EROFS;
	if (!revoke_has_room(h))
		return -ENOSPC;
	err = revoke_add(h, block);
	return err ? err : jbd2_journal_forget(h, b, block);
}

/* ---- pages and memory */

/* Both locks. True: the commit needs the bytes. */
static bool invalidate_locked(struct journal *j, struct journal_head *jh)
{
	struct transaction *t = jh->transaction, *running = j->running;

	if (!t && !jh->cp_writing && (!jh->cp_dirty || !running))
		checkpoint_remove(j, jh);
	else if (!t && running)
		jh_file(jh, running, JH_FORGET);
	else if (t && t == running && jh->cp_transaction)
		jh_file(jh, running, JH_FORGET);
	else if (t && t == running)
		jh_unfile(jh);
	else if (t && running) {
		jh->next_transaction = running;
		jh->next_forget = true;
	} else if (t) {
		jh->dropped = true;
	}
	return jh->transaction && jh->transaction != running && jh->place == JH_METADATA && !jh->frozen;
}

int jbd2_journal_invalidate(struct journal *j, struct buffer *b)
{
	struct journal_head *jh;
	struct buffer *put = NULL;
	bool needed = false;

	mutex_lock(&j->state_lock);
	mutex_lock(&b->state_lock);
	jh = atomic_load(&b->journal_head);
	if (jh) {
		mutex_lock(&j->list_lock);
		needed = invalidate_locked(j, jh);
		put = jh_release(j, jh);
		mutex_unlock(&j->list_lock);
	}
	mutex_unlock(&b->state_lock);
	mutex_unlock(&j->state_lock);
	buffer_put(put);
	return needed;
}

/* Locks only what nobody else has locked: reclaim may come from anywhere. */
static struct buffer *reclaim_locked(struct journal *j, struct journal_head *jh)
{
	struct buffer *put = NULL;

	if (!mutex_trylock(&j->list_lock))
		return NULL;
	if (jh->cp_transaction)		/* gone with the last of its buffers */
		put = jh_reclaim(j, jh);
	mutex_unlock(&j->list_lock);
	return put;
}

bool jbd2_journal_try_to_free(struct journal *j, struct buffer *b)
{
	struct buffer *put = NULL;
	struct journal_head *jh;

	if (!atomic_load(&b->journal_head))
		return true;
	if (!mutex_trylock(&b->state_lock))
		return false;
	jh = atomic_load(&b->journal_head);
	if (jh)
		put = reclaim_locked(j, jh);
	mutex_unlock(&b->state_lock);
	buffer_put(put);
	return !jh || put;
}
