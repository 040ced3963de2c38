/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Revoke records: which blocks a transaction freed.
 *
 * A freed metadata block may be reused for data before its old copy leaves the log. Replaying that
 * copy would overwrite the data, so the free is recorded as a revoke: recovery skips every copy of the
 * block logged in this transaction or before it (J4).
 *
 * Each transaction has a tree of its own. While one commits (its tree is written and then dropped), the
 * running one fills another. A block that is used again in the transaction that freed it is not
 * revoked: its new content is logged there.
 *
 * Memory of one record for each credit is set aside with the handle; the room that records take in the log
 * comes out of what is always left free. Who revokes in number, as one who takes a large directory apart, asks
 * for both first (jbd2_journal_reserve_revokes): else it may be told -ENOMEM or -ENOSPC, with nothing changed.
 */
#include "jbd2/internal.h"

struct revoke_record *revoke_find(const struct rb_tree *tree, uint64_t block)
{
	struct rb_node *n = tree->root;

	while (n) {
		struct revoke_record *r = rb_entry(n, struct revoke_record, node);

		if (r->block == block)
			return r;
		n = block < r->block ? n->left : n->right;
	}
	return NULL;
}

void revoke_insert(struct rb_tree *tree, struct revoke_record *r)
{
	struct rb_node **link = &tree->root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = r->block < rb_entry(parent, struct revoke_record, node)->block ? &parent->left
										     : &parent->right;
	}
	rb_insert(tree, &r->node, parent, link);
}

static struct revoke_record *take_record(struct open_handle *oh)
{
	struct pool *p = &oh->handle.journal->records;

	if (!oh->records)
		return pool_take(p);
	oh->records--;
	return pool_take_reserved(p);
}

/* Every record that begins a block of the log is looked at; those between have their room. */
bool revoke_has_room(struct handle *h)
{
	struct open_handle *oh = open_handle_of(h);
	struct transaction *t = h->transaction;
	struct journal *j = h->journal;

	if (oh->revokes_left) {
		oh->revokes_left--;
		return true;
	}
	if (t->revoke_count % log_revokes_per_block(&j->layout))
		return true;
	guard(&j->state_lock);
	return log_has_room(j, t, 0, 0);
}

/* Room in the log for `count` more. */
static bool promise(struct open_handle *oh, uint32_t count)
{
	struct transaction *t = oh->handle.transaction;
	struct journal *j = oh->handle.journal;

	guard(&j->state_lock);
	if (!log_has_room(j, t, 0, count))
		return false;
	t->revokes_promised += count;
	oh->revokes_promised += count;
	oh->revokes_left += count;
	return true;
}

int jbd2_journal_reserve_revokes(struct handle *h, uint32_t count)
{
	struct open_handle *oh = open_handle_of(h);
	uint32_t more = count > oh->records ? count - oh->records : 0;

	if (handle_aborted(h))
		return -EROFS;
	if (oh->revokes_left < count && !promise(oh, count - oh->revokes_left))
		return 1;
	if (pool_reserve(&h->journal->records, more))
		return 1;
	oh->records += more;
	return 0;
}

int revoke_add(struct handle *h, uint64_t block)
{
	struct transaction *t = h->transaction;
	struct journal *j = h->journal;
	struct revoke_record *r;

	if (MUTANT(revoke_forgotten))
		return 0;
	guard(&j->revoke_lock);
	if (revoke_find(&t->revokes, block))
		return 0;
	r = take_record(open_handle_of(h));
	if (!r)
		return -ENOMEM;
	*r = (struct revoke_record){ .block = block, .tid = t->tid };
	revoke_insert(&t->revokes, r);
	t->revoke_count++;
	return 0;
}

void revoke_cancel(struct handle *h, uint64_t block)
{
	struct transaction *t = h->transaction;
	struct journal *j = h->journal;
	struct revoke_record *r;

	if (likely(t->revoke_count == 0))
		return;
	guard(&j->revoke_lock);
	r = revoke_find(&t->revokes, block);
	if (!r)
		return;
	rb_remove(&t->revokes, &r->node);
	t->revoke_count--;
	pool_give(&j->records, r);
}

void revoke_drop_all(struct transaction *t)
{
	struct journal *j = t->journal;
	struct rb_node *n;

	guard(&j->revoke_lock);
	while ((n = t->revokes.root)) {
		rb_remove(&t->revokes, n);
		pool_give(&j->records, rb_entry(n, struct revoke_record, node));
	}
	t->revoke_count = 0;
}
