/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hostile images, made from whole ones: where the metadata of an image lies, changes of it, and the sums made right
 * again, so that a change gets past them.
 */
#ifndef EXTANT_TESTS_MUTATE_H
#define EXTANT_TESTS_MUTATE_H

#include "base/random.h"
#include "block/device.h"
#include "ext4/geometry.h"

enum place_kind {
	PLACE_INODES,			/* a block of an inode table with inodes in use */
	PLACE_EXTENT,			/* a node of an extent tree */
	PLACE_DIR,			/* entries, or an inner node of a hash tree */
	PLACE_DX_ROOT,
	PLACE_XATTR,
	PLACE_ORPHAN,
	PLACE_JOURNAL_SUPER,
	PLACE_LOG,			/* a block of the log that was written once */
	PLACE_KINDS
};

struct place {
	enum place_kind kind;
	uint64_t block;
	uint32_t seed;			/* of the inode it belongs to; of inodes the first one's number */
};

#define PLACES_MAX 4096

struct mutation {
	struct block_device *cow;	/* the image; what is written to it stays in memory */
	struct ext4_geometry geo;
	struct random random;
	struct place places[PLACES_MAX];
	uint32_t count, first_of[PLACE_KINDS + 1];
};

/* Finds the metadata of the whole image. 0, or negative errno: it is no image that can be used. */
must_check int mutation_survey(struct mutation *m, struct block_device *cow);
/* Changes some of it as the seed says; of odd seeds all sums are right afterwards. */
must_check int mutation_make(struct mutation *m, uint64_t seed);

#endif
