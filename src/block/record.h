/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a recording offers to the other files of this folder.
 */
#ifndef EXTANT_BLOCK_RECORD_H
#define EXTANT_BLOCK_RECORD_H

#include "block/device.h"

/* What a recording keeps of a write's flags. */
#define RECORD_FLAGS (BLOCK_FUA | BLOCK_PREFLUSH | BLOCK_META)

/*
 * Puts an entry at the end of the recording. `*data`: room for `data_bytes` of its own, which the
 * caller fills before anybody else looks. 0 or -ENOMEM.
 */
must_check int record_append(struct block_device *rec, const struct block_record_entry *form,
			     size_t data_bytes, void **data);

/* Frees the recording and leaves open what is below. */
void record_abandon(struct block_device *rec);

/* Everything before the entry is stable once it has happened. */
static inline bool record_is_barrier(const struct block_record_entry *e)
{
	return e->kind == RECORD_FLUSH || (e->kind == RECORD_WRITE && e->flags & BLOCK_PREFLUSH);
}

/* The entry changes the device's contents. */
static inline bool record_is_change(const struct block_record_entry *e)
{
	return e->kind == RECORD_WRITE || e->kind == RECORD_DISCARD;
}

#endif
