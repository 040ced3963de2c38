/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A recording in the format of the kernel's device mapper target log-writes, which other tools
 * replay (linux-doc: admin-guide/device-mapper/log-writes.rst). All of it is little-endian and lies
 * in sectors of the size that the superblock names; we write 512.
 *
 *	sector 0	superblock: magic, version, number of entries, sector size
 *	then, for each entry:
 *	1 sector	sector and number of sectors that it changed, flags, bytes of text; the text
 *			of a mark follows in the same sector
 *	n sectors	the bytes of a write; a discard has none
 *
 * A write that begins with a flush has the flush flag and bytes; a flush alone has no bytes. Every
 * log ends with a mark of its own, which is not part of the recording.
 */
#include "block/record.h"

#include <string.h>
#include "base/assert.h"
#include "base/endian.h"
#include "base/errors.h"

#define LOG_MAGIC	0x006a736677736872ull
#define LOG_VERSION	1
#define LOG_SECTOR	BLOCK_SECTOR_BYTES	/* of the logs that we write */
#define LOG_SECTOR_MAX	4096u
#define LOG_END_MARK	"dm-log-writes-end"

struct log_super {			/* on disk */
	le64 magic;
	le64 version;
	le64 entry_count;
	le32 sector_bytes;
};
DISK_SIZE(struct log_super, 28);

struct log_entry {			/* on disk */
	le64 sector;
	le64 sector_count;
	le64 flags;			/* LOG_* */
	le64 text_bytes;
};
DISK_SIZE(struct log_entry, 32);

enum log_flags {
	LOG_FLUSH = 1u << 0,
	LOG_FUA = 1u << 1,
	LOG_DISCARD = 1u << 2,
	LOG_MARK = 1u << 3,
	LOG_METADATA = 1u << 4,
};

/* ---- writing */

static uint64_t log_flags_of(const struct block_record_entry *e)
{
	switch (e->kind) {
	case RECORD_FLUSH:
		return LOG_FLUSH;
	case RECORD_DISCARD:
		return LOG_DISCARD;
	case RECORD_MARK:
		return LOG_MARK;
	case RECORD_WRITE:
		break;
	}
	return (e->flags & BLOCK_PREFLUSH ? LOG_FLUSH : 0u) |
	       (e->flags & BLOCK_FUA ? LOG_FUA : 0u) | (e->flags & BLOCK_META ? LOG_METADATA : 0u);
}

/* The sector of an entry. A text too long for it is cut. */
static void encode_entry(const struct block_record_entry *e, uint8_t sector[LOG_SECTOR])
{
	uint64_t text_bytes = 0;
	struct log_entry le;

	memset(sector, 0, LOG_SECTOR);
	if (e->kind == RECORD_MARK) {
		text_bytes = min(e->len, (uint64_t)(LOG_SECTOR - sizeof(le) - 1));
		memcpy(sector + sizeof(le), e->data, text_bytes);
	}
	le = (struct log_entry){
		.sector = le64_of(e->offset / LOG_SECTOR),
		.sector_count = le64_of(record_is_change(e) ? e->len / LOG_SECTOR : 0),
		.flags = le64_of(log_flags_of(e)),
		.text_bytes = le64_of(text_bytes),
	};
	memcpy(sector, &le, sizeof(le));
}

static uint64_t encoded_bytes(const struct block_record_entry *e)
{
	return LOG_SECTOR + (e->kind == RECORD_WRITE ? e->len : 0);
}

static int save_entry(const struct block_record_entry *e, struct block_device *log, uint64_t *pos)
{
	uint8_t sector[LOG_SECTOR];
	const struct iovec iov[] = {
		{ .iov_base = sector, .iov_len = sizeof(sector) },
		{ .iov_base = (void *)(uintptr_t)e->data, .iov_len = e->len },
	};
	const struct block_io io = {
		.offset = *pos,
		.iov = iov,
		.iov_count = e->kind == RECORD_WRITE ? 2 : 1,
	};

	encode_entry(e, sector);
	*pos += encoded_bytes(e);
	return block_writev(log, &io);
}

static const struct block_record_entry end_mark = {
	.kind = RECORD_MARK,
	.len = sizeof(LOG_END_MARK) - 1,
	.data = (const uint8_t *)LOG_END_MARK,
};

static int save_super(struct block_device *log, uint64_t entry_count)
{
	const struct log_super super = {
		.magic = le64_of(LOG_MAGIC),
		.version = le64_of(LOG_VERSION),
		.entry_count = le64_of(entry_count),
		.sector_bytes = le32_of(LOG_SECTOR),
	};
	uint8_t sector[LOG_SECTOR] = { 0 };

	memcpy(sector, &super, sizeof(super));
	return block_write(log, 0, sector, sizeof(sector), 0);
}

uint64_t block_record_log_bytes(const struct block_device *rec)
{
	uint64_t bytes = LOG_SECTOR + encoded_bytes(&end_mark);
	size_t count = block_record_count(rec);

	for (size_t i = 0; i < count; i++)
		bytes += encoded_bytes(block_record_get(rec, i));
	return bytes;
}

/* The superblock comes last, so that a log cut short is none. */
int block_record_save(const struct block_device *rec, struct block_device *log)
{
	size_t count = block_record_count(rec);
	uint64_t pos = LOG_SECTOR;
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = save_entry(block_record_get(rec, i), log, &pos);
	if (!err)
		err = save_entry(&end_mark, log, &pos);
	if (!err)
		err = save_super(log, count + 1);
	return err ? err : block_flush(log);
}

