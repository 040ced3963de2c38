/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The generator is xoshiro256** (Blackman and Vigna, in the public domain): four words of state,
 * period 2^256 - 1. A seed of one word is spread over the state with splitmix64, so that seeds that
 * differ in one bit start far apart.
 */
#include "base/random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static uint64_t rotate_left(uint64_t x, unsigned int bits)
{
	return x << bits | x >> (64 - bits);
}

static uint64_t spread(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

void random_init_seed(struct random *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		r->state[i] = spread(&seed);
}

void random_init_system(struct random *r)
{
	uint64_t seed;
	ssize_t got;

	do {
		got = getrandom(&seed, sizeof(seed), 0);
	} while (got < 0 && errno == EINTR);
	if (got != (ssize_t)sizeof(seed)) {
		/*
		 * A kernel or a sandbox without getrandom: the clock and an address differ between
		 * runs.
		 */
		struct timespec ts;

		clock_gettime(CLOCK_REALTIME, &ts);
		seed = (uint64_t)ts.tv_sec << 30 ^ (uint64_t)ts.tv_nsec ^ (uintptr_t)r;
	}
	random_init_seed(r, seed);
}

uint64_t random_u64(struct random *r)
{
	uint64_t *s = r->state;
	uint64_t result = rotate_left(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate_left(s[3], 45);
	return result;
}

/*
 * The upper half of a 32 x 32 bit product lies below the limit. Some results would have one more
 * product than others; products whose lower half is under 2^32 mod limit are drawn again.
 */
uint32_t random_below(struct random *r, uint32_t limit)
{
	uint64_t product;

	if (limit == 0)
		return 0;
	do {
		product = (random_u64(r) >> 32) * limit;
	} while ((uint32_t)product < (0U - limit) % limit);
	return (uint32_t)(product >> 32);
}

void random_bytes(struct random *r, void *p, size_t len)
{
	uint8_t *to = p;

	while (len) {
		uint64_t x = random_u64(r);
		size_t n = len < sizeof(x) ? len : sizeof(x);

		memcpy(to, &x, n);
		to += n;
		len -= n;
	}
}
