/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a partition lies. A disk begins with a master boot record: four primary partitions, one of
 * which may be extended, a chain of records with one logical partition each. If one of the four is
 * of type 0xEE, the record only guards a GUID partition table (GPT), which counts instead: a header
 * in sector 1 and an array of entries, both checksummed, and a second copy with its header in the
 * last sector, which is used when the first is damaged.
 *
 * A GPT is looked for with sectors of 512 bytes, then of 4096; in a master boot record they are
 * 512. All of it is hostile: every number is checked against the device before it is used, and the
 * work is bounded by constants.
 */
#include "block/device.h"

#include <string.h>
#include "base/endian.h"
#include "base/errors.h"

#define MBR_SIGNATURE	0xaa55
#define MBR_PRIMARIES	4u
#define LOGICAL_MAX	256u		/* links of a chain that are followed */

enum mbr_type {
	MBR_NONE = 0x00,
	MBR_EXTENDED = 0x05,
	MBR_EXTENDED_LBA = 0x0f,
	MBR_EXTENDED_LINUX = 0x85,
	MBR_GUARDS_GPT = 0xee,
};

struct mbr_entry {			/* on disk */
	uint8_t status;			/* 0x80: active */
	uint8_t first_chs[3];
	uint8_t type;
	uint8_t last_chs[3];
	le32 first;			/* sector; in an extended chain relative, see there */
	le32 count;
};
DISK_SIZE(struct mbr_entry, 16);

struct mbr {				/* on disk */
	uint8_t code[446];
	struct mbr_entry entries[MBR_PRIMARIES];
	le16 signature;
};
DISK_SIZE(struct mbr, 512);

struct gpt_header {			/* on disk */
	char signature[8];
	le32 revision;
	le32 header_bytes;
	le32 header_crc;		/* with this field 0 */
	le32 reserved;
	le64 own_lba;
	le64 other_lba;
	le64 first_usable, last_usable;
	uint8_t disk_guid[16];
	le64 entries_lba;
	le32 entry_count;
	le32 entry_bytes;
	le32 entries_crc;
};
DISK_SIZE(struct gpt_header, 92);

struct gpt_entry {			/* on disk */
	uint8_t type_guid[16];		/* all 0: unused */
	uint8_t guid[16];
	le64 first, last;		/* sectors, both within */
	le64 attributes;
	uint8_t name[72];		/* UTF-16 */
};
DISK_SIZE(struct gpt_entry, 128);

#define GPT_SIGNATURE		"EFI PART"
#define GPT_ENTRY_BYTES_MAX	4096u
#define GPT_ENTRIES_BYTES_MAX	(1u << 20)

/* A range of sectors, if it is one and lies on the device. */
static int range_of(const struct block_device *d, uint64_t first, uint64_t count,
		    uint32_t sector_bytes, uint64_t *offset, uint64_t *size)
{
	uint64_t sectors = d->size_bytes / sector_bytes;

	if (!count || first >= sectors || count > sectors - first)
		return -EFSCORRUPTED;
	*offset = first * sector_bytes;
	*size = count * sector_bytes;
	return 0;
}

/* ---- GPT */

/*
 * The checksum of zlib and Ethernet; continues with what the last call returned, beginning with 0.
 */
