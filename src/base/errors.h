/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Error codes. Functions return 0 or a positive count, else a negative errno. Damage has two codes
 * of its own, with the values Linux gives them, so that callers see what Linux callers see.
 */
#ifndef EXTANT_BASE_ERRORS_H
#define EXTANT_BASE_ERRORS_H

#include <errno.h>

#define EFSCORRUPTED	EUCLEAN		/* the structure is not what it must be */
#define EFSBADCRC	EBADMSG		/* the checksum says: not what was written */

#endif
