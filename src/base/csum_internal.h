/* SPDX-License-Identifier: BSD-2-Clause */
/* The ways to compute crc32c, for the choice among them and for the test that they agree. */
#ifndef EXTANT_BASE_CSUM_INTERNAL_H
#define EXTANT_BASE_CSUM_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Works everywhere: eight bytes a step by table. */
uint32_t crc32c_by_table(uint32_t crc, const void *p, size_t len);

/* With the processor's instruction; only where crc32c_has_instruction(). */
bool crc32c_has_instruction(void);
uint32_t crc32c_by_instruction(uint32_t crc, const void *p, size_t len);

#endif
