/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of concurrency stand on: an image that mke2fs made, held below a copy in memory, with counters and,
 * if wanted, a slow device over it; a mount with a trace; and the judges at the end: the own check and e2fsck.
 */
#ifndef EXTANT_TESTS_CONCURRENT_RIG_H
#define EXTANT_TESTS_CONCURRENT_RIG_H

#include "block/device.h"
#include "lib/lib.h"
#include "trace/trace.h"

struct rig_options {
	const char *mkfs;		/* options of mke2fs */
	const char *size;		/* of the image: "64M" */
	enum extant_mode mode;
	uint64_t seed;
	const char *mount_options;
	enum trace_dialect dialect;	/* whose results; the trace is 4.9's */
	int64_t write_ns, flush_ns;	/* of the device; 0, 0: none is put in */
	bool trace;			/* every event is printed into trace_hash, and handed to line() */
	void (*line)(void *arg, const char *text, size_t len);
	void *arg;
};

struct rig {
	struct rig_options opt;
	struct arena *arena;
	struct block_device *cow, *stats;
	struct clock clock;
	struct trace *trace;
	struct trace_formatter *formatter;
	uint64_t trace_hash;
	struct extant *x;		/* while mounted */
	int complaints;
};

/* Makes the image and the devices; exits with 77 where there is no mke2fs. */
void rig_init(struct rig *r, const struct rig_options *opt);
/* The image as it was at the beginning, in no time; and other options for what follows. */
void rig_reset(struct rig *r, uint64_t seed);
void rig_fini(struct rig *r);

/* 0 or a negative errno. */
int rig_mount(struct rig *r);
int rig_unmount(struct rig *r);
/* The own check of what lies on the device: the number of problems, which are printed. */
int rig_check(struct rig *r);
/* e2fsck -fn of the same: its exit status. */
int rig_e2fsck(struct rig *r);
/* Of all that was written since the beginning. */
uint64_t rig_image_hash(struct rig *r);
/* Flushes that reached the device. */
uint64_t rig_flushes(const struct rig *r);
/* Hands on what the trace holds by now. */
void rig_drain(struct rig *r);

uint64_t rig_mix(uint64_t h, const void *p, size_t len);

#endif
