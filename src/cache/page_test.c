/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages, what one task sees: found and made, dirty and clean, written, dropped and reclaimed;
 * counts and tags agree with the states at each step; errors of write-back are told once to each
 * file. Each case runs in all modes. What several tasks see is in page_race_test.c.
 */
#include "cache/page_testing.h"

static void run_finding(struct page_rig *r)
{
	struct page *p, *again;

	assert_int_equal(page_size(r->pages), 4096);
	assert_int_equal(page_blocks(r->pages), 4);
	assert_null(page_find(&r->m, 5));
	p = must_make(r, 5);
	assert_true(p->state & PAGE_LOCKED);
	assert_false(p->state & PAGE_UPTODATE);
	assert_int_equal(p->index, 5);
	assert_ptr_equal(p->mapping, &r->m);
	assert_false(page_trylock(p));
	page_mark_uptodate(p);
	page_unlock(p);
	again = page_find(&r->m, 5);
	assert_ptr_equal(again, p);
	page_put(again);
	again = must_make(r, 5);
	assert_ptr_equal(again, p);
	assert_int_equal(r->m.page_count, 1);
	page_unlock(again);
	page_put(again);
	page_put(p);
	page_put(NULL);
}

static void a_page_is_made_once(void **state)
{
	with_pages(run_finding, NO_LIMIT);
}

static void check_counts(struct page_rig *r, uint64_t pages, uint64_t dirty, uint64_t writeback)
{
	assert_int_equal(r->m.page_count, pages);
	assert_int_equal(r->m.dirty_count, dirty);
	assert_int_equal(r->m.writeback_count, writeback);
	assert_int_equal(page_cache_dirty_pages(r->pages), dirty);
	assert_int_equal(count_tagged(r, MAPPING_TAG_DIRTY), dirty);
	assert_int_equal(count_tagged(r, MAPPING_TAG_WRITEBACK), writeback);
}

static void run_life(struct page_rig *r)
{
	struct page *p = must_make(r, 5);

	page_mark_uptodate(p);
	assert_false(page_clear_dirty(p));
	page_mark_dirty(p);
	page_mark_dirty(p);
	assert_int_equal(r->dirtied, 1);
	check_counts(r, 1, 1, 0);
	assert_true(page_clear_dirty(p));
	assert_false(p->state & PAGE_DIRTY);
	check_counts(r, 1, 1, 0);		/* still found by who looks for dirty pages */
	page_start_writeback(p);
	check_counts(r, 1, 0, 1);
	assert_int_equal(r->dirtied, 2);
	page_mark_dirty(p);			/* changed while it is written */
	check_counts(r, 1, 1, 1);
	page_unlock(p);
	page_end_writeback(p, 0);
	check_counts(r, 1, 1, 0);
	page_lock(p);
	assert_true(page_clear_dirty(p));
	page_mark_dirty(p);			/* thought better of it */
	check_counts(r, 1, 1, 0);
	assert_true(page_clear_dirty(p));
	page_unlock(p);				/* not written after all */
	check_counts(r, 1, 0, 0);
	page_lock(p);
	page_mark_dirty(p);
	page_remove(p);
	check_counts(r, 0, 0, 0);
	assert_null(p->mapping);
	assert_true(p->state & PAGE_REMOVED);
	page_unlock(p);
	assert_null(page_find(&r->m, 5));
	page_put(p);
	assert_int_equal(r->dirtied, 6);
}

static void counts_and_tags_follow_the_states(void **state)
{
	with_pages(run_life, NO_LIMIT);
}

/* Stored into by somebody without the lock, it is never clean; the one who has it last decides. */
static void run_lending(struct page_rig *r)
{
	struct page *p = must_make(r, 5);

	page_mark_uptodate(p);
	page_lend(p);
	page_lend(p);
	assert_int_equal(r->m.lent_count, 1);
	check_counts(r, 1, 1, 0);
	assert_true(page_clear_dirty(p));
	page_start_writeback(p);
	check_counts(r, 1, 1, 1);
	page_unlock(p);
	page_end_writeback(p, 0);
	check_counts(r, 1, 1, 0);
	assert_int_equal(r->dirtied, 1);		/* never clean in between */
	page_lock(p);
	assert_false(page_take_back(p));
	assert_true(page_take_back(p));
	assert_int_equal(r->m.lent_count, 0);
	assert_true(page_clear_dirty(p));
	page_unlock(p);
	check_counts(r, 1, 0, 0);
	page_lock(p);
	page_lend(p);
	page_remove(p);
	assert_int_equal(r->m.lent_count, 0);
	check_counts(r, 0, 0, 0);
	assert_true(page_take_back(p));
	page_unlock(p);
	page_put(p);
}

static void a_lent_page_stays_dirty(void **state)
{
	with_pages(run_lending, NO_LIMIT);
}

