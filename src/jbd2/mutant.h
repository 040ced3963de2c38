/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deliberate faults. A test builds the journal (or what ext4 does in a commit) once for each, with
 * -DJBD2_MUTANT=MUTANT_name, and shows that the crash tests find it: those over plain blocks beside this file,
 * and those of ext4 in tests/crash. In every other build MUTANT() is false and gone.
 */
#ifndef EXTANT_JBD2_MUTANT_H
#define EXTANT_JBD2_MUTANT_H

enum jbd2_mutant {
	MUTANT_flush_left_out,		/* the commit record is written without a flush before it */
	MUTANT_record_first,		/* the commit record is written before the blocks */
	MUTANT_revoke_forgotten,	/* a freed block is not recorded */
	MUTANT_tail_early,		/* the tail moves past blocks that are not in place */
	MUTANT_tail_unflushed,		/* the tail moves past blocks in place that are not flushed */
	MUTANT_space_early,		/* log space is used again before the superblock says so */
	MUTANT_ordered_late,		/* ordered data is written after the commit record */
	MUTANT_live_in_place,		/* live bytes that a running transaction changed go in place */
	MUTANT_no_copy_out,		/* a block of the committing transaction is changed without a copy */
	MUTANT_credit_unchecked,	/* a handle dirties more than it asked for */
	MUTANT_commit_allocates,	/* the commit task allocates memory */
	MUTANT_credits_short,		/* every handle asks for one block, and dirties what it likes */
	MUTANT_commit_maps,		/* the commit task gives delayed data of ext4 its place */
};

#ifdef JBD2_MUTANT
#define MUTANT(name) (JBD2_MUTANT == MUTANT_##name)
#else
#define MUTANT(name) 0
#endif

#endif
