/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The printed text: names of bits as Linux prints them, what one event becomes in each dialect, the
 * oddities of both kernels. That every event is declared right is shown by
 * tests/trace/events_test.py.
 */
#include "trace/trace_test.h"

/* What the events since the last call printed, without the heads of the lines. */
static void assert_printed(struct traced *x, const char *expected)
{
	char *line = strdup(traced_text(x, TRACE_FTRACE)), *at = line, *next;
	char got[4096] = "";

	for (; at && *at; at = next) {
		next = strchr(at, '\n');
		if (next)
			*next++ = '\0';
		if (strstr(at, " ..... "))
			at = strchr(strstr(at, " ..... "), ':') + 2;
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s\n", at);
	}
	assert_string_equal(got, expected);
	free(line);
}

#define MAPPED "ext4_ext_map_blocks_exit: dev 7,0 ino 12 %s\n"

static void emit_mapped(struct traced *x, uint32_t flags, uint32_t mflags)
{
	trace(x, ext4_ext_map_blocks_exit, 12, flags, 1, 2, 3, mflags, 4);
}

static void names_of_bits(void **state)
{
	struct traced old, new;
	static const struct {
		uint32_t map, mflags;
		const char *old, *new;
	} cases[] = {
		{ 0, 0, "flags  lblk 1 pblk 2 len 3 mflags  ret 4", NULL },
		{ 0x1, 0x10, "flags CREATE lblk 1 pblk 2 len 3 mflags M ret 4", NULL },
		{ 0x421, 0x30,
		  "flags CREATE|METADATA_NOFAIL|0x400 lblk 1 pblk 2 len 3 mflags NM ret 4",
		  "flags CREATE|METADATA_NOFAIL|IO_SUBMIT lblk 1 pblk 2 len 3 mflags NM ret 4" },
		{ 0x81, 0x100, "flags CREATE|KEEP_SIZE lblk 1 pblk 2 len 3 mflags 0x200 ret 4",
		  "flags CREATE lblk 1 pblk 2 len 3 mflags 0x100 ret 4" },
		{ 0x80, 0xa00, "flags KEEP_SIZE lblk 1 pblk 2 len 3 mflags UB ret 4",
		  "flags  lblk 1 pblk 2 len 3 mflags UB ret 4" },
		{ 0x80000000, 0x120, "flags 0x80000000 lblk 1 pblk 2 len 3 mflags N0x200 ret 4",
		  "flags 0x80000000 lblk 1 pblk 2 len 3 mflags N0x100 ret 4" },
	};

	traced_open(&old, DIALECT_4_9);
	traced_open(&new, DIALECT_6_18);
	for (size_t i = 0; i < array_size(cases); i++) {
		const char *newer = cases[i].new ? cases[i].new : cases[i].old;
		char expected[200];

		emit_mapped(&old, cases[i].map, cases[i].mflags);
		emit_mapped(&new, cases[i].map, cases[i].mflags);
		snprintf(expected, sizeof(expected), MAPPED, cases[i].old);
		assert_printed(&old, expected);
		snprintf(expected, sizeof(expected), MAPPED, newer);
		assert_printed(&new, expected);
	}
	traced_close(&old);
	traced_close(&new);
}

static void status_letters(void **state)
{
	struct traced x;

	traced_open(&x, DIALECT_4_9);
	trace(&x, ext4_es_lookup_extent_exit, 2, 1, 0, 1, 10, 0x11);
	trace(&x, ext4_es_lookup_extent_exit, 2, 0, 0, 0, 0, 0);
	assert_printed(&x, "ext4_es_lookup_extent_exit: dev 7,0 ino 2 found 1 [0/1) 10 W0x10\n"
			   "ext4_es_lookup_extent_exit: dev 7,0 ino 2 found 0 [0/0) 0 \n");
	traced_close(&x);
	traced_open(&x, DIALECT_6_18);
	trace(&x, ext4_es_lookup_extent_exit, 2, 1, 0, 1, 10, 0x11);
	assert_printed(&x, "ext4_es_lookup_extent_exit: dev 7,0 ino 2 found 1 [0/1) 10 WR\n");
	traced_close(&x);
}