static void run_dropping(struct page_rig *r)
{
	struct page *held = must_make(r, 3);

	page_mark_uptodate(held);
	page_unlock(held);
	for (uint64_t i = 0; i < 3; i++)
		make_page(r, i, i == 1 ? PAGE_DIRTY : 0);
	make_page(r, 9, 0);
	mapping_drop_clean(&r->m, 0, 8);
	assert_int_equal(r->m.page_count, 3);		/* dirty, held, outside */
	assert_null(page_find(&r->m, 0));
	page_put(held);
	mapping_drop_clean(&r->m, 0, UINT64_MAX - 1);
	assert_int_equal(r->m.page_count, 1);
}

static void clean_pages_can_be_dropped(void **state)
{
	with_pages(run_dropping, NO_LIMIT);
}

static void run_walks(struct page_rig *r)
{
	static const uint64_t indexes[] = { 0, 1, 7, 100, 5000, UINT32_MAX };
	struct page *found[4];
	uint64_t at = 0;

	for (size_t i = 0; i < array_size(indexes); i++)
		make_page(r, indexes[i], i % 2 ? PAGE_DIRTY : 0);
	assert_int_equal(page_find_range(&r->m, &at, UINT64_MAX, found, 4), 4);
	assert_int_equal(found[3]->index, 100);
	assert_int_equal(at, 101);
	put_all(found, 4);
	assert_int_equal(page_find_range(&r->m, &at, 5000, found, 4), 1);
	assert_int_equal(found[0]->index, 5000);
	put_all(found, 1);
	assert_int_equal(page_find_range(&r->m, &at, 5000, found, 4), 0);
	at = 2;
	assert_int_equal(page_find_tagged(&r->m, &at, UINT64_MAX, MAPPING_TAG_DIRTY, found, 4), 2);
	assert_int_equal(found[0]->index, 100);
	assert_int_equal(found[1]->index, UINT32_MAX);
	put_all(found, 2);
	mapping_remove_pages(&r->m, 1, 100, NULL, NULL);
	check_counts(r, 3, 1, 0);
	mapping_remove_pages(&r->m, 0, UINT64_MAX, count_release, r);
	check_counts(r, 0, 0, 0);
	assert_int_equal(r->released, 3);
}

static void walks_go_by_index_and_tag(void **state)
{
	with_pages(run_walks, NO_LIMIT);
}

static void run_peeking(struct page_rig *r)
{
	struct page *found[8];
	uint8_t *data;

	for (uint64_t i = 4; i < 8; i++)
		make_page(r, i, PAGE_UPTODATE);
	assert_int_equal(page_peek_run(&r->m, 3, found, 8), 0);
	epoch_enter();
	assert_int_equal(page_peek_run(&r->m, 4, found, 3), 3);
	assert_int_equal(page_peek_run(&r->m, 5, found, 8), 3);
	data = memset(found[2]->data, 7, page_size(r->pages));
	mapping_remove_pages(&r->m, 0, UINT64_MAX, NULL, NULL);
	for (uint64_t i = 100; i < 200; i++) {	/* what may be free by now would be used again */
		make_page(r, i, PAGE_UPTODATE);
		page_put(page_find(&r->m, i));
	}
	assert_true(found[2]->state & PAGE_REMOVED);
	assert_int_equal(data[0], 7);
	epoch_leave();
}

static void what_is_peeked_at_keeps_its_bytes(void **state)
{
	with_pages(run_peeking, NO_LIMIT);
}

/* ---- errors */

static void fail_writeback(struct page_rig *r, int err)
{
	struct page *p = must_make(r, 5);

	page_mark_dirty(p);
	assert_true(page_clear_dirty(p));
	page_start_writeback(p);
	page_unlock(p);
	page_end_writeback(p, err);
	assert_int_equal(!!(p->state & PAGE_ERROR), err != 0);
	page_put(p);
}

static void run_errors(struct page_rig *r)
{
	uint32_t early = mapping_sample_error(&r->m), late, later, latest;

	fail_writeback(r, 0);
	assert_int_equal(mapping_report_error(&r->m, &early), 0);
	fail_writeback(r, -EIO);
	late = mapping_sample_error(&r->m);		/* opened before anybody was told */
	assert_int_equal(mapping_report_error(&r->m, &early), -EIO);
	assert_int_equal(mapping_report_error(&r->m, &early), 0);
	later = mapping_sample_error(&r->m);		/* opened after that */
	assert_int_equal(mapping_report_error(&r->m, &later), 0);
	assert_int_equal(mapping_report_error(&r->m, &late), -EIO);
	assert_int_equal(mapping_report_error(&r->m, &late), 0);

	fail_writeback(r, -EIO);
	fail_writeback(r, -ENOSPC);
	fail_writeback(r, 0);
	assert_int_equal(mapping_report_error(&r->m, &early), -ENOSPC);
	assert_int_equal(mapping_report_error(&r->m, &early), 0);
	assert_int_equal(mapping_report_error(&r->m, &later), -ENOSPC);
	mapping_record_error(&r->m, -EDQUOT);
	latest = mapping_sample_error(&r->m);
	assert_int_equal(mapping_report_error(&r->m, &latest), -EDQUOT);
	assert_int_equal(mapping_report_error(&r->m, &late), -EDQUOT);
}

