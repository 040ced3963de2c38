/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checksums by table. The compiler computes the tables: a cyclic checksum is linear, so that the
 * entry of a byte is the sum (exclusive or) of the entries of its bits, and those are the
 * polynomial, moved on bit by bit.
 *
 * crc32c takes eight bytes a step: table k holds what a byte becomes with k zero bytes behind it,
 * so that the eight bytes' contributions are looked up independently and added.
 */
#include "base/csum.h"
#include "base/csum_internal.h"

#include "base/endian.h"

#define BIT(byte, n, value) ((byte) >> (n) & 1 ? (value) : 0)
#define ROW4(entry, b) entry(b), entry((b) + 1), entry((b) + 2), entry((b) + 3)
#define ROW16(entry, b) \
	ROW4(entry, b), ROW4(entry, (b) + 4), ROW4(entry, (b) + 8), ROW4(entry, (b) + 12)
#define ROW64(entry, b) \
	ROW16(entry, b), ROW16(entry, (b) + 16), ROW16(entry, (b) + 32), ROW16(entry, (b) + 48)
#define TABLE(entry) { ROW64(entry, 0), ROW64(entry, 64), ROW64(entry, 128), ROW64(entry, 192) }

/* ---- crc32c */

/* C_n is the polynomial, n bits on; bit b of a byte before k zeros comes to C_(7 - b + 8 k). */
#define CASTAGNOLI 0x82f63b78u
#define NEXT(c) ((c) >> 1 ^ ((c) & 1 ? CASTAGNOLI : 0))
enum {
	C0 = CASTAGNOLI,
	C1 = NEXT(C0), C2 = NEXT(C1), C3 = NEXT(C2),
	C4 = NEXT(C3), C5 = NEXT(C4), C6 = NEXT(C5), C7 = NEXT(C6),
	C8 = NEXT(C7), C9 = NEXT(C8), C10 = NEXT(C9), C11 = NEXT(C10),
	C12 = NEXT(C11), C13 = NEXT(C12), C14 = NEXT(C13), C15 = NEXT(C14),
	C16 = NEXT(C15), C17 = NEXT(C16), C18 = NEXT(C17), C19 = NEXT(C18),
	C20 = NEXT(C19), C21 = NEXT(C20), C22 = NEXT(C21), C23 = NEXT(C22),
	C24 = NEXT(C23), C25 = NEXT(C24), C26 = NEXT(C25), C27 = NEXT(C26),
	C28 = NEXT(C27), C29 = NEXT(C28), C30 = NEXT(C29), C31 = NEXT(C30),
	C32 = NEXT(C31), C33 = NEXT(C32), C34 = NEXT(C33), C35 = NEXT(C34),
	C36 = NEXT(C35), C37 = NEXT(C36), C38 = NEXT(C37), C39 = NEXT(C38),
	C40 = NEXT(C39), C41 = NEXT(C40), C42 = NEXT(C41), C43 = NEXT(C42),
	C44 = NEXT(C43), C45 = NEXT(C44), C46 = NEXT(C45), C47 = NEXT(C46),
	C48 = NEXT(C47), C49 = NEXT(C48), C50 = NEXT(C49), C51 = NEXT(C50),
	C52 = NEXT(C51), C53 = NEXT(C52), C54 = NEXT(C53), C55 = NEXT(C54),
	C56 = NEXT(C55), C57 = NEXT(C56), C58 = NEXT(C57), C59 = NEXT(C58),
	C60 = NEXT(C59), C61 = NEXT(C60), C62 = NEXT(C61), C63 = NEXT(C62),
};

/* clang-format off */
#define SUM(byte, b7, b6, b5, b4, b3, b2, b1, b0) \
	(BIT(byte, 7, b7) ^ BIT(byte, 6, b6) ^ BIT(byte, 5, b5) ^ BIT(byte, 4, b4) ^ \
	 BIT(byte, 3, b3) ^ BIT(byte, 2, b2) ^ BIT(byte, 1, b1) ^ BIT(byte, 0, b0))
