/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recovery of logs that are whole, damaged or meant to do harm, and journals that are not to be opened.
 * A device with a log full of transactions, none of them in place, is changed and recovered; where the
 * answer is no, nothing has been written.
 */
#include "jbd2/rig.h"

#include "base/csum.h"
#include "jbd2/layout.h"

#define BS 1024u

enum { TRANSACTIONS = 6, FIRST_TID = 2 };

/* After transaction FIRST_TID + i, so many operations. */
static uint32_t operations_after[TRANSACTIONS + 1];

static const struct toy_shape shapes[] = {
	{ BS, 256, JOURNAL_CSUM_V3, true, false, false, 0, 0, NULL, NULL },
	{ BS, 256, JOURNAL_CSUM_V2, false, false, false, 0, 0, NULL, NULL },
	{ BS, 256, JOURNAL_CSUM_V1, true, false, false, 0, 0, NULL, NULL },
	{ BS, 256, JOURNAL_CSUM_NONE, false, false, false, 0, 0, NULL, NULL },
};

/* ---- a log */

static void crash(struct rig *r)
{
	jbd2_journal_abort(r->t.journal, -ESHUTDOWN);
	assert_int_equal(toy_umount(&r->t), -ESHUTDOWN);
}

static void make_log(struct rig *r, struct fixture *f, const struct toy_shape *shape)
{
	fixture_open(f, SCHED_INLINE, 0);
	f->log.message = drop_message;
	rig_open(r, f, shape, 0);
	for (uint32_t i = 0; i < TRANSACTIONS; i++) {
		rig_operate(r, i + 1, 8);
		operations_after[i + 1] = r->model->ops;
		must(toy_sync(&r->t, r->model->ops));
	}
	crash(r);
}

static void drop_log(struct rig *r, struct fixture *f)
{
	rig_close(r);
	fixture_close(f);
}

static void read_log(struct rig *r, uint64_t lblk, uint8_t *p)
{
	must(block_read(r->memory, toy_log_pblk(lblk) * BS, p, BS));
}

static void write_log(struct rig *r, uint64_t lblk, const uint8_t *p)
{
	must(block_write(r->memory, toy_log_pblk(lblk) * BS, p, BS, 0));
}

static void layout_of(struct rig *r, struct log_layout *l)
{
	struct journal_superblock_s s;
	uint8_t p[BS];

	read_log(r, 0, p);
	memcpy(&s, p, sizeof(s));
	log_layout_init(l, &s, BS);
}

/* The first block of that type of a transaction. */
static uint64_t find(struct rig *r, tid_t tid, uint32_t type)
{
	uint8_t p[BS];

	for (uint64_t lblk = 1; lblk < r->shape.log_blocks; lblk++) {
		read_log(r, lblk, p);
		if (log_header_type(p, tid) == type)
			return lblk;
	}
	fail();
	return 0;
}

static void damage(struct rig *r, uint64_t lblk, uint32_t at)
{
	uint8_t p[BS];

	read_log(r, lblk, p);
	p[at] ^= 0x10;
	write_log(r, lblk, p);
}

static struct jbd2_recovery recovery_of(struct rig *r)
{
	struct jbd2_recovery recovery;

	r->shape.trace = NULL;
	rig_mount(r);
	recovery = r->t.recovery;
	must(toy_umount(&r->t));
	return recovery;
}

/* ---- whole */

static void a_whole_log_is_replayed(void **state)
{
	struct jbd2_recovery recovery;
	struct fixture f;
	struct rig r;

	for (size_t i = 0; i < array_size(shapes); i++) {
		make_log(&r, &f, &shapes[i]);
		recovery = recovery_of(&r);
		assert_int_equal(recovery.first_tid, FIRST_TID);
		assert_int_equal(recovery.end_tid, FIRST_TID + TRANSACTIONS);
		assert_int_equal(recovery.transactions, TRANSACTIONS);
		assert_true(recovery.blocks_replayed > TRANSACTIONS);
		assert_true(recovery.revoke_records > 0);
		assert_false(recovery.stopped_at_checksum);
		rig_must_hold(&r, operations_after[TRANSACTIONS]);
		/* The numbers go on behind what may lie in the log, and the log is empty. */
		assert_int_equal(recovery_of(&r).transactions, 0);
		drop_log(&r, &f);
	}
}

