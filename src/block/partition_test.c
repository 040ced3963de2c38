/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Partitions are found where the tables say, in either copy of a GPT, with either size of sector;
 * and no table, however damaged, leads outside of the device or into an endless chain.
 *
 * The tables are made here, byte by byte; partx of util-linux is asked whether it finds the same in
 * them (skipped where it is missing).
 */
#include "block/testing.h"

#include "base/endian.h"
#include "base/errors.h"
#include "base/random.h"

#define SIZE MiB(4)

/* ---- making tables */

static void put_mbr_entry(uint8_t *sector, unsigned nr, uint8_t type, uint32_t first,
			  uint32_t count)
{
	uint8_t *e = sector + 446 + 16 * nr;
	le32 v;

	e[4] = type;
	v = le32_of(first);
	memcpy(e + 8, &v, 4);
	v = le32_of(count);
	memcpy(e + 12, &v, 4);
	sector[510] = 0x55;
	sector[511] = 0xaa;
}

static void write_sector(struct block_device *d, uint64_t nr, const void *sector)
{
	assert_int_equal(block_write(d, nr * 512, sector, 512, 0), 0);
}

/* zlib's crc32, by table-free long division. */
static uint32_t crc32_of(const uint8_t *p, size_t len)
{
	uint32_t crc = UINT32_MAX;

	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = (crc >> 1) ^ (crc % 2 ? 0xedb88320u : 0);
	}
	return ~crc;
}

struct gpt_form {			/* what a test may change about a table */
	uint32_t sector_bytes;
	uint32_t entry_count, entry_bytes;
	uint64_t first, last;		/* of partition 2, the only one */
};

static const struct gpt_form plain = { 512, 128, 128, 2048, 4095 };

static void put32(uint8_t *p, uint32_t v)
{
	le32 x = le32_of(v);

	memcpy(p, &x, 4);
}

static void put64(uint8_t *p, uint64_t v)
{
	le64 x = le64_of(v);

	memcpy(p, &x, 8);
}

/* One copy: header in sector `own`, entries from sector `entries` on. */
static void write_gpt_copy(struct block_device *d, const struct gpt_form *f, uint64_t own,
			   uint64_t other, uint64_t entries)
{
	static uint8_t array[MiB(1)];
	uint8_t h[512] = "EFI PART";
	size_t bytes = (size_t)f->entry_count * f->entry_bytes;

	memset(array, 0, sizeof(array));
	if (f->entry_bytes >= 128 && bytes >= 2 * f->entry_bytes && bytes <= sizeof(array)) {
		uint8_t *e = array + f->entry_bytes;

		memset(e, 0x77, 32);
		put64(e + 32, f->first);
		put64(e + 40, f->last);
		if (entries < d->size_bytes && entries * f->sector_bytes + bytes <= d->size_bytes)
			assert_int_equal(block_write(d, entries * f->sector_bytes, array,
						     (bytes + 511) / 512 * 512, 0), 0);
	}
	put32(h + 8, 0x10000);
	put32(h + 12, 92);
	put64(h + 24, own);
	put64(h + 32, other);
	put64(h + 40, 34);
	put64(h + 48, d->size_bytes / f->sector_bytes - 34);
	put64(h + 72, entries);
	put32(h + 80, f->entry_count);
	put32(h + 84, f->entry_bytes);
	put32(h + 88, crc32_of(array, min(bytes, sizeof(array))));
	put32(h + 16, crc32_of(h, 92));
	assert_int_equal(block_write(d, own * f->sector_bytes, h, 512, 0), 0);
}

static void write_gpt(struct block_device *d, const struct gpt_form *f)
{
	uint64_t end = d->size_bytes / f->sector_bytes - 1;
	uint8_t guard[512] = { 0 };

	put_mbr_entry(guard, 0, 0xee, 1, UINT32_MAX);
	write_sector(d, 0, guard);
	write_gpt_copy(d, f, 1, end, 2);
	write_gpt_copy(d, f, end, 1, end - 32);
}

static void flip_byte(struct block_device *d, uint64_t pos)
{
	uint8_t sector[512];

	assert_int_equal(block_read(d, pos / 512 * 512, sector, 512), 0);
	sector[pos % 512] ^= 0x20;
	write_sector(d, pos / 512, sector);
}

