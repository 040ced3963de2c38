/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hashes for tables in memory, never for the disk. A table that holds names or numbers of an image
 * seeds them with a random number of its mount, so that an image cannot be made to fill one bucket.
 */
#ifndef EXTANT_BASE_HASH_H
#define EXTANT_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The 128-bit product, folded: each bit of both factors reaches each bit of the result. */
static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
	__uint128_t product = (__uint128_t)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_u64(uint64_t x)
{
	x = (x ^ x >> 32) * 0xd6e8feb86659fd93;
	x = (x ^ x >> 32) * 0xd6e8feb86659fd93;
	return x ^ x >> 32;
}

/* Of a pair of numbers, as (inode, page) or (directory, hash of a name). */
static inline uint64_t hash_pair(uint64_t a, uint64_t b)
{
	return hash_u64(hash_u64(a) + b);
}

/* A bucket of 2^bits from a hash: its upper bits, which depend on all others. */
static inline uint32_t hash_bucket(uint64_t hash, unsigned int bits)
{
	return bits ? (uint32_t)(hash >> (64 - bits)) : 0;
}

static inline uint64_t hash_bytes(const void *p, size_t len, uint64_t seed)
{
	const uint8_t *at = (const uint8_t *)p;
	uint64_t hash = seed ^ 0x9e3779b97f4a7c15 ^ len;
	uint64_t word;

	for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		hash = hash_fold(hash ^ word, 0xa0761d6478bd642f);
	}
	word = 0;
	memcpy(&word, at, len);
	hash = hash_fold(hash ^ word, 0xe7037ed1a0b428db);
	return hash_u64(hash ^ seed);
}

#endif
