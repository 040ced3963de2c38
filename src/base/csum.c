/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crc32c with the processor's instruction, and the choice between it and the table.
 *
 * The instruction takes eight bytes and has a result three cycles later, but a new one can start
 * each cycle. So a run is cut into three lanes of equal length that go side by side. To put the
 * lanes together, the first one's result is moved on over the bytes of the other two: a product
 * with a power of x (without carries), which the instruction then reduces. This needs the
 * multiplication instruction too; without it there is one lane.
 */
#include "base/csum.h"
#include "base/csum_internal.h"

#include <string.h>

#if defined(__x86_64__)

#include <nmmintrin.h>
#include <wmmintrin.h>

#define WITH_INSTRUCTION __attribute__((target("sse4.2")))
#define WITH_PRODUCT     __attribute__((target("sse4.2,pclmul")))

bool crc32c_has_instruction(void)
{
	return __builtin_cpu_supports("sse4.2");
}

static bool has_product(void)
{
	return __builtin_cpu_supports("pclmul");
}

static inline uint64_t word_at(const uint8_t *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}

WITH_INSTRUCTION static uint32_t one_lane(uint32_t crc, const uint8_t *p, size_t len)
{
	uint64_t wide = crc;

	for (; len >= 8; p += 8, len -= 8)
		wide = _mm_crc32_u64(wide, word_at(p));
	crc = (uint32_t)wide;
	for (; len; p++, len--)
		crc = _mm_crc32_u8(crc, *p);
	return crc;
}

/*
 * Lanes of n bytes. `over_one` is x^(8 n - 33) modulo the polynomial, `over_two` x^(16 n - 33),
 * both reflected: the product of two reflected numbers is one bit short, and reducing 64 bits
 * multiplies with x^32. The lengths suit blocks of 4096 and 1024 bytes and inodes of 256.
 */
struct lanes {
	size_t len;
	uint32_t over_one, over_two;
};
static const struct lanes lane_table[] = {
	{ 1360, 0x3f70cc6f, 0x5aa1f3cf },
	{ 336, 0xa60ce07b, 0xcec3662e },
	{ 80, 0x39d3b296, 0x878a92a7 },
};

WITH_PRODUCT static uint64_t moved_on(uint64_t crc, uint32_t power)
{
	__m128i product =
		_mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)crc), _mm_cvtsi64_si128(power), 0);

	return (uint64_t)_mm_cvtsi128_si64(product);
}

WITH_PRODUCT static uint32_t three_lanes(uint32_t crc, const uint8_t *p, const struct lanes *l)
{
	uint64_t a = crc, b = 0, c = 0;

	for (const uint8_t *end = p + l->len; p < end; p += 8) {
		a = _mm_crc32_u64(a, word_at(p));
		b = _mm_crc32_u64(b, word_at(p + l->len));
		c = _mm_crc32_u64(c, word_at(p + 2 * l->len));
	}
	return (uint32_t)(_mm_crc32_u64(0, moved_on(a, l->over_two) ^ moved_on(b, l->over_one)) ^
			  c);
}

uint32_t crc32c_by_instruction(uint32_t crc, const void *p, size_t len)
{
	const uint8_t *at = p;

	if (len >= 3 * lane_table[2].len && has_product()) {
		for (size_t i = 0; i < sizeof(lane_table) / sizeof(lane_table[0]); i++) {
			const struct lanes *l = &lane_table[i];

			for (; len >= 3 * l->len; at += 3 * l->len, len -= 3 * l->len)
				crc = three_lanes(crc, at, l);
		}
	}
	return one_lane(crc, at, len);
}

#elif defined(__aarch64__) && defined(__linux__)

#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>

#define WITH_INSTRUCTION __attribute__((target("+crc")))

bool crc32c_has_instruction(void)
{
	return getauxval(AT_HWCAP) & HWCAP_CRC32;
}

WITH_INSTRUCTION uint32_t crc32c_by_instruction(uint32_t crc, const void *p, size_t len)
{
	const uint8_t *at = p;

	for (; len >= 8; at += 8, len -= 8) {
		uint64_t x;

		memcpy(&x, at, sizeof(x));
		crc = __crc32cd(crc, x);
	}
	for (; len; at++, len--)
		crc = __crc32cb(crc, *at);
	return crc;
}

#else

bool crc32c_has_instruction(void)
{
	return false;
}

uint32_t crc32c_by_instruction(uint32_t crc, const void *p, size_t len)
{
	return crc32c_by_table(crc, p, len);
}

#endif

/*
 * What the processor can do is asked each time: the answer is a load of a constant the C library
 * keeps.
 */
uint32_t crc32c(uint32_t crc, const void *p, size_t len)
{
	if (crc32c_has_instruction())
		return crc32c_by_instruction(crc, p, len);
	return crc32c_by_table(crc, p, len);
}
