/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Workers that use one mount together. Each has files of its own, of which it knows every byte, and all have files
 * in common, of which each word is the stamp of its file and place, or zero. A full disk is an answer like any other;
 * a wrong byte, size, name or error is a failure.
 */
#ifndef EXTANT_TESTS_CONCURRENT_WORK_H
#define EXTANT_TESTS_CONCURRENT_WORK_H

#include <stdatomic.h>
#include "base/random.h"
#include "extant/extant.h"

#define WORK_FILES 12			/* of each worker; as many in common */
#define WORK_BLOCKS 64			/* of 4 KiB, the longest file */
#define WORK_BLOCK_BYTES 4096
#define WORK_TOKENS 8			/* of each worker: work_names.c */
#define WORK_DIRS 4			/* that tokens go between */
#define WORK_NAMES_PERCENT 25		/* of the operations are about names */
#define WORK_WHOLE_PER_MILLE 8		/* are about the whole file system */
#define WORK_DIRECT_PERCENT 30		/* of what is opened is read and written past the cache */
#define WORK_ATTRIBUTES_PERCENT 15	/* of the rest, on attributes */
#define WORK_PAGES_PERCENT 12		/* of the rest, in pages that are handed out */
#define WORK_COMMON 99u			/* the "worker" that owns what all have in common */
#define WORK_SECTORS (WORK_BLOCK_BYTES / 512)

struct work_file {
	bool exists;
	uint64_t size;
	uint8_t stamped[WORK_BLOCKS];	/* sectors of each block that hold the stamp; zeros behind them */
};

struct work {
	struct extant *x;
	atomic_bool stop;
	atomic_int failures;
	atomic_ullong operations, full;	/* done; answered with ENOSPC */
};

struct worker {
	struct work *w;
	uint32_t id;
	uint64_t operations;		/* to do; UINT64_MAX: until the stop */
	uint32_t fsync_percent;
	struct random random;
	struct work_file files[WORK_FILES];
	uint8_t token_at[WORK_TOKENS];	/* directory + 1; 0: there is none */
	uint64_t token_ino[WORK_TOKENS];
	struct extant_page *kept;	/* of a common file; NULL: none */
	void *kept_data;
	uint64_t kept_word;		/* its stamp */
	uint32_t kept_steps;		/* until it is given back */
	_Alignas(512) uint8_t buf[2 * WORK_BLOCK_BYTES * 4]; /* as direct I/O wants it */
};

/* So many, aligned and zeroed; free() ends them. NULL: no memory. */
struct worker *workers_alloc(size_t count);
/* The directory for what all have in common. 0 or a negative errno. */
int work_prepare(struct extant *x);
/* Makes its directory, too. */
void worker_init(struct worker *me, struct work *w, uint32_t id, uint64_t seed, uint64_t operations,
		 uint32_t fsync_percent);
void worker_run(struct worker *me);
/* Every file of its own, byte by byte, on whatever mount w->x is now. */
void worker_verify(struct worker *me);

/* A failure, told; everybody stops. */
void worker_fail(struct worker *me, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The disk is full: an answer like any other. */
bool worker_full(struct worker *me, int64_t err);

/* What each word of a block is. */
uint64_t work_stamp(uint32_t owner, uint32_t file, uint64_t lblk);

/* ---- work_pages.c */

/* One operation. */
void worker_pages(struct worker *me);
/* After each one: what is kept of a page is used, and given back when it is time, or at the end. */
void worker_pages_go_on(struct worker *me, bool ends);

/* ---- work_attrs.c */

/* One operation. */
void worker_attributes(struct worker *me);

/* ---- work_names.c */

int worker_names_prepare(struct extant *x);
/* One operation. */
void worker_names(struct worker *me);
/* Every token of its own is where it was left. */
void worker_names_verify(struct worker *me);

/* ---- work_whole.c: one operation on the file system as a whole */

void worker_whole(struct worker *me);

#endif
