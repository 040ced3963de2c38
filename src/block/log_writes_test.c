/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recordings survive the log-writes format; logs of other programs (larger sectors, other flags)
 * are read; whatever is wrong in a log is refused, and then nothing is taken over.
 */
#include "block/testing.h"

#include "base/endian.h"
#include "base/errors.h"
#include "base/random.h"

#define SIZE MiB(1)

static struct block_device *record_over(struct arena *a, struct block_device *lower)
{
	struct block_device *rec;

	assert_int_equal(block_record_create(a, lower, &rec), 0);
	return rec;
}

/* A recording with one of each. */
static struct block_device *sample(struct arena *a)
{
	struct block_device *rec = record_over(a, mem_device(a, SIZE));
	uint8_t buf[1024];

	pattern_fill(buf, 0, sizeof(buf), 1);
	write_pattern(rec, 512, 1536, 1);
	assert_int_equal(block_flush(rec), 0);
	assert_int_equal(block_record_mark(rec, "after the flush"), 0);
	assert_int_equal(block_discard(rec, KiB(64), KiB(8)), 0);
	assert_int_equal(block_write(rec, 0, buf, 512, BLOCK_FUA | BLOCK_META), 0);
	assert_int_equal(block_write(rec, 0, buf, 1024, BLOCK_FUA | BLOCK_PREFLUSH), 0);
	assert_int_equal(block_record_mark(rec, ""), 0);
	return rec;
}

static struct block_device *save(struct arena *a, struct block_device *rec)
{
	struct block_device *log = mem_device(a, block_record_log_bytes(rec));

	assert_int_equal(block_record_save(rec, log), 0);
	return log;
}

static void assert_same_recording(struct block_device *a, struct block_device *b)
{
	assert_int_equal(block_record_count(a), block_record_count(b));
	for (size_t i = 0; i < block_record_count(a); i++) {
		const struct block_record_entry *x = block_record_get(a, i),
						*y = block_record_get(b, i);

		assert_int_equal(x->kind, y->kind);
		assert_int_equal(x->flags, y->flags);
		assert_int_equal(x->offset, y->offset);
		assert_int_equal(x->len, y->len);
		if (x->data)
			assert_memory_equal(x->data, y->data, x->len + (x->kind == RECORD_MARK));
	}
}

static void there_and_back(void **state)
{
	struct block_device *rec = sample(*state), *log = save(*state, rec), *again;
	uint8_t buf[512] = { 0 };

	assert_int_equal(block_record_load(*state, log, mem_device(*state, SIZE), &again), 0);
	assert_same_recording(rec, again);
	assert_int_equal(block_write(again, 0, buf, 512, 0), 0);	/* it goes on */
	assert_int_equal(block_record_count(again), block_record_count(rec) + 1);
	block_close(again);
	block_close(log);
	block_close(rec);
}

static void an_empty_recording(void **state)
{
	struct block_device *rec = record_over(*state, mem_device(*state, SIZE)), *again;
	struct block_device *log = save(*state, rec);

	assert_int_equal(log->size_bytes, 1024);
	assert_int_equal(block_record_load(*state, log, mem_device(*state, SIZE), &again), 0);
	assert_int_equal(block_record_count(again), 0);
	block_close(again);
	block_close(log);
	block_close(rec);
}

/* The format byte by byte, as the kernel's documentation and tools have it. */
static void the_bytes(void **state)
{
	static const uint8_t super[28] = { 0x72, 0x68, 0x73, 0x77, 0x66, 0x73, 0x6a, 0, 1, 0,
					   0,    0,    0,    0,    0,    0,    8,    0, 0, 0,
					   0,    0,    0,    0,    0,    2,    0,    0 };
	static const struct {
		uint64_t log_sector;
		uint8_t sector, sectors, flags, text_bytes;
		const char *text;
	} entries[] = {
		{ 1, 1, 3, 0, 0, "" },
		{ 5, 0, 0, 1, 0, "" },
		{ 6, 0, 0, 8, 15, "after the flush" },
		{ 7, 128, 16, 4, 0, "" },
		{ 8, 0, 1, 2 | 16, 0, "" },
		{ 10, 0, 2, 1 | 2, 0, "" },
		{ 13, 0, 0, 8, 0, "" },
		{ 14, 0, 0, 8, 17, "dm-log-writes-end" },
	};
	struct block_device *rec = sample(*state), *log = save(*state, rec);
	uint8_t s[512];

	assert_int_equal(log->size_bytes, 15 * 512);
	assert_int_equal(block_read(log, 0, s, 512), 0);
	assert_memory_equal(s, super, sizeof(super));
	for (unsigned i = 0; i < array_size(entries); i++) {
		assert_int_equal(block_read(log, entries[i].log_sector * 512, s, 512), 0);
		assert_int_equal(s[0], entries[i].sector);
		assert_int_equal(s[8], entries[i].sectors);
		assert_int_equal(s[16], entries[i].flags);
		assert_int_equal(s[24], entries[i].text_bytes);
		assert_memory_equal(s + 32, entries[i].text, strlen(entries[i].text) + 1);
	}
	assert_int_equal(block_read(log, 2 * 512, s, 512), 0);
	assert_int_equal(s[7], pattern_byte(512 + 7, 1));
	block_close(log);
	block_close(rec);
}