#define SLICE0(byte) SUM(byte, C0, C1, C2, C3, C4, C5, C6, C7)
#define SLICE1(byte) SUM(byte, C8, C9, C10, C11, C12, C13, C14, C15)
#define SLICE2(byte) SUM(byte, C16, C17, C18, C19, C20, C21, C22, C23)
#define SLICE3(byte) SUM(byte, C24, C25, C26, C27, C28, C29, C30, C31)
#define SLICE4(byte) SUM(byte, C32, C33, C34, C35, C36, C37, C38, C39)
#define SLICE5(byte) SUM(byte, C40, C41, C42, C43, C44, C45, C46, C47)
#define SLICE6(byte) SUM(byte, C48, C49, C50, C51, C52, C53, C54, C55)
#define SLICE7(byte) SUM(byte, C56, C57, C58, C59, C60, C61, C62, C63)
/* clang-format on */

static const uint32_t crc32c_tables[8][256] = {
	TABLE(SLICE0), TABLE(SLICE1), TABLE(SLICE2), TABLE(SLICE3),
	TABLE(SLICE4), TABLE(SLICE5), TABLE(SLICE6), TABLE(SLICE7),
};

static uint32_t eight_bytes(uint32_t crc, const uint8_t *p)
{
	le64 word;
	uint64_t x;

	memcpy(&word, p, sizeof(word));
	x = le64_get(word) ^ crc;
	crc = 0;
	for (int k = 0; k < 8; k++)
		crc ^= crc32c_tables[7 - k][x >> (8 * k) & 0xff];
	return crc;
}

uint32_t crc32c_by_table(uint32_t crc, const void *p, size_t len)
{
	const uint8_t *at = p;

	for (; len >= 8; at += 8, len -= 8)
		crc = eight_bytes(crc, at);
	for (; len; at++, len--)
		crc = crc >> 8 ^ crc32c_tables[0][(crc ^ *at) & 0xff];
	return crc;
}

/* ---- crc16 */

#define POLY16 0xa001u
#define NEXT16(c) ((c) >> 1 ^ ((c) & 1 ? POLY16 : 0))
enum {
	D0 = POLY16, D1 = NEXT16(D0), D2 = NEXT16(D1), D3 = NEXT16(D2),
	D4 = NEXT16(D3), D5 = NEXT16(D4), D6 = NEXT16(D5), D7 = NEXT16(D6),
};
#define ENTRY16(byte) SUM(byte, D0, D1, D2, D3, D4, D5, D6, D7)

static const uint16_t crc16_table[256] = TABLE(ENTRY16);

uint16_t crc16(uint16_t crc, const void *p, size_t len)
{
	const uint8_t *at = p;

	for (; len; at++, len--)
		crc = (uint16_t)(crc >> 8 ^ crc16_table[(crc ^ *at) & 0xff]);
	return crc;
}

/* ---- crc32, most significant bit first */

#define ETHERNET 0x04c11db7u
#define NEXT_BE(c) ((c) << 1 ^ ((c) >> 31 ? ETHERNET : 0))
enum {
	E0 = ETHERNET, E1 = NEXT_BE(E0), E2 = NEXT_BE(E1), E3 = NEXT_BE(E2),
	E4 = NEXT_BE(E3), E5 = NEXT_BE(E4), E6 = NEXT_BE(E5), E7 = NEXT_BE(E6),
};
#define ENTRY_BE(byte) SUM(byte, E7, E6, E5, E4, E3, E2, E1, E0)

static const uint32_t crc32_be_table[256] = TABLE(ENTRY_BE);

uint32_t crc32_be(uint32_t crc, const void *p, size_t len)
{
	const uint8_t *at = p;

	for (; len; at++, len--)
		crc = crc << 8 ^ crc32_be_table[crc >> 24 ^ *at];
	return crc;
}