static void assert_same_recovery(const struct jbd2_recovery *a, const struct jbd2_recovery *b)
{
	assert_int_equal(a->first_tid, b->first_tid);
	assert_int_equal(a->end_tid, b->end_tid);
	assert_int_equal(a->transactions, b->transactions);
	assert_int_equal(a->blocks_replayed, b->blocks_replayed);
	assert_int_equal(a->revoke_records, b->revoke_records);
	assert_int_equal(a->blocks_revoked, b->blocks_revoked);
	assert_int_equal(a->stopped_at_checksum, b->stopped_at_checksum);
	assert_int_equal(a->stopped_tid, b->stopped_tid);
	assert_int_equal(a->stopped_block, b->stopped_block);
}

static void a_plan_writes_nothing(void **state)
{
	struct jbd2_recovery plan, done;
	struct block_device *before;
	struct fixture f;
	struct rig r;
	uint8_t *a, *b;

	make_log(&r, &f, &shapes[0]);
	before = rig_snapshot(&r);
	r.shape.trace = NULL;
	must(toy_open(&r.t, &f, r.device, &r.shape));
	assert_true(jbd2_journal_needs_recovery(r.t.journal));
	must(jbd2_journal_recover(r.t.journal, true, &plan));
	must(toy_umount(&r.t));
	a = malloc(before->size_bytes);
	b = malloc(before->size_bytes);
	must(block_read(before, 0, a, before->size_bytes));
	must(block_read(r.memory, 0, b, before->size_bytes));
	assert_memory_equal(a, b, before->size_bytes);
	done = recovery_of(&r);
	assert_same_recovery(&plan, &done);
	free(a);
	free(b);
	block_close(before);
	drop_log(&r, &f);
}

static int any_bytes(void *user, uint64_t block, const uint8_t *data, const struct buffer_owner *owner)
{
	return 0;
}

static void what_the_cache_has_takes_on_what_was_replayed(void **state)
{
	static const struct buffer_kind kind = { "any", any_bytes, NULL };
	struct jbd2_recovery recovery;
	struct fixture f;
	struct buffer *b;
	uint8_t p[BS];
	struct rig r;

	make_log(&r, &f, &shapes[0]);
	r.shape.trace = NULL;
	must(toy_open(&r.t, &f, r.device, &r.shape));
	must(buffer_read(r.t.buffers, TOY_MAP, &kind, NULL, &b));
	must(jbd2_journal_recover(r.t.journal, false, &recovery));
	must(block_read(r.memory, TOY_MAP * BS, p, BS));
	assert_memory_equal(b->data, p, BS);
	assert_null(atomic_load(&b->kind));
	buffer_put(b);
	must(toy_umount(&r.t));
	rig_must_hold(&r, operations_after[TRANSACTIONS]);
	drop_log(&r, &f);
}

/* ---- damaged */

enum what { BLOCK, DESCRIPTOR, COMMIT };

static uint64_t block_to_damage(struct rig *r, tid_t tid, enum what what)
{
	if (what == COMMIT)
		return find(r, tid, JBD2_COMMIT_BLOCK);
	return find(r, tid, JBD2_DESCRIPTOR_BLOCK) + (what == BLOCK);
}

/* With `promised`, the damage is known to be to a transaction that had been committed. */
static void stops_before(const struct toy_shape *shape, enum what what, uint32_t at, bool promised)
{
	enum { BAD = 3 };
	struct jbd2_recovery recovery;
	struct fixture f;
	struct rig r;

	make_log(&r, &f, shape);
	damage(&r, block_to_damage(&r, FIRST_TID + BAD, what), at);
	recovery = recovery_of(&r);
	assert_int_equal(recovery.end_tid, FIRST_TID + BAD);
	assert_int_equal(recovery.stopped_at_checksum, promised);
	if (promised)
		assert_int_equal(recovery.stopped_tid, FIRST_TID + BAD);
	rig_must_hold(&r, operations_after[BAD]);
	drop_log(&r, &f);
}

