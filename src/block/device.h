/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block device: read, write, flush, discard, size. What is under it is a file, memory, or another
 * device (a filter: cow, record, fault, stats, delay, share). Offsets and lengths are bytes,
 * multiples of 512 (else -EINVAL); the pieces of a vector may have any length.
 *
 * Durability: a write is stable after a later flush has returned, or when it returns with
 * BLOCK_FUA. Between flushes, writes may reach the medium in any order, whole or torn at 512 bytes.
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

#define BLOCK_SECTOR_BYTES 512u		/* what is never torn, and what offsets are multiples of */

enum block_flags {
	BLOCK_FUA = 1u << 0,		/* stable when it returns */
	BLOCK_PREFLUSH = 1u << 1,	/* earlier writes are stable before this one begins */
	BLOCK_META = 1u << 2,		/* journal or metadata, for traces and statistics */
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
	/* NULL: not supported */
	int (*discard)(struct block_device *d, uint64_t offset, uint64_t len);
	void (*close)(struct block_device *d);
};

struct block_device {			/* the first member of every device */
	const struct block_ops *ops;
	struct arena *arena;
	uint64_t size_bytes;
	bool read_only;
	const char *name;		/* for messages; lives as long as the device */
};

/*
 * 0 or negative errno; transfers the whole or fails. Bounds are checked here: -EINVAL beyond the
 * end; -EROFS on writes to a device that is read only; -EIO when a task of a poisoned scheduler
 * writes, flushes or discards. An empty write with BLOCK_PREFLUSH is a flush.
 */
must_check int block_read(struct block_device *d, uint64_t offset, void *buf, size_t len);
must_check int block_write(struct block_device *d, uint64_t offset, const void *buf, size_t len,
			   unsigned flags);
must_check int block_readv(struct block_device *d, const struct block_io *io);
must_check int block_writev(struct block_device *d, const struct block_io *io);
/* Several transfers, perhaps side by side; returns the first error, having tried all of them. */
must_check int block_writev_batch(struct block_device *d, const struct block_io *ios, int count);
must_check int block_flush(struct block_device *d);
/* -EOPNOTSUPP where the device cannot. What is discarded reads as anything. */
must_check int block_discard(struct block_device *d, uint64_t offset, uint64_t len);
/* Closes it and, for a filter, what is below it. NULL: nothing. */
void block_close(struct block_device *d);

/* ---- devices */

/*
 * A file or block special file. Refuses (-EBUSY) one that something else has open for writing or
 * that is mounted: a lock (flock and an open-file-description lock) is held while it is open; a
 * block special file is opened exclusively. `offset`, `size`: the part that is the device; size 0:
 * to the end.
 */
must_check int block_file_open(struct arena *a, const char *path, bool read_only, uint64_t offset,
			       uint64_t size, struct block_device **out);
/* The same; after -EBUSY `why` says who uses it and what to do about it, else it is empty. */
#define BLOCK_WHY_MAX 192
must_check int block_file_open_why(struct arena *a, const char *path, bool read_only,
				   uint64_t offset, uint64_t size, struct block_device **out,
				   char why[BLOCK_WHY_MAX]);
/*
 * Memory, zeroed, sparse: pages never written cost nothing, discarded ones no longer. They come
 * from `a`, so a write may answer -ENOMEM: where a mount's allocations are made to fail by number,
 * give its device another arena.
 */
must_check int block_mem_create(struct arena *a, uint64_t size_bytes, struct block_device **out);

/*
 * Where partition `n` (from 1) of the disk `d` lies, by its GPT or MBR (logical partitions from 5
 * on). -ENODATA: no partition table; -ENOENT: no such partition; -EFSBADCRC, -EFSCORRUPTED: a
 * damaged table (of a GPT: both copies).
 */
must_check int block_partition_find(struct block_device *d, unsigned n, uint64_t *offset,
				    uint64_t *size);

/*
 * ---- filters; each takes over `lower` (closed with it) unless it fails. They bear its name and,
 * but for cow, are as read only as it is.
 */

/* `lower` again; closing this one leaves `lower` open. `lower` must outlive it. */
must_check int block_share_create(struct arena *a, struct block_device *lower,
				  struct block_device **out);

