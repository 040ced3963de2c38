/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checksums of the disk format. crc32c uses the processor's instruction where it has one, else a
 * table; both give the same result at every length and alignment.
 */
#ifndef EXTANT_BASE_CSUM_H
#define EXTANT_BASE_CSUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Castagnoli, reflected, without the final inversion: ext4 and jbd2 feed results into the next
 * call. First seed: ~0.
 */
uint32_t crc32c(uint32_t crc, const void *p, size_t len);
/* The 0x8005 polynomial, reflected: group descriptors of uninit_bg. First seed: 0xffff. */
uint16_t crc16(uint16_t crc, const void *p, size_t len);
/*
 * The Ethernet polynomial, most significant bit first, no inversions: commit blocks with checksum
 * v1. First seed: ~0.
 */
uint32_t crc32_be(uint32_t crc, const void *p, size_t len);

#endif