static void an_error_is_told_once_to_each_file(void **state)
{
	with_pages(run_errors, NO_LIMIT);
}

/* ---- reclaim */

static void run_streaming(struct page_rig *r)
{
	struct page *held = must_make(r, 0), *p;

	page_unlock(held);
	make_page(r, 1, PAGE_DIRTY);
	make_page(r, 2, PAGE_UPTODATE);
	r->pinned_index = 3;
	make_page(r, 3, PAGE_UPTODATE);
	for (uint64_t i = 4; i < 16 << 10; i++) {	/* 64 MiB through 1 MiB */
		budget_throttle(r->rig.budget);
		make_page(r, i, PAGE_UPTODATE);
		assert_true(budget_used(r->rig.budget) <= budget_limit(r->rig.budget));
		assert_true(arena_bytes(r->rig.f.arena) <= 2 * budget_limit(r->rig.budget));
		page_put(page_find(&r->m, 2));
	}
	for (uint64_t i = 0; i < 4; i++) {
		p = page_find(&r->m, i);
		assert_non_null(p);
		page_put(p);
	}
	assert_null(page_find(&r->m, 5));
	assert_true(page_cache_reclaimed_pages(r->pages) > 15 << 10);
	page_put(held);
}

static void memory_is_flat_while_pages_stream(void **state)
{
	with_pages(run_streaming, 1 << 20);
}

static void run_one_allocation_fails(struct page_rig *r)
{
	struct page *p;
	uint64_t nth = 0;
	int err;

	do {
		arena_fail_at(r->rig.f.arena, nth++);
		err = page_find_or_create(&r->m, 1 << 20, &p);	/* with nodes on the way to it */
		assert_true(err == 0 || err == -ENOMEM);
	} while (err);
	arena_fail_at(r->rig.f.arena, UINT64_MAX);
	assert_true(nth > 3);
	assert_int_equal(r->m.page_count, 1);
	page_unlock(p);
	page_put(p);
}

static void each_allocation_may_fail(void **state)
{
	with_pages(run_one_allocation_fails, NO_LIMIT);
}

/* ---- buffers whose bytes lie in a page */

static void run_attached(struct page_rig *r)
{
	struct buffer_cache *c = r->rig.c;
	struct page *p = must_make(r, 0);
	struct buffer *b, *again;

	p->blocks[1].state = PB_UPTODATE;
	assert_int_equal(buffer_attach_page(c, 50, p, p->data + BLOCK, &b), 0);
	assert_ptr_equal(b->data, p->data + BLOCK);
	assert_true(b->state & BUFFER_UPTODATE);
	assert_int_equal(buffer_attach_page(c, 50, p, p->data + BLOCK, &again), 0);
	assert_ptr_equal(again, b);
	buffer_put(again);
	assert_int_equal(buffer_attach_page(c, 51, p, p->data, &again), 0);
	assert_false(again->state & BUFFER_UPTODATE);
	buffer_put(again);
	assert_null(buffer_find(c, 51));		/* gone with its last holder */

	assert_int_equal(buffer_read(c, 50, &red, NULL, &again), -EFSCORRUPTED);
	assert_int_equal(buffer_create(c, 50, &red, NULL, &again), -EFSCORRUPTED);
	assert_int_equal(buffer_attach_page(c, 50, p, p->data, &again), -EFSCORRUPTED);
	assert_int_equal(r->rig.damaged, 3);

	page_mark_dirty(p);
	page_remove(p);
	page_unlock(p);
	page_put(p);
	memset(b->data, 1, BLOCK);			/* holds the page */
	buffer_forget(c, 50);
	buffer_put(b);
}

static void a_page_s_block_is_nobody_else_s(void **state)
{
	with_pages(run_attached, NO_LIMIT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_made_once),
		cmocka_unit_test(counts_and_tags_follow_the_states),
		cmocka_unit_test(a_lent_page_stays_dirty),
		cmocka_unit_test(clean_pages_can_be_dropped),
		cmocka_unit_test(walks_go_by_index_and_tag),
		cmocka_unit_test(what_is_peeked_at_keeps_its_bytes),
		cmocka_unit_test(an_error_is_told_once_to_each_file),
		cmocka_unit_test(memory_is_flat_while_pages_stream),
		cmocka_unit_test(each_allocation_may_fail),
		cmocka_unit_test(a_page_s_block_is_nobody_else_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
