/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Directory hashes. Half MD4 and TEA mix a state of four words with the name, eight or four words
 * at a time; the legacy hash goes byte by byte. A name byte counts as signed or as unsigned char,
 * as the machine that made the image took it.
 */
#include "ext4/hash.h"
#include <errno.h>
#include <string.h>
#include "base/compiler.h"
#include "ext4/format.h"

static uint32_t name_byte(const char *name, size_t i, bool is_unsigned)
{
	return is_unsigned ? (uint32_t)(unsigned char)name[i] : (uint32_t)(signed char)name[i];
}

static uint32_t legacy(const char *name, size_t len, bool is_unsigned)
{
	uint32_t before = 0x37abe8f9, last = 0x12a3fe2d;

	for (size_t i = 0; i < len; i++) {
		uint32_t next = before + (last ^ (name_byte(name, i, is_unsigned) * 7152373u));

		if (next & 0x80000000u)
			next -= 0x7fffffffu;
		before = last;
		last = next;
	}
	return last << 1;
}

/*
 * Packs the name's next bytes into words, most significant first. The words begin as the length of
 * what is left, repeated in each byte, so that what the name does not fill tells its length.
 */
static void pack(const char *name, size_t len, bool is_unsigned, uint32_t *words, size_t count)
{
	uint32_t pad = (uint32_t)len & 0xff;
	size_t used = min(len, count * 4), i = 0;

	pad |= pad << 8;
	pad |= pad << 16;
	for (size_t w = 0; w < count; w++) {
		uint32_t word = pad;

		for (size_t end = min(used, (w + 1) * 4); i < end; i++)
			word = (word << 8) + name_byte(name, i, is_unsigned);
		words[w] = word;
	}
}

static uint32_t rotate(uint32_t x, unsigned by)
{
	return x << by | x >> (32 - by);
}

/* MD4's three functions, and the constants its rounds add. */
static uint32_t choose(uint32_t x, uint32_t y, uint32_t z)
{
	return (x & y) | (~x & z);
}
static uint32_t majority(uint32_t x, uint32_t y, uint32_t z)
{
	return (x & y) | (x & z) | (y & z);
}
static uint32_t parity(uint32_t x, uint32_t y, uint32_t z)
{
	return x ^ y ^ z;
}

struct md4_round {
	uint32_t (*mix)(uint32_t x, uint32_t y, uint32_t z);
	uint32_t add;
	uint8_t shift[4]; /* of each step, in turn */
	uint8_t order[8]; /* which word a step takes */
};

static const struct md4_round md4_rounds[3] = {
	{ choose, 0, { 3, 7, 11, 19 }, { 0, 1, 2, 3, 4, 5, 6, 7 } },
	{ majority, 0x5a827999, { 3, 5, 9, 13 }, { 1, 3, 5, 7, 0, 2, 4, 6 } },
	{ parity, 0x6ed9eba1, { 3, 9, 11, 15 }, { 3, 7, 2, 6, 1, 5, 0, 4 } },
};

/* MD4 with half its input and half its steps. */
static void half_md4_mix(uint32_t state[4], const uint32_t words[8])
{
	uint32_t s[4] = { state[0], state[1], state[2], state[3] };

	for (size_t r = 0; r < array_size(md4_rounds); r++) {
		const struct md4_round *round = &md4_rounds[r];

		for (unsigned step = 0; step < 8; step++) {
			uint32_t *a = &s[(4 - step % 4) % 4];
			uint32_t b = s[(5 - step % 4) % 4], c = s[(6 - step % 4) % 4],
				 d = s[(7 - step % 4) % 4];

			*a = rotate(*a + round->mix(b, c, d) + words[round->order[step]] +
					    round->add,
				    round->shift[step % 4]);
		}
	}
	for (unsigned i = 0; i < 4; i++)
		state[i] += s[i];
}

/* The Tiny Encryption Algorithm, 16 rounds, with the words as its key. */
static void tea_mix(uint32_t state[4], const uint32_t words[4])
{
	uint32_t b0 = state[0], b1 = state[1], sum = 0;

	for (unsigned round = 0; round < 16; round++) {
		sum += 0x9e3779b9u;
		b0 += ((b1 << 4) + words[0]) ^ (b1 + sum) ^ ((b1 >> 5) + words[1]);
		b1 += ((b0 << 4) + words[2]) ^ (b0 + sum) ^ ((b0 >> 5) + words[3]);
	}
	state[0] += b0;
	state[1] += b1;
}

static void mix_name(const char *name, size_t len, bool is_unsigned, size_t words_per_mix,
		     void (*mix)(uint32_t state[4], const uint32_t *words), uint32_t state[4])
{
	uint32_t words[8];
	size_t done = 0;

	while (done < len) {
		pack(name + done, len - done, is_unsigned, words, words_per_mix);
		mix(state, words);
		done += words_per_mix * 4;
	}
}

static void initial_state(const uint32_t seed[4], uint32_t state[4])
{
	static const uint32_t own[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };
	bool seeded = seed[0] || seed[1] || seed[2] || seed[3];

	memcpy(state, seeded ? seed : own, sizeof(own));
}

int ext4_dirhash(uint8_t version, const uint32_t seed[4], const char *name, size_t len,
		 struct ext4_dirhash *out)
{
	uint32_t state[4], hash, minor = 0;
	bool is_unsigned = version >= EXT4_HASH_LEGACY_UNSIGNED;

	initial_state(seed, state);
	switch (version) {
	case EXT4_HASH_LEGACY:
	case EXT4_HASH_LEGACY_UNSIGNED:
		hash = legacy(name, len, is_unsigned);
		break;
	case EXT4_HASH_HALF_MD4:
	case EXT4_HASH_HALF_MD4_UNSIGNED:
		mix_name(name, len, is_unsigned, 8, half_md4_mix, state);
		hash = state[1];
		minor = state[2];
		break;
	case EXT4_HASH_TEA:
	case EXT4_HASH_TEA_UNSIGNED:
		mix_name(name, len, is_unsigned, 4, tea_mix, state);
		hash = state[0];
		minor = state[1];
		break;
	default:
		return -EINVAL;
	}
	out->hash = min(hash & ~1u, EXT4_DIRHASH_MAX);
	out->minor = minor;
	return 0;
}

uint8_t ext4_dirhash_version(uint8_t version, bool unsigned_hash)
{
	if (unsigned_hash && version <= EXT4_HASH_TEA)
		return (uint8_t)(version + EXT4_HASH_LEGACY_UNSIGNED);
	return version;
}