/* ---- reading; nothing in the log is believed until it was checked against the two devices */

struct log_reader {
	struct block_device *log;
	struct block_device *rec;
	uint64_t pos;			/* of the next entry */
	uint64_t entries_left;
	uint32_t sector_bytes;
};

static int load_super(struct log_reader *l)
{
	uint8_t sector[LOG_SECTOR];
	struct log_super super;
	int err;

	if (l->log->size_bytes < sizeof(sector))
		return -EFSCORRUPTED;
	err = block_read(l->log, 0, sector, sizeof(sector));
	if (err)
		return err;
	memcpy(&super, sector, sizeof(super));
	l->sector_bytes = le32_get(super.sector_bytes);
	l->entries_left = le64_get(super.entry_count);
	l->pos = l->sector_bytes;
	if (le64_get(super.magic) != LOG_MAGIC || le64_get(super.version) != LOG_VERSION)
		return -EFSCORRUPTED;
	if (l->sector_bytes < LOG_SECTOR || l->sector_bytes > LOG_SECTOR_MAX ||
	    l->sector_bytes & (l->sector_bytes - 1))
		return -EFSCORRUPTED;
	return 0;
}

/* The log has `len` more bytes at `pos`. */
static bool log_has(const struct log_reader *l, uint64_t pos, uint64_t len)
{
	return pos <= l->log->size_bytes && len <= l->log->size_bytes - pos;
}

/* The range of the device that an entry changed, in bytes. */
static int decode_range(const struct log_reader *l, const struct log_entry *le,
			struct block_record_entry *e)
{
	uint64_t device_sectors = l->rec->size_bytes / l->sector_bytes;
	uint64_t sector = le64_get(le->sector), count = le64_get(le->sector_count);

	if (sector > device_sectors || count > device_sectors - sector)
		return -EFSCORRUPTED;
	e->offset = sector * l->sector_bytes;
	e->len = count * l->sector_bytes;
	return 0;
}

static int append(struct log_reader *l, const struct block_record_entry *e, size_t data_bytes,
		  void **data)
{
	return record_append(l->rec, e, data_bytes, data);
}

static int load_mark(struct log_reader *l, const struct log_entry *le, const uint8_t *sector)
{
	struct block_record_entry e = { .kind = RECORD_MARK, .len = le64_get(le->text_bytes) };
	void *data;
	int err;

	if (e.len > l->sector_bytes - sizeof(*le))
		return -EFSCORRUPTED;
	if (!l->entries_left && e.len == end_mark.len &&
	    !memcmp(sector + sizeof(*le), LOG_END_MARK, e.len))
		return 0;
	err = append(l, &e, e.len + 1, &data);
	if (!err) {
		memcpy(data, sector + sizeof(*le), e.len);
		((char *)data)[e.len] = '\0';
	}
	return err;
}

static int load_flush(struct log_reader *l)
{
	const struct block_record_entry e = { .kind = RECORD_FLUSH };
	void *data;

	return append(l, &e, 0, &data);
}

static int load_discard(struct log_reader *l, const struct log_entry *le)
{
	struct block_record_entry e = { .kind = RECORD_DISCARD };
	void *data;
	int err = decode_range(l, le, &e);

	if (!err && le64_get(le->flags) & LOG_FLUSH)
		err = load_flush(l);
	return err ? err : append(l, &e, 0, &data);
}

static unsigned block_flags_of(uint64_t log_flags)
{
	return (log_flags & LOG_FLUSH ? BLOCK_PREFLUSH : 0u) |
	       (log_flags & LOG_FUA ? BLOCK_FUA : 0u) |
	       (log_flags & LOG_METADATA ? BLOCK_META : 0u);
}

static int load_write(struct log_reader *l, const struct log_entry *le)
{
	struct block_record_entry e = {
		.kind = RECORD_WRITE,
		.flags = block_flags_of(le64_get(le->flags)),
	};
	void *data;
	int err = decode_range(l, le, &e);

	if (err)
		return err;
	if (!log_has(l, l->pos, e.len))
		return -EFSCORRUPTED;
	err = append(l, &e, e.len, &data);
	if (!err)
		err = block_read(l->log, l->pos, data, e.len);
	l->pos += e.len;
	return err;
}

static int load_entry(struct log_reader *l)
{
	uint8_t sector[LOG_SECTOR_MAX];
	struct log_entry le;
	uint64_t flags;
	int err;

	if (!log_has(l, l->pos, l->sector_bytes))
		return -EFSCORRUPTED;
	err = block_read(l->log, l->pos, sector, l->sector_bytes);
	if (err)
		return err;
	memcpy(&le, sector, sizeof(le));
	l->pos += l->sector_bytes;
	l->entries_left--;
	flags = le64_get(le.flags);
	if (flags & LOG_MARK)
		return load_mark(l, &le, sector);
	if (flags & LOG_DISCARD)
		return load_discard(l, &le);
	if (!le64_get(le.sector_count))
		return flags & LOG_FLUSH ? load_flush(l) : 0;
	return load_write(l, &le);
}

int block_record_load(struct arena *a, struct block_device *log, struct block_device *lower,
		      struct block_device **out)
{
	struct log_reader l = { .log = log };
	int err = load_super(&l);

	if (err)
		return err;
	err = block_record_create(a, lower, &l.rec);
	if (err)
		return err;
	while (l.entries_left && !err)
		err = load_entry(&l);
	if (err)
		record_abandon(l.rec);
	else
		*out = l.rec;
	return err;
}
