/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values of extended attributes as text, as getfattr(1) and setfattr(1) write them: "quoted", 0x
 * and hexadecimal digits, 0s and base64.
 */
#ifndef EXTANT_CLI_ENCODE_H
#define EXTANT_CLI_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum encoding { ENCODE_ANY, ENCODE_TEXT, ENCODE_HEX, ENCODE_BASE64 };

/* "text", "hex", "base64"; NULL: ENCODE_ANY. */
bool encode_parse(const char *name, enum encoding *out);
/* ENCODE_ANY: as text where all of it can be printed, else as base64. */
void encode_print(FILE *to, enum encoding how, const unsigned char *value, size_t size);
bool encode_is_text(const unsigned char *value, size_t size);
/* Without 0s; to be freed. */
char *encode_base64(const unsigned char *value, size_t size);
/* The bytes of a text in any of the forms; a plain one is itself. NULL: it is wrong. To be freed. */
unsigned char *encode_read(const char *text, size_t *size);

#endif