static void modes_of_fallocate(void **state)
{
	struct traced x;

	traced_open(&x, DIALECT_6_18);
	trace(&x, ext4_fallocate_enter, 12, 0, 4096, 0x21);
	trace(&x, ext4_fallocate_enter, 12, 0, 4096, 0x20);
	assert_printed(&x,
		       "ext4_fallocate_enter: dev 7,0 ino 12 offset 0 len 4096 mode"
		       " KEEP_SIZE|0x20\n"
		       "ext4_fallocate_enter: dev 7,0 ino 12 offset 0 len 4096 mode 0x20\n");
	traced_close(&x);
}

/* One call in the code, another event in each kernel. */
static void emit_renamed(struct traced *x)
{
	trace(x, ext4_journal_start, 35, 0, "__ext4_new_inode", 8, 4, 0);
	trace(x, ext4_journal_start, 2, 0, "ext4_dirty_inode", 8, 1, 12);
	trace(x, ext4_es_insert_extent, 12, 0, 1, 576460752303423487u, 4, true, false, true);
	trace(x, ext4_es_insert_extent, 12, 0, UINT32_MAX, 576460752303423487u, 8, false, false,
	      false);
	trace(x, ext4_readpage, 12, 3);
	trace(x, ext4_da_write_pages, 12, 0, INT64_MAX, 1, 0, 0x2000);
	trace(x, ext4_da_write_folios_end, 12, 0, 0x2000, 5, 0);
	trace(x, ext4_writepage, 12, 3);
	trace(x, jbd2_write_superblock, 0x148, 0x29800);
	trace(x, jbd2_start_commit, UINT32_MAX, 0);
}

static void dialects_differ(void **state)
{
	struct traced x;

	traced_open(&x, DIALECT_4_9);
	emit_renamed(&x);
	assert_printed(&x,
		"ext4_journal_start: dev 7,0 blocks, 35 rsv_blocks, 0 caller __ext4_new_inode\n"
		"ext4_journal_start: dev 7,0 blocks, 2 rsv_blocks, 0 caller ext4_dirty_inode\n"
		"ext4_es_insert_extent: dev 7,0 ino 12 es [0/1) mapped 576460752303423487 status"
		" D\n"
		"ext4_es_insert_extent: dev 7,0 ino 12 es [0/4294967295) mapped"
		" 576460752303423487 status H\n"
		"ext4_readpage: dev 7,0 ino 12 page_index 3\n"
		"ext4_da_write_pages: dev 7,0 ino 12 first_page 0 nr_to_write 9223372036854775807"
		" sync_mode 1\n"
		"ext4_writepage: dev 7,0 ino 12 page_index 3\n"
		"jbd2_write_superblock: dev 7,0 write_op 148\n"
		"jbd2_start_commit: dev 7,0 transaction -1 sync 0\n");
	traced_close(&x);
	traced_open(&x, DIALECT_6_18);
	emit_renamed(&x);
	assert_printed(&x,
		"ext4_journal_start_sb: dev 7,0 blocks 35, rsv_blocks 0, revoke_creds 8, type 4,"
		" caller __ext4_new_inode\n"
		"ext4_journal_start_inode: dev 7,0 blocks 2, rsv_blocks 0, revoke_creds 8, type 1,"
		" ino 12, caller ext4_dirty_inode\n"
		"ext4_es_insert_delayed_extent: dev 7,0 ino 12 es [0/1) mapped 576460752303423487"
		" status D allocated 0 1\n"
		"ext4_es_insert_extent: dev 7,0 ino 12 es [0/4294967295) mapped"
		" 576460752303423487 status H\n"
		"ext4_read_folio: dev 7,0 ino 12 folio_index 3\n"
		"ext4_da_write_folios_start: dev 7,0 ino 12 start_pos 0x0 next_pos 0x2000"
		" nr_to_write 9223372036854775807 sync_mode 1\n"
		"ext4_da_write_folios_end: dev 7,0 ino 12 start_pos 0x0 next_pos 0x2000"
		" nr_to_write 5 ret 0\n"
		"jbd2_write_superblock: dev 7,0 write_flags 29800\n"
		"jbd2_start_commit: dev 7,0 transaction 4294967295 sync 0\n");
	traced_close(&x);
}