static void assert_found(struct block_device *d, unsigned n, uint64_t offset, uint64_t size)
{
	uint64_t o = 0, s = 0;

	assert_int_equal(block_partition_find(d, n, &o, &s), 0);
	assert_int_equal(o, offset);
	assert_int_equal(s, size);
}

static void assert_not_found(struct block_device *d, unsigned n, int err)
{
	uint64_t o = 1, s = 2;

	assert_int_equal(block_partition_find(d, n, &o, &s), err);
	assert_int_equal(o, 1);
	assert_int_equal(s, 2);
}

/* ---- MBR */

static void no_table(void **state)
{
	struct block_device *d = mem_device(*state, SIZE), *empty = mem_device(*state, 0);
	uint8_t boot[512] = { 0 };

	assert_not_found(d, 1, -ENODATA);
	assert_not_found(empty, 1, -ENODATA);
	put_mbr_entry(boot, 0, 0x83, 8, 8);
	boot[446 + 32] = 'x';		/* text where a status belongs: somebody's boot sector */
	write_sector(d, 0, boot);
	assert_not_found(d, 1, -ENODATA);
	block_close(empty);
	block_close(d);
}

static void primaries(void **state)
{
	struct block_device *d = mem_device(*state, SIZE);
	uint8_t mbr[512] = { 0 };

	put_mbr_entry(mbr, 0, 0x83, 2048, 1024);
	put_mbr_entry(mbr, 2, 0x83, 1, 63);
	put_mbr_entry(mbr, 3, 0x83, 8191, 1);
	mbr[446] = 0x80;
	write_sector(d, 0, mbr);
	assert_found(d, 1, MiB(1), KiB(512));
	assert_found(d, 3, 512, 63 * 512);
	assert_found(d, 4, SIZE - 512, 512);
	assert_not_found(d, 0, -ENOENT);
	assert_not_found(d, 2, -ENOENT);
	assert_not_found(d, 5, -ENOENT);
	assert_not_found(d, UINT32_MAX, -ENOENT);

	put_mbr_entry(mbr, 3, 0x83, 8191, 2);
	put_mbr_entry(mbr, 2, 0x83, 8192, 1);
	write_sector(d, 0, mbr);
	assert_not_found(d, 4, -EFSCORRUPTED);
	assert_not_found(d, 3, -EFSCORRUPTED);
	block_close(d);
}

/* An extended partition in sectors 2048..8191 with three records; the second has no partition. */
static void write_logicals(struct block_device *d)
{
	uint8_t mbr[512] = { 0 }, a[512] = { 0 }, b[512] = { 0 }, c[512] = { 0 };

	put_mbr_entry(mbr, 0, 0x83, 63, 100);
	put_mbr_entry(mbr, 1, 0x0f, 2048, 6144);
	write_sector(d, 0, mbr);
	put_mbr_entry(a, 0, 0x83, 63, 1000);
	put_mbr_entry(a, 1, 0x05, 2000, 100);
	write_sector(d, 2048, a);
	put_mbr_entry(b, 1, 0x05, 3000, 2000);
	write_sector(d, 2048 + 2000, b);
	put_mbr_entry(c, 0, 0x83, 1, 500);
	write_sector(d, 2048 + 3000, c);
}

static void logicals(void **state)
{
	struct block_device *d = mem_device(*state, SIZE);

	write_logicals(d);
	assert_found(d, 1, 63 * 512, 100 * 512);
	assert_not_found(d, 2, -ENOENT);	/* the extended one itself is none */
	assert_found(d, 5, (2048 + 63) * 512, 1000 * 512);
	assert_found(d, 6, (2048 + 3000 + 1) * 512, 500 * 512);
	assert_not_found(d, 7, -ENOENT);
	block_close(d);
}

