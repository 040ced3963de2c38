/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What may be on a device after a power failure. A recording (device.h) says what was called, and
 * in which order things became stable; a plan numbers the states that a failure may leave, an image
 * shows one of them as a device:
 *
 *	crash_plan_create(a, rec, &options, &plan);
 *	crash_image_create(a, plan, base, &image);	base: as it was when the recording began
 *	for (n = 0; n < crash_plan_count(plan); n++) {
 *		crash_plan_state(plan, n, &state);
 *		crash_image_build(image, &state);
 *		if (crash_image_is_new(image))
 *			... recover crash_image_device(image), look at it
 *	}
 *
 * The model: a failure comes at a point of the recording. What stands before the last flush (or
 * write that begins with one) before that point is on the medium. So is every forced write that
 * returned. Each other write since then is there, not there, or partly there: sectors of 512 bytes
 * are whole, and so is a range that the plan is told of (the superblock, which no file system
 * survives torn). A discard is there or not.
 *
 * The states, in the order of their numbers:
 *
 *   prefix   the first n changes, for each n: the medium takes writes in order
 *   lost     all until the next flush but one write
 *   torn     all until the next flush, of one write only a head or a tail; of a forced write, which
 *            nothing can follow before it returns, all until then
 *   random   at a random point, each write since the last flush there, not there or partly there
 *
 * Numbers mean the same whenever recording and options are the same. Within a family later numbers
 * fail later, so that images are built fastest in order.
 *
 * Threads: a plan is constant; each task that builds has an image (over a share of the base) and a
 * state of its own. The recording does not change while there is a plan of it.
 */
#ifndef EXTANT_BLOCK_CRASH_H
#define EXTANT_BLOCK_CRASH_H

#include "block/device.h"

/* Applies entry `i` to `dst`; a discard that `dst` cannot do writes zeros. */
must_check int block_replay_apply(const struct block_device *rec, size_t i,
				  struct block_device *dst);
/* The same for bytes [from, to) of the entry, whole sectors. Flushes and marks have none. */
must_check int block_replay_part(const struct block_device *rec, size_t i, uint64_t from,
				 uint64_t to, struct block_device *dst);

struct crash_options {
	uint64_t seed;			/* of the random states */
	uint64_t random_states;
	uint32_t tears_max;		/* places where one write is torn; 0: at each sector */
	uint64_t atomic_offset, atomic_bytes;	/* a range that is never torn; 0 bytes: none */
};
/* The superblock of ext4 and its checksum. */
#define CRASH_ATOMIC_OFFSET	1024
#define CRASH_ATOMIC_BYTES	1024

enum crash_family { CRASH_PREFIX, CRASH_LOST, CRASH_TORN, CRASH_RANDOM };

/* Bytes [from, to) of an entry that are on the medium. */
struct crash_piece {
	size_t entry;
	uint64_t from, to;
};

struct crash_plan;

struct crash_state {
	uint64_t number;
	enum crash_family family;
	size_t stable;			/* the entries before it are on the medium whole */
	size_t point; /* those before it were called, and returned unless torn or lost */
	size_t marks;			/* those among them that are marks */
	const struct crash_piece *pieces;	/* what else is on the medium, in order */
	size_t piece_count;
	struct crash_piece *room;	/* of crash_state_init() */
};

must_check int crash_plan_create(struct arena *a, const struct block_device *rec,
				 const struct crash_options *opt, struct crash_plan **out);
void crash_plan_destroy(struct crash_plan *p);
uint64_t crash_plan_count(const struct crash_plan *p);
const struct block_device *crash_plan_recording(const struct crash_plan *p);
/* The number of the family's first state. */
uint64_t crash_plan_first(const struct crash_plan *p, enum crash_family family);

/* Room for any state of the plan. 0 or -ENOMEM. */
must_check int crash_state_init(struct crash_state *s, const struct crash_plan *p);
void crash_state_fini(struct crash_state *s, const struct crash_plan *p);
/* State `number` < crash_plan_count(); its pieces are valid until the next call with `s`. */
void crash_plan_state(const struct crash_plan *p, uint64_t number, struct crash_state *s);

struct crash_image;

/* Takes over `base`, which is only read, unless it fails. */
must_check int crash_image_create(struct arena *a, const struct crash_plan *p,
				  struct block_device *base, struct crash_image **out);
void crash_image_destroy(struct crash_image *img);
/* The device shows the state. 0, -ENOMEM or what reading the base said. */
must_check int crash_image_build(struct crash_image *img, const struct crash_state *s);
/*
 * What was built. It may be written to; the next build forgets that. It is not to be closed: share
 * it.
 */
struct block_device *crash_image_device(struct crash_image *img);
/* Of the contents as they were built: equal contents have equal hashes, however they came about. */
uint64_t crash_image_hash(const struct crash_image *img);
/*
 * 1: the image has not been built before with these contents and as many marks; 0: it has; or
 * -ENOMEM.
 */
must_check int crash_image_is_new(struct crash_image *img);

#endif