static void a_text_too_long_is_cut(void **state)
{
	struct block_device *rec = record_over(*state, mem_device(*state, SIZE)), *log, *again;
	char text[1000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(block_record_mark(rec, text), 0);
	log = save(*state, rec);
	assert_int_equal(block_record_load(*state, log, mem_device(*state, SIZE), &again), 0);
	assert_int_equal(block_record_get(again, 0)->len, 512 - 32 - 1);
	assert_int_equal(strlen((const char *)block_record_get(again, 0)->data), 512 - 32 - 1);
	block_close(again);
	block_close(log);
	block_close(rec);
}

static void a_log_too_small_is_none(void **state)
{
	struct block_device *rec = sample(*state), *again, *lower = mem_device(*state, SIZE);
	struct block_device *log = mem_device(*state, block_record_log_bytes(rec) - 512);

	assert_int_equal(block_record_save(rec, log), -EINVAL);
	assert_int_equal(block_record_load(*state, log, lower, &again), -EFSCORRUPTED);
	block_close(lower);
	block_close(log);
	block_close(rec);
}

/* ---- logs of others */

static void put64(uint8_t *p, uint64_t v)
{
	le64 x = le64_of(v);

	memcpy(p, &x, 8);
}

static void put_super(struct block_device *log, uint64_t magic, uint64_t version, uint64_t entries,
		      uint32_t sector_bytes)
{
	uint8_t s[512] = { 0 };

	put64(s, magic);
	put64(s + 8, version);
	put64(s + 16, entries);
	put64(s + 24, sector_bytes);
	assert_int_equal(block_write(log, 0, s, 512, 0), 0);
}

static void put_entry(struct block_device *log, uint64_t pos, uint64_t sector, uint64_t sectors,
		      uint64_t flags, uint64_t text_bytes)
{
	uint8_t s[512] = { 0 };

	put64(s, sector);
	put64(s + 8, sectors);
	put64(s + 16, flags);
	put64(s + 24, text_bytes);
	memcpy(s + 32, "text", 4);
	assert_int_equal(block_write(log, pos, s, 512, 0), 0);
}

#define MAGIC 0x6a736677736872ull

static void sectors_of_4096_bytes(void **state)
{
	struct block_device *log = mem_device(*state, KiB(64)), *rec;

	put_super(log, MAGIC, 1, 6, 4096);
	put_entry(log, 4096, 2, 1, 0, 0);
	write_pattern(log, 2 * 4096, 4096, 5);
	put_entry(log, 3 * 4096, 9, 3, 1 | 4, 0);	/* a flush and a discard in one */
	put_entry(log, 4 * 4096, 0, 0, 8, 4);
	put_entry(log, 5 * 4096, 0, 0, 1 | 2, 0);
	put_entry(log, 6 * 4096, 0, 0, 0, 0);		/* nothing at all */
	put_entry(log, 7 * 4096, 0, 0, 8, 4);		/* a last mark, but not the log's own */
	assert_int_equal(block_record_load(*state, log, mem_device(*state, SIZE), &rec), 0);
	assert_int_equal(block_record_count(rec), 6);
	assert_int_equal(block_record_get(rec, 0)->offset, 2 * 4096);
	assert_int_equal(block_record_get(rec, 0)->len, 4096);
	assert_int_equal(block_record_get(rec, 0)->data[9], pattern_byte(2 * 4096 + 9, 5));
	assert_int_equal(block_record_get(rec, 1)->kind, RECORD_FLUSH);
	assert_int_equal(block_record_get(rec, 2)->kind, RECORD_DISCARD);
	assert_int_equal(block_record_get(rec, 2)->offset, 9 * 4096);
	assert_int_equal(block_record_get(rec, 2)->len, 3 * 4096);
	assert_string_equal(block_record_get(rec, 3)->data, "text");
	assert_int_equal(block_record_get(rec, 4)->kind, RECORD_FLUSH);
	assert_string_equal(block_record_get(rec, 5)->data, "text");
	block_close(rec);
	block_close(log);
}

static void wrong_logs_are_refused(void **state)
{
	static const struct {
		uint64_t magic, version, entries;
		uint32_t sector_bytes;
		uint64_t sector, sectors, flags, text_bytes;
	} rows[] = {
		{ MAGIC + 1, 1, 1, 512, 0, 1, 0, 0 },
		{ MAGIC, 2, 1, 512, 0, 1, 0, 0 },
		{ MAGIC, 1, 1, 0, 0, 1, 0, 0 },
		{ MAGIC, 1, 1, 256, 0, 1, 0, 0 },
		{ MAGIC, 1, 1, 1536, 0, 1, 0, 0 },
		{ MAGIC, 1, 1, 8192, 0, 1, 0, 0 },
		{ MAGIC, 1, UINT64_MAX, 512, 0, 0, 1, 0 },
		{ MAGIC, 1, 1, 512, SIZE / 512, 1, 0, 0 },
		{ MAGIC, 1, 1, 512, SIZE / 512 + 1, 0, 4, 0 },
		{ MAGIC, 1, 1, 512, 0, 7, 0, 0 },
		{ MAGIC, 1, 1, 512, 0, UINT64_MAX / 512, 0, 0 },
		{ MAGIC, 1, 1, 512, 0, UINT64_MAX, 4, 0 },
		{ MAGIC, 1, 1, 512, UINT64_MAX, 1, 0, 0 },
		{ MAGIC, 1, 1, 512, 0, 0, 8, 481 },
		{ MAGIC, 1, 1, 512, 0, 0, 8, UINT64_MAX },
	};
	struct block_device *lower = mem_device(*state, SIZE), *log = mem_device(*state, KiB(4)),
			    *rec;

	for (unsigned i = 0; i < array_size(rows); i++) {
		put_super(log, rows[i].magic, rows[i].version, rows[i].entries,
			  rows[i].sector_bytes);
		put_entry(log, 512, rows[i].sector, rows[i].sectors, rows[i].flags,
			  rows[i].text_bytes);
		assert_int_equal(block_record_load(*state, log, lower, &rec), -EFSCORRUPTED);
	}
	put_super(log, MAGIC, 1, 1, 512);
	put_entry(log, 512, 5, 6, 0, 0);
	assert_int_equal(block_record_load(*state, log, lower, &rec), 0);
	block_close(rec);
	block_close(log);
}

static void an_empty_device_is_no_log(void **state)
{
	struct block_device *lower = mem_device(*state, SIZE), *log = mem_device(*state, 0), *rec;

	assert_int_equal(block_record_load(*state, log, lower, &rec), -EFSCORRUPTED);
	block_close(log);
	block_close(lower);
}

/* Damaged logs are refused or read; memory stays within what the log itself has. */
static void noise_does_no_harm(void **state)
{
	struct block_device *rec = sample(*state), *log = save(*state, rec);
	struct block_device *lower = mem_device(*state, SIZE);
	struct random r;

	random_init_seed(&r, 11);
	for (unsigned i = 0; i < 5000; i++) {
		struct block_device *share, *again;
		uint8_t s[512];
		uint64_t pos = random_below(&r, 15) * 512;

		if (i % 10 == 0)
			assert_int_equal(block_record_save(rec, log), 0);
		assert_int_equal(block_read(log, pos, s, 512), 0);
		s[random_below(&r, 32)] ^= (uint8_t)(1 << random_below(&r, 8));
		assert_int_equal(block_write(log, pos, s, 512, 0), 0);
		assert_int_equal(block_share_create(*state, lower, &share), 0);
		if (block_record_load(*state, log, share, &again))
			again = share;
		assert_in_range(arena_bytes(*state), 0, MiB(1));
		block_close(again);
	}
	block_close(lower);
	block_close(log);
	block_close(rec);
}

static void failures_lose_nothing(void **state)
{
	struct block_device *rec = sample(*state), *log = save(*state, rec), *lower, *again, *fault;
	uint64_t nth;
	int err;

	lower = mem_device(*state, SIZE);
	for (nth = 0;; nth++) {
		size_t before = arena_bytes(*state);

		arena_fail_at(*state, nth);
		err = block_record_load(*state, log, lower, &again);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(arena_bytes(*state), before);
	}
	assert_in_range(nth, 5, 50);
	arena_fail_at(*state, UINT64_MAX);
	assert_int_equal(block_fault_create(*state, log, &fault), 0);
	for (nth = 0;; nth++) {
		block_fault_at(fault, FAULT_ANY, nth, -EIO, false);
		err = block_record_save(rec, fault);
		if (!err)
			break;
		assert_int_equal(err, -EIO);
	}
	assert_int_equal(nth, 7 + 1 + 1 + 1);	/* entries, the log's own mark, superblock, flush */
	block_close(fault);
	block_close(again);
	block_close(rec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_with_arena(there_and_back),
		test_with_arena(an_empty_recording),
		test_with_arena(the_bytes),
		test_with_arena(a_text_too_long_is_cut),
		test_with_arena(a_log_too_small_is_none),
		test_with_arena(sectors_of_4096_bytes),
		test_with_arena(wrong_logs_are_refused),
		test_with_arena(an_empty_device_is_no_log),
		test_with_arena(noise_does_no_harm),
		test_with_arena(failures_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
