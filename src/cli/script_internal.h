/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the files that interpret workload scripts. Not for others.
 *
 *	script.c	  runs the lines, prints results and marks
 *	script_words.c	  takes a line apart
 *	script_names.c	  operations on names	     script_data.c   on files and their bytes
 *	script_attr.c	  on attributes		     script_mount.c  on the mount, time and the image
 *
 * An operation does its call, adds what else belongs to the result, and returns what the call returned.
 * Each file of operations ends with its table.
 */
#ifndef EXTANT_CLI_SCRIPT_INTERNAL_H
#define EXTANT_CLI_SCRIPT_INTERNAL_H

#include "cli/script.h"

#define SCRIPT_WORDS_MAX	64
#define SCRIPT_LINE_BYTES	16384

struct script_line {
	char text[SCRIPT_LINE_BYTES];
	char *word[SCRIPT_WORDS_MAX];
	int words;
	char *key[SCRIPT_WORDS_MAX], *value[SCRIPT_WORDS_MAX];	/* of key=value */
	int keys;
};

typedef int64_t (*script_op_fn)(struct script *s, struct script_line *l);

struct script_op {
	const char *name;
	script_op_fn fn;
	bool unmounted;			/* works without a mount */
};

/* The tables of operations; each ends with one that has no name. */
extern const struct script_op script_names_ops[], script_data_ops[], script_attr_ops[], script_mount_ops[];

/* ---- script.c: members of the result at hand */

/* Text of members, each with the comma before it. */
__attribute__((format(printf, 2, 3))) void script_add(struct script *s, const char *fmt, ...);
/* A JSON string; bytes outside of printable ASCII become \u00XX. */
void script_add_string(struct script *s, const char *p, size_t len);

/* ---- script_words.c */

/* Takes l->text apart. -E2BIG: too many words. */
int script_tokenize(struct script_line *l);
/* Word i, 0 being the operation. A missing one reads as empty: the call then says what is wrong with that. */
const char *script_word(const struct script_line *l, int i);
/* The value of key=value; NULL: not given. */
const char *script_option(const struct script_line *l, const char *key);
/* With an ending of K, M or G. */
int64_t script_number(const char *text);
int64_t script_option_number(const struct script_line *l, const char *key, int64_t otherwise);
/* Word i as an octal mode; `otherwise` when it is missing. */
uint32_t script_mode(const struct script_line *l, int i, uint32_t otherwise);
/* The bytes that the line's fill= asks for, as they are at `offset` of the file. */
void script_make_data(const struct script_line *l, int64_t offset, uint8_t *p, size_t len);
/* By which a result tells what was read. */
uint64_t script_fnv1a(const uint8_t *p, size_t n);
/* Where the mount's descriptor for the line's fd=N lies; -1 in there: none. */
int *script_slot(struct script *s, const struct script_line *l);

#endif