static void chains_end(void **state)
{
	struct block_device *d = mem_device(*state, SIZE);
	uint8_t record[512] = { 0 };

	write_logicals(d);
	put_mbr_entry(record, 1, 0x05, 2000, 100);	/* the second record points at itself */
	write_sector(d, 2048 + 2000, record);
	assert_found(d, 5, (2048 + 63) * 512, 1000 * 512);
	assert_not_found(d, 6, -EFSCORRUPTED);
	put_mbr_entry(record, 1, 0x05, 6144, 100);	/* beyond the end */
	write_sector(d, 2048 + 2000, record);
	assert_not_found(d, 6, -EFSCORRUPTED);
	put_mbr_entry(record, 1, 0x05, 5000, 100);	/* at something that is no record */
	write_sector(d, 2048 + 2000, record);
	assert_not_found(d, 6, -EFSCORRUPTED);
	block_close(d);
}

/* ---- GPT */

static void tables_of_both_sector_sizes(void **state)
{
	static const struct gpt_form forms[] = {
		{512, 128, 128, 2048, 4095}, {512, 4, 512, 34, 34},   {512, 13, 256, 100, 8000},
		{4096, 128, 128, 256, 511},  {4096, 2, 4096, 6, 900},
	};

	for (unsigned i = 0; i < array_size(forms); i++) {
		struct block_device *d = mem_device(*state, SIZE);
		const struct gpt_form *f = &forms[i];

		write_gpt(d, f);
		assert_found(d, 2, f->first * f->sector_bytes,
			     (f->last - f->first + 1) * f->sector_bytes);
		assert_not_found(d, 0, -ENOENT);
		assert_not_found(d, 1, -ENOENT);
		assert_not_found(d, f->entry_count + 1, -ENOENT);
		assert_not_found(d, UINT32_MAX, -ENOENT);
		block_close(d);
	}
}

static void the_second_copy_helps(void **state)
{
	static const uint64_t damages[] = { 512, 512 + 16, 512 + 80, 512 + 91, 1024 + 128 + 33,
					    1024 + 16383 };

	for (unsigned i = 0; i < array_size(damages); i++) {
		struct block_device *d = mem_device(*state, SIZE);

		write_gpt(d, &plain);
		flip_byte(d, damages[i]);
		assert_found(d, 2, MiB(1), MiB(1));
		flip_byte(d, SIZE - 512 + 60);	/* and now the second one too */
		assert_not_found(d, 2, -EFSBADCRC);
		block_close(d);
	}
}

static void a_guard_without_a_table(void **state)
{
	struct block_device *d = mem_device(*state, SIZE);
	uint8_t nothing[512] = { 0 };

	write_gpt(d, &plain);
	write_sector(d, 1, nothing);
	write_sector(d, SIZE / 512 - 1, nothing);
	assert_not_found(d, 2, -EFSCORRUPTED);
	block_close(d);
}

/* Right checksums do not make a table right. */
static void absurd_tables_are_refused(void **state)
{
	static const struct gpt_form forms[] = {
		{ 512, 128, 128, 4095, 2048 },		  { 512, 128, 128, 2048, SIZE / 512 },
		{ 512, 128, 128, UINT64_MAX, UINT64_MAX }, { 512, 128, 128, 0, UINT64_MAX },
		{ 512, 128, 64, 2048, 4095 },		  { 512, 128, 192, 2048, 4095 },
		{ 512, UINT32_MAX, 128, 2048, 4095 },	  { 512, 2, 8192, 2048, 4095 },
		{ 512, 2, 0x80000000, 2048, 4095 },
	};

	for (unsigned i = 0; i < array_size(forms); i++) {
		struct block_device *d = mem_device(*state, SIZE);

		write_gpt(d, &forms[i]);
		assert_not_found(d, 2, -EFSCORRUPTED);
		block_close(d);
	}
}

static void entries_beyond_the_end(void **state)
{
	struct block_device *d = mem_device(*state, SIZE);
	uint64_t end = SIZE / 512 - 1;

	write_gpt(d, &plain);
	write_gpt_copy(d, &plain, 1, end, end - 30);
	write_gpt_copy(d, &plain, end, 1, UINT64_MAX - 3);
	assert_not_found(d, 2, -EFSCORRUPTED);
	block_close(d);
}

/* A header that is elsewhere than it says has been copied by a fool. */
static void a_header_knows_its_place(void **state)
{
	struct block_device *d = mem_device(*state, SIZE);
	uint64_t end = SIZE / 512 - 1;
	uint8_t h[512];

	write_gpt(d, &plain);
	assert_int_equal(block_read(d, 512, h, 512), 0);
	write_sector(d, end, h);
	flip_byte(d, 512);
	assert_not_found(d, 2, -EFSCORRUPTED);
	block_close(d);
}

