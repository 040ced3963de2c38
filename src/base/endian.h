/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disk integers. Each is a type of its own, made of bytes: it has no alignment and cannot be mixed
 * with a number. le32_get() reads one, le32_of() makes one, le32_add() changes one in place.
 */
#ifndef EXTANT_BASE_ENDIAN_H
#define EXTANT_BASE_ENDIAN_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct { uint8_t b[2]; } le16;
typedef struct { uint8_t b[4]; } le32;
typedef struct { uint8_t b[8]; } le64;
typedef struct { uint8_t b[2]; } be16;
typedef struct { uint8_t b[4]; } be32;
typedef struct { uint8_t b[8]; } be64;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ENDIAN_LE(bits, x) (x)
#define ENDIAN_BE(bits, x) __builtin_bswap##bits(x)
#else
#define ENDIAN_LE(bits, x) __builtin_bswap##bits(x)
#define ENDIAN_BE(bits, x) (x)
#endif

#define ENDIAN_TYPE(name, bits, swap) \
static inline uint##bits##_t name##_get(name v) \
{ \
	uint##bits##_t x; \
	memcpy(&x, v.b, sizeof(x)); \
	return swap(bits, x); \
} \
static inline name name##_of(uint##bits##_t x) \
{ \
	name v; \
	x = swap(bits, x); \
	memcpy(v.b, &x, sizeof(x)); \
	return v; \
} \
static inline void name##_add(name *v, int##bits##_t d) \
{ \
	*v = name##_of((uint##bits##_t)(name##_get(*v) + (uint##bits##_t)d)); \
}

ENDIAN_TYPE(le16, 16, ENDIAN_LE)
ENDIAN_TYPE(le32, 32, ENDIAN_LE)
ENDIAN_TYPE(le64, 64, ENDIAN_LE)
ENDIAN_TYPE(be16, 16, ENDIAN_BE)
ENDIAN_TYPE(be32, 32, ENDIAN_BE)
ENDIAN_TYPE(be64, 64, ENDIAN_BE)

/* What a struct on disk must measure; a wrong one does not compile. */
#define DISK_SIZE(type, size) \
	static_assert(sizeof(type) == (size), #type " has another size on disk")
#define DISK_OFFSET(type, field, off) \
	static_assert(offsetof(type, field) == (off), #type "." #field " lies elsewhere on disk")

#endif