static uint32_t crc32_reflected(uint32_t crc, const uint8_t *p, size_t len)
{
	crc = ~crc;
	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* The header in sector `lba`, verified. -ENODATA: there is none. */
static int gpt_header_read(struct block_device *d, uint32_t sector_bytes, uint64_t lba,
			   struct gpt_header *out)
{
	static const uint8_t zero[sizeof(le32)];
	uint8_t buf[BLOCK_SECTOR_BYTES];
	uint32_t header_bytes, crc;
	int err;

	if (lba >= d->size_bytes / sector_bytes)
		return -ENODATA;
	err = block_read(d, lba * sector_bytes, buf, sizeof(buf));
	if (err)
		return err;
	memcpy(out, buf, sizeof(*out));
	if (memcmp(out->signature, GPT_SIGNATURE, sizeof(out->signature)))
		return -ENODATA;
	header_bytes = le32_get(out->header_bytes);
	if (header_bytes < sizeof(*out) || header_bytes > sizeof(buf))
		return -EFSCORRUPTED;
	memcpy(buf + offsetof(struct gpt_header, header_crc), zero, sizeof(zero));
	crc = crc32_reflected(0, buf, header_bytes);
	if (crc != le32_get(out->header_crc))
		return -EFSBADCRC;
	return le64_get(out->own_lba) == lba ? 0 : -EFSCORRUPTED;
}

/* The entries have a size we know, and lie on the device. */
static int gpt_entries_check(const struct block_device *d, uint32_t sector_bytes,
			     const struct gpt_header *h)
{
	uint64_t sectors = d->size_bytes / sector_bytes, lba = le64_get(h->entries_lba);
	uint32_t count = le32_get(h->entry_count), entry_bytes = le32_get(h->entry_bytes);
	uint64_t bytes = (uint64_t)count * entry_bytes;

	if (entry_bytes < sizeof(struct gpt_entry) || entry_bytes > GPT_ENTRY_BYTES_MAX ||
	    entry_bytes & (entry_bytes - 1) || bytes > GPT_ENTRIES_BYTES_MAX)
		return -EFSCORRUPTED;
	if (lba >= sectors || bytes > (sectors - lba) * sector_bytes)
		return -EFSCORRUPTED;
	return 0;
}

/* Reads all entries for their checksum. */
static int gpt_entries_verify(struct block_device *d, uint32_t sector_bytes,
			      const struct gpt_header *h)
{
	uint64_t pos = le64_get(h->entries_lba) * sector_bytes;
	uint64_t left = (uint64_t)le32_get(h->entry_count) * le32_get(h->entry_bytes);
	uint8_t buf[BLOCK_SECTOR_BYTES];
	uint32_t crc = 0;

	while (left) {
		size_t n = min(left, (uint64_t)sizeof(buf));
		int err = block_read(d, pos, buf, sizeof(buf));

		if (err)
			return err;
		crc = crc32_reflected(crc, buf, n);
		pos += n;
		left -= n;
	}
	return crc == le32_get(h->entries_crc) ? 0 : -EFSBADCRC;
}

static int gpt_entry_read(struct block_device *d, uint32_t sector_bytes, const struct gpt_header *h,
			  unsigned n, struct gpt_entry *out)
{
	static const uint8_t unused[sizeof(out->type_guid)];
	uint64_t pos = le64_get(h->entries_lba) * sector_bytes +
		       (uint64_t)(n - 1) * le32_get(h->entry_bytes);
	uint8_t buf[BLOCK_SECTOR_BYTES];
	int err;

	if (n > le32_get(h->entry_count))
		return -ENOENT;
	err = block_read(d, pos - pos % sizeof(buf), buf, sizeof(buf));
	if (err)
		return err;
	memcpy(out, buf + pos % sizeof(buf), sizeof(*out));
	return memcmp(out->type_guid, unused, sizeof(unused)) ? 0 : -ENOENT;
}

/* One copy of the table, by its header in sector `lba`. */
static int gpt_find_by(struct block_device *d, uint32_t sector_bytes, uint64_t lba, unsigned n,
		       uint64_t *offset, uint64_t *size)
{
	struct gpt_header h;
	struct gpt_entry e;
	int err = gpt_header_read(d, sector_bytes, lba, &h);

	if (!err)
		err = gpt_entries_check(d, sector_bytes, &h);
	if (!err)
		err = gpt_entries_verify(d, sector_bytes, &h);
	if (!err)
		err = gpt_entry_read(d, sector_bytes, &h, n, &e);
	if (err)
		return err;
	if (le64_get(e.last) < le64_get(e.first))
		return -EFSCORRUPTED;
	return range_of(d, le64_get(e.first), le64_get(e.last) - le64_get(e.first) + 1,
			sector_bytes, offset, size);
}

static bool is_damage(int err)
{
	return err == -ENODATA || err == -EFSBADCRC || err == -EFSCORRUPTED;
}

/* The copies in the order of trust; the worst that is said of the damaged ones if none is whole. */
static int gpt_find(struct block_device *d, unsigned n, uint64_t *offset, uint64_t *size)
{
	static const uint32_t sector_sizes[] = { 512, 4096 };
	int damage = -ENODATA;

	for (unsigned i = 0; i < 2 * array_size(sector_sizes); i++) {
		uint32_t sector_bytes = sector_sizes[i / 2];
		uint64_t sectors = d->size_bytes / sector_bytes;
		int err = gpt_find_by(d, sector_bytes, i % 2 ? sectors - 1 : 1, n, offset, size);

		if (!is_damage(err))
			return err;
		if (err != -ENODATA)
			damage = err;
	}
	return damage == -ENODATA ? -EFSCORRUPTED : damage;	/* guarded, and not there */
}

/* ---- MBR */

static bool is_extended(const struct mbr_entry *e)
{
	return e->type == MBR_EXTENDED || e->type == MBR_EXTENDED_LBA ||
	       e->type == MBR_EXTENDED_LINUX;
}

static bool is_used(const struct mbr_entry *e)
{
	return e->type != MBR_NONE && le32_get(e->count);
}

static int mbr_read(struct block_device *d, uint64_t sector, struct mbr *out)
{
	int err;

	if (sector >= d->size_bytes / sizeof(*out))
		return -EFSCORRUPTED;
	err = block_read(d, sector * sizeof(*out), out, sizeof(*out));
	if (err)
		return err;
	return le16_get(out->signature) == MBR_SIGNATURE ? 0 : -EFSCORRUPTED;
}

/*
 * The logical partition `n` (from 1) of the extended one that begins at `start`. A record's first
 * entry is a partition, relative to the record; its second points to the next record, relative to
 * `start`.
 */
static int logical_find(struct block_device *d, uint64_t start, unsigned n, uint64_t *offset,
			uint64_t *size)
{
	uint64_t at = start;

	for (unsigned link = 0; link < LOGICAL_MAX; link++) {
		struct mbr record;
		const struct mbr_entry *e = record.entries;
		int err = mbr_read(d, at, &record);

		if (err)
			return err;
		if (is_used(&e[0]) && !is_extended(&e[0]) && --n == 0)
			return range_of(d, at + le32_get(e[0].first), le32_get(e[0].count),
					sizeof(record), offset, size);
		if (!is_used(&e[1]) || !is_extended(&e[1]))
			return -ENOENT;
		at = start + le32_get(e[1].first);
	}
	return -EFSCORRUPTED;
}

static int mbr_find(struct block_device *d, const struct mbr *mbr, unsigned n, uint64_t *offset,
		    uint64_t *size)
{
	if (n <= MBR_PRIMARIES) {
		const struct mbr_entry *e = &mbr->entries[n - 1];

		if (!is_used(e) || is_extended(e))
			return -ENOENT;
		return range_of(d, le32_get(e->first), le32_get(e->count), sizeof(*mbr), offset,
				size);
	}
	for (unsigned i = 0; i < MBR_PRIMARIES; i++)
		if (is_used(&mbr->entries[i]) && is_extended(&mbr->entries[i]))
			return logical_find(d, le32_get(mbr->entries[i].first), n - MBR_PRIMARIES,
					    offset, size);
	return -ENOENT;
}

/*
 * A boot sector of something else has the signature too, but hardly four entries with a valid
 * status.
 */
static bool is_table(const struct mbr *mbr)
{
	for (unsigned i = 0; i < MBR_PRIMARIES; i++)
		if (mbr->entries[i].status & 0x7f)
			return false;
	return true;
}

static bool guards_gpt(const struct mbr *mbr)
{
	for (unsigned i = 0; i < MBR_PRIMARIES; i++)
		if (mbr->entries[i].type == MBR_GUARDS_GPT)
			return true;
	return false;
}

int block_partition_find(struct block_device *d, unsigned n, uint64_t *offset, uint64_t *size)
{
	struct mbr mbr;
	int err = mbr_read(d, 0, &mbr);

	if (err == -EFSCORRUPTED || (!err && !is_table(&mbr)))
		return -ENODATA;
	if (err)
		return err;
	if (!n)
		return -ENOENT;
	if (guards_gpt(&mbr))
		return gpt_find(d, n, offset, size);
	return mbr_find(d, &mbr, n, offset, size);
}
