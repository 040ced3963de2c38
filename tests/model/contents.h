/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a file holds, as a list of runs; what lies between them reads as zeroes. A byte follows from the run's
 * tag and from where it stood when it was written, so that gigabytes cost nothing and no two writes look alike.
 */
#ifndef EXTANT_TESTS_MODEL_CONTENTS_H
#define EXTANT_TESTS_MODEL_CONTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct run {
	uint64_t start, len;		/* bytes of the file */
	uint64_t base;			/* where its first byte stood when it was written */
	uint32_t tag;
};

struct contents {
	struct run *runs;		/* ascending, apart */
	uint32_t count, room;
};

void contents_free(struct contents *c);
void contents_write(struct contents *c, uint64_t at, uint64_t len, uint32_t tag);
void contents_zero(struct contents *c, uint64_t at, uint64_t len);
void contents_collapse(struct contents *c, uint64_t at, uint64_t len);
void contents_insert(struct contents *c, uint64_t at, uint64_t len);
/* `len` bytes of `from` at `src` come to `at`; both may be the same file. */
void contents_copy(struct contents *c, uint64_t at, const struct contents *from, uint64_t src, uint64_t len);

void contents_read(const struct contents *c, uint64_t at, uint8_t *buf, size_t len);
/* True: nothing was written there. */
bool contents_empty(const struct contents *c, uint64_t at, uint64_t len);

/* What a write with this tag puts at `at`. */
void contents_pattern(uint8_t *buf, uint64_t at, size_t len, uint32_t tag);

#endif
