/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chance. One generator a mount: seeded from the kernel's random source, or from a given seed, and
 * then the same numbers come in the same order. Not for secrets.
 */
#ifndef EXTANT_BASE_RANDOM_H
#define EXTANT_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
	uint64_t state[4];
};

void random_init_seed(struct random *r, uint64_t seed);
void random_init_system(struct random *r);
uint64_t random_u64(struct random *r);
uint32_t random_below(struct random *r, uint32_t limit);	/* 0 .. limit - 1, each as likely */
void random_bytes(struct random *r, void *p, size_t len);

#endif
