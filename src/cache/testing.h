/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of this folder share: a scheduler, a budget and a memory device that takes its
 * time (so that tasks overlap in all modes), can fail and counts; kinds of blocks that carry their
 * number.
 */
#ifndef EXTANT_CACHE_TESTING_H
#define EXTANT_CACHE_TESTING_H

#include "base/errors.h"
#include "base/random.h"
#include "base/sync_test.h"
#include "block/device.h"
#include "cache/buffer.h"
#include "cache/page.h"

#define BLOCK 1024u
#define NO_LIMIT ((size_t)1 << 40)

struct rig {
	struct fixture f;
	struct budget *budget;
	struct block_device *memory, *fault, *stats, *device;
	struct buffer_cache *c;
	struct task *self;
	_Atomic int verified, sealed, damaged;
};

static inline void count_damage(void *user, const struct buffer_damage *d)
{
	struct rig *r = user;

	assert_non_null(d->why);
	assert_non_null(d->owner);
	r->damaged++;
}

static inline void rig_open(struct rig *r, enum sched_mode mode, uint64_t seed, size_t limit_bytes,
			    uint64_t blocks, bool slow)
{
	struct buffer_cache_options opt = { .block_size = BLOCK, .block_count = blocks, .user = r,
					    .damaged = count_damage };

	memset(r, 0, sizeof(*r));
	fixture_open(&r->f, mode, seed);
	r->self = enter(&r->f);
	assert_int_equal(budget_create(r->f.arena, limit_bytes, &r->budget), 0);
	assert_int_equal(block_mem_create(r->f.arena, blocks * BLOCK, &r->memory), 0);
	assert_int_equal(block_fault_create(r->f.arena, r->memory, &r->fault), 0);
	assert_int_equal(block_stats_create(r->f.arena, r->fault, &r->stats), 0);
	r->device = r->stats;
	if (slow)
		assert_int_equal(
			block_delay_create(r->f.arena, r->stats, 10000, 10000, 0, &r->device), 0);
	opt.arena = r->f.arena;
	opt.budget = r->budget;
	opt.device = r->device;
	assert_int_equal(buffer_cache_create(&opt, &r->c), 0);
}

static inline void rig_close(struct rig *r)
{
	buffer_cache_destroy(r->c);
	assert_int_equal(budget_used(r->budget), 0);
	budget_destroy(r->budget);
	block_close(r->device);
	task_leave(r->self);
	fixture_close(&r->f);		/* asserts that the arena is empty */
}

/* One case with a cache of its own, in each mode. */
static inline void with_rig(void (*run)(struct rig *r), size_t limit_bytes, uint64_t blocks,
			    bool slow)
{
	static const struct {
		enum sched_mode mode;
		uint64_t seed;
	} ways[] = { { SCHED_THREADED, 0 }, { SCHED_INLINE, 0 },  { SCHED_SEEDED, 1 },
		     { SCHED_SEEDED, 2 },   { SCHED_SEEDED, 3 }, { SCHED_SEEDED, 4 } };

	for (size_t i = 0; i < array_size(ways); i++) {
		static struct rig r;

		rig_open(&r, ways[i].mode, ways[i].seed, limit_bytes, blocks, slow);
		run(&r);
		rig_close(&r);
	}
}

static inline struct block_stats device_stats(struct rig *r)
{
	struct block_stats s;

	block_stats_get(r->stats, &s);
	return s;
}

/* ---- blocks that say what they are: kind, number of the block, of the owner, count of seals */

struct stamp {
	char kind[8];
	uint64_t block, ino;
	uint32_t seals;
};

static inline int verify_stamp(void *user, uint64_t block, const uint8_t *data,
			       const struct buffer_owner *owner, const char *kind)
{
	const struct stamp *s = (const void *)data;
	struct rig *r = user;

	r->verified++;
	if (strcmp(s->kind, kind) || s->block != block)
		return -EFSCORRUPTED;
	return s->ino == owner->ino ? 0 : -EFSBADCRC;
}

static inline int verify_red(void *user, uint64_t block, const uint8_t *data,
			     const struct buffer_owner *owner)
{
	return verify_stamp(user, block, data, owner, "red");
}

static inline int verify_blue(void *user, uint64_t block, const uint8_t *data,
			      const struct buffer_owner *owner)
{
	return verify_stamp(user, block, data, owner, "blue");
}

static inline void seal_stamp(void *user, uint64_t block, uint8_t *data,
			      const struct buffer_owner *owner)
{
	struct stamp *s = (void *)data;
	struct rig *r = user;

	r->sealed++;
	s->block = block;
	s->ino = owner->ino;
	s->seals++;
}

static const struct buffer_kind red = { "red block", verify_red, seal_stamp };
static const struct buffer_kind blue = { "blue block", verify_blue, seal_stamp };
static const struct buffer_kind raw = { "raw block", NULL, NULL };

/* A block of the device becomes one of that kind. */
static inline void put_stamp(struct rig *r, uint64_t block, const char *kind, uint64_t ino)
{
	_Alignas(8) uint8_t bytes[BLOCK] = { 0 };
	struct stamp *s = (void *)bytes;

	snprintf(s->kind, sizeof(s->kind), "%s", kind);
	s->block = block;
	s->ino = ino;
	assert_int_equal(block_write(r->memory, block * BLOCK, bytes, BLOCK, 0), 0);
}

static inline struct stamp get_stamp(struct rig *r, uint64_t block)
{
	_Alignas(8) uint8_t bytes[BLOCK];

	assert_int_equal(block_read(r->memory, block * BLOCK, bytes, BLOCK), 0);
	return *(struct stamp *)(void *)bytes;
}

#endif