/* Writes stay in memory; `lower` is only read. Discarded ranges read as zeros. */
must_check int block_cow_create(struct arena *a, struct block_device *lower,
				struct block_device **out);
/* Forgets all that was written, in time proportional to that. Nobody else uses `cow` meanwhile. */
void block_cow_reset(struct block_device *cow);
/*
 * Calls `fn` with each range that was written or discarded and its bytes as they are now, in order
 * of offset; ranges are multiples of 4 KiB but at the end. Stops at the first result that is not 0
 * and returns it. Nobody writes to `cow` meanwhile.
 */
typedef int (*block_range_fn)(void *arg, uint64_t offset, const void *data, size_t len);
must_check int block_cow_export(struct block_device *cow, block_range_fn fn, void *arg);

/*
 * Keeps every write (with its bytes), flush, forced write and discard, in order: a write where it
 * returned, a flush where it began, so that what stands before a flush is what it made stable. A
 * write that begins with a flush is one entry, or two if another call returned meanwhile. What
 * fails is not kept.
 */
enum block_record_kind { RECORD_WRITE, RECORD_FLUSH, RECORD_DISCARD, RECORD_MARK };
struct block_record_entry {
	enum block_record_kind kind;
	unsigned flags;			/* BLOCK_FUA, BLOCK_PREFLUSH, BLOCK_META of a write */
	uint64_t offset, len;
	const uint8_t *data;		/* a write's `len` bytes; a mark's text, with a NUL */
};
must_check int block_record_create(struct arena *a, struct block_device *lower,
				   struct block_device **out);
size_t block_record_count(const struct block_device *rec);
const struct block_record_entry *block_record_get(const struct block_device *rec, size_t i);
must_check int block_record_mark(struct block_device *rec, const char *text);
/*
 * A recording in the format of the kernel's log-writes target, on a device of its own. save: `log`
 * has block_record_log_bytes() at least. load: makes a recording over `lower` that begins with what
 * the log holds; -EFSCORRUPTED: it is no such log, or what it holds does not fit on `lower`.
 */
uint64_t block_record_log_bytes(const struct block_device *rec);
must_check int block_record_save(const struct block_device *rec, struct block_device *log);
must_check int block_record_load(struct arena *a, struct block_device *log,
				 struct block_device *lower, struct block_device **out);

/*
 * Fails calls by number, or sectors by place. Counts all calls. A write that begins with a flush is
 * one call, a write. What fails does not reach `lower`.
 */
enum block_fault_what {
	FAULT_READ = 1,
	FAULT_WRITE = 2,
	FAULT_FLUSH = 4,
	FAULT_DISCARD = 8,
	FAULT_ANY = 15
};
must_check int block_fault_create(struct arena *a, struct block_device *lower,
				  struct block_device **out);
/*
 * The call number `nth` from now (0: the next one) among those in `what` fails with `err`;
 * `forever`: and all after it.
 */
void block_fault_at(struct block_device *fault, unsigned what, uint64_t nth, int err, bool forever);
/* Calls in `what` that touch a byte of the range fail with `err`, until block_fault_clear(). */
void block_fault_range(struct block_device *fault, unsigned what, uint64_t offset, uint64_t len,
		       int err);
/*
 * Each of the two above holds one order; this forgets both. Orders are given while no call is under
 * way.
 */
void block_fault_clear(struct block_device *fault);
/* All calls that ever came, failed ones too. */
uint64_t block_fault_calls(const struct block_device *fault);

struct block_stats {
	uint64_t reads, read_bytes, writes, write_bytes;
	uint64_t flushes;		/* those that a write begins with too */
	uint64_t fua_writes, discards;
};
must_check int block_stats_create(struct arena *a, struct block_device *lower,
				  struct block_device **out);
void block_stats_get(const struct block_device *stats, struct block_stats *out);

/*
 * Each call takes as long, in the mount's time (the task sleeps, others run). BLOCK_PREFLUSH and
 * BLOCK_FUA cost a write `flush_ns` more each. The caller is a task.
 */
must_check int block_delay_create(struct arena *a, struct block_device *lower, int64_t read_ns,
				  int64_t write_ns, int64_t flush_ns, struct block_device **out);

#endif
