/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening a file that nobody else may be using.
 */
#ifndef EXTANT_BLOCK_FILE_H
#define EXTANT_BLOCK_FILE_H

#include "block/device.h"

/*
 * An open descriptor of a file or block special file, locked (exclusively unless `read_only`) until
 * it is closed. -EBUSY: something else uses it, and `why` says what; -EINVAL: neither a file nor a
 * block special file; else what open() said.
 */
must_check int file_open_alone(const char *path, bool read_only, char why[BLOCK_WHY_MAX]);

#endif
