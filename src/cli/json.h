/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Facts, printed for people or as JSON by the same calls. In text a key stands with its value in a
 * line of its own ("free_blocks" as "free blocks:"), an object under a heading; a table has a line
 * for each element.
 *
 * Why not a JSON library: only output is needed, as a stream (an image has any number of groups and
 * names), and names are bytes, which need not be UTF-8; libraries refuse those. A byte that is no
 * UTF-8 is printed as \udc80 to \udcff: Python's json and os.fsencode() give the same bytes back.
 */
#ifndef EXTANT_CLI_JSON_H
#define EXTANT_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define FACTS_DEPTH_MAX 16

struct facts {
	FILE *out;
	bool json;
	unsigned depth;
	bool used[FACTS_DEPTH_MAX];	/* something was printed at this depth */
	bool row;			/* text: inside an element of a table */
};

/* The whole is one object; `version` is that of its form, which only grows. */
void facts_begin(struct facts *f, FILE *out, bool json, unsigned version);
void facts_end(struct facts *f);

/* `key` is NULL for an element of an array. */
void facts_object(struct facts *f, const char *key);
void facts_object_end(struct facts *f);
void facts_array(struct facts *f, const char *key);
void facts_array_end(struct facts *f);

void facts_number(struct facts *f, const char *key, uint64_t value);
void facts_signed(struct facts *f, const char *key, int64_t value);
void facts_bool(struct facts *f, const char *key, bool value);
void facts_string(struct facts *f, const char *key, const char *value);
/* At most `max` bytes, up to the first NUL. */
void facts_bytes(struct facts *f, const char *key, const char *value, size_t max);

/* An object of seconds since 1970 and nanoseconds. */
void facts_time(struct facts *f, const char *key, int64_t sec, uint32_t nsec);

#endif