/* Thousands of damaged tables: whatever is found lies on the device. */
static void noise_does_no_harm(void **state)
{
	struct block_device *d = mem_device(*state, SIZE);
	struct random r;

	random_init_seed(&r, 7);
	for (unsigned i = 0; i < 3000; i++) {
		uint64_t offset, size;
		unsigned n = 1 + random_below(&r, 8);

		if (i % 16 == 0) {
			write_gpt(d, &plain);
			if (i % 32)
				write_logicals(d);
		}
		flip_byte(d, random_below(&r, i % 32 < 16 ? KiB(2) : 512));
		flip_byte(d, 2048 * 512 + 446 + random_below(&r, 66));
		if (!block_partition_find(d, n, &offset, &size)) {
			assert_true(size && offset <= SIZE && size <= SIZE - offset);
			assert_int_equal(offset % 512 + size % 512, 0);
		}
	}
	block_close(d);
}

static void read_errors_are_passed_on(void **state)
{
	struct block_device *d = mem_device(*state, SIZE), *fault;
	uint64_t offset, size, calls;

	write_gpt(d, &plain);
	assert_int_equal(block_fault_create(*state, d, &fault), 0);
	assert_int_equal(block_partition_find(fault, 2, &offset, &size), 0);
	calls = block_fault_calls(fault);
	for (uint64_t nth = 0; nth < calls; nth++) {
		block_fault_at(fault, FAULT_READ, nth, -EIO, false);
		assert_int_equal(block_partition_find(fault, 2, &offset, &size), -EIO);
	}
	block_close(fault);
}

/* ---- what partx finds */

/*
 * All that partx finds in the file, each also found by us. The number of partitions; -1: no partx.
 */
static int compare_with_partx(struct block_device *d, const char *file)
{
	char command[TEMP_PATH_MAX + 64];
	unsigned long nr, start, sectors;
	char type[64];
	int found = 0;
	FILE *out;

	snprintf(command, sizeof(command), "partx -g -b -o NR,START,SECTORS,TYPE %s 2>/dev/null",
		 file);
	if (system("partx --version >/dev/null 2>&1"))
		return -1;
	out = popen(command, "r");
	assert_non_null(out);
	while (fscanf(out, "%lu %lu %lu %63s", &nr, &start, &sectors, type) == 4) {
		if (!strcmp(type, "0xf"))	/* an extended one */
			continue;
		assert_found(d, (unsigned)nr, start * 512, sectors * 512);
		found++;
	}
	pclose(out);
	return found;
}

static void assert_partx_finds(struct arena *a, void (*write_table)(struct block_device *d),
			       int want)
{
	char path[TEMP_PATH_MAX];
	struct block_device *d;
	int found;

	temp_file(path, SIZE);
	assert_int_equal(block_file_open(a, path, false, 0, 0, &d), 0);
	write_table(d);
	found = compare_with_partx(d, path);
	unlink(path);
	block_close(d);
	if (found < 0)
		skip();
	assert_int_equal(found, want);
}

static void write_plain_gpt(struct block_device *d)
{
	write_gpt(d, &plain);
}

static void write_gpt_with_a_damaged_header(struct block_device *d)
{
	write_gpt(d, &plain);
	flip_byte(d, 512 + 80);
}

static void partx_agrees(void **state)
{
	assert_partx_finds(*state, write_logicals, 3);
	assert_partx_finds(*state, write_plain_gpt, 1);
	assert_partx_finds(*state, write_gpt_with_a_damaged_header, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_with_arena(no_table),
		test_with_arena(primaries),
		test_with_arena(logicals),
		test_with_arena(chains_end),
		test_with_arena(tables_of_both_sector_sizes),
		test_with_arena(the_second_copy_helps),
		test_with_arena(a_guard_without_a_table),
		test_with_arena(absurd_tables_are_refused),
		test_with_arena(entries_beyond_the_end),
		test_with_arena(a_header_knows_its_place),
		test_with_arena(noise_does_no_harm),
		test_with_arena(read_errors_are_passed_on),
		test_with_arena(partx_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
