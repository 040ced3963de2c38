/* SPDX-License-Identifier: BSD-2-Clause */
/* J1 on a recording: what is written in place of a block is what a committed transaction made of it. */
#ifndef EXTANT_TESTS_CRASH_IN_PLACE_H
#define EXTANT_TESTS_CRASH_IN_PLACE_H

#include "block/device.h"

#define JOURNAL_PIECES_MAX 64

struct in_place {
	uint32_t block_size;			/* 0: not asked for */
	struct { uint64_t first, last; } journal[JOURNAL_PIECES_MAX];	/* where it lies; the first block is its superblock */
	int journal_pieces;
	uint64_t checked;			/* blocks written in place that the log knew */
	char broken[200];			/* the first that differs; empty: none */
};

/* "BLOCKSIZE:FIRST-LAST,FIRST-LAST...". False: it is not that. */
bool in_place_parse(struct in_place *p, const char *text);
/* Reads the whole recording of a device. 0; -EINVAL (there is no journal), -ENOMEM. What it found is in `p`. */
must_check int in_place_check(struct in_place *p, struct block_device *rec);

#endif