static void a_damaged_transaction_ends_the_replay(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		stops_before(&shapes[i], BLOCK, 500, true);
		stops_before(&shapes[i], DESCRIPTOR, 30, true);
		stops_before(&shapes[i], DESCRIPTOR, 900, true);
		stops_before(&shapes[i], COMMIT, 52, false);
	}
	stops_before(&shapes[2], BLOCK, 500, true);
	stops_before(&shapes[2], COMMIT, 16, true);
	/* Without checksums only what shows in a header is seen. */
	stops_before(&shapes[3], COMMIT, 3, false);
}

/* ---- meant to do harm */

static void point_first_tag_at(struct rig *r, tid_t tid, uint64_t block)
{
	uint64_t lblk = find(r, tid, JBD2_DESCRIPTOR_BLOCK);
	struct log_layout l;
	struct log_tag tag;
	uint8_t p[BS];

	layout_of(r, &l);
	read_log(r, lblk, p);
	log_tag_get(&l, p + sizeof(struct journal_header_s), &tag);
	tag.block = block;
	log_tag_put(&l, p + sizeof(struct journal_header_s), &tag);
	log_block_seal(&l, p);
	write_log(r, lblk, p);
}

static void refuses_to_write(uint64_t block)
{
	struct block_device *before;
	struct fixture f;
	struct rig r;
	uint8_t *a, *b;

	make_log(&r, &f, &shapes[0]);
	point_first_tag_at(&r, FIRST_TID + 4, block);
	before = rig_snapshot(&r);
	r.shape.trace = NULL;
	assert_int_equal(toy_mount(&r.t, &f, r.device, &r.shape, r.model), -EFSCORRUPTED);
	a = malloc(before->size_bytes);
	b = malloc(before->size_bytes);
	must(block_read(before, 0, a, before->size_bytes));
	must(block_read(r.memory, 0, b, before->size_bytes));
	assert_memory_equal(a, b, before->size_bytes);
	free(a);
	free(b);
	block_close(before);
	drop_log(&r, &f);
}

static void blocks_that_must_not_be_written_are_refused(void **state)
{
	refuses_to_write(UINT64_MAX);
	refuses_to_write(1u << 20);
	refuses_to_write(toy_log_pblk(0));
	refuses_to_write(toy_log_pblk(200));
}

/* A ring whose every block belongs to one transaction has an end all the same. */
static void a_log_without_an_end_ends(void **state)
{
	uint8_t p[BS] = { 0 };
	struct log_layout l;
	struct fixture f;
	struct rig r;

	make_log(&r, &f, &shapes[0]);
	layout_of(&r, &l);
	log_header_put(p, JBD2_REVOKE_BLOCK, FIRST_TID);
	p[15] = 16;
	log_block_seal(&l, p);
	for (uint64_t lblk = 1; lblk < r.shape.log_blocks; lblk++)
		write_log(&r, lblk, p);
	assert_int_equal(recovery_of(&r).transactions, 0);
	rig_must_hold(&r, 0);
	drop_log(&r, &f);
}

/* ---- superblocks */

struct bad_super {
	size_t at;			/* a be32 of the superblock */
	uint32_t value;
	int err;
};

#define AT(field) offsetof(struct journal_superblock_s, field)

static const struct bad_super bad_supers[] = {
	{ 0, 0x12345678, -EFSCORRUPTED },
	{ 4, JBD2_COMMIT_BLOCK, -EFSCORRUPTED },
	{ AT(s_blocksize), 4096, -EFSCORRUPTED },
	{ AT(s_maxlen), 257, -EFSCORRUPTED },
	{ AT(s_maxlen), 30, -EFSCORRUPTED },
	{ AT(s_maxlen), UINT32_MAX, -EFSCORRUPTED },
	{ AT(s_first), 0, -EFSCORRUPTED },
	{ AT(s_first), 250, -EFSCORRUPTED },
	{ AT(s_first), UINT32_MAX, -EFSCORRUPTED },
	{ AT(s_start), 256, -EFSCORRUPTED },
	{ AT(s_start), UINT32_MAX, -EFSCORRUPTED },
	{ AT(s_feature_incompat), 0x1012, -EOPNOTSUPP },
	{ AT(s_feature_incompat), 0x1a, -EFSCORRUPTED },
	{ AT(s_feature_compat), 1, -EFSCORRUPTED },
	{ AT(s_feature_ro_compat), 1, -EOPNOTSUPP },
	{ AT(s_nr_users), 2, -EOPNOTSUPP },
	{ AT(s_checksum_type), 0x01000000, -EOPNOTSUPP },
};