static void oddities(void **state)
{
	struct traced x;
	struct task *task;

	traced_open(&x, DIALECT_6_18);
	task = enter(&x.base);
	trace(&x, ext4_da_reserve_space, 12, 0100644, 0, 1, 0, 1);
	trace(&x, ext4_sync_file_enter, 12, 2, 0);
	trace(&x, ext4_mballoc_alloc, 12, 0, 0, 1, 0, 0, 0, 512, 0, 0, 1297, 512, 0, 4, 1, 2, 0xa0,
	      273, 512);
	trace(&x, ext4_fc_stats, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 3, 1, 7);
	trace(&x, block_bio_queue, "FWFSM", 1024, 8);
	trace(&x, block_rq_issue, "WS", 4096, 1024, 8, 2 << 13 | 4);
	trace(&x, ext4_fsmap_low_key, TRACE_DEV(8, 3), 1, 2, 3, UINT64_MAX);
	task_leave(task);
	assert_printed(&x,
		"ext4_da_reserve_space: dev 7,0 ino 12 mode 0100644 i_blocks 0 reserve_blocks"
		" 1reserved_data_blocks 1\n"
		"ext4_sync_file_enter: dev 7,0 ino 12 parent 2 datasync 0 \n"
		"ext4_mballoc_alloc: dev 7,0 inode 12 orig 0/0/1@0 goal 0/0/512@0 result"
		" 0/1297/512@0 blks 4"
		" grps 1 cr CR_GOAL_LEN_SLOW flags HINT_DATA|HINT_GRP_ALLOC tail 273 broken 512\n"
		"ext4_fc_stats: dev 7,0 fc ineligible reasons:\n"
		"XATTR:0, CROSS_RENAME:1, JOURNAL_FLAG_CHANGE:0, NO_MEM:0, SWAP_BOOT:0, RESIZE:0,"
		" RENAME_DIR:0, FALLOC_RANGE:0, INODE_JOURNAL_DATA:0,"
		" ENCRYPTED_FILENAME:9num_commits:3,"
		" ineligible: 1, numblks: 7\n"
		"block_bio_queue: 7,0 FWFSM 1024 + 8 [test]\n"
		"block_rq_issue: 7,0 WS 4096 () 1024 + 8 be,0,4 [test]\n"
		"ext4_fsmap_low_key: dev 7:0 keydev 8:3 agno 1 bno 2 len 3 owner -1\n");
	traced_close(&x);
}

static void strings_grow(void **state)
{
	struct arena *a = arena_create();
	struct string s = { .arena = a };

	string_put_signed(&s, INT64_MIN);
	string_put_char(&s, ' ');
	string_put_unsigned(&s, UINT64_MAX, 8);
	string_put_char(&s, ' ');
	string_put_filled(&s, 7, 3, '0');
	string_put_filled(&s, 12345, 3, ' ');
	string_put_filled(&s, 0, 2, ' ');
	assert_int_equal(s.len, 20 + 1 + 22 + 1 + 3 + 5 + 2);
	assert_memory_equal(s.bytes, "-9223372036854775808 1777777777777777777777 00712345 0",
			    s.len);
	for (int i = 0; i < 1000; i++)
		string_puts(&s, "0123456789");
	assert_int_equal(s.len, 54 + 10000);
	assert_false(s.failed);
	arena_fail_at(a, 0);
	string_put_spaces(&s, 100000);
	assert_true(s.failed);
	assert_int_equal(s.len, 54 + 10000);
	string_fini(&s);
	arena_destroy(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_bits),
		cmocka_unit_test(status_letters),
		cmocka_unit_test(modes_of_fallocate),
		cmocka_unit_test(dialects_differ),
		cmocka_unit_test(oddities),
		cmocka_unit_test(strings_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
