/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block device: read, write, flush, discard, size. What is under it is a file, memory, or another
 * device (a filter: cow, record, fault, stats, delay). Offsets and lengths are bytes, multiples of
 * 512 unless a function says otherwise.
 *
 * Durability: a write is stable after a later flush has returned, or when it returns with BLOCK_FUA.
 * Between flushes, writes may reach the medium in any order, whole or torn at 512 bytes.
 *
 * Threads: every operation may be called by several tasks at once. Two writes that overlap, or a
 * read and a write that do, are the caller's to order.
 *
 * Errors: negative errno; -EIO where the medium failed. A failed write may have written any part.
 */
#ifndef EXTANT_BLOCK_DEVICE_H
#define EXTANT_BLOCK_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include "base/alloc.h"
#include "base/compiler.h"

enum block_flags {
	BLOCK_FUA = 1u << 0,		/* stable when it returns */
	BLOCK_PREFLUSH = 1u << 1,	/* all earlier writes are stable before this one begins */
	BLOCK_META = 1u << 2,		/* said of journal and metadata, for traces and statistics */
	BLOCK_SYNC = 1u << 3,		/* somebody waits for it */
};

struct block_device;

struct block_io {			/* one vectored transfer */
	uint64_t offset;
	const struct iovec *iov;
	int iov_count;
	unsigned flags;
};

struct block_ops {
	int (*read)(struct block_device *d, const struct block_io *io);
	int (*write)(struct block_device *d, const struct block_io *io);
	int (*flush)(struct block_device *d);
	int (*discard)(struct block_device *d, uint64_t offset, uint64_t len);	/* NULL: not supported */
	void (*close)(struct block_device *d);
};

struct block_device {			/* the first member of every device */
	const struct block_ops *ops;
	struct arena *arena;
	uint64_t size_bytes;
	bool read_only;
	const char *name;		/* for messages; lives as long as the device */
};

/* 0 or negative errno; transfers the whole or fails. Bounds are checked here: -EINVAL beyond the end. */
must_check int block_read(struct block_device *d, uint64_t offset, void *buf, size_t len);
must_check int block_write(struct block_device *d, uint64_t offset, const void *buf, size_t len, unsigned flags);
must_check int block_readv(struct block_device *d, const struct block_io *io);
must_check int block_writev(struct block_device *d, const struct block_io *io);
/* Several transfers; returns the first error, having tried all of them. They may run side by side. */
must_check int block_writev_batch(struct block_device *d, const struct block_io *ios, int count);
must_check int block_flush(struct block_device *d);
/* -EOPNOTSUPP where the device cannot. What is discarded reads as anything. */
must_check int block_discard(struct block_device *d, uint64_t offset, uint64_t len);
/* Closes it and, for a filter, what is below it. NULL: nothing. */
void block_close(struct block_device *d);

/* ---- devices */

/*
 * A file or block special file. Refuses (-EBUSY) one that something else has open for writing or that
 * is mounted: a lock (flock and an open-file-description lock) is held while it is open; a block
 * special file is opened exclusively. `offset`, `size`: the part that is the device; size 0: to the end.
 */
must_check int block_file_open(struct arena *a, const char *path, bool read_only, uint64_t offset,
			       uint64_t size, struct block_device **out);
/* Memory, zeroed, sparse: pages never written cost nothing. */
must_check int block_mem_create(struct arena *a, uint64_t size_bytes, struct block_device **out);

/* ---- filters; each takes over `lower` (closed with it) unless it fails */

/* Writes stay in memory; `lower` is only read. */
must_check int block_cow_create(struct arena *a, struct block_device *lower, struct block_device **out);
/* Forgets all that was written. */
void block_cow_reset(struct block_device *cow);

/* Keeps every write (with its bytes), flush, forced write and discard, in order. */
enum block_record_kind { RECORD_WRITE, RECORD_FLUSH, RECORD_DISCARD, RECORD_MARK };
struct block_record_entry {
	enum block_record_kind kind;
	unsigned flags;			/* BLOCK_FUA, BLOCK_PREFLUSH of a write */
	uint64_t offset, len;
	const uint8_t *data;		/* of a write: `len` bytes; of a mark: its text */
};
must_check int block_record_create(struct arena *a, struct block_device *lower, struct block_device **out);
size_t block_record_count(const struct block_device *rec);
const struct block_record_entry *block_record_get(const struct block_device *rec, size_t i);
must_check int block_record_mark(struct block_device *rec, const char *text);

/* Fails calls by number, or sectors by place. Counts all calls. */
enum block_fault_what { FAULT_READ = 1, FAULT_WRITE = 2, FAULT_FLUSH = 4 };
must_check int block_fault_create(struct arena *a, struct block_device *lower, struct block_device **out);
/* The call number `nth` from now (0: the next one) among those in `what` fails with `err`; `forever`: and all after it. */
void block_fault_at(struct block_device *fault, unsigned what, uint64_t nth, int err, bool forever);
void block_fault_range(struct block_device *fault, unsigned what, uint64_t offset, uint64_t len, int err);
uint64_t block_fault_calls(const struct block_device *fault);

struct block_stats {
	uint64_t reads, read_bytes, writes, write_bytes, flushes, fua_writes, discards;
};
must_check int block_stats_create(struct arena *a, struct block_device *lower, struct block_device **out);
void block_stats_get(const struct block_device *stats, struct block_stats *out);

/* Each call takes as long, in the mount's time (the task sleeps, others run). */
must_check int block_delay_create(struct arena *a, struct block_device *lower, int64_t read_ns, int64_t write_ns,
				  int64_t flush_ns, struct block_device **out);

#endif