static void change_super(struct rig *r, const struct bad_super *bad, bool seal)
{
	struct journal_superblock_s s;
	be32 value = be32_of(bad->value);
	uint8_t p[BS];

	read_log(r, 0, p);
	memcpy(p + bad->at, &value, sizeof(value));
	memcpy(&s, p, sizeof(s));
	if (seal)
		s.s_checksum = be32_of(log_super_sum(&s));
	memcpy(p, &s, sizeof(s));
	write_log(r, 0, p);
}

static void bad_superblocks_are_refused(void **state)
{
	static const struct bad_super errno_changed = { AT(s_errno), 5, 0 };
	uint8_t good[BS];
	struct fixture f;
	struct rig r;

	make_log(&r, &f, &shapes[0]);
	read_log(&r, 0, good);
	r.shape.trace = NULL;
	for (size_t i = 0; i < array_size(bad_supers); i++) {
		change_super(&r, &bad_supers[i], true);
		assert_int_equal(toy_open(&r.t, &f, r.device, &r.shape), bad_supers[i].err);
		write_log(&r, 0, good);
	}
	change_super(&r, &errno_changed, false);
	assert_int_equal(toy_open(&r.t, &f, r.device, &r.shape), -EFSBADCRC);
	write_log(&r, 0, good);
	(void)recovery_of(&r);
	rig_must_hold(&r, operations_after[TRANSACTIONS]);
	drop_log(&r, &f);
}

/* ---- other devices and formats */

static void a_superblock_of_the_first_version_has_no_features(void **state)
{
	struct toy_shape shape = shapes[0];
	const struct bad_super version = { 4, JBD2_SUPERBLOCK_V1, 0 };
	struct log_layout l;
	struct fixture f;
	struct rig r;

	fixture_open(&f, SCHED_INLINE, 0);
	rig_open(&r, &f, &shape, 0);
	must(toy_umount(&r.t));
	change_super(&r, &version, false);
	rig_mount(&r);
	rig_operate(&r, 1, 50);
	must(toy_sync(&r.t, 50));
	crash(&r);
	layout_of(&r, &l);
	assert_false(l.sealed || l.sum_v1 || l.wide);
	assert_int_equal(recovery_of(&r).transactions, 1);
	rig_must_hold(&r, 50);
	drop_log(&r, &f);
}

static void the_log_may_lie_on_another_device(void **state)
{
	struct toy_shape shape = shapes[0];
	struct block_device *log_device;
	struct fixture f;
	struct rig r;
	uint8_t p[BS];

	fixture_open(&f, SCHED_INLINE, 0);
	rig_open(&r, &f, &shape, 0);
	must(toy_umount(&r.t));
	must(block_mem_create(r.device_arena, toy_device_bytes(&shape), &log_device));
	read_log(&r, 0, p);
	must(block_write(log_device, toy_log_pblk(0) * BS, p, BS, 0));
	memset(p, 0, BS);
	write_log(&r, 0, p);
	r.shape.log_device = log_device;
	rig_mount(&r);
	rig_operate(&r, 1, 100);
	must(toy_sync(&r.t, 100));
	crash(&r);
	assert_int_equal(recovery_of(&r).transactions, 1);
	rig_must_hold(&r, 100);
	block_close(log_device);
	drop_log(&r, &f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_log_is_replayed),
		cmocka_unit_test(a_plan_writes_nothing),
		cmocka_unit_test(what_the_cache_has_takes_on_what_was_replayed),
		cmocka_unit_test(a_damaged_transaction_ends_the_replay),
		cmocka_unit_test(blocks_that_must_not_be_written_are_refused),
		cmocka_unit_test(a_log_without_an_end_ends),
		cmocka_unit_test(bad_superblocks_are_refused),
		cmocka_unit_test(a_superblock_of_the_first_version_has_no_features),
		cmocka_unit_test(the_log_may_lie_on_another_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
